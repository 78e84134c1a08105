/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a tree of nodes into structs, as rows of base/schema.h say: all kinds and written forms
 * listed there, defaults (text of the row, read by the same code), bounds, and every mistake in one
 * go. Values that hold nodes (REF, RAW) refer to the tree given.
 */
#ifndef SQUALL_CONFIG_BIND_H
#define SQUALL_CONFIG_BIND_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/schema.h"
#include "base/tree.h"

struct binder {
    struct arena *arena; /* items of lists and texts are put here */
    struct diag *diag;
};

/* Reads one block into the struct at `out`. Members without a row are left alone. True without
 * errors; `derive` has been called then. */
bool bind_block(const struct schema *schema, const struct node *at, void *out, struct binder *b);

/* One mapping that holds the rows of several schemas (ended by NULL), each with a struct of its
 * own. No two of them may have a row of the same name. */
bool bind_rows(const struct schema *const *schemas, void *const *outs, const struct node *at,
               struct binder *b);

/* Reads the value of one row into its member of the struct at `base`, from `at` or, when that is
 * NULL, from the row's default, which it must have then. `block` is the node that would hold the
 * row; it lends a default its path in messages and may be NULL. */
bool bind_value(const struct param_spec *row, const struct node *at, const struct node *block,
                void *base, struct binder *b);

#endif
