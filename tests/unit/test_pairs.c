/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of antithetic pairs: what one member draws as u the other draws as 1 - u, they stay in
 * step whatever is drawn, the laws are those of other streams, and pairs are negatively correlated.
 * Seeds are fixed; the 3.5 sigma bounds and the critical value of Kolmogorov and Smirnov (chance
 * 1e-3) say how surprising another outcome would have been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng/dist.h"
#include "rng/exactmath.h"
#include "rng/stream.h"

enum { N = 100000 };

/* The members of a pair, or `replication` as it is. */
static struct rng_stream stream(uint64_t replication, uint64_t purpose)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){2024, replication, 0x0123456789abcdef, purpose});
    return s;
}
static struct rng_stream member(uint64_t replication, uint64_t purpose)
{
    return stream(rng_pair_member(replication), purpose);
}

/* --- streams ----------------------------------------------------------------------------- */

static void one_draws_u_and_the_other_the_rest(void **state)
{
    (void)state;
    struct rng_stream a = member(6, 1), b = member(7, 1);
    for (int i = 0; i < N; i++) {
        assert_true(rng_bits(&a) == ~rng_bits(&b));
        double u = rng_unit(&a);
        assert_true(rng_unit(&b) == 1.0 - u && u + (1.0 - u) == 1.0);
        assert_true(rng_below(&a, 8) + rng_below(&b, 8) == 7);
        assert_true(rng_normal(&a) == -rng_normal(&b));
        double x = rng_exponential(&a), y = rng_exponential(&b);
        assert_true(x > 0.0 && y > 0.0 && fabs(exp(-x) + exp(-y) - 1.0) < 1e-15);
    }
    assert_true(a.drawn == 5 * N && b.drawn == a.drawn);
    assert_int_equal(sizeof a, 64);
}

/* Pair k is one stream, which is neither another pair's nor that of a replication k without. */
static void pairs_have_streams_of_their_own(void **state)
{
    (void)state;
    struct rng_stream even = member(6, 1), plain = stream(3, 1), next = member(8, 1);
    const uint64_t key[4] = {2024, RNG_PAIRED | 3, 0x0123456789abcdef, 1}, counter[4] = {0};
    uint64_t out[4];
    rng_threefry(counter, key, out);
    for (int i = 0; i < 4; i++) {
        uint64_t bits = rng_bits(&even);
        assert_true(bits == out[i] && bits != rng_bits(&plain) && bits != rng_bits(&next));
    }
    assert_true(rng_is_paired(&even) && !rng_is_paired(&plain));
    assert_true(rng_flip(rng_pair_member(6)) == 0 && rng_flip(3) == 0);
    assert_true(rng_flip(rng_pair_member(7)) == UINT64_MAX);
}

/* Draws of streams of pairs must never change either. */
static void paired_draws_are_fixed(void **state)
{
    (void)state;
    static const double fixed[8] = {
        0x1.bdc4718452357p-1, 0x1.9099fa329d2bep+1, 0x1.75e0608c2cbb8p-3,  0x1.a2da00c342579p-4,
        0x1.08ee39eeb72a4p-3, 0x1.6e50353301878p-5, -0x1.75e0608c2cbb8p-3, 0x1.141f9fd49255ep-1};
    for (int k = 0; k < 2; k++) {
        struct rng_stream s = member((uint64_t)k, 7);
        assert_true(rng_unit(&s) == fixed[4 * k]);
        assert_true(rng_exponential(&s) == fixed[4 * k + 1]);
        assert_true(rng_normal(&s) == fixed[4 * k + 2]);
        assert_true(rng_gamma(&s, 0.5) == fixed[4 * k + 3]);
    }
}

/* Where a third of the words would be rejected, none is, and results are as likely all the same. */
static void nothing_is_rejected(void **state)
{
    (void)state;
    const uint64_t n = UINT64_C(3) << 62;
    struct rng_stream a = member(0, 2), b = member(1, 2);
    int low = 0;
    for (int i = 0; i < N; i++) {
        uint64_t x = rng_below(&a, n), y = rng_below(&b, n);
        assert_true(x < n && y < n && n - 1 - x - y <= 1);
        low += x < n / 3;
    }
    assert_true(a.drawn == N && b.drawn == N);
    assert_true(fabs(low - N / 3.0) < 3.5 * sqrt(N * 2.0 / 9.0));
}

/* Words aside belong to one draw: they are no words of the stream, nor of another draw. */
static void words_aside_belong_to_one_draw(void **state)
{
    (void)state;
    enum { DRAWS = 200, WORDS = 8 };
    struct rng_stream s = member(0, 3), other = member(1, 3);
    static uint64_t seen[DRAWS][WORDS + 1];
    for (int i = 0; i < DRAWS; i++) {
        seen[i][WORDS] = rng_bits(&s);
        rng_bits(&other);
        struct rng_stream aside = rng_aside(&s), flipped = rng_aside(&other);
        for (int k = 0; k < WORDS; k++) {
            struct rng_stream within = rng_aside(&aside);
            assert_true(within.drawn == aside.drawn);
            seen[i][k] = rng_bits(&aside);
            assert_true(seen[i][k] == ~rng_bits(&flipped));
        }
    }
    assert_true(s.drawn == DRAWS);
    const uint64_t *all = seen[0];
    for (int i = 0; i < DRAWS * (WORDS + 1); i++) {
        for (int k = 0; k < i; k++) {
            assert_true(all[i] != all[k]);
        }
    }
}

/* --- the quantile of the normal law ------------------------------------------------------ */

static void normal_quantiles_are_exact(void **state)
{
    (void)state;
    struct rng_stream s = stream(0, 4);
    for (int i = 0; i < N; i++) {
        double u = rng_unit(&s), p = i % 2 ? u : exp(-700.0 * u);
        double x = exact_normal_quantile(p), gsl = gsl_cdf_ugaussian_Pinv(p);
        assert_true(fabs(x - gsl) <= 1e-15 * fabs(gsl));
        assert_true(i % 2 == 0 || exact_normal_quantile(1.0 - u) == -x);
        /* What the chance is off by, by the density. */
        double off = gsl_cdf_ugaussian_P(x) - p;
        assert_true(fabs(off) <= 1e-15 * p * (2.0 + x * x));
    }
    assert_true(exact_normal_quantile(0.5) == 0.0);
    assert_true(fabs(exact_normal_quantile(0.975) - 1.959963984540054) < 1e-15);
    for (double x = -37.5; x <= 0.0; x += 0.25) {
        double p = gsl_cdf_ugaussian_P(x);
        assert_true(fabs(exact_normal_chance(x) / p - 1.0) < 1e-12);
    }
    assert_true(exact_normal_chance(-39.0) == 0.0 && exact_normal_chance(-INFINITY) == 0.0);
}

/* --- laws -------------------------------------------------------------------------------- */

static struct arena arena;

struct law {
    const char *name;
    struct dist dist;
    uint64_t draws;     /* of one variate */
    double correlation; /* of pairs, where it is known; else 0 */
};

enum { LAWS = 17 };

static void add(struct law *laws, int *n, const char *name, struct dist d, uint64_t draws,
                double correlation)
{
    struct diag diag = {0};
    dist_duration.derive(&d, NULL, &diag, &arena);
    assert_int_equal(diag.errors, 0);
    diag_close(&diag);
    assert_in_range(*n, 0, LAWS - 1);
    laws[(*n)++] = (struct law){name, d, draws, correlation};
}

static int make_laws(struct law *laws)
{
    static struct dist_value values[] = {{5 * SIM_TIME_S, 1}, {SIM_TIME_S, 3}, {SIM_TIME_MS, 2},
                                         {9 * SIM_TIME_S, 0}, {0, 0},          {SIM_TIME_S, 1}};
    static struct dist_branch branches[] = {{1, 9 * SIM_TIME_S}, {3, SIM_TIME_S}};
    static struct dist_part parts[3];
    const sim_time s = SIM_TIME_S, never = SIM_TIME_NEVER;
    const double exponential = 1.0 - M_PI * M_PI / 6.0;
    int n = 0;
#define LAW(kind_, draws_, correlation_, ...) \
    add(laws, &n, #kind_, (struct dist){.kind = DIST_##kind_, __VA_ARGS__}, draws_, correlation_)
    LAW(EXPONENTIAL, 1, exponential, .mean = s);
    LAW(UNIFORM, 1, -1.0, .low = s, .high = 4 * s);
    LAW(NORMAL, 1, 0.0, .mean = s, .deviation = s);
    LAW(NORMAL, 1, 0.0, .mean = 0, .deviation = s);
    LAW(NORMAL, 1, -1.0, .mean = 50 * s, .deviation = s);
    /* Of the lognormal (exp(-v) - 1) / (exp(v) - 1) = -exp(-v), where exp(v) = 1 + cv^2. */
    LAW(LOGNORMAL, 1, -0.8, .mean = s, .cv = 0.5);
    LAW(GAMMA, 1, 0.0, .mean = s, .cv = 1.4);
    LAW(GAMMA, 1, 0.0, .mean = s, .cv = 0.2);
    LAW(ERLANG, 1, 0.0, .mean = s, .phases = 3);
    LAW(WEIBULL, 1, exponential, .mean = s, .shape = 1.0);
    LAW(PARETO, 1, 0.0, .minimum = s, .shape = 5.0, .maximum = never);
    LAW(PARETO, 1, 0.0, .minimum = s, .shape = 1.5, .maximum = 100 * s);
    LAW(HYPEREXPONENTIAL, 2, 0.0, .mean = never, .branches = {branches, 2});
    LAW(ZIPF, 1, 0.0, .unit = s, .ranks = 100, .exponent = 1.0);
    LAW(EMPIRICAL, 1, 0.0, .file = "", .values = {values, 6});
    LAW(PERCENTILES, 1, 0.0,
        .percentile = {1, 2, 3, 4, 5, s, 2 * s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s});
    /* Laws that take two draws, none, and any number. */
    parts[0] = (struct dist_part){1, laws[12].dist};
    parts[1] = (struct dist_part){2, dist_constant(s / 2)};
    parts[2] = (struct dist_part){1, laws[6].dist};
    LAW(MIXTURE, 1, 0.0, .parts = {parts, 3});
#undef LAW
    return n;
}

static double draws[2][N];

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* sqrt(N/2) times the largest difference between the shares of both up to a value. */
static double kolmogorov(void)
{
    double most = 0.0;
    qsort(draws[0], N, sizeof(double), ascending);
    qsort(draws[1], N, sizeof(double), ascending);
    for (int i = 0, k = 0; i < N && k < N;) {
        double x = fmin(draws[0][i], draws[1][k]);
        for (; i < N && draws[0][i] <= x; i++) {}
        for (; k < N && draws[1][k] <= x; k++) {}
        most = fmax(most, abs(i - k) / (double)N);
    }
    return most * sqrt(N / 2.0);
}

static double mean_of(const double *x)
{
    double sum = 0.0;
    for (int i = 0; i < N; i++) {
        sum += x[i];
    }
    return sum / N;
}

static double covariance(const double *x, const double *y)
{
    double sum = 0.0, a = mean_of(x), b = mean_of(y);
    for (int i = 0; i < N; i++) {
        sum += (x[i] - a) * (y[i] - b);
    }
    return sum / N;
}

static void fill(const struct dist *d, struct rng_stream s, double *to, uint64_t each)
{
    for (int i = 0; i < N; i++) {
        uint64_t before = s.drawn;
        to[i] = (double)dist_draw(d, &s) / SIM_TIME_S;
        assert_true(each == 0 || s.drawn - before == each);
    }
}

/* Neither member's law can be told from that of a stream which is no pair's, and its mean is what
 * it should be. */
static void laws_are_the_same(void **state)
{
    (void)state;
    struct law laws[LAWS];
    int n = make_laws(laws);
    for (int i = 0; i < n; i++) {
        const struct dist *d = &laws[i].dist;
        for (uint64_t r = 0; r < 2; r++) {
            fill(d, member(r, 100 + (uint64_t)i), draws[1], laws[i].draws);
            double deviation = sqrt(covariance(draws[1], draws[1]) / N);
            double off = mean_of(draws[1]) - dist_mean(d) / SIM_TIME_S;
            assert_true(fabs(off) < 3.5 * deviation);
            fill(d, stream(r, 100 + (uint64_t)i), draws[0], 0);
            double distance = kolmogorov();
            if (!(distance < 1.95)) {
                fail_msg("%s: %g", laws[i].name, distance);
            }
        }
    }
}

/* Without correlation the coefficient would be within 3.5 / sqrt(N) of 0. */
static void pairs_are_negatively_correlated(void **state)
{
    (void)state;
    struct law laws[LAWS];
    int n = make_laws(laws);
    for (int i = 0; i < n; i++) {
        for (uint64_t r = 0; r < 2; r++) {
            fill(&laws[i].dist, member(r, 200 + (uint64_t)i), draws[r], laws[i].draws);
        }
        double r = covariance(draws[0], draws[1]) /
                   sqrt(covariance(draws[0], draws[0]) * covariance(draws[1], draws[1]));
        print_message("%-16s %.4f\n", laws[i].name, r);
        assert_true(r < -3.5 / sqrt(N));
        if (laws[i].correlation != 0.0) {
            assert_true(fabs(r - laws[i].correlation) < 0.02);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_draws_u_and_the_other_the_rest),
                                       cmocka_unit_test(pairs_have_streams_of_their_own),
                                       cmocka_unit_test(paired_draws_are_fixed),
                                       cmocka_unit_test(nothing_is_rejected),
                                       cmocka_unit_test(words_aside_belong_to_one_draw),
                                       cmocka_unit_test(normal_quantiles_are_exact),
                                       cmocka_unit_test(laws_are_the_same),
                                       cmocka_unit_test(pairs_are_negatively_correlated)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(&arena);
    return failed;
}
