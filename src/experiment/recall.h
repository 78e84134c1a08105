/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to be run of a study, as its journals tell it: the agenda of a plan, and the values of
 * replications that were run before, found in their records again.
 */
#ifndef SQUALL_EXPERIMENT_RECALL_H
#define SQUALL_EXPERIMENT_RECALL_H

#include <stdbool.h>

#include "experiment/agenda.h"
#include "results/error.h"
#include "results/journal.h"
#include "results/meta.h"

/* The agenda of a study, or of the shard that its meta names. The meta has its points, the first of
 * which is held. `goals` is filled in, and must outlive the agenda. */
struct agenda *recall_agenda(const struct results_meta *meta, struct goals *goals);

/* Whether an entry stands. With `retry_failed`, replications that the watchdog ended do not; pilots
 * do, since what has run by the warm-up that they found must not be mixed with another. */
bool recall_stands(const struct journal_entry *entry, bool retry_failed);

/* Tells the agenda of all replications of the journal that stand. */
bool recall_journal(struct agenda *a, const struct results_meta *meta, struct journal_index *index,
                    bool retry_failed, struct results_error *e);

/* How many replications of each point the results consist of; to be freed. */
uint64_t *recall_used(const struct agenda *a, uint64_t n_points);

#endif
