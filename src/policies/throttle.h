/* SPDX-License-Identifier: Apache-2.0
 *
 * Client-side adaptive throttling: a client whose requests are mostly refused refuses some of them
 * itself, at random, before they are sent.
 *
 * - sre: "Site Reliability Engineering" (Google, 2016), chapter 21, equation "client request
 *   rejection probability". Over the last `window` (2 minutes), `requests` were begun, including
 *   those refused here, and `accepts` of them were accepted by the target:
 *     P(refuse) = max(0, (requests - multiplier * accepts) / (requests + 1)),  multiplier K = 2.
 * - failsafe: failsafe-go's adaptivethrottler. Over the last `window` (1 minute), `requests` were
 *   sent and have ended, and `accepts` of them ended well:
 *     P(refuse) = min(max_rejection_rate,
 *                     max(0, requests - accepts / (1 - failure_rate_threshold)) / (requests + 1))
 *   with a threshold of 10 % and at most 90 %. What is refused here does not count.
 *
 * The request at hand is counted after the probability was formed. The window is that of
 * policies/rolling.h with `buckets` buckets of equal width; a state takes 16 bytes for each of
 * them.
 */
#ifndef SQUALL_POLICIES_THROTTLE_H
#define SQUALL_POLICIES_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/rolling.h"
#include "rng/stream.h"

enum throttle_kind { THROTTLE_NONE, THROTTLE_SRE, THROTTLE_FAILSAFE };

struct throttle {
    int kind;                      /* enum throttle_kind */
    double multiplier;             /* [1] K; derived for failsafe */
    double failure_rate_threshold; /* [1] failsafe */
    double max_rejection_rate;     /* [1] derived for sre: 1 */
    sim_time window;               /* [ns] */
    int64_t buckets;
};

extern const struct choice throttle_choice;

/* What one call site remembers; zero at the start. None is kept for the kind `none`, for which the
 * functions below take NULL. */
struct throttle_state {
    struct rolling_place place;
    int64_t cells[];
};

/* Bytes of such a state. */
size_t throttle_state_size(const struct throttle *t);

/* The probability that a request is refused now; 0 for none. */
double throttle_probability(const struct throttle *t, struct throttle_state *s, sim_time now);

/* Whether the request that begins now is refused here; counts it. Draws once where the probability
 * is not 0. */
bool throttle_rejects(const struct throttle *t, struct throttle_state *s, sim_time now,
                      struct rng_stream *stream);

/* A request that was not refused here has ended. Whether the target accepted it, which a reply of
 * failure may mean as well, is for the caller to say. */
void throttle_ended(const struct throttle *t, struct throttle_state *s, sim_time now,
                    bool accepted);

#endif
