/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller: how a request is made, timed out and tried again. Every entity that calls another
 * one holds calls by this part, configured by one `call` block.
 *
 * A call is one logical request: one or more attempts, of which at most one is outstanding. It
 * lives in a slot of a slab. Its token travels with every attempt and comes back with the reply,
 * so a reply to an attempt that was given up finds nothing and is counted as late.
 */
#ifndef SQUALL_PARTS_CALLER_H
#define SQUALL_PARTS_CALLER_H

#include "engine/entity.h"
#include "engine/target.h"
#include "policies/retry.h"
#include "policies/verdict.h"

struct call_params {
    struct dist timeout;
    struct retry retry;
};

/* Rows of a call_params that is the member `at` of struct `tag`; for blocks that carry more. */
#define CALL_ROWS(tag, at) \
    {.name = "timeout", \
     .doc = "Time an attempt may take before it is given up.", \
     .unit = "", \
     .fallback = "none", \
     .absent = "none", \
     .kind = PARAM_CHOICE, \
     .choice = &dist_duration, \
     .offset = offsetof(struct tag, at) + offsetof(struct call_params, timeout)}, \
    { \
        .name = "retry", .doc = "What happens after an attempt that failed.", .unit = "", \
        .fallback = "none", .kind = PARAM_CHOICE, .choice = &retry_choice, \
        .offset = offsetof(struct tag, at) + offsetof(struct call_params, retry) \
    }

extern const struct schema call_schema;

struct caller_stats {
    uint64_t logical_requests, successes, failures;
    uint64_t requests_sent, responses_received, errors, timeouts, retries;
    uint64_t late_responses, messages_lost, abandoned;
    struct gauge in_flight;
    struct histogram response_time, request_latency;
};

/* Statistics rows of a caller_stats that is the member `at` of struct `tag`. `p` goes before
 * their names and `d` before their descriptions: an entity that both answers and calls must keep
 * the two apart. */
#define CALLER_STAT(tag, at, prefix, about, member, unit_, kind_, doc_) \
    { \
        .name = prefix #member, .doc = about doc_, .unit = unit_, .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct caller_stats, member) \
    }
#define CALLER_STATS(tag, at, p, d) \
    CALLER_STAT(tag, at, p, d, logical_requests, "1", STAT_COUNTER, "Requests begun."), \
        CALLER_STAT(tag, at, p, d, successes, "1", STAT_COUNTER, "Requests that ended well."), \
        CALLER_STAT(tag, at, p, d, failures, "1", STAT_COUNTER, "Requests given up."), \
        CALLER_STAT(tag, at, p, d, requests_sent, "1", STAT_COUNTER, \
                    "Attempts sent, the first ones included."), \
        CALLER_STAT(tag, at, p, d, responses_received, "1", STAT_COUNTER, \
                    "Replies that came in time, whatever their status."), \
        CALLER_STAT(tag, at, p, d, errors, "1", STAT_COUNTER, \
                    "Replies that came in time with a status of failure."), \
        CALLER_STAT(tag, at, p, d, timeouts, "1", STAT_COUNTER, "Attempts that timed out."), \
        CALLER_STAT(tag, at, p, d, retries, "1", STAT_COUNTER, "Attempts after the first."), \
        CALLER_STAT(tag, at, p, d, late_responses, "1", STAT_COUNTER, \
                    "Replies to attempts that had been given up."), \
        CALLER_STAT(tag, at, p, d, messages_lost, "1", STAT_COUNTER, \
                    "Attempts lost on the wire."), \
        CALLER_STAT(tag, at, p, d, abandoned, "1", STAT_COUNTER, \
                    "Requests forgotten when the caller crashed."), \
        CALLER_STAT(tag, at, p, d, in_flight, "1", STAT_GAUGE, \
                    "Requests begun and not ended, those that wait for a retry included."), \
        CALLER_STAT(tag, at, p, d, response_time, "ns", STAT_HISTOGRAM, \
                    "From the sending of an attempt to its reply, for replies in time."), \
        CALLER_STAT(tag, at, p, d, request_latency, "ns", STAT_HISTOGRAM, \
                    "From the first sending of a request to its end, well or not.")

/* A call under way; a slot of the caller's slab. */
struct call {
    uint64_t request;
    uint64_t cookie;  /* the owner's own, handed back at the end */
    uint64_t timer;   /* of the timeout, or of the wait before a retry */
    sim_time started; /* [ns] first attempt sent */
    sim_time sent;    /* [ns] this attempt sent */
    struct retry_memory memory;
    uint32_t slot;    /* its own */
    uint32_t attempt; /* outstanding or failed, from 1 */
    entity_id owner;
    wire_id wire; /* of this attempt */
    uint32_t bytes;
    uint16_t class_;
    uint16_t site; /* the owner's own: which of its call blocks */
    uint8_t priority;
    bool waiting; /* between two attempts */
};

/* What the part needs of its owner; put together on the spot, never stored. */
struct caller {
    struct ctx *ctx;
    const struct target *target;
    const struct call_params *params;
    struct caller_stats *stats;
    struct slab *slab;         /* of struct call */
    struct rng_stream *stream; /* timeouts, backoff, balancing */
    uint16_t timer_kind;       /* of the owner's events that belong to calls */
};

struct call_request {
    uint64_t request, cookie;
    uint16_t class_, site;
    uint8_t priority;
    uint32_t bytes;
};

struct call_end {
    uint64_t cookie;
    uint16_t site;
    enum outcome outcome; /* of the last attempt */
};

/* Begins a call: sends the first attempt. */
void caller_start(const struct caller *c, const struct call_request *q);

/* The call that a reply, or a timer of `timer_kind`, belongs to, or NULL. A reply that comes too
 * late is counted here and then done with. */
struct call *caller_find(struct slab *slab, struct caller_stats *stats, const struct event *e);

/* Goes on with a call found. True when it has ended: `end` says how, and the call is gone. */
bool caller_handle(const struct caller *c, struct call *call, const struct event *e,
                   struct call_end *end);

/* Forgets all calls of the owner, which has crashed. */
void caller_abandon(struct ctx *ctx, struct slab *slab, struct caller_stats *stats);

#endif
