/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/lookahead.h"

#include <string.h>

#include "parallel/fans.h"
#include "parallel/scratch.h"

static sim_time *nevers(size_t n)
{
    sim_time *t = scratch_take(n, sizeof *t);
    for (size_t i = 0; i < n; i++) {
        t[i] = SIM_TIME_NEVER;
    }
    return t;
}

/* --- one part ---------------------------------------------------------------------------- */

static void shorten(sim_time *t, sim_time to)
{
    *t = to < *t ? to : *t;
}

/* What a fan means for a part: those of others that reach into it, and its own, of which the
 * shortest counts for all. */
static void add_fan(const struct blueprint *b, const sim_time *floors, const uint32_t *part_of,
                    const struct fan *fan, const struct reach *reach, struct lookahead *l)
{
    sim_time own = SIM_TIME_NEVER;
    for (uint32_t i = 0; i < fan->n_wires; i++) {
        const struct wire_plan *w = &b->wires[fan->wires[i]];
        uint32_t from = part_of[w->from];
        if (from == l->part) {
            shorten(&own, floors[w->spec]);
        } else if (reach->ends[l->part] > 0) {
            shorten(&l->to[from], floors[w->spec]);
        }
    }
    for (uint32_t i = 0; i < reach->n; i++) {
        shorten(&l->to[reach->parts[i]], own);
    }
}

void lookahead_open(const struct blueprint *b, const uint32_t *part_of, uint32_t part,
                    uint32_t parts, struct lookahead *l)
{
    *l = (struct lookahead){.part = part, .parts = parts, .least = SIM_TIME_NEVER};
    l->to = nevers(parts);
    sim_time *floors = spec_floors(b);
    for (wire_id id = 0; id < b->n_wires; id++) {
        const struct wire_plan *w = &b->wires[id];
        uint32_t from = part_of[w->from], to = part_of[w->to];
        if (w->more == 0 && (from == part || to == part)) {
            shorten(&l->to[from == part ? to : from], floors[w->spec]);
        }
    }
    struct fans fans;
    struct reach reach;
    fans_open(&fans, b);
    reach_open(&reach, parts);
    for (uint32_t i = 0; i < fans.n; i++) {
        reach_find(&reach, &fans.fans[i], part_of);
        add_fan(b, floors, part_of, &fans.fans[i], &reach, l);
    }
    reach_close(&reach);
    fans_close(&fans);
    free(floors);
    l->to[part] = SIM_TIME_NEVER;
    for (uint32_t p = 0; p < parts; p++) {
        shorten(&l->least, l->to[p]);
    }
}

void lookahead_close(struct lookahead *l)
{
    free(l->to);
}

/* --- all parts --------------------------------------------------------------------------- */

struct matrix {
    sim_time *d;
    wire_id *limit; /* may be NULL */
    uint32_t parts;
};

static void offer(struct matrix *m, uint32_t from, uint32_t to, sim_time floor, wire_id wire)
{
    size_t i = (size_t)from * m->parts + to;
    if (m->limit && (floor < m->d[i] || (floor == m->d[i] && wire < m->limit[i]))) {
        m->limit[i] = wire;
    }
    shorten(&m->d[i], floor);
}

static void offer_both(struct matrix *m, uint32_t a, uint32_t b, sim_time floor, wire_id wire)
{
    if (a != b && floor < SIM_TIME_NEVER) {
        offer(m, a, b, floor, wire);
        offer(m, b, a, floor, wire);
    }
}

/* The shortest wire of each part to the fan's far ends stands for all from there. `best` has an
 * entry for each part, WIRE_NONE before and after. */
static void offer_fan(struct matrix *m, const struct blueprint *b, const sim_time *floors,
                      const uint32_t *part_of, const struct fan *fan, const struct reach *reach,
                      wire_id *best)
{
    for (uint32_t i = 0; i < fan->n_wires; i++) {
        wire_id id = fan->wires[i], *so_far = &best[part_of[b->wires[id].from]];
        if (*so_far == WIRE_NONE || floors[b->wires[id].spec] < floors[b->wires[*so_far].spec]) {
            *so_far = id;
        }
    }
    for (uint32_t p = 0; p < m->parts; p++) {
        for (uint32_t i = 0; i < reach->n && best[p] != WIRE_NONE; i++) {
            offer_both(m, p, reach->parts[i], floors[b->wires[best[p]].spec], best[p]);
        }
        best[p] = WIRE_NONE;
    }
}

sim_time *lookahead_matrix(const struct blueprint *b, const uint32_t *part_of, uint32_t parts,
                           wire_id *limit)
{
    struct matrix m = {nevers((size_t)parts * parts), limit, parts};
    for (size_t i = 0; i < (size_t)parts * parts && limit; i++) {
        limit[i] = WIRE_NONE;
    }
    sim_time *floors = spec_floors(b);
    for (wire_id id = 0; id < b->n_wires; id++) {
        const struct wire_plan *w = &b->wires[id];
        if (w->more == 0) {
            offer_both(&m, part_of[w->from], part_of[w->to], floors[w->spec], id);
        }
    }
    struct fans fans;
    struct reach reach;
    fans_open(&fans, b);
    reach_open(&reach, parts);
    wire_id *best = scratch_take(parts, sizeof *best);
    memset(best, 0xff, parts * sizeof *best); /* WIRE_NONE */
    for (uint32_t i = 0; i < fans.n; i++) {
        reach_find(&reach, &fans.fans[i], part_of);
        offer_fan(&m, b, floors, part_of, &fans.fans[i], &reach, best);
    }
    free(best);
    reach_close(&reach);
    fans_close(&fans);
    free(floors);
    return m.d;
}

/* With nothing on the diagonal at first, what comes to stand there is the shortest way out and
 * back. */
void lookahead_matrix_close(sim_time *d, uint32_t parts)
{
    for (uint32_t k = 0; k < parts; k++) {
        const sim_time *onward = &d[(size_t)k * parts];
        for (uint32_t i = 0; i < parts; i++) {
            sim_time *row = &d[(size_t)i * parts], first = row[k];
            for (uint32_t j = 0; j < parts && first < SIM_TIME_NEVER; j++) {
                shorten(&row[j], sim_time_add(first, onward[j]));
            }
        }
    }
}
