/* readers.h - one parser per format. Each reads a block of memory and trusts nothing in it: sizes are compared with the
 * block's before memory is asked for. On failure *array holds nothing. `locate` reads the header alone.
 * Errors: ELB_DATA, ELB_MEMORY. */
#ifndef ELB_READERS_H
#define ELB_READERS_H

#include "data/array.h"

/* IDX, the format of MNIST: magic 0 0 type rank, big-endian dimensions, values. */
elb_status elb_idx_locate(elb_context *c, const uint8_t *bytes, int64_t size, elb_layout *layout);
elb_status elb_idx_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);

/* NumPy's NPY, versions 1 to 3: booleans, integers, and floats of 16 to 64 bits, in either byte order, in C or Fortran
 * order. */
elb_status elb_npy_locate(elb_context *c, const uint8_t *bytes, int64_t size, elb_layout *layout);
elb_status elb_npy_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);

/* NumPy's NPZ: a zip of NPY files, stored or deflated. key "": the only array, or the one named "x". */
elb_status elb_npz_parse(elb_context *c, const uint8_t *bytes, int64_t size, const char *key, elb_array *array);

/* Numbers separated by commas, semicolons or tabs, one datum per line; blank lines are skipped. A first line without
 * any number is a header. An empty field or "nan" is NaN. Gives floats [lines, fields]. */
elb_status elb_csv_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);

/* One PNG with at most 8 bits per channel; palettes become RGB, an alpha channel is dropped. Gives 8-bit
 * [1, height, width] or [1, height, width, 3]. */
elb_status elb_png_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);

/* Every file *.png of a folder, in the byte order of the names; all must have the same size and number of channels.
 * Also ELB_FAILURE for a folder or file that cannot be read. */
elb_status elb_png_folder_read(elb_context *c, const char *folder, elb_array *array);

#endif
