/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/breakdown.h"

#include <stddef.h>

enum { MOST_ENTRIES = 1 << 26 }; /* address space, not memory */

void breakdown_pool_open(struct breakdown_pool *pool, bool summary_only)
{
    *pool = (struct breakdown_pool){.summary_only = summary_only};
    region_open(&pool->entries, "breakdowns", MOST_ENTRIES * sizeof(struct breakdown_entry));
}

void breakdown_pool_close(struct breakdown_pool *pool)
{
    region_close(&pool->entries);
    *pool = (struct breakdown_pool){0};
}

void breakdown_pool_reset(struct breakdown_pool *pool)
{
    region_rewind(&pool->entries, 0);
    pool->n = 0;
}

static struct breakdown_entry *entry_at(const struct breakdown_pool *pool, uint32_t place)
{
    return (struct breakdown_entry *)(void *)pool->entries.base + (place - 1);
}

static struct breakdown_entry *add_entry(struct breakdown_pool *pool, struct breakdown *b,
                                         struct breakdown_key key)
{
    struct breakdown_entry *e =
        region_take(&pool->entries, sizeof *e, _Alignof(struct breakdown_entry));
    *e = (struct breakdown_entry){
        .values = {.summary_only = pool->summary_only}, .key = key, .next = b->first};
    b->first = ++pool->n;
    return e;
}

/* The entry of a key, moved to the front: neighbouring values often have the same. */
static struct breakdown_entry *find(struct breakdown_pool *pool, struct breakdown *b,
                                    struct breakdown_key key)
{
    uint64_t order = breakdown_order(key);
    for (uint32_t place = b->first, before = 0; place;) {
        struct breakdown_entry *e = entry_at(pool, place);
        if (breakdown_order(e->key) == order) {
            if (before) {
                entry_at(pool, before)->next = e->next;
                e->next = b->first;
                b->first = place;
            }
            return e;
        }
        before = place;
        place = e->next;
    }
    return add_entry(pool, b, key);
}

void breakdown_record(struct breakdown_pool *pool, struct hist_pool *histograms,
                      struct breakdown *b, struct breakdown_key key, uint64_t value)
{
    hist_record(histograms, &find(pool, b, key)->values, value);
}

const struct breakdown_entry *breakdown_next(const struct breakdown_pool *pool,
                                             const struct breakdown *b, uint64_t from)
{
    const struct breakdown_entry *next = NULL;
    for (uint32_t place = b->first; place; place = entry_at(pool, place)->next) {
        const struct breakdown_entry *e = entry_at(pool, place);
        uint64_t order = breakdown_order(e->key);
        if (order >= from && (!next || order < breakdown_order(next->key))) {
            next = e;
        }
    }
    return next;
}

uint32_t breakdown_count(const struct breakdown_pool *pool, const struct breakdown *b)
{
    uint32_t n = 0;
    for (uint32_t place = b->first; place; place = entry_at(pool, place)->next) {
        n++;
    }
    return n;
}
