/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference of the configuration, written from the rows: as plain text, as Markdown tables, and
 * as JSON Schema (draft 2020-12). Every schema and choice is an entry of its own, to which others
 * refer by name, so names must be unique among all that are added to one reference. The caller
 * composes the document.
 */
#ifndef SQUALL_CONFIG_REFERENCE_H
#define SQUALL_CONFIG_REFERENCE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/schema.h"

/* A schema or a choice; the other is NULL. */
struct reference_item {
    const struct schema *schema;
    const struct choice *choice;
    struct reference_item *next;
};

/* Entries in order of mention. Set to zero apart from the arena, it is empty. */
struct reference {
    struct arena *arena;
    struct reference_item *first, *last;
};

/* Adds an entry and all that its rows lead to, unless it is there already. */
void reference_add_schema(struct reference *r, const struct schema *schema);
void reference_add_choice(struct reference *r, const struct choice *choice);

/* One entry: a paragraph for the terminal; a section with the heading `## name` or deeper, by
 * `level`, and tables. */
void reference_text(const struct reference_item *item, FILE *out);
void reference_markdown(const struct reference_item *item, int level, FILE *out);

/* For the terminal: the keys of this name that an entry has, each below where it stands. False:
 * there are none, and nothing is written. */
bool reference_text_key(const struct reference_item *item, const char *name, FILE *out);

/* The members of "$defs", one per entry, without the braces around them. */
void reference_json_defs(const struct reference *r, FILE *out);

/* The JSON schema of a mapping that holds the rows of several schemas (ended by NULL) and, unless
 * `key` is NULL, a `key` whose value is `word` (as `type: server`). */
void reference_json_block(const struct schema *const *schemas, const char *key, const char *word,
                          FILE *out);

/* The JSON schema of the value of one row. */
void reference_json_value(const struct param_spec *row, FILE *out);

#endif
