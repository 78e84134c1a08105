/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/delays.h"

#include "base/check.h"

static const struct param_spec additive_rows[] = {
    P_DURATION(jitter, width, NULL, 0, 1e18, "Most that is added to a delay, after the cap."),
    P_END};

static const struct param_spec factor_rows[] = {
    P_REAL(jitter, share, NULL, 0, 1e6, "1", "Most that is added, as a share of the delay."),
    P_END};

static const struct param_spec symmetric_rows[] = {
    P_REAL(jitter, share, "20%", 0, 1, "1",
           "Most that is added or taken away, as a share of the delay."),
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
    {.name = "symmetric",
     .summary = "The delay and up to a share of it more or less.",
     .tag = JITTER_SYMMETRIC,
     .rows = symmetric_rows},
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

#define DELAY(fallback_) \
    P_CHOICE(delays, delay, dist_duration, fallback_, "The time before the next attempt.")
#define MAX_DELAY(fallback_) \
    P_MAYBE_DURATION(delays, max_delay, fallback_, 1, 1e18, "Cap of the delay.")
#define JITTER P_CHOICE(delays, jitter, jitter_choice, "none", "How delays are spread.")

const struct param_spec delays_fixed_rows[] = {DELAY(NULL), P_END};

const struct param_spec delays_constant_rows[] = {DELAY("1s"), P_END};

const struct param_spec delays_exponential_rows[] = {
    P_DURATION(delays, initial_delay, NULL, 1, 1e18, "Time before the first retry."),
    P_REAL(delays, multiplier, "2", 1, 1e6, "1", "Growth of the delay from one retry to the next."),
    MAX_DELAY(NULL),
    JITTER,
    P_COUNT(delays, exponent_offset, "-1", -255, 255,
            "Added to the failed attempt's number to give the multiplier's exponent, which is not "
            "below 0; -2 repeats the initial delay once."),
    P_END};

const struct param_spec delays_linear_rows[] = {
    P_DURATION(delays, delay_multiplier, "1s", 0, 1e18, "What every attempt adds to the delay."),
    P_DURATION(delays, min_delay, "0s", 0, 1e18, "What the first attempt adds it to."),
    MAX_DELAY("none"), JITTER, P_END};

const struct param_spec delays_fibonacci_rows[] = {
    P_DURATION(delays, base, "1s", 1, 1e18, "The first delay, of which the others are multiples."),
    MAX_DELAY("none"), JITTER, P_END};

static const struct param_spec item_rows[] = {
    P_DURATION(delay_item, delay, NULL, 0, 1e18, "A duration."), P_END};

static const struct schema item_schema = {
    .name = "delay_item",
    .summary = "One of several durations.",
    .size = sizeof(struct delay_item),
    .rows = item_rows,
    .shorthand = true,
    .positional = true,
};

const struct param_spec delays_polynomial_rows[] = {
    P_LIST(delays, coefficients, item_schema, NULL,
           "The constant part, that which grows with the number of attempts, with its square, ..."),
    MAX_DELAY("none"), JITTER, P_END};

const struct param_spec delays_table_rows[] = {
    P_LIST(delays, steps, item_schema, NULL, "The delays; the last one repeats."),
    MAX_DELAY("none"), JITTER, P_END};

const struct param_spec delays_percentile_rows[] = {LATENCY_ROWS(delays, latencies),
                                                    MAX_DELAY("none"), JITTER, P_END};

static const char *const cap_words[] = {"range", "delay", NULL};

const struct param_spec delays_decorrelated_rows[] = {
    P_DURATION(delays, base_delay, NULL, 1, 1e18, "Least delay."), MAX_DELAY(NULL),
    P_WORD(delays, cap_of, cap_words, "range",
           "What max_delay caps: the range that a delay is drawn from; or the delay drawn, so that "
           "many are exactly that long."),
    P_BOOL(
        delays, shared_state, "false",
        "Whether the delay before is that of whichever request failed last, so that delays drift "
        "over all requests of a caller, in place of the same request's."),
    P_END};

static const struct alternative alternatives[] = {DELAYS_ALTERNATIVES, {.name = NULL}};

static void expect_cap_above(const struct delays *d, sim_time least, const char *name,
                             const struct node *at, struct diag *diag)
{
    if (d->max_delay < least) {
        diag_error(diag, at, "max_delay is below %s", name);
    }
}

static void expect_items(uint32_t count, const struct node *at, struct diag *diag)
{
    if (count == 0) {
        diag_error(diag, at, "needs at least one duration");
    }
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct delays *d = value;
    switch ((enum delays_kind)d->kind) {
    case DELAYS_EXPONENTIAL:
        expect_cap_above(d, d->initial_delay, "initial_delay", at, diag);
        return;
    case DELAYS_LINEAR:
        expect_cap_above(d, d->min_delay, "min_delay", at, diag);
        return;
    case DELAYS_FIBONACCI:
        expect_cap_above(d, d->base, "base", at, diag);
        return;
    case DELAYS_POLYNOMIAL:
        expect_items(d->coefficients.count, at, diag);
        return;
    case DELAYS_TABLE:
        expect_items(d->steps.count, at, diag);
        return;
    case DELAYS_PERCENTILE:
        latency_window_check(&d->latencies, at, diag);
        return;
    case DELAYS_DECORRELATED:
        expect_cap_above(d, d->base_delay, "base_delay", at, diag);
        return;
    case DELAYS_NONE:
    case DELAYS_FIXED:
    case DELAYS_CONSTANT:
    case DELAYS_KINDS:
        return;
    }
}

const struct choice delays_choice = {
    .name = "delays",
    .summary = "How long to wait between attempts.",
    .size = sizeof(struct delays),
    .tag_offset = SCHEMA_OFFSET(int, delays, kind),
    .scalar = "fixed",
    .alternatives = alternatives,
    .derive = derive,
};

/* initial * multiplier^exponent [ns], or something above the cap. Multiplied step by step: the C
 * library's pow need not give the same bits everywhere, and the cap ends most of these loops soon.
 */
static double exponential(const struct delays *d, uint32_t k)
{
    double delay = (double)d->initial_delay, cap = (double)d->max_delay;
    for (int64_t e = k + d->exponent_offset; e > 0 && delay < cap; e--) {
        delay *= d->multiplier;
    }
    return delay;
}

static double linear(const struct delays *d, uint32_t k)
{
    return (double)d->min_delay + (double)k * (double)d->delay_multiplier;
}

/* base * F(k) [ns], or something above the cap, which the numbers reach after 91 steps. */
static double fibonacci(const struct delays *d, uint32_t k)
{
    double before = 0.0, delay = (double)d->base, cap = (double)d->max_delay;
    for (uint32_t i = 1; i < k && delay < cap; i++) {
        double next = before + delay;
        before = delay;
        delay = next;
    }
    return delay;
}

static double polynomial(const struct delays *d, uint32_t k)
{
    double delay = 0.0;
    for (uint32_t i = d->coefficients.count; i > 0; i--) {
        delay = delay * k + (double)d->coefficients.items[i - 1].delay;
    }
    return delay;
}

static double table(const struct delays *d, uint32_t k)
{
    uint32_t last = d->steps.count;
    return (double)d->steps.items[(k < last ? k : last) - 1].delay;
}

static double percentile(const struct delays *d, uint32_t k, sim_time quantile)
{
    const struct latency_window *w = &d->latencies;
    if (quantile == SIM_TIME_NEVER) {
        return (double)w->minimum;
    }
    sim_time least = quantile > w->minimum ? quantile : w->minimum;
    return (double)k * (double)(least < w->maximum ? least : w->maximum);
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
    case JITTER_SYMMETRIC:
        return delay * (1.0 + j->share * (2.0 * rng_unit(stream) - 1.0));
    }
    CHECK(false, "no such jitter: %d", j->kind);
}

static sim_time decorrelated(const struct delays *d, sim_time *previous, struct rng_stream *stream)
{
    double low = (double)d->base_delay, cap = (double)d->max_delay;
    double high = 3.0 * (*previous ? (double)*previous : low);
    high = high < cap || d->cap_of == CAP_OF_DELAY ? high : cap;
    double delay = low + (high - low) * rng_unit(stream);
    *previous = sim_time_round(delay < cap ? delay : cap);
    return *previous;
}

/* min(delay, max_delay), spread. */
static sim_time ended(const struct delays *d, double delay, struct rng_stream *stream)
{
    double cap = (double)d->max_delay;
    return sim_time_round(spread(&d->jitter, delay < cap ? delay : cap, stream));
}

sim_time delays_draw(const struct delays *d, uint32_t k, sim_time quantile, sim_time *previous,
                     struct rng_stream *stream)
{
    switch ((enum delays_kind)d->kind) {
    case DELAYS_NONE:
        return 0;
    case DELAYS_FIXED:
    case DELAYS_CONSTANT:
        return dist_draw(&d->delay, stream);
    case DELAYS_EXPONENTIAL:
        return ended(d, exponential(d, k), stream);
    case DELAYS_LINEAR:
        return ended(d, linear(d, k), stream);
    case DELAYS_FIBONACCI:
        return ended(d, fibonacci(d, k), stream);
    case DELAYS_POLYNOMIAL:
        return ended(d, polynomial(d, k), stream);
    case DELAYS_TABLE:
        return ended(d, table(d, k), stream);
    case DELAYS_PERCENTILE:
        return ended(d, percentile(d, k, quantile), stream);
    case DELAYS_DECORRELATED:
        return decorrelated(d, previous, stream);
    case DELAYS_KINDS:
        break;
    }
    CHECK(false, "no such law of delays: %d", d->kind);
}
