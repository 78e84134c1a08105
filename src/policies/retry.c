/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/retry.h"

#include <assert.h>

#include "base/check.h"

static_assert(offsetof(struct retry, delays) == 0, "the rows of a law of delays are a retry's too");

/* No answer makes anybody wait for longer [ns]: 2^31 s. */
#define LONGEST_RETRY_AFTER (INT64_C(2147483648) * SIM_TIME_S)

/* A count that need not be written. */
#define ROW_COUNT(member_, low_, high_, doc_) \
    { \
        .name = #member_, .doc = doc_, .unit = "1", .fallback = "none", .absent = "none", \
        .low = low_, .high = high_, .kind = PARAM_COUNT, \
        .offset = SCHEMA_OFFSET(int64_t, retry, member_) \
    }

/* In the order of the bits of enum retry_on. */
static const char *const retry_on_words[] = {"timeout", "error", NULL};

/* In the order of enum retry_after. */
static const char *const retry_after_words[] = {"honour", "ignore", NULL};

static const struct param_spec common_rows[] = {
    ROW_COUNT(max_attempts, 1, 65535,
              "Attempts at most, the first one included. Every law of delays needs either this or "
              "max_retries."),
    ROW_COUNT(max_retries, 0, 65534, "Attempts at most after the first one."),
    P_WORDS(
        retry, retry_on, retry_on_words, "[timeout, error]",
        "What is retried: attempts without an answer in time (timeout), and answers that report a "
        "passing failure (error: 408, 429, 489, 5xx) or attempts that got lost."),
    P_LIST(retry, verdicts, status_verdict_schema, "[]",
           "What statuses mean, where that is not as usual; the first that names one decides."),
    P_LIST(retry, status_forcelist, status_range_schema, "[]",
           "The statuses from 400 on that are retried, in place of those that are usually."),
    P_LIST(retry, retry_if, retry_rule_schema, "[]",
           "When to try again, in place of all that is usual: the first rule that applies decides, "
           "and without one there is no retry."),
    P_WORD(retry, retry_after, retry_after_words, "honour",
           "Whether an answer that says when to try again is obeyed."),
    P_REAL(retry, retry_after_jitter, "0", 0, 1e6, "1",
           "Most that is added to the wait that an answer asks for, as a share of it."),
    P_MAYBE_DURATION(retry, retry_after_max, "none", 0, 1e18,
                     "Cap of the wait that an answer asks for, before its jitter."),
    P_MAYBE_DURATION(retry, max_total_time, "none", 1, 1e18,
                     "There is no retry any more when this has passed since the first attempt."),
    P_BOOL(retry, strict, "false",
           "Whether there is no retry either that would begin after max_total_time."),
    P_MAYBE_DURATION(retry, max_wait_time, "none", 1, 1e18, "Cap of every wait."),
    P_REAL(retry, jitter_factor, "0", 0, 1e6, "1",
           "Most that is added to every wait, as a share of it."),
    P_BOOL(retry, jitter_after_cap, "false",
           "Whether that may make a wait longer than max_wait_time."),
    P_END};

#define ROW_BUDGET(class_, key_, fallback_, doc_) \
    { \
        .name = key_, .doc = doc_, .unit = "1", .fallback = fallback_, .high = 65535, \
        .kind = PARAM_COUNT, .offset = SCHEMA_OFFSET(int64_t, retry, budget[class_]) \
    }

static const struct param_spec adaptive_rows[] = {
    ROW_BUDGET(FAILURE_TRANSIENT, "transient_budget", "5", "Retries of failures that will pass."),
    ROW_BUDGET(FAILURE_FLAKY, "flaky_budget", "2",
               "Retries of answers that are not as they should "
               "be."),
    ROW_BUDGET(FAILURE_PERMANENT, "permanent_budget", "0", "Retries of failures that will stay."),
    P_DURATION_AS(retry, delays.initial_delay, "base_delay", "100ms", 1, 1e18,
                  "Time before the first retry."),
    P_MAYBE_DURATION_AS(retry, delays.max_delay, "max_delay", "5s", 1, 1e18,
                        "Cap of the delay, before jitter."),
    {.name = "backoff_factor",
     .doc = "Growth of the delay from one retry to the next, whatever their classes.",
     .unit = "1",
     .fallback = "2",
     .low = 1,
     .high = 1e6,
     .kind = PARAM_REAL,
     .offset = SCHEMA_OFFSET(double, retry, delays.multiplier)},
    {.name = "jitter",
     .doc = "Most that is added to a delay, as a share of it.",
     .unit = "1",
     .fallback = "25%",
     .high = 1e6,
     .kind = PARAM_REAL,
     .offset = SCHEMA_OFFSET(double, retry, delays.jitter.share)},
    P_LIST(
        retry, classify, class_rule_schema,
        "[{status: 400-599, flags: do_not_retry, class: permanent}, "
        "{flags: flaky, class: flaky}, "
        "{error: [timeout, refused, reset, dropped], class: transient}, "
        "{status: [489, 500-599], class: transient}]",
        "The class of each failure, by the first rule that applies; without one it is permanent. "
        "A rule that names the status of a success, or a flag, makes a failure of it."),
    P_END};

static const struct alternative retry_alternatives[] = {
    {.name = "none", .summary = "A single attempt.", .tag = RETRY_NONE},
    DELAYS_ALTERNATIVES,
    {.name = "adaptive",
     .summary = "Retries by class of failure, each with a budget of its own in every request; "
                "delays grow by a factor.",
     .tag = RETRY_ADAPTIVE,
     .rows = adaptive_rows},
    {.name = NULL}};

/* Attempts that the budgets of all classes allow, the first one included. */
static uint32_t budgeted_attempts(const struct retry *r)
{
    uint32_t n = 1;
    for (int i = 0; i < FAILURE_CLASSES; i++) {
        n += (uint32_t)r->budget[i];
    }
    return n;
}

static void derive_limit(struct retry *r, const struct node *at, struct diag *diag)
{
    bool by_attempts = r->max_attempts != INT64_MAX, by_retries = r->max_retries != INT64_MAX;
    r->limit = by_attempts  ? (uint32_t)r->max_attempts
               : by_retries ? (uint32_t)r->max_retries + 1
                            : budgeted_attempts(r);
    if (by_attempts && by_retries) {
        diag_error(diag, at, "max_attempts and max_retries exclude each other");
    } else if (r->kind == RETRY_NONE) {
        r->limit = 1;
    } else if (r->kind != RETRY_ADAPTIVE && !by_attempts && !by_retries) {
        diag_error(diag, at, "needs either max_attempts or max_retries");
    }
}

static void derive_delays(struct retry *r, const struct node *at, struct diag *diag,
                          struct arena *arena)
{
    struct delays *d = &r->delays;
    if (r->kind != RETRY_ADAPTIVE) {
        d->kind = r->kind;
        delays_choice.derive(d, at, diag, arena);
        return;
    }
    d->kind = DELAYS_EXPONENTIAL;
    d->exponent_offset = -1;
    d->jitter.kind = d->jitter.share > 0.0 ? JITTER_FACTOR : JITTER_NONE;
    if (d->max_delay < d->initial_delay) {
        diag_error(diag, at, "max_delay is below base_delay");
    }
}

static bool may_poll(const struct retry *r)
{
    bool polls = false;
    for (uint32_t i = 0; i < r->retry_if.count; i++) {
        const struct retry_rule *rule = &r->retry_if.items[i];
        polls = polls || (rule->retry && end_match_looks_at_success(&rule->match));
    }
    for (uint32_t i = 0; i < r->classify.count; i++) {
        polls = polls || end_match_looks_at_success(&r->classify.items[i].match);
    }
    for (uint32_t i = 0; i < r->verdicts.count; i++) {
        struct end_match match = {.status = r->verdicts.items[i].status};
        bool success = r->verdicts.items[i].verdict == OUTCOME_SUCCESS;
        polls = polls || (!success && end_match_looks_at_success(&match));
    }
    return polls;
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct retry *r = value;
    derive_limit(r, at, diag);
    derive_delays(r, at, diag, arena);
    r->polls = may_poll(r);
    r->special = r->verdicts.count || r->status_forcelist.count || r->retry_if.count ||
                 r->kind == RETRY_ADAPTIVE || r->max_total_time != SIM_TIME_NEVER ||
                 r->max_wait_time != SIM_TIME_NEVER || r->jitter_factor > 0.0;
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

static struct retry_answer no(enum retry_reason reason)
{
    return (struct retry_answer){SIM_TIME_NEVER, (uint8_t)reason};
}

/* What an answer asks for [ns]. */
static sim_time asked_wait(const struct retry *r, const struct retry_question *q,
                           struct rng_stream *stream)
{
    sim_time asked = q->end->retry_after;
    if (q->end->flags & REPLY_RETRY_AT) {
        asked = asked > q->now ? asked - q->now : 0;
    }
    asked = asked < 0 ? 0 : asked < LONGEST_RETRY_AFTER ? asked : LONGEST_RETRY_AFTER;
    asked = asked < r->retry_after_max ? asked : r->retry_after_max;
    if (r->retry_after_jitter > 0.0) {
        double share = r->retry_after_jitter * rng_unit(stream);
        asked = sim_time_round((double)asked * (1.0 + share));
    }
    return asked;
}

static sim_time wait_of(const struct retry *r, const struct retry_question *q,
                        struct retry_memory *memory, struct rng_stream *stream)
{
    bool asked = q->end->error == ERROR_NONE && q->end->flags & REPLY_RETRY_AFTER;
    if (asked && r->retry_after == RETRY_AFTER_HONOUR) {
        return asked_wait(r, q, stream);
    }
    return delays_draw(&r->delays, q->attempt, q->quantile, &memory->previous, stream);
}

/* A wait within max_wait_time, spread by jitter_factor [ns]. */
static sim_time bounded_wait(const struct retry *r, sim_time wait, struct rng_stream *stream)
{
    sim_time most = r->max_wait_time;
    wait = wait < most ? wait : most;
    if (r->jitter_factor > 0.0) {
        wait = sim_time_round((double)wait * (1.0 + r->jitter_factor * rng_unit(stream)));
    }
    return wait < most || r->jitter_after_cap ? wait : most;
}

/* The outcome of an end of which the policy says itself whether to try again. */
static enum outcome outcome_by(bool wanted, enum outcome outcome)
{
    if (outcome == OUTCOME_TIMEOUT) {
        return outcome;
    }
    bool failed = outcome != OUTCOME_SUCCESS;
    return wanted ? OUTCOME_ERROR : failed ? OUTCOME_FINAL : OUTCOME_SUCCESS;
}

/* The class of a failure by which an adaptive policy counts; FAILURE_CLASSES: it does not. */
static enum failure_class class_of(const struct retry *r, const struct attempt_end *end,
                                   enum outcome outcome)
{
    return r->kind == RETRY_ADAPTIVE ? class_rules_say(&r->classify, end, outcome)
                                     : FAILURE_CLASSES;
}

static struct retry_verdict judge_specially(const struct retry *r, const struct retry_question *q,
                                            enum outcome outcome, struct rng_stream *stream)
{
    bool wanted;
    if (r->retry_if.count) {
        wanted = retry_rules_say(&r->retry_if, q, outcome, stream);
        return (struct retry_verdict){(uint8_t)outcome_by(wanted, outcome), wanted};
    }
    if (r->kind == RETRY_ADAPTIVE) {
        enum failure_class class_ = class_of(r, q->end, outcome);
        wanted = class_ != FAILURE_CLASSES;
        return (struct retry_verdict){(uint8_t)outcome_by(wanted, outcome),
                                      wanted && r->budget[class_] > 0};
    }
    if (r->status_forcelist.count && q->end->error == ERROR_NONE && q->end->status >= 400) {
        outcome = outcome_by(status_is_among(&r->status_forcelist, q->end->status), outcome);
    }
    return (struct retry_verdict){(uint8_t)outcome, retry_wants(r, outcome)};
}

struct retry_verdict retry_judge(const struct retry *r, const struct retry_question *q,
                                 struct rng_stream *stream)
{
    return r->special ? judge_specially(r, q, verdict_of_end(q->end, &r->verdicts), stream)
                      : retry_judge_plainly(r, q->end);
}

static struct retry_answer decide_specially(const struct retry *r, const struct retry_question *q,
                                            enum outcome outcome, struct retry_memory *memory,
                                            struct rng_stream *stream)
{
    enum failure_class class_ = class_of(r, q->end, outcome);
    bool budgeted = class_ != FAILURE_CLASSES;
    if (budgeted && memory->used[class_] >= r->budget[class_]) {
        return no(RETRY_EXHAUSTED);
    }
    sim_time elapsed = q->now - q->started;
    if (elapsed >= r->max_total_time) {
        return no(RETRY_LATE);
    }
    sim_time wait = bounded_wait(r, wait_of(r, q, memory, stream), stream);
    if (r->strict && sim_time_add(elapsed, wait) > r->max_total_time) {
        return no(RETRY_LATE);
    }
    if (budgeted) {
        memory->used[class_]++;
    }
    return (struct retry_answer){wait, RETRY_AGAIN};
}

struct retry_answer retry_decide(const struct retry *r, const struct retry_question *q,
                                 struct retry_verdict verdict, struct retry_memory *memory,
                                 struct rng_stream *stream)
{
    if (!verdict.again) {
        return no(RETRY_UNWANTED);
    }
    if (q->attempt >= r->limit) {
        return no(RETRY_EXHAUSTED);
    }
    if (r->special) {
        return decide_specially(r, q, (enum outcome)verdict.outcome, memory, stream);
    }
    return (struct retry_answer){wait_of(r, q, memory, stream), RETRY_AGAIN};
}
