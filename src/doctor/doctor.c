#include "doctor/doctor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/pool.h"

elb_status elb_machine_describe(elb_context *c, elb_machine_facts *facts)
{
    const elb_machine *machine;
    *facts = (elb_machine_facts){.kernels = ""};
    ELB_TRY(elb_machine_of(c, &machine));
    facts->kernels = machine->kernels->name;
    facts->threads = elb_pool_threads(machine->pool);
    facts->round_trip_ns = elb_pool_round_trip(machine->pool);
    for (const elb_kernels *const *table = elb_kernels_available(); *table != NULL; table++) {
        size_t used = strlen(facts->available);
        snprintf(facts->available + used, sizeof facts->available - used, "%s%s", used > 0 ? " " : "", (*table)->name);
    }
    return ELB_OK;
}

void elb_doctor_tell(elb_doctor_job *job, const char *name, const char *source, double expected, double found,
                     double tolerance)
{
    elb_check check = {
        .name = name,
        .expected = expected,
        .found = found,
        .tolerance = tolerance,
        .passed = fabs(found - expected) <= tolerance,
        .source = source,
    };
    job->failed += !check.passed;
    job->visit(job->user, &check);
}

elb_status elb_doctor(elb_context *c, void (*visit)(void *user, const elb_check *check), void *user, int *failed)
{
    elb_doctor_job job = {.context = c, .visit = visit, .user = user};
    elb_status status = elb_doctor_kernels(&job);
    if (status == ELB_OK) status = elb_doctor_estimates(&job);
    if (status == ELB_OK) status = elb_doctor_training(&job);
    *failed = job.failed;
    return status;
}
