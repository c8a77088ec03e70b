/* report_charts.c - the curves and pictures of a run's page. */
#include <math.h>
#include <string.h>

#include "report/chart.h"
#include "task/html.h"
#include "report/report.h"
#include "task/image.h"

enum {
    REPORT_LOG_EPOCHS = 100, /* from so many epochs on, curves are drawn over log epoch: all of them stays visible */
    REPORT_IMAGES = 24,      /* the page holds at most so many */
    REPORT_IMAGE_LIMIT = 1 << 26
};

/* One chart: up to two curves from the epoch lines. */
typedef struct report_curve {
    const char *title, *unit;
    const char *keys[2], *names[2];
    bool from_zero;
    bool if_varied; /* a curve that never moved says nothing */
} report_curve;

static const report_curve report_curves[] = {
    {.title = "ELBO",
     .unit = "nats per datum",
     .keys = {"elbo", "validation_elbo"},
     .names = {"training", "validation"}},
    {.title = "Reconstruction", .unit = "nats per datum", .keys = {"reconstruction"}, .names = {"E log p(x|z)"}},
    {.title = "KL divergence", .unit = "nats per datum", .keys = {"kl"}, .names = {"KL(q(z|x) || p(z))"}},
    {.title = "Active units",
     .unit = "latent dimensions",
     .keys = {"active_units"},
     .names = {"active"},
     .from_zero = true},
    {.title = "Step size", .unit = "", .keys = {"rate"}, .names = {"rate"}, .from_zero = true, .if_varied = true},
    {.title = "Weight of the KL",
     .unit = "",
     .keys = {"beta"},
     .names = {"beta"},
     .from_zero = true,
     .if_varied = true},
    {.title = "Speed",
     .unit = "data per second",
     .keys = {"data_per_second"},
     .names = {"training"},
     .from_zero = true},
};

static bool report_has_varied(const elb_series *s)
{
    for (int64_t i = 1; i < s->count; i++)
        if (s->y[i] != s->y[0]) return true;
    return false;
}

static elb_status report_put_curve(const elb_report *r, const report_curve *curve)
{
    elb_chart chart = {
        .title = curve->title, .x_label = "epoch", .y_label = curve->unit, .from_zero = curve->from_zero};
    elb_status status = ELB_OK;
    for (int i = 0; i < 2 && curve->keys[i] && status == ELB_OK; i++) {
        elb_series s;
        status = elb_log_history_series(&r->history, "epoch", "epoch", curve->keys[i], &s);
        bool shown = s.count > 0 && (!curve->if_varied || report_has_varied(&s));
        if (!shown) {
            elb_series_reset(r->context, &s);
            continue;
        }
        chart.log_x = chart.log_x || s.x[s.count - 1] >= REPORT_LOG_EPOCHS;
        chart.lines[chart.count++] = (elb_chart_line){curve->names[i], s};
    }
    if (status == ELB_OK && chart.count > 0) {
        elb_writer_printf(r->writer, "<figure>\n");
        elb_chart_put(r->writer, &chart);
        elb_writer_printf(r->writer, "</figure>\n");
    }
    for (int i = 0; i < chart.count; i++) elb_series_reset(r->context, &chart.lines[i].points);
    return status;
}

static elb_status report_put_kl_bars(const elb_report *r)
{
    const json_t *line = elb_log_history_last(&r->history, "epoch");
    const json_t *kl = json_object_get(line, "kl_per_dimension");
    int64_t count = (int64_t)json_array_size(kl);
    if (count == 0) return ELB_OK;
    double *values = elb_alloc(r->context, count, sizeof *values);
    if (!values) return ELB_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(kl, (size_t)i);
        values[i] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    elb_writer_printf(r->writer, "<figure>\n");
    elb_chart_put_bars(r->writer, "KL per dimension, last epoch", "latent dimension", "nats", count, values);
    elb_writer_printf(r->writer, "</figure>\n");
    elb_free(r->context, values);
    return ELB_OK;
}

elb_status elb_report_put_charts(const elb_report *r)
{
    if (!elb_log_history_last(&r->history, "epoch")) return ELB_OK;
    elb_writer_printf(r->writer, "<h2>Training</h2>\n<div class=\"charts\">\n");
    for (size_t i = 0; i < sizeof report_curves / sizeof report_curves[0]; i++)
        ELB_TRY(report_put_curve(r, &report_curves[i]));
    ELB_TRY(report_put_kl_bars(r));
    elb_writer_printf(r->writer, "</div>\n");
    return ELB_OK;
}

/* --- pictures ----------------------------------------------------------------------------------------------------- */

/* How a picture of this elb_image_kind tells data from reconstructions. */
static const char *report_reconstruction(int picture)
{
    switch (picture) {
    case ELB_IMAGE_GRID: return "each datum above what the model makes of it";
    case ELB_IMAGE_SCATTER: return "data grey, what the model makes of them in colour";
    case ELB_IMAGE_HEAT: return "a row per datum, on the left the data, on the right what the model makes of them";
    default: return "data and what the model makes of them";
    }
}

/* "images/samples-epoch-20.png" becomes "samples epoch 20", with a word about what is to be
 * seen where that is known. */
static void report_put_caption(const elb_report *r, const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    char words[256];
    size_t length = strlen(name) - strlen(".png");
    if (length >= sizeof words) length = sizeof words - 1;
    memcpy(words, name, length);
    words[length] = '\0';
    for (char *p = words; *p; p++)
        if (*p == '-' || *p == '_') *p = ' ';
    elb_writer_printf(r->writer, "<figcaption>");
    elb_html_put(r->writer, words);
    if (!strncmp(words, "reconstruct", strlen("reconstruct")))
        elb_writer_printf(r->writer, ": %s", report_reconstruction(r->picture));
    if (!strncmp(words, "sample", strlen("sample"))) elb_writer_printf(r->writer, ": drawn from the model");
    elb_writer_printf(r->writer, "</figcaption>\n");
}

static elb_status report_put_image(const elb_report *r, const char *path)
{
    char *bytes = NULL;
    int64_t size = 0;
    ELB_TRY(elb_file_read(r->context, path, REPORT_IMAGE_LIMIT, &bytes, &size));
    elb_writer_printf(r->writer, "<figure>\n<img alt=\"\" src=\"data:image/png;base64,");
    elb_html_put_base64(r->writer, (const uint8_t *)bytes, size);
    elb_writer_printf(r->writer, "\"/>\n");
    report_put_caption(r, path);
    elb_writer_printf(r->writer, "</figure>\n");
    elb_free(r->context, bytes);
    return ELB_OK;
}

elb_status elb_report_put_images(const elb_report *r)
{
    int64_t count = r->images.count, first = count > REPORT_IMAGES ? count - REPORT_IMAGES : 0;
    if (count == 0) return ELB_OK;
    elb_writer_printf(r->writer, "<h2>Pictures</h2>\n");
    if (first > 0)
        elb_writer_printf(r->writer, "<p class=\"lede\">The last %d of %lld in the folder images.</p>\n", REPORT_IMAGES,
                          (long long)count);
    elb_writer_printf(r->writer, "<div class=\"images\">\n");
    for (int64_t i = first; i < count; i++) ELB_TRY(report_put_image(r, r->images.at[i]));
    elb_writer_printf(r->writer, "</div>\n");
    return ELB_OK;
}
