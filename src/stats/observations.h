/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of replications that may come in any order, and what they say in the order of
 * replications. A replication gives `width` values at once, a row. Rows are kept until all before
 * them are there and then taken in one by one, by whoever asks for it, so that what is decided
 * after n replications depends on replications 0..n-1 and not on who was done first.
 *
 * By pairs (antithetic replications 2k and 2k+1) an observation is the mean of two, as the two
 * depend on each other. A NAN is a replication that gave no value: it is no observation, and
 * neither is its pair.
 */
#ifndef SQUALL_STATS_OBSERVATIONS_H
#define SQUALL_STATS_OBSERVATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "stats/summary.h"

/* One value of each row, so far. */
struct observed_column {
    struct summary of; /* of observations: values, or means of pairs */
    /* Of single values, paired or not; hits are those that are not 0. For values of 0 and 1. */
    uint64_t trials, hits;
};

struct observations {
    uint64_t n;                     /* replications 0..n-1 are taken in */
    struct observed_column *column; /* [width]; owned */
    uint32_t width;
    bool pairs;
    /* Of replications 0..room-1, as far as they are known; owned. */
    uint64_t room;
    double *values; /* [room][width] */
    unsigned char *known;
};

void observations_open(struct observations *o, uint32_t width, bool pairs);
void observations_close(struct observations *o);

/* Keeps a row; one that is known already stays as it is. Memory is that of the largest replication
 * so far. */
void observations_put(struct observations *o, uint64_t replication, const double *row);

static inline bool observations_known(const struct observations *o, uint64_t replication)
{
    return replication < o->room && o->known[replication];
}

/* Takes in replication n; false if it is not known yet. */
bool observations_step(struct observations *o);

#endif
