/* SPDX-License-Identifier: Apache-2.0 */
#include "model/subset.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

/* A table at most half full makes for short searches. */
static size_t slots_for(uint32_t k)
{
    size_t slots = 16;
    while (slots < 2 * (size_t)k) {
        slots *= 2;
    }
    return slots;
}

static void make_room(struct subset *s, uint32_t k)
{
    if (k > s->most) {
        s->most = k;
        s->members = realloc(s->members, k * sizeof *s->members);
        s->table = realloc(s->table, slots_for(k) * sizeof *s->table);
        CHECK(s->members && s->table, "out of memory (a subset of %u)", k);
    }
}

/* False when it is a member already. */
static bool add(uint32_t *table, size_t slots, uint32_t member)
{
    size_t i = hash_mix64(member) & (slots - 1);
    for (; table[i]; i = (i + 1) & (slots - 1)) {
        if (table[i] == member + 1) {
            return false;
        }
    }
    table[i] = member + 1;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

const uint32_t *subset_draw(struct subset *s, struct rng_stream *stream, uint32_t n, uint32_t k)
{
    CHECK(k <= n, "%u of %u", k, n);
    make_room(s, k);
    size_t slots = slots_for(k);
    memset(s->table, 0, slots * sizeof *s->table);
    for (uint32_t i = 0; i < k; i++) {
        uint32_t last = n - k + i, member = (uint32_t)rng_below(stream, (uint64_t)last + 1);
        if (!add(s->table, slots, member)) {
            member = last; /* which no draw before could give */
            add(s->table, slots, member);
        }
        s->members[i] = member;
    }
    qsort(s->members, k, sizeof *s->members, by_number);
    return s->members;
}

void subset_close(struct subset *s)
{
    free(s->members);
    free(s->table);
    *s = (struct subset){.most = 0};
}
