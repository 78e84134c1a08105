/* SPDX-License-Identifier: Apache-2.0
 *
 * Who answers when, to the nanosecond, if a primary fails and something else stands behind it. What
 * a call does by itself has tests of its own (golden/).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/asker.h"
#include "support/probe.h"
#include "support/trial.h"

#define CACHE "fallback: {call: {target: near, timeout: 1s}}"

/* An asker's `steps` through a fallback to two probes, of which it calls `far` first. */
static void run_pair(struct trial *t, const char *steps, const char *safe, const char *far,
                     const char *near, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: safe, steps: [%s]}\n"
               "  safe: {type: fallback, %s}\n"
               "  far: {type: probe, answers: [%s]}\n"
               "  near: {type: probe, answers: [%s]}\n"
               "  other: {type: asker, target: [far, near]}\n%s\n",
               steps, safe, far, near, rest);
    trial_run(t, 0);
}

/* The second one answers after half a second. */
static void run(struct trial *t, const char *steps, const char *safe, const char *far)
{
    run_pair(t, steps, safe, far, "{after: 0.5s}", "");
}

/* Where each request is, or how it ended. */
static void assert_balance(const struct trial *t)
{
    uint64_t received = trial_counter(t, "safe.requests_received");
    uint64_t good = trial_counter(t, "safe.primary_successes");
    uint64_t bad = trial_counter(t, "safe.primary_failures");
    uint64_t passed = trial_counter(t, "safe.failures_passed_on");
    uint64_t turned = trial_counter(t, "safe.fallback_invocations");
    uint64_t degraded = trial_counter(t, "safe.degraded_responses");
    uint64_t gone =
        trial_counter(t, "safe.cancels_received") + trial_counter(t, "safe.requests_lost");
    uint64_t first = (uint64_t)trial_level(t, "safe.primary_in_flight");
    uint64_t second = (uint64_t)trial_level(t, "safe.fallback_in_flight");
    uint64_t first_gone = trial_counter(t, "safe.primary_abandoned");
    uint64_t second_gone = trial_counter(t, "safe.fallback_abandoned");
    assert_int_equal(trial_counter(t, "safe.primary_logical_requests"), received);
    assert_int_equal(received, good + bad + first_gone + first);
    assert_int_equal(bad, passed + turned);
    assert_int_equal(trial_counter(t, "safe.fallback_logical_requests"), turned);
    assert_int_equal(turned, degraded + second_gone + second);
    assert_int_equal(degraded, trial_counter(t, "safe.fallback_successes") +
                                   trial_counter(t, "safe.fallback_failures"));
    assert_int_equal(gone, first_gone + second_gone);
    assert_int_equal(trial_level(t, "safe.in_progress"), first + second);
    assert_int_equal(received, good + passed + degraded + gone + first + second);
}

/* Successes and failures of the one and of the other. */
static void assert_ends(const struct trial *t, uint64_t good, uint64_t bad, uint64_t second_good,
                        uint64_t second_bad)
{
    assert_int_equal(trial_counter(t, "safe.primary_successes"), good);
    assert_int_equal(trial_counter(t, "safe.primary_failures"), bad);
    assert_int_equal(trial_counter(t, "safe.fallback_successes"), second_good);
    assert_int_equal(trial_counter(t, "safe.fallback_failures"), second_bad);
    assert_balance(t);
}

/* Replies to the asker; fails, too, unless `near` was asked at these times [ns]. */
static void assert_answers(const struct trial *t, uint32_t n, const struct asker_reply *replies,
                           uint32_t visits, const sim_time *at)
{
    asker_assert_replies(t, "users", n, replies);
    probe_assert_times(t, "near", visits, at);
}

/* --- who answers ------------------------------------------------------------------------- */

static void a_good_primary_is_all_there_is(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.5s, 2]", "primary: {target: far, timeout: 2s}, " CACHE,
        "{after: 1s}, {after: 1.999999999s, status: 204}");
    assert_answers(&t, 2, (struct asker_reply[]){{S(1), 1, 200}, {S(2.499999999), 2, 204}}, 0,
                   NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(0.5)});
    assert_ends(&t, 2, 0, 0, 0);
    trial_close(&t);
    run(&t, "[0s, 1]", "primary: far, fallback: near", "{after: 50s}");
    assert_answers(&t, 1, (struct asker_reply[]){{S(50), 1, 200}}, 0, NULL);
    trial_close(&t);
}

static void after_a_failure_the_other_one_is_asked(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [10s, 2], [20s, 3]", "primary: {target: far, timeout: 2s}, " CACHE,
        "{after: 1s, status: 500}, {after: 3s}, {after: 1s, status: 404}");
    assert_answers(&t, 3,
                   (struct asker_reply[]){{S(1.5), 1, 200}, {S(12.5), 2, 200}, {S(21.5), 3, 200}},
                   3, (sim_time[]){S(1), S(12), S(21)});
    assert_ends(&t, 0, 3, 3, 0);
    assert_int_equal(trial_counter(&t, "safe.degraded_responses"), 3);
    assert_int_equal(trial_counter(&t, "safe.primary_late_responses"), 1);
    assert_int_equal(trial_counter(&t, "safe.fallback_late_responses"), 0);
    struct hist_counts first = {.total = 0}, second = {.total = 0};
    trial_histogram(&t, "safe.primary_request_latency", &first);
    trial_histogram(&t, "safe.fallback_request_latency", &second);
    assert_int_equal(first.sum, S(1) + S(2) + S(1));
    assert_int_equal(second.sum, S(1.5));
    trial_close(&t);
    /* An answer that comes with the timeout is late. */
    run(&t, "[0s, 1]", "primary: {target: far, timeout: 1s}, " CACHE, "{after: 1s}");
    assert_answers(&t, 1, (struct asker_reply[]){{S(1.5), 1, 200}}, 1, (sim_time[]){S(1)});
    trial_close(&t);
}

/* The primary has failed when its call has: after its retries, or at once before an open breaker.
 */
static void the_calls_decide_when_it_has_failed(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [10s, 2]",
        "primary: {target: far, timeout: 1s,\n"
        "          retry: {kind: fixed, max_attempts: 3, delay: 0.5s},\n"
        "          breaker: {consecutive: {failure_threshold: 3}}}, " CACHE,
        "{after: none}, {status: 500}, {after: 2s}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(1.5), S(2)});
    assert_answers(&t, 2, (struct asker_reply[]){{S(3.5), 1, 200}, {S(10.5), 2, 200}}, 2,
                   (sim_time[]){S(3), S(10)});
    assert_ends(&t, 0, 2, 2, 0);
    assert_int_equal(trial_counter(&t, "safe.primary_retries"), 2);
    assert_int_equal(trial_counter(&t, "safe.primary_circuit_broken"), 1);
    trial_close(&t);
    /* The other call has retries of its own. */
    run_pair(&t, "[0s, 1]",
             "primary: far,\n"
             "         fallback: {kind: call, target: near, timeout: 1s,\n"
             "                    retry: {kind: fixed, max_attempts: 2, delay: 1s}}",
             "{status: 500}", "{after: none}, {after: 0.25s}", "");
    assert_answers(&t, 1, (struct asker_reply[]){{S(2.25), 1, 200}}, 2, (sim_time[]){0, S(2)});
    assert_ends(&t, 0, 1, 1, 0);
    trial_close(&t);
}

static void other_failures_are_passed_on(void **state)
{
    (void)state;
    struct trial t;
    const char *far = "{after: 1s, status: 500}, {after: 5s}, {after: 1s, status: 404}, "
                      "{refuse: true}";
    const char *steps = "[0s, 1], [10s, 2], [20s, 3], [30s, 4]";
    run(&t, steps, "primary: {target: far, timeout: 2s}, fallback_on: timeout, " CACHE, far);
    assert_answers(
        &t, 4,
        (struct asker_reply[]){{S(1), 1, 500}, {S(12.5), 2, 200}, {S(21), 3, 404}, {S(30), 4, 502}},
        1, (sim_time[]){S(12)});
    assert_int_equal(trial_counter(&t, "safe.failures_passed_on"), 3);
    assert_ends(&t, 0, 4, 1, 0);
    trial_close(&t);
    run(&t, steps, "primary: {target: far, timeout: 2s}, fallback_on: [error], " CACHE, far);
    assert_answers(&t, 4,
                   (struct asker_reply[]){
                       {S(1.5), 1, 200}, {S(12), 2, 504}, {S(21), 3, 404}, {S(30.5), 4, 200}},
                   2, (sim_time[]){S(1), S(30)});
    assert_ends(&t, 0, 4, 2, 0);
    trial_close(&t);
    run(&t, steps, "primary: {target: far, timeout: 2s}, fallback_on: [final], " CACHE, far);
    probe_assert_times(&t, "near", 1, (sim_time[]){S(21)});
    trial_close(&t);
}

static void a_static_answer_takes_its_time(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [10s, 2]",
        "primary: {target: far, timeout: 2s},\n"
        "         fallback: {static: {status: 203, after: 0.25s}}",
        "{after: 1s, status: 503}, {after: none}");
    assert_answers(&t, 2, (struct asker_reply[]){{S(1.25), 1, 203}, {S(12.25), 2, 203}}, 0, NULL);
    assert_ends(&t, 0, 2, 2, 0);
    assert_int_equal(trial_integral(&t, "safe.fallback_in_flight"), S(0.5));
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "safe.fallback_request_latency", &h);
    assert_int_equal(h.total, 2);
    assert_int_equal(h.sum, S(0.5));
    trial_close(&t);
    /* A limit on time, and nothing else: a late answer is of no use. */
    run(&t, "[0s, 1], [10s, 2], [20s, 3]",
        "primary: {target: far, timeout: 2s}, fallback: {static: 504},\n"
        "         fallback_on: timeout",
        "{after: 1.999999999s}, {after: 2s}, {after: 1s, status: 500}");
    assert_answers(
        &t, 3, (struct asker_reply[]){{S(1.999999999), 1, 200}, {S(12), 2, 504}, {S(21), 3, 500}},
        0, NULL);
    assert_ends(&t, 1, 2, 0, 1);
    assert_int_equal(trial_counter(&t, "safe.primary_late_responses"), 1);
    trial_close(&t);
}

static void when_both_fail_the_caller_hears_of_the_last(void **state)
{
    (void)state;
    struct trial t;
    run_pair(&t, "[0s, 1], [10s, 2], [20s, 3]", "primary: far, " CACHE, "{after: 1s, status: 500}",
             "{after: 0.5s, status: 503}, {after: 1.5s}, {refuse: true}", "");
    assert_answers(&t, 3,
                   (struct asker_reply[]){{S(1.5), 1, 503}, {S(12), 2, 504}, {S(21), 3, 502}}, 3,
                   (sim_time[]){S(1), S(11), S(21)});
    assert_ends(&t, 0, 3, 0, 3);
    assert_int_equal(trial_counter(&t, "safe.degraded_responses"), 3);
    assert_int_equal(trial_counter(&t, "safe.fallback_late_responses"), 1);
    assert_int_equal(trial_counter(&t, "safe.primary_late_responses"), 0);
    trial_close(&t);
}

/* A client's requests, tried up to three times, whose primary fails. */
static void run_client(struct trial *t, const char *call, const char *near)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 20s\n"
               "entities:\n"
               "  users: {type: client, target: safe, arrivals: {times: [1s]}, call: {%s,\n"
               "          retry: {kind: fixed, max_attempts: 3, delay: 1s}}}\n"
               "  safe: {type: fallback, primary: far, fallback: {call: {target: near}}}\n"
               "  far: {type: probe, answers: [{after: 1s, status: 500}]}\n"
               "  near: {type: probe, answers: [%s]}\n",
               call, near);
    trial_run(t, 0);
}

static void callers_learn_what_no_attempt_betters(void **state)
{
    (void)state;
    struct trial t;
    run_client(&t, "timeout: none", "{status: 503}");
    assert_int_equal(trial_counter(&t, "users.retries"), 2);
    assert_int_equal(trial_counter(&t, "users.failures"), 1);
    trial_close(&t);
    run_client(&t, "timeout: none", "{status: 503, flags: do_not_retry}");
    assert_int_equal(trial_counter(&t, "users.retries"), 0);
    assert_int_equal(trial_counter(&t, "users.failures"), 1);
    trial_close(&t);
    run_client(&t, "timeout: none", "{status: 200}");
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    trial_close(&t);
}

/* Both calls have what is left of the deadline that a request brings. */
static void deadlines_go_through_it(void **state)
{
    (void)state;
    struct trial t;
    run_client(&t, "deadline: 5s, deadline_accounting: absolute", "{status: 200}");
    assert_int_equal(probe_visit(&t, "far", 0)->deadline, S(5)); /* counted anew: the time left */
    assert_int_equal(probe_visit(&t, "near", 0)->deadline, S(4));
    trial_close(&t);
    run_client(&t, "deadline: 5s", "{status: 200}");
    assert_int_equal(probe_visit(&t, "near", 0)->deadline, S(4));
    trial_close(&t);
    run_client(&t, "timeout: none", "{status: 200}");
    assert_int_equal(probe_visit(&t, "near", 0)->deadline, SIM_TIME_NEVER);
    trial_close(&t);
}

/* --- what is given up -------------------------------------------------------------------- */

static void cancels_give_both_up(void **state)
{
    (void)state;
    struct trial t;
    /* One while the primary is asked, one while the other is. */
    run_pair(&t, "[0s, 1], [0.5s, 1, cancel], [10s, 2], [12.25s, 2, cancel]",
             "primary: {target: far, timeout: 2s}, " CACHE, "{after: 1s}, {after: none}",
             "{after: 0.75s}", "");
    assert_answers(&t, 0, NULL, 1, (sim_time[]){S(12)});
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(0.5)});
    probe_assert_cancels(&t, "near", 1, (sim_time[]){S(12.25)});
    assert_ends(&t, 0, 1, 0, 0);
    assert_int_equal(trial_counter(&t, "safe.cancels_received"), 2);
    assert_int_equal(trial_counter(&t, "safe.primary_late_responses"), 1);
    assert_int_equal(trial_counter(&t, "safe.fallback_late_responses"), 1);
    trial_close(&t);
    run(&t, "[0s, 1], [1s, 1, cancel]", "primary: far, fallback: {static: {after: 2s}}",
        "{status: 500}");
    assert_answers(&t, 0, NULL, 0, NULL);
    assert_int_equal(trial_counter(&t, "safe.fallback_abandoned"), 1);
    assert_int_equal(trial_integral(&t, "safe.in_progress"), S(1));
    assert_ends(&t, 0, 1, 0, 0);
    trial_close(&t);
}

/* A crash forgets requests in every stage; nothing of them comes due. */
static void a_crash_forgets_them(void **state)
{
    (void)state;
    struct trial t;
    const char *crash = "timeline: [{at: 3s, for: 1s, crash: safe}]";
    run_pair(&t, "[0.5s, 1], [2s, 2], [3.5s, 3], [10s, 4]",
             "primary: {target: far, timeout: 2s}, " CACHE,
             "{after: none}, {after: 5s}, {after: 1s}", "{after: 0.75s}", crash);
    assert_answers(&t, 1, (struct asker_reply[]){{S(11), 4, 200}}, 1, (sim_time[]){S(2.5)});
    assert_int_equal(trial_counter(&t, "safe.requests_lost"), 2);
    assert_int_equal(trial_counter(&t, "safe.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "safe.primary_late_responses"), 1);
    assert_ends(&t, 1, 1, 0, 0);
    trial_close(&t);
    run_pair(&t, "[2s, 1], [10s, 2]", "primary: far, fallback: {static: {after: 2s}}",
             "{status: 500}", "", crash);
    assert_answers(&t, 1, (struct asker_reply[]){{S(12), 2, 200}}, 0, NULL);
    assert_int_equal(trial_counter(&t, "safe.fallback_abandoned"), 1);
    assert_ends(&t, 0, 2, 1, 0);
    trial_close(&t);
}

/* --- whatever happens -------------------------------------------------------------------- */

static void run_storm(const char *fallback)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 60s\n"
               "entities:\n"
               "  users: {type: client, count: 3, target: safe, arrivals: {poisson: 20/s},\n"
               "          call: {timeout: 200ms, cancel: [timeouts, losers],\n"
               "                 retry: {kind: fixed, max_attempts: 3, delay: 10ms}}}\n"
               "  safe: {type: fallback, fallback: %s, fallback_on: [timeout, error],\n"
               "         primary: {target: far, timeout: {exponential: 100ms}, cancel: [timeouts, "
               "losers],\n"
               "                   breaker: {consecutive: {recovery_timeout: 200ms}},\n"
               "                   strategy: {kind: parallel, attempts: 2, delays: 60ms}}}\n"
               "  far: {type: server, count: 2, concurrency: 3, on_cancel: abort,\n"
               "        service_time: {exponential: 40ms},\n"
               "        responses: [{weight: 90}, {status: 500, weight: 30}, {status: 404}]}\n"
               "  near: {type: server, concurrency: 2, service_time: {exponential: 40ms},\n"
               "         queue: {capacity: 5}}\n"
               "  steady: {type: client, target: near, arrivals: {poisson: 10/s}}\n"
               "network:\n"
               "  - {from: users, to: safe, latency: 1ms, loss: 1%%}\n"
               "  - {from: safe, to: far, latency: 1ms, loss: 5%%}\n"
               "timeline:\n"
               "  - {at: 20s, for: 1s, crash: safe}\n"
               "  - {at: 30s, for: 5s, slow: far, factor: 5}\n"
               "  - {at: 40s, for: 1s, crash: far}\n",
               fallback);
    for (uint64_t replication = 0; replication < 3; replication++) {
        trial_begin(&t, replication, 0);
        for (sim_time at = 0; at < S(60); at += S(0.37)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_balance(&t);
        assert_true(trial_counter(&t, "safe.primary_successes") > 1000);
        assert_true(trial_counter(&t, "safe.failures_passed_on") > 10);
        assert_true(trial_counter(&t, "safe.fallback_successes") > 100);
        assert_true(trial_counter(&t, "safe.fallback_abandoned") > 10);
        assert_true(trial_counter(&t, "safe.primary_abandoned") > 10);
        assert_true(trial_counter(&t, "safe.requests_missed") > 0);
    }
    trial_close(&t);
}

static void nothing_goes_astray(void **state)
{
    (void)state;
    run_storm("{call: {target: near, timeout: 400ms}}");
    run_storm("{static: {after: 60ms}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_primary_is_all_there_is),
        cmocka_unit_test(after_a_failure_the_other_one_is_asked),
        cmocka_unit_test(the_calls_decide_when_it_has_failed),
        cmocka_unit_test(other_failures_are_passed_on),
        cmocka_unit_test(a_static_answer_takes_its_time),
        cmocka_unit_test(when_both_fail_the_caller_hears_of_the_last),
        cmocka_unit_test(callers_learn_what_no_attempt_betters),
        cmocka_unit_test(deadlines_go_through_it),
        cmocka_unit_test(cancels_give_both_up),
        cmocka_unit_test(a_crash_forgets_them),
        cmocka_unit_test(nothing_goes_astray)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
