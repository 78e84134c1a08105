/* SPDX-License-Identifier: Apache-2.0
 *
 * A target is where an entity's requests go: the row that makes an outgoing port. Written as a
 * name, a list of names, or {to: web, balance: power_of_two_choices}; the name of a group means
 * all of its instances, `web[2]` one. model/graph.c walks the rows of a type in order, gives each
 * target it meets (in lists, too) the next port number, and lays a wire to every entity named.
 */
#ifndef SQUALL_ENGINE_TARGET_H
#define SQUALL_ENGINE_TARGET_H

#include "engine/entity.h"

struct target {
    LIST_OF(struct target_name) to;
    int balance;   /* enum balance of policies/balance.h: which wire a request takes */
    uint16_t port; /* set by the graph */
};
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
