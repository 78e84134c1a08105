/* SPDX-License-Identifier: Apache-2.0
 *
 * How retries multiply the load when attempts fail independently of it: n attempts at most, each
 * failing with probability p, make (1 - p^n) / (1 - p) attempts and 1 - p^n successes of a request;
 * through layers, each layer's attempts are the next one's requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "support/claim.h"

static const double CHANCES = 0.01;

static double attempts(double p, int n)
{
    return (1.0 - pow(p, n)) / (1.0 - p);
}

static void one_layer(double p, int n, const char *failure)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 70s\n"
               "entities:\n"
               "  users:\n"
               "    type: client\n"
               "    target: service\n"
               "    arrivals: {kind: poisson, rate: 1000/s}\n"
               "    call: {timeout: 50ms, retry: {kind: fixed, max_attempts: %d, delay: 0s}}\n"
               "  service:\n"
               "    {type: server, concurrency: unlimited, service_time: 1ms%s}\n",
               n, failure);
    char what[64];
    snprintf(what, sizeof what, "%d attempts failing at %g", n, p);
    claims_hold(
        what, &t,
        (struct claim[]){
            CLAIM_RATIO("users.requests_sent", "users.logical_requests", attempts(p, n), CHANCES),
            CLAIM_RATIO("users.successes", "users.logical_requests", 1.0 - pow(p, n), CHANCES),
            CLAIM_RATIO("users.retries", "users.logical_requests", attempts(p, n) - 1.0, CHANCES),
            CLAIM_RATIO("users.failures", "users.logical_requests", pow(p, n), CHANCES),
            CLAIMS_END});
    trial_close(&t);
}

static void failing_answers(void **state)
{
    (void)state;
    one_layer(0.5, 3, ", responses: [{status: 200}, {status: 503}]");
    one_layer(0.3, 4, ", responses: [{status: 200, weight: 7}, {status: 500, weight: 3}]");
    one_layer(0.9, 4, ", responses: [{status: 429, weight: 9}, {status: 204, weight: 1}]");
}

/* Requests and replies get lost alike: an attempt comes through with probability (1 - loss)^2. */
static void failing_wires(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "entities:\n"
                   "  users:\n"
                   "    type: client\n"
                   "    target: far\n"
                   "    arrivals: {kind: poisson, rate: 1000/s}\n"
                   "    call: {timeout: 5ms, retry: {kind: fixed, max_attempts: 3, delay: 1ms}}\n"
                   "  far: {type: delay, latency: 1ms}\n"
                   "network: [{from: users, to: far, latency: 100us, loss: 20%%}]\n");
    double p = 1.0 - 0.8 * 0.8;
    claims_hold(
        "loss of 0.2 each way", &t,
        (struct claim[]){
            CLAIM_RATIO("users.requests_sent", "users.logical_requests", attempts(p, 3), CHANCES),
            CLAIM_RATIO("users.failures", "users.logical_requests", pow(p, 3), CHANCES),
            CLAIM_RATIO("users.messages_lost", "users.requests_sent", 0.2, CHANCES),
            CLAIM_RATIO("far.requests_received", "users.requests_sent", 0.8, CHANCES), CLAIMS_END});
    trial_close(&t);
}

/* Three layers of three attempts on a leaf that fails at 0.9: every layer sees the success of the
 * one below as its own chance. */
static void layers(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 100s\n"
                   "policies:\n"
                   "  thrice: {retry: {kind: fixed, max_attempts: 3, delay: 0s}}\n"
                   "entities:\n"
                   "  users: {type: client, target: top, call: {policy: thrice},\n"
                   "          arrivals: {kind: poisson, rate: 200/s}}\n"
                   "  top: {type: server, concurrency: unlimited, service_time: 1us,\n"
                   "        calls: [{target: middle, policy: thrice}]}\n"
                   "  middle: {type: server, concurrency: unlimited, service_time: 1us,\n"
                   "           calls: [{target: leaf, policy: thrice}]}\n"
                   "  leaf: {type: server, concurrency: unlimited, service_time: 1us,\n"
                   "         responses: [{status: 500, weight: 9}, {status: 200, weight: 1}]}\n");
    double leaf = 0.9, middle = pow(leaf, 3), top = pow(middle, 3), end = pow(top, 3);
    double load = attempts(leaf, 3) * attempts(middle, 3) * attempts(top, 3);
    claims_hold(
        "three layers", &t,
        (struct claim[]){
            CLAIM_RATIO("leaf.requests_received", "users.logical_requests", load, CHANCES),
            CLAIM_RATIO("users.successes", "users.logical_requests", 1.0 - end, CHANCES),
            CLAIM_RATIO("top.downstream_failures", "top.downstream_logical_requests", top, CHANCES),
            CLAIMS_END});
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(failing_answers),
                                       cmocka_unit_test(failing_wires), cmocka_unit_test(layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
