/* SPDX-License-Identifier: Apache-2.0
 *
 * sidecar: a proxy beside a service that makes its calls for it: each request it gets is one call
 * to its target, with the rate limit, circuit breaker, timeout and retries of its `call` block,
 * which by default are those of happysimulator's Sidecar. Every attempt passes all of them, so a
 * retry that the limit or the breaker holds back ends the request.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "engine/target.h"
#include "parts/caller.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_CALL = EVENT_TIMER };
enum { STREAM_CALLS };
enum { SLAB_REQUESTS, SLAB_CALLS };

static const char *const streams[] = {"calls", NULL};

struct sidecar_params {
    struct target target;
    int method; /* enum method */
    struct call_params call;
};

static const struct param_spec rows[] = {
    P_TARGET(sidecar_params, target, NULL, "Who is called."),
    P_WORD(sidecar_params, method, method_words, "GET", "Method of the calls."),
    P_BLOCK(sidecar_params, call, call_schema,
            "{timeout: 5s, retry: {kind: exponential, max_retries: 3, initial_delay: 100ms, "
            "max_delay: none}, breaker: {kind: consecutive, failure_threshold: 5, "
            "success_threshold: 2, recovery_timeout: 30s, half_open_max_requests: unlimited, "
            "check: attempt, counts: requests}}",
            "How requests are made. What is written here stands in place of all of the default."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)at;
    (void)diag;
    (void)arena;
    struct sidecar_params *p = params;
    call_params_own(&p->call, &p->target, &(struct call_owner){.timer_kind = TIMER_CALL});
}

static const struct schema schema = {
    .name = "sidecar",
    .summary = "Calls its target with a limit, a breaker, timeouts and retries, for those who ask.",
    .size = sizeof(struct sidecar_params),
    .rows = rows,
    .derive = derive};

struct sidecar_stats {
    struct relay_stats relay;
    uint64_t successful_requests, failed_requests;
    struct histogram latency;
    struct caller_stats calls;
};

/* requests_received = successful_requests + failed_requests + cancels_received + requests_lost, and
 * those in progress. */
static const struct stat_spec stats[] = {
    RELAY_INWARD_STATS(sidecar_stats, relay),
    S_COUNTER(sidecar_stats, successful_requests, "Requests whose call ended well."),
    S_COUNTER(sidecar_stats, failed_requests, "Requests whose call failed."),
    S_HISTOGRAM(sidecar_stats, latency, "From the arrival of a request to its answer."),
    CALLER_STATS(sidecar_stats, calls, "downstream_", "Calls: "),
    S_END};

struct sidecar_state {
    struct relay_state relay;
};

struct sidecar_request {
    struct relay_slot relay;
    uint32_t call; /* its slot */
};

static struct caller caller_for(struct ctx *c)
{
    const struct sidecar_params *p = c->params;
    struct sidecar_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

static struct sidecar_request *request_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_REQUESTS], slot);
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct sidecar_params *p = c->params;
    struct relay relay = relay_of(c);
    struct caller caller = caller_for(c);
    const struct relay_slot *s = relay_take(&relay, e);
    struct call_request request = relay_call(s, 0, p->method);
    request_at(c, s->slot)->call = caller_start(&caller, &request);
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct sidecar_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    struct caller caller = caller_for(c);
    struct call_end end;
    if (!call || !caller_handle(&caller, call, e, &end)) {
        return;
    }
    struct relay relay = relay_of(c);
    struct relay_slot *s = &request_at(c, (uint32_t)end.cookie)->relay;
    bool well = end.outcome == OUTCOME_SUCCESS;
    st->successful_requests += well;
    st->failed_requests += !well;
    sim_record(c, &st->latency, c->now - s->arrived);
    struct message reply = caller_reply(&end.last);
    relay_answer(&relay, s, &reply);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct caller caller = caller_for(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (s) {
        caller_give_up(&caller, request_at(c, s->slot)->call);
        relay_drop(&relay, s, false);
    }
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct sidecar_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
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
    default:
        on_call(c, e);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct sidecar_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type sidecar_type = {
    .name = "sidecar",
    .answers = true,
    .heeds = 1u << ACTION_CONDITIONER,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct sidecar_stats),
    .state_size = sizeof(struct sidecar_state),
    .streams = streams,
    .slabs = {sizeof(struct sidecar_request), sizeof(struct call)},
    .handle = handle,
    .miss = relay_miss,
    .traffic = traffic};
