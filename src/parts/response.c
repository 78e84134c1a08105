/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/response.h"

#include "policies/mix.h"
#include "policies/verdict.h"

static const char *const response_words[] = {"reply", "reset", "drop", "refuse", NULL};

static const struct param_spec response_rows[] = {
    P_COUNT(response, status, "200", 200, 599, "Status of the reply, as in HTTP."),
    MIX_WEIGHT(response, weight),
    P_REAL(response, bytes, "0", 0, 4e9, "B", "Size of the reply on the wire."),
    P_WORD(response, outcome, response_words, "reply",
           "What the caller gets: the reply; after service a connection that breaks (reset), or "
           "nothing (drop); or on arrival no connection (refuse)."),
    P_MAYBE_DURATION(response, retry_after, "none", 0, 1e18,
                     "Time after which the reply asks to be tried again (Retry-After)."),
    P_MAYBE_DURATION(response, retry_at, "none", 0, 1e18,
                     "The same as an instant of simulated time, as Retry-After may give a date."),
    P_BOOL(response, do_not_retry, "false", "Whether the reply asks not to be tried again."),
    P_BOOL(response, processing, "false", "Whether it says that what was asked for is not ready."),
    P_BOOL(response, flaky, "false", "Whether its content does not pass the caller's examination."),
    P_MAYBE_CHOICE(response, service_time, dist_duration, "none", "none",
                   "Time that a worker spends on it; none: that of the server."),
    P_END};

static struct message reply_of(const struct response *r)
{
    struct message m = {.status = (uint16_t)r->status, .bytes = (uint32_t)r->bytes};
    if (r->outcome == RESPONSE_RESET) {
        return (struct message){.status = STATUS_NETWORK};
    }
    m.flags = (uint8_t)((r->do_not_retry ? REPLY_NO_RETRY : 0) | (r->flaky ? REPLY_FLAKY : 0) |
                        (r->processing ? REPLY_PROCESSING : 0));
    if (r->retry_after != SIM_TIME_NEVER) {
        m.flags |= REPLY_RETRY_AFTER;
        m.deadline = r->retry_after;
    } else if (r->retry_at != SIM_TIME_NEVER) {
        m.flags |= REPLY_RETRY_AFTER | REPLY_RETRY_AT;
        m.deadline = r->retry_at;
    }
    return m;
}

static void derive_response(void *params, const struct node *at, struct diag *diag,
                            struct arena *arena)
{
    (void)arena;
    struct response *r = params;
    if (r->retry_after != SIM_TIME_NEVER && r->retry_at != SIM_TIME_NEVER) {
        diag_error(diag, node_child(at, "retry_at"), "excluded by retry_after beside it");
    }
    r->reply = reply_of(r);
}

const struct schema response_schema = {.name = "response",
                                       .summary = "A reply that a server may give.",
                                       .size = sizeof(struct response),
                                       .rows = response_rows,
                                       .shorthand = true,
                                       .derive = derive_response};
