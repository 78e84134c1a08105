/* SPDX-License-Identifier: Apache-2.0
 *
 * The source: makes requests happen, either as they arrive from outside whatever becomes of the
 * earlier ones (open loop), or by a number of users each of whom thinks, asks, and waits for the
 * end of its request before thinking again (closed loop). What a request then goes through is its
 * owner's business, who hands it to a caller.
 */
#ifndef SQUALL_PARTS_SOURCE_H
#define SQUALL_PARTS_SOURCE_H

#include "engine/entity.h"
#include "engine/kind.h"
#include "parts/caller.h"
#include "policies/arrivals.h"
#include "policies/mix.h"

struct request_kind {
    struct kind kind;
    double weight; /* [1] */
    int priority;  /* enum priority */
    int method;    /* enum method */
    double bytes;  /* [B] */
};
extern const struct schema request_schema;

struct source_params {
    struct arrivals arrivals;
    LIST_OF(struct request_kind) requests;
    struct mix mix; /* derived: of requests */
};

/* Rows of a source_params that is the member `at` of struct `tag`. Whose schema has them calls
 * source_derive in its own `derive`. */
#define SOURCE_ROWS(tag, at) \
    {.name = "arrivals", \
     .doc = "When requests are made.", \
     .unit = "", \
     .kind = PARAM_CHOICE, \
     .choice = &arrivals_choice, \
     .offset = offsetof(struct tag, at) + offsetof(struct source_params, arrivals)}, \
    { \
        .name = "requests", .doc = "The mix: the kinds of requests, chosen by weight.", \
        .unit = "", .fallback = "{any: {}}", .kind = PARAM_MAP, .schema = &request_schema, \
        .offset = offsetof(struct tag, at) + SCHEMA_LIST_OFFSET(source_params, requests) \
    }

void source_derive(struct source_params *p, const struct node *at, struct diag *diag,
                   struct arena *arena);

/* Plain data, zero at the start. */
struct source_state {
    struct arrivals_state arrivals;
    sim_time next;     /* [ns] arrival that is awaited */
    uint64_t requests; /* made so far */
};

/* The owner keeps a run of its streams and of its timers for the part. */
#define SOURCE_STREAM_NAMES "arrivals", "mix"
enum { SOURCE_STREAMS = 2, SOURCE_TIMERS = 2 };

/* What the part needs of its owner; put together on the spot, never stored. */
struct source {
    struct ctx *ctx;
    const struct source_params *params;
    struct source_state *state;
    struct rng_stream *streams; /* SOURCE_STREAMS of them */
    uint16_t timer_kind;        /* the first of SOURCE_TIMERS kinds of the owner's timers */
};

/* Sets going what makes the first request, or the first of each user; for the owner's `init`. */
void source_begin(const struct source *s);

/* The owner is up again. The world outside did not stop for its crash: an open loop goes on with
 * the first arrival from now on. Users of a closed loop begin anew. */
void source_restart(const struct source *s);

/* One of the source's timers has come due: the request to be made now. Its `cookie` and `site` are
 * the owner's to set. */
struct call_request source_next(const struct source *s, const struct event *e);

/* A request has ended: in a closed loop its user begins to think. */
void source_think(const struct source *s);
static inline void source_ended(const struct source *s)
{
    if (s->params->arrivals.kind == ARRIVALS_CLOSED) {
        source_think(s);
    }
}

/* For the owner's `exempt` and `traffic`. The rate [1/s] is that of the requests. */
const char *source_exempt(const struct source_params *p, enum action_kind kind);
double source_rate(const struct source_params *p);

#endif
