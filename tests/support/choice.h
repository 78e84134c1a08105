/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one choice (base/schema.h) from configuration text, for tests of its meaning.
 */
#ifndef TESTS_SUPPORT_CHOICE_H
#define TESTS_SUPPORT_CHOICE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/schema.h"

/* Where everything that was read lies. */
extern struct arena choice_arena;

/* Reads "key: value" into `out`, a struct of the choice; false when that is refused. */
bool choice_read(const struct choice *choice, const char *text, void *out);

/* Group teardown for cmocka: frees what was read. */
int choice_close(void **state);

#endif
