/* SPDX-License-Identifier: Apache-2.0
 *
 * Bad network before each attempt: its delays to the nanosecond, its losses, whom it concerns, and
 * how timed ones add up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "one_call.h"
#include "support/probe.h"

static const char silent[] = "type: probe, answers: [{after: none}]";

/* Each attempt is delayed, one way, in its own time. */
static void every_attempt_is_delayed(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 0.5s, conditioner: {latency: 0.1s}, deadline: 10s, "
             "retry: {kind: fixed, max_attempts: 2, delay: 0.2s}",
             "type: probe, answers: [{after: none}, {after: 0.3s}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){S(0.1), S(0.8)});
    assert_int_equal(probe_visit(&t, "service", 1)->deadline, S(9.2));
    assert_users(&t, "logical_requests 1, requests_sent 2, retries 1, timeouts 1, "
                     "responses_received 1, successes 1");
    assert_ended(&t, S(1.1));
    trial_close(&t);
}

/* An attempt that is lost has failed at once, and is tried again as what will pass. */
static void losses_are_tried_again(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 1s, conditioner: {loss: 1}, "
             "retry: {kind: fixed, max_attempts: 3, delay: 0.1s}",
             silent, "");
    probe_assert_times(&t, "service", 0, NULL);
    assert_users(&t, "logical_requests 1, dropped 3, retries 2, failures 1");
    assert_ended(&t, S(0.2));
    trial_close(&t);
    one_call(&t, "timeout: 1s, conditioner: {loss: 1, latency: 7s}, retry: {adaptive: {jitter: 0}}",
             silent, "");
    assert_users(&t, "logical_requests 1, dropped 6, retries 5, failures 1");
    assert_ended(&t, S(0.1 + 0.2 + 0.4 + 0.8 + 1.6));
    trial_close(&t);
    one_call(&t,
             "timeout: 1s, conditioner: {loss: 1}, retry: {kind: fixed, max_attempts: 3, "
             "delay: 0.1s, retry_on: timeout}",
             silent, "");
    assert_int_equal(trial_counter(&t, "users.dropped"), 1);
    trial_close(&t);
    /* A breaker hears of them. */
    calls_at(&t, "0s, 1s, 2s",
             "conditioner: {loss: 1}, breaker: {consecutive: {failure_threshold: 2}}", silent, "");
    assert_users(&t, "logical_requests 3, dropped 2, circuit_broken 1, failures 3, "
                     "breaker_state_changes 1, breaker_times_opened 1");
    trial_close(&t);
}

/* In force from an instant until just before another. */
static void timed_ones_begin_and_end(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 1s, retry: {kind: fixed, max_attempts: 9, delay: 0.1s}", "type: probe",
             "timeline: [{at: 0s, for: 0.3s, conditioner: users, network: {loss: 1}}]");
    probe_assert_times(&t, "service", 1, (sim_time[]){S(0.3)});
    assert_users(&t, "logical_requests 1, dropped 3, retries 3, requests_sent 1, "
                     "responses_received 1, successes 1");
    trial_close(&t);
    calls_at(&t, "0s, 0.999999999s, 1s, 5s, 10s, 15s", "conditioner: {latency: 0.1s}", silent,
             "timeline: [{at: 1s, for: 9s, conditioner: users, network: {latency: 0.2s}}, "
             "{at: 5s, for: 10s, conditioner: users, network: {latency: 0.4s}}]");
    probe_assert_times(&t, "service", 6,
                       (sim_time[]){S(0.1), S(1.099999999), S(1.3), S(5.7), S(10.5), S(15.1)});
    trial_close(&t);
}

/* Only those whose name contains the filter: of clients the name of the kind of request, of others
 * that of who is called. */
static void names_are_filtered(void **state)
{
    (void)state;
    const struct {
        const char *filter, *kind;
        sim_time at;
    } cases[] = {{"read", "read_all", S(0.1)}, {"all", "read_all", S(0.1)}, {"Read", "read_all", 0},
                 {"read", "write", 0},         {"service", "write", 0},     {"", "write", S(0.1)}};
    struct trial t;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char call[256];
        snprintf(call, sizeof call,
                 "conditioner: {latency: 0.1s, name_filter: \"%s\"}}, requests: {%s: {}",
                 cases[i].filter, cases[i].kind);
        one_call(&t, call, silent, "");
        probe_assert_times(&t, "service", 1, &cases[i].at);
        trial_close(&t);
    }
    one_call(
        &t, "timeout: none",
        "type: server, service_time: 1s, "
        "calls: [{target: seen, conditioner: {latency: 0.1s, name_filter: see}}]",
        "  seen: {type: probe}\n"
        "timeline: [{at: 0s, conditioner: service, network: {latency: 0.2s, name_filter: n}},\n"
        "           {at: 0s, conditioner: service, network: {latency: 5s, name_filter: x}}]");
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(1.3)});
    trial_close(&t);
}

enum { MANY = 2000 };

/* A jitter above the latency piles up at 0: with 50 ms and 100 ms either way that is a quarter of
 * all attempts, and the mean is (0.15 s)^2 / 0.4 s. */
static void jitter_does_not_go_below_nothing(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 1s, conditioner: {latency: 50ms, jitter: 100ms}", "type: probe", "");
    int64_t zero = 0, sum = 0, largest = 0;
    for (uint64_t replication = 0; replication < MANY; replication++) {
        trial_run(&t, replication);
        sim_time at = probe_visit(&t, "service", 0)->at;
        assert_in_range(at, 0, S(0.15));
        zero += at == 0;
        sum += at;
        largest = at > largest ? at : largest;
    }
    assert_in_range(zero, 500 - 68, 500 + 68); /* 3.5 * sqrt(2000 * 0.25 * 0.75) */
    /* Variance (0.15 s)^3 / 0.6 s less the square of the mean: 0.0496 s; over sqrt(2000) times 3.5
     */
    assert_in_range(sum / MANY, S(0.05625) - S(0.0039), S(0.05625) + S(0.0039));
    assert_true(largest > S(0.149));
    trial_close(&t);
}

static void losses_have_a_probability(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 1s, conditioner: {loss: 0.3}", "type: probe", "");
    uint64_t dropped = 0;
    for (uint64_t replication = 0; replication < MANY; replication++) {
        trial_run(&t, replication);
        dropped += trial_counter(&t, "users.dropped");
        assert_int_equal(trial_counter(&t, "users.dropped") + probe_visits(&t, "service"), 1);
    }
    assert_in_range(dropped, 600 - 72, 600 + 72); /* 3.5 * sqrt(2000 * 0.3 * 0.7) */
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_attempt_is_delayed),
                                       cmocka_unit_test(losses_are_tried_again),
                                       cmocka_unit_test(timed_ones_begin_and_end),
                                       cmocka_unit_test(names_are_filtered),
                                       cmocka_unit_test(jitter_does_not_go_below_nothing),
                                       cmocka_unit_test(losses_have_a_probability)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
