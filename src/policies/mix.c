/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/mix.h"

void mix_make(struct mix *m, const void *items, uint32_t n, size_t size, size_t offset,
              const char *key, const struct node *at, struct diag *diag, struct arena *arena)
{
    double total = 0.0, *weights = arena_take(arena, n * sizeof *weights);
    for (uint32_t i = 0; i < n; i++) {
        weights[i] = *(const double *)(const void *)((const char *)items + i * size + offset);
        total += weights[i];
    }
    *m = (struct mix){.n = 1};
    if (!(total > 0.0)) {
        const struct node *child = node_child(at, key);
        diag_error(diag, child ? child : at, "needs at least one with a weight above 0");
        return;
    }
    m->slots = alias_make(arena, weights, n);
    m->n = n;
}
