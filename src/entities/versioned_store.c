/* SPDX-License-Identifier: Apache-2.0
 *
 * versioned_store: rows under optimistic concurrency control. Each row has a version, and each
 * logical request one row. A read (GET, HEAD or OPTIONS) is answered with 200 and the row's version
 * of this moment. A write (any other method) changes the row, which then has a new version, and is
 * answered with 200, if the row still has the version that its request has read; else with 409,
 * a conflict. The store takes no time: wires and what stands before it do.
 *
 * A message has no place for a version, so it stays here: the version that a request has read is
 * that of the last read of it that was answered, and is kept until its next write, well or not, or
 * for `version_ttl`. A write whose request has read nothing (since its last write) is a conflict.
 * So is a write that is delivered twice, as it would be if it brought its version along. The
 * two differ where a caller goes on with the answer to a read that is not its last one: as if it
 * had waited for that.
 *
 * Who reads and writes is a `saga` with a step for each, called as often as it takes: its answer to
 * a conflict is 502, and its caller's `retry` has the backoff.
 *
 * Versions survive a crash: rows are on a disk, and what was read is known to those who did.
 */
#include <stddef.h>

#include "base/hash.h"
#include "engine/entity.h"
#include "parts/chain.h"
#include "parts/key_table.h"
#include "policies/verdict.h"

enum { STREAM_ROWS };
enum { SLAB_READS };

static const char *const streams[] = {"rows", NULL};

struct versioned_store_params {
    int64_t rows;
    sim_time version_ttl; /* [ns] SIM_TIME_NEVER: no limit */
};

static const struct param_spec rows[] = {
    P_COUNT(versioned_store_params, rows, "1", 1, 1e8,
            "Rows; which one a request is about is left to chance, the same for all of its "
            "attempts."),
    P_MAYBE_DURATION(versioned_store_params, version_ttl, "60s", 1, 1e18,
                     "Time after a read in which its request may write; later it is a conflict."),
    P_END};

static const struct schema schema = {.name = "versioned_store",
                                     .summary = "Refuses writes to what has changed since it was "
                                                "read (optimistic concurrency control).",
                                     .size = sizeof(struct versioned_store_params),
                                     .rows = rows};

/* requests_received = reads + writes; writes = writes_committed + conflicts; each read is followed
 * by another one of its request, by a write, expires, or its version is still held (without a
 * warm-up): reads = versions_replaced + writes - writes_unread + versions_expired + versions_held.
 */
struct versioned_store_stats {
    uint64_t requests_received, reads, writes, writes_committed, conflicts, writes_unread;
    uint64_t versions_replaced, versions_expired, requests_missed, replies_lost;
    struct gauge versions_held;
    struct histogram version_age;
};

static const struct stat_spec stats[] = {
    S_COUNTER(versioned_store_stats, requests_received, "Requests that arrived."),
    S_COUNTER(versioned_store_stats, reads, "Reads."),
    S_COUNTER(versioned_store_stats, writes, "Writes, in vain or not."),
    S_COUNTER(versioned_store_stats, writes_committed, "Writes that changed their row."),
    S_COUNTER(versioned_store_stats, conflicts, "Writes answered with 409."),
    S_COUNTER(versioned_store_stats, writes_unread,
              "Of these, writes whose request had read nothing, or too long ago."),
    S_COUNTER(versioned_store_stats, versions_replaced,
              "Versions read that another read of the same request has replaced."),
    S_COUNTER(versioned_store_stats, versions_expired,
              "Versions read that no write came for in time; counted when another request comes."),
    S_COUNTER(versioned_store_stats, requests_missed,
              "Requests that arrived while it was down, and vanished."),
    S_COUNTER(versioned_store_stats, replies_lost, "Replies lost on the wire."),
    S_GAUGE(versioned_store_stats, versions_held, "Versions read that a write may come for."),
    S_HISTOGRAM(versioned_store_stats, version_age, "From a read to the write that it was for."),
    S_END};

struct versioned_store_state {
    uint64_t key;           /* of the draw of rows */
    struct key_table reads; /* by request */
    struct chain by_age;    /* of the same, the oldest first */
    uint32_t versions;      /* place of the kept memory: a uint64_t a row */
};

/* What a request has read. */
struct version_read {
    struct keyed_slot in;
    struct chain_link link;
    uint64_t version;
    sim_time at; /* [ns] */
};

static struct version_read *read_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_READS], slot);
}

static struct key_slots table_slots(struct ctx *c)
{
    return (struct key_slots){c, &c->slabs[SLAB_READS], offsetof(struct version_read, in)};
}

static struct chain_slots age_slots(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[SLAB_READS], offsetof(struct version_read, link)};
}

/* The version of the row that a request is about. */
static uint64_t *version_for(struct ctx *c, uint64_t request)
{
    const struct versioned_store_params *p = c->params;
    const struct versioned_store_state *state = c->state;
    uint64_t *versions = sim_kept(c, state->versions);
    return &versions[hash_pair(state->key, request) % (uint64_t)p->rows];
}

static void forget(struct ctx *c, uint32_t slot)
{
    struct versioned_store_state *state = c->state;
    struct key_slots in = table_slots(c);
    struct chain_slots ages = age_slots(c);
    key_table_drop(&state->reads, &in, slot);
    chain_drop(&state->by_age, &ages, slot);
    slab_give(in.slab, slot);
}

/* Takes no timer: nobody sees the difference. */
static void forget_expired(struct ctx *c)
{
    const struct versioned_store_params *p = c->params;
    const struct versioned_store_state *state = c->state;
    struct versioned_store_stats *st = c->stats;
    uint32_t first;
    while ((first = state->by_age.first) && c->now - read_at(c, first - 1)->at > p->version_ttl) {
        st->versions_expired++;
        forget(c, first - 1);
    }
}

static void on_read(struct ctx *c, const struct message *m)
{
    struct versioned_store_state *state = c->state;
    struct versioned_store_stats *st = c->stats;
    struct key_slots in = table_slots(c);
    struct chain_slots ages = age_slots(c);
    uint32_t known = key_table_find(&state->reads, &in, m->request);
    st->reads++;
    if (known != SLAB_NONE) {
        st->versions_replaced++;
        forget(c, known);
    }
    uint32_t slot = slab_take(in.slab);
    *read_at(c, slot) = (struct version_read){
        .in.key = m->request, .version = *version_for(c, m->request), .at = c->now};
    key_table_put(&state->reads, &in, slot);
    chain_push(&state->by_age, &ages, slot);
}

/* Whether the write goes well. */
static bool on_write(struct ctx *c, const struct message *m)
{
    struct versioned_store_state *state = c->state;
    struct versioned_store_stats *st = c->stats;
    struct key_slots in = table_slots(c);
    uint64_t *version = version_for(c, m->request);
    uint32_t known = key_table_find(&state->reads, &in, m->request);
    bool fits = false;
    st->writes++;
    if (known == SLAB_NONE) {
        st->writes_unread++;
    } else {
        fits = read_at(c, known)->version == *version;
        sim_record(c, &st->version_age, c->now - read_at(c, known)->at);
        forget(c, known);
    }
    *version += fits;
    st->writes_committed += fits;
    st->conflicts += !fits;
    return fits;
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct versioned_store_state *state = c->state;
    struct versioned_store_stats *st = c->stats;
    struct message reply = {.status = STATUS_OK};
    st->requests_received++;
    forget_expired(c);
    if (method_is_safe(e->msg.status)) {
        on_read(c, &e->msg);
    } else if (!on_write(c, &e->msg)) {
        reply.status = STATUS_CONFLICT;
    }
    gauge_set(&st->versions_held, c->now, state->reads.count);
    st->replies_lost += !sim_reply(c, &e->msg, &reply);
}

static void init(struct ctx *c)
{
    const struct versioned_store_params *p = c->params;
    struct versioned_store_state *state = c->state;
    state->key = rng_bits(&c->streams[STREAM_ROWS]);
    state->versions = sim_keep(c, (size_t)p->rows * sizeof(uint64_t));
}

static void handle(struct ctx *c, const struct event *e)
{
    if (e->kind == EVENT_REQUEST) {
        on_request(c, e);
    } /* a cancel comes too late; a crash loses nothing */
}

static void miss(struct ctx *c, const struct event *e)
{
    struct versioned_store_stats *st = c->stats;
    st->requests_missed += e->kind == EVENT_REQUEST;
}

const struct entity_type versioned_store_type = {.name = "versioned_store",
                                                 .answers = true,
                                                 .params = &schema,
                                                 .stats = stats,
                                                 .stats_size = sizeof(struct versioned_store_stats),
                                                 .state_size = sizeof(struct versioned_store_state),
                                                 .streams = streams,
                                                 .slabs = {sizeof(struct version_read)},
                                                 .init = init,
                                                 .handle = handle,
                                                 .miss = miss};
