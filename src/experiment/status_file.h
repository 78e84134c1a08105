/* SPDX-License-Identifier: Apache-2.0
 *
 * The status file: where a run stands, as OpenMetrics text (openmetrics.io, version 1.0.0) for
 * whoever watches many of them. Written anew every few seconds under another name and renamed, so
 * that a reader finds a whole file at any time. The last one stays, with the state in which the run
 * ended; of a run that was killed it says "running", and when that was. Kept by one process.
 */
#ifndef SQUALL_EXPERIMENT_STATUS_FILE_H
#define SQUALL_EXPERIMENT_STATUS_FILE_H

#include <stdbool.h>

#include "experiment/tally.h"
#include "results/meta.h"

enum run_state {
    RUN_STATE_RUNNING,
    RUN_STATE_DONE,
    RUN_STATE_STOPPED, /* before the end; it can be resumed */
    RUN_STATE_FAILED,
    RUN_STATES
};

struct status_file {
    const char *path;                /* not owned; NULL: there is none */
    const struct results_meta *meta; /* not owned */
    int ranks;
    double due;  /* [s] after the run's beginning: when to write again */
    bool warned; /* that it cannot be written, once */
};

/* Writes the first one. `path` may be NULL: then nothing is ever written. */
void status_file_open(struct status_file *f, const char *path, const struct results_meta *meta,
                      int ranks, const struct tally *t);

/* Writes it if it is time to, `elapsed` seconds after the run began. */
void status_file_show(struct status_file *f, const struct tally *t, double elapsed);

/* Writes the last one. */
void status_file_close(struct status_file *f, const struct tally *t, double elapsed,
                       enum run_state state);

#endif
