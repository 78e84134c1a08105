/* SPDX-License-Identifier: Apache-2.0
 *
 * connection_pool: stands between callers and a target. A request waits for a connection, holds it
 * while it is at the target, and lets go of it with the reply. One that waits too long is answered
 * with 597, one whose connection cannot be made with 489.
 *
 * A caller that asks for it (REQUEST_POOLED) is told by a reply 100 when its request has got its
 * connection. One that gives up by a cancel leaves the line, or its connection, at once; what the
 * target then still answers is of no use to anybody. Without a cancel, a request that got lost
 * beyond the pool keeps its connection for ever.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/connections.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_CONNECTIONS = EVENT_TIMER };
enum { STREAM_CONNECTIONS, STREAM_BALANCE = STREAM_CONNECTIONS + CONNECTIONS_STREAMS };
enum { SLAB_REQUESTS, SLAB_CONNECTIONS };

static const char *const streams[] = {CONNECTIONS_STREAM_NAMES, "balance", NULL};

struct pool_params {
    struct target target;
    struct connections_params connections;
    bool pass_cancel;
};

static const struct param_spec rows[] = {
    P_TARGET(pool_params, target, NULL, "Where connections lead."),
    CONNECTION_ROWS(pool_params, connections, "10"),
    P_BOOL(pool_params, pass_cancel, "false",
           "Whether the target is told that a request was given up."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct pool_params *p = params;
    connections_derive(&p->connections, at, diag);
}

static const struct schema schema = {.name = "connection_pool",
                                     .summary = "Sends requests on over pooled connections.",
                                     .size = sizeof(struct pool_params),
                                     .rows = rows,
                                     .derive = derive};

struct pool_stats {
    struct relay_stats relay;
    struct connections_stats connections;
};

static const struct stat_spec stats[] = {RELAY_STATS(pool_stats, relay),
                                         CONNECTIONS_STATS(pool_stats, connections), S_END};

struct pool_state {
    struct relay_state relay;
    struct connections_state connections;
};

struct pool_request {
    struct relay_slot relay;
    struct acquisition connection;
    bool tell; /* when it has got its connection */
};

static struct connections connections_for(struct ctx *c)
{
    const struct pool_params *p = c->params;
    struct pool_state *state = c->state;
    struct pool_stats *st = c->stats;
    return (struct connections){.ctx = c,
                                .params = &p->connections,
                                .state = &state->connections,
                                .stats = &st->connections,
                                .slab = &c->slabs[SLAB_CONNECTIONS],
                                .takers = &c->slabs[SLAB_REQUESTS],
                                .offset = offsetof(struct pool_request, connection),
                                .streams = &c->streams[STREAM_CONNECTIONS],
                                .timer_kind = TIMER_CONNECTIONS};
}

/* A request has got its connection. */
static void go_on(struct ctx *c, struct pool_request *q)
{
    const struct pool_params *p = c->params;
    struct relay relay = relay_of(c);
    if (q->tell) {
        relay_answer(&relay, &q->relay, &(struct message){.status = STATUS_CONTINUE});
    }
    relay_send(&relay, &q->relay, &p->target, &c->streams[STREAM_BALANCE]);
}

static void refuse(struct ctx *c, struct pool_request *q, enum fate fate)
{
    struct relay relay = relay_of(c);
    struct message refusal = connections_refusal(fate);
    relay_answer(&relay, &q->relay, &refusal);
}

static void act_on(struct ctx *c, struct connection_news news)
{
    struct pool_request *q = slab_at(&c->slabs[SLAB_REQUESTS], news.taker);
    switch (news.fate) {
    case FATE_NONE:
        break;
    case FATE_HOLDS:
        go_on(c, q);
        break;
    case FATE_TIMED_OUT:
    case FATE_FAILED:
        refuse(c, q, news.fate);
        break;
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    struct relay_slot *s = relay_take(&relay, e);
    struct pool_request *q = slab_at(&c->slabs[SLAB_REQUESTS], s->slot);
    q->tell = s->in.m.flags & REQUEST_POOLED;
    s->in.m.flags &= (uint8_t)~REQUEST_POOLED; /* the pool's own business */
    act_on(c, connections_acquire(&connections, s->slot));
}

static void on_reply(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (s && !s->out) {
        act_on(c, connections_release(&connections, s->slot));
    }
    if (s) {
        relay_answer(&relay, s, &e->msg);
    }
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct pool_params *p = c->params;
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (s) {
        struct connection_news news = connections_give_up(&connections, s->slot);
        relay_drop(&relay, s, p->pass_cancel);
        act_on(c, news);
    }
}

static void init(struct ctx *c)
{
    struct connections connections = connections_for(c);
    connections_begin(&connections);
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct connections connections = connections_for(c);
    if (e->msg.status == ACTION_CRASH) {
        connections_crash(&connections);
        relay_crash(&relay);
    } else if (e->msg.status == ACTION_RESTART) {
        connections_begin(&connections);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    struct connections connections;
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_REPLY:
        on_reply(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    default:
        connections = connections_for(c);
        act_on(c, connections_handle(&connections, e));
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct pool_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type connection_pool_type = {
    .name = "connection_pool",
    .answers = true,
    .connects = true,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct pool_stats),
    .state_size = sizeof(struct pool_state),
    .streams = streams,
    .slabs = {sizeof(struct pool_request), sizeof(struct connection)},
    .init = init,
    .handle = handle,
    .miss = relay_miss,
    .traffic = traffic};
