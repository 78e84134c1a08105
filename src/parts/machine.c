/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/machine.h"

static const struct param_spec rows[] = {
    P_LIMIT(machine_params, cores, "unlimited", 1, 1e9,
            "Cores that those in service share, as much for each; unlimited: one for each."),
    P_REAL(machine_params, contention, "0", 0, 1e6, "1",
           "By which share of its own time each other one in service delays one."),
    P_REAL(machine_params, coherency, "0", 0, 1e6, "1", "Likewise, each pair of those in service."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)at, (void)diag, (void)arena;
    struct machine_params *p = params;
    p->shared = p->cores != INT64_MAX || p->contention > 0.0 || p->coherency > 0.0;
}

const struct schema machine_schema = {.name = "machine",
                                      .summary = "What those in service share.",
                                      .size = sizeof(struct machine_params),
                                      .rows = rows,
                                      .derive = derive};

static double speed_of(const struct machine_room *r)
{
    const struct machine_params *p = r->params;
    double n = r->machine->works.count, others = n - 1.0;
    double cores = p->cores == INT64_MAX ? n : (double)p->cores * sim_capacity(r->ctx);
    double own = cores < n ? cores / n : 1.0;
    return own / (1.0 + p->contention * others + p->coherency * n * others);
}

/* Brings the virtual clock up to now. It stops at the next that is done, whose timer is due in this
 * instant if rounding would let the clock pass it. */
static void advance(const struct machine_room *r)
{
    struct machine *m = r->machine;
    if (m->works.count > 0) {
        double passed = m->fraction + (double)sim_worked(r->ctx, m->since) * m->speed;
        sim_time left = wait_heap_first(&m->works, r->ctx) - m->clock;
        sim_time whole = passed < (double)left ? (sim_time)passed : left;
        m->clock += whole;
        m->fraction = whole < left ? passed - (double)whole : 0.0;
    }
    m->since = r->ctx->now;
}

/* Sets the timer of the next that is done. */
static void go_on(const struct machine_room *r)
{
    struct machine *m = r->machine;
    sim_cancel(r->ctx, m->timer);
    m->timer = 0;
    m->speed = m->works.count > 0 ? speed_of(r) : 0.0;
    if (m->speed > 0.0) {
        double left = (double)(wait_heap_first(&m->works, r->ctx) - m->clock) - m->fraction;
        sim_time delay = left > 0.0 ? sim_time_round(left / m->speed) : 0;
        m->timer = sim_timer(r->ctx, r->timer_kind, delay, 0, TIMER_WORK);
    }
}

sim_time machine_begin(const struct machine_room *r, uint32_t slot, sim_time work)
{
    struct machine *m = r->machine;
    advance(r);
    if (m->works.count == 0) { /* it need not run on for ever */
        m->clock = 0;
        m->fraction = 0.0;
    }
    sim_time begun = m->clock;
    sim_time done = sim_time_add(begun, sim_time_round((double)work + m->fraction));
    wait_heap_put(&m->works, r->ctx, r->slab, slot, done);
    go_on(r);
    return begun;
}

uint32_t machine_done(const struct machine_room *r)
{
    struct machine *m = r->machine;
    m->clock = wait_heap_first(&m->works, r->ctx);
    m->fraction = 0.0;
    m->since = r->ctx->now;
    m->timer = 0;
    uint32_t slot = wait_heap_pop(&m->works, r->ctx, r->slab);
    go_on(r);
    return slot;
}

void machine_drop(const struct machine_room *r, uint32_t slot)
{
    advance(r);
    wait_heap_drop(&r->machine->works, r->ctx, r->slab, slot);
    go_on(r);
}

sim_time machine_given(const struct machine *m, sim_time begun)
{
    return m->clock - begun;
}

void machine_adjust(const struct machine_room *r)
{
    advance(r);
    go_on(r);
}

void machine_clear(struct machine *m)
{
    *m = (struct machine){.works = {.nodes = m->works.nodes, .size = m->works.size}};
}
