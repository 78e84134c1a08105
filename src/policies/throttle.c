/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/throttle.h"

#define WINDOW(fallback) \
    P_DURATION(throttle, window, fallback, 1e6, 1e15, "The time looked back on.")
#define BUCKETS(fallback) \
    P_COUNT(throttle, buckets, fallback, 1, 1000, "Steps in which that time moves on.")

static const struct param_spec sre_rows[] = {
    P_REAL(throttle, multiplier, "2", 1, 1e6, "1",
           "K: requests per accepted one up to which none is refused."),
    WINDOW("2m"), BUCKETS("120"), P_END};

static const struct param_spec failsafe_rows[] = {
    P_REAL(throttle, failure_rate_threshold, "10%", 0, 0.999999, "1",
           "Share of failures up to which no request is refused."),
    P_REAL(throttle, max_rejection_rate, "90%", 0, 1, "1", "Share of requests refused at most."),
    WINDOW("1m"), BUCKETS("20"), P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "No request is refused by its own client.", .tag = THROTTLE_NONE},
    {.name = "sre",
     .summary = "By the requests begun and accepted lately (Google SRE, chapter 21).",
     .tag = THROTTLE_SRE,
     .rows = sre_rows},
    {.name = "failsafe",
     .summary = "By the requests ended and ended well lately, up to a share (failsafe-go).",
     .tag = THROTTLE_FAILSAFE,
     .rows = failsafe_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)at, (void)diag, (void)arena;
    struct throttle *t = value;
    if (t->kind == THROTTLE_SRE) {
        t->max_rejection_rate = 1.0;
    } else if (t->kind == THROTTLE_FAILSAFE) {
        t->multiplier = 1.0 / (1.0 - t->failure_rate_threshold);
    }
}

const struct choice throttle_choice = {
    .name = "throttle",
    .summary = "Whether a client refuses requests itself when its target refuses most of them.",
    .size = sizeof(struct throttle),
    .tag_offset = SCHEMA_OFFSET(int, throttle, kind),
    .alternatives = alternatives,
    .derive = derive,
};

enum { REQUESTS, ACCEPTS, COUNTERS };

static struct rolling window_of(const struct throttle *t, struct throttle_state *s)
{
    return (struct rolling){.width = t->window / t->buckets,
                            .buckets = (uint32_t)t->buckets,
                            .counters = COUNTERS,
                            .place = &s->place,
                            .cells = s->cells};
}

size_t throttle_state_size(const struct throttle *t)
{
    if (t->kind == THROTTLE_NONE) {
        return 0;
    }
    return sizeof(struct throttle_state) +
           rolling_cells((size_t)t->buckets, COUNTERS) * sizeof(int64_t);
}

double throttle_probability(const struct throttle *t, struct throttle_state *s, sim_time now)
{
    if (t->kind == THROTTLE_NONE) {
        return 0.0;
    }
    struct rolling r = window_of(t, s);
    double requests = (double)rolling_sum(&r, now, REQUESTS);
    double excess = requests - t->multiplier * (double)rolling_sum(&r, now, ACCEPTS);
    double p = excess > 0.0 ? excess / (requests + 1.0) : 0.0;
    return p < t->max_rejection_rate ? p : t->max_rejection_rate;
}

bool throttle_rejects(const struct throttle *t, struct throttle_state *s, sim_time now,
                      struct rng_stream *stream)
{
    double p = throttle_probability(t, s, now);
    if (t->kind == THROTTLE_SRE) {
        struct rolling r = window_of(t, s);
        rolling_add(&r, now, REQUESTS, 1);
    }
    return p > 0.0 && rng_unit(stream) < p;
}

void throttle_ended(const struct throttle *t, struct throttle_state *s, sim_time now, bool accepted)
{
    if (t->kind == THROTTLE_NONE) {
        return;
    }
    struct rolling r = window_of(t, s);
    if (t->kind == THROTTLE_FAILSAFE) {
        rolling_add(&r, now, REQUESTS, 1);
    }
    rolling_add(&r, now, ACCEPTS, accepted);
}
