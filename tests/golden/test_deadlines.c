/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines and priorities to the nanosecond: what is not begun, how attempts share what is left,
 * what the callee knows of it, and what that hands on.
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
static const char wire[] = "network: [{from: users, to: service, latency: 100ms}]";

#define TWICE(delay) ", retry: {kind: fixed, max_attempts: 2, delay: " delay "}"

/* An attempt has what is left; its callee is told how much that is, or when it ends. */
static void deadlines_limit_attempts(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 3s, deadline: 1s" TWICE("0.1s"), silent, wire);
    probe_assert_times(&t, "service", 1, (sim_time[]){S(0.1)});
    assert_int_equal(probe_visit(&t, "service", 0)->deadline, S(1));
    assert_int_equal(probe_visit(&t, "service", 0)->flags, REQUEST_RELATIVE);
    assert_users(&t, "logical_requests 1, requests_sent 1, timeouts 1, failures 1");
    assert_ended(&t, S(1));
    trial_close(&t);
    one_call(&t, "timeout: 0.3s, deadline: 1s" TWICE("0.2s"), silent, wire);
    probe_assert_times(&t, "service", 2, (sim_time[]){S(0.1), S(0.6)});
    assert_int_equal(probe_visit(&t, "service", 1)->deadline, S(0.5));
    assert_ended(&t, S(0.8));
    trial_close(&t);
    one_call(&t, "timeout: 0.3s, deadline: 1s, deadline_accounting: absolute" TWICE("0.2s"), silent,
             wire);
    assert_int_equal(probe_visit(&t, "service", 1)->deadline, S(1));
    assert_int_equal(probe_visit(&t, "service", 1)->flags, 0);
    trial_close(&t);
    one_call(&t, "timeout: 0.3s", silent, wire);
    assert_int_equal(probe_visit(&t, "service", 0)->deadline, SIM_TIME_NEVER);
    assert_int_equal(probe_visit(&t, "service", 0)->flags, 0);
    trial_close(&t);
}

/* There is no retry when less is left than its delay; when as much is, it is begun, and not sent
 * for lack of time. */
static void too_late_to_try_again(void **state)
{
    (void)state;
    const struct {
        const char *after, *counters;
        sim_time again, ends;
    } cases[] = {
        {"0.95s", "requests_sent 1", 0, S(0.95)},
        {"0.9s", "requests_sent 1, retries 1, low_timeouts 1", 0, S(1)},
        {"0.895000001s", "requests_sent 1, retries 1, low_timeouts 1", 0, S(0.995000001)},
        {"0.895s", "requests_sent 2, retries 1, timeouts 1", S(0.995), S(1)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char service[128], counters[256];
        snprintf(service, sizeof service,
                 "type: probe, answers: [{after: %s, status: 503}, {after: none}]", cases[i].after);
        struct trial t;
        one_call(&t, "deadline: 1s, retry: {kind: fixed, max_attempts: 3, delay: 0.1s}", service,
                 "");
        probe_assert_times(&t, "service", cases[i].again ? 2 : 1, (sim_time[]){0, cases[i].again});
        snprintf(counters, sizeof counters,
                 "logical_requests 1, responses_received 1, errors 1, failures 1, %s",
                 cases[i].counters);
        assert_users(&t, counters);
        assert_ended(&t, cases[i].ends);
        trial_close(&t);
    }
}

/* What an answer asks to wait for counts like any delay. */
static void answers_may_ask_for_too_much(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "deadline: 5s" TWICE("0.1s"),
             "type: probe, answers: [{after: 1s, status: 503, flags: retry_after, "
             "retry_after: 4.000000001s}]",
             "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_ended(&t, S(1));
    trial_close(&t);
}

/* Without any time left nothing is sent, whatever the threshold. */
static void a_retry_at_the_deadline(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "deadline: 1s, low_timeout_threshold: 0s" TWICE("0s"), silent, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_users(&t, "logical_requests 1, requests_sent 1, timeouts 1, retries 1, low_timeouts 1, "
                     "failures 1");
    assert_ended(&t, S(1));
    trial_close(&t);
}

#define SPLIT  "deadline: 9s, deadline_split: between_attempts"
#define THRICE ", retry: {kind: fixed, max_attempts: 3, delay: 0s}"

static void assert_parts(const struct trial *t, uint32_t n, const sim_time *parts)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(probe_visit(t, "service", i)->deadline, parts[i]);
    }
}

/* Of 9 s three attempts have 3 s each, and what the first ones do not use is for the others. */
static void attempts_share_the_deadline(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, SPLIT THRICE, silent, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(3), S(6)});
    assert_parts(&t, 3, (sim_time[]){S(3), S(3), S(3)});
    assert_ended(&t, S(9));
    trial_close(&t);
    one_call(&t, SPLIT THRICE,
             "type: probe, answers: [{after: 1s, status: 503}, {after: 1s, status: 503}, "
             "{after: none}]",
             "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(1), S(2)});
    assert_parts(&t, 3, (sim_time[]){S(3), S(4), S(7)});
    assert_ended(&t, S(9));
    trial_close(&t);
    /* Among two, so that nothing is left for the third. */
    one_call(&t, SPLIT ", split_attempts: 2" THRICE, silent, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(4.5)});
    assert_parts(&t, 2, (sim_time[]){S(4.5), S(4.5)});
    assert_int_equal(trial_counter(&t, "users.low_timeouts"), 1);
    assert_ended(&t, S(9));
    trial_close(&t);
    one_call(&t, SPLIT ", split_attempts: 5" THRICE, silent, "");
    assert_parts(&t, 3, (sim_time[]){S(3), S(3), S(3)});
    trial_close(&t);
    one_call(&t, SPLIT ", strategy: single" THRICE, silent, "");
    assert_parts(&t, 1, (sim_time[]){S(9)});
    trial_close(&t);
}

/* The client does not send with less than the threshold, the server does not serve with the
 * threshold itself; and what it answers then is tried again. */
static void thresholds_on_both_sides(void **state)
{
    (void)state;
    const char *server = "type: server, service_time: 1ms, middleware: deadline";
    struct trial t;
    one_call(&t, "deadline: 4.999999ms" TWICE("0s"), server, "");
    assert_users(&t, "logical_requests 1, low_timeouts 1, failures 1");
    assert_counters(&t, "service", "requests_", "");
    trial_close(&t);
    one_call(&t, "deadline: 5ms" TWICE("0s"), server, "");
    assert_users(&t, "logical_requests 1, requests_sent 2, responses_received 2, errors 2, "
                     "retries 1, failures 1");
    assert_counters(&t, "service", "re", "quests_received 2, jected_low_timeout 2");
    assert_ended(&t, 0);
    trial_close(&t);
    one_call(&t, "deadline: 5.000001ms" TWICE("0s"), server, "");
    assert_users(&t, "logical_requests 1, requests_sent 1, responses_received 1, successes 1");
    assert_counters(&t, "service", "requests_", "received 1, completed 1");
    trial_close(&t);
    one_call(&t, "deadline: 10ms",
             "type: server, service_time: 1ms, "
             "middleware: {deadline: {low_timeout_threshold: 10ms}}",
             "");
    assert_int_equal(trial_counter(&t, "service.rejected_low_timeout"), 1);
    trial_close(&t);
}

/* The time on the way does not count when the callee's clock starts anew, and does when it is told
 * the instant. */
static void time_on_the_way(void **state)
{
    (void)state;
    const char *server = "type: server, service_time: 0.95s, "
                         "middleware: {deadline: {cancel_on_timeout: true}}";
    struct trial t;
    one_call(&t, "deadline: 1s", server, wire);
    /* from 0.1 s to 1.1 s; the client waits until 1 s */
    assert_counters(&t, "service", "requests_", "received 1, completed 1");
    assert_users(&t, "logical_requests 1, requests_sent 1, timeouts 1, late_responses 1, "
                     "failures 1");
    trial_close(&t);
    one_call(&t, "deadline: 1s, deadline_accounting: absolute", server, wire);
    assert_counters(&t, "service", "requests_", "received 1");
    assert_int_equal(trial_counter(&t, "service.deadline_exceeded"), 1);
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(0.9));
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(0.9));
    trial_close(&t);
}

/* Likewise the time in the queue: what has waited for 5 s with 2 s to go is not worked on. */
static void time_in_the_queue(void **state)
{
    (void)state;
    const char *server = "type: server, service_time: 5s, middleware: deadline";
    struct trial t;
    calls_at(&t, "0s, 0s", "deadline: 2s, deadline_accounting: absolute", server, "");
    assert_counters(&t, "service", "re",
                    "quests_received 2, quests_completed 1, "
                    "jected_low_timeout 1");
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(5));
    assert_int_equal(trial_integral(&t, "service.queue_depth"), S(5));
    assert_users(&t, "logical_requests 2, requests_sent 2, timeouts 2, late_responses 2, "
                     "failures 2");
    trial_close(&t);
    calls_at(&t, "0s, 0s", "deadline: 2s", server, "");
    assert_counters(&t, "service", "requests_", "received 2, completed 2");
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(10));
    trial_close(&t);
}

/* The server's own limit: the work goes on, or it ends with 408, which is tried again. */
static void servers_have_deadlines_of_their_own(void **state)
{
    (void)state;
    const char *call = "timeout: 2s" TWICE("0.1s");
    struct trial t;
    one_call(&t, call, "type: server, service_time: 1s, middleware: {deadline: {timeout: 0.4s}}",
             "");
    assert_users(&t, "logical_requests 1, requests_sent 1, responses_received 1, successes 1");
    assert_ended(&t, S(1));
    trial_close(&t);
#define ABORTS "middleware: {deadline: {timeout: 0.4s, cancel_on_timeout: true}}"
    one_call(&t, call, "type: server, service_time: 1s, " ABORTS, "");
    assert_users(&t, "logical_requests 1, requests_sent 2, responses_received 2, errors 2, "
                     "retries 1, failures 1");
    assert_counters(&t, "service", "requests_", "received 2");
    assert_int_equal(trial_counter(&t, "service.deadline_exceeded"), 2);
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(0.8));
    assert_ended(&t, S(0.9));
    trial_close(&t);
    /* At the very instant of the deadline the work is not done; a nanosecond before it is. */
    one_call(&t, "timeout: 2s", "type: server, service_time: 0.4s, " ABORTS, "");
    assert_int_equal(trial_counter(&t, "service.deadline_exceeded"), 1);
    trial_close(&t);
    one_call(&t, "timeout: 2s", "type: server, service_time: 0.399999999s, " ABORTS, "");
    assert_int_equal(trial_counter(&t, "service.requests_completed"), 1);
    trial_close(&t);
    /* Who is called for it is told. */
    one_call(&t, "timeout: 2s",
             "type: server, service_time: 0.1s, calls: [{target: seen}], " ABORTS,
             "  seen: {type: probe, answers: [{after: none}]}");
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(0.1)});
    probe_assert_cancels(&t, "seen", 1, (sim_time[]){S(0.4)});
    assert_int_equal(trial_counter(&t, "service.downstream_abandoned"), 1);
    assert_ended(&t, S(0.4));
    trial_close(&t);
}

/* What a callee sees that a server calls after `service_time`, for a request made by `call`. */
static sim_time handed_on(const char *call, const char *service_time, const char *middleware,
                          const char *downstream)
{
    char service[256];
    snprintf(service, sizeof service,
             "type: server, service_time: %s, middleware: %s, calls: [{target: seen%s}]",
             service_time, middleware, downstream);
    struct trial t;
    one_call(&t, call, service, "  seen: {type: probe}");
    assert_int_equal(probe_visits(&t, "seen"), 1);
    sim_time deadline = probe_visit(&t, "seen", 0)->deadline;
    trial_close(&t);
    return deadline;
}

/* The deadline of a request limits what is done for it, if its server knows it. */
static void deadlines_are_handed_on(void **state)
{
    (void)state;
    const char *kept = "{deadline: {timeout: 3s}}";
    assert_int_equal(handed_on("deadline: 30s", "7s", "deadline", ""), S(23));
    assert_int_equal(handed_on("deadline: 10s", "8s", "deadline", ""), S(2));
    assert_int_equal(handed_on("deadline: 10s", "8s", "deadline", ", deadline: 1s"), S(2));
    assert_int_equal(
        handed_on("deadline: 10s", "8s", "deadline", ", deadline: 1s, inherit_deadline: false"),
        S(1));
    assert_int_equal(handed_on("deadline: 10s", "8s", "none", ""), SIM_TIME_NEVER);
    assert_int_equal(handed_on("deadline: 10s", "8s", "none", ", deadline: 1s"), S(1));
    /* Its own limit is for those without: */
    assert_int_equal(handed_on("timeout: 10s", "1s", kept, ", deadline: 10s"), S(2));
    assert_int_equal(handed_on("deadline: 5s", "1s", kept, ", deadline: 10s"), S(4));
    assert_int_equal(handed_on("deadline: 10s, deadline_accounting: absolute", "8s", "deadline",
                               ", deadline_accounting: absolute"),
                     S(10));
    /* A chain of two: 30 s, of which 7 s and 4 s are used. */
    struct trial t;
    one_call(&t, "deadline: 30s",
             "type: server, service_time: 7s, middleware: deadline, calls: [{target: second}]",
             "  second: {type: server, service_time: 4s, middleware: deadline, "
             "calls: [{target: seen}]}\n"
             "  seen: {type: probe}");
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(11)});
    assert_int_equal(probe_visit(&t, "seen", 0)->deadline, S(19));
    trial_close(&t);
}

/* High and low meet in the middle; else the call's own priority counts, and without one that of
 * what it is made for. */
static void priorities_are_combined(void **state)
{
    (void)state;
    static const char *const words[] = {"high", "normal", "low", "inherit"};
    static const int combined[4][3] = {
        /* ambient: high, normal, low; own: */
        {0, 0, 1}, /* high */
        {1, 1, 1}, /* normal */
        {1, 2, 2}, /* low */
        {0, 1, 2}, /* inherit */
    };
    for (int own = 0; own < 4; own++) {
        for (int ambient = 0; ambient < 3; ambient++) {
            char call[128], service[128];
            snprintf(call, sizeof call, "timeout: 1s}, requests: {any: {priority: %s}",
                     words[ambient]);
            snprintf(service, sizeof service, "type: server, calls: [{target: seen, priority: %s}]",
                     words[own]);
            struct trial t;
            one_call(&t, call, service, "  seen: {type: probe}");
            assert_int_equal(probe_visit(&t, "seen", 0)->priority, combined[own][ambient]);
            trial_close(&t);
        }
    }
}

/* Budgets of classes are a limit, too: one try, three retries that pass and two that are flaky. */
static void budgets_share_the_deadline(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, SPLIT ", retry: {adaptive: {transient_budget: 3, base_delay: 1s, jitter: 0}}",
             silent, "");
    /* 9 s / 6; after 1.5 s and 1 s, 6.5 s / 5; after 1.3 s and 2 s, 3.2 s / 4 */
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(2.5), S(5.8)});
    assert_parts(&t, 3, (sim_time[]){S(1.5), S(1.3), S(0.8)});
    /* at 6.6 s, 2.4 s are less than a delay of 4 s */
    assert_ended(&t, S(6.6));
    trial_close(&t);
}

/* A connection tried once more is the same attempt: it has no more of the deadline. */
static void reconnecting_has_the_same_part(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, SPLIT ", connection_attempts: 2" THRICE,
             "type: probe, answers: [{after: 1s, refuse: true}, {after: none}]", "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(1), S(3), S(6)});
    assert_parts(&t, 4, (sim_time[]){S(3), S(2), S(3), S(3)});
    assert_users(&t, "logical_requests 1, requests_sent 3, reconnects 1, retries 2, timeouts 3, "
                     "failures 1");
    assert_ended(&t, S(9));
    trial_close(&t);
}

/* A hedge that is to come later than the deadline comes at the deadline, and is not sent; one that
 * comes right before it ends the request. */
static void hedges_heed_the_deadline(void **state)
{
    (void)state;
#define HEDGED(delay) \
    "deadline: 1s, strategy: {kind: parallel, attempts: 2, delays: {fixed: {delay: " delay "}}}"
    struct trial t;
    one_call(&t, HEDGED("5s"), silent, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_users(&t, "logical_requests 1, requests_sent 1, timeouts 1, hedges 1, hedge_wins 1, "
                     "low_timeouts 1, failures 1");
    assert_ended(&t, S(1));
    trial_close(&t);
    one_call(&t, HEDGED("0.998s"), silent, "");
    probe_assert_cancels(&t, "service", 1, (sim_time[]){S(0.998)});
    assert_users(&t, "logical_requests 1, requests_sent 1, hedges 1, hedge_wins 1, cancelled 1, "
                     "wasted_time 998000000, low_timeouts 1, failures 1");
    assert_ended(&t, S(0.998));
    trial_close(&t);
    one_call(&t, HEDGED("0.995s"), silent, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.995)});
    assert_users(&t, "logical_requests 1, requests_sent 2, hedges 1, timeouts 2, failures 1");
    assert_ended(&t, S(1));
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(deadlines_limit_attempts),
                                       cmocka_unit_test(too_late_to_try_again),
                                       cmocka_unit_test(answers_may_ask_for_too_much),
                                       cmocka_unit_test(a_retry_at_the_deadline),
                                       cmocka_unit_test(attempts_share_the_deadline),
                                       cmocka_unit_test(thresholds_on_both_sides),
                                       cmocka_unit_test(time_on_the_way),
                                       cmocka_unit_test(time_in_the_queue),
                                       cmocka_unit_test(servers_have_deadlines_of_their_own),
                                       cmocka_unit_test(deadlines_are_handed_on),
                                       cmocka_unit_test(priorities_are_combined),
                                       cmocka_unit_test(budgets_share_the_deadline),
                                       cmocka_unit_test(reconnecting_has_the_same_part),
                                       cmocka_unit_test(hedges_heed_the_deadline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
