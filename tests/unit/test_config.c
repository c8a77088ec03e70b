/* test_config.c - configurations: defaults, presets, YAML there and back, and every YAML that is refused. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/config_yaml.h"

typedef struct fixture {
    fault f;
    elb_context *c;
    elb_config *config;
} fixture;

static int fixture_make(void **state)
{
    static fixture x;
    x.c = support_context(&x.f);
    assert_int_equal(elb_config_create(x.c, &x.config), ELB_OK);
    *state = &x;
    return 0;
}

static int fixture_end(void **state)
{
    fixture *x = *state;
    elb_config_destroy(x->config);
    support_context_end(x->c, &x->f);
    return 0;
}

static elb_status parse(fixture *x, const char *text)
{
    return elb_config_parse(x->config, "run.yaml", text, (int64_t)strlen(text));
}

static void check_parse(fixture *x, const char *text)
{
    if (parse(x, text) != ELB_OK) fail_msg("%s\n%s", text, elb_context_message(x->c));
}

/* Refused with `part` in the message, and nothing changed. */
static void check_refused(fixture *x, const char *text, const char *part)
{
    elb_config before = *x->config;
    elb_status status = parse(x, text);
    if (status != ELB_USAGE) fail_msg("%s\ngives status %d", text, status);
    support_assert_message(x->c, part);
    assert_memory_equal(x->config, &before, sizeof before);
}

static void check_get(fixture *x, const char *key, const char *want)
{
    char text[ELB_TEXT_MAX];
    assert_int_equal(elb_config_get(x->config, key, text, sizeof text), ELB_OK);
    if (strcmp(text, want) != 0) fail_msg("%s is %s, not %s", key, text, want);
}

/* --- defaults, presets, keys --- */

static void test_defaults(void **state)
{
    fixture *x = *state;
    const char *const want[][2] = {
        {"seed", "1"},
        {"data.spec", ""},
        {"data.binarise", "auto"},
        {"data.validation", "0"},
        {"model.latent", "auto"},
        {"model.hidden", "200,200"},
        {"model.activation", "tanh"},
        {"likelihood.type", "auto"},
        {"posterior.type", "ffg"},
        {"posterior.hidden", "200,200"},
        {"posterior.activation", "tanh"},
        {"objective.type", "elbo"},
        {"objective.samples", "1"},
        {"objective.kl", "closed"},
        {"objective.gradient", "plain"},
        {"objective.warmup", "none"},
        {"optimizer.type", "adam"},
        {"optimizer.rate", "0.001"},
        {"optimizer.beta1", "0.9"},
        {"optimizer.beta2", "0.999"},
        {"optimizer.epsilon", "1e-08"},
        {"schedule.type", "constant"},
        {"train.epochs", "auto"},
        {"train.batch", "100"},
        {"train.patience", "0"},
        {"train.validate_every", "1"},
        {"train.checkpoint_minutes", "5"},
        {"train.output_bias", "true"},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) check_get(x, want[i][0], want[i][1]);
    assert_int_equal(x->config->model.latent, 0); /* auto */
    assert_int_equal(x->config->posterior.activation, ELB_NET_TANH);
    elb_config_destroy(NULL);
}

/* A choice's place in its list is the value of its enumeration. */
static void test_choices_match_enumerations(void **state)
{
    fixture *x = *state;
    elb_config *k = x->config;
    const struct {
        const char *key, *value;
        const int *at;
        int want;
    } all[] = {
        {"data.binarise", "none", &k->data.binarise, ELB_BINARISE_NONE},
        {"data.binarise", "dynamic", &k->data.binarise, ELB_BINARISE_DYNAMIC},
        {"data.binarise", "static", &k->data.binarise, ELB_BINARISE_STATIC},
        {"data.binarise", "threshold", &k->data.binarise, ELB_BINARISE_THRESHOLD},
        {"data.binarise", "auto", &k->data.binarise, ELB_BINARISE_AUTO},
        {"model.activation", "relu", &k->model.activation, ELB_NET_RELU},
        {"model.activation", "elu", &k->model.activation, ELB_NET_ELU},
        {"model.activation", "softplus", &k->model.activation, ELB_NET_SOFTPLUS},
        {"model.activation", "gated", &k->model.activation, ELB_NET_GATED},
        {"posterior.activation", "linear", &k->posterior.activation, ELB_NET_LINEAR},
        {"posterior.activation", "tanh", &k->posterior.activation, ELB_NET_TANH},
        {"likelihood.type", "bernoulli", &k->likelihood.type, ELB_BERNOULLI},
        {"likelihood.type", "continuous-bernoulli", &k->likelihood.type, ELB_CONTINUOUS_BERNOULLI},
        {"likelihood.type", "gaussian", &k->likelihood.type, ELB_GAUSSIAN},
        {"likelihood.type", "auto", &k->likelihood.type, ELB_LIKELIHOOD_AUTO},
        {"likelihood.variance", "fixed", &k->likelihood.variance, ELB_VARIANCE_FIXED},
        {"likelihood.variance", "scalar", &k->likelihood.variance, ELB_VARIANCE_SCALAR},
        {"likelihood.variance", "pixel", &k->likelihood.variance, ELB_VARIANCE_PIXEL},
        {"likelihood.variance", "predicted", &k->likelihood.variance, ELB_VARIANCE_PREDICTED},
        {"objective.kl", "closed", &k->objective.kl, ELB_KL_CLOSED},
        {"objective.kl", "sampled", &k->objective.kl, ELB_KL_SAMPLED},
        {"objective.gradient", "plain", &k->objective.gradient, ELB_GRADIENT_PLAIN},
        {"objective.gradient", "stl", &k->objective.gradient, ELB_GRADIENT_STL},
        {"objective.gradient", "dreg", &k->objective.gradient, ELB_GRADIENT_DREG},
        {"objective.warmup", "none", &k->objective.warmup, ELB_WARMUP_NONE},
        {"objective.warmup", "kl", &k->objective.warmup, ELB_WARMUP_KL},
        {"objective.warmup", "entropy", &k->objective.warmup, ELB_WARMUP_ENTROPY},
        {"schedule.type", "constant", &k->schedule.type, ELB_SCHEDULE_CONSTANT},
        {"schedule.type", "cosine", &k->schedule.type, ELB_SCHEDULE_COSINE},
        {"schedule.type", "iwae", &k->schedule.type, ELB_SCHEDULE_IWAE},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(elb_config_set(k, all[i].key, all[i].value), ELB_OK);
        assert_int_equal(*all[i].at, all[i].want);
    }
}

static void test_set(void **state)
{
    fixture *x = *state;
    assert_int_equal(elb_config_set(x->config, "model.latent", "7"), ELB_OK);
    assert_int_equal(x->config->model.latent, 7);
    assert_int_equal(elb_config_set(x->config, "model.latnet", "8"), ELB_USAGE);
    support_assert_message(x->c, "did you mean 'model.latent'?");
    assert_int_equal(elb_config_set(x->config, "optimiser.rate", "8"), ELB_USAGE);
    support_assert_message(x->c, "did you mean 'optimizer.rate'?");
    const char *const absurd[][2] = {
        {"model.latent", "0"},        {"train.batch", "0"},          {"train.epochs", "0"},
        {"objective.samples", "0"},   {"optimizer.rate", "0"},       {"optimizer.beta1", "1"},
        {"optimizer.beta2", "1"},     {"model.hidden", "0"},         {"optimizer.clip", "-1"},
        {"data.limit", "-1"},         {"optimizer.rate", "nan"},     {"likelihood.log_variance", "90"},
        {"data.scale", "-1"},         {"train.validate_every", "0"}, {"seed", "-1"},
        {"schedule.final_rate", "2"},
    };
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++)
        if (elb_config_set(x->config, absurd[i][0], absurd[i][1]) != ELB_USAGE)
            fail_msg("%s = %s is accepted", absurd[i][0], absurd[i][1]);
}

static void test_presets(void **state)
{
    fixture *x = *state;
    const char *const want[] = {"avi", "iwae-paper", "iwae-paper-k5", "linear-gaussian", "gaussian", "table"};
    int n = 0;
    for (const elb_preset *p = elb_presets(); p->name; p++, n++) {
        if (elb_config_preset(x->config, p->name) != ELB_OK) fail_msg("%s", elb_context_message(x->c));
        if (n < 6) assert_string_equal(p->name, want[n]);
        assert_true(strlen(p->help) > 20);
    }
    assert_true(n >= 6);
    assert_int_equal(elb_config_preset(x->config, "iwae-papre"), ELB_USAGE);
    support_assert_message(x->c, "unknown preset 'iwae-papre'; did you mean 'iwae-paper'?");
    assert_int_equal(elb_config_preset(x->config, "nothing"), ELB_USAGE);
    support_assert_message(x->c, "the presets are avi, iwae-paper, iwae-paper-k5, linear-gaussian, gaussian, table");
}

static void test_preset_contents(void **state)
{
    fixture *x = *state;
    assert_int_equal(elb_config_preset(x->config, "iwae-paper-k5"), ELB_OK);
    check_get(x, "objective.type", "iwae");
    check_get(x, "objective.samples", "5");
    check_get(x, "train.batch", "20");
    check_get(x, "train.epochs", "3280");
    check_get(x, "data.validation", "400");
    check_get(x, "data.binarise", "dynamic");
    check_get(x, "optimizer.epsilon", "0.0001");
    check_get(x, "schedule.type", "iwae");
    assert_int_equal(elb_config_preset(x->config, "iwae-paper"), ELB_OK);
    check_get(x, "objective.type", "elbo");
    check_get(x, "objective.samples", "1");
    assert_int_equal(elb_config_preset(x->config, "linear-gaussian"), ELB_OK);
    check_get(x, "model.hidden", "");
    check_get(x, "posterior.hidden", "");
    check_get(x, "likelihood.variance", "scalar");
    check_get(x, "data.validation", "400"); /* not the preset's business: as it was */
}

typedef struct key_count {
    int keys, seen_rate;
} key_count;

static void count_key(void *user, const elb_key *k)
{
    key_count *n = user;
    n->keys++;
    assert_true(strlen(k->type) > 0 && strlen(k->range) > 0 && strlen(k->help) > 10);
    assert_int_equal(k->help[strlen(k->help) - 1], '.');
    assert_non_null(k->fallback);
    if (strcmp(k->key, "optimizer.rate") != 0) return;
    n->seen_rate++;
    assert_string_equal(k->type, "real");
    assert_string_equal(k->fallback, "0.001");
    assert_string_equal(k->range, "a number from 1e-12 to 10");
}

static void test_keys(void **state)
{
    fixture *x = *state;
    key_count n = {0};
    elb_config_keys(count_key, &n);
    assert_int_equal(n.seen_rate, 1);
    int options = 0;
    for (const elb_section *s = x->config->sections; s->options; s++)
        for (const elb_option *o = s->options; o->name; o++) options++;
    assert_int_equal(n.keys, options);
    assert_true(options > 40);
}

/* --- YAML --- */

static void test_yaml(void **state)
{
    fixture *x = *state;
    check_parse(x, "# a comment\n"
                   "seed: 9\n"
                   "model:\n"
                   "  latent: 3 # three\n"
                   "  hidden: [10, 20]\n"
                   "posterior:\n"
                   "  hidden:\n"
                   "    - 5\n"
                   "    - 6\n"
                   "    - 7\n"
                   "data: {spec: \"it's: \\u00e9 #1\", key: '', limit: 10}\n"
                   "train: # all its keys are commented out\n"
                   "#  epochs: 3\n"
                   "optimizer.rate: 1e-4\n"
                   "schedule: ~\n");
    check_get(x, "seed", "9");
    check_get(x, "model.latent", "3");
    check_get(x, "model.hidden", "10,20");
    check_get(x, "posterior.hidden", "5,6,7");
    check_get(x, "data.spec", "it's: \xc3\xa9 #1");
    check_get(x, "data.limit", "10");
    check_get(x, "train.epochs", "auto");
    check_get(x, "optimizer.rate", "0.0001");
    check_parse(x, "model: {hidden: [], latent: '4'}\nposterior: {hidden: 9}\n");
    check_get(x, "model.hidden", "");
    check_get(x, "model.latent", "4");
    check_get(x, "posterior.hidden", "9");
    const char *const empty[] = {"",     "\n", "# nothing\n",          "---\n", "---\n...\n", "~",
                                 "null", "{}", "\xef\xbb\xbfseed: 9\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) check_parse(x, empty[i]);
    check_get(x, "model.latent", "4");
}

static void test_yaml_refusals(void **state)
{
    fixture *x = *state;
    const char *const bad[][2] = {
        {"seed: 2\nmodel:\n  latnet: 5\n", "run.yaml:3: unknown key 'model.latnet'; did you mean 'model.latent'?"},
        {"seed: 2\nmodle:\n  latent: 5\n", "unknown section 'modle'; did you mean 'model'?"},
        {"zzzzzzzzzz:\n  latent: 5\n", "unknown key 'zzzzzzzzzz'; keys are named section.key"},
        {"sead: 2\n", "run.yaml:1: unknown key 'sead'; did you mean 'seed'?"},
        {"latent: 2\n", "did you mean 'model.latent'?"},
        {"seed: 2\n\nmodel:\n  latent: 0\n", "run.yaml:4: model.latent is '0', but auto, or a whole number from 1"},
        {"model: {activation: tahn}\n", "did you mean 'tanh'?"},
        {"model:\n  latent: 5\n  latent: 5\n", "run.yaml:3: model.latent was given before, in line 2"},
        {"model.latent: 5\nmodel:\n  latent: 5\n", "run.yaml:3: model.latent was given before, in line 1"},
        {"model:\n  latent: 5\nmodel:\n  activation: tanh\n", "run.yaml:3: model was given before, in line 1"},
        {"model: 5\n", "run.yaml:1: model is a section"},
        {"model: [latent]\n", "model is a section"},
        {"model:\n  latent:\n    deep: 5\n", "run.yaml:2: model.latent has keys of its own"},
        {"seed:\n  deep: 5\n", "run.yaml:1: seed has keys of its own"},
        {"model:\n  other:\n    deep: 5\n", "run.yaml:2: unknown key 'model.other'"},
        {"model:\n  latent: [5]\n", "run.yaml:2: model.latent is a list, but it takes one value"},
        {"model:\n  hidden: [5, [6]]\n", "model.hidden is a list with an item that is not a number"},
        {"model:\n  hidden: [5, {a: 6}]\n", "is not a number"},
        {"model:\n  hidden: [5, ~]\n", "is not a number"},
        {"model:\n  hidden: [5, x]\n", "run.yaml:2: model.hidden is '5,x'"},
        {"model:\n  hidden:\n  latent: 5\n", "run.yaml:2: model.hidden has no value"},
        {"data:\n  spec:\n", "data.spec has no value; write ''"},
        {"data:\n  spec: null\n", "data.spec has no value"},
        {"a: &x 5\n", "run.yaml:1: anchors"},
        {"model: &x\n  latent: 5\n", "anchors"},
        {"model:\n  hidden: &x [5]\n", "anchors"},
        {"seed: *x\n", "run.yaml:1: aliases"},
        {"seed: !!int 5\n", "tags"},
        {"model: !what\n  latent: 5\n", "tags"},
        {"model:\n  hidden: !what [5]\n", "tags"},
        {"[1, 2]\n", "a configuration is made of"},
        {"just words\n", "run.yaml:1: a configuration is made of"},
        {"? [a, b]\n: 5\n", "a key must be one word"},
        {"model:\n  ? {a: b}\n  : 5\n", "a key must be one word"},
        {"seed: 5\n---\nseed: 6\n", "run.yaml:2: a second document"},
        {"data:\n  spec: \"a\\0b\"\n", "zero byte"},
        {"\"se\\0ed\": 5\n", "zero byte"},
        {"model:\n  latent: 5\n latent: 6\n", "run.yaml:3: not valid YAML"},
        {"model: {latent: 5\n", "not valid YAML"},
        {"seed: '5\n", "not valid YAML"},
        {"seed: \xff\xff\n", "not valid YAML"},
        {"seed:\t5\n\tmodel: 6\n", "not valid YAML"},
        {"data:\n  spec: \"a\\nb\"\n", "control character"},
        {"%YAML 9.9\n---\nseed: 5\n", "not valid YAML"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_refused(x, bad[i][0], bad[i][1]);
}

static void test_yaml_sizes(void **state)
{
    fixture *x = *state;
    const size_t size = ELB_YAML_SIZE_MAX + 1;
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, '\n', size);
    memcpy(text, "seed: 5", 7);
    text[size] = '\0';
    check_refused(x, text, "run.yaml: 1048577 bytes are too many");
    text[size - 1] = '\0';
    check_parse(x, text);
    check_get(x, "seed", "5");
    memset(text, '[', size - 1); /* deeper than any recursion */
    check_refused(x, text, "a configuration is made of");
    memcpy(text, "model: {hidden: ", 16);
    check_refused(x, text, "is not a number");
    memset(text, '9', size - 1);
    memcpy(text, "model: {hidden: [", 17);
    memcpy(text + size - 4, "]}\n", 3);
    check_refused(x, text, "model.hidden is a list that is too long");
    memset(text, 'k', size - 1);
    memcpy(text + size - 5, ": 5\n", 4);
    check_refused(x, text, "run.yaml:1: ");
    free(text);
    elb_config before = *x->config;
    assert_int_equal(elb_config_parse(x->config, "run.yaml", "seed: 5\n\0", 9), ELB_USAGE);
    support_assert_message(x->c, "zero byte");
    assert_memory_equal(x->config, &before, sizeof before);
}

static void test_load(void **state)
{
    fixture *x = *state;
    char *folder = support_folder_make();
    const char *path = support_path(folder, "c.yaml");
    support_file_write(path, "seed: 8\n", 8);
    assert_int_equal(elb_config_load(x->config, path), ELB_OK);
    check_get(x, "seed", "8");
    support_file_write(path, "seed: 9\nsede: 8\n", 16);
    assert_int_equal(elb_config_load(x->config, path), ELB_USAGE);
    support_assert_message(x->c, "c.yaml:2: unknown key 'sede'; did you mean 'seed'?");
    check_get(x, "seed", "8");
    assert_int_equal(elb_config_load(x->config, support_path(folder, "absent")), ELB_FAILURE);
    support_assert_message(x->c, "No such file");
    assert_int_equal(elb_config_load(x->config, folder), ELB_USAGE);
    support_assert_message(x->c, "folder");
    char *large = calloc(1, ELB_YAML_SIZE_MAX + 1);
    assert_non_null(large);
    support_file_write(path, large, ELB_YAML_SIZE_MAX + 1);
    free(large);
    assert_int_equal(elb_config_load(x->config, path), ELB_USAGE);
    support_assert_message(x->c, "1048577 bytes");
    support_folder_remove(folder);
}

/* --- there and back --- */

static void check_round_trip(fixture *x)
{
    char *yaml = NULL;
    elb_config *copy = NULL;
    assert_int_equal(elb_config_write(x->config, &yaml), ELB_OK);
    assert_int_equal(elb_config_create(x->c, &copy), ELB_OK);
    if (elb_config_parse(copy, "back", yaml, (int64_t)strlen(yaml)) != ELB_OK)
        fail_msg("%s", elb_context_message(x->c));
    memcpy(copy->sections, x->config->sections, sizeof copy->sections); /* they point into each */
    assert_memory_equal(copy, x->config, sizeof *copy);
    elb_text_free(x->c, yaml);
    elb_config_destroy(copy);
}

static void test_round_trip(void **state)
{
    fixture *x = *state;
    check_round_trip(x);
    for (const elb_preset *p = elb_presets(); p->name; p++) {
        assert_int_equal(elb_config_preset(x->config, p->name), ELB_OK);
        check_round_trip(x);
    }
    const char *const texts[] = {"it's: a \"path\" # no comment",
                                 " spaces ",
                                 "null",
                                 "~",
                                 "a\\nb",
                                 "- x",
                                 "caf\xc3\xa9",
                                 "&a *b !c %d @e `f",
                                 "''",
                                 "'",
                                 "[]",
                                 "{a: b}",
                                 "\xf0\x9f\x90\x98"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(elb_config_set(x->config, "data.spec", texts[i]), ELB_OK);
        check_round_trip(x);
    }
    char longest[ELB_TEXT_MAX];
    memset(longest, '\'', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(elb_config_set(x->config, "data.spec", longest), ELB_OK);
    assert_int_equal(elb_config_set(x->config, "optimizer.rate", "0.30000000000000004"), ELB_OK);
    assert_int_equal(elb_config_set(x->config, "seed", "9007199254740992"), ELB_OK);
    assert_int_equal(elb_config_set(x->config, "train.output_bias", "no"), ELB_OK);
    check_round_trip(x);
}

static void check_written_key(void *user, const elb_key *k)
{
    char line[256];
    const char *dot = strchr(k->key, '.');
    assert_true(snprintf(line, sizeof line, "\n%s%s: ", dot ? "  " : "", dot ? dot + 1 : k->key) < 256);
    if (!strstr(user, line)) fail_msg("%s is not written", k->key);
    if (!strstr(user, k->help)) fail_msg("the help of %s is not written", k->key);
}

static void test_write_explains_every_key(void **state)
{
    fixture *x = *state;
    char *yaml = NULL;
    assert_int_equal(elb_config_write(x->config, &yaml), ELB_OK);
    elb_config_keys(check_written_key, yaml);
    elb_text_free(x->c, yaml);
    elb_text_free(x->c, NULL);
}

/* --- no memory --- */

static void test_nth_allocation_fails(void **state)
{
    fixture *x = *state;
    const char *text = "seed: 5\nmodel: {latent: 7, hidden: [1, 2]}\n";
    elb_config *other = x->config;
    char *yaml = NULL;
    int64_t n = 0;
    do {
        x->f.alloc_countdown = ++n;
        elb_status status = elb_config_create(x->c, &other);
        assert_int_equal(status, n == 1 ? ELB_MEMORY : ELB_OK);
        assert_int_equal(status == ELB_OK, other != NULL);
    } while (!other);
    elb_config_destroy(other);

    elb_config before = *x->config;
    for (n = 1;; n++) {
        x->f.alloc_countdown = n;
        if (parse(x, text) == ELB_OK) break;
        support_assert_message(x->c, "out of memory");
        assert_memory_equal(x->config, &before, sizeof before);
    }
    assert_int_equal(n, 3);
    check_get(x, "model.latent", "7");

    for (n = 1;; n++) {
        x->f.alloc_countdown = n;
        elb_status status = elb_config_write(x->config, &yaml);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_MEMORY);
        assert_null(yaml);
        support_assert_message(x->c, "out of memory");
    }
    assert_true(n > 2);
    elb_text_free(x->c, yaml);
    x->f.alloc_countdown = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_choices_match_enumerations, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_set, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_presets, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_preset_contents, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_keys, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_yaml, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_yaml_refusals, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_yaml_sizes, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_load, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_round_trip, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_write_explains_every_key, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_nth_allocation_fails, fixture_make, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
