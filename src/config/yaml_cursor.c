/* yaml_cursor.c - a walk through a YAML text: libyaml's events, and what no file of ours may hold. */
#include "config/yaml_cursor.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

elb_status elb_yaml_refuse(elb_yaml *y, const char *what)
{
    return elb_fail(y->context, ELB_USAGE, "%s:%lld: %s", y->name, (long long)y->event.start_mark.line + 1, what);
}

elb_status elb_yaml_refuse_key(elb_yaml *y, const char *key, const char *what)
{
    return elb_fail(y->context, ELB_USAGE, "%s:%lld: %s %s", y->name, (long long)y->key_line, key, what);
}

static elb_status yaml_broken(elb_yaml *y)
{
    const yaml_parser_t *p = &y->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return elb_fail(y->context, ELB_MEMORY, "out of memory while reading '%s'", y->name);
    if (p->error == YAML_READER_ERROR)
        return elb_fail(y->context, ELB_USAGE, "%s: not valid YAML: %s at byte %zu", y->name, p->problem,
                        p->problem_offset);
    return elb_fail(y->context, ELB_USAGE, "%s:%zu: not valid YAML: %s", y->name, p->problem_mark.line + 1, p->problem);
}

/* Aliases could repeat a small file without end, and tags ask for types that no option has. */
static elb_status yaml_check(elb_yaml *y)
{
    const yaml_event_t *e = &y->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT)
        return elb_yaml_refuse(y, "aliases (*name) are not accepted; write the value again");
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
            return elb_yaml_refuse(y, "a zero byte (\\0) is not accepted in a key or value");
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    }
    if (anchor) return elb_yaml_refuse(y, "anchors (&name) are not accepted; write the value itself");
    if (tag) return elb_yaml_refuse(y, "tags (!name) are not accepted; write the value itself");
    return ELB_OK;
}

elb_status elb_yaml_next(elb_yaml *y)
{
    yaml_event_delete(&y->event);
    if (!yaml_parser_parse(&y->parser, &y->event)) return yaml_broken(y);
    return yaml_check(y);
}

const char *elb_yaml_text(const elb_yaml *y)
{
    return (const char *)y->event.data.scalar.value;
}

bool elb_yaml_is_nothing(const elb_yaml *y)
{
    if (y->event.type != YAML_SCALAR_EVENT || y->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const char *text = elb_yaml_text(y);
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

elb_status elb_yaml_key(elb_yaml *y, const char *prefix, char key[ELB_YAML_KEY_MAX], bool *end)
{
    ELB_TRY(elb_yaml_next(y));
    *end = y->event.type == YAML_MAPPING_END_EVENT;
    if (*end) return ELB_OK;
    if (y->event.type != YAML_SCALAR_EVENT)
        return elb_yaml_refuse(y, "a key must be one word, not a list or a mapping");
    snprintf(key, ELB_YAML_KEY_MAX, "%s%s%s", prefix, *prefix ? "." : "", elb_yaml_text(y));
    y->key_line = (int64_t)y->event.start_mark.line + 1;
    return elb_yaml_next(y);
}

static elb_status yaml_stream(elb_yaml *y, elb_yaml_fn root, void *user)
{
    ELB_TRY(elb_yaml_next(y)); /* the stream's start */
    ELB_TRY(elb_yaml_next(y));
    if (y->event.type == YAML_STREAM_END_EVENT) return ELB_OK;
    ELB_TRY(elb_yaml_next(y));
    if (!elb_yaml_is_nothing(y)) ELB_TRY(root(user, y));
    ELB_TRY(elb_yaml_next(y)); /* the document's end */
    ELB_TRY(elb_yaml_next(y));
    if (y->event.type != YAML_STREAM_END_EVENT) return elb_yaml_refuse(y, "a second document (---) is not accepted");
    return ELB_OK;
}

elb_status elb_yaml_load(elb_context *c, const char *path, const char *what, char **text, int64_t *size)
{
    elb_status status = elb_file_read(c, path, ELB_YAML_SIZE_MAX, text, size);
    if (status != ELB_DATA) return status;
    return elb_fail(c, ELB_USAGE, "this is no %s: %s", what, elb_context_message(c));
}

elb_status elb_yaml_read(elb_context *c, const char *name, const char *text, int64_t size, elb_yaml_fn root, void *user)
{
    if (size > ELB_YAML_SIZE_MAX)
        return elb_fail(c, ELB_USAGE, "%s: %lld bytes are too many for a configuration; at most %d are accepted", name,
                        (long long)size, ELB_YAML_SIZE_MAX);
    if (size > 0 && memchr(text, '\0', (size_t)size))
        return elb_fail(c, ELB_USAGE, "%s: this is not YAML, it has a zero byte", name);
    elb_yaml y = {.context = c, .name = name};
    if (!yaml_parser_initialize(&y.parser)) return elb_fail(c, ELB_MEMORY, "out of memory while reading '%s'", name);
    yaml_parser_set_input_string(&y.parser, (const unsigned char *)text, (size_t)size);
    elb_status status = yaml_stream(&y, root, user);
    yaml_event_delete(&y.event);
    yaml_parser_delete(&y.parser);
    return status;
}
