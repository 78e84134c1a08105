/* SPDX-License-Identifier: Apache-2.0
 *
 * Those that wait in no order at all: an array of their slots in memory that the entity keeps,
 * twice as much whenever it is full. A slot knows its place in it, so that any one is taken out at
 * once: the last one fills the gap.
 */
#ifndef SQUALL_PARTS_WAIT_BAG_H
#define SQUALL_PARTS_WAIT_BAG_H

#include "engine/entity.h"

/* Part of an entity's plain data; zero is an empty bag. */
struct wait_bag {
    uint32_t slots; /* place of the kept memory: uint32_t */
    uint32_t size;  /* for how many there is room */
    uint32_t count;
};

/* The slots begin with a uint32_t that is the bag's own while they are in it. */
void wait_bag_put(struct wait_bag *b, struct ctx *ctx, struct slab *slab, uint32_t slot);

/* Takes out any of them, each as likely as the others; only when count > 0. */
uint32_t wait_bag_pick(struct wait_bag *b, const struct ctx *ctx, struct slab *slab,
                       struct rng_stream *stream);

void wait_bag_drop(struct wait_bag *b, const struct ctx *ctx, struct slab *slab, uint32_t slot);

#endif
