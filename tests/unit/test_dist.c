/* SPDX-License-Identifier: Apache-2.0
 *
 * Laws of durations against their closed forms. Laws are made as the binder makes them: rows set
 * to their defaults, members set, derived. Seeds are fixed; the 3.5 sigma bounds and the critical
 * value of Kolmogorov and Smirnov (chance 1e-3) say how surprising another outcome would have been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rng/dist.h"
#include "rng/dist_table.h"

enum { N = 200000 };
static const double S = SIM_TIME_S;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
/* Every allocation of the program is counted, so that draws can be seen to make none. */
#define COUNTS_ALLOCATIONS 1
static size_t allocations;
extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_calloc(size_t n, size_t size);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}
void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}
#endif

static struct arena arena;

/* A law with the optional members as their rows' defaults have them. */
static struct dist blank(enum dist_kind kind)
{
    struct dist d = {.kind = kind, .maximum = SIM_TIME_NEVER, .exponent = 1.0, .cv = 2.0};
    for (int i = 0; i < DIST_PERCENTILE_ROWS; i++) {
        d.percentile[i] = SIM_TIME_NEVER;
    }
    return d;
}

/* Derives and returns the number of errors. */
static size_t derive(struct dist *d)
{
    struct diag diag = {0};
    dist_duration.derive(d, NULL, &diag, &arena);
    size_t errors = diag.errors;
    diag_close(&diag);
    return errors;
}

static struct dist derived(struct dist d)
{
    assert_int_equal(derive(&d), 0);
    return d;
}

static int ascending(const void *a, const void *b)
{
    sim_time x = *(const sim_time *)a, y = *(const sim_time *)b;
    return (x > y) - (x < y);
}

static sim_time draws[N]; /* of the last call of draw_all, sorted */

static void draw_all(const struct dist *d, uint64_t purpose)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){1, 2, 3, purpose});
    double sum = 0.0, square = 0.0, mean = dist_mean(d);
    for (int i = 0; i < N; i++) {
        draws[i] = dist_draw(d, &s);
        double off = (double)draws[i] - mean;
        assert_true(draws[i] >= dist_floor(d) && draws[i] < SIM_TIME_NEVER);
        sum += off;
        square += off * off;
    }
    if (isfinite(mean)) {
        assert_true(fabs(sum) <= 3.5 * sqrt(square) + 1e-12 * mean);
    }
    qsort(draws, N, sizeof draws[0], ascending);
}

/* The share of draws up to a value, against its chance. */
static void check_share(double value, double chance)
{
    int below = 0;
    while (below < N && (double)draws[below] <= value) {
        below++;
    }
    assert_true(fabs(below - N * chance) <= 3.5 * sqrt(N * chance * (1.0 - chance)));
}

/* cdf(x, a, b), x in seconds, against all draws less `floor`. */
static void check_cdf(double (*cdf)(double x, double a, double b), double a, double b, double floor)
{
    double most = 0.0;
    for (int i = 0; i < N; i++) {
        double f = cdf(((double)draws[i] - floor) / S, a, b);
        most = fmax(most, fmax((i + 1.0) / N - f, f - (double)i / N));
    }
    assert_true(most * sqrt(N) < 1.95);
    for (int k = 0; k < 3; k++) {
        double share = (double[]){0.5, 0.99, 0.999}[k];
        double f = cdf(((double)draws[(int)(share * N)] - floor) / S, a, b);
        assert_true(fabs(f - share) < 3.5 * sqrt(share * (1 - share) / N));
    }
}

static double cdf_exponential(double x, double mean, double unused)
{
    (void)unused;
    return gsl_cdf_exponential_P(x, mean);
}
static double cdf_normal_truncated(double x, double mean, double deviation)
{
    double zero = gsl_cdf_gaussian_P(-mean, deviation);
    return (gsl_cdf_gaussian_P(x - mean, deviation) - zero) / (1.0 - zero);
}
static double cdf_bounded_pareto(double x, double low, double high)
{
    return (1.0 - pow(low / x, 1.5)) / (1.0 - pow(low / high, 1.5));
}
static double cdf_hyper(double x, double mean, double p)
{
    return p * -expm1(-x * 2 * p / mean) + (1 - p) * -expm1(-x * 2 * (1 - p) / mean);
}

static void test_none_and_constant(void **state)
{
    (void)state;
    struct rng_stream s = {.drawn = 0};
    struct dist none = derived(blank(DIST_NONE)), c = blank(DIST_CONSTANT);
    assert_true(dist_draw(&none, &s) == SIM_TIME_NEVER && dist_floor(&none) == SIM_TIME_NEVER);
    assert_true(dist_is_constant(&none) && isnan(dist_mean(&none)));
    c.value = 20 * SIM_TIME_MS;
    c.floor = SIM_TIME_MS;
    c = derived(c);
    assert_true(dist_draw(&c, &s) == 21 * SIM_TIME_MS && dist_floor(&c) == 21 * SIM_TIME_MS);
    assert_true(dist_is_constant(&c) && dist_mean(&c) == 21e6);
    c = dist_constant(5);
    assert_true(dist_draw(&c, &s) == 5 && dist_draw_slow(&c, &s) == 5 && dist_mean(&c) == 5.0);
    assert_true(s.drawn == 0);
}

static void test_exponential(void **state)
{
    (void)state;
    struct dist d = dist_exponential(2 * SIM_TIME_S), written = blank(DIST_EXPONENTIAL);
    draw_all(&d, 1);
    check_cdf(cdf_exponential, 2.0, 0.0, 0.0);
    sim_time median = draws[N / 2];
    written.mean = 2 * SIM_TIME_S;
    written.floor = SIM_TIME_S;
    written = derived(written);
    assert_true(dist_mean(&written) == 3e9 && dist_floor(&written) == SIM_TIME_S);
    draw_all(&written, 1);
    assert_true(draws[N / 2] == median + SIM_TIME_S);
    assert_false(dist_is_constant(&d));
}

static void test_uniform(void **state)
{
    (void)state;
    struct dist d = blank(DIST_UNIFORM);
    d.low = 3;
    d.high = 7;
    d = derived(d);
    draw_all(&d, 2);
    for (int k = 3; k <= 7; k++) {
        check_share(k, (k - 2) / 5.0);
    }
    d.low = SIM_TIME_S;
    d.high = 4 * SIM_TIME_S;
    d.floor = SIM_TIME_S;
    d = derived(d);
    assert_true(dist_mean(&d) == 3.5e9 && dist_floor(&d) == 2 * SIM_TIME_S);
    draw_all(&d, 3);
    check_cdf(gsl_cdf_flat_P, 1.0, 4.0, S);
    d.low = d.high;
    assert_true(dist_is_constant(&d));
    d.low++;
    assert_int_equal(derive(&d), 1);
}

static void test_normal(void **state)
{
    (void)state;
    struct dist d = blank(DIST_NORMAL);
    d.mean = d.deviation = SIM_TIME_S;
    d = derived(d);
    assert_true(fabs(dist_mean(&d) / S - (1 + 0.24197072451914337 / 0.8413447460685429)) < 1e-14);
    draw_all(&d, 4);
    check_cdf(cdf_normal_truncated, 1.0, 1.0, 0.0);
    d.mean = 0;
    d = derived(d);
    draw_all(&d, 5);
    check_cdf(cdf_normal_truncated, 0.0, 1.0, 0.0);
    d.mean = 7;
    d.deviation = 0;
    d = derived(d);
    draw_all(&d, 6);
    assert_true(draws[0] == 7 && draws[N - 1] == 7 && dist_mean(&d) == 7.0);
}

static void test_lognormal(void **state)
{
    (void)state;
    struct dist d = blank(DIST_LOGNORMAL);
    d.mean = 8 * SIM_TIME_S;
    d.cv = 1.2;
    d = derived(d);
    double sigma = sqrt(log(1 + 1.44));
    draw_all(&d, 7);
    check_cdf(gsl_cdf_lognormal_P, log(8.0) - 0.5 * sigma * sigma, sigma, 0.0);
}

static void test_gamma_and_erlang(void **state)
{
    (void)state;
    /* Much above 1.5 the rounding to whole nanoseconds shows beside 0. */
    for (int k = 0; k < 3; k++) {
        double cv = (double[]){0.4, 1.0, 1.5}[k], shape = 1.0 / (cv * cv);
        struct dist d = blank(DIST_GAMMA);
        d.mean = 3 * SIM_TIME_S;
        d.cv = cv;
        d = derived(d);
        draw_all(&d, 8);
        check_cdf(gsl_cdf_gamma_P, shape, 3.0 / shape, 0.0);
    }
    struct dist d = blank(DIST_ERLANG);
    d.mean = 3 * SIM_TIME_S;
    d.phases = 4;
    d = derived(d);
    draw_all(&d, 9);
    check_cdf(gsl_cdf_gamma_P, 4.0, 0.75, 0.0);
}

static void test_weibull(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        double shape = k ? 0.6 : 2.0;
        struct dist d = blank(DIST_WEIBULL);
        d.mean = SIM_TIME_S;
        d.shape = shape;
        d = derived(d);
        draw_all(&d, 10);
        check_cdf(gsl_cdf_weibull_P, 1.0 / gsl_sf_gamma(1 + 1 / shape), shape, 0.0);
    }
}

static void test_pareto(void **state)
{
    (void)state;
    struct dist d = blank(DIST_PARETO);
    d.minimum = SIM_TIME_S;
    d.shape = 5.0;
    d = derived(d);
    assert_true(dist_mean(&d) == 1.25e9 && dist_floor(&d) == SIM_TIME_S);
    draw_all(&d, 11);
    check_cdf(gsl_cdf_pareto_P, 5.0, 1.0, 0.0);
    d.shape = 1.0;
    d = derived(d);
    assert_true(isinf(dist_mean(&d)));
    d.maximum = 100 * SIM_TIME_S;
    d = derived(d);
    assert_true(fabs(dist_mean(&d) / S - log(100.0) / 0.99) < 1e-12);
    d.shape = 1.5;
    d = derived(d);
    assert_true(fabs(dist_mean(&d) / S - 3.0 * 0.9 / 0.999) < 1e-12);
    draw_all(&d, 12);
    check_cdf(cdf_bounded_pareto, 1.0, 100.0, 0.0);
    assert_true(draws[N - 1] <= d.maximum);
    d.maximum = d.minimum;
    assert_int_equal(derive(&d), 1);
}

/* A tail heavier than time itself ends below "never". */
static void test_longest(void **state)
{
    (void)state;
    struct dist d = blank(DIST_PARETO);
    d.minimum = SIM_TIME_S;
    d.shape = 0.01;
    d.floor = 5;
    d = derived(d);
    draw_all(&d, 13);
    assert_true(draws[N - 1] == SIM_TIME_NEVER - 1);
}

static void test_hyperexponential(void **state)
{
    (void)state;
    struct dist d = blank(DIST_HYPEREXPONENTIAL);
    d.mean = SIM_TIME_S;
    d = derived(d); /* cv 2: p = .887298334621 */
    assert_true(fabs(dist_mean(&d) - S) < 1e-3);
    draw_all(&d, 14);
    check_cdf(cdf_hyper, 1.0, 0.887298334621, 0.0);

    struct dist_branch branches[] = {{3, SIM_TIME_S}, {1, 9 * SIM_TIME_S}};
    d.branches.items = branches;
    d.branches.count = 2;
    assert_int_equal(derive(&d), 1); /* both ways at once */
    d.mean = SIM_TIME_NEVER;
    d = derived(d);
    assert_true(dist_mean(&d) == 3e9);
    draw_all(&d, 15);
    check_share(S, 0.75 * -expm1(-1) + 0.25 * -expm1(-1 / 9.0));
    branches[0].weight = branches[1].weight = 0;
    assert_int_equal(derive(&d), 1);
    d.branches.count = 0;
    assert_int_equal(derive(&d), 1); /* neither way */
}

static void test_zipf(void **state)
{
    (void)state;
    struct dist d = blank(DIST_ZIPF);
    d.unit = SIM_TIME_MS;
    d.ranks = 4;
    d = derived(d);
    assert_true(fabs(dist_mean(&d) - 4e6 * 12 / 25) < 1e-6);
    assert_true(dist_floor(&d) == SIM_TIME_MS);
    draw_all(&d, 16);
    for (int k = 1; k < 4; k++) {
        check_share(k * 1e6, (double[]){0.48, 0.72, 0.88}[k - 1]);
    }
    assert_true(draws[N - 1] == 4 * SIM_TIME_MS);
}

static void test_percentiles(void **state)
{
    (void)state;
    struct dist d = blank(DIST_PERCENTILES);
    d.minimum = SIM_TIME_MS;
    d.percentile[4] = 10 * SIM_TIME_MS; /* p50 */
    d.percentile[6] = 20 * SIM_TIME_MS; /* p90 */
    d.percentile[11] = 100 * SIM_TIME_MS;
    d = derived(d);
    assert_true(fabs(dist_mean(&d) - (0.5 * 5.5e6 + 0.4 * 15e6 + 0.1 * 60e6)) < 1e-3);
    assert_true(dist_floor(&d) == SIM_TIME_MS);
    draw_all(&d, 17);
    check_share(5.5e6, 0.25);
    check_share(10e6, 0.5);
    check_share(15e6, 0.7);
    check_share(20e6, 0.9);
    check_share(60e6, 0.95);
    assert_true(draws[N - 1] <= 100 * SIM_TIME_MS && draws[N - 1] > 99 * SIM_TIME_MS);
    d.percentile[8] = 15 * SIM_TIME_MS; /* p99 below p90 */
    assert_int_equal(derive(&d), 1);
}

static void test_mixture(void **state)
{
    (void)state;
    struct dist_part parts[] = {{9, dist_exponential(SIM_TIME_MS)}, {1, dist_constant(SIM_TIME_S)}};
    struct dist d = blank(DIST_MIXTURE);
    d.parts.items = parts;
    d.parts.count = 2;
    d.floor = SIM_TIME_US;
    d = derived(d);
    assert_true(fabs(dist_mean(&d) - (0.9e6 + 0.1e9 + 1e3)) < 1e-3);
    assert_true(dist_floor(&d) == SIM_TIME_US);
    draw_all(&d, 18);
    check_share(1e6 + 1e3, 0.9 * -expm1(-1));
    check_share(0.5e9, 0.9);
    assert_true(draws[N - 1] == SIM_TIME_S + SIM_TIME_US);
    parts[0].weight = 0;
    d = derived(d);
    assert_true(dist_floor(&d) == SIM_TIME_S + SIM_TIME_US);
}

/* Writes `text` to a new file and derives the empirical law of it; what was said goes to `said`. */
static size_t derive_file(struct dist *d, const char *text, char *said, size_t size)
{
    static char name[] = "/tmp/test_dist_XXXXXX";
    strcpy(strrchr(name, '_'), "_XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    *d = blank(DIST_EMPIRICAL);
    d->file = name;
    struct diag diag = {0};
    dist_duration.derive(d, NULL, &diag, &arena);
    size_t errors = diag.errors;
    memset(said, 0, size);
    FILE *out = fmemopen(said, size, "w");
    diag_print(&diag, out, 0);
    fclose(out);
    diag_close(&diag);
    unlink(name);
    return errors;
}

static void test_empirical(void **state)
{
    (void)state;
    char said[2000];
    struct dist d;
    assert_int_equal(
        derive_file(&d, "# measured\n10ms\n\n 20 ms \n0.5\n250us\n", said, sizeof said), 0);
    assert_true(fabs(dist_mean(&d) - (10e6 + 20e6 + 500e6 + 250e3) / 4) < 1e-3);
    assert_true(dist_floor(&d) == 250 * SIM_TIME_US);
    draw_all(&d, 19);
    check_share(250e3, 0.25);
    check_share(10e6, 0.5);
    check_share(20e6, 0.75);
    assert_int_equal(derive_file(&d, "1ms,6\r\n2ms , 3\r\n1m,1\r\n7ns,0", said, sizeof said), 0);
    assert_true(dist_floor(&d) == SIM_TIME_MS);
    draw_all(&d, 20);
    check_share(1e6, 0.6);
    check_share(2e6, 0.9);
    assert_true(draws[N - 1] == 60 * SIM_TIME_S);
    /* The names of the columns may stand above them. */
    assert_int_equal(derive_file(&d, "duration,weight\n1ms,6\n2ms\n", said, sizeof said), 0);
    assert_int_equal(derive_file(&d, "# ours\nduration\n1ms\n2ms\n", said, sizeof said), 0);
    assert_int_equal(d.values.count, 2);
    /* Whatever a configuration may say of durations and numbers. */
    assert_int_equal(derive_file(&d, "1_500us, 5%\n0.5d,1e-2", said, sizeof said), 0);
    assert_true(fabs(dist_mean(&d) - (1.5e6 * 5 + 43200e9) / 6) < 1);
}

static void test_empirical_errors(void **state)
{
    (void)state;
    char said[2000];
    struct dist d;
    assert_int_equal(
        derive_file(&d, "1ms\nfast\n2ms;3\n-4ms\n5ms,\n6ms,1,2\n999h\n9999h\n7 lightyears\n", said,
                    sizeof said),
        7);
    static const char *const places[] = {":2:", ":3:", ":4:", ":5:", ":6:", ":8:", ":9:"};
    for (int i = 0; i < 7; i++) {
        assert_non_null(strstr(said, places[i]));
    }
    assert_null(strstr(said, ":7:"));
    assert_non_null(strstr(said, "/tmp/test_dist_"));
    static const char *const faults[] = {"'2ms;3' is not a duration (expected for instance",
                                         ":4:1: the duration is below 0",
                                         ":6:1: expected 1 to 2 cells, found 3"};
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(said, faults[i]));
    }
    assert_int_equal(derive_file(&d, "1ms,-1\n  2ms,two\n", said, sizeof said), 2);
    assert_non_null(strstr(said, ":1:1: the weight is below 0"));
    assert_non_null(strstr(said, ":2:1: 'two' is not a number"));
    assert_int_equal(derive_file(&d, "", said, sizeof said), 1);
    assert_int_equal(derive_file(&d, "1ms,0\n", said, sizeof said), 1);
    assert_non_null(strstr(said, "holds no duration with a weight above 0"));
    assert_int_equal(derive_file(&d, "1ms,2e12\n", said, sizeof said), 1);
    enum { LINE = 4, TOO_MANY = DIST_MOST_VALUES + 1 };
    char *many = malloc(LINE * TOO_MANY + 1);
    for (int i = 0; i < TOO_MANY; i++) {
        memcpy(many + LINE * i, "1ms\n", LINE + 1);
    }
    assert_int_equal(derive_file(&d, many, said, sizeof said), 1);
    assert_non_null(strstr(said, ":100001:1: more than 100000 durations"));
    many[LINE * DIST_MOST_VALUES] = '\0';
    assert_int_equal(derive_file(&d, many, said, sizeof said), 0);
    assert_int_equal(d.values.count, DIST_MOST_VALUES);
    free(many);
    d = blank(DIST_EMPIRICAL);
    d.file = "no/such/file";
    assert_int_equal(derive(&d), 1);
}

/* The alias method gives each of many its chance. */
static void test_many_weights(void **state)
{
    (void)state;
    struct dist d = blank(DIST_ZIPF);
    d.unit = 1;
    d.ranks = 1000;
    d.exponent = 0.7;
    d = derived(d);
    draw_all(&d, 21);
    double sum = 0.0, chi = 0.0;
    for (int k = 1; k <= 1000; k++) {
        sum += pow(k, -0.7);
    }
    for (int k = 1, i = 0; k <= 1000; k++) {
        double expected = N * pow(k, -0.7) / sum, got = 0;
        for (; i < N && draws[i] == k; i++) {
            got++;
        }
        chi += (got - expected) * (got - expected) / expected;
    }
    assert_true(fabs(chi - 999) < 3.5 * sqrt(2 * 999));
}

static void test_draws_do_not_allocate(void **state)
{
    (void)state;
#ifdef COUNTS_ALLOCATIONS
    struct dist_part parts[] = {{1, dist_exponential(5)}};
    struct rng_stream s = {.drawn = 0};
    for (int kind = DIST_NONE; kind <= DIST_MIXTURE; kind++) {
        if (kind == DIST_EMPIRICAL) {
            continue; /* drawn as zipf is */
        }
        struct dist d = blank((enum dist_kind)kind);
        d.mean = d.deviation = d.high = d.minimum = d.unit = d.percentile[11] = SIM_TIME_MS;
        d.shape = d.cv = 2.0;
        d.ranks = d.phases = 3;
        d.parts.items = parts;
        d.parts.count = 1;
        d = derived(d);
        size_t before = allocations;
        for (int i = 0; i < 1000; i++) {
            dist_draw(&d, &s);
        }
        assert_int_equal(allocations, before);
    }
    assert_true(allocations > 0);
#else
    skip();
#endif
}

/* The rows are complete and each names a member of its own. */
static void test_rows(void **state)
{
    (void)state;
    int kinds = 0;
    for (const struct alternative *a = dist_duration.alternatives; a->name; a++, kinds++) {
        assert_int_equal(a->tag, kinds);
        for (const struct param_spec *row = a->rows; row && row->name; row++) {
            assert_true(row->doc && row->offset < sizeof(struct dist));
            for (const struct param_spec *other = a->rows; other != row; other++) {
                assert_true(row->offset != other->offset && strcmp(row->name, other->name) != 0);
            }
        }
    }
    assert_int_equal(kinds, DIST_MIXTURE + 1);
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_and_constant),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_lognormal),
        cmocka_unit_test(test_gamma_and_erlang),
        cmocka_unit_test(test_weibull),
        cmocka_unit_test(test_pareto),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_hyperexponential),
        cmocka_unit_test(test_zipf),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_empirical),
        cmocka_unit_test(test_empirical_errors),
        cmocka_unit_test(test_many_weights),
        cmocka_unit_test(test_draws_do_not_allocate),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, close_arena);
}
