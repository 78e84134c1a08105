/* SPDX-License-Identifier: Apache-2.0
 *
 * How long workers take for tasks that are handed out one by one, each to whoever is free first, in
 * a given order: what the crew does (experiment/crew.h). With the longest tasks first this is at
 * most 4/3 of the best that can be done (Graham 1969).
 */
#ifndef SQUALL_EXPERIMENT_MAKESPAN_H
#define SQUALL_EXPERIMENT_MAKESPAN_H

#include <stdint.h>

#include "experiment/agenda.h"

enum { MAKESPAN_TASKS = 4000000 }; /* beyond, they are taken to fill all workers evenly */

/* Tasks of the points in `order`; plan->cost says what a replication takes at each point. Until the
 * last is done, in the unit of the costs. */
double makespan(const struct agenda_plan *plan, const uint64_t *order, uint64_t workers);

/* The shard, from 1 to `shards`, whose tasks cost most in all. */
uint32_t makespan_shard(const struct agenda_plan *plan, uint32_t shards);

/* How many of so many ranks work: rank 0 of a large crew only hands out. */
uint64_t makespan_workers(uint64_t ranks);

#endif
