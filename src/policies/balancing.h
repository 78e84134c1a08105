/* SPDX-License-Identifier: Apache-2.0
 *
 * How a load balancer chooses among its backends. What needs nothing but a turn, chance or the
 * number of requests outstanding is that of policies/balance.h; here are besides it the strategies
 * with weights, those that remember how a backend has answered, and those by which a key always
 * gets the same one.
 *
 * Which backends may be chosen at the moment is told by a list of them, beside the array of all.
 */
#ifndef SQUALL_POLICIES_BALANCING_H
#define SQUALL_POLICIES_BALANCING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/balance.h"

enum balancing_kind {
    BALANCING_ROUND_ROBIN,
    /* Each as often as its weight says, spread evenly, as nginx does. */
    BALANCING_WEIGHTED_ROUND_ROBIN,
    BALANCING_RANDOM,
    BALANCING_WEIGHTED_RANDOM,
    BALANCING_LEAST_CONNECTIONS,
    BALANCING_WEIGHTED_LEAST_CONNECTIONS,
    BALANCING_LEAST_RESPONSE_TIME,
    BALANCING_HASH,
    /* Karger et al., STOC 1997. */
    BALANCING_CONSISTENT_HASH,
    BALANCING_CHOICES, /* power of two choices, or more */
};

enum balancing_ties { TIES_FIRST, TIES_RANDOM };
enum balancing_key { KEY_CLIENT, KEY_REQUEST };

struct balancing {
    int kind;              /* enum balancing_kind */
    int ties;              /* enum balancing_ties */
    int by;                /* enum balancing_key */
    int64_t virtual_nodes; /* of a backend of weight 1 */
    int64_t choices;
    double alpha; /* [1] */
};

extern const struct choice balancing_choice;

/* What is known of a backend; zero but for the weight at first. */
struct balanced_backend {
    int64_t weight; /* >= 1 */
    int64_t credit; /* weighted_round_robin */
    double average; /* [ns] least_response_time, once `known` */
    bool known;
    bool up; /* may be chosen; set by the owner, like the list */
};

/* A virtual node on the ring of consistent_hash. */
struct balanced_point {
    uint64_t hash;
    uint32_t backend;
};

/* What a choice is made from; put together on the spot. */
struct balanced {
    struct balanced_backend *all;
    const uint32_t *up; /* `n` > 0 of them, ascending */
    uint32_t n;
    const struct balanced_point *ring; /* consistent_hash */
    uint32_t points;
    uint32_t *turn; /* as that of balance_pick */
    /* Requests outstanding at one of `all`. */
    balance_load *load;
    void *context;
};

/* Whether the choice depends on a key, and on weights. */
bool balancing_needs_key(const struct balancing *b);
bool balancing_needs_weights(const struct balancing *b);

/* The backend that the next request goes to, whose key is `key`. */
uint32_t balancing_pick(const struct balancing *b, const struct balanced *d, uint64_t key,
                        struct rng_stream *stream);

/* A backend's answer took this long [ns]; or there was none for so long. */
void balancing_answered(const struct balancing *b, struct balanced_backend *backend, sim_time took);

/* Virtual nodes of n backends; 0 for other strategies. */
uint64_t balancing_points(const struct balancing *b, const struct balanced_backend *all,
                          uint32_t n);

/* Fills in a ring of so many. `names` are hashes of the backends' names: where their nodes lie
 * depends on nothing else. */
void balancing_lay_ring(const struct balancing *b, const struct balanced_backend *all,
                        const uint64_t *names, uint32_t n, struct balanced_point *ring);

#endif
