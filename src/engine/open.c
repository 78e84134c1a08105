/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a simulation: everything that a blueprint, or a share of it, needs is laid out once.
 * Arrays that hold one thing for each entity or wire of the model are indexed by its number also
 * where a share has only some of them: what it does not have is never touched, and so takes no
 * memory.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/world.h"

enum {
    SLOTS_MOST = 1 << 27, /* of one slab: requests in flight or waiting */
    LARGE = 1 << 19,      /* [B] of memory from which on prefetching pays */
};

static void describe(void *context, char *text, size_t size)
{
    const struct sim *s = context;
    char name[128];
    blueprint_name(s->plan, s->ctx.self, name, sizeof name);
    int n = snprintf(text, size, "replication %" PRIu64 ", t=%.9fs, %s", s->replication,
                     (double)s->now * 1e-9, name);
    if (s->event && n > 0 && (size_t)n < size) {
        snprintf(text + n, size - (size_t)n,
                 ", event kind %u, order %016" PRIx64 ", request %" PRIu64, s->event->kind,
                 s->event->order, s->event->msg.request);
    }
}

uint32_t count_streams(const struct entity_type *type)
{
    uint32_t n = 0;
    while (type->streams && type->streams[n]) {
        n++;
    }
    return n;
}

static size_t aligned(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static void open_streams(struct record *r, uint32_t n, uint64_t who)
{
    for (uint32_t i = 0; i < n; i++) {
        r->streams[i].key.who = who;
        r->streams[i].key.purpose = hash_text(r->type->streams[i]);
    }
}

static void list_own(struct sim *s)
{
    const struct sim_share *share = s->options.share;
    uint32_t n = s->plan->n_entities;
    for (entity_id id = 0; id < n; id++) {
        s->n_own += !share || share->part_of[id] == share->part;
    }
    s->own = region_take(&s->memory, s->n_own * sizeof *s->own, 64);
    uint32_t k = 0;
    for (entity_id id = 0; id < n; id++) {
        if (!share || share->part_of[id] == share->part) {
            s->own[k++] = id;
        }
    }
}

uint32_t own_before(const struct sim *s, entity_id id)
{
    uint32_t low = 0, high = s->n_own;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->own[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void open_record(struct sim *s, const struct group_plan *g, entity_id id)
{
    struct record *r = &s->records[id];
    uint32_t n_streams = count_streams(g->type);
    *r = (struct record){.type = g->type,
                         .params = g->params,
                         .slabs = s->groups[g - s->plan->groups].shared,
                         .group = (uint32_t)(g - s->plan->groups),
                         .first_port = g->first_port + (id - g->first) * g->ports};
    r->streams = region_take(&s->memory, n_streams * sizeof *r->streams, 64);
    open_streams(r, n_streams, blueprint_name_hash(s->plan, id));
}

/* Lays out the records, then all states, then all statistics: what a reset clears is one block. */
static void open_entities(struct sim *s)
{
    const struct blueprint *b = s->plan;
    list_own(s);
    s->records = region_take(&s->memory, b->n_entities * sizeof *s->records, 64);
    s->untouched += (b->n_entities - s->n_own) * sizeof *s->records;
    const struct group_plan *g = b->groups;
    for (uint32_t i = 0; i < s->n_own; i++) {
        while (s->own[i] - g->first >= g->count) {
            g++;
        }
        open_record(s, g, s->own[i]);
    }
    region_take(&s->memory, 0, 64);
    s->mutable_from = s->memory.used;
    for (uint32_t i = 0; i < s->n_own; i++) {
        struct record *r = &s->records[s->own[i]];
        r->state = region_take(&s->memory, aligned(r->type->state_size), 64);
        r->stats = region_take(&s->memory, aligned(r->type->stats_size), 16);
    }
    s->mutable_size = s->memory.used - s->mutable_from;
    s->ports = region_take(&s->memory, b->n_ports * sizeof *s->ports, 64);
}

struct named {
    uint32_t hash;
    entity_id id;
};

static int by_hash(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash)
                              : (x->id > y->id) - (x->id < y->id);
}

/* Gives every entity a number of its own by which ties are broken: half of its name's hash, the
 * next free one when two names share it. So ties, too, are what they were when an entity is added.
 */
static void open_ties(struct sim *s)
{
    uint32_t n = s->plan->n_entities;
    struct named *all = calloc(n ? n : 1, sizeof *all);
    CHECK(all, "out of memory");
    for (entity_id id = 0; id < n; id++) {
        all[id] = (struct named){(uint32_t)blueprint_name_hash(s->plan, id), id};
    }
    qsort(all, n, sizeof *all, by_hash);
    uint32_t next = 0;
    for (uint32_t i = 0; i < n; i++) {
        /* Room for those behind must be left at the upper end. */
        uint32_t last = UINT32_MAX - (n - 1 - i), tie = all[i].hash > next ? all[i].hash : next;
        tie = tie < last ? tie : last;
        if (sim_owns(s, all[i].id)) {
            s->records[all[i].id].tie = tie;
        }
        next = tie + 1;
    }
    free(all);
}

static void open_slabs(struct sim *s)
{
    const struct blueprint *b = s->plan;
    s->groups = region_take(&s->memory, b->n_groups * sizeof *s->groups, 64);
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct entity_type *type = b->groups[g].type;
        for (uint32_t other = 0; other < g && !s->groups[g].shared; other++) {
            if (b->groups[other].type == type) {
                s->groups[g].shared = s->groups[other].shared;
            }
        }
        if (s->groups[g].shared) {
            continue;
        }
        s->groups[g].shared = s->groups[g].slabs;
        for (int k = 0; k < ENTITY_SLABS && type->slabs[k]; k++) {
            slab_open(&s->groups[g].slabs[k], type->name, type->slabs[k], SLOTS_MOST);
        }
    }
}

static void open_routes(struct sim *s)
{
    const struct blueprint *b = s->plan;
    s->routes = region_take(&s->memory, b->n_specs * sizeof *s->routes, 64);
    for (uint32_t i = 0; i < b->n_specs; i++) {
        struct route *r = &s->routes[i];
        r->spec = b->specs[i];
        r->ns_per_byte = isinf(r->spec.bandwidth) ? 0.0 : 1e9 / r->spec.bandwidth;
        r->plain = wire_is_plain(&r->spec);
        if (r->plain) {
            r->delay = wire_floor(&r->spec);
            r->lane = r->delay > 0 ? evq_lane(&s->queue, r->delay, CLASS_MESSAGE) : 0;
        }
    }
}

/* The two halves of a wire draw from streams of their own, named by both ends, so that one more
 * caller does not change the chance of the others. */
static void open_wire_streams(struct sim *s, struct wire *w, uint32_t place)
{
    uint64_t who = hash_pair(hash_pair(blueprint_name_hash(s->plan, w->from), w->port),
                             hash_pair(blueprint_name_hash(s->plan, w->to), place));
    w->stream = s->n_wire_streams;
    s->wire_streams[w->stream].key = (struct rng_key){.who = who, .purpose = hash_text("request")};
    s->wire_streams[w->stream + 1].key =
        (struct rng_key){.who = who, .purpose = hash_text("reply")};
    s->n_wire_streams += 2;
}

static const struct port_plan *port_of(const struct blueprint *b, const struct wire_plan *w)
{
    const struct group_plan *g = blueprint_group(b, w->from);
    return &b->ports[g->first_port + (w->from - g->first) * g->ports + w->port];
}

/* An end of the wire is here. */
static bool concerns_us(const struct sim *s, const struct wire_plan *w)
{
    return sim_owns(s, w->from) || own_before(s, w->to) < own_before(s, w->to + w->more + 1);
}

static void open_wires(struct sim *s)
{
    const struct blueprint *b = s->plan;
    s->wires = region_take(&s->memory, b->n_wires * sizeof *s->wires, 64);
    uint32_t n = 0;
    for (wire_id i = 0; i < b->n_wires; i++) {
        const struct wire_plan *p = &b->wires[i];
        if (!concerns_us(s, p)) {
            s->untouched += sizeof *s->wires;
            continue;
        }
        s->wires[i] = (struct wire){.from = p->from,
                                    .to = p->to,
                                    .more = p->more,
                                    .spec = p->spec,
                                    .port = p->port,
                                    .stream = NO_STREAM};
        n += s->routes[p->spec].plain ? 0 : 2;
    }
    s->wire_streams = region_take(&s->memory, n * sizeof *s->wire_streams, 64);
    for (wire_id i = 0; i < b->n_wires && n > 0; i++) {
        const struct wire_plan *p = &b->wires[i];
        if (!s->routes[p->spec].plain && concerns_us(s, p)) {
            CHECK(p->more == 0, "wire %u fans out but leaves something to chance", i);
            open_wire_streams(s, &s->wires[i], i - port_of(b, p)->first_wire);
        }
    }
}

static void open_series(struct sim *s)
{
    series_open(&s->series, &s->histograms);
    for (uint32_t g = 0; g < s->plan->n_groups; g++) {
        const struct group_plan *p = &s->plan->groups[g];
        s->groups[g].sampled = p->sampled && s->options.interval != SIM_TIME_NEVER;
        bool first = true;
        for (uint32_t i = 0; s->groups[g].sampled && i < p->count; i++) {
            if (!sim_owns(s, p->first + i)) {
                continue;
            }
            uint32_t column =
                series_watch(&s->series, p->type->stats, s->records[p->first + i].stats);
            s->groups[g].first_column = first ? column : s->groups[g].first_column;
            first = false;
        }
    }
}

/* Address space for everything but what grows during a run; alignment included. */
static size_t model_size(const struct blueprint *b)
{
    size_t size = 4096 + b->n_entities * sizeof(entity_id);
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct entity_type *type = b->groups[g].type;
        size_t each = sizeof(struct record) + count_streams(type) * sizeof(struct rng_stream) +
                      aligned(type->state_size) + aligned(type->stats_size) + 3 * 64;
        size += each * b->groups[g].count + sizeof(struct group);
    }
    size += b->n_ports * sizeof(struct port) + b->n_specs * sizeof(struct route);
    size += b->n_wires * (sizeof(struct wire) + 2 * sizeof(struct rng_stream));
    return size + actions_size(b) + links_size(b);
}

struct sim *sim_open(const struct blueprint *b, const struct sim_options *options)
{
    struct sim *s = calloc(1, sizeof *s);
    CHECK(s, "out of memory");
    s->plan = b;
    s->options = *options;
    if (options->share) {
        s->part = options->share->part;
        s->part_of = options->share->part_of;
    }
    s->cascade_most = 10000000 + 100 * (uint64_t)b->n_entities;
    region_open(&s->memory, "the model", model_size(b));
    kept_open(s);
    evq_open(&s->queue);
    hist_pool_open(&s->histograms);
    open_slabs(s);
    open_entities(s);
    open_ties(s);
    open_routes(s);
    open_wires(s);
    share_open(s);
    actions_open(s);
    links_open(s);
    outcomes_open(s);
    open_series(s);
    breakdown_pool_open(&s->breakdowns, options->summary_only);
    trace_open(s);
    s->large = s->memory.used - s->untouched > LARGE;
    s->ctx.sim = s;
    s->ctx.has_budget = b->budget.policy != NULL;
    s->ctx.has_onlookers = s->ctx.has_budget || s->ctx.has_trace;
    for (uint32_t g = 0; g < b->n_groups; g++) {
        s->ctx.has_onlookers |= b->groups[g].breakdowns;
    }
    check_add_context(describe, s);
    return s;
}

void sim_close(struct sim *s)
{
    check_drop_context(s);
    for (uint32_t g = 0; g < s->plan->n_groups; g++) {
        for (int k = 0; k < ENTITY_SLABS; k++) {
            slab_close(&s->groups[g].slabs[k]);
        }
    }
    share_close(s);
    links_close(s);
    outcomes_close(s);
    series_close(&s->series);
    breakdown_pool_close(&s->breakdowns);
    trace_close(s);
    hist_pool_close(&s->histograms);
    evq_close(&s->queue);
    kept_close(s);
    region_close(&s->memory);
    free(s);
}
