/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/blueprint.h"

#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"

sim_time wire_floor(const struct wire_spec *spec)
{
    return sim_time_add(dist_floor(&spec->latency), dist_floor(&spec->jitter));
}

bool wire_is_plain(const struct wire_spec *spec)
{
    return spec->loss == 0.0 && isinf(spec->bandwidth) && dist_is_constant(&spec->latency) &&
           dist_is_constant(&spec->jitter);
}

const struct group_plan *blueprint_group(const struct blueprint *b, entity_id id)
{
    CHECK(id < b->n_entities, "entity %u of %u", id, b->n_entities);
    uint32_t low = 0, high = b->n_groups; /* groups[low].first <= id < groups[high].first */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (b->groups[middle].first <= id) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &b->groups[low];
}

int blueprint_name(const struct blueprint *b, entity_id id, char *text, size_t size)
{
    const struct group_plan *g = blueprint_group(b, id);
    if (!g->indexed) {
        return snprintf(text, size, "%s", g->name);
    }
    return snprintf(text, size, "%s[%u]", g->name, id - g->first);
}

uint64_t blueprint_name_hash(const struct blueprint *b, entity_id id)
{
    char name[256];
    int length = blueprint_name(b, id, name, sizeof name);
    CHECK(length >= 0 && (size_t)length < sizeof name, "a name of %d letters: %s...", length, name);
    return hash_text(name);
}

void blueprint_wire_name(const struct blueprint *b, wire_id wire, char *text, size_t size)
{
    const struct wire_plan *w = &b->wires[wire];
    const struct group_plan *g = blueprint_group(b, w->to);
    uint32_t first = w->to - g->first;
    int n = blueprint_name(b, w->from, text, size);
    CHECK(n >= 0 && (size_t)n < size, "%zu letters for the name of a wire", size);
    text += n;
    size -= (size_t)n;
    if (w->more > 0 && w->more + 1 == g->count) {
        snprintf(text, size, " -> %s", g->name);
    } else if (w->more > 0) {
        snprintf(text, size, " -> %s[%u..%u]", g->name, first, first + w->more);
    } else {
        n = snprintf(text, size, " -> ");
        blueprint_name(b, w->to, text + n, size > (size_t)n ? size - (size_t)n : 0);
    }
}
