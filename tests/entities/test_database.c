/* SPDX-License-Identifier: Apache-2.0
 *
 * When a database answers, to the nanosecond, and that it loses no transaction, connection or row.
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
#include "support/claim.h"
#include "support/draft.h"
#include "support/probe.h"
#include "support/reading.h"
#include "support/trial.h"

static void run(struct trial *t, const char *steps, const char *database, const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: db, kinds: [any, report], steps: [%s]}\n"
               "  db: {type: database%s}\n%s\n",
               steps, database, rest);
    trial_run(t, 0);
}

static uint64_t counter(const struct trial *t, const char *name)
{
    char stat[64];
    snprintf(stat, sizeof stat, "db.%s", name);
    return trial_counter(t, stat);
}

static uint64_t level(const struct trial *t, const char *name)
{
    char stat[64];
    snprintf(stat, sizeof stat, "db.%s", name);
    return (uint64_t)trial_level(t, stat);
}

static bool adds_up(const struct trial *t)
{
    uint64_t open = level(t, "open_transactions"), begun = counter(t, "transactions_begun");
    return counter(t, "requests_received") ==
               begun + counter(t, "timeouts") + counter(t, "failures") + counter(t, "given_up") +
                   counter(t, "waiting_lost") + level(t, "waiting") &&
           begun == counter(t, "transactions_committed") + counter(t, "transactions_failed") +
                        counter(t, "lock_timeouts") + counter(t, "transactions_aborted") +
                        counter(t, "transactions_lost") + open &&
           level(t, "active") == open &&
           counter(t, "connections_created") ==
               counter(t, "connections_closed") + open + level(t, "idle");
}

/* The golden vector: 10 ms for the connection, 5 ms a query, 10 ms for the commit. The second
 * request finds the connection there. */
static void a_transaction_takes_its_parts(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [2s, 2]", "", "");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1.025), 1, 200}, {S(2.015), 2, 200}});
    assert_int_equal(trial_integral(&t, "db.open_transactions"), S(0.03));
    assert_int_equal(counter(&t, "queries"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
    run(&t, "[1s, 1], [2s, 2]",
        ", connection_latency: 0s, transaction: {queries: 4, query_time: 1ms, commit_time: 3ms}",
        "");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1.007), 1, 200}, {S(2.007), 2, 200}});
    trial_close(&t);
}

/* Of another kind, and it only reads. */
static void kinds_of_requests_have_transactions_of_their_own(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [2s, 2, ask, 1, 1]",
        ", connection_latency: 0s, kinds: {report: {queries: 20, query_time: 50ms, read_only: "
        "true}}",
        "");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1.015), 1, 200}, {S(3), 2, 200}});
    assert_int_equal(counter(&t, "queries"), 21);
    trial_close(&t);
}

/* Two connections for four: the third waits for the first one's end, the fourth for that of the
 * second. */
static void connections_are_waited_for(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1.001s, 2], [1.002s, 3], [1.003s, 4]",
        ", max_connections: 2, connection_latency: 0s, connection_timeout: 14ms, "
        "transaction: {query_time: 5ms}",
        "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {S(1.015), 1, 200}, {S(1.016), 2, 200}, {S(1.03), 3, 200}, {S(1.031), 4, 200}});
    trial_close(&t);
    run(&t, "[1s, 1], [1.001s, 2], [1.002s, 3], [1.003s, 4]",
        ", max_connections: 1, connection_latency: 0s, connection_timeout: 20ms", "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {S(1.015), 1, 200}, {S(1.022), 3, 597}, {S(1.023), 4, 597}, {S(1.03), 2, 200}});
    assert_int_equal(counter(&t, "timeouts"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* After the first of three queries, as all fail. Reads have nothing to undo. */
static void what_fails_is_rolled_back(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [2s, 2, ask, 1, 1]",
        ", connection_latency: 0s, transaction: {queries: 3, failure_rate: 100%}, kinds: {report: "
        "{queries: 3, failure_rate: 100%, read_only: true}}, failure_status: 503",
        "");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1.01), 1, 503}, {S(2.005), 2, 503}});
    assert_int_equal(counter(&t, "queries"), 2);
    assert_int_equal(counter(&t, "transactions_failed"), 2);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* One row: writers go one after the other, whoever reads does not wait. */
static void writers_wait_for_their_row(void **state)
{
    (void)state;
    static const char steps[] = "[1s, 1], [1s, 2], [1.001s, 3], [1.002s, 4, ask, 1, 1]";
    static const char keys[] = ", rows: 1, connection_latency: 0s, kinds: {report: {read_only: "
                               "true}}, lock_timeout: ";
    char all[256];
    struct trial t;
    snprintf(all, sizeof all, "%snone", keys);
    run(&t, steps, all, "");
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {S(1.007), 4, 200}, {S(1.015), 1, 200}, {S(1.03), 2, 200}, {S(1.045), 3, 200}});
    struct hist_counts wait = {.total = 0};
    trial_histogram(&t, "db.lock_wait_time", &wait);
    assert_int_equal(wait.sum, S(0.015) + S(0.029));
    assert_int_equal(trial_integral(&t, "db.lock_waits"), S(0.015) + S(0.029));
    assert_true(adds_up(&t));
    trial_close(&t);
    /* The third waits for 20 ms, then 5 ms to undo nothing. The row is the second one's still. */
    snprintf(all, sizeof all, "%s20ms", keys);
    run(&t, "[1s, 1], [1s, 2], [1.001s, 3], [1.002s, 4, ask, 1, 1], [1.027s, 5]", all, "");
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(1.007), 4, 200},
                                                {S(1.015), 1, 200},
                                                {S(1.026), 3, 500},
                                                {S(1.03), 2, 200},
                                                {S(1.045), 5, 200}});
    assert_int_equal(counter(&t, "lock_timeouts"), 1);
    assert_true(adds_up(&t));
    trial_close(&t);
}

/* 1 makes a query, 2 commits, 3 waits for its row and 4 for a connection, when all give up. */
static void what_is_given_up_is_rolled_back(void **state)
{
    (void)state;
    static const char steps[] =
        "[1s, 2], [1.006s, 3], [1.007s, 1, ask, 1, 1], [1.008s, 4], [1.009s, 4, cancel], "
        "[1.009s, 1, cancel], [1.009s, 2, cancel], [1.009s, 3, cancel]";
    static const struct {
        const char *on_cancel;
        uint32_t replies;
        uint64_t committed, aborted, given_up;
        sim_time open; /* [ns] */
    } cases[] = {
        {"ignore", 4, 4, 0, 0, S(0.015) + S(0.024) + S(0.005) + S(0.033)},
        {"dequeue", 3, 3, 0, 1, S(0.015) + S(0.024) + S(0.005)},
        /* 3 takes 5 ms to undo nothing, 1 none as it only reads */
        {"abort", 0, 1, 2, 1, S(0.015) + S(0.008) + S(0.002)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char keys[256];
        struct trial t;
        snprintf(keys, sizeof keys,
                 ", rows: 1, max_connections: 3, connection_latency: 0s, kinds: {report: "
                 "{read_only: true}}, on_cancel: %s",
                 cases[i].on_cancel);
        run(&t, steps, keys, "");
        assert_int_equal(trial_counter(&t, "users.replies_received"), cases[i].replies);
        assert_int_equal(counter(&t, "transactions_committed"), cases[i].committed);
        assert_int_equal(counter(&t, "transactions_aborted"), cases[i].aborted);
        assert_int_equal(counter(&t, "given_up"), cases[i].given_up);
        assert_int_equal(trial_integral(&t, "db.open_transactions"), cases[i].open);
        assert_true(adds_up(&t));
        trial_close(&t);
    }
}

/* The connection of a transaction that was given up is closed after the rollback, if it says so. */
static void connections_may_be_poisoned(void **state)
{
    (void)state;
    static const char *const poison[] = {"reuse", "close"};
    for (int i = 0; i < 2; i++) {
        char keys[128];
        struct trial t;
        snprintf(keys, sizeof keys, ", max_connections: 1, on_cancel: abort, poison_on_timeout: %s",
                 poison[i]);
        run(&t, "[1s, 1], [1.012s, 1, cancel], [1.013s, 2]", keys, "");
        asker_assert_replies(&t, "users", 1,
                             (struct asker_reply[]){{S(1.032) + i * S(0.01), 2, 200}});
        assert_int_equal(counter(&t, "connections_closed"),
                         i + 1); /* the last one for being idle */
        assert_true(adds_up(&t));
        trial_close(&t);
    }
}

/* A crash closes connections, unlocks rows, and forgets who waits. */
static void a_crash_forgets_everything(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1], [1s, 2], [1s, 3], [1.5s, 4], [3s, 5]",
        ", rows: 1, max_connections: 2, transaction: {query_time: 1s}",
        "timeline: [{crash: db, at: 1.1s, for: 1s}]\n");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(4.02), 5, 200}});
    assert_int_equal(counter(&t, "requests_lost"), 3);
    assert_int_equal(counter(&t, "transactions_lost"), 2);
    assert_int_equal(counter(&t, "requests_missed"), 1);
    assert_int_equal(level(&t, "lock_waits"), 0);
    assert_true(adds_up(&t));
    trial_close(&t);
}

static void slow_databases_take_longer(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 1]", ", connection_latency: 0s",
        "timeline: [{slow: db, factor: 10, at: 1s, for: 20ms}]\n");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(1.06), 1, 200}});
    trial_close(&t);
}

/* A database of one row and writers only is a queue with one server: M/D/1, of load 1/2 here; the
 * mean wait for the row is half the service. One connection in place of one row does the same. */
static void one_row_is_a_queue(void **state)
{
    (void)state;
    static const char *const keys[] = {"rows: 1, max_connections: unlimited, idle_timeout: none",
                                       "max_connections: 1, connection_timeout: none"};
    static const char *const waits[] = {"db.lock_waits", "db.pending"};
    for (int i = 0; i < 2; i++) {
        struct trial t;
        trial_open(&t,
                   "squall: 1\nduration: 3000s\nwarmup: 50s\nentities:\n"
                   "  users: {type: client, target: db, arrivals: {poisson: 50/s}}\n"
                   "  db: {type: database, transaction: {query_time: 4ms, commit_time: 6ms}, "
                   "connection_latency: 0s, %s}\n",
                   keys[i]);
        claims_hold(waits[i], &t,
                    (struct claim[]){CLAIM_MEAN("db.sojourn_time", 0.015, 0.01),
                                     CLAIM_LEVEL(waits[i], 0.25, 0.03), CLAIMS_END});
        trial_close(&t);
    }
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *said;
    } cases[] = {{"lock_timeout: 1s", "needs rows to lock"},
                 {"min_connections: 200", "exceeds max_connections"},
                 {"transaction: {queries: 0}", "queries"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512], *messages;
        snprintf(text, sizeof text,
                 "squall: 1\nduration: 1s\nentities:\n  db: {type: database, %s}\n", cases[i].keys);
        assert_null(reading(probe_registry(), text, &messages));
        assert_non_null(strstr(messages, cases[i].said));
        free(messages);
    }
}

/* Everything at once, for two seconds; then all must have ended. */
static void nothing_is_lost_in_studies_at_random(void **state)
{
    (void)state;
    static const char *const happens[] = {"transactions_committed",
                                          "transactions_failed",
                                          "lock_timeouts",
                                          "transactions_aborted",
                                          "transactions_lost",
                                          "timeouts",
                                          "failures",
                                          "given_up"};
    enum { HAPPENS = sizeof happens / sizeof happens[0] };
    static const char *const cancels[] = {"ignore", "dequeue", "abort"};
    uint64_t sum[HAPPENS] = {0};
    for (uint64_t n = 0; n < 300; n++) {
        char text[8192];
        struct draft d;
        struct trial t;
        draft_begin(&d, n, 42, text, sizeof text);
        draft_add(&d, "squall: 1\nduration: 60s\nentities:\n"
                      "  users:\n    type: client\n    target: db\n"
                      "    arrivals: {poisson: {steps: [[0s, 300/s], [2s, 0/s]]}}\n    call: {");
        draft_plain_call(&d);
        draft_add(&d,
                  ", cancel: [losers, timeouts]}\n  db:\n    type: database\n"
                  "    max_connections: %u\n    connection_latency: {exponential: 5ms}\n"
                  "    connection_timeout: %ums\n    connect_failure_rate: %u%%\n"
                  "    poison_on_timeout: %s\n    on_cancel: %s\n"
                  "    transaction: {queries: %u, query_time: {exponential: 2ms}, "
                  "failure_rate: 5%%, read_only: %s}\n",
                  1 + draft_below(&d, 12), 1 + draft_below(&d, 100), draft_below(&d, 20),
                  draft_once_in(&d, 2) ? "reuse" : "close", DRAFT_ONE_OF(&d, cancels),
                  1 + draft_below(&d, 5), draft_once_in(&d, 4) ? "true" : "false");
        if (draft_once_in(&d, 2)) {
            draft_add(&d, "    rows: %u\n    lock_timeout: %ums\n", 1 + draft_below(&d, 10),
                      1 + draft_below(&d, 50));
        }
        draft_add(&d,
                  "network: [{latency: 1ms, loss: %u%%}]\n"
                  "timeline: [{crash: db, at: %ums, for: 300ms}]\n",
                  draft_below(&d, 5), 200 + draft_below(&d, 1500));
        trial_open(&t, "%s", text);
        trial_begin(&t, n, S(1.9));
        bool good = adds_up(&t);
        trial_end(&t);
        if (!good || !adds_up(&t) || level(&t, "waiting") || level(&t, "open_transactions") ||
            level(&t, "lock_waits") || level(&t, "in_progress")) {
            puts(text);
            fail_msg("study %" PRIu64 " loses transactions", n);
        }
        for (int i = 0; i < HAPPENS; i++) {
            sum[i] += counter(&t, happens[i]);
        }
        trial_close(&t);
    }
    for (int i = 0; i < HAPPENS; i++) {
        print_message("%s: %" PRIu64 "\n", happens[i], sum[i]);
        assert_true(sum[i] > 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_takes_its_parts),
        cmocka_unit_test(kinds_of_requests_have_transactions_of_their_own),
        cmocka_unit_test(connections_are_waited_for),
        cmocka_unit_test(what_fails_is_rolled_back),
        cmocka_unit_test(writers_wait_for_their_row),
        cmocka_unit_test(what_is_given_up_is_rolled_back),
        cmocka_unit_test(connections_may_be_poisoned),
        cmocka_unit_test(a_crash_forgets_everything),
        cmocka_unit_test(slow_databases_take_longer),
        cmocka_unit_test(one_row_is_a_queue),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(nothing_is_lost_in_studies_at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
