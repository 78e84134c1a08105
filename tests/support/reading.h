/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading studies written in a test, with what the program says to them. Their file is called
 * "g.yaml" in messages.
 */
#ifndef TESTS_SUPPORT_READING_H
#define TESTS_SUPPORT_READING_H

#include "model/study.h"

/* The study, or NULL after errors. `*messages` gets all that was said; free it. */
struct study *reading(const struct entity_type *const *registry, const char *text, char **messages);

/* The study of a text to which nothing is to be said; else the test fails. */
struct study *reading_good(const struct entity_type *const *registry, const char *text);

/* Fails the test unless this is what is said to the text. */
void reading_says(const struct entity_type *const *registry, const char *text,
                  const char *expected);

#endif
