/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/retry.h"

#include "base/check.h"

static const struct param_spec additive_rows[] = {
    P_DURATION(jitter, width, NULL, 0, 1e18, "Most that is added to a delay, after the cap."),
    P_END};

static const struct param_spec factor_rows[] = {
    P_REAL(jitter, share, NULL, 0, 1e6, "1", "Most that is added, as a share of the delay."),
    P_END};

static const struct alternative jitter_alternatives[] = {
    {.name = "none", .summary = "Delays are not spread.", .tag = JITTER_NONE},
    {.name = "full", .summary = "Uniform between 0 and the delay.", .tag = JITTER_FULL},
    {.name = "equal", .summary = "Half the delay, and up to as much again.", .tag = JITTER_EQUAL},
    {.name = "additive",
     .summary = "The delay and up to a fixed time more.",
     .tag = JITTER_ADDITIVE,
     .rows = additive_rows},
    {.name = "factor",
     .summary = "The delay and up to a share of it more.",
     .tag = JITTER_FACTOR,
     .rows = factor_rows},
    {.name = NULL}};

static const struct choice jitter_choice = {
    .name = "jitter",
    .summary =
        "How delays are spread, so that clients that failed together do not return together.",
    .size = sizeof(struct jitter),
    .tag_offset = SCHEMA_OFFSET(int, jitter, kind),
    .scalar = "additive",
    .alternatives = jitter_alternatives,
};

#define MAX_ATTEMPTS \
    P_COUNT(retry, max_attempts, NULL, 1, 65535, "Attempts at most, the first one included.")
#define MAX_DELAY P_MAYBE_DURATION(retry, max_delay, NULL, 1, 1e18, "Cap of the delay.")

static const struct param_spec fixed_rows[] = {
    MAX_ATTEMPTS, P_CHOICE(retry, delay, dist_duration, NULL, "Time before each retry."), P_END};

static const struct param_spec exponential_rows[] = {
    MAX_ATTEMPTS,
    P_DURATION(retry, initial_delay, NULL, 1, 1e18, "Time before the first retry."),
    P_REAL(retry, multiplier, "2", 1, 1e6, "1", "Growth of the delay from one retry to the next."),
    MAX_DELAY,
    P_CHOICE(retry, jitter, jitter_choice, "none", "How delays are spread."),
    P_COUNT(retry, exponent_offset, "-1", -255, 255,
            "Added to the failed attempt's number to give the multiplier's exponent, which is not "
            "below 0; -2 repeats the initial delay once."),
    P_END};

static const struct param_spec decorrelated_rows[] = {
    MAX_ATTEMPTS, P_DURATION(retry, base_delay, NULL, 1, 1e18, "Least delay."), MAX_DELAY, P_END};

/* In the order of the bits of enum retry_on. */
static const char *const retry_on_words[] = {"timeout", "error", NULL};

static const struct param_spec common_rows[] = {
    P_WORDS(
        retry, retry_on, retry_on_words, "[timeout, error]",
        "What is retried: attempts without an answer in time (timeout), and answers that report a "
        "passing failure (error: 408, 429, 489, 5xx)."),
    P_END};

static const struct alternative retry_alternatives[] = {
    {.name = "none", .summary = "A single attempt.", .tag = RETRY_NONE},
    {.name = "fixed",
     .summary = "The same delay, or one law of delays, before each retry.",
     .tag = RETRY_FIXED,
     .rows = fixed_rows},
    {.name = "exponential",
     .summary = "Delays that grow by a factor up to a cap, with or without jitter.",
     .tag = RETRY_EXPONENTIAL,
     .rows = exponential_rows},
    {.name = "decorrelated_jitter",
     .summary = "Delays drawn between a base and three times the one before, up to a cap.",
     .tag = RETRY_DECORRELATED,
     .rows = decorrelated_rows},
    {.name = NULL}};

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct retry *r = value;
    if (r->kind == RETRY_EXPONENTIAL && r->max_delay < r->initial_delay) {
        diag_error(diag, at, "max_delay is below initial_delay");
    }
    if (r->kind == RETRY_DECORRELATED && r->max_delay < r->base_delay) {
        diag_error(diag, at, "max_delay is below base_delay");
    }
}

const struct choice retry_choice = {
    .name = "retry",
    .summary = "Whether and when a failed attempt is tried again.",
    .size = sizeof(struct retry),
    .tag_offset = SCHEMA_OFFSET(int, retry, kind),
    .common = common_rows,
    .alternatives = retry_alternatives,
    .derive = derive,
};

bool retry_allows(const struct retry *r, uint32_t failed_attempt, enum outcome outcome)
{
    if (r->kind == RETRY_NONE || failed_attempt >= r->max_attempts) {
        return false;
    }
    switch (outcome) {
    case OUTCOME_TIMEOUT:
        return r->retry_on & RETRY_ON_TIMEOUT;
    case OUTCOME_ERROR:
        return r->retry_on & RETRY_ON_ERROR;
    case OUTCOME_SUCCESS:
    case OUTCOME_FINAL:
        break;
    }
    return false;
}

/* min(initial * multiplier^exponent, cap) [ns]. Multiplied step by step: the C library's pow need
 * not give the same bits everywhere, and the cap ends most of these loops soon. */
static double grown_delay(const struct retry *r, uint32_t failed_attempt)
{
    double delay = (double)r->initial_delay, cap = (double)r->max_delay;
    for (int64_t e = failed_attempt + r->exponent_offset; e > 0 && delay < cap; e--) {
        delay *= r->multiplier;
    }
    return delay < cap ? delay : cap;
}

static double spread(const struct jitter *j, double delay, struct rng_stream *stream)
{
    switch ((enum jitter_kind)j->kind) {
    case JITTER_NONE:
        return delay;
    case JITTER_FULL:
        return delay * rng_unit(stream);
    case JITTER_EQUAL:
        return delay * (0.5 + 0.5 * rng_unit(stream));
    case JITTER_ADDITIVE:
        return delay + (double)j->width * rng_unit(stream);
    case JITTER_FACTOR:
        return delay * (1.0 + j->share * rng_unit(stream));
    }
    CHECK(false, "no such jitter: %d", j->kind);
}

static sim_time decorrelated_delay(const struct retry *r, struct retry_memory *memory,
                                   struct rng_stream *stream)
{
    double low = (double)r->base_delay, cap = (double)r->max_delay;
    double high = 3.0 * (memory->previous ? (double)memory->previous : low);
    high = high < cap ? high : cap;
    memory->previous = sim_time_round(low + (high - low) * rng_unit(stream));
    return memory->previous;
}

sim_time retry_delay(const struct retry *r, uint32_t failed_attempt, struct retry_memory *memory,
                     struct rng_stream *stream)
{
    switch ((enum retry_kind)r->kind) {
    case RETRY_NONE:
        return 0;
    case RETRY_FIXED:
        return dist_draw(&r->delay, stream);
    case RETRY_EXPONENTIAL:
        return sim_time_round(spread(&r->jitter, grown_delay(r, failed_attempt), stream));
    case RETRY_DECORRELATED:
        return decorrelated_delay(r, memory, stream);
    }
    CHECK(false, "no such retry policy: %d", r->kind);
}
