/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call site remembers, worked out by hand where one mechanism meets another: attempts that
 * are given up, refused or kept back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/probe.h"
#include "support/trial.h"

/* Without other wishes a connection is tried once. */
static void a_refused_attempt_is_sent_once(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: web, arrivals: {times: [1s, 2s]}}\n"
                   "  web: {type: server, responses: [{outcome: refuse}]}\n"
                   "network: [{latency: 10ms}]\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.requests_sent"), 2);
    assert_int_equal(trial_counter(&t, "users.refused"), 2);
    assert_int_equal(trial_counter(&t, "users.reconnects"), 0);
    assert_int_equal(trial_counter(&t, "users.failures"), 2);
    assert_int_equal(trial_counter(&t, "web.requests_received"), 2);
    trial_close(&t);
}

/* The first request times out at 1.1 s, and may be tried again at 1.6 s, when a late answer ends it
 * at 1.3 s. The one retry that may be under way is free for the second request. */
static void a_retry_that_is_not_made_is_not_under_way(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users:\n"
                   "    type: client\n"
                   "    target: far\n"
                   "    arrivals: {times: [1s, 2s]}\n"
                   "    call:\n"
                   "      timeout: 100ms\n"
                   "      retry: {kind: fixed, max_attempts: 2, delay: 500ms}\n"
                   "      retry_budget: {concurrency: {budget_percent: 0, "
                   "min_retry_concurrency: 1}}\n"
                   "      accept_late: true\n"
                   "  far: {type: probe, answers: [{after: 300ms}, {after: none}, {after: 0s}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 3, (sim_time[]){SIM_TIME_S, 2 * SIM_TIME_S, 2600 * SIM_TIME_MS});
    assert_int_equal(trial_counter(&t, "users.late_successes"), 1);
    assert_int_equal(trial_counter(&t, "users.retries_denied"), 0);
    assert_int_equal(trial_counter(&t, "users.successes"), 2);
    trial_close(&t);
}

/* The breaker opens at 1 s. The second request is its probe, has no answer, and is given up by its
 * server at 2.05 s, when the probe's time was up for 30 ms. */
static void probes_run_out_of_time_unseen(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: web, arrivals: {times: [1s, 2s]}}\n"
                   "  web:\n"
                   "    type: server\n"
                   "    service_time: 0s\n"
                   "    middleware: {deadline: {timeout: 50ms, cancel_on_timeout: true}}\n"
                   "    calls:\n"
                   "      - target: far\n"
                   "        breaker: {kind: consecutive, failure_threshold: 1, check: attempt,\n"
                   "                  recovery_timeout: 20ms}\n"
                   "  far: {type: probe, answers: [{after: 0s, status: 503}, {after: none}]}\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "web.deadline_exceeded"), 1);
    assert_int_equal(trial_counter(&t, "web.downstream_abandoned"), 1);
    assert_int_equal(trial_counter(&t, "web.downstream_breaker_times_opened"), 2);
    assert_int_equal(trial_counter(&t, "web.downstream_breaker_state_changes"), 3);
    assert_int_equal(trial_level(&t, "web.downstream_breakers_open"), 1);
    assert_int_equal(trial_level(&t, "web.downstream_breakers_half_open"), 0);
    assert_int_equal(trial_integral(&t, "web.downstream_breakers_open"), 8950 * SIM_TIME_MS);
    trial_close(&t);
}

/* One 500 opens the breaker, which stops a hundred requests; those that follow all go well. */
static void what_a_breaker_stops_does_not_throttle(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 20s\n"
                   "entities:\n"
                   "  users:\n"
                   "    type: client\n"
                   "    target: far\n"
                   "    arrivals: {constant: 10/s}\n"
                   "    call:\n"
                   "      breaker: {kind: consecutive, failure_threshold: 1, check: attempt,\n"
                   "                recovery_timeout: 10050ms}\n"
                   "      throttle: failsafe\n"
                   "  far: {type: probe, answers: [{after: 0s, status: 500}, {after: 0s}]}\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 100);
    assert_int_equal(trial_counter(&t, "users.throttled"), 0);
    assert_int_equal(trial_counter(&t, "users.successes"), 99);
    trial_close(&t);
}

/* Delays that all hedges share have a place of their own, also beside those of others: a crash
 * clears what was written, and nothing else. */
static void hedges_may_share_their_delays(void **state)
{
    (void)state;
    static const char study[] =
        "squall: 1\n"
        "duration: 10s\n"
        "entities:\n"
        "  users:\n"
        "    type: client\n"
        "    count: 2\n"
        "    target: far\n"
        "    arrivals: {constant: 10/s}\n"
        "    call:\n"
        "      timeout: 1s\n"
        "      retry_budget: {token_bucket: {capacity: 2, retry_cost: 2}}\n"
        "      strategy: {kind: parallel, attempts: 2, delays: {kind: decorrelated_jitter,\n"
        "                 base_delay: 20ms, max_delay: 30ms, shared_state: true}}\n"
        "  far: {type: probe, answers: [{after: 50ms}]}\n"
        "timeline: [{at: 5s, for: 10ms, crash: users}]\n";
    struct trial once, again;
    trial_open(&once, "%s", study);
    trial_run(&once, 1);
    trial_open(&again, "%s", study);
    trial_run(&again, 0);
    trial_run(&again, 1);
    assert_true(trial_same(&once, &again, "users", true));
    assert_true(trial_counter(&once, "users.hedges") > 20);
    assert_true(trial_counter(&once, "users.retries_denied") > 20);
    trial_close(&once);
    trial_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_refused_attempt_is_sent_once),
                                       cmocka_unit_test(a_retry_that_is_not_made_is_not_under_way),
                                       cmocka_unit_test(probes_run_out_of_time_unseen),
                                       cmocka_unit_test(what_a_breaker_stops_does_not_throttle),
                                       cmocka_unit_test(hedges_may_share_their_delays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
