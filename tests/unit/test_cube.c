/* SPDX-License-Identifier: Apache-2.0
 *
 * Designs in the unit cube: sequences against what is published and against what defines them,
 * Latin hypercubes against theirs, and all of them as means to integrate. Seeds are fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "rng/cube.h"

enum { POINTS = 1024, DIMS = 6, METHODS = CUBE_NIEDERREITER + 1 };

static double u[POINTS * DIMS], v[POINTS * DIMS];

static void starts_as_published(enum cube_method m, const double (*known)[4])
{
    cube_fill(m, 8, 4, 0, u);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 4; j++) {
            assert_true(u[i * 4 + j] - 0x1p-53 == known[i][j]);
        }
    }
}

/* In the order of Antonov and Saleev, with the origin first. */
static void sequences_start_as_published(void **state)
{
    (void)state;
    starts_as_published(CUBE_SOBOL, (const double[8][4]){{0.0, 0.0, 0.0, 0.0},
                                                         {0.5, 0.5, 0.5, 0.5},
                                                         {0.75, 0.25, 0.75, 0.25},
                                                         {0.25, 0.75, 0.25, 0.75},
                                                         {0.375, 0.375, 0.625, 0.125},
                                                         {0.875, 0.875, 0.125, 0.625},
                                                         {0.625, 0.125, 0.375, 0.375},
                                                         {0.125, 0.625, 0.875, 0.875}});
    starts_as_published(CUBE_NIEDERREITER, (const double[8][4]){{0.0, 0.0, 0.0, 0.0},
                                                                {0.5, 0.5, 0.75, 0.875},
                                                                {0.75, 0.25, 0.3125, 0.140625},
                                                                {0.25, 0.75, 0.5625, 0.765625},
                                                                {0.375, 0.375, 0.875, 0.28125},
                                                                {0.875, 0.875, 0.125, 0.65625},
                                                                {0.625, 0.125, 0.6875, 0.421875},
                                                                {0.125, 0.625, 0.4375, 0.546875}});
    assert_int_equal(cube_dims_most(CUBE_SOBOL), 40);
    assert_int_equal(cube_dims_most(CUBE_NIEDERREITER), 12);
    assert_true(cube_dims_most(CUBE_RANDOM) == UINT32_MAX);
    assert_true(cube_dims_most(CUBE_LATIN) == UINT32_MAX);
}

static void all_points_lie_inside(void **state)
{
    (void)state;
    for (int m = 0; m < METHODS; m++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            cube_fill((enum cube_method)m, POINTS, DIMS, seed, u);
            for (int k = 0; k < POINTS * DIMS; k++) {
                assert_true(u[k] > 0.0 && u[k] < 1.0);
            }
        }
    }
    cube_fill(CUBE_SOBOL, 0, 3, 1, NULL);
}

/* --- nets -------------------------------------------------------------------------------- */

/* Whether each box with 2^-digits[j] for a side has as many of the first 2^log2n points. */
static bool boxes_are_equal(uint32_t dims, int log2n, const int *digits, int all)
{
    int count[1 << 8] = {0};
    for (int i = 0; i < 1 << log2n; i++) {
        int box = 0;
        for (uint32_t j = 0; j < dims; j++) {
            box = box << digits[j] | (int)(u[(uint32_t)i * dims + j] * (1 << digits[j]));
        }
        count[box]++;
    }
    for (int box = 0; box < 1 << all; box++) {
        if (count[box] != 1 << (log2n - all)) {
            return false;
        }
    }
    return true;
}

/* Tries all ways of giving `left` of the digits to the dimensions from `j` on; the number of those
 * that fail. */
static int unequal(uint32_t dims, int log2n, int *digits, int all, uint32_t j, int left)
{
    if (j == dims - 1) {
        digits[j] = left;
        return !boxes_are_equal(dims, log2n, digits, all);
    }
    int bad = 0;
    for (digits[j] = 0; digits[j] <= left; digits[j]++) {
        bad += unequal(dims, log2n, digits, all, j + 1, left - digits[j]);
    }
    return bad;
}

/* A (t, k, s)-net in base 2: each elementary box of volume 2^(t-k) has 2^t of 2^k points. For both
 * sequences t is the sum of the degrees of their polynomials, each less 1; in four dimensions these
 * are x (Sobol's first has none, and is the same), x + 1, x^2 + x + 1 and x^3 + x + 1. */
static void prefixes_are_nets_whatever_the_shift(void **state)
{
    (void)state;
    static const int quality[] = {0, 0, 0, 1, 3};
    for (uint32_t dims = 1; dims <= 4; dims++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            for (int log2n = 4; log2n <= 8; log2n++) {
                int digits[4], all = log2n - quality[dims];
                cube_fill(CUBE_NIEDERREITER, UINT64_C(1) << log2n, dims, seed, u);
                assert_int_equal(unequal(dims, log2n, digits, all, 0, all), 0);
                cube_fill(CUBE_SOBOL, UINT64_C(1) << log2n, dims, seed, u);
                assert_int_equal(unequal(dims, log2n, digits, all, 0, all), 0);
            }
        }
    }
    /* Random points are none. */
    int digits[4];
    cube_fill(CUBE_RANDOM, 256, 2, 1, u);
    assert_true(unequal(2, 8, digits, 8, 0, 8) == 9);
}

/* --- Latin hypercubes -------------------------------------------------------------------- */

static void latin_has_one_point_in_each_stratum(void **state)
{
    (void)state;
    for (int n = 1; n <= POINTS; n += n < 20 ? 1 : 167) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            cube_fill(CUBE_LATIN, (uint64_t)n, DIMS, seed, u);
            for (int j = 0; j < DIMS; j++) {
                bool seen[POINTS] = {false};
                for (int i = 0; i < n; i++) {
                    int stratum = (int)(u[i * DIMS + j] * n);
                    assert_true(stratum < n && !seen[stratum]);
                    seen[stratum] = true;
                }
            }
        }
    }
}

/* All 4! orders come, in pairs of dimensions all differences between them as often as each other;
 * and places within strata are uniform. */
static void latin_orders_are_independent(void **state)
{
    (void)state;
    enum { SEEDS = 20000 };
    int count[4][4] = {{0}}, same = 0;
    double sum = 0.0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        cube_fill(CUBE_LATIN, 4, 2, seed, u);
        for (int i = 0; i < 4; i++) {
            count[i][(int)(4.0 * u[2 * i])]++;
            same += (int)(4.0 * u[2 * i]) == (int)(4.0 * u[2 * i + 1]);
            sum += 4.0 * u[2 * i] - floor(4.0 * u[2 * i]);
        }
    }
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++) {
            assert_true(fabs(count[i][k] - SEEDS / 4.0) < 3.5 * sqrt(SEEDS * 3.0 / 16.0));
        }
    }
    /* The number of fixed points of a permutation has mean and variance 1. */
    assert_true(fabs(same - (double)SEEDS) < 3.5 * sqrt(SEEDS));
    assert_true(fabs(sum / (4.0 * SEEDS) - 0.5) < 3.5 * sqrt(1.0 / (48.0 * SEEDS)));
}

/* --- designs ----------------------------------------------------------------------------- */

static void designs_are_functions_of_the_seed(void **state)
{
    (void)state;
    for (int m = 0; m < METHODS; m++) {
        cube_fill((enum cube_method)m, POINTS, DIMS, 7, u);
        cube_fill((enum cube_method)m, POINTS, DIMS, 7, v);
        assert_memory_equal(u, v, sizeof u);
        cube_fill((enum cube_method)m, POINTS, DIMS, 8, v);
        for (int j = 0; j < DIMS; j++) {
            assert_true(u[j] != v[j]);
        }
    }
    /* They are part of what a study says, and must never change. */
    cube_fill(CUBE_RANDOM, 2, 2, 7, u);
    cube_fill(CUBE_LATIN, 4, 2, 7, u + 4);
    cube_fill(CUBE_SOBOL, 2, 2, 7, u + 12);
    cube_fill(CUBE_NIEDERREITER, 2, 2, 7, u + 16);
    static const double fixed[20] = {
        0x1.5dfdba1251645p-1, 0x1.cd3467b27a278p-4, 0x1.9739c92103ce1p-1, 0x1.b9da50d1edc3cp-3,
        0x1.01f18p-6,         0x1.6fee3p-3,         0x1.edb554p-1,        0x1.5b1ad8p-2,
        0x1.775618p-2,        0x1.7c6b14p-1,        0x1.054a64p-1,        0x1.d62c04p-1,
        0x1.ec17e6d303c9fp-1, 0x1.c5168f51a5fbcp-3, 0x1.d82fcda60793ep-2, 0x1.7145a3d4697efp-1,
        0x1.82a2440ace37ep-2, 0x1.0fe283150c22ap-2, 0x1.c1512205671bfp-1, 0x1.87f1418a86115p-1};
    for (int k = 0; k < 20; k++) {
        assert_true(u[k] == fixed[k]);
    }
}

/* The same points, or fewer of them; the same dimensions, or fewer of them. */
static void prefixes_are_smaller_designs(void **state)
{
    (void)state;
    for (int m = 0; m < METHODS; m++) {
        for (int few = 1; few < DIMS; few++) {
            cube_fill((enum cube_method)m, POINTS, DIMS, 3, u);
            cube_fill((enum cube_method)m, POINTS, (uint32_t)few, 3, v);
            for (int i = 0; i < POINTS; i++) {
                assert_memory_equal(u + i * DIMS, v + i * few, (size_t)few * sizeof *u);
            }
        }
        cube_fill((enum cube_method)m, 100, DIMS, 3, v);
        bool prefix = memcmp(u, v, sizeof(double[100 * DIMS])) == 0;
        assert_true(prefix == (m != CUBE_LATIN));
    }
}

/* Every point of a shifted sequence is uniform by itself. */
static void shifted_points_are_uniform(void **state)
{
    (void)state;
    enum { SEEDS = 10000 };
    for (int m = CUBE_SOBOL; m < METHODS; m++) {
        double sum[3][2] = {{0.0}}, square = 0.0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            cube_fill((enum cube_method)m, 3, 2, seed, u);
            for (int k = 0; k < 6; k++) {
                sum[k / 2][k % 2] += u[k] - 0.5;
            }
            square += (u[0] - 0.5) * (u[1] - 0.5);
        }
        for (int k = 0; k < 6; k++) {
            assert_true(fabs(sum[k / 2][k % 2]) < 3.5 * sqrt(SEEDS / 12.0));
        }
        assert_true(fabs(square) < 3.5 * sqrt(SEEDS) / 12.0);
    }
}

/* The root of the mean square error, over seeds, of the mean of a smooth function: a product of
 * factors of mean 1, most of whose variance is in single factors. */
static double error_of(enum cube_method m)
{
    enum { SEEDS = 100, FACTORS = 5 };
    double squares = 0.0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        cube_fill(m, POINTS, FACTORS, seed, u);
        double sum = 0.0;
        for (int i = 0; i < POINTS; i++) {
            double f = 1.0;
            for (int j = 0; j < FACTORS; j++) {
                f *= 0.5 + u[i * FACTORS + j];
            }
            sum += f;
        }
        squares += (sum / POINTS - 1.0) * (sum / POINTS - 1.0);
    }
    return sqrt(squares / SEEDS);
}

static void designs_integrate_better_than_chance(void **state)
{
    (void)state;
    double random = error_of(CUBE_RANDOM), theory = sqrt((pow(13.0 / 12.0, 5.0) - 1.0) / POINTS);
    assert_true(fabs(random / theory - 1.0) < 3.5 / sqrt(2.0 * 100));
    /* What is left to a Latin hypercube are the interactions. */
    double latin = sqrt((pow(13.0 / 12.0, 5.0) - 1.0 - 5.0 / 12.0) / POINTS);
    assert_true(fabs(error_of(CUBE_LATIN) / latin - 1.0) < 3.5 / sqrt(2.0 * 100));
    assert_true(error_of(CUBE_SOBOL) < random / 20.0);
    assert_true(error_of(CUBE_NIEDERREITER) < random / 20.0);
}

/* --- designs whose points belong together --------------------------------------------------- */

enum { AXES = 5, TRAJECTORIES = 100, STEPS = AXES + 1 };

/* Which coordinate differs between two points, by half of the levels; -1: none, or not so. */
static int moved(const double *from, const double *to, uint32_t levels)
{
    int which = -1;
    for (int j = 0; j < AXES; j++) {
        double grid = from[j] * (levels - 1);
        double by = fabs(to[j] - from[j]) * (levels - 1);
        if (from[j] < 0.0 || from[j] > 1.0 || fabs(grid - round(grid)) > 1e-9) {
            return -1;
        }
        if (from[j] != to[j]) {
            if (which >= 0 || fabs(by - levels / 2) > 1e-9) {
                return -1;
            }
            which = j;
        }
    }
    return which;
}

static void each_step_of_a_trajectory_moves_another_coordinate(void **state)
{
    (void)state;
    for (uint32_t levels = 2; levels <= 1000; levels += levels < 10 ? 2 : 198) {
        cube_trajectories(TRAJECTORIES, levels, AXES, levels, u);
        for (int t = 0; t < TRAJECTORIES; t++) {
            bool seen[AXES] = {false};
            for (int step = 0; step < AXES; step++) {
                const double *from = u + (t * STEPS + step) * AXES;
                int which = moved(from, from + AXES, levels);
                assert_true(which >= 0 && !seen[which]);
                seen[which] = true;
            }
        }
    }
}

/* Levels at which trajectories begin, and which of two coordinates moves first, all as often;
 * within 3.5 deviations. */
static void trajectories_begin_anywhere_in_any_order(void **state)
{
    (void)state;
    enum { SEEDS = 2000, N = 10 };
    int begun[4] = {0}, both[4][4] = {{0}}, first[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        cube_trajectories(N, 4, 3, seed, u);
        for (int t = 0; t < N; t++) {
            const double *at = u + t * 4 * 3;
            begun[(int)(3.0 * at[2] + 0.5)]++;
            both[(int)(3.0 * at[0] + 0.5)][(int)(3.0 * at[1] + 0.5)]++;
            for (int j = 0; j < 3; j++) {
                first[j] += at[3 + j] != at[j];
            }
        }
    }
    const double all = SEEDS * N;
    for (int i = 0; i < 4; i++) {
        assert_true(fabs(begun[i] - all / 4.0) < 3.5 * sqrt(all * 3.0 / 16.0));
        for (int k = 0; k < 4; k++) {
            assert_true(fabs(both[i][k] - all / 16.0) < 3.5 * sqrt(all * 15.0 / 256.0));
        }
    }
    for (int j = 0; j < 3; j++) {
        assert_true(fabs(first[j] - all / 3.0) < 3.5 * sqrt(all * 2.0 / 9.0));
    }
}

/* More trajectories come behind; with an axis less the others begin as they did and move in the
 * same order. */
static void trajectories_do_not_depend_on_what_is_added(void **state)
{
    (void)state;
    cube_trajectories(TRAJECTORIES, 6, AXES, 9, u);
    cube_trajectories(TRAJECTORIES / 2, 6, AXES, 9, v);
    assert_memory_equal(u, v, sizeof(double[TRAJECTORIES / 2 * STEPS * AXES]));
    cube_trajectories(TRAJECTORIES, 6, AXES - 1, 9, v);
    for (int t = 0; t < TRAJECTORIES; t++) {
        const double *whole = u + t * STEPS * AXES, *less = v + t * AXES * (AXES - 1);
        for (int step = 0; step < STEPS; step++, whole += AXES) {
            if (step > 0 && whole[AXES - 1] != whole[-1]) {
                continue; /* the step of the axis that is not there */
            }
            assert_memory_equal(whole, less, sizeof(double[AXES - 1]));
            less += AXES - 1;
        }
    }
}

/* A, B, and A with one coordinate after the other from B. */
static void assert_radial(const double *points, uint32_t dims, const double *a, const double *b)
{
    for (uint32_t i = 0; i < dims + 2; i++) {
        for (uint32_t j = 0; j < dims; j++) {
            bool of_b = i == 1 || i == 2 + j;
            assert_true(points[i * dims + j] == (of_b ? b : a)[j]);
        }
    }
}

static void radial_rows_are_of_two_matrices(void **state)
{
    (void)state;
    enum { ROWS = 64, HALF = 3 };
    for (uint64_t seed = 0; seed < 5; seed++) {
        cube_radial(ROWS, HALF, seed, u);
        cube_fill(CUBE_SOBOL, ROWS, 2 * HALF, seed, v);
        for (uint32_t i = 0; i < ROWS; i++) {
            const double *a = v + (size_t)i * 2 * HALF;
            assert_radial(u + (size_t)i * (HALF + 2) * HALF, HALF, a, a + HALF);
        }
        /* Points that are equal tell nothing: none where they are shifted. */
        int equal = 0;
        for (int i = 0; i < ROWS; i++) {
            equal += memcmp(v + i * 2 * HALF, v + i * 2 * HALF + HALF, sizeof(double[HALF])) == 0;
        }
        assert_int_equal(equal, seed == 0 ? 2 : 0);
    }
    cube_radial(ROWS / 2, HALF, 4, v);
    assert_memory_equal(u, v, sizeof(double[ROWS / 2 * (HALF + 2) * HALF]));
    cube_radial(1, cube_dims_most(CUBE_SOBOL) / 2, 1, u);
    /* The third row of the sequence as published, in four dimensions. */
    cube_radial(3, 2, 0, u);
    static const double third[8] = {0.75, 0.25, 0.75, 0.25, 0.75, 0.25, 0.75, 0.25};
    for (int k = 0; k < 8; k++) {
        assert_true(u[16 + k] - 0x1p-53 == third[k]);
    }
}

/* They are part of what a study says, and must never change. */
static void orders_of_points_are_fixed(void **state)
{
    (void)state;
    cube_trajectories(2, 4, 3, 7, u);
    cube_radial(1, 2, 7, v);
    static const int levels[24] = {2, 3, 0, 2, 3, 2, 2, 1, 2, 0, 1, 2,
                                   2, 2, 3, 2, 2, 1, 2, 0, 1, 0, 0, 1};
    static const double row[8] = {0x1.ec17e6d303c9fp-1, 0x1.c5168f51a5fbcp-3, 0x1.52b0470698dcdp-1,
                                  0x1.639bf8cf651afp-1, 0x1.52b0470698dcdp-1, 0x1.c5168f51a5fbcp-3,
                                  0x1.ec17e6d303c9fp-1, 0x1.639bf8cf651afp-1};
    for (int k = 0; k < 24; k++) {
        assert_int_equal((int)(3.0 * u[k] + 0.5), levels[k]);
    }
    for (int k = 0; k < 8; k++) {
        assert_true(v[k] == row[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_start_as_published),
        cmocka_unit_test(all_points_lie_inside),
        cmocka_unit_test(prefixes_are_nets_whatever_the_shift),
        cmocka_unit_test(latin_has_one_point_in_each_stratum),
        cmocka_unit_test(latin_orders_are_independent),
        cmocka_unit_test(designs_are_functions_of_the_seed),
        cmocka_unit_test(prefixes_are_smaller_designs),
        cmocka_unit_test(shifted_points_are_uniform),
        cmocka_unit_test(designs_integrate_better_than_chance),
        cmocka_unit_test(each_step_of_a_trajectory_moves_another_coordinate),
        cmocka_unit_test(trajectories_begin_anywhere_in_any_order),
        cmocka_unit_test(trajectories_do_not_depend_on_what_is_added),
        cmocka_unit_test(radial_rows_are_of_two_matrices),
        cmocka_unit_test(orders_of_points_are_fixed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
