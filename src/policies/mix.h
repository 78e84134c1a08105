/* SPDX-License-Identifier: Apache-2.0
 *
 * A mix: one of several items of a configuration, each with a weight, chosen by chance.
 */
#ifndef SQUALL_POLICIES_MIX_H
#define SQUALL_POLICIES_MIX_H

#include "base/schema.h"
#include "rng/alias.h"
#include "rng/stream.h"

struct mix {
    const struct alias_slot *slots; /* in the configuration's arena */
    uint32_t n;
};

/* The row of an item's weight. */
#define MIX_WEIGHT(tag, member) \
    P_REAL(tag, member, "1", 0, 1e12, "1", "How often, relative to the others.")

/* Makes a mix of `n` items of `size` bytes whose weight [1], a double, lies at `offset`. That no
 * weight is above 0 is an error at the child `key` of `at`; the mix then is that of the first. */
void mix_make(struct mix *m, const void *items, uint32_t n, size_t size, size_t offset,
              const char *key, const struct node *at, struct diag *diag, struct arena *arena);

/* The place of an item. Draws once, and not at all when there is only one. */
static inline uint32_t mix_pick(const struct mix *m, struct rng_stream *stream)
{
    return m->n > 1 ? alias_pick(m->slots, m->n, stream) : 0;
}

#endif
