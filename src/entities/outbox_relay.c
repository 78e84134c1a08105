/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox_relay: a transactional outbox and the relay that empties it. A request is a write: it is
 * put down in the same transaction as whatever its caller does, and so answered at once. From the
 * first write on the relay looks into the outbox every `poll_interval`, takes up to `batch_size` of
 * the oldest entries and delivers one after the other, `relay_latency` each; after the last of them
 * the interval begins anew.
 *
 * Delivery is at least once. An entry is done with when its delivery, a call like any other, ends
 * well. One whose call fails, or is lost in a crash, is pending again, in its old place before the
 * newer ones; without a timeout in its `call` a delivery that is not answered waits for ever. All
 * deliveries of an entry carry the number of the request that wrote it, by which whoever receives
 * them knows them for the same. A crash loses no entry: the outbox is on a disk.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "engine/target.h"
#include "parts/caller.h"
#include "parts/chain.h"
#include "policies/verdict.h"

enum { TIMER_POLL = EVENT_TIMER, TIMER_RELAY, TIMER_CALL };
enum { STREAM_LATENCY, STREAM_CALLS };
enum { SLAB_ENTRIES, SLAB_CALLS };

static const char *const streams[] = {"latency", "calls", NULL};

struct outbox_relay_params {
    struct target target;
    sim_time poll_interval; /* [ns] */
    int64_t batch_size;
    struct dist relay_latency;
    int method; /* enum method */
    struct call_params call;
};

static const struct param_spec rows[] = {
    P_TARGET(outbox_relay_params, target, NULL, "Where entries are delivered."),
    P_DURATION(outbox_relay_params, poll_interval, "100ms", 1, 1e18,
               "Time between the first write, or the end of a batch, and the next look."),
    P_COUNT(outbox_relay_params, batch_size, "100", 1, 1e9, "Entries taken at a look at most."),
    P_CHOICE(outbox_relay_params, relay_latency, dist_duration, "1ms",
             "Time that the relay spends on an entry before it is sent."),
    P_WORD(outbox_relay_params, method, method_words, "POST", "Method of the deliveries."),
    P_BLOCK(outbox_relay_params, call, call_schema, "{}",
            "How entries are delivered. What fails for good here is taken up again by a later "
            "look."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)at;
    (void)diag;
    (void)arena;
    struct outbox_relay_params *p = params;
    call_params_own(&p->call, &p->target, &(struct call_owner){.timer_kind = TIMER_CALL});
}

static const struct schema schema = {.name = "outbox_relay",
                                     .summary = "Takes writes at once and delivers them later.",
                                     .size = sizeof(struct outbox_relay_params),
                                     .rows = rows,
                                     .derive = derive};

struct outbox_relay_stats {
    uint64_t entries_written, entries_relayed, relay_failures, poll_cycles;
    uint64_t requests_missed, replies_lost;
    struct gauge pending, in_delivery;
    struct histogram relay_lag;
    struct caller_stats calls;
};

/* entries_written = entries_relayed + pending + in_delivery, without a warm-up. */
static const struct stat_spec stats[] = {
    S_COUNTER(outbox_relay_stats, entries_written, "Entries written."),
    S_COUNTER(outbox_relay_stats, entries_relayed, "Entries whose delivery ended well."),
    S_COUNTER(outbox_relay_stats, relay_failures,
              "Deliveries that failed for good or were lost in a crash, so that their entries are "
              "pending again."),
    S_COUNTER(outbox_relay_stats, poll_cycles, "Looks into the outbox, in vain or not."),
    S_COUNTER(outbox_relay_stats, requests_missed,
              "Writes that arrived while it was down, and vanished."),
    S_COUNTER(outbox_relay_stats, replies_lost, "Replies lost on the wire."),
    S_GAUGE(outbox_relay_stats, pending, "Entries that no look has taken, or that came back."),
    S_GAUGE(outbox_relay_stats, in_delivery, "Entries taken and not yet done with."),
    S_HISTOGRAM(outbox_relay_stats, relay_lag,
                "From the write of an entry to when the delivery that ended well was sent."),
    CALLER_STATS(outbox_relay_stats, calls, "downstream_", "Deliveries: "),
    S_END};

struct outbox_relay_state {
    uint64_t written;     /* entries ever */
    struct chain pending; /* in the order in which they were written */
    struct chain taken;   /* by looks, in the order in which they were */
    uint32_t next;        /* of those the first that is not sent yet: a link, 0: none */
    uint32_t back; /* of those pending the one that was put back last, if it is one; a link */
};

struct entry {
    struct chain_link link;
    uint64_t number;  /* from 1, in the order of writing */
    struct message m; /* that wrote it */
    sim_time written; /* [ns] */
    sim_time sent;    /* [ns] the delivery under way; 0: not yet */
    entity_id owner;
};

static struct entry *entry_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_ENTRIES], slot);
}

static struct chain_slots slots_of(const struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_ENTRIES], offsetof(struct entry, link)};
}

static struct caller caller_for(struct ctx *c)
{
    const struct outbox_relay_params *p = c->params;
    struct outbox_relay_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

static void show(struct ctx *c)
{
    const struct outbox_relay_state *state = c->state;
    struct outbox_relay_stats *st = c->stats;
    gauge_set(&st->pending, c->now, state->pending.count);
    gauge_set(&st->in_delivery, c->now, state->taken.count);
}

/* --- writing ----------------------------------------------------------------------------- */

static void await_poll(struct ctx *c)
{
    const struct outbox_relay_params *p = c->params;
    sim_timer(c, TIMER_POLL, p->poll_interval, 0, TIMER_CONSTANT);
}

static void on_write(struct ctx *c, const struct event *e)
{
    struct outbox_relay_state *state = c->state;
    struct outbox_relay_stats *st = c->stats;
    struct chain_slots in = slots_of(c);
    uint32_t slot = slab_take(&c->slabs[SLAB_ENTRIES]);
    *entry_at(c, slot) = (struct entry){
        .number = ++state->written, .m = e->msg, .written = c->now, .owner = c->self};
    chain_push(&state->pending, &in, slot);
    st->entries_written++;
    show(c);
    struct message reply = {.status = STATUS_OK};
    st->replies_lost += !sim_reply(c, &e->msg, &reply);
    if (state->written == 1) {
        await_poll(c);
    }
}

/* --- relaying ---------------------------------------------------------------------------- */

static void await_relay(struct ctx *c)
{
    const struct outbox_relay_params *p = c->params;
    sim_work(c, TIMER_RELAY, &p->relay_latency, STREAM_LATENCY, 1.0, 0);
}

static void on_poll(struct ctx *c)
{
    const struct outbox_relay_params *p = c->params;
    struct outbox_relay_state *state = c->state;
    struct outbox_relay_stats *st = c->stats;
    struct chain_slots in = slots_of(c);
    st->poll_cycles++;
    for (int64_t n = 0; n < p->batch_size && state->pending.count > 0; n++) {
        uint32_t link = state->pending.first;
        chain_drop(&state->pending, &in, link - 1);
        state->back = link == state->back ? 0 : state->back;
        chain_push(&state->taken, &in, link - 1);
        state->next = n == 0 ? link : state->next;
    }
    show(c);
    if (state->next) {
        await_relay(c);
    } else {
        await_poll(c);
    }
}

/* The relay is done with the next entry of the batch: out it goes. */
static void on_relay(struct ctx *c)
{
    const struct outbox_relay_params *p = c->params;
    struct outbox_relay_state *state = c->state;
    struct chain_slots in = slots_of(c);
    uint32_t link = state->next;
    struct entry *entry = entry_at(c, link - 1);
    struct caller caller = caller_for(c);
    state->next = chain_at(&in, link)->next;
    entry->sent = c->now;
    caller_start(&caller, &(struct call_request){.request = entry->m.request,
                                                 .cookie = link - 1,
                                                 .deadline = SIM_TIME_NEVER,
                                                 .class_ = entry->m.class_,
                                                 .priority = entry->m.priority,
                                                 .method = (uint8_t)p->method,
                                                 .bytes = entry->m.bytes});
    if (state->next) {
        await_relay(c);
    } else {
        await_poll(c);
    }
}

/* An entry that was taken is pending again, before newer ones. What fails mostly does so in its
 * order, so that its place is behind the one before. */
static void put_back(struct ctx *c, uint32_t slot)
{
    struct outbox_relay_state *state = c->state;
    struct chain_slots in = slots_of(c);
    uint64_t number = entry_at(c, slot)->number;
    bool follows = state->back && entry_at(c, state->back - 1)->number < number;
    uint32_t behind = follows ? state->back : state->pending.first;
    while (behind && entry_at(c, behind - 1)->number < number) {
        behind = chain_at(&in, behind)->next;
    }
    chain_drop(&state->taken, &in, slot);
    chain_insert(&state->pending, &in, slot, behind);
    state->back = slot + 1;
    entry_at(c, slot)->sent = 0;
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct outbox_relay_state *state = c->state;
    struct outbox_relay_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    struct caller caller = caller_for(c);
    struct call_end end;
    if (!call || !caller_handle(&caller, call, e, &end)) {
        return;
    }
    uint32_t slot = (uint32_t)end.cookie;
    if (end.outcome == OUTCOME_SUCCESS) {
        struct chain_slots in = slots_of(c);
        const struct entry *entry = entry_at(c, slot);
        st->entries_relayed++;
        sim_record(c, &st->relay_lag, entry->sent - entry->written);
        chain_drop(&state->taken, &in, slot);
        slab_give(&c->slabs[SLAB_ENTRIES], slot);
    } else {
        st->relay_failures++;
        put_back(c, slot);
    }
    show(c);
}

/* --- the rest ---------------------------------------------------------------------------- */

static void on_action(struct ctx *c, const struct event *e)
{
    struct outbox_relay_state *state = c->state;
    struct outbox_relay_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
        while (state->taken.last) {
            uint32_t slot = state->taken.last - 1;
            st->relay_failures += entry_at(c, slot)->sent != 0;
            put_back(c, slot);
        }
        state->next = 0;
        show(c);
    } else if (e->msg.status == ACTION_RESTART && state->written > 0) {
        await_poll(c);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_write(c, e);
        break;
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case TIMER_POLL:
        on_poll(c);
        break;
    case TIMER_RELAY:
        on_relay(c);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    default:
        break; /* a cancel: what is written is written */
    }
}

static void miss(struct ctx *c, const struct event *e)
{
    struct outbox_relay_stats *st = c->stats;
    st->requests_missed += e->kind == EVENT_REQUEST;
}

static void traffic(const void *params, struct traffic *t)
{
    const struct outbox_relay_params *p = params;
    t->out[p->target.port] = t->in;
    /* A write, its turn and the reply to its delivery each; and the looks. */
    t->events = 3.0 * t->in + (double)SIM_TIME_S / (double)p->poll_interval;
}

const struct entity_type outbox_relay_type = {.name = "outbox_relay",
                                              .answers = true,
                                              .heeds = 1u << ACTION_CONDITIONER,
                                              .params = &schema,
                                              .stats = stats,
                                              .stats_size = sizeof(struct outbox_relay_stats),
                                              .state_size = sizeof(struct outbox_relay_state),
                                              .streams = streams,
                                              .slabs = {sizeof(struct entry), sizeof(struct call)},
                                              .handle = handle,
                                              .miss = miss,
                                              .traffic = traffic};
