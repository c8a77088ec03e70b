/* csv.c - tables of numbers as text. */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "data/readers.h"

enum { CSV_NUMBER_MAX = 64, CSV_QUOTE_MAX = 24 };

typedef struct csv_text {
    const char *at, *end; /* the rest of the file */
    const char *field, *line_end;
    int64_t line, column;
    char separator;
} csv_text;

typedef struct csv_field {
    const char *at;
    size_t length;
} csv_field;

/* Moves to the next line that is not blank; false at the end. */
static bool csv_line(csv_text *t)
{
    while (t->at < t->end) {
        const char *newline = memchr(t->at, '\n', (size_t)(t->end - t->at));
        t->field = t->at;
        t->line_end = newline ? newline : t->end;
        t->at = newline ? newline + 1 : t->end;
        if (t->line_end > t->field && t->line_end[-1] == '\r') t->line_end--;
        t->line++;
        t->column = 0;
        for (const char *p = t->field; p < t->line_end; p++)
            if (!isspace((unsigned char)*p) || *p == t->separator) return true;
    }
    return false;
}

/* The next field of the line, without its quotes and blanks; false when there is none. */
static bool csv_next(csv_text *t, csv_field *f)
{
    if (!t->field) return false;
    const char *p = t->field, *end = p;
    bool quoted = p < t->line_end && *p == '"';
    for (bool inside = false; end < t->line_end && (inside || *end != t->separator); end++)
        if (quoted && *end == '"') inside = !inside;
    t->field = end < t->line_end ? end + 1 : NULL;
    t->column++;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '"')) p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '"')) end--;
    *f = (csv_field){p, (size_t)(end - p)};
    return true;
}

/* Digits with at most one point, of at most 15 digits: exact as integer / power of ten, hence correctly rounded. */
static bool csv_plain(const csv_field *f, double *value)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t start = f->length > 0 && f->at[0] == '-', digits = f->length - start, point = SIZE_MAX;
    if (digits == 0 || digits > 16) return false;
    int64_t n = 0;
    for (size_t i = start; i < f->length; i++) {
        if (f->at[i] == '.' && point == SIZE_MAX && digits > 1)
            point = i;
        else if (f->at[i] >= '0' && f->at[i] <= '9')
            n = n * 10 + (f->at[i] - '0');
        else
            return false;
    }
    if (point == SIZE_MAX && digits > 15) return false;
    double size = (double)n / tens[point == SIZE_MAX ? 0 : f->length - 1 - point];
    *value = start ? -size : size;
    return true;
}

static bool csv_is(const csv_field *f, const char *word)
{
    return f->length == strlen(word) && strncasecmp(f->at, word, f->length) == 0;
}

static bool csv_number(const csv_field *f, double *value)
{
    if (f->length == 0 || csv_is(f, "nan")) {
        *value = NAN;
        return true;
    }
    if (csv_plain(f, value)) return true;
    char text[CSV_NUMBER_MAX];
    if (f->length >= CSV_NUMBER_MAX) return false;
    memcpy(text, f->at, f->length);
    text[f->length] = '\0';
    bool infinite = csv_is(f, "inf") || csv_is(f, "-inf") || csv_is(f, "+inf");
    if (!infinite && strspn(text, "0123456789+-.eE") != f->length) return false;
    return elb_number_parse(text, value);
}

/* Counts the fields of the present line; *numbers: how many hold a finite number, *words: how many no number at all. */
static int64_t csv_count(csv_text t, int64_t *numbers, int64_t *words)
{
    csv_field f;
    double value;
    int64_t n = 0;
    *numbers = *words = 0;
    for (; csv_next(&t, &f); n++) {
        if (!csv_number(&f, &value))
            ++*words;
        else if (isfinite(value))
            ++*numbers;
    }
    return n;
}

static char csv_separator(const char *p, const char *end)
{
    bool semicolon = false;
    for (; p < end && *p != '\n'; p++) {
        if (*p == '\t' || *p == ',') return *p;
        semicolon = semicolon || *p == ';';
    }
    return semicolon ? ';' : ',';
}

static elb_status csv_fail_field(elb_context *c, const csv_text *t, const csv_field *f)
{
    size_t shown = f->length < CSV_QUOTE_MAX ? f->length : CSV_QUOTE_MAX;
    return elb_fail(c, ELB_DATA, "line %lld, column %lld: '%.*s%s' is not a number", (long long)t->line,
                    (long long)t->column, (int)shown, f->at, f->length > shown ? "..." : "");
}

static elb_status csv_row(elb_context *c, csv_text *t, int64_t columns, float *row)
{
    csv_field f;
    int64_t n = 0;
    for (; csv_next(t, &f); n++) {
        double value = 0;
        if (!csv_number(&f, &value)) return csv_fail_field(c, t, &f);
        if (n < columns) row[n] = (float)value;
    }
    if (n == columns) return ELB_OK;
    return elb_fail(c, ELB_DATA, "line %lld has %lld fields, but the first line has %lld", (long long)t->line,
                    (long long)n, (long long)columns);
}

/* t stands before the first datum. */
static elb_status csv_rows(elb_context *c, csv_text t, int64_t columns, elb_array *array)
{
    csv_text ahead = t;
    int64_t rows = 0, count = 0;
    while (csv_line(&ahead)) rows++;
    if (rows == 0) return elb_fail(c, ELB_DATA, "there are no data lines");
    /* Every value is followed by a separator or a newline, except perhaps the last. */
    if (!elb_mul_fits(rows, columns, &count) || count > t.end - t.at + 1)
        return elb_fail(c, ELB_DATA, "the lines have fewer fields than the first line, which has %lld",
                        (long long)columns);
    float *values = elb_alloc(c, count, sizeof *values);
    if (!values) return ELB_MEMORY;
    elb_status status = ELB_OK;
    for (int64_t row = 0; status == ELB_OK && row < rows; row++) {
        csv_line(&t);
        status = csv_row(c, &t, columns, values + row * columns);
    }
    if (status != ELB_OK) {
        elb_free(c, values);
        return status;
    }
    *array = (elb_array){.type = ELB_ARRAY_F32, .rank = 2, .shape = {rows, columns}, .values = values};
    return ELB_OK;
}

elb_status elb_csv_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array)
{
    *array = (elb_array){.values = NULL};
    const char *text = (const char *)bytes;
    int64_t mark = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* UTF-8 byte order mark */
    csv_text t = {.at = text + mark, .end = text + size, .separator = csv_separator(text + mark, text + size)};
    csv_text start = t;
    if (!csv_line(&t)) return elb_fail(c, ELB_DATA, "the table is empty");
    int64_t numbers = 0, words = 0, columns = csv_count(t, &numbers, &words);
    bool header = words > 0 && numbers == 0;
    return csv_rows(c, header ? t : start, columns, array);
}
