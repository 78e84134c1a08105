/* SPDX-License-Identifier: Apache-2.0
 *
 * What `squall compare` makes of two statistics, and of many: figures made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "cli/compare.h"

enum { N = 10 };

static const struct pairing by_number = {.paired = true, .n = {N, N}};
static const struct pairing by_pair = {.paired = true, .n = {N, N}, .antithetic = {true, true}};
static const struct pairing apart = {.n = {N, N}};

/* Student's soporifics of 1908; tests/unit/test_summary.c has their interval. */
static const double first[N] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
static const double second[N] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

static void near(double value, double golden, double error)
{
    if (!(fabs(value - golden) <= error)) {
        fail_msg("%.12g is not %.12g", value, golden);
    }
}

static struct figure mean_of(const double *values, uint64_t n, bool antithetic)
{
    struct summary s = inspect_observe(values, n, antithetic);
    return (struct figure){.measure = "mean", .unit = "1", .value = s.mean, .values = values};
}

static struct contrast compare(const double *a, const double *b, const struct pairing *p)
{
    struct figure of_a = mean_of(a, p->n[FILE_A], p->antithetic[FILE_A]);
    struct figure of_b = mean_of(b, p->n[FILE_B], p->antithetic[FILE_B]);
    struct contrast c = {.label = ""};
    compare_figures(&of_a, &of_b, p, 0.95, &c);
    return c;
}

static void paired_values_are_compared_by_their_differences(void **state)
{
    (void)state;
    struct contrast c = compare(first, second, &by_number);
    assert_int_equal(c.verdict, VERDICT_WITHIN);
    assert_int_equal(c.observations, N);
    near(c.difference, 1.58, 1e-12);
    near(c.half_width, 0.8798858, 1e-6);
    near(c.chance, 0.002833, 1e-6); /* t = 4.0621, 9 degrees of freedom */
    near(c.relative, 1.58 / 0.75, 1e-12);
    near(c.value[FILE_A], 0.75, 1e-12);
    near(c.value[FILE_B], 2.33, 1e-12);
}

/* R's t.test(extra ~ group, sleep): t = 1.8608, 17.776 degrees of freedom, p = 0.07939, interval
 * -0.2055 to 3.3655. */
static void others_are_compared_by_welch(void **state)
{
    (void)state;
    struct contrast c = compare(first, second, &apart);
    assert_int_equal(c.observations, 2 * N);
    near(c.difference, 1.58, 1e-12);
    near(c.half_width, 1.7854832, 1e-6);
    near(c.chance, 0.07939, 1e-5);
}

/* The means of five pairs, not ten values. */
static void an_antithetic_pair_is_one_observation(void **state)
{
    (void)state;
    double a[N / 2], b[N / 2];
    for (int i = 0; i < N / 2; i++) {
        a[i] = (first[2 * i] + first[2 * i + 1]) / 2;
        b[i] = (second[2 * i] + second[2 * i + 1]) / 2;
    }
    const struct pairing halves = {.paired = true, .n = {N / 2, N / 2}};
    struct contrast c = compare(first, second, &by_pair), expected = compare(a, b, &halves);
    assert_int_equal(c.observations, N / 2);
    near(c.difference, expected.difference, 1e-12);
    near(c.half_width, expected.half_width, 1e-12);
    near(c.chance, expected.chance, 1e-12);
    const struct pairing pairs = {.n = {N, N}, .antithetic = {true, true}};
    const struct pairing means = {.n = {N / 2, N / 2}};
    c = compare(first, second, &pairs);
    expected = compare(a, b, &means);
    assert_int_equal(c.observations, N);
    near(c.half_width, expected.half_width, 1e-12);
}

/* A replication without a value is no observation, and neither is its antithetic partner. */
static void what_one_replication_lacks_is_left_out(void **state)
{
    (void)state;
    double gap[N];
    memcpy(gap, second, sizeof gap);
    gap[3] = NAN;
    assert_int_equal(compare(first, gap, &by_number).observations, N - 1);
    assert_int_equal(compare(first, gap, &by_pair).observations, N / 2 - 1);
    assert_int_equal(compare(first, gap, &apart).observations, 2 * N - 1);
}

static void the_same_values_are_equal(void **state)
{
    (void)state;
    static const double gap[] = {1, NAN, 3}, close[] = {1, NAN, 3.0000000000000004};
    static const double level[] = {2, 2, 2, 2};
    const struct pairing three = {.paired = true, .n = {3, 3}}, uneven = {.n = {4, 2}};
    struct contrast c = compare(gap, gap, &three);
    assert_int_equal(c.verdict, VERDICT_EQUAL);
    assert_true(c.difference == 0.0 && c.relative == 0.0 && isnan(c.chance));
    assert_int_not_equal(compare(gap, close, &three).verdict, VERDICT_EQUAL);
    assert_int_equal(compare(level, level, &uneven).verdict, VERDICT_EQUAL);
    assert_int_not_equal(compare(first, first, &uneven).verdict, VERDICT_EQUAL);
}

static void one_file_may_lack_a_value(void **state)
{
    (void)state;
    static const double none[N] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct figure a = mean_of(first, N, false), b = mean_of(none, N, false);
    struct contrast c = {.label = ""};
    b.value = NAN;
    compare_figures(&a, &b, &by_number, 0.95, &c);
    assert_int_equal(c.verdict, VERDICT_ONLY_A);
    compare_figures(&b, &a, &by_number, 0.95, &c);
    assert_int_equal(c.verdict, VERDICT_ONLY_B);
    assert_true(isnan(c.difference) && isnan(c.chance));
    compare_figures(NULL, &a, &by_number, 0.95, &c);
    assert_int_equal(c.verdict, VERDICT_ONLY_B);
    near(c.value[FILE_B], 0.75, 1e-12);
    compare_figures(&a, NULL, &by_number, 0.95, &c);
    assert_int_equal(c.verdict, VERDICT_ONLY_A);
}

/* The difference shown is that of all values; how far the replications' own lie from it widens
 * their interval. */
static void quantiles_differ_by_those_of_all_values(void **state)
{
    (void)state;
    struct figure a = mean_of(first, N, false), b = mean_of(second, N, false);
    struct contrast c = {.label = ""};
    a.pooled = b.pooled = true;
    a.value = 1.0;
    b.value = 3.0;
    compare_figures(&a, &b, &by_number, 0.95, &c);
    near(c.difference, 2.0, 1e-12);
    /* Squares about 2: 9 s^2 + 10 (2 - 1.58)^2 with s = 1.2299955. */
    double s2 = (9 * 1.2299955 * 1.2299955 + 10 * 0.42 * 0.42) / 9;
    near(c.half_width, 2.262157163 * sqrt(s2 / 10), 1e-6);
    a.bound = 1.5;
    b.bound = 0.6;
    compare_figures(&a, &b, &by_number, 0.95, &c);
    assert_true(c.chance == 1.0 && c.bound == 2.1); /* buckets alone could do that */
}

static void a_single_replication_tells_nothing_of_chance(void **state)
{
    (void)state;
    const struct pairing one = {.paired = true, .n = {1, 1}};
    struct contrast c = compare(first, second, &one);
    assert_true(isnan(c.chance) && isinf(c.half_width));
    compare_judge(&c, 1, 0.95);
    assert_int_equal(c.verdict, VERDICT_UNKNOWN);
}

/* Of three, 0.01 and 0.02 are beyond chance (0.03 and 0.04 are below 0.05, and 0.2 is not);
 * with a fourth of 0.9 the second is no more (0.06). */
static void many_are_judged_together(void **state)
{
    (void)state;
    struct contrast c[] = {
        {.label = "d", .verdict = VERDICT_EQUAL, .chance = NAN},
        {.label = "c", .verdict = VERDICT_WITHIN, .chance = 0.2},
        {.label = "b", .verdict = VERDICT_WITHIN, .chance = 0.02},
        {.label = "a", .verdict = VERDICT_WITHIN, .chance = 0.01},
        {.label = "e", .verdict = VERDICT_WITHIN, .chance = NAN},
    };
    struct contrast more[] = {
        c[1], c[2], c[3], {.label = "f", .verdict = VERDICT_WITHIN, .chance = 0.9}};
    compare_judge(c, 5, 0.95);
    static const char *const order[] = {"a", "b", "e", "c", "d"};
    for (int i = 0; i < 5; i++) {
        assert_string_equal(c[i].label, order[i]);
    }
    near(c[0].corrected, 0.03, 1e-12);
    near(c[1].corrected, 0.04, 1e-12);
    near(c[3].corrected, 0.2, 1e-12);
    assert_true(c[0].verdict == VERDICT_BEYOND && c[1].verdict == VERDICT_BEYOND);
    assert_true(c[2].verdict == VERDICT_UNKNOWN && c[3].verdict == VERDICT_WITHIN);
    compare_judge(more, 4, 0.95);
    assert_true(more[0].verdict == VERDICT_BEYOND && more[1].verdict == VERDICT_WITHIN);
    near(more[1].corrected, 0.06, 1e-12);
}

/* Points come in order; what has no spread goes by its size. */
static void the_most_telling_comes_first(void **state)
{
    (void)state;
    struct contrast c[] = {
        {.label = "a", .match = 1, .verdict = VERDICT_WITHIN, .chance = 0.0, .relative = 0.1},
        {.label = "b", .match = 1, .verdict = VERDICT_WITHIN, .chance = 0.0, .relative = -0.5},
        {.label = "c", .match = 0, .verdict = VERDICT_WITHIN, .chance = 0.9},
    };
    compare_judge(c, 3, 0.95);
    assert_string_equal(c[0].label, "c");
    assert_string_equal(c[1].label, "b");
    assert_string_equal(c[2].label, "a");
}

/* Two samples of one law, 40 statistics each: by themselves 5 % have intervals without 0, but in
 * no more than 5 % of 1000 tables is anything beyond chance (the bounds are 3.5 sigma). */
static void chance_alone_is_seldom_beyond_chance(void **state)
{
    (void)state;
    enum { TABLES = 1000, ROWS = 40 };
    int tables = 0, outside = 0;
    for (uint64_t t = 0; t < TABLES; t++) {
        struct contrast c[ROWS];
        for (uint64_t i = 0; i < ROWS; i++) {
            double value[FILES][N];
            for (uint64_t r = 0; r < 2 * N; r++) {
                double sum = 0.0;
                for (uint64_t k = 0; k < 12; k++) {
                    sum += (double)(hash_pair(t * ROWS + i, 12 * r + k) >> 11) * 0x1p-53;
                }
                value[r % 2][r / 2] = sum;
            }
            c[i] = compare(value[FILE_A], value[FILE_B], t % 2 ? &apart : &by_number);
            outside += c[i].half_width < fabs(c[i].difference);
        }
        compare_judge(c, ROWS, 0.95);
        tables += c[0].verdict == VERDICT_BEYOND;
    }
    near(outside, 0.05 * TABLES * ROWS, 3.5 * sqrt(TABLES * ROWS * 0.05 * 0.95));
    assert_true(tables < 0.05 * TABLES + 3.5 * sqrt(TABLES * 0.05 * 0.95));
    assert_true(tables > 0); /* or nothing could ever be found */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paired_values_are_compared_by_their_differences),
        cmocka_unit_test(others_are_compared_by_welch),
        cmocka_unit_test(an_antithetic_pair_is_one_observation),
        cmocka_unit_test(what_one_replication_lacks_is_left_out),
        cmocka_unit_test(the_same_values_are_equal),
        cmocka_unit_test(one_file_may_lack_a_value),
        cmocka_unit_test(quantiles_differ_by_those_of_all_values),
        cmocka_unit_test(a_single_replication_tells_nothing_of_chance),
        cmocka_unit_test(many_are_judged_together),
        cmocka_unit_test(the_most_telling_comes_first),
        cmocka_unit_test(chance_alone_is_seldom_beyond_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
