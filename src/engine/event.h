/* SPDX-License-Identifier: Apache-2.0
 *
 * An event: 64 bytes of plain data without pointers, so that it can be queued, sent to another
 * rank, saved and hashed.
 */
#ifndef SQUALL_ENGINE_EVENT_H
#define SQUALL_ENGINE_EVENT_H

#include <assert.h>
#include <stdint.h>

#include "base/simtime.h"
#include "policies/deadline.h"

typedef uint32_t entity_id; /* place in the model, the same on every rank */
typedef uint32_t wire_id;   /* likewise */
#define WIRE_NONE UINT32_MAX

/* What a caller and a callee tell each other. */
struct message {
    uint64_t request;  /* logical request: the same for all of its attempts (idempotency key) */
    uint64_t token;    /* the sender's own handle, echoed by the reply; a timer's token */
    sim_time deadline; /* [ns] request: an instant, or with REQUEST_RELATIVE the time left when it
                          was sent; SIM_TIME_NEVER without one. Reply: when to try again, if its
                          flags say so */
    wire_id wire;      /* over which the request went, and its reply comes back */
    uint16_t class_;   /* kind of request, by its number; see engine/kind.h */
    uint16_t status;   /* reply: as HTTP (200, 503, ...); request: enum method; action: enum
                          action_kind; timer: the epoch of its entity */
    uint16_t attempt;  /* from 1, modulo 2^16 */
    uint8_t priority;  /* enum priority */
    uint8_t flags;     /* request: enum request_flag; reply: enum reply_flag; timer: TIMER_WORK */
    uint32_t bytes;    /* size on the wire [B] */
};

enum request_flag {
    REQUEST_RELATIVE = 1, /* `deadline` is a time left, not an instant */
    REQUEST_POOLED = 2,   /* the sender wants to hear when it holds a connection of a pool */
};

/* The instant of a request's deadline, if time left counts from `from` [ns]; SIM_TIME_NEVER without
 * one. */
static inline sim_time message_deadline(const struct message *m, sim_time from)
{
    return m->flags & REQUEST_RELATIVE ? sim_time_add(from, m->deadline) : m->deadline;
}

/* What an event is. A cancel says that nobody waits any more for the answer to the request with its
 * token and attempt. A type's own timers are EVENT_TIMER, EVENT_TIMER + 1, ... */
enum event_kind { EVENT_REQUEST, EVENT_REPLY, EVENT_CANCEL, EVENT_ACTION, EVENT_TIMER };

/* Which goes first at one instant. Timeouts come before completions, so that a reply that would
 * arrive at the very moment of the timeout is late even over a wire without delay. */
enum event_class { CLASS_ACTION, CLASS_TIMEOUT, CLASS_TIMER, CLASS_MESSAGE };

/* Events run in the order of (time, order). `order` packs
 *   class (2 bits) | keyed bijection of the source's name (32) | the source's own count (30).
 * The bijection is keyed by (seed, replication, time): ties between sources are broken without
 * favour, and the same way on any number of ranks. What a pause deferred has the class of a timeout
 * and its target for a source (engine/pauses.c). */
struct event {
    sim_time time; /* [ns] */
    uint64_t order;
    entity_id target;
    uint16_t kind; /* enum event_kind */
    uint16_t port; /* EVENT_REPLY: the port of the target that the request left by */
    struct message msg;
};

static_assert(sizeof(struct message) == 40, "a message is 40 bytes");
static_assert(sizeof(struct event) == 64, "an event is one cache line");

#endif
