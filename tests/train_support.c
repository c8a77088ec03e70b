#include "train_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATA = 60, COUNT = 150 };

void train_data_write(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (uint64_t i = 0; i < COUNT; i++)
        for (uint64_t d = 0; d < DATA; d++) {
            double a = support_number(1, i),
                   u = 0.5 + 0.4 * sin(3 * a + 0.2 * (double)d) + 0.1 * support_number(2, i * DATA + d);
            fprintf(f, "%.6f%c", fmin(fmax(u, 0), 1), d < DATA - 1 ? ',' : '\n');
        }
    assert_int_equal(fclose(f), 0);
}

elb_config *train_config(elb_context *c, const char *folder, const char *settings)
{
    elb_config *config;
    const char *data = support_path(folder, "data.csv");
    if (access(data, F_OK) != 0) train_data_write(data);
    assert_int_equal(elb_config_create(c, &config), ELB_OK);
    assert_int_equal(elb_config_set(config, "data.spec", data), ELB_OK);
    support_configure(c, config, settings);
    return config;
}

void train_world_begin(train_world *w, uint64_t rows, uint64_t columns, int threads, const char *settings)
{
    memset(w, 0, sizeof *w);
    w->folder = support_folder_make();
    FILE *f = fopen(support_path(w->folder, "data.csv"), "w");
    assert_non_null(f);
    for (uint64_t i = 0; i < rows * columns; i++)
        fprintf(f, "%.4f%c", support_number(1, i), i % columns < columns - 1 ? ',' : '\n');
    assert_int_equal(fclose(f), 0);
    elb_settings with = fault_settings(&w->f);
    with.threads = threads;
    assert_int_equal(elb_context_create(&with, &w->c), ELB_OK);
    w->config = train_config(w->c, w->folder, settings);
}

void train_world_end(train_world *w)
{
    elb_config_destroy(w->config);
    support_context_end(w->c, &w->f);
    support_folder_remove(w->folder);
}

elb_status train_world_run(train_world *w, const char *name, bool resume)
{
    elb_train_result result;
    elb_train_settings settings = {.folder = support_path(w->folder, name), .resume = resume};
    return elb_train(w->config, &settings, &result);
}

elb_status train_session(const train_session_settings *s, const char *folder, const char *name,
                         elb_train_result *result)
{
    elb_context *c;
    elb_settings settings = {.threads = s->threads, .kernels = s->kernels};
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    elb_config *config = train_config(c, folder, s->settings);
    elb_train_settings with = {.folder = support_path(folder, name), .resume = s->resume, .progress = s->progress};
    elb_status status = elb_train(config, &with, result);
    if (status != ELB_OK && status != ELB_INTERRUPTED && status != ELB_NUMERIC)
        fail_msg("the run failed: %s", elb_context_message(c));
    if (status == ELB_NUMERIC) {
        support_assert_message(c, "the last good checkpoint is kept");
        support_assert_message(c, "step ");
        support_assert_message(c, "lower optimizer.rate or set optimizer.clip");
    }
    elb_config_destroy(config);
    elb_context_destroy(c);
    return status;
}

void train_same_file(const char *folder, const char *a, const char *b, const char *name)
{
    size_t size_a, size_b;
    char *one = support_file_read(support_path(support_path(folder, a), name), &size_a);
    char *two = support_file_read(support_path(support_path(folder, b), name), &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(one, two, size_a);
    free(one);
    free(two);
}

int train_last_calls;

elb_status train_stop_at_once(void *user, const elb_progress *progress)
{
    (void)user;
    train_last_calls += progress->last;
    return progress->last ? ELB_OK : ELB_INTERRUPTED;
}

json_t *train_log_events(const char *folder, const char *run, const char *kind)
{
    char *text = support_file_read(support_path(support_path(folder, run), "log.jsonl"), NULL), *rest = NULL;
    json_t *events = json_array();
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        assert_non_null(event);
        json_object_del(event, "seconds");
        json_object_del(event, "data_per_second");
        if (kind == NULL || strcmp(json_string_value(json_object_get(event, "event")), kind) == 0)
            json_array_append(events, event);
        json_decref(event);
    }
    free(text);
    return events;
}

void train_refused(const char *folder, const char *name, const char *settings, bool resume, elb_status want,
                   const char *part)
{
    elb_context *c = support_context(NULL);
    elb_config *config = train_config(c, folder, settings);
    elb_train_settings with = {.folder = support_path(folder, name), .resume = resume};
    elb_train_result result;
    assert_int_equal(elb_train(config, &with, &result), want);
    support_assert_message(c, part);
    elb_config_destroy(config);
    support_context_end(c, NULL);
}
