/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "config/bind.h"
#include "config/yaml.h"
#include "policies/latency_window.h"
#include "support/choice.h"

/* A block of nothing but a window. */
struct block {
    struct latency_window window;
};
static const struct param_spec block_rows[] = {LATENCY_ROWS(block, window), P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    latency_window_check(params, at, diag);
}

static const struct schema schema = {.name = "block",
                                     .summary = "",
                                     .size = sizeof(struct block),
                                     .rows = block_rows,
                                     .derive = derive};

static struct latency_window window;
static struct latency_state *site;

static bool reads(const char *text)
{
    struct diag diag = {0};
    struct binder binder = {&choice_arena, &diag};
    const struct node *root = yaml_parse("test", text, strlen(text), &choice_arena, &diag);
    memset(&window, 0, sizeof window);
    bool good = root && bind_block(&schema, root, &window, &binder);
    diag_close(&diag);
    return good;
}

/* Reads a window, and forgets what the call site remembers. */
static void begin(const char *text)
{
    assert_true(reads(text));
    free(site);
    site = calloc(1, latency_state_size(&window));
}

static int end(void **state)
{
    free(site);
    return choice_close(state);
}

static void observe(sim_time now, sim_time latency, int n)
{
    for (int i = 0; i < n; i++) {
        latency_observe(&window, site, now, latency);
    }
}

static sim_time quantile(sim_time now)
{
    return latency_quantile(&window, site, now);
}

/* `exact`, or above it by at most 1/64. */
static void assert_near(sim_time got, sim_time exact)
{
    assert_true(got >= exact && got <= exact + exact / 64);
}

static void rows_are_read(void **state)
{
    (void)state;
    begin("{}");
    assert_true(window.percentile == 0.95);
    assert_int_equal(window.minimum, 50 * SIM_TIME_MS);
    assert_int_equal(window.maximum, 10 * SIM_TIME_S);
    assert_int_equal(window.window, 300 * SIM_TIME_S);
    assert_int_equal(window.buckets, 2);
    assert_true(latency_state_size(&window) < 8500);
    assert_false(reads("{percentile: 0}"));
    assert_false(reads("{percentile: 100%}"));
    assert_false(reads("{minimum: 2s, maximum: 1s}"));
    assert_false(reads("{buckets: 0}"));
    assert_false(reads("{buckets: 17}"));
    assert_false(reads("{window: 0}"));
    assert_true(reads("{minimum: 1s, maximum: 1s}"));
}

static void without_data_there_is_no_quantile(void **state)
{
    (void)state;
    begin("{}");
    assert_true(quantile(0) == SIM_TIME_NEVER);
    observe(0, SIM_TIME_S, 1);
    assert_near(quantile(450 * SIM_TIME_S), SIM_TIME_S);
    assert_true(quantile(450 * SIM_TIME_S + 1) == SIM_TIME_NEVER);
    assert_true(quantile(460 * SIM_TIME_S) == SIM_TIME_NEVER);
}

static void ranks_are_counted_from_below(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        sim_time rank; /* among 100 latencies of 1, 2, ... 100 ms */
    } rows[] = {{"{percentile: 1%, minimum: 1us}", 1},     {"{percentile: 7%, minimum: 1us}", 7},
                {"{percentile: 7.1%, minimum: 1us}", 8},   {"{percentile: 50%, minimum: 1us}", 50},
                {"{percentile: 95%, minimum: 1us}", 95},   {"{percentile: 99%, minimum: 1us}", 99},
                {"{percentile: 99.9%, minimum: 1us}", 100}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(rows[i].text);
        for (int k = 0; k < 100; k++) {
            observe(0, (37 * k % 100 + 1) * SIM_TIME_MS, 1);
        }
        assert_near(quantile(0), rows[i].rank * SIM_TIME_MS);
    }
}

static void minimum_and_maximum_are_exact(void **state)
{
    (void)state;
    begin("{minimum: 50ms, maximum: 10s}");
    observe(0, 3 * SIM_TIME_MS, 1);
    assert_int_equal(quantile(0), 50 * SIM_TIME_MS);
    observe(0, 50 * SIM_TIME_MS, 1);
    assert_int_equal(quantile(0), 50 * SIM_TIME_MS);
    observe(0, 50 * SIM_TIME_MS + 1, 1);
    assert_near(quantile(0), 50 * SIM_TIME_MS + 1);
    observe(0, 3600 * SIM_TIME_S, 1);
    assert_int_equal(quantile(0), 10 * SIM_TIME_S);
    begin("{minimum: 1s, maximum: 1s}");
    observe(0, 1, 1);
    assert_int_equal(quantile(0), SIM_TIME_S);
    observe(0, 3 * SIM_TIME_S, 5);
    assert_int_equal(quantile(0), SIM_TIME_S);
    begin("{minimum: 0s, maximum: 1000s}");
    observe(0, 0, 1);
    assert_int_equal(quantile(0), 0);
    observe(0, 1, 100);
    assert_int_equal(quantile(0), 1);
    observe(0, 63, 100000);
    assert_int_equal(quantile(0), 63);
}

/* Window of 4 s in 2 buckets: they begin at 0, 2, 4 and 6 s, and the one of 0 is the oldest until
 * 6 s have passed. */
static void the_oldest_bucket_is_read(void **state)
{
    (void)state;
    begin("{percentile: 50%, window: 4s, minimum: 1us}");
    observe(0, 100 * SIM_TIME_MS, 3);
    observe(2 * SIM_TIME_S - 1, 100 * SIM_TIME_MS, 2);
    observe(2 * SIM_TIME_S, 200 * SIM_TIME_MS, 3);
    observe(4 * SIM_TIME_S, 300 * SIM_TIME_MS, 2);
    observe(6 * SIM_TIME_S, 400 * SIM_TIME_MS, 2);
    assert_near(quantile(6 * SIM_TIME_S), 200 * SIM_TIME_MS);     /* 5, 3, 2, 2: the 6th */
    assert_near(quantile(6 * SIM_TIME_S + 1), 300 * SIM_TIME_MS); /* 3, 2, 2: the 4th */
    assert_near(quantile(8 * SIM_TIME_S + 1), 300 * SIM_TIME_MS); /* 2, 2: the 2nd */
    assert_near(quantile(10 * SIM_TIME_S + 1), 400 * SIM_TIME_MS);
    assert_near(quantile(12 * SIM_TIME_S), 400 * SIM_TIME_MS);
    assert_true(quantile(12 * SIM_TIME_S + 1) == SIM_TIME_NEVER);
    observe(13 * SIM_TIME_S, SIM_TIME_MS, 1);
    assert_near(quantile(13 * SIM_TIME_S), SIM_TIME_MS);
}

/* As aio-request does it: a list of buckets, each with all its latencies. */
enum { SEEN = 3000 };
struct bucket {
    sim_time start;
    size_t from; /* it has the latencies seen[from], ... */
};
static struct bucket bucket[SEEN];
static sim_time seen[SEEN], sorted[SEEN];
static size_t oldest, newest, n_seen; /* buckets oldest .. newest - 1 */

static void drop(sim_time now)
{
    sim_time ttl = window.window + window.window / window.buckets;
    while (oldest < newest && now - bucket[oldest].start > ttl) {
        oldest++;
    }
}

static void list_observe(sim_time now, sim_time latency)
{
    drop(now);
    if (oldest == newest || now - bucket[newest - 1].start >= window.window / window.buckets) {
        bucket[newest++] = (struct bucket){now, n_seen};
    }
    seen[n_seen++] = latency;
}

static int ascending(const void *a, const void *b)
{
    sim_time x = *(const sim_time *)a, y = *(const sim_time *)b;
    return (x > y) - (x < y);
}

static sim_time list_quantile(sim_time now)
{
    drop(now);
    if (oldest == newest) {
        return SIM_TIME_NEVER;
    }
    size_t n = n_seen - bucket[oldest].from;
    memcpy(sorted, seen + bucket[oldest].from, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    size_t millionths = (size_t)(window.percentile * 1e6 + 0.5);
    sim_time q = sorted[(millionths * n + 999999) / 1000000 - 1];
    q = q > window.minimum ? q : window.minimum;
    return q < window.maximum ? q : window.maximum;
}

static sim_time any_latency(uint64_t bits, uint64_t law)
{
    switch (law % 4) {
    case 0: /* of any magnitude */
        return (sim_time)(hash_mix64(bits) >> 1 >> (20 + bits % 43));
    case 1: /* two values */
        return bits % 20 < 19 ? 5 * SIM_TIME_MS : 900 * SIM_TIME_MS;
    case 2:
        return (sim_time)(bits >> 20) % (2 * SIM_TIME_S);
    default:
        return 10 * SIM_TIME_MS + (sim_time)(bits >> 20) % 1000000;
    }
}

static void a_list_gives_the_same_quantiles(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{percentile: 95%, minimum: 1ms, maximum: 1s, window: 1s, buckets: 2}",
        "{percentile: 50%, minimum: 0s, maximum: 1000s, window: 10s, buckets: 1}",
        "{percentile: 99.9%, minimum: 1us, maximum: 20s, window: 3s, buckets: 16}",
        "{percentile: 0.1%, minimum: 1us, maximum: 20s, window: 100ms, buckets: 7}",
        "{percentile: 5%, minimum: 7ms, maximum: 8ms, window: 5s, buckets: 3}",
    };
    for (uint64_t round = 0; round < 40; round++) {
        begin(forms[round % 5]);
        oldest = newest = n_seen = 0;
        sim_time now = (sim_time)round * SIM_TIME_S, mean = window.window / (1 + 40 * (round % 7));
        for (uint64_t i = 0; i < SEEN; i++) {
            uint64_t bits = hash_pair(round, i), more = hash_mix64(bits);
            now += bits % 100 == 0 ? (sim_time)(more % (uint64_t)(2 * window.window))
                                   : (sim_time)(more % (uint64_t)mean);
            sim_time latency = any_latency(more, round / 5);
            list_observe(now, latency);
            latency_observe(&window, site, now, latency);
            now += bits % 300 == 1 ? window.window + (sim_time)(more % (uint64_t)mean) : 0;
            if (bits % 3 == 0) {
                sim_time exact = list_quantile(now), got = quantile(now);
                assert_true(exact == SIM_TIME_NEVER
                                ? got == SIM_TIME_NEVER
                                : got >= exact && got <= exact + exact / 64 &&
                                      got >= window.minimum && got <= window.maximum);
            }
        }
        /* It holds nothing but what it should: gone to the last count. */
        now += 2 * window.window + 1;
        assert_true(quantile(now) == SIM_TIME_NEVER);
        size_t size = latency_state_size(&window);
        const unsigned char *byte = (const unsigned char *)site->counts;
        size_t oldest_counts = (size - sizeof *site) / (size_t)(window.buckets + 2);
        for (size_t i = 0; i < oldest_counts; i++) {
            assert_true(byte[i] == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(without_data_there_is_no_quantile),
        cmocka_unit_test(ranks_are_counted_from_below),
        cmocka_unit_test(minimum_and_maximum_are_exact),
        cmocka_unit_test(the_oldest_bucket_is_read),
        cmocka_unit_test(a_list_gives_the_same_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
