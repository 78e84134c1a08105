/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed rows (see results/layout.h) being written, one after another. Only for the writer.
 */
#ifndef SQUALL_RESULTS_ROWS_H
#define SQUALL_RESULTS_ROWS_H

#include "results/h5.h"
#include "results/layout.h"

struct rows {
    struct h5_append part[LAYOUT_ROWS];
    char path[LAYOUT_ROWS][LAYOUT_PATH]; /* of the datasets */
    char edge[LAYOUT_PATH];              /* the dimension along offsets, if it grows, else "" */
    char nonzero[LAYOUT_PATH];           /* the dimension along bin and count */
    uint64_t n_values;                   /* in bin and count so far */
    uint64_t n_rows;                     /* so far */
};

#define ROWS_GROW UINT64_MAX

/* In the group at `path`, `n` rows, or as many as come (ROWS_GROW). To be closed also when false is
 * returned. */
bool rows_open(struct h5 *h, const char *path, uint64_t n, struct rows *r);
bool rows_put(struct h5 *h, struct rows *r, uint32_t n, const uint32_t *bin, const uint64_t *count);
/* Empty rows up to before `row`. */
bool rows_reach(struct h5 *h, struct rows *r, uint64_t row);
bool rows_close(struct h5 *h, struct rows *r);

#endif
