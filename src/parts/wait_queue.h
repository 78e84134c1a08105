/* SPDX-License-Identifier: Apache-2.0
 *
 * The waiting room of a server: jobs linked through their slots, in the order of the discipline; by
 * deadline in a heap (parts/wait_heap.h), by chance in a bag (parts/wait_bag.h), by turns of flows
 * in a list each (parts/wait_flows.h). Held by value in an entity's state; zero is an empty
 * queue. What only some disciplines remember lies in kept memory, taken at first use.
 *
 * Whoever owns the room asks, in this order: whether a job that arrives may wait (wait_admits), and
 * whether there is room (wait_push); who is next (wait_pick), and whether that one is served at all
 * (wait_ends). Derived flags of the parameters say where this need not be asked.
 */
#ifndef SQUALL_PARTS_WAIT_QUEUE_H
#define SQUALL_PARTS_WAIT_QUEUE_H

#include <stdint.h>

#include "engine/entity.h"
#include "parts/discipline.h"
#include "parts/wait_flows.h"
#include "parts/wait_list.h"
#include "policies/admission.h"

struct queue_params {
    int64_t capacity;
    bool appends; /* derived: jobs are put in last, into one list */
    bool admits;  /* derived: wait_admits is to be asked */
    bool picks;   /* derived: wait_pick and wait_ends are; else wait_pop says who is next */
    bool times;   /* derived: wait_begins is to be told */
    bool expires; /* derived: whose deadline has passed is not served */
    bool drop_expired;
    int on_expired;    /* enum on_reject */
    sim_time max_wait; /* [ns] SIM_TIME_NEVER: no limit */
    struct discipline discipline;
    struct admission admission;
};
extern const struct schema queue_schema;

struct wait_queue {
    struct wait_list lists[PRIORITIES]; /* only the first without priorities */
    uint32_t count;
    uint32_t held;   /* 1-based index of the next in line, put aside by wait_next; 0: none */
    uint32_t memory; /* place of the kept memory, 0: none yet */
};

/* A room and what it needs of its owner; put together on the spot, never stored. */
struct wait_room {
    struct ctx *ctx;
    const struct queue_params *params;
    struct wait_queue *queue;
    struct slab *slab;        /* its slots begin with struct waiting */
    struct rng_stream *order; /* of siro */
    struct flow_stats *flow_stats;
};

/* What becomes of a job that is not served. */
enum wait_end {
    WAIT_GOES_ON, /* it is */
    WAIT_BALKED,  /* by the admission: turned away on arrival, ... */
    WAIT_SHED,    /* ... early, by RED or DAGOR */
    WAIT_RENEGED, /* when its turn came, it had waited longer than `max_wait`, ... */
    WAIT_EXPIRED, /* ... or its deadline had passed, ... */
    WAIT_DROPPED  /* ... or CoDel dropped it */
};

/* Whether the job of request `m`, which arrives now, may wait; if it is `served` at once only DAGOR
 * turns it away. Only where params->admits. */
enum wait_end wait_admits(const struct wait_room *r, const struct message *m, bool served,
                          struct rng_stream *stream);

/* The service of a job begins that has `waited`, be it for no time. Only where params->times. */
void wait_begins(const struct wait_room *r, sim_time waited);

/* Puts the job of request `m`, which arrives now, in, if there is room. */
bool wait_push(const struct wait_room *r, uint32_t index, const struct message *m);

/* The next job's index; only when count > 0, and not where params->picks. */
uint32_t wait_pop(struct wait_queue *q, struct slab *slab);

/* The next job's index, which waits on but goes before all others from now on; only when count > 0.
 */
uint32_t wait_next(const struct wait_room *r);

/* The next job's index; only when count > 0. */
uint32_t wait_pick(const struct wait_room *r);

/* Whether that job, of request `m`, is served now, or what becomes of it. */
enum wait_end wait_ends(const struct wait_room *r, const struct message *m, sim_time arrived);

/* Takes a job out that waits in it. */
void wait_remove(const struct wait_room *r, uint32_t index, const struct message *m);

/* Forgets all: a crash has taken the slots. */
void wait_clear(const struct wait_room *r);

#endif
