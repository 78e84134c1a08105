/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/request_index.h"

#include <string.h>

#include "base/hash.h"

enum { FEWEST = 8 }; /* heads */

static struct indexed_request *at(const struct request_slots *in, uint32_t slot)
{
    return (void *)((unsigned char *)slab_at(in->slab, slot) + in->offset);
}

static uint32_t *heads_of(const struct request_index *x, const struct ctx *ctx)
{
    return sim_kept(ctx, x->heads);
}

static uint32_t hash_of(const struct message *m)
{
    uint64_t which = (uint64_t)m->wire << 16 | m->attempt;
    return (uint32_t)hash_mix64(m->token + which * UINT64_C(0x9e3779b97f4a7c15));
}

static bool is_same(const struct message *a, const struct message *b)
{
    return a->token == b->token && a->wire == b->wire && a->attempt == b->attempt;
}

static void chain(uint32_t *heads, uint32_t size, const struct request_slots *in, uint32_t slot)
{
    struct indexed_request *r = at(in, slot);
    uint32_t *head = &heads[hash_of(&r->m) & (size - 1)];
    r->next = *head;
    *head = slot + 1;
}

/* A table twice as large. The one before stays where it is: together they take no more than two of
 * the new one. */
static void grow(struct request_index *x, const struct request_slots *in)
{
    uint32_t size = x->size ? 2 * x->size : FEWEST;
    uint32_t place = sim_keep(in->ctx, size * sizeof(uint32_t));
    uint32_t *heads = sim_kept(in->ctx, place);
    for (uint32_t i = 0; i < x->size; i++) {
        uint32_t next = heads_of(x, in->ctx)[i];
        while (next) {
            uint32_t slot = next - 1;
            next = at(in, slot)->next;
            chain(heads, size, in, slot);
        }
    }
    x->heads = place;
    x->size = size;
}

void request_index_put(struct request_index *x, const struct request_slots *in, uint32_t slot)
{
    if (x->count == x->size) {
        grow(x, in);
    }
    chain(heads_of(x, in->ctx), x->size, in, slot);
    x->count++;
}

void request_index_drop(struct request_index *x, const struct request_slots *in, uint32_t slot)
{
    uint32_t *link = &heads_of(x, in->ctx)[hash_of(&at(in, slot)->m) & (x->size - 1)];
    while (*link != slot + 1) {
        CHECK(*link, "a request that is not in the index of those in hand");
        link = &at(in, *link - 1)->next;
    }
    *link = at(in, slot)->next;
    x->count--;
}

uint32_t request_index_find(const struct request_index *x, const struct request_slots *in,
                            const struct message *m)
{
    if (x->count == 0) {
        return SLAB_NONE;
    }
    uint32_t next = heads_of(x, in->ctx)[hash_of(m) & (x->size - 1)];
    while (next) {
        const struct indexed_request *r = at(in, next - 1);
        if (is_same(&r->m, m)) {
            return next - 1;
        }
        next = r->next;
    }
    return SLAB_NONE;
}

void request_index_clear(struct request_index *x, struct ctx *ctx)
{
    if (x->size) {
        memset(heads_of(x, ctx), 0, x->size * sizeof(uint32_t));
    }
    x->count = 0;
}
