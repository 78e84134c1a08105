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

#include <math.h>
#include <stdio.h>

#include "support/claim.h"
#include "theory/closed_forms.h"

static const double UNIT = 0.01; /* [s] */
static const double MEANS = 0.01, TAILS = 0.02;

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
               "duration: 2500ms\n"
               "warmup: 1s\n"
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

/* --- open networks ----------------------------------------------------------------------- */

/* Three queues in a row: each one sees Poisson arrivals (Burke 1956), and the times that a request
 * spends in them are independent (Reich 1957). A saga goes from one to the next. */
static void queues_in_a_row(void **state)
{
    (void)state;
    const double lambda = 0.8, mu[] = {1.0, 1.3, 0.9};
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 840s\n"
               "warmup: 40s\n"
               "entities:\n"
               "  users: {type: client, target: way, arrivals: {kind: poisson, rate: 80/s}}\n"
               "  way: {type: saga, steps: [{action: {target: a}}, {action: {target: b}},\n"
               "                            {action: {target: c}}]}\n"
               "  a: {type: server, service_time: {exponential: %.0fns}}\n"
               "  b: {type: server, service_time: {exponential: %.0fns}}\n"
               "  c: {type: server, service_time: {exponential: %.0fns}}\n",
               1e9 * UNIT / mu[0], 1e9 * UNIT / mu[1], 1e9 * UNIT / mu[2]);
    double rates[3], mean = 0.0;
    for (int i = 0; i < 3; i++) {
        rates[i] = mu[i] - lambda;
        mean += 1.0 / rates[i];
    }
#define LATENCY(p, goal) \
    CLAIM_QUANTILE("users.request_latency", p, hypoexponential_quantile(3, rates, p) * UNIT, goal)
    claims_hold("three in a row", &t,
                (struct claim[]){CLAIM_MEAN("users.request_latency", mean * UNIT, MEANS),
                                 LATENCY(0.5, MEANS), LATENCY(0.9, TAILS), LATENCY(0.95, TAILS),
                                 LATENCY(0.99, TAILS),
                                 CLAIM_MEAN("a.sojourn_time", UNIT / rates[0], MEANS),
                                 CLAIM_MEAN("b.sojourn_time", UNIT / rates[1], MEANS), CLAIMS_END});
#undef LATENCY
    trial_close(&t);
}

/* A share `p` of answers are failures, which come again, at the end of the line. Arrivals are no
 * Poisson process any more, and yet each finds what one would find. */
static void what_fails_comes_again(double lambda, double p)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 1640s\n"
               "warmup: 40s\n"
               "entities:\n"
               "  users: {type: client, target: service,\n"
               "          arrivals: {kind: poisson, rate: %.9g/s},\n"
               "          call: {retry: {kind: fixed, max_attempts: 1000, delay: 0s}}}\n"
               "  service: {type: server, service_time: {exponential: 10ms},\n"
               "            responses: [{weight: %.9g}, {status: 503, weight: %.9g}]}\n",
               lambda / UNIT, 1.0 - p, p);
    double through, scale;
    traffic_rates(1, &lambda, &p, &through);
    struct station s = station_open(through, 1.0, 1, 5000);
    scale = UNIT / (1.0 - through);
    char what[64];
    snprintf(what, sizeof what, "feedback of %g at %g", p, lambda);
    claims_hold(
        what, &t,
        (struct claim[]){CLAIM_LEVEL("service.busy_workers", s.busy, MEANS),
                         CLAIM_LEVEL("users.in_flight", s.present, MEANS),
                         CLAIM_MEAN("users.request_latency", s.present / lambda * UNIT, MEANS),
                         CLAIM_QUANTILE("service.sojourn_time", 0.5, log(2.0) * scale, MEANS),
                         CLAIM_QUANTILE("service.sojourn_time", 0.95, log(20.0) * scale, TAILS),
                         CLAIMS_END});
    trial_close(&t);
}

static void feedback(void **state)
{
    (void)state;
    what_fails_comes_again(0.6, 0.3);
    what_fails_comes_again(0.5, 0.4);
}

/* By the product form a request finds at each node what it would find if there were no others: the
 * time that it spends at a single server is exponential, and so is what it waits for several, if it
 * does. */
static double wait_quantile(double p, const struct station *s, double lambda, double mu, int c)
{
    return log(s->all_busy / (1.0 - p)) / (c * mu - lambda) * UNIT;
}

/* Requests go to a or b, and when these have not failed to c or d. What has failed goes again to
 * either of the two; others come to d from outside. */
static void four_nodes(void **state)
{
    (void)state;
    const double mu[] = {0.7, 0.35, 0.6, 0.35}, outside[] = {0.4, 0.4, 0.0, 0.3};
    const int c[] = {1, 2, 1, 3};
    const double route[] = {0.15, 0.15, 0.35, 0.35, /* a fails at 0.3 */
                            0.05, 0.05, 0.45, 0.45, /* b at 0.1 */
                            0.0,  0.0,  0.1,  0.1,  /* c at 0.2 */
                            0.0,  0.0,  0.0,  0.0};
    double through[4];
    struct station s[4];
    traffic_rates(4, outside, route, through);
    for (int i = 0; i < 4; i++) {
        s[i] = station_open(through[i], mu[i], c[i], 5000);
    }
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 1030s\n"
               "warmup: 30s\n"
               "entities:\n"
               "  users: {type: client, target: way, arrivals: {kind: poisson, rate: 80/s}}\n"
               "  others: {type: client, target: d, arrivals: {kind: poisson, rate: 30/s}}\n"
               "  way: {type: saga, steps: [\n"
               "    {action: {target: {to: [a, b], balance: random}, retry: &again\n"
               "      {kind: fixed, max_attempts: 1000, delay: 0s}}},\n"
               "    {action: {target: {to: [c, d], balance: random}, retry: *again}}]}\n"
               "  a: {type: server, service_time: {exponential: %.0fns},\n"
               "      responses: [{weight: 7}, {status: 503, weight: 3}]}\n"
               "  b: {type: server, service_time: {exponential: %.0fns}, concurrency: 2,\n"
               "      responses: [{weight: 9}, {status: 503, weight: 1}]}\n"
               "  c: {type: server, service_time: {exponential: %.0fns},\n"
               "      responses: [{weight: 8}, {status: 503, weight: 2}]}\n"
               "  d: {type: server, service_time: {exponential: %.0fns}, concurrency: 3}\n",
               1e9 * UNIT / mu[0], 1e9 * UNIT / mu[1], 1e9 * UNIT / mu[2], 1e9 * UNIT / mu[3]);
    claims_hold(
        "four nodes", &t,
        (struct claim[]){
            CLAIM_LEVEL("a.queue_depth", s[0].waiting, MEANS),
            CLAIM_LEVEL("b.queue_depth", s[1].waiting, MEANS),
            CLAIM_LEVEL("c.queue_depth", s[2].waiting, MEANS),
            CLAIM_LEVEL("d.queue_depth", s[3].waiting, MEANS),
            CLAIM_QUANTILE("a.sojourn_time", 0.95, log(20.0) * UNIT / (mu[0] - through[0]), TAILS),
            CLAIM_QUANTILE("b.wait_time", 0.95, wait_quantile(0.95, &s[1], through[1], mu[1], c[1]),
                           TAILS),
            CLAIM_QUANTILE("c.sojourn_time", 0.5, log(2.0) * UNIT / (mu[2] - through[2]), TAILS),
            CLAIM_QUANTILE("d.wait_time", 0.95, wait_quantile(0.95, &s[3], through[3], mu[3], c[3]),
                           TAILS),
            CLAIMS_END});
    trial_close(&t);
}

/* --- retrials ---------------------------------------------------------------------------- */

/* A server without a waiting room, and callers who try again until they are served. The way to it
 * takes an exponential time, for first attempts, too: delayed so, they are Poisson still. */
static void persistent(const char *law, const struct moments *m, double lambda, double nu)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 550s\n"
               "warmup: 50s\n"
               "entities:\n"
               "  users: {type: client, target: service,\n"
               "          arrivals: {kind: poisson, rate: %.9g/s},\n"
               "          call: {connection_latency: {exponential: %.9gms},\n"
               "                 retry: {kind: fixed, max_attempts: 10000, delay: 0s}}}\n"
               "  service: {type: server, queue: {capacity: 0}, service_time: %s}\n",
               lambda / UNIT, 1e3 * UNIT / nu, law);
    double orbit = retrial_orbit(lambda, nu, m);
    char what[64];
    snprintf(what, sizeof what, "retrials at %g, %s", lambda, law);
    claims_hold(
        what, &t,
        (struct claim[]){
            CLAIM_RATIO("users.retries", "users.logical_requests", nu * orbit / lambda, MEANS),
            CLAIM_LEVEL("service.busy_workers", lambda, MEANS),
            CLAIM_LEVEL("users.in_flight", lambda / nu + orbit + lambda, MEANS),
            CLAIM_MEAN("users.request_latency", (1.0 / nu + orbit / lambda + 1.0) * UNIT, MEANS),
            CLAIMS_END});
    trial_close(&t);
}

static void retrials(void **state)
{
    (void)state;
    const struct moments exponential = {1.0, 2.0, 6.0}, constant = {1.0, 1.0, 1.0};
    persistent("{exponential: 10ms}", &exponential, 0.5, 0.5);
    persistent("10ms", &constant, 0.5, 0.5);
    persistent("{exponential: 10ms}", &exponential, 0.8, 1.0);
    persistent("10ms", &constant, 0.8, 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_networks), cmocka_unit_test(delay_stations),
        cmocka_unit_test(split_streams),   cmocka_unit_test(power_of_two_choices),
        cmocka_unit_test(queues_in_a_row), cmocka_unit_test(feedback),
        cmocka_unit_test(four_nodes),      cmocka_unit_test(retrials)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
