/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/dist_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/csv.h"
#include "base/units.h"

struct entry {
    double size;
    uint32_t at;
};

static int ascending(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->size != y->size ? (x->size > y->size) - (x->size < y->size)
                              : (x->at > y->at) - (x->at < y->at);
}

static void put_in_order(struct dist_table *t, struct arena *arena, const double *size)
{
    struct entry *entries = malloc(t->n * sizeof *entries);
    uint32_t *order = arena_take(arena, t->n * sizeof *order);
    double sum = 0.0, *up_to = arena_take(arena, t->n * sizeof *up_to);
    CHECK(entries, "out of memory for a law");
    for (uint32_t i = 0; i < t->n; i++) {
        entries[i] = (struct entry){size[i], i};
    }
    qsort(entries, t->n, sizeof *entries, ascending);
    for (uint32_t i = 0; i < t->n; i++) {
        order[i] = entries[i].at;
        sum += t->chance[order[i]];
        up_to[i] = sum;
    }
    free(entries);
    /* The sum may be off by its rounding. */
    uint32_t last = t->n - 1;
    up_to[last] = 1.0;
    for (; last > 0 && t->chance[order[last]] == 0.0; last--) {
        up_to[last - 1] = 1.0;
    }
    t->order = order;
    t->up_to = up_to;
}

const struct dist_table *dist_table_pick(struct arena *arena, uint32_t n, const double *weight,
                                         const double *value, const double *size)
{
    double sum = 0.0, *chance = arena_take(arena, n * sizeof *chance);
    for (uint32_t i = 0; i < n; i++) {
        sum += weight[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        chance[i] = weight[i] / sum;
    }
    struct dist_table *t = arena_take(arena, sizeof *t);
    *t = (struct dist_table){
        .n = n, .slots = alias_make(arena, chance, n), .chance = chance, .value = value};
    put_in_order(t, arena, size);
    return t;
}

uint32_t dist_table_draw(const struct dist_table *t, struct rng_stream *s)
{
    if (__builtin_expect(!rng_is_paired(s), 1)) {
        return alias_pick(t->slots, t->n, s);
    }
    double u = rng_unit(s);
    uint32_t low = 0, high = t->n - 1; /* up to the last it is a certainty */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (u <= t->up_to[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return t->order[low];
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
