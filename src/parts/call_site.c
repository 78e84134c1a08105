/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/call_site.h"

#include "parts/call_record.h"

/* --- where everything lies --------------------------------------------------------------- */

static uint32_t place(uint32_t *size, size_t bytes)
{
    uint32_t at = *size;
    *size += (uint32_t)((bytes + 7) & ~(size_t)7);
    return at;
}

/* What a plan's delays, of its retries or of its strategy, ask a percentile of; NULL: nothing. */
static const struct latency_window *window_of(const struct delays *d)
{
    return d->kind == DELAYS_PERCENTILE ? &d->latencies : NULL;
}

enum { OF_RETRY, OF_STRATEGY, WINDOWS_OF_PLAN };

static const struct delays *delays_of(const struct call_plan *plan, int which)
{
    return which == OF_RETRY ? &plan->retry.delays : &plan->strategy.delays;
}

void site_lay_out(struct call_params *p, struct arena *arena)
{
    uint32_t size = 0, plans = 1 + p->methods.count;
    bool shared = p->breaker.scope == BREAKER_PER_CALL;
    p->site =
        (struct site_layout){.limiter = place(&size, limiter_state_size(&p->rate_limit)),
                             .breaker = place(&size, shared ? breaker_state_size(&p->breaker) : 0),
                             .budget = place(&size, retry_budget_state_size(&p->retry_budget)),
                             .throttle = place(&size, throttle_state_size(&p->throttle))};
    for (uint32_t i = 0; i < plans; i++) {
        p->site.remembers_delay |= delays_of(call_plan_at(p, i), OF_RETRY)->shared_state ||
                                   delays_of(call_plan_at(p, i), OF_STRATEGY)->shared_state;
    }
    p->site.shared_delay = place(&size, p->site.remembers_delay ? sizeof(sim_time) : 0);
    p->site.windows = arena_take(arena, plans * WINDOWS_OF_PLAN * sizeof *p->site.windows);
    for (uint32_t i = 0; i < plans * WINDOWS_OF_PLAN; i++) {
        const struct latency_window *w =
            window_of(delays_of(call_plan_at(p, i / WINDOWS_OF_PLAN), i % WINDOWS_OF_PLAN));
        p->site.has_windows |= w != NULL;
        p->site.windows[i] = place(&size, w ? latency_state_size(w) : 0);
    }
    p->site.size = size;
    p->site.hears = size > 0 || breaker_needs_endpoints(&p->breaker);
}

static void *memory(const struct caller *c, uint32_t at)
{
    return (char *)sim_port_memory(c->ctx, c->target->port, c->params->site.size) + at;
}

static struct retry_budget_state *budget_state(const struct caller *c)
{
    return memory(c, c->params->site.budget);
}

/* --- circuit breakers -------------------------------------------------------------------- */

static bool per_request(const struct breaker *b)
{
    return b->scope == BREAKER_PER_CALL && b->check == BREAKER_CHECK_REQUEST;
}

/* Whether what was let through last stands for the request, until that ends. */
static bool counts_requests(const struct breaker *b)
{
    return b->kind != BREAKER_NONE && b->counts == BREAKER_COUNTS_REQUESTS;
}

static struct breaker_state *breaker_state(const struct caller *c, const struct attempt *a)
{
    const struct breaker *b = &c->params->breaker;
    return b->scope == BREAKER_PER_CALL
               ? memory(c, c->params->site.breaker)
               : sim_wire_memory(c->ctx, a->way.wire, breaker_state_size(b));
}

/* Counts, and writes down, what has become of a breaker since. */
static void note_changes(const struct caller *c, struct breaker_past before,
                         const struct breaker_state *s)
{
    if (s->state_changes != before.state_changes) {
        breaker_counts_add(&c->stats->breakers, c->ctx->now, before, s);
        record_phase(c, (enum breaker_phase)s->phase);
    }
}

static bool breaker_passes(const struct caller *c, struct attempt *a)
{
    struct breaker_state *s = breaker_state(c, a);
    struct breaker_past before = breaker_past_of(s);
    bool passes = breaker_allow(&c->params->breaker, s, c->ctx->now, &a->ticket);
    note_changes(c, before, s);
    c->stats->circuit_broken += !passes;
    return passes;
}

/* What was let through: each attempt, or the request with its first. */
static struct breaker_ticket *ticket_of(const struct caller *c, struct call *call,
                                        struct attempt *a)
{
    return per_request(&c->params->breaker) ? &call->lead.ticket : &a->ticket;
}

static void tell_breaker(const struct caller *c, struct call *call, struct attempt *a,
                         enum outcome outcome, sim_time took)
{
    struct breaker_state *s = breaker_state(c, a);
    struct breaker_past before = breaker_past_of(s);
    breaker_result(&c->params->breaker, s, c->ctx->now, ticket_of(c, call, a), outcome, took);
    note_changes(c, before, s);
}

/* What `a` was let through for will not be judged. Probes may have run out of time meanwhile. */
static void release_breaker(const struct caller *c, struct attempt *a)
{
    struct breaker_state *s = breaker_state(c, a);
    struct breaker_past before = breaker_past_of(s);
    breaker_forget(&c->params->breaker, s, c->ctx->now, &a->ticket);
    note_changes(c, before, s);
}

/* --- requests and attempts --------------------------------------------------------------- */

enum attempt_error site_begin(const struct caller *c, struct call *call)
{
    const struct call_params *p = c->params;
    if (p->retry_budget.kind != RETRY_BUDGET_NONE) {
        retry_budget_request(&p->retry_budget, budget_state(c), c->ctx->now);
        call->lead.held = 0;
    }
    call->lead.ticket = (struct breaker_ticket){0};
    call->tried = 0;
    bool asks = p->breaker.kind != BREAKER_NONE && per_request(&p->breaker);
    return asks && !breaker_passes(c, &call->lead) ? ERROR_CIRCUIT_OPEN : ERROR_NONE;
}

enum attempt_error site_obstacle(const struct caller *c, struct attempt *a)
{
    const struct call_params *p = c->params;
    if (counts_requests(&p->breaker) && !per_request(&p->breaker)) {
        release_breaker(c, a); /* of the round before */
    }
    if (p->rate_limit.kind != LIMITER_NONE &&
        !limiter_take(&p->rate_limit, memory(c, p->site.limiter), c->ctx->now)) {
        c->stats->rate_limited++;
        return ERROR_THROTTLED;
    }
    if (p->breaker.kind != BREAKER_NONE && !per_request(&p->breaker) && !breaker_passes(c, a)) {
        return ERROR_CIRCUIT_OPEN;
    }
    if (p->throttle.kind != THROTTLE_NONE &&
        throttle_rejects(&p->throttle, memory(c, p->site.throttle), c->ctx->now, c->stream)) {
        c->stats->throttled++;
        return ERROR_THROTTLED;
    }
    return ERROR_NONE;
}

static void observe(const struct caller *c, struct call *call, sim_time took)
{
    for (int which = 0; which < WINDOWS_OF_PLAN; which++) {
        const struct latency_window *w =
            window_of(delays_of(call_plan_at(c->params, call->plan), which));
        if (w) {
            uint32_t at = c->params->site.windows[call->plan * WINDOWS_OF_PLAN + which];
            latency_observe(w, memory(c, at), c->ctx->now, took);
        }
    }
}

/* False when a breaker or throttle kept the attempt back. */
static bool was_tried(const struct attempt_end *end)
{
    return end->error != ERROR_CIRCUIT_OPEN && end->error != ERROR_THROTTLED;
}

/* False when the caller kept the attempt back itself, which says nothing about the target. */
static bool was_let_go(const struct attempt_end *end)
{
    return was_tried(end) && end->error != ERROR_DEADLINE;
}

/* An answer that shows that the backend took the request on, whatever came of it. */
static bool is_accept(const struct attempt_end *end)
{
    return end->error == ERROR_NONE && end->status != STATUS_LIMITED &&
           end->status != STATUS_OVERLOADED;
}

void site_judge(const struct caller *c, struct call *call, struct attempt *a,
                const struct attempt_end *end, enum outcome outcome, sim_time took)
{
    const struct call_params *p = c->params;
    if (end->error == ERROR_THROTTLED) {
        site_forget(c, a);
        return;
    }
    if (counts_requests(&p->breaker)) {
        call->tried = was_tried(end) ? (uint8_t)(outcome + 1) : call->tried;
        if (a != &call->lead && !per_request(&p->breaker)) {
            release_breaker(c, a);
        }
    } else if (p->breaker.kind != BREAKER_NONE && was_tried(end)) {
        tell_breaker(c, call, a, outcome, took);
    }
    if (p->retry_budget.kind != RETRY_BUDGET_NONE) {
        retry_budget_attempt_end(&p->retry_budget, budget_state(c), outcome, a->held);
    }
    if (p->rate_limit.kind != LIMITER_NONE && was_let_go(end)) {
        limiter_ended(&p->rate_limit, memory(c, p->site.limiter), c->ctx->now,
                      outcome == OUTCOME_SUCCESS);
    }
    if (p->throttle.kind != THROTTLE_NONE && was_let_go(end)) {
        throttle_ended(&p->throttle, memory(c, p->site.throttle), c->ctx->now, is_accept(end));
    }
    if (p->site.has_windows && end->status / 100 == 2) {
        observe(c, call, took);
    }
}

void site_forget(const struct caller *c, struct attempt *a)
{
    const struct call_params *p = c->params;
    bool begun = a->state != ATTEMPT_AWAITED;
    if (begun && p->breaker.kind != BREAKER_NONE && !per_request(&p->breaker)) {
        release_breaker(c, a);
    }
    if (p->retry_budget.kind != RETRY_BUDGET_NONE) {
        retry_budget_drop(&p->retry_budget, budget_state(c), a->held);
    }
    bool waits = a->state >= ATTEMPT_HELD;
    if (p->throttle.kind != THROTTLE_NONE && waits) {
        /* That another one was faster says nothing against the target. */
        throttle_ended(&p->throttle, memory(c, p->site.throttle), c->ctx->now, true);
    }
}

void site_conclude(const struct caller *c, struct call *call, const struct attempt_end *end,
                   enum outcome outcome)
{
    if (!counts_requests(&c->params->breaker) || (!was_tried(end) && !call->tried)) {
        return;
    }
    /* That a retry was held back says nothing about the target, but the attempts before it do. */
    outcome = was_tried(end) ? outcome : (enum outcome)(call->tried - 1);
    tell_breaker(c, call, &call->lead, outcome, c->ctx->now - call->started);
}

void site_end(const struct caller *c, struct call *call)
{
    const struct breaker *b = &c->params->breaker;
    if ((b->kind != BREAKER_NONE && per_request(b)) || counts_requests(b)) {
        release_breaker(c, &call->lead);
    }
}

bool site_withdraws(const struct caller *c, struct attempt *a, bool timeout)
{
    const struct call_params *p = c->params;
    a->held = 0;
    bool pays = retry_budget_withdraw(&p->retry_budget, budget_state(c), c->ctx->now, timeout,
                                      c->stats->in_flight.level, &a->held);
    c->stats->retries_denied += !pays;
    return pays;
}

sim_time site_asks_window(const struct caller *c, const struct call *call, const struct delays *d)
{
    int which =
        d == delays_of(call_plan_at(c->params, call->plan), OF_RETRY) ? OF_RETRY : OF_STRATEGY;
    uint32_t at = c->params->site.windows[call->plan * WINDOWS_OF_PLAN + which];
    return latency_quantile(window_of(d), memory(c, at), c->ctx->now);
}

sim_time *site_previous(const struct caller *c, const struct delays *d, sim_time *own)
{
    return d->shared_state ? memory(c, c->params->site.shared_delay) : own;
}
