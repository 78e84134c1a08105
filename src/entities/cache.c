/* SPDX-License-Identifier: Apache-2.0
 *
 * cache: keeps what a target has answered and answers with that, so that the target is asked less.
 * Each request is about a key (`keys`, policies/keys.h). What is there is a hit; on a miss the key
 * is fetched from the target by a call with timeouts and retries of its own, and kept. Which entry
 * makes room when the cache is full says `eviction`.
 *
 * An entry is fresh until its `soft_ttl`, stale from then on, and gone at its `ttl`, the instant
 * included. What is stale is answered with all the same, and fetched once in the background (stale
 * while revalidate). With `stale_if_error` it is kept for that time longer, not for hits, but for
 * those whose fetch fails. `ttl` counts from when the entry was written, or with
 * `ttl_reset_on_access` from its last use; `soft_ttl` from when it was written. Entries leave as
 * soon as a request or an answer finds their time to be up: until then they are still counted.
 *
 * With `coalesce` all misses of a key share one fetch (single flight), which has the deadline of
 * the first of them; without, each has its own, and a cache that has lost a popular key sends
 * all who want it to the target. A background fetch has no deadline, and there is one at most of a
 * key. If it fails the next stale answer sets another one going.
 *
 * Answers with one of `negative_statuses` are kept for `negative_ttl`, so that what does not exist
 * is not looked up again and again. Other failures are told to all who wait for them, and nothing
 * is kept.
 *
 * Requests of the kinds in `writes` go through to the target. When such a call has ended well, the
 * key's entry is dropped (write around) or replaced by what was written (write through); when not,
 * it stays as it is. Reads are GETs and writes are PUTs, for retries that depend on the method.
 *
 * A caller that gives up leaves its fetch going, as what it brings is of use to others, unless
 * `finish_fetches` is false. A crash empties the cache.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "engine/kind.h"
#include "parts/cache_table.h"
#include "parts/caller.h"
#include "parts/relay.h"
#include "policies/keys.h"
#include "policies/verdict.h"

enum { TIMER_CALL = EVENT_TIMER, TIMER_HIT };
enum { STREAM_CALLS, STREAM_EVICTION };
enum { SLAB_REQUESTS, SLAB_CALLS, SLAB_ENTRIES, SLAB_FETCHES };
enum { SITE_FETCH, SITE_WRITE };

static const char *const streams[] = {"calls", "eviction", NULL};

/* --- parameters -------------------------------------------------------------------------- */

enum on_write { WRITE_AROUND, WRITE_THROUGH };
static const char *const write_words[] = {"write_around", "write_through", NULL};

struct written_kind {
    struct kind kind;
};

struct cache_params {
    struct target target;
    struct call_params call;
    int64_t capacity; /* INT64_MAX: unlimited */
    struct eviction eviction;
    struct keys keys;
    sim_time hit_time;       /* [ns] */
    sim_time ttl, soft_ttl;  /* [ns] SIM_TIME_NEVER: none */
    sim_time stale_if_error; /* [ns] */
    sim_time negative_ttl;   /* [ns] SIM_TIME_NEVER: nothing negative is kept */
    status_ranges negative_statuses;
    bool ttl_reset_on_access, coalesce, finish_fetches;
    int64_t preload;
    LIST_OF(struct written_kind) writes;
    int on_write; /* enum on_write */
};

static const struct param_spec kind_rows[] = {KIND_NAME(written_kind, kind, "The kind."), P_END};

static const struct schema kind_schema = {.name = "written_kind",
                                          .summary = "A kind of requests that write.",
                                          .size = sizeof(struct written_kind),
                                          .rows = kind_rows,
                                          .kinds = KINDS_SOUGHT,
                                          .shorthand = true};

static const struct param_spec rows[] = {
    P_TARGET(cache_params, target, NULL, "Who is asked for what is not there."),
    P_BLOCK(cache_params, call, call_schema, "{}", "How the target is called."),
    P_LIMIT(cache_params, capacity, "1000", 1, 1e9,
            "Entries at most. Unlimited: they leave by their time only."),
    P_CHOICE(cache_params, eviction, eviction_choice, "lru", "Which entry makes room."),
    P_BLOCK(cache_params, keys, keys_schema, "{}", "What requests are about."),
    P_DURATION(cache_params, hit_time, "100us", 0, 1e18,
               "Time to answer with what is there; however many do so at a time."),
    P_MAYBE_DURATION(cache_params, ttl, "none", 1, 1e18,
                     "Age at which an entry is no longer answered with."),
    P_BOOL(cache_params, ttl_reset_on_access, "false",
           "Whether that age counts from the last use of the entry, not from when it was written."),
    P_MAYBE_DURATION(cache_params, soft_ttl, "none", 1, 1e18,
                     "Age from which an entry is fetched anew in the background as it is used."),
    P_DURATION(cache_params, stale_if_error, "0s", 0, 1e18,
               "How long after its ttl an entry may stand in for a fetch that fails."),
    P_MAYBE_DURATION(cache_params, negative_ttl, "none", 1, 1e18,
                     "How long the answer that something does not exist is kept."),
    P_LIST(cache_params, negative_statuses, status_range_schema, "[404, 410]",
           "Statuses that say so."),
    P_BOOL(cache_params, coalesce, "true", "Whether misses of the same key share one fetch."),
    P_BOOL(cache_params, finish_fetches, "true",
           "Whether a fetch goes on for which nobody waits any more."),
    P_COUNT(cache_params, preload, "0", 0, 1e9,
            "How many of the most popular keys are there at the start. A crash takes them."),
    P_LIST(cache_params, writes, kind_schema, "[]",
           "Kinds of requests that write, and go through to the target."),
    P_WORD(cache_params, on_write, write_words, "write_around",
           "What becomes of the entry: it is dropped, or replaced by what was written."),
    P_END};

static void check_times(const struct cache_params *p, const struct node *at, struct diag *diag)
{
    if (p->soft_ttl != SIM_TIME_NEVER && p->soft_ttl > p->ttl) {
        diag_error(diag, node_child(at, "soft_ttl"), "must not be above ttl");
    }
    if (p->stale_if_error > 0 && p->ttl == SIM_TIME_NEVER) {
        diag_error(diag, node_child(at, "stale_if_error"), "needs a ttl to count from");
    }
    if (p->ttl_reset_on_access && p->ttl == SIM_TIME_NEVER) {
        diag_error(diag, node_child(at, "ttl_reset_on_access"), "needs a ttl");
    }
}

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct cache_params *p = params;
    call_params_own(&p->call, &p->target, &(struct call_owner){.timer_kind = TIMER_CALL});
    eviction_fit(&p->eviction, p->capacity);
    check_times(p, at, diag);
    if (p->on_write == WRITE_THROUGH && p->writes.count == 0) {
        diag_warning(diag, node_child(at, "on_write"), "no kind of requests writes");
    }
    if (p->preload > p->capacity || p->preload > p->keys.count) {
        diag_error(diag, node_child(at, "preload"), "is more than there are %s",
                   p->preload > p->keys.count ? "keys" : "places");
    }
}

static const struct schema schema = {.name = "cache",
                                     .summary = "Keeps answers, and asks only for others.",
                                     .size = sizeof(struct cache_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

/* Whatever happens, without a warm-up:
 *   requests_received = hits + stale_hits + negative_hits + misses + writes_received
 *                     = requests_answered + cancels_received + requests_lost + in_progress
 *   fetches           = misses - coalesced + refreshes
 *                     = fetch_successes + negative_answers + fetch_failures + fetches_given_up +
 *                       fetches_lost + fetches_in_flight
 *   fetches + writes_received = downstream_logical_requests
 *   entries_stored    = evictions + expirations + invalidations + entries_lost + size */
struct cache_stats {
    struct relay_stats relay;
    uint64_t requests_answered, hits, stale_hits, negative_hits, misses, writes_received;
    uint64_t coalesced, refreshes, refreshes_coalesced, stale_on_error;
    uint64_t fetches, fetch_successes, negative_answers, fetch_failures, fetches_given_up,
        fetches_lost;
    uint64_t entries_stored, entries_renewed, evictions, expirations, invalidations, entries_lost;
    struct gauge size, fetches_in_flight;
    struct histogram latency, hit_latency, miss_latency;
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {
    RELAY_INWARD_STATS(cache_stats, relay),
    S_COUNTER(cache_stats, requests_answered, "Requests answered, well or not."),
    S_COUNTER(cache_stats, hits, "Requests whose key was there and fresh."),
    S_COUNTER(cache_stats, stale_hits, "Requests whose key was there but stale."),
    S_COUNTER(cache_stats, negative_hits, "Requests for what was known not to exist."),
    S_COUNTER(cache_stats, misses, "Requests whose key was not there."),
    S_COUNTER(cache_stats, writes_received, "Requests that write."),
    S_COUNTER(cache_stats, coalesced, "Misses that joined a fetch under way."),
    S_COUNTER(cache_stats, refreshes, "Fetches in the background."),
    S_COUNTER(cache_stats, refreshes_coalesced,
              "Stale hits that began none because one was under way."),
    S_COUNTER(cache_stats, stale_on_error,
              "Misses answered with what was past its ttl because the fetch failed."),
    S_COUNTER(cache_stats, fetches, "Fetches begun, those in the background included."),
    S_COUNTER(cache_stats, fetch_successes, "Fetches that ended well."),
    S_COUNTER(cache_stats, negative_answers,
              "Fetches that ended with an answer that was kept as a negative one."),
    S_COUNTER(cache_stats, fetch_failures, "Fetches that failed otherwise."),
    S_COUNTER(cache_stats, fetches_given_up, "Fetches given up as nobody waited any more."),
    S_COUNTER(cache_stats, fetches_lost, "Fetches under way that a crash has ended."),
    S_COUNTER(cache_stats, entries_stored, "Entries put in, those of `preload` included."),
    S_COUNTER(cache_stats, entries_renewed, "Entries replaced while they were there."),
    S_COUNTER(cache_stats, evictions, "Entries that made room."),
    S_COUNTER(cache_stats, expirations, "Entries whose time was up."),
    S_COUNTER(cache_stats, invalidations, "Entries dropped because of a write."),
    S_COUNTER(cache_stats, entries_lost, "Entries lost in a crash."),
    S_GAUGE(cache_stats, size, "Entries."),
    S_GAUGE(cache_stats, fetches_in_flight, "Fetches under way."),
    S_HISTOGRAM(cache_stats, latency, "From the arrival of a request to its answer."),
    S_HISTOGRAM(cache_stats, hit_latency, "Likewise, of hits of each kind."),
    S_HISTOGRAM(cache_stats, miss_latency, "Likewise, of misses."),
    CALLER_STATS(cache_stats, calls, "downstream_", "Calls: "),
    S_END};

/* --- state ------------------------------------------------------------------------------- */

enum entry_kind { ENTRY_POSITIVE, ENTRY_NEGATIVE, ENTRY_KINDS };

struct cache_state {
    struct relay_state relay;
    struct cache_table table;
    struct chain ages[ENTRY_KINDS]; /* of SLAB_ENTRIES: in the order in which their time is up */
    struct key_table shared;        /* fetches that others may join */
    struct chain fetches;           /* all of them */
};

struct cache_entry {
    struct cached in;
    struct chain_link age;
    sim_time written; /* [ns] */
    sim_time since;   /* [ns] from when its ttl counts */
    uint32_t bytes;   /* [B] of the answer */
    uint16_t status;  /* likewise */
    uint8_t kind;     /* enum entry_kind */
};

struct cache_fetch {
    struct keyed_slot in;
    struct chain_link link;
    struct chain waiting; /* requests, in the order of their arrival */
    uint32_t call;        /* its slot */
    bool shared;          /* in the table of those that others may join */
    bool background;
};

enum stage { STAGE_HIT, STAGE_MISS, STAGE_WRITE };

struct cache_request {
    struct relay_slot relay;
    struct chain_link link; /* STAGE_MISS: among those who wait for the fetch */
    uint64_t timer;         /* STAGE_HIT: of the answer */
    uint32_t fetch;         /* STAGE_MISS: its slot */
    uint32_t call;          /* STAGE_WRITE: its slot */
    uint32_t bytes;         /* [B] STAGE_HIT: of the answer */
    uint16_t status;        /* likewise */
    uint16_t stage;         /* enum stage */
};

static struct cache_request *request_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_REQUESTS], slot);
}

static struct cache_entry *entry_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_ENTRIES], slot);
}

static struct cache_fetch *fetch_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_FETCHES], slot);
}

static struct cache_slots entry_slots(struct ctx *c)
{
    const struct cache_params *p = c->params;
    return (struct cache_slots){c, &c->slabs[SLAB_ENTRIES], &p->eviction, p->capacity,
                                &c->streams[STREAM_EVICTION]};
}

static struct chain_slots age_slots(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_ENTRIES], offsetof(struct cache_entry, age)};
}

static struct key_slots shared_slots(struct ctx *c)
{
    return (struct key_slots){c, &c->slabs[SLAB_FETCHES], offsetof(struct cache_fetch, in)};
}

static struct chain_slots fetch_slots(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_FETCHES], offsetof(struct cache_fetch, link)};
}

static struct chain_slots waiting_slots(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_REQUESTS], offsetof(struct cache_request, link)};
}

static struct caller caller_for(struct ctx *c)
{
    const struct cache_params *p = c->params;
    struct cache_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

static uint64_t key_of(const struct ctx *c, uint64_t request)
{
    const struct cache_params *p = c->params;
    return keys_pick(&p->keys, sim_request_bits(c, request, p->keys.id));
}

/* --- entries ----------------------------------------------------------------------------- */

static void count_entries(struct ctx *c)
{
    const struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    gauge_set(&st->size, c->now, state->table.count);
}

/* How long entries of a kind are answered with [ns]. */
static sim_time life_of(const struct ctx *c, enum entry_kind kind)
{
    const struct cache_params *p = c->params;
    return kind == ENTRY_NEGATIVE ? p->negative_ttl : p->ttl;
}

static void drop_entry(struct ctx *c, uint32_t slot, bool evicted)
{
    struct cache_state *state = c->state;
    struct cache_slots in = entry_slots(c);
    struct chain_slots ages = age_slots(c);
    chain_drop(&state->ages[entry_at(c, slot)->kind], &ages, slot);
    cache_table_drop(&state->table, &in, slot, evicted);
    count_entries(c);
}

/* Drops the entries that are of no use any more. */
static void expire(struct ctx *c)
{
    const struct cache_params *p = c->params;
    struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    for (int kind = 0; kind < ENTRY_KINDS; kind++) {
        sim_time life = life_of(c, (enum entry_kind)kind);
        life = kind == ENTRY_POSITIVE ? sim_time_add(life, p->stale_if_error) : life;
        uint32_t first;
        while ((first = state->ages[kind].first) &&
               c->now - entry_at(c, first - 1)->since >= life) {
            st->expirations++;
            drop_entry(c, first - 1, false);
        }
    }
}

static uint32_t find_entry(struct ctx *c, uint64_t key)
{
    const struct cache_state *state = c->state;
    struct cache_slots in = entry_slots(c);
    return cache_table_find(&state->table, &in, key);
}

/* Whether the entry is not merely kept in case that a fetch fails. */
static bool is_valid(const struct ctx *c, const struct cache_entry *entry)
{
    return c->now - entry->since < life_of(c, (enum entry_kind)entry->kind);
}

static void append_age(struct ctx *c, uint32_t slot)
{
    struct cache_state *state = c->state;
    struct chain_slots ages = age_slots(c);
    chain_push(&state->ages[entry_at(c, slot)->kind], &ages, slot);
}

static uint32_t put_entry(struct ctx *c, uint64_t key)
{
    struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    struct cache_slots in = entry_slots(c);
    uint32_t victim = cache_table_make_room(&state->table, &in, key);
    if (victim != SLAB_NONE) {
        st->evictions++;
        drop_entry(c, victim, true);
    }
    st->entries_stored++;
    return cache_table_put(&state->table, &in, key);
}

/* Keeps an answer, in place of one that is there. To be written is no use. */
static void store(struct ctx *c, uint64_t key, enum entry_kind kind, const struct attempt_end *as)
{
    struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    uint32_t slot = find_entry(c, key);
    if (slot != SLAB_NONE && !is_valid(c, entry_at(c, slot))) {
        st->expirations++;
        drop_entry(c, slot, false);
        slot = SLAB_NONE;
    }
    if (slot == SLAB_NONE) {
        slot = put_entry(c, key);
    } else {
        struct chain_slots ages = age_slots(c);
        st->entries_renewed++;
        chain_drop(&state->ages[entry_at(c, slot)->kind], &ages, slot);
    }
    struct cache_entry *entry = entry_at(c, slot);
    entry->written = entry->since = c->now;
    entry->bytes = as->bytes;
    entry->status = as->status;
    entry->kind = (uint8_t)kind;
    append_age(c, slot);
    count_entries(c);
}

static void use_entry(struct ctx *c, uint32_t slot)
{
    const struct cache_params *p = c->params;
    struct cache_state *state = c->state;
    struct cache_slots in = entry_slots(c);
    struct chain_slots ages = age_slots(c);
    struct cache_entry *entry = entry_at(c, slot);
    cache_table_use(&state->table, &in, slot);
    if (p->ttl_reset_on_access && entry->kind == ENTRY_POSITIVE) {
        chain_drop(&state->ages[entry->kind], &ages, slot);
        entry->since = c->now;
        append_age(c, slot);
    }
}

/* The least popular first, as if the others had been used after it. */
static void init(struct ctx *c)
{
    const struct cache_params *p = c->params;
    for (int64_t key = p->preload; key-- > 0;) {
        store(c, (uint64_t)key, ENTRY_POSITIVE, &(struct attempt_end){.status = STATUS_OK});
    }
}

/* --- fetches ----------------------------------------------------------------------------- */

static void count_fetches(struct ctx *c)
{
    const struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    gauge_set(&st->fetches_in_flight, c->now, state->fetches.count);
}

/* The fetch of a key that one more may join, or SLAB_NONE. */
static uint32_t find_fetch(struct ctx *c, uint64_t key)
{
    const struct cache_state *state = c->state;
    struct key_slots in = shared_slots(c);
    return key_table_find(&state->shared, &in, key);
}

/* Fetches a key for a request: while that waits, or in the background. */
static uint32_t start_fetch(struct ctx *c, const struct relay_slot *s, uint64_t key,
                            bool background)
{
    const struct cache_params *p = c->params;
    struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    struct caller caller = caller_for(c);
    struct key_slots in = shared_slots(c);
    struct chain_slots links = fetch_slots(c);
    uint32_t slot = slab_take(in.slab);
    struct cache_fetch *fetch = fetch_at(c, slot);
    *fetch = (struct cache_fetch){
        .in.key = key, .shared = p->coalesce || background, .background = background};
    if (fetch->shared) {
        key_table_put(&state->shared, &in, slot);
    }
    chain_push(&state->fetches, &links, slot);
    st->fetches++;
    count_fetches(c);
    struct call_request request = relay_call(s, SITE_FETCH, METHOD_GET);
    request.cookie = slot;
    request.deadline = background ? SIM_TIME_NEVER : request.deadline;
    fetch->call = caller_start(&caller, &request);
    return slot;
}

static void drop_fetch(struct ctx *c, uint32_t slot)
{
    struct cache_state *state = c->state;
    struct key_slots in = shared_slots(c);
    struct chain_slots links = fetch_slots(c);
    if (fetch_at(c, slot)->shared) {
        key_table_drop(&state->shared, &in, slot);
    }
    chain_drop(&state->fetches, &links, slot);
    slab_give(in.slab, slot);
    count_fetches(c);
}

static void refresh(struct ctx *c, const struct relay_slot *s, uint64_t key)
{
    struct cache_stats *st = c->stats;
    if (find_fetch(c, key) != SLAB_NONE) {
        st->refreshes_coalesced++;
    } else {
        st->refreshes++;
        start_fetch(c, s, key, true);
    }
}

/* --- requests ---------------------------------------------------------------------------- */

static bool is_write(const struct ctx *c, const struct message *m)
{
    const struct cache_params *p = c->params;
    uint32_t n = p->writes.count;
    return kind_find(p->writes.items, n, sizeof *p->writes.items, m->class_) < n;
}

static void answer(struct ctx *c, struct cache_request *q, const struct message *reply)
{
    struct cache_stats *st = c->stats;
    struct relay relay = relay_of(c);
    sim_time took = c->now - q->relay.arrived;
    st->requests_answered++;
    sim_record(c, &st->latency, took);
    if (q->stage != STAGE_WRITE) {
        sim_record(c, q->stage == STAGE_HIT ? &st->hit_latency : &st->miss_latency, took);
    }
    relay_answer(&relay, &q->relay, reply);
}

static void hit(struct ctx *c, struct cache_request *q, uint64_t key, uint32_t slot)
{
    const struct cache_params *p = c->params;
    struct cache_stats *st = c->stats;
    const struct cache_entry *entry = entry_at(c, slot);
    if (entry->kind == ENTRY_NEGATIVE) {
        st->negative_hits++;
    } else if (c->now - entry->written < p->soft_ttl) {
        st->hits++;
    } else {
        st->stale_hits++;
        refresh(c, &q->relay, key);
    }
    use_entry(c, slot);
    q->stage = STAGE_HIT;
    q->status = entry->status;
    q->bytes = entry->bytes;
    q->timer =
        sim_timer(c, TIMER_HIT, p->hit_time, slab_token(&c->slabs[SLAB_REQUESTS], q->relay.slot),
                  TIMER_CONSTANT | TIMER_WORK);
}

static void miss_key(struct ctx *c, struct cache_request *q, uint64_t key)
{
    const struct cache_params *p = c->params;
    struct cache_stats *st = c->stats;
    struct chain_slots waiting = waiting_slots(c);
    uint32_t fetch = p->coalesce ? find_fetch(c, key) : SLAB_NONE;
    st->misses++;
    st->coalesced += fetch != SLAB_NONE;
    q->stage = STAGE_MISS;
    q->fetch = fetch != SLAB_NONE ? fetch : start_fetch(c, &q->relay, key, false);
    chain_push(&fetch_at(c, q->fetch)->waiting, &waiting, q->relay.slot);
}

static void write_key(struct ctx *c, struct cache_request *q)
{
    struct cache_stats *st = c->stats;
    struct caller caller = caller_for(c);
    struct call_request request = relay_call(&q->relay, SITE_WRITE, METHOD_PUT);
    st->writes_received++;
    q->stage = STAGE_WRITE;
    q->call = caller_start(&caller, &request);
}

static void on_request(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct cache_request *q = request_at(c, relay_take(&relay, e)->slot);
    if (is_write(c, &e->msg)) {
        write_key(c, q);
        return;
    }
    expire(c);
    uint64_t key = key_of(c, e->msg.request);
    uint32_t slot = find_entry(c, key);
    if (slot != SLAB_NONE && is_valid(c, entry_at(c, slot))) {
        hit(c, q, key, slot);
    } else {
        miss_key(c, q, key);
    }
}

static void on_hit(struct ctx *c, const struct event *e)
{
    struct cache_request *q = slab_find(&c->slabs[SLAB_REQUESTS], e->msg.token);
    CHECK(q, "an answer to a request that is gone");
    answer(c, q, &(struct message){.status = q->status, .bytes = q->bytes});
}

/* --- answers of the target --------------------------------------------------------------- */

static bool is_negative(const struct ctx *c, const struct call_end *end)
{
    const struct cache_params *p = c->params;
    return p->negative_ttl != SIM_TIME_NEVER && end->outcome != OUTCOME_SUCCESS &&
           end->last.error == ERROR_NONE &&
           status_is_among(&p->negative_statuses, end->last.status);
}

/* Keeps what a fetch has brought; false when it has failed. */
static bool take_in(struct ctx *c, uint64_t key, const struct call_end *end)
{
    struct cache_stats *st = c->stats;
    bool good = end->outcome == OUTCOME_SUCCESS, negative = is_negative(c, end);
    st->fetch_successes += good;
    st->negative_answers += negative;
    st->fetch_failures += !good && !negative;
    if (good || negative) {
        store(c, key, good ? ENTRY_POSITIVE : ENTRY_NEGATIVE, &end->last);
    }
    return good || negative;
}

static void end_fetch(struct ctx *c, const struct call_end *end)
{
    struct cache_stats *st = c->stats;
    const struct cache_fetch fetch = *fetch_at(c, (uint32_t)end->cookie);
    uint32_t next = fetch.waiting.first;
    drop_fetch(c, (uint32_t)end->cookie);
    expire(c);
    struct message reply = caller_reply(&end->last);
    if (!take_in(c, fetch.in.key, end)) {
        uint32_t slot = find_entry(c, fetch.in.key);
        if (slot != SLAB_NONE && entry_at(c, slot)->kind == ENTRY_POSITIVE) {
            const struct cache_entry *entry = entry_at(c, slot);
            reply = (struct message){.status = entry->status, .bytes = entry->bytes};
            st->stale_on_error += fetch.waiting.count;
        }
    }
    while (next) {
        struct cache_request *q = request_at(c, next - 1);
        next = q->link.next;
        answer(c, q, &reply);
    }
}

static void end_write(struct ctx *c, const struct call_end *end)
{
    const struct cache_params *p = c->params;
    struct cache_stats *st = c->stats;
    struct cache_request *q = request_at(c, (uint32_t)end->cookie);
    if (end->outcome == OUTCOME_SUCCESS) {
        uint64_t key = key_of(c, q->relay.in.m.request);
        expire(c);
        uint32_t slot = find_entry(c, key);
        if (p->on_write == WRITE_THROUGH) {
            store(c, key, ENTRY_POSITIVE, &end->last);
        } else if (slot != SLAB_NONE) {
            st->invalidations++;
            drop_entry(c, slot, false);
        }
    }
    struct message reply = caller_reply(&end->last);
    answer(c, q, &reply);
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct cache_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    struct caller caller = caller_for(c);
    struct call_end end;
    if (!call || !caller_handle(&caller, call, e, &end)) {
        return;
    }
    if (end.site == SITE_FETCH) {
        end_fetch(c, &end);
    } else {
        end_write(c, &end);
    }
}

/* --- what is given up -------------------------------------------------------------------- */

static void leave_fetch(struct ctx *c, const struct cache_request *q)
{
    const struct cache_params *p = c->params;
    struct cache_stats *st = c->stats;
    struct chain_slots waiting = waiting_slots(c);
    struct cache_fetch *fetch = fetch_at(c, q->fetch);
    chain_drop(&fetch->waiting, &waiting, q->relay.slot);
    if (fetch->waiting.count == 0 && !fetch->background && !p->finish_fetches) {
        struct caller caller = caller_for(c);
        st->fetches_given_up++;
        caller_give_up(&caller, fetch->call);
        drop_fetch(c, q->fetch);
    }
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct caller caller = caller_for(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    const struct cache_request *q = request_at(c, s->slot);
    switch ((enum stage)q->stage) {
    case STAGE_HIT:
        sim_cancel(c, q->timer);
        break;
    case STAGE_MISS:
        leave_fetch(c, q);
        break;
    case STAGE_WRITE:
        caller_give_up(&caller, q->call);
        break;
    }
    relay_drop(&relay, s, false);
}

static void crash(struct ctx *c)
{
    struct cache_state *state = c->state;
    struct cache_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct cache_slots in = entry_slots(c);
    relay_crash(&relay);
    caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
    st->fetches_lost += state->fetches.count;
    st->entries_lost += state->table.count;
    while (state->fetches.count > 0) {
        drop_fetch(c, state->fetches.first - 1);
    }
    for (int kind = 0; kind < ENTRY_KINDS; kind++) {
        while (state->ages[kind].count > 0) {
            drop_entry(c, state->ages[kind].first - 1, false);
        }
    }
    cache_table_forget_gone(&state->table, &in);
}

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
    case EVENT_ACTION:
        if (e->msg.status == ACTION_CRASH) {
            crash(c);
        }
        break;
    default:
        on_hit(c, e);
        break;
    }
}

/* As if every request were a miss: it is so when the cache is cold. */
static void traffic(const void *params, struct traffic *t)
{
    const struct cache_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type cache_type = {.name = "cache",
                                       .answers = true,
                                       .heeds = 1u << ACTION_CONDITIONER,
                                       .params = &schema,
                                       .stats = stats,
                                       .stats_size = sizeof(struct cache_stats),
                                       .state_size = sizeof(struct cache_state),
                                       .streams = streams,
                                       .slabs = {sizeof(struct cache_request), sizeof(struct call),
                                                 sizeof(struct cache_entry),
                                                 sizeof(struct cache_fetch)},
                                       .init = init,
                                       .handle = handle,
                                       .miss = relay_miss,
                                       .traffic = traffic};
