/* SPDX-License-Identifier: Apache-2.0
 *
 * One value of the tree replaced or added before it is read: by `--set PATH=VALUE`, or by a sweep,
 * which has the value as a node.
 *
 * PATH is keys joined by dots, with places of sequences in brackets: `users.call.timeout`,
 * `timeline[0].at`. `entities.` may be left out in front of the name of an entity. Mappings on the
 * way that are not there yet are made. VALUE is YAML: `web.service_time={exponential: 20ms}`.
 *
 * Of an option, the nodes' file is the whole of it ("--set web.concurrency=0") and their line 0, so
 * messages read `--set web.concurrency=0: entities.web.concurrency: 0 is below 1`. Of a sweep,
 * nodes stand where they are written there.
 */
#ifndef SQUALL_CONFIG_OVERRIDE_H
#define SQUALL_CONFIG_OVERRIDE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/tree.h"

/* Whether a path, alone or before a '=', begins with this key. */
bool override_of(const char *path, const char *key);

/* Whether it changes policies or which of them are used, so that it must be applied before they are
 * expanded: it leads into `policies`, or to a `policy`. A path, alone or with `=VALUE`. */
bool override_of_policies(const char *path);

/* `top_keys`, ended by NULL, are the keys that may stand at the root, whether they do or not. */
bool override_apply(struct node *root, const char *assignment, const char *const *top_keys,
                    struct arena *arena, struct diag *diag);

/* The same for a path alone and a value, of which a copy is put in, places and all. What is wrong
 * with the path is told at the value. */
bool override_value(struct node *root, const char *path, const struct node *value,
                    const char *const *top_keys, struct arena *arena, struct diag *diag);

#endif
