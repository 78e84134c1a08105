/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/retry_budget.h"

#include <math.h>

#include "base/check.h"

/* Slices of the windows of `ratio` and `rate`; as many as TokenBucket.newLeakyBucket has. */
enum { SLICES = 10 };

/* A deposit of `ratio`, RetryBudget's scale factor. */
enum { DEPOSIT = 1000 };

#define MOST_TOKENS 1e9 /* products of a thousand times as many with a million fit 63 bits */

static const struct param_spec token_rows[] = {
    P_REAL(retry_budget, capacity, "500", 1e-3, MOST_TOKENS, "1", "Tokens at most."),
    P_REAL(retry_budget, initial_share, "100%", 0, 1, "1", "Share of them there is at the start."),
    P_REAL(retry_budget, retry_cost, "5", 0, MOST_TOKENS, "1", "Tokens that a retry takes."),
    P_REAL(retry_budget, timeout_cost, "10", 0, MOST_TOKENS, "1",
           "Tokens that a retry after a timeout takes."),
    P_REAL(retry_budget, deposit_per_request, "0", 0, MOST_TOKENS, "1",
           "Tokens that the start of a request gives."),
    P_REAL(retry_budget, deposit_per_success, "1", 0, MOST_TOKENS, "1",
           "Tokens that an attempt that succeeds gives."),
    P_BOOL(retry_budget, refund, "true",
           "A retry that succeeds gives back what it took, instead of deposit_per_success."),
    P_BOOL(retry_budget, strict, "false",
           "A retry needs more tokens than it takes, not just as many."),
    P_END};

static const struct param_spec throttle_rows[] = {
    P_COUNT(retry_budget, max_tokens, "10", 1, 1e6, "Tokens at most, and at the start."),
    P_REAL(retry_budget, token_ratio, "0.1", 1e-3, 1e6, "1",
           "Tokens that an attempt that succeeds gives; one that fails in passing takes 1."),
    P_END};

static const struct param_spec ratio_rows[] = {
    P_REAL(retry_budget, percent_can_retry, "20%", 0, 1000, "1",
           "Retries per request, on top of the minimum; above 100 % for several."),
    P_COUNT(retry_budget, min_retries_per_second, "10", 0, 1e6,
            "Retries per second of ttl that need no requests."),
    P_DURATION(retry_budget, ttl, "10s", 1e9, 6e10, "Time after which requests count no more."),
    P_END};

static const struct param_spec concurrency_rows[] = {
    P_REAL(retry_budget, budget_percent, "20%", 0, 1e3, "1",
           "Retries under way at most, per request under way."),
    P_COUNT(retry_budget, min_retry_concurrency, "3", 0, 1e9,
            "Retries that may be under way however few requests there are."),
    P_END};

static const struct param_spec rate_rows[] = {
    P_REAL(retry_budget, max_share, "10%", 0, 1, "1",
           "Share of the window's attempts that retries stay below; 100% for no limit."),
    P_LIMIT(retry_budget, max_retries, "unlimited", 0, 1e9, "Retries in a window at most."),
    P_DURATION(retry_budget, window, "1m", 1e6, 1e15, "The time looked back on."), P_END};

static const struct param_spec failure_rows[] = {
    P_REAL(retry_budget, max_rate, "10%", 0, 1000, "1",
           "Attempts that have failed per request up to which failures are tried again."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "Every retry is paid for.", .tag = RETRY_BUDGET_NONE},
    {.name = "token_bucket",
     .summary = "Retries take tokens that successes or requests give (AWS SDKs; Brooker 2022).",
     .tag = RETRY_BUDGET_TOKENS,
     .rows = token_rows},
    {.name = "throttle",
     .summary = "No retries while failures outweigh successes (gRPC retryThrottling).",
     .tag = RETRY_BUDGET_THROTTLE,
     .rows = throttle_rows},
    {.name = "ratio",
     .summary = "A share of the recent requests, and a minimum (Finagle, Linkerd).",
     .tag = RETRY_BUDGET_RATIO,
     .rows = ratio_rows},
    {.name = "concurrency",
     .summary = "A share of the requests under way, and a minimum (Envoy).",
     .tag = RETRY_BUDGET_CONCURRENCY,
     .rows = concurrency_rows},
    {.name = "rate",
     .summary = "A share of the attempts, or a number, in a window (Google SRE).",
     .tag = RETRY_BUDGET_RATE,
     .rows = rate_rows},
    {.name = "failure_rate",
     .summary = "No retries while too many attempts have failed since the start (Brooker 2022).",
     .tag = RETRY_BUDGET_FAILURE_RATE,
     .rows = failure_rows},
    {.name = NULL}};

/* Tokens are counted in thousandths, so that sums of them are exact. */
static int64_t thousandths(double tokens, const char *row, const struct node *at, struct diag *diag)
{
    double exact = tokens * 1000.0;
    int64_t n = sim_time_round(exact);
    if (fabs(exact - (double)n) > 1e-9 * (1.0 + exact)) {
        diag_error(diag, at, "%s must be a multiple of 0.001", row);
    }
    return n;
}

static void derive_tokens(struct retry_budget *b, const struct node *at, struct diag *diag)
{
    b->exact.full = thousandths(b->capacity, "capacity", at, diag);
    b->exact.initial = sim_time_round(b->capacity * b->initial_share * 1000.0);
    b->exact.cost = thousandths(b->retry_cost, "retry_cost", at, diag);
    b->exact.cost_of_timeout = thousandths(b->timeout_cost, "timeout_cost", at, diag);
    b->exact.per_request = thousandths(b->deposit_per_request, "deposit_per_request", at, diag);
    b->exact.per_success = thousandths(b->deposit_per_success, "deposit_per_success", at, diag);
    if (b->exact.cost + b->strict > b->exact.full) {
        diag_error(diag, at, "capacity is too small for any retry");
    }
}

static void derive_ratio(struct retry_budget *b, const struct node *at, struct diag *diag)
{
    bool any = b->percent_can_retry > 0.0;
    if (any && b->percent_can_retry < 1e-6) {
        diag_error(diag, at, "percent_can_retry must be 0 or at least 0.0001%%");
        return;
    }
    b->exact.per_request = any ? DEPOSIT : 0;
    b->exact.cost = any ? (int64_t)(DEPOSIT / b->percent_can_retry) : 1;
    b->exact.initial = b->min_retries_per_second * b->ttl / SIM_TIME_S * b->exact.cost;
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct retry_budget *b = value;
    switch ((enum retry_budget_kind)b->kind) {
    case RETRY_BUDGET_TOKENS:
        derive_tokens(b, at, diag);
        break;
    case RETRY_BUDGET_THROTTLE:
        b->exact.full = b->exact.initial = b->max_tokens * 1000;
        b->exact.per_success = thousandths(b->token_ratio, "token_ratio", at, diag);
        break;
    case RETRY_BUDGET_RATIO:
        derive_ratio(b, at, diag);
        break;
    case RETRY_BUDGET_RATE:
        b->exact.share = sim_time_round(b->max_share * 1e6);
        if (b->max_share >= 1.0 && b->max_retries == INT64_MAX) {
            diag_error(diag, at, "a budget of max_share 100%% needs max_retries");
        }
        break;
    case RETRY_BUDGET_FAILURE_RATE:
        b->exact.share = sim_time_round(b->max_rate * 1e6);
        break;
    case RETRY_BUDGET_NONE:
    case RETRY_BUDGET_CONCURRENCY:
        break;
    }
}

const struct choice retry_budget_choice = {
    .name = "retry_budget",
    .summary = "What limits the retries of all requests together.",
    .size = sizeof(struct retry_budget),
    .tag_offset = SCHEMA_OFFSET(int, retry_budget, kind),
    .alternatives = alternatives,
    .derive = derive,
};

/* Counters of the windows. */
enum { RATIO_TOKENS, RATIO_COUNTERS };
enum { RATE_REQUESTS, RATE_RETRIES, RATE_COUNTERS };

/* Of failure_rate: since the start. */
enum { ALL_REQUESTS, ALL_FAILURES, ALL_COUNTERS };

static struct rolling tokens_of(const struct retry_budget *b, struct retry_budget_state *s)
{
    return (struct rolling){.width = b->ttl / SLICES,
                            .buckets = SLICES,
                            .counters = RATIO_COUNTERS,
                            .lazy = true,
                            .place = &s->place,
                            .cells = s->cells};
}

static struct rolling attempts_of(const struct retry_budget *b, struct retry_budget_state *s)
{
    return (struct rolling){.width = b->window / SLICES,
                            .buckets = SLICES,
                            .counters = RATE_COUNTERS,
                            .place = &s->place,
                            .cells = s->cells};
}

size_t retry_budget_state_size(const struct retry_budget *b)
{
    size_t cells = b->kind == RETRY_BUDGET_RATIO          ? rolling_cells(SLICES, RATIO_COUNTERS)
                   : b->kind == RETRY_BUDGET_RATE         ? rolling_cells(SLICES, RATE_COUNTERS)
                   : b->kind == RETRY_BUDGET_FAILURE_RATE ? ALL_COUNTERS
                                                          : 0;
    return b->kind == RETRY_BUDGET_NONE
               ? 0
               : sizeof(struct retry_budget_state) + cells * sizeof(int64_t);
}

static int64_t tokens(const struct retry_budget *b, const struct retry_budget_state *s)
{
    return b->exact.initial + s->change;
}

/* Adds tokens, which may be negative, within 0 and `full`. */
static void add_tokens(const struct retry_budget *b, struct retry_budget_state *s, int64_t amount)
{
    int64_t sum = tokens(b, s) + amount;
    sum = sum < 0 ? 0 : sum > b->exact.full ? b->exact.full : sum;
    s->change = sum - b->exact.initial;
}

void retry_budget_request(const struct retry_budget *b, struct retry_budget_state *s, sim_time now)
{
    switch ((enum retry_budget_kind)b->kind) {
    case RETRY_BUDGET_TOKENS:
        add_tokens(b, s, b->exact.per_request);
        break;
    case RETRY_BUDGET_RATIO: {
        struct rolling r = tokens_of(b, s);
        rolling_add(&r, now, RATIO_TOKENS, b->exact.per_request);
        break;
    }
    case RETRY_BUDGET_RATE: {
        struct rolling r = attempts_of(b, s);
        rolling_add(&r, now, RATE_REQUESTS, 1);
        break;
    }
    case RETRY_BUDGET_FAILURE_RATE:
        s->cells[ALL_REQUESTS]++;
        break;
    case RETRY_BUDGET_NONE:
    case RETRY_BUDGET_THROTTLE:
    case RETRY_BUDGET_CONCURRENCY:
        break;
    }
}

static bool withdraw_tokens(const struct retry_budget *b, struct retry_budget_state *s,
                            bool timeout, int64_t *held)
{
    int64_t cost = timeout ? b->exact.cost_of_timeout : b->exact.cost, left = tokens(b, s) - cost;
    if (b->strict ? left <= 0 : left < 0) {
        return false;
    }
    add_tokens(b, s, -cost);
    *held = cost;
    return true;
}

static int64_t ratio_left(const struct retry_budget *b, struct retry_budget_state *s, sim_time now)
{
    struct rolling r = tokens_of(b, s);
    int64_t left = b->exact.initial + rolling_sum(&r, now, RATIO_TOKENS);
    return left > 0 ? left / b->exact.cost : 0;
}

static int64_t concurrency_left(const struct retry_budget *b, const struct retry_budget_state *s,
                                int64_t active)
{
    int64_t share = (int64_t)(b->budget_percent * (double)active);
    int64_t most = share > b->min_retry_concurrency ? share : b->min_retry_concurrency;
    return most > s->under_way ? most - s->under_way : 0;
}

/* The k-th retry is allowed when before it k - 1 < share * (requests + k - 1). */
static int64_t rate_left(const struct retry_budget *b, struct retry_budget_state *s, sim_time now)
{
    struct rolling r = attempts_of(b, s);
    int64_t requests = rolling_sum(&r, now, RATE_REQUESTS), most = b->max_retries;
    int64_t retries = rolling_sum(&r, now, RATE_RETRIES), rest = 1000000 - b->exact.share;
    if (rest > 0) {
        requests = requests > 0 ? requests : 1; /* the one at hand */
        int64_t by_share = (b->exact.share * requests + rest - 1) / rest;
        most = by_share < most ? by_share : most;
    }
    return most > retries ? most - retries : 0;
}

static bool fails_seldom(const struct retry_budget *b, const struct retry_budget_state *s)
{
    return s->cells[ALL_FAILURES] * 1000000 <= b->exact.share * s->cells[ALL_REQUESTS];
}

bool retry_budget_withdraw(const struct retry_budget *b, struct retry_budget_state *s, sim_time now,
                           bool timeout, int64_t active, int64_t *held)
{
    *held = 0;
    switch ((enum retry_budget_kind)b->kind) {
    case RETRY_BUDGET_NONE:
        return true;
    case RETRY_BUDGET_TOKENS:
        return withdraw_tokens(b, s, timeout, held);
    case RETRY_BUDGET_THROTTLE:
        return tokens(b, s) > b->exact.full / 2;
    case RETRY_BUDGET_RATIO: {
        struct rolling r = tokens_of(b, s);
        bool paid = ratio_left(b, s, now) > 0;
        rolling_add(&r, now, RATIO_TOKENS, paid ? -b->exact.cost : 0);
        return paid;
    }
    case RETRY_BUDGET_CONCURRENCY:
        *held = concurrency_left(b, s, active) > 0;
        s->under_way += *held;
        return *held;
    case RETRY_BUDGET_RATE: {
        struct rolling r = attempts_of(b, s);
        bool paid = rate_left(b, s, now) > 0;
        rolling_add(&r, now, RATE_RETRIES, paid);
        return paid;
    }
    case RETRY_BUDGET_FAILURE_RATE:
        return fails_seldom(b, s);
    }
    CHECK(false, "no such retry budget: %d", b->kind);
}

void retry_budget_attempt_end(const struct retry_budget *b, struct retry_budget_state *s,
                              enum outcome outcome, int64_t held)
{
    bool good = outcome == OUTCOME_SUCCESS;
    if (b->kind == RETRY_BUDGET_TOKENS && good) {
        add_tokens(b, s, b->refund && held > 0 ? held : b->exact.per_success);
    } else if (b->kind == RETRY_BUDGET_THROTTLE && outcome != OUTCOME_FINAL) {
        add_tokens(b, s, good ? b->exact.per_success : -1000);
    } else if (b->kind == RETRY_BUDGET_FAILURE_RATE) {
        s->cells[ALL_FAILURES] += !good && outcome != OUTCOME_FINAL;
    }
    retry_budget_drop(b, s, held);
}

void retry_budget_drop(const struct retry_budget *b, struct retry_budget_state *s, int64_t held)
{
    if (b->kind == RETRY_BUDGET_CONCURRENCY) {
        s->under_way -= held;
        CHECK(s->under_way >= 0, "more retries ended than began");
    }
}

int64_t retry_budget_balance(const struct retry_budget *b, struct retry_budget_state *s,
                             sim_time now, int64_t active)
{
    switch ((enum retry_budget_kind)b->kind) {
    case RETRY_BUDGET_NONE:
        return 0;
    case RETRY_BUDGET_TOKENS:
    case RETRY_BUDGET_THROTTLE:
        return tokens(b, s);
    case RETRY_BUDGET_RATIO:
        return ratio_left(b, s, now);
    case RETRY_BUDGET_CONCURRENCY:
        return concurrency_left(b, s, active);
    case RETRY_BUDGET_RATE:
        return rate_left(b, s, now);
    case RETRY_BUDGET_FAILURE_RATE:
        return fails_seldom(b, s) ? INT64_MAX : 0;
    }
    CHECK(false, "no such retry budget: %d", b->kind);
}
