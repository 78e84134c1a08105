/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of struct sim; for the files of engine/ only.
 *
 * All that changes during a replication is made of the blocks named here. Every block is zero at
 * the start of a replication by contract, so that a reset is to clear them and call the types'
 * init: cheaper than copying an initial image, and half the memory for idle entities.
 */
#ifndef SQUALL_ENGINE_WORLD_H
#define SQUALL_ENGINE_WORLD_H

#include "engine/event_queue.h"
#include "engine/sim.h"
#include "engine/trace.h"
#include "policies/failure_budget.h"
#include "policies/profile.h"

/* One entity: what leads to everything it owns. */
struct record {
    const struct entity_type *type;
    const void *params;
    unsigned char *state;
    unsigned char *stats;
    struct rng_stream *streams;
    struct slab *slabs; /* of the type */
    uint64_t digest;    /* of the events handled */
    uint32_t count;     /* events made; the low bits go into their order */
    uint32_t first_port;
    uint32_t condition; /* in sim->conditions; 0: nothing ever happens to it */
    uint32_t group;
    uint32_t trace; /* in sim->traces, 1-based; 0: it is not traced */
    uint32_t tie;   /* in place of the id where order must not depend on other entities */
    bool watched;   /* its outcomes count for the failure budget */
};

#define NO_STREAM (UINT32_MAX - 1) /* so that there is a next one */

struct wire {
    entity_id from, to;
    uint32_t more; /* as in struct wire_plan */
    uint32_t spec;
    uint32_t stream; /* of the request half, the reply half is the next; NO_STREAM: no chance */
    uint32_t load;   /* scratch of the caller */
    uint32_t memory; /* likewise, its place; see sim_wire_memory */
    uint16_t port;
};

/* What an entity keeps of one of its ports. */
struct port {
    uint32_t turn;   /* of round robin */
    uint32_t memory; /* its place; see sim_port_memory */
};

/* A wire's specification, made ready. */
struct route {
    struct wire_spec spec;
    bool plain;     /* neither chance nor size matter: every message takes `delay` */
    sim_time delay; /* [ns] */
    uint16_t lane;
    double ns_per_byte;
};

/* What timed actions have done to an entity. */
struct condition {
    double slow, capacity;
    uint32_t first_window, windows;           /* rate actions, in sim->windows */
    uint32_t first_conditioner, conditioners; /* in sim->conditioners */
    uint32_t first_pause, pauses;             /* in sim->pauses */
    uint32_t first_error, errors;             /* in sim->errors */
    uint32_t first_outage, outages;           /* crashes by chance, in sim->outages */
    uint32_t passed;                          /* pauses that are over */
    uint32_t deferred; /* number in the order of the first event that the latest pause deferred, or
                          could have */
    uint32_t kept;     /* likewise of the first one that no crash has undone */
    uint16_t epoch;    /* timers set in an earlier one are void */
    bool crashed;      /* a crash is in force: messages vanish */
    bool deaf;         /* likewise of one that lets it finish its work */
    bool down;         /* the type was told of it, and not yet of its end */
    bool paused;
};

/* When an entity is paused; those of one entity neither overlap nor touch, and are sorted. */
struct pause_window {
    sim_time from, to; /* [ns] from <= t < to */
    bool work_goes_on;
};

/* A share of an entity's requests that fails, in one window or again and again. */
struct error_window {
    const struct action_plan *plan;
    struct rng_stream stream;
};

/* Crashes of an entity that come by chance: the latest, or the next. */
struct outage {
    const struct action_plan *plan;
    struct rng_stream stream;
    sim_time from, to; /* [ns] from <= t < to; never: there is none any more */
};

/* When something is done to messages on their way. */
struct link_window {
    sim_time from, to; /* [ns] from <= t < to */
};

/* What is done to messages on their way. */
struct link {
    const struct link_plan *plan;
    struct rng_stream *streams; /* of each sender; NULL: nothing is left to chance */
    uint32_t first, n;          /* windows by chance, in sim->link_windows */
    unsigned char *half;        /* of each entity that is halved: which it is in ... */
    uint64_t halved;            /* ... during this window, by its number + 1; 0: of none so far */
};

/* Messages made for another part. */
struct outbox {
    struct region events;
    uint32_t n;
    sim_time first; /* [ns] the earliest to arrive */
    sim_time lookahead;
};

struct group {
    struct slab slabs[ENTITY_SLABS]; /* owned by the first group of a type ... */
    struct slab *shared;             /* ... and shared by all */
    bool sampled;
    uint32_t first_column; /* of the first instance that is here, in sim->series */
};

/* What the failure budget has seen. */
struct outcomes {
    struct region memory; /* of the window's ring */
    struct failure_window window;
    sim_time tripped; /* [ns]; SIM_TIME_NEVER: the budget is not spent */
};

struct sim {
    const struct blueprint *plan;
    struct sim_options options;
    uint64_t seed, replication;
    uint64_t drawn_as; /* the word `replication` in the keys of all streams: that of a pair's member
                          (rng/stream.h) or the replication itself */
    uint64_t tie_key, request_key;
    sim_time now;
    sim_time last;                  /* that runs: options.end, unless a failure budget was spent */
    sim_time boundary;              /* next end of an interval or of the warm-up */
    sim_time passed;                /* the one before; -1: none */
    sim_time reached;               /* everything before this has run */
    uint64_t events, stop_at;       /* handled, and the number at which the loop ends; whoever has
                                       a reason to end it at once makes them equal */
    uint64_t cascade, cascade_most; /* events that the one popped last but these has set off without
                                       any time passing, and where that is a loop */
    bool full;                      /* an outbox is; see sim_full */
    uint32_t part;
    const uint32_t *part_of; /* of every entity; NULL: all are here */
    struct outbox *outboxes; /* one a part */
    entity_id *own;          /* those that are here, ascending */
    uint32_t n_own;
    struct record *records; /* by entity; those of others are never touched */
    struct wire *wires;     /* likewise, by wire */
    struct route *routes;
    struct rng_stream *wire_streams;
    uint32_t n_wire_streams;
    struct port *ports;
    struct region kept; /* see sim_keep */
    struct group *groups;
    struct condition *conditions;
    uint32_t n_conditions;
    struct rate_window *windows;
    struct conditioner_window *conditioners;
    struct pause_window *pauses;
    struct error_window *errors;
    struct outage *outages;
    struct link *links;
    uint32_t n_links;
    struct region link_windows; /* struct link_window */
    struct outcomes outcomes;
    struct ctx ctx; /* of the event being handled */
    struct record *current;
    const struct event *event;
    struct hist_pool histograms;
    struct series series; /* of all entities of sampled groups */
    struct breakdown_pool breakdowns;
    struct trace_list *traces; /* owned; of each entity that is traced and here */
    uint32_t n_traces;
    uint64_t trace_below;     /* hashes of requests whose rows are kept */
    struct region trace_rows; /* struct trace_link */
    struct event_queue queue;
    struct region memory;              /* everything above */
    bool large;                        /* more than a core's own cache holds */
    size_t untouched;                  /* [B] of `memory` that stand for what others have */
    size_t mutable_from, mutable_size; /* of `memory`: states and statistics, cleared by reset */
};

#define ORDER_COUNT ((UINT32_C(1) << 30) - 1) /* the bits of an order that number it */

/* The event's order; see engine/event.h. */
static inline uint64_t order_key(const struct sim *s, sim_time time, enum event_class class_,
                                 struct record *source)
{
    /* Odd factors and shifts make this a bijection of the source for every key; a key is as good
     * as another, so it needs only to differ from instant to instant. */
    uint64_t key = ((uint64_t)time ^ s->tie_key) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t x = source->tie ^ (uint32_t)(key >> 32), count = source->count++;
    x *= UINT32_C(0x7feb352d);
    x ^= x >> 15;
    x += (uint32_t)(key >> 16);
    x *= UINT32_C(0x846ca68b);
    x ^= x >> 16;
    return (uint64_t)class_ << 62 | (uint64_t)x << 30 | (count & ORDER_COUNT);
}

/* A time of this mean, drawn from an exponential law; never 0 [ns]. */
static inline sim_time draw_time(struct rng_stream *stream, sim_time mean)
{
    sim_time t = sim_time_round(rng_exponential(stream) * (double)mean);
    return t > 0 ? t : 1;
}

/* engine/open.c: how many streams a type names, and how many of the entities here come before one.
 */
uint32_t count_streams(const struct entity_type *type);
uint32_t own_before(const struct sim *s, entity_id id);

/* engine/share.c */
void share_open(struct sim *s);
void share_reset(struct sim *s);
void share_close(struct sim *s);
/* Room for an event to `target`, which another part has; it is to be filled in and share_post'ed.
 */
struct event *share_new(struct sim *s, entity_id target);
void share_post(struct sim *s, const struct event *e);

/* engine/trace.c */
void trace_open(struct sim *s);
void trace_reset(struct sim *s);
void trace_close(struct sim *s);

/* engine/actions.c */
size_t actions_size(const struct blueprint *b); /* [B] that actions_open takes at most */
void actions_open(struct sim *s);               /* conditions and windows, from the blueprint */
void actions_reset(struct sim *s);              /* schedules what the timeline does to whom */
/* Computes the entity's condition. True: it has changed, and `e` says how; tell the type. */
bool actions_apply(struct sim *s, struct record *r, struct event *e);

/* The struct fault_stats of the entity whose record it is; NULL: it keeps none. */
struct fault_stats *fault_stats_of(const struct sim *s, const struct record *r);

/* engine/errors.c */
/* Copies the errors of entity `id` behind those of the condition before. */
void errors_open(struct sim *s, entity_id id, struct condition *k, const struct condition *before);
void errors_reset(struct sim *s);
/* True: the request, which entity `r` was about to get, has been answered by an error. */
bool errors_refuse(struct sim *s, struct record *r, const struct condition *k,
                   const struct event *e);
/* Makes an error of what the current entity answers, or leaves it as it is. */
void errors_spoil(struct sim *s, struct message *reply);

/* engine/links.c; nothing happens where the plan has no links */
size_t links_size(const struct blueprint *b); /* [B] that links_open takes at most */
void links_open(struct sim *s);
void links_reset(struct sim *s);
void links_close(struct sim *s);

/* A message on its way, as links change it. */
struct passage {
    entity_id from, to;
    uint32_t bytes;
    double ns_per_byte;
    sim_time leaves; /* [ns] when */
    sim_time delay;  /* [ns] and how long it takes then; SIM_TIME_NEVER: it is lost */
    bool held;       /* others were held until it leaves, if not itself */
};
void links_pass(struct sim *s, struct passage *p);

/* engine/pauses.c */
/* Copies the pauses of entity `id`, united, behind those of the condition before. */
void pauses_open(struct sim *s, entity_id id, struct condition *k, const struct condition *before);
/* Finds out whether the entity is paused now: at the first action of an instant. */
void pauses_apply(const struct sim *s, const struct record *r, struct condition *k);
/* How long work that is begun now and takes `delay` takes with the pauses it meets [ns]. */
sim_time pauses_stretch(const struct sim *s, const struct condition *k, sim_time delay);
/* Whether the event was deferred, and a crash has undone that. */
bool pauses_lost(const struct condition *k, const struct event *e);
/* True: the event, which was popped last, is deferred, and is not to be handled now. */
bool pauses_defer(struct sim *s, struct record *r, const struct condition *k, uint32_t slot);

/* engine/kept.c */
void kept_open(struct sim *s);
void kept_reset(struct sim *s);
void kept_close(struct sim *s);
void kept_clear(struct sim *s, uint32_t place); /* as it was at first */

/* engine/outcomes.c; nothing happens where there is no budget */
void outcomes_open(struct sim *s);
void outcomes_reset(struct sim *s);
void outcomes_close(struct sim *s);

/* Clears what a caller notes of its ports and wires: when it crashes. */
void forget_ports(struct sim *s, const struct record *r);

/* Makes `r`, which is entity `id`, the one that handlers are called for. */
void sim_enter(struct sim *s, struct record *r, entity_id id);

/* Starts a stream of this replication; who draws and what for stay. */
void sim_rekey(const struct sim *s, struct rng_stream *stream);

#endif
