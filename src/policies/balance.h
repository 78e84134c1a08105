/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of several instances the next request goes to. Pure functions on plain data: the caller
 * keeps the turn and the loads.
 */
#ifndef SQUALL_POLICIES_BALANCE_H
#define SQUALL_POLICIES_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "rng/stream.h"

enum balance {
    BALANCE_ROUND_ROBIN, /* in turn */
    BALANCE_RANDOM,      /* uniform */
    /* Fewest requests outstanding, ties to the first from a random start. */
    BALANCE_LEAST_OUTSTANDING,
    /* The less loaded of two distinct random ones, ties to the first drawn (Mitzenmacher 2001). */
    BALANCE_POWER_OF_TWO,
};

/* In the order of the enum; ends with NULL. */
extern const char *const balance_words[];

/* Whether the choice depends on the loads. */
bool balance_needs_loads(enum balance kind);

/* What tells the requests outstanding at instance i. */
typedef uint32_t balance_load(uint32_t i, void *context);

/* The one of n > 0 with the fewest; ties to the first from `start` < n on, round to the one before.
 */
uint32_t balance_least(uint32_t n, uint32_t start, balance_load *load, void *context);

/* The one with the fewest among `choices` distinct random ones, or all if there are no more; ties
 * to the first drawn. */
enum { BALANCE_MOST_CHOICES = 64 };
uint32_t balance_choose(uint32_t n, uint32_t choices, balance_load *load, void *context,
                        struct rng_stream *stream);

/* Picks one of n > 0 instances. `turn` is the caller's round-robin counter, zero at first;
 * `load(i, context)` tells the requests outstanding at instance i. With a single instance nothing
 * is drawn and the turn stays. */
uint32_t balance_pick(enum balance kind, uint32_t n, uint32_t *turn, balance_load *load,
                      void *context, struct rng_stream *stream);

#endif
