/* SPDX-License-Identifier: Apache-2.0
 *
 * circuit_breaker: stands between callers and a target, and lets nothing through for a while after
 * requests have failed. All who name it as their target share it, whoever they are; a breaker
 * within a `call` belongs to that call alone.
 *
 * What is not let through is answered at once, and for its caller it has failed. Replies are passed
 * on as they are. What is lost beyond the breaker tells it nothing, unless it has a time after
 * which a request has failed for it (`failure_timeout`); probes have such a time always.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "parts/breaker_counts.h"
#include "parts/reject.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { TIMER_FAILURE = EVENT_TIMER };
enum { STREAM_BALANCE };

static const char *const streams[] = {"balance", NULL};

struct circuit_breaker_params {
    struct target target;
    struct breaker breaker;
    sim_time failure_timeout; /* [ns] SIM_TIME_NEVER: none */
    int on_reject;            /* enum on_reject */
    int64_t reject_status;
    bool pass_cancel;
};

static const struct param_spec rows[] = {
    P_TARGET(circuit_breaker_params, target, NULL, "Where requests go that are let through."),
    P_CHOICE(circuit_breaker_params, breaker, breaker_choice, "{state_attributed: {}}",
             "When it lets nothing through. It is asked once for each request that comes."),
    P_MAYBE_DURATION(circuit_breaker_params, failure_timeout, "none", 1, 1e18,
                     "Time after which a request counts as a timeout for the breaker. A reply that "
                     "comes later is passed on and tells the breaker nothing."),
    P_WORD(circuit_breaker_params, on_reject, reject_words, "reply",
           "What a request gets that is not let through: a reply that asks not to be tried again, "
           "or none at all."),
    P_COUNT(circuit_breaker_params, reject_status, "502", 200, 599, "Status of that reply."),
    P_BOOL(circuit_breaker_params, pass_cancel, "false",
           "Whether the target is told that a request was given up."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct circuit_breaker_params *p = params;
    if (p->breaker.check != BREAKER_CHECK_REQUEST) {
        diag_error(diag, node_child(at, "breaker"),
                   "a circuit_breaker cannot check each attempt: it is asked for each request that "
                   "comes, and makes no attempts of its own");
    }
    p->target.apart = breaker_needs_endpoints(&p->breaker);
}

static const struct schema schema = {
    .name = "circuit_breaker",
    .summary = "Sends requests on, but for a while none after others have failed.",
    .size = sizeof(struct circuit_breaker_params),
    .rows = rows,
    .derive = derive};

struct circuit_breaker_stats {
    struct relay_stats relay;
    uint64_t total_requests, successful_requests, failed_requests, rejected_requests;
    struct breaker_counts breakers;
};

static const struct stat_spec stats[] = {
    RELAY_STATS(circuit_breaker_stats, relay),
    S_COUNTER(circuit_breaker_stats, total_requests, "Requests that the breaker was asked about."),
    S_COUNTER(circuit_breaker_stats, successful_requests,
              "Requests let through whose end is no failure for the breaker."),
    S_COUNTER(circuit_breaker_stats, failed_requests,
              "Requests let through whose end is one, be it that none came in time."),
    S_COUNTER(circuit_breaker_stats, rejected_requests, "Requests not let through."),
    BREAKER_STATS(circuit_breaker_stats, breakers),
    S_END};

struct circuit_breaker_state {
    struct relay_state relay;
};

struct guarded_request {
    struct relay_slot relay;
    struct breaker_ticket ticket;
    uint64_t timer; /* of failure_timeout */
    bool judged;    /* the breaker knows how it ended */
};

static struct breaker_state *breaker_for(struct ctx *c, const struct guarded_request *q)
{
    const struct circuit_breaker_params *p = c->params;
    size_t size = breaker_state_size(&p->breaker);
    if (size == 0) {
        return NULL;
    }
    return p->target.apart ? sim_wire_memory(c, q->relay.way.wire, size)
                           : sim_port_memory(c, p->target.port, size);
}

/* Whether the breaker lets it through. What is not let through takes no turn in a balance, unless
 * the breaker is that of the instance whose turn it is. */
static bool passes(struct ctx *c, const struct relay *relay, struct guarded_request *q)
{
    const struct circuit_breaker_params *p = c->params;
    struct circuit_breaker_stats *st = c->stats;
    if (p->target.apart) {
        relay_aim(relay, &q->relay, &p->target, &c->streams[STREAM_BALANCE]);
    }
    struct breaker_state *s = breaker_for(c, q);
    struct breaker_past before = breaker_past_of(s);
    bool allowed = breaker_allow(&p->breaker, s, c->now, &q->ticket);
    breaker_counts_add(&st->breakers, c->now, before, s);
    if (allowed && !p->target.apart) {
        relay_aim(relay, &q->relay, &p->target, &c->streams[STREAM_BALANCE]);
    }
    return allowed;
}

static void judge(struct ctx *c, struct guarded_request *q, enum outcome outcome)
{
    const struct circuit_breaker_params *p = c->params;
    struct circuit_breaker_stats *st = c->stats;
    sim_time took = c->now - q->relay.arrived;
    bool failed = breaker_is_failure(&p->breaker, outcome, took);
    st->failed_requests += failed;
    st->successful_requests += !failed;
    struct breaker_state *s = breaker_for(c, q);
    struct breaker_past before = breaker_past_of(s);
    breaker_result(&p->breaker, s, c->now, &q->ticket, outcome, took);
    breaker_counts_add(&st->breakers, c->now, before, s);
    q->judged = true;
}

static void reject(struct ctx *c, const struct relay *relay, struct guarded_request *q)
{
    const struct circuit_breaker_params *p = c->params;
    struct circuit_breaker_stats *st = c->stats;
    st->rejected_requests++;
    struct message reply = {.status = (uint16_t)p->reject_status, .flags = REPLY_NO_RETRY};
    relay_refuse(relay, &q->relay, (enum on_reject)p->on_reject, &reply);
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct circuit_breaker_params *p = c->params;
    struct circuit_breaker_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_take(&relay, e);
    struct guarded_request *q = slab_at(relay.slab, s->slot);
    q->judged = false;
    st->total_requests++;
    if (!passes(c, &relay, q)) {
        reject(c, &relay, q);
        return;
    }
    relay_send_aimed(&relay, s);
    q->timer = sim_timer(c, TIMER_FAILURE, p->failure_timeout, slab_token(relay.slab, s->slot),
                         TIMER_FIRST | TIMER_CONSTANT);
}

static void on_reply(struct ctx *c, const struct event *e)
{
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct guarded_request *q = slab_at(relay.slab, s->slot);
    if (!s->out && !q->judged) {
        struct attempt_end end = attempt_end_of_reply(e->msg.status, e->msg.flags, e->msg.deadline);
        sim_cancel(c, q->timer);
        judge(c, q, verdict_of_end(&end, NULL));
    }
    relay_answer(&relay, s, &e->msg);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct circuit_breaker_params *p = c->params;
    struct circuit_breaker_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    struct guarded_request *q = slab_at(relay.slab, s->slot);
    if (!q->judged) {
        struct breaker_state *b = breaker_for(c, q);
        struct breaker_past before = breaker_past_of(b);
        sim_cancel(c, q->timer);
        breaker_forget(&p->breaker, b, c->now, &q->ticket);
        breaker_counts_add(&st->breakers, c->now, before, b);
    }
    relay_drop(&relay, s, p->pass_cancel);
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct circuit_breaker_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
        relay_crash(&relay);
        breaker_counts_crash(&st->breakers, c->now);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_REPLY:
        on_reply(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    default:
        judge(c, slab_find(&c->slabs[0], e->msg.token), OUTCOME_TIMEOUT);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct circuit_breaker_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type circuit_breaker_type = {.name = "circuit_breaker",
                                                 .answers = true,
                                                 .connects = true,
                                                 .params = &schema,
                                                 .stats = stats,
                                                 .stats_size = sizeof(struct circuit_breaker_stats),
                                                 .state_size = sizeof(struct circuit_breaker_state),
                                                 .streams = streams,
                                                 .slabs = {sizeof(struct guarded_request)},
                                                 .handle = handle,
                                                 .miss = relay_miss,
                                                 .traffic = traffic};
