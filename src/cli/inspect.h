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
#include "cli/sparkline.h"
#include "cli/table.h"
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
    bool provenance;              /* show this in place of statistics */
    bool search;                  /* likewise, also as CSV or JSON */
    const char **stats, **wheres; /* as written, see cli/asked.h; PATH=VALUE */
    size_t n_stats, n_wheres;
    bool has_point, all_points; /* whole tables of all */
    uint64_t point;             /* its number in the plan, where it has_point */
    enum sparkline_choice sparklines;
    const char **axes; /* paths of all files: columns of CSV */
    size_t n_axes;
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
    bool pooled;           /* the value is a quantile of all values together */
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
    double *count, *mean, *min, *max, **quantiles; /* by replication; NAN: it has none */
    bool bare;                                     /* its buckets were not kept */
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
    bool shares;                       /* shares of replications */
    bool rows;                         /* one for each point, as nothing else was asked */
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

/* Names of all groups and instances, of a type or (NULL) of all; ends with NULL. */
const char *const *inspect_names(const struct results *r, const char *type, struct arena *arena);

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

/* Takes from `memory` what a view needs while its file is read, and returns its design. */
struct design inspect_prepare(struct view *v, struct arena *memory);

/* Reads how the replications of the view's point ended. False: see v->error. */
bool inspect_read_runs(struct view *v);

/* Counts those that count in v->observed, of which a pair loses both where it lacks one. */
void inspect_count_runs(struct view *v);

/* Reads a statistic of `lot` at the view's point; e->row says which. The figures live in v->lot.
 * False: see v->error. */
bool inspect_read(struct view *v, const struct lot *lot, struct entry *e);

/* What values by replication say together: each counts, or the mean of each pair, without those
 * that are NAN. */
struct summary inspect_observe(const double *values, uint64_t n, bool pairs);

/* Their mean, with its interval, of the replications of the view's point; the values are kept. */
struct figure inspect_mean(const struct view *v, const char *measure, const char *unit,
                           const double *values);

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

/* The points that are asked for, meta.n_points of them, and how many these are. False: there are no
 * such points, which was said. */
bool inspect_choose(const struct inspect_options *o, const char *path, const struct results *r,
                    bool *chosen, uint64_t *n);

/* Axes: the end of a path that no other has, "arrivals.rate"; what a point (a place in the file)
 * has there, as a configuration would have it but short, and on all of them; the axes and their
 * values, below the head of a file. */
const char *inspect_axis_name(const struct results *r, uint32_t axis);
const char *inspect_axis_value(const struct results *r, uint32_t axis, uint64_t point,
                               struct arena *arena);
const char *inspect_point_name(const struct results *r, uint64_t point, struct arena *arena);
void inspect_print_axes(const struct results *r);

/* The place in the file of the point of this number in the plan; false: there is none, and it is
 * told. */
bool inspect_find_point(const struct results *r, const char *path, uint64_t number,
                        uint64_t *place);

/* One row for each chosen point, with what is asked for or what asked_defaults are; as CSV or JSON
 * the figures by themselves. False: see v->error. */
bool inspect_sweep(struct view *v, const bool *chosen);

/* What a search has found, if there was one; in every form. False: see v->error. */
bool inspect_search(struct view *v);

/* The time series of those entries of a lot that have a row, where it keeps them and somebody can
 * see them. False: see v->error. */
bool inspect_print_series(struct view *v, const struct lot *lot, const struct entry *entries,
                          size_t n);

/* How many replications ended otherwise than well, as shares of those that were run. */
void inspect_print_shares(const struct view *v);
/* "38 % (14 to 69)". */
const char *inspect_share_text(double share, struct interval interval, struct arena *arena);

/* A figure as a cell, and what stands above the tables of a lot. */
void inspect_put_figure(struct view *v, struct table *t, const struct figure *f);
void inspect_print_lot(const struct lot *lot);

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
void inspect_export_begin(const struct inspect_options *o);
/* `key` is that of a part of a breakdown, else NULL. */
void inspect_export(const struct view *v, const struct lot *lot, const char *statistic,
                    const struct breakdown_key *key, const struct figure *f);
void inspect_export_end(enum form form);
/* Their parts: a cell, an empty one for what is no number (behind a comma), and a member. */
void inspect_csv_text(const char *text);
void inspect_csv_number(double value);
void inspect_json_text(const char *name, const char *text);
void inspect_json_number(const char *name, double value);

#endif
