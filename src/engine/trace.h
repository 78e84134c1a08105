/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace: rows that say what becomes of single requests, from traced groups only. Of a request
 * either every row is kept or none, whichever entities write them: that is decided by a hash of
 * seed, replication and request, so the trace is the same on any number of ranks. The warm-up is in
 * it, as in time series.
 *
 * Rows lie in one region, linked by entity; nothing is allocated per row. An entity writes at most
 * sim_options.trace.limit rows in a replication and counts those beyond. The limit is the entity's
 * own because what one rank has written says nothing about what the others have.
 */
#ifndef SQUALL_ENGINE_TRACE_H
#define SQUALL_ENGINE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/entity.h"

struct sim;

/* Their places are written to files. */
enum trace_kind {
    TRACE_REQUEST, /* an attempt begins, be it sent or held back */
    TRACE_RETRY,   /* another one is decided upon */
    TRACE_SUCCESS, /* the request has ended well */
    TRACE_FAILURE, /* it was given up */
    TRACE_STATE,   /* a breaker has changed; belongs to no request and is always kept */
    TRACE_KINDS
};
extern const char *const trace_kind_names[TRACE_KINDS];

/* What is not said is 0. */
struct trace_row {
    sim_time time;    /* [ns]; sim_trace fills it in */
    uint64_t request; /* logical request */
    sim_time wait;    /* [ns] retry: before the attempt */
    sim_time total;   /* [ns] success, failure: since the request began, waits included */
    uint32_t attempt; /* from 1; retry: the one about to be made */
    uint16_t status;  /* retry, success, failure: of the answer, if there was one; state: the new
                         phase */
    uint8_t kind;     /* enum trace_kind */
    uint8_t
        error; /* retry, failure: enum attempt_error (policies/verdict.h) of the attempt before */
};

/* Whether the entity's rows are wanted: to be asked where a row costs something to make. */
bool sim_is_traced(const struct ctx *);
static inline bool sim_traces(const struct ctx *c)
{
    return __builtin_expect(c->has_trace, 0) && sim_is_traced(c);
}

/* Writes a row down: does nothing where the entity is not traced, or the request is left out. */
void sim_trace(struct ctx *, const struct trace_row *row);

/* Reading. The number of rows that an entity has written, and of those beyond the limit. */
uint64_t sim_trace_rows(const struct sim *s, entity_id id, uint64_t *dropped);
/* Its rows in the order written, which is that of time: the one after `row`, the first after NULL;
 * NULL after the last. Valid until the next reset. */
const struct trace_row *sim_trace_next(const struct sim *s, entity_id id,
                                       const struct trace_row *row);

#endif
