/* SPDX-License-Identifier: Apache-2.0
 *
 * When a queue delivers which message, to the nanosecond, and that it loses none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/asker.h"
#include "support/draft.h"
#include "support/probe.h"
#include "support/reading.h"
#include "support/trial.h"

/* `delivery`: the rest of that block. */
static void run(struct trial *t, const char *steps, const char *delivery, const char *queue,
                const char *answers, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: queue, steps: [%s]}\n"
               "  queue: {type: message_queue, delivery: {target: far%s}%s}\n"
               "  far: {type: probe, answers: [%s]}\n%s\n",
               steps, delivery, queue, answers, rest);
    trial_run(t, 0);
}

static void assert_visits(const struct trial *t, const char *name, uint32_t n,
                          const struct asker_reply *visits)
{
    assert_int_equal(probe_visits(t, name), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(probe_visit(t, name, i)->number, visits[i].number);
        assert_int_equal(probe_visit(t, name, i)->at, visits[i].at);
    }
}

static uint64_t counter(const struct trial *t, const char *name)
{
    char stat[64];
    snprintf(stat, sizeof stat, "queue.%s", name);
    return trial_counter(t, stat);
}

static uint64_t level(const struct trial *t, const char *name)
{
    char stat[64];
    snprintf(stat, sizeof stat, "queue.%s", name);
    return (uint64_t)trial_level(t, stat);
}

static bool adds_up(const struct trial *t)
{
    uint64_t dead = counter(t, "dead_letters"), under_way = level(t, "in_delivery");
    bool messages = counter(t, "requests_received") ==
                        counter(t, "requests_rejected") + counter(t, "messages_accepted") &&
                    counter(t, "messages_accepted") ==
                        counter(t, "messages_delivered") + dead + counter(t, "messages_expired") +
                            counter(t, "messages_evicted") + counter(t, "messages_withdrawn") +
                            counter(t, "messages_lost") + level(t, "depth") + level(t, "delayed") +
                            under_way;
    bool deliveries = counter(t, "deliveries") == counter(t, "messages_delivered") +
                                                      counter(t, "deliveries_failed") +
                                                      counter(t, "deliveries_lost") + under_way;
    bool letters = dead == counter(t, "dead_letters_discarded") +
                               counter(t, "dead_letters_delivered") +
                               counter(t, "dead_letters_failed") + counter(t, "dead_letters_lost") +
                               level(t, "dead_letters_out");
    return messages && deliveries && letters &&
           level(t, "downstream_in_flight") == under_way + level(t, "dead_letters_out");
}

/* Each delivery takes .3 s. Producers have their answer long before. */
static void messages_are_delivered_in_their_order(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1.1s, 2], [1.2s, 3]", "", "", "{after: 0.3s}", "");
    asker_assert_replies(
        &t, "users", 3, (struct asker_reply[]){{S(1), 1, 202}, {S(1.1), 2, 202}, {S(1.2), 3, 202}});
    assert_visits(&t, "far", 3,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1.3), .number = 2},
                                         {.at = S(1.6), .number = 3}});
    struct hist_counts lag = {.total = 0}, sojourn = {.total = 0};
    trial_histogram(&t, "queue.delivery_lag", &lag);
    trial_histogram(&t, "queue.sojourn_time", &sojourn);
    assert_int_equal(lag.sum, S(0.2) + S(0.4));
    assert_int_equal(sojourn.sum, S(0.6) + S(0.9));
    assert_int_equal(trial_integral(&t, "queue.depth"), S(0.6));
    assert_int_equal(trial_integral(&t, "queue.in_delivery"), S(0.9));
    assert_true(adds_up(&t));
    trial_close(&t);
}

static void as_many_are_in_delivery_as_may_be(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1.1s, 2], [1.2s, 3]", "", ", concurrency: 2", "{after: 0.3s}", "");
    probe_assert_times(&t, "far", 3, (sim_time[]){S(1), S(1.1), S(1.3)});
    trial_close(&t);
    run(&t, "[1s, 1], [1.1s, 2], [1.2s, 3]", "", ", concurrency: unlimited", "{after: 0.3s}", "");
    probe_assert_times(&t, "far", 3, (sim_time[]){S(1), S(1.1), S(1.2)});
    trial_close(&t);
}

/* The visibility timeout is the call's. What fails goes behind those that wait; the third delivery
 * is the last one. */
static void failures_come_back_behind_the_others(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2]", ", timeout: 0.5s", "",
        "{after: none}, {after: 0.1s, status: 503}, {after: 0.1s, status: 503}, {after: 0.1s}, "
        "{after: none}",
        "");
    assert_visits(&t, "far", 5,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1.5), .number = 2},
                                         {.at = S(1.6), .number = 1},
                                         {.at = S(1.7), .number = 2},
                                         {.at = S(1.8), .number = 1}});
    assert_int_equal(counter(&t, "messages_delivered"), 1);
    assert_int_equal(counter(&t, "deliveries_failed"), 4);
    assert_int_equal(counter(&t, "dead_letters"), 1);
    assert_int_equal(counter(&t, "dead_letters_discarded"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* In strict order what fails holds up the others, here for .1 s * 2^k, until it is given up. */
static void strict_order_holds_the_others_up(void **state)
{
    (void)state;
    static const char backoff[] =
        ", redelivery_delay: {kind: exponential, initial_delay: 100ms, max_delay: 1s}";
    static const char answers[] = "{status: 503}, {status: 503}, {status: 503}, {}";
    char keys[256];
    struct trial t;
    snprintf(keys, sizeof keys, "%s, order: strict", backoff);
    run(&t, "[1s, 1], [1s, 2]", "", keys, answers, "");
    assert_visits(&t, "far", 4,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1.1), .number = 1},
                                         {.at = S(1.3), .number = 1},
                                         {.at = S(1.3), .number = 2}});
    assert_int_equal(trial_integral(&t, "queue.delayed"), S(0.3));
    assert_int_equal(trial_integral(&t, "queue.depth"), S(0.3));
    assert_true(adds_up(&t));
    trial_close(&t);
    run(&t, "[1s, 1], [1s, 2]", "", backoff, answers, "");
    assert_visits(&t, "far", 5,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1), .number = 2},
                                         {.at = S(1.1), .number = 1},
                                         {.at = S(1.1), .number = 2},
                                         {.at = S(1.3), .number = 1}});
    trial_close(&t);
}

/* 404 is refused for good; 503 is not, and what the queue's own breaker holds back is not either.
 */
static void messages_refused_for_good_are_dead_letters(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1]", "", "", "{status: 404}", "");
    assert_int_equal(counter(&t, "deliveries"), 1);
    assert_int_equal(counter(&t, "dead_letters"), 1);
    trial_close(&t);
    run(&t, "[1s, 1]", "", ", redeliver_rejected: true", "{status: 404}, {}", "");
    assert_int_equal(counter(&t, "deliveries"), 2);
    assert_int_equal(counter(&t, "messages_delivered"), 1);
    trial_close(&t);
    run(&t, "[1s, 1]", ", rate_limit: {kind: token_bucket, capacity: 1, refill_rate: 1/s}",
        ", redelivery_delay: {fixed: 400ms}, max_deliveries: 5", "{status: 503}, {}", "");
    assert_visits(&t, "far", 2,
                  (struct asker_reply[]){{.at = S(1), .number = 1}, {.at = S(2.2), .number = 1}});
    assert_int_equal(counter(&t, "deliveries"), 4);
    assert_true(adds_up(&t));
    trial_close(&t);
}

static void dead_letters_are_sent_on(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2], [1s, 3]", "",
        ", max_deliveries: 1, dead_letter: {target: morgue, timeout: 1s}, acknowledge: delivered",
        "{status: 503}", "  morgue: {type: probe, answers: [{after: 0.5s}, {after: none}]}\n");
    assert_visits(&t, "morgue", 3,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1), .number = 2},
                                         {.at = S(1), .number = 3}});
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{S(1), 1, 502}, {S(1), 2, 502}, {S(1), 3, 502}});
    assert_int_equal(counter(&t, "dead_letters"), 3);
    assert_int_equal(counter(&t, "dead_letters_delivered"), 1);
    assert_int_equal(counter(&t, "dead_letters_failed"), 2);
    assert_int_equal(trial_integral(&t, "queue.dead_letters_out"), S(2.5));
    assert_true(adds_up(&t));
    trial_close(&t);
}

static void producers_may_wait_for_the_delivery(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2], [1s, 3]", "", ", acknowledge: delivered, message_ttl: 0.4s",
        "{after: 0.3s}", "");
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(1.3), 1, 200}, {S(1.4), 3, 504}, {S(1.6), 2, 200}});
    assert_int_equal(counter(&t, "messages_expired"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* What is delayed expires at its age, and what is in delivery when that has failed. */
static void messages_expire(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1]", "",
        ", acknowledge: delivered, message_ttl: 0.5s, redelivery_delay: {fixed: 1s}",
        "{status: 503}", "");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(1.5), 1, 504}});
    assert_int_equal(trial_integral(&t, "queue.delayed"), S(0.5));
    trial_close(&t);
    run(&t, "[1s, 1]", "", ", acknowledge: delivered, message_ttl: 0.5s",
        "{after: 0.7s, status: 503}", "");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(1.7), 1, 504}});
    assert_int_equal(counter(&t, "messages_expired"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
}

static void a_full_queue_turns_messages_away(void **state)
{
    (void)state;
    static const char steps[] = "[1s, 1], [1.1s, 2], [1.2s, 3], [1.3s, 4]";
    struct trial t;
    run(&t, steps, "", ", capacity: 2", "{after: 1s}", "");
    asker_assert_replies(&t, "users", 4,
                         (struct asker_reply[]){
                             {S(1), 1, 202}, {S(1.1), 2, 202}, {S(1.2), 3, 503}, {S(1.3), 4, 503}});
    assert_int_equal(counter(&t, "requests_rejected"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
    run(&t, steps, "", ", capacity: 2, on_reject: drop", "{after: 1s}", "");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(1), 1, 202}, {S(1.1), 2, 202}});
    trial_close(&t);
    run(&t, steps, "", ", capacity: 2, on_full: drop_oldest, acknowledge: delivered", "{after: 1s}",
        "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{S(1.2), 2, 503}, {S(1.3), 3, 503}, {S(2), 1, 200}, {S(3), 4, 200}});
    assert_int_equal(counter(&t, "messages_evicted"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
    run(&t, steps, "", ", capacity: 1, on_full: drop_oldest", "{after: 1s}", "");
    assert_int_equal(counter(&t, "messages_evicted"), 0);
    assert_int_equal(counter(&t, "requests_rejected"), 3);
    trial_close(&t);
}

/* Of three that are given up one is in delivery, one waits and one is done. */
static void producers_may_withdraw_what_waits(void **state)
{
    (void)state;
    static const char steps[] = "[1s, 1], [1s, 2], [1s, 3], [1.1s, 1, cancel], [1.1s, 2, cancel], "
                                "[1.7s, 3, cancel]";
    struct trial t;
    run(&t, steps, "", ", acknowledge: delivered, on_cancel: withdraw", "{after: 0.3s}", "");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(1.6), 3, 200}});
    assert_visits(&t, "far", 2,
                  (struct asker_reply[]){{.at = S(1), .number = 1}, {.at = S(1.3), .number = 3}});
    assert_int_equal(counter(&t, "requests_cancelled"), 2);
    assert_int_equal(counter(&t, "messages_withdrawn"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
    run(&t, steps, "", ", acknowledge: delivered", "{after: 0.3s}", "");
    assert_int_equal(probe_visits(&t, "far"), 3);
    assert_int_equal(counter(&t, "requests_cancelled"), 0);
    trial_close(&t);
}

/* A delayed one that is withdrawn holds nobody up any more. */
static void strict_order_goes_on_after_a_withdrawal(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2], [1.2s, 1, cancel]", "",
        ", acknowledge: delivered, on_cancel: withdraw, order: strict, redelivery_delay: "
        "{fixed: 1s}",
        "{status: 503}, {}", "");
    assert_visits(&t, "far", 2,
                  (struct asker_reply[]){{.at = S(1), .number = 1}, {.at = S(1.2), .number = 2}});
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* At the crash 1 is delayed, 2 in delivery and 3 waits; 4 comes too early. The delivery that was
 * cut off is none: 2 has two more. */
static void a_durable_queue_goes_on_after_a_crash(void **state)
{
    (void)state;
    static const char steps[] = "[1s, 1], [1s, 2], [1s, 3], [1.5s, 4], [2.5s, 5]";
    static const char keys[] = ", acknowledge: delivered, redelivery_delay: {fixed: 5s}, "
                               "max_deliveries: 2, durable: ";
    static const char down[] = "timeline: [{crash: queue, at: 1.2s, for: 1s}]\n";
    char all[256];
    struct trial t;
    snprintf(all, sizeof all, "%strue", keys);
    run(&t, steps, "", all, "{status: 503}, {after: 1.4s}, {status: 503}, {}", down);
    assert_visits(&t, "far", 7,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1), .number = 2},
                                         {.at = S(2.2), .number = 2},
                                         {.at = S(2.2), .number = 1},
                                         {.at = S(2.2), .number = 3},
                                         {.at = S(2.5), .number = 5},
                                         {.at = S(7.2), .number = 2}});
    assert_int_equal(counter(&t, "messages_delivered"), 4);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2.5), 5, 200}});
    assert_int_equal(counter(&t, "deliveries_lost"), 1);
    assert_int_equal(counter(&t, "requests_forgotten"), 3);
    assert_int_equal(counter(&t, "requests_missed"), 1);
    assert_int_equal(counter(&t, "downstream_late_responses"), 1);
    assert_int_equal(level(&t, "delayed"), 0);
    assert_true(adds_up(&t));
    trial_close(&t);
    snprintf(all, sizeof all, "%sfalse", keys);
    run(&t, steps, "", all, "{status: 503}, {after: 1s}, {}", down);
    assert_visits(&t, "far", 3,
                  (struct asker_reply[]){{.at = S(1), .number = 1},
                                         {.at = S(1), .number = 2},
                                         {.at = S(2.5), .number = 5}});
    assert_int_equal(counter(&t, "messages_lost"), 3);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* Ages go on while it is down: 1 and 2 expire as it comes up, and 4 at its time. */
static void messages_age_while_the_queue_is_down(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2], [1.1s, 3], [1.12s, 4]", "", ", message_ttl: 1.1s", "{after: none}",
        "timeline: [{crash: queue, at: 1.15s, for: 0.95s}]\n");
    assert_int_equal(counter(&t, "messages_expired"), 3);
    assert_visits(&t, "far", 2,
                  (struct asker_reply[]){{.at = S(1), .number = 1}, {.at = S(2.1), .number = 3}});
    assert_int_equal(trial_integral(&t, "queue.depth"), S(0.95) + S(1.1) + S(1) + S(1.1));
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* A dead letter that is on its way is sent again after the crash of a durable queue. */
static void dead_letters_outlive_a_crash(void **state)
{
    (void)state;
    static const char *const durable[] = {"true", "false"};
    for (int i = 0; i < 2; i++) {
        char keys[128];
        struct trial t;
        snprintf(keys, sizeof keys, ", max_deliveries: 1, dead_letter: morgue, durable: %s",
                 durable[i]);
        run(&t, "[1s, 1]", "", keys, "{status: 503}",
            "  morgue: {type: probe, answers: [{after: 1s}]}\n"
            "timeline: [{crash: queue, at: 1.5s, for: 1s}]\n");
        assert_int_equal(probe_visits(&t, "morgue"), i == 0 ? 2 : 1);
        assert_int_equal(counter(&t, "dead_letters_delivered"), i == 0);
        assert_int_equal(counter(&t, "dead_letters_lost"), i == 1);
        assert_int_equal(counter(&t, "messages_lost"), 0);
        assert_true(adds_up(&t));
        trial_close(&t);
    }
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char entities[] = "squall: 1\nduration: 1s\nentities:\n"
                                   "  a: {type: delay}\n"
                                   "  q: {type: message_queue, delivery: a, %s}\n";
    static const struct {
        const char *keys, *said;
    } cases[] = {
        {"order: strict, concurrency: 2", "must be 1 with strict order"},
        {"dead_letter: [a, a]", "dead_letter[1]: there can be only one"},
        {"redelivery_delay: {percentile: {minimum: 1s, maximum: 2s}}", "no response times"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512], *messages;
        snprintf(text, sizeof text, entities, cases[i].keys);
        assert_null(reading(probe_registry(), text, &messages));
        assert_non_null(strstr(messages, cases[i].said));
        free(messages);
    }
}

/* A queue drawn at random, with everything that may happen to a message. */
static void draw(struct draft *d)
{
    static const char *const words[] = {
        "    acknowledge: stored\n", "    acknowledge: delivered\n", "    on_reject: drop\n",
        "    acknowledge: delivered\n    on_cancel: withdraw\n",
        "    acknowledge: delivered\n    redeliver_rejected: true\n"};
    static const char *const laws[] = {
        "0s", "10ms", "{exponential: {initial_delay: 5ms, max_delay: 50ms, jitter: full}}",
        "{decorrelated_jitter: {base_delay: 5ms, max_delay: 50ms, shared_state: true}}"};
    bool strict = draft_once_in(d, 3);
    draft_add(d, "squall: 1\nduration: 3s\nentities:\n"
                 "  users: {type: client, target: queue, arrivals: {poisson: 300/s}, call: {");
    draft_call(d);
    draft_add(d, "}}\n  queue:\n    type: message_queue\n    delivery: {target: far, ");
    draft_call(d);
    draft_add(d, "}\n    order: %s\n    concurrency: %u\n", strict ? "strict" : "loose",
              strict ? 1 : 1 + draft_below(d, 8));
    if (draft_once_in(d, 2)) {
        draft_add(d, "    capacity: %u\n", 1 + draft_below(d, 20));
    }
    if (draft_once_in(d, 2)) {
        draft_add(d, "    message_ttl: %ums\n", 1 + draft_below(d, 100));
    }
    if (draft_once_in(d, 2)) {
        draft_add(d, "    dead_letter: {target: far, timeout: 20ms}\n");
    }
    draft_add(
        d, "    on_full: %s\n    durable: %s\n    redelivery_delay: %s\n    max_deliveries: %u\n%s",
        draft_once_in(d, 2) ? "reject" : "drop_oldest", draft_once_in(d, 2) ? "true" : "false",
        DRAFT_ONE_OF(d, laws), 1 + draft_below(d, 4), DRAFT_ONE_OF(d, words));
}

static void nothing_is_lost_in_studies_at_random(void **state)
{
    (void)state;
    static const char *const happens[] = {
        "messages_expired",   "messages_evicted",       "messages_lost",
        "messages_withdrawn", "dead_letters_delivered", "dead_letters_failed",
        "deliveries_lost",    "requests_forgotten",     "requests_rejected"};
    enum { HAPPENS = sizeof happens / sizeof happens[0] };
    uint64_t sum[HAPPENS] = {0};
    for (uint64_t n = 0; n < 300; n++) {
        char text[8192];
        struct draft d;
        struct trial t;
        draft_begin(&d, n, 41, text, sizeof text);
        draw(&d);
        draft_add(&d, "  far: {type: server, concurrency: 2, service_time: 5ms, ");
        draft_answers(&d);
        draft_add(&d,
                  "}\nnetwork: [{latency: 1ms, loss: %u%%}]\n"
                  "timeline: [{crash: queue, at: %ums, for: 300ms}]\n",
                  draft_below(&d, 5), 200 + draft_below(&d, 2000));
        trial_open(&t, "%s", text);
        trial_run(&t, n);
        if (!adds_up(&t)) {
            puts(text);
            fail_msg("study %" PRIu64 " loses messages", n);
        }
        for (int i = 0; i < HAPPENS; i++) {
            sum[i] += counter(&t, happens[i]);
        }
        trial_close(&t);
    }
    for (int i = 0; i < HAPPENS; i++) {
        print_message("%s: %" PRIu64 "\n", happens[i], sum[i]);
        assert_true(sum[i] > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages_are_delivered_in_their_order),
                                       cmocka_unit_test(as_many_are_in_delivery_as_may_be),
                                       cmocka_unit_test(failures_come_back_behind_the_others),
                                       cmocka_unit_test(strict_order_holds_the_others_up),
                                       cmocka_unit_test(messages_refused_for_good_are_dead_letters),
                                       cmocka_unit_test(dead_letters_are_sent_on),
                                       cmocka_unit_test(producers_may_wait_for_the_delivery),
                                       cmocka_unit_test(messages_expire),
                                       cmocka_unit_test(a_full_queue_turns_messages_away),
                                       cmocka_unit_test(producers_may_withdraw_what_waits),
                                       cmocka_unit_test(strict_order_goes_on_after_a_withdrawal),
                                       cmocka_unit_test(a_durable_queue_goes_on_after_a_crash),
                                       cmocka_unit_test(messages_age_while_the_queue_is_down),
                                       cmocka_unit_test(dead_letters_outlive_a_crash),
                                       cmocka_unit_test(mistakes_are_named),
                                       cmocka_unit_test(nothing_is_lost_in_studies_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
