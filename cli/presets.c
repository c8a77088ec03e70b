/* presets.c - elbow presets, and elbow keys. */
#include <string.h>

#include "verbs.h"

/* --- presets ------------------------------------------------------------------------------------------------------ */

static json_t *presets_pack(const elb_preset *p)
{
    return json_pack("{s:s,s:s,s:s}", "name", p->name, "help", p->help, "yaml", p->yaml);
}

static elb_status presets_list(cli *c)
{
    json_t *list = json_array();
    for (const elb_preset *p = elb_presets(); p->name; p++) {
        if (!c->common.json) printf("%-30s %s\n", p->name, p->help);
        json_array_append_new(list, presets_pack(p));
    }
    if (c->common.json) return cli_print_json(c, json_pack("{s:o}", "presets", list), JSON_INDENT(2));
    json_decref(list);
    return ELB_OK;
}

static elb_status presets_unknown(cli *c, const char *name)
{
    enum { PRESETS = 64 };
    const char *names[PRESETS + 1] = {NULL};
    char near[128];
    for (int i = 0; i < PRESETS && elb_presets()[i].name; i++) names[i] = elb_presets()[i].name;
    cli_suggestion(name, names, near, sizeof near);
    return cli_fail(c, ELB_USAGE, "there is no preset '%s'%s", name, *near ? near : "; 'elbow presets' lists them");
}

static elb_status presets_run(cli *c, const void *values)
{
    (void)values;
    if (c->count == 0) return presets_list(c);
    const elb_preset *p = elb_presets();
    while (p->name && strcmp(p->name, c->arguments[0]) != 0) p++;
    if (!p->name) return presets_unknown(c, c->arguments[0]);
    if (c->common.json) return cli_print_json(c, presets_pack(p), JSON_INDENT(2));
    fputs(p->yaml, stdout);
    return ELB_OK;
}

const cli_verb verb_presets = {
    .name = "presets",
    .summary = "list the named configurations, or print one",
    .arguments = "[NAME]",
    .details = "With NAME, prints what that preset sets, as YAML. The complete configuration it leads to is printed by "
               "'elbow train --preset NAME --print-config'.",
    .examples = "elbow presets\n"
                "elbow presets avi",
    .accepts = CLI_JSON | CLI_ALWAYS,
    .most = 1,
    .words = CLI_WORDS_PRESET,
    .run = presets_run,
};

/* --- keys --------------------------------------------------------------------------------------------------------- */

typedef struct keys_job {
    const char *section; /* NULL: all */
    json_t *list;        /* NULL: text */
    int found;
} keys_job;

static void keys_visit(void *user, const elb_key *key)
{
    keys_job *job = user;
    size_t length = job->section ? strlen(job->section) : 0;
    if (job->section && (strncmp(key->key, job->section, length) != 0 || (key->key[length] && key->key[length] != '.')))
        return;
    job->found++;
    if (job->list) {
        json_array_append_new(job->list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "key", key->key, "type", key->type,
                                                   "default", key->fallback, "range", key->range, "help", key->help));
        return;
    }
    printf("%s=%s\n    ", key->key, key->fallback);
    cli_wrap(stdout, key->help, 4, 96);
    printf("    [%s]\n", key->range);
}

static elb_status keys_run(cli *c, const void *values)
{
    (void)values;
    keys_job job = {.section = c->count > 0 ? c->arguments[0] : NULL, .list = c->common.json ? json_array() : NULL};
    elb_config_keys(keys_visit, &job);
    if (job.found == 0) {
        json_decref(job.list);
        return cli_fail(c, ELB_USAGE, "there is no key or section '%s'; 'elbow keys' lists all", job.section);
    }
    return job.list ? cli_print_json(c, json_pack("{s:o}", "keys", job.list), JSON_INDENT(2)) : ELB_OK;
}

const cli_verb verb_keys = {
    .name = "keys",
    .summary = "list the configuration's keys with their defaults and ranges",
    .arguments = "[SECTION]",
    .details = "Every key can be set in a YAML file (--config) and with --set KEY=VALUE. SECTION is the part of a key "
               "before the dot, or a whole key.",
    .examples = "elbow keys\n"
                "elbow keys objective",
    .accepts = CLI_JSON | CLI_ALWAYS,
    .most = 1,
    .run = keys_run,
};
