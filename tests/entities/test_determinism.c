/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run depends on (its model, seed and replication) and what it does not (what ran before,
 * where it was interrupted, what else is in the model, which statistics are kept).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "support/draft.h"
#include "support/random_mesh.h"
#include "support/storm.h"
#include "support/trial.h"

static const char *const groups[] = {"users", "robots", "crawlers", "web", "db"};

static void assert_same(const struct trial *a, const struct trial *b, bool buckets)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        assert_true(trial_same(a, b, groups[i], buckets));
    }
}

static void run_storm(struct trial *t, uint64_t replication)
{
    trial_open(t, "%s", STORM);
    trial_run(t, replication);
}

/* What there is of it; of a call's mechanisms, each somewhere. */
static const struct {
    const char *stat;
    uint64_t least;
} parts_of_the_storm[] = {{"users.retries", 500},
                          {"users.retries_denied", 100},
                          {"users.hedges", 100},
                          {"users.hedge_wins", 10},
                          {"users.messages_lost", 50},
                          {"users.late_successes", 10},
                          {"users.abandoned", 10},
                          {"users.circuit_broken", 100},
                          {"robots.timeouts", 100},
                          {"robots.hedges", 100},
                          {"robots.cancelled", 50},
                          {"robots.throttled", 100},
                          {"robots.dropped", 10},
                          {"robots.refused", 1},
                          {"robots.reconnects", 10},
                          {"robots.late_responses", 10},
                          {"crawlers.retries", 100},
                          {"crawlers.retries_denied", 10},
                          {"crawlers.circuit_broken", 100},
                          {"crawlers.low_timeouts", 1},
                          {"web.downstream_retries", 100},
                          {"web.downstream_retries_denied", 10},
                          {"web.downstream_circuit_broken", 100},
                          {"web.downstream_breaker_times_closed", 10},
                          {"web.downstream_throttled", 100},
                          {"web.downstream_dropped", 10},
                          {"web.downstream_abandoned", 10},
                          {"web.requests_rejected", 100},
                          {"web.requests_refused", 10},
                          {"web.requests_cancelled", 10},
                          {"web.rejected_low_timeout", 1},
                          {"web.deadline_exceeded", 10},
                          {"web.requests_lost", 10},
                          {"web.replies_dropped", 10},
                          {"db.requests_cancelled", 10},
                          {"db.requests_rejected", 10}};

static void the_storm_is_a_storm(void **state)
{
    (void)state;
    struct trial t;
    bool all = true;
    run_storm(&t, 0);
    for (size_t i = 0; i < sizeof parts_of_the_storm / sizeof parts_of_the_storm[0]; i++) {
        uint64_t n = trial_counter(&t, parts_of_the_storm[i].stat);
        if (n < parts_of_the_storm[i].least) {
            print_message("%s: %" PRIu64 "\n", parts_of_the_storm[i].stat, n);
            all = false;
        }
    }
    assert_true(all);
    trial_close(&t);
}

static void a_reset_leaves_nothing_behind(void **state)
{
    (void)state;
    struct trial fresh, used;
    run_storm(&fresh, 3);
    run_storm(&used, 7);
    assert_false(trial_same(&fresh, &used, "db", true));
    assert_true(sim_digest(fresh.sim) != sim_digest(used.sim));
    trial_run(&used, 3);
    assert_same(&fresh, &used, true);
    assert_true(sim_digest(fresh.sim) == sim_digest(used.sim));
    assert_int_equal(sim_events(fresh.sim), sim_events(used.sim));
    /* Also after a replication that was broken off in the middle of the crash. */
    trial_begin(&used, 5, 9 * SIM_TIME_S + SIM_TIME_S / 2);
    trial_run(&used, 3);
    assert_same(&fresh, &used, true);
    assert_true(sim_digest(fresh.sim) == sim_digest(used.sim));
    trial_close(&fresh);
    trial_close(&used);
}

/* The same of small studies, each with other mechanisms. */
static void nor_does_it_in_studies_at_random(void **state)
{
    (void)state;
    enum { STUDIES = 200 };
    static char text[32768];
    for (uint64_t n = 0; n < STUDIES; n++) {
        random_mesh(n, text, sizeof text);
        struct trial fresh, used;
        trial_open(&fresh, "%s", text);
        trial_run(&fresh, 3);
        trial_open(&used, "%s", text);
        trial_run(&used, 7);
        trial_begin(&used, 5, (sim_time)n * 2 * SIM_TIME_MS);
        trial_run(&used, 3);
        if (sim_digest(fresh.sim) != sim_digest(used.sim) ||
            !trial_same(&fresh, &used, "users0", true) ||
            !trial_same(&fresh, &used, "tier0", true)) {
            puts(text);
            fail_msg("study %" PRIu64 " differs", n);
        }
        trial_close(&fresh);
        trial_close(&used);
    }
}

static void interruptions_change_nothing(void **state)
{
    (void)state;
    struct trial whole, parts;
    run_storm(&whole, 1);
    trial_open(&parts, "%s", STORM);
    sim_reset(parts.sim, 1, 1);
    sim_time limit = 0;
    for (uint64_t i = 1; limit < 19 * SIM_TIME_S; i++) {
        bool done = sim_run_until(parts.sim, limit, i % 997);
        limit += done ? (sim_time)(i * UINT64_C(7919) % 100000007) : 0;
    }
    trial_end(&parts);
    assert_same(&whole, &parts, true);
    assert_true(sim_digest(whole.sim) == sim_digest(parts.sim));
    trial_close(&whole);
    trial_close(&parts);
}

static void strangers_change_nothing(void **state)
{
    (void)state;
    static const char before[] = "  aliens: {type: client, target: far, call: {timeout: 30ms},\n"
                                 "           arrivals: {kind: poisson, rate: 200/s}}\n"
                                 "  far: {type: server, service_time: {exponential: 4ms}}\n";
    static const char after[] = "  zebras: {type: client, count: 2, target: zoo,\n"
                                "           arrivals: {kind: poisson, rate: 100/s}}\n"
                                "  zoo: {type: delay, latency: {exponential: 4ms}}\n";
    struct trial alone, among;
    run_storm(&alone, 1);
    trial_open(&among, "%sentities:\n%s%s%s%s", STORM_SETTINGS, before, STORM_ENTITIES, after,
               STORM_REST);
    trial_run(&among, 1);
    assert_same(&alone, &among, true);
    assert_true(trial_counter(&among, "zoo.requests_received") > 1000);
    trial_close(&alone);
    trial_close(&among);
}

/* A run's figures without buckets, with series, and without warm-up. */
static void what_is_kept_changes_nothing(void **state)
{
    (void)state;
    struct trial all, few, sampled;
    run_storm(&all, 1);
    trial_open(&few, "%soutput: {histograms: none}\n", STORM);
    trial_run(&few, 1);
    assert_same(&all, &few, false);
    assert_true(sim_digest(all.sim) == sim_digest(few.sim));
    trial_open(&sampled, "%sinterval: 130ms\noutput: {series: [users, web, db]}\n", STORM);
    trial_run(&sampled, 1);
    assert_same(&all, &sampled, true);
    assert_true(sim_digest(all.sim) == sim_digest(sampled.sim));
    trial_close(&all);
    trial_close(&few);
    trial_close(&sampled);
}

/* Where somebody looks on, calls go another way, in which each of their ends is told. */
static void nor_does_who_looks_on(void **state)
{
    (void)state;
    enum { STUDIES = 400 };
    uint64_t retries = 0, late = 0;
    for (uint64_t n = 0; n < STUDIES; n++) {
        char text[4096];
        struct draft d;
        draft_begin(&d, n, 1, text, sizeof text);
        draft_add(&d, "squall: 1\nduration: 3s\nentities:\n"
                      "  users: {type: client, target: web, arrivals: {poisson: 400/s},\n    ");
        draft_requests(&d);
        draft_add(&d, ",\n    call: {");
        draft_plain_call(&d);
        draft_add(&d, "}}\n  web: {type: server, concurrency: 4, service_time: {exponential: 9ms},"
                      " queue: {capacity: 20},\n    ");
        draft_answers(&d);
        draft_add(&d, ",\n    calls: [{target: db, ");
        draft_plain_call(&d);
        draft_add(&d, "}]}\n  db: {type: server, service_time: 1ms, ");
        draft_answers(&d);
        draft_add(&d, "}\n  watched: {type: client, target: db, arrivals: {poisson: 10/s}}\n");
        struct trial alone, watched;
        trial_open(&alone, "%s", text);
        trial_open(&watched, "%soutput: {breakdowns: [watched]}\n", text);
        trial_run(&alone, 1);
        trial_run(&watched, 1);
        if (sim_digest(alone.sim) != sim_digest(watched.sim) ||
            !trial_same(&alone, &watched, "users", true) ||
            !trial_same(&alone, &watched, "web", true)) {
            puts(text);
            fail_msg("study %" PRIu64 " differs", n);
        }
        retries += trial_counter(&alone, "users.retries");
        late += trial_counter(&alone, "users.late_successes");
        trial_close(&alone);
        trial_close(&watched);
    }
    assert_true(retries > 10000);
    assert_true(late > 100);
}

static uint64_t requests(const char *name, uint64_t seed, uint64_t replication)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 1000s\n"
               "seed: %d\n"
               "entities:\n"
               "  %s: {type: client, target: far, arrivals: {kind: poisson, rate: 1000/s}}\n"
               "  far: {type: delay}\n",
               (int)seed, name);
    trial_run(&t, replication);
    uint64_t n = trial_counter(&t, "far.requests_received");
    trial_close(&t);
    return n;
}

/* Chance belongs to names, seeds and replications: another one is another world. */
static void chance_has_its_keys(void **state)
{
    (void)state;
    uint64_t n = requests("users", 1, 0);
    assert_int_equal(requests("users", 1, 0), n);
    assert_int_not_equal(requests("others", 1, 0), n);
    assert_int_not_equal(requests("users", 2, 0), n);
    assert_int_not_equal(requests("users", 1, 1), n);
}

/* The order in which a configuration names its entities matters to none of them. */
static void the_order_of_entities_changes_nothing(void **state)
{
    (void)state;
    static const char settings[] = "squall: 1\nduration: 100s\nentities:\n";
    static const char far[] = "  far: {type: server, service_time: {exponential: 4ms}}\n";
    static const char users[] = "  users: {type: client, target: far, call: {timeout: 30ms},\n"
                                "          arrivals: {kind: poisson, rate: 200/s}}\n";
    struct trial one, other;
    trial_open(&one, "%s%s%s", settings, far, users);
    trial_open(&other, "%s%s%s", settings, users, far);
    trial_run(&one, 0);
    trial_run(&other, 0);
    assert_true(trial_same(&one, &other, "far", true));
    assert_true(trial_same(&one, &other, "users", true));
    trial_close(&one);
    trial_close(&other);
}

/* What a series adds up to, without warm-up, is the total. */
static void series_add_up(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\nduration: 20s\ninterval: 130ms\nentities:\n%s%s"
               "output: {series: [users, robots, crawlers, web, db]}\n",
               STORM_ENTITIES, STORM_REST);
    trial_run(&t, 0);
    const struct blueprint *b = &t.study->blueprint;
    for (entity_id id = 0; id < b->n_entities; id++) {
        uint32_t column = 0;
        const struct series *s = sim_series(t.sim, id, &column);
        assert_non_null(s);
        assert_int_equal(s->intervals, 154); /* the last one is shorter */
        const char *stats = sim_stats(t.sim, id);
        const struct stat_spec *row = blueprint_group(b, id)->type->stats;
        for (; row->name; row++, column++) {
            if (row->kind == STAT_BREAKDOWN) {
                continue; /* has no series */
            }
            uint64_t sum = 0;
            int64_t most = 0;
            for (uint32_t i = 0; i < s->intervals; i++) {
                const uint32_t *bin;
                const uint64_t *count;
                int64_t max = 0;
                if (row->kind == STAT_HISTOGRAM) {
                    for (size_t n = series_histogram(s, column, i, &bin, &count); n > 0; n--) {
                        sum += count[n - 1];
                    }
                } else {
                    sum += row->kind == STAT_COUNTER ? series_counter(s, column, i)
                                                     : series_gauge(s, column, i, &max);
                }
                most = max > most ? max : most;
            }
            const void *member = stats + row->offset;
            if (row->kind == STAT_COUNTER) {
                assert_int_equal(sum, *(const uint64_t *)member);
            } else if (row->kind == STAT_GAUGE) {
                assert_int_equal(sum, ((const struct gauge *)member)->integral);
                assert_int_equal(most, ((const struct gauge *)member)->max);
            } else {
                assert_int_equal(sum, ((const struct histogram *)member)->total);
            }
        }
    }
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_storm_is_a_storm),
                                       cmocka_unit_test(a_reset_leaves_nothing_behind),
                                       cmocka_unit_test(nor_does_it_in_studies_at_random),
                                       cmocka_unit_test(interruptions_change_nothing),
                                       cmocka_unit_test(strangers_change_nothing),
                                       cmocka_unit_test(what_is_kept_changes_nothing),
                                       cmocka_unit_test(nor_does_who_looks_on),
                                       cmocka_unit_test(chance_has_its_keys),
                                       cmocka_unit_test(the_order_of_entities_changes_nothing),
                                       cmocka_unit_test(series_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
