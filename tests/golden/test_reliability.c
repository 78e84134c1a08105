/* SPDX-License-Identifier: Apache-2.0
 *
 * Retry policies and budgets inside calls, to the nanosecond: laws of delays, limits on the whole,
 * budgets by class of failure, and those that requests share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "one_call.h"
#include "support/probe.h"

static const char silent[] = "type: probe, answers: [{after: none}]";
static const char rejects[] = "type: probe, answers: [{after: 0s, status: 503}]";

/* Six delays of each law, of which the first has base 1. */
static void laws_of_delays(void **state)
{
    (void)state;
    const struct {
        const char *law;
        double delays[6];
    } cases[] = {
        {"kind: exponential, initial_delay: 1s, max_delay: 100s", {1, 2, 4, 8, 16, 32}},
        {"kind: exponential, initial_delay: 1s, max_delay: 10s", {1, 2, 4, 8, 10, 10}},
        {"kind: exponential, initial_delay: 1s, multiplier: 3, max_delay: 100s",
         {1, 3, 9, 27, 81, 100}},
        {"kind: linear, delay_multiplier: 1s", {1, 2, 3, 4, 5, 6}},
        {"kind: linear, delay_multiplier: 1s, min_delay: 0.5s, max_delay: 4s",
         {1.5, 2.5, 3.5, 4, 4, 4}},
        {"kind: fibonacci, base: 1s", {1, 1, 2, 3, 5, 8}},
        {"kind: fibonacci, base: 0.5s, max_delay: 2s", {0.5, 0.5, 1, 1.5, 2, 2}},
        {"kind: constant", {1, 1, 1, 1, 1, 1}},
        {"kind: fixed, delay: 0.25s", {0.25, 0.25, 0.25, 0.25, 0.25, 0.25}},
        {"kind: polynomial, coefficients: [0.5s, 0s, 1s]", {1.5, 4.5, 9.5, 16.5, 25.5, 36.5}},
        {"kind: table, steps: [3s, 1s, 2s]", {3, 1, 2, 2, 2, 2}},
        {"kind: exponential, initial_delay: 1s, max_delay: none, max_wait_time: 5s",
         {1, 2, 4, 5, 5, 5}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char call[256];
        snprintf(call, sizeof call, "retry: {max_retries: 6, %s}", cases[i].law);
        struct trial t;
        one_call(&t, call, rejects, "");
        sim_time at[7] = {0};
        for (int k = 0; k < 6; k++) {
            at[k + 1] = at[k] + S(cases[i].delays[k]);
        }
        probe_assert_times(&t, "service", 7, at);
        assert_ended(&t, at[6]);
        trial_close(&t);
    }
    struct trial t;
    one_call(&t, "retry: {kind: constant, max_retries: 0}", rejects, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    trial_close(&t);
}

/* The spread of a wait stays below its cap, unless it may go beyond. */
static void waits_are_spread_below_their_cap(void **state)
{
    (void)state;
#define SPREAD(more) \
    "retry: {kind: constant, max_retries: 200, delay: 1s, max_wait_time: 1.2s, " \
    "jitter_factor: 0.5" more "}"
    struct trial t;
    for (int beyond = 0; beyond < 2; beyond++) {
        one_call(&t, beyond ? SPREAD(", jitter_after_cap: true") : SPREAD(""), rejects, "");
        sim_time largest = 0, cap = beyond ? S(1.5) : S(1.2);
        for (uint32_t i = 1; i < 201; i++) {
            sim_time wait =
                probe_visit(&t, "service", i)->at - probe_visit(&t, "service", i - 1)->at;
            assert_in_range(wait, S(1), cap);
            largest = wait > largest ? wait : largest;
        }
        assert_true(largest > cap - S(0.02));
        trial_close(&t);
    }
}

/* The time of the whole is looked at before a wait, which may go beyond it, unless that is strict:
 * an attempt of 0.5 s, a wait of 10 s, and another attempt, with 1 s in all. */
static void the_whole_may_take_so_long(void **state)
{
    (void)state;
#define WHOLE(more) "retry: {kind: fixed, max_attempts: 9, delay: 10s, max_total_time: " more "}"
    static const char slow[] = "type: probe, answers: [{after: 0.5s, status: 503}]";
    struct trial t;
    one_call(&t, WHOLE("1s"), slow, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(10.5)});
    assert_ended(&t, S(11));
    trial_close(&t);
    one_call(&t, WHOLE("1s, strict: true"), slow, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    assert_ended(&t, S(0.5));
    trial_close(&t);
    one_call(&t, WHOLE("0.5s"), slow, "");
    probe_assert_times(&t, "service", 1, (sim_time[]){0});
    trial_close(&t);
    one_call(&t, WHOLE("10.5s, strict: true"), slow, "");
    probe_assert_times(&t, "service", 2, (sim_time[]){0, S(10.5)});
    trial_close(&t);
}

/* Which failures are tried again: a list of statuses, or rules in its place. */
static void what_is_tried_again(void **state)
{
    (void)state;
#define TRIES(what)     "timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 1s, " what "}"
#define ANSWERS(status) "type: probe, answers: [{after: 0s, status: " status "}]"
    const struct {
        const char *call, *service;
        uint32_t visits;
    } cases[] = {
        {TRIES("status_forcelist: [429, 503]"), ANSWERS("503"), 2},
        {TRIES("status_forcelist: [429, 503]"), ANSWERS("500"), 1},
        {TRIES("status_forcelist: [404]"), ANSWERS("404"), 2},
        {TRIES("status_forcelist: [429, 503]"), silent, 2},
        {TRIES("status_forcelist: [503], retry_if: [{status: 404}]"), ANSWERS("503"), 1},
        {TRIES("status_forcelist: [503], retry_if: [{status: 404}]"), ANSWERS("404"), 2},
        {TRIES("retry_if: [{status: 500-599}]"), silent, 1},
        {TRIES("retry_if: [{error: timeout}]"), silent, 2},
        {TRIES("retry_if: [{status: 503, retry: false}, {status: 500-599}]"), ANSWERS("503"), 1},
        {TRIES("retry_if: [{status: 503, retry: false}, {status: 500-599}]"), ANSWERS("500"), 2},
        {TRIES("retry_if: [{status: 503, method: POST}]"), ANSWERS("503"), 1},
        {TRIES("retry_if: [{status: 503, method: POST}]") "}, requests: {any: {method: POST}",
         ANSWERS("503"), 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        one_call(&t, cases[i].call, cases[i].service, "");
        assert_int_equal(probe_visits(&t, "service"), cases[i].visits);
        trial_close(&t);
    }
}

/* Each class of failures has a budget of its own in every request: at most 1 + 5 + 2 tries. Delays
 * grow with all of them, up to 5 s. */
static void classes_have_budgets(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "timeout: 1s, retry: {adaptive: {jitter: 0}}", silent, "");
    probe_assert_times(&t, "service", 6, (sim_time[]){0, S(1.1), S(2.3), S(3.7), S(5.5), S(8.1)});
    assert_ended(&t, S(9.1));
    trial_close(&t);
#define FAILS "{after: 0s, status: 503}"
#define FLAKY "{after: 0s, flags: flaky}"
    const sim_time all[] = {0, S(0.1), S(0.3), S(0.7), S(1.5), S(3.1), S(6.3), S(11.3)};
    calls_at(&t, "0s", "retry: {adaptive: {jitter: 0}}",
             "type: probe, answers: [" FAILS ", " FLAKY ", " FAILS ", " FLAKY ", " FAILS "]", "");
    probe_assert_times(&t, "service", 8, all);
    assert_ended(&t, S(11.3));
    trial_close(&t);
    one_call(&t, "retry: {adaptive: {jitter: 0}}",
             "type: probe, answers: [" FAILS ", " FAILS ", " FLAKY "]", "");
    probe_assert_times(&t, "service", 5, all);
    trial_close(&t);
    one_call(&t, "retry: {adaptive: {jitter: 0}}", ANSWERS("404"), "");
    probe_assert_times(&t, "service", 1, all);
    trial_close(&t);
    one_call(&t, "retry: {adaptive: {jitter: 0, permanent_budget: 2}}", ANSWERS("404"), "");
    probe_assert_times(&t, "service", 3, all);
    trial_close(&t);
    one_call(&t, "retry: {adaptive: {jitter: 0, classify: [{status: 503, class: permanent}]}}",
             rejects, "");
    probe_assert_times(&t, "service", 1, all);
    trial_close(&t);
    /* Budgets are for each request anew. */
    calls_at(&t, "0s, 500s", "retry: {adaptive: {jitter: 0}}", rejects, "");
    assert_int_equal(probe_visits(&t, "service"), 12);
    assert_int_equal(probe_visit(&t, "service", 11)->at, S(503.1));
    trial_close(&t);
}

/* Its jitter comes on top of the cap, as a share of the delay. */
static void classes_have_jitter(void **state)
{
    (void)state;
    struct trial t;
    one_call(&t, "retry: {adaptive: {transient_budget: 100, base_delay: 4s}}", rejects, "");
    sim_time largest = 0;
    for (uint32_t i = 1; i < 101; i++) {
        sim_time wait = probe_visit(&t, "service", i)->at - probe_visit(&t, "service", i - 1)->at;
        assert_in_range(wait, i == 1 ? S(4) : S(5), i == 1 ? S(5) : S(6.25));
        largest = wait > largest ? wait : largest;
    }
    assert_true(largest > S(6.2));
    trial_close(&t);
}

/* `n` requests at 0 s, each made twice at most. */
static void crowd(struct trial *t, int n, const char *call, const char *service)
{
    static char times[4096];
    char all[512];
    times[0] = '\0';
    for (int i = 0; i < n; i++) {
        strcat(times, i ? ", 0s" : "0s");
    }
    snprintf(all, sizeof all, "retry: {kind: fixed, max_attempts: 2, delay: 0s}, %s", call);
    calls_at(t, times, all, service, "");
}

/* How many retries a crowd may make with the budgets that others have published. */
static void budgets_that_requests_share(void **state)
{
    (void)state;
    static const char later[] = "type: probe, answers: [{after: 0.1s, status: 503}]";
    const struct {
        const char *call, *service;
        int requests;
        uint64_t retries;
    } cases[] = {
        /* 500 tokens: 5 after a failure, 10 after a timeout */
        {"retry_budget: token_bucket", later, 300, 100},
        {"timeout: 0.1s, retry_budget: token_bucket", silent, 300, 50},
        {"retry_budget: token_bucket", later, 60, 60},
        /* 10/s for 10 s, and 20 of 100 */
        {"retry_budget: ratio", later, 300, 160},
        {"retry_budget: ratio", later, 500, 200},
        /* ten tokens, more than five of which must be left after the failure */
        {"retry_budget: {throttle: {max_tokens: 10, token_ratio: 0.1}}", later, 20, 4},
        {"retry_budget: none", later, 300, 300},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        crowd(&t, cases[i].requests, cases[i].call, cases[i].service);
        assert_int_equal(trial_counter(&t, "users.retries"), cases[i].retries);
        assert_int_equal(trial_counter(&t, "users.retries_denied"),
                         (uint64_t)cases[i].requests - cases[i].retries);
        trial_close(&t);
    }
}

/* Retries under way at the same time are a fifth of the requests, or three. */
static void budgets_of_retries_under_way(void **state)
{
    (void)state;
    const struct {
        int requests;
        uint64_t retries;
    } cases[] = {{25, 5}, {10, 3}, {2, 2}, {100, 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char service[8192] = "type: probe, answers: [";
        for (int k = 0; k < cases[i].requests; k++) {
            strcat(service, "{after: 0.1s, status: 503}, ");
        }
        strcat(service, "{after: none}]");
        struct trial t;
        crowd(&t, cases[i].requests, "retry_budget: concurrency", service);
        assert_int_equal(trial_counter(&t, "users.retries"), cases[i].retries);
        trial_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(laws_of_delays),
                                       cmocka_unit_test(waits_are_spread_below_their_cap),
                                       cmocka_unit_test(the_whole_may_take_so_long),
                                       cmocka_unit_test(what_is_tried_again),
                                       cmocka_unit_test(classes_have_budgets),
                                       cmocka_unit_test(classes_have_jitter),
                                       cmocka_unit_test(budgets_that_requests_share),
                                       cmocka_unit_test(budgets_of_retries_under_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
