/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/connections.h"

#include "policies/verdict.h"

enum { TIMER_LINE, TIMER_CONNECTION }; /* from the owner's timer_kind on */
enum { STREAM_CONNECTING, STREAM_FAILURES };
enum { STATE_MAKING, STATE_ACTIVE, STATE_IDLE };

const char *const poison_words[] = {"reuse", "close", NULL};

struct message connections_refusal(enum fate fate)
{
    CHECK(fate == FATE_TIMED_OUT || fate == FATE_FAILED, "a taker is refused that was not");
    return fate == FATE_TIMED_OUT
               ? (struct message){.status = STATUS_NO_CONNECTION}
               : (struct message){.status = STATUS_NETWORK, .flags = REPLY_REFUSED};
}

static const struct connection_news no_news = {FATE_NONE, 0};

void connections_derive(const struct connections_params *p, const struct node *at,
                        struct diag *diag)
{
    if (p->min_connections > p->max_connections) {
        const struct node *child = node_child(at, "min_connections");
        diag_error(diag, child ? child : at, "exceeds max_connections");
    }
}

static struct connection *connection_at(const struct connections *c, uint32_t index)
{
    return slab_at(c->slab, index);
}

static struct acquisition *acquisition_of(const struct connections *c, uint32_t taker)
{
    return (void *)((unsigned char *)slab_at(c->takers, taker) + c->offset);
}

static struct chain_slots line_slots(const struct connections *c)
{
    return (struct chain_slots){c->takers, c->offset + offsetof(struct acquisition, link)};
}

static struct chain_slots idle_slots(const struct connections *c)
{
    return (struct chain_slots){c->slab, offsetof(struct connection, link)};
}

/* --- making connections ------------------------------------------------------------------ */

static void set_timer(const struct connections *c, uint32_t index)
{
    const struct dist *latency = &c->params->connection_latency;
    sim_timer(c->ctx, (uint16_t)(c->timer_kind + TIMER_CONNECTION),
              dist_draw(latency, &c->streams[STREAM_CONNECTING]), slab_token(c->slab, index),
              dist_is_constant(latency) ? TIMER_CONSTANT : 0);
}

static void count_making(const struct connections *c, int change)
{
    c->state->making += (uint32_t)change;
    gauge_add(&c->stats->connecting, c->ctx->now, change);
}

static void count_total(const struct connections *c, int change)
{
    c->state->total += (uint32_t)change;
    gauge_add(&c->stats->total, c->ctx->now, change);
}

/* Begins a connection, for a taker (1-based slot) or for nobody; its place, 1-based. */
static uint32_t make(const struct connections *c, uint32_t taker, bool warming)
{
    uint32_t index = slab_take(c->slab);
    *connection_at(c, index) = (struct connection){.taker = taker,
                                                   .owner = c->ctx->self,
                                                   .attempts = 1,
                                                   .state = STATE_MAKING,
                                                   .warming = warming};
    c->state->unclaimed += taker == 0;
    count_making(c, 1);
    count_total(c, 1);
    set_timer(c, index);
    return index + 1;
}

static void warm(const struct connections *c)
{
    if (c->state->total < c->params->min_connections) {
        make(c, 0, true);
    }
}

/* A place has become free: whoever waits in line and has none under way gets a connection made. */
static void make_for_line(const struct connections *c)
{
    if (c->state->line.count > c->state->unclaimed &&
        c->state->total < c->params->max_connections) {
        make(c, 0, false);
    }
}

/* --- taking and leaving them ------------------------------------------------------------- */

static bool is_old(const struct connections *c, const struct connection *n)
{
    return c->ctx->now >= sim_time_add(n->made, c->params->max_lifetime);
}

/* Closes a connection that nobody has. */
static void retire(const struct connections *c, uint32_t index)
{
    c->stats->connections_closed++;
    slab_give(c->slab, index);
    count_total(c, -1);
    if (c->params->refill_min && c->state->total < c->params->min_connections) {
        make(c, 0, false);
    } else {
        make_for_line(c);
    }
}

/* Sets the time at which an idle connection is looked at again. */
static void watch(const struct connections *c, uint32_t index)
{
    struct connection *n = connection_at(c, index);
    sim_time age = c->ctx->now - n->made, wait = c->params->idle_timeout;
    unsigned flags = TIMER_FIRST | TIMER_CONSTANT;
    if (c->params->max_lifetime != SIM_TIME_NEVER && c->params->max_lifetime - age < wait) {
        wait = c->params->max_lifetime - age;
        flags = TIMER_FIRST;
    }
    n->timer = sim_timer(c->ctx, (uint16_t)(c->timer_kind + TIMER_CONNECTION), wait,
                         slab_token(c->slab, index), flags);
}

static void leave_idle(const struct connections *c, uint32_t index)
{
    struct chain_slots in = idle_slots(c);
    chain_drop(&c->state->idle, &in, index);
    gauge_set(&c->stats->idle, c->ctx->now, c->state->idle.count);
}

static void leave_line(const struct connections *c, uint32_t taker)
{
    struct chain_slots in = line_slots(c);
    chain_drop(&c->state->line, &in, taker);
    sim_cancel(c->ctx, acquisition_of(c, taker)->timer);
    gauge_set(&c->stats->pending, c->ctx->now, c->state->line.count);
}

static struct connection_news hold(const struct connections *c, uint32_t index, uint32_t taker,
                                   sim_time waited)
{
    struct connection *n = connection_at(c, index);
    n->taker = taker + 1;
    n->state = STATE_ACTIVE;
    acquisition_of(c, taker)->connection = index + 1;
    c->stats->total_wait_time += (uint64_t)waited;
    sim_record(c->ctx, &c->stats->wait_time, waited);
    gauge_add(&c->stats->active, c->ctx->now, 1);
    return (struct connection_news){FATE_HOLDS, taker};
}

/* A connection is free: for the first in line, or idle. */
static struct connection_news offer(const struct connections *c, uint32_t index)
{
    if (c->state->line.count > 0) {
        uint32_t taker = c->state->line.first - 1;
        leave_line(c, taker);
        return hold(c, index, taker, c->ctx->now - acquisition_of(c, taker)->since);
    }
    struct chain_slots in = idle_slots(c);
    connection_at(c, index)->state = STATE_IDLE;
    chain_push(&c->state->idle, &in, index);
    gauge_set(&c->stats->idle, c->ctx->now, c->state->idle.count);
    watch(c, index);
    return no_news;
}

static void wait_in_line(const struct connections *c, uint32_t taker)
{
    struct chain_slots in = line_slots(c);
    chain_push(&c->state->line, &in, taker);
    gauge_set(&c->stats->pending, c->ctx->now, c->state->line.count);
    acquisition_of(c, taker)->timer =
        sim_timer(c->ctx, (uint16_t)(c->timer_kind + TIMER_LINE), c->params->connection_timeout,
                  slab_token(c->takers, taker), TIMER_FIRST | TIMER_CONSTANT);
}

struct connection_news connections_acquire(const struct connections *c, uint32_t taker)
{
    struct connections_state *state = c->state;
    struct acquisition *a = acquisition_of(c, taker);
    *a = (struct acquisition){.since = c->ctx->now};
    c->stats->acquisitions++;
    if (state->idle.count > 0) {
        uint32_t index = state->idle.first - 1;
        leave_idle(c, index);
        sim_cancel(c->ctx, connection_at(c, index)->timer);
        return hold(c, index, taker, 0);
    }
    if (state->total < c->params->max_connections) {
        a->connection = make(c, taker + 1, false);
    } else {
        wait_in_line(c, taker);
    }
    return no_news;
}

static struct connection_news release(const struct connections *c, uint32_t taker, bool spoiled)
{
    struct acquisition *a = acquisition_of(c, taker);
    CHECK(a->connection, "a connection is released by who holds none");
    uint32_t index = a->connection - 1;
    struct connection *n = connection_at(c, index);
    CHECK(n->state == STATE_ACTIVE && n->taker == taker + 1, "another's connection is released");
    a->connection = 0;
    n->taker = 0;
    c->stats->releases++;
    gauge_add(&c->stats->active, c->ctx->now, -1);
    if (spoiled || is_old(c, n)) {
        retire(c, index);
        return no_news;
    }
    return offer(c, index);
}

struct connection_news connections_release(const struct connections *c, uint32_t taker)
{
    return release(c, taker, false);
}

struct connection_news connections_give_up(const struct connections *c, uint32_t taker)
{
    struct acquisition *a = acquisition_of(c, taker);
    struct connection *n = a->connection ? connection_at(c, a->connection - 1) : NULL;
    if (n && n->state == STATE_ACTIVE) {
        return release(c, taker, c->params->poison_on_timeout == POISON_CLOSE);
    }
    c->stats->given_up++;
    if (!n) {
        leave_line(c, taker);
        return no_news;
    }
    n->taker = 0;
    c->state->unclaimed++;
    a->connection = 0;
    return no_news;
}

/* --- timers ------------------------------------------------------------------------------ */

static struct connection_news on_made(const struct connections *c, uint32_t index)
{
    struct connection *n = connection_at(c, index);
    count_making(c, -1);
    c->stats->connections_created++;
    n->made = c->ctx->now;
    bool warming = n->warming;
    struct connection_news news;
    if (n->taker) {
        news = hold(c, index, n->taker - 1, 0);
    } else {
        c->state->unclaimed--;
        news = offer(c, index);
    }
    if (warming) {
        warm(c);
    }
    return news;
}

/* A connection could not be made: its taker, or the first in line, goes without. */
static struct connection_news on_unmade(const struct connections *c, uint32_t index)
{
    struct connection_news news = no_news;
    uint32_t taker = connection_at(c, index)->taker;
    c->state->unclaimed -= taker == 0;
    if (taker == 0 && c->state->line.count > 0) {
        taker = c->state->line.first;
        leave_line(c, taker - 1);
    }
    if (taker) {
        acquisition_of(c, taker - 1)->connection = 0;
        c->stats->failures++;
        news = (struct connection_news){FATE_FAILED, taker - 1};
    }
    slab_give(c->slab, index);
    count_making(c, -1);
    count_total(c, -1);
    make_for_line(c);
    return news;
}

static struct connection_news on_attempt(const struct connections *c, uint32_t index)
{
    struct connection *n = connection_at(c, index);
    double rate = c->params->connect_failure_rate;
    if (!(rate > 0.0) || rng_unit(&c->streams[STREAM_FAILURES]) >= rate) {
        return on_made(c, index);
    }
    c->stats->connection_failures++;
    if (n->attempts == c->params->connection_attempts) {
        return on_unmade(c, index);
    }
    n->attempts++;
    set_timer(c, index);
    return no_news;
}

static void on_idle(const struct connections *c, uint32_t index)
{
    const struct connection *n = connection_at(c, index);
    if (is_old(c, n) || c->state->total > c->params->min_connections) {
        leave_idle(c, index);
        retire(c, index);
    } else {
        watch(c, index);
    }
}

static struct connection_news on_line(const struct connections *c, uint32_t taker)
{
    leave_line(c, taker);
    c->stats->timeouts++;
    return (struct connection_news){FATE_TIMED_OUT, taker};
}

struct connection_news connections_handle(const struct connections *c, const struct event *e)
{
    bool line = e->kind == c->timer_kind + TIMER_LINE;
    CHECK(slab_find(line ? c->takers : c->slab, e->msg.token), "a timer of what is gone");
    uint32_t index = (uint32_t)e->msg.token;
    if (line) {
        return on_line(c, index);
    }
    if (connection_at(c, index)->state == STATE_MAKING) {
        return on_attempt(c, index);
    }
    on_idle(c, index);
    return no_news;
}

void connections_begin(const struct connections *c)
{
    if (c->params->warmup) {
        warm(c);
    }
}

void connections_crash(const struct connections *c)
{
    struct connections_stats *st = c->stats;
    struct gauge *gauges[] = {&st->active, &st->idle, &st->connecting, &st->total, &st->pending};
    st->connections_closed += c->state->total - c->state->making;
    slab_give_owned(c->slab, offsetof(struct connection, owner), c->ctx->self);
    *c->state = (struct connections_state){.total = 0};
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        gauge_set(gauges[i], c->ctx->now, 0);
    }
}
