/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/attempt.h"

#include "parts/call_record.h"
#include "parts/call_site.h"

static uint64_t token_of(const struct caller *c, const struct attempt *a)
{
    return slab_token(c->slab, a->slot);
}

static void set_timer(const struct caller *c, struct attempt *a, sim_time delay, unsigned flags)
{
    a->timer = sim_timer(c->ctx, c->params->owner.timer_kind, delay, token_of(c, a), flags);
}

/* --- what stands in the way -------------------------------------------------------------- */

void attempt_refuse(const struct caller *c, struct attempt *a, enum attempt_error error)
{
    a->state = ATTEMPT_REFUSED;
    a->error = (uint8_t)error;
    set_timer(c, a, 0, 0);
}

/* What the attempt, which has begun, has of its call's deadline [ns]. */
static sim_time deadline_of(const struct caller *c, const struct call *call,
                            const struct attempt *a)
{
    const struct call_params *p = c->params;
    const struct call_plan *plan = attempt_plan(c, call);
    if (p->deadline_split == DEADLINE_PASS_THROUGH) {
        return call->deadline;
    }
    int64_t most = plan->strategy.kind == STRATEGY_SINGLE ? 1 : plan->retry.limit;
    most = p->split_attempts < most ? p->split_attempts : most;
    return deadline_part(call->deadline, a->sent, most, call->rounds);
}

static bool is_too_late(const struct caller *c, sim_time deadline)
{
    sim_time left = deadline_left(deadline, c->ctx->now);
    return left == 0 || left < c->params->low_timeout_threshold;
}

/* What a conditioner is told that the request is called. */
static const char *name_of(const struct caller *c, const struct call *call, const struct attempt *a)
{
    return c->params->owner.by_kind ? sim_kind_name(c->ctx, call->class_)
                                    : sim_peer_name(c->ctx, a->way.wire);
}

/* What the conditioners in force do to the attempt: false, they lose it; else they add to `hold`.
 */
static bool pass_conditioners(const struct caller *c, const struct call *call,
                              const struct attempt *a, sim_time *hold)
{
    uint32_t n;
    const struct conditioner *own = &c->params->conditioner;
    const struct conditioner_window *windows = sim_conditioners(c->ctx, &n);
    bool passes = true;
    for (uint32_t i = 0; i < n + 1 && passes; i++) {
        const struct conditioner *one = i == n ? own : &windows[i].conditioner;
        bool holds = i == n || (windows[i].from <= c->ctx->now && c->ctx->now < windows[i].to);
        if (holds && conditioner_applies(one, name_of(c, call, a))) {
            passes = !conditioner_drops(one, c->stream);
            *hold = passes ? sim_time_add(*hold, conditioner_delay(one, c->stream)) : *hold;
        }
    }
    return passes;
}

/* What keeps the attempt from being sent, if anything; else `hold` says how long it is held up. */
static enum attempt_error find_obstacle(const struct caller *c, const struct call *call,
                                        struct attempt *a, sim_time deadline, sim_time *hold)
{
    enum attempt_error error = site_obstacle(c, a);
    if (error != ERROR_NONE) {
        return error;
    }
    if (deadline != SIM_TIME_NEVER && is_too_late(c, deadline)) {
        c->stats->low_timeouts++;
        return ERROR_DEADLINE;
    }
    if (!pass_conditioners(c, call, a, hold)) {
        c->stats->dropped++;
        return ERROR_DROPPED;
    }
    return ERROR_NONE;
}

/* --- sending ----------------------------------------------------------------------------- */

static struct message message_of(const struct caller *c, const struct call *call,
                                 const struct attempt *a)
{
    return (struct message){.request = call->request,
                            .token = token_of(c, a),
                            .deadline = SIM_TIME_NEVER,
                            .class_ = call->class_,
                            .status = call->method,
                            .attempt = a->number,
                            .priority = call->priority,
                            .flags = c->params->owner.pooled ? REQUEST_POOLED : 0,
                            .bytes = call->bytes};
}

/* Writes the deadline into a message that leaves now. */
static void hand_on(const struct caller *c, struct message *m, sim_time deadline)
{
    if (deadline == SIM_TIME_NEVER) {
        return;
    }
    if (c->params->deadline_accounting == DEADLINE_RESTART) {
        m->deadline = deadline_left(deadline, c->ctx->now);
        m->flags |= REQUEST_RELATIVE;
    } else {
        m->deadline = deadline;
    }
}

static sim_time earlier(sim_time a, sim_time b)
{
    return a < b ? a : b;
}

/* When an attempt is given up [ns from now], of its phases only the whole considered. */
static sim_time time_limit(const struct caller *c, sim_time deadline)
{
    return earlier(dist_draw(&c->params->timeout, c->stream), deadline_left(deadline, c->ctx->now));
}

/* Likewise of one that leaves now and is on its way for `transit` [ns], the limit on the whole
 * being `limit`. What is lost is never written. */
static sim_time phase_limit(const struct phase_limits *l, sim_time limit, sim_time transit)
{
    return earlier(limit, transit > l->write ? l->write : sim_time_add(transit, l->read));
}

/* The attempt, which has this token, is out, to be given up after `limit`. */
static void await_reply(const struct caller *c, struct attempt *a, uint64_t token, sim_time limit)
{
    const struct dist *timeout = &c->params->timeout;
    bool constant = timeout->kind == DIST_CONSTANT && timeout->constant == limit;
    a->state = ATTEMPT_OUT;
    a->timer = sim_timer(c->ctx, c->params->owner.timer_kind, limit, token,
                         TIMER_FIRST | (constant ? TIMER_CONSTANT : 0));
}

/* Sends it without anything that could delay it, or that knows of deadlines. */
static void send_plainly(const struct caller *c, const struct call *call, struct attempt *a)
{
    struct message m = message_of(c, call, a);
    a->connects++;
    ++*sim_wire_load(c->ctx, a->way.wire);
    c->stats->requests_sent++;
    c->stats->messages_lost += sim_send(c->ctx, a->way, &m) == SIM_TIME_NEVER;
    await_reply(c, a, m.token, dist_draw(&c->params->timeout, c->stream));
}

/* Sends it to a pool, of which it is then to hear that it holds a connection. */
static void send_to_pool(const struct caller *c, const struct call *call, struct attempt *a)
{
    struct message m = message_of(c, call, a);
    sim_time deadline = deadline_of(c, call, a);
    hand_on(c, &m, deadline);
    c->stats->messages_lost += sim_send(c->ctx, a->way, &m) == SIM_TIME_NEVER;
    a->state = ATTEMPT_QUEUED;
    sim_time limit = earlier(c->params->phases.pool, deadline_left(deadline, c->ctx->now));
    set_timer(c, a, limit, TIMER_FIRST);
}

/* Sends it over its connection and waits for the reply. */
static void send_connected(const struct caller *c, const struct call *call, struct attempt *a)
{
    struct message m = message_of(c, call, a);
    hand_on(c, &m, deadline_of(c, call, a));
    sim_time transit = sim_send(c->ctx, a->way, &m);
    c->stats->messages_lost += transit == SIM_TIME_NEVER;
    sim_time limit = deadline_left(a->limit, c->ctx->now);
    await_reply(c, a, m.token, phase_limit(&c->params->phases, limit, transit));
}

static void send_now(const struct caller *c, const struct call *call, struct attempt *a)
{
    if (c->params->owner.pooled) {
        send_to_pool(c, call, a);
    } else {
        send_connected(c, call, a);
    }
}

/* It will not be sent, as its connection is not made in time or it is given up before. */
static void await_failure(const struct caller *c, struct attempt *a, sim_time fails, sim_time limit)
{
    a->state = ATTEMPT_CONNECTING;
    set_timer(c, a, earlier(fails, limit), fails < limit ? 0 : TIMER_FIRST);
}

/* Makes the connection, if that takes any time, and sends the attempt over it. Where the target is
 * a pool, the limit on the whole begins only with its connection. */
static void connect_and_send(const struct caller *c, const struct call *call, struct attempt *a,
                             sim_time deadline, sim_time hold)
{
    const struct call_params *p = c->params;
    sim_time connect = dist_draw(&p->connection_latency, c->stream);
    bool connected = connect <= p->phases.connect;
    sim_time leaves = sim_time_add(hold, connect);
    sim_time limit =
        c->params->owner.pooled ? deadline_left(deadline, c->ctx->now) : time_limit(c, deadline);
    a->connects++;
    a->limit = sim_time_add(c->ctx->now, limit);
    ++*sim_wire_load(c->ctx, a->way.wire);
    if (c->params->owner.pooled) {
        a->counted = a->connects > 1 && a->counted;
    } else {
        c->stats->requests_sent += a->connects == 1;
    }
    if (!connected) {
        await_failure(c, a, sim_time_add(hold, p->phases.connect), limit);
    } else if (leaves == 0) {
        send_now(c, call, a);
    } else if (leaves < limit || c->params->owner.pooled) {
        a->state = ATTEMPT_HELD;
        set_timer(c, a, leaves, 0);
    } else {
        await_failure(c, a, SIM_TIME_NEVER, limit);
    }
}

void attempt_begin(const struct caller *c, struct call *call, struct attempt *a)
{
    a->number = (uint16_t)++call->attempts;
    a->sent = c->ctx->now;
    a->connects = 0;
    a->way = target_pick(c->ctx, c->target, c->stream);
    record_begin(c, call, a);
    if (call->is_plain) {
        send_plainly(c, call, a);
        return;
    }
    sim_time hold = 0, deadline = deadline_of(c, call, a);
    enum attempt_error error = find_obstacle(c, call, a, deadline, &hold);
    if (error != ERROR_NONE) {
        attempt_refuse(c, a, error);
    } else {
        connect_and_send(c, call, a, deadline, hold);
    }
}

/* --- what it hears ----------------------------------------------------------------------- */

static void tell_receiver(const struct caller *c, const struct call *call, const struct attempt *a)
{
    struct message m = message_of(c, call, a);
    sim_send_cancel(c->ctx, a->way, &m);
}

/* Whether there is another try at a connection for the same attempt. */
static bool reconnects(const struct caller *c, const struct call *call, struct attempt *a)
{
    if (a->connects >= c->params->connection_attempts) {
        c->stats->refused++;
        return false;
    }
    c->stats->reconnects++;
    connect_and_send(c, call, a, deadline_of(c, call, a), 0);
    return true;
}

/* How an attempt ends that waited too long for a connection of the pool. */
static uint8_t wait_error(const struct caller *c)
{
    return c->params->owner.retry_waits ? ERROR_TIMEOUT : ERROR_NO_CONNECTION;
}

static bool ends_by_timer(const struct caller *c, const struct call *call, struct attempt *a,
                          struct attempt_end *end)
{
    struct caller_stats *st = c->stats;
    switch ((enum attempt_state)a->state) {
    case ATTEMPT_REFUSED:
        end->error = a->error;
        return true;
    case ATTEMPT_HELD:
        send_now(c, call, a);
        return false;
    case ATTEMPT_CONNECTING:
        --*sim_wire_load(c->ctx, a->way.wire);
        if (c->ctx->now >= a->limit) { /* later when a pause has deferred it */
            st->timeouts++;
            st->unwritten++;
            end->error = ERROR_TIMEOUT;
            return true;
        }
        st->connect_failures++;
        end->error = ERROR_REFUSED;
        return !reconnects(c, call, a);
    case ATTEMPT_QUEUED:
        --*sim_wire_load(c->ctx, a->way.wire);
        tell_receiver(c, call, a);
        st->connection_wait_timeouts++;
        end->error = wait_error(c);
        return true;
    case ATTEMPT_OUT:
        --*sim_wire_load(c->ctx, a->way.wire);
        st->timeouts++;
        end->error = ERROR_TIMEOUT;
        if (c->params->owner.pooled || c->params->cancel & CANCEL_TIMEOUTS) {
            tell_receiver(c, call, a);
        }
        return true;
    case ATTEMPT_OVER:
    case ATTEMPT_AWAITED:
        break;
    }
    CHECK(false, "a timer of an attempt in state %d", a->state);
}

/* It has got a connection of the pool, perhaps not for the first time. */
static void count_sent(const struct caller *c, struct attempt *a)
{
    c->stats->requests_sent += !a->counted;
    a->counted = true;
}

/* It holds a connection of the pool: now its clock starts. */
static void hold_connection(const struct caller *c, const struct call *call, struct attempt *a)
{
    sim_cancel(c->ctx, a->timer);
    sim_time limit = time_limit(c, deadline_of(c, call, a));
    a->sent = c->ctx->now;
    a->state = ATTEMPT_OUT;
    count_sent(c, a);
    await_reply(c, a, token_of(c, a), phase_limit(&c->params->phases, limit, 0));
}

/* It is answered in time. */
static void count_reply(const struct caller *c, const struct attempt *a)
{
    c->stats->responses_received++;
    sim_record(c->ctx, &c->stats->response_time, c->ctx->now - a->sent);
}

static bool ends_in_pool(const struct caller *c, const struct call *call, struct attempt *a,
                         const struct message *m, struct attempt_end *end)
{
    if (m->status == STATUS_CONTINUE) {
        hold_connection(c, call, a);
        return false;
    }
    sim_cancel(c->ctx, a->timer);
    --*sim_wire_load(c->ctx, a->way.wire);
    bool waited = m->status == STATUS_NO_CONNECTION;
    *end = waited ? (struct attempt_end){.error = wait_error(c)}
                  : attempt_end_of_reply(m->status, m->flags, m->deadline);
    end->bytes = m->bytes;
    if (waited) {
        c->stats->connection_wait_timeouts++;
    } else if (end->error == ERROR_REFUSED) {
        c->stats->refused++;
    } else { /* word of its connection was lost, or is still on its way */
        count_sent(c, a);
        count_reply(c, a);
    }
    return true;
}

static bool ends_by_reply(const struct caller *c, const struct call *call, struct attempt *a,
                          const struct message *m, struct attempt_end *end)
{
    if (a->state == ATTEMPT_QUEUED) {
        return ends_in_pool(c, call, a, m, end);
    }
    sim_cancel(c->ctx, a->timer);
    --*sim_wire_load(c->ctx, a->way.wire);
    *end = attempt_end_of_reply(m->status, m->flags, m->deadline);
    end->bytes = m->bytes;
    if (end->error == ERROR_REFUSED) {
        return !reconnects(c, call, a);
    }
    count_reply(c, a);
    return true;
}

bool attempt_hears(const struct caller *c, const struct call *call, struct attempt *a,
                   const struct event *e, struct attempt_end *end)
{
    *end = (struct attempt_end){0};
    bool ends = e->kind == EVENT_REPLY ? ends_by_reply(c, call, a, &e->msg, end)
                                       : ends_by_timer(c, call, a, end);
    a->state = ends ? ATTEMPT_OVER : a->state;
    return ends;
}

void attempt_abort(const struct caller *c, const struct call *call, struct attempt *a)
{
    bool sent = a->state == ATTEMPT_OUT || a->state == ATTEMPT_QUEUED;
    bool connects = a->state == ATTEMPT_HELD || a->state == ATTEMPT_CONNECTING;
    sim_cancel(c->ctx, a->timer);
    if (sent || connects) {
        --*sim_wire_load(c->ctx, a->way.wire);
        c->stats->unwritten += a->state != ATTEMPT_OUT;
    }
    if (sent && (c->params->owner.pooled || c->params->cancel & CANCEL_LOSERS)) {
        tell_receiver(c, call, a);
    }
    if (a->state == ATTEMPT_OUT || (connects && !c->params->owner.pooled)) {
        c->stats->cancelled++;
        c->stats->wasted_time += (uint64_t)(c->ctx->now - a->sent);
    }
    site_forget(c, a);
    a->state = ATTEMPT_OVER;
}
