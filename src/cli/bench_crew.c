/* SPDX-License-Identifier: Apache-2.0
 *
 * squall bench crew: replications so short that handing them out, recording them and keeping a
 * journal would show, and tasks that are nothing but handed out. Every rank writes a journal in a
 * folder of its own under TMPDIR.
 */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/bench.h"
#include "cli/clock.h"
#include "engine/sim.h"
#include "experiment/crew.h"
#include "model/study.h"
#include "parallel/patience.h"
#include "results/journal.h"
#include "results/record.h"

struct bench_crew {
    int rank, ranks;
    struct study *study;
    struct windows *windows;
    struct results_meta meta;
    struct arena memory;
    char folder[4096], journal[4110];
};

/* About a thousand events in each half second. */
static const char text[] =
    "squall: 1\n"
    "name: short\n"
    "duration: 500ms\n"
    "entities:\n"
    "  users:\n"
    "    type: client\n"
    "    target: service\n"
    "    arrivals: {kind: poisson, rate: 500/s}\n"
    "    call:\n"
    "      timeout: 100ms\n"
    "      retry: {kind: exponential, max_attempts: 4, initial_delay: 20ms, max_delay: 1s,\n"
    "              jitter: full}\n"
    "  service: {type: server, concurrency: 10, service_time: {exponential: 10ms}}\n"
    "network:\n"
    "  - {from: users, to: service, latency: 1ms}\n";

struct bench_crew *bench_crew_open(const struct entity_type *const *registry, uint64_t events)
{
    char duration[64];
    snprintf(duration, sizeof duration, "duration=%" PRIu64 "us", events * 500);
    struct bench_crew *b = calloc(1, sizeof *b);
    CHECK(b, "out of memory");
    MPI_Comm_rank(MPI_COMM_WORLD, &b->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &b->ranks);
    b->study = bench_open_study(text, (const char *const[]){duration, NULL}, registry);
    struct sim_options options = study_options(b->study);
    b->windows = windows_open(MPI_COMM_SELF, &b->study->blueprint, NULL, &options, WINDOWS_AUTO);
    b->meta = (struct results_meta){.name = b->study->settings.name,
                                    .config = text,
                                    .resolved = text,
                                    .seed = (uint64_t)b->study->settings.seed,
                                    .n_points = 1,
                                    .end = options.end,
                                    .blueprint = &b->study->blueprint};
    const char *place = getenv("TMPDIR");
    snprintf(b->folder, sizeof b->folder, "%s/squall-bench-XXXXXX", place ? place : "/tmp");
    CHECK_LIMIT(mkdtemp(b->folder), "cannot make a folder for journals: set TMPDIR");
    snprintf(b->journal, sizeof b->journal, "%s/short.journal", b->folder);
    return b;
}

void bench_crew_close(struct bench_crew *b)
{
    rmdir(b->folder);
    windows_close(b->windows);
    study_close(b->study);
    arena_close(&b->memory);
    free(b);
}

/* --- measuring ---------------------------------------------------------------------------- */

static double busy_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* [B] of physical memory, as Linux tells it; 0: unknown. */
static uint64_t resident(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*u %llu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct stopwatch {
    double began, busy; /* [s] */
};

static struct stopwatch start(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
    return (struct stopwatch){clock_s(), busy_s()};
}

/* Fills in the times, on rank 0. */
static void stop(const struct stopwatch *w, struct bench_crew_run *run)
{
    double mine = busy_s() - w->busy;
    MPI_Reduce(&mine, &run->busy, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    run->first_busy = mine;
    MPI_Barrier(MPI_COMM_WORLD);
    run->seconds = clock_s() - w->began;
}

/* --- a source of tasks -------------------------------------------------------------------- */

struct supply {
    uint64_t n, taken, done;
    uint64_t most;         /* tasks given at a time */
    uint64_t early_memory; /* [B] */
};

static uint64_t take(void *context, uint64_t *tasks, uint64_t most, sim_time *warmup)
{
    struct supply *s = context;
    uint64_t n = 0;
    for (*warmup = 0; n < most && n < s->most && s->taken < s->n; n++) {
        tasks[n] = s->taken++;
    }
    return n;
}

static bool over(void *context)
{
    const struct supply *s = context;
    return s->done == s->n;
}

static uint64_t left(void *context)
{
    const struct supply *s = context;
    return s->n - s->taken;
}

static void done(void *context, const struct crew_result *result)
{
    struct supply *s = context;
    (void)result;
    if (++s->done == s->n / 10) {
        s->early_memory = resident();
    }
}

static struct crew *open_crew(struct supply *s)
{
    const struct crew_source source = {
        .take = take, .over = over, .left = left, .done = done, .context = s};
    return crew_open(MPI_COMM_WORLD, &source);
}

/* --- cases -------------------------------------------------------------------------------- */

struct bench_crew_run bench_crew_plain(struct bench_crew *b, uint64_t tasks)
{
    struct bench_crew_run run = {.seconds = 0.0};
    struct sim *s = windows_sim(b->windows);
    struct stopwatch watch = start();
    for (uint64_t r = (uint64_t)b->rank; r < tasks; r += (uint64_t)b->ranks) {
        sim_reset(s, b->meta.seed, r);
        sim_run_until(s, SIM_TIME_NEVER, 0);
        sim_finish(s);
    }
    stop(&watch, &run);
    return run;
}

/* What a rank works with; see experiment/run_work.c. */
struct hand {
    struct bench_crew *b;
    struct crew *crew;
    struct journal *journal;
    struct buffer record;
    struct results_error error;
};

static bool keep_on(void *context)
{
    return crew_poll(((struct hand *)context)->crew);
}

static bool flush(void *context)
{
    struct hand *h = context;
    return journal_flush(h->journal, &h->error);
}

static void keep_one(struct hand *h, uint64_t replication)
{
    struct sim *s = windows_sim(h->b->windows);
    uint64_t began = patience_clock();
    struct record_head head = {.replication = replication, .status = RUN_OK};
    windows_run(h->b->windows, h->b->meta.seed, replication, keep_on, h, &head.sim_end);
    sim_finish(s);
    head.events = sim_events(s);
    head.digest = sim_digest(s);
    h->record.size = 0;
    record_encode(&head, s, &h->record);
    const struct journal_record record = {.replication = replication,
                                          .wall_ns = patience_clock() - began,
                                          .payload = h->record.data,
                                          .size = h->record.size};
    CHECK_LIMIT(journal_gather(h->journal, &record, &h->error), "%s", h->error.text);
    crew_done(h->crew, &(struct crew_result){.task = replication, .events = head.events});
}

static uint64_t file_size(const struct bench_crew *b)
{
    char path[4200];
    struct stat status;
    snprintf(path, sizeof path, "%s/rank-000000.sqj", b->journal);
    return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

struct bench_crew_run bench_crew_kept(struct bench_crew *b, uint64_t tasks)
{
    struct bench_crew_run run = {.seconds = 0.0};
    struct hand h = {.b = b};
    struct journal_session session = journal_session_here(&b->memory);
    b->meta.n_replications = tasks;
    CHECK_LIMIT(journal_create(b->journal, &h.error) &&
                    (h.journal = journal_open_append(b->journal, 0, &b->meta, &session, &h.error)),
                "%s", h.error.text);
    struct supply supply = {.n = tasks, .most = CREW_CHUNK};
    struct crew_task task;
    struct stopwatch watch = start();
    h.crew = open_crew(&supply);
    crew_keep(h.crew, flush, &h);
    while (crew_next(h.crew, &task)) {
        keep_one(&h, task.task);
    }
    CHECK_LIMIT(journal_close(h.journal, &h.error), "%s", h.error.text);
    crew_keep(h.crew, NULL, NULL);
    crew_close(h.crew);
    stop(&watch, &run);
    uint64_t bytes = file_size(b);
    MPI_Reduce(&bytes, &run.bytes, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    run.early_memory = supply.early_memory;
    run.late_memory = resident();
    CHECK_LIMIT(journal_remove(b->journal, &h.error), "%s", h.error.text);
    buffer_close(&h.record);
    return run;
}

struct bench_crew_run bench_crew_handed(uint64_t tasks, uint64_t most)
{
    struct bench_crew_run run = {.seconds = 0.0};
    struct supply supply = {.n = tasks, .most = most};
    struct crew_task task;
    struct stopwatch watch = start();
    struct crew *crew = open_crew(&supply);
    crew_only_serve(crew);
    while (crew_next(crew, &task)) {
        crew_done(crew, &(struct crew_result){.task = task.task});
    }
    run.messages = crew_messages(crew);
    crew_close(crew);
    stop(&watch, &run);
    return run;
}
