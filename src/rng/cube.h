/* SPDX-License-Identifier: Apache-2.0
 *
 * Points in the open unit cube, for designs of experiments. Every method gives the same points on
 * every machine, and none depends on the number of dimensions: one more leaves the others as they
 * were.
 *
 *   random       independent and uniform; a prefix is a smaller design
 *   latin        Latin hypercube (McKay, Beckman and Conover 1979): in every dimension exactly one
 *                point in each of n equal strata, in an order of its own, uniform within the
 *                stratum (to a millionth of it); a prefix is none
 *   sobol        Sobol's sequence with the direction numbers of Bratley and Fox (1988); a prefix is
 *                a smaller design, the best ones have 2^k points
 *   niederreiter likewise, Niederreiter's sequence in base 2 (Bratley, Fox and Niederreiter 1992)
 *
 * The last two are GSL's, with the origin as first point, which GSL leaves out of Sobol's: without
 * it no prefix is a net (Owen 2020, "On dropping the first Sobol' point"). They are shifted by
 * chance: all points of a dimension are xored, digit by digit, with the same random number. Unlike
 * a shift modulo 1 (Cranley and Patterson 1976) this keeps them a net, every point by itself is
 * uniform, so that means over the design are unbiased, and designs of several seeds tell how far
 * off a mean is. No point lies on a corner. Seed 0 shifts nothing, for comparisons with what is
 * published; then the coordinates are 2^-53 above the sequence's, as 0 is no part of the cube.
 */
#ifndef SQUALL_RNG_CUBE_H
#define SQUALL_RNG_CUBE_H

#include <stdint.h>

enum cube_method { CUBE_RANDOM, CUBE_LATIN, CUBE_SOBOL, CUBE_NIEDERREITER };

/* The most points of a design. */
#define CUBE_POINTS_MOST (UINT64_C(1) << 30)

/* The most dimensions that a method has points for. */
uint32_t cube_dims_most(enum cube_method m);

/* Writes coordinate j of point i to u[i * dims + j]; 0 < u < 1. `n` is CUBE_POINTS_MOST at most,
 * `dims` at least 1. */
void cube_fill(enum cube_method m, uint64_t n, uint32_t dims, uint64_t seed, double *u);

#endif
