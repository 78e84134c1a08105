/* SPDX-License-Identifier: Apache-2.0
 *
 * Those that wait in the order of an instant each, the first to come of equals: a binary heap in
 * memory that the entity keeps, twice as much whenever it is full. A slot knows its place in it, so
 * that any one is taken out in O(log n) steps.
 */
#ifndef SQUALL_PARTS_WAIT_HEAP_H
#define SQUALL_PARTS_WAIT_HEAP_H

#include "engine/entity.h"

/* Part of an entity's plain data; zero is an empty heap. */
struct wait_heap {
    uint64_t came;  /* how many were ever put in */
    uint32_t nodes; /* place of the kept memory: struct wait_node */
    uint32_t size;  /* for how many there is room */
    uint32_t count;
};

/* The slots begin with a uint32_t that is the heap's own while they are in it. */
void wait_heap_put(struct wait_heap *h, struct ctx *ctx, struct slab *slab, uint32_t slot,
                   sim_time when);

/* The earliest instant; only when count > 0. */
sim_time wait_heap_first(const struct wait_heap *h, const struct ctx *ctx);

/* The one that pop would take out; only when count > 0. */
uint32_t wait_heap_peek(const struct wait_heap *h, const struct ctx *ctx);

/* Takes out the one whose instant is the earliest; only when count > 0. */
uint32_t wait_heap_pop(struct wait_heap *h, const struct ctx *ctx, struct slab *slab);

void wait_heap_drop(struct wait_heap *h, const struct ctx *ctx, struct slab *slab, uint32_t slot);

#endif
