/* SPDX-License-Identifier: Apache-2.0
 *
 * The crew: ranks that share independent tasks. Rank 0 knows what is to be done (experiment/
 * agenda.h), hands it out and hears of what was done; in a small crew it works like the others and
 * answers them between slices of its own work, in a large one (CREW_SERVED workers) it only
 * answers. While tasks are handed out several at a time, a worker asks for more when it has done
 * half of them, so that the answer is there when it is needed. Only two-sided messages are used, of
 * a few hundred bytes; a worker that is idle waits for one.
 *
 * Who does which task never shows in the results.
 *
 *   crew_open(...);
 *   while (crew_next(crew, &task)) {
 *       while (work is left && crew_poll(crew)) { a slice of some milliseconds }
 *       crew_done(crew, &result);
 *   }
 *   outcome = crew_close(crew);
 */
#ifndef SQUALL_EXPERIMENT_CREW_H
#define SQUALL_EXPERIMENT_CREW_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/simtime.h"
#include "model/goals.h"

enum { CREW_SERVED = 64, CREW_CHUNK = 64 /* tasks handed out at a time, at most */ };

struct crew;

/* What became of a task. */
struct crew_result {
    uint64_t task;
    uint64_t events;
    double values[GOALS_MOST]; /* what the agenda goes by */
    uint32_t status;           /* enum run_status */
};

/* What a rank is to do. */
struct crew_task {
    uint64_t task;
    sim_time warmup; /* [ns] that its point's pilot has found */
};

/* Where rank 0 gets tasks and takes results to; called there only. */
struct crew_source {
    /* Up to `most` tasks with the same warm-up; 0: none now. */
    uint64_t (*take)(void *context, uint64_t *tasks, uint64_t most, sim_time *warmup);
    /* True when there will never be any more. */
    bool (*over)(void *context);
    void (*done)(void *context, const struct crew_result *result);
    /* Several times a second, and often while rank 0 waits. */
    void (*idle)(void *context);
    /* About how many tasks are left to be taken: decides how many are handed out at a time. */
    uint64_t (*left)(void *context);
    void *context;
};

/* Collective. `source` is read on rank 0 only, and copied. */
struct crew *crew_open(MPI_Comm comm, const struct crew_source *source);

/* Rank 0 is to do no tasks itself, however small the crew; one rank alone does all the same. */
void crew_only_serve(struct crew *c);

/* What this rank has to do before it tells of the tasks that it has done, and before it rests: to
 * write down what it has gathered. False: it cannot, and the crew stops. NULL: nothing. */
void crew_keep(struct crew *c, bool (*keep)(void *context), void *context);

/* The next task of this rank. False: there is none left, or the crew stops. */
bool crew_next(struct crew *c, struct crew_task *task);

/* To be called every few milliseconds. False: drop what is in hand, the crew stops. */
bool crew_poll(struct crew *c);

/* The task in hand is finished, and recorded or about to be. */
void crew_done(struct crew *c, const struct crew_result *result);

/* Stops the whole crew: `failed` when something is broken, else because a signal asked for it. */
void crew_stop(struct crew *c, bool failed);

/* How many messages this rank has sent and taken in so far. */
uint64_t crew_messages(const struct crew *c);

enum crew_outcome { CREW_FINISHED, CREW_STOPPED, CREW_FAILED };

/* Collective. The same on every rank. */
enum crew_outcome crew_close(struct crew *c);

#endif
