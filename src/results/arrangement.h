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
    struct arranged_type *types;     /* owned; in the order of their first groups */
    struct arranged_group *groups;   /* owned; as in the blueprint */
    uint32_t n_types, n_rows;
    uint64_t n_intervals; /* of a time series; 0: nothing is sampled */
    bool traced;          /* somebody is */
};

void arrangement_open(struct arrangement *s, const struct results_meta *meta);
void arrangement_close(struct arrangement *s);

#endif
