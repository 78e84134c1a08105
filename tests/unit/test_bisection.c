/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "stats/bisection.h"

typedef double response(uint64_t search, uint32_t level, uint64_t replication);

static double uniform(uint64_t a, uint64_t b)
{
    return ((double)(hash_pair(a, b) >> 11) + 0.5) * 0x1p-53;
}

/* Runs a search one replication after the other, and opens it. */
static void run(struct bisection *b, const struct bisection_plan *plan, response *value,
                uint64_t search)
{
    uint32_t level;
    uint64_t replication;
    bisection_open(b, plan);
    while (bisection_next(b, &level, &replication) == BISECTION_RUN) {
        bisection_put(b, level, replication, value(search, level, replication));
    }
    assert_int_equal(bisection_next(b, &level, &replication), BISECTION_DONE);
}

static void used_are(const struct bisection *b, const char *golden)
{
    char text[256] = "";
    for (uint32_t l = 0; l < b->plan.n_levels; l++) {
        uint64_t n = bisection_used(b, l);
        size_t at = strlen(text);
        if (n) {
            snprintf(text + at, sizeof text - at, "%u:%llu ", l, (unsigned long long)n);
        }
    }
    assert_string_equal(text, golden);
}

/* Certain responses: the level itself, give or take a little. */
static double plain(uint64_t search, uint32_t level, uint64_t replication)
{
    (void)search;
    return level + (replication % 2 ? 0.001 : -0.001);
}

static double turned_over(uint64_t search, uint32_t level, uint64_t replication)
{
    return -plain(search, level, replication);
}

static void test_halves_are_taken_until_levels_are_neighbours(void **state)
{
    (void)state;
    struct bisection b;
    struct bisection_plan plan = {
        .n_levels = 17, .target = 5.25, .confidence = 0.95, .min = 4, .max = 64};
    run(&b, &plan, plain, 0);
    used_are(&b, "0:4 4:4 5:4 6:4 8:4 16:4 ");
    assert_int_equal(b.answer.outcome, BISECTION_FOUND);
    assert_true(!b.answer.falling && b.answer.low == 5 && b.answer.high == 6);
    assert_true(fabs(b.answer.estimate - 5.25) < 1e-12);
    bisection_close(&b);
    plan.target = -5.25;
    run(&b, &plan, turned_over, 0);
    used_are(&b, "0:4 4:4 5:4 6:4 8:4 16:4 ");
    assert_int_equal(b.answer.outcome, BISECTION_FOUND);
    assert_true(b.answer.falling && b.answer.low == 5 && b.answer.high == 6);
    assert_true(fabs(b.answer.estimate - 5.25) < 1e-12);
    bisection_close(&b);
}

/* At the target itself no test can decide: level 8 takes 4, 8, ... 64, and both sides are refined,
 * the lower one first where they are run side by side. */
static void test_an_undecided_level_is_enclosed(void **state)
{
    (void)state;
    struct bisection b;
    struct bisection_plan plan = {
        .n_levels = 17, .target = 8, .confidence = 0.95, .min = 4, .max = 50};
    run(&b, &plan, plain, 0);
    used_are(&b, "0:4 4:4 6:4 7:4 8:50 9:4 10:4 12:4 16:4 ");
    assert_int_equal(b.answer.outcome, BISECTION_FOUND);
    assert_true(b.answer.low == 7 && b.answer.high == 9);
    assert_true(fabs(b.answer.estimate - 8) < 1e-12);
    assert_true(fabs(b.error - 0.05 / (9 * 5)) < 1e-15); /* 2 k + 1 levels, looks at 4 8 16 32 50 */
    bisection_close(&b);
}

static void test_the_ends_may_say_it_all(void **state)
{
    (void)state;
    static const struct {
        double target;
        enum bisection_outcome outcome;
        const char *used;
    } golden[] = {{-3, BISECTION_ABOVE, "0:4 16:4 "}, {99, BISECTION_BELOW, "0:4 16:4 "}};
    for (int i = 0; i < 2; i++) {
        struct bisection b;
        struct bisection_plan plan = {
            .n_levels = 17, .target = golden[i].target, .confidence = 0.95, .min = 4, .max = 64};
        run(&b, &plan, plain, 0);
        assert_int_equal(b.answer.outcome, golden[i].outcome);
        used_are(&b, golden[i].used);
        bisection_close(&b);
    }
}

/* An end that is undecided has nothing beyond it, and the search encloses the other side. */
static void test_an_end_may_be_the_threshold(void **state)
{
    (void)state;
    struct bisection b;
    struct bisection_plan plan = {
        .n_levels = 9, .target = 0, .confidence = 0.95, .min = 4, .max = 16};
    run(&b, &plan, plain, 0);
    used_are(&b, "0:16 1:4 2:4 4:4 8:4 ");
    assert_int_equal(b.answer.outcome, BISECTION_FOUND);
    assert_true(!b.answer.falling && b.answer.low == -1 && b.answer.high == 1);
    assert_true(fabs(b.answer.estimate) < 1e-12);
    bisection_close(&b);
    plan.target = -8;
    run(&b, &plan, turned_over, 0);
    used_are(&b, "0:4 4:4 6:4 7:4 8:16 ");
    assert_int_equal(b.answer.outcome, BISECTION_FOUND);
    assert_true(b.answer.falling && b.answer.low == 7 && b.answer.high == 9);
    assert_true(fabs(b.answer.estimate - 8) < 1e-12);
    bisection_close(&b);
    plan.n_levels = 2;
    plan.target = -0.5;
    run(&b, &plan, turned_over, 0);
    used_are(&b, "0:4 1:4 ");
    assert_true(b.answer.low == 0 && b.answer.high == 1 && b.answer.estimate == 0.5);
    bisection_close(&b);
}

static double flat(uint64_t search, uint32_t level, uint64_t replication)
{
    (void)level;
    if (search == 2) {
        return replication == 0 ? INFINITY : 5.0;
    }
    return search ? NAN : (double)(replication % 2);
}

static void test_two_undecided_ends_are_no_start(void **state)
{
    (void)state;
    /* At the target, without any value, and with an infinite one. */
    for (uint64_t search = 0; search < 3; search++) {
        struct bisection b;
        struct bisection_plan plan = {
            .n_levels = 9, .target = 0.5, .confidence = 0.95, .min = 4, .max = 16};
        run(&b, &plan, flat, search);
        assert_int_equal(b.answer.outcome, BISECTION_UNKNOWN);
        used_are(&b, "0:16 8:16 ");
        bisection_close(&b);
    }
}

/* Undecided in the middle, but above the target before it, and below it behind it. */
static double wavy(uint64_t search, uint32_t level, uint64_t replication)
{
    static const double mean[9] = {-1, -1, 1, 0, 0, 0, -1, 1, 1};
    (void)search;
    return mean[level] + (replication % 2 ? 0.001 : -0.001);
}

static void test_a_response_that_comes_back_is_told(void **state)
{
    (void)state;
    struct bisection b;
    struct bisection_plan plan = {
        .n_levels = 9, .target = 0, .confidence = 0.95, .min = 4, .max = 16};
    run(&b, &plan, wavy, 0);
    assert_int_equal(b.answer.outcome, BISECTION_CONTRARY);
    assert_true(b.answer.low == 0 && b.answer.high == 8);
    used_are(&b, "0:4 2:4 4:16 6:4 8:4 ");
    bisection_close(&b);
}

/* Means +-1 of deviation sqrt(4/3), standard error sqrt(1/3): Student's t with 3 degrees of freedom
 * is 4.8567 for an error of 0.05 / (3 * 2), so that 2.80400 from the target is enough, and 2.80398
 * is not. */
static double far_enough(uint64_t search, uint32_t level, uint64_t replication)
{
    double distance = search ? 2.80400 : 2.80398;
    if (level == 1) {
        return NAN;
    }
    return (level == 0 ? -distance : distance) + (replication % 2 ? 1.0 : -1.0);
}

static void test_means_are_judged_by_student(void **state)
{
    (void)state;
    for (uint64_t enough = 0; enough < 2; enough++) {
        struct bisection b;
        struct bisection_plan plan = {
            .n_levels = 3, .target = 0, .confidence = 0.95, .min = 4, .max = 8};
        run(&b, &plan, far_enough, enough);
        used_are(&b, enough ? "0:4 1:8 2:4 " : "0:8 1:8 2:8 ");
        bisection_close(&b);
    }
}

/* With 3 levels, 2 looks and an error of 0.05 / (3 * 2) for each look, at 16 replications 14 hits
 * of chance 1/2 are enough (P 0.0021) and 13 are not (0.0106). */
static double counted(uint64_t search, uint32_t level, uint64_t replication)
{
    uint64_t hits = level == 2 ? search : 16 - search;
    return replication < 16 ? replication < hits : level == 2;
}

static void test_shares_are_judged_by_the_binomial_law(void **state)
{
    (void)state;
    struct bisection b;
    struct bisection_plan plan = {
        .n_levels = 3, .target = 0.5, .proportion = true, .confidence = 0.95, .min = 16, .max = 32};
    run(&b, &plan, counted, 14);
    assert_int_equal(bisection_used(&b, 0), 16);
    assert_int_equal(bisection_used(&b, 2), 16);
    bisection_close(&b);
    run(&b, &plan, counted, 13);
    assert_int_equal(bisection_used(&b, 0), 32);
    assert_int_equal(bisection_used(&b, 2), 32);
    bisection_close(&b);
}

/* Means 0, 3, 1, 4 of levels 0, 1, 2, 4: 3 and 1, of 16 values each, are pooled to 2, which lies
 * between levels 1 and 2, and 2.5 is a quarter of the way from level 2 to level 4. */
static void test_the_estimate_is_that_of_isotonic_regression(void **state)
{
    (void)state;
    static const double mean[5] = {0, 3, 1, 0, 4};
    static const struct {
        double target, estimate;
    } golden[] = {{1, 0.5}, {2, 1.5}, {2.5, 2.5}};
    for (int g = 0; g < 3; g++) {
        struct bisection b;
        struct bisection_plan plan = {
            .n_levels = 5, .target = golden[g].target, .confidence = 0.95, .min = 4, .max = 16};
        bisection_open(&b, &plan);
        /* The noise leaves all inner levels undecided; level 3 gives no values. */
        for (uint64_t r = 0; r < 16; r++) {
            for (uint32_t l = 0; l < 5; l++) {
                double noise = l == 0 || l == 4 ? 0 : 20;
                bisection_put(&b, l, r, l == 3 ? NAN : mean[l] + (r % 2 ? noise : -noise));
            }
        }
        assert_int_equal(b.answer.outcome, BISECTION_FOUND);
        assert_true(b.answer.low == 0 && b.answer.high == 4);
        if (!(fabs(b.answer.estimate - golden[g].estimate) < 1e-12)) {
            fail_msg("%g", b.answer.estimate);
        }
        bisection_close(&b);
    }
}

struct golden {
    double mean[9], noise[9];
    int64_t low, high;
    double estimate;
    const char *used;
};

static const struct golden *golden_now;

static double golden_value(uint64_t search, uint32_t level, uint64_t replication)
{
    (void)search;
    double noise = golden_now->noise[level];
    return golden_now->mean[level] + (replication % 2 ? noise : -noise);
}

/* A level may be decided on the other side of one that is undecided: then that one is outside of
 * what is left, like the second of two that were run side by side. */
static void test_decisions_beside_an_undecided_level(void **state)
{
    (void)state;
    static const struct golden golden[] = {
        /* After at 2 and 6: the search goes on below 2. */
        {{-1, -1, 1, 0, 1, 0, 1, 0, 1},
         {0, 0, 0, 9, 9, 9, 0, 9, 0},
         1,
         2,
         1.5,
         "0:4 1:4 2:4 4:16 6:4 8:4 "},
        /* Before at 2 and 6: it goes on above 6. The regression pools level 4 (mean 5) with 6, 7
         * and 8 and passes the target before 4: what is nearest to it is left. */
        {{-1, -1, -1, 0, 5, 0, -1, 1, 1},
         {0, 0, 0, 9, 99, 9, 0, 0, 0},
         6,
         7,
         6,
         "0:4 2:4 4:16 6:4 7:4 8:4 "},
        /* Undecided at 4 and 2, after at 6. */
        {{-1, -1, 0, 0, 0, 1, 1, 1, 1},
         {0, 0, 9, 9, 9, 0, 0, 0, 0},
         1,
         5,
         3,
         "0:4 1:4 2:16 4:16 5:4 6:4 8:4 "},
    };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        struct bisection b;
        struct bisection_plan plan = {
            .n_levels = 9, .target = 0, .confidence = 0.95, .min = 4, .max = 16};
        golden_now = &golden[i];
        run(&b, &plan, golden_value, 0);
        used_are(&b, golden[i].used);
        assert_int_equal(b.answer.outcome, BISECTION_FOUND);
        assert_true(b.answer.low == golden[i].low && b.answer.high == golden[i].high);
        assert_true(fabs(b.answer.estimate - golden[i].estimate) < 1e-12);
        bisection_close(&b);
    }
}

/* Half of the searches with 0 and 1, half with exponential values; some have no value. */
static double noisy(uint64_t search, uint32_t level, uint64_t replication)
{
    double u = uniform(hash_pair(search, level), replication), place = 64.0 * uniform(search, 0);
    if (replication % 17 == search % 17) {
        return NAN;
    }
    double rise = ((double)level - place) / 8.0;
    rise = search % 4 < 2 ? rise : -rise;
    return search % 2 ? (u < 1.0 / (1.0 + exp(-rise)) ? 1.0 : 0.0) : rise - log(u);
}

static struct bisection_plan noisy_plan(uint64_t search)
{
    return (struct bisection_plan){.n_levels = 65,
                                   .target = search % 2 ? 0.5 : 1.0,
                                   .proportion = search % 2,
                                   .pairs = search % 3 == 0,
                                   .confidence = 0.9,
                                   .min = 7,
                                   .max = 200};
}

static void same_answers(const struct bisection *a, const struct bisection *b)
{
    assert_int_equal(a->answer.outcome, b->answer.outcome);
    assert_int_equal(a->answer.falling, b->answer.falling);
    assert_int_equal(a->answer.low, b->answer.low);
    assert_int_equal(a->answer.high, b->answer.high);
    assert_true(a->answer.estimate == b->answer.estimate);
    for (uint32_t l = 0; l < a->plan.n_levels; l++) {
        assert_int_equal(bisection_used(a, l), bisection_used(b, l));
    }
}

/* Goes on with a search with so many workers, who are done in random order; ends when
 * `most` values are put. */
static void work(struct bisection *b, uint64_t search, uint32_t n_workers, uint64_t order,
                 uint64_t most)
{
    struct {
        uint32_t level;
        uint64_t replication;
    } task[64];
    uint32_t n = 0;
    enum bisection_next next = BISECTION_RUN;
    for (uint64_t put = 0; put < most; put++) {
        while (n < n_workers &&
               (next = bisection_next(b, &task[n].level, &task[n].replication)) == BISECTION_RUN) {
            n++;
        }
        if (n == 0) {
            assert_int_equal(next, BISECTION_DONE);
            break;
        }
        uint32_t k = (uint32_t)(hash_pair(order, put) % n);
        bisection_put(b, task[k].level, task[k].replication,
                      noisy(search, task[k].level, task[k].replication));
        task[k] = task[--n];
    }
}

static void test_workers_do_not_matter(void **state)
{
    (void)state;
    uint64_t outcomes[8] = {0};
    for (uint64_t search = 0; search < 300; search++) {
        struct bisection_plan plan = noisy_plan(search);
        struct bisection a, b;
        run(&a, &plan, noisy, search);
        outcomes[a.answer.outcome]++;
        for (uint32_t n_workers = 1; n_workers <= 64; n_workers *= 4) {
            bisection_open(&b, &plan);
            work(&b, search, n_workers, hash_pair(search, n_workers), UINT64_MAX);
            same_answers(&a, &b);
            bisection_close(&b);
        }
        bisection_close(&a);
    }
    assert_true(outcomes[BISECTION_FOUND] > 200);
}

/* A search is stopped somewhere, and what it had is put in any order, with a few values that nobody
 * asked for, before it goes on; it runs nothing twice. */
static void test_known_values_do_not_matter(void **state)
{
    (void)state;
    for (uint64_t search = 0; search < 300; search++) {
        struct bisection_plan plan = noisy_plan(search);
        struct bisection a, b, c;
        run(&a, &plan, noisy, search);
        bisection_open(&b, &plan);
        work(&b, search, 5, search, hash_pair(3, search) % 1500);
        bisection_open(&c, &plan);
        for (uint64_t i = 0; i < 65 * 200; i++) {
            uint64_t at = (i * 7919) % (65 * 200);
            uint32_t level = (uint32_t)(at % 65), known = 0;
            uint64_t replication = at / 65;
            for (uint32_t k = 0; k < b.n_known; k++) {
                known |= b.levels[k].level == level &&
                         observations_known(&b.levels[k].values, replication);
            }
            if (known || hash_pair(search, at) % 20 == 0) {
                bisection_put(&c, level, replication, noisy(search, level, replication));
            }
        }
        uint32_t level;
        uint64_t replication, n = 0, used = 0;
        while (bisection_next(&c, &level, &replication) == BISECTION_RUN) {
            for (uint32_t k = 0; k < b.n_known; k++) {
                assert_false(b.levels[k].level == level &&
                             observations_known(&b.levels[k].values, replication));
            }
            bisection_put(&c, level, replication, noisy(search, level, replication));
            n++;
        }
        for (level = 0; level < 65; level++) {
            used += bisection_used(&a, level);
        }
        assert_true(n <= used);
        same_answers(&a, &c);
        bisection_close(&a);
        bisection_close(&b);
        bisection_close(&c);
    }
}

/* What is wanted is handed out once, and then waited for. */
static void test_what_is_under_way_is_waited_for(void **state)
{
    (void)state;
    struct bisection b;
    struct bisection_plan plan = {
        .n_levels = 5, .target = 2.5, .confidence = 0.95, .min = 3, .max = 64};
    uint32_t level;
    uint64_t replication;
    bisection_open(&b, &plan);
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(bisection_next(&b, &level, &replication), BISECTION_RUN);
        assert_true(level == (i < 3 ? 0 : 4) && replication == i % 3);
    }
    assert_int_equal(bisection_next(&b, &level, &replication), BISECTION_WAIT);
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(bisection_next(&b, &level, &replication), BISECTION_WAIT);
        bisection_put(&b, i < 3 ? 4 : 0, i % 3, plain(0, i < 3 ? 4 : 0, i % 3));
    }
    assert_int_equal(bisection_next(&b, &level, &replication), BISECTION_RUN);
    assert_true(level == 2 && replication == 0);
    bisection_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_are_taken_until_levels_are_neighbours),
        cmocka_unit_test(test_an_undecided_level_is_enclosed),
        cmocka_unit_test(test_the_ends_may_say_it_all),
        cmocka_unit_test(test_an_end_may_be_the_threshold),
        cmocka_unit_test(test_two_undecided_ends_are_no_start),
        cmocka_unit_test(test_a_response_that_comes_back_is_told),
        cmocka_unit_test(test_means_are_judged_by_student),
        cmocka_unit_test(test_decisions_beside_an_undecided_level),
        cmocka_unit_test(test_shares_are_judged_by_the_binomial_law),
        cmocka_unit_test(test_the_estimate_is_that_of_isotonic_regression),
        cmocka_unit_test(test_workers_do_not_matter),
        cmocka_unit_test(test_known_values_do_not_matter),
        cmocka_unit_test(test_what_is_under_way_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
