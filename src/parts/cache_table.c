/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/cache_table.h"

#include <string.h>

enum { FEWEST = 8 }; /* slots in an array */

static struct cached *at(const struct cache_slots *in, uint32_t slot)
{
    return slab_at(in->slab, slot);
}

static struct key_slots keys_of(const struct cache_slots *in)
{
    return (struct key_slots){in->ctx, in->slab, offsetof(struct cached, in)};
}

static struct chain_slots links_of(const struct cache_slots *in)
{
    return (struct chain_slots){in->slab, offsetof(struct cached, link)};
}

/* --- lists ------------------------------------------------------------------------------- */

/* Appends a slot to a list. */
static void join(struct cache_table *t, const struct cache_slots *in, uint32_t slot,
                 enum cache_list list)
{
    struct chain_slots links = links_of(in);
    at(in, slot)->list = (uint8_t)list;
    chain_push(&t->lists[list], &links, slot);
}

static void leave(struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    struct chain_slots links = links_of(in);
    chain_drop(&t->lists[at(in, slot)->list], &links, slot);
}

static void move(struct cache_table *t, const struct cache_slots *in, uint32_t slot,
                 enum cache_list list)
{
    leave(t, in, slot);
    join(t, in, slot, list);
}

static uint32_t first_of(const struct cache_table *t, enum cache_list list)
{
    return t->lists[list].first - 1;
}

/* --- an array, for chance ---------------------------------------------------------------- */

static uint32_t *array_of(const struct cache_table *t, const struct cache_slots *in)
{
    return sim_kept(in->ctx, t->array);
}

static void grow_array(struct cache_table *t, const struct cache_slots *in)
{
    uint32_t size = t->size ? 2 * t->size : FEWEST;
    uint32_t place = sim_keep(in->ctx, size * sizeof(uint32_t));
    if (t->size) {
        memcpy(sim_kept(in->ctx, place), array_of(t, in), t->size * sizeof(uint32_t));
    }
    t->array = place;
    t->size = size;
}

static void join_array(struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    if (t->count == t->size) {
        grow_array(t, in);
    }
    array_of(t, in)[t->count] = slot;
    at(in, slot)->place = t->count;
}

/* The last one fills the gap. */
static void leave_array(const struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    uint32_t last = array_of(t, in)[t->count - 1], place = at(in, slot)->place;
    array_of(t, in)[place] = last;
    at(in, last)->place = place;
}

/* --- uses -------------------------------------------------------------------------------- */

uint32_t cache_table_find(const struct cache_table *t, const struct cache_slots *in, uint64_t key)
{
    struct key_slots keys = keys_of(in);
    uint32_t slot = key_table_find(&t->keys, &keys, key);
    return slot != SLAB_NONE && at(in, slot)->list != CACHE_GONE ? slot : SLAB_NONE;
}

static void protect(struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    move(t, in, slot, CACHE_SECOND);
    if (t->lists[CACHE_SECOND].count > in->eviction->most_protected) {
        move(t, in, first_of(t, CACHE_SECOND), CACHE_FIRST);
    }
}

void cache_table_use(struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    struct cached *s = at(in, slot);
    switch ((enum eviction_kind)in->eviction->kind) {
    case EVICTION_LRU:
        move(t, in, slot, CACHE_FIRST);
        break;
    case EVICTION_LFU:
        wait_heap_drop(&t->heap, in->ctx, in->slab, slot);
        wait_heap_put(&t->heap, in->ctx, in->slab, slot, ++s->uses);
        break;
    case EVICTION_CLOCK:
        s->used = true;
        break;
    case EVICTION_SLRU:
        protect(t, in, slot);
        break;
    case EVICTION_2Q:
        if (s->list == CACHE_SECOND) {
            move(t, in, slot, CACHE_SECOND);
        }
        break;
    case EVICTION_FIFO:
    case EVICTION_RANDOM:
        break;
    }
}

/* --- who goes ---------------------------------------------------------------------------- */

static uint32_t pass_over_used(struct cache_table *t, const struct cache_slots *in)
{
    uint32_t slot = first_of(t, CACHE_FIRST);
    while (at(in, slot)->used) {
        at(in, slot)->used = false;
        move(t, in, slot, CACHE_FIRST);
        slot = first_of(t, CACHE_FIRST);
    }
    return slot;
}

static uint32_t choose(struct cache_table *t, const struct cache_slots *in)
{
    const struct chain *first = &t->lists[CACHE_FIRST], *second = &t->lists[CACHE_SECOND];
    switch ((enum eviction_kind)in->eviction->kind) {
    case EVICTION_LFU:
        return wait_heap_peek(&t->heap, in->ctx);
    case EVICTION_RANDOM:
        return array_of(t, in)[rng_below(in->stream, t->count)];
    case EVICTION_CLOCK:
        return pass_over_used(t, in);
    case EVICTION_SLRU:
        return first->count ? first->first - 1 : second->first - 1;
    case EVICTION_2Q:
        return first->count > in->eviction->most_in || second->count == 0 ? first->first - 1
                                                                          : second->first - 1;
    case EVICTION_LRU:
    case EVICTION_FIFO:
        break;
    }
    return first->first - 1;
}

/* Takes a slot out of the order, and of the table. */
static void forget(struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    struct key_slots keys = keys_of(in);
    switch ((enum eviction_kind)in->eviction->kind) {
    case EVICTION_LFU:
        wait_heap_drop(&t->heap, in->ctx, in->slab, slot);
        break;
    case EVICTION_RANDOM:
        leave_array(t, in, slot);
        break;
    default:
        leave(t, in, slot);
        break;
    }
    key_table_drop(&t->keys, &keys, slot);
    slab_give(in->slab, slot);
}

uint32_t cache_table_make_room(struct cache_table *t, const struct cache_slots *in, uint64_t key)
{
    struct key_slots keys = keys_of(in);
    uint32_t known = key_table_find(&t->keys, &keys, key);
    t->comes_back = known != SLAB_NONE;
    if (t->comes_back) {
        CHECK(at(in, known)->list == CACHE_GONE, "room for an entry that is there");
        forget(t, in, known);
    }
    return t->count < in->capacity ? SLAB_NONE : choose(t, in);
}

/* --- coming and going -------------------------------------------------------------------- */

uint32_t cache_table_put(struct cache_table *t, const struct cache_slots *in, uint64_t key)
{
    CHECK(t->count < in->capacity, "an entry for which no room was made");
    uint32_t slot = slab_take(in->slab);
    struct key_slots keys = keys_of(in);
    *at(in, slot) = (struct cached){.in.key = key, .uses = 1};
    key_table_put(&t->keys, &keys, slot);
    switch ((enum eviction_kind)in->eviction->kind) {
    case EVICTION_LFU:
        wait_heap_put(&t->heap, in->ctx, in->slab, slot, 1);
        break;
    case EVICTION_RANDOM:
        join_array(t, in, slot);
        break;
    default:
        join(t, in, slot, t->comes_back ? CACHE_SECOND : CACHE_FIRST);
        break;
    }
    t->count++;
    return slot;
}

static void remember(struct cache_table *t, const struct cache_slots *in, uint32_t slot)
{
    move(t, in, slot, CACHE_GONE);
    if (t->lists[CACHE_GONE].count > in->eviction->most_out) {
        forget(t, in, first_of(t, CACHE_GONE));
    }
}

void cache_table_drop(struct cache_table *t, const struct cache_slots *in, uint32_t slot,
                      bool evicted)
{
    bool is_new = at(in, slot)->list == CACHE_FIRST;
    if (in->eviction->kind == EVICTION_2Q && evicted && is_new) {
        remember(t, in, slot);
    } else {
        forget(t, in, slot);
    }
    t->count--;
}

void cache_table_forget_gone(struct cache_table *t, const struct cache_slots *in)
{
    while (t->lists[CACHE_GONE].count > 0) {
        forget(t, in, first_of(t, CACHE_GONE));
    }
}
