/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/call_params.h"

#include "parts/call_site.h"

/* In the order of the enums, or of their bits. */
const char *const deadline_accounting_words[] = {"restart", "absolute", NULL};
const char *const deadline_split_words[] = {"pass_through", "between_attempts", NULL};
const char *const call_priority_words[] = {"inherit", "high", "normal", "low", NULL};
const char *const call_cancel_words[] = {"losers", "timeouts", NULL};

static const struct param_spec phase_rows[] = {
    P_MAYBE_DURATION(phase_limits, pool, "none", 0, 1e18,
                     "Waiting for a connection, where the target is a pool; besides the pool's own "
                     "limit."),
    P_MAYBE_DURATION(phase_limits, connect, "none", 0, 1e18, "Making a connection."),
    P_MAYBE_DURATION(phase_limits, write, "none", 0, 1e18, "The request on its way."),
    P_MAYBE_DURATION(phase_limits, read, "none", 0, 1e18, "From its arrival to the reply."), P_END};

const struct schema phases_schema = {.name = "phases",
                                     .summary = "Times that the phases of an attempt may take.",
                                     .size = sizeof(struct phase_limits),
                                     .rows = phase_rows};

static const struct param_spec method_plan_rows[] = {
    P_WORDS(method_plan, methods, method_words, NULL, "The methods."), PLAN_ROWS(method_plan, plan),
    P_END};

const struct schema method_plan_schema = {.name = "method plan",
                                          .summary = "What becomes of requests of some methods.",
                                          .size = sizeof(struct method_plan),
                                          .rows = method_plan_rows};

struct call_block { /* a block of nothing but a call */
    struct call_params call;
};

static const struct param_spec call_rows[] = {CALL_ROWS(call_block, call), P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    call_params_derive(params, at, diag, arena);
}

const struct schema call_schema = {.name = "call",
                                   .summary = "How requests are made.",
                                   .size = sizeof(struct call_params),
                                   .rows = call_rows,
                                   .derive = derive};

static bool has_phases(const struct call_params *p)
{
    const struct phase_limits *l = &p->phases;
    return l->connect != SIM_TIME_NEVER || l->write != SIM_TIME_NEVER ||
           l->read != SIM_TIME_NEVER || !dist_is_constant(&p->connection_latency) ||
           dist_floor(&p->connection_latency) > 0;
}

/* Where an attempt goes is known when it is made: a breaker for each endpoint is asked then. */
static void check_breaker(struct breaker *b, const struct node *at, struct diag *diag)
{
    if (b->kind == BREAKER_NONE || b->scope != BREAKER_PER_ENDPOINT) {
        return;
    }
    if (b->check == BREAKER_CHECK_REQUEST && node_child(at, "check")) {
        diag_error(diag, node_child(at, "check"),
                   "a breaker for each endpoint is asked before each attempt, when it is known "
                   "where that goes");
    }
    b->check = BREAKER_CHECK_ATTEMPT;
}

static bool is_swift(const struct call_plan *plan)
{
    return plan->strategy.kind == STRATEGY_SEQUENTIAL && !plan->retry.special && !plan->retry.polls;
}

void call_params_own(struct call_params *p, struct target *target, const struct call_owner *owner)
{
    p->owner = *owner;
    target->apart = breaker_needs_endpoints(&p->breaker);
    target->connects = owner->pooled;
    p->plain = p->plain && !owner->pooled;
    p->swift = p->swift && !owner->pooled;
}

void call_params_derive(struct call_params *p, const struct node *at, struct diag *diag,
                        struct arena *arena)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < p->methods.count; i++) {
        uint32_t methods = p->methods.items[i].methods;
        const struct node *list = node_child(at, "methods");
        const struct node *item = list && list->kind == NODE_SEQUENCE ? node_item(list, i) : list;
        if (methods == 0 || !(methods & ~seen)) {
            diag_error(diag, item,
                       methods == 0 ? "no method is named" : "every method here is named before");
        }
        seen |= methods;
    }
    if (p->methods.count > UINT8_MAX - 1) {
        diag_error(diag, node_child(at, "methods"), "more than %d plans", UINT8_MAX - 1);
    }
    check_breaker(&p->breaker, node_child(at, "breaker"), diag);
    p->plain = p->deadline == SIM_TIME_NEVER && !has_phases(p) &&
               !conditioner_does(&p->conditioner) && p->breaker.kind == BREAKER_NONE &&
               p->throttle.kind == THROTTLE_NONE && p->rate_limit.kind == LIMITER_NONE;
    site_lay_out(p, arena);
    p->swift = p->plain && !p->site.hears && !(p->cancel & CANCEL_TIMEOUTS) && is_swift(&p->plan);
    for (uint32_t i = 0; i < p->methods.count; i++) {
        p->swift = p->swift && is_swift(&p->methods.items[i].plan);
    }
}
