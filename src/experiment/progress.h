/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress line: on a terminal one line that is redrawn, in a log a line after ten seconds,
 * then one a minute. Used by one rank.
 *
 *   340/960 replications, 4/12 points, 3 min 20 s left, 3.21/s, 1.2e+06 events/s
 */
#ifndef SQUALL_EXPERIMENT_PROGRESS_H
#define SQUALL_EXPERIMENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "experiment/tally.h"

struct progress {
    bool quiet, terminal, drawn;
    double due; /* [s] after the run's beginning: when to draw again */
};

void progress_open(struct progress *p, bool quiet);

/* Draws the line if it is time to, `elapsed` seconds after the run began. */
void progress_show(struct progress *p, const struct tally *t, double elapsed);

/* Draws the line a last time and leaves it behind, so that other text may follow. */
void progress_close(struct progress *p, const struct tally *t, double elapsed);

/* Points being read, which takes a while where there are many: told on a terminal after a second,
 * on a line that is wiped away in the end. Zero tells nothing. */
struct progress_reading {
    bool shows, shown;
    double due; /* [s] of the clock: when to draw again */
};
void progress_reading_open(struct progress_reading *r, bool quiet);
void progress_read(struct progress_reading *r, uint64_t done, uint64_t of);
void progress_reading_close(struct progress_reading *r);

/* "12 s", "3 min 20 s", "2 h 05 min"; `text` has PROGRESS_TIME bytes. Returns it. */
enum { PROGRESS_TIME = 48 };
char *progress_time(double seconds, char *text);

#endif
