/* SPDX-License-Identifier: Apache-2.0
 *
 * What a study is, as its journals and its results file tell it: texts and numbers that do not
 * depend on which rank runs what, but for the one that tells of the ranks.
 */
#ifndef SQUALL_RESULTS_META_H
#define SQUALL_RESULTS_META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/simtime.h"
#include "results/buffer.h"

struct blueprint;

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
    uint64_t n_replications;           /* of every point */
    sim_time end, warmup, interval;    /* [ns] as in struct sim_options */
    const struct blueprint *blueprint; /* not owned; the model, and which groups are sampled */
};

/* Everything but the blueprint, which whoever reads a journal draws anew from `config`, and
 * `parallel`, which is known only in the end. */
void meta_encode(const struct results_meta *meta, struct buffer *to);

/* Texts are copied into `arena`; `blueprint` and `parallel` are NULL. False: these bytes are no
 * meta. */
bool meta_decode(struct bytes *from, struct arena *arena, struct results_meta *meta);

#endif
