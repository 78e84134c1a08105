/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands where in a results file. The datasets of statistics follow from the rows of the
 * entity types; this is the only place that knows how, for the writer, the reader and
 * `squall describe`.
 *
 *   /                        attributes: what kind of file, seed, hashes, digest of all results
 *   /provenance              when, where and by which command it was made, wall times, and what
 *                            running on several ranks cost: the only part that differs when a study
 *                            is run again. wall_ns and session are [point, replication]; the latter
 *                            is the place in
 *   /provenance/sessions/    processes that ran replications: host, rank, and what else there is in
 *                            struct journal_session, all along `session`
 *   /provenance/notes/       where a replication left a note: point, replication, text, all along
 *                            `note`
 *   /config, /overrides, /config_resolved, /plan
 *   /point, /replication     dimensions; a point has the number that it has in the plan, of which
 *                            those are left out that nobody looked at
 *   /axes/PATH               [point], what each point has there
 *   /designs/N/              of the Nth design of the sweep, counting from 0, whose points belong
 *                            together: attributes kind ("morris", "saltelli"), size (trajectories,
 *                            rows), levels (of morris), seed; axis, the dimension (paths); row
 *                            [point], the point's place in the design; unit [point, axis], its
 * place in the unit cube. Of k axes, trajectory t is the rows t * (k + 1) to t * (k + 1) + k, in
 * the order of its steps; and row i of A, of B, and of A with axis j from B are the rows i * (k +
 * 2), the one after it, and 2 + j after it (since minor version 3) /search/                 what
 * was searched and found; see results/thresholds.h /runs/NAME               [point, replication]
 *   /entities/TYPE/          `entity`, the dimension (names); id, group, instance; where the
 *                            points do not have as many, `present` [point, entity]
 *   /stats/TYPE/ROW          [point, replication, entity], counters
 *   /gauges/TYPE/ROW/        time_integral, max, shaped alike
 *   /histograms/TYPE/ROW/    total, sum, min, max, shaped alike; and compressed rows, see below
 *   /histograms/edges        lower edges of the buckets, and the upper edge of the last
 *   /breakdowns/TYPE/ROW/    a line for each (point, replication, entity, peer, status) that has
 *                            values: point, replication, entity, peer (the group dealt with),
 *                            status, total, sum, min, max, all along `line`; compressed rows
 *   /breakdowns/group        names of the groups
 *   /trace/                  a line for each row of the trace: point, replication, entity, time,
 *                            kind, request, attempt, wait, total, status, error, all along `line`
 *   /series/interval         dimension: starts of the intervals; /series/interval_length
 *   /series/TYPE/ROW         [point, replication, entity, interval], counters; gauges and
 *                            histograms as groups, the latter's rows merged over replications
 *
 * A group in which a dataset stands links to the dimensions of its datasets, so that each can be
 * opened by itself in software for netCDF-4 and has labels on all axes.
 *
 * Compressed rows: `offsets` has one number more than there are rows. Row k, the histogram of
 * (point p, replication r, entity e) with k = (p * replications + r) * entities + e, consists of
 * bin[i], count[i] for offsets[k] <= i < offsets[k + 1]. In /series row k is that of (point p,
 * entity e, interval t) with k = (p * entities + e) * intervals + t. In /breakdowns row k is that
 * of line k.
 *
 * Lines are in order of point, replication, number of the entity; those of a breakdown then in
 * order of peer and status, those of the trace in order of time.
 *
 * What was measured in nanoseconds has the units "ns", which readers of time leave alone: such
 * numbers stay integers.
 */
#ifndef SQUALL_RESULTS_LAYOUT_H
#define SQUALL_RESULTS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/stat_spec.h"

#define LAYOUT_FILETYPE "squall-results"
enum {
    LAYOUT_MAJOR = 1, /* readers need the same */
    LAYOUT_MINOR = 3, /* readers need none: what a higher one adds can be passed over */
};

/* One dataset of a statistics row. */
struct layout_column {
    const char *section; /* the group below the root; ends a list when NULL */
    const char *leaf;    /* below the row's group; NULL: the dataset is called by the row */
    const char *what;    /* of the row is in it; NULL: the row's own doc says it */
    const char *unit;    /* NULL: the row's; LAYOUT_INTEGRAL: the row's times ns */
    const char *merge;   /* how two of them make one: "sum", "min", "max" */
};
#define LAYOUT_INTEGRAL "*"

/* The group below the root that the rows of a kind have. */
const char *layout_section(enum stat_kind kind);

/* The columns of a row, of the whole run or by interval; ends with a section of NULL. Breakdowns
 * have none. */
const struct layout_column *layout_columns(enum stat_kind kind, bool series);

/* Each writes into `text` (always terminated) and returns it. */
char *layout_path(const struct layout_column *c, const char *type, const char *row, char *text,
                  size_t size);
char *layout_unit(const struct layout_column *c, const struct stat_spec *row, char *text,
                  size_t size);
char *layout_long_name(const struct layout_column *c, const struct stat_spec *row, char *text,
                       size_t size);

/* The word for a status, or for the enum attempt_error below 100 that stands in its place:
 * "overloaded", "error_timeout"; "" where there is none. */
char *layout_status(unsigned status, char *text, size_t size);

/* The group of a row's compressed rows, in "histograms" or "series". */
char *layout_rows_path(bool series, const char *type, const char *row, char *text, size_t size);

/* A dataset that does not come from a row. */
struct layout_named {
    const char *path, *unit, *long_name;
};
enum layout_run {
    LAYOUT_STATUS, /* place in run_status_names */
    LAYOUT_EVENTS,
    LAYOUT_SIM_END,
    LAYOUT_DIGEST,
    LAYOUT_TRIPPED, /* this and the next: since minor version 1 */
    LAYOUT_DROPPED,
    LAYOUT_WARMUP,  /* since minor version 2 */
    LAYOUT_WALL,    /* this and what follows is provenance */
    LAYOUT_SESSION, /* since minor version 2 */
    LAYOUT_RUNS
};
extern const struct layout_named layout_runs[LAYOUT_RUNS]; /* [point, replication] */

enum layout_rows { LAYOUT_OFFSETS, LAYOUT_BIN, LAYOUT_COUNT, LAYOUT_ROWS };
extern const struct layout_named layout_rows[LAYOUT_ROWS]; /* paths below the rows' group */

/* Columns of lines; their paths are below the group. Where the unit is NULL, it is that of the
 * statistic, which is also what the value is of. */
enum layout_entry {
    LAYOUT_ENTRY_POINT,
    LAYOUT_ENTRY_REPLICATION,
    LAYOUT_ENTRY_ENTITY,
    LAYOUT_ENTRY_PEER,
    LAYOUT_ENTRY_STATUS,
    LAYOUT_ENTRY_TOTAL,
    LAYOUT_ENTRY_SUM,
    LAYOUT_ENTRY_MIN,
    LAYOUT_ENTRY_MAX,
    LAYOUT_ENTRIES
};
extern const struct layout_named layout_entries[LAYOUT_ENTRIES];
enum layout_trace {
    LAYOUT_TRACE_POINT,
    LAYOUT_TRACE_REPLICATION,
    LAYOUT_TRACE_ENTITY,
    LAYOUT_TRACE_TIME,
    LAYOUT_TRACE_KIND,
    LAYOUT_TRACE_REQUEST,
    LAYOUT_TRACE_ATTEMPT,
    LAYOUT_TRACE_WAIT,
    LAYOUT_TRACE_TOTAL,
    LAYOUT_TRACE_STATUS,
    LAYOUT_TRACE_ERROR,
    LAYOUT_TRACES
};
extern const struct layout_named layout_traces[LAYOUT_TRACES];
#define LAYOUT_TRACE    "trace"
#define LAYOUT_AXES     "axes"
#define LAYOUT_DESIGNS  "designs" /* since minor version 3 */
#define LAYOUT_GROUPS   "breakdowns/group"
#define LAYOUT_SESSIONS "provenance/sessions" /* since minor version 2 */
#define LAYOUT_NOTES    "provenance/notes"    /* likewise */

#define LAYOUT_NO_SESSION UINT64_MAX /* in LAYOUT_SESSION */

enum layout_note {
    LAYOUT_NOTE_POINT,
    LAYOUT_NOTE_REPLICATION,
    LAYOUT_NOTE_TEXT,
    LAYOUT_NOTE_COLUMNS
};
extern const struct layout_named layout_notes[LAYOUT_NOTE_COLUMNS];

#define LAYOUT_SEARCH "search"

enum { LAYOUT_PATH = 512 }; /* [B] room for any path, unit or long name */

#endif
