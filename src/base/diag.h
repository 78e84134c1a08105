/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's mistakes. A leaf says only what is wrong ("0 is below 1"); diag adds where
 * (file:line:column) and what (the key path), collects everything, and prints it sorted by place:
 *
 *   storm.yaml:14:7: entities.web.concurrency: 0 is below 1
 *   storm.yaml:17:5: entities.db.timout: unknown key (did you mean 'timeout'?)
 */
#ifndef SQUALL_BASE_DIAG_H
#define SQUALL_BASE_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"

struct node;

struct diag {
    struct arena memory; /* owned */
    struct diag_entry *first, *last;
    size_t errors, warnings;
};

/* A diag set to zero is open and empty. */
void diag_close(struct diag *d);

/* An error at a value. `at` NULL: an error without a place. */
void diag_error(struct diag *d, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* An error at a key (unknown, duplicate, missing beside its siblings). */
void diag_error_key(struct diag *d, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* An error when the list under `key` of `at`, for what there may be or not, has more than one item.
 */
void diag_at_most_one(struct diag *d, const struct node *at, const char *key, uint32_t count);

/* An error at a place that is no node (a syntax error); line 0: the file as a whole. */
void diag_error_place(struct diag *d, const char *file, int line, int column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Something worth knowing that does not prevent the run. */
void diag_warning(struct diag *d, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes over the errors of another one that are not there yet, word for word; what comes new is
 * told with the note, "" for none, behind it. After a good number of them no more are taken:
 * whoever asks is told of the same mistakes again and again. */
void diag_join(struct diag *d, const struct diag *from, const char *note);

/* Takes the notes off those that came that many times. */
void diag_drop_notes(struct diag *d, size_t times);

/* Takes over the warnings of another one, or, unless it is the `first`, drops those that the other
 * one does not have: what is left is true of all that were shared. */
void diag_share_warnings(struct diag *d, const struct diag *from, bool first);

/* Prints all entries sorted by file, line and column, at most `most` errors (0: all) and then the
 * number left out. Warnings carry "warning: " before the message. */
void diag_print(const struct diag *d, FILE *out, size_t most);

/* The path of a node, keys joined by dots and places in brackets: "entities.web.calls[0].target".
 * In `arena`; "" at the root. */
const char *diag_path(struct arena *arena, const struct node *at);

/* The candidate nearest to `name`: the same in another case, or by edit distance, or the only one
 * that `name` begins. NULL when none is near enough to suggest (more than a third of the letters,
 * at least 2, would change). `names` ends with NULL. */
const char *diag_nearest(const char *name, const char *const *names);

#endif
