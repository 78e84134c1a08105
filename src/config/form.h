/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms in which a block or a choice may be written (base/schema.h lists them), taken apart:
 * where the value of each row stands. Binding asks it to read the values, the dump to tell which
 * of them were given. Nothing is reported here.
 */
#ifndef SQUALL_CONFIG_FORM_H
#define SQUALL_CONFIG_FORM_H

#include <stdbool.h>

#include "base/schema.h"
#include "base/tree.h"

struct form {
    const struct node *keys;   /* the mapping whose keys are rows, or NULL */
    const struct node *beside; /* the mapping around it, whose keys may be common rows, or NULL */
    const struct node *bare;   /* the value of the first row, or NULL */
    const struct node *places; /* the sequence that gives the rows in order, or NULL */
    const struct param_spec *rows;
    /* Of a choice: */
    const struct alternative *alternative; /* NULL: none of the choice's */
    const struct node *named_by;           /* the node or key that names the alternative, or NULL */
};

/* No form fits when `keys`, `bare` and `places` are all NULL. */
struct form form_of_block(const struct schema *schema, const struct node *at);
struct form form_of_choice(const struct choice *choice, const struct node *at);

/* The node that gives this row, one of the form's rows or (`common`) of the choice's; NULL: none.
 */
const struct node *form_value(const struct form *f, const struct param_spec *row, bool common);

/* The first row that is written, which is not of kind KEY; NULL: none. */
const struct param_spec *form_first_row(const struct param_spec *rows);

const struct alternative *form_alternative(const struct choice *choice, const char *name);

/* The row under this key, or NULL; `rows` may be NULL. */
const struct param_spec *form_row(const struct param_spec *rows, const char *key);

/* Whether the value of a LIST is a sequence of items, rather than one of them bare. A sequence is
 * one item when that gives its rows in order: `[0s, 500/s]`, not `[[0s, 500/s], [1s, 800/s]]`. */
bool form_is_items(const struct schema *item, const struct node *at);

/* Whether every row has a default; `rows` may be NULL. */
bool form_all_optional(const struct param_spec *rows);

#endif
