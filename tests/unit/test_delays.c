/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policies/delays.h"
#include "support/choice.h"

static struct delays law(const char *text)
{
    struct delays d;
    assert_true(choice_read(&delays_choice, text, &d));
    return d;
}

static struct rng_stream stream_of(uint64_t seed)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed});
    return s;
}

static struct delays exponential(const char *more)
{
    char text[256];
    snprintf(text, sizeof text, "d: {kind: exponential, initial_delay: 0.5, max_delay: 100%s%s}",
             *more ? ", " : "", more);
    return law(text);
}

/* The delay after attempt k of a law that has neither jitter nor memory nor a percentile. */
static sim_time delay_of(const struct delays *d, uint32_t k)
{
    struct rng_stream s = stream_of(1);
    sim_time previous = 0, delay = delays_draw(d, k, SIM_TIME_NEVER, &previous, &s);
    assert_int_equal(s.drawn, 0);
    assert_int_equal(previous, 0);
    return delay;
}

/* The delays after attempts 1, 2, ... are these [ms]. */
static void assert_delays(const char *text, const sim_time *ms, uint32_t n)
{
    struct delays d = law(text);
    for (uint32_t k = 1; k <= n; k++) {
        assert_int_equal(delay_of(&d, k), ms[k - 1] * SIM_TIME_MS);
    }
}
#define ASSERT_DELAYS(text, ...) \
    assert_delays(text, (const sim_time[]){__VA_ARGS__}, \
                  sizeof((const sim_time[]){__VA_ARGS__}) / sizeof(sim_time))

static void the_four_strategies_keep_to_the_table_of_six_steps(void **state)
{
    (void)state;
    ASSERT_DELAYS("d: {kind: exponential, initial_delay: 1, max_delay: none}", 1000, 2000, 4000,
                  8000, 16000, 32000);
    ASSERT_DELAYS("d: linear", 1000, 2000, 3000, 4000, 5000, 6000);
    ASSERT_DELAYS("d: fibonacci", 1000, 1000, 2000, 3000, 5000, 8000);
    ASSERT_DELAYS("d: constant", 1000, 1000, 1000, 1000, 1000, 1000);
    ASSERT_DELAYS("d: {kind: exponential, initial_delay: .3, max_delay: 2}", 300, 600, 1200, 2000,
                  2000);
    ASSERT_DELAYS("d: {kind: linear, max_delay: 2.5}", 1000, 2000, 2500, 2500);
    ASSERT_DELAYS("d: {fibonacci: 300ms}", 300, 300, 600, 900, 1500, 2400);
    ASSERT_DELAYS("d: {fibonacci: {base: 1, max_delay: 4}}", 1000, 1000, 2000, 3000, 4000, 4000);
}

static void the_exponent_may_be_offset(void **state)
{
    (void)state;
    static const char *const base = "d: {kind: exponential, initial_delay: .5, max_delay: 100%s}";
    char text[128];
    snprintf(text, sizeof text, base, "");
    ASSERT_DELAYS(text, 500, 1000, 2000, 4000);
    snprintf(text, sizeof text, base, ", exponent_offset: -2");
    ASSERT_DELAYS(text, 500, 500, 1000, 2000);
    struct delays d = law("d: {kind: exponential, initial_delay: 1h, max_delay: none, "
                          "multiplier: 1e6, exponent_offset: 255}");
    assert_true(delay_of(&d, 254) > 9000000000 * SIM_TIME_S);
    d = law("d: {kind: exponential, initial_delay: .1, max_delay: 10}");
    sim_time total = 0;
    for (uint32_t k = 1; k <= 8; k++) {
        total += delay_of(&d, k);
    }
    assert_int_equal(total, 22700 * SIM_TIME_MS);
}

/* As hedges see it: attempt a > 0 begins law(a) after the start. */
static void linear_delays_begin_above_their_minimum(void **state)
{
    (void)state;
    ASSERT_DELAYS("d: {kind: linear, min_delay: 0.1, delay_multiplier: 0.1}", 200, 300, 400);
    ASSERT_DELAYS("d: {linear: 50ms}", 50, 100, 150);
    ASSERT_DELAYS("d: {kind: linear, min_delay: 0.1, delay_multiplier: 0}", 100, 100);
}

static void bare_values_are_fixed_delays(void **state)
{
    (void)state;
    ASSERT_DELAYS("d: 70ms", 70, 70);
    ASSERT_DELAYS("d: {fixed: 0s}", 0, 0);
    ASSERT_DELAYS("d: {constant: 20ms}", 20, 20);
    struct delays d = law("d: {fixed: {exponential: 20ms}}");
    assert_int_equal(d.delay.kind, DIST_EXPONENTIAL);
    assert_int_equal(delay_of(&(struct delays){0}, 3), 0);
}

static void tables_repeat_their_last_row(void **state)
{
    (void)state;
    ASSERT_DELAYS("d: {table: [1s, 0, 5s]}", 1000, 0, 5000, 5000, 5000);
    ASSERT_DELAYS("d: {kind: table, steps: 300ms}", 300, 300);
    ASSERT_DELAYS("d: {table: {steps: [1s, 5s], max_delay: 3s}}", 1000, 3000, 3000);
}

static void polynomials_are_of_the_attempt(void **state)
{
    (void)state;
    ASSERT_DELAYS("d: {polynomial: [10ms, 0, 3ms]}", 13, 22, 37, 58);
    ASSERT_DELAYS("d: {kind: polynomial, coefficients: [1s, 2s], max_delay: 6s}", 3000, 5000, 6000,
                  6000);
    struct delays d = law("d: {polynomial: [0, 0, 0, 0, 1d]}");
    assert_int_equal(delay_of(&d, 65535), SIM_TIME_NEVER - 1);
}

static void long_fibonacci_delays_end_at_the_cap(void **state)
{
    (void)state;
    struct delays d = law("d: {fibonacci: 1ns}");
    assert_int_equal(delay_of(&d, 40), 102334155);
    assert_int_equal(delay_of(&d, 65535), SIM_TIME_NEVER - 1);
}

static sim_time percentile_of(const struct delays *d, uint32_t k, sim_time quantile)
{
    struct rng_stream s = stream_of(1);
    sim_time previous = 0;
    return delays_draw(d, k, quantile, &previous, &s);
}

static void percentiles_are_clamped_and_multiplied(void **state)
{
    (void)state;
    struct delays d = law("d: percentile");
    assert_true(d.latencies.percentile == 0.95);
    assert_int_equal(d.latencies.window, 300 * SIM_TIME_S);
    assert_int_equal(d.latencies.buckets, 2);
    for (uint32_t k = 1; k <= 3; k++) {
        assert_int_equal(percentile_of(&d, k, SIM_TIME_NEVER), 50 * SIM_TIME_MS);
        assert_int_equal(percentile_of(&d, k, 0), k * 50 * SIM_TIME_MS);
        assert_int_equal(percentile_of(&d, k, 80 * SIM_TIME_MS), k * 80 * SIM_TIME_MS);
        assert_int_equal(percentile_of(&d, k, SIM_TIME_S * 3600), k * 10 * SIM_TIME_S);
    }
    d = law("d: {percentile: {percentile: 50%, max_delay: 100ms}}");
    assert_int_equal(percentile_of(&d, 3, 40 * SIM_TIME_MS), 100 * SIM_TIME_MS);
}

static void jitters_are_read(void **state)
{
    (void)state;
    assert_int_equal(exponential("").jitter.kind, JITTER_NONE);
    assert_true(exponential("").multiplier == 2.0);
    assert_int_equal(exponential("jitter: none").jitter.kind, JITTER_NONE);
    assert_int_equal(exponential("jitter: equal").jitter.kind, JITTER_EQUAL);
    struct delays d = exponential("jitter: {additive: 100ms}");
    assert_int_equal(d.jitter.kind, JITTER_ADDITIVE);
    assert_int_equal(d.jitter.width, 100 * SIM_TIME_MS);
    d = exponential("jitter: 0.1");
    assert_int_equal(d.jitter.kind, JITTER_ADDITIVE);
    assert_int_equal(d.jitter.width, 100 * SIM_TIME_MS);
    d = exponential("jitter: {factor: 20%}");
    assert_int_equal(d.jitter.kind, JITTER_FACTOR);
    assert_true(d.jitter.share == 0.2);
    d = exponential("jitter: symmetric");
    assert_int_equal(d.jitter.kind, JITTER_SYMMETRIC);
    assert_true(d.jitter.share == 0.2);
    assert_true(exponential("jitter: {symmetric: 1}").jitter.share == 1.0);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "d: none",
        "d: {fixed: -1s}",
        "d: exponential",
        "d: {kind: exponential, initial_delay: 2, max_delay: 1}",
        "d: {kind: linear, min_delay: 2, max_delay: 1}",
        "d: {kind: linear, jitter: {symmetric: 101%}}",
        "d: {kind: fibonacci, base: 2, max_delay: 1}",
        "d: {fibonacci: 0}",
        "d: {table: []}",
        "d: {table: [1s, -1s]}",
        "d: {polynomial: []}",
        "d: {percentile: 0}",
        "d: {percentile: 1}",
        "d: {kind: percentile, minimum: 2s, maximum: 1s}",
        "d: {kind: percentile, window: 0}",
        "d: {kind: percentile, buckets: 0}",
        "d: {kind: decorrelated_jitter, base_delay: 2, max_delay: 1}",
        "d: {kind: fixed, delay: 1, max_attempts: 3}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct delays d;
        assert_false(choice_read(&delays_choice, wrong[i], &d));
    }
    law("d: {kind: percentile, minimum: 1s, maximum: 1s}");
    law("d: {kind: linear, min_delay: 1, max_delay: 1}");
}

static void each_jitter_draws_once(void **state)
{
    (void)state;
    static const char *const jitters[] = {"jitter: full", "jitter: equal", "jitter: 0.1",
                                          "jitter: {factor: 0.2}", "jitter: symmetric"};
    struct rng_stream s = stream_of(2);
    sim_time previous = 0;
    for (uint64_t i = 0; i < 5; i++) {
        struct delays d = exponential(jitters[i]);
        delays_draw(&d, 1, SIM_TIME_NEVER, &previous, &s);
        assert_int_equal(s.drawn, i + 1);
    }
    assert_int_equal(previous, 0);
    struct delays d = law("d: {kind: decorrelated_jitter, base_delay: 1, max_delay: 9}");
    assert_false(d.shared_state);
    sim_time delay = delays_draw(&d, 1, SIM_TIME_NEVER, &previous, &s);
    assert_int_equal(previous, delay);
    assert_int_equal(s.drawn, 6);
    d = law("d: {fixed: {uniform: {low: 1s, high: 2s}}}");
    assert_int_equal(d.kind, DELAYS_FIXED);
    delay = delays_draw(&d, 1, SIM_TIME_NEVER, &previous, &s);
    assert_in_range(delay, SIM_TIME_S, 2 * SIM_TIME_S);
    assert_int_equal(s.drawn, 7);
}

/* The delays after attempts 1, 2, ..., n, drawn for one logical request. */
static void delays(const struct delays *d, struct rng_stream *s, uint32_t n, sim_time *out)
{
    sim_time previous = 0;
    for (uint32_t k = 1; k <= n; k++) {
        out[k - 1] = delays_draw(d, k, SIM_TIME_NEVER, &previous, s);
    }
}

enum { REQUESTS = 200000 };

/* Mean and variance [s] of the sum of a request's delays. */
static void total_of(const struct delays *d, uint32_t n, uint64_t seed, double *mean,
                     double *variance)
{
    struct rng_stream s = stream_of(seed);
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < REQUESTS; i++) {
        sim_time wait[8];
        double total = 0.0;
        delays(d, &s, n, wait);
        for (uint32_t k = 0; k < n; k++) {
            total += (double)wait[k] / (double)SIM_TIME_S;
        }
        sum += total;
        squares += total * total;
    }
    *mean = sum / REQUESTS;
    *variance = squares / REQUESTS - *mean * *mean;
}

/* Within 3.5 standard errors: wrong by chance once in 2100 seeds. A sum of uniforms has no heavier
 * tails than the normal law, so that its variance is known within variance * sqrt(2 / n). */
static void assert_total(const char *jitter, double mean, double variance, uint64_t seed)
{
    char text[128];
    snprintf(text, sizeof text,
             "d: {kind: exponential, initial_delay: .1, max_delay: 10, jitter: %s}", jitter);
    struct delays d = law(text);
    double m, v;
    total_of(&d, 8, seed, &m, &v);
    assert_true(fabs(m - mean) < 3.5 * sqrt(variance / REQUESTS));
    assert_true(fabs(v - variance) < 3.5 * variance * sqrt(2.0 / REQUESTS));
}

static void totals_have_the_moments_of_their_jitter(void **state)
{
    (void)state;
    const double variance = 12.884166666666667; /* sum of e^2 / 12 over .1 .2 ... 6.4 10 */
    assert_total("full", 11.35, variance, 3);
    assert_total("equal", 17.025, variance / 4.0, 4);
    assert_total("{additive: 1s}", 22.7 + 8 * 0.5, 8.0 / 12.0, 5);
    assert_total("{factor: 50%}", 22.7 * 1.25, variance / 4.0, 6);
    assert_total("{symmetric: 50%}", 22.7, variance, 8);
}

static void jitter_stays_in_its_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *jitter;
        double low, high; /* of a delay of 0.5 s, in [s] */
    } rows[] = {{"jitter: full", 0.0, 0.5},
                {"jitter: equal", 0.25, 0.5},
                {"jitter: 0.1", 0.5, 0.6},
                {"jitter: {factor: 0.2}", 0.5, 0.6},
                {"jitter: symmetric", 0.4, 0.6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct delays d = exponential(rows[i].jitter);
        struct rng_stream s = stream_of(7 + i);
        double least = 1e9, most = 0.0;
        for (int n = 0; n < 20000; n++) {
            sim_time previous = 0;
            double wait =
                (double)delays_draw(&d, 1, SIM_TIME_NEVER, &previous, &s) / (double)SIM_TIME_S;
            least = fmin(least, wait);
            most = fmax(most, wait);
        }
        /* The extremes of 20000 draws are this near to the ends but for a chance of 2e-9. */
        double near = 1e-3 * (rows[i].high - rows[i].low);
        assert_true(least >= rows[i].low && least < rows[i].low + near);
        assert_true(most <= rows[i].high && most > rows[i].high - near);
    }
}

static void decorrelated_delays_have_their_moments(void **state)
{
    (void)state;
    struct delays d = law("d: {kind: decorrelated_jitter, base_delay: 1, max_delay: none}");
    struct rng_stream s = stream_of(11);
    double sum[6] = {0.0};
    for (int i = 0; i < REQUESTS; i++) {
        sim_time wait[6];
        delays(&d, &s, 6, wait);
        for (int k = 0; k < 6; k++) {
            sum[k] += (double)wait[k] / (double)SIM_TIME_S;
        }
    }
    /* U(1, 3s) has mean (1 + 3s)/2 and mean square (1 + 3s + 9s^2)/3. */
    static const double golden[] = {2, 3.5, 5.75, 9.125, 14.1875, 21.78125};
    double mean = 1.0, square = 1.0;
    for (int k = 0; k < 6; k++) {
        square = (1.0 + 3.0 * mean + 9.0 * square) / 3.0;
        mean = (1.0 + 3.0 * mean) / 2.0;
        assert_true(mean == golden[k]);
        double error = sqrt((square - mean * mean) / REQUESTS);
        assert_true(fabs(sum[k] / REQUESTS - mean) < 3.5 * error);
    }
}

/* U(1, 3) capped at 2 is 2 half of the time, U(1, 6) after that four times of five. Of a range that
 * is capped no delay is exactly the cap. */
static void decorrelated_delays_are_capped_by_range_or_one_by_one(void **state)
{
    (void)state;
    struct delays one = law("d: {kind: decorrelated_jitter, base_delay: 1, max_delay: 2, cap_of: "
                            "delay}");
    struct delays range = law("d: {kind: decorrelated_jitter, base_delay: 1, max_delay: 2}");
    struct rng_stream s = stream_of(13);
    int capped = 0, again = 0;
    double sum = 0.0;
    for (int i = 0; i < REQUESTS; i++) {
        sim_time wait[2];
        delays(&one, &s, 2, wait);
        capped += wait[0] == one.max_delay;
        again += wait[0] == one.max_delay && wait[1] == one.max_delay;
        sum += (double)wait[0] / (double)SIM_TIME_S;
        delays(&range, &s, 2, wait);
        assert_true(wait[0] < range.max_delay);
    }
    assert_true(fabs(capped - 0.5 * REQUESTS) < 3.5 * sqrt(0.25 * REQUESTS));
    assert_true(fabs(again - 0.8 * capped) < 3.5 * sqrt(0.16 * capped));
    /* half of U(1, 2), whose variance is 1/12, and half of 2: 5/48 */
    assert_true(fabs(sum / REQUESTS - 1.75) < 3.5 * sqrt(5.0 / 48.0 / REQUESTS));
}

static void decorrelated_delays_keep_to_base_and_cap(void **state)
{
    (void)state;
    struct delays d = law("d: {kind: decorrelated_jitter, base_delay: .1, max_delay: 10}");
    struct rng_stream s = stream_of(12);
    for (int i = 0; i < 20000; i++) {
        sim_time wait[8], before = d.base_delay;
        delays(&d, &s, 8, wait);
        for (int k = 0; k < 8; k++) {
            assert_true(wait[k] >= d.base_delay && wait[k] <= d.max_delay && wait[k] <= 3 * before);
            before = wait[k];
        }
    }
    d.max_delay = d.base_delay;
    sim_time wait;
    delays(&d, &s, 1, &wait);
    assert_int_equal(wait, d.base_delay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_strategies_keep_to_the_table_of_six_steps),
        cmocka_unit_test(the_exponent_may_be_offset),
        cmocka_unit_test(linear_delays_begin_above_their_minimum),
        cmocka_unit_test(bare_values_are_fixed_delays),
        cmocka_unit_test(tables_repeat_their_last_row),
        cmocka_unit_test(polynomials_are_of_the_attempt),
        cmocka_unit_test(long_fibonacci_delays_end_at_the_cap),
        cmocka_unit_test(percentiles_are_clamped_and_multiplied),
        cmocka_unit_test(jitters_are_read),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(each_jitter_draws_once),
        cmocka_unit_test(totals_have_the_moments_of_their_jitter),
        cmocka_unit_test(jitter_stays_in_its_bounds),
        cmocka_unit_test(decorrelated_delays_have_their_moments),
        cmocka_unit_test(decorrelated_delays_are_capped_by_range_or_one_by_one),
        cmocka_unit_test(decorrelated_delays_keep_to_base_and_cap),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
