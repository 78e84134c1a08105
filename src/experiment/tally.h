/* SPDX-License-Identifier: Apache-2.0
 *
 * What has become of a study so far, in this run and in earlier ones, for whoever tells of it: the
 * progress line, the status file. Kept by one process, beside its agenda.
 */
#ifndef SQUALL_EXPERIMENT_TALLY_H
#define SQUALL_EXPERIMENT_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "experiment/agenda.h"
#include "experiment/remainder.h"
#include "results/record.h"

/* Zero, it only takes notes of what is under way: that of a process without an agenda. */
struct tally {
    const struct agenda *agenda;   /* not owned */
    struct remainder remainder;    /* owned; in events */
    uint64_t status[RUN_STATUSES]; /* replications that ended so */
    uint64_t events, before;       /* handled; of these by earlier runs */
    uint64_t done_before;          /* replications, likewise */
    uint64_t teams;                /* that work at a time */
    double within;                 /* of the replication under way here, 0 to 1 */
    uint64_t within_events;        /* likewise */
};

void tally_open(struct tally *t, const struct agenda *agenda, const struct points *points);
void tally_close(struct tally *t);

/* A replication is in the journal, of an earlier run. */
void tally_earlier(struct tally *t, uint64_t point, enum run_status status, uint64_t events);

/* Now this run begins, with so many teams. */
void tally_begin(struct tally *t, uint64_t teams);

/* How far the replication under way is. */
void tally_within(struct tally *t, uint64_t point, double share, uint64_t events);

/* A replication is finished, here or elsewhere. */
void tally_done(struct tally *t, uint64_t point, enum run_status status, uint64_t events);

/* A pilot is finished, which finds out the warm-up of a point. */
void tally_pilot(struct tally *t, uint64_t events);

struct tally_look {
    bool over;
    uint64_t done, tasks;       /* replications, also of earlier runs; what has been run beyond what
                                   is needed is left out */
    uint64_t units_done, units; /* points, or searches, of which nothing is left to be run */
    bool searches;              /* units are these */
    uint64_t run;               /* replications, needed or not */
    uint64_t early;             /* replications that did not end as they should */
    double done_now;            /* replications of this run, what is under way in proportion */
    double events_now;          /* likewise */
    double left_s;              /* [s] until all is done; NAN: not known */
};

/* As it is `elapsed` seconds after the run began. Takes a time that grows with the points. */
void tally_look(const struct tally *t, double elapsed, struct tally_look *look);

#endif
