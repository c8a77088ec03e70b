/* bench.c - elbow bench: a table for people, or answers on stdin and stdout for bench/peers/drive.py. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elbow/bench.h>
#include <elbow/doctor.h>
#include <elbow/version.h>

#include "verbs.h"

typedef struct bench_options {
    int task;
    int64_t batch, samples, repeats, data;
    const char *preset, *config;
    cli_list set;
    bool worker;
} bench_options;

static const char *const bench_tasks[] = {"train", "encode", "iwae", "svi",
                                          "ais",   "random", NULL}; /* as elb_bench_task */

static const cli_option bench_table[] = {
    {.name = "task",
     .kind = CLI_CHOICE,
     .offset = offsetof(bench_options, task),
     .value = "TASK",
     .choices = bench_tasks,
     .help = "Only this: a training step, q(z|x) of a batch, the IWAE log-likelihood of one image, SVI steps on a "
             "batch, a temperature of AIS, or a training step's random numbers."},
    {.name = "batch",
     .kind = CLI_INT,
     .offset = offsetof(bench_options, batch),
     .value = "B",
     .min = 1,
     .max = 2000,
     .help = "Images in a call; by default several are tried."},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(bench_options, samples),
     .value = "K",
     .min = 1,
     .max = 10000000,
     .help =
         "Samples of iwae (by default 5000), steps of svi (by default 100), chains per image of ais (by default 16)."},
    {.name = "repeats",
     .kind = CLI_INT,
     .offset = offsetof(bench_options, repeats),
     .value = "N",
     .fallback = "50",
     .min = 1,
     .max = 1000000,
     .help = "Timed calls, after some to warm up; fewer of the slow ones."},
    {.name = "data",
     .kind = CLI_INT,
     .offset = offsetof(bench_options, data),
     .value = "D",
     .fallback = "784",
     .min = 1,
     .max = 1000000,
     .help = "Values of an image."},
    {.name = "preset",
     .kind = CLI_TEXT,
     .offset = offsetof(bench_options, preset),
     .value = "NAME",
     .fallback = "avi",
     .words = CLI_WORDS_PRESET,
     .help = "The model's configuration."},
    {.name = "config",
     .kind = CLI_TEXT,
     .offset = offsetof(bench_options, config),
     .value = "FILE",
     .words = CLI_WORDS_FILE,
     .help = "A configuration in YAML, over the preset."},
    {.name = "set",
     .kind = CLI_LIST,
     .offset = offsetof(bench_options, set),
     .value = "KEY=VALUE",
     .words = CLI_WORDS_KEY,
     .help = "One key of the configuration; may be repeated."},
    {.name = "worker",
     .kind = CLI_FLAG,
     .offset = offsetof(bench_options, worker),
     .help = "Answer requests on standard input, one JSON object a line, until it ends: bench/peers/README.md."},
    {.name = NULL},
};

static elb_status bench_configure(cli *c, const bench_options *o, elb_config *config)
{
    char binarise[32], likelihood[32];
    CLI_TRY(elb_config_preset(config, o->preset));
    if (o->config) CLI_TRY(elb_config_load(config, o->config));
    CLI_TRY(cli_set_config(c, &o->set, config));
    CLI_TRY(elb_config_get(config, "data.binarise", binarise, sizeof binarise));
    CLI_TRY(elb_config_get(config, "likelihood.type", likelihood, sizeof likelihood));
    /* The bench's grey images stand for those of 8 bits, which "auto" binarises. */
    bool open = strcmp(likelihood, "auto") == 0 && strcmp(binarise, "auto") == 0;
    return open ? elb_config_set(config, "data.binarise", "dynamic") : ELB_OK;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

typedef struct bench_case {
    elb_bench_task task;
    int64_t batch, samples;
    int share; /* one of so many of the repeats: these calls are long */
} bench_case;

static const bench_case bench_cases[] = {
    {ELB_BENCH_TRAIN, 20, 1, 1},    {ELB_BENCH_TRAIN, 100, 1, 1},  {ELB_BENCH_TRAIN, 500, 1, 5},
    {ELB_BENCH_RANDOM, 100, 1, 1},  {ELB_BENCH_ENCODE, 1, 1, 1},   {ELB_BENCH_ENCODE, 100, 1, 1},
    {ELB_BENCH_ENCODE, 1000, 1, 5}, {ELB_BENCH_IWAE, 1, 5000, 10}, {ELB_BENCH_SVI, 100, 100, 10},
    {ELB_BENCH_AIS, 100, 16, 10},
};
enum { BENCH_CASES = sizeof bench_cases / sizeof *bench_cases };

static void bench_title(const elb_bench_settings *s, char *text, size_t size)
{
    static const char *const forms[] = {"training step, batch %lld", "encoder, batch %lld",
                                        "IWAE-%lld, one image",      "SVI, batch %lld",
                                        "AIS, batch %lld",           "random numbers of a step, batch %lld"};
    long long number = s->task == ELB_BENCH_IWAE ? s->samples : s->batch;
    snprintf(text, size, forms[s->task], number);
    size_t used = strlen(text);
    if (s->task == ELB_BENCH_SVI) snprintf(text + used, size - used, ", %lld steps", (long long)s->samples);
    if (s->task == ELB_BENCH_AIS) snprintf(text + used, size - used, " x %lld, a temperature", (long long)s->samples);
}

static void bench_put(const elb_bench_settings *s, const elb_bench_result *r)
{
    char title[96], products[32] = "-";
    bench_title(s, title, sizeof title);
    if (r->gflops > 0) snprintf(products, sizeof products, "%.1f", r->gflops);
    printf("%-40s %12.1f %12.1f %12.1f %10s\n", title, 1e6 * r->median_seconds, 1e6 * r->low_seconds,
           1e6 * r->high_seconds, products);
    fflush(stdout);
}

static json_t *bench_json(const elb_bench_settings *s, const elb_bench_result *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "task", json_string(bench_tasks[s->task]));
    json_object_set_new(o, "batch", json_integer(s->batch));
    json_object_set_new(o, "samples", json_integer(s->samples));
    json_object_set_new(o, "repeats", json_integer(s->repeats));
    json_object_set_new(o, "seconds", cli_real(r->median_seconds));
    json_object_set_new(o, "seconds_low", cli_real(r->low_seconds));
    json_object_set_new(o, "seconds_high", cli_real(r->high_seconds));
    json_object_set_new(o, "gflops", cli_real(r->gflops));
    json_object_set_new(o, "round_trip_ns", cli_real(r->round_trip_ns));
    return o;
}

/* The table's case with what the options say in its place. false: this case is not asked for. */
static bool bench_choose(const bench_options *o, int at, elb_bench_settings *s)
{
    const bench_case *b = &bench_cases[at];
    if (o->task != CLI_UNSET && o->task != (int)b->task) return false;
    if (o->batch != CLI_UNSET)
        for (int i = 0; i < at; i++)
            if (bench_cases[i].task == b->task) return false; /* one batch size, one line */
    int64_t repeats = o->repeats / b->share;
    bool sampled = b->task == ELB_BENCH_IWAE || b->task == ELB_BENCH_SVI || b->task == ELB_BENCH_AIS;
    *s = (elb_bench_settings){.task = b->task,
                              .batch = b->task != ELB_BENCH_IWAE ? cli_or(o->batch, b->batch) : b->batch,
                              .samples = sampled ? cli_or(o->samples, b->samples) : b->samples,
                              .repeats = (int)(repeats < 1 ? 1 : repeats)};
    return true;
}

static elb_status bench_all(cli *c, const bench_options *o, const elb_config *config)
{
    json_t *list = json_array();
    elb_status status = ELB_OK;
    if (!c->common.json) printf("%-40s %12s %12s %12s %10s\n", "", "median us", "10 % us", "90 % us", "GFLOP/s");
    for (int i = 0; i < BENCH_CASES && status == ELB_OK; i++) {
        elb_bench_settings settings;
        elb_bench_result result;
        if (!bench_choose(o, i, &settings)) continue;
        status = elb_bench(config, o->data, &settings, &result);
        if (status != ELB_OK) break;
        if (!c->common.json) bench_put(&settings, &result);
        json_array_append_new(list, bench_json(&settings, &result));
    }
    if (status == ELB_OK && c->common.json)
        return cli_print_json(c, json_pack("{s:s,s:o}", "version", ELBOW_VERSION, "cases", list), JSON_INDENT(2));
    json_decref(list);
    return status;
}

/* --- the worker --------------------------------------------------------------------------------------------------- */

static int64_t bench_number(const json_t *request, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(request, key);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static json_t *bench_error(const char *message)
{
    return json_pack("{s:s}", "error", message);
}

/* The settings of a request, or an answer that says what is wrong with it. Requests call
 * SVI's steps "steps" and AIS's chains "chains". */
static json_t *bench_request(const json_t *request, elb_bench_settings *s)
{
    const char *task = json_string_value(json_object_get(request, "task"));
    int at = 0;
    while (task && bench_tasks[at] && strcmp(bench_tasks[at], task) != 0) at++;
    if (!task || !bench_tasks[at]) return bench_error("task must be describe, train, encode, iwae, svi, ais or random");
    bool svi = at == ELB_BENCH_SVI, iwae = at == ELB_BENCH_IWAE, ais = at == ELB_BENCH_AIS;
    int64_t repeats = bench_number(request, "repeats", 20);
    *s = (elb_bench_settings){.task = (elb_bench_task)at,
                              .batch = iwae ? 1 : bench_number(request, "batch", 100),
                              .samples = svi    ? bench_number(request, "steps", 100)
                                         : iwae ? bench_number(request, "samples", 5000)
                                         : ais  ? bench_number(request, "chains", 16)
                                                : 1,
                              .repeats = (int)(repeats < 1 || repeats > 1000000 ? 0 : repeats)};
    return NULL;
}

static json_t *bench_describe(cli *c)
{
    elb_machine_facts facts;
    if (elb_machine_describe(c->context, &facts) != ELB_OK) return bench_error(elb_context_message(c->context));
    return json_pack("{s:s,s:s,s:s}", "task", "describe", "version", "elbow " ELBOW_VERSION, "kernels", facts.kernels);
}

/* A context has one number of threads: a request for another makes a new one. */
static json_t *bench_answer(cli *c, const bench_options *o, const json_t *request)
{
    elb_bench_settings settings = {0};
    elb_bench_result r;
    const char *task = json_string_value(json_object_get(request, "task"));
    if (task && strcmp(task, "describe") == 0) return bench_describe(c);
    json_t *answer = bench_request(request, &settings);
    if (answer) return answer;
    const json_t *binarise = json_object_get(request, "binarise");
    elb_settings machine = {.threads = (int)bench_number(request, "threads", 1), .kernels = c->common.kernels};
    elb_context *context;
    elb_config *config = NULL;
    if (elb_context_create(&machine, &context) != ELB_OK) return bench_error("these threads or kernels cannot be used");
    elb_status status = elb_config_create(context, &config);
    if (status == ELB_OK) status = bench_configure(c, o, config);
    /* Grey values stay grey in memory; a threshold costs next to nothing, as data that are binary already. */
    if (status == ELB_OK)
        status = elb_config_set(config, "data.binarise", json_is_false(binarise) ? "threshold" : "dynamic");
    if (status == ELB_OK) status = elb_bench(config, o->data, &settings, &r);
    if (status == ELB_OK) {
        answer = bench_json(&settings, &r);
        json_object_update_missing(answer, (json_t *)request);
    } else
        answer = bench_error(*c->message ? c->message : elb_context_message(context));
    elb_config_destroy(config);
    elb_context_destroy(context);
    return answer;
}

static elb_status bench_work(cli *c, const bench_options *o)
{
    char *line = NULL;
    size_t size = 0;
    elb_status status = ELB_OK;
    while (status == ELB_OK && getline(&line, &size, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL);
        json_t *answer =
            json_is_object(request) ? bench_answer(c, o, request) : bench_error("a line must be one JSON object");
        json_decref(request);
        status = cli_print_json(c, answer, JSON_COMPACT);
        if (fflush(stdout) != 0) break;
    }
    free(line);
    return status;
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static elb_status bench_run(cli *c, const void *values)
{
    const bench_options *o = values;
    if (o->worker) return bench_work(c, o);
    elb_config *config;
    CLI_TRY(elb_config_create(c->context, &config));
    elb_status status = bench_configure(c, o, config);
    if (status == ELB_OK) status = bench_all(c, o, config);
    elb_config_destroy(config);
    return status;
}

const cli_verb verb_bench = {
    .name = "bench",
    .summary = "time this machine: training, encoding, likelihoods, refinement",
    .arguments = "",
    .details = "Times single calls on synthetic grey images and prints the median and the first and last tenth in "
               "microseconds, and the rate of the matrix products' arithmetic.",
    .examples = "elbow bench\n"
                "elbow bench --task train --batch 100 --threads 1 --kernels reference",
    .options = bench_table,
    .size = sizeof(bench_options),
    .accepts = CLI_WORK,
    .run = bench_run,
};
