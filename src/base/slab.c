/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <string.h>

#include "base/check.h"

enum { CACHE_LINE = 64 };

void slab_open(struct slab *s, const char *what, size_t size, uint32_t most)
{
    size_t stride = sizeof(struct slab_slot) + size;
    size_t unit = stride > 2 * CACHE_LINE ? CACHE_LINE : 8; /* large slots begin with a line */
    stride = (stride + unit - 1) / unit * unit;
    *s = (struct slab){.stride = stride, .free = SLAB_NONE};
    region_open(&s->memory, what, stride * most);
}

void slab_close(struct slab *s)
{
    region_close(&s->memory);
}

void slab_reset(struct slab *s)
{
    /* Generations start anew, so that a replication does not depend on what ran before it. */
    memset(s->memory.base, 0, s->n * s->stride);
    s->n = 0;
    s->free = SLAB_NONE;
    s->live = 0;
}

uint32_t slab_grow(struct slab *s)
{
    CHECK(s->n < SLAB_NONE - 1, "%s: too many slots", s->memory.what);
    region_reach(&s->memory, (s->n + 1) * s->stride);
    return s->n++;
}

uint32_t slab_give_owned(struct slab *s, size_t offset, uint32_t owner)
{
    uint32_t given = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!slab_is_taken(s, i)) {
            continue;
        }
        uint32_t found;
        memcpy(&found, (const unsigned char *)slab_at(s, i) + offset, sizeof found);
        if (found == owner) {
            slab_give(s, i);
            given++;
        }
    }
    return given;
}
