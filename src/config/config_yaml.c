/* config_yaml.c - YAML events become dotted keys: the option tables stay the only description of a configuration. */
#include "config/config_yaml.h"

#include <stdio.h>
#include <string.h>

enum { YAML_NAMES_MAX = 128 };

typedef struct yaml_reader {
    elb_yaml *cursor;
    const elb_yaml_target *target;
    const elb_section *sections;
    int64_t *key_lines;     /* where each key was set, in the tables' order; 0 = not yet */
    int64_t *section_lines; /* where each section began; then each part */
} yaml_reader;

/* --- keys --- */

/* How many options the sections before `end` have; NULL for all sections. */
static int64_t yaml_count(const elb_section *sections, const elb_section *end)
{
    int64_t count = 0;
    for (const elb_section *s = sections; s->options && s != end; s++)
        for (const elb_option *o = s->options; o->name; o++) count++;
    return count;
}

static int64_t yaml_section_count(const elb_section *sections)
{
    int64_t count = 0;
    while (sections[count].options) count++;
    return count;
}

static int64_t yaml_part_count(const elb_yaml_part *parts)
{
    int64_t count = 0;
    while (parts && parts[count].name) count++;
    return count;
}

/* A key may be given once: of two values nobody can say which one was meant. */
static elb_status yaml_once(yaml_reader *r, const char *key, int64_t *line)
{
    elb_yaml *y = r->cursor;
    if (*line)
        return elb_fail(y->context, ELB_USAGE, "%s:%lld: %s was given before, in line %lld; keep one of the two",
                        y->name, (long long)y->key_line, key, (long long)*line);
    *line = y->key_line;
    return ELB_OK;
}

static elb_status yaml_set(yaml_reader *r, const char *key, const char *value)
{
    elb_yaml *y = r->cursor;
    elb_status status = elb_options_set(y->context, r->sections, key, value);
    if (status != ELB_OK) return elb_fail_in(y->context, status, "%s:%lld", y->name, (long long)y->key_line);
    return r->target->was_set ? r->target->was_set(r->target->user, key, value) : ELB_OK;
}

/* [200, 200] -> "200,200" */
static elb_status yaml_list(yaml_reader *r, const elb_option *option, const char *key)
{
    char list[ELB_TEXT_MAX] = "";
    size_t used = 0;
    for (;;) {
        ELB_TRY(elb_yaml_next(r->cursor));
        if (r->cursor->event.type == YAML_SEQUENCE_END_EVENT) return yaml_set(r, key, list);
        if (r->cursor->event.type != YAML_SCALAR_EVENT || elb_yaml_is_nothing(r->cursor))
            return elb_yaml_refuse_key(r->cursor, key,
                                       option->kind == ELB_OPTION_INTS ? "is a list with an item that is not a number"
                                                                       : "is a list with an item that is not a word");
        int n = snprintf(list + used, sizeof list - used, "%s%s", used ? "," : "", elb_yaml_text(r->cursor));
        if (n < 0 || (size_t)n >= sizeof list - used)
            return elb_yaml_refuse_key(r->cursor, key, "is a list that is too long");
        used += (size_t)n;
    }
}

/* The present event is the value of `key`, a full one such as "model.latent". */
static elb_status yaml_value(yaml_reader *r, const char *key)
{
    elb_yaml *y = r->cursor;
    const elb_section *section = NULL;
    const elb_option *option = elb_options_find(r->sections, key, &section);
    if (!option) return yaml_set(r, key, ""); /* says what it could have meant */
    int64_t place = yaml_count(r->sections, section) + (option - section->options);
    ELB_TRY(yaml_once(r, key, &r->key_lines[place]));
    if (y->event.type == YAML_SEQUENCE_START_EVENT) {
        if (option->kind != ELB_OPTION_INTS && !option->list)
            return elb_yaml_refuse_key(y, key, "is a list, but it takes one value");
        return yaml_list(r, option, key);
    }
    if (y->event.type != YAML_SCALAR_EVENT)
        return elb_yaml_refuse_key(y, key, "has keys of its own, but it takes one value");
    if (elb_yaml_is_nothing(y))
        return elb_yaml_refuse_key(y, key, "has no value; write '' for an empty text and [] for an empty list");
    return yaml_set(r, key, elb_yaml_text(y));
}

/* --- sections --- */

/* The present event is the value of `name`, which is no option, section or part. Without parts the option tables have
 * the better words, but for a misspelt section. */
static elb_status yaml_unknown(yaml_reader *r, const char *name)
{
    const char *names[YAML_NAMES_MAX + 1] = {NULL};
    int n = 0;
    bool mapping = r->cursor->event.type == YAML_MAPPING_START_EVENT;
    for (const elb_yaml_part *p = r->target->parts; p && p->name && n < YAML_NAMES_MAX; p++) names[n++] = p->name;
    for (const elb_section *s = r->sections; (mapping || n > 0) && s->options && n < YAML_NAMES_MAX; s++)
        if (*s->name) names[n++] = s->name;
    const char *nearest = elb_did_you_mean(name, names);
    if (!nearest) return yaml_set(r, name, ""); /* says what there is */
    return elb_fail(r->cursor->context, ELB_USAGE, "%s:%lld: unknown %s '%s'; did you mean '%s'?", r->cursor->name,
                    (long long)r->cursor->key_line, mapping ? "section" : "key", name, nearest);
}

static elb_status yaml_section(yaml_reader *r, const char *name)
{
    if (elb_yaml_is_nothing(r->cursor)) return ELB_OK; /* all its keys are commented out */
    if (r->cursor->event.type != YAML_MAPPING_START_EVENT)
        return elb_yaml_refuse_key(r->cursor, name, "is a section: write its keys below it, indented");
    for (;;) {
        char key[ELB_YAML_KEY_MAX];
        bool end = false;
        ELB_TRY(elb_yaml_key(r->cursor, name, key, &end));
        if (end) return ELB_OK;
        ELB_TRY(yaml_value(r, key));
    }
}

/* The present event is the value of an outermost key. */
static elb_status yaml_entry(yaml_reader *r, const char *name)
{
    int64_t *line = r->section_lines;
    for (const elb_section *s = r->sections; s->options; s++, line++)
        if (*s->name && strcmp(s->name, name) == 0) {
            ELB_TRY(yaml_once(r, name, line));
            return yaml_section(r, name);
        }
    for (const elb_yaml_part *p = r->target->parts; p && p->name; p++, line++)
        if (strcmp(p->name, name) == 0) {
            ELB_TRY(yaml_once(r, name, line));
            return p->read(r->target->user, r->cursor);
        }
    return elb_options_find(r->sections, name, NULL) ? yaml_value(r, name) : yaml_unknown(r, name);
}

static elb_status yaml_mapping(yaml_reader *r)
{
    if (r->cursor->event.type != YAML_MAPPING_START_EVENT)
        return elb_yaml_refuse(r->cursor, "a configuration is made of 'section:' with its keys below it, indented");
    for (;;) {
        char key[ELB_YAML_KEY_MAX];
        bool end = false;
        ELB_TRY(elb_yaml_key(r->cursor, "", key, &end));
        if (end) return ELB_OK;
        ELB_TRY(yaml_entry(r, key));
    }
}

elb_status elb_config_yaml_mapping(elb_yaml *y, const elb_yaml_target *target)
{
    yaml_reader r = {.cursor = y, .target = target, .sections = target->sections};
    int64_t keys = yaml_count(target->sections, NULL);
    int64_t names = yaml_section_count(target->sections) + yaml_part_count(target->parts);
    r.key_lines = elb_alloc(y->context, keys + names, sizeof *r.key_lines);
    if (!r.key_lines) return ELB_MEMORY;
    r.section_lines = r.key_lines + keys;
    elb_status status = yaml_mapping(&r);
    elb_free(y->context, r.key_lines);
    return status;
}

static elb_status yaml_root(void *target, elb_yaml *y)
{
    return elb_config_yaml_mapping(y, target);
}

elb_status elb_config_yaml_read(elb_context *c, const elb_section *sections, const char *name, const char *text,
                                int64_t size)
{
    elb_yaml_target target = {.sections = sections};
    return elb_yaml_read(c, name, text, size, yaml_root, &target);
}

/* --- writing --- */

typedef struct yaml_buffer {
    elb_context *context;
    char *text;
    size_t used, size;
    elb_status status; /* of the first failure */
} yaml_buffer;

static void yaml_put(yaml_buffer *b, const char *text)
{
    size_t length = strlen(text);
    if (b->status != ELB_OK) return;
    if (b->size - b->used <= length) {
        size_t size = 2 * b->size + length + 1;
        char *larger = elb_resize(b->context, b->text, (int64_t)size, 1);
        if (!larger) {
            b->status = ELB_MEMORY;
            return;
        }
        b->text = larger;
        b->size = size;
    }
    memcpy(b->text + b->used, text, length + 1);
    b->used += length;
}

static void yaml_put_quoted(yaml_buffer *b, const char *text)
{
    yaml_put(b, "'");
    for (; *text; text++) yaml_put(b, *text == '\'' ? "''" : (const char[]){*text, '\0'});
    yaml_put(b, "'");
}

static void yaml_put_option(yaml_buffer *b, const elb_section *sections, const elb_section *s, const elb_option *o)
{
    char key[ELB_YAML_KEY_MAX], value[ELB_TEXT_MAX], range[1024];
    const char *indent = *s->name ? "  " : "";
    snprintf(key, sizeof key, "%s%s%s", s->name, *s->name ? "." : "", o->name);
    elb_status status = elb_options_get(b->context, sections, key, value, sizeof value);
    if (status != ELB_OK && b->status == ELB_OK) b->status = status;
    elb_option_range(o, range, sizeof range);
    const char *const words[] = {
        indent, "# ",   o->help, " (", range, "; default ", *o->fallback ? o->fallback : "empty",
        ")\n",  indent, o->name, ": "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) yaml_put(b, words[i]);
    if (o->kind == ELB_OPTION_TEXT) {
        yaml_put_quoted(b, value);
    } else {
        bool list = o->kind == ELB_OPTION_INTS;
        yaml_put(b, list ? "[" : "");
        yaml_put(b, value);
        yaml_put(b, list ? "]" : "");
    }
    yaml_put(b, "\n");
}

elb_status elb_config_yaml_write(elb_context *c, const elb_section *sections, char **yaml)
{
    yaml_buffer b = {.context = c};
    for (const elb_section *s = sections; s->options; s++) {
        const char *const words[] = {s == sections ? "# " : "\n# ", s->help, "\n", s->name, *s->name ? ":\n" : ""};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) yaml_put(&b, words[i]);
        for (const elb_option *o = s->options; o->name; o++) yaml_put_option(&b, sections, s, o);
    }
    if (b.status != ELB_OK) {
        elb_free(c, b.text);
        b.text = NULL;
    }
    *yaml = b.text;
    return b.status;
}
