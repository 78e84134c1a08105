/* SPDX-License-Identifier: Apache-2.0
 *
 * A record is one finished replication as bytes, the payload of a journal's frame:
 *
 *   format, point, replication, status, events, end of the run, when its budget was spent, end of
 *   the warm-up, digest,
 *   then for every entity, in the order of ids, every row of its type's statistics:
 *     counter    value
 *     gauge      time integral, maximum
 *     histogram  total, sum, min, max, number of buckets in use, then for each of them how many
 *                buckets were passed over and its count
 *     breakdown  number of entries, then for each of them, in order of (group, status), how many
 *                such pairs were passed over and what is said of a histogram
 *   then for every entity that keeps time series the number of intervals, and for each interval
 *   every row but breakdowns once more, as it was within the interval (of histograms only the
 *   buckets),
 *   then for every entity that is traced the number of rows dropped, that of rows kept, and for
 *   each of these the time and the request as differences from the row before, and what else there
 *   is in struct trace_row.
 *
 * All numbers are varints. Nothing in a record depends on where or when the replication ran, so
 * one that ran twice has the same bytes.
 */
#ifndef SQUALL_RESULTS_RECORD_H
#define SQUALL_RESULTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/blueprint.h"
#include "engine/sim.h"
#include "engine/trace.h"
#include "results/buffer.h"
#include "results/error.h"

/* The number of a replication that is no part of the results: it is run to see where its point's
 * warm-up ends, and its record is a head alone. */
#define RECORD_PILOT UINT64_MAX

/* How a replication ended; its place is written to files, so it never changes. */
enum run_status {
    RUN_OK,
    RUN_EVENT_LIMIT,    /* it took more events than allowed */
    RUN_WATCHDOG,       /* it took more time than allowed */
    RUN_BUDGET_TRIPPED, /* its failure budget was spent */
    RUN_FAILED,         /* for another reason */
    RUN_MISSING,        /* not run; only in results files */
    RUN_STATUSES
};
extern const char *const run_status_names[RUN_STATUSES];

struct record_head {
    uint64_t point, replication;
    enum run_status status;
    uint64_t events;  /* handled */
    sim_time sim_end; /* [ns] up to which it ran */
    sim_time tripped; /* [ns] when its failure budget was spent; 0: it was not */
    sim_time warmup;  /* [ns] from when on its statistics count */
    uint64_t digest;  /* of the events; see sim_digest */
};

/* Appends the record of the replication that `s`, which has the whole model, has finished. */
void record_encode(const struct record_head *head, const struct sim *s, struct buffer *to);

/* Appends the record of a pilot. */
void record_pilot(const struct record_head *head, struct buffer *to);

/* Appends the record of a replication of which no statistics are known: all of them are zero, and
 * there are no intervals. */
void record_blank(const struct record_head *head, const struct blueprint *b, struct buffer *to);

/* Appends what a simulation of a share of the model contributes to the record: for each of its own
 * entities, in the order of a record, the length of what the record says there, and just that. */
void record_piece(const struct sim *s, struct buffer *to);

/* Appends the record that all pieces make, the same bytes as if the model had run in one
 * simulation: pieces[p] is that of part p, `part_of` and `parts` are as in struct sim_share. The
 * pieces may have come from anywhere: if they are none of this model, `to` is left as it was. Of
 * the statistics themselves nothing is looked at. */
bool record_join(const struct record_head *head, const struct blueprint *b, const uint32_t *part_of,
                 const struct buffer *pieces, uint32_t parts, struct buffer *to,
                 struct results_error *e);

struct record_gauge {
    uint64_t integral; /* [level x ns] */
    int64_t max;
};
struct record_histogram {
    uint64_t total;
    uint64_t sum, min,
        max;               /* 0 while total is 0, and within an interval, where nobody keeps them */
    uint32_t n;            /* buckets in use; 0 also when only the figures above were kept */
    const uint32_t *bin;   /* ascending */
    const uint64_t *count; /* none is 0; their sum is `total` */
};

/* An entry of a breakdown. */
struct record_entry {
    struct breakdown_key key;
    struct record_histogram values; /* total is not 0 */
};

/* Whose number a visitor is given. */
struct record_place {
    uint32_t group, instance;
    uint32_t row;      /* of the type's statistics; of a trace 0 */
    uint32_t interval; /* RECORD_WHOLE: of the whole run, not of the series */
};
#define RECORD_WHOLE UINT32_MAX

/* What becomes of the numbers, in the order written. Memory of a histogram is valid during the
 * call. */
struct record_visitor {
    void (*counter)(void *context, const struct record_place *place, uint64_t value);
    void (*gauge)(void *context, const struct record_place *place, const struct record_gauge *g);
    void (*histogram)(void *context, const struct record_place *place,
                      const struct record_histogram *h);
    void (*entry)(void *context, const struct record_place *place, const struct record_entry *e);
    void (*trace)(void *context, const struct record_place *place, const struct trace_row *row);
    /* Rows of an entity's trace that were dropped; before those that were not. */
    void (*dropped)(void *context, const struct record_place *place, uint64_t n);
    void *context;
};

/* Reads the head of a record alone. */
bool record_head_decode(const void *data, size_t size, struct record_head *head,
                        struct results_error *e);

/* Walks a whole record. Any bytes may be given: those that are no record of this blueprint yield
 * false, possibly after some numbers were given to the visitor. */
bool record_decode(const void *data, size_t size, const struct blueprint *blueprint,
                   const struct record_visitor *visitor, struct record_head *head,
                   struct results_error *e);

#endif
