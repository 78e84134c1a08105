/* SPDX-License-Identifier: Apache-2.0
 *
 * Retry policies: whether a failed attempt is followed by another one, and after what delay.
 * Pure functions; what a policy remembers from one attempt to the next lies with the logical
 * request.
 *
 * Attempts count from 1, and the argument is always the attempt that has just failed, so the k-th
 * retry waits for retry_delay(..., k, ...).
 *
 * - none: no retry.
 * - fixed: `delay`.
 * - exponential: e = min(initial_delay * multiplier^max(0, k + exponent_offset), max_delay), spread
 *   by jitter.
 * - decorrelated_jitter: U(base_delay, min(max_delay, 3 * previous delay)), where the first one's
 *   previous delay is base_delay.
 *
 * The jitters (M. Brooker, "Exponential Backoff and Jitter", 2015) apply after the cap:
 * - none: e; full: U(0, e); equal: e/2 + U(0, e/2);
 * - additive: e + U(0, width); factor: e + U(0, share) * e.
 */
#ifndef SQUALL_POLICIES_RETRY_H
#define SQUALL_POLICIES_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/verdict.h"
#include "rng/dist.h"
#include "rng/stream.h"

enum jitter_kind { JITTER_NONE, JITTER_FULL, JITTER_EQUAL, JITTER_ADDITIVE, JITTER_FACTOR };

struct jitter {
    int kind;       /* enum jitter_kind */
    sim_time width; /* [ns] JITTER_ADDITIVE */
    double share;   /* [1] JITTER_FACTOR */
};

enum retry_kind { RETRY_NONE, RETRY_FIXED, RETRY_EXPONENTIAL, RETRY_DECORRELATED };

/* The outcomes that are retried, as bits of `retry_on`. */
enum retry_on { RETRY_ON_TIMEOUT = 1, RETRY_ON_ERROR = 2 };

struct retry {
    int kind;                /* enum retry_kind */
    uint32_t retry_on;       /* enum retry_on */
    int64_t max_attempts;    /* with the first try */
    struct dist delay;       /* RETRY_FIXED */
    sim_time initial_delay;  /* [ns] RETRY_EXPONENTIAL */
    sim_time base_delay;     /* [ns] RETRY_DECORRELATED */
    sim_time max_delay;      /* [ns] the cap; SIM_TIME_NEVER: none */
    double multiplier;       /* [1] RETRY_EXPONENTIAL, with the next two */
    int64_t exponent_offset; /* -1: the first retry waits for initial_delay, the next for more */
    struct jitter jitter;
};

/* What a policy remembers of one logical request; zero at its start. */
struct retry_memory {
    sim_time previous; /* [ns] the last delay, 0 before the first */
};

extern const struct choice retry_choice;

/* Whether attempt `failed_attempt` is followed by another one, given how it ended. */
bool retry_allows(const struct retry *r, uint32_t failed_attempt, enum outcome outcome);

/* The delay [ns] from the failure to the next attempt; meaningful where retry_allows. Only fixed
 * delays that are no constant and jitter draw from `stream`, one value per delay (for `fixed`, as
 * many as its law takes). */
sim_time retry_delay(const struct retry *r, uint32_t failed_attempt, struct retry_memory *memory,
                     struct rng_stream *stream);

#endif
