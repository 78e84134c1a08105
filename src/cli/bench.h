/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of `squall bench`. Times on one machine mean little by themselves, so cases come with
 * something to divide by: a program written for one model alone, or the same case at another size.
 */
#ifndef SQUALL_CLI_BENCH_H
#define SQUALL_CLI_BENCH_H

#include <stdint.h>

#include "engine/entity.h"
#include "experiment/team.h"
#include "model/study.h"

/* What one run of a case did. */
struct bench_run {
    double seconds; /* [s] */
    uint64_t work;  /* requests, events, draws, entities, ... */
    uint64_t bytes; /* memory in use at the end, or 0 */
};

/* A Poisson client with timeout and four attempts before an M/M/10 queue, as a configuration of
 * squall ("limit model") and as a program that can do nothing else. */
extern const char bench_limit_text[];
struct bench_run bench_limit_special(uint64_t requests, double rate, uint64_t seed);

/* The study of a configuration that is known to be right. */
struct study *bench_open_study(const char *text, const char *const *overrides,
                               const struct entity_type *const *registry);

/* Runs one replication of a configuration; `work` is the value of a counter of its first group. */
struct bench_run bench_study(const char *text, const char *const *overrides, const char *counter,
                             uint64_t replication, const struct entity_type *const *registry);

/* Pops and pushes on the event queue with `pending` events in it ("hold model", exponential
 * increments); `ties`: all increments are whole multiples of the mean, so that events meet. */
struct bench_run bench_hold(uint64_t pending, uint64_t steps, int ties);

/* Draws from one stream. */
struct bench_run bench_uniform(uint64_t draws);
struct bench_run bench_exponential(uint64_t draws);

/* Opens a model of `count` idle entities and resets it once. */
struct bench_run bench_idle(uint64_t count, const struct entity_type *const *registry);

/* Collective over MPI_COMM_WORLD: runs the first replication `runs` times on one rank and as often
 * divided among all; rank 0 gets each pair. `*report`: as team_report, on rank 0. */
void bench_parallel_each(const struct study *study, const struct team_request *q, int runs,
                         void (*each)(void *context, struct bench_run alone,
                                      struct bench_run divided),
                         void *context, struct arena *arena, const char **report);

/* The case `crew`: a study of replications of about so many events, of which a thousand take a
 * tenth of a millisecond. Everything here is collective over MPI_COMM_WORLD. */
struct bench_crew;
struct bench_crew *bench_crew_open(const struct entity_type *const *registry, uint64_t events);
void bench_crew_close(struct bench_crew *b);

/* On rank 0. */
struct bench_crew_run {
    double seconds;                     /* [s] until all ranks were done */
    double busy, first_busy;            /* [s] of processor time: of all ranks, of rank 0 */
    uint64_t bytes;                     /* of all journals */
    uint64_t early_memory, late_memory; /* [B] resident at rank 0 after a tenth of the tasks, and at
                                           the end */
    uint64_t messages;                  /* that rank 0 sent and took in before the crew parted */
};

/* So many replications in a loop on each rank, of which nothing is kept. */
struct bench_crew_run bench_crew_plain(struct bench_crew *b, uint64_t tasks);

/* The same ones handed out, recorded and kept in journals. */
struct bench_crew_run bench_crew_kept(struct bench_crew *b, uint64_t tasks);

/* Tasks that take no time, handed out `most` at a time by a rank 0 that does nothing else. */
struct bench_crew_run bench_crew_handed(uint64_t tasks, uint64_t most);

#endif
