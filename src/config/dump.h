/* SPDX-License-Identifier: Apache-2.0
 *
 * Bound structs back to YAML: every value, given or not, as text that reads back to the same
 * values. Lines whose key was not given end in "# default".
 */
#ifndef SQUALL_CONFIG_DUMP_H
#define SQUALL_CONFIG_DUMP_H

#include <stdio.h>

#include "base/schema.h"
#include "base/tree.h"

/* Writes the rows of several schemas (ended by NULL), each with its struct, as the lines of one
 * block mapping, indented by `indent` spaces. `given` is the node they were read from, or NULL when
 * nothing was given. Writes nothing when there are no rows. */
void dump_block(FILE *out, const struct schema *const *schemas, const void *const *values,
                const struct node *given, int indent);

/* Writes a tree on one line, in flow style. */
void dump_node(FILE *out, const struct node *n);

/* Writes a text as a scalar, in quotes where it needs them. */
void dump_text(FILE *out, const char *text);

#endif
