/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/wait_flows.h"

#include <string.h>

#include "base/hash.h"

enum { FEWEST = 8 }; /* flows */

struct wait_flow {
    struct wait_list list;
    uint32_t key;
    uint32_t count;        /* in the list */
    uint32_t left;         /* that may be taken in its turn, or in the one to come */
    uint32_t next, before; /* 1-based, in the ring; or `next` is the free list's */
    uint32_t chain;        /* 1-based, of the same head; 0: last */
};

static struct wait_flow *at(const struct flow_room *r, uint32_t link)
{
    struct wait_flow *flows = sim_kept(r->ctx, r->flows->flows);
    return &flows[link - 1];
}

static uint32_t *head_of(const struct flow_room *r, uint32_t key)
{
    uint32_t *heads = sim_kept(r->ctx, r->flows->heads);
    return &heads[hash_mix64(key) & (r->flows->size - 1)];
}

/* The instance that made the request first is half of its number. */
static uint32_t key_of(const struct discipline *d, const struct message *m)
{
    if (d->by == FLOW_CLIENT) {
        return (uint32_t)(m->request >> 32);
    }
    return d->by == FLOW_KIND ? m->class_ : m->priority;
}

/* --- weights ----------------------------------------------------------------------------- */

/* Weights by kind, for those up to the last one that has any. */
static void weigh_kinds(const struct flow_room *r)
{
    const struct discipline *d = r->discipline;
    struct wait_flows *f = r->flows;
    for (uint32_t i = 0; i < d->kinds.count; i++) {
        uint32_t number = d->kinds.items[i].kind.number;
        f->n_weights = number >= f->n_weights ? number + 1u : f->n_weights;
    }
    if (f->n_weights == 0) {
        return;
    }
    f->weights = sim_keep(r->ctx, f->n_weights * sizeof(uint32_t));
    uint32_t *weights = sim_kept(r->ctx, f->weights);
    for (uint32_t i = 0; i < d->kinds.count; i++) {
        weights[d->kinds.items[i].kind.number] = (uint32_t)d->kinds.items[i].weight;
    }
}

static uint32_t weight_of(const struct flow_room *r, uint32_t key)
{
    const struct discipline *d = r->discipline;
    if (d->by == FLOW_PRIORITY) {
        const struct priority_weights *w = &d->priorities;
        return (uint32_t)(key == PRIORITY_HIGH  ? w->high
                          : key == PRIORITY_LOW ? w->low
                                                : w->normal);
    }
    const uint32_t *weights =
        key < r->flows->n_weights ? sim_kept(r->ctx, r->flows->weights) : NULL;
    return weights && weights[key] ? weights[key] : 1;
}

/* --- flows ------------------------------------------------------------------------------- */

static uint32_t find(const struct flow_room *r, uint32_t key)
{
    uint32_t link = r->flows->size ? *head_of(r, key) : 0;
    while (link && at(r, link)->key != key) {
        link = at(r, link)->chain;
    }
    return link;
}

static void enter(const struct flow_room *r, uint32_t link)
{
    uint32_t *head = head_of(r, at(r, link)->key);
    at(r, link)->chain = *head;
    *head = link;
}

static void leave(const struct flow_room *r, uint32_t link)
{
    uint32_t *chain = head_of(r, at(r, link)->key);
    while (*chain != link) {
        CHECK(*chain, "a flow that is not in the table of flows");
        chain = &at(r, *chain)->chain;
    }
    *chain = at(r, link)->chain;
}

/* Only when all are in use. Those before stay where they are: together they take no more than those
 * after. */
static void grow(const struct flow_room *r)
{
    struct wait_flows *f = r->flows;
    uint32_t before = f->flows, n = f->size;
    if (n == 0) {
        weigh_kinds(r);
    }
    f->size = n ? 2 * n : FEWEST;
    f->flows = sim_keep(r->ctx, f->size * sizeof(struct wait_flow));
    f->heads = sim_keep(r->ctx, f->size * sizeof(uint32_t));
    if (n) {
        memcpy(at(r, 1), sim_kept(r->ctx, before), n * sizeof(struct wait_flow));
    }
    for (uint32_t link = 1; link <= n; link++) {
        enter(r, link);
    }
}

/* Into the ring before the one whose turn it is, which makes it the last. */
static void join(const struct flow_room *r, uint32_t link)
{
    struct wait_flows *f = r->flows;
    struct wait_flow *flow = at(r, link);
    if (!f->turn) {
        f->turn = flow->next = flow->before = link;
        return;
    }
    flow->next = f->turn;
    flow->before = at(r, f->turn)->before;
    at(r, flow->before)->next = link;
    at(r, f->turn)->before = link;
}

static void part(const struct flow_room *r, uint32_t link)
{
    struct wait_flows *f = r->flows;
    const struct wait_flow *flow = at(r, link);
    at(r, flow->before)->next = flow->next;
    at(r, flow->next)->before = flow->before;
    if (f->turn == link) {
        f->turn = flow->next == link ? 0 : flow->next;
    }
}

static uint32_t begin(const struct flow_room *r, uint32_t key)
{
    struct wait_flows *f = r->flows;
    if (f->count == f->size) {
        grow(r);
    }
    uint32_t link = f->free;
    if (link) {
        f->free = at(r, link)->next;
    } else {
        link = ++f->used;
    }
    *at(r, link) = (struct wait_flow){.key = key, .left = weight_of(r, key)};
    enter(r, link);
    join(r, link);
    f->count++;
    r->stats->flows_created++;
    return link;
}

static void end(const struct flow_room *r, uint32_t link)
{
    struct wait_flows *f = r->flows;
    leave(r, link);
    part(r, link);
    at(r, link)->next = f->free;
    f->free = link;
    f->count--;
    r->stats->flows_removed++;
}

/* --- requests ---------------------------------------------------------------------------- */

bool wait_flows_put(const struct flow_room *r, uint32_t slot, const struct message *m)
{
    const struct discipline *d = r->discipline;
    uint32_t key = key_of(d, m), link = find(r, key);
    if (!link && r->flows->count >= d->max_flows) {
        r->stats->rejected_max_flows++;
        return false;
    }
    if (link && at(r, link)->count >= d->per_flow_capacity) {
        r->stats->rejected_flow_capacity++;
        return false;
    }
    struct wait_flow *flow = at(r, link ? link : begin(r, key));
    wait_list_append(&flow->list, r->slab, slot);
    flow->count++;
    return true;
}

static void take_out(const struct flow_room *r, uint32_t link, uint32_t slot)
{
    struct wait_flow *flow = at(r, link);
    wait_list_take_out(&flow->list, r->slab, slot);
    if (--flow->count == 0) {
        end(r, link);
    }
}

uint32_t wait_flows_first(const struct flow_room *r)
{
    return at(r, r->flows->turn)->list.head - 1;
}

uint32_t wait_flows_pop(const struct flow_room *r)
{
    uint32_t link = r->flows->turn, slot = wait_flows_first(r);
    struct wait_flow *flow = at(r, link);
    if (--flow->left == 0) {
        flow->left = weight_of(r, flow->key);
        r->flows->turn = flow->next;
    }
    take_out(r, link, slot);
    return slot;
}

void wait_flows_drop(const struct flow_room *r, uint32_t slot, const struct message *m)
{
    uint32_t link = find(r, key_of(r->discipline, m));
    CHECK(link, "a request that waits in no flow");
    take_out(r, link, slot);
}

void wait_flows_clear(const struct flow_room *r)
{
    struct wait_flows *f = r->flows;
    r->stats->flows_removed += f->count;
    if (f->size) {
        memset(sim_kept(r->ctx, f->heads), 0, f->size * sizeof(uint32_t));
    }
    f->used = f->count = f->free = f->turn = 0;
}
