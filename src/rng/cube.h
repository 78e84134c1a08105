/* SPDX-License-Identifier: Apache-2.0
 *
 * Points of the unit cube, by chance or evenly spread.
 */
#ifndef SQUALL_RNG_CUBE_H
#define SQUALL_RNG_CUBE_H

#include <stdint.h>

enum cube_method { CUBE_RANDOM, CUBE_LATIN, CUBE_SOBOL, CUBE_NIEDERREITER };

/* Fills `u`, n rows of `dims` numbers in (0, 1). */
void cube_fill(enum cube_method m, uint64_t n, uint32_t dims, uint64_t seed, double *u);

/* The most dimensions that the method has. */
uint32_t cube_dims_most(enum cube_method m);

#endif
