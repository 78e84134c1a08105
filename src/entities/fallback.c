/* SPDX-License-Identifier: Apache-2.0
 *
 * fallback: calls a primary for each request, and when that fails something else: another target,
 * or a static answer, such as a default from a cache. Both calls are full ones, with timeouts,
 * retries and breakers of their own, and the primary has failed when its call has. When both have
 * failed the caller hears how the fallback did. With a timeout of the primary and a static 504 it
 * is a plain limit on time.
 *
 * Replies are passed on as they are: a degraded answer tells the caller nothing special. Where
 * there was none the caller gets 504 after a timeout, 429 when a throttle or a rate limit held the
 * call back, and 502 otherwise. When the caller gives up by a cancel, so does the fallback.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/callee.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_CALL = EVENT_TIMER, TIMER_STATIC };
enum { STREAM_PRIMARY, STREAM_FALLBACK };
enum { SLAB_REQUESTS, SLAB_CALLS };
enum { SITE_PRIMARY, SITE_FALLBACK };

static const char *const streams[] = {"primary", "fallback", NULL};

/* --- parameters -------------------------------------------------------------------------- */

enum way_kind { WAY_CALL, WAY_STATIC };

struct fallback_way {
    struct callee call; /* first, so that its rows fit */
    int kind;           /* enum way_kind */
    int64_t status;
    sim_time after; /* [ns] */
};
static_assert(offsetof(struct fallback_way, call) == 0, "rows of an upstream");

struct fallback_params {
    struct callee primary;
    struct fallback_way fallback;
    uint32_t fallback_on; /* enum failure_kind */
};

static const struct param_spec upstream_rows[] = {CALLEE_ROWS("GET"), P_END};

static void derive_upstream(void *params, const struct node *at, struct diag *diag,
                            struct arena *arena)
{
    callee_derive(params, TIMER_CALL, at, diag, arena);
}

static const struct schema upstream_schema = {
    .name = "upstream call",
    .summary = "A call that is made for a request; who is called may stand by itself.",
    .size = sizeof(struct callee),
    .rows = upstream_rows,
    .shorthand = true,
    .derive = derive_upstream};

static const struct param_spec static_rows[] = {
    P_COUNT(fallback_way, status, "200", 200, 599, "Status of the answer."),
    P_DURATION(fallback_way, after, "0s", 0, 1e18, "Time that it takes."), P_END};

static const struct alternative way_alternatives[] = {
    {.name = "call",
     .summary = "Another target is called.",
     .tag = WAY_CALL,
     .rows = upstream_rows},
    {.name = "static",
     .summary = "An answer that is always the same. It counts as a request without attempts.",
     .tag = WAY_STATIC,
     .rows = static_rows},
    {.name = NULL}};

static void derive_way(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct fallback_way *way = value;
    if (way->kind == WAY_CALL) {
        const struct node *within = node_child(at, "call");
        derive_upstream(&way->call, within ? within : at, diag, arena);
    }
}

static const struct choice way_choice = {
    .name = "fallback answer",
    .summary = "Where the answer comes from when the primary has failed.",
    .size = sizeof(struct fallback_way),
    .tag_offset = SCHEMA_OFFSET(int, fallback_way, kind),
    .scalar = "call",
    .alternatives = way_alternatives,
    .derive = derive_way};

static const struct param_spec rows[] = {
    P_BLOCK(fallback_params, primary, upstream_schema, NULL, "Who is called first, and how."),
    P_CHOICE(fallback_params, fallback, way_choice, NULL, "What is done when that has failed."),
    P_WORDS(fallback_params, fallback_on, failure_kind_words, "[timeout, error, final]",
            "The ends of the primary's call after which that is done; the status of another "
            "failure is passed on."),
    P_END};

static const struct schema schema = {.name = "fallback",
                                     .summary =
                                         "Calls a primary, and when that fails something else.",
                                     .size = sizeof(struct fallback_params),
                                     .rows = rows};

/* --- statistics -------------------------------------------------------------------------- */

struct fallback_stats {
    struct relay_stats relay;
    uint64_t failures_passed_on, fallback_invocations, degraded_responses;
    struct caller_stats primary, fallback;
};

static const struct stat_spec stats[] = {
    RELAY_INWARD_STATS(fallback_stats, relay),
    S_COUNTER(fallback_stats, failures_passed_on,
              "Failures of the primary that are not among `fallback_on`."),
    S_COUNTER(fallback_stats, fallback_invocations, "Times that the fallback was asked."),
    S_COUNTER(fallback_stats, degraded_responses,
              "Requests answered with what the fallback came to, well or not."),
    CALLER_STATS(fallback_stats, primary, "primary_", "The primary: "),
    CALLER_STATS(fallback_stats, fallback, "fallback_", "The fallback: "),
    S_END};

struct fallback_state {
    struct relay_state relay;
};

enum stage { STAGE_PRIMARY, STAGE_CALL, STAGE_STATIC };

struct handled_request {
    struct relay_slot relay;
    uint64_t timer;  /* STAGE_STATIC: of the answer */
    sim_time turned; /* [ns] STAGE_STATIC: when the primary failed */
    uint32_t call;   /* else: its slot */
    uint32_t stage;  /* enum stage */
};

static const struct callee *upstream_at(const struct ctx *c, uint32_t site)
{
    const struct fallback_params *p = c->params;
    return site == SITE_PRIMARY ? &p->primary : &p->fallback.call;
}

static struct caller caller_for(struct ctx *c, uint32_t site)
{
    struct fallback_stats *st = c->stats;
    const struct callee *u = upstream_at(c, site);
    return (struct caller){.ctx = c,
                           .target = &u->target,
                           .params = &u->call,
                           .stats = site == SITE_PRIMARY ? &st->primary : &st->fallback,
                           .slab = &c->slabs[SLAB_CALLS],
                           .stream = &c->streams[site]};
}

/* --- calls ------------------------------------------------------------------------------- */

static void start_call(struct ctx *c, struct handled_request *q, uint16_t site)
{
    struct caller caller = caller_for(c, site);
    struct call_request request = relay_call(&q->relay, site, upstream_at(c, site)->method);
    q->stage = site == SITE_PRIMARY ? STAGE_PRIMARY : STAGE_CALL;
    q->call = caller_start(&caller, &request);
}

static void start_static(struct ctx *c, struct handled_request *q)
{
    const struct fallback_params *p = c->params;
    struct fallback_stats *st = c->stats;
    q->stage = STAGE_STATIC;
    q->turned = c->now;
    q->timer =
        sim_timer(c, TIMER_STATIC, p->fallback.after,
                  slab_token(&c->slabs[SLAB_REQUESTS], q->relay.slot), TIMER_CONSTANT | TIMER_WORK);
    st->fallback.logical_requests++;
    gauge_add(&st->fallback.in_flight, c->now, 1);
}

static void on_request(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_take(&relay, e);
    start_call(c, slab_at(relay.slab, s->slot), SITE_PRIMARY);
}

static void answer_failure(struct ctx *c, struct handled_request *q, const struct call_end *end)
{
    struct relay relay = relay_of(c);
    struct message reply = caller_reply(&end->last);
    relay_answer(&relay, &q->relay, &reply);
}

/* The primary has failed. */
static void turn(struct ctx *c, struct handled_request *q, const struct call_end *end)
{
    const struct fallback_params *p = c->params;
    struct fallback_stats *st = c->stats;
    if (!outcome_is_among(p->fallback_on, end->outcome)) {
        st->failures_passed_on++;
        answer_failure(c, q, end);
        return;
    }
    st->fallback_invocations++;
    if (p->fallback.kind == WAY_CALL) {
        start_call(c, q, SITE_FALLBACK);
    } else {
        start_static(c, q);
    }
}

/* Whose a reply is, if its call is gone. */
static struct caller_stats *stats_of(struct ctx *c, const struct event *e)
{
    const struct fallback_params *p = c->params;
    struct fallback_stats *st = c->stats;
    return e->kind == EVENT_REPLY && e->port != p->primary.target.port ? &st->fallback
                                                                       : &st->primary;
}

static void on_call(struct ctx *c, const struct event *e)
{
    struct fallback_stats *st = c->stats;
    struct call *call = caller_find(&c->slabs[SLAB_CALLS], stats_of(c, e), e);
    if (!call) {
        return;
    }
    struct caller caller = caller_for(c, call->site);
    struct call_end end;
    if (!caller_handle(&caller, call, e, &end)) {
        return;
    }
    struct relay relay = relay_of(c);
    struct handled_request *q = slab_at(relay.slab, (uint32_t)end.cookie);
    st->degraded_responses += end.site == SITE_FALLBACK;
    if (end.outcome == OUTCOME_SUCCESS) {
        relay_answer(&relay, &q->relay, &e->msg); /* the reply by which the call has ended */
    } else if (end.site == SITE_PRIMARY) {
        turn(c, q, &end);
    } else {
        answer_failure(c, q, &end);
    }
}

static void on_static(struct ctx *c, const struct event *e)
{
    const struct fallback_params *p = c->params;
    struct fallback_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct handled_request *q = slab_find(relay.slab, e->msg.token);
    CHECK(q, "an answer to a request that is gone");
    bool good = verdict_of((unsigned)p->fallback.status) == OUTCOME_SUCCESS;
    st->degraded_responses++;
    st->fallback.successes += good;
    st->fallback.failures += !good;
    gauge_add(&st->fallback.in_flight, c->now, -1);
    sim_record(c, &st->fallback.request_latency, c->now - q->turned);
    relay_answer(&relay, &q->relay, &(struct message){.status = (uint16_t)p->fallback.status});
}

/* --- what is given up -------------------------------------------------------------------- */

static void on_cancel(struct ctx *c, const struct event *e)
{
    struct fallback_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    const struct handled_request *q = slab_at(relay.slab, s->slot);
    if (q->stage == STAGE_STATIC) {
        sim_cancel(c, q->timer);
        st->fallback.abandoned++;
        gauge_add(&st->fallback.in_flight, c->now, -1);
    } else {
        struct caller caller = caller_for(c, q->stage == STAGE_CALL ? SITE_FALLBACK : SITE_PRIMARY);
        caller_give_up(&caller, q->call);
    }
    relay_drop(&relay, s, false);
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct fallback_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
        relay_crash(&relay);
        caller_abandon(c, &c->slabs[SLAB_CALLS], &st->primary);
        caller_abandon(c, &c->slabs[SLAB_CALLS], &st->fallback);
    }
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
        on_action(c, e);
        break;
    default:
        on_static(c, e);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct fallback_params *p = params;
    t->out[p->primary.target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type fallback_type = {
    .name = "fallback",
    .answers = true,
    .heeds = 1u << ACTION_CONDITIONER,
    .params = &schema,
    .stats = stats,
    .stats_size = sizeof(struct fallback_stats),
    .state_size = sizeof(struct fallback_state),
    .streams = streams,
    .slabs = {sizeof(struct handled_request), sizeof(struct call)},
    .handle = handle,
    .miss = relay_miss,
    .traffic = traffic};
