/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the journal of a study into its results file, whole or not at all: it is written under
 * another name (PATH.tmp), put on the disk and renamed. Whatever order the replications were
 * recorded in, they are written in the order of (point, replication), so that every dataset has
 * the same bytes. Memory does not grow with the number of replications beyond the index.
 */
#ifndef SQUALL_RESULTS_WRITER_H
#define SQUALL_RESULTS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "results/error.h"
#include "results/journal.h"
#include "results/meta.h"
#include "results/thresholds.h"

/* What results consist of. */
struct results_choice {
    const uint64_t *used; /* of each point how many replications, the first so many; a point with
                             none is left out. NULL: all */
    struct results_thresholds thresholds;
};

/* `choice` NULL: all that the plan has. Replications that the journal lacks, or that are beyond
 * what a point needs where others need more, have the status "missing" and zeros everywhere.
 * `*early` (may be NULL) receives the number of those that ended with another status than "ok". Not
 * collective: one process writes. On failure nothing stands at `path` that did not before. */
bool results_write(const char *path, const struct results_meta *meta, struct journal_index *index,
                   const struct results_choice *choice, uint64_t *early, struct results_error *e);

#endif
