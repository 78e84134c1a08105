/* SPDX-License-Identifier: Apache-2.0
 *
 * Time series as lines of blocks: of a counter its rate, of a gauge its level, both averaged over
 * the replications that count, of a histogram the 99th percentile of all values of a block's time.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "cli/inspect.h"
#include "model/axis.h"

static const double quantile = 0.99;
enum { BESIDE = 34, FEWEST = 8 }; /* columns that the figures beside a line take; blocks */

/* Intervals are taken together, as many as it takes to have room. */
struct blocks {
    struct view *view;
    const struct lot *lot;
    struct results_range sampled;
    size_t n;                   /* blocks */
    uint32_t *place;            /* by interval: its block */
    double *seconds;            /* by block */
    bool *counts;               /* by replication */
    double *value;              /* by block; room for it */
    struct hist_counts *pooled; /* owned; by block; NULL until a histogram is read */
};

static void divide(struct blocks *b, size_t room)
{
    struct view *v = b->view;
    uint64_t n = v->results.n_intervals;
    uint64_t together = (n + room - 1) / room;
    b->n = (n + together - 1) / together;
    b->place = arena_take(&v->lot, n * sizeof *b->place);
    b->seconds = arena_take(&v->lot, b->n * sizeof *b->seconds);
    b->value = arena_take(&v->lot, b->n * sizeof *b->value);
    for (uint64_t k = 0; k < n; k++) {
        b->place[k] = (uint32_t)(k / together);
        b->seconds[b->place[k]] += (double)v->results.lengths[k] / (double)SIM_TIME_S;
    }
    b->counts = arena_take(&v->lot, v->results.meta.n_replications * sizeof *b->counts);
    for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
        b->counts[r] = v->observed[r] > 0.0;
    }
}

/* By second, or the level. */
static bool read_sums(struct blocks *b, const struct stat_spec *row)
{
    struct view *v = b->view;
    uint64_t n = v->results.n_intervals, *sum = arena_take(&v->lot, n * sizeof *sum);
    if (!results_series(&v->results, b->lot->type, row, v->point, b->sampled, b->counts, sum,
                        &v->error)) {
        return false;
    }
    memset(b->value, 0, b->n * sizeof *b->value);
    for (uint64_t k = 0; k < n; k++) {
        b->value[b->place[k]] += (double)sum[k];
    }
    double one = row->kind == STAT_GAUGE ? (double)SIM_TIME_S : 1.0;
    for (size_t i = 0; i < b->n; i++) {
        b->value[i] /= one * b->seconds[i] * (double)v->n_ok;
    }
    return true;
}

static bool read_quantiles(struct blocks *b, const struct stat_spec *row)
{
    struct view *v = b->view;
    b->pooled = b->pooled ? b->pooled : malloc(b->n * sizeof *b->pooled);
    CHECK(b->pooled, "out of memory for time series");
    memset(b->pooled, 0, b->n * sizeof *b->pooled);
    if (!results_series_histogram(&v->results, b->lot->type, row, v->point, b->sampled, b->place,
                                  b->pooled, &v->error)) {
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        b->value[i] = b->pooled[i].total > 0 ? hist_quantile(&b->pooled[i], quantile, NULL) : NAN;
    }
    return true;
}

/* "requests_sent by second". */
static const char *label(struct view *v, const struct stat_spec *row)
{
    return row->kind == STAT_COUNTER ? arena_format(&v->lot, "%s per second", row->name)
           : row->kind == STAT_HISTOGRAM
               ? arena_format(&v->lot, "%s p%g", row->name, 100.0 * quantile)
               : row->name;
}

static bool put_series(struct blocks *b, struct table *t, const struct stat_spec *row)
{
    struct view *v = b->view;
    if (!(row->kind == STAT_HISTOGRAM ? read_quantiles : read_sums)(b, row)) {
        return false;
    }
    double least, most;
    const char *line = sparkline_draw(b->value, b->n, &v->lot, &least, &most);
    const char *unit =
        row->kind == STAT_COUNTER ? arena_format(&v->lot, "%s/s", row->unit) : row->unit;
    if (!isnan(least)) {
        table_row(t, label(v, row));
        table_text(t, line);
        table_figure(t, least, NAN, unit, "");
        table_figure(t, most, NAN, unit, "");
    }
    return true;
}

/* Rows that have something to tell; breakdowns have no series. */
static bool is_shown(const struct entry *e)
{
    return e->row && e->row->kind != STAT_BREAKDOWN;
}

static void put_head(const struct blocks *b, struct table *t)
{
    struct view *v = b->view;
    table_head(t, "over time");
    const char *begin = units_write_duration(0).text;
    table_text(t, arena_format(&v->lot, "%s to %s, %s each", begin,
                               units_write_duration(v->results.meta.end).text,
                               axis_write(b->seconds[0], "s").text));
    table_text(t, "least");
    table_text(t, "most");
}

bool inspect_print_series(struct view *v, const struct lot *lot, const struct entry *entries,
                          size_t n)
{
    struct blocks b = {.view = v, .lot = lot};
    size_t widest = 0, room = table_room(stdout);
    if (!sparkline_wanted(v->options->sparklines, stdout) || v->n_ok == 0) {
        return true;
    }
    if (!results_sampled(&v->results, lot->type, lot->range, &b.sampled, &v->error)) {
        return false;
    }
    for (const struct entry *e = entries; e < entries + n; e++) {
        size_t width = is_shown(e) ? strlen(label(v, e->row)) : 0;
        widest = width > widest ? width : widest;
    }
    if (b.sampled.count == 0 || widest == 0) {
        return true;
    }
    struct table t = {.rows = NULL, .width = room};
    divide(&b, room > widest + BESIDE + FEWEST ? room - widest - BESIDE : FEWEST);
    put_head(&b, &t);
    bool ok = true;
    for (const struct entry *e = entries; ok && e < entries + n; e++) {
        ok = !is_shown(e) || put_series(&b, &t, e->row);
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
    free(b.pooled);
    return ok;
}
