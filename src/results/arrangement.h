/* SPDX-License-Identifier: Apache-2.0
 *
 * The model of a study seen by entity types, as the results file is arranged: which entities are
 * of which type, and which of them keep time series. Only for the writer.
 */
#ifndef SQUALL_RESULTS_ARRANGEMENT_H
#define SQUALL_RESULTS_ARRANGEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/blueprint.h"
#include "engine/entity.h"
#include "results/meta.h"

struct arranged_type {
    const struct entity_type *type; /* not owned */
    uint32_t n_entities, n_sampled, n_rows;
    uint32_t first_row; /* rows are numbered through all types */
    bool breakdowns;    /* some of its entities keep them */
};

struct arranged_group {
    uint32_t type;          /* in study->types */
    uint32_t first;         /* entities of the type before this group's */
    uint32_t first_sampled; /* likewise, counting those that are sampled */
};

struct arrangement {
    const struct results_meta *meta; /* not owned */
    uint64_t *points, *used;         /* owned; the points that are in the file, by their numbers in
                                        the plan, and how many replications each has */
    uint64_t n_points, n_replications; /* in the file; replications of a point, at most */
    struct arranged_type *types;       /* owned; in the order of their first groups */
    struct arranged_group *groups;     /* owned; as in the blueprint */
    uint32_t n_types, n_rows;
    uint64_t n_intervals; /* of a time series; 0: nothing is sampled */
    bool traced;          /* somebody is */
};

/* `used`: of each point of the plan how many replications are to be in the file; points with none
 * are left out. NULL: all. */
void arrangement_open(struct arrangement *s, const struct results_meta *meta, const uint64_t *used);
void arrangement_close(struct arrangement *s);

#endif
