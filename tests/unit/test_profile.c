/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/profile.h"
#include "rng/stream.h"
#include "support/choice.h"

static struct profile profile(const char *text)
{
    struct profile p;
    assert_true(choice_read(&profile_choice, text, &p));
    return p;
}

static const sim_time S = SIM_TIME_S;

static void assert_rate(const struct profile *p, double t, double rate)
{
    assert_true(fabs(profile_rate(p, (sim_time)llround(t * 1e9)) - rate) <= 1e-12 * rate);
}

static void rates_are_as_written(void **state)
{
    (void)state;
    struct profile p = profile("rate: 800/s");
    assert_int_equal(p.kind, PROFILE_CONSTANT);
    assert_rate(&p, 0, 800);
    assert_rate(&p, 1e9, 800);
    p = profile("rate: {steps: [[10s, 500/s], [100s, 2000/s], [101s, 0/s]]}");
    assert_rate(&p, 0, 500);
    assert_rate(&p, 99.999999999, 500);
    assert_rate(&p, 100, 2000);
    assert_rate(&p, 100.999999999, 2000);
    assert_rate(&p, 101, 0);
    p = profile("rate: {linear: [[1s, 2/s], [11s, 12/s], [11s, 6/s], [13s, 4/s]]}");
    assert_rate(&p, 0, 2);
    assert_rate(&p, 1, 2);
    assert_rate(&p, 6, 7);
    assert_rate(&p, 11, 6);
    assert_rate(&p, 12, 5);
    assert_rate(&p, 99, 4);
    p = profile("rate: {ramp: {from: 0/s, to: 10/s, start: 5s, duration: 10s}}");
    assert_rate(&p, 5, 0);
    assert_rate(&p, 10, 5);
    assert_rate(&p, 15, 10);
    assert_rate(&p, 16, 10);
    p = profile("rate: {ramp: {from: 1/s, to: 2/s, duration: 0s}}");
    assert_rate(&p, 0, 2);
    p = profile("rate: {spike: {baseline: 1/s, peak: 4/s, at: 2s, for: 1s}}");
    assert_rate(&p, 1.999999999, 1);
    assert_rate(&p, 2, 4);
    assert_rate(&p, 2.999999999, 4);
    assert_rate(&p, 3, 1);
    p = profile("rate: spike");
    assert_rate(&p, 24.9, 150);
    assert_rate(&p, 25, 10);
}

static void sines_agree_with_the_c_library(void **state)
{
    (void)state;
    struct profile p = profile("rate: {sine: {mean: 5/s, amplitude: 5/s, period: 7s, phase: 0.3}}");
    const double two_pi = 6.283185307179586;
    for (int i = 0; i < 10000; i++) {
        sim_time t = i * INT64_C(12345678);
        double u = 0.3 + (double)(t % (7 * S)) / 7e9;
        assert_true(fabs(profile_rate(&p, t) - (5 + 5 * sin(two_pi * u))) < 5e-14);
    }
    p = profile("rate: {sine: {mean: 5/s, amplitude: 2/s, period: 4s}}");
    assert_rate(&p, 1e6 + 1, 7);
    assert_rate(&p, 1e6 + 2, 5);
    assert_rate(&p, 1e6 + 3, 3);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "rate: -1/s",
        "rate: 2/ns",
        "rate: {steps: []}",
        "rate: {linear: []}",
        "rate: {steps: [[0s, 1/s], [0s, 2/s]]}",
        "rate: {linear: [[1s, 1/s], [0s, 2/s]]}",
        "rate: {steps: [[0s, 1/s, 3]]}",
        "rate: {sine: {mean: 1/s, amplitude: 1.1/s, period: 1s}}",
        "rate: {sine: {mean: 1/s, amplitude: 1/s, period: 0s}}",
        "rate: {ramp: {from: 1/s, duration: 1s}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct profile p;
        assert_false(choice_read(&profile_choice, wrong[i], &p));
    }
}

static double windows_at(const struct rate_window *w, uint32_t n, sim_time t)
{
    double factor = 1.0;
    for (uint32_t i = 0; i < n; i++) {
        factor *= t >= w[i].from && t < w[i].to ? w[i].factor : 1.0;
    }
    return factor;
}

static int by_time(const void *a, const void *b)
{
    sim_time x = *(const sim_time *)a, y = *(const sim_time *)b;
    return (x > y) - (x < y);
}

static double seconds(struct fine_time t)
{
    return (double)t.ns / 1e9 + t.rest / 1e9;
}

/* The naive way: cuts at every point and window edge, midpoint rule between (exact for lines). */
static double naive_area(const struct profile *p, const struct rate_window *w, uint32_t n,
                         struct fine_time from, struct fine_time to)
{
    sim_time cuts[64];
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        cuts[count++] = w[i].from;
        cuts[count++] = w[i].to;
    }
    for (uint32_t i = 0; i < p->points.count; i++) {
        cuts[count++] = p->points.items[i].time;
    }
    cuts[count++] = to.ns;
    qsort(cuts, count, sizeof cuts[0], by_time);
    double area = 0.0, before = seconds(from);
    for (uint32_t i = 0; i < count; i++) {
        double cut = fmin((double)cuts[i] / 1e9, seconds(to));
        if (cut > before) {
            sim_time middle = (sim_time)(0.5e9 * (cut + before));
            area += (cut - before) * profile_rate(p, middle) * windows_at(w, n, middle);
            before = cut;
        }
    }
    return area + (seconds(to) - before) * profile_rate(p, to.ns) * windows_at(w, n, to.ns);
}

enum { POINTS = 8, WINDOWS = 4 };

static struct profile random_profile(struct rng_stream *s, struct profile_point *points)
{
    struct profile p = {.kind = rng_below(s, 2) ? PROFILE_STEPS : PROFILE_LINEAR};
    p.points.items = points;
    p.points.count = 1 + (uint32_t)rng_below(s, POINTS);
    sim_time t = (sim_time)rng_below(s, 3) * S;
    for (uint32_t i = 0; i < p.points.count; i++) {
        points[i] = (struct profile_point){t, (double)rng_below(s, 4) * rng_unit(s)};
        t += 1 + (sim_time)rng_below(s, (uint64_t)(4 * S));
    }
    points[p.points.count - 1].rate += 0.5; /* so that every need is met in the end */
    struct diag diag = {0};
    profile_choice.derive(&p, NULL, &diag, &choice_arena);
    assert_int_equal(diag.errors, 0);
    diag_close(&diag);
    return p;
}

static void inversion_agrees_with_naive_integration(void **state)
{
    (void)state;
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = 1});
    for (int round = 0; round < 20000; round++) {
        struct profile_point points[POINTS];
        struct profile p = random_profile(&s, points);
        struct rate_window w[WINDOWS];
        uint32_t n = (uint32_t)rng_below(&s, WINDOWS + 1);
        for (uint32_t i = 0; i < n; i++) {
            sim_time from = (sim_time)rng_below(&s, (uint64_t)(20 * S));
            sim_time to = from + 1 + (sim_time)rng_below(&s, (uint64_t)(5 * S));
            w[i] = (struct rate_window){from, to, (double)rng_below(&s, 4)};
        }
        struct fine_time from = {(sim_time)rng_below(&s, (uint64_t)(10 * S)), rng_unit(&s)};
        double need = 4.0 * rng_exponential(&s);
        struct fine_time t = profile_next(&p, w, n, from, need);
        assert_true(t.ns < SIM_TIME_NEVER && t.rest >= 0.0 && t.rest < 1.0);
        assert_true(t.ns >= from.ns);
        assert_true(fabs(naive_area(&p, w, n, from, t) - need) < 1e-8 + 1e-12 * need);
    }
}

static void sines_are_inverted(void **state)
{
    (void)state;
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = 2});
    const double two_pi = 6.283185307179586;
    for (int round = 0; round < 20000; round++) {
        struct profile p = {.kind = PROFILE_SINE,
                            .mean = 0.1 + 5.0 * rng_unit(&s),
                            .period = 1 + (sim_time)rng_below(&s, (uint64_t)(9 * S)),
                            .phase = rng_unit(&s)};
        p.amplitude = rng_below(&s, 4) ? p.mean * rng_unit(&s) : p.mean;
        struct fine_time from = {(sim_time)rng_below(&s, (uint64_t)(10 * S)), rng_unit(&s)};
        double need = 20.0 * rng_unit(&s) * rng_unit(&s) * rng_unit(&s);
        struct fine_time t = profile_next(&p, NULL, 0, from, need);
        double period = (double)p.period / 1e9, a = two_pi * (p.phase + seconds(from) / period),
               b = two_pi * (p.phase + seconds(t) / period);
        double swing = p.amplitude * period / two_pi * (cos(a) - cos(b));
        double area = p.mean * (seconds(t) - seconds(from)) + swing;
        /* The check itself loses digits in arguments that span many periods. */
        assert_true(fabs(area - need) < 1e-9 + 1e-15 * p.mean * b * period);
        struct rate_window half = {0, SIM_TIME_NEVER, 0.5};
        struct fine_time u = profile_next(&p, &half, 1, from, 0.5 * need);
        assert_true(fabs(seconds(u) - seconds(t)) < 1e-9);
    }
}

static void sines_that_touch_zero_are_inverted(void **state)
{
    (void)state;
    /* From the bottom the integral is mean * period * (v - sin(2 pi v) / (2 pi)) over v periods. */
    const double two_pi = 6.283185307179586;
    struct profile p = profile("rate: {sine: {mean: 2/s, amplitude: 2/s, period: 3s, phase: 75%}}");
    for (double v = 1.0 / 64; v < 3.0; v *= 1.03125) {
        double need = 6.0 * (v - sin(two_pi * v) / two_pi);
        struct fine_time t = profile_next(&p, NULL, 0, (struct fine_time){0, 0}, need);
        double rate = 2.0 - 2.0 * cos(two_pi * v);
        assert_true(fabs(seconds(t) - 3.0 * v) < 1e-10 + fmin(1e-13 / rate, 1e-4));
    }
}

static void windows_cut_sines(void **state)
{
    (void)state;
    struct profile p = profile("rate: {sine: {mean: 5/s, amplitude: 5/s, period: 2s}}");
    /* Nothing for the first period, then twice as much: 5 fall due in the next quarter's ... */
    struct rate_window w[] = {{0, 2 * S, 0.0}, {2 * S, 3 * S, 2.0}};
    struct fine_time t = profile_next(&p, w, 2, (struct fine_time){0, 0}, 5.0 + 10.0 / M_PI);
    assert_true(fabs(seconds(t) - 2.5) < 1e-9);
    /* ... and half a period gives 10 + 20/pi; the rest comes at the single rate. */
    double rest = 5.0 - 10.0 / M_PI;
    t = profile_next(&p, w, 2, (struct fine_time){0, 0}, 10.0 + 20.0 / M_PI + rest);
    assert_true(fabs(seconds(t) - 4.0) < 1e-5); /* where the rate is not far from 0 */
}

static void no_rate_means_never(void **state)
{
    (void)state;
    const struct fine_time start = {0, 0.0};
    struct profile p = profile("rate: 0/s");
    assert_true(profile_next(&p, NULL, 0, start, 1.0).ns == SIM_TIME_NEVER);
    p = profile("rate: {sine: {mean: 0/s, amplitude: 0/s, period: 1s}}");
    assert_true(profile_next(&p, NULL, 0, start, 1.0).ns == SIM_TIME_NEVER);
    p = profile("rate: {linear: [[0s, 10/s], [10s, 0/s]]}");
    assert_true(profile_next(&p, NULL, 0, start, 50.001).ns == SIM_TIME_NEVER);
    assert_true(fabs(seconds(profile_next(&p, NULL, 0, start, 50.0)) - 10.0) < 1e-5);
    p = profile("rate: 5/s");
    struct rate_window off = {10 * S, SIM_TIME_NEVER, 0.0};
    assert_true(profile_next(&p, &off, 1, start, 49.0).ns == 49 * S / 5);
    assert_true(profile_next(&p, &off, 1, start, 50.0).ns == 10 * S);
    assert_true(profile_next(&p, &off, 1, start, 51.0).ns == SIM_TIME_NEVER);
    assert_true(profile_next(&p, NULL, 0, FINE_TIME_NEVER, 1.0).ns == SIM_TIME_NEVER);
    p = profile("rate: 1e-9/s");
    assert_true(fabs(seconds(profile_next(&p, NULL, 0, start, 8.0)) - 8e9) < 1e-5);
    assert_true(profile_next(&p, NULL, 0, start, 10.0).ns == SIM_TIME_NEVER);
}

static void what_is_due_when_the_rate_ends_is_not_lost(void **state)
{
    (void)state;
    /* Steps of 1/k s add up to 1 s but for rounding; then the rate drops to 0. */
    struct profile_point points[] = {{0, 0}, {S, 0}};
    struct profile p = {.kind = PROFILE_STEPS};
    p.points.items = points;
    p.points.count = 2;
    for (int k = 1; k < 3000; k++) {
        points[0].rate = k;
        struct diag diag = {0};
        profile_choice.derive(&p, NULL, &diag, &choice_arena);
        struct fine_time t = {0, 0.0};
        for (int i = 0; i < k; i++) {
            t = profile_next(&p, NULL, 0, t, 1.0);
        }
        assert_true(fine_time_round(t) == S);
        assert_true(profile_next(&p, NULL, 0, t, 1.0).ns == SIM_TIME_NEVER);
    }
}

static void pace_holds_on_level_pieces(void **state)
{
    (void)state;
    struct profile p = profile("rate: {linear: [[0s, 4/s], [10s, 4/s], [20s, 8/s]]}");
    struct rate_window w = {5 * S, 6 * S, 2.0};
    struct profile_pace pace = profile_pace(&p, &w, 1, 0);
    assert_true(pace.gap.ns == S / 4 && pace.gap_ns == 0.25e9 && pace.until == 5 * S);
    pace = profile_pace(&p, &w, 1, 5 * S);
    assert_true(pace.gap.ns == S / 8 && pace.until == 6 * S);
    assert_true(profile_pace(&p, &w, 1, 6 * S).until == 10 * S);
    assert_true(profile_pace(&p, &w, 1, 10 * S).until == 0);
    assert_true(profile_pace(&p, &w, 1, 20 * S).until == SIM_TIME_NEVER);
    assert_true(profile_pace(&p, &w, 1, SIM_TIME_NEVER).until == 0);
    p = profile("rate: 3/s");
    pace = profile_pace(&p, NULL, 0, 0);
    assert_true(pace.gap.ns == 333333333 && fabs(pace.gap.rest - 1.0 / 3) < 1e-16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_as_written),
        cmocka_unit_test(sines_agree_with_the_c_library),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(inversion_agrees_with_naive_integration),
        cmocka_unit_test(sines_are_inverted),
        cmocka_unit_test(sines_that_touch_zero_are_inverted),
        cmocka_unit_test(windows_cut_sines),
        cmocka_unit_test(no_rate_means_never),
        cmocka_unit_test(what_is_due_when_the_rate_ends_is_not_lost),
        cmocka_unit_test(pace_holds_on_level_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
