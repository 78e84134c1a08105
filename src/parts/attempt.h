/* SPDX-License-Identifier: Apache-2.0
 *
 * One attempt of a call: what stands in its way, how it is sent, and what it hears. What its end
 * means for the call is parts/caller.c's business.
 */
#ifndef SQUALL_PARTS_ATTEMPT_H
#define SQUALL_PARTS_ATTEMPT_H

#include "parts/caller.h"

/* The strategy and retry policy of a call. */
static inline const struct call_plan *attempt_plan(const struct caller *c, const struct call *call)
{
    return call_plan_at(c->params, call->plan);
}

/* Begins the attempt: it is sent, or refused and ends in this instant. */
void attempt_begin(const struct caller *c, struct call *call, struct attempt *a);

/* Tells it of a timer or reply of its own. True: it has ended, in the way that `end` says. */
bool attempt_hears(const struct caller *c, const struct call *call, struct attempt *a,
                   const struct event *e, struct attempt_end *end);

/* Gives it up, if it is not over. Nobody will judge it. */
void attempt_abort(const struct caller *c, const struct call *call, struct attempt *a);
static inline void attempt_give_up(const struct caller *c, const struct call *call,
                                   struct attempt *a)
{
    if (a->state != ATTEMPT_OVER) {
        attempt_abort(c, call, a);
    }
}

/* Refuses to make it at all. */
void attempt_refuse(const struct caller *c, struct attempt *a, enum attempt_error error);

#endif
