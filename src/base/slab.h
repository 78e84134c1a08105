/* SPDX-License-Identifier: Apache-2.0
 *
 * A slab holds slots of one size inside a region. A slot is named by its index, or by a token
 * that also carries the slot's generation, so that a token kept beyond the slot's life finds
 * nothing instead of another's data. Taking and giving never allocate beyond the region's growth.
 */
#ifndef SQUALL_BASE_SLAB_H
#define SQUALL_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/region.h"

#define SLAB_NONE UINT32_MAX

struct slab_slot {       /* precedes every slot's data */
    uint32_t generation; /* odd while taken */
    uint32_t next_free;
};

struct slab {
    struct region memory;
    size_t stride; /* [B] from slot to slot, header included */
    uint32_t n;    /* slots ever taken since reset */
    uint32_t free; /* head of the free list, or SLAB_NONE */
    uint32_t live; /* taken now */
};

/* Slots of `size` bytes, at most `most` of them. */
void slab_open(struct slab *s, const char *what, size_t size, uint32_t most);
void slab_close(struct slab *s);
void slab_reset(struct slab *s); /* as after open */

static inline struct slab_slot *slab_header(const struct slab *s, uint32_t index)
{
    return (struct slab_slot *)(void *)(s->memory.base + (size_t)index * s->stride);
}

static inline void *slab_at(const struct slab *s, uint32_t index)
{
    return slab_header(s, index) + 1;
}

uint32_t slab_grow(struct slab *s); /* a slot that was never used since reset */

/* A slot's index; its data is not cleared. */
static inline uint32_t slab_take(struct slab *s)
{
    uint32_t i = s->free;
    if (i != SLAB_NONE) {
        s->free = slab_header(s, i)->next_free;
    } else {
        i = slab_grow(s);
    }
    slab_header(s, i)->generation++;
    s->live++;
    return i;
}

static inline void slab_give(struct slab *s, uint32_t index)
{
    struct slab_slot *h = slab_header(s, index);
    h->generation++;
    h->next_free = s->free;
    s->free = index;
    s->live--;
}

static inline bool slab_is_taken(const struct slab *s, uint32_t index)
{
    return slab_header(s, index)->generation & 1;
}

/* Gives back every slot whose data has `owner` as the uint32_t at `offset`; returns how many. Looks
 * at all slots: for crashes, not for every day. */
uint32_t slab_give_owned(struct slab *s, size_t offset, uint32_t owner);

static inline uint64_t slab_token(const struct slab *s, uint32_t index)
{
    return (uint64_t)slab_header(s, index)->generation << 32 | index;
}

/* Has the cache fetch what lies at `offset` of the slot's data, in whatever life it is. The token
 * is one that this slab has given; nothing is read. */
static inline void slab_expect(const struct slab *s, uint64_t token, size_t offset)
{
    __builtin_prefetch((const char *)slab_at(s, (uint32_t)token) + offset);
}

/* The slot's data, or NULL when that life of the slot is over. */
static inline void *slab_find(const struct slab *s, uint64_t token)
{
    uint32_t index = (uint32_t)token;
    if (index >= s->n || slab_header(s, index)->generation != (uint32_t)(token >> 32)) {
        return NULL;
    }
    return slab_at(s, index);
}

#endif
