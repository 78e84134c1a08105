/* SPDX-License-Identifier: Apache-2.0
 *
 * A quantile of the latencies seen lately: "hedge after the 95th percentile" (J. Dean and L. A.
 * Barroso, "The Tail at Scale", 2013), or delays by percentile.
 *
 * The window is that of aio-request (percentile_based_request_attempt_delays_provider.py, 0.2.6),
 * whose defaults these are. A bucket begins with an observation when there is none younger than
 * window / buckets. Each observation goes into all buckets, and the quantile is read from the
 * oldest: one that began up to window + window / buckets ago; older ones are dropped. So the
 * quantile rests on at least the last `window`, where that much was seen, and the first one on what
 * there is.
 *
 * In place of a t-digest, latencies are counted in log-linear buckets (base/loglinear.h) between
 * `minimum` and `maximum`, which are also the bounds of the quantile. Of n latencies it is the one
 * of rank ceil(percentile * n) in order, rounded up to the end of its log-linear bucket: it is
 * never below that latency and at most 1/64 (1.6 %) above it, or exactly `minimum` or `maximum`.
 * Rounded up, so that no more than 1 - percentile of the latencies counted exceed it, even when
 * many of them are equal. Percentiles are taken to a millionth.
 *
 * An observation costs a few operations. A quantile follows the counts step by step, from where it
 * was last; when a bucket begins or is dropped, all counts are gone through. A state takes 1 KiB
 * per factor of 2 between minimum and maximum with two buckets, and 256 B more per bucket.
 */
#ifndef SQUALL_POLICIES_LATENCY_WINDOW_H
#define SQUALL_POLICIES_LATENCY_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"

enum { LATENCY_MOST_BUCKETS = 16 };

struct latency_window {
    double percentile;         /* [1] in (0, 1) */
    sim_time minimum, maximum; /* [ns] */
    sim_time window;           /* [ns] */
    int64_t buckets;           /* 1 .. LATENCY_MOST_BUCKETS */
};

/* Rows of a latency_window that is the member `at` of struct `tag`, whose schema is to check it. */
#define LATENCY_ROW(tag, at, member, type_, kind_, unit_, fallback_, low_, high_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = unit_, .fallback = fallback_, .low = low_, \
        .high = high_, .kind = kind_, \
        .offset = offsetof(struct tag, at) + SCHEMA_OFFSET(type_, latency_window, member) \
    }
#define LATENCY_ROWS(tag, at) \
    LATENCY_ROW(tag, at, percentile, double, PARAM_REAL, "1", "95%", 1e-6, 0.999999, \
                "Which percentile of the response times of successes."), \
        LATENCY_ROW(tag, at, minimum, sim_time, PARAM_DURATION, "ns", "50ms", 0, 1e12, \
                    "It is not below this, and taken for this as long as there is none."), \
        LATENCY_ROW(tag, at, maximum, sim_time, PARAM_DURATION, "ns", "10s", 1, 1e12, \
                    "It is not above this."), \
        LATENCY_ROW(tag, at, window, sim_time, PARAM_DURATION, "ns", "5m", 1e6, 1e15, \
                    "How long a response time counts, at least."), \
        LATENCY_ROW(tag, at, buckets, int64_t, PARAM_COUNT, "1", "2", 1, LATENCY_MOST_BUCKETS, \
                    "Steps in which that time moves on.")
void latency_window_check(const struct latency_window *w, const struct node *at, struct diag *diag);

/* What one call site remembers; zero at the start. */
struct latency_state {
    /* [ns] when the buckets began, oldest first. */
    sim_time start[LATENCY_MOST_BUCKETS + 2];
    uint32_t live;   /* how many there are */
    uint32_t total;  /* latencies in the oldest */
    uint32_t cursor; /* a place among its counts */
    uint32_t before; /* latencies in the counts before it */
    /* The counts of the oldest bucket; then, per bucket but the newest and oldest first, of what it
     * saw and the next one did not. */
    uint32_t counts[];
};

/* Bytes of such a state. */
size_t latency_state_size(const struct latency_window *w);

/* A latency was seen, `now`. Time must not run backwards from one call to the next. */
void latency_observe(const struct latency_window *w, struct latency_state *s, sim_time now,
                     sim_time latency);

/* The quantile [ns]; SIM_TIME_NEVER when nothing was seen in the window. */
sim_time latency_quantile(const struct latency_window *w, struct latency_state *s, sim_time now);

#endif
