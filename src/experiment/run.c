/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/run.h"

#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "experiment/pieces.h"
#include "experiment/run_parts.h"
#include "experiment/signals.h"
#include "model/resolved.h"
#include "parallel/patience.h"
#include "results/journal.h"
#include "version.h"

enum exit_status run_complain(struct run *run, enum exit_status status)
{
    fprintf(stderr, "squall: %s\n", run->error.text);
    return status;
}

/* --- agreeing ---------------------------------------------------------------------------- */

/* Tells every rank what rank 0 has come to. */
static enum exit_status agree(enum exit_status status)
{
    int value = status;
    MPI_Bcast(&value, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return (enum exit_status)value;
}

/* Rank 0's text, on every rank. */
static char *share_text(struct run *run, const char *text)
{
    uint64_t length = text ? strlen(text) : 0;
    MPI_Bcast(&length, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    char *copy = arena_take(&run->memory, length + 1);
    if (text) {
        memcpy(copy, text, length);
    }
    pieces_share(copy, length, MPI_COMM_WORLD);
    return copy;
}

/* --- the study --------------------------------------------------------------------------- */

/* Fills in what results tell of the study. The texts are kept as rank 0 first had them: a text made
 * of a resolved one no longer knows which values were defaults. */
static void tell_of_study(struct run *run, const char *config, const char *overrides,
                          const char *resolved, const char *command)
{
    const struct study_settings *s = &run->study->settings;
    run->meta = (struct results_meta){
        .name = s->name,
        .config = config,
        .overrides = overrides,
        .resolved = resolved,
        .command = command,
        .software = "squall " SQUALL_VERSION,
        .git = SQUALL_GIT,
        .plan_hash = plan_hash(run->study),
        .seed = (uint64_t)s->seed,
        .n_points = 1,
        .n_replications = (uint64_t)s->replications,
        .end = s->duration,
        .warmup = s->warmup,
        .interval = s->interval,
        .blueprint = &run->study->blueprint,
    };
}

/* The overrides of the command line, one a line. */
static const char *join_overrides(struct run *run)
{
    const char *text = "";
    for (const char *const *o = run->study->overrides; o && *o; o++) {
        text = arena_format(&run->memory, "%s%s\n", text, *o);
    }
    return text;
}

/* Rank 0: reads the configuration, or the journal's copy of it. */
static enum exit_status load_first(struct run *run, const struct entity_type *const *registry)
{
    const struct run_request *q = run->request;
    struct diag diag = {0};
    struct results_meta old = {0};
    if (q->journal) {
        if (!journal_meta(q->journal, &run->memory, &old, &run->error)) {
            return run_complain(run, EXIT_WRONG_INPUT);
        }
        run->study = study_parse("the journal's configuration", old.resolved, strlen(old.resolved),
                                 NULL, registry, &diag);
    } else {
        run->study = study_load(q->config, q->overrides, registry, &diag);
    }
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    if (!run->study) {
        return EXIT_WRONG_INPUT;
    }
    if (q->journal) {
        tell_of_study(run, old.config, old.overrides, old.resolved, old.command);
        if (run->meta.plan_hash != old.plan_hash) {
            results_fail(&run->error,
                         "%s was begun by %s, which understood its configuration "
                         "differently; resume it with that version",
                         q->journal, old.software);
            return run_complain(run, EXIT_WRONG_INPUT);
        }
    } else {
        tell_of_study(run, run->study->text, join_overrides(run),
                      resolved_text(run->study, &run->memory), q->command);
    }
    return EXIT_DONE;
}

/* The other ranks build the same study from rank 0's resolved text. */
static void load_others(struct run *run, const struct entity_type *const *registry)
{
    char *resolved = share_text(run, run->rank == 0 ? run->meta.resolved : NULL);
    uint64_t hash = run->meta.plan_hash;
    MPI_Bcast(&hash, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    char *config = share_text(run, run->rank == 0 ? run->meta.config : NULL);
    char *overrides = share_text(run, run->rank == 0 ? run->meta.overrides : NULL);
    char *command = share_text(run, run->rank == 0 ? run->meta.command : NULL);
    if (run->rank == 0) {
        return;
    }
    struct diag diag = {0};
    run->study = study_parse("resolved", resolved, strlen(resolved), NULL, registry, &diag);
    if (!run->study) {
        diag_print(&diag, stderr, 0);
    }
    CHECK(run->study, "the resolved configuration does not load on rank %d", run->rank);
    diag_close(&diag);
    tell_of_study(run, config, overrides, resolved, command);
    CHECK(run->meta.plan_hash == hash, "the plan of rank %d is another than that of rank 0",
          run->rank);
}

/* Where a rank has died, the others are told to stop and wait for it in vain, until whoever
 * launched them loses patience. Then this is the last word, of rank 0 or, a little later, of
 * rank 1. */
void run_warn_of_silence(struct run *run)
{
    static const uint64_t PATIENCE_NS = 300000000;
    uint64_t now = patience_clock();
    if (!signals_stop() || run->warned || run->rank > 1) {
        return;
    }
    if (run->stopping_since == 0) {
        run->stopping_since = now;
    } else if (now - run->stopping_since > PATIENCE_NS * (1 + (uint64_t)run->rank)) {
        run->warned = true;
        fprintf(stderr,
                "squall: told to stop by %s, waiting for the other ranks; should they not answer, "
                "finished replications are in %s: 'squall resume %s' runs the others\n",
                signals_name(), run->journal, run->journal);
    }
}

static void show_progress(void *context, const struct crew_progress *p)
{
    struct run *run = context;
    run_warn_of_silence(run);
    progress_show(&run->progress, p->done, p->tasks, p->events);
}

static enum exit_status conclude(struct run *run, enum crew_outcome outcome)
{
    if (run->rank != 0) {
        return EXIT_DONE;
    }
    switch (outcome) {
    case CREW_FINISHED:
        return run_write_results(run);
    case CREW_STOPPED:
        fprintf(stderr,
                "squall: stopped%s%s; finished replications are in %s: 'squall resume %s' "
                "goes on\n",
                signals_name() ? " by " : "", signals_name() ? signals_name() : "", run->journal,
                run->journal);
        return EXIT_RESUMABLE;
    default:
        return EXIT_TROUBLE;
    }
}

/* Divides the ranks into teams. */
static void open_team(struct run *run)
{
    struct sim_options options = study_options(run->study);
    team_open(&run->team, &run->request->team, run->n_tasks, &run->study->blueprint, &options);
    const char *warning = run->rank == 0 ? team_warning(&run->team, &run->memory) : NULL;
    if (warning && !run->request->quiet) {
        fprintf(stderr, "squall: %s\n", warning);
    }
}

static enum crew_outcome work_together(struct run *run)
{
    if (run->team.leaders == MPI_COMM_NULL) {
        if (run->team.windows) {
            run_work(run, NULL);
        }
        return CREW_FINISHED;
    }
    struct crew *crew = crew_open(run->team.leaders, run->tasks, run->n_tasks, show_progress, run);
    run_work(run, crew);
    return crew_close(crew);
}

static void report_team(struct run *run)
{
    const char *text = team_report(&run->team, &run->memory);
    run->meta.parallel = text;
    if (text && !run->request->quiet) {
        fputs(text, stderr);
    }
}

static enum exit_status run_opened(struct run *run)
{
    enum exit_status status = EXIT_DONE;
    if (run->rank == 0) {
        status = run_open_files(run);
    }
    status = agree(status);
    if (status != EXIT_DONE) {
        return status;
    }
    run->journal = share_text(run, run->rank == 0 ? run->journal : NULL);
    open_team(run);
    uint64_t all = run->meta.n_points * run->meta.n_replications;
    progress_open(&run->progress, run->request->quiet || run->rank != 0, all - run->n_tasks);
    enum crew_outcome outcome = work_together(run);
    team_meet();
    progress_close(&run->progress);
    report_team(run);
    team_close(&run->team);
    return agree(conclude(run, outcome));
}

static enum exit_status check_ranks(struct run *run)
{
    int ranks;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    return team_check(&run->request->team, ranks, &run->error)
               ? EXIT_DONE
               : run_complain(run, EXIT_WRONG_INPUT);
}

enum exit_status run_study(const struct run_request *request,
                           const struct entity_type *const *registry)
{
    struct run run = {.request = request};
    signals_install(); /* before anything is there that a stop would have to explain */
    MPI_Comm_rank(MPI_COMM_WORLD, &run.rank);
    enum exit_status status = run.rank == 0 ? check_ranks(&run) : EXIT_DONE;
    if (run.rank == 0 && status == EXIT_DONE) {
        status = load_first(&run, registry);
    }
    status = agree(status);
    if (status == EXIT_DONE) {
        load_others(&run, registry);
        status = run_opened(&run);
    }
    free(run.tasks);
    if (run.study) {
        study_close(run.study);
    }
    arena_close(&run.memory);
    return status;
}
