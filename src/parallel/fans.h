/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of wires by all who look at a model as a graph: how long they take at the least,
 * and where they fan out to. A million wires may each lead to a million entities, so a fan is never
 * taken apart wire by wire; wires with the same far ends are looked at together.
 */
#ifndef SQUALL_PARALLEL_FANS_H
#define SQUALL_PARALLEL_FANS_H

#include "engine/blueprint.h"

/* wire_floor of every spec [ns]. Owned by the caller (free). */
sim_time *spec_floors(const struct blueprint *b);

/* Wires that fan out to the entities `to` to `to + more`. */
struct fan {
    entity_id to;
    uint32_t more;        /* >= 1 */
    const wire_id *wires; /* rising */
    uint32_t n_wires;
    uint32_t next; /* 1 + the next fan that begins at `to`; 0: none */
};

struct fans {
    struct fan *fans; /* in the order of their first wire; owned */
    uint32_t n;
    wire_id *wires; /* owned */
};

void fans_open(struct fans *f, const struct blueprint *b);
void fans_close(struct fans *f);

/* The parts that the far ends of a fan are in. */
struct reach {
    uint32_t *ends;  /* [parts] how many are in each; owned */
    uint32_t *parts; /* those that have some, `n` of them; owned */
    uint32_t n;
};

void reach_open(struct reach *r, uint32_t parts);
void reach_close(struct reach *r);

/* Finds those of the entities `to` to `to + more`, whatever was there before. */
void reach_find(struct reach *r, const struct fan *fan, const uint32_t *part_of);

#endif
