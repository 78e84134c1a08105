/* SPDX-License-Identifier: Apache-2.0
 *
 * Laws of chance for durations, as they are written in a configuration: a scalar (constant), or
 * one of the alternatives of `dist_duration` (exponential, uniform, normal truncated at 0,
 * lognormal, gamma, erlang, weibull, pareto, hyperexponential, zipf, empirical, percentiles,
 * mixture), each with an optional `floor` that is added as a shift. Parameters (mean, cv, low, ...)
 * are those of the law before the shift.
 *
 * Draws use the stream, + - * / sqrt and rng/exactmath.h only, so that they are the same on every
 * machine. They allocate nothing.
 *
 * Of the streams of a pair (rng/stream.h) a law always takes as many draws: one, a hyperexponential
 * two, a constant none. Two draws of a pair are negatively correlated by every law. By most they
 * are quantiles, which rise with u, those of tables with their entries in ascending order. A
 * hyperexponential rises with both draws. Gamma and erlang nearly do (rng_gamma). A mixture's laws
 * come in about the order of their means and draw aside, so that it rises with u where one of them
 * is above the other, and in the mean where they overlap.
 */
#ifndef SQUALL_RNG_DIST_H
#define SQUALL_RNG_DIST_H

#include <stdbool.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "rng/stream.h"

/* One per alternative of dist_duration. */
enum dist_kind {
    DIST_NONE,
    DIST_CONSTANT,
    DIST_EXPONENTIAL,
    DIST_UNIFORM,
    DIST_NORMAL,
    DIST_LOGNORMAL,
    DIST_GAMMA,
    DIST_ERLANG,
    DIST_WEIBULL,
    DIST_PARETO,
    DIST_HYPEREXPONENTIAL,
    DIST_ZIPF,
    DIST_EMPIRICAL,
    DIST_PERCENTILES,
    DIST_MIXTURE,
};

enum { DIST_PERCENTILE_ROWS = 12 }; /* p1 ... p100 */

struct dist_branch; /* an exponential branch of a hyperexponential */
struct dist_part;   /* a law of a mixture */
struct dist_value;  /* a measured duration */
struct dist_table;  /* what a draw looks up */

/* Zero is DIST_NONE. Copies share the arena of the configuration. */
struct dist {
    /* What a draw reads; derived except for kind and floor. */
    int kind;                       /* enum dist_kind */
    sim_time floor;                 /* [ns] added to every draw */
    sim_time constant;              /* [ns] DIST_CONSTANT: every draw, floor included */
    double a, b, c;                 /* meaning by kind (rng/dist.c) */
    const struct dist_table *table; /* in the arena of the configuration */

    /* As written; each law has its own of these (rng/dist_rows.c). */
    sim_time value, mean, deviation, low, high, minimum, maximum, unit; /* [ns] */
    double shape, cv, exponent;
    int64_t phases, ranks;
    const char *file; /* "" once it was read: its content is in `values` then */
    LIST_OF(struct dist_value) values;
    LIST_OF(struct dist_branch) branches;
    LIST_OF(struct dist_part) parts;
    sim_time percentile[DIST_PERCENTILE_ROWS]; /* [ns] */
};

struct dist_branch {
    double weight;
    sim_time mean; /* [ns] */
};

struct dist_value {
    sim_time value; /* [ns] */
    double weight;
};

struct dist_part {
    double weight;
    struct dist law;
};

/* For rows: P_CHOICE(server_params, service_time, dist_duration, "10ms", "...") . Its alternative
 * `none` ("never") is allowed where the row names it as absent. */
extern const struct choice dist_duration;

/* Laws that need no arena, for defaults in code and tests. mean > 0. */
struct dist dist_constant(sim_time value);
struct dist dist_exponential(sim_time mean);

/* One draw [ns], rounded to the nearest, >= floor; SIM_TIME_NEVER for DIST_NONE. */
sim_time dist_draw_slow(const struct dist *d, struct rng_stream *s);

static inline sim_time dist_draw(const struct dist *d, struct rng_stream *s)
{
    return d->kind == DIST_CONSTANT ? d->constant : dist_draw_slow(d, s);
}

/* True for a constant, for none, and for a uniform law whose ends coincide: every draw gives the
 * same value (which is then dist_floor). Other laws may be so in effect and are not looked into. */
static inline bool dist_is_constant(const struct dist *d)
{
    return d->kind == DIST_NONE || d->kind == DIST_CONSTANT ||
           (d->kind == DIST_UNIFORM && d->low == d->high);
}

/* The least value a draw can take [ns]: the lookahead of a wire with this latency. NEVER for
 * none. */
sim_time dist_floor(const struct dist *d);

/* Expectation [ns]; INFINITY where it does not exist (pareto with shape <= 1 and no maximum), NAN
 * for none. Uses the C library, so its last bits may differ between machines; no draw uses it. */
double dist_mean(const struct dist *d);

#endif
