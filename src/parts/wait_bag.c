/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/wait_bag.h"

#include <string.h>

enum { FEWEST = 8 };

static uint32_t *place_of(struct slab *slab, uint32_t slot)
{
    return slab_at(slab, slot);
}

/* The slots before stay where they are: together they take no more than those after. */
static void grow(struct wait_bag *b, struct ctx *ctx)
{
    uint32_t size = b->size ? 2 * b->size : FEWEST;
    uint32_t place = sim_keep(ctx, size * sizeof(uint32_t));
    if (b->count) {
        memcpy(sim_kept(ctx, place), sim_kept(ctx, b->slots), b->count * sizeof(uint32_t));
    }
    b->slots = place;
    b->size = size;
}

void wait_bag_put(struct wait_bag *b, struct ctx *ctx, struct slab *slab, uint32_t slot)
{
    if (b->count == b->size) {
        grow(b, ctx);
    }
    uint32_t *slots = sim_kept(ctx, b->slots);
    *place_of(slab, slot) = b->count;
    slots[b->count++] = slot;
}

void wait_bag_drop(struct wait_bag *b, const struct ctx *ctx, struct slab *slab, uint32_t slot)
{
    uint32_t *slots = sim_kept(ctx, b->slots);
    uint32_t place = *place_of(slab, slot), last = slots[--b->count];
    slots[place] = last;
    *place_of(slab, last) = place;
}

uint32_t wait_bag_pick(struct wait_bag *b, const struct ctx *ctx, struct slab *slab,
                       struct rng_stream *stream)
{
    const uint32_t *slots = sim_kept(ctx, b->slots);
    uint32_t slot = slots[rng_below(stream, b->count)];
    wait_bag_drop(b, ctx, slab, slot);
    return slot;
}
