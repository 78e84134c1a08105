/* SPDX-License-Identifier: Apache-2.0
 *
 * CoDel one head at a time, beside the whole queue of the RFC's pseudocode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "policies/codel.h"
#include "rng/stream.h"

#define MS(x) ((sim_time)((x)*1e6 + 0.5)) /* [ns] */

static const struct codel codel = {.target = MS(5), .interval = MS(100)};

/* Waits that stay too long: one is dropped after an interval, then they follow one another at
 * interval / sqrt(2), sqrt(3), ... */
static void drops_come_ever_more_often(void **state)
{
    (void)state;
    static const sim_time drops[] = {MS(100),   MS(200),   270710678, 328445705, 378445705,
                                     423167065, 463991894, 501788341, 537143680};
    struct codel_state s = {0};
    for (size_t i = 0; i < sizeof drops / sizeof drops[0]; i++) {
        if (i == 0) {
            assert_false(codel_drops(&codel, &s, 0, MS(5), 1));
        }
        assert_false(codel_drops(&codel, &s, drops[i] - 1, MS(5), 1));
        assert_true(codel_drops(&codel, &s, drops[i], MS(5), 1));
        assert_false(codel_drops(&codel, &s, drops[i], MS(5), 1));
    }
    /* Behind the times it makes up for them at once. */
    int n = 0;
    while (codel_drops(&codel, &s, MS(700), MS(5), 1)) {
        n++;
    }
    assert_int_equal(n, 5);
}

static void one_short_wait_ends_it(void **state)
{
    (void)state;
    struct codel_state s = {0};
    assert_false(codel_drops(&codel, &s, 0, MS(50), 9));
    assert_false(codel_drops(&codel, &s, MS(99), MS(5) - 1, 9));
    assert_false(codel_drops(&codel, &s, MS(110), MS(50), 9)); /* counts from here */
    assert_false(codel_drops(&codel, &s, MS(209), MS(50), 9));
    assert_true(codel_drops(&codel, &s, MS(210), MS(50), 9));
    assert_false(codel_drops(&codel, &s, MS(220), MS(4), 9));
    assert_false(s.dropping);
}

static void the_last_in_line_is_served(void **state)
{
    (void)state;
    struct codel_state s = {0};
    for (sim_time t = 0; t < MS(1000); t += MS(10)) {
        assert_false(codel_drops(&codel, &s, t, MS(500), 0));
    }
    /* Nor is anybody whose line was empty lately. */
    assert_false(codel_drops(&codel, &s, MS(1000), MS(500), 1));
    codel_emptied(&s);
    assert_false(codel_drops(&codel, &s, MS(5000), MS(500), 1));
    assert_true(codel_drops(&codel, &s, MS(5100), MS(500), 1));
}

/* Where it stopped having dropped often, it goes on as often, unless that was long ago. */
static void it_remembers_how_often_it_dropped(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct codel_state s = {.first_above = MS(1), .drop_next = MS(1000), .count = 9};
        sim_time now = MS(1000) + 16 * MS(100) - !late;
        assert_true(codel_drops(&codel, &s, now, MS(5), 1));
        assert_int_equal(s.count, late ? 1 : 9);
        assert_int_equal(s.drop_next - now, late ? MS(100) : 33333333);
    }
}

/* --- the whole queue --------------------------------------------------------------------- */

enum { MOST = 20000 };

/* Times at which packets came, and RFC 8289's variables. */
struct line {
    sim_time came[MOST];
    uint32_t head, tail;
    sim_time first_above, drop_next;
    uint32_t count, lastcount;
    bool dropping;
};

struct taken {
    uint32_t packet; /* 1-based, 0: none */
    bool ok_to_drop;
};

static struct taken dodequeue(struct line *q, sim_time now)
{
    struct taken r = {0};
    if (q->head == q->tail) {
        q->first_above = 0;
        return r;
    }
    r.packet = ++q->head;
    if (now - q->came[r.packet - 1] < codel.target || q->head == q->tail) {
        q->first_above = 0;
    } else if (q->first_above == 0) {
        q->first_above = now + codel.interval;
    } else {
        r.ok_to_drop = now >= q->first_above;
    }
    return r;
}

static sim_time control_law(sim_time t, uint32_t count)
{
    return t + (sim_time)floor((double)codel.interval / sqrt((double)count) + 0.5);
}

/* The packet that is delivered; `*drops` counts those dropped before it. */
static uint32_t dequeue(struct line *q, sim_time now, uint64_t *drops)
{
    struct taken r = dodequeue(q, now);
    if (q->dropping) {
        q->dropping = r.ok_to_drop;
        while (q->dropping && now >= q->drop_next) {
            ++*drops;
            ++q->count;
            r = dodequeue(q, now);
            if (!r.ok_to_drop) {
                q->dropping = false;
            } else {
                q->drop_next = control_law(q->drop_next, q->count);
            }
        }
    } else if (r.ok_to_drop) {
        ++*drops;
        r = dodequeue(q, now);
        q->dropping = true;
        uint32_t delta = q->count - q->lastcount;
        q->count = 1;
        if (delta > 1 && now - q->drop_next < 16 * codel.interval) {
            q->count = delta;
        }
        q->drop_next = control_law(now, q->count);
        q->lastcount = q->count;
    }
    return r.packet;
}

/* Calm and crowded times by turns. */
static void it_is_that_of_the_rfc(void **state)
{
    (void)state;
    static struct line q, mine;
    struct codel_state s = {0};
    struct rng_stream chance;
    rng_init(&chance, &(struct rng_key){.seed = 7});
    uint64_t drops = 0, own = 0, delivered = 0;
    sim_time now = 0;
    while (q.tail < MOST) {
        now += (sim_time)rng_below(&chance, MS(2));
        bool crowded = now / MS(3000) % 2 == 0;
        if (rng_below(&chance, 100) < (crowded ? 58 : 45)) {
            mine.came[mine.tail++] = q.came[q.tail] = now;
            q.tail++;
            continue;
        }
        uint32_t packet = dequeue(&q, now, &drops), got = 0;
        while (!got && mine.head < mine.tail) {
            uint32_t head = mine.head++;
            bool drop = codel_drops(&codel, &s, now, now - mine.came[head], mine.tail - mine.head);
            own += drop;
            got = drop ? 0 : head + 1;
        }
        assert_int_equal(got, packet);
        assert_int_equal(own, drops);
        delivered += got != 0;
    }
    assert_true(drops > 500);
    assert_true(delivered > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(drops_come_ever_more_often),
                                       cmocka_unit_test(one_short_wait_ends_it),
                                       cmocka_unit_test(the_last_in_line_is_served),
                                       cmocka_unit_test(it_remembers_how_often_it_dropped),
                                       cmocka_unit_test(it_is_that_of_the_rfc)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
