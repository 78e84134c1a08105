/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/strategy.h"

/* In the order of the enums. */
static const char *const reference_words[] = {"start", "previous", NULL};
static const char *const after_failure_words[] = {"wait", "next", NULL};

static const struct param_spec parallel_rows[] = {
    P_COUNT(strategy, attempts, "3", 1, 1000, "Attempts that may be under way side by side."),
    P_CHOICE(strategy, delays, delays_choice, "{linear: {}}",
             "When each of them but the first is sent, if nothing was accepted by then."),
    P_WORD(strategy, reference, reference_words, "start",
           "What the delays count from: the start of the first attempt, or of the one before."),
    P_WORD(strategy, after_failure, after_failure_words, "wait",
           "What an attempt's failure does to the next one that is not sent yet: it waits for its "
           "time all the same, or is sent at once."),
    P_END};

static const struct alternative strategy_alternatives[] = {
    {.name = "sequential",
     .summary = "One attempt after the other, as the retry policy says.",
     .tag = STRATEGY_SEQUENTIAL},
    {.name = "single",
     .summary = "One attempt only, whatever the retry policy says.",
     .tag = STRATEGY_SINGLE},
    {.name = "parallel",
     .summary = "Hedged: several attempts side by side, one after another; the first answer "
                "accepted decides. A retry repeats them all.",
     .tag = STRATEGY_PARALLEL,
     .rows = parallel_rows},
    {.name = NULL}};

const struct choice strategy_choice = {
    .name = "strategy",
    .summary = "How many attempts of a request are under way at a time.",
    .size = sizeof(struct strategy),
    .tag_offset = SCHEMA_OFFSET(int, strategy, kind),
    .alternatives = strategy_alternatives,
};
