/* SPDX-License-Identifier: Apache-2.0
 *
 * What the idempotency store sends on, answers and forgets, to the nanosecond, and what it counts;
 * and what it does for clients that retry, in configs/scenarios/idempotency.yaml.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rng/stream.h"
#include "support/asker.h"
#include "support/probe.h"
#include "support/trial.h"

/* An asker's `steps` through a store to a probe. */
static void open_store(struct trial *t, const char *steps, const char *store, const char *answers,
                       const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: store, kinds: [k0, k1, k2, k3], steps: [%s]}\n"
               "  store: {type: idempotency_store, target: far, %s}\n"
               "  far: {type: probe, answers: [%s]}\n%s\n",
               steps, store, answers, rest);
}

static uint64_t count(const struct trial *t, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "store.%s", stat);
    return trial_counter(t, name);
}

static uint64_t level(const struct trial *t, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "store.%s", stat);
    return (uint64_t)trial_level(t, name);
}

/* What holds at any time. */
static void assert_balance(const struct trial *t)
{
    uint64_t total = count(t, "total_requests");
    assert_int_equal(total, count(t, "requests_received"));
    assert_int_equal(total, count(t, "keyless_requests") + count(t, "cache_misses") +
                                count(t, "cache_hits"));
    assert_int_equal(count(t, "cache_hits"),
                     count(t, "duplicates_dropped") + count(t, "duplicates_joined"));
    assert_true(count(t, "in_flight_hits") <= count(t, "cache_hits"));
    assert_int_equal(count(t, "requests_sent"),
                     count(t, "keyless_requests") + count(t, "cache_misses"));
    assert_int_equal(total, count(t, "requests_answered") + count(t, "duplicates_dropped") +
                                count(t, "cancels_received") + count(t, "requests_lost") +
                                level(t, "in_progress"));
    assert_int_equal(count(t, "cache_misses"),
                     count(t, "entries_stored") + count(t, "completions_not_stored") +
                         count(t, "in_flight_expired") + count(t, "in_flight_abandoned") +
                         count(t, "in_flight_lost") + level(t, "in_flight"));
    assert_int_equal(count(t, "entries_stored"), count(t, "entries_expired") +
                                                     count(t, "entries_lost") +
                                                     level(t, "cache_size"));
    assert_true(count(t, "evictions") <= count(t, "entries_expired"));
}

static void run(struct trial *t, const char *steps, const char *store, const char *answers)
{
    open_store(t, steps, store, answers, "");
    trial_run(t, 0);
    assert_balance(t);
}

static void assert_counts(const struct trial *t, uint64_t misses, uint64_t hits, uint64_t stored,
                          uint64_t expired)
{
    assert_int_equal(count(t, "cache_misses"), misses);
    assert_int_equal(count(t, "cache_hits"), hits);
    assert_int_equal(count(t, "entries_stored"), stored);
    assert_int_equal(count(t, "entries_expired"), expired);
}

/* --- keys and sweeps --------------------------------------------------------------------- */

/* One key at 0, 0.5, 2, 5.9, 6.1, 8 and 11 s and a request without one at 0.2 s, sweeps every 3 s.
 * The key is stored at 1 s, found at 5.9 s in spite of its age, and removed at 6 s; the next one is
 * stored at 7.1 s and removed at 12.1 s. */
static void a_key_is_sent_on_once_in_its_life(void **state)
{
    (void)state;
    const char *steps = "[0s, 1], [0.2s, 1, ask, 1, 3], [0.5s, 1], [2s, 1], [5.9s, 1], [6.1s, 1], "
                        "[8s, 1], [11s, 1]";
    struct trial t;
    run(&t, steps, "ttl: 5s, cleanup_interval: 3s, keyless_kinds: [k2, k3]", "{after: 1s}");
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(0.2), S(6.1)});
    asker_assert_replies(
        &t, "users", 3, (struct asker_reply[]){{S(1), 1, 200}, {S(1.2), 1, 200}, {S(7.1), 1, 200}});
    assert_counts(&t, 2, 5, 2, 2);
    assert_int_equal(count(&t, "total_requests"), 8);
    assert_int_equal(count(&t, "keyless_requests"), 1);
    assert_int_equal(count(&t, "in_flight_hits"), 1);
    assert_int_equal(count(&t, "duplicates_dropped"), 5);
    assert_int_equal(count(&t, "evictions"), 0);
    assert_int_equal(trial_integral(&t, "store.in_flight"), S(2));
    assert_int_equal(trial_integral(&t, "store.cache_size"), S(5) + S(5));
    assert_int_equal(level(&t, "in_progress"), 0);
    trial_close(&t);
    /* Joined, each gets its answer: in flight with the original, after that at once. */
    run(&t, steps, "ttl: 5s, cleanup_interval: 3s, keyless_kinds: k3, on_duplicate: join",
        "{after: 1s}");
    asker_assert_replies(&t, "users", 8,
                         (struct asker_reply[]){{S(1), 1, 200},
                                                {S(1), 1, 200},
                                                {S(1.2), 1, 200},
                                                {S(2), 1, 200},
                                                {S(5.9), 1, 200},
                                                {S(7.1), 1, 200},
                                                {S(8), 1, 200},
                                                {S(11), 1, 200}});
    assert_counts(&t, 2, 5, 2, 2);
    assert_int_equal(count(&t, "duplicates_joined"), 5);
    trial_close(&t);
}

/* A key of an age of exactly `ttl` is removed. There is one chain of sweeps, which begins with the
 * first key; when it finds none left it ends, and another begins with the next key. */
static void sweeps_come_while_there_are_keys(void **state)
{
    (void)state;
    struct trial t;
    const char *store = "ttl: 2s, cleanup_interval: 3s";
    run(&t, "[0s, 1], [2.999999999s, 1], [3s, 1], [3.1s, 1]", store, "{after: 1s}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(3)});
    trial_close(&t);
    run(&t, "[0s, 1], [3.1s, 1], [5.999999999s, 1], [6s, 1]", store, "{after: 1.000000001s}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(6)});
    trial_close(&t);
    /* What has no key begins none, and a second key no second one: key 2, stored at 2 s, would be
     * removed at 4 s. */
    run(&t, "[0s, 9, ask, 1, 1], [0.1s, 1], [1s, 2], [3.2s, 1], [6.099999999s, 2], [6.1s, 2]",
        "ttl: 2s, cleanup_interval: 3s, keyless_kinds: k1", "{after: 1s}");
    probe_assert_times(&t, "far", 5, (sim_time[]){0, S(0.1), S(1), S(3.2), S(6.1)});
    trial_close(&t);
    /* A key in flight keeps them going. */
    run(&t, "[0s, 1], [9.5s, 1], [11.999999999s, 1], [12s, 1]", store, "{after: 9s}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(12)});
    trial_close(&t);
}

/* The key completed first makes room, whenever it was asked for. What is in flight takes none. */
static void the_oldest_completion_makes_room(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.1s, 2], [0.2s, 3], [6s, 2], [6.1s, 1], [6.2s, 3], [6.3s, 1]",
        "max_entries: 2", "{after: 5s}, {after: 1s}, {after: 1s}");
    /* Stored: 2 at 1.1, 3 at 1.2, 1 at 5 s in place of 2, which comes again at 6 s and makes 3 go
     * when it is answered at 7 s. */
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(0.1), S(0.2), S(6)});
    assert_counts(&t, 4, 3, 4, 2);
    assert_int_equal(count(&t, "evictions"), 2);
    assert_int_equal(level(&t, "cache_size"), 2);
    trial_close(&t);
}

/* The same number of two clients is two requests; all attempts of one are one. */
static void the_key_is_the_logical_request(void **state)
{
    (void)state;
    struct trial t;
    trial_open(
        &t,
        "squall: 1\n"
        "duration: 10s\n"
        "entities:\n"
        "  one: {type: asker, target: store, kinds: [k0, k1, k2, k3], steps: [[0s, 1], [1s, 1, "
        "ask, 2]]}\n"
        "  two: {type: asker, target: store, kinds: [k0, k1, k2, k3], steps: [[2s, 1], [3s, 2]]}\n"
        "  store: {type: idempotency_store, target: far, on_duplicate: join}\n"
        "  far: {type: probe}\n");
    trial_run(&t, 0);
    assert_balance(&t);
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(2), S(3)});
    assert_int_equal(trial_counter(&t, "one.replies_received"), 2);
    trial_close(&t);
    /* A hedge joins its first attempt, and costs the target nothing. */
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: store, arrivals: {times: [0s]},\n"
                   "          call: {strategy: {parallel: {attempts: 3, delays: 100ms}}}}\n"
                   "  store: {type: idempotency_store, target: far, on_duplicate: join}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    assert_balance(&t);
    probe_assert_times(&t, "far", 1, (sim_time[]){0});
    assert_int_equal(trial_counter(&t, "users.successes"), 1);
    assert_int_equal(count(&t, "duplicates_joined"), 2);
    trial_close(&t);
}

/* --- answers ----------------------------------------------------------------------------- */

/* Who joins hears what the target said, all of it. */
static void answers_are_stored_as_they_are(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 1]", "on_duplicate: join", "{status: 204}, {status: 500}");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{0, 1, 204}, {S(1), 1, 204}});
    trial_close(&t);
    /* A failure that asks not to be tried again. */
    const char *study = "squall: 1\n"
                        "duration: 10s\n"
                        "entities:\n"
                        "  users: {type: client, target: store, arrivals: {times: [0s]}, call: {\n"
                        "          timeout: 500ms, retry: {fixed: {max_attempts: 3, delay: 1s}}}}\n"
                        "  store: {type: idempotency_store, target: far, on_duplicate: join,\n"
                        "          store_failures: true}\n"
                        "  far: {type: server, service_time: 1s, responses: [{status: 503, %s}]}\n"
                        "network: [{from: users, to: store, bandwidth: 10MB/s}]\n";
    trial_open(&t, study, "do_not_retry: true");
    trial_run(&t, 0);
    assert_balance(&t);
    assert_int_equal(trial_counter(&t, "users.requests_sent"), 2);
    assert_int_equal(trial_counter(&t, "users.timeouts"), 1);
    assert_int_equal(trial_counter(&t, "users.errors"), 1);
    assert_int_equal(trial_counter(&t, "far.requests_received"), 1);
    trial_close(&t);
    /* A large one that says when to try again. It is asked for at 1.5 s and takes 0.1 s; then again
     * at 3.6 s. */
    trial_open(&t, study, "retry_after: 2s, bytes: 1MB");
    trial_run(&t, 0);
    assert_balance(&t);
    struct hist_counts *latency = calloc(1, sizeof *latency);
    assert_non_null(latency);
    trial_histogram(&t, "users.request_latency", latency);
    assert_int_equal(latency->max, S(3.7));
    free(latency);
    trial_close(&t);
}

/* A failure completes nothing, unless it is to: those who have joined get it, and the next one is
 * sent on. */
static void failures_are_no_completions(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.5s, 1], [1.5s, 1], [3s, 1]";
    const char *answers = "{after: 1s, status: 400}, {after: 1s, status: 399}";
    run(&t, steps, "on_duplicate: join", answers);
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(1.5)});
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{S(1), 1, 400}, {S(1), 1, 400}, {S(2.5), 1, 399}, {S(3), 1, 399}});
    assert_int_equal(count(&t, "completions_not_stored"), 1);
    assert_counts(&t, 2, 2, 1, 0);
    trial_close(&t);
    run(&t, steps, "on_duplicate: join, store_failures: true", answers);
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){{S(1), 1, 400}, {S(1), 1, 400}, {S(1.5), 1, 400}, {S(3), 1, 400}});
    assert_counts(&t, 1, 3, 1, 0);
    trial_close(&t);
    /* What never got there is no answer to keep. */
    run(&t, "[0s, 1], [1s, 1], [2s, 1]", "on_duplicate: join, store_failures: true",
        "{refuse: true}, {status: 489}, {status: 200}");
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{0, 1, 489}, {S(1), 1, 489}, {S(2), 1, 200}});
    trial_close(&t);
    /* What is not ready is asked for again. */
    run(&t, "[0s, 1], [1s, 1], [2s, 1]", "on_duplicate: join, store_failures: true",
        "{status: 202, flags: processing}, {status: 200}");
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{0, 1, 202}, {S(1), 1, 200}, {S(2), 1, 200}});
    assert_int_equal(probe_visits(&t, "far"), 2);
    trial_close(&t);
}

/* Word of a connection of a pool behind the store is no answer. */
static void a_pool_may_stand_behind_it(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: store, kinds: [k0, k1, k2, k3], steps: [[0s, 1, "
                   "ask_pooled], [1s, 1],\n"
                   "          [2s, 1]]}\n"
                   "  store: {type: idempotency_store, target: pool, on_duplicate: join}\n"
                   "  pool: {type: connection_pool, target: far}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    assert_balance(&t);
    asker_assert_replies(
        &t, "users", 4,
        (struct asker_reply[]){
            {S(0.01), 1, 100}, {S(1.01), 1, 200}, {S(1.01), 1, 200}, {S(2), 1, 200}});
    trial_close(&t);
}

/* --- what is never answered -------------------------------------------------------------- */

/* A key whose original is lost stays blocked, or until its time in flight is over: then the next
 * one is sent on. What the first is answered after that reaches who waits for it, and completes
 * nothing. */
static void a_lost_original_blocks_its_key_for_a_time(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [1.999999999s, 1], [2s, 1], [3.5s, 1], [90s, 1]";
    run(&t, steps, "on_duplicate: drop", "{after: none}");
    assert_int_equal(probe_visits(&t, "far"), 1);
    assert_counts(&t, 1, 4, 0, 0);
    trial_close(&t);
    run(&t, steps, "on_duplicate: join, in_flight_ttl: 2s", "{after: none}, {after: 1s}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(2)});
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{S(3), 1, 200}, {S(3.5), 1, 200}, {S(90), 1, 200}});
    assert_int_equal(count(&t, "in_flight_expired"), 1);
    assert_int_equal(level(&t, "in_progress"), 2);
    trial_close(&t);
    /* An answer of the same instant is late. The second original completes the key. */
    run(&t, "[0s, 1], [1s, 1], [2.5s, 1], [3s, 1], [5s, 1]",
        "on_duplicate: join, in_flight_ttl: 2s",
        "{after: 2s, status: 201}, {after: 1.5s, status: 202}");
    asker_assert_replies(
        &t, "users", 5,
        (struct asker_reply[]){
            {S(2), 1, 201}, {S(2), 1, 201}, {S(4), 1, 202}, {S(4), 1, 202}, {S(5), 1, 202}});
    assert_counts(&t, 2, 3, 1, 0);
    trial_close(&t);
    run(&t, "[0s, 1], [2.5s, 1]", "in_flight_ttl: 2s", "{after: 1.999999999s}");
    assert_counts(&t, 1, 1, 1, 0);
    assert_int_equal(count(&t, "in_flight_expired"), 0);
    trial_close(&t);
}

/* The target works on, so the original is in flight although its caller has given it up: it is
 * completed, and the next attempt has its answer. */
static void given_up_originals_are_completed(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 1, cancel], [2s, 1, ask, 2], [4s, 1, ask, 3]", "on_duplicate: join",
        "{after: 3s}");
    assert_int_equal(probe_visits(&t, "far"), 1);
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(3), 1, 200}, {S(4), 1, 200}});
    assert_int_equal(count(&t, "cancels_received"), 1);
    assert_int_equal(count(&t, "late_responses"), 0);
    assert_int_equal(trial_integral(&t, "store.in_progress"), S(1) + S(1));
    assert_int_equal(trial_integral(&t, "store.in_flight"), S(3));
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    trial_close(&t);
    /* Until its time is over: then nobody waits. */
    run(&t, "[0s, 1], [1s, 1, cancel], [2s, 1, ask, 2]", "in_flight_ttl: 2s", "{after: 3s}");
    assert_int_equal(probe_visits(&t, "far"), 2);
    assert_int_equal(count(&t, "late_responses"), 1);
    assert_int_equal(count(&t, "responses_received"), 1);
    assert_int_equal(count(&t, "in_flight_expired"), 2);
    trial_close(&t);
}

/* The target hears of it when the last one has given up. */
static void cancels_are_passed_on_when_nobody_waits(void **state)
{
    (void)state;
    struct trial t;
    const char *join = "on_duplicate: join, pass_cancel: true";
    run(&t, "[0s, 1], [1s, 1, cancel], [2s, 1, ask, 2]", join, "{after: 5s}");
    probe_assert_times(&t, "far", 2, (sim_time[]){0, S(2)});
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(1)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(7), 1, 200}});
    assert_int_equal(count(&t, "in_flight_abandoned"), 1);
    assert_int_equal(count(&t, "late_responses"), 1);
    trial_close(&t);
    const char *two = "[0s, 1], [1s, 1, ask, 2], [2s, 1, cancel], [3s, 1, cancel, 2]";
    run(&t, two, join, "{after: 5s}");
    probe_assert_cancels(&t, "far", 1, (sim_time[]){S(3)});
    assert_int_equal(count(&t, "cancels_received"), 2);
    trial_close(&t);
    run(&t, "[0s, 1], [1s, 1, ask, 2], [2s, 1, cancel, 2], [2s, 1, cancel, 2]", join,
        "{after: 5s}");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(5), 1, 200}});
    probe_assert_cancels(&t, "far", 0, NULL);
    assert_int_equal(count(&t, "cancels_received"), 1);
    trial_close(&t);
    run(&t, "[0s, 1], [1s, 1, ask, 2], [2s, 1, cancel]", join, "{after: 5s}");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(5), 1, 200}});
    probe_assert_cancels(&t, "far", 0, NULL);
    assert_counts(&t, 1, 1, 1, 0);
    trial_close(&t);
    /* Without a key there is nothing to complete. */
    run(&t, "[0s, 1], [1s, 1, cancel]", "keyless_kinds: k0", "{after: 5s}");
    assert_int_equal(count(&t, "late_responses"), 1);
    assert_int_equal(level(&t, "in_progress"), 0);
    probe_assert_cancels(&t, "far", 0, NULL);
    trial_close(&t);
}

/* --- crashes ----------------------------------------------------------------------------- */

static void run_crash(struct trial *t, const char *store)
{
    open_store(t,
               "[0s, 1], [0.2s, 2], [0.3s, 2, cancel], [0.4s, 3], [0.5s, 3, ask, 2], [2.5s, 3],\n"
               "    [3.1s, 1], [3.2s, 2], [3.3s, 3], [6.1s, 1]",
               store, "{after: 1s}, {after: 4s}, {after: 4s}, {after: 0s}",
               "timeline: [{at: 2s, for: 1s, crash: store}]");
    trial_run(t, 0);
    assert_balance(t);
    assert_int_equal(count(t, "requests_missed"), 1);
    assert_int_equal(count(t, "requests_lost"), 2); /* not the one that was given up */
    assert_int_equal(count(t, "in_flight_lost"), 2);
    assert_int_equal(count(t, "late_responses"), 2);
}

/* A crash forgets all keys, or those in flight. Sweeps begin anew, of what is left with the
 * restart at 3 s. */
static void a_crash_forgets_keys(void **state)
{
    (void)state;
    struct trial t;
    run_crash(&t, "on_duplicate: join, ttl: 4s, cleanup_interval: 3s, in_flight_ttl: 2.9s");
    probe_assert_times(&t, "far", 6, (sim_time[]){0, S(0.2), S(0.4), S(3.1), S(3.2), S(3.3)});
    assert_int_equal(count(&t, "entries_lost"), 1);
    assert_int_equal(trial_integral(&t, "store.cache_size"),
                     S(1) + S(6) + S(5.9) + S(5.8)); /* to 9.1 s */
    trial_close(&t);
    run_crash(&t, "on_duplicate: join, ttl: 4s, cleanup_interval: 3s, durable: true");
    probe_assert_times(&t, "far", 6, (sim_time[]){0, S(0.2), S(0.4), S(3.2), S(3.3), S(6.1)});
    assert_int_equal(count(&t, "entries_lost"), 0);
    trial_close(&t);
}

/* --- whatever happens -------------------------------------------------------------------- */

static uint64_t below(struct rng_stream *r, uint64_t most)
{
    return rng_bits(r) % most;
}

enum { REQUESTS = 12, STEPS = 80 };

/* Steps in the first second: attempts of a few requests, some of which are given up. Returns the
 * numbers of the requests, as bits. */
static uint64_t draw_steps(struct rng_stream *r, char *text, size_t size)
{
    size_t n = 0;
    uint64_t numbers = 0;
    for (uint32_t i = 1; i <= STEPS; i++) {
        uint64_t at = below(r, (uint64_t)S(1)), number = 1 + below(r, REQUESTS);
        uint64_t kind = number % 6 == 0;
        numbers |= UINT64_C(1) << number;
        n += (size_t)snprintf(text + n, size - n,
                              "[%" PRIu64 "ns, %" PRIu64 ", ask, %u, %" PRIu64 "], ", at, number, i,
                              kind);
        if (below(r, 4) == 0) {
            n += (size_t)snprintf(text + n, size - n,
                                  "[%" PRIu64 "ns, %" PRIu64 ", cancel, %u, %" PRIu64 "], ",
                                  at + 1 + below(r, (uint64_t)S(0.1)), number, i, kind);
        }
        assert_true(n < size);
    }
    return numbers;
}

static const char *pick(struct rng_stream *r, const char *a, const char *b)
{
    return below(r, 2) ? a : b;
}

static void open_random(struct trial *t, struct rng_stream *r)
{
    char steps[16384], store[512];
    draw_steps(r, steps, sizeof steps);
    snprintf(store, sizeof store,
             "keyless_kinds: k1, max_entries: %u, ttl: %ums, cleanup_interval: %ums,\n"
             "    in_flight_ttl: %s, on_duplicate: %s, store_failures: %s, durable: %s,\n"
             "    pass_cancel: %s",
             1 + (unsigned)below(r, 8), 1 + (unsigned)below(r, 200), 1 + (unsigned)below(r, 200),
             pick(r, "none", "70ms"), pick(r, "drop", "join"), pick(r, "true", "false"),
             pick(r, "true", "false"), pick(r, "true", "false"));
    open_store(t, steps, store,
               "{after: 30ms}, {after: {exponential: 50ms}, status: 500}, {after: none}, {after: "
               "1ms}, {after: {exponential: 100ms}}, {after: 60ms, status: 404}, {after: 0s}, "
               "{after: {exponential: 50ms}}",
               pick(r,
                    "timeline: [{at: 300ms, for: 50ms, crash: store}, {at: 700ms, for: 10ms, "
                    "crash: store}]",
                    "network: [{from: store, to: far, latency: {exponential: 5ms}, loss: 10%}]"));
}

static void nothing_gets_lost_uncounted(void **state)
{
    (void)state;
    static const char *const seen[] = {
        "cache_hits",        "in_flight_hits",      "duplicates_joined", "duplicates_dropped",
        "entries_stored",    "entries_expired",     "evictions",         "entries_lost",
        "in_flight_expired", "in_flight_abandoned", "in_flight_lost",    "completions_not_stored",
        "keyless_requests",  "cancels_received"};
    enum { SEEN = sizeof seen / sizeof *seen };
    uint64_t sums[SEEN] = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        struct trial t;
        open_random(&t, &r);
        trial_begin(&t, 0, 0);
        for (sim_time at = 0; at < S(1.5); at += S(0.0133)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_balance(&t);
        for (uint32_t i = 0; i < SEEN; i++) {
            sums[i] += count(&t, seen[i]);
        }
        trial_close(&t);
    }
    for (uint32_t i = 0; i < SEEN; i++) {
        assert_true(sums[i] > 100); /* it was seen at work */
    }
}

/* Where no key is forgotten every request is served once, and who has not given up hears of it. */
static void each_request_is_served_once_and_all_hear_of_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        char steps[16384];
        uint64_t numbers = draw_steps(&r, steps, sizeof steps);
        struct trial t;
        run(&t, steps, "on_duplicate: join", "{after: {exponential: 200ms}}");
        uint64_t served = 0;
        for (uint32_t i = 0; i < probe_visits(&t, "far"); i++) {
            uint64_t bit = UINT64_C(1) << probe_visit(&t, "far", i)->number;
            assert_false(served & bit);
            served |= bit;
        }
        assert_int_equal(served, numbers);
        assert_int_equal(trial_counter(&t, "users.replies_received"),
                         STEPS - count(&t, "cancels_received"));
        assert_int_equal(level(&t, "in_progress"), 0);
        trial_close(&t);
    }
}

/* --- the scenario ------------------------------------------------------------------------ */

/* A counter of one of the three for each of its customers' requests, all of which have ended. */
static double per_request(const struct trial *t, const char *customers, const char *stat)
{
    char requests[64];
    snprintf(requests, sizeof requests, "%s.logical_requests", customers);
    assert_true(trial_counter(t, requests) > 9000);
    return (double)trial_counter(t, stat) / (double)trial_counter(t, requests);
}

/* Some 10,000 requests and as many times of service: tolerances are four deviations and more. */
static void retries_are_done_once_and_answered(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/idempotency.yaml", NULL);
    trial_run(&t, 0);
    /* Without a store each attempt is a payment. */
    double q = exp(-0.498 / 0.3);
    assert_float_equal(per_request(&t, "bare", "bare_ledger.requests_completed"),
                       (1.0 - pow(q, 4)) / (1.0 - q), 0.022);
    assert_float_equal(per_request(&t, "bare", "bare.successes"), 1.0 - pow(q, 4), 0.0015);
    assert_int_equal(trial_counter(&t, "bare_ledger.requests_completed"),
                     trial_counter(&t, "bare.requests_sent"));
    /* Dropped, retries cost nothing and give nothing. */
    q = exp(-0.496 / 0.3);
    assert_int_equal(trial_counter(&t, "dropping_ledger.requests_completed"),
                     trial_counter(&t, "dropping.logical_requests"));
    assert_float_equal(per_request(&t, "dropping", "dropping.successes"), 1.0 - q, 0.016);
    assert_float_equal(per_request(&t, "dropping", "dropping.requests_sent"), 1.0 + 3.0 * q, 0.048);
    /* Joined, they cost nothing, and all but one in 10^5 are answered. */
    assert_int_equal(trial_counter(&t, "joining_ledger.requests_completed"),
                     trial_counter(&t, "joining.logical_requests"));
    assert_float_equal(per_request(&t, "joining", "joining.successes"), 1.0, 0.0005);
    assert_float_equal(per_request(&t, "joining", "joining.timeouts"),
                       q + exp(-1.496 / 0.3) + exp(-2.496 / 0.3), 0.018);
    trial_close(&t);
}

/* With workers for little more than there is to do, retries that are work feed a storm. */
static void what_is_done_once_feeds_no_storm(void **state)
{
    (void)state;
    struct trial t;
    trial_load(
        &t, "configs/scenarios/idempotency.yaml",
        (const char *const[]){"bare_ledger.concurrency=38", "joining_ledger.concurrency=38", NULL});
    trial_run(&t, 0);
    assert_true(per_request(&t, "bare", "bare.successes") < 0.25);
    assert_true(per_request(&t, "joining", "joining.successes") > 0.999);
    assert_int_equal(trial_counter(&t, "joining_ledger.requests_completed"),
                     trial_counter(&t, "joining.logical_requests"));
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_sent_on_once_in_its_life),
        cmocka_unit_test(sweeps_come_while_there_are_keys),
        cmocka_unit_test(the_oldest_completion_makes_room),
        cmocka_unit_test(the_key_is_the_logical_request),
        cmocka_unit_test(answers_are_stored_as_they_are),
        cmocka_unit_test(failures_are_no_completions),
        cmocka_unit_test(a_pool_may_stand_behind_it),
        cmocka_unit_test(a_lost_original_blocks_its_key_for_a_time),
        cmocka_unit_test(given_up_originals_are_completed),
        cmocka_unit_test(cancels_are_passed_on_when_nobody_waits),
        cmocka_unit_test(a_crash_forgets_keys),
        cmocka_unit_test(nothing_gets_lost_uncounted),
        cmocka_unit_test(each_request_is_served_once_and_all_hear_of_it),
        cmocka_unit_test(retries_are_done_once_and_answered),
        cmocka_unit_test(what_is_done_once_feeds_no_storm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
