/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/concurrency_limit.h"

#include <math.h>
#include <string.h>

#include "base/loglinear.h"

enum {
    FIRST = 10,      /* rtts of which gradient2 takes the plain mean */
    LOW_AT_MOST = 5, /* updates in a row to min_limit before base is measured anew */
    PRECISION = 5,   /* bits of a bucket's number of rtts */
    BUCKETS = 1888   /* loglinear_bin(INT64_MAX, PRECISION) + 1 */
};
enum { MILLION = 1000000 };

#define LIMIT(member, fallback, doc) P_COUNT(concurrency_limit, member, fallback, 1, 1e9, doc)
#define WINDOW_ROWS \
    P_MAYBE_DURATION(concurrency_limit, window, "none", 1, 1e15, \
                     "Time over which samples are gathered into one; none: each counts."), \
        P_COUNT(concurrency_limit, window_size, "10", 1, 1e9, \
                "Samples without which a window does not count."), \
        P_DURATION(concurrency_limit, min_rtt_threshold, "100us", 0, 1e18, \
                   "Shorter times are not gathered.")

static const struct param_spec fixed_rows[] = {
    P_COUNT(concurrency_limit, limit, NULL, 1, 1e9, "Requests in flight at most."), P_END};

static const struct param_spec aimd_rows[] = {
    LIMIT(initial_limit, "20", "Limit at the start."),
    LIMIT(min_limit, "20", "Limit at least."),
    LIMIT(max_limit, "200", "Limit at most."),
    P_REAL(concurrency_limit, backoff_ratio, "0.9", 0.5, 0.999999, "1",
           "What a request dropped, or too slow, multiplies the limit by."),
    P_DURATION(concurrency_limit, timeout, "5s", 1, 1e18,
               "A request that took longer is too slow."),
    WINDOW_ROWS,
    P_END};

static const struct param_spec vegas_rows[] = {
    LIMIT(initial_limit, "20", "Limit at the start."),
    LIMIT(max_limit, "1000", "Limit at most."),
    P_COUNT(concurrency_limit, alpha, "3", 1, 1e6,
            "Requests waiting, by the times seen, below which the limit grows, times its log10."),
    P_COUNT(concurrency_limit, beta, "6", 1, 1e6, "The same, above which it shrinks."),
    P_REAL(concurrency_limit, smoothing, "1", 1e-6, 1, "1", "Share of a new limit in the limit."),
    P_COUNT(concurrency_limit, probe_multiplier, "30", 1, 1e9,
            "Times the limit: samples after which the shortest time is forgotten."),
    WINDOW_ROWS,
    P_END};

static const struct param_spec gradient2_rows[] = {
    LIMIT(initial_limit, "20", "Limit at the start."),
    LIMIT(min_limit, "20", "Limit at least."),
    LIMIT(max_limit, "200", "Limit at most."),
    P_COUNT(concurrency_limit, queue_size, "4", 0, 1e9, "What the limit grows by while it can."),
    P_REAL(concurrency_limit, rtt_tolerance, "1.5", 1, 1e6, "1",
           "How many times as long as on average a request may take before the limit shrinks."),
    P_REAL(concurrency_limit, smoothing, "0.2", 1e-6, 1, "1", "Share of a new limit in the limit."),
    P_COUNT(concurrency_limit, long_window, "600", 1, 1e9, "Samples that the average goes back."),
    WINDOW_ROWS,
    P_END};

static const struct param_spec gradient_rows[] = {
    P_COUNT(concurrency_limit, min_limit, "3", 1, 1e9,
            "Limit at least, and while the shortest time is measured."),
    LIMIT(max_limit, "1000", "Limit at most."),
    P_REAL(concurrency_limit, sample_percentile, "50%", 1e-6, 1, "1",
           "Which percentile of the times counts."),
    P_DURATION(concurrency_limit, update_interval, "100ms", 1, 1e15,
               "Time from one new limit to the next."),
    P_DURATION(concurrency_limit, min_rtt_interval, "60s", 1e6, 1e15,
               "Time after which the shortest time is measured anew, ..."),
    P_REAL(concurrency_limit, jitter, "15%", 0, 1, "1",
           "... and by how much of it more, at random, at most."),
    P_COUNT(concurrency_limit, request_count, "50", 1, 1e9, "Requests by which it is measured."),
    P_REAL(concurrency_limit, buffer, "25%", 0, 1, "1", "What is added to it."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "There is no limit.", .tag = CONCURRENCY_NONE},
    {.name = "fixed",
     .summary = "The limit stays as it is.",
     .tag = CONCURRENCY_FIXED,
     .rows = fixed_rows},
    {.name = "aimd",
     .summary =
         "It grows by one with each success near it, and falls by a share with each failure.",
     .tag = CONCURRENCY_AIMD,
     .rows = aimd_rows},
    {.name = "vegas",
     .summary = "It follows the queue that the times seen tell of (TCP Vegas).",
     .tag = CONCURRENCY_VEGAS,
     .rows = vegas_rows},
    {.name = "gradient2",
     .summary = "It shrinks as requests take longer than on average.",
     .tag = CONCURRENCY_GRADIENT2,
     .rows = gradient2_rows},
    {.name = "gradient",
     .summary = "It shrinks as requests take longer than when few are in flight, which is measured "
                "now and then (Envoy).",
     .tag = CONCURRENCY_GRADIENT,
     .rows = gradient_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct concurrency_limit *l = value;
    if (l->kind == CONCURRENCY_FIXED) {
        l->initial_limit = l->limit;
    } else if (l->kind == CONCURRENCY_VEGAS) {
        l->min_limit = 1;
    } else if (l->kind == CONCURRENCY_GRADIENT) {
        l->initial_limit = l->min_limit;
    }
    if (l->kind >= CONCURRENCY_AIMD &&
        (l->min_limit > l->initial_limit || l->initial_limit > l->max_limit)) {
        diag_error(diag, at,
                   l->kind == CONCURRENCY_GRADIENT
                       ? "min_limit must not be above max_limit"
                       : "initial_limit must lie between the least limit and max_limit");
    }
    if (l->kind == CONCURRENCY_VEGAS && l->alpha > l->beta) {
        diag_error(diag, at, "alpha must not be above beta");
    }
}

const struct choice concurrency_limit_choice = {
    .name = "concurrency limit",
    .summary = "How many requests may be in flight.",
    .size = sizeof(struct concurrency_limit),
    .tag_offset = SCHEMA_OFFSET(int, concurrency_limit, kind),
    .alternatives = alternatives,
    .derive = derive,
};

size_t concurrency_state_size(const struct concurrency_limit *l)
{
    if (l->kind == CONCURRENCY_NONE) {
        return 0;
    }
    size_t buckets = l->kind == CONCURRENCY_GRADIENT ? BUCKETS : 0;
    return sizeof(struct concurrency_state) + buckets * sizeof(uint32_t);
}

static double bounded(const struct concurrency_limit *l, double limit)
{
    return fmax((double)l->min_limit, fmin((double)l->max_limit, limit));
}

static double draw_jitter(struct rng_stream *stream)
{
    return 0.5 + 0.5 * rng_unit(stream);
}

static void begin(const struct concurrency_limit *l, struct concurrency_state *s,
                  struct rng_stream *stream)
{
    s->limit = (double)l->initial_limit;
    s->gradient.put_aside = s->limit;
    if (l->kind == CONCURRENCY_VEGAS) {
        s->vegas.jitter = draw_jitter(stream);
    }
}

/* --- aimd -------------------------------------------------------------------------------- */

static void learn_aimd(const struct concurrency_limit *l, struct concurrency_state *s,
                       const struct concurrency_sample *sample)
{
    double limit = s->limit;
    if (sample->dropped || sample->rtt > l->timeout) {
        limit = floor(limit * l->backoff_ratio);
    } else if ((double)sample->in_flight * 2.0 >= limit) {
        limit += 1.0;
    }
    s->limit = bounded(l, limit);
}

/* --- vegas ------------------------------------------------------------------------------- */

static double lg(double limit)
{
    int64_t rest = (int64_t)limit, digits = 0;
    while (rest >= 10) {
        rest /= 10;
        digits++;
    }
    return digits > 1 ? (double)digits : 1.0;
}

/* What the limit is to be, before bounds and smoothing. */
static double vegas_step(const struct concurrency_limit *l, const struct concurrency_state *s,
                         const struct concurrency_sample *sample)
{
    double limit = s->limit, step = lg(limit);
    double queue = ceil(limit * (1.0 - (double)s->vegas.base / (double)sample->rtt));
    if (sample->dropped) {
        return limit - step;
    }
    if ((double)sample->in_flight * 2.0 < limit) {
        return limit;
    }
    if (queue <= step) {
        return limit + (double)l->beta * step;
    }
    if (queue < (double)l->alpha * step) {
        return limit + step;
    }
    return queue > (double)l->beta * step ? limit - step : limit;
}

static void learn_vegas(const struct concurrency_limit *l, struct concurrency_state *s,
                        const struct concurrency_sample *sample, struct rng_stream *stream)
{
    s->vegas.samples++;
    if (s->vegas.jitter * (double)l->probe_multiplier * s->limit <= (double)s->vegas.samples) {
        s->vegas.jitter = draw_jitter(stream);
        s->vegas.samples = 0;
        s->vegas.base = sample->rtt;
    } else if (s->vegas.base == 0 || sample->rtt < s->vegas.base) {
        s->vegas.base = sample->rtt;
    } else {
        double limit = bounded(l, vegas_step(l, s, sample));
        s->limit = (1.0 - l->smoothing) * s->limit + l->smoothing * limit;
    }
}

/* --- gradient2 --------------------------------------------------------------------------- */

/* The long-term average, with this rtt in it. */
static double average(const struct concurrency_limit *l, struct concurrency_state *s, double rtt)
{
    if (s->gradient2.first < FIRST) {
        s->gradient2.sum += rtt;
        s->gradient2.average = s->gradient2.sum / ++s->gradient2.first;
    } else {
        double weight = 2.0 / ((double)l->long_window + 1.0);
        s->gradient2.average = s->gradient2.average * (1.0 - weight) + rtt * weight;
    }
    return s->gradient2.average;
}

static void learn_gradient2(const struct concurrency_limit *l, struct concurrency_state *s,
                            const struct concurrency_sample *sample)
{
    double rtt = (double)sample->rtt, longer = average(l, s, rtt);
    if (longer / rtt > 2.0) {
        s->gradient2.average *= 0.95;
    }
    if ((double)sample->in_flight < s->limit / 2.0) {
        return;
    }
    double gradient = fmax(0.5, fmin(1.0, l->rtt_tolerance * longer / rtt));
    double limit = s->limit * gradient + (double)l->queue_size;
    s->limit = bounded(l, s->limit * (1.0 - l->smoothing) + limit * l->smoothing);
}

/* --- gradient ---------------------------------------------------------------------------- */

/* The percentile of the samples, which are forgotten. */
static sim_time take_percentile(const struct concurrency_limit *l, struct concurrency_state *s)
{
    uint64_t part = (uint64_t)(l->sample_percentile * MILLION + 0.5);
    uint64_t rank = (part * s->gradient.samples + MILLION - 1) / MILLION, before = 0;
    uint32_t bin = 0;
    while (before + s->counts[bin] < rank) {
        before += s->counts[bin++];
    }
    memset(s->counts, 0, BUCKETS * sizeof s->counts[0]);
    s->gradient.samples = 0;
    return (sim_time)(loglinear_edge(bin + 1, PRECISION) - 1);
}

static void measure(const struct concurrency_limit *l, struct concurrency_state *s, sim_time now)
{
    s->gradient.measured = false;
    s->gradient.put_aside = s->limit;
    s->gradient.low = 0;
    s->gradient.since = now;
    s->gradient.samples = 0;
    memset(s->counts, 0, BUCKETS * sizeof s->counts[0]);
    s->limit = (double)l->min_limit;
}

static void end_measuring(const struct concurrency_limit *l, struct concurrency_state *s,
                          sim_time now, struct rng_stream *stream)
{
    double more = l->jitter > 0.0 ? l->jitter * rng_unit(stream) : 0.0;
    s->gradient.base = take_percentile(l, s);
    s->gradient.measured = true;
    s->limit = s->gradient.put_aside;
    s->gradient.update_at = sim_time_add(now, l->update_interval);
    s->gradient.measure_at =
        sim_time_add(now, sim_time_round((double)l->min_rtt_interval * (1.0 + more)));
}

/* The end of an interval, at s->gradient.update_at. */
static void update(const struct concurrency_limit *l, struct concurrency_state *s)
{
    if (s->gradient.samples == 0) {
        return;
    }
    double base = (1.0 + l->buffer) * (double)s->gradient.base, least = (double)l->min_limit;
    double gradient = fmax(0.5, fmin(2.0, base / (double)take_percentile(l, s)));
    double limit = s->limit * gradient, before = s->limit;
    s->limit = bounded(l, floor(limit + sqrt(limit)));
    s->gradient.low = before <= least && s->limit <= least ? s->gradient.low + 1 : 0;
    if (s->gradient.low >= LOW_AT_MOST) {
        s->gradient.measure_at = s->gradient.update_at;
    }
}

/* Does what was due by now. Intervals without samples change nothing, and are passed over. */
static void catch_up(const struct concurrency_limit *l, struct concurrency_state *s, sim_time now)
{
    while (s->gradient.measured) {
        sim_time due = s->gradient.update_at, measure_at = s->gradient.measure_at;
        if (measure_at <= now && measure_at <= due) {
            measure(l, s, measure_at);
        } else if (due <= now) {
            sim_time last = measure_at < now ? measure_at : now;
            update(l, s);
            s->gradient.update_at =
                due + ((last - due) / l->update_interval + 1) * l->update_interval;
        } else {
            return;
        }
    }
}

static void learn_gradient(const struct concurrency_limit *l, struct concurrency_state *s,
                           const struct concurrency_sample *sample, struct rng_stream *stream)
{
    if (sample->dropped || sample->now - sample->rtt < s->gradient.since) {
        return;
    }
    s->counts[loglinear_bin((uint64_t)sample->rtt, PRECISION)]++;
    s->gradient.samples++;
    if (!s->gradient.measured && s->gradient.samples >= l->request_count) {
        end_measuring(l, s, sample->now, stream);
    }
}

/* --- all --------------------------------------------------------------------------------- */

static void learn(const struct concurrency_limit *l, struct concurrency_state *s,
                  const struct concurrency_sample *sample, struct rng_stream *stream)
{
    switch ((enum concurrency_limit_kind)l->kind) {
    case CONCURRENCY_NONE:
    case CONCURRENCY_FIXED:
        break;
    case CONCURRENCY_AIMD:
        learn_aimd(l, s, sample);
        break;
    case CONCURRENCY_VEGAS:
        learn_vegas(l, s, sample, stream);
        break;
    case CONCURRENCY_GRADIENT2:
        learn_gradient2(l, s, sample);
        break;
    case CONCURRENCY_GRADIENT:
        learn_gradient(l, s, sample, stream);
        break;
    }
}

/* Gathers samples; true when they are to be learned from, as `sample` says then. */
static bool gather(const struct concurrency_limit *l, struct concurrency_state *s,
                   struct concurrency_sample *sample)
{
    if (sample->rtt < l->min_rtt_threshold) {
        return false;
    }
    s->window.sum += (uint64_t)sample->rtt;
    s->window.samples++;
    s->window.dropped |= sample->dropped;
    if (sample->in_flight > s->window.in_flight) {
        s->window.in_flight = sample->in_flight;
    }
    if (sample->now <= s->window.end) {
        return false;
    }
    bool enough = s->window.samples >= l->window_size;
    sample->rtt = (sim_time)(s->window.sum / (uint64_t)s->window.samples);
    sample->in_flight = s->window.in_flight;
    sample->dropped = s->window.dropped;
    memset(&s->window, 0, sizeof s->window);
    s->window.end = sim_time_add(sample->now, l->window);
    return enough;
}

int64_t concurrency_limit_at(const struct concurrency_limit *l, struct concurrency_state *s,
                             sim_time now, struct rng_stream *stream)
{
    if (l->kind == CONCURRENCY_NONE) {
        return INT64_MAX;
    }
    if (s->limit < 1.0) {
        begin(l, s, stream);
    }
    if (l->kind == CONCURRENCY_GRADIENT) {
        catch_up(l, s, now);
    }
    return (int64_t)s->limit;
}

void concurrency_limit_ended(const struct concurrency_limit *l, struct concurrency_state *s,
                             const struct concurrency_sample *sample, struct rng_stream *stream)
{
    if (l->kind <= CONCURRENCY_FIXED) {
        return;
    }
    concurrency_limit_at(l, s, sample->now, stream);
    struct concurrency_sample told = *sample;
    told.rtt = told.rtt > 0 ? told.rtt : 1; /* it is divided by */
    bool windows = l->kind != CONCURRENCY_GRADIENT && l->window != SIM_TIME_NEVER;
    if (!windows || gather(l, s, &told)) {
        learn(l, s, &told, stream);
    }
}
