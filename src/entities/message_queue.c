/* SPDX-License-Identifier: Apache-2.0
 *
 * message_queue: a broker between producers and consumers. A request is a message: it is put in the
 * queue and, as the queue says, acknowledged at once or when a consumer has taken it. Up to
 * `concurrency` messages are in delivery at a time, the first to come first. A delivery is a call
 * (parts/caller.h) to one of the consumers; its timeout is the visibility timeout, after which the
 * message may be delivered to somebody else.
 *
 * Delivery is at least once. A message whose delivery failed comes back after `redelivery_delay`,
 * behind those that wait; in a queue in strict order it comes back first, and until then nothing
 * else is delivered. After `max_deliveries`, or when a consumer has refused it for good, it is a
 * dead letter: sent on as such, once, or only counted. All deliveries of a message carry the number
 * of its request, by which consumers know them for the same.
 *
 * A crash of a durable queue loses no message. Those in delivery are delivered again; what was cut
 * off is none of their deliveries, as it says nothing of them. Producers that had not been answered
 * are not any more. Other queues lose all that they hold.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/callee.h"
#include "parts/chain.h"
#include "parts/reject.h"
#include "parts/request_index.h"
#include "policies/delays.h"
#include "policies/verdict.h"

enum { TIMER_CALL = EVENT_TIMER, TIMER_REDELIVERY, TIMER_EXPIRY };
enum { STREAM_CALLS, STREAM_DELAYS };
enum { SLAB_MESSAGES, SLAB_CALLS };
enum { SITE_DELIVERY, SITE_DEAD_LETTER };

static const char *const streams[] = {"calls", "delays", NULL};

/* --- parameters -------------------------------------------------------------------------- */

enum acknowledge { ACKNOWLEDGE_STORED, ACKNOWLEDGE_DELIVERED };
static const char *const acknowledge_words[] = {"stored", "delivered", NULL};

enum order { ORDER_LOOSE, ORDER_STRICT };
static const char *const order_words[] = {"loose", "strict", NULL};

enum on_full { FULL_REJECTS, FULL_DROPS_OLDEST };
static const char *const full_words[] = {"reject", "drop_oldest", NULL};

enum on_cancel { CANCEL_IGNORED, CANCEL_WITHDRAWS };
static const char *const cancel_words[] = {"ignore", "withdraw", NULL};

struct message_queue_params {
    struct callee delivery;
    LIST_OF(struct callee) dead_letter; /* one or none */
    int64_t concurrency, capacity, max_deliveries;
    int order;                      /* enum order */
    int acknowledge;                /* enum acknowledge */
    int on_full;                    /* enum on_full */
    int on_reject;                  /* enum on_reject */
    int on_cancel;                  /* enum on_cancel */
    struct delays redelivery_delay; /* by the deliveries of a message that have failed */
    sim_time message_ttl;           /* [ns] SIM_TIME_NEVER: no limit */
    bool redeliver_rejected, durable;
};

static const struct param_spec call_rows[] = {CALLEE_ROWS("POST"), P_END};

static void derive_call(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    callee_derive(params, TIMER_CALL, at, diag, arena);
}

static const struct schema delivery_schema = {.name = "delivery",
                                              .summary = "To whom a queue's messages go, and how.",
                                              .size = sizeof(struct callee),
                                              .rows = call_rows,
                                              .shorthand = true,
                                              .derive = derive_call};

static const struct param_spec rows[] = {
    P_BLOCK(message_queue_params, delivery, delivery_schema, NULL,
            "The consumers, and how a message is delivered to one of them. The call's timeout is "
            "the visibility timeout: without one, a delivery that is not answered lasts for ever."),
    P_LIMIT(message_queue_params, concurrency, "1", 1, 1e9,
            "Messages in delivery at a time (prefetch)."),
    P_WORD(message_queue_params, order, order_words, "loose",
           "Whether a message that comes back goes behind those that wait (loose), or holds all "
           "newer ones up until it is done with (strict)."),
    P_WORD(message_queue_params, acknowledge, acknowledge_words, "stored",
           "When a producer is answered: with 202 as soon as its message is in the queue; or with "
           "200 when it has been delivered, 502 when it is a dead letter, 504 when it has expired "
           "and 503 when it was dropped."),
    P_CHOICE(message_queue_params, redelivery_delay, delays_choice, "{constant: 0s}",
             "Time between the end of a delivery that failed and when the message may be delivered "
             "again, by how many deliveries it has had."),
    P_LIMIT(message_queue_params, max_deliveries, "3", 1, 65535,
            "Deliveries of a message after which it is a dead letter."),
    P_BOOL(message_queue_params, redeliver_rejected, "false",
           "Whether a message is delivered again that a consumer has answered with a final failure "
           "(most of 4xx); else it is a dead letter at once."),
    P_LIST(message_queue_params, dead_letter, delivery_schema, "[]",
           "Where dead letters go: one target, or none, and then they are only counted."),
    P_MAYBE_DURATION(message_queue_params, message_ttl, "none", 1, 1e18,
                     "Age at which a message is dropped that is not in delivery."),
    P_LIMIT(message_queue_params, capacity, "unlimited", 1, 1e9,
            "Messages that the queue holds at most, those in delivery included, dead letters not."),
    P_WORD(message_queue_params, on_full, full_words, "reject",
           "Whose message is dropped when it is full: that which comes (reject), or that which has "
           "waited longest, if any waits (drop_oldest)."),
    P_WORD(message_queue_params, on_reject, reject_words, "reply",
           "What a producer gets whose message is not taken in: a reply 503, or none at all."),
    P_WORD(message_queue_params, on_cancel, cancel_words, "ignore",
           "What is done when a producer that waits for the delivery says that it does not any "
           "more: nothing, or its message leaves the queue, if it is not in delivery (withdraw)."),
    P_BOOL(message_queue_params, durable, "true", "Whether messages outlive a crash."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct message_queue_params *p = params;
    diag_at_most_one(diag, at, "dead_letter", p->dead_letter.count);
    if (p->on_cancel == CANCEL_WITHDRAWS && p->acknowledge == ACKNOWLEDGE_STORED) {
        diag_warning(diag, node_child(at, "on_cancel"),
                     "without acknowledge: delivered, no producer waits");
    }
    if (p->order == ORDER_STRICT && p->concurrency > 1) {
        diag_error(diag, node_child(at, "concurrency"),
                   "must be 1 with strict order, as deliveries overtake each other");
    }
    if (p->redelivery_delay.kind == DELAYS_PERCENTILE) {
        diag_error(diag, node_child(at, "redelivery_delay"),
                   "a queue knows of no response times to take a percentile of");
    }
}

static const struct schema schema = {.name = "message_queue",
                                     .summary = "Takes messages in and delivers them to consumers "
                                                "until one has taken each.",
                                     .size = sizeof(struct message_queue_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

/* Without a warm-up each request is rejected or a message accepted; each of these is delivered, a
 * dead letter, expired, evicted, withdrawn or lost, or the queue holds it: depth + delayed +
 * in_delivery. Each delivery has gone well (messages_delivered), failed or was lost, or is under
 * way (in_delivery). Each dead letter is discarded, delivered, failed or lost, or on its way
 * (dead_letters_out). */
struct message_queue_stats {
    uint64_t requests_received, requests_rejected, messages_accepted;
    uint64_t messages_delivered, messages_expired, messages_evicted, messages_withdrawn;
    uint64_t messages_lost, deliveries, deliveries_failed, deliveries_lost;
    uint64_t dead_letters, dead_letters_discarded, dead_letters_delivered, dead_letters_failed;
    uint64_t dead_letters_lost, requests_cancelled, requests_forgotten;
    uint64_t requests_missed, replies_lost;
    struct gauge depth, delayed, in_delivery, dead_letters_out;
    struct histogram delivery_lag, sojourn_time;
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {
    S_COUNTER(message_queue_stats, requests_received, "Messages that arrived."),
    S_COUNTER(message_queue_stats, requests_rejected, "Messages that found the queue full."),
    S_COUNTER(message_queue_stats, messages_accepted, "Messages taken in."),
    S_COUNTER(message_queue_stats, messages_delivered, "Messages that a consumer has taken."),
    S_COUNTER(message_queue_stats, messages_expired, "Messages dropped because of their age."),
    S_COUNTER(message_queue_stats, messages_evicted, "Messages dropped to make room."),
    S_COUNTER(message_queue_stats, messages_withdrawn,
              "Messages dropped because their producer had given up."),
    S_COUNTER(message_queue_stats, messages_lost,
              "Messages lost in a crash, dead letters not counted."),
    S_COUNTER(message_queue_stats, deliveries, "Deliveries begun."),
    S_COUNTER(message_queue_stats, deliveries_failed, "Deliveries that ended badly."),
    S_COUNTER(message_queue_stats, deliveries_lost, "Deliveries cut off by a crash."),
    S_COUNTER(message_queue_stats, dead_letters, "Messages given up."),
    S_COUNTER(message_queue_stats, dead_letters_discarded, "Of these, those that go nowhere."),
    S_COUNTER(message_queue_stats, dead_letters_delivered, "Dead letters sent on."),
    S_COUNTER(message_queue_stats, dead_letters_failed, "Dead letters that could not be sent on."),
    S_COUNTER(message_queue_stats, dead_letters_lost, "Dead letters lost in a crash."),
    S_COUNTER(message_queue_stats, requests_cancelled,
              "Messages in the queue that their producers gave up, where that matters."),
    S_COUNTER(message_queue_stats, requests_forgotten,
              "Messages whose producers waited when it crashed; they are not answered."),
    S_COUNTER(message_queue_stats, requests_missed,
              "Messages that arrived while it was down, and vanished."),
    S_COUNTER(message_queue_stats, replies_lost, "Replies lost on the wire."),
    S_GAUGE(message_queue_stats, depth, "Messages that wait for their delivery."),
    S_GAUGE(message_queue_stats, delayed, "Messages that wait for the time of their redelivery."),
    S_GAUGE(message_queue_stats, in_delivery, "Messages in delivery."),
    S_GAUGE(message_queue_stats, dead_letters_out, "Dead letters on their way."),
    S_HISTOGRAM(message_queue_stats, delivery_lag,
                "From the arrival of a message to the start of the delivery that went well."),
    S_HISTOGRAM(message_queue_stats, sojourn_time,
                "From the arrival of a message to when a consumer had taken it."),
    CALLER_STATS(message_queue_stats, calls, "downstream_", "Deliveries and dead letters: "),
    S_END};

/* --- messages ---------------------------------------------------------------------------- */

/* Where a message is; each of these has its list. */
enum place { PLACE_WAITING, PLACE_DELAYED, PLACE_DELIVERY, PLACE_DEAD, PLACES };

struct message_queue_state {
    struct chain in[PLACES];    /* enum place */
    struct request_index index; /* of those whose producers wait, where cancels matter */
    sim_time previous;          /* [ns] delay, where it is one for all */
};

struct queued {
    struct indexed_request in; /* the request */
    struct chain_link link;
    uint64_t redelivery, expiry; /* timers */
    sim_time arrived, sent;      /* [ns] itself; the delivery under way, or the last one */
    sim_time previous;           /* [ns] delay */
    uint32_t deliveries;         /* those that a crash cut off not counted */
    uint8_t place;               /* enum place */
    bool awaited;                /* its producer waits for an answer */
};

static struct queued *message_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_MESSAGES], slot);
}

static struct chain_slots links_of(const struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_MESSAGES], offsetof(struct queued, link)};
}

static struct request_slots requests_of(struct ctx *c)
{
    return (struct request_slots){c, &c->slabs[SLAB_MESSAGES], offsetof(struct queued, in)};
}

static void show(struct ctx *c)
{
    const struct message_queue_state *state = c->state;
    struct message_queue_stats *st = c->stats;
    gauge_set(&st->depth, c->now, state->in[PLACE_WAITING].count);
    gauge_set(&st->delayed, c->now, state->in[PLACE_DELAYED].count);
    gauge_set(&st->in_delivery, c->now, state->in[PLACE_DELIVERY].count);
    gauge_set(&st->dead_letters_out, c->now, state->in[PLACE_DEAD].count);
}

/* Puts a message elsewhere: last there, or before all others. */
static void move(struct ctx *c, uint32_t slot, enum place to, bool first)
{
    struct message_queue_state *state = c->state;
    struct chain_slots in = links_of(c);
    struct queued *q = message_at(c, slot);
    chain_drop(&state->in[q->place], &in, slot);
    chain_insert(&state->in[to], &in, slot, first ? state->in[to].first : 0);
    q->place = (uint8_t)to;
}

/* Nobody waits for an answer any more. */
static void let_go(struct ctx *c, uint32_t slot)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_state *state = c->state;
    if (message_at(c, slot)->awaited && p->on_cancel == CANCEL_WITHDRAWS) {
        struct request_slots in = requests_of(c);
        request_index_drop(&state->index, &in, slot);
    }
    message_at(c, slot)->awaited = false;
}

static void answer(struct ctx *c, const struct message *request, enum status status)
{
    struct message_queue_stats *st = c->stats;
    struct message reply = {.status = (uint16_t)status};
    st->replies_lost += !sim_reply(c, request, &reply);
}

/* Its producer hears of it, if it waits. */
static void tell(struct ctx *c, uint32_t slot, enum status status)
{
    if (message_at(c, slot)->awaited) {
        answer(c, &message_at(c, slot)->in.m, status);
        let_go(c, slot);
    }
}

static void forget(struct ctx *c, uint32_t slot)
{
    struct message_queue_state *state = c->state;
    struct chain_slots in = links_of(c);
    const struct queued *q = message_at(c, slot);
    let_go(c, slot);
    sim_cancel(c, q->redelivery);
    sim_cancel(c, q->expiry);
    chain_drop(&state->in[q->place], &in, slot);
    slab_give(in.slab, slot);
}

static bool is_expired(const struct ctx *c, uint32_t slot)
{
    const struct message_queue_params *p = c->params;
    return c->now - message_at(c, slot)->arrived >= p->message_ttl;
}

static void expire(struct ctx *c, uint32_t slot)
{
    struct message_queue_stats *st = c->stats;
    st->messages_expired++;
    tell(c, slot, STATUS_GATEWAY_TIMEOUT);
    forget(c, slot);
}

/* --- delivery ---------------------------------------------------------------------------- */

static const struct callee *callee_at(const struct ctx *c, uint32_t site)
{
    const struct message_queue_params *p = c->params;
    return site == SITE_DELIVERY ? &p->delivery : p->dead_letter.items;
}

static struct caller caller_for(struct ctx *c, uint32_t site)
{
    struct message_queue_stats *st = c->stats;
    const struct callee *callee = callee_at(c, site);
    return (struct caller){.ctx = c,
                           .target = &callee->target,
                           .params = &callee->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

static void send(struct ctx *c, uint32_t slot, uint32_t site)
{
    const struct message *m = &message_at(c, slot)->in.m;
    struct caller caller = caller_for(c, site);
    caller_start(&caller, &(struct call_request){.request = m->request,
                                                 .cookie = slot,
                                                 .deadline = SIM_TIME_NEVER,
                                                 .class_ = m->class_,
                                                 .site = (uint16_t)site,
                                                 .priority = m->priority,
                                                 .method = (uint8_t)callee_at(c, site)->method,
                                                 .bytes = m->bytes});
}

/* Delivers those that wait, as far as may be. */
static void deliver(struct ctx *c)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_state *state = c->state;
    struct message_queue_stats *st = c->stats;
    struct chain *in = state->in;
    bool held_up = p->order == ORDER_STRICT && in[PLACE_DELAYED].count > 0;
    while (!held_up && in[PLACE_WAITING].count > 0 && in[PLACE_DELIVERY].count < p->concurrency) {
        uint32_t slot = in[PLACE_WAITING].first - 1;
        struct queued *q = message_at(c, slot);
        move(c, slot, PLACE_DELIVERY, false);
        q->deliveries++;
        q->sent = c->now;
        st->deliveries++;
        send(c, slot, SITE_DELIVERY);
    }
    show(c);
}

static void await_expiry(struct ctx *c, uint32_t slot)
{
    const struct message_queue_params *p = c->params;
    if (p->message_ttl != SIM_TIME_NEVER) {
        struct queued *q = message_at(c, slot);
        sim_time left = p->message_ttl - (c->now - q->arrived);
        q->expiry = sim_timer(c, TIMER_EXPIRY, left, slab_token(&c->slabs[SLAB_MESSAGES], slot),
                              TIMER_FIRST | (q->arrived == c->now ? TIMER_CONSTANT : 0));
    }
}

static void bury(struct ctx *c, uint32_t slot)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_stats *st = c->stats;
    struct queued *q = message_at(c, slot);
    st->dead_letters++;
    tell(c, slot, STATUS_BAD_GATEWAY);
    if (p->dead_letter.count == 0) {
        st->dead_letters_discarded++;
        forget(c, slot);
        return;
    }
    sim_cancel(c, q->expiry);
    q->expiry = 0;
    move(c, slot, PLACE_DEAD, false);
    send(c, slot, SITE_DEAD_LETTER);
}

static void queue_again(struct ctx *c, uint32_t slot)
{
    const struct message_queue_params *p = c->params;
    move(c, slot, PLACE_WAITING, p->order == ORDER_STRICT);
}

/* A message whose delivery failed is to be delivered again. */
static void come_back(struct ctx *c, uint32_t slot)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_state *state = c->state;
    const struct delays *law = &p->redelivery_delay;
    struct queued *q = message_at(c, slot);
    if (is_expired(c, slot)) {
        expire(c, slot);
        return;
    }
    sim_time delay = delays_draw(law, q->deliveries, SIM_TIME_NEVER,
                                 law->shared_state ? &state->previous : &q->previous,
                                 &c->streams[STREAM_DELAYS]);
    if (delay == 0) {
        queue_again(c, slot);
    } else {
        move(c, slot, PLACE_DELAYED, false);
        q->redelivery =
            sim_timer(c, TIMER_REDELIVERY, delay, slab_token(&c->slabs[SLAB_MESSAGES], slot), 0);
    }
}

static void end_delivery(struct ctx *c, uint32_t slot, const struct call_end *end)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_stats *st = c->stats;
    const struct queued *q = message_at(c, slot);
    if (end->outcome == OUTCOME_SUCCESS) {
        st->messages_delivered++;
        sim_record(c, &st->delivery_lag, q->sent - q->arrived);
        sim_record(c, &st->sojourn_time, c->now - q->arrived);
        tell(c, slot, STATUS_OK);
        forget(c, slot);
        return;
    }
    /* That the queue itself let nothing through says nothing of the message. */
    bool rejected = end->outcome == OUTCOME_FINAL && end->last.error == ERROR_NONE;
    st->deliveries_failed++;
    if ((rejected && !p->redeliver_rejected) || q->deliveries >= p->max_deliveries) {
        bury(c, slot);
    } else {
        come_back(c, slot);
    }
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct message_queue_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    if (!call) {
        return;
    }
    struct caller caller = caller_for(c, call->site);
    struct call_end end;
    if (!caller_handle(&caller, call, e, &end)) {
        return;
    }
    uint32_t slot = (uint32_t)end.cookie;
    if (end.site == SITE_DELIVERY) {
        end_delivery(c, slot, &end);
    } else {
        st->dead_letters_delivered += end.outcome == OUTCOME_SUCCESS;
        st->dead_letters_failed += end.outcome != OUTCOME_SUCCESS;
        forget(c, slot);
    }
    deliver(c);
}

static void on_redelivery(struct ctx *c, const struct event *e)
{
    struct queued *q = slab_find(&c->slabs[SLAB_MESSAGES], e->msg.token);
    CHECK(q && q->place == PLACE_DELAYED, "a redelivery of what is not delayed");
    q->redelivery = 0;
    queue_again(c, (uint32_t)e->msg.token);
    deliver(c);
}

/* One in delivery is let be until that has ended. */
static void on_expiry(struct ctx *c, const struct event *e)
{
    struct queued *q = slab_find(&c->slabs[SLAB_MESSAGES], e->msg.token);
    CHECK(q && q->place != PLACE_DEAD, "the expiry of a message that is gone");
    q->expiry = 0;
    if (q->place != PLACE_DELIVERY) {
        expire(c, (uint32_t)e->msg.token);
        deliver(c);
    }
}

/* --- producers --------------------------------------------------------------------------- */

/* Whether there is room for one more message, if need be in place of the oldest that waits. */
static bool has_room(struct ctx *c)
{
    const struct message_queue_params *p = c->params;
    const struct message_queue_state *state = c->state;
    struct message_queue_stats *st = c->stats;
    const struct chain *in = state->in;
    int64_t held =
        (int64_t)in[PLACE_WAITING].count + in[PLACE_DELAYED].count + in[PLACE_DELIVERY].count;
    if (held < p->capacity) {
        return true;
    }
    uint32_t oldest = in[PLACE_WAITING].first;
    if (p->on_full == FULL_REJECTS || oldest == 0) {
        return false;
    }
    st->messages_evicted++;
    tell(c, oldest - 1, STATUS_OVERLOADED);
    forget(c, oldest - 1);
    return true;
}

static void put_in(struct ctx *c, const struct message *m)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_state *state = c->state;
    struct chain_slots links = links_of(c);
    uint32_t slot = slab_take(links.slab);
    bool awaited = p->acknowledge == ACKNOWLEDGE_DELIVERED;
    *message_at(c, slot) = (struct queued){.in = {.m = *m, .owner = c->self},
                                           .arrived = c->now,
                                           .place = PLACE_WAITING,
                                           .awaited = awaited};
    chain_push(&state->in[PLACE_WAITING], &links, slot);
    await_expiry(c, slot);
    if (awaited && p->on_cancel == CANCEL_WITHDRAWS) {
        struct request_slots in = requests_of(c);
        request_index_put(&state->index, &in, slot);
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_stats *st = c->stats;
    st->requests_received++;
    if (!has_room(c)) {
        st->requests_rejected++;
        if (p->on_reject == REJECT_REPLY) {
            answer(c, &e->msg, STATUS_OVERLOADED);
        }
        return;
    }
    st->messages_accepted++;
    put_in(c, &e->msg);
    if (p->acknowledge == ACKNOWLEDGE_STORED) {
        answer(c, &e->msg, STATUS_ACCEPTED);
    }
    deliver(c);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    struct message_queue_state *state = c->state;
    struct message_queue_stats *st = c->stats;
    struct request_slots in = requests_of(c);
    uint32_t slot = request_index_find(&state->index, &in, &e->msg);
    if (slot == SLAB_NONE) {
        return;
    }
    st->requests_cancelled++;
    let_go(c, slot);
    if (message_at(c, slot)->place != PLACE_DELIVERY) {
        st->messages_withdrawn++;
        forget(c, slot);
        deliver(c);
    }
}

/* --- crashes ----------------------------------------------------------------------------- */

static void lose_all(struct ctx *c)
{
    struct message_queue_state *state = c->state;
    struct message_queue_stats *st = c->stats;
    uint32_t dead = state->in[PLACE_DEAD].count;
    uint32_t all =
        slab_give_owned(&c->slabs[SLAB_MESSAGES], offsetof(struct queued, in.owner), c->self);
    st->dead_letters_lost += dead;
    st->messages_lost += all - dead;
    for (int i = 0; i < PLACES; i++) {
        state->in[i] = (struct chain){.count = 0};
    }
}

/* All messages in a place wait again, before all others and in their order. */
static void recall(struct ctx *c, enum place from)
{
    struct message_queue_state *state = c->state;
    while (state->in[from].last) {
        uint32_t slot = state->in[from].last - 1;
        message_at(c, slot)->deliveries -= from == PLACE_DELIVERY;
        move(c, slot, PLACE_WAITING, true);
    }
}

static void crash(struct ctx *c)
{
    const struct message_queue_params *p = c->params;
    struct message_queue_state *state = c->state;
    struct message_queue_stats *st = c->stats;
    struct chain_slots links = links_of(c);
    caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
    request_index_clear(&state->index, c);
    st->deliveries_lost += state->in[PLACE_DELIVERY].count;
    for (int i = 0; i < PLACES; i++) {
        for (uint32_t link = state->in[i].first; link; link = chain_at(&links, link)->next) {
            struct queued *q = message_at(c, link - 1);
            st->requests_forgotten += q->awaited;
            q->awaited = false;
            q->redelivery = q->expiry = 0;
        }
    }
    if (p->durable) {
        recall(c, PLACE_DELAYED);
        recall(c, PLACE_DELIVERY);
    } else {
        lose_all(c);
    }
    state->previous = 0;
    show(c);
}

/* Goes on with what a durable queue has kept. */
static void restart(struct ctx *c)
{
    const struct message_queue_state *state = c->state;
    struct chain_slots links = links_of(c);
    uint32_t link = state->in[PLACE_WAITING].first;
    while (link) {
        uint32_t slot = link - 1;
        link = chain_at(&links, link)->next;
        if (is_expired(c, slot)) {
            expire(c, slot);
        } else {
            await_expiry(c, slot);
        }
    }
    for (link = state->in[PLACE_DEAD].first; link; link = chain_at(&links, link)->next) {
        send(c, link - 1, SITE_DEAD_LETTER);
    }
    deliver(c);
}

/* --- the rest ---------------------------------------------------------------------------- */

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case TIMER_REDELIVERY:
        on_redelivery(c, e);
        break;
    case TIMER_EXPIRY:
        on_expiry(c, e);
        break;
    default:
        if (e->msg.status == ACTION_CRASH) {
            crash(c);
        } else if (e->msg.status == ACTION_RESTART) {
            restart(c);
        }
        break;
    }
}

static void miss(struct ctx *c, const struct event *e)
{
    struct message_queue_stats *st = c->stats;
    st->requests_missed += e->kind == EVENT_REQUEST;
}

static void traffic(const void *params, struct traffic *t)
{
    const struct message_queue_params *p = params;
    t->out[p->delivery.target.port] = t->in;
    t->events = 2.0 * t->in; /* a message, and the reply to its delivery */
}

const struct entity_type message_queue_type = {
    .name = "message_queue",
    .answers = true,
    .heeds = 1u << ACTION_CONDITIONER,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct message_queue_stats),
    .state_size = sizeof(struct message_queue_state),
    .streams = streams,
    .slabs = {sizeof(struct queued), sizeof(struct call)},
    .handle = handle,
    .miss = miss,
    .traffic = traffic};
