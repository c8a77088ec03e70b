/* config.c - the sections of a configuration and the keys in them. */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "config/config_yaml.h"

/* Where the values lie is an elb_config's own. */
static const struct config_part {
    const char *name, *help;
    const elb_option *options;
    size_t offset;
} config_parts[ELB_SECTION_COUNT] = {
    {"", "The run as a whole.", elb_top_option_table, offsetof(elb_config, top)},
    {"data", "What is modelled, and how it is prepared.", elb_data_option_table, offsetof(elb_config, data)},
    {"model", "The decoder, from latent z to data x.", elb_model_option_table, offsetof(elb_config, model)},
    {"likelihood", "The distribution of the data given the decoder's output.", elb_likelihood_option_table,
     offsetof(elb_config, likelihood)},
    {"posterior", "The encoder, from data x to q(z|x).", elb_posterior_option_table, offsetof(elb_config, posterior)},
    {"refine", "What is done to q(z|x) after the encoder.", elb_refine_option_table, offsetof(elb_config, refine)},
    {"objective", "What training maximises.", elb_objective_option_table, offsetof(elb_config, objective)},
    {"optimizer", "How a step is taken.", elb_optimizer_option_table, offsetof(elb_config, optimizer)},
    {"schedule", "How the step size changes during training.", elb_schedule_option_table,
     offsetof(elb_config, schedule)},
    {"train", "How long training lasts, and what it keeps.", elb_train_option_table, offsetof(elb_config, train)},
};

elb_status elb_config_create(elb_context *c, elb_config **config)
{
    *config = NULL;
    elb_config *made = elb_alloc(c, 1, sizeof *made);
    if (!made) return ELB_MEMORY;
    made->context = c;
    for (int i = 0; i < ELB_SECTION_COUNT; i++) {
        const struct config_part *p = &config_parts[i];
        made->sections[i] = (elb_section){p->name, p->help, p->options, (char *)made + p->offset};
    }
    elb_status status = elb_options_reset(c, made->sections);
    if (status != ELB_OK) {
        elb_config_destroy(made);
        return status;
    }
    *config = made;
    return ELB_OK;
}

void elb_config_destroy(elb_config *config)
{
    if (config) elb_free(config->context, config);
}

elb_status elb_config_set(elb_config *config, const char *key, const char *value)
{
    return elb_options_set(config->context, config->sections, key, value);
}

elb_status elb_config_get(const elb_config *config, const char *key, char *text, size_t size)
{
    return elb_options_get(config->context, config->sections, key, text, size);
}

elb_status elb_config_load(elb_config *config, const char *path)
{
    elb_context *c = config->context;
    char *text;
    int64_t size;
    ELB_TRY(elb_yaml_load(c, path, "configuration", &text, &size));
    elb_status status = elb_config_parse(config, path, text, size);
    elb_free(c, text);
    return status;
}

elb_status elb_config_parse(elb_config *config, const char *name, const char *text, int64_t size)
{
    elb_context *c = config->context;
    elb_config *before = elb_alloc(c, 1, sizeof *before);
    if (!before) return ELB_MEMORY;
    *before = *config;
    elb_status status = elb_config_yaml_read(c, config->sections, name, text, size);
    if (status != ELB_OK) *config = *before;
    elb_free(c, before);
    return status;
}

elb_status elb_config_preset(elb_config *config, const char *preset)
{
    enum { PRESETS_MAX = 64 };
    const char *names[PRESETS_MAX + 1] = {NULL};
    char list[1024] = "";
    size_t used = 0;
    int n = 0;
    for (const elb_preset *p = elb_presets(); p->name && n < PRESETS_MAX; p++) {
        if (strcmp(p->name, preset) == 0) return elb_config_parse(config, p->name, p->yaml, (int64_t)strlen(p->yaml));
        names[n++] = p->name;
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", p->name);
        used = strlen(list);
    }
    const char *nearest = elb_did_you_mean(preset, names);
    if (nearest)
        return elb_fail(config->context, ELB_USAGE, "unknown preset '%s'; did you mean '%s'?", preset, nearest);
    return elb_fail(config->context, ELB_USAGE, "unknown preset '%s'; the presets are %s", preset, list);
}

elb_status elb_config_write(const elb_config *config, char **yaml)
{
    return elb_config_yaml_write(config->context, config->sections, yaml);
}

elb_status elb_config_save(const elb_config *config, const char *path)
{
    char *yaml;
    elb_writer *w;
    ELB_TRY(elb_config_write(config, &yaml));
    elb_status status = elb_writer_open(config->context, path, &w);
    if (status == ELB_OK) {
        elb_writer_printf(w, "%s", yaml);
        status = elb_writer_commit(w);
    }
    elb_text_free(config->context, yaml);
    return status;
}

void elb_text_free(elb_context *c, char *text)
{
    elb_free(c, text);
}

void elb_config_keys(void (*visit)(void *user, const elb_key *key), void *user)
{
    for (int i = 0; i < ELB_SECTION_COUNT; i++)
        for (const elb_option *o = config_parts[i].options; o->name; o++) {
            char key[128], range[512];
            const char *section = config_parts[i].name;
            snprintf(key, sizeof key, "%s%s%s", section, *section ? "." : "", o->name);
            elb_option_range(o, range, sizeof range);
            visit(user, &(elb_key){key, elb_option_type(o), o->fallback, range, o->help});
        }
}
