/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call site (a `call` block of one entity) remembers from one request to the next: the rate
 * limiter, circuit breakers, the retry budget, the throttle, and how long answers have taken. It
 * lies in memory of the port that the calls leave by, and for breakers of single endpoints in that
 * of their wires, is taken when it is first needed, and forgotten when the entity crashes.
 */
#ifndef SQUALL_PARTS_CALL_SITE_H
#define SQUALL_PARTS_CALL_SITE_H

#include "parts/caller.h"

/* Fills in p->site. */
void site_lay_out(struct call_params *p, struct arena *arena);

/* A request begins. ERROR_CIRCUIT_OPEN when its breaker does not let it through. */
enum attempt_error site_begin(const struct caller *c, struct call *call);

/* What of this keeps an attempt, whose way is known, from being sent. */
enum attempt_error site_obstacle(const struct caller *c, struct attempt *a);

/* How an attempt ended, which took `took` [ns]. */
void site_judge(const struct caller *c, struct call *call, struct attempt *a,
                const struct attempt_end *end, enum outcome outcome, sim_time took);

/* An attempt ends without anything being known of it: it was given up, perhaps before it began, but
 * when it was paid for. */
void site_forget(const struct caller *c, struct attempt *a);

/* How a request ended, of which an attempt that ended like this decided. */
void site_conclude(const struct caller *c, struct call *call, const struct attempt_end *end,
                   enum outcome outcome);

/* A request is over, concluded or given up. */
void site_end(const struct caller *c, struct call *call);

/* Whether the budget pays for `a`, another attempt of the call. `timeout`: after one timed out. */
bool site_withdraws(const struct caller *c, struct attempt *a, bool timeout);
static inline bool site_pays(const struct caller *c, struct attempt *a, bool timeout)
{
    return c->params->retry_budget.kind == RETRY_BUDGET_NONE || site_withdraws(c, a, timeout);
}

/* The quantile of recent response times that these delays, of one of the call's plans, ask for
 * [ns]; SIM_TIME_NEVER without any. */
sim_time site_asks_window(const struct caller *c, const struct call *call, const struct delays *d);
static inline sim_time site_quantile(const struct caller *c, const struct call *call,
                                     const struct delays *d)
{
    return d->kind == DELAYS_PERCENTILE ? site_asks_window(c, call, d) : SIM_TIME_NEVER;
}

/* Where decorrelated jitter keeps the last delay: in the request's `own`, or with the site. */
sim_time *site_previous(const struct caller *c, const struct delays *d, sim_time *own);

#endif
