/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds what an entity keeps under a key: a hash table of slots, each with a key of its own. Chains
 * run through the slots; the heads lie in memory that the entity keeps, twice as much whenever
 * there are more slots than heads. An entity that puts nothing in takes none.
 */
#ifndef SQUALL_PARTS_KEY_TABLE_H
#define SQUALL_PARTS_KEY_TABLE_H

#include "engine/entity.h"

/* What a slot holds at the table's offset. */
struct keyed_slot {
    uint64_t key;  /* set by the owner */
    uint32_t next; /* in its chain: 1-based slot, 0: last */
};

/* Held by value in the entity's state; zero is an empty table. */
struct key_table {
    uint32_t heads; /* place of the kept memory: 1-based slots, 0: empty chain */
    uint32_t size;  /* number of heads, 0 or a power of two */
    uint32_t count; /* slots in it */
};

/* Where the slots are; put together on the spot, never stored. */
struct key_slots {
    struct ctx *ctx;
    struct slab *slab;
    size_t offset; /* of the struct keyed_slot in a slot's data */
};

/* Puts in a slot whose `key` is set and not in it yet; takes it out. */
void key_table_put(struct key_table *t, const struct key_slots *in, uint32_t slot);
void key_table_drop(struct key_table *t, const struct key_slots *in, uint32_t slot);

/* The slot that has this key, or SLAB_NONE. */
uint32_t key_table_find(const struct key_table *t, const struct key_slots *in, uint64_t key);

#endif
