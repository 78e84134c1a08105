/* SPDX-License-Identifier: Apache-2.0
 *
 * Running one model on several ranks: each rank runs its share up to its horizon (a window), then
 * all exchange what they have made for each other, and each learns its next horizon. A replication
 * run this way handles the same events in the same order at every entity as on one rank.
 *
 * Two ways of exchanging, by the number of parts:
 * - direct (up to WINDOWS_DIRECT parts): every part sends every other one message a window, with
 *   its next event's time, what it has sent to whom, and the events. That is all: no collective.
 * - reduced: a part sends to those parts only to which wires lead, and the earliest time of all is
 *   found by a non-blocking reduction, which runs beside the window's work.
 */
#ifndef SQUALL_PARALLEL_WINDOWS_H
#define SQUALL_PARALLEL_WINDOWS_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/sim.h"

enum { WINDOWS_DIRECT = 16 };

enum windows_exchange { WINDOWS_AUTO, WINDOWS_ALL_DIRECT, WINDOWS_ALL_REDUCED };
extern const char *const windows_exchange_words[]; /* in the order of the enum; ends with NULL */

/* What the windows of a rank have cost. Times are of the wall clock [ns]. */
struct windows_stats {
    uint64_t windows;        /* exchanges */
    uint64_t events;         /* handled */
    uint64_t sent_events;    /* that went to other ranks */
    uint64_t messages;       /* sent to other ranks */
    uint64_t empty_messages; /* of these: without events, only to tell the time */
    uint64_t bytes;          /* sent */
    uint64_t run_ns;         /* running the share */
    uint64_t blocked_ns;     /* waiting for others */
    uint64_t wall_ns;        /* all in all */
};

struct windows; /* one rank's side */

/* Collective over `comm`, whose ranks are the parts. `part_of` (part of every entity) must outlive
 * the windows. */
struct windows *windows_open(MPI_Comm comm, const struct blueprint *b, const uint32_t *part_of,
                             const struct sim_options *options, enum windows_exchange exchange);
void windows_close(struct windows *w);

/* This rank's share; reset and run by windows_run, read by whoever wants. */
struct sim *windows_sim(struct windows *w);

enum windows_end {
    WINDOWS_DONE,
    WINDOWS_STOPPED, /* somebody's `poll` said so */
    WINDOWS_STUCK,   /* the model is: see sim_stuck */
    WINDOWS_TOO_LONG /* it takes more events than options.most_events */
};

/* Collective. Runs a replication to its end; sim_finish is left to the caller. Where a failure
 * budget ends it and some rank had gone further by then, it is run again up to there. `poll` (may
 * be NULL) is called on every rank every few milliseconds; when it returns false anywhere, all
 * stop. Every rank returns the same. `*reached` gets the time of the end [ns], that at which a
 * stuck model is stuck, or 0 where it took too long: by then, some ranks are further than others.
 * Stuck or too long, that is the same for every division. */
enum windows_end windows_run(struct windows *w, uint64_t seed, uint64_t replication,
                             bool (*poll)(void *context), void *context, sim_time *reached);

/* When the failure budget of the replication that was run to its end was spent [ns], the same on
 * every rank; SIM_TIME_NEVER: it was not. */
sim_time windows_tripped(const struct windows *w);

/* Of all replications since windows_open, this rank's. */
const struct windows_stats *windows_stats(const struct windows *w);
void windows_add(struct windows_stats *sum, const struct windows_stats *more);

#endif
