/* SPDX-License-Identifier: Apache-2.0
 *
 * Network conditioners: bad network as the caller sees it, put before each of its attempts. An
 * attempt is lost with a probability, which the caller learns at once, as of a connection that is
 * refused; else it is delayed by max(0, latency + J), J uniform between -jitter and jitter.
 * (LoadDensity's NetworkConditioner, whose latencies lie on a grid of microseconds and whose
 * probabilities on one of 1e-4; here neither does.)
 */
#ifndef SQUALL_POLICIES_CONDITIONER_H
#define SQUALL_POLICIES_CONDITIONER_H

#include <stdbool.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "rng/stream.h"

/* Zero does nothing. */
struct conditioner {
    sim_time latency, jitter; /* [ns] */
    double loss;              /* [1] probability */
    const char *name_filter;  /* "": everything */
};

extern const struct schema conditioner_schema;

/* Whether it does anything at all. */
static inline bool conditioner_does(const struct conditioner *c)
{
    return c->latency > 0 || c->jitter > 0 || c->loss > 0.0;
}

/* Whether it does anything to a request of this name, which contains the filter. */
bool conditioner_applies(const struct conditioner *c, const char *name);

/* Whether an attempt is lost. Draws once unless loss is 0 or 1. */
bool conditioner_drops(const struct conditioner *c, struct rng_stream *stream);

/* By how much an attempt is delayed [ns]. Draws once when there is jitter. */
sim_time conditioner_delay(const struct conditioner *c, struct rng_stream *stream);

#endif
