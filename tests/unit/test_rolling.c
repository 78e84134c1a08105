/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "policies/rolling.h"

enum { MOST_CELLS = 128 };

static struct rolling_place place;
static int64_t cells[MOST_CELLS];

static struct rolling window(sim_time width, uint32_t buckets, uint32_t counters, bool lazy)
{
    assert_true(rolling_cells(buckets, counters) <= MOST_CELLS);
    place = (struct rolling_place){0};
    memset(cells, 0, sizeof cells);
    return (struct rolling){width, buckets, counters, lazy, &place, cells};
}

/* The cases of WindowedAdder's own tests: a range of 3 s in 3 slices. */
static void sums_slide_with_time(void **state)
{
    (void)state;
    for (int lazy = 0; lazy < 2; lazy++) {
        struct rolling r = window(SIM_TIME_S, 3, 1, lazy);
        sim_time t = 7 * SIM_TIME_S;
        rolling_add(&r, t, 0, 1);
        assert_int_equal(rolling_sum(&r, t, 0), 1);
        t += SIM_TIME_S;
        assert_int_equal(rolling_sum(&r, t, 0), 1);
        rolling_add(&r, t, 0, 2);
        assert_int_equal(rolling_sum(&r, t, 0), 3);
        t += SIM_TIME_S;
        assert_int_equal(rolling_sum(&r, t, 0), 3);
        t += SIM_TIME_S;
        assert_int_equal(rolling_sum(&r, t, 0), 2);
        t += SIM_TIME_S;
        assert_int_equal(rolling_sum(&r, t, 0), 0);
    }
}

static void skipped_buckets_are_empty(void **state)
{
    (void)state;
    for (int lazy = 0; lazy < 2; lazy++) {
        struct rolling r = window(SIM_TIME_S, 3, 1, lazy);
        rolling_add(&r, 0, 0, 1);
        rolling_add(&r, 1 * SIM_TIME_S, 0, 2);
        rolling_add(&r, 2 * SIM_TIME_S, 0, 1);
        assert_int_equal(rolling_sum(&r, 2 * SIM_TIME_S, 0), 4);
        assert_int_equal(rolling_sum(&r, 4 * SIM_TIME_S, 0), 1);
        assert_int_equal(rolling_sum(&r, 104 * SIM_TIME_S, 0), 0);
        rolling_add(&r, 104 * SIM_TIME_S, 0, 100);
        assert_int_equal(rolling_sum(&r, 105 * SIM_TIME_S, 0), 100);
        assert_int_equal(rolling_sum(&r, 107 * SIM_TIME_S, 0), 0);
    }
}

/* Used every 1.5 s, buckets of 1 s last 1.5 s in a lazy window, and no longer in the other. */
static void only_lazy_buckets_wait_for_a_use(void **state)
{
    (void)state;
    const sim_time step = 1500 * SIM_TIME_MS;
    for (int lazy = 0; lazy < 2; lazy++) {
        struct rolling r = window(SIM_TIME_S, 4, 1, lazy);
        for (int i = 0; i < 12; i++) {
            rolling_add(&r, i * step, 0, 1);
        }
        /* At 16.5 s: the bucket from 16 s on and three before it, so from 13 s on. */
        assert_int_equal(rolling_sum(&r, 11 * step, 0), lazy ? 4 : 3);
    }
}

static void one_bucket_forgets_all_at_once(void **state)
{
    (void)state;
    struct rolling r = window(10, 1, 2, false);
    rolling_add(&r, 3, 0, 5);
    rolling_add(&r, 12, 1, -7);
    assert_int_equal(rolling_sum(&r, 12, 0), 5);
    assert_int_equal(rolling_sum(&r, 12, 1), -7);
    assert_int_equal(rolling_sum(&r, 13, 0), 0);
    assert_int_equal(rolling_sum(&r, 13, 1), 0);
}

enum { USES = 3000 };
static struct {
    sim_time bucket; /* number of its bucket since the first use */
    int64_t amount;
    uint32_t counter;
} used[USES];

/* Random additions against the list of them all; in a lazy window the list's bucket numbers follow
 * WindowedAdder's rule. */
static void a_list_gives_the_same_sums(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 40; round++) {
        uint32_t buckets = 1 + (uint32_t)(round % 13), counters = 1 + (uint32_t)(round % 3);
        sim_time width = 1 + (sim_time)(hash_mix64(round) % 50), now = (sim_time)round * 1000;
        struct rolling r = window(width, buckets, counters, round & 1);
        sim_time first = 0, start = 0, bucket = 0;
        for (uint64_t i = 0; i < USES; i++) {
            uint64_t bits = hash_pair(round, i);
            now += bits % 8 == 0 ? (sim_time)(bits >> 8) % (width * 20) : (sim_time)(bits >> 8) % 4;
            first = i == 0 ? now : first;
            if (!r.lazy) {
                bucket = (now - first) / width;
            } else if (i == 0 || now - start >= width) {
                bucket += i == 0 ? 0 : (now - start) / width;
                start = now;
            }
            used[i].bucket = bucket;
            used[i].amount = (int64_t)(bits >> 32) % 1000 - 300;
            used[i].counter = (uint32_t)(bits >> 16) % counters;
            rolling_add(&r, now, used[i].counter, used[i].amount);
            for (uint32_t c = 0; c < counters; c++) {
                int64_t sum = 0;
                for (uint64_t k = i + 1; k-- > 0 && used[k].bucket > bucket - buckets;) {
                    sum += used[k].counter == c ? used[k].amount : 0;
                }
                assert_true(rolling_sum(&r, now, c) == sum);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_slide_with_time),
        cmocka_unit_test(skipped_buckets_are_empty),
        cmocka_unit_test(only_lazy_buckets_wait_for_a_use),
        cmocka_unit_test(one_bucket_forgets_all_at_once),
        cmocka_unit_test(a_list_gives_the_same_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
