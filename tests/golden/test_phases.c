/* SPDX-License-Identifier: Apache-2.0
 *
 * What an attempt goes through, to the nanosecond: its connection, its way to the callee and back,
 * the limits on each, and what the answers say besides their status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "one_call.h"
#include "support/probe.h"

static const char silent[] = "type: probe, answers: [{after: none}]";
static const char wire[] = "network: [{from: users, to: service, latency: 50ms}]";

#define TWICE(delay) ", retry: {kind: fixed, max_attempts: 2, delay: " delay "}"

/* Each attempt makes its connection first, in its own time; the deadline goes on meanwhile. */
static void connections_take_time(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 0.4s, deadline: 5s, connection_latency: 0.1s" TWICE("1s"),
             "type: probe, answers: [{after: none}, {after: 0.2s}]", wire);
    probe_assert_times(&t, "service", 2, (sim_time[]){S(0.15), S(1.55)});
    assert_int_equal(probe_visit(&t, "service", 0)->deadline, S(4.9));
    assert_int_equal(probe_visit(&t, "service", 1)->deadline, S(3.5));
    /* The second answer comes back at 1.8 s, at the very moment of the timeout. */
    assert_users(&t, "logical_requests 1, requests_sent 2, timeouts 2, retries 1, "
                     "late_responses 1, failures 1");
    trial_close(&t);
    one_call(&t, "timeout: 0.400000001s, connection_latency: 0.1s",
             "type: probe, answers: [{after: 0.2s}]", wire);
    assert_users(&t, "logical_requests 1, requests_sent 1, responses_received 1, successes 1");
    assert_ended(&t, S(0.4));
    struct hist_counts h = {0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.sum, S(0.4));
    trial_close(&t);
}

/* A connection that takes longer than it may has failed and is tried again at once; the attempt
 * fails with the last one, and like any other is tried again. */
static void connections_may_fail(void **state)
{
    (void)state;
    struct trial t;
    one_call(
        &t, "connection_latency: 0.2s, connection_attempts: 3, phases: {connect: 0.1s}" TWICE("1s"),
        silent, "");
    probe_assert_times(&t, "service", 0, NULL);
    assert_users(&t, "logical_requests 1, requests_sent 2, refused 2, reconnects 4, "
                     "connect_failures 6, retries 1, failures 1");
    assert_ended(&t, S(1.6));
    trial_close(&t);
    one_call(&t, "connection_latency: 0.1s, phases: {connect: 0.1s}", "type: probe", "");
    probe_assert_times(&t, "service", 1, (sim_time[]){S(0.1)});
    trial_close(&t);
}

/* The request's way is one phase, the time from its arrival to the reply another. */
static void ways_and_answers_have_limits(void **state)
{
    (void)state;
    const struct {
        const char *call, *service, *rest;
        sim_time ends;
        bool good;
    } cases[] = {
        {"phases: {write: 49.999999ms}", "type: probe", wire, S(0.049999999), false},
        {"phases: {write: 50ms}", "type: probe", wire, S(0.1), true},
        {"phases: {read: 100ms}", "type: probe, answers: [{after: 49.999999ms}]", wire,
         S(0.149999999), true},
        {"phases: {read: 100ms}", "type: probe, answers: [{after: 50ms}]", wire, S(0.15), false},
        {"phases: {read: 100ms}, connection_latency: 0.2s", "type: probe, answers: [{after: 50ms}]",
         wire, S(0.35), false},
        {"phases: {read: 100ms}, timeout: 0.12s", silent, wire, S(0.12), false},
        {"phases: {write: 0.2s}", "type: probe", "network: [{from: users, to: service, loss: 1}]",
         S(0.2), false},
        /* 1000 B at 10 kB/s are 0.1 s on the way. */
        {"phases: {write: 99ms}}, requests: {any: {bytes: 1000}", "type: probe",
         "network: [{from: users, to: service, bandwidth: 10000B/s}]", S(0.099), false},
        {"phases: {write: 100ms}}, requests: {any: {bytes: 1000}", "type: probe",
         "network: [{from: users, to: service, bandwidth: 10000B/s}]", S(0.1), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        one_call(&t, cases[i].call, cases[i].service, cases[i].rest);
        assert_ended(&t, cases[i].ends);
        assert_int_equal(trial_counter(&t, "users.successes"), cases[i].good);
        assert_int_equal(trial_counter(&t, "users.timeouts"), !cases[i].good);
        trial_close(&t);
    }
}

/* When to try again, as a time or as an instant: in place of the policy's own delay, within what
 * the caller bears, and only once. */
static void answers_say_when(void **state)
{
    (void)state;
#define SAYS(flags, when) \
    "type: probe, answers: [{after: 2s, status: 429, flags: " flags ", retry_after: " when \
    "}, {after: none}]"
#define POLICY(more) "timeout: 3s, retry: {kind: fixed, max_attempts: 3, delay: 1s" more "}"
    const struct {
        const char *call, *service;
        sim_time second;
    } cases[] = {
        {POLICY(""), SAYS("retry_after", "7s"), S(9)},
        {POLICY(""), SAYS("retry_after", "0s"), S(2)},
        {POLICY(""), SAYS("[retry_after, retry_at]", "7s"), S(7)},
        {POLICY(""), SAYS("[retry_after, retry_at]", "1s"), S(2)},
        {POLICY(""), SAYS("[]", "7s"), S(3)},
        {POLICY(", retry_after: ignore"), SAYS("retry_after", "7s"), S(3)},
        {POLICY(", retry_after_max: 4s"), SAYS("retry_after", "7s"), S(6)},
        {POLICY(", max_wait_time: 5s"), SAYS("retry_after", "7s"), S(7)},
        {POLICY(", max_wait_time: 5s"), SAYS("[retry_after, retry_at]", "20s"), S(7)},
        {POLICY(", max_wait_time: 0.5s"), SAYS("[]", "0s"), S(2.5)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        one_call(&t, cases[i].call, cases[i].service, "");
        assert_int_equal(probe_visits(&t, "service"), 3);
        assert_int_equal(probe_visit(&t, "service", 1)->at, cases[i].second);
        /* Then comes a timeout, which says nothing. */
        sim_time own = strstr(cases[i].call, "0.5s") ? S(0.5) : S(1);
        assert_int_equal(probe_visit(&t, "service", 2)->at, cases[i].second + S(3) + own);
        trial_close(&t);
    }
}

static void servers_say_when(void **state)
{
    (void)state;
    const char *call = "timeout: 30s" TWICE("1s");
    struct trial t;
    one_call(&t, call,
             "type: server, service_time: 2s, responses: [{status: 503, retry_after: 7s}]", "");
    assert_ended(&t, S(11));
    trial_close(&t);
    one_call(&t, call, "type: server, service_time: 2s, responses: [{status: 503, retry_at: 7s}]",
             "");
    assert_ended(&t, S(9));
    trial_close(&t);
    /* One that is full says so as well: the second comes again at 2.1 s. */
    calls_at(&t, "0s, 0.1s", call,
             "type: server, service_time: 1s, queue: {capacity: 0}, reject_retry_after: 2s", "");
    assert_counters(&t, "service", "requests_", "received 3, completed 2, rejected 1");
    assert_ended(&t, S(1) + S(3));
    trial_close(&t);
    one_call(&t, call,
             "type: server, service_time: 2s, responses: [{status: 503, do_not_retry: true}]", "");
    assert_ended(&t, S(2));
    assert_int_equal(trial_counter(&t, "users.failures"), 1);
    trial_close(&t);
    /* A response may take a time of its own. */
    one_call(&t, call,
             "type: server, service_time: 2s, responses: [{status: 200, service_time: 5s}]", "");
    assert_ended(&t, S(5));
    trial_close(&t);
}

/* A failure that asks not to be tried again is final, unless the caller has a verdict of its own on
 * that status; a success stays one. */
static void answers_forbid_retries(void **state)
{
    (void)state;
#define FORBIDS(status) \
    "type: probe, answers: [{after: 0.1s, status: " status ", flags: do_not_retry}]"
    struct trial t;
    one_call(&t, "timeout: 1s" TWICE("0.1s"), FORBIDS("503"), "");
    assert_users(&t, "logical_requests 1, requests_sent 1, responses_received 1, errors 1, "
                     "failures 1");
    trial_close(&t);
    one_call(&t,
             "timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 0.1s, "
             "verdicts: [{status: 503, verdict: error}]}",
             FORBIDS("503"), "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.2)});
    trial_close(&t);
    one_call(&t, "timeout: 1s" TWICE("0.1s"), FORBIDS("200"), "");
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    trial_close(&t);
}

/* What has no more than a bad content is a failure to those only who examine it. */
static void flaky_answers(void **state)
{
    (void)state;
    const char *flaky = "type: probe, answers: [{after: 0s, flags: flaky}]";
    struct trial t;
    one_call(&t, "retry: {adaptive: {jitter: 0}}", flaky, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.1), S(0.3)});
    assert_users(&t, "logical_requests 1, requests_sent 3, responses_received 3, errors 3, "
                     "retries 2, failures 1");
    trial_close(&t);
    one_call(&t, "timeout: 1s" TWICE("0.1s"), flaky, "");
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    trial_close(&t);
    one_call(&t, "retry: {adaptive: {jitter: 0}}",
             "type: server, service_time: 1s, responses: [{flaky: true}]", "");
    assert_ended(&t, S(3.3));
    trial_close(&t);
}

/* Asking until what was asked for is ready. */
static void polling(void **state)
{
    (void)state;
#define POLLS(n) \
    "retry: {kind: fixed, max_attempts: " n ", delay: 1s, retry_if: [{flags: processing}]}"
    const char *twice = "type: probe, answers: [{after: 0s, flags: processing}, "
                        "{after: 0s, status: 202, flags: processing}, {after: 0s}]";
    struct trial t;
    one_call(&t, POLLS("5"), twice, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(1), S(2)});
    assert_users(&t, "logical_requests 1, requests_sent 3, responses_received 3, errors 2, "
                     "retries 2, successes 1");
    trial_close(&t);
    one_call(&t, POLLS("2"), twice, "");
    assert_users(&t, "logical_requests 1, requests_sent 2, responses_received 2, errors 2, "
                     "retries 1, failures 1");
    trial_close(&t);
    one_call(&t, "timeout: 1s" TWICE("1s"), twice, "");
    assert_users(&t, "logical_requests 1, requests_sent 1, responses_received 1, successes 1");
    trial_close(&t);
    one_call(&t, POLLS("3"), "type: server, service_time: 1s, responses: [{processing: true}]", "");
    assert_ended(&t, S(5));
    trial_close(&t);
}

/* Up to three connections are tried, each with the whole timeout. */
static void refused_connections_are_tried_again(void **state)
{
    (void)state;
#define REFUSES(last) \
    "type: probe, answers: [{after: 0.4s, refuse: true}, {after: 0.4s, refuse: true}, " last "]"
    struct trial t;
    one_call(&t, "timeout: 0.5s, connection_attempts: 3", REFUSES("{after: 0.4s}"), "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.4), S(0.8)});
    assert_users(&t, "logical_requests 1, requests_sent 1, reconnects 2, responses_received 1, "
                     "successes 1");
    assert_ended(&t, S(1.2));
    trial_close(&t);
    one_call(&t, "timeout: 0.5s, connection_attempts: 3", REFUSES("{after: none}"), "");
    assert_users(&t, "logical_requests 1, requests_sent 1, reconnects 2, timeouts 1, failures 1");
    assert_ended(&t, S(1.3));
    trial_close(&t);
    one_call(&t, "timeout: 0.5s, connection_attempts: 2" TWICE("1s"), REFUSES("{after: 0s}"), "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.4), S(1.8)});
    assert_users(&t, "logical_requests 1, requests_sent 2, reconnects 1, refused 1, retries 1, "
                     "responses_received 1, successes 1");
    trial_close(&t);
    one_call(&t, "timeout: 0.5s" TWICE("1s"), REFUSES("{after: 0s}"), "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(1.4)});
    assert_users(&t, "logical_requests 1, requests_sent 2, refused 2, retries 1, failures 1");
    trial_close(&t);
}

/* What a server may do instead of answering. */
static void servers_refuse_break_and_drop(void **state)
{
    (void)state;
    const char *call = "timeout: 1s, connection_attempts: 2" TWICE("0.1s");
    struct trial t;
    one_call(&t, call, "type: server, responses: [{outcome: refuse}]", wire);
    assert_counters(&t, "service", "requests_", "received 4, refused 4");
    assert_users(&t, "logical_requests 1, requests_sent 2, reconnects 2, refused 2, retries 1, "
                     "failures 1");
    assert_ended(&t, S(0.5)); /* four ways there and back, and the delay */
    trial_close(&t);
    one_call(&t, call, "type: server, service_time: 0.3s, responses: [{outcome: reset}]", wire);
    assert_counters(&t, "service", "requests_", "received 2, completed 2");
    assert_users(&t, "logical_requests 1, requests_sent 2, responses_received 2, errors 2, "
                     "retries 1, failures 1");
    assert_ended(&t, S(0.9));
    trial_close(&t);
    one_call(&t, call, "type: server, service_time: 0.3s, responses: [{outcome: drop}]", wire);
    assert_counters(&t, "service", "re", "quests_received 2, quests_completed 2, plies_dropped 2");
    assert_users(&t, "logical_requests 1, requests_sent 2, timeouts 2, retries 1, failures 1");
    assert_ended(&t, S(2.1));
    trial_close(&t);
}

/* What times out while its connection is made is never sent, and nobody hears of it. */
static void no_connection_in_time(void **state)
{
    (void)state;
    const char *calls[] = {"connection_latency: 0.3s, timeout: 0.25s, cancel: timeouts",
                           "connection_latency: 0.25s, timeout: 0.25s, cancel: timeouts",
                           "connection_latency: 0.3s, deadline: 0.25s",
                           "connection_latency: 1s, timeout: 0.25s, phases: {connect: 0.5s}",
                           "connection_latency: 1s, timeout: 0.25s, phases: {connect: 0.25s}",
                           "conditioner: {latency: 0.25s}, timeout: 0.25s"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct trial t;
        one_call(&t, calls[i], silent, "");
        probe_assert_times(&t, "service", 0, NULL);
        probe_assert_cancels(&t, "service", 0, NULL);
        assert_users(&t,
                     "logical_requests 1, requests_sent 1, unwritten 1, timeouts 1, failures 1");
        assert_ended(&t, S(0.25));
        trial_close(&t);
    }
}

/* Nor is what is given up meanwhile, here a hedge at 0.3 s, which would be sent at 0.4 s; or what
 * its caller's crash ends. */
static void given_up_while_connecting(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "connection_latency: 0.3s, strategy: {kind: parallel, attempts: 2, "
             "delays: {fixed: {delay: 0.1s}}}",
             "type: probe, answers: [{after: 0s}, {after: none}]", "");
    probe_assert_times(&t, "service", 1, (sim_time[]){S(0.3)});
    probe_assert_cancels(&t, "service", 0, NULL);
    assert_users(&t, "logical_requests 1, requests_sent 2, hedges 1, responses_received 1, "
                     "cancelled 1, wasted_time 200000000, unwritten 1, successes 1");
    trial_close(&t);
    one_call(&t, "connection_latency: 0.3s", silent, "timeline: [{at: 0.1s, crash: users}]");
    probe_assert_times(&t, "service", 0, NULL);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(connections_take_time),
                                       cmocka_unit_test(connections_may_fail),
                                       cmocka_unit_test(ways_and_answers_have_limits),
                                       cmocka_unit_test(answers_say_when),
                                       cmocka_unit_test(servers_say_when),
                                       cmocka_unit_test(answers_forbid_retries),
                                       cmocka_unit_test(flaky_answers),
                                       cmocka_unit_test(polling),
                                       cmocka_unit_test(refused_connections_are_tried_again),
                                       cmocka_unit_test(servers_refuse_break_and_drop),
                                       cmocka_unit_test(no_connection_in_time),
                                       cmocka_unit_test(given_up_while_connecting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
