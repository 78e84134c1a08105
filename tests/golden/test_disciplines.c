/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is served next, and who waits in vain, to the nanosecond. A server that calls a probe after
 * its service of 1 s shows whose turn it was.
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

/* Requests 1, 2, ... at the times given. */
static void run(struct trial *t, const char *times, const char *call, const char *queue)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {times: [%s]}, call: {%s}}\n"
               "  service: {type: server, service_time: 1s, calls: [{target: seen}],\n"
               "            queue: {%s}}\n"
               "  seen: {type: probe}\n",
               times, call, queue);
    trial_run(t, 0);
}

static void assert_order(const struct trial *t, uint32_t n, const uint32_t *numbers)
{
    assert_int_equal(probe_visits(t, "seen"), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(probe_visit(t, "seen", i)->number, numbers[i]);
        assert_int_equal(probe_visit(t, "seen", i)->at, S(1) * (i + 1)); /* no worker idles */
    }
}

static const char rush[] = "0s, 0.1s, 0.2s, 0.3s, 0.4s, 0.5s";

/* The first is in service while five others come. */
static void the_newest_goes_first_while_many_wait(void **state)
{
    (void)state;
    const struct {
        const char *discipline;
        uint32_t order[6];
    } cases[] = {{"adaptive_lifo: {congestion_threshold: 3}", {1, 6, 5, 4, 2, 3}},
                 {"adaptive_lifo: 5", {1, 6, 2, 3, 4, 5}},
                 {"adaptive_lifo: 6", {1, 2, 3, 4, 5, 6}},
                 {"adaptive_lifo: 1", {1, 6, 5, 4, 3, 2}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char queue[128];
        snprintf(queue, sizeof queue, "discipline: {%s}", cases[i].discipline);
        struct trial t;
        run(&t, rush, "", queue);
        assert_order(&t, 6, cases[i].order);
        trial_close(&t);
    }
}

/* --- deadlines --------------------------------------------------------------------------- */

/* Whose turn it was, by the names of clients with one request each. */
static void assert_turns(const struct trial *t, uint32_t n, const char *const *clients)
{
    assert_int_equal(probe_visits(t, "seen"), n);
    for (uint32_t i = 0; i < n; i++) {
        const struct probe_visit *v = probe_visit(t, "seen", i);
        assert_int_equal(v->client, trial_entity(t, clients[i]));
        assert_int_equal(v->at, S(1.1) + S(1) * i);
    }
}

/* All arrive while `first` is served. That of `left` has 4.95 s left when it arrives, and so until
 * 5.15 s; `next` has until 5.1 s, and `gone`, whose turn would come first, until 0.3 s. */
static void the_earliest_deadline_goes_first(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  first: {type: client, target: service, arrivals: {times: [0s]}}\n"
                   "  never: {type: client, target: service, arrivals: {times: [0.05s]}}\n"
                   "  late: {type: client, target: service, arrivals: {times: [0.05s]},\n"
                   "         call: {deadline: 50s}}\n"
                   "  left: {type: client, target: service, arrivals: {times: [0.1s]},\n"
                   "         call: {deadline: 4.95s, deadline_accounting: restart}}\n"
                   "  gone: {type: client, target: service, arrivals: {times: [0.1s]},\n"
                   "         call: {deadline: 0.2s, deadline_accounting: absolute}}\n"
                   "  next: {type: client, target: service, arrivals: {times: [0.1s]},\n"
                   "         call: {deadline: 5s, deadline_accounting: absolute}}\n"
                   "  ever: {type: client, target: service, arrivals: {times: [0.2s]}}\n"
                   "  service: {type: server, service_time: 1s, calls: [{target: seen}],\n"
                   "            queue: {discipline: deadline}}\n"
                   "  seen: {type: probe}\n"
                   "network: [{from: \"*\", to: service, latency: 100ms}]\n");
    trial_run(&t, 0);
    assert_turns(&t, 6, (const char *const[]){"first", "next", "left", "late", "never", "ever"});
    assert_int_equal(trial_counter(&t, "service.requests_expired"), 1);
    assert_int_equal(trial_counter(&t, "gone.late_responses"), 1);
    trial_close(&t);
}

/* One whose turn comes at its deadline is too late already. */
static void the_expired_are_not_served(void **state)
{
    (void)state;
    struct trial t;
    const char *accounting[] = {"absolute", "restart"};
    for (int i = 0; i < 2; i++) {
        char call[128];
        snprintf(call, sizeof call, "deadline: 2.8s, deadline_accounting: %s", accounting[i]);
        run(&t, "0s, 0.1s, 0.2s, 0.2s, 0.200000001s", call, "drop_expired: true");
        assert_order(&t, 4, (uint32_t[]){1, 2, 3, 5}); /* the fourth had until 3 s */
        assert_int_equal(trial_counter(&t, "service.requests_expired"), 1);
        assert_int_equal(trial_counter(&t, "service.requests_reneged"), 0);
        trial_close(&t);
    }
    run(&t, "0s, 0.1s, 0.2s, 0.2s, 0.200000001s", "deadline: 2.8s", "");
    assert_order(&t, 5, (uint32_t[]){1, 2, 3, 4, 5});
    trial_close(&t);
}

/* --- patience ---------------------------------------------------------------------------- */

/* Those after one that is dropped have their turn in the same instant. */
static void those_that_waited_too_long_are_dropped(void **state)
{
    (void)state;
    const char *times = "0s, 0.1s, 0.2s, 0.3s, 0.999999999s, 1s, 2.5s";
    struct trial t;
    run(&t, times, "", "max_wait: 1s, on_expired: reply");
    assert_order(&t, 4, (uint32_t[]){1, 2, 6, 7}); /* the sixth waits for 1 s, and no more */
    assert_int_equal(trial_counter(&t, "service.requests_reneged"), 3);
    assert_int_equal(trial_counter(&t, "users.errors"), 3);
    struct hist_counts h = {0};
    trial_histogram(&t, "service.wait_time", &h);
    assert_int_equal(h.total, 7);
    assert_int_equal(h.max, S(1.8));
    trial_close(&t);
    run(&t, times, "", "max_wait: 1s, on_expired: drop");
    assert_order(&t, 4, (uint32_t[]){1, 2, 6, 7});
    assert_int_equal(trial_counter(&t, "service.requests_reneged"), 3);
    assert_int_equal(trial_counter(&t, "users.responses_received"), 4);
    assert_int_equal(trial_level(&t, "users.in_flight"), 3);
    trial_close(&t);
    run(&t, rush, "", "max_wait: 1s, discipline: lifo");
    assert_order(&t, 2, (uint32_t[]){1, 6});
    assert_int_equal(trial_counter(&t, "service.requests_reneged"), 4);
    trial_close(&t);
}

/* --- CoDel ------------------------------------------------------------------------------- */

/* Twelve at once, of 50 ms each. Their waits are too long for an interval at 150 ms; after the
 * drop there follow others at 250 ms and 320.7 ms or, as turns come, 350 ms. The last one is
 * spared. */
static void codel_thins_out_a_standing_queue(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: service, steps: [[0s, 1], [0s, 2], [0s, 3],\n"
                   "    [0s, 4], [0s, 5], [0s, 6], [0s, 7], [0s, 8], [0s, 9], [0s, 10],\n"
                   "    [0s, 11], [0s, 12]]}\n"
                   "  service: {type: server, service_time: 50ms, queue: {discipline: codel}}\n");
    trial_run(&t, 0);
    const struct asker_reply replies[] = {
        {S(0.05), 1, 200}, {S(0.1), 2, 200},   {S(0.15), 3, 200}, {S(0.15), 4, 503},
        {S(0.2), 5, 200},  {S(0.25), 6, 200},  {S(0.25), 7, 503}, {S(0.3), 8, 200},
        {S(0.35), 9, 200}, {S(0.35), 10, 503}, {S(0.4), 11, 200}, {S(0.45), 12, 200}};
    asker_assert_replies(&t, "users", 12, replies);
    assert_int_equal(trial_counter(&t, "service.requests_dropped"), 3);
    assert_int_equal(trial_counter(&t, "service.requests_completed"), 9);
    trial_close(&t);
}

/* A queue that cancels have emptied stands no more: the waits of the second crowd count anew. */
static void codel_sees_that_cancels_empty_the_queue(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: service, steps: [[0s, 1], [0s, 2], [0s, 3],\n"
                   "    [60ms, 3, cancel], [1s, 4], [1s, 5], [1s, 6], [1s, 7]]}\n"
                   "  service: {type: server, service_time: 50ms, on_cancel: dequeue,\n"
                   "            queue: {discipline: codel}}\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "service.requests_cancelled"), 1);
    assert_int_equal(trial_counter(&t, "service.requests_dropped"), 0);
    assert_int_equal(trial_counter(&t, "service.requests_completed"), 6);
    trial_close(&t);
}

/* --- admission --------------------------------------------------------------------------- */

static void many_that_wait_turn_others_away(void **state)
{
    (void)state;
    struct trial t;
    run(&t, rush, "", "admission: {balking: {threshold: 2}}");
    assert_order(&t, 3, (uint32_t[]){1, 2, 3});
    assert_int_equal(trial_counter(&t, "service.requests_balked"), 3);
    assert_int_equal(trial_counter(&t, "users.errors"), 3);
    trial_close(&t);
    /* The average is what the last arrival found. */
    run(&t, rush, "", "admission: {red: {min_threshold: 2, max_threshold: 3, weight: 1}}");
    assert_order(&t, 4, (uint32_t[]){1, 2, 3, 4});
    assert_int_equal(trial_counter(&t, "service.requests_shed"), 2);
    trial_close(&t);
    /* Half of that, and half of what was before: 1.25, and after the fifth, who is served at once,
     * 0.625; the ninth makes it 2.2. */
    run(&t, "0s, 0.1s, 0.2s, 0.3s, 10s, 10.1s, 10.2s, 10.3s, 10.4s", "",
        "admission: {red: {min_threshold: 1.39, max_threshold: 1.4, weight: 0.5}}");
    assert_int_equal(trial_counter(&t, "service.requests_shed"), 1);
    assert_int_equal(probe_visit(&t, "seen", 7)->number, 8);
    trial_close(&t);
    run(&t, rush, "", "capacity: 1, admission: {balking: {threshold: 2}}");
    assert_int_equal(trial_counter(&t, "service.requests_balked"), 0);
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 4);
    trial_close(&t);
}

/* Chance of its own: services last as long as without. */
static void admission_draws_for_itself(void **state)
{
    (void)state;
    struct trial t[2];
    const char *queues[] = {"", "admission: {balking: {threshold: 1, probability: 1e-12}}"};
    for (int i = 0; i < 2; i++) {
        trial_open(&t[i],
                   "squall: 1\n"
                   "duration: 20s\n"
                   "entities:\n"
                   "  users: {type: client, target: service, arrivals: {poisson: 90/s}}\n"
                   "  service: {type: server, service_time: {exponential: 10ms}, queue: {%s},\n"
                   "            responses: [{weight: 9}, {status: 404}]}\n",
                   queues[i]);
        trial_run(&t[i], 0);
    }
    assert_true(trial_integral(&t[0], "service.queue_depth") > 0);
    assert_true(trial_same(&t[0], &t[1], "service", true));
    trial_close(&t[0]);
    trial_close(&t[1]);
}

/* --- crashes ----------------------------------------------------------------------------- */

/* What waited by deadline is lost, and the queue works on. */
static void a_crash_empties_the_queue(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: service, call: {deadline: 30s},\n"
                   "          arrivals: {times: [0s, 0.1s, 0.2s, 5s, 5.2s, 5.3s]}}\n"
                   "  service: {type: server, service_time: 1s, calls: [{target: seen}],\n"
                   "            queue: {discipline: deadline}}\n"
                   "  seen: {type: probe}\n"
                   "timeline: [{at: 0.5s, for: 1s, crash: service}]\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "seen", 3, (sim_time[]){S(6), S(7), S(8)});
    assert_int_equal(trial_counter(&t, "service.requests_lost"), 3);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_newest_goes_first_while_many_wait),
                                       cmocka_unit_test(the_earliest_deadline_goes_first),
                                       cmocka_unit_test(the_expired_are_not_served),
                                       cmocka_unit_test(those_that_waited_too_long_are_dropped),
                                       cmocka_unit_test(codel_thins_out_a_standing_queue),
                                       cmocka_unit_test(codel_sees_that_cancels_empty_the_queue),
                                       cmocka_unit_test(many_that_wait_turn_others_away),
                                       cmocka_unit_test(admission_draws_for_itself),
                                       cmocka_unit_test(a_crash_empties_the_queue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
