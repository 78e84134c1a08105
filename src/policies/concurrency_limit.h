/* SPDX-License-Identifier: Apache-2.0
 *
 * How many requests a server may have in flight, in its queue and in service: fixed, or learned
 * from how long they take. Whoever comes when there are as many is rejected at once.
 *
 * L is the limit, of which the whole part counts; rtt the time from a request's arrival to its end,
 * and n how many were in flight when it came, itself included. `dropped` are those that were given
 * up as too late; they count as samples too, but for `gradient`.
 *
 * - aimd, vegas, gradient2: Netflix concurrency-limits (AIMDLimit, VegasLimit, Gradient2Limit, and
 *   their defaults, as of January 2026). lg L is the number of L's decimal digits less one, at
 *   least 1.
 *   aimd: dropped, or rtt > timeout: L = floor(backoff_ratio * L); else 2 n >= L: L = L + 1.
 *   vegas: the first rtt, each smaller one and, to forget it, the rtt of every sample by which
 *   jitter * probe_multiplier * L have come since the last such one becomes base and changes
 *   nothing else; jitter is uniform in (0.5, 1), drawn anew each time. Others, with
 *   q = ceil(L * (1 - base / rtt)): dropped: L - lg L; 2 n < L: L; q <= lg L: L + beta lg L;
 *   q < alpha lg L: L + lg L; q > beta lg L: L - lg L; else L. Of this, bounded by 1 and max_limit,
 *   the limit takes the share `smoothing`.
 *   gradient2: `long` is the mean of the first ten rtt, then an exponential average with weight
 *   2 / (long_window + 1); while it is above 2 rtt, a twentieth of it is taken off after each
 *   sample. Where 2 n >= L, whatever was dropped, the limit takes the share `smoothing` of
 *   L * max(0.5, min(1, rtt_tolerance * long / rtt)) + queue_size, and is bounded.
 *   With `window`, a limit is told once per window, at the first end after it is over, of the mean
 *   rtt, the largest n and whether any was dropped, unless there were fewer than window_size; rtts
 *   below min_rtt_threshold are left out (WindowedLimit).
 * - gradient: Envoy's adaptive concurrency (gradient_controller.cc, v3 API and its defaults; the
 *   intervals are those of its documentation's example). The limit is min_limit until request_count
 *   requests have come and ended; base is a percentile of their rtt. So it is measured anew after
 *   min_rtt_interval and up to `jitter` of that more; meanwhile the limit is put aside. Every
 *   update_interval in between in which some have ended, with the same percentile of their rtt,
 *   g = max(0.5, min(2, (1 + buffer) * base / rtt)) and L = floor(g L + sqrt(g L)), bounded. When
 *   that was min_limit five times more, base is measured anew at once. Percentiles are counted in
 *   log-linear buckets (base/loglinear.h) and rounded up to the end of theirs: 3 % at most. What
 *   began before a measurement is not a sample.
 */
#ifndef SQUALL_POLICIES_CONCURRENCY_LIMIT_H
#define SQUALL_POLICIES_CONCURRENCY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "rng/stream.h"

enum concurrency_limit_kind {
    CONCURRENCY_NONE,
    CONCURRENCY_FIXED,
    CONCURRENCY_AIMD,
    CONCURRENCY_VEGAS,
    CONCURRENCY_GRADIENT2,
    CONCURRENCY_GRADIENT
};

struct concurrency_limit {
    int kind;                                 /* enum concurrency_limit_kind */
    int64_t limit;                            /* fixed */
    int64_t initial_limit;                    /* fixed, gradient: derived */
    int64_t min_limit, max_limit;             /* vegas: the least is derived */
    double smoothing;                         /* [1] vegas, gradient2 */
    double backoff_ratio;                     /* [1] aimd */
    sim_time timeout;                         /* [ns] aimd */
    int64_t alpha, beta, probe_multiplier;    /* vegas */
    int64_t queue_size, long_window;          /* gradient2 */
    double rtt_tolerance;                     /* [1] gradient2 */
    sim_time window;                          /* [ns] not gradient; SIM_TIME_NEVER: none */
    int64_t window_size;                      /* samples */
    sim_time min_rtt_threshold;               /* [ns] */
    int64_t request_count;                    /* gradient */
    double sample_percentile, jitter, buffer; /* [1] gradient */
    sim_time update_interval;                 /* [ns] gradient */
    sim_time min_rtt_interval;                /* [ns] gradient */
};

extern const struct choice concurrency_limit_choice;

/* A request that was let in has ended. */
struct concurrency_sample {
    sim_time now, rtt; /* [ns] */
    int64_t in_flight; /* when it came, itself included */
    bool dropped;
};

/* What is remembered; zero at the start, at time 0 or, after a crash, whenever that was. */
struct concurrency_state {
    double limit; /* [1] 0: not begun */
    struct {
        sim_time end; /* [ns] */
        uint64_t sum; /* [ns] of rtt */
        int64_t in_flight, samples;
        bool dropped;
    } window; /* samples that the limit has not been told of */
    struct {
        sim_time base;    /* [ns] 0: none yet */
        uint64_t samples; /* since the base was put to a sample's, to forget it */
        double jitter;    /* [1] */
    } vegas;
    struct {
        double average, sum; /* [ns] */
        uint32_t first;      /* samples of the plain mean */
    } gradient2;
    struct {
        sim_time base;                  /* [ns] */
        sim_time since;                 /* [ns] what began earlier is no sample */
        sim_time update_at, measure_at; /* [ns] while it is not being measured */
        bool measured;                  /* base is known, and not being measured anew */
        double put_aside;               /* [1] the limit, while it is */
        uint32_t low;                   /* updates in a row that left it at min_limit */
        uint32_t samples;
    } gradient;
    uint32_t counts[]; /* gradient: samples by bucket of their rtt */
};

/* Bytes of such a state; 0 for `none`, for which the functions below take NULL. */
size_t concurrency_state_size(const struct concurrency_limit *l);

/* How many may be in flight now; INT64_MAX without a limit. Draws at most once. Time must not run
 * backwards from one call to the next. */
int64_t concurrency_limit_at(const struct concurrency_limit *l, struct concurrency_state *s,
                             sim_time now, struct rng_stream *stream);

/* A request has ended; draws at most twice. */
void concurrency_limit_ended(const struct concurrency_limit *l, struct concurrency_state *s,
                             const struct concurrency_sample *sample, struct rng_stream *stream);

#endif
