/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds retries and requests back: the scenarios of configs/scenarios about it against the
 * figures of those who published them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "support/claim.h"

/* An override of the share of attempts that a scenario's `service` fails. */
struct failing {
    char good[64], bad[64];
};

static struct failing failing(double p)
{
    struct failing f;
    snprintf(f.good, sizeof f.good, "service.responses[0].weight=%.12g", 1.0 - p);
    snprintf(f.bad, sizeof f.bad, "service.responses[1].weight=%.12g", p);
    return f;
}

static const double BROOKER = 3e-4; /* error of the figures of his simulation */

struct figures {
    double success, load; /* successes and attempts per request */
};

/* With his budget, and with what he calls a circuit breaker. */
static void budget(double p, struct figures budgeted, struct figures wary)
{
    struct failing f = failing(p);
    struct trial t;
    trial_load(&t, "configs/scenarios/retry_budget.yaml",
               (const char *const[]){f.good, f.bad, NULL});
    char what[64];
    snprintf(what, sizeof what, "budget, %g fail", p);
    struct claim claims[] = {
        CLAIM_RATIO("once.successes", "once.logical_requests", 1.0 - p, 0.01),
        CLAIM_RATIO("thrice.successes", "thrice.logical_requests", 1.0 - pow(p, 4), 0.01),
        CLAIM_RATIO("thrice.requests_sent", "thrice.logical_requests",
                    (1.0 - pow(p, 4)) / (1.0 - p), 0.01),
        CLAIM_RATIO("budgeted.successes", "budgeted.logical_requests", budgeted.success, 0.01),
        CLAIM_RATIO("budgeted.requests_sent", "budgeted.logical_requests", budgeted.load, 0.01),
        CLAIM_RATIO("wary.successes", "wary.logical_requests", wary.success, 0.01),
        CLAIM_RATIO("wary.requests_sent", "wary.logical_requests", wary.load, 0.01),
        CLAIMS_END};
    for (int i = 3; i < 7; i++) {
        claims[i].slack = BROOKER / claims[i].value;
    }
    claims_hold(what, &t, claims);
    trial_close(&t);
}

static void a_budget_caps_the_load(void **state)
{
    (void)state;
    budget(0.05, (struct figures){0.99986, 1.0525}, (struct figures){0.98657, 1.0385});
    budget(0.1, (struct figures){0.99176, 1.10206}, (struct figures){0.92831, 1.03144});
    budget(0.2, (struct figures){0.90747, 1.13458}, (struct figures){0.80264, 1.00326});
    budget(0.5, (struct figures){0.57096, 1.14163}, (struct figures){0.49969, 1.000025});
    /* Of the breaker at 75 % he says nothing: it never lets anything be tried again. */
    budget(0.75, (struct figures){0.28533, 1.14280}, (struct figures){0.25, 1.0});
}

/* Where the tokens of the beginning do not matter any more. */
static void a_tenth_is_retried_in_the_long_run(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/retry_budget.yaml",
               (const char *const[]){"duration=1002s", "once.count=1", "thrice.count=1",
                                     "wary.count=1", "service.responses[0].weight=80",
                                     "service.responses[1].weight=20", "budgeted.count=10",
                                     "budgeted.arrivals.rate.steps[1]=[1000s,0/s]", NULL});
    claims_hold("budget, in the long run", &t,
                (struct claim[]){CLAIM(CLAIM_RATIO, "budgeted.requests_sent", 1.1004, 0.01,
                                       .per = "budgeted.logical_requests", .slack = BROOKER),
                                 CLAIMS_END});
    trial_close(&t);
}

/* At the very rate that it allows a breaker is now open and now closed. */
static void a_breaker_is_undecided_in_the_long_run(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/retry_budget.yaml",
               (const char *const[]){"duration=1002s", "once.count=1", "thrice.count=1",
                                     "budgeted.count=1", "wary.count=10",
                                     "wary.arrivals.rate.steps[1]=[1000s,0/s]", NULL});
    claims_hold("breaker, in the long run", &t,
                (struct claim[]){CLAIM(CLAIM_RATIO, "wary.successes", 0.91556, 0.01,
                                       .per = "wary.logical_requests", .slack = BROOKER),
                                 CLAIM(CLAIM_RATIO, "wary.requests_sent", 1.01757, 0.01,
                                       .per = "wary.logical_requests", .slack = BROOKER),
                                 CLAIMS_END});
    trial_close(&t);
}

/* Of all failed attempts the throttle allows a share to be tried again. It is not asked after the
 * fifth of a request, one attempt in 1 / p^4 at most. */
static void throttled(double p, double allowed)
{
    struct failing f = failing(p);
    struct trial t;
    trial_load(&t, "configs/scenarios/grpc_throttle.yaml",
               (const char *const[]){f.good, f.bad, NULL});
    char what[64];
    snprintf(what, sizeof what, "gRPC, %g fail", p);
    claims_hold(what, &t,
                (struct claim[]){CLAIM(CLAIM_RATIO, "channel.retries", allowed, 0.03,
                                       .per = "channel.errors", .slack = pow(p, 4) + 1e-6),
                                 CLAIM_RATE("channel.logical_requests", 1000.0, 0.001),
                                 CLAIMS_END});
    trial_close(&t);
}

static void grpc_throttles_retries(void **state)
{
    (void)state;
    throttled(0.01, 0.9999994821);
    throttled(0.05, 0.9903763002);
    throttled(0.08, 0.7109948086);
    throttled(0.09, 0.4388913235);
    throttled(0.1, 0.1994837268);
    throttled(0.12, 0.025249064);
}

/* Where demand of D meets a capacity of 100/s, K * 100 are sent. */
static void adapted(double demand, double k)
{
    char rate[64], multiplier[64], what[64];
    snprintf(rate, sizeof rate, "clients.arrivals.rate=%g/s", demand / 10.0);
    snprintf(multiplier, sizeof multiplier, "clients.call.throttle.multiplier=%g", k);
    snprintf(what, sizeof what, "demand %g, K %g", demand, k);
    struct trial t;
    trial_load(&t, "configs/scenarios/adaptive_throttling.yaml",
               (const char *const[]){rate, multiplier, NULL});
    double sent = fmin(demand, k * 100.0);
    struct claim claims[] = {
        CLAIM_RATE("clients.requests_sent", sent, 0.01),
        CLAIM_RATE("clients.successes", 100.0, 0.01),
        CLAIM_RATIO("clients.throttled", "clients.logical_requests", 1.0 - sent / demand, 0.01),
        CLAIMS_END};
    if (sent == demand) {
        claims[2] = (struct claim)CLAIMS_END;
    }
    claims_hold(what, &t, claims);
    trial_close(&t);
}

static void clients_adapt_to_what_is_accepted(void **state)
{
    (void)state;
    adapted(1000.0, 2.0);
    adapted(1000.0, 1.1);
    adapted(150.0, 2.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_budget_caps_the_load),
                                       cmocka_unit_test(a_tenth_is_retried_in_the_long_run),
                                       cmocka_unit_test(a_breaker_is_undecided_in_the_long_run),
                                       cmocka_unit_test(grpc_throttles_retries),
                                       cmocka_unit_test(clients_adapt_to_what_is_accepted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
