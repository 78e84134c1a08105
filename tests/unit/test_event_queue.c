/* SPDX-License-Identifier: Apache-2.0
 *
 * The event queue against a naive list: random pushes with ties, lanes, cancellations, bursts at
 * one instant and long silences must come out in exactly the same order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/event_queue.h"
#include "rng/stream.h"

struct naive {
    struct item {
        sim_time time;
        uint64_t order, handle, mark;
    } * items;
    size_t n, room;
};

static void naive_add(struct naive *l, struct item item)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->items = realloc(l->items, l->room * sizeof *l->items);
        assert_non_null(l->items);
    }
    l->items[l->n++] = item;
}

static size_t naive_first(const struct naive *l)
{
    size_t best = 0;
    for (size_t i = 1; i < l->n; i++) {
        const struct item *a = &l->items[i], *b = &l->items[best];
        best = a->time < b->time || (a->time == b->time && a->order < b->order) ? i : best;
    }
    return best;
}

struct fuzz {
    struct event_queue *q;
    struct naive list;
    struct rng_stream rng;
    sim_time now;
    uint64_t marks;
    uint32_t spread; /* of the delays, as a power of two */
};

static void push(struct fuzz *f)
{
    static const sim_time constants[] = {1, 7, 1000, 1000000};
    bool in_lane = rng_below(&f->rng, 2);
    sim_time delay = in_lane ? constants[rng_below(&f->rng, 4)]
                             : 1 + (sim_time)(rng_bits(&f->rng) >> (64 - f->spread));
    uint32_t slot = evq_new(f->q);
    struct event *e = evq_event(f->q, slot);
    *e = (struct event){.time = f->now + delay, .order = rng_bits(&f->rng) >> 1};
    e->msg.request = ++f->marks;
    evq_push(f->q, slot, in_lane ? evq_lane(f->q, delay, CLASS_TIMER) : 0);
    naive_add(&f->list, (struct item){e->time, e->order, evq_handle(f->q, slot), f->marks});
}

static void push_now(struct fuzz *f)
{
    static uint64_t sequence = 0;
    uint32_t slot = evq_new(f->q);
    struct event *e = evq_event(f->q, slot);
    *e = (struct event){.time = f->now};
    e->msg.request = ++f->marks;
    evq_push_now(f->q, slot);
    /* Before everything else of this instant, in the order of making. */
    naive_add(&f->list, (struct item){f->now - 1, sequence++, evq_handle(f->q, slot), f->marks});
}

static void cancel(struct fuzz *f)
{
    if (f->list.n == 0) {
        return;
    }
    size_t i = rng_below(&f->rng, f->list.n);
    uint64_t handle = f->list.items[i].handle;
    f->list.items[i] = f->list.items[--f->list.n];
    assert_true(evq_cancel(f->q, handle));
    assert_false(evq_cancel(f->q, handle));
}

static void pop(struct fuzz *f)
{
    sim_time t = evq_next_time(f->q);
    if (f->list.n == 0) {
        assert_true(t == SIM_TIME_NEVER);
        return;
    }
    size_t best = naive_first(&f->list);
    struct item want = f->list.items[best];
    f->list.items[best] = f->list.items[--f->list.n];
    assert_int_equal(evq_pop_before(f->q, t), EVQ_NONE);
    uint32_t slot = evq_pop_before(f->q, t + 1);
    const struct event *e = evq_event(f->q, slot);
    assert_int_equal(e->msg.request, want.mark);
    assert_int_equal(e->time, t);
    assert_true(t >= f->now);
    f->now = t;
    evq_give(f->q, slot);
    assert_false(evq_cancel(f->q, want.handle));
    assert_int_equal(f->q->n_pending, f->list.n);
}

/* Steps drawn with these weights out of 100; the rest are pops. */
static void run(struct fuzz *f, int steps, unsigned pushes, unsigned nows, unsigned cancels)
{
    for (int i = 0; i < steps; i++) {
        uint64_t u = rng_below(&f->rng, 100);
        if (u < pushes) {
            push(f);
        } else if (u < pushes + nows) {
            push_now(f);
        } else if (u < pushes + nows + cancels) {
            cancel(f);
        } else {
            pop(f);
        }
    }
}

static void test_fuzz(void **state)
{
    (void)state;
    struct event_queue *q = calloc(1, sizeof *q);
    evq_open(q);
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct fuzz f = {.q = q, .now = 5, .spread = (uint32_t)(2 + seed * 7 % 45)};
        rng_init(&f.rng, &(struct rng_key){seed, 0, 0, 0});
        evq_reset(q);
        run(&f, 3000, 60, 0, 5);  /* grows */
        run(&f, 3000, 45, 5, 10); /* holds */
        run(&f, 3000, 15, 2, 40); /* cancels */
        while (f.list.n > 0) {
            pop(&f);
        }
        pop(&f);
        free(f.list.items);
    }
    evq_close(q);
    free(q);
}

/* Many cancelled long timers must not pile up. */
static void test_cancelled_memory(void **state)
{
    (void)state;
    struct event_queue *q = calloc(1, sizeof *q);
    evq_open(q);
    struct rng_stream rng;
    rng_init(&rng, &(struct rng_key){1, 2, 3, 4});
    for (int i = 0; i < 1000000; i++) {
        uint32_t slot = evq_new(q);
        *evq_event(q, slot) =
            (struct event){.time = 1000000000 + (sim_time)rng_below(&rng, 1000000)};
        evq_push(q, slot, 0);
        assert_true(evq_cancel(q, evq_handle(q, slot)));
    }
    assert_true(q->n_slots < 20000);
    assert_true(evq_next_time(q) == SIM_TIME_NEVER);
    evq_close(q);
    free(q);
}

/* Hundreds of thousands of events at one instant, the very first one included, come out by order.
 */
static void one_instant(sim_time time)
{
    struct event_queue *q = calloc(1, sizeof *q);
    evq_open(q);
    enum { N = 200000 };
    for (uint64_t i = 0; i < N; i++) {
        uint32_t slot = evq_new(q);
        *evq_event(q, slot) = (struct event){.time = time, .order = (i * 7919) % N};
        evq_push(q, slot, 0);
    }
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(evq_next_time(q), time);
        uint32_t slot = evq_pop_before(q, SIM_TIME_NEVER);
        assert_int_equal(evq_event(q, slot)->order, i);
        evq_give(q, slot);
    }
    evq_close(q);
    free(q);
}

static void test_one_instant(void **state)
{
    (void)state;
    one_instant(0);
    one_instant(1);
    one_instant(77);
    one_instant(SIM_TIME_NEVER - 1);
}

/* Clusters of thousands at a few instants, to which more are added while they wait. */
static void test_clusters(void **state)
{
    (void)state;
    struct event_queue *q = calloc(1, sizeof *q);
    evq_open(q);
    struct fuzz f = {.q = q};
    rng_init(&f.rng, &(struct rng_key){9, 9, 9, 9});
    for (int i = 0; i < 30000; i++) {
        bool more = i < 3000 || rng_below(&f.rng, 2);
        if (!more) {
            pop(&f);
            continue;
        }
        uint32_t slot = evq_new(q);
        struct event *e = evq_event(q, slot);
        *e = (struct event){.time = (f.now / 1000 + 1 + (sim_time)rng_below(&f.rng, 3)) * 1000,
                            .order = rng_bits(&f.rng) >> 1};
        e->msg.request = ++f.marks;
        evq_push(q, slot, 0);
        naive_add(&f.list, (struct item){e->time, e->order, evq_handle(q, slot), f.marks});
    }
    while (f.list.n > 0) {
        pop(&f);
    }
    free(f.list.items);
    evq_close(q);
    free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fuzz), cmocka_unit_test(test_cancelled_memory),
        cmocka_unit_test(test_one_instant), cmocka_unit_test(test_clusters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
