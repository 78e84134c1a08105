/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts over the recent past: a ring of buckets of equal width over simulated time, with one or
 * more counters each. A sum covers the bucket of now and the ones before it, `buckets` in all: at
 * least the last (buckets - 1) * width and less than the last buckets * width.
 *
 * The first bucket begins with the first use, so that the windows of many clients do not all turn
 * at the same instants. The next ones lie without gaps, or, in a lazy window, each begins with the
 * first use after the one before it was over: so it is in WindowedAdder of Twitter's util library
 * (com.twitter.util.WindowedAdder, `range / slices` wide, the one being written and slices - 1
 * closed ones), and buckets that are used less than once in their width last longer there.
 *
 * Adding and summing cost a few operations, and one per bucket passed since the last use.
 */
#ifndef SQUALL_POLICIES_ROLLING_H
#define SQUALL_POLICIES_ROLLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/simtime.h"

/* Where a window stands; zero at first. */
struct rolling_place {
    sim_time start;  /* [ns] of the newest bucket */
    uint32_t newest; /* its number in the ring */
    bool begun;
};

/* A window's form and where it lies. Owners keep the place and the cells and make this from their
 * parameters for each use, always with the same form. */
struct rolling {
    sim_time width;    /* [ns] of a bucket, > 0 */
    uint32_t buckets;  /* > 0 */
    uint32_t counters; /* > 0 */
    bool lazy;         /* as said above */
    struct rolling_place *place;
    int64_t *cells; /* rolling_cells of them, zero at first */
};

/* One sum per counter, and the buckets. */
static inline size_t rolling_cells(size_t buckets, size_t counters)
{
    return (buckets + 1) * counters;
}

/* Adds to a counter (0 .. counters - 1) in the bucket of `now`. Time must not run backwards from
 * one call to the next, and sums must fit 63 bits. */
void rolling_add(const struct rolling *r, sim_time now, uint32_t counter, int64_t amount);

/* The sum of a counter at `now`. */
int64_t rolling_sum(const struct rolling *r, sim_time now, uint32_t counter);

#endif
