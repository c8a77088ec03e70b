/* test_kernels_random.c - Philox against published vectors, the layout of streams, moments, streams apart. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/stream.h"
#include "kernels/tables.h"

/* Known answers of philox4x32 with 10 rounds, from the kat_vectors file of Random123 1.14. */
static void test_known_answers(void **state)
{
    static const struct {
        elb_stream at;
        uint32_t block, words[4];
    } known[] = {
        {{0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{UINT64_MAX, UINT64_MAX, UINT32_MAX}, UINT32_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3},
         0x243f6a88,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_memory_equal(elb_stream_block(known[i].at, known[i].block).v, known[i].words, sizeof known[i].words);
    for (uint32_t k = 0; k < 4; k++) { /* the first and the last by element index, too */
        assert_int_equal(elb_random_word(0, 0, 0, k), known[0].words[k]);
        assert_int_equal(elb_random_word(known[2].at.key, known[2].at.datum, known[2].at.draw, 4 * known[2].block + k),
                         known[2].words[k]);
    }
}

/* Every table draws (word + 1/2) 2^-32 for the words of elb_random_word, whatever the length of the row. */
static void test_uniforms_are_the_words(void **state)
{
    static const elb_stream streams[] = {
        {0, 0, 0}, {UINT64_MAX, UINT64_MAX, UINT32_MAX}, {1ull << 40, 1ull << 33, 9}, {77, 123456, 1u << 31}};
    static const int64_t sizes[] = {1, 4, 5, 31, 32, 33, 50, 64, 65, 784};
    elb_real u[784];
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (size_t s = 0; s < sizeof streams / sizeof streams[0]; s++) {
            for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
                elb_stream at = streams[s];
                (*t)->uniform(at, sizes[k], u);
                for (int64_t i = 0; i < sizes[k]; i++) {
                    uint32_t word = elb_random_word(at.key, at.datum, at.draw, (uint32_t)i);
                    assert_true(u[i] == elb_stream_uniform(word));
                    support_assert_near((double)u[i], ((double)word + 0.5) * 0x1p-32, 0, 1.2e-7);
                }
            }
        }
    }
    assert_true(elb_stream_uniform(0) > 0);
    assert_true(elb_stream_uniform(UINT32_MAX) < 1);
}

/* Words so large that their float is 2^32: the uniform must stay below 1 in every table. Found by search. */
static void test_uniforms_near_one(void **state)
{
    enum { N = 44294 };
    static const struct {
        uint64_t datum;
        uint32_t element, word;
    } large[] = {{36, 5665, 0xffffffd9}, {766, 32810, 0xffffff90}, {1836, 44293, 0xffffffed}};
    static elb_real u[N];
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (size_t k = 0; k < sizeof large / sizeof large[0]; k++) {
            assert_int_equal(elb_random_word(3, large[k].datum, 0, large[k].element), large[k].word);
            (*t)->uniform((elb_stream){.key = 3, .datum = large[k].datum}, N, u);
            assert_true(u[large[k].element] > (elb_real)0.999999 && u[large[k].element] < 1);
        }
    }
}

static void test_bernoulli_is_exact_at_the_ends(void **state)
{
    enum { N = 1000 };
    elb_real p[N], x[N], first[N];
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (int value = 0; value < 2; value++) {
            for (int i = 0; i < N; i++) p[i] = (elb_real)value;
            for (uint64_t datum = 0; datum < 50; datum++) {
                (*t)->bernoulli((elb_stream){.key = 5, .datum = datum}, N, p, x);
                assert_memory_equal(x, p, sizeof x);
            }
        }
        for (int i = 0; i < N; i++) p[i] = (elb_real)i / N;
        (*t)->bernoulli((elb_stream){.key = 5}, N, p, x);
        for (int i = 0; i < N; i++) {
            elb_real u = elb_stream_uniform(elb_random_word(5, 0, 0, (uint32_t)i));
            assert_true(x[i] == (u < p[i] ? 1 : 0));
        }
        if (t == elb_kernels_available()) memcpy(first, x, sizeof x);
        assert_memory_equal(first, x, sizeof x);
    }
}

/* --- moments: within five standard errors, which are exact for these distributions -------------------------------- */

enum { ROW = 784, ROWS = 400, DRAWN = ROW * ROWS };

typedef struct moments {
    double power[5];  /* means of x^1 .. x^4 at [1..4] */
    double neighbour; /* mean of x_i x_{i+1} within a row */
    double next_row;  /* mean of the product with the same element of the next datum */
} moments;

static moments moments_of(void (*draw)(elb_stream at, int64_t n, elb_real *x), double centre)
{
    elb_real rows[2][ROW];
    moments m = {{0}, 0, 0};
    draw((elb_stream){.key = elb_stream_key(1, ELB_FOR_POSTERIOR, 0)}, ROW, rows[0]);
    for (uint64_t r = 0; r < ROWS; r++) {
        const elb_real *x = rows[r % 2], *y = rows[(r + 1) % 2];
        draw((elb_stream){.key = elb_stream_key(1, ELB_FOR_POSTERIOR, 0), .datum = r + 1}, ROW, rows[(r + 1) % 2]);
        for (int i = 0; i < ROW; i++) {
            double d = (double)x[i] - centre;
            for (int k = 1; k <= 4; k++) m.power[k] += pow(d, k) / DRAWN;
            if (i + 1 < ROW) m.neighbour += d * ((double)x[i + 1] - centre) / (DRAWN - ROWS);
            m.next_row += d * ((double)y[i] - centre) / DRAWN;
        }
    }
    return m;
}

static void test_moments(void **state)
{
    const double root = sqrt(DRAWN);
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        moments z = moments_of((*t)->normal, 0);
        support_assert_near(z.power[1], 0, 5 / root, 0);
        support_assert_near(z.power[2], 1, 5 * sqrt(2) / root, 0);
        support_assert_near(z.power[3], 0, 5 * sqrt(15) / root, 0);
        support_assert_near(z.power[4], 3, 5 * sqrt(96) / root, 0);
        support_assert_near(z.neighbour, 0, 5 / root, 0);
        support_assert_near(z.next_row, 0, 5 / root, 0);
        moments u = moments_of((*t)->uniform, 0.5); /* central moments 1/12, 0, 1/80; variance of each from the next */
        support_assert_near(u.power[1], 0, 5 * sqrt(1. / 12) / root, 0);
        support_assert_near(u.power[2], 1. / 12, 5 * sqrt(1. / 180) / root, 0);
        support_assert_near(u.power[3], 0, 5 * sqrt(1. / 448) / root, 0);
        support_assert_near(u.power[4], 1. / 80, 5 * sqrt(1. / 2304 - 1. / 6400) / root, 0);
        support_assert_near(u.neighbour, 0, 5. / 12 / root, 0);
        support_assert_near(u.next_row, 0, 5. / 12 / root, 0);
    }
}

/* Box-Muller on word pairs (0,1) and (2,3), written out once more. */
static void test_normals_are_box_muller(void **state)
{
    elb_real z[50];
    elb_stream at = {.key = 99, .datum = 1, .draw = 2};
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        (*t)->normal(at, 50, z);
        for (uint32_t i = 0; i < 50; i++) {
            double u = (double)elb_stream_uniform(elb_random_word(99, 1, 2, i & ~1u));
            double turn = 2 * acos(-1) * (double)elb_stream_uniform(elb_random_word(99, 1, 2, i | 1));
            double want = sqrt(-2 * log(u)) * (i % 2 ? sin(turn) : cos(turn));
            support_assert_near((double)z[i], want, 1e-6, 1e-6);
        }
    }
}

/* --- streams apart ------------------------------------------------------------------------------------------------ */

static void test_keys_are_distinct_and_stable(void **state)
{
    enum { SEEDS = 4, PURPOSES = ELB_FOR_REFINE + 1, EPOCHS = 5, KEYS = SEEDS * PURPOSES * EPOCHS };
    static const uint64_t seeds[SEEDS] = {0, 1, 1ull << 32, UINT64_MAX};
    uint64_t keys[KEYS];
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        keys[i] =
            elb_stream_key(seeds[i % SEEDS], (elb_purpose)(i / SEEDS % PURPOSES), (uint32_t)(i / SEEDS / PURPOSES));
        for (int j = 0; j < i; j++) assert_true(keys[i] != keys[j]);
    }
    assert_true(elb_stream_key(0, ELB_FOR_INIT, 0) == 0xe169c58d6627e8d5); /* kept runs depend on it */
    assert_true(elb_stream_key(7, ELB_FOR_SHUFFLE, 3) == elb_stream_key(7, ELB_FOR_SHUFFLE, 3));
}

static void test_rows_are_distinct(void **state)
{
    static const elb_stream base = {.key = 11, .datum = 4, .draw = 1};
    const elb_stream others[] = {
        {12, 4, 1}, {11, 5, 1}, {11, 4, 2}, {11, 4 + (1ull << 32), 1}, {11 + (1ull << 32), 4, 1}, {11, 1, 4}};
    elb_real row[64], other[64];
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        (*t)->uniform(base, 64, row);
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            (*t)->uniform(others[k], 64, other);
            for (int i = 0; i < 64; i++) assert_true(row[i] != other[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_uniforms_are_the_words),
        cmocka_unit_test(test_uniforms_near_one),
        cmocka_unit_test(test_bernoulli_is_exact_at_the_ends),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_normals_are_box_muller),
        cmocka_unit_test(test_keys_are_distinct_and_stable),
        cmocka_unit_test(test_rows_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
