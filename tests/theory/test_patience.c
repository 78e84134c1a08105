/* SPDX-License-Identifier: Apache-2.0
 *
 * Callers that do not wait for ever, against theory: what they leave is the queue, at the instant
 * at which they lose patience, as their server takes a cancelled request out of it; whom it has
 * begun to serve it serves to the end. The unit of time is the mean service, 10 ms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/claim.h"
#include "theory/closed_forms.h"

static const double UNIT = 0.01; /* [s] */
static const double MEANS = 0.01, CHANCES = 0.01;

enum { ROOM = 5000 }; /* as good as unlimited */

/* Opens a queue of c servers that runs for `units`, of callers whose patience is a `law`. */
static void impatient(struct trial *t, double lambda, int c, const char *law, double units)
{
    trial_open(t,
               "squall: 1\n"
               "duration: %.3fs\n"
               "warmup: %.3fs\n"
               "entities:\n"
               "  users: {type: client, target: service, call: {timeout: %s, cancel: [timeouts]},\n"
               "          arrivals: {kind: poisson, rate: %.9g/s}}\n"
               "  service: {type: server, concurrency: %d, on_cancel: dequeue,\n"
               "            service_time: {exponential: 10ms}}\n",
               1.05 * units * UNIT, 0.05 * units * UNIT, law, lambda / UNIT, c);
}

static void erlang_a(double lambda, int c, double units)
{
    const double theta = 0.5;
    struct trial t;
    impatient(&t, lambda, c, "{exponential: 20ms}", units);
    char what[64];
    snprintf(what, sizeof what, "M/M/%d+M at %g", c, lambda);
    struct station s = station_impatient(lambda, 1.0, c, theta, ROOM);
    claims_hold(what, &t,
                (struct claim[]){
                    CLAIM_RATIO("service.requests_cancelled", "service.requests_received",
                                theta * s.waiting / lambda, CHANCES),
                    CLAIM_LEVEL("service.queue_depth", s.waiting, MEANS),
                    CLAIM_LEVEL("service.busy_workers", s.busy, MEANS),
                    CLAIM_RATE("service.requests_completed", s.busy / UNIT, MEANS), CLAIMS_END});
    trial_close(&t);
}

static void exponential_patience(void **state)
{
    (void)state;
    erlang_a(0.9, 1, 2e4);
    erlang_a(9.0, 10, 1e4);
    erlang_a(100.0, 100, 2e3);
}

static void m_m_c_d(double lambda, int c, double tau, double units)
{
    char law[32], what[64];
    snprintf(law, sizeof law, "%.9gs", tau * UNIT);
    struct trial t;
    impatient(&t, lambda, c, law, units);
    snprintf(what, sizeof what, "M/M/%d+D at %g", c, lambda);
    struct patience p = constant_patience(lambda, 1.0, c, tau);
    double served = lambda * (1.0 - p.abandoned);
    claims_hold(what, &t,
                (struct claim[]){CLAIM_RATIO("service.requests_cancelled",
                                             "service.requests_received", p.abandoned, CHANCES),
                                 CLAIM_LEVEL("service.queue_depth", lambda * p.wait, MEANS),
                                 CLAIM_LEVEL("service.busy_workers", served, MEANS),
                                 CLAIM_RATE("service.requests_completed", served / UNIT, MEANS),
                                 CLAIMS_END});
    trial_close(&t);
}

static void equal_patience(void **state)
{
    (void)state;
    m_m_c_d(0.8, 1, 5.0, 4e4);
    m_m_c_d(1.2, 1, 5.0, 2e4);
    m_m_c_d(2.0, 1, 5.0, 1e4);
    m_m_c_d(9.0, 10, 0.5, 1e4);
}

/* Those who leave when their turn has come, as `max_wait` has it, leave the others' waits as they
 * are: what is in the queue of one that left has no length. */
static void patience_is_over_at_the_turn(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 210s\n"
                   "warmup: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: service,\n"
                   "          arrivals: {kind: poisson, rate: 120/s}}\n"
                   "  service: {type: server, service_time: {exponential: 10ms},\n"
                   "            queue: {max_wait: 50ms}}\n");
    struct patience p = constant_patience(1.2, 1.0, 1, 5.0);
    claims_hold("max_wait", &t,
                (struct claim[]){CLAIM_RATIO("service.requests_reneged",
                                             "service.requests_received", p.abandoned, CHANCES),
                                 CLAIM_LEVEL("service.busy_workers", p.waits, MEANS), CLAIMS_END});
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exponential_patience),
                                       cmocka_unit_test(equal_patience),
                                       cmocka_unit_test(patience_is_over_at_the_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
