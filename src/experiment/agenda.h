/* SPDX-License-Identifier: Apache-2.0
 *
 * The agenda of a study: which replications of which points are still to be run, in what order, and
 * how many of them the results consist of. One process keeps it (rank 0 of a run; whoever merges
 * journals); it knows no MPI and no files.
 *
 * A task is one replication: number point * replications + replication, where `replications` is
 * the most of any point. It is the same in every journal, shard and resumed run.
 *
 * What the results consist of follows from the values of replications alone, never from the order
 * in which they came in: what has run beyond is left out.
 */
#ifndef SQUALL_EXPERIMENT_AGENDA_H
#define SQUALL_EXPERIMENT_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

struct agenda_plan {
    uint64_t n_points;
    uint64_t n_replications; /* of a point, at most */
    const double *cost;      /* of a replication at each point, in any unit; NULL: all the same */
    uint32_t shard, shards;  /* only this share of the tasks: shard 1 to `shards`; 0 of 0: all */
};

struct agenda;

struct agenda *agenda_open(const struct agenda_plan *plan);
void agenda_close(struct agenda *a);

/* Whether a task is one of the plan's shard. */
bool agenda_has(const struct agenda_plan *plan, uint64_t task);

/* A task is done, now or in an earlier run. */
void agenda_put(struct agenda *a, uint64_t task);

/* Takes up to `most` tasks of one point, the costliest points first. 0: there is nothing to be
 * done, for ever or until more is known. */
uint64_t agenda_take(struct agenda *a, uint64_t *tasks, uint64_t most);

/* True when nothing is left and nothing is under way. */
bool agenda_over(const struct agenda *a);

/* Tasks that the results need, as far as is known, and how many of these are done. */
uint64_t agenda_tasks(const struct agenda *a);
uint64_t agenda_done(const struct agenda *a);

/* How many replications of a point the results have: the first so many. Of an agenda that is over.
 */
uint64_t agenda_used(const struct agenda *a, uint64_t point);

#endif
