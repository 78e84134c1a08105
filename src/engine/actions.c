/* SPDX-License-Identifier: Apache-2.0
 *
 * Timed actions. Overlapping ones stack and unwind exactly, because what holds at a moment is
 * always computed anew from all actions in force, never by undoing one.
 */
#include <string.h>

#include "engine/world.h"

static bool concerns(const struct action_plan *a, entity_id id)
{
    return id >= a->first && id - a->first < a->count;
}

/* Copies the rate actions, conditioners and pauses on `id` behind those that are there. */
static void open_windows(struct sim *s, entity_id id, struct condition *k,
                         const struct condition *before)
{
    k->first_window = before->first_window + before->windows;
    k->first_conditioner = before->first_conditioner + before->conditioners;
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        if (a->kind == ACTION_RATE && concerns(a, id)) {
            s->windows[k->first_window + k->windows++] =
                (struct rate_window){a->from, a->to, a->factor};
        } else if (a->kind == ACTION_CONDITIONER && concerns(a, id)) {
            s->ctx.has_conditioners = true;
            s->conditioners[k->first_conditioner + k->conditioners++] =
                (struct conditioner_window){a->from, a->to, a->conditioner};
        }
    }
    pauses_open(s, id, k, before);
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
                                sizeof(struct conditioner_window) + sizeof(struct pause_window)) +
           4 * 64;
}

void actions_open(struct sim *s)
{
    const struct blueprint *b = s->plan;
    size_t most = count_meetings(b);
    s->conditions = region_take(&s->memory, most * sizeof *s->conditions, 64);
    s->windows = region_take(&s->memory, most * sizeof *s->windows, 64);
    s->conditioners = region_take(&s->memory, most * sizeof *s->conditioners, 64);
    s->pauses = region_take(&s->memory, most * sizeof *s->pauses, 64);
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

void actions_reset(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_conditions; i++) {
        struct condition *k = &s->conditions[i];
        k->slow = k->capacity = 1.0;
        k->passed = k->deferred = k->kept = 0;
        k->epoch = 0;
        k->crashed = k->down = k->paused = false;
    }
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        for (entity_id id = a->first; id - a->first < a->count; id++) {
            schedule(s, id, a->kind, a->from);
            schedule(s, id, a->kind == ACTION_CRASH ? ACTION_RESTART : a->kind, a->to);
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
    bool crashed = false;
    pauses_apply(s, r, k);
    for (uint32_t i = 0; i < s->plan->n_actions; i++) {
        const struct action_plan *a = &s->plan->actions[i];
        if (!concerns(a, e->target) || s->now < a->from || s->now >= a->to) {
            continue;
        }
        slow *= a->kind == ACTION_SLOW ? a->factor : 1.0;
        capacity *= a->kind == ACTION_CAPACITY ? a->factor : 1.0;
        crashed |= a->kind == ACTION_CRASH;
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
    k->down = down;
    return changed;
}
