/* train_and_evaluate.c - libelbow from C: trains a small VAE and estimates the log-likelihood of test data twice.
 *     cc train_and_evaluate.c $(pkg-config --cflags --libs elbow) -o train_and_evaluate && ./train_and_evaluate RUN
 * On Fashion-MNIST where Debian's package has put it, on a synthetic set elsewhere. */
#include <stdio.h>
#include <stdlib.h>

#include <elbow/evaluate.h>
#include <elbow/train.h>

static elb_context *context;

/* The library never prints or exits; what went wrong is one sentence on the context. */
static void check(elb_status status)
{
    if (status == ELB_OK) return;
    fprintf(stderr, "train_and_evaluate: %s\n", context ? elb_context_message(context) : elb_status_name(status));
    elb_context_destroy(context);
    exit((int)status);
}

static void evaluate(elb_vae *vae, const elb_dataset *data, elb_estimator estimator, int64_t samples)
{
    elb_evaluate_settings settings = {.estimator = estimator, .samples = samples, .limit = 1000, .seed = 1};
    elb_evaluation e;
    check(elb_evaluate(vae, data, &settings, &e));
    printf("%s, %lld samples: %.2f +- %.2f nats per datum, %s\n", elb_estimator_name(estimator), (long long)samples,
           e.log_likelihood_nats, e.standard_error, elb_dataset_name(data));
}

int main(int argc, char **argv)
{
    elb_config *config;
    elb_dataset *test;
    elb_vae *vae;
    elb_train_result result;

    check(elb_context_create(NULL, &context));
    check(elb_config_create(context, &config));
    bool images = elb_config_open_data(config, "fashion-mnist", ELB_PART_TEST, &test) == ELB_OK;
    if (!images) check(elb_config_open_data(config, "synthetic:linear-gaussian", ELB_PART_TEST, &test));
    check(elb_config_preset(config, images ? "avi" : "linear-gaussian"));
    check(elb_config_set(config, "data.spec", images ? "fashion-mnist" : "synthetic:linear-gaussian"));
    check(elb_config_set(config, "data.limit", "5000"));
    check(elb_config_set(config, "train.epochs", "5"));

    check(elb_train(config, &(elb_train_settings){.folder = argc > 1 ? argv[1] : "run"}, &result));
    check(elb_vae_open(context, argc > 1 ? argv[1] : "run", &vae));
    evaluate(vae, test, ELB_ESTIMATE_ELBO, 1);
    evaluate(vae, test, ELB_ESTIMATE_IWAE, 100);

    elb_vae_destroy(vae);
    elb_dataset_destroy(test);
    elb_config_destroy(config);
    elb_context_destroy(context);
    return ELB_OK;
}
