/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the reader share. Only for them.
 */
#ifndef SQUALL_RESULTS_READER_PARTS_H
#define SQUALL_RESULTS_READER_PARTS_H

#include "results/h5_read.h"
#include "results/reader.h"

/* Parts of results_open, whose errors go where the file's do: the points and what they have on the
 * axes; the intervals of time series. */
bool reader_axes(struct results *r);
bool reader_intervals(struct results *r);

/* Opens bin, count and offsets of compressed rows (results/layout.h), and closes them, also after a
 * failure. */
bool reader_rows_open(struct results *r, const char *group, struct h5_numbers *part);
void reader_rows_close(struct h5_numbers *part);

/* Whether these are places of buckets; the numbers go to `bin`. */
bool reader_bins(struct h5_numbers *part, const uint64_t *number, hsize_t n, uint32_t *bin);

#endif
