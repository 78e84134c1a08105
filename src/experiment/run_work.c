/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "engine/sim.h"
#include "experiment/run_parts.h"
#include "experiment/state_dump.h"
#include "experiment/stop.h"
#include "parallel/patience.h"
#include "results/journal.h"
#include "results/measured.h"
#include "results/record.h"

/* What a rank of a team works with. */
struct worker {
    struct run *run;
    struct crew *crew;         /* NULL: it does not lead */
    const struct study *study; /* of the point under way */
    uint64_t point;            /* whose study that is */
    sim_time warmup;           /* [ns] that its model has */
    struct sim *sim;
    struct journal *journal; /* leader: NULL until there is something to write */
    struct buffer piece, record;
    struct buffer *pieces; /* leader: one a rank of the team */
    struct watchdog watchdog;
    bool stops; /* keep_on has been told to */
    bool stuck; /* the replication in hand turned out to be */
    struct arena memory;
    const char *dump;    /* leader: of the replication in hand, when it was given up; in `memory` */
    int trips, given_up; /* failure budgets spent that were told of, and limits hit */
    int unsteady;        /* points without a steady state that were told of */
    bool ok;
};

/* Called every few milliseconds while a replication runs. */
static bool keep_on(void *context)
{
    struct worker *b = context;
    run_warn_of_silence(b->run);
    if (b->crew) {
        tally_within(&b->run->tally, b->point, (double)sim_now(b->sim) / (double)sim_end(b->sim),
                     sim_events(b->sim) * (uint64_t)b->run->team.size);
    }
    b->stops = b->crew ? !crew_poll(b->crew) : stop_wanted();
    return watchdog_poll(&b->watchdog, b->sim) && !b->stops;
}

/* True when the whole of a replication counts for nothing. What a replication did until it got
 * stuck depends on how its model was divided; and some are not wanted. */
static bool is_void(const struct worker *b, enum run_status status)
{
    const struct failure_budget *budget = b->study->blueprint.budget.policy;
    return status == RUN_EVENT_LIMIT || status == RUN_WATCHDOG ||
           (status == RUN_BUDGET_TRIPPED && budget->action == BUDGET_ABORT);
}

/* With common random numbers all points draw the same. */
static uint64_t seed_of(const struct worker *b)
{
    uint64_t seed = b->run->meta.seed;
    return b->study->settings.seeds == SEEDS_COMMON ? seed : hash_pair(seed, b->point);
}

/* Of a replication that somebody of the team wanted to end: true when it was a watchdog, and the
 * run as a whole goes on. */
static bool is_given_up(const struct worker *b)
{
    enum { NOT_ME, GIVES_UP, STOPS };
    int who;
    uint64_t mine = b->stops ? STOPS : b->watchdog.bites ? GIVES_UP : NOT_ME;
    return team_most(&b->run->team, mine, &who) == GIVES_UP;
}

/* "point 3, replication 7". */
static const char *name_of(struct worker *b, const struct record_head *head)
{
    const char *which = head->replication == RECORD_PILOT
                            ? "the pilot that finds the warm-up"
                            : arena_format(&b->memory, "replication %" PRIu64, head->replication);
    return arena_format(&b->memory, "point %" PRIu64 ", %s", head->point, which);
}

/* Says what was going on when a replication was given up, by the rank of the team that knows most
 * of it. */
static void describe(struct worker *b, const struct record_head *head, enum windows_end end)
{
    const struct team *team = &b->run->team;
    uint64_t most = sim_options(b->sim)->most_events;
    int who;
    team_most(team,
              end == WINDOWS_STOPPED ? b->watchdog.bites
              : end == WINDOWS_STUCK ? sim_stuck(b->sim)
                                     : sim_events(b->sim),
              &who);
    const char *why = end == WINDOWS_STOPPED ? b->watchdog.limit
                      : end == WINDOWS_STUCK
                          ? "it is stuck"
                          : arena_format(&b->memory, "event_limit: %" PRIu64, most);
    struct state_dump_head about = {.what = name_of(b, head),
                                    .why = why,
                                    .wall_ns = patience_clock() - b->watchdog.began,
                                    .rank = team->rank,
                                    .ranks = team->size};
    const char *mine = team->rank == who ? state_dump_text(&about, b->sim, &b->memory) : NULL;
    b->dump = team_text(team, who, mine, &b->memory);
}

/* A pilot draws what no replication does. */
static uint64_t draws_of(const struct record_head *head)
{
    return head->replication == RECORD_PILOT ? UINT64_C(1) << 60 : head->replication;
}

/* Runs one replication to its end, or to where it is given up. False: it was stopped. */
static bool replicate(struct worker *b, struct record_head *head)
{
    const struct team *team = &b->run->team;
    sim_time reached;
    b->stops = false;
    watchdog_begin(&b->watchdog, &b->run->request->watchdog);
    enum windows_end end =
        windows_run(team->windows, seed_of(b), draws_of(head), keep_on, b, &reached);
    if (end == WINDOWS_STOPPED && !is_given_up(b)) {
        if (b->crew) {
            crew_stop(b->crew, false); /* where another rank of the team got the signal */
        }
        return false;
    }
    /* How far a watchdog lets it come is chance, which no record knows of. */
    head->sim_end = end == WINDOWS_STOPPED ? 0 : reached;
    head->warmup = sim_options(b->sim)->warmup;
    head->status = end == WINDOWS_STOPPED                             ? RUN_WATCHDOG
                   : end == WINDOWS_STUCK || end == WINDOWS_TOO_LONG  ? RUN_EVENT_LIMIT
                   : windows_tripped(team->windows) != SIM_TIME_NEVER ? RUN_BUDGET_TRIPPED
                                                                      : RUN_OK;
    head->tripped = head->status == RUN_BUDGET_TRIPPED ? windows_tripped(team->windows) : 0;
    b->stuck = end == WINDOWS_STUCK;
    if (end != WINDOWS_DONE) {
        describe(b, head, end);
    }
    if (is_void(b, head->status)) {
        return true;
    }
    sim_finish(b->sim);
    head->events = team_sum(team, sim_events(b->sim));
    head->digest = team_sum(team, sim_digest(b->sim));
    return true;
}

/* A few of the first are told in full, by a few of the ranks: all are listed at the end, and each
 * has its dump. */
static void complain_of_limit(struct worker *b, const struct record_head *head)
{
    enum { TOLD = 3, TELLERS = 4 };
    if (b->stuck) {
        fprintf(stderr,
                "squall: %s is stuck at %.9g s: events go on without time passing; do users think "
                "for no time?\n",
                name_of(b, head), (double)head->sim_end * 1e-9);
    }
    if (b->given_up < TOLD && b->run->rank / b->run->team.size < TELLERS) {
        fprintf(stderr, "squall: %s", b->dump);
    }
    b->given_up++;
}

/* A study of thousands of replications may have thousands that trip. */
static void complain_of_trip(struct worker *b, const struct record_head *head)
{
    enum { TOLD = 3 };
    if (b->trips < TOLD) {
        fprintf(stderr, "squall: %s spent its failure budget at %.9g s%s\n", name_of(b, head),
                (double)head->tripped * 1e-9,
                b->trips + 1 == TOLD ? "; the next ones to do so are not told" : "");
        b->trips++;
    }
}

static void complain_of_unsteadiness(struct worker *b, const struct record_head *head, sim_time end)
{
    enum { TOLD = 3 };
    if (b->unsteady < TOLD) {
        fprintf(stderr,
                "squall: point %" PRIu64 " may never become steady: the warm-up found for it ends "
                "at %.9g s, as late as it may%s\n",
                head->point, (double)end * 1e-9,
                b->unsteady + 1 == TOLD ? "; the next ones to do so are not told" : "");
        b->unsteady++;
    }
}

/* Says on stderr what was wrong with the replication. */
static void complain(struct worker *b, const struct record_head *head)
{
    if (failures_count(head->status)) {
        complain_of_limit(b, head);
    } else if (head->status == RUN_BUDGET_TRIPPED) {
        complain_of_trip(b, head);
    }
}

/* The whole record, in the leader's b->record. Of a void one nothing is kept but how it ended, and
 * when. */
static bool make_record(struct worker *b, const struct record_head *head)
{
    const struct blueprint *plan = &b->study->blueprint;
    const struct team *team = &b->run->team;
    b->piece.size = b->record.size = 0;
    if (b->crew) {
        complain(b, head);
    }
    if (is_void(b, head->status)) {
        if (b->crew) {
            record_blank(head, plan, &b->record);
        }
        return true;
    }
    if (team->size == 1) {
        record_encode(head, b->sim, &b->record);
        return true;
    }
    record_piece(b->sim, &b->piece);
    team_gather(team, &b->piece, b->pieces);
    return !b->crew || record_join(head, plan, team->part_of, b->pieces, (uint32_t)team->size,
                                   &b->record, &b->run->error);
}

/* What is told of this process; the texts are the run's. */
static struct journal_session session_here(struct run *run)
{
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length, ranks;
    MPI_Get_library_version(mpi, &length);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    struct journal_session s = journal_session_here(&run->memory);
    /* Some libraries tell of themselves in several lines, the first of which has the version. */
    s.mpi = arena_text(&run->memory, mpi, strcspn(mpi, ",\n"));
    s.rank = (uint64_t)run->rank;
    s.ranks = (uint64_t)ranks;
    s.shard = run->meta.shard;
    s.shards = run->meta.shards;
    return s;
}

/* Where nothing is left to be run, the file is only kept from others: it may lie on a full disk.
 * The points of a large sweep take megabytes, and it is enough that rank 0's file tells of them. */
static bool open_journal(struct worker *b)
{
    struct run *run = b->run;
    if (!b->journal) {
        struct journal_session session = session_here(run);
        struct results_meta meta = run->meta;
        meta.points = run->rank == 0 ? meta.points : NULL;
        bool idle = run->agenda && agenda_over(run->agenda);
        b->journal = journal_open_append(run->journal, (uint32_t)run->rank, &meta,
                                         idle ? NULL : &session, &run->error);
    }
    return b->journal;
}

static bool keep_record(struct worker *b, const struct record_head *head, uint64_t wall_ns)
{
    const struct journal_record record = {.point = head->point,
                                          .replication = head->replication,
                                          .wall_ns = wall_ns,
                                          .payload = b->record.data,
                                          .size = b->record.size,
                                          .note = b->dump};
    return !b->crew || (open_journal(b) && journal_gather(b->journal, &record, &b->run->error));
}

/* What was gathered is written before rank 0 hears that it is done. */
static bool flush(void *context)
{
    struct worker *b = context;
    return !b->journal || journal_flush(b->journal, &b->run->error);
}

/* The team's next task; false when there is none, or the leader cannot go on. */
static bool next_task(struct worker *b, struct crew_task *task)
{
    bool there_is = b->crew && b->ok && crew_next(b->crew, task);
    uint64_t words[] = {there_is, task->task, (uint64_t)task->warmup};
    team_words(&b->run->team, words, 3);
    *task = (struct crew_task){words[1], (sim_time)words[2]};
    return words[0] != 0;
}

/* Takes up another point's model. Collective over the team; all come to the same. */
static bool turn_to(struct worker *b, uint64_t point, sim_time warmup)
{
    struct run *run = b->run;
    if (point == b->point && warmup == b->warmup) {
        return true;
    }
    team_drop_model(&run->team);
    if (!meta_model(&run->meta, point, &run->error)) {
        return false;
    }
    b->study = run->points.held;
    b->point = point;
    b->warmup = warmup;
    struct sim_options options = study_options(b->study);
    options.warmup = b->study->settings.warmup == WARMUP_AUTO ? warmup : options.warmup;
    team_model(&run->team, &b->study->blueprint, &options);
    b->sim = windows_sim(run->team.windows);
    return true;
}

/* What the leader's record says of the goals. */
static bool measure(struct worker *b, double values[GOALS_MOST])
{
    const struct goals *g = &b->study->goals;
    bool ok = true;
    for (uint32_t i = 0; ok && b->crew && i < g->n; i++) {
        double value;
        ok = measured_value(&g->items[i].measure, b->record.data, b->record.size,
                            &b->study->blueprint, &value, &b->run->error);
        values[i] = goal_value(&g->items[i], value);
    }
    return ok;
}

/* Of a pilot nothing is kept but where its warm-up ends. */
static bool judge_pilot(struct worker *b, struct record_head *head, double values[GOALS_MOST])
{
    struct measured_warmup found = {.end = 0};
    if (!b->crew) {
        return true;
    }
    bool ok = is_void(b, head->status) ||
              measured_warmup(&b->study->goals.under_way, b->record.data, b->record.size,
                              &b->study->blueprint, &found, &b->run->error);
    if (ok && found.unsteady) {
        complain_of_unsteadiness(b, head, found.end);
    }
    head->warmup = found.end;
    values[0] = (double)found.end;
    b->record.size = 0;
    record_pilot(head, &b->record);
    return ok;
}

static bool finish(struct worker *b, struct record_head *head, double values[GOALS_MOST],
                   uint64_t began)
{
    bool pilot = head->replication == RECORD_PILOT;
    return make_record(b, head) && (pilot ? judge_pilot(b, head, values) : measure(b, values)) &&
           keep_record(b, head, patience_clock() - began);
}

static void do_task(struct worker *b, const struct crew_task *task)
{
    uint64_t began = patience_clock(), n = b->run->meta.n_replications;
    bool pilot = task->task & AGENDA_PILOT;
    struct record_head head = {.point = pilot ? task->task & ~AGENDA_PILOT : task->task / n,
                               .replication = pilot ? RECORD_PILOT : task->task % n};
    struct crew_result result = {.task = task->task};
    b->ok = turn_to(b, head.point, task->warmup);
    if (!b->ok || !replicate(b, &head)) {
        return; /* to hear from the leader that there is no more */
    }
    b->ok = finish(b, &head, result.values, began);
    if (b->ok && b->crew) {
        result.events = head.events;
        result.status = head.status;
        crew_done(b->crew, &result);
    }
    arena_close(&b->memory); /* what was said of it */
    b->dump = NULL;
}

static void work(struct worker *b)
{
    struct crew_task task = {.task = 0};
    while (next_task(b, &task)) {
        do_task(b, &task);
    }
}

void run_work(struct run *run, struct crew *crew)
{
    struct worker b = {
        .run = run, .crew = crew, .study = run->points.held, .sim = windows_sim(run->team.windows)};
    b.pieces = calloc((size_t)run->team.size, sizeof *b.pieces);
    CHECK(b.pieces, "out of memory");
    /* The file of a rank is made when it has something to write, but that of rank 0 at once: then
     * the journal can be resumed even before anything is finished. */
    b.ok = run->rank != 0 || open_journal(&b);
    if (crew) {
        crew_keep(crew, flush, &b);
    }
    work(&b);
    b.ok = journal_close(b.journal, &run->error) && b.ok;
    if (!b.ok) {
        fprintf(stderr, "squall: rank %d: %s\n", run->rank, run->error.text);
    }
    if (crew) {
        crew_keep(crew, NULL, NULL);
        if (!b.ok) {
            crew_stop(crew, true);
        }
    }
    for (int r = 0; r < run->team.size; r++) {
        buffer_close(&b.pieces[r]);
    }
    free(b.pieces);
    buffer_close(&b.piece);
    buffer_close(&b.record);
}
