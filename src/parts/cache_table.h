/* SPDX-License-Identifier: Apache-2.0
 *
 * The entries of a cache: found by key, and in the order by which they are evicted
 * (policies/eviction.h). Slots are taken when entries are put in and given back when they are
 * dropped; what else lies in them is the owner's.
 *
 * To put one in takes three steps: room is made for it, which may name another one that the owner
 * drops, and it is put in.
 */
#ifndef SQUALL_PARTS_CACHE_TABLE_H
#define SQUALL_PARTS_CACHE_TABLE_H

#include "parts/chain.h"
#include "parts/key_table.h"
#include "parts/wait_heap.h"
#include "policies/eviction.h"
#include "rng/stream.h"

/* What the slot of an entry begins with. */
struct cached {
    uint32_t place; /* lfu: the heap's own; random: in the array */
    uint8_t list;   /* enum cache_list */
    bool used;      /* clock: since it was put in or passed over */
    int64_t uses;   /* lfu */
    struct keyed_slot in;
    struct chain_link link; /* in its list */
};

enum cache_list {
    CACHE_FIRST,  /* all of lru, fifo and clock; on probation; new ones */
    CACHE_SECOND, /* protected; the main list */
    CACHE_GONE,   /* keys that are remembered: no entries any more */
    CACHE_LISTS,
};

/* Held by value in the entity's state; zero is an empty table. */
struct cache_table {
    struct key_table keys;
    struct chain lists[CACHE_LISTS];
    struct wait_heap heap; /* lfu: by uses, then by who was used least recently */
    uint32_t array, size;  /* random: place and size of kept memory, of slots */
    uint32_t count;        /* entries */
    bool comes_back;       /* room was made for a key that was remembered */
};

/* Where the entries are, and how they go; put together on the spot, never stored. */
struct cache_slots {
    struct ctx *ctx;
    struct slab *slab;
    const struct eviction *eviction;
    int64_t capacity;
    struct rng_stream *stream; /* random */
};

/* The slot of the entry with this key, or SLAB_NONE. It is no use of it. */
uint32_t cache_table_find(const struct cache_table *t, const struct cache_slots *in, uint64_t key);

/* An entry is used. */
void cache_table_use(struct cache_table *t, const struct cache_slots *in, uint32_t slot);

/* Makes room for a key that has no entry: the slot of the one that is to be dropped before this key
 * is put in, or SLAB_NONE where there is room. */
uint32_t cache_table_make_room(struct cache_table *t, const struct cache_slots *in, uint64_t key);

/* The slot of a new entry with the key that room was made for. */
uint32_t cache_table_put(struct cache_table *t, const struct cache_slots *in, uint64_t key);

/* Drops an entry; `evicted` says that it makes room. */
void cache_table_drop(struct cache_table *t, const struct cache_slots *in, uint32_t slot,
                      bool evicted);

/* Forgets the keys that are remembered. With all entries dropped the table is as at first. */
void cache_table_forget_gone(struct cache_table *t, const struct cache_slots *in);

#endif
