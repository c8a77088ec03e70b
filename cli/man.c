/* man.c - elbow man: the manual page in roff, out of the same tables as the help pages. */
#include <string.h>

#include <elbow/version.h>

#include "verbs.h"

/* Text that roff must not take for its own: hyphens stay hyphens, a backslash and a leading dot are only characters. */
static void man_text(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (p == text && (*p == '.' || *p == '\'')) fputs("\\&", stdout);
        if (*p == '\\')
            fputs("\\e", stdout);
        else if (*p == '-')
            fputs("\\-", stdout);
        else
            putchar(*p);
    }
}

static void man_line(const char *text)
{
    man_text(text);
    putchar('\n');
}

static void man_paragraphs(const char *text)
{
    char paragraph[2048];
    while (text && *text) {
        const char *end = strstr(text, "\n\n");
        snprintf(paragraph, sizeof paragraph, "%.*s", end ? (int)(end - text) : (int)strlen(text), text);
        man_line(paragraph);
        if (end) puts(".PP");
        text = end ? end + 2 : NULL;
    }
}

static void man_option(const cli_option *o)
{
    char range[512] = "";
    puts(".TP");
    fputs("\\fB", stdout);
    if (o->letter) printf("\\-%c\\fR, \\fB", o->letter);
    fputs("\\-\\-", stdout);
    man_text(o->name);
    fputs("\\fR", stdout);
    if (o->value) printf(" \\fI%s\\fR", o->value);
    putchar('\n');
    man_line(o->help);
    if (o->kind == CLI_INT || o->choices) cli_option_range(o, range, sizeof range);
    if (*range) {
        fputs("Expected is ", stdout);
        man_text(range);
        puts(".");
    }
    if (!o->fallback) return;
    fputs("Default: ", stdout);
    man_text(o->fallback);
    puts(".");
}

static void man_examples(const char *examples)
{
    if (!examples) return;
    puts(".PP\n.nf\n.RS");
    while (*examples) {
        char line[512];
        int length = (int)strcspn(examples, "\n");
        snprintf(line, sizeof line, "%.*s", length, examples);
        man_line(line);
        examples += length + (examples[length] == '\n');
    }
    puts(".RE\n.fi");
}

static void man_verb(const cli_verb *verb)
{
    printf(".SS elbow %s", verb->name);
    if (*verb->arguments) putchar(' ');
    man_text(verb->arguments);
    puts(" [OPTION...]");
    printf("To %s.\n", verb->summary);
    man_paragraphs(verb->details);
    for (const cli_option *o = verb->options; o && o->name; o++) man_option(o);
    man_examples(verb->examples);
}

/* The shared options, once: those of the verb that accepts them all. */
static void man_common(void)
{
    const cli_option *o;
    puts(".SH COMMON OPTIONS\nMost commands accept these; COMMAND \\-\\-help tells.");
    for (int i = 0; (o = cli_option_at(&verb_train, i)); i++)
        if (o->common) man_option(o);
}

static void man_key(void *user, const elb_key *key)
{
    (void)user;
    fputs(".TP\n\\fB", stdout);
    man_text(key->key);
    fputs("\\fR = \\fI", stdout);
    man_text(key->fallback);
    puts("\\fR");
    man_line(key->help);
    fputs("Expected is ", stdout);
    man_text(key->range);
    puts(".");
}

static void man_pairs(void)
{
    char code[16];
    puts(".SH EXIT STATUS");
    for (const cli_exit_code *e = cli_exit_codes; e->meaning; e++) {
        snprintf(code, sizeof code, "%d", e->code);
        printf(".TP\n\\fB%s\\fR\n", code);
        man_line(e->meaning);
    }
    puts(".SH ENVIRONMENT");
    for (const cli_variable *v = cli_environment; v->name; v++) {
        printf(".TP\n\\fB%s\\fR\n", v->name);
        man_line(v->meaning);
    }
    puts(".SH FILES\nA run is a folder.");
    for (const cli_variable *v = cli_files; v->name; v++) {
        fputs(".TP\n\\fB", stdout);
        man_text(v->name);
        puts("\\fR");
        man_line(v->meaning);
    }
}

static elb_status man_run(cli *c, const void *values)
{
    (void)c;
    (void)values;
    puts(".TH ELBOW 1 \"\" \"elbow " ELBOW_VERSION "\" \"User Commands\"\n.SH NAME\n"
         "elbow \\- variational autoencoders: training, likelihoods, posteriors\n.SH SYNOPSIS\n"
         ".B elbow\n\\fICOMMAND\\fR [\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n.SH DESCRIPTION\n"
         "Results go to standard output; log, warnings and progress go to standard error.\n.SH COMMANDS");
    for (const cli_verb *const *v = cli_verbs; *v; v++) man_verb(*v);
    man_common();
    puts(".SH CONFIGURATION KEYS");
    elb_config_keys(man_key, NULL);
    man_pairs();
    return ELB_OK;
}

const cli_verb verb_man = {
    .name = "man",
    .summary = "print the manual page",
    .arguments = "",
    .details = "Prints the manual page in roff, made from the same tables as the help pages.",
    .examples = "elbow man | man -l -",
    .accepts = CLI_ALWAYS,
    .run = man_run,
};
