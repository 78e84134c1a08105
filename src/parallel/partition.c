/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/partition.h"

#include "base/hash.h"
#include "parallel/components.h"
#include "parallel/efficiency.h"
#include "parallel/fans.h"
#include "parallel/partition_metis.h"
#include "parallel/scratch.h"
#include "rng/stream.h"

enum {
    CLASSES_MOST = 8,    /* latencies that are tried as threshold */
    BISECTED_PARTS = 16, /* up to so many, cutting in two is tried as well */
};

const char *const partition_words[] = {"metis", "block", "shuffle", NULL};

/* --- dealing out components -------------------------------------------------------------- */

/* In order: a part is given components until the next one would take it further from its even
 * share of what is left. Each gets one at least while there are enough. */
static void deal_block(const struct components *c, uint32_t parts, uint32_t *part_of)
{
    double left = 0.0, here = 0.0;
    for (uint32_t i = 0; i < c->n; i++) {
        left += c->load[i];
    }
    uint32_t part = 0;
    bool empty = true;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t later = parts - 1 - part;
        double even = (left + here) / (later + 1.0);
        bool full = here + 0.5 * c->load[i] > even;
        if (later > 0 && !empty && (full || c->n - i <= later)) {
            part++;
            here = 0.0;
        }
        part_of[i] = part;
        here += c->load[i];
        left -= c->load[i];
        empty = false;
    }
}

/* In an order drawn by chance (Fisher and Yates 1938), one to each part in turn. */
static void deal_shuffle(const struct components *c, uint32_t parts, uint64_t seed,
                         uint32_t *part_of)
{
    struct rng_stream chance;
    rng_init(&chance, &(struct rng_key){.seed = seed, .purpose = hash_text("partition")});
    uint32_t *order = scratch_take(c->n, sizeof *order);
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t j = (uint32_t)rng_below(&chance, i + (uint64_t)1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        part_of[order[i]] = i % parts;
    }
    free(order);
}

/* --- choosing ---------------------------------------------------------------------------- */

struct choice_of_parts {
    const struct blueprint *b;
    const struct flow *flow;
    const sim_time *floors;
    const struct partition_request *request;
    struct partition *best; /* without part_of: none so far */
    double speedup;         /* that the best promises */
};

/* How many times as fast as on one rank the model should run. This weighs it all up: a longer
 * lookahead has more events in a window, over which its exchange is spread, but leaves fewer
 * components to balance; and what is cut costs messages. */
static double promise(const struct choice_of_parts *ch, const struct cut *c)
{
    struct work w = work_of(ch->b, ch->flow, c);
    return efficiency_of(&machine_default, &w, ch->request->parts).speedup;
}

/* The partition that gives component i to part_of[i]. */
static struct partition describe(const struct choice_of_parts *ch, const struct components *c,
                                 const uint32_t *part_of, sim_time contract)
{
    struct partition p = {.parts = ch->request->parts,
                          .components = c->n,
                          .contracted = c->contracted,
                          .contract = contract};
    uint32_t largest = 0;
    for (uint32_t i = 1; i < c->n; i++) {
        largest = c->load[i] > c->load[largest] ? i : largest;
    }
    p.largest_share = c->n > 0 ? c->load[largest] / ch->flow->total : 0.0;
    uint32_t n = ch->b->n_entities;
    p.part_of = scratch_take(n, sizeof *p.part_of);
    for (entity_id id = n; id-- > 0;) { /* so that the first of its entities stays */
        p.part_of[id] = part_of[c->of[id]];
        p.largest = c->of[id] == largest ? id : p.largest;
    }
    return p;
}

static void offer(struct choice_of_parts *ch, const struct components *c, const uint32_t *part_of,
                  sim_time contract)
{
    struct partition p = describe(ch, c, part_of, contract);
    struct cut cut;
    cut_measure(ch->b, ch->flow, p.part_of, p.parts, &cut);
    double speedup = promise(ch, &cut);
    cut_close(&cut);
    if (!ch->best->part_of || speedup > ch->speedup) {
        partition_close(ch->best);
        ch->speedup = speedup;
        *ch->best = p;
    } else {
        partition_close(&p);
    }
}

static void try_threshold(struct choice_of_parts *ch, const struct components *c, sim_time contract)
{
    const struct partition_request *q = ch->request;
    uint32_t *part_of = scratch_take(c->n, sizeof *part_of);
    if (q->method == PARTITION_SHUFFLE) {
        deal_shuffle(c, q->parts, q->seed, part_of);
    } else {
        deal_block(c, q->parts, part_of);
    }
    offer(ch, c, part_of, contract);
    enum metis_way ways = q->parts <= BISECTED_PARTS ? METIS_WAYS : METIS_IN_TWO;
    for (enum metis_way way = 0; q->method == PARTITION_METIS && way < ways; way++) {
        if (metis_deal(ch->b, ch->floors, ch->flow, c, way, q->parts, part_of)) {
            offer(ch, c, part_of, contract);
        }
    }
    free(part_of);
}

/* True when a cut through wires as fast as this cannot run faster than the best, even in even parts
 * that need not talk. (A cut that spares them is found with a higher threshold.) */
static bool is_hopeless(const struct choice_of_parts *ch, sim_time threshold)
{
    struct cut ideal = {.balance = 1.0, .lookahead = threshold, .neighbours = 1};
    return ch->best->part_of && promise(ch, &ideal) <= ch->speedup;
}

static int by_time(const void *a, const void *b)
{
    sim_time x = *(const sim_time *)a, y = *(const sim_time *)b;
    return (x > y) - (x < y);
}

/* The latencies to be tried as thresholds, rising; of many, some that are spread evenly among them.
 * Nothing but what takes no time is faster than the first of them. */
static uint32_t find_thresholds(const struct choice_of_parts *ch, sim_time *thresholds)
{
    thresholds[0] = ch->request->contract;
    if (ch->request->method != PARTITION_METIS || ch->request->parts == 1 || thresholds[0] > 0) {
        return 1;
    }
    const struct blueprint *b = ch->b;
    sim_time *floors = scratch_take(b->n_specs, sizeof *floors); /* of specs in use, or 0 */
    for (wire_id w = 0; w < b->n_wires; w++) {
        floors[b->wires[w].spec] = ch->floors[b->wires[w].spec];
    }
    qsort(floors, b->n_specs, sizeof *floors, by_time);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_specs; i++) {
        if (floors[i] > 0 && (n == 0 || floors[i] > floors[n - 1])) {
            floors[n++] = floors[i];
        }
    }
    uint32_t tried = n < CLASSES_MOST ? n : CLASSES_MOST;
    for (uint32_t i = 0; i < tried; i++) {
        thresholds[i] = floors[tried > 1 ? (uint64_t)i * (n - 1) / (tried - 1) : 0];
    }
    free(floors);
    return tried ? tried : 1;
}

/* Where nothing is known of the traffic, all entities and wires are alike. */
static void flow_even(const struct blueprint *b, struct flow *f)
{
    *f = (struct flow){.events = scratch_take(b->n_entities, sizeof *f->events),
                       .requests = scratch_take(b->n_wires, sizeof *f->requests),
                       .total = b->n_entities};
    for (entity_id id = 0; id < b->n_entities; id++) {
        f->events[id] = 1.0;
    }
    for (wire_id w = 0; w < b->n_wires; w++) {
        f->requests[w] = 1.0;
    }
}

void partition_make(const struct blueprint *b, const struct flow *f,
                    const struct partition_request *q, struct partition *p)
{
    CHECK(q->parts > 0, "a partition without parts");
    *p = (struct partition){.parts = q->parts};
    struct flow even = {.total = 0.0};
    if (!(f->total > 0.0)) {
        flow_even(b, &even);
        f = &even;
    }
    sim_time *floors = spec_floors(b), thresholds[CLASSES_MOST];
    struct choice_of_parts ch = {.b = b, .flow = f, .floors = floors, .request = q, .best = p};
    uint32_t n = find_thresholds(&ch, thresholds), components = 1;
    while (n-- > 0 && !is_hopeless(&ch, thresholds[n])) {
        struct components c;
        components_open(b, floors, ch.flow, thresholds[n], &c);
        /* Something must be left to be dealt out, and in another way than before. */
        if (c.n > components || (n == 0 && !p->part_of)) {
            try_threshold(&ch, &c, thresholds[n]);
        }
        components = c.n;
        components_close(&c);
    }
    free(floors);
    flow_close(&even);
}

void partition_close(struct partition *p)
{
    free(p->part_of);
}
