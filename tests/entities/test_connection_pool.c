/* SPDX-License-Identifier: Apache-2.0
 *
 * When the connection pool sends requests on, to the nanosecond, and what it counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rng/stream.h"
#include "support/asker.h"
#include "support/probe.h"
#include "support/trial.h"

/* An asker's `steps` through a pool to a probe whose answers take a second, or as `answers` say. */
static void open_pool(struct trial *t, const char *steps, const char *pool, const char *answers,
                      const char *rest)
{
    asker_open(t, steps, "pool", "connection_pool", pool, answers ? answers : "{after: 1s}", rest);
}

static void run(struct trial *t, const char *steps, const char *pool, const char *answers)
{
    open_pool(t, steps, pool, answers, "");
    trial_run(t, 0);
}

/* --- taking, waiting, handing over ------------------------------------------------------- */

/* The pool as it stands behind a plain client, who knows nothing of it. */
static void one_connection_serves_one_after_the_other(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: pool,\n"
                   "          arrivals: {times: [0s, 0.02s, 0.04s, 0.06s]}}\n"
                   "  pool: {type: connection_pool, target: far, max_connections: 1}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 4, (sim_time[]){S(0.01), S(1.01), S(2.01), S(3.01)});
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(probe_visit(&t, "far", i)->number, i + 1);
    }
    assert_int_equal(trial_counter(&t, "users.successes"), 4);
    assert_int_equal(trial_counter(&t, "pool.acquisitions"), 4);
    assert_int_equal(trial_counter(&t, "pool.releases"), 4);
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 1);
    assert_int_equal(trial_counter(&t, "pool.connections_closed"), 1); /* at 64.01 s */
    assert_int_equal(trial_counter(&t, "pool.total_wait_time"), S(0.99) + S(1.97) + S(2.95));
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "pool.wait_time", &h);
    assert_int_equal(h.total, 4);
    assert_int_equal(h.min, 0);
    assert_int_equal(h.sum, S(0.99) + S(1.97) + S(2.95));
    assert_int_equal(trial_integral(&t, "pool.active"), S(4));
    assert_int_equal(trial_integral(&t, "pool.idle"), S(60));
    assert_int_equal(trial_integral(&t, "pool.connecting"), S(0.01));
    assert_int_equal(trial_integral(&t, "pool.total"), S(64.01));
    assert_int_equal(trial_integral(&t, "pool.pending"), S(0.99) + S(1.97) + S(2.95));
    trial_close(&t);
}

/* Those being made count: six at once make no more than two. */
static void the_maximum_is_strict(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0s, 2], [0s, 3], [0s, 4], [0s, 5], [0s, 6]", "max_connections: 2", NULL);
    probe_assert_times(&t, "far", 6,
                       (sim_time[]){S(0.01), S(0.01), S(1.01), S(1.01), S(2.01), S(2.01)});
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 2);
    trial_close(&t);
    run(&t, "[0s, 1], [0s, 2], [0s, 3]", "max_connections: unlimited", NULL);
    probe_assert_times(&t, "far", 3, (sim_time[]){S(0.01), S(0.01), S(0.01)});
    trial_close(&t);
}

/* Of two idle connections the one released first is used again. The other one is closed when it has
 * been idle for its time, and this one later. */
static void the_oldest_is_used_again(void **state)
{
    (void)state;
    struct trial t;
    open_pool(&t, "[0s, 1], [0s, 2], [4s, 3]", "idle_timeout: 10s",
              "{after: 1s}, {after: 2s}, {after: 1s}", "");
    /* Released at 1.01, 2.01, and 5.00 s. */
    static const struct {
        double at;
        uint64_t closed;
    } steps[] = {{12.01, 0}, {12.010000001, 1}, {15.0, 1}, {15.000000001, 2}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        trial_begin(&t, 0, S(steps[i].at));
        assert_int_equal(trial_counter(&t, "pool.connections_closed"), steps[i].closed);
    }
    probe_assert_times(&t, "far", 3, (sim_time[]){S(0.01), S(0.01), S(4)});
    trial_end(&t);
    trial_close(&t);
}

/* Who has waited too long is told so at that instant, even if that is when its turn comes. */
static void waits_end_exactly(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.1s, 2]";
    run(&t, steps, "max_connections: 1, connection_timeout: 0.5s", NULL);
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(0.6), 2, 597}, {S(1.01), 1, 200}});
    assert_int_equal(trial_counter(&t, "pool.timeouts"), 1);
    assert_int_equal(trial_counter(&t, "pool.total_wait_time"), 0);
    trial_close(&t);
    run(&t, steps, "max_connections: 1, connection_timeout: 0.91s", NULL);
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1.01), 2, 597}, {S(1.01), 1, 200}});
    trial_close(&t);
    run(&t, steps, "max_connections: 1, connection_timeout: 0.910000001s", NULL);
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(1.01), 1, 200}, {S(2.01), 2, 200}});
    trial_close(&t);
    run(&t, steps, "max_connections: 1, connection_timeout: none", "{after: 50s}, {after: 1s}");
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(50.01), 1, 200}, {S(51.01), 2, 200}});
    trial_close(&t);
    /* The making of one's own connection is no wait in line. */
    run(&t, "[0s, 1]", "connection_latency: 2s, connection_timeout: 1s", NULL);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(3), 1, 200}});
    trial_close(&t);
}

/* --- closing ----------------------------------------------------------------------------- */

/* What is idle for its time is closed, down to the minimum; what is kept is looked at again after
 * the same time. */
static void idle_connections_are_closed_to_the_minimum(void **state)
{
    (void)state;
    struct trial t;
    open_pool(&t, "[0s, 1], [0s, 2], [4s, 3], [4s, 4], [4s, 5]",
              "min_connections: 1, idle_timeout: 2s",
              "{after: 1s}, {after: 1s}, {after: 1s}, {after: 1s}, {after: 4.5s}", "");
    /* Two idle from 1.01 s on: one is closed at 3.01, the other would be asked again at 5.01 but
     * has work from 4 to 5; two more are made, have work from 4.01 on and end it at 5.01 and 8.51.
     * The three are idle for two seconds at 7, 7.01 and 10.51; then the last is looked at for ever.
     */
    static const struct {
        double at;
        uint64_t created, closed;
    } steps[] = {{3.01, 2, 0}, {3.010000001, 2, 1}, {7, 4, 1},      {7.000000001, 4, 2},
                 {7.01, 4, 2}, {7.010000001, 4, 3}, {99.9999, 4, 3}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        trial_begin(&t, 0, S(steps[i].at));
        assert_int_equal(trial_counter(&t, "pool.connections_created"), steps[i].created);
        assert_int_equal(trial_counter(&t, "pool.connections_closed"), steps[i].closed);
    }
    trial_end(&t);
    assert_int_equal(trial_level(&t, "pool.idle"), 1);
    trial_close(&t);
}

/* A connection is closed before it is asked for at the same instant. */
static void closing_wins_ties(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [3.01s, 2]", "idle_timeout: 2s", NULL);
    for (uint64_t replication = 0; replication < 20; replication++) {
        trial_run(&t, replication); /* other ties are broken by chance */
        probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(3.02)});
    }
    trial_close(&t);
    run(&t, "[0s, 1], [3.009999999s, 2]", "idle_timeout: 2s", NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(3.009999999)});
    trial_close(&t);
    run(&t, "[0s, 1], [70s, 2]", "idle_timeout: none", NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(70)});
    trial_close(&t);
}

/* An old connection goes when nobody has it, whatever the minimum; who waits gets a new one. */
static void connections_grow_old(void **state)
{
    (void)state;
    struct trial t;
    const char *pool = "max_connections: 1, min_connections: 1, max_lifetime: 2s";
    run(&t, "[0s, 1], [2.009999999s, 2]", pool, NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(2.009999999)});
    assert_int_equal(trial_counter(&t, "pool.connections_closed"), 1); /* at its release */
    assert_int_equal(trial_level(&t, "pool.total"), 0);
    trial_close(&t);
    run(&t, "[0s, 1], [2.01s, 2]", pool, NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(2.02)});
    assert_int_equal(trial_counter(&t, "pool.connections_closed"), 2);
    trial_close(&t);
    run(&t, "[0s, 1], [0s, 2], [0s, 3]", pool, NULL);
    /* The second request ends at 2.01, when the connection is two seconds old. */
    probe_assert_times(&t, "far", 3, (sim_time[]){S(0.01), S(1.01), S(2.02)});
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 2);
    assert_int_equal(trial_counter(&t, "pool.total_wait_time"), S(1.01) + S(2.02));
    trial_close(&t);
}

static void the_minimum_is_refilled(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1]", "min_connections: 1, max_lifetime: 10s, refill_min: true", NULL);
    /* Made at 0.01 s and then every 10.01 s, one after the other. */
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 10);
    assert_int_equal(trial_counter(&t, "pool.connections_closed"), 9);
    trial_close(&t);
}

/* --- making ------------------------------------------------------------------------------ */

static void warms_up_one_after_the_other(void **state)
{
    (void)state;
    struct trial t;
    open_pool(&t, "[5ms, 1]", "min_connections: 3, warmup: true", NULL, "");
    static const struct {
        double at;
        int64_t idle, active, connecting;
    } steps[] = {{0.005, 0, 0, 1},  {0.01, 0, 0, 2},        {0.010000001, 1, 0, 2},
                 {0.0151, 1, 1, 1}, {0.020000001, 2, 1, 0}, {2, 3, 0, 0}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        trial_begin(&t, 0, S(steps[i].at));
        assert_int_equal(trial_level(&t, "pool.idle"), steps[i].idle);
        assert_int_equal(trial_level(&t, "pool.active"), steps[i].active);
        assert_int_equal(trial_level(&t, "pool.connecting"), steps[i].connecting);
    }
    trial_end(&t);
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 3);
    assert_int_equal(trial_counter(&t, "pool.acquisitions"), 1);
    assert_int_equal(trial_level(&t, "pool.total"), 3);
    trial_close(&t);
}

/* Who waits gets a connection of the warm-up as soon as it is made. */
static void warmed_connections_are_handed_over(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1ms, 1]", "max_connections: 1, min_connections: 1, warmup: true", NULL);
    probe_assert_times(&t, "far", 1, (sim_time[]){S(0.01)});
    assert_int_equal(trial_counter(&t, "pool.total_wait_time"), S(0.009));
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 1);
    trial_close(&t);
}

/* After so many attempts a request goes without; then one is made for who waits. */
static void connections_fail(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1ms, 2], [2ms, 3]",
        "max_connections: 1, connect_failure_rate: 1, connection_attempts: 3", NULL);
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(0.03), 1, 489}, {S(0.06), 2, 489}, {S(0.09), 3, 489}});
    assert_int_equal(trial_counter(&t, "pool.connection_failures"), 9);
    assert_int_equal(trial_counter(&t, "pool.failures"), 3);
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 0);
    assert_int_equal(trial_counter(&t, "pool.requests_sent"), 0);
    assert_int_equal(trial_level(&t, "pool.total"), 0);
    assert_int_equal(trial_level(&t, "pool.in_progress"), 0);
    trial_close(&t);
    /* A warm-up that fails ends there. */
    run(&t, "", "min_connections: 2, warmup: true, connect_failure_rate: 1", NULL);
    assert_int_equal(trial_counter(&t, "pool.connection_failures"), 1);
    assert_int_equal(trial_counter(&t, "pool.failures"), 0);
    trial_close(&t);
}

static void some_attempts_fail(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 1000s\n"
                   "entities:\n"
                   "  users: {type: client, target: pool, arrivals: {kind: constant, rate: 10/s}}\n"
                   "  pool: {type: connection_pool, target: far, max_lifetime: 1ns,\n"
                   "         connect_failure_rate: 0.3, connection_attempts: 2}\n"
                   "  far: {type: probe}\n");
    trial_run(&t, 0);
    /* 10,000 requests, each with a connection of its own: 13,000 attempts, 900 failures. */
    assert_in_range(trial_counter(&t, "pool.connection_failures"), 3700, 4100);
    assert_in_range(trial_counter(&t, "pool.failures"), 800, 1000);
    uint64_t ended =
        trial_counter(&t, "pool.failures") + trial_counter(&t, "pool.connections_created");
    assert_int_equal(ended, 10000 - 1); /* the last one comes at the end */
    assert_int_equal(trial_counter(&t, "users.refused"), trial_counter(&t, "pool.failures"));
    trial_close(&t);
}

/* --- giving up --------------------------------------------------------------------------- */

/* Who gives up while it waits leaves the line; who does while it has the connection leaves that at
 * once, and the target's answer is late. */
static void cancels_free_the_connection(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [0.1s, 2], [0.2s, 3], [0.3s, 2, cancel], [0.5s, 1, cancel]";
    run(&t, steps, "max_connections: 1", NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(0.5)});
    assert_int_equal(probe_visit(&t, "far", 1)->number, 3);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(1.5), 3, 200}});
    assert_int_equal(trial_counter(&t, "pool.cancels_received"), 2);
    assert_int_equal(trial_counter(&t, "pool.given_up"), 1);
    assert_int_equal(trial_counter(&t, "pool.releases"), 2);
    assert_int_equal(trial_counter(&t, "pool.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 1);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    trial_close(&t);
    run(&t, steps, "max_connections: 1, poison_on_timeout: close, pass_cancel: true", NULL);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(0.51)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(1.51), 3, 200}});
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 2);
    assert_int_equal(trial_counter(&t, "pool.connections_closed"), 2);
    assert_int_equal(trial_counter(&t, "pool.releases"), 2);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 1);
    trial_close(&t);
}

/* The connection of one who gave up while it was made goes to who waits, or is idle. */
static void connections_outlast_their_takers(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1ms, 2], [5ms, 1, cancel]", "max_connections: 1", NULL);
    probe_assert_times(&t, "far", 1, (sim_time[]){S(0.01)});
    assert_int_equal(probe_visit(&t, "far", 0)->number, 2);
    assert_int_equal(trial_counter(&t, "pool.given_up"), 1);
    assert_int_equal(trial_counter(&t, "pool.total_wait_time"), S(0.009));
    trial_close(&t);
    run(&t, "[0s, 1], [5ms, 1, cancel], [15ms, 2]", "max_connections: 1", NULL);
    probe_assert_times(&t, "far", 1, (sim_time[]){S(0.015)});
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 1);
    trial_close(&t);
}

/* Who asks for it is told when its request has got a connection, however it got it. */
static void pooled_requests_are_told(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1, ask_pooled], [0.5s, 2, ask_pooled], [0.6s, 3], [4s, 4, ask_pooled]",
        "max_connections: 1", NULL);
    asker_assert_replies(&t, "users", 7,
                         (struct asker_reply[]){{S(0.01), 1, 100},
                                                {S(1.01), 2, 100},
                                                {S(1.01), 1, 200},
                                                {S(2.01), 2, 200},
                                                {S(3.01), 3, 200},
                                                {S(4), 4, 100},
                                                {S(5), 4, 200}});
    trial_close(&t);
}

/* That is between the two of them: of a pool behind the pool nobody is told. */
static void each_pool_tells_its_own_caller(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: pool, steps: [[0s, 1, ask_pooled]]}\n"
                   "  pool: {type: connection_pool, target: other}\n"
                   "  other: {type: connection_pool, target: far}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(0.01), 1, 100}, {S(1.02), 1, 200}});
    trial_close(&t);
}

/* --- crashes ----------------------------------------------------------------------------- */

/* A crash closes what there is and forgets who waits or is served; the pool begins anew. */
static void a_crash_closes_all(void **state)
{
    (void)state;
    struct trial t;
    open_pool(&t, "[0s, 1], [0s, 2], [0.5s, 3], [1.5s, 4], [2.005s, 5], [6s, 6], [6.5s, 2, cancel]",
              "max_connections: 2, min_connections: 1, warmup: true",
              "{after: 5s}, {after: 0.1s}, {after: 5s}, {after: 1s}",
              "timeline: [{at: 1s, for: 1s, crash: pool}]");
    trial_run(&t, 0);
    /* At 1 s one connection is with request 1 and one with 3; 4 comes while it is down. Warm again
     * at 2.01 s; 5 has a connection of its own made at 2.015 s, and 6 has one that is idle. */
    probe_assert_times(&t, "far", 5, (sim_time[]){S(0.01), S(0.01), S(0.5), S(2.015), S(6)});
    asker_assert_replies(
        &t, "users", 3,
        (struct asker_reply[]){{S(0.11), 1, 200}, {S(3.015), 5, 200}, {S(7), 6, 200}});
    assert_int_equal(trial_counter(&t, "pool.requests_lost"), 2);
    assert_int_equal(trial_counter(&t, "pool.requests_missed"), 1);
    assert_int_equal(trial_counter(&t, "pool.late_responses"), 2);
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 4);
    assert_int_equal(trial_counter(&t, "pool.cancels_received"), 0);
    assert_int_equal(trial_level(&t, "pool.total"), 1);
    trial_close(&t);
}

/* What was not made yet is not closed. */
static void a_crash_while_connecting(void **state)
{
    (void)state;
    struct trial t;
    open_pool(&t, "[0s, 1], [0.995s, 2], [3s, 3]", "idle_timeout: none", "{after: 5s}, {after: 1s}",
              "timeline: [{at: 1s, for: 1s, crash: pool}]");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 2, (sim_time[]){S(0.01), S(3.01)});
    assert_int_equal(trial_counter(&t, "pool.connections_created"), 2);
    assert_int_equal(trial_counter(&t, "pool.connections_closed"), 1);
    assert_int_equal(trial_counter(&t, "pool.requests_lost"), 2);
    assert_int_equal(trial_integral(&t, "pool.connecting"), S(0.01) + S(0.005) + S(0.01));
    assert_int_equal(trial_level(&t, "pool.total"), 1);
    trial_close(&t);
}

/* --- whatever happens -------------------------------------------------------------------- */

static uint64_t count(const struct trial *t, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "pool.%s", stat);
    return trial_counter(t, name);
}

static uint64_t level(const struct trial *t, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "pool.%s", stat);
    return (uint64_t)trial_level(t, name);
}

/* What holds at any time, unless there was a crash: connections are active, idle or being made; and
 * requests, wherever they are or ended. */
static void assert_balance(const struct trial *t, uint64_t most)
{
    assert_true(level(t, "total") <= most);
    assert_int_equal(level(t, "active") + level(t, "idle") + level(t, "connecting"),
                     level(t, "total"));
    assert_int_equal(count(t, "connections_created") - count(t, "connections_closed"),
                     level(t, "active") + level(t, "idle"));
    assert_int_equal(count(t, "requests_sent"), count(t, "releases") + level(t, "active"));
    assert_int_equal(count(t, "acquisitions"), count(t, "requests_received"));
    uint64_t making = level(t, "in_progress") - level(t, "active") - level(t, "pending");
    assert_true(making <= level(t, "connecting"));
    assert_int_equal(count(t, "acquisitions"),
                     count(t, "releases") + count(t, "timeouts") + count(t, "failures") +
                         count(t, "given_up") + level(t, "active") + level(t, "pending") + making);
    assert_int_equal(count(t, "requests_received"),
                     count(t, "responses_received") + count(t, "timeouts") + count(t, "failures") +
                         count(t, "cancels_received") + level(t, "in_progress"));
    assert_true(level(t, "pending") <= level(t, "connecting") || level(t, "total") == most);
}

/* A script of requests numbered as they come, of which some are given up after a while. */
static void write_steps(char *text, size_t size, struct rng_stream *r, uint32_t requests)
{
    size_t n = 0;
    uint64_t at = 0;
    for (uint32_t i = 1; i <= requests; i++) {
        at += rng_bits(r) % 20;
        const char *what = rng_bits(r) % 2 ? "ask" : "ask_pooled";
        n += (size_t)snprintf(text + n, size - n, "[%llums, %u, %s], ", (unsigned long long)at, i,
                              what);
        if (rng_bits(r) % 3 == 0) {
            n += (size_t)snprintf(text + n, size - n, "[%llums, %u, cancel], ",
                                  (unsigned long long)(at + rng_bits(r) % 100), i);
        }
    }
    assert_true(n < size);
}

static void play_at_random(uint64_t seed)
{
    struct rng_stream r;
    rng_init(&r, &(struct rng_key){.seed = seed});
    char steps[12288], pool[512];
    write_steps(steps, sizeof steps, &r, 200);
    unsigned most = 1 + (unsigned)(rng_bits(&r) % 4), least = (unsigned)(rng_bits(&r) % (most + 1));
    snprintf(pool, sizeof pool,
             "max_connections: %u, min_connections: %u, warmup: %s, refill_min: %s,\n"
             "         connection_latency: {uniform: {high: %ums}}, connection_timeout: %ums,\n"
             "         idle_timeout: %ums, max_lifetime: %s, connect_failure_rate: %s,\n"
             "         connection_attempts: %u, poison_on_timeout: %s, pass_cancel: %s",
             most, least, rng_bits(&r) % 2 ? "true" : "false", rng_bits(&r) % 2 ? "true" : "false",
             (unsigned)(rng_bits(&r) % 20), 1 + (unsigned)(rng_bits(&r) % 200),
             1 + (unsigned)(rng_bits(&r) % 50), rng_bits(&r) % 2 ? "none" : "150ms",
             rng_bits(&r) % 2 ? "0" : "0.3", 1 + (unsigned)(rng_bits(&r) % 3),
             rng_bits(&r) % 2 ? "reuse" : "close", rng_bits(&r) % 2 ? "true" : "false");
    struct trial t;
    open_pool(&t, steps, pool, "{after: {exponential: 30ms}}", "");
    trial_begin(&t, 0, 0);
    for (sim_time at = 0; at < S(4); at += S(0.0133)) {
        assert_true(sim_run_until(t.sim, at, 0));
        assert_balance(&t, most);
    }
    trial_end(&t);
    assert_balance(&t, most);
    assert_int_equal(level(&t, "in_progress"), 0);
    for (uint32_t i = 1; most == 1 && i < probe_visits(&t, "far"); i++) {
        assert_true(probe_visit(&t, "far", i)->number > probe_visit(&t, "far", i - 1)->number);
    }
    trial_close(&t);
}

/* Also: with one connection requests are sent on in the order they came. */
static void whatever_happens_adds_up(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        play_at_random(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_connection_serves_one_after_the_other),
                                       cmocka_unit_test(the_maximum_is_strict),
                                       cmocka_unit_test(the_oldest_is_used_again),
                                       cmocka_unit_test(waits_end_exactly),
                                       cmocka_unit_test(idle_connections_are_closed_to_the_minimum),
                                       cmocka_unit_test(closing_wins_ties),
                                       cmocka_unit_test(connections_grow_old),
                                       cmocka_unit_test(the_minimum_is_refilled),
                                       cmocka_unit_test(warms_up_one_after_the_other),
                                       cmocka_unit_test(warmed_connections_are_handed_over),
                                       cmocka_unit_test(connections_fail),
                                       cmocka_unit_test(some_attempts_fail),
                                       cmocka_unit_test(cancels_free_the_connection),
                                       cmocka_unit_test(connections_outlast_their_takers),
                                       cmocka_unit_test(pooled_requests_are_told),
                                       cmocka_unit_test(each_pool_tells_its_own_caller),
                                       cmocka_unit_test(a_crash_closes_all),
                                       cmocka_unit_test(a_crash_while_connecting),
                                       cmocka_unit_test(whatever_happens_adds_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
