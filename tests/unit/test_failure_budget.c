/* SPDX-License-Identifier: Apache-2.0
 *
 * The failure budget: its window, against vectors worked out by hand and against one that is
 * counted anew each time; and what becomes of a replication that spends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "policies/failure_budget.h"
#include "results/record.h"
#include "rng/stream.h"
#include "support/trial.h"

static const sim_time S = SIM_TIME_S, MS = SIM_TIME_MS;

/* --- the window -------------------------------------------------------------------------- */

enum { ROOM = 1 << 14 };
static struct failure_entry memory[ROOM];

static struct failure_window begin(uint64_t capacity)
{
    return (struct failure_window){.ring = memory, .capacity = capacity};
}

static struct failure_budget budget(uint64_t billionths, sim_time window, int64_t min_samples)
{
    return (struct failure_budget){
        .billionths = billionths, .window = window, .min_samples = min_samples};
}

static void the_third_failure_breaches(void **state)
{
    (void)state;
    struct failure_budget b = budget(500000000, 10 * S, 3);
    struct failure_window w = begin(8);
    assert_false(failure_budget_feed(&b, &w, 0, true));
    assert_false(failure_budget_feed(&b, &w, 1 * S, true));
    assert_true(failure_budget_feed(&b, &w, 2 * S, true));
    assert_int_equal(w.failures, 3);
}

static void it_is_spent_once_and_stays_so(void **state)
{
    (void)state;
    struct failure_budget b = budget(0, 10 * S, 1);
    struct failure_window w = begin(8);
    assert_true(failure_budget_feed(&b, &w, 0, true));
    for (int i = 1; i < 100; i++) {
        assert_false(failure_budget_feed(&b, &w, i * S, i % 2));
    }
    assert_true(w.tripped);
    assert_int_equal(w.outcomes, 1); /* nothing is counted any more */
}

static void an_outcome_as_old_as_the_window_still_counts(void **state)
{
    (void)state;
    struct failure_budget b = budget(500000000, 10 * S, 2);
    struct failure_window w = begin(8);
    failure_budget_feed(&b, &w, 5, true);
    assert_true(failure_budget_feed(&b, &w, 5 + 10 * S, true));
    w = begin(8);
    failure_budget_feed(&b, &w, 5, true);
    assert_false(failure_budget_feed(&b, &w, 6 + 10 * S, true)); /* one alone is not enough */
    assert_int_equal(w.outcomes, 1);
}

static void the_share_itself_is_not_yet_too_much(void **state)
{
    (void)state;
    for (uint64_t percent = 1; percent <= 99; percent++) {
        struct failure_budget b = budget(percent * 10000000, S, 100);
        struct failure_window w = begin(8);
        for (uint64_t i = 0; i < 100; i++) {
            assert_false(failure_budget_feed(&b, &w, 0, i < percent));
        }
        assert_true(failure_budget_feed(&b, &w, 0, true));
    }
}

static void outcomes_of_one_instant_share_an_entry(void **state)
{
    (void)state;
    struct failure_budget b = budget(1000000000, S, 1);
    struct failure_window w = begin(2);
    for (int i = 0; i < 1000; i++) {
        assert_false(failure_budget_feed(&b, &w, i / 500, i % 3 == 0));
    }
    assert_int_equal(w.n, 2);
    assert_int_equal(w.outcomes, 1000);
    assert_int_equal(w.failures, 334);
}

/* Times and outcomes by chance, the ring growing from nothing while it goes round; every answer is
 * that of a list looked through from the start. */
static void it_slides_as_a_list_would(void **state)
{
    (void)state;
    enum { N = 8000 };
    static sim_time time[N];
    static bool failed[N];
    struct rng_stream chance;
    rng_init(&chance, &(struct rng_key){.seed = 1});
    struct failure_budget b = budget(1000000000, 100, 1); /* never spent */
    struct failure_window w = begin(0);
    sim_time now = 0;
    uint64_t grown = 0;
    for (int i = 0; i < N; i++) {
        now += (sim_time)rng_below(&chance, i < N / 2 ? 5 : 3);
        time[i] = now;
        failed[i] = rng_below(&chance, 4) == 0;
        if (failure_window_full(&w)) {
            failure_window_grow(&w, memory, w.capacity ? 2 * w.capacity : 1);
            grown++;
        }
        failure_budget_feed(&b, &w, now, failed[i]);
        uint64_t outcomes = 0, failures = 0;
        for (int k = i; k >= 0 && time[k] >= now - 100; k--) {
            outcomes++;
            failures += failed[k];
        }
        assert_int_equal(w.outcomes, outcomes);
        assert_int_equal(w.failures, failures);
    }
    assert_in_range(grown, 6, 9);
    assert_int_equal(w.capacity, 1 << (grown - 1));
}

/* --- rows -------------------------------------------------------------------------------- */

/* Requests at given times to one who never answers: each fails 500 ms after it was made. */
#define MUTE \
    "  users: {type: client, target: web, arrivals: {times: [%s]}, call: {timeout: 500ms%s}}\n" \
    "  web: {type: delay, latency: 1h}\n"

static void open_mute(struct trial *t, const char *head, const char *times, const char *call,
                      const char *budget_text)
{
    trial_open(t, "squall: 1\n%s\nentities:\n" MUTE "failure_budget: %s\n", head, times, call,
               budget_text);
}

static void a_block_alone_has_the_defaults(void **state)
{
    (void)state;
    struct trial t;
    open_mute(&t, "duration: 10s", "0s", "", "{}");
    const struct failure_budget *b = t.study->blueprint.budget.policy;
    assert_int_equal(b->billionths, 50000000);
    assert_int_equal(b->window, 30 * S);
    assert_int_equal(b->min_samples, 50);
    assert_int_equal(b->action, BUDGET_END_RUN);
    assert_int_equal(b->of, OUTCOME_OF_ATTEMPTS);
    assert_int_equal(b->from, 0);
    assert_int_equal(b->until, SIM_TIME_NEVER);
    assert_int_equal(t.study->blueprint.budget.n_watched, 1); /* those who are called by nobody */
    assert_int_equal(t.study->blueprint.budget.watched[0].first, trial_entity(&t, "users"));
    trial_close(&t);
}

static void without_a_block_there_is_none(void **state)
{
    (void)state;
    struct trial t;
    open_mute(&t, "duration: 10s", "0s", "", "[]");
    assert_null(t.study->blueprint.budget.policy);
    trial_run(&t, 0);
    assert_int_equal(sim_tripped(t.sim), SIM_TIME_NEVER);
    assert_int_equal(sim_end(t.sim), 10 * S);
    trial_close(&t);
}

/* --- runs -------------------------------------------------------------------------------- */

static const char five[] = "0s, 100ms, 200ms, 300ms, 500ms, 900ms, 1s, 1.1s, 2s";

/* The figures of two trials, which may end at different times by their studies. */
static bool same_record(const struct trial *a, const struct trial *b)
{
    struct buffer x = {0}, y = {0};
    struct record_head head = {.digest = sim_digest(a->sim), .events = sim_events(a->sim)};
    record_encode(&head, a->sim, &x);
    head = (struct record_head){.digest = sim_digest(b->sim), .events = sim_events(b->sim)};
    record_encode(&head, b->sim, &y);
    bool same = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    buffer_close(&x);
    buffer_close(&y);
    return same;
}

/* The fifth failure, at 1 s, is also at the end of an interval. */
static void the_run_ends_as_one_of_that_length(void **state)
{
    (void)state;
    static const char *const intervals[] = {"1s", "500ms", "300ms", "none"};
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
        char head[2][100];
        snprintf(head[0], sizeof head[0], "duration: 1h\ninterval: %s", intervals[i]);
        snprintf(head[1], sizeof head[1], "duration: 1s\ninterval: %s", intervals[i]);
        struct trial spent, whole;
        open_mute(&spent, head[0], five, "", "{min_samples: 5, window: 600ms}");
        open_mute(&whole, head[1], five, "", "[]");
        trial_run(&spent, 0);
        trial_run(&whole, 0);
        assert_int_equal(sim_tripped(spent.sim), 1 * S);
        assert_int_equal(sim_end(spent.sim), 1 * S);
        assert_false(sim_went_beyond(spent.sim));
        assert_true(same_record(&spent, &whole));
        trial_close(&spent);
        trial_close(&whole);
    }
}

/* What happens at the instant itself still happens, whatever its order: one more request. */
static void all_of_the_instant_is_included(void **state)
{
    (void)state;
    struct trial t;
    open_mute(&t, "duration: 1h", five, "", "{min_samples: 5}");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.logical_requests"), 7);
    assert_int_equal(trial_counter(&t, "users.timeouts"), 5);
    trial_close(&t);
}

static void a_storm_ends_as_one_of_that_length(void **state)
{
    (void)state;
    static const char *const study =
        "squall: 1\nduration: %s\nwarmup: 500ms\ninterval: 100ms\nentities:\n"
        "  users: {type: client, count: 5, target: web, arrivals: {poisson: 40/s},\n"
        "          call: {timeout: 50ms, retry: {kind: fixed, max_attempts: 3, delay: 10ms}}}\n"
        "  web: {type: server, service_time: {exponential: 4ms}}\n"
        "network: [{latency: 1ms}]\n%s";
    struct trial spent, whole;
    trial_open(&spent, study, "1h", "failure_budget: {threshold: 45%, window: 1s}\n");
    trial_run(&spent, 3);
    sim_time end = sim_end(spent.sim);
    assert_in_range(end, 1 * S, 100 * S);
    char duration[32];
    snprintf(duration, sizeof duration, "%.9fs", (double)end * 1e-9);
    trial_open(&whole, study, duration, "");
    trial_run(&whole, 3);
    assert_true(same_record(&spent, &whole));
    trial_close(&spent);
    trial_close(&whole);
}

static void nothing_is_measured_before_the_warm_up_is_over(void **state)
{
    (void)state;
    static const char *const warmups[] = {"2s", "1s"}; /* the end is at 1 s */
    for (int i = 0; i < 2; i++) {
        char head[100];
        snprintf(head, sizeof head, "duration: 1h\ninterval: 400ms\nwarmup: %s", warmups[i]);
        struct trial t;
        open_mute(&t, head, five, "", "{min_samples: 5}");
        trial_run(&t, 0);
        assert_int_equal(sim_end(t.sim), 1 * S);
        assert_int_equal(trial_counter(&t, "users.timeouts"), 0);
        assert_int_equal(trial_integral(&t, "users.in_flight"), 0);
        uint32_t column;
        const struct series *s = sim_series(t.sim, trial_entity(&t, "users"), &column);
        assert_int_equal(s->intervals, 3); /* series show the warm-up, too */
        assert_int_equal(series_counter(s, column, 0), 4);
        assert_int_equal(series_counter(s, column, 1), 1);
        assert_int_equal(series_counter(s, column, 2), 2);
        trial_close(&t);
    }
}

static void stopped_sources_make_no_requests_later(void **state)
{
    (void)state;
    struct trial t;
    open_mute(&t, "duration: 10s", five, ", retry: {kind: fixed, max_attempts: 2, delay: 0s}",
              "{min_samples: 5, action: stop_sources}");
    trial_run(&t, 0);
    /* Outcomes are those of attempts: at .5, .6, .7, .8, and two at 1 s. */
    assert_int_equal(sim_tripped(t.sim), 1 * S);
    assert_int_equal(sim_end(t.sim), 10 * S);
    assert_int_equal(trial_counter(&t, "users.logical_requests"), 7); /* that at 1 s is the last */
    assert_int_equal(trial_counter(&t, "users.requests_sent"), 14);
    assert_int_equal(trial_counter(&t, "users.failures"), 7); /* what was under way ran on */
    trial_close(&t);
}

static void users_of_a_closed_loop_stop_too(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\nduration: 1m\nentities:\n"
                   "  users: {type: client, target: web, call: {timeout: 50ms},\n"
                   "          arrivals: {closed: {users: 3, think_time: 100ms}}}\n"
                   "  web: {type: delay, latency: 1h}\n"
                   "failure_budget: {min_samples: 4, action: stop_sources}\n"
                   "timeline: [{at: 10s, for: 1s, crash: users}]\n");
    trial_run(&t, 0);
    assert_int_equal(sim_tripped(t.sim), 300 * MS);
    assert_int_equal(trial_counter(&t, "users.logical_requests"), 6);
    assert_int_equal(trial_counter(&t, "users.failures"), 6);
    trial_close(&t);
}

static void who_is_not_watched_goes_on(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\nduration: 10s\nentities:\n"
                   "  users: {type: client, count: 2, target: web, arrivals: {constant: 10/s},\n"
                   "          call: {timeout: 50ms}}\n"
                   "  web: {type: delay, latency: 1h}\n"
                   "failure_budget: {min_samples: 5, action: stop_sources,\n"
                   "                 entities: \"users[1]\"}\n");
    trial_run(&t, 0);
    assert_int_equal(sim_tripped(t.sim), 550 * MS);
    assert_int_equal(trial_counter(&t, "users[1].logical_requests"), 5);
    assert_in_range(trial_counter(&t, "users[0].logical_requests"), 99, 101);
    trial_close(&t);
}

static sim_time trips_at(const char *call, const char *budget_text)
{
    struct trial t;
    open_mute(&t, "duration: 10s", five, call, budget_text);
    trial_run(&t, 0);
    sim_time at = sim_tripped(t.sim);
    trial_close(&t);
    return at;
}

static void requests_fail_after_their_last_attempt(void **state)
{
    (void)state;
    static const char call[] = ", retry: {kind: fixed, max_attempts: 2, delay: 100ms}";
    assert_int_equal(trips_at(call, "{min_samples: 3}"), 700 * MS);
    assert_int_equal(trips_at(call, "{min_samples: 3, of: requests}"), 1300 * MS);
}

static void it_is_in_force_from_a_time_until_another(void **state)
{
    (void)state;
    assert_int_equal(trips_at("", "{min_samples: 3}"), 700 * MS);
    assert_int_equal(trips_at("", "{min_samples: 3, from: 600ms}"), 800 * MS);
    assert_int_equal(trips_at("", "{min_samples: 3, from: 601ms}"), 1000 * MS);
    assert_int_equal(trips_at("", "{min_samples: 3, until: 701ms}"), 700 * MS);
    assert_int_equal(trips_at("", "{min_samples: 3, until: 700ms}"), SIM_TIME_NEVER);
}

/* Every replication begins with the whole budget. */
static void the_next_replication_begins_anew(void **state)
{
    (void)state;
    struct trial t;
    open_mute(&t, "duration: 1h", five, "", "{min_samples: 5}");
    for (uint64_t r = 0; r < 3; r++) {
        trial_run(&t, r);
        assert_int_equal(sim_tripped(t.sim), 1 * S);
        assert_int_equal(trial_counter(&t, "users.timeouts"), 5);
    }
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_third_failure_breaches),
        cmocka_unit_test(it_is_spent_once_and_stays_so),
        cmocka_unit_test(an_outcome_as_old_as_the_window_still_counts),
        cmocka_unit_test(the_share_itself_is_not_yet_too_much),
        cmocka_unit_test(outcomes_of_one_instant_share_an_entry),
        cmocka_unit_test(it_slides_as_a_list_would),
        cmocka_unit_test(a_block_alone_has_the_defaults),
        cmocka_unit_test(without_a_block_there_is_none),
        cmocka_unit_test(the_run_ends_as_one_of_that_length),
        cmocka_unit_test(all_of_the_instant_is_included),
        cmocka_unit_test(a_storm_ends_as_one_of_that_length),
        cmocka_unit_test(nothing_is_measured_before_the_warm_up_is_over),
        cmocka_unit_test(stopped_sources_make_no_requests_later),
        cmocka_unit_test(users_of_a_closed_loop_stop_too),
        cmocka_unit_test(who_is_not_watched_goes_on),
        cmocka_unit_test(requests_fail_after_their_last_attempt),
        cmocka_unit_test(it_is_in_force_from_a_time_until_another),
        cmocka_unit_test(the_next_replication_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
