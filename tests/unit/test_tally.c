/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a study is, and how long the rest will take: from an agenda and what was done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "experiment/progress.h"
#include "experiment/tally.h"

static const double nothing[GOALS_MOST];

static void shards_divide_what_each_point_has(void **state)
{
    (void)state;
    for (uint32_t shards = 0; shards < 9; shards++) {
        for (uint32_t shard = shards > 0; shard <= shards; shard++) {
            struct agenda_plan plan = {
                .n_points = 7, .n_replications = 5, .shard = shard, .shards = shards};
            for (uint64_t p = 0; p < 7; p++) {
                uint64_t n = 0;
                for (uint64_t r = 0; r < 5; r++) {
                    n += agenda_has(&plan, 5 * p + r);
                }
                assert_int_equal(agenda_tasks_at(&plan, p), n);
            }
        }
    }
}

static void shards_take_points_whole_where_a_rule_decides(void **state)
{
    (void)state;
    const struct goals goals = {.n = 1};
    struct agenda_plan plan = {
        .n_points = 7, .n_replications = 5, .shard = 2, .shards = 3, .goals = &goals};
    for (uint64_t p = 0; p < 7; p++) {
        assert_int_equal(agenda_tasks_at(&plan, p), p % 3 == 1 ? 5 : 0);
    }
}

/* Three points of two replications, expected to cost 1, 2 and 10. */
static struct point items[] = {{.events = 100}, {.events = 200}, {.events = 1000}};
static const struct points points = {.items = items, .n = 3};

static struct agenda *open_agenda(struct tally *t)
{
    struct agenda *a = agenda_open(&(struct agenda_plan){.n_points = 3, .n_replications = 2});
    tally_open(t, a, &points);
    return a;
}

static void done(struct tally *t, struct agenda *a, uint64_t task, uint64_t events)
{
    agenda_put(a, task, nothing);
    tally_done(t, task / 2, RUN_OK, events);
}

static void remainders_go_by_the_point_and_else_by_what_was_expected(void **state)
{
    (void)state;
    struct remainder f;
    remainder_open(&f, &points, 3, 1);
    assert_true(isnan(remainder_next(&f, 0)));
    remainder_begun(&f, 1, 0.5, 150.0);
    assert_float_equal(remainder_next(&f, 2), 1500.0, 1e-9);
    remainder_done(&f, 1, 400.0);
    remainder_done(&f, 1, 600.0);
    remainder_done(&f, 1, 0.0); /* not really run */
    assert_float_equal(remainder_next(&f, 1), 500.0, 1e-9);
    assert_float_equal(remainder_next(&f, 0), 250.0, 1e-9);
    assert_float_equal(remainder_next(&f, 2), 2500.0, 1e-9);
    remainder_close(&f);
}

static void remainders_without_expectations_take_points_for_alike(void **state)
{
    (void)state;
    struct point some[] = {{.events = 100}, {.events = 0}};
    const struct points half = {.items = some, .n = 2};
    const struct points *const cases[] = {NULL, &half};
    for (int i = 0; i < 2; i++) {
        struct remainder f;
        remainder_open(&f, cases[i], 2, 1);
        remainder_done(&f, 0, 70.0);
        assert_float_equal(remainder_next(&f, 1), 70.0, 1e-9);
        remainder_close(&f);
    }
}

static void remainders_take_the_points_of_a_search_together(void **state)
{
    (void)state;
    struct point four[] = {{.events = 100}, {.events = 300}, {.events = 400}, {.events = 400}};
    const struct points two_searches = {.items = four, .n = 4};
    struct remainder f;
    remainder_open(&f, &two_searches, 2, 2);
    remainder_done(&f, 1, 50.0);
    assert_float_equal(remainder_next(&f, 0), 50.0, 1e-9);
    assert_float_equal(remainder_next(&f, 1), 100.0, 1e-9);
    remainder_close(&f);
}

static void time_left_is_of_events_not_of_replications(void **state)
{
    (void)state;
    struct tally t;
    struct tally_look look;
    struct agenda *a = open_agenda(&t);
    tally_begin(&t, 1);
    tally_look(&t, 1.0, &look);
    assert_true(isnan(look.left_s) && !look.over && look.units_done == 0);
    /* The costliest point is done: four of six replications are left, but little work. */
    done(&t, a, 4, 2000);
    done(&t, a, 5, 2000);
    tally_look(&t, 4.0, &look);
    assert_int_equal(look.units_done, 1);
    assert_float_equal(look.left_s, 1.2, 1e-9); /* 2 x 200 and 2 x 400 at 1000/s */
    tally_within(&t, 1, 0.25, 100);
    tally_look(&t, 4.1, &look);
    assert_float_equal(look.left_s, 1.1, 1e-9);
    for (uint64_t task = 0; task < 4; task++) {
        done(&t, a, task, 300);
    }
    tally_look(&t, 5.2, &look);
    assert_true(look.over && look.left_s == 0.0 && look.done == 6 && look.units_done == 3);
    tally_close(&t);
    agenda_close(a);
}

static void earlier_runs_count_but_not_for_the_rate(void **state)
{
    (void)state;
    struct tally t;
    struct tally_look look;
    struct agenda *a = open_agenda(&t);
    for (uint64_t task = 0; task < 4; task++) {
        agenda_put(a, task, nothing);
        tally_earlier(&t, task / 2, task == 0 ? RUN_WATCHDOG : RUN_OK, 100 * (1 + task / 2));
    }
    tally_begin(&t, 1);
    done(&t, a, 4, 1000);
    tally_look(&t, 10.0, &look);
    assert_int_equal(t.events, 1600);
    assert_int_equal(t.status[RUN_WATCHDOG], 1);
    assert_int_equal(look.early, 1);
    assert_int_equal(look.done, 5);
    assert_float_equal(look.done_now, 1.0, 1e-9);
    assert_float_equal(look.left_s, 10.0, 1e-9);
    tally_close(&t);
    agenda_close(a);
}

static void teams_are_about_as_far_as_the_one_here(void **state)
{
    (void)state;
    struct tally t;
    struct tally_look look;
    struct agenda *a = open_agenda(&t);
    tally_begin(&t, 3);
    tally_within(&t, 2, 0.5, 500);
    tally_look(&t, 5.0, &look);
    /* 1500 events of 2 x 100, 2 x 200 and 2 x 1000. */
    assert_float_equal(look.left_s, 1100.0 / 300.0, 1e-9);
    tally_close(&t);
    agenda_close(a);
}

static void times_are_written_for_people(void **state)
{
    (void)state;
    char text[PROGRESS_TIME];
    assert_string_equal(progress_time(0.0, text), "0 s");
    assert_string_equal(progress_time(59.4, text), "59 s");
    assert_string_equal(progress_time(59.6, text), "1 min 00 s");
    assert_string_equal(progress_time(3599.0, text), "59 min 59 s");
    assert_string_equal(progress_time(7500.0, text), "2 h 05 min");
    assert_string_equal(progress_time(1e300, text), "277777777 h 46 min");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_divide_what_each_point_has),
        cmocka_unit_test(shards_take_points_whole_where_a_rule_decides),
        cmocka_unit_test(remainders_go_by_the_point_and_else_by_what_was_expected),
        cmocka_unit_test(remainders_without_expectations_take_points_for_alike),
        cmocka_unit_test(remainders_take_the_points_of_a_search_together),
        cmocka_unit_test(time_left_is_of_events_not_of_replications),
        cmocka_unit_test(earlier_runs_count_but_not_for_the_rate),
        cmocka_unit_test(teams_are_about_as_far_as_the_one_here),
        cmocka_unit_test(times_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
