/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables for the terminal, and how numbers with their uncertainty look in them: `14.29 ms ±0.05`,
 * in a unit that suits the value, the uncertainty with one or two digits (two where it begins with
 * 1 or 2) and the value with as many. Columns line up at the ±. Nothing depends on the locale; text
 * is UTF-8.
 */
#ifndef SQUALL_CLI_TABLE_H
#define SQUALL_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"

enum { TABLE_WIDTH = 100 }; /* columns of a terminal, unless a table is given more */

/* Zero is an empty table. */
struct table {
    struct arena memory;    /* owned */
    struct table_row *rows; /* in `memory`, as are all texts */
    size_t n_rows, room;
    size_t width; /* columns that it keeps within, if it can; 0: TABLE_WIDTH */
};
void table_close(struct table *t);

/* As many columns as the terminal at `out` has; TABLE_WIDTH where there is none. */
size_t table_room(FILE *out);

/* Begins a row with a label; a head begins a section, with the names of what stands below, and may
 * have several lines. The columns of all sections line up. */
void table_head(struct table *t, const char *label);
void table_row(struct table *t, const char *label);

/* Adds a cell to the last row. */
void table_text(struct table *t, const char *text);

/* Adds `value` in `unit` ("ns", "B", "1", each also with "/s"), followed by its uncertainty in the
 * same unit: NAN where there is none to speak of (the value is exact), INFINITY where it is not
 * known ("±?"). A `value` of NAN is shown as "-". `mark` (may be "") goes behind. */
void table_figure(struct table *t, double value, double uncertainty, const char *unit,
                  const char *mark);

/* The same for how much larger something is: what is above zero has a plus. */
void table_change(struct table *t, double value, double uncertainty, const char *unit,
                  const char *mark);

/* Prints the rows, indented, labels to the left and cells to the right, with an empty line between
 * sections. A table that would be wider than it may be goes on below itself with the columns that
 * are left. */
void table_print(const struct table *t, FILE *out);

#endif
