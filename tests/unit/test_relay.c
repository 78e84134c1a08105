/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay between entities made for it: an asker that sends requests and cancels when it is told,
 * two proxies that do nothing but relay, and an echo that answers as its script says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "engine/sim.h"
#include "parts/relay.h"
#include "policies/verdict.h"

enum { ASKER, PROXY, OTHER_PROXY, ECHO, ENTITIES };
enum { TIMER_STEP = EVENT_TIMER };
enum { MOST = 16, REFUSED = 7 /* class of what proxies answer themselves */ };

/* What reached an entity; stands among its statistics to be read from outside, and is no row. */
struct log {
    uint32_t n;
    struct event events[MOST];
};

static void note(struct log *log, const struct event *e)
{
    assert_true(log->n < MOST);
    log->events[log->n++] = *e;
}

/* --- the asker --------------------------------------------------------------------------- */

struct ask {
    sim_time at;
    enum event_kind kind; /* EVENT_REQUEST or EVENT_CANCEL */
    uint32_t proxy;       /* PROXY or OTHER_PROXY */
    struct message m;
};

struct asker_params {
    const struct ask *asks;
    uint32_t n;
};

struct asker_stats {
    struct log log;
};

static const struct stat_spec asker_rows[] = {S_END};

static void asker_init(struct ctx *c)
{
    const struct asker_params *p = c->params;
    for (uint32_t i = 0; i < p->n; i++) {
        sim_timer(c, TIMER_STEP, p->asks[i].at, i, 0);
    }
}

static void asker_handle(struct ctx *c, const struct event *e)
{
    const struct asker_params *p = c->params;
    struct asker_stats *st = c->stats;
    if (e->kind != TIMER_STEP) {
        note(&st->log, e);
        return;
    }
    const struct ask *ask = &p->asks[e->msg.token];
    struct message m = ask->m;
    struct way way = {sim_port(c, 0)->first_wire + (ask->proxy - PROXY), 0};
    if (ask->kind == EVENT_REQUEST) {
        sim_send(c, way, &m);
    } else {
        sim_send_cancel(c, way, &m);
    }
}

static const struct entity_type asker = {.name = "asker",
                                         .stats = asker_rows,
                                         .stats_size = sizeof(struct asker_stats),
                                         .init = asker_init,
                                         .handle = asker_handle};

/* --- the proxies ------------------------------------------------------------------------- */

struct proxy_params {
    struct target target;
    bool tell;
    bool detach;   /* what is cancelled, instead of dropping it */
    sim_time hold; /* [ns] from taking a request in to sending it on */
};

struct proxy_stats {
    struct relay_stats relay;
    uint32_t loads[MOST], n_loads; /* of its wire after each event; no row */
};

struct proxy_state {
    struct relay_state relay;
};

static const struct stat_spec proxy_rows[] = {RELAY_STATS(proxy_stats, relay), S_END};
static const char *const proxy_streams[] = {"balance", NULL};

static void proxy_step(struct ctx *c, const struct relay *r, const struct event *e)
{
    const struct proxy_params *p = c->params;
    struct relay_slot *s;
    switch (e->kind) {
    case EVENT_REQUEST:
        s = relay_take(r, e);
        if (s->in.m.class_ == REFUSED) {
            relay_answer(r, s, &(struct message){.status = STATUS_LIMITED, .bytes = 3});
        } else if (p->hold > 0) {
            sim_timer(c, TIMER_STEP, p->hold, slab_token(r->slab, s->slot), 0);
        } else {
            relay_send(r, s, &p->target, &c->streams[0]);
        }
        break;
    case TIMER_STEP:
        s = slab_find(r->slab, e->msg.token);
        if (s) {
            relay_send(r, s, &p->target, &c->streams[0]);
        }
        break;
    case EVENT_REPLY:
        s = relay_find(r, e);
        if (s) {
            relay_answer(r, s, &e->msg);
        }
        break;
    case EVENT_CANCEL:
        s = relay_find(r, e);
        if (s && p->detach) {
            relay_detach(r, s);
        } else if (s) {
            relay_drop(r, s, p->tell);
        }
        break;
    default:
        if (e->msg.status == ACTION_CRASH) {
            relay_crash(r);
        }
        break;
    }
}

static void proxy_handle(struct ctx *c, const struct event *e)
{
    struct proxy_stats *st = c->stats;
    struct relay r = relay_of(c);
    proxy_step(c, &r, e);
    assert_true(st->n_loads < MOST);
    st->loads[st->n_loads++] = *sim_wire_load(c, sim_port(c, 0)->first_wire);
}

static const struct entity_type proxy = {.name = "proxy",
                                         .answers = true,
                                         .stats = proxy_rows,
                                         .stats_size = sizeof(struct proxy_stats),
                                         .state_size = sizeof(struct proxy_state),
                                         .streams = proxy_streams,
                                         .slabs = {sizeof(struct relay_slot)},
                                         .handle = proxy_handle,
                                         .miss = relay_miss};

/* --- the echo ---------------------------------------------------------------------------- */

/* The k-th request gets `first` after `after`, and 200 after twice that if `first` is below. */
struct answer {
    sim_time after;
    uint16_t first;
};

struct echo_stats {
    struct log log;
};

static const struct stat_spec echo_rows[] = {S_END};

static void echo_init(struct ctx *c)
{
    (void)c;
}

static void echo_handle(struct ctx *c, const struct event *e)
{
    const struct answer *answers = c->params;
    struct echo_stats *st = c->stats;
    if (e->kind < EVENT_TIMER) {
        uint32_t i = st->log.n;
        note(&st->log, e);
        if (e->kind == EVENT_REQUEST) {
            sim_timer(c, TIMER_STEP, answers[i].after, i, 0);
        }
        return;
    }
    uint32_t i = (uint32_t)e->msg.token;
    struct message reply = {.status = answers[i].first, .flags = 1, .deadline = 12345, .bytes = 20};
    if (e->kind == TIMER_STEP + 1) {
        reply.status = STATUS_OK;
    } else if (reply.status < STATUS_OK) {
        sim_timer(c, TIMER_STEP + 1, answers[i].after, i, 0);
    }
    sim_reply(c, &st->log.events[i].msg, &reply);
}

static const struct entity_type echo = {.name = "echo",
                                        .answers = true,
                                        .stats = echo_rows,
                                        .stats_size = sizeof(struct echo_stats),
                                        .init = echo_init,
                                        .handle = echo_handle};

/* --- together ---------------------------------------------------------------------------- */

struct stage {
    struct asker_params asker;
    struct proxy_params proxy;
    struct action_plan crash; /* none while `to` is 0 */
    struct group_plan groups[3];
    struct blueprint plan;
    struct sim *sim;
};

/* Messages take 1 ns a wire. */
static const struct wire_spec specs[] = {{.latency = {.kind = DIST_CONSTANT, .constant = 1},
                                          .jitter = {.kind = DIST_CONSTANT},
                                          .bandwidth = INFINITY}};
static const struct port_plan ports[] = {{0, 2, 0}, {2, 1, 0}, {3, 1, 0}};
static const struct wire_plan wires[] = {{.from = ASKER, .to = PROXY},
                                         {.from = ASKER, .to = OTHER_PROXY},
                                         {.from = PROXY, .to = ECHO},
                                         {.from = OTHER_PROXY, .to = ECHO}};

static void play(struct stage *s, const struct ask *asks, uint32_t n, const struct answer *answers)
{
    s->asker = (struct asker_params){asks, n};
    s->groups[0] = (struct group_plan){
        .name = "asker", .type = &asker, .params = &s->asker, .count = 1, .ports = 1};
    s->groups[1] = (struct group_plan){.name = "proxy",
                                       .type = &proxy,
                                       .params = &s->proxy,
                                       .first = PROXY,
                                       .count = 2,
                                       .indexed = true,
                                       .ports = 1,
                                       .first_port = 1};
    s->groups[2] = (struct group_plan){
        .name = "echo", .type = &echo, .params = answers, .first = ECHO, .count = 1};
    s->plan = (struct blueprint){.groups = s->groups,
                                 .n_groups = 3,
                                 .n_entities = ENTITIES,
                                 .ports = ports,
                                 .n_ports = 3,
                                 .wires = wires,
                                 .n_wires = 4,
                                 .specs = specs,
                                 .n_specs = 1,
                                 .actions = &s->crash,
                                 .n_actions = s->crash.to > 0};
    s->sim = sim_open(&s->plan, &(struct sim_options){.end = 100000, .interval = SIM_TIME_NEVER});
    sim_reset(s->sim, 1, 0);
    assert_true(sim_run_until(s->sim, SIM_TIME_NEVER, 0));
    sim_finish(s->sim);
}

static const struct relay_stats *relay_stats_of(const struct stage *s, entity_id id)
{
    return &((const struct proxy_stats *)sim_stats(s->sim, id))->relay;
}

static const struct event *event_of(const struct stage *s, entity_id id, uint32_t i)
{
    const struct log *log = sim_stats(s->sim, id); /* what both kinds of statistics begin with */
    assert_true(i < log->n);
    return &log->events[i];
}

static void assert_event(const struct stage *s, entity_id id, uint32_t i, sim_time at,
                         enum event_kind kind)
{
    assert_int_equal(event_of(s, id, i)->time, at);
    assert_int_equal(event_of(s, id, i)->kind, kind);
}

static uint32_t events_of(const struct stage *s, entity_id id)
{
    return ((const struct log *)sim_stats(s->sim, id))->n;
}

static void assert_reply(const struct stage *s, uint32_t i, sim_time at, unsigned status,
                         uint64_t token)
{
    assert_event(s, ASKER, i, at, EVENT_REPLY);
    assert_int_equal(event_of(s, ASKER, i)->msg.status, status);
    assert_int_equal(event_of(s, ASKER, i)->msg.token, token);
}

/* At this time to the first proxy; then the members of the message. */
#define ASK(at_, ...) \
    { \
        .at = at_, .kind = EVENT_REQUEST, .proxy = PROXY, .m = { __VA_ARGS__ } \
    }
#define CANCEL(at_, ...) \
    { \
        .at = at_, .kind = EVENT_CANCEL, .proxy = PROXY, .m = { __VA_ARGS__ } \
    }

/* What goes on is the request but for its token; what comes back is the reply. */
static void requests_pass_there_and_back(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        ASK(10, .token = 70, .attempt = 2, .request = 5, .class_ = 6, .priority = PRIORITY_LOW,
            .bytes = 100, .deadline = 900),
        ASK(20, .token = 71, .attempt = 1, .deadline = SIM_TIME_NEVER)};
    static const struct answer answers[] = {{40, 503}, {5, 200}};
    struct stage s = {.crash.to = 0};
    play(&s, asks, 2, answers);
    assert_event(&s, ECHO, 0, 12, EVENT_REQUEST);
    const struct message *m = &event_of(&s, ECHO, 0)->msg;
    assert_int_equal(m->request, 5);
    assert_int_not_equal(m->token, 70);
    assert_int_equal(m->class_, 6);
    assert_int_equal(m->attempt, 2);
    assert_int_equal(m->priority, PRIORITY_LOW);
    assert_int_equal(m->bytes, 100);
    assert_int_equal(m->deadline, 900);
    assert_int_equal(event_of(&s, ECHO, 1)->msg.deadline, SIM_TIME_NEVER);
    assert_reply(&s, 0, 29, 200, 71);
    assert_reply(&s, 1, 54, 503, 70);
    m = &event_of(&s, ASKER, 1)->msg;
    assert_int_equal(m->attempt, 2);
    assert_int_equal(m->flags, 1);
    assert_int_equal(m->deadline, 12345);
    assert_int_equal(m->bytes, 20);
    const struct relay_stats *r = relay_stats_of(&s, PROXY);
    assert_int_equal(r->requests_received, 2);
    assert_int_equal(r->requests_sent, 2);
    assert_int_equal(r->responses_received, 2);
    assert_int_equal(r->late_responses, 0);
    assert_int_equal(r->in_progress.level, 0);
    assert_int_equal(r->in_progress.integral, (28 - 21) + (53 - 11));
    static const uint32_t loads[] = {1, 2, 1, 0};
    const struct proxy_stats *st = sim_stats(s.sim, PROXY);
    assert_int_equal(st->n_loads, 4);
    assert_memory_equal(st->loads, loads, sizeof loads);
    sim_close(s.sim);
}

static void answers_of_its_own_and_interim_ones(void **state)
{
    (void)state;
    static const struct ask asks[] = {ASK(10, .token = 1, .attempt = 1, .class_ = REFUSED),
                                      ASK(20, .token = 2, .attempt = 1)};
    static const struct answer answers[] = {{30, 100}};
    struct stage s = {.crash.to = 0};
    play(&s, asks, 2, answers);
    assert_int_equal(events_of(&s, ECHO), 1);
    assert_int_equal(events_of(&s, ASKER), 3);
    assert_reply(&s, 0, 12, 429, 1);
    assert_int_equal(event_of(&s, ASKER, 0)->msg.bytes, 3);
    assert_reply(&s, 1, 54, 100, 2);
    assert_reply(&s, 2, 84, 200, 2);
    assert_int_equal(relay_stats_of(&s, PROXY)->responses_received, 1);
    assert_int_equal(relay_stats_of(&s, PROXY)->requests_sent, 1);
    sim_close(s.sim);
}

/* Time left goes on while a request is held, and ends at nothing. */
static void time_left_goes_on(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        ASK(10, .token = 1, .attempt = 1, .flags = REQUEST_RELATIVE, .deadline = 100),
        ASK(20, .token = 2, .attempt = 1, .flags = REQUEST_RELATIVE, .deadline = 30),
        ASK(30, .token = 3, .attempt = 1, .flags = REQUEST_RELATIVE, .deadline = SIM_TIME_NEVER),
        ASK(40, .token = 4, .attempt = 1, .deadline = 100)};
    static const struct answer answers[4] = {{1, 200}, {1, 200}, {1, 200}, {1, 200}};
    struct stage s = {.proxy.hold = 40};
    play(&s, asks, 4, answers);
    static const sim_time left[] = {60, 0, SIM_TIME_NEVER, 100};
    for (uint32_t i = 0; i < 4; i++) {
        const struct message *m = &event_of(&s, ECHO, i)->msg;
        assert_int_equal(m->deadline, left[i]);
        assert_int_equal(m->flags, i < 3 ? REQUEST_RELATIVE : 0);
    }
    sim_close(s.sim);
}

/* A cancel ends one attempt of its own caller's; it goes on to the target if the owner wishes, and
 * not if the target was never asked. What the target answers all the same is late. */
static void cancels_find_what_they_cancel(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        ASK(10, .token = 1, .attempt = 1),
        ASK(10, .token = 1, .attempt = 2),
        ASK(10, .token = 2, .attempt = 1),
        CANCEL(20, .token = 1, .attempt = 1), /* before it was sent on */
        CANCEL(30, .token = 3, .attempt = 1), /* never asked */
        CANCEL(70, .token = 2, .attempt = 1),
        CANCEL(80, .token = 2, .attempt = 1), /* and once more */
        {.at = 90, .kind = EVENT_CANCEL, .proxy = OTHER_PROXY, .m = {.token = 1, .attempt = 2}}};
    for (int tell = 0; tell < 2; tell++) {
        static const struct answer answers[] = {{100, 200}, {100, 200}};
        struct stage s = {.proxy = {.hold = 40, .tell = tell}};
        play(&s, asks, 8, answers);
        assert_int_equal(events_of(&s, ECHO), 2 + tell);
        assert_event(&s, ECHO, 0, 52, EVENT_REQUEST);
        assert_event(&s, ECHO, 1, 52, EVENT_REQUEST);
        if (tell) {
            assert_event(&s, ECHO, 2, 72, EVENT_CANCEL);
            assert_int_equal(event_of(&s, ECHO, 2)->msg.token, event_of(&s, ECHO, 1)->msg.token);
            assert_int_equal(event_of(&s, ECHO, 2)->msg.attempt, 1);
        }
        assert_int_equal(events_of(&s, ASKER), 1);
        assert_reply(&s, 0, 154, 200, 1);
        assert_int_equal(event_of(&s, ASKER, 0)->msg.attempt, 2);
        const struct relay_stats *r = relay_stats_of(&s, PROXY);
        assert_int_equal(r->cancels_received, 2);
        assert_int_equal(r->responses_received, 1);
        assert_int_equal(r->late_responses, 1);
        assert_int_equal(r->in_progress.level, 0);
        assert_int_equal(relay_stats_of(&s, OTHER_PROXY)->cancels_received, 0);
        const struct proxy_stats *st = sim_stats(s.sim, PROXY);
        assert_int_equal(st->loads[st->n_loads - 1], 0);
        sim_close(s.sim);
    }
}

/* A crash loses what one proxy has in hand, and not what the other has, though they share slots.
 * Answers to what was lost are late; what comes while it is down is missed. */
static void a_crash_forgets_its_own(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        ASK(10, .token = 1, .attempt = 1),
        {.at = 12, .kind = EVENT_REQUEST, .proxy = OTHER_PROXY, .m = {.token = 2, .attempt = 1}},
        ASK(60, .token = 3, .attempt = 1),
        CANCEL(75, .token = 1, .attempt = 1),
        ASK(80, .token = 4, .attempt = 1),
        CANCEL(85, .token = 1, .attempt = 1)};
    static const struct answer answers[] = {{100, 200}, {100, 200}, {100, 200}};
    struct stage s = {
        .crash = {.kind = ACTION_CRASH, .from = 50, .to = 70, .first = PROXY, .count = 1}};
    play(&s, asks, 6, answers);
    assert_int_equal(events_of(&s, ASKER), 2);
    assert_reply(&s, 0, 116, 200, 2);
    assert_reply(&s, 1, 184, 200, 4);
    const struct relay_stats *r = relay_stats_of(&s, PROXY);
    assert_int_equal(r->requests_received, 2);
    assert_int_equal(r->requests_missed, 1);
    assert_int_equal(r->requests_lost, 1);
    assert_int_equal(r->late_responses, 1);
    assert_int_equal(r->cancels_received, 0);
    assert_int_equal(r->in_progress.level, 0);
    assert_int_equal(relay_stats_of(&s, OTHER_PROXY)->requests_lost, 0);
    sim_close(s.sim);
}

/* What the owner waits for without a caller is no request in hand: no cancel finds it, its replies
 * go to nobody and are not late, and a crash does not count it. */
static void an_owner_may_wait_by_itself(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        ASK(10, .token = 1, .attempt = 1),    CANCEL(20, .token = 1, .attempt = 1),
        CANCEL(30, .token = 1, .attempt = 1), ASK(200, .token = 2, .attempt = 1),
        ASK(200, .token = 3, .attempt = 1),   CANCEL(210, .token = 2, .attempt = 1)};
    static const struct answer answers[] = {{50, 100}}, later[] = {{100, 200}, {100, 200}};
    struct stage s = {
        .proxy.detach = true,
        .crash = {.kind = ACTION_CRASH, .from = 250, .to = 260, .first = PROXY, .count = 1}};
    play(&s, asks, 3, answers);
    assert_int_equal(events_of(&s, ASKER), 0);
    const struct relay_stats *r = relay_stats_of(&s, PROXY);
    assert_int_equal(r->cancels_received, 1);
    assert_int_equal(r->responses_received, 1);
    assert_int_equal(r->late_responses, 0);
    assert_int_equal(r->replies_lost, 0);
    assert_int_equal(r->in_progress.level, 0);
    assert_int_equal(r->in_progress.integral, 21 - 11);
    static const uint32_t loads[] = {1, 1, 1, 1, 0};
    const struct proxy_stats *st = sim_stats(s.sim, PROXY);
    assert_memory_equal(st->loads, loads, sizeof loads);
    sim_close(s.sim);
    play(&s, asks + 3, 3, later);
    r = relay_stats_of(&s, PROXY);
    assert_int_equal(r->cancels_received, 1);
    assert_int_equal(r->requests_lost, 1);
    assert_int_equal(r->late_responses, 2);
    assert_int_equal(r->in_progress.level, 0);
    sim_close(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests_pass_there_and_back),
                                       cmocka_unit_test(answers_of_its_own_and_interim_ones),
                                       cmocka_unit_test(time_left_goes_on),
                                       cmocka_unit_test(cancels_find_what_they_cancel),
                                       cmocka_unit_test(a_crash_forgets_its_own),
                                       cmocka_unit_test(an_owner_may_wait_by_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
