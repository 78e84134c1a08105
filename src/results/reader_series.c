/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading time series. Numbers come in boxes of few entities, compressed rows, of which those of
 * neighbouring entities stand together, in long pieces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "results/layout.h"
#include "results/reader_parts.h"

enum { PIECE = 1 << 16 }; /* numbers of a dataset in memory at a time; more than HIST_BINS */

bool reader_intervals(struct results *r)
{
    hsize_t n = 0;
    bool ok = H5Lexists(r->file->file, "series", H5P_DEFAULT) <= 0 ||
              h5_get_numbers(r->file, &r->memory, "series/interval_length", &r->lengths, &n);
    r->n_intervals = n;
    return ok;
}

bool results_sampled(struct results *r, const struct results_type *t, struct results_range range,
                     struct results_range *sampled, struct results_error *e)
{
    struct arena memory = {0};
    r->file->error = e;
    *sampled = (struct results_range){0, 0};
    const char *group = arena_format(&memory, "series/%s", t->name), *const * names;
    hsize_t n = 0;
    bool ok = true;
    if (r->n_intervals > 0 && H5Lexists(r->file->file, group, H5P_DEFAULT) > 0) {
        ok = h5_get_texts(r->file, &memory, arena_format(&memory, "%s/entity", group), &names, &n);
    }
    for (hsize_t i = 0; i < n && sampled->count < range.count; i++) {
        if (strcmp(names[i], t->entities[range.first + sampled->count]) == 0) {
            sampled->first = sampled->count ? sampled->first : i;
            sampled->count++;
        }
    }
    arena_close(&memory);
    return ok;
}

/* The column that is added up. */
static void series_path(const struct results_type *t, const struct stat_spec *row, char *path)
{
    CHECK(row->kind == STAT_COUNTER || row->kind == STAT_GAUGE, "%s has no such series", row->name);
    layout_path(&layout_columns(row->kind, true)[0], t->name, row->name, path, LAYOUT_PATH);
}

/* Of some entities in one replication. */
static bool add_box(struct results *r, struct h5_numbers *column, const hsize_t *start,
                    const hsize_t *count, uint64_t *box, uint64_t *value)
{
    bool ok = h5_numbers_get(column, start, count, box);
    for (uint64_t i = 0; ok && i < count[2] * count[3]; i++) {
        uint64_t *to = &value[i % r->n_intervals];
        ok = !__builtin_add_overflow(*to, box[i], to) ||
             results_fail(r->file->error, "a sum of time series exceeds 2^64");
    }
    return ok;
}

bool results_series(struct results *r, const struct results_type *t, const struct stat_spec *row,
                    uint64_t point, struct results_range sampled, const bool *counts,
                    uint64_t *value, struct results_error *e)
{
    char path[LAYOUT_PATH];
    struct h5_numbers column;
    uint64_t wide = PIECE / r->n_intervals ? PIECE / r->n_intervals : 1;
    uint64_t *box = malloc(wide * r->n_intervals * sizeof *box);
    CHECK(box != NULL, "out of memory for results");
    r->file->error = e;
    series_path(t, row, path);
    memset(value, 0, r->n_intervals * sizeof *value);
    bool ok = h5_numbers_open(r->file, path, H5_RANK, &column);
    for (uint64_t n = 0; ok && n < r->meta.n_replications; n++) {
        for (uint64_t i = 0; ok && counts[n] && i < sampled.count; i += wide) {
            uint64_t left = sampled.count - i;
            const hsize_t start[] = {point, n, sampled.first + i, 0};
            const hsize_t count[] = {1, 1, left < wide ? left : wide, r->n_intervals};
            ok = add_box(r, &column, start, count, box, value);
        }
    }
    h5_numbers_close(&column);
    free(box);
    return ok;
}

/* Neighbouring rows, of which a piece is in memory. */
struct row_reader {
    struct h5_numbers part[LAYOUT_ROWS];
    uint64_t first, n; /* the piece */
    uint64_t *number, *count;
    uint32_t *bin;
};

static bool damaged(struct results *r, const struct row_reader *rows)
{
    return results_fail(r->file->error, "cannot read %s: %s has rows that cannot be", r->file->path,
                        rows->part[LAYOUT_OFFSETS].path);
}

/* Makes sure that buckets `from` .. `to` - 1 are in memory; `end` is where all of them end. */
static bool reach(struct row_reader *rows, uint64_t from, uint64_t to, uint64_t end)
{
    if (from >= rows->first && to <= rows->first + rows->n) {
        return true;
    }
    const hsize_t start = from, n = end - from < PIECE ? end - from : PIECE;
    rows->first = from;
    rows->n = n;
    return h5_numbers_get(&rows->part[LAYOUT_BIN], &start, &n, rows->number) &&
           h5_numbers_get(&rows->part[LAYOUT_COUNT], &start, &n, rows->count) &&
           reader_bins(&rows->part[LAYOUT_BIN], rows->number, n, rows->bin);
}

/* Adds one row after the other; `offset` has one more than there are rows. */
static bool add_rows(struct results *r, struct row_reader *rows, const uint64_t *offset, uint64_t n,
                     const uint32_t *place, struct hist_counts *to)
{
    bool ok = true;
    for (uint64_t k = 0; ok && k < n; k++) {
        uint64_t from = offset[k], end = offset[k + 1];
        if (end < from || end - from > HIST_BINS || offset[n] < end) {
            return damaged(r, rows);
        }
        ok = end == from || reach(rows, from, end, offset[n]);
        if (ok && end > from) {
            uint64_t at = from - rows->first;
            hist_counts_add_bins(&to[place[k % r->n_intervals]], NULL, end - from, rows->bin + at,
                                 rows->count + at);
        }
    }
    return ok;
}

static bool read_rows(struct results *r, struct row_reader *rows, uint64_t first, uint64_t n,
                      const uint32_t *place, struct hist_counts *to)
{
    uint64_t *offset = malloc((n + 1) * sizeof *offset);
    rows->number = malloc(PIECE * sizeof *rows->number);
    rows->count = malloc(PIECE * sizeof *rows->count);
    rows->bin = malloc(PIECE * sizeof *rows->bin);
    CHECK(offset && rows->number && rows->count && rows->bin, "out of memory for results");
    const hsize_t start = first, number = n + 1;
    bool ok = h5_numbers_get(&rows->part[LAYOUT_OFFSETS], &start, &number, offset) &&
              add_rows(r, rows, offset, n, place, to);
    free(offset);
    free(rows->number);
    free(rows->count);
    free(rows->bin);
    return ok;
}

/* The places of the rows depend on how many entities keep series. */
static bool count_sampled(struct results *r, const struct results_type *t, uint64_t *n)
{
    char path[LAYOUT_PATH];
    snprintf(path, sizeof path, "series/%s/entity", t->name);
    hid_t id = H5Dopen2(r->file->file, path, H5P_DEFAULT);
    H5_TRY(r->file, path, id);
    hid_t space = H5Dget_space(id);
    hssize_t size = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    H5Dclose(id);
    *n = size > 0 ? (uint64_t)size : 0;
    return true;
}

bool results_series_histogram(struct results *r, const struct results_type *t,
                              const struct stat_spec *row, uint64_t point,
                              struct results_range sampled, const uint32_t *place,
                              struct hist_counts *to, struct results_error *e)
{
    CHECK(row->kind == STAT_HISTOGRAM, "%s is no histogram", row->name);
    char group[LAYOUT_PATH];
    struct row_reader rows = {.n = 0};
    uint64_t all = 0;
    r->file->error = e;
    layout_rows_path(true, t->name, row->name, group, sizeof group);
    bool ok = count_sampled(r, t, &all) && reader_rows_open(r, group, rows.part) &&
              read_rows(r, &rows, (point * all + sampled.first) * r->n_intervals,
                        sampled.count * r->n_intervals, place, to);
    reader_rows_close(rows.part);
    return ok;
}
