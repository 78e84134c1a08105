/* SPDX-License-Identifier: Apache-2.0
 *
 * Dealing out components by METIS (Karypis and Kumar 1998): loads balanced, little traffic between
 * parts.
 */
#ifndef SQUALL_PARALLEL_PARTITION_METIS_H
#define SQUALL_PARALLEL_PARTITION_METIS_H

#include <stdbool.h>

#include "parallel/components.h"

enum metis_way {
    METIS_AT_ONCE, /* into all parts */
    METIS_IN_TWO,  /* again and again: often better, and slower */
    METIS_WAYS
};

/* Fills in the part of every component; parts are numbered in the order of their first components.
 * False, and nothing is filled in, when METIS is of no use here: components without wires between
 * them, or too many of them, or parts that it left empty. METIS makes use of srand and rand. */
bool metis_deal(const struct blueprint *b, const sim_time *floors, const struct flow *f,
                const struct components *c, enum metis_way way, uint32_t parts, uint32_t *part_of);

#endif
