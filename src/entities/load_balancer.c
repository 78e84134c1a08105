/* SPDX-License-Identifier: Apache-2.0
 *
 * load_balancer: stands between callers and the backends that its target names, and sends each
 * request to one of them, which `strategy` chooses. Left out are those that are unhealthy by active
 * checks (`health_checks`) or ejected for what they answered (`outlier_ejection`); but when a share
 * of less than `panic_threshold` would be left, all are in again.
 *
 * Requests that find no backend are rejected at once, or wait in line for one (`on_no_backend`) and
 * go on together when one is back. A rejection may be tried again: another moment, another backend.
 *
 * Answers are passed on as they are. A request that is lost beyond the balancer is outstanding for
 * ever, which keeps others from its backend where that counts, unless there is a time after which
 * it is given up (`timeout`); that, too, is a failure of the backend.
 *
 * A balancer that has crashed comes back with all backends in, and checks them anew.
 */
#include <stddef.h>
#include <string.h>

#include "base/hash.h"
#include "engine/entity.h"
#include "parts/chain.h"
#include "parts/health_checks.h"
#include "parts/reject.h"
#include "parts/relay.h"
#include "policies/balancing.h"
#include "policies/outlier.h"
#include "policies/verdict.h"

enum { TIMER_TIMEOUT = EVENT_TIMER, TIMER_WAIT, TIMER_INTERVAL, TIMER_CHECKS };
enum { STREAM_BALANCE };
enum { NO_BACKEND_REJECT, NO_BACKEND_QUEUE };

static const char *const streams[] = {"balance", NULL};
static const char *const no_backend_words[] = {"reject", "queue", NULL};

/* --- parameters -------------------------------------------------------------------------- */

struct backend_weight {
    const char *name;
    int64_t weight;
};

struct load_balancer_params {
    struct target target;
    struct balancing strategy;
    LIST_OF(struct backend_weight) weights;
    LIST_OF(struct health_checks) health_checks; /* at most one, as the next */
    LIST_OF(struct outlier) outlier_ejection;
    double panic_threshold;          /* [1] */
    int on_no_backend;               /* NO_BACKEND_REJECT or _QUEUE */
    int64_t max_wait_queue;          /* INT64_MAX: unlimited */
    sim_time max_wait_time, timeout; /* [ns] SIM_TIME_NEVER: none */
    int on_reject;                   /* enum on_reject */
    int64_t reject_status;
    bool pass_cancel;
};

/* Virtual nodes of a backend. */
enum { MOST_VIRTUAL_NODES = 1000000 };

static const struct param_spec weight_rows[] = {
    P_KEY(backend_weight, name, "A name as in the target."),
    P_COUNT(backend_weight, weight, NULL, 1, 1e6, "The weight."), P_END};

static const struct schema weight_schema = {.name = "weight",
                                            .summary = "The weight of a backend.",
                                            .size = sizeof(struct backend_weight),
                                            .rows = weight_rows,
                                            .shorthand = true};

static const struct param_spec rows[] = {
    P_TARGET(load_balancer_params, target, NULL, "The backends."),
    P_CHOICE(load_balancer_params, strategy, balancing_choice, "round_robin",
             "Which backend a request goes to, of those that are in."),
    P_MAP(load_balancer_params, weights, weight_schema, "{}",
          "Weights of backends, by their names in the target; that of a group is one of each of "
          "its instances. Others have 1."),
    P_LIST(load_balancer_params, health_checks, health_checks_schema, "[]",
           "Which backends are healthy; by default all."),
    P_LIST(load_balancer_params, outlier_ejection, outlier_schema, "[]",
           "Which backends are ejected for what they answered; by default none."),
    P_REAL(load_balancer_params, panic_threshold, "0", 0, 1, "1",
           "Share of the backends that must be healthy and not ejected; with fewer, requests go to "
           "all of them."),
    P_WORD(load_balancer_params, on_no_backend, no_backend_words, "reject",
           "What becomes of a request for which there is no backend: it is rejected, or waits."),
    P_LIMIT(load_balancer_params, max_wait_queue, "unlimited", 0, 1e9,
            "Requests that may wait for a backend; others are rejected."),
    P_MAYBE_DURATION(load_balancer_params, max_wait_time, "none", 1, 1e18,
                     "Time after which one that waits is rejected. A backend that is back at that "
                     "instant is too late."),
    P_MAYBE_DURATION(load_balancer_params, timeout, "none", 1, 1e18,
                     "Time after which a request that is at a backend is answered with 504; none: "
                     "one that is lost is outstanding for ever."),
    P_WORD(load_balancer_params, on_reject, reject_words, "reply",
           "What a request gets that is rejected: a reply, or none at all."),
    P_COUNT(load_balancer_params, reject_status, "503", 200, 599, "Status of that reply."),
    P_BOOL(load_balancer_params, pass_cancel, "false",
           "Whether the backend is told that a request was given up."),
    P_END};

static void check_weights(const struct load_balancer_params *p, const struct node *at,
                          struct diag *diag)
{
    if (p->weights.count > 0 && !balancing_needs_weights(&p->strategy)) {
        diag_warning(diag, node_child(at, "weights"), "the strategy heeds no weights");
    }
    for (uint32_t i = 0; i < p->weights.count; i++) {
        const struct backend_weight *w = &p->weights.items[i];
        const struct node *weight = node_child(node_child(at, "weights"), w->name);
        bool known = false;
        for (uint32_t k = 0; k < p->target.to.count; k++) {
            known = known || strcmp(w->name, p->target.to.items[k].name.name) == 0;
        }
        if (!known) {
            diag_error_key(diag, weight, "the target does not name this");
        } else if (p->strategy.kind == BALANCING_CONSISTENT_HASH &&
                   w->weight > MOST_VIRTUAL_NODES / p->strategy.virtual_nodes) {
            diag_error(diag, weight, "times %lld virtual_nodes this is more than %d of a backend",
                       (long long)p->strategy.virtual_nodes, MOST_VIRTUAL_NODES);
        }
    }
}

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    struct load_balancer_params *p = params;
    p->target.apart = true;
    if (p->target.balance != BALANCE_ROUND_ROBIN) {
        diag_error(diag, node_child(node_child(at, "target"), "balance"),
                   "a load_balancer chooses by its `strategy`");
    }
    diag_at_most_one(diag, at, "health_checks", p->health_checks.count);
    diag_at_most_one(diag, at, "outlier_ejection", p->outlier_ejection.count);
    if (p->on_no_backend == NO_BACKEND_REJECT &&
        (p->max_wait_queue != INT64_MAX || p->max_wait_time != SIM_TIME_NEVER)) {
        diag_warning(diag, at, "without on_no_backend: queue, no request waits");
    }
    check_weights(p, at, diag);
}

static const struct schema schema = {.name = "load_balancer",
                                     .summary = "Sends each request on to one of its backends.",
                                     .size = sizeof(struct load_balancer_params),
                                     .rows = rows,
                                     .derive = derive};

/* --- statistics -------------------------------------------------------------------------- */

struct load_balancer_stats {
    struct relay_stats relay;
    uint64_t requests_failed, backend_timeouts, no_backend_available;
    uint64_t requests_in_panic, queued_requests, rejected_requests, timed_out_requests;
    struct gauge healthy_backends, ejected_backends, available_backends, queue_depth;
    struct histogram response_time, wait_time;
    struct breakdown responses;
    struct health_check_stats checks;
    struct outlier_counts outliers;
};

#define OUTLIER_STAT(member, name_, doc_) \
    { \
        .name = name_, .doc = doc_, .unit = "1", .kind = STAT_COUNTER, \
        .offset = offsetof(struct load_balancer_stats, outliers) + \
                  offsetof(struct outlier_counts, member) \
    }

/* requests_received = responses_received + backend_timeouts + rejected_requests +
 * timed_out_requests + cancels_received + requests_lost + in_progress, and requests_received =
 * requests_sent + rejected_requests + timed_out_requests + queue_depth + those that were
 * cancelled or lost in the line; without a warm-up. */
static const struct stat_spec stats[] = {
    RELAY_STATS(load_balancer_stats, relay),
    S_COUNTER(load_balancer_stats, requests_failed,
              "Requests that one failed: an error or another failure, or no answer within "
              "`timeout`."),
    S_COUNTER(load_balancer_stats, backend_timeouts,
              "Requests at a backend that were given up after `timeout`."),
    S_COUNTER(load_balancer_stats, no_backend_available, "Requests that found no backend."),
    S_COUNTER(load_balancer_stats, requests_in_panic,
              "Requests sent on while too few backends were healthy and not ejected for that to "
              "matter."),
    S_COUNTER(load_balancer_stats, queued_requests, "Requests that waited for a backend."),
    S_COUNTER(load_balancer_stats, rejected_requests, "Requests rejected at once."),
    S_COUNTER(load_balancer_stats, timed_out_requests, "Requests rejected after they had waited."),
    S_GAUGE(load_balancer_stats, healthy_backends, "Backends that are healthy by the checks."),
    S_GAUGE(load_balancer_stats, ejected_backends, "Backends that are ejected."),
    S_GAUGE(load_balancer_stats, available_backends, "Backends that requests may be sent to."),
    S_GAUGE(load_balancer_stats, queue_depth, "Requests waiting for a backend."),
    S_HISTOGRAM(load_balancer_stats, response_time,
                "From when a request was sent on to the final answer."),
    S_HISTOGRAM(load_balancer_stats, wait_time,
                "From arrival to when it was sent on, for those that waited."),
    S_BREAKDOWN(load_balancer_stats, responses, "ns",
                "Response times, by the group of the backend and by status."),
    HEALTH_CHECK_STATS(load_balancer_stats, checks),
    OUTLIER_STAT(ejections, "ejections", "Ejections of backends."),
    OUTLIER_STAT(consecutive_errors, "ejections_consecutive_errors",
                 "Ejections for failures in a row."),
    OUTLIER_STAT(success_rate, "ejections_success_rate",
                 "Ejections for fewer successes than others."),
    OUTLIER_STAT(failure_percentage, "ejections_failure_percentage",
                 "Ejections for too many failures."),
    OUTLIER_STAT(spared, "ejections_spared", "Ejections that max_ejection_percent forbade."),
    OUTLIER_STAT(returned, "ejections_ended", "Ends of ejections."),
    S_END};

/* --- backends ---------------------------------------------------------------------------- */

struct load_balancer_state {
    struct relay_state relay;
    struct chain line;     /* of those that wait for a backend */
    uint32_t available;    /* backends that may be chosen */
    bool panics;           /* all may, as too few would be left */
    uint32_t ring, points; /* consistent_hash: its place in kept memory, and how many */
    uint32_t last_check;   /* see struct health_checker */
};

struct balanced_request {
    struct relay_slot relay;
    struct chain_link line; /* while it waits */
    sim_time sent;          /* [ns] */
    uint64_t timer;         /* of max_wait_time, then of timeout */
};

/* What is remembered of the backends, in memory that is cleared by a crash: four arrays. */
struct backends {
    struct balanced_backend *balanced;
    struct outlier_host *hosts;
    struct health_check *checks;
    uint32_t *up; /* the first `available` of it: those that may be chosen */
    uint32_t n;
    wire_id first; /* that of the first backend */
};

static struct backends backends_of(struct ctx *c)
{
    const struct load_balancer_params *p = c->params;
    const struct port_plan *port = sim_port(c, p->target.port);
    size_t n = port->wires;
    unsigned char *memory =
        sim_port_memory(c, p->target.port,
                        n * (sizeof(struct balanced_backend) + sizeof(struct outlier_host) +
                             sizeof(struct health_check) + sizeof(uint32_t)));
    struct backends b = {.balanced = (void *)memory, .n = port->wires, .first = port->first_wire};
    b.hosts = (void *)(b.balanced + n);
    b.checks = (void *)(b.hosts + n);
    b.up = (void *)(b.checks + n);
    return b;
}

static uint32_t load_of(uint32_t i, void *context)
{
    struct ctx *c = context;
    const struct load_balancer_params *p = c->params;
    return *sim_wire_load(c, sim_port(c, p->target.port)->first_wire + i);
}

static struct balanced choice_among(struct ctx *c, const struct backends *b)
{
    const struct load_balancer_params *p = c->params;
    const struct load_balancer_state *state = c->state;
    return (struct balanced){.all = b->balanced,
                             .up = b->up,
                             .n = state->available,
                             .ring = state->points > 0 ? sim_kept(c, state->ring) : NULL,
                             .points = state->points,
                             .turn = sim_port_turn(c, p->target.port),
                             .load = load_of,
                             .context = c};
}

static struct outlier_hosts hosts_of(struct ctx *c, const struct backends *b)
{
    struct load_balancer_stats *st = c->stats;
    return (struct outlier_hosts){.all = b->hosts, .n = b->n, .counts = &st->outliers};
}

static struct health_checker checker_of(struct ctx *c, const struct backends *b)
{
    const struct load_balancer_params *p = c->params;
    struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    return (struct health_checker){.ctx = c,
                                   .params = p->health_checks.items,
                                   .checks = b->checks,
                                   .stats = &st->checks,
                                   .last = &state->last_check,
                                   .port = p->target.port,
                                   .timer_kind = TIMER_CHECKS};
}

/* Lists who may be chosen, after somebody has become healthy or unhealthy, was ejected or is back.
 */
static void list_available(struct ctx *c, const struct backends *b)
{
    const struct load_balancer_params *p = c->params;
    struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    uint32_t healthy = 0, ejected = 0, left = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        healthy += !b->checks[i].health.unhealthy;
        ejected += b->hosts[i].ejected;
        left += !b->checks[i].health.unhealthy && !b->hosts[i].ejected;
    }
    state->panics = (double)left / b->n < p->panic_threshold;
    state->available = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        bool up = state->panics || (!b->checks[i].health.unhealthy && !b->hosts[i].ejected);
        b->balanced[i].up = up;
        if (up) {
            b->up[state->available++] = i;
        }
    }
    gauge_set(&st->healthy_backends, c->now, healthy);
    gauge_set(&st->ejected_backends, c->now, ejected);
    gauge_set(&st->available_backends, c->now, state->available);
}

static int64_t weight_of(const struct ctx *c, wire_id wire)
{
    const struct load_balancer_params *p = c->params;
    for (uint32_t i = 0; i < p->weights.count; i++) {
        const struct backend_weight *w = &p->weights.items[i];
        if (hash_text(w->name) == sim_name_hash(c, sim_wire_target(c, wire)) ||
            strcmp(w->name, sim_peer_name(c, wire)) == 0) {
            return w->weight;
        }
    }
    return 1;
}

/* All backends as they are before anything is known of them. */
static void meet_backends(struct ctx *c)
{
    struct backends b = backends_of(c);
    for (uint32_t i = 0; i < b.n; i++) {
        b.balanced[i].weight = weight_of(c, b.first + i);
    }
    list_available(c, &b);
}

/* Begins what goes on by the clock. */
static void set_going(struct ctx *c)
{
    const struct load_balancer_params *p = c->params;
    if (p->health_checks.count > 0) {
        struct backends b = backends_of(c);
        struct health_checker checker = checker_of(c, &b);
        health_checks_begin(&checker);
    }
    if (p->outlier_ejection.count > 0) {
        sim_timer(c, TIMER_INTERVAL, p->outlier_ejection.items->interval, 0, TIMER_CONSTANT);
    }
}

static void lay_ring(struct ctx *c)
{
    const struct load_balancer_params *p = c->params;
    struct load_balancer_state *state = c->state;
    struct backends b = backends_of(c);
    uint64_t points = balancing_points(&p->strategy, b.balanced, b.n);
    CHECK_LIMIT(points < UINT32_MAX, "a ring of %llu virtual nodes", (unsigned long long)points);
    state->points = (uint32_t)points;
    if (points > 0) {
        uint64_t *names = sim_kept(c, sim_keep(c, b.n * sizeof *names));
        for (uint32_t i = 0; i < b.n; i++) {
            names[i] = sim_name_hash(c, sim_wire_target(c, b.first + i));
        }
        state->ring = sim_keep(c, points * sizeof(struct balanced_point));
        balancing_lay_ring(&p->strategy, b.balanced, names, b.n, sim_kept(c, state->ring));
    }
}

static void init(struct ctx *c)
{
    meet_backends(c);
    lay_ring(c);
    set_going(c);
}

/* --- requests ---------------------------------------------------------------------------- */

static struct chain_slots line_of(struct ctx *c)
{
    return (struct chain_slots){&c->slabs[0], offsetof(struct balanced_request, line)};
}

static uint64_t set_timer(struct ctx *c, uint16_t kind, sim_time delay,
                          const struct balanced_request *q)
{
    return sim_timer(c, kind, delay, slab_token(&c->slabs[0], q->relay.slot),
                     TIMER_FIRST | TIMER_CONSTANT);
}

/* What the strategy knows the request by: who made it at first, or that and its number. */
static uint64_t key_of(const struct ctx *c, const struct message *m)
{
    const struct load_balancer_params *p = c->params;
    if (!balancing_needs_key(&p->strategy)) {
        return 0;
    }
    uint64_t client = sim_name_hash(c, (entity_id)(m->request >> 32));
    return p->strategy.by == KEY_CLIENT ? client : hash_pair(client, (uint32_t)m->request);
}

/* Sends a request to a backend; there must be one. */
static void forward(struct ctx *c, struct balanced_request *q)
{
    const struct load_balancer_params *p = c->params;
    const struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct backends b = backends_of(c);
    struct balanced among = choice_among(c, &b);
    uint32_t i = balancing_pick(&p->strategy, &among, key_of(c, &q->relay.in.m),
                                &c->streams[STREAM_BALANCE]);
    q->relay.way = (struct way){b.first + i, 0};
    q->sent = c->now;
    st->requests_in_panic += state->panics;
    relay_send_aimed(&relay, &q->relay);
    q->timer = set_timer(c, TIMER_TIMEOUT, p->timeout, q);
}

static void reject(struct ctx *c, struct balanced_request *q)
{
    const struct load_balancer_params *p = c->params;
    struct relay relay = relay_of(c);
    struct message reply = {.status = (uint16_t)p->reject_status};
    relay_refuse(&relay, &q->relay, (enum on_reject)p->on_reject, &reply);
}

static void leave_line(struct ctx *c, const struct balanced_request *q)
{
    struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    struct chain_slots line = line_of(c);
    chain_drop(&state->line, &line, q->relay.slot);
    gauge_set(&st->queue_depth, c->now, state->line.count);
}

/* Backends have come or gone: lists them, and sends on who waits if there is one. */
static void look_again(struct ctx *c, const struct backends *b)
{
    const struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    list_available(c, b);
    while (state->available > 0 && state->line.count > 0) {
        struct balanced_request *q = slab_at(&c->slabs[0], state->line.first - 1);
        sim_cancel(c, q->timer);
        leave_line(c, q);
        sim_record(c, &st->wait_time, c->now - q->relay.arrived);
        forward(c, q);
    }
}

static void on_request(struct ctx *c, const struct event *e)
{
    const struct load_balancer_params *p = c->params;
    struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_take(&relay, e);
    struct balanced_request *q = slab_at(relay.slab, s->slot);
    if (state->available > 0) {
        forward(c, q);
        return;
    }
    st->no_backend_available++;
    if (p->on_no_backend == NO_BACKEND_QUEUE && state->line.count < p->max_wait_queue) {
        struct chain_slots line = line_of(c);
        st->queued_requests++;
        chain_push(&state->line, &line, s->slot);
        gauge_set(&st->queue_depth, c->now, state->line.count);
        q->timer = set_timer(c, TIMER_WAIT, p->max_wait_time, q);
    } else {
        st->rejected_requests++;
        reject(c, q);
    }
}

/* A request at a backend has ended, well or with a failure. `status` 0: without an answer. */
static void judge(struct ctx *c, const struct balanced_request *q, uint16_t status)
{
    const struct load_balancer_params *p = c->params;
    struct load_balancer_stats *st = c->stats;
    struct backends b = backends_of(c);
    uint32_t i = q->relay.way.wire - b.first;
    sim_time took = c->now - q->sent;
    balancing_answered(&p->strategy, &b.balanced[i], took);
    st->requests_failed += status == 0 || verdict_of(status) != OUTCOME_SUCCESS;
    if (st->responses.kept) {
        sim_record_by(c, &st->responses, sim_target_group(c, q->relay.way.wire),
                      status == 0 ? ERROR_TIMEOUT : status, took);
    }
    if (p->outlier_ejection.count > 0) {
        const struct outlier *o = p->outlier_ejection.items;
        struct outlier_hosts hosts = hosts_of(c, &b);
        if (outlier_take(o, &hosts, i, c->now,
                         status == 0 || status_is_among(&o->errors, status))) {
            look_again(c, &b);
        }
    }
}

static void on_request_reply(struct ctx *c, const struct event *e)
{
    struct load_balancer_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    const struct balanced_request *q = slab_at(relay.slab, s->slot);
    if (!s->out) {
        sim_cancel(c, q->timer);
        sim_record(c, &st->response_time, c->now - q->sent);
        judge(c, q, e->msg.status);
    }
    relay_answer(&relay, s, &e->msg);
}

static void on_cancel(struct ctx *c, const struct event *e)
{
    const struct load_balancer_params *p = c->params;
    struct relay relay = relay_of(c);
    struct relay_slot *s = relay_find(&relay, e);
    if (!s) {
        return;
    }
    const struct balanced_request *q = slab_at(relay.slab, s->slot);
    sim_cancel(c, q->timer);
    if (!s->out) {
        leave_line(c, q);
    }
    relay_drop(&relay, s, p->pass_cancel);
}

/* One that waits has waited for as long as it may. */
static void on_wait(struct ctx *c, const struct event *e)
{
    struct load_balancer_stats *st = c->stats;
    struct balanced_request *q = slab_find(&c->slabs[0], e->msg.token);
    CHECK(q, "the waiting time of a request that is gone");
    st->timed_out_requests++;
    leave_line(c, q);
    reject(c, q);
}

/* One at a backend has been there for as long as it may. */
static void on_timeout(struct ctx *c, const struct event *e)
{
    const struct load_balancer_params *p = c->params;
    struct load_balancer_stats *st = c->stats;
    struct relay relay = relay_of(c);
    struct balanced_request *q = slab_find(&c->slabs[0], e->msg.token);
    CHECK(q, "the timeout of a request that is gone");
    st->backend_timeouts++;
    relay_give_up(&relay, &q->relay, p->pass_cancel);
    judge(c, q, 0);
    relay_answer(&relay, &q->relay, &(struct message){.status = STATUS_GATEWAY_TIMEOUT});
}

/* --- everything else --------------------------------------------------------------------- */

static void on_interval(struct ctx *c)
{
    const struct load_balancer_params *p = c->params;
    const struct outlier *o = p->outlier_ejection.items;
    struct backends b = backends_of(c);
    struct outlier_hosts hosts = hosts_of(c, &b);
    if (outlier_end_interval(o, &hosts, c->now)) {
        look_again(c, &b);
    }
    sim_timer(c, TIMER_INTERVAL, o->interval, 0, TIMER_CONSTANT);
}

static void on_check(struct ctx *c, const struct event *e)
{
    struct backends b = backends_of(c);
    struct health_checker checker = checker_of(c, &b);
    if (health_checks_handle(&checker, e)) {
        look_again(c, &b);
    }
}

static void on_action(struct ctx *c, const struct event *e)
{
    struct load_balancer_state *state = c->state;
    struct load_balancer_stats *st = c->stats;
    if (e->msg.status == ACTION_CRASH) {
        struct relay relay = relay_of(c);
        relay_crash(&relay);
        health_checks_crash(&st->checks, c->now);
        state->line = (struct chain){.count = 0};
        gauge_set(&st->queue_depth, c->now, 0);
        meet_backends(c);
    } else if (e->msg.status == ACTION_RESTART) {
        meet_backends(c); /* it may have crashed again before it was up */
        set_going(c);
    }
}

static void handle(struct ctx *c, const struct event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(c, e);
        break;
    case EVENT_REPLY:
        health_checks_own(&e->msg) ? on_check(c, e) : on_request_reply(c, e);
        break;
    case EVENT_CANCEL:
        on_cancel(c, e);
        break;
    case EVENT_ACTION:
        on_action(c, e);
        break;
    case TIMER_TIMEOUT:
        on_timeout(c, e);
        break;
    case TIMER_WAIT:
        on_wait(c, e);
        break;
    case TIMER_INTERVAL:
        on_interval(c);
        break;
    default:
        on_check(c, e);
        break;
    }
}

static void traffic(const void *params, struct traffic *t)
{
    const struct load_balancer_params *p = params;
    t->out[p->target.port] = t->in;
    t->events = 2.0 * t->in; /* there and back */
}

const struct entity_type load_balancer_type = {.name = "load_balancer",
                                               .answers = true,
                                               .connects = true,
                                               .params = &schema,
                                               .stats = stats,
                                               .stats_size = sizeof(struct load_balancer_stats),
                                               .state_size = sizeof(struct load_balancer_state),
                                               .streams = streams,
                                               .slabs = {sizeof(struct balanced_request)},
                                               .init = init,
                                               .handle = handle,
                                               .miss = relay_miss,
                                               .traffic = traffic};
