/* SPDX-License-Identifier: Apache-2.0
 *
 * A series of numbers as a line of blocks, ▁▂▃▄▅▆▇█: its shape beside a table's figures (Tufte,
 * "Beautiful Evidence", 2006).
 */
#ifndef SQUALL_CLI_SPARKLINE_H
#define SQUALL_CLI_SPARKLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"

enum sparkline_choice { SPARKLINE_AUTO, SPARKLINE_ALWAYS, SPARKLINE_NEVER, SPARKLINE_CHOICES };
extern const char *const sparkline_words[SPARKLINE_CHOICES + 1]; /* ends with NULL */

/* Whether they are to be drawn: by themselves on a terminal that shows UTF-8, as the environment
 * says. */
bool sparkline_wanted(enum sparkline_choice choice, FILE *out);

/* A block for each value, a space for NAN; in `arena`. The lowest block is `least`, the highest
 * `most`, both found out here: NAN when there are no values. */
const char *sparkline_draw(const double *value, size_t n, struct arena *arena, double *least,
                           double *most);

#endif
