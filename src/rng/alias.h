/* SPDX-License-Identifier: Apache-2.0
 *
 * One of n by weight with a single draw (Walker's alias method, built as by Vose 1991). What is
 * picked does not rise with the draw, so that antithetic draws (rng/stream.h) pick neither alike
 * nor opposite.
 */
#ifndef SQUALL_RNG_ALIAS_H
#define SQUALL_RNG_ALIAS_H

#include <stdint.h>

#include "base/arena.h"
#include "rng/stream.h"

struct alias_slot {
    double keep; /* chance that a draw which fell on this slot stays there */
    uint32_t other;
};

/* Slots in `arena` for `n` weights >= 0 whose sum is positive; n > 0. */
const struct alias_slot *alias_make(struct arena *arena, const double *weight, uint32_t n);

/* The one that `unit`, a number in (0, 1), leads to. */
static inline uint32_t alias_at(const struct alias_slot *slots, uint32_t n, double unit)
{
    double place = unit * n;
    uint32_t i = (uint32_t)place;
    i = i < n ? i : n - 1; /* the product may have been rounded up to n */
    return place - i < slots[i].keep ? i : slots[i].other;
}

static inline uint32_t alias_pick(const struct alias_slot *slots, uint32_t n, struct rng_stream *s)
{
    return alias_at(slots, n, rng_unit(s));
}

#endif
