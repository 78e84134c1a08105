/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller: how a request is made, timed out, tried again, hedged and given up. Every entity that
 * calls another one holds calls by this part, configured by one `call` block.
 *
 * A call is one logical request. Its attempts come in rounds: one attempt, or by the strategy
 * `parallel` several side by side. An attempt that is accepted ends the call; a round of which all
 * attempts have failed is followed by another one if the retry policy, the deadline and the budget
 * allow it. Before an attempt is sent it is held against what may stand in its way, in this order:
 * rate limit, circuit breaker, throttle, deadline, conditioner.
 *
 * A call lives in a slot of a slab, which also holds the first attempt of each of its rounds; the
 * others take a slot each. The token of an attempt's slot travels with it and comes back with the
 * reply, so a reply to what was given up finds nothing, or an attempt of another number, and is
 * counted as late.
 */
#ifndef SQUALL_PARTS_CALLER_H
#define SQUALL_PARTS_CALLER_H

#include "engine/entity.h"
#include "engine/target.h"
#include "parts/call_params.h"
#include "parts/call_stats.h"

/* What has become of an attempt. Zero is over: its slot waits for the next round. Those from
 * ATTEMPT_QUEUED on may hear a reply. */
enum attempt_state {
    ATTEMPT_OVER,
    ATTEMPT_AWAITED,    /* not begun: its time has not come */
    ATTEMPT_REFUSED,    /* will not be sent: it ends in this instant */
    ATTEMPT_HELD,       /* will be sent: makes its connection, or is held up */
    ATTEMPT_CONNECTING, /* will not be sent: there is no connection in time */
    ATTEMPT_QUEUED,     /* at a pool, where it waits for a connection */
    ATTEMPT_OUT,        /* sent and not answered */
};

struct attempt {
    uint64_t timer; /* of what its state waits for, or of its timeout */
    sim_time sent;  /* [ns] when it began */
    struct way way;
    uint32_t slot; /* its own */
    uint32_t call; /* that of the call */
    uint32_t next; /* slot + 1 of another attempt of this round, or of one before; 0: none */
    entity_id owner;
    uint16_t number;  /* from 1, through all rounds; of one awaited, how many of its round come
                         before it */
    uint8_t state;    /* enum attempt_state */
    uint8_t error;    /* ATTEMPT_REFUSED: why; enum attempt_error */
    uint8_t connects; /* times that a connection was tried */
    bool counted;     /* among requests_sent; set of pooled ones only */
    sim_time limit;   /* [ns] ATTEMPT_HELD, ATTEMPT_CONNECTING: when it is given up */
    /* Of parts/call_site.h, and not set where that is not asked. */
    int64_t held; /* what the retry budget is to have back */
    struct breaker_ticket ticket;
};

/* A call under way; a slot of the caller's slab. The slots of further attempts have a lead and
 * nothing else. What every attempt needs comes first, in two cache lines. */
struct call {
    struct attempt lead;
    uint64_t request;
    uint64_t cookie;   /* the owner's own, handed back at the end */
    sim_time started;  /* [ns] */
    uint32_t attempts; /* begun */
    uint32_t rounds;   /* begun */
    uint32_t bytes;
    uint16_t class_;
    uint16_t site; /* the owner's own: which of its call blocks */
    uint16_t live; /* attempts of this round that have not failed */
    uint8_t priority;
    uint8_t method;  /* enum method */
    uint8_t plan;    /* which of the call's plans; 0: the one for all methods */
    bool is_plain;   /* nothing stands in the way of its attempts, delays them, or wants to know
                        their deadline */
    bool is_swift;   /* ... and their ends are simple, see parts/caller.c */
    bool has_failed; /* an attempt of this round, ... */
    struct attempt_end failed; /* ... the first one so */
    struct retry_verdict verdict;
    uint8_t tried; /* of parts/call_site.h: the outcome of the last attempt that was not
                      held back, and one; 0: none */
    struct retry_memory memory; /* since the first round failed */
    sim_time deadline;          /* [ns] SIM_TIME_NEVER: none */
    sim_time hedge_delay;       /* [ns] the last one of this round, where its law remembers */
};
static_assert(offsetof(struct call, failed) + sizeof(struct slab_slot) == 128, "two cache lines");

/* What the part needs of its owner; put together on the spot, never stored. */
struct caller {
    struct ctx *ctx;
    const struct target *target;
    const struct call_params *params;
    struct caller_stats *stats;
    struct slab *slab;         /* of struct call */
    struct rng_stream *stream; /* timeouts, backoff, balancing */
};

struct call_request {
    uint64_t request, cookie;
    sim_time deadline; /* [ns] of the request that this call is made for; 0 or NEVER: none */
    uint16_t class_, site;
    uint8_t priority; /* own of a client's request, else that of what the call is made for */
    uint8_t method;   /* enum method */
    uint32_t bytes;
};

struct call_end {
    uint64_t cookie;
    uint16_t site;
    enum outcome outcome;    /* of the attempt that decided */
    struct attempt_end last; /* how that one ended */
};

/* Begins a call and returns its slot. Even when no attempt can be made the call ends later, if in
 * the same instant. */
uint32_t caller_start(const struct caller *c, const struct call_request *q);

/* The call that a reply, or a timer of `timer_kind`, belongs to, or NULL. A reply to a call that is
 * gone is counted here and then done with. */
struct call *caller_find(struct slab *slab, struct caller_stats *stats, const struct event *e);

/* Goes on with a call found. True when it has ended: `end` says how, and the call is gone. */
bool caller_handle(const struct caller *c, struct call *call, const struct event *e,
                   struct call_end *end);

/* Gives up a call that has not ended, for which the owner has no use any more. Those who have its
 * attempts are told if the call's `cancel` says so. */
void caller_give_up(const struct caller *c, uint32_t slot);

/* What is told to whoever a call was made for, when its last attempt ended like this: the answer,
 * or that there was none. */
struct message caller_reply(const struct attempt_end *last);

/* Forgets all calls of the owner, which has crashed. */
void caller_abandon(struct ctx *ctx, struct slab *slab, struct caller_stats *stats);

#endif
