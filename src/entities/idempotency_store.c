/* SPDX-License-Identifier: Apache-2.0
 *
 * idempotency_store: stands between callers and a target, and sends on each logical request once.
 * What the target is asked for twice, because a caller has lost patience, it need not do twice.
 *
 * The key of a request is the number of its logical request, which all of its attempts share,
 * retries and hedges. (So do the calls that a server makes for one request: where it asks the same
 * store twice, the second time is a duplicate.) A key is in flight from when its first request, the
 * original, is sent on until the target answers that; then it is completed, and stays known until
 * a sweep finds it to be as old as `ttl`. Nobody looks at its age in between, so it lives up to one
 * `cleanup_interval` longer. Requests of `keyless_kinds` have no key and are sent on as they are.
 *
 * A duplicate is not sent on. It is dropped, so that its caller hears nothing; or it joins: it is
 * answered as the original was, at once or as soon as that is. A caller that has given up waiting
 * for the original's reply gets nothing by a retry from a store that drops, and the answer from one
 * where duplicates join.
 *
 * An answer with a status from 400 on completes nothing, nor does one that says that it is not
 * ready: who has joined gets it, the key is forgotten, and a retry is sent on. With
 * `store_failures` failures are kept like successes, as if any answer were the last word.
 *
 * An original whose caller gives it up stays in flight, as the target works on. Where the target is
 * told (`pass_cancel`) and nobody has joined, the key is forgotten.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "engine/kind.h"
#include "parts/chain.h"
#include "parts/key_table.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_SWEEP = EVENT_TIMER, TIMER_IN_FLIGHT };
enum { STREAM_BALANCE };
enum { SLAB_REQUESTS, SLAB_KEYS };

static const char *const streams[] = {"balance", NULL};

/* --- parameters -------------------------------------------------------------------------- */

enum on_duplicate { DUPLICATE_DROPPED, DUPLICATE_JOINS };
static const char *const duplicate_words[] = {"drop", "join", NULL};

struct keyless_kind {
    struct kind kind;
};

struct idempotency_store_params {
    struct target target;
    LIST_OF(struct keyless_kind) keyless_kinds;
    sim_time ttl, cleanup_interval; /* [ns] */
    sim_time in_flight_ttl;         /* [ns] SIM_TIME_NEVER: none */
    int64_t max_entries;
    int on_duplicate; /* enum on_duplicate */
    bool store_failures, durable, pass_cancel;
};

static const struct param_spec kind_rows[] = {KIND_NAME(keyless_kind, kind, "The kind."), P_END};

static const struct schema kind_schema = {.name = "keyless_kind",
                                          .summary = "A kind of requests that have no key.",
                                          .size = sizeof(struct keyless_kind),
                                          .rows = kind_rows,
                                          .kinds = KINDS_SOUGHT,
                                          .shorthand = true};

static const struct param_spec rows[] = {
    P_TARGET(idempotency_store_params, target, NULL, "Where requests go that are no duplicates."),
    P_LIST(idempotency_store_params, keyless_kinds, kind_schema, "[]",
           "Kinds of requests that have no key and are sent on whatever was before."),
    P_DURATION(idempotency_store_params, ttl, "300s", 1, 1e18,
               "Age from which a sweep removes a completed key. It counts from the completion."),
    P_COUNT(idempotency_store_params, max_entries, "10000", 1, 1e9,
            "Completed keys that are kept at most; the one completed first makes room."),
    P_DURATION(
        idempotency_store_params, cleanup_interval, "60s", 1, 1e18,
        "Time from sweep to sweep, while there is any key. The first one comes so long after "
        "the first key."),
    P_WORD(idempotency_store_params, on_duplicate, duplicate_words, "drop",
           "What a duplicate gets: no reply, or that of the original."),
    P_MAYBE_DURATION(idempotency_store_params, in_flight_ttl, "none", 1, 1e18,
                     "Time after which a key in flight is forgotten, as if its original were lost. "
                     "None: such a key stays blocked for ever."),
    P_BOOL(idempotency_store_params, store_failures, "false",
           "Whether an answer with a status from 400 on completes a key, too."),
    P_BOOL(idempotency_store_params, durable, "false", "Whether completed keys survive a crash."),
    P_BOOL(idempotency_store_params, pass_cancel, "false",
           "Whether the target is told that nobody waits for a request any more. Its key is then "
           "forgotten."),
    P_END};

static const struct schema schema = {.name = "idempotency_store",
                                     .summary = "Sends requests on, but none of them twice.",
                                     .size = sizeof(struct idempotency_store_params),
                                     .rows = rows};

/* --- statistics -------------------------------------------------------------------------- */

/* Whatever happens:
 *   total_requests = keyless_requests + cache_misses + cache_hits
 *   cache_hits     = duplicates_dropped + duplicates_joined
 *   requests_sent  = keyless_requests + cache_misses
 *   total_requests = requests_answered + duplicates_dropped + cancels_received + requests_lost +
 *                    in_progress
 *   cache_misses   = entries_stored + completions_not_stored + in_flight_expired +
 *                    in_flight_abandoned + in_flight_lost + in_flight
 *   entries_stored = entries_expired + entries_lost + cache_size */
struct idempotency_store_stats {
    struct relay_stats relay;
    uint64_t total_requests, keyless_requests, requests_answered;
    uint64_t cache_hits, cache_misses, in_flight_hits, duplicates_dropped, duplicates_joined;
    uint64_t entries_stored, entries_expired, evictions, entries_lost, completions_not_stored;
    uint64_t in_flight_expired, in_flight_abandoned, in_flight_lost;
    struct gauge cache_size, in_flight;
};

static const struct stat_spec stats[] = {
    RELAY_STATS(idempotency_store_stats, relay),
    S_COUNTER(idempotency_store_stats, total_requests, "Requests that arrived, of any kind."),
    S_COUNTER(idempotency_store_stats, keyless_requests, "Requests without a key, sent on."),
    S_COUNTER(idempotency_store_stats, requests_answered,
              "Requests answered, by the target or for it."),
    S_COUNTER(idempotency_store_stats, cache_hits,
              "Duplicates: requests whose key was completed or in flight."),
    S_COUNTER(idempotency_store_stats, cache_misses, "Requests with a new key, sent on."),
    S_COUNTER(idempotency_store_stats, in_flight_hits,
              "Duplicates of requests that were in flight."),
    S_COUNTER(idempotency_store_stats, duplicates_dropped, "Duplicates that get no reply."),
    S_COUNTER(idempotency_store_stats, duplicates_joined,
              "Duplicates that get, or wait for, the reply of the original."),
    S_COUNTER(idempotency_store_stats, entries_stored, "Keys completed."),
    S_COUNTER(idempotency_store_stats, entries_expired,
              "Completed keys removed, by sweeps or to make room."),
    S_COUNTER(idempotency_store_stats, evictions, "Completed keys removed to make room."),
    S_COUNTER(idempotency_store_stats, entries_lost, "Completed keys lost in a crash."),
    S_COUNTER(idempotency_store_stats, completions_not_stored,
              "Keys forgotten because the answer was a failure, or not ready."),
    S_COUNTER(idempotency_store_stats, in_flight_expired,
              "Keys in flight forgotten because no answer came in time."),
    S_COUNTER(idempotency_store_stats, in_flight_abandoned,
              "Keys in flight forgotten because nobody waited any more, as the target was told."),
    S_COUNTER(idempotency_store_stats, in_flight_lost, "Keys in flight lost in a crash."),
    S_GAUGE(idempotency_store_stats, cache_size, "Completed keys."),
    S_GAUGE(idempotency_store_stats, in_flight, "Keys in flight."),
    S_END};

/* --- state ------------------------------------------------------------------------------- */

struct idempotency_store_state {
    struct relay_state relay;
    struct key_table table;
    struct chain in_flight, completed; /* of SLAB_KEYS; completed: in the order of completion */
    bool sweeping;                     /* a sweep is due */
};

/* A request in hand. */
struct stored_request {
    struct relay_slot relay;
    uint32_t key;           /* that it is the original of: 1-based slot, 0: of none */
    uint32_t original;      /* for whose reply it waits: 1-based slot, 0: it was sent on itself */
    struct chain joined;    /* those who wait for the reply of this one */
    struct chain_link link; /* among those */
};

struct stored_key {
    struct keyed_slot in;
    struct chain_link link;
    uint32_t original; /* in flight: 1-based slot of the request that was sent on; 0: completed */
    uint16_t status;   /* of the answer, when completed; likewise: */
    uint8_t flags;
    uint32_t bytes;       /* [B] */
    sim_time retry_after; /* [ns] what stands in place of a deadline */
    sim_time completed;   /* [ns] */
    uint64_t timer;       /* of in_flight_ttl */
};

static struct stored_request *request_at(const struct ctx *c, uint32_t link)
{
    return slab_at(&c->slabs[SLAB_REQUESTS], link - 1);
}

static struct stored_key *key_at(const struct ctx *c, uint32_t link)
{
    return slab_at(&c->slabs[SLAB_KEYS], link - 1);
}

static struct key_slots table_slots(struct ctx *c)
{
    return (struct key_slots){c, &c->slabs[SLAB_KEYS], offsetof(struct stored_key, in)};
}

static struct chain_slots key_slots(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_KEYS], offsetof(struct stored_key, link)};
}

static struct chain_slots joined_slots(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_REQUESTS], offsetof(struct stored_request, link)};
}

/* --- keys -------------------------------------------------------------------------------- */

static void count_keys(struct ctx *c)
{
    const struct idempotency_store_state *state = c->state;
    struct idempotency_store_stats *st = c->stats;
    gauge_set(&st->in_flight, c->now, state->in_flight.count);
    gauge_set(&st->cache_size, c->now, state->completed.count);
}

/* Where there is any key a sweep is due: one, however many requests find the store empty. It goes
 * before the requests of its instant. */
static void await_sweep(struct ctx *c)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_state *state = c->state;
    if (!state->sweeping && state->table.count > 0) {
        sim_timer(c, TIMER_SWEEP, p->cleanup_interval, 0, TIMER_FIRST | TIMER_CONSTANT);
        state->sweeping = true;
    }
}

/* A key is in flight from now on; its slot, 1-based. */
static uint32_t begin_key(struct ctx *c, uint64_t key, uint32_t original)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_state *state = c->state;
    struct key_slots in = table_slots(c);
    struct chain_slots chains = key_slots(c);
    uint32_t slot = slab_take(in.slab);
    *key_at(c, slot + 1) = (struct stored_key){
        .in.key = key,
        .original = original,
        .timer = sim_timer(c, TIMER_IN_FLIGHT, p->in_flight_ttl, slab_token(in.slab, slot),
                           TIMER_FIRST | TIMER_CONSTANT)};
    key_table_put(&state->table, &in, slot);
    chain_push(&state->in_flight, &chains, slot);
    count_keys(c);
    await_sweep(c);
    return slot + 1;
}

/* Forgets a key of one of the two chains. */
static void forget_key(struct ctx *c, struct chain *of, uint32_t link)
{
    struct idempotency_store_state *state = c->state;
    struct key_slots in = table_slots(c);
    struct chain_slots chains = key_slots(c);
    sim_cancel(c, key_at(c, link)->timer);
    key_table_drop(&state->table, &in, link - 1);
    chain_drop(of, &chains, link - 1);
    slab_give(in.slab, link - 1);
    count_keys(c);
}

/* The original is in flight no more, as far as its key goes. */
static void forget_original(struct ctx *c, struct stored_request *q)
{
    struct idempotency_store_state *state = c->state;
    forget_key(c, &state->in_flight, q->key);
    q->key = 0;
}

static void store(struct ctx *c, struct stored_request *q, const struct message *reply)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_state *state = c->state;
    struct idempotency_store_stats *st = c->stats;
    struct chain_slots chains = key_slots(c);
    if (state->completed.count >= p->max_entries) {
        st->entries_expired++;
        st->evictions++;
        forget_key(c, &state->completed, state->completed.first);
    }
    struct stored_key *k = key_at(c, q->key);
    sim_cancel(c, k->timer);
    chain_drop(&state->in_flight, &chains, q->key - 1);
    chain_push(&state->completed, &chains, q->key - 1);
    k->original = 0;
    k->timer = 0;
    k->status = reply->status;
    k->flags = reply->flags;
    k->bytes = reply->bytes;
    k->retry_after = reply->deadline;
    k->completed = c->now;
    q->key = 0;
    st->entries_stored++;
    count_keys(c);
}

static void complete(struct ctx *c, struct stored_request *q, const struct message *reply)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_stats *st = c->stats;
    /* That the target could not be reached is no answer of its own. */
    bool reached = reply->status != STATUS_NETWORK && reply->status != STATUS_NO_CONNECTION;
    bool good = (p->store_failures && reached) || verdict_of(reply->status) == OUTCOME_SUCCESS;
    if (good && !(reply->flags & REPLY_PROCESSING)) {
        store(c, q, reply);
    } else {
        st->completions_not_stored++;
        forget_original(c, q);
    }
}

static void sweep(struct ctx *c)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_state *state = c->state;
    struct idempotency_store_stats *st = c->stats;
    uint32_t first;
    while ((first = state->completed.first) && c->now - key_at(c, first)->completed >= p->ttl) {
        st->entries_expired++;
        forget_key(c, &state->completed, first);
    }
    state->sweeping = false;
    await_sweep(c);
}

/* --- requests ---------------------------------------------------------------------------- */

static bool is_keyless(const struct ctx *c, const struct message *m)
{
    const struct idempotency_store_params *p = c->params;
    uint32_t i = 0;
    while (i < p->keyless_kinds.count && p->keyless_kinds.items[i].kind.number != m->class_) {
        i++;
    }
    return i < p->keyless_kinds.count;
}

static void answer(struct ctx *c, struct stored_request *q, const struct message *reply)
{
    struct idempotency_store_stats *st = c->stats;
    struct relay relay = relay_of(c);
    st->requests_answered += !q->relay.detached;
    relay_answer(&relay, &q->relay, reply);
}

static void join(struct ctx *c, struct stored_request *q, const struct stored_key *k)
{
    struct idempotency_store_stats *st = c->stats;
    st->duplicates_joined++;
    if (k->original) {
        struct chain_slots joined = joined_slots(c);
        q->original = k->original;
        chain_push(&request_at(c, k->original)->joined, &joined, q->relay.slot);
    } else {
        answer(c, q,
               &(struct message){.status = k->status,
                                 .flags = k->flags,
                                 .bytes = k->bytes,
                                 .deadline = k->retry_after});
    }
}

static void on_duplicate(struct ctx *c, struct stored_request *q, const struct stored_key *k)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_stats *st = c->stats;
    st->cache_hits++;
    st->in_flight_hits += k->original != 0;
    if (p->on_duplicate == DUPLICATE_JOINS) {
        join(c, q, k);
    } else {
        struct relay relay = relay_of(c);
        st->duplicates_dropped++;
        relay_drop(&relay, &q->relay, false);
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct idempotency_store_params *p = c->params;
    const struct idempotency_store_state *state = c->state;
    struct idempotency_store_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_take(&relay, e);
    struct stored_request *q = request_at(c, s->slot + 1);
    q->key = q->original = 0;
    q->joined = (struct chain){.count = 0};
    st->total_requests++;
    if (is_keyless(c, &e->msg)) {
        st->keyless_requests++;
    } else {
        struct key_slots in = table_slots(c);
        uint32_t known = key_table_find(&state->table, &in, e->msg.request);
        if (known != SLAB_NONE) {
            on_duplicate(c, q, key_at(c, known + 1));
            return;
        }
        st->cache_misses++;
        q->key = begin_key(c, e->msg.request, s->slot + 1);
    }
    relay_send(&relay, s, &p->target, &c->streams[STREAM_BALANCE]);
}

static void on_reply(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    if (s->out) { /* more is to come */
        relay_answer(&relay, s, &e->msg);
        return;
    }
    struct stored_request *q = request_at(c, s->slot + 1);
    if (q->key) {
        complete(c, q, &e->msg);
    }
    uint32_t next = q->joined.first;
    answer(c, q, &e->msg);
    while (next) {
        struct stored_request *duplicate = request_at(c, next);
        next = duplicate->link.next;
        answer(c, duplicate, &e->msg);
    }
}

/* --- what is given up -------------------------------------------------------------------- */

/* Gives up an original for whose reply nobody waits any more, unless it is to complete a key. */
static void give_up_unwanted(struct ctx *c, struct stored_request *q)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_stats *st = c->stats;
    if (!q->relay.detached || q->joined.count > 0 || (q->key && !p->pass_cancel)) {
        return;
    }
    if (q->key) {
        st->in_flight_abandoned++;
        forget_original(c, q);
    }
    struct relay relay = relay_of(c);
    relay_drop(&relay, &q->relay, p->pass_cancel);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct stored_request *q = request_at(c, s->slot + 1);
    if (q->original) {
        struct chain_slots joined = joined_slots(c);
        struct stored_request *original = request_at(c, q->original);
        chain_drop(&original->joined, &joined, s->slot);
        relay_drop(&relay, s, false);
        give_up_unwanted(c, original);
    } else {
        relay_detach(&relay, s);
        give_up_unwanted(c, q);
    }
}

/* The original of a key has been away for too long. Should it be answered after all, those hear of
 * it who wait for it, but the key may have another original by then. */
static void on_in_flight_ttl(struct ctx *c, const struct event *e)
{
    struct idempotency_store_stats *st = c->stats;
    const struct stored_key *k = slab_find(&c->slabs[SLAB_KEYS], e->msg.token);
    CHECK(k && k->original, "the timer of a key that is not in flight");
    struct stored_request *q = request_at(c, k->original);
    st->in_flight_expired++;
    forget_original(c, q);
    give_up_unwanted(c, q);
}

static void crash(struct ctx *c)
{
    const struct idempotency_store_params *p = c->params;
    struct idempotency_store_state *state = c->state;
    struct idempotency_store_stats *st = c->stats;
    struct relay relay = relay_of(c);
    relay_crash(&relay);
    while (state->in_flight.first) {
        st->in_flight_lost++;
        forget_key(c, &state->in_flight, state->in_flight.first);
    }
    while (!p->durable && state->completed.first) {
        st->entries_lost++;
        forget_key(c, &state->completed, state->completed.first);
    }
    state->sweeping = false;
}

static void on_action(struct ctx *c, const struct event *e)
{
    if (e->msg.status == ACTION_CRASH) {
        crash(c);
    } else if (e->msg.status == ACTION_RESTART) {
        await_sweep(c);
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
    case TIMER_SWEEP:
        sweep(c);
        break;
    default:
        on_in_flight_ttl(c, e);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct idempotency_store_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type idempotency_store_type = {
    .name = "idempotency_store",
    .answers = true,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct idempotency_store_stats),
    .state_size = sizeof(struct idempotency_store_state),
    .streams = streams,
    .slabs = {sizeof(struct stored_request), sizeof(struct stored_key)},
    .handle = handle,
    .miss = relay_miss,
    .traffic = traffic};
