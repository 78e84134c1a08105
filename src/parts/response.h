/* SPDX-License-Identifier: Apache-2.0
 *
 * A response: one of the replies that a server may give after service, or what it does in the place
 * of one.
 */
#ifndef SQUALL_PARTS_RESPONSE_H
#define SQUALL_PARTS_RESPONSE_H

#include "engine/entity.h"
#include "rng/dist.h"

/* What becomes of a request that gets a response. */
enum response_outcome { RESPONSE_REPLY, RESPONSE_RESET, RESPONSE_DROP, RESPONSE_REFUSE };

struct response {
    int64_t status;
    double weight;
    double bytes;
    int outcome;                    /* enum response_outcome */
    sim_time retry_after, retry_at; /* [ns] SIM_TIME_NEVER: not said */
    bool do_not_retry, processing, flaky;
    struct dist service_time; /* in place of the server's */
    struct message reply;     /* derived: what the caller gets after service */
};

extern const struct schema response_schema;

#endif
