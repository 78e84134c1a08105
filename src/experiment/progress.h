/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress line: on a terminal one line that is redrawn, in a log a line after ten seconds,
 * then one a minute. Used by one rank.
 */
#ifndef SQUALL_EXPERIMENT_PROGRESS_H
#define SQUALL_EXPERIMENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool quiet, terminal;
    uint64_t before;              /* replications finished by earlier runs */
    uint64_t done, tasks, events; /* as last told */
    double within;                /* of the replication under way here, 0 to 1 */
    uint64_t within_events;       /* likewise */
    double began, last;           /* [s] of the monotonic clock */
};

/* `before`: replications that were finished before this run. */
void progress_open(struct progress *p, bool quiet, uint64_t before);

/* How far the replication under way is, for the next line. */
void progress_within(struct progress *p, double share, uint64_t events);

/* A replication is finished. */
void progress_done(struct progress *p, uint64_t events);

/* Draws the line if it is time to: `done` of `tasks` replications, those of earlier runs among
 * them. */
void progress_show(struct progress *p, uint64_t done, uint64_t tasks);

/* Draws the line a last time and leaves it behind, so that other text may follow. */
void progress_close(struct progress *p);

#endif
