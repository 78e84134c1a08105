/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of a results file with their intervals.
 *
 * Replications are independent, what happens within one is not, so every interval comes from
 * replications: those that ended well, with one value from each.
 *   means, rates   mean of the values, and the half width of its interval by Student's t
 *   quantiles      the quantile of all values together, because that of a small sample is biased in
 *                  the tail; the interval by sectioning (Asmussen and Glynn, "Stochastic
 *                  Simulation", 2007; Nakayama, ACM TOMACS 24(4), 2014): Student's t with the
 *                  deviations of the replications' quantiles taken from that quantile instead of
 *                  from their own mean, so that this bias widens it
 *   min, max       of all values; exact
 * Antithetic replications 2k and 2k+1 depend on each other, so the mean of such a pair is one
 * value, and so is the mean of their quantiles (stats/summary.h).
 * Buckets make a quantile uncertain, too. CSV and JSON have that bound beside the half width;
 * tables show the larger of the two.
 */
#include "cli/inspect.h"

#include <math.h>
#include <string.h>

#include "stats/summary.h"

struct summary inspect_observe(const double *values, uint64_t n, bool pairs)
{
    struct summary s = {0};
    for (uint64_t r = 0; pairs && r + 1 < n; r += 2) {
        summary_add_pair(&s, values[r], values[r + 1]);
    }
    for (uint64_t r = 0; !pairs && r < n; r++) {
        if (!isnan(values[r])) {
            summary_add(&s, values[r]);
        }
    }
    return s;
}

/* One for each replication; none of them has any yet. */
static double *take_values(struct view *v)
{
    uint64_t n = v->results.meta.n_replications;
    double *values = arena_take(&v->lot, n * sizeof *values);
    for (uint64_t r = 0; r < n; r++) {
        values[r] = NAN;
    }
    return values;
}

/* The largest; NAN where there is none. */
static double largest(const struct view *v, const double *values)
{
    double most = NAN;
    for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
        most = fmax(most, values[r]);
    }
    return most;
}

struct figure inspect_mean(const struct view *v, const char *measure, const char *unit,
                           const double *values)
{
    struct summary s = inspect_observe(values, v->results.meta.n_replications, v->pairs);
    return (struct figure){.measure = measure,
                           .unit = unit,
                           .value = s.n > 0 ? s.mean : NAN,
                           .half_width = summary_half_width(&s, v->options->confidence),
                           .replications = v->pairs ? 2 * s.n : s.n,
                           .values = values};
}

static struct figure exact_figure(const struct view *v, const char *measure, const char *unit,
                                  const double *values, double value)
{
    uint64_t n = 0;
    for (uint64_t r = 0; values && r < v->results.meta.n_replications; r++) {
        n += !isnan(values[r]);
    }
    return (struct figure){.measure = measure,
                           .unit = unit,
                           .value = n > 0 ? value : NAN,
                           .half_width = NAN,
                           .replications = n,
                           .values = values};
}

static void begin_entry(struct view *v, struct entry *e, size_t n)
{
    e->figures = arena_take(&v->lot, n * sizeof *e->figures);
    e->n = n;
}

static const char *per_second(struct view *v, const char *unit)
{
    return arena_format(&v->lot, "%s/s", unit);
}

static bool read_counter(struct view *v, const struct lot *lot, struct entry *e)
{
    uint64_t n = v->results.meta.n_replications;
    uint64_t *value = arena_take(&v->lot, n * sizeof *value);
    if (!results_counter(&v->results, lot->type, e->row, v->point, lot->range, value, &v->error)) {
        return false;
    }
    double *number = take_values(v), *rate = take_values(v);
    for (uint64_t r = 0; r < n; r++) {
        if (v->observed[r] > 0.0) {
            number[r] = (double)value[r];
            rate[r] = (double)value[r] / v->observed[r];
        }
    }
    begin_entry(v, e, 2);
    e->figures[FIGURE_NUMBER] = inspect_mean(v, "mean", e->row->unit, number);
    e->figures[FIGURE_RATE] = inspect_mean(v, "rate", per_second(v, e->row->unit), rate);
    e->zero = !(largest(v, number) > 0.0);
    return true;
}

static bool read_gauge(struct view *v, const struct lot *lot, struct entry *e)
{
    uint64_t n = v->results.meta.n_replications;
    struct record_gauge *value = arena_take(&v->lot, n * sizeof *value);
    if (!results_gauge(&v->results, lot->type, e->row, v->point, lot->range, value, &v->error)) {
        return false;
    }
    double *level = take_values(v), *most = take_values(v);
    for (uint64_t r = 0; r < n; r++) {
        if (v->observed[r] > 0.0) {
            level[r] = (double)value[r].integral / (double)SIM_TIME_S / v->observed[r];
            most[r] = (double)value[r].max;
        }
    }
    begin_entry(v, e, 2);
    e->figures[FIGURE_LEVEL] = inspect_mean(v, "mean", e->row->unit, level);
    e->figures[FIGURE_MOST] = exact_figure(v, "max", e->row->unit, most, largest(v, most));
    e->zero = !(largest(v, level) > 0.0 || largest(v, most) > 0.0);
    return true;
}

void inspect_digest_begin(struct view *v, struct digest *d)
{
    size_t n = v->options->n_quantiles;
    *d = (struct digest){.count = take_values(v),
                         .mean = take_values(v),
                         .min = take_values(v),
                         .max = take_values(v)};
    d->quantiles = arena_take(&v->lot, n * sizeof *d->quantiles);
    for (size_t q = 0; q < n; q++) {
        d->quantiles[q] = take_values(v);
    }
}

void inspect_digest_add(const struct view *v, struct digest *d, uint64_t replication,
                        const struct hist_counts *part, struct hist_counts *pooled)
{
    d->count[replication] = (double)part->total;
    if (part->total == 0) {
        return;
    }
    d->mean[replication] = (double)part->sum / (double)part->total;
    d->min[replication] = (double)part->min;
    d->max[replication] = (double)part->max;
    d->bare = d->bare || !results_has_buckets(part);
    for (size_t q = 0; !d->bare && q < v->options->n_quantiles; q++) {
        d->quantiles[q][replication] = hist_quantile(part, v->options->quantiles[q].p, NULL);
    }
    hist_counts_merge(pooled, part);
}

static struct figure quantile_figure(const struct view *v, const struct digest *d,
                                     const struct hist_counts *pooled, size_t q, const char *unit)
{
    const struct quantile *wanted = &v->options->quantiles[q];
    if (d->bare || pooled->total == 0) {
        return exact_figure(v, wanted->name, unit, NULL, NAN);
    }
    double bound, value = hist_quantile(pooled, wanted->p, &bound);
    struct summary s = inspect_observe(d->quantiles[q], v->results.meta.n_replications, v->pairs);
    summary_about(&s, value);
    struct figure figure = inspect_mean(v, wanted->name, unit, d->quantiles[q]);
    figure.value = s.n > 0 ? value : NAN;
    figure.half_width = summary_half_width(&s, v->options->confidence);
    figure.bound = bound;
    figure.pooled = true;
    double outer = wanted->p > 0.5 ? wanted->p : 1.0 - wanted->p;
    figure.thin = pooled->total < summary_quantile_least(outer, v->options->confidence);
    return figure;
}

void inspect_digest_end(struct view *v, const struct digest *d, const struct hist_counts *pooled,
                        struct entry *e)
{
    size_t n = v->options->n_quantiles;
    struct digest all = *d;
    const char *unit = e->row->unit;
    all.bare = d->bare || !results_has_buckets(pooled);
    begin_entry(v, e, n + 4);
    e->figures[FIGURE_COUNT] = inspect_mean(v, "count", "1", d->count);
    e->figures[FIGURE_MEAN] = inspect_mean(v, "mean", unit, d->mean);
    e->figures[FIGURE_MIN] = exact_figure(v, "min", unit, d->min, (double)pooled->min);
    for (size_t q = 0; q < n; q++) {
        e->figures[FIGURE_QUANTILES + q] = quantile_figure(v, &all, pooled, q, unit);
    }
    e->figures[FIGURE_QUANTILES + n] = exact_figure(v, "max", unit, d->max, (double)pooled->max);
    e->zero = pooled->total == 0;
}

static bool read_histogram(struct view *v, const struct lot *lot, struct entry *e)
{
    struct digest d;
    inspect_digest_begin(v, &d);
    memset(v->pooled, 0, sizeof *v->pooled);
    for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
        if (!(v->observed[r] > 0.0)) {
            continue;
        }
        memset(v->part, 0, sizeof *v->part);
        if (!results_histogram(&v->results, lot->type, e->row, v->point, r, lot->range, v->part,
                               &v->error)) {
            return false;
        }
        inspect_digest_add(v, &d, r, v->part, v->pooled);
    }
    inspect_digest_end(v, &d, v->pooled, e);
    return true;
}

bool inspect_read(struct view *v, const struct lot *lot, struct entry *e)
{
    switch (e->row->kind) {
    case STAT_COUNTER:
        return read_counter(v, lot, e);
    case STAT_GAUGE:
        return read_gauge(v, lot, e);
    case STAT_BREAKDOWN:
        return inspect_read_breakdown(v, lot, e);
    case STAT_HISTOGRAM:
        break;
    }
    return read_histogram(v, lot, e);
}
