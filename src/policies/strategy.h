/* SPDX-License-Identifier: Apache-2.0
 *
 * Strategies: how many attempts of a request are under way at a time. Those that belong together
 * make a round; what becomes of a round that failed is for the retry policy to say.
 *
 * - sequential: one attempt a round.
 * - single: likewise, and whatever the retry policy says there is only one round.
 * - parallel (hedged requests; J. Dean and L. A. Barroso, "The Tail at Scale", CACM 2013): up to
 *   `attempts` a round. The first is sent at once. The one after the k-th is sent delays(k) after
 *   the round began, or after the k-th was sent (reference: previous), unless an answer has been
 *   accepted by then. The first answer accepted decides (of several in one instant the one that
 *   arrives first, by engine/event.h); the other attempts are given up. A round fails when all of
 *   its attempts have, in the way that the first of them did. What a budget or the throttle holds
 *   back is not made; what a circuit breaker or the deadline holds back is answered by it, which is
 *   final like any such answer.
 */
#ifndef SQUALL_POLICIES_STRATEGY_H
#define SQUALL_POLICIES_STRATEGY_H

#include "base/schema.h"
#include "policies/delays.h"

enum strategy_kind { STRATEGY_SEQUENTIAL, STRATEGY_SINGLE, STRATEGY_PARALLEL };

/* What the delays of a parallel round count from. */
enum strategy_reference { REFERENCE_START, REFERENCE_PREVIOUS };

/* What a failed attempt does to those of its round that are not sent yet. */
enum strategy_after_failure { AFTER_FAILURE_WAIT, AFTER_FAILURE_NEXT };

/* Zero is sequential. */
struct strategy {
    int kind; /* enum strategy_kind */
    int64_t attempts;
    struct delays delays;
    int reference;     /* enum strategy_reference */
    int after_failure; /* enum strategy_after_failure */
};

extern const struct choice strategy_choice;

/* Attempts of a round. */
static inline uint32_t strategy_attempts(const struct strategy *s)
{
    return s->kind == STRATEGY_PARALLEL ? (uint32_t)s->attempts : 1;
}

#endif
