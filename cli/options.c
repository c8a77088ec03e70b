/* options.c - reads a command line by its verb's table. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/suggest.h>

#include "cli.h"

static const char *const options_kernels[] = {"auto", "reference", "avx2", "avx512", NULL};
static const char *const options_progress[] = {"auto", "bar", "plain", "json", "none", NULL}; /* as progress_style */

static const cli_option options_common[] = {
    {.name = "threads",
     .kind = CLI_INT,
     .common = CLI_THREADS,
     .offset = offsetof(cli_common, threads),
     .value = "N",
     .min = 1,
     .max = 256,
     .help = "Threads to use; by default one per processor. Results do not depend on it."},
    {.name = "kernels",
     .kind = CLI_TEXT,
     .common = CLI_THREADS,
     .offset = offsetof(cli_common, kernels),
     .value = "NAME",
     .choices = options_kernels,
     .fallback = "auto",
     .help = "Which kernels compute: auto takes the fastest that this processor runs."},
    {.name = "seed",
     .kind = CLI_INT,
     .common = CLI_SEED,
     .offset = offsetof(cli_common, seed),
     .value = "N",
     .min = 0,
     .max = INT64_C(9007199254740992),
     .help = "Number that all random choices follow from; by default the configuration's."},
    {.name = "json",
     .kind = CLI_FLAG,
     .common = CLI_JSON,
     .offset = offsetof(cli_common, json),
     .help = "Print the result as one JSON object."},
    {.name = "progress",
     .kind = CLI_CHOICE,
     .common = CLI_PROGRESS,
     .offset = offsetof(cli_common, progress),
     .value = "STYLE",
     .choices = options_progress,
     .fallback = "auto",
     .help =
         "How progress is shown on standard error; auto draws a bar on a terminal and prints plain lines elsewhere."},
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .common = CLI_LOG,
     .offset = offsetof(cli_common, quiet),
     .help = "Nothing on standard error but warnings and errors."},
    {.name = "verbose",
     .letter = 'v',
     .kind = CLI_FLAG,
     .common = CLI_LOG,
     .offset = offsetof(cli_common, verbose),
     .help = "Details on standard error."},
    {.name = "help", .letter = 'h', .kind = CLI_HELP, .common = CLI_ALWAYS, .help = "This page."},
    {.name = NULL},
};

const cli_option *cli_option_at(const cli_verb *verb, int index)
{
    int at = 0;
    for (const cli_option *o = verb->options; o && o->name; o++, at++)
        if (at == index) return o;
    for (const cli_option *o = options_common; o->name; o++) {
        if (!(verb->accepts & o->common)) continue;
        if (at++ == index) return o;
    }
    return NULL;
}

const char *cli_suggestion(const char *word, const char *const *names, char *text, size_t size)
{
    const char *near = elb_did_you_mean(word, names);
    text[0] = '\0';
    if (near) snprintf(text, size, "; did you mean '%s'?", near);
    return text;
}

void cli_option_range(const cli_option *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->kind == CLI_INT)
        snprintf(text, size, "a whole number from %lld to %lld", (long long)o->min, (long long)o->max);
    if (!o->choices) return;
    snprintf(text, size, "one of ");
    for (const char *const *p = o->choices; *p; p++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", p == o->choices ? "" : ", ", *p);
    }
}

/* --- values ------------------------------------------------------------------------------------------------------- */

typedef struct options_job {
    const cli_verb *verb;
    cli_parsed *parsed;
} options_job;

__attribute__((format(printf, 2, 3))) static bool options_refuse(options_job *j, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(j->parsed->message, sizeof j->parsed->message, format, list);
    va_end(list);
    return false;
}

static void *options_field(const options_job *j, const cli_option *o)
{
    return (char *)(o->common ? (void *)&j->parsed->common : j->parsed->values) + o->offset;
}

static bool options_parse_int(const cli_option *o, const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digits = text[0] == '-' ? text[1] >= '0' && text[1] <= '9' : text[0] >= '0' && text[0] <= '9';
    if (!digits || *end || errno || number < o->min || number > o->max) return false;
    *value = number;
    return true;
}

static int options_choice(const cli_option *o, const char *text)
{
    for (int i = 0; o->choices[i]; i++)
        if (strcmp(o->choices[i], text) == 0) return i;
    return CLI_UNSET;
}

static bool options_put(options_job *j, const cli_option *o, const char *text)
{
    char range[256], near[128] = "";
    void *field = options_field(j, o);
    cli_option_range(o, range, sizeof range);
    int chosen = o->choices ? options_choice(o, text) : 0;
    if (chosen == CLI_UNSET)
        return options_refuse(j, "--%s is '%s', but %s is expected%s", o->name, text, range,
                              cli_suggestion(text, o->choices, near, sizeof near));
    if (o->kind == CLI_INT && !options_parse_int(o, text, field))
        return options_refuse(j, "--%s is '%s', but %s is expected", o->name, text, range);
    if (o->kind == CLI_CHOICE) *(int *)field = chosen;
    if (o->kind == CLI_TEXT) *(const char **)field = text;
    if (o->kind == CLI_LIST) {
        cli_list *list = field;
        if (list->count == CLI_LIST_MAX)
            return options_refuse(j, "--%s is given more than %d times", o->name, CLI_LIST_MAX);
        list->at[list->count++] = text;
    }
    return true;
}

static bool options_reset(options_job *j)
{
    memset(j->parsed->values, 0, j->verb->size);
    j->parsed->common = (cli_common){.threads = CLI_UNSET, .seed = CLI_UNSET, .progress = CLI_UNSET};
    const cli_option *o;
    for (int i = 0; (o = cli_option_at(j->verb, i)); i++) {
        if (o->fallback && !options_put(j, o, o->fallback)) return false;
        if (o->fallback) continue;
        if (o->kind == CLI_INT) *(int64_t *)options_field(j, o) = CLI_UNSET;
        if (o->kind == CLI_CHOICE) *(int *)options_field(j, o) = CLI_UNSET;
    }
    return true;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static const cli_option *options_find(const cli_verb *verb, const char *name, size_t length)
{
    const cli_option *o;
    for (int i = 0; (o = cli_option_at(verb, i)); i++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) return o;
    return NULL;
}

static const cli_option *options_find_letter(const cli_verb *verb, char letter)
{
    const cli_option *o;
    for (int i = 0; (o = cli_option_at(verb, i)); i++)
        if (o->letter && o->letter == letter) return o;
    return NULL;
}

static bool options_unknown(options_job *j, const char *word)
{
    enum { NAMES = 64 };
    const char *names[NAMES + 1];
    char near[128], bare[64];
    int count = 0;
    const cli_option *o;
    for (int i = 0; count < NAMES && (o = cli_option_at(j->verb, i)); i++) names[count++] = o->name;
    names[count] = NULL;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word, "="), word + strspn(word, "-"));
    const char *found = elb_did_you_mean(bare, names);
    if (found)
        snprintf(near, sizeof near, "did you mean '--%s'?", found);
    else
        snprintf(near, sizeof near, "'elbow %s --help' lists its options", j->verb->name);
    return options_refuse(j, "unknown option '%s'; %s", word, near);
}

static bool options_take(options_job *j, const cli_option *o, const char *name)
{
    if (o->kind == CLI_HELP) j->parsed->help = true;
    if (o->kind == CLI_FLAG) *(bool *)options_field(j, o) = true;
    return o->kind == CLI_FLAG || o->kind == CLI_HELP ||
           options_refuse(j, "%s needs a value: --%s %s", name, o->name, o->value);
}

/* argv[*at] is "--name", "--name=value" or "-n"; *at moves on when the next word is its value. */
static bool options_word(options_job *j, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    bool longer = word[1] == '-';
    size_t length = longer ? strcspn(word + 2, "=") : 0;
    const cli_option *o = longer         ? options_find(j->verb, word + 2, length)
                          : word[2] == 0 ? options_find_letter(j->verb, word[1])
                                         : NULL;
    if (!o) return options_unknown(j, word);
    bool flag = o->kind == CLI_FLAG || o->kind == CLI_HELP, joined = longer && word[2 + length] == '=';
    if (flag && joined) return options_refuse(j, "--%s takes no value, but '%s' gives one", o->name, word);
    if (flag) return options_take(j, o, word);
    if (joined) return options_put(j, o, word + 2 + length + 1);
    if (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0) return options_take(j, o, word);
    return options_put(j, o, argv[++*at]);
}

static bool options_check_count(options_job *j)
{
    const cli_verb *v = j->verb;
    cli_parsed *p = j->parsed;
    if (p->count < v->least)
        return options_refuse(j, "%s is missing: elbow %s %s", v->arguments, v->name, v->arguments);
    if (v->most < 0 || p->count <= v->most) return true;
    if (v->most == 0)
        return options_refuse(j, "'%s' is not expected: elbow %s takes options only", p->arguments[0], v->name);
    return options_refuse(j, "'%s' is one argument too many: elbow %s %s", p->arguments[v->most], v->name,
                          v->arguments);
}

bool cli_parse(const cli_verb *verb, int argc, char **argv, cli_parsed *parsed)
{
    options_job job = {.verb = verb, .parsed = parsed};
    if (!options_reset(&job)) return false;
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        bool option = !ended && argv[i][0] == '-' && argv[i][1];
        if (option && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!option)
            parsed->arguments[parsed->count++] = argv[i];
        else if (!options_word(&job, argc, argv, &i))
            return false;
    }
    return parsed->help || options_check_count(&job);
}
