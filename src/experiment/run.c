/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/run.h"

#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "experiment/forecast.h"
#include "experiment/pieces.h"
#include "experiment/run_parts.h"
#include "experiment/stop.h"
#include "parallel/patience.h"
#include "results/journal.h"
#include "version.h"

enum exit_status run_complain(struct run *run, enum exit_status status)
{
    fprintf(stderr, "squall: %s\n", run->error.text);
    return status;
}

/* --- agreeing ---------------------------------------------------------------------------- */

/* Rank 0's number, on every rank. */
static int share_number(int value)
{
    MPI_Bcast(&value, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return value;
}

/* Tells every rank what rank 0 has come to. */
static enum exit_status agree(enum exit_status status)
{
    return (enum exit_status)share_number(status);
}

/* Rank 0's bytes, on every rank, in `memory`. */
static struct bytes share(struct run *run, const void *data, size_t length)
{
    uint64_t size = length;
    MPI_Bcast(&size, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    unsigned char *copy = arena_take(&run->memory, size + 1);
    if (run->rank == 0 && size > 0) {
        memcpy(copy, data, size);
    }
    pieces_share(copy, size, MPI_COMM_WORLD);
    return (struct bytes){.at = copy, .end = copy + size};
}

/* --- the study --------------------------------------------------------------------------- */

/* What is told of the study by its first point; what points have of their own is in their runs. */
static void note_model(struct run *run)
{
    points_whole(&run->points, &run->memory, &run->whole);
    run->meta.blueprint = &run->whole;
    run->meta.points = &run->points;
}

/* The overrides of the command line, one a line. */
static const char *join_overrides(struct run *run)
{
    const char *text = "";
    for (const char *const *o = run->request->overrides; o && *o; o++) {
        text = arena_format(&run->memory, "%s%s\n", text, *o);
    }
    return text;
}

/* What reading the points tells of them. */
struct reading {
    sim_time longest; /* [ns] duration */
    struct progress_reading progress;
};

static void note_point(void *context, const struct study *s, struct point *point, uint64_t k,
                       uint64_t n)
{
    struct reading *r = context;
    sim_time end = s->settings.duration;
    r->longest = end > r->longest ? end : r->longest;
    progress_read(&r->progress, k + 1, n);
    if (n > 1) {
        point->events = (uint64_t)forecast_expect(s);
    }
}

/* Rank 0: reads the configuration. */
static enum exit_status load_config(struct run *run, const struct entity_type *const *registry)
{
    const struct run_request *q = run->request;
    struct diag diag = {0};
    struct reading r = {.longest = 0};
    progress_reading_open(&r.progress, q->quiet);
    const struct points_visitor visitor = {note_point, &r};
    bool good = points_load(&run->points, q->config, q->overrides, registry, &diag, &visitor);
    progress_reading_close(&r.progress);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    if (!good) {
        return EXIT_WRONG_INPUT;
    }
    const struct study_settings *s = &run->points.held->settings;
    run->meta = (struct results_meta){
        .name = arena_copy(&run->memory, s->name),
        .config = run->points.config,
        .overrides = join_overrides(run),
        .resolved = run->points.resolved,
        .command = q->command,
        .software = "squall " SQUALL_VERSION,
        .git = SQUALL_GIT,
        .plan_hash = points_hash(&run->points),
        .seed = (uint64_t)s->seed,
        .n_points = run->points.n,
        .n_replications = (uint64_t)s->replications.max,
        .shard = q->shard,
        .shards = q->shards,
        .end = r.longest,
        .warmup = s->warmup,
        .interval = s->interval,
    };
    note_model(run);
    return EXIT_DONE;
}

/* Takes up the points that the meta tells of. */
static bool restore(struct run *run, const struct entity_type *const *registry)
{
    struct diag diag = {0};
    bool good = run->meta.points &&
                points_restore(&run->points, run->meta.points, registry, &diag) &&
                points_hash(&run->points) == run->meta.plan_hash;
    diag_close(&diag);
    if (good) {
        note_model(run);
    }
    return good;
}

/* Rank 0: reads the journal's copy of the study. */
static enum exit_status load_journal(struct run *run, const struct entity_type *const *registry)
{
    const char *journal = run->request->journal;
    if (!journal_meta(journal, &run->memory, &run->meta, &run->error)) {
        return run_complain(run, EXIT_WRONG_INPUT);
    }
    if (!run->meta.points) {
        results_fail(&run->error,
                     "%s has lost its first file, which told of the study: 'squall run CONFIG "
                     "--resume' goes on",
                     journal);
        return run_complain(run, EXIT_WRONG_INPUT);
    }
    if (!restore(run, registry)) {
        results_fail(&run->error,
                     "%s was begun by %s, which understood its configuration "
                     "differently; resume it with that version",
                     journal, run->meta.software);
        return run_complain(run, EXIT_WRONG_INPUT);
    }
    return EXIT_DONE;
}

/* The other ranks take up what rank 0 has. */
static void load_others(struct run *run, const struct entity_type *const *registry)
{
    struct buffer text = {0};
    if (run->rank == 0) {
        meta_encode(&run->meta, &text);
    }
    struct bytes bytes = share(run, text.data, text.size);
    buffer_close(&text);
    if (run->rank != 0) {
        CHECK(meta_decode(&bytes, &run->memory, &run->meta) && restore(run, registry),
              "the plan of rank 0 is not understood on rank %d", run->rank);
    }
}

/* Where a rank has died, the others are told to stop and wait for it in vain, until whoever
 * launched them loses patience. Then this is the last word, of rank 0 or, a little later, of
 * rank 1. */
void run_warn_of_silence(struct run *run)
{
    static const uint64_t PATIENCE_NS = 300000000;
    uint64_t now = patience_clock();
    if (!stop_wanted() || run->warned || run->rank > 1) {
        return;
    }
    if (run->stopping_since == 0) {
        run->stopping_since = now;
    } else if (now - run->stopping_since > PATIENCE_NS * (1 + (uint64_t)run->rank)) {
        run->warned = true;
        fprintf(stderr,
                "squall: told to stop by %s, waiting for the other ranks; should they not answer, "
                "finished replications are in %s: 'squall resume %s' runs the others\n",
                stop_reason(), run->journal, run->journal);
    }
}

uint64_t run_failures(const struct run *run)
{
    uint64_t n = 0;
    for (int k = 0; k < RUN_STATUSES; k++) {
        n += failures_count((enum run_status)k) ? run->tally.status[k] : 0;
    }
    return n;
}

/* More replications were given up than the user puts up with. */
static void stop_for_failures(struct run *run)
{
    const struct failures_limit *limit = &run->request->failures;
    if (!stop_wanted() && failures_too_many(limit, run_failures(run), agenda_tasks(run->agenda))) {
        run->failed_too_often = true;
        stop_because(arena_format(&run->memory, "--max-failures %s", limit->text));
    }
}

/* --- where the crew gets its tasks -------------------------------------------------------- */

static uint64_t take_tasks(void *context, uint64_t *tasks, uint64_t most, sim_time *warmup)
{
    struct run *run = context;
    uint64_t n = agenda_take(run->agenda, tasks, most);
    bool pilot = n > 0 && tasks[0] & AGENDA_PILOT;
    *warmup = n == 0 || pilot ? 0 : agenda_warmup(run->agenda, tasks[0] / run->meta.n_replications);
    return n;
}

static bool is_over(void *context)
{
    struct run *run = context;
    return agenda_over(run->agenda);
}

static uint64_t tasks_left(void *context)
{
    struct run *run = context;
    return agenda_tasks_left(run->agenda);
}

static void note_result(void *context, const struct crew_result *result)
{
    struct run *run = context;
    agenda_put(run->agenda, result->task, result->values);
    if (result->task & AGENDA_PILOT) {
        tally_pilot(&run->tally, result->events);
    } else {
        tally_done(&run->tally, result->task / run->meta.n_replications,
                   (enum run_status)result->status, result->events);
    }
    stop_for_failures(run);
}

/* [s] since replications began to be handed out. */
static double elapsed(const struct run *run)
{
    return 1e-9 * (double)(patience_clock() - run->began);
}

static void show_progress(void *context)
{
    struct run *run = context;
    double now = elapsed(run);
    run_warn_of_silence(run);
    stop_for_failures(run); /* there may have been too many before */
    progress_show(&run->progress, &run->tally, now);
    status_file_show(&run->status_file, &run->tally, now);
}

/* --- running ------------------------------------------------------------------------------ */

/* That replications were given up is the business of the results that are merged. */
static enum exit_status finish_shard(struct run *run)
{
    run_tell_of_failures(run);
    if (!run->request->quiet) {
        printf("%s\n", run->journal);
    }
    return EXIT_DONE;
}

static enum exit_status conclude(struct run *run, enum crew_outcome outcome)
{
    if (run->rank != 0) {
        return EXIT_DONE;
    }
    switch (outcome) {
    case CREW_FINISHED:
        return run->meta.shards > 0 ? finish_shard(run) : run_write_results(run);
    case CREW_STOPPED:
        run_tell_of_failures(run);
        fprintf(stderr,
                "squall: stopped%s%s; finished replications are in %s: 'squall resume %s' "
                "goes on\n",
                stop_reason() ? " by " : "", stop_reason() ? stop_reason() : "", run->journal,
                run->journal);
        return run->failed_too_often ? EXIT_ENDED_EARLY : EXIT_RESUMABLE;
    default:
        return EXIT_TROUBLE;
    }
}

/* Divides the ranks into teams, which begin with the first point. */
static void open_team(struct run *run)
{
    const struct study *s = points_study(&run->points, 0);
    CHECK(s, "the first point's study is lost");
    struct sim_options options = study_options(s);
    uint64_t n = run->rank == 0 ? tasks_left(run) : 0;
    team_open(&run->team, &run->request->team, n, &s->blueprint, &options);
    if (run->team.comm != MPI_COMM_NULL) {
        team_model(&run->team, &s->blueprint, &options);
    }
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
    const struct crew_source source = {.take = take_tasks,
                                       .over = is_over,
                                       .left = tasks_left,
                                       .done = note_result,
                                       .idle = show_progress,
                                       .context = run};
    struct crew *crew = crew_open(run->team.leaders, &source);
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

/* The user, or the batch system, was faster than the study could be read. */
static enum exit_status stop_at_once(void)
{
    fprintf(stderr,
            "squall: stopped by %s; nothing was begun yet, and the same command begins again\n",
            stop_reason());
    return EXIT_RESUMABLE;
}

/* Rank 0 tells how far the study is. */
static void begin_telling(struct run *run)
{
    const struct run_request *q = run->request;
    run->began = patience_clock();
    if (run->rank == 0) {
        int ranks;
        MPI_Comm_size(MPI_COMM_WORLD, &ranks);
        tally_begin(&run->tally, (uint64_t)(ranks / run->team.size));
        progress_open(&run->progress, q->quiet);
        status_file_open(&run->status_file, q->status_file, &run->meta, ranks, &run->tally);
    }
}

static enum run_state state_after(const struct run *run, enum exit_status status)
{
    switch (status) {
    case EXIT_DONE:
        return RUN_STATE_DONE;
    case EXIT_RESUMABLE:
        return RUN_STATE_STOPPED;
    case EXIT_ENDED_EARLY: /* some replications, or the run */
        return agenda_over(run->agenda) ? RUN_STATE_DONE : RUN_STATE_FAILED;
    default:
        return RUN_STATE_FAILED;
    }
}

static enum exit_status run_opened(struct run *run)
{
    enum exit_status status = EXIT_DONE;
    if (run->rank == 0) {
        status = stop_wanted() ? stop_at_once() : run_open_files(run);
    }
    status = agree(status);
    run->finished = share_number(run->finished);
    if (status != EXIT_DONE || run->finished) {
        return status;
    }
    run->journal =
        (const char *)share(run, run->journal, run->journal ? strlen(run->journal) : 0).at;
    open_team(run);
    begin_telling(run);
    enum crew_outcome outcome = work_together(run);
    team_meet();
    /* Behind a run that failed at once, such a line would only hide why. */
    if (run->rank == 0 && (outcome != CREW_FAILED || run->progress.drawn)) {
        progress_close(&run->progress, &run->tally, elapsed(run));
    }
    report_team(run);
    team_close(&run->team);
    status = conclude(run, outcome);
    if (run->rank == 0) {
        status_file_close(&run->status_file, &run->tally, elapsed(run), state_after(run, status));
    }
    return agree(status);
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
    MPI_Comm_rank(MPI_COMM_WORLD, &run.rank);
    if (run.rank == 0) {
        stop_in_time(&request->limit);
    }
    enum exit_status status = run.rank == 0 ? check_ranks(&run) : EXIT_DONE;
    if (run.rank == 0 && status == EXIT_DONE) {
        status = request->journal ? load_journal(&run, registry) : load_config(&run, registry);
    }
    status = agree(status);
    if (status == EXIT_DONE) {
        load_others(&run, registry);
        status = run_opened(&run);
    }
    tally_close(&run.tally);
    agenda_close(run.agenda);
    points_close(&run.points);
    arena_close(&run.memory);
    return status;
}
