/* SPDX-License-Identifier: Apache-2.0
 *
 * What handlers may call: messages, timers, statistics.
 */
#include "engine/entity.h"

#include <math.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "engine/world.h"

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

/* A message on its way: where to, and what as. */
struct parcel {
    const struct route *route;
    uint32_t stream; /* for chance on the way */
    entity_id target;
    uint16_t kind, port;
    sim_time hold; /* [ns] before it leaves */
};

static inline void fill(struct sim *s, struct event *e, sim_time time, const struct parcel *p,
                        const struct message *m)
{
    e->time = time;
    e->order = order_key(s, time, CLASS_MESSAGE, s->current);
    e->target = p->target;
    e->kind = p->kind;
    e->port = p->port;
    e->msg = *m;
}

/* What timed actions on links make of a message that would take `delay`; as `carry`. */
static OUT_OF_LINE sim_time carry_through(struct sim *s, const struct parcel *p,
                                          const struct message *m, sim_time delay)
{
    struct passage way = {.from = s->ctx.self,
                          .to = p->target,
                          .bytes = m->bytes,
                          .ns_per_byte = p->route->ns_per_byte,
                          .leaves = sim_time_add(s->now, p->hold),
                          .delay = delay};
    links_pass(s, &way);
    sim_time time = sim_time_add(way.leaves, way.delay);
    if (time == SIM_TIME_NEVER) {
        return time;
    }
    if (s->part_of && s->part_of[p->target] != s->part) {
        struct event *e = share_new(s, p->target);
        fill(s, e, time, p, m);
        share_post(s, e);
    } else {
        uint32_t slot = evq_new(&s->queue);
        fill(s, evq_event(&s->queue, slot), time, p, m);
        if (way.held) { /* in its order even where this takes no time */
            evq_push(&s->queue, slot, 0);
        } else {
            set_going(s, slot, time - s->now, 0);
        }
    }
    return time - s->now - p->hold;
}

/* How long the message takes [ns], or SIM_TIME_NEVER when it is lost. */
static inline sim_time carry(struct sim *s, const struct parcel *p, const struct message *m)
{
    const struct route *r = p->route;
    sim_time delay = r->plain ? r->delay : travel(r, m->bytes, &s->wire_streams[p->stream]);
    if (delay == SIM_TIME_NEVER) {
        return delay;
    }
    if (__builtin_expect(s->n_links > 0, 0)) {
        struct parcel copy = {p->route, p->stream, p->target, p->kind, p->port, p->hold};
        return carry_through(s, &copy, m, delay); /* so that *p itself need not be in memory */
    }
    sim_time wait = sim_time_add(delay, p->hold), time = sim_time_add(s->now, wait);
    if (__builtin_expect(s->part_of && s->part_of[p->target] != s->part, 0)) {
        struct event *e = share_new(s, p->target);
        fill(s, e, time, p, m);
        share_post(s, e);
        return delay;
    }
    uint32_t slot = evq_new(&s->queue);
    fill(s, evq_event(&s->queue, slot), time, p, m);
    set_going(s, slot, wait, p->hold == 0 ? r->lane : 0);
    return delay;
}

static inline sim_time post(struct ctx *c, struct way way, uint16_t kind, sim_time hold,
                            struct message *m)
{
    struct sim *s = c->sim;
    const struct wire *w = &s->wires[way.wire];
    CHECK(w->from == c->self && way.end <= w->more, "entity %u sends over wire %u of entity %u",
          c->self, way.wire, w->from);
    m->wire = way.wire;
    return carry(s,
                 &(struct parcel){.route = &s->routes[w->spec],
                                  .stream = w->stream,
                                  .target = w->to + way.end,
                                  .kind = kind,
                                  .port = w->port,
                                  .hold = hold},
                 m);
}

sim_time sim_send(struct ctx *c, struct way way, struct message *m)
{
    return post(c, way, EVENT_REQUEST, 0, m);
}

sim_time sim_send_after(struct ctx *c, struct way way, sim_time hold, struct message *m)
{
    CHECK(hold >= 0, "a message that leaves %lld ns ago", -(long long)hold);
    return post(c, way, EVENT_REQUEST, hold, m);
}

bool sim_send_cancel(struct ctx *c, struct way way, const struct message *m)
{
    struct message cancel = *m;
    cancel.bytes = 0;
    return post(c, way, EVENT_CANCEL, 0, &cancel) != SIM_TIME_NEVER;
}

bool sim_reply(struct ctx *c, const struct message *request, struct message *reply)
{
    struct sim *s = c->sim;
    const struct wire *w = &s->wires[request->wire];
    CHECK(c->self - w->to <= w->more, "entity %u answers a request to entity %u", c->self, w->to);
    reply->request = request->request;
    reply->token = request->token;
    reply->wire = request->wire;
    reply->class_ = request->class_;
    reply->attempt = request->attempt;
    reply->priority = request->priority;
    if (__builtin_expect(c->has_actions, 0)) {
        errors_spoil(s, reply);
    }
    return carry(s,
                 &(struct parcel){.route = &s->routes[w->spec],
                                  .stream = w->stream + 1,
                                  .target = w->from,
                                  .kind = EVENT_REPLY,
                                  .port = w->port},
                 reply) != SIM_TIME_NEVER;
}

uint64_t sim_timer(struct ctx *c, uint16_t kind, sim_time delay, uint64_t token, unsigned flags)
{
    CHECK(delay >= 0, "a timer set %lld ns into the past", (long long)delay);
    struct sim *s = c->sim;
    if (__builtin_expect(c->has_actions, 0) && flags & TIMER_WORK) {
        sim_time stretched = pauses_stretch(s, &s->conditions[s->current->condition], delay);
        flags &= stretched == delay ? ~0U : ~(unsigned)TIMER_CONSTANT;
        delay = stretched;
    }
    sim_time time = sim_time_add(s->now, delay);
    if (time == SIM_TIME_NEVER) {
        return 0;
    }
    enum event_class class_ = flags & TIMER_FIRST ? CLASS_TIMEOUT : CLASS_TIMER;
    uint32_t slot = evq_new(&s->queue);
    struct event *e = evq_event(&s->queue, slot);
    e->time = time;
    e->order = order_key(s, time, class_, s->current);
    e->target = c->self;
    e->kind = kind;
    e->port = 0;
    e->msg = (struct message){.token = token};
    if (__builtin_expect(c->has_actions, 0)) {
        e->msg.status = s->conditions[s->current->condition].epoch;
        e->msg.flags = (uint8_t)(flags & TIMER_WORK);
    }
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

uint32_t sim_wire_more(const struct ctx *c, wire_id wire)
{
    return c->sim->wires[wire].more;
}

uint32_t *sim_wire_load(struct ctx *c, wire_id wire)
{
    return &c->sim->wires[wire].load;
}

uint32_t *sim_port_turn(struct ctx *c, uint16_t port)
{
    return &c->sim->ports[c->sim->current->first_port + port].turn;
}

void sim_record(struct ctx *c, struct histogram *h, sim_time value)
{
    hist_record(&c->sim->histograms, h, (uint64_t)value);
}

void sim_break_down(struct ctx *c, struct breakdown *b, uint32_t group, uint16_t status,
                    sim_time value)
{
    CHECK(b->kept, "a breakdown that nobody asked for");
    breakdown_record(&c->sim->breakdowns, &c->sim->histograms, b,
                     (struct breakdown_key){group, status}, (uint64_t)value);
}

static uint32_t group_of(const struct sim *s, entity_id id)
{
    return (uint32_t)(blueprint_group(s->plan, id) - s->plan->groups);
}

uint32_t sim_target_group(const struct ctx *c, wire_id wire)
{
    return group_of(c->sim, c->sim->wires[wire].to);
}

uint32_t sim_caller_group(const struct ctx *c, wire_id wire)
{
    return group_of(c->sim, c->sim->wires[wire].from);
}

double sim_slowdown_by_actions(const struct ctx *c)
{
    return c->sim->conditions[c->sim->current->condition].slow;
}

double sim_capacity(const struct ctx *c)
{
    return c->sim->conditions[c->sim->current->condition].capacity;
}

const struct rate_window *sim_find_rate_windows(const struct ctx *c, uint32_t *n)
{
    const struct condition *k = &c->sim->conditions[c->sim->current->condition];
    *n = k->windows;
    return c->sim->windows + k->first_window;
}

const struct conditioner_window *sim_conditioners(const struct ctx *c, uint32_t *n)
{
    const struct condition *k = &c->sim->conditions[c->sim->current->condition];
    *n = k->conditioners;
    return c->sim->conditioners + k->first_conditioner;
}

uint64_t sim_request_bits(const struct ctx *c, uint64_t request, uint64_t purpose)
{
    const struct sim *s = c->sim;
    return hash_pair(hash_pair(s->request_key, purpose), request) ^ rng_flip(s->drawn_as);
}

const char *sim_kind_name(const struct ctx *c, uint16_t number)
{
    return c->sim->plan->kinds[number];
}

uint64_t sim_name_hash(const struct ctx *c, entity_id id)
{
    return blueprint_name_hash(c->sim->plan, id);
}

entity_id sim_wire_target(const struct ctx *c, wire_id wire)
{
    return c->sim->wires[wire].to;
}

const char *sim_peer_name(const struct ctx *c, wire_id wire)
{
    return blueprint_group(c->sim->plan, c->sim->wires[wire].to)->name;
}
