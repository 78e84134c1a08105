/* SPDX-License-Identifier: Apache-2.0
 *
 * api_gateway: lets requests of some kinds in and calls for each kind the backends of its route.
 * Before that it looks at who asks, which takes time but no worker, and at the route's rate limit:
 * 404 is the answer without a route, 401 to whoever fails the one, and 429 where the other is
 * used up. What became of the call is told as caller_reply says; its timeout is that of
 * the route's `call`, and so are retries and the rest, of which there are none by default.
 */
#include <stddef.h>
#include <string.h>

#include "engine/entity.h"
#include "engine/kind.h"
#include "engine/target.h"
#include "parts/caller.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_AUTH = EVENT_TIMER, TIMER_CALL };
enum { STREAM_AUTH, STREAM_CALLS };
enum { SLAB_REQUESTS, SLAB_CALLS };
enum { MOST_LIMITS = 1 << 26 }; /* [B] that the limits of all routes may remember */
enum { STATUS_UNAUTHORISED = 401, STATUS_NO_ROUTE = 404 };

static const char *const streams[] = {"auth", "calls", NULL};

struct route {
    struct kind kind;
    struct target target;
    bool auth_required;
    struct limiter rate_limit;
    int method; /* enum method */
    struct call_params call;
    size_t limit_at; /* derived: where in the memory of limits the state of this one lies [B] */
};

static const struct param_spec route_rows[] = {
    KIND_KEY(route, kind, "The kind of requests."),
    P_TARGET(route, target, NULL, "The backends."),
    P_BOOL(route, auth_required, "true", "Whether it matters who asks."),
    P_CHOICE(route, rate_limit, limiter_choice, "none",
             "How many requests are let in in which time; the others are refused. That in `call` "
             "is one on attempts."),
    P_WORD(route, method, method_words, "GET", "Method of the calls."),
    P_BLOCK(route, call, call_schema, "{}", "How the backends are called."),
    P_END};

static void derive_route(void *params, const struct node *at, struct diag *diag,
                         struct arena *arena)
{
    (void)at;
    (void)diag;
    (void)arena;
    struct route *r = params;
    call_params_own(&r->call, &r->target, &(struct call_owner){.timer_kind = TIMER_CALL});
}

static const struct schema route_schema = {.name = "route",
                                           .summary = "What becomes of one kind of requests.",
                                           .size = sizeof(struct route),
                                           .rows = route_rows,
                                           .kinds = KINDS_SOUGHT,
                                           .derive = derive_route};

struct api_gateway_params {
    LIST_OF(struct route) routes;
    struct dist auth_latency;
    double auth_failure_rate; /* [1] */
    size_t limits_size;       /* derived [B] */
};

static const struct param_spec rows[] = {{.name = "routes",
                                          .doc = "What becomes of requests, by their kind.",
                                          .unit = "",
                                          .kind = PARAM_MAP,
                                          .schema = &route_schema,
                                          .offset = SCHEMA_LIST_OFFSET(api_gateway_params, routes)},
                                         P_CHOICE(api_gateway_params, auth_latency, dist_duration,
                                                  "1ms", "Time it takes to look at who asks."),
                                         P_REAL(api_gateway_params, auth_failure_rate, "0", 0, 1,
                                                "1", "Share of those who are not let in."),
                                         P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct api_gateway_params *p = params;
    if (p->routes.count == 0) {
        diag_error(diag, node_child(at, "routes"), "needs at least one route");
    }
    for (uint32_t i = 0; i < p->routes.count; i++) {
        struct route *r = &p->routes.items[i];
        r->limit_at = p->limits_size;
        p->limits_size += (limiter_state_size(&r->rate_limit) + 7) & ~(size_t)7;
    }
    if (p->limits_size > MOST_LIMITS) {
        diag_error(diag, node_child(at, "routes"), "the windows of their rate limits need %zu MB",
                   p->limits_size >> 20);
    }
}

static const struct schema schema = {.name = "api_gateway",
                                     .summary = "Lets requests in and calls by their kind.",
                                     .size = sizeof(struct api_gateway_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

struct api_gateway_stats {
    struct relay_stats relay;
    uint64_t requests_routed, requests_no_route, requests_rejected_auth;
    uint64_t requests_rejected_rate_limit, requests_timed_out;
    uint64_t successful_requests, failed_requests, routed_given_up;
    struct histogram latency;
    struct caller_stats calls;
};

/* requests_received is the sum of those routed and of the three kinds of refusals, of what was
 * given up or lost before it was routed, and of those whose auth goes on. */
static const struct stat_spec stats[] = {
    RELAY_INWARD_STATS(api_gateway_stats, relay),
    S_COUNTER(api_gateway_stats, requests_routed, "Requests let in, for which calls were made."),
    S_COUNTER(api_gateway_stats, requests_no_route, "Requests of a kind without a route."),
    S_COUNTER(api_gateway_stats, requests_rejected_auth, "Requests of those who are not let in."),
    S_COUNTER(api_gateway_stats, requests_rejected_rate_limit,
              "Requests beyond the rate limit of their route."),
    S_COUNTER(api_gateway_stats, successful_requests, "Requests whose call ended well."),
    S_COUNTER(api_gateway_stats, failed_requests, "Requests whose call failed, ..."),
    S_COUNTER(api_gateway_stats, requests_timed_out, "... of these by a timeout."),
    S_COUNTER(api_gateway_stats, routed_given_up,
              "Requests given up by those who asked while their call was under way."),
    S_HISTOGRAM(api_gateway_stats, latency, "From the arrival of a request to its answer."),
    CALLER_STATS(api_gateway_stats, calls, "downstream_", "Calls: "),
    S_END};

/* --- requests in hand -------------------------------------------------------------------- */

struct api_gateway_state {
    struct relay_state relay;
    uint32_t limits; /* kept memory; 0: not taken yet */
};

struct gateway_request {
    struct relay_slot relay;
    uint64_t timer; /* of auth */
    uint32_t route;
    uint32_t call; /* its slot, once it is routed */
    bool routed;
};

static struct caller caller_for(struct ctx *c, uint32_t route)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->routes.items[route].target,
                           .params = &p->routes.items[route].call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

static struct gateway_request *request_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_REQUESTS], slot);
}

static void answer(struct ctx *c, struct gateway_request *q, const struct message *reply)
{
    struct api_gateway_stats *st = c->stats;
    struct relay relay = relay_of(c);
    sim_record(c, &st->latency, c->now - q->relay.arrived);
    relay_answer(&relay, &q->relay, reply);
}

/* --- the way through --------------------------------------------------------------------- */

/* What the limits of all routes remember, taken when it is first needed. */
static unsigned char *limits_of(struct ctx *c)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_state *state = c->state;
    if (!state->limits) {
        state->limits = sim_keep(c, p->limits_size);
    }
    return sim_kept(c, state->limits);
}

static bool is_within_limit(struct ctx *c, const struct route *r)
{
    return r->rate_limit.kind == LIMITER_NONE ||
           limiter_take(&r->rate_limit, (void *)(limits_of(c) + r->limit_at), c->now);
}

static void call_backend(struct ctx *c, struct gateway_request *q)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_stats *st = c->stats;
    struct caller caller = caller_for(c, q->route);
    st->requests_routed++;
    q->routed = true;
    struct call_request request = relay_call(&q->relay, q->route, p->routes.items[q->route].method);
    q->call = caller_start(&caller, &request);
}

/* It is known who asks. */
static void route(struct ctx *c, struct gateway_request *q)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_stats *st = c->stats;
    if (is_within_limit(c, &p->routes.items[q->route])) {
        call_backend(c, q);
        return;
    }
    st->requests_rejected_rate_limit++;
    answer(c, q, &(struct message){.status = STATUS_LIMITED});
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct gateway_request *q = request_at(c, relay_take(&relay, e)->slot);
    q->route = kind_find(p->routes.items, p->routes.count, sizeof *p->routes.items, e->msg.class_);
    q->routed = false;
    q->timer = 0;
    if (q->route == p->routes.count) {
        st->requests_no_route++;
        answer(c, q, &(struct message){.status = STATUS_NO_ROUTE});
        return;
    }
    if (!p->routes.items[q->route].auth_required) {
        route(c, q);
        return;
    }
    q->timer = sim_work(c, TIMER_AUTH, &p->auth_latency, STREAM_AUTH, 1.0,
                        slab_token(relay.slab, q->relay.slot));
}

static void on_auth(struct ctx *c, const struct event *e)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_stats *st = c->stats;
    struct gateway_request *q = slab_find(&c->slabs[SLAB_REQUESTS], e->msg.token);
    CHECK(q, "word of somebody who has gone");
    if (p->auth_failure_rate > 0.0 && rng_unit(&c->streams[STREAM_AUTH]) < p->auth_failure_rate) {
        st->requests_rejected_auth++;
        answer(c, q, &(struct message){.status = STATUS_UNAUTHORISED});
    } else {
        route(c, q);
    }
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct api_gateway_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    if (!call) {
        return;
    }
    struct caller caller = caller_for(c, call->site);
    struct call_end end;
    if (!caller_handle(&caller, call, e, &end)) {
        return;
    }
    bool well = end.outcome == OUTCOME_SUCCESS;
    st->successful_requests += well;
    st->failed_requests += !well;
    st->requests_timed_out += end.last.error == ERROR_TIMEOUT;
    struct message reply = caller_reply(&end.last);
    answer(c, request_at(c, (uint32_t)end.cookie), &reply);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    struct api_gateway_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct gateway_request *q = request_at(c, s->slot);
    if (q->routed) {
        struct caller caller = caller_for(c, q->route);
        st->routed_given_up++;
        caller_give_up(&caller, q->call);
    } else {
        sim_cancel(c, q->timer);
    }
    relay_drop(&relay, s, false);
}

static void on_action(struct ctx *c, const struct event *e)
{
    const struct api_gateway_params *p = c->params;
    struct api_gateway_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
        if (p->limits_size > 0) {
            memset(limits_of(c), 0, p->limits_size);
        }
        caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
        relay_crash(&relay);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    case TIMER_AUTH:
        on_auth(c, e);
        break;
    default:
        on_call(c, e);
        break;
    }
}

/* As if every route had the same share of what comes. */
static void traffic(const void *params, struct traffic *t)
{
    const struct api_gateway_params *p = params;
    for (uint32_t i = 0; i < p->routes.count; i++) {
        t->out[p->routes.items[i].target.port] += t->in / p->routes.count;
    }
    t->events = 3.0 * t->in; /* there, who asks, and back */
}

const struct entity_type api_gateway_type = {
    .name = "api_gateway",
    .answers = true,
    .heeds = 1u << ACTION_CONDITIONER,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct api_gateway_stats),
    .state_size = sizeof(struct api_gateway_state),
    .streams = streams,
    .slabs = {sizeof(struct gateway_request), sizeof(struct call)},
    .handle = handle,
    .miss = relay_miss,
    .traffic = traffic};
