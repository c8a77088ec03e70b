/* doctor.c - elbow doctor. */
#include <elbow/doctor.h>
#include <elbow/version.h>

#include "verbs.h"

typedef struct doctor_job {
    json_t *checks; /* NULL: text */
    int count;
} doctor_job;

static void doctor_visit(void *user, const elb_check *check)
{
    doctor_job *job = user;
    job->count++;
    if (job->checks) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(check->name));
        json_object_set_new(o, "passed", json_boolean(check->passed));
        json_object_set_new(o, "expected", cli_real(check->expected));
        json_object_set_new(o, "found", cli_real(check->found));
        json_object_set_new(o, "tolerance", cli_real(check->tolerance));
        json_object_set_new(o, "source", json_string(check->source));
        json_array_append_new(job->checks, o);
        return;
    }
    printf("%-6s %s: %.10g, expected %.10g within %.2g (%s)\n", check->passed ? "ok" : "FAILED", check->name,
           check->found, check->expected, check->tolerance, check->source);
    fflush(stdout);
}

static void doctor_machine(const elb_machine_facts *m)
{
    cli_row("elbow", "%s", ELBOW_VERSION);
    cli_row("kernels", "%s (this machine has %s)", m->kernels, m->available);
    cli_row("threads", "%d", m->threads);
    if (m->round_trip_ns > 0) cli_row("thread round trip", "%.0f ns", m->round_trip_ns);
    putchar('\n');
}

static json_t *doctor_json(const elb_machine_facts *m, json_t *checks, int failed)
{
    return json_pack("{s:s,s:s,s:s,s:i,s:o,s:i,s:o}", "version", ELBOW_VERSION, "kernels", m->kernels, "available",
                     m->available, "threads", m->threads, "round_trip_ns", cli_real(m->round_trip_ns), "failed", failed,
                     "checks", checks);
}

static elb_status doctor_run(cli *c, const void *values)
{
    (void)values;
    elb_machine_facts machine;
    int failed = 0;
    CLI_TRY(elb_machine_describe(c->context, &machine));
    if (!c->common.json) doctor_machine(&machine);
    doctor_job job = {.checks = c->common.json ? json_array() : NULL};
    elb_status status = elb_doctor(c->context, doctor_visit, &job, &failed);
    if (status != ELB_OK) {
        json_decref(job.checks);
        return status;
    }
    if (job.checks) CLI_TRY(cli_print_json(c, doctor_json(&machine, job.checks, failed), JSON_INDENT(2)));
    if (failed > 0)
        return cli_fail(
            c, ELB_NUMERIC,
            "%d of %d checks failed: do not trust results of these kernels (%s); compare with --kernels reference",
            failed, job.count, machine.kernels);
    if (!job.checks) printf("\nall %d checks passed\n", job.count);
    return ELB_OK;
}

const cli_verb verb_doctor = {
    .name = "doctor",
    .summary = "check the program on this machine against closed forms",
    .arguments = "",
    .details = "Says which kernels and how many threads are used, then compares what the library computes with values "
               "known in closed form or by quadrature. Exits with 5 when any of them is off.",
    .examples = "elbow doctor\n"
                "elbow doctor --kernels reference --json",
    .accepts = CLI_WORK,
    .run = doctor_run,
};
