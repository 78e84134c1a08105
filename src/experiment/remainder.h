/* SPDX-License-Identifier: Apache-2.0
 *
 * What replications that are left will cost, by those that are done, in whatever unit these are
 * told: events, or time. Points are taken together in units of the same size, one after the other
 * (experiment/agenda.h). A unit of which some are done goes on as it has; any other costs what was
 * expected of it, times what the others cost of what was expected of them. Pure arithmetic.
 */
#ifndef SQUALL_EXPERIMENT_REMAINDER_H
#define SQUALL_EXPERIMENT_REMAINDER_H

#include <stdint.h>

#include "model/points.h"

struct remainder_unit {
    double expected; /* of a replication, in any measure */
    double cost;     /* of all done */
    uint64_t n;      /* done */
};

struct remainder {
    struct remainder_unit *units; /* owned */
    uint64_t n_units, size;       /* size: points of each */
    double cost, expected;        /* of all done */
    double hint; /* cost over what is expected, while nothing is done; 0: not known */
};

/* Expects of points what is said there, or of all the same where nothing is said of one of them.
 * `points` may be NULL. */
void remainder_open(struct remainder *f, const struct points *points, uint64_t n_units,
                    uint64_t size);
void remainder_close(struct remainder *f);

/* A replication is done. What cost nothing was not really run, and tells nothing. */
void remainder_done(struct remainder *f, uint64_t point, double cost);

/* A share (0 to 1) of a replication is done, and has cost so much. */
void remainder_begun(struct remainder *f, uint64_t point, double share, double cost);

/* What a replication of the unit will cost; NAN while nothing is known. */
double remainder_next(const struct remainder *f, uint64_t unit);

#endif
