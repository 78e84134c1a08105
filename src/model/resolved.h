/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolved text of a study: a configuration that says everything, with overrides, policies,
 * presets and defaults written out (those end in "# default"). Loading it gives an equal study.
 */
#ifndef SQUALL_MODEL_RESOLVED_H
#define SQUALL_MODEL_RESOLVED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model/study.h"

void resolved_write(const struct study *s, FILE *out);

/* The same as a text in `arena`. */
const char *resolved_text(const struct study *s, struct arena *arena);

/* A number that two studies share when they give the same results: it is made of the resolved text
 * without comments and without the study's name. The order of entities counts, since their places
 * do; the order of other keys does not. */
uint64_t plan_hash(const struct study *s);

/* What differs between two resolved texts, as lines such as "entities.web.concurrency: 4 -> 8" in
 * `arena`, ended by NULL. */
const char *const *resolved_changes(const char *before, const char *after, struct arena *arena);

#endif
