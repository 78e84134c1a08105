/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading lines: breakdowns and the trace. They are sorted by point, so those of one are found by
 * bisection and read part by part.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "results/layout.h"
#include "results/reader_parts.h"

enum { PART = 1 << 12 }; /* lines in memory at a time */

struct reading {
    struct results *results;
    const char *group; /* path */
    int n_columns;
    struct h5_numbers column[LAYOUT_TRACES];
    uint64_t *part; /* owned; [column][PART] */
};

static bool open_lines(struct reading *l, struct results *r, const char *group,
                       const struct layout_named *columns, int n_columns)
{
    char path[LAYOUT_PATH + 16];
    *l = (struct reading){.results = r, .group = group, .n_columns = n_columns};
    l->part = malloc((size_t)n_columns * PART * sizeof *l->part);
    CHECK(l->part != NULL, "out of memory for results");
    bool ok = true;
    for (int i = 0; ok && i < n_columns; i++) {
        snprintf(path, sizeof path, "%s/%s", group, columns[i].path);
        ok = h5_numbers_open(r->file, path, 1, &l->column[i]);
    }
    return ok;
}

static void close_lines(struct reading *l)
{
    for (int i = 0; i < l->n_columns; i++) {
        h5_numbers_close(&l->column[i]);
    }
    free(l->part);
}

static uint64_t count_lines(const struct reading *l)
{
    hid_t space = H5Dget_space(l->column[0].id);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return n > 0 ? (uint64_t)n : 0;
}

/* The first line of a point or a later one; the point is the first column. */
static bool find_point(struct reading *l, uint64_t point, uint64_t *line)
{
    uint64_t low = 0, high = count_lines(l);
    while (low < high) {
        const hsize_t middle = low + (high - low) / 2, one = 1;
        uint64_t value;
        if (!h5_numbers_get(&l->column[0], &middle, &one, &value)) {
            return false;
        }
        if (value < point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *line = low;
    return true;
}

static bool damaged(const struct reading *l)
{
    return results_fail(l->results->file->error, "cannot read %s: %s has lines that cannot be",
                        l->results->file->path, l->group);
}

/* Called for each line with one number of each column. False ends the walk with an error. */
typedef bool take_line(void *context, uint64_t line, const uint64_t *number);

static bool walk_lines(struct reading *l, uint64_t point, take_line *take, void *context)
{
    uint64_t first = 0, last = 0, number[LAYOUT_TRACES];
    bool ok = find_point(l, point, &first) && find_point(l, point + 1, &last);
    for (uint64_t at = first; ok && at < last; at += PART) {
        const hsize_t start = at, n = last - at < PART ? last - at : PART;
        for (int c = 0; ok && c < l->n_columns; c++) {
            ok = h5_numbers_get(&l->column[c], &start, &n, l->part + (size_t)c * PART);
        }
        for (uint64_t i = 0; ok && i < n; i++) {
            for (int c = 0; c < l->n_columns; c++) {
                number[c] = l->part[(size_t)c * PART + i];
            }
            /* The second column is the replication, wherever there are lines. */
            ok = number[1] < l->results->meta.n_replications ? take(context, at + i, number)
                                                             : damaged(l);
        }
    }
    return ok;
}

/* Who walks a breakdown. */
struct walking {
    struct reading lines;
    struct h5_numbers rows[LAYOUT_ROWS];
    struct results_range range;
    results_take_entry *take;
    void *context;
    uint32_t bin[HIST_BINS];
    uint64_t count[HIST_BINS], number[HIST_BINS];
};

/* The buckets of a line: none, where only the exact figures were kept. */
static bool read_row(struct walking *w, uint64_t line, struct record_histogram *h)
{
    uint64_t from[2], counted = 0;
    const hsize_t start = line, two = 2;
    if (!h5_numbers_get(&w->rows[LAYOUT_OFFSETS], &start, &two, from)) {
        return false;
    }
    if (from[1] < from[0] || from[1] - from[0] > HIST_BINS) {
        return damaged(&w->lines);
    }
    const hsize_t first = from[0], n = from[1] - from[0];
    if (n > 0 && (!h5_numbers_get(&w->rows[LAYOUT_BIN], &first, &n, w->number) ||
                  !h5_numbers_get(&w->rows[LAYOUT_COUNT], &first, &n, w->count))) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (w->number[i] >= HIST_BINS || __builtin_add_overflow(counted, w->count[i], &counted)) {
            return damaged(&w->lines);
        }
        w->bin[i] = (uint32_t)w->number[i];
    }
    h->n = (uint32_t)n;
    return n == 0 || counted == h->total || damaged(&w->lines);
}

static bool take_entry(void *context, uint64_t line, const uint64_t *number)
{
    struct walking *w = context;
    uint64_t entity = number[LAYOUT_ENTRY_ENTITY], group = number[LAYOUT_ENTRY_PEER];
    if (entity - w->range.first >= w->range.count) {
        return true;
    }
    if (group >= w->lines.results->n_groups || number[LAYOUT_ENTRY_STATUS] > UINT16_MAX) {
        return damaged(&w->lines);
    }
    struct record_entry e = {.key = {(uint32_t)group, (uint16_t)number[LAYOUT_ENTRY_STATUS]},
                             .values = {.total = number[LAYOUT_ENTRY_TOTAL],
                                        .sum = number[LAYOUT_ENTRY_SUM],
                                        .min = number[LAYOUT_ENTRY_MIN],
                                        .max = number[LAYOUT_ENTRY_MAX],
                                        .bin = w->bin,
                                        .count = w->count}};
    return read_row(w, line, &e.values) &&
           w->take(w->context, number[LAYOUT_ENTRY_REPLICATION], entity, &e);
}

bool results_breakdown(struct results *r, const struct results_type *t, const struct stat_spec *row,
                       uint64_t point, struct results_range range, results_take_entry *take,
                       void *context, struct results_error *e)
{
    CHECK(row->kind == STAT_BREAKDOWN, "%s is no breakdown", row->name);
    r->file->error = e;
    struct walking *w = calloc(1, sizeof *w);
    CHECK(w != NULL, "out of memory for results");
    w->range = range;
    w->take = take;
    w->context = context;
    char group[LAYOUT_PATH];
    snprintf(group, sizeof group, "%s/%s/%s", layout_section(row->kind), t->name, row->name);
    bool ok = open_lines(&w->lines, r, group, layout_entries, LAYOUT_ENTRIES) &&
              reader_rows_open(r, group, w->rows) && walk_lines(&w->lines, point, take_entry, w);
    close_lines(&w->lines);
    reader_rows_close(w->rows);
    free(w);
    return ok;
}

/* Who walks the trace. */
struct tracing {
    struct reading lines;
    results_take_trace *take;
    void *context;
};

static bool take_trace(void *context, uint64_t line, const uint64_t *number)
{
    struct tracing *t = context;
    (void)line;
    if (number[LAYOUT_TRACE_KIND] >= TRACE_KINDS || number[LAYOUT_TRACE_ERROR] > UINT8_MAX ||
        number[LAYOUT_TRACE_STATUS] > UINT16_MAX || number[LAYOUT_TRACE_ATTEMPT] > UINT32_MAX) {
        return damaged(&t->lines);
    }
    const struct trace_row row = {.time = (sim_time)number[LAYOUT_TRACE_TIME],
                                  .request = number[LAYOUT_TRACE_REQUEST],
                                  .wait = (sim_time)number[LAYOUT_TRACE_WAIT],
                                  .total = (sim_time)number[LAYOUT_TRACE_TOTAL],
                                  .attempt = (uint32_t)number[LAYOUT_TRACE_ATTEMPT],
                                  .status = (uint16_t)number[LAYOUT_TRACE_STATUS],
                                  .kind = (uint8_t)number[LAYOUT_TRACE_KIND],
                                  .error = (uint8_t)number[LAYOUT_TRACE_ERROR]};
    return t->take(t->context, number[LAYOUT_TRACE_REPLICATION], number[LAYOUT_TRACE_ENTITY], &row);
}

bool results_trace(struct results *r, uint64_t point, results_take_trace *take, void *context,
                   struct results_error *e)
{
    r->file->error = e;
    if (!r->traced) {
        return true;
    }
    struct tracing t = {.take = take, .context = context};
    bool ok = open_lines(&t.lines, r, LAYOUT_TRACE, layout_traces, LAYOUT_TRACES) &&
              walk_lines(&t.lines, point, take_trace, &t);
    close_lines(&t.lines);
    return ok;
}
