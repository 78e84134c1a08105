/* SPDX-License-Identifier: Apache-2.0
 *
 * DAGOR window by window, and before a queue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/admission.h"
#include "support/choice.h"

#define MS(x) ((sim_time)((x)*1e6 + 0.5)) /* [ns] */

static struct dagor dagor;
static struct dagor_state place;

/* Reads one, and forgets what was. */
static void begin(const char *text)
{
    struct admission a;
    assert_true(choice_read(&admission_choice, text, &a));
    dagor = a.dagor;
    place = (struct dagor_state){0};
}

/* The first request number of a class, from `id` on, that has this place among its users. */
static uint64_t request_of(enum priority class_, uint32_t user, uint64_t id)
{
    while (dagor_level(&dagor, 0, class_, id) != class_ * DAGOR_USERS + user) {
        id++;
    }
    return id;
}

/* So many of each user's place of a class come; how many are admitted. */
static uint32_t come(sim_time now, enum priority class_, uint32_t each)
{
    uint32_t admitted = 0;
    for (uint32_t user = 0; user < DAGOR_USERS; user++) {
        uint64_t id = request_of(class_, user, 1);
        for (uint32_t i = 0; i < each; i++) {
            admitted += dagor_admits(&dagor, &place, now, class_, id);
        }
    }
    return admitted;
}

static void defaults_are_as_published(void **state)
{
    (void)state;
    begin("a: dagor");
    assert_true(dagor.threshold == MS(20) && dagor.window == MS(1000));
    assert_true(dagor.window_requests == 2000 && dagor.alpha == 0.05 && dagor.beta == 0.01);
    assert_true(dagor.reshuffle == MS(3600e3));
    static const char *const wrong[] = {"a: {dagor: {window: 0s}}", "a: {dagor: {alpha: 2}}",
                                        "a: {dagor: {window_requests: 0}}",
                                        "a: {dagor: {reshuffle: 0s}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct admission a;
        assert_false(choice_read(&admission_choice, wrong[i], &a));
    }
}

/* 100 of each class and place. */
static void overload_closes_the_lowest(void **state)
{
    (void)state;
    begin("a: {dagor: {window_requests: 1000000}}");
    for (int class_ = 0; class_ < PRIORITIES; class_++) {
        assert_int_equal(come(0, class_, 100), 12800);
    }
    dagor_begins(&place, MS(20));
    dagor_begins(&place, MS(20) + 1);
    /* 5 % of 38400 are 1920: 19.2 places. */
    assert_int_equal(come(MS(1000), PRIORITY_LOW, 100), 10800);
    assert_int_equal(place.closed, 20);
    assert_int_equal(come(MS(1999), PRIORITY_HIGH, 100), 12800);
    dagor_begins(&place, MS(20)); /* not above */
    /* 1 % of 25600 are 256: 2.56 places. */
    assert_int_equal(come(MS(2000), PRIORITY_LOW, 100), 11100);
    assert_int_equal(place.closed, 17);
    /* Some were admitted and none served: as before. */
    assert_int_equal(come(MS(3000), PRIORITY_LOW, 100), 11100);
    /* 5 % of 11100 are 5.55 places. */
    dagor_begins(&place, MS(21));
    assert_int_equal(come(MS(4000), PRIORITY_LOW, 1), 105);
    assert_int_equal(come(MS(4000), PRIORITY_HIGH, 1), 128);
}

static void windows_end_with_enough_requests(void **state)
{
    (void)state;
    begin("a: {dagor: {window_requests: 128}}");
    assert_int_equal(come(0, PRIORITY_NORMAL, 1), 128);
    dagor_begins(&place, MS(100));
    /* All of the low ones, of which none came, and 6.4 places. */
    assert_int_equal(come(0, PRIORITY_NORMAL, 1), 121);
    assert_int_equal(place.closed, 135);
}

static void all_may_be_refused_and_admitted_again(void **state)
{
    (void)state;
    begin("a: {dagor: {alpha: 100%, beta: 100%}}");
    assert_int_equal(come(0, PRIORITY_HIGH, 1), 128);
    dagor_begins(&place, MS(100));
    assert_int_equal(come(MS(1000), PRIORITY_HIGH, 1), 0);
    assert_int_equal(come(MS(2000), PRIORITY_HIGH, 1), 128);
}

/* A request keeps its place for an hour, whatever its class; every place is as probable. */
static void places_are_dealt_evenly(void **state)
{
    (void)state;
    begin("a: dagor");
    uint32_t n[DAGOR_USERS] = {0};
    uint32_t moved = 0;
    for (uint64_t id = 0; id < 128000; id++) {
        uint32_t level = dagor_level(&dagor, 0, PRIORITY_NORMAL, id);
        assert_in_range(level, DAGOR_USERS, 2 * DAGOR_USERS - 1);
        n[level - DAGOR_USERS]++;
        assert_int_equal(dagor_level(&dagor, MS(3600e3) - 1, PRIORITY_HIGH, id),
                         level - DAGOR_USERS);
        moved += dagor_level(&dagor, MS(3600e3), PRIORITY_NORMAL, id) != level;
    }
    for (uint32_t user = 0; user < DAGOR_USERS; user++) {
        assert_in_range(n[user], 860, 1140); /* 4.5 deviations */
    }
    assert_true(moved > 126000);
}

/* One worker of 1 ms; half as many again come, evenly, a third of each class. */
static void overload_is_shed_from_below(void **state)
{
    (void)state;
    begin("a: dagor");
    enum { N = 90000 };
    sim_time free = 0;
    uint32_t admitted[PRIORITIES] = {0};
    sim_time longest = 0;
    for (uint64_t i = 0; i < N; i++) {
        sim_time now = (sim_time)i * 666667;
        enum priority class_ = i % 3;
        if (!dagor_admits(&dagor, &place, now, class_, i)) {
            continue;
        }
        sim_time begins = free > now ? free : now;
        dagor_begins(&place, begins - now);
        free = begins + MS(1);
        if (i >= N / 2) {
            admitted[class_]++;
            longest = begins - now > longest ? begins - now : longest;
        }
    }
    /* What one worker can do in that time is N / 3. The cursor swings, as the queue of before is
     * still waited for; but never up to those of the highest class. */
    assert_int_equal(admitted[PRIORITY_HIGH], N / 6);
    assert_in_range(admitted[PRIORITY_NORMAL], N / 6 * 0.8, N / 6);
    assert_in_range(admitted[PRIORITY_LOW], 0, N / 6 * 0.15);
    assert_in_range(admitted[PRIORITY_NORMAL] + admitted[PRIORITY_LOW], N / 6 * 0.85, N / 6);
    assert_in_range(longest, MS(20), MS(500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_published),
        cmocka_unit_test(overload_closes_the_lowest),
        cmocka_unit_test(windows_end_with_enough_requests),
        cmocka_unit_test(all_may_be_refused_and_admitted_again),
        cmocka_unit_test(places_are_dealt_evenly),
        cmocka_unit_test(overload_is_shed_from_below),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
