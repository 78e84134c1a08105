/* SPDX-License-Identifier: Apache-2.0
 *
 * Who runs which entity when one model runs on several ranks. Entities joined by a wire without
 * delay share a rank, as do those that a failure budget watches; these joints are contracted to
 * components first (union-find), and components are what is dealt out. Every method gives the same
 * partition for the same arguments.
 */
#ifndef SQUALL_PARALLEL_PARTITION_H
#define SQUALL_PARALLEL_PARTITION_H

#include "engine/blueprint.h"
#include "parallel/flow.h"

enum partition_method {
    PARTITION_METIS,   /* few and long wires are cut, events are balanced */
    PARTITION_BLOCK,   /* components in the order of their first entity, events balanced */
    PARTITION_SHUFFLE, /* components at random: the worst that can be, for tests */
};
extern const char *const partition_words[]; /* in the order of the enum; ends with NULL */

struct partition_request {
    enum partition_method method;
    uint32_t parts; /* >= 1; some stay empty when there are fewer components */
    uint64_t seed;  /* of PARTITION_SHUFFLE */
    /* [ns] Wires faster than this are not cut either. 0: PARTITION_METIS tries several latencies
     * and takes what promises to run fastest, be it in blocks; the others cut whatever takes
     * time. */
    sim_time contract;
};

struct partition {
    uint32_t parts;
    uint32_t *part_of;    /* of every entity; owned */
    uint32_t components;  /* entities that could be told apart */
    uint32_t contracted;  /* wires that hold components together */
    entity_id largest;    /* an entity of the component with the most events ... */
    double largest_share; /* ... and which part of all events it has, 0 to 1 */
    sim_time contract;    /* [ns] the threshold that was chosen */
};

/* The flow says how much there is to do; where it is zero throughout, all entities are alike. Not
 * collective: METIS draws by the C library, so machines of different kinds may disagree, and one
 * rank should tell the others. O(entities + wires), but for METIS. */
void partition_make(const struct blueprint *b, const struct flow *f,
                    const struct partition_request *q, struct partition *p);
void partition_close(struct partition *p);

/* What a partition costs, between parts that may be empty. */
struct cut {
    double *load;        /* [1/s] events of each part; owned */
    uint32_t *entities;  /* of each part; owned */
    double balance;      /* the largest load over the mean; 1: perfect */
    double remote;       /* share of all messages that go from part to part, 0 to 1 */
    uint64_t cut_wires;  /* of b->n_wires */
    sim_time lookahead;  /* [ns] least delay of a cut wire; SIM_TIME_NEVER: nothing is cut */
    wire_id limit;       /* the wire it is that of (the first of several), or WIRE_NONE */
    uint32_t neighbours; /* most parts that one part talks to */
};

void cut_measure(const struct blueprint *b, const struct flow *f, const uint32_t *part_of,
                 uint32_t parts, struct cut *c);
void cut_close(struct cut *c);

#endif
