/* SPDX-License-Identifier: Apache-2.0
 *
 * Rate limiters: whether a request may pass now, given when those before it passed. Pure functions
 * on plain data, in integers: equal times give equal answers, however long a run is.
 *
 * - token_bucket: `capacity` tokens at most, of which `refill_rate` come back per second; a request
 *   takes one.
 * - leaky_bucket: a pacer. The first request passes, and each further one 1 / leak_rate after the
 *   last that passed, or later; time without requests is not made up for.
 * - sliding_window: at most `max_requests` within any `window`, both ends included: what passed
 *   exactly one window ago still counts.
 * - fixed_window: at most `requests_per_window` in each of the windows that follow one another from
 *   time 0; the instant between two belongs to the later one.
 * - aimd: a token bucket whose rate follows how requests end, by additive increase and
 *   multiplicative decrease. It holds what its rate gives in a `window`. A success adds
 *   `increase_step` to the rate, a failure multiplies it by `decrease_factor`, within `min_rate`
 *   and `max_rate`. The tokens that there are stay, as far as they still have room; what came back
 *   until then came at the old rate. Rates are rounded to 1e-6/s.
 *
 * Defaults are those of happysimulator's rate limiter policies. Rates are used as
 * fractions of at most nine digits below: 1/m is one in sixty seconds, to the nanosecond. A wait
 * that ends between two nanoseconds ends at the later one.
 */
#ifndef SQUALL_POLICIES_LIMITER_H
#define SQUALL_POLICIES_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"

enum limiter_kind {
    LIMITER_NONE,
    LIMITER_TOKEN_BUCKET,
    LIMITER_LEAKY_BUCKET,
    LIMITER_SLIDING_WINDOW,
    LIMITER_FIXED_WINDOW,
    LIMITER_AIMD,
};

/* Steps of aimd's rate per 1/s. */
#define LIMITER_STEPS INT64_C(1000000)

/* Zero is the kind `none`, which lets everything through. */
struct limiter {
    int kind; /* enum limiter_kind */
    /* As written, by kind. */
    double capacity, initial_share;          /* [1] token_bucket */
    double refill_rate;                      /* [1/s] token_bucket */
    double leak_rate;                        /* [1/s] leaky_bucket */
    sim_time window;                         /* [ns] sliding_window, fixed_window, aimd */
    int64_t max_requests;                    /* sliding_window */
    int64_t requests_per_window;             /* fixed_window */
    double initial_rate, min_rate, max_rate; /* [1/s] aimd */
    double increase_step;                    /* [1/s] aimd; a tenth of initial_rate if 0 */
    double decrease_factor;                  /* [1] aimd */
    /* Derived. Buckets count in parts, so many of which make a token that whole ones come back each
     * nanosecond. */
    struct {
        int64_t token;                    /* [parts] token_bucket, aimd */
        int64_t per_ns;                   /* [parts] token_bucket */
        int64_t full, initial;            /* [1/1000 token] token_bucket */
        sim_time gap;                     /* [ns] leaky_bucket */
        int64_t start, least, most, step; /* [1e-6/s] aimd */
    } exact;
};

extern const struct choice limiter_choice;

/* What one limiter remembers. Zero: nothing has passed since time 0. */
struct limiter_state {
    sim_time since;        /* [ns] token_bucket, aimd: when `tokens` and `parts` were true;
                              leaky_bucket: the next one passes then */
    int64_t tokens, parts; /* token_bucket, aimd: missing, beyond those at the start */
    int64_t change;        /* [1e-6/s] aimd: of the rate, since the start */
    int64_t window;        /* fixed_window: the number of the last one used */
    int64_t passed;        /* fixed_window: in it; sliding_window: ever */
    sim_time last[];       /* [ns] sliding_window: when the last max_requests passed, a ring */
};

/* Bytes of such a state; 0 for none, for which the functions below take NULL. */
size_t limiter_state_size(const struct limiter *l);

/* Whether what comes now is let through; counts it if so. With one state, time must not run
 * backwards from call to call. */
bool limiter_take(const struct limiter *l, struct limiter_state *s, sim_time now);

/* [ns] until limiter_take would succeed, if nobody else takes first and no rate changes: 0 if it
 * would now. */
sim_time limiter_wait(const struct limiter *l, const struct limiter_state *s, sim_time now);

/* Something that was let through has ended. Only aimd heeds it. */
void limiter_ended(const struct limiter *l, struct limiter_state *s, sim_time now, bool success);

/* The rate of aimd in steps, of which LIMITER_STEPS make 1/s; 0 for the others. */
int64_t limiter_rate(const struct limiter *l, const struct limiter_state *s);

#endif
