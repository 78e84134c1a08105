/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "engine/sim.h"
#include "experiment/run_parts.h"
#include "results/journal.h"
#include "results/record.h"

enum { SLICE = 50000 }; /* events between two looks at messages and signals: some milliseconds */

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SIM_TIME_S + (uint64_t)t.tv_nsec;
}

/* Runs one replication to its end, or to where it gets stuck. False: the crew stops, drop it. */
static bool replicate(struct sim *sim, const struct run *run, struct record_head *head,
                      struct crew *crew)
{
    sim_reset(sim, run->meta.seed, head->replication);
    while (!sim_run_until(sim, SIM_TIME_NEVER, SLICE) && !sim_stuck(sim)) {
        if (!crew_poll(crew)) {
            return false;
        }
    }
    head->status = sim_stuck(sim) ? RUN_EVENT_LIMIT : RUN_OK;
    if (head->status != RUN_OK) {
        fprintf(stderr,
                "squall: replication %" PRIu64
                " is stuck at %.9g s: events go on without time passing; do "
                "users think for no time?\n",
                head->replication, (double)sim_now(sim) * 1e-9);
    }
    head->sim_end = head->status == RUN_OK ? run->meta.end : sim_now(sim);
    sim_finish(sim);
    head->events = sim_events(sim);
    head->digest = sim_digest(sim);
    return true;
}

static bool open_journal(struct run *run, struct journal **journal)
{
    if (!*journal) {
        *journal = journal_open_append(run->journal, (uint32_t)run->rank, &run->meta, &run->error);
    }
    return *journal;
}

static bool record(struct run *run, struct journal **journal, const struct sim *sim,
                   const struct record_head *head, uint64_t wall_ns, struct buffer *buffer)
{
    if (!open_journal(run, journal)) {
        return false;
    }
    struct record_source source = record_of_sim(sim);
    buffer->size = 0;
    record_encode(head, &source, buffer);
    return journal_append(*journal, head->point, head->replication, wall_ns, buffer->data,
                          buffer->size, &run->error);
}

void run_work(struct run *run, struct crew *crew)
{
    struct sim_options options = {.end = run->meta.end,
                                  .warmup = run->meta.warmup,
                                  .interval = run->meta.interval,
                                  .summary_only = run->study->settings.output.histograms ==
                                                  STUDY_HISTOGRAMS_NONE};
    struct sim *sim = sim_open(&run->study->blueprint, &options);
    struct journal *journal = NULL;
    struct buffer buffer = {0};
    /* The file of a rank is made when it has something to write, but that of rank 0 at once: then
     * the journal can be resumed even before anything is finished. */
    bool ok = run->rank != 0 || open_journal(run, &journal);
    uint64_t task;
    while (ok && crew_next(crew, &task)) {
        uint64_t began = clock_ns();
        struct record_head head = {.point = task / run->meta.n_replications,
                                   .replication = task % run->meta.n_replications};
        if (!replicate(sim, run, &head, crew)) {
            break;
        }
        ok = record(run, &journal, sim, &head, clock_ns() - began, &buffer);
        if (ok) {
            crew_done(crew, head.events);
        }
    }
    ok = journal_close(journal, &run->error) && ok;
    if (!ok) {
        fprintf(stderr, "squall: rank %d: %s\n", run->rank, run->error.text);
        crew_stop(crew, true);
    }
    buffer_close(&buffer);
    sim_close(sim);
}
