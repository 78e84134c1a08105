/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the request that a cancel is about: a hash table of the requests that an entity has in
 * hand, by wire, token and attempt. Chains run through the requests' own slots; the heads lie in
 * memory that the entity keeps, twice as much whenever there are more requests than heads. An
 * entity that puts nothing in takes none.
 */
#ifndef SQUALL_PARTS_REQUEST_INDEX_H
#define SQUALL_PARTS_REQUEST_INDEX_H

#include "engine/entity.h"

/* What the slot of a request holds. */
struct indexed_request {
    struct message m; /* as it came */
    uint32_t next;    /* in its chain: 1-based slot, 0: last */
    entity_id owner;  /* who has it in hand; set by that one, for slab_give_owned */
};

/* Held by value in the entity's state; zero is an empty index. */
struct request_index {
    uint32_t heads; /* place of the kept memory: 1-based slots, 0: empty chain */
    uint32_t size;  /* number of heads, 0 or a power of two */
    uint32_t count; /* requests in it */
};

/* Where the requests lie; put together on the spot, never stored. */
struct request_slots {
    struct ctx *ctx;
    struct slab *slab;
    size_t offset; /* of the struct indexed_request in a slot's data */
};

/* Puts the request in `slot`, whose `m` is set, in; takes it out. */
void request_index_put(struct request_index *x, const struct request_slots *in, uint32_t slot);
void request_index_drop(struct request_index *x, const struct request_slots *in, uint32_t slot);

/* The slot of the request that `m` has the wire, token and attempt of, or SLAB_NONE. */
uint32_t request_index_find(const struct request_index *x, const struct request_slots *in,
                            const struct message *m);

/* Empties it: a crash has taken the slots. */
void request_index_clear(struct request_index *x, struct ctx *ctx);

#endif
