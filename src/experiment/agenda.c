/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/agenda.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "experiment/order.h"

enum kind { ALL, STOPPING, SEARCH };

/* Points that are dealt with together. */
struct unit {
    uint64_t next;   /* replication of its only point: those before are handed out or done */
    uint64_t done;   /* replications */
    uint64_t wanted; /* replications that it needs in all, as it looks now */
    uint64_t after;  /* the unit behind it in the list of those that have something to do */
    bool listed, over;
    struct stopping stopping; /* of the kind STOPPING */
    struct bisection search;  /* of the kind SEARCH */
};

enum pilot { PILOT_NONE, PILOT_OUT, PILOT_DONE };

struct agenda {
    struct agenda_plan plan; /* without `cost` */
    enum kind kind;
    struct unit *units;       /* owned */
    uint64_t n_units, points; /* points of a unit */
    uint64_t *order;          /* owned; units, the costliest first */
    uint64_t first, last;     /* of the list; NOBODY: it is empty */
    uint64_t open;            /* place in `order`: units before are over */
    uint64_t *done;           /* owned; a bit for each task */
    unsigned char *pilots;    /* owned; enum pilot of each point; NULL without any */
    double *warmups;          /* [ns] owned; of each point */
    uint64_t *held;           /* owned; tasks that wait for their point's pilot */
    uint64_t n_held, held_room;
    uint64_t n_over; /* units */
    uint64_t n_tasks, n_done;
};

#define NOBODY UINT64_MAX

static enum kind kind_of(const struct agenda_plan *plan)
{
    return !plan->goals || plan->goals->n == 0 ? ALL : plan->goals->search ? SEARCH : STOPPING;
}

/* Which of so many shards has a task, from 0. */
static uint64_t share_of(const struct agenda_plan *plan, uint64_t task, uint32_t shards)
{
    uint64_t unit = plan->n_replications * (plan->levels > 0 ? plan->levels : 1);
    return (kind_of(plan) == ALL ? task : task / unit) % shards;
}

bool agenda_has(const struct agenda_plan *plan, uint64_t task)
{
    return plan->shards == 0 || share_of(plan, task, plan->shards) == plan->shard - 1;
}

uint64_t agenda_tasks_at(const struct agenda_plan *plan, uint64_t point)
{
    uint64_t from = point * plan->n_replications, to = from + plan->n_replications;
    if (plan->shards == 0 || kind_of(plan) != ALL) {
        return agenda_has(plan, from) ? to - from : 0;
    }
    /* Of the tasks before `x`, (x + pad) / shards are in the shard. */
    uint64_t pad = plan->shards - plan->shard;
    return (to + pad) / plan->shards - (from + pad) / plan->shards;
}

/* --- the list of units that have something to do ------------------------------------------ */

static void list(struct agenda *a, uint64_t unit)
{
    struct unit *u = &a->units[unit];
    if (u->listed || u->over) {
        return;
    }
    u->listed = true;
    u->after = NOBODY;
    if (a->first == NOBODY) {
        a->first = unit;
    } else {
        a->units[a->last].after = unit;
    }
    a->last = unit;
}

static void unlist_first(struct agenda *a)
{
    struct unit *u = &a->units[a->first];
    u->listed = false;
    a->first = u->after;
}

static void list_by_cost(struct agenda *a, const double *cost)
{
    double *sum = calloc(a->n_units, sizeof *sum);
    CHECK(sum, "out of memory for %llu points", (unsigned long long)a->n_units);
    for (uint64_t p = 0; cost && p < a->plan.n_points; p++) {
        sum[p / a->points] += cost[p];
    }
    order_by_cost(sum, a->n_units, a->order);
    for (uint64_t i = 0; i < a->n_units; i++) {
        list(a, a->order[i]);
    }
    free(sum);
}

/* --- units -------------------------------------------------------------------------------- */

static bool is_done(const struct agenda *a, uint64_t task)
{
    return a->done[task / 64] >> task % 64 & 1;
}

static void open_stopping(const struct agenda *a, struct unit *u)
{
    struct stopping_rule rules[GOALS_MOST];
    const struct goals *g = a->plan.goals;
    for (uint32_t i = 0; i < g->n; i++) {
        rules[i] = g->items[i].rule;
    }
    stopping_open(&u->stopping, &(struct stopping_plan){.min = a->plan.min,
                                                        .max = a->plan.n_replications,
                                                        .pairs = a->plan.antithetic,
                                                        .n_rules = g->n,
                                                        .rules = rules});
    u->wanted = a->plan.min;
}

static void open_search(const struct agenda *a, struct unit *u)
{
    const struct goals *g = a->plan.goals;
    bisection_open(&u->search, &(struct bisection_plan){.n_levels = (uint32_t)a->plan.levels,
                                                        .target = g->target,
                                                        .proportion = g->items[0].side != 0,
                                                        .pairs = a->plan.antithetic,
                                                        .confidence = g->confidence,
                                                        .min = a->plan.min,
                                                        .max = a->plan.n_replications});
    u->wanted = 2 * a->plan.min; /* the ends */
}

static void finish(struct agenda *a, struct unit *u)
{
    a->n_over += !u->over;
    u->over = true;
}

static void open_unit(struct agenda *a, uint64_t unit)
{
    struct unit *u = &a->units[unit];
    bool ours = agenda_has(&a->plan, unit * a->points * a->plan.n_replications);
    if (a->kind == ALL) {
        u->wanted = agenda_tasks_at(&a->plan, unit);
    } else if (ours && a->kind == STOPPING) {
        open_stopping(a, u);
    } else if (ours) {
        open_search(a, u);
    }
    a->n_tasks += u->wanted;
    if (u->wanted == 0) {
        finish(a, u); /* a shard has nothing to do with it */
    }
}

struct agenda *agenda_open(const struct agenda_plan *plan)
{
    struct agenda *a = calloc(1, sizeof *a);
    CHECK(a, "out of memory");
    a->plan = *plan;
    a->plan.levels = plan->levels > 0 ? plan->levels : 1;
    a->kind = kind_of(plan);
    a->points = a->plan.levels;
    a->n_units = plan->n_points / a->points;
    a->first = a->last = NOBODY;
    uint64_t all = plan->n_points * plan->n_replications;
    a->units = calloc(a->n_units, sizeof *a->units);
    a->order = malloc(a->n_units * sizeof *a->order);
    a->done = calloc(all / 64 + 1, sizeof *a->done);
    CHECK(a->units && a->order && a->done, "out of memory for %llu tasks", (unsigned long long)all);
    if (plan->pilots) {
        a->pilots = calloc(plan->n_points, sizeof *a->pilots);
        a->warmups = calloc(plan->n_points, sizeof *a->warmups);
        CHECK(a->pilots && a->warmups, "out of memory for the pilots");
    }
    for (uint64_t u = 0; u < a->n_units; u++) {
        open_unit(a, u);
    }
    list_by_cost(a, plan->cost);
    a->plan.cost = NULL;
    return a;
}

void agenda_close(struct agenda *a)
{
    if (!a) {
        return;
    }
    for (uint64_t u = 0; u < a->n_units; u++) {
        stopping_close(&a->units[u].stopping);
        bisection_close(&a->units[u].search);
    }
    free(a->units);
    free(a->order);
    free(a->done);
    free(a->pilots);
    free(a->warmups);
    free(a->held);
    free(a);
}

/* --- results ------------------------------------------------------------------------------ */

static void expect(struct agenda *a, struct unit *u, uint64_t wanted)
{
    a->n_tasks += wanted - u->wanted;
    u->wanted = wanted;
}

static void put_stopping(struct agenda *a, struct unit *u, uint64_t replication,
                         const double *values)
{
    if (stopping_put(&u->stopping, replication, values) != STOPPING_MORE) {
        finish(a, u);
    }
    expect(a, u, stopping_wanted(&u->stopping));
}

/* What a search still needs is not known; that it goes on is told by a level more. */
static void put_search(struct agenda *a, struct unit *u, uint32_t level, uint64_t replication,
                       double value)
{
    bisection_put(&u->search, level, replication, value);
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < u->search.n_known; i++) {
        const struct bisection_level *l = &u->search.levels[i];
        wanted += l->side == BISECTION_NO_SIDE ? l->look : bisection_used(&u->search, l->level);
    }
    if (u->search.answer.outcome != BISECTION_OPEN) {
        finish(a, u);
    }
    expect(a, u, wanted);
}

static void put_pilot(struct agenda *a, uint64_t point, double warmup)
{
    if (a->pilots && point < a->plan.n_points && a->pilots[point] != PILOT_DONE) {
        a->pilots[point] = PILOT_DONE;
        a->warmups[point] = warmup;
        list(a, point / a->points);
    }
}

void agenda_put(struct agenda *a, uint64_t task, const double values[GOALS_MOST])
{
    if (task & AGENDA_PILOT) {
        put_pilot(a, task & ~AGENDA_PILOT, values[0]);
        return;
    }
    if (task >= a->plan.n_points * a->plan.n_replications || !agenda_has(&a->plan, task) ||
        is_done(a, task)) {
        return;
    }
    uint64_t point = task / a->plan.n_replications, replication = task % a->plan.n_replications;
    struct unit *u = &a->units[point / a->points];
    a->done[task / 64] |= UINT64_C(1) << task % 64;
    a->n_done++;
    u->done++;
    if (a->kind == STOPPING) {
        put_stopping(a, u, replication, values);
    } else if (a->kind == SEARCH) {
        put_search(a, u, (uint32_t)(point % a->points), replication, values[0]);
    } else if (u->done == u->wanted) {
        finish(a, u);
    }
    if (a->kind != ALL) {
        list(a, point / a->points); /* it may want more now */
    }
}

/* --- tasks -------------------------------------------------------------------------------- */

static void hold(struct agenda *a, uint64_t task)
{
    if (a->n_held == a->held_room) {
        a->held_room = a->held_room ? 2 * a->held_room : 64;
        a->held = realloc(a->held, a->held_room * sizeof *a->held);
        CHECK(a->held, "out of memory for %llu tasks", (unsigned long long)a->held_room);
    }
    a->held[a->n_held++] = task;
}

/* Whether a point's replications may run; if its pilot is still to be sent out, that is the task.
 */
static bool has_warmup(struct agenda *a, uint64_t point, uint64_t *pilot)
{
    if (!a->pilots || a->pilots[point] == PILOT_DONE) {
        return true;
    }
    if (a->pilots[point] == PILOT_NONE) {
        a->pilots[point] = PILOT_OUT;
        *pilot = AGENDA_PILOT | point;
    }
    return false;
}

/* Replications of a unit of one point, up to `end`. */
static uint64_t hand_point(struct agenda *a, uint64_t unit, uint64_t end, uint64_t *tasks,
                           uint64_t most)
{
    struct unit *u = &a->units[unit];
    uint64_t n = 0, first = unit * a->plan.n_replications, pilot = 0;
    if (u->next >= end || !has_warmup(a, unit, &pilot)) {
        tasks[0] = pilot;
        return pilot != 0;
    }
    for (; u->next < end && n < most; u->next++) {
        uint64_t task = first + u->next;
        if (agenda_has(&a->plan, task) && !is_done(a, task)) {
            tasks[n++] = task;
        }
    }
    return n;
}

static uint64_t point_of(const struct agenda *a, uint64_t task)
{
    return task & AGENDA_PILOT ? task & ~AGENDA_PILOT : task / a->plan.n_replications;
}

/* What a search wants next, as long as it is of one level. */
static uint64_t hand_search(struct agenda *a, uint64_t unit, uint64_t *tasks, uint64_t most)
{
    uint64_t n = 0, replication;
    uint32_t level;
    while (n < most &&
           bisection_next(&a->units[unit].search, &level, &replication) == BISECTION_RUN) {
        uint64_t point = unit * a->points + level, pilot = 0;
        uint64_t task = point * a->plan.n_replications + replication;
        bool ready = has_warmup(a, point, &pilot);
        if (ready && (n == 0 || point == point_of(a, tasks[0]))) {
            tasks[n++] = task;
            continue;
        }
        hold(a, task);
        if (pilot && n == 0) {
            tasks[n++] = pilot;
        } else if (pilot) {
            hold(a, pilot);
        }
        if (ready || pilot) {
            break;
        }
    }
    return n;
}

/* Tasks that were held back and need not be any more, of one point. */
static uint64_t take_held(struct agenda *a, uint64_t *tasks, uint64_t most)
{
    uint64_t n = 0, left = 0;
    for (uint64_t i = 0; i < a->n_held; i++) {
        uint64_t task = a->held[i], point = point_of(a, task);
        bool ready = task & AGENDA_PILOT || !a->pilots || a->pilots[point] == PILOT_DONE;
        bool fits = n == 0 || (point == point_of(a, tasks[0]) && !(tasks[0] & AGENDA_PILOT));
        if (a->units[point / a->points].over) {
            continue; /* a search that has its answer */
        }
        if (ready && fits && n < most) {
            tasks[n++] = task;
        } else {
            a->held[left++] = task;
        }
    }
    a->n_held = left;
    return n;
}

static uint64_t hand(struct agenda *a, uint64_t unit, uint64_t *tasks, uint64_t most)
{
    return a->kind == SEARCH ? hand_search(a, unit, tasks, most)
           : a->kind == ALL  ? hand_point(a, unit, a->plan.n_replications, tasks, most)
                             : hand_point(a, unit, a->units[unit].wanted, tasks, most);
}

/* Nothing that is surely needed is left: replications that may be. */
static uint64_t take_beyond(struct agenda *a, uint64_t *tasks, uint64_t most)
{
    uint64_t n = 0;
    while (a->open < a->n_units && a->units[a->order[a->open]].over) {
        a->open++;
    }
    for (uint64_t i = a->open; a->kind == STOPPING && n == 0 && i < a->n_units; i++) {
        if (!a->units[a->order[i]].over) {
            n = hand_point(a, a->order[i], a->plan.n_replications, tasks, most);
        }
    }
    return n;
}

uint64_t agenda_take(struct agenda *a, uint64_t *tasks, uint64_t most)
{
    uint64_t n = take_held(a, tasks, most);
    while (n == 0 && a->first != NOBODY) {
        n = a->units[a->first].over ? 0 : hand(a, a->first, tasks, most);
        if (n == 0) {
            unlist_first(a); /* until more is known */
        }
    }
    return n > 0 ? n : take_beyond(a, tasks, 1);
}

/* --- what is known ------------------------------------------------------------------------ */

sim_time agenda_warmup(const struct agenda *a, uint64_t point)
{
    return a->pilots && a->pilots[point] == PILOT_DONE ? (sim_time)a->warmups[point] : 0;
}

bool agenda_over(const struct agenda *a)
{
    return a->n_over == a->n_units;
}

uint64_t agenda_tasks(const struct agenda *a)
{
    return a->n_tasks;
}

uint64_t agenda_done(const struct agenda *a)
{
    return a->n_done;
}

uint64_t agenda_tasks_left(const struct agenda *a)
{
    return agenda_over(a) ? 0 : a->n_tasks > a->n_done ? a->n_tasks - a->n_done : 1;
}

void agenda_shares(const struct agenda *a, uint32_t shards, uint64_t *tasks, uint64_t *done)
{
    uint64_t all = a->plan.n_points * a->plan.n_replications;
    memset(tasks, 0, shards * sizeof *tasks);
    memset(done, 0, shards * sizeof *done);
    for (uint64_t t = 0; t < all && a->kind == ALL; t++) {
        tasks[share_of(&a->plan, t, shards)]++;
        done[share_of(&a->plan, t, shards)] += is_done(a, t);
    }
    for (uint64_t u = 0; u < a->n_units && a->kind != ALL; u++) {
        const struct unit *unit = &a->units[u];
        uint64_t k = share_of(&a->plan, u * a->points * a->plan.n_replications, shards);
        tasks[k] += unit->wanted;
        done[k] += unit->over ? unit->wanted : unit->done;
    }
}

uint64_t agenda_units(const struct agenda *a)
{
    return a->n_units;
}

uint64_t agenda_left(const struct agenda *a, uint64_t unit)
{
    const struct unit *u = &a->units[unit];
    return u->over ? 0 : u->wanted > u->done ? u->wanted - u->done : 1;
}

uint64_t agenda_used(const struct agenda *a, uint64_t point)
{
    const struct unit *u = &a->units[point / a->points];
    return a->kind == ALL        ? a->plan.n_replications
           : u->wanted == 0      ? 0
           : a->kind == STOPPING ? u->stopping.seen.n
                                 : bisection_used(&u->search, (uint32_t)(point % a->points));
}

const struct bisection *agenda_search(const struct agenda *a, uint64_t unit)
{
    bool there = a->kind == SEARCH && unit < a->n_units && a->units[unit].search.plan.n_levels > 0;
    return there ? &a->units[unit].search : NULL;
}

const struct stopping *agenda_stopping(const struct agenda *a, uint64_t point)
{
    return a->kind == STOPPING && a->units[point].wanted > 0 ? &a->units[point].stopping : NULL;
}
