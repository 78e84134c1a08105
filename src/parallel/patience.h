/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for other ranks without being deaf: whoever waits still polls every few milliseconds, and
 * the time spent waiting is counted.
 */
#ifndef SQUALL_PARALLEL_PATIENCE_H
#define SQUALL_PARALLEL_PATIENCE_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

struct patience {
    bool (*poll)(void *context); /* false: somebody wants to stop; may be NULL */
    void *context;
    bool stop;           /* that was so */
    uint64_t polled;     /* [ns] when */
    uint64_t blocked_ns; /* spent in patience_wait */
};

uint64_t patience_clock(void); /* [ns], monotonic */

/* Polls when it is time to. */
void patience_poll(struct patience *p, uint64_t now);

/* Until all of the requests have completed. */
void patience_wait(struct patience *p, MPI_Request *requests, int n);

#endif
