/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/requester.h"

#include <stddef.h>

enum { TIMER_SOURCE = EVENT_TIMER, TIMER_CALL = TIMER_SOURCE + SOURCE_TIMERS };
enum { STREAM_SOURCE, STREAM_CALLS = STREAM_SOURCE + SOURCE_STREAMS };

const char *const requester_streams[] = {SOURCE_STREAM_NAMES, "calls", NULL};

void requester_derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct requester_params *p = params;
    source_derive(&p->source, at, diag, arena);
    call_params_own(&p->call, &p->target,
                    &(struct call_owner){.timer_kind = TIMER_CALL,
                                         .pooled = p->pooled,
                                         .retry_waits = p->retry_on_connection_timeout,
                                         .by_kind = true});
}

static struct source source_for(struct ctx *c)
{
    const struct requester_params *p = c->params;
    struct requester_state *state = c->state;
    return (struct source){.ctx = c,
                           .params = &p->source,
                           .state = &state->source,
                           .streams = &c->streams[STREAM_SOURCE],
                           .timer_kind = TIMER_SOURCE};
}

static struct caller caller_for(struct ctx *c)
{
    const struct requester_params *p = c->params;
    struct requester_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[0],
                           .stream = &c->streams[STREAM_CALLS]};
}

void requester_init(struct ctx *c)
{
    struct source source = source_for(c);
    source_begin(&source);
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct requester_stats *st = c->stats;
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
    struct requester_stats *st = c->stats;
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

void requester_handle(struct ctx *c, const struct event *e)
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

const char *requester_exempt(const void *params, enum action_kind kind)
{
    const struct requester_params *p = params;
    return source_exempt(&p->source, kind);
}

void requester_traffic(const void *params, struct traffic *t)
{
    const struct requester_params *p = params;
    double rate = source_rate(&p->source);
    t->out[p->target.port] = rate;
    /* An arrival, word of a connection if there are any, and a reply each. */
    t->events = (p->pooled ? 3.0 : 2.0) * rate;
}
