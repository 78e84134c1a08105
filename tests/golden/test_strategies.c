/* SPDX-License-Identifier: Apache-2.0
 *
 * Hedged requests to the nanosecond: when attempts beside the first are sent, which answer decides,
 * who is told that nobody waits, and what a round that failed leads to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "one_call.h"
#include "support/probe.h"

#define HEDGED(n, delays) "strategy: {kind: parallel, attempts: " #n ", delays: {" delays "}}"
#define CONSTANT(d)       "constant: {delay: " d "}"
#define LINEAR(d)         "linear: {min_delay: " d ", delay_multiplier: " d "}"

static const char silent[] = "type: probe, answers: [{after: none}]";

/* Those that are constant come together, those that grow one by one; a table in its own order. */
static void delays_count_from_the_start(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 1s, " HEDGED(3, CONSTANT("0.2s")), silent, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(0.2)});
    assert_users(&t, "logical_requests 1, requests_sent 3, hedges 2, timeouts 3, failures 1");
    assert_ended(&t, S(1.2));
    trial_close(&t);
    one_call(&t, "timeout: 1s, " HEDGED(3, LINEAR("0.1s")), silent, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(0.3)});
    assert_ended(&t, S(1.3));
    trial_close(&t);
    one_call(&t, "timeout: 1s, " HEDGED(3, "table: {steps: [0.3s, 0.1s]}"), silent, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.1), S(0.3)});
    assert_ended(&t, S(1.3));
    trial_close(&t);
    one_call(&t, "timeout: 1s, " HEDGED(1, CONSTANT("0.2s")), silent, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_ended(&t, S(1));
    trial_close(&t);
}

static void delays_count_from_the_previous(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 1s, strategy: {kind: parallel, reference: previous, delays: "
             "{" CONSTANT("0.2s") "}}",
             silent, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(0.4)});
    assert_ended(&t, S(1.4));
    trial_close(&t);
    one_call(&t,
             "timeout: 1s, strategy: {kind: parallel, reference: previous, delays: "
             "{" LINEAR("0.1s") "}}",
             silent, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(0.5)});
    trial_close(&t);
}

/* A rejection leaves the others to their time, unless it is to bring the next one forward. */
static void rejections_and_those_to_come(void **state)
{
    (void)state;
    const char *rejects = "type: probe, answers: [{after: 10ms, status: 503}, {after: 50ms}]";
    struct trial t;
    one_call(&t, "timeout: 1s, " HEDGED(2, CONSTANT("0.2s")), rejects, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.2)});
    assert_users(&t, "logical_requests 1, requests_sent 2, responses_received 2, errors 1, "
                     "hedges 1, hedge_wins 1, successes 1");
    assert_ended(&t, S(0.25));
    trial_close(&t);

#define NEXT(n, delays) \
    "timeout: 1s, strategy: {kind: parallel, after_failure: next, attempts: " #n \
    ", delays: {" delays "}}"
    one_call(&t, NEXT(2, CONSTANT("0.2s")), rejects, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.01)});
    assert_ended(&t, S(0.06));
    trial_close(&t);
    one_call(&t, NEXT(3, LINEAR("0.1s")),
             "type: probe, answers: [{after: 10ms, status: 503}, {after: 20ms, status: 503}, "
             "{after: 30ms}]",
             "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.01), S(0.03)});
    assert_ended(&t, S(0.06));
    trial_close(&t);
    /* The first fails when the second is under way: the third goes. */
    one_call(&t, NEXT(3, LINEAR("0.1s")),
             "type: probe, answers: [{after: 0.25s, status: 503}, {after: none}, {after: 0.1s}]",
             "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(0.25)});
    probe_assert_cancels(&t, "service", 1, (sim_time[]){S(0.35)});
    assert_ended(&t, S(0.35));
    trial_close(&t);
    /* Nothing fails: everything in its time. */
    one_call(&t, NEXT(3, LINEAR("0.1s")), "type: probe, answers: [{after: 1ms}]", "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    trial_close(&t);
    /* Brought forward, the second is what the third counts from. */
    one_call(&t,
             "timeout: 1s, strategy: {kind: parallel, after_failure: next, reference: previous, "
             "delays: {" CONSTANT("0.2s") "}}",
             "type: probe, answers: [{after: 10ms, status: 503}, {after: none}, {after: 0s}]", "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.01), S(0.21)});
    assert_ended(&t, S(0.21));
    trial_close(&t);
}

static const char wire[] = "network: [{from: users, to: service, latency: 10ms}]";

/* The first answer accepted decides: the others are given up in that instant, those under way and
 * those to come, and whoever has them is told. */
static void losers_are_given_up(void **state)
{
    (void)state;
    struct trial t;
    const char *second = "type: probe, answers: [{after: none}, {after: 150ms}, {after: none}]";
    one_call(&t, "timeout: 1s, " HEDGED(3, LINEAR("0.1s")), second, wire);
    probe_assert_times(&t, "service", 3, (sim_time[]){S(0.01), S(0.21), S(0.31)});
    probe_assert_cancels(&t, "service", 2, (sim_time[]){S(0.38), S(0.38)});
    assert_int_equal(
        probe_cancel(&t, "service", 0)->attempt + probe_cancel(&t, "service", 1)->attempt, 1 + 3);
    /* 0.37 s of the first, 0.07 s of the third */
    assert_users(&t, "logical_requests 1, requests_sent 3, hedges 2, responses_received 1, "
                     "hedge_wins 1, cancelled 2, wasted_time 440000000, successes 1");
    assert_ended(&t, S(0.37));
    trial_close(&t);
    one_call(&t, "timeout: 1s, cancel: [], " HEDGED(3, LINEAR("0.1s")), second, wire);
    probe_assert_cancels(&t, "service", 0, NULL);
    assert_int_equal(trial_counter(&t, "users.cancelled"), 2);
    trial_close(&t);
    one_call(&t, "timeout: 1s, " HEDGED(3, LINEAR("0.1s")), "type: probe, answers: [{after: 50ms}]",
             wire);
    probe_assert_times(&t, "service", 1, (sim_time[]){S(0.01)});
    probe_assert_cancels(&t, "service", 0, NULL);
    assert_users(&t, "logical_requests 1, requests_sent 1, responses_received 1, successes 1");
    assert_ended(&t, S(0.07));
    trial_close(&t);
    /* A final failure is accepted as well, and what asks not to be tried again. */
    one_call(&t, "timeout: 1s, " HEDGED(3, LINEAR("0.1s")),
             "type: probe, answers: [{after: none}, {after: 20ms, status: 404}]", "");
    probe_assert_cancels(&t, "service", 1, (sim_time[]){S(0.22)});
    assert_users(&t, "logical_requests 1, requests_sent 2, hedges 1, responses_received 1, "
                     "errors 1, hedge_wins 1, cancelled 1, wasted_time 220000000, failures 1");
    trial_close(&t);
    one_call(&t, "timeout: 1s, " HEDGED(3, LINEAR("0.1s")),
             "type: probe, answers: [{after: 10ms, status: 503, flags: do_not_retry}]", "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_ended(&t, S(0.01));
    trial_close(&t);
}

/* A server does not go on with what is cancelled, if it heeds that. It has one worker and 1 s of
 * service: the second attempt waits behind the first, which wins. */
static void cancels_free_the_server(void **state)
{
    (void)state;
    const char *call = "timeout: 10s, " HEDGED(2, CONSTANT("0.1s"));
    struct trial t;
    one_call(&t, call, "type: server, service_time: 1s, on_cancel: ignore", "");
    assert_counters(&t, "service", "requests_", "received 2, completed 2");
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(2));
    trial_close(&t);
    /* When the first one is answered the worker takes the second before it hears of the cancel. */
    one_call(&t, call, "type: server, service_time: 1s, on_cancel: dequeue", "");
    assert_counters(&t, "service", "requests_", "received 2, completed 2");
    trial_close(&t);
    one_call(&t, call, "type: server, service_time: 1s, on_cancel: abort", wire);
    /* Begun at 1.01 s and aborted at 1.03 s, a reply and a cancel later. */
    assert_counters(&t, "service", "requests_", "received 2, completed 1, cancelled 1");
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(1.02));
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(1.02));
    trial_close(&t);
}

/* When nobody is accepted the round ends with its last attempt, in the way that the first one to
 * fail did: here the one whose answer asks for 5 s. */
static void first_rejection_decides(void **state)
{
    (void)state;
#define REJECTIONS \
    "type: probe, answers: [{after: 0.4s, status: 500, flags: retry_after, retry_after: 7s}, " \
    "{after: 0.01s, status: 503, flags: retry_after, retry_after: 5s}, " \
    "{after: 0.01s, status: 502}, {after: 0s}]"
    struct trial t;
    one_call(&t, "timeout: 1s, " HEDGED(3, LINEAR("0.1s")), REJECTIONS, "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(0.3)});
    assert_users(&t, "logical_requests 1, requests_sent 3, hedges 2, responses_received 3, "
                     "errors 3, failures 1");
    assert_ended(&t, S(0.4));
    trial_close(&t);
    one_call(
        &t,
        "timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 1s}, " HEDGED(3, LINEAR("0.1s")),
        REJECTIONS, "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(0.2), S(0.3), S(5.4)});
    assert_users(&t, "logical_requests 1, requests_sent 4, hedges 2, retries 1, "
                     "responses_received 4, errors 3, successes 1");
    assert_ended(&t, S(5.4));
    trial_close(&t);
    /* A timeout at 0.1 s is the first, not the rejection at 0.21 s; and the other way round. */
    const char *on_timeout = "timeout: 0.1s, retry: {kind: fixed, max_attempts: 2, delay: 1s, "
                             "retry_on: timeout}, " HEDGED(2, CONSTANT("0.2s"));
    one_call(&t, on_timeout,
             "type: probe, answers: [{after: none}, {after: 0.01s, status: 503}, {after: 0s}]", "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(1.21)});
    trial_close(&t);
    one_call(&t, on_timeout,
             "type: probe, answers: [{after: 0.01s, status: 503}, {after: none}, {after: 0s}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.2)});
    assert_ended(&t, S(0.3));
    trial_close(&t);
}

/* Two answers in one instant: that to the earlier attempt decides, be it accepted or the first
 * rejection. */
static void ties_go_to_the_earlier_attempt(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 1s, " HEDGED(2, CONSTANT("0.2s")),
             "type: probe, answers: [{after: 0.5s}, {after: 0.3s}]", "");
    for (uint64_t replication = 0; replication < 20; replication++) {
        trial_run(&t, replication);
        assert_users(&t, "logical_requests 1, requests_sent 2, hedges 1, responses_received 1, "
                         "cancelled 1, wasted_time 300000000, late_responses 1, successes 1");
    }
    trial_close(&t);
    one_call(&t,
             "timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 1s}, " HEDGED(
                 2, CONSTANT("0.2s")),
             "type: probe, answers: ["
             "{after: 0.5s, status: 503, flags: retry_after, retry_after: 2s}, "
             "{after: 0.3s, status: 503, flags: retry_after, retry_after: 3s}, {after: 0s}]",
             "");
    for (uint64_t replication = 0; replication < 20; replication++) {
        trial_run(&t, replication);
        probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.2), S(2.5)});
    }
    trial_close(&t);
}

/* A retry repeats the whole round. */
static void rounds_are_repeated(void **state)
{
    (void)state;
    const char *twice = "timeout: 0.5s, retry: {kind: fixed, max_attempts: 2, delay: 1s}, " HEDGED(
        2, CONSTANT("0.1s"));
    struct trial t;
    one_call(&t, twice, silent, "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(0.1), S(1.6), S(1.7)});
    assert_users(&t, "logical_requests 1, requests_sent 4, hedges 2, retries 1, timeouts 4, "
                     "failures 1");
    assert_ended(&t, S(2.2));
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(probe_visit(&t, "service", i)->attempt, i + 1);
    }
    trial_close(&t);
}

/* What comes late may yet be of use: while the retry is awaited, and while it is under way. */
static void late_successes_are_accepted(void **state)
{
    (void)state;
#define LATE "timeout: 1s, accept_late: true, retry: {kind: fixed, max_attempts: 3, delay: 0.1s}"
    struct trial t;
    one_call(&t, LATE, "type: probe, answers: [{after: 1.05s}, {after: none}]", "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_users(&t, "logical_requests 1, requests_sent 1, timeouts 1, late_responses 1, "
                     "late_successes 1, successes 1");
    assert_ended(&t, S(1.05));
    trial_close(&t);
    one_call(&t, LATE, "type: probe, answers: [{after: 1.5s}, {after: none}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(1.1)});
    probe_assert_cancels(&t, "service", 1, (sim_time[]){S(1.5)});
    assert_users(&t, "logical_requests 1, requests_sent 2, retries 1, timeouts 1, cancelled 1, "
                     "wasted_time 400000000, late_responses 1, late_successes 1, successes 1");
    assert_ended(&t, S(1.5));
    trial_close(&t);
    /* Only while an attempt is out. */
    one_call(&t, LATE ", accept_between_attempts: false",
             "type: probe, answers: [{after: 1.05s}, {after: 0.25s}]", "");
    assert_users(&t, "logical_requests 1, requests_sent 2, retries 1, timeouts 1, "
                     "responses_received 1, late_responses 1, successes 1");
    assert_ended(&t, S(1.35));
    trial_close(&t);
    one_call(&t, LATE ", accept_between_attempts: false",
             "type: probe, answers: [{after: 1.5s}, {after: none}]", "");
    assert_ended(&t, S(1.5));
    trial_close(&t);
    /* A late failure is not. */
    one_call(&t, LATE, "type: probe, answers: [{after: 1.5s, status: 503}, {after: 0.5s}]", "");
    assert_users(&t, "logical_requests 1, requests_sent 2, retries 1, timeouts 1, "
                     "responses_received 1, late_responses 1, successes 1");
    assert_ended(&t, S(1.6));
    trial_close(&t);
}

/* Whoever has an attempt that timed out is told only where that is wanted. */
static void timeouts_may_cancel(void **state)
{
    (void)state;
    const char *twice = "timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 0.1s}";
    const char *told = "timeout: 1s, cancel: [losers, timeouts], "
                       "retry: {kind: fixed, max_attempts: 2, delay: 0.1s}";
    struct trial t;
    one_call(&t, twice, silent, wire);
    probe_assert_cancels(&t, "service", 0, NULL);
    trial_close(&t);
    one_call(&t, told, silent, wire);
    probe_assert_times(&t, "service", 2, (sim_time[]){S(0.01), S(1.11)});
    probe_assert_cancels(&t, "service", 2, (sim_time[]){S(1.01), S(2.11)});
    assert_int_equal(probe_cancel(&t, "service", 1)->attempt, 2);
    assert_users(&t, "logical_requests 1, requests_sent 2, retries 1, timeouts 2, failures 1");
    trial_close(&t);
}

/* A hedge at a percentile of what was seen; at the minimum, for each attempt the same, as long as
 * nothing was. Failures are not seen, nor what was given up. */
static void hedges_after_a_percentile(void **state)
{
    (void)state;
#define PERCENTILE "percentile: {percentile: 50%, minimum: 10ms, maximum: 100ms}"
    const char *call = "timeout: 1s, " HEDGED(3, PERCENTILE);
    struct trial t;
    calls_at(&t, "0s, 5s", call, "type: probe, answers: [{after: 0.3s}, {after: none}]", "");
    probe_assert_times(&t, "service", 6, (sim_time[]){0, S(0.01), S(0.01), S(5), S(5.1), S(5.2)});
    trial_close(&t);
    calls_at(&t, "0s, 5s", call,
             "type: probe, answers: [{after: 0.3s, status: 503}, {after: none}]", "");
    probe_assert_times(&t, "service", 6, (sim_time[]){0, S(0.01), S(0.01), S(5), S(5.01), S(5.01)});
    trial_close(&t);
    /* Five minutes are the window, in two steps: 450 s after the bucket began it is dropped. */
    calls_at(&t, "0s, 450s, 460s", call, "type: probe, answers: [{after: 0.3s}, {after: none}]",
             "");
    probe_assert_times(&t, "service", 9,
                       (sim_time[]){0, S(0.01), S(0.01), S(450), S(450.1), S(450.2), S(460),
                                    S(460.01), S(460.01)});
    trial_close(&t);
}

/* Reads are hedged, writes are sent once whatever the retry policy says. */
static void plans_by_method(void **state)
{
    (void)state;
#define BY_METHOD \
    HEDGED(2, CONSTANT("0.2s")) \
    ", timeout: 1s, methods: [{methods: [POST, PUT], strategy: single, " \
    "retry: {kind: fixed, max_attempts: 3, delay: 0s}}, " \
    "{methods: [PUT, DELETE], retry: {kind: fixed, max_attempts: 2, delay: 0.5s}}]}, "
    struct trial t;
    one_call(&t, BY_METHOD "requests: {read: {method: GET}", silent, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.2)});
    trial_close(&t);
    one_call(&t, BY_METHOD "requests: {write: {method: POST}", silent, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_ended(&t, S(1));
    trial_close(&t);
    one_call(&t, BY_METHOD "requests: {write: {method: PUT}", silent, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    trial_close(&t);
    one_call(&t, BY_METHOD "requests: {erase: {method: DELETE}", silent, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(1.5)});
    trial_close(&t);
}

/* gRPC's throttle: each failure takes a token of 10, and hedges and retries happen while more than
 * 5 are left. After four failures 6 are, after five 5. */
static void budgets_pay_for_hedges(void **state)
{
    (void)state;
#define THROTTLE ", timeout: 50ms, retry_budget: {throttle: {max_tokens: 10, token_ratio: 0.1}}"
    struct trial t;
    calls_at(&t, "0s, 1s, 2s, 3s", HEDGED(2, CONSTANT("0.1s")) THROTTLE, silent, "");
    probe_assert_times(&t, "service", 6, (sim_time[]){0, S(0.1), S(1), S(1.1), S(2), S(3)});
    assert_users(&t, "logical_requests 4, requests_sent 6, hedges 2, retries_denied 2, "
                     "timeouts 6, failures 4");
    /* Twice a hedge times out, twice it is not allowed when its time has come. */
    assert_ended(&t, 2 * S(0.15) + 2 * S(0.1));
    trial_close(&t);
    calls_at(&t, "0s, 1s, 2s, 3s", "retry: {kind: fixed, max_attempts: 2, delay: 0.1s}" THROTTLE,
             silent, "");
    probe_assert_times(&t, "service", 6, (sim_time[]){0, S(0.15), S(1), S(1.15), S(2), S(3)});
    assert_users(&t, "logical_requests 4, requests_sent 6, retries 2, retries_denied 2, "
                     "timeouts 6, failures 4");
    trial_close(&t);
}

/* Delays of hedges that drift over all requests of a caller are that caller's own, and are
 * forgotten when it crashes. */
static void hedges_share_decorrelated_jitter(void **state)
{
    (void)state;
#define DRIFT(base, cap) \
    "strategy: {kind: parallel, attempts: 41, reference: previous, delays: {decorrelated_jitter: " \
    "{base_delay: " base ", max_delay: " cap ", shared_state: true}}}"
    struct trial t;
    one_call(
        &t, DRIFT("1s", "9s"), silent,
        "  others: {type: client, target: elsewhere, arrivals: {times: [0s]}, call: "
        "{" DRIFT("1ms", "2ms") "}}\n"
                                "  elsewhere: {type: probe, answers: [{after: none}]}\n"
                                "timeline: [{at: 500s, crash: users}, {at: 500s, crash: others}]");
    assert_int_equal(probe_visits(&t, "service"), 41);
    sim_time previous = S(1);
    for (uint32_t i = 1; i < 41; i++) {
        sim_time gap = probe_visit(&t, "service", i)->at - probe_visit(&t, "service", i - 1)->at;
        assert_in_range(gap, S(1), 3 * previous < S(9) ? 3 * previous : S(9));
        previous = gap;
    }
    trial_close(&t);
}

/* A retry that is paid for and not sent, as a late answer comes first, is no retry under way. */
static void what_is_not_sent_is_paid_back(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 5s",
             LATE ", retry_budget: {concurrency: {budget_percent: 0%, min_retry_concurrency: 1}}",
             "type: probe, answers: [{after: 1.05s}, {after: none}]", "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(5), S(6.1), S(7.2)});
    assert_int_equal(trial_counter(&t, "users.retries_denied"), 0);
    trial_close(&t);
}

/* Also when it comes to a hedge, in its own round or in a later one. */
static void late_hedges_are_accepted(void **state)
{
    (void)state;
    const char *call = "timeout: 0.5s, accept_late: true, retry: {kind: fixed, max_attempts: 2, "
                       "delay: 1s}, " HEDGED(2, CONSTANT("0.1s"));
    struct trial t;
    one_call(&t, call, "type: probe, answers: [{after: none}, {after: 1s}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.1)});
    assert_ended(&t, S(1.1));
    assert_int_equal(trial_counter(&t, "users.late_successes"), 1);
    trial_close(&t);
    one_call(&t, call, "type: probe, answers: [{after: none}, {after: 1.55s}, {after: none}]", "");
    probe_assert_times(&t, "service", 3, (sim_time[]){0, S(0.1), S(1.6)});
    probe_assert_cancels(&t, "service", 1, (sim_time[]){S(1.65)});
    assert_ended(&t, S(1.65));
    assert_int_equal(trial_counter(&t, "users.late_successes"), 1);
    trial_close(&t);
}

/* What is not made is no failure: the next one keeps its time, when there may be tokens again. */
static void hedges_denied_hasten_nothing(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 0.35s",
             NEXT(4, LINEAR("0.1s")) ", retry_budget: {token_bucket: {capacity: 1, "
                                     "initial_share: 0, retry_cost: 1, deposit_per_request: 1, "
                                     "deposit_per_success: 0}}",
             silent, "");
    probe_assert_times(&t, "service", 4, (sim_time[]){0, S(0.2), S(0.35), S(0.4)});
    assert_int_equal(trial_counter(&t, "users.retries_denied"), 1 + 3);
    trial_close(&t);
}

/* One that a circuit breaker holds back is answered by it, and that is final. Here the first
 * attempt is the probe, and the only one allowed. */
static void breakers_answer_hedges(void **state)
{
    (void)state;
    struct trial t;
    calls_at(&t, "0s, 10s",
             "timeout: 2s, breaker: {consecutive: {failure_threshold: 1, recovery_timeout: 5s}, "
             "check: attempt}, " HEDGED(2, CONSTANT("0.1s")),
             "type: probe, answers: [{after: 0s, status: 503}, {after: 1s}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(10)});
    probe_assert_cancels(&t, "service", 1, (sim_time[]){S(10.1)});
    assert_users(&t,
                 "logical_requests 2, requests_sent 2, responses_received 1, errors 1, "
                 "hedges 2, hedge_wins 2, circuit_broken 2, cancelled 1, "
                 "wasted_time 100000000, late_responses 1, failures 2, breaker_state_changes 2, "
                 "breaker_times_opened 1");
    trial_close(&t);
}

/* A hedge that the budget does not pay for, or that the caller's own throttle holds back, is not
 * made, and the first attempt goes on; with one request begun and none ended the throttle holds
 * back half of them. */
static void hedges_may_be_held_back(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 2s, throttle: sre, " HEDGED(2, CONSTANT("0.1s")),
             "type: probe, answers: [{after: 1s}, {after: 2s}]", "");
    uint64_t held = 0;
    for (uint64_t replication = 0; replication < 100; replication++) {
        trial_run(&t, replication);
        assert_int_equal(trial_counter(&t, "users.successes"), 1);
        assert_int_equal(trial_counter(&t, "users.hedge_wins"), 0);
        assert_int_equal(trial_counter(&t, "users.throttled") + probe_visits(&t, "service"), 2);
        assert_ended(&t, S(1));
        held += trial_counter(&t, "users.throttled");
    }
    assert_in_range(held, 50 - 18, 50 + 18); /* 3.5 * sqrt(100 / 4) */
    trial_close(&t);
    /* When the first one has failed as well, the round has: as the first one did. */
    one_call(
        &t,
        "timeout: 2s, throttle: sre, retry: {kind: fixed, max_attempts: 2, delay: 1s}, " HEDGED(
            2, CONSTANT("0.1s")),
        "type: probe, answers: [{after: 1s, status: 503}]", "");
    for (uint64_t replication = 0; replication < 100; replication++) {
        trial_run(&t, replication);
        assert_int_equal(trial_counter(&t, "users.retries"), 1);
    }
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(delays_count_from_the_start),
                                       cmocka_unit_test(delays_count_from_the_previous),
                                       cmocka_unit_test(rejections_and_those_to_come),
                                       cmocka_unit_test(losers_are_given_up),
                                       cmocka_unit_test(cancels_free_the_server),
                                       cmocka_unit_test(first_rejection_decides),
                                       cmocka_unit_test(ties_go_to_the_earlier_attempt),
                                       cmocka_unit_test(rounds_are_repeated),
                                       cmocka_unit_test(late_successes_are_accepted),
                                       cmocka_unit_test(timeouts_may_cancel),
                                       cmocka_unit_test(hedges_after_a_percentile),
                                       cmocka_unit_test(plans_by_method),
                                       cmocka_unit_test(budgets_pay_for_hedges),
                                       cmocka_unit_test(hedges_share_decorrelated_jitter),
                                       cmocka_unit_test(what_is_not_sent_is_paid_back),
                                       cmocka_unit_test(late_hedges_are_accepted),
                                       cmocka_unit_test(breakers_answer_hedges),
                                       cmocka_unit_test(hedges_may_be_held_back),
                                       cmocka_unit_test(hedges_denied_hasten_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
