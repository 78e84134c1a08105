/* SPDX-License-Identifier: Apache-2.0
 *
 * delay: answers every request after a time, however many there are (a "delay station" or
 * infinite server). Stands for a dependency that is not modelled further. It is also the smallest
 * complete entity type: copy it to begin a new one.
 */
#include <stddef.h>

#include "engine/entity.h"
#include "policies/verdict.h"

enum { TIMER_DONE = EVENT_TIMER };

struct delay_params {
    struct dist latency;
};

static const struct param_spec rows[] = {
    P_CHOICE(delay_params, latency, dist_duration, "10ms", "Time until a request is answered."),
    P_END};

static const struct schema schema = {.name = "delay",
                                     .summary = "Answers every request after a time.",
                                     .size = sizeof(struct delay_params),
                                     .rows = rows};

struct delay_stats {
    uint64_t requests_received, requests_lost, requests_missed, replies_lost;
    struct gauge in_progress;
};

static const struct stat_spec stats[] = {
    S_COUNTER(delay_stats, requests_received, "Requests that arrived."),
    S_COUNTER(delay_stats, requests_lost, "Requests in progress lost in a crash."),
    S_COUNTER(delay_stats, requests_missed,
              "Requests that arrived while it was down, and vanished."),
    S_COUNTER(delay_stats, replies_lost, "Replies lost on the wire."),
    S_GAUGE(delay_stats, in_progress, "Requests that wait for their answer."),
    S_END};

static const char *const streams[] = {"latency", NULL};

struct pending {
    struct message request;
    entity_id owner;
};

static void on_request(struct ctx *c, const struct event *e)
{
    const struct delay_params *p = c->params;
    struct delay_stats *st = c->stats;
    uint32_t index = slab_take(&c->slabs[0]);
    *(struct pending *)slab_at(&c->slabs[0], index) = (struct pending){e->msg, c->self};
    st->requests_received++;
    gauge_add(&st->in_progress, c->now, 1);
    sim_work(c, TIMER_DONE, &p->latency, 0, sim_slowdown(c), index);
}

static void on_done(struct ctx *c, uint32_t index)
{
    struct delay_stats *st = c->stats;
    const struct pending *pending = slab_at(&c->slabs[0], index);
    struct message reply = {.status = STATUS_OK};
    st->replies_lost += !sim_reply(c, &pending->request, &reply);
    gauge_add(&st->in_progress, c->now, -1);
    slab_give(&c->slabs[0], index);
}

static void crash(struct ctx *c)
{
    struct delay_stats *st = c->stats;
    st->requests_lost += slab_give_owned(&c->slabs[0], offsetof(struct pending, owner), c->self);
    gauge_set(&st->in_progress, c->now, 0);
}

static void miss(struct ctx *c, const struct event *e)
{
    struct delay_stats *st = c->stats;
    st->requests_missed += e->kind == EVENT_REQUEST;
}

static void handle(struct ctx *c, const struct event *e)
{
    if (e->kind == EVENT_REQUEST) {
        on_request(c, e);
    } else if (e->kind == TIMER_DONE) {
        on_done(c, (uint32_t)e->msg.token);
    } else if (e->kind == EVENT_ACTION && e->msg.status == ACTION_CRASH) {
        crash(c);
    }
}

static void traffic(const void *params, struct traffic *t)
{
    (void)params;
    t->events = 2.0 * t->in; /* arrival and answer */
}

const struct entity_type delay_type = {.name = "delay",
                                       .answers = true,
                                       .heeds = 1u << ACTION_SLOW,
                                       .params = &schema,
                                       .stats = stats,
                                       .stats_size = sizeof(struct delay_stats),
                                       .streams = streams,
                                       .slabs = {sizeof(struct pending)},
                                       .handle = handle,
                                       .miss = miss,
                                       .traffic = traffic};
