/* SPDX-License-Identifier: Apache-2.0
 *
 * Outages of a network, as the project's scenarios tell of them: a published one to the second, and
 * what three kinds of partitions leave behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/trial.h"

#define NEVER UINT32_MAX

static void load_outage(struct trial *t, int load, int attempts)
{
    char rate[64], most[64];
    snprintf(rate, sizeof rate, "users.arrivals.rate=%d/s", load);
    snprintf(most, sizeof most, "users.call.retry.max_attempts=%d", attempts);
    trial_load(t, "configs/scenarios/link_outage.yaml", (const char *[]){rate, most, NULL});
}

/* The first second from which on as many queries succeed as come. */
static uint32_t full_goodput_from(const struct trial *t, uint32_t load)
{
    uint32_t second = trial_intervals(t);
    while (second > 0 && trial_in_interval(t, "users.successes", second - 1) >= load) {
        second--;
    }
    return second < trial_intervals(t) ? second : NEVER;
}

/* Bronson and others (HotOS'21), section 2, with constant times: from when on all is well again, by
 * the load and the number of attempts. Found by exact arithmetic on the arrivals. */
static void an_outage_that_does_not_end(void **state)
{
    (void)state;
    const struct {
        int load, attempts;
        uint32_t from;
        uint64_t queue; /* 0: not looked at */
    } cases[] = {{100, 2, 32, 1901}, {130, 2, 70, 2471}, {150, 2, NEVER, 2851}, {280, 2, NEVER, 0},
                 {200, 1, 33, 0},    {250, 1, 60, 0},    {280, 1, 141, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        load_outage(&t, cases[i].load, cases[i].attempts);
        trial_run(&t, 0);
        uint32_t load = (uint32_t)cases[i].load;
        assert_int_equal(full_goodput_from(&t, load), cases[i].from);
        if (cases[i].queue > 0) {
            assert_int_equal(trial_most(&t, "db.queue_depth"), cases[i].queue);
        }
        if (cases[i].from == NEVER) {
            for (uint32_t second = 30; second < 199; second++) {
                assert_int_equal(trial_in_interval(&t, "users.requests_sent", second), 2 * load);
                assert_int_equal(trial_in_interval(&t, "users.successes", second), 0);
            }
        }
        trial_close(&t);
    }
}

/* The sum of a counter's intervals `from` to `to` - 1. */
static uint64_t between(const struct trial *t, const char *stat, uint32_t from, uint32_t to)
{
    uint64_t sum = 0;
    for (uint32_t i = from; i < to; i++) {
        sum += trial_in_interval(t, stat, i);
    }
    return sum;
}

static void three_partitions(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/saga_partition.yaml", NULL);
    trial_run(&t, 0);
    /* Each takes back what begins while it lasts; the third, only what is not in time at its end.
     */
    for (uint32_t from = 40; from <= 140; from += 50) {
        uint64_t begun = between(&t, "orders.sagas_started", from, from + 20);
        uint64_t back = between(&t, "orders.sagas_compensated", from, from + 23);
        uint64_t saved = from == 140 ? 40 : 0;
        assert_in_range(begun, 400 - 60, 400 + 60);
        assert_in_range(back, begun - saved - 20, begun - saved + 20);
        assert_int_equal(between(&t, "orders.sagas_completed", from + 2, from + 20), 0);
    }
    /* What becomes of the cards. */
    uint64_t cut = between(&t, "payment.messages_cut", 90, 110);
    uint64_t held = between(&t, "orders.messages_held", 140, 160);
    uint64_t late = trial_counter(&t, "orders.late_step_completions");
    assert_int_equal(between(&t, "orders.messages_cut", 40, 60),
                     trial_counter(&t, "orders.messages_cut"));
    assert_in_range(between(&t, "payment.messages_cut", 40, 60), 0, 6);
    assert_in_range(cut, 400 - 60, 400 + 60);
    assert_in_range(held, 400 - 60, 400 + 60);
    assert_in_range(late, held - 60, held - 20);
    assert_int_equal(between(&t, "orders.late_step_completions", 160, 161), late);
    assert_int_equal(trial_counter(&t, "payment.requests_completed"),
                     trial_counter(&t, "orders.sagas_completed") + late +
                         trial_counter(&t, "payment.messages_cut"));
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_outage_that_does_not_end),
                                       cmocka_unit_test(three_partitions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
