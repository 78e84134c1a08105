/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/in_flight.h"

#include <string.h>

static struct concurrency_state *memory_of(const struct in_flight_room *r)
{
    if (r->state->memory == 0) {
        r->state->memory = sim_keep(r->ctx, concurrency_state_size(r->limit));
    }
    return sim_kept(r->ctx, r->state->memory);
}

static int64_t limit_of(const struct in_flight_room *r)
{
    int64_t limit = concurrency_limit_at(r->limit, memory_of(r), r->ctx->now, r->stream);
    if (limit != r->gauge->level) {
        gauge_set(r->gauge, r->ctx->now, limit);
    }
    return limit;
}

void in_flight_open(const struct in_flight_room *r)
{
    limit_of(r);
}

uint32_t in_flight_enter(const struct in_flight_room *r)
{
    if (r->state->n >= limit_of(r)) {
        return 0;
    }
    return (uint32_t)++r->state->n;
}

void in_flight_leave(const struct in_flight_room *r, sim_time then, uint32_t in_flight,
                     bool dropped)
{
    sim_time now = r->ctx->now;
    r->state->n--;
    if (dropped && now == then) {
        return;
    }
    struct concurrency_sample sample = {
        .now = now, .rtt = now - then, .in_flight = in_flight, .dropped = dropped};
    concurrency_limit_ended(r->limit, memory_of(r), &sample, r->stream);
    limit_of(r);
}

void in_flight_clear(const struct in_flight_room *r)
{
    r->state->n = 0;
    memset(memory_of(r), 0, concurrency_state_size(r->limit));
    limit_of(r);
}
