/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/fans.h"

#include "parallel/scratch.h"

sim_time *spec_floors(const struct blueprint *b)
{
    sim_time *floors = scratch_take(b->n_specs, sizeof *floors);
    for (uint32_t i = 0; i < b->n_specs; i++) {
        floors[i] = wire_floor(&b->specs[i]);
    }
    return floors;
}

/* The number of a wire's fan, which is made when it is new. `head` holds 1 + the last fan made for
 * each first entity. */
static uint32_t fan_of(struct fans *f, uint32_t *capacity, uint32_t *head,
                       const struct wire_plan *w)
{
    for (uint32_t i = head[w->to]; i; i = f->fans[i - 1].next) {
        if (f->fans[i - 1].more == w->more) {
            return i - 1;
        }
    }
    if (f->n == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 16;
        f->fans = realloc(f->fans, *capacity * sizeof *f->fans);
        CHECK_LIMIT(f->fans, "out of memory (%u fans)", *capacity);
    }
    f->fans[f->n] = (struct fan){.to = w->to, .more = w->more, .next = head[w->to]};
    head[w->to] = ++f->n;
    return f->n - 1;
}

void fans_open(struct fans *f, const struct blueprint *b)
{
    *f = (struct fans){.n = 0};
    uint32_t capacity = 0, total = 0;
    uint32_t *head = scratch_take(b->n_entities, sizeof *head);
    for (wire_id w = 0; w < b->n_wires; w++) {
        if (b->wires[w].more > 0) {
            uint32_t fan = fan_of(f, &capacity, head, &b->wires[w]); /* may move f->fans */
            f->fans[fan].n_wires++;
            total++;
        }
    }
    f->wires = scratch_take(total, sizeof *f->wires);
    wire_id *place = f->wires;
    for (uint32_t i = 0; i < f->n; i++) {
        f->fans[i].wires = place;
        place += f->fans[i].n_wires;
        f->fans[i].n_wires = 0;
    }
    for (wire_id w = 0; w < b->n_wires && total > 0; w++) {
        if (b->wires[w].more > 0) {
            struct fan *fan = &f->fans[fan_of(f, &capacity, head, &b->wires[w])];
            f->wires[fan->wires - f->wires + fan->n_wires++] = w;
        }
    }
    free(head);
}

void fans_close(struct fans *f)
{
    free(f->fans);
    free(f->wires);
}

void reach_open(struct reach *r, uint32_t parts)
{
    *r = (struct reach){.ends = scratch_take(parts, sizeof *r->ends),
                        .parts = scratch_take(parts, sizeof *r->parts)};
}

void reach_close(struct reach *r)
{
    free(r->ends);
    free(r->parts);
}

void reach_find(struct reach *r, const struct fan *fan, const uint32_t *part_of)
{
    for (uint32_t i = 0; i < r->n; i++) {
        r->ends[r->parts[i]] = 0;
    }
    r->n = 0;
    for (uint32_t i = 0; i <= fan->more; i++) {
        uint32_t part = part_of[fan->to + i];
        if (r->ends[part]++ == 0) {
            r->parts[r->n++] = part;
        }
    }
}
