/* SPDX-License-Identifier: Apache-2.0
 *
 * What requests in service take of their server, and of each other, to the nanosecond. A server
 * that calls a probe after its service shows when each service ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/asker.h"
#include "support/probe.h"
#include "support/trial.h"

static void run_with(struct trial *t, const char *times, const char *server, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {times: [%s]}}\n"
               "  service: {type: server, calls: [{target: seen}], %s}\n"
               "  seen: {type: probe}\n"
               "timeline: [%s]\n",
               times, server, timeline);
    trial_run(t, 0);
}

static void run_cancelling(struct trial *t, const char *steps, const char *server)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: service, steps: [%s]}\n"
               "  service: {type: server, calls: [{target: seen}], on_cancel: abort, %s}\n"
               "  seen: {type: probe}\n",
               steps, server);
    trial_run(t, 0);
}

static void run(struct trial *t, const char *times, const char *server)
{
    run_with(t, times, server, "");
}

/* The second comes when half of the first is done, and both go on at half the speed. */
static void those_in_service_share_the_cores(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0.5s", "concurrency: 2, service_time: 1s, machine: {cores: 1}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1.5), S(2)});
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(2));
    trial_close(&t);
    /* Three on two cores are served two thirds as fast; two of them have a core each. */
    run(&t, "0s, 0s, 0.5s", "concurrency: 9, service_time: 1s, machine: {cores: 2}");
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(1.25), S(1.25), S(1.75)});
    trial_close(&t);
    /* Who has no place waits, and takes nothing. */
    run(&t, "0s, 0s, 0s", "concurrency: 2, service_time: 1s, machine: {cores: 1}");
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(2), S(2), S(3)});
    assert_int_equal(trial_integral(&t, "service.queue_depth"), S(2));
    trial_close(&t);
    /* Thirds of a nanosecond are not lost. */
    run(&t, "0s, 0s, 0s", "concurrency: 3, service_time: 1ns, machine: {cores: 2}");
    probe_assert_times(&t, "seen", 3, (sim_time[]){2, 2, 2});
    trial_close(&t);
}

static void others_slow_one_down(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0s", "concurrency: 9, service_time: 1s, machine: {contention: 0.5}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1.5), S(1.5)});
    trial_close(&t);
    /* 1 + 0.1 * 2 + 0.05 * 3 * 2 = 1.5, and 1.2 for two of them; 0.6 s at the one speed, 0.5 s of
     * work left at the other. */
    run(&t, "0s, 0s, 0.75s",
        "concurrency: 9, service_time: 1s, machine: {contention: 0.1, coherency: 0.05}");
    /* Two: 1.2 times as long, so 0.625 s are done at 0.75 s. Three: 0.375 s take 0.5625 s. */
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(1.3125), S(1.3125), S(1.9375)});
    trial_close(&t);
}

/* Half of a core serves half as fast, none not at all; places stay as they are. */
static void cores_come_and_go(void **state)
{
    (void)state;
    struct trial t;
    const char *server = "concurrency: 2, service_time: 1s, machine: {cores: 1}";
    run_with(&t, "0s", server, "{at: 0.5s, for: 0.5s, capacity: service, factor: 0.5}");
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(1.25)});
    trial_close(&t);
    run_with(&t, "0s, 1s", server, "{at: 0.5s, for: 1s, capacity: service, factor: 0}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(2.5), S(3)});
    trial_close(&t);
    run_with(&t, "0s, 0s", server, "{at: 0.5s, for: 9s, capacity: service, factor: 4}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1.25), S(1.25)});
    trial_close(&t);
}

static void machines_are_paused(void **state)
{
    (void)state;
    struct trial t;
    const char *server = "concurrency: 2, service_time: 1s, machine: {cores: 1}";
    run_with(&t, "0s, 0.5s", server, "{at: 1s, for: 3s, pause: service}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(4.5), S(5)});
    trial_close(&t);
    /* One is done in the pause; what is left of the other waits for its end. */
    run_with(&t, "0s, 0.5s", server, "{at: 1s, for: 3s, pause: service, in_service: continues}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1.5), S(4.5)});
    trial_close(&t);
}

static void a_machine_is_slowed(void **state)
{
    (void)state;
    struct trial t;
    const char *server = "concurrency: 2, service_time: 1s, machine: {cores: 1}";
    /* Who begins while it is slow has more to do. */
    run_with(&t, "0s, 0.5s", server, "{at: 0.25s, for: 1s, slow: service, factor: 2}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1.5), S(3)});
    trial_close(&t);
}

static void work_that_is_given_up_frees_the_machine(void **state)
{
    (void)state;
    struct trial t;
    run_cancelling(&t, "[0s, 1], [0s, 2], [1s, 1, cancel]",
                   "concurrency: 2, service_time: 1s, machine: {cores: 1}");
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(1.5)});
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(1.5));
    assert_int_equal(trial_counter(&t, "service.requests_cancelled"), 1);
    trial_close(&t);
}

static void a_crash_stops_the_machine(void **state)
{
    (void)state;
    struct trial t;
    run_with(&t, "0s, 0s, 0s, 3s, 3.5s",
             "concurrency: 2, service_time: 1s, machine: {cores: 1}, event_loop: {time: 100ms}",
             "{at: 150ms, for: 1s, crash: service}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(4.6), S(5.1)});
    assert_int_equal(trial_counter(&t, "service.requests_lost"), 3);
    trial_close(&t);
}

/* The processor runs one after the other; what follows overlaps. */
static void event_loops_run_one_at_a_time(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0s, 0s", "concurrency: 9, service_time: 1s, event_loop: {time: 0.2s}");
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(1.2), S(1.4), S(1.6)});
    assert_int_equal(trial_integral(&t, "service.event_loop_queue"), S(0.6));
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(3.6));
    trial_close(&t);
    run(&t, "0s, 0s, 0s", "concurrency: 9, service_time: 1s, event_loop: {time: 0.2s, loops: 2}");
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(1.2), S(1.2), S(1.4)});
    trial_close(&t);
    /* Who has no place is not run; who has none in the queue either is rejected. */
    run(&t, "0s, 0s, 0s",
        "concurrency: 2, service_time: 1s, event_loop: {time: 0.2s}, queue: {capacity: 0}");
    probe_assert_times(&t, "seen", 2, (sim_time[]){S(1.2), S(1.4)});
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 1);
    trial_close(&t);
}

/* The first runs, the second waits in the line, and both are given up. */
static void turns_are_given_up(void **state)
{
    (void)state;
    struct trial t;
    run_cancelling(&t, "[0s, 1], [0s, 2], [0s, 3], [0.1s, 2, cancel], [0.2s, 1, cancel]",
                   "concurrency: 3, service_time: 1s, event_loop: {time: 0.5s}");
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(1.7)});
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(1.7));
    assert_int_equal(trial_level(&t, "service.busy_workers"), 0);
    trial_close(&t);
}

static const char *const two_kinds =
    "squall: 1\n"
    "duration: 100s\n"
    "entities:\n"
    "  users: {type: client, target: service, arrivals: {times: [%s]}, requests: {small: {}}}\n"
    "  batch: {type: client, target: service, arrivals: {times: [%s]}, requests: {export: {}}}\n"
    "  service: {type: server, concurrency: 4, service_time: 1s, calls: [{target: seen}],\n"
    "            kinds: {export: {weight: 3, service_time: 2s}}, %s}\n"
    "  seen: {type: probe}\n";

/* An export does not fit beside two small ones, and whoever comes behind it waits, too. */
static void heavy_requests_hold_up_others(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, two_kinds, "0s, 0.5s, 0.6s", "0.1s", "queue: {}");
    trial_run(&t, 0);
    /* The export fits at once beside the first; the next waits for a place until 1 s. */
    probe_assert_times(&t, "seen", 4, (sim_time[]){S(1), S(2), S(2.1), S(3)});
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(1 + 3 * 2 + 1 + 1));
    trial_close(&t);
    trial_open(&t, two_kinds, "0s, 0.5s, 0.7s", "0.6s", "queue: {}");
    trial_run(&t, 0);
    /* At 1 s, one of four places is taken: the export fits, and the last waits until 1.5 s. */
    probe_assert_times(&t, "seen", 4, (sim_time[]){S(1), S(1.5), S(2.5), S(3)});
    assert_int_equal(trial_integral(&t, "service.queue_depth"), S(0.4 + 0.8));
    trial_close(&t);
}

/* Those that it held up are served as soon as it is gone. */
static void one_that_does_not_fit_may_leave(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {times: [0s, 0s, 0.2s]},\n"
               "          requests: {small: {}}}\n"
               "  batch: {type: client, target: service, arrivals: {times: [0.1s]},\n"
               "          requests: {export: {}}, call: {timeout: 0.3s, cancel: timeouts}}\n"
               "  service: {type: server, concurrency: 4, service_time: 1s, on_cancel: dequeue,\n"
               "            calls: [{target: seen}], kinds: {export: {weight: 3}}}\n"
               "  seen: {type: probe}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(1), S(1), S(1.4)});
    assert_int_equal(trial_integral(&t, "service.queue_depth"), S(0.3 + 0.2));
    trial_close(&t);
}

/* A queue for one: the export that does not fit is in it. */
static void the_queue_has_no_room_for_more(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, two_kinds, "0s, 0s, 0.5s", "0.1s", "queue: {capacity: 1, discipline: priority}");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 1);
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(1), S(1), S(3)});
    trial_close(&t);
}

/* The export that is next from 1 s on, and does not fit, is the one of its flow that may wait. */
static void one_that_does_not_fit_is_of_its_flow(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, two_kinds, "0s, 0.5s, 0.5s", "0.6s, 1.2s",
               "queue: {discipline: {fair: {by: kind, per_flow_capacity: 1}}}");
    trial_run(&t, 0);
    probe_assert_times(&t, "seen", 4, (sim_time[]){S(1), S(1.5), S(1.5), S(3.5)});
    assert_int_equal(trial_counter(&t, "service.rejected_flow_capacity"), 1);
    assert_int_equal(trial_counter(&t, "service.flows_created"), 1);
    trial_close(&t);
}

/* 3 times as long at first, in a straight line to the usual. */
static void service_warms_up(void **state)
{
    (void)state;
    struct trial t;
    const char *crash = "{at: 10s, for: 10s, crash: service}";
    run_with(&t, "0s, 20s, 25s, 30s, 40s",
             "concurrency: 9, service_time: 1s, "
             "warm_up: {time: {slowdown: 3, duration: 10s}}",
             crash);
    probe_assert_times(&t, "seen", 5, (sim_time[]){S(1), S(23), S(27), S(31), S(41)});
    trial_close(&t);
    run_with(&t, "0s, 3s, 20s, 30s, 40s, 50s",
             "concurrency: 9, service_time: 1s, "
             "warm_up: {requests: {slowdown: 3, requests: 2, at_start: true}}",
             crash);
    probe_assert_times(&t, "seen", 6, (sim_time[]){S(3), S(5), S(23), S(32), S(41), S(51)});
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_in_service_share_the_cores),
        cmocka_unit_test(others_slow_one_down),
        cmocka_unit_test(cores_come_and_go),
        cmocka_unit_test(machines_are_paused),
        cmocka_unit_test(a_machine_is_slowed),
        cmocka_unit_test(work_that_is_given_up_frees_the_machine),
        cmocka_unit_test(a_crash_stops_the_machine),
        cmocka_unit_test(event_loops_run_one_at_a_time),
        cmocka_unit_test(turns_are_given_up),
        cmocka_unit_test(heavy_requests_hold_up_others),
        cmocka_unit_test(one_that_does_not_fit_may_leave),
        cmocka_unit_test(one_that_does_not_fit_is_of_its_flow),
        cmocka_unit_test(the_queue_has_no_room_for_more),
        cmocka_unit_test(service_warms_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
