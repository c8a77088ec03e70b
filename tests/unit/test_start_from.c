/* test_start_from.c - a run that starts from another's parameters: what is taken, what is spawned, what is refused. */
#include "train_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "posterior/mixture.h"
#include "run/vae.h"

#define SMALL "data.binarise=threshold model.latent=3 model.hidden=8 posterior.hidden=7 train.batch=50 train.epochs=1 "

static elb_dataset *d;

static elb_vae *vae_of(const char *settings)
{
    char all[512];
    elb_vae *vae;
    snprintf(all, sizeof all, SMALL "%s", settings);
    elb_config *config = train_config(c, folder, all);
    if (d == NULL) assert_int_equal(elb_config_open_data(config, NULL, ELB_PART_TRAIN, &d), ELB_OK);
    assert_int_equal(elb_config_settle(config, d), ELB_OK);
    if (elb_vae_create(config, d, &vae) != ELB_OK) fail_msg("%s", elb_context_message(c));
    elb_config_destroy(config);
    return vae;
}

/* A VAE whose every number differs from a fresh one's, and its file. */
static elb_vae *source_of(const char *settings, const char *name)
{
    elb_vae *vae = vae_of(settings);
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        elb_params *p = elb_vae_block(vae, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t j = 0; j < p->at[i].count; j++)
                elb_params_data(p, i)[j] = (elb_real)support_number((uint64_t)b + 5, (uint64_t)(i * 1000 + j));
    }
    assert_int_equal(elb_vae_save(vae, support_path(folder, name)), ELB_OK);
    return vae;
}

static int begin(void **state)
{
    d = NULL;
    return fixture_make(state);
}

static int end(void **state)
{
    elb_dataset_destroy(d);
    return fixture_end(state);
}

/* Component `to` of parameter i in `a` against component `from` in `b`: the largest difference. */
static double apart(elb_vae *a, int64_t to, int64_t a_order, elb_vae *b, int64_t from, int64_t b_order, int64_t i)
{
    elb_params *p = &a->posterior->params, *q = &b->posterior->params;
    int64_t count = q->at[i].count / b_order;
    double most = 0;
    assert_int_equal(p->at[i].count, count * a_order);
    for (int64_t j = 0; j < count; j++)
        most = fmax(most, fabs((double)elb_params_data(p, i)[to * count + j] -
                               (double)elb_params_data(q, i)[from * count + j]));
    return most;
}

static void test_the_same_family(void **state)
{
    (void)state;
    elb_vae *source = source_of("", "vae.safetensors"), *vae = vae_of("");
    assert_int_equal(elb_vae_start_from(vae, support_path(folder, "vae.safetensors")), ELB_OK);
    for (int b = 0; b < ELB_VAE_BLOCKS; b++)
        assert_memory_equal(elb_vae_block(vae, b)->data, elb_vae_block(source, b)->data,
                            (size_t)elb_vae_block(vae, b)->size * sizeof(elb_real));
    elb_vae_destroy(vae);
    elb_vae_destroy(source);
}

/* Copies differ by the jitter of their output weights alone; parameters 0..3 are the encoder's two layers. */
static void test_copies(void **state)
{
    (void)state;
    elb_vae *source = source_of("", "vae.safetensors");
    elb_vae *vae = vae_of("posterior.type=mixture posterior.order=3 posterior.weights=input");
    assert_int_equal(elb_vae_start_from(vae, support_path(folder, "vae.safetensors")), ELB_OK);
    for (int64_t i = 0; i < 4; i++)
        for (int64_t m = 0; m < 3; m++) {
            double most = apart(vae, m, 3, source, 0, 1, i);
            if (m == 0 || i != 2)
                assert_true(most == 0);
            else
                assert_true(most > 0.002 && most < 0.03);
        }
    assert_true(apart(vae, 1, 3, vae, 2, 3, 2) > 0.002); /* and each from the other */
    assert_memory_equal(vae->model->params.data, source->model->params.data,
                        (size_t)vae->model->params.size * sizeof(elb_real));
    elb_vae_destroy(vae);
    elb_vae_destroy(source);
}

static void test_fresh(void **state)
{
    static const char *const trunks[] = {"separate", "shared"};
    (void)state;
    elb_vae *source = source_of("", "vae.safetensors");
    for (int k = 0; k < 2; k++) {
        char settings[128];
        snprintf(settings, sizeof settings,
                 "posterior.type=mixture posterior.order=3 posterior.start=fresh posterior.trunk=%s", trunks[k]);
        elb_vae *vae = vae_of(settings), *anew = vae_of(settings);
        assert_int_equal(elb_vae_start_from(vae, support_path(folder, "vae.safetensors")), ELB_OK);
        for (int64_t i = k == 0 ? 0 : 2; i < 4; i++) {
            assert_true(apart(vae, 0, 3, source, 0, 1, i) == 0);
            if (i % 2 == 0) assert_true(apart(vae, 1, 3, source, 0, 1, i) > 0.1);
        }
        for (int64_t i = 0; i < 2 && k == 1; i++) assert_true(apart(vae, 0, 1, source, 0, 1, i) == 0);
        if (k == 0) /* fresh is what a run of its own would begin with */
            for (int64_t i = 0; i < 4; i++) assert_true(apart(vae, 2, 3, anew, 2, 3, i) == 0);
        elb_vae_destroy(anew);
        elb_vae_destroy(vae);
    }
    elb_vae_destroy(source);
}

/* A mixture of two becomes one of four: two are taken, and two follow from the second. */
static void test_a_larger_mixture(void **state)
{
    (void)state;
    elb_vae *source = source_of("posterior.type=mixture posterior.order=2 posterior.weights=global", "two.safetensors");
    elb_vae *vae = vae_of("posterior.type=mixture posterior.order=4 posterior.weights=global posterior.jitter=0");
    assert_int_equal(elb_vae_start_from(vae, support_path(folder, "two.safetensors")), ELB_OK);
    for (int64_t i = 0; i < 5; i++)
        for (int64_t m = 0; m < 4; m++) assert_true(apart(vae, m, 4, source, m < 2 ? m : 1, 2, i) == 0);
    elb_vae_destroy(vae);
    elb_vae_destroy(source);
}

static void test_refused(void **state)
{
    static const struct {
        const char *settings, *words;
    } cases[] = {
        {"posterior.hidden=8", "tensor 'encoder.0.weight' has shape [14,60]; expected [8,60]"},
        {"model.hidden=9", "tensor 'decoder.0.weight' has shape [8,3]; expected [9,3]"},
        {"", "tensor 'encoder.0.weight' has shape [14,60]; expected [7,60]"},
        {"posterior.type=mixture posterior.order=1", "tensor 'encoder.0.weight' has shape [14,60]; expected [7,60]"},
        {"posterior.type=mixture posterior.trunk=shared", "tensor 'encoder.0.weight'"},
        {"posterior.type=mixture model.activation=relu", "it was trained with model.activation=tanh"},
        {"posterior.type=mixture posterior.activation=elu", "it was trained with posterior.activation=tanh"},
        {"likelihood.type=gaussian likelihood.variance=scalar", "likelihood.log_variance"},
    };
    (void)state;
    elb_vae_destroy(source_of("posterior.type=mixture posterior.order=2", "two.safetensors"));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        elb_vae *vae = vae_of(cases[k].settings);
        assert_int_equal(elb_vae_start_from(vae, support_path(folder, "two.safetensors")), ELB_MODEL);
        support_assert_message(c, "train.from=");
        support_assert_message(c, cases[k].words);
        elb_vae_destroy(vae);
    }
    elb_vae *vae = vae_of(""), *broken = vae_of("");
    assert_int_equal(elb_vae_start_from(vae, support_path(folder, "none")), ELB_FAILURE);
    broken->model->params.data[0] = (elb_real)NAN;
    assert_int_equal(elb_vae_save(broken, support_path(folder, "broken.safetensors")), ELB_OK);
    assert_int_equal(elb_vae_start_from(vae, support_path(folder, "broken.safetensors")), ELB_MODEL);
    support_assert_message(c, "not finite");
    elb_vae_destroy(broken);
    elb_vae_destroy(vae);
}

/* A whole run takes the other's folder, and is resumed without it. */
static void test_run(void **state)
{
    elb_train_result result;
    train_session_settings first = {.settings = SMALL, .threads = 1}, second = first;
    char settings[1024];
    (void)state;
    train_session(&first, folder, "first", &result);
    double cold = result.elbo;
    snprintf(settings, sizeof settings, SMALL "posterior.type=mixture train.from=%s", support_path(folder, "first"));
    second.settings = settings;
    train_session(&second, folder, "second", &result);
    assert_true(result.elbo > cold);
    char later[1024];
    snprintf(later, sizeof later, SMALL "posterior.type=mixture train.epochs=2 train.from=gone");
    train_session_settings third = {.settings = later, .threads = 1, .resume = true};
    train_session(&third, folder, "second", &result);
    assert_int_equal(result.epochs, 2);
}

/* The decoder of a trained VAE keeps every bit while an encoder of another family and size learns, resumed or not. */
static void test_encoder_only(void **state)
{
    elb_train_result result;
    train_session_settings first = {.settings = SMALL, .threads = 1}, second = first, third = first;
    char settings[1024], later[1200], name[32];
    elb_vae *vae[3];
    (void)state;
    train_session(&first, folder, "first", &result);
    snprintf(settings, sizeof settings,
             SMALL "posterior.type=aux_flow posterior.flow_hidden=4 posterior.hidden=9 posterior.activation=elu "
                   "optimizer.clip=1 train.encoder_only=true train.from=%s",
             support_path(folder, "first"));
    snprintf(later, sizeof later, "%s train.epochs=2", settings);
    second.settings = settings;
    third.settings = later;
    third.resume = true;
    for (int i = 0; i < 3; i++) {
        if (i > 0) train_session(i == 1 ? &second : &third, folder, "second", &result);
        snprintf(name, sizeof name, "%s/model.safetensors", i == 0 ? "first" : "second");
        assert_int_equal(elb_vae_open(c, support_path(folder, name), &vae[i]), ELB_OK);
    }
    assert_int_equal(result.epochs, 2);
    const elb_params *theirs = &vae[0]->model->params, *before = &vae[1]->posterior->params;
    for (int i = 1; i < 3; i++)
        assert_memory_equal(vae[i]->model->params.data, theirs->data, (size_t)theirs->size * sizeof(elb_real));
    assert_memory_not_equal(vae[2]->posterior->params.data, before->data, (size_t)before->size * sizeof(elb_real));
    for (int i = 0; i < 3; i++) elb_vae_destroy(vae[i]);
    train_refused(folder, "third", SMALL "train.encoder_only=true", false, ELB_USAGE, "set train.from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_family, begin, end),
        cmocka_unit_test_setup_teardown(test_copies, begin, end),
        cmocka_unit_test_setup_teardown(test_fresh, begin, end),
        cmocka_unit_test_setup_teardown(test_a_larger_mixture, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_run, begin, end),
        cmocka_unit_test_setup_teardown(test_encoder_only, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
