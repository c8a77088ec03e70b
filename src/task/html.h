/* html.h - what a page is written with: safe text, embedded files. */
#ifndef ELB_HTML_H
#define ELB_HTML_H

#include "base/file.h"

/* Nothing here returns a status: a writer remembers its first failure and refuses to commit. */

/* Writes text with the characters that HTML gives a meaning replaced; bytes that are no UTF-8, or no characters of
 * HTML, become U+FFFD. Fit for elements and for quoted attributes. */
void elb_html_put(elb_writer *w, const char *text);
void elb_html_put_base64(elb_writer *w, const uint8_t *bytes, int64_t size);

#endif
