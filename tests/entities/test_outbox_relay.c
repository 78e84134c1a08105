/* SPDX-License-Identifier: Apache-2.0
 *
 * When the outbox relay delivers what was written, to the nanosecond, and that it loses nothing.
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

static void run(struct trial *t, const char *steps, const char *outbox, const char *answers,
                const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 10s\n"
               "entities:\n"
               "  users: {type: asker, target: outbox, steps: [%s]}\n"
               "  outbox: {type: outbox_relay, target: far, %s}\n"
               "  far: {type: probe, answers: [%s]}\n%s\n",
               steps, outbox, answers, rest);
    trial_run(t, 0);
}

static void assert_numbers(const struct trial *t, uint32_t n, const uint32_t *numbers)
{
    assert_int_equal(probe_visits(t, "far"), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(probe_visit(t, "far", i)->number, numbers[i]);
    }
}

static struct hist_counts lag_of(const struct trial *t)
{
    struct hist_counts h = {.total = 0};
    trial_histogram(t, "outbox.relay_lag", &h);
    return h;
}

/* The golden vector: looks at .1, .2, ... from the first write on. */
static void looks_come_at_their_interval(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0.499999999s, 4]", "relay_latency: 0s", "{}", "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{0, 1, 200}, {0, 2, 200}, {0, 3, 200}, {499999999, 4, 200}});
    probe_assert_times(&t, "far", 4, (sim_time[]){S(0.1), S(0.1), S(0.1), S(0.5)});
    assert_numbers(&t, 4, (uint32_t[]){1, 2, 3, 4});
    struct hist_counts lag = lag_of(&t);
    assert_int_equal(lag.sum, S(0.3) + 1);
    assert_int_equal(lag.max, S(0.1));
    assert_int_equal(trial_counter(&t, "outbox.entries_written"), 4);
    assert_int_equal(trial_counter(&t, "outbox.entries_relayed"), 4);
    assert_int_equal(trial_counter(&t, "outbox.poll_cycles"), 100);
    trial_close(&t);
}

/* Each entry takes its time, and the next look comes an interval after the last of them. */
static void a_batch_is_delivered_one_by_one(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0.101s, 4]", "batch_size: 2, relay_latency: 10ms", "{}",
        "");
    probe_assert_times(&t, "far", 4, (sim_time[]){S(0.11), S(0.12), S(0.23), S(0.24)});
    assert_numbers(&t, 4, (uint32_t[]){1, 2, 3, 4});
    assert_int_equal(lag_of(&t).sum, S(0.11) + S(0.12) + S(0.23) + S(0.139));
    assert_int_equal(trial_integral(&t, "outbox.pending"),
                     S(0.1) * 2 + S(0.22) + (S(0.22) - S(0.101)));
    trial_close(&t);
}

/* Nothing is looked at before there is something. */
static void looks_begin_with_the_first_write(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[9.85s, 1]", "relay_latency: 0s", "{}", "");
    assert_int_equal(trial_counter(&t, "outbox.poll_cycles"), 1);
    probe_assert_times(&t, "far", 1, (sim_time[]){S(9.95)});
    trial_close(&t);
}

/* What fails is delivered again by the next look, before newer entries, under the same number. */
static void failures_come_back_in_their_old_place(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0.15s, 4]", "relay_latency: 0s, batch_size: 3",
        "{status: 503}, {}, {status: 404}, {}", "");
    probe_assert_times(&t, "far", 6, (sim_time[]){S(0.1), S(0.1), S(0.1), S(0.2), S(0.2), S(0.2)});
    assert_numbers(&t, 6, (uint32_t[]){1, 2, 3, 1, 3, 4});
    assert_int_equal(trial_counter(&t, "outbox.relay_failures"), 2);
    assert_int_equal(trial_counter(&t, "outbox.entries_relayed"), 4);
    assert_int_equal(lag_of(&t).sum, S(0.1) + S(0.2) + S(0.2) + S(0.05));
    trial_close(&t);
}

/* Without a timeout what is not answered stays in delivery for ever. With one it comes back, and
 * is delivered twice: at least once. */
static void unanswered_deliveries_need_a_timeout(void **state)
{
    (void)state;
    static const char answers[] = "{after: none}, {after: 0.3s}, {}";
    struct trial t;
    run(&t, "[0s, 1], [0s, 2]", "relay_latency: 0s", answers, "");
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.1), S(0.1)});
    assert_int_equal(trial_level(&t, "outbox.in_delivery"), 1);
    trial_close(&t);
    run(&t, "[0s, 1], [0s, 2]", "relay_latency: 0s, call: {timeout: 0.25s}", answers, "");
    assert_numbers(&t, 4, (uint32_t[]){1, 2, 1, 2});
    probe_assert_times(&t, "far", 4, (sim_time[]){S(0.1), S(0.1), S(0.4), S(0.4)});
    assert_int_equal(trial_counter(&t, "outbox.relay_failures"), 2);
    assert_int_equal(trial_counter(&t, "outbox.downstream_late_responses"), 1);
    assert_int_equal(trial_counter(&t, "outbox.entries_relayed"), 2);
    trial_close(&t);
}

/* A crash in the middle of a batch: of three taken one was sent. All three are delivered after it,
 * and what was to be written meanwhile was not. */
static void a_crash_loses_no_entry(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0.25s, 4], [0.5s, 5]", "relay_latency: 20ms",
        "{after: 0.3s}", "timeline: [{crash: outbox, at: 0.13s, for: 0.2s}]\n");
    probe_assert_times(&t, "far", 5, (sim_time[]){S(0.12), S(0.45), S(0.47), S(0.49), S(0.61)});
    assert_numbers(&t, 5, (uint32_t[]){1, 1, 2, 3, 5});
    assert_int_equal(trial_counter(&t, "outbox.relay_failures"), 1);
    assert_int_equal(trial_counter(&t, "outbox.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "outbox.downstream_abandoned"), 1);
    assert_int_equal(trial_counter(&t, "outbox.downstream_late_responses"), 1);
    assert_int_equal(trial_counter(&t, "outbox.entries_written"), 4);
    assert_int_equal(trial_counter(&t, "outbox.entries_relayed"), 4);
    trial_close(&t);
}

/* Whatever happens, every entry is somewhere, and every delivery has one end. */
static void nothing_is_lost_in_studies_at_random(void **state)
{
    (void)state;
    uint64_t failures = 0, crashes = 0;
    for (uint64_t n = 0; n < 200; n++) {
        char text[8192];
        struct draft d;
        struct trial t;
        draft_begin(&d, n, 2, text, sizeof text);
        draft_add(&d,
                  "squall: 1\nduration: 3s\nentities:\n"
                  "  users: {type: client, target: outbox, arrivals: {poisson: 300/s}}\n"
                  "  outbox: {type: outbox_relay, target: far, poll_interval: %ums, batch_size: %u,"
                  "\n    relay_latency: {exponential: 1ms}, call: {",
                  1 + draft_below(&d, 50), 1 + draft_below(&d, 20));
        draft_call(&d);
        draft_add(&d, "}}\n  far: {type: server, concurrency: 2, service_time: 5ms, ");
        draft_answers(&d);
        draft_add(&d, "}\ntimeline: [{crash: outbox, at: %ums, for: 300ms}]\n",
                  200 + draft_below(&d, 2000));
        trial_open(&t, "%s", text);
        trial_run(&t, n);
        uint64_t written = trial_counter(&t, "outbox.entries_written");
        uint64_t here =
            (uint64_t)(trial_level(&t, "outbox.pending") + trial_level(&t, "outbox.in_delivery"));
        uint64_t relayed = trial_counter(&t, "outbox.entries_relayed");
        uint64_t failed = trial_counter(&t, "outbox.relay_failures");
        uint64_t under_way = (uint64_t)trial_level(&t, "outbox.downstream_in_flight");
        if (written != relayed + here ||
            trial_counter(&t, "outbox.downstream_logical_requests") !=
                relayed + failed + under_way ||
            trial_counter(&t, "users.successes") != written) {
            puts(text);
            fail_msg("study %" PRIu64 " loses entries", n);
        }
        failures += trial_counter(&t, "outbox.downstream_failures");
        crashes += trial_counter(&t, "outbox.downstream_abandoned");
        trial_close(&t);
    }
    assert_true(failures > 1000);
    assert_true(crashes > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(looks_come_at_their_interval),
                                       cmocka_unit_test(a_batch_is_delivered_one_by_one),
                                       cmocka_unit_test(looks_begin_with_the_first_write),
                                       cmocka_unit_test(failures_come_back_in_their_old_place),
                                       cmocka_unit_test(unanswered_deliveries_need_a_timeout),
                                       cmocka_unit_test(a_crash_loses_no_entry),
                                       cmocka_unit_test(nothing_is_lost_in_studies_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
