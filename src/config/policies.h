/* SPDX-License-Identifier: Apache-2.0
 *
 * Named policies: `policies:` at the root maps names to mappings. Any mapping of the tree with a
 * key `policy: NAME`, or a sequence of names of which earlier ones win, receives copies of the keys
 * of that policy that it does not have itself. A key written out wins whole; nothing is merged
 * below it. Policies may name policies. Directly below `entities` and `requests`, where keys are
 * names that the user chose, `policy` is one like any other.
 */
#ifndef SQUALL_CONFIG_POLICIES_H
#define SQUALL_CONFIG_POLICIES_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/tree.h"

struct policies; /* those of one tree */

/* Finds the policies of a tree and expands those that name others. In `arena`; NULL after an error:
 * they are not written as they should be. */
struct policies *policies_open(struct node *root, struct arena *arena, struct diag *diag);

/* Expands all uses and takes every `policy` away from the tree. The copies keep the places of the
 * policy. Unknown names and circles are errors. To be called again when uses were added. */
void policies_expand(struct policies *p);

/* Takes `policies` away from the tree. A policy that was never used is a warning. */
void policies_close(struct policies *p);

#endif
