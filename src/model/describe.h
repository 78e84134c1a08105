/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program can tell of its language and its statistics, from their rows: for the terminal,
 * as a page of Markdown, and as a JSON schema that editors check configurations with. All are
 * functions of the registry (struct entity_type, ended by NULL).
 */
#ifndef SQUALL_MODEL_DESCRIBE_H
#define SQUALL_MODEL_DESCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "engine/entity.h"

/* For the terminal: the keys of a configuration, and the types of entities. */
void describe_study(const struct entity_type *const *registry, FILE *out);

/* For the terminal: one type with its keys and statistics and the blocks that these lead to, or
 * one block; where neither is called `name`, all statistics and keys that are. False when there are
 * none of these either; nothing is written then. */
bool describe_entry(const struct entity_type *const *registry, const char *name, FILE *out);

/* The names of types, blocks and statistics, in this order, in `arena`; ends with NULL. */
const char *const *describe_names(const struct entity_type *const *registry, struct arena *arena);

void describe_markdown(const struct entity_type *const *registry, FILE *out);
void describe_json_schema(const struct entity_type *const *registry, FILE *out);

#endif
