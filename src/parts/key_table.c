/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/key_table.h"

#include "base/hash.h"

enum { FEWEST = 8 }; /* heads */

static struct keyed_slot *at(const struct key_slots *in, uint32_t slot)
{
    return (void *)((unsigned char *)slab_at(in->slab, slot) + in->offset);
}

static uint32_t *heads_of(const struct key_table *t, const struct ctx *ctx)
{
    return sim_kept(ctx, t->heads);
}

static uint32_t *head_of(uint32_t *heads, uint32_t size, uint64_t key)
{
    return &heads[(uint32_t)hash_mix64(key) & (size - 1)];
}

static void chain(uint32_t *heads, uint32_t size, const struct key_slots *in, uint32_t slot)
{
    struct keyed_slot *k = at(in, slot);
    uint32_t *head = head_of(heads, size, k->key);
    k->next = *head;
    *head = slot + 1;
}

/* A table twice as large. The one before stays where it is, as nothing kept is given back: together
 * they take no more than two of the new one. */
static void grow(struct key_table *t, const struct key_slots *in)
{
    uint32_t size = t->size ? 2 * t->size : FEWEST;
    uint32_t place = sim_keep(in->ctx, size * sizeof(uint32_t));
    uint32_t *heads = sim_kept(in->ctx, place);
    for (uint32_t i = 0; i < t->size; i++) {
        uint32_t next = heads_of(t, in->ctx)[i];
        while (next) {
            uint32_t slot = next - 1;
            next = at(in, slot)->next;
            chain(heads, size, in, slot);
        }
    }
    t->heads = place;
    t->size = size;
}

void key_table_put(struct key_table *t, const struct key_slots *in, uint32_t slot)
{
    if (t->count == t->size) {
        grow(t, in);
    }
    chain(heads_of(t, in->ctx), t->size, in, slot);
    t->count++;
}

void key_table_drop(struct key_table *t, const struct key_slots *in, uint32_t slot)
{
    uint32_t *link = head_of(heads_of(t, in->ctx), t->size, at(in, slot)->key);
    while (*link != slot + 1) {
        CHECK(*link, "a key that is not in the table");
        link = &at(in, *link - 1)->next;
    }
    *link = at(in, slot)->next;
    t->count--;
}

uint32_t key_table_find(const struct key_table *t, const struct key_slots *in, uint64_t key)
{
    if (t->count == 0) {
        return SLAB_NONE;
    }
    uint32_t next = *head_of(heads_of(t, in->ctx), t->size, key);
    while (next && at(in, next - 1)->key != key) {
        next = at(in, next - 1)->next;
    }
    return next ? next - 1 : SLAB_NONE;
}
