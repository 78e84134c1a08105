/* SPDX-License-Identifier: Apache-2.0
 *
 * Several attempts side by side: the scenarios of configs/scenarios about it against what can be
 * computed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "support/claim.h"

static const double MS = 1e-3;

/* 1 - F(t) of the service time in hedging.yaml, t in [ms]: straight lines between percentiles. */
static double slower_than(double t)
{
    static const double time[] = {0.0, 1.0, 5.0, 10.0, 50.0, 100.0};
    static const double rest[] = {1.0, 0.5, 0.05, 0.01, 0.001, 0.0};
    if (t <= 0.0) {
        return 1.0;
    }
    for (int i = 1; i < 6; i++) {
        if (t <= time[i]) {
            double part = (t - time[i - 1]) / (time[i] - time[i - 1]);
            return rest[i - 1] + part * (rest[i] - rest[i - 1]);
        }
    }
    return 0.0;
}

/* The time [ms] that a share of 1 - p of all requests exceeds when a second attempt follows after
 * `delay` [ms]; by bisection. */
static double hedged_quantile(double p, double delay)
{
    double low = 0.0, high = 100.0;
    for (int i = 0; i < 60; i++) {
        double t = 0.5 * (low + high);
        if (slower_than(t) * slower_than(t - delay) > 1.0 - p) {
            low = t;
        } else {
            high = t;
        }
    }
    return low;
}

static void hedge_after(double delay)
{
    char set[64], what[64];
    snprintf(set, sizeof set, "hedged.call.strategy.delays.constant=%gms", delay);
    snprintf(what, sizeof what, "hedge after %g ms", delay);
    struct trial t;
    trial_load(&t, "configs/scenarios/hedging.yaml",
               (const char *const[]){set, "duration=40s", NULL});
    const char *latency = "hedged.request_latency";
    claims_hold(
        what, &t,
        (struct claim[]){
            CLAIM_MEAN("plain.request_latency", 2.245 * MS, 0.01),
            CLAIM_QUANTILE(latency, 0.97, hedged_quantile(0.97, delay) * MS, 0.01),
            CLAIM_QUANTILE(latency, 0.99, hedged_quantile(0.99, delay) * MS, 0.02),
            CLAIM_QUANTILE(latency, 0.999, hedged_quantile(0.999, delay) * MS, 0.05),
            CLAIM_RATIO("hedged.hedges", "hedged.logical_requests", slower_than(delay), 0.01),
            CLAIM_RATIO("leaf.requests_received", "plain.logical_requests",
                        2.0 + slower_than(delay), 0.01),
            CLAIMS_END});
    trial_close(&t);
}

static void a_hedge_cuts_the_tail(void **state)
{
    (void)state;
    hedge_after(5.0);
    hedge_after(1.0);
    hedge_after(10.0);
}

/* --- redundancy-d ------------------------------------------------------------------------- */

/* Adds one user for each set of `d` of the servers from `from` on; `chosen` holds `n` already.
 * Returns how many users there are then. */
static int choose(char *edges, size_t *length, int k, int d, int from, int *chosen, int n,
                  int users)
{
    if (n == d) {
        for (int i = 0; i < d; i++) {
            *length += (size_t)sprintf(edges + *length, "%d,%d\\n", users, chosen[i]);
        }
        return users + 1;
    }
    for (int s = from; s < k; s++) {
        chosen[n] = s;
        users = choose(edges, length, k, d, s + 1, chosen, n + 1, users);
    }
    return users;
}

/* `response` in services; every set of servers has a user who calls them in turn. */
static void redundant(int k, int d, double load, double response)
{
    static char edges[8192];
    size_t length = (size_t)sprintf(edges, "users.target.graph.edges=\"from,to\\n");
    int chosen[8], users = choose(edges, &length, k, d, 0, chosen, 0, 0);
    assert_in_range(length, 1, sizeof edges - 2);
    sprintf(edges + length, "\"");
    char count[32], servers[32], attempts[64], rate[64], duration[32], what[64];
    snprintf(count, sizeof count, "users.count=%d", users);
    snprintf(servers, sizeof servers, "servers.count=%d", k);
    snprintf(attempts, sizeof attempts, "users.call.strategy.attempts=%d", d);
    snprintf(rate, sizeof rate, "users.arrivals.rate=%.12g/s", 100.0 * load * k / users);
    snprintf(duration, sizeof duration, "duration=%ds", 20 + 500 / k);
    snprintf(what, sizeof what, "%d of %d servers", d, k);
    struct trial t;
    trial_load(&t, "configs/scenarios/redundancy.yaml",
               (const char *const[]){count, servers, attempts, rate, duration, edges, NULL});
    claims_hold(what, &t,
                (struct claim[]){CLAIM_MEAN("users.request_latency", response * 10.0 * MS, 0.01),
                                 CLAIM_RATE("users.successes", 100.0 * load * k, 0.01),
                                 CLAIMS_END});
    trial_close(&t);
}

static void copies_shorten_queues(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, "configs/scenarios/redundancy.yaml", NULL);
    claims_hold("as it stands", &t,
                (struct claim[]){CLAIM_MEAN("users.request_latency", 25.0 * MS, 0.01),
                                 CLAIM_LEVEL("servers.busy_workers", 1.6, 0.01), CLAIMS_END});
    trial_close(&t);
    redundant(2, 2, 0.8, 2.5);
    redundant(10, 2, 0.5, 0.798103367);
    redundant(10, 2, 0.8, 1.41007401516);
    redundant(10, 3, 0.8, 0.944471888);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hedge_cuts_the_tail),
                                       cmocka_unit_test(copies_shorten_queues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
