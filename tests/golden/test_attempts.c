/* SPDX-License-Identifier: Apache-2.0
 *
 * When a client sends its attempts, to the nanosecond, and what it counts. The sequences are worked
 * out by hand from the definitions in parts/caller.h and policies/retry.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "one_call.h"
#include "support/probe.h"

struct counts {
    uint64_t logical, sent, received, timeouts, errors, retries, successes, failures, late;
};

static void assert_counts(const struct trial *t, struct counts c)
{
    assert_int_equal(trial_counter(t, "users.logical_requests"), c.logical);
    assert_int_equal(trial_counter(t, "users.requests_sent"), c.sent);
    assert_int_equal(trial_counter(t, "users.responses_received"), c.received);
    assert_int_equal(trial_counter(t, "users.timeouts"), c.timeouts);
    assert_int_equal(trial_counter(t, "users.errors"), c.errors);
    assert_int_equal(trial_counter(t, "users.retries"), c.retries);
    assert_int_equal(trial_counter(t, "users.successes"), c.successes);
    assert_int_equal(trial_counter(t, "users.failures"), c.failures);
    assert_int_equal(trial_counter(t, "users.late_responses"), c.late);
}

static const char silent[] = "type: probe, answers: [{after: none}]";

static void exponential_backoff(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 1s, retry: {kind: exponential, max_attempts: 5, initial_delay: 0.5s, "
             "max_delay: 100s}",
             silent, "");
    probe_assert_times(&t, "service", 5, (sim_time[]){0, S(1.5), S(3.5), S(6.5), S(11.5)});
    assert_counts(
        &t, (struct counts){.logical = 1, .sent = 5, .timeouts = 5, .retries = 4, .failures = 1});
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(probe_visit(&t, "service", i)->attempt, i + 1);
        assert_int_equal(probe_visit(&t, "service", i)->number, 1);
    }
    struct hist_counts h = {0};
    trial_histogram(&t, "users.request_latency", &h);
    assert_int_equal(h.total, 1);
    assert_int_equal(h.sum, S(12.5));
    trial_close(&t);
}

/* The exponent counts from the attempt before: the first delay comes twice. */
static void backoff_that_begins_twice(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 1s, retry: {kind: exponential, max_attempts: 5, initial_delay: 0.5s, "
             "max_delay: 100s, exponent_offset: -2}",
             silent, "");
    probe_assert_times(&t, "service", 5, (sim_time[]){0, S(1.5), S(3), S(5), S(8)});
    trial_close(&t);
}

static void backoff_with_a_cap(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 100ms, retry: {kind: exponential, max_attempts: 8, initial_delay: 200ms, "
             "multiplier: 2, max_delay: 10s}",
             silent, "");
    /* 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10 after a timeout each. */
    probe_assert_times(&t, "service", 8,
                       (sim_time[]){0, S(0.3), S(0.8), S(1.7), S(3.4), S(6.7), S(13.2), S(23.3)});
    trial_close(&t);
}

/* Delays between base and thrice the one before lie within their bounds, and differ. */
static void decorrelated_jitter(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t,
             "timeout: 0.1s, retry: {kind: decorrelated_jitter, max_attempts: 40, base_delay: 1s, "
             "max_delay: 8s}",
             silent, "");
    assert_int_equal(probe_visits(&t, "service"), 40);
    sim_time previous = S(1), largest = 0;
    for (uint32_t i = 1; i < 40; i++) {
        sim_time gap = probe_visit(&t, "service", i)->at - probe_visit(&t, "service", i - 1)->at;
        sim_time delay = gap - S(0.1);
        sim_time most = 3 * previous < S(8) ? 3 * previous : S(8);
        assert_in_range(delay, S(1), most);
        previous = delay;
        largest = delay > largest ? delay : largest;
    }
    assert_true(largest > S(4));
    trial_close(&t);
}

static const char thrice[] = "timeout: 1s, retry: {kind: fixed, max_attempts: 3, delay: 0.1s}";

/* Nobody answers, in four ways. */
static void dead_targets(void **state)
{
    (void)state;
    struct counts dead = {.logical = 1, .sent = 3, .timeouts = 3, .retries = 2, .failures = 1};
    struct trial t;
    one_call(&t, thrice, "type: server", "timeline: [{at: 0s, crash: service}]");
    assert_counts(&t, dead);
    assert_int_equal(trial_counter(&t, "service.requests_received"), 0);
    assert_int_equal(trial_counter(&t, "users.messages_lost"), 0);
    trial_close(&t);
    one_call(&t, thrice, "type: server", "network: [{from: users, to: service, loss: 1}]");
    assert_counts(&t, dead);
    assert_int_equal(trial_counter(&t, "service.requests_received"), 0);
    assert_int_equal(trial_counter(&t, "users.messages_lost"), 3);
    trial_close(&t);
    one_call(&t, thrice, "type: server, on_reject: drop, queue: {capacity: 0}, service_time: 100s",
             "");
    dead.late = 1; /* the first one was taken in */
    assert_counts(&t, dead);
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 2);
    trial_close(&t);
    one_call(&t, thrice, silent, "");
    dead.late = 0;
    assert_counts(&t, dead);
    trial_close(&t);
}

/* Answers that come after the timeout of their attempt are of no use: not while the next attempt
 * is out, not while the client waits to send it, not after the end. */
static void late_answers(void **state)
{
    (void)state;
    struct counts late = {
        .logical = 1, .sent = 3, .timeouts = 3, .retries = 2, .failures = 1, .late = 3};
    const sim_time sends[] = {0, S(1.1), S(2.2)};
    struct trial t;
    one_call(&t, thrice, "type: probe, answers: [{after: 1.5s}]", "");
    probe_assert_times(&t, "service", 3, sends);
    assert_counts(&t, late);
    trial_close(&t);
    one_call(&t, thrice, "type: probe, answers: [{after: 1.05s}]", "");
    probe_assert_times(&t, "service", 3, sends);
    assert_counts(&t, late);
    trial_close(&t);
    one_call(&t, thrice, "type: server, service_time: 1.5s", "");
    assert_counts(&t, late);
    assert_int_equal(trial_counter(&t, "service.requests_completed"), 3);
    trial_close(&t);
    one_call(&t, thrice, "type: probe, answers: [{after: 1.5s}, {after: 1.5s}, {after: 0.25s}]",
             "");
    /* The first answer comes at 1.5 s, the third at 2.45 s and in time, the second at 2.6 s. */
    assert_counts(&t, (struct counts){.logical = 1,
                                      .sent = 3,
                                      .received = 1,
                                      .timeouts = 2,
                                      .retries = 2,
                                      .successes = 1,
                                      .late = 2});
    trial_close(&t);
}

/* At the very instant of the timeout the answer is late, whatever way it came; a nanosecond before
 * it is in time. */
static void ties_with_the_timeout(void **state)
{
    (void)state;
    const char *once = "timeout: 1s";
    struct counts lost = {.logical = 1, .sent = 1, .timeouts = 1, .failures = 1, .late = 1};
    struct counts won = {.logical = 1, .sent = 1, .received = 1, .successes = 1};
    const char *wire = "network: [{from: users, to: service, latency: 250ms}]";
    const struct {
        const char *service, *rest;
        const struct counts *counts;
    } cases[] = {
        {"type: server, service_time: 1s", "", &lost},
        {"type: server, service_time: 0.999999999s", "", &won},
        {"type: server, service_time: 0.5s", wire, &lost},
        {"type: server, service_time: 0.499999999s", wire, &won},
        {"type: delay, latency: 1s", "", &lost},
        {"type: delay, latency: 0.5s", wire, &lost},
        {"type: delay, latency: 0.499999999s", wire, &won},
        {"type: server, service_time: {uniform: {low: 0.5s, high: 0.5s}}", wire, &lost},
        {"type: probe, answers: [{after: 1s}]", "", &lost},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        one_call(&t, once, cases[i].service, cases[i].rest);
        /* Ties between entities are broken by chance; this one must not be. */
        for (uint64_t replication = 0; replication < 20; replication++) {
            trial_run(&t, replication);
            assert_counts(&t, *cases[i].counts);
        }
        trial_close(&t);
    }
}

/* A timeout of nothing comes before any answer. */
static void no_time_at_all(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 0s, retry: {kind: fixed, max_attempts: 4, delay: 0s}",
             "type: server, service_time: 0s", "");
    assert_counts(
        &t, (struct counts){
                .logical = 1, .sent = 4, .timeouts = 4, .retries = 3, .failures = 1, .late = 4});
    trial_close(&t);
}

/* Without a timeout a request that got lost stays in flight for ever. */
static void no_timeout(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: none, retry: {kind: fixed, max_attempts: 4, delay: 0s}", silent, "");
    assert_counts(&t, (struct counts){.logical = 1, .sent = 1});
    assert_int_equal(trial_level(&t, "users.in_flight"), 1);
    assert_int_equal(trial_integral(&t, "users.in_flight"), S(1000));
    trial_close(&t);
}

/* Which answers are tried again: passing failures, and only if the policy says so. */
static void answers_and_retries(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, thrice, "type: probe, answers: [{after: 10ms, status: 503}, {after: 20ms}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(0.11)});
    assert_counts(
        &t, (struct counts){
                .logical = 1, .sent = 2, .received = 2, .errors = 1, .retries = 1, .successes = 1});
    trial_close(&t);
    one_call(&t, thrice, "type: probe, answers: [{after: 10ms, status: 404}, {after: 20ms}]", "");
    assert_counts(
        &t, (struct counts){.logical = 1, .sent = 1, .received = 1, .errors = 1, .failures = 1});
    trial_close(&t);
    one_call(&t,
             "timeout: 1s, retry: {kind: fixed, max_attempts: 3, delay: 0.1s, retry_on: timeout}",
             "type: probe, answers: [{after: none}, {after: 10ms, status: 503}]", "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(1.1)});
    assert_counts(&t, (struct counts){.logical = 1,
                                      .sent = 2,
                                      .received = 1,
                                      .timeouts = 1,
                                      .errors = 1,
                                      .retries = 1,
                                      .failures = 1});
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exponential_backoff),
                                       cmocka_unit_test(backoff_that_begins_twice),
                                       cmocka_unit_test(backoff_with_a_cap),
                                       cmocka_unit_test(decorrelated_jitter),
                                       cmocka_unit_test(dead_targets),
                                       cmocka_unit_test(late_answers),
                                       cmocka_unit_test(ties_with_the_timeout),
                                       cmocka_unit_test(no_time_at_all),
                                       cmocka_unit_test(no_timeout),
                                       cmocka_unit_test(answers_and_retries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
