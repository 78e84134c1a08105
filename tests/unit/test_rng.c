/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams against published vectors, laws of the basic draws, and the exact mathematics against
 * long doubles. Seeds are fixed, so a test that passes passes always; the 3.5 sigma bounds say how
 * surprising another outcome would have been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng/exactmath.h"
#include "rng/gsl_stream.h"
#include "rng/stream.h"

__extension__ typedef unsigned __int128 wide;

static struct rng_stream stream(uint64_t purpose)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){2024, 1, 0x0123456789abcdef, purpose});
    return s;
}

/* Random123's kat_vectors for threefry4x64, 20 rounds. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint64_t counter[4], key[4], out[4];
    } kat[] = {{{0},
                {0},
                {0x09218ebde6c85537, 0x55941f5266d86105, 0x4bd25e16282434dc, 0xee29ec846bd2e40b}},
               {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
                {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
                {0x29c24097942bba1b, 0x0371bbfb0f6f4e11, 0x3c231ffa33f83a1c, 0xcd29113fde32d168}},
               {{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89},
                {0x452821e638d01377, 0xbe5466cf34e90c6c, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd},
                {0xa7e8fde591651bd9, 0xbaafd0c30138319b, 0x84a5c1a729e685b9, 0x901d406ccebc1ba4}}};
    for (size_t i = 0; i < sizeof kat / sizeof kat[0]; i++) {
        uint64_t out[4];
        rng_threefry(kat[i].counter, kat[i].key, out);
        assert_memory_equal(out, kat[i].out, sizeof out);
    }
}

/* A stream is its blocks in order, under the key's words in order. */
static void test_layout(void **state)
{
    (void)state;
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = 11, .replication = 22, .who = 33, .purpose = 44});
    const uint64_t key[4] = {11, 22, 33, 44};
    for (uint64_t block = 0; block < 3; block++) {
        const uint64_t counter[4] = {block, 0, 0, 0};
        uint64_t out[4];
        rng_threefry(counter, key, out);
        for (int i = 0; i < 4; i++) {
            assert_true(rng_bits(&s) == out[i]);
        }
    }
    assert_int_equal(sizeof s, 64);
    struct rng_stream zero;
    rng_init(&zero, &(struct rng_key){0});
    assert_true(rng_bits(&zero) == 0x09218ebde6c85537);
}

/* Our own streams must never change: they are part of every result. */
static void test_fixed_vectors(void **state)
{
    (void)state;
    struct rng_stream s = stream(7);
    static const uint64_t bits[] = {0x42d3549bc9f15059, 0x2c0c4b873d0460d2, 0x09583f825b45d182,
                                    0xba10bd855086f210, 0xf52af9ca6b047b73};
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        assert_true(rng_bits(&s) == bits[i]);
    }
    struct rng_stream copy = s;
    static const double exponential[] = {0x1.7893dce7ea655p+0, 0x1.5839a6d84b121p+0,
                                         0x1.c8e1f9be1f17ep+0, 0x1.04c9c8a88045ep-1};
    for (size_t i = 0; i < sizeof exponential / sizeof exponential[0]; i++) {
        assert_true(rng_exponential(&s) == exponential[i]);
    }
    assert_true(rng_exponential(&copy) == exponential[0]);
    static const double normal[] = {-0x1.37d2523446a55p+0, -0x1.08785e7fc818cp-5,
                                    0x1.34d32904a6107p-3};
    for (size_t i = 0; i < sizeof normal / sizeof normal[0]; i++) {
        assert_true(rng_normal(&s) == normal[i]);
    }
    static const double gamma[] = {0x1.06b06ec267045p-3, 0x1.997ff48e7608ap+1,
                                   0x1.4780933097d2ap+1};
    for (size_t i = 0; i < sizeof gamma / sizeof gamma[0]; i++) {
        assert_true(rng_gamma(&s, 0.5 + (double)i) == gamma[i]);
    }
    /* A digest of a million draws sees the rare branches of the ziggurat, too. */
    uint64_t digest = 0;
    for (int i = 0; i < 1000000; i++) {
        double x = rng_exponential(&s);
        uint64_t word;
        memcpy(&word, &x, sizeof word);
        digest = digest * 31 + word;
    }
    assert_true(digest == UINT64_C(0x54ba279970652b46));
}

static void test_unit_is_open(void **state)
{
    (void)state;
    assert_true(rng_to_unit(0) == 0x1p-53);
    assert_true(rng_to_unit(UINT64_MAX) == 1.0 - 0x1p-53);
    assert_true(rng_to_unit(UINT64_MAX) < 1.0);
}

static void test_below(void **state)
{
    (void)state;
    struct rng_stream s = stream(1);
    uint64_t count[6] = {0};
    enum { N = 600000 };
    for (int i = 0; i < N; i++) {
        uint64_t k = rng_below(&s, 6);
        assert_true(k < 6);
        count[k]++;
    }
    double chi = 0.0;
    for (int k = 0; k < 6; k++) {
        chi += ((double)count[k] - N / 6) * ((double)count[k] - N / 6) / (N / 6);
    }
    assert_true(chi < 23.1); /* chi square, 5 degrees of freedom, 3.2e-4 */
    /* With n three quarters of the range, a third of the results would be twice as likely without
     * rejection: by a plain remainder the lowest third, by a plain product every third one. */
    const uint64_t n = UINT64_C(3) << 62;
    uint64_t third[3] = {0};
    for (int i = 0; i < N; i++) {
        third[rng_below(&s, n) / (n / 3)]++;
    }
    for (int k = 0; k < 3; k++) {
        assert_true(fabs((double)third[k] - N / 3.0) < 3.5 * sqrt(N * 2.0 / 9.0));
    }
    uint64_t rest[3] = {0};
    for (int i = 0; i < N; i++) {
        rest[rng_below(&s, n) % 3]++;
    }
    for (int k = 0; k < 3; k++) {
        assert_true(fabs((double)rest[k] - N / 3.0) < 3.5 * sqrt(N * 2.0 / 9.0));
    }
    assert_true(rng_below(&s, 1) == 0);
}

/* Rejection leaves results as they would be drawn from the words not rejected. */
static void test_below_rejects(void **state)
{
    (void)state;
    const uint64_t n = UINT64_C(3) << 62;
    struct rng_stream s = stream(2), words = stream(2);
    for (int i = 0; i < 10000; i++) {
        uint64_t k = rng_below(&s, n), word;
        do {
            word = rng_bits(&words);
            /* The low half of word * n is below 2^64 mod n = 2^62 for a quarter of the words. */
        } while (word * n < -n % n);
        assert_true(k == (uint64_t)(((wide)word * n) >> 64));
    }
    assert_true(s.drawn == words.drawn && s.drawn > 12500);
}

/* The edges satisfy what defines them, in long double: equal areas, r + 1, and the top at 1. */
static void test_ziggurat(void **state)
{
    (void)state;
    const double *edge = rng_ziggurat;
    long double r = edge[1], v = (r + 1) * expl(-r);
    assert_true(edge[256] == 0.0);
    assert_true(fabsl(edge[0] - (r + 1)) < 1e-15L);
    for (int i = 1; i < 256; i++) {
        long double area =
            edge[i] * (expl(-(long double)edge[i + 1]) - expl(-(long double)edge[i]));
        assert_true(edge[i + 1] < edge[i]);
        assert_true(fabsl(area / v - 1) < 1e-12L);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov: sqrt(n) D is above 1.95 with a chance of 1e-3. */
static double kolmogorov(double *x, size_t n, double (*cdf)(double))
{
    qsort(x, n, sizeof *x, ascending);
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double f = cdf(x[i]);
        most = fmax(most, fmax((double)(i + 1) / (double)n - f, f - (double)i / (double)n));
    }
    return most * sqrt((double)n);
}

static double cdf_exponential(double x)
{
    return -expm1(-x);
}
static double cdf_normal(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}
/* Gamma of shape 1/2 is half the square of a normal. */
static double cdf_gamma_half(double x)
{
    return erf(sqrt(x));
}
static double cdf_gamma_3(double x)
{
    return 1.0 - exp(-x) * (1.0 + x + 0.5 * x * x);
}

static double draw_gamma_half(struct rng_stream *s)
{
    return rng_gamma(s, 0.5);
}
static double draw_gamma_3(struct rng_stream *s)
{
    return rng_gamma(s, 3.0);
}
static double draw_exponential(struct rng_stream *s)
{
    return rng_exponential(s);
}

static void test_laws(void **state)
{
    (void)state;
    static const struct {
        double (*draw)(struct rng_stream *), (*cdf)(double);
    } laws[] = {{draw_exponential, cdf_exponential},
                {rng_normal, cdf_normal},
                {draw_gamma_half, cdf_gamma_half},
                {draw_gamma_3, cdf_gamma_3}};
    enum { N = 1000000 };
    double *x = malloc(N * sizeof *x);
    for (size_t law = 0; law < sizeof laws / sizeof laws[0]; law++) {
        struct rng_stream s = stream(100 + law);
        for (int i = 0; i < N; i++) {
            x[i] = laws[law].draw(&s);
        }
        assert_true(kolmogorov(x, N, laws[law].cdf) < 1.95);
    }
    free(x);
}

/* The parts of the ziggurat that few draws reach: the tail beyond r, and its own tail. */
static void test_exponential_tail(void **state)
{
    (void)state;
    struct rng_stream s = stream(9);
    enum { N = 20000000 };
    int beyond[3] = {0};
    static const double at[3] = {5.0, 7.69711747013104972, 10.0};
    double mean = 0.0, square = 0.0;
    for (int i = 0; i < N; i++) {
        double x = rng_exponential(&s);
        mean += x;
        square += x * x;
        for (int k = 0; k < 3; k++) {
            beyond[k] += x > at[k];
        }
    }
    for (int k = 0; k < 3; k++) {
        double expected = N * exp(-at[k]);
        assert_true(fabs(beyond[k] - expected) < 3.5 * sqrt(expected));
    }
    assert_true(fabs(mean / N - 1.0) < 3.5 / sqrt(N));
    assert_true(fabs(square / N - 2.0) < 3.5 * sqrt(20.0 / N));
}

static double ulp(double x)
{
    x = fabs(x);
    return nextafter(x, INFINITY) - x;
}

static void test_exact_log(void **state)
{
    (void)state;
    struct rng_stream s = stream(3);
    double worst = 0.0;
    for (int i = 0; i < 1000000; i++) {
        double u = rng_unit(&s), x = i % 3 == 0   ? u
                                     : i % 3 == 1 ? 0.5 + u
                                                  : ldexp(1 + u, i % 2000 - 1000);
        long double exact = logl((long double)x);
        worst = fmax(worst, (double)(fabsl(exact_log(x) - exact) / ulp((double)exact)));
    }
    assert_true(worst < 0.9);
    assert_true(exact_log(1.0) == 0.0);
    assert_true(exact_log(0.0) == -INFINITY && exact_log(INFINITY) == INFINITY);
    assert_true(isnan(exact_log(-1.0)) && isnan(exact_log(NAN)));
    assert_true(fabs(exact_log(0x1p-1074) / (-1074 * log(2.0)) - 1.0) < 1e-15);
}

static void test_exact_exp(void **state)
{
    (void)state;
    struct rng_stream s = stream(4);
    double worst = 0.0;
    for (int i = 0; i < 1000000; i++) {
        double u = 2.0 * rng_unit(&s) - 1.0, x = i % 3 == 0 ? u : i % 3 == 1 ? 20.0 * u : 708.0 * u;
        long double exact = expl((long double)x);
        worst = fmax(worst, (double)(fabsl(exact_exp(x) - exact) / ulp((double)exact)));
    }
    assert_true(worst < 0.9);
    assert_true(exact_exp(0.0) == 1.0 && exact_exp(-0.0) == 1.0);
    assert_true(exact_exp(-INFINITY) == 0.0 && exact_exp(INFINITY) == INFINITY);
    assert_true(exact_exp(709.7) > 1.6e308 && exact_exp(709.8) == INFINITY);
    assert_true(exact_exp(-745.0) == 0x1p-1074 && exact_exp(-746.0) == 0.0);
    assert_true(isnan(exact_exp(NAN)));
}

static void test_exact_log_gamma(void **state)
{
    (void)state;
    struct rng_stream s = stream(5);
    double worst = 0.0;
    for (int i = 0; i < 1000000; i++) {
        double x = i % 2 ? 20.0 * rng_unit(&s) : 1.0 + rng_unit(&s);
        double exact = (double)lgammal((long double)x);
        worst = fmax(worst, fabs(exact_log_gamma(x) - exact) / fmax(1.0, fabs(exact)));
    }
    assert_true(worst < 1e-14);
}

static void test_gsl_stream(void **state)
{
    (void)state;
    struct rng_stream s = stream(6), same = stream(6);
    gsl_rng r = gsl_stream(&s);
    assert_int_equal(gsl_rng_size(&r), sizeof s);
    for (int i = 0; i < 1000; i++) {
        assert_true(gsl_rng_get(&r) == rng_bits(&same) >> 32);
        double u = gsl_rng_uniform(&r);
        assert_true(u == (double)(rng_bits(&same) >> 11) * 0x1p-53 && u < 1.0);
    }
    gsl_rng_set(&r, 99);
    struct rng_stream set;
    struct rng_key key = same.key;
    key.seed = 99;
    rng_init(&set, &key);
    assert_memory_equal(&s.key, &set.key, sizeof set.key);
    assert_true(gsl_rng_get(&r) == rng_bits(&set) >> 32);
    double sum = 0.0;
    for (int i = 0; i < 100000; i++) {
        sum += gsl_ran_gamma(&r, 4.0, 0.25);
    }
    assert_true(fabs(sum / 1e5 - 1.0) < 3.5 * 0.5 / sqrt(1e5));
}

/* Streams that differ in one word of the key have nothing to do with one another. */
static void test_independence(void **state)
{
    (void)state;
    struct rng_key keys[5] = {{1, 2, 3, 4}, {2, 2, 3, 4}, {1, 3, 3, 4}, {1, 2, 4, 4}, {1, 2, 3, 5}};
    enum { N = 100000 };
    for (int k = 1; k < 5; k++) {
        struct rng_stream a, b;
        rng_init(&a, &keys[0]);
        rng_init(&b, &keys[k]);
        int64_t same = 0;
        for (int i = 0; i < N; i++) {
            same += __builtin_popcountll(rng_bits(&a) ^ rng_bits(&b));
        }
        assert_true(fabs((double)same - 32.0 * N) < 3.5 * 4.0 * sqrt(N));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers),
                                       cmocka_unit_test(test_layout),
                                       cmocka_unit_test(test_fixed_vectors),
                                       cmocka_unit_test(test_unit_is_open),
                                       cmocka_unit_test(test_below),
                                       cmocka_unit_test(test_below_rejects),
                                       cmocka_unit_test(test_ziggurat),
                                       cmocka_unit_test(test_laws),
                                       cmocka_unit_test(test_exponential_tail),
                                       cmocka_unit_test(test_exact_log),
                                       cmocka_unit_test(test_exact_exp),
                                       cmocka_unit_test(test_exact_log_gamma),
                                       cmocka_unit_test(test_gsl_stream),
                                       cmocka_unit_test(test_independence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
