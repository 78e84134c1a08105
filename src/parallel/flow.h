/* SPDX-License-Identifier: Apache-2.0
 *
 * What a model will have to do, before it is run: the traffic equations. Who makes requests by
 * itself sends at its rate; who gets some sends on what its type says (entity_type.traffic), as if
 * nothing failed. Retries, hedges and rejections are left out: this balances partitions and
 * estimates run times, it is no result.
 *
 * A model with cycles of calls is followed for FLOW_ROUNDS rounds, which leaves out what would go
 * round more often than that. (Rounds end sooner when nothing changes, or when calls beget calls
 * beyond all measure.)
 */
#ifndef SQUALL_PARALLEL_FLOW_H
#define SQUALL_PARALLEL_FLOW_H

#include "engine/blueprint.h"
#include "engine/sim.h"

enum { FLOW_ROUNDS = 64, FLOW_PROFILE = 2000000 };

struct flow {
    double *events;   /* [1/s] of every entity, those of its timers and replies included; owned */
    double *requests; /* [1/s] over every wire, all far ends together; owned */
    double total;     /* [1/s] events of the model */
};

/* From what the types say: lambda = gamma + R^T lambda (Jackson 1957). */
void flow_expect(const struct blueprint *b, struct flow *f);

/* From a profile: how many events each entity has made in `s`, which has run the whole model up to
 * sim_now. Whoever made more than the equations have it is taken to have sent as many times more
 * requests, over the same wires. */
void flow_measure(const struct sim *s, struct flow *f);

/* Runs the first FLOW_PROFILE events of a replication here, and measures. Returns what one event
 * that is made costs [ns], which is timed in the second half, when memory has been touched before;
 * 0 when nothing was to be seen. */
double flow_profile(const struct blueprint *b, const struct sim_options *options, uint64_t seed,
                    struct flow *f);

void flow_close(struct flow *f);

#endif
