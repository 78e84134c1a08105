/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a table of given columns: a line for each row, its cells divided by commas. Empty lines
 * and those that begin with # are passed over, and so is a first line with the names of the
 * columns. What is wrong is told with file and line, of the first of many lines only.
 */
#ifndef SQUALL_BASE_CSV_H
#define SQUALL_BASE_CSV_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/tree.h"

enum { CSV_COLUMNS_MOST = 8 };

struct csv {
    const char *file;           /* NULL: a text that stands at `at` */
    const struct node *at;      /* not owned */
    const char *const *columns; /* their names; ends with NULL; not owned */
    int n;                      /* of them */
    int least;                  /* of the cells of a row: the last ones may be left off */
    int line;                   /* of the row read last, from 1 */
    int faults;
    bool headed;                   /* the first line was read */
    char *cells[CSV_COLUMNS_MOST]; /* of that row, without the spaces around them; NULL where it
                                      has none */
    FILE *in;                      /* owned */
    char *text;                    /* owned */
    size_t size;                   /* [B] of it */
    struct diag *diag;             /* not owned */
    struct arena scratch;          /* owned; until the end */
};

/* Opens the file that `at` names, as node_path takes it; every row needs all of its cells, unless
 * the caller sets `least`. False when it cannot be read, which is told, and then csv_close is not
 * to be called. */
bool csv_open(struct csv *c, const char *file, const struct node *at, const char *const *columns,
              struct diag *diag);

/* The same for a text at hand, which must outlive the table. */
void csv_open_text(struct csv *c, const char *text, const struct node *at,
                   const char *const *columns, struct diag *diag);

/* Reads the next row into c->cells; false at the end, or after too much that is wrong. */
bool csv_next(struct csv *c);

/* Tells what is wrong with the row read last. */
void csv_refuse(struct csv *c, const char *what);

/* True when nothing was wrong. */
bool csv_close(struct csv *c);

#endif
