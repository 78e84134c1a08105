/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/wait_heap.h"

#include <string.h>

enum { FEWEST = 8 };

struct wait_node {
    sim_time when; /* [ns] */
    uint64_t turn; /* among equals */
    uint32_t slot;
};

/* A heap at work; made for each use. */
struct work {
    struct wait_node *nodes;
    struct slab *slab;
};

static struct work work_on(const struct wait_heap *h, const struct ctx *ctx, struct slab *slab)
{
    return (struct work){sim_kept(ctx, h->nodes), slab};
}

static bool is_before(const struct wait_node *a, const struct wait_node *b)
{
    return a->when != b->when ? a->when < b->when : a->turn < b->turn;
}

static uint32_t *place_of(const struct work *w, uint32_t slot)
{
    return slab_at(w->slab, slot);
}

static void set(const struct work *w, uint32_t place, struct wait_node node)
{
    w->nodes[place] = node;
    *place_of(w, node.slot) = place;
}

/* Puts `node` at `place`, which is free, or further up. */
static void rise(const struct work *w, uint32_t place, struct wait_node node)
{
    while (place > 0 && is_before(&node, &w->nodes[(place - 1) / 2])) {
        set(w, place, w->nodes[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    set(w, place, node);
}

/* Puts `node` at `place` of a heap of `count`, or further down. */
static void sink(const struct work *w, uint32_t count, uint32_t place, struct wait_node node)
{
    for (uint32_t child; (child = 2 * place + 1) < count; place = child) {
        if (child + 1 < count && is_before(&w->nodes[child + 1], &w->nodes[child])) {
            child++;
        }
        if (!is_before(&w->nodes[child], &node)) {
            break;
        }
        set(w, place, w->nodes[child]);
    }
    set(w, place, node);
}

/* The nodes before stay where they are: together they take no more than those after. */
static void grow(struct wait_heap *h, struct ctx *ctx)
{
    uint32_t size = h->size ? 2 * h->size : FEWEST;
    uint32_t place = sim_keep(ctx, size * sizeof(struct wait_node));
    if (h->count) {
        memcpy(sim_kept(ctx, place), sim_kept(ctx, h->nodes), h->count * sizeof(struct wait_node));
    }
    h->nodes = place;
    h->size = size;
}

void wait_heap_put(struct wait_heap *h, struct ctx *ctx, struct slab *slab, uint32_t slot,
                   sim_time when)
{
    if (h->count == h->size) {
        grow(h, ctx);
    }
    struct work w = work_on(h, ctx, slab);
    rise(&w, h->count++, (struct wait_node){.when = when, .turn = h->came++, .slot = slot});
}

/* Takes the node at `place` out; the last one fills the gap. */
static void take_out(struct wait_heap *h, const struct work *w, uint32_t place)
{
    struct wait_node last = w->nodes[--h->count];
    if (place == h->count) {
        return;
    }
    if (place > 0 && is_before(&last, &w->nodes[(place - 1) / 2])) {
        rise(w, place, last);
    } else {
        sink(w, h->count, place, last);
    }
}

sim_time wait_heap_first(const struct wait_heap *h, const struct ctx *ctx)
{
    const struct wait_node *nodes = sim_kept(ctx, h->nodes);
    return nodes[0].when;
}

uint32_t wait_heap_peek(const struct wait_heap *h, const struct ctx *ctx)
{
    const struct wait_node *nodes = sim_kept(ctx, h->nodes);
    return nodes[0].slot;
}

uint32_t wait_heap_pop(struct wait_heap *h, const struct ctx *ctx, struct slab *slab)
{
    struct work w = work_on(h, ctx, slab);
    uint32_t slot = w.nodes[0].slot;
    take_out(h, &w, 0);
    return slot;
}

void wait_heap_drop(struct wait_heap *h, const struct ctx *ctx, struct slab *slab, uint32_t slot)
{
    struct work w = work_on(h, ctx, slab);
    take_out(h, &w, *place_of(&w, slot));
}
