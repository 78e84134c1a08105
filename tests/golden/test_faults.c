/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults of the timeline beside those of the network (test_links.c): crashes that let work be done,
 * errors, actions that come again, and crashes and partitions that come by chance.
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

/* --- crashes that let work be done -------------------------------------------------------- */

/* One worker, 1 s of service, and requests that it hands on to `seen` when they are done. */
static void run_server(struct trial *t, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: client, target: service, call: {timeout: 20s},\n"
               "          arrivals: {times: [0s, 0s, 0s, 1.5s, 2s, 3s]}}\n"
               "  service: {type: server, service_time: 1s, calls: [{target: seen}]}\n"
               "  seen: {type: probe}\n"
               "timeline: [%s]\n",
               timeline);
    trial_run(t, 0);
}

/* What is in service and what waits is done and answered; what comes while it is down is lost. */
static void work_in_hand_is_done(void **state)
{
    (void)state;
    struct trial t;
    run_server(&t, "{at: 1.25s, for: 0.5s, crash: service, in_flight: finish}");
    /* Not the fourth, of 1.5 s. The first three are done at 1, 2 and 3 s, as without. */
    probe_assert_times(&t, "seen", 5, (sim_time[]){S(1), S(2), S(3), S(4), S(5)});
    assert_int_equal(trial_counter(&t, "service.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "service.requests_lost"), 0);
    assert_int_equal(trial_counter(&t, "users.successes"), 5);
    assert_int_equal(trial_counter(&t, "users.timeouts"), 1);
    trial_close(&t);
    /* The answer of `seen` is a message, too: the second waits for it in vain. */
    run_server(&t, "{at: 1.25s, for: 1.25s, crash: service, in_flight: finish}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1), S(2)});
    assert_int_equal(trial_level(&t, "service.busy_workers"), 1);
    trial_close(&t);
}

/* One that loses work loses it, whatever the other says; afterwards the other goes on. */
static void the_worse_crash_counts(void **state)
{
    (void)state;
    struct trial t;
    run_server(&t, "{at: 1.25s, for: 1.5s, crash: service, in_flight: finish},"
                   "{at: 1.75s, for: 0.5s, crash: service}");
    /* The last of 3 s alone comes later. */
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1), S(4)});
    assert_int_equal(trial_counter(&t, "service.requests_lost"), 2);
    assert_int_equal(trial_counter(&t, "service.requests_missed"), 2);
    trial_close(&t);
}

/* --- errors -------------------------------------------------------------------------------- */

static void run_errors(struct trial *t, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: far,\n"
               "          steps: [[0.5s, 1], [1s, 2], [1.95s, 3], [2s, 4], [3s, 5]]}\n"
               "  far: {type: probe, answers: [{after: 0.1s}, {after: 0.1s},\n"
               "                               {after: 0.1s, status: 404}, {after: 0.1s}]}\n"
               "network: [{latency: 10ms}]\n"
               "timeline: [%s]\n",
               timeline);
    trial_run(t, 0);
}

/* Before service: by when the request arrives, which the entity then does not get. */
static void errors_before_service(void **state)
{
    (void)state;
    struct trial t;
    run_errors(&t, "{at: 1.01s, for: 0.95s, errors: far}");
    probe_assert_times(&t, "far", 4, (sim_time[]){S(0.51), S(1.96), S(2.01), S(3.01)});
    trial_close(&t);
    run_errors(&t, "{at: 1.01s, for: 1s, errors: {of: far, status: 500}}");
    probe_assert_times(&t, "far", 3, (sim_time[]){S(0.51), S(2.01), S(3.01)});
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(0.62), 1, 200},
                                                {S(1.02), 2, 500},
                                                {S(1.97), 3, 500},
                                                {S(2.12), 4, 200},
                                                {S(3.12), 5, 404}});
    assert_int_equal(trial_counter(&t, "far.errors_injected"), 2);
    assert_int_equal(trial_counter(&t, "far.requests_received"), 3);
    trial_close(&t);
}

/* After service: by when the answer leaves, and in place of successes only. */
static void errors_after_service(void **state)
{
    (void)state;
    struct trial t;
    run_errors(&t, "{at: 1s, for: 1.11s, errors: {of: far, stage: after_service}}");
    assert_int_equal(probe_visits(&t, "far"), 5);
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(0.62), 1, 200},
                                                {S(1.12), 2, 503},
                                                {S(2.07), 3, 404},
                                                {S(2.12), 4, 200},
                                                {S(3.12), 5, 200}});
    assert_int_equal(trial_counter(&t, "far.errors_injected"), 1);
    trial_close(&t);
}

/* Where several fail a request it is the one written first; they end one by one. */
static void errors_overlap(void **state)
{
    (void)state;
    struct trial t;
    run_errors(&t, "{at: 1s, for: 1.5s, errors: {of: far, status: 500}},"
                   "{at: 0s, errors: [{of: far, status: 501}, {of: far, status: 502}]},"
                   "{at: 0s, errors: {of: far, status: 504, probability: 0}}");
    assert_int_equal(probe_visits(&t, "far"), 0);
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(0.52), 1, 501},
                                                {S(1.02), 2, 500},
                                                {S(1.97), 3, 500},
                                                {S(2.02), 4, 500},
                                                {S(3.02), 5, 501}});
    trial_close(&t);
}

/* Again and again, so often at most; those that touch are as one. */
static void errors_repeat(void **state)
{
    (void)state;
    struct trial t;
    run_errors(&t, "{at: 0.9s, for: 0.2s, every: 1s, times: 2, errors: far}");
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.51), S(3.01)});
    trial_close(&t);
    run_errors(&t, "{at: 0.01s, for: 0.5s, every: 1s, errors: far}");
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.51), S(1.96)});
    trial_close(&t);
    run_errors(&t, "{at: 0.51s, for: 0.5s, every: 0.5s, times: 5, errors: far}");
    probe_assert_times(&t, "far", 1, (sim_time[]){S(3.01)});
    trial_close(&t);
    run_errors(&t, "{at: 1s, for: 1us, every: 1us, errors: far}");
    probe_assert_times(&t, "far", 1, (sim_time[]){S(0.51)});
    trial_close(&t);
}

/* Ten thousand requests a window of 10 s. */
static void run_shares(struct trial *t, const char *more)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 30s\n"
               "interval: 10s\n"
               "entities:\n"
               "  users: {type: client, target: far, call: {timeout: 1s},\n"
               "          arrivals: {kind: constant, rate: 1000/s}}\n"
               "  far: {type: delay, count: 3, latency: 1ms}\n"
               "timeline: [{at: 0s, for: 20s, errors: {of: far, probability: 20%%}} %s]\n",
               more);
    trial_run(t, 0);
}

static void shares_are_independent(void **state)
{
    (void)state;
    struct trial one, two, list;
    run_shares(&one, "");
    run_shares(&two, ", {at: 10s, for: 20s, errors: {of: far, probability: 50%, status: 500, "
                     "stage: after_service}}");
    const uint64_t alone[] = {2000, 2000, 0}, together[] = {2000, 6000, 5000};
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t errors = trial_in_interval(&one, "users.errors", i);
        assert_in_range(errors, alone[i] - alone[i] / 12, alone[i] + alone[i] / 12);
        errors = trial_in_interval(&two, "users.errors", i);
        assert_in_range(errors, together[i] - together[i] / 12, together[i] + together[i] / 12);
    }
    /* Each draws for itself. */
    assert_int_equal(trial_in_interval(&one, "users.errors", 0),
                     trial_in_interval(&two, "users.errors", 0));
    assert_int_equal(trial_counter(&one, "users.errors"),
                     trial_counter(&one, "far.errors_injected"));
    assert_int_equal(trial_counter(&one, "users.requests_sent"),
                     trial_counter(&one, "far.requests_received") +
                         trial_counter(&one, "far.errors_injected"));
    trial_close(&one);
    trial_close(&two);
    /* Those of one action, too. */
    run_shares(&list, ", {at: 20s, errors: [{of: far, probability: 50%, status: 500},"
                      "                      {of: far, probability: 50%}]}");
    assert_in_range(trial_in_interval(&list, "users.errors", 2), 7500 - 150, 7500 + 150);
    trial_close(&list);
}

/* --- actions that come again --------------------------------------------------------------- */

/* A request each half second, served in 0.1 s. */
static void run_repeated(struct trial *t, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 4.9s\n"
               "entities:\n"
               "  users: {type: client, target: service, call: {timeout: 2s},\n"
               "          arrivals: {kind: constant, rate: 2/s, first_arrival: 0s}}\n"
               "  service: {type: server, concurrency: 8, service_time: 100ms,\n"
               "            calls: [{target: seen}]}\n"
               "  seen: {type: probe}\n"
               "timeline: [%s]\n",
               timeline);
    trial_run(t, 0);
}

static void actions_repeat(void **state)
{
    (void)state;
    struct trial t;
    run_repeated(&t, "{at: 0.5s, for: 0.2s, every: 1s, times: 3, slow: service, factor: 3}");
    probe_assert_times(&t, "seen", 10,
                       (sim_time[]){S(0.1), S(0.8), S(1.1), S(1.8), S(2.1), S(2.8), S(3.1), S(3.6),
                                    S(4.1), S(4.6)});
    trial_close(&t);
    run_repeated(&t, "{at: 0.9s, for: 0.25s, every: 1.5s, pause: service}");
    probe_assert_times(&t, "seen", 10,
                       (sim_time[]){S(0.1), S(0.6), S(1.25), S(1.6), S(2.1), S(2.75), S(3.1),
                                    S(3.6), S(4.25), S(4.6)});
    trial_close(&t);
    run_repeated(&t, "{at: 1s, for: 0.5s, every: 1s, crash: service}");
    probe_assert_times(&t, "seen", 6, (sim_time[]){S(0.1), S(0.6), S(1.6), S(2.6), S(3.6), S(4.6)});
    trial_close(&t);
    /* One that ends as it begins again never ends. */
    run_repeated(&t, "{at: 1s, for: 1s, every: 1s, times: 2, crash: service}");
    probe_assert_times(&t, "seen", 6, (sim_time[]){S(0.1), S(0.6), S(3.1), S(3.6), S(4.1), S(4.6)});
    trial_close(&t);
    /* Beside another of its kind. */
    run_repeated(&t, "{at: 0.5s, for: 0.5s, every: 2s, slow: service, factor: 3},"
                     "{at: 0s, for: 3s, slow: service, factor: 0.5}");
    probe_assert_times(&t, "seen", 10,
                       (sim_time[]){S(0.05), S(0.65), S(1.05), S(1.55), S(2.05), S(2.65), S(3.1),
                                    S(3.6), S(4.1), S(4.8)});
    trial_close(&t);
}

/* --- by chance ----------------------------------------------------------------------------- */

/* A request each 20 ms to each of two services, for 1000 s. */
static void run_chance(struct trial *t, const char *more, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 1000s\n"
               "interval: 20ms\n"
               "entities:\n"
               "%s"
               "  one: {type: client, target: \"far[0]\", call: {timeout: 5ms},\n"
               "        arrivals: {kind: constant, rate: 50/s}}\n"
               "  two: {type: client, target: \"far[1]\", call: {timeout: 5ms},\n"
               "        arrivals: {kind: constant, rate: 50/s}}\n"
               "  far: {type: delay, count: 2, latency: 1us}\n"
               "timeline: [%s]\n"
               "output: {series: [one, two]}\n",
               more, timeline);
    trial_run(t, 0);
}

/* How often the client's requests begin to fail, and how many do. */
static uint64_t count_outages(const struct trial *t, const char *stat, uint64_t *failed)
{
    uint64_t outages = 0, before = 0;
    *failed = 0;
    for (uint32_t i = 0; i < trial_intervals(t); i++) {
        uint64_t now = trial_in_interval(t, stat, i);
        outages += now > 0 && before == 0;
        *failed += now;
        before = now;
    }
    return outages;
}

/* Up for 8 s and down for 2 s in the mean, so a hundred outages and a fifth of the requests, within
 * some three deviations; of each instance for itself. */
static void crashes_by_chance(void **state)
{
    (void)state;
    struct trial t, again;
    uint64_t failed, other, shared = 0;
    run_chance(&t, "", "{at: 0s, mtbf: 8s, mttr: 2s, crash: far}");
    assert_in_range(count_outages(&t, "one.timeouts", &failed), 65, 135);
    assert_in_range(failed, 10000 - 3200, 10000 + 3200);
    assert_in_range(count_outages(&t, "two.timeouts", &other), 65, 135);
    assert_in_range(other, 10000 - 3200, 10000 + 3200);
    for (uint32_t i = 0; i < trial_intervals(&t); i++) {
        shared += trial_in_interval(&t, "one.timeouts", i) > 0 &&
                  trial_in_interval(&t, "two.timeouts", i) > 0;
    }
    assert_in_range(shared, 2000 - 1000, 2000 + 1000);
    /* Nothing of it hangs on who else is there, or on what follows in the timeline. */
    run_chance(&again,
               "  zero: {type: client, target: far, arrivals: {kind: poisson, rate: 1/s}}\n",
               "{at: 0s, mtbf: 8s, mttr: 2s, crash: far}, {at: 0s, mtbf: 90s, mttr: 1s, crash: "
               "zero}, {at: 1s, mtbf: 9s, mttr: 1s, partition: {a: zero}}");
    for (uint32_t i = 0; i < trial_intervals(&t); i++) {
        assert_int_equal(trial_in_interval(&t, "one.timeouts", i),
                         trial_in_interval(&again, "one.timeouts", i));
    }
    trial_close(&again);
    /* It lasts from 250 s to 750 s: the outage in force then ends there. */
    run_chance(&again, "", "{at: 250s, for: 500s, mtbf: 8s, mttr: 2s, crash: far}");
    assert_in_range(count_outages(&again, "one.timeouts", &failed), 25, 75);
    for (uint32_t i = 0; i < trial_intervals(&again); i++) {
        assert_true((i >= 12500 && i < 37500) || trial_in_interval(&again, "one.timeouts", i) == 0);
    }
    trial_close(&again);
    trial_close(&t);
}

/* A partition by chance between two sides; and one into halves, which of the four entities leaves
 * a client with its service in one case of three. */
static void partitions_by_chance(void **state)
{
    (void)state;
    struct trial t;
    uint64_t failed, other;
    run_chance(&t, "", "{at: 0s, mtbf: 8s, mttr: 2s, partition: {a: one}}");
    assert_in_range(count_outages(&t, "one.timeouts", &failed), 65, 135);
    assert_in_range(failed, 10000 - 3200, 10000 + 3200);
    assert_int_equal(count_outages(&t, "two.timeouts", &other), 0);
    assert_int_equal(trial_counter(&t, "one.messages_cut"), failed);
    trial_close(&t);
    run_chance(&t, "", "{at: 0s, mtbf: 8s, mttr: 2s, partition: {among: [one, two, far]}}");
    assert_in_range(count_outages(&t, "one.timeouts", &failed), 67 - 28, 67 + 28);
    assert_in_range(failed, 6667 - 2900, 6667 + 2900);
    /* In two halves of two, either both clients have their services or neither. */
    count_outages(&t, "two.timeouts", &other);
    assert_int_equal(failed, other);
    trial_close(&t);
    /* One partition of a third of the instances: the smaller half of three is one. */
    run_chance(&t, "", "{at: 1s, for: 1s, every: 2s, partition: {among: [one, far]}}");
    assert_in_range(count_outages(&t, "one.timeouts", &failed), 333 - 50, 333 + 50);
    assert_in_range(failed, 16667 - 2500, 16667 + 2500);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_in_hand_is_done),  cmocka_unit_test(the_worse_crash_counts),
        cmocka_unit_test(errors_before_service), cmocka_unit_test(errors_after_service),
        cmocka_unit_test(errors_overlap),        cmocka_unit_test(shares_are_independent),
        cmocka_unit_test(actions_repeat),        cmocka_unit_test(crashes_by_chance),
        cmocka_unit_test(partitions_by_chance),  cmocka_unit_test(errors_repeat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
