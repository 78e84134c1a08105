/* SPDX-License-Identifier: Apache-2.0
 *
 * Time series of chosen entities: at each interval's end, what every statistic did within it. The
 * recorder reads the stats structs by their rows; entities know nothing of it.
 *
 *   counter    its increment
 *   gauge      its time integral within the interval [level x ns], and its maximum
 *   histogram  the buckets that grew, and by how much
 *   breakdown  nothing
 *
 * The statistics may be zeroed at any time (end of warm-up) if series_rebase is called just before:
 * the series then goes on as if nothing had happened. Not collective; all figures are integers.
 */
#ifndef SQUALL_STATS_SERIES_H
#define SQUALL_STATS_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/region.h"
#include "base/simtime.h"
#include "stats/histogram.h"
#include "stats/stat_spec.h"

struct series_column; /* one row of one watched struct */

/* Samples are kept by interval: `width` words, each column at its own place. */
struct series {
    const struct hist_pool *pool; /* of the watched histograms; not owned */
    struct hist_pool bases;       /* of their bases */
    struct region columns;        /* struct series_column */
    struct region words;          /* uint64_t */
    struct region bins, counts;   /* uint32_t, uint64_t: increments of all histograms, one after
                                     another in the order they were sampled */
    uint32_t n_columns, width;    /* columns, words an interval */
    uint32_t intervals;           /* complete */
};

/* Intervals of a run that ends at `end` > 0, the last of which may be shorter than `interval`. */
static inline uint64_t series_intervals(sim_time end, sim_time interval)
{
    return (uint64_t)((end - 1) / interval + 1);
}

/* `pool` holds the buckets of all histograms that will be watched. */
void series_open(struct series *s, const struct hist_pool *pool);
void series_close(struct series *s);

/* Watches the statistics of one entity: `stats` is the struct that `rows` describe, and stays where
 * it is. Only before the first sample. Returns its first column; row i has column + i. */
uint32_t series_watch(struct series *s, const struct stat_spec *rows, void *stats);

/* Forgets all samples, for the next replication: the statistics are those of a fresh start (zero,
 * gauges at level 0 since time 0). */
void series_reset(struct series *s);

/* Ends the interval that began at the last sample (the first: at time 0). */
void series_sample(struct series *s, sim_time now);

/* To be called at `now`, just before counters and histograms are zeroed and gauges restarted. */
void series_rebase(struct series *s, sim_time now);

/* What was sampled. `interval` counts from 0. The caller knows the kind from the row. */
uint64_t series_counter(const struct series *s, uint32_t column, uint32_t interval);
uint64_t series_gauge(const struct series *s, uint32_t column, uint32_t interval, int64_t *max);

/* Number of buckets that grew; `*bin` (ascending) and `*count` point into the series until it is
 * reset or closed. */
size_t series_histogram(const struct series *s, uint32_t column, uint32_t interval,
                        const uint32_t **bin, const uint64_t **count);

#endif
