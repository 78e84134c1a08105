/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "engine/sim.h"
#include "experiment/order.h"
#include "parallel/efficiency.h"
#include "parallel/flow.h"
#include "parallel/patience.h"
#include "results/record.h"

/* --- what is expected --------------------------------------------------------------------- */

double forecast_expect(const struct study *s)
{
    struct flow f;
    flow_expect(&s->blueprint, &f);
    double events = f.total * (double)s->settings.duration / SIM_TIME_S;
    flow_close(&f);
    return events;
}

void forecast_note(struct forecast *f, const struct study *s, uint64_t k, uint64_t n)
{
    const struct blueprint *b = &s->blueprint;
    if (!f->points) {
        f->points = calloc(n, sizeof *f->points);
        f->order = malloc(n * sizeof *f->order);
        CHECK(f->points && f->order, "out of memory for %llu points", (unsigned long long)n);
        f->n = n;
    }
    f->replications = k == 0 ? (uint64_t)s->settings.replications.max : f->replications;
    f->points[k] = (struct forecast_point){
        .expected = forecast_expect(s),
        .duration = s->settings.duration,
        .entities = b->n_entities,
        .plan = sizeof *b->wires * (double)b->n_wires + sizeof *b->ports * (double)b->n_ports,
    };
}

void forecast_goals(struct forecast *f, const struct points *points)
{
    const struct study *s = points->held;
    const struct sweep *axes = &points->axes;
    f->at_most = s->goals.n > 0;
    f->min = f->at_most ? (uint64_t)s->settings.replications.min : f->replications;
    f->pilots = s->settings.warmup == WARMUP_AUTO;
    if (s->goals.search) {
        f->levels = axes->factors[axes->n_factors - 1].n;
        f->visited = 1; /* of 2^k + 1 levels 2 k + 1: stats/bisection.h */
        for (uint64_t rest = f->levels - 1; rest > 1; rest /= 2) {
            f->visited += 2;
        }
        f->visited = f->visited < 2 ? 2 : f->visited;
    }
}

uint64_t forecast_tasks(const struct forecast *f)
{
    uint64_t points = f->levels > 0 ? f->n / f->levels * f->visited : f->n;
    return points * (f->replications + f->pilots);
}

void forecast_close(struct forecast *f)
{
    free(f->points);
    free(f->order);
    *f = (struct forecast){.n = 0};
}

/* --- order -------------------------------------------------------------------------------- */

static void put_in_order(const struct forecast *f, bool concluded, uint64_t *order)
{
    double *cost = malloc(f->n * sizeof *cost);
    CHECK(cost, "out of memory for %llu points", (unsigned long long)f->n);
    for (uint64_t p = 0; p < f->n; p++) {
        cost[p] = concluded ? f->points[p].ns : floor(f->points[p].expected);
    }
    order_by_cost(cost, f->n, order);
    free(cost);
}

void forecast_rank(const struct forecast *f, uint64_t *order)
{
    put_in_order(f, true, order);
}

uint64_t forecast_place(const struct forecast *f, double share)
{
    return (uint64_t)llround(share * (double)(f->n - 1));
}

/* --- short runs --------------------------------------------------------------------------- */

/* Address space and memory [B] of this process. */
static void weigh_process(double *address, double *resident)
{
    unsigned long long pages[2] = {0, 0};
    FILE *in = fopen("/proc/self/statm", "r");
    if (in) {
        if (fscanf(in, "%llu %llu", &pages[0], &pages[1]) != 2) {
            pages[0] = pages[1] = 0;
        }
        fclose(in);
    }
    double page = (double)sysconf(_SC_PAGESIZE);
    *address = page * (double)pages[0];
    *resident = page * (double)pages[1];
}

/* [ns] that this process has had a core: others on the machine do not count. */
static uint64_t core_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * SIM_TIME_S + (uint64_t)t.tv_nsec;
}

/* What the replications of a point have shown so far. */
struct trial {
    const struct study *study;
    struct sim *sim;
    struct forecast_run *run;
    struct buffer record;
    uint64_t begun; /* replications */
    double events;  /* of these, had they all come to their ends ... */
    double busy;    /* [ns] of a core ... and what these would have taken */
    uint64_t spent; /* [ns] of a core in all, ... */
    uint64_t other; /* [ns] of it for other things than events */
};

/* How far a replication has got. */
struct reach {
    sim_time now; /* [ns] simulated */
    uint64_t events;
    uint64_t clock; /* [ns] of the core */
};

static struct reach reach_of(const struct sim *s)
{
    return (struct reach){sim_now(s), sim_events(s), core_clock()};
}

/* Adds a replication that got from `begin` to `last`, and how it would have gone on: like what was
 * seen, but for the very start, when everybody may begin at once (up to `first`), and as fast as
 * in the second half of the time, when memory had been touched before. Returns how much of it was
 * seen, 0 to 1. */
static double add_up(struct trial *t, struct reach begin, struct reach first, struct reach half,
                     struct reach last, bool whole)
{
    t->events += (double)last.events;
    t->busy += (double)(last.clock - begin.clock);
    if (whole) {
        return 1.0;
    }
    first = first.now < last.now ? first : begin;
    half = half.events < last.events ? half : begin;
    double left = (double)(sim_end(t->sim) - last.now);
    double more = left * (double)(last.events - first.events) / (double)(last.now - first.now);
    t->events += more;
    t->busy += more * (double)(last.clock - half.clock) / (double)(last.events - half.events);
    return (double)last.now / (double)sim_end(t->sim);
}

/* Runs until time is up, and then until any time has passed. Returns as add_up; what ends before
 * its time is whole. */
static double run_slices(struct trial *t, uint64_t budget_ns)
{
    enum { SLICE = 1 << 14 };
    bool over = false;
    struct reach begin = reach_of(t->sim), first = begin, half = begin, last = begin;
    uint64_t began = patience_clock(), passed = 0;
    do {
        first = first.now == 0 ? last : first;
        half = passed < budget_ns / 2 ? last : half;
        over = sim_run_until(t->sim, SIM_TIME_NEVER, SLICE);
        last = reach_of(t->sim);
        passed = patience_clock() - began;
    } while (!over && !sim_stuck(t->sim) && (passed < budget_ns || last.now == 0));
    t->run->stuck |= sim_stuck(t->sim);
    t->run->tripped |= sim_tripped(t->sim) != SIM_TIME_NEVER;
    return add_up(t, begin, first, half, last, over || t->run->stuck);
}

/* [B] of the record of a replication that ends at `end`. */
static double weigh_record(struct trial *t, uint64_t replication, sim_time end)
{
    sim_shorten(t->sim, end);
    while (!sim_run_until(t->sim, SIM_TIME_NEVER, 0)) {}
    sim_finish(t->sim);
    const struct record_head head = {.point = t->run->point,
                                     .replication = replication,
                                     .events = sim_events(t->sim),
                                     .sim_end = sim_end(t->sim)};
    t->record.size = 0;
    record_encode(&head, t->sim, &t->record);
    return (double)t->record.size;
}

/* What a record of `size` would have come to, had the replication not been cut short `now`: time
 * series grow by intervals, traces with time. No more can be run afterwards. */
static double extrapolate_record(struct trial *t, uint64_t replication, double size, sim_time now)
{
    const struct study_settings *s = &t->study->settings;
    struct sim_options options = study_options(t->study);
    double left = (double)(s->duration - now), bare = size;
    if (options.interval != SIM_TIME_NEVER) {
        /* The same once more without series tells how large these are. */
        double seen = ceil((double)now / (double)options.interval);
        sim_close(t->sim);
        options.interval = SIM_TIME_NEVER;
        t->sim = sim_open(&t->study->blueprint, &options);
        sim_reset(t->sim, (uint64_t)s->seed, replication);
        bare = weigh_record(t, replication, now);
        size += (size - bare) / seen * floor(left / (double)s->interval);
    }
    return size + (s->output.trace.entities.count > 0 ? bare * left / (double)now : 0.0);
}

/* Runs a replication as far as it gets. False: no more of them. */
static bool try_one(struct trial *t, uint64_t budget_ns)
{
    struct forecast_run *run = t->run;
    uint64_t began = core_clock(), replication = t->begun++;
    sim_reset(t->sim, (uint64_t)t->study->settings.seed, replication);
    uint64_t reset = core_clock();
    double share = run_slices(t, budget_ns);
    uint64_t ran = core_clock();
    t->other += reset - began;
    run->seen += sim_events(t->sim);
    run->share += share;
    run->memory = fmax(run->memory, (double)sim_memory(t->sim));
    if (run->stuck) {
        return false;
    }
    sim_time now = share < 1.0 ? sim_now(t->sim) : sim_end(t->sim);
    double size = weigh_record(t, replication, now);
    t->other += core_clock() - ran;
    t->spent += core_clock() - began;
    if (share < 1.0) {
        size = extrapolate_record(t, replication, size, now);
    }
    run->record = fmax(run->record, size);
    return share == 1.0;
}

static void try_point(struct forecast *f, const struct study *s, struct forecast_run *run,
                      uint64_t budget_ns)
{
    struct sim_options options = study_options(s);
    double before, after, resident;
    weigh_process(&before, &resident);
    uint64_t began = core_clock();
    struct trial t = {.study = s, .run = run, .sim = sim_open(&s->blueprint, &options)};
    uint64_t opened = core_clock() - began;
    weigh_process(&after, &resident);
    f->reserved = fmax(f->reserved, after - before);
    while (try_one(&t, budget_ns) && t.begun < f->replications &&
           t.spent + t.spent / t.begun <= budget_ns) {}
    double n = (double)t.begun, expected = f->points[run->point].expected;
    run->replications = t.begun;
    run->share /= n;
    run->events = t.events / n;
    if (options.most_events > 0) { /* then it is given up */
        run->events = fmin(run->events, (double)options.most_events);
    }
    run->ratio = expected > 0.0 ? run->events / expected : NAN;
    run->ns = run->seen > 0 ? t.busy / t.events : NAN;
    run->overhead = (double)t.other / n + (double)opened / (double)f->replications;
    sim_close(t.sim);
    buffer_close(&t.record);
}

/* Points being run, `n` of them the same number of places apart; those that have been are in
 * `runs`, with gaps. */
struct calibration {
    struct forecast *f;
    struct points *points;
    uint32_t n, done;
    uint64_t began, budget_ns; /* [ns] of the wall clock */
    struct forecast_run runs[FORECAST_RUNS];
};

/* Runs the i-th, unless it was, or time is up. */
static bool calibrate(struct calibration *c, uint32_t i)
{
    enum { SHARE = 5 }; /* no point gets more than that part of the time */
    struct forecast_run *run = &c->runs[i];
    bool late = patience_clock() - c->began >= c->budget_ns && c->done >= FORECAST_RUNS_LEAST;
    if (run->replications > 0 || late) {
        return true;
    }
    run->point = c->f->order[forecast_place(c->f, c->n > 1 ? i / (c->n - 1.0) : 0.0)];
    const struct study *s = points_study(c->points, run->point);
    if (s) {
        try_point(c->f, s, run, c->budget_ns / (c->n < SHARE ? SHARE : c->n));
        c->done++;
    }
    return s;
}

bool forecast_calibrate(struct forecast *f, struct points *points, uint64_t budget_ns)
{
    struct calibration c = {.f = f,
                            .points = points,
                            .n = f->n < FORECAST_RUNS ? (uint32_t)f->n : FORECAST_RUNS,
                            .began = patience_clock(),
                            .budget_ns = budget_ns};
    put_in_order(f, false, f->order);
    weigh_process(&f->address, &f->resident);
    bool good = calibrate(&c, 0) && calibrate(&c, c.n - 1);
    for (uint32_t stride = 16; stride > 0; stride /= 2) {
        for (uint32_t i = stride; good && i < c.n; i += stride) {
            good = calibrate(&c, i);
        }
    }
    for (uint32_t i = 0; i < c.n; i++) {
        if (c.runs[i].replications > 0) {
            f->runs[f->n_runs++] = c.runs[i];
        }
    }
    f->run_ns = patience_clock() - c.began;
    return good;
}

/* --- conclusions -------------------------------------------------------------------------- */

static double between(double a, double b, double share)
{
    return isnan(a) ? b : isnan(b) ? a : a + share * (b - a);
}

/* A point like its neighbours that were run, `share` of the way from one to the other. */
static void conclude_point(struct forecast_point *p, const struct forecast *f,
                           const struct forecast_run *a, const struct forecast_run *b, double share)
{
    double ratio = between(a->ratio, b->ratio, share), ns = between(a->ns, b->ns, share);
    double each = between(a->memory / f->points[a->point].entities,
                          b->memory / f->points[b->point].entities, share);
    p->ran = a == b;
    p->events = p->ran ? a->events : p->expected * (isnan(ratio) ? 1.0 : ratio);
    p->ns = p->events * (isnan(ns) ? 0.0 : ns) + between(a->overhead, b->overhead, share);
    p->memory = p->plan + each * p->entities;
    p->record = between(a->record, b->record, share);
}

/* By the traffic equations alone, on the machine that the efficiency of divisions assumes. */
static void conclude_expected(struct forecast_point *p)
{
    p->events = p->expected;
    p->ns = p->expected * machine_default.event;
    p->memory = p->plan + FORECAST_ENTITY_BYTES * (double)p->entities;
}

static void conclude_points(struct forecast *f)
{
    const struct forecast_run *a = f->runs, *b = f->runs;
    uint64_t from = 0, to = 0; /* places of a and b */
    for (uint64_t i = 0; i < f->n; i++) {
        struct forecast_point *p = &f->points[f->order[i]];
        if (f->n_runs == 0) {
            conclude_expected(p);
            continue;
        }
        if (i > to) {
            a = b++;
            from = to;
            while (f->order[to] != b->point) {
                to++;
            }
        }
        bool is_run = i == to;
        conclude_point(p, f, is_run ? b : a, b,
                       is_run ? 1.0 : (double)(i - from) / (double)(to - from));
    }
}

/* [ns] that a replication would take if it were like those of a run. */
static double cost_like(const struct forecast_point *p, const struct forecast_run *run)
{
    double ratio = isnan(run->ratio) ? 1.0 : run->ratio, ns = isnan(run->ns) ? 0.0 : run->ns;
    return p->expected * ratio * ns + run->overhead;
}

void forecast_conclude(struct forecast *f)
{
    if (f->n_runs == 0) {
        put_in_order(f, false, f->order);
    }
    conclude_points(f);
    double n = (double)forecast_tasks(f) / (double)f->n; /* of a point */
    for (uint64_t i = 0; i < f->n; i++) {
        const struct forecast_point *p = &f->points[i];
        double low = p->ns, high = p->ns;
        for (uint32_t k = 0; k < f->n_runs && !p->ran; k++) {
            double cost = cost_like(p, &f->runs[k]);
            low = fmin(low, cost);
            high = fmax(high, cost);
        }
        f->events += n * p->events;
        f->ns += n * p->ns;
        f->ns_low += n * low;
        f->ns_high += n * high;
        f->records += n * p->record;
        f->memory = fmax(f->memory, p->memory);
    }
}
