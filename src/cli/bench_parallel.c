/* SPDX-License-Identifier: Apache-2.0
 *
 * squall bench parallel CONFIG: the first replication of a configuration, on one rank and divided
 * among all ranks of mpirun, in turn. The other ranks sleep while one works alone.
 */
#include <mpi.h>
#include <stdio.h>

#include "base/check.h"
#include "cli/bench.h"
#include "cli/clock.h"
#include "engine/sim.h"
#include "model/study.h"

static struct bench_run run_alone(struct sim *s, uint64_t seed)
{
    double began = clock_s();
    sim_reset(s, seed, 0);
    sim_run_until(s, SIM_TIME_NEVER, 0);
    sim_finish(s);
    return (struct bench_run){clock_s() - began, sim_events(s), sim_memory(s)};
}

/* Collective; events are those of all ranks, memory that of the largest. */
static struct bench_run run_divided(struct team *t, uint64_t seed)
{
    struct sim *s = windows_sim(t->windows);
    sim_time reached;
    double began = clock_s();
    enum windows_end end = windows_run(t->windows, seed, 0, NULL, NULL, &reached);
    CHECK_LIMIT(end == WINDOWS_DONE, "the model is stuck: there is nothing to measure");
    sim_finish(s);
    MPI_Barrier(MPI_COMM_WORLD);
    struct bench_run run = {.seconds = clock_s() - began};
    uint64_t events = sim_events(s), bytes = sim_memory(s);
    MPI_Reduce(&events, &run.work, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Reduce(&bytes, &run.bytes, 1, MPI_UINT64_T, MPI_MAX, 0, MPI_COMM_WORLD);
    return run;
}

void bench_parallel_each(const struct study *study, const struct team_request *q, int runs,
                         void (*each)(void *context, struct bench_run alone,
                                      struct bench_run divided),
                         void *context, struct arena *arena, const char **report)
{
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    struct sim_options options = study_options(study);
    uint64_t seed = (uint64_t)study->settings.seed;
    struct team team;
    struct team_request all = *q;
    all.ranks = ranks;
    team_open(&team, &all, 1, &study->blueprint, &options);
    team_model(&team, &study->blueprint, &options);
    struct sim *whole = rank == 0 ? sim_open(&study->blueprint, &options) : NULL;
    for (int i = -1; i < runs; i++) { /* the first pair only warms up */
        struct bench_run alone = {0};
        team_meet();
        if (rank == 0) {
            alone = run_alone(whole, seed);
        }
        team_meet();
        struct bench_run divided = run_divided(&team, seed);
        if (rank == 0 && i >= 0) {
            CHECK(alone.work == divided.work, "other events on %d ranks than on one", ranks);
            each(context, alone, divided);
        }
    }
    *report = team_report(&team, arena);
    if (whole) {
        sim_close(whole);
    }
    team_close(&team);
}
