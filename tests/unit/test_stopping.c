/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "stats/stopping.h"

static void near(double value, double golden)
{
    if (!(fabs(value - golden) <= 1e-9 * fabs(golden))) {
        fail_msg("%.12g is not %.12g", value, golden);
    }
}

static struct stopping opened(uint64_t min, uint64_t max, bool pairs, struct stopping_rule rule)
{
    struct stopping s;
    stopping_open(&s, &(struct stopping_plan){
                          .min = min, .max = max, .pairs = pairs, .n_rules = 1, .rules = &rule});
    return s;
}

static enum stopping_answer put(struct stopping *s, uint64_t replication, double value)
{
    return stopping_put(s, replication, &value);
}

/* 10, 12, 10, 12, ...: of an even number n the mean is 11 and s^2 = n / (n - 1), so that the
 * half-width is t / sqrt(n - 1): 1.837, 1.150 and 0.894 of 4, 6 and 8 values (t 3.182, 2.571 and
 * 2.365). Of 5 values it is 1.360, of 7 it is 0.989. */
static void test_the_least_number_at_which_the_rule_holds(void **state)
{
    (void)state;
    static const struct {
        double half_width, relative;
        uint64_t n;
    } golden[] = {{1.9, 0, 4}, {1.37, 0, 5}, {1.35, 0, 6},  {1.0, 0, 7},
                  {0.9, 0, 8}, {0, 0.1, 7},  {0.5, 0.1, 7}, {1.9, 0.001, 4}};
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        struct stopping s = opened(4, 100, false,
                                   (struct stopping_rule){.half_width = golden[i].half_width,
                                                          .relative = golden[i].relative,
                                                          .confidence = 0.95});
        for (uint64_t r = 0; r < 20; r++) {
            enum stopping_answer wanted = r + 1 < golden[i].n ? STOPPING_MORE : STOPPING_MET;
            assert_int_equal(put(&s, r, r % 2 ? 12 : 10), wanted);
        }
        assert_int_equal(s.seen.n, golden[i].n);
        assert_int_equal(stopping_wanted(&s), golden[i].n);
        stopping_close(&s);
    }
}

static void test_needs_are_predicted_from_the_half_width(void **state)
{
    (void)state;
    struct stopping s = opened(4, 1000, false, (struct stopping_rule){0.1, 0, 0.95, false});
    for (uint64_t r = 0; r < 4; r++) {
        assert_int_equal(stopping_wanted(&s), 4);
        put(&s, r, r % 2 ? 12 : 10);
    }
    near(stopping_half_width(&s, 0), 3.18244630528371 / sqrt(3));
    assert_int_equal(stopping_wanted(&s), 1000); /* 4 (1.837 / 0.1)^2 = 1350 */
    for (uint64_t r = 4; r < 8; r++) {
        put(&s, r, r % 2 ? 12 : 10);
    }
    assert_int_equal(stopping_wanted(&s), 640); /* 8 (0.894 / 0.1)^2 = 639.1 */
    stopping_close(&s);
    s = opened(4, 1000, true, (struct stopping_rule){1.05, 0, 0.95, false});
    for (uint64_t r = 0; r < 8; r++) {
        put(&s, r, r / 2 % 2 ? 12 : 10);
    }
    assert_int_equal(stopping_wanted(&s), 26); /* 8 (1.837 / 1.05)^2 = 24.5, in whole pairs */
    stopping_close(&s);
}

/* The next one is always wanted: 3 values of half-width 1.46 are expected to do with 4. */
static void test_at_least_one_more_is_wanted(void **state)
{
    (void)state;
    struct stopping s = opened(3, 1000, false, (struct stopping_rule){1.4, 0, 0.95, false});
    put(&s, 0, 10);
    put(&s, 1, 11);
    assert_int_equal(put(&s, 2, 10), STOPPING_MORE);
    assert_int_equal(stopping_wanted(&s), 4);
    stopping_close(&s);
}

static void test_the_most_is_the_end(void **state)
{
    (void)state;
    struct stopping s = opened(2, 5, false, (struct stopping_rule){1e-3, 0, 0.95, false});
    for (uint64_t r = 0; r < 5; r++) {
        assert_int_equal(put(&s, r, r % 2 ? 12 : 10), r < 4 ? STOPPING_MORE : STOPPING_MAX);
    }
    assert_int_equal(stopping_wanted(&s), 5);
    assert_int_equal(put(&s, 5, 11), STOPPING_MAX);
    stopping_close(&s);
    /* If the rule holds just then, it is met. */
    s = opened(5, 5, false, (struct stopping_rule){1.37, 0, 0.95, false});
    for (uint64_t r = 0; r < 5; r++) {
        put(&s, r, r % 2 ? 12 : 10);
    }
    assert_int_equal(s.answer, STOPPING_MET);
    stopping_close(&s);
    stopping_open(&s, &(struct stopping_plan){.min = 2, .max = 9});
    assert_int_equal(stopping_put(&s, 1, NULL), STOPPING_MORE);
    assert_int_equal(stopping_put(&s, 0, NULL), STOPPING_MET);
    stopping_close(&s);
}

/* A mean of 0 has no relative half-width, however small the spread. */
static void test_a_mean_of_zero(void **state)
{
    (void)state;
    struct stopping s = opened(2, 50, false, (struct stopping_rule){0, 0.1, 0.95, false});
    for (uint64_t r = 0; r < 49; r++) {
        assert_int_equal(put(&s, r, 0.0), STOPPING_MORE);
    }
    assert_int_equal(stopping_wanted(&s), 50);
    assert_int_equal(put(&s, 49, 0.0), STOPPING_MAX);
    stopping_close(&s);
    s = opened(2, 50, false, (struct stopping_rule){0.01, 0.1, 0.95, false});
    put(&s, 0, 0.0);
    assert_int_equal(put(&s, 1, 0.0), STOPPING_MET);
    stopping_close(&s);
}

/* Wilson's interval of 0 of n is [0, z^2 / (n + z^2)], 0.1 wide first at n = 35; of n / 2 of n its
 * half-width is z / 2 / sqrt(n + z^2), 0.1 first at n = 93 (and 0.1 is for n = 92.2). */
static void test_shares(void **state)
{
    (void)state;
    struct stopping s = opened(2, 1000, false, (struct stopping_rule){0.05, 0, 0.95, true});
    uint64_t r = 0;
    while (put(&s, r++, 0.0) == STOPPING_MORE) {}
    assert_int_equal(r, 35);
    near(stopping_half_width(&s, 0), 0.5 * 3.84145882069412 / (35 + 3.84145882069412));
    stopping_close(&s);
    s = opened(2, 1000, false, (struct stopping_rule){0.1, 0, 0.95, true});
    for (r = 0; put(&s, r, (double)(r % 2)) == STOPPING_MORE; r++) {}
    assert_true(r + 1 == 93 && fabs(stopping_mean(&s, 0) - 46.0 / 93) < 1e-12);
    stopping_close(&s);
}

/* Means of pairs 11, 13, 11, 13, ... of values that are far apart. */
static void test_pairs(void **state)
{
    (void)state;
    struct stopping s = opened(8, 100, true, (struct stopping_rule){1.16, 0, 0.95, false});
    uint64_t r = 0;
    while (put(&s, r, (r % 2 ? 20.0 : 2.0) + (r / 2 % 2 ? 2.0 : 0.0)) == STOPPING_MORE) {
        r++;
    }
    assert_int_equal(r + 1, 12); /* six pairs */
    near(stopping_mean(&s, 0), 12);
    near(stopping_half_width(&s, 0), 2.57058183563631 / sqrt(5));
    stopping_close(&s);
    s = opened(7, 100, true, (struct stopping_rule){20, 0, 0.95, false});
    for (r = 0; put(&s, r, 1.0) == STOPPING_MORE; r++) {}
    assert_int_equal(r + 1, 8); /* not in the middle of a pair */
    stopping_close(&s);
    s = opened(2, 7, true, (struct stopping_rule){1e-9, 0, 0.95, false});
    for (r = 0; put(&s, r, (double)r) == STOPPING_MORE; r++) {}
    assert_true(r + 1 == 7 && s.seen.column[0].of.n == 3); /* the last has no other */
    stopping_close(&s);
}

/* A replication without a value is a replication, and no observation; nor is its pair. */
static void test_replications_without_a_value(void **state)
{
    (void)state;
    struct stopping s = opened(4, 100, false, (struct stopping_rule){99, 0, 0.95, false});
    uint64_t r = 0;
    static const uint64_t wanted[] = {4, 4, 4, 6, 7, 7, 8};
    while (put(&s, r, r % 2 == 0 ? NAN : r % 4 == 1 ? 10 : 12) == STOPPING_MORE) {
        assert_int_equal(stopping_wanted(&s), wanted[r]);
        r++;
    }
    assert_true(r + 1 == 8 && s.seen.column[0].of.n == 4);
    stopping_close(&s);
    s = opened(4, 9, false, (struct stopping_rule){1.9, 0, 0.95, false});
    for (r = 0; r < 9; r++) {
        assert_int_equal(put(&s, r, NAN), r < 8 ? STOPPING_MORE : STOPPING_MAX);
        assert_true(isnan(stopping_mean(&s, 0)));
    }
    stopping_close(&s);
    s = opened(4, 100, true, (struct stopping_rule){20, 0, 0.95, false});
    for (r = 0; put(&s, r, r == 1 || r == 2 ? NAN : r < 6 ? 10 : 12) == STOPPING_MORE; r++) {}
    assert_true(r + 1 == 8 && s.seen.column[0].of.n == 2);
    stopping_close(&s);
    s = opened(2, 9, false, (struct stopping_rule){0, 0.5, 0.95, false});
    put(&s, 0, INFINITY);
    for (r = 1; r < 9; r++) {
        assert_int_equal(put(&s, r, 1.0), r < 8 ? STOPPING_MORE : STOPPING_MAX);
    }
    stopping_close(&s);
}

/* Each alone holds at other numbers, and not for good: of the first rule at 4 and again later. */
static void test_all_rules_hold_at_once(void **state)
{
    (void)state;
    static const struct stopping_rule rules[] = {
        {0.5, 0, 0.95, false}, {0, 0.5, 0.9, false}, {0.2, 0, 0.95, true}};
    static const double value[][3] = {{1, 5, 0},   {1.1, 0, 1}, {1, 1, 0},     {1.1, 2, 1},
                                      {9, 1, 0},   {1, 2, 1},   {1.1, 1.5, 0}, {1, 1.5, 1},
                                      {1.1, 2, 0}, {1, 1, 1},   {1, 1, 1}};
    uint64_t alone[3], together = 0;
    struct stopping s;
    for (int i = 0; i < 3; i++) {
        s = opened(3, 500, false, rules[i]);
        for (alone[i] = 0; alone[i] < 500; alone[i]++) {
            const double *row = alone[i] < 11 ? value[alone[i]] : value[5 + alone[i] % 4];
            if (put(&s, alone[i], row[i]) != STOPPING_MORE) {
                break;
            }
        }
        assert_int_equal(s.answer, STOPPING_MET);
        stopping_close(&s);
    }
    stopping_open(&s, &(struct stopping_plan){.min = 3, .max = 500, .n_rules = 3, .rules = rules});
    while (stopping_put(&s, together, together < 11 ? value[together] : value[5 + together % 4]) ==
           STOPPING_MORE) {
        together++;
    }
    assert_int_equal(s.answer, STOPPING_MET);
    assert_int_equal(alone[0] + 1, 3);
    for (uint32_t i = 0; i < 3; i++) {
        double goal = rules[i].half_width > 0 ? rules[i].half_width
                                              : rules[i].relative * stopping_mean(&s, i);
        assert_true(together > alone[i] && stopping_half_width(&s, i) <= goal);
    }
    stopping_close(&s);
}

static double value_of(uint64_t study, uint64_t replication)
{
    return replication % 13 == 5
               ? NAN
               : 1.0 - log(((double)(hash_pair(study, replication) >> 11) + 0.5) * 0x1p-53);
}

/* In any order the answer is that of the order of replications, and comes as soon as all before it
 * are there. */
static void test_the_order_of_values_does_not_matter(void **state)
{
    (void)state;
    enum { MOST = 300 };
    for (uint64_t study = 0; study < 400; study++) {
        struct stopping_rule rule = {0, 0.05 + (double)(study % 7) * 0.05, 0.9, false};
        struct stopping a = opened(2 + study % 9, MOST, study % 2, rule), b = a;
        b = opened(2 + study % 9, MOST, study % 2, rule);
        for (uint64_t r = 0; r < MOST; r++) {
            put(&a, r, value_of(study, r));
        }
        uint64_t order[MOST], missing = a.seen.n;
        for (uint64_t i = 0; i < MOST; i++) { /* Fisher and Yates */
            uint64_t j = hash_pair(~study, i) % (i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (uint64_t i = 0; i < MOST; i++) {
            enum stopping_answer got = put(&b, order[i], value_of(study, order[i]));
            if (i % 3 == 0) { /* what comes twice changes nothing */
                put(&b, order[i], 1e9);
            }
            missing -= order[i] < a.seen.n;
            assert_int_equal(got, missing ? STOPPING_MORE : a.answer);
        }
        assert_int_equal(a.seen.n, b.seen.n);
        assert_true(stopping_mean(&a, 0) == stopping_mean(&b, 0));
        assert_true(stopping_half_width(&a, 0) == stopping_half_width(&b, 0));
        stopping_close(&a);
        stopping_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least_number_at_which_the_rule_holds),
        cmocka_unit_test(test_needs_are_predicted_from_the_half_width),
        cmocka_unit_test(test_at_least_one_more_is_wanted),
        cmocka_unit_test(test_the_most_is_the_end),
        cmocka_unit_test(test_a_mean_of_zero),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_replications_without_a_value),
        cmocka_unit_test(test_all_rules_hold_at_once),
        cmocka_unit_test(test_the_order_of_values_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
