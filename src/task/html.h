/* html.h - what a page is written with: safe text, numbers to read, embedded files. */
#ifndef ELB_HTML_H
#define ELB_HTML_H

#include "base/file.h"
#include "base/number.h"

/* Nothing here returns a status: a writer remembers its first failure and refuses to commit. */

/* Writes text with the characters that HTML gives a meaning replaced; bytes that are no UTF-8, or no characters of HTML,
 * become U+FFFD. Fit for elements and for quoted attributes. */
void elb_html_put(elb_writer *w, const char *text);
void elb_html_put_base64(elb_writer *w, const uint8_t *bytes, int64_t size);
/* "-231.40": so many decimals (0..9), in every locale; a dash for what is not finite. */
void elb_html_number(double value, int decimals, char text[ELB_NUMBER_SIZE]);

#endif
