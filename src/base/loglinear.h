/* SPDX-License-Identifier: Apache-2.0
 *
 * Log-linear buckets over non-negative integers, found by leading zeros and shifts. With k bits,
 * values below 2^k have a bucket each; above, every power of two is split into 2^k buckets, so a
 * bucket is never wider than 2^-k of its lower edge. The layout is that of HdrHistogram (Gil Tene)
 * with one fixed precision. Buckets are numbered from 0 without gaps.
 */
#ifndef SQUALL_BASE_LOGLINEAR_H
#define SQUALL_BASE_LOGLINEAR_H

#include <stdint.h>

/* The bucket of a value. */
static inline uint32_t loglinear_bin(uint64_t value, uint32_t k)
{
    if (value < UINT64_C(1) << k) {
        return (uint32_t)value;
    }
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - k;
    return (shift << k) + (uint32_t)(value >> shift);
}

/* Least value of a bucket. */
static inline uint64_t loglinear_edge(uint32_t bin, uint32_t k)
{
    if (bin < UINT32_C(1) << k) {
        return bin;
    }
    uint32_t shift = (bin >> k) - 1;
    return (uint64_t)(bin - (shift << k)) << shift;
}

#endif
