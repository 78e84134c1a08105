/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/call_record.h"

/* Adds to what a breakdown keeps of ends like this one, at whom the wire leads to. */
static void break_down(const struct caller *c, struct breakdown *b, wire_id wire,
                       const struct attempt_end *how, sim_time value)
{
    if (b->kept) {
        uint16_t status = how->error == ERROR_NONE ? how->status : how->error;
        sim_record_by(c->ctx, b, sim_target_group(c->ctx, wire), status, value);
    }
}

void trace_attempt(const struct caller *c, const struct call *call, const struct attempt *a)
{
    sim_trace(c->ctx, &(struct trace_row){
                          .kind = TRACE_REQUEST, .request = call->request, .attempt = a->number});
}

void break_attempt_down(const struct caller *c, const struct attempt *a,
                        const struct attempt_end *how)
{
    break_down(c, &c->stats->attempt_latency, a->way.wire, how, c->ctx->now - a->sent);
}

void write_retry(const struct caller *c, const struct call *call, const struct attempt_end *how,
                 sim_time wait)
{
    break_down(c, &c->stats->retry_reasons, call->lead.way.wire, how, wait);
    if (sim_traces(c->ctx)) {
        sim_trace(c->ctx, &(struct trace_row){.kind = TRACE_RETRY,
                                              .request = call->request,
                                              .attempt = call->attempts + 1,
                                              .wait = wait,
                                              .status = how->status,
                                              .error = how->error});
    }
}

void write_end(const struct caller *c, const struct call *call, const struct attempt_end *how,
               enum outcome outcome)
{
    sim_time total = c->ctx->now - call->started;
    break_down(c, &c->stats->outcome_latency, call->lead.way.wire, how, total);
    if (sim_traces(c->ctx)) {
        bool well = outcome == OUTCOME_SUCCESS;
        sim_trace(c->ctx, &(struct trace_row){.kind = well ? TRACE_SUCCESS : TRACE_FAILURE,
                                              .request = call->request,
                                              .attempt = call->attempts,
                                              .total = total,
                                              .status = how->status,
                                              .error = how->error});
    }
}

void record_phase(const struct caller *c, enum breaker_phase phase)
{
    if (sim_traces(c->ctx)) {
        sim_trace(c->ctx, &(struct trace_row){.kind = TRACE_STATE, .status = (uint16_t)phase});
    }
}
