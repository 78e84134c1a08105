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
    bool defers;     /* some events are pushed again when they come */
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
    struct event *e = evq_event(f->q, slot);
    assert_int_equal(e->msg.request, want.mark);
    assert_int_equal(e->time, t);
    assert_true(t >= f->now);
    f->now = t;
    if (f->defers && rng_below(&f->rng, 4) == 0) {
        want.time = e->time += (sim_time)rng_below(&f->rng, 1000);
        want.order = e->order += 1 + rng_below(&f->rng, 1000);
        evq_defer(f->q, slot);
        naive_add(&f->list, want);
        return;
    }
    evq_give(f->q, slot);
    assert_false(evq_cancel(f->q, want.handle));
    assert_int_equal(f->q->n_pending, f->list.n);
}

/* Steps drawn with these weights out of 100; the rest are pops. */
static void run(struct fuzz *f, int steps, unsigned pushes, unsigned nows, unsigned cancels)
{
    for (int i = 0; i < steps; i++) {
        uint64_t u = rng_below(&f->rng, 100);
        if (rng_below(&f->rng, 64) == 0) {
            evq_expect(f->q);
        }
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
        struct fuzz f = {
            .q = q, .now = 5, .spread = (uint32_t)(2 + seed * 7 % 45), .defers = seed % 3 == 0};
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

static void push_at(struct fuzz *f, sim_time time)
{
    uint32_t slot = evq_new(f->q);
    struct event *e = evq_event(f->q, slot);
    *e = (struct event){.time = time, .order = rng_bits(&f->rng) >> 1};
    e->msg.request = ++f->marks;
    evq_push(f->q, slot, 0);
    naive_add(&f->list, (struct item){e->time, e->order, evq_handle(f->q, slot), f->marks});
}

/* One crowd after the other takes the same place and has the same size, but not the same time; what
 * comes before it, or to it, while it waits is told apart. */
static void test_crowds_that_wait(void **state)
{
    (void)state;
    struct event_queue *q = calloc(1, sizeof *q);
    evq_open(q);
    struct fuzz f = {.q = q};
    rng_init(&f.rng, &(struct rng_key){3, 1, 4, 1});
    for (sim_time at = 1000; at <= 6000; at += 1000) {
        for (int i = 0; i < 100; i++) {
            push_at(&f, at);
        }
        assert_int_equal(evq_next_time(q), at);
        assert_int_equal(evq_pop_before(q, at), EVQ_NONE);
        if (at > 3000) {
            push_at(&f, at - 10);
            push_at(&f, at);
            assert_int_equal(evq_next_time(q), at - 10);
            pop(&f);
            assert_int_equal(evq_next_time(q), at);
            cancel(&f);
        }
        while (f.list.n > 0) {
            pop(&f);
        }
    }
    free(f.list.items);
    evq_close(q);
    free(q);
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
        push_at(&f, (f.now / 1000 + 1 + (sim_time)rng_below(&f.rng, 3)) * 1000);
    }
    while (f.list.n > 0) {
        pop(&f);
    }
    free(f.list.items);
    evq_close(q);
    free(q);
}

/* Many events, popped without a naive list: whatever is pushed is later than the event popped last,
 * so the order is right if and only if it never goes back and nothing is lost. */
struct herd {
    struct event_queue *q;
    struct rng_stream rng;
    sim_time now;
    uint64_t last_order, n, sum, made;
    int law;
};

static struct herd herd_open(uint64_t seed, int law)
{
    struct herd h = {.q = calloc(1, sizeof *h.q), .law = law};
    assert_non_null(h.q);
    evq_open(h.q);
    rng_init(&h.rng, &(struct rng_key){seed, (uint64_t)law, 0, 0});
    return h;
}

static void herd_close(struct herd *h)
{
    evq_close(h->q);
    free(h->q);
}

enum { LAWS = 8 };

static sim_time herd_delay(struct herd *h)
{
    uint64_t u = rng_below(&h->rng, 100), bits = rng_bits(&h->rng);
    sim_time exponential = 1 + (sim_time)(rng_exponential(&h->rng) * 1e9);
    switch (h->law) {
    case 0:
        return exponential;
    case 1:
        return 100000000 + exponential;
    case 2:
        return 1 + (sim_time)(bits % 2000000000);
    case 3:
        return 1 + (sim_time)(bits % (u < 50 ? 1000 : 1000000000000)); /* two scales */
    case 4:
        return 1000 * (1 + (sim_time)(u / 40)); /* three instants */
    case 5:
        return 1 + (sim_time)(bits % (UINT64_C(1) << bits % 41)); /* all scales */
    case 6:
        return u == 0 ? INT64_C(1) << 50 : 1 + (sim_time)(bits % 8); /* ties, far jumps */
    default:
        return 1000000; /* one delay */
    }
}

/* The orders of odd laws differ in their last bits only. */
static uint64_t herd_push_at(struct herd *h, sim_time time)
{
    uint32_t slot = evq_new(h->q);
    struct event *e = evq_event(h->q, slot);
    uint64_t mark = ++h->made;
    if (mark % 999 == 0) {
        evq_expect(h->q);
    }
    *e = (struct event){.time = time, .order = h->law % 4 == 3 ? mark * 7919 % 1000003 : mark};
    e->order |= h->law % 2 ? 0 : rng_bits(&h->rng) << 34;
    e->msg.request = mark;
    evq_push(h->q, slot, 0);
    h->n++;
    h->sum += mark;
    return evq_handle(h->q, slot);
}

static void herd_forget(struct herd *h, uint64_t mark)
{
    h->n--;
    h->sum -= mark;
    assert_int_equal(h->q->n_pending, h->n);
}

static void herd_pop(struct herd *h)
{
    uint32_t slot = evq_pop_before(h->q, SIM_TIME_NEVER);
    assert_int_not_equal(slot, EVQ_NONE);
    const struct event *e = evq_event(h->q, slot);
    assert_true(e->time > h->now || (e->time == h->now && e->order > h->last_order));
    h->now = e->time;
    h->last_order = e->order;
    herd_forget(h, e->msg.request);
    evq_give(h->q, slot);
}

static void herd_drain(struct herd *h)
{
    while (h->n > 0) {
        herd_pop(h);
    }
    assert_int_equal(h->sum, 0);
    assert_int_equal(evq_next_time(h->q), SIM_TIME_NEVER);
    h->now = -1;
    evq_reset(h->q);
}

/* Herds that grow by a thousand times, hold, and die out, for every law of delays; the second pass
 * starts from a reset with events still pending. */
static void test_herds(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {30, 45, 60, 200, 3000, 40000};
    for (int law = 0; law < LAWS; law++) {
        struct herd h = herd_open(1, law);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            for (uint64_t i = 0; h.n < sizes[k]; i++) {
                herd_push_at(&h, h.now + herd_delay(&h));
                if (i % 5 == 0) {
                    herd_pop(&h);
                }
            }
            for (uint64_t i = 0; i < 2 * sizes[k] + 5000; i++) {
                herd_pop(&h);
                herd_push_at(&h, h.now + herd_delay(&h));
            }
        }
        h.n = h.sum = 0;
        h.now = -1;
        evq_reset(h.q);
        for (int i = 0; i < 30000; i++) {
            herd_push_at(&h, h.now + 1 + herd_delay(&h));
        }
        herd_drain(&h);
        herd_close(&h);
    }
}

/* Every push is earlier than all that is pending, with a pop now and then. */
static void test_falling(void **state)
{
    (void)state;
    for (uint64_t every = 3; every < 40000; every *= 7) {
        struct herd h = herd_open(2, 0);
        h.now = -1;
        for (sim_time t = 40000; t > 0; t--) {
            herd_push_at(&h, t * (t % 5 ? 1000000 : 1000001) + h.now);
            if ((uint64_t)t % every == 0) {
                herd_pop(&h);
            }
        }
        herd_drain(&h);
        herd_close(&h);
    }
}

/* Crowds that lie ages apart, up to the end of time. First more and more; then time goes from one
 * to the next, and some are added from each. */
static void test_ages(void **state)
{
    (void)state;
    struct herd h = herd_open(3, 2);
    for (int round = 0; round < 2; round++) {
        h.now = -1;
        for (int i = 0; i < 120000 && (i < 60000 || h.n > 0); i++) {
            bool adds = i < 60000 ? i % 3 < 2 : i % 4 == 0;
            sim_time ages = INT64_C(1) << rng_below(&h.rng, 63);
            sim_time spread = 1 + (sim_time)(rng_bits(&h.rng) >> (2 + rng_below(&h.rng, 62)));
            sim_time most = SIM_TIME_NEVER - 1 - spread;
            if (!adds || h.now >= most) {
                herd_pop(&h);
            } else {
                herd_push_at(&h, (h.now < most - ages ? h.now + ages : most) + spread);
            }
        }
        herd_drain(&h);
    }
    herd_close(&h);
}

/* The queue looks at a crowd that is far off; then many events come that are due before it. */
static void test_late(void **state)
{
    (void)state;
    for (int law = 0; law < LAWS; law++) {
        struct herd h = herd_open(6, law);
        for (int round = 0; round < 200; round++) {
            for (int i = 0; i < 300; i++) {
                herd_push_at(&h, h.now + 1000000000 + (sim_time)rng_below(&h.rng, 3000));
            }
            for (int part = 0; part < 3; part++) {
                sim_time room = evq_next_time(h.q) - h.now;
                for (int i = 0; i < 100 && room > 1; i++) {
                    sim_time ahead = herd_delay(&h);
                    herd_push_at(&h, h.now + 1 + ahead % (room - 1));
                }
                for (int i = 0; h.n > 300; i++) {
                    herd_pop(&h);
                    if (i % 3 == 0) {
                        herd_push_at(&h, h.now + 1 + (sim_time)rng_below(&h.rng, 3000));
                    }
                }
            }
            for (int i = 0; i < 200 + round; i++) {
                herd_pop(&h);
                if (i % 3 == 0) {
                    herd_push_at(&h, h.now + 1 + (sim_time)rng_below(&h.rng, 500));
                }
            }
        }
        herd_drain(&h);
        herd_close(&h);
    }
}

/* Something in every octave of time before a far crowd: more levels than there are. */
static void test_scales(void **state)
{
    (void)state;
    struct herd h = herd_open(7, 2);
    for (int round = 0; round < 50; round++) {
        h.now = -1;
        for (int i = 0; i < 500; i++) {
            herd_push_at(&h, (INT64_C(1) << 61) + (sim_time)(rng_bits(&h.rng) >> 4));
        }
        for (int octave = 0; octave < 60; octave++) {
            herd_push_at(&h, INT64_C(1) << octave);
            herd_push_at(&h, (sim_time)rng_below(&h.rng, 4));
        }
        uint32_t levels = 0;
        for (int i = 0; i < 60; i++) {
            herd_pop(&h);
            levels = h.q->n_levels > levels ? h.q->n_levels : levels;
            herd_push_at(&h,
                         h.now + 1 + (sim_time)(rng_bits(&h.rng) >> rng_below(&h.rng, 64) >> 4));
        }
        assert_int_equal(levels, EVQ_LEVELS);
        herd_drain(&h);
    }
    herd_close(&h);
}

/* Storms of cancellations: nine of ten events are withdrawn, wherever they wait by then. */
static void test_cancel_storms(void **state)
{
    (void)state;
    enum { AT_ONCE = 20000 };
    uint64_t *handles = calloc(AT_ONCE, sizeof *handles);
    uint64_t *marks = calloc(AT_ONCE, sizeof *marks);
    assert_true(handles && marks);
    for (int law = 0; law < LAWS; law++) {
        struct herd h = herd_open(4, law);
        for (int round = 0; round < 4; round++) {
            for (int i = 0; i < AT_ONCE; i++) {
                handles[i] = herd_push_at(&h, h.now + herd_delay(&h));
                marks[i] = h.made;
            }
            for (int i = 0; i < AT_ONCE / 2; i++) { /* opens buckets all the way down */
                herd_pop(&h);
            }
            for (int i = 0; i < AT_ONCE; i++) {
                int at = (int)((uint64_t)i * 7919 % AT_ONCE);
                if (at % 10 && evq_cancel(h.q, handles[at])) {
                    herd_forget(&h, marks[at]);
                }
            }
        }
        assert_true(h.q->n_slots < 3 * AT_ONCE);
        herd_drain(&h);
        herd_close(&h);
    }
    free(handles);
    free(marks);
}

/* At most a hundred bytes a pending event. */
static void test_memory(void **state)
{
    (void)state;
    enum { N = 300000 };
    struct herd h = herd_open(5, 1);
    for (int i = 0; i < N; i++) {
        herd_push_at(&h, h.now + herd_delay(&h));
    }
    for (int i = 0; i < N; i++) {
        herd_pop(&h);
        herd_push_at(&h, h.now + herd_delay(&h));
    }
    assert_true(evq_memory(h.q) < (size_t)N * 100);
    herd_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fuzz),
                                       cmocka_unit_test(test_cancelled_memory),
                                       cmocka_unit_test(test_one_instant),
                                       cmocka_unit_test(test_clusters),
                                       cmocka_unit_test(test_crowds_that_wait),
                                       cmocka_unit_test(test_herds),
                                       cmocka_unit_test(test_falling),
                                       cmocka_unit_test(test_ages),
                                       cmocka_unit_test(test_cancel_storms),
                                       cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_late),
                                       cmocka_unit_test(test_scales)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
