/* SPDX-License-Identifier: Apache-2.0
 *
 * What timed actions do to messages on their way (engine/links.c), to the nanosecond: latencies
 * add, losses combine, partitions lose or hold what leaves while they last, and all of it unwinds.
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

/* An asker's requests to a probe that answers after 0.1 s, over a wire of 10 ms; or, with another
 * `network`, over that. */
static void run(struct trial *t, const char *steps, const char *timeline, const char *network)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: far, steps: [%s]}\n"
               "  far: {type: probe, answers: [{after: 0.1s}]}\n"
               "network: [%s]\n"
               "timeline: [%s]\n",
               steps, network ? network : "{latency: 10ms}", timeline);
    trial_run(t, 0);
}

/* Of the statistic `name`: what users and far have. */
static void assert_faults(const struct trial *t, const char *name, uint64_t users, uint64_t far)
{
    char text[64];
    snprintf(text, sizeof text, "users.%s", name);
    assert_int_equal(trial_counter(t, text), users);
    snprintf(text, sizeof text, "far.%s", name);
    assert_int_equal(trial_counter(t, text), far);
}

static const char eight[] = "[0.5s, 1], [1s, 2], [1.999999999s, 3], [2s, 4], [2.5s, 5], "
                            "[3s, 6], [3.999999999s, 7], [4s, 8]";

/* A message takes what is in force when it is sent: half-open windows, both ways. */
static void latencies_add(void **state)
{
    (void)state;
    struct trial t;
    run(&t, eight,
        "{at: 1s, for: 2s, link: {a: users, b: far, latency: 50ms}},"
        "{at: 2s, for: 2s, link: {a: far, latency: 20ms}}",
        NULL);
    const sim_time at[] = {S(0.51), S(1.06), S(2.059999999), S(2.08),
                           S(2.58), S(3.03), S(4.029999999), S(4.01)};
    const int order[] = {1, 2, 3, 4, 5, 6, 8, 7};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(probe_visit(&t, "far", (uint32_t)i)->number, order[i]);
        assert_int_equal(probe_visit(&t, "far", (uint32_t)i)->at, at[order[i] - 1]);
    }
    /* Answers leave 0.1 s later: the third at 2.159999999 s, the fifth at 2.68 s, ... */
    asker_assert_replies(&t, "users", 8,
                         (struct asker_reply[]){{S(0.62), 1, 200},
                                                {S(1.22), 2, 200},
                                                {S(2.239999999), 3, 200},
                                                {S(2.26), 4, 200},
                                                {S(2.76), 5, 200},
                                                {S(3.16), 6, 200},
                                                {S(4.12), 8, 200},
                                                {S(4.139999999), 7, 200}});
    trial_close(&t);
}

/* Several of one action, two on one instant, and one way only. */
static void one_way_only(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [2s, 2], [3s, 3]",
        "{at: 0.5s, for: 1s, link: {a: users, latency: 30ms, asymmetric: true}},"
        "{at: 1.5s, for: 1s, link: [{a: far, b: users, latency: 40ms, asymmetric: true},"
        "                           {a: far, latency: 2ms, asymmetric: true}]}",
        NULL);
    probe_assert_times(&t, "far", 3, (sim_time[]){S(1.04), S(2.01), S(3.01)});
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(1.15), 1, 200}, {S(2.162), 2, 200}, {S(3.12), 3, 200}});
    trial_close(&t);
}

/* The least bandwidth counts, in place of that of the wire. */
static void the_least_bandwidth_counts(void **state)
{
    (void)state;
    const struct {
        const char *timeline;
        double at; /* [s] when a request of 1000 bytes arrives that leaves at 1 s */
    } cases[] = {
        {"", 1.011},
        {"{at: 0s, link: {a: users, bandwidth: 100kB/s}}", 1.02},
        {"{at: 0s, link: {a: users, bandwidth: 10MB/s}}", 1.011},
        {"{at: 0s, link: {a: users, bandwidth: 100kB/s}},"
         "{at: 1s, link: {a: users, bandwidth: 50kB/s, latency: 5ms}},"
         "{at: 0s, for: 2s, link: {a: users, bandwidth: 80kB/s}}",
         1.035},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        trial_open(&t,
                   "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: far, arrivals: {times: [1s]},\n"
                   "          requests: {any: {bytes: 1kB}}, call: {timeout: 10s}}\n"
                   "  far: {type: probe}\n"
                   "network: [{latency: 10ms, bandwidth: 1MB/s}]\n"
                   "timeline: [%s]\n",
                   cases[i].timeline);
        trial_run(&t, 0);
        probe_assert_times(&t, "far", 1, (sim_time[]){S(cases[i].at)});
        trial_close(&t);
    }
    /* Where there was no limit, a message of 1000 bytes at 3 B/s takes 333.333333333 s. */
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 1000s\n"
                   "entities:\n"
                   "  users: {type: client, target: far, arrivals: {times: [1s]},\n"
                   "          requests: {any: {bytes: 1kB}}, call: {timeout: 10s}}\n"
                   "  far: {type: probe}\n"
                   "timeline: [{at: 0s, link: {a: users, bandwidth: 3B/s}}]\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 1, (sim_time[]){S(334.333333333)});
    trial_close(&t);
}

/* What is on its way survives; what leaves while the partition lasts is lost, replies, too. */
static void partitions_lose(void **state)
{
    (void)state;
    const char steps[] = "[0.985s, 1], [0.995s, 2], [1s, 3], [1.5s, 4], [1.999999999s, 5], [2s, 6]";
    struct trial t;
    run(&t, steps, "{at: 1s, for: 1s, partition: {a: users, b: far}}", NULL);
    /* The second is on its way when the partition begins, and so is answered in vain. */
    probe_assert_times(&t, "far", 3, (sim_time[]){S(0.995), S(1.005), S(2.01)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2.12), 6, 200}});
    assert_faults(&t, "messages_cut", 3, 2);
    assert_faults(&t, "messages_held", 0, 0);
    assert_faults(&t, "messages_dropped", 0, 0);
    trial_close(&t);
    /* Only requests are lost, then only replies. */
    run(&t, steps, "{at: 1s, for: 1s, partition: {a: users, asymmetric: true}}", NULL);
    probe_assert_times(&t, "far", 3, (sim_time[]){S(0.995), S(1.005), S(2.01)});
    assert_faults(&t, "messages_cut", 3, 0);
    assert_int_equal(trial_counter(&t, "users.replies_received"), 3);
    trial_close(&t);
    run(&t, steps, "{at: 1s, for: 1s, partition: {a: far, b: users, asymmetric: true}}", NULL);
    assert_int_equal(probe_visits(&t, "far"), 6);
    assert_faults(&t, "messages_cut", 0, 4);
    trial_close(&t);
    /* Overlapping ones are one, to the end of the last; one of them heals alone. */
    run(&t, steps,
        "{at: 0.5s, for: 0.49s, partition: {a: users}}, {at: 0.98s, for: 0.52s, partition: {a: "
        "far}}, {at: 1.5s, for: 0.1s, partition: {a: users, b: far}}",
        NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(2.009999999), S(2.01)});
    trial_close(&t);
}

/* Only messages between the two sides, of whichever instance. */
static void sides_are_instances(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  one: {type: asker, target: \"far[1]\", steps: [[1s, 1], [2s, 2], [3s, 3]]}\n"
               "  two: {type: asker, target: \"far[2]\", steps: [[1s, 1], [2s, 2], [3s, 3]]}\n"
               "  six: {type: asker, target: \"far[0]\", steps: [[1s, 1], [2s, 2], [3s, 3]]}\n"
               "  far: {type: probe, count: 3, answers: [{after: 0.1s}]}\n"
               "network: [{latency: 10ms}]\n"
               "timeline:\n"
               "  - {at: 1s, for: 1s, partition: {a: [one, \"far[2]\"], b: [two, \"far[1]\"]}}\n"
               "  - {at: 2s, for: 1s, partition: {a: [one, two], b: \"far[0]\"}}\n"
               "  - {at: 3s, for: 1s, partition: {a: [one, two, \"far[1]\"]}}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far[1]", 2, (sim_time[]){S(2.01), S(3.01)});
    probe_assert_times(&t, "far[2]", 1, (sim_time[]){S(2.01)});
    probe_assert_times(&t, "far[0]", 3, (sim_time[]){S(1.01), S(2.01), S(3.01)});
    assert_int_equal(trial_counter(&t, "one.messages_cut"), 1);
    assert_int_equal(trial_counter(&t, "two.messages_cut"), 2);
    assert_int_equal(trial_counter(&t, "six.messages_cut"), 0);
    trial_close(&t);
}

static void assert_order(const struct trial *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(probe_visit(t, "far", i)->number, i + 1);
    }
}

/* What is held leaves at the end, in its order, and before what is sent at that instant: over a
 * wire that takes time, and over one that takes none. */
static void partitions_hold(void **state)
{
    (void)state;
    const char steps[] = "[0.995s, 1], [1s, 2], [1.7s, 3], [1.7s, 4], [1.999999999s, 5], [2s, 6], "
                         "[2.5s, 7]";
    const char *networks[] = {"{latency: 10ms}", "{latency: 0s}"};
    for (int i = 0; i < 2; i++) {
        struct trial t;
        sim_time d = i == 0 ? S(0.01) : 0;
        run(&t, steps, "{at: 1s, for: 1s, partition: {a: users, b: far, hold: true}}", networks[i]);
        probe_assert_times(&t, "far", 7,
                           (sim_time[]){S(0.995) + d, S(2) + d, S(2) + d, S(2) + d, S(2) + d,
                                        S(2) + d, S(2.5) + d});
        assert_order(&t, 7);
        /* The answer to the first would have left at 1.105 s. */
        asker_assert_replies(&t, "users", 7,
                             (struct asker_reply[]){{S(2) + d, 1, 200},
                                                    {S(2.1) + 2 * d, 2, 200},
                                                    {S(2.1) + 2 * d, 3, 200},
                                                    {S(2.1) + 2 * d, 4, 200},
                                                    {S(2.1) + 2 * d, 5, 200},
                                                    {S(2.1) + 2 * d, 6, 200},
                                                    {S(2.6) + 2 * d, 7, 200}});
        assert_faults(&t, "messages_held", 4, 1);
        assert_faults(&t, "messages_cut", 0, 0);
        trial_close(&t);
    }
}

/* Held until the last of those that overlap or touch ends; then what is in force there applies. */
static void holds_stack(void **state)
{
    (void)state;
    const char hold[] = "partition: {a: users, asymmetric: true, hold: true}";
    const char cut[] = "partition: {a: users, asymmetric: true}";
    char timeline[512];
    struct trial t;
    snprintf(timeline, sizeof timeline,
             "{at: 1s, for: 1s, %s}, {at: 1.5s, for: 1.5s, %s}, {at: 3s, for: 1s, %s}", hold, hold,
             hold);
    run(&t, "[1.2s, 1], [3.5s, 2], [4s, 3]", timeline, NULL);
    probe_assert_times(&t, "far", 3, (sim_time[]){S(4.01), S(4.01), S(4.01)});
    assert_order(&t, 3);
    assert_faults(&t, "messages_held", 2, 0);
    trial_close(&t);
    /* Lost as it leaves, and not as it waits; or it meets a latency there. */
    snprintf(timeline, sizeof timeline, "{at: 1s, for: 1s, %s}, {at: 1.5s, for: 1s, %s}", hold,
             cut);
    run(&t, "[1.2s, 1], [1.7s, 2], [2.5s, 3]", timeline, NULL);
    probe_assert_times(&t, "far", 1, (sim_time[]){S(2.51)});
    assert_faults(&t, "messages_held", 1, 0);
    assert_faults(&t, "messages_cut", 2, 0);
    trial_close(&t);
    snprintf(timeline, sizeof timeline,
             "{at: 1s, for: 1s, %s}, {at: 2s, for: 1s, link: {a: users, latency: 0.5s}},"
             "{at: 1s, for: 1s, link: {a: users, latency: 0.25s}}",
             hold);
    run(&t, "[1.2s, 1], [2.2s, 2]", timeline, NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(2.51), S(2.71)});
    trial_close(&t);
    /* For ever. */
    snprintf(timeline, sizeof timeline, "{at: 1s, %s}", hold);
    run(&t, "[0.2s, 1], [1.2s, 2]", timeline, NULL);
    assert_int_equal(probe_visits(&t, "far"), 1);
    assert_faults(&t, "messages_held", 1, 0);
    trial_close(&t);
}

/* A message that waits meets the next window as the one before ends, be it for ever. */
static void holds_touch(void **state)
{
    (void)state;
    const struct {
        const char *timeline;
        double at; /* [s] when what is sent at 1.2 s arrives; 0: never */
    } cases[] = {
        {"{at: 1s, for: 1s, every: 1s, times: 3, partition: {a: users, hold: true}}", 4.01},
        {"{at: 1s, for: 1s, every: 1s, partition: {a: users, hold: true}}", 0},
        {"{at: 1s, for: 100us, every: 100us, partition: {a: users, hold: true}}", 0},
        {"{at: 1s, for: 1s, every: 2s, partition: {a: users, hold: true}},"
         "{at: 2s, for: 1s, every: 2s, partition: {a: users, hold: true}}",
         0},
        {"{at: 1s, for: 1s, every: 1s, partition: {among: [users, far], hold: true}}", 0},
        /* They end after more time than there is. */
        {"{at: 1s, for: 1e18ns, every: 1e18ns, times: 1000000000,"
         " partition: {a: users, hold: true}}",
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool arrives = cases[i].at > 0;
        struct trial t;
        run(&t, "[0.2s, 1], [1.2s, 2]", cases[i].timeline, NULL);
        probe_assert_times(&t, "far", arrives ? 2 : 1, (sim_time[]){S(0.21), S(cases[i].at)});
        assert_faults(&t, "messages_held", 1, 0);
        trial_close(&t);
    }
}

/* Cancels are messages, and what a conditioner keeps back leaves later. */
static void whatever_leaves(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1.2s, 1, cancel], [2.2s, 1, cancel]",
        "{at: 1.1s, for: 0.5s, partition: {a: users}}", NULL);
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(2.21)});
    trial_close(&t);
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: far, arrivals: {times: [1s, 1.5s, 2s]},\n"
                   "          call: {timeout: 10s, conditioner: {latency: 0.7s}}}\n"
                   "  far: {type: probe}\n"
                   "network: [{latency: 10ms}]\n"
                   "timeline: [{at: 2s, for: 0.5s, partition: {a: users}}]\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(1.71), S(2.71)});
    assert_int_equal(trial_counter(&t, "users.messages_cut"), 1);
    assert_int_equal(trial_counter(&t, "users.messages_lost"), 1);
    trial_close(&t);
}

/* Again and again, so often at most. */
static void links_repeat(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0.95s, 1], [1s, 2], [1.3s, 3], [2.2s, 4], [2.3s, 5], [3.299999999s, 6], [4.1s, 7]",
        "{at: 1s, for: 300ms, every: 1s, times: 3, link: {a: users, latency: 200ms, asymmetric: "
        "true}}",
        NULL);
    probe_assert_times(
        &t, "far", 7,
        (sim_time[]){S(0.96), S(1.21), S(1.31), S(2.31), S(2.41), S(3.509999999), S(4.11)});
    trial_close(&t);
}

/* Two thousand requests; each wire of 30 % loss, and losses of 50 % and 20 % of the timeline. */
static void run_losses(struct trial *t, const char *more, const char *timeline)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 30s\n"
               "entities:\n"
               "  users: {type: client, count: 2, target: far, call: {timeout: 1s},\n"
               "          arrivals: {kind: constant, rate: 100/s}}\n"
               "%s"
               "  far: {type: delay, latency: 1ms}\n"
               "network: [{from: users, latency: 10ms, loss: 30%%}, {latency: 10ms}]\n"
               "timeline: [%s]\n",
               more, timeline);
    trial_run(t, 0);
}

/* Losses are independent of each other, and of that of the wire, which stays what it was. */
static void losses_combine(void **state)
{
    (void)state;
    const char half[] = "{at: 0s, for: 20s, link: {a: users, asymmetric: true, loss: 50%}}";
    const char both[] = "{at: 0s, for: 20s, link: {a: users, asymmetric: true, loss: 50%}},"
                        "{at: 10s, for: 20s, link: {a: users, asymmetric: true, loss: 20%}}";
    struct trial none, one, two;
    run_losses(&none, "", "");
    run_losses(&one, "", half);
    run_losses(&two, "  more: {type: client, target: far, arrivals: {kind: constant, rate: 1/s}}\n",
               both);
    uint64_t sent = trial_counter(&none, "users.requests_sent");
    uint64_t by_wire = trial_counter(&none, "users.messages_lost");
    assert_int_equal(sent, 6000);
    assert_in_range(by_wire, 1800 - 180, 1800 + 180);
    /* Of 4200 that the wire lets pass, in thirds: a half; a half and a fifth; a fifth. */
    uint64_t dropped = trial_counter(&one, "users.messages_dropped");
    assert_in_range(dropped, 1400 - 130, 1400 + 130);
    assert_int_equal(trial_counter(&one, "users.messages_lost"), by_wire + dropped);
    dropped = trial_counter(&two, "users.messages_dropped");
    assert_in_range(dropped, 700 + 840 + 280 - 140, 700 + 840 + 280 + 140);
    assert_int_equal(trial_counter(&two, "users.messages_lost"), by_wire + dropped);
    /* Until the second begins, nothing knows of it. */
    for (uint32_t i = 0; i < 2; i++) {
        trial_begin(i == 0 ? &one : &two, 0, S(10));
    }
    assert_int_equal(trial_counter(&one, "users.messages_dropped"),
                     trial_counter(&two, "users.messages_dropped"));
    trial_close(&none);
    trial_close(&one);
    trial_close(&two);
}

/* All, and by one with a law: each message draws, from a stream of its sender's. */
static void latencies_by_law(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, count: 4, target: far, call: {timeout: 50s},\n"
                   "          arrivals: {kind: constant, rate: 50/s}}\n"
                   "  far: {type: delay, latency: 1ms}\n"
                   "network: [{latency: 10ms}]\n"
                   "timeline: [{at: 0s, for: 50s, link: {a: users, latency: {exponential: 80ms}}},"
                   " {at: 50s, link: {a: far, asymmetric: true, loss: 100%%}}]\n");
    trial_run(&t, 0);
    struct hist_counts h = {0};
    trial_histogram(&t, "users.response_time", &h);
    double n = (double)h.total, mean = (double)h.sum / n / 1e9;
    assert_in_range(n, 9900, 10000); /* those that are answered after 50 s are not */
    /* 21 ms and two exponentials of 80 ms: the error of the mean is below 1.2 ms. */
    assert_in_range((uint64_t)(mean * 1e6), 181000 - 5000, 181000 + 5000);
    assert_int_equal(trial_counter(&t, "far.replies_lost"),
                     trial_counter(&t, "far.messages_dropped"));
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_add),       cmocka_unit_test(one_way_only),
        cmocka_unit_test(partitions_lose),     cmocka_unit_test(the_least_bandwidth_counts),
        cmocka_unit_test(sides_are_instances), cmocka_unit_test(partitions_hold),
        cmocka_unit_test(holds_stack),         cmocka_unit_test(whatever_leaves),
        cmocka_unit_test(links_repeat),        cmocka_unit_test(losses_combine),
        cmocka_unit_test(latencies_by_law),    cmocka_unit_test(holds_touch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
