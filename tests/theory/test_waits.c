/* SPDX-License-Identifier: Apache-2.0
 *
 * How long requests wait, and when they are given up: the scenarios of configs/scenarios about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/claim.h"

/* Sums of delays of 0.1 s * 2^k up to 10 s, k = 0 to 7; a uniform one has a twelfth of its width
 * squared as variance. */
static void backoff_adds_up(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/backoff.yaml", NULL);
    const double full = 11.35, full_variance = 12.8841667;
    const double equal = 17.025, equal_variance = full_variance / 4.0;
    claims_hold("give up", &t,
                (struct claim[]){
                    CLAIM_MEAN("full.request_latency", full, 0.01),
                    CLAIM_SQUARE("full.request_latency", full_variance + full * full, 0.01),
                    CLAIM_MEAN("equal.request_latency", equal, 0.01),
                    CLAIM_SQUARE("equal.request_latency", equal_variance + equal * equal, 0.01),
                    CLAIM_MEAN("decorrelated.request_latency",
                               2.0 + 3.5 + 5.75 + 9.125 + 14.1875 + 21.78125, 0.01),
                    CLAIM(CLAIM_MEAN, "plain.request_latency", 22.7, 1e-9, .slack = 1e-9),
                    CLAIMS_END});
    trial_close(&t);
}

/* Attempts in the interval that sees most of them after the first. */
static uint64_t largest_crowd(const struct trial *t, const char *stat)
{
    uint64_t most = 0;
    for (uint32_t i = 1; i < trial_intervals(t); i++) {
        uint64_t sent = trial_in_interval(t, stat, i);
        most = sent > most ? sent : most;
    }
    return most;
}

/* A thousand requests fail in the first millisecond. With full jitter all have been tried again
 * within the first interval, and from then on the crowd is spread ever more. */
static void jitter_takes_crowds_apart(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/backoff.yaml", NULL);
    trial_run(&t, 0);
    assert_int_equal(largest_crowd(&t, "plain.requests_sent"), 1000);
    assert_in_range(largest_crowd(&t, "full.requests_sent"), 1, 700);
    assert_in_range(largest_crowd(&t, "equal.requests_sent"), 1, 900);
    trial_close(&t);
}

/* Nanoseconds that a server of the chain has worked in vain or not. */
static void worked(const char *override, int64_t a, int64_t b, int64_t c)
{
    struct trial t;
    trial_load(&t, "configs/scenarios/deadlines.yaml", (const char *const[]){override, NULL});
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "a.total_service_time"), a);
    assert_int_equal(trial_counter(&t, "b.total_service_time"), b);
    assert_int_equal(trial_counter(&t, "c.total_service_time"), c);
    struct hist_counts h = {0};
    trial_histogram(&t, "person.request_latency", &h);
    assert_int_equal(h.total, 1);
    assert_int_equal(h.max, a + b + c < 30 * SIM_TIME_S ? a + b + c : 30 * SIM_TIME_S);
    trial_close(&t);
}

static void a_chain_shares_thirty_seconds(void **state)
{
    (void)state;
    worked("seed=1", 7 * SIM_TIME_S, 4 * SIM_TIME_S, 19 * SIM_TIME_S);
    worked("b.service_time=60s", 7 * SIM_TIME_S, 23 * SIM_TIME_S, 0);
    worked("a.service_time=40s", 30 * SIM_TIME_S, 0, 0);
    worked("c.service_time=18s", 7 * SIM_TIME_S, 4 * SIM_TIME_S, 18 * SIM_TIME_S);
    worked("c.middleware=none", 7 * SIM_TIME_S, 4 * SIM_TIME_S, 20 * SIM_TIME_S);
}

/* Means of 1000 runs of an independent simulation, and their standard errors. */
static void in_time(const char *override, double good, double error)
{
    struct trial t;
    trial_load(&t, "configs/scenarios/deadlines.yaml", (const char *const[]){override, NULL});
    struct claim claims[] = {CLAIM_RATE("users.successes", good / 120.0, 0.01), CLAIMS_END};
    claims[0].slack = error / good;
    claims_hold(override, &t, claims);
    trial_close(&t);
}

static void what_is_too_late_is_not_served(void **state)
{
    (void)state;
    in_time("seed=2", 5296.1, 1.84);
    in_time("service.middleware=none", 4240.8, 2.39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(backoff_adds_up),
                                       cmocka_unit_test(jitter_takes_crowds_apart),
                                       cmocka_unit_test(a_chain_shares_thirty_seconds),
                                       cmocka_unit_test(what_is_too_late_is_not_served)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
