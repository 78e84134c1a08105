/* SPDX-License-Identifier: Apache-2.0
 *
 * server: serves up to `concurrency` requests at a time; others wait in its queue, or are rejected
 * when that is full. A request holds its worker (or several, by its kind) through its turn in an
 * event loop, through its service and then through each of its `calls` in turn. A worker that
 * becomes free takes the next request at once.
 *
 * How fast those in service are served is the machine's to say, where they share one
 * (parts/machine.h); else each service has a timer of its own.
 *
 * Who is next, and who waits in vain, is the queue's to say (parts/wait_queue.h): what is dropped
 * before it is served takes no worker's time, and the next in line has its turn in the same
 * instant.
 *
 * A request that was given up by its caller is served all the same, unless the server is told
 * (`on_cancel`) or knows the deadline (`middleware`).
 */
#include <stddef.h>

#include "base/compiler.h"
#include "engine/entity.h"
#include "engine/kind.h"
#include "parts/callee.h"
#include "parts/event_loop.h"
#include "parts/machine.h"
#include "parts/reject.h"
#include "parts/request_index.h"
#include "parts/response.h"
#include "parts/wait_queue.h"
#include "policies/mix.h"
#include "policies/verdict.h"
#include "policies/warm_up.h"

enum { TIMER_SERVICE = EVENT_TIMER, TIMER_MACHINE, TIMER_LOOP, TIMER_CALL, TIMER_DEADLINE };
enum { STREAM_SERVICE, STREAM_RESPONSES, STREAM_CALLS, STREAM_ADMISSION, STREAM_LOOP };
enum { SLAB_JOBS, SLAB_ALARMS, SLAB_CALLS };
enum { MOST_RESPONSES = 1 << 16, MOST_CALLS = (1 << 13) - 1 }; /* see struct job */

static const char *const streams[] = {"service",   "responses",  "calls",
                                      "admission", "event_loop", NULL};

/* --- parameters -------------------------------------------------------------------------- */

enum on_cancel { CANCEL_IGNORED, CANCEL_DEQUEUES, CANCEL_ABORTS };
static const char *const cancel_words[] = {"ignore", "dequeue", "abort", NULL};

enum middleware_kind { MIDDLEWARE_NONE, MIDDLEWARE_DEADLINE };

struct middleware {
    int kind;                                /* enum middleware_kind */
    sim_time timeout, low_timeout_threshold; /* [ns] */
    bool cancel_on_timeout;
};

/* What is different for one kind of requests. */
struct served_kind {
    struct kind kind; /* first */
    int64_t weight;
    struct dist service_time; /* in place of the server's */
};

struct server_params {
    int64_t concurrency;
    struct queue_params queue;
    struct dist service_time;
    LIST_OF(struct served_kind) kinds;
    struct event_loop_params event_loop;
    struct machine_params machine;
    struct warm_up warm_up;
    LIST_OF(struct response) responses;
    LIST_OF(struct callee) calls;
    int on_reject;               /* enum on_reject */
    sim_time reject_retry_after; /* [ns] SIM_TIME_NEVER: not said */
    int on_cancel;               /* enum on_cancel */
    struct middleware middleware;
    struct mix mix;              /* derived: of responses */
    bool refuses, has_own_times; /* derived: whether one of them does, or has */
    bool gives_up;               /* derived: work may end before it is done */
    bool has_alarms;             /* derived: jobs in service have struct alarms */
    bool weighted;               /* derived: not all kinds take one worker */
    bool picks;                  /* derived: the queue is to be asked who is next, and whether */
};

static const struct param_spec kind_rows[] = {
    KIND_KEY(served_kind, kind, "The kind of requests."),
    P_COUNT(served_kind, weight, "1", 1, 1e9, "Workers that such a request takes."),
    P_MAYBE_CHOICE(served_kind, service_time, dist_duration, "none", "none",
                   "Time that it is served for; none: as others."),
    P_END};

static const struct schema kind_schema = {.name = "served kind",
                                          .summary = "What one kind of requests takes.",
                                          .size = sizeof(struct served_kind),
                                          .rows = kind_rows,
                                          .kinds = KINDS_SOUGHT};

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
    P_CHOICE(server_params, service_time, dist_duration, "10ms",
             "Time that a worker spends on one request, its downstream calls not counted."),
    P_MAP(server_params, kinds, kind_schema, "{}",
          "Kinds of requests that take more than one worker, or other times. A request that does "
          "not fit waits, and all others behind it."),
    P_BLOCK(server_params, event_loop, event_loop_schema, "{}",
            "What requests need of a processor, one after the other, before their service."),
    P_BLOCK(server_params, machine, machine_schema, "{}",
            "What all share who are in service, and how they slow each other down."),
    P_CHOICE(server_params, warm_up, warm_up_choice, "none", "How service takes longer at first."),
    P_LIST(server_params, responses, response_schema, "[{status: 200}]",
           "The replies given after service, chosen by weight."),
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
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct server_params *p = params;
    mix_make(&p->mix, p->responses.items, p->responses.count, sizeof *p->responses.items,
             offsetof(struct response, weight), "responses", at, diag, arena);
    if (p->responses.count > MOST_RESPONSES) {
        diag_error(diag, node_child(at, "responses"), "more than %d", MOST_RESPONSES);
    }
    if (p->calls.count > MOST_CALLS) {
        diag_error(diag, node_child(at, "calls"), "more than %d", MOST_CALLS);
    }
    for (uint32_t i = 0; i < p->kinds.count; i++) {
        p->weighted |= p->kinds.items[i].weight > 1;
        if (p->kinds.items[i].weight > p->concurrency) {
            diag_error(diag, at, "requests of kind %s take more workers than there are",
                       p->kinds.items[i].kind.name);
        }
    }
    p->gives_up = p->on_cancel == CANCEL_ABORTS || p->middleware.cancel_on_timeout;
    p->has_alarms = p->gives_up || p->machine.shared;
    p->picks = p->queue.picks || p->weighted;
    for (uint32_t i = 0; i < p->responses.count; i++) {
        p->refuses |= p->responses.items[i].outcome == RESPONSE_REFUSE;
        p->has_own_times |= p->responses.items[i].service_time.kind != DIST_NONE;
    }
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
    uint64_t requests_lost, requests_missed;
    uint64_t error_responses, replies_dropped, replies_lost, total_service_time;
    struct gauge queue_depth, busy_workers, event_loop_queue;
    struct histogram wait_time, sojourn_time;
    struct breakdown response_latency;
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {
    S_COUNTER(server_stats, requests_received, "Requests that arrived."),
    S_COUNTER(server_stats, requests_completed, "Requests served and answered."),
    S_COUNTER(server_stats, requests_rejected, "Requests that found the queue full."),
    S_COUNTER(server_stats, requests_refused, "Requests that got no connection."),
    S_COUNTER(server_stats, requests_cancelled,
              "Requests waiting or in service that were dropped because nobody waited for them."),
    S_COUNTER(server_stats, rejected_low_timeout,
              "Requests not served because their deadline was too near."),
    S_COUNTER(server_stats, deadline_exceeded, "Requests in service dropped at their deadline."),
    S_COUNTER(server_stats, requests_balked, "Requests that did not wait as many did already."),
    S_COUNTER(server_stats, requests_shed, "Requests turned away by random early detection."),
    S_COUNTER(server_stats, requests_dropped, "Requests dropped by CoDel when their turn came."),
    S_COUNTER(server_stats, requests_reneged,
              "Requests that had waited for more than max_wait when their turn came."),
    S_COUNTER(server_stats, requests_expired,
              "Requests whose deadline had passed when their turn came."),
    S_COUNTER(server_stats, requests_lost, "Requests waiting or in service lost in a crash."),
    S_COUNTER(server_stats, requests_missed,
              "Requests that arrived while it was down, and vanished."),
    S_COUNTER(server_stats, error_responses, "Replies after service with a status of failure."),
    S_COUNTER(server_stats, replies_dropped, "Requests served that were not answered."),
    S_COUNTER(server_stats, replies_lost, "Replies lost on the wire."),
    S_SUM(server_stats, total_service_time, "ns",
          "Service given, that of event loops included and downstream calls not. Of a machine that "
          "is shared, what it would have taken alone."),
    S_GAUGE(server_stats, queue_depth, "Requests waiting."),
    S_GAUGE(server_stats, busy_workers, "Workers in use."),
    S_GAUGE(server_stats, event_loop_queue, "Of these requests, those waiting for an event loop."),
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
    int64_t withheld; /* workers that timed actions take away; below 0: that they add */
    struct machine machine;
    struct event_loop event_loop;
    sim_time started; /* [ns] */
    uint64_t begun;   /* requests taken since then, or before it, if it was warm */
};

enum job_state { JOB_WAITING, JOB_LINED, JOB_LOOPING, JOB_SERVED, JOB_CALLING };

/* Those that wait may be very many: what only some servers need in service lies elsewhere. */
struct job {
    union {
        struct waiting link;   /* JOB_WAITING, JOB_LINED; JOB_SERVED by a machine: its own */
        sim_time begun;        /* [ns] JOB_LOOPING, JOB_SERVED by a timer: start of service */
        uint32_t call;         /* JOB_CALLING: its slot */
    } of;                      /* first, for the queue */
    struct indexed_request in; /* the request; its deadline is an instant once service has begun */
    sim_time arrived;          /* [ns] */
    uint32_t alarms;           /* in service, where there are any: its slot */
    unsigned response : 16;    /* which one it gets */
    unsigned site : 13;        /* downstream call under way, or to come */
    unsigned state : 3;        /* enum job_state */
};

/* The timers of a job in service, where they may have to be cancelled. */
struct alarms {
    uint64_t service, deadline;
    sim_time begun; /* [ns] JOB_SERVED by a machine: by its clock */
    entity_id owner;
};

static struct job *job_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_JOBS], slot);
}

static struct alarms *alarms_of(const struct ctx *c, const struct job *job)
{
    return slab_at(&c->slabs[SLAB_ALARMS], job->alarms);
}

static uint64_t token_of(const struct ctx *c, uint32_t slot)
{
    return slab_token(&c->slabs[SLAB_JOBS], slot);
}

static struct request_slots jobs_of(struct ctx *c)
{
    return (struct request_slots){
        .ctx = c, .slab = &c->slabs[SLAB_JOBS], .offset = offsetof(struct job, in)};
}

static struct wait_room room_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    return (struct wait_room){
        .ctx = c, .params = &p->queue, .queue = &state->queue, .slab = &c->slabs[SLAB_JOBS]};
}

static uint32_t take_job(struct ctx *c, const struct message *request, uint32_t response)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    uint32_t slot = slab_take(&c->slabs[SLAB_JOBS]);
    struct job *job = job_at(c, slot);
    job->response = response & UINT16_MAX;
    job->state = JOB_WAITING;
    job->in.m = *request;
    job->in.owner = c->self;
    job->arrived = c->now;
    if (p->on_cancel != CANCEL_IGNORED) {
        struct request_slots jobs = jobs_of(c);
        request_index_put(&state->index, &jobs, slot);
    }
    return slot;
}

static void give_job(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    if (p->on_cancel != CANCEL_IGNORED) {
        struct request_slots jobs = jobs_of(c);
        request_index_drop(&state->index, &jobs, slot);
    }
    if (p->has_alarms && job_at(c, slot)->state != JOB_WAITING) {
        slab_give(&c->slabs[SLAB_ALARMS], job_at(c, slot)->alarms);
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

/* Makes room for the timers of a job that begins, and sets that of its deadline if that ends it. */
static void take_alarms(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct job *job = job_at(c, slot);
    uint64_t deadline = 0;
    if (p->middleware.kind == MIDDLEWARE_DEADLINE && p->middleware.cancel_on_timeout) {
        sim_time left = deadline_left(job->in.m.deadline, c->now);
        deadline = sim_timer(c, TIMER_DEADLINE, left, token_of(c, slot), TIMER_FIRST);
    }
    job->alarms = slab_take(&c->slabs[SLAB_ALARMS]);
    *alarms_of(c, job) = (struct alarms){.deadline = deadline, .owner = c->self};
}

/* --- service ----------------------------------------------------------------------------- */

static const struct response *response_of(const struct ctx *c, const struct job *job)
{
    const struct server_params *p = c->params;
    return &p->responses.items[job->response];
}

/* What is different for the kind of a request; NULL: nothing. */
static const struct served_kind *kind_of(const struct ctx *c, const struct message *request)
{
    const struct server_params *p = c->params;
    uint32_t n = p->kinds.count;
    uint32_t i = kind_find(p->kinds.items, n, sizeof *p->kinds.items, request->class_);
    return i < n ? &p->kinds.items[i] : NULL;
}

static int64_t weight_of(const struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    const struct served_kind *kind = p->weighted ? kind_of(c, &job_at(c, slot)->in.m) : NULL;
    return kind ? kind->weight : 1;
}

static const struct dist *law_of(const struct ctx *c, const struct job *job)
{
    const struct server_params *p = c->params;
    if (p->has_own_times && response_of(c, job)->service_time.kind != DIST_NONE) {
        return &response_of(c, job)->service_time;
    }
    const struct served_kind *kind = p->kinds.count > 0 ? kind_of(c, &job->in.m) : NULL;
    return kind && kind->service_time.kind != DIST_NONE ? &kind->service_time : &p->service_time;
}

static double slowdown_of(const struct ctx *c)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    double slow = sim_slowdown(c);
    if (p->warm_up.kind == WARM_UP_NONE) {
        return slow;
    }
    return slow * warm_up_factor(&p->warm_up, c->now - state->started, state->begun - 1);
}

/* Some work, and the flags of its timer. */
struct work {
    sim_time time; /* [ns] */
    unsigned flags;
};

static struct work draw_work(struct ctx *c, const struct dist *law, uint32_t stream)
{
    sim_time time = dist_draw(law, &c->streams[stream]);
    double slow = slowdown_of(c);
    if (slow != 1.0) {
        return (struct work){sim_time_round((double)time * slow), TIMER_WORK};
    }
    return (struct work){time, TIMER_WORK | (dist_is_constant(law) ? TIMER_CONSTANT : 0)};
}

static struct machine_room machine_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    return (struct machine_room){.ctx = c,
                                 .params = &p->machine,
                                 .machine = &state->machine,
                                 .slab = &c->slabs[SLAB_JOBS],
                                 .timer_kind = TIMER_MACHINE};
}

/* Sets the timer of a job's work. */
static void do_work(struct ctx *c, uint32_t slot, struct work work, uint16_t kind)
{
    const struct server_params *p = c->params;
    struct job *job = job_at(c, slot);
    uint64_t timer = sim_timer(c, kind, work.time, token_of(c, slot), work.flags);
    job->of.begun = c->now;
    if (p->has_alarms) {
        alarms_of(c, job)->service = timer;
    }
}

static void serve(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct job *job = job_at(c, slot);
    struct work work = draw_work(c, law_of(c, job), STREAM_SERVICE);
    job->state = JOB_SERVED;
    if (p->machine.shared) {
        struct machine_room machine = machine_of(c);
        alarms_of(c, job)->begun = machine_begin(&machine, slot, work.time);
    } else {
        do_work(c, slot, work, TIMER_SERVICE);
    }
}

/* --- the turn before service ------------------------------------------------------------- */

static struct event_loop_room loop_of(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    return (struct event_loop_room){.ctx = c,
                                    .params = &p->event_loop,
                                    .state = &state->event_loop,
                                    .slab = &c->slabs[SLAB_JOBS]};
}

static void note_lined(struct ctx *c)
{
    const struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    gauge_set(&st->event_loop_queue, c->now, state->event_loop.line.count);
}

static void run_loop(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    job_at(c, slot)->state = JOB_LOOPING;
    do_work(c, slot, draw_work(c, &p->event_loop.time, STREAM_LOOP), TIMER_LOOP);
}

static OUT_OF_LINE void enter_loop(struct ctx *c, uint32_t slot)
{
    struct event_loop_room loop = loop_of(c);
    struct job *job = job_at(c, slot);
    if (event_loop_enter(&loop, slot, &job->in.m)) {
        run_loop(c, slot);
    } else {
        job->state = JOB_LINED;
        note_lined(c);
    }
}

static void leave_loop(struct ctx *c, uint32_t slot)
{
    struct server_stats *st = c->stats;
    st->total_service_time += (uint64_t)sim_worked(c, job_at(c, slot)->of.begun);
    struct event_loop_room loop = loop_of(c);
    uint32_t next = event_loop_leave(&loop);
    if (next != SLAB_NONE) {
        note_lined(c);
        run_loop(c, next);
    }
}

static void on_loop(struct ctx *c, const struct event *e)
{
    CHECK(slab_find(&c->slabs[SLAB_JOBS], e->msg.token), "the end of a turn that nobody has");
    uint32_t slot = (uint32_t)e->msg.token;
    leave_loop(c, slot);
    serve(c, slot);
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
    if (p->middleware.kind == MIDDLEWARE_DEADLINE && !heed_deadline(c, &job->in.m)) {
        st->rejected_low_timeout++;
        reply(c, &job->in.m, job->arrived, (struct message){.status = STATUS_TIMEOUT});
        give_job(c, slot);
        return false;
    }
    state->busy += weight_of(c, slot);
    state->begun++;
    gauge_set(&st->busy_workers, c->now, state->busy);
    job->site = 0;
    if (p->has_alarms) {
        take_alarms(c, slot);
    }
    if (p->event_loop.time.kind != DIST_NONE) {
        enter_loop(c, slot);
    } else {
        serve(c, slot);
    }
    return true;
}

/* Ends a job that is not to be served, with a reply if `on` says so. */
static void refuse(struct ctx *c, uint32_t slot, enum on_reject on)
{
    const struct server_params *p = c->params;
    const struct job *job = job_at(c, slot);
    if (on == REJECT_REPLY) {
        bool says = p->reject_retry_after != SIM_TIME_NEVER;
        reply(c, &job->in.m, job->arrived,
              (struct message){.status = STATUS_OVERLOADED,
                               .flags = says ? REPLY_RETRY_AFTER : 0,
                               .deadline = says ? p->reject_retry_after : 0});
    }
    give_job(c, slot);
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
    gauge_set(&st->queue_depth, c->now, room.queue->count);
    enum wait_end end = wait_ends(&room, &job->in.m, job->arrived);
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
    struct server_stats *st = c->stats;
    uint32_t slot = wait_pop(&state->queue, &c->slabs[SLAB_JOBS]);
    gauge_set(&st->queue_depth, c->now, state->queue.count);
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
    if (!p->weighted) {
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

/* As many workers as a request had are free: the next has them, or several. */
static void release_workers(struct ctx *c, int64_t weight)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    state->busy -= weight;
    if (p->weighted) {
        while (take_next(c)) {}
        gauge_set(&st->busy_workers, c->now, state->busy);
    } else if (!take_next(c)) {
        gauge_set(&st->busy_workers, c->now, state->busy);
    }
}

/* There may be more cores than before, or, where these are not counted, more workers; or fewer:
 * those that have a request keep it. */
static void count_workers(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    if (p->machine.shared) {
        struct machine_room machine = machine_of(c);
        machine_adjust(&machine);
    }
    double capacity = p->machine.cores == INT64_MAX ? sim_capacity(c) : 1.0;
    state->withheld =
        capacity == 1.0 ? 0 : p->concurrency - sim_time_round((double)p->concurrency * capacity);
    while (take_next(c)) {}
}

/* Whether the queue's admission lets a job in. False: it is gone. */
static OUT_OF_LINE bool admit(struct ctx *c, uint32_t slot, bool served)
{
    struct wait_room room = room_of(c);
    enum wait_end end = wait_admits(&room, served, &c->streams[STREAM_ADMISSION]);
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
    if (wait_push(&room, slot, &job_at(c, slot)->in.m)) {
        gauge_set(&st->queue_depth, c->now, room.queue->count);
    } else {
        st->requests_rejected++;
        refuse(c, slot, p->on_reject);
    }
}

/* A worker takes the job, or it waits for one, if it may. */
static void take_in(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    const struct server_state *state = c->state;
    bool served = has_workers(c, weight_of(c, slot)) && !(p->weighted && state->queue.count > 0);
    if (p->queue.admits && !admit(c, slot, served)) {
        return;
    }
    if (served) {
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
    uint32_t response = mix_pick(&p->mix, &c->streams[STREAM_RESPONSES]);
    if (p->refuses && p->responses.items[response].outcome == RESPONSE_REFUSE) {
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
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    const struct job *job = job_at(c, slot);
    st->requests_completed++;
    sim_record(c, &st->sojourn_time, c->now - job->arrived);
    if (p->gives_up) {
        sim_cancel(c, alarms_of(c, job)->deadline);
    }
    int64_t weight = weight_of(c, slot);
    if (m) {
        st->error_responses += verdict_of(m->status) != OUTCOME_SUCCESS;
        reply(c, &job->in.m, job->arrived, *m);
    } else {
        st->replies_dropped++;
    }
    give_job(c, slot);
    release_workers(c, weight);
}

/* Service and calls went well. */
static void answer(struct ctx *c, uint32_t slot)
{
    const struct response *r = response_of(c, job_at(c, slot));
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
    uint32_t site = job->site;
    if (site == p->calls.count) {
        answer(c, slot);
        return;
    }
    struct caller caller = caller_for(c, site);
    const struct message *request = &job->in.m;
    bool knows = p->middleware.kind == MIDDLEWARE_DEADLINE;
    job->state = JOB_CALLING;
    job->of.call = caller_start(
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
    struct server_stats *st = c->stats;
    struct job *job = slab_find(&c->slabs[SLAB_JOBS], e->msg.token);
    CHECK(job, "the end of a service that nobody has");
    st->total_service_time += (uint64_t)sim_worked(c, job->of.begun);
    next_step(c, (uint32_t)e->msg.token);
}

/* The service of somebody by the machine has ended. */
static void on_machine(struct ctx *c)
{
    struct server_stats *st = c->stats;
    struct machine_room machine = machine_of(c);
    uint32_t slot = machine_done(&machine);
    sim_time begun = alarms_of(c, job_at(c, slot))->begun;
    st->total_service_time += (uint64_t)machine_given(machine.machine, begun);
    next_step(c, slot);
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
        job_at(c, slot)->site++;
        next_step(c, slot);
        return;
    }
    uint16_t status = end.outcome == OUTCOME_TIMEOUT ? STATUS_GATEWAY_TIMEOUT : STATUS_BAD_GATEWAY;
    finish_job(c, slot, &(struct message){.status = status});
}

/* --- what is given up -------------------------------------------------------------------- */

/* Takes a job out of service, whatever is being done for it. */
static void stop_work(struct ctx *c, uint32_t slot)
{
    const struct server_params *p = c->params;
    struct server_stats *st = c->stats;
    const struct job *job = job_at(c, slot);
    const struct alarms *alarms = alarms_of(c, job);
    if (job->state == JOB_LINED) {
        struct event_loop_room loop = loop_of(c);
        event_loop_drop(&loop, slot, &job->in.m);
        note_lined(c);
    } else if (job->state == JOB_LOOPING) {
        sim_cancel(c, alarms->service);
        leave_loop(c, slot);
    } else if (job->state == JOB_CALLING) {
        struct caller caller = caller_for(c, job->site);
        caller_give_up(&caller, job->of.call);
    } else if (p->machine.shared) {
        struct machine_room machine = machine_of(c);
        machine_drop(&machine, slot);
        st->total_service_time += (uint64_t)machine_given(machine.machine, alarms->begun);
    } else {
        sim_cancel(c, alarms->service);
        st->total_service_time += (uint64_t)sim_worked(c, job->of.begun);
    }
}

/* Drops a job, wherever it is. */
static void drop_job(struct ctx *c, uint32_t slot)
{
    struct server_stats *st = c->stats;
    const struct job *job = job_at(c, slot);
    if (job->state == JOB_WAITING) {
        struct wait_room room = room_of(c);
        wait_remove(&room, slot, &job->in.m);
        gauge_set(&st->queue_depth, c->now, room.queue->count);
        give_job(c, slot);
        while (take_next(c)) {} /* it may have held up others that fit */
        return;
    }
    sim_cancel(c, alarms_of(c, job)->deadline);
    stop_work(c, slot);
    int64_t weight = weight_of(c, slot);
    give_job(c, slot);
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
    if (job_at(c, slot)->state == JOB_WAITING || p->on_cancel == CANCEL_ABORTS) {
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
    reply(c, &job->in.m, job->arrived, (struct message){.status = STATUS_TIMEOUT});
    drop_job(c, (uint32_t)e->msg.token);
}

static void crash(struct ctx *c)
{
    struct server_state *state = c->state;
    struct server_stats *st = c->stats;
    st->requests_lost +=
        slab_give_owned(&c->slabs[SLAB_JOBS], offsetof(struct job, in.owner), c->self);
    slab_give_owned(&c->slabs[SLAB_ALARMS], offsetof(struct alarms, owner), c->self);
    caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
    request_index_clear(&state->index, c);
    struct wait_room room = room_of(c);
    wait_clear(&room);
    machine_clear(&state->machine);
    struct event_loop_room loop = loop_of(c);
    event_loop_clear(&loop);
    state->busy = 0;
    gauge_set(&st->queue_depth, c->now, 0);
    gauge_set(&st->busy_workers, c->now, 0);
    note_lined(c);
}

/* Up again, and cold. */
static void restart(struct ctx *c)
{
    struct server_state *state = c->state;
    state->started = c->now;
    state->begun = 0;
}

static void init(struct ctx *c)
{
    const struct server_params *p = c->params;
    struct server_state *state = c->state;
    if (!p->warm_up.at_start) { /* it has been running for as long as it takes */
        state->started = -p->warm_up.duration;
        state->begun = (uint64_t)p->warm_up.requests;
    }
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
    case TIMER_MACHINE:
        on_machine(c);
        break;
    case TIMER_LOOP:
        on_loop(c, e);
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
    if (kind == ACTION_CAPACITY && p->concurrency == INT64_MAX && p->machine.cores == INT64_MAX) {
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
    .slabs = {sizeof(struct job), sizeof(struct alarms), sizeof(struct call)},
    .init = init,
    .handle = handle,
    .miss = miss,
    .traffic = traffic};
