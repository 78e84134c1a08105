/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: rates that depend on simulated time, and the inversion of their integral, from which
 * arrivals at such rates follow.
 *
 *   rate: 800/s                                                  constant
 *   rate: {steps: [[0s, 500/s], [100s, 2000/s]]}                 each held until the next
 *   rate: {linear: [[0s, 0/s], [10s, 10/s]]}                     straight lines between points
 *   rate: {ramp: {from: 0/s, to: 10/s, start: 0s, duration: 10s}}
 *   rate: {spike: {baseline: 10/s, peak: 150/s, at: 10s, for: 15s}}
 *   rate: {file: rates.csv}                                      as steps or as linear
 *   rate: {sine: {mean: 800/s, amplitude: 200/s, period: 60s, phase: 0}}
 *
 * Points give the rate before the first and after the last of them, too. Intervals are half-open:
 * at the time of a step or at the end of a spike the new rate holds.
 */
#ifndef SQUALL_POLICIES_PROFILE_H
#define SQUALL_POLICIES_PROFILE_H

#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/fine_time.h"

enum profile_kind {
    PROFILE_CONSTANT,
    PROFILE_STEPS,
    PROFILE_LINEAR,
    PROFILE_RAMP,
    PROFILE_SPIKE,
    PROFILE_SINE,
    PROFILE_FILE,
};

/* What the rate is between two lines of a file. */
enum profile_between { BETWEEN_STEPS, BETWEEN_LINES };

struct profile_point {
    sim_time time; /* [ns] */
    double rate;   /* [1/s] */
};

/* The rate lies on a line from `first` at `from` to `last` at `to`. A segment without end (`to` is
 * SIM_TIME_NEVER) is level. */
struct profile_segment {
    sim_time from, to;  /* [ns] from <= t < to */
    double first, last; /* [1/s] */
};

struct profile {
    int kind; /* enum profile_kind */
    /* As written, by kind. A sine is mean + amplitude * sin(2 pi (t / period + phase)). */
    double rate;                          /* [1/s] constant */
    LIST_OF(struct profile_point) points; /* steps, linear, file */
    const char *path;                     /* file: "" once it was read, which made `points` */
    int between;                          /* file: enum profile_between */
    double from, to;                      /* [1/s] ramp */
    sim_time start, duration;             /* [ns] ramp */
    double baseline, peak;                /* [1/s] spike */
    sim_time at, for_;                    /* [ns] spike */
    double mean, amplitude;               /* [1/s] sine */
    sim_time period;                      /* [ns] sine */
    double phase;                         /* [1] sine, in periods */
    /* Derived, for every kind but sine: they cover all times from 0, in order, without gaps. In the
     * arena of the configuration. */
    const struct profile_segment *segments;
    uint32_t n_segments;
};

extern const struct choice profile_choice;

/* While from <= t < to, the rate is `factor` times as high. Several windows multiply. */
struct rate_window {
    sim_time from, to; /* [ns] */
    double factor;     /* >= 0 */
};

/* The rate [1/s] at time t >= 0, without windows. */
double profile_rate(const struct profile *p, sim_time t);

/* The earliest time at which the integral of rate times windows, begun at `from`, reaches
 * need >= 0 [1]; never when it does not. On level pieces the only error is that of rounding the
 * quotient's fraction (1e-16 ns); elsewhere about 1e-15 of the time passed, more where the rate
 * itself is nearly 0. Windows may lie in any order and overlap. The result is the same on every
 * machine. */
struct fine_time profile_next(const struct profile *p, const struct rate_window *windows,
                              uint32_t n_windows, struct fine_time from, double need);

/* The time in which one unit falls due, as long as that does not change. */
struct profile_pace {
    struct fine_time gap; /* per unit */
    double gap_ns;        /* [ns] the same, rounded */
    sim_time until; /* [ns] the pace holds for times before; 0: the rate is 0 or no constant */
};

struct profile_pace profile_pace(const struct profile *p, const struct rate_window *windows,
                                 uint32_t n_windows, sim_time t);

/* The node of item `i` of a LIST row of a choice written at `at`, whatever the form: the list, or
 * the choice itself, when there is no such item. NULL for a default. */
const struct node *profile_item(const struct node *at, const char *alternative, const char *row,
                                uint32_t i);

#endif
