/* test_image.c - pictures of data: pixel by pixel for grids, landmarks for plots, PNG read back by libpng. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "task/axis.h"
#include "task/image.h"

enum { GROUND = 236, GAP = 2, GROUP_GAP = 10 };

static uint8_t pixel(const elb_image *m, int64_t x, int64_t y, int k)
{
    assert_in_range(x, 0, m->width - 1);
    assert_in_range(y, 0, m->height - 1);
    return m->pixels[(y * m->width + x) * m->channels + k];
}

/* --- axis --- */

static void check_axis(elb_axis a)
{
    assert_true(a.low < a.high);
    assert_in_range(a.count, 1, ELB_AXIS_TICKS);
    for (int i = 0; i < a.count; i++) {
        double place = elb_axis_place(&a, a.ticks[i]);
        assert_true(place >= -1e-6 && place <= 1 + 1e-6);
        if (i) assert_true(a.ticks[i] > a.ticks[i - 1]);
    }
}

static void test_axis_ticks(void **state)
{
    (void)state;
    char text[ELB_NUMBER_SIZE];
    elb_axis a = elb_axis_fit(-0.1, 1.05, 7, false);
    const char *labels[] = {"0", "0.2", "0.4", "0.6", "0.8", "1"};
    assert_int_equal(a.count, 6);
    for (int i = 0; i < 6; i++) {
        elb_axis_label(&a, i, text);
        assert_string_equal(text, labels[i]);
    }
    support_assert_near(elb_axis_place(&a, 1.05), 1, 1e-12, 0);
    support_assert_near(elb_axis_place(&a, -0.1), 0, 1e-12, 0);
    a = elb_axis_fit(1, 3280, 8, true);
    assert_true(a.log);
    assert_int_equal(a.count, 4);
    assert_true(a.ticks[0] == 1 && a.ticks[3] == 1000);
    support_assert_near(elb_axis_place(&a, sqrt(3280)), 0.5, 1e-12, 0);
    a = elb_axis_fit(2, 7, 8, true); /* no two powers of ten within */
    assert_true(a.log);
    assert_true(a.count >= 2);
    check_axis(a);
}

/* Whatever the range, the axis is valid. */
static void test_axis_odd_ranges(void **state)
{
    (void)state;
    const double ends[] = {0,      -0.0,  1, -1,        1e-310, 1e-300, 1e-270,   1e300,
                           -1e308, 1e308, 5, 5 + 1e-14, 1e15,   NAN,    INFINITY, -INFINITY};
    enum { ENDS = sizeof ends / sizeof ends[0] };
    for (int i = 0; i < ENDS; i++)
        for (int j = 0; j < ENDS; j++)
            for (int most = 2; most <= ELB_AXIS_TICKS; most++) {
                check_axis(elb_axis_fit(ends[i], ends[j], most, false));
                check_axis(elb_axis_fit(ends[i], ends[j], most, true));
            }
}

/* --- grids --- */

static void test_grid_pixels(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    const elb_real x[3][6] = {{0, (elb_real)0.5, 1, 2, -1, (elb_real)NAN}, {1, 1, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0}};
    elb_image_items items = {
        .count = 3, .height = 2, .width = 3, .channels = 1, .values = {&x[0][0]}, .columns = 2, .scale = 2};
    elb_image *m = NULL;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_OK);
    assert_int_equal(m->width, 2 * (6 + GAP) + GAP);
    assert_int_equal(m->height, 2 * (4 + GAP) + GAP);
    const int want[2][3] = {{0, 128, 255}, {255, 0, 0}};
    for (int row = 0; row < 4; row++)
        for (int column = 0; column < 6; column++) {
            assert_int_equal(pixel(m, GAP + column, GAP + row, 0), want[row / 2][column / 2]);
            assert_int_equal(pixel(m, GAP + 6 + GAP + column, GAP + row, 0), 255);
            assert_int_equal(pixel(m, GAP + column, GAP + 4 + GAP + row, 0), 0);
            assert_int_equal(pixel(m, GAP + 6 + GAP + column, GAP + 4 + GAP + row, 0), GROUND); /* no fourth */
        }
    assert_int_equal(pixel(m, GAP - 1, GAP, 0), GROUND);
    assert_int_equal(pixel(m, GAP + 6, GAP, 0), GROUND);
    elb_image_destroy(m);
    support_context_end(c, &f);
}

static void test_grid_pairs(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    const elb_real a[3] = {0, (elb_real)0.2, (elb_real)0.4}, b[3] = {1, (elb_real)0.8, (elb_real)0.6};
    elb_image_items items = {
        .count = 3, .height = 1, .width = 1, .channels = 1, .values = {a, b}, .columns = 2, .scale = 4};
    elb_image *m = NULL;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_OK);
    assert_int_equal(m->height, 2 * (8 + GAP + GROUP_GAP) + GROUP_GAP);
    const int64_t second = GROUP_GAP + 8 + GAP + GROUP_GAP; /* top of the second pair of rows */
    assert_int_equal(pixel(m, GAP, GROUP_GAP, 0), 0);
    assert_int_equal(pixel(m, GAP, GROUP_GAP + 4 + GAP, 0), 255);
    assert_int_equal(pixel(m, GAP + 4 + GAP, GROUP_GAP, 0), 51);
    assert_int_equal(pixel(m, GAP + 4 + GAP, GROUP_GAP + 4 + GAP, 0), 204);
    assert_int_equal(pixel(m, GAP, second, 0), 102);
    assert_int_equal(pixel(m, GAP + 3, second + 4 + GAP + 3, 0), 153);
    assert_int_equal(pixel(m, GAP, second - 1, 0), GROUND);
    elb_image_destroy(m);
    support_context_end(c, NULL);
}

static void test_grid_colour_and_fit(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    enum { COUNT = 10, SIZE = 8 * 8 * 3 };
    static elb_real x[COUNT * SIZE];
    x[9 * SIZE] = 1; /* red of the last image's first pixel */
    elb_image_items items = {.count = COUNT, .height = 8, .width = 8, .channels = 3, .values = {x}};
    elb_image *m = NULL;
    assert_int_equal(elb_image_draw(c, &items, &m), ELB_OK);
    assert_int_equal(m->channels, 3);
    assert_int_equal(m->width, 4 * (56 + GAP) + GAP); /* 4 columns, 3 rows, enlarged to 56 */
    assert_int_equal(m->height, 3 * (56 + GAP) + GAP);
    int64_t left = GAP + 56 + GAP, top = GAP + 2 * (56 + GAP);
    assert_int_equal(pixel(m, left, top, 0), 255);
    assert_int_equal(pixel(m, left, top, 1), 0);
    assert_int_equal(pixel(m, left + 6, top + 6, 0), 255);
    assert_int_equal(pixel(m, left + 7, top, 0), 0);
    elb_image_destroy(m);
    support_context_end(c, NULL);
}

/* --- plots --- */

static int64_t count_colour(const elb_image *m, int r, int g, int b, int tolerance)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->width * m->height; i++)
        n += abs(m->pixels[3 * i] - r) <= tolerance && abs(m->pixels[3 * i + 1] - g) <= tolerance &&
             abs(m->pixels[3 * i + 2] - b) <= tolerance;
    return n;
}

static void test_scatter(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    const elb_real data[] = {-1, -1, 1, 1, (elb_real)NAN, 0}, samples[] = {0, 0, 0, 0, (elb_real)INFINITY, 0};
    elb_image_items items = {.count = 3, .height = 1, .width = 2, .channels = 1, .values = {data, samples}};
    elb_image *m = NULL;
    assert_int_equal(elb_image_draw(c, &items, &m), ELB_OK);
    /* the two samples meet in the middle of the square, whose left end is 84 and whose top is 16 */
    assert_true(pixel(m, 84 + 280, 16 + 280, 0) > 200 && pixel(m, 84 + 280, 16 + 280, 1) < 90);
    assert_in_range(count_colour(m, 214, 69, 65, 60), 9, 40);
    int64_t dark = 0;
    for (int64_t y = 16; y < 16 + 60; y++)
        for (int64_t x = 84 + 500; x < 84 + 560; x++) dark += pixel(m, x, y, 0) < 190;
    assert_true(dark >= 9);
    elb_image_destroy(m);

    items.values[0] = samples + 4; /* a single point, not finite: an empty plot, no failure */
    items.values[1] = NULL;
    items.count = 1;
    assert_int_equal(elb_image_scatter(c, &items, &m), ELB_OK);
    elb_image_destroy(m);
    items.width = 3;
    assert_int_equal(elb_image_scatter(c, &items, &m), ELB_USAGE);
    assert_null(m);
    support_assert_message(c, "3 values are no points");
    support_context_end(c, NULL);
}

static void test_heat(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    const elb_real a[] = {-3, 0, 5, (elb_real)NAN, (elb_real)-INFINITY, (elb_real)INFINITY}, b[6] = {1, 1, 1, 1, 1, 1};
    elb_image_items items = {.count = 2, .height = 1, .width = 3, .channels = 1, .values = {a, b}};
    elb_image *m = NULL;
    assert_int_equal(elb_image_draw(c, &items, &m), ELB_OK);
    enum { CELL = 40 }; /* wider than high, so that the picture is 240 pixels wide */
    assert_int_equal(m->width, 2 * 3 * CELL + 12);
    assert_int_equal(m->height, 2 * 24);
    assert_int_equal(pixel(m, 0, 0, 0), 32);         /* least: dark */
    assert_int_equal(pixel(m, 2 * CELL, 0, 0), 250); /* greatest: light */
    assert_int_equal(pixel(m, 0, 24, 0), 214);       /* NaN: red */
    assert_int_equal(pixel(m, 1 * CELL, 24, 0), 32); /* -infinity is the least */
    assert_int_equal(pixel(m, 2 * CELL, 24, 0), 250);
    assert_int_equal(pixel(m, 3 * CELL, 0, 0), 255);      /* the gap */
    assert_int_equal(pixel(m, 3 * CELL + 12, 0, 2), 135); /* 1 is the middle of -3..5 */
    elb_image_destroy(m);

    static elb_real many[500 * 3];
    many[240 * 3] = 9; /* beyond what is shown */
    items = (elb_image_items){.count = 500, .height = 1, .width = 3, .channels = 1, .values = {many}};
    assert_int_equal(elb_image_heat(c, &items, &m), ELB_OK);
    assert_int_equal(m->width, 240);
    assert_int_equal(m->height, 240 * 2);
    assert_int_equal(pixel(m, 0, 0, 2), 135);
    elb_image_destroy(m);

    items = (elb_image_items){.count = 2, .height = 1, .width = 3, .channels = 1, .values = {b}}; /* no range at all */
    assert_int_equal(elb_image_heat(c, &items, &m), ELB_OK);
    assert_int_equal(pixel(m, 0, 0, 2), 135);
    elb_image_destroy(m);
    support_context_end(c, NULL);
}

/* --- refusals --- */

static void test_refused(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    const elb_real x[4] = {0};
    const elb_image_items good = {.count = 1, .height = 2, .width = 2, .channels = 1, .values = {x}};
    elb_image_items items = good;
    elb_image *m = NULL;
    items.count = 0;
    assert_int_equal(elb_image_draw(c, &items, &m), ELB_USAGE);
    support_assert_message(c, "no data");
    items = good;
    items.values[0] = NULL;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_USAGE);
    items = good;
    items.channels = 4;
    items.width = items.height = 1;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_USAGE);
    support_assert_message(c, "4 channels");
    items = good;
    items.height = items.width = INT64_MAX / 2;
    assert_int_equal(elb_image_draw(c, &items, &m), ELB_USAGE);
    support_assert_message(c, "too large");
    items = good;
    items.scale = INT64_MAX / 2;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_USAGE);
    items = good;
    items.count = items.columns = INT64_MAX / 2;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_USAGE);
    items = good;
    items.height = 1;
    items.width = INT64_MAX / 2;
    assert_int_equal(elb_image_heat(c, &items, &m), ELB_USAGE);
    assert_int_equal(elb_image_create(c, 1 << 14, (1 << 14) + 1, 1, 0, &m), ELB_USAGE);
    assert_int_equal(elb_image_create(c, 0, 4, 1, 0, &m), ELB_USAGE);
    assert_null(m);
    elb_image_destroy(NULL);
    support_context_end(c, &f);
}

/* --- PNG --- */

static void check_png(const uint8_t *bytes, size_t size, const elb_image *m)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&png, bytes, size));
    assert_int_equal(png.width, m->width);
    assert_int_equal(png.height, m->height);
    assert_int_equal(png.format, m->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB);
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(png));
    assert_true(png_image_finish_read(&png, NULL, pixels, 0, NULL));
    assert_memory_equal(pixels, m->pixels, (size_t)(m->width * m->height * m->channels));
    free(pixels);
}

static void test_png(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *path = support_path(folder, "a.png");
    for (int channels = 1; channels <= 3; channels += 2) {
        elb_image *m = NULL;
        uint8_t *bytes = NULL;
        int64_t size = 0;
        size_t file_size = 0;
        assert_int_equal(elb_image_create(c, 31, 17, channels, 9, &m), ELB_OK);
        for (int64_t i = 0; i < 31 * 17 * channels; i++) m->pixels[i] = (uint8_t)(i * 37);
        assert_int_equal(elb_image_encode(m, &bytes, &size), ELB_OK);
        check_png(bytes, (size_t)size, m);
        assert_int_equal(elb_image_save(m, path), ELB_OK);
        char *file = support_file_read(path, &file_size);
        assert_int_equal(file_size, size);
        assert_memory_equal(file, bytes, file_size);
        free(file);
        elb_free(c, bytes);
        elb_image_destroy(m);
    }
    support_folder_remove(folder);
    support_context_end(c, &f);
}

static void test_faults(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *path = support_path(folder, "a.png");
    const elb_real x[4] = {0};
    const elb_image_items items = {.count = 1, .height = 2, .width = 2, .channels = 1, .values = {x}};
    elb_image *m = NULL;
    for (int n = 1; n <= 2; n++) {
        f.alloc_countdown = n;
        assert_int_equal(elb_image_grid(c, &items, &m), ELB_MEMORY);
        assert_null(m);
    }
    f.alloc_countdown = 0;
    assert_int_equal(elb_image_grid(c, &items, &m), ELB_OK);
    int n = 1;
    for (;; n++) {
        f.alloc_countdown = n;
        elb_status status = elb_image_save(m, path);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_MEMORY);
        assert_int_equal(support_folder_count(folder), 0);
    }
    assert_true(n > 2);
    f.alloc_countdown = 0;
    f.write_countdown = 1;
    assert_int_equal(elb_image_save(m, path), ELB_FAILURE);
    assert_int_equal(support_folder_count(folder), 1); /* the one from before */
    elb_image_destroy(m);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axis_ticks),
        cmocka_unit_test(test_axis_odd_ranges),
        cmocka_unit_test(test_grid_pixels),
        cmocka_unit_test(test_grid_pairs),
        cmocka_unit_test(test_grid_colour_and_fit),
        cmocka_unit_test(test_scatter),
        cmocka_unit_test(test_heat),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
