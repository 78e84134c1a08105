/* SPDX-License-Identifier: Apache-2.0
 *
 * Replications that did not come to their end: how many of them a run puts up with, and what is
 * said of them when it is over. For rank 0.
 */
#ifndef SQUALL_EXPERIMENT_FAILURES_H
#define SQUALL_EXPERIMENT_FAILURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/journal.h"
#include "results/record.h"

/* How many replications may be given up before the run stops. */
struct failures_limit {
    const char *text; /* as the user wrote it; NULL: no limit */
    bool is_share;    /* of all replications of the study; else a number of them */
    double share;     /* 0 to 1 */
    int64_t count;
};

/* Whether the replication was given up by a limit, and so counts. One that spent its own failure
 * budget has a result. */
bool failures_count(enum run_status status);

/* Whether `failures` of `all` are more than allowed. */
bool failures_too_many(const struct failures_limit *limit, uint64_t failures, uint64_t all);

enum { FAILURES_TOLD = 5 };

/* Those of a journal that did not end well. Pilots are no part of the results and not counted. */
struct failures {
    uint64_t all; /* that the journal holds */
    uint64_t n;   /* that did not end well */
    uint64_t by_status[RUN_STATUSES];
    struct {
        uint64_t point, replication;
        enum run_status status;
    } first[FAILURES_TOLD];
};
void failures_find(const struct journal_index *index, struct failures *f);

/* One line, without its end: how many, how they ended, and which were the first. */
const char *failures_text(const struct failures *f, struct arena *arena);

#endif
