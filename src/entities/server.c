/* SPDX-License-Identifier: Apache-2.0
 *
 * server: serves up to `concurrency` requests at a time; others wait in its queue, or are rejected
 * when that is full. A request holds its worker through its service and then through each of its
 * `calls` in turn. A worker that becomes free takes the next request at once.
 *
 * A request that was given up by its caller is served all the same: the server is not told.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/caller.h"
#include "parts/wait_queue.h"
#include "policies/mix.h"
#include "policies/verdict.h"

enum { TIMER_SERVICE = EVENT_TIMER, TIMER_CALL };
enum { STREAM_SERVICE, STREAM_RESPONSES, STREAM_CALLS };
enum { SLAB_JOBS, SLAB_CALLS };

static const char *const streams[] = {"service", "responses", "calls", NULL};

/* --- parameters -------------------------------------------------------------------------- */

struct response {
    int64_t status;
    double weight;
    double bytes;
};

struct server_call {
    struct target target;
    struct call_params call;
};

enum on_reject { REJECT_REPLY, REJECT_DROP };
static const char *const reject_words[] = {"reply", "drop", NULL};

struct server_params {
    int64_t concurrency;
    struct queue_params queue;
    struct dist service_time;
    LIST_OF(struct response) responses;
    LIST_OF(struct server_call) calls;
    int on_reject;
    struct mix mix; /* derived: of responses */
};

static const struct param_spec response_rows[] = {
    P_COUNT(response, status, NULL, 100, 599, "Status of the reply, as in HTTP."),
    MIX_WEIGHT(response, weight),
    P_REAL(response, bytes, "0", 0, 4e9, "B", "Size of the reply on the wire."), P_END};

static const struct schema response_schema = {.name = "response",
                                              .summary = "A reply that a server may give.",
                                              .size = sizeof(struct response),
                                              .rows = response_rows,
                                              .shorthand = true};

static const struct param_spec call_rows[] = {P_TARGET(server_call, target, NULL, "Who is called."),
                                              CALL_ROWS(server_call, call), P_END};

static const struct schema server_call_schema = {
    .name = "downstream call",
    .summary = "What a request does downstream while it holds its worker.",
    .size = sizeof(struct server_call),
    .rows = call_rows};

static const struct param_spec rows[] = {
    P_LIMIT(server_params, concurrency, "1", 1, 1e9, "Requests served at the same time."),
    P_BLOCK(server_params, queue, queue_schema, "{}", "Where requests wait for service."),
    P_CHOICE(server_params, service_time, dist_duration, "10ms",
             "Time that a worker spends on one request, its downstream calls not counted."),
    P_LIST(server_params, responses, response_schema, "[{status: 200}]",
           "The replies given after service, chosen by weight."),
    P_LIST(server_params, calls, server_call_schema, "[]",
           "Calls made for each request after its service, one after the other; when one fails, "
           "the request is answered with 504 after a timeout and with 502 otherwise."),
    P_WORD(server_params, on_reject, reject_words, "reply",
           "What a request gets that finds the queue full: a reply 503, or none at all."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct server_params *p = params;
    mix_make(&p->mix, p->responses.items, p->responses.count, sizeof *p->responses.items,
             offsetof(struct response, weight), "responses", at, diag, arena);
}

static const struct schema schema = {.name = "server",
                                     .summary = "Serves requests with a number of workers.",
                                     .size = sizeof(struct server_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

struct server_stats {
    uint64_t requests_received, requests_completed, requests_rejected, requests_lost,
        requests_missed;
    uint64_t error_responses, replies_lost, total_service_time;
    struct gauge queue_depth, busy_workers;
    struct histogram wait_time, sojourn_time;
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {
    S_COUNTER(server_stats, requests_received, "Requests that arrived."),
    S_COUNTER(server_stats, requests_completed, "Requests served and answered."),
    S_COUNTER(server_stats, requests_rejected, "Requests that found the queue full."),
    S_COUNTER(server_stats, requests_lost, "Requests waiting or in service lost in a crash."),
    S_COUNTER(server_stats, requests_missed,
              "Requests that arrived while it was down, and vanished."),
    S_COUNTER(server_stats, error_responses, "Replies after service with a status of failure."),
    S_COUNTER(server_stats, replies_lost, "Replies lost on the wire."),
    S_SUM(server_stats, total_service_time, "ns", "Service given, downstream calls not counted."),
    S_GAUGE(server_stats, queue_depth, "Requests waiting."),
    S_GAUGE(server_stats, busy_workers, "Workers in use."),
    S_HISTOGRAM(server_stats, wait_time, "From arrival to the start of service."),
    S_HISTOGRAM(server_stats, sojourn_time, "From arrival to the reply, for requests served."),
    CALLER_STATS(server_stats, calls, "downstream_", "Downstream calls: "),
    S_END};

/* --- behaviour --------------------------------------------------------------------------- */

struct server_state {
    struct wait_queue queue;
    int64_t busy;
};

struct job {
    struct waiting link;
    entity_id owner;
    struct message request;
    sim_time arrived; /* [ns] */
    sim_time service; /* [ns] drawn when it starts */
    uint32_t call;    /* downstream call under way */
};

static void start(struct ctx *c, uint32_t index)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    struct job *job = slab_at(&c->slabs[SLAB_JOBS], index);
    gauge_set(&st->busy_workers, c->now, ++state->busy);
    sim_record(c, &st->wait_time, c->now - job->arrived);
    job->service = dist_draw(&p->service_time, &c->streams[STREAM_SERVICE]);
    double slow = sim_slowdown(c);
    unsigned flags = dist_is_constant(&p->service_time) ? TIMER_CONSTANT : 0;
    if (slow != 1.0) {
        job->service = sim_time_round((double)job->service * slow);
        flags = 0;
    }
    sim_timer(c, TIMER_SERVICE, job->service, slab_token(&c->slabs[SLAB_JOBS], index), flags);
}

static void reject(struct ctx *c, const struct message *request)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    st->requests_rejected++;
    if (p->on_reject == REJECT_REPLY) {
        struct message m = {.status = STATUS_OVERLOADED};
        st->replies_lost += !sim_reply(c, request, &m);
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    st->requests_received++;
    uint32_t index = slab_take(&c->slabs[SLAB_JOBS]);
    struct job *job = slab_at(&c->slabs[SLAB_JOBS], index);
    *job = (struct job){.owner = c->self, .request = e->msg, .arrived = c->now};
    if (state->busy < p->concurrency) {
        start(c, index);
    } else if (wait_push(&state->queue, &p->queue, &c->slabs[SLAB_JOBS], index, e->msg.priority)) {
        gauge_set(&st->queue_depth, c->now, state->queue.count);
    } else {
        slab_give(&c->slabs[SLAB_JOBS], index);
        reject(c, &e->msg);
    }
}

/* A worker is free: the next request has it. */
static void release_worker(struct ctx *c)
{
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    state->busy--;
    if (state->queue.count > 0) {
        uint32_t index = wait_pop(&state->queue, &c->slabs[SLAB_JOBS]);
        gauge_set(&st->queue_depth, c->now, state->queue.count);
        start(c, index);
    } else {
        gauge_set(&st->busy_workers, c->now, state->busy);
    }
}

static void finish_job(struct ctx *c, uint32_t index, struct message reply)
{
    struct server_stats *st = c->stats;
    struct job *job = slab_at(&c->slabs[SLAB_JOBS], index);
    st->requests_completed++;
    st->error_responses += verdict_of(reply.status) != OUTCOME_SUCCESS;
    sim_record(c, &st->sojourn_time, c->now - job->arrived);
    st->replies_lost += !sim_reply(c, &job->request, &reply);
    slab_give(&c->slabs[SLAB_JOBS], index);
    release_worker(c);
}

/* The reply of a request whose service and calls went well. */
static struct message choose_response(struct ctx *c)
{
    const struct server_params *p = c->params;
    const struct response *r =
        &p->responses.items[mix_pick(&p->mix, &c->streams[STREAM_RESPONSES])];
    return (struct message){.status = (uint16_t)r->status, .bytes = (uint32_t)r->bytes};
}

static struct caller caller_for(struct ctx *c, uint32_t site)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->calls.items[site].target,
                           .params = &p->calls.items[site].call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS],
                           .timer_kind = TIMER_CALL};
}

/* Makes the job's next downstream call, or answers when there is none left. */
static void next_step(struct ctx *c, uint32_t index)
{
    const struct server_params *p = c->params;
    struct job *job = slab_at(&c->slabs[SLAB_JOBS], index);
    if (job->call == p->calls.count) {
        finish_job(c, index, choose_response(c));
        return;
    }
    struct caller caller = caller_for(c, job->call);
    caller_start(&caller, &(struct call_request){.request = job->request.request,
                                                 .cookie = index,
                                                 .class_ = job->request.class_,
                                                 .site = (uint16_t)job->call,
                                                 .priority = job->request.priority});
}

static void on_service(struct ctx *c, const struct event *e)
{
    struct server_stats *st = c->stats;
    struct job *job = slab_find(&c->slabs[SLAB_JOBS], e->msg.token);
    CHECK(job, "the end of a service that nobody has");
    st->total_service_time += (uint64_t)job->service;
    next_step(c, (uint32_t)e->msg.token);
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct server_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    if (!call) {
        return;
    }
    struct caller caller = caller_for(c, call->site);
    struct call_end end;
    if (!caller_handle(&caller, call, e, &end)) {
        return;
    }
    uint32_t index = (uint32_t)end.cookie;
    struct job *job = slab_at(&c->slabs[SLAB_JOBS], index);
    if (end.outcome == OUTCOME_SUCCESS) {
        job->call++;
        next_step(c, index);
        return;
    }
    uint16_t status = end.outcome == OUTCOME_TIMEOUT ? STATUS_GATEWAY_TIMEOUT : STATUS_BAD_GATEWAY;
    finish_job(c, index, (struct message){.status = status});
}

static void crash(struct ctx *c)
{
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    st->requests_lost +=
        slab_give_owned(&c->slabs[SLAB_JOBS], offsetof(struct job, owner), c->self);
    caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
    *state = (struct server_state){.busy = 0};
    gauge_set(&st->queue_depth, c->now, 0);
    gauge_set(&st->busy_workers, c->now, 0);
}

static void miss(struct ctx *c, const struct event *e)
{
    struct server_stats *st = c->stats;
    st->requests_missed += e->kind == EVENT_REQUEST;
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case TIMER_SERVICE:
        on_service(c, e);
        break;
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case EVENT_ACTION:
        if (e->msg.status == ACTION_CRASH) {
            crash(c);
        }
        break;
    default:
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct server_params *p = params;
    for (uint32_t site = 0; site < p->calls.count; site++) {
        t->out[p->calls.items[site].target.port] = t->in;
    }
    t->events = t->in * (2.0 + p->calls.count); /* arrival, service, and a reply from each call */
}

const struct entity_type server_type = {.name = "server",
                                        .answers = true,
                                        .heeds = 1u << ACTION_SLOW,
                                        .params = &schema,
                                        .stats = stats,
                                        .stats_size = sizeof(struct server_stats),
                                        .state_size = sizeof(struct server_state),
                                        .streams = streams,
                                        .slabs = {sizeof(struct job), sizeof(struct call)},
                                        .handle = handle,
                                        .miss = miss,
                                        .traffic = traffic};
