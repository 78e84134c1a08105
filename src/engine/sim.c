/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "engine/world.h"

enum { LATER = 3 }; /* events ahead whose records are called for */

/* --- reset ------------------------------------------------------------------------------- */

/* Whatever is left to chance in a replication follows from these. The ties of a pair are broken
 * independently: the same way in both would make them alike, and there is no opposite. */
static void set_keys(struct sim *s, uint64_t seed, uint64_t replication)
{
    CHECK(replication < RNG_FLIPPED, "replication %" PRIu64, replication);
    s->seed = seed;
    s->replication = replication;
    s->drawn_as = s->options.antithetic ? rng_pair_member(replication) : replication;
    s->tie_key = hash_pair(seed, replication);
    s->request_key = hash_pair(seed, s->drawn_as & ~RNG_FLIPPED);
}

void sim_rekey(const struct sim *s, struct rng_stream *stream)
{
    rng_init(stream, &(struct rng_key){s->seed, s->drawn_as, stream->key.who, stream->key.purpose});
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
    s->ctx.slabs = r->slabs;
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
        case STAT_BREAKDOWN:
            *(struct breakdown *)member =
                (struct breakdown){.kept = s->plan->groups[r->group].breakdowns};
            break;
        }
    }
}

static void clear_statistics(struct sim *s)
{
    hist_pool_reset(&s->histograms);
    breakdown_pool_reset(&s->breakdowns);
    for (uint32_t i = 0; i < s->n_own; i++) {
        reset_stats(s, &s->records[s->own[i]]);
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
    s->boundary = next < s->last ? next : SIM_TIME_NEVER;
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

/* What callers noted of their ports and wires. */
static void reset_ports(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_own; i++) {
        const struct record *r = &s->records[s->own[i]];
        uint32_t ports = s->plan->groups[r->group].ports;
        for (uint32_t p = r->first_port; p < r->first_port + ports; p++) {
            const struct port_plan *plan = &s->plan->ports[p];
            s->ports[p] = (struct port){0};
            for (wire_id w = plan->first_wire; w - plan->first_wire < plan->wires; w++) {
                s->wires[w].load = s->wires[w].memory = 0;
            }
        }
    }
}

void sim_reset(struct sim *s, uint64_t seed, uint64_t replication)
{
    set_keys(s, seed, replication);
    s->now = 0;
    s->last = s->options.end;
    s->passed = -1;
    s->reached = 0;
    s->events = 0;
    s->cascade = 0;
    s->event = NULL;
    evq_reset(&s->queue);
    share_reset(s);
    reset_slabs(s);
    memset(s->memory.base + s->mutable_from, 0, s->mutable_size);
    clear_statistics(s);
    series_reset(&s->series);
    trace_reset(s);
    reset_ports(s);
    kept_reset(s);
    for (uint32_t i = 0; i < s->n_wire_streams; i++) {
        sim_rekey(s, &s->wire_streams[i]);
    }
    for (uint32_t i = 0; i < s->n_own; i++) {
        struct record *r = &s->records[s->own[i]];
        r->digest = 0;
        r->count = 0;
        uint32_t n = count_streams(r->type);
        for (uint32_t k = 0; k < n; k++) {
            sim_rekey(s, &r->streams[k]);
        }
    }
    actions_reset(s);
    links_reset(s);
    outcomes_reset(s);
    for (uint32_t i = 0; i < s->n_own; i++) {
        sim_enter(s, &s->records[s->own[i]], s->own[i]);
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

enum passing { PASSES, IS_VOID, IS_DEFERRED };

/* What timed actions make of an event for an entity that they concern. */
static OUT_OF_LINE enum passing hold_up(struct sim *s, struct record *r, uint32_t slot)
{
    struct event *e = evq_event(&s->queue, slot);
    if (e->kind == EVENT_ACTION) {
        return actions_apply(s, r, e) ? PASSES : IS_VOID;
    }
    const struct condition *k = &s->conditions[r->condition];
    if (e->kind >= EVENT_TIMER && e->msg.status != k->epoch) {
        return IS_VOID;
    }
    if (k->crashed || (k->deaf && e->kind < EVENT_TIMER) || pauses_lost(k, e)) {
        miss(s, r, e);
        return IS_VOID;
    }
    if (pauses_defer(s, r, k, slot)) {
        return IS_DEFERRED;
    }
    return k->errors > 0 && errors_refuse(s, r, k, e) ? IS_VOID : PASSES;
}

static inline void deliver(struct sim *s, struct record *r, const struct event *e)
{
    r->digest = digest_event(r->digest, e);
    sim_enter(s, r, e->target);
    r->type->handle(&s->ctx, e);
}

/* In a large model whatever an event needs is in no cache. What the events to come need is called
 * for while others run: their entities' records first, and then what these lead to. */
static inline void look_ahead(const struct sim *s)
{
    const struct event_queue *q = &s->queue;
    uint32_t next = evq_ahead(q, 0), later = evq_ahead(q, LATER);
    if (later == EVQ_NONE) {
        return;
    }
    const struct record *r = &s->records[evq_event(q, later)->target];
    __builtin_prefetch(r);
    __builtin_prefetch(r + 1);
    r = &s->records[evq_event(q, next)->target];
    __builtin_prefetch(r->state);
    __builtin_prefetch(r->stats);
    __builtin_prefetch(r->stats + 64);
    __builtin_prefetch(r->streams);
}

/* Whoever brings this about while events run also sets stop_at. */
static bool has_to_stop(const struct sim *s)
{
    return sim_stuck(s) || s->full;
}

/* Of events that take no time one sets off the other. */
static inline void count_cascade(struct sim *s, bool goes_on)
{
    s->cascade = goes_on ? s->cascade + 1 : 0;
    if (goes_on && sim_stuck(s)) {
        s->stop_at = s->events;
    }
}

/* True when no event before `limit` is left. */
static bool run_events(struct sim *s, sim_time limit, uint64_t most)
{
    struct event_queue *q = &s->queue;
    s->stop_at = has_to_stop(s) ? s->events : s->events + most;
    while (s->events != s->stop_at) {
        uint32_t slot = evq_pop_before(q, limit);
        if (slot == EVQ_NONE) {
            return true;
        }
        struct event *e = evq_event(q, slot);
        if (s->large) {
            look_ahead(s);
        }
        s->event = e;
        s->now = e->time;
        s->events++;
        count_cascade(s, evq_was_now(q, slot));
        struct record *r = &s->records[e->target];
        enum passing passing = PASSES;
        if (__builtin_expect(r->condition != 0, 0)) {
            passing = hold_up(s, r, slot);
        }
        if (__builtin_expect(passing == PASSES, 1)) {
            deliver(s, r, e);
        }
        if (__builtin_expect(passing != IS_DEFERRED, 1)) { /* else it keeps its slot */
            evq_give(q, slot);
        }
    }
    return !has_to_stop(s) && evq_next_time(q) >= limit;
}

static void end_warmup(struct sim *s)
{
    series_rebase(&s->series, s->now);
    clear_statistics(s);
}

/* What is due between the events before this moment and those at it. */
static void pass_boundary(struct sim *s)
{
    s->now = s->passed = s->boundary;
    s->event = NULL;
    if (s->options.interval != SIM_TIME_NEVER && s->now % s->options.interval == 0) {
        series_sample(&s->series, s->now);
    }
    if (s->now == s->options.warmup) {
        end_warmup(s);
    }
    set_boundary(s);
}

static bool run_until(struct sim *s, sim_time limit, uint64_t budget)
{
    sim_time last = sim_time_add(s->last, 1);
    limit = limit < last ? limit : last;
    s->reached = limit;
    budget = budget ? budget : UINT64_MAX - s->events;
    uint64_t sampling = 1 + s->series.n_columns; /* what a boundary costs, in events */
    while (s->boundary < limit) {
        uint64_t before = s->events;
        sim_time boundary = s->boundary;
        if (!run_events(s, boundary, budget) || s->boundary != boundary) {
            return false; /* also when a failure budget was spent: then there is none */
        }
        pass_boundary(s);
        uint64_t used = s->events - before + sampling;
        if (used >= budget) {
            return false;
        }
        budget -= used;
    }
    return run_events(s, limit, budget);
}

bool sim_run_until(struct sim *s, sim_time limit, uint64_t budget)
{
    sim_time last = s->last;
    bool done = run_until(s, limit, budget);
    if (s->last < last) { /* A failure budget was spent: the rest of the instant is left. */
        done = run_until(s, limit, budget);
    }
    return done;
}

sim_time sim_end(const struct sim *s)
{
    return s->last;
}

void sim_shorten(struct sim *s, sim_time end)
{
    if (end < s->last) {
        s->last = end;
        set_boundary(s);
    }
}

bool sim_went_beyond(const struct sim *s)
{
    return s->now > s->last || s->passed >= s->last;
}

bool sim_stuck(const struct sim *s)
{
    return s->cascade >= s->cascade_most;
}

void sim_finish(struct sim *s)
{
    while (s->boundary != SIM_TIME_NEVER) {
        pass_boundary(s); /* where the run was not brought to its end */
    }
    s->now = s->last;
    s->event = NULL;
    if (s->last < s->options.end && s->last <= s->options.warmup) {
        end_warmup(s); /* nothing was to be measured yet */
    }
    for (uint32_t i = 0; i < s->n_own; i++) {
        struct record *r = &s->records[s->own[i]];
        sim_enter(s, r, s->own[i]);
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
    return sim_stuck(s) ? s->now : evq_next_time(&s->queue);
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

bool sim_owns(const struct sim *s, entity_id id)
{
    return !s->part_of || s->part_of[id] == s->part;
}

uint32_t sim_made(const struct sim *s, entity_id id)
{
    return s->records[id].count;
}

const struct hist_pool *sim_histograms(const struct sim *s)
{
    return &s->histograms;
}

const struct breakdown_pool *sim_breakdowns(const struct sim *s)
{
    return &s->breakdowns;
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
    uint32_t place = own_before(s, id) - own_before(s, s->plan->groups[r->group].first);
    *first_column = g->first_column + rows * place;
    return &s->series;
}

uint64_t sim_digest(const struct sim *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->n_own; i++) {
        sum += hash_pair(s->records[s->own[i]].digest, s->own[i]);
    }
    return sum;
}

uint64_t sim_pending(const struct sim *s)
{
    return s->queue.n_pending;
}

size_t sim_memory(const struct sim *s)
{
    size_t bytes = s->memory.used - s->untouched + s->kept.used + evq_memory(&s->queue) +
                   s->histograms.n_directories * sizeof(struct hist_directory) +
                   s->histograms.n_pages * sizeof(struct hist_page) + s->outcomes.memory.used;
    for (uint32_t g = 0; g < s->plan->n_groups; g++) {
        for (int k = 0; k < ENTITY_SLABS; k++) {
            bytes += s->groups[g].slabs[k].n * s->groups[g].slabs[k].stride;
        }
    }
    return bytes + s->breakdowns.entries.used + s->trace_rows.used;
}
