/* plan.c - plans as they are put together. */
#include "study/plan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <elbow/train.h>

#include "base/file.h"

elb_status elb_plan_create(elb_context *c, elb_plan **plan)
{
    *plan = NULL;
    elb_plan *made = elb_alloc(c, 1, sizeof *made);
    if (!made) return ELB_MEMORY;
    made->context = c;
    made->sections[0] = (elb_section){"", "The comparison as a whole.", elb_plan_option_table, &made->top};
    made->sections[1] =
        (elb_section){"evaluate", "How the methods are judged.", elb_plan_evaluate_table, &made->evaluate};
    elb_status status = elb_options_reset(c, made->sections);
    if (status != ELB_OK) {
        elb_plan_destroy(made);
        return status;
    }
    *plan = made;
    return ELB_OK;
}

static void plan_pairs_free(elb_context *c, elb_pairs *pairs)
{
    for (int64_t i = 0; i < pairs->count; i++) {
        elb_free(c, pairs->at[i].key);
        elb_free(c, pairs->at[i].value);
    }
    elb_free(c, pairs->at);
}

void elb_plan_destroy(elb_plan *plan)
{
    if (!plan) return;
    elb_context *c = plan->context;
    for (int64_t m = 0; m < plan->count; m++) {
        elb_plan_method *method = &plan->methods[m];
        for (int64_t r = 0; r < method->run_count; r++) elb_free(c, method->runs[r]);
        elb_free(c, method->runs);
        plan_pairs_free(c, &method->set);
    }
    plan_pairs_free(c, &plan->set);
    elb_free(c, plan->methods);
    elb_free(c, plan);
}

elb_status elb_pairs_add(elb_context *c, elb_pairs *pairs, const char *key, const char *value)
{
    elb_pair *more = elb_resize(c, pairs->at, pairs->count + 1, sizeof *more);
    if (!more) return ELB_MEMORY;
    pairs->at = more;
    elb_pair *pair = &more[pairs->count];
    *pair = (elb_pair){elb_strdup(c, key), elb_strdup(c, value)};
    pairs->count++;
    return pair->key && pair->value ? ELB_OK : ELB_MEMORY;
}

/* --- methods ------------------------------------------------------------------------------------------------------ */

int64_t elb_plan_find(const elb_plan *plan, const char *name)
{
    for (int64_t m = 0; m < plan->count; m++)
        if (strcmp(plan->methods[m].name, name) == 0) return m;
    return -1;
}

const char *elb_plan_label(const elb_plan_method *method)
{
    return *method->options.label ? method->options.label : method->name;
}

static bool plan_letter(char letter)
{
    return isalnum((unsigned char)letter) || strchr("-_+.", letter);
}

/* A name becomes a folder's, and a word in progress and tables. */
static elb_status plan_check_name(elb_context *c, const char *name)
{
    size_t good = 0;
    while (name[good] && plan_letter(name[good])) good++;
    if (!name[good] && good > 0 && good < ELB_PLAN_NAME_MAX && *name != '.') return ELB_OK;
    return elb_fail(c, ELB_USAGE,
                    "'%.80s' is no name for a method: up to %d letters, digits and -_+. are expected, no dot in front",
                    name, ELB_PLAN_NAME_MAX - 1);
}

elb_status elb_plan_add(elb_plan *plan, const char *name, elb_plan_method **method)
{
    elb_context *c = plan->context;
    ELB_TRY(plan_check_name(c, name));
    if (elb_plan_find(plan, name) >= 0)
        return elb_fail(c, ELB_USAGE, "there are two methods named '%s'; name one of them otherwise", name);
    elb_plan_method *more = elb_resize(c, plan->methods, plan->count + 1, sizeof *more);
    if (!more) return ELB_MEMORY;
    plan->methods = more;
    *method = &more[plan->count++];
    snprintf((*method)->name, sizeof(*method)->name, "%s", name);
    const elb_section sections[] = {{"", "", elb_plan_method_table, &(*method)->options}, {.options = NULL}};
    return elb_options_reset(c, sections);
}

elb_status elb_plan_add_preset(elb_plan *plan, const char *preset)
{
    elb_plan_method *method;
    elb_config *config;
    ELB_TRY(elb_config_create(plan->context, &config));
    elb_status status = elb_config_preset(config, preset);
    elb_config_destroy(config);
    ELB_TRY(status);
    ELB_TRY(elb_plan_add(plan, preset, &method));
    snprintf(method->options.preset, sizeof method->options.preset, "%s", preset);
    return ELB_OK;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

elb_status elb_plan_add_run_to(elb_plan *plan, elb_plan_method *method, const char *run)
{
    elb_context *c = plan->context;
    char **more = elb_resize(c, method->runs, method->run_count + 1, sizeof *more);
    if (!more) return ELB_MEMORY;
    method->runs = more;
    more[method->run_count] = elb_strdup(c, run);
    return more[method->run_count++] ? ELB_OK : ELB_MEMORY;
}

/* Whether `run` is of the method with another seed. */
static elb_status plan_belongs(const elb_plan *plan, const elb_plan_method *method, const elb_config *config,
                               bool *belongs)
{
    elb_config *first;
    char key[ELB_KEY_TEXT];
    ELB_TRY(elb_run_config(plan->context, method->runs[0], &first));
    *belongs = !elb_config_differs(first, config, "", key);
    elb_config_destroy(first);
    return ELB_OK;
}

/* The folder's name with what a name may not hold made a dash, and a number where it is taken. */
static void plan_name_of(const elb_plan *plan, const char *run, char name[ELB_PLAN_NAME_MAX])
{
    size_t end = strlen(run), used = 0;
    while (end > 1 && run[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && run[begin - 1] != '/') begin--;
    while (begin < end && run[begin] == '.') begin++;
    for (size_t i = begin; i < end && used < ELB_PLAN_NAME_MAX - 8; i++)
        name[used++] = plan_letter(run[i]) ? run[i] : '-';
    name[used] = '\0';
    if (used == 0) used = (size_t)snprintf(name, ELB_PLAN_NAME_MAX, "run");
    for (int n = 2; elb_plan_find(plan, name) >= 0 && n < 100000; n++)
        snprintf(name + used, ELB_PLAN_NAME_MAX - used, "-%d", n);
}

static elb_status plan_place_run(elb_plan *plan, const char *run, const elb_config *config)
{
    char name[ELB_PLAN_NAME_MAX];
    for (int64_t m = 0; m < plan->count; m++) {
        bool belongs = false;
        if (plan->methods[m].run_count > 0) ELB_TRY(plan_belongs(plan, &plan->methods[m], config, &belongs));
        if (belongs) return elb_plan_add_run_to(plan, &plan->methods[m], run);
    }
    elb_plan_method *method;
    plan_name_of(plan, run, name);
    ELB_TRY(elb_plan_add(plan, name, &method));
    return elb_plan_add_run_to(plan, method, run);
}

elb_status elb_plan_add_run(elb_plan *plan, const char *run)
{
    elb_config *config;
    ELB_TRY(elb_run_config(plan->context, run, &config));
    elb_status status = plan_place_run(plan, run, config);
    elb_config_destroy(config);
    return status;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

elb_status elb_plan_set(elb_plan *plan, const char *key, const char *value)
{
    return elb_options_set(plan->context, plan->sections, key, value);
}

elb_status elb_plan_share(elb_plan *plan, const char *key, const char *value)
{
    elb_config *config;
    ELB_TRY(elb_config_create(plan->context, &config));
    elb_status status = elb_config_set(config, key, value);
    elb_config_destroy(config);
    ELB_TRY(status);
    return elb_pairs_add(plan->context, &plan->set, key, value);
}
