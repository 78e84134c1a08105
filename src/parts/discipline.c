/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/discipline.h"

static const struct param_spec adaptive_rows[] = {
    P_COUNT(discipline, congestion_threshold, NULL, 1, 1e9,
            "Requests waiting from which on the newest is next."),
    P_END};

static const struct param_spec codel_rows[] = {
    P_DURATION_AS(discipline, codel.target, "target", "5ms", 1, 1e18,
                  "Time that a request may wait without being too late."),
    P_DURATION_AS(discipline, codel.interval, "interval", "100ms", 1, 1e18,
                  "Time for which they must all have waited longer before one is dropped."),
    P_END};

/* Weighted flows are of what has a weight. */
static const char *const flow_words[] = {"kind", "priority", "client", NULL};
static const char *const weighted_words[] = {"kind", "priority", NULL};

static const struct param_spec weight_rows[] = {
    KIND_KEY(flow_weight, kind, "The kind of requests."),
    P_COUNT(flow_weight, weight, NULL, 1, 1e6, "How many of them are served in one turn."), P_END};

static const struct schema weight_schema = {.name = "flow weight",
                                            .summary = "The weight of a kind of requests.",
                                            .size = sizeof(struct flow_weight),
                                            .rows = weight_rows,
                                            .kinds = KINDS_SOUGHT,
                                            .shorthand = true};

#define PRIORITY_WEIGHT(member) \
    P_COUNT(priority_weights, member, "1", 1, 1e6, "How many of these are served in one turn.")

static const struct param_spec priority_rows[] = {PRIORITY_WEIGHT(high), PRIORITY_WEIGHT(normal),
                                                  PRIORITY_WEIGHT(low), P_END};

static const struct schema priority_schema = {.name = "priority weights",
                                              .summary = "The weights of requests by priority.",
                                              .size = sizeof(struct priority_weights),
                                              .rows = priority_rows};

#define FLOW_LIMITS \
    P_LIMIT(discipline, max_flows, "unlimited", 1, 1e9, \
            "Flows that may wait; who would begin another one finds the queue full."), \
        P_LIMIT(discipline, per_flow_capacity, "unlimited", 1, 1e9, \
                "Requests of one flow that may wait; more find the queue full.")

static const struct param_spec fair_rows[] = {
    P_WORD(discipline, by, flow_words, "client",
           "What the requests of a flow have in common: the instance of a client that made them "
           "first, their kind, or their priority."),
    FLOW_LIMITS, P_END};

static const struct param_spec weighted_rows[] = {
    P_WORD(discipline, by, weighted_words, "kind",
           "What the requests of a flow have in common: their kind, or their priority."),
    P_MAP(discipline, kinds, weight_schema, "{}", "Weights by kind; others have 1."),
    P_BLOCK(discipline, priorities, priority_schema, "{}", "Weights by priority."), FLOW_LIMITS,
    P_END};

static const struct alternative alternatives[] = {
    {.name = "fifo", .summary = "The oldest is served next.", .tag = DISCIPLINE_FIFO},
    {.name = "lifo", .summary = "The newest.", .tag = DISCIPLINE_LIFO},
    {.name = "priority",
     .summary = "The oldest of the highest priority.",
     .tag = DISCIPLINE_PRIORITY},
    {.name = "deadline",
     .summary = "The one with the earliest deadline, the oldest of equals; whose deadline has "
                "passed is not served. A deadline that is a time left counts from the arrival.",
     .tag = DISCIPLINE_DEADLINE},
    {.name = "adaptive_lifo",
     .summary = "The oldest while few wait, the newest while many do.",
     .tag = DISCIPLINE_ADAPTIVE_LIFO,
     .rows = adaptive_rows},
    {.name = "codel",
     .summary = "The oldest, of whom some are dropped, ever more often, while waits stay too long "
                "(RFC 8289); they get what a request gets that finds the queue full.",
     .tag = DISCIPLINE_CODEL,
     .rows = codel_rows},
    {.name = "siro",
     .summary = "Any of them, each as likely as the others (service in random order).",
     .tag = DISCIPLINE_SIRO},
    {.name = "fair",
     .summary = "The oldest of the flow whose turn it is; flows have one turn after the other, a "
                "new one the last. A flow ends when none of it waits.",
     .tag = DISCIPLINE_FAIR,
     .rows = fair_rows},
    {.name = "weighted_fair",
     .summary = "Likewise, and in its turn a flow has as many served as its weight says.",
     .tag = DISCIPLINE_WEIGHTED_FAIR,
     .rows = weighted_rows},
    {.name = NULL}};

static bool weighs_priorities(const struct priority_weights *w)
{
    return w->high != 1 || w->normal != 1 || w->low != 1;
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct discipline *d = value;
    if (d->kind != DISCIPLINE_WEIGHTED_FAIR) {
        return;
    }
    if (d->by == FLOW_PRIORITY && d->kinds.count > 0) {
        diag_error(diag, at, "`kinds` have no weights where flows are by priority");
    }
    if (d->by == FLOW_KIND && weighs_priorities(&d->priorities)) {
        diag_error(diag, at, "`priorities` have no weights where flows are by kind");
    }
}

const struct choice discipline_choice = {
    .name = "discipline",
    .summary = "Who of those that wait is served next.",
    .size = sizeof(struct discipline),
    .tag_offset = SCHEMA_OFFSET(int, discipline, kind),
    .alternatives = alternatives,
    .derive = derive,
};
