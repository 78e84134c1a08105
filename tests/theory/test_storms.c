/* SPDX-License-Identifier: Apache-2.0
 *
 * Storms and what ends them: the scenarios of configs/scenarios about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "support/claim.h"

/* --- attempts that grow round by round ----------------------------------------------------- */

static void a_hundred_more_arrive_every_second(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/retry_growth.yaml", NULL);
    trial_run(&t, 0);
    for (uint32_t i = 0; i < trial_intervals(&t); i++) {
        uint64_t rounds = i < 10 ? i + 1 : 10;
        assert_int_equal(trial_in_interval(&t, "service.requests_received", i),
                         10000 + 100 * rounds);
        assert_int_equal(trial_in_interval(&t, "users.failures", i), i < 9 ? 0 : 100);
    }
    trial_close(&t);
}

/* Attempts per second where each is refused with the same probability. */
static void grown(const char *rate, int attempts, double warmup, double load)
{
    char arrivals[96], most[64], begin[64], end[64], what[96];
    snprintf(arrivals, sizeof arrivals, "users.arrivals={kind: poisson, rate: %s}", rate);
    snprintf(most, sizeof most, "users.call.retry.max_attempts=%d", attempts);
    snprintf(begin, sizeof begin, "warmup=%gs", warmup);
    snprintf(end, sizeof end, "duration=%gs", warmup + 10.0);
    snprintf(what, sizeof what, "%s, %d attempts", rate, attempts);
    struct trial t;
    trial_load(&t, "configs/scenarios/retry_growth.yaml",
               (const char *const[]){arrivals, most, begin, end, "interval=none",
                                     "output.series=[]", "service.queue.capacity=200",
                                     "service.service_time={exponential: 1s}",
                                     "users.call.retry.delay={uniform: {high: 2s}}", NULL});
    claims_hold(
        what, &t,
        (struct claim[]){CLAIM_RATE("service.requests_received", load, 0.01),
                         CLAIM_RATE("service.requests_completed", 10000.0, 0.01),
                         CLAIM_RATIO("service.requests_rejected", "service.requests_received",
                                     1.0 - 10000.0 / load, 0.02),
                         CLAIMS_END});
    trial_close(&t);
}

/* By a hundred more every second the last two would take minutes, so a burst, after it has filled
 * the service, brings them near. There is one fixed point, and they do not keep to the burst's. */
static void attempts_grow_to_a_fixed_point(void **state)
{
    (void)state;
    grown("12000/s", 4, 20.0, 27696.4659);
    grown("{steps: [[0s, 12000/s], [4.1s, 10100/s]]}", 4, 30.0, 14607.9682);
    grown("{steps: [[0s, 12000/s], [10.3s, 10100/s]]}", 10, 40.0, 27051.1415);
}

/* --- storms that outlive their cause -------------------------------------------------------- */

enum { SEEDS = 6 };

/* In how many of the replications less than a tenth of the requests succeed in the last
 * twenty seconds, the trigger having ended another twenty before. */
static int collapses(const char *scenario, const char *users, const char *override)
{
    char path[64], successes[64], requests[64];
    snprintf(path, sizeof path, "configs/scenarios/%s.yaml", scenario);
    snprintf(successes, sizeof successes, "%s.successes", users);
    snprintf(requests, sizeof requests, "%s.logical_requests", users);
    struct trial t;
    trial_load(&t, path, (const char *const[]){override, "duration=110s", NULL});
    int n = 0;
    for (uint64_t r = 0; r < SEEDS; r++) {
        trial_run(&t, r);
        uint64_t good = 0, all = 0;
        for (uint32_t i = trial_intervals(&t) - 20; i < trial_intervals(&t); i++) {
            good += trial_in_interval(&t, successes, i);
            all += trial_in_interval(&t, requests, i);
        }
        n += 10 * good < all;
        /* There is nothing between the two states. */
        assert_true(10 * good < all || 100 * good > 99 * all);
    }
    print_message("%-28s %s: %d of %d\n", scenario, override, n, SEEDS);
    trial_close(&t);
    return n;
}

static void the_storm_needs_retries_a_trigger_and_a_long_queue(void **state)
{
    (void)state;
    const char *storm = "retry_storm";
    assert_int_equal(collapses(storm, "users", "seed=1"), SEEDS);
    assert_int_equal(collapses(storm, "users", "users.call.retry.max_attempts=2"), SEEDS);
    assert_int_equal(collapses(storm, "users", "users.call.retry.max_attempts=1"), 0);
    assert_int_equal(collapses(storm, "users", "timeline=[]"), 0);
    assert_int_equal(collapses(storm, "users", "users.arrivals.rate=240/s"), 0);
    assert_int_equal(collapses(storm, "users", "service.queue.capacity=250"), 0);
}

/* One kind of client in the last twenty seconds of clients.yaml. */
struct kind {
    const char *name;
    bool recovers;
    double attempts; /* per request */
};

static void meets_the_storm(const struct trial *t, const struct kind *k)
{
    static const char *const names[] = {"logical_requests", "successes", "requests_sent"};
    enum { REQUESTS, GOOD, ATTEMPTS, FIGURES };
    uint64_t sum[FIGURES] = {0};
    for (int f = 0; f < FIGURES; f++) {
        char stat[64];
        snprintf(stat, sizeof stat, "%s.%s", k->name, names[f]);
        for (uint32_t i = trial_intervals(t) - 20; i < trial_intervals(t); i++) {
            sum[f] += trial_in_interval(t, stat, i);
        }
    }
    double good = (double)sum[GOOD] / (double)sum[REQUESTS];
    double attempts = (double)sum[ATTEMPTS] / (double)sum[REQUESTS];
    print_message("%-28s %5.1f %% succeed, %.3f attempts\n", k->name, 100.0 * good, attempts);
    assert_true(k->recovers ? good > 0.99 : good < 0.01);
    assert_true(fabs(attempts - k->attempts) < 0.02 * k->attempts);
}

static void clients_make_different_things_of_a_storm(void **state)
{
    (void)state;
    static const struct kind kinds[] = {
        {"no_retries", true, 1.0},  {"aws_sdk", true, 1.0},        {"grpc", true, 1.0},
        {"finagle", true, 1.0},     {"envoy", false, 1.22},        {"aio_request", false, 3.0},
        {"aresilient", false, 4.0}, {"happysimulator", true, 1.0}, {"loaddensity", false, 6.0},
    };
    struct trial t;
    trial_load(&t, "configs/scenarios/clients.yaml", NULL);
    for (uint64_t r = 0; r < 2; r++) {
        trial_run(&t, r);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            meets_the_storm(&t, &kinds[k]);
        }
    }
    trial_close(&t);
}

static void a_breaker_ends_the_storm(void **state)
{
    (void)state;
    assert_int_equal(collapses("circuit_breaker", "users", "seed=1"), 0);
    assert_int_equal(collapses("circuit_breaker", "users", "users.call.breaker=none"), SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_more_arrive_every_second),
        cmocka_unit_test(attempts_grow_to_a_fixed_point),
        cmocka_unit_test(the_storm_needs_retries_a_trigger_and_a_long_queue),
        cmocka_unit_test(a_breaker_ends_the_storm),
        cmocka_unit_test(clients_make_different_things_of_a_storm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
