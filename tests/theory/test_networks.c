/* SPDX-License-Identifier: Apache-2.0
 *
 * Stations with many sources, many stations, and users who wait for their answers, against theory.
 * The unit of time is the mean service, 10 ms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/claim.h"
#include "theory/closed_forms.h"

static const double UNIT = 0.01; /* [s] */
static const double MEANS = 0.01;

/* `users` think for 12 units and queue for `c` servers. */
static void closed(const char *what, int users, int c, const struct station *s)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 420s\n"
               "warmup: 20s\n"
               "entities:\n"
               "  users: {type: client, target: service,\n"
               "          arrivals: {closed: {users: %d, think_time: {exponential: 120ms}}}}\n"
               "  service: {type: server, concurrency: %d, service_time: {exponential: 10ms}}\n",
               users, c);
    claims_hold(what, &t,
                (struct claim[]){CLAIM_RATE("users.successes", s->throughput / UNIT, MEANS),
                                 CLAIM_MEAN("users.request_latency", s->response * UNIT, MEANS),
                                 CLAIM_LEVEL("users.in_flight", s->present, MEANS),
                                 CLAIM_LEVEL("service.queue_depth", s->waiting, MEANS),
                                 CLAIM_LEVEL("service.busy_workers", s->busy, MEANS), CLAIMS_END});
    trial_close(&t);
}

static void closed_networks(void **state)
{
    (void)state;
    struct station s = station_mean_values(12.0, 1.0, 10);
    closed("10 users, 1 server", 10, 1, &s);
    s = station_mean_values(12.0, 1.0, 20);
    closed("20 users, 1 server", 20, 1, &s);
    s = station_closed(1.0 / 12.0, 1.0, 3, 35);
    closed("35 users, 3 servers", 35, 3, &s);
}

/* Poisson arrivals of 5 a unit at an infinite server: the mean number there depends on nothing but
 * the mean time, and what leaves is again a Poisson process (Mirasol 1963). */
static void delay_station(const char *law)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 210s\n"
               "warmup: 10s\n"
               "interval: 50ms\n"
               "entities:\n"
               "  users: {type: client, target: far, arrivals: {kind: poisson, rate: 500/s}}\n"
               "  far: {type: delay, latency: %s}\n",
               law);
    claims_hold(law, &t,
                (struct claim[]){CLAIM_LEVEL("far.in_progress", 5.0, MEANS),
                                 CLAIM_LEVEL("users.in_flight", 5.0, MEANS),
                                 CLAIM_MEAN("users.response_time", UNIT, MEANS),
                                 CLAIM_SPREAD("users.successes", 1.0, MEANS), CLAIMS_END});
    trial_close(&t);
}

static void delay_stations(void **state)
{
    (void)state;
    delay_station("{exponential: 10ms}");
    delay_station("10ms");
    delay_station("{lognormal: {mean: 10ms, cv: 3}}");
}

/* A Poisson stream split at random is two Poisson streams; joined they are one again. */
static void split_streams(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 520s\n"
                   "warmup: 20s\n"
                   "entities:\n"
                   "  users: {type: client, count: 5, target: {to: web, balance: random},\n"
                   "          arrivals: {kind: poisson, rate: 48/s}}\n"
                   "  web: {type: server, count: 3, service_time: {exponential: 10ms}}\n");
    struct station s = station_open(0.8, 1.0, 1, 5000);
    claims_hold("3 of M/M/1 at 0.8", &t,
                (struct claim[]){CLAIM_MEAN("web.sojourn_time", s.response * UNIT, MEANS),
                                 CLAIM_LEVEL("web.queue_depth", 3.0 * s.waiting, MEANS),
                                 CLAIM_MEAN("users.request_latency", s.response * UNIT, MEANS),
                                 CLAIMS_END});
    trial_close(&t);
}

/* Two choices among many servers: the limit for infinitely many (Vvedenskaya, Dobrushin and
 * Karpelevich 1996). With 200 of them the mean lies above it by a bias of the order of 1/200. */
static void two_choices(const char *rate, double response)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 9s\n"
               "warmup: 3s\n"
               "entities:\n"
               "  users: {type: client, target: {to: web, balance: power_of_two_choices},\n"
               "          arrivals: {kind: poisson, rate: %s}}\n"
               "  web: {type: server, count: 200, service_time: {exponential: 10ms}}\n",
               rate);
    struct claim claims[] = {CLAIM_MEAN("web.sojourn_time", response * UNIT, MEANS), CLAIMS_END};
    claims[0].slack = 0.01;
    claims_hold("two choices of 200", &t, claims);
    trial_close(&t);
}

static void power_of_two_choices(void **state)
{
    (void)state;
    two_choices("10000/s", 1.26568604);
    two_choices("14000/s", 1.61445377);
    two_choices("18000/s", 2.61405738);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_networks), cmocka_unit_test(delay_stations),
        cmocka_unit_test(split_streams), cmocka_unit_test(power_of_two_choices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
