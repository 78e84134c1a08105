/* SPDX-License-Identifier: Apache-2.0
 *
 * The `sweep` block: which points of its configuration a study visits.
 *
 *   sweep:
 *     users.arrivals.rate: {from: 500/s, to: 1000/s, steps: 11}    # a range
 *     users.call.retry.max_attempts: [1, 2, 4, 8]                  # a list; items may be mappings
 *     web.concurrency: 8                                           # one value
 *     zip: {web.count: [1, 2, 4], web.concurrency: [32, 16, 8]}    # side by side
 *     list: [{web.queue: 10, db.count: 1}, {web.queue: 50, db.count: 2}]    # points written out
 *     lhs: {points: 100, axes: {web.timeout: {from: 10ms, to: 1s, scale: log}, db.count: [1, 2]}}
 *
 *     morris: {trajectories: 20, levels: 4, axes: {...}}    # which settings matter, for few points
 *     saltelli: {points: 256, axes: {...}}                  # how much each, for more of them
 *
 * A factor is what varies by itself: a path alone, or the paths of a zip, a list or a design
 * (random, lhs, sobol, niederreiter; morris, saltelli). The points are the product of the factors,
 * the last one written varying fastest, numbered from 0. Without a sweep there is one point.
 */
#ifndef SQUALL_MODEL_SWEEP_H
#define SQUALL_MODEL_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/schema.h"
#include "base/tree.h"
#include "model/axis.h"

enum {
    SWEEP_MOST_AXES = 1000,
    SWEEP_MOST_POINTS = 10000000,
};

/* A design whose levels, in their order, belong together (rng/cube.h): `morris`, trajectories of
 * n_axes + 1 points each, or `saltelli`, rows of n_axes + 2 points each. */
struct sweep_design {
    const char *kind;            /* its word */
    uint64_t size;               /* trajectories or rows */
    uint64_t grid;               /* levels of morris; else 0 */
    uint64_t seed;               /* as written */
    uint32_t first_axis, n_axes; /* its axes among those of the sweep */
    const double *unit;          /* the level's coordinates in the unit cube, n_axes for each */
};

struct sweep_factor {
    uint64_t n;                        /* levels */
    uint64_t stride;                   /* points one after the other that have the same level */
    const struct node *at;             /* where it is written */
    const struct sweep_design *design; /* NULL: its levels have no order to be known */
};

/* Zero, apart from `n_points`, when nothing is swept. */
struct sweep {
    struct axis *axes; /* in the order written */
    uint32_t n_axes;
    struct sweep_factor *factors; /* in the order written */
    uint32_t n_factors;
    uint64_t n_points; /* at least 1 */
};

extern const struct schema sweep_schema; /* what stands in a sweep beside paths */

/* The block with one more mapping from paths to values behind it; `block` may be NULL. */
struct node *sweep_with(const struct node *block, const struct node *more, struct arena *arena);

/* Reads the block, or none when it is NULL or empty. Everything lies in the arena, and refers to
 * the tree of the block, which must not change. Whether the paths lead anywhere, and whether the
 * values do there, is not known here. False after errors; there is one point then. */
bool sweep_read(const struct node *block, struct arena *arena, struct diag *diag,
                struct sweep *out);

/* Which of the factor's levels the point has. */
uint64_t sweep_level(const struct sweep *s, uint64_t point, uint32_t factor);

/* Which of the axis' values the point has. */
uint64_t sweep_value(const struct sweep *s, uint64_t point, uint32_t axis);

#endif
