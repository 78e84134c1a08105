/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/remainder.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

void remainder_open(struct remainder *f, const struct points *points, uint64_t n_units,
                    uint64_t size)
{
    uint64_t n = n_units * size;
    bool known = points && points->n == n;
    for (uint64_t p = 0; known && p < n; p++) {
        known = points->items[p].events > 0;
    }
    *f = (struct remainder){.n_units = n_units, .size = size};
    f->units = calloc(n_units, sizeof *f->units);
    CHECK(f->units, "out of memory for %" PRIu64 " points", n);
    for (uint64_t p = 0; p < n; p++) {
        f->units[p / size].expected += known ? (double)points->items[p].events / (double)size : 1.0;
    }
}

void remainder_close(struct remainder *f)
{
    free(f->units);
    *f = (struct remainder){.units = NULL};
}

void remainder_done(struct remainder *f, uint64_t point, double cost)
{
    struct remainder_unit *u = &f->units[point / f->size];
    if (cost > 0.0) {
        u->cost += cost;
        u->n++;
        f->cost += cost;
        f->expected += u->expected;
    }
}

void remainder_begun(struct remainder *f, uint64_t point, double share, double cost)
{
    if (share > 0.0 && cost > 0.0) {
        f->hint = cost / (share * f->units[point / f->size].expected);
    }
}

double remainder_next(const struct remainder *f, uint64_t unit)
{
    const struct remainder_unit *u = &f->units[unit];
    if (u->n > 0) {
        return u->cost / (double)u->n;
    }
    double scale = f->expected > 0.0 ? f->cost / f->expected : f->hint;
    return scale > 0.0 ? scale * u->expected : NAN;
}
