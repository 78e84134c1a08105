/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom an API gateway lets in, when it calls whom, and what it tells those who ask.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/draft.h"
#include "support/probe.h"
#include "support/reading.h"
#include "support/trial.h"

/* Two clients whose kinds of requests overlap, a gateway of these `routes`, and two backends. */
static void run(struct trial *t, const char *times, const char *call, const char *gateway,
                const char *rest)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  app: {type: client, target: gateway, requests: {buy: {}},\n"
               "        arrivals: {times: [%s]}, call: {%s}}\n"
               "  web: {type: client, target: gateway, requests: {browse: {}},\n"
               "        arrivals: {times: [50s]}}\n"
               "  gateway: {type: api_gateway, %s}\n"
               "  shop: {type: probe, count: 2, answers: [{after: 1s}]}\n"
               "  list: {type: probe, answers: [{after: 1s, status: 500}]}\n%s\n",
               times, call, gateway, rest);
    trial_run(t, 0);
}

#define ROUTES(more) "routes: {buy: {target: shop" more "}, browse: {target: list}}"

/* Each kind goes its way, each backend of a route has its turn, and auth takes its time. */
static void kinds_have_routes(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0.1s, 0.2s", "", ROUTES(""), "");
    probe_assert_times(&t, "shop[0]", 2, (sim_time[]){S(0.001), S(0.201)});
    probe_assert_times(&t, "shop[1]", 1, (sim_time[]){S(0.101)});
    probe_assert_times(&t, "list", 1, (sim_time[]){S(50.001)});
    assert_int_equal(trial_counter(&t, "gateway.requests_routed"), 4);
    assert_int_equal(trial_counter(&t, "gateway.successful_requests"), 3);
    assert_int_equal(trial_counter(&t, "gateway.failed_requests"), 1);
    assert_int_equal(trial_counter(&t, "app.successes"), 3);
    assert_int_equal(trial_counter(&t, "web.errors"), 1); /* told as it was */
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "gateway.latency", &h);
    assert_int_equal(h.sum, 4 * S(1.001));
    trial_close(&t);
}

/* Without a route there is no auth either, and without auth no time passes. */
static void who_has_no_route_is_told_at_once(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s", "timeout: 1ms",
        "auth_latency: 1h, routes: {browse: {target: list, auth_required: false}}", "");
    probe_assert_times(&t, "list", 1, (sim_time[]){S(50)});
    assert_int_equal(trial_counter(&t, "gateway.requests_no_route"), 1);
    assert_int_equal(trial_counter(&t, "app.errors"), 1);
    assert_int_equal(trial_counter(&t, "app.timeouts"), 0);
    trial_close(&t);
}

/* Each route has a limit of its own, which those who are not let in do not use up. */
static void limits_are_those_of_routes(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 0s, 0s, 0s, 10s", "retry: {kind: fixed, max_attempts: 2, delay: 0.1s}",
        "routes: {buy: {target: shop, rate_limit: {token_bucket: {capacity: 2, refill_rate: "
        "1/s}}}, browse: {target: list, rate_limit: {leaky_bucket: {leak_rate: 1/s}}}}",
        "");
    assert_int_equal(trial_counter(&t, "gateway.requests_rejected_rate_limit"), 4);
    assert_int_equal(trial_counter(&t, "gateway.requests_routed"), 4);
    assert_int_equal(trial_counter(&t, "app.failures"), 2);
    assert_int_equal(probe_visits(&t, "list"), 1);
    trial_close(&t);
}

/* A crash forgets what was used up, and who was asked about. */
static void a_crash_forgets_all(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s, 1s, 2.9999s, 3.5s, 5s", "",
        "routes: {buy: {target: shop, rate_limit: {token_bucket: {capacity: 1, refill_rate: "
        "1e-3/s}}}, browse: {target: list}}",
        "timeline: [{crash: gateway, at: 3s, for: 1s}]");
    assert_int_equal(trial_counter(&t, "gateway.requests_routed"), 3);
    assert_int_equal(trial_counter(&t, "gateway.requests_rejected_rate_limit"), 1);
    assert_int_equal(trial_counter(&t, "gateway.requests_lost"), 1);
    assert_int_equal(trial_counter(&t, "gateway.requests_missed"), 1);
    trial_close(&t);
}

/* A request is of its kind wherever it goes, and however many kinds others make. */
static void kinds_stay_with_what_is_called_for_them(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t,
               "squall: 1\nduration: 10s\nentities:\n"
               "  users: {type: client, target: front, arrivals: {constant: 100/s},\n"
               "          requests: {z: {weight: 3}, a: {}}}\n"
               "  front: {type: server, concurrency: 9, service_time: 0s,\n"
               "          calls: [{target: gateway}]}\n"
               "  gateway: {type: api_gateway, routes: {a: {target: small}, z: {target: big}}}\n"
               "  small: {type: delay, latency: 0s}\n"
               "  big: {type: delay, latency: 0s}\n"
               "  others: {type: client, target: big, arrivals: {times: [0s]},\n"
               "           requests: {b: {}, m: {}}}\n");
    trial_run(&t, 0);
    uint64_t small = trial_counter(&t, "small.requests_received");
    uint64_t big = trial_counter(&t, "big.requests_received");
    assert_int_equal(small + big, trial_counter(&t, "gateway.requests_routed") + 1);
    assert_in_range(small, 250 - 48, 250 + 48); /* 3.5 deviations */
    trial_close(&t);
}

/* It tells its caller that the backend took too long; the backend goes on. */
static void timeouts_are_told(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "0s", "", ROUTES(", call: {timeout: 0.5s}"), "");
    assert_int_equal(trial_counter(&t, "gateway.requests_timed_out"), 1);
    assert_int_equal(trial_counter(&t, "gateway.downstream_late_responses"), 1);
    struct hist_counts h = {.total = 0};
    trial_histogram(&t, "app.response_time", &h);
    assert_int_equal(h.sum, S(0.501));
    assert_int_equal(trial_counter(&t, "app.errors"), 1);
    trial_close(&t);
}

static void some_are_not_let_in(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\nduration: 100s\nentities:\n"
                   "  users: {type: client, target: gateway, arrivals: {poisson: 1000/s}}\n"
                   "  gateway: {type: api_gateway, auth_failure_rate: 20%%,\n"
                   "            routes: {any: {target: far}}}\n"
                   "  far: {type: delay}\n");
    trial_run(&t, 0);
    double all = (double)trial_counter(&t, "gateway.requests_received");
    double off = (double)trial_counter(&t, "gateway.requests_rejected_auth") - 0.2 * all;
    assert_true(fabs(off) < 3.5 * sqrt(all * 0.2 * 0.8));
    assert_int_equal(trial_counter(&t, "users.errors"),
                     trial_counter(&t, "gateway.requests_rejected_auth"));
    trial_close(&t);
}

/* Whatever happens, every request has one end, before it was routed or after. */
static void requests_add_up_in_studies_at_random(void **state)
{
    (void)state;
    uint64_t before = 0, after = 0;
    for (uint64_t n = 0; n < 200; n++) {
        char text[16384];
        struct draft d;
        struct trial t;
        draft_begin(&d, n, 4, text, sizeof text);
        draft_add(&d, "squall: 1\nduration: 2s\nentities:\n"
                      "  users: {type: client, target: gateway, arrivals: {poisson: 300/s},\n"
                      "    requests: {a: {}, b: {method: POST}, c: {}}, call: {");
        draft_call(&d);
        draft_add(&d, "}}\n  gateway: {type: api_gateway, auth_failure_rate: 5%%,\n"
                      "    auth_latency: {exponential: 10ms}, routes: {a: {target: far, "
                      "rate_limit: {fixed_window: {requests_per_window: 5, window: 100ms}}, "
                      "call: {");
        draft_call(&d);
        draft_add(&d, "}}, b: {target: far, auth_required: false, call: {");
        draft_call(&d);
        draft_add(&d, "}}}}\n  far: {type: server, count: 2, concurrency: 2, service_time: 5ms, ");
        draft_answers(&d);
        draft_add(&d, "}\ntimeline: [{crash: gateway, at: 1s, for: 100ms}]\n");
        trial_open(&t, "%s", text);
        trial_run(&t, n);
#define COUNT(stat) trial_counter(&t, "gateway." stat)
        uint64_t refused = COUNT("requests_no_route") + COUNT("requests_rejected_auth") +
                           COUNT("requests_rejected_rate_limit");
        uint64_t ended = COUNT("successful_requests") + COUNT("failed_requests");
        uint64_t here = (uint64_t)trial_level(&t, "gateway.in_progress");
        uint64_t gone = COUNT("cancels_received") + COUNT("requests_lost");
        uint64_t calls = (uint64_t)trial_level(&t, "gateway.downstream_in_flight");
        uint64_t lost = COUNT("downstream_abandoned") - COUNT("routed_given_up");
        if (COUNT("requests_received") != refused + ended + gone + here ||
            COUNT("requests_routed") != ended + COUNT("routed_given_up") + lost + calls ||
            COUNT("downstream_logical_requests") != COUNT("requests_routed")) {
            puts(text);
            fail_msg("study %" PRIu64 " does not add up", n);
        }
        before += refused;
        after += COUNT("failed_requests");
        trial_close(&t);
    }
    assert_true(before > 10000);
    assert_true(after > 10000);
}

static void mistakes_are_told(void **state)
{
    (void)state;
#define STUDY(routes) \
    "squall: 1\nduration: 1s\nentities:\n" \
    "  users: {type: client, target: gateway, arrivals: {poisson: 1/s}, requests: {buy: {}}}\n" \
    "  gateway: {type: api_gateway, routes: " routes "}\n  far: {type: delay}\n"
    reading_says(probe_registry(), STUDY("{bye: {target: far}}"),
                 "g.yaml:5:41: entities.gateway.routes.bye: no client makes requests of this kind "
                 "(did you mean 'buy'?)\n");
    reading_says(probe_registry(), STUDY("{}"),
                 "g.yaml:5:40: entities.gateway.routes: needs at least one route\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds_have_routes),
                                       cmocka_unit_test(who_has_no_route_is_told_at_once),
                                       cmocka_unit_test(limits_are_those_of_routes),
                                       cmocka_unit_test(a_crash_forgets_all),
                                       cmocka_unit_test(kinds_stay_with_what_is_called_for_them),
                                       cmocka_unit_test(timeouts_are_told),
                                       cmocka_unit_test(some_are_not_let_in),
                                       cmocka_unit_test(requests_add_up_in_studies_at_random),
                                       cmocka_unit_test(mistakes_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
