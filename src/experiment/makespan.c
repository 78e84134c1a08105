/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/makespan.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "experiment/crew.h"

/* Points are never divided among shards where goals look at all of their replications. */
static bool has_whole_points(const struct agenda_plan *plan)
{
    return plan->goals && plan->goals->n > 0;
}

/* Gives the worker that is free first, the root of the heap, a task. */
static void give(double *free_at, uint64_t workers, double cost)
{
    double t = free_at[0] + cost;
    uint64_t i = 0, child;
    while ((child = 2 * i + 1) < workers) {
        child += child + 1 < workers && free_at[child + 1] < free_at[child];
        if (free_at[child] >= t) {
            break;
        }
        free_at[i] = free_at[child];
        i = child;
    }
    free_at[i] = t;
}

static double hand_out(const struct agenda_plan *plan, const uint64_t *order, uint64_t workers)
{
    double *free_at = calloc(workers, sizeof *free_at), end = 0.0;
    CHECK(free_at, "out of memory for %llu workers", (unsigned long long)workers);
    for (uint64_t i = 0; i < plan->n_points; i++) {
        for (uint64_t k = agenda_tasks_at(plan, order[i]); k > 0; k--) {
            give(free_at, workers, plan->cost[order[i]]);
        }
    }
    for (uint64_t w = 0; w < workers; w++) {
        end = fmax(end, free_at[w]);
    }
    free(free_at);
    return end;
}

double makespan(const struct agenda_plan *plan, const uint64_t *order, uint64_t workers)
{
    uint64_t tasks = 0;
    double all = 0.0, largest = 0.0;
    for (uint64_t p = 0; p < plan->n_points; p++) {
        uint64_t n = agenda_tasks_at(plan, p);
        tasks += n;
        all += (double)n * plan->cost[p];
        largest = n > 0 ? fmax(largest, plan->cost[p]) : largest;
    }
    if (workers >= tasks || workers == 1) {
        return workers == 1 ? all : largest;
    }
    if (tasks > MAKESPAN_TASKS) {
        return fmax(all / (double)workers, largest);
    }
    return hand_out(plan, order, workers);
}

/* Every shard has as many of a point's tasks, and some, one after the other, one more. Whole points
 * go to one. */
uint32_t makespan_shard(const struct agenda_plan *plan, uint32_t shards)
{
    double *more = calloc(shards, sizeof *more);
    CHECK(more, "out of memory for %u shards", shards);
    for (uint64_t p = 0; p < plan->n_points; p++) {
        uint64_t first = p * plan->n_replications;
        if (has_whole_points(plan)) {
            uint64_t unit = p / (plan->levels > 0 ? plan->levels : 1);
            more[unit % shards] += plan->cost[p];
            continue;
        }
        for (uint64_t k = 0; k < plan->n_replications % shards; k++) {
            more[(first + k) % shards] += plan->cost[p];
        }
    }
    uint32_t most = 0;
    for (uint32_t i = 1; i < shards; i++) {
        most = more[i] > more[most] ? i : most;
    }
    free(more);
    return most + 1;
}

uint64_t makespan_workers(uint64_t ranks)
{
    return ranks > CREW_SERVED ? ranks - 1 : ranks;
}
