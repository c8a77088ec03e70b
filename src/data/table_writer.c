/* table_writer.c - results as NPZ, NPY or CSV. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/number.h"
#include "data/table_writer.h"

enum { TABLE_HEADER_MAX = 256, TABLE_NAME_MAX = 128, TABLE_COLUMNS_MAX = 64 };

static int64_t table_count(const elb_column *column)
{
    int64_t n = 1;
    for (int i = 0; i < column->rank; i++) n *= column->shape[i];
    return n;
}

static int64_t table_bytes(const elb_column *column)
{
    return table_count(column) * (column->type == ELB_COLUMN_FLOAT ? 4 : 8);
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

static elb_status table_put_npy(elb_writer *w, const elb_column *column)
{
    uint8_t header[TABLE_HEADER_MAX];
    ELB_TRY(elb_writer_put(w, header, table_npy_header(column, header)));
    return elb_writer_put(w, column->values, (size_t)table_bytes(column));
}

static elb_status table_npy(elb_context *c, elb_writer *w, const elb_column *columns, int count)
{
    (void)c;
    (void)count; /* table_format_choose has seen to it */
    return table_put_npy(w, columns);
}

/* --- NPZ --- */

typedef struct table_entry {
    char name[TABLE_NAME_MAX];
    uint32_t crc, size, offset;
} table_entry;

static void table_u16(uint8_t **p, uint32_t value)
{
    *(*p)++ = (uint8_t)value;
    *(*p)++ = (uint8_t)(value >> 8);
}

static void table_u32(uint8_t **p, uint32_t value)
{
    table_u16(p, value & 0xffff);
    table_u16(p, value >> 16);
}

/* The fields that a local header and a directory entry share: version 2.0, stored, 1 January 1980. */
static void table_zip_common(uint8_t **p, const table_entry *e)
{
    table_u16(p, 20);
    table_u16(p, 0);          /* flags */
    table_u16(p, 0);          /* stored */
    table_u16(p, 0);          /* time */
    table_u16(p, 1 << 5 | 1); /* date */
    table_u32(p, e->crc);
    table_u32(p, e->size);
    table_u32(p, e->size);
    table_u16(p, (uint32_t)strlen(e->name));
    table_u16(p, 0); /* extra field */
}

static elb_status table_zip_local(elb_writer *w, const elb_column *column, const table_entry *e)
{
    uint8_t header[30], *p = header;
    table_u32(&p, 0x04034b50);
    table_zip_common(&p, e);
    ELB_TRY(elb_writer_put(w, header, sizeof header));
    ELB_TRY(elb_writer_put(w, e->name, strlen(e->name)));
    return table_put_npy(w, column);
}

static elb_status table_zip_directory(elb_writer *w, const table_entry *e)
{
    uint8_t header[46] = {0}, *p = header;
    table_u32(&p, 0x02014b50);
    table_u16(&p, 20);
    table_zip_common(&p, e);
    p = header + 42; /* no comment, no attributes */
    table_u32(&p, e->offset);
    ELB_TRY(elb_writer_put(w, header, sizeof header));
    return elb_writer_put(w, e->name, strlen(e->name));
}

static elb_status table_zip_end(elb_writer *w, int count, int64_t offset, int64_t size)
{
    uint8_t end[22] = {0}, *p = end;
    table_u32(&p, 0x06054b50);
    p = end + 8;
    table_u16(&p, (uint32_t)count);
    table_u16(&p, (uint32_t)count);
    table_u32(&p, (uint32_t)size);
    table_u32(&p, (uint32_t)offset);
    return elb_writer_put(w, end, sizeof end);
}

static elb_status table_entry_make(elb_context *c, const elb_column *column, int64_t offset, table_entry *e)
{
    uint8_t header[TABLE_HEADER_MAX];
    size_t length = table_npy_header(column, header);
    int64_t size = (int64_t)length + table_bytes(column);
    if (size >= UINT32_MAX - TABLE_HEADER_MAX - offset)
        return elb_fail(c, ELB_USAGE,
                        "the arrays are more than the 4 GiB that an NPZ file holds: write fewer, or one as .npy");
    if (snprintf(e->name, sizeof e->name, "%s.npy", column->name) >= (int)sizeof e->name)
        return elb_fail(c, ELB_USAGE, "the array name '%s' is too long for an NPZ file", column->name);
    e->crc = (uint32_t)crc32_z(0, header, length);
    if (size > (int64_t)length) e->crc = (uint32_t)crc32_z(e->crc, column->values, (z_size_t)table_bytes(column));
    e->size = (uint32_t)size;
    e->offset = (uint32_t)offset;
    return ELB_OK;
}

static elb_status table_npz(elb_context *c, elb_writer *w, const elb_column *columns, int count)
{
    table_entry entries[TABLE_COLUMNS_MAX];
    int64_t offset = 0, directory = 0;
    for (int i = 0; i < count; i++) {
        ELB_TRY(table_entry_make(c, &columns[i], offset, &entries[i]));
        ELB_TRY(table_zip_local(w, &columns[i], &entries[i]));
        offset += 30 + (int64_t)strlen(entries[i].name) + entries[i].size;
    }
    for (int i = 0; i < count; i++) {
        ELB_TRY(table_zip_directory(w, &entries[i]));
        directory += 46 + (int64_t)strlen(entries[i].name);
    }
    return table_zip_end(w, count, offset, directory);
}

/* --- CSV --- */

static elb_status table_csv_header(elb_writer *w, const elb_column *columns, int count)
{
    for (int i = 0; i < count; i++) {
        int64_t width = table_count(&columns[i]) / columns[i].shape[0];
        if (columns[i].rank == 1) ELB_TRY(elb_writer_printf(w, "%s%s", i ? "," : "", columns[i].name));
        for (int64_t k = 0; columns[i].rank > 1 && k < width; k++)
            ELB_TRY(elb_writer_printf(w, "%s%s_%lld", i || k ? "," : "", columns[i].name, (long long)k));
    }
    return elb_writer_put(w, "\n", 1);
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

static elb_status table_csv(elb_context *c, elb_writer *w, const elb_column *columns, int count)
{
    int64_t rows = columns[0].shape[0];
    for (int i = 1; i < count; i++)
        if (columns[i].shape[0] != rows)
            return elb_fail(c, ELB_USAGE,
                            "'%s' has %lld rows and '%s' %lld: a CSV file needs the same number, name it .npz",
                            columns[0].name, (long long)rows, columns[i].name, (long long)columns[i].shape[0]);
    if (rows == 0) return elb_fail(c, ELB_USAGE, "there are no rows to write into a CSV file");
    ELB_TRY(table_csv_header(w, columns, count));
    for (int64_t row = 0; row < rows; row++) {
        for (int i = 0; i < count; i++) {
            int64_t width = table_count(&columns[i]) / rows;
            for (int64_t k = 0; k < width; k++) {
                if (i || k) ELB_TRY(elb_writer_put(w, ",", 1));
                ELB_TRY(table_csv_value(w, &columns[i], row * width + k));
            }
        }
        ELB_TRY(elb_writer_put(w, "\n", 1));
    }
    return ELB_OK;
}

/* --- by extension --- */

typedef elb_status (*table_format)(elb_context *c, elb_writer *w, const elb_column *columns, int count);

static table_format table_format_find(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".npz") == 0) return table_npz;
    if (dot && strcmp(dot, ".npy") == 0) return table_npy;
    if (dot && strcmp(dot, ".csv") == 0) return table_csv;
    return NULL;
}

static elb_status table_format_choose(elb_context *c, const char *path, int count, table_format *format)
{
    *format = table_format_find(path);
    if (!*format)
        return elb_fail(c, ELB_USAGE, "'%s' must end in %s.csv, to say what to write", path,
                        count == 1 ? ".npz, .npy or " : ".npz or ");
    if (*format == table_npy && count != 1)
        return elb_fail(c, ELB_USAGE, "an NPY file holds one array and not %d: name the file .npz or .csv", count);
    return ELB_OK;
}

elb_status elb_table_check(elb_context *c, const char *path, int count)
{
    table_format format;
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
        if (!good)
            return elb_fail(c, ELB_USAGE, "the array '%s' has no writable shape: rank 1 to 3 is expected",
                            columns[i].name);
    }
    return ELB_OK;
}

elb_status elb_table_write(elb_context *c, const char *path, const elb_column *columns, int count)
{
    table_format format;
    elb_writer *w = NULL;
    ELB_TRY(table_check(c, columns, count));
    ELB_TRY(table_format_choose(c, path, count, &format));
    ELB_TRY(elb_writer_open(c, path, &w));
    elb_status status = format(c, w, columns, count);
    if (status == ELB_OK) return elb_writer_commit(w);
    elb_writer_discard(w);
    return status;
}
