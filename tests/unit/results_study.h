/* SPDX-License-Identifier: Apache-2.0
 *
 * A small study with invented statistics, and directories to write it to.
 */
#ifndef SQUALL_TESTS_RESULTS_STUDY_H
#define SQUALL_TESTS_RESULTS_STUDY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "engine/entity.h"
#include "results/journal.h"
#include "results/record.h"

struct caller_stats {
    uint64_t sent, work;
    struct gauge in_flight;
    struct histogram latency;
};
static const struct stat_spec caller_rows[] = {
    S_COUNTER(caller_stats, sent, "Requests sent."),
    S_SUM(caller_stats, work, "ns", "Work asked for."),
    S_GAUGE(caller_stats, in_flight, "Requests in flight."),
    S_HISTOGRAM(caller_stats, latency, "Time to an answer."), S_END};
struct station_stats {
    struct histogram wait;
    uint64_t served;
    struct gauge depth;
    struct histogram service;
};
static const struct stat_spec station_rows[] = {
    S_HISTOGRAM(station_stats, wait, "Time in the queue."),
    S_COUNTER(station_stats, served, "Requests served."),
    S_GAUGE(station_stats, depth, "Requests in the queue."),
    S_HISTOGRAM(station_stats, service, "Time in service."), S_END};

static const struct entity_type caller_type = {
    .name = "caller", .stats = caller_rows, .stats_size = sizeof(struct caller_stats)};
static const struct entity_type station_type = {
    .name = "station", .stats = station_rows, .stats_size = sizeof(struct station_stats)};

enum { STUDY_ENTITIES = 7, STUDY_GROUPS = 4, STUDY_END = 1000, STUDY_INTERVAL = 300 };
enum { STUDY_INTERVALS = 4 };

static const struct group_plan study_groups[STUDY_GROUPS] = {
    {.name = "users",
     .type = &caller_type,
     .first = 0,
     .count = 2,
     .indexed = true,
     .sampled = true},
    {.name = "web", .type = &station_type, .first = 2, .count = 3, .indexed = true},
    {.name = "probe", .type = &caller_type, .first = 5, .count = 1, .sampled = true},
    {.name = "db", .type = &station_type, .first = 6, .count = 1, .sampled = true},
};
static const struct blueprint study_blueprint = {
    .groups = study_groups, .n_groups = STUDY_GROUPS, .n_entities = STUDY_ENTITIES};

/* One replication's statistics. */
struct study_run {
    struct hist_pool pool;
    struct series series;
    uint32_t column[STUDY_ENTITIES];
    bool summary_only; /* histograms keep no buckets */
    union {
        struct caller_stats caller;
        struct station_stats station;
    } stats[STUDY_ENTITIES];
};

static inline const struct group_plan *study_group_of(entity_id id)
{
    const struct group_plan *g = study_groups;
    while (id >= g->first + g->count) {
        g++;
    }
    return g;
}

static inline void study_run_open(struct study_run *s)
{
    memset(s, 0, sizeof *s);
    hist_pool_open(&s->pool);
    series_open(&s->series, &s->pool);
    for (entity_id id = 0; id < STUDY_ENTITIES; id++) {
        if (study_group_of(id)->sampled) {
            s->column[id] =
                series_watch(&s->series, study_group_of(id)->type->stats, &s->stats[id]);
        }
    }
}

static inline void study_run_close(struct study_run *s)
{
    series_close(&s->series);
    hist_pool_close(&s->pool);
}

static inline uint64_t study_random(uint64_t *state)
{
    return *state = hash_mix64(*state + 1);
}

static inline void study_happen(struct study_run *s, entity_id id, sim_time now, uint64_t *random)
{
    uint64_t value = study_random(random) >> (4 + study_random(random) % 60);
    if (study_group_of(id)->type == &caller_type) {
        s->stats[id].caller.sent++;
        s->stats[id].caller.work += value;
        gauge_set(&s->stats[id].caller.in_flight, now, (int64_t)(study_random(random) % 50));
        hist_record(&s->pool, &s->stats[id].caller.latency, value >> 8);
    } else {
        s->stats[id].station.served += value & 1;
        gauge_set(&s->stats[id].station.depth, now, (int64_t)(study_random(random) % 9));
        /* Some histograms stay empty. */
        if (value % 3) {
            hist_record(&s->pool, &s->stats[id].station.wait, value >> 9);
        }
    }
}

/* Makes up what happened in a replication. */
static inline void study_run_fill(struct study_run *s, uint64_t point, uint64_t replication)
{
    uint64_t random = hash_pair(point, replication);
    hist_pool_reset(&s->pool);
    memset(s->stats, 0, sizeof s->stats);
    series_reset(&s->series);
    for (entity_id id = 0; s->summary_only && id < STUDY_ENTITIES; id++) {
        bool caller = study_group_of(id)->type == &caller_type;
        struct histogram *h = caller ? &s->stats[id].caller.latency : &s->stats[id].station.wait;
        h->summary_only = 1;
    }
    for (sim_time now = 1; now <= STUDY_END; now++) {
        if (study_random(&random) % 8 == 0) {
            study_happen(s, (entity_id)(study_random(&random) % STUDY_ENTITIES), now, &random);
        }
        if (now % STUDY_INTERVAL == 0 || now == STUDY_END) {
            series_sample(&s->series, now);
        }
    }
    for (entity_id id = 0; id < STUDY_ENTITIES; id++) {
        bool caller = study_group_of(id)->type == &caller_type;
        gauge_advance(caller ? &s->stats[id].caller.in_flight : &s->stats[id].station.depth,
                      STUDY_END);
    }
}

static inline const void *study_stats(const void *context, entity_id id)
{
    return &((const struct study_run *)context)->stats[id];
}

static inline const struct series *study_series(const void *context, entity_id id,
                                                uint32_t *first_column)
{
    const struct study_run *s = context;
    *first_column = s->column[id];
    return &s->series;
}

static inline struct record_source study_source(const struct study_run *s)
{
    return (struct record_source){.blueprint = &study_blueprint,
                                  .pool = &s->pool,
                                  .stats = study_stats,
                                  .series = study_series,
                                  .context = s};
}

/* The record of a made-up replication. */
static inline struct record_head study_head(uint64_t point, uint64_t replication)
{
    return (struct record_head){.point = point,
                                .replication = replication,
                                .status = (enum run_status)(replication % RUN_MISSING),
                                .events = 1000 + replication,
                                .sim_end = STUDY_END,
                                .digest = hash_pair(replication, point)};
}

static inline void study_record(struct study_run *s, uint64_t point, uint64_t replication,
                                struct buffer *to)
{
    struct record_head head = study_head(point, replication);
    struct record_source source = study_source(s);
    study_run_fill(s, point, replication);
    to->size = 0;
    record_encode(&head, &source, to);
}

static inline struct results_meta study_meta(void)
{
    return (struct results_meta){.name = "storm",
                                 .config = "seed: 7\n",
                                 .overrides = "seed=7\nduration=1us",
                                 .resolved = "seed: 7\nduration: 1us\n",
                                 .command = "squall run storm.yaml",
                                 .software = "squall 0.0",
                                 .git = "abc",
                                 .plan_hash = UINT64_C(0x0123456789abcdef),
                                 .seed = UINT64_MAX,
                                 .n_points = 1,
                                 .n_replications = 5,
                                 .end = STUDY_END,
                                 .interval = STUDY_INTERVAL,
                                 .blueprint = &study_blueprint};
}

/* A new directory; its path is to be freed. */
static inline char *study_directory(void)
{
    char *path = strdup("/tmp/squall-results-XXXXXX");
    if (!path || !mkdtemp(path)) {
        abort();
    }
    return path;
}

static inline void study_remove(char *path)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) {
        abort();
    }
    free(path);
}

#endif
