/* SPDX-License-Identifier: Apache-2.0
 *
 * server: serves up to `concurrency` requests at a time; others wait in its queue, or are rejected
 * when that is full. A request holds its worker (or several, by its kind) through its turn in an
 * event loop, through its service and then through each of its `calls` in turn. A worker that
 * becomes free takes the next request at once.
 *
 * How long service takes is that part's to say (parts/service.h).
 *
 * Who is next, and who waits in vain, is the queue's to say (parts/wait_queue.h): what is dropped
 * before it is served takes no worker's time, and the next in line has its turn in the same
 * instant.
 *
 * A limit on requests in flight (parts/in_flight.h) stands before all of this. An autoscaler
 * (parts/replicas.h) makes it several replicas of `concurrency` workers each, behind one queue.
 *
 * A request that was given up by its caller is served all the same, unless the server is told
 * (`on_cancel`) or knows the deadline (`middleware`).
 */
#include <stddef.h>

#include "base/compiler.h"
#include "engine/entity.h"
#include "parts/callee.h"
#include "parts/in_flight.h"
#include "parts/reject.h"
#include "parts/replicas.h"
#include "parts/request_index.h"
#include "parts/service.h"
#include "parts/wait_queue.h"
#include "policies/verdict.h"

enum { TIMER_CALL = SERVICE_END_TIMERS, TIMER_DEADLINE, TIMER_SYNC, TIMER_BOOT };
enum {
    STREAM_RESPONSES = SERVICE_END_STREAMS,
    STREAM_CALLS,
    STREAM_ADMISSION,
    STREAM_LIMIT,
    STREAM_ORDER
};
enum { SLAB_JOBS = SERVICE_JOBS, SLAB_CALLS = SERVICE_END_SLABS };

static const char *const streams[] = {"service",   "event_loop",        "responses", "calls",
                                      "admission", "concurrency_limit", "order",     NULL};

/* --- parameters -------------------------------------------------------------------------- */

enum on_cancel { CANCEL_IGNORED, CANCEL_DEQUEUES, CANCEL_ABORTS };
static const char *const cancel_words[] = {"ignore", "dequeue", "abort", NULL};

enum middleware_kind { MIDDLEWARE_NONE, MIDDLEWARE_DEADLINE };

struct middleware {
    int kind;                                /* enum middleware_kind */
    sim_time timeout, low_timeout_threshold; /* [ns] */
    bool cancel_on_timeout;
};

struct server_params {
    int64_t concurrency;
    struct queue_params queue;
    struct service_params service;
    LIST_OF(struct callee) calls;
    int on_reject;               /* enum on_reject */
    sim_time reject_retry_after; /* [ns] SIM_TIME_NEVER: not said */
    int on_cancel;               /* enum on_cancel */
    struct middleware middleware;
    struct concurrency_limit concurrency_limit;
    struct autoscaler autoscaler;
    bool gives_up; /* derived: work may end before it is done */
    bool picks;    /* derived: the queue is to be asked who is next, and whether */
    bool limited;  /* derived: there is a limit on requests in flight */
    bool guarded;  /* derived: a request may be kept waiting, or out, though there are workers */
    bool bound;    /* derived: to a job belongs more than its slot */
    bool scaled;   /* derived: there is an autoscaler */
};

static const struct param_spec call_rows[] = {CALLEE_ROWS("GET"), P_END};

static void derive_call(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    callee_derive(params, TIMER_CALL, at, diag, arena);
}

static const struct schema server_call_schema = {
    .name = "downstream call",
    .summary = "What a request does downstream while it holds its worker.",
    .size = sizeof(struct callee),
    .rows = call_rows,
    .derive = derive_call};

static const struct param_spec deadline_rows[] = {
    P_MAYBE_DURATION(middleware, timeout, "none", 1, 1e18,
                     "Time that a request has which brings no deadline."),
    P_DURATION(middleware, low_timeout_threshold, "5ms", 0, 1e18,
               "A request with this or less left is answered with 408 instead of being served."),
    P_BOOL(middleware, cancel_on_timeout, "false",
           "Whether the work on a request ends at its deadline, with 408; else it goes on."),
    P_END};

static const struct alternative middleware_alternatives[] = {
    {.name = "none", .summary = "Deadlines are not looked at.", .tag = MIDDLEWARE_NONE},
    {.name = "deadline",
     .summary = "A request's deadline is known to the server and handed on to its calls.",
     .tag = MIDDLEWARE_DEADLINE,
     .rows = deadline_rows},
    {.name = NULL}};

static const struct choice middleware_choice = {
    .name = "middleware",
    .summary = "What a server does before a request is served.",
    .size = sizeof(struct middleware),
    .tag_offset = SCHEMA_OFFSET(int, middleware, kind),
    .alternatives = middleware_alternatives,
};

static const struct param_spec rows[] = {
    P_LIMIT(server_params, concurrency, "1", 1, 1e9, "Requests served at the same time."),
    P_BLOCK(server_params, queue, queue_schema, "{}", "Where requests wait for service."),
    SERVICE_ROWS(server_params, service),
    P_LIST(server_params, calls, server_call_schema, "[]",
           "Calls made for each request after its service, one after the other; when one fails, "
           "the request is answered with 504 after a timeout and with 502 otherwise."),
    P_WORD(server_params, on_reject, reject_words, "reply",
           "What a request gets that finds the queue full: a reply 503, or none at all."),
    P_MAYBE_DURATION(server_params, reject_retry_after, "none", 0, 1e18,
                     "Time after which such a reply asks to be tried again (Retry-After)."),
    P_WORD(server_params, on_cancel, cancel_words, "ignore",
           "What is done when a caller says that it does not wait any more: nothing, the request "
           "leaves the queue (dequeue), or the work on it ends as well (abort)."),
    P_CHOICE(server_params, middleware, middleware_choice, "none",
             "What is done with deadlines before a request is served."),
    P_CHOICE(server_params, concurrency_limit, concurrency_limit_choice, "none",
             "How many requests may wait or be in service; one more is rejected at once, as by a "
             "full queue."),
    P_CHOICE(server_params, autoscaler, autoscaler_choice, "none",
             "How many replicas there are, of `concurrency` workers each; all serve one queue."),
    P_END};

static void derive_replicas(struct server_params *p, const struct node *at, struct diag *diag)
{
    const struct node *here = node_child(at, "autoscaler");
    p->scaled = p->autoscaler.kind != AUTOSCALER_NONE;
    if (p->scaled && p->concurrency == INT64_MAX) {
        diag_error(diag, here, "of a server without a limit to its concurrency");
    }
    if (p->scaled && (p->service.machine.shared || p->service.event_loop.time.kind != DIST_NONE)) {
        diag_error(diag, here, "of a server with a machine or event loops of its own");
    }
    if (p->scaled && p->service.warm_up.kind != WARM_UP_NONE) {
        diag_error(diag, here, "of a server that warms up as a whole");
    }
}

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct server_params *p = params;
    if (p->calls.count >= SERVICE_SITES) {
        diag_error(diag, node_child(at, "calls"), "%d or more", SERVICE_SITES);
    }
    p->gives_up = p->on_cancel == CANCEL_ABORTS || p->middleware.cancel_on_timeout;
    p->limited = p->concurrency_limit.kind != CONCURRENCY_NONE;
    p->service.tracked_early = p->limited;
    p->service.tracked = p->gives_up || p->limited;
    service_derive(&p->service, p->concurrency, at, diag, arena);
    p->picks = p->queue.picks || p->service.weighted;
    p->guarded = p->limited || p->queue.admits || p->service.weighted;
    p->bound = p->service.tracked || p->on_cancel != CANCEL_IGNORED;
    derive_replicas(p, at, diag);
}

static const struct schema schema = {.name = "server",
                                     .summary = "Serves requests with a number of workers.",
                                     .size = sizeof(struct server_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

struct server_stats {
    uint64_t requests_received, requests_completed, requests_rejected, requests_refused;
    uint64_t requests_cancelled, rejected_low_timeout, deadline_exceeded;
    uint64_t requests_balked, requests_shed, requests_dropped, requests_reneged, requests_expired;
    uint64_t requests_limited, requests_lost, requests_missed;
    struct flow_stats flows;
    uint64_t error_responses, replies_dropped, replies_lost;
    struct gauge queue_depth, busy_workers, concurrency_limit;
    struct service_stats service;
    struct replicas_stats replicas;
    struct histogram wait_time, sojourn_time;
    struct breakdown response_latency;
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {
    S_COUNTER(server_stats, requests_received, "Requests that arrived."),
    S_COUNTER(server_stats, requests_completed, "Requests served and answered."),
    S_COUNTER(server_stats, requests_rejected, "Requests that found the queue full."),
    FLOW_STATS(server_stats, flows),
    S_COUNTER(server_stats, requests_refused, "Requests that got no connection."),
    S_COUNTER(server_stats, requests_cancelled,
              "Requests waiting or in service that were dropped because nobody waited for them."),
    S_COUNTER(server_stats, rejected_low_timeout,
              "Requests not served because their deadline was too near."),
    S_COUNTER(server_stats, deadline_exceeded, "Requests in service dropped at their deadline."),
    S_COUNTER(server_stats, requests_balked, "Requests that did not wait as many did already."),
    S_COUNTER(server_stats, requests_shed,
              "Requests turned away by random early detection or DAGOR."),
    S_COUNTER(server_stats, requests_dropped, "Requests dropped by CoDel when their turn came."),
    S_COUNTER(server_stats, requests_reneged,
              "Requests that had waited for more than max_wait when their turn came."),
    S_COUNTER(server_stats, requests_expired,
              "Requests whose deadline had passed when their turn came."),
    S_COUNTER(server_stats, requests_limited, "Requests over the limit of those in flight."),
    S_COUNTER(server_stats, requests_lost, "Requests waiting or in service lost in a crash."),
    S_COUNTER(server_stats, requests_missed,
              "Requests that arrived while it was down, and vanished."),
    S_COUNTER(server_stats, error_responses, "Replies after service with a status of failure."),
    S_COUNTER(server_stats, replies_dropped, "Requests served that were not answered."),
    S_COUNTER(server_stats, replies_lost, "Replies lost on the wire."),
    S_GAUGE(server_stats, queue_depth, "Requests waiting."),
    S_GAUGE(server_stats, busy_workers, "Workers in use."),
    SERVICE_STATS(server_stats, service),
    S_GAUGE(server_stats, concurrency_limit,
            "Requests that may be in flight, as it was last looked at; 0: there is no limit."),
    REPLICAS_STATS(server_stats, replicas),
    S_HISTOGRAM(server_stats, wait_time,
                "From arrival to the start of service, or to being dropped in its place."),
    S_HISTOGRAM(server_stats, sojourn_time, "From arrival to the reply, for requests served."),
    S_BREAKDOWN(server_stats, response_latency, "ns",
                "How requests were answered: from their arrival to the reply, by who asked."),
    CALLER_STATS(server_stats, calls, "downstream_", "Downstream calls: "),
    S_END};

/* --- jobs -------------------------------------------------------------------------------- */

struct server_state {
    struct wait_queue queue;
    struct request_index index; /* of all jobs, where cancels matter */
    int64_t busy;
    int64_t withheld; /* workers that timed actions take away; below 0: that they, or the
                         autoscaler, add */
    struct service service;
    struct in_flight in_flight;
    uint32_t replicas; /* place of their memory */
};

/* Where requests in flight are limited, its struct work knows how many were when it came; 0: it is
 * not one of them. */
struct job {
    struct served served; /* first; its request's deadline is an instant once service has begun */
    sim_time arrived;     /* [ns] */
};

static struct job *job_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_JOBS], slot);
}

static uint64_t token_of(const struct ctx *c, uint32_t slot)
{
    return slab_token(&c->slabs[SLAB_JOBS], slot);
}

static struct request_slots jobs_of(struct ctx *c)
{
    return (struct request_slots){
        .ctx = c, .slab = &c->slabs[SLAB_JOBS], .offset = offsetof(struct job, served.in)};
}

static struct wait_room room_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    return (struct wait_room){.ctx = c,
                              .params = &p->queue,
                              .queue = &state->queue,
                              .slab = &c->slabs[SLAB_JOBS],
                              .order = &c->streams[STREAM_ORDER],
                              .flow_stats = &st->flows};
}

static struct service_room service_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    return (struct service_room){
        .ctx = c, .params = &p->service, .state = &state->service, .stats = &st->service};
}

static struct in_flight_room in_flight_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    return (struct in_flight_room){.ctx = c,
                                   .limit = &p->concurrency_limit,
                                   .state = &state->in_flight,
                                   .stream = &c->streams[STREAM_LIMIT],
                                   .gauge = &st->concurrency_limit};
}

static struct replicas_room replicas_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    return (struct replicas_room){.ctx = c,
                                  .params = &p->autoscaler,
                                  .place = &state->replicas,
                                  .stats = &st->replicas,
                                  .sync_timer = TIMER_SYNC,
                                  .boot_timer = TIMER_BOOT};
}

/* The autoscaler looks at these. */
static OUT_OF_LINE void tell_replicas(struct ctx *c)
{
    const struct server_state *state = c->state;
    struct replicas_room replicas = replicas_of(c);
    replicas_note_queue(&replicas, state->queue.count);
    replicas_note_busy(&replicas, state->busy);
}

static void note_queue(struct ctx *c)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    gauge_set(&st->queue_depth, c->now, state->queue.count);
    if (p->scaled) {
        tell_replicas(c);
    }
}

static void note_busy(struct ctx *c)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    gauge_set(&st->busy_workers, c->now, state->busy);
    if (p->scaled) {
        tell_replicas(c);
    }
}

static int64_t weight_of(const struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    return service_weight(&p->service, &job_at(c, slot)->served.in.m);
}

static uint32_t take_job(struct ctx *c, const struct message *request, uint32_t response)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    uint32_t slot = slab_take(&c->slabs[SLAB_JOBS]);
    struct job *job = job_at(c, slot);
    job->served.response = response & UINT16_MAX;
    job->served.phase = SERVICE_AWAITED;
    job->served.in.m = *request;
    job->served.in.owner = c->self;
    job->arrived = c->now;
    if (p->on_cancel != CANCEL_IGNORED) {
        struct request_slots jobs = jobs_of(c);
        request_index_put(&state->index, &jobs, slot);
    }
    return slot;
}

/* Lets go of all that belongs to a job. */
static OUT_OF_LINE void unbind(struct ctx *c, uint32_t slot, bool dropped)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    const struct job *job = job_at(c, slot);
    struct service_room service = service_of(c);
    uint32_t n = p->limited ? service_work(&service, slot)->in_flight : 0;
    if (n > 0) {
        struct in_flight_room in_flight = in_flight_of(c);
        in_flight_leave(&in_flight, job->arrived, n, dropped);
    }
    if (p->on_cancel != CANCEL_IGNORED) {
        struct request_slots jobs = jobs_of(c);
        request_index_drop(&state->index, &jobs, slot);
    }
    service_forget(&service, slot);
}

/* `dropped`: it was given up, or answered too late. */
static void give_job(struct ctx *c, uint32_t slot, bool dropped)
{
    const struct server_params *p = c->params;
    if (p->bound) {
        unbind(c, slot, dropped);
    }
    slab_give(&c->slabs[SLAB_JOBS], slot);
}

static void reply(struct ctx *c, const struct message *request, sim_time arrived, struct message m)
{
    struct server_stats *st = c->stats;
    if (st->response_latency.kept) {
        uint32_t who = sim_caller_group(c, request->wire);
        sim_record_by(c, &st->response_latency, who, m.status, c->now - arrived);
    }
    st->replies_lost += !sim_reply(c, request, &m);
}

/* --- middleware -------------------------------------------------------------------------- */

/* Finds the deadline of a request that is about to be served: time left counts from now. False: it
 * is too near. */
static bool heed_deadline(const struct ctx *c, struct message *request)
{
    const struct server_params *p = c->params;
    request->deadline = request->deadline == SIM_TIME_NEVER
                            ? sim_time_add(c->now, p->middleware.timeout)
                            : message_deadline(request, c->now);
    request->flags &= (uint8_t)~REQUEST_RELATIVE;
    return deadline_left(request->deadline, c->now) > p->middleware.low_timeout_threshold;
}

/* Sets the timer of the deadline of a job that has begun, if it ends the work on it. */
static void watch_deadline(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    if (p->middleware.kind == MIDDLEWARE_DEADLINE && p->middleware.cancel_on_timeout) {
        sim_time left = deadline_left(job_at(c, slot)->served.in.m.deadline, c->now);
        struct service_room service = service_of(c);
        service_work(&service, slot)->deadline =
            sim_timer(c, TIMER_DEADLINE, left, token_of(c, slot), TIMER_FIRST);
    }
}

static void forget_deadline(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    if (p->gives_up) {
        struct service_room service = service_of(c);
        sim_cancel(c, service_work(&service, slot)->deadline);
    }
}

/* --- the queue --------------------------------------------------------------------------- */

/* A worker takes the job. False: it is answered at once instead, as its deadline is too near. */
static bool start(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    struct job *job = job_at(c, slot);
    sim_record(c, &st->wait_time, c->now - job->arrived);
    if (p->middleware.kind == MIDDLEWARE_DEADLINE && !heed_deadline(c, &job->served.in.m)) {
        st->rejected_low_timeout++;
        reply(c, &job->served.in.m, job->arrived, (struct message){.status = STATUS_TIMEOUT});
        give_job(c, slot, true);
        return false;
    }
    state->busy += weight_of(c, slot);
    note_busy(c);
    if (p->queue.times) {
        struct wait_room room = room_of(c);
        wait_begins(&room, c->now - job->arrived);
    }
    job->served.site = 0;
    struct service_room service = service_of(c);
    service_begin(&service, slot);
    watch_deadline(c, slot);
    return true;
}

/* Ends a job that is not to be served, with a reply if `on` says so. */
static inline void refuse(struct ctx *c, uint32_t slot, enum on_reject on)
{
    const struct server_params *p = c->params;
    const struct job *job = job_at(c, slot);
    if (on == REJECT_REPLY) {
        bool says = p->reject_retry_after != SIM_TIME_NEVER;
        reply(c, &job->served.in.m, job->arrived,
              (struct message){.status = STATUS_OVERLOADED,
                               .flags = says ? REPLY_RETRY_AFTER : 0,
                               .deadline = says ? p->reject_retry_after : 0});
    }
    give_job(c, slot, true);
}

/* Ends a job that the queue will not have, or has had for too long. */
static void turn_away(struct ctx *c, uint32_t slot, enum wait_end end)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    st->requests_balked += end == WAIT_BALKED;
    st->requests_shed += end == WAIT_SHED;
    st->requests_dropped += end == WAIT_DROPPED;
    st->requests_reneged += end == WAIT_RENEGED;
    st->requests_expired += end == WAIT_EXPIRED;
    bool late = end == WAIT_RENEGED || end == WAIT_EXPIRED;
    refuse(c, slot, late ? p->queue.on_expired : p->on_reject);
}

/* The next in line has the worker. False: that one is not served. */
static OUT_OF_LINE bool start_picked(struct ctx *c)
{
    struct server_stats *st = c->stats;
    struct wait_room room = room_of(c);
    uint32_t slot = wait_pick(&room);
    const struct job *job = job_at(c, slot);
    note_queue(c);
    enum wait_end end = wait_ends(&room, &job->served.in.m, job->arrived);
    if (end == WAIT_GOES_ON) {
        return start(c, slot);
    }
    sim_record(c, &st->wait_time, c->now - job->arrived);
    turn_away(c, slot, end);
    return false;
}

static bool start_next(struct ctx *c)
{
    struct server_state *state = c->state;
    uint32_t slot = wait_pop(&state->queue, &c->slabs[SLAB_JOBS]);
    note_queue(c);
    return start(c, slot);
}

static bool has_workers(const struct ctx *c, int64_t weight)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    return weight <= p->concurrency - state->withheld - state->busy;
}

/* Whether there are as many workers as the next in line takes. */
static bool serves_next(struct ctx *c)
{
    const struct server_params *p = c->params;
    if (!p->service.weighted) {
        return has_workers(c, 1);
    }
    struct wait_room room = room_of(c);
    return has_workers(c, weight_of(c, wait_next(&room)));
}

/* A worker, if there is one, takes the next request. False: none did. */
static bool take_next(struct ctx *c)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    bool taken = false;
    while (!taken && state->queue.count > 0 && serves_next(c)) {
        taken = p->picks ? start_picked(c) : start_next(c);
    }
    return taken;
}

/* Several lighter requests may have the workers of a heavy one. */
static OUT_OF_LINE void take_others(struct ctx *c)
{
    while (take_next(c)) {}
    note_busy(c);
}

/* As many workers as a request had are free: the next one has them. */
static void release_workers(struct ctx *c, int64_t weight)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    state->busy -= weight;
    if (!take_next(c)) {
        note_busy(c);
    } else if (p->service.weighted) {
        take_others(c);
    }
}

/* Workers of all replicas, without timed actions. */
static int64_t workers_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    if (!p->scaled) {
        return p->concurrency;
    }
    struct replicas_room replicas = replicas_of(c);
    return p->concurrency * replicas_ready(&replicas);
}

/* There may be more cores than before, or, where these are not counted, more workers; or fewer:
 * those that have a request keep it. */
static void count_workers(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct service_room service = service_of(c);
    service_adjust(&service);
    double capacity = p->service.machine.cores == INT64_MAX ? sim_capacity(c) : 1.0;
    int64_t all = workers_of(c);
    int64_t workers = capacity == 1.0 ? all : sim_time_round((double)all * capacity);
    state->withheld = p->concurrency - workers;
    if (p->scaled) {
        struct replicas_room replicas = replicas_of(c);
        replicas_note_workers(&replicas, workers);
    }
    while (take_next(c)) {}
}

/* Whether the queue's admission lets a job in. False: it is gone. */
static OUT_OF_LINE bool admit(struct ctx *c, uint32_t slot, bool served)
{
    struct wait_room room = room_of(c);
    enum wait_end end =
        wait_admits(&room, &job_at(c, slot)->served.in.m, served, &c->streams[STREAM_ADMISSION]);
    if (end != WAIT_GOES_ON) {
        turn_away(c, slot, end);
    }
    return end == WAIT_GOES_ON;
}

static void line_up(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    struct wait_room room = room_of(c);
    if (wait_push(&room, slot, &job_at(c, slot)->served.in.m)) {
        note_queue(c);
    } else {
        st->requests_rejected++;
        refuse(c, slot, p->on_reject);
    }
}

/* Whether the limit on requests in flight lets a job in. False: it is gone. */
static OUT_OF_LINE bool limit(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    struct in_flight_room in_flight = in_flight_of(c);
    uint32_t n = in_flight_enter(&in_flight);
    struct service_room service = service_of(c);
    service_track(&service, slot);
    service_work(&service, slot)->in_flight = n;
    if (n == 0) {
        st->requests_limited++;
        refuse(c, slot, p->on_reject);
    }
    return n > 0;
}

/* The same where it may be kept out, or waiting although there are workers. */
static OUT_OF_LINE void take_in_guarded(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    bool overtakes = p->service.weighted && state->queue.count > 0;
    bool served = has_workers(c, weight_of(c, slot)) && !overtakes;
    if ((p->limited && !limit(c, slot)) || (p->queue.admits && !admit(c, slot, served))) {
        return;
    }
    if (served) {
        start(c, slot);
    } else {
        line_up(c, slot);
    }
}

/* A worker takes the job, or it waits for one, if it may. */
static void take_in(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    if (p->guarded) {
        take_in_guarded(c, slot);
    } else if (has_workers(c, 1)) {
        start(c, slot);
    } else {
        line_up(c, slot);
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    st->requests_received++;
    uint32_t response = mix_pick(&p->service.mix, &c->streams[STREAM_RESPONSES]);
    if (p->service.refuses && p->service.responses.items[response].outcome == RESPONSE_REFUSE) {
        st->requests_refused++;
        reply(c, &e->msg, c->now,
              (struct message){.status = STATUS_NETWORK, .flags = REPLY_REFUSED});
        return;
    }
    take_in(c, take_job(c, &e->msg, response));
}

/* --- answers ----------------------------------------------------------------------------- */

static void finish_job(struct ctx *c, uint32_t slot, const struct message *m)
{
    struct server_stats *st = c->stats;
    const struct job *job = job_at(c, slot);
    st->requests_completed++;
    sim_record(c, &st->sojourn_time, c->now - job->arrived);
    forget_deadline(c, slot);
    int64_t weight = weight_of(c, slot);
    if (m) {
        st->error_responses += verdict_of(m->status) != OUTCOME_SUCCESS;
        reply(c, &job->served.in.m, job->arrived, *m);
    } else {
        st->replies_dropped++;
    }
    bool late = m && (m->status == STATUS_TIMEOUT || m->status == STATUS_GATEWAY_TIMEOUT);
    give_job(c, slot, late);
    release_workers(c, weight);
}

/* Service and calls went well. */
static void answer(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    const struct response *r = &p->service.responses.items[job_at(c, slot)->served.response];
    finish_job(c, slot, r->outcome == RESPONSE_DROP ? NULL : &r->reply);
}

/* --- downstream calls -------------------------------------------------------------------- */

static struct caller caller_for(struct ctx *c, uint32_t site)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->calls.items[site].target,
                           .params = &p->calls.items[site].call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

/* Makes the job's next downstream call, or answers when there is none left. */
static void next_step(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct job *job = job_at(c, slot);
    uint32_t site = job->served.site;
    if (site == p->calls.count) {
        answer(c, slot);
        return;
    }
    struct caller caller = caller_for(c, site);
    const struct message *request = &job->served.in.m;
    bool knows = p->middleware.kind == MIDDLEWARE_DEADLINE;
    job->served.of.call = caller_start(
        &caller, &(struct call_request){.request = request->request,
                                        .cookie = slot,
                                        .deadline = knows ? request->deadline : SIM_TIME_NEVER,
                                        .class_ = request->class_,
                                        .site = (uint16_t)site,
                                        .priority = request->priority,
                                        .method = (uint8_t)p->calls.items[site].method});
}

static void on_service(struct ctx *c, const struct event *e)
{
    struct service_room service = service_of(c);
    uint32_t slot = service_ends(&service, e);
    if (slot != SLAB_NONE) {
        next_step(c, slot);
    }
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
    uint32_t slot = (uint32_t)end.cookie;
    if (end.outcome == OUTCOME_SUCCESS) {
        job_at(c, slot)->served.site++;
        next_step(c, slot);
        return;
    }
    uint16_t status = end.outcome == OUTCOME_TIMEOUT ? STATUS_GATEWAY_TIMEOUT : STATUS_BAD_GATEWAY;
    finish_job(c, slot, &(struct message){.status = status});
}

/* --- what is given up -------------------------------------------------------------------- */

/* Ends whatever is being done for a job. */
static void stop_work(struct ctx *c, uint32_t slot)
{
    const struct job *job = job_at(c, slot);
    if (job->served.phase == SERVICE_OVER) {
        struct caller caller = caller_for(c, job->served.site);
        caller_give_up(&caller, job->served.of.call);
    } else {
        struct service_room service = service_of(c);
        service_stop(&service, slot);
    }
}

/* Drops a job, wherever it is. */
static void drop_job(struct ctx *c, uint32_t slot)
{
    const struct job *job = job_at(c, slot);
    if (job->served.phase == SERVICE_AWAITED) {
        struct wait_room room = room_of(c);
        wait_remove(&room, slot, &job->served.in.m);
        note_queue(c);
        give_job(c, slot, true);
        take_others(c); /* it may have held up some that fit */
        return;
    }
    forget_deadline(c, slot);
    stop_work(c, slot);
    int64_t weight = weight_of(c, slot);
    give_job(c, slot, true);
    release_workers(c, weight);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    if (p->on_cancel == CANCEL_IGNORED) {
        return;
    }
    struct request_slots jobs = jobs_of(c);
    uint32_t slot = request_index_find(&state->index, &jobs, &e->msg);
    if (slot == SLAB_NONE) {
        return;
    }
    if (job_at(c, slot)->served.phase == SERVICE_AWAITED || p->on_cancel == CANCEL_ABORTS) {
        st->requests_cancelled++;
        drop_job(c, slot);
    }
}

static void on_deadline(struct ctx *c, const struct event *e)
{
    struct server_stats *st = c->stats;
    struct job *job = slab_find(&c->slabs[SLAB_JOBS], e->msg.token);
    CHECK(job, "the deadline of a job that is gone");
    st->deadline_exceeded++;
    reply(c, &job->served.in.m, job->arrived, (struct message){.status = STATUS_TIMEOUT});
    drop_job(c, (uint32_t)e->msg.token);
}

static void crash(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    st->requests_lost +=
        slab_give_owned(&c->slabs[SLAB_JOBS], offsetof(struct job, served.in.owner), c->self);
    caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
    request_index_clear(&state->index, c);
    struct wait_room room = room_of(c);
    wait_clear(&room);
    struct service_room service = service_of(c);
    service_clear(&service);
    if (p->limited) {
        struct in_flight_room in_flight = in_flight_of(c);
        in_flight_clear(&in_flight);
    }
    state->busy = 0;
    note_queue(c);
    note_busy(c);
}

/* Up again. */
static void restart(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct service_room service = service_of(c);
    service_restart(&service);
    if (p->scaled) {
        struct replicas_room replicas = replicas_of(c);
        replicas_restart(&replicas);
    }
}

static void init(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct service_room service = service_of(c);
    service_open(&service);
    if (p->limited) {
        struct in_flight_room in_flight = in_flight_of(c);
        in_flight_open(&in_flight);
    }
    if (p->scaled) {
        struct replicas_room replicas = replicas_of(c);
        replicas_open(&replicas);
        count_workers(c);
    }
}

static void on_replicas(struct ctx *c, const struct event *e)
{
    struct replicas_room replicas = replicas_of(c);
    if (e->kind == TIMER_SYNC) {
        replicas_sync(&replicas);
    } else {
        replicas_booted(&replicas);
    }
    count_workers(c);
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
    case SERVICE_TIMER:
    case SERVICE_MACHINE_TIMER:
    case SERVICE_LOOP_TIMER:
        on_service(c, e);
        break;
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case TIMER_DEADLINE:
        on_deadline(c, e);
        break;
    case TIMER_SYNC:
    case TIMER_BOOT:
        on_replicas(c, e);
        break;
    case EVENT_ACTION:
        if (e->msg.status == ACTION_CRASH) {
            crash(c);
        } else if (e->msg.status == ACTION_RESTART) {
            restart(c);
        }
        count_workers(c);
        break;
    default:
        break;
    }
}

static const char *exempt(const void *params, enum action_kind kind)
{
    const struct server_params *p = params;
    if (kind == ACTION_CAPACITY && p->concurrency == INT64_MAX &&
        p->service.machine.cores == INT64_MAX) {
        return "has as many workers as are wanted";
    }
    return kind == ACTION_CONDITIONER && p->calls.count == 0 ? "makes no calls" : NULL;
}

static void traffic(const void *params, struct traffic *t)
{
    const struct server_params *p = params;
    for (uint32_t site = 0; site < p->calls.count; site++) {
        t->out[p->calls.items[site].target.port] = t->in;
    }
    t->events = t->in * (2.0 + p->calls.count); /* arrival, service, and a reply from each call */
}

const struct entity_type server_type = {
    .name = "server",
    .answers = true,
    .heeds = 1u << ACTION_SLOW | 1u << ACTION_CONDITIONER | 1u << ACTION_CAPACITY,
    .exempt = exempt,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct server_stats),
    .state_size = sizeof(struct server_state),
    .streams = streams,
    .slabs = {sizeof(struct job), sizeof(struct work), sizeof(struct call)},
    .init = init,
    .handle = handle,
    .miss = miss,
    .traffic = traffic};
