/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "stats/summary.h"

static void near(double value, double golden, double relative)
{
    if (!(fabs(value - golden) <= relative * fabs(golden))) {
        fail_msg("%.12g is not %.12g", value, golden);
    }
}

static void test_mean_and_variance(void **state)
{
    (void)state;
    static const double value[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct summary s = {0};
    assert_true(isnan(summary_variance(&s)) && isinf(summary_half_width(&s, 0.95)));
    for (int i = 0; i < 8; i++) {
        summary_add(&s, 1e9 + value[i]);
    }
    near(s.mean, 1e9 + 5, 1e-15);
    near(summary_variance(&s), 32.0 / 7, 1e-7); /* a sum of squares would have lost all digits */
    assert_true(s.min == 1e9 + 2 && s.max == 1e9 + 9);
}

/* The half width of values with variance n is Student's t itself. */
static void test_student(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        double t;
    } golden[] = {{10, 2.262157163}, {20, 2.093024054}, {30, 2.045229642}};
    for (int i = 0; i < 3; i++) {
        struct summary s = {.n = golden[i].n};
        s.squares = (double)(s.n * (s.n - 1));
        near(summary_half_width(&s, 0.95), golden[i].t, 1e-9);
    }
}

/* 95 % intervals hold the mean in 95 % of the cases: 20,000 cases of ten values of an unrelated
 * generator, sums of twelve uniforms. */
static void test_coverage(void **state)
{
    (void)state;
    enum { CASES = 20000 };
    int held = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        struct summary s = {0};
        for (uint64_t i = 0; i < 10; i++) {
            double sum = 0.0;
            for (uint64_t j = 0; j < 12; j++) {
                sum += (double)(hash_pair(k, 12 * i + j) >> 11) * 0x1p-53;
            }
            summary_add(&s, sum);
        }
        held += fabs(s.mean - 6.0) <= summary_half_width(&s, 0.95);
    }
    assert_true(fabs(held - 0.95 * CASES) < 3.5 * sqrt(CASES * 0.95 * 0.05));
}

/* e^U has a variance of 0.242; the means of antithetic pairs, (e^U + e^(1-U)) / 2, have one of
 * 0.0039 (midpoints of a grid stand for chance). */
static void test_pairs(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct summary single = {0}, pair = {0}, other = {0};
    for (int i = 0; i < N; i++) {
        double u = (i + 0.5) / N;
        summary_add(&single, exp(u));
        assert_true(summary_add_pair(&pair, exp(u), exp(1 - u)));
    }
    near(summary_variance(&single), 0.242035607, 1e-5);
    near(summary_variance(&pair), 0.003912497, 1e-5);
    near(pair.mean, expm1(1), 1e-9);
    assert_false(summary_add_pair(&other, NAN, 1) || summary_add_pair(&other, 1, NAN));
    assert_true(other.n == 0);
    near(summary_standard_error(&single), sqrt(0.242035607 / N), 1e-5);
    assert_true(isnan(summary_standard_error(&other)));
}

/* Student's own example of two soporifics given to the same ten people (1908): the mean of the
 * differences is 1.58, t is 4.0621 with 9 degrees of freedom, and the 95 % interval is 0.7001 to
 * 2.4599; of unpaired values it would hold 0. */
static void test_differences(void **state)
{
    (void)state;
    static const double first[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
    static const double second[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
    struct summary s = {0};
    for (int i = 0; i < 10; i++) {
        assert_true(summary_add_difference(&s, second[i], first[i]));
    }
    assert_false(summary_add_difference(&s, NAN, 1) || summary_add_difference(&s, 1, NAN));
    assert_true(s.n == 10);
    near(s.mean, 1.58, 1e-12);
    near(s.mean / summary_standard_error(&s), 4.0621, 1e-4);
    near(s.mean - summary_half_width(&s, 0.95), 0.7001142, 1e-6);
    near(s.mean + summary_half_width(&s, 0.95), 2.4598858, 1e-6);
}

/* Two samples of 15 whose variances differ; goldens by SciPy 1.10.1 (ttest_ind, equal_var=False).
 */
static void welch_compares_what_is_not_paired(void **state)
{
    (void)state;
    static const double first[] = {27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1,
                                   21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
    static const double second[] = {27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0,
                                    24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 31.4};
    struct summary a = {0}, b = {0}, none = {0}, level = {.n = 3, .mean = 2.0};
    for (int i = 0; i < 15; i++) {
        summary_add(&a, first[i]);
        summary_add(&b, second[i]);
    }
    struct estimate e = summary_welch(&b, &a);
    near(e.value, 3.3, 1e-12);
    near(e.error, 1.1197533742, 1e-9);
    near(e.degrees, 27.2720027554, 1e-9);
    near(estimate_half_width(&e, 0.95), 2.2964724047, 1e-8);
    near(estimate_chance(&e), 0.0065001606716, 1e-8);
    /* One side without spread leaves the other's degrees; none at all leaves no chance. */
    e = summary_welch(&b, &level);
    near(e.degrees, 14.0, 1e-12);
    e = summary_welch(&level, &level);
    assert_true(e.value == 0.0 && estimate_chance(&e) == 1.0);
    assert_true(estimate_half_width(&e, 0.95) == 0.0);
    level.mean = 1.0;
    e = summary_welch(&level, &(struct summary){.n = 3, .mean = 2.0});
    assert_true(e.value == -1.0 && estimate_chance(&e) == 0.0);
    summary_add(&none, 1.0);
    e = summary_welch(&b, &none);
    assert_true(isnan(estimate_chance(&e)) && isinf(estimate_half_width(&e, 0.95)));
}

/* The chance falls below 1 - confidence where the interval leaves 0 out, and nowhere else. */
static void the_chance_goes_with_the_interval(void **state)
{
    (void)state;
    for (int i = 1; i < 200; i++) {
        struct estimate e = {0.02 * i, 1.0, 7.3};
        assert_true((estimate_chance(&e) < 0.05) == (estimate_half_width(&e, 0.95) < e.value));
    }
}

/* Four become 4, 3, 2 and 1 times as large, but never smaller than the one before.
 */
static void holm_makes_up_for_many_looks(void **state)
{
    (void)state;
    double chance[] = {0.01, 0.011, 0.03, 0.04}, single = 0.5, large[] = {0.4, 0.9};
    summary_holm(chance, 4);
    near(chance[0], 0.04, 1e-12);
    near(chance[1], 0.04, 1e-12);
    near(chance[2], 0.06, 1e-12);
    near(chance[3], 0.06, 1e-12);
    summary_holm(&single, 1);
    summary_holm(large, 2);
    assert_true(single == 0.5 && large[0] == 0.8 && large[1] == 0.9);
}

/* 1, 2 and 3 lie sqrt(4 + 1 + 0) about 3. */
static void deviations_are_taken_from_another_value(void **state)
{
    (void)state;
    struct summary s = {0};
    for (int i = 1; i <= 3; i++) {
        summary_add(&s, i);
    }
    summary_about(&s, 3.0);
    assert_true(s.mean == 3.0 && s.n == 3);
    near(s.squares, 5.0, 1e-12);
}

static void test_the_binomial_law(void **state)
{
    (void)state;
    near(summary_at_most(0, 10, 0.5), 0x1p-10, 1e-12);
    near(summary_at_most(2, 16, 0.5), 137.0 / 65536, 1e-12);
    near(summary_at_most(1, 3, 0.1), 0.972, 1e-12);
    assert_true(summary_at_most(3, 3, 0.1) == 1.0);
}

static void test_quantile_ranks(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        double p;
        uint64_t low, high;
    } golden[] = {{100, 0.95, 90, 100},
                  {1000, 0.95, 936, 964},
                  {1000, 0.99, 983, 997},
                  {10000, 0.999, 9983, 9997}};
    uint64_t low, high;
    for (int i = 0; i < 4; i++) {
        assert_true(summary_quantile_ranks(golden[i].n, golden[i].p, 0.95, &low, &high));
        assert_true(low == golden[i].low && high == golden[i].high);
    }
    /* The median of five: rank 1 is above it with 1/32 > 2.5 %; of six with 1/64. */
    assert_false(summary_quantile_ranks(5, 0.5, 0.95, &low, &high));
    assert_true(summary_quantile_ranks(6, 0.5, 0.95, &low, &high));
    assert_true(low == 1 && high == 6);
    assert_false(summary_quantile_ranks(0, 0.5, 0.95, &low, &high));
    assert_false(summary_quantile_ranks(100, 0.99, 0.95, &low, &high));
    assert_true(summary_quantile_least(0.99, 0.95) == 299);
    assert_true(summary_quantile_least(0.999, 0.95) == 2995);
}

/* Ranks against sums of the binomial law itself. */
static void test_ranks_against_sums(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 60; n++) {
        for (int tenth = 1; tenth < 10; tenth++) {
            double p = tenth / 10.0, chance = pow(1 - p, (double)n), below = 0.0;
            uint64_t low = 0, high = n + 1, got_low, got_high;
            for (uint64_t k = 0; k <= n; k++) {
                below += chance; /* at most k */
                chance *= (double)(n - k) / (double)(k + 1) * p / (1 - p);
                low = below <= 0.025 ? k + 1 : low;
                high = below >= 0.975 && high == n + 1 ? k + 1 : high;
            }
            bool both = summary_quantile_ranks(n, p, 0.95, &got_low, &got_high);
            assert_true(got_low == low && got_high == high);
            assert_true(both == (low >= 1 && high <= n));
        }
    }
}

static void test_proportion(void **state)
{
    (void)state;
    struct interval i = summary_proportion(0, 100, 0.95);
    assert_true(i.low == 0.0);
    near(i.high, 0.036993498, 1e-8);
    i = summary_proportion(3, 100, 0.95);
    near(i.low, 0.010254524, 1e-7);
    near(i.high, 0.084519364, 1e-8);
    i = summary_proportion(0, 1000, 0.95);
    near(i.high, 0.003826758, 1e-6);
    i = summary_proportion(1000, 1000, 0.95);
    assert_true(i.high == 1.0);
    near(1.0 - i.low, 0.003826758, 1e-6);
    i = summary_proportion(0, 0, 0.95);
    assert_true(i.low == 0.0 && i.high == 1.0);
}

static void test_mser(void **state)
{
    (void)state;
    double y[1000], decay = 1.0;
    for (int i = 0; i < 1000; i++) {
        y[i] = 5.0 * decay + (double)((7919 * i) % 101) / 101.0;
        decay *= 0.98;
    }
    struct mser m = summary_mser5(y, 1000);
    assert_int_equal(m.cut, 200);
    near(m.statistic, 2.16743128e-5, 1e-8);
    near(m.mean, 0.499382371402, 1e-11);
    assert_false(m.unsteady);
    assert_true(isnan(summary_mser5(y, 9).statistic) && summary_mser5(y, 9).cut == 0);
    assert_true(summary_mser5(y, 0).cut == 0);
    assert_int_equal(summary_mser5(y, 1003 - 5).cut % 5, 0);
    static const double level[20] = {0};
    assert_int_equal(summary_mser5(level, 20).cut, 0);
}

/* What grows throughout is best cut as late as can be. */
static void what_never_becomes_steady_is_told(void **state)
{
    (void)state;
    double y[100];
    for (int i = 0; i < 100; i++) {
        y[i] = i;
    }
    assert_true(summary_mser5(y, 100).unsteady && summary_mser5(y, 100).cut == 50);
    assert_true(summary_mser5(y, MSER_LEAST - 1).unsteady);
    for (int i = 40; i < 100; i++) {
        y[i] = 40.0 + i % 5;
    }
    assert_false(summary_mser5(y, 100).unsteady);
    assert_false(summary_mser5(y + 40, MSER_LEAST).unsteady);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_and_variance),
        cmocka_unit_test(test_student),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_quantile_ranks),
        cmocka_unit_test(test_ranks_against_sums),
        cmocka_unit_test(test_proportion),
        cmocka_unit_test(test_mser),
        cmocka_unit_test(what_never_becomes_steady_is_told),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(welch_compares_what_is_not_paired),
        cmocka_unit_test(the_chance_goes_with_the_interval),
        cmocka_unit_test(holm_makes_up_for_many_looks),
        cmocka_unit_test(deviations_are_taken_from_another_value),
        cmocka_unit_test(test_the_binomial_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
