/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/caller.h"

#include "parts/attempt.h"
#include "parts/call_record.h"
#include "parts/call_site.h"

static struct attempt *attempt_in(const struct caller *c, uint32_t slot)
{
    return &((struct call *)slab_at(c->slab, slot))->lead;
}

static bool is_lead(const struct call *call, const struct attempt *a)
{
    return a == &call->lead;
}

/* --- rounds ------------------------------------------------------------------------------ */

/* Gives the slots of further attempts back. */
static void close_round(const struct caller *c, struct call *call)
{
    while (call->lead.next) {
        uint32_t slot = call->lead.next - 1;
        call->lead.next = attempt_in(c, slot)->next;
        slab_give(c->slab, slot);
    }
}

/* When the attempt after the k-th of the round is to be sent [ns from now]. After the deadline
 * there is nothing to wait for. */
static sim_time hedge_delay(const struct caller *c, struct call *call, uint32_t k)
{
    const struct delays *d = &attempt_plan(c, call)->strategy.delays;
    sim_time quantile = site_quantile(c, call, d);
    sim_time delay =
        delays_draw(d, k, quantile, site_previous(c, d, &call->hedge_delay), c->stream);
    sim_time left = deadline_left(call->deadline, c->ctx->now);
    return delay < left ? delay : left;
}

/* Takes a slot for the attempt after the k-th, which is sent in its time. */
static void await_hedge(const struct caller *c, struct call *call, uint32_t k)
{
    uint32_t slot = slab_take(c->slab);
    struct attempt *a = attempt_in(c, slot);
    *a = (struct attempt){.slot = slot,
                          .call = call->lead.call,
                          .next = call->lead.next,
                          .owner = c->ctx->self,
                          .number = (uint16_t)k,
                          .state = ATTEMPT_AWAITED};
    call->lead.next = slot + 1;
    sim_time delay = hedge_delay(c, call, k);
    a->timer = sim_timer(c->ctx, c->params->owner.timer_kind, delay, slab_token(c->slab, slot), 0);
}

/* The k-th attempt of the round has begun: those that count from it are awaited. */
static void await_followers(const struct caller *c, struct call *call, uint32_t k)
{
    const struct strategy *s = &attempt_plan(c, call)->strategy;
    uint32_t n = strategy_attempts(s), last = s->reference == REFERENCE_START ? n - 1 : k;
    if (s->reference == REFERENCE_START && k > 1) {
        return;
    }
    for (; k <= last && k < n; k++) {
        await_hedge(c, call, k);
    }
}

static void begin_round(const struct caller *c, struct call *call)
{
    call->rounds++;
    call->has_failed = false;
    call->live = (uint16_t)strategy_attempts(&attempt_plan(c, call)->strategy);
    attempt_begin(c, call, &call->lead);
    if (call->live > 1) {
        call->hedge_delay = 0;
        await_followers(c, call, 1);
    }
}

/* There is another one in `wait` [ns]. */
static void await_round(const struct caller *c, struct call *call, sim_time wait)
{
    uint64_t token = slab_token(c->slab, call->lead.slot);
    call->lead.state = ATTEMPT_AWAITED;
    call->lead.timer = sim_timer(c->ctx, c->params->owner.timer_kind, wait, token, 0);
}

static void begin_next_round(const struct caller *c, struct call *call)
{
    if (!c->params->accept_late) { /* else a late reply is to find its call by such a slot */
        close_round(c, call);
    }
    c->stats->retries++;
    begin_round(c, call);
}

/* --- the beginning and the end of a call ------------------------------------------------- */

static uint8_t choose_plan(const struct call_params *p, uint8_t method)
{
    for (uint32_t i = 0; i < p->methods.count; i++) {
        if (p->methods.items[i].methods >> method & 1) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

static sim_time choose_deadline(const struct caller *c, const struct call_request *q)
{
    const struct call_params *p = c->params;
    bool inherits = p->inherit_deadline && q->deadline != 0 && q->deadline != SIM_TIME_NEVER;
    return inherits ? q->deadline : sim_time_add(c->ctx->now, p->deadline);
}

static uint8_t choose_priority(const struct call_params *p, uint8_t ambient)
{
    return p->priority == CALL_PRIORITY_INHERIT
               ? ambient
               : (uint8_t)priority_combine((enum priority)(p->priority - 1), ambient);
}

uint32_t caller_start(const struct caller *c, const struct call_request *q)
{
    uint32_t slot = slab_take(c->slab);
    struct call *call = slab_at(c->slab, slot);
    /* Piece by piece, and nothing that is not looked at: this is on the way of every request. */
    call->lead.slot = call->lead.call = slot;
    call->lead.next = 0;
    call->lead.owner = c->ctx->self;
    call->lead.state = ATTEMPT_OVER;
    call->attempts = call->rounds = 0;
    call->request = q->request;
    call->cookie = q->cookie;
    call->started = c->ctx->now;
    call->deadline = choose_deadline(c, q);
    call->bytes = q->bytes;
    call->class_ = q->class_;
    call->site = q->site;
    call->priority = choose_priority(c->params, q->priority);
    call->method = q->method;
    call->plan = choose_plan(c->params, q->method);
    call->is_plain =
        c->params->plain && call->deadline == SIM_TIME_NEVER && !c->ctx->has_conditioners;
    call->is_swift = call->is_plain && c->params->swift && !c->ctx->has_onlookers;
    c->stats->logical_requests++;
    gauge_add(&c->stats->in_flight, c->ctx->now, 1);
    enum attempt_error error = c->params->site.hears ? site_begin(c, call) : ERROR_NONE;
    if (error == ERROR_NONE) {
        begin_round(c, call);
    } else {
        call->rounds = call->live = call->attempts = call->lead.number = 1;
        call->lead.sent = c->ctx->now;
        call->lead.way = (struct way){sim_port(c->ctx, c->target->port)->first_wire, 0};
        call->has_failed = false;
        record_begin(c, call, &call->lead);
        attempt_refuse(c, &call->lead, error);
    }
    return slot;
}

struct call *caller_find(struct slab *slab, struct caller_stats *stats, const struct event *e)
{
    slab_expect(slab, e->msg.token, sizeof(struct attempt)); /* wanted as soon as it is found */
    struct attempt *a = slab_find(slab, e->msg.token);
    if (!a) {
        stats->late_responses += e->kind == EVENT_REPLY && status_is_last(e->msg.status);
        return NULL;
    }
    return slab_at(slab, a->call);
}

/* Takes the call's slots back, with whatever is still under way for it. */
static void close_call(const struct caller *c, struct call *call)
{
    attempt_give_up(c, call, &call->lead);
    for (uint32_t next = call->lead.next; next; next = attempt_in(c, next - 1)->next) {
        attempt_give_up(c, call, attempt_in(c, next - 1));
    }
    if (c->params->site.hears) {
        site_end(c, call);
    }
    close_round(c, call);
    gauge_add(&c->stats->in_flight, c->ctx->now, -1);
    slab_give(c->slab, call->lead.call);
}

static void end_call(const struct caller *c, struct call *call, const struct attempt_end *how,
                     enum outcome outcome, struct call_end *end)
{
    struct caller_stats *stats = c->stats;
    *end = (struct call_end){call->cookie, call->site, outcome, *how};
    stats->successes += outcome == OUTCOME_SUCCESS;
    stats->failures += outcome != OUTCOME_SUCCESS;
    sim_record(c->ctx, &stats->request_latency, c->ctx->now - call->started);
    sim_outcome(c->ctx, OUTCOME_OF_REQUESTS, outcome != OUTCOME_SUCCESS);
    record_end(c, call, how, outcome);
    if (c->params->site.hears) {
        site_conclude(c, call, how, outcome);
    }
    close_call(c, call);
}

void caller_give_up(const struct caller *c, uint32_t slot)
{
    c->stats->abandoned++;
    close_call(c, slab_at(c->slab, slot));
}

void caller_abandon(struct ctx *ctx, struct slab *slab, struct caller_stats *stats)
{
    slab_give_owned(slab, offsetof(struct call, lead.owner), ctx->self);
    stats->abandoned += (uint64_t)stats->in_flight.level;
    gauge_set(&stats->in_flight, ctx->now, 0);
    breaker_counts_crash(&stats->breakers, ctx->now);
}

struct message caller_reply(const struct attempt_end *last)
{
    switch ((enum attempt_error)last->error) {
    case ERROR_NONE:
        return (struct message){.status = last->status,
                                .flags = last->flags,
                                .deadline = last->retry_after,
                                .bytes = last->bytes};
    case ERROR_TIMEOUT:
        return (struct message){.status = STATUS_GATEWAY_TIMEOUT};
    case ERROR_THROTTLED:
        return (struct message){.status = STATUS_LIMITED, .flags = REPLY_NO_RETRY};
    case ERROR_CIRCUIT_OPEN:
    case ERROR_DEADLINE:
        return (struct message){.status = STATUS_BAD_GATEWAY, .flags = REPLY_NO_RETRY};
    case ERROR_REFUSED:
    case ERROR_RESET:
    case ERROR_DROPPED:
    case ERROR_NO_CONNECTION:
        break;
    }
    return (struct message){.status = STATUS_BAD_GATEWAY};
}

/* --- what an attempt's end means for its call -------------------------------------------- */

static struct retry_question question(const struct caller *c, const struct call *call,
                                      const struct attempt_end *how)
{
    return (struct retry_question){.attempt = call->rounds,
                                   .end = how,
                                   .method = call->method,
                                   .now = c->ctx->now,
                                   .started = call->started};
}

/* How long to wait before the next round [ns]; SIM_TIME_NEVER: there is none. */
static sim_time decide(const struct caller *c, struct call *call, const struct retry_question *q)
{
    const struct retry *retry = &attempt_plan(c, call)->retry;
    if (call->rounds == 1) {
        call->memory = (struct retry_memory){0};
    }
    sim_time *previous = site_previous(c, &retry->delays, &call->memory.previous);
    call->memory.previous = *previous;
    struct retry_answer answer = retry_decide(retry, q, call->verdict, &call->memory, c->stream);
    *previous = call->memory.previous;
    return answer.wait;
}

/* All attempts of the round have failed: there is another one, or the call ends as the first of
 * them did. True: it has ended. */
static bool fail_round(const struct caller *c, struct call *call, struct call_end *end)
{
    const struct call_plan *plan = attempt_plan(c, call);
    const struct delays *d = &plan->retry.delays;
    enum outcome outcome = (enum outcome)call->verdict.outcome;
    sim_time wait = SIM_TIME_NEVER;
    /* A breaker that is asked once has held back all of the request. */
    bool held_back = call->failed.error == ERROR_CIRCUIT_OPEN &&
                     c->params->breaker.check == BREAKER_CHECK_REQUEST;
    if (!held_back && plan->strategy.kind != STRATEGY_SINGLE) {
        struct retry_question q = question(c, call, &call->failed);
        q.quantile = site_quantile(c, call, d);
        wait = decide(c, call, &q);
    }
    bool late = deadline_left(call->deadline, c->ctx->now) < wait;
    if (wait == SIM_TIME_NEVER || late ||
        !site_pays(c, &call->lead, call->failed.error == ERROR_TIMEOUT)) {
        end_call(c, call, &call->failed, outcome, end);
        return true;
    }
    record_retry(c, call, &call->failed, wait);
    await_round(c, call, wait);
    return false;
}

/* An attempt of the round will not end well, or not be made. */
static bool leave_out(const struct caller *c, struct call *call, struct call_end *end)
{
    call->live--;
    return call->live == 0 && fail_round(c, call, end);
}

/* The time of a hedge has come. True: the call has ended. */
static bool begin_hedge(const struct caller *c, struct call *call, struct attempt *a,
                        struct call_end *end)
{
    uint32_t k = a->number + 1u;
    bool pays = site_pays(c, a, false);
    a->state = ATTEMPT_OVER;
    if (pays) {
        c->stats->hedges++;
        attempt_begin(c, call, a);
    }
    await_followers(c, call, k);
    return !pays && leave_out(c, call, end);
}

/* The next hedge of the round, or NULL. */
static struct attempt *next_hedge(const struct caller *c, const struct call *call)
{
    struct attempt *first = NULL;
    for (uint32_t next = call->lead.next; next; next = attempt_in(c, next - 1)->next) {
        struct attempt *a = attempt_in(c, next - 1);
        first = a->state == ATTEMPT_AWAITED ? a : first; /* the list begins with the last */
    }
    return first;
}

/* An attempt of the round has failed: the next one may be wanted before its time. */
static bool lose_attempt(const struct caller *c, struct call *call, struct call_end *end)
{
    bool hastens = attempt_plan(c, call)->strategy.after_failure == AFTER_FAILURE_NEXT;
    struct attempt *next = hastens ? next_hedge(c, call) : NULL;
    if (!next) {
        return leave_out(c, call, end);
    }
    call->live--;
    sim_cancel(c->ctx, next->timer);
    return begin_hedge(c, call, next, end);
}

static struct retry_verdict judge(const struct caller *c, const struct call *call,
                                  const struct attempt_end *how)
{
    const struct retry *retry = &attempt_plan(c, call)->retry;
    if (how->error == ERROR_NONE && how->status < 400 && !retry->polls) {
        return (struct retry_verdict){.outcome = OUTCOME_SUCCESS};
    }
    if (!retry->special) {
        return retry_judge_plainly(retry, how);
    }
    struct retry_question q = question(c, call, how);
    return retry_judge(retry, &q, c->stream);
}

static bool end_attempt(const struct caller *c, struct call *call, struct attempt *a,
                        const struct attempt_end *how, struct call_end *end)
{
    struct retry_verdict verdict = judge(c, call, how);
    enum outcome outcome = (enum outcome)verdict.outcome;
    sim_outcome(c->ctx, OUTCOME_OF_ATTEMPTS, outcome != OUTCOME_SUCCESS);
    record_attempt(c, a, how);
    if (c->params->site.hears) {
        site_judge(c, call, a, how, outcome, c->ctx->now - a->sent);
    }
    c->stats->errors += outcome != OUTCOME_SUCCESS && how->status != 0;
    if (how->error == ERROR_THROTTLED && !is_lead(call, a)) {
        return leave_out(c, call, end); /* it was not needed; the others go on */
    }
    if (outcome == OUTCOME_SUCCESS || outcome == OUTCOME_FINAL) {
        c->stats->hedge_wins += !is_lead(call, a);
        end_call(c, call, how, outcome, end);
        return true;
    }
    if (!call->has_failed) {
        call->has_failed = true;
        call->failed = *how;
        call->verdict = verdict;
    }
    return lose_attempt(c, call, end);
}

/* A reply to an attempt that was given up, while the call is under way. */
static bool hear_late(const struct caller *c, struct call *call, const struct message *m,
                      struct call_end *end)
{
    if (!status_is_last(m->status)) {
        return false; /* the pool has a connection for what nobody waits for */
    }
    c->stats->late_responses++;
    struct attempt_end how = attempt_end_of_reply(m->status, m->flags, m->deadline);
    how.bytes = m->bytes;
    bool between = call->lead.state == ATTEMPT_AWAITED;
    if (!c->params->accept_late || (between && !c->params->accept_between_attempts) ||
        verdict_of_end(&how, &attempt_plan(c, call)->retry.verdicts) != OUTCOME_SUCCESS) {
        return false;
    }
    c->stats->late_successes++;
    end_call(c, call, &how, OUTCOME_SUCCESS, end);
    return true;
}

/* The timer of an attempt, or of what it waits for, or a reply to it. */
static bool go_on(const struct caller *c, struct call *call, const struct event *e,
                  struct call_end *end)
{
    struct attempt *a = attempt_in(c, (uint32_t)e->msg.token);
    if (e->kind == EVENT_REPLY) {
        if (a->state < ATTEMPT_QUEUED || a->number != e->msg.attempt) {
            return hear_late(c, call, &e->msg, end);
        }
    } else if (a->state == ATTEMPT_AWAITED) {
        if (!is_lead(call, a)) {
            return begin_hedge(c, call, a, end);
        }
        begin_next_round(c, call);
        return false;
    }
    struct attempt_end how;
    return attempt_hears(c, call, a, e, &how) && end_attempt(c, call, a, &how, end);
}

/* --- the short way ----------------------------------------------------------------------- */

/* Most calls of most models have nothing in their way, one attempt at a time and nobody who looks
 * on. What all of the above comes to for the end of such an attempt is here once more, and takes
 * half as long; tests hold one way against the other. */

/* Whether the event is the end of the call's attempt, in a way that the status tells alone. */
static bool ends_swiftly(const struct call *call, const struct event *e)
{
    const struct message *m = &e->msg;
    bool is_plain = call->lead.number == m->attempt && m->flags == 0 && status_is_last(m->status);
    return call->lead.state == ATTEMPT_OUT && (e->kind != EVENT_REPLY || is_plain);
}

/* How long to wait before the next attempt [ns]; SIM_TIME_NEVER: there is none. */
static sim_time wait_swiftly(const struct caller *c, struct call *call, enum outcome outcome)
{
    const struct retry *retry = &attempt_plan(c, call)->retry;
    if (!retry_wants(retry, outcome) || call->rounds >= retry->limit) {
        return SIM_TIME_NEVER;
    }
    if (call->rounds == 1 && delays_remember(&retry->delays)) {
        call->memory.previous = 0;
    }
    return delays_draw(&retry->delays, call->rounds, SIM_TIME_NEVER, &call->memory.previous,
                       c->stream);
}

static enum outcome hear_swiftly(const struct caller *c, struct call *call, const struct event *e)
{
    struct ctx *x = c->ctx;
    struct caller_stats *stats = c->stats;
    --*sim_wire_load(x, call->lead.way.wire);
    if (e->kind != EVENT_REPLY) {
        stats->timeouts++;
        return OUTCOME_TIMEOUT;
    }
    sim_cancel(x, call->lead.timer);
    stats->responses_received++;
    sim_record(x, &stats->response_time, x->now - call->lead.sent);
    enum outcome outcome = verdict_of(e->msg.status);
    stats->errors += outcome != OUTCOME_SUCCESS;
    return outcome;
}

static bool go_on_swiftly(const struct caller *c, struct call *call, const struct event *e,
                          struct call_end *end)
{
    struct ctx *x = c->ctx;
    struct caller_stats *stats = c->stats;
    enum outcome outcome = hear_swiftly(c, call, e);
    sim_time wait = outcome == OUTCOME_SUCCESS ? SIM_TIME_NEVER : wait_swiftly(c, call, outcome);
    if (wait != SIM_TIME_NEVER) {
        await_round(c, call, wait);
        return false;
    }
    stats->successes += outcome == OUTCOME_SUCCESS;
    stats->failures += outcome != OUTCOME_SUCCESS;
    sim_record(x, &stats->request_latency, x->now - call->started);
    gauge_add(&stats->in_flight, x->now, -1);
    struct attempt_end how = e->kind == EVENT_REPLY ? attempt_end_of_reply(e->msg.status, 0, 0)
                                                    : (struct attempt_end){.error = ERROR_TIMEOUT};
    how.bytes = e->msg.bytes;
    *end = (struct call_end){call->cookie, call->site, outcome, how};
    slab_give(c->slab, call->lead.slot);
    return true;
}

bool caller_handle(const struct caller *c, struct call *call, const struct event *e,
                   struct call_end *end)
{
    return call->is_swift && ends_swiftly(call, e) ? go_on_swiftly(c, call, e, end)
                                                   : go_on(c, call, e, end);
}
