/* SPDX-License-Identifier: Apache-2.0
 *
 * What is dealt out to parts: entities joined by wires that must not be cut, or by a failure budget
 * that watches them together (union-find; Tarjan 1975).
 */
#ifndef SQUALL_PARALLEL_COMPONENTS_H
#define SQUALL_PARALLEL_COMPONENTS_H

#include "engine/blueprint.h"
#include "parallel/flow.h"

struct components {
    uint32_t n;
    uint32_t *of;        /* of every entity; numbered in the order of their first entities; owned */
    double *load;        /* [1/s] events of each; owned */
    uint32_t contracted; /* wires within, for being too fast to be cut */
};

/* Joins what wires without delay connect, and wires faster than `contract` [ns], and those whose
 * outcomes share a window. `floors` are those
 * of the specs. O(entities + wires). */
void components_open(const struct blueprint *b, const sim_time *floors, const struct flow *f,
                     sim_time contract, struct components *c);
void components_close(struct components *c);

#endif
