/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a results file that do not depend on what the replications yielded: attributes,
 * texts, dimensions, entities, edges. Only for the writer.
 */
#ifndef SQUALL_RESULTS_SKELETON_H
#define SQUALL_RESULTS_SKELETON_H

#include "results/arrangement.h"
#include "results/h5.h"

bool skeleton_write(struct h5 *h, const struct arrangement *s);

/* Attributes that are known only in the end. */
bool skeleton_finish(struct h5 *h, uint64_t digest);

/* The group /provenance: what may differ between files of the same results, and no more than its
 * dimensions yet. To be written after everything else is written and closed: objects know each
 * other by their addresses, and those before must not depend on how long the command was. */
bool skeleton_provenance(struct h5 *h, const struct arrangement *s);

/* Makes the group that `path` is in and gives it the first `rank` dimensions of a dataset there:
 * point, replication, entity (of `type`), interval. `scales` receives their paths; `series`
 * tells which entities. The paths live in `arena`. */
bool skeleton_dimensions(struct h5 *h, struct arena *arena, const char *path, const char *type,
                         bool series, int rank, const char **scales);

#endif
