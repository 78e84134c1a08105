/* SPDX-License-Identifier: Apache-2.0
 *
 * An axis: one dotted path of the configuration, and the values that a sweep gives it. Values are
 * written one by one, or made from a range. They are nodes, put into the configuration's tree by
 * config/override.h; a value that was made stands where its range is written, so that whatever is
 * wrong with it later is told there.
 *
 * Ranges are of durations, rates, sizes, throughputs or plain numbers (base/units.h), and values
 * are written back as texts of the same quantity. Values between the ends are rounded to 12 digits,
 * durations to the nanosecond: 0.3, not 0.30000000000000004.
 */
#ifndef SQUALL_MODEL_AXIS_H
#define SQUALL_MODEL_AXIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/schema.h"
#include "base/tree.h"
#include "base/units.h"

enum { AXIS_MOST_VALUES = 1000000 }; /* that are made from ranges, in one sweep */

/* Everything lies in the arena of the reader. */
struct axis {
    const char *path;                 /* as written */
    const struct node *at;            /* under whose key the path is written */
    uint64_t n;                       /* number of values */
    const struct node *const *values; /* with the places where they are written */
    const char *const *texts;         /* the values on one line each, for people: "550/s" */
    const double *numbers;            /* the values [unit]; NULL unless all are numbers of one
                                         quantity */
    const char *unit;                 /* of `numbers`: "s", "1/s", "B", "B/s" or "1"; else "" */
    const uint32_t *order;            /* the value at each level of the axis' factor; NULL: at level
                                         i it is value i */
    uint32_t factor;                  /* place among the factors of its sweep */
};

/* A number on an axis of this unit (see above) for people to look at: whole numbers as they are,
 * others rounded to four digits. */
struct units_text axis_write(double value, const char *unit);

/* A value of an axis for people to look at: as written, or as axis_write has it where that is
 * rounded. In `arena`, or the axis' own. */
const char *axis_text(const struct axis *axis, uint64_t value, struct arena *arena);

/* Reads one as a configuration has it. NULL, or the reason why the text is refused, in `arena`. */
const char *axis_read_number(const char *text, const char *unit, struct arena *arena,
                             double *value);

enum range_scale { RANGE_LINEAR, RANGE_LOG };

struct range {
    const char *from, *to; /* as written */
    int64_t steps;         /* only in range_schema */
    int scale;             /* enum range_scale */
    bool round;            /* to whole numbers */
    /* Derived: */
    const char *quantity;  /* unit under which base/units.h knows it */
    double first, last;    /* the ends [quantity] */
    const struct node *at; /* where it is written */
};

extern const struct schema range_schema; /* struct range: so many steps from end to end */
extern const struct schema span_schema;  /* struct range: anything between the ends */

/* The value at `share`, 0 to 1, of the way from end to end: a scalar in `arena` that stands where
 * the range does. Its number [range_unit] goes to `number`. */
const struct node *range_value(const struct range *r, double share, struct arena *arena,
                               double *number);

/* As struct axis has it. */
const char *range_unit(const struct range *r);

struct axis_reader {
    struct arena *arena;
    struct diag *diag;
    uint64_t left; /* values that may still be made */
};

/* Reads the values that stand at a path: a list, a range with steps, or a single value. False after
 * errors. All but `order` and `factor` of the axis is set. */
bool axis_read(struct axis_reader *r, const struct node *at, struct axis *axis);

/* The same of an axis whose `n` levels are drawn: from a range without steps, or from a list, the
 * items of which are equally likely. `u` are numbers between 0 and 1, each `stride` places from the
 * one before. Of a list, `order` is set, too. */
bool axis_draw(struct axis_reader *r, const struct node *at, const double *u, uint64_t n,
               uint32_t stride, struct axis *axis);

/* The same, but a number is a share of the way from end to end, of a list from the first item to
 * the last: 0 and 1 are the ends, and whatever lies between is rounded to the nearest value. */
bool axis_place(struct axis_reader *r, const struct node *at, const double *share, uint64_t n,
                uint32_t stride, struct axis *axis);

/* The same of `n` values given, at least one, which are kept. */
void axis_give(struct axis_reader *r, const struct node *at, const struct node *const *values,
               uint64_t n, struct axis *axis);

#endif
