/* SPDX-License-Identifier: Apache-2.0
 *
 * The requester: what makes requests by itself, a source whose requests go out by a caller. It is
 * all that a client does. A type of client is its rows, its statistics and its two flags; the
 * functions here stand in its descriptor as they are, so its parameters, statistics and state are
 * those of the requester, and its one slab is of struct call.
 */
#ifndef SQUALL_PARTS_REQUESTER_H
#define SQUALL_PARTS_REQUESTER_H

#include "engine/entity.h"
#include "engine/target.h"
#include "parts/caller.h"
#include "parts/source.h"

/* The owner has a row for each of the first three. */
struct requester_params {
    struct target target;
    struct source_params source;
    struct call_params call;
    bool pooled; /* the target is a connection pool; set by the owner's schema */
    bool retry_on_connection_timeout; /* with `pooled`: see call_owner.retry_waits */
};

struct requester_stats {
    struct caller_stats calls;
};

/* Plain data, zero at the start. */
struct requester_state {
    struct source_state source;
};

/* The purposes of its streams, and what it heeds. */
extern const char *const requester_streams[];
enum { REQUESTER_HEEDS = 1u << ACTION_RATE | 1u << ACTION_CONDITIONER };

/* The owner's `derive`; one that is pooled says so first. */
void requester_derive(void *params, const struct node *at, struct diag *diag, struct arena *arena);

/* For the owner's descriptor. */
void requester_init(struct ctx *c);
void requester_handle(struct ctx *c, const struct event *e);
const char *requester_exempt(const void *params, enum action_kind kind);
void requester_traffic(const void *params, struct traffic *t);

#endif
