/* SPDX-License-Identifier: Apache-2.0
 *
 * client: calls its target for each request that its source makes, be it an open loop of arrivals
 * or a closed one of users.
 */
#include "parts/requester.h"

static const struct param_spec rows[] = {
    P_TARGET(requester_params, target, NULL, "Who is called."),
    SOURCE_ROWS(requester_params, source),
    P_BLOCK(requester_params, call, call_schema, "{}", "How requests are made."), P_END};

static const struct schema schema = {.name = "client",
                                     .summary = "Makes requests, with timeouts and retries.",
                                     .size = sizeof(struct requester_params),
                                     .rows = rows,
                                     .derive = requester_derive};

static const struct stat_spec stats[] = {CALLER_STATS(requester_stats, calls, "", ""), S_END};

const struct entity_type client_type = {.name = "client",
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
