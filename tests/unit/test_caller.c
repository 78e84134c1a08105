/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller part between two entities made for it: an owner that begins calls when it is told,
 * and an echo that answers each attempt as the script says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "engine/sim.h"
#include "parts/caller.h"

enum { TIMER_BEGIN = EVENT_TIMER, TIMER_CALL };
enum { MOST = 16 };

/* --- the owner --------------------------------------------------------------------------- */

struct begin {
    sim_time at;
    struct call_request request;
};

struct owner_params {
    struct target target;
    struct call_params call;
    const struct begin *begins;
    uint32_t n_begins;
    sim_time abandon; /* [ns] when to forget all calls */
};

struct owner_stats {
    struct caller_stats calls;
    uint32_t n_ends;
    struct call_end ends[MOST]; /* no rows: read from outside */
    sim_time at[MOST];
    uint32_t load[MOST]; /* of the first wire, after each event */
    uint32_t n_loads;
};

static const struct stat_spec owner_rows[] = {CALLER_STATS(owner_stats, calls, "", ""), S_END};
static const char *const owner_streams[] = {"calls", NULL};

static void owner_init(struct ctx *c)
{
    const struct owner_params *p = c->params;
    for (uint32_t i = 0; i < p->n_begins; i++) {
        sim_timer(c, TIMER_BEGIN, p->begins[i].at, i, 0);
    }
    sim_timer(c, TIMER_BEGIN, p->abandon, p->n_begins, 0);
}

static struct caller caller_of(struct ctx *c)
{
    const struct owner_params *p = c->params;
    struct owner_stats *st = c->stats;
    return (struct caller){.ctx = c,
                           .target = &p->target,
                           .params = &p->call,
                           .stats = &st->calls,
                           .slab = &c->slabs[0],
                           .stream = &c->streams[0]};
}

static void owner_begin(struct ctx *c, uint64_t which)
{
    const struct owner_params *p = c->params;
    struct owner_stats *st = c->stats;
    if (which == p->n_begins) {
        caller_abandon(c, &c->slabs[0], &st->calls);
        return;
    }
    struct caller caller = caller_of(c);
    caller_start(&caller, &p->begins[which].request);
}

static void owner_handle(struct ctx *c, const struct event *e)
{
    struct owner_stats *st = c->stats;
    if (e->kind == TIMER_BEGIN) {
        owner_begin(c, e->msg.token);
    } else {
        struct call *call = caller_find(&c->slabs[0], &st->calls, e);
        struct caller caller = caller_of(c);
        struct call_end end;
        if (call && caller_handle(&caller, call, e, &end) && st->n_ends < MOST) {
            st->at[st->n_ends] = c->now;
            st->ends[st->n_ends++] = end;
        }
    }
    if (st->n_loads < MOST) {
        st->load[st->n_loads++] = *sim_wire_load(c, sim_port(c, 0)->first_wire);
    }
}

static const struct entity_type owner = {.name = "owner",
                                         .stats = owner_rows,
                                         .stats_size = sizeof(struct owner_stats),
                                         .streams = owner_streams,
                                         .slabs = {sizeof(struct call)},
                                         .init = owner_init,
                                         .handle = owner_handle};

/* --- the echo ---------------------------------------------------------------------------- */

struct answer {
    sim_time after; /* [ns]; SIM_TIME_NEVER: none */
    uint16_t status;
};

struct echo_stats {
    uint64_t requests;
    struct message seen[MOST]; /* no rows */
    sim_time at[MOST];
};

static const struct stat_spec echo_rows[] = {S_COUNTER(echo_stats, requests, "Requests."), S_END};

static void echo_init(struct ctx *c)
{
    (void)c;
}

static void echo_handle(struct ctx *c, const struct event *e)
{
    const struct answer *answers = c->params;
    struct echo_stats *st = c->stats;
    if (e->kind == EVENT_REQUEST) {
        assert_true(st->requests < MOST);
        st->seen[st->requests] = e->msg;
        st->at[st->requests] = c->now;
        sim_timer(c, EVENT_TIMER, answers[st->requests].after, st->requests, 0);
        st->requests++;
    } else {
        struct message reply = {.status = answers[e->msg.token].status};
        sim_reply(c, &st->seen[e->msg.token], &reply);
    }
}

static const struct entity_type echo = {.name = "echo",
                                        .stats = echo_rows,
                                        .stats_size = sizeof(struct echo_stats),
                                        .init = echo_init,
                                        .handle = echo_handle};

/* --- both -------------------------------------------------------------------------------- */

/* Owners 0 and 1 share a type, and with it a slab; both call entity 2. */
struct stage {
    struct owner_params owners[2];
    struct group_plan groups[3];
    struct port_plan ports[2];
    struct wire_plan wires[2];
    struct wire_spec spec;
    struct blueprint plan;
    struct sim *sim;
};

static void play(struct stage *s, const struct answer *answers)
{
    s->spec = (struct wire_spec){
        .latency = dist_constant(0), .jitter = dist_constant(0), .bandwidth = INFINITY};
    for (uint32_t i = 0; i < 2; i++) {
        s->groups[i] = (struct group_plan){.name = i ? "second" : "first",
                                           .type = &owner,
                                           .params = &s->owners[i],
                                           .first = i,
                                           .count = 1,
                                           .ports = 1,
                                           .first_port = i};
        s->ports[i] = (struct port_plan){.first_wire = i, .wires = 1};
        s->wires[i] = (struct wire_plan){.from = i, .to = 2};
    }
    s->groups[2] = (struct group_plan){
        .name = "echo", .type = &echo, .params = answers, .first = 2, .count = 1, .first_port = 2};
    s->plan = (struct blueprint){.groups = s->groups,
                                 .n_groups = 3,
                                 .n_entities = 3,
                                 .ports = s->ports,
                                 .n_ports = 2,
                                 .wires = s->wires,
                                 .n_wires = 2,
                                 .specs = &s->spec,
                                 .n_specs = 1};
    s->sim = sim_open(&s->plan, &(struct sim_options){.end = 100000, .interval = SIM_TIME_NEVER});
    sim_reset(s->sim, 1, 0);
    assert_true(sim_run_until(s->sim, SIM_TIME_NEVER, 0));
    sim_finish(s->sim);
}

static const struct owner_stats *owner_of(const struct stage *s, entity_id id)
{
    return sim_stats(s->sim, id);
}

static const struct echo_stats *echo_of(const struct stage *s)
{
    return sim_stats(s->sim, 2);
}

static void tell(struct stage *s, uint32_t which, const struct begin *begins, uint32_t n)
{
    s->owners[which].begins = begins;
    s->owners[which].n_begins = n;
}

static void set_stage(struct stage *s)
{
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < 2; i++) {
        s->owners[i].call = (struct call_params){.owner = {.timer_kind = TIMER_CALL},
                                                 .timeout = dist_constant(100),
                                                 .deadline = SIM_TIME_NEVER,
                                                 .plain = true};
        s->owners[i].call.plan.retry =
            (struct retry){.delays = {.kind = DELAYS_FIXED, .delay = dist_constant(10)},
                           .retry_on = RETRY_ON_TIMEOUT | RETRY_ON_ERROR,
                           .limit = 2};
        s->owners[i].abandon = SIM_TIME_NEVER;
    }
}

static void assert_end(const struct stage *s, uint32_t i, sim_time at, struct call_end end)
{
    const struct owner_stats *st = owner_of(s, 0);
    assert_true(i < st->n_ends);
    assert_int_equal(st->at[i], at);
    assert_int_equal(st->ends[i].cookie, end.cookie);
    assert_int_equal(st->ends[i].site, end.site);
    assert_int_equal(st->ends[i].outcome, end.outcome);
    assert_int_equal(st->ends[i].last.status, end.last.status);
}

/* The end of a call says whose it was and how it went. */
static void ends_are_told(void **state)
{
    (void)state;
    static const struct begin begins[] = {{1000, {.request = 1, .cookie = 70, .site = 3}},
                                          {2000, {.request = 2, .cookie = 71, .site = 4}},
                                          {3000, {.request = 3, .cookie = 72, .site = 5}},
                                          {4000, {.request = 4, .cookie = 73, .site = 6}},
                                          {5000, {.request = 5, .cookie = 74, .site = 7}}};
    static const struct answer answers[] = {
        {40, 200},                                /* 1 */
        {40, 404},                                /* 2: no use trying again */
        {40, 503},           {50, 201},           /* 3 */
        {SIM_TIME_NEVER, 0}, {30, 500},           /* 4 */
        {30, 500},           {SIM_TIME_NEVER, 0}, /* 5 */
    };
    struct stage s;
    set_stage(&s);
    tell(&s, 0, begins, 5);
    play(&s, answers);
    assert_int_equal(owner_of(&s, 0)->n_ends, 5);
    assert_end(&s, 0, 1040, (struct call_end){70, 3, OUTCOME_SUCCESS, {.status = 200}});
    assert_end(&s, 1, 2040, (struct call_end){71, 4, OUTCOME_FINAL, {.status = 404}});
    assert_end(&s, 2, 3100, (struct call_end){72, 5, OUTCOME_SUCCESS, {.status = 201}});
    assert_end(&s, 3, 4140, (struct call_end){73, 6, OUTCOME_ERROR, {.status = 500}});
    assert_end(&s, 4, 5140, (struct call_end){74, 7, OUTCOME_TIMEOUT, {.status = 0}});
    const struct caller_stats *c = &owner_of(&s, 0)->calls;
    assert_int_equal(c->logical_requests, 5);
    assert_int_equal(c->successes, 2);
    assert_int_equal(c->failures, 3);
    assert_int_equal(c->requests_sent, 8);
    assert_int_equal(c->responses_received, 6);
    assert_int_equal(c->errors, 4);
    assert_int_equal(c->timeouts, 2);
    assert_int_equal(c->retries, 3);
    assert_int_equal(c->in_flight.integral, 40 + 40 + 100 + 140 + 140);
    assert_int_equal(c->request_latency.sum, 40 + 40 + 100 + 140 + 140);
    assert_int_equal(c->response_time.sum, 40 + 40 + 40 + 50 + 30 + 30);
    assert_int_equal(owner_of(&s, 1)->calls.requests_sent, 0);
    sim_close(s.sim);
}

/* Every attempt of a request carries what the request is, and its own number. */
static void attempts_carry_the_request(void **state)
{
    (void)state;
    static const struct begin begins[] = {
        {1000, {.request = 0x500000007, .class_ = 9, .priority = PRIORITY_LOW, .bytes = 1234}}};
    static const struct answer answers[] = {{SIM_TIME_NEVER, 0}, {SIM_TIME_NEVER, 0}};
    struct stage s;
    set_stage(&s);
    tell(&s, 0, begins, 1);
    play(&s, answers);
    assert_int_equal(echo_of(&s)->requests, 2);
    for (uint16_t i = 0; i < 2; i++) {
        const struct message *m = &echo_of(&s)->seen[i];
        assert_int_equal(echo_of(&s)->at[i], 1000 + 110 * i);
        assert_int_equal(m->request, 0x500000007);
        assert_int_equal(m->attempt, i + 1);
        assert_int_equal(m->class_, 9);
        assert_int_equal(m->priority, PRIORITY_LOW);
        assert_int_equal(m->bytes, 1234);
        assert_int_equal(m->deadline, SIM_TIME_NEVER);
        assert_int_equal(m->wire, 0);
    }
    sim_close(s.sim);
}

/* A wire is loaded by the attempt that is out, and by none while the call waits. */
static void loads_follow_attempts(void **state)
{
    (void)state;
    static const struct begin begins[] = {{1000, {.request = 1}}, {1050, {.request = 2}}};
    static const struct answer answers[] = {{SIM_TIME_NEVER, 0}, {120, 503}, {20, 200}, {30, 200}};
    struct stage s;
    set_stage(&s);
    tell(&s, 0, begins, 2);
    play(&s, answers);
    /* Sent at 1000 and 1050; timed out at 1100, sent at 1110, answered at 1130; timed out at 1150,
     * sent at 1160; a late answer at 1170; answered at 1190. */
    static const uint32_t loads[] = {1, 2, 1, 2, 1, 0, 1, 1, 0};
    const struct owner_stats *st = owner_of(&s, 0);
    assert_int_equal(st->n_loads, 9);
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(st->load[i], loads[i]);
    }
    assert_int_equal(st->calls.late_responses, 1);
    assert_int_equal(st->calls.successes, 2);
    sim_close(s.sim);
}

/* An owner forgets its own calls only, whether an attempt is out or a retry awaited; their slots
 * are used again, and nothing that belonged to them touches who has them now. */
static void forgetting_is_private(void **state)
{
    (void)state;
    static const struct begin first[] = {{1000, {.request = 1, .cookie = 1}},
                                         {1010, {.request = 2, .cookie = 2}},
                                         {1060, {.request = 3, .cookie = 3}}};
    static const struct begin second[] = {{1020, {.request = 4, .cookie = 4}}};
    /* 1: answered after the owner forgot; 2: refused at once, waits until 1021; 4; 3. */
    static const struct answer answers[] = {
        {95, 200}, {1, 503}, {80, 200}, {90, 200}, {SIM_TIME_NEVER, 0}};
    struct stage s;
    set_stage(&s);
    tell(&s, 0, first, 3);
    tell(&s, 1, second, 1);
    s.owners[0].call.plan.retry.delays.delay = dist_constant(500);
    s.owners[0].abandon = 1050;
    play(&s, answers);
    const struct caller_stats *c = &owner_of(&s, 0)->calls;
    assert_int_equal(c->abandoned, 2);
    assert_int_equal(c->late_responses, 1);
    assert_int_equal(c->requests_sent, 3);
    assert_int_equal(c->timeouts, 0);
    assert_int_equal(c->in_flight.level, 0);
    assert_int_equal(owner_of(&s, 0)->n_ends, 1);
    assert_end(&s, 0, 1150, (struct call_end){3, 0, OUTCOME_SUCCESS, {.status = 200}});
    assert_int_equal(owner_of(&s, 1)->n_ends, 1);
    assert_int_equal(owner_of(&s, 1)->ends[0].cookie, 4);
    assert_int_equal(owner_of(&s, 1)->at[0], 1100);
    assert_int_equal(owner_of(&s, 1)->calls.abandoned, 0);
    sim_close(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_told), cmocka_unit_test(attempts_carry_the_request),
        cmocka_unit_test(loads_follow_attempts), cmocka_unit_test(forgetting_is_private)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
