/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `squall inspect` share: one reads figures out of a results file, others show
 * them, and the verb walks over what was asked for.
 */
#ifndef SQUALL_CLI_INSPECT_H
#define SQUALL_CLI_INSPECT_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/reader.h"
#include "stats/summary.h"

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
    bool provenance; /* show this in place of statistics */
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
    const double *values;  /* what each replication says, NAN where it says nothing; NULL: there are
                              none */
};

/* The order of figures, of a histogram with the maximum last. */
enum { FIGURE_NUMBER, FIGURE_RATE };
enum { FIGURE_LEVEL, FIGURE_MOST };
enum { FIGURE_COUNT, FIGURE_MEAN, FIGURE_MIN, FIGURE_QUANTILES };

struct entry {
    const struct stat_spec *row;
    struct figure *figures;
    size_t n;
    bool zero;          /* throughout */
    struct part *parts; /* of a breakdown, in order of their keys; it has no figures itself */
    size_t n_parts;
};

/* The values of a breakdown that have a key. */
struct part {
    struct breakdown_key key;
    struct entry values; /* as of a histogram */
    double share;        /* of all values of the breakdown */
};

/* What the replications say of a histogram. */
struct digest {
    double *count, *mean, *max, **quantiles; /* by replication; NAN: it has none */
    bool bare;                               /* its buckets were not kept */
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
    bool pairs;                        /* replications that were antithetic */
};

/* A file while it is shown, and the point it is shown at. */
struct view {
    const struct inspect_options *options;
    const char *path;
    struct results results;
    struct results_error error;
    uint64_t point;
    struct results_run *runs;
    double *observed; /* [s] after warm-up, by replication; 0: it does not count, as it did not end
                         well, or its antithetic partner did not */
    uint64_t n_ok;    /* that count */
    bool pairs;       /* replications 2k and 2k+1 are antithetic */
    struct hist_counts *part, *pooled;
    struct arena lot;                /* of the lot being shown */
    struct notes *notes;             /* not owned */
    uint64_t (*traced)[TRACE_KINDS]; /* rows by entity (its number in the model) and kind, of the
                                        replications that ended well; NULL: there is no trace */
};

/* The options that say which entities, quantiles and intervals are wanted, and in which form: an
 * argp child whose input is a struct inspect_options. It sets the defaults. */
extern const struct argp inspect_selection;

/* Whether what is asked for is in the file; if not, says so. */
bool inspect_check_selection(const struct inspect_options *o, const char *path,
                             const struct results *r);

/* The next group of a type, or the entity asked for: false after the last. `lot` is zero at first,
 * but for its type. */
bool inspect_next_lot(const struct inspect_options *o, struct lot *lot);

/* What the study of a file did with chance, as its resolved configuration says. */
struct design {
    bool pairs;       /* replications are antithetic pairs */
    bool independent; /* points have seeds of their own, by their numbers */
};
struct design inspect_design(const struct results *r);

/* Reads how the replications of the view's point ended. False: see v->error. */
bool inspect_read_runs(struct view *v);

/* Counts those that count in v->observed, of which a pair loses both where it lacks one. */
void inspect_count_runs(struct view *v);

/* Reads a statistic of `lot` at the view's point; e->row says which. The figures live in v->lot.
 * False: see v->error. */
bool inspect_read(struct view *v, const struct lot *lot, struct entry *e);

/* What values by replication say together: each counts, or the mean of each pair, without those
 * that are NAN. */
struct summary inspect_observe(const struct view *v, const double *values);

/* Inside of it: a digest is begun, given each replication that counts as `part`, which is also
 * merged into `pooled`, and made into figures. */
void inspect_digest_begin(struct view *v, struct digest *d);
void inspect_digest_add(const struct view *v, struct digest *d, uint64_t replication,
                        const struct hist_counts *part, struct hist_counts *pooled);
void inspect_digest_end(struct view *v, const struct digest *d, const struct hist_counts *pooled,
                        struct entry *e);
bool inspect_read_breakdown(struct view *v, const struct lot *lot, struct entry *e);

/* Reads the trace of the view's point into v->traced, which lives in `memory`. */
bool inspect_read_trace(struct view *v, struct arena *memory);
/* Rows of a kind that the entities of a lot have written, for each replication. */
struct figure inspect_traced(const struct view *v, const struct lot *lot, int kind);

/* Tables: the head of a file, how the replications of its point ended, those entries of a lot that
 * have a row, and below everything what the marks mean. */
void inspect_print_head(const struct view *v);
void inspect_print_runs(const struct view *v);
void inspect_print_tables(struct view *v, const struct lot *lot, const struct entry *entries,
                          size_t n);
void inspect_print_foot(const struct inspect_options *o, const struct notes *notes);

/* Where and when the replications were run, and what they noted. False: see v->error. */
bool inspect_provenance(struct view *v);

/* CSV or JSON: what stands before the first figure, one figure, and what stands behind the last. */
void inspect_export_begin(enum form form);
/* `key` is that of a part of a breakdown, else NULL. */
void inspect_export(const struct view *v, const struct lot *lot, const char *statistic,
                    const struct breakdown_key *key, const struct figure *f);
void inspect_export_end(enum form form);

#endif
