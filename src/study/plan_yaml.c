/* plan_yaml.c - plans as YAML: their own keys by option tables, "set" as a configuration is written. */
#include <string.h>

#include "config/config_yaml.h"
#include "study/plan.h"

typedef struct plan_reader {
    elb_plan *plan;
    elb_plan_method *method; /* NULL outside "methods" */
} plan_reader;

static elb_status plan_note(void *user, const char *key, const char *value)
{
    plan_reader *r = user;
    return elb_pairs_add(r->plan->context, r->method ? &r->method->set : &r->plan->set, key, value);
}

/* set: a piece of a configuration. Its values are checked by a configuration that nobody uses. */
static elb_status plan_read_set(void *user, elb_yaml *y)
{
    elb_config *config;
    if (elb_yaml_is_nothing(y)) return ELB_OK;
    ELB_TRY(elb_config_create(y->context, &config));
    elb_yaml_target target = {.sections = config->sections, .was_set = plan_note, .user = user};
    elb_status status = elb_config_yaml_mapping(y, &target);
    elb_config_destroy(config);
    return status;
}

/* runs: [FOLDER, ...] */
static elb_status plan_read_runs(void *user, elb_yaml *y)
{
    plan_reader *r = user;
    if (y->event.type != YAML_SEQUENCE_START_EVENT)
        return elb_yaml_refuse_key(y, "runs", "is a list of folders: runs: [FOLDER, ...]");
    for (;;) {
        ELB_TRY(elb_yaml_next(y));
        if (y->event.type == YAML_SEQUENCE_END_EVENT) return ELB_OK;
        if (y->event.type != YAML_SCALAR_EVENT || elb_yaml_is_nothing(y))
            return elb_yaml_refuse_key(y, "runs", "is a list with an item that is no folder");
        ELB_TRY(elb_plan_add_run_to(r->plan, r->method, elb_yaml_text(y)));
    }
}

static elb_status plan_read_method(plan_reader *r, elb_yaml *y)
{
    static const elb_yaml_part parts[] = {{"set", plan_read_set}, {"runs", plan_read_runs}, {NULL, NULL}};
    if (elb_yaml_is_nothing(y)) return ELB_OK;
    const elb_section sections[] = {{"", "", elb_plan_method_table, &r->method->options}, {.options = NULL}};
    elb_yaml_target target = {.sections = sections, .parts = parts, .user = r};
    return elb_config_yaml_mapping(y, &target);
}

/* methods: a mapping of names. */
static elb_status plan_read_methods(void *user, elb_yaml *y)
{
    plan_reader *r = user;
    char name[ELB_YAML_KEY_MAX];
    if (y->event.type != YAML_MAPPING_START_EVENT)
        return elb_yaml_refuse_key(y, "methods",
                                   "has the methods' names below it, indented, each with keys of its own");
    for (bool end = false;;) {
        ELB_TRY(elb_yaml_key(y, "", name, &end));
        if (end) return ELB_OK;
        int64_t line = y->key_line;
        elb_status status = elb_plan_add(r->plan, name, &r->method);
        if (status != ELB_OK) return elb_fail_in(y->context, status, "%s:%lld", y->name, (long long)line);
        ELB_TRY(plan_read_method(r, y));
        r->method = NULL;
    }
}

static elb_status plan_read(void *user, elb_yaml *y)
{
    static const elb_yaml_part parts[] = {{"set", plan_read_set}, {"methods", plan_read_methods}, {NULL, NULL}};
    plan_reader *r = user;
    elb_yaml_target target = {.sections = r->plan->sections, .parts = parts, .user = r};
    return elb_config_yaml_mapping(y, &target);
}

elb_status elb_plan_parse(elb_plan *plan, const char *name, const char *text, int64_t size)
{
    plan_reader r = {.plan = plan};
    return elb_yaml_read(plan->context, name, text, size, plan_read, &r);
}

elb_status elb_plan_load(elb_plan *plan, const char *path)
{
    elb_context *c = plan->context;
    char *text;
    int64_t size;
    ELB_TRY(elb_yaml_load(c, path, "plan", &text, &size));
    elb_status status = elb_plan_parse(plan, path, text, size);
    elb_free(c, text);
    return status;
}
