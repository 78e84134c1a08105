/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of `squall compare` share: two results files A and B side by side, and for every
 * statistic of both a contrast: how much larger it is in B, and whether that is more than chance.
 *
 * Where both files draw the same random numbers (common random numbers: the same seed, and streams
 * that are keyed by replication and entity), replication r of A is compared with replication r of
 * B, and the differences are the observations. Otherwise the two are independent samples and
 * intervals are Welch's (stats/summary.h has both, and the sources).
 *
 * The difference of a quantile is that of the quantiles of all values, as inspect shows them, since
 * those of single replications are biased in the tail; its interval is by sectioning
 * (cli/inspect_figures.c), here of differences: the deviations of the replications' own differences
 * are taken from the difference shown, so that what bias the two do not share widens the interval.
 */
#ifndef SQUALL_CLI_COMPARE_H
#define SQUALL_CLI_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "cli/inspect.h"

enum { FILE_A, FILE_B, FILES };

struct compare_options {
    struct inspect_options inspect; /* owned */
    const char *point;              /* "3", or "3:5" where they are not matched; NULL: all */
    bool within_chance;             /* what is within chance counts as no difference */
};

enum verdict {
    VERDICT_BEYOND,  /* chance */
    VERDICT_UNKNOWN, /* they differ, and there are too few observations to tell more */
    VERDICT_WITHIN,
    VERDICT_ONLY_A, /* B has no such value */
    VERDICT_ONLY_B,
    VERDICT_EQUAL, /* to the bit, in every replication */
    VERDICTS
};
extern const char *const verdict_names[VERDICTS + 1]; /* as in CSV and JSON; ends with NULL */

/* How the replications of two points are set against each other. */
struct pairing {
    bool paired;            /* by number */
    uint64_t n[FILES];      /* replications; the same where paired */
    bool antithetic[FILES]; /* pairs of them are one observation */
};

/* One statistic in both files. */
struct contrast {
    size_t match;          /* place in comparison.matches */
    const char *label;     /* "web.sojourn_time.p99" */
    const char *group;     /* or instance */
    const char *statistic; /* name of the row */
    const char *measure, *unit;
    const char *peer;      /* of a breakdown; else NULL */
    unsigned status;       /* likewise */
    double value[FILES];   /* NAN: there is none */
    double difference;     /* B - A; NAN: there is none */
    double half_width;     /* of its interval; INFINITY: not known */
    double bound;          /* how far buckets may have moved it */
    double relative;       /* to A's; NAN where that is 0 */
    double chance;         /* of a difference as large if there is none; NAN: not known */
    double corrected;      /* by Holm, once it is judged */
    uint64_t observations; /* that the interval rests on, of both files where not paired */
    bool zero;             /* throughout, in both */
    enum verdict verdict;
};

/* A point of A and the one of B that is compared with it. */
struct match {
    uint64_t point[FILES]; /* places in the files */
    uint64_t n_ok[FILES];  /* replications that count, before those of only one file are left out */
    uint64_t n;            /* that are left of A; 0: there is nothing to compare */
    bool paired;
    const char *where[FILES]; /* on the axes; "" without */
    const char *why;          /* it is not paired; NULL: it is */
};

struct comparison {
    const struct compare_options *options; /* not owned */
    struct view view[FILES];
    struct design design[FILES];
    struct match *matches; /* in `memory` */
    size_t n_matches;
    uint64_t unmatched[FILES];  /* points */
    struct contrast *contrasts; /* owned */
    size_t n, room;
    const char *entities; /* what only one file has, a line each; in `memory` */
    struct arena memory;
};

/* How one statistic differs; `a` or `b` may be NULL, where a file lacks it. Sets what is numbers
 * and the verdict, which is VERDICT_WITHIN for all that compare_judge is to judge. */
void compare_figures(const struct figure *a, const struct figure *b, const struct pairing *p,
                     double confidence, struct contrast *c);

/* Judges them all together: beyond chance is what Holm's correction leaves below 1 - confidence.
 * Sorts them by match and verdict, the least chance first. */
void compare_judge(struct contrast *contrasts, size_t n, double confidence);

/* Whether both files have the same results, by their digests. */
bool compare_alike(const struct comparison *c);

/* Which points are compared, and how. False: there are none; it is told. */
bool compare_match(struct comparison *c);

/* Reads all statistics of a match into c->contrasts. False: a view has the error. */
bool compare_read(struct comparison *c, size_t match);

/* What there is to say, as tables; and as CSV or JSON. */
void compare_print(const struct comparison *c, bool identical);
void compare_export(const struct comparison *c);

#endif
