/* SPDX-License-Identifier: Apache-2.0
 *
 * What a search has found, one threshold for each point of the sweep, as a results file has it:
 *
 *   /search/search          dimension
 *   /search/where           what the point has on the axes of the sweep, "" without one
 *   /search/outcome         place in bisection_outcome_words
 *   /search/estimate, low, high   [unit of the axis]; NAN where there is none
 *   /search/replications    that were used
 */
#ifndef SQUALL_RESULTS_THRESHOLDS_H
#define SQUALL_RESULTS_THRESHOLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "results/h5.h"
#include "stats/bisection.h"

#define THRESHOLDS_NAME "Threshold on " /* and the path of the axis: long name of the estimate */

struct results_threshold {
    const char *where;
    enum bisection_outcome outcome;
    double estimate;  /* where on the axis the target is passed */
    double low, high; /* the interval in which it is */
    uint64_t replications;
};

struct results_thresholds {
    struct results_threshold *items;
    uint64_t n;       /* 0: nothing was searched */
    const char *axis; /* path */
    const char *unit; /* of the axis; "1" where its values are no numbers and levels are given */
};

/* Writes the group, if there is anything to tell. */
bool thresholds_write(struct h5 *h, const struct results_thresholds *t);

#endif
