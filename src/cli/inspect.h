/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `squall inspect` share: one reads figures out of a results file, others show
 * them, and the verb walks over what was asked for.
 */
#ifndef SQUALL_CLI_INSPECT_H
#define SQUALL_CLI_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/reader.h"

enum form { FORM_TABLES, FORM_CSV, FORM_JSON };

struct quantile {
    double p;
    const char *name; /* "p99" */
};

struct inspect_options {
    struct arena memory; /* owned; lists and texts below live in it */
    enum form form;
    const char *entity, *type; /* NULL: all */
    double confidence;
    struct quantile *quantiles;
    size_t n_quantiles;
    bool all;
    char **files;
    int n_files;
};

/* One number of a statistic. */
struct figure {
    const char *measure, *unit;
    double value;          /* NAN: there is none */
    double half_width;     /* of its interval; INFINITY: not known; NAN: the value is exact */
    double bound;          /* how far buckets may have moved it */
    uint64_t replications; /* that had a value */
    bool thin;             /* a quantile of fewer values than it takes to tell */
};

struct entry {
    const struct stat_spec *row;
    struct figure *figures;
    size_t n;
    bool zero; /* throughout */
};

/* A group, or one of its instances. */
struct lot {
    const struct results_type *type;
    const char *name;
    struct results_range range;
};

/* What the foot of the tables has to explain. */
struct notes {
    uint64_t left_out;
    bool figures, thin, unknown, none; /* such figures were shown */
};

/* A file while it is shown, and the point it is shown at. */
struct view {
    const struct inspect_options *options;
    const char *path;
    struct results results;
    struct results_error error;
    uint64_t point;
    struct results_run *runs;
    double *observed; /* [s] after warm-up, by replication; 0: it did not end well */
    uint64_t n_ok;
    struct hist_counts *part, *pooled;
    struct arena lot;    /* of the lot being shown */
    struct notes *notes; /* not owned */
};

/* Reads a statistic of `lot` at the view's point; e->row says which. The figures live in v->lot.
 * False: see v->error. */
bool inspect_read(struct view *v, const struct lot *lot, struct entry *e);

/* Tables: the head of a file, how the replications of its point ended, those entries of a lot that
 * have a row, and below everything what the marks mean. */
void inspect_print_head(const struct view *v);
void inspect_print_runs(const struct view *v);
void inspect_print_tables(struct view *v, const struct lot *lot, const struct entry *entries,
                          size_t n);
void inspect_print_foot(const struct inspect_options *o, const struct notes *notes);

/* CSV or JSON: what stands before the first figure, one figure, and what stands behind the last. */
void inspect_export_begin(enum form form);
void inspect_export(const struct view *v, const struct lot *lot, const char *statistic,
                    const struct figure *f);
void inspect_export_end(enum form form);

#endif
