/* help.c - help pages, out of the verbs' tables. */
#include <string.h>

#include <elbow/version.h>

#include "verbs.h"

enum { HELP_WIDTH = 96, HELP_INDENT = 24 };

const cli_exit_code cli_exit_codes[] = {
    {ELB_OK, "done"},
    {ELB_FAILURE, "the system refused: no such file, no space, no permission"},
    {ELB_USAGE, "an option or a configuration that makes no sense"},
    {ELB_DATA, "data that are corrupt, of the wrong shape, or outside their range"},
    {ELB_MODEL, "a model or checkpoint that is corrupt or does not fit the data"},
    {ELB_NUMERIC, "a number that is not finite (the last good checkpoint is kept), or a check of doctor that is off"},
    {ELB_MEMORY, "not enough memory"},
    {ELB_REQUEUE, "SIGTERM: a training run wrote a checkpoint first; run it again with --resume"},
    {ELB_INTERRUPTED, "SIGINT: a training run wrote a checkpoint first; a second SIGINT ends it at once"},
    {0, NULL},
};

const cli_variable cli_environment[] = {
    {"ELBOW_MNIST", "Folder with the four IDX files of MNIST, for --data mnist."},
    {"NO_COLOR", "When set and not empty, the progress bar has no colours."},
    {NULL, NULL},
};

const cli_variable cli_files[] = {
    {"config.yaml", "The complete configuration."},
    {"model.safetensors", "The model, with PyTorch's names and layout and the configuration in its metadata."},
    {"state.safetensors", "What --resume goes on from."},
    {"log.jsonl", "One JSON object per epoch."},
    {"eval-*.json", "The latest results of eval."},
    {"images/", "The pictures of sample and reconstruct."},
    {"report.html", "The page that report writes."},
    {NULL, NULL},
};

void cli_wrap(FILE *out, const char *text, int indent, int width)
{
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > 0 && indent + column + 1 + length > width) {
            fprintf(out, "\n%*s", indent, "");
            column = 0;
        }
        column += fprintf(out, "%s%.*s", column > 0 ? " " : "", length, text);
        text += length + strspn(text + length, " ");
    }
    fputc('\n', out);
}

/* Paragraphs: an empty line stays one. */
static void help_paragraphs(FILE *out, const char *text)
{
    char paragraph[2048];
    while (text && *text) {
        const char *end = strstr(text, "\n\n");
        int length = end ? (int)(end - text) : (int)strlen(text);
        snprintf(paragraph, sizeof paragraph, "%.*s", length, text);
        cli_wrap(out, paragraph, 0, HELP_WIDTH);
        if (end) fputc('\n', out);
        text = end ? end + 2 : NULL;
    }
}

static void help_option(FILE *out, const cli_option *o)
{
    char left[64], text[1024], range[512] = "";
    snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
             o->letter ? "," : " ", o->name, o->value ? " " : "", o->value ? o->value : "");
    if (o->kind == CLI_INT || o->choices) cli_option_range(o, range, sizeof range);
    size_t used = (size_t)snprintf(text, sizeof text, "%s", o->help);
    if (*range) used += (size_t)snprintf(text + used, sizeof text - used, " [%s]", range);
    if (o->fallback) snprintf(text + used, sizeof text - used, " (default: %s)", o->fallback);
    int width = fprintf(out, "%s", left);
    if (width >= HELP_INDENT)
        fprintf(out, "\n%*s", HELP_INDENT, "");
    else
        fprintf(out, "%*s", HELP_INDENT - width, "");
    cli_wrap(out, text, HELP_INDENT, HELP_WIDTH);
}

static void help_options(FILE *out, const cli_verb *verb)
{
    const cli_option *o;
    bool own = false;
    fputs("\nOptions\n", out);
    for (int i = 0; (o = cli_option_at(verb, i)); i++) {
        if (o->common && own) fputc('\n', out);
        own = !o->common;
        help_option(out, o);
    }
}

static void help_examples(FILE *out, const char *examples)
{
    if (!examples) return;
    fputs("\nExamples\n", out);
    while (*examples) {
        int length = (int)strcspn(examples, "\n");
        fprintf(out, "  %.*s\n", length, examples);
        examples += length + (examples[length] == '\n');
    }
}

void cli_help_page(const cli_verb *verb, FILE *out)
{
    fprintf(out, "elbow %s - %s\n\n  elbow %s%s%s [OPTION...]\n\n", verb->name, verb->summary, verb->name,
            *verb->arguments ? " " : "", verb->arguments);
    help_paragraphs(out, verb->details);
    help_options(out, verb);
    help_examples(out, verb->examples);
}

void cli_help_overview(FILE *out)
{
    fputs("elbow " ELBOW_VERSION " - variational autoencoders: training, likelihoods, posteriors\n\n"
          "  elbow COMMAND [ARGUMENT...] [OPTION...]\n\nCommands\n",
          out);
    for (const cli_verb *const *v = cli_verbs; *v; v++) fprintf(out, "  %-14s %s\n", (*v)->name, (*v)->summary);
    fputs("\n'elbow COMMAND --help' tells more; 'elbow --version' prints the version. Results go to standard output, "
          "log,\nwarnings and progress to standard error.\n\nExit codes\n",
          out);
    for (const cli_exit_code *e = cli_exit_codes; e->meaning; e++) fprintf(out, "  %3d  %s\n", e->code, e->meaning);
}

static elb_status help_run(cli *c, const void *values)
{
    (void)values;
    if (c->count == 0) {
        cli_help_overview(stdout);
        return ELB_OK;
    }
    const cli_verb *verb = cli_verb_find(c->arguments[0]);
    char advice[128];
    if (!verb)
        return cli_fail(c, ELB_USAGE, "there is no command '%s'%s", c->arguments[0],
                        cli_verb_advice(c->arguments[0], advice, sizeof advice));
    cli_help_page(verb, stdout);
    return ELB_OK;
}

const cli_verb verb_help = {
    .name = "help",
    .summary = "explain a command, or list all of them",
    .arguments = "[COMMAND]",
    .details = "Prints the same page as 'elbow COMMAND --help'.",
    .accepts = CLI_ALWAYS,
    .most = 1,
    .words = CLI_WORDS_VERB,
    .run = help_run,
};
