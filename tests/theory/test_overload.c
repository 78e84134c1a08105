/* SPDX-License-Identifier: Apache-2.0
 *
 * An overload and what the length of the queue makes of it: 80 requests a second, 150 between 10 s
 * and 30 s, none after 60 s, at a server that takes 10 ms for each, while callers wait for 1 s. The
 * values are not theory but the means of 1000 runs of an independent simulation of the same model;
 * their own standard errors (below 0.13 %) are the slack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/claim.h"

static const double SECONDS = 120.0;

static void overload(const char *capacity, double in_time, double error)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: %.0fs\n"
               "entities:\n"
               "  users:\n"
               "    type: client\n"
               "    target: service\n"
               "    call: {timeout: 1s}\n"
               "    arrivals: {kind: poisson, rate: {steps: [[0s, 80/s], [10s, 150/s], "
               "[30s, 80/s], [60s, 0/s]]}}\n"
               "  service: {type: server, service_time: 10ms, queue: {capacity: %s}}\n",
               SECONDS, capacity);
    struct claim claims[] = {CLAIM_RATE("users.successes", in_time / SECONDS, 0.01),
                             CLAIM_RATE("users.logical_requests", 6200.0 / SECONDS, 0.01),
                             CLAIMS_END};
    claims[0].slack = error / in_time;
    claims_hold(capacity, &t, claims);
    trial_close(&t);
}

static void queues_in_overload(void **state)
{
    (void)state;
    overload("unlimited", 1096.9, 1.36);
    overload("100", 4240.8, 2.39);
    overload("50", 5247.1, 1.85);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queues_in_overload)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
