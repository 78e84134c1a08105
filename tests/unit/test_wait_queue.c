/* SPDX-License-Identifier: Apache-2.0
 *
 * The waiting room, discipline by discipline, beside a plain list of those that wait, the oldest
 * first, in which everything is looked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/sim.h"
#include "parts/wait_queue.h"

enum { MOST = 600, KEYS = 60, MOST_FLOWS = 40, FLOW_CAPACITY = 25 };

struct job {
    struct waiting link;
    struct message m;
    entity_id owner;
};

struct state {
    struct wait_queue queue;
    uint32_t n, slots[MOST]; /* in the order in which they came */
    /* Flows in the order of their turns, by their keys. */
    uint32_t n_flows, flows[KEYS], left;
    uint64_t refused_flows, refused_jobs;
};

struct stats {
    struct flow_stats flows;
};

static const struct stat_spec stats[] = {FLOW_STATS(stats, flows), S_END};
static const char *const streams[] = {"moves", "order", NULL};

static struct wait_room room_of(struct ctx *c)
{
    struct state *s = c->state;
    struct stats *st = c->stats;
    return (struct wait_room){.ctx = c,
                              .params = c->params,
                              .queue = &s->queue,
                              .slab = &c->slabs[0],
                              .order = &c->streams[1],
                              .flow_stats = &st->flows};
}

static const struct discipline *discipline_of(const struct ctx *c)
{
    const struct queue_params *p = c->params;
    return &p->discipline;
}

static struct job *job_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[0], slot);
}

/* --- the plain list ---------------------------------------------------------------------- */

static uint32_t key_of(const struct ctx *c, uint32_t slot)
{
    const struct message *m = &job_at(c, slot)->m;
    int by = discipline_of(c)->by;
    return by == FLOW_KIND ? m->class_ : by == FLOW_PRIORITY ? m->priority : m->request >> 32;
}

static uint32_t weight_of(const struct ctx *c, uint32_t key)
{
    const struct discipline *d = discipline_of(c);
    if (d->by == FLOW_PRIORITY) {
        const int64_t weights[] = {d->priorities.high, d->priorities.normal, d->priorities.low};
        return (uint32_t)weights[key];
    }
    for (uint32_t i = 0; i < d->kinds.count; i++) {
        if (d->kinds.items[i].kind.number == key) {
            return (uint32_t)d->kinds.items[i].weight;
        }
    }
    return 1;
}

static uint32_t waiting_of(const struct ctx *c, uint32_t key)
{
    const struct state *s = c->state;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        n += key_of(c, s->slots[i]) == key;
    }
    return n;
}

/* Who of them is next, by their place. */
static uint32_t next_of(const struct ctx *c)
{
    const struct state *s = c->state;
    int kind = discipline_of(c)->kind;
    uint32_t next = 0;
    for (uint32_t i = 1; i < s->n; i++) {
        const struct message *m = &job_at(c, s->slots[i])->m, *best = &job_at(c, s->slots[next])->m;
        if (kind == DISCIPLINE_LIFO ||
            (kind == DISCIPLINE_PRIORITY && m->priority < best->priority) ||
            (kind == DISCIPLINE_DEADLINE && m->deadline < best->deadline)) {
            next = i;
        }
    }
    while (kind >= DISCIPLINE_FAIR && key_of(c, s->slots[next]) != s->flows[0]) {
        next++;
    }
    return next;
}

/* Puts the flow at `place` behind the others, or takes it out. */
static void move_flow(struct ctx *c, uint32_t place, bool out)
{
    struct state *s = c->state;
    uint32_t key = s->flows[place];
    for (uint32_t i = place; i + 1 < s->n_flows; i++) {
        s->flows[i] = s->flows[i + 1];
    }
    s->n_flows -= out;
    if (!out) {
        s->flows[s->n_flows - 1] = key;
    }
    if (place == 0 && s->n_flows > 0) {
        s->left = weight_of(c, s->flows[0]);
    }
}

static void come(struct ctx *c, uint32_t slot)
{
    struct state *s = c->state;
    uint32_t key = key_of(c, slot);
    if (discipline_is_fair(discipline_of(c)) && waiting_of(c, key) == 0) {
        s->flows[s->n_flows++] = key;
        s->left = s->n_flows == 1 ? weight_of(c, key) : s->left;
    }
    s->slots[s->n++] = slot;
}

static void go(struct ctx *c, uint32_t place, bool served)
{
    struct state *s = c->state;
    uint32_t slot = s->slots[place], key = key_of(c, slot);
    s->n--;
    for (uint32_t i = place; i < s->n; i++) {
        s->slots[i] = s->slots[i + 1];
    }
    if (discipline_is_fair(discipline_of(c))) {
        uint32_t flow = 0;
        while (s->flows[flow] != key) {
            flow++;
        }
        s->left -= served;
        if (waiting_of(c, key) == 0) {
            move_flow(c, flow, true);
        } else if (served && s->left == 0) {
            move_flow(c, flow, false);
        }
    }
    slab_give(&c->slabs[0], slot);
}

/* --- moves ------------------------------------------------------------------------------- */

/* Whether one with this key may come. */
static bool is_welcome(struct ctx *c, uint32_t key)
{
    struct state *s = c->state;
    const struct queue_params *p = c->params;
    if (s->n >= p->capacity) {
        return false;
    }
    if (!discipline_is_fair(&p->discipline)) {
        return true;
    }
    uint32_t n = waiting_of(c, key);
    bool crowded = n == 0 && s->n_flows >= p->discipline.max_flows;
    bool full = n >= p->discipline.per_flow_capacity;
    s->refused_flows += crowded;
    s->refused_jobs += full;
    return !crowded && !full;
}

static void push(struct ctx *c)
{
    struct rng_stream *chance = &c->streams[0];
    uint32_t slot = slab_take(&c->slabs[0]);
    struct job *job = job_at(c, slot);
    uint64_t key = rng_below(chance, 1 + rng_below(chance, KEYS)); /* small ones more often */
    *job = (struct job){.owner = c->self,
                        .m = {.request = key << 32 | rng_below(chance, 1000),
                              .class_ = (uint16_t)key,
                              .priority = (uint8_t)rng_below(chance, PRIORITIES),
                              .deadline = (sim_time)rng_below(chance, 50)}};
    struct wait_room room = room_of(c);
    bool welcome = is_welcome(c, key_of(c, slot));
    assert_int_equal(wait_push(&room, slot, &job->m), welcome);
    if (welcome) {
        come(c, slot);
    } else {
        slab_give(&c->slabs[0], slot);
    }
}

static void pick(struct ctx *c)
{
    struct state *s = c->state;
    struct wait_room room = room_of(c);
    uint32_t next = s->n % 2 ? wait_next(&room) : SLAB_NONE; /* may be asked before */
    uint32_t slot = wait_pick(&room), place = 0;
    assert_true(next == SLAB_NONE || next == slot);
    if (discipline_of(c)->kind == DISCIPLINE_SIRO) {
        while (s->slots[place] != slot) {
            assert_true(++place < s->n);
        }
    } else {
        place = next_of(c);
        assert_int_equal(slot, s->slots[place]);
    }
    go(c, place, true);
}

static void leave(struct ctx *c)
{
    struct state *s = c->state;
    uint32_t place = (uint32_t)rng_below(&c->streams[0], s->n);
    struct wait_room room = room_of(c);
    wait_remove(&room, s->slots[place], &job_at(c, s->slots[place])->m);
    go(c, place, false);
}

static void crash(struct ctx *c)
{
    struct state *s = c->state;
    assert_int_equal(slab_give_owned(&c->slabs[0], offsetof(struct job, owner), c->self), s->n);
    struct wait_room room = room_of(c);
    wait_clear(&room);
    s->n = s->n_flows = 0;
}

/* More come than go at first, and then fewer. */
static void play(struct ctx *c)
{
    struct state *s = c->state;
    const struct stats *st = c->stats;
    struct rng_stream *chance = &c->streams[0];
    uint32_t most = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t what = rng_below(chance, 20);
        if (rng_below(chance, 4000) == 0) {
            crash(c);
        } else if (s->n < MOST && what < (i % 10000 < 6000 ? 12 : 6)) {
            push(c);
        } else if (s->n && what < 16) {
            pick(c);
        } else if (s->n) {
            leave(c);
        }
        assert_int_equal(s->queue.count, s->n);
        assert_int_equal(st->flows.flows_created - st->flows.flows_removed, s->n_flows);
        most = s->n > most ? s->n : most;
    }
    assert_true(most > 50);
    assert_int_equal(st->flows.rejected_max_flows, s->refused_flows);
    assert_int_equal(st->flows.rejected_flow_capacity, s->refused_jobs);
    while (s->n) {
        pick(c);
    }
    assert_int_equal(st->flows.flows_created, st->flows.flows_removed);
}

/* --- all of them ------------------------------------------------------------------------- */

static void play_by(struct discipline d, int64_t capacity)
{
    struct queue_params params = {.capacity = capacity,
                                  .max_wait = SIM_TIME_NEVER,
                                  .appends = d.kind == DISCIPLINE_FIFO,
                                  .discipline = d};
    const struct entity_type keeper = {.name = "keeper",
                                       .stats = stats,
                                       .stats_size = sizeof(struct stats),
                                       .state_size = sizeof(struct state),
                                       .streams = streams,
                                       .slabs = {sizeof(struct job)},
                                       .init = play};
    const struct group_plan group = {
        .name = "keeper", .type = &keeper, .count = 1, .params = &params};
    const struct blueprint plan = {.groups = &group, .n_groups = 1, .n_entities = 1};
    struct sim *sim =
        sim_open(&plan, &(struct sim_options){.end = 1000, .interval = SIM_TIME_NEVER});
    for (uint64_t r = 0; r < 3; r++) {
        sim_reset(sim, 1, r);
    }
    sim_close(sim);
}

static void lists_serve_whom_they_should(void **state)
{
    (void)state;
    play_by((struct discipline){.kind = DISCIPLINE_FIFO}, INT64_MAX);
    play_by((struct discipline){.kind = DISCIPLINE_LIFO}, 300);
    play_by((struct discipline){.kind = DISCIPLINE_PRIORITY}, INT64_MAX);
    play_by((struct discipline){.kind = DISCIPLINE_DEADLINE}, 300);
    play_by((struct discipline){.kind = DISCIPLINE_SIRO}, INT64_MAX);
}

static void flows_serve_whom_they_should(void **state)
{
    (void)state;
    struct discipline d = {.kind = DISCIPLINE_FAIR,
                           .by = FLOW_CLIENT,
                           .max_flows = INT64_MAX,
                           .per_flow_capacity = INT64_MAX};
    play_by(d, INT64_MAX);
    d.max_flows = MOST_FLOWS;
    d.per_flow_capacity = FLOW_CAPACITY;
    play_by(d, INT64_MAX);
    play_by(d, 200);
}

static void weighted_flows_serve_whom_they_should(void **state)
{
    (void)state;
    struct flow_weight kinds[] = {{{.number = 2}, 3}, {{.number = 30}, 2}, {{.number = 0}, 5}};
    struct discipline d = {.kind = DISCIPLINE_WEIGHTED_FAIR,
                           .by = FLOW_KIND,
                           .max_flows = INT64_MAX,
                           .per_flow_capacity = INT64_MAX,
                           .kinds = {.items = kinds, .count = 3}};
    play_by(d, INT64_MAX);
    d.kinds.count = 0;
    d.max_flows = MOST_FLOWS;
    play_by(d, 500);
    d.by = FLOW_PRIORITY;
    d.priorities = (struct priority_weights){4, 2, 1};
    play_by(d, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_serve_whom_they_should),
                                       cmocka_unit_test(flows_serve_whom_they_should),
                                       cmocka_unit_test(weighted_flows_serve_whom_they_should)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
