/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written down of single attempts and requests, where a study asks for it: breakdowns of
 * how they ended, and rows of the trace. Elsewhere each of these costs a branch.
 */
#ifndef SQUALL_PARTS_CALL_RECORD_H
#define SQUALL_PARTS_CALL_RECORD_H

#include "engine/trace.h"
#include "parts/caller.h"

/* An attempt begins. */
void trace_attempt(const struct caller *c, const struct call *call, const struct attempt *a);
static inline void record_begin(const struct caller *c, const struct call *call,
                                const struct attempt *a)
{
    if (sim_traces(c->ctx)) {
        trace_attempt(c, call, a);
    }
}

/* It has ended, and not been given up. */
void break_attempt_down(const struct caller *c, const struct attempt *a,
                        const struct attempt_end *how);
static inline void record_attempt(const struct caller *c, const struct attempt *a,
                                  const struct attempt_end *how)
{
    if (__builtin_expect(c->stats->attempt_latency.kept != 0, 0)) {
        break_attempt_down(c, a, how);
    }
}

/* After an attempt that ended so there is another one in `wait` [ns]. */
void write_retry(const struct caller *c, const struct call *call, const struct attempt_end *how,
                 sim_time wait);
static inline void record_retry(const struct caller *c, const struct call *call,
                                const struct attempt_end *how, sim_time wait)
{
    if (__builtin_expect(c->stats->retry_reasons.kept != 0 || c->ctx->has_trace, 0)) {
        write_retry(c, call, how, wait);
    }
}

/* The request ends. */
void write_end(const struct caller *c, const struct call *call, const struct attempt_end *how,
               enum outcome outcome);
static inline void record_end(const struct caller *c, const struct call *call,
                              const struct attempt_end *how, enum outcome outcome)
{
    if (__builtin_expect(c->stats->outcome_latency.kept != 0 || c->ctx->has_trace, 0)) {
        write_end(c, call, how, outcome);
    }
}

/* A circuit breaker has changed to this phase. */
void record_phase(const struct caller *c, enum breaker_phase phase);

#endif
