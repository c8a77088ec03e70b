/* report.h - a run's page: what its parts share. Each part writes one piece of the page, or nothing when the run holds
 * nothing for it. A failure to write shows when the writer commits. */
#ifndef ELB_REPORT_H
#define ELB_REPORT_H

#include <elbow/config.h>
#include <elbow/report.h>

#include "base/file.h"
#include "run/folder.h"
#include "run/log_file.h"

typedef struct elb_report {
    elb_context *context;
    elb_writer *writer;
    char *name;              /* the folder's own */
    char *config_text;       /* config.yaml, or NULL */
    elb_config *config;      /* the same, read; or NULL */
    elb_log_history history; /* no lines when there is no log */
    json_t *evaluations;     /* array of the objects in eval-*.json */
    elb_names images;
    int picture; /* elb_image_kind of the pictures in it, or -1 when the folder holds no model to tell */
} elb_report;

/* --- words and numbers (report_tables.c) */
void elb_report_put_heading(const elb_report *r);
void elb_report_put_tiles(const elb_report *r);
void elb_report_put_warnings(const elb_report *r);
void elb_report_put_evaluations(const elb_report *r);
void elb_report_put_last_epoch(const elb_report *r);
void elb_report_put_components(const elb_report *r); /* of a mixture (report_components.c) */
void elb_report_put_orders(const elb_report *r);
void elb_report_put_facts(const elb_report *r);

/* --- pictures (report_charts.c); errors: ELB_MEMORY, ELB_FAILURE, ELB_DATA */
elb_status elb_report_put_charts(const elb_report *r);
elb_status elb_report_put_images(const elb_report *r);

#endif
