/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines that all share who are in service: processor sharing against theory, and
 * configs/scenarios/zombies.yaml, a retry storm whose Markov chain is solved exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/summary.h"
#include "support/claim.h"

/* --- M/G/1-PS ----------------------------------------------------------------------------- */

/* However service times are distributed, load / (1 - load) are present, and one that takes x alone
 * takes x / (1 - load) (Kleinrock, Queueing Systems II, 1976, section 4.4). */
static void insensitive(const char *law, double load, double units)
{
    struct trial t;
    char what[96];
    snprintf(what, sizeof what, "M/G/1-PS, %s", law);
    trial_open(&t,
               "squall: 1\n"
               "duration: %.3fs\n"
               "warmup: %.3fs\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {poisson: %g/s}}\n"
               "  service: {type: server, concurrency: unlimited, machine: {cores: 1},\n"
               "            service_time: %s}\n",
               0.0105 * units, 0.0005 * units, load / 0.01, law);
    claims_hold(what, &t,
                (struct claim[]){CLAIM_LEVEL("service.busy_workers", load / (1.0 - load), 0.01),
                                 CLAIM_MEAN("users.request_latency", 0.01 / (1.0 - load), 0.01),
                                 CLAIMS_END});
    trial_close(&t);
}

static void laws_of_service_do_not_matter(void **state)
{
    (void)state;
    insensitive("{exponential: 10ms}", 0.8, 1e5);
    insensitive("10ms", 0.8, 1e5);
    insensitive("{lognormal: {mean: 10ms, cv: 2}}", 0.7, 1e5);
    insensitive("{uniform: {low: 0s, high: 20ms}}", 0.5, 3e4);
}

static void who_takes_twice_as_long_waits_twice_as_long(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 1050s\n"
               "warmup: 50s\n"
               "entities:\n"
               "  short: {type: client, target: service, arrivals: {poisson: 20/s},\n"
               "          requests: {small: {}}}\n"
               "  long: {type: client, target: service, arrivals: {poisson: 20/s},\n"
               "         requests: {large: {}}}\n"
               "  service: {type: server, concurrency: unlimited, machine: {cores: 1},\n"
               "            kinds: {small: {service_time: 5ms}, large: {service_time: 30ms}}}\n");
    claims_hold("M/G/1-PS, by size", &t,
                (struct claim[]){CLAIM_MEAN("short.request_latency", 0.005 / 0.3, 0.01),
                                 CLAIM_MEAN("long.request_latency", 0.03 / 0.3, 0.01), CLAIMS_END});
    trial_close(&t);
}

/* The variance is (2 + load) / (2 - load) times that of M/M/1 first come, first served, which is
 * the square of the mean (E. G. Coffman, R. R. Muntz and H. Trotter, JACM 17(1), 1970). */
static void times_spread_more_than_in_a_line(void **state)
{
    (void)state;
    double load = 0.8, mean = 1.0 / (1.0 - load);
    double square = mean * mean * (1.0 + (2.0 + load) / (2.0 - load));
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 2100s\n"
                   "warmup: 100s\n"
                   "entities:\n"
                   "  users: {type: client, target: service, arrivals: {poisson: 80/s}}\n"
                   "  service: {type: server, concurrency: unlimited, machine: {cores: 1},\n"
                   "            service_time: {exponential: 10ms}}\n");
    claims_hold(
        "M/M/1-PS, squares", &t,
        (struct claim[]){CLAIM_SQUARE("users.request_latency", square * 1e-4, 0.03), CLAIMS_END});
    trial_close(&t);
}

/* With c cores, those present are those of M/M/c: they are served at the same rate. */
static void cores_are_as_good_as_workers(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 1050s\n"
                   "warmup: 50s\n"
                   "entities:\n"
                   "  users: {type: client, target: service, arrivals: {poisson: 160/s}}\n"
                   "  service: {type: server, concurrency: unlimited, machine: {cores: 2},\n"
                   "            service_time: {exponential: 10ms}}\n");
    claims_hold("M/M/2-PS", &t,
                (struct claim[]){CLAIM_LEVEL("service.busy_workers", 1.6 / (1.0 - 0.64), 0.01),
                                 CLAIMS_END});
    trial_close(&t);
}

/* --- zombies ------------------------------------------------------------------------------- */

/* The chain: a live ones and z zombies, n = a + z <= 60; live ones come at 1/2 (and are lost at n =
 * 60), are done at a / n, and give up at a / 10, three in four to come again in the same instant;
 * zombies are done at z / n. In units of the mean work, 100 ms. Its stationary figures by a sparse
 * solution of the balance equations. */
static void storms_come_and_go_by_chance(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/zombies.yaml",
               (const char *const[]){"users.arrivals.rate=5/s", "duration=21000s", "warmup=1000s",
                                     "interval=none", NULL});
    claims_hold("a machine that serves zombies, too", &t,
                (struct claim[]){CLAIM_RATE("users.successes", 2.889383738, 0.02),
                                 CLAIM_LEVEL("service.busy_workers", 30.81228063, 0.02),
                                 CLAIM_LEVEL("users.in_flight", 5.465031706, 0.02),
                                 CLAIM_RATE("users.timeouts", 5.465031706, 0.02), CLAIMS_END});
    trial_close(&t);
}

struct spike {
    const char *length;
    double seconds;
    double present; /* in service at its end, on average */
    double many;    /* probability that 30 or more are in service 20 s after it */
    double goodput; /* [1/s] then, on average */
};

static void check_mean(const char *what, const struct summary *s, double expected)
{
    double error = sqrt(summary_variance(s) / (double)s->n);
    print_message("%s: %.4f +- %.4f, expected %.4f\n", what, s->mean, error, expected);
    assert_true(fabs(s->mean - expected) <= 3.5 * error);
    assert_true(error <= 0.03 * expected);
}

/* From an empty start, with a spike of 30/s from 5 s on; the chain by uniformisation. Goodput is
 * that of the second around the moment. */
static void after(const struct spike *s)
{
    enum { TRIALS = 3000 };
    char spike[96], duration[64];
    snprintf(spike, sizeof spike, "users.arrivals.rate.spike.for=%s", s->length);
    snprintf(duration, sizeof duration, "duration=%.3fs", 25.5 + s->seconds);
    struct trial t;
    trial_load(&t, "configs/scenarios/zombies.yaml",
               (const char *const[]){spike, duration, "interval=500ms", NULL});
    struct summary present = {0}, many = {0}, goodput = {0};
    for (uint32_t i = 0; i < TRIALS; i++) {
        trial_begin(&t, i, S(5.0 + s->seconds));
        summary_add(&present, (double)trial_level(&t, "service.busy_workers"));
        trial_begin(&t, i, S(25.0 + s->seconds));
        summary_add(&many, trial_level(&t, "service.busy_workers") >= 30);
        trial_end(&t);
        uint32_t last = trial_intervals(&t) - 1;
        summary_add(&goodput, (double)(trial_in_interval(&t, "users.successes", last - 1) +
                                       trial_in_interval(&t, "users.successes", last)));
    }
    trial_close(&t);
    print_message("a spike of %s\n", s->length);
    check_mean("in service at its end", &present, s->present);
    check_mean("30 or more in service 20 s after it", &many, s->many);
    check_mean("goodput then", &goodput, s->goodput);
}

static void spikes_outlive_themselves(void **state)
{
    (void)state;
    after(&(struct spike){"500ms", 0.5, 14.9246597, 0.4009472814, 3.359139943});
    after(&(struct spike){"1s", 1.0, 30.948275, 0.8272095387, 2.056951695});
    after(&(struct spike){"2s", 2.0, 57.8257897, 0.9466704702, 1.692568166});
    after(&(struct spike){"4s", 4.0, 59.6400784, 0.9423031812, 1.705840385});
}

/* The same machine, one after the other: whoever is served has given up long before. */
static void in_a_line_it_collapses(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/zombies.yaml",
               (const char *const[]){"users.arrivals.rate=5/s", "duration=11000s", "warmup=1000s",
                                     "interval=none", "service.machine.cores=unlimited",
                                     "service.concurrency=1", "service.queue.capacity=59", NULL});
    trial_run(&t, 0);
    double succeed = (double)trial_counter(&t, "users.successes") /
                     (double)trial_counter(&t, "users.logical_requests");
    assert_true(succeed < 0.02); /* sharing the machine, 58 % do */
    assert_true((double)trial_integral(&t, "service.queue_depth") > S(10000) * 45.0);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_of_service_do_not_matter),
        cmocka_unit_test(who_takes_twice_as_long_waits_twice_as_long),
        cmocka_unit_test(times_spread_more_than_in_a_line),
        cmocka_unit_test(cores_are_as_good_as_workers),
        cmocka_unit_test(storms_come_and_go_by_chance),
        cmocka_unit_test(spikes_outlive_themselves),
        cmocka_unit_test(in_a_line_it_collapses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
