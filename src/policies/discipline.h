/* SPDX-License-Identifier: Apache-2.0
 *
 * Queue disciplines: who of those that wait is next. That of `adaptive_lifo` depends on how many
 * wait: the oldest while they are few; the newest, who is the most likely to be waited for still,
 * from `congestion_threshold` on (Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
 */
#ifndef SQUALL_POLICIES_DISCIPLINE_H
#define SQUALL_POLICIES_DISCIPLINE_H

#include "base/schema.h"
#include "policies/codel.h"

enum discipline_kind {
    DISCIPLINE_FIFO,
    DISCIPLINE_LIFO,
    DISCIPLINE_PRIORITY,
    DISCIPLINE_DEADLINE,
    DISCIPLINE_ADAPTIVE_LIFO,
    DISCIPLINE_CODEL
};

struct discipline {
    int kind;                     /* enum discipline_kind */
    int64_t congestion_threshold; /* adaptive_lifo */
    struct codel codel;
};

extern const struct choice discipline_choice;

/* Whether the newest is next while `depth` wait, the one to be taken included: of adaptive_lifo. */
static inline bool discipline_turns(const struct discipline *d, uint32_t depth)
{
    return (int64_t)depth >= d->congestion_threshold;
}

#endif
