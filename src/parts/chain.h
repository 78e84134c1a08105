/* SPDX-License-Identifier: Apache-2.0
 *
 * A list through slots of a slab that any of them can leave, not only the first. Held by value in
 * an entity's state; zero is an empty list.
 */
#ifndef SQUALL_PARTS_CHAIN_H
#define SQUALL_PARTS_CHAIN_H

#include "base/slab.h"

/* What a slot holds at the list's offset. */
struct chain_link {
    uint32_t next, prev; /* 1-based slots, 0: none */
};

struct chain {
    uint32_t first, last; /* likewise */
    uint32_t count;
};

/* Where the slots are; put together on the spot, never stored. */
struct chain_slots {
    struct slab *slab;
    size_t offset; /* of the struct chain_link in a slot's data */
};

static inline struct chain_link *chain_at(const struct chain_slots *in, uint32_t link)
{
    return (void *)((unsigned char *)slab_at(in->slab, link - 1) + in->offset);
}

/* Puts a slot in before the one that `behind`, a link, leads to; 0: at the end. */
static inline void chain_insert(struct chain *c, const struct chain_slots *in, uint32_t slot,
                                uint32_t behind)
{
    uint32_t link = slot + 1, *back = behind ? &chain_at(in, behind)->prev : &c->last;
    *chain_at(in, link) = (struct chain_link){.next = behind, .prev = *back};
    *(*back ? &chain_at(in, *back)->next : &c->first) = link;
    *back = link;
    c->count++;
}

/* Appends a slot. */
static inline void chain_push(struct chain *c, const struct chain_slots *in, uint32_t slot)
{
    chain_insert(c, in, slot, 0);
}

/* Takes out a slot that is in the list. */
static inline void chain_drop(struct chain *c, const struct chain_slots *in, uint32_t slot)
{
    const struct chain_link *l = chain_at(in, slot + 1);
    *(l->prev ? &chain_at(in, l->prev)->next : &c->first) = l->next;
    *(l->next ? &chain_at(in, l->next)->prev : &c->last) = l->prev;
    c->count--;
}

#endif
