/* SPDX-License-Identifier: Apache-2.0
 *
 * Gauges, and time series over gauges, counters and histograms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "stats/series.h"

static void test_integral_and_max(void **state)
{
    (void)state;
    struct gauge g = {0};
    gauge_set(&g, 10, 3);
    gauge_add(&g, 20, 4);
    gauge_add(&g, 25, -6);
    assert_true(g.integral == 10 * 3 + 5 * 7 && g.level == 1 && g.max == 7 && g.since == 25);
    assert_true(gauge_integral(&g, 125) == 65 + 100 && g.since == 25);
    gauge_advance(&g, 125);
    assert_true(g.integral == 165);
}

static void test_restart_keeps_level(void **state)
{
    (void)state;
    struct gauge g = {0};
    gauge_set(&g, 0, 9);
    gauge_set(&g, 10, 2);
    gauge_restart(&g, 50);
    assert_true(g.level == 2 && g.max == 2 && g.integral == 0 && g.interval_max == 9);
    gauge_advance(&g, 60);
    assert_true(g.integral == 20);
    gauge_interval(&g);
    assert_true(g.interval_max == 2 && g.max == 2);
}

struct entity_stats {
    uint64_t served;
    struct gauge queue;
    struct histogram latency;
    uint64_t bytes;
    struct histogram wait;
};

static const struct stat_spec rows[] = {
    S_COUNTER(entity_stats, served, "Requests served."),
    S_GAUGE(entity_stats, queue, "Requests waiting."),
    S_HISTOGRAM(entity_stats, latency, "Latency."),
    S_SUM(entity_stats, bytes, "B", "Bytes sent."),
    S_HISTOGRAM(entity_stats, wait, "Wait."),
    S_END,
};

static void zero(struct entity_stats *e, sim_time now)
{
    e->served = e->bytes = 0;
    memset(&e->latency, 0, sizeof e->latency);
    memset(&e->wait, 0, sizeof e->wait);
    gauge_restart(&e->queue, now);
}

static void test_series_by_hand(void **state)
{
    (void)state;
    struct hist_pool pool;
    hist_pool_open(&pool);
    struct entity_stats e = {0};
    struct series s;
    series_open(&s, &pool);
    uint32_t first = series_watch(&s, rows, &e);
    assert_int_equal(first, 0);

    e.served = 4;
    gauge_set(&e.queue, 2, 5);
    gauge_set(&e.queue, 6, 1);
    hist_record(&pool, &e.latency, 7);
    hist_record(&pool, &e.latency, 7);
    hist_record(&pool, &e.latency, 100000);
    series_sample(&s, 10);

    e.served += 3;
    hist_record(&pool, &e.latency, 7);
    hist_record(&pool, &e.wait, 1);
    series_sample(&s, 20);

    int64_t max;
    const uint32_t *bin;
    const uint64_t *count;
    assert_true(series_counter(&s, 0, 0) == 4 && series_counter(&s, 0, 1) == 3);
    assert_true(series_gauge(&s, 1, 0, &max) == 4 * 5 + 4 * 1 && max == 5);
    assert_true(series_gauge(&s, 1, 1, &max) == 10 && max == 1);
    assert_int_equal(series_histogram(&s, 2, 0, &bin, &count), 2);
    assert_true(bin[0] == 7 && count[0] == 2 && bin[1] == hist_bin(100000) && count[1] == 1);
    assert_int_equal(series_histogram(&s, 2, 1, &bin, &count), 1);
    assert_true(bin[0] == 7 && count[0] == 1);
    assert_int_equal(series_histogram(&s, 4, 0, &bin, &count), 0);
    assert_int_equal(series_histogram(&s, 4, 1, &bin, &count), 1);
    assert_true(bin[0] == 1 && count[0] == 1);
    series_close(&s);
    hist_pool_close(&pool);
}

/* One interval's worth of chance, the same whatever happens to the statistics in between. */
static void busy(struct entity_stats *e, struct hist_pool *pool, uint64_t seed, sim_time start)
{
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t bits = hash_pair(seed, i);
        e->served += bits % 3;
        e->bytes += bits % 1000;
        gauge_set(&e->queue, start + (sim_time)i * 10, (int64_t)(bits >> 60));
        hist_record(pool, &e->latency, bits >> (40 + bits % 20));
        if (bits % 5 == 0) {
            hist_record(pool, &e->wait, bits % 50);
        }
    }
}

/* A series with the statistics zeroed at several places is that of statistics never zeroed. */
static void test_series_survives_reset(void **state)
{
    (void)state;
    enum { INTERVALS = 30, HALF = 400 };
    struct hist_pool pool;
    hist_pool_open(&pool);
    struct entity_stats e[2] = {{0}}, plain[2] = {{0}};
    struct series a, b;
    series_open(&a, &pool);
    series_open(&b, &pool);
    for (int round = 0; round < 2; round++) {
        for (int k = 0; k < 2 && round == 0; k++) {
            assert_int_equal(series_watch(&a, rows, &e[k]), 5 * k);
            assert_int_equal(series_watch(&b, rows, &plain[k]), 5 * k);
        }
        for (uint64_t step = 0; step < 2 * INTERVALS; step++) {
            sim_time start = (sim_time)step * HALF;
            for (uint64_t k = 0; k < 2; k++) {
                busy(&e[k], &pool, hash_pair(k, step), start);
                busy(&plain[k], &pool, hash_pair(k, step), start);
            }
            if (step % 2) {
                series_sample(&a, start + HALF);
                series_sample(&b, start + HALF);
            }
            /* In the middle of an interval, at its end, and twice in one. */
            if (step == 4 || step == 15 || step == 20 || step == 21 || step == 22) {
                series_rebase(&a, start + HALF);
                zero(&e[0], start + HALF);
                zero(&e[1], start + HALF);
            }
        }
        assert_int_equal(a.intervals, INTERVALS);
        for (uint32_t i = 0; i < INTERVALS; i++) {
            for (uint32_t k = 0; k < 2; k++) {
                int64_t max_a, max_b;
                assert_true(series_counter(&a, 5 * k, i) == series_counter(&b, 5 * k, i));
                assert_true(series_counter(&a, 5 * k + 3, i) == series_counter(&b, 5 * k + 3, i));
                assert_true(series_gauge(&a, 5 * k + 1, i, &max_a) ==
                            series_gauge(&b, 5 * k + 1, i, &max_b));
                assert_true(max_a == max_b);
                for (uint32_t h = 2; h < 5; h += 2) {
                    const uint32_t *bin_a, *bin_b;
                    const uint64_t *count_a, *count_b;
                    size_t n = series_histogram(&a, 5 * k + h, i, &bin_a, &count_a);
                    assert_true(n > 0 && n == series_histogram(&b, 5 * k + h, i, &bin_b, &count_b));
                    assert_memory_equal(bin_a, bin_b, n * sizeof *bin_a);
                    assert_memory_equal(count_a, count_b, n * sizeof *count_a);
                }
            }
        }
        /* Another replication with the same recorders. */
        hist_pool_reset(&pool);
        memset(e, 0, sizeof e);
        memset(plain, 0, sizeof plain);
        series_reset(&a);
        series_reset(&b);
    }
    series_close(&a);
    series_close(&b);
    hist_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integral_and_max),
        cmocka_unit_test(test_restart_keeps_level),
        cmocka_unit_test(test_series_by_hand),
        cmocka_unit_test(test_series_survives_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
