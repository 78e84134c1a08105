/* SPDX-License-Identifier: Apache-2.0
 *
 * Counter-based random streams (Threefry4x64-20 of Random123; Salmon et al., SC'11). What a stream
 * yields is a function of who draws and what for, never of order. Adding an entity or another
 * purpose leaves every other stream as it was.
 *
 * Key words:      0 seed, 1 replication, 2 who (hash of the entity's name), 3 purpose.
 * Counter words:  0 number of the block, from 0; 1, 2 and 3 are zero.
 * Draw number d of a stream is word d mod 4 of block d / 4.
 *
 * Pairs. Two replications may be a pair of antithetic ones (Hammersley and Morton 1956): whatever
 * one draws as u the other draws as 1 - u, exactly, from the same stream. What is long in one is
 * then short in the other, and the mean of both varies less than that of two that know nothing of
 * each other. This works only while draw number d means the same in both, so streams of a pair
 * (both members') never reject: every call below takes a fixed number of draws, which is one. A
 * call that has to reject does so among words of its own (rng_aside). The laws are the same.
 *
 * Monotone in u, so that pairs are negatively correlated: rng_unit, rng_below, rng_exponential,
 * rng_normal, which are quantiles. rng_gamma nearly is: it rises with the normal it begins with,
 * and falls with the exponential that it takes for shapes below 1, but a rejected word is replaced
 * by one that has nothing to do with it. alias_pick (rng/alias.h) stays in step and no more; for
 * the laws of durations see rng/dist.h. What is drawn only now and then, such as jitter of retries,
 * is the same draw in both members as long as it is drawn as often.
 */
#ifndef SQUALL_RNG_STREAM_H
#define SQUALL_RNG_STREAM_H

#include <stdbool.h>
#include <stdint.h>

struct rng_key {
    uint64_t seed, replication, who, purpose;
};

/* The upper bits of a key's word `replication`: it is a pair's, and its draws are 1 - u. The first
 * is part of the block function's key, the second is not. */
#define RNG_PAIRED  (UINT64_C(1) << 63)
#define RNG_FLIPPED (UINT64_C(1) << 62)

/* The word for a replication, below 2^62, that is one of a pair: 2k and 2k + 1 are pair k. */
static inline uint64_t rng_pair_member(uint64_t replication)
{
    return RNG_PAIRED | (replication & 1 ? RNG_FLIPPED : 0) | replication >> 1;
}

/* What the bits are xored with under this word: none of them, or all. */
static inline uint64_t rng_flip(uint64_t replication)
{
    return replication & RNG_FLIPPED ? UINT64_MAX : 0;
}

/* Plain data, no pointers: it may be copied, saved and compared. One cache line: the first word of
 * a block is given out when the block is made, so only the other three are kept. */
struct rng_stream {
    struct rng_key key;
    uint64_t drawn;     /* words given out so far */
    uint64_t buffer[3]; /* words 1, 2, 3 of the block that word `drawn` - 1 is in */
};

/* The raw block function: `out` = Threefry4x64-20 of `counter` under `key`. */
void rng_threefry(const uint64_t counter[4], const uint64_t key[4], uint64_t out[4]);

void rng_init(struct rng_stream *s, const struct rng_key *key);

/* True for both members of a pair. */
static inline bool rng_is_paired(const struct rng_stream *s)
{
    return s->key.replication >= RNG_PAIRED;
}

/* Of a paired stream: 2^16 words that belong to the draw made last and to no other, for what takes
 * more words than one; within such a stream a copy of it. A stream that is asked this has less than
 * 2^47 draws. */
struct rng_stream rng_aside(const struct rng_stream *s);

/* Makes the block that draw `drawn` - 1 opens, keeps its last three words, returns its first. */
uint64_t rng_refill(struct rng_stream *s);

/* 64 uniform bits. */
static inline uint64_t rng_bits(struct rng_stream *s)
{
    uint64_t word = s->drawn++ & 3;
    return __builtin_expect(word != 0, 1) ? s->buffer[word - 1] : rng_refill(s);
}

/* The upper 52 of 64 bits as a number in the open interval (0, 1): a multiple of 2^-52 plus 2^-53,
 * exactly. (With 53 bits the half would be rounded, at the top up to 1.) The complement of the bits
 * gives 1 minus the number, exactly. */
static inline double rng_to_unit(uint64_t bits)
{
    return ((double)(int64_t)(bits >> 12) + 0.5) * 0x1p-52;
}

/* Uniform on the open interval (0, 1). */
static inline double rng_unit(struct rng_stream *s)
{
    return rng_to_unit(rng_bits(s));
}

/* Uniform on 0..n-1 without bias (Lemire 2019); n > 0. Of a paired stream floor(n u): no result is
 * then likelier than another by more than n 2^-64 of its chance. */
uint64_t rng_below(struct rng_stream *s, uint64_t n);

/* Edges of the exponential ziggurat; see rng/ziggurat.c. */
extern const double rng_ziggurat[257];

/* The rare end of rng_exponential: `x` was drawn in `layer` and lies beyond the layer's core. */
double rng_exponential_edge(struct rng_stream *s, uint32_t layer, double x);

/* -log(1 - u), of a paired stream. */
double rng_exponential_paired(struct rng_stream *s);

/* Exponential with mean 1 (ziggurat, Marsaglia and Tsang 2000, 256 layers); > 0. */
static inline double rng_exponential(struct rng_stream *s)
{
    if (__builtin_expect(rng_is_paired(s), 0)) {
        return rng_exponential_paired(s);
    }
    uint64_t bits = rng_bits(s);
    uint32_t layer = (uint32_t)bits & 255; /* disjoint from the bits that rng_to_unit uses */
    double x = rng_to_unit(bits) * rng_ziggurat[layer];
    if (__builtin_expect(x < rng_ziggurat[layer + 1], 1)) {
        return x;
    }
    return rng_exponential_edge(s, layer, x);
}

/* Normal with mean 0 and deviation 1 (Marsaglia's polar method; its second value is not kept, so
 * that a stream has no other state than its place). Of a paired stream the quantile of u. */
double rng_normal(struct rng_stream *s);

/* Gamma with this shape and scale 1 (Marsaglia and Tsang 2000); shape > 0. */
double rng_gamma(struct rng_stream *s, double shape);

#endif
