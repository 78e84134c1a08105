/* SPDX-License-Identifier: Apache-2.0
 *
 * Those that wait in a list, linked through their slots. Zero is an empty list.
 */
#ifndef SQUALL_PARTS_WAIT_LIST_H
#define SQUALL_PARTS_WAIT_LIST_H

#include "base/slab.h"

/* What the slot of one that waits begins with. */
struct waiting {
    uint32_t next, prev; /* 1-based index of the one behind and before, 0: last, first; or `next` is
                            the heap's or the bag's */
};

struct wait_list {
    uint32_t head, tail; /* 1-based index, 0: none */
};

static inline struct waiting *wait_list_at(struct slab *slab, uint32_t link)
{
    return slab_at(slab, link - 1);
}

static inline void wait_list_append(struct wait_list *l, struct slab *slab, uint32_t slot)
{
    uint32_t before = l->tail, link = slot + 1;
    *wait_list_at(slab, link) = (struct waiting){.prev = before};
    *(before ? &wait_list_at(slab, before)->next : &l->head) = link;
    l->tail = link;
}

static inline void wait_list_prepend(struct wait_list *l, struct slab *slab, uint32_t slot)
{
    uint32_t behind = l->head, link = slot + 1;
    *wait_list_at(slab, link) = (struct waiting){.next = behind};
    *(behind ? &wait_list_at(slab, behind)->prev : &l->tail) = link;
    l->head = link;
}

static inline void wait_list_take_out(struct wait_list *l, struct slab *slab, uint32_t slot)
{
    const struct waiting *w = wait_list_at(slab, slot + 1);
    *(w->prev ? &wait_list_at(slab, w->prev)->next : &l->head) = w->next;
    *(w->next ? &wait_list_at(slab, w->next)->prev : &l->tail) = w->prev;
}

#endif
