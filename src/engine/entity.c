/* SPDX-License-Identifier: Apache-2.0
 *
 * What handlers may call: messages, timers, statistics.
 */
#include "engine/entity.h"

#include <math.h>

#include "engine/world.h"

/* An event made by the entity in hand, in a slot that is to be pushed. */
static inline struct event *make(struct sim *s, sim_time time, enum event_class class_,
                                 uint32_t *slot)
{
    *slot = evq_new(&s->queue);
    struct event *e = evq_event(&s->queue, *slot);
    e->time = time;
    e->order = order_key(s, time, class_, s->current);
    return e;
}

/* Sets an event going. One that is due in this very instant runs next, unless an action (or init)
 * made it: then it keeps its place in the order, behind the other actions of the instant. */
static inline void set_going(struct sim *s, uint32_t slot, sim_time delay, uint16_t lane)
{
    if (delay == 0 && s->event && s->event->kind != EVENT_ACTION) {
        evq_push_now(&s->queue, slot);
    } else {
        evq_push(&s->queue, slot, lane);
    }
}

/* How long a message takes, or SIM_TIME_NEVER when it is lost. */
static sim_time travel(const struct route *r, uint32_t bytes, struct rng_stream *stream)
{
    if (r->spec.loss > 0.0 && rng_unit(stream) < r->spec.loss) {
        return SIM_TIME_NEVER;
    }
    sim_time delay =
        sim_time_add(dist_draw(&r->spec.latency, stream), dist_draw(&r->spec.jitter, stream));
    return sim_time_add(delay, sim_time_round(bytes * r->ns_per_byte));
}

/* Lays a message on a route; false when it is lost. */
static inline bool carry(struct sim *s, const struct route *r, uint32_t stream, entity_id target,
                         uint16_t kind, uint16_t port, const struct message *m)
{
    sim_time delay = r->plain ? r->delay : travel(r, m->bytes, &s->wire_streams[stream]);
    if (delay == SIM_TIME_NEVER) {
        return false;
    }
    uint32_t slot;
    struct event *e = make(s, sim_time_add(s->now, delay), CLASS_MESSAGE, &slot);
    e->target = target;
    e->kind = kind;
    e->port = port;
    e->msg = *m;
    set_going(s, slot, delay, r->lane);
    return true;
}

bool sim_send(struct ctx *c, wire_id wire, struct message *m)
{
    struct sim *s = c->sim;
    const struct wire *w = &s->wires[wire];
    CHECK(w->from == c->self, "entity %u sends over wire %u of entity %u", c->self, wire, w->from);
    m->wire = wire;
    return carry(s, &s->routes[w->spec], w->stream, w->to, EVENT_REQUEST, w->port, m);
}

bool sim_reply(struct ctx *c, const struct message *request, struct message *reply)
{
    struct sim *s = c->sim;
    const struct wire *w = &s->wires[request->wire];
    CHECK(w->to == c->self, "entity %u answers a request to entity %u", c->self, w->to);
    reply->request = request->request;
    reply->token = request->token;
    reply->wire = request->wire;
    reply->class_ = request->class_;
    reply->attempt = request->attempt;
    reply->priority = request->priority;
    return carry(s, &s->routes[w->spec], w->stream + 1, w->from, EVENT_REPLY, w->port, reply);
}

uint64_t sim_timer(struct ctx *c, uint16_t kind, sim_time delay, uint64_t token, unsigned flags)
{
    CHECK(delay >= 0, "a timer set %lld ns into the past", (long long)delay);
    struct sim *s = c->sim;
    sim_time time = sim_time_add(s->now, delay);
    if (time == SIM_TIME_NEVER) {
        return 0;
    }
    enum event_class class_ = flags & TIMER_FIRST ? CLASS_TIMEOUT : CLASS_TIMER;
    uint32_t slot;
    struct event *e = make(s, time, class_, &slot);
    e->target = c->self;
    e->kind = kind;
    e->port = 0;
    e->msg = (struct message){.token = token, .status = s->conditions[s->current->condition].epoch};
    bool in_lane = flags & TIMER_CONSTANT && delay > 0;
    set_going(s, slot, delay, in_lane ? evq_lane(&s->queue, delay, class_) : 0);
    return evq_handle(&s->queue, slot);
}

bool sim_cancel(struct ctx *c, uint64_t timer)
{
    return evq_cancel(&c->sim->queue, timer);
}

const struct port_plan *sim_port(const struct ctx *c, uint16_t port)
{
    return &c->sim->plan->ports[c->sim->current->first_port + port];
}

uint32_t *sim_wire_load(struct ctx *c, wire_id wire)
{
    return &c->sim->wires[wire].load;
}

uint32_t *sim_port_turn(struct ctx *c, uint16_t port)
{
    return &c->sim->turns[c->sim->current->first_port + port];
}

void sim_record(struct ctx *c, struct histogram *h, sim_time value)
{
    hist_record(&c->sim->histograms, h, (uint64_t)value);
}

double sim_slowdown(const struct ctx *c)
{
    return c->sim->conditions[c->sim->current->condition].slow;
}

const struct rate_window *sim_rate_windows(const struct ctx *c, uint32_t *n)
{
    const struct condition *k = &c->sim->conditions[c->sim->current->condition];
    *n = k->windows;
    return c->sim->windows + k->first_window;
}
