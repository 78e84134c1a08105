/* SPDX-License-Identifier: Apache-2.0
 *
 * saga: a transaction over several services without a common lock. Each request starts an instance,
 * which makes the actions of its steps one after the other. When one fails, what the steps before
 * it have done is undone by their compensations, the last one first. Any number of instances are
 * under way at a time, and none knows of another.
 *
 * An action or a compensation is a call (parts/caller.h), and its `call` block is all that is said
 * of it. The time of a step is that of its call, retries included: the step fails when the call
 * ends badly, be it by a timeout or by an answer. How long a compensation may take and how often it
 * is tried are its call's `timeout` and `retry`; without a timeout one that is never answered keeps
 * its instance for ever, which active_instances shows. A saga heeds no deadline of its caller, as
 * compensations must be made after it, too.
 *
 * What nobody undoes are the effects of an action whose step is over: it timed out, and was served
 * all the same. Their answers are told by the port that they come to (late_step_completions).
 * Where actions are retried or hedged that counts also the other attempts of a step that went well:
 * to tell them apart, one would have to remember for ever how each attempt's step ended.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/callee.h"
#include "parts/request_index.h"
#include "policies/verdict.h"

enum { TIMER_CALL = EVENT_TIMER };
enum { STREAM_CALLS };
enum { SLAB_INSTANCES, SLAB_CALLS };
enum { MOST_STEPS = 1 << 14 }; /* each has two call sites, numbered in 16 bits */

static const char *const streams[] = {"calls", NULL};

/* --- parameters -------------------------------------------------------------------------- */

struct saga_step {
    const char *name;
    struct callee action;
    LIST_OF(struct callee) compensation; /* one or none */
};

enum on_compensation_failure { FAILURE_CONTINUES, FAILURE_STOPS };
static const char *const failure_words[] = {"continue", "stop", NULL};

enum on_cancel { CANCEL_IGNORED, CANCEL_COMPENSATES };
static const char *const cancel_words[] = {"ignore", "compensate", NULL};

struct saga_params {
    LIST_OF(struct saga_step) steps;
    int on_compensation_failure; /* enum on_compensation_failure */
    bool compensate_timed_out_step;
    int on_cancel; /* enum on_cancel */
};

static const struct param_spec call_rows[] = {CALLEE_ROWS("POST"), P_END};

static void derive_call(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    callee_derive(params, TIMER_CALL, at, diag, arena);
}

static const struct schema saga_call_schema = {.name = "saga call",
                                               .summary =
                                                   "What a step of a saga does, or what undoes it.",
                                               .size = sizeof(struct callee),
                                               .rows = call_rows,
                                               .derive = derive_call};

static const struct param_spec step_rows[] = {
    P_TEXT(saga_step, name, "", "What the step is called, for those who read the study."),
    P_BLOCK(saga_step, action, saga_call_schema, NULL,
            "What it does. It has failed when the call ends badly, after its retries."),
    P_LIST(saga_step, compensation, saga_call_schema, "[]",
           "What undoes it when a later step fails: one call, or none."),
    P_END};

static void derive_step(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct saga_step *step = params;
    diag_at_most_one(diag, at, "compensation", step->compensation.count);
}

static const struct schema step_schema = {.name = "saga step",
                                          .summary = "A step of a saga.",
                                          .size = sizeof(struct saga_step),
                                          .rows = step_rows,
                                          .derive = derive_step};

static const struct param_spec rows[] = {
    P_LIST(saga_params, steps, step_schema, NULL,
           "What is done for each request, in this order. It is answered with 200 when all steps "
           "are done; when one was not, after the compensations, with 504 if the step timed out "
           "and with 502 otherwise."),
    P_WORD(saga_params, on_compensation_failure, failure_words, "continue",
           "What is done after a compensation that failed: the remaining ones, or nothing (stop). "
           "The saga has failed in any case."),
    P_BOOL(saga_params, compensate_timed_out_step, "false",
           "Whether a step that timed out, or was under way when its caller gave up, is "
           "compensated with those before it: nobody knows whether its action took effect."),
    P_WORD(saga_params, on_cancel, cancel_words, "ignore",
           "What is done when a caller says that it does not wait any more: nothing, or the step "
           "under way is given up and those before it are compensated. Then there is no answer."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct saga_params *p = params;
    if (p->steps.count == 0) {
        diag_error(diag, node_child(at, "steps"), "a saga has one step at least");
    } else if (p->steps.count > MOST_STEPS) {
        diag_error(diag, node_child(at, "steps"), "more than %d", MOST_STEPS);
    }
}

static const struct schema schema = {
    .name = "saga",
    .summary = "Makes calls one after the other, and undoes them in reverse when one fails.",
    .size = sizeof(struct saga_params),
    .rows = rows,
    .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

/* Each saga started has one end: it is completed, compensated, failed or lost. Each step executed
 * is completed, failed, cancelled, or lost with its saga; each compensation completed, failed or
 * lost. */
struct saga_stats {
    uint64_t sagas_started, sagas_completed, sagas_compensated, sagas_failed;
    uint64_t steps_executed, steps_completed, steps_failed, steps_cancelled, late_step_completions;
    uint64_t compensations_executed, compensations_completed, compensations_failed;
    uint64_t requests_cancelled, requests_lost, compensations_lost, requests_missed, replies_lost;
    struct gauge active_instances, compensating_instances;
    struct histogram saga_latency, step_latency, compensation_latency;
    struct caller_stats calls;
};

static const struct stat_spec stats[] = {
    S_COUNTER(saga_stats, sagas_started, "Sagas begun: one for each request that arrived."),
    S_COUNTER(saga_stats, sagas_completed, "Sagas of which all steps were done."),
    S_COUNTER(saga_stats, sagas_compensated,
              "Sagas that went back, and no compensation failed; also where none was to be made."),
    S_COUNTER(saga_stats, sagas_failed, "Sagas that went back, and a compensation failed."),
    S_COUNTER(saga_stats, steps_executed, "Steps begun."),
    S_COUNTER(saga_stats, steps_completed, "Steps whose action went well."),
    S_COUNTER(saga_stats, steps_failed, "Steps whose action failed."),
    S_COUNTER(saga_stats, steps_cancelled, "Steps given up because the saga's caller gave up."),
    S_COUNTER(saga_stats, late_step_completions,
              "Actions answered well when their step was over: effects that no saga knows of."),
    S_COUNTER(saga_stats, compensations_executed, "Compensations begun."),
    S_COUNTER(saga_stats, compensations_completed, "Compensations that went well."),
    S_COUNTER(saga_stats, compensations_failed, "Compensations that failed."),
    S_COUNTER(saga_stats, requests_cancelled,
              "Sagas under way that their callers gave up, where that matters."),
    S_COUNTER(saga_stats, requests_lost,
              "Sagas under way lost in a crash, with one step or one "
              "compensation each."),
    S_COUNTER(saga_stats, compensations_lost, "Of these, those that were going back."),
    S_COUNTER(saga_stats, requests_missed,
              "Requests that arrived while it was down, and vanished."),
    S_COUNTER(saga_stats, replies_lost, "Replies lost on the wire."),
    S_GAUGE(saga_stats, active_instances, "Sagas under way."),
    S_GAUGE(saga_stats, compensating_instances, "Of these, those that are going back."),
    S_HISTOGRAM(saga_stats, saga_latency, "From the start of a saga to its end, well or not."),
    S_HISTOGRAM(saga_stats, step_latency, "From the start of a step to its end, well or not."),
    S_HISTOGRAM(saga_stats, compensation_latency,
                "From the start of a compensation to its end, well or not."),
    CALLER_STATS(saga_stats, calls, "downstream_", "Actions and compensations: "),
    S_END};

/* --- instances --------------------------------------------------------------------------- */

struct saga_state {
    struct request_index index; /* of the instances, where cancels matter */
};

/* It is in a call at any time: that of an action, or of a compensation when it is going back. */
struct instance {
    struct indexed_request in; /* the request */
    sim_time started, begun;   /* [ns] the saga; the step or compensation under way */
    uint32_t call;             /* its slot */
    uint16_t step;             /* which one */
    uint16_t status;           /* going back: what the caller gets */
    bool is_compensating;      /* going back */
    bool has_failed;           /* a compensation did */
    bool is_unwanted;          /* its caller has given up */
};

static struct instance *instance_at(const struct ctx *c, uint32_t slot)
{
    return slab_at(&c->slabs[SLAB_INSTANCES], slot);
}

static struct request_slots instances_of(struct ctx *c)
{
    return (struct request_slots){
        .ctx = c, .slab = &c->slabs[SLAB_INSTANCES], .offset = offsetof(struct instance, in)};
}

/* Whether its caller may still give it up, and that would matter. */
static bool is_indexed(const struct ctx *c, const struct instance *x)
{
    const struct saga_params *p = c->params;
    return p->on_cancel != CANCEL_IGNORED && !x->is_unwanted;
}

static void finish(struct ctx *c, uint32_t slot, uint16_t status)
{
    struct saga_state *state = c->state;
    struct saga_stats *st = c->stats;
    const struct instance *x = instance_at(c, slot);
    st->sagas_completed += !x->is_compensating;
    st->sagas_compensated += x->is_compensating && !x->has_failed;
    st->sagas_failed += x->has_failed;
    sim_record(c, &st->saga_latency, c->now - x->started);
    gauge_add(&st->active_instances, c->now, -1);
    gauge_add(&st->compensating_instances, c->now, -x->is_compensating);
    if (!x->is_unwanted) {
        struct message m = {.status = status};
        st->replies_lost += !sim_reply(c, &x->in.m, &m);
    }
    if (is_indexed(c, x)) {
        struct request_slots in = instances_of(c);
        request_index_drop(&state->index, &in, slot);
    }
    slab_give(&c->slabs[SLAB_INSTANCES], slot);
}

/* --- steps and compensations ------------------------------------------------------------- */

/* The call sites of step i are 2 i, its action, and 2 i + 1, its compensation. */
static const struct callee *call_at(const struct ctx *c, uint32_t site)
{
    const struct saga_params *p = c->params;
    const struct saga_step *step = &p->steps.items[site / 2];
    return site % 2 ? step->compensation.items : &step->action;
}

static struct caller caller_for(struct ctx *c, uint32_t site)
{
    struct saga_stats *st = c->stats;
    const struct callee *call = call_at(c, site);
    return (struct caller){.ctx = c,
                           .target = &call->target,
                           .params = &call->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[STREAM_CALLS]};
}

static uint32_t site_of(const struct instance *x)
{
    return 2u * x->step + x->is_compensating;
}

/* Begins the action or the compensation that the instance has come to. */
static void begin(struct ctx *c, uint32_t slot)
{
    struct instance *x = instance_at(c, slot);
    uint32_t site = site_of(x);
    struct caller caller = caller_for(c, site);
    x->begun = c->now;
    x->call =
        caller_start(&caller, &(struct call_request){.request = x->in.m.request,
                                                     .cookie = slot,
                                                     .deadline = SIM_TIME_NEVER,
                                                     .class_ = x->in.m.class_,
                                                     .site = (uint16_t)site,
                                                     .priority = x->in.m.priority,
                                                     .method = (uint8_t)call_at(c, site)->method});
}

static void begin_step(struct ctx *c, uint32_t slot, uint32_t step)
{
    struct saga_stats *st = c->stats;
    instance_at(c, slot)->step = (uint16_t)step;
    st->steps_executed++;
    begin(c, slot);
}

/* Compensates the last of the first `n` steps that can be; without one the saga has ended. */
static void compensate(struct ctx *c, uint32_t slot, uint32_t n)
{
    const struct saga_params *p = c->params;
    struct saga_stats *st = c->stats;
    struct instance *x = instance_at(c, slot);
    while (n > 0 && p->steps.items[n - 1].compensation.count == 0) {
        n--;
    }
    if (n == 0) {
        finish(c, slot, x->status);
        return;
    }
    x->step = (uint16_t)(n - 1);
    st->compensations_executed++;
    begin(c, slot);
}

/* The saga goes back. `unknown`: the step that it had come to may have taken effect. */
static void turn_back(struct ctx *c, uint32_t slot, bool unknown)
{
    const struct saga_params *p = c->params;
    struct saga_stats *st = c->stats;
    struct instance *x = instance_at(c, slot);
    x->is_compensating = true;
    gauge_add(&st->compensating_instances, c->now, 1);
    compensate(c, slot, x->step + (unknown && p->compensate_timed_out_step));
}

static void end_step(struct ctx *c, uint32_t slot, enum outcome outcome)
{
    const struct saga_params *p = c->params;
    struct saga_stats *st = c->stats;
    struct instance *x = instance_at(c, slot);
    sim_record(c, &st->step_latency, c->now - x->begun);
    if (outcome != OUTCOME_SUCCESS) {
        bool timed_out = outcome == OUTCOME_TIMEOUT;
        st->steps_failed++;
        x->status = timed_out ? STATUS_GATEWAY_TIMEOUT : STATUS_BAD_GATEWAY;
        turn_back(c, slot, timed_out);
        return;
    }
    st->steps_completed++;
    if (x->step + 1u < p->steps.count) {
        begin_step(c, slot, x->step + 1u);
    } else {
        finish(c, slot, STATUS_OK);
    }
}

static void end_compensation(struct ctx *c, uint32_t slot, enum outcome outcome)
{
    const struct saga_params *p = c->params;
    struct saga_stats *st = c->stats;
    struct instance *x = instance_at(c, slot);
    bool failed = outcome != OUTCOME_SUCCESS;
    sim_record(c, &st->compensation_latency, c->now - x->begun);
    st->compensations_failed += failed;
    st->compensations_completed += !failed;
    x->has_failed |= failed;
    bool stops = failed && p->on_compensation_failure == FAILURE_STOPS;
    compensate(c, slot, stops ? 0 : x->step);
}

/* --- events ------------------------------------------------------------------------------ */

static void on_request(struct ctx *c, const struct event *e)
{
    struct saga_state *state = c->state;
    struct saga_stats *st = c->stats;
    uint32_t slot = slab_take(&c->slabs[SLAB_INSTANCES]);
    struct instance *x = instance_at(c, slot);
    *x = (struct instance){.in = {.m = e->msg, .owner = c->self}, .started = c->now};
    if (is_indexed(c, x)) {
        struct request_slots in = instances_of(c);
        request_index_put(&state->index, &in, slot);
    }
    st->sagas_started++;
    gauge_add(&st->active_instances, c->now, 1);
    begin_step(c, slot, 0);
}

/* Whether this is an action's answer that says it went well. */
static bool is_done(const struct ctx *c, const struct event *e)
{
    const struct saga_params *p = c->params;
    if (e->kind != EVENT_REPLY || !status_is_last(e->msg.status) ||
        verdict_of(e->msg.status) != OUTCOME_SUCCESS) {
        return false;
    }
    for (uint32_t i = 0; i < p->steps.count; i++) {
        if (p->steps.items[i].action.target.port == e->port) {
            return true;
        }
    }
    return false;
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct saga_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], &st->calls, e);
    if (!call) {
        st->late_step_completions += is_done(c, e);
        return;
    }
    struct caller caller = caller_for(c, call->site);
    struct call_end end;
    if (!caller_handle(&caller, call, e, &end)) {
        return;
    }
    uint32_t slot = (uint32_t)end.cookie;
    if (instance_at(c, slot)->is_compensating) {
        end_compensation(c, slot, end.outcome);
    } else {
        end_step(c, slot, end.outcome);
    }
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct saga_params *p = c->params;
    struct saga_state *state = c->state;
    struct saga_stats *st = c->stats;
    if (p->on_cancel == CANCEL_IGNORED) {
        return;
    }
    struct request_slots in = instances_of(c);
    uint32_t slot = request_index_find(&state->index, &in, &e->msg);
    if (slot == SLAB_NONE) {
        return;
    }
    struct instance *x = instance_at(c, slot);
    request_index_drop(&state->index, &in, slot);
    x->is_unwanted = true;
    st->requests_cancelled++;
    if (!x->is_compensating) {
        struct caller caller = caller_for(c, site_of(x));
        caller_give_up(&caller, x->call);
        st->steps_cancelled++;
        turn_back(c, slot, true);
    }
}

static void crash(struct ctx *c)
{
    struct saga_state *state = c->state;
    struct saga_stats *st = c->stats;
    st->requests_lost +=
        slab_give_owned(&c->slabs[SLAB_INSTANCES], offsetof(struct instance, in.owner), c->self);
    st->compensations_lost += (uint64_t)st->compensating_instances.level;
    caller_abandon(c, &c->slabs[SLAB_CALLS], &st->calls);
    request_index_clear(&state->index, c);
    gauge_set(&st->active_instances, c->now, 0);
    gauge_set(&st->compensating_instances, c->now, 0);
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_REPLY:
    case TIMER_CALL:
        on_call(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
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

static void miss(struct ctx *c, const struct event *e)
{
    struct saga_stats *st = c->stats;
    st->requests_missed += e->kind == EVENT_REQUEST;
}

static void traffic(const void *params, struct traffic *t)
{
    const struct saga_params *p = params;
    for (uint32_t i = 0; i < p->steps.count; i++) {
        t->out[p->steps.items[i].action.target.port] = t->in;
    }
    t->events = t->in * (1.0 + p->steps.count); /* arrival, and a reply from each step */
}

const struct entity_type saga_type = {.name = "saga",
                                      .answers = true,
                                      .heeds = 1u << ACTION_CONDITIONER,
                                      .params = &schema,
                                      .stats = stats,
                                      .stats_size = sizeof(struct saga_stats),
                                      .state_size = sizeof(struct saga_state),
                                      .streams = streams,
                                      .slabs = {sizeof(struct instance), sizeof(struct call)},
                                      .handle = handle,
                                      .miss = miss,
                                      .traffic = traffic};
