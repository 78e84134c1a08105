/* SPDX-License-Identifier: Apache-2.0
 *
 * A gauge follows a level (queue depth, requests in flight) and keeps its integral over time as
 * an integer [level x ns] and its maximum. The mean is computed when results are read.
 */
#ifndef SQUALL_STATS_GAUGE_H
#define SQUALL_STATS_GAUGE_H

#include <stdint.h>

#include "base/check.h"
#include "base/simtime.h"

/* Zero is a gauge at level 0 since time 0. */
struct gauge {
    int64_t level;        /* never below 0 */
    int64_t max;          /* since the last gauge_restart */
    int64_t interval_max; /* since the last gauge_interval; time series only */
    uint64_t integral;    /* [level x ns] up to `since` */
    sim_time since;       /* [ns] */
};

/* The integral up to `now` >= since [level x ns]. */
static inline uint64_t gauge_integral(const struct gauge *g, sim_time now)
{
    uint64_t area, integral;
    CHECK_LIMIT(!__builtin_mul_overflow((uint64_t)g->level, (uint64_t)(now - g->since), &area) &&
                    !__builtin_add_overflow(g->integral, area, &integral),
                "a gauge's integral exceeds 2^64 level x ns, or its level or time went below 0");
    return integral;
}

/* Brings the integral up to `now`. */
static inline void gauge_advance(struct gauge *g, sim_time now)
{
    g->integral = gauge_integral(g, now);
    g->since = now;
}

static inline void gauge_set(struct gauge *g, sim_time now, int64_t level)
{
    gauge_advance(g, now);
    g->level = level;
    if (__builtin_expect(level > g->max, 0)) {
        g->max = level;
    }
    if (__builtin_expect(level > g->interval_max, 0)) {
        g->interval_max = level;
    }
}

static inline void gauge_add(struct gauge *g, sim_time now, int64_t change)
{
    gauge_set(g, now, g->level + change);
}

/* Forgets integral and maximum (end of warm-up) and keeps the level, and the interval's maximum:
 * time series go on through the end of the warm-up. */
static inline void gauge_restart(struct gauge *g, sim_time now)
{
    g->integral = 0;
    g->max = g->level;
    g->since = now;
}

/* Starts an interval of a time series: its maximum is so far the level. */
static inline void gauge_interval(struct gauge *g)
{
    g->interval_max = g->level;
}

#endif
