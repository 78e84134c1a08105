/* SPDX-License-Identifier: Apache-2.0
 *
 * What a study will take, told before it is run: events, time, memory and bytes on the disk. First
 * by the traffic equations (parallel/flow.h), which know nothing of retries; then corrected by
 * short runs of a few points on this machine. Other points are taken to be as these are:
 *
 *   events of a replication = expected * ratio,       ratio = events seen over events expected
 *   time of a replication   = events * ns + overhead
 *
 * where the ratio, ns and the rest lie between those of the points next in the order of expected
 * events that were run, in proportion to the places between. Nothing here is collective.
 *
 *   points_load(..., a visitor that calls forecast_note(&f, ...));
 *   forecast_calibrate(&f, &points, ...);    or not: expectations alone are the same anywhere
 *   forecast_conclude(&f);
 */
#ifndef SQUALL_EXPERIMENT_FORECAST_H
#define SQUALL_EXPERIMENT_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "model/points.h"

enum {
    FORECAST_RUNS = 20,            /* points that are run, at most ... */
    FORECAST_RUNS_LEAST = 3,       /* ... and, however long it takes, at least */
    FORECAST_ENTITY_BYTES = 700,   /* of an entity with its statistics, about: squall bench idle */
    FORECAST_FILE_BYTES = 1000000, /* of a results file beside what is in records, at most */
    FORECAST_RANK_BYTES = 10000000 /* of a rank, more than here: MPI and HDF5, about */
};

struct forecast_point {
    double expected;   /* events of a replication, by the traffic equations */
    sim_time duration; /* [ns] simulated */
    uint32_t entities;
    double plan; /* [B] of the blueprint */
    /* Concluded: */
    double events; /* of a replication */
    double ns;     /* [ns] of one core for it */
    double memory; /* [B] of the model while it runs, the blueprint among it */
    double record; /* [B] of its results; 0: not known */
    bool ran;      /* it was one of those that were run */
};

/* One point, run for a short while. */
struct forecast_run {
    uint64_t point;
    uint64_t replications; /* that were begun */
    double share;          /* of their time that was seen, 0 to 1; 1: they came to their ends */
    bool stuck;            /* events went on without time passing */
    bool tripped;          /* a failure budget was spent */
    uint64_t seen;         /* events handled, in all */
    double events;         /* of a replication */
    double ratio;          /* of these to those expected; NAN: none were */
    double ns;             /* [ns] an event; NAN: there was none */
    double overhead;       /* [ns] a replication, besides events */
    double memory;         /* [B] of the simulation at the end of the replication, or so far */
    double record;         /* [B] */
};

struct forecast {
    uint64_t n;               /* points */
    uint64_t replications;    /* of a point, at most */
    uint64_t min;             /* ... and at least */
    bool at_most;             /* rules decide how many there are, or a search where */
    uint64_t levels, visited; /* of a search: points of each, and how many it visits at most; 0:
                                 nothing is searched */
    bool pilots;              /* one more for each point finds out its warm-up */
    struct forecast_point *points; /* owned */
    uint64_t *order;               /* owned; as they are handed out, the most expected first */
    struct forecast_run runs[FORECAST_RUNS]; /* in that order */
    uint32_t n_runs;
    uint64_t run_ns;          /* [ns] spent on them */
    double resident, address; /* [B] of this process when no model runs: memory, address space */
    double reserved;          /* [B] of address space for a model, at most; 0: not known */
    /* Concluded, of the whole study; of a search as if it visited dear and cheap levels alike: */
    double events;
    double ns, ns_low, ns_high; /* [ns] of one core; all points like the fastest run, the slowest */
    double memory;              /* [B] of the largest model */
    double records;             /* [B] of all records; 0: not known */
};

/* Events of a replication by the traffic equations. */
double forecast_expect(const struct study *s);

/* Notes what there is to know of point `k` of `n`. May be called again for the same. */
void forecast_note(struct forecast *f, const struct study *s, uint64_t k, uint64_t n);
void forecast_close(struct forecast *f);

/* Notes what the points that were read are run for: before any conclusion. */
void forecast_goals(struct forecast *f, const struct points *points);

/* Runs some points, or all of few: the costliest and the cheapest, one in the middle, and as many
 * more between as there is time for, `budget_ns` in all; each for a share of that, one replication
 * as far as it gets or several if they are shorter. False: a study cannot be made again. */
bool forecast_calibrate(struct forecast *f, struct points *points, uint64_t budget_ns);

void forecast_conclude(struct forecast *f);

/* Replications in all, pilots among them; at most. */
uint64_t forecast_tasks(const struct forecast *f);

/* The place in `order` from which on points are `share` of the way, 0 (costliest) to 1. */
uint64_t forecast_place(const struct forecast *f, double share);

/* Puts the points in the order of what they will take, the most first: for tables. */
void forecast_rank(const struct forecast *f, uint64_t *order);

#endif
