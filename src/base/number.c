/* number.c - numbers in text, the same in every locale. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

bool elb_integer_parse(const char *text, int64_t *value)
{
    char *end = NULL;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end || isspace((unsigned char)*text)) return false;
    *value = n;
    return true;
}

/* glibc hands out its built-in "C" locale here without allocating anything. */
static locale_t number_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool elb_number_parse(const char *text, double *value)
{
    char *end = NULL;
    locale_t c = number_locale();
    if (!c) return false;
    double x = strtod_l(text, &end, c);
    freelocale(c);
    if (end == text || *end || isspace((unsigned char)*text)) return false;
    *value = x;
    return true;
}

void elb_number_format(double value, char text[ELB_NUMBER_SIZE])
{
    locale_t c = number_locale(), before = c ? uselocale(c) : (locale_t)0;
    for (int digits = 15; digits <= 17; digits++) {
        double back = 0;
        snprintf(text, ELB_NUMBER_SIZE, "%.*g", digits, value);
        if (elb_number_parse(text, &back) && back == value) break;
    }
    if (c) {
        uselocale(before);
        freelocale(c);
    }
}

void elb_number_fixed(double value, int decimals, char text[ELB_NUMBER_SIZE])
{
    int64_t unit = 1;
    for (int i = 0; i < decimals; i++) unit *= 10;
    double scaled = round(fabs(value) * (double)unit);
    if (!isfinite(value)) {
        snprintf(text, ELB_NUMBER_SIZE, "\xe2\x80\x93");
    } else if (scaled > 1e15) {
        elb_number_format(value, text);
    } else {
        int64_t whole = (int64_t)scaled / unit, part = (int64_t)scaled % unit;
        const char *sign = value < 0 && scaled > 0 ? "-" : "";
        if (decimals == 0)
            snprintf(text, ELB_NUMBER_SIZE, "%s%" PRId64, sign, whole);
        else
            snprintf(text, ELB_NUMBER_SIZE, "%s%" PRId64 ".%0*" PRId64, sign, whole, decimals, part);
    }
}

int elb_number_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
