/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/order.h"

#include <stdlib.h>

#include "base/check.h"

struct costly {
    double cost;
    uint64_t place;
};

static int by_cost(const void *a, const void *b)
{
    const struct costly *x = a, *y = b;
    return x->cost != y->cost ? (x->cost < y->cost) - (x->cost > y->cost)
                              : (x->place > y->place) - (x->place < y->place);
}

void order_by_cost(const double *cost, uint64_t n, uint64_t *order)
{
    struct costly *c = malloc((n + 1) * sizeof *c);
    CHECK(c, "out of memory for %llu costs", (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++) {
        c[i] = (struct costly){cost[i], i};
    }
    qsort(c, n, sizeof *c, by_cost);
    for (uint64_t i = 0; i < n; i++) {
        order[i] = c[i].place;
    }
    free(c);
}
