/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of the verbs that run studies: what ends a run, and what ends one of its replications.
 */
#ifndef SQUALL_CLI_LIMITS_H
#define SQUALL_CLI_LIMITS_H

#include <argp.h>

#include "experiment/run.h"

enum { LIMITS_TIME_KEY = 0x300, LIMITS_WALL_KEY, LIMITS_MEMORY_KEY, LIMITS_FAILURES_KEY };

#define LIMITS_OPTIONS \
    {.name = "time-limit", \
     .key = LIMITS_TIME_KEY, \
     .arg = "DURATION", \
     .doc = "Stop when so much time is used up, for instance 50m, to be resumed (default: none; " \
            "in a Slurm job whose SLURM_JOB_END_TIME is set, 30 s before that)"}, \
        {.name = "replication-limit", \
         .key = LIMITS_WALL_KEY, \
         .arg = "DURATION", \
         .doc = "Give a replication up that runs longer, for instance 5m, say what it was doing, " \
                "and go on with the others"}, \
        {.name = "memory-limit", \
         .key = LIMITS_MEMORY_KEY, \
         .arg = "SIZE", \
         .doc = "Likewise one whose simulation takes more memory, for instance 2GiB, on any one " \
                "of its ranks"}, \
    { \
        .name = "max-failures", .key = LIMITS_FAILURES_KEY, .arg = "N|P%", \
        .doc = "Stop when more than N replications, or P % of the study's, were given up by a " \
               "limit or as stuck (default: however many; they are told at the end)" \
    }

/* Takes these options; ARGP_ERR_UNKNOWN for any other. */
error_t limits_option(int key, char *arg, struct argp_state *state, struct run_request *request);

#endif
