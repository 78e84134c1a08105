/* SPDX-License-Identifier: Apache-2.0
 *
 * client: makes requests, either as they arrive from outside whatever becomes of the earlier ones
 * (open loop), or by a number of users each of whom thinks, calls, and waits for the end of the
 * call before thinking again (closed loop).
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/caller.h"
#include "policies/arrivals.h"
#include "policies/mix.h"

enum { TIMER_ARRIVAL = EVENT_TIMER, TIMER_THINK, TIMER_CALL };
enum { STREAM_ARRIVALS, STREAM_MIX, STREAM_CALLS };

static const char *const streams[] = {"arrivals", "mix", "calls", NULL};

/* --- parameters -------------------------------------------------------------------------- */

struct request_kind {
    const char *name;
    double weight;
    int priority;
    double bytes;
};

struct client_params {
    struct target target;
    struct arrivals arrivals;
    LIST_OF(struct request_kind) requests;
    struct call_params call;
    struct mix mix; /* derived: of requests */
};

static const char *const priority_words[] = {"high", "normal", "low", NULL};

static const struct param_spec request_rows[] = {
    P_KEY(request_kind, name, "Name of the kind of request."), MIX_WEIGHT(request_kind, weight),
    P_WORD(request_kind, priority, priority_words, "normal", "Priority that servers may heed."),
    P_REAL(request_kind, bytes, "0", 0, 4e9, "B", "Size of the request on the wire."), P_END};

static const struct schema request_schema = {.name = "request",
                                             .summary = "A kind of request in a client's mix.",
                                             .size = sizeof(struct request_kind),
                                             .rows = request_rows};

static const struct param_spec rows[] = {
    P_TARGET(client_params, target, NULL, "Who is called."),
    P_CHOICE(client_params, arrivals, arrivals_choice, NULL, "When requests are made."),
    P_MAP(client_params, requests, request_schema, "{any: {}}",
          "The mix: the kinds of requests, chosen by weight."),
    P_BLOCK(client_params, call, call_schema, "{}", "How requests are made."), P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct client_params *p = params;
    mix_make(&p->mix, p->requests.items, p->requests.count, sizeof *p->requests.items,
             offsetof(struct request_kind, weight), "requests", at, diag, arena);
}

static const struct schema schema = {.name = "client",
                                     .summary = "Makes requests, with timeouts and retries.",
                                     .size = sizeof(struct client_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

struct client_stats {
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {CALLER_STATS(client_stats, calls, "", ""), S_END};

/* --- behaviour --------------------------------------------------------------------------- */

struct client_state {
    struct arrivals_state arrivals;
    sim_time next;     /* [ns] arrival that is awaited */
    uint64_t requests; /* made so far */
};

static struct caller caller_for(struct ctx *c)
{
    const struct client_params *p = c->params;
    struct client_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[0],
                           .stream = &c->streams[STREAM_CALLS],
                           .timer_kind = TIMER_CALL};
}

static void begin_request(struct ctx *c)
{
    const struct client_params *p = c->params;
    struct client_state *state = c->state;
    uint32_t kind = mix_pick(&p->mix, &c->streams[STREAM_MIX]);
    const struct request_kind *k = &p->requests.items[kind];
    struct caller caller = caller_for(c);
    caller_start(&caller, &(struct call_request){.request = (uint64_t)c->self << 32 |
                                                            (uint32_t)++state->requests,
                                                 .class_ = (uint16_t)kind,
                                                 .priority = (uint8_t)k->priority,
                                                 .bytes = (uint32_t)k->bytes});
}

/* Sets the timer for the next arrival from `now` on; those before it are lost. */
static void await_arrival(struct ctx *c)
{
    const struct client_params *p = c->params;
    struct client_state *state = c->state;
    uint32_t n;
    const struct rate_window *windows = sim_rate_windows(c, &n);
    do {
        state->next =
            arrivals_next(&p->arrivals, &state->arrivals, windows, n, &c->streams[STREAM_ARRIVALS]);
    } while (state->next < c->now);
    if (state->next != SIM_TIME_NEVER) {
        sim_timer(c, TIMER_ARRIVAL, state->next - c->now, 0, 0);
    }
}

static void think(struct ctx *c)
{
    const struct client_params *p = c->params;
    uint32_t n;
    const struct rate_window *windows = sim_rate_windows(c, &n);
    sim_time next = arrivals_think(&p->arrivals, c->now, windows, n, &c->streams[STREAM_ARRIVALS]);
    if (next != SIM_TIME_NEVER) {
        sim_timer(c, TIMER_THINK, next - c->now, 0, 0);
    }
}

static void on_call(struct ctx *c, const struct event *e)
{
    const struct client_params *p = c->params;
    struct client_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[0], &st->calls, e);
    if (!call) {
        return;
    }
    struct caller caller = caller_for(c);
    struct call_end end;
    if (caller_handle(&caller, call, e, &end) && p->arrivals.kind == ARRIVALS_CLOSED) {
        think(c);
    }
}

static void begin_thinking(struct ctx *c)
{
    const struct client_params *p = c->params;
    for (int64_t user = 0; user < p->arrivals.users; user++) {
        think(c);
    }
}

static void init(struct ctx *c)
{
    const struct client_params *p = c->params;
    if (p->arrivals.kind == ARRIVALS_CLOSED) {
        begin_thinking(c);
    } else {
        await_arrival(c);
    }
}

/* The world outside does not stop for a crash: an open loop goes on with the first arrival after
 * the restart. Users of a closed loop begin anew. */
static void restart(struct ctx *c)
{
    const struct client_params *p = c->params;
    struct client_state *state = c->state;
    if (p->arrivals.kind == ARRIVALS_CLOSED) {
        begin_thinking(c);
    } else if (state->next >= c->now && state->next != SIM_TIME_NEVER) {
        sim_timer(c, TIMER_ARRIVAL, state->next - c->now, 0, 0);
    } else {
        await_arrival(c);
    }
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct client_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        caller_abandon(c, &c->slabs[0], &st->calls);
    } else if (e->msg.status == ACTION_RESTART) {
        restart(c);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case TIMER_ARRIVAL:
        await_arrival(c);
        begin_request(c);
        break;
    case TIMER_THINK:
        begin_request(c);
        break;
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    default:
        break;
    }
}

static const char *exempt(const void *params, enum action_kind kind)
{
    const struct client_params *p = params;
    return kind == ACTION_RATE && p->arrivals.kind == ARRIVALS_TIMES
               ? "has arrivals at given times, which no rate changes"
               : NULL;
}

static void traffic(const void *params, struct traffic *t)
{
    const struct client_params *p = params;
    double rate = arrivals_rate(&p->arrivals);
    t->out[p->target.port] = rate;
    t->events = 2.0 * rate; /* an arrival and a reply each */
}

const struct entity_type client_type = {.name = "client",
                                        .heeds = 1u << ACTION_RATE,
                                        .exempt = exempt,
                                        .params = &schema,
                                        .stats = stats,
                                        .stats_size = sizeof(struct client_stats),
                                        .state_size = sizeof(struct client_state),
                                        .streams = streams,
                                        .slabs = {sizeof(struct call)},
                                        .init = init,
                                        .handle = handle,
                                        .traffic = traffic};
