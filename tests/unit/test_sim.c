/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop and what handlers may call, with puppets: entities that do what the test tells
 * them and write down what happens to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "engine/sim.h"

enum { TIMER_A = EVENT_TIMER, TIMER_B, TIMER_C };
enum { LOG_MOST = 512 };

struct entry {
    sim_time at;
    uint64_t token;
    uint16_t kind, status;
};

/* The log stands among the statistics to be read from outside; no row clears it. */
struct puppet_stats {
    uint64_t events;
    struct gauge level;
    struct histogram values;
    uint32_t n;
    struct entry log[LOG_MOST];
};

static const struct stat_spec puppet_rows[] = {S_COUNTER(puppet_stats, events, "Events handled."),
                                               S_GAUGE(puppet_stats, level, "A level."),
                                               S_HISTOGRAM(puppet_stats, values, "Values."), S_END};

/* What the test tells: parameters of the group. */
struct strings {
    void (*begin)(struct ctx *);
    void (*act)(struct ctx *, const struct event *);
};

struct puppet_state {
    uint64_t timer;
    uint32_t turns;
};

static void puppet_init(struct ctx *c)
{
    const struct strings *s = c->params;
    const struct puppet_state *state = c->state;
    assert_int_equal(state->turns, 0);
    assert_int_equal(state->timer, 0);
    if (s->begin) {
        s->begin(c);
    }
}

static void puppet_handle(struct ctx *c, const struct event *e)
{
    const struct strings *s = c->params;
    struct puppet_stats *st = c->stats;
    st->events++;
    if (st->n < LOG_MOST) {
        st->log[st->n++] = (struct entry){c->now, e->msg.token, e->kind, e->msg.status};
    }
    if (s->act) {
        s->act(c, e);
    }
}

static const char *const puppet_streams[] = {"chance", NULL};

static const struct entity_type puppet = {.name = "puppet",
                                          .stats = puppet_rows,
                                          .stats_size = sizeof(struct puppet_stats),
                                          .state_size = sizeof(struct puppet_state),
                                          .streams = puppet_streams,
                                          .init = puppet_init,
                                          .handle = puppet_handle};

/* --- a stage of a few puppets ------------------------------------------------------------ */

enum { PUPPETS_MOST = 8 };

/* Puppet 0 has one port with a wire to each of the others. */
struct stage {
    struct blueprint plan;
    struct group_plan groups[PUPPETS_MOST];
    struct port_plan port;
    struct wire_plan wires[PUPPETS_MOST];
    struct wire_spec spec;
    struct sim *sim;
};

static const char *const names[PUPPETS_MOST] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static void set_stage(struct stage *s, uint32_t n, const struct strings *strings, sim_time latency,
                      const struct action_plan *actions, uint32_t n_actions)
{
    memset(s, 0, sizeof *s);
    s->spec = (struct wire_spec){
        .latency = dist_constant(latency), .jitter = dist_constant(0), .bandwidth = INFINITY};
    for (uint32_t i = 0; i < n; i++) {
        s->groups[i] = (struct group_plan){.name = names[i],
                                           .type = &puppet,
                                           .params = &strings[i],
                                           .first = i,
                                           .count = 1,
                                           .sampled = true,
                                           .ports = i == 0 && n > 1,
                                           .first_port = i > 0 && n > 1};
        s->wires[i] = (struct wire_plan){.from = 0, .to = i + 1};
    }
    s->port.wires = n - 1;
    s->plan = (struct blueprint){.groups = s->groups,
                                 .n_groups = n,
                                 .n_entities = n,
                                 .ports = &s->port,
                                 .n_ports = n > 1,
                                 .wires = s->wires,
                                 .n_wires = n - 1,
                                 .specs = &s->spec,
                                 .n_specs = 1,
                                 .actions = actions,
                                 .n_actions = n_actions};
}

static void open_stage(struct stage *s, sim_time end, sim_time warmup, sim_time interval)
{
    s->sim = sim_open(&s->plan,
                      &(struct sim_options){.end = end, .warmup = warmup, .interval = interval});
    sim_reset(s->sim, 1, 0);
}

static void play(struct stage *s, sim_time end)
{
    open_stage(s, end, 0, SIM_TIME_NEVER);
    assert_true(sim_run_until(s->sim, SIM_TIME_NEVER, 0));
    sim_finish(s->sim);
}

static const struct puppet_stats *stats_of(const struct stage *s, entity_id id)
{
    return sim_stats(s->sim, id);
}

static void assert_entry(const struct stage *s, entity_id id, uint32_t i, sim_time at,
                         uint16_t kind, uint64_t token)
{
    assert_true(i < stats_of(s, id)->n);
    const struct entry *e = &stats_of(s, id)->log[i];
    assert_int_equal(e->at, at);
    assert_int_equal(e->kind, kind);
    assert_int_equal(e->token, token);
}

/* --- time -------------------------------------------------------------------------------- */

/* Ticks at 10, 20, ... ns; each raises the level by one and records its time. */
static void tick_first(struct ctx *c)
{
    sim_timer(c, TIMER_A, 10, 0, TIMER_CONSTANT);
}

static void tick(struct ctx *c, const struct event *e)
{
    struct puppet_stats *st = c->stats;
    struct puppet_state *state = c->state;
    state->turns++;
    gauge_add(&st->level, c->now, 1);
    sim_record(c, &st->values, c->now);
    sim_timer(c, TIMER_A, 10, e->msg.token + 1, TIMER_CONSTANT);
}

static const struct strings ticker = {tick_first, tick};

static void the_end_is_included(void **state)
{
    (void)state;
    struct stage s;
    set_stage(&s, 1, &ticker, 0, NULL, 0);
    play(&s, 100);
    assert_int_equal(stats_of(&s, 0)->events, 10);
    assert_int_equal(sim_now(s.sim), 100);
    assert_int_equal(sim_events(s.sim), 10);
    assert_int_equal(sim_next_time(s.sim), 110);
    sim_close(s.sim);
    play(&s, 99);
    assert_int_equal(stats_of(&s, 0)->events, 9);
    sim_close(s.sim);
}

static void limits_are_not_included(void **state)
{
    (void)state;
    struct stage s;
    set_stage(&s, 1, &ticker, 0, NULL, 0);
    open_stage(&s, 100, 0, SIM_TIME_NEVER);
    assert_true(sim_run_until(s.sim, 0, 0));
    assert_true(sim_run_until(s.sim, 10, 0));
    assert_int_equal(stats_of(&s, 0)->events, 0);
    assert_true(sim_run_until(s.sim, 11, 0));
    assert_int_equal(stats_of(&s, 0)->events, 1);
    assert_int_equal(sim_next_time(s.sim), 20);
    assert_true(sim_run_until(s.sim, 1000, 0));
    assert_int_equal(stats_of(&s, 0)->events, 10);
    sim_close(s.sim);
}

static void budgets_interrupt(void **state)
{
    (void)state;
    struct stage s;
    set_stage(&s, 1, &ticker, 0, NULL, 0);
    open_stage(&s, 100, 35, 20);
    assert_false(sim_run_until(s.sim, SIM_TIME_NEVER, 1));
    assert_int_equal(sim_events(s.sim), 1);
    assert_true(sim_run_until(s.sim, 31, 2)); /* as many as there are */
    assert_int_equal(sim_events(s.sim), 3);
    uint32_t pauses = 0; /* intervals that end take of the budget, too */
    while (!sim_run_until(s.sim, 81, 4)) {
        pauses++;
    }
    assert_in_range(pauses, 1, 5);
    assert_int_equal(sim_events(s.sim), 8);
    assert_true(sim_run_until(s.sim, 71, 5)); /* nothing left to do */
    assert_int_equal(sim_events(s.sim), 8);
    assert_true(sim_run_until(s.sim, SIM_TIME_NEVER, 0));
    sim_finish(s.sim);
    uint64_t digest = sim_digest(s.sim);
    assert_int_equal(stats_of(&s, 0)->events, 7); /* at 40 .. 100 */
    sim_reset(s.sim, 1, 0);
    assert_true(sim_run_until(s.sim, SIM_TIME_NEVER, 0));
    sim_finish(s.sim);
    assert_int_equal(sim_digest(s.sim), digest);
    assert_int_equal(stats_of(&s, 0)->events, 7);
    sim_close(s.sim);
}

/* A warm-up drops what comes before its end, and nothing at it. */
static void warmup_drops_what_is_before(void **state)
{
    (void)state;
    const struct {
        sim_time warmup;
        uint64_t events;
        sim_time first;
    } cases[] = {{0, 10, 10}, {10, 10, 10}, {11, 9, 20}, {50, 6, 50}, {99, 1, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stage s;
        set_stage(&s, 1, &ticker, 0, NULL, 0);
        open_stage(&s, 100, cases[i].warmup, SIM_TIME_NEVER);
        sim_run_until(s.sim, SIM_TIME_NEVER, 0);
        sim_finish(s.sim);
        const struct puppet_stats *st = stats_of(&s, 0);
        assert_int_equal(st->events, cases[i].events);
        assert_int_equal(st->values.total, cases[i].events);
        assert_int_equal(st->values.min, cases[i].first);
        assert_int_equal(st->level.level, 10);
        sim_close(s.sim);
    }
}

/* The level is n from 10 n on: its integral to the end is a sum of tens. */
static void gauges_are_brought_to_the_end(void **state)
{
    (void)state;
    struct stage s;
    set_stage(&s, 1, &ticker, 0, NULL, 0);
    play(&s, 95);
    assert_int_equal(stats_of(&s, 0)->level.integral, 10 * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8) + 5 * 9);
    sim_close(s.sim);
    open_stage(&s, 95, 55, SIM_TIME_NEVER);
    sim_run_until(s.sim, SIM_TIME_NEVER, 0);
    sim_finish(s.sim);
    assert_int_equal(stats_of(&s, 0)->level.integral, 5 * 5 + 10 * (6 + 7 + 8) + 5 * 9);
    assert_int_equal(stats_of(&s, 0)->level.max, 9);
    sim_close(s.sim);
}

/* An interval ends before the events at its end. */
static void series_are_sampled_before_events(void **state)
{
    (void)state;
    struct stage s;
    set_stage(&s, 1, &ticker, 0, NULL, 0);
    open_stage(&s, 95, 40, 20);
    sim_run_until(s.sim, SIM_TIME_NEVER, 0);
    sim_finish(s.sim);
    uint32_t column;
    const struct series *series = sim_series(s.sim, 0, &column);
    assert_non_null(series);
    assert_int_equal(series->intervals, 5);
    const uint64_t events[] = {1, 2, 2, 2, 2}, areas[] = {10, 50, 90, 130, 8 * 10 + 9 * 5};
    const int64_t most[] = {1, 3, 5, 7, 9};
    for (uint32_t i = 0; i < 5; i++) {
        int64_t max;
        assert_int_equal(series_counter(series, column, i), events[i]);
        assert_int_equal(series_gauge(series, column + 1, i, &max), areas[i]);
        assert_int_equal(max, most[i]);
    }
    sim_close(s.sim);
}

/* --- order within an instant ------------------------------------------------------------- */

/* At 5 ns: everything due at 10 ns, in the reverse of its order. */
static void set_late(struct ctx *c)
{
    sim_timer(c, TIMER_C, 5, 0, 0);
}

static void set_all(struct ctx *c, const struct event *e)
{
    if (e->kind != TIMER_C) {
        return;
    }
    struct message m = {.token = 3};
    struct way way = {sim_port(c, 0)->first_wire, 0};
    assert_int_not_equal(sim_send(c, way, &m), SIM_TIME_NEVER);
    sim_timer(c, TIMER_A, 5, 2, 0);
    sim_timer(c, TIMER_B, 5, 1, TIMER_FIRST);
}

static void answer(struct ctx *c, const struct event *e)
{
    if (e->kind == EVENT_REQUEST) {
        struct message reply = {.status = 204};
        assert_true(sim_reply(c, &e->msg, &reply));
    }
}

static void classes_are_ordered(void **state)
{
    (void)state;
    /* The request takes no time, is answered at 5 ns; what is due at 10 ns comes by class. */
    const struct strings strings[] = {{set_late, set_all}, {NULL, answer}};
    struct stage s;
    set_stage(&s, 2, strings, 0, NULL, 0);
    play(&s, 100);
    assert_int_equal(stats_of(&s, 0)->n, 4);
    assert_entry(&s, 0, 0, 5, TIMER_C, 0);
    assert_entry(&s, 0, 1, 5, EVENT_REPLY, 3);
    assert_entry(&s, 0, 2, 10, TIMER_B, 1);
    assert_entry(&s, 0, 3, 10, TIMER_A, 2);
    assert_int_equal(stats_of(&s, 0)->log[1].status, 204);
    assert_entry(&s, 1, 0, 5, EVENT_REQUEST, 3);
    sim_close(s.sim);
    /* Two halves of 2.5 ns do not exist; with 2 ns each way the reply is there at 9 ns. */
    set_stage(&s, 2, strings, 2, NULL, 0);
    play(&s, 100);
    assert_entry(&s, 1, 0, 7, EVENT_REQUEST, 3);
    assert_entry(&s, 0, 1, 9, EVENT_REPLY, 3);
    sim_close(s.sim);
}

static void set_same(struct ctx *c)
{
    sim_timer(c, TIMER_B, 20, 0, 0);
    sim_timer(c, TIMER_A, 20, 1, 0);
    sim_timer(c, TIMER_A, 20, 2, TIMER_CONSTANT);
    sim_timer(c, TIMER_A, 20, 3, 0);
}

static void set_now(struct ctx *c, const struct event *e)
{
    if (e->kind == TIMER_B) {
        sim_timer(c, TIMER_C, 0, 4, 0);
        sim_timer(c, TIMER_C, 0, 5, TIMER_FIRST);
    }
}

/* Timers of one entity and class run as they were set; what a handler sets for its own instant
 * runs next, in the order in which it was set. */
static void ties_within_an_entity(void **state)
{
    (void)state;
    const struct strings strings = {set_same, set_now};
    struct stage s;
    set_stage(&s, 1, &strings, 0, NULL, 0);
    play(&s, 100);
    const uint64_t tokens[] = {0, 4, 5, 1, 2, 3};
    assert_int_equal(stats_of(&s, 0)->n, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(stats_of(&s, 0)->log[i].token, tokens[i]);
        assert_int_equal(stats_of(&s, 0)->log[i].at, 20);
    }
    sim_close(s.sim);
}

static entity_id first_at[LOG_MOST];

static void race(struct ctx *c, const struct event *e)
{
    if (e->msg.token < LOG_MOST && first_at[e->msg.token] == UINT32_MAX) {
        first_at[e->msg.token] = c->self;
    }
    sim_timer(c, TIMER_A, 10, e->msg.token + 1, TIMER_CONSTANT);
}

/* Entities that always act at the same instants go first equally often. */
static void ties_between_entities_are_fair(void **state)
{
    (void)state;
    const struct strings strings[4] = {
        {tick_first, race}, {tick_first, race}, {tick_first, race}, {tick_first, race}};
    struct stage s;
    memset(first_at, 0xff, sizeof first_at);
    set_stage(&s, 4, strings, 0, NULL, 0);
    play(&s, 10 * LOG_MOST);
    uint32_t wins[4] = {0};
    for (uint32_t i = 0; i < LOG_MOST; i++) {
        wins[first_at[i]]++;
    }
    for (uint32_t i = 0; i < 4; i++) {
        /* A quarter of 512, within four standard deviations of 9.8. */
        assert_in_range(wins[i], 128 - 40, 128 + 40);
    }
    sim_close(s.sim);
}

/* --- timers and wires -------------------------------------------------------------------- */

static void set_and_cancel(struct ctx *c)
{
    struct puppet_state *state = c->state;
    assert_int_equal(sim_timer(c, TIMER_A, SIM_TIME_NEVER, 0, 0), 0);
    assert_false(sim_cancel(c, 0));
    uint64_t early = sim_timer(c, TIMER_A, 5, 1, 0);
    uint64_t lane = sim_timer(c, TIMER_A, 5, 2, TIMER_CONSTANT);
    state->timer = sim_timer(c, TIMER_A, 20, 3, 0);
    sim_timer(c, TIMER_B, 10, 4, 0);
    assert_true(sim_cancel(c, early));
    assert_false(sim_cancel(c, early));
    assert_true(sim_cancel(c, lane));
}

static void cancel_later(struct ctx *c, const struct event *e)
{
    struct puppet_state *state = c->state;
    if (e->kind == TIMER_B) {
        assert_true(sim_cancel(c, state->timer));
        state->timer = sim_timer(c, TIMER_C, 5, 5, 0);
    } else if (e->kind == TIMER_C) {
        assert_false(sim_cancel(c, state->timer)); /* it is running */
    }
}

static void timers_are_cancelled(void **state)
{
    (void)state;
    const struct strings strings = {set_and_cancel, cancel_later};
    struct stage s;
    set_stage(&s, 1, &strings, 0, NULL, 0);
    play(&s, 100);
    assert_int_equal(stats_of(&s, 0)->n, 2);
    assert_entry(&s, 0, 0, 10, TIMER_B, 4);
    assert_entry(&s, 0, 1, 15, TIMER_C, 5);
    sim_close(s.sim);
}

static uint32_t lost;

static void send_many(struct ctx *c)
{
    lost = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        struct message m = {.token = i, .bytes = 250};
        lost += sim_send(c, (struct way){sim_port(c, 0)->first_wire, 0}, &m) == SIM_TIME_NEVER;
    }
}

static void wires_lose_and_delay(void **state)
{
    (void)state;
    const struct strings strings[] = {{send_many, NULL}, {NULL, NULL}};
    struct stage s;
    set_stage(&s, 2, strings, 7, NULL, 0);
    s.spec.loss = 0.25;
    s.spec.bandwidth = 1e9;
    play(&s, 1000);
    assert_int_equal(stats_of(&s, 1)->events, 1000 - lost);
    assert_in_range(lost, 250 - 55, 250 + 55);
    assert_int_equal(stats_of(&s, 1)->log[0].at, 257);
    sim_close(s.sim);
    s.spec.loss = 1.0;
    play(&s, 1000);
    assert_int_equal(lost, 1000);
    assert_int_equal(stats_of(&s, 1)->events, 0);
    sim_close(s.sim);
}

/* --- actions ----------------------------------------------------------------------------- */

static double slowdowns[LOG_MOST];

static void note_slowdown(struct ctx *c, const struct event *e)
{
    if (e->kind == TIMER_A) {
        slowdowns[e->msg.token] = sim_slowdown(c);
        sim_timer(c, TIMER_A, 10, e->msg.token + 1, 0);
    }
}

/* A timed action on one entity. */
#define ACTION(kind_, from_, to_, factor_, whom) \
    { \
        .kind = (kind_), .from = (from_), .to = (to_), .factor = (factor_), .first = (whom), \
        .count = 1 \
    }

static void slowdowns_multiply(void **state)
{
    (void)state;
    const struct strings strings = {tick_first, note_slowdown};
    const struct action_plan actions[] = {ACTION(ACTION_SLOW, 20, 60, 2.0, 0),
                                          ACTION(ACTION_SLOW, 40, 80, 3.0, 0),
                                          ACTION(ACTION_SLOW, 60, SIM_TIME_NEVER, 0.1, 0)};
    struct stage s;
    set_stage(&s, 1, &strings, 0, actions, 3);
    play(&s, 100);
    const double expected[] = {1, 2, 2, 6, 6, 3 * 0.1, 3 * 0.1, 0.1, 0.1, 0.1};
    for (int i = 0; i < 10; i++) {
        assert_true(fabs(slowdowns[i] - expected[i]) < 1e-12);
    }
    sim_close(s.sim);
}

static void reply_and_restart(struct ctx *c, const struct event *e)
{
    answer(c, e);
    if (e->kind == EVENT_ACTION && e->msg.status == ACTION_RESTART) {
        sim_timer(c, TIMER_A, 10, 100, 0);
    } else if (e->kind == TIMER_A) {
        sim_timer(c, TIMER_A, 10, e->msg.token + 1, 0);
    }
}

static void send_each(struct ctx *c, const struct event *e)
{
    if (e->kind == TIMER_A) {
        struct message m = {.token = e->msg.token};
        sim_send(c, (struct way){sim_port(c, 0)->first_wire, 0}, &m);
        sim_timer(c, TIMER_A, 10, e->msg.token + 1, 0);
    }
}

/* While an entity is down its timers are void and its messages vanish; those set before the crash
 * stay void after it. */
static void crashes(void **state)
{
    (void)state;
    const struct strings strings[] = {{tick_first, send_each}, {tick_first, reply_and_restart}};
    const struct action_plan actions[] = {ACTION(ACTION_CRASH, 25, 45, 1.0, 1),
                                          ACTION(ACTION_CRASH, 35, 50, 1.0, 1)};
    struct stage s;
    set_stage(&s, 2, strings, 0, actions, 2);
    play(&s, 75);
    static const struct entry expected[] = {
        {25, 0, EVENT_ACTION, ACTION_CRASH},
        {50, 0, EVENT_ACTION, ACTION_RESTART},
        {60, 100, TIMER_A, 0},
        {70, 101, TIMER_A, 0},
    };
    const struct puppet_stats *st = stats_of(&s, 1);
    uint32_t requests = 0, n = 0, before = 0;
    for (uint32_t i = 0; i < st->n; i++) {
        const struct entry *e = &st->log[i];
        requests += e->kind == EVENT_REQUEST;
        before += e->kind == TIMER_A && e->at < 25;
        if (e->kind == EVENT_ACTION || (e->kind == TIMER_A && e->at >= 25)) {
            assert_true(n < 4);
            assert_int_equal(e->at, expected[n].at);
            assert_int_equal(e->kind, expected[n].kind);
            assert_int_equal(e->token, expected[n].token);
            if (e->kind == EVENT_ACTION) {
                assert_int_equal(e->status, expected[n].status);
            }
            n++;
        }
    }
    assert_int_equal(n, 4);
    assert_int_equal(before, 2);
    assert_int_equal(requests, 5); /* at 10, 20, 50, 60, 70 */
    sim_close(s.sim);
}

static void note_scratch(struct ctx *c, const struct event *e)
{
    struct puppet_stats *st = c->stats;
    uint32_t *load = sim_wire_load(c, sim_port(c, 0)->first_wire);
    if (e->kind == TIMER_A) {
        ++*load;
        *sim_port_turn(c, 0) += 2;
    }
    sim_record(c, &st->values, *load + *sim_port_turn(c, 0));
}

/* What a caller counts on its wires and ports is zero after its crash. */
static void scratch_is_forgotten(void **state)
{
    (void)state;
    const struct strings strings[] = {{tick_first, note_scratch}, {NULL, NULL}};
    const struct action_plan actions[] = {ACTION(ACTION_CRASH, 25, 45, 1.0, 0)};
    struct stage s;
    set_stage(&s, 2, strings, 0, actions, 1);
    play(&s, 100);
    const struct histogram *h = &stats_of(&s, 0)->values;
    assert_int_equal(h->total, 3); /* the timer, the crash, the restart */
    assert_int_equal(h->sum, 3);
    sim_close(s.sim);
}

/* Each entity is told once of what several actions at one instant have made of it. */
/* What a puppet keeps of its port and wire, as its events find it: nothing at first and after its
 * crash, and else what the event before left there. */
static void note_kept(struct ctx *c, const struct event *e)
{
    struct puppet_stats *st = c->stats;
    uint64_t *of_port = sim_port_memory(c, 0, 3 * sizeof *of_port);
    uint32_t *of_wire = sim_wire_memory(c, sim_port(c, 0)->first_wire, sizeof *of_wire);
    assert_int_equal(of_port[2], *of_wire);
    st->log[st->n - 1].token = of_port[2];
    of_port[2] = *of_wire = (uint32_t)e->time;
}

static void keep_ticking(struct ctx *c, const struct event *e)
{
    note_kept(c, e);
    if (e->kind == EVENT_ACTION || e->time < 40) {
        sim_timer(c, TIMER_A, 10, 0, 0);
    }
}

static void ports_keep_memory(void **state)
{
    (void)state;
    const struct action_plan actions[] = {
        {.kind = ACTION_CRASH, .from = 25, .to = 50, .first = 0, .count = 1}};
    const struct strings strings[] = {{tick_first, keep_ticking}, {NULL, NULL}};
    struct stage s;
    set_stage(&s, 2, strings, 1, actions, 1);
    play(&s, 65);
    /* Ticks at 10 and 20, the crash at 25, the restart at 50, a tick at 60. */
    static const uint64_t found[] = {0, 10, 0, 25, 50};
    assert_int_equal(stats_of(&s, 0)->n, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(stats_of(&s, 0)->log[i].token, found[i]);
    }
    /* The next replication finds nothing of this one. */
    sim_reset(s.sim, 1, 1);
    assert_true(sim_run_until(s.sim, SIM_TIME_NEVER, 0));
    assert_int_equal(stats_of(&s, 0)->log[0].at, 10);
    assert_int_equal(stats_of(&s, 0)->log[0].token, 0);
    sim_close(s.sim);
}

/* A cancel follows the request that it is about, at its pace. */
static void send_and_cancel(struct ctx *c)
{
    struct message m = {.token = 7, .attempt = 2, .bytes = 10};
    struct way way = {sim_port(c, 0)->first_wire, 0};
    assert_int_equal(sim_send(c, way, &m), 3);
    assert_true(sim_send_cancel(c, way, &m));
    assert_int_equal(sim_send_after(c, way, 4, &m), 3);
}

static void cancels_follow_requests(void **state)
{
    (void)state;
    const struct strings strings[] = {{send_and_cancel, NULL}, {NULL, NULL}};
    struct stage s;
    set_stage(&s, 2, strings, 3, NULL, 0);
    play(&s, 100);
    assert_int_equal(stats_of(&s, 1)->n, 3);
    assert_entry(&s, 1, 0, 3, EVENT_REQUEST, 7);
    assert_entry(&s, 1, 1, 3, EVENT_CANCEL, 7);
    assert_entry(&s, 1, 2, 7, EVENT_REQUEST, 7);
    sim_close(s.sim);
}

static void actions_at_one_instant(void **state)
{
    (void)state;
    const struct strings strings = {NULL, NULL};
    const struct action_plan actions[] = {
        ACTION(ACTION_SLOW, 20, 60, 2.0, 0), ACTION(ACTION_CRASH, 20, 60, 1.0, 0),
        ACTION(ACTION_SLOW, 20, 60, 0.5, 0), ACTION(ACTION_CRASH, 80, 90, 1.0, 0),
        ACTION(ACTION_SLOW, 80, 90, 3.0, 0), ACTION(ACTION_CRASH, 90, 95, 1.0, 0),
        ACTION(ACTION_RATE, 96, 98, 3.0, 0),
    };
    struct stage s;
    set_stage(&s, 1, &strings, 0, actions, 7);
    play(&s, 100);
    static const struct entry expected[] = {{20, 0, EVENT_ACTION, ACTION_CRASH},
                                            {60, 0, EVENT_ACTION, ACTION_RESTART},
                                            {80, 0, EVENT_ACTION, ACTION_CRASH},
                                            {90, 0, EVENT_ACTION, ACTION_SLOW},
                                            {95, 0, EVENT_ACTION, ACTION_RESTART}};
    assert_int_equal(stats_of(&s, 0)->n, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_entry(&s, 0, i, expected[i].at, expected[i].kind, 0);
        assert_int_equal(stats_of(&s, 0)->log[i].status, expected[i].status);
    }
    sim_close(s.sim);
}

/* --- chance ------------------------------------------------------------------------------ */

static void draw(struct ctx *c)
{
    sim_record(c, &((struct puppet_stats *)c->stats)->values,
               (sim_time)(rng_bits(&c->streams[0]) >> 1));
}

static void streams_are_keyed(void **state)
{
    (void)state;
    const struct strings strings[] = {{draw, NULL}, {draw, NULL}};
    struct stage s;
    set_stage(&s, 2, strings, 0, NULL, 0);
    open_stage(&s, 100, 0, SIM_TIME_NEVER);
    uint64_t a = stats_of(&s, 0)->values.sum, b = stats_of(&s, 1)->values.sum;
    assert_true(a != b);
    sim_reset(s.sim, 1, 1);
    assert_true(stats_of(&s, 0)->values.sum != a);
    sim_reset(s.sim, 2, 0);
    assert_true(stats_of(&s, 0)->values.sum != a);
    sim_reset(s.sim, 1, 0);
    assert_true(stats_of(&s, 0)->values.sum == a && stats_of(&s, 1)->values.sum == b);
    sim_close(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_end_is_included),
                                       cmocka_unit_test(limits_are_not_included),
                                       cmocka_unit_test(budgets_interrupt),
                                       cmocka_unit_test(warmup_drops_what_is_before),
                                       cmocka_unit_test(gauges_are_brought_to_the_end),
                                       cmocka_unit_test(series_are_sampled_before_events),
                                       cmocka_unit_test(classes_are_ordered),
                                       cmocka_unit_test(ties_within_an_entity),
                                       cmocka_unit_test(ties_between_entities_are_fair),
                                       cmocka_unit_test(timers_are_cancelled),
                                       cmocka_unit_test(wires_lose_and_delay),
                                       cmocka_unit_test(slowdowns_multiply),
                                       cmocka_unit_test(crashes),
                                       cmocka_unit_test(scratch_is_forgotten),
                                       cmocka_unit_test(ports_keep_memory),
                                       cmocka_unit_test(cancels_follow_requests),
                                       cmocka_unit_test(actions_at_one_instant),
                                       cmocka_unit_test(streams_are_keyed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
