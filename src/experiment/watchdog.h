/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog of one replication: whether it has taken more time of the wall clock, or more
 * memory, than the command line allows. Each rank of a team watches for itself, and the
 * others hear of it at the end of their window. Such a replication
 * is recorded as RUN_WATCHDOG, and the others go on. What it would have come to is not known, so
 * unlike the event limit of a configuration this is no property of the model: another machine, or
 * another division, may finish it, and 'squall resume --retry-failed' tries again.
 */
#ifndef SQUALL_EXPERIMENT_WATCHDOG_H
#define SQUALL_EXPERIMENT_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/sim.h"

/* Zero: no limit. */
struct watchdog_limits {
    sim_time wall;                       /* [ns] of the wall clock, for one replication */
    int64_t memory;                      /* [B] of the simulation of one rank; see sim_memory */
    const char *wall_text, *memory_text; /* as the user wrote them */
};

struct watchdog {
    const struct watchdog_limits *limits;
    uint64_t began;  /* [ns] of patience_clock, this replication */
    bool bites;      /* a limit was hit */
    char limit[100]; /* which, as an option of the command line */
};

/* A replication begins. The limits must live on. */
void watchdog_begin(struct watchdog *w, const struct watchdog_limits *limits);

/* To be called every few milliseconds. False: the replication is to be given up. */
bool watchdog_poll(struct watchdog *w, const struct sim *s);

#endif
