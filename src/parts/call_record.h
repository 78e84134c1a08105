/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written down of single attempts and requests, where a study asks for it: breakdowns of
 * how they ended, and rows of the trace. Elsewhere each of these costs a branch.
 */
#ifndef SQUALL_PARTS_CALL_RECORD_H
#define SQUALL_PARTS_CALL_RECORD_H

#include "parts/caller.h"

/* An attempt begins. */
void record_begin(const struct caller *c, const struct call *call, const struct attempt *a);

/* It has ended, and not been given up. */
void record_attempt(const struct caller *c, const struct attempt *a, const struct attempt_end *how);

/* After an attempt that ended so there is another one in `wait` [ns]. */
void record_retry(const struct caller *c, const struct call *call, const struct attempt_end *how,
                  sim_time wait);

/* The request ends. */
void record_end(const struct caller *c, const struct call *call, const struct attempt_end *how,
                enum outcome outcome);

/* A circuit breaker has changed to this phase. */
void record_phase(const struct caller *c, enum breaker_phase phase);

#endif
