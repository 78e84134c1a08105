/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/health_checks.h"

#include "policies/verdict.h"

enum { TIMER_ROUND, TIMER_TIMEOUT }; /* from the owner's timer_kind on */

static const struct param_spec rows[] = {
    {.name = "kind",
     .doc = "Kind of the checks, for whoever treats some kinds otherwise.",
     .unit = "",
     .fallback = "health_check",
     .kind = PARAM_TEXT,
     .offset = SCHEMA_OFFSET(struct kind, health_checks, kind) + offsetof(struct kind, name)},
    P_DURATION(health_checks, interval, "10s", 1, 1e18,
               "Time between two checks of a backend; the first are made at once."),
    P_DURATION(health_checks, timeout, "5s", 1, 1e18,
               "Time in which a check must be answered; an answer that comes then is too late."),
    P_COUNT(health_checks, healthy, "2", 1, 1e9,
            "Checks passed in a row after which a backend is healthy again."),
    P_COUNT(health_checks, unhealthy, "3", 1, 1e9,
            "Checks failed in a row after which it is unhealthy. A status below 400 passes."),
    P_REAL(health_checks, bytes, "0", 0, 4e9, "B", "Size of a check on the wire."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct health_checks *p = params;
    if (p->timeout >= p->interval) {
        diag_error(diag, at, "timeout must be shorter than interval");
    }
}

const struct schema health_checks_schema = {.name = "health_checks",
                                            .summary = "How backends are checked.",
                                            .size = sizeof(struct health_checks),
                                            .rows = rows,
                                            .kinds = KINDS_GIVEN,
                                            .derive = derive};

static void send(const struct health_checker *h, wire_id wire, uint32_t i)
{
    struct health_check *check = &h->checks[i];
    CHECK(check->number == 0, "a check before the one before is over");
    check->number = *h->last += *h->last < UINT32_MAX ? 1 : 2;
    struct message m = {.request = (uint64_t)h->ctx->self << 32 | check->number,
                        .token = check->number,
                        .deadline = SIM_TIME_NEVER,
                        .class_ = h->params->kind.number,
                        .attempt = 1,
                        .priority = PRIORITY_NORMAL,
                        .bytes = (uint32_t)h->params->bytes};
    h->stats->checks_performed++;
    gauge_add(&h->stats->checks_awaited, h->ctx->now, 1);
    sim_send(h->ctx, (struct way){wire, 0}, &m);
    check->timer = sim_timer(h->ctx, (uint16_t)(h->timer_kind + TIMER_TIMEOUT), h->params->timeout,
                             i, TIMER_FIRST | TIMER_CONSTANT);
}

void health_checks_begin(const struct health_checker *h)
{
    const struct port_plan *port = sim_port(h->ctx, h->port);
    for (uint32_t i = 0; i < port->wires; i++) {
        send(h, port->first_wire + i, i);
    }
    sim_timer(h->ctx, (uint16_t)(h->timer_kind + TIMER_ROUND), h->params->interval, 0,
              TIMER_CONSTANT);
}

static bool end(const struct health_checker *h, struct health_check *check, bool passed)
{
    check->number = 0;
    gauge_add(&h->stats->checks_awaited, h->ctx->now, -1);
    h->stats->checks_passed += passed;
    h->stats->checks_failed += !passed;
    bool turned = health_take(&check->health, h->params->healthy, h->params->unhealthy, passed);
    h->stats->backends_marked_unhealthy += turned && check->health.unhealthy;
    h->stats->backends_marked_healthy += turned && !check->health.unhealthy;
    return turned;
}

static bool take_reply(const struct health_checker *h, const struct message *m)
{
    if (!status_is_last(m->status)) {
        return false;
    }
    struct health_check *check = &h->checks[m->wire - sim_port(h->ctx, h->port)->first_wire];
    if (check->number != m->token) {
        h->stats->checks_stale++;
        return false;
    }
    sim_cancel(h->ctx, check->timer);
    return end(h, check, verdict_of(m->status) == OUTCOME_SUCCESS);
}

bool health_checks_handle(const struct health_checker *h, const struct event *e)
{
    if (e->kind == EVENT_REPLY) {
        return take_reply(h, &e->msg);
    }
    if (e->kind == h->timer_kind + TIMER_ROUND) {
        health_checks_begin(h);
        return false;
    }
    h->stats->checks_timed_out++;
    return end(h, &h->checks[e->msg.token], false);
}

void health_checks_crash(struct health_check_stats *stats, sim_time now)
{
    stats->checks_forgotten += (uint64_t)stats->checks_awaited.level;
    gauge_set(&stats->checks_awaited, now, 0);
}
