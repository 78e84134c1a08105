/* SPDX-License-Identifier: Apache-2.0
 *
 * A small study whose entities invent their statistics, and directories to write it to.
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
#include "engine/trace.h"
#include "policies/verdict.h"
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
    struct breakdown answers;
};
static const struct stat_spec station_rows[] = {
    S_HISTOGRAM(station_stats, wait, "Time in the queue."),
    S_COUNTER(station_stats, served, "Requests served."),
    S_GAUGE(station_stats, depth, "Requests in the queue."),
    S_HISTOGRAM(station_stats, service, "Time in service."),
    S_BREAKDOWN(station_stats, answers, "ns", "Time to an answer, by caller and status."),
    S_END};

/* Entities that make things up, each for itself, at times of their own. */
static inline uint64_t study_value(struct ctx *c)
{
    return rng_bits(&c->streams[0]) >> (4 + rng_below(&c->streams[0], 60));
}

static inline void study_wait(struct ctx *c)
{
    sim_timer(c, EVENT_TIMER, 1 + (sim_time)rng_below(&c->streams[0], 110), 0, 0);
}

/* Requests are few, so that several entities tell of the same. */
static inline void study_trace(struct ctx *c, uint64_t value)
{
    sim_trace(c, &(struct trace_row){.request = value % 8 ? value % 64 : value,
                                     .wait = (sim_time)(value >> 20),
                                     .total = (sim_time)(value >> 40),
                                     .attempt = (uint32_t)(value >> 30),
                                     .status = (uint16_t)(value >> 10),
                                     .kind = (uint8_t)(value % TRACE_KINDS),
                                     .error = (uint8_t)(value % 4)});
}

static inline void caller_handle(struct ctx *c, const struct event *e)
{
    struct caller_stats *st = c->stats;
    uint64_t value = study_value(c);
    (void)e;
    st->sent++;
    st->work += value;
    gauge_set(&st->in_flight, c->now, (int64_t)rng_below(&c->streams[0], 50));
    sim_record(c, &st->latency, (sim_time)(value >> 8));
    study_trace(c, value);
    study_wait(c);
}

static inline void station_handle(struct ctx *c, const struct event *e)
{
    struct station_stats *st = c->stats;
    uint64_t value = study_value(c);
    (void)e;
    st->served += value & 1;
    gauge_set(&st->depth, c->now, (int64_t)rng_below(&c->streams[0], 9));
    /* Some histograms stay empty. */
    if (value % 3) {
        sim_record(c, &st->wait, (sim_time)(value >> 9));
    }
    uint32_t groups = sim_blueprint(c->sim)->n_groups;
    sim_record_by(c, &st->answers, (uint32_t)(value >> 3) % groups, value & 1 ? 200 : ERROR_TIMEOUT,
                  (sim_time)(value >> 7));
    study_trace(c, value);
    study_wait(c);
}

static const char *const study_streams[] = {"fate", NULL};
static const struct entity_type caller_type = {.name = "caller",
                                               .stats = caller_rows,
                                               .stats_size = sizeof(struct caller_stats),
                                               .streams = study_streams,
                                               .init = study_wait,
                                               .handle = caller_handle};
static const struct entity_type station_type = {.name = "station",
                                                .stats = station_rows,
                                                .stats_size = sizeof(struct station_stats),
                                                .streams = study_streams,
                                                .init = study_wait,
                                                .handle = station_handle};

enum { STUDY_ENTITIES = 7, STUDY_GROUPS = 4, STUDY_END = 1000, STUDY_INTERVAL = 300 };
enum { STUDY_INTERVALS = 4, STUDY_TRACED = 8 /* rows of an entity */ };

static const struct group_plan study_groups[STUDY_GROUPS] = {
    {.name = "users",
     .type = &caller_type,
     .first = 0,
     .count = 2,
     .indexed = true,
     .sampled = true,
     .traced = true},
    {.name = "web",
     .type = &station_type,
     .first = 2,
     .count = 3,
     .indexed = true,
     .breakdowns = true},
    {.name = "probe", .type = &caller_type, .first = 5, .count = 1, .sampled = true},
    {.name = "db", .type = &station_type, .first = 6, .count = 1, .sampled = true, .traced = true},
};
static const struct blueprint study_blueprint = {
    .groups = study_groups, .n_groups = STUDY_GROUPS, .n_entities = STUDY_ENTITIES};

static inline struct sim *study_open(bool summary_only)
{
    const struct sim_options options = {.end = STUDY_END,
                                        .interval = STUDY_INTERVAL,
                                        .summary_only = summary_only,
                                        .trace = {.sample = 0.7, .limit = STUDY_TRACED}};
    return sim_open(&study_blueprint, &options);
}

/* Makes up what happened in a replication. */
static inline void study_fill(struct sim *s, uint64_t point, uint64_t replication)
{
    sim_reset(s, point, replication);
    if (!sim_run_until(s, SIM_TIME_NEVER, 0)) {
        abort();
    }
    sim_finish(s);
}

static inline uint64_t study_random(uint64_t *state)
{
    return *state = hash_mix64(*state + 1);
}

static inline struct record_head study_head(uint64_t point, uint64_t replication)
{
    return (struct record_head){.point = point,
                                .replication = replication,
                                .status = (enum run_status)(replication % RUN_MISSING),
                                .events = 1000 + replication,
                                .sim_end = STUDY_END,
                                .tripped = (sim_time)(replication % 3),
                                .digest = hash_pair(replication, point)};
}

/* The record of a made-up replication. */
static inline void study_record(struct sim *s, uint64_t point, uint64_t replication,
                                struct buffer *to)
{
    struct record_head head = study_head(point, replication);
    study_fill(s, point, replication);
    to->size = 0;
    record_encode(&head, s, to);
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

/* Of the second of three ranks, in a job of Slurm. */
static inline struct journal_session study_session(void)
{
    return (struct journal_session){.host = "node7",
                                    .software = "squall 0.0",
                                    .git = "abc",
                                    .mpi = "MPI 4",
                                    .slurm_job = "81",
                                    .slurm_array_task = "3",
                                    .begun = 86400,
                                    .pid = 4321,
                                    .pid_started = UINT64_MAX,
                                    .rank = 1,
                                    .ranks = 3,
                                    .shard = 2,
                                    .shards = 8};
}

static inline struct journal *study_journal(const char *dir, uint32_t writer,
                                            const struct results_meta *meta,
                                            struct results_error *e)
{
    struct journal_session session = study_session();
    return journal_open_append(dir, writer, meta, &session, e);
}

static inline bool study_append(struct journal *j, uint64_t point, uint64_t replication,
                                uint64_t wall_ns, const void *payload, size_t size,
                                struct results_error *e)
{
    const struct journal_record record = {.point = point,
                                          .replication = replication,
                                          .wall_ns = wall_ns,
                                          .payload = payload,
                                          .size = size};
    return journal_append(j, &record, e);
}

static inline bool study_same_session(const struct journal_session *s,
                                      const struct journal_session *expected)
{
    bool same = true;
    for (const struct journal_session_member *m = journal_session_members; m->name; m++) {
        same =
            same &&
            (m->unit ? journal_session_number(s, m) == journal_session_number(expected, m)
                     : strcmp(journal_session_text(s, m), journal_session_text(expected, m)) == 0);
    }
    return same;
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
