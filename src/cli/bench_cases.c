/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/bench.h"
#include "cli/clock.h"
#include "engine/event_queue.h"
#include "engine/sim.h"
#include "model/study.h"

struct study *bench_open_study(const char *text, const char *const *overrides,
                               const struct entity_type *const *registry)
{
    struct diag diag = {0};
    struct study *study = study_parse("bench", text, strlen(text), overrides, registry, &diag);
    diag_print(&diag, stderr, 0);
    CHECK(study, "the configuration of a benchmark does not load");
    diag_close(&diag);
    return study;
}

static struct sim *open_sim(const struct study *study)
{
    struct sim_options options = study_options(study);
    return sim_open(&study->blueprint, &options);
}

static uint64_t read_counter(const struct sim *sim, const char *name)
{
    const struct group_plan *g = &sim_blueprint(sim)->groups[0];
    for (const struct stat_spec *row = g->type->stats; row->name; row++) {
        if (row->kind == STAT_COUNTER && strcmp(row->name, name) == 0) {
            const char *stats = sim_stats(sim, g->first);
            return *(const uint64_t *)(const void *)(stats + row->offset);
        }
    }
    CHECK(0, "no counter '%s'", name);
}

struct bench_run bench_study(const char *text, const char *const *overrides, const char *counter,
                             uint64_t replication, const struct entity_type *const *registry)
{
    struct study *study = bench_open_study(text, overrides, registry);
    struct sim *sim = open_sim(study);
    double began = clock_s();
    sim_reset(sim, (uint64_t)study->settings.seed, replication);
    sim_run_until(sim, SIM_TIME_NEVER, 0);
    sim_finish(sim);
    struct bench_run run = {clock_s() - began, read_counter(sim, counter), sim_memory(sim)};
    sim_close(sim);
    study_close(study);
    return run;
}

static void push_later(struct event_queue *q, struct rng_stream *rng, sim_time now, int ties)
{
    static const double MEAN = 1e9;
    double gap = rng_exponential(rng);
    uint32_t slot = evq_new(q);
    struct event *e = evq_event(q, slot);
    e->time = now + 1 + (sim_time)((ties ? (double)(int)(2.0 * gap + 1.0) : gap) * MEAN);
    e->order = rng_bits(rng);
    evq_push(q, slot, 0);
}

struct bench_run bench_hold(uint64_t pending, uint64_t steps, int ties)
{
    struct event_queue *q = calloc(1, sizeof *q);
    CHECK(q, "out of memory");
    evq_open(q);
    struct rng_stream rng;
    rng_init(&rng, &(struct rng_key){pending, steps, 0, 0});
    for (uint64_t i = 0; i < pending; i++) {
        push_later(q, &rng, 0, ties);
    }
    double began = 0.0;
    for (uint64_t i = 0; i < steps + pending; i++) {
        began = i == pending ? clock_s() : began; /* once through before the clock starts */
        uint32_t slot = evq_pop_before(q, SIM_TIME_NEVER);
        sim_time now = evq_event(q, slot)->time;
        evq_give(q, slot);
        push_later(q, &rng, now, ties);
    }
    struct bench_run run = {clock_s() - began, steps, evq_memory(q)};
    evq_close(q);
    free(q);
    return run;
}

/* Inlined, so that what is measured is the draw and not the call of a pointer. */
static inline __attribute__((always_inline)) struct bench_run
time_draws(double (*draw)(struct rng_stream *), uint64_t draws)
{
    struct rng_stream rng;
    rng_init(&rng, &(struct rng_key){1, 2, 3, 4});
    double began = clock_s(), sum = 0.0;
    for (uint64_t i = 0; i < draws; i++) {
        sum += draw(&rng);
    }
    double seconds = clock_s() - began;
    CHECK(sum > 0.0, "the sum of %llu draws", (unsigned long long)draws);
    return (struct bench_run){seconds, draws, 0};
}

struct bench_run bench_uniform(uint64_t draws)
{
    return time_draws(rng_unit, draws);
}

struct bench_run bench_exponential(uint64_t draws)
{
    return time_draws(rng_exponential, draws);
}

struct bench_run bench_idle(uint64_t count, const struct entity_type *const *registry)
{
    static const char text[] = "squall: 1\n"
                               "name: idle\n"
                               "duration: 1s\n"
                               "entities:\n"
                               "  users:\n"
                               "    type: client\n"
                               "    target: web\n"
                               "    arrivals: {kind: poisson, rate: 0.000001/s}\n"
                               "  web: {type: server}\n"
                               "network:\n"
                               "  - {from: users, to: web, latency: 1ms}\n";
    char half[64];
    snprintf(half, sizeof half, "users.count=%llu", (unsigned long long)count);
    double began = clock_s();
    struct study *study = bench_open_study(text, (const char *const[]){half, NULL}, registry);
    struct sim *sim = open_sim(study);
    sim_reset(sim, 1, 0);
    struct bench_run run = {clock_s() - began, count, sim_memory(sim)};
    sim_close(sim);
    study_close(study);
    return run;
}
