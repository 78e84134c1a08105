/* SPDX-License-Identifier: Apache-2.0
 *
 * What limits on the routes of a gateway are good for (configs/scenarios/gateway_overload.yaml).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "support/claim.h"

#define SCENARIO "configs/scenarios/gateway_overload.yaml"

/* Requests of a kind of clients that succeeded from one interval of the time series to another. */
static uint64_t succeeded(const struct trial *t, const char *who, uint32_t from, uint32_t to)
{
    char name[64];
    snprintf(name, sizeof name, "%s.successes", who);
    uint64_t n = 0;
    for (uint32_t i = from; i < to; i++) {
        n += trial_in_interval(t, name, i);
    }
    return n;
}

static void the_storm_outlives_the_job_where_there_are_no_limits(void **state)
{
    (void)state;
    enum { REPLICATIONS = 6 };
    struct trial t;
    trial_load(&t, SCENARIO, NULL);
    for (uint64_t r = 0; r < REPLICATIONS; r++) {
        trial_run(&t, r);
        assert_true(succeeded(&t, "open_shoppers", 0, 30) > 17000);
        assert_int_equal(succeeded(&t, "open_shoppers", 40, 120), 0);
        assert_int_equal(succeeded(&t, "open_partner", 40, 120), 0);
        assert_int_equal(trial_counter(&t, "limited_shoppers.failures"), 0);
        assert_int_equal(trial_counter(&t, "limited_shoppers.retries"), 0);
        assert_true(succeeded(&t, "limited_partner", 90, 120) > 2700);
    }
    trial_close(&t);
}

/* Share p of the partner's attempts let in, where 1 - (1 - p)^4 of its requests succeed. */
static double let_in(double success)
{
    return 1.0 - pow(1.0 - success, 0.25);
}

/* The job runs all the time. Shoppers and exports share ten workers, who are far from busy. */
static void the_partner_gets_what_its_limit_says(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, SCENARIO,
               (const char *const[]){"limited_partner.arrivals.rate=1000/s", "timeline=[]",
                                     "open_partner.arrivals.rate=1/s",
                                     "open_shoppers.arrivals.rate=1/s", "warmup=5s", "duration=25s",
                                     NULL});
    double p = let_in(0.2);
    claims_hold("200 of 1000 exports a second", &t,
                (struct claim[]){CLAIM_RATE("limited_partner.successes", 200.0, 0.01),
                                 CLAIM_RATE("limited_shoppers.successes", 600.0, 0.01),
                                 CLAIM_RATE("limited_catalogue.requests_received", 800.0, 0.01),
                                 CLAIM(CLAIM_RATE, "limited_partner.requests_sent", 200.0 / p, 0.01,
                                       .slack = 0.01),
                                 CLAIM(CLAIM_RATE, "limited_gateway.requests_rejected_rate_limit",
                                       200.0 / p - 200.0, 0.01, .slack = 0.01),
                                 CLAIMS_END});
    assert_int_equal(trial_counter(&t, "limited_gateway.requests_no_route"), 0);
    trial_close(&t);
}

/* Limits that make more than there is together are none. */
static void limits_must_fit_in_what_there_is(void **state)
{
    (void)state;
    static const struct {
        const char *limit;
        bool holds;
    } cases[] = {{"350/s", true}, {"500/s", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char limit[96];
        snprintf(limit, sizeof limit, "limited_gateway.routes.export.rate_limit.refill_rate=%s",
                 cases[i].limit);
        struct trial t;
        trial_load(&t, SCENARIO, (const char *const[]){limit, NULL});
        trial_run(&t, 0);
        uint64_t good = succeeded(&t, "limited_shoppers", 40, 60);
        assert_true(cases[i].holds ? good > 11500 : good == 0);
        trial_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_storm_outlives_the_job_where_there_are_no_limits),
        cmocka_unit_test(the_partner_gets_what_its_limit_says),
        cmocka_unit_test(limits_must_fit_in_what_there_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
