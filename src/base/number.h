/* number.h - numbers in text, the same in every locale: a host program that called setlocale must
 * not turn 0.5 into 0,5. */
#ifndef ELB_NUMBER_H
#define ELB_NUMBER_H

#include "base/base.h"

/* The whole of `text` is one decimal integer that fits, without spaces; false when not, and *value is untouched. */
bool elb_integer_parse(const char *text, int64_t *value);
/* The whole of `text` is one number as strtod(3) reads it (inf and nan too), without spaces before it. */
bool elb_number_parse(const char *text, double *value);
enum { ELB_NUMBER_SIZE = 32 }; /* enough for any number as text */
/* The shortest of 15, 16 and 17 digits that reads back to the same double. */
void elb_number_format(double value, char text[ELB_NUMBER_SIZE]);
/* "-231.40", to be read: so many decimals (0..9); a dash for what is not finite. */
void elb_number_fixed(double value, int decimals, char text[ELB_NUMBER_SIZE]);
/* For qsort(3): ascending doubles, none of them NaN. */
int elb_number_compare(const void *a, const void *b);

#endif
