/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract between the engine and an entity type: the descriptor that a type ends with, and
 * the calls that its handlers may make.
 *
 * Rules for handlers:
 * - State lies in `ctx->state`, which is zero before init. It holds indices and tokens, no
 *   pointers to other state, and nothing is allocated with malloc.
 * - Time passes only by sim_send, sim_reply and sim_timer. What they set going runs after the
 *   handler has returned, even at zero delay.
 * - Chance comes from the type's own streams, one per purpose, and nowhere else.
 */
#ifndef SQUALL_ENGINE_ENTITY_H
#define SQUALL_ENGINE_ENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/schema.h"
#include "base/slab.h"
#include "engine/blueprint.h"
#include "engine/event.h"
#include "rng/dist.h"
#include "rng/stream.h"
#include "stats/stat_spec.h"

struct sim;
struct rate_window;

/* Every type of src/entities, sorted by name; ends with NULL. Written by the build. */
extern const struct entity_type *const entity_registry[];

enum { ENTITY_SLABS = 4 };

struct ctx {
    struct sim *sim;
    sim_time now; /* [ns] */
    entity_id self;
    const void *params;
    void *state;
    void *stats;
    struct rng_stream *streams; /* in the order of the type's `streams` */
    struct slab *slabs;         /* of the type: in the order of the type's `slabs` */
    bool has_budget, has_conditioners, has_trace; /* whether there are any in the whole model */
    bool has_actions;                             /* likewise, here */
    bool has_onlookers; /* whether a budget, a trace or breakdowns look at single outcomes */
};

/* What a flow of requests makes of itself at an entity; see entity_type.traffic. */
struct traffic {
    double in;     /* [1/s] requests that arrive */
    double *out;   /* [1/s] requests sent by each port; zero at first */
    double events; /* [1/s] events handled */
};

struct entity_type {
    const char *name, *summary;
    bool answers;   /* takes requests; only such types can be targets */
    bool connects;  /* says when a request holds a connection, or hands on who does */
    bool peers;     /* its targets may name its own group, and so itself */
    unsigned heeds; /* 1u << ACTION_SLOW, ..., _CAPACITY: what changes how it behaves */
    /* Why one with these parameters does not heed such an action all the same, as the end of a
     * sentence that begins with its name; else NULL. The function may be NULL. */
    const char *(*exempt)(const void *params, enum action_kind kind);
    const struct schema *params;
    const struct stat_spec *stats;
    size_t stats_size;
    size_t state_size;
    const char *const *streams; /* purposes of its random streams; ends with NULL */
    size_t slabs[ENTITY_SLABS]; /* sizes of the slots it takes at run time; 0: unused */
    void (*init)(struct ctx *); /* at time 0; may be NULL */
    void (*handle)(struct ctx *, const struct event *); /* every event */
    void (*finish)(struct ctx *);                       /* at the end of the run; may be NULL */
    /* Told of every message that vanishes, as it arrives while the entity is down or was deferred
     * by a pause before a crash, to count it; may be NULL. */
    void (*miss)(struct ctx *, const struct event *);
    /* Fills in `out` and `events` for t->in, as if nothing failed: what a partition is balanced by.
     * NULL: one event a request, and none are sent. */
    void (*traffic)(const void *params, struct traffic *t);
};

/* Where a message goes: over a wire, to the `end`-th of its far ends. */
struct way {
    wire_id wire;
    uint32_t end;
};

/* Sends `m` as a request over one of the sender's wires and sets m->wire. Returns how long it takes
 * on the way [ns]; SIM_TIME_NEVER when the wire lost it, which the sender may count but must not
 * act upon otherwise. */
sim_time sim_send(struct ctx *, struct way way, struct message *m);

/* Likewise, but the message leaves only after `hold` >= 0 [ns], which does not count as on the way.
 */
sim_time sim_send_after(struct ctx *, struct way way, sim_time hold, struct message *m);

/* Tells the receiver of `m`, which was sent that way, that nobody waits for its answer any more.
 * Over a wire with jitter it may come before the request. False when the wire lost it. */
bool sim_send_cancel(struct ctx *, struct way way, const struct message *m);

/* Answers a request. `reply` says status, flags, deadline and bytes; request, token, attempt
 * and wire are copied from the request. False when the wire lost it. */
bool sim_reply(struct ctx *, const struct message *request, struct message *reply);

enum timer_flags {
    TIMER_FIRST = 1,    /* a timeout: goes before everything else of its instant */
    TIMER_CONSTANT = 2, /* `delay` is a constant of the model, so such timers come due in the
                           order they are set: they cost less */
    TIMER_WORK = 4,     /* the end of work of the entity's own, which takes `delay` without the time
                           that it is paused; a timer without this runs by the clock */
};

/* An event of kind EVENT_TIMER + n for this entity after `delay` >= 0 [ns]; with zero delay it
 * runs in this instant, after whatever was set going before. Returns a handle for sim_cancel
 * (0 for SIM_TIME_NEVER, which sets nothing going). A crash of the entity cancels its timers. */
uint64_t sim_timer(struct ctx *, uint16_t kind, sim_time delay, uint64_t token, unsigned flags);

/* Work whose time is drawn by `law` from the entity's stream of that number, and takes `slow` times
 * as long: its timer, with TIMER_WORK. */
static inline uint64_t sim_work(struct ctx *c, uint16_t kind, const struct dist *law,
                                uint32_t stream, double slow, uint64_t token)
{
    sim_time time = dist_draw(law, &c->streams[stream]);
    unsigned flags = TIMER_WORK | (dist_is_constant(law) ? TIMER_CONSTANT : 0);
    if (slow != 1.0) {
        time = sim_time_round((double)time * slow);
        flags = TIMER_WORK;
    }
    return sim_timer(c, kind, time, token, flags);
}

/* How much work has been done from `since`, when a timer with TIMER_WORK was set, to now [ns]. */
sim_time sim_worked_in_pauses(const struct ctx *, sim_time since);
static inline sim_time sim_worked(const struct ctx *c, sim_time since)
{
    return __builtin_expect(c->has_actions, 0) ? sim_worked_in_pauses(c, since) : c->now - since;
}

/* Cancels a timer that has not run. False: it has (or the handle is 0), nothing happens. */
bool sim_cancel(struct ctx *, uint64_t timer);

/* The wires of one of the entity's ports. */
const struct port_plan *sim_port(const struct ctx *, uint16_t port);

/* How many more far ends than one a wire has. */
uint32_t sim_wire_more(const struct ctx *, wire_id wire);

/* Requests that the entity counts as outstanding on a wire of its own: a scratch number for
 * balancing, zero at the start and after a crash. */
uint32_t *sim_wire_load(struct ctx *, wire_id wire);
/* Likewise for a port: the place of round robin. */
uint32_t *sim_port_turn(struct ctx *, uint16_t port);

/* Memory that is kept to the end of the replication: `size` zeroed bytes, by their place (never 0).
 * It does not move. For what is needed once, not for every request: nothing is ever given back. */
uint32_t sim_keep(struct ctx *, size_t size);
void *sim_kept(const struct ctx *, uint32_t place);

/* Memory that belongs to one of the entity's ports, or wires: `size` bytes, which is to be the same
 * in every call. Zero at first, and again after a crash. What is never asked for takes none. */
void *sim_port_memory(struct ctx *, uint16_t port, size_t size);
void *sim_wire_memory(struct ctx *, wire_id wire, size_t size);

/* Adds a value to a histogram of the entity's stats. */
void sim_record(struct ctx *, struct histogram *h, sim_time value);

/* An attempt or a request of this entity has ended: for the failure budget. */
void sim_take_outcome(struct ctx *, enum outcome_of what, bool failed);
static inline void sim_outcome(struct ctx *c, enum outcome_of what, bool failed)
{
    if (__builtin_expect(c->has_budget, 0)) {
        sim_take_outcome(c, what, failed);
    }
}

/* True when whoever makes requests by itself is to make no more: the budget was spent before now.
 */
bool sim_spent_budget(const struct ctx *);
static inline bool sim_sources_stopped(const struct ctx *c)
{
    return __builtin_expect(c->has_budget, 0) && sim_spent_budget(c);
}

/* Adds a value to a breakdown of the entity's stats, under the group of whoever it was done with
 * and a status, or the enum attempt_error (policies/verdict.h) that stands in its place. Where
 * the study does not ask for it, b->kept is 0 and nothing happens; look there first where the group
 * is to be found out. */
void sim_break_down(struct ctx *, struct breakdown *b, uint32_t group, uint16_t status,
                    sim_time value);
static inline void sim_record_by(struct ctx *c, struct breakdown *b, uint32_t group,
                                 uint16_t status, sim_time value)
{
    if (__builtin_expect(b->kept != 0, 0)) {
        sim_break_down(c, b, group, status, value);
    }
}

/* The group, by its place in the blueprint, that a wire leads to, and the one that it comes from.
 * Takes a search among the groups. */
uint32_t sim_target_group(const struct ctx *, wire_id wire);
uint32_t sim_caller_group(const struct ctx *, wire_id wire);

/* By how much service is slowed at this moment: the product of the actions in force, 1 without. */
double sim_slowdown_by_actions(const struct ctx *);
static inline double sim_slowdown(const struct ctx *c)
{
    return __builtin_expect(c->has_actions, 0) ? sim_slowdown_by_actions(c) : 1.0;
}

/* How many times as many workers it has at this moment: likewise. */
double sim_capacity(const struct ctx *);

/* The conditioners that timed actions put before this entity's calls, whether in force or not; `*n`
 * of them. */
struct conditioner_window {
    sim_time from, to; /* [ns] in force from <= t < to */
    struct conditioner conditioner;
};
const struct conditioner_window *sim_conditioners(const struct ctx *, uint32_t *n);

/* 64 uniform bits that belong to a logical request and a purpose, a hash: whoever asks in this
 * replication gets the same, and what is drawn elsewhere has nothing to do with them. The other
 * member of a pair (sim_options.antithetic) gets the complement. */
uint64_t sim_request_bits(const struct ctx *, uint64_t request, uint64_t purpose);

/* The name of a kind of request. */
const char *sim_kind_name(const struct ctx *, uint16_t number);

/* Hash of the name of any entity of the model, and who a wire leads to, its first far end. */
uint64_t sim_name_hash(const struct ctx *, entity_id id);
entity_id sim_wire_target(const struct ctx *, wire_id wire);

/* What who is called over a wire is called; of an instance, the name of its group. */
const char *sim_peer_name(const struct ctx *, wire_id wire);

/* The rate actions on this entity, for policies/arrivals.h; `*n` of them. */
const struct rate_window *sim_find_rate_windows(const struct ctx *, uint32_t *n);
static inline const struct rate_window *sim_rate_windows(const struct ctx *c, uint32_t *n)
{
    *n = 0;
    return __builtin_expect(c->has_actions, 0) ? sim_find_rate_windows(c, n) : NULL;
}

#endif
