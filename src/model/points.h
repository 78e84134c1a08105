/* SPDX-License-Identifier: Apache-2.0
 *
 * The points of a study: one, or those of its sweep. Every point is a study of its own, the same
 * configuration with other values. Of the first the resolved text is kept, of the others what is
 * different there (model/patch.h), and of each the hash of its text. That is enough to make any of
 * them anew, on another rank or another day, without the files it was first read from, and to know
 * it for the same; so studies are made when somebody asks for them, and one is held at a time.
 *
 * All points have the same groups of entities, with the same statistics and series, so that results
 * of all fit into one file. How many instances a group has may differ.
 */
#ifndef SQUALL_MODEL_POINTS_H
#define SQUALL_MODEL_POINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/study.h"
#include "model/sweep.h"

struct point {
    uint64_t hash;     /* of its resolved text: plan_hash */
    uint64_t events;   /* expected of a replication, roughly; 0: not known */
    const char *patch; /* what it has in place of the first point's resolved text */
};

/* Looks at the study of each point while all are being read, and may fill in what is expected of
 * it. */
struct points_visitor {
    void (*visit)(void *context, const struct study *s, struct point *point, uint64_t k,
                  uint64_t n);
    void *context;
};

struct points {
    struct arena memory;  /* owned: the texts */
    const char *config;   /* text as given; NULL once restored */
    const char *resolved; /* text of the first point */
    const char *sweep;    /* the block, on a line of its own; "" without one */
    struct point *items;  /* owned */
    uint64_t n;
    uint32_t *counts;  /* owned; of every group: the most instances that it has at a point */
    bool uneven;       /* they are not the same at all points */
    struct sweep axes; /* read from the block */
    const struct entity_type *const *registry; /* not owned */
    struct study *held;                        /* owned; NULL: none */
    uint64_t at;                               /* whose study that is */
};

/* Reads every point of a configuration, mistakes of all into `diag`, each told once. False after
 * errors; nothing is left open then. The first point's study is held afterwards. `visitor` may be
 * NULL. */
bool points_load(struct points *p, const char *path, const char *const *overrides,
                 const struct entity_type *const *registry, struct diag *diag,
                 const struct points_visitor *visitor);

/* Takes up points that were loaded elsewhere: `resolved`, `sweep`, `items`, `n`, `counts` and
 * `uneven` are given, and copied. False: they are not understood. */
bool points_restore(struct points *p, const struct points *from,
                    const struct entity_type *const *registry, struct diag *diag);

/* Reads the axes alone, from `sweep`, for points that were loaded elsewhere and whose models nobody
 * wants: enough for points_name. False: they are not understood. */
bool points_axes(struct points *p, struct arena *arena, struct diag *diag);

void points_close(struct points *p);

/* A sweep of one point that changes nothing: of a text that has its values already. */
extern const struct sweep points_alone;

/* The study of a point, until the next call. NULL: it cannot be made as it was, because this
 * program understands configurations differently. */
const struct study *points_study(struct points *p, uint64_t point);

/* A number that two studies share when all of their points give the same results. */
uint64_t points_hash(const struct points *p);

/* The groups of all points, in `b`: the held study's with as many instances as any point has. What
 * else a blueprint has is left out. Needs `counts`. The array of groups is in `arena`. */
void points_whole(const struct points *p, struct arena *arena, struct blueprint *b);

/* "users.arrivals.rate=550/s, web.concurrency=8": what a point has on the axes but `except`, which
 * may be NULL; "" without any. In `arena`. */
const char *points_name(const struct points *p, uint64_t point, const struct axis *except,
                        struct arena *arena);

#endif
