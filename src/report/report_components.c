/* report_components.c - a mixture's components at the last epoch, and how their number was found. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "report/report.h"

static void report_put_nats(const elb_report *r, const json_t *value)
{
    char number[ELB_NUMBER_SIZE];
    elb_number_fixed(json_is_number(value) ? json_number_value(value) : NAN, 3, number);
    elb_writer_printf(r->writer, "<td class=\"n\">%s</td>", number);
}

void elb_report_put_components(const elb_report *r)
{
    const json_t *line = elb_log_history_last(&r->history, "epoch");
    const json_t *components = line != NULL ? json_object_get(line, "components") : NULL;
    if (components == NULL) return;
    const json_t *elbo = json_object_get(components, "elbo"), *kl = json_object_get(components, "kl_to_earlier");
    size_t order = json_array_size(elbo);
    elb_writer_printf(r->writer,
                      "<h2>Components of the mixture</h2>\n<table>\n<tr><th>Component</th>"
                      "<th class=\"n\">Its own ELBO, nats</th><th class=\"n\">KL to those before it, nats</th></tr>\n");
    for (size_t m = 0; m < order; m++) {
        elb_writer_printf(r->writer, "<tr><td>%zu</td>", m + 1);
        report_put_nats(r, json_array_get(elbo, m));
        report_put_nats(r, json_array_get(kl, m));
        elb_writer_printf(r->writer, "</tr>\n");
    }
    elb_writer_printf(r->writer, "</table>\n<p>Weights that count: ");
    char number[ELB_NUMBER_SIZE];
    elb_number_fixed(elb_json_number(components, "weights"), 2, number);
    elb_writer_printf(r->writer, "%s of %zu; components that are distinct: ", number, order);
    elb_number_fixed(elb_json_number(components, "distinct"), 2, number);
    elb_writer_printf(r->writer, "%s.</p>\n", number);
}

/* posterior.order=auto: a line of the log for every order that was tried. */
void elb_report_put_orders(const elb_report *r)
{
    size_t i;
    const json_t *line;
    if (elb_log_history_last(&r->history, "order") == NULL) return;
    elb_writer_printf(
        r->writer, "<h2>Orders of the mixture</h2>\n<table>\n<tr><th>Components</th>"
                   "<th class=\"n\">Held-out log-likelihood, nats</th><th class=\"n\">Gain over the order before</th>"
                   "<th class=\"n\">Its standard error</th></tr>\n");
    json_array_foreach(r->history.lines, i, line)
    {
        const char *event = json_string_value(json_object_get(line, "event"));
        if (event == NULL || strcmp(event, "order") != 0) continue;
        elb_writer_printf(r->writer, "<tr><td>%" JSON_INTEGER_FORMAT "</td>",
                          json_integer_value(json_object_get(line, "order")));
        report_put_nats(r, json_object_get(line, "log_likelihood"));
        report_put_nats(r, json_object_get(line, "gain"));
        report_put_nats(r, json_object_get(line, "standard_error"));
        elb_writer_printf(r->writer, "</tr>\n");
    }
    elb_writer_printf(r->writer, "</table>\n");
    const json_t *end = elb_log_history_last(&r->history, "end");
    if (end == NULL) return;
    elb_writer_printf(r->writer, "<p>Chosen: %" JSON_INTEGER_FORMAT ".</p>\n",
                      json_integer_value(json_object_get(end, "order")));
}
