/* SPDX-License-Identifier: Apache-2.0
 *
 * When a sidecar calls its target, to the nanosecond, and what those who ask it are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "support/asker.h"
#include "support/draft.h"
#include "support/probe.h"
#include "support/trial.h"

static void run(struct trial *t, const char *steps, const char *sidecar, const char *answers,
                const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: sidecar, steps: [%s]}\n"
               "  sidecar: {type: sidecar, target: far%s}\n"
               "  far: {type: probe, answers: [%s]}\n%s\n",
               steps, sidecar, answers, rest);
    trial_run(t, 0);
}

/* Its vector: passes at 0, 1.5 and 3.5 s, and the breaker opens at 4.5 s. Those that come at 20 and
 * 21 s find it half-open, which lets all through, until the first of them has failed. */
static void passes_of_a_dead_target(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [20s, 2], [21s, 3], [22s, 4], [26s, 5]",
        ", call: {timeout: 1s, retry: {kind: exponential, max_retries: 2, initial_delay: 0.5s, "
        "max_delay: none}, breaker: {kind: consecutive, failure_threshold: 1, "
        "success_threshold: 2, recovery_timeout: 5s, half_open_max_requests: unlimited, "
        "check: attempt, counts: requests}}",
        "{after: none}", "");
    probe_assert_times(
        &t, "far", 10,
        (sim_time[]){0, S(1.5), S(3.5), S(20), S(21), S(21.5), S(22), S(22.5), S(23.5), S(23.5)});
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(4.5), 1, 504},
                                                {S(24.5), 2, 504},
                                                {S(24.5), 3, 502},
                                                {S(25.5), 4, 502},
                                                {S(26), 5, 502}});
    assert_int_equal(trial_counter(&t, "sidecar.downstream_timeouts"), 10);
    assert_int_equal(trial_counter(&t, "sidecar.downstream_circuit_broken"), 3);
    assert_int_equal(trial_counter(&t, "sidecar.failed_requests"), 5);
    trial_close(&t);
}

/* Without a word of calls: 5 s, three retries after .1, .2 and .4 s, five failures in a row. */
static void defaults_are_those_of_the_sidecar(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0s, 4], [0s, 5], [20.8s, 6], [50.7s, 7]", "",
        "{after: none}", "");
    assert_int_equal(probe_visits(&t, "far"), 24);
    assert_int_equal(probe_visit(&t, "far", 5)->at, S(5.1));
    assert_int_equal(probe_visit(&t, "far", 10)->at, S(10.3));
    assert_int_equal(probe_visit(&t, "far", 15)->at, S(15.7));
    assert_int_equal(probe_visit(&t, "far", 20)->at, S(50.7));
    asker_assert_replies(&t, "users", 7,
                         (struct asker_reply[]){{S(20.7), 1, 504},
                                                {S(20.7), 2, 504},
                                                {S(20.7), 3, 504},
                                                {S(20.7), 4, 504},
                                                {S(20.7), 5, 504},
                                                {S(20.8), 6, 502},
                                                {S(71.4), 7, 504}});
    trial_close(&t);
}

/* A bucket of two and five requests at once: three are refused. What is refused as a retry has
 * failed. */
static void the_limit_holds_for_every_pass(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0s, 4], [0s, 5]",
        ", call: {rate_limit: {token_bucket: {capacity: 2, refill_rate: 1e-3/s}}}", "{after: 1s}",
        "");
    asker_assert_replies(
        &t, "users", 5,
        (struct asker_reply[]){
            {0, 3, 429}, {0, 4, 429}, {0, 5, 429}, {S(1), 1, 200}, {S(1), 2, 200}});
    assert_int_equal(trial_counter(&t, "sidecar.downstream_rate_limited"), 3);
    assert_int_equal(trial_counter(&t, "sidecar.downstream_throttled"), 0);
    trial_close(&t);
    run(&t, "[0s, 1]",
        ", call: {timeout: 5s, retry: {kind: fixed, max_attempts: 5, delay: 1s}, "
        "rate_limit: {token_bucket: {capacity: 2, refill_rate: 1e-3/s}}}",
        "{after: 0.25s, status: 503}", "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(1.25)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2.5), 1, 429}});
    trial_close(&t);
}

/* A limit that heeds how attempts end: 4/s, and after two failures 1/s, for a window of 1 s. */
static void limits_learn_from_ends(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0.5s, 3], [0.5s, 4], [1.5s, 5], [1.5s, 6]",
        ", call: {rate_limit: {aimd: {initial_rate: 4/s, min_rate: 1/s, max_rate: 6/s}}}",
        "{after: 0.1s, status: 500}", "");
    probe_assert_times(&t, "far", 4, (sim_time[]){0, 0, S(0.5), S(1.5)});
    assert_int_equal(trial_counter(&t, "sidecar.downstream_rate_limited"), 2);
    trial_close(&t);
}

/* Replies are passed on as they are, and what is given up is given up. */
static void replies_and_cancels_are_passed_on(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [1s, 1, cancel], [1s, 9, cancel]", ", call: {timeout: 10s}",
        "{after: 2s}, {after: 2s, status: 404}", "");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2), 2, 404}});
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(1)});
    assert_int_equal(trial_counter(&t, "sidecar.cancels_received"), 1);
    assert_int_equal(trial_counter(&t, "sidecar.failed_requests"), 1);
    assert_int_equal(trial_counter(&t, "sidecar.downstream_abandoned"), 1);
    assert_int_equal(trial_level(&t, "sidecar.in_progress"), 0);
    trial_close(&t);
}

/* An answer is as long behind a sidecar as before it: a second on each of two wires. */
static void answers_keep_their_size(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\nduration: 10s\nentities:\n"
                   "  users: {type: client, target: sidecar, arrivals: {times: [0s]}}\n"
                   "  sidecar: {type: sidecar, target: far}\n"
                   "  far: {type: server, service_time: 0s,\n"
                   "        responses: [{status: 200, bytes: 1000000}]}\n"
                   "network: [{latency: 0s, bandwidth: 1MB/s}]\n");
    trial_run(&t, 0);
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.total, 1);
    assert_int_equal(h.sum, S(2));
    trial_close(&t);
}

static void a_crash_forgets_all(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1.5s, 2], [3s, 3]", ", call: {timeout: 10s}", "{after: 2.5s}",
        "timeline: [{crash: sidecar, at: 1s, for: 1s}]");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(5.5), 3, 200}});
    assert_int_equal(trial_counter(&t, "sidecar.requests_lost"), 1);
    assert_int_equal(trial_counter(&t, "sidecar.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "sidecar.downstream_late_responses"), 1);
    trial_close(&t);
}

static void requests_add_up_in_studies_at_random(void **state)
{
    (void)state;
    uint64_t failed = 0, cancelled = 0;
    for (uint64_t n = 0; n < 300; n++) {
        char text[8192];
        struct draft d;
        struct trial t;
        draft_begin(&d, n, 3, text, sizeof text);
        draft_add(&d, "squall: 1\nduration: 3s\nentities:\n"
                      "  users: {type: client, target: sidecar, arrivals: {poisson: 300/s}, "
                      "call: {");
        draft_call(&d);
        draft_add(&d, "}}\n  sidecar: {type: sidecar, target: far, call: {");
        draft_call(&d);
        draft_add(&d, "}}\n  far: {type: server, concurrency: 2, service_time: 5ms, ");
        draft_answers(&d);
        draft_add(&d, "}\ntimeline: [{crash: sidecar, at: 1s, for: 300ms}]\n");
        trial_open(&t, "%s", text);
        trial_run(&t, n);
        uint64_t ended = trial_counter(&t, "sidecar.successful_requests") +
                         trial_counter(&t, "sidecar.failed_requests") +
                         trial_counter(&t, "sidecar.cancels_received") +
                         trial_counter(&t, "sidecar.requests_lost");
        uint64_t here = (uint64_t)trial_level(&t, "sidecar.in_progress");
        if (trial_counter(&t, "sidecar.requests_received") != ended + here ||
            trial_counter(&t, "sidecar.downstream_logical_requests") != ended + here ||
            trial_level(&t, "sidecar.downstream_in_flight") != (int64_t)here) {
            puts(text);
            fail_msg("study %" PRIu64 " does not add up", n);
        }
        failed += trial_counter(&t, "sidecar.failed_requests");
        cancelled += trial_counter(&t, "sidecar.cancels_received");
        trial_close(&t);
    }
    assert_true(failed > 10000);
    assert_true(cancelled > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(passes_of_a_dead_target),
                                       cmocka_unit_test(defaults_are_those_of_the_sidecar),
                                       cmocka_unit_test(the_limit_holds_for_every_pass),
                                       cmocka_unit_test(limits_learn_from_ends),
                                       cmocka_unit_test(replies_and_cancels_are_passed_on),
                                       cmocka_unit_test(answers_keep_their_size),
                                       cmocka_unit_test(a_crash_forgets_all),
                                       cmocka_unit_test(requests_add_up_in_studies_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
