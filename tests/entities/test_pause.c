/* SPDX-License-Identifier: Apache-2.0
 *
 * What a pause defers and what it does not, to the nanosecond (engine/pauses.c), and a published
 * case of a service that one pause is too much for.
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

/* --- what is deferred -------------------------------------------------------------------- */

/* Requests and cancels, those of the very end behind what was deferred. */
static void messages_are_deferred_in_their_order(void **state)
{
    (void)state;
    const char *networks[] = {"{latency: 0s}", "{latency: 0.01s}"};
    sim_time ends[] = {S(1), S(1.01)};
    for (int i = 0; i < 2; i++) {
        struct trial t;
        trial_open(&t,
                   "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: far, steps: [[0.2s, 1], [0.4s, 2], [0.5s, 3],\n"
                   "          [0.5s, 2, cancel], [0.7s, 4], [1s, 5], [1.2s, 6]]}\n"
                   "  far: {type: probe}\n"
                   "network: [%s]\n"
                   "timeline: [{at: %s, for: 0.6s, pause: far}]\n",
                   networks[i], i == 0 ? "0.4s" : "0.41s");
        trial_run(&t, 0);
        sim_time d = ends[i] - S(1);
        probe_assert_times(
            &t, "far", 6,
            (sim_time[]){S(0.2) + d, S(1) + d, S(1) + d, S(1) + d, S(1) + d, S(1.2) + d});
        for (uint32_t k = 0; k < 6; k++) {
            assert_int_equal(probe_visit(&t, "far", k)->number, k + 1);
        }
        probe_assert_cancels(&t, "far", 1, (sim_time[]){S(1) + d});
        trial_close(&t);
    }
}

/* A client, paused from 0.2 s to 1 s, whose request of 0 s is answered `after` that and given up
 * after `timeout`. */
static void run_client(struct trial *t, const char *after, const char *timeout)
{
    trial_open(
        t,
        "squall: 1\n"
        "duration: 10s\n"
        "entities:\n"
        "  users: {type: client, target: far, arrivals: {times: [0s]},\n"
        "          call: {timeout: %s, retry: {kind: fixed, max_attempts: 2, delay: 0.5s}}}\n"
        "  far: {type: probe, answers: [{after: %s}, {after: 0.1s}]}\n"
        "timeline: [{at: 0.2s, for: 0.8s, pause: users}]\n",
        timeout, after);
    trial_run(t, 0);
}

static void timeouts_run_by_the_clock(void **state)
{
    (void)state;
    const struct {
        const char *after, *timeout;
        int timeouts;
    } cases[] = {
        {"0.3s", "0.5s", 0},                    /* both in the pause, the reply first */
        {"0.3s", "1s", 0},                      /* ... or the timeout at its very end */
        {"0.6s", "0.5s", 1},                    /* the timeout first */
        {"0.5s", "0.5s", 1},                    /* ... as always when they tie */
        {"1s", "1s", 1},     {"1s", "0.2s", 1}, /* due as the pause begins */
        {"0.2s", "0.3s", 0}, {"1.1s", "1.2s", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        run_client(&t, cases[i].after, cases[i].timeout);
        int n = cases[i].timeouts;
        assert_int_equal(trial_counter(&t, "users.timeouts"), n);
        assert_int_equal(trial_counter(&t, "users.retries"), n);
        assert_int_equal(trial_counter(&t, "users.late_responses"), n);
        assert_int_equal(trial_counter(&t, "users.successes"), 1);
        /* The timeout fires when the pause is over, and the wait begins there. */
        probe_assert_times(&t, "far", 1 + (uint32_t)n, (sim_time[]){0, S(1.5)});
        trial_close(&t);
    }
}

/* Arrivals come from outside: all that came in the pause are there at its end. */
static void arrivals_wait_for_the_end(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 1s\n"
                   "entities:\n"
                   "  users: {type: client, target: far, arrivals: {constant: 10/s}}\n"
                   "  far: {type: probe}\n"
                   "timeline: [{at: 0.25s, for: 0.4s, pause: users}]\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 10,
                       (sim_time[]){S(0.1), S(0.2), S(0.65), S(0.65), S(0.65), S(0.65), S(0.7),
                                    S(0.8), S(0.9), S(1)});
    trial_close(&t);
}

/* --- work -------------------------------------------------------------------------------- */

enum { MOST_REPLIES = 8 };

/* A server of one worker and 1 s of service, asked at 0 s, at 0.5 s and at 5 s. */
static void assert_served(const char *timeline, uint32_t n, const sim_time *at)
{
    struct trial t;
    struct asker_reply replies[MOST_REPLIES];
    for (uint32_t i = 0; i < n; i++) {
        replies[i] = (struct asker_reply){at[i], i + 1, 200};
    }
    trial_open(&t,
               "squall: 1\n"
               "duration: 10s\n"
               "entities:\n"
               "  users: {type: asker, target: service, steps: [[0s, 1], [0.5s, 2], [5s, 3]]}\n"
               "  service: {type: server, service_time: 1s}\n"
               "timeline: [%s]\n",
               timeline);
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", n, replies);
    assert_int_equal(trial_counter(&t, "service.total_service_time"), n * S(1));
    assert_int_equal(trial_counter(&t, "service.requests_completed"), n);
    trial_close(&t);
}

static void work_goes_on_with_what_was_left(void **state)
{
    (void)state;
    assert_served("{at: 0.25s, for: 2s, pause: service}", 3, (sim_time[]){S(3), S(4), S(6)});
    assert_served("{at: 0.25s, for: 0.5s, pause: service}, {at: 1s, for: 0.25s, pause: service}", 3,
                  (sim_time[]){S(1.75), S(2.75), S(6)});
    assert_served("{at: 2s, for: 1s, pause: service}, {at: 5.75s, for: 0.5s, pause: service},"
                  "{at: 7s, for: 1s, pause: service}",
                  3, (sim_time[]){S(1), S(3), S(6.5)});
    /* One nanosecond is left. */
    assert_served("{at: 999999999ns, for: 1s, pause: service}", 3, (sim_time[]){S(2), S(3), S(6)});
}

static void pauses_unite(void **state)
{
    (void)state;
    sim_time at[] = {S(3), S(4), S(6)};
    const char *timelines[] = {
        "{at: 0.25s, for: 2s, pause: service}, {at: 0.5s, for: 1s, pause: service}",
        "{at: 0.5s, for: 1s, pause: service}, {at: 0.25s, for: 2s, pause: service}",
        "{at: 1s, for: 1.25s, pause: service}, {at: 0.25s, for: 1s, pause: service}",
        "{at: 1.25s, for: 1s, pause: service}, {at: 0.25s, for: 1s, pause: service}", /* touching */
        "{at: 0.25s, for: 1s, pause: service}, {at: 1s, for: 1.25s, pause: service, "
        "in_service: continues}", /* it freezes if one of them does */
        "{at: 0.25s, for: 1s, pause: service, in_service: continues}, "
        "{at: 1.25s, for: 1s, pause: service}",
    };
    for (size_t i = 0; i < sizeof timelines / sizeof timelines[0]; i++) {
        assert_served(timelines[i], 3, at);
    }
}

/* What is in service is done, and what takes its place waits for the end. */
static void work_in_service_may_go_on(void **state)
{
    (void)state;
    assert_served("{at: 0.25s, for: 2s, pause: service, in_service: continues}", 3,
                  (sim_time[]){S(1), S(3.25), S(6)});
    assert_served("{at: 1s, for: 2s, pause: service, in_service: continues}", 3,
                  (sim_time[]){S(1), S(4), S(6)});
    assert_served("{at: 0.25s, for: 0.5s, pause: service, in_service: continues},"
                  "{at: 0.9s, for: 0.2s, pause: service, in_service: continues},"
                  "{at: 5s, for: 2s, pause: service, in_service: continues}",
                  3, (sim_time[]){S(1), S(2.1), S(8)});
}

static void pauses_at_the_edges_of_the_run(void **state)
{
    (void)state;
    assert_served("{at: 0s, for: 2s, pause: service}", 3, (sim_time[]){S(3), S(4), S(6)});
    assert_served("{at: 5.5s, pause: service}", 2, (sim_time[]){S(1), S(2)});
    assert_served("{at: 4s, for: 6s, pause: service}", 2, (sim_time[]){S(1), S(2)});
    assert_served("{at: 4s, for: 5s, pause: service}", 3, (sim_time[]){S(1), S(2), S(10)});
    assert_served("{at: 10s, for: 1s, pause: service}", 3, (sim_time[]){S(1), S(2), S(6)});
    assert_served("{at: 0s, pause: service}", 0, NULL);
}

static void delays_stand_still(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: far, steps: [[0s, 1], [0.5s, 2], [0.75s, 3]]}\n"
                   "  far: {type: delay, latency: 1s}\n"
                   "timeline: [{at: 0.625s, for: 2s, pause: far}]\n");
    trial_run(&t, 0);
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(3), 1, 200}, {S(3.5), 2, 200}, {S(3.625), 3, 200}});
    trial_close(&t);
}

/* --- cancels and crashes ----------------------------------------------------------------- */

/* Deadline and service are due as the pause begins. At its end the deadline comes first, and ends
 * the service that was deferred with it. */
static void deferred_timers_can_be_cancelled(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: service, steps: [[0s, 1], [0.5s, 2]]}\n"
                   "  service: {type: server, service_time: 1s,\n"
                   "            middleware: {deadline: {timeout: 1s, cancel_on_timeout: true}}}\n"
                   "timeline: [{at: 1s, for: 1s, pause: service}]\n");
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(2), 1, 408}, {S(3), 2, 408}});
    assert_int_equal(trial_counter(&t, "service.deadline_exceeded"), 2);
    assert_int_equal(trial_counter(&t, "service.total_service_time"), S(2));
    trial_close(&t);
}

/* Down from 1.5 s to 2 s in a pause from 1 s to 3 s. */
static void crash_in_a_pause_loses_what_was_deferred(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: service,\n"
                   "          steps: [[0s, 1], [1.2s, 2], [1.7s, 3], [2.2s, 4], [3s, 5]]}\n"
                   "  service: {type: server, service_time: 2s}\n"
                   "timeline: [{at: 1s, for: 2s, pause: service},\n"
                   "           {at: 1.5s, for: 0.5s, crash: service}]\n");
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(5), 4, 200}, {S(7), 5, 200}});
    assert_int_equal(trial_counter(&t, "service.requests_lost"), 1);
    assert_int_equal(trial_counter(&t, "service.requests_missed"), 2);
    assert_int_equal(trial_counter(&t, "service.requests_received"), 3);
    trial_close(&t);
}

/* A server paused from 1 s to 3 s and asked each half second up to 4.5 s: how many requests it
 * receives, and misses, when it crashes, too. */
static void crashes_and_pauses_overlap(void **state)
{
    (void)state;
    const struct {
        const char *crashes;
        int received, missed;
    } cases[] = {
        {"{at: 0.75s, for: 0.5s, crash: service}", 9, 1},  /* ends in the pause */
        {"{at: 0.75s, for: 3s, crash: service}", 4, 6},    /* all through it */
        {"{at: 2.25s, for: 1s, crash: service}", 5, 5},    /* ends after it */
        {"{at: 3s, for: 1s, crash: service}", 4, 6},       /* begins with its end */
        {"{at: 2.25s, for: 0.75s, crash: service}", 6, 4}, /* ends with it */
        {"{at: 1s, for: 2s, crash: service}", 6, 4},       /* at once */
        {"{at: 1.25s, for: 0.5s, crash: service}, {at: 2.25s, for: 0.5s, crash: service}", 6, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_open(&t,
                   "squall: 1\n"
                   "duration: 4.9s\n"
                   "entities:\n"
                   "  users: {type: client, target: service,\n"
                   "          arrivals: {kind: constant, rate: 2/s, first_arrival: 0s}}\n"
                   "  service: {type: server, service_time: 0s}\n"
                   "timeline: [{at: 1s, for: 2s, pause: service}, %s]\n",
                   cases[i].crashes);
        trial_run(&t, 0);
        assert_int_equal(trial_counter(&t, "service.requests_received"), cases[i].received);
        assert_int_equal(trial_counter(&t, "service.requests_missed"), cases[i].missed);
        trial_close(&t);
    }
}

/* Users in a closed loop who crash in a pause begin anew at its end. */
static void restarts_wait_for_the_end(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 5s\n"
                   "entities:\n"
                   "  users: {type: client, target: far,\n"
                   "          arrivals: {closed: {users: 1, think_time: 1s}}}\n"
                   "  far: {type: probe, answers: [{after: 0.25s}]}\n"
                   "timeline: [{at: 1.125s, for: 1s, pause: users},\n"
                   "           {at: 1.5s, for: 0.25s, crash: users}]\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 3, (sim_time[]){S(1), S(3.125), S(4.375)});
    assert_int_equal(trial_counter(&t, "users.abandoned"), 1);
    assert_int_equal(trial_counter(&t, "users.late_responses"), 0);
    trial_close(&t);
}

/* --- a published case -------------------------------------------------------------------- */

struct storm {
    const char *first, *rate, *attempts;
    uint64_t requests, successes, timeouts, retries, failures, sent;
    int64_t queue; /* at the end */
};

static void assert_storm(const struct storm *x)
{
    char first[64], rate[96], attempts[64];
    struct trial t;
    snprintf(first, sizeof first, "users.arrivals.first_arrival=%s", x->first);
    snprintf(rate, sizeof rate, "users.arrivals.rate={steps: [[0s, %s], [60s, 0/s]]}", x->rate);
    snprintf(attempts, sizeof attempts, "users.call.retry.max_attempts=%s", x->attempts);
    trial_load(&t, "configs/scenarios/gc_pause.yaml",
               (const char *const[]){first, rate, attempts, NULL});
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.logical_requests"), x->requests);
    assert_int_equal(trial_counter(&t, "users.successes"), x->successes);
    assert_int_equal(trial_counter(&t, "users.timeouts"), x->timeouts);
    assert_int_equal(trial_counter(&t, "users.retries"), x->retries);
    assert_int_equal(trial_counter(&t, "users.failures"), x->failures);
    assert_int_equal(trial_counter(&t, "users.requests_sent"), x->sent);
    assert_int_equal(trial_level(&t, "service.queue_depth"), x->queue);
    assert_int_equal(trial_level(&t, "users.in_flight"), 0);
    trial_close(&t);
}

/* Published, of a simulation of the same model elsewhere: how many requests succeed, how many
 * timeouts there are, and for 7/s the rest; what there is more here follows from that. */
static void one_pause_is_too_much(void **state)
{
    (void)state;
    const struct storm storms[] = {
        {"71428571ns", "7/s", "4", 420, 227, 804, 611, 193, 1031, 430},
        {"72428571ns", "7/s", "4", 420, 227, 804, 611, 193, 1031, 430}, /* 1 ms later */
        {"71428571ns", "7/s", "1", 420, 407, 13, 0, 13, 420, 0},
        {"126ms", "4/s", "4", 240, 240, 6, 6, 0, 246, 0},
        {"101ms", "5/s", "4", 300, 300, 150, 150, 0, 450, 0},
        {"84333333ns", "6/s", "4", 360, 203, 667, 510, 157, 870, 299},
        {"63500us", "8/s", "4", 480, 256, 926, 702, 224, 1182, 551},
    };
    for (size_t i = 0; i < sizeof storms / sizeof storms[0]; i++) {
        assert_storm(&storms[i]);
    }
}

/* What the scenario says of itself and of what may be tried. */
static void gc_pause_shows_what_it_says(void **state)
{
    (void)state;
    const struct {
        const char *override;
        uint64_t successes;
    } tries[] = {{"timeline=[]", 420},
                 {"service.queue.capacity=4", 414},
                 {"timeline[0].in_service=freezes", 223},
                 {"timeline[0].for=300ms", 420}};
    struct trial t;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        trial_load(&t, "configs/scenarios/gc_pause.yaml",
                   (const char *const[]){tries[i].override, NULL});
        trial_run(&t, 0);
        assert_int_equal(trial_counter(&t, "users.successes"), tries[i].successes);
        assert_int_equal(trial_counter(&t, "users.logical_requests"), 420);
        trial_close(&t);
    }
    trial_load(&t, "configs/scenarios/gc_pause.yaml", (const char *const[]){NULL});
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.late_successes"), 17);
    assert_int_equal(trial_in_interval(&t, "users.requests_sent", 29), 7);
    for (uint32_t second = 34; second < 60; second++) {
        assert_int_equal(trial_in_interval(&t, "users.requests_sent", second), 28);
        assert_true(second == 34 || trial_in_interval(&t, "users.successes", second) == 0);
    }
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages_are_deferred_in_their_order),
                                       cmocka_unit_test(timeouts_run_by_the_clock),
                                       cmocka_unit_test(arrivals_wait_for_the_end),
                                       cmocka_unit_test(work_goes_on_with_what_was_left),
                                       cmocka_unit_test(pauses_unite),
                                       cmocka_unit_test(work_in_service_may_go_on),
                                       cmocka_unit_test(pauses_at_the_edges_of_the_run),
                                       cmocka_unit_test(delays_stand_still),
                                       cmocka_unit_test(deferred_timers_can_be_cancelled),
                                       cmocka_unit_test(crash_in_a_pause_loses_what_was_deferred),
                                       cmocka_unit_test(crashes_and_pauses_overlap),
                                       cmocka_unit_test(restarts_wait_for_the_end),
                                       cmocka_unit_test(one_pause_is_too_much),
                                       cmocka_unit_test(gc_pause_shows_what_it_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
