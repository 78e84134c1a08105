/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/retry_rules.h"

#include <assert.h>

static_assert(offsetof(struct retry_rule, match) == 0, "the rows of a match are those of a rule");
static_assert(offsetof(struct class_rule, match) == 0, "the rows of a match are those of a rule");

#define MATCH_ROWS \
    P_LIST(end_match, status, status_range_schema, "[]", "Answers with one of these statuses."), \
        P_WORDS(end_match, error, attempt_error_words, "[]", \
                "Attempts without an answer for one of these reasons, or those with one."), \
        P_WORDS(end_match, flags, reply_flag_words, "[]", \
                "Answers that say one of these things besides their status.")

static const struct param_spec attempt_rows[] = {
    P_COUNT(attempt_range, from, "1", 1, 65535, "The first one."),
    P_LIMIT(attempt_range, to, "unlimited", 1, 65535, "The last one."), P_END};

static void derive_attempts(void *value, const struct node *at, struct diag *diag,
                            struct arena *arena)
{
    (void)arena;
    const struct attempt_range *r = value;
    if (r->to < r->from) {
        diag_error(diag, at, "the range ends before it begins");
    }
}

static const struct schema attempt_schema = {
    .name = "attempt_range",
    .summary = "Attempts by their numbers, from 1.",
    .size = sizeof(struct attempt_range),
    .rows = attempt_rows,
    .positional = true,
    .derive = derive_attempts,
};

static const struct param_spec retry_rows[] = {
    MATCH_ROWS,
    P_WORDS(retry_rule, method, method_words, "[]", "Requests with one of these methods."),
    P_BLOCK(retry_rule, attempt, attempt_schema, "{}", "Attempts with these numbers."),
    P_DURATION(retry_rule, elapsed, "0s", 0, 1e18,
               "Requests that have taken this long at least since their first attempt began."),
    P_REAL(retry_rule, probability, "1", 0, 1, "1", "Chance that the rule applies at all."),
    P_BOOL(retry_rule, retry, "true", "Whether to try again."),
    P_END};

/* In the order of enum failure_class. */
static const char *const class_words[] = {"transient", "flaky", "permanent", NULL};

static const struct param_spec class_rows[] = {MATCH_ROWS,
                                               {.name = "class",
                                                .doc = "What such an end is.",
                                                .unit = "",
                                                .kind = PARAM_WORD,
                                                .words = class_words,
                                                .offset = SCHEMA_OFFSET(int, class_rule, class_)},
                                               P_END};

static bool is_about_answers(const struct end_match *m)
{
    return !m->error || m->error & 1u << ERROR_NONE;
}

/* A condition that nothing fulfils is a mistake. */
static void derive_match(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct end_match *m = value;
    if (!is_about_answers(m) && (m->status.count || m->flags)) {
        diag_error(diag, at, "without an answer there are neither status nor flags");
    }
}

const struct schema retry_rule_schema = {
    .name = "retry_rule",
    .summary =
        "Whether to try again after some ends of attempts; all that is written must apply. A "
        "success is looked at only by rules that name its status or a flag.",
    .size = sizeof(struct retry_rule),
    .rows = retry_rows,
    .derive = derive_match,
};

const struct schema class_rule_schema = {
    .name = "class_rule",
    .summary = "The class of some ends of attempts; all that is written must apply.",
    .size = sizeof(struct class_rule),
    .rows = class_rows,
    .derive = derive_match,
};

static bool matches(const struct end_match *m, const struct attempt_end *end, enum outcome outcome)
{
    bool answered = end->error == ERROR_NONE;
    if (m->error && !(m->error & 1u << end->error)) {
        return false;
    }
    if (m->status.count && !(answered && status_is_among(&m->status, end->status))) {
        return false;
    }
    if (m->flags && !(answered && m->flags & end->flags)) {
        return false;
    }
    return outcome != OUTCOME_SUCCESS || m->status.count || m->flags;
}

static bool applies(const struct retry_rule *r, const struct retry_question *q,
                    enum outcome outcome, struct rng_stream *stream)
{
    return matches(&r->match, q->end, outcome) && (!r->method || r->method & 1u << q->method) &&
           q->attempt >= r->attempt.from && q->attempt <= r->attempt.to &&
           q->now - q->started >= r->elapsed && r->probability > 0.0 &&
           (r->probability >= 1.0 || rng_unit(stream) < r->probability);
}

bool retry_rules_say(const retry_rules *rules, const struct retry_question *q, enum outcome outcome,
                     struct rng_stream *stream)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        if (applies(&rules->items[i], q, outcome, stream)) {
            return rules->items[i].retry;
        }
    }
    return false;
}

enum failure_class class_rules_say(const class_rules *rules, const struct attempt_end *end,
                                   enum outcome outcome)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        if (matches(&rules->items[i].match, end, outcome)) {
            return (enum failure_class)rules->items[i].class_;
        }
    }
    return outcome == OUTCOME_SUCCESS ? FAILURE_CLASSES : FAILURE_PERMANENT;
}

bool end_match_looks_at_success(const struct end_match *m)
{
    bool low = false;
    for (uint32_t i = 0; i < m->status.count; i++) {
        low = low || m->status.items[i].low < 400;
    }
    return is_about_answers(m) && (m->status.count ? low : m->flags != 0);
}
