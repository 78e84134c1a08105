/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of rng/dist share and nobody else needs.
 */
#ifndef SQUALL_RNG_DIST_TABLE_H
#define SQUALL_RNG_DIST_TABLE_H

#include "rng/alias.h"
#include "rng/dist.h"

/* The longest duration in a law [ns], 104 days: doubles hold every whole number up to here. */
#define DIST_LONGEST 9e15

/* The largest weight of a branch, a law or a measured duration. */
#define DIST_HEAVIEST 1e12

/* The most durations a file may hold: they become part of the resolved configuration, which may not
 * have more than TREE_MAX_NODES nodes. */
enum { DIST_MOST_VALUES = 100000 };

/* `n` entries. Laws that pick (hyperexponential, zipf, empirical, mixture) have slots and chances
 * that add up to 1; percentiles have no slots, and their chances are those of not exceeding the
 * value, growing from 0 at entry 0 to 1 at the last. */
struct dist_table {
    uint32_t n;
    const struct alias_slot *slots;
    const double *chance;
    const double *value; /* [ns] of the entry, its mean, or NULL (mixture) */
    /* For picks by inversion, which paired streams make: the entries in ascending order, and the
     * chance of one of the first 1, 2, ... n of them, from the last that has a chance on 1. */
    const uint32_t *order;
    const double *up_to;
};

/* In `arena`, from weights >= 0 with a positive sum. `value` must be in the arena or NULL; `size`
 * is what the entries are ordered by, equal ones as they stand. */
const struct dist_table *dist_table_pick(struct arena *arena, uint32_t n, const double *weight,
                                         const double *value, const double *size);

/* The entry that a draw leads to: by the alias method, or by inversion of a paired stream. */
uint32_t dist_table_draw(const struct dist_table *t, struct rng_stream *s);

/* Reads d->file into d->values. False after an error, which is reported at `at` (the file as such)
 * or at its line. A relative path starts from the directory of the file in which `at` was written,
 * or, when that was no line of a file, from the current one. One entry a line, `duration` or
 * `duration,weight`; empty lines and lines that start with # are passed over. A duration is written
 * as in a configuration (20ms; a bare number is seconds, see base/units.h). */
bool dist_table_read(struct dist *d, const struct node *at, struct diag *diag, struct arena *arena);

#endif
