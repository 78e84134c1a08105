/* SPDX-License-Identifier: Apache-2.0
 *
 * What a cache answers, what it asks its target for, and when, to the nanosecond. Of a thousand
 * million keys no two requests have the same, and all attempts of a request have: where the key
 * matters, another attempt is another request for the same key. In what order entries are evicted
 * has a test of its own (unit/test_cache_table).
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

#define DISTINCT "keys: {count: 1000000000, law: uniform}, "

static uint64_t count(const struct trial *t, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "near.%s", stat);
    return trial_counter(t, name);
}

static uint64_t level(const struct trial *t, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "near.%s", stat);
    return (uint64_t)trial_level(t, name);
}

/* Where each request, fetch and entry is, or how it ended. */
static void assert_balance(const struct trial *t)
{
    uint64_t fetches = count(t, "misses") - count(t, "coalesced") + count(t, "refreshes");
    assert_int_equal(count(t, "requests_received"),
                     count(t, "hits") + count(t, "stale_hits") + count(t, "negative_hits") +
                         count(t, "misses") + count(t, "writes_received"));
    assert_int_equal(count(t, "requests_received"),
                     count(t, "requests_answered") + count(t, "cancels_received") +
                         count(t, "requests_lost") + level(t, "in_progress"));
    assert_int_equal(count(t, "fetches"), fetches);
    assert_int_equal(fetches, count(t, "fetch_successes") + count(t, "negative_answers") +
                                  count(t, "fetch_failures") + count(t, "fetches_given_up") +
                                  count(t, "fetches_lost") + level(t, "fetches_in_flight"));
    assert_int_equal(count(t, "downstream_logical_requests"),
                     fetches + count(t, "writes_received"));
    assert_int_equal(count(t, "stale_hits"),
                     count(t, "refreshes") + count(t, "refreshes_coalesced"));
    assert_int_equal(count(t, "entries_stored"), count(t, "evictions") + count(t, "expirations") +
                                                     count(t, "invalidations") +
                                                     count(t, "entries_lost") + level(t, "size"));
}

static void run(struct trial *t, const char *steps, const char *cache, const char *answers,
                const char *rest)
{
    char keys[1024];
    snprintf(keys, sizeof keys, DISTINCT "%s", cache);
    asker_open(t, steps, "near", "cache", keys, answers, rest);
    trial_run(t, 0);
    assert_balance(t);
}

/* Fails unless these are the replies to the asker, and the target was asked at these times [ns]. */
static void assert_answers(const struct trial *t, uint32_t n, const struct asker_reply *replies,
                           uint32_t visits, const sim_time *at)
{
    asker_assert_replies(t, "users", n, replies);
    probe_assert_times(t, "far", visits, at);
}

/* --- hits and misses --------------------------------------------------------------------- */

static void what_was_fetched_once_is_there(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 1, ask, 2], [2s, 2], [3s, 1, ask, 3]", "", "{after: 0.5s}", "");
    assert_answers(
        &t, 4,
        (struct asker_reply[]){
            {S(0.5), 1, 200}, {S(1.0001), 1, 200}, {S(2.5), 2, 200}, {S(3.0001), 1, 200}},
        2, (sim_time[]){0, S(2)});
    assert_int_equal(count(&t, "hits"), 2);
    assert_int_equal(count(&t, "misses"), 2);
    assert_int_equal(level(&t, "size"), 2);
    struct hist_counts all = {.total = 0}, hits = {.total = 0}, misses = {.total = 0};
    trial_histogram(&t, "near.latency", &all);
    trial_histogram(&t, "near.hit_latency", &hits);
    trial_histogram(&t, "near.miss_latency", &misses);
    assert_int_equal(hits.sum, S(0.0002));
    assert_int_equal(misses.sum, S(1));
    assert_int_equal(all.sum, S(1.0002));
    trial_close(&t);
    run(&t, "[0s, 1], [1s, 1, ask, 2]", "hit_time: 0s", "{after: 0.5s, status: 203}", "");
    assert_answers(&t, 2, (struct asker_reply[]){{S(0.5), 1, 203}, {S(1), 1, 203}}, 1,
                   (sim_time[]){0});
    trial_close(&t);
}

/* What is asked for in the very instant of the answer comes after it. */
static void a_full_cache_makes_room(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [1s, 2], [2s, 1, ask, 2], [3s, 3], [4s, 1, ask, 3], "
                        "[5s, 2, ask, 2]";
    run(&t, steps, "capacity: 2", "{after: 0s}", "");
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(1), S(3), S(5)});
    assert_int_equal(count(&t, "evictions"), 2);
    trial_close(&t);
    run(&t, steps, "capacity: 2, eviction: fifo", "{after: 0s}", "");
    probe_assert_times(&t, "far", 5, (sim_time[]){0, S(1), S(3), S(4), S(5)});
    assert_int_equal(level(&t, "size"), 2);
    assert_int_equal(count(&t, "evictions"), 3);
    trial_close(&t);
    run(&t, steps, "capacity: unlimited, eviction: 2q", "{after: 0s}", "");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(1), S(3)});
    trial_close(&t);
}

static void it_may_be_warm_at_the_start(void **state)
{
    (void)state;
    struct trial t;
    asker_open(&t, "[0s, 1], [1s, 2], [2s, 3]", "near", "cache", "keys: {count: 2}, preload: 2",
               "{after: 1s}", "");
    trial_run(&t, 0);
    assert_answers(
        &t, 3,
        (struct asker_reply[]){{S(0.0001), 1, 200}, {S(1.0001), 2, 200}, {S(2.0001), 3, 200}}, 0,
        NULL);
    assert_int_equal(count(&t, "entries_stored"), 2);
    trial_close(&t);
    run(&t, "[0s, 1]", "capacity: 3, preload: 3", "{after: 0s}", "");
    assert_int_equal(count(&t, "misses"), 1);
    assert_int_equal(count(&t, "evictions"), 1);
    trial_close(&t);
}

/* --- times ------------------------------------------------------------------------------- */

static void entries_live_as_long_as_their_ttl(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [10.499999999s, 1, ask, 2], [10.5s, 1, ask, 3], "
                        "[20.9s, 1, ask, 4], [21s, 1, ask, 5], [30.9s, 1, ask, 6]";
    /* Written at 0.5 s and 11 s: gone at 10.5 s and 21 s. */
    run(&t, steps, "ttl: 10s", "{after: 0.5s}", "");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(10.5), S(21)});
    assert_int_equal(count(&t, "expirations"), 2);
    trial_close(&t);
    /* Used at 10.499999999, 10.5, 20.9, 21 and 30.9 s. */
    run(&t, steps, "ttl: 10.400000001s, ttl_reset_on_access: true", "{after: 0.5s}", "");
    probe_assert_times(&t, "far", 1, (sim_time[]){0});
    trial_close(&t);
    run(&t, steps, "ttl: 10.4s, ttl_reset_on_access: true", "{after: 0.5s}", "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(20.9)});
    trial_close(&t);
    run(&t, "[0s, 1], [10s, 1, ask, 2], [20s, 1, ask, 3]", "ttl: 10s, ttl_reset_on_access: true",
        "{after: 0s}", "");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(10), S(20)});
    trial_close(&t);
    /* Those whose time is up make room before others do. */
    run(&t, "[0s, 1], [4s, 2], [9s, 1, ask, 2], [10s, 3], [11s, 2, ask, 2]",
        "ttl: 10s, capacity: 2", "{after: 0s}", "");
    assert_int_equal(count(&t, "evictions"), 0);
    assert_int_equal(count(&t, "expirations"), 1);
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(4), S(10)});
    trial_close(&t);
}

static void what_is_stale_is_fetched_in_the_background(void **state)
{
    (void)state;
    struct trial t;
    /* Written at 1, 7 and 14 s. */
    run(&t,
        "[0s, 1], [5.999999999s, 1, ask, 2], [6s, 1, ask, 3], [6.5s, 1, ask, 4], "
        "[11.9s, 1, ask, 5], [13s, 1, ask, 6], [24.5s, 1, ask, 7]",
        "soft_ttl: 5s, ttl: 10s", "{after: 1s}", "");
    assert_answers(&t, 7,
                   (struct asker_reply[]){{S(1), 1, 200},
                                          {S(6.000099999), 1, 200},
                                          {S(6.0001), 1, 200},
                                          {S(6.5001), 1, 200},
                                          {S(11.9001), 1, 200},
                                          {S(13.0001), 1, 200},
                                          {S(25.5), 1, 200}},
                   4, (sim_time[]){0, S(6), S(13), S(24.5)});
    assert_int_equal(count(&t, "hits"), 2);
    assert_int_equal(count(&t, "stale_hits"), 3);
    assert_int_equal(count(&t, "refreshes"), 2);
    assert_int_equal(count(&t, "refreshes_coalesced"), 1);
    assert_int_equal(count(&t, "entries_renewed"), 2);
    assert_int_equal(count(&t, "expirations"), 1);
    trial_close(&t);
    /* A refresh that fails leaves the entry as it is, and the next one begins another. When it is
     * gone at last, who asks joins what is under way. */
    run(&t, "[0s, 1], [6s, 1, ask, 2], [8s, 1, ask, 3], [10.5s, 1, ask, 4], [11s, 1, ask, 5]",
        "soft_ttl: 5s, ttl: 11s",
        "{after: 0s}, {after: 1s, status: 500}, {after: 1s, status: 500}, {after: 1s}", "");
    assert_answers(&t, 5,
                   (struct asker_reply[]){{0, 1, 200},
                                          {S(6.0001), 1, 200},
                                          {S(8.0001), 1, 200},
                                          {S(10.5001), 1, 200},
                                          {S(11.5), 1, 200}},
                   4, (sim_time[]){0, S(6), S(8), S(10.5)});
    assert_int_equal(count(&t, "fetch_failures"), 2);
    assert_int_equal(count(&t, "coalesced"), 1);
    trial_close(&t);
}

static void what_does_not_exist_is_remembered(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [2s, 1, ask, 2], [5.999999999s, 1, ask, 3], [6s, 1, ask, 4], "
                        "[8s, 1, ask, 5]";
    const char *answers = "{after: 1s, status: 404}, {after: 1s}";
    run(&t, steps, "negative_ttl: 5s", answers, "");
    assert_answers(&t, 5,
                   (struct asker_reply[]){{S(1), 1, 404},
                                          {S(2.0001), 1, 404},
                                          {S(6.000099999), 1, 404},
                                          {S(7), 1, 200},
                                          {S(8.0001), 1, 200}},
                   2, (sim_time[]){0, S(6)});
    assert_int_equal(count(&t, "negative_hits"), 2);
    assert_int_equal(count(&t, "negative_answers"), 1);
    assert_int_equal(count(&t, "fetch_failures"), 0);
    trial_close(&t);
    run(&t, steps, "", answers, "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(2)});
    assert_int_equal(count(&t, "fetch_failures"), 1);
    trial_close(&t);
    run(&t, steps, "negative_ttl: 5s, negative_statuses: [410]", answers, "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(2)});
    trial_close(&t);
}

/* --- fetches ----------------------------------------------------------------------------- */

static void misses_of_a_key_share_a_fetch(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.2s, 1, ask, 2], [0.4s, 2], [0.6s, 1, ask, 3]";
    run(&t, steps, "", "{after: 1s}", "");
    assert_answers(
        &t, 4,
        (struct asker_reply[]){{S(1), 1, 200}, {S(1), 1, 200}, {S(1), 1, 200}, {S(1.4), 2, 200}}, 2,
        (sim_time[]){0, S(0.4)});
    assert_int_equal(count(&t, "coalesced"), 2);
    assert_int_equal(trial_integral(&t, "near.fetches_in_flight"), S(2));
    trial_close(&t);
    run(&t, steps, "coalesce: false", "{after: 1s}", "");
    assert_answers(&t, 4,
                   (struct asker_reply[]){
                       {S(1), 1, 200}, {S(1.2), 1, 200}, {S(1.4), 2, 200}, {S(1.6), 1, 200}},
                   4, (sim_time[]){0, S(0.2), S(0.4), S(0.6)});
    assert_int_equal(count(&t, "entries_renewed"), 2);
    trial_close(&t);
}

/* Whoever waits hears of the end of the fetch's call, after its timeouts and retries; the next one
 * tries again. */
static void all_hear_that_a_fetch_has_failed(void **state)
{
    (void)state;
    struct trial t;
    const char *call = "call: {timeout: 1s, retry: {kind: fixed, max_attempts: 2, delay: 0.5s}}";
    run(&t, "[0s, 1], [2s, 1, ask, 2], [10s, 1, ask, 3], [20s, 1, ask, 4], [30s, 2]", call,
        "{after: none}, {after: none}, {after: none}, {after: 0.25s}, {status: 403}", "");
    assert_answers(&t, 5,
                   (struct asker_reply[]){{S(2.5), 1, 504},
                                          {S(2.5), 1, 504},
                                          {S(11.75), 1, 200},
                                          {S(20.0001), 1, 200},
                                          {S(30), 2, 403}},
                   5, (sim_time[]){0, S(1.5), S(10), S(11.5), S(30)});
    assert_int_equal(count(&t, "fetch_failures"), 2);
    assert_int_equal(count(&t, "downstream_retries"), 2);
    trial_close(&t);
}

static void old_answers_stand_in_for_failures(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [12s, 1, ask, 2], [12.5s, 1, ask, 3], [15s, 1, ask, 4], "
                        "[20s, 1, ask, 5]";
    const char *answers = "{after: 0s, status: 203}, {after: 1s, status: 500}";
    run(&t, steps, "ttl: 10s, stale_if_error: 6s", answers, "");
    /* The fetch of 15 s has failed at 16 s, when the time of the old answer is up. */
    assert_answers(
        &t, 5,
        (struct asker_reply[]){
            {0, 1, 203}, {S(13), 1, 203}, {S(13), 1, 203}, {S(16), 1, 500}, {S(21), 1, 500}},
        4, (sim_time[]){0, S(12), S(15), S(20)});
    assert_int_equal(count(&t, "stale_on_error"), 2);
    assert_int_equal(count(&t, "hits"), 0);
    assert_int_equal(count(&t, "expirations"), 1);
    trial_close(&t);
    /* What is fetched in time is a new entry. */
    run(&t, steps, "ttl: 10s, stale_if_error: 6s", "{after: 0s}", "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(12)});
    assert_int_equal(count(&t, "expirations"), 1);
    assert_int_equal(count(&t, "entries_stored"), 2);
    trial_close(&t);
    run(&t, "[0s, 1], [9.999999999s, 1, ask, 2], [10s, 1, ask, 3]", "ttl: 10s, stale_if_error: 6s",
        "{after: 0s}", "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(10)});
    trial_close(&t);
}

/* --- writes ------------------------------------------------------------------------------ */

#define KINDS "  other: {type: asker, target: near, kinds: [any, put], steps: [%s]}\n"

static void run_writes(struct trial *t, const char *cache, const char *answers)
{
    char rest[512];
    snprintf(rest, sizeof rest, KINDS,
             "[0s, 1], [2s, 1, ask, 2, 1], [4s, 1, ask, 3], [6s, 1, ask, 4, 1], [8s, 1, ask, 5]");
    run(t, "", cache, answers, rest);
}

static void writes_go_through(void **state)
{
    (void)state;
    struct trial t;
    run_writes(&t, "writes: [put]", "{after: 1s}");
    asker_assert_replies(
        &t, "other", 5,
        (struct asker_reply[]){
            {S(1), 1, 200}, {S(3), 1, 200}, {S(5), 1, 200}, {S(7), 1, 200}, {S(9), 1, 200}});
    assert_int_equal(count(&t, "invalidations"), 2);
    assert_int_equal(count(&t, "writes_received"), 2);
    assert_int_equal(count(&t, "misses"), 3);
    trial_close(&t);
    run_writes(&t, "writes: [put], on_write: write_through", "{after: 1s}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(2), S(6)});
    assert_int_equal(count(&t, "hits"), 2);
    assert_int_equal(count(&t, "entries_renewed"), 2);
    trial_close(&t);
    /* What has failed has changed nothing. */
    run_writes(&t, "writes: put", "{after: 1s}, {after: 1s, status: 500}, {after: 1s}");
    asker_assert_replies(
        &t, "other", 5,
        (struct asker_reply[]){
            {S(1), 1, 200}, {S(3), 1, 500}, {S(4.0001), 1, 200}, {S(7), 1, 200}, {S(9), 1, 200}});
    assert_int_equal(count(&t, "invalidations"), 1);
    trial_close(&t);
}

/* --- what is given up -------------------------------------------------------------------- */

static void cancels_leave_the_fetch_going(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.5s, 1, cancel], [2s, 1, ask, 2], [3s, 1, ask, 3], "
                        "[3.00005s, 1, cancel, 3]";
    run(&t, steps, "", "{after: 1s}", "");
    assert_answers(&t, 1, (struct asker_reply[]){{S(2.0001), 1, 200}}, 1, (sim_time[]){0});
    assert_int_equal(count(&t, "cancels_received"), 2);
    trial_close(&t);
    run(&t, steps, "finish_fetches: false, call: {cancel: [losers, timeouts]}", "{after: 1s}", "");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(2)});
    assert_int_equal(count(&t, "fetches_given_up"), 1);
    assert_int_equal(count(&t, "downstream_abandoned"), 1);
    trial_close(&t);
    /* Not while another one waits, whoever came first. */
    run(&t, "[0s, 1], [0.2s, 1, ask, 2], [0.5s, 1, cancel], [2s, 1, ask, 3]",
        "finish_fetches: false", "{after: 1s}", "");
    assert_answers(&t, 2, (struct asker_reply[]){{S(1), 1, 200}, {S(2.0001), 1, 200}}, 1,
                   (sim_time[]){0});
    assert_int_equal(count(&t, "fetches_given_up"), 0);
    trial_close(&t);
    /* Nor one in the background that somebody has joined. */
    run(&t, "[0s, 1], [12s, 1, ask, 2], [15s, 1, ask, 3], [15.5s, 1, cancel, 3], [17s, 1, ask, 4]",
        "finish_fetches: false, soft_ttl: 5s, ttl: 10s", "{after: 4s}", "");
    assert_answers(
        &t, 3, (struct asker_reply[]){{S(4), 1, 200}, {S(12.0001), 1, 200}, {S(17.0001), 1, 200}},
        2, (sim_time[]){0, S(12)});
    trial_close(&t);
    char rest[512];
    snprintf(rest, sizeof rest, KINDS, "[0s, 1, ask, 1, 1], [0.5s, 1, cancel, 1, 1]");
    run(&t, "", "writes: [put]", "{after: 1s}", rest);
    asker_assert_replies(&t, "other", 0, NULL);
    assert_int_equal(count(&t, "downstream_abandoned"), 1);
    trial_close(&t);
}

static void a_crash_leaves_it_cold(void **state)
{
    (void)state;
    struct trial t;
    run(&t,
        "[0s, 1], [9.9999s, 1, ask, 2], [9.99995s, 1, ask, 3], [9.5s, 2], [10.5s, 3], "
        "[11s, 1, ask, 4]",
        "soft_ttl: 1s, ttl: 20s", "{after: 2s}", "timeline: [{at: 10s, for: 1s, crash: near}]");
    /* The one answered at 10 s is, as an action of that instant goes first, lost. */
    assert_answers(&t, 2, (struct asker_reply[]){{S(2), 1, 200}, {S(13), 1, 200}}, 4,
                   (sim_time[]){0, S(9.5), S(9.9999), S(11)});
    assert_int_equal(count(&t, "requests_lost"), 3);
    assert_int_equal(count(&t, "requests_missed"), 1);
    assert_int_equal(count(&t, "fetches_lost"), 2);
    assert_int_equal(count(&t, "entries_lost"), 1);
    assert_int_equal(level(&t, "size"), 1);
    trial_close(&t);
}

/* --- together ---------------------------------------------------------------------------- */

/* A request has one key in all caches that describe keys in the same words, so what one of them has
 * fetched by way of another is in both. */
static void caches_agree_on_keys(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\nduration: 100s\nentities:\n"
                   "  users: {type: client, target: first, arrivals: {poisson: 100/s}}\n"
                   "  first: {type: cache, target: near, keys: {count: 50}, hit_time: 0s}\n"
                   "  near: {type: cache, target: far, keys: {count: 50, law: {zipf: 1}},\n"
                   "         capacity: 50}\n"
                   "  other: {type: client, target: third, arrivals: {poisson: 100/s}}\n"
                   "  third: {type: cache, target: fourth, keys: {count: 50}, hit_time: 0s}\n"
                   "  fourth: {type: cache, target: far, keys: {count: 50, salt: x}}\n"
                   "  far: {type: delay}\n");
    trial_run(&t, 0);
    assert_balance(&t);
    assert_int_equal(trial_counter(&t, "first.misses"), 50);
    assert_int_equal(count(&t, "misses"), 50);
    assert_int_equal(trial_counter(&t, "third.misses"), 50);
    assert_true(trial_counter(&t, "fourth.misses") < 45); /* other keys, of which some repeat */
    trial_close(&t);
}

/* What is to come up often enough, all storms together. */
static const char *const happens[] = {"hits",
                                      "stale_hits",
                                      "negative_hits",
                                      "coalesced",
                                      "refreshes_coalesced",
                                      "stale_on_error",
                                      "fetch_failures",
                                      "negative_answers",
                                      "fetches_given_up",
                                      "fetches_lost",
                                      "entries_renewed",
                                      "evictions",
                                      "expirations",
                                      "invalidations",
                                      "entries_lost",
                                      "cancels_received",
                                      "requests_lost",
                                      "requests_missed",
                                      "downstream_retries"};
enum { HAPPENS = sizeof happens / sizeof happens[0] };

static void run_storm(uint64_t *happened, const char *cache)
{
    struct trial t;
    trial_open(
        &t,
        "squall: 1\nduration: 30s\nentities:\n"
        "  users: {type: client, count: 3, target: near,\n"
        "          requests: {get: {weight: 9}, put: {}},\n"
        "          arrivals: {poisson: 50/s},\n"
        "          call: {timeout: 60ms, cancel: [losers, timeouts],\n"
        "                 retry: {kind: fixed, max_attempts: 3, delay: 10ms}}}\n"
        "  near: {type: cache, target: far, capacity: 40, keys: {count: 200, law: {zipf: 0.9}},\n"
        "         writes: [put], %s,\n"
        "         call: {timeout: 200ms,\n"
        "                retry: {kind: fixed, max_attempts: 2, delay: 20ms}}}\n"
        "  far: {type: server, concurrency: 2, service_time: {exponential: 15ms},\n"
        "        queue: {capacity: 30},\n"
        "        responses: [{weight: 19}, {status: 500}]}\n"
        "timeline: [{at: 9s, for: 300ms, crash: near}, {at: 18s, for: 1s, crash: near}]\n",
        cache);
    for (uint64_t replication = 0; replication < 3; replication++) {
        trial_begin(&t, replication, 0);
        for (sim_time at = 0; at < S(30); at += S(0.37)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_balance(&t);
        for (int i = 0; i < HAPPENS; i++) {
            happened[i] += count(&t, happens[i]);
        }
    }
    trial_close(&t);
}

static void nothing_goes_astray(void **state)
{
    (void)state;
    uint64_t happened[HAPPENS] = {0};
    run_storm(happened, "ttl: 2s, soft_ttl: 1s, stale_if_error: 1s");
    run_storm(happened, "ttl: 2s, ttl_reset_on_access: true, eviction: slru, coalesce: false");
    run_storm(happened,
              "soft_ttl: 500ms, eviction: lfu, finish_fetches: false, on_write: write_through");
    run_storm(happened, "eviction: 2q, finish_fetches: false, coalesce: false, preload: 40");
    run_storm(happened, "eviction: clock, negative_ttl: 300ms, negative_statuses: [500]");
    run_storm(happened,
              "eviction: random, ttl: 1s, negative_ttl: 300ms, negative_statuses: ['500-599'], "
              "stale_if_error: 2s");
    for (int i = 0; i < HAPPENS; i++) {
        if (happened[i] < 20) {
            fail_msg("%s: %d", happens[i], (int)happened[i]);
        }
    }
}

/* --- the scenario ------------------------------------------------------------------------ */

static uint64_t within(const struct trial *t, const char *stat, uint32_t from, uint32_t to)
{
    uint64_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        n += trial_in_interval(t, stat, i);
    }
    return n;
}

/* A minute of configs/scenarios/cache_stampede.yaml, in which the cache crashes at 30 s: what share
 * of the requests succeeds from 40 s on, compared to before, and how many attempts reach the
 * database, likewise, in every replication. */
static void stampede(const char *const *overrides, double low, double high, double least,
                     double most)
{
    struct trial t;
    trial_load(&t, "configs/scenarios/cache_stampede.yaml", overrides);
    for (uint64_t i = 0; i < 8; i++) {
        trial_run(&t, i);
        const char *good = "users.successes", *sent = "store.downstream_requests_sent";
        double share = (double)within(&t, good, 40, 60) / (double)within(&t, good, 10, 30);
        double load = (double)within(&t, sent, 40, 60) / (double)within(&t, sent, 10, 30);
        print_message("replication %u: share %.3f, load %.2f\n", (unsigned)i, share, load);
        assert_true(share > low && share < high);
        assert_true(load > least && load < most);
    }
    trial_close(&t);
}

#define OVERRIDES(...) ((const char *const[]){"duration=60s", __VA_ARGS__, NULL})
#define BUDGET \
    ".call.retry_budget={kind: token_bucket, capacity: 10, deposit_per_request: 0.1, " \
    "retry_cost: 1, timeout_cost: 1, deposit_per_success: 0}"

static void a_stampede_outlasts_its_cause(void **state)
{
    (void)state;
    stampede(OVERRIDES(NULL), 0.65, 0.90, 40.0, 110.0);
    stampede(OVERRIDES("store" BUDGET), 0.65, 0.90, 10.0, 40.0);
    stampede(OVERRIDES("store.call.retry=none"), 0.65, 0.90, 10.0, 40.0);
    stampede(OVERRIDES("timeline=[]"), 0.95, 1.05, 0.6, 1.5);
    stampede(OVERRIDES("store.coalesce=true"), 0.95, 1.05, 0.6, 1.5);
    stampede(OVERRIDES("users.call.retry=none"), 0.95, 1.05, 0.6, 1.5);
    stampede(OVERRIDES("users" BUDGET), 0.95, 1.05, 0.6, 1.5);
    stampede(OVERRIDES("database.queue.capacity=50"), 0.95, 1.05, 0.6, 1.5);
}

static void says(const char *cache, const char *expected)
{
    char text[1024];
    snprintf(text, sizeof text,
             "squall: 1\nduration: 1s\nentities:\n"
             "  users: {type: asker, target: near}\n"
             "  near: {type: cache, target: far,\n"
             "    %s}\n"
             "  far: {type: probe}\n",
             cache);
    reading_says(probe_registry(), text, expected);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    says("ttl: 1s, soft_ttl: 2s", "g.yaml:6:24: entities.near.soft_ttl: must not be above ttl\n");
    says("stale_if_error: 1s", "g.yaml:6:21: entities.near.stale_if_error: needs a ttl to count "
                               "from\n");
    says("ttl_reset_on_access: true",
         "g.yaml:6:26: entities.near.ttl_reset_on_access: needs a ttl\n");
    says("preload: 2, capacity: 1",
         "g.yaml:6:14: entities.near.preload: is more than there are places\n");
    says("preload: 2, keys: {count: 1}",
         "g.yaml:6:14: entities.near.preload: is more than there are keys\n");
    says("keys: {count: 1000001, law: zipf}",
         "g.yaml:6:19: entities.near.keys.count: zipf takes at most 1000000 keys\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_fetched_once_is_there),
                                       cmocka_unit_test(a_full_cache_makes_room),
                                       cmocka_unit_test(it_may_be_warm_at_the_start),
                                       cmocka_unit_test(entries_live_as_long_as_their_ttl),
                                       cmocka_unit_test(what_is_stale_is_fetched_in_the_background),
                                       cmocka_unit_test(what_does_not_exist_is_remembered),
                                       cmocka_unit_test(misses_of_a_key_share_a_fetch),
                                       cmocka_unit_test(all_hear_that_a_fetch_has_failed),
                                       cmocka_unit_test(old_answers_stand_in_for_failures),
                                       cmocka_unit_test(writes_go_through),
                                       cmocka_unit_test(cancels_leave_the_fetch_going),
                                       cmocka_unit_test(a_crash_leaves_it_cold),
                                       cmocka_unit_test(caches_agree_on_keys),
                                       cmocka_unit_test(nothing_goes_astray),
                                       cmocka_unit_test(a_stampede_outlasts_its_cause),
                                       cmocka_unit_test(mistakes_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
