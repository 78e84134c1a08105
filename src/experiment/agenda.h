/* SPDX-License-Identifier: Apache-2.0
 *
 * The agenda of a study: which replications of which points are still to be run, in what order, and
 * how many of them the results consist of. One process keeps it (rank 0 of a run; whoever merges
 * journals); it knows no MPI and no files.
 *
 * A task is one replication: number point * replications + replication, where `replications` is
 * the most of any point. It is the same in every journal, shard and resumed run. Where the warm-up
 * is found out, a point begins with one more task, its pilot.
 *
 * Points make units that are dealt with on their own: each by itself, or, in a search, the levels
 * of the axis together. What the results consist of follows from the values of replications alone,
 * never from the order in which they came in: what has run beyond is left out.
 */
#ifndef SQUALL_EXPERIMENT_AGENDA_H
#define SQUALL_EXPERIMENT_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/simtime.h"
#include "model/goals.h"
#include "stats/bisection.h"

/* The pilot of point p is AGENDA_PILOT | p. */
#define AGENDA_PILOT (UINT64_C(1) << 63)

struct agenda_plan {
    uint64_t n_points;
    uint64_t n_replications, min; /* of a point, at most and, where goals say more, at least */
    const double *cost;           /* of a replication at each point, in any unit; NULL: all the
                                     same. Read by agenda_open only */
    uint32_t shard, shards;       /* only this share of the tasks: shard 1 to `shards`; 0 of 0: all.
                                     With goals a unit is never divided */
    const struct goals *goals;    /* not owned; none of them: all replications are run */
    uint64_t levels;              /* of a search: a unit is so many points, one after the other */
    bool antithetic;
    bool pilots; /* the warm-up is found out */
};

struct agenda;

struct agenda *agenda_open(const struct agenda_plan *plan);
void agenda_close(struct agenda *a);

/* Whether a task is one of the plan's shard. */
bool agenda_has(const struct agenda_plan *plan, uint64_t task);

/* How many replications of a point are of the plan's shard, at most. */
uint64_t agenda_tasks_at(const struct agenda_plan *plan, uint64_t point);

/* A task is done, now or in an earlier run, with the value for each goal. Of a pilot the first
 * value is the warm-up [ns]. */
void agenda_put(struct agenda *a, uint64_t task, const double values[GOALS_MOST]);

/* Takes up to `most` tasks of one point, the costliest points first. 0: there is nothing to be
 * done, for ever or until more is known. */
uint64_t agenda_take(struct agenda *a, uint64_t *tasks, uint64_t most);

/* The warm-up that a point's pilot has found [ns]; 0 before and without one. */
sim_time agenda_warmup(const struct agenda *a, uint64_t point);

/* True when all is known that was asked for. */
bool agenda_over(const struct agenda *a);

/* Replications that the results need, as it looks now, and how many were done, those among them
 * that turned out not to be needed. */
uint64_t agenda_tasks(const struct agenda *a);
uint64_t agenda_done(const struct agenda *a);

/* How many more are needed, as it looks now; at least one as long as it is not over. */
uint64_t agenda_tasks_left(const struct agenda *a);

/* The tasks needed and done of each of so many shards, as agenda_plan has them: arrays of
 * `shards`. */
void agenda_shares(const struct agenda *a, uint32_t shards, uint64_t *tasks, uint64_t *done);

/* How many units there are, and of a unit how many replications are still to be run, as it looks
 * now: 0 when it is over. */
uint64_t agenda_units(const struct agenda *a);
uint64_t agenda_left(const struct agenda *a, uint64_t unit);

/* How many replications of a point the results have: the first so many. Of an agenda that is over.
 */
uint64_t agenda_used(const struct agenda *a, uint64_t point);

/* The searches, one for each point of the sweep, and what they have found: `unit` from 0. NULL:
 * nothing is searched, or there is no such unit. */
const struct bisection *agenda_search(const struct agenda *a, uint64_t unit);

/* How many replications were wanted of a point, and whether its rules hold. */
const struct stopping *agenda_stopping(const struct agenda *a, uint64_t point);

#endif
