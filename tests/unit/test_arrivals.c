/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policies/arrivals.h"
#include "support/choice.h"

static const sim_time S = SIM_TIME_S;

static struct arrivals arrivals(const char *text)
{
    struct arrivals a;
    assert_true(choice_read(&arrivals_choice, text, &a));
    return a;
}

static struct rng_stream stream_of(uint64_t seed)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed});
    return s;
}

/* The first arrivals [s] are these, and nothing was drawn. */
static void assert_times(const struct arrivals *a, const struct rate_window *w, uint32_t n_windows,
                         const double *times, size_t n)
{
    struct arrivals_state state = {0};
    struct rng_stream s = stream_of(1);
    for (size_t i = 0; i < n; i++) {
        assert_true(arrivals_next(a, &state, w, n_windows, &s) ==
                    (sim_time)llround(times[i] * 1e9));
    }
    assert_int_equal(s.drawn, 0);
}

#define ASSERT_TIMES(a, ...) \
    assert_times(a, NULL, 0, (const double[]){__VA_ARGS__}, \
                 sizeof(const double[]){__VA_ARGS__} / sizeof(double))

static void constant_arrivals_invert_the_profile(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {kind: constant, rate: 4/s}");
    ASSERT_TIMES(&a, 0.25, 0.5, 0.75, 1, 1.25);
    a = arrivals(
        "arrivals: {constant: {rate: {spike: {baseline: 1/s, peak: 4/s, at: 2s, for: 1s}}}}");
    ASSERT_TIMES(&a, 1, 2, 2.25, 2.5, 2.75, 3, 4, 5, 6);
    a = arrivals("arrivals: {kind: constant, rate: {steps: [[0s, 2/s], [1s, 0/s], [3s, 1/s]]}}");
    ASSERT_TIMES(&a, 0.5, 1, 4, 5, 6);
    a = arrivals("arrivals: {kind: constant, rate: {ramp: {from: 0/s, to: 10/s, duration: 10s}}}");
    double times[80];
    for (int k = 1; k <= 80; k++) {
        times[k - 1] = k <= 50 ? sqrt(2.0 * k) : 10.0 + (k - 50) / 10.0;
    }
    assert_true(fabs(times[2] - 2.449490) < 1e-6);
    assert_times(&a, NULL, 0, times, 80);
}

static void constant_arrivals_do_not_drift(void **state)
{
    (void)state;
    /* For 1e6 s each: arrival k is k / rate, rounded to the nearest. */
    static const int64_t rates[] = {3, 7, 11, 2048};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        char text[64];
        int64_t rate = rates[i];
        snprintf(text, sizeof text, "arrivals: {kind: constant, rate: %d/s}", (int)rate);
        struct arrivals a = arrivals(text);
        struct arrivals_state s = {0};
        for (int64_t k = 1; k <= 1000000 * (rate < 12 ? rate : 1); k++) {
            sim_time expected = k / rate * S + (2 * (k % rate) * S + rate) / (2 * rate);
            assert_true(arrivals_next(&a, &s, NULL, 0, NULL) == expected);
        }
    }
}

static void windows_scale_the_rate(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {kind: constant, rate: 1/s}");
    const struct rate_window w[] = {{2 * S, 4 * S, 2.0}, {3 * S, 5 * S, 0.5}, {6 * S, 8 * S, 0.0}};
    /* Rates: 1 up to 2, 2 up to 3, 1 up to 4, 0.5 up to 5, 1 up to 6, 0 up to 8, then 1. */
    const double times[] = {1, 2, 2.5, 3, 4, 5.5, 8.5, 9.5};
    assert_times(&a, w, 3, times, 8);
    /* A window to come changes nothing before it. */
    a = arrivals("arrivals: {kind: poisson, rate: 1000/s}");
    struct arrivals_state with = {0}, without = {0};
    struct rng_stream s = stream_of(2), t = stream_of(2);
    sim_time now = 0;
    while (now < S) {
        now = arrivals_next(&a, &with, w, 3, &s);
        assert_true(now == arrivals_next(&a, &without, NULL, 0, &t));
    }
}

static void a_first_arrival_can_be_given(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {kind: constant, rate: 2/s, first_arrival: 0s}");
    ASSERT_TIMES(&a, 0, 0.5, 1);
    a = arrivals("arrivals: {kind: renewal, interarrival: 300ms, first_arrival: 100ms}");
    ASSERT_TIMES(&a, 0.1, 0.4, 0.7);
    a = arrivals("arrivals: {kind: poisson, rate: 2/s, first_arrival: 7s}");
    ASSERT_TIMES(&a, 7);
    struct arrivals_state state_ = {0};
    struct rng_stream s = stream_of(3);
    arrivals_next(&a, &state_, NULL, 0, &s);
    assert_true(arrivals_next(&a, &state_, NULL, 0, &s) > 7 * S);
}

static void times_are_taken_as_given(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {times: [0s, 0.5s, 0.5s, 2s]}");
    ASSERT_TIMES(&a, 0, 0.5, 0.5, 2);
    struct arrivals_state s = {.place = 4};
    assert_true(arrivals_next(&a, &s, NULL, 0, NULL) == SIM_TIME_NEVER);
    assert_true(arrivals_next(&a, &s, NULL, 0, NULL) == SIM_TIME_NEVER);
    struct arrivals wrong;
    assert_false(choice_read(&arrivals_choice, "arrivals: {times: [1s, 0.5s]}", &wrong));
    assert_false(choice_read(&arrivals_choice,
                             "arrivals: {kind: times, at: [0s], first_arrival: 1s}", &wrong));
    assert_false(choice_read(&arrivals_choice, "arrivals: {kind: constant}", &wrong));
    assert_false(
        choice_read(&arrivals_choice, "arrivals: {closed: {users: 0, think_time: 1s}}", &wrong));
}

static void renewals_wait_one_draw_each(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {kind: renewal, interarrival: 250ms}");
    ASSERT_TIMES(&a, 0.25, 0.5, 0.75);
    const struct rate_window w = {S, 2 * S, 2.0};
    const double times[] = {0.25, 0.5,   0.75, 1,     1.125, 1.25, 1.375,
                            1.5,  1.625, 1.75, 1.875, 2,     2.25};
    assert_times(&a, &w, 1, times, 13);
    a = arrivals("arrivals: {renewal: {interarrival: {exponential: 20ms}}}");
    struct arrivals_state state_ = {0};
    struct rng_stream s = stream_of(4), t = stream_of(4);
    sim_time sum = 0;
    for (int i = 0; i < 10000; i++) {
        sum += dist_draw(&a.interarrival, &t);
        assert_true(arrivals_next(&a, &state_, NULL, 0, &s) == sum);
    }
}

static void long_waits_stay_exact(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {kind: renewal, interarrival: 1000003.000000007s}");
    struct arrivals_state s = {0};
    for (int64_t k = 1; k <= 9000; k++) {
        assert_true(arrivals_next(&a, &s, NULL, 0, NULL) == k * INT64_C(1000003000000007));
    }
    assert_true(s.clock.rest == 0.0);
    assert_true(arrivals_next(&a, &s, NULL, 0, NULL) < SIM_TIME_NEVER);
    for (int k = 0; k < 300; k++) {
        arrivals_next(&a, &s, NULL, 0, NULL);
    }
    assert_true(arrivals_next(&a, &s, NULL, 0, NULL) == SIM_TIME_NEVER);
}

static void closed_users_think(void **state)
{
    (void)state;
    struct arrivals a = arrivals("arrivals: {closed: {users: 200, think_time: 1s}}");
    assert_int_equal(a.users, 200);
    struct arrivals_state state_ = {0};
    const struct rate_window w = {2 * S, SIM_TIME_NEVER, 4.0};
    assert_true(arrivals_next(&a, &state_, NULL, 0, NULL) == SIM_TIME_NEVER);
    assert_true(arrivals_think(&a, 0, NULL, 0, NULL) == S);
    assert_true(arrivals_think(&a, S + S / 2, &w, 1, NULL) == 2 * S + S / 8);
}

static void no_rate_means_never(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "arrivals: {kind: constant, rate: {steps: [[0s, 1/s], [3s, 0/s]]}}",
        "arrivals: {kind: poisson, rate: {steps: [[0s, 1/s], [3s, 0/s]]}}"};
    for (int i = 0; i < 2; i++) {
        struct arrivals a = arrivals(texts[i]);
        struct arrivals_state state_ = {0};
        struct rng_stream s = stream_of(5);
        sim_time now = 0, last = 0;
        for (int k = 0; k < 100; k++) {
            last = now;
            now = arrivals_next(&a, &state_, NULL, 0, &s);
            assert_true(now >= last && (now <= 3 * S || now == SIM_TIME_NEVER));
        }
        assert_true(now == SIM_TIME_NEVER);
    }
}

static void rates_are_means(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double rate;
    } rows[] = {
        {"{kind: poisson, rate: 400/s}", 400.0},
        {"{kind: constant, rate: {spike: {baseline: 10/s, peak: 46/s, at: 100s, for: 1000s}}}",
         20.0},
        {"{kind: poisson, rate: {steps: [[0s, 36/s], [900s, 12/s], [5000s, 999/s]]}}", 18.0},
        {"{kind: poisson, rate: {linear: [[0s, 0/s], [7200s, 720/s]]}}", 180.0},
        {"{kind: poisson, rate: {ramp: {from: 10/s, to: 30/s, start: 900s, duration: 1800s}}}",
         20.0},
        {"{kind: poisson, rate: {sine: {mean: 70/s, amplitude: 50/s, period: 9h}}}", 70.0},
        {"{renewal: {interarrival: {exponential: 20ms}}}", 50.0},
        {"{renewal: {interarrival: 0s}}", 1e6},
        {"{times: [0s, 0.5s, 0.5s, 2s]}", 2.0},
        {"{times: [0s]}", 1e6},
        {"{closed: {users: 200, think_time: {uniform: {low: 1s, high: 3s}}}}", 100.0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[160];
        snprintf(text, sizeof text, "arrivals: %s", rows[i].text);
        struct arrivals a = arrivals(text);
        assert_true(fabs(arrivals_rate(&a) - rows[i].rate) < 1e-9 * rows[i].rate);
    }
}

/* The integral of the profile of a test [1] up to t [s]. */
typedef double integral_of(double t);

/* Counts of one long run in bins of 0.5 s, as chi-square over `bins` bins: Poisson counts of mean m
 * have (count - m)^2 / m with mean 1. */
static double misfit(const char *text, const struct rate_window *w, uint32_t n,
                     integral_of *integral, int bins, uint64_t seed)
{
    struct arrivals a = arrivals(text);
    struct arrivals_state state = {0};
    struct rng_stream s = stream_of(seed);
    double sum = 0.0;
    sim_time now = arrivals_next(&a, &state, w, n, &s);
    for (int b = 0; b < bins; b++) {
        int count = 0;
        while (now < (b + 1) * S / 2) {
            count++;
            now = arrivals_next(&a, &state, w, n, &s);
        }
        double m = integral(0.5 * (b + 1)) - integral(0.5 * b);
        sum += (count - m) * (count - m) / m;
    }
    return sum;
}

static double level_integral(double t)
{
    return 400.0 * t;
}

static double steps_integral(double t)
{
    double u = fmin(t, 30.0);
    return 100.0 * u + 700.0 * (t - u);
}

static double sine_integral(double t)
{
    const double two_pi = 6.283185307179586;
    return 300.0 * t + 250.0 * 10.0 / two_pi * (1.0 - cos(two_pi * t / 10.0));
}

static double line_integral(double t)
{
    double u = fmin(t, 40.0);
    return 50.0 * u + 5.0 * u * u + 450.0 * (t - u);
}

static double window_integral(double t)
{
    return 400.0 * (t + 2.0 * (fmin(fmax(t, 10.25), 20.25) - 10.25));
}

static void poisson_counts_follow_the_integral(void **state)
{
    (void)state;
    /* 120 bins; chi-square with 120 degrees of freedom is outside 75.4 .. 177.7 once in 2000 runs
     * on each side (Wilson and Hilferty). Too small a value would show arrivals too even. */
    const struct rate_window w = {41 * S / 4, 81 * S / 4, 3.0};
    static const struct {
        const char *rate;
        integral_of *integral;
        bool window;
    } rows[] = {
        {"400/s", level_integral, false},
        {"{steps: [[0s, 100/s], [30s, 700/s]]}", steps_integral, false},
        {"{sine: {mean: 300/s, amplitude: 250/s, period: 10s}}", sine_integral, false},
        {"{linear: [[0s, 50/s], [40s, 450/s]]}", line_integral, false},
        {"400/s", window_integral, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[160];
        snprintf(text, sizeof text, "arrivals: {kind: poisson, rate: %s}", rows[i].rate);
        double x = misfit(text, &w, rows[i].window, rows[i].integral, 120, 10 + i);
        assert_true(x > 75.4 && x < 177.7);
    }
}

static void poisson_gaps_are_exponential(void **state)
{
    (void)state;
    /* The integral over each gap has mean 1 and variance 1, under a swinging rate too; its mean
     * square has variance 20 (moments 2 and 24). 4 standard errors. */
    enum { GAPS = 100000 };
    struct arrivals a = arrivals(
        "arrivals: {kind: poisson, rate: {sine: {mean: 300/s, amplitude: 250/s, period: 10s}}}");
    struct arrivals_state state_ = {0};
    struct rng_stream s = stream_of(20);
    double sum = 0.0, squares = 0.0, before = 0.0;
    for (int i = 0; i < GAPS; i++) {
        double area = sine_integral((double)arrivals_next(&a, &state_, NULL, 0, &s) / 1e9);
        sum += area - before;
        squares += (area - before) * (area - before);
        before = area;
    }
    assert_int_equal(s.drawn >= GAPS, 1);
    assert_true(fabs(sum / GAPS - 1.0) < 4.0 / sqrt(GAPS));
    assert_true(fabs(squares / GAPS - 2.0) < 4.0 * sqrt(20.0 / GAPS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_arrivals_invert_the_profile),
        cmocka_unit_test(constant_arrivals_do_not_drift),
        cmocka_unit_test(windows_scale_the_rate),
        cmocka_unit_test(a_first_arrival_can_be_given),
        cmocka_unit_test(times_are_taken_as_given),
        cmocka_unit_test(renewals_wait_one_draw_each),
        cmocka_unit_test(long_waits_stay_exact),
        cmocka_unit_test(closed_users_think),
        cmocka_unit_test(no_rate_means_never),
        cmocka_unit_test(rates_are_means),
        cmocka_unit_test(poisson_counts_follow_the_integral),
        cmocka_unit_test(poisson_gaps_are_exponential),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
