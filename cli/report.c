/* report.c - elbow report. */
#include <stdlib.h>

#include <elbow/report.h>

#include "verbs.h"

static elb_status report_run(cli *c, const void *values)
{
    (void)values;
    char *path;
    CLI_TRY(elb_report_write(c->context, c->arguments[0]));
    CLI_TRY(cli_path(c, c->arguments[0], "report.html", &path));
    elb_status status = ELB_OK;
    if (c->common.json)
        status = cli_print_json(c, json_pack("{s:s}", "report", path), JSON_INDENT(2));
    else
        puts(path);
    free(path);
    return status;
}

const cli_verb verb_report = {
    .name = "report",
    .summary = "write a run's page: numbers, curves, pictures, configuration",
    .arguments = "RUN",
    .details = "Writes RUN/report.html, which needs no other file and no network, out of what the run's folder holds: "
               "its log, its configuration, the results of eval and the pictures of sample and reconstruct. Prints the "
               "page's name.",
    .examples = "elbow report run",
    .accepts = CLI_JSON | CLI_LOG | CLI_ALWAYS,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .run = report_run,
};
