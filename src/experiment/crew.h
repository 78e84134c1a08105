/* SPDX-License-Identifier: Apache-2.0
 *
 * The crew: ranks that share a list of independent tasks. Rank 0 keeps the list and works like the
 * others; it answers them between slices of its own work. While tasks are handed out several at a
 * time, a worker asks for more before it begins its last one, so that the answer is there when it
 * is needed. Only two-sided messages are used, of a few hundred bytes.
 *
 * Who does which task never shows in the results.
 *
 *   crew_open(...);
 *   while (crew_next(crew, &task)) {
 *       while (work is left && crew_poll(crew)) { a slice of some milliseconds }
 *       crew_done(crew, events);
 *   }
 *   outcome = crew_close(crew);
 */
#ifndef SQUALL_EXPERIMENT_CREW_H
#define SQUALL_EXPERIMENT_CREW_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

struct crew;

struct crew_progress {
    uint64_t tasks, done; /* of this run */
    uint64_t events;      /* in the tasks done */
};

/* Collective. `tasks`: `n` numbers, read on rank 0 only, handed out in this order; not owned.
 * `report` (may be NULL) is called on rank 0 at every poll, and often while it waits. */
struct crew *crew_open(MPI_Comm comm, const uint64_t *tasks, uint64_t n,
                       void (*report)(void *context, const struct crew_progress *), void *context);

/* The next task of this rank. False: there is none left, or the crew stops. */
bool crew_next(struct crew *c, uint64_t *task);

/* To be called every few milliseconds. False: drop what is in hand, the crew stops. */
bool crew_poll(struct crew *c);

/* The task in hand is finished and recorded. */
void crew_done(struct crew *c, uint64_t events);

/* Stops the whole crew: `failed` when something is broken, else because a signal asked for it. */
void crew_stop(struct crew *c, bool failed);

enum crew_outcome { CREW_FINISHED, CREW_STOPPED, CREW_FAILED };

/* Collective. The same on every rank. */
enum crew_outcome crew_close(struct crew *c);

#endif
