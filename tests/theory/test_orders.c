/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a server takes next, against theory. That changes how waits are spread among requests, but
 * not their mean. The unit of time is the mean service, 10 ms.
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
static const double MEANS = 0.01, SQUARES = 0.03, WILD_SQUARES = 0.06;

static const struct moments exponential = {1.0, 2.0, 6.0}, constant = {1.0, 1.0, 1.0},
                            erlang = {1.0, 1.5, 3.0};

/* Poisson arrivals of 0.8 a unit. */
static void one_queue(const char *discipline, const char *law, const struct moments *s,
                      double square, double goal)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 1550s\n"
               "warmup: 50s\n"
               "entities:\n"
               "  users: {type: client, target: service, arrivals: {kind: poisson, rate: 80/s}}\n"
               "  service: {type: server, queue: {discipline: %s}, service_time: %s}\n",
               discipline, law);
    char what[64];
    snprintf(what, sizeof what, "%s %s", discipline, law);
    claims_hold(what, &t,
                (struct claim[]){
                    CLAIM_MEAN("service.wait_time", pollaczek_wait(0.8, s) * UNIT, MEANS),
                    CLAIM_SQUARE("service.wait_time", square * UNIT * UNIT, goal), CLAIMS_END});
    trial_close(&t);
}

static void the_oldest_first(void **state)
{
    (void)state;
    one_queue("fifo", "{exponential: 10ms}", &exponential, pollaczek_wait_square(0.8, &exponential),
              SQUARES);
}

static void the_newest_first(void **state)
{
    (void)state;
    one_queue("lifo", "{exponential: 10ms}", &exponential,
              newest_first_wait_square(0.8, &exponential), WILD_SQUARES);
    one_queue("lifo", "10ms", &constant, newest_first_wait_square(0.8, &constant), WILD_SQUARES);
}

static void in_random_order(void **state)
{
    (void)state;
    one_queue("siro", "{exponential: 10ms}", &exponential,
              random_order_wait_square(0.8, &exponential), SQUARES);
    one_queue("siro", "10ms", &constant, random_order_wait_square(0.8, &constant), SQUARES);
}

static void by_priority(const char *law, const struct moments *s)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\n"
               "duration: 2100s\n"
               "warmup: 100s\n"
               "entities:\n"
               "  first: {type: client, target: service, requests: {any: {priority: high}},\n"
               "          arrivals: {kind: poisson, rate: 20/s}}\n"
               "  next: {type: client, target: service, requests: {any: {priority: normal}},\n"
               "         arrivals: {kind: poisson, rate: 35/s}}\n"
               "  last: {type: client, target: service, requests: {any: {priority: low}},\n"
               "         arrivals: {kind: poisson, rate: 25/s}}\n"
               "  service: {type: server, queue: {discipline: priority}, service_time: %s}\n",
               law);
    const double lambda[] = {0.2, 0.35, 0.25};
    double wait[3], all = 0.0;
    for (int k = 0; k < 3; k++) {
        wait[k] = cobham_wait(k, 3, lambda, s);
        all += lambda[k] / 0.8 * wait[k];
    }
    claims_hold(law, &t,
                (struct claim[]){CLAIM_MEAN("first.request_latency", (wait[0] + 1.0) * UNIT, MEANS),
                                 CLAIM_MEAN("next.request_latency", (wait[1] + 1.0) * UNIT, MEANS),
                                 CLAIM_MEAN("last.request_latency", (wait[2] + 1.0) * UNIT, MEANS),
                                 CLAIM_MEAN("service.wait_time", all * UNIT, MEANS), CLAIMS_END});
    trial_close(&t);
}

static void three_priorities(void **state)
{
    (void)state;
    by_priority("{exponential: 10ms}", &exponential);
    by_priority("{erlang: {mean: 10ms, phases: 2}}", &erlang);
}

/* Of two flows one never ends. The other one's requests see an M/G/1 queue with vacations (Levy and
 * Yechiali, Management Science 22, 1975): when there are none, one of the greedy flow's is served,
 * again and again; else one of these goes before each. */
static void the_greedy_wait_for_themselves(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 320s\n"
                   "warmup: 20s\n"
                   "entities:\n"
                   "  greedy: {type: client, target: service,\n"
                   "           arrivals: {kind: poisson, rate: 300/s}}\n"
                   "  modest: {type: client, target: service,\n"
                   "           arrivals: {kind: poisson, rate: 20/s}}\n"
                   "  service: {type: server, service_time: {exponential: 10ms},\n"
                   "            queue: {discipline: {fair: {per_flow_capacity: 100}}}}\n");
    const struct moments both = {2.0, 6.0, 24.0}; /* of one request and another one */
    double response = 1.0 + pollaczek_wait(0.2, &both) + both.first;
    claims_hold("fair", &t,
                (struct claim[]){CLAIM_MEAN("modest.request_latency", response * UNIT, MEANS),
                                 CLAIM_RATE("greedy.successes", 80.0, MEANS),
                                 CLAIM_RATE("modest.successes", 20.0, MEANS), CLAIMS_END});
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_first), cmocka_unit_test(the_newest_first),
        cmocka_unit_test(in_random_order), cmocka_unit_test(three_priorities),
        cmocka_unit_test(the_greedy_wait_for_themselves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
