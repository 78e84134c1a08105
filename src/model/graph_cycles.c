/* SPDX-License-Identifier: Apache-2.0
 *
 * A cycle of calls without any delay would let requests go round while time stands still. Such
 * cycles are looked for between entities, not groups, since rules may concern single instances.
 */
#include "model/graph_draft.h"

enum { MOST_CYCLE = 16 /* names told of a cycle */ };

/* Depth-first search along wires without delay. `path` holds the entities from the start of the
 * search to the present one, `next` for each entity the wire to follow next. */
struct search {
    struct draft *draft;
    const bool *still; /* of specs: no delay */
    wire_id *start;    /* of each entity's wires; one past the end for the last + 1 */
    wire_id *next;
    entity_id *path;
    uint32_t depth;
    unsigned char *colour; /* of each entity: 0 new, 1 on the path, 2 done */
    bool *told;            /* of each group: in a cycle that was told */
};

static const struct node *place_of_wire(const struct draft *d, const struct wire_plan *w,
                                        uint32_t group)
{
    const struct port_draft *p = d->ports[group];
    for (uint16_t port = 0; port < w->port; port++) {
        p = p->next;
    }
    uint32_t r = 0;
    while (w->to - p->ranges[r].first >= p->ranges[r].count) {
        r++;
    }
    return p->ranges[r].at;
}

static void tell_cycle(struct search *s, const struct wire_plan *back)
{
    struct draft *d = s->draft;
    const struct blueprint *b = &d->study->blueprint;
    uint32_t group = (uint32_t)(blueprint_group(b, back->from) - b->groups);
    uint32_t to = (uint32_t)(blueprint_group(b, back->to) - b->groups);
    if (s->told[group] && s->told[to]) {
        return;
    }
    uint32_t from = s->depth - 1;
    while (s->path[from] != back->to) {
        from--;
    }
    char name[STUDY_LONGEST_NAME + 16];
    const char *text = "";
    for (uint32_t i = from; i < s->depth; i++) {
        s->told[blueprint_group(b, s->path[i]) - b->groups] = true;
    }
    for (uint32_t i = from; i < s->depth && i < from + MOST_CYCLE; i++) {
        blueprint_name(b, s->path[i], name, sizeof name);
        text = arena_format(&d->scratch, "%s%s -> ", text, name);
    }
    blueprint_name(b, back->to, name, sizeof name);
    diag_error(d->diag, place_of_wire(d, back, group),
               "a cycle of calls without any delay: %s%s%s (give one of them a latency)", text,
               s->depth - from > MOST_CYCLE ? "... -> " : "", name);
}

static void enter(struct search *s, entity_id id)
{
    s->colour[id] = 1;
    s->next[id] = s->start[id];
    s->path[s->depth++] = id;
}

static void search_from(struct search *s, entity_id root)
{
    const struct wire_plan *wires = s->draft->wires;
    enter(s, root);
    while (s->depth > 0) {
        entity_id id = s->path[s->depth - 1];
        if (s->next[id] == s->start[id + 1]) {
            s->colour[id] = 2;
            s->depth--;
            continue;
        }
        const struct wire_plan *w = &wires[s->next[id]++];
        if (!s->still[w->spec]) {
            continue;
        }
        if (s->colour[w->to] == 1) {
            tell_cycle(s, w);
        } else if (s->colour[w->to] == 0) {
            enter(s, w->to);
        }
    }
}

void draft_find_cycles(struct draft *d)
{
    struct arena memory = {0};
    size_t n = d->n_entities;
    struct search s = {.draft = d,
                       .start = arena_take(&memory, (n + 1) * sizeof *s.start),
                       .next = arena_take(&memory, n * sizeof *s.next),
                       .path = arena_take(&memory, n * sizeof *s.path),
                       .colour = arena_take(&memory, n),
                       .told = arena_take(&memory, d->study->n_groups * sizeof *s.told)};
    bool *still = arena_take(&memory, d->n_specs * sizeof *still), any = false;
    for (uint32_t i = 0; i < d->n_specs; i++) {
        still[i] = wire_floor(&d->specs[i].spec) == 0;
        any = any || still[i];
    }
    s.still = still;
    for (uint64_t w = 0; w < d->n_wires; w++) {
        s.start[d->wires[w].from + 1] = (wire_id)w + 1;
    }
    for (size_t i = 0; i < n; i++) {
        s.start[i + 1] = s.start[i + 1] > s.start[i] ? s.start[i + 1] : s.start[i];
    }
    for (entity_id id = 0; any && id < n; id++) {
        if (s.colour[id] == 0) {
            search_from(&s, id);
        }
    }
    arena_close(&memory);
}
