/* SPDX-License-Identifier: Apache-2.0
 *
 * Circuit breakers: whether a request may be sent at all, given how those before it ended. Pure
 * functions on plain data. A breaker is CLOSED and lets everything through, until failures OPEN it
 * and nothing gets through; after a while it is HALF_OPEN and lets some probes through, and by what
 * becomes of these it closes or opens again.
 *
 * - consecutive: opens after `failure_threshold` failures without a success between them, and
 *   closes after `success_threshold` successes while HALF_OPEN. Results act on the phase they come
 *   back in. Those that come back while it is OPEN are ignored or, by `while_open`, counted: then
 *   failures begin the recovery anew and a success forgets all failures, so that the breaker, once
 *   HALF_OPEN, takes as many failures to open as when it was CLOSED.
 * - ratio: opens at a failure by which, of at least `minimum_throughput` results in the last
 *   `sampling_duration`, the share `failure_threshold` have failed. One probe is let through every
 *   `break_duration`, whether the one before it came back or not. Results act on the phase they
 *   come back in, so a late one of a request sent before the break decides like a probe. A success
 *   that closes it is the first of a new sample.
 * - state_attributed: as consecutive, but results act on the phase they were sent in. What was
 *   sent while CLOSED and fails counts whenever that comes and can open a HALF_OPEN breaker; a
 *   failed probe opens also a breaker that another probe has closed.
 *
 * Results are kept for ratio in windows. One begins at the first result at least
 * sampling_duration / windows_count after the last one began, and is dropped whole when it began
 * sampling_duration ago.
 *
 * Where the number of probes is limited, each holds a place until it comes back, but not longer
 * than the breaker stays OPEN: it then counts as failed, and what it still reports judges nothing.
 * Likewise for a probe that is under way when the breaker opens.
 *
 * A breaker becomes HALF_OPEN when a request comes after its time, not at that time.
 */
#ifndef SQUALL_POLICIES_BREAKER_H
#define SQUALL_POLICIES_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/verdict.h"

enum breaker_kind {
    BREAKER_NONE,
    BREAKER_CONSECUTIVE,
    BREAKER_RATIO,
    BREAKER_STATE_ATTRIBUTED,
};

/* What shares one state, when it is asked, and what it is told of: for whoever holds breakers. */
enum breaker_scope { BREAKER_PER_CALL, BREAKER_PER_ENDPOINT };
enum breaker_check { BREAKER_CHECK_REQUEST, BREAKER_CHECK_ATTEMPT };
enum breaker_counts_of { BREAKER_COUNTS_ATTEMPTS, BREAKER_COUNTS_REQUESTS };

enum breaker_while_open { BREAKER_OPEN_IGNORES, BREAKER_OPEN_COUNTS };

struct breaker {
    int kind;                       /* enum breaker_kind */
    int scope;                      /* enum breaker_scope */
    int check;                      /* enum breaker_check */
    int counts;                     /* enum breaker_counts_of */
    uint32_t failure_on;            /* enum failure_kind */
    sim_time slow_call_duration;    /* [ns] what took longer has failed; SIM_TIME_NEVER: nothing */
    sim_time open_duration;         /* [ns] OPEN at least so long; also how long a probe has */
    int64_t failure_threshold;      /* consecutive, state_attributed, with the next two */
    int64_t success_threshold;      /* successes of probes that close */
    int64_t half_open_max_requests; /* probes at a time; INT64_MAX: unlimited, and no places */
    int while_open;                 /* enum breaker_while_open; consecutive */
    double failure_ratio;           /* [1] ratio, with those below */
    int64_t minimum_throughput;
    sim_time sampling_duration; /* [ns] */
    int64_t windows_count;
};

extern const struct choice breaker_choice;

enum breaker_phase { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };

/* A place in a breaker's memory. */
union breaker_room {
    struct breaker_window { /* ratio */
        sim_time began;     /* [ns] */
        uint32_t successes, failures;
    } window;
    struct breaker_probe { /* the others */
        sim_time due;      /* [ns] back by then, or failed */
        uint32_t serial;   /* which probe; 0: the place is free */
    } probe;
};

/* What is remembered. Zero is CLOSED and has seen nothing. */
struct breaker_state {
    sim_time until; /* [ns] unless CLOSED: no probe before */
    uint64_t state_changes, times_opened, times_closed;
    uint64_t rejected;  /* requests not let through */
    uint64_t failures;  /* in a row; ratio: in all windows */
    uint64_t successes; /* of probes since HALF_OPEN; ratio: in all windows */
    uint32_t probes;    /* places taken */
    uint32_t serial;    /* of the last probe that took one */
    uint32_t first, n;  /* ratio: the oldest window, and how many there are */
    uint8_t phase;      /* enum breaker_phase */
    union breaker_room room[];
};

/* What a request that was let through keeps with it until it ends. */
struct breaker_ticket {
    uint32_t serial;
    uint16_t place; /* 1-based, 0: none */
    uint8_t phase;  /* sent in; enum breaker_phase */
};

/* Bytes of a state, a multiple of 8; 0 for none, which needs no state and accepts NULL for it. */
size_t breaker_state_size(const struct breaker *b);

/* Whether something is remembered of each instance that requests go to. */
static inline bool breaker_needs_endpoints(const struct breaker *b)
{
    return b->kind != BREAKER_NONE && b->scope == BREAKER_PER_ENDPOINT;
}

/* Whether an end after `took` [ns] counts as a failure. */
bool breaker_is_failure(const struct breaker *b, enum outcome outcome, sim_time took);

bool breaker_admit(const struct breaker *b, struct breaker_state *s, sim_time now,
                   struct breaker_ticket *ticket);
void breaker_judge(const struct breaker *b, struct breaker_state *s, sim_time now,
                   struct breaker_ticket *ticket, enum outcome outcome, sim_time took);
void breaker_release(const struct breaker *b, struct breaker_state *s, sim_time now,
                     struct breaker_ticket *ticket);

/* Whether a request may be sent now; fills its ticket then, and counts it as rejected else. Calls
 * with one state must not go back in time. */
static inline bool breaker_allow(const struct breaker *b, struct breaker_state *s, sim_time now,
                                 struct breaker_ticket *ticket)
{
    *ticket = (struct breaker_ticket){0};
    return b->kind == BREAKER_NONE || breaker_admit(b, s, now, ticket);
}

/* Reports how a request, or one attempt of it, ended that took `took` [ns]. One ticket may be
 * reported several times, as when a request is let through once and each of its attempts counts;
 * the first report gives back its place. An outcome that is neither a success nor in `failure_on`
 * counts as a success, but with consecutive it counts as nothing. */
static inline void breaker_result(const struct breaker *b, struct breaker_state *s, sim_time now,
                                  struct breaker_ticket *ticket, enum outcome outcome,
                                  sim_time took)
{
    if (b->kind != BREAKER_NONE) {
        breaker_judge(b, s, now, ticket, outcome, took);
    }
}

/* A request that was cancelled or abandoned: gives back its place and judges nothing. */
static inline void breaker_forget(const struct breaker *b, struct breaker_state *s, sim_time now,
                                  struct breaker_ticket *ticket)
{
    if (b->kind != BREAKER_NONE) {
        breaker_release(b, s, now, ticket);
    }
}

/* The phase as seen at `now`, when probes may have run out of time since the last call. Changes
 * nothing. */
enum breaker_phase breaker_phase(const struct breaker *b, const struct breaker_state *s,
                                 sim_time now);

#endif
