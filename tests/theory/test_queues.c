/* SPDX-License-Identifier: Apache-2.0
 *
 * One station with one source, against theory. The unit of time is the mean service, 10 ms; rates
 * and times in the claims are in units. Formulas are those of theory/closed_forms.h; how long a run
 * must be for a given error follows from the asymptotic variance (Whitt, "Planning queueing
 * simulations", 1989).
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

enum { ROOM = 5000 }; /* as good as unlimited at the loads used here */

static const double MEANS = 0.01, CHANCES = 0.01, TAILS = 0.02, SQUARES = 0.03;

/* One source and one server over `units` after a warm-up of a twentieth of that. */
static void open_queue(struct trial *t, double units, const char *arrivals, const char *server)
{
    trial_open(t,
               "squall: 1\n"
               "duration: %.3fs\n"
               "warmup: %.3fs\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: %s}\n"
               "  service: {type: server, %s}\n",
               1.05 * units * UNIT, 0.05 * units * UNIT, arrivals, server);
}

static void check(const char *what, double units, const char *arrivals, const char *server,
                  const struct claim *claims)
{
    struct trial t;
    open_queue(&t, units, arrivals, server);
    claims_hold(what, &t, claims);
    trial_close(&t);
}

static void poisson(char *text, size_t size, double lambda)
{
    snprintf(text, size, "{kind: poisson, rate: %.9g/s}", lambda / UNIT);
}

static void one_server(double lambda, double units)
{
    char arrivals[64], what[64];
    poisson(arrivals, sizeof arrivals, lambda);
    snprintf(what, sizeof what, "M/M/1 at %g", lambda);
    struct station s = station_open(lambda, 1.0, 1, ROOM);
    double scale = UNIT / (1.0 - lambda); /* the time in the system is exponential */
    check(what, units, arrivals, "service_time: {exponential: 10ms}",
          (struct claim[]){CLAIM_MEAN("service.wait_time", s.waiting / lambda * UNIT, MEANS),
                           CLAIM_MEAN("users.request_latency", s.response * UNIT, MEANS),
                           CLAIM_LEVEL("service.queue_depth", s.waiting, MEANS),
                           CLAIM_LEVEL("service.busy_workers", lambda, MEANS),
                           CLAIM_QUANTILE("service.sojourn_time", 0.5, log(2.0) * scale, MEANS),
                           CLAIM_QUANTILE("service.sojourn_time", 0.9, log(10.0) * scale, MEANS),
                           CLAIM_QUANTILE("service.sojourn_time", 0.95, log(20.0) * scale, TAILS),
                           CLAIM_QUANTILE("service.sojourn_time", 0.99, log(100.0) * scale, TAILS),
                           CLAIMS_END});
}

static void m_m_1(void **state)
{
    (void)state;
    one_server(0.5, 6e4);
    one_server(0.8, 8e4);
    one_server(0.95, 7.2e5);
}

static void many_servers(int c, double lambda, double units)
{
    char arrivals[64], server[64], what[64];
    poisson(arrivals, sizeof arrivals, lambda);
    snprintf(server, sizeof server, "concurrency: %d, service_time: {exponential: 10ms}", c);
    snprintf(what, sizeof what, "M/M/%d at %g", c, lambda);
    struct station s = station_open(lambda, 1.0, c, ROOM);
    check(what, units, arrivals, server,
          (struct claim[]){CLAIM_MEAN("service.wait_time", s.waiting / lambda * UNIT, MEANS),
                           CLAIM_MEAN("users.request_latency", s.response * UNIT, MEANS),
                           CLAIM_LEVEL("service.queue_depth", s.waiting, MEANS),
                           CLAIM_LEVEL("service.busy_workers", s.busy, MEANS), CLAIMS_END});
}

static void m_m_c(void **state)
{
    (void)state;
    many_servers(2, 1.6, 5e4);
    many_servers(10, 9.0, 4e4);
    many_servers(30, 27.0, 2.2e4);
}

/* `most` counts the requests in service, too. */
static void limited_room(int c, double lambda, int most, const char *law, double units)
{
    char arrivals[64], server[256], what[64];
    poisson(arrivals, sizeof arrivals, lambda);
    snprintf(server, sizeof server, "concurrency: %d, queue: {capacity: %d}, service_time: %s", c,
             most - c, law);
    snprintf(what, sizeof what, "M/%s/%d/%d at %g", law[1] == 'e' ? "M" : "G", c, most, lambda);
    struct station s = station_open(lambda, 1.0, c, most);
    struct claim claims[] = {
        CLAIM_RATIO("service.requests_rejected", "service.requests_received", s.full, CHANCES),
        CLAIM_LEVEL("users.in_flight", s.present, MEANS),
        CLAIM_MEAN("service.sojourn_time", s.response * UNIT, MEANS),
        CLAIM_RATE("service.requests_completed", s.throughput / UNIT, MEANS), CLAIMS_END};
    check(what, units, arrivals, server, claims);
}

static void m_m_c_k(void **state)
{
    (void)state;
    limited_room(1, 0.9, 10, "{exponential: 10ms}", 6e4);
    limited_room(1, 1.5, 10, "{exponential: 10ms}", 2e4);
    limited_room(4, 5.0, 20, "{exponential: 10ms}", 5e3);
}

/* Without waiting room the law of service does not matter but for its mean. */
static void erlang_loss(void **state)
{
    (void)state;
    limited_room(5, 3.0, 5, "{exponential: 10ms}", 4e3);
    limited_room(10, 8.0, 10, "{exponential: 10ms}", 2e3);
    limited_room(10, 8.0, 10, "{lognormal: {mean: 10ms, cv: 2}}", 4e3);
    limited_room(10, 10.0, 10, "{constant: 10ms}", 2e3);
    /* Most requests are quick, and a few hold their server a thousand times as long. */
    limited_room(100, 509.5, 100,
                 "{mixture: [{weight: 95, law: {exponential: 196271ns}}, "
                 "{weight: 5, law: {exponential: 196270854ns}}]}",
                 6e2);
}

struct law {
    const char *name, *text;
    struct moments moments; /* in units */
    double units;
    double squares; /* goal of the mean square */
};

static void general_service(const struct law *law, double lambda)
{
    char arrivals[64], server[256];
    poisson(arrivals, sizeof arrivals, lambda);
    snprintf(server, sizeof server, "service_time: %s", law->text);
    double wait = pollaczek_wait(lambda, &law->moments);
    double square = pollaczek_wait_square(lambda, &law->moments);
    check(law->name, law->units, arrivals, server,
          (struct claim[]){CLAIM_MEAN("service.wait_time", wait * UNIT, MEANS),
                           CLAIM_MEAN("users.request_latency", (wait + 1.0) * UNIT, MEANS),
                           CLAIM_LEVEL("service.queue_depth", lambda * wait, MEANS),
                           CLAIM_SQUARE("service.wait_time", square * UNIT * UNIT, law->squares),
                           CLAIMS_END});
}

static void m_g_1(void **state)
{
    (void)state;
    double g = tgamma(1.5), p = 0.887298334621, fast = 1.0 / 1.77459666924,
           slow = 1.0 / 0.225403330759;
    const struct law laws[] = {
        {"M/D/1", "{constant: 10ms}", {1.0, 1.0, 1.0}, 4e4, SQUARES},
        {"M/E2/1", "{erlang: {mean: 10ms, phases: 2}}", {1.0, 1.5, 3.0}, 4e4, SQUARES},
        {"M/U/1", "{uniform: {low: 0s, high: 20ms}}", {1.0, 4.0 / 3.0, 2.0}, 5e4, SQUARES},
        {"M/Weibull/1",
         "{weibull: {mean: 10ms, shape: 2}}",
         {1.0, 1.0 / (g * g), tgamma(2.5) / (g * g * g)},
         6e4,
         SQUARES},
        {"M/H2/1",
         "{hyperexponential: {mean: 10ms, cv: 2}}",
         {1.0, 2.0 * (p * fast * fast + (1.0 - p) * slow * slow),
          6.0 * (p * fast * fast * fast + (1.0 - p) * slow * slow * slow)},
         2e5,
         SQUARES}};
    for (size_t i = 0; i < sizeof laws / sizeof laws[0]; i++) {
        general_service(&laws[i], 0.8);
    }
}

/* Crommelin's formula, evaluated to ten digits. */
static void m_d_1_waits(void **state)
{
    (void)state;
    struct quantiles {
        double lambda, p50, p90, p95, p99;
    } cases[] = {{0.5, 0.0, 1.515744841, 2.050638407, 3.336255957},
                 {0.8, 1.275939873, 5.011511498, 6.620324997, 10.35588679}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct quantiles *q = &cases[i];
        char arrivals[64];
        poisson(arrivals, sizeof arrivals, q->lambda);
        /* A median of 0 is exact or wrong: it is left to the other tests. */
        double p = q->p50 > 0.0 ? 0.5 : 0.9, middle = q->p50 > 0.0 ? q->p50 : q->p90;
        check("M/D/1 waits", 4e4, arrivals, "service_time: 10ms",
              (struct claim[]){CLAIM_QUANTILE("service.wait_time", p, middle * UNIT, MEANS),
                               CLAIM_QUANTILE("service.wait_time", 0.9, q->p90 * UNIT, MEANS),
                               CLAIM_QUANTILE("service.wait_time", 0.95, q->p95 * UNIT, TAILS),
                               CLAIM_QUANTILE("service.wait_time", 0.99, q->p99 * UNIT, TAILS),
                               CLAIMS_END});
    }
}

static void renewal_arrivals(const char *what, const char *arrivals, double sigma, double units)
{
    double scale = UNIT / (1.0 - sigma);
    check(what, units, arrivals, "service_time: {exponential: 10ms}",
          (struct claim[]){CLAIM_MEAN("service.wait_time", sigma * scale, MEANS),
                           CLAIM_MEAN("users.request_latency", scale, MEANS),
                           CLAIM_QUANTILE("service.sojourn_time", 0.5, log(2.0) * scale, MEANS),
                           CLAIM_QUANTILE("service.sojourn_time", 0.99, log(100.0) * scale, TAILS),
                           CLAIMS_END});
}

static void gi_m_1(void **state)
{
    (void)state;
    renewal_arrivals("D/M/1 at 0.8", "{kind: constant, rate: 80/s}",
                     sigma_of_constant_arrivals(0.8), 6e4);
    renewal_arrivals("D/M/1 at 0.9", "{kind: constant, rate: 90/s}",
                     sigma_of_constant_arrivals(0.9), 2e5);
    /* Balanced means, squared coefficient of variation 4, load 0.8. */
    renewal_arrivals("H2/M/1 at 0.8",
                     "{renewal: {interarrival: {hyperexponential: {mean: 12.5ms, cv: 2}}}}",
                     0.9075716626, 2e5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(m_m_1),   cmocka_unit_test(m_m_c),
                                       cmocka_unit_test(m_m_c_k), cmocka_unit_test(erlang_loss),
                                       cmocka_unit_test(m_g_1),   cmocka_unit_test(m_d_1_waits),
                                       cmocka_unit_test(gi_m_1)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
