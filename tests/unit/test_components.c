/* test_components.c - what is measured of a mixture's components, and what is said of them. */
#include "train_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/components.h"

#define SMALL                                                                                                          \
    "model.latent=2 model.hidden=5 posterior.type=mixture posterior.hidden= data.binarise=none "                       \
    "likelihood.type=gaussian train.batch=50 train.epochs=2 "

static elb_vae *vae_of(const char *settings, elb_dataset **d)
{
    char all[512];
    elb_vae *vae;
    snprintf(all, sizeof all, SMALL "%s", settings);
    elb_config *config = train_config(c, folder, all);
    assert_int_equal(elb_config_open_data(config, NULL, ELB_PART_TRAIN, d), ELB_OK);
    assert_int_equal(elb_config_settle(config, *d), ELB_OK);
    if (elb_vae_create(config, *d, &vae) != ELB_OK) fail_msg("%s", elb_context_message(c));
    elb_config_destroy(config);
    return vae;
}

static elb_real *numbers(elb_vae *vae, const char *name)
{
    elb_params *p = &vae->posterior->params;
    for (int64_t i = 0; i < p->count; i++)
        if (strcmp(p->at[i].name, name) == 0) return elb_params_data(p, i);
    fail_msg("there is no %s", name);
    return NULL;
}

/* Three components of which two are one and the third is far away, with weights 1/4, 1/4, 1/2: lambda is all bias. */
static void test_measures(void **state)
{
    (void)state;
    elb_dataset *d;
    elb_components got;
    elb_vae *vae = vae_of("posterior.order=3 posterior.weights=global", &d);
    memset(numbers(vae, "encoder.0.weight"), 0, 12 * 60 * sizeof(elb_real));
    elb_real *bias = numbers(vae, "encoder.0.bias"), *logits = numbers(vae, "weights.bias");
    for (int m = 0; m < 3; m++) { /* a mean of 30 in the third, variance 1 everywhere */
        memset(bias + 4 * m, 0, 4 * sizeof *bias);
        if (m == 2) bias[4 * m] = 30;
        logits[m] = (elb_real)log(m == 2 ? 2 : 1);
    }
    assert_int_equal(elb_components_measure(vae, d, &got), ELB_OK);
    assert_int_equal(got.order, 3);
    support_assert_near(got.kl[0], 0, 1e-6, 0);
    support_assert_near(got.kl[1], 0, 1e-6, 0);
    support_assert_near(got.kl[2], 450, 0, 0.05); /* 30^2 / 2 */
    support_assert_near(got.weights, exp(0.5 * log(4) + 0.5 * log(2)), 0, 1e-5);
    support_assert_near(got.distinct, 2, 0, 1e-5); /* half of the mass in one place, half in another */
    assert_true(got.elbo[0] - got.elbo[2] > 300 && fabs(got.elbo[0] - got.elbo[1]) < 1);
    assert_true(got.least_kl <= got.median_kl && got.median_kl <= got.most_kl);
    elb_vae_destroy(vae);
    elb_dataset_destroy(d);
}

static elb_components healthy(void)
{
    return (elb_components){.order = 3,
                            .elbo = {-100, -100.5, -99},
                            .kl = {0, 2, 2},
                            .least_kl = -1,
                            .median_kl = 2,
                            .most_kl = 9,
                            .weights = 2.9,
                            .distinct = 1.8};
}

static void test_warnings(void **state)
{
    char text[ELB_COMPONENTS_TEXT];
    elb_config *config;
    (void)state;
    assert_int_equal(elb_config_create(c, &config), ELB_OK);
    assert_int_equal(elb_config_preset(config, "recmix"), ELB_OK);
    elb_components h = healthy();
    assert_int_equal(elb_components_warn(&h, config, true, 0, text), 0);
    h.elbo[1] = -102.5;
    assert_int_equal(elb_components_warn(&h, config, false, 0, text), ELB_COMPONENT_RAN_AWAY);
    assert_non_null(strstr(text, "component 2 of the mixture has an ELBO 2.5 nats below the first's"));
    assert_int_equal(elb_components_warn(&h, config, false, ELB_COMPONENT_RAN_AWAY, text), 0); /* once */
    h.elbo[1] = NAN;
    assert_int_equal(elb_components_warn(&h, config, false, 0, text), ELB_COMPONENT_RAN_AWAY);
    h = healthy();
    h.median_kl = 9.5;
    assert_int_equal(elb_components_warn(&h, config, false, 0, text), ELB_COMPONENTS_CLIPPED);
    assert_non_null(strstr(text, "objective.clip_kl=3"));
    h = healthy();
    h.weights = 1.4;
    assert_int_equal(elb_components_warn(&h, config, false, 0, text), ELB_WEIGHTS_COLLAPSED);
    assert_non_null(strstr(text, "1.40 of 3 components count"));
    h = healthy();
    h.distinct = 1.05;
    assert_int_equal(elb_components_warn(&h, config, false, 0, text), 0);
    assert_int_equal(elb_components_warn(&h, config, true, 0, text), ELB_COMPONENTS_ALIKE);
    assert_non_null(strstr(text, "1.05 of 3 are distinct"));
    h.order = 1;
    assert_int_equal(elb_components_warn(&h, config, true, 0, text), 0);
    h = healthy(); /* fresh components need time, and where there is no recursion there is no clip */
    h.elbo[2] = -200;
    h.median_kl = 50;
    assert_int_equal(elb_config_set(config, "posterior.start", "fresh"), ELB_OK);
    assert_int_equal(elb_components_warn(&h, config, false, 0, text), 0);
    assert_int_equal(elb_components_warn(&h, config, true, 0, text), ELB_COMPONENT_RAN_AWAY);
    assert_int_equal(elb_config_set(config, "objective.recursion", "0"), ELB_OK);
    assert_int_equal(elb_components_warn(&h, config, true, ELB_COMPONENT_RAN_AWAY, text), 0);
    elb_config_destroy(config);
}

/* In the log at every epoch; a warning is there once, also over a resumption. */
static void test_log(void **state)
{
    (void)state;
    elb_train_result result;
    train_session_settings with = {.threads = 1,
                                   .settings = SMALL "posterior.order=3 objective.type=recmix objective.pretrain=0.4 "
                                                     "objective.clip_kl=0 objective.recursion=1 posterior.jitter=1"};
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_OK);
    with.resume = true;
    with.settings = SMALL "posterior.order=3 objective.type=recmix objective.pretrain=0.4 objective.clip_kl=0 "
                          "objective.recursion=1 posterior.jitter=1 train.epochs=4";
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_OK);
    json_t *epochs = train_log_events(folder, "run", "epoch"), *warnings = train_log_events(folder, "run", "warning");
    assert_int_equal(json_array_size(epochs), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *components = json_object_get(json_array_get(epochs, i), "components");
        assert_int_equal(json_array_size(json_object_get(components, "elbo")), 3);
        assert_int_equal(json_array_size(json_object_get(components, "kl_to_earlier")), 3);
        assert_true(json_real_value(json_object_get(components, "distinct")) > 0.9);
    }
    int said = 0;
    size_t i;
    const json_t *warning;
    json_array_foreach(warnings, i, warning)
    {
        said += strstr(json_string_value(json_object_get(warning, "message")), "components are ") != NULL;
    }
    assert_int_equal(said, 1);
    json_decref(epochs);
    json_decref(warnings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_measures),
        FIXTURE_TEST(test_warnings),
        FIXTURE_TEST(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
