/* SPDX-License-Identifier: Apache-2.0
 *
 * What a replication was doing when it was given up, as text for people: how far it was, how much
 * is to come, and who makes the events. Of the part that one rank has.
 */
#ifndef SQUALL_EXPERIMENT_STATE_DUMP_H
#define SQUALL_EXPERIMENT_STATE_DUMP_H

#include <stdint.h>

#include "base/arena.h"
#include "engine/sim.h"

/* What the simulation does not know. */
struct state_dump_head {
    const char *what; /* "point 3, replication 7" */
    const char *why;  /* the limit that was hit, or what else was wrong */
    uint64_t wall_ns; /* [ns] since it began */
    int rank, ranks;  /* whose simulation this is, of how many that share the replication */
};

enum { STATE_DUMP_ENTITIES = 10, STATE_DUMP_FIGURES = 8 /* of an entity */ };

/* Some twenty lines, each ended; in the arena. Where the model is large this takes as long as
 * looking at every entity once. */
const char *state_dump_text(const struct state_dump_head *head, struct sim *s, struct arena *arena);

#endif
