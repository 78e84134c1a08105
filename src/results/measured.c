/* SPDX-License-Identifier: Apache-2.0 */
#include "results/measured.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "results/reader.h"
#include "results/record.h"
#include "stats/summary.h"

/* What was met of a part: sums over instances, and over the intervals of a window. */
struct tally {
    hist_sum sum;      /* of a counter, a gauge's integrals [level x ns], a histogram's values */
    uint64_t n;        /* values of a histogram */
    uint64_t min, max; /* of a histogram while n is not 0; of a gauge only max */
};

/* What is made of one part. */
struct taking {
    const struct measure_part *part;
    struct tally *tally;        /* one, or one for each interval */
    struct hist_counts *counts; /* of all values; or its figures of one interval of one instance */
};

/* Who reads a record for a measure. */
struct measuring {
    struct taking taking[2];
    uint32_t n;
    bool whole;          /* it is the numbers of the whole run that count; else those of */
    uint32_t first, end; /* these intervals */
    bool apart;          /* ... each by itself */
};

/* Where a number counts; NULL: nowhere. */
static inline struct tally *tally_of(const struct measuring *m, const struct taking *t,
                                     const struct record_place *place)
{
    if (t->part->row[place->group] != place->row ||
        place->instance - t->part->first >= t->part->count) {
        return NULL;
    }
    if (m->whole) {
        return place->interval == RECORD_WHOLE ? t->tally : NULL;
    }
    bool counts = place->interval >= m->first && place->interval < m->end;
    return counts ? t->tally + (m->apart ? place->interval : 0) : NULL;
}

static void take_counter(void *context, const struct record_place *place, uint64_t value)
{
    const struct measuring *m = context;
    for (const struct taking *t = m->taking; t < m->taking + m->n; t++) {
        struct tally *to = tally_of(m, t, place);
        if (to) {
            to->sum += value;
        }
    }
}

static void take_gauge(void *context, const struct record_place *place,
                       const struct record_gauge *g)
{
    const struct measuring *m = context;
    for (const struct taking *t = m->taking; t < m->taking + m->n; t++) {
        struct tally *to = tally_of(m, t, place);
        if (to) {
            to->sum += g->integral;
            to->max = (uint64_t)g->max > to->max ? (uint64_t)g->max : to->max;
        }
    }
}

static void take_figures(struct tally *to, const struct hist_counts *from)
{
    if (from->total > 0) {
        to->min = to->n == 0 || from->min < to->min ? from->min : to->min;
        to->max = from->max > to->max ? from->max : to->max;
        to->n += from->total;
        to->sum += from->sum;
    }
}

static void take_histogram(void *context, const struct record_place *place,
                           const struct record_histogram *h)
{
    const struct measuring *m = context;
    const struct histogram exact = {.total = h->total, .sum = h->sum, .min = h->min, .max = h->max};
    for (const struct taking *t = m->taking; t < m->taking + m->n; t++) {
        struct tally *to = tally_of(m, t, place);
        if (!to) {
            continue;
        }
        hist_counts_add_bins(t->counts, m->whole ? &exact : NULL, h->n, h->bin, h->count);
        if (m->apart) {
            take_figures(to, t->counts);
            t->counts->total = t->counts->min = t->counts->max = 0;
            t->counts->sum = 0;
        }
    }
}

static void pass_entry(void *context, const struct record_place *place,
                       const struct record_entry *e)
{
    (void)context;
    (void)place;
    (void)e;
}

static void pass_trace(void *context, const struct record_place *place, const struct trace_row *row)
{
    (void)context;
    (void)place;
    (void)row;
}

static void pass_dropped(void *context, const struct record_place *place, uint64_t n)
{
    (void)context;
    (void)place;
    (void)n;
}

/* Walks the record of a replication that ended well. */
static bool read_record(struct measuring *m, const void *record, size_t size,
                        const struct blueprint *b, struct results_error *e)
{
    const struct record_visitor visitor = {
        take_counter, take_gauge, take_histogram, pass_entry, pass_trace, pass_dropped, m};
    struct record_head head;
    return record_decode(record, size, b, &visitor, &head, e);
}

/* Of what was met in so many nanoseconds of simulated time, more than 0. Of histograms `counts` is
 * looked at for quantiles only. */
static double value_of(const struct measure_part *p, const struct tally *t,
                       const struct hist_counts *counts, sim_time observed)
{
    double seconds = (double)observed / (double)SIM_TIME_S;
    double one = strcmp(p->unit, "ns") == 0 ? (double)SIM_TIME_S : 1.0;
    bool none = p->kind == STAT_HISTOGRAM && t->n == 0;
    switch (p->what) {
    case MEASURE_TOTAL:
        return (double)t->sum / one;
    case MEASURE_RATE:
        return (double)t->sum / one / seconds;
    case MEASURE_COUNT:
        return (double)t->n;
    case MEASURE_MEAN:
        return none                    ? NAN
               : p->kind == STAT_GAUGE ? (double)t->sum / (double)SIM_TIME_S / seconds
                                       : (double)t->sum / (double)t->n / one;
    case MEASURE_MIN:
        return none ? NAN : (double)t->min / one;
    case MEASURE_MAX:
        return none ? NAN : (double)t->max / one;
    case MEASURE_QUANTILE:
        break;
    }
    return none ? NAN : hist_quantile(counts, p->p, NULL) / one;
}

/* Of the tallies at a place. */
static double value_at(const struct measuring *m, uint32_t place, sim_time observed)
{
    const struct taking *t = m->taking;
    double value = value_of(t[0].part, &t[0].tally[place], t[0].counts, observed);
    if (m->n == 1) {
        return value;
    }
    double by = value_of(t[1].part, &t[1].tally[place], t[1].counts, observed);
    return by == 0.0 ? NAN : value / by;
}

/* Time that the intervals first .. end - 1 have in a run up to `run_end` [ns]. */
static sim_time observed_in(const struct measure *m, uint32_t first, uint32_t end, sim_time run_end)
{
    sim_time from = (sim_time)first * m->interval;
    /* The last interval is the one that the end of the run may cut short. */
    return end == m->n_intervals ? run_end - from : (sim_time)end * m->interval - from;
}

/* False, with the reason, when a quantile is asked of values whose buckets were not kept. */
static bool check_buckets(const struct measuring *m, struct results_error *e)
{
    for (const struct taking *t = m->taking; t < m->taking + m->n; t++) {
        if (t->part->what == MEASURE_QUANTILE && !results_has_buckets(t->counts)) {
            return results_fail(e, "a replication was recorded without the buckets of histograms, "
                                   "so it has no percentiles");
        }
    }
    return true;
}

bool measured_value(const struct measure *m, const void *record, size_t size,
                    const struct blueprint *b, double *value, struct results_error *e)
{
    struct tally tally[2] = {{.n = 0}};
    struct hist_counts counts[2];
    struct record_head head;
    struct measuring reading = {
        .n = m->n_parts, .whole = m->end == 0, .first = m->first, .end = m->end};
    *value = NAN;
    if (!record_head_decode(record, size, &head, e)) {
        return false;
    }
    sim_time observed =
        m->end == 0 ? head.sim_end - head.warmup : observed_in(m, m->first, m->end, head.sim_end);
    if (head.status != RUN_OK || observed <= 0) {
        return true;
    }
    for (uint32_t i = 0; i < m->n_parts; i++) {
        reading.taking[i] = (struct taking){&m->part[i], &tally[i], &counts[i]};
        if (m->part[i].kind == STAT_HISTOGRAM) {
            memset(&counts[i], 0, sizeof counts[i]);
        }
    }
    if (!read_record(&reading, record, size, b, e) || !check_buckets(&reading, e)) {
        return false;
    }
    for (uint32_t i = 0; i < m->n_parts; i++) {
        if (m->part[i].kind == STAT_HISTOGRAM) {
            take_figures(&tally[i], &counts[i]);
        }
    }
    *value = value_at(&reading, 0, observed);
    return true;
}

bool measured_series(const struct measure *m, const void *record, size_t size,
                     const struct blueprint *b, double *value, struct results_error *e)
{
    struct record_head head;
    for (uint32_t k = 0; k < m->n_intervals; k++) {
        value[k] = NAN;
    }
    if (!record_head_decode(record, size, &head, e)) {
        return false;
    }
    if (head.status != RUN_OK) {
        return true;
    }
    struct measuring reading = {.n = m->n_parts, .end = m->n_intervals, .apart = true};
    for (uint32_t i = 0; i < m->n_parts; i++) {
        struct taking *t = &reading.taking[i];
        *t = (struct taking){.part = &m->part[i]};
        t->tally = calloc(m->n_intervals, sizeof *t->tally);
        t->counts = calloc(1, sizeof *t->counts);
        CHECK(t->tally && t->counts, "out of memory for the series of a measure");
    }
    bool ok = read_record(&reading, record, size, b, e);
    for (uint32_t k = 0; ok && k < m->n_intervals; k++) {
        value[k] = value_at(&reading, k, observed_in(m, k, k + 1, head.sim_end));
    }
    for (uint32_t i = 0; i < m->n_parts; i++) {
        free(reading.taking[i].tally);
        free(reading.taking[i].counts);
    }
    return ok;
}

/* False when there are no values at all. */
static bool bridge_gaps(double *value, uint32_t n)
{
    uint32_t first = 0;
    while (first < n && isnan(value[first])) {
        first++;
    }
    for (uint32_t k = 0; first < n && k < n; k++) {
        value[k] = k < first ? value[first] : isnan(value[k]) ? value[k - 1] : value[k];
    }
    return first < n;
}

bool measured_warmup(const struct measure *m, const void *record, size_t size,
                     const struct blueprint *b, struct measured_warmup *warmup,
                     struct results_error *e)
{
    *warmup = (struct measured_warmup){.unsteady = true};
    double *value = calloc(m->n_intervals, sizeof *value);
    CHECK(value, "out of memory for the series of a measure");
    bool ok = measured_series(m, record, size, b, value, e);
    if (ok && bridge_gaps(value, m->n_intervals)) {
        struct mser mser = summary_mser5(value, m->n_intervals);
        *warmup = (struct measured_warmup){(sim_time)mser.cut * m->interval, mser.unsteady};
    }
    free(value);
    return ok;
}
