/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stats/histogram.h"

static struct hist_pool pool;

static int open_pool(void **state)
{
    (void)state;
    hist_pool_open(&pool);
    return 0;
}

static int close_pool(void **state)
{
    (void)state;
    hist_pool_close(&pool);
    return 0;
}

/* A value of any magnitude. */
static uint64_t any_value(uint64_t i)
{
    uint64_t bits = hash_mix64(i);
    return (bits >> 1) >> (hash_mix64(bits) % 63);
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(hist_edge(0) == 0);
    for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
        uint64_t edge = hist_edge(bin), next = hist_edge(bin + 1);
        assert_true(next > edge);
        assert_true(hist_bin(edge) == bin && hist_bin(next - 1) == bin);
        assert_true(next - edge == hist_width(bin));
        assert_true(hist_width(bin) == 1 || hist_width(bin) * HIST_PAGE <= edge);
    }
    assert_true(hist_edge(HIST_BINS) == UINT64_C(1) << 63);
    assert_true(hist_bin(INT64_MAX) == HIST_BINS - 1);
}

static void test_every_value_has_a_bin(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000000; i++) {
        uint64_t value = any_value(i);
        uint32_t bin = hist_bin(value);
        assert_true(bin < HIST_BINS && hist_edge(bin) <= value && value < hist_edge(bin + 1));
    }
}

static struct hist_counts *counts_of(const struct histogram *h)
{
    struct hist_counts *c = calloc(1, sizeof *c);
    hist_counts_add(c, &pool, h);
    return c;
}

static void test_small_numbers_are_exact(void **state)
{
    (void)state;
    struct histogram h = {0};
    for (uint64_t v = 1; v <= 10; v++) {
        hist_record(&pool, &h, v);
    }
    struct hist_counts *c = counts_of(&h);
    static const double golden[][2] = {{0, 1},       {0.5, 5.5},   {0.9, 9.1},
                                       {0.95, 9.55}, {0.99, 9.91}, {1, 10}};
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        double bound;
        assert_true(fabs(hist_quantile(c, golden[i][0], &bound) - golden[i][1]) < 1e-12);
        assert_true(bound == 0.0);
    }
    assert_true(h.total == 10 && h.sum == 55 && h.min == 1 && h.max == 10);
    free(c);
}

static void test_empty_and_single(void **state)
{
    (void)state;
    struct histogram h = {0};
    struct hist_counts *c = counts_of(&h);
    assert_true(hist_quantile(c, 0.5, NULL) == 0.0);
    free(c);
    hist_record(&pool, &h, 123456789);
    c = counts_of(&h);
    for (int i = 0; i <= 10; i++) {
        assert_true(hist_quantile(c, i / 10.0, NULL) == 123456789.0);
    }
    free(c);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Random values of five laws against the sorted values themselves. */
static void test_quantiles_within_bound(void **state)
{
    (void)state;
    enum { N = 3000 };
    uint64_t value[N];
    for (uint64_t law = 0; law < 50; law++) {
        struct histogram h = {0};
        size_t n = law % 5 == 0 ? 2 + law : N;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t bits = hash_pair(law, i);
            value[i] = law % 5 == 1   ? bits % 1000
                       : law % 5 == 2 ? 8000000 + bits % 40000
                       : law % 5 == 3 ? (bits % 7) * 1000003
                                      : any_value(bits) >> 12;
            hist_record(&pool, &h, value[i]);
        }
        qsort(value, n, sizeof value[0], ascending);
        struct hist_counts *c = counts_of(&h);
        double last = 0.0;
        for (int i = 0; i <= 1000; i++) {
            double p = i / 1000.0, place = p * (double)(n - 1), bound;
            size_t rank = (size_t)place;
            double low = (double)value[rank], high = (double)value[rank + 1 < n ? rank + 1 : rank];
            double exact = low + (place - (double)rank) * (high - low);
            double q = hist_quantile(c, p, &bound);
            assert_true(fabs(q - exact) <= bound + 1e-9 * exact);
            assert_true(bound <= fmax(0.0, high / HIST_PAGE));
            assert_true(q >= last && q >= (double)h.min && q <= (double)h.max);
            last = q;
        }
        free(c);
    }
}

static void test_merging_is_recording_together(void **state)
{
    (void)state;
    struct histogram parts[3] = {{0}}, all = {0}, nothing = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t v = any_value(i) >> 20;
        hist_record(&pool, &parts[hash_mix64(i) % 3], v);
        hist_record(&pool, &all, v);
    }
    struct hist_counts *merged = calloc(1, sizeof *merged), *together = counts_of(&all);
    hist_counts_add(merged, &pool, &nothing);
    for (int i = 0; i < 2; i++) {
        hist_counts_add(merged, &pool, &parts[i]);
    }
    struct hist_counts *third = counts_of(&parts[2]);
    hist_counts_merge(merged, third);
    assert_memory_equal(merged, together, sizeof *merged);
    free(merged);
    free(together);
    free(third);
}

struct pairs {
    uint32_t bin[HIST_BINS];
    uint64_t count[HIST_BINS];
    size_t n;
};

static void collect(uint32_t bin, uint64_t count, void *context)
{
    struct pairs *p = context;
    assert_true(count > 0 && (p->n == 0 || bin > p->bin[p->n - 1]));
    p->bin[p->n] = bin;
    p->count[p->n++] = count;
}

static void test_used(void **state)
{
    (void)state;
    /* Also counts of which only the upper half is not 0, and pages without any. */
    for (uint32_t sparse = 0; sparse <= 70; sparse += 10) {
        uint64_t count[HIST_PAGE];
        for (uint32_t i = 0; i < HIST_PAGE; i++) {
            uint64_t any = hash_pair(sparse, i);
            count[i] = any % 64 >= sparse ? (any >> 8 & 1 ? UINT64_C(1) << 32 : any | 1) : 0;
        }
        struct hist_used used = hist_used(count), plainly = hist_used_plainly(count);
        for (uint32_t i = 0; i < HIST_PAGE; i++) {
            assert_int_equal(used.word[i / 64] >> i % 64 & 1, count[i] != 0);
        }
        assert_memory_equal(&used, &plainly, sizeof used);
    }
}

static void test_pairs(void **state)
{
    (void)state;
    struct histogram h = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        hist_record(&pool, &h, any_value(i) >> 30);
    }
    struct pairs *p = calloc(1, sizeof *p);
    hist_each(&pool, &h, collect, p);
    struct hist_counts *from = calloc(1, sizeof *from), *direct = counts_of(&h);
    hist_counts_add_bins(from, &h, p->n, p->bin, p->count);
    assert_memory_equal(from, direct, sizeof *from);

    /* Without the exact figures they are right to a bucket's width. */
    memset(from, 0, sizeof *from);
    hist_counts_add_bins(from, NULL, p->n, p->bin, p->count);
    assert_true(from->total == h.total);
    assert_true(from->min <= h.min && from->max >= h.max);
    assert_true(hist_bin(from->min) == hist_bin(h.min) && hist_bin(from->max) == hist_bin(h.max));
    assert_true(fabs((double)from->sum - (double)h.sum) <= (double)h.sum / HIST_PAGE);
    free(p);
    free(from);
    free(direct);
}

static void test_summary_only(void **state)
{
    (void)state;
    uint32_t pages = pool.n_pages;
    struct histogram h = {.summary_only = 1};
    hist_record(&pool, &h, 5);
    hist_record(&pool, &h, 3);
    assert_true(h.total == 2 && h.sum == 8 && h.min == 3 && h.max == 5 && h.directory == 0);
    assert_int_equal(pool.n_pages, pages);
}

/* Buckets given back by a reset come back clean. */
static void test_reset(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        hist_pool_reset(&pool);
        struct histogram h[10] = {{0}};
        for (uint64_t i = 0; i < 1000; i++) {
            hist_record(&pool, &h[i % 10], any_value(i + (uint64_t)round) >> 12);
        }
        for (int k = 0; k < 10; k++) {
            uint64_t sum = 0;
            struct hist_counts *c = counts_of(&h[k]);
            for (uint32_t bin = 0; bin < HIST_BINS; bin++) {
                sum += c->count[bin];
            }
            assert_true(sum == 100);
            free(c);
        }
        assert_int_equal(pool.n_directories, 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_every_value_has_a_bin),
        cmocka_unit_test(test_small_numbers_are_exact),
        cmocka_unit_test(test_empty_and_single),
        cmocka_unit_test(test_quantiles_within_bound),
        cmocka_unit_test(test_merging_is_recording_together),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_summary_only),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
