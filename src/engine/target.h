/* SPDX-License-Identifier: Apache-2.0
 *
 * A target is where an entity's requests go: the row that makes an outgoing port. Written as a
 * name, a list of names, or {to: web, balance: power_of_two_choices}; the name of a group means
 * all of its instances, `web[2]` one. model/graph.c walks the rows of a type in order, gives each
 * target it meets (in lists, too) the next port number, and lays wires to everyone named.
 *
 * Of large groups an instance may call only some: those of its own cell ({to: web, cells: 100}), a
 * number picked by chance ({to: web, pick: 3}), both, or those that a table says it does
 * ({to: web, graph: edges.csv}).
 */
#ifndef SQUALL_ENGINE_TARGET_H
#define SQUALL_ENGINE_TARGET_H

#include "engine/entity.h"

/* Who calls whom, as a table; see model/graph_edges.c. */
struct target_graph {
    const char *file;  /* "" once it was read: its content is in `edges` then */
    const char *edges; /* "": there is no table */
};

struct target {
    LIST_OF(struct target_name) to;
    int balance;   /* enum balance of policies/balance.h: which of them a request goes to */
    int64_t pick;  /* of those named, how many each instance calls; TARGET_ALL: all */
    int64_t cells; /* into which both groups are divided, and an instance calls its own only */
    struct target_graph graph;
    bool apart;    /* each far end is to have a wire of its own; set by the owner's schema */
    bool connects; /* they must say when a request holds a connection; likewise */
    uint16_t port; /* set by the graph */
};
#define TARGET_ALL INT64_MAX
struct target_name {
    struct name_ref name;
};

extern const struct schema target_schema;

#define P_TARGET(tag, member, fallback_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "", .fallback = fallback_, .kind = PARAM_BLOCK, \
        .schema = &target_schema, .offset = SCHEMA_OFFSET(struct target, tag, member) \
    }

/* The way that the next request takes, by the target's balance. Chance is drawn from `stream`.
 * Where there is no choice nothing is drawn. */
struct way target_pick(struct ctx *, const struct target *, struct rng_stream *stream);

#endif
