/* SPDX-License-Identifier: Apache-2.0
 *
 * One rank's world: the entities of a blueprint, or a share of them, their pending events, and the
 * only event loop. The engine knows nothing of MPI. A sequential run is "run until the end"; a
 * parallel run (parallel/windows.h) is "run until the window, then exchange".
 *
 * Life: open once per model, then for each replication reset, run, finish, read, and close.
 * Nothing is allocated with malloc between reset and finish.
 */
#ifndef SQUALL_ENGINE_SIM_H
#define SQUALL_ENGINE_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/blueprint.h"
#include "engine/entity.h"
#include "stats/series.h"

struct sim;

/* A part of a model: the entities that one of several simulations of the same blueprint runs. What
 * they do does not depend on who runs the others. Entities joined by a wire without delay must be
 * in the same part. */
struct sim_share {
    const uint32_t *part_of; /* of every entity */
    uint32_t part, parts;    /* which this is, and of how many */
    /* [ns] for each part what a message there takes at the least; SIM_TIME_NEVER: none is sent. */
    const sim_time *lookahead;
};

/* What is kept of the trace (engine/trace.h) of groups that are traced. */
struct trace_options {
    double sample;  /* share of the requests */
    uint64_t limit; /* rows of an entity in a replication */
};

struct sim_options {
    sim_time end;      /* [ns] events at t <= end run */
    sim_time warmup;   /* [ns] statistics before this are dropped */
    sim_time interval; /* [ns] of the time series; SIM_TIME_NEVER: none */
    /* Of all parts together; whoever runs them (parallel/windows.h) gives the replication up when
     * there are more. 0: no matter how many. */
    uint64_t most_events;
    bool summary_only; /* histograms keep count, sum, min, max but no buckets */
    /* Replications 2k and 2k + 1 are a pair: one draws 1 - u where the other draws u (rng/stream.h;
     * sim_request_bits likewise). What a replication shows is as true as ever, but only means of
     * whole pairs are independent of each other. */
    bool antithetic;
    struct trace_options trace;
    const struct sim_share *share; /* NULL: the whole model */
};

/* `b`, and the share with all that it points to, must outlive the simulation. */
struct sim *sim_open(const struct blueprint *b, const struct sim_options *options);
void sim_close(struct sim *s);

/* Starts a replication, below 2^62, from nothing: state zeroed, streams keyed, init called for
 * every entity. */
void sim_reset(struct sim *s, uint64_t seed, uint64_t replication);

/* Time of the next event, SIM_TIME_NEVER when there is none. */
sim_time sim_next_time(struct sim *s);

/* Runs every event with time < limit and time <= sim_end; takes the samples and ends the warm-up on
 * the way. Stops early after work worth about `budget` events (0: no limit) and when an outbox is
 * full, and for good when the model is stuck. True when nothing below the limit is left. */
bool sim_run_until(struct sim *s, sim_time limit, uint64_t budget);

/* When the failure budget was spent; SIM_TIME_NEVER: it was not. */
sim_time sim_tripped(const struct sim *s);

/* The last instant that runs: options.end, or that at which a failure budget was spent. */
sim_time sim_end(const struct sim *s);

/* Brings sim_end forward: the replication is then as if it ended by itself there. What has run
 * beyond, or past the end of an interval or of the warm-up there, cannot be taken back:
 * sim_went_beyond is then true, and the replication is to be run again, with its end brought
 * forward right after the reset. */
void sim_shorten(struct sim *s, sim_time end);
bool sim_went_beyond(const struct sim *s);

/* True when one event has set off more others without any time passing than a model has business
 * with (ten million, and a hundred an entity): the model loops, as users do who think for no time
 * and are rejected at once. Such a chain stays within entities that no delay separates, so that it
 * is the same in every share. The next event is then taken to be due now. */
bool sim_stuck(const struct sim *s);

/* True when so much waits in an outbox that it is to be emptied before the simulation runs on. */
bool sim_full(const struct sim *s);

/* Ends the replication at sim_end: gauges and series are brought up to it. */
void sim_finish(struct sim *s);

/* The messages made for another part since the last sim_outbox_clear, `*n` of them, and the time of
 * the first to arrive (SIM_TIME_NEVER: none). A CHECK sees to it that none arrives before the
 * lookahead has passed. Valid until the simulation runs on. */
const struct event *sim_outbox(const struct sim *s, uint32_t part, uint32_t *n, sim_time *first);
void sim_outbox_clear(struct sim *s, uint32_t part);

/* Takes in messages from other parts, in any order. A CHECK sees to it that none is due before the
 * limit that the simulation has run up to. */
void sim_inject(struct sim *s, const struct event *events, uint32_t n);

/* Reading. Addresses are valid until the next reset. */
const struct blueprint *sim_blueprint(const struct sim *s);
const struct sim_options *sim_options(const struct sim *s);
uint64_t sim_events(const struct sim *s); /* handled since reset */
sim_time sim_now(const struct sim *s);
const void *sim_stats(const struct sim *s, entity_id id); /* struct of the type's stats */
bool sim_owns(const struct sim *s, entity_id id);         /* false: another part runs it */
/* Events that an entity has made so far: how much work it is, for the choice of a partition. */
uint32_t sim_made(const struct sim *s, entity_id id);
const struct hist_pool *sim_histograms(const struct sim *s);
const struct breakdown_pool *sim_breakdowns(const struct sim *s);
/* The series that watches an entity of a sampled group, and the column of its first row; NULL when
 * the entity keeps none. */
const struct series *sim_series(const struct sim *s, entity_id id, uint32_t *first_column);

/* A number that two runs share only if every entity handled the same events in the same order.
 * The sum over the ranks does not depend on the partition. */
uint64_t sim_digest(const struct sim *s);

/* Events that are to come, those that wait in an outbox not counted. */
uint64_t sim_pending(const struct sim *s);

/* Memory in use [B]: what was touched since reset, the blueprint not counted. */
size_t sim_memory(const struct sim *s);

#endif
