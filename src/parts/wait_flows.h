/* SPDX-License-Identifier: Apache-2.0
 *
 * Those that wait in flows: a list for each key, and a ring of the flows that have any, in the
 * order of their turns. In its turn a flow has as many taken as its weight says. Flows lie in
 * memory that the entity keeps, twice as much whenever it is full, and are found by a hash table of
 * their keys, so that any one that waits is put in, taken next or taken out in O(1) steps.
 */
#ifndef SQUALL_PARTS_WAIT_FLOWS_H
#define SQUALL_PARTS_WAIT_FLOWS_H

#include "engine/entity.h"
#include "parts/discipline.h"
#include "parts/wait_list.h"

/* A request that is rejected on account of its flow is counted in one of the first two, and among
 * all that found the queue full. At any time created - removed flows wait. */
struct flow_stats {
    uint64_t rejected_flow_capacity, rejected_max_flows, flows_created, flows_removed;
};

/* Statistics rows of a flow_stats that is the member `at` of struct `tag`. */
#define FLOW_STAT(tag, at, member, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .kind = STAT_COUNTER, \
        .offset = offsetof(struct tag, at) + SCHEMA_OFFSET(uint64_t, flow_stats, member) \
    }
#define FLOW_STATS(tag, at) \
    FLOW_STAT(tag, at, rejected_flow_capacity, \
              "Requests rejected as their flow had as many waiting as it may."), \
        FLOW_STAT(tag, at, rejected_max_flows, \
                  "Requests rejected as they would have begun a flow more than may wait."), \
        FLOW_STAT(tag, at, flows_created, "Flows that began to wait."), \
        FLOW_STAT(tag, at, flows_removed, "Flows of which none waits any more.")

/* Part of an entity's plain data; zero is without flows. */
struct wait_flows {
    uint32_t flows;   /* place of the kept memory: struct wait_flow */
    uint32_t heads;   /* likewise: 1-based flows, 0: empty chain */
    uint32_t weights; /* likewise: of keys below n_weights; the others weigh 1 */
    uint32_t n_weights;
    uint32_t size; /* for how many flows there is room, 0 or a power of two */
    uint32_t used; /* flows that ever were, at most at a time */
    uint32_t count;
    uint32_t free; /* 1-based flow of the free list, 0: none */
    uint32_t turn; /* 1-based flow whose turn it is, 0: there is none */
};

/* Flows and what they need of their owner; put together on the spot, never stored. */
struct flow_room {
    struct ctx *ctx;
    const struct discipline *discipline;
    struct wait_flows *flows;
    struct slab *slab; /* its slots begin with struct waiting */
    struct flow_stats *stats;
};

/* Puts the slot of request `m` in, if there is room in its flow and for that. */
bool wait_flows_put(const struct flow_room *r, uint32_t slot, const struct message *m);

/* The next one, which others that come do not change; only when any waits. */
uint32_t wait_flows_first(const struct flow_room *r);

/* Takes it out. */
uint32_t wait_flows_pop(const struct flow_room *r);

void wait_flows_drop(const struct flow_room *r, uint32_t slot, const struct message *m);

/* Forgets all. */
void wait_flows_clear(const struct flow_room *r);

#endif
