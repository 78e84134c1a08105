/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/relay.h"

#include "policies/verdict.h"

static struct request_slots slots_of(const struct relay *r)
{
    return (struct request_slots){r->ctx, r->slab, offsetof(struct relay_slot, in)};
}

struct relay_slot *relay_take(const struct relay *r, const struct event *e)
{
    uint32_t slot = slab_take(r->slab);
    struct relay_slot *s = slab_at(r->slab, slot);
    *s = (struct relay_slot){
        .in = {.m = e->msg, .owner = r->ctx->self}, .arrived = r->ctx->now, .slot = slot};
    struct request_slots in = slots_of(r);
    request_index_put(&r->state->index, &in, slot);
    r->stats->requests_received++;
    gauge_add(&r->stats->in_progress, r->ctx->now, 1);
    return s;
}

/* The request as it goes on. */
static struct message onward(const struct relay *r, const struct relay_slot *s)
{
    struct message m = s->in.m;
    m.token = slab_token(r->slab, s->slot);
    if (m.flags & REQUEST_RELATIVE && m.deadline != SIM_TIME_NEVER) {
        m.deadline -= r->ctx->now - s->arrived;
        m.deadline = m.deadline > 0 ? m.deadline : 0;
    }
    return m;
}

void relay_aim(const struct relay *r, struct relay_slot *s, const struct target *target,
               struct rng_stream *stream)
{
    CHECK(!s->out, "a request that is sent on twice");
    s->way = target_pick(r->ctx, target, stream);
}

void relay_send_aimed(const struct relay *r, struct relay_slot *s)
{
    CHECK(!s->out, "a request that is sent on twice");
    struct message m = onward(r, s);
    s->out = true;
    ++*sim_wire_load(r->ctx, s->way.wire);
    r->stats->requests_sent++;
    r->stats->messages_lost += sim_send(r->ctx, s->way, &m) == SIM_TIME_NEVER;
}

void relay_send(const struct relay *r, struct relay_slot *s, const struct target *target,
                struct rng_stream *stream)
{
    relay_aim(r, s, target, stream);
    relay_send_aimed(r, s);
}

static struct relay_slot *find_replied(const struct relay *r, const struct message *m)
{
    struct relay_slot *s = slab_find(r->slab, m->token);
    bool final = status_is_last(m->status);
    r->stats->late_responses += !s && final;
    if (s && final) {
        r->stats->responses_received++;
        s->out = false;
        --*sim_wire_load(r->ctx, s->way.wire);
    }
    return s;
}

struct relay_slot *relay_find(const struct relay *r, const struct event *e)
{
    if (e->kind == EVENT_REPLY) {
        return find_replied(r, &e->msg);
    }
    struct request_slots in = slots_of(r);
    uint32_t slot = request_index_find(&r->state->index, &in, &e->msg);
    if (slot == SLAB_NONE) {
        return NULL;
    }
    r->stats->cancels_received++;
    return slab_at(r->slab, slot);
}

/* No cancel can be about it any more. */
static void let_go(const struct relay *r, const struct relay_slot *s)
{
    struct request_slots in = slots_of(r);
    request_index_drop(&r->state->index, &in, s->slot);
    gauge_add(&r->stats->in_progress, r->ctx->now, -1);
}

static void forget(const struct relay *r, struct relay_slot *s)
{
    if (!s->detached) {
        let_go(r, s);
    }
    slab_give(r->slab, s->slot);
}

void relay_answer(const struct relay *r, struct relay_slot *s, const struct message *reply)
{
    bool final = status_is_last(reply->status);
    CHECK(!final || !s->out, "a request is answered whose target has not");
    if (!s->detached) {
        struct message m = *reply;
        r->stats->replies_lost += !sim_reply(r->ctx, &s->in.m, &m);
    }
    if (final) {
        forget(r, s);
    }
}

void relay_detach(const struct relay *r, struct relay_slot *s)
{
    CHECK(!s->detached, "a request is detached for whose reply nobody waits");
    let_go(r, s);
    s->detached = true;
}

void relay_give_up(const struct relay *r, struct relay_slot *s, bool tell)
{
    CHECK(s->out, "a request is given up that is not at the target");
    s->out = false;
    --*sim_wire_load(r->ctx, s->way.wire);
    if (tell || s->in.m.flags & REQUEST_POOLED) {
        struct message m = onward(r, s);
        sim_send_cancel(r->ctx, s->way, &m);
    }
}

void relay_drop(const struct relay *r, struct relay_slot *s, bool tell)
{
    if (s->out) {
        relay_give_up(r, s, tell);
    }
    forget(r, s);
}

void relay_refuse(const struct relay *r, struct relay_slot *s, enum on_reject how,
                  const struct message *reply)
{
    if (how == REJECT_REPLY) {
        relay_answer(r, s, reply);
    } else {
        relay_drop(r, s, false);
    }
}

void relay_crash(const struct relay *r)
{
    r->stats->requests_lost += (uint64_t)r->stats->in_progress.level; /* without those detached */
    slab_give_owned(r->slab, offsetof(struct relay_slot, in.owner), r->ctx->self);
    request_index_clear(&r->state->index, r->ctx);
    gauge_set(&r->stats->in_progress, r->ctx->now, 0);
}

void relay_miss(struct ctx *c, const struct event *e)
{
    struct relay_stats *stats = c->stats;
    stats->requests_missed += e->kind == EVENT_REQUEST;
}
