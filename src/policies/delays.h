/* SPDX-License-Identifier: Apache-2.0
 *
 * Delays: how long to wait after the k-th failed attempt (k from 1) for the next one, or, of a
 * request whose attempts run side by side, how long after its start the one after the k-th begins.
 *
 *   fixed, constant      delay
 *   exponential          initial_delay * multiplier^max(0, k + exponent_offset)
 *   linear               min_delay + k * delay_multiplier
 *   fibonacci            base * F(k), where F = 1, 1, 2, 3, 5, ...
 *   polynomial           c0 + c1 * k + c2 * k^2 + ...
 *   table                the k-th of those written, then the last one again and again
 *   percentile           k * P, where P is a percentile of recent response times, which the caller
 *                        knows, between minimum and maximum; the minimum while nothing is known
 *   decorrelated_jitter  U(base_delay, min(max_delay, 3 * the delay before)), where the one before
 *                        the first is base_delay; or, where the cap is that of the delay,
 *                        min(max_delay, U(base_delay, 3 * the delay before))
 *
 * All but the first two and the last end at e = min(that, max_delay) and are then spread by jitter
 * (M. Brooker, "Exponential Backoff and Jitter", 2015), which so may exceed the cap:
 * - none: e; full: U(0, e); equal: e/2 + U(0, e/2);
 * - additive: e + U(0, width); factor: e + U(0, share) * e; symmetric: e * U(1 - share, 1 + share).
 *
 * Plain data: a struct that has a struct delays as its first member may carry its rows, too.
 */
#ifndef SQUALL_POLICIES_DELAYS_H
#define SQUALL_POLICIES_DELAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/latency_window.h"
#include "rng/dist.h"
#include "rng/stream.h"

enum jitter_kind {
    JITTER_NONE,
    JITTER_FULL,
    JITTER_EQUAL,
    JITTER_ADDITIVE,
    JITTER_FACTOR,
    JITTER_SYMMETRIC,
};

struct jitter {
    int kind;       /* enum jitter_kind */
    sim_time width; /* [ns] JITTER_ADDITIVE */
    double share;   /* [1] JITTER_FACTOR, JITTER_SYMMETRIC */
};

/* One per alternative of delays_choice. */
enum delays_kind {
    DELAYS_NONE, /* of a struct that is zero: 0 */
    DELAYS_FIXED,
    DELAYS_CONSTANT, /* the same under another name, with a default */
    DELAYS_EXPONENTIAL,
    DELAYS_LINEAR,
    DELAYS_FIBONACCI,
    DELAYS_POLYNOMIAL,
    DELAYS_TABLE,
    DELAYS_PERCENTILE,
    DELAYS_DECORRELATED,
    DELAYS_KINDS,
};

/* What max_delay bounds, of decorrelated jitter. */
enum cap_of { CAP_OF_RANGE, CAP_OF_DELAY };

struct delay_item {
    sim_time delay; /* [ns] */
};

/* Zero is DELAYS_NONE. */
struct delays {
    int kind;          /* enum delays_kind */
    bool shared_state; /* DELAYS_DECORRELATED: the caller is to keep one `previous` for all of
                          its requests, not one for each */
    struct jitter jitter;
    sim_time initial_delay;  /* [ns] DELAYS_EXPONENTIAL */
    double multiplier;       /* [1] DELAYS_EXPONENTIAL */
    int64_t exponent_offset; /* -1: the first delay is initial_delay, the next one more */
    sim_time max_delay;      /* [ns] the cap; SIM_TIME_NEVER: none */
    sim_time base_delay;     /* [ns] DELAYS_DECORRELATED */
    int cap_of;              /* enum cap_of; DELAYS_DECORRELATED */
    sim_time min_delay, delay_multiplier;           /* [ns] DELAYS_LINEAR */
    sim_time base;                                  /* [ns] DELAYS_FIBONACCI */
    LIST_OF(struct delay_item) coefficients, steps; /* DELAYS_POLYNOMIAL, DELAYS_TABLE */
    struct latency_window latencies;                /* DELAYS_PERCENTILE */
    struct dist delay;                              /* DELAYS_FIXED, DELAYS_CONSTANT */
};

/* Whether the next delay depends on the one before. */
static inline bool delays_remember(const struct delays *d)
{
    return d->kind == DELAYS_DECORRELATED;
}

/* Its bare value is a fixed delay. */
extern const struct choice delays_choice;

extern const struct param_spec delays_fixed_rows[], delays_constant_rows[],
    delays_exponential_rows[], delays_linear_rows[], delays_fibonacci_rows[],
    delays_polynomial_rows[], delays_table_rows[], delays_percentile_rows[],
    delays_decorrelated_rows[];

/* The alternatives of delays_choice, for choices that have more of them. */
#define DELAYS_ALTERNATIVES \
    {.name = "fixed", \
     .summary = "Always the same delay, or always one law of delays.", \
     .tag = DELAYS_FIXED, \
     .rows = delays_fixed_rows}, \
        {.name = "constant", \
         .summary = "The same as fixed, with a default.", \
         .tag = DELAYS_CONSTANT, \
         .rows = delays_constant_rows}, \
        {.name = "exponential", \
         .summary = "Delays that grow by a factor up to a cap, with or without jitter.", \
         .tag = DELAYS_EXPONENTIAL, \
         .rows = delays_exponential_rows}, \
        {.name = "linear", \
         .summary = "Delays that grow by the same time with every attempt.", \
         .tag = DELAYS_LINEAR, \
         .rows = delays_linear_rows}, \
        {.name = "fibonacci", \
         .summary = "Delays that grow as 1, 1, 2, 3, 5, 8.", \
         .tag = DELAYS_FIBONACCI, \
         .rows = delays_fibonacci_rows}, \
        {.name = "polynomial", \
         .summary = "A polynomial of the number of attempts.", \
         .tag = DELAYS_POLYNOMIAL, \
         .rows = delays_polynomial_rows}, \
        {.name = "table", \
         .summary = "Delays written one by one.", \
         .tag = DELAYS_TABLE, \
         .rows = delays_table_rows}, \
        {.name = "percentile", \
         .summary = "A percentile of recent response times, times the number of attempts.", \
         .tag = DELAYS_PERCENTILE, \
         .rows = delays_percentile_rows}, \
    { \
        .name = "decorrelated_jitter", \
        .summary = "Delays drawn between a base and three times the one before, up to a cap.", \
        .tag = DELAYS_DECORRELATED, .rows = delays_decorrelated_rows \
    }

/* The delay [ns] after attempt `k`, from 1. `quantile` [ns] is that which a percentile asks for,
 * SIM_TIME_NEVER without data; others do not look at it. `previous` [ns] is what decorrelated
 * jitter remembers, 0 before the first. One draw from `stream` per delay with jitter and for
 * decorrelated jitter; for a fixed delay, as many as its law takes; else none. */
sim_time delays_draw(const struct delays *d, uint32_t k, sim_time quantile, sim_time *previous,
                     struct rng_stream *stream);

#endif
