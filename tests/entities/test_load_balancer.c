/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a load balancer sends requests, to the nanosecond, and what it counts. The strategies and
 * the rules of ejection have tests of their own (unit/test_balancing.c, unit/test_outlier.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng/stream.h"
#include "support/asker.h"
#include "support/draft.h"
#include "support/probe.h"
#include "support/reading.h"
#include "support/trial.h"

/* Runs an asker's `steps` through a balancer with these keys; `rest` has the backends and more. */
static void run(struct trial *t, const char *steps, const char *keys, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: lb, steps: [%s]}\n"
               "  lb: {type: load_balancer, %s}\n%s",
               steps, keys, rest);
    trial_run(t, 0);
}

/* Requests that have come to be, at any time. */
static void assert_balance(const struct trial *t)
{
    uint64_t received = trial_counter(t, "lb.requests_received");
    uint64_t refused =
        trial_counter(t, "lb.rejected_requests") + trial_counter(t, "lb.timed_out_requests");
    uint64_t left = trial_counter(t, "lb.cancels_received") + trial_counter(t, "lb.requests_lost");
    uint64_t forwarded = trial_counter(t, "lb.requests_sent");
    uint64_t ended =
        trial_counter(t, "lb.responses_received") + trial_counter(t, "lb.backend_timeouts");
    assert_int_equal(received, ended + refused + left + (uint64_t)trial_level(t, "lb.in_progress"));
    uint64_t in_line = trial_counter(t, "lb.queued_requests");
    uint64_t at_once = received - trial_counter(t, "lb.no_backend_available");
    assert_int_equal(received, at_once + in_line + trial_counter(t, "lb.rejected_requests"));
    assert_true(forwarded >= at_once && forwarded <= at_once + in_line);
    assert_true(trial_counter(t, "lb.requests_failed") <= ended);
    uint64_t checked = trial_counter(t, "lb.checks_passed") + trial_counter(t, "lb.checks_failed") +
                       trial_counter(t, "lb.checks_forgotten");
    assert_int_equal(trial_counter(t, "lb.checks_performed"),
                     checked + (uint64_t)trial_level(t, "lb.checks_awaited"));
    assert_int_equal(trial_counter(t, "lb.ejections"),
                     trial_counter(t, "lb.ejections_consecutive_errors") +
                         trial_counter(t, "lb.ejections_success_rate") +
                         trial_counter(t, "lb.ejections_failure_percentage"));
}

#define THREE_PROBES "  a: &probe {type: probe}\n  b: *probe\n  c: *probe\n"
#define SEVEN_STEPS  "[0s, 1], [1s, 2], [2s, 3], [3s, 4], [4s, 5], [5s, 6], [6s, 7]"

/* --- strategies -------------------------------------------------------------------------- */

static void requests_go_round(void **state)
{
    (void)state;
    struct trial t;
    run(&t, SEVEN_STEPS, "target: [a, b, c]", THREE_PROBES);
    probe_assert_times(&t, "a", 3, (sim_time[]){0, S(3), S(6)});
    probe_assert_times(&t, "b", 2, (sim_time[]){S(1), S(4)});
    probe_assert_times(&t, "c", 2, (sim_time[]){S(2), S(5)});
    assert_int_equal(trial_counter(&t, "lb.requests_sent"), 7);
    assert_int_equal(trial_integral(&t, "lb.available_backends"), 3 * S(100));
    assert_balance(&t);
    trial_close(&t);
}

/* A A B A C A A, whether the weight is that of a single entity, an instance or a group. */
static void weights_are_smooth(void **state)
{
    (void)state;
    struct trial t;
    const sim_time heavy[] = {0, S(1), S(3), S(5), S(6)};
    run(&t, SEVEN_STEPS, "target: [a, b, c], strategy: weighted_round_robin, weights: {a: 5}",
        THREE_PROBES);
    probe_assert_times(&t, "a", 5, heavy);
    probe_assert_times(&t, "b", 1, (sim_time[]){S(2)});
    probe_assert_times(&t, "c", 1, (sim_time[]){S(4)});
    trial_close(&t);
    run(&t, SEVEN_STEPS,
        "target: [\"a[1]\", b], strategy: weighted_round_robin, weights: {\"a[1]\": 5, b: 1}",
        "  a: {type: probe, count: 2}\n  b: {type: probe, count: 2}\n");
    probe_assert_times(&t, "a[1]", 5, heavy);
    probe_assert_times(&t, "b[0]", 1, (sim_time[]){S(2)});
    probe_assert_times(&t, "b[1]", 1, (sim_time[]){S(4)});
    assert_int_equal(probe_visits(&t, "a[0]"), 0);
    trial_close(&t);
}

static void who_has_the_least_to_do_is_next(void **state)
{
    (void)state;
    struct trial t;
    run(&t, SEVEN_STEPS, "target: [a, b, c], strategy: least_connections",
        "  a: {type: probe, answers: [{after: 2.5s}]}\n"
        "  b: {type: probe, answers: [{after: 1.5s}]}\n"
        "  c: {type: probe, answers: [{after: none}]}\n");
    probe_assert_times(&t, "a", 3, (sim_time[]){0, S(3), S(5)}); /* all are busy at 5 s */
    probe_assert_times(&t, "b", 3, (sim_time[]){S(1), S(4), S(6)});
    probe_assert_times(&t, "c", 1, (sim_time[]){S(2)});
    trial_close(&t);
}

static void who_answers_fastest_is_next(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [10s, 4], [20s, 5]",
        "target: [a, b, c], strategy: least_response_time",
        "  a: {type: probe, answers: [{after: 4s}]}\n"
        "  b: {type: probe, answers: [{after: 2s}, {after: 9s}]}\n"
        "  c: {type: probe, answers: [{after: 5s}]}\n");
    assert_int_equal(probe_visits(&t, "c"), 1); /* each one is tried */
    assert_int_equal(probe_visits(&t, "b"), 2);
    assert_int_equal(probe_visit(&t, "b", 1)->at, S(10)); /* then .3 * 9 + .7 * 2 = 4.1 s */
    assert_int_equal(probe_visits(&t, "a"), 2);
    assert_int_equal(probe_visit(&t, "a", 1)->at, S(20));
    trial_close(&t);
}

/* How many of eight probes have been visited, and whether each is by one client only. */
static uint32_t visited(const struct trial *t, bool *by_one)
{
    uint32_t n = 0;
    char name[16];
    *by_one = true;
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "web[%d]", i);
        n += probe_visits(t, name) > 0;
        for (uint32_t k = 1; k < probe_visits(t, name); k++) {
            *by_one = *by_one && probe_visit(t, name, k)->client == probe_visit(t, name, 0)->client;
        }
    }
    return n;
}

/* A client has its backend, through whatever proxies it comes, or a request has: all attempts. */
static void keys_have_a_backend(void **state)
{
    (void)state;
    static const char *const strategies[] = {"hash", "consistent_hash"};
    for (int i = 0; i < 2; i++) {
        for (int by_request = 0; by_request < 2; by_request++) {
            struct trial t;
            bool by_one;
            trial_open(&t,
                       "squall: 1\n"
                       "duration: 100s\n"
                       "entities:\n"
                       "  users: {type: asker, target: way, steps: [[0s, 1], [1s, 2], [2s, 3],\n"
                       "          [3s, 4], [4s, 5], [5s, 6], [7s, 3, ask, 2], [8s, 3, ask, 3]]}\n"
                       "  way: {type: bulkhead, target: lb, max_concurrent: 9}\n"
                       "  lb: {type: load_balancer, target: web, strategy: {%s: {by: %s}}}\n"
                       "  web: {type: probe, count: 8}\n",
                       strategies[i], by_request ? "request" : "client");
            trial_run(&t, 0);
            uint32_t n = visited(&t, &by_one), same = 0;
            char name[16];
            for (int w = 0; w < 8; w++) {
                uint32_t attempts = 0;
                snprintf(name, sizeof name, "web[%d]", w);
                for (uint32_t k = 0; k < probe_visits(&t, name); k++) {
                    attempts += probe_visit(&t, name, k)->number == 3;
                }
                same += attempts == 3;
            }
            assert_int_equal(same, 1);
            assert_true(by_request ? n > 2 : n == 1);
            trial_close(&t);
        }
    }
}

/* --- health checks ----------------------------------------------------------------------- */

/* Unhealthy with the third timeout, at 25 s; healthy with the second answer, at 40 s. */
static void checks_take_backends_out_and_in(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[24.9s, 1], [24.95s, 2], [25s, 3], [26s, 4], [39.999999999s, 5], [41s, 6], [42s, 7]",
        "target: [a, b], health_checks: {}",
        "  a: {type: probe, answers: [{after: none}, {after: none}, {after: none}, {}]}\n"
        "  b: {type: probe}\n");
    probe_assert_times(&t, "a", 13, /* checks, and requests 1 and 6 */
                       (sim_time[]){0, S(10), S(20), S(24.9), S(30), S(40), S(41), S(50), S(60),
                                    S(70), S(80), S(90), S(100)});
    assert_int_equal(trial_integral(&t, "lb.healthy_backends"), 2 * S(100) - S(15));
    assert_int_equal(trial_integral(&t, "lb.available_backends"), 2 * S(100) - S(15));
    assert_int_equal(trial_counter(&t, "lb.backends_marked_unhealthy"), 1);
    assert_int_equal(trial_counter(&t, "lb.backends_marked_healthy"), 1);
    assert_int_equal(trial_counter(&t, "lb.checks_timed_out"), 3);
    assert_int_equal(trial_counter(&t, "lb.checks_failed"), 3);
    assert_balance(&t);
    trial_close(&t);
}

/* An answer that takes as long as the timeout, or longer, is stale; so is one after a crash. */
static void late_answers_tell_nothing(void **state)
{
    (void)state;
    struct trial t;
    const char *keys = "target: [a], health_checks: {interval: 10s, timeout: 2s, unhealthy: 1}";
    static const struct {
        const char *after;
        uint64_t passed, timed_out, stale;
    } cases[] = {
        {"1.999999999s", 10, 0, 0}, {"2s", 0, 10, 10}, {"12s", 0, 10, 9}, {"none", 0, 10, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char far[128];
        snprintf(far, sizeof far, "  a: {type: probe, answers: [{after: %s}]}\n", cases[i].after);
        trial_open(&t,
                   "squall: 1\nduration: 99s\nentities:\n  users: {type: asker, target: lb}\n"
                   "  lb: {type: load_balancer, %s}\n%s",
                   keys, far);
        trial_run(&t, 0);
        assert_int_equal(trial_counter(&t, "lb.checks_performed"), 10);
        assert_int_equal(trial_counter(&t, "lb.checks_passed"), cases[i].passed);
        assert_int_equal(trial_counter(&t, "lb.checks_timed_out"), cases[i].timed_out);
        assert_int_equal(trial_counter(&t, "lb.checks_stale"), cases[i].stale);
        assert_int_equal(trial_counter(&t, "lb.backends_marked_unhealthy"), !cases[i].passed);
        assert_balance(&t);
        trial_close(&t);
    }
}

static void statuses_from_400_on_fail_a_check(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool passes;
    } cases[] = {{"status: 200", true},  {"status: 302", true},  {"status: 404", false},
                 {"status: 503", false}, {"status: 429", false}, {"refuse: true", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        char far[64];
        snprintf(far, sizeof far, "  a: {type: probe, answers: [{%s}]}\n", cases[i].answer);
        run(&t, "[50s, 1]", "target: a, health_checks: {kind: ping, interval: 30s}", far);
        assert_int_equal(trial_counter(&t, "lb.checks_passed"), cases[i].passes ? 4 : 0);
        assert_int_equal(trial_counter(&t, "lb.checks_failed"), cases[i].passes ? 0 : 4);
        assert_int_equal(trial_counter(&t, "lb.backends_marked_unhealthy"), !cases[i].passes);
        trial_close(&t);
    }
}

/* What is in the way of a request is in that of a check: here a queue that is full. */
static void checks_are_requests_like_others(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2]",
        "target: web, health_checks: {interval: 3s, timeout: 1s, unhealthy: 1, healthy: 1}",
        "  web: {type: server, service_time: 8s, queue: {capacity: 1}}\n");
    /* The check of 0 s holds the worker until 8 s, and that of 3 s waits. All time out. */
    assert_int_equal(trial_counter(&t, "lb.checks_passed"), 0);
    assert_true(trial_counter(&t, "lb.checks_stale") > 5);
    assert_true(trial_counter(&t, "web.requests_rejected") > 5);
    assert_balance(&t);
    trial_close(&t);
}

/* ... but of a kind of their own, so that they may be served otherwise. */
static void checks_are_of_a_kind(void **state)
{
    (void)state;
    struct trial t;
    const char *rest = "  web: {type: server, service_time: 2s,\n"
                       "        kinds: {%s: {service_time: 10ms}}}\n";
    static const char *const kinds[] = {"health_check", "ping", "any"};
    for (int i = 0; i < 3; i++) {
        char far[128], keys[128];
        snprintf(far, sizeof far, rest, kinds[i]);
        snprintf(keys, sizeof keys,
                 "target: web, health_checks: {kind: %s, interval: 3s, timeout: 1s}",
                 i == 2 ? "ping" : kinds[i]);
        run(&t, "[97.5s, 1]", keys, far);
        assert_int_equal(trial_counter(&t, "lb.checks_timed_out"), i == 2 ? 34 : 0);
        assert_int_equal(trial_counter(&t, "lb.checks_passed"), i == 2 ? 0 : 34);
        assert_balance(&t);
        trial_close(&t);
    }
}

/* --- no backend -------------------------------------------------------------------------- */

/* A backend that is unhealthy from 1 s to 22 s. */
#define ILL "target: [a], health_checks: {interval: 10s, timeout: 1s, healthy: 2, unhealthy: 1}, "
#define ILL_PROBE \
    "  a: {type: probe, answers: [{after: none}, {after: 0.5s}, {after: 0.5s}, {after: 2s}]}\n"

static void without_a_backend_requests_are_rejected(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [20.499999999s, 2], [20.5s, 3], [21s, 4]", ILL "on_reject: reply", ILL_PROBE);
    asker_assert_replies(&t, "users", 4,
                         (struct asker_reply[]){{S(1), 1, 503},
                                                {S(20.499999999), 2, 503},
                                                {S(20.5), 3, 503}, /* came before the answer */
                                                {S(23), 4, 200}});
    assert_int_equal(trial_counter(&t, "lb.no_backend_available"), 3);
    assert_int_equal(trial_counter(&t, "lb.rejected_requests"), 3);
    assert_balance(&t);
    trial_close(&t);
    run(&t, "[1s, 1], [2s, 2]", ILL "on_reject: drop", ILL_PROBE);
    assert_int_equal(trial_counter(&t, "users.replies_received"), 0);
    assert_int_equal(trial_level(&t, "lb.in_progress"), 0);
    trial_close(&t);
    run(&t, "[2s, 1]", ILL "reject_status: 500", ILL_PROBE);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2), 1, 500}});
    trial_close(&t);
}

/* First come, first served, all in the instant in which the backend is back. */
static void or_they_wait_for_one(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[2s, 1], [3s, 2], [4s, 3], [5s, 4], [6s, 3, cancel], [21s, 5]",
        ILL "on_no_backend: queue, max_wait_queue: 3", ILL_PROBE);
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {S(5), 4, 503}, {S(22.5), 1, 200}, {S(22.5), 2, 200}, {S(23), 5, 200}});
    assert_int_equal(probe_visit(&t, "a", 3)->number, 1);
    assert_int_equal(probe_visit(&t, "a", 4)->number, 2);
    assert_int_equal(probe_visit(&t, "a", 4)->at, S(20.5));
    assert_int_equal(trial_counter(&t, "lb.no_backend_available"), 4);
    assert_int_equal(trial_counter(&t, "lb.queued_requests"), 3);
    assert_int_equal(trial_counter(&t, "lb.cancels_received"), 1);
    assert_int_equal(trial_integral(&t, "lb.queue_depth"), S(18.5) + S(17.5) + S(2));
    struct hist_counts waits = {.total = 0};
    trial_histogram(&t, "lb.wait_time", &waits);
    assert_int_equal(waits.total, 2);
    assert_balance(&t);
    trial_close(&t);
}

/* The time that one may wait ends before a backend that is back at that instant. */
static void but_not_for_ever(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[10.5s, 1], [10.500000001s, 2], [12s, 3]",
        ILL "on_no_backend: queue, max_wait_time: 10s", ILL_PROBE);
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(20.5), 1, 503}, {S(22.5), 2, 200}, {S(22.5), 3, 200}});
    assert_int_equal(trial_counter(&t, "lb.timed_out_requests"), 1);
    assert_balance(&t);
    trial_close(&t);
}

/* Two of three are unhealthy from 1 s on. */
static void run_in_panic(struct trial *t, const char *threshold)
{
    char keys[256];
    snprintf(keys, sizeof keys,
             "target: [a, b, c], panic_threshold: %s, "
             "health_checks: {interval: 50s, timeout: 1s, unhealthy: 1}",
             threshold);
    run(t, "[2s, 1], [3s, 2], [4s, 3], [5s, 4]", keys,
        "  a: {type: probe}\n"
        "  b: &ill {type: probe, answers: [{status: 500}]}\n"
        "  c: *ill\n");
}

static void with_too_few_left_all_are_in(void **state)
{
    (void)state;
    struct trial t;
    run_in_panic(&t, "33%");
    assert_int_equal(probe_visits(&t, "a"), 4 + 3); /* and the checks at 0, 50 and 100 s */
    assert_int_equal(trial_counter(&t, "lb.requests_in_panic"), 0);
    assert_int_equal(trial_level(&t, "lb.available_backends"), 1);
    trial_close(&t);
    run_in_panic(&t, "34%");
    assert_int_equal(probe_visits(&t, "a"), 2 + 3);
    assert_int_equal(probe_visits(&t, "b"), 1 + 3);
    assert_int_equal(trial_counter(&t, "lb.requests_in_panic"), 4);
    assert_int_equal(trial_level(&t, "lb.available_backends"), 3);
    assert_int_equal(trial_level(&t, "lb.healthy_backends"), 1);
    trial_close(&t);
}

/* --- ejection ---------------------------------------------------------------------------- */

/* Two errors in a row eject b at 3 s, for 30 s: until the interval that ends at 40 s. */
static void errors_eject_a_backend(void **state)
{
    (void)state;
    struct trial t;
    run(&t,
        "[0s, 1], [1s, 2], [2s, 3], [3s, 4], [4s, 5], [5s, 6], [6s, 7], [39.9s, 8], [41s, 9], "
        "[42s, 10]",
        "target: [a, b], outlier_ejection: {consecutive_errors: 2}",
        "  a: {type: probe}\n"
        "  b: {type: probe, answers: [{status: 503}, {status: 503}, {status: 200}]}\n");
    assert_int_equal(probe_visits(&t, "b"), 3);
    assert_int_equal(probe_visit(&t, "b", 1)->at, S(3));
    assert_true(probe_visit(&t, "b", 2)->at >= S(41));
    assert_int_equal(trial_counter(&t, "lb.ejections"), 1);
    assert_int_equal(trial_counter(&t, "lb.ejections_consecutive_errors"), 1);
    assert_int_equal(trial_counter(&t, "lb.ejections_ended"), 1);
    assert_int_equal(trial_counter(&t, "lb.requests_failed"), 2);
    assert_int_equal(trial_integral(&t, "lb.ejected_backends"), S(37));
    assert_int_equal(trial_integral(&t, "lb.healthy_backends"), 2 * S(100));
    assert_balance(&t);
    trial_close(&t);
}

static void what_an_error_is_can_be_said(void **state)
{
    (void)state;
    static const struct {
        const char *errors, *answer;
        uint64_t ejections;
    } cases[] = {{"[489, 500-599]", "status: 500", 1},
                 {"[489, 500-599]", "status: 429", 0},
                 {"[489, 500-599]", "status: 404", 0},
                 {"[489, 500-599]", "refuse: true", 1},
                 {"429", "status: 429", 1},
                 {"429", "status: 500", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        char keys[128], far[64];
        snprintf(keys, sizeof keys,
                 "target: a, outlier_ejection: {consecutive_errors: 1, errors: %s}",
                 cases[i].errors);
        snprintf(far, sizeof far, "  a: {type: probe, answers: [{%s}]}\n", cases[i].answer);
        run(&t, "[0s, 1], [1s, 2]", keys, far);
        assert_int_equal(trial_counter(&t, "lb.ejections"), cases[i].ejections);
        assert_int_equal(trial_counter(&t, "lb.rejected_requests"), cases[i].ejections);
        assert_balance(&t);
        trial_close(&t);
    }
}

/* The last one may be ejected, too; who waits goes on when it is back, at 40 s. */
static void who_waits_goes_on_after_an_ejection(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[5s, 1], [6s, 2]",
        "target: a, on_no_backend: queue, outlier_ejection: {consecutive_errors: 1}",
        "  a: {type: probe, answers: [{status: 500}, {status: 200}]}\n");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(5), 1, 500}, {S(40), 2, 200}});
    trial_close(&t);
}

/* What is not answered in time is a failure of the backend, and no longer outstanding there. */
static void timeouts_count_against_a_backend(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [5s, 2], [6s, 3], [50s, 4]",
        "target: [a, b], strategy: least_connections, timeout: 2s, pass_cancel: true, "
        "outlier_ejection: {consecutive_errors: 2}",
        "  a: {type: probe, answers: [{after: none}, {after: 3s}, {after: 1s}]}\n"
        "  b: {type: probe, answers: [{after: 1.999999999s}]}\n");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {S(2), 1, 504}, {S(7), 2, 504}, {S(7.999999999), 3, 200}, {S(51), 4, 200}});
    probe_assert_times(&t, "a", 3, (sim_time[]){0, S(5), S(50)});
    probe_assert_cancels(&t, "a", 2, (sim_time[]){S(2), S(7)});
    assert_int_equal(trial_counter(&t, "lb.backend_timeouts"), 2);
    assert_int_equal(trial_counter(&t, "lb.requests_failed"), 2);
    assert_int_equal(trial_counter(&t, "lb.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "lb.ejections"), 1);
    assert_balance(&t);
    trial_close(&t);
}

/* --- whoever leaves ---------------------------------------------------------------------- */

static void cancels_free_a_backend(void **state)
{
    (void)state;
    static const char *const passes[] = {"false", "true"};
    for (uint32_t i = 0; i < 2; i++) {
        struct trial t;
        char keys[128];
        snprintf(keys, sizeof keys,
                 "target: [a, b], strategy: least_connections, timeout: 3s, pass_cancel: %s",
                 passes[i]);
        run(&t, "[0s, 1], [1s, 1, cancel], [2s, 2], [2.5s, 1, cancel]", keys,
            "  a: {type: probe, answers: [{after: 4s}, {after: 1s}]}\n  b: {type: probe}\n");
        asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(3), 2, 200}});
        probe_assert_times(&t, "a", 2, (sim_time[]){0, S(2)});
        assert_int_equal(probe_cancels(&t, "a"), i);
        assert_int_equal(trial_counter(&t, "lb.late_responses"), 1);
        assert_int_equal(trial_counter(&t, "lb.backend_timeouts"), 0);
        assert_balance(&t);
        trial_close(&t);
    }
}

/* Word of a connection of a pool is passed on, and is no answer. */
static void a_pool_may_stand_behind_it(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: lb, steps: [[0s, 1, ask_pooled]]}\n"
                   "  lb: {type: load_balancer, target: pool, outlier_ejection: {}}\n"
                   "  pool: {type: connection_pool, target: far, max_connections: 1,\n"
                   "         connection_latency: 0s}\n"
                   "  far: {type: probe, answers: [{after: 2s}]}\n");
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{0, 1, 100}, {S(2), 1, 200}});
    assert_balance(&t);
    trial_close(&t);
}

/* Nothing of what came before is known afterwards: who was out is in, and checked anew. */
static void a_crash_forgets_everything(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[2s, 1], [3s, 2], [6s, 3], [8.5s, 4]",
        "target: [a], on_no_backend: queue, timeout: 9s,\n"
        "       health_checks: {interval: 50s, timeout: 4.5s, unhealthy: 1},\n"
        "       outlier_ejection: {consecutive_errors: 1}",
        "  a: {type: probe, answers: [{after: 5s}, {after: 0.5s, status: 500}, {after: 0.5s},\n"
        "                             {after: 1s}]}\n"
        "timeline: [{at: 4s, for: 4s, crash: lb}]\n");
    /* Request 1 gets a ejected at 2.5 s, and 2 waits; the check of 0 s is stale at 5 s, while it is
     * down. It is checked at 8 s, and 4 goes there. */
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(2.5), 1, 500}, {S(9.5), 4, 200}});
    probe_assert_times(&t, "a", 5, (sim_time[]){0, S(2), S(8), S(8.5), S(58)});
    assert_int_equal(trial_counter(&t, "lb.requests_lost"), 1);
    assert_int_equal(trial_counter(&t, "lb.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "lb.checks_forgotten"), 1);
    assert_int_equal(trial_level(&t, "lb.ejected_backends"), 0);
    assert_int_equal(trial_integral(&t, "lb.ejected_backends"), S(1.5));
    assert_int_equal(trial_integral(&t, "lb.queue_depth"), S(1));
    assert_int_equal(trial_counter(&t, "lb.ejections_ended"), 0);
    assert_balance(&t);
    trial_close(&t);
}

/* The answer to a check from before a crash is that to none of those after it. */
static void checks_from_before_a_crash_are_stale(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[90s, 1]", "target: [a], health_checks: {interval: 20s, timeout: 10s, unhealthy: 1}",
        "  a: {type: probe, answers: [{after: 5s}, {after: none}]}\n"
        "timeline: [{at: 1s, for: 2s, crash: lb}]\n");
    assert_int_equal(trial_counter(&t, "lb.checks_passed"), 0);
    assert_int_equal(trial_counter(&t, "lb.checks_stale"), 1);
    assert_int_equal(trial_counter(&t, "lb.checks_forgotten"), 1);
    assert_int_equal(trial_counter(&t, "lb.checks_timed_out"), 5); /* of 3, 23, ..., 83 s */
    assert_balance(&t);
    trial_close(&t);
}

/* --- mistakes ---------------------------------------------------------------------------- */

static void says(const char *keys, const char *expected)
{
    char text[1024];
    snprintf(text, sizeof text,
             "squall: 1\n"
             "duration: 1s\n"
             "entities:\n"
             "  users: {type: asker, target: lb}\n"
             "  lb: {type: load_balancer, target: {to: [a, b]}, %s}\n"
             "  a: {type: probe}\n"
             "  b: {type: probe}\n",
             keys);
    char *messages;
    struct study *s = reading(probe_registry(), text, &messages);
    if (!strstr(messages, expected) || s) {
        print_message("%s: %s", keys, messages);
    }
    assert_null(s);
    assert_non_null(strstr(messages, "g.yaml:5:"));
    assert_non_null(strstr(messages, expected));
    free(messages);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    says("weights: {c: 2}", "the target does not name this");
    says("weights: {a: 0}", "lb.weights.a");
    says("weights: {a: 10001}, strategy: consistent_hash", "lb.weights.a: times 100 virtual_nodes");
    says("health_checks: {interval: 5s}", "timeout must be shorter than interval");
    says("health_checks: [{}, {}]", "there can be only one");
    says("outlier_ejection: [{}, {}]", "there can be only one");
    says("outlier_ejection: {success_rate: [{}, {}]}", "there can be only one");
    says("outlier_ejection: {max_ejection_time: 29s}",
         "must not be shorter than base_ejection_time");
    says("outlier_ejection: {max_ejection_percent: 101%}", "max_ejection_percent");
    says("outlier_ejection: {errors: 600}", "neither a status");
    says("strategy: fastest", "strategy");
    says("panic_threshold: 2", "panic_threshold");
    says("on_no_backend: wait", "on_no_backend");
}

static void weights_for_nothing_are_noted(void **state)
{
    (void)state;
    static const char *const strategies[] = {"weighted_random", "consistent_hash", "round_robin"};
    for (int i = 0; i < 3; i++) {
        char text[256], *messages;
        snprintf(text, sizeof text,
                 "squall: 1\n"
                 "duration: 1s\n"
                 "entities:\n"
                 "  users: {type: asker, target: lb}\n"
                 "  lb: {type: load_balancer, target: a, weights: {a: 2}, strategy: %s}\n"
                 "  a: {type: probe}\n",
                 strategies[i]);
        struct study *s = reading(probe_registry(), text, &messages);
        assert_non_null(s);
        assert_int_equal(strstr(messages, "lb.weights: the strategy heeds no weights") != NULL,
                         i == 2);
        free(messages);
        study_close(s);
    }
}

static void notes(const char *keys, bool noted)
{
    char text[256], *messages;
    snprintf(text, sizeof text,
             "squall: 1\n"
             "duration: 1s\n"
             "entities:\n"
             "  users: {type: asker, target: lb}\n"
             "  lb: {type: load_balancer, target: a, %s}\n"
             "  a: {type: probe}\n",
             keys);
    struct study *s = reading(probe_registry(), text, &messages);
    assert_non_null(s);
    assert_int_equal(strstr(messages, "no request waits") != NULL, noted);
    free(messages);
    study_close(s);
}

static void limits_on_waiting_for_nothing_are_noted(void **state)
{
    (void)state;
    notes("max_wait_time: 1s", true);
    notes("max_wait_queue: 3", true);
    notes("max_wait_queue: 3, on_no_backend: queue", false);
    notes("timeout: 1s", false);
}

static void the_strategy_is_not_that_of_the_target(void **state)
{
    (void)state;
    char *messages;
    struct study *s = reading(probe_registry(),
                              "squall: 1\n"
                              "duration: 1s\n"
                              "entities:\n"
                              "  users: {type: asker, target: lb}\n"
                              "  lb: {type: load_balancer, target: {to: a, balance: random}}\n"
                              "  a: {type: probe}\n",
                              &messages);
    assert_null(s);
    assert_non_null(strstr(messages, "chooses by its `strategy`"));
    free(messages);
}

/* --- whatever happens -------------------------------------------------------------------- */

static void add_trouble(struct draft *d)
{
    static const char *const latencies[] = {"0s", "1ms", "{exponential: 5ms}"};
    static const char *const who[] = {"web", "\"web[0]\"", "big", "lb"};
    draft_add(d, "network: [{latency: %s, loss: %u%%}]\ntimeline:\n", DRAFT_ONE_OF(d, latencies),
              draft_below(d, 2) * draft_below(d, 20));
    draft_add(d, "  - {at: 3s, rate: users, factor: 0}\n");
    for (uint32_t i = draft_below(d, 5); i > 0; i--) {
        draft_add(d, "  - {at: %ums, for: %ums, crash: %s}\n", draft_below(d, 3000),
                  1 + draft_below(d, 800), DRAFT_ONE_OF(d, who));
    }
    if (draft_once_in(d, 3)) {
        draft_add(d, "  - {at: 1s, for: 500ms, crash: web}\n"
                     "  - {at: 1s, for: 700ms, crash: big}\n");
    }
    for (uint32_t i = draft_below(d, 2); i > 0; i--) {
        draft_add(d, "  - {at: %ums, for: %ums, pause: %s}\n", draft_below(d, 3000),
                  1 + draft_below(d, 800), DRAFT_ONE_OF(d, who));
    }
}

static void compose(struct draft *d)
{
    static const char *const strategies[] = {"round_robin",
                                             "weighted_round_robin",
                                             "random",
                                             "weighted_random",
                                             "least_connections",
                                             "{weighted_least_connections: {ties: random}}",
                                             "least_response_time",
                                             "{hash: {by: request}}",
                                             "consistent_hash",
                                             "power_of_two_choices",
                                             "{power_of_d_choices: {choices: 3}}"};
    static const char *const waits[] = {"none", "50ms", "400ms"};
    static const char *const patience[] = {"none", "2ms", "20ms"};
    static const char *const limits[] = {"0", "3", "unlimited"};
    static const char *const yes[] = {"true", "false"};
    draft_add(d,
              "squall: 1\nduration: 6s\nentities:\n"
              "  users: {type: client, count: %u, target: lb, arrivals: {poisson: %u/s}, call: {",
              1 + draft_below(d, 3), 20 + draft_below(d, 100));
    draft_call(d);
    draft_add(d, "}}\n  lb: {type: load_balancer, target: [web, big], strategy: %s,\n",
              DRAFT_ONE_OF(d, strategies));
    draft_add(d, "    weights: {big: %u}, on_no_backend: %s, max_wait_time: %s,\n",
              1 + draft_below(d, 5), draft_once_in(d, 4) ? "reject" : "queue",
              DRAFT_ONE_OF(d, patience));
    draft_add(d, "    max_wait_queue: %s, timeout: %s, pass_cancel: %s, on_reject: %s,\n",
              DRAFT_ONE_OF(d, limits), DRAFT_ONE_OF(d, waits), DRAFT_ONE_OF(d, yes),
              draft_once_in(d, 4) ? "drop" : "reply");
    draft_add(d, "    panic_threshold: %u%%", draft_below(d, 2) * 50);
    if (draft_below(d, 3)) {
        draft_add(d, ",\n    health_checks: {interval: 100ms, timeout: %ums, unhealthy: %u}",
                  1 + draft_below(d, 99), 1 + draft_below(d, 3));
    }
    if (draft_below(d, 3)) {
        draft_add(d,
                  ",\n    outlier_ejection: {consecutive_errors: %u, interval: 100ms,\n"
                  "      base_ejection_time: 150ms, max_ejection_percent: %u%%,\n"
                  "      success_rate: {minimum_hosts: 2, request_volume: 5, stdev_factor: 0.5},\n"
                  "      failure_percentage: {minimum_hosts: 1, request_volume: 5}}",
                  1 + draft_below(d, 6), 10 + draft_below(d, 91));
    }
    draft_add(d, "}\n");
    static const char *const names[] = {"web", "big"};
    for (int i = 0; i < 2; i++) {
        draft_add(d, "  %s: {type: server, count: %u, service_time: {exponential: 10ms},\n    ",
                  names[i], 1 + draft_below(d, 4));
        draft_queue(d);
        draft_add(d, ",\n    ");
        draft_answers(d);
        draft_add(d, "}\n");
    }
    add_trouble(d);
}

/* Identities hold at any time, and how many backends there are is what they say. */
static void nothing_gets_lost_uncounted(void **state)
{
    (void)state;
    uint64_t seen[5] = {0};
    for (uint64_t number = 0; number < 400; number++) {
        static char text[16384];
        struct draft d;
        struct trial t;
        draft_begin(&d, number, 77, text, sizeof text);
        compose(&d);
        trial_open(&t, "%s", text);
        trial_begin(&t, 0, 0);
        for (sim_time at = 0; at < S(6); at += S(0.0377)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
            assert_true(trial_level(&t, "lb.queue_depth") == 0 ||
                        trial_level(&t, "lb.available_backends") == 0);
        }
        trial_end(&t);
        assert_balance(&t);
        seen[0] += trial_counter(&t, "lb.ejections") > 0;
        seen[1] += trial_counter(&t, "lb.backends_marked_healthy") > 0;
        seen[2] += trial_counter(&t, "lb.timed_out_requests") > 0;
        seen[3] += trial_counter(&t, "lb.requests_in_panic") > 0;
        seen[4] += trial_counter(&t, "lb.checks_forgotten") > 0;
        trial_close(&t);
    }
    for (int i = 0; i < 5; i++) {
        assert_true(seen[i] > 10); /* it was seen at work */
    }
}

/* --- the scenario ------------------------------------------------------------------------ */

static uint64_t failures(const char *one, const char *other)
{
    struct trial t;
    trial_load(&t, "configs/scenarios/load_balancing.yaml",
               (const char *const[]){one ? one : other, one ? other : NULL, NULL});
    trial_run(&t, 0);
    uint64_t n = trial_counter(&t, "users.failures");
    print_message("%s %s: %" PRIu64 " failures\n", one ? one : "", other ? other : "", n);
    trial_close(&t);
    return n;
}

static void assert_near(uint64_t value, uint64_t low, uint64_t high)
{
    assert_true(value >= low && value <= high);
}

/* One of ten backends fails everything at once, for a minute of 1000 requests/s. */
static void a_backend_that_fails_fast_attracts_requests(void **state)
{
    (void)state;
    static const char *const none = "balancer.outlier_ejection=[]";
    assert_near(failures(none, NULL), 10400, 12600); /* chance: 2 of 10, or a tie */
    assert_near(failures(none, "balancer.strategy=round_robin"), 5900, 6100);
    assert_near(failures(none, "balancer.strategy=least_connections"), 22000, 27000);
    assert_near(failures(none, "balancer.strategy=least_response_time"), 110000, 125000);
    assert_near(failures(none, "balancer.health_checks={}"), 3000, 5000); /* 20 s */
}

static void ejection_ends_that(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/load_balancing.yaml", (const char *const[]){NULL});
    trial_run(&t, 0);
    assert_near(trial_counter(&t, "users.failures"), 10, 20);
    assert_int_equal(trial_counter(&t, "balancer.ejections"), 2);
    assert_int_equal(trial_counter(&t, "balancer.ejections_ended"), 2);
    assert_int_equal(trial_level(&t, "balancer.available_backends"), 10);
    uint64_t out = trial_integral(&t, "balancer.ejected_backends");
    assert_near(out, S(109), S(110)); /* from 60 s to 170 s, but for an instant */
    trial_close(&t);
    static const char *const slow = "timeline=[{at: 60s, for: 60s, slow: bad, factor: 100}]";
    static const char *const turns = "balancer.strategy=round_robin";
    trial_load(&t, "configs/scenarios/load_balancing.yaml",
               (const char *const[]){slow, turns, NULL});
    trial_run(&t, 0);
    assert_near(trial_counter(&t, "users.failures"), 10, 60);
    trial_close(&t);
    assert_near(failures("balancer.outlier_ejection=[]", slow), 30, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_round),
        cmocka_unit_test(weights_are_smooth),
        cmocka_unit_test(who_has_the_least_to_do_is_next),
        cmocka_unit_test(who_answers_fastest_is_next),
        cmocka_unit_test(keys_have_a_backend),
        cmocka_unit_test(checks_take_backends_out_and_in),
        cmocka_unit_test(late_answers_tell_nothing),
        cmocka_unit_test(statuses_from_400_on_fail_a_check),
        cmocka_unit_test(checks_are_requests_like_others),
        cmocka_unit_test(checks_are_of_a_kind),
        cmocka_unit_test(without_a_backend_requests_are_rejected),
        cmocka_unit_test(or_they_wait_for_one),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(with_too_few_left_all_are_in),
        cmocka_unit_test(errors_eject_a_backend),
        cmocka_unit_test(what_an_error_is_can_be_said),
        cmocka_unit_test(who_waits_goes_on_after_an_ejection),
        cmocka_unit_test(timeouts_count_against_a_backend),
        cmocka_unit_test(cancels_free_a_backend),
        cmocka_unit_test(a_pool_may_stand_behind_it),
        cmocka_unit_test(a_crash_forgets_everything),
        cmocka_unit_test(checks_from_before_a_crash_are_stale),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(weights_for_nothing_are_noted),
        cmocka_unit_test(limits_on_waiting_for_nothing_are_noted),
        cmocka_unit_test(the_strategy_is_not_that_of_the_target),
        cmocka_unit_test(nothing_gets_lost_uncounted),
        cmocka_unit_test(a_backend_that_fails_fast_attracts_requests),
        cmocka_unit_test(ejection_ends_that)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
