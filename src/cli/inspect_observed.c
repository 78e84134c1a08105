/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading breakdowns, each of whose keys is as a histogram of its own, and counting the rows of the
 * trace.
 */
#include <math.h>
#include <string.h>

#include "cli/inspect.h"

/* The values of one key, while they are gathered. */
struct gathering {
    struct breakdown_key key;
    struct digest digest;
    struct hist_counts *part, *pooled; /* of the replication at hand; of all before */
    struct gathering *next;            /* in order of the keys */
};

struct breaking_down {
    struct view *view;
    struct gathering *first;
    size_t n;
    uint64_t replication; /* at hand */
};

/* A key has no values before the replication that it is first met in. */
static struct gathering *add_key(struct breaking_down *b, struct gathering **at,
                                 struct breakdown_key key)
{
    struct view *v = b->view;
    struct gathering *g = arena_take(&v->lot, sizeof *g);
    g->key = key;
    g->part = arena_take(&v->lot, sizeof *g->part);
    g->pooled = arena_take(&v->lot, sizeof *g->pooled);
    inspect_digest_begin(v, &g->digest);
    for (uint64_t r = 0; r < b->replication; r++) {
        if (v->observed[r] > 0.0) {
            inspect_digest_add(v, &g->digest, r, g->part, g->pooled);
        }
    }
    g->next = *at;
    *at = g;
    b->n++;
    return g;
}

static struct gathering *find_key(struct breaking_down *b, struct breakdown_key key)
{
    struct gathering **at = &b->first;
    while (*at && breakdown_order((*at)->key) < breakdown_order(key)) {
        at = &(*at)->next;
    }
    bool found = *at && breakdown_order((*at)->key) == breakdown_order(key);
    return found ? *at : add_key(b, at, key);
}

/* Digests the replications before `to`. */
static void advance(struct breaking_down *b, uint64_t to)
{
    for (; b->replication < to; b->replication++) {
        bool counts = b->view->observed[b->replication] > 0.0;
        for (struct gathering *g = b->first; g; g = g->next) {
            if (counts) {
                inspect_digest_add(b->view, &g->digest, b->replication, g->part, g->pooled);
            }
            memset(g->part, 0, sizeof *g->part);
        }
    }
}

static bool take_entry(void *context, uint64_t replication, uint64_t entity,
                       const struct record_entry *e)
{
    struct breaking_down *b = context;
    (void)entity;
    advance(b, replication);
    if (b->view->observed[replication] > 0.0) {
        const struct record_histogram *h = &e->values;
        const struct histogram exact = {
            .total = h->total, .sum = h->sum, .min = h->min, .max = h->max};
        hist_counts_add_bins(find_key(b, e->key)->part, &exact, h->n, h->bin, h->count);
    }
    return true;
}

bool inspect_read_breakdown(struct view *v, const struct lot *lot, struct entry *e)
{
    struct breaking_down b = {.view = v};
    if (!results_breakdown(&v->results, lot->type, e->row, v->point, lot->range, take_entry, &b,
                           &v->error)) {
        return false;
    }
    advance(&b, v->results.meta.n_replications);
    e->parts = arena_take(&v->lot, b.n * sizeof *e->parts);
    e->zero = b.n == 0;
    double all = 0.0;
    for (struct gathering *g = b.first; g; g = g->next) {
        all += (double)g->pooled->total;
    }
    for (struct gathering *g = b.first; g; g = g->next) {
        struct part *p = &e->parts[e->n_parts++];
        *p = (struct part){
            .key = g->key, .values = {.row = e->row}, .share = (double)g->pooled->total / all};
        inspect_digest_end(v, &g->digest, g->pooled, &p->values);
    }
    return true;
}

static uint64_t count_entities(const struct results *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->n_types; i++) {
        n += r->types[i].n_entities;
    }
    return n;
}

static bool take_trace(void *context, uint64_t replication, uint64_t entity,
                       const struct trace_row *row)
{
    struct view *v = context;
    if (entity >= count_entities(&v->results)) {
        return results_fail(&v->error,
                            "cannot read %s: the trace names an entity that there is not", v->path);
    }
    v->traced[entity][row->kind] += v->observed[replication] > 0.0;
    return true;
}

bool inspect_read_trace(struct view *v, struct arena *memory)
{
    v->traced = NULL;
    if (!v->results.traced) {
        return true;
    }
    v->traced = arena_take(memory, count_entities(&v->results) * sizeof *v->traced);
    return results_trace(&v->results, v->point, take_trace, v, &v->error);
}

struct figure inspect_traced(const struct view *v, const struct lot *lot, int kind)
{
    uint64_t n = 0, entities = count_entities(&v->results);
    for (uint64_t i = lot->range.first; i < lot->range.first + lot->range.count; i++) {
        uint64_t id = lot->type->ids[i];
        n += id < entities ? v->traced[id][kind] : 0;
    }
    return (struct figure){.measure = trace_kind_names[kind],
                           .unit = "1",
                           .value = v->n_ok > 0 ? (double)n / (double)v->n_ok : NAN,
                           .half_width = NAN,
                           .replications = v->n_ok};
}
