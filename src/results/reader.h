/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a results file and gives what tables are made of: values by replication, so that means and
 * percentiles get their intervals from replications, and histograms to be read by percentile.
 * Nothing is kept in memory but names and runs; numbers are read when asked for.
 */
#ifndef SQUALL_RESULTS_READER_H
#define SQUALL_RESULTS_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/error.h"
#include "results/journal_session.h"
#include "results/meta.h"
#include "results/record.h"
#include "results/thresholds.h"
#include "stats/histogram.h"
#include "stats/stat_spec.h"

struct results_type {
    const char *name;
    uint64_t n_entities;
    const char *const *entities; /* names, in the order of the dimension */
    const char *const *groups;   /* name of the group of each */
    const uint64_t *ids;         /* number of each in the model */
    struct stat_spec *rows;      /* end with a name of NULL; offsets mean nothing here */
    uint32_t n_rows;
};

struct results_run {
    enum run_status status;
    uint64_t events;
    sim_time sim_end; /* [ns] */
    sim_time tripped; /* [ns]; 0: it was not */
    uint64_t dropped; /* rows of the trace */
    sim_time warmup;  /* [ns] */
    uint64_t digest;
    uint64_t wall_ns; /* [ns] */
    uint64_t session; /* place in results_provenance.sessions; LAYOUT_NO_SESSION: not known */
};

struct results_note {
    uint64_t point, replication;
    const char *text;
};

/* Where replications were run, and what they noted. */
struct results_provenance {
    struct journal_session *sessions;
    uint64_t n_sessions;
    struct results_note *notes;
    uint64_t n_notes;
};

/* An axis of the sweep. */
struct results_axis {
    const char *path;         /* of the configuration */
    const double *numbers;    /* [unit] what each point of the file has; NULL: they are texts */
    const char *const *texts; /* likewise; NULL: they are numbers */
    const char *unit;         /* "s", "1/s", "B", "B/s" or "1" */
};

/* An open file. Texts and arrays live as long. */
struct results {
    struct results_meta meta;   /* without a blueprint */
    const char *created, *host; /* provenance */
    const char *digest;         /* of all results */
    uint64_t major, minor;      /* of the schema */
    struct results_type *types;
    uint32_t n_types;
    const char *const *groups; /* by their place in the model; empty when no breakdowns were kept */
    uint64_t n_groups;
    bool traced;            /* there is a trace, though maybe an empty one */
    const uint64_t *points; /* the number that each point of the file has in the plan */
    struct results_axis *axes;
    uint32_t n_axes;         /* 0: nothing was swept */
    uint64_t n_intervals;    /* of time series; 0: there are none */
    const uint64_t *lengths; /* [ns] of the intervals, of which the last may be shorter */
    struct arena memory;
    struct h5 *file;
};

/* False: see `e`; nothing is left open. */
bool results_open(const char *path, struct results *r, struct results_error *e);
void results_close(struct results *r);

const struct results_type *results_find_type(const struct results *r, const char *name);
/* The row of this name, or NULL. */
const struct stat_spec *results_find_row(const struct results_type *t, const char *name);

/* Neighbouring entities of a type, whose numbers are taken together. */
struct results_range {
    uint64_t first, count;
};
struct results_range results_all(const struct results_type *t);
/* A group of the type; `count` 0 when it has none of this name. */
struct results_range results_group(const struct results_type *t, const char *group);

/* How the replications of a point ended: meta.n_replications of them. */
bool results_runs(struct results *r, uint64_t point, struct results_run *run,
                  struct results_error *e);

/* Everything lives as long as the file is open. Files of earlier versions tell nothing. */
bool results_provenance(struct results *r, struct results_provenance *p, struct results_error *e);

/* A counter by replication, summed over entities. */
bool results_counter(struct results *r, const struct results_type *t, const struct stat_spec *row,
                     uint64_t point, struct results_range range, uint64_t *value,
                     struct results_error *e);

/* A gauge by replication: integrals summed over entities, and the largest maximum. */
bool results_gauge(struct results *r, const struct results_type *t, const struct stat_spec *row,
                   uint64_t point, struct results_range range, struct record_gauge *value,
                   struct results_error *e);

#define RESULTS_POOLED UINT64_MAX

/* Adds a histogram to `to` (zero at first), merged over entities: that of one replication, or of
 * all (RESULTS_POOLED). Of a file whose buckets do not add up nothing can be read. */
bool results_histogram(struct results *r, const struct results_type *t, const struct stat_spec *row,
                       uint64_t point, uint64_t replication, struct results_range range,
                       struct hist_counts *to, struct results_error *e);

/* Walks the entries of a breakdown at a point, those of entities of the range, in order of
 * replication, entity and key: `take` gets each with the place of its entity, and ends the walk by
 * returning false, which `e` is to explain. */
typedef bool results_take_entry(void *context, uint64_t replication, uint64_t entity,
                                const struct record_entry *entry);
bool results_breakdown(struct results *r, const struct results_type *t, const struct stat_spec *row,
                       uint64_t point, struct results_range range, results_take_entry *take,
                       void *context, struct results_error *e);

/* Likewise the trace at a point: in order of replication, entity (here its number in the model) and
 * time. */
typedef bool results_take_trace(void *context, uint64_t replication, uint64_t entity,
                                const struct trace_row *row);
bool results_trace(struct results *r, uint64_t point, results_take_trace *take, void *context,
                   struct results_error *e);

/* What was searched and found; nothing was (`n` is 0): true. Everything lives as long as the file
 * is open. */
bool results_thresholds(struct results *r, struct results_thresholds *t, struct results_error *e);

/* Which of a type's entities keep time series: `count` 0 where those of the range do not. The
 * places of the result are those of time series. */
bool results_sampled(struct results *r, const struct results_type *t, struct results_range range,
                     struct results_range *sampled, struct results_error *e);

/* A counter, or a gauge's integral over time [level x ns], by interval (r->n_intervals of them):
 * summed over `sampled` entities, and over those replications that `counts`. */
bool results_series(struct results *r, const struct results_type *t, const struct stat_spec *row,
                    uint64_t point, struct results_range sampled, const bool *counts,
                    uint64_t *value, struct results_error *e);

/* Adds the histogram of each interval, merged over `sampled` entities, to one of `to` (all zero at
 * first): that of interval k to to[place[k]]. They are of all replications, which were merged when
 * the file was made; sums, least and largest values are those of the buckets. */
bool results_series_histogram(struct results *r, const struct results_type *t,
                              const struct stat_spec *row, uint64_t point,
                              struct results_range sampled, const uint32_t *place,
                              struct hist_counts *to, struct results_error *e);

/* Whether quantiles can be read of it: studies that keep no buckets have only the exact figures. */
bool results_has_buckets(const struct hist_counts *h);

#endif
