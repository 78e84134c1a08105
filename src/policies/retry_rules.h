/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules on how attempts end: ordered lists of conditions, of which the first that holds decides.
 * A rule of `retry_if` says whether to try again, one of `classify` to which class of failures an
 * end belongs. All the conditions of a rule must hold, and one that is not written always does.
 *
 * Rules are about failures. A success is looked at only by rules that name its status or a flag, so
 * that `{method: GET, retry: true}` does not ask again and again for what it has.
 */
#ifndef SQUALL_POLICIES_RETRY_RULES_H
#define SQUALL_POLICIES_RETRY_RULES_H

#include "policies/verdict.h"
#include "rng/stream.h"

/* What a retry policy is asked about: the attempt that has ended, and nothing of those before. */
struct retry_question {
    uint32_t attempt; /* its number, from 1 */
    int method;       /* enum method */
    const struct attempt_end *end;
    sim_time now, started; /* [ns] started: when the first attempt began */
    sim_time quantile;     /* [ns] see delays_draw */
};

/* A condition on an end; the first member of every rule. */
struct end_match {
    status_ranges status; /* any of them; empty: all, and no answer */
    uint32_t error;       /* bits by enum attempt_error; 0: all */
    uint32_t flags;       /* enum reply_flag, any of them; 0: all */
};

struct attempt_range {
    int64_t from, to; /* `to` may be INT64_MAX */
};

struct retry_rule {
    struct end_match match;
    uint32_t method; /* bits by enum method; 0: all */
    struct attempt_range attempt;
    sim_time elapsed;   /* [ns] at least */
    double probability; /* [1] that it holds when all else does */
    bool retry;
};

enum failure_class { FAILURE_TRANSIENT, FAILURE_FLAKY, FAILURE_PERMANENT, FAILURE_CLASSES };

struct class_rule {
    struct end_match match;
    int class_; /* enum failure_class */
};

typedef LIST_OF(struct retry_rule) retry_rules;
typedef LIST_OF(struct class_rule) class_rules;

extern const struct schema retry_rule_schema, class_rule_schema;

/* Whether to try again after an end that means `outcome`; not when no rule holds. Draws once for
 * every rule with a probability between 0 and 1 that would hold otherwise. */
bool retry_rules_say(const retry_rules *rules, const struct retry_question *q, enum outcome outcome,
                     struct rng_stream *stream);

/* The class of an end. Without a rule that holds, a failure is permanent, and a success
 * FAILURE_CLASSES: it is none. */
enum failure_class class_rules_say(const class_rules *rules, const struct attempt_end *end,
                                   enum outcome outcome);

/* Whether the condition can hold for a status below 400. */
bool end_match_looks_at_success(const struct end_match *match);

#endif
