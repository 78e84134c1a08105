/* SPDX-License-Identifier: Apache-2.0
 *
 * What `--stat` asks of a results file, in the words of model/measure.h:
 *
 *   users.request_latency.p99                     a figure, as the tables of the point show it
 *   users.successes/users.logical_requests        a quotient, made in each replication by itself
 *   users.successes/users.logical_requests<90%    the share of replications in which it is less
 *                                                 (or more, with >)
 *
 * The interval of a share is Wilson's (stats/summary.h).
 */
#ifndef SQUALL_CLI_ASKED_H
#define SQUALL_CLI_ASKED_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/inspect.h"
#include "cli/table.h"
#include "model/measure.h"

struct asked_part {
    struct lot lot;
    const struct stat_spec *row;
    struct measure_name words;
    struct measure_part measure;
};

/* Refers to an open file; texts lie in an arena. */
struct asked {
    const char *text; /* as written */
    struct asked_part part[2];
    uint32_t n_parts;
    const char *unit;       /* of the quotient, or of what is compared */
    char sign;              /* '<' or '>'; 0: it is no share */
    double bound;           /* [unit] */
    const char *bound_text; /* "90%" */
};

/* Finds the names in a file. NULL, or the reason why there is no such thing; in `arena`. */
const char *asked_find(const struct results *r, const char *text, struct arena *arena,
                       struct asked *a);

/* What is shown of a file when nothing is asked, at most so many texts, of those entities that the
 * options select: how many requests succeed and how long they take, where somebody counts that. */
enum { ASKED_DEFAULTS = 3 };
size_t asked_defaults(const struct results *r, const struct inspect_options *o, struct arena *arena,
                      const char **text);

/* Reads it at the view's point; the figure lives in v->lot. A share has half_width as its larger
 * side, and `*interval` (may be NULL) as it is. False: see v->error. */
bool asked_read(struct view *v, const struct asked *a, struct figure *f, struct interval *interval);

/* How it is called: in the two lines of a table's head, without the group's name where all columns
 * are of that one, and in CSV and JSON behind the name of the group. */
const char *asked_head(const struct asked *a, const char *group, int line, struct arena *arena);
const char *asked_name(const struct asked *a);

#endif
