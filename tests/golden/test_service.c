/* SPDX-License-Identifier: Apache-2.0
 *
 * When a server serves whom, to the nanosecond. A server that calls a probe after its service shows
 * when each service ended, and whose it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/probe.h"
#include "support/trial.h"

static void run(struct trial *t, const char *times, const char *server)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {times: [%s]}}\n"
               "  service: {type: server, calls: [{target: seen}], %s}\n"
               "  seen: {type: probe}\n",
               times, server);
    trial_run(t, 0);
}

static void assert_order(const struct trial *t, uint32_t n, const uint32_t *numbers)
{
    assert_int_equal(probe_visits(t, "seen"), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(probe_visit(t, "seen", i)->number, numbers[i]);
    }
}

static void workers_share_the_work(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0s, 0s, 0s", "concurrency: 4, service_time: 1s");
    probe_assert_times(&t, "seen", 4, (sim_time[]){S(1), S(1), S(1), S(1)});
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(4));
    trial_close(&t);
    run(&t, "0s, 0s, 0s, 0s", "concurrency: 1, service_time: 1s");
    probe_assert_times(&t, "seen", 4, (sim_time[]){S(1), S(2), S(3), S(4)});
    trial_close(&t);
    run(&t, "0s, 0s, 0s, 0s, 0.5s", "concurrency: 3, service_time: 1s");
    probe_assert_times(&t, "seen", 5, (sim_time[]){S(1), S(1), S(1), S(2), S(2)});
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(5));
    assert_int_equal(trial_integral(&t, "service.queue_depth"), S(1.5));
    trial_close(&t);
    run(&t, "0s, 0s, 0s, 0s", "concurrency: unlimited, service_time: 1s");
    probe_assert_times(&t, "seen", 4, (sim_time[]){S(1), S(1), S(1), S(1)});
    trial_close(&t);
}

static void disciplines(void **state)
{
    (void)state;
    const char *times = "0s, 0.1s, 0.2s, 0.3s, 1.5s";
    struct trial t;
    run(&t, times, "service_time: 1s, queue: {discipline: fifo}");
    assert_order(&t, 5, (uint32_t[]){1, 2, 3, 4, 5});
    trial_close(&t);
    run(&t, times, "service_time: 1s, queue: {discipline: lifo}");
    assert_order(&t, 5, (uint32_t[]){1, 4, 5, 3, 2});
    trial_close(&t);
    run(&t, times, "service_time: 1s, queue: {discipline: priority}");
    assert_order(&t, 5, (uint32_t[]){1, 2, 3, 4, 5}); /* all of one priority */
    trial_close(&t);
}

static void priorities(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  slow: {type: client, target: service, requests: {any: {priority: low}},\n"
                   "         arrivals: {times: [0s, 0.1s, 0.2s, 2.5s]}}\n"
                   "  usual: {type: client, target: service, arrivals: {times: [0.3s, 0.35s]}}\n"
                   "  fast: {type: client, target: service, requests: {any: {priority: high}},\n"
                   "         arrivals: {times: [0.4s, 1.5s]}}\n"
                   "  service: {type: server, service_time: 1s, calls: [{target: seen}],\n"
                   "            queue: {discipline: priority}}\n"
                   "  seen: {type: probe}\n");
    trial_run(&t, 0);
    const struct {
        const char *client;
        uint32_t number;
    } order[] = {{"slow", 1},  {"fast", 1}, {"fast", 2}, {"usual", 1},
                 {"usual", 2}, {"slow", 2}, {"slow", 3}, {"slow", 4}};
    assert_int_equal(probe_visits(&t, "seen"), 8);
    for (uint32_t i = 0; i < 8; i++) {
        const struct probe_visit *v = probe_visit(&t, "seen", i);
        assert_int_equal(v->client, trial_entity(&t, order[i].client));
        assert_int_equal(v->number, order[i].number);
        assert_int_equal(v->at, S(1) * (i + 1));
    }
    trial_close(&t);
}

static void room_in_the_queue(void **state)
{
    (void)state;
    struct trial t;
    /* Two are served, two wait, the fifth is refused; the sixth comes when one has left. */
    run(&t, "0s, 0s, 0s, 0s, 0.5s, 1.25s",
        "concurrency: 2, queue: {capacity: 2}, service_time: 1s");
    assert_order(&t, 5, (uint32_t[]){1, 2, 3, 4, 6});
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 1);
    assert_int_equal(trial_counter(&t, "users.errors"), 1);
    assert_int_equal(trial_counter(&t, "users.failures"), 1);
    assert_int_equal(trial_counter(&t, "users.successes"), 5);
    trial_close(&t);
}

/* A request keeps its worker while it calls others, one after the other. */
static void calls_hold_the_worker(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {times: [0s, 0s]}}\n"
               "  service: {type: server, service_time: 1s, calls: [{target: a}, {target: b}]}\n"
               "  a: {type: probe, answers: [{after: 2s}]}\n"
               "  b: {type: probe, answers: [{after: 0.5s}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "a", 2, (sim_time[]){S(1), S(4.5)});
    probe_assert_times(&t, "b", 2, (sim_time[]){S(3), S(6.5)});
    struct hist_counts h = {0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.min, S(3.5));
    assert_int_equal(h.max, S(7));
    assert_int_equal(trial_integral(&t, "service.busy_workers"), S(7));
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(2));
    trial_close(&t);
}

/* A call that fails ends the request at once: the calls after it are not made, the worker is free,
 * and the answer is an error that the client may act upon. */
static void calls_that_fail(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: service, arrivals: {times: [0s, 0s, 0s]}}\n"
                   "  service:\n"
                   "    type: server\n"
                   "    service_time: 1s\n"
                   "    calls:\n"
                   "      - {target: a, timeout: 2s, retry: {kind: fixed, max_attempts: 2, "
                   "delay: 0.5s}}\n"
                   "      - {target: b}\n"
                   "  a: {type: probe, answers: [{after: none}, {after: 3s}, "
                   "{after: 0.25s, status: 404}, {after: 0s}]}\n"
                   "  b: {type: probe}\n");
    trial_run(&t, 0);
    /* First: two timeouts, answered at 5.5. Second: served until 6.5, refused at 6.75 (the late
     * answer of the first comes at the same time). Third: served until 7.75, goes through. */
    probe_assert_times(&t, "a", 4, (sim_time[]){S(1), S(3.5), S(6.5), S(7.75)});
    probe_assert_times(&t, "b", 1, (sim_time[]){S(7.75)});
    assert_int_equal(trial_counter(&t, "service.downstream_timeouts"), 2);
    assert_int_equal(trial_counter(&t, "service.downstream_errors"), 1);
    assert_int_equal(trial_counter(&t, "service.downstream_failures"), 2);
    assert_int_equal(trial_counter(&t, "service.downstream_late_responses"), 1);
    assert_int_equal(trial_counter(&t, "service.requests_completed"), 3);
    assert_int_equal(trial_counter(&t, "service.error_responses"), 2);
    assert_int_equal(trial_counter(&t, "users.errors"), 2);
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    trial_close(&t);
}

/* Wires: latency both ways, and bytes over bandwidth. */
static void wires(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: service, arrivals: {times: [0s]},\n"
                   "          requests: {upload: {bytes: 3000}}}\n"
                   "  service: {type: server, service_time: 0.5s, calls: [{target: seen}],\n"
                   "            responses: [{status: 200, bytes: 500}]}\n"
                   "  seen: {type: probe}\n"
                   "network:\n"
                   "  - {from: users, to: service, latency: 10ms, bandwidth: 1000B/s}\n"
                   "  - {from: service, to: seen, latency: 1ms, jitter: 0.5ms}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "seen", 1, (sim_time[]){S(3.01) + S(0.5) + S(0.0015)});
    struct hist_counts h = {0};
    trial_histogram(&t, "users.response_time", &h);
    assert_int_equal(h.sum, S(3.01) + S(0.5) + 2 * S(0.0015) + S(0.51));
    trial_close(&t);
}

/* Round robin goes in turn; least_outstanding to where nothing is out. */
static void balancing(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: web, arrivals: {times: [0s, 1s, 2s, 3s, 4s]}}\n"
                   "  others: {type: client, target: {to: far, balance: least_outstanding},\n"
                   "           arrivals: {times: [0s, 0s, 0s, 5s, 5.5s, 6s, 9s, 9s, 9s, 9s]}}\n"
                   "  web: {type: probe, count: 3}\n"
                   "  far: {type: probe, count: 3, answers: [{after: 2s}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "web[0]", 2, (sim_time[]){0, S(3)});
    probe_assert_times(&t, "web[1]", 2, (sim_time[]){S(1), S(4)});
    probe_assert_times(&t, "web[2]", 1, (sim_time[]){S(2)});
    uint32_t most = 0;
    for (int i = 0; i < 3; i++) {
        const char *name = (const char *[]){"far[0]", "far[1]", "far[2]"}[i];
        uint32_t n = probe_visits(&t, name);
        assert_in_range(n, 3, 4);
        assert_int_equal(probe_visit(&t, name, 0)->at, 0);
        assert_in_range(probe_visit(&t, name, 1)->at, S(5), S(6));
        assert_int_equal(probe_visit(&t, name, 2)->at, S(9));
        most += n == 4;
    }
    assert_int_equal(most, 1);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(workers_share_the_work),
                                       cmocka_unit_test(disciplines),
                                       cmocka_unit_test(priorities),
                                       cmocka_unit_test(room_in_the_queue),
                                       cmocka_unit_test(calls_hold_the_worker),
                                       cmocka_unit_test(calls_that_fail),
                                       cmocka_unit_test(wires),
                                       cmocka_unit_test(balancing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
