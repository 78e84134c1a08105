/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/service.h"

/* --- parameters -------------------------------------------------------------------------- */

static const struct param_spec kind_rows[] = {
    KIND_KEY(served_kind, kind, "The kind of requests."),
    P_COUNT(served_kind, weight, "1", 1, 1e9, "Workers that such a request takes."),
    P_MAYBE_CHOICE(served_kind, service_time, dist_duration, "none", "none",
                   "Time that it is served for; none: as others."),
    P_END};

const struct schema served_kind_schema = {.name = "served kind",
                                          .summary = "What one kind of requests takes.",
                                          .size = sizeof(struct served_kind),
                                          .rows = kind_rows,
                                          .kinds = KINDS_SOUGHT};

static void derive_kind(struct service_params *p, const struct served_kind *k, int64_t workers,
                        const struct node *at, struct diag *diag)
{
    p->weighted |= k->weight > 1;
    p->has_own_times |= k->service_time.kind != DIST_NONE;
    if (k->weight > workers) {
        const struct node *entry = node_child(node_child(at, "kinds"), k->kind.name);
        diag_error(diag, node_child(entry, "weight"), "takes more workers than there are");
    }
}

void service_derive(struct service_params *p, int64_t workers, const struct node *at,
                    struct diag *diag, struct arena *arena)
{
    mix_make(&p->mix, p->responses.items, p->responses.count, sizeof *p->responses.items,
             offsetof(struct response, weight), "responses", at, diag, arena);
    if (p->responses.count > SERVICE_RESPONSES) {
        diag_error(diag, node_child(at, "responses"), "more than %d", SERVICE_RESPONSES);
    }
    for (uint32_t i = 0; i < p->responses.count; i++) {
        p->refuses |= p->responses.items[i].outcome == RESPONSE_REFUSE;
        p->has_own_times |= p->responses.items[i].service_time.kind != DIST_NONE;
    }
    for (uint32_t i = 0; i < p->kinds.count; i++) {
        derive_kind(p, &p->kinds.items[i], workers, at, diag);
    }
    p->tracked |= p->machine.shared;
    p->plain = !p->tracked && !p->has_own_times && p->event_loop.time.kind == DIST_NONE &&
               p->warm_up.kind == WARM_UP_NONE;
}

/* --- what one takes ---------------------------------------------------------------------- */

static struct slab *jobs_of(const struct service_room *r)
{
    return &r->ctx->slabs[SERVICE_JOBS];
}

static struct slab *works_of(const struct service_room *r)
{
    return &r->ctx->slabs[SERVICE_WORKS];
}

static struct served *at(const struct service_room *r, uint32_t slot)
{
    return slab_at(jobs_of(r), slot);
}

struct work *service_work(const struct service_room *r, uint32_t slot)
{
    return slab_at(works_of(r), at(r, slot)->work);
}

/* What is different for the kind of a request; NULL: nothing. */
static const struct served_kind *kind_of(const struct service_params *p,
                                         const struct message *request)
{
    uint32_t n = p->kinds.count;
    uint32_t i = kind_find(p->kinds.items, n, sizeof *p->kinds.items, request->class_);
    return i < n ? &p->kinds.items[i] : NULL;
}

int64_t service_weight_by_kind(const struct service_params *p, const struct message *request)
{
    const struct served_kind *kind = kind_of(p, request);
    return kind ? kind->weight : 1;
}

static const struct dist *own_law(const struct service_params *p, const struct served *job)
{
    const struct response *response = &p->responses.items[job->response];
    if (response->service_time.kind != DIST_NONE) {
        return &response->service_time;
    }
    const struct served_kind *kind = kind_of(p, &job->in.m);
    return kind && kind->service_time.kind != DIST_NONE ? &kind->service_time : &p->time;
}

static double slowdown_of(const struct service_room *r)
{
    sim_time age = r->ctx->now - r->state->started;
    double cold = warm_up_factor(&r->params->warm_up, age, r->state->begun);
    return cold * sim_slowdown(r->ctx);
}

/* --- work -------------------------------------------------------------------------------- */

static struct machine_room machine_of(const struct service_room *r)
{
    return (struct machine_room){.ctx = r->ctx,
                                 .params = &r->params->machine,
                                 .machine = &r->state->machine,
                                 .slab = jobs_of(r),
                                 .timer_kind = SERVICE_MACHINE_TIMER};
}

/* Sets the timer of a turn, or of work. */
static void run(const struct service_room *r, uint32_t slot, uint16_t timer, const struct dist *law,
                uint32_t stream)
{
    uint64_t handle = service_run(r, slot, timer, law, stream, slowdown_of(r));
    if (r->params->tracked) {
        service_work(r, slot)->timer = handle;
    }
}

static void run_on_machine(const struct service_room *r, uint32_t slot, const struct dist *law)
{
    sim_time time = dist_draw(law, &r->ctx->streams[SERVICE_TIMES]);
    struct machine_room machine = machine_of(r);
    sim_time work = sim_time_round((double)time * slowdown_of(r));
    service_work(r, slot)->begun = machine_begin(&machine, slot, work);
}

static void work(const struct service_room *r, uint32_t slot)
{
    const struct service_params *p = r->params;
    struct served *job = at(r, slot);
    const struct dist *law = p->has_own_times ? own_law(p, job) : &p->time;
    job->phase = SERVICE_WORKING;
    if (p->machine.shared) {
        run_on_machine(r, slot, law);
    } else {
        run(r, slot, SERVICE_TIMER, law, SERVICE_TIMES);
    }
    r->state->begun++;
}

/* --- turns ------------------------------------------------------------------------------- */

static struct event_loop_room loop_of(const struct service_room *r)
{
    return (struct event_loop_room){.ctx = r->ctx,
                                    .params = &r->params->event_loop,
                                    .state = &r->state->event_loop,
                                    .slab = jobs_of(r)};
}

static void note_lined(const struct service_room *r)
{
    gauge_set(&r->stats->event_loop_queue, r->ctx->now, r->state->event_loop.line.count);
}

static void take_turn(const struct service_room *r, uint32_t slot)
{
    at(r, slot)->phase = SERVICE_LOOPING;
    run(r, slot, SERVICE_LOOP_TIMER, &r->params->event_loop.time, SERVICE_TURNS);
}

static void enter_loop(const struct service_room *r, uint32_t slot)
{
    struct event_loop_room loop = loop_of(r);
    struct served *job = at(r, slot);
    if (event_loop_enter(&loop, slot, &job->in.m)) {
        take_turn(r, slot);
    } else {
        job->phase = SERVICE_LINED;
        note_lined(r);
    }
}

/* The turn of a slot has ended: the next one has its own. */
static void end_turn(const struct service_room *r, uint32_t slot)
{
    r->stats->total_time += (uint64_t)sim_worked(r->ctx, at(r, slot)->of.begun);
    struct event_loop_room loop = loop_of(r);
    uint32_t next = event_loop_leave(&loop);
    if (next != SLAB_NONE) {
        note_lined(r);
        take_turn(r, next);
    }
}

/* --- from begin to end ------------------------------------------------------------------- */

void service_track(const struct service_room *r, uint32_t slot)
{
    at(r, slot)->work = slab_take(works_of(r));
    *service_work(r, slot) = (struct work){.owner = r->ctx->self};
}

void service_begin_specially(const struct service_room *r, uint32_t slot)
{
    if (r->params->tracked && !r->params->tracked_early) {
        service_track(r, slot);
    }
    if (r->params->event_loop.time.kind != DIST_NONE) {
        enter_loop(r, slot);
    } else {
        work(r, slot);
    }
}

/* A turn is over, or the service of somebody by the machine. */
uint32_t service_ends_specially(const struct service_room *r, const struct event *e)
{
    if (e->kind == SERVICE_LOOP_TIMER) {
        CHECK(slab_find(jobs_of(r), e->msg.token), "the end of a turn that nobody has");
        end_turn(r, (uint32_t)e->msg.token);
        work(r, (uint32_t)e->msg.token);
        return SLAB_NONE;
    }
    struct machine_room machine = machine_of(r);
    uint32_t slot = machine_done(&machine);
    r->stats->total_time += (uint64_t)machine_given(machine.machine, service_work(r, slot)->begun);
    at(r, slot)->phase = SERVICE_OVER;
    return slot;
}

void service_stop(const struct service_room *r, uint32_t slot)
{
    struct served *job = at(r, slot);
    if (job->phase == SERVICE_LINED) {
        struct event_loop_room loop = loop_of(r);
        event_loop_drop(&loop, slot, &job->in.m);
        note_lined(r);
    } else if (job->phase == SERVICE_LOOPING) {
        sim_cancel(r->ctx, service_work(r, slot)->timer);
        end_turn(r, slot);
    } else if (r->params->machine.shared) {
        struct machine_room machine = machine_of(r);
        machine_drop(&machine, slot);
        r->stats->total_time +=
            (uint64_t)machine_given(machine.machine, service_work(r, slot)->begun);
    } else {
        sim_cancel(r->ctx, service_work(r, slot)->timer);
        r->stats->total_time += (uint64_t)sim_worked(r->ctx, job->of.begun);
    }
    job->phase = SERVICE_OVER;
}

void service_forget(const struct service_room *r, uint32_t slot)
{
    const struct service_params *p = r->params;
    if (p->tracked && (p->tracked_early || at(r, slot)->phase != SERVICE_AWAITED)) {
        slab_give(works_of(r), at(r, slot)->work);
    }
}

/* --- the whole --------------------------------------------------------------------------- */

void service_open(const struct service_room *r)
{
    const struct warm_up *w = &r->params->warm_up;
    if (!w->at_start) { /* it has been running for as long as it takes */
        r->state->started = -w->duration;
        r->state->begun = (uint64_t)w->requests;
    }
}

void service_restart(const struct service_room *r)
{
    r->state->started = r->ctx->now;
    r->state->begun = 0;
}

void service_adjust(const struct service_room *r)
{
    if (r->params->machine.shared) {
        struct machine_room machine = machine_of(r);
        machine_adjust(&machine);
    }
}

void service_clear(const struct service_room *r)
{
    struct event_loop_room loop = loop_of(r);
    slab_give_owned(works_of(r), offsetof(struct work, owner), r->ctx->self);
    machine_clear(&r->state->machine);
    event_loop_clear(&loop);
    note_lined(r);
}
