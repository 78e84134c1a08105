/* SPDX-License-Identifier: Apache-2.0
 *
 * Latency histograms over non-negative integers (nanoseconds), in the buckets of base/loglinear.h
 * with k = HIST_SUB_BITS: a bucket is never wider than 2^-k (0.79 %) of its lower edge. Every value
 * has a bucket, so merging by addition drops nothing.
 *
 * Counts live in pages of one octave in a pool, taken at first use: an untouched histogram is
 * only its header. Indices, not pointers, so that a pool can be saved and reset as a block.
 */
#ifndef SQUALL_STATS_HISTOGRAM_H
#define SQUALL_STATS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/loglinear.h"
#include "base/region.h"

enum {
    HIST_SUB_BITS = 7,
    HIST_PAGE = 1 << HIST_SUB_BITS,    /* buckets an octave */
    HIST_OCTAVES = 64 - HIST_SUB_BITS, /* of int64 values */
    HIST_BINS = HIST_OCTAVES * HIST_PAGE,
};

/* Zero is an empty histogram. */
struct histogram {
    uint64_t total; /* number of values */
    uint64_t sum;   /* exact [ns]; CHECKed against overflow */
    uint64_t min;   /* exact; meaningless while total is 0 */
    uint64_t max;
    uint32_t directory;    /* in the pool, 1-based; 0: no page yet */
    uint32_t summary_only; /* keep the four figures above and no buckets */
};

struct hist_directory {
    uint32_t page[HIST_OCTAVES]; /* in the pool, 1-based; 0: untouched */
};
struct hist_page {
    uint64_t count[HIST_PAGE];
};

struct hist_pool {
    struct region directories, pages;
    uint32_t n_directories, n_pages;
};

void hist_pool_open(struct hist_pool *pool);
void hist_pool_close(struct hist_pool *pool);
void hist_pool_reset(struct hist_pool *pool); /* all histograms of the pool must be zeroed, too */

/* The bucket of a value, 0..HIST_BINS-1. */
static inline uint32_t hist_bin(uint64_t value)
{
    return loglinear_bin(value, HIST_SUB_BITS);
}

/* Least value of a bucket; of HIST_BINS: one past the largest (2^63). */
static inline uint64_t hist_edge(uint32_t bin)
{
    return loglinear_edge(bin, HIST_SUB_BITS);
}

/* Number of values that share a bucket. */
static inline uint64_t hist_width(uint32_t bin)
{
    return hist_edge(bin + 1) - hist_edge(bin);
}

/* The counts of an octave, HIST_PAGE of them; NULL where there are none yet. */
static inline uint64_t *hist_octave(const struct hist_pool *pool, const struct histogram *h,
                                    uint32_t octave)
{
    if (h->directory == 0) {
        return NULL;
    }
    const struct hist_directory *d = (const void *)pool->directories.base;
    uint32_t page = d[h->directory - 1].page[octave];
    return page ? ((struct hist_page *)(void *)pool->pages.base)[page - 1].count : NULL;
}

/* The counts of an octave that has none yet, zeroed. */
uint64_t *hist_grow(struct hist_pool *pool, struct histogram *h, uint32_t octave);

/* Counts a value in an octave that has no counts yet, unless buckets are not kept. */
void hist_count_first(struct hist_pool *pool, struct histogram *h, uint64_t value);

static inline void hist_record(struct hist_pool *pool, struct histogram *h, uint64_t value)
{
    if (__builtin_expect(h->total == 0 || value < h->min, 0)) {
        h->min = value;
    }
    if (__builtin_expect(value > h->max, 0)) {
        h->max = value;
    }
    h->total++;
    CHECK(value <= INT64_MAX, "a negative value in a histogram");
    CHECK_LIMIT(!__builtin_add_overflow(h->sum, value, &h->sum),
                "a histogram's sum exceeds 2^64 ns");
    uint32_t bin = hist_bin(value);
    uint64_t *count = hist_octave(pool, h, bin >> HIST_SUB_BITS);
    if (__builtin_expect(count != NULL, 1)) {
        count[bin & (HIST_PAGE - 1)]++;
    } else {
        hist_count_first(pool, h, value);
    }
}

/* Which counts of an octave are not 0, as bits: most are 0, and looking at each of them would cost
 * more than all else that is done to write a short replication down. Four at a time where the
 * processor can (x86 with AVX2), else by hist_used_plainly, which comes to the same. */
struct hist_used {
    uint64_t word[HIST_PAGE / 64];
};
struct hist_used hist_used(const uint64_t *count);
struct hist_used hist_used_plainly(const uint64_t *count);

/* Calls `each(bin, count, context)` for the buckets that are not empty, in order. */
void hist_each(const struct hist_pool *pool, const struct histogram *h,
               void (*each)(uint32_t bin, uint64_t count, void *context), void *context);

/* A sum over many histograms, which may exceed 2^64. */
__extension__ typedef unsigned __int128 hist_sum;

/* A histogram out of its pool: merged, read from a file, or empty (zero). */
struct hist_counts {
    hist_sum sum;
    uint64_t total, min, max;
    uint64_t count[HIST_BINS];
};
void hist_counts_add(struct hist_counts *to, const struct hist_pool *pool,
                     const struct histogram *h);
void hist_counts_merge(struct hist_counts *to, const struct hist_counts *from);

/* Adds `n` buckets in any order. `exact` holds the total, sum, min and max of their values (its
 * directory is not looked at); NULL where nobody kept them: then the total is the sum of the
 * counts, min and max are the outermost values of the buckets, and the sum takes each bucket's
 * middle. */
void hist_counts_add_bins(struct hist_counts *to, const struct histogram *exact, size_t n,
                          const uint32_t *bin, const uint64_t *count);

/* The p-quantile, 0 <= p <= 1, by linear interpolation at position p * (total - 1) among the
 * ordered values ("type 7"), which are taken to lie evenly inside their bucket; the least and the
 * largest are known exactly. 0 when empty. `*bound` (may be NULL) receives how far the answer may
 * be from the quantile of the values themselves: less than the width of the bucket or buckets it
 * was read from, and 0 where these hold one value only (up to 2^(k+1)). Histograms that keep no
 * buckets cannot be asked. */
double hist_quantile(const struct hist_counts *h, double p, double *bound);

#endif
