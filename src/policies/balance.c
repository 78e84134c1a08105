/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/balance.h"

#include <stddef.h>

#include "base/check.h"

const char *const balance_words[] = {
    [BALANCE_ROUND_ROBIN] = "round_robin",
    [BALANCE_RANDOM] = "random",
    [BALANCE_LEAST_OUTSTANDING] = "least_outstanding",
    [BALANCE_POWER_OF_TWO] = "power_of_two_choices",
    NULL,
};

bool balance_needs_loads(enum balance kind)
{
    return kind == BALANCE_LEAST_OUTSTANDING || kind == BALANCE_POWER_OF_TWO;
}

/* The turn stays below n: a free-running counter would favour the first ones when it wraps. */
static uint32_t in_turn(uint32_t n, uint32_t *turn)
{
    uint32_t i = *turn < n ? *turn : 0;
    *turn = i + 1 < n ? i + 1 : 0;
    return i;
}

static uint32_t least_loaded(uint32_t n, uint32_t start, uint32_t (*load)(uint32_t, void *),
                             void *context)
{
    uint32_t best = start, least = load(start, context);
    for (uint32_t k = 1; k < n && least > 0; k++) {
        uint32_t i = k < n - start ? start + k : k - (n - start);
        uint32_t l = load(i, context);
        if (l < least) {
            best = i;
            least = l;
        }
    }
    return best;
}

uint32_t balance_pick(enum balance kind, uint32_t n, uint32_t *turn,
                      uint32_t (*load)(uint32_t i, void *context), void *context,
                      struct rng_stream *stream)
{
    CHECK(n > 0, "nothing to choose from");
    if (n == 1) {
        return 0;
    }
    switch (kind) {
    case BALANCE_ROUND_ROBIN:
        return in_turn(n, turn);
    case BALANCE_RANDOM:
        return (uint32_t)rng_below(stream, n);
    case BALANCE_LEAST_OUTSTANDING:
        return least_loaded(n, (uint32_t)rng_below(stream, n), load, context);
    case BALANCE_POWER_OF_TWO: {
        uint32_t a = (uint32_t)rng_below(stream, n), b = (uint32_t)rng_below(stream, n - 1);
        b += b >= a; /* skips a, so that the two differ */
        return load(b, context) < load(a, context) ? b : a;
    }
    }
    CHECK(false, "no way of balancing: %d", (int)kind);
}
