/* SPDX-License-Identifier: Apache-2.0
 *
 * Retry policies: whether an attempt that has ended is followed by another one, and after what
 * delay. Pure functions; what a policy remembers from one attempt to the next lies with the logical
 * request. Deadlines, budgets that requests share and circuit breakers are asked by the caller.
 *
 * Attempts count from 1, and the question is always about the attempt that has just ended, so the
 * k-th retry waits for the k-th delay of the policy's law (policies/delays.h).
 *
 * What is tried again is said by the first of these that is written:
 * - `retry_if`: its rules alone, for answers and errors alike, successes included: a rule on 2xx
 *   polls;
 * - `classify` (kind adaptive): every failure that its class has a budget left for;
 * - `status_forcelist`: of the answers from 400 on, exactly those;
 * - the verdict: errors and timeouts.
 * The last two are limited to `retry_on`.
 *
 * How long: what the answer asks for (Retry-After), else the law; then at most max_wait_time, then
 * spread by jitter_factor, then at most max_wait_time again unless jitter_after_cap.
 */
#ifndef SQUALL_POLICIES_RETRY_H
#define SQUALL_POLICIES_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/delays.h"
#include "policies/retry_rules.h"
#include "policies/verdict.h"
#include "rng/stream.h"

/* A retry policy is no retry, or a law of delays, or the kind with budgets by class. */
enum retry_kind {
    RETRY_NONE = DELAYS_NONE,
    /* enum delays_kind between them */
    RETRY_ADAPTIVE = DELAYS_KINDS,
};

/* The outcomes that are retried, as bits of `retry_on`. */
enum retry_on { RETRY_ON_TIMEOUT = 1, RETRY_ON_ERROR = 2 };

enum retry_after { RETRY_AFTER_HONOUR, RETRY_AFTER_IGNORE };

/* Zero is RETRY_NONE. */
struct retry {
    struct delays delays; /* RETRY_ADAPTIVE: exponential; first, so that its rows are a retry's */
    int kind;             /* enum retry_kind */
    uint32_t retry_on;    /* enum retry_on */
    uint32_t limit;       /* derived: attempts at most, the first one included */
    bool polls;           /* derived: an answer below 400 may be no success */
    bool special;    /* derived: something that follows the next three is written, or adaptive */
    int retry_after; /* enum retry_after */
    double retry_after_jitter; /* [1] added at most, as a share */
    sim_time retry_after_max;  /* [ns] cap before the jitter, SIM_TIME_NEVER: none */
    status_verdicts verdicts;
    status_ranges status_forcelist;
    retry_rules retry_if;
    class_rules classify;            /* RETRY_ADAPTIVE */
    int64_t budget[FAILURE_CLASSES]; /* RETRY_ADAPTIVE: retries of one request */
    sim_time max_total_time; /* [ns] no retry once this has passed since the start, or NEVER */
    bool strict;             /* nor one that would begin after it */
    sim_time max_wait_time;  /* [ns] or NEVER */
    double jitter_factor;    /* [1] added at most to every wait, as a share */
    bool jitter_after_cap;   /* and that may exceed max_wait_time */
    int64_t max_attempts, max_retries; /* as written; INT64_MAX: not */
};

/* What a policy remembers of one logical request; zero at its start. */
struct retry_memory {
    sim_time previous;              /* [ns] the last delay of decorrelated jitter */
    uint16_t used[FAILURE_CLASSES]; /* retries by class of RETRY_ADAPTIVE */
};

enum retry_reason {
    RETRY_AGAIN,
    RETRY_UNWANTED,  /* such an end is not tried again */
    RETRY_EXHAUSTED, /* no attempts are left, or none of its class */
    RETRY_LATE,      /* max_total_time is used up */
};

struct retry_answer {
    sim_time wait;  /* [ns] before the next attempt; SIM_TIME_NEVER: there is none */
    uint8_t reason; /* enum retry_reason */
};

/* What the policy makes of an end. */
struct retry_verdict {
    uint8_t outcome; /* enum outcome: the verdict, where `retry_if`, `classify` and
                        `status_forcelist` leave it. What they try again is an error, also when it
                        was answered with 200, and what they do not is final. */
    bool again;      /* whether it is one to try again after, as long as there are attempts left */
};

extern const struct choice retry_choice;

/* Whether an outcome is one of `retry_on`. */
static inline bool retry_wants(const struct retry *r, enum outcome outcome)
{
    return (outcome == OUTCOME_TIMEOUT && r->retry_on & RETRY_ON_TIMEOUT) ||
           (outcome == OUTCOME_ERROR && r->retry_on & RETRY_ON_ERROR);
}

/* What a policy that is not `special` makes of an end: the same as retry_judge, with less to ask.
 */
static inline struct retry_verdict retry_judge_plainly(const struct retry *r,
                                                       const struct attempt_end *end)
{
    enum outcome outcome = verdict_of_end(end, NULL);
    return (struct retry_verdict){(uint8_t)outcome, retry_wants(r, outcome)};
}

/* Judges the end of the question, which is that of one attempt. Draws from `stream` at most once
 * for each rule with a probability, in their order. */
struct retry_verdict retry_judge(const struct retry *r, const struct retry_question *q,
                                 struct rng_stream *stream);

/* Decides whether there is another attempt after this end, of which the verdict is known. Draws
 * from `stream` at most once each for the delay (as delays_draw) or retry_after_jitter, and for
 * jitter_factor; nothing when the answer is known without. */
struct retry_answer retry_decide(const struct retry *r, const struct retry_question *q,
                                 struct retry_verdict verdict, struct retry_memory *memory,
                                 struct rng_stream *stream);

#endif
