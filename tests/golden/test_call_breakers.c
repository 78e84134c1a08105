/* SPDX-License-Identifier: Apache-2.0
 *
 * Circuit breakers inside calls, to the nanosecond: what they let through and when, what they hear
 * of, and what is counted of them. The breakers alone are tested in unit/test_breaker.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "one_call.h"
#include "support/probe.h"

#define ALWAYS_503 "type: probe, answers: [{after: 0.1s, status: 503}]"
#define ONCE       "timeout: 5s, "
#define THRICE     "timeout: 5s, retry: {kind: fixed, max_attempts: 3, delay: 0.1s}, "

/* Asked before each request, a breaker that opens in the middle of one does not stop it; it then
 * lets one through after exactly its time. */
static void asked_once_a_request(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 10.299999999s, 10.3s",
             THRICE "breaker: {consecutive: {failure_threshold: 2, recovery_timeout: 10s}}",
             ALWAYS_503, "");
    /* It opens at 0.3 s and 10.4 s. */
    probe_assert_times(&t, "service", 6,
                       (sim_time[]){0, S(0.2), S(0.4), S(10.3), S(10.5), S(10.7)});
    assert_users(&t, "logical_requests 4, requests_sent 6, responses_received 6, errors 6, "
                     "retries 4, failures 4, circuit_broken 2, breaker_state_changes 3, "
                     "breaker_times_opened 2");
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(10) + S(989.6));
    assert_int_equal(trial_integral(&t, "users.breakers_half_open"), S(0.1));
    assert_int_equal(trial_level(&t, "users.breakers_open"), 1);
    assert_ended(&t, 2 * S(0.5)); /* those refused end at once */
    trial_close(&t);
}

/* What it holds back it holds back for good: there is no way round it by a retry, whatever the
 * rules of that say of attempts. */
static void a_request_held_back_is_not_retried(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s",
             "timeout: 5s, retry: {kind: fixed, max_attempts: 3, delay: 0.1s, "
             "retry_if: [{error: circuit_open}, {status: 503, attempt: {to: 1}}]}, "
             "breaker: {consecutive: {failure_threshold: 1, recovery_timeout: 10s}}",
             ALWAYS_503, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.2)});
    assert_users(&t, "logical_requests 2, requests_sent 2, responses_received 2, errors 2, "
                     "retries 1, failures 2, circuit_broken 1, breaker_state_changes 1, "
                     "breaker_times_opened 1");
    assert_ended(&t, S(0.3));
    trial_close(&t);
}

/* Asked before each attempt, it ends the request. */
static void asked_before_each_attempt(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 10.299999999s, 10.3s",
             THRICE "breaker: {consecutive: {failure_threshold: 2, recovery_timeout: 10s}, "
                    "check: attempt}",
             ALWAYS_503, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(10.3)});
    assert_users(&t, "logical_requests 4, requests_sent 3, responses_received 3, errors 3, "
                     "retries 3, failures 4, circuit_broken 4, breaker_state_changes 3, "
                     "breaker_times_opened 2");
    assert_ended(&t, S(0.4) + S(0.2));
    trial_close(&t);
}

#define DEAD "type: probe, answers: [{after: none}]"

/* The vector of happysimulator's Sidecar: only requests count that have no retry left. It opens at
 * 4.5 s, lets all through from 20 s on, and again nothing from 24.5 s on, when the first of these
 * has failed; the others end with their next attempt. */
static void requests_may_count_in_place_of_attempts(void **state)
{
    (void)state;
    static const char call[] =
        "timeout: 1s, retry: {kind: exponential, max_retries: 2, initial_delay: 0.5s, max_delay: "
        "none}, "
        "breaker: {kind: consecutive, failure_threshold: 1, success_threshold: 2, "
        "recovery_timeout: 5s, half_open_max_requests: unlimited, check: attempt, "
        "counts: requests}";
    struct trial t;
    calls_at(&t, "0s, 20s, 21s, 22s", call, DEAD, "");
    probe_assert_times(
        &t, "service", 10,
        (sim_time[]){0, S(1.5), S(3.5), S(20), S(21), S(21.5), S(22), S(22.5), S(23.5), S(23.5)});
    assert_users(&t, "logical_requests 4, requests_sent 10, timeouts 10, retries 8, failures 4, "
                     "circuit_broken 2, breaker_state_changes 3, breaker_times_opened 2");
    trial_close(&t);
}

/* A request that has failed counts also when its retry was held back. */
static void requests_count_whatever_held_their_retries_back(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 2s, 3s, 4s",
             "timeout: 5s, retry: {kind: fixed, max_attempts: 3, delay: 0.1s}, "
             "rate_limit: {leaky_bucket: {leak_rate: 1.0001/s}}, "
             "breaker: {kind: consecutive, failure_threshold: 3, recovery_timeout: 10s, "
             "counts: requests}",
             ALWAYS_503, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(1), S(2)});
    assert_users(&t, "logical_requests 5, requests_sent 3, responses_received 3, errors 3, "
                     "retries 3, failures 5, rate_limited 3, circuit_broken 2, "
                     "breaker_state_changes 1, breaker_times_opened 1");
    trial_close(&t);
}

/* What a probe holds it holds through all of its attempts, and until its request is given up. */
static void a_probe_is_a_request_if_these_count(void **state)
{
    (void)state;
    static const char call[] =
        "timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 1s}, "
        "breaker: {kind: state_attributed, failure_threshold: 1, success_threshold: 1, "
        "timeout: 10s, check: attempt, counts: requests}";
    struct trial t;
    /* Opens at 3 s; the probe of 13 s fails once, at 14.1 s nobody else is let through, and closes
     * it at 15.5 s. */
    calls_at(&t, "0s, 13s, 14.1s, 16s", call,
             "type: probe, answers: [{after: none}, {after: none}, {after: none}, {after: 0.5s}]",
             "");
    probe_assert_times(&t, "service", 5, (sim_time[]){0, S(2), S(13), S(15), S(16)});
    assert_users(&t, "logical_requests 4, requests_sent 5, timeouts 3, retries 2, failures 2, "
                     "successes 2, responses_received 2, circuit_broken 1, "
                     "breaker_state_changes 3, breaker_times_opened 1, breaker_times_closed 1");
    trial_close(&t);
}

/* Each failed attempt counts, whether it timed out or was answered, the last one included. */
static void every_failed_attempt_counts(void **state)
{
    (void)state;
#define FOUR(threshold) \
    "timeout: 0.1s, retry: {kind: fixed, max_retries: 3, delay: 0s}, " \
    "breaker: {consecutive: {failure_threshold: " threshold "}}"
    static const char silent[] = "type: probe, answers: [{after: none}]";
    static const char rejects[] = "type: probe, answers: [{after: 0.05s, status: 503}]";
    struct trial t;
    one_call(&t, FOUR("4"), silent, "");
    assert_int_equal(trial_counter(&t, "users.breaker_times_opened"), 1);
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(999.6));
    trial_close(&t);
    one_call(&t, FOUR("4"), rejects, "");
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(999.8));
    trial_close(&t);
    one_call(&t, FOUR("5"), silent, "");
    assert_int_equal(trial_counter(&t, "users.breaker_times_opened"), 0);
    trial_close(&t);
    calls_at(&t, "0s, 1s, 2s", "timeout: 0.1s, breaker: {consecutive: {failure_threshold: 2}}",
             silent, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(1)});
    trial_close(&t);
}

/* What comes back while it is open: nothing; or a success forgets the failures, so that it takes as
 * many to open again. */
static void results_while_open(void **state)
{
    (void)state;
#define SUCCEEDS_OPEN(how) \
    calls_at(&t, "0s, 5s, 10.2s", \
             "timeout: 5s, retry: {kind: fixed, max_attempts: 3, delay: 0s}, " \
             "breaker: {consecutive: {failure_threshold: 2, recovery_timeout: 10s" how "}}", \
             "type: probe, answers: [{after: 0.1s, status: 503}, {after: 0.1s, status: 503}, " \
             "{after: 0.1s}, {after: 0.1s, status: 503}]", \
             "")
    struct trial t;
    SUCCEEDS_OPEN("");
    probe_assert_times(&t, "service", 6,
                       (sim_time[]){0, S(0.1), S(0.2), S(10.2), S(10.3), S(10.4)});
    assert_int_equal(trial_counter(&t, "users.breaker_times_opened"), 2);
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(10) + S(1000 - 10.3));
    trial_close(&t);
    SUCCEEDS_OPEN(", while_open: counted");
    assert_int_equal(trial_counter(&t, "users.breaker_times_opened"), 2);
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(10) + S(1000 - 10.4));
    trial_close(&t);
}

/* One probe at a time; its success closes. */
static void a_probe_closes(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 11.1s, 11.5s, 12.1s, 13s",
             ONCE "breaker: {consecutive: {failure_threshold: 2, recovery_timeout: 10s}}",
             "type: probe, answers: [{after: 0.1s, status: 503}, {after: 0.1s, status: 500}, "
             "{after: 0.9s}, {after: 0.1s}]",
             "");
    probe_assert_times(&t, "service", 5, (sim_time[]){0, S(1), S(11.1), S(12.1), S(13)});
    assert_users(&t, "logical_requests 6, requests_sent 5, responses_received 5, errors 2, "
                     "successes 3, failures 3, circuit_broken 1, breaker_state_changes 3, "
                     "breaker_times_opened 1, breaker_times_closed 1");
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(10));
    assert_int_equal(trial_integral(&t, "users.breakers_half_open"), S(0.9));
    trial_close(&t);
}

#define RATIO(threshold, minimum) \
    "breaker: {ratio: {failure_threshold: " threshold ", minimum_throughput: " minimum \
    ", sampling_duration: 10s, break_duration: 1s}}"

/* Two failures open it, a probe closes it and is the first success of a new sample, so that one
 * more failure is half of them. */
static void a_share_of_failures(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 0.1s, 0.2s, 1.2s, 1.25s", ONCE RATIO("0.5", "2"),
             "type: probe, answers: [{after: 0s, status: 503}, {after: 0s, status: 503}, "
             "{after: 0s}, {after: 0s, status: 503}]",
             "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(0.1), S(1.2), S(1.25)});
    assert_users(&t, "logical_requests 5, requests_sent 4, responses_received 4, errors 3, "
                     "successes 1, failures 4, circuit_broken 1, breaker_state_changes 4, "
                     "breaker_times_opened 2, breaker_times_closed 1");
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(1.1) + S(998.75));
    trial_close(&t);
}

/* A probe that does not come back lets the next one in after the time of the break. */
static void a_probe_that_is_lost(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 0.1s, 1.1s, 2.099999999s, 2.1s", RATIO("0.5", "2"),
             "type: probe, answers: [{after: 0s, status: 503}, {after: 0s, status: 503}, "
             "{after: none}, {after: 0s}]",
             "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(0.1), S(1.1), S(2.1)});
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 1);
    assert_int_equal(trial_counter(&t, "users.breaker_times_closed"), 1);
    trial_close(&t);
}

/* What was sent before the break decides like a probe when it comes back after it. */
static void late_results_act_like_probes(void **state)
{
    (void)state;
#define LATE(status) \
    "type: probe, answers: [{after: 1.5s, status: " status "}, {after: 0s, status: 503}, " \
    "{after: 0s, status: 503}, {after: 1s}, {after: 0s}]"
    struct trial t;
    calls_at(&t, "0s, 0.1s, 0.2s, 1.3s, 1.4s, 1.6s", ONCE RATIO("0.5", "2"), LATE("200"), "");
    probe_assert_times(&t, "service", 5, (sim_time[]){0, S(0.1), S(0.2), S(1.3), S(1.6)});
    assert_int_equal(trial_counter(&t, "users.breaker_times_closed"), 1);
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(1.1));
    assert_int_equal(trial_integral(&t, "users.breakers_half_open"), S(0.2));
    trial_close(&t);
    calls_at(&t, "0s, 0.1s, 0.2s, 1.3s, 1.6s, 2.499999999s, 2.5s", ONCE RATIO("0.5", "2"),
             LATE("503"), "");
    probe_assert_times(&t, "service", 5, (sim_time[]){0, S(0.1), S(0.2), S(1.3), S(2.5)});
    assert_int_equal(trial_counter(&t, "users.breaker_times_opened"), 2);
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 2);
    trial_close(&t);
}

/* What was not sent for lack of time is no failure: each request fails once and is refused once by
 * its deadline, so that never more than two thirds fail. */
static void lack_of_time_is_no_failure(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 2s",
             "deadline: 0.1s, retry: {kind: fixed, max_attempts: 2, delay: 0s}, " RATIO("0.7", "2"),
             "type: probe, answers: [{after: 99ms, status: 503}]", "");
    assert_users(&t, "logical_requests 3, requests_sent 3, responses_received 3, errors 3, "
                     "retries 3, low_timeouts 3, failures 3");
    trial_close(&t);
}

/* In the variant that looks at the state in which something was sent, a failure from before the
 * break opens again what is half-open, and its probes are forgotten. Two probes close. */
static void results_by_the_state_they_were_sent_in(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 0.1s, 0.2s, 1.3s, 2.4s, 2.5s, 2.6s",
             ONCE "breaker: {state_attributed: {failure_threshold: 2, timeout: 1s}}", LATE("503"),
             "");
    probe_assert_times(&t, "service", 6, (sim_time[]){0, S(0.1), S(0.2), S(1.3), S(2.5), S(2.6)});
    assert_users(&t, "logical_requests 7, requests_sent 6, responses_received 6, errors 3, "
                     "successes 3, failures 4, circuit_broken 1, breaker_state_changes 5, "
                     "breaker_times_opened 2, breaker_times_closed 1");
    assert_int_equal(trial_integral(&t, "users.breakers_half_open"), S(0.2) + S(0.1));
    trial_close(&t);
}

/* Failures of a kind that is not meant neither count nor make a break in a row; slow successes do,
 * and final failures, where that is said. */
static void what_a_failure_is(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 2s, 3s",
             "timeout: 0.1s, breaker: {consecutive: {failure_threshold: 2}, failure_on: timeout}",
             "type: probe, answers: [{after: none}, {after: 0s, status: 503}, {after: none}]", "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(1), S(2)});
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(997.9));
    trial_close(&t);
    calls_at(&t, "0s, 1s, 2s",
             "breaker: {consecutive: {failure_threshold: 2}, slow_call_duration: 0.5s}",
             "type: probe, answers: [{after: 0.500000001s}]", "");
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 1);
    assert_int_equal(trial_counter(&t, "users.successes"), 2);
    trial_close(&t);
    calls_at(&t, "0s, 1s, 2s",
             "breaker: {consecutive: {failure_threshold: 2}, slow_call_duration: 0.5s}",
             "type: probe, answers: [{after: 0.5s}]", "");
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 0);
    trial_close(&t);
    calls_at(&t, "0s, 1s, 2s",
             "breaker: {consecutive: {failure_threshold: 2}, failure_on: [error, final]}",
             "type: probe, answers: [{after: 0s, status: 404}]", "");
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 1);
    trial_close(&t);
}

/* A probe that is given up leaves its place to the next one. */
static void probes_that_are_given_up(void **state)
{
    (void)state;
    const char *checks[] = {"request", "attempt"};
    for (int i = 0; i < 2; i++) {
        char service[256];
        snprintf(service, sizeof service,
                 "type: server, service_time: 0s, on_cancel: abort, calls: [{target: backend, "
                 "breaker: {consecutive: {failure_threshold: 1, recovery_timeout: 10s}, "
                 "check: %s}}]",
                 checks[i]);
        struct trial t;
        calls_at(&t, "0s, 10s, 12s", "timeout: 1s, cancel: timeouts", service,
                 "  backend: {type: probe, answers: [{after: 0s, status: 503}, {after: none}, "
                 "{after: 0s}]}");
        probe_assert_times(&t, "backend", 3, (sim_time[]){0, S(10), S(12)});
        assert_int_equal(trial_counter(&t, "service.downstream_breaker_times_closed"), 1);
        assert_int_equal(trial_integral(&t, "service.downstream_breakers_open"), S(10));
        trial_close(&t);
    }
}

/* Whoever crashes knows nothing of it afterwards. */
static void a_crash_forgets_breakers(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 3s", ONCE "breaker: {consecutive: {failure_threshold: 1}}", ALWAYS_503,
             "timeline: [{at: 1s, for: 1s, crash: users}]");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(3)});
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(0.9) + S(996.9));
    trial_close(&t);
}

/* A breaker for each of those who are called leaves the good ones alone; one for all does not see
 * two failures in a row. */
static void one_breaker_an_endpoint(void **state)
{
    (void)state;
#define TWO(scope) \
    "squall: 1\n" \
    "duration: 100s\n" \
    "entities:\n" \
    "  users: {type: client, target: {to: [bad, good], balance: round_robin},\n" \
    "          arrivals: {times: [0s, 1s, 2s, 3s, 4s, 5s]},\n" \
    "          call: {breaker: {consecutive: {failure_threshold: 2}, scope: " scope "}}}\n" \
    "  bad: {type: probe, answers: [{after: 0s, status: 503}]}\n" \
    "  good: {type: probe}\n"
    struct trial t;
    trial_open(&t, TWO("endpoint"));
    trial_run(&t, 0);
    probe_assert_times(&t, "bad", 2, (sim_time[]){0, S(2)});
    probe_assert_times(&t, "good", 3, (sim_time[]){S(1), S(3), S(5)});
    assert_int_equal(trial_counter(&t, "users.circuit_broken"), 1);
    assert_int_equal(trial_integral(&t, "users.breakers_open"), S(98));
    trial_close(&t);
    trial_open(&t, TWO("call"));
    trial_run(&t, 0);
    probe_assert_times(&t, "bad", 3, (sim_time[]){0, S(2), S(4)});
    assert_int_equal(trial_counter(&t, "users.breaker_times_opened"), 0);
    trial_close(&t);
}

/* A probe without an answer has failed when it is as old as the breaker stays open. That is seen
 * when the next request comes, here when a new probe is due as well. */
static void lost_probes_are_counted(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 5s",
             "breaker: {consecutive: {failure_threshold: 1, recovery_timeout: 1s}}",
             "type: probe, answers: [{after: 0s, status: 503}, {after: none}, {after: 0s}]", "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(1), S(5)});
    assert_users(&t, "logical_requests 3, requests_sent 3, responses_received 2, errors 1, "
                     "successes 1, failures 1, breaker_state_changes 5, breaker_times_opened 2, "
                     "breaker_times_closed 1");
    trial_close(&t);
}

/* The throttle hears only of what it has let through: after one request was sent and failed, and
 * nine were refused by the breaker, it holds back one in two. */
static void throttles_do_not_hear_of_breakers(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 1s, 2s, 3s, 4s, 5s, 6s, 7s, 8s, 9s, 10s",
             ONCE "throttle: failsafe, "
                  "breaker: {consecutive: {failure_threshold: 1, recovery_timeout: 10s}}",
             "type: probe, answers: [{after: 0s, status: 503}]", "");
    uint64_t throttled = 0;
    for (uint64_t replication = 0; replication < 200; replication++) {
        trial_run(&t, replication);
        assert_int_equal(trial_counter(&t, "users.circuit_broken"), 9);
        throttled += trial_counter(&t, "users.throttled");
    }
    assert_in_range(throttled, 75, 125); /* 3.5 standard deviations */
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_once_a_request),
        cmocka_unit_test(a_request_held_back_is_not_retried),
        cmocka_unit_test(asked_before_each_attempt),
        cmocka_unit_test(requests_may_count_in_place_of_attempts),
        cmocka_unit_test(requests_count_whatever_held_their_retries_back),
        cmocka_unit_test(a_probe_is_a_request_if_these_count),
        cmocka_unit_test(every_failed_attempt_counts),
        cmocka_unit_test(results_while_open),
        cmocka_unit_test(a_probe_closes),
        cmocka_unit_test(a_share_of_failures),
        cmocka_unit_test(a_probe_that_is_lost),
        cmocka_unit_test(late_results_act_like_probes),
        cmocka_unit_test(lack_of_time_is_no_failure),
        cmocka_unit_test(results_by_the_state_they_were_sent_in),
        cmocka_unit_test(what_a_failure_is),
        cmocka_unit_test(probes_that_are_given_up),
        cmocka_unit_test(a_crash_forgets_breakers),
        cmocka_unit_test(one_breaker_an_endpoint),
        cmocka_unit_test(lost_probes_are_counted),
        cmocka_unit_test(throttles_do_not_hear_of_breakers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
