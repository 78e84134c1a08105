/* SPDX-License-Identifier: Apache-2.0
 *
 * How squall plan speaks: roughly, and in lines that fit a terminal.
 */
#ifndef SQUALL_CLI_PLAN_WORDS_H
#define SQUALL_CLI_PLAN_WORDS_H

#include "base/arena.h"

/* A time of the clock in words, roughly: "35 s". */
const char *plan_seconds(double s, struct arena *arena);

/* Likewise so many bytes: "12 MB". */
const char *plan_bytes(double n, struct arena *arena);

/* Likewise a number of something: "3600", "4.4e4". */
const char *plan_number(double n, struct arena *arena);

/* Prints one of the lines that begin with what they are about. An empty label goes on with the line
 * before. */
void plan_line(const char *label, const char *text);

/* Prints a paragraph, broken into lines, after an empty one. */
void plan_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
