/* SPDX-License-Identifier: Apache-2.0
 *
 * rate_limiter: stands between callers and a target, and lets requests through at a rate. One that
 * may not pass at once is answered with 429, or, where there is a queue, waits for its turn: first
 * come, first served, each as soon as the limiter lets it through. Nobody who comes later overtakes
 * those who wait.
 *
 * Replies are passed on as they are. Those that end a request tell the limiter how the target does,
 * which `aimd` heeds: a success, or an error that another attempt might better, by the status
 * alone. Others, such as 404, tell it nothing. What is given up or lost tells it nothing either,
 * unless there is a time after which a request has failed for it (`failure_timeout`).
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/chain.h"
#include "parts/reject.h"
#include "parts/relay.h"
#include "policies/limiter.h"
#include "policies/verdict.h"

enum { TIMER_TURN = EVENT_TIMER, TIMER_MAX_WAIT, TIMER_FAILURE };
enum { STREAM_BALANCE };

static const char *const streams[] = {"balance", NULL};

struct rate_limiter_params {
    struct target target;
    struct limiter limiter;
    int64_t queue_capacity;   /* INT64_MAX: unlimited */
    sim_time max_wait;        /* [ns] SIM_TIME_NEVER: none */
    sim_time failure_timeout; /* [ns] SIM_TIME_NEVER: none */
    int on_reject;            /* enum on_reject */
    bool says_when;
    bool pass_cancel;
};

static const struct param_spec rows[] = {
    P_TARGET(rate_limiter_params, target, NULL, "Where requests go that are let through."),
    P_CHOICE(rate_limiter_params, limiter, limiter_choice, "token_bucket",
             "How many are let through in which time."),
    P_LIMIT(rate_limiter_params, queue_capacity, "1000", 0, 1e9,
            "Requests that wait for their turn at most; 0 rejects what may not pass at once."),
    P_MAYBE_DURATION(rate_limiter_params, max_wait, "none", 1, 1e18,
                     "Time after which a request that waits is rejected."),
    P_MAYBE_DURATION(rate_limiter_params, failure_timeout, "none", 1, 1e18,
                     "Time after which a request that was let through counts as a failure for "
                     "aimd. A reply that comes later is passed on and tells it nothing."),
    P_WORD(rate_limiter_params, on_reject, reject_words, "reply",
           "What a request gets that is not let through: a reply 429, or none at all."),
    P_BOOL(rate_limiter_params, says_when, "false",
           "Whether that reply says when the limiter will let one through (Retry-After)."),
    P_BOOL(rate_limiter_params, pass_cancel, "false",
           "Whether the target is told that a request was given up."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct rate_limiter_params *p = params;
    if (p->max_wait != SIM_TIME_NEVER && p->queue_capacity == 0) {
        diag_error(diag, node_child(at, "max_wait"), "with queue_capacity 0 no request waits");
    }
    if (p->failure_timeout != SIM_TIME_NEVER && p->limiter.kind != LIMITER_AIMD) {
        diag_error(diag, node_child(at, "failure_timeout"), "only aimd heeds how requests end");
    }
    if (p->says_when && p->on_reject != REJECT_REPLY) {
        diag_error(diag, node_child(at, "says_when"), "without a reply nothing says when");
    }
}

static const struct schema schema = {.name = "rate_limiter",
                                     .summary = "Sends requests on, but not more than at a rate.",
                                     .size = sizeof(struct rate_limiter_params),
                                     .rows = rows,
                                     .derive = derive};

struct rate_limiter_stats {
    struct relay_stats relay;
    uint64_t received, forwarded, queued, dropped;
    uint64_t timed_out, withdrawn, queue_lost;
    uint64_t rate_increases, rate_decreases;
    struct gauge queue_depth, rate;
    struct histogram wait_time;
};

static const struct stat_spec stats[] = {
    RELAY_STATS(rate_limiter_stats, relay),
    S_COUNTER(rate_limiter_stats, received, "Requests that the limiter was to let through."),
    S_COUNTER(rate_limiter_stats, forwarded, "Requests let through, at once or in their turn."),
    S_COUNTER(rate_limiter_stats, queued, "Requests that had to wait."),
    S_COUNTER(rate_limiter_stats, dropped,
              "Requests rejected: there was no room to wait, or max_wait had passed."),
    S_COUNTER(rate_limiter_stats, timed_out, "Requests rejected because max_wait had passed."),
    S_COUNTER(rate_limiter_stats, withdrawn, "Requests given up by their callers as they waited."),
    S_COUNTER(rate_limiter_stats, queue_lost, "Requests that waited when it crashed."),
    S_COUNTER(rate_limiter_stats, rate_increases, "Times that the rate of aimd rose."),
    S_COUNTER(rate_limiter_stats, rate_decreases, "Times that it fell."),
    S_GAUGE(rate_limiter_stats, queue_depth, "Requests that wait."),
    S_GAUGE(rate_limiter_stats, rate, "Rate of aimd, in whole requests per second."),
    S_HISTOGRAM(rate_limiter_stats, wait_time,
                "Time that requests waited which were let through, 0 if they did not."),
    S_END};

struct rate_limiter_state {
    struct relay_state relay;
    struct chain queue; /* of limited_request.link; the longest waiting first */
    uint64_t turn;      /* timer of the next turn, while somebody waits */
};

struct limited_request {
    struct relay_slot relay;
    struct chain_link link;
    uint64_t timer; /* of max_wait while it waits, then of failure_timeout */
    bool waits;
    bool judged; /* the limiter knows how it ended */
};

static struct chain_slots queue_slots(const struct ctx *c)
{
    return (struct chain_slots){&c->slabs[0], offsetof(struct limited_request, link)};
}

static struct limiter_state *limiter_for(struct ctx *c)
{
    const struct rate_limiter_params *p = c->params;
    size_t size = limiter_state_size(&p->limiter);
    return size > 0 ? sim_port_memory(c, p->target.port, size) : NULL;
}

static void show_rate(struct ctx *c)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_stats *st = c->stats;
    if (p->limiter.kind == LIMITER_AIMD) {
        gauge_set(&st->rate, c->now, limiter_rate(&p->limiter, limiter_for(c)) / LIMITER_STEPS);
    }
}

static void forward(struct ctx *c, struct limited_request *q)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_stats *st = c->stats;
    struct relay relay = relay_of(c);
    st->forwarded++;
    sim_record(c, &st->wait_time, c->now - q->relay.arrived);
    q->judged = false;
    relay_send(&relay, &q->relay, &p->target, &c->streams[STREAM_BALANCE]);
    q->timer = sim_timer(c, TIMER_FAILURE, p->failure_timeout,
                         slab_token(&c->slabs[0], q->relay.slot), TIMER_FIRST | TIMER_CONSTANT);
}

static void reject(struct ctx *c, struct limited_request *q)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_stats *st = c->stats;
    struct relay relay = relay_of(c);
    st->dropped++;
    struct message m = {.status = STATUS_LIMITED};
    if (p->says_when) {
        m.flags = REPLY_RETRY_AFTER;
        m.deadline = limiter_wait(&p->limiter, limiter_for(c), c->now);
    }
    relay_refuse(&relay, &q->relay, (enum on_reject)p->on_reject, &m);
}

/* --- the queue --------------------------------------------------------------------------- */

/* Sets the timer of the next turn anew: how long that takes may have changed, and whether there is
 * one. */
static void await_turn(struct ctx *c)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_state *state = c->state;
    sim_cancel(c, state->turn);
    state->turn = 0;
    if (state->queue.count > 0) {
        sim_time wait = limiter_wait(&p->limiter, limiter_for(c), c->now);
        state->turn = sim_timer(c, TIMER_TURN, wait, 0, 0);
    }
}

static void enqueue(struct ctx *c, struct limited_request *q)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_state *state = c->state;
    struct rate_limiter_stats *st = c->stats;
    struct chain_slots in = queue_slots(c);
    st->queued++;
    q->waits = true;
    q->timer = sim_timer(c, TIMER_MAX_WAIT, p->max_wait, slab_token(&c->slabs[0], q->relay.slot),
                         TIMER_FIRST | TIMER_CONSTANT);
    chain_push(&state->queue, &in, q->relay.slot);
    gauge_set(&st->queue_depth, c->now, state->queue.count);
    if (state->queue.count == 1) {
        await_turn(c);
    }
}

static void leave_queue(struct ctx *c, struct limited_request *q)
{
    struct rate_limiter_state *state = c->state;
    struct rate_limiter_stats *st = c->stats;
    struct chain_slots in = queue_slots(c);
    q->waits = false;
    sim_cancel(c, q->timer);
    chain_drop(&state->queue, &in, q->relay.slot);
    gauge_set(&st->queue_depth, c->now, state->queue.count);
    if (state->queue.count == 0) {
        await_turn(c);
    }
}

/* Lets those through whose turn it is. */
static void take_turns(struct ctx *c)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_state *state = c->state;
    struct limiter_state *l = limiter_for(c);
    while (state->queue.count > 0 && limiter_take(&p->limiter, l, c->now)) {
        struct limited_request *q = slab_at(&c->slabs[0], state->queue.first - 1);
        leave_queue(c, q);
        forward(c, q);
    }
    await_turn(c);
}

static void on_max_wait(struct ctx *c, const struct event *e)
{
    struct rate_limiter_stats *st = c->stats;
    struct limited_request *q = slab_find(&c->slabs[0], e->msg.token);
    st->timed_out++;
    leave_queue(c, q);
    reject(c, q);
}

/* --- events ------------------------------------------------------------------------------ */

static void on_request(struct ctx *c, const struct event *e)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_state *state = c->state;
    struct rate_limiter_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_take(&relay, e);
    struct limited_request *q = slab_at(relay.slab, s->slot);
    q->waits = false;
    st->received++;
    if (state->queue.count == 0 && limiter_take(&p->limiter, limiter_for(c), c->now)) {
        forward(c, q);
    } else if (state->queue.count < p->queue_capacity) {
        enqueue(c, q);
    } else {
        reject(c, q);
    }
}

/* Tells the limiter how a request ended. Its rate, and so the next turn, may change by that. */
static void judge(struct ctx *c, enum outcome outcome)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_stats *st = c->stats;
    struct limiter_state *l = limiter_for(c);
    int64_t before = limiter_rate(&p->limiter, l);
    if (outcome == OUTCOME_FINAL) {
        return;
    }
    limiter_ended(&p->limiter, l, c->now, outcome == OUTCOME_SUCCESS);
    int64_t now = limiter_rate(&p->limiter, l);
    st->rate_increases += now > before;
    st->rate_decreases += now < before;
    if (now != before) {
        show_rate(c);
        take_turns(c);
    }
}

static void on_reply(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct limited_request *q = slab_at(relay.slab, s->slot);
    bool tells = !s->out && !q->judged;
    if (tells) {
        sim_cancel(c, q->timer);
    }
    relay_answer(&relay, s, &e->msg);
    if (tells) {
        judge(c, verdict_of(e->msg.status));
    }
}

static void on_failure_timeout(struct ctx *c, const struct event *e)
{
    struct limited_request *q = slab_find(&c->slabs[0], e->msg.token);
    q->judged = true;
    judge(c, OUTCOME_TIMEOUT);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct rate_limiter_params *p = c->params;
    struct rate_limiter_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct limited_request *q = slab_at(relay.slab, s->slot);
    if (q->waits) {
        st->withdrawn++;
        leave_queue(c, q);
    } else if (!q->judged) {
        sim_cancel(c, q->timer);
    }
    relay_drop(&relay, s, p->pass_cancel);
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct rate_limiter_state *state = c->state;
    struct rate_limiter_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
        relay_crash(&relay);
        st->queue_lost += state->queue.count;
        state->queue = (struct chain){0};
        state->turn = 0;
        gauge_set(&st->queue_depth, c->now, 0);
        show_rate(c);
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
    case TIMER_TURN:
        take_turns(c);
        break;
    case TIMER_MAX_WAIT:
        on_max_wait(c, e);
        break;
    default:
        on_failure_timeout(c, e);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct rate_limiter_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type rate_limiter_type = {.name = "rate_limiter",
                                              .answers = true,
                                              .connects = true,
                                              .params = &schema,
                                              .stats = stats,
                                              .stats_size = sizeof(struct rate_limiter_stats),
                                              .state_size = sizeof(struct rate_limiter_state),
                                              .streams = streams,
                                              .slabs = {sizeof(struct limited_request)},
                                              .init = show_rate,
                                              .handle = handle,
                                              .miss = relay_miss,
                                              .traffic = traffic};
