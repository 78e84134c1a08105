/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/breaker_counts.h"

struct breaker_past breaker_past_of(const struct breaker_state *s)
{
    if (!s) {
        return (struct breaker_past){0};
    }
    return (struct breaker_past){s->state_changes, s->times_opened, s->times_closed, s->phase};
}

static int64_t change_of(uint8_t before, uint8_t after, enum breaker_phase phase)
{
    return (after == phase) - (before == phase);
}

void breaker_counts_add(struct breaker_counts *counts, sim_time now, struct breaker_past before,
                        const struct breaker_state *s)
{
    if (!s || s->state_changes == before.state_changes) {
        return;
    }
    counts->state_changes += s->state_changes - before.state_changes;
    counts->times_opened += s->times_opened - before.times_opened;
    counts->times_closed += s->times_closed - before.times_closed;
    gauge_add(&counts->open, now, change_of(before.phase, s->phase, BREAKER_OPEN));
    gauge_add(&counts->half_open, now, change_of(before.phase, s->phase, BREAKER_HALF_OPEN));
}

void breaker_counts_crash(struct breaker_counts *counts, sim_time now)
{
    gauge_set(&counts->open, now, 0);
    gauge_set(&counts->half_open, now, 0);
}
