/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows for statistics: one per member of an entity type's stats struct. From them come warm-up,
 * time series, the journal record, HDF5 datasets with units, `squall describe` and `inspect`.
 */
#ifndef SQUALL_STATS_STAT_SPEC_H
#define SQUALL_STATS_STAT_SPEC_H

#include <stddef.h>

#include "stats/breakdown.h"
#include "stats/gauge.h"
#include "stats/histogram.h"

enum stat_kind { STAT_COUNTER, STAT_GAUGE, STAT_HISTOGRAM, STAT_BREAKDOWN };

struct stat_spec {
    const char *name; /* ends the rows when NULL */
    const char *doc;  /* one sentence */
    const char *unit; /* of the value: "1", "ns" */
    enum stat_kind kind;
    size_t offset; /* in the stats struct, of the uint64_t, struct gauge, struct histogram or struct
                      breakdown */
};

#define STAT_OFFSET(type, tag, member) \
    (offsetof(struct tag, member) + 0 * sizeof((type *)0 == &((struct tag *)0)->member))
#define S_COUNTER(tag, member, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .kind = STAT_COUNTER, \
        .offset = STAT_OFFSET(uint64_t, tag, member) \
    }
/* A counter of something other than occurrences: "ns" of work, "B" of traffic. */
#define S_SUM(tag, member, unit_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = unit_, .kind = STAT_COUNTER, \
        .offset = STAT_OFFSET(uint64_t, tag, member) \
    }
#define S_GAUGE(tag, member, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "1", .kind = STAT_GAUGE, \
        .offset = STAT_OFFSET(struct gauge, tag, member) \
    }
#define S_HISTOGRAM(tag, member, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = "ns", .kind = STAT_HISTOGRAM, \
        .offset = STAT_OFFSET(struct histogram, tag, member) \
    }
/* Kept only of groups that the study names, and never as a time series. */
#define S_BREAKDOWN(tag, member, unit_, doc_) \
    { \
        .name = #member, .doc = doc_, .unit = unit_, .kind = STAT_BREAKDOWN, \
        .offset = STAT_OFFSET(struct breakdown, tag, member) \
    }
#define S_END \
    { \
        .name = NULL \
    }

#endif
