/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes between the parts of a divided model.
 */
#ifndef SQUALL_PARALLEL_TRAFFIC_H
#define SQUALL_PARALLEL_TRAFFIC_H

#include "engine/blueprint.h"
#include "parallel/flow.h"

/* Requests [1/s] from each part to each, its own included: `rate` has parts * parts places, that of
 * (from, to) at from * parts + to, and is set. What a wire sends is spread evenly over its far
 * ends. O(wires + fans * parts). */
void traffic_between(const struct blueprint *b, const struct flow *f, const uint32_t *part_of,
                     uint32_t parts, double *rate);

#endif
