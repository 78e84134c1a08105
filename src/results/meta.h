/* SPDX-License-Identifier: Apache-2.0
 *
 * What a study is, as its journals and its results file tell it: texts and numbers that do not
 * depend on which rank runs what, but for the one that tells of the ranks. And its model, by which
 * records are understood: every point of a sweep has its own.
 */
#ifndef SQUALL_RESULTS_META_H
#define SQUALL_RESULTS_META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/simtime.h"
#include "engine/blueprint.h"
#include "model/points.h"
#include "results/buffer.h"
#include "results/error.h"

struct results_meta {
    const char *name;                  /* of the study */
    const char *config;                /* as the user wrote it */
    const char *overrides;             /* one "path=value" a line, in order; NULL or "" without */
    const char *resolved;              /* with every default filled in */
    const char *command;               /* the command line that began the study */
    const char *software;              /* version, for instance "squall 0.1.0" */
    const char *git;                   /* commit */
    const char *parallel;              /* what running on several ranks cost, one "key value" a
                                          line; NULL or "": nothing is told */
    uint64_t plan_hash;                /* two plans are the same iff it is */
    uint64_t seed;                     /* of the study */
    uint64_t n_points;                 /* of the sweep; 1 without one */
    uint64_t n_replications;           /* of a point, at most */
    uint32_t shard, shards;            /* that a journal is of, from 1 on; 0 of 0: of all */
    sim_time end, warmup, interval;    /* [ns] as in struct sim_options */
    const struct blueprint *blueprint; /* not owned; which groups there are, with as many instances
                                          as at any point, and which are sampled */
    struct points *points;             /* not owned; NULL: the blueprint is the model itself */
};

/* Everything but the blueprint, which whoever reads a journal draws anew, and `parallel`, which is
 * known only in the end. */
void meta_encode(const struct results_meta *meta, struct buffer *to);

/* Texts are copied into `arena`; `blueprint` and `parallel` are NULL. `points` are given as texts
 * only, in `arena` too, for points_restore. False: these bytes are no meta. */
bool meta_decode(struct bytes *from, struct arena *arena, struct results_meta *meta);

/* What differs between the plans of two studies, a line for each thing, "  path: 4 -> 8" and a
 * line's end before it; "" when nothing is found. At most `most` lines. In `arena`. */
const char *meta_changes(const struct results_meta *before, const struct results_meta *after,
                         size_t most, struct arena *arena);

/* The model of a point, until it is asked for another one. NULL: it cannot be made; see `e`. */
const struct blueprint *meta_model(const struct results_meta *meta, uint64_t point,
                                   struct results_error *e);

#endif
