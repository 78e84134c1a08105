/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/cube.h"

#include "rng/stream.h"

void cube_fill(enum cube_method m, uint64_t n, uint32_t dims, uint64_t seed, double *u)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed, .purpose = (uint64_t)m});
    for (uint64_t i = 0; i < n * dims; i++) {
        u[i] = rng_unit(&s);
    }
}

uint32_t cube_dims_most(enum cube_method m)
{
    return m == CUBE_SOBOL ? 40 : m == CUBE_NIEDERREITER ? 12 : UINT32_MAX;
}
