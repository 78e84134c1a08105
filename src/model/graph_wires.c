/* SPDX-License-Identifier: Apache-2.0
 *
 * Wires are laid in two rounds, of which the first only counts, so that a model too large is
 * refused before anything is made of it. Where a fan may stand for the wires to a range it does:
 * the results are the same, and a million entities that may each call any other fit in memory.
 */
#include <unistd.h>

#include "base/hash.h"
#include "model/graph_draft.h"
#include "model/subset.h"
#include "policies/balance.h"

/* Instance i of n is in cell i * cells / n; this is the first of a cell. */
static uint32_t first_of_cell(uint32_t n, uint64_t cells, uint64_t cell)
{
    return (uint32_t)((cell * n + cells - 1) / cells);
}

struct name_range draft_in_cell(const struct name_range *range, uint64_t cells, uint64_t cell)
{
    struct name_range part = *range;
    uint32_t first = first_of_cell(range->count, cells, cell);
    part.first += first;
    part.count = first_of_cell(range->count, cells, cell + 1) - first;
    return part;
}

/* The part of the port's r-th range that instance `i` may call. */
static struct name_range in_reach(const struct port_draft *p, uint32_t r,
                                  const struct group_plan *g, uint32_t i)
{
    uint64_t cells = (uint64_t)p->target->cells;
    return draft_in_cell(&p->ranges[r], cells, i * cells / g->count);
}

/* Loads are counted by wire, so whoever looks at those of single instances needs a wire for each.
 */
static bool is_fan(const struct draft *d, const struct port_draft *p, const struct name_range *r)
{
    return r->count > 1 && !p->target->apart &&
           !balance_needs_loads((enum balance)p->target->balance) && draft_fans(d, r);
}

static uint64_t count_of_port(const struct draft *d, const struct port_draft *p,
                              const struct group_plan *g, uint32_t i)
{
    if (p->edges) {
        return p->edges->start[i + 1] - p->edges->start[i];
    }
    if (p->target->pick != TARGET_ALL) {
        return (uint64_t)p->target->pick;
    }
    uint64_t n = 0;
    for (uint32_t r = 0; r < p->n_ranges; r++) {
        struct name_range part = in_reach(p, r, g, i);
        n += is_fan(d, p, &part) ? 1 : part.count;
    }
    return n;
}

/* May stop where there are too many. */
static uint64_t count_of_group(struct draft *d, const struct group_plan *g,
                               struct port_draft *first)
{
    draft_choose_rules(d, g, first);
    bool alike = !d->instances_differ;
    for (const struct port_draft *p = first; p; p = p->next) {
        alike = alike && p->target->cells == 1 && !p->edges;
    }
    uint64_t n = 0;
    for (uint32_t i = 0; i < (alike ? 1 : g->count) && n < WIRE_NONE; i++) {
        draft_enter(d, g, g->first + i);
        for (const struct port_draft *p = first; p; p = p->next) {
            n += count_of_port(d, p, g, i);
        }
    }
    return alike && n < WIRE_NONE ? n * g->count : n;
}

void draft_count_wires(struct draft *d)
{
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        d->n_ports += (uint64_t)d->groups[g].ports * d->groups[g].count;
        d->n_wires += count_of_group(d, &d->groups[g], d->ports[g]);
        if (d->n_ports >= UINT32_MAX || d->n_wires >= WIRE_NONE) {
            diag_error_key(d->diag, d->study->groups[g].at,
                           "with this, more than %u pairs of entities would call each other",
                           WIRE_NONE - 1);
            return;
        }
    }
    double need = (double)d->n_ports * sizeof(struct port_plan) +
                  (double)d->n_wires * sizeof(struct wire_plan) +
                  (double)d->n_entities * sizeof(uint32_t);
    double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (need > have) {
        diag_error(d->diag, d->study->blocks.entities,
                   "%.0f entities and %.0f pairs that call each other take %.1f GB; this machine "
                   "has %.1f GB",
                   (double)d->n_entities, (double)d->n_wires, need / 1e9, have / 1e9);
    }
}

/* Where the next wires go. */
struct laying {
    struct draft *draft;
    const struct group_plan *group;
    uint32_t instance;
    uint16_t port;
    struct port_plan *plan;
    struct subset *subset;
};

static void lay_wire(struct laying *l, const struct name_range *range, entity_id to, uint32_t more,
                     sim_time latency)
{
    struct draft *d = l->draft;
    d->wires[d->next_wire++] = (struct wire_plan){.from = l->group->first + l->instance,
                                                  .to = to,
                                                  .more = more,
                                                  .spec = draft_spec(d, range, to, latency),
                                                  .port = l->port};
    l->plan->wires++;
    l->plan->more += more;
}

static void lay_all(struct laying *l, const struct port_draft *p)
{
    for (uint32_t r = 0; r < p->n_ranges; r++) {
        struct name_range part = in_reach(p, r, l->group, l->instance);
        if (is_fan(l->draft, p, &part)) {
            lay_wire(l, &part, part.first, part.count - 1, SIM_TIME_NEVER);
            continue;
        }
        for (uint32_t k = 0; k < part.count; k++) {
            lay_wire(l, &part, part.first + k, 0, SIM_TIME_NEVER);
        }
    }
}

/* Who is picked is chance, but part of the model: its key has neither seed nor replication. */
static void lay_picked(struct laying *l, const struct port_draft *p)
{
    uint32_t n = 0, k = (uint32_t)p->target->pick, before = 0, next = 0;
    for (uint32_t r = 0; r < p->n_ranges; r++) {
        n += in_reach(p, r, l->group, l->instance).count;
    }
    uint64_t name = blueprint_name_hash(&l->draft->study->blueprint, l->group->first + l->instance);
    struct rng_stream stream;
    rng_init(&stream,
             &(struct rng_key){.who = hash_pair(name, l->port), .purpose = hash_text("pick")});
    const uint32_t *picked = subset_draw(l->subset, &stream, n, k);
    for (uint32_t r = 0; r < p->n_ranges; r++) {
        struct name_range part = in_reach(p, r, l->group, l->instance);
        for (; next < k && picked[next] - before < part.count; next++) {
            lay_wire(l, &part, part.first + (picked[next] - before), 0, SIM_TIME_NEVER);
        }
        before += part.count;
    }
}

static void lay_edges(struct laying *l, const struct port_draft *p)
{
    const struct edge_table *t = p->edges;
    for (size_t e = t->start[l->instance]; e < t->start[l->instance + 1]; e++) {
        lay_wire(l, p->ranges, p->ranges->first + t->items[e].to, 0, t->items[e].latency);
    }
}

static void lay_group(struct draft *d, struct group_plan *g, struct port_draft *first,
                      struct subset *subset)
{
    draft_choose_rules(d, g, first);
    g->first_port = d->next_port;
    for (uint32_t i = 0; i < g->count; i++) {
        struct laying l = {.draft = d, .group = g, .instance = i, .subset = subset};
        draft_enter(d, g, g->first + i);
        for (const struct port_draft *p = first; p; p = p->next, l.port++) {
            l.plan = &d->port_plans[d->next_port++];
            l.plan->first_wire = d->next_wire;
            if (p->edges) {
                lay_edges(&l, p);
            } else if (p->target->pick != TARGET_ALL) {
                lay_picked(&l, p);
            } else {
                lay_all(&l, p);
            }
        }
    }
}

void draft_lay_wires(struct draft *d)
{
    struct arena *memory = &d->study->memory;
    struct blueprint *b = &d->study->blueprint;
    b->groups = d->groups;
    b->n_groups = d->study->n_groups;
    b->n_entities = (uint32_t)d->n_entities;
    d->port_plans = arena_take(memory, d->n_ports * sizeof *d->port_plans);
    d->wires = arena_take(memory, d->n_wires * sizeof *d->wires);
    struct subset subset = {.most = 0};
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        lay_group(d, &d->groups[g], d->ports[g], &subset);
    }
    subset_close(&subset);
    b->ports = d->port_plans;
    b->n_ports = (uint32_t)d->n_ports;
    b->wires = d->wires;
    b->n_wires = (uint32_t)d->n_wires;
    b->specs = draft_copy_specs(d);
    b->n_specs = d->n_specs;
}
