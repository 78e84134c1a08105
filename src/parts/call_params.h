/* SPDX-License-Identifier: Apache-2.0
 *
 * The `call` block: what a configuration says of how requests are made. All of it is optional, and
 * what is not written does nothing.
 */
#ifndef SQUALL_PARTS_CALL_PARAMS_H
#define SQUALL_PARTS_CALL_PARAMS_H

#include "engine/target.h"
#include "policies/breaker.h"
#include "policies/conditioner.h"
#include "policies/deadline.h"
#include "policies/latency_window.h"
#include "policies/limiter.h"
#include "policies/retry.h"
#include "policies/retry_budget.h"
#include "policies/strategy.h"
#include "policies/throttle.h"
#include "policies/verdict.h"
#include "rng/dist.h"

/* What becomes of a request: how many attempts at a time, and what after a failure. */
struct call_plan {
    struct strategy strategy;
    struct retry retry;
};

/* ... if it is made by one of these methods. */
struct method_plan {
    uint32_t methods; /* 1u << enum method */
    struct call_plan plan;
};

/* Limits on the phases of an attempt [ns]; SIM_TIME_NEVER: none. */
struct phase_limits {
    sim_time pool;    /* waiting for a connection of a pool */
    sim_time connect; /* making a connection */
    sim_time write;   /* the request on its way */
    sim_time read;    /* from there to the reply */
};

/* Attempts whose receiver is told that nobody waits for them, as bits of `cancel`. */
enum call_cancel { CANCEL_LOSERS = 1, CANCEL_TIMEOUTS = 2 };

enum call_priority { /* enum priority + 1, or: */ CALL_PRIORITY_INHERIT };

/* Where what a call site remembers lies in its memory [B]. The windows are those of the plans, two
 * each, in the order of struct call's `plan`. */
struct site_layout {
    uint32_t size, limiter, breaker, budget, throttle, shared_delay;
    uint32_t *windows;
    bool has_windows, remembers_delay;
    bool hears; /* of requests and attempts: it remembers something, here or of each instance */
};

/* What the owner of a call block makes of it. */
struct call_owner {
    uint16_t timer_kind; /* of its events that belong to calls */
    bool pooled;         /* the target is a connection pool, which says when one is held */
    bool retry_waits;    /* ... and waiting too long for it is tried again like a timeout */
    bool by_kind;        /* its requests are called by their kinds, others by whom they go to */
};

struct call_params {
    struct call_owner owner; /* see call_params_own */
    struct dist timeout;
    struct phase_limits phases;
    struct dist connection_latency;
    int64_t connection_attempts;
    sim_time deadline, low_timeout_threshold; /* [ns] */
    bool inherit_deadline;
    int deadline_accounting; /* enum deadline_accounting */
    int deadline_split;      /* enum deadline_split */
    int64_t split_attempts;  /* INT64_MAX: as many as there may be */
    int priority;            /* enum call_priority */
    struct call_plan plan;
    LIST_OF(struct method_plan) methods;
    struct limiter rate_limit;
    struct breaker breaker;
    struct retry_budget retry_budget;
    struct throttle throttle;
    struct conditioner conditioner;
    uint32_t cancel; /* enum call_cancel */
    bool accept_late, accept_between_attempts;
    /* derived */
    bool plain; /* nothing stands in the way of an attempt, or delays it */
    bool swift; /* ... attempts come one at a time, and their ends are of no further consequence */
    struct site_layout site; /* see parts/call_site.h */
};

/* The i-th plan: 0 is that for all methods. */
static inline const struct call_plan *call_plan_at(const struct call_params *p, uint32_t i)
{
    return i == 0 ? &p->plan : &p->methods.items[i - 1].plan;
}

extern const struct schema call_schema;

/* Checks what concerns several rows and fills in what is derived: the `derive` of call_schema, and
 * to be called by that of every schema with CALL_ROWS. */
void call_params_derive(struct call_params *p, const struct node *at, struct diag *diag,
                        struct arena *arena);

/* To be called by the owner's `derive`, when the block is derived; fills in what the target of
 * these calls must be like. */
void call_params_own(struct call_params *p, struct target *target, const struct call_owner *owner);

extern const struct schema phases_schema, method_plan_schema;
extern const char *const deadline_accounting_words[],
    *const deadline_split_words[], *const call_priority_words[], *const call_cancel_words[];

/* Rows of a call_params that is the member `at` of struct `tag`; for blocks that carry more. */
#define CALL_ROW(tag, at, member, type_, kind_, unit_, fallback_, ...) \
    { \
        .name = #member, .kind = kind_, .unit = unit_, .fallback = fallback_, \
        .offset = offsetof(struct tag, at) + SCHEMA_OFFSET(type_, call_params, member), \
        __VA_ARGS__ \
    }
#define CALL_LAW(tag, at, member, fallback_, ...) \
    CALL_ROW(tag, at, member, struct dist, PARAM_CHOICE, "", fallback_, .choice = &dist_duration, \
             __VA_ARGS__)
#define CALL_CHOICE(tag, at, member, type_, choice_, fallback_, ...) \
    CALL_ROW(tag, at, member, type_, PARAM_CHOICE, "", fallback_, .choice = &choice_, __VA_ARGS__)
#define CALL_BLOCK(tag, at, member, type_, schema_, ...) \
    CALL_ROW(tag, at, member, type_, PARAM_BLOCK, "", "{}", .schema = &schema_, __VA_ARGS__)
#define CALL_DURATION(tag, at, member, fallback_, ...) \
    CALL_ROW(tag, at, member, sim_time, PARAM_DURATION, "ns", fallback_, .high = 1e18, __VA_ARGS__)
#define CALL_WORD(tag, at, member, words_, fallback_, ...) \
    CALL_ROW(tag, at, member, int, PARAM_WORD, "", fallback_, .words = words_, __VA_ARGS__)
#define CALL_COUNT(tag, at, member, fallback_, ...) \
    CALL_ROW(tag, at, member, int64_t, PARAM_COUNT, "1", fallback_, __VA_ARGS__)

/* Rows of a call_plan that is the member `at` of struct `tag`. */
#define PLAN_ROWS(tag, at) \
    {.name = "strategy", \
     .doc = "How many attempts are under way at a time.", \
     .unit = "", \
     .fallback = "sequential", \
     .kind = PARAM_CHOICE, \
     .choice = &strategy_choice, \
     .offset = offsetof(struct tag, at) + SCHEMA_OFFSET(struct strategy, call_plan, strategy)}, \
    { \
        .name = "retry", .doc = "What happens after an attempt that failed.", .unit = "", \
        .fallback = "none", .kind = PARAM_CHOICE, .choice = &retry_choice, \
        .offset = offsetof(struct tag, at) + SCHEMA_OFFSET(struct retry, call_plan, retry) \
    }

#define CALL_ROWS(tag, at) \
    CALL_LAW(tag, at, timeout, "none", .absent = "none", \
             .doc = "Time an attempt may take before it is given up."), \
        CALL_BLOCK(tag, at, phases, struct phase_limits, phases_schema, \
                   .doc = "Times that the phases of an attempt may take, besides the whole."), \
        CALL_LAW(tag, at, connection_latency, "0s", \
                 .doc = "Time to make the connection that each attempt needs; 0s where it is " \
                        "there already."), \
        CALL_COUNT(tag, at, connection_attempts, "1", .low = 1, .high = 255, \
                   .doc = "Times that a connection is tried, one right after the other, before " \
                          "the attempt has failed. Each has the attempt's time anew."), \
        CALL_DURATION(tag, at, deadline, "none", .absent = "none", \
                      .doc = "Time a request may take with all of its attempts."), \
        CALL_ROW(tag, at, inherit_deadline, bool, PARAM_BOOL, "", "true", \
                 .doc = \
                     "Whether the deadline of the request that the call is made for, if it has " \
                     "one and its server heeds it, is in place of `deadline`."), \
        CALL_WORD(tag, at, deadline_accounting, deadline_accounting_words, "restart", \
                  .doc = \
                      "How a deadline is handed on: as the time left, which the receiver counts " \
                      "anew when it begins, or as the instant."), \
        CALL_DURATION(tag, at, low_timeout_threshold, "5ms", \
                      .doc = \
                          "With less time than this left to its deadline an attempt is not sent, " \
                          "and the request ends."), \
        CALL_WORD(tag, at, deadline_split, deadline_split_words, "pass_through", \
                  .doc = \
                      "What each attempt has of the deadline: all that is left, or an equal part " \
                      "for it and for each one to come."), \
        CALL_COUNT(tag, at, split_attempts, "all", .absent = "all", .low = 2, .high = 65535, \
                   .doc = "Attempts among which the deadline is split at most."), \
        CALL_WORD(tag, at, priority, call_priority_words, "inherit", \
                  .doc = \
                      "Priority of the requests: that of the kind of request, or of the request " \
                      "that the call is made for; or one of its own, from which those draw it " \
                      "to the middle: of high and low comes normal."), \
        PLAN_ROWS(tag, at.plan), \
        {.name = "methods", \
         .kind = PARAM_LIST, \
         .unit = "", \
         .fallback = "[]", \
         .schema = &method_plan_schema, \
         .offset = offsetof(struct tag, at) + SCHEMA_LIST_OFFSET(call_params, methods), \
         .doc = "Other strategies and retries for requests of some methods: the first that names " \
                "one decides."}, \
        CALL_CHOICE(tag, at, retry_budget, struct retry_budget, retry_budget_choice, "none", \
                    .doc = "How many retries and hedges all requests may make together."), \
        CALL_CHOICE(tag, at, rate_limit, struct limiter, limiter_choice, "none", \
                    .doc = "How many attempts are sent in which time; what would be more fails " \
                           "here."), \
        CALL_CHOICE(tag, at, breaker, struct breaker, breaker_choice, "none", \
                    .doc = "When a target that keeps failing is left alone for a while."), \
        CALL_CHOICE(tag, at, throttle, struct throttle, throttle_choice, "none", \
                    .doc = "How requests are held back that would probably be rejected."), \
        CALL_BLOCK(tag, at, conditioner, struct conditioner, conditioner_schema, \
                   .doc = "Bad network before each attempt."), \
        CALL_ROW(tag, at, cancel, uint32_t, PARAM_WORDS, "", "losers", .words = call_cancel_words, \
                 .doc = "Whose receivers are told that nobody waits any more: attempts given up " \
                        "because another one decided (losers), or because they timed out."), \
        CALL_ROW(tag, at, accept_late, bool, PARAM_BOOL, "", "false", \
                 .doc = \
                     "Whether a success that comes after its attempt's timeout ends the request " \
                     "well, as long as that is under way."), \
        CALL_ROW(tag, at, accept_between_attempts, bool, PARAM_BOOL, "", "true", \
                 .doc = \
                     "Whether it does so, too, while no attempt is out because the next one is " \
                     "awaited.")

#endif
