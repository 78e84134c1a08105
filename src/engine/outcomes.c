/* SPDX-License-Identifier: Apache-2.0
 *
 * The failure budget of a model: outcomes of the watched entities, which are all in one part, feed
 * one window in the order of their events.
 *
 * A budget that ends the replication does so with the instant at which it is spent, all events of
 * which still run: so the end does not depend on their order.
 */
#include "engine/world.h"

enum { FIRST_ROOM = 1 << 12 }; /* entries of the ring */

static const size_t most_bytes = (size_t)1 << 34; /* address space, not memory */

static const struct failure_budget *policy_of(const struct sim *s)
{
    return s->plan->budget.policy;
}

void outcomes_open(struct sim *s)
{
    if (!policy_of(s)) {
        return;
    }
    region_open(&s->outcomes.memory, "the window of the failure budget", most_bytes);
    const struct budget_plan *b = &s->plan->budget;
    bool here = sim_owns(s, b->watched[0].first);
    for (uint32_t i = 0; i < b->n_watched; i++) {
        for (uint32_t k = 0; k < b->watched[i].count; k++) {
            entity_id id = b->watched[i].first + k;
            CHECK(sim_owns(s, id) == here, "the failure budget watches entities of several ranks");
            if (here) {
                s->records[id].watched = true;
            }
        }
    }
}

void outcomes_reset(struct sim *s)
{
    struct failure_window *w = &s->outcomes.window;
    *w = (struct failure_window){.ring = w->ring, .capacity = w->capacity};
    s->outcomes.tripped = SIM_TIME_NEVER;
}

void outcomes_close(struct sim *s)
{
    if (policy_of(s)) {
        region_close(&s->outcomes.memory);
    }
}

static void make_room(struct outcomes *o)
{
    uint64_t capacity = o->window.capacity ? 2 * o->window.capacity : FIRST_ROOM;
    region_take(&o->memory, (capacity - o->window.capacity) * sizeof *o->window.ring, 1);
    failure_window_grow(&o->window, (struct failure_entry *)(void *)o->memory.base, capacity);
}

static void trip(struct sim *s)
{
    s->outcomes.tripped = s->now;
    if (policy_of(s)->action != BUDGET_STOP_SOURCES && s->now < s->last) {
        sim_shorten(s, s->now);
        s->stop_at = s->events; /* the limits under which events run were those of before */
    }
}

static void take_in(struct sim *s, enum outcome_of what, bool failed)
{
    const struct failure_budget *b = policy_of(s);
    struct outcomes *o = &s->outcomes;
    if (what != (enum outcome_of)b->of || s->now < b->from || s->now >= b->until ||
        o->window.tripped) {
        return;
    }
    if (failure_window_full(&o->window)) {
        make_room(o);
    }
    if (failure_budget_feed(b, &o->window, s->now, failed)) {
        trip(s);
    }
}

void sim_take_outcome(struct ctx *c, enum outcome_of what, bool failed)
{
    if (c->sim->current->watched) {
        take_in(c->sim, what, failed);
    }
}

bool sim_spent_budget(const struct ctx *c)
{
    const struct sim *s = c->sim;
    return s->current->watched && s->now > s->outcomes.tripped &&
           policy_of(s)->action == BUDGET_STOP_SOURCES;
}

sim_time sim_tripped(const struct sim *s)
{
    return s->outcomes.tripped;
}
