/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits on what a service has in flight, in the overload of configs/scenarios/
 * concurrency_limits.yaml: without one, a retry storm outlives it; with any, it does not. And
 * replicas that come too late for one (configs/scenarios/autoscaling.yaml).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/trial.h"

enum { RUNS = 20 };

static const struct {
    const char *service;
    double least, most;             /* of 20000 requests that succeed, on average */
    double least_limit, most_limit; /* 15 s into the overload, on average */
    double least_p99, most_p99;     /* [s] from arrival to reply */
} cases[] = {
    {"free", 1700, 2050, 0, 0, 60, 120},
    {"fixed", 15800, 16200, 50, 50, 0.3, 0.45},
    {"aimd", 15800, 16200, 60, 140, 0.6, 1.1},
    {"vegas", 15800, 16200, 10, 30, 0.2, 0.3},
    {"gradient2", 15800, 16200, 20, 40, 0.2, 0.35},
    {"envoy", 15000, 16200, 3, 30, 0.2, 0.4},
};

static uint64_t count(const struct trial *t, const char *service, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", service, stat);
    return trial_counter(t, name);
}

static int64_t level(const struct trial *t, const char *service, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", service, stat);
    return trial_level(t, name);
}

/* All that came was served, or rejected, or had waited for too long, or is still there. */
static void check_sum(const struct trial *t, const char *service)
{
    assert_int_equal(
        count(t, service, ".requests_received"),
        count(t, service, ".requests_completed") + count(t, service, ".requests_limited") +
            count(t, service, ".requests_reneged") + (uint64_t)level(t, service, ".queue_depth") +
            (uint64_t)level(t, service, ".busy_workers"));
}

static void limits_end_the_storm(void **state)
{
    (void)state;
    enum { CASES = sizeof cases / sizeof cases[0] };
    static struct hist_counts times[CASES];
    double good[CASES] = {0}, limits[CASES] = {0};
    struct trial t;
    trial_load(&t, "configs/scenarios/concurrency_limits.yaml", NULL);
    for (uint64_t r = 0; r < RUNS; r++) {
        trial_begin(&t, r, S(25));
        for (int i = 0; i < CASES; i++) {
            limits[i] += (double)level(&t, cases[i].service, ".concurrency_limit") / RUNS;
        }
        trial_end(&t);
        for (int i = 0; i < CASES; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s.sojourn_time", cases[i].service);
            trial_histogram(&t, name, &times[i]);
            good[i] += (double)count(&t, cases[i].service, "_users.successes") / RUNS;
            check_sum(&t, cases[i].service);
        }
    }
    trial_close(&t);
    for (int i = 0; i < CASES; i++) {
        double bound, p99 = hist_quantile(&times[i], 0.99, &bound) / 1e9;
        print_message("%-9s %.0f, limit %.1f, p99 %.3f s\n", cases[i].service, good[i], limits[i],
                      p99);
        assert_true(good[i] >= cases[i].least && good[i] <= cases[i].most);
        assert_true(limits[i] >= cases[i].least_limit && limits[i] <= cases[i].most_limit);
        assert_true(p99 >= cases[i].least_p99 && p99 <= cases[i].most_p99);
    }
}

/* --- autoscaling ------------------------------------------------------------------------- */

/* Users who succeed, of 121145 on average, and replicas on average over time. */
static const struct {
    const char *change; /* NULL: as it is */
    double least, most, least_replicas, most_replicas;
} scalings[] = {
    {NULL, 46500, 48000, 7.1, 7.25},
    {"service.autoscaler=none", 7300, 7900, 0, 0},
    {"service.autoscaler.hpa.boot_delay=0s", 84000, 87000, 6.7, 7},
    {"service.autoscaler.hpa.target=30%", 120000, 122000, 7, 7.7},
    {"service.autoscaler.hpa.scale_down_window=0s", 46500, 48000, 2.7, 3.1},
    {"service.concurrency_limit={fixed: 50}", 111000, 113000, 4.5, 4.8},
    {"service.queue.max_wait=900ms", 109000, 111000, 4.5, 4.8},
};

static void replicas_come_too_late(void **state)
{
    (void)state;
    enum { FEW = 2 };
    for (size_t i = 0; i < sizeof scalings / sizeof scalings[0]; i++) {
        struct trial t;
        trial_load(&t, "configs/scenarios/autoscaling.yaml",
                   (const char *const[]){scalings[i].change, NULL});
        double good = 0.0, replicas = 0.0;
        for (uint64_t r = 0; r < FEW; r++) {
            trial_run(&t, r);
            good += (double)count(&t, "users", ".successes") / FEW;
            replicas += (double)trial_integral(&t, "service.replicas") / 600e9 / FEW;
            check_sum(&t, "service");
        }
        trial_close(&t);
        print_message("%-45s %.0f, replicas %.2f\n", scalings[i].change ? scalings[i].change : "",
                      good, replicas);
        assert_true(good >= scalings[i].least && good <= scalings[i].most);
        assert_true(replicas >= scalings[i].least_replicas);
        assert_true(replicas <= scalings[i].most_replicas);
    }
}

/* Of one step at a time, each of which takes 30 s to boot; and five minutes later. */
static void replicas_take_their_time(void **state)
{
    (void)state;
    static const struct {
        int at; /* [s] */
        int64_t wanted, ready;
    } steps[] = {{74, 1, 1}, {76, 2, 1}, {106, 4, 2}, {136, 7, 4}, {196, 10, 10}, {565, 10, 10}};
    struct trial t;
    trial_load(&t, "configs/scenarios/autoscaling.yaml", NULL);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        trial_begin(&t, 0, S(steps[i].at));
        assert_int_equal(level(&t, "service", ".replicas_wanted"), steps[i].wanted);
        assert_int_equal(level(&t, "service", ".replicas"), steps[i].ready);
    }
    trial_end(&t);
    assert_int_equal(level(&t, "service", ".replicas"), 2);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(limits_end_the_storm),
                                       cmocka_unit_test(replicas_come_too_late),
                                       cmocka_unit_test(replicas_take_their_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
