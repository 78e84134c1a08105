/* SPDX-License-Identifier: Apache-2.0
 *
 * A failure budget: which share of the outcomes within a window of simulated time may be failures.
 * It is spent once, when the share is exceeded, and then nothing more is counted.
 *
 * The window slides exactly: it holds every outcome not older than its length, one precisely as old
 * included. Those of one instant share an entry, and entries lie in a ring, whose memory is the
 * owner's, who makes it larger when it is full.
 */
#ifndef SQUALL_POLICIES_FAILURE_BUDGET_H
#define SQUALL_POLICIES_FAILURE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"

/* What fails or succeeds. */
enum outcome_of { OUTCOME_OF_ATTEMPTS, OUTCOME_OF_REQUESTS };

/* What follows when the budget is spent. */
enum budget_action {
    BUDGET_END_RUN,      /* the replication ends, and is as one of that length */
    BUDGET_STOP_SOURCES, /* no new requests are made; what is under way runs on */
    BUDGET_ABORT,        /* the replication ends, and nothing of it is kept */
};

struct budget_entity {
    struct name_ref name;
};

struct failure_budget {
    double threshold;                       /* [1] share of failures that is not yet too many */
    sim_time window;                        /* [ns] */
    int64_t min_samples;                    /* outcomes within the window before it is judged */
    int action;                             /* enum budget_action */
    int of;                                 /* enum outcome_of */
    LIST_OF(struct budget_entity) entities; /* whose outcomes */
    sim_time from, until;                   /* [ns] in force from <= t < until; may be NEVER */
    uint64_t billionths;                    /* derived: the threshold */
};

extern const struct schema failure_budget_schema;

/* The outcomes of one instant. */
struct failure_entry {
    sim_time time;               /* [ns] */
    uint32_t outcomes, failures; /* failures are outcomes, too */
};

/* Zero, but for `ring` and `capacity`, at the start. */
struct failure_window {
    struct failure_entry *ring;  /* not owned */
    uint64_t capacity;           /* entries that it has room for: 0, or a power of two */
    uint64_t first, n;           /* place of the oldest, and how many there are */
    uint64_t outcomes, failures; /* of all entries */
    bool tripped;                /* the budget is spent */
};

/* True when the ring must be given more room before anything else is fed. */
static inline bool failure_window_full(const struct failure_window *w)
{
    return w->n == w->capacity;
}

/* `ring` has room for `capacity` entries, at least twice as many as the old one, with whose
 * contents it begins: it may be the same, made longer. */
void failure_window_grow(struct failure_window *w, struct failure_entry *ring, uint64_t capacity);

/* Feeds one outcome, at times that do not fall; the window must not be full. True when this one
 * spends the budget. */
bool failure_budget_feed(const struct failure_budget *b, struct failure_window *w, sim_time now,
                         bool failed);

#endif
