/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's limit on requests in flight, and its replicas, to the nanosecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/asker.h"
#include "support/probe.h"
#include "support/reading.h"
#include "support/trial.h"

/* Users ask a service of one worker and 1 s, unless `keys` say otherwise, for 100 s. */
static void run(struct trial *t, const char *steps, const char *keys, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: service, steps: [%s]}\n"
               "  service: {type: server, %s}\n"
               "  far: {type: probe, answers: [{after: none}]}\n"
               "%s",
               steps, keys, rest);
    trial_run(t, 0);
}

#define ASSERT_REPLIES(t, ...) \
    asker_assert_replies( \
        t, "users", sizeof(const struct asker_reply[]){__VA_ARGS__} / sizeof(struct asker_reply), \
        (const struct asker_reply[]){__VA_ARGS__})

/* --- requests in flight ------------------------------------------------------------------ */

static void those_waiting_and_served_are_in_flight(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [1.5s, 4], [1.6s, 5]",
        "service_time: 1s, concurrency_limit: {fixed: 2}, reject_retry_after: 1s", "");
    ASSERT_REPLIES(&t, {S(0.2), 3, 503}, {S(1), 1, 200}, {S(1.6), 5, 503}, {S(2), 2, 200},
                   {S(3), 4, 200});
    assert_int_equal(trial_counter(&t, "service.requests_limited"), 2);
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 0);
    assert_int_equal(trial_integral(&t, "service.concurrency_limit"), S(200));
    trial_close(&t);
    run(&t, "[0s, 1], [0.1s, 2]",
        "service_time: 1s, concurrency_limit: {fixed: 1}, "
        "on_reject: drop",
        "");
    ASSERT_REPLIES(&t, {S(1), 1, 200});
    trial_close(&t);
}

static void a_limit_learns_from_each_end(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [1.1s, 4], [1.2s, 5], [1.3s, 6], [2.1s, 7], [5s, 8]",
        "service_time: 1s,"
        " concurrency_limit: {aimd: {initial_limit: 2, min_limit: 1, timeout: 1.5s}}",
        "");
    /* 1 at 1 s raises it to 3; 2, 4 and 5 take 1.9 s and more: 2, 1, 1; 8 raises it to 2. */
    ASSERT_REPLIES(&t, {S(0.2), 3, 503}, {S(1), 1, 200}, {S(1.3), 6, 503}, {S(2), 2, 200},
                   {S(2.1), 7, 503}, {S(3), 4, 200}, {S(4), 5, 200}, {S(6), 8, 200});
    assert_int_equal(trial_integral(&t, "service.concurrency_limit"),
                     S(1 * 2 + 1 * 3 + 1 * 2 + 3 * 1 + 94 * 2));
    trial_close(&t);
}

/* Where it stands after one request was served and another was not; 10, if that is no matter. */
static void what_is_given_up_counts_as_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *steps, *keys;
        int64_t limit;
    } cases[] = {
        {"[0s, 1], [0.1s, 2]", "queue: {max_wait: 0.5s}", 9},
        {"[0s, 1], [0.1s, 2]", "queue: {capacity: 0}", 10},
        {"[0s, 1], [0.1s, 2]", "queue: {admission: {balking: 1}}", 10},
        {"[0s, 1], [0.1s, 2], [0.2s, 2, cancel]", "on_cancel: dequeue", 9},
        {"[0s, 1], [0.2s, 1, cancel]", "on_cancel: abort", 9},
        {"[0s, 1]", "middleware: {deadline: {timeout: 0.5s, cancel_on_timeout: true}}", 9},
        {"[0s, 1], [0.1s, 2]", "calls: [{target: far, timeout: 1s, retry: none}]", 8},
        {"[0s, 1]", "responses: [{status: 500}]", 10},
        {"[0s, 1]", "responses: [{outcome: drop}]", 10},
        {"[0s, 1]", "responses: [{outcome: refuse}]", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char keys[256];
        snprintf(keys, sizeof keys,
                 "service_time: 1s, concurrency_limit: {aimd: {initial_limit: 10, min_limit: 1}},"
                 " %s",
                 cases[i].keys);
        struct trial t;
        run(&t, cases[i].steps, keys, "");
        assert_int_equal(trial_level(&t, "service.concurrency_limit"), cases[i].limit);
        assert_int_equal(trial_counter(&t, "service.requests_limited"), 0);
        trial_close(&t);
    }
}

/* Whoever leaves makes room, however. */
static void all_who_leave_make_room(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "service_time: 1s, queue: {capacity: 0}",
        "service_time: 1s, queue: {max_wait: 0s}",
        "service_time: 1s, queue: {admission: {balking: 1}}",
        "service_time: 1s, queue: {discipline: deadline}, on_cancel: dequeue",
        "service_time: 1s, on_cancel: abort",
        "middleware: {deadline: {timeout: 1s, low_timeout_threshold: 1s}}",
        "service_time: 1s, middleware: {deadline: {timeout: 0.1s, cancel_on_timeout: true}}",
        "service_time: 1s, responses: [{outcome: drop}]",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "concurrency_limit: {fixed: 2}, %s", keys[i]);
        struct trial t;
        run(&t,
            "[0s, 1], [0.1s, 2], [0.2s, 1, cancel], [0.2s, 2, cancel], [0.3s, 3, cancel],"
            "[10s, 3], [10.1s, 4], [10.2s, 3, cancel], [10.2s, 4, cancel],"
            "[20s, 5], [20.1s, 6], [20.2s, 5, cancel], [20.2s, 6, cancel]",
            text, "");
        assert_int_equal(trial_counter(&t, "service.requests_received"), 6);
        assert_int_equal(trial_counter(&t, "service.requests_limited"), 0);
        trial_close(&t);
    }
}

static void a_crash_forgets_the_limit(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.6s, 3], [1.2s, 4], [1.3s, 5], [1.4s, 6]",
        "service_time: 0.4s,"
        " concurrency_limit: {aimd: {initial_limit: 2, min_limit: 1, timeout: 0.1s}}",
        "timeline: [{at: 0.5s, for: 0.5s, crash: service}]\n");
    ASSERT_REPLIES(&t, {S(0.4), 1, 200}, {S(1.4), 6, 503}, {S(1.6), 4, 200}, {S(2), 5, 200});
    assert_int_equal(trial_integral(&t, "service.concurrency_limit"),
                     S(0.4 * 2 + 0.1 * 1 + 1.1 * 2 + 98.4 * 1));
    trial_close(&t);
}

static void a_limit_holds_while_no_worker_serves(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 4]",
        "concurrency: 2, service_time: 1s, concurrency_limit: {fixed: 3}",
        "timeline: [{at: 0s, for: 5s, capacity: service, factor: 0}]\n");
    ASSERT_REPLIES(&t, {S(0.3), 4, 503}, {S(6), 1, 200}, {S(6), 2, 200}, {S(7), 3, 200});
    trial_close(&t);
}

/* --- overload control by priority -------------------------------------------------------- */

/* Windows of four. As the first ones waited for 1.5 s on average, all of them are refused when they
 * come again, though nobody is served any more; as none was admitted then, they are later. */
static void dagor_looks_at_the_time_in_the_queue(void **state)
{
    (void)state;
    struct trial t;
    run(&t,
        "[0s, 1], [0s, 2], [0s, 3], [0s, 4],"
        "[5s, 1, ask, 2], [5s, 2, ask, 2], [5s, 3, ask, 2], [5s, 4, ask, 2], [6s, 2, ask, 3]",
        "service_time: 1s,"
        " queue: {admission: {dagor: {window: 10s, window_requests: 4, alpha: 100%, beta: 100%}}}",
        "");
    ASSERT_REPLIES(&t, {S(1), 1, 200}, {S(2), 2, 200}, {S(3), 3, 200}, {S(4), 4, 200},
                   {S(5), 1, 503}, {S(5), 2, 503}, {S(5), 3, 503}, {S(5), 4, 503}, {S(7), 2, 200});
    assert_int_equal(trial_counter(&t, "service.requests_shed"), 4);
    trial_close(&t);
}

/* --- replicas ---------------------------------------------------------------------------- */

/* Decisions at 1 s: 1 of 0.6 is used: 2. At 4 s: 1.9 s of 1.9 s: 4, but 3 is the step. At 5 s: 0.55
 * is near enough. At 6 s: none, but 5 s said 3. At 7 s: none. */
static void replicas_come_and_go(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0s, 4]",
        "service_time: 1.5s, autoscaler: {hpa: {target: 60%, sync_period: 1s, boot_delay: 2.1s,"
        " scale_up_replicas: 1, scale_up_share: 1%, scale_up_period: 1s, scale_down_window: 2s}}",
        "");
    ASSERT_REPLIES(&t, {S(1.5), 1, 200}, {S(3), 2, 200}, {S(4.5), 3, 200}, {S(4.6), 4, 200});
    assert_int_equal(trial_integral(&t, "service.replicas_wanted"), S(1 + 3 * 2 + 3 * 3 + 93));
    assert_int_equal(trial_integral(&t, "service.replicas"), S(3.1 + 3 * 2 + 0.9 * 3 + 93));
    assert_int_equal(trial_counter(&t, "service.replicas_added"), 2);
    assert_int_equal(trial_counter(&t, "service.replicas_removed"), 2);
    trial_close(&t);
}

static void what_is_removed_ends_its_work(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.5s, 2], [0.8s, 3]",
        "service_time: 3s, autoscaler: {hpa: {metric: queue, target: 10, initial_replicas: 2,"
        " sync_period: 1s, scale_down_window: 0s}}",
        "");
    ASSERT_REPLIES(&t, {S(3), 1, 200}, {S(3.5), 2, 200}, {S(6.5), 3, 200});
    assert_int_equal(trial_integral(&t, "service.replicas"), S(101));
    trial_close(&t);
}

/* At 1 s, 3.6 s were waited over 2 s of workers: 4 are wanted. At 2 s, 1.2: 2 are. */
static void those_that_boot_go_first(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0s, 4], [0s, 5], [0s, 6]",
        "service_time: 0.8s, autoscaler: {hpa: {metric: queue, target: 1, min_replicas: 2,"
        " initial_replicas: 2, sync_period: 1s, boot_delay: 10s, scale_down_window: 0s}}",
        "");
    assert_int_equal(trial_integral(&t, "service.replicas"), S(200));
    assert_int_equal(trial_integral(&t, "service.replicas_wanted"), S(202));
    trial_close(&t);
}

/* Two of four workers are left; what is used of them is looked at. */
static void capacity_is_of_all_replicas(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0s, 4]",
        "service_time: 1s, autoscaler: {hpa: {initial_replicas: 4, sync_period: 2s}}",
        "timeline: [{at: 0s, for: 2.5s, capacity: service, factor: 0.5}]\n");
    ASSERT_REPLIES(&t, {S(1), 1, 200}, {S(1), 2, 200}, {S(2), 3, 200}, {S(2), 4, 200});
    assert_int_equal(trial_counter(&t, "service.replicas_added"), 1); /* 100 % of 80 % */
    trial_close(&t);
}

/* Two are wanted at 1 s, and boot until 6 s; both are there at 3 s, and three at 9 s. */
static void replicas_come_back_after_a_crash(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [3s, 2], [3s, 3], [3s, 4]",
        "service_time: 2s, autoscaler: {hpa: {sync_period: 1s, boot_delay: 5s,"
        " scale_up_replicas: 1, scale_up_share: 1%, scale_up_period: 1s}}",
        "timeline: [{at: 1.5s, for: 1s, crash: service}]\n");
    ASSERT_REPLIES(&t, {S(5), 2, 200}, {S(5), 3, 200}, {S(7), 4, 200});
    /* The second decision is at 3.5 s, on half of its second; the third at 4.5 s: 100 % of two. */
    assert_int_equal(trial_counter(&t, "service.replicas_added"), 2);
    trial_close(&t);
}

/* 1e10 workers for 15 s from one decision to the next, whose product no 64 bits hold. */
static void replicas_may_have_very_many_workers(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1]",
        "concurrency: 1000000000, service_time: 50s,"
        " autoscaler: {hpa: {initial_replicas: 10, max_replicas: 10, scale_down_window: 0s}}",
        "");
    ASSERT_REPLIES(&t, {S(50), 1, 200});
    assert_int_equal(trial_integral(&t, "service.replicas"), S(15 * 10 + 85));
    trial_close(&t);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const char study[] = "squall: 1\nduration: 1s\nentities:\n"
                                "  service: {type: server, autoscaler: hpa, %s}\n";
    static const struct {
        const char *keys, *says;
    } cases[] = {
        {"concurrency: unlimited", "a server without a limit to its concurrency"},
        {"event_loop: {time: 1ms}", "a server with a machine or event loops of its own"},
        {"machine: {cores: 2}", "a server with a machine or event loops of its own"},
        {"machine: {contention: 0.1}", "a server with a machine or event loops of its own"},
        {"warm_up: {time: {slowdown: 2, duration: 1s}}", "a server that warms up as a whole"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, study, cases[i].keys);
        char says[256];
        snprintf(says, sizeof says, "g.yaml:4:39: entities.service.autoscaler: of %s\n",
                 cases[i].says);
        reading_says(entity_registry, text, says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_waiting_and_served_are_in_flight),
        cmocka_unit_test(a_limit_learns_from_each_end),
        cmocka_unit_test(what_is_given_up_counts_as_dropped),
        cmocka_unit_test(all_who_leave_make_room),
        cmocka_unit_test(a_crash_forgets_the_limit),
        cmocka_unit_test(a_limit_holds_while_no_worker_serves),
        cmocka_unit_test(dagor_looks_at_the_time_in_the_queue),
        cmocka_unit_test(replicas_come_and_go),
        cmocka_unit_test(what_is_removed_ends_its_work),
        cmocka_unit_test(those_that_boot_go_first),
        cmocka_unit_test(capacity_is_of_all_replicas),
        cmocka_unit_test(replicas_come_back_after_a_crash),
        cmocka_unit_test(replicas_may_have_very_many_workers),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
