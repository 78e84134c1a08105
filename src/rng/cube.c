/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/cube.h"

#include <gsl/gsl_qrng.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "rng/stream.h"

static struct rng_stream stream_of(uint64_t seed, const char *method, uint32_t dimension)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed, .who = hash_text(method), .purpose = dimension});
    return s;
}

static void fill_random(uint64_t n, uint32_t dims, uint64_t seed, double *u)
{
    for (uint32_t j = 0; j < dims; j++) {
        struct rng_stream s = stream_of(seed, "random", j);
        for (uint64_t i = 0; i < n; i++) {
            u[i * dims + j] = rng_unit(&s);
        }
    }
}

/* 20 bits of the place within a stratum and 30 of the stratum's number are exact in a double, so
 * that rounding takes no point across a border. */
static double within_stratum(double stratum, uint64_t n, uint64_t bits)
{
    return (stratum + ((double)(bits >> 44) + 0.5) * 0x1p-20) / (double)n;
}

static void fill_latin(uint64_t n, uint32_t dims, uint64_t seed, double *u)
{
    for (uint32_t j = 0; j < dims; j++) {
        struct rng_stream s = stream_of(seed, "latin", j);
        /* Durstenfeld's shuffle from the inside out; numbers of strata are exact in doubles. */
        for (uint64_t i = 0; i < n; i++) {
            uint64_t other = rng_below(&s, i + 1);
            u[i * dims + j] = u[other * dims + j];
            u[other * dims + j] = (double)i;
        }
        for (uint64_t i = 0; i < n; i++) {
            u[i * dims + j] = within_stratum(u[i * dims + j], n, rng_bits(&s));
        }
    }
}

/* Of a sequence whose coordinates have 32 binary digits at most, the points after the origin. */
static void fill_sequence(const gsl_qrng_type *type, bool begins_at_origin, uint64_t n,
                          uint32_t dims, double *u)
{
    gsl_qrng *q = gsl_qrng_alloc(type, dims);
    CHECK(q, "out of memory for a sequence of %u dimensions", dims);
    for (uint32_t j = 0; j < dims && n > 0; j++) {
        u[j] = 0.0;
    }
    if (begins_at_origin && n > 0) {
        gsl_qrng_get(q, u);
    }
    for (uint64_t i = 1; i < n; i++) {
        gsl_qrng_get(q, u + i * dims);
    }
    gsl_qrng_free(q);
}

static void shift(const char *method, uint64_t n, uint32_t dims, uint64_t seed, double *u)
{
    for (uint32_t j = 0; j < dims; j++) {
        struct rng_stream s = stream_of(seed, method, j);
        uint64_t by = seed == 0 ? 0 : rng_bits(&s);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t digits = (uint64_t)(u[i * dims + j] * 0x1p32) << 32;
            u[i * dims + j] = rng_to_unit(digits ^ by);
        }
    }
}

uint32_t cube_dims_most(enum cube_method m)
{
    switch (m) {
    case CUBE_SOBOL:
        return gsl_qrng_sobol->max_dimension;
    case CUBE_NIEDERREITER:
        return gsl_qrng_niederreiter_2->max_dimension;
    case CUBE_RANDOM:
    case CUBE_LATIN:
        break;
    }
    return UINT32_MAX;
}

void cube_fill(enum cube_method m, uint64_t n, uint32_t dims, uint64_t seed, double *u)
{
    CHECK(n <= CUBE_POINTS_MOST, "a design of %" PRIu64 " points", n);
    CHECK(dims > 0 && dims <= cube_dims_most(m), "a design of %u dimensions", dims);
    switch (m) {
    case CUBE_RANDOM:
        fill_random(n, dims, seed, u);
        break;
    case CUBE_LATIN:
        fill_latin(n, dims, seed, u);
        break;
    case CUBE_SOBOL:
        fill_sequence(gsl_qrng_sobol, false, n, dims, u);
        shift("sobol", n, dims, seed, u);
        break;
    case CUBE_NIEDERREITER:
        fill_sequence(gsl_qrng_niederreiter_2, true, n, dims, u);
        shift("niederreiter", n, dims, seed, u);
        break;
    }
}

/* The next trajectory: its first point, and at which step each coordinate moves. All draw from
 * streams of their own, so that one more leaves the levels and the order of the others. */
static void begin_trajectory(struct rng_stream *streams, uint32_t levels, uint32_t dims,
                             uint64_t *keys, uint32_t *order, double *first)
{
    for (uint32_t j = 0; j < dims; j++) {
        first[j] = (double)rng_below(&streams[j], levels) / (double)(levels - 1);
        keys[j] = rng_bits(&streams[j]);
        uint32_t place = j;
        for (; place > 0 && keys[order[place - 1]] > keys[j]; place--) {
            order[place] = order[place - 1];
        }
        order[place] = j;
    }
}

void cube_trajectories(uint64_t n, uint32_t levels, uint32_t dims, uint64_t seed, double *u)
{
    CHECK(levels >= 2 && levels % 2 == 0, "trajectories on %u levels", levels);
    CHECK(dims > 0, "trajectories without dimensions");
    struct rng_stream *streams = calloc(dims, sizeof *streams);
    uint64_t *keys = calloc(dims, sizeof *keys);
    uint32_t *order = calloc(dims, sizeof *order);
    CHECK(streams && keys && order, "out of memory for trajectories in %u dimensions", dims);
    for (uint32_t j = 0; j < dims; j++) {
        streams[j] = stream_of(seed, "morris", j);
    }
    for (uint64_t t = 0; t < n; t++) {
        double *at = u + t * (dims + 1) * dims;
        begin_trajectory(streams, levels, dims, keys, order, at);
        for (uint32_t step = 0; step < dims; step++, at += dims) {
            memcpy(at + dims, at, dims * sizeof *at);
            /* Levels are whole: half of them more or less, without an error that adds up. */
            uint32_t level = (uint32_t)(at[order[step]] * (double)(levels - 1) + 0.5);
            level = level < levels / 2 ? level + levels / 2 : level - levels / 2;
            at[dims + order[step]] = (double)level / (double)(levels - 1);
        }
    }
    free(order);
    free(keys);
    free(streams);
}

void cube_radial(uint64_t n, uint32_t dims, uint64_t seed, double *u)
{
    double *both = calloc(2 * n * dims + 1, sizeof *both);
    CHECK(both, "out of memory for %" PRIu64 " points", n);
    cube_fill(CUBE_SOBOL, n, 2 * dims, seed, both);
    for (uint64_t i = 0; i < n; i++) {
        const double *a = both + i * 2 * dims, *b = a + dims;
        double *at = u + i * (dims + 2) * dims;
        memcpy(at, a, dims * sizeof *a);
        memcpy(at + dims, b, dims * sizeof *b);
        for (uint32_t j = 0; j < dims; j++) {
            double *mixed = at + (2 + j) * dims;
            memcpy(mixed, a, dims * sizeof *a);
            mixed[j] = b[j];
        }
    }
    free(both);
}
