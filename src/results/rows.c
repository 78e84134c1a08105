/* SPDX-License-Identifier: Apache-2.0 */
#include "results/rows.h"

#include <stdio.h>

bool rows_open(struct h5 *h, const char *path, uint64_t n, struct rows *r)
{
    *r = (struct rows){0};
    bool open_end = n == ROWS_GROW;
    char edge[LAYOUT_PATH];
    snprintf(edge, sizeof edge, "%s/row_edge", path);
    snprintf(r->edge, sizeof r->edge, "%s", open_end ? edge : "");
    snprintf(r->nonzero, sizeof r->nonzero, "%s/nonzero", path);
    const hid_t stored[LAYOUT_ROWS] = {H5T_STD_U64LE, H5T_STD_U16LE, H5T_STD_U64LE};
    for (int i = 0; i < LAYOUT_ROWS; i++) {
        r->part[i].dataset = -1;
        snprintf(r->path[i], LAYOUT_PATH, "%s/%s", path, layout_rows[i].path);
    }
    bool ok = h5_scale_bare(h, edge, open_end ? 0 : n + 1, open_end) &&
              h5_scale_bare(h, r->nonzero, 0, true);
    for (int i = 0; ok && i < LAYOUT_ROWS; i++) {
        bool in_rows = i != LAYOUT_OFFSETS, grows = in_rows || open_end;
        ok = h5_append_open(h, r->path[i], stored[i], grows ? 0 : n + 1, grows,
                            in_rows ? r->nonzero : edge, layout_rows[i].unit,
                            layout_rows[i].long_name, &r->part[i]);
    }
    return ok && h5_append(h, &r->part[LAYOUT_OFFSETS], 0);
}

bool rows_put(struct h5 *h, struct rows *r, uint32_t n, const uint32_t *bin, const uint64_t *count)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!h5_append(h, &r->part[LAYOUT_BIN], bin[i]) ||
            !h5_append(h, &r->part[LAYOUT_COUNT], count[i])) {
            return false;
        }
    }
    r->n_values += n;
    r->n_rows++;
    return h5_append(h, &r->part[LAYOUT_OFFSETS], r->n_values);
}

bool rows_reach(struct h5 *h, struct rows *r, uint64_t row)
{
    bool ok = true;
    for (; ok && r->n_rows < row; r->n_rows++) {
        ok = h5_append(h, &r->part[LAYOUT_OFFSETS], r->n_values);
    }
    return ok;
}

bool rows_close(struct h5 *h, struct rows *r)
{
    bool ok = true;
    for (int i = 0; i < LAYOUT_ROWS; i++) {
        ok = h5_append_close(h, &r->part[i]) && ok;
    }
    return ok && h5_scale_stretch(h, r->nonzero, r->n_values) &&
           (!r->edge[0] || h5_scale_stretch(h, r->edge, r->n_rows + 1));
}
