/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/agenda.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct agenda {
    struct agenda_plan plan; /* without `cost` */
    uint64_t *order;         /* owned; points, the costliest first */
    uint64_t *done;          /* owned; a bit for each task */
    uint64_t at;             /* place in `order` ... */
    uint64_t next;           /* ... and replication there: nothing before is to be handed out */
    uint64_t n_tasks, n_done;
};

bool agenda_has(const struct agenda_plan *plan, uint64_t task)
{
    return plan->shards == 0 || task % plan->shards == plan->shard - 1;
}

/* --- order -------------------------------------------------------------------------------- */

struct costly {
    double cost;
    uint64_t point;
};

static int by_cost(const void *a, const void *b)
{
    const struct costly *x = a, *y = b;
    return x->cost != y->cost ? (x->cost < y->cost) - (x->cost > y->cost)
                              : (x->point > y->point) - (x->point < y->point);
}

/* The largest first, so that nobody begins a long one when the others are done. */
static void put_in_order(struct agenda *a, const double *cost)
{
    uint64_t n = a->plan.n_points;
    struct costly *c = malloc(n * sizeof *c);
    CHECK(c, "out of memory for %llu points", (unsigned long long)n);
    for (uint64_t p = 0; p < n; p++) {
        c[p] = (struct costly){cost ? cost[p] : 0.0, p};
    }
    qsort(c, n, sizeof *c, by_cost);
    for (uint64_t p = 0; p < n; p++) {
        a->order[p] = c[p].point;
    }
    free(c);
}

/* --- tasks -------------------------------------------------------------------------------- */

static bool is_done(const struct agenda *a, uint64_t task)
{
    return a->done[task / 64] >> task % 64 & 1;
}

static uint64_t count_tasks(const struct agenda_plan *plan)
{
    uint64_t all = plan->n_points * plan->n_replications;
    if (plan->shards == 0) {
        return all;
    }
    return all / plan->shards + (plan->shard - 1 < all % plan->shards);
}

struct agenda *agenda_open(const struct agenda_plan *plan)
{
    struct agenda *a = calloc(1, sizeof *a);
    CHECK(a, "out of memory");
    uint64_t all = plan->n_points * plan->n_replications;
    a->plan = *plan;
    a->order = malloc(plan->n_points * sizeof *a->order);
    a->done = calloc(all / 64 + 1, sizeof *a->done);
    CHECK(a->order && a->done, "out of memory for %llu tasks", (unsigned long long)all);
    put_in_order(a, plan->cost);
    a->plan.cost = NULL;
    a->n_tasks = count_tasks(plan);
    return a;
}

void agenda_close(struct agenda *a)
{
    if (a) {
        free(a->order);
        free(a->done);
        free(a);
    }
}

void agenda_put(struct agenda *a, uint64_t task)
{
    if (agenda_has(&a->plan, task) && !is_done(a, task)) {
        a->done[task / 64] |= UINT64_C(1) << task % 64;
        a->n_done++;
    }
}

uint64_t agenda_take(struct agenda *a, uint64_t *tasks, uint64_t most)
{
    uint64_t n = 0;
    while (n == 0 && a->at < a->plan.n_points) {
        uint64_t first = a->order[a->at] * a->plan.n_replications;
        for (; a->next < a->plan.n_replications && n < most; a->next++) {
            uint64_t task = first + a->next;
            if (agenda_has(&a->plan, task) && !is_done(a, task)) {
                tasks[n++] = task;
            }
        }
        if (a->next == a->plan.n_replications) {
            a->at++;
            a->next = 0;
        }
    }
    return n;
}

bool agenda_over(const struct agenda *a)
{
    return a->n_done == a->n_tasks;
}

uint64_t agenda_tasks(const struct agenda *a)
{
    return a->n_tasks;
}

uint64_t agenda_done(const struct agenda *a)
{
    return a->n_done;
}

uint64_t agenda_used(const struct agenda *a, uint64_t point)
{
    (void)point;
    return a->plan.n_replications;
}
