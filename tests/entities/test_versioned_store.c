/* SPDX-License-Identifier: Apache-2.0
 *
 * Which writes a versioned store takes and which it refuses, and that it counts every one.
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
#include "support/trial.h"

#define READ(at, number)  "[" #at ", " #number "]"
#define WRITE(at, number) "[" #at ", " #number ", ask, 1, 0, PUT]"

static void run(struct trial *t, const char *steps, const char *keys, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: store, steps: [%s]}\n"
               "  store: {type: versioned_store%s}\n%s\n",
               steps, keys, rest);
    trial_run(t, 0);
}

static uint64_t counter(const struct trial *t, const char *name)
{
    char stat[64];
    snprintf(stat, sizeof stat, "store.%s", name);
    return trial_counter(t, stat);
}

static bool adds_up(const struct trial *t)
{
    uint64_t writes = counter(t, "writes");
    return counter(t, "requests_received") == counter(t, "reads") + writes &&
           writes == counter(t, "writes_committed") + counter(t, "conflicts") &&
           counter(t, "reads") == counter(t, "versions_replaced") + writes -
                                      counter(t, "writes_unread") + counter(t, "versions_expired") +
                                      (uint64_t)trial_level(t, "store.versions_held");
}

/* Of two that have read the same, the first to write does, and the other one reads again. */
static void the_first_write_wins(void **state)
{
    (void)state;
    struct trial t;
    run(&t,
        READ(1s, 1) "," READ(2s, 2) "," WRITE(3s, 2) "," WRITE(4s, 1) "," READ(5s, 1) "," WRITE(6s,
                                                                                                1),
        "", "");
    asker_assert_replies(&t, "users", 6,
                         (struct asker_reply[]){{S(1), 1, 200},
                                                {S(2), 2, 200},
                                                {S(3), 2, 200},
                                                {S(4), 1, 409},
                                                {S(5), 1, 200},
                                                {S(6), 1, 200}});
    assert_int_equal(counter(&t, "writes_committed"), 2);
    assert_int_equal(counter(&t, "conflicts"), 1);
    assert_int_equal(counter(&t, "writes_unread"), 0);
    struct hist_counts age = {.total = 0};
    trial_histogram(&t, "store.version_age", &age);
    assert_int_equal(age.sum, S(1) + S(3) + S(1));
    assert_int_equal(trial_integral(&t, "store.versions_held"), S(5));
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* A write that comes twice finds its row changed, by itself; one that has read nothing, too. */
static void a_write_needs_a_read_of_its_own(void **state)
{
    (void)state;
    struct trial t;
    run(&t, READ(1s, 1) "," WRITE(2s, 1) "," WRITE(3s, 1) "," WRITE(4s, 2), "", "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{S(1), 1, 200}, {S(2), 1, 200}, {S(3), 1, 409}, {S(4), 2, 409}});
    assert_int_equal(counter(&t, "writes_unread"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* The last read is the one that counts, and HEAD and OPTIONS are reads like GET. */
static void a_read_replaces_the_one_before(void **state)
{
    (void)state;
    struct trial t;
    run(&t,
        READ(1s, 1) "," READ(1s, 2) "," WRITE(2s, 2) ", [3s, 1, ask, 1, 0, HEAD],"
                                                     "[4s, 1, ask, 1, 0, OPTIONS],"
                                                     "[5s, 1, ask, 1, 0, DELETE]",
        "", "");
    assert_int_equal(counter(&t, "reads"), 4);
    assert_int_equal(counter(&t, "versions_replaced"), 2);
    assert_int_equal(counter(&t, "writes_committed"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* A version is good up to its time to live, and not a nanosecond longer. */
static void versions_expire(void **state)
{
    (void)state;
    struct trial t;
    run(&t, READ(1s, 1) "," READ(2s, 2) "," WRITE(3s, 1) "," WRITE(4.000000001s, 2),
        ", rows: 1000000, version_ttl: 2s", "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{S(1), 1, 200}, {S(2), 2, 200}, {S(3), 1, 200}, {S(4) + 1, 2, 409}});
    assert_int_equal(counter(&t, "versions_expired"), 1);
    assert_int_equal(counter(&t, "writes_unread"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* What comes while it is down vanishes; versions, and what was read, stay. */
static void a_crash_loses_no_version(void **state)
{
    (void)state;
    struct trial t;
    run(&t,
        READ(1s, 1) "," READ(1s, 2) "," WRITE(2s, 1) "," WRITE(4s, 1) "," WRITE(6s, 2) "," READ(
            7s, 2) "," WRITE(8s, 2),
        "", "timeline: [{crash: store, at: 3s, for: 2s}]\n");
    asker_assert_replies(&t, "users", 6,
                         (struct asker_reply[]){{S(1), 1, 200},
                                                {S(1), 2, 200},
                                                {S(2), 1, 200},
                                                {S(6), 2, 409},
                                                {S(7), 2, 200},
                                                {S(8), 2, 200}});
    assert_int_equal(counter(&t, "requests_missed"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* n requests that have all read, of which all write: one a row goes well. */
static void requests_spread_over_rows(void **state)
{
    (void)state;
    static const struct {
        int rows;
        double mean, variance; /* of the rows hit by 200 requests, each on its own */
    } cases[] = {{1, 1, 0}, {100, 86.602, 9.9}, {100000, 199.8, 0.2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trial t;
        double sum = 0.0;
        trial_open(&t,
                   "squall: 1\n"
                   "duration: 5s\n"
                   "entities:\n"
                   "  users: {type: client, count: 200, target: both, arrivals: {times: [0s]}}\n"
                   "  both:\n"
                   "    type: saga\n"
                   "    steps:\n"
                   "      - action: {target: store, method: GET}\n"
                   "      - action: {target: store, method: PUT}\n"
                   "  store: {type: versioned_store, rows: %d}\n"
                   "network: [{from: both, latency: 1s}]\n",
                   cases[i].rows);
        for (uint64_t n = 0; n < 50; n++) {
            trial_run(&t, n);
            assert_int_equal(counter(&t, "writes"), 200);
            assert_true(adds_up(&t));
            sum += (double)counter(&t, "writes_committed");
        }
        double off = sum / 50.0 - cases[i].mean;
        assert_true(off * off <= 3.5 * 3.5 * cases[i].variance / 50.0 + 1e-9);
        trial_close(&t);
    }
}

/* Reads and writes that are lost, repeated, late and hedged; the store down for a while. */
static void every_request_is_counted_in_studies_at_random(void **state)
{
    (void)state;
    uint64_t conflicts = 0, replaced = 0, expired = 0, unread = 0;
    for (uint64_t n = 0; n < 200; n++) {
        char text[8192];
        struct draft d;
        struct trial t;
        draft_begin(&d, n, 40, text, sizeof text);
        draft_add(&d, "squall: 1\nduration: 3s\nentities:\n"
                      "  users: {type: client, target: both, arrivals: {poisson: 100/s}, call: {");
        draft_plain_call(&d);
        draft_add(&d, "}}\n  both:\n    type: saga\n    steps:\n"
                      "      - {action: {target: store, method: GET, ");
        draft_call(&d);
        draft_add(&d, "}}\n      - {action: {target: store, method: PUT, ");
        draft_call(&d);
        draft_add(&d,
                  "}}\n  store: {type: versioned_store, rows: %u, version_ttl: %ums}\n"
                  "network: [{from: both, latency: {exponential: %ums}, loss: %u%%}]\n"
                  "timeline: [{crash: store, at: %ums, for: 300ms}]\n",
                  1 + draft_below(&d, 10), 1 + draft_below(&d, 500), 1 + draft_below(&d, 20),
                  draft_below(&d, 20), 200 + draft_below(&d, 2000));
        trial_open(&t, "%s", text);
        trial_run(&t, n);
        if (!adds_up(&t) || counter(&t, "writes_unread") > counter(&t, "conflicts")) {
            puts(text);
            fail_msg("study %" PRIu64 " does not add up", n);
        }
        conflicts += counter(&t, "conflicts");
        replaced += counter(&t, "versions_replaced");
        expired += counter(&t, "versions_expired");
        unread += counter(&t, "writes_unread");
        trial_close(&t);
    }
    assert_true(conflicts > 1000 && replaced > 100 && expired > 100 && unread > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_write_wins),
        cmocka_unit_test(a_write_needs_a_read_of_its_own),
        cmocka_unit_test(a_read_replaces_the_one_before),
        cmocka_unit_test(versions_expire),
        cmocka_unit_test(a_crash_loses_no_version),
        cmocka_unit_test(requests_spread_over_rows),
        cmocka_unit_test(every_request_is_counted_in_studies_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
