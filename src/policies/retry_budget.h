/* SPDX-License-Identifier: Apache-2.0
 *
 * Retry budgets: how many retries all the requests of one call site may make together, whatever
 * each of them may make alone (policies/retry.h). Pure functions on plain data, in integers.
 *
 * - none: every retry is paid for.
 *
 * - token_bucket: tokens up to `capacity`. A retry takes `retry_cost`, after a timeout
 *   `timeout_cost`; without so many tokens it does not happen (where `strict`, there must be more
 *   of them). A request deposits `deposit_per_request` at its start, an attempt that succeeds
 *   `deposit_per_success`; where `refund`, a retry that succeeds gives back what it took instead.
 *   The defaults are the AWS SDKs' standard mode (aws-sdk-go-v2, aws/retry/standard.go and
 *   aws/ratelimit/token_bucket.go: 500 tokens, costs 5 and 10, 1 for a success without retry).
 *   M. Brooker's adaptive retries ("Fixing retries with token buckets and circuit breakers", 2022,
 *   as in his retry_sim) are
 *     {token_bucket: {capacity: 5, retry_cost: 1, timeout_cost: 1, deposit_per_request: 0.1,
 *                     deposit_per_success: 0, refund: false, strict: true}}
 *
 * - throttle: gRPC's retryThrottling (proposal A6). `max_tokens` tokens; an attempt that fails in
 *   passing takes 1, one that succeeds gives `token_ratio`; retries and hedges happen while more
 *   than half of them are left, the failure at hand counted. A6 says "RPC" where gRPC counts
 *   attempts, and so does this. They cost nothing themselves.
 *
 * - ratio: Finagle's RetryBudget (com.twitter.finagle.service.RetryBudget on TokenBucket's leaky
 *   bucket of com.twitter.util). Each request deposits 1000, a retry takes 1000 / percent_can_retry
 *   rounded down; deposits and what was taken are forgotten after `ttl`, in 10 lazy slices
 *   (policies/rolling.h). On top, there are min_retries_per_second * ttl retries in reserve, which
 *   are taken and forgotten likewise. With percent_can_retry 0 there is the reserve only. Linkerd
 *   1's budget is this one with the same defaults.
 *
 * - concurrency: Envoy's retry_budget (config.cluster.v3.CircuitBreakers, resource_manager_impl.h).
 *   Retries under way, from the decision to their end, are fewer than
 *   max(min_retry_concurrency, budget_percent * requests active or pending), rounded down.
 *
 * - rate: those of Google's "Site Reliability Engineering" (2016). A retry happens as long as, over
 *   the `window`, less than `max_share` of the attempts were retries (chapter 21, per client:
 *   10 %), and fewer than `max_retries` were made (chapter 22, per process: 60 a minute, which is
 *   {rate: {max_share: 100%, max_retries: 60}}). The window has 10 slices (policies/rolling.h), and
 *   the request at hand counts even when it began before. The book states no window for the share;
 *   a minute is ours.
 *
 * - failure_rate: retries happen while no more than `max_rate` attempts have failed in passing for
 *   each request since the start, the failure at hand counted; they cost nothing themselves. What
 *   Brooker's article calls a circuit breaker, as in his retry_sim.
 *
 * The caller says when a request begins, asks before each retry, and says how each attempt ended
 * BEFORE it asks for the next one.
 */
#ifndef SQUALL_POLICIES_RETRY_BUDGET_H
#define SQUALL_POLICIES_RETRY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/rolling.h"
#include "policies/verdict.h"

enum retry_budget_kind {
    RETRY_BUDGET_NONE,
    RETRY_BUDGET_TOKENS,
    RETRY_BUDGET_THROTTLE,
    RETRY_BUDGET_RATIO,
    RETRY_BUDGET_CONCURRENCY,
    RETRY_BUDGET_RATE,
    RETRY_BUDGET_FAILURE_RATE,
};

struct retry_budget {
    int kind; /* enum retry_budget_kind */
    /* As written, by kind. */
    double capacity, initial_share, retry_cost, timeout_cost; /* [1] token_bucket */
    double deposit_per_request, deposit_per_success;          /* [1] token_bucket */
    bool refund, strict;                                      /* token_bucket */
    int64_t max_tokens;                                       /* throttle */
    double token_ratio;                                       /* [1] throttle */
    sim_time ttl;                                             /* [ns] ratio */
    int64_t min_retries_per_second;                           /* ratio */
    double percent_can_retry;                                 /* [1] ratio */
    double budget_percent;                                    /* [1] concurrency */
    int64_t min_retry_concurrency;                            /* concurrency */
    double max_share;                                         /* [1] rate */
    int64_t max_retries;                                      /* rate; INT64_MAX: no limit */
    sim_time window;                                          /* [ns] rate */
    double max_rate;                                          /* [1] failure_rate */
    /* Derived: token_bucket, throttle and ratio [1/1000 token]; `share` for rate and
     * failure_rate. */
    struct {
        int64_t full, initial, per_request, per_success, cost, cost_of_timeout;
        int64_t share; /* [1e-6] */
    } exact;
};

extern const struct choice retry_budget_choice;

/* What one call site remembers; zero at the start. None is kept for the kind `none`, for which the
 * functions below take NULL. */
struct retry_budget_state {
    int64_t change;             /* [1/1000 token] token_bucket, throttle: since the start */
    int64_t under_way;          /* concurrency: retries decided and not ended */
    struct rolling_place place; /* ratio, rate */
    int64_t cells[];            /* ratio, rate, failure_rate */
};

/* Bytes of such a state. */
size_t retry_budget_state_size(const struct retry_budget *b);

/* A request (its first attempt) begins. */
void retry_budget_request(const struct retry_budget *b, struct retry_budget_state *s, sim_time now);

/* Whether one more attempt is paid for; if so, it takes what it costs, and `*held` receives what
 * the caller must hand in when that attempt has ended. `timeout`: the attempt before it timed out
 * (false for hedges). `active`: requests under way, also waiting, as Envoy's count of active and
 * pending ones; only `concurrency` looks at it. */
bool retry_budget_withdraw(const struct retry_budget *b, struct retry_budget_state *s, sim_time now,
                           bool timeout, int64_t active, int64_t *held);

/* An attempt ended; `held` is what retry_budget_withdraw gave for it, 0 for a first attempt. */
void retry_budget_attempt_end(const struct retry_budget *b, struct retry_budget_state *s,
                              enum outcome outcome, int64_t held);

/* An attempt ended without outcome: it was cancelled, or paid for and never sent. What it took
 * stays taken (as in the AWS SDK), but it is no longer under way. */
void retry_budget_drop(const struct retry_budget *b, struct retry_budget_state *s, int64_t held);

/* What is left, for a gauge. token_bucket, throttle: tokens [1/1000]. Others: how many retries
 * could begin now one after another (for `rate` without max_retries, up to its share; INT64_MAX:
 * any number). 0 for none. */
int64_t retry_budget_balance(const struct retry_budget *b, struct retry_budget_state *s,
                             sim_time now, int64_t active);

#endif
