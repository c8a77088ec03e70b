/* test_train_faults.c - training with the n-th allocation or the n-th write failing, for every n: a status and a
 * sentence, nothing leaked, every file whole, and the run can go on. */
#include "train_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/safetensors.h"

enum { DATA = 6, COUNT = 40 };

static const char keys[] = "model.latent=2 model.hidden=4 posterior.hidden=4 likelihood.type=gaussian train.epochs=1 "
                           "train.batch=20 data.validation=10 train.patience=3 train.checkpoint_minutes=0 "
                           "objective.type=iwae objective.samples=3 optimizer.clip=5";

/* A file that is there is whole; nothing but the run's files is there. Returns whether there is a state. */
static bool files_are_whole(const train_world *w)
{
    static const char *const names[] = {"state.safetensors", "model.safetensors"};
    elb_context *c = support_context(NULL);
    const char *run = support_path(w->folder, "run");
    bool found[2];
    int count = 0;
    for (int i = 0; i < 2; i++) {
        elb_safetensors *file;
        elb_status status = elb_safetensors_open(c, support_path(run, names[i]), &file);
        found[i] = status == ELB_OK;
        if (!found[i]) assert_int_equal(status, ELB_FAILURE); /* there is none */
        if (found[i]) elb_safetensors_close(file);
        count += found[i];
    }
    FILE *folder = fopen(run, "r");
    if (folder != NULL) {
        fclose(folder);
        assert_true(support_folder_count(run) <= count + 2); /* log and configuration */
    }
    support_context_end(c, NULL);
    return found[0];
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void test_create_without_memory(void **state)
{
    (void)state;
    for (int64_t nth = 1;; nth++) {
        train_world w;
        elb_dataset *data;
        elb_vae *vae;
        train_world_begin(&w, COUNT, DATA, 1, keys);
        assert_int_equal(elb_config_open_data(w.config, NULL, ELB_PART_TRAIN, &data), ELB_OK);
        w.f.alloc_countdown = nth;
        elb_status status = elb_vae_create(w.config, data, &vae);
        bool failed = w.f.alloc_countdown == 0;
        w.f.alloc_countdown = 0;
        assert_int_equal(status, failed ? ELB_MEMORY : ELB_OK);
        if (failed) {
            assert_null(vae);
            support_assert_message(w.c, "out of memory");
        }
        elb_vae_destroy(vae);
        elb_dataset_destroy(data);
        train_world_end(&w);
        if (!failed) break;
    }
}

static void test_training_without_memory(void **state)
{
    (void)state;
    int64_t nth = 1;
    for (bool failed = true; failed; nth++) {
        train_world w;
        int threads = (int)(nth % 2) + 1;
        train_world_begin(&w, COUNT, DATA, threads, keys);
        w.f.alloc_countdown = nth;
        elb_status status = train_world_run(&w, "run", false);
        failed = w.f.alloc_countdown == 0;
        w.f.alloc_countdown = 0;
        if (failed && status != ELB_MEMORY) fail_msg("allocation %lld: %s", (long long)nth, elb_context_message(w.c));
        if (failed)
            support_assert_message(w.c, "out of memory");
        else
            assert_int_equal(status, ELB_OK);
        bool begun = files_are_whole(&w);
        if (failed && begun && nth % 5 == 0) assert_int_equal(train_world_run(&w, "run", true), ELB_OK);
        train_world_end(&w);
    }
    assert_true(nth > 100); /* else nothing was tried */
}

/* --- disk --------------------------------------------------------------------------------------------------------- */

/* The runs' configurations differ by their folder's name, so that files are compared by tensors. */
static void same_parameters(const train_world *a, const train_world *b)
{
    elb_context *c = support_context(NULL);
    elb_safetensors *one, *two;
    assert_int_equal(elb_safetensors_open(c, support_path(support_path(a->folder, "run"), "model.safetensors"), &one),
                     ELB_OK);
    assert_int_equal(elb_safetensors_open(c, support_path(support_path(b->folder, "run"), "model.safetensors"), &two),
                     ELB_OK);
    assert_int_equal(elb_safetensors_count(one), elb_safetensors_count(two));
    for (int64_t i = 0; i < elb_safetensors_count(one); i++) {
        const elb_safetensors_entry *x = elb_safetensors_at(one, i), *y = elb_safetensors_at(two, i);
        int64_t n = elb_dtype_size(x->dtype);
        assert_string_equal(x->name, y->name);
        for (int r = 0; r < x->rank; r++) n *= x->shape[r];
        assert_memory_equal(x->data, y->data, (size_t)n);
    }
    elb_safetensors_close(one);
    elb_safetensors_close(two);
    support_context_end(c, NULL);
}

/* After a failed write the run is resumed, and ends as one that had room does; a first checkpoint that failed leaves
 * nothing to resume. */
static void test_disk_full(void **state)
{
    (void)state;
    train_world whole;
    train_world_begin(&whole, COUNT, DATA, 1, keys);
    assert_int_equal(train_world_run(&whole, "run", false), ELB_OK);
    int64_t writes = whole.f.writes, resumed = 0;
    for (int64_t nth = 1; nth <= writes + 1; nth++) {
        train_world w;
        train_world_begin(&w, COUNT, DATA, 1, keys);
        w.f.write_countdown = nth;
        elb_status status = train_world_run(&w, "run", false);
        if (nth > writes) {
            assert_int_equal(status, ELB_OK);
        } else {
            if (status != ELB_FAILURE) fail_msg("write %lld: %s", (long long)nth, elb_context_message(w.c));
            support_assert_message(w.c, "No space left on device");
        }
        if (files_are_whole(&w)) {
            if (status != ELB_OK) assert_int_equal(train_world_run(&w, "run", true), ELB_OK);
            same_parameters(&whole, &w);
            resumed++;
        }
        train_world_end(&w);
    }
    assert_true(resumed > 5 && resumed <= writes);
    train_world_end(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_without_memory),
        cmocka_unit_test(test_training_without_memory),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
