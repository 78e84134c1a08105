/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML 1.1 text to a tree of nodes (base/tree.h), by the event interface of libyaml.
 *
 * One document. Keys are plain texts and unique in their mapping. An alias stands for a copy of
 * the anchored subtree, which keeps the places of the original; `<<` takes the keys of a mapping,
 * or of a sequence of mappings of which earlier ones win, that are not written beside it. Tags are
 * refused. Limits: YAML_MAX_BYTES of text; TREE_MAX_DEPTH and TREE_MAX_NODES after aliases.
 */
#ifndef SQUALL_CONFIG_YAML_H
#define SQUALL_CONFIG_YAML_H

#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/tree.h"

enum { YAML_MAX_BYTES = 16 << 20 };

/* The whole file as text, terminated, in `arena`. NULL after an error, which is in `diag`: it
 * cannot be read, or is larger than YAML_MAX_BYTES. */
const char *yaml_read_file(const char *path, size_t *length, struct arena *arena,
                           struct diag *diag);

/* The root, in `arena`; NULL after errors, all of which are in `diag`. The nodes' file is `name`.
 */
struct node *yaml_parse(const char *name, const char *text, size_t length, struct arena *arena,
                        struct diag *diag);

/* The same for text that has no lines the user could look up (an option, a default): all nodes
 * have line 0, and columns count from `column` for the first character. */
struct node *yaml_parse_line(const char *name, const char *text, int column, struct arena *arena,
                             struct diag *diag);

#endif
