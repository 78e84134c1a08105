/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay: what every proxy does. It takes a request in, sends it on with a token of its own,
 * knows whose the reply is, and answers the caller with that or with an answer of its own. A cancel
 * is found by what it cancels, and passed on if the owner wishes. A request in hand lives in a slot
 * of a slab, in which the owner may keep more.
 *
 * It sends each request on once and waits as long as it takes: timeouts and retries are the
 * business of parts/caller.h, by which an owner may make a call for a request instead.
 */
#ifndef SQUALL_PARTS_RELAY_H
#define SQUALL_PARTS_RELAY_H

#include "engine/entity.h"
#include "engine/target.h"
#include "parts/caller.h"
#include "parts/reject.h"
#include "parts/request_index.h"

/* What a slot begins with. The owner reads it, and changes in.m.flags before it is sent on. */
struct relay_slot {
    struct indexed_request in;
    sim_time arrived; /* [ns] */
    uint32_t slot;    /* its own */
    struct way way;   /* by which it was sent on, if `out`, or is to be */
    bool out;         /* sent on, and no final reply yet */
    bool detached;    /* see relay_detach */
};

/* Held by value in the owner's state, zero at first. */
struct relay_state {
    struct request_index index;
};

struct relay_stats {
    uint64_t requests_received, requests_sent, responses_received, late_responses;
    uint64_t cancels_received, requests_lost, requests_missed, messages_lost, replies_lost;
    struct gauge in_progress;
};

/* Statistics rows of a relay_stats that is the member `at` of struct `tag`. */
#define RELAY_STAT(tag, at, member, kind_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct relay_stats, member) \
    }
#define RELAY_STATS(tag, at) \
    RELAY_INWARD_STATS(tag, at), \
        RELAY_STAT(tag, at, requests_sent, STAT_COUNTER, "Requests sent on."), \
        RELAY_STAT(tag, at, responses_received, STAT_COUNTER, \
                   "Final replies to requests that were sent on and not given up since."), \
        RELAY_STAT(tag, at, late_responses, STAT_COUNTER, \
                   "Replies to requests that had been given up, or lost in a crash."), \
        RELAY_STAT(tag, at, messages_lost, STAT_COUNTER, "Requests lost on the wire.")

/* Those of an owner that takes requests in and answers them, but sends none on by this part. */
#define RELAY_INWARD_STATS(tag, at) \
    RELAY_STAT(tag, at, requests_received, STAT_COUNTER, "Requests that arrived."), \
        RELAY_STAT(tag, at, cancels_received, STAT_COUNTER, \
                   "Requests in hand that their callers gave up."), \
        RELAY_STAT(tag, at, requests_lost, STAT_COUNTER, "Requests in hand lost in a crash."), \
        RELAY_STAT(tag, at, requests_missed, STAT_COUNTER, \
                   "Requests that arrived while it was down, and vanished."), \
        RELAY_STAT(tag, at, replies_lost, STAT_COUNTER, "Replies lost on the wire."), \
        RELAY_STAT(tag, at, in_progress, STAT_GAUGE, \
                   "Requests taken in and not yet answered or given up.")

/* What the part needs of its owner; put together on the spot, never stored. */
struct relay {
    struct ctx *ctx;
    struct relay_state *state;
    struct relay_stats *stats;
    struct slab *slab; /* its slots begin with struct relay_slot */
};

/* That of an owner whose state, statistics and slots in its first slab all begin with those of the
 * part. */
static inline struct relay relay_of(struct ctx *c)
{
    return (struct relay){.ctx = c, .state = c->state, .stats = c->stats, .slab = &c->slabs[0]};
}

/* Takes a request in. The rest of the slot is not cleared. */
struct relay_slot *relay_take(const struct relay *r, const struct event *e);

/* The instant until which a request has time [ns]; SIM_TIME_NEVER: for ever. */
static inline sim_time relay_deadline(const struct relay_slot *s)
{
    return message_deadline(&s->in.m, s->arrived);
}

/* The call that is made for a request; `site` and `method` are the owner's own. */
static inline struct call_request relay_call(const struct relay_slot *s, uint32_t site, int method)
{
    const struct message *m = &s->in.m;
    return (struct call_request){.request = m->request,
                                 .cookie = s->slot,
                                 .deadline = relay_deadline(s),
                                 .class_ = m->class_,
                                 .site = (uint16_t)site,
                                 .priority = m->priority,
                                 .method = (uint8_t)method,
                                 .bytes = m->bytes};
}

/* Sends a request on, once: to one of the target, by its balance, whose chance comes from `stream`.
 * Time left in place of a deadline has gone on since it arrived. */
void relay_send(const struct relay *r, struct relay_slot *s, const struct target *target,
                struct rng_stream *stream);

/* The two halves of relay_send, for an owner who must know the way before it decides. */
void relay_aim(const struct relay *r, struct relay_slot *s, const struct target *target,
               struct rng_stream *stream);
void relay_send_aimed(const struct relay *r, struct relay_slot *s);

/* The request in hand that a reply, or a cancel, is about, or NULL. Counts it. */
struct relay_slot *relay_find(const struct relay *r, const struct event *e);

/* Answers the caller with status, flags, deadline and bytes of `reply`. The request is then gone,
 * unless the status is below 200: then this is not the last of it. */
void relay_answer(const struct relay *r, struct relay_slot *s, const struct message *reply);

/* Does not take a request on that was not sent on: it gets `reply`, or nothing. */
void relay_refuse(const struct relay *r, struct relay_slot *s, enum on_reject how,
                  const struct message *reply);

/* Its caller gives up a request, but the owner is not done with it, or goes on waiting for the
 * reply: the slot stays until relay_answer, which then answers nobody, or relay_drop. */
void relay_detach(const struct relay *r, struct relay_slot *s);

/* Waits no longer for the target's answer to a request that was sent on, so that the owner may
 * answer it. `tell` the target that nobody waits; a pool whose connection the request may hold is
 * always told. */
void relay_give_up(const struct relay *r, struct relay_slot *s, bool tell);

/* Forgets a request without an answer. `tell` its target, if it was sent on, that nobody waits. */
void relay_drop(const struct relay *r, struct relay_slot *s, bool tell);

/* Forgets all requests of the owner, which has crashed. */
void relay_crash(const struct relay *r);

/* Counts what arrives while the owner is down: the `miss` of those that relay_of is for. */
void relay_miss(struct ctx *c, const struct event *e);

#endif
