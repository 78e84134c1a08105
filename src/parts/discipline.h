/* SPDX-License-Identifier: Apache-2.0
 *
 * Queue disciplines: who of those that wait is next. That of `adaptive_lifo` depends on how many
 * wait: the oldest while they are few; the newest, who is the most likely to be waited for still,
 * from `congestion_threshold` on (Maurer, "Fail at Scale", ACM Queue 13(8), 2015). By `fair` and
 * `weighted_fair` requests of one flow wait for each other, and flows have their turns one after
 * the other (Nagle, RFC 970, 1985): a flow that sends too much delays itself.
 */
#ifndef SQUALL_PARTS_DISCIPLINE_H
#define SQUALL_PARTS_DISCIPLINE_H

#include "base/schema.h"
#include "engine/kind.h"
#include "policies/codel.h"

enum discipline_kind {
    DISCIPLINE_FIFO,
    DISCIPLINE_LIFO,
    DISCIPLINE_PRIORITY,
    DISCIPLINE_DEADLINE,
    DISCIPLINE_ADAPTIVE_LIFO,
    DISCIPLINE_CODEL,
    DISCIPLINE_SIRO,
    DISCIPLINE_FAIR,
    DISCIPLINE_WEIGHTED_FAIR
};

/* What the requests of a flow have in common. */
enum flow_key { FLOW_KIND, FLOW_PRIORITY, FLOW_CLIENT };

/* How many requests of a kind are served in one turn. */
struct flow_weight {
    struct kind kind;
    int64_t weight;
};

struct priority_weights { /* likewise, by enum priority */
    int64_t high, normal, low;
};

struct discipline {
    int kind;                     /* enum discipline_kind */
    int64_t congestion_threshold; /* adaptive_lifo */
    struct codel codel;
    /* fair, weighted_fair */
    int by;                               /* enum flow_key */
    int64_t max_flows, per_flow_capacity; /* INT64_MAX: no limit */
    LIST_OF(struct flow_weight) kinds;    /* 1 for others */
    struct priority_weights priorities;
};

extern const struct choice discipline_choice;

/* Whether the newest is next while `depth` wait, the one to be taken included: of adaptive_lifo. */
static inline bool discipline_turns(const struct discipline *d, uint32_t depth)
{
    return (int64_t)depth >= d->congestion_threshold;
}

/* Whether requests wait in flows. */
static inline bool discipline_is_fair(const struct discipline *d)
{
    return d->kind >= DISCIPLINE_FAIR;
}

#endif
