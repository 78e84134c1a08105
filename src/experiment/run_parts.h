/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of run.c: where results go (run_files.c), and the work of a rank (run_work.c). Only for
 * these three.
 */
#ifndef SQUALL_EXPERIMENT_RUN_PARTS_H
#define SQUALL_EXPERIMENT_RUN_PARTS_H

#include "experiment/agenda.h"
#include "experiment/crew.h"
#include "experiment/progress.h"
#include "experiment/run.h"
#include "experiment/status_file.h"
#include "experiment/tally.h"
#include "model/points.h"
#include "results/error.h"
#include "results/meta.h"

/* A study being run; the parts marked 0 are those of rank 0. */
struct run {
    const struct run_request *request;
    int rank;
    struct team team;
    struct arena memory;
    struct points points;
    struct blueprint whole; /* of all points together */
    struct results_meta meta;
    const char *output;       /* 0 */
    const char *journal;      /* directory */
    bool finished;            /* an earlier run has made the results, and nothing is to be done */
    struct goals goals;       /* 0: for the agenda, the first point's */
    struct agenda *agenda;    /* 0 */
    bool failed_too_often;    /* 0: the run was stopped for that */
    uint64_t began;           /* [ns] of patience_clock: when tasks began to be handed out */
    struct tally tally;       /* of other ranks: nothing */
    struct progress progress; /* 0 */
    struct status_file status_file; /* 0 */
    uint64_t stopping_since;        /* [ns] of patience_clock; 0: nobody asked for it */
    bool warned;                    /* that the others may not answer */
    struct results_error error;
};

/* Prints the error and returns `status`. */
enum exit_status run_complain(struct run *run, enum exit_status status);

/* Rank 0: decides where results go and that nothing is lost by it, and finds out what is to be run.
 */
enum exit_status run_open_files(struct run *run);

/* Rank 0: makes the results file of a complete journal, and removes the journal unless there is
 * something in it that may be tried again. */
enum exit_status run_write_results(struct run *run);

/* Rank 0: replications that were given up by a limit, of earlier runs, too. */
uint64_t run_failures(const struct run *run);

/* Rank 0: says which replications of a journal did not end well, if any were given up. */
void run_tell_of_failures(struct run *run);

/* To be called now and then: says where the work is, when a stop meets with no answer. */
void run_warn_of_silence(struct run *run);

/* Runs and records the replications that this rank's team is given. `crew` is NULL on ranks that do
 * not lead their team. */
void run_work(struct run *run, struct crew *crew);

#endif
