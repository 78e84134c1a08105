/* SPDX-License-Identifier: Apache-2.0 */
#include "rng/gsl_stream.h"

/* GSL's seed becomes the key's; who draws and what for stay. */
static void set(void *state, unsigned long seed)
{
    struct rng_stream *s = state;
    struct rng_key key = s->key;
    key.seed = seed;
    rng_init(s, &key);
}

static unsigned long get(void *state)
{
    return (unsigned long)(rng_bits(state) >> 32);
}

/* GSL wants [0, 1), zero included. */
static double get_double(void *state)
{
    return (double)(int64_t)(rng_bits(state) >> 11) * 0x1p-53;
}

const gsl_rng_type gsl_stream_type = {
    .name = "squall-threefry4x64-20",
    .max = 0xffffffff,
    .min = 0,
    .size = sizeof(struct rng_stream),
    .set = set,
    .get = get,
    .get_double = get_double,
};
