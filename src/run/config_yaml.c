/* config_yaml.c - YAML events become dotted keys: the option tables stay the only description of a configuration. */
#include "run/config_yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { YAML_KEY_MAX = 128, YAML_SECTIONS_MAX = 32 };

typedef struct yaml_reader {
    elb_context *context;
    const elb_section *sections;
    const char *name; /* of the file */
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    int64_t key_line;   /* of the latest key: a block mapping as its value begins a line later */
    int64_t *key_lines; /* where each key was set, in the tables' order; 0 = not yet */
    int64_t section_lines[YAML_SECTIONS_MAX];
} yaml_reader;

/* --- events --- */

static int64_t yaml_line(const yaml_reader *r)
{
    return (int64_t)r->event.start_mark.line + 1;
}

/* The sentence in `what`, after the file and the line. */
static elb_status yaml_refuse(yaml_reader *r, const char *what)
{
    return elb_fail(r->context, ELB_USAGE, "%s:%lld: %s", r->name, (long long)yaml_line(r), what);
}

static elb_status yaml_refuse_key(yaml_reader *r, const char *key, const char *what)
{
    return elb_fail(r->context, ELB_USAGE, "%s:%lld: %s %s", r->name, (long long)r->key_line, key, what);
}

static elb_status yaml_broken(yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return elb_fail(r->context, ELB_MEMORY, "out of memory while reading '%s'", r->name);
    if (p->error == YAML_READER_ERROR)
        return elb_fail(r->context, ELB_USAGE, "%s: not valid YAML: %s at byte %zu", r->name, p->problem,
                        p->problem_offset);
    return elb_fail(r->context, ELB_USAGE, "%s:%zu: not valid YAML: %s", r->name, p->problem_mark.line + 1, p->problem);
}

/* Aliases could repeat a small file without end, and tags ask for types that no option has. */
static elb_status yaml_check(yaml_reader *r)
{
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT) return yaml_refuse(r, "aliases (*name) are not accepted; write the value again");
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
            return yaml_refuse(r, "a zero byte (\\0) is not accepted in a key or value");
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    }
    if (anchor) return yaml_refuse(r, "anchors (&name) are not accepted; write the value itself");
    if (tag) return yaml_refuse(r, "tags (!name) are not accepted; write the value itself");
    return ELB_OK;
}

static elb_status yaml_next(yaml_reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) return yaml_broken(r);
    return yaml_check(r);
}

static const char *yaml_text(const yaml_reader *r)
{
    return (const char *)r->event.data.scalar.value;
}

/* "key:" with nothing after it, or YAML's words for nothing. */
static bool yaml_is_nothing(const yaml_reader *r)
{
    if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const char *text = yaml_text(r);
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* --- keys --- */

/* How many options the sections before `end` have; NULL for all sections. */
static int64_t yaml_count(const elb_section *sections, const elb_section *end)
{
    int64_t count = 0;
    for (const elb_section *s = sections; s->options && s != end; s++)
        for (const elb_option *o = s->options; o->name; o++) count++;
    return count;
}

/* A key may be given once: of two values nobody can say which one was meant. */
static elb_status yaml_once(yaml_reader *r, const char *key, int64_t *line)
{
    if (*line)
        return elb_fail(r->context, ELB_USAGE, "%s:%lld: %s was given before, in line %lld; keep one of the two",
                        r->name, (long long)r->key_line, key, (long long)*line);
    *line = r->key_line;
    return ELB_OK;
}

static elb_status yaml_set(yaml_reader *r, const char *key, const char *value)
{
    elb_status status = elb_options_set(r->context, r->sections, key, value);
    return status == ELB_OK ? ELB_OK : elb_fail_in(r->context, status, "%s:%lld", r->name, (long long)r->key_line);
}

/* [200, 200] -> "200,200" */
static elb_status yaml_list(yaml_reader *r, const char *key)
{
    char list[ELB_TEXT_MAX] = "";
    size_t used = 0;
    for (;;) {
        ELB_TRY(yaml_next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return yaml_set(r, key, list);
        if (r->event.type != YAML_SCALAR_EVENT || yaml_is_nothing(r))
            return yaml_refuse_key(r, key, "is a list with an item that is not a number");
        int n = snprintf(list + used, sizeof list - used, "%s%s", used ? "," : "", yaml_text(r));
        if (n < 0 || (size_t)n >= sizeof list - used) return yaml_refuse_key(r, key, "is a list that is too long");
        used += (size_t)n;
    }
}

/* The present event is the value of `key`, a full one such as "model.latent". */
static elb_status yaml_value(yaml_reader *r, const char *key)
{
    const elb_section *section = NULL;
    const elb_option *option = elb_options_find(r->sections, key, &section);
    if (!option) return yaml_set(r, key, ""); /* says what it could have meant */
    int64_t place = yaml_count(r->sections, section) + (option - section->options);
    ELB_TRY(yaml_once(r, key, &r->key_lines[place]));
    if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        if (option->kind != ELB_OPTION_INTS) return yaml_refuse_key(r, key, "is a list, but it takes one value");
        return yaml_list(r, key);
    }
    if (r->event.type != YAML_SCALAR_EVENT)
        return yaml_refuse_key(r, key, "has keys of its own, but it takes one value");
    if (yaml_is_nothing(r))
        return yaml_refuse_key(r, key, "has no value; write '' for an empty text and [] for an empty list");
    return yaml_set(r, key, yaml_text(r));
}

/* Moves to the next key of a mapping and copies it after `prefix`, then on to its value; *end at the mapping's end. */
static elb_status yaml_key(yaml_reader *r, const char *prefix, char key[YAML_KEY_MAX], bool *end)
{
    ELB_TRY(yaml_next(r));
    *end = r->event.type == YAML_MAPPING_END_EVENT;
    if (*end) return ELB_OK;
    if (r->event.type != YAML_SCALAR_EVENT) return yaml_refuse(r, "a key must be one word, not a list or a mapping");
    snprintf(key, YAML_KEY_MAX, "%s%s%s", prefix, *prefix ? "." : "", yaml_text(r));
    r->key_line = yaml_line(r);
    return yaml_next(r);
}

static elb_status yaml_unknown_section(yaml_reader *r, const char *name)
{
    const char *names[YAML_SECTIONS_MAX + 1] = {NULL};
    int n = 0;
    for (const elb_section *s = r->sections; s->options && n < YAML_SECTIONS_MAX; s++)
        if (*s->name) names[n++] = s->name;
    const char *nearest = elb_did_you_mean(name, names);
    if (nearest)
        return elb_fail(r->context, ELB_USAGE, "%s:%lld: unknown section '%s'; did you mean '%s'?", r->name,
                        (long long)r->key_line, name, nearest);
    return yaml_set(r, name, ""); /* lists the sections */
}

/* The present event is the value of a top-level key that may name a section. */
static elb_status yaml_entry(yaml_reader *r, const char *name)
{
    bool mapping = r->event.type == YAML_MAPPING_START_EVENT;
    int at = 0;
    const elb_section *s = r->sections;
    while (s->options && (!*s->name || strcmp(s->name, name) != 0)) s++, at++;
    if (!s->options) {
        bool unknown = mapping && !elb_options_find(r->sections, name, NULL);
        return unknown ? yaml_unknown_section(r, name) : yaml_value(r, name);
    }
    ELB_TRY(yaml_once(r, name, &r->section_lines[at]));
    if (yaml_is_nothing(r)) return ELB_OK; /* all its keys are commented out */
    if (!mapping) return yaml_refuse_key(r, name, "is a section: write its keys below it, indented");
    for (;;) {
        char key[YAML_KEY_MAX];
        bool end = false;
        ELB_TRY(yaml_key(r, name, key, &end));
        if (end) return ELB_OK;
        ELB_TRY(yaml_value(r, key));
    }
}

static elb_status yaml_root(yaml_reader *r)
{
    if (yaml_is_nothing(r)) return ELB_OK;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return yaml_refuse(r, "a configuration is made of 'section:' with its keys below it, indented");
    for (;;) {
        char key[YAML_KEY_MAX];
        bool end = false;
        ELB_TRY(yaml_key(r, "", key, &end));
        if (end) return ELB_OK;
        ELB_TRY(yaml_entry(r, key));
    }
}

static elb_status yaml_stream(yaml_reader *r)
{
    ELB_TRY(yaml_next(r)); /* the stream's start */
    ELB_TRY(yaml_next(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return ELB_OK;
    ELB_TRY(yaml_next(r));
    ELB_TRY(yaml_root(r));
    ELB_TRY(yaml_next(r)); /* the document's end */
    ELB_TRY(yaml_next(r));
    if (r->event.type != YAML_STREAM_END_EVENT) return yaml_refuse(r, "a second document (---) is not accepted");
    return ELB_OK;
}

elb_status elb_config_yaml_read(elb_context *c, const elb_section *sections, const char *name, const char *text,
                                int64_t size)
{
    if (size > ELB_CONFIG_SIZE_MAX)
        return elb_fail(c, ELB_USAGE, "%s: %lld bytes are too many for a configuration; at most %d are accepted", name,
                        (long long)size, ELB_CONFIG_SIZE_MAX);
    if (size > 0 && memchr(text, '\0', (size_t)size))
        return elb_fail(c, ELB_USAGE, "%s: this is not YAML, it has a zero byte", name);
    yaml_reader r = {.context = c, .sections = sections, .name = name};
    if (!yaml_parser_initialize(&r.parser)) return elb_fail(c, ELB_MEMORY, "out of memory while reading '%s'", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, (size_t)size);
    r.key_lines = elb_alloc(c, yaml_count(sections, NULL), sizeof *r.key_lines);
    elb_status status = r.key_lines ? yaml_stream(&r) : ELB_MEMORY;
    elb_free(c, r.key_lines);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return status;
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
    char key[YAML_KEY_MAX], value[ELB_TEXT_MAX], range[1024];
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
