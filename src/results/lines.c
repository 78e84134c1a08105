/* SPDX-License-Identifier: Apache-2.0 */
#include "results/lines.h"

#include <stdio.h>

static bool open_column(struct h5 *h, const struct layout_named *column,
                        const struct stat_spec *row, struct lines *l, int i)
{
    char long_name[LAYOUT_PATH];
    bool of_row = row && !column->unit;
    snprintf(long_name, sizeof long_name, "%s%s%s", column->long_name, of_row ? ": " : "",
             of_row ? row->doc : "");
    return h5_append_open(h, l->path[i], H5T_STD_U64LE, 0, true, l->dimension,
                          of_row ? row->unit : column->unit, long_name, &l->part[i]);
}

bool lines_open(struct h5 *h, const char *path, const struct layout_named *columns, int n_columns,
                const struct stat_spec *row, struct lines *l)
{
    *l = (struct lines){.n_columns = n_columns};
    snprintf(l->dimension, sizeof l->dimension, "%s/line", path);
    for (int i = 0; i < n_columns; i++) {
        l->part[i].dataset = -1;
        snprintf(l->path[i], LAYOUT_PATH, "%s/%s", path, columns[i].path);
    }
    bool ok = h5_group(h, path) && h5_scale_bare(h, l->dimension, 0, true);
    for (int i = 0; ok && i < n_columns; i++) {
        ok = open_column(h, &columns[i], row, l, i);
    }
    return ok;
}

bool lines_put(struct h5 *h, struct lines *l, const uint64_t *value)
{
    bool ok = true;
    for (int i = 0; ok && i < l->n_columns; i++) {
        ok = h5_append(h, &l->part[i], value[i]);
    }
    l->n++;
    return ok;
}

bool lines_close(struct h5 *h, struct lines *l)
{
    bool ok = true;
    for (int i = 0; i < l->n_columns; i++) {
        ok = h5_append_close(h, &l->part[i]) && ok;
    }
    return ok && h5_scale_stretch(h, l->dimension, l->n);
}
