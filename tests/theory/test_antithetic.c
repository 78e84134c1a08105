/* SPDX-License-Identifier: Apache-2.0
 *
 * Antithetic pairs of replications: what they are for, and that nothing left to chance in a study
 * is left out of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "support/trial.h"
#include "theory/closed_forms.h"

/* Replications from now on are antithetic. */
static void pair_up(struct trial *t)
{
    struct sim_options options = *sim_options(t->sim);
    options.antithetic = true;
    sim_close(t->sim);
    t->sim = sim_open(&t->study->blueprint, &options);
}

/* --- what they are for ------------------------------------------------------------------- */

enum { PAIRS = 400 };

static double mean_in(struct trial *t, uint64_t replication, const char *stat)
{
    struct hist_counts *h = calloc(1, sizeof *h);
    assert_non_null(h);
    trial_run(t, replication);
    trial_histogram(t, stat, h);
    double mean = (double)h->sum / (double)h->total * 1e-9;
    free(h);
    return mean;
}

/* Figures of the replications two by two: their means, and the variance of the latter by that of
 * two that are independent, which is 1 + the coefficient of correlation. */
struct sample {
    double mean, error, quotient;
};

static struct sample sample_pairs(struct trial *t, const char *stat)
{
    double x[2][PAIRS], mean[2] = {0.0}, square[2] = {0.0}, product = 0.0;
    for (int k = 0; k < 2 * PAIRS; k++) {
        x[k % 2][k / 2] = mean_in(t, (uint64_t)k, stat);
        mean[k % 2] += x[k % 2][k / 2] / PAIRS;
    }
    for (int k = 0; k < PAIRS; k++) {
        double a = x[0][k] - mean[0], b = x[1][k] - mean[1];
        square[0] += a * a;
        square[1] += b * b;
        product += a * b;
    }
    double variance = 0.25 * (square[0] + square[1] + 2.0 * product) / (PAIRS - 1);
    return (struct sample){.mean = 0.5 * (mean[0] + mean[1]),
                           .error = sqrt(variance / PAIRS),
                           .quotient = 1.0 + product / sqrt(square[0] * square[1])};
}

/* Pairs vary less than two independent replications, of which less than one sample in a thousand
 * has a coefficient below -3.1 / sqrt(PAIRS). Means are as they are without. */
static void check_variance(struct trial *t, const char *stat, double theory)
{
    struct sample plain = sample_pairs(t, stat);
    pair_up(t);
    struct sample pairs = sample_pairs(t, stat);
    print_message("%.6f and %.6f s; variance by that of two independent ones: %.3f and %.3f\n",
                  plain.mean, pairs.mean, plain.quotient, pairs.quotient);
    assert_true(pairs.quotient < 1.0 - 3.1 / sqrt(PAIRS));
    assert_true(fabs(plain.quotient - 1.0) < 3.1 / sqrt(PAIRS));
    double both = sqrt(plain.error * plain.error + pairs.error * pairs.error);
    assert_true(fabs(plain.mean - pairs.mean) < 3.5 * both);
    assert_true(theory == 0.0 || fabs(pairs.mean - theory) < 3.5 * pairs.error);
}

/* The response in M/M/1 rises with times of service and falls with those between arrivals. */
static void pairs_vary_less_in_a_queue(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 12s\n"
                   "warmup: 2s\n"
                   "entities:\n"
                   "  users: {type: client, target: service,\n"
                   "          arrivals: {kind: poisson, rate: 50/s}}\n"
                   "  service: {type: server, service_time: {exponential: 10ms}}\n");
    check_variance(&t, "users.request_latency", 0.01 * station_open(0.5, 1.0, 1, 5000).response);
    trial_close(&t);
}

/* What is drawn by rejection elsewhere, and draws that depend on what has happened. */
static void pairs_vary_less_with_retries(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 12s\n"
                   "warmup: 2s\n"
                   "entities:\n"
                   "  users: {type: client, target: web, arrivals: {kind: poisson, rate: 100/s},\n"
                   "          call: {timeout: 60ms, retry: {kind: exponential, max_attempts: 4,\n"
                   "                 initial_delay: 20ms, max_delay: 1s, jitter: full}}}\n"
                   "  web: {type: server, concurrency: 2,\n"
                   "        service_time: {gamma: {mean: 12ms, cv: 0.7}},\n"
                   "        calls: [{target: db}]}\n"
                   "  db: {type: server, service_time: {normal: {mean: 4ms, deviation: 2ms}}}\n"
                   "network: [{latency: 1ms, jitter: {lognormal: {mean: 200us, cv: 1}}}]\n");
    check_variance(&t, "users.request_latency", 0.0);
    trial_close(&t);
}

/* --- that nothing is left out ------------------------------------------------------------ */

enum { REQUESTS = 30000 };

static void open_faults(struct trial *t)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 30.0005s\n"
               "entities:\n"
               "  one: {type: client, target: wire, arrivals: {kind: constant, rate: 1000/s}}\n"
               "  two: {type: client, target: link, arrivals: {kind: constant, rate: 1000/s}}\n"
               "  three: {type: client, target: wrong, arrivals: {kind: constant, rate: 1000/s}}\n"
               "  four: {type: client, target: down, arrivals: {kind: constant, rate: 1000/s}}\n"
               "  five: {type: client, target: cut, arrivals: {kind: constant, rate: 1000/s}}\n"
               "  wire: {type: delay, latency: 1us}\n"
               "  link: {type: delay, latency: 1us}\n"
               "  wrong: {type: delay, latency: 1us}\n"
               "  down: {type: delay, latency: 1us}\n"
               "  cut: {type: delay, latency: 1us}\n"
               "network: [{from: one, to: wire, latency: 1us, loss: 30%%}, {latency: 1us}]\n"
               "timeline:\n"
               "  - {at: 0s, link: {a: two, asymmetric: true, loss: 50%%}}\n"
               "  - {at: 0s, errors: {of: wrong, probability: 50%%}}\n"
               "  - {at: 0s, mtbf: 4s, mttr: 1000h, crash: down}\n"
               "  - {at: 0s, mtbf: 4s, mttr: 1000h, partition: {a: five}}\n");
}

/* A request a millisecond until something happens, after 4 s on average, in one member of the pair
 * at u and in the other at 1 - u. */
static void assert_opposite(uint64_t a, uint64_t b)
{
    assert_true(a < REQUESTS && b < REQUESTS);
    assert_true(fabs(exp(-(double)a / 4000.0) + exp(-(double)b / 4000.0) - 1.0) < 1.0 / 2000.0);
}

static void faults_are_opposite(void **state)
{
    (void)state;
    static const char *const stats[] = {"wire.requests_received", "link.requests_received",
                                        "wrong.errors_injected", "down.requests_received",
                                        "cut.requests_received"};
    uint64_t n[4][5];
    struct trial t;
    open_faults(&t);
    pair_up(&t);
    for (uint64_t r = 0; r < 4; r++) {
        trial_run(&t, r);
        for (int i = 0; i < 5; i++) {
            n[r][i] = trial_counter(&t, stats[i]);
        }
    }
    trial_close(&t);
    for (int k = 0; k < 4; k += 2) {
        /* What is lost at u < 0.3 is lost in one of them at most; of two halves one is. */
        double lost = (double)(2 * REQUESTS - n[k][0] - n[k + 1][0]);
        assert_true(fabs(lost - 0.6 * REQUESTS) < 3.5 * sqrt(REQUESTS * 0.6 * 0.4));
        assert_int_equal(n[k][1] + n[k + 1][1], REQUESTS);
        assert_int_equal(n[k][2] + n[k + 1][2], REQUESTS);
        assert_opposite(n[k][3], n[k + 1][3]);
        assert_opposite(n[k][4], n[k + 1][4]);
    }
    for (int i = 0; i < 5; i++) {
        assert_true(n[0][i] != n[2][i] && n[0][i] != n[3][i]);
    }
}

/* Two requests at each of ten thousand instants, one of which finds the only worker: which one it
 * is has nothing to do with that in the other member. */
static void ties_are_independent(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "interval: 10ms\n"
                   "entities:\n"
                   "  one: {type: client, target: web, arrivals: {kind: constant, rate: 100/s}}\n"
                   "  two: {type: client, target: web, arrivals: {kind: constant, rate: 100/s}}\n"
                   "  web: {type: server, queue: {capacity: 0}, service_time: 1ms}\n"
                   "output: {series: [one]}\n");
    pair_up(&t);
    enum { TIES = 10000 };
    static bool wins[2][TIES];
    int same = 0, won = 0;
    for (uint64_t r = 0; r < 2; r++) {
        trial_run(&t, r);
        assert_int_equal(trial_intervals(&t), TIES);
        for (uint32_t i = 0; i < TIES; i++) {
            wins[r][i] = trial_in_interval(&t, "one.successes", i) > 0;
            won += wins[r][i];
        }
    }
    for (int i = 0; i < TIES; i++) {
        same += wins[0][i] == wins[1][i];
    }
    assert_true(abs(won - TIES) < 3.5 * sqrt(TIES / 2.0));
    assert_true(abs(same - TIES / 2) < 3.5 * sqrt(TIES / 4.0));
    trial_close(&t);
}

/* Without the option nobody is paired. */
static void others_know_nothing_of_it(void **state)
{
    (void)state;
    struct trial t;
    open_faults(&t);
    trial_run(&t, 0);
    uint64_t first = trial_counter(&t, "link.requests_received");
    trial_run(&t, 1);
    assert_true(first + trial_counter(&t, "link.requests_received") != REQUESTS);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_vary_less_in_a_queue),
        cmocka_unit_test(pairs_vary_less_with_retries), cmocka_unit_test(faults_are_opposite),
        cmocka_unit_test(ties_are_independent), cmocka_unit_test(others_know_nothing_of_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
