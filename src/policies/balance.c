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

uint32_t balance_least(uint32_t n, uint32_t start, balance_load *load, void *context)
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

/* Draws one of those not in `drawn`, which is ascending and has `k` of the n, and puts it in. */
static uint32_t draw_another(uint32_t n, uint32_t *drawn, uint32_t k, struct rng_stream *stream)
{
    uint32_t i = (uint32_t)rng_below(stream, n - k), at = 0;
    for (; at < k && drawn[at] <= i; at++) {
        i++;
    }
    for (uint32_t j = k; j > at; j--) {
        drawn[j] = drawn[j - 1];
    }
    drawn[at] = i;
    return i;
}

uint32_t balance_choose(uint32_t n, uint32_t choices, balance_load *load, void *context,
                        struct rng_stream *stream)
{
    CHECK(choices > 0 && choices <= BALANCE_MOST_CHOICES, "a choice of %u", choices);
    uint32_t drawn[BALANCE_MOST_CHOICES], best = 0, least = 0;
    for (uint32_t k = 0; k < choices && k < n; k++) {
        uint32_t i = draw_another(n, drawn, k, stream), l = load(i, context);
        if (k == 0 || l < least) {
            best = i;
            least = l;
        }
    }
    return best;
}

uint32_t balance_pick(enum balance kind, uint32_t n, uint32_t *turn, balance_load *load,
                      void *context, struct rng_stream *stream)
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
        return balance_least(n, (uint32_t)rng_below(stream, n), load, context);
    case BALANCE_POWER_OF_TWO:
        return balance_choose(n, 2, load, context, stream);
    }
    CHECK(false, "no way of balancing: %d", (int)kind);
}
