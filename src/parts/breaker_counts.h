/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted of the circuit breakers that an entity holds. A breaker may change several times
 * in one call, because probes that have run out of time are noticed late; so it is looked at before
 * and after each:
 *
 *   struct breaker_past before = breaker_past_of(s);
 *   breaker_result(b, s, now, ticket, outcome, took);
 *   breaker_counts_add(&stats->breakers, now, before, s);
 */
#ifndef SQUALL_PARTS_BREAKER_COUNTS_H
#define SQUALL_PARTS_BREAKER_COUNTS_H

#include "policies/breaker.h"
#include "stats/stat_spec.h"

struct breaker_counts {
    uint64_t state_changes, times_opened, times_closed;
    struct gauge open, half_open; /* how many are, as of the last call */
};

/* Statistics rows of a breaker_counts that is the member `at` of struct `tag`. Before the names of
 * counters goes `c`, before those of gauges `g`, and before descriptions `d`. */
#define BREAKER_STAT(tag, at, member, prefix, about, kind_, doc_) \
    { \
        .name = prefix #member, .doc = about doc_, .unit = "1", .kind = kind_, \
        .offset = offsetof(struct tag, at) + offsetof(struct breaker_counts, member) \
    }
#define BREAKER_STATS_AS(tag, at, c, g, d) \
    BREAKER_STAT(tag, at, state_changes, c, d, STAT_COUNTER, \
                 "Changes of state of circuit breakers."), \
        BREAKER_STAT(tag, at, times_opened, c, d, STAT_COUNTER, "Times that one opened."), \
        BREAKER_STAT(tag, at, times_closed, c, d, STAT_COUNTER, "Times that one closed."), \
        BREAKER_STAT(tag, at, open, g, d, STAT_GAUGE, "Circuit breakers that are open."), \
        BREAKER_STAT(tag, at, half_open, g, d, STAT_GAUGE, "Circuit breakers that are half-open.")
#define BREAKER_STATS(tag, at) BREAKER_STATS_AS(tag, at, "", "", "")

/* What a breaker was like. */
struct breaker_past {
    uint64_t state_changes, times_opened, times_closed;
    uint8_t phase;
};

/* `s` may be NULL, here and below: a breaker of no kind. */
struct breaker_past breaker_past_of(const struct breaker_state *s);

/* Counts what has become of it since. */
void breaker_counts_add(struct breaker_counts *counts, sim_time now, struct breaker_past before,
                        const struct breaker_state *s);

/* All breakers have been forgotten. */
void breaker_counts_crash(struct breaker_counts *counts, sim_time now);

#endif
