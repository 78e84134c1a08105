/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written down of calls where a study asks for it: how attempts and requests ended and why
 * they were tried again, by target and status, and the rows of the trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/trace.h"
#include "policies/breaker.h"
#include "support/trial.h"

#define MS(x) ((sim_time)(x)*SIM_TIME_MS)

/* Two requests to `far` at 1 s and 2 s, everything of which is written down. */
static void run(struct trial *t, const char *call, const char *answers)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 10s\n"
               "entities:\n"
               "  users: {type: client, target: far, arrivals: {times: [1s, 2s]}, call: {%s}}\n"
               "  far: {type: probe, answers: [%s]}\n"
               "output: {breakdowns: [users], trace: {entities: [users]}}\n",
               call, answers);
    trial_run(t, 0);
}

/* So many ends by this status, an answer's or an enum attempt_error, which took `sum` [ns]. */
static void assert_ends(const struct trial *t, const char *stat, const char *peer, uint16_t status,
                        uint64_t count, sim_time sum)
{
    struct hist_counts h = {0};
    trial_breakdown(t, stat, peer, status, &h);
    assert_int_equal(h.total, count);
    assert_int_equal(h.sum, sum);
}

/* The rows of `users`, their requests counted from the first. */
static void assert_rows(const struct trial *t, uint32_t n, const struct trace_row *expected)
{
    const struct trace_row *row = NULL;
    entity_id users = trial_entity(t, "users");
    uint64_t first = 0;
    for (uint32_t i = 0; i < n; i++) {
        row = sim_trace_next(t->sim, users, row);
        assert_non_null(row);
        first = i == 0 ? row->request : first;
        assert_int_equal(row->kind, expected[i].kind);
        assert_int_equal(row->time, expected[i].time);
        assert_int_equal(row->attempt, expected[i].attempt);
        assert_int_equal(row->status, expected[i].status);
        assert_int_equal(row->error, expected[i].error);
        assert_int_equal(row->wait, expected[i].wait);
        assert_int_equal(row->total, expected[i].total);
        if (row->kind != TRACE_STATE) {
            assert_int_equal(row->request - first, expected[i].request);
        }
    }
    assert_null(sim_trace_next(t->sim, users, row));
}

/* The first request fails with 503 after 30 ms and by its timeout of 100 ms, each time with a wait
 * of 50 ms, and is answered after another 20 ms. The second one is answered after 10 ms. */
static void run_two_retries(struct trial *t)
{
    run(t, "timeout: 100ms, retry: {kind: fixed, max_attempts: 3, delay: 50ms}",
        "{after: 30ms, status: 503}, {after: none}, {after: 20ms}, {after: 10ms}");
}

static void attempts_requests_and_reasons_are_told_apart(void **state)
{
    (void)state;
    struct trial t;
    run_two_retries(&t);
    assert_ends(&t, "users.attempt_latency", "far", 200, 2, MS(30));
    assert_ends(&t, "users.attempt_latency", "far", 503, 1, MS(30));
    assert_ends(&t, "users.attempt_latency", "far", ERROR_TIMEOUT, 1, MS(100));
    assert_ends(&t, "users.outcome_latency", "far", 200, 2, MS(260));
    assert_ends(&t, "users.outcome_latency", "far", 503, 0, 0);
    assert_ends(&t, "users.retry_reasons", "far", 503, 1, MS(50));
    assert_ends(&t, "users.retry_reasons", "far", ERROR_TIMEOUT, 1, MS(50));
    assert_ends(&t, "users.retry_reasons", "far", 200, 0, 0);
    trial_close(&t);
}

static void attempts_retries_and_ends_are_traced(void **state)
{
    (void)state;
    struct trial t;
    run_two_retries(&t);
    assert_rows(
        &t, 8,
        (struct trace_row[]){
            {.kind = TRACE_REQUEST, .time = MS(1000), .attempt = 1},
            {.kind = TRACE_RETRY, .time = MS(1030), .attempt = 2, .wait = MS(50), .status = 503},
            {.kind = TRACE_REQUEST, .time = MS(1080), .attempt = 2},
            {.kind = TRACE_RETRY,
             .time = MS(1180),
             .attempt = 3,
             .wait = MS(50),
             .error = ERROR_TIMEOUT},
            {.kind = TRACE_REQUEST, .time = MS(1230), .attempt = 3},
            {.kind = TRACE_SUCCESS,
             .time = MS(1250),
             .attempt = 3,
             .total = MS(250),
             .status = 200},
            {.kind = TRACE_REQUEST, .time = MS(2000), .request = 1, .attempt = 1},
            {.kind = TRACE_SUCCESS,
             .time = MS(2010),
             .request = 1,
             .attempt = 1,
             .total = MS(10),
             .status = 200}});
    trial_close(&t);
}

/* The first request opens the breaker, which does not let the second one through. */
static void refusals_of_breakers_are_an_end_of_their_own(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "breaker: {consecutive: {failure_threshold: 1}}", "{after: 30ms, status: 503}");
    assert_ends(&t, "users.outcome_latency", "far", 503, 1, MS(30));
    assert_ends(&t, "users.outcome_latency", "far", ERROR_CIRCUIT_OPEN, 1, 0);
    assert_rows(
        &t, 5,
        (struct trace_row[]){
            {.kind = TRACE_REQUEST, .time = MS(1000), .attempt = 1},
            {.kind = TRACE_STATE, .time = MS(1030), .status = BREAKER_OPEN},
            {.kind = TRACE_FAILURE, .time = MS(1030), .attempt = 1, .total = MS(30), .status = 503},
            {.kind = TRACE_REQUEST, .time = MS(2000), .request = 1, .attempt = 1},
            {.kind = TRACE_FAILURE,
             .time = MS(2000),
             .request = 1,
             .attempt = 1,
             .error = ERROR_CIRCUIT_OPEN}});
    trial_close(&t);
}

/* A server's answers, by who asked. */
static void answers_are_told_apart_by_caller(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: web, arrivals: {times: [1s, 2s]}}\n"
                   "  others: {type: client, target: web, arrivals: {times: [2.001s, 2.002s]}}\n"
                   "  web: {type: server, service_time: 5ms, queue: {capacity: 1}}\n"
                   "output: {breakdowns: [web]}\n");
    trial_run(&t, 0);
    /* The first of the others waits for 4 ms, the second finds the queue full. */
    assert_ends(&t, "web.response_latency", "users", 200, 2, MS(10));
    assert_ends(&t, "web.response_latency", "others", 200, 1, MS(9));
    assert_ends(&t, "web.response_latency", "others", 503, 1, 0);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_requests_and_reasons_are_told_apart),
        cmocka_unit_test(attempts_retries_and_ends_are_traced),
        cmocka_unit_test(refusals_of_breakers_are_an_end_of_their_own),
        cmocka_unit_test(answers_are_told_apart_by_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
