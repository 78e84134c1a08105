/* SPDX-License-Identifier: Apache-2.0
 *
 * A measure is one number made of what a finished replication recorded. It is what a stopping rule
 * looks at and what a search brings to a level. A configuration writes it as
 *
 *   stat: users.request_latency.p99          of a group, all of its instances taken together
 *   stat: web[2].queue_depth.mean            of one instance
 *   stat: users.successes                    a counter's total; `.rate`: by second
 *   per: users.logical_requests              the measure is stat / per
 *   from: 60s                                what happened in a window of simulated time,
 *   to: 90s                                  as the time series tell it
 *
 * and what can be asked for depends on the kind of the statistic:
 *
 *   counter    total (nothing is written), rate
 *   gauge      mean (over time), max; of several instances means are added, and max is the largest
 *   histogram  mean, min, max, count, percentiles (p50, p99.9)
 *
 * Times are doubles in seconds. In a window, what a histogram says is read from its buckets, whose
 * width is the error; series have no other figures of it. A window takes the intervals that lie
 * wholly inside it, those of the warm-up too.
 *
 * Which numbers of a record make the measure is said here for a study; results/measured.h takes
 * them out of records.
 */
#ifndef SQUALL_MODEL_MEASURE_H
#define SQUALL_MODEL_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "stats/stat_spec.h"

struct study;

/* What is written. */
struct measure_words {
    struct name_ref stat, per; /* per: its name is "" where there is none */
    sim_time from, to;         /* [ns]; SIM_TIME_NEVER: not written */
};

/* Rows of a measure_words that is the member `measure` of struct `tag`. */
#define MEASURE_ROW(tag, type_, member, kind_, fallback_, ...) \
    { \
        .name = #member, .kind = kind_, .fallback = fallback_, \
        .offset = offsetof(struct tag, measure) + SCHEMA_OFFSET(type_, measure_words, member), \
        __VA_ARGS__ \
    }
#define MEASURE_ROWS(tag) \
    MEASURE_ROW(tag, struct name_ref, stat, PARAM_REF, NULL, .unit = "", \
                .doc = "What is measured: GROUP.STATISTIC, or of one instance web[2].STATISTIC; " \
                       "of a counter the total, or .rate by second; of a gauge .mean over time " \
                       "or .max; of a histogram .mean, .min, .max, .count or a percentile such " \
                       "as .p99."), \
        MEASURE_ROW(tag, struct name_ref, per, PARAM_REF, "", .unit = "", \
                    .doc = "By what that is divided, written alike."), \
        MEASURE_ROW(tag, sim_time, from, PARAM_DURATION, "none", .unit = "ns", .high = 1e18, \
                    .absent = "none", \
                    .doc = "Where the window of simulated time begins that is looked at, if one " \
                           "is; none: at the end of the warm-up. Windows need time series."), \
        MEASURE_ROW(tag, sim_time, to, PARAM_DURATION, "none", .unit = "ns", .low = 1, \
                    .high = 1e18, .absent = "none", \
                    .doc = "Where it ends; none: at the end of the run.")

enum measure_what {
    MEASURE_TOTAL,
    MEASURE_RATE,
    MEASURE_MEAN,
    MEASURE_MIN,
    MEASURE_MAX,
    MEASURE_COUNT,
    MEASURE_QUANTILE
};

/* One statistic, of one group or of a row in each of several. */
struct measure_part {
    const uint32_t *row;   /* by group: the row among its type's statistics; MEASURE_NO_ROW */
    uint32_t first, count; /* instances of the group */
    enum stat_kind kind;   /* of the rows; no breakdown */
    enum measure_what what;
    double p;         /* quantile, 0..1 */
    const char *unit; /* of the rows */
};
#define MEASURE_NO_ROW UINT32_MAX

/* The words of one part, GROUP.STATISTIC.WHAT. */
struct measure_name {
    const char *group, *statistic;
    const char *what; /* NULL: nothing is written */
};

/* Takes a text apart, and reads what is asked of a statistic of part->kind: sets `what` and `p`.
 * For whoever knows the names, be they those of a study or of a results file. Each returns NULL, or
 * the reason why the text is refused; in `arena`, as are the words. */
const char *measure_split(const char *text, struct arena *arena, struct measure_name *name);
const char *measure_read_what(const char *text, const struct measure_name *name,
                              struct arena *arena, struct measure_part *part);

/* Of the value that the parts make, `n` of them: see struct measure. */
const char *measure_unit(const struct measure_part *part, uint32_t n, struct arena *arena);

/* A measure of one study: its places are those of its blueprint, its times those of its run. */
struct measure {
    struct measure_part part[2]; /* the second: by which the first is divided */
    uint32_t n_parts;
    const char *text;     /* "users.successes", "users.successes per users.requests_sent" */
    const char *unit;     /* of the value: "s", "1", "1/s", "B", ..., "B per s" */
    sim_time interval;    /* [ns] of its time series; SIM_TIME_NEVER: there are none */
    uint32_t n_intervals; /* of the run; 0: there are no series */
    uint32_t first, end;  /* intervals of the window, from `first` to before `end`; both 0: the
                             whole run after the warm-up */
};

/* Fills in `m`, whose arrays and texts are put into `arena`. False after errors, which are
 * reported at the words. */
bool measure_resolve(const struct measure_words *w, const struct study *s, struct arena *arena,
                     struct diag *d, struct measure *m);

/* A measure by interval, from which the end of a warm-up is to be told: it has no window and no
 * percentiles, everyone it is made of keeps series, and there are enough intervals. `w` NULL: the
 * requests under way, the mean of `in_flight` summed over all clients that keep series; then
 * mistakes are reported at `at`. */
bool measure_resolve_series(const struct measure_words *w, const struct node *at,
                            const struct study *s, struct arena *arena, struct diag *d,
                            struct measure *m);

/* Reads a value of the measure, or a bound of it, as a configuration has it: 200ms where it is a
 * time, 50/s, 5%. NULL, or the reason why the text is refused, in `arena`. */
const char *measure_read(const struct measure *m, const char *text, struct arena *arena,
                         double *value);

#endif
