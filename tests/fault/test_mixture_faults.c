/* test_mixture_faults.c - a mixture trained in phases from another run, and the search for its order, with the n-th
 * allocation failing, for every n: ELB_MEMORY and a sentence, and nothing leaked. */
#include "train_support.h"

enum { DATA = 4, COUNT = 30 };

static const char keys[] =
    "model.latent=2 model.hidden=3 posterior.hidden=3 likelihood.type=gaussian train.epochs=3 "
    "train.batch=20 data.validation=10 posterior.type=mixture posterior.order=2 "
    "posterior.weights=input objective.type=recmix objective.pretrain=0.34 objective.recursion=0.5";

/* Fails every stride-th allocation in turn. from: a VAE is trained before, without failures. */
static void fail_each(int stride, bool from, const char *order)
{
    for (int64_t nth = 1;; nth += stride) {
        train_world w;
        train_world_begin(&w, COUNT, DATA, 1, keys);
        if (from) {
            assert_int_equal(elb_config_set(w.config, "posterior.type", "ffg"), ELB_OK);
            assert_int_equal(elb_config_set(w.config, "objective.type", "elbo"), ELB_OK);
            assert_int_equal(train_world_run(&w, "vae", false), ELB_OK);
            assert_int_equal(elb_config_set(w.config, "posterior.type", "mixture"), ELB_OK);
            assert_int_equal(elb_config_set(w.config, "objective.type", "recmix"), ELB_OK);
            assert_int_equal(elb_config_set(w.config, "train.from", support_path(w.folder, "vae")), ELB_OK);
        }
        assert_int_equal(elb_config_set(w.config, "posterior.order", order), ELB_OK);
        w.f.alloc_countdown = nth;
        elb_status status = train_world_run(&w, "run", false);
        bool failed = w.f.alloc_countdown == 0;
        w.f.alloc_countdown = 0;
        assert_int_equal(status, failed ? ELB_MEMORY : ELB_OK);
        if (failed) support_assert_message(w.c, "out of memory");
        train_world_end(&w);
        if (!failed) break;
    }
}

static void test_phases_without_memory(void **state)
{
    (void)state;
    fail_each(7, true, "2");
}

static void test_search_without_memory(void **state)
{
    (void)state;
    fail_each(53, false, "auto");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_without_memory),
        cmocka_unit_test(test_search_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
