/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/caller.h"

struct call_block { /* a block of nothing but a call */
    struct call_params call;
};

static const struct param_spec call_rows[] = {CALL_ROWS(call_block, call), P_END};

const struct schema call_schema = {.name = "call",
                                   .summary = "How requests are made: timeout and retries.",
                                   .size = sizeof(struct call_params),
                                   .rows = call_rows};

static void send_attempt(const struct caller *c, struct call *call)
{
    struct ctx *x = c->ctx;
    uint64_t token = slab_token(c->slab, call->slot);
    call->attempt++;
    call->waiting = false;
    call->sent = x->now;
    struct way way = target_pick(x, c->target, c->stream);
    call->wire = way.wire;
    ++*sim_wire_load(x, call->wire);
    c->stats->requests_sent++;
    c->stats->retries += call->attempt > 1;
    struct message m = {.request = call->request,
                        .token = token,
                        .deadline = SIM_TIME_NEVER,
                        .class_ = call->class_,
                        .attempt = (uint16_t)call->attempt,
                        .priority = call->priority,
                        .bytes = call->bytes};
    c->stats->messages_lost += sim_send(x, way, &m) == SIM_TIME_NEVER;
    const struct dist *timeout = &c->params->timeout;
    unsigned constant = dist_is_constant(timeout) ? TIMER_CONSTANT : 0;
    call->timer =
        sim_timer(x, c->timer_kind, dist_draw(timeout, c->stream), token, TIMER_FIRST | constant);
}

void caller_start(const struct caller *c, const struct call_request *q)
{
    uint32_t slot = slab_take(c->slab);
    struct call *call = slab_at(c->slab, slot);
    *call = (struct call){.request = q->request,
                          .cookie = q->cookie,
                          .started = c->ctx->now,
                          .slot = slot,
                          .owner = c->ctx->self,
                          .bytes = q->bytes,
                          .class_ = q->class_,
                          .site = q->site,
                          .priority = q->priority};
    c->stats->logical_requests++;
    gauge_add(&c->stats->in_flight, c->ctx->now, 1);
    send_attempt(c, call);
}

struct call *caller_find(struct slab *slab, struct caller_stats *stats, const struct event *e)
{
    struct call *call = slab_find(slab, e->msg.token);
    if (e->kind != EVENT_REPLY) {
        return call;
    }
    if (!call || call->waiting || (uint16_t)call->attempt != e->msg.attempt) {
        stats->late_responses++;
        return NULL;
    }
    return call;
}

static void end_call(const struct caller *c, struct call *call, enum outcome outcome,
                     struct call_end *end)
{
    struct caller_stats *stats = c->stats;
    *end = (struct call_end){call->cookie, call->site, outcome};
    stats->successes += outcome == OUTCOME_SUCCESS;
    stats->failures += outcome != OUTCOME_SUCCESS;
    gauge_add(&stats->in_flight, c->ctx->now, -1);
    sim_record(c->ctx, &stats->request_latency, c->ctx->now - call->started);
    slab_give(c->slab, call->slot);
}

/* An attempt has ended that need not be the last: try again or give up. */
static bool fail(const struct caller *c, struct call *call, struct attempt_end how,
                 struct call_end *end)
{
    struct retry_question q = {.attempt = call->attempt,
                               .end = how,
                               .now = c->ctx->now,
                               .started = call->started,
                               .quantile = SIM_TIME_NEVER};
    struct retry_answer a = retry_decide(&c->params->retry, &q, &call->memory, c->stream);
    if (a.reason != RETRY_AGAIN) {
        end_call(c, call, a.outcome, end);
        return true;
    }
    call->waiting = true;
    call->timer = sim_timer(c->ctx, c->timer_kind, a.wait, slab_token(c->slab, call->slot), 0);
    return false;
}

static bool on_reply(const struct caller *c, struct call *call, const struct message *m,
                     struct call_end *end)
{
    sim_cancel(c->ctx, call->timer);
    --*sim_wire_load(c->ctx, call->wire);
    c->stats->responses_received++;
    sim_record(c->ctx, &c->stats->response_time, c->ctx->now - call->sent);
    bool failed = verdict_of(m->status) != OUTCOME_SUCCESS;
    if (!failed && !c->params->retry.polls) {
        end_call(c, call, OUTCOME_SUCCESS, end);
        return true;
    }
    c->stats->errors += failed;
    return fail(c, call, (struct attempt_end){.status = m->status}, end);
}

bool caller_handle(const struct caller *c, struct call *call, const struct event *e,
                   struct call_end *end)
{
    if (e->kind == EVENT_REPLY) {
        return on_reply(c, call, &e->msg, end);
    }
    if (call->waiting) {
        send_attempt(c, call);
        return false;
    }
    --*sim_wire_load(c->ctx, call->wire);
    c->stats->timeouts++;
    return fail(c, call, (struct attempt_end){.error = ERROR_TIMEOUT}, end);
}

void caller_abandon(struct ctx *ctx, struct slab *slab, struct caller_stats *stats)
{
    uint32_t n = slab_give_owned(slab, offsetof(struct call, owner), ctx->self);
    stats->abandoned += n;
    gauge_add(&stats->in_flight, ctx->now, -(int64_t)n);
}
