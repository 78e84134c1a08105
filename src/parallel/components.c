/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/components.h"

#include "parallel/scratch.h"

/* A forest in which parents have lower numbers, so that a root is the first of its tree. */
static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    parent[a > b ? a : b] = a > b ? b : a;
}

/* Likewise, but with higher numbers: the last of those that follow i and are joined with it. */
static uint32_t last_of(uint32_t *joined, uint32_t i)
{
    while (joined[i] != i) {
        joined[i] = joined[joined[i]];
        i = joined[i];
    }
    return i;
}

static uint32_t *singles(uint32_t n)
{
    uint32_t *each = scratch_take(n, sizeof *each);
    for (uint32_t i = 0; i < n; i++) {
        each[i] = i;
    }
    return each;
}

/* A failure budget judges what it sees in the order in which it happens. */
static void join_watched(const struct budget_plan *budget, uint32_t *parent)
{
    for (uint32_t i = 0; i < budget->n_watched; i++) {
        for (uint32_t k = 0; k < budget->watched[i].count; k++) {
            join(parent, budget->watched[0].first, budget->watched[i].first + k);
        }
    }
}

static uint32_t *join_all(const struct blueprint *b, const sim_time *floors, sim_time contract,
                          uint32_t *contracted)
{
    uint32_t *parent = singles(b->n_entities), *joined = NULL;
    for (wire_id id = 0; id < b->n_wires; id++) {
        const struct wire_plan *w = &b->wires[id];
        if (floors[w->spec] > 0 && floors[w->spec] >= contract) {
            continue;
        }
        ++*contracted;
        join(parent, w->from, w->to);
        if (w->more > 0) { /* Stretches that were joined before are jumped over. */
            joined = joined ? joined : singles(b->n_entities);
            uint32_t end = w->to + w->more;
            for (uint32_t i = last_of(joined, w->to); i < end; i = last_of(joined, i)) {
                join(parent, i, i + 1);
                joined[i] = i + 1;
            }
        }
    }
    free(joined);
    join_watched(&b->budget, parent);
    return parent;
}

void components_open(const struct blueprint *b, const sim_time *floors, const struct flow *f,
                     sim_time contract, struct components *c)
{
    *c = (struct components){.n = 0};
    uint32_t *parent = join_all(b, floors, contract, &c->contracted);
    c->of = scratch_take(b->n_entities, sizeof *c->of);
    for (entity_id id = 0; id < b->n_entities; id++) {
        uint32_t root = root_of(parent, id);
        c->of[id] = root == id ? c->n++ : c->of[root];
    }
    free(parent);
    c->load = scratch_take(c->n, sizeof *c->load);
    for (entity_id id = 0; id < b->n_entities; id++) {
        c->load[c->of[id]] += f->events[id];
    }
}

void components_close(struct components *c)
{
    free(c->of);
    free(c->load);
}
