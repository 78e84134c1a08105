/* SPDX-License-Identifier: Apache-2.0
 *
 * What the goals of a study have come to, once its agenda is over: for the results file, and in
 * words. For whoever keeps the agenda.
 */
#ifndef SQUALL_EXPERIMENT_ANSWERS_H
#define SQUALL_EXPERIMENT_ANSWERS_H

#include <stdio.h>

#include "experiment/agenda.h"
#include "results/meta.h"
#include "results/thresholds.h"

/* The thresholds that were searched, their texts in `arena`. */
struct results_thresholds answers_thresholds(const struct agenda *a,
                                             const struct results_meta *meta, struct arena *arena);

/* Prints what was found, and at how many points there are not replications enough for a rule. */
void answers_print(const struct agenda *a, const struct results_meta *meta, FILE *out);

#endif
