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
#include "support/reading.h"
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

/* --- flows ------------------------------------------------------------------------------- */

/* Four requests of kind a and three of b come, in this order, while another one is served; then
 * what is in `more`. */
static void flows(struct trial *t, const char *more, const char *discipline, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: service, kinds: [z, a, b, c], steps: [[0s, 1],\n"
               "    [0.1s, 11, ask, 1, 1], [0.1s, 12, ask, 1, 1], [0.1s, 13, ask, 1, 1],\n"
               "    [0.1s, 14, ask, 1, 1], [0.2s, 21, ask, 1, 2], [0.2s, 22, ask, 1, 2],\n"
               "    [0.2s, 23, ask, 1, 2]%s]}\n"
               "  service: {type: server, service_time: 1s, calls: [{target: seen}],\n"
               "            on_cancel: dequeue, queue: {discipline: {%s}}}\n"
               "  seen: {type: probe}\n%s",
               more, discipline, rest);
    trial_run(t, 0);
}

static void flows_have_turns(void **state)
{
    (void)state;
    struct trial t;
    flows(&t, "", "fair: {by: kind}", "");
    assert_order(&t, 8, (uint32_t[]){1, 11, 21, 12, 22, 13, 23, 14});
    assert_int_equal(trial_counter(&t, "service.flows_created"), 2);
    assert_int_equal(trial_counter(&t, "service.flows_removed"), 2);
    trial_close(&t);
    /* Those that come later have the last turn, also when they come again. */
    flows(&t, ", [1.5s, 31, ask, 1, 3], [4.5s, 32, ask, 1, 3]", "fair: {by: kind}", "");
    assert_order(&t, 10, (uint32_t[]){1, 11, 21, 12, 31, 22, 13, 32, 23, 14});
    assert_int_equal(trial_counter(&t, "service.flows_created"), 4);
    trial_close(&t);
    flows(&t, "", "fair: {by: client}", "");
    assert_order(&t, 8, (uint32_t[]){1, 11, 12, 13, 14, 21, 22, 23});
    assert_int_equal(trial_counter(&t, "service.flows_created"), 1);
    trial_close(&t);
}

static void weights_are_requests_a_turn(void **state)
{
    (void)state;
    struct trial t;
    flows(&t, "", "weighted_fair: {kinds: {a: {weight: 3}, b: {weight: 1}}}", "");
    assert_order(&t, 8, (uint32_t[]){1, 11, 12, 13, 21, 14, 22, 23});
    trial_close(&t);
    flows(&t, "", "weighted_fair: {kinds: {b: 2}}", "");
    assert_order(&t, 8, (uint32_t[]){1, 11, 21, 22, 12, 23, 13, 14});
    trial_close(&t);
    /* In the next turn a weight counts anew. */
    flows(&t, ", [0.3s, 15, ask, 1, 1], [0.3s, 16, ask, 1, 1]", "weighted_fair: {kinds: {a: 2}}",
          "");
    assert_order(&t, 10, (uint32_t[]){1, 11, 12, 21, 13, 14, 22, 15, 16, 23});
    trial_close(&t);
}

/* Three of each come while another one is served. */
static void priorities_may_share(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  first: {type: client, target: service, arrivals: {times: [0s]}}\n"
                   "  low: {type: client, target: service, requests: {any: {priority: low}},\n"
                   "        arrivals: {times: [0.1s, 0.1s, 0.1s]}}\n"
                   "  high: {type: client, target: service, requests: {any: {priority: high}},\n"
                   "         arrivals: {times: [0.2s, 0.2s, 0.2s]}}\n"
                   "  service: {type: server, service_time: 1s, calls: [{target: seen}], queue:\n"
                   "    {discipline: {weighted_fair: {by: priority, priorities: {high: 2}}}}}\n"
                   "  seen: {type: probe}\n");
    trial_run(&t, 0);
    const char *const turns[] = {"first", "low", "high", "high", "low", "high", "low"};
    assert_int_equal(probe_visits(&t, "seen"), 7);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(probe_visit(&t, "seen", i)->client, trial_entity(&t, turns[i]));
    }
    trial_close(&t);
}

static void flows_have_limits(void **state)
{
    (void)state;
    struct trial t;
    flows(&t, ", [0.3s, 31, ask, 1, 3]", "fair: {by: kind, max_flows: 2, per_flow_capacity: 3}",
          "");
    assert_order(&t, 7, (uint32_t[]){1, 11, 21, 12, 22, 13, 23});
    assert_int_equal(trial_counter(&t, "service.requests_rejected"), 2);
    assert_int_equal(trial_counter(&t, "service.rejected_flow_capacity"), 1);
    assert_int_equal(trial_counter(&t, "service.rejected_max_flows"), 1);
    trial_close(&t);
    /* A flow that ended leaves its place to another one. */
    flows(&t, ", [3.5s, 31, ask, 1, 3], [5.5s, 32, ask, 1, 3]",
          "weighted_fair: {kinds: {a: 4}, max_flows: 2}", "");
    assert_order(&t, 9, (uint32_t[]){1, 11, 12, 13, 14, 21, 22, 32, 23});
    assert_int_equal(trial_counter(&t, "service.rejected_max_flows"), 1);
    trial_close(&t);
}

/* The flow of b is gone, with its turn, before it has had any. */
static void cancels_end_flows(void **state)
{
    (void)state;
    struct trial t;
    flows(&t,
          ", [0.3s, 22, cancel], [0.3s, 21, cancel], [0.3s, 23, cancel], [0.4s, 12, cancel],\n"
          "    [0.5s, 31, ask, 1, 3], [0.6s, 24, ask, 1, 2]",
          "fair: {by: kind}", "");
    assert_order(&t, 6, (uint32_t[]){1, 11, 31, 24, 13, 14});
    assert_int_equal(trial_counter(&t, "service.requests_cancelled"), 4);
    assert_int_equal(trial_counter(&t, "service.flows_created"), 4);
    assert_int_equal(trial_counter(&t, "service.flows_removed"), 4);
    trial_close(&t);
}

static void a_crash_ends_flows(void **state)
{
    (void)state;
    struct trial t;
    flows(&t, ", [5s, 2], [5.1s, 15, ask, 1, 1], [5.1s, 16, ask, 1, 1], [5.1s, 24, ask, 1, 2]",
          "weighted_fair: {kinds: {a: 2}}", "timeline: [{at: 1.5s, for: 1s, crash: service}]\n");
    const uint32_t order[] = {1, 2, 15, 16, 24};
    assert_int_equal(probe_visits(&t, "seen"), 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(probe_visit(&t, "seen", i)->number, order[i]);
    }
    assert_int_equal(trial_counter(&t, "service.requests_lost"), 7);
    assert_int_equal(trial_counter(&t, "service.flows_created"), 4);
    assert_int_equal(trial_counter(&t, "service.flows_removed"), 4);
    trial_close(&t);
}

static void weights_are_of_what_makes_a_flow(void **state)
{
    (void)state;
    const struct {
        const char *discipline, *message;
    } cases[] = {
        {"{by: priority, kinds: {a: 2}}",
         "47: entities.service.queue.discipline: `kinds` have no weights where flows are by "
         "priority\n"},
        {"{priorities: {low: 2}}",
         "47: entities.service.queue.discipline: `priorities` have no weights where flows are by "
         "kind\n"},
        {"{kinds: {aa: 2}}", "72: entities.service.queue.discipline.weighted_fair.kinds.aa: no "
                             "client makes requests of this kind\n"},
        {"{kinds: {a: 0}}",
         "75: entities.service.queue.discipline.weighted_fair.kinds.a: 0 is below 1\n"},
        {"{by: client}", "68: entities.service.queue.discipline.weighted_fair.by: 'client' is none "
                         "of kind, priority\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512], expected[256];
        snprintf(text, sizeof text,
                 "squall: 1\n"
                 "duration: 1s\n"
                 "entities:\n"
                 "  users: {type: client, target: service, arrivals: {times: [0s]},\n"
                 "          requests: {a: {}}}\n"
                 "  service: {type: server, queue: {discipline: {weighted_fair: %s}}}\n",
                 cases[i].discipline);
        snprintf(expected, sizeof expected, "g.yaml:6:%s", cases[i].message);
        reading_says(probe_registry(), text, expected);
    }
}

/* --- random order ------------------------------------------------------------------------ */

/* Of three that wait each is next in a third of all cases, and who is left in half of them. */
static void any_may_be_next(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: asker, target: service, steps: [[0s, 1], [0.1s, 2],\n"
                   "    [0.2s, 3], [0.3s, 4], [0.4s, 5], [0.5s, 3, cancel]]}\n"
                   "  service: {type: server, service_time: 1s, calls: [{target: seen}],\n"
                   "            on_cancel: dequeue, queue: {discipline: siro}}\n"
                   "  seen: {type: probe}\n");
    enum { RUNS = 6000 };
    uint32_t seen[6][6] = {{0}}; /* by who was second and who third */
    for (uint64_t r = 0; r < RUNS; r++) {
        trial_run(&t, r);
        assert_int_equal(probe_visits(&t, "seen"), 4);
        assert_int_equal(probe_visit(&t, "seen", 0)->number, 1);
        seen[probe_visit(&t, "seen", 1)->number][probe_visit(&t, "seen", 2)->number]++;
    }
    const uint32_t left[] = {2, 4, 5};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) { /* five standard deviations */
            uint32_t n = seen[left[i]][left[k]];
            assert_in_range(n, i == k ? 0 : RUNS / 6 - 145, i == k ? 0 : RUNS / 6 + 145);
        }
    }
    trial_close(&t);
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
                                       cmocka_unit_test(flows_have_turns),
                                       cmocka_unit_test(weights_are_requests_a_turn),
                                       cmocka_unit_test(priorities_may_share),
                                       cmocka_unit_test(flows_have_limits),
                                       cmocka_unit_test(cancels_end_flows),
                                       cmocka_unit_test(a_crash_ends_flows),
                                       cmocka_unit_test(weights_are_of_what_makes_a_flow),
                                       cmocka_unit_test(any_may_be_next),
                                       cmocka_unit_test(a_crash_empties_the_queue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
