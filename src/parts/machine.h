/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine that all those share who are in service at a server: n of them have as much of it
 * each, and work at the speed
 *
 *   min(1, cores / n) / (1 + contention (n - 1) + coherency n (n - 1))
 *
 * of one that is alone. The first factor is processor sharing: with one core and places for all,
 * the M/G/1-PS queue. The second is the universal scalability law (N. J. Gunther, "Guerrilla
 * Capacity Planning", 2007): waiting for what is shared, and agreeing on it. Whenever somebody
 * comes or goes, the speed of all changes at once.
 *
 * All having had the same, one virtual clock tells the work that each has had, and each is done at
 * a time of that clock that is known when it begins (as in weighted fair queueing: A. K. Parekh and
 * R. G. Gallager, IEEE/ACM Transactions on Networking 1(3), 1993). So only the next to be done has
 * a timer, and coming and going take O(log n) steps.
 *
 * Works are rounded to the nanosecond of the virtual clock once each; errors do not add up. In a
 * pause in which work goes on (`in_service: continues`) the speed is that of its beginning until
 * somebody comes or goes; what is left then waits for its end, as if begun in it.
 */
#ifndef SQUALL_PARTS_MACHINE_H
#define SQUALL_PARTS_MACHINE_H

#include "engine/entity.h"
#include "parts/wait_heap.h"

struct machine_params {
    int64_t cores;                /* INT64_MAX: one for each in service */
    double contention, coherency; /* [1] */
    bool shared;                  /* derived: the speed of one depends on the others */
};
extern const struct schema machine_schema;

/* Part of an entity's plain data; zero is an idle machine. */
struct machine {
    struct wait_heap works; /* by the time of the virtual clock at which they are done */
    sim_time clock;         /* [ns] the virtual clock ... */
    double fraction;        /* [ns] ... and what it is ahead of that, 0 <= fraction < 1 */
    sim_time since;         /* [ns] when it showed this */
    double speed;           /* [1] how fast it has gone since then */
    uint64_t timer;         /* of the next that is done */
};

/* A machine and what it needs of its owner; put together on the spot, never stored. */
struct machine_room {
    struct ctx *ctx;
    const struct machine_params *params;
    struct machine *machine;
    struct slab *slab;   /* its slots begin with a uint32_t that is the machine's in service */
    uint16_t timer_kind; /* of the owner: the next is done */
};

/* Begins `work` [ns] for a slot. Returns the time of the virtual clock, for machine_given. */
sim_time machine_begin(const struct machine_room *r, uint32_t slot, sim_time work);

/* The timer has run: whose work is done. */
uint32_t machine_done(const struct machine_room *r);

/* The work of a slot is given up. */
void machine_drop(const struct machine_room *r, uint32_t slot);

/* How much work [ns] was done, up to the last of these calls, for one that began at `begun`. */
sim_time machine_given(const struct machine *m, sim_time begun);

/* There may be more cores than before, or fewer (sim_capacity). */
void machine_adjust(const struct machine_room *r);

/* Forgets all: a crash has taken the slots, and the timer. */
void machine_clear(struct machine *m);

#endif
