/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead: stands between callers and a target, and lets only so many requests be there at a time.
 * Others wait in line, first come, first served; those that find the line full, or have waited for
 * too long, are rejected. So a target that has become slow holds no more of its callers than the
 * bulkhead has places.
 *
 * A place is given back with the reply, and the first of the line has it at once. It is given back
 * also when the caller gives up by a cancel; whether the target is told (`pass_cancel`) or works on
 * is another matter, and if it does it has more to do than there are places. A request that is lost
 * beyond the bulkhead keeps its place for ever, unless there is a time after which it is given up
 * (`timeout`).
 *
 * A rejection asks not to be tried again, as that of a circuit breaker does: places come free when
 * the target answers, and not because callers ask once more.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/chain.h"
#include "parts/reject.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_WAIT = EVENT_TIMER, TIMER_TIMEOUT };
enum { STREAM_BALANCE };

static const char *const streams[] = {"balance", NULL};

struct bulkhead_params {
    struct target target;
    int64_t max_concurrent, max_wait_queue; /* INT64_MAX: unlimited */
    sim_time max_wait_time, timeout;        /* [ns] SIM_TIME_NEVER: none */
    int on_reject;                          /* enum on_reject */
    int64_t reject_status;
    bool pass_cancel;
};

static const struct param_spec rows[] = {
    P_TARGET(bulkhead_params, target, NULL, "Where requests go that have a place."),
    P_LIMIT(bulkhead_params, max_concurrent, NULL, 1, 1e9,
            "Places: requests that may be at the target at the same time."),
    P_LIMIT(bulkhead_params, max_wait_queue, "0", 0, 1e9, "Requests that may wait for a place."),
    P_MAYBE_DURATION(bulkhead_params, max_wait_time, "none", 1, 1e18,
                     "Time after which one that waits is rejected. A place that comes free at that "
                     "instant is too late."),
    P_MAYBE_DURATION(bulkhead_params, timeout, "none", 1, 1e18,
                     "Time after which a request that is at the target is answered with 504 and "
                     "gives its place back; none: one that is lost keeps it for ever."),
    P_WORD(bulkhead_params, on_reject, reject_words, "reply",
           "What a request gets that is rejected: a reply that asks not to be tried again, or none "
           "at all."),
    P_COUNT(bulkhead_params, reject_status, "503", 200, 599, "Status of that reply."),
    P_BOOL(bulkhead_params, pass_cancel, "false",
           "Whether the target is told that a request was given up."),
    P_END};

static const struct schema schema = {.name = "bulkhead",
                                     .summary = "Sends requests on, but only so many at a time.",
                                     .size = sizeof(struct bulkhead_params),
                                     .rows = rows};

struct bulkhead_stats {
    struct relay_stats relay;
    uint64_t total_requests, accepted_requests, queued_requests;
    uint64_t rejected_requests, timed_out_requests, target_timeouts;
    struct gauge in_flight, queue_depth;
    struct histogram wait_time;
};

static const struct stat_spec stats[] = {
    RELAY_STATS(bulkhead_stats, relay),
    S_COUNTER(bulkhead_stats, total_requests, "Requests that asked for a place."),
    S_COUNTER(bulkhead_stats, accepted_requests, "Requests that got one, at once or later."),
    S_COUNTER(bulkhead_stats, queued_requests, "Requests that had to wait for one."),
    S_COUNTER(bulkhead_stats, rejected_requests, "Requests that found the line full."),
    S_COUNTER(bulkhead_stats, timed_out_requests, "Requests rejected after they had waited."),
    S_COUNTER(bulkhead_stats, target_timeouts,
              "Requests at the target that were given up after `timeout`."),
    S_GAUGE(bulkhead_stats, in_flight, "Places taken."),
    S_GAUGE(bulkhead_stats, queue_depth, "Requests waiting for a place."),
    S_HISTOGRAM(bulkhead_stats, wait_time, "From arrival to the place, for those that got one."),
    S_END};

struct bulkhead_state {
    struct relay_state relay;
    struct chain line;
    int64_t places; /* taken */
};

struct held_request {
    struct relay_slot relay;
    struct chain_link line; /* while it waits, that is until it is sent on */
    uint64_t timer;         /* of max_wait_time, then of timeout */
};

static struct chain_slots line_of(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[0], offsetof(struct held_request, line)};
}

static void count_levels(struct ctx *c)
{
    const struct bulkhead_state *state = c->state;
    struct bulkhead_stats *st = c->stats;
    gauge_set(&st->in_flight, c->now, state->places);
    gauge_set(&st->queue_depth, c->now, state->line.count);
}

static uint64_t set_timer(struct ctx *c, uint16_t kind, sim_time delay, uint32_t slot)
{
    return sim_timer(c, kind, delay, slab_token(&c->slabs[0], slot), TIMER_FIRST | TIMER_CONSTANT);
}

/* The request takes a place. */
static void go_on(struct ctx *c, struct held_request *q)
{
    const struct bulkhead_params *p = c->params;
    struct bulkhead_state *state = c->state;
    struct bulkhead_stats *st = c->stats;
    struct relay relay = relay_of(c);
    state->places++;
    st->accepted_requests++;
    sim_record(c, &st->wait_time, c->now - q->relay.arrived);
    relay_send(&relay, &q->relay, &p->target, &c->streams[STREAM_BALANCE]);
    q->timer = set_timer(c, TIMER_TIMEOUT, p->timeout, q->relay.slot);
}

static void reject(struct ctx *c, struct held_request *q)
{
    const struct bulkhead_params *p = c->params;
    struct relay relay = relay_of(c);
    struct message reply = {.status = (uint16_t)p->reject_status, .flags = REPLY_NO_RETRY};
    relay_refuse(&relay, &q->relay, (enum on_reject)p->on_reject, &reply);
}

static void leave_line(struct ctx *c, const struct held_request *q)
{
    struct bulkhead_state *state = c->state;
    struct chain_slots line = line_of(c);
    chain_drop(&state->line, &line, q->relay.slot);
}

/* A place comes free, and the first of the line has it. */
static void release_place(struct ctx *c)
{
    struct bulkhead_state *state = c->state;
    state->places--;
    if (state->line.count > 0) {
        struct held_request *next = slab_at(&c->slabs[0], state->line.first - 1);
        sim_cancel(c, next->timer);
        leave_line(c, next);
        go_on(c, next);
    }
    count_levels(c);
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct bulkhead_params *p = c->params;
    struct bulkhead_state *state = c->state;
    struct bulkhead_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_take(&relay, e);
    struct held_request *q = slab_at(relay.slab, s->slot);
    st->total_requests++;
    if (state->places < p->max_concurrent) {
        go_on(c, q);
    } else if (state->line.count < p->max_wait_queue) {
        struct chain_slots line = line_of(c);
        st->queued_requests++;
        chain_push(&state->line, &line, s->slot);
        q->timer = set_timer(c, TIMER_WAIT, p->max_wait_time, s->slot);
    } else {
        st->rejected_requests++;
        reject(c, q);
    }
    count_levels(c);
}

static void on_reply(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    bool last = !s->out;
    const struct held_request *q = slab_at(relay.slab, s->slot);
    if (last) {
        sim_cancel(c, q->timer);
    }
    relay_answer(&relay, s, &e->msg);
    if (last) {
        release_place(c);
    }
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct bulkhead_params *p = c->params;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    const struct held_request *q = slab_at(relay.slab, s->slot);
    bool waits = !s->out;
    sim_cancel(c, q->timer);
    if (waits) {
        leave_line(c, q);
    }
    relay_drop(&relay, s, p->pass_cancel);
    if (waits) {
        count_levels(c);
    } else {
        release_place(c);
    }
}

/* One that waits has waited for as long as it may. */
static void on_wait(struct ctx *c, const struct event *e)
{
    struct bulkhead_stats *st = c->stats;
    struct held_request *q = slab_find(&c->slabs[0], e->msg.token);
    CHECK(q, "the waiting time of a request that is gone");
    st->timed_out_requests++;
    leave_line(c, q);
    reject(c, q);
    count_levels(c);
}

/* One at the target has been there for as long as it may. */
static void on_timeout(struct ctx *c, const struct event *e)
{
    const struct bulkhead_params *p = c->params;
    struct bulkhead_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct held_request *q = slab_find(&c->slabs[0], e->msg.token);
    CHECK(q, "the timeout of a request that is gone");
    st->target_timeouts++;
    relay_give_up(&relay, &q->relay, p->pass_cancel);
    relay_answer(&relay, &q->relay, &(struct message){.status = STATUS_GATEWAY_TIMEOUT});
    release_place(c);
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct bulkhead_state *state = c->state;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
        relay_crash(&relay);
        state->line = (struct chain){.count = 0};
        state->places = 0;
        count_levels(c);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_REPLY:
        on_reply(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    case TIMER_WAIT:
        on_wait(c, e);
        break;
    default:
        on_timeout(c, e);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct bulkhead_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type bulkhead_type = {.name = "bulkhead",
                                          .answers = true,
                                          .connects = true,
                                          .params = &schema,
                                          .stats = stats,
                                          .stats_size = sizeof(struct bulkhead_stats),
                                          .state_size = sizeof(struct bulkhead_state),
                                          .streams = streams,
                                          .slabs = {sizeof(struct held_request)},
                                          .handle = handle,
                                          .miss = relay_miss,
                                          .traffic = traffic};
