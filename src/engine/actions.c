/* SPDX-License-Identifier: Apache-2.0
 *
 * Timed actions. Overlapping ones stack and unwind exactly, because what holds at a moment is
 * always computed anew from all actions in force, never by undoing one.
 */
#include <string.h>

#include "base/hash.h"
#include "engine/world.h"

static bool concerns(const struct action_plan *a, entity_id id)
{
    return id >= a->first && id - a->first < a->count;
}

/* A crash that comes and goes by chance. */
static bool is_by_chance(const struct action_plan *a)
{
    return a->kind == ACTION_CRASH && a->mtbf > 0;
}

/* Copies the rate actions, conditioners, crashes by chance, pauses and errors on `id` behind those
 * that are there. */
static void open_windows(struct sim *s, entity_id id, struct condition *k,
                         const struct condition *before)
{
    k->first_window = before->first_window + before->windows;
    k->first_conditioner = before->first_conditioner + before->conditioners;
    k->first_outage = before->first_outage + before->outages;
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        if (a->kind == ACTION_RATE && concerns(a, id)) {
            s->windows[k->first_window + k->windows++] =
                (struct rate_window){a->from, a->to, a->factor};
        } else if (a->kind == ACTION_CONDITIONER && concerns(a, id)) {
            s->ctx.has_conditioners = true;
            s->conditioners[k->first_conditioner + k->conditioners++] =
                (struct conditioner_window){a->from, a->to, a->conditioner};
        } else if (is_by_chance(a) && concerns(a, id)) {
            struct outage *o = &s->outages[k->first_outage + k->outages++];
            o->plan = a;
            o->stream.key = (struct rng_key){.who = blueprint_name_hash(s->plan, id),
                                             .purpose = hash_pair(hash_text("crash"), a->chance)};
        }
    }
    pauses_open(s, id, k, before);
    errors_open(s, id, k, before);
}

/* How often an action meets an entity, and one more: most conditions, and most windows. */
static size_t count_meetings(const struct blueprint *b)
{
    size_t n = 1;
    for (uint32_t i = 0; i < b->n_actions; i++) {
        n += b->actions[i].count;
    }
    return n;
}

size_t actions_size(const struct blueprint *b)
{
    return count_meetings(b) * (sizeof(struct condition) + sizeof(struct rate_window) +
                                sizeof(struct conditioner_window) + sizeof(struct pause_window) +
                                sizeof(struct error_window) + sizeof(struct outage)) +
           6 * 64;
}

void actions_open(struct sim *s)
{
    const struct blueprint *b = s->plan;
    size_t most = count_meetings(b);
    s->conditions = region_take(&s->memory, most * sizeof *s->conditions, 64);
    s->windows = region_take(&s->memory, most * sizeof *s->windows, 64);
    s->conditioners = region_take(&s->memory, most * sizeof *s->conditioners, 64);
    s->pauses = region_take(&s->memory, most * sizeof *s->pauses, 64);
    s->errors = region_take(&s->memory, most * sizeof *s->errors, 64);
    s->outages = region_take(&s->memory, most * sizeof *s->outages, 64);
    s->n_conditions = 1;
    for (uint32_t i = 0; i < b->n_actions; i++) {
        const struct action_plan *a = &b->actions[i];
        for (entity_id id = a->first; id - a->first < a->count; id++) {
            if (sim_owns(s, id) && s->records[id].condition == 0) {
                s->records[id].condition = s->n_conditions;
                struct condition *k = &s->conditions[s->n_conditions++];
                open_windows(s, id, k, k - 1);
            }
        }
    }
    s->ctx.has_actions = s->n_conditions > 1;
}

static void schedule(struct sim *s, entity_id id, enum action_kind kind, sim_time at)
{
    if (at > s->options.end || !sim_owns(s, id)) {
        return;
    }
    struct record *r = &s->records[id];
    uint32_t slot = evq_new(&s->queue);
    struct event *e = evq_event(&s->queue, slot);
    *e = (struct event){.time = at,
                        .order = order_key(s, at, CLASS_ACTION, r),
                        .target = id,
                        .kind = EVENT_ACTION,
                        .msg = {.status = (uint16_t)kind}};
    evq_push(&s->queue, slot, 0);
}

/* The next crash by chance after `t`, with the events that begin and end it. */
static void await_outage(struct sim *s, entity_id id, struct outage *o, sim_time t)
{
    const struct action_plan *a = o->plan;
    o->from = sim_time_add(t, draw_time(&o->stream, a->mtbf));
    if (o->from >= a->to || o->from > s->options.end) {
        o->from = o->to = SIM_TIME_NEVER;
        return;
    }
    o->to = sim_time_add(o->from, draw_time(&o->stream, a->mttr));
    o->to = o->to < a->to ? o->to : a->to;
    schedule(s, id, ACTION_CRASH, o->from);
    schedule(s, id, ACTION_RESTART, o->to);
}

/* The condition's crashes by chance: whether one is in force, of those that let work in hand be
 * done, or of the others. */
static bool apply_outages(struct sim *s, entity_id id, const struct condition *k, bool work_goes_on)
{
    bool down = false;
    for (uint32_t i = 0; i < k->outages; i++) {
        struct outage *o = &s->outages[k->first_outage + i];
        if (s->now >= o->to && o->to != SIM_TIME_NEVER) {
            await_outage(s, id, o, o->to);
        }
        down |= o->plan->work_goes_on == work_goes_on && o->from <= s->now && s->now < o->to;
    }
    return down;
}

static void reset_outages(struct sim *s, entity_id id, const struct condition *k)
{
    for (uint32_t i = 0; i < k->outages; i++) {
        struct outage *o = &s->outages[k->first_outage + i];
        sim_rekey(s, &o->stream);
        await_outage(s, id, o, o->plan->from);
    }
}

void actions_reset(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_conditions; i++) {
        struct condition *k = &s->conditions[i];
        k->slow = k->capacity = 1.0;
        k->passed = k->deferred = k->kept = 0;
        k->epoch = 0;
        k->crashed = k->deaf = k->down = k->paused = false;
    }
    errors_reset(s);
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        bool needs_events = a->kind != ACTION_ERRORS && !is_by_chance(a);
        for (entity_id id = a->first; needs_events && id - a->first < a->count; id++) {
            schedule(s, id, a->kind, a->from);
            schedule(s, id, a->kind == ACTION_CRASH ? ACTION_RESTART : a->kind, a->to);
        }
    }
    for (uint32_t i = 0; i < s->n_own && s->n_conditions > 1; i++) {
        entity_id id = s->own[i];
        if (s->records[id].condition) {
            reset_outages(s, id, &s->conditions[s->records[id].condition]);
        }
    }
}

void forget_ports(struct sim *s, const struct record *r)
{
    uint32_t ports = s->plan->groups[r->group].ports;
    for (uint32_t p = 0; p < ports; p++) {
        const struct port_plan *port = &s->plan->ports[r->first_port + p];
        s->ports[r->first_port + p].turn = 0;
        kept_clear(s, s->ports[r->first_port + p].memory);
        for (uint32_t w = 0; w < port->wires; w++) {
            s->wires[port->first_wire + w].load = 0;
            kept_clear(s, s->wires[port->first_wire + w].memory);
        }
    }
}

bool actions_apply(struct sim *s, struct record *r, struct event *e)
{
    struct condition *k = &s->conditions[r->condition];
    double slow = 1.0, capacity = 1.0;
    bool crashed = apply_outages(s, e->target, k, false);
    bool deaf = apply_outages(s, e->target, k, true);
    pauses_apply(s, r, k);
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        if (!concerns(a, e->target) || s->now < a->from || s->now >= a->to) {
            continue;
        }
        slow *= a->kind == ACTION_SLOW ? a->factor : 1.0;
        capacity *= a->kind == ACTION_CAPACITY ? a->factor : 1.0;
        bool down = a->kind == ACTION_CRASH && !is_by_chance(a);
        crashed |= down && !a->work_goes_on;
        deaf |= down && a->work_goes_on;
    }
    bool down = crashed || (k->down && k->paused); /* up again after the pause */
    if (k->paused) {
        capacity = k->capacity; /* it learns of its workers when the pause is over */
    }
    bool turned = down != k->down, changed = turned || slow != k->slow || capacity != k->capacity;
    /* Several actions at one instant take effect at the first one's event, whichever that is: the
     * type is told what has become of it. */
    e->msg.status = !turned ? ACTION_SLOW : down ? ACTION_CRASH : ACTION_RESTART;
    if (crashed && !k->crashed) {
        k->epoch++;
        k->kept = r->count;
        forget_ports(s, r);
    }
    k->slow = slow;
    k->capacity = capacity;
    k->crashed = crashed;
    k->deaf = deaf;
    k->down = down;
    return changed;
}
