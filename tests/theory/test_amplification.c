/* SPDX-License-Identifier: Apache-2.0
 *
 * Retries in several layers: configs/scenarios/retry_amplification.yaml. A layer of n attempts on
 * what fails with probability p makes (1 - p^n) / (1 - p) attempts of a request and fails with p^n,
 * which is p to the layer above.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "support/claim.h"

#define SCENARIO "configs/scenarios/retry_amplification.yaml"

enum { LAYERS = 4 };              /* of attempts: those of the users, a, b and c */
enum { CRASH = 20, RETURN = 40 }; /* of d [s] */
enum { FULL = 29, AGAIN = 49 };   /* when the load has grown, and when it has again [s] */
enum { RATE = 20 };               /* requests per second */
enum { SERVED = 200 };            /* by d per second at most */

static const char *const services[] = {"a", "b", "c", "d"};

static uint64_t second(const struct trial *t, const char *entity, const char *stat, uint32_t i)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", entity, stat);
    return trial_in_interval(t, name, i);
}

/* Attempts that reach d in a second, whether it is there or not. */
static uint64_t reach(const struct trial *t, uint32_t i)
{
    return second(t, "d", "requests_received", i) + second(t, "d", "requests_missed", i);
}

/* --- the storm ------------------------------------------------------------------------------ */

static void every_layer_multiplies_by_three(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, SCENARIO, NULL);
    trial_run(&t, 0);
    for (uint32_t i = 0; i + 1 < trial_intervals(&t); i++) {
        bool well = i < CRASH, full = (i >= FULL + 2 && i < RETURN) || i >= AGAIN;
        uint64_t load = RATE;
        for (size_t k = 0; k < LAYERS && (well || full); k++) {
            load *= well ? 1 : 3;
            assert_int_equal(k < 3 ? second(&t, services[k], "requests_received", i) : reach(&t, i),
                             load);
        }
        assert_true(well || i == RETURN || second(&t, "users", "successes", i) == 0);
        assert_true(i < AGAIN || second(&t, "d", "requests_completed", i) == SERVED);
    }
    trial_close(&t);
}

/* What d gets in a second in which it is down, in full swing. Afterwards all is well again, or
 * never. */
static void ends(bool recovers, uint64_t load, const char *const *overrides)
{
    struct trial t;
    trial_load(&t, SCENARIO, overrides);
    trial_run(&t, 0);
    print_message("%s: %d\n", overrides[0], (int)reach(&t, RETURN - 2));
    assert_in_range(reach(&t, RETURN - 2), load - load / 15, load + load / 15);
    for (uint32_t i = RETURN + 2; i + 1 < trial_intervals(&t); i++) {
        assert_int_equal(second(&t, "users", "successes", i), recovers ? RATE : 0);
    }
    trial_close(&t);
}

#define THREE                     "{kind: fixed, max_attempts: 3, delay: 10ms}"
#define ENDS(recovers, load, ...) ends(recovers, load, (const char *const[]){__VA_ARGS__, NULL})

static void one_layer_of_retries_is_enough(void **state)
{
    (void)state;
    ENDS(false, RATE * 81, "seed=1");
    ENDS(true, RATE * 3, "policies.thrice.retry=none", "c.calls[0].retry=" THREE);
    ENDS(true, RATE * 3, "policies.thrice.retry=none", "users.call.retry=" THREE);
    ENDS(true, RATE * 3,
         "policies.thrice.retry.retry_if=[{status: [502, 504], retry: false}, {retry: true}]");
    ENDS(true, RATE * 152 / 100, "policies.thrice.retry_budget={kind: rate}");
    ENDS(true, RATE * 16, "policies.thrice.retry.max_attempts=2");
    ENDS(true, RATE * 81, "d.queue.capacity=10");
    ENDS(true, RATE, "timeline[0].for=1s");
}

/* --- closed forms --------------------------------------------------------------------------- */

/* `n` attempts in each of the lowest layers, with answers that all fail. */
static void dead(int n, int layers, uint64_t load)
{
    char most[64];
    snprintf(most, sizeof most, "policies.thrice.retry.max_attempts=%d", n);
    struct trial t;
    trial_load(&t, SCENARIO,
               (const char *const[]){
                   most, layers == LAYERS ? "seed=1" : "users.call.retry=none", "timeline=[]",
                   "d.concurrency=unlimited", "d.responses=[{status: 503}]",
                   "users.arrivals.rate={steps: [[0s, 20/s], [60s, 0/s]]}", NULL});
    trial_run(&t, 0);
    uint64_t requests = trial_counter(&t, "users.logical_requests");
    assert_in_range(requests, 1190, 1210);
    assert_int_equal(trial_counter(&t, "d.requests_received"), load * requests);
    assert_int_equal(trial_counter(&t, "users.failures"), requests);
    trial_close(&t);
}

static void a_dead_end_gets_attempts_to_the_power_of_layers(void **state)
{
    (void)state;
    dead(3, 3, 27);
    dead(4, 3, 64);
    dead(3, 4, 81);
    dead(4, 4, 256);
}

/* Answers that ask not to be tried again are heard in one layer only. */
static void do_not_retry_is_heard_by_the_caller(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, SCENARIO,
               (const char *const[]){"timeline=[]",
                                     "d.responses=[{status: 503, do_not_retry: true}]",
                                     "d.concurrency=unlimited", NULL});
    trial_run(&t, 0);
    for (uint32_t i = 2; i + 1 < trial_intervals(&t); i++) {
        assert_int_equal(second(&t, "d", "requests_received", i), RATE * 27);
        assert_int_equal(second(&t, "c", "requests_received", i), RATE * 27);
    }
    trial_close(&t);
}

static void by_chance(double p, int n, int layers, double load, double success)
{
    char most[64], answers[96], what[64];
    snprintf(most, sizeof most, "policies.thrice.retry.max_attempts=%d", n);
    snprintf(answers, sizeof answers, "d.responses=[{status: 503, weight: %g}, {weight: %g}]",
             100.0 * p, 100.0 - 100.0 * p);
    snprintf(what, sizeof what, "%d attempts in %d layers on failures at %g", n, layers, p);
    struct trial t;
    trial_load(
        &t, SCENARIO,
        (const char *const[]){most, answers, layers == LAYERS ? "seed=1" : "users.call.retry=none",
                              "timeline=[]", "d.concurrency=unlimited", "d.service_time=1ms",
                              "users.arrivals.rate={steps: [[0s, 200/s], [85s, 0/s]]}", NULL});
    double leaf = (1.0 - pow(p, n)) / (1.0 - p);
    claims_hold(
        what, &t,
        (struct claim[]){
            CLAIM_RATIO("d.requests_received", "users.logical_requests", load, 0.01),
            CLAIM(CLAIM_RATIO, "users.successes", success, 0.01, .per = "users.logical_requests",
                  .slack = 1e-8),
            CLAIM_RATIO("c.downstream_requests_sent", "c.downstream_logical_requests", leaf, 0.01),
            CLAIM_RATIO("c.downstream_failures", "c.downstream_logical_requests", pow(p, n), 0.01),
            CLAIMS_END});
    trial_close(&t);
}

static void what_fails_by_chance_is_multiplied_less(void **state)
{
    (void)state;
    by_chance(0.9, 3, 3, 9.41850263, 0.941850263);
    by_chance(0.99, 4, 3, 47.4403512, 0.474403512);
    by_chance(0.3, 2, 4, 1.42857142, 0.999999996);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_multiplies_by_three),
        cmocka_unit_test(one_layer_of_retries_is_enough),
        cmocka_unit_test(a_dead_end_gets_attempts_to_the_power_of_layers),
        cmocka_unit_test(do_not_retry_is_heard_by_the_caller),
        cmocka_unit_test(what_fails_by_chance_is_multiplied_less)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
