/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: which of many things a request is about, such as a row of a table or a user. A key is a
 * number from 0, by popularity: by Zipf's law key k has a chance proportional to (k + 1)^-exponent.
 *
 * Nothing is drawn for it. The key is a function of 64 uniform bits that belong to the request and
 * to the block in which the keys are described (sim_request_bits of engine/entity.h, for its `id`):
 * all attempts of a request have the same key, and whoever describes keys in the same words sees
 * the same key in the same request, however many hops away and on whatever rank. Other words, or
 * another `salt`, make keys that have nothing to do with each other. Antithetic replications see
 * opposite bits in the same request (engine/sim.h): of uniform keys k and count - 1 - k, by Zipf's
 * law others, not the least popular for the most popular.
 */
#ifndef SQUALL_POLICIES_KEYS_H
#define SQUALL_POLICIES_KEYS_H

#include <stdint.h>

#include "base/schema.h"
#include "rng/alias.h"

enum keys_law_kind { KEYS_UNIFORM, KEYS_ZIPF };

struct keys_law {
    int kind; /* enum keys_law_kind */
    double exponent;
};

struct keys {
    int64_t count;
    struct keys_law law;
    const char *salt;
    /* Derived. */
    uint64_t id;
    const struct alias_slot *slots; /* KEYS_ZIPF */
};

extern const struct schema keys_schema;

/* How popular a key is: proportional to its chance. */
double keys_weight(const struct keys *k, uint32_t key);

/* The key that these bits make. */
uint32_t keys_pick(const struct keys *k, uint64_t bits);

#endif
