/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/limiter.h"

#include "base/check.h"

/* Tokens times parts a token, or parts a nanosecond times nanoseconds, take more than 64 bits. */
__extension__ typedef __int128 wide;

/* Denominators of rates at most, so that the parts of a token fit 63 bits. */
#define MOST_PIECES INT64_C(1000000000)

#define RATE(member, fallback, doc)      P_REAL(limiter, member, fallback, 1e-9, 1e12, "1/s", doc)
#define AIMD_RATE(member, fallback, doc) P_REAL(limiter, member, fallback, 1e-3, 1e9, "1/s", doc)
#define WINDOW(doc)                      P_DURATION(limiter, window, "1s", 1, 1e15, doc)

static const struct param_spec token_rows[] = {
    P_REAL(limiter, capacity, "10", 1, 1e9, "1", "Tokens at most."),
    RATE(refill_rate, "1/s", "Tokens that come back."),
    P_REAL(limiter, initial_share, "100%", 0, 1, "1", "Share of them there is at the start."),
    P_END};

static const struct param_spec leaky_rows[] = {
    RATE(leak_rate, "1/s", "Requests that pass at most, evenly."), P_END};

static const struct param_spec sliding_rows[] = {
    P_COUNT(limiter, max_requests, "10", 1, 1e6, "Requests in any window at most."),
    WINDOW("The time looked back on."), P_END};

static const struct param_spec fixed_rows[] = {
    P_COUNT(limiter, requests_per_window, NULL, 1, 1e15, "Requests in each window at most."),
    WINDOW("Length of the windows, of which the first begins at time 0."), P_END};

static const struct param_spec aimd_rows[] = {
    AIMD_RATE(initial_rate, "100/s", "Rate at the start."),
    AIMD_RATE(min_rate, "1/s", "Rate at least."),
    AIMD_RATE(max_rate, "10000/s", "Rate at most."),
    P_REAL(limiter, increase_step, "0/s", 0, 1e9, "1/s",
           "What a success adds to the rate; 0: a tenth of initial_rate."),
    P_REAL(limiter, decrease_factor, "0.5", 1e-6, 0.999999, "1",
           "What a failure multiplies the rate by."),
    WINDOW("The bucket holds what comes back in this time."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "none", .summary = "Everything passes.", .tag = LIMITER_NONE},
    {.name = "token_bucket",
     .summary = "A rate, and bursts of as many as there are tokens.",
     .tag = LIMITER_TOKEN_BUCKET,
     .rows = token_rows},
    {.name = "leaky_bucket",
     .summary = "A rate without bursts: so long after the one before, or later.",
     .tag = LIMITER_LEAKY_BUCKET,
     .rows = leaky_rows},
    {.name = "sliding_window",
     .summary = "So many within any time of that length.",
     .tag = LIMITER_SLIDING_WINDOW,
     .rows = sliding_rows},
    {.name = "fixed_window",
     .summary = "So many in each of the windows that follow one another.",
     .tag = LIMITER_FIXED_WINDOW,
     .rows = fixed_rows},
    {.name = "aimd",
     .summary = "A token bucket whose rate rises with successes and falls with failures.",
     .tag = LIMITER_AIMD,
     .rows = aimd_rows},
    {.name = NULL}};

/* --- what is derived --------------------------------------------------------------------- */

struct fraction {
    int64_t over, under;
};

/* The fraction that a positive number was written as: the first convergent of its continued
 * fraction that is the same double, or the last with at most MOST_PIECES below. */
static struct fraction fraction_of(double number)
{
    struct fraction before = {0, 1}, f = {1, 0};
    double x = number;
    do {
        int64_t whole = (int64_t)x;
        if (f.under > 0 && (double)whole > (double)(MOST_PIECES - before.under) / (double)f.under) {
            break;
        }
        struct fraction next = {whole * f.over + before.over, whole * f.under + before.under};
        before = f;
        f = next;
        x = 1.0 / (x - (double)whole);
    } while (x < 2e9 && (double)f.over / (double)f.under != number);
    return f;
}

/* A rate [1/s] makes tokens of `*token` parts, of which so many come back each nanosecond. */
static int64_t parts_of(double rate, int64_t *token)
{
    struct fraction f = fraction_of(rate);
    *token = f.under * SIM_TIME_S;
    return f.over;
}

static sim_time ceiling(wide parts, int64_t per_ns)
{
    return (sim_time)((parts + per_ns - 1) / per_ns);
}

static void derive_tokens(struct limiter *l, const struct node *at, struct diag *diag)
{
    l->exact.per_ns = parts_of(l->refill_rate, &l->exact.token);
    l->exact.full = sim_time_round(l->capacity * 1000.0);
    l->exact.initial = sim_time_round(l->capacity * l->initial_share * 1000.0);
    double exact = l->capacity * 1000.0, off = exact - (double)l->exact.full;
    if (off > 1e-9 * exact || off < -1e-9 * exact) {
        diag_error(diag, at, "capacity must be a multiple of 0.001");
    }
}

static int64_t steps_of(double rate)
{
    return sim_time_round(rate * (double)LIMITER_STEPS);
}

static void derive_aimd(struct limiter *l, const struct node *at, struct diag *diag)
{
    if (!(l->increase_step > 0.0)) {
        l->increase_step = 0.1 * l->initial_rate;
    }
    l->exact.token = LIMITER_STEPS * SIM_TIME_S;
    l->exact.start = steps_of(l->initial_rate);
    l->exact.least = steps_of(l->min_rate);
    l->exact.most = steps_of(l->max_rate);
    l->exact.step = steps_of(l->increase_step);
    if (l->exact.start < l->exact.least || l->exact.start > l->exact.most) {
        diag_error(diag, at, "initial_rate must lie between min_rate and max_rate");
    }
    if ((wide)l->exact.least * l->window < l->exact.token) {
        diag_error(diag, at,
                   "min_rate times window is below 1: a bucket of that size never holds a token");
    }
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct limiter *l = value;
    int64_t token;
    switch ((enum limiter_kind)l->kind) {
    case LIMITER_TOKEN_BUCKET:
        derive_tokens(l, at, diag);
        break;
    case LIMITER_LEAKY_BUCKET:
        l->exact.per_ns = parts_of(l->leak_rate, &token);
        l->exact.gap = ceiling(token, l->exact.per_ns);
        break;
    case LIMITER_AIMD:
        derive_aimd(l, at, diag);
        break;
    case LIMITER_NONE:
    case LIMITER_SLIDING_WINDOW:
    case LIMITER_FIXED_WINDOW:
        break;
    }
}

const struct choice limiter_choice = {
    .name = "limiter",
    .summary = "How many requests are let through in which time.",
    .size = sizeof(struct limiter),
    .tag_offset = SCHEMA_OFFSET(int, limiter, kind),
    .alternatives = alternatives,
    .derive = derive,
};

size_t limiter_state_size(const struct limiter *l)
{
    size_t log = l->kind == LIMITER_SLIDING_WINDOW ? (size_t)l->max_requests : 0;
    return l->kind == LIMITER_NONE ? 0 : sizeof(struct limiter_state) + log * sizeof(sim_time);
}

/* --- buckets ----------------------------------------------------------------------------- */

int64_t limiter_rate(const struct limiter *l, const struct limiter_state *s)
{
    return l->kind == LIMITER_AIMD ? l->exact.start + s->change : 0;
}

/* What comes back each nanosecond, what the bucket holds, and what it lacks at the start, in parts.
 */
static int64_t coming_back(const struct limiter *l, const struct limiter_state *s)
{
    return l->kind == LIMITER_AIMD ? limiter_rate(l, s) : l->exact.per_ns;
}

static wide size_of(const struct limiter *l, const struct limiter_state *s)
{
    return l->kind == LIMITER_AIMD ? (wide)limiter_rate(l, s) * l->window
                                   : (wide)l->exact.full * (l->exact.token / 1000);
}

static wide lacking_at_start(const struct limiter *l)
{
    return (wide)(l->exact.full - l->exact.initial) * (l->exact.token / 1000);
}

/* What is missing in the bucket [parts]. What has no room is lost here, be it that too much came
 * back or that the bucket has become smaller. */
static wide missing(const struct limiter *l, const struct limiter_state *s, sim_time now)
{
    wide parts = lacking_at_start(l) + (wide)s->tokens * l->exact.token + s->parts -
                 (wide)(now - s->since) * coming_back(l, s);
    CHECK(now >= s->since, "a rate limiter is asked about the past");
    return parts > 0 ? parts : 0;
}

static void set_missing(const struct limiter *l, struct limiter_state *s, sim_time now, wide parts)
{
    wide beyond = parts - lacking_at_start(l);
    s->tokens = (int64_t)(beyond / l->exact.token);
    s->parts = (int64_t)(beyond % l->exact.token);
    s->since = now;
}

/* What is missing of a token [parts]; not above 0 if there is one. */
static wide short_of(const struct limiter *l, const struct limiter_state *s, sim_time now)
{
    return missing(l, s, now) + l->exact.token - size_of(l, s);
}

void limiter_ended(const struct limiter *l, struct limiter_state *s, sim_time now, bool success)
{
    if (l->kind != LIMITER_AIMD) {
        return;
    }
    wide left = size_of(l, s) - missing(l, s, now);
    int64_t rate = limiter_rate(l, s);
    if (success) {
        rate = rate < l->exact.most - l->exact.step ? rate + l->exact.step : l->exact.most;
    } else {
        rate = sim_time_round((double)rate * l->decrease_factor);
        rate = rate > l->exact.least ? rate : l->exact.least;
    }
    s->change = rate - l->exact.start;
    set_missing(l, s, now, size_of(l, s) - left);
}

/* --- what is asked ----------------------------------------------------------------------- */

/* When the one that passed max_requests ago leaves the window. */
static sim_time sliding_wait(const struct limiter *l, const struct limiter_state *s, sim_time now)
{
    if (s->passed < l->max_requests) {
        return 0;
    }
    sim_time out = s->last[s->passed % l->max_requests] + l->window + 1;
    return out > now ? out - now : 0;
}

static sim_time fixed_wait(const struct limiter *l, const struct limiter_state *s, sim_time now)
{
    bool fits = s->window < now / l->window || s->passed < l->requests_per_window;
    return fits ? 0 : l->window - now % l->window;
}

sim_time limiter_wait(const struct limiter *l, const struct limiter_state *s, sim_time now)
{
    wide parts;
    switch ((enum limiter_kind)l->kind) {
    case LIMITER_NONE:
        return 0;
    case LIMITER_TOKEN_BUCKET:
    case LIMITER_AIMD:
        parts = short_of(l, s, now);
        return parts > 0 ? ceiling(parts, coming_back(l, s)) : 0;
    case LIMITER_LEAKY_BUCKET:
        return s->since > now ? s->since - now : 0;
    case LIMITER_SLIDING_WINDOW:
        return sliding_wait(l, s, now);
    case LIMITER_FIXED_WINDOW:
        return fixed_wait(l, s, now);
    }
    CHECK(false, "no such rate limiter: %d", l->kind);
}

static void count(const struct limiter *l, struct limiter_state *s, sim_time now)
{
    switch ((enum limiter_kind)l->kind) {
    case LIMITER_NONE:
        break;
    case LIMITER_TOKEN_BUCKET:
    case LIMITER_AIMD:
        set_missing(l, s, now, missing(l, s, now) + l->exact.token);
        break;
    case LIMITER_LEAKY_BUCKET:
        s->since = now + l->exact.gap;
        break;
    case LIMITER_SLIDING_WINDOW:
        s->last[s->passed++ % l->max_requests] = now;
        break;
    case LIMITER_FIXED_WINDOW:
        s->passed = s->window < now / l->window ? 1 : s->passed + 1;
        s->window = now / l->window;
        break;
    }
}

bool limiter_take(const struct limiter *l, struct limiter_state *s, sim_time now)
{
    bool passes = limiter_wait(l, s, now) == 0;
    if (passes) {
        count(l, s, now);
    }
    return passes;
}
