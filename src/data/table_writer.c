/* table_writer.c - results as NPZ, NPY or CSV. */
#include "data/table_writer.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/number.h"
#include "data/zip_writer.h"

enum { TABLE_HEADER_MAX = 256, TABLE_COLUMNS_MAX = ELB_ZIP_ENTRIES_MAX };

typedef struct table_format {
    const char *ending;
    elb_status (*begin)(elb_table *t);
    elb_status (*append)(elb_table *t, const elb_column *block);
    elb_status (*end)(elb_table *t); /* OPTIONAL */
} table_format;

struct elb_table {
    elb_context *context;
    elb_writer *writer;
    const table_format *format;
    int count;
    elb_column columns[TABLE_COLUMNS_MAX]; /* shape[0]: the rows in all */
    int64_t rows[TABLE_COLUMNS_MAX];       /* that were written */
    int64_t begin[TABLE_COLUMNS_MAX];      /* of the column's NPY file within the file */
    elb_zip zip;
};

/* Numbers in a row of the column. */
static int64_t table_width(const elb_column *column)
{
    int64_t n = 1;
    for (int i = 1; i < column->rank; i++) n *= column->shape[i];
    return n;
}

static int64_t table_row_bytes(const elb_column *column)
{
    return table_width(column) * (column->type == ELB_COLUMN_FLOAT ? 4 : 8);
}

/* --- NPY --- */

/* Version 1.0: the magic, a 16-bit length and a dictionary, padded so that the values begin at a multiple of 64. */
static size_t table_npy_header(const elb_column *column, uint8_t header[TABLE_HEADER_MAX])
{
    static const char *const types[] = {"<f8", "<f4", "<i8"};
    char shape[80], text[TABLE_HEADER_MAX];
    int used = 0;
    for (int i = 0; i < column->rank; i++)
        used +=
            snprintf(shape + used, sizeof shape - (size_t)used, i ? " %lld," : "%lld,", (long long)column->shape[i]);
    if (column->rank > 1) shape[used - 1] = '\0';
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                          types[column->type], shape);
    size_t total = (size_t)(10 + length + 1 + 63) / 64 * 64;
    memset(header, ' ', total);
    memcpy(header, "\x93NUMPY\1\0", 8);
    header[8] = (uint8_t)((total - 10) & 255);
    header[9] = (uint8_t)((total - 10) >> 8);
    memcpy(header + 10, text, (size_t)length);
    header[total - 1] = '\n';
    return total;
}

static elb_status table_npy_begin(elb_table *t)
{
    uint8_t header[TABLE_HEADER_MAX];
    for (int i = 0; i < t->count; i++) {
        ELB_TRY(elb_writer_seek(t->writer, t->begin[i]));
        ELB_TRY(elb_writer_put(t->writer, header, table_npy_header(&t->columns[i], header)));
    }
    return ELB_OK;
}

static elb_status table_npy_append(elb_table *t, const elb_column *block)
{
    uint8_t header[TABLE_HEADER_MAX];
    for (int i = 0; i < t->count; i++) {
        int64_t row = table_row_bytes(&block[i]), size = row * block[i].shape[0];
        int64_t values = t->begin[i] + (int64_t)table_npy_header(&t->columns[i], header);
        if (size == 0) continue;
        ELB_TRY(elb_writer_seek(t->writer, values + row * t->rows[i]));
        ELB_TRY(elb_writer_put(t->writer, block[i].values, (size_t)size));
    }
    return ELB_OK;
}

/* --- NPZ: an archive of NPY files --- */

static elb_status table_npz_begin(elb_table *t)
{
    t->zip.limit = UINT32_MAX;
    for (int i = 0; i < t->count; i++) {
        const elb_column *column = &t->columns[i];
        uint8_t header[TABLE_HEADER_MAX];
        int64_t length = (int64_t)table_npy_header(column, header);
        char name[ELB_ZIP_NAME_MAX + 1]; /* one that was cut is still too long */
        snprintf(name, sizeof name, "%s.npy", column->name);
        ELB_TRY(
            elb_zip_add(t->context, &t->zip, name, length + table_row_bytes(column) * column->shape[0], &t->begin[i]));
        t->zip.entries[i].crc = (uint32_t)crc32_z(0, header, (z_size_t)length);
    }
    return table_npy_begin(t);
}

static elb_status table_npz_append(elb_table *t, const elb_column *block)
{
    for (int i = 0; i < t->count; i++) {
        int64_t size = table_row_bytes(&block[i]) * block[i].shape[0];
        uint32_t *crc = &t->zip.entries[i].crc;
        if (size > 0) *crc = (uint32_t)crc32_z(*crc, block[i].values, (z_size_t)size);
    }
    return table_npy_append(t, block);
}

static elb_status table_npz_end(elb_table *t)
{
    return elb_zip_finish(&t->zip, t->writer);
}

/* --- CSV --- */

static elb_status table_csv_check(elb_context *c, const elb_column *columns, int count)
{
    for (int i = 1; i < count; i++)
        if (columns[i].shape[0] != columns[0].shape[0])
            return elb_fail(
                c, ELB_USAGE, "'%s' has %lld rows and '%s' %lld: a CSV file needs the same number, name it .npz",
                columns[0].name, (long long)columns[0].shape[0], columns[i].name, (long long)columns[i].shape[0]);
    return ELB_OK;
}

static elb_status table_csv_begin(elb_table *t)
{
    ELB_TRY(table_csv_check(t->context, t->columns, t->count));
    if (t->columns[0].shape[0] == 0)
        return elb_fail(t->context, ELB_USAGE, "there are no rows to write into a CSV file");
    for (int i = 0; i < t->count; i++) {
        const elb_column *column = &t->columns[i];
        if (column->rank == 1) ELB_TRY(elb_writer_printf(t->writer, "%s%s", i ? "," : "", column->name));
        for (int64_t k = 0; column->rank > 1 && k < table_width(column); k++)
            ELB_TRY(elb_writer_printf(t->writer, "%s%s_%lld", i || k ? "," : "", column->name, (long long)k));
    }
    return elb_writer_put(t->writer, "\n", 1);
}

static elb_status table_csv_value(elb_writer *w, const elb_column *column, int64_t at)
{
    char text[ELB_NUMBER_SIZE];
    switch (column->type) {
    case ELB_COLUMN_DOUBLE: elb_number_format(((const double *)column->values)[at], text); break;
    case ELB_COLUMN_FLOAT: elb_number_format(((const float *)column->values)[at], text); break;
    case ELB_COLUMN_INT64: snprintf(text, sizeof text, "%lld", (long long)((const int64_t *)column->values)[at]); break;
    }
    return elb_writer_put(w, text, strlen(text));
}

static elb_status table_csv_append(elb_table *t, const elb_column *block)
{
    ELB_TRY(table_csv_check(t->context, block, t->count));
    for (int64_t row = 0; row < block[0].shape[0]; row++) {
        for (int i = 0; i < t->count; i++) {
            int64_t width = table_width(&block[i]);
            for (int64_t k = 0; k < width; k++) {
                if (i || k) ELB_TRY(elb_writer_put(t->writer, ",", 1));
                ELB_TRY(table_csv_value(t->writer, &block[i], row * width + k));
            }
        }
        ELB_TRY(elb_writer_put(t->writer, "\n", 1));
    }
    return ELB_OK;
}

/* --- by extension --- */

static const table_format table_formats[] = {
    {".npz", table_npz_begin, table_npz_append, table_npz_end},
    {".npy", table_npy_begin, table_npy_append, NULL},
    {".csv", table_csv_begin, table_csv_append, NULL},
};

static elb_status table_format_choose(elb_context *c, const char *path, int count, const table_format **format)
{
    const char *dot = strrchr(path, '.');
    *format = NULL;
    for (size_t i = 0; dot && i < sizeof table_formats / sizeof *table_formats; i++)
        if (strcmp(dot, table_formats[i].ending) == 0) *format = &table_formats[i];
    if (!*format)
        return elb_fail(c, ELB_USAGE, "'%s' must end in %s.csv, to say what to write", path,
                        count == 1 ? ".npz, .npy or " : ".npz or ");
    if ((*format)->begin == table_npy_begin && count != 1)
        return elb_fail(c, ELB_USAGE, "an NPY file holds one array and not %d: name the file .npz or .csv", count);
    return ELB_OK;
}

elb_status elb_table_check(elb_context *c, const char *path, int count)
{
    const table_format *format;
    elb_writer *w = NULL;
    ELB_TRY(table_format_choose(c, path, count, &format));
    ELB_TRY(elb_writer_open(c, path, &w));
    elb_writer_discard(w);
    return ELB_OK;
}

static elb_status table_check(elb_context *c, const elb_column *columns, int count)
{
    if (count < 1 || count > TABLE_COLUMNS_MAX)
        return elb_fail(c, ELB_USAGE, "a file of %d arrays cannot be written: 1 to %d are expected", count,
                        TABLE_COLUMNS_MAX);
    for (int i = 0; i < count; i++) {
        int64_t n = 8;
        bool good = columns[i].rank >= 1 && columns[i].rank <= 3;
        for (int k = 0; good && k < columns[i].rank; k++) good = elb_mul_fits(n, columns[i].shape[k], &n);
        if (!good || n > INT64_MAX - TABLE_HEADER_MAX)
            return elb_fail(c, ELB_USAGE, "the array '%s' has no writable shape: rank 1 to 3 is expected",
                            columns[i].name);
    }
    return ELB_OK;
}

/* --- row by row --- */

elb_status elb_table_open(elb_context *c, const char *path, const elb_column *columns, int count, elb_table **table)
{
    const table_format *format;
    *table = NULL;
    ELB_TRY(table_check(c, columns, count));
    ELB_TRY(table_format_choose(c, path, count, &format));
    elb_table *t = elb_alloc(c, 1, sizeof *t);
    if (!t) return ELB_MEMORY;
    t->context = c;
    t->format = format;
    t->count = count;
    memcpy(t->columns, columns, (size_t)count * sizeof *columns);
    elb_status status = elb_writer_open(c, path, &t->writer);
    if (status == ELB_OK) status = format->begin(t);
    if (status != ELB_OK) {
        elb_table_discard(t);
        return status;
    }
    *table = t;
    return ELB_OK;
}

elb_status elb_table_append(elb_table *t, const elb_column *block)
{
    for (int i = 0; i < t->count; i++)
        if (block[i].shape[0] > t->columns[i].shape[0] - t->rows[i])
            return elb_fail(t->context, ELB_USAGE, "the array '%s' was announced with %lld rows, and more came",
                            t->columns[i].name, (long long)t->columns[i].shape[0]);
    ELB_TRY(t->format->append(t, block));
    for (int i = 0; i < t->count; i++) t->rows[i] += block[i].shape[0];
    return ELB_OK;
}

static elb_status table_finish(elb_table *t)
{
    for (int i = 0; i < t->count; i++)
        if (t->rows[i] < t->columns[i].shape[0])
            return elb_fail(t->context, ELB_USAGE, "the array '%s' was announced with %lld rows, and %lld came",
                            t->columns[i].name, (long long)t->columns[i].shape[0], (long long)t->rows[i]);
    return t->format->end ? t->format->end(t) : ELB_OK;
}

elb_status elb_table_commit(elb_table *t)
{
    elb_status status = table_finish(t);
    if (status == ELB_OK) {
        status = elb_writer_commit(t->writer);
        t->writer = NULL;
    }
    elb_table_discard(t);
    return status;
}

void elb_table_discard(elb_table *t)
{
    if (!t) return;
    elb_writer_discard(t->writer);
    elb_free(t->context, t);
}

elb_status elb_table_write(elb_context *c, const char *path, const elb_column *columns, int count)
{
    elb_table *t;
    ELB_TRY(elb_table_open(c, path, columns, count, &t));
    elb_status status = elb_table_append(t, columns);
    if (status == ELB_OK) return elb_table_commit(t);
    elb_table_discard(t);
    return status;
}
