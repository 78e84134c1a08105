/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/balance.h"

static uint32_t load_of(uint32_t i, void *context)
{
    return ((const uint32_t *)context)[i];
}

static struct rng_stream stream_of(uint64_t seed)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed});
    return s;
}

enum { DRAWS = 120000 };

/* Chi-square of the picks against shares given in percent. */
static double misfit(enum balance kind, uint32_t n, uint32_t *loads, const double *percent,
                     uint64_t seed)
{
    struct rng_stream s = stream_of(seed);
    uint32_t turn = 0, picked[16] = {0};
    for (int i = 0; i < DRAWS; i++) {
        picked[balance_pick(kind, n, &turn, load_of, loads, &s)]++;
    }
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        double expected = DRAWS * percent[i] / 100.0, off = picked[i] - expected;
        if (expected == 0.0) {
            assert_int_equal(picked[i], 0);
            continue;
        }
        sum += off * off / expected;
    }
    return sum;
}

static void words_follow_the_enum(void **state)
{
    (void)state;
    assert_string_equal(balance_words[BALANCE_ROUND_ROBIN], "round_robin");
    assert_string_equal(balance_words[BALANCE_RANDOM], "random");
    assert_string_equal(balance_words[BALANCE_LEAST_OUTSTANDING], "least_outstanding");
    assert_string_equal(balance_words[BALANCE_POWER_OF_TWO], "power_of_two_choices");
    assert_null(balance_words[BALANCE_POWER_OF_TWO + 1]);
}

static void round_robin_takes_turns(void **state)
{
    (void)state;
    struct rng_stream s = stream_of(1);
    uint32_t turn = 0, loads[3] = {9, 0, 0};
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t pick = balance_pick(BALANCE_ROUND_ROBIN, 3, &turn, load_of, loads, &s);
        assert_int_equal(pick, i % 3);
    }
    turn = UINT32_MAX; /* a turn from somewhere else begins anew */
    assert_int_equal(balance_pick(BALANCE_ROUND_ROBIN, 3, &turn, load_of, loads, &s), 0);
    assert_int_equal(balance_pick(BALANCE_ROUND_ROBIN, 3, &turn, load_of, loads, &s), 1);
    assert_int_equal(s.drawn, 0);
}

static void one_instance_needs_no_draw(void **state)
{
    (void)state;
    struct rng_stream s = stream_of(2);
    uint32_t turn = 0, loads[1] = {5};
    for (int kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_POWER_OF_TWO; kind++) {
        assert_int_equal(balance_pick(kind, 1, &turn, load_of, loads, &s), 0);
    }
    assert_int_equal(s.drawn, 0);
}

/* Limits of chi-square: probability 0.001 to exceed, by degrees of freedom. */
static const double limit[] = {0.0, 10.828, 13.816, 16.266, 18.467};

static void random_is_uniform(void **state)
{
    (void)state;
    uint32_t loads[5] = {0, 7, 1, 9, 2};
    double even[5] = {20, 20, 20, 20, 20};
    assert_true(misfit(BALANCE_RANDOM, 5, loads, even, 3) < limit[4]);
}

static void least_outstanding_breaks_ties_from_a_random_start(void **state)
{
    (void)state;
    /* From start 2 or 3 the first idle one is 3: it gets twice the share. */
    uint32_t loads[4] = {1, 1, 4, 1}, one[4] = {3, 3, 0, 3};
    double shares[4] = {25, 25, 0, 50}, all[4] = {0, 0, 100, 0};
    assert_true(misfit(BALANCE_LEAST_OUTSTANDING, 4, loads, shares, 4) < limit[2]);
    assert_true(misfit(BALANCE_LEAST_OUTSTANDING, 4, one, all, 5) == 0.0);
}

static void least_outstanding_finds_the_minimum(void **state)
{
    (void)state;
    struct rng_stream s = stream_of(6), chance = stream_of(7);
    for (int round = 0; round < 5000; round++) {
        uint32_t n = 2 + (uint32_t)rng_below(&chance, 12), turn = 0, loads[13], least = UINT32_MAX;
        for (uint32_t i = 0; i < n; i++) {
            loads[i] = (uint32_t)rng_below(&chance, 6);
            least = loads[i] < least ? loads[i] : least;
        }
        uint32_t i = balance_pick(BALANCE_LEAST_OUTSTANDING, n, &turn, load_of, loads, &s);
        assert_true(i < n);
        assert_int_equal(loads[i], least);
    }
}

static void two_choices_compare_distinct_ones(void **state)
{
    (void)state;
    /* Of n by rank of load, rank r (from 0) wins the n - 1 - r pairs with those above it. */
    uint32_t loads[4] = {2, 9, 0, 5}, equal[4] = {3, 3, 3, 3};
    double shares[4] = {200.0 / 6, 0, 50, 100.0 / 6}, even[4] = {25, 25, 25, 25};
    assert_true(misfit(BALANCE_POWER_OF_TWO, 4, loads, shares, 8) < limit[2]);
    assert_true(misfit(BALANCE_POWER_OF_TWO, 4, equal, even, 9) < limit[3]);
    uint32_t two[2] = {1, 0};
    double second[2] = {0, 100};
    assert_true(misfit(BALANCE_POWER_OF_TWO, 2, two, second, 10) == 0.0);
}

/* Of n by rank of load, rank r (from 0) is the least of d drawn with C(n - 1 - r, d - 1) of C(n,
 * d).
 */
static void more_choices_compare_distinct_ones(void **state)
{
    (void)state;
    uint32_t loads[5] = {4, 0, 3, 1, 2}, picked[5] = {0};
    const double shares[5] = {0, 0.6, 0, 0.3, 0.1};
    struct rng_stream s = stream_of(12);
    for (int i = 0; i < DRAWS; i++) {
        picked[balance_choose(5, 3, load_of, loads, &s)]++;
    }
    double sum = 0.0;
    for (int i = 0; i < 5; i++) {
        double off = picked[i] - DRAWS * shares[i];
        assert_true(shares[i] > 0.0 || picked[i] == 0);
        sum += shares[i] > 0.0 ? off * off / (DRAWS * shares[i]) : 0.0;
    }
    assert_true(sum < limit[2]);
    for (uint32_t d = 5; d <= BALANCE_MOST_CHOICES; d++) {
        assert_int_equal(balance_choose(5, d, load_of, loads, &s), 1); /* all of them */
    }
}

/* Among equals, the first drawn: every one as often. */
static void ties_go_to_the_first_drawn(void **state)
{
    (void)state;
    uint32_t equal[4] = {7, 7, 7, 7}, picked[4] = {0};
    struct rng_stream s = stream_of(13), same = stream_of(13);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t first = (uint32_t)rng_below(&same, 4);
        rng_below(&same, 3);
        rng_below(&same, 2);
        assert_int_equal(balance_choose(4, 3, load_of, equal, &s), first);
        picked[first]++;
    }
    assert_true(picked[0] > 0 && picked[1] > 0 && picked[2] > 0 && picked[3] > 0);
}

static uint32_t note_question(uint32_t i, void *context)
{
    (void)i;
    *(bool *)context = true;
    return 0;
}

/* A balance asks for loads if and only if it says so. */
static void who_needs_loads_asks_for_them(void **state)
{
    (void)state;
    for (int kind = 0; balance_words[kind]; kind++) {
        bool asked = false;
        uint32_t turn = 0;
        struct rng_stream s = stream_of(11);
        for (int i = 0; i < 100; i++) {
            balance_pick((enum balance)kind, 5, &turn, note_question, &asked, &s);
        }
        assert_int_equal(asked, balance_needs_loads((enum balance)kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_follow_the_enum),
        cmocka_unit_test(round_robin_takes_turns),
        cmocka_unit_test(one_instance_needs_no_draw),
        cmocka_unit_test(random_is_uniform),
        cmocka_unit_test(least_outstanding_breaks_ties_from_a_random_start),
        cmocka_unit_test(least_outstanding_finds_the_minimum),
        cmocka_unit_test(two_choices_compare_distinct_ones),
        cmocka_unit_test(more_choices_compare_distinct_ones),
        cmocka_unit_test(ties_go_to_the_first_drawn),
        cmocka_unit_test(who_needs_loads_asks_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
