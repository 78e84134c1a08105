/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/flow.h"

#include <math.h>
#include <string.h>

#include "engine/entity.h"
#include "parallel/fans.h"
#include "parallel/patience.h"
#include "parallel/scratch.h"

#define ROUNDING 1e-9 /* relative: changes below it are none */
#define ABSURD   1e15 /* [1/s] events of a model whose cycles feed themselves */

struct round {
    const struct blueprint *b;
    struct flow *flow;
    struct fans fans;
    double *in;   /* [1/s] requests that arrive at each entity by the round before */
    double *next; /* likewise by this round */
    double *out;  /* [1/s] sent by each port of one entity */
};

/* What goes out by a port is shared evenly by its far ends, as every balance does in the mean. */
static void send(struct round *r, const struct port_plan *port, double rate)
{
    const struct blueprint *b = r->b;
    double each = rate / ((double)port->wires + port->more);
    for (uint32_t i = 0; i < port->wires; i++) {
        const struct wire_plan *w = &b->wires[port->first_wire + i];
        r->flow->requests[port->first_wire + i] = each * (1.0 + w->more);
        if (w->more == 0) {
            r->next[w->to] += each;
        }
    }
}

static void run_group(struct round *r, const struct group_plan *g)
{
    struct traffic t = {.in = -1.0, .out = r->out};
    for (uint32_t i = 0; i < g->count; i++) {
        entity_id id = g->first + i;
        if (t.in != r->in[id]) { /* else it is as the instance before */
            memset(r->out, 0, g->ports * sizeof *r->out);
            t.in = r->in[id];
            t.events = t.in;
            if (g->type->traffic) {
                g->type->traffic(g->params, &t);
            }
        }
        r->flow->events[id] = t.events;
        r->flow->total += t.events;
        for (uint32_t p = 0; p < g->ports; p++) {
            send(r, &r->b->ports[g->first_port + (size_t)i * g->ports + p], r->out[p]);
        }
    }
}

static void run_fans(struct round *r)
{
    for (uint32_t i = 0; i < r->fans.n; i++) {
        const struct fan *fan = &r->fans.fans[i];
        double rate = 0.0;
        for (uint32_t k = 0; k < fan->n_wires; k++) {
            rate += r->flow->requests[fan->wires[k]];
        }
        for (uint32_t k = 0; k <= fan->more; k++) {
            r->next[fan->to + k] += rate / (1.0 + fan->more);
        }
    }
}

/* True when the round has changed nothing. */
static bool settle(struct round *r)
{
    bool same = true;
    for (entity_id id = 0; id < r->b->n_entities && same; id++) {
        same = fabs(r->next[id] - r->in[id]) <= ROUNDING * r->in[id];
    }
    double *last = r->in;
    r->in = r->next;
    r->next = last;
    return same;
}

void flow_expect(const struct blueprint *b, struct flow *f)
{
    *f = (struct flow){.events = scratch_take(b->n_entities, sizeof *f->events),
                       .requests = scratch_take(b->n_wires, sizeof *f->requests)};
    uint32_t most_ports = 0;
    for (uint32_t g = 0; g < b->n_groups; g++) {
        most_ports = b->groups[g].ports > most_ports ? b->groups[g].ports : most_ports;
    }
    struct round r = {.b = b,
                      .flow = f,
                      .in = scratch_take(b->n_entities, sizeof *r.in),
                      .next = scratch_take(b->n_entities, sizeof *r.next),
                      .out = scratch_take(most_ports, sizeof *r.out)};
    fans_open(&r.fans, b);
    bool settled = false;
    for (int round = 0; round < FLOW_ROUNDS && !settled && f->total < ABSURD; round++) {
        f->total = 0.0;
        memset(r.next, 0, b->n_entities * sizeof *r.next);
        for (uint32_t g = 0; g < b->n_groups; g++) {
            run_group(&r, &b->groups[g]);
        }
        run_fans(&r);
        settled = settle(&r);
    }
    fans_close(&r.fans);
    free(r.in);
    free(r.next);
    free(r.out);
}

/* Whoever has made more events than expected is taken to have sent as many times more requests. */
void flow_measure(const struct sim *s, struct flow *f)
{
    const struct blueprint *b = sim_blueprint(s);
    flow_expect(b, f);
    double seconds = (double)sim_now(s) / SIM_TIME_S;
    if (seconds == 0.0) {
        return; /* Nothing has been seen. */
    }
    double *busier = scratch_take(b->n_entities, sizeof *busier);
    f->total = 0.0;
    for (entity_id id = 0; id < b->n_entities; id++) {
        double made = sim_made(s, id) / seconds;
        busier[id] = f->events[id] > 0.0 ? made / f->events[id] : 0.0;
        f->events[id] = made;
        f->total += made;
    }
    for (wire_id w = 0; w < b->n_wires; w++) {
        f->requests[w] *= busier[b->wires[w].from];
    }
    free(busier);
}

double flow_profile(const struct blueprint *b, const struct sim_options *options, uint64_t seed,
                    struct flow *f)
{
    struct sim *s = sim_open(b, options);
    double each[2] = {0.0, 0.0}; /* [ns] an event that was handled, in each half */
    sim_reset(s, seed, 0);
    for (int half = 0; half < 2; half++) {
        uint64_t before = sim_events(s), began = patience_clock();
        sim_run_until(s, SIM_TIME_NEVER, FLOW_PROFILE / 2);
        uint64_t n = sim_events(s) - before;
        each[half] = n > 0 ? (double)(patience_clock() - began) / (double)n : each[0];
    }
    flow_measure(s, f);
    /* The flow counts events that were made, of which timers may have been cancelled. */
    double made = f->total * (double)sim_now(s) / SIM_TIME_S;
    double cost = made > 0.0 ? each[1] * (double)sim_events(s) / made : 0.0;
    sim_close(s);
    return cost;
}

void flow_close(struct flow *f)
{
    free(f->events);
    free(f->requests);
}
