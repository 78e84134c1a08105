/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a study over ranks: replications of all points are handed out, each goes into a journal
 * when it is finished, and when all are, rank 0 makes the results file of the journal and removes
 * it. A shard of a study ends with its journal (experiment/merge.h).
 */
#ifndef SQUALL_EXPERIMENT_RUN_H
#define SQUALL_EXPERIMENT_RUN_H

#include <stdbool.h>

#include "engine/entity.h"
#include "experiment/failures.h"
#include "experiment/stop.h"
#include "experiment/team.h"
#include "experiment/watchdog.h"

/* What a program ends with. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_TROUBLE = 1,     /* anything else */
    EXIT_WRONG_INPUT = 2, /* the user's configuration or command line */
    EXIT_RESUMABLE = 3,   /* stopped before the end; resume goes on */
    EXIT_ENDED_EARLY = 4, /* replications were given up, and so many perhaps that the run was */
};

struct run_request {
    const char *config;           /* path; NULL with `journal` */
    const char *const *overrides; /* "path=value"; ends with NULL */
    const char *output;           /* results file; NULL: NAME.h5 in the current directory */
    const char *journal;          /* to be resumed; NULL: a new study */
    bool resume;                  /* go on with the study's own journal if there is one */
    bool force;                   /* overwrite results and journal that are there */
    bool quiet;
    const char *status_file; /* path, or NULL */
    uint32_t shard, shards;  /* only this share of the study, 1 to `shards`; 0 of 0: all */
    bool retry_failed;       /* run those again that the watchdog ended */
    struct stop_limit limit;
    struct watchdog_limits watchdog;
    struct failures_limit failures;
    struct team_request team;
    const char *command; /* the command line, for provenance */
};

/* Collective over MPI_COMM_WORLD; every rank gets the same arguments and the same answer. */
enum exit_status run_study(const struct run_request *request,
                           const struct entity_type *const *registry);

#endif
