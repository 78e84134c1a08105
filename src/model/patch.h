/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes one text of another: the resolved texts of a sweep's points differ in a few lines, so
 * that one is kept whole and the others as patches. A patch is a text itself, of pieces
 *
 *   @FIRST OLD NEW      lines OLD from line FIRST (from 0) on are replaced by the NEW lines below
 *
 * in ascending order. It is made for size, not to be read.
 */
#ifndef SQUALL_MODEL_PATCH_H
#define SQUALL_MODEL_PATCH_H

#include "base/arena.h"

/* The patch that makes `after` of `before`, in `arena`; "" when they are equal. Every line of both
 * ends in a newline. */
const char *patch_make(const char *before, const char *after, struct arena *arena);

/* `before` with the patch applied, in `arena`. NULL: this is no patch of that text. */
const char *patch_apply(const char *before, const char *patch, struct arena *arena);

#endif
