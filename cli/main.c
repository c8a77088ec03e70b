/* main.c - elbow: finds the verb, reads its options, runs it, and turns what came of it into an exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/version.h>

#include "cli.h"
#include "signals.h"
#include "verbs.h"

const cli_verb *const cli_verbs[] = {&verb_train,       &verb_eval,    &verb_infer,  &verb_refine,  &verb_sample,
                                     &verb_reconstruct, &verb_inspect, &verb_report, &verb_compare, &verb_gap,
                                     &verb_convert,     &verb_bench,   &verb_doctor, &verb_presets, &verb_keys,
                                     &verb_completion,  &verb_man,     &verb_help,   NULL};

const cli_verb *cli_verb_find(const char *name)
{
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        if (strcmp((*v)->name, name) == 0) return *v;
    return NULL;
}

static void main_log(void *user, elb_log_level level, const char *message)
{
    cli *c = user;
    if (level < ELB_LOG_WARNING && c->common.quiet) return;
    if (level < ELB_LOG_INFO && !c->common.verbose) return;
    progress_bar_clear(&c->bar);
    fprintf(stderr, "%s%s\n", level == ELB_LOG_WARNING ? "warning: " : "", message);
}

/* The result must have arrived before the command may claim success; a reader that went away had seen enough. */
static elb_status main_flush(cli *c, elb_status status)
{
    errno = 0;
    bool good = fflush(stdout) == 0 && !ferror(stdout);
    if (good || status != ELB_OK || errno == EPIPE) return status;
    return cli_fail(c, ELB_FAILURE, "the result could not be written to standard output: %s",
                    errno ? strerror(errno) : "some of it was lost");
}

static elb_status main_run(cli *c, const void *values)
{
    elb_settings settings = {.threads = c->common.threads == CLI_UNSET ? 0 : (int)c->common.threads,
                             .kernels = c->common.kernels,
                             .log = main_log,
                             .user = c};
    progress_style style = c->common.progress == CLI_UNSET ? PROGRESS_AUTO : (progress_style)c->common.progress;
    if (c->common.quiet && style == PROGRESS_AUTO) style = PROGRESS_NONE;
    c->bar = progress_bar_make(stderr, style, &signals_asked);
    elb_status status = elb_context_create(&settings, &c->context);
    if (status != ELB_OK)
        return cli_fail(c, status,
                        "the kernels '%s' cannot be used on this machine; 'elbow doctor' lists those that can",
                        settings.kernels ? settings.kernels : "auto");
    if (c->verb->interruptible) signals_catch();
    return main_flush(c, c->verb->run(c, values));
}

/* One sentence, whoever has it. */
static int main_report(cli *c, elb_status status)
{
    const char *message = *c->message ? c->message : c->context ? elb_context_message(c->context) : "";
    progress_bar_clear(&c->bar);
    if (status != ELB_OK) {
        fprintf(stderr, "elbow %s: %s\n", c->verb->name, *message ? message : elb_status_name(status));
        fflush(stderr);
    }
    return (int)status;
}

static int main_verb(const cli_verb *verb, int argc, char **argv)
{
    cli c = {.verb = verb, .bar = {.out = stderr, .style = PROGRESS_NONE}};
    cli_parsed parsed = {.values = calloc(1, verb->size + 1),
                         .arguments = calloc((size_t)argc + 1, sizeof *parsed.arguments)};
    elb_status status;
    if (!parsed.values || !parsed.arguments)
        status = cli_fail(&c, ELB_MEMORY, "there is not enough memory for the command line");
    else if (!cli_parse(verb, argc, argv, &parsed))
        status = cli_fail(&c, ELB_USAGE, "%s", parsed.message);
    else if (parsed.help) {
        cli_help_page(verb, stdout);
        status = main_flush(&c, ELB_OK);
    } else {
        c.common = parsed.common;
        c.arguments = parsed.arguments;
        c.count = parsed.count;
        status = main_run(&c, parsed.values);
    }
    int code = main_report(&c, status);
    elb_context_destroy(c.context);
    free(parsed.values);
    free(parsed.arguments);
    return code;
}

const char *cli_verb_advice(const char *word, char *text, size_t size)
{
    const char *names[sizeof cli_verbs / sizeof *cli_verbs] = {NULL};
    for (int i = 0; cli_verbs[i]; i++) names[i] = cli_verbs[i]->name;
    cli_suggestion(word, names, text, size);
    return *text ? text : "; 'elbow help' lists the commands";
}

static int main_unknown(const char *word)
{
    char advice[128];
    fprintf(stderr, "elbow: unknown command '%s'%s\n", word, cli_verb_advice(word, advice, sizeof advice));
    return ELB_USAGE;
}

/* Standard streams that are closed are given something that cannot be written to: otherwise the first file opened would
 * take their place, and what is meant for the user would end in it. */
static void main_keep_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) exit(ELB_FAILURE);
}

int main(int argc, char **argv)
{
    main_keep_streams();
    signals_ignore_writes();
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--version") == 0) {
        puts("elbow " ELBOW_VERSION);
        return fflush(stdout) == 0 ? ELB_OK : ELB_FAILURE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) word = verb_help.name;
    if (!*word) {
        cli_help_overview(stderr);
        return ELB_USAGE;
    }
    const cli_verb *verb = cli_verb_find(word);
    if (!verb) return main_unknown(word);
    return main_verb(verb, argc - 2, argv + 2);
}
