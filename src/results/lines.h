/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines (see results/layout.h) being written, one after another: columns of numbers side by side
 * along a dimension that grows. Only for the writer.
 */
#ifndef SQUALL_RESULTS_LINES_H
#define SQUALL_RESULTS_LINES_H

#include "results/h5.h"
#include "results/layout.h"

enum { LINES_COLUMNS = LAYOUT_TRACES }; /* most of them */

struct lines {
    struct h5_append part[LINES_COLUMNS];
    char path[LINES_COLUMNS][LAYOUT_PATH]; /* of the datasets */
    char dimension[LAYOUT_PATH];
    int n_columns;
    uint64_t n; /* so far */
};

/* In the group at `path`, which is made. `row` (may be NULL) is whose unit and doc complete those
 * of the columns. To be closed also when false is returned. */
bool lines_open(struct h5 *h, const char *path, const struct layout_named *columns, int n_columns,
                const struct stat_spec *row, struct lines *l);
bool lines_put(struct h5 *h, struct lines *l, const uint64_t *value); /* one of each column */
bool lines_close(struct h5 *h, struct lines *l);

#endif
