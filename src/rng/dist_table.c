/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/dist_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/csv.h"
#include "base/units.h"

const struct dist_table *dist_table_pick(struct arena *arena, uint32_t n, const double *weight,
                                         const double *value)
{
    double sum = 0.0, *chance = arena_take(arena, n * sizeof *chance);
    for (uint32_t i = 0; i < n; i++) {
        sum += weight[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        chance[i] = weight[i] / sum;
    }
    struct dist_table *t = arena_take(arena, sizeof *t);
    *t = (struct dist_table){n, alias_make(arena, chance, n), chance, value};
    return t;
}

/* Reads what stands in a row; what is wrong with it, or NULL. */
static const char *read_row(struct csv *c, struct dist_value *v)
{
    const char *fault = units_read_duration(c->cells[0], &c->scratch, &v->value);
    if (fault) {
        return fault;
    }
    if (v->value < 0) {
        return "the duration is below 0";
    }
    if ((double)v->value > DIST_LONGEST) {
        return "the duration is above 104 days";
    }
    v->weight = 1.0;
    fault = c->cells[1] ? units_read_real(c->cells[1], "1", &c->scratch, &v->weight) : NULL;
    if (!fault && v->weight < 0.0) {
        return "the weight is below 0";
    }
    return !fault && v->weight > DIST_HEAVIEST ? "the weight is above 1e12" : fault;
}

struct entries {
    struct dist_value *items; /* malloced */
    uint32_t n, capacity;
};

static void add_entry(struct entries *e, struct dist_value v)
{
    if (e->n == e->capacity) {
        e->capacity = e->capacity ? 2 * e->capacity : 256;
        e->items = realloc(e->items, e->capacity * sizeof *e->items);
        CHECK(e->items, "out of memory for an empirical law");
    }
    e->items[e->n++] = v;
}

bool dist_table_read(struct dist *d, const struct node *at, struct diag *diag, struct arena *arena)
{
    static const char *const columns[] = {"duration", "weight", NULL};
    struct csv c;
    if (!csv_open(&c, d->file, at, columns, diag)) {
        return false;
    }
    c.least = 1;
    struct entries e = {0};
    while (csv_next(&c)) {
        struct dist_value v = {0};
        const char *fault = read_row(&c, &v);
        if (!fault && e.n == DIST_MOST_VALUES) {
            csv_refuse(&c, arena_format(&c.scratch,
                                        "more than %d durations; write similar ones as one with a "
                                        "weight",
                                        DIST_MOST_VALUES));
            break;
        }
        if (fault) {
            csv_refuse(&c, fault);
        } else {
            add_entry(&e, v);
        }
    }
    bool good = csv_close(&c);
    if (good && e.n > 0) {
        d->values.count = e.n;
        d->values.items = arena_take(arena, e.n * sizeof *e.items);
        memcpy(d->values.items, e.items, e.n * sizeof *e.items);
    }
    free(e.items);
    return good;
}
