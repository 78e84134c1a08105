/* SPDX-License-Identifier: Apache-2.0
 *
 * Mixing functions used wherever a number must be a function of who and what: stream keys, tie
 * order, digests, plan hashes. Their values are part of every result, so they never change.
 */
#ifndef SQUALL_BASE_HASH_H
#define SQUALL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Stafford's variant 13 of the 64-bit finaliser (also that of SplitMix64): a bijection. */
static inline uint64_t hash_mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Of an ordered pair. */
static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
    return hash_mix64(hash_mix64(a + UINT64_C(0x9e3779b97f4a7c15)) ^ b);
}

/* FNV-1a, 64 bit, finalised by hash_mix64; chain by passing the last value as `seed`. */
static inline uint64_t hash_bytes(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash_mix64(h);
}

static inline uint64_t hash_text(const char *text)
{
    size_t n = 0;
    while (text[n]) {
        n++;
    }
    return hash_bytes(0, text, n);
}

#endif
