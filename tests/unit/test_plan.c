/* test_plan.c - plans as YAML, the grids they make, and what they refuse. */
#include "train_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/folder.h"
#include "study/grid.h"

static const char whole[] = "title: 'A title'\n"
                            "data: synthetic:figure-8\n"
                            "preset: table\n"
                            "seeds: 2\n"
                            "reference: fair\n"
                            "set:\n"
                            "  model: {latent: 3, hidden: [8, 9]}\n"
                            "  train.epochs: 7\n"
                            "evaluate: {samples: 20, limit: 0, part: validation, refine_steps: 0, refine_rate: 0.5}\n"
                            "methods:\n"
                            "  vae: {label: 'A VAE', seeds: 3}\n"
                            "  fair: {preset: avi, set: {objective: {samples: 4}, train: {epochs: 9}}}\n"
                            "  later: {from: vae}\n"
                            "  refined: {of: vae, set: {refine.steps: 5}, seeds: 1}\n"
                            "  nothing:\n";

static elb_status parse(elb_context *c, const char *text, elb_plan **plan)
{
    assert_int_equal(elb_plan_create(c, plan), ELB_OK);
    return elb_plan_parse(*plan, "plan.yaml", text, (int64_t)strlen(text));
}

static void check_key(const elb_config *config, const char *key, const char *want)
{
    char value[ELB_TEXT_MAX];
    assert_int_equal(elb_config_get(config, key, value, sizeof value), ELB_OK);
    assert_string_equal(value, want);
}

static void check_cell(const elb_cell *cell, int64_t method, int64_t seed, const char *folder)
{
    assert_int_equal(cell->method, method);
    assert_int_equal(cell->seed, seed);
    assert_int_equal(cell->config->top.seed, seed);
    assert_string_equal(cell->folder, folder);
}

static void test_whole(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_plan *plan;
    assert_int_equal(parse(c, whole, &plan), ELB_OK);
    assert_string_equal(plan->top.title, "A title");
    assert_string_equal(elb_plan_label(&plan->methods[0]), "A VAE");
    assert_string_equal(elb_plan_label(&plan->methods[1]), "fair");
    assert_int_equal(plan->evaluate.samples, 20);
    assert_int_equal(plan->evaluate.limit, 0);
    assert_int_equal(plan->evaluate.part, ELB_PART_VALIDATION);
    assert_int_equal(plan->count, 5);

    elb_plan_destroy(plan);
    support_context_end(c, NULL);
}

/* Seed by seed, each method with what is shared and with what is its own. */
static void test_grid(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_plan *plan;
    elb_grid *g;
    assert_int_equal(parse(c, whole, &plan), ELB_OK);
    if (elb_grid_create(plan, "out", &g) != ELB_OK) fail_msg("%s", elb_context_message(c));
    assert_int_equal(g->count, 3 + 2 + 2 + 1 + 2);
    assert_int_equal(g->reference, 1);
    check_cell(&g->cells[0], 0, 1, "out/vae/seed-1");
    check_cell(&g->cells[1], 1, 1, "out/fair/seed-1");
    check_cell(&g->cells[3], 3, 1, "out/refined/seed-1");
    check_cell(&g->cells[5], 0, 2, "out/vae/seed-2");
    check_cell(&g->cells[9], 0, 3, "out/vae/seed-3");
    for (int i = 0; i < 10; i++) {
        check_key(g->cells[i].config, "model.hidden", "8,9");
        check_key(g->cells[i].config, "data.spec", "synthetic:figure-8");
        check_key(g->cells[i].config, "likelihood.variance", "pixel"); /* of the plan's preset */
        check_key(g->cells[i].config, "train.batch", "64");
    }
    check_key(g->cells[0].config, "train.epochs", "7");
    check_key(g->cells[0].config, "objective.warmup", "kl"); /* its preset is the plan's */
    check_key(g->cells[1].config, "train.epochs", "9");
    check_key(g->cells[1].config, "objective.warmup", "none"); /* its preset is its own */
    check_key(g->cells[1].config, "objective.samples", "4");
    check_key(g->cells[2].config, "train.from", "out/vae/seed-1");
    assert_int_equal(g->cells[2].start, 0);
    check_key(g->cells[3].config, "refine.steps", "5");
    check_key(g->cells[3].config, "objective.warmup", "kl");
    assert_string_equal(g->cells[3].run, "out/vae/seed-1");
    assert_true(g->cells[3].source == 0 && !g->cells[3].trains && g->cells[0].trains);
    assert_ptr_equal(elb_grid_find(g, 0, 3), &g->cells[9]);
    assert_null(elb_grid_find(g, 1, 3));
    elb_grid_destroy(g);
    elb_plan_destroy(plan);
    support_context_end(c, NULL);
}

static void test_parse_refusals(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"metods: {}\n", "plan.yaml:1: unknown section 'metods'; did you mean 'methods'?"},
        {"sead: 3\n", "plan.yaml:1: unknown key 'sead'"},
        {"seed: 3\n", "plan.yaml:1: unknown key 'seed'; did you mean 'seeds'?"},
        {"seeds: 0\n", "plan.yaml:1: seeds is '0', but a whole number from 1 to 1000 is expected"},
        {"seeds: 2\nseeds: 2\n", "plan.yaml:2: seeds was given before, in line 1"},
        {"evaluate:\n  sample: 5\n", "plan.yaml:2: unknown key 'evaluate.sample'; did you mean 'evaluate.samples'?"},
        {"evaluate: {part: tset}\n", "did you mean 'test'?"},
        {"set:\n  model: {latnet: 5}\n", "plan.yaml:2: unknown key 'model.latnet'; did you mean 'model.latent'?"},
        {"set:\n  train.epochs: many\n", "plan.yaml:2: train.epochs is 'many'"},
        {"set: 5\n", "plan.yaml:1: a configuration is made of"},
        {"set:\n  seed: 2\nset:\n", "plan.yaml:3: set was given before, in line 1"},
        {"methods: [a, b]\n", "plan.yaml:1: methods has the methods' names below it"},
        {"methods:\n  a: 5\n", "plan.yaml:2: a configuration is made of"},
        {"methods:\n  a: {prest: avi}\n", "plan.yaml:2: unknown key 'prest'; did you mean 'preset'?"},
        {"methods:\n  a:\n    set: {x: 1}\n", "plan.yaml:3: unknown key 'x'"},
        {"methods:\n  a:\n  a:\n", "plan.yaml:3: there are two methods named 'a'"},
        {"methods:\n  ../a:\n", "plan.yaml:2: '../a' is no name for a method"},
        {"methods:\n  '':\n", "plan.yaml:2: '' is no name for a method"},
        {"methods:\n  a: {runs: b}\n", "plan.yaml:2: runs is a list of folders"},
        {"methods:\n  a: {runs: [[b]]}\n", "plan.yaml:2: runs is a list with an item that is no folder"},
        {"- a\n", "plan.yaml:1: a configuration is made of"},
        {"methods: *x\n", "plan.yaml:1: aliases"},
        {"methods:\n  a: {\n", "not valid YAML"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_context *c = support_context(NULL);
        elb_plan *plan;
        if (parse(c, cases[i].text, &plan) != ELB_USAGE) fail_msg("accepted: %s", cases[i].text);
        support_assert_message(c, cases[i].words);
        elb_plan_destroy(plan);
        support_context_end(c, NULL);
    }
}

static void test_grid_refusals(void **state)
{
    static const struct {
        const char *methods, *words;
    } cases[] = {
        {"", "nothing to compare"},
        {"methods: {a: {preset: avii}}", "the method a: unknown preset 'avii'; did you mean 'avi'?"},
        {"methods: {a: {of: b}, b: }", "the method a has 'of: b', but no method before it is named b"},
        {"methods: {a: {from: a}}", "the method a has 'from: a', but no method before it"},
        {"methods: {a: , b: {of: a, seeds: 2}}", "the method b has 'of: a' and 2 seeds, but a has only 1"},
        {"methods: {a: , b: {of: a, preset: avi}}", "takes no 'from' and no 'preset'"},
        {"methods: {a: , b: {of: a}, c: {of: b}}",
         "the method c has 'of: b', which has no runs of its own either; name a"},
        {"methods: {a: , b: {of: a, set: {train.epochs: 3}}}", "keys of refine only, not train.epochs"},
        {"methods: {a: , b: {set: {model.hidden: [3]}}}", "a has model.hidden 200,200, but b has 3"},
        {"methods: {a: , b: {set: {likelihood.type: gaussian}}}\nset: {likelihood.type: bernoulli}",
         "a has likelihood.type bernoulli, but b has gaussian"},
        {"methods: {a: , b: {set: {data.spec: mnist}}}", "a has data.spec synthetic:figure-8, but b has mnist"},
        {"methods: {a: {runs: [x], seeds: 2}}", "the method a has runs, which are taken as they are"},
        {"methods: {alpha: }\nreference: alpah", "the reference 'alpah' is none of the methods; did you mean 'alpha'?"},
        {"methods: {a: {label: '0123456789012345678901234567890123456789012345678901234567890123'}}",
         "the method a has a label of 64 bytes; at most 63 are accepted"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_context *c = support_context(NULL);
        elb_plan *plan;
        elb_grid *g;
        char text[1024];
        snprintf(text, sizeof text, "data: synthetic:figure-8\n%s\n", cases[i].methods);
        if (parse(c, text, &plan) != ELB_OK) fail_msg("%s", elb_context_message(c));
        if (elb_grid_create(plan, "out", &g) != ELB_USAGE) fail_msg("accepted: %s", text);
        assert_null(g);
        support_assert_message(c, cases[i].words);
        elb_plan_destroy(plan);
        support_context_end(c, NULL);
    }
    elb_context *c = support_context(NULL);
    elb_plan *plan;
    elb_grid *g;
    assert_int_equal(parse(c, "methods: {a: }", &plan), ELB_OK);
    assert_int_equal(elb_grid_create(plan, "out", &g), ELB_USAGE);
    support_assert_message(c, "the method a: no data is given");
    assert_int_equal(elb_plan_load(plan, "/nowhere/plan.yaml"), ELB_FAILURE);
    assert_int_equal(elb_plan_share(plan, "model.latnet", "5"), ELB_USAGE);
    assert_int_equal(elb_plan_set(plan, "evaluate.sampels", "5"), ELB_USAGE);
    elb_plan_destroy(plan);
    support_context_end(c, NULL);
}

/* What was made before an allocation failed is freed, and the sentence says what happened. */
static void test_nth_allocation_fails(void **state)
{
    (void)state;
    for (int64_t n = 1, good = 0; !good; n++) {
        fault f;
        elb_context *c = support_context(&f);
        elb_plan *plan;
        elb_grid *g = NULL;
        f.alloc_countdown = n;
        elb_status status = elb_plan_create(c, &plan);
        if (status == ELB_OK) status = elb_plan_parse(plan, "plan.yaml", whole, (int64_t)strlen(whole));
        if (status == ELB_OK) status = elb_grid_create(plan, "out", &g);
        good = status == ELB_OK;
        if (!good) {
            assert_int_equal(status, ELB_MEMORY);
            support_assert_message(c, "out of memory");
        }
        elb_grid_destroy(g);
        elb_plan_destroy(plan);
        support_context_end(c, &f);
        assert_true(n < 100000);
    }
}

/* Every key is told of. */
static void test_page(void **state)
{
    static const elb_option *const tables[] = {elb_plan_option_table, elb_plan_evaluate_table, elb_plan_method_table};
    (void)state;
    char *page = support_file_read(ELB_TEST_FOLDER "/../docs/compare.md", NULL);
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const elb_option *o = tables[t]; o->name; o++) {
            char word[64];
            snprintf(word, sizeof word, "`%s`", o->name);
            if (!strstr(page, word)) fail_msg("docs/compare.md does not tell of %s", word);
        }
    free(page);
}

/* The plans of papers/compare make grids. */
static void test_papers(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_names names;
    assert_int_equal(elb_folder_list(c, ELB_TEST_FOLDER "/../papers/compare", "", ".yaml", &names), ELB_OK);
    assert_true(names.count > 0);
    for (int64_t i = 0; i < names.count; i++) {
        elb_plan *plan;
        elb_grid *g;
        assert_int_equal(elb_plan_create(c, &plan), ELB_OK);
        elb_status status = elb_plan_load(plan, names.at[i]);
        if (status == ELB_OK) status = elb_grid_create(plan, "out", &g);
        if (status != ELB_OK) fail_msg("%s: %s", names.at[i], elb_context_message(c));
        elb_grid_destroy(g);
        elb_plan_destroy(plan);
    }
    elb_names_reset(c, &names);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_parse_refusals),
        cmocka_unit_test(test_grid_refusals),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_papers),
        cmocka_unit_test(test_nth_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
