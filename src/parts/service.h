/* SPDX-License-Identifier: Apache-2.0
 *
 * Service: what a request takes of its server once it has its workers, and how long. Its turn in
 * an event loop (parts/event_loop.h), where there are any, and then its work: by a timer of its
 * own, or by the machine that all share who are in service (parts/machine.h).
 *
 * How much work that is, is said by the response that it gets, else by its kind, else by the
 * server. What slows service down is looked at when a turn, or work, begins.
 *
 * The owner begins a service (service_begin), hands its timers on, and is told whose service is
 * over (service_ends); or gives one up (service_stop).
 */
#ifndef SQUALL_PARTS_SERVICE_H
#define SQUALL_PARTS_SERVICE_H

#include "engine/entity.h"
#include "engine/kind.h"
#include "parts/event_loop.h"
#include "parts/machine.h"
#include "parts/request_index.h"
#include "parts/response.h"
#include "policies/mix.h"
#include "policies/warm_up.h"

/* What is different for one kind of requests. */
struct served_kind {
    struct kind kind; /* first */
    int64_t weight;
    struct dist service_time; /* in place of the server's */
};

struct service_params {
    struct dist time;
    LIST_OF(struct served_kind) kinds;
    struct event_loop_params event_loop;
    struct machine_params machine;
    struct warm_up warm_up;
    LIST_OF(struct response) responses;
    /* derived */
    struct mix mix;     /* of responses */
    bool refuses;       /* one of these does, on arrival */
    bool weighted;      /* not all kinds take one worker */
    bool tracked;       /* what is in service has a struct work; also set by an owner that gives
                           services up */
    bool tracked_early; /* ... from before it begins: by service_track, the owner says so */
    bool has_own_times; /* not all take the server's time */
    bool plain;         /* nothing but that time: none of the above, no turns, always warm */
};

extern const struct schema response_schema, served_kind_schema;

/* Rows of a service_params that is the member `at` of struct `tag`. */
#define SERVICE_ROW(tag, at, key_, member, type_, kind_, fallback_, ...) \
    { \
        .name = key_, .kind = kind_, .unit = "", .fallback = fallback_, \
        .offset = offsetof(struct tag, at) + SCHEMA_OFFSET(type_, service_params, member), \
        __VA_ARGS__ \
    }
#define SERVICE_LIST(tag, at, member, kind_, schema_, fallback_, doc_) \
    { \
        .name = #member, .kind = kind_, .unit = "", .fallback = fallback_, .schema = &schema_, \
        .offset = offsetof(struct tag, at) + SCHEMA_LIST_OFFSET(service_params, member), \
        .doc = doc_ \
    }
#define SERVICE_ROWS(tag, at) \
    SERVICE_ROW(tag, at, "service_time", time, struct dist, PARAM_CHOICE, "10ms", \
                .choice = &dist_duration, \
                .doc = "Time that a worker spends on one request, its downstream calls not " \
                       "counted."), \
        SERVICE_LIST(tag, at, kinds, PARAM_MAP, served_kind_schema, "{}", \
                     "Kinds of requests that take more than one worker, or other times. A " \
                     "request that does not fit waits, and all others behind it."), \
        SERVICE_ROW(tag, at, "event_loop", event_loop, struct event_loop_params, PARAM_BLOCK, \
                    "{}", .schema = &event_loop_schema, \
                    .doc = "What requests need of a processor, one after the other, before " \
                           "their service."), \
        SERVICE_ROW(tag, at, "machine", machine, struct machine_params, PARAM_BLOCK, "{}", \
                    .schema = &machine_schema, \
                    .doc = "What all share who are in service, and how they slow each other " \
                           "down."), \
        SERVICE_ROW(tag, at, "warm_up", warm_up, struct warm_up, PARAM_CHOICE, "none", \
                    .choice = &warm_up_choice, .doc = "How service takes longer at first."), \
        SERVICE_LIST(tag, at, responses, PARAM_LIST, response_schema, "[{status: 200}]", \
                     "The replies given after service, chosen by weight.")

/* To be called by the owner's `derive`; it has so many workers. */
void service_derive(struct service_params *p, int64_t workers, const struct node *at,
                    struct diag *diag, struct arena *arena);

/* Part of an entity's plain data; zero before service_open. */
struct service {
    struct machine machine;
    struct event_loop event_loop;
    sim_time started; /* [ns] when it began to warm up */
    uint64_t begun;   /* requests whose service has begun since then */
};

enum service_phase {
    SERVICE_AWAITED, /* it has not begun */
    SERVICE_LINED,   /* waits for an event loop */
    SERVICE_LOOPING, /* has its turn */
    SERVICE_WORKING,
    SERVICE_OVER, /* what follows is the owner's business */
};

/* What the slot of a request begins with. Those that wait may be very many: what only some need in
 * service lies elsewhere. */
struct served {
    union {
        struct waiting link; /* SERVICE_AWAITED, SERVICE_LINED; on a machine, that one's own */
        sim_time begun; /* [ns] SERVICE_LOOPING, or SERVICE_WORKING by a timer: when it began */
        uint32_t call;  /* SERVICE_OVER: the owner's */
    } of;               /* first, for the queue */
    struct indexed_request in; /* the request */
    uint32_t work;             /* in service, where it is tracked: the slot of its struct work */
    unsigned response : 16;    /* which one it gets */
    unsigned site : 13;        /* the owner's */
    unsigned phase : 3;        /* enum service_phase */
};
enum { SERVICE_RESPONSES = 1 << 16, SERVICE_SITES = 1 << 13 }; /* most of them */

/* What is in service, where it may have to be stopped, or shares a machine. */
struct work {
    uint64_t timer;     /* of its turn or its work */
    uint64_t deadline;  /* the owner's own timer */
    uint32_t in_flight; /* the owner's own, from before service on: see server.c */
    sim_time begun;     /* [ns] on a shared machine: by its clock */
    entity_id owner;
};

struct service_stats {
    uint64_t total_time; /* [ns] */
    struct gauge event_loop_queue;
};

/* Rows of the struct service_stats that is the member `at` of struct `tag`. */
#define SERVICE_STATS(tag, at) \
    {.name = "total_service_time", \
     .doc = "Service given, that of event loops included and downstream calls not. Of a machine " \
            "that is shared, what it would have taken alone.", \
     .unit = "ns", \
     .kind = STAT_COUNTER, \
     .offset = offsetof(struct tag, at) + STAT_OFFSET(uint64_t, service_stats, total_time)}, \
    { \
        .name = "event_loop_queue", \
        .doc = "Of the requests in service, those waiting for an event loop.", .unit = "1", \
        .kind = STAT_GAUGE, \
        .offset = \
            offsetof(struct tag, at) + STAT_OFFSET(struct gauge, service_stats, event_loop_queue) \
    }

/* A service at work; put together on the spot, never stored. */
struct service_room {
    struct ctx *ctx;
    const struct service_params *params;
    struct service *state;
    struct service_stats *stats;
};

/* The owner's first slabs: of slots that begin with a struct served, and of struct work; its first
 * streams: for work, and for turns in event loops; and its first kinds of timers. */
enum { SERVICE_JOBS, SERVICE_WORKS, SERVICE_END_SLABS };
enum { SERVICE_TIMES, SERVICE_TURNS, SERVICE_END_STREAMS };
enum { SERVICE_TIMER = EVENT_TIMER, SERVICE_MACHINE_TIMER, SERVICE_LOOP_TIMER, SERVICE_END_TIMERS };

/* At the start of the run: warm, or cold if that is said. */
void service_open(const struct service_room *r);

/* Up again after a crash, and cold. */
void service_restart(const struct service_room *r);

/* How many workers a request takes. */
int64_t service_weight_by_kind(const struct service_params *p, const struct message *request);
static inline int64_t service_weight(const struct service_params *p, const struct message *request)
{
    return p->weighted ? service_weight_by_kind(p, request) : 1;
}

/* Takes the struct work of a request that waits; only where params->tracked_early. */
void service_track(const struct service_room *r, uint32_t slot);

/* The service of the request in `slot` begins. */
static inline void service_begin(const struct service_room *r, uint32_t slot);

/* One of these timers has run: whose service is over, SLAB_NONE if it was only a turn. */
static inline uint32_t service_ends(const struct service_room *r, const struct event *e);

/* The service of `slot`, which has begun and is not over, is given up. */
void service_stop(const struct service_room *r, uint32_t slot);

/* Gives back what service has needed of `slot`, after it is over or was given up, or before it has
 * begun. */
void service_forget(const struct service_room *r, uint32_t slot);

/* What belongs to a slot in service; only where params->tracked. */
struct work *service_work(const struct service_room *r, uint32_t slot);

/* There may be more cores than before, or fewer (sim_capacity). */
void service_adjust(const struct service_room *r);

/* Forgets all: a crash has taken the slots of the requests. */
void service_clear(const struct service_room *r);

/* --- plain service: in the header, as most servers do nothing else --------------------------- */

/* Draws how long a turn, or work, takes when it takes `slow` times as long as usual, and sets its
 * timer. Returns that timer. */
static inline uint64_t service_run(const struct service_room *r, uint32_t slot, uint16_t timer,
                                   const struct dist *law, uint32_t stream, double slow)
{
    struct slab *jobs = &r->ctx->slabs[SERVICE_JOBS];
    ((struct served *)slab_at(jobs, slot))->of.begun = r->ctx->now;
    return sim_work(r->ctx, timer, law, stream, slow, slab_token(jobs, slot));
}

void service_begin_specially(const struct service_room *r, uint32_t slot);
static inline void service_begin(const struct service_room *r, uint32_t slot)
{
    if (!r->params->plain) {
        service_begin_specially(r, slot);
        return;
    }
    struct served *job = slab_at(&r->ctx->slabs[SERVICE_JOBS], slot);
    job->phase = SERVICE_WORKING;
    service_run(r, slot, SERVICE_TIMER, &r->params->time, SERVICE_TIMES, sim_slowdown(r->ctx));
}

uint32_t service_ends_specially(const struct service_room *r, const struct event *e);
static inline uint32_t service_ends(const struct service_room *r, const struct event *e)
{
    if (e->kind != SERVICE_TIMER) {
        return service_ends_specially(r, e);
    }
    struct served *job = slab_find(&r->ctx->slabs[SERVICE_JOBS], e->msg.token);
    CHECK(job, "the end of a service that nobody has");
    r->stats->total_time += (uint64_t)sim_worked(r->ctx, job->of.begun);
    job->phase = SERVICE_OVER;
    return (uint32_t)e->msg.token;
}

#endif
