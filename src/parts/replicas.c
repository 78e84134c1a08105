/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/replicas.h"

/* Kept memory. The gauges are not statistics, which are restarted after warm-up. */
struct replicas {
    int64_t wanted, ready;
    uint32_t decisions, boots; /* places of the autoscaler's state, and of a ring of ... */
    uint64_t first, n;         /* ... timers of those that boot: the oldest, how many */
    struct gauge busy, queue;  /* integrals since the last decision */
    struct {                   /* likewise; a gauge has no room for 1e9 of them, idle or not */
        int64_t level;
        sim_time since;  /* [ns] */
        double integral; /* [level x ns] up to `since` */
    } workers;
};

static struct replicas *memory_of(const struct replicas_room *r)
{
    return sim_kept(r->ctx, *r->place);
}

static uint64_t *boot_at(const struct replicas_room *r, uint64_t i)
{
    const struct replicas *all = memory_of(r);
    uint64_t *ring = sim_kept(r->ctx, all->boots);
    return &ring[i % (uint64_t)r->params->max_replicas];
}

static void note(const struct replicas_room *r)
{
    const struct replicas *all = memory_of(r);
    gauge_set(&r->stats->wanted, r->ctx->now, all->wanted);
    gauge_set(&r->stats->ready, r->ctx->now, all->ready);
}

static void set_sync(const struct replicas_room *r)
{
    sim_timer(r->ctx, r->sync_timer, r->params->sync_period, 0, TIMER_CONSTANT);
}

void replicas_open(const struct replicas_room *r)
{
    *r->place = sim_keep(r->ctx, sizeof(struct replicas));
    struct replicas *all = memory_of(r);
    all->decisions = sim_keep(r->ctx, autoscaler_state_size(r->params));
    all->boots = sim_keep(r->ctx, (size_t)r->params->max_replicas * sizeof(uint64_t));
    all->wanted = all->ready = r->params->initial_replicas;
    note(r);
    set_sync(r);
}

int64_t replicas_ready(const struct replicas_room *r)
{
    return memory_of(r)->ready;
}

static void advance_workers(struct replicas *all, sim_time now)
{
    all->workers.integral += (double)all->workers.level * (double)(now - all->workers.since);
    all->workers.since = now;
}

void replicas_note_workers(const struct replicas_room *r, int64_t workers)
{
    struct replicas *all = memory_of(r);
    advance_workers(all, r->ctx->now);
    all->workers.level = workers;
}

void replicas_note_busy(const struct replicas_room *r, int64_t busy)
{
    gauge_set(&memory_of(r)->busy, r->ctx->now, busy);
}

void replicas_note_queue(const struct replicas_room *r, int64_t waiting)
{
    gauge_set(&memory_of(r)->queue, r->ctx->now, waiting);
}

/* Looks at the metric anew. */
static void restart_metric(struct replicas *all, sim_time now)
{
    all->workers.since = now;
    all->workers.integral = 0.0;
    gauge_restart(&all->busy, now);
    gauge_restart(&all->queue, now);
}

static void add(const struct replicas_room *r, int64_t more)
{
    struct replicas *all = memory_of(r);
    for (int64_t i = 0; i < more; i++) {
        *boot_at(r, all->first + all->n++) =
            sim_timer(r->ctx, r->boot_timer, r->params->boot_delay, 0, TIMER_CONSTANT);
    }
    r->stats->up += (uint64_t)more;
}

static void take_away(const struct replicas_room *r, int64_t fewer)
{
    struct replicas *all = memory_of(r);
    for (int64_t i = 0; i < fewer; i++) {
        if (all->n > 0) {
            sim_cancel(r->ctx, *boot_at(r, all->first + --all->n));
        } else {
            all->ready--;
        }
    }
    r->stats->down += (uint64_t)fewer;
}

void replicas_sync(const struct replicas_room *r)
{
    struct replicas *all = memory_of(r);
    sim_time now = r->ctx->now;
    struct gauge *level = r->params->metric == METRIC_QUEUE ? &all->queue : &all->busy;
    advance_workers(all, now);
    if (all->workers.integral > 0.0) {
        double metric = (double)gauge_integral(level, now) / all->workers.integral;
        int64_t wanted = autoscaler_decide(r->params, sim_kept(r->ctx, all->decisions), now,
                                           all->wanted, all->ready, metric);
        int64_t more = wanted - all->wanted;
        all->wanted = wanted;
        if (more > 0) {
            add(r, more);
        } else {
            take_away(r, -more);
        }
    }
    restart_metric(all, now);
    note(r);
    set_sync(r);
}

void replicas_booted(const struct replicas_room *r)
{
    struct replicas *all = memory_of(r);
    all->first++;
    all->n--;
    all->ready++;
    note(r);
}

void replicas_restart(const struct replicas_room *r)
{
    struct replicas *all = memory_of(r);
    all->first = all->n = 0;
    all->ready = all->wanted;
    restart_metric(all, r->ctx->now);
    note(r);
    set_sync(r);
}
