/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/world.h"

enum { SLOTS_MOST = 1 << 27 }; /* of one slab: requests in flight or waiting */

/* --- open and close ---------------------------------------------------------------------- */

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

static uint32_t count_streams(const struct entity_type *type)
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

/* Lays out the records, then all states, then all statistics: what a reset clears is one block. */
static void open_entities(struct sim *s)
{
    const struct blueprint *b = s->plan;
    s->records = region_take(&s->memory, b->n_entities * sizeof *s->records, 64);
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct group_plan *p = &b->groups[g];
        uint32_t n_streams = count_streams(p->type);
        for (uint32_t i = 0; i < p->count; i++) {
            struct record *r = &s->records[p->first + i];
            *r = (struct record){.type = p->type,
                                 .params = p->params,
                                 .group = g,
                                 .first_port = p->first_port + i * p->ports};
            r->streams = region_take(&s->memory, n_streams * sizeof *r->streams, 64);
            open_streams(r, n_streams, blueprint_name_hash(b, p->first + i));
        }
    }
    s->mutable_from = (s->memory.used + 63) & ~(size_t)63;
    for (entity_id id = 0; id < b->n_entities; id++) {
        struct record *r = &s->records[id];
        r->state = region_take(&s->memory, aligned(r->type->state_size), 64);
        r->stats = region_take(&s->memory, aligned(r->type->stats_size), 16);
    }
    s->turns = region_take(&s->memory, b->n_ports * sizeof *s->turns, 64);
    s->mutable_size = s->memory.used - s->mutable_from;
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
        s->records[all[i].id].tie = tie;
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
        r->plain = r->spec.loss == 0.0 && r->ns_per_byte == 0.0 &&
                   dist_is_constant(&r->spec.latency) && dist_is_constant(&r->spec.jitter);
        if (r->plain) {
            r->delay = sim_time_add(dist_floor(&r->spec.latency), dist_floor(&r->spec.jitter));
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

static void open_wires(struct sim *s)
{
    const struct blueprint *b = s->plan;
    s->wires = region_take(&s->memory, b->n_wires * sizeof *s->wires, 64);
    uint32_t n = 0;
    for (wire_id i = 0; i < b->n_wires; i++) {
        n += s->routes[b->wires[i].spec].plain ? 0 : 2;
    }
    s->wire_streams = region_take(&s->memory, n * sizeof *s->wire_streams, 64);
    for (wire_id i = 0; i < b->n_wires; i++) {
        const struct wire_plan *p = &b->wires[i];
        struct wire *w = &s->wires[i];
        *w = (struct wire){.from = p->from,
                           .to = p->to,
                           .spec = p->spec,
                           .port = p->port,
                           .stream = UINT32_MAX - 1};
        if (!s->routes[p->spec].plain) {
            const struct port_plan *port = &b->ports[s->records[p->from].first_port + p->port];
            open_wire_streams(s, w, i - port->first_wire);
        }
    }
}

static void open_series(struct sim *s)
{
    series_open(&s->series, &s->histograms);
    for (uint32_t g = 0; g < s->plan->n_groups; g++) {
        const struct group_plan *p = &s->plan->groups[g];
        s->groups[g].sampled = p->sampled && s->options.interval != SIM_TIME_NEVER;
        for (uint32_t i = 0; s->groups[g].sampled && i < p->count; i++) {
            uint32_t column =
                series_watch(&s->series, p->type->stats, s->records[p->first + i].stats);
            s->groups[g].first_column = i == 0 ? column : s->groups[g].first_column;
        }
    }
}

/* Address space for everything but what grows during a run; alignment included. */
static size_t model_size(const struct blueprint *b)
{
    size_t size = 4096;
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct entity_type *type = b->groups[g].type;
        size_t each = sizeof(struct record) + count_streams(type) * sizeof(struct rng_stream) +
                      aligned(type->state_size) + aligned(type->stats_size) + 3 * 64;
        size += each * b->groups[g].count + sizeof(struct group);
    }
    size += b->n_ports * sizeof(uint32_t) + b->n_specs * sizeof(struct route);
    size += b->n_wires * (sizeof(struct wire) + 2 * sizeof(struct rng_stream));
    return size + actions_size(b);
}

struct sim *sim_open(const struct blueprint *b, const struct sim_options *options)
{
    struct sim *s = calloc(1, sizeof *s);
    CHECK(s, "out of memory");
    s->plan = b;
    s->options = *options;
    s->instant_most = 10000000 + 100 * (uint64_t)b->n_entities;
    region_open(&s->memory, "the model", model_size(b));
    evq_open(&s->queue);
    hist_pool_open(&s->histograms);
    open_entities(s);
    open_ties(s);
    open_slabs(s);
    open_routes(s);
    open_wires(s);
    actions_open(s);
    open_series(s);
    s->ctx.sim = s;
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
    series_close(&s->series);
    hist_pool_close(&s->histograms);
    evq_close(&s->queue);
    region_close(&s->memory);
    free(s);
}

/* --- reset ------------------------------------------------------------------------------- */

static void rekey(struct rng_stream *stream, uint64_t seed, uint64_t replication)
{
    struct rng_key key = stream->key;
    key.seed = seed;
    key.replication = replication;
    rng_init(stream, &key);
}

void sim_enter(struct sim *s, struct record *r, entity_id id)
{
    s->current = r;
    s->ctx.now = s->now;
    s->ctx.self = id;
    s->ctx.params = r->params;
    s->ctx.state = r->state;
    s->ctx.stats = r->stats;
    s->ctx.streams = r->streams;
    s->ctx.slabs = s->groups[r->group].shared;
}

static void reset_stats(const struct sim *s, struct record *r)
{
    for (const struct stat_spec *row = r->type->stats; row->name; row++) {
        void *member = r->stats + row->offset;
        switch (row->kind) {
        case STAT_COUNTER:
            *(uint64_t *)member = 0;
            break;
        case STAT_GAUGE:
            gauge_restart(member, s->now);
            break;
        case STAT_HISTOGRAM:
            *(struct histogram *)member =
                (struct histogram){.summary_only = s->options.summary_only};
            break;
        }
    }
}

static void clear_statistics(struct sim *s)
{
    hist_pool_reset(&s->histograms);
    for (entity_id id = 0; id < s->plan->n_entities; id++) {
        reset_stats(s, &s->records[id]);
    }
}

static void set_boundary(struct sim *s)
{
    sim_time next = SIM_TIME_NEVER;
    if (s->now < s->options.warmup) {
        next = s->options.warmup;
    }
    if (s->options.interval != SIM_TIME_NEVER) {
        sim_time sample = (s->now / s->options.interval + 1) * s->options.interval;
        next = sample < next ? sample : next;
    }
    s->boundary = next < s->options.end ? next : SIM_TIME_NEVER;
}

static void reset_slabs(struct sim *s)
{
    for (uint32_t g = 0; g < s->plan->n_groups; g++) {
        for (int k = 0; k < ENTITY_SLABS; k++) {
            if (s->groups[g].slabs[k].stride) {
                slab_reset(&s->groups[g].slabs[k]);
            }
        }
    }
}

void sim_reset(struct sim *s, uint64_t seed, uint64_t replication)
{
    s->seed = seed;
    s->replication = replication;
    s->tie_key = hash_pair(seed, replication);
    s->now = 0;
    s->events = 0;
    s->instant = 0;
    s->event = NULL;
    evq_reset(&s->queue);
    reset_slabs(s);
    memset(s->memory.base + s->mutable_from, 0, s->mutable_size);
    clear_statistics(s);
    series_reset(&s->series);
    for (wire_id i = 0; i < s->plan->n_wires; i++) {
        s->wires[i].load = 0;
    }
    for (uint32_t i = 0; i < s->n_wire_streams; i++) {
        rekey(&s->wire_streams[i], seed, replication);
    }
    for (entity_id id = 0; id < s->plan->n_entities; id++) {
        struct record *r = &s->records[id];
        r->digest = 0;
        r->count = 0;
        uint32_t n = count_streams(r->type);
        for (uint32_t i = 0; i < n; i++) {
            rekey(&r->streams[i], seed, replication);
        }
    }
    actions_reset(s);
    for (entity_id id = 0; id < s->plan->n_entities; id++) {
        sim_enter(s, &s->records[id], id);
        if (s->current->type->init) {
            s->current->type->init(&s->ctx);
        }
    }
    set_boundary(s);
}

/* --- run --------------------------------------------------------------------------------- */

static inline uint64_t digest_event(uint64_t digest, const struct event *e)
{
    uint64_t x = (uint64_t)e->time ^ (e->order << 32 | e->order >> 32) ^ e->msg.request ^
                 (uint64_t)e->msg.status << 48 ^ (uint64_t)e->kind << 40;
    x = (digest ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

/* A message for an entity that is down vanishes; the type may count it. */
static void miss(struct sim *s, struct record *r, const struct event *e)
{
    if (r->type->miss && e->kind < EVENT_TIMER) {
        sim_enter(s, r, e->target);
        r->type->miss(&s->ctx, e);
    }
}

static inline void deliver(struct sim *s, struct event *e)
{
    struct record *r = &s->records[e->target];
    if (__builtin_expect(r->condition != 0, 0)) {
        if (e->kind == EVENT_ACTION) {
            if (!actions_apply(s, r, e)) {
                return;
            }
        } else {
            const struct condition *k = &s->conditions[r->condition];
            if (e->kind >= EVENT_TIMER && e->msg.status != k->epoch) {
                return;
            }
            if (k->down) {
                miss(s, r, e);
                return;
            }
        }
    }
    r->digest = digest_event(r->digest, e);
    sim_enter(s, r, e->target);
    r->type->handle(&s->ctx, e);
}

/* True when no event before `limit` is left. */
static bool run_events(struct sim *s, sim_time limit, uint64_t stop_at)
{
    struct event_queue *q = &s->queue;
    while (s->events != stop_at && s->instant < s->instant_most) {
        uint32_t slot = evq_pop_before(q, limit);
        if (slot == EVQ_NONE) {
            return true;
        }
        struct event *e = evq_event(q, slot);
        s->event = e;
        s->instant = e->time == s->now ? s->instant + 1 : 0;
        s->now = e->time;
        s->events++;
        deliver(s, e);
        evq_give(q, slot);
    }
    return !sim_stuck(s) && evq_next_time(q) >= limit;
}

static void end_warmup(struct sim *s)
{
    series_rebase(&s->series, s->now);
    clear_statistics(s);
}

/* What is due between the events before this moment and those at it. */
static void pass_boundary(struct sim *s)
{
    s->now = s->boundary;
    s->event = NULL;
    if (s->options.interval != SIM_TIME_NEVER && s->now % s->options.interval == 0) {
        series_sample(&s->series, s->now);
    }
    if (s->now == s->options.warmup) {
        end_warmup(s);
    }
    set_boundary(s);
}

bool sim_run_until(struct sim *s, sim_time limit, uint64_t budget)
{
    sim_time last = sim_time_add(s->options.end, 1);
    limit = limit < last ? limit : last;
    budget = budget ? budget : UINT64_MAX - s->events;
    uint64_t sampling = 1 + s->series.n_columns; /* what a boundary costs, in events */
    while (s->boundary < limit) {
        uint64_t before = s->events;
        if (!run_events(s, s->boundary, before + budget)) {
            return false;
        }
        pass_boundary(s);
        uint64_t used = s->events - before + sampling;
        if (used >= budget) {
            return false;
        }
        budget -= used;
    }
    return run_events(s, limit, s->events + budget);
}

bool sim_stuck(const struct sim *s)
{
    return s->instant >= s->instant_most;
}

void sim_finish(struct sim *s)
{
    while (s->boundary != SIM_TIME_NEVER) {
        pass_boundary(s); /* only after a model got stuck */
    }
    s->now = s->options.end;
    s->event = NULL;
    for (entity_id id = 0; id < s->plan->n_entities; id++) {
        struct record *r = &s->records[id];
        sim_enter(s, r, id);
        if (r->type->finish) {
            r->type->finish(&s->ctx);
        }
        for (const struct stat_spec *row = r->type->stats; row->name; row++) {
            if (row->kind == STAT_GAUGE) {
                gauge_advance((struct gauge *)(void *)(r->stats + row->offset), s->now);
            }
        }
    }
    if (s->options.interval != SIM_TIME_NEVER) {
        series_sample(&s->series, s->now);
    }
}

/* --- reading ----------------------------------------------------------------------------- */

sim_time sim_next_time(struct sim *s)
{
    return evq_next_time(&s->queue);
}

const struct blueprint *sim_blueprint(const struct sim *s)
{
    return s->plan;
}

const struct sim_options *sim_options(const struct sim *s)
{
    return &s->options;
}

uint64_t sim_events(const struct sim *s)
{
    return s->events;
}

sim_time sim_now(const struct sim *s)
{
    return s->now;
}

const void *sim_stats(const struct sim *s, entity_id id)
{
    return s->records[id].stats;
}

const struct hist_pool *sim_histograms(const struct sim *s)
{
    return &s->histograms;
}

const struct series *sim_series(const struct sim *s, entity_id id, uint32_t *first_column)
{
    const struct record *r = &s->records[id];
    const struct group *g = &s->groups[r->group];
    if (!g->sampled) {
        return NULL;
    }
    uint32_t rows = 0;
    while (r->type->stats[rows].name) {
        rows++;
    }
    *first_column = g->first_column + rows * (id - s->plan->groups[r->group].first);
    return &s->series;
}

uint64_t sim_digest(const struct sim *s)
{
    uint64_t sum = 0;
    for (entity_id id = 0; id < s->plan->n_entities; id++) {
        sum += hash_pair(s->records[id].digest, id);
    }
    return sum;
}

size_t sim_memory(const struct sim *s)
{
    size_t bytes = s->memory.used + evq_memory(&s->queue) +
                   s->histograms.n_directories * sizeof(struct hist_directory) +
                   s->histograms.n_pages * sizeof(struct hist_page);
    for (uint32_t g = 0; g < s->plan->n_groups; g++) {
        for (int k = 0; k < ENTITY_SLABS; k++) {
            bytes += s->groups[g].slabs[k].n * s->groups[g].slabs[k].stride;
        }
    }
    return bytes;
}
