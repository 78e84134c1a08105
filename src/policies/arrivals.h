/* SPDX-License-Identifier: Apache-2.0
 *
 * When requests arrive at a client.
 *
 *   {kind: constant, rate: 800/s}       at equal amounts of the rate's integral (any profile)
 *   {kind: poisson, rate: 800/s}        Poisson process of that rate
 *   {renewal: {interarrival: {gamma: {mean: 1ms, cv: 2}}}}      independent times between arrivals
 *   {times: [0s, 0.5s, 0.5s]}           exactly then
 *   {trace: arrivals.csv}               exactly when a file says
 *   {closed: {users: 200, think_time: {exponential: 1s}}}       each user thinks, asks, waits
 *
 * The first arrival comes one time between arrivals after the start, or exactly at
 * `first_arrival`. Windows of a raised or lowered rate act on all but `times` and `trace`: with a
 * factor of 2, time passes twice as fast for whatever is waited for, also for what was drawn
 * before.
 */
#ifndef SQUALL_POLICIES_ARRIVALS_H
#define SQUALL_POLICIES_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/profile.h"
#include "rng/dist.h"
#include "rng/stream.h"

enum arrivals_kind {
    ARRIVALS_CONSTANT,
    ARRIVALS_POISSON,
    ARRIVALS_RENEWAL,
    ARRIVALS_TIMES,
    ARRIVALS_CLOSED,
    ARRIVALS_TRACE, /* `at` is read from a file */
};

struct arrival_time {
    sim_time time; /* [ns] */
};

struct arrivals {
    int kind;                        /* enum arrivals_kind */
    struct profile rate;             /* constant, poisson */
    struct dist interarrival;        /* renewal */
    sim_time first_arrival;          /* [ns] those three; SIM_TIME_NEVER: not given */
    LIST_OF(struct arrival_time) at; /* times, trace (derived): not falling */
    const char *file;       /* trace: "" once it was read, its content is in `lines` then */
    const char *lines;      /* trace: the times, one a line */
    int64_t users;          /* closed */
    struct dist think_time; /* closed */
};

extern const struct choice arrivals_choice;

/* Whether they come at given times, whatever else is in force. */
static inline bool arrivals_are_given(const struct arrivals *a)
{
    return a->kind == ARRIVALS_TIMES || a->kind == ARRIVALS_TRACE;
}

/* Where a source of arrivals stands. Plain data, zero at the start. */
struct arrivals_state {
    struct fine_time clock;   /* the last arrival, not rounded */
    struct profile_pace pace; /* at that time */
    uint32_t place;           /* given times: the next of the list */
    bool begun;
};

/* The time of the next arrival [ns], SIM_TIME_NEVER when there is none. `windows` must be the same
 * for every call with one state. Draws once per arrival for poisson and renewal (the latter as
 * often as its law does), except for a given first arrival. Closed arrivals depend on the replies:
 * for them there is no next one here, but arrivals_think. */
sim_time arrivals_next(const struct arrivals *a, struct arrivals_state *s,
                       const struct rate_window *windows, uint32_t n_windows,
                       struct rng_stream *stream);

/* ARRIVALS_CLOSED: when a user who begins to think at `now` asks next [ns]. All begin at 0. */
sim_time arrivals_think(const struct arrivals *a, sim_time now, const struct rate_window *windows,
                        uint32_t n_windows, struct rng_stream *stream);

/* About how many arrivals there are, for the planning of runs [1/s], without windows. By a profile:
 * the mean over its first hour, and of a sine over a period. At given times: their number over the
 * last of them. Closed: as if answers came at once. No time between two is counted as less than
 * ARRIVALS_LEAST_GAP. Uses dist_mean. */
#define ARRIVALS_LEAST_GAP SIM_TIME_US
double arrivals_rate(const struct arrivals *a);

#endif
