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
 *
 * And two designs whose points belong together, from which the share that each coordinate has in
 * the outcome can be told; a prefix of whole trajectories, or of whole rows, is a smaller design:
 *
 *   trajectories Morris 1991, "Factorial sampling plans for preliminary computational experiments":
 *                each begins anywhere on a grid of an even number of levels, and in each step one
 *                coordinate moves by half of the levels, up from the lower half and down from the
 *                upper one, in an order of chance. They are independent of each other, which those
 *                that are chosen for their spread (Campolongo, Cariboni and Saltelli 2007) are not:
 *                means and deviations over them have no bias, and intervals can be told.
 *   radial       Saltelli et al. 2010, "Variance based sensitivity analysis of model output": rows
 *                of two matrices A and B and, for each coordinate, the row of A with this one from
 *                B. A and B are the first and the second half of the coordinates of Sobol's
 *                sequence, shifted as above, so that one dimension more changes B. The shift is
 *                what keeps A and B apart in the first points, for which others skip some; without
 *                it, seed 0, they agree in two.
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

/* Trajectory t is the points from t * (dims + 1) on, one step after the other, written as above;
 * 0 <= u <= 1, multiples of 1 / (levels - 1). `levels` is even. */
void cube_trajectories(uint64_t n, uint32_t levels, uint32_t dims, uint64_t seed, double *u);

/* Row i is the points from i * (dims + 2) on, written as above: A, B, and A with each coordinate
 * in turn from B. `dims` is half of what cube_dims_most says of Sobol's sequence at most. */
void cube_radial(uint64_t n, uint32_t dims, uint64_t seed, double *u);

#endif
