/* report.c - a run as one page: reads the folder, writes the frame. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/chart.h"
#include "task/html.h"
#include "run/safetensors.h"
#include "run/vae_text.h"
#include "task/image.h"

static const int64_t report_config_limit = 1 << 20;

static const char report_style[] =
    "*{box-sizing:border-box}body{margin:0 auto;max-width:1120px;padding:2rem 1.25rem 4rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2.4rem 0 "
    ".8rem}"
    ".lede{color:var(--muted);margin:0 0 1.5rem;max-width:70ch}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(215px,1fr));gap:.9rem}"
    ".tiles div,figure{background:var(--panel);border:1px solid var(--rule);border-radius:10px;padding:.9rem 1.1rem}\n"
    ".tiles dt{color:var(--muted);font-size:.85rem}.tiles dd{margin:0;font-size:1.6rem;font-weight:650;"
    "font-variant-numeric:tabular-nums}.tiles small{display:block;font-size:.82rem;font-weight:400;color:var(--muted)}"
    "dl{margin:0}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:.9rem}"
    "figure{margin:0}figcaption{color:var(--muted);font-size:.9rem;margin-top:.6rem}\n"
    ".images{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:.9rem;align-items:"
    "start}"
    "img{display:block;max-width:100%;height:auto;margin:0 auto;border-radius:4px}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.95rem}"
    "th,td{padding:.4rem 1.1rem .4rem 0;text-align:left;border-bottom:1px solid var(--rule);vertical-align:baseline}"
    "th{font-weight:600;color:var(--muted)}.n{text-align:right}\n"
    ".facts{columns:2 420px;column-gap:2.5rem}.facts div{break-inside:avoid;display:flex;justify-content:space-between;"
    "gap:1.5rem;padding:.35rem 0;border-bottom:1px solid var(--rule)}.facts dt{color:var(--muted)}"
    ".facts dd{margin:0;text-align:right;overflow-wrap:anywhere}\n"
    ".warnings{border-left:4px solid var(--s1);background:var(--panel);padding:.6rem 1.1rem .6rem 2rem;margin:1.5rem 0 "
    "0;"
    "border-radius:0 10px 10px 0}\n"
    "details{margin-top:2.4rem}summary{cursor:pointer;font-weight:600;font-size:1.2rem}pre{background:var(--panel);"
    "border:1px solid var(--rule);border-radius:10px;padding:1rem;overflow-x:auto;font-size:.85rem}\n"
    "@media print{body{max-width:none}figure,.tiles div{break-inside:avoid}}\n";

/* --- reading the folder ------------------------------------------------------------------------------------------- */

static elb_status report_read_name(elb_report *r, const char *folder)
{
    char *whole = realpath(folder, NULL); /* "." and "runs/a/" have no last part to show */
    const char *slash = whole ? strrchr(whole, '/') : NULL;
    r->name = elb_strdup(r->context, slash && slash[1] ? slash + 1 : folder);
    free(whole);
    return r->name ? ELB_OK : ELB_MEMORY;
}

static elb_status report_read_config(elb_report *r, const char *path)
{
    int64_t size = 0;
    if (!elb_file_exists(path)) return ELB_OK;
    ELB_TRY(elb_file_read(r->context, path, report_config_limit, &r->config_text, &size));
    ELB_TRY(elb_config_create(r->context, &r->config));
    return elb_config_parse(r->config, path, r->config_text, size);
}

static elb_status report_read_evaluations(elb_report *r, const char *folder)
{
    elb_names names;
    elb_status status = elb_folder_list(r->context, folder, "eval-", ".json", &names);
    r->evaluations = json_array();
    for (int64_t i = 0; status == ELB_OK && i < names.count; i++) {
        json_t *object = NULL;
        status = elb_json_load(r->context, names.at[i], &object);
        if (status == ELB_OK && json_array_append_new(r->evaluations, object))
            status = elb_fail(r->context, ELB_MEMORY, "out of memory while reading '%s'", names.at[i]);
    }
    elb_names_reset(r->context, &names);
    return status;
}

/* A model that cannot be read is no reason to have no page. */
static elb_status report_read_shape(elb_report *r, const char *folder)
{
    elb_safetensors *file = NULL;
    char *path = elb_format(r->context, "%s/model.safetensors", folder);
    if (!path) return ELB_MEMORY;
    elb_status status = elb_file_exists(path) ? elb_safetensors_open(r->context, path, &file) : ELB_OK;
    const char *text = file ? elb_safetensors_metadata(file, "elbow.shape") : NULL;
    int64_t s[3];
    int rank = 0;
    r->picture = -1;
    if (text && elb_shape_read(text, &rank, s))
        r->picture = (int)(rank == 1 ? elb_image_kind_of(1, s[0], 1) : elb_image_kind_of(s[0], s[1], s[2]));
    elb_safetensors_close(file);
    elb_free(r->context, path);
    return status == ELB_MEMORY ? status : ELB_OK;
}

static elb_status report_read(elb_report *r, const char *folder)
{
    elb_context *c = r->context;
    char *config = elb_format(c, "%s/config.yaml", folder), *log = elb_format(c, "%s/log.jsonl", folder);
    char *images = elb_format(c, "%s/images", folder);
    elb_status status = config && log && images ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK && !elb_file_exists(config) && !elb_file_exists(log))
        status = elb_fail(c, ELB_FAILURE, "'%s' is no run folder: it holds neither config.yaml nor log.jsonl", folder);
    if (status == ELB_OK) status = report_read_name(r, folder);
    if (status == ELB_OK) status = report_read_config(r, config);
    if (status == ELB_OK && elb_file_exists(log)) status = elb_log_history_read(c, log, &r->history);
    if (status == ELB_OK) status = report_read_evaluations(r, folder);
    if (status == ELB_OK) status = elb_folder_list(c, images, "", ".png", &r->images);
    if (status == ELB_OK && r->images.count > 0) status = report_read_shape(r, folder);
    elb_free(c, config);
    elb_free(c, log);
    elb_free(c, images);
    return status;
}

static void report_reset(elb_report *r)
{
    elb_free(r->context, r->name);
    elb_free(r->context, r->config_text);
    elb_config_destroy(r->config);
    elb_log_history_reset(&r->history);
    json_decref(r->evaluations);
    elb_names_reset(r->context, &r->images);
}

/* --- writing the page --------------------------------------------------------------------------------------------- */

static void report_put_head(const elb_report *r)
{
    elb_writer_printf(r->writer, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
                                 "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    elb_html_put(r->writer, r->name);
    elb_writer_printf(r->writer, " - elbow</title>\n<style>\n%s%s</style>\n</head>\n<body>\n", elb_chart_style,
                      report_style);
}

static void report_put_config(const elb_report *r)
{
    if (!r->config_text) return;
    elb_writer_printf(r->writer, "<details>\n<summary>The complete configuration</summary>\n<pre>");
    elb_html_put(r->writer, r->config_text);
    elb_writer_printf(r->writer, "</pre>\n</details>\n");
}

static elb_status report_put(const elb_report *r)
{
    report_put_head(r);
    elb_report_put_heading(r);
    elb_report_put_tiles(r);
    elb_report_put_warnings(r);
    elb_report_put_evaluations(r);
    ELB_TRY(elb_report_put_charts(r));
    ELB_TRY(elb_report_put_images(r));
    elb_report_put_last_epoch(r);
    elb_report_put_components(r);
    elb_report_put_orders(r);
    elb_report_put_facts(r);
    report_put_config(r);
    elb_writer_printf(r->writer, "</body>\n</html>\n");
    return ELB_OK;
}

elb_status elb_report_write(elb_context *c, const char *run_folder)
{
    elb_report r = {.context = c, .history = {.context = c}};
    char *path = elb_format(c, "%s/report.html", run_folder);
    elb_status status = path ? report_read(&r, run_folder) : ELB_MEMORY;
    if (status == ELB_OK) status = elb_writer_open(c, path, &r.writer);
    if (status == ELB_OK) {
        status = report_put(&r);
        if (status == ELB_OK)
            status = elb_writer_commit(r.writer);
        else
            elb_writer_discard(r.writer);
    }
    report_reset(&r);
    elb_free(c, path);
    return status;
}
