/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that entities keep: blocks in one region, taken at first use and never given back before
 * the replication ends. A place counts the units from the region's start.
 */
#include <string.h>

#include "engine/world.h"

/* What a block begins with: one unit, so that place 0 is never one. */
struct kept_head {
    uint64_t size; /* [B] of what follows */
    uint64_t unused;
};

enum { UNIT = sizeof(struct kept_head) };
static const size_t MOST = (size_t)UNIT << 31;

void kept_open(struct sim *s)
{
    region_open(&s->kept, "what entities keep", MOST);
}

void kept_close(struct sim *s)
{
    region_close(&s->kept);
}

void kept_reset(struct sim *s)
{
    memset(s->kept.base, 0, s->kept.used);
    region_rewind(&s->kept, 0);
}

static void *at(const struct sim *s, uint32_t place)
{
    return s->kept.base + (size_t)place * UNIT;
}

void kept_clear(struct sim *s, uint32_t place)
{
    if (place) {
        memset(at(s, place), 0, ((struct kept_head *)at(s, place) - 1)->size);
    }
}

uint32_t sim_keep(struct ctx *c, size_t size)
{
    struct sim *s = c->sim;
    struct kept_head *head = region_take(&s->kept, sizeof *head + size, UNIT);
    head->size = size;
    return (uint32_t)(((unsigned char *)(head + 1) - s->kept.base) / UNIT);
}

void *sim_kept(const struct ctx *c, uint32_t place)
{
    return at(c->sim, place);
}

static void *memory_of(struct ctx *c, uint32_t *place, size_t size)
{
    if (*place == 0) {
        *place = sim_keep(c, size);
    }
    return sim_kept(c, *place);
}

void *sim_port_memory(struct ctx *c, uint16_t port, size_t size)
{
    return memory_of(c, &c->sim->ports[c->sim->current->first_port + port].memory, size);
}

void *sim_wire_memory(struct ctx *c, wire_id wire, size_t size)
{
    const struct wire *w = &c->sim->wires[wire];
    CHECK(w->from == c->self, "entity %u asks for memory of a wire of entity %u", c->self, w->from);
    return memory_of(c, &c->sim->wires[wire].memory, size);
}
