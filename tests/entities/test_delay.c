/* SPDX-License-Identifier: Apache-2.0
 *
 * The delay station: every request is answered after the latency, however many there are. Copy this
 * file for the test of a new entity type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/trial.h"

static void open_station(struct trial *t, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 10s\n"
               "entities:\n"
               "  users: {type: client, target: far, arrivals: {times: [0s, 0s, 1s, 9.5s]},\n"
               "          call: {timeout: 5s}}\n"
               "  far: {type: delay, latency: 2s}\n"
               "timeline: [%s]\n",
               timeline);
}

/* Three requests overlap and take 2 s each; the fourth is still under way at the end. */
static void answers_all_after_the_latency(void **state)
{
    (void)state;
    struct trial t;
    open_station(&t, "");
    trial_run(&t, 0);
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.total, 3);
    assert_int_equal(h.min, 2 * SIM_TIME_S);
    assert_int_equal(h.max, 2 * SIM_TIME_S);
    assert_int_equal(trial_counter(&t, "far.requests_received"), 4);
    assert_int_equal(trial_level(&t, "far.in_progress"), 1);
    assert_int_equal(trial_integral(&t, "far.in_progress"), 3 * 2 * SIM_TIME_S + SIM_TIME_S / 2);
    trial_close(&t);
}

/* A crash loses what is in progress; who comes while it is down is missed. */
static void a_crash_loses_what_is_in_progress(void **state)
{
    (void)state;
    struct trial t;
    open_station(&t, "{at: 0.5s, for: 1s, crash: far}");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "far.requests_received"), 3);
    assert_int_equal(trial_counter(&t, "far.requests_lost"), 2);
    assert_int_equal(trial_counter(&t, "far.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "users.timeouts"), 3);
    assert_int_equal(trial_counter(&t, "users.successes"), 0);
    trial_close(&t);
}

/* Slowed, it takes so many times as long for whoever comes meanwhile. */
static void is_slowed(void **state)
{
    (void)state;
    struct trial t;
    open_station(&t, "{at: 0.5s, for: 1s, slow: far, factor: 1.5}");
    trial_run(&t, 0);
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.total, 3);
    assert_int_equal(h.min, 2 * SIM_TIME_S);
    assert_int_equal(h.max, 3 * SIM_TIME_S);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_all_after_the_latency),
                                       cmocka_unit_test(a_crash_loses_what_is_in_progress),
                                       cmocka_unit_test(is_slowed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
