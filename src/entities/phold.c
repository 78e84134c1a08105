/* SPDX-License-Identifier: Apache-2.0
 *
 * phold: the benchmark of parallel simulators (Fujimoto 1990, in the form that ROSS gave it). A
 * population of events wanders among the instances of one group. Each event handled makes one more,
 * for an instance drawn from all or for the same one, due after a hold drawn from a law and the
 * latency of the network, which is the least time between cause and effect: the lookahead.
 *
 * Nothing else is done, so that what is measured is the engine: the few figures of an instance
 * share a cache line with its state.
 */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "engine/sim.h"
#include "engine/target.h"
#include "policies/balance.h"

struct phold_params {
    struct target target;
    double remote;
    struct dist hold;
    int64_t population;
};

static const struct param_spec rows[] = {
    P_TARGET(phold_params, target, NULL, "Its own group."),
    P_REAL(phold_params, remote, "0.25", 0, 1, "1",
           "Probability that an event is sent to an instance drawn from all, else it stays."),
    P_CHOICE(phold_params, hold, dist_duration, "{exponential: 900ms}",
             "Time before an event is sent, to which the network adds its latency."),
    P_COUNT(phold_params, population, "1", 1, 1e6, "Events that each instance begins with."),
    P_END};

/* Destinations are drawn here, and every instance must be able to send to itself. */
static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)arena;
    const struct phold_params *p = params;
    const struct node *target = node_child(at, "target");
    if (p->target.to.count != 1 || strcmp(p->target.to.items[0].name.name, at->key) != 0) {
        diag_error(diag, target, "expected its own group, '%s'", at->key);
    }
    if (p->target.pick != TARGET_ALL) {
        diag_error(diag, node_child(target, "pick"), "it may call every one of them");
    }
    if (p->target.graph.file[0] || p->target.graph.edges[0]) {
        diag_error(diag, node_child(target, "graph"), "it may call every one of them");
    }
    if (p->target.balance != BALANCE_ROUND_ROBIN) {
        diag_error(diag, node_child(target, "balance"), "'remote' says who is called");
    }
}

static const struct schema schema = {.name = "phold",
                                     .summary = "Passes events on, as parallel simulators are "
                                                "measured by.",
                                     .size = sizeof(struct phold_params),
                                     .rows = rows,
                                     .derive = derive};

struct phold_stats {
    uint64_t events_handled, events_sent_remote, events_lost;
};

static const struct stat_spec stats[] = {
    S_COUNTER(phold_stats, events_handled, "Events that arrived."),
    S_COUNTER(phold_stats, events_sent_remote, "Events sent to another instance."),
    S_COUNTER(phold_stats, events_lost, "Events lost on the wire, or that came while it was down."),
    S_END};

static const char *const streams[] = {"events", NULL};

/* What sending takes, so that nothing need be looked up. */
struct phold_state {
    wire_id wire;  /* the first one of the target */
    uint32_t ends; /* of the target */
    uint32_t own;  /* which of them it is itself */
    bool fan;      /* all are ends of the one wire, else each has a wire */
};

static void send(struct ctx *c, uint32_t end, struct message *m)
{
    const struct phold_params *p = c->params;
    const struct phold_state *s = c->state;
    struct phold_stats *st = c->stats;
    struct way way = s->fan ? (struct way){s->wire, end} : (struct way){s->wire + end, 0};
    sim_time hold = dist_draw(&p->hold, c->streams);
    st->events_lost += sim_send_after(c, way, hold, m) == SIM_TIME_NEVER;
}

static void init(struct ctx *c)
{
    const struct phold_params *p = c->params;
    struct phold_state *s = c->state;
    const struct port_plan *port = sim_port(c, p->target.port);
    s->wire = port->first_wire;
    s->ends = port->wires + port->more;
    s->own = c->self - sim_blueprint(c->sim)->wires[s->wire].to;
    s->fan = port->more > 0;
    CHECK(s->own < s->ends && (port->wires == 1 || !s->fan), "the target is not its own group");
    for (int64_t i = 0; i < p->population; i++) {
        struct message m = {.request = (uint64_t)c->self << 32 | (uint64_t)i,
                            .deadline = SIM_TIME_NEVER};
        send(c, s->own, &m);
    }
}

static void miss(struct ctx *c, const struct event *e)
{
    struct phold_stats *st = c->stats;
    st->events_lost += e->kind == EVENT_REQUEST;
}

static void handle(struct ctx *c, const struct event *e)
{
    if (e->kind != EVENT_REQUEST) {
        return;
    }
    const struct phold_params *p = c->params;
    const struct phold_state *s = c->state;
    struct phold_stats *st = c->stats;
    struct message m = e->msg;
    uint32_t end = s->own;
    if (rng_unit(c->streams) < p->remote) {
        end = (uint32_t)rng_below(c->streams, s->ends);
    }
    st->events_handled++;
    st->events_sent_remote += end != s->own;
    send(c, end, &m);
}

/* The latency is not known here; what stays burdens nobody else. */
static void traffic(const void *params, struct traffic *t)
{
    const struct phold_params *p = params;
    t->events = (double)p->population * 1e9 / fmax(dist_mean(&p->hold), 1.0);
    t->out[p->target.port] = p->remote * t->events;
}

const struct entity_type phold_type = {.name = "phold",
                                       .answers = true,
                                       .peers = true,
                                       .params = &schema,
                                       .stats = stats,
                                       .stats_size = sizeof(struct phold_stats),
                                       .state_size = sizeof(struct phold_state),
                                       .streams = streams,
                                       .init = init,
                                       .handle = handle,
                                       .miss = miss,
                                       .traffic = traffic};
