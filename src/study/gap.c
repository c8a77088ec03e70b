/* gap.c - elbow gap: works through the sets, and writes what they come to. */
#include "study/gap.h"

#include <stdio.h>

#include "base/file.h"

static elb_status gap_check(const elb_vae *vae, const elb_gap_settings *s, int count)
{
    elb_context *c = vae->context;
    if (count < 1 || count > ELB_GAP_SETS_MAX)
        return elb_fail(c, ELB_USAGE, "gaps are taken on 1 to %d sets of data, not %d", ELB_GAP_SETS_MAX, count);
    if (s->folder == NULL || *s->folder == '\0') return elb_fail(c, ELB_USAGE, "the gaps' files need a folder");
    if (s->limit < 0)
        return elb_fail(c, ELB_USAGE, "limit counts data and must be 0 (all) or more, not %lld", (long long)s->limit);
    const elb_anneal_settings *a = &s->anneal;
    bool counts = s->samples >= 1 && s->starts >= 1 && s->step_samples >= 1 && a->chains >= 1 && a->temperatures >= 1 &&
                  a->leapfrog >= 1;
    if (!counts || s->steps < 0 || !(s->tolerance > 0)) /* before hours of work */
        return elb_fail(c, ELB_USAGE,
                        "the gaps take 1 or more samples, starts, samples per step, chains, temperatures and leapfrog "
                        "steps, 0 or more steps, and a tolerance above 0");
    if (s->seed > INT64_MAX)
        return elb_fail(c, ELB_USAGE, "the seed must be at most %lld, not %llu", (long long)INT64_MAX,
                        (unsigned long long)s->seed);
    return ELB_OK;
}

static elb_status gap_save_bars(elb_context *c, const char *folder, const elb_gap_result *results, int count)
{
    static const char *const endings[] = {"svg", "png"};
    for (int i = 0; i < 2; i++) {
        char *path = elb_format(c, "%s/gap.%s", folder, endings[i]);
        elb_status status = path != NULL ? elb_gap_save_bars(c, results, count, path) : ELB_MEMORY;
        elb_free(c, path);
        ELB_TRY(status);
    }
    return ELB_OK;
}

static elb_status gap_save(elb_vae *vae, const elb_gap_work *work, const elb_gap_set *sets, int count,
                           const elb_gap_settings *settings, const elb_gap_result *results)
{
    char *advice;
    for (int i = 0; i < count; i++) {
        ELB_TRY(elb_gap_save_table(&work[i], &results[i]));
        ELB_TRY(elb_gap_save_worst(&work[i], &results[i]));
    }
    ELB_TRY(gap_save_bars(vae->context, settings->folder, results, count));
    ELB_TRY(elb_gap_advice(vae->context, results, count, &advice));
    elb_status status = elb_gap_save_json(vae, settings, sets, results, count, advice);
    elb_text_free(vae->context, advice);
    return status;
}

static elb_status gap_run(elb_vae *vae, elb_gap_work *work, const elb_gap_set *sets, int count,
                          const elb_gap_settings *settings, elb_gap_result *results)
{
    ELB_TRY(elb_folder_make(vae->context, settings->folder));
    for (int i = 0; i < count; i++) ELB_TRY(elb_gap_work_begin(&work[i], vae, &sets[i], settings));
    for (int i = 0; i < count; i++) {
        ELB_TRY(elb_gap_work_run(&work[i]));
        elb_gap_conclude(&work[i], &results[i]);
    }
    ELB_TRY(gap_save(vae, work, sets, count, settings, results));
    for (int i = 0; i < count; i++) elb_gap_work_remove(&work[i]);
    return ELB_OK;
}

elb_status elb_gap(elb_vae *vae, const elb_gap_set *sets, int count, const elb_gap_settings *settings,
                   elb_gap_result *results, char **text)
{
    elb_gap_work work[ELB_GAP_SETS_MAX] = {{.vae = NULL}};
    if (text != NULL) *text = NULL;
    ELB_TRY(gap_check(vae, settings, count));
    elb_status status = gap_run(vae, work, sets, count, settings, results);
    for (int i = 0; i < count; i++) elb_gap_work_end(&work[i]);
    if (status == ELB_OK && text != NULL) status = elb_gap_text(vae->context, results, count, text);
    return status;
}
