/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/alias.h"

const struct alias_slot *alias_make(struct arena *arena, const double *weight, uint32_t n)
{
    struct alias_slot *slots = arena_take(arena, n * sizeof *slots);
    uint32_t *order = arena_take(arena, n * sizeof *order);
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        sum += weight[i];
    }
    /* `order` holds the slots below the average from its front and the others from its back. */
    uint32_t small = 0, large = n;
    for (uint32_t i = 0; i < n; i++) {
        slots[i] = (struct alias_slot){.keep = weight[i] * n / sum, .other = i};
        if (slots[i].keep < 1.0) {
            order[small++] = i;
        } else {
            order[--large] = i;
        }
    }
    /* Each small slot is filled up by the first large one, which may become small by that. */
    uint32_t next = 0;
    while (next < small && large < n) {
        uint32_t low = order[next++], high = order[large];
        slots[low].other = high;
        slots[high].keep -= 1.0 - slots[low].keep;
        if (slots[high].keep < 1.0) {
            order[small++] = high;
            large++;
        }
    }
    /* What is left on either side is 1 but for rounding. */
    for (; next < small; next++) {
        slots[order[next]].keep = 1.0;
    }
    return slots;
}
