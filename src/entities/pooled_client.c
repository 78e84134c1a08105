/* SPDX-License-Identifier: Apache-2.0
 *
 * pooled_client: a client that calls over a connection pool and knows it. The time of an attempt,
 * and with it its timeout, begins when it has got a connection; an attempt that times out gives its
 * connection back at once, and the next one waits in line again. A request that gets no connection
 * in time has failed.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/caller.h"
#include "parts/source.h"

enum { TIMER_SOURCE = EVENT_TIMER, TIMER_CALL = TIMER_SOURCE + SOURCE_TIMERS };
enum { STREAM_SOURCE, STREAM_CALLS = STREAM_SOURCE + SOURCE_STREAMS };

static const char *const streams[] = {SOURCE_STREAM_NAMES, "calls", NULL};

struct pooled_client_params {
    struct target target;
    struct source_params source;
    struct call_params call;
    bool retry_on_connection_timeout;
};

static const struct param_spec rows[] = {
    P_TARGET(pooled_client_params, target, NULL,
             "The connection pool, or pools, that requests go through."),
    SOURCE_ROWS(pooled_client_params, source),
    P_BLOCK(pooled_client_params, call, call_schema, "{}",
            "How requests are made. Timeouts begin when an attempt has got its connection."),
    P_BOOL(pooled_client_params, retry_on_connection_timeout, "false",
           "Whether the retry policy is asked after a wait for a connection that was too long; "
           "otherwise the request has failed."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct pooled_client_params *p = params;
    source_derive(&p->source, at, diag, arena);
    p->target.apart = call_needs_endpoints(&p->call);
    p->target.connects = true;
}

static const struct schema schema = {.name = "pooled_client",
                                     .summary = "Makes requests over a connection pool.",
                                     .size = sizeof(struct pooled_client_params),
                                     .rows = rows,
                                     .derive = derive};

struct pooled_client_stats {
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {CALLER_STATS(pooled_client_stats, calls, "", ""), S_END};

struct pooled_client_state {
    struct source_state source;
};

static struct source source_for(struct ctx *c)
{
    const struct pooled_client_params *p = c->params;
    struct pooled_client_state *state = c->state;
    return (struct source){.ctx = c,
                           .params = &p->source,
                           .state = &state->source,
                           .streams = &c->streams[STREAM_SOURCE],
                           .timer_kind = TIMER_SOURCE};
}

static struct caller caller_for(struct ctx *c)
{
    const struct pooled_client_params *p = c->params;
    struct pooled_client_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[0],
                           .stream = &c->streams[STREAM_CALLS],
                           .timer_kind = TIMER_CALL,
                           .pooled = true,
                           .retry_waits = p->retry_on_connection_timeout,
                           .names = p->source.names};
}

static void init(struct ctx *c)
{
    struct source source = source_for(c);
    source_begin(&source);
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct pooled_client_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[0], &st->calls, e);
    if (!call) {
        return;
    }
    struct caller caller = caller_for(c);
    struct call_end end;
    if (caller_handle(&caller, call, e, &end)) {
        struct source source = source_for(c);
        source_ended(&source);
    }
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct pooled_client_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        caller_abandon(c, &c->slabs[0], &st->calls);
    } else if (e->msg.status == ACTION_RESTART) {
        struct source source = source_for(c);
        source_restart(&source);
    }
}

static void on_source(struct ctx *c, const struct event *e)
{
    if (sim_sources_stopped(c)) {
        return;
    }
    struct source source = source_for(c);
    struct caller caller = caller_for(c);
    struct call_request request = source_next(&source, e);
    caller_start(&caller, &request);
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    default:
        on_source(c, e);
        break;
    }
}

static const char *exempt(const void *params, enum action_kind kind)
{
    const struct pooled_client_params *p = params;
    return source_exempt(&p->source, kind);
}

static void traffic(const void *params, struct traffic *t)
{
    const struct pooled_client_params *p = params;
    double rate = source_rate(&p->source);
    t->out[p->target.port] = rate;
    t->events = 3.0 * rate; /* an arrival, word of a connection and a reply each */
}

const struct entity_type pooled_client_type = {.name = "pooled_client",
                                               .heeds =
                                                   1u << ACTION_RATE | 1u << ACTION_CONDITIONER,
                                               .exempt = exempt,
                                               .params = &schema,
                                               .stats = stats,
                                               .stats_size = sizeof(struct pooled_client_stats),
                                               .state_size = sizeof(struct pooled_client_state),
                                               .streams = streams,
                                               .slabs = {sizeof(struct call)},
                                               .init = init,
                                               .handle = handle,
                                               .traffic = traffic};
