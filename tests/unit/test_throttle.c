/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "policies/throttle.h"
#include "support/choice.h"

static struct throttle throttle;
static struct throttle_state *site;
static struct rng_stream stream;

/* Reads a policy, and forgets what the call site remembers. */
static void begin(const char *text)
{
    assert_true(choice_read(&throttle_choice, text, &throttle));
    free(site);
    size_t size = throttle_state_size(&throttle);
    site = size > 0 ? calloc(1, size) : NULL;
    rng_init(&stream, &(struct rng_key){.seed = 5});
}

static int end(void **state)
{
    free(site);
    return choice_close(state);
}

static void assert_probability(sim_time now, double p)
{
    assert_true(fabs(throttle_probability(&throttle, site, now) - p) < 1e-12);
}

static void defaults_are_as_published(void **state)
{
    (void)state;
    begin("t: sre");
    assert_true(throttle.multiplier == 2.0 && throttle.max_rejection_rate == 1.0);
    assert_int_equal(throttle.window, 120 * SIM_TIME_S);
    assert_int_equal(throttle_state_size(&throttle),
                     sizeof(struct throttle_state) + 121 * 2 * sizeof(int64_t));
    begin("t: failsafe");
    assert_true(fabs(throttle.multiplier - 1.0 / 0.9) < 1e-15);
    assert_true(throttle.max_rejection_rate == 0.9);
    assert_int_equal(throttle.window, 60 * SIM_TIME_S);
    assert_int_equal(throttle.buckets, 20);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "t: {sre: {multiplier: 0.9}}",
        "t: {sre: {max_rejection_rate: 90%}}",
        "t: {sre: {buckets: 0}}",
        "t: {sre: {window: 0}}",
        "t: {failsafe: {failure_rate_threshold: 100%}}",
        "t: {failsafe: {max_rejection_rate: 101%}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct throttle t;
        assert_false(choice_read(&throttle_choice, wrong[i], &t));
    }
}

static void without_one_nothing_is_refused(void **state)
{
    (void)state;
    begin("t: none");
    assert_null(site);
    for (int i = 0; i < 100; i++) {
        assert_false(throttle_rejects(&throttle, site, i, &stream));
        throttle_ended(&throttle, site, i, false);
    }
    assert_probability(100, 0.0);
    assert_int_equal(stream.drawn, 0);
}

/* (requests - 2 accepts) / (requests + 1), of what was there before the request at hand. */
static void sre_counts_requests_as_they_begin(void **state)
{
    (void)state;
    begin("t: sre");
    assert_false(throttle_rejects(&throttle, site, 0, &stream));
    assert_int_equal(stream.drawn, 0);
    assert_probability(0, 1.0 / 2.0);
    throttle_rejects(&throttle, site, 0, &stream);
    assert_int_equal(stream.drawn, 1);
    assert_probability(0, 2.0 / 3.0);
    throttle_ended(&throttle, site, 0, false);
    assert_probability(0, 2.0 / 3.0);
    throttle_ended(&throttle, site, 0, true);
    assert_probability(0, 0.0);
    throttle_rejects(&throttle, site, 0, &stream);
    assert_int_equal(stream.drawn, 1);
    assert_probability(0, 1.0 / 4.0);
}

static void sre_forgets_after_its_window(void **state)
{
    (void)state;
    begin("t: {sre: {window: 10s, buckets: 5}}");
    for (int i = 0; i < 8; i++) {
        throttle_rejects(&throttle, site, 0, &stream);
    }
    throttle_ended(&throttle, site, 2 * SIM_TIME_S, true);
    assert_probability(9999 * SIM_TIME_MS, 6.0 / 9.0);
    assert_probability(10 * SIM_TIME_S, 0.0);
    throttle_rejects(&throttle, site, 10 * SIM_TIME_S, &stream);
    throttle_rejects(&throttle, site, 10 * SIM_TIME_S, &stream);
    throttle_rejects(&throttle, site, 10 * SIM_TIME_S, &stream);
    assert_probability(10 * SIM_TIME_S, 1.0 / 4.0);
    assert_probability(12 * SIM_TIME_S, 3.0 / 4.0);
}

/* failsafe-go counts what was sent and has ended: 10 successes allow for 11.1 requests. */
static void failsafe_counts_requests_as_they_end(void **state)
{
    (void)state;
    begin("t: failsafe");
    for (int i = 0; i < 30; i++) {
        assert_false(throttle_rejects(&throttle, site, 0, &stream));
    }
    assert_int_equal(stream.drawn, 0);
    for (int i = 0; i < 10; i++) {
        throttle_ended(&throttle, site, 0, true);
    }
    throttle_ended(&throttle, site, 0, false);
    assert_probability(0, 0.0);
    throttle_ended(&throttle, site, 0, false);
    assert_probability(0, (12.0 - 10.0 / 0.9) / 13.0);
    for (int i = 0; i < 1000; i++) {
        throttle_ended(&throttle, site, 0, false);
    }
    assert_probability(0, 0.9);
}

/* A target that can do C of work per second, of which an accepted request costs 1 and a refused one
 * `cost`, is asked by one client with D evenly spaced requests per second. In the fixed point
 *   sent = min(D, K * accepted),  accepted + cost * (sent - accepted) = C.
 * Work not done waits for up to a second, or chance would leave the target idle. Rates over the
 * last 20 of 30 minutes. */
static void settle(double demand, double capacity, double cost, double *sent, double *accepted)
{
    const double seconds = 1800.0, counted_from = 600.0;
    double work = 0.0;
    *sent = *accepted = 0.0;
    for (int64_t i = 0; (double)i < demand * seconds; i++) {
        double t = (double)i / demand;
        sim_time now = sim_time_round(t * 1e9);
        work = fmin(work + capacity / demand, capacity);
        if (throttle_rejects(&throttle, site, now, &stream)) {
            continue;
        }
        bool accepts = work >= 1.0;
        work -= accepts ? 1.0 : cost;
        throttle_ended(&throttle, site, now, accepts);
        *sent += t >= counted_from;
        *accepted += t >= counted_from && accepts;
    }
    *sent /= seconds - counted_from;
    *accepted /= seconds - counted_from;
}

/* Within 0.5 %: of 360000 requests about a third to four fifths are refused by chance, with a
 * standard error of 0.0008 of them. */
static void sre_settles_in_its_fixed_point(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double demand, capacity, cost, sent, accepted;
    } rows[] = {
        {"t: sre", 300, 120, 0.2, 200, 100},
        {"t: {sre: {multiplier: 1.1}}", 300, 120, 0.2, 129.411765, 117.647059},
        {"t: sre", 1000, 100, 0, 200, 100},
        {"t: sre", 150, 100, 0, 150, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double sent, accepted;
        begin(rows[i].text);
        settle(rows[i].demand, rows[i].capacity, rows[i].cost, &sent, &accepted);
        assert_true(fabs(sent / rows[i].sent - 1.0) < 0.005);
        assert_true(fabs(accepted / rows[i].accepted - 1.0) < 0.005);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_published),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(without_one_nothing_is_refused),
        cmocka_unit_test(sre_counts_requests_as_they_begin),
        cmocka_unit_test(sre_forgets_after_its_window),
        cmocka_unit_test(failsafe_counts_requests_as_they_end),
        cmocka_unit_test(sre_settles_in_its_fixed_point),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
