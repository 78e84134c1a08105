/* SPDX-License-Identifier: Apache-2.0
 *
 * When a client's requests are made, to the nanosecond, seen by a probe over a wire without delay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/probe.h"
#include "support/trial.h"

static void expect(const char *arrivals, const char *timeline, uint32_t n, const sim_time *at)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 6s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: %s}\n"
               "  service: {type: probe}\n"
               "timeline: [%s]\n",
               arrivals, timeline);
    trial_run(&t, 0);
    probe_assert_times(&t, "service", n, at);
    trial_close(&t);
}

static void constant(void **state)
{
    (void)state;
    sim_time at[18];
    for (int k = 1; k <= 18; k++) {
        at[k - 1] = (k * INT64_C(1000000000) + 1) / 3; /* to the nearest */
    }
    expect("{kind: constant, rate: 3/s}", "", 18, at);
    expect("{kind: constant, rate: 0.4/s, first_arrival: 0s}", "", 3,
           (sim_time[]){0, S(2.5), S(5)});
}

/* Ten thousand thirds later the rounding of each arrival has not added up. */
static void no_drift(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10000s\n"
                   "warmup: 9999.9s\n"
                   "entities:\n"
                   "  users: {type: client, target: service,\n"
                   "          arrivals: {kind: constant, rate: 3000/s}}\n"
                   "  service: {type: probe}\n");
    trial_run(&t, 0);
    /* (9999.9, 10000] with both ends: a warm-up drops what is before its end. */
    assert_int_equal(trial_counter(&t, "users.logical_requests"), 301);
    trial_close(&t);
}

static void ramp(void **state)
{
    (void)state;
    /* The integral of t [1/s] is t^2 / 2: the k-th comes at the root of 2 k. */
    expect("{kind: constant, rate: {ramp: {from: 0/s, to: 10/s, duration: 10s}}}", "", 18,
           (sim_time[]){1414213562, 2000000000, 2449489743, 2828427125, 3162277660, 3464101615,
                        3741657387, 4000000000, 4242640687, 4472135955, 4690415760, 4898979486,
                        5099019514, 5291502622, 5477225575, 5656854249, 5830951895, 6000000000});
}

static void spike(void **state)
{
    (void)state;
    expect("{kind: constant, rate: {spike: {baseline: 1/s, peak: 4/s, at: 2s, for: 1s}}}", "", 9,
           (sim_time[]){S(1), S(2), S(2.25), S(2.5), S(2.75), S(3), S(4), S(5), S(6)});
}

static void steps(void **state)
{
    (void)state;
    /* Half of the third arrival is due at 2.5 s, the other half takes 1 s at half the rate. */
    expect("{kind: constant, rate: {steps: [[0s, 1/s], [2.5s, 0.5/s]]}}", "", 4,
           (sim_time[]){S(1), S(2), S(3.5), S(5.5)});
}

/* Windows of a raised rate multiply, and time runs faster for what is already awaited. */
static void raised_rates(void **state)
{
    (void)state;
    expect("{kind: constant, rate: 1/s}",
           "{at: 1.5s, for: 2s, rate: users, factor: 2}, {at: 2.5s, for: 1s, rate: users, "
           "factor: 2}",
           10,
           (sim_time[]){S(1), S(1.75), S(2.25), S(2.625), S(2.875), S(3.125), S(3.375), S(4), S(5),
                        S(6)});
}

static void listed_times(void **state)
{
    (void)state;
    expect("{times: [0s, 0.5s, 0.5s, 6s, 6.000000001s]}", "", 4,
           (sim_time[]){0, S(0.5), S(0.5), S(6)});
}

static void renewal(void **state)
{
    (void)state;
    expect("{renewal: {interarrival: 1.6s}}", "", 3, (sim_time[]){S(1.6), S(3.2), S(4.8)});
    expect("{renewal: {interarrival: 1.6s, first_arrival: 1s}}", "", 4,
           (sim_time[]){S(1), S(2.6), S(4.2), S(5.8)});
}

/* A user thinks, asks and waits for the answer before thinking again. */
static void closed_loop(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 6s\n"
               "entities:\n"
               "  users: {type: client, target: service,\n"
               "          arrivals: {closed: {users: 1, think_time: 1s}},\n"
               "          call: {timeout: 0.75s, retry: {kind: fixed, max_attempts: 2, "
               "delay: 0.5s}}}\n"
               "  service: {type: probe, answers: [{after: 0.5s}, {after: none}, {after: 0s}]}\n");
    trial_run(&t, 0);
    /* Answered at 1.5, asks at 2.5, times out at 3.25, asks again at 3.75, is answered at once. */
    probe_assert_times(&t, "service", 5, (sim_time[]){S(1), S(2.5), S(3.75), S(4.75), S(5.75)});
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant), cmocka_unit_test(no_drift),     cmocka_unit_test(ramp),
        cmocka_unit_test(spike),    cmocka_unit_test(steps),        cmocka_unit_test(raised_rates),
        cmocka_unit_test(renewal),  cmocka_unit_test(listed_times), cmocka_unit_test(closed_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
