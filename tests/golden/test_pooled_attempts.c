/* SPDX-License-Identifier: Apache-2.0
 *
 * When attempts that go through a connection pool reach their target, to the nanosecond, and what
 * the client makes of them. Worked out by hand from entities/pooled_client.c and
 * parts/connections.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/probe.h"
#include "support/trial.h"

/* Requests at these times, made as `call` says, through a pool of one connection, over `wires`. */
static void run_over(struct trial *t, const char *wires, const char *times, const char *call,
                     const char *pool, const char *answers)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 1000s\n"
               "network: [%s]\n"
               "entities:\n"
               "  users: {type: pooled_client, target: pool, arrivals: {times: [%s]}, %s}\n"
               "  pool: {type: connection_pool, target: far, max_connections: 1, %s}\n"
               "  far: {type: probe, answers: [%s]}\n",
               wires, times, call, pool, answers);
    trial_run(t, 0);
}

static void run(struct trial *t, const char *times, const char *call, const char *pool,
                const char *answers)
{
    run_over(t, "", times, call, pool, answers);
}

struct visit {
    double at; /* [s] */
    uint32_t number;
    uint16_t attempt;
};

static void assert_visits(const struct trial *t, uint32_t n, const struct visit *visits)
{
    assert_int_equal(probe_visits(t, "far"), n);
    for (uint32_t i = 0; i < n; i++) {
        const struct probe_visit *v = probe_visit(t, "far", i);
        assert_int_equal(v->at, S(visits[i].at));
        assert_int_equal(v->number, visits[i].number);
        assert_int_equal(v->attempt, visits[i].attempt);
    }
}

struct counts {
    uint64_t sent, received, timeouts, waits, retries, successes, failures;
};

static void assert_counts(const struct trial *t, struct counts c)
{
    assert_int_equal(trial_counter(t, "users.requests_sent"), c.sent);
    assert_int_equal(trial_counter(t, "users.responses_received"), c.received);
    assert_int_equal(trial_counter(t, "users.timeouts"), c.timeouts);
    assert_int_equal(trial_counter(t, "users.connection_wait_timeouts"), c.waits);
    assert_int_equal(trial_counter(t, "users.retries"), c.retries);
    assert_int_equal(trial_counter(t, "users.successes"), c.successes);
    assert_int_equal(trial_counter(t, "users.failures"), c.failures);
    assert_int_equal(trial_level(t, "users.in_flight"), 0);
    assert_int_equal(trial_level(t, "pool.in_progress"), 0);
}

/* An attempt's time begins when it has its connection: nobody times out, however long it waits. */
static void time_begins_with_the_connection(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0.02s, 0.04s", "call: {timeout: 1.000000001s}", "connection_timeout: 60s",
        "{after: 1s}");
    assert_visits(&t, 3, (struct visit[]){{0.01, 1, 1}, {1.01, 2, 1}, {2.01, 3, 1}});
    assert_counts(&t, (struct counts){.sent = 3, .received = 3, .successes = 3});
    struct hist_counts h = {.total = 0}, latency = {.total = 0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.total, 3);
    assert_int_equal(h.min, S(1));
    assert_int_equal(h.max, S(1));
    trial_histogram(&t, "users.request_latency", &latency);
    assert_int_equal(latency.sum, S(1.01) + S(1.99) + S(2.97));
    trial_close(&t);
}

static const char twice[] =
    "call: {timeout: 0.5s, retry: {kind: fixed, max_attempts: 2, delay: 0.1s}}";

/* A timeout frees the connection at that instant, whatever the target is still doing; the next
 * attempt goes to the end of the line. */
static void timeouts_free_the_connection(void **state)
{
    (void)state;
    const char *times = "0s, 0.1s, 0.2s", *answers = "{after: 2s}, {after: 0.2s}";
    struct counts counts = {.sent = 4, .received = 3, .timeouts = 1, .retries = 1, .successes = 3};
    struct trial t;
    run(&t, times, twice, "poison_on_timeout: reuse", answers);
    assert_visits(&t, 4, (struct visit[]){{0.01, 1, 1}, {0.51, 2, 1}, {0.71, 3, 1}, {0.91, 1, 2}});
    assert_counts(&t, counts);
    assert_int_equal(trial_counter(&t, "pool.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "pool.cancels_received"), 1);
    assert_int_equal(trial_counter(&t, "users.late_responses"), 0);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    trial_close(&t);
    run(&t, times, twice, "poison_on_timeout: close, pass_cancel: true", answers);
    assert_visits(&t, 4, (struct visit[]){{0.01, 1, 1}, {0.52, 2, 1}, {0.72, 3, 1}, {0.92, 1, 2}});
    assert_counts(&t, counts);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 1);
    trial_close(&t);
}

/* At the very instant of the timeout the answer is late. */
static void ties_with_the_timeout(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s", "call: {timeout: 0.5s}", "", "{after: 0.5s}");
    for (uint64_t replication = 0; replication < 20; replication++) {
        trial_run(&t, replication);
        assert_counts(&t, (struct counts){.sent = 1, .timeouts = 1, .failures = 1});
        assert_int_equal(trial_counter(&t, "pool.late_responses"), 1);
    }
    trial_close(&t);
}

/* Who gets no connection in time has failed, without having sent anything; or tries again if that
 * is wanted. */
static void waits_that_are_too_long(void **state)
{
    (void)state;
    const char *call = "call: {retry: {kind: fixed, max_attempts: 3, delay: 0.1s}}";
    const char *pool = "connection_timeout: 0.5s", *answers = "{after: 2s}";
    struct trial t;
    run(&t, "0s, 0.1s", call, pool, answers);
    assert_visits(&t, 1, (struct visit[]){{0.01, 1, 1}});
    assert_counts(
        &t, (struct counts){.sent = 1, .received = 1, .waits = 1, .successes = 1, .failures = 1});
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "users.request_latency", &h);
    assert_int_equal(h.min, S(0.5));
    trial_close(&t);
    char again[128];
    snprintf(again, sizeof again, "%s, retry_on_connection_timeout: true", call);
    run(&t, "0s, 0.1s, 0.8s", again, pool, answers);
    /* The second one waits from 0.1, 0.7 and 1.3 s on, the third from 0.8, 1.4 and 2 s on. */
    assert_visits(&t, 2, (struct visit[]){{0.01, 1, 1}, {2.01, 3, 3}});
    assert_counts(
        &t, (struct counts){
                .sent = 2, .received = 2, .waits = 5, .retries = 4, .successes = 2, .failures = 1});
    trial_close(&t);
}

/* A connection that cannot be made is a failure like others. */
static void connections_that_fail(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s", twice, "connect_failure_rate: 1", "{}");
    assert_visits(&t, 0, NULL);
    assert_counts(&t, (struct counts){.retries = 1, .failures = 1});
    assert_int_equal(trial_counter(&t, "users.refused"), 2);
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "users.request_latency", &h);
    assert_int_equal(h.sum, S(0.12));
    trial_close(&t);
}

/* An answer counts as one even when it overtakes the word of its connection, as on a wire with
 * jitter. */
static void answers_that_overtake_the_word(void **state)
{
    (void)state;
    struct trial t;
    run_over(&t, "{from: users, to: pool, jitter: {uniform: {low: 0s, high: 1s}}}", "0s",
             "call: {timeout: 5s}", "", "{after: 0.1s}");
    uint64_t overtaken = 0;
    for (uint64_t replication = 0; replication < 20; replication++) {
        trial_run(&t, replication);
        assert_counts(&t, (struct counts){.sent = 1, .received = 1, .successes = 1});
        assert_int_equal(trial_counter(&t, "users.refused"), 0);
        struct hist_counts h = {.total = 0};
        trial_histogram(&t, "users.response_time", &h);
        assert_int_equal(h.total, 1);
        overtaken += h.min > S(1); /* with the wait for the connection in it */
    }
    assert_in_range(overtaken, 1, 19);
    trial_close(&t);
}

/* Word of a connection that comes when the attempt was given up is no answer: also one that would
 * accept late answers waits on. */
static void word_that_comes_too_late(void **state)
{
    (void)state;
    struct trial t;
    /* It is given up at 0.15 s, and there is a connection at 0.11 s, which is known at 0.21 s. */
    run_over(&t, "{from: users, to: pool, latency: 0.1s}", "0s",
             "retry_on_connection_timeout: true, call: {accept_late: true, phases: {pool: 0.15s}, "
             "retry: {kind: fixed, max_attempts: 2, delay: 1s}}",
             "", "{after: 10s}");
    assert_counts(&t, (struct counts){.waits = 2, .retries = 1, .failures = 1});
    assert_int_equal(trial_counter(&t, "users.late_responses"), 0);
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "users.request_latency", &h);
    assert_int_equal(h.sum, S(1.3));
    trial_close(&t);
}

/* An attempt that connects once more is still one. */
static void attempts_that_connect_again(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s", "call: {connection_attempts: 3}", "",
        "{refuse: true}, {refuse: true}, {after: 1s}");
    assert_visits(&t, 3, (struct visit[]){{0.01, 1, 1}, {0.01, 1, 1}, {0.01, 1, 1}});
    assert_counts(&t, (struct counts){.sent = 1, .received = 1, .successes = 1});
    assert_int_equal(trial_counter(&t, "users.reconnects"), 2);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(time_begins_with_the_connection),
                                       cmocka_unit_test(timeouts_free_the_connection),
                                       cmocka_unit_test(ties_with_the_timeout),
                                       cmocka_unit_test(waits_that_are_too_long),
                                       cmocka_unit_test(connections_that_fail),
                                       cmocka_unit_test(answers_that_overtake_the_word),
                                       cmocka_unit_test(word_that_comes_too_late),
                                       cmocka_unit_test(attempts_that_connect_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
