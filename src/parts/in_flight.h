/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's limit on requests in flight (policies/concurrency_limit.h): those that wait and those
 * in service, from their arrival to their answer, as the libraries count them whose limits these
 * are. One that comes over the limit is not let in; what the server has is never put out by it.
 */
#ifndef SQUALL_PARTS_IN_FLIGHT_H
#define SQUALL_PARTS_IN_FLIGHT_H

#include <stdint.h>

#include "engine/entity.h"
#include "policies/concurrency_limit.h"

/* Part of an entity's plain data. Zero: nobody is in flight. */
struct in_flight {
    int64_t n;
    uint32_t memory; /* place of the limit's state, 0: none yet */
};

/* One and what it needs of its owner; put together on the spot, never stored. Only where there is a
 * limit. */
struct in_flight_room {
    struct ctx *ctx;
    const struct concurrency_limit *limit;
    struct in_flight *state;
    struct rng_stream *stream;
    struct gauge *gauge; /* statistics of the owner: the limit, as it was last looked at */
};

/* Looks at the limit, for the gauge. */
void in_flight_open(const struct in_flight_room *r);

/* A request comes: how many are in flight with it, or 0 if it is one too many. */
uint32_t in_flight_enter(const struct in_flight_room *r);

/* One that came `then`, when there were `in_flight`, has ended. `dropped`: it was given up, or
 * answered too late; in the very instant it came that is of no consequence for the limit. */
void in_flight_leave(const struct in_flight_room *r, sim_time then, uint32_t in_flight,
                     bool dropped);

/* A crash forgets all, the limit as well. */
void in_flight_clear(const struct in_flight_room *r);

#endif
