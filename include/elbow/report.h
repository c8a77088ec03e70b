/* report.h - a run as one page to look at. */
#ifndef ELBOW_REPORT_H
#define ELBOW_REPORT_H

#include <elbow/context.h>

ELB_BEGIN_DECLS

/* Writes run_folder/report.html, a page that needs no other file and no network: what was trained on what, the
 * final numbers with their units, curves from log.jsonl, estimates from eval-*.json, the pictures in images/, and
 * the complete config.yaml. What the folder does not hold is left out; it must hold config.yaml or log.jsonl. The
 * page is replaced atomically.
 * Errors: ELB_FAILURE (no run folder, unreadable, no space), ELB_USAGE or ELB_DATA (a file in it is corrupt; the
 * message names it), ELB_MEMORY. */
ELB_API elb_status elb_report_write(elb_context *c, const char *run_folder);

ELB_END_DECLS

#endif
