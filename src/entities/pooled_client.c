/* SPDX-License-Identifier: Apache-2.0
 *
 * pooled_client: a client that calls over a connection pool and knows it. The time of an attempt,
 * and with it its timeout, begins when it has got a connection; an attempt that times out gives its
 * connection back at once, and the next one waits in line again. A request that gets no connection
 * in time has failed.
 */
#include "parts/requester.h"

static const struct param_spec rows[] = {
    P_TARGET(requester_params, target, NULL,
             "The connection pool, or pools, that requests go through."),
    SOURCE_ROWS(requester_params, source),
    P_BLOCK(requester_params, call, call_schema, "{}",
            "How requests are made. Timeouts begin when an attempt has got its connection."),
    P_BOOL(requester_params, retry_on_connection_timeout, "false",
           "Whether the retry policy is asked after a wait for a connection that was too long; "
           "otherwise the request has failed."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct requester_params *p = params;
    p->pooled = true;
    requester_derive(p, at, diag, arena);
}

static const struct schema schema = {.name = "pooled_client",
                                     .summary = "Makes requests over a connection pool.",
                                     .size = sizeof(struct requester_params),
                                     .rows = rows,
                                     .derive = derive};

static const struct stat_spec stats[] = {CALLER_STATS(requester_stats, calls, "", ""), S_END};

const struct entity_type pooled_client_type = {.name = "pooled_client",
                                               .heeds = REQUESTER_HEEDS,
                                               .exempt = requester_exempt,
                                               .params = &schema,
                                               .stats = stats,
                                               .stats_size = sizeof(struct requester_stats),
                                               .state_size = sizeof(struct requester_state),
                                               .streams = requester_streams,
                                               .slabs = {sizeof(struct call)},
                                               .init = requester_init,
                                               .handle = requester_handle,
                                               .traffic = requester_traffic};
