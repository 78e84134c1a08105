/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of squall plan, its first half: what a study consists of, and what running it will take.
 * The second half is cli/plan_division.h.
 */
#ifndef SQUALL_CLI_PLAN_H
#define SQUALL_CLI_PLAN_H

#include <stdint.h>

#include "experiment/forecast.h"
#include "model/points.h"

enum {
    PLAN_POINTS_ALL = 20, /* so many are all shown; of more, the costliest, the cheapest and ... */
    PLAN_POINTS_MORE = 9, /* ... so many between, the same number of points apart */
    PLAN_AXES_SHOWN = 8,  /* axes whose values stand beside a point */
};

/* Times are in [s], as if every point took what is forecast. */
struct plan {
    const char *path;
    struct points points;
    struct forecast forecast;
    int64_t ranks, shards; /* that there are to be; 0: not said */
    double on_ranks;       /* [s] of the whole study on so many ranks; 0: not said */
    double shard;          /* [s] of the longest shard, on one rank or on those; 0: not said */
    uint32_t longest;      /* which shard that is, from 1 */
    double ranks_memory;   /* [B] of one rank, all told; 0: not known */
    double ranks_address;  /* [B] of its address space, likewise */
    uint64_t *ranked;      /* owned; points, the costliest first */
    uint64_t rows[PLAN_POINTS_ALL]; /* points that are shown */
    uint32_t n_rows;
};

void plan_study_print(const struct plan *p);
void plan_study_json(const struct plan *p); /* an object without its last brace */

#endif
