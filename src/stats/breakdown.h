/* SPDX-License-Identifier: Apache-2.0
 *
 * A breakdown: values told apart by whom they concern and how it went. It is a sparse table from
 * (group of the far end, status) to a histogram, of which only the pairs that occur take memory:
 * an entry in a pool, and the pages of the histogram in another. Neither allocates per value.
 *
 * An entity deals with few groups and fewer statuses, so its entries are a list, looked through
 * from the one asked for last. Nothing is lost to a limit: there are no more pairs than a model has
 * groups and its entities statuses.
 */
#ifndef SQUALL_STATS_BREAKDOWN_H
#define SQUALL_STATS_BREAKDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/region.h"
#include "stats/histogram.h"

/* Zero is an empty breakdown that keeps nothing. */
struct breakdown {
    uint32_t first; /* entry in the pool, 1-based; 0: there is none */
    uint32_t kept;  /* 0: values are to be passed over */
};

/* Whom and how. Keys are in order of (group, status). */
struct breakdown_key {
    uint32_t group;
    uint16_t status;
};

struct breakdown_entry {
    struct histogram values;
    struct breakdown_key key;
    uint32_t next; /* as struct breakdown.first */
};

struct breakdown_pool {
    struct region entries; /* struct breakdown_entry */
    uint32_t n;
    bool summary_only; /* what the histograms are made with */
};

void breakdown_pool_open(struct breakdown_pool *pool, bool summary_only);
void breakdown_pool_close(struct breakdown_pool *pool);
/* All breakdowns of the pool must be emptied, too, and the pool of the histograms reset. */
void breakdown_pool_reset(struct breakdown_pool *pool);

/* Adds a value. Not for a breakdown that keeps nothing. */
void breakdown_record(struct breakdown_pool *pool, struct hist_pool *histograms,
                      struct breakdown *b, struct breakdown_key key, uint64_t value);

static inline uint64_t breakdown_order(struct breakdown_key key)
{
    return (uint64_t)key.group << 16 | key.status;
}

/* Entries are in no particular order as they lie: breakdown_next returns the first whose key's
 * order is at least `from`, so that all are met in order with from = 0, then that of the one met
 * plus 1. NULL: there is none. */
const struct breakdown_entry *breakdown_next(const struct breakdown_pool *pool,
                                             const struct breakdown *b, uint64_t from);
uint32_t breakdown_count(const struct breakdown_pool *pool, const struct breakdown *b);

#endif
