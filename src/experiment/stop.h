/* SPDX-License-Identifier: Apache-2.0
 *
 * What asks for an orderly stop of a whole run: SIGINT, SIGTERM, and SIGUSR1, which batch systems
 * send before a time limit; a time that is used up; and whoever calls stop_because. What comes
 * first is remembered as the reason. A second SIGINT ends the program as usual. SIGXFSZ is ignored,
 * so that a file that may not grow is an error like a full disk.
 *
 * Nothing here is collective: the ranks of a crew tell each other (crew.h), and it is enough that
 * one of them knows.
 */
#ifndef SQUALL_EXPERIMENT_STOP_H
#define SQUALL_EXPERIMENT_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/simtime.h"

/* Listens to signals from now on, which is the beginning of the run. To be called before MPI_Init,
 * which takes a tenth of a second and more, and leaves these signals as they are. */
void stop_listen(void);

/* How long the run may take, of the wall clock. */
struct stop_limit {
    sim_time wall;    /* [ns] since stop_listen; 0: as long as it likes */
    const char *text; /* as the user wrote it */
};

enum { STOP_MARGIN_S = 30 };

/* From now on the run is to stop when its time is used up; and STOP_MARGIN_S before the end of a
 * Slurm job, where Slurm tells it (SLURM_JOB_END_TIME, from 23.02 on). Stopping takes as long as
 * the disk needs for what was written last; results that are made of a large journal at the end may
 * take longer than any margin, but a journal whose results were cut off makes them when it is
 * resumed. */
void stop_in_time(const struct stop_limit *limit);

/* `reason` is how the sentence "stopped by ..." ends, and must live on. */
void stop_because(const char *reason);

/* True once somebody has asked. */
bool stop_wanted(void);

/* The name of the signal, or another reason; NULL: nobody has asked. */
const char *stop_reason(void);

#endif
