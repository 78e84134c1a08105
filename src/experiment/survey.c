/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/survey.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "config/yaml.h"
#include "experiment/agenda.h"
#include "experiment/remainder.h"
#include "experiment/together.h"
#include "results/journal.h"

static const double RECENT_NS = 300e9; /* what counts as the last minutes */

/* A replication of the study. */
struct done {
    uint64_t point, replication, wall_ns, events;
    enum run_status status;
    uint32_t journal;
};

/* Being made. */
struct taking {
    struct survey *survey;
    struct results_meta *metas; /* of each journal */
    struct done *done;          /* owned */
    size_t n_done, room;
    struct remainder remainder; /* in [ns] */
    struct results_error *error;
};

/* --- do they belong together? ------------------------------------------------------------ */

static bool read_meta(struct taking *t, size_t i)
{
    struct survey *s = t->survey;
    struct stat is;
    const char *path = s->journals[i].path;
    if (stat(path, &is) == 0 && !S_ISDIR(is.st_mode)) {
        return results_fail(t->error,
                            "%s is no journal, which is a directory; 'squall inspect' shows a "
                            "results file",
                            path);
    }
    return journal_meta(path, &s->memory, &t->metas[i], t->error);
}

static bool read_metas(struct taking *t, const char *const *paths, size_t n)
{
    struct survey *s = t->survey;
    s->journals = arena_take(&s->memory, n * sizeof *s->journals);
    s->n_journals = n;
    t->metas = arena_take(&s->memory, n * sizeof *t->metas);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        s->journals[i].path = paths[i];
        ok = read_meta(t, i);
        s->journals[i].shard = t->metas[i].shard;
        s->journals[i].shards = t->metas[i].shards;
    }
    const struct together all = {paths, t->metas, n, .shards_once = false};
    return ok && together_check(&all, t->error);
}

/* --- what the study is -------------------------------------------------------------------- */

/* With rules for `replications`, or a search, it turns out later how much is to be run. */
static void note_goals(struct survey *s)
{
    struct arena memory = {0};
    struct diag diag = {0};
    const char *text = s->meta.resolved;
    const struct node *root = yaml_parse("resolved", text, strlen(text), &memory, &diag);
    const struct node *until = node_child(node_child(root, "replications"), "until");
    const struct node *search = node_child(root, "search");
    s->levels = 1;
    if (search && search->count > 0 && s->axes && s->axes->axes.n_factors > 0) {
        s->goals = (struct goals){.n = 1, .search = true};
        s->levels = s->axes->axes.factors[s->axes->axes.n_factors - 1].n;
    } else if (until && until->count > 0) {
        s->goals = (struct goals){.n = 1};
    }
    s->at_most = s->goals.n > 0;
    diag_close(&diag);
    arena_close(&memory);
}

static void note_missing(struct survey *s)
{
    uint32_t shards = 0;
    for (size_t i = 0; i < s->n_journals; i++) {
        if (s->journals[i].shards == 0) {
            return; /* of all */
        }
        shards = s->journals[i].shards;
    }
    bool *there = arena_take(&s->memory, shards * sizeof *there);
    s->missing = arena_take(&s->memory, shards * sizeof *s->missing);
    for (size_t i = 0; i < s->n_journals; i++) {
        uint32_t shard = s->journals[i].shard;
        if (shard >= 1 && shard <= shards) {
            there[shard - 1] = true;
        }
    }
    for (uint32_t k = 1; k <= shards; k++) {
        if (!there[k - 1]) {
            s->missing[s->n_missing++] = k;
        }
    }
}

static void note_study(struct taking *t)
{
    struct survey *s = t->survey;
    struct diag diag = {0};
    s->meta = t->metas[0];
    s->tasks = s->meta.n_points * s->meta.n_replications;
    s->points = calloc(s->meta.n_points, sizeof *s->points);
    CHECK(s->points, "out of memory for %" PRIu64 " points", s->meta.n_points);
    if (s->meta.points && points_axes(s->meta.points, &s->memory, &diag)) {
        s->axes = s->meta.points;
    }
    diag_close(&diag);
    note_goals(s);
    note_missing(s);
    remainder_open(&t->remainder, s->meta.points, s->meta.n_points / s->levels, s->levels);
}

/* --- what was done ------------------------------------------------------------------------ */

static void keep(struct taking *t, const struct journal_entry *e, uint32_t journal)
{
    if (t->n_done == t->room) {
        t->room = t->room ? 2 * t->room : 1024;
        t->done = realloc(t->done, t->room * sizeof *t->done);
        CHECK(t->done, "out of memory for %zu replications", t->room);
    }
    t->done[t->n_done++] = (struct done){e->point,
                                         e->replication,
                                         e->wall_ns,
                                         e->events,
                                         e->status == RUN_STATUSES ? RUN_FAILED : e->status,
                                         journal};
}

static int by_place(const void *a, const void *b)
{
    const struct done *x = a, *y = b;
    return x->point != y->point
               ? (x->point > y->point) - (x->point < y->point)
               : (x->replication > y->replication) - (x->replication < y->replication);
}

static void note_failure(struct survey *s, const struct done *d)
{
    if (s->status[d->status] <= SURVEY_FAILURES) {
        s->failures[s->n_failures++] = (struct survey_failure){d->point, d->replication, d->status};
    }
}

/* Adds up what was done, each replication once though several journals may have it. */
static void add_up(struct taking *t)
{
    struct survey *s = t->survey;
    if (t->n_done > 0) {
        qsort(t->done, t->n_done, sizeof *t->done, by_place);
    }
    s->failures =
        arena_take(&s->memory, (size_t)RUN_STATUSES * SURVEY_FAILURES * sizeof *s->failures);
    for (size_t i = 0; i < t->n_done; i++) {
        const struct done *d = &t->done[i];
        if (i > 0 && by_place(d - 1, d) == 0) {
            continue;
        }
        struct survey_point *p = &s->points[d->point];
        s->done++;
        s->wall_ns += d->wall_ns;
        s->events += d->events;
        s->status[d->status]++;
        p->done++;
        p->wall_ns += d->wall_ns;
        remainder_done(&t->remainder, d->point, (double)d->wall_ns);
        if (d->status != RUN_OK) {
            p->failed++;
            note_failure(s, d);
        }
    }
}

/* --- who did it, and who is at it --------------------------------------------------------- */

/* A journal being looked at. */
struct looking {
    struct taking *taking;
    struct survey_journal *journal;
    struct journal_index index;
    size_t *run_of; /* owned; of each session: which of the survey's */
    bool *at_work;  /* owned; of each session */
};

static size_t begin_run(struct survey *s, const struct journal_session *p, const char *journal)
{
    s->sessions[s->n_sessions] =
        (struct survey_session){.journal = journal, .process = journal_session_copy(p, &s->memory)};
    return s->n_sessions++;
}

/* Rank 0 of a run is at a journal before the others, by clocks that may differ a little. */
static size_t find_run(struct survey *s, size_t first, const struct journal_session *p,
                       const char *journal)
{
    const uint64_t skew_s = 2;
    for (size_t i = s->n_sessions; i-- > first;) {
        const struct journal_session *r = &s->sessions[i].process;
        if (r->ranks == p->ranks && strcmp(r->slurm_job, p->slurm_job) == 0 &&
            r->begun <= p->begun + skew_s) {
            return i;
        }
    }
    return begin_run(s, p, journal);
}

static void gather_sessions(struct looking *l)
{
    struct survey *s = l->taking->survey;
    size_t n = l->index.n_sessions, first = s->n_sessions;
    struct survey_session *more = arena_take(&s->memory, (first + n) * sizeof *more);
    if (first > 0) {
        memcpy(more, s->sessions, first * sizeof *more);
    }
    s->sessions = more;
    for (size_t i = 0; i < n; i++) {
        if (l->index.sessions[i].rank == 0) {
            l->run_of[i] = begin_run(s, &l->index.sessions[i], l->journal->path);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (l->index.sessions[i].rank != 0) {
            l->run_of[i] = find_run(s, first, &l->index.sessions[i], l->journal->path);
        }
        struct survey_session *run = &s->sessions[l->run_of[i]];
        run->writers++;
        run->at_work |= l->at_work[i];
    }
}

static void look_at_files(struct looking *l)
{
    for (size_t f = 0; f < l->index.n_files; f++) {
        struct journal_file_look look = journal_file_look(&l->index, f);
        l->journal->at_work |= look.at_work;
        l->journal->changed =
            look.changed > l->journal->changed ? look.changed : l->journal->changed;
        if (look.at_work && look.session != JOURNAL_NO_SESSION) {
            l->at_work[look.session] = true;
        }
    }
}

static int last_first(const void *a, const void *b)
{
    const struct journal_entry *x = a, *y = b;
    return x->file != y->file ? (x->file > y->file) - (x->file < y->file)
                              : (x->offset < y->offset) - (x->offset > y->offset);
}

/* Every rank that writes does so many a second as its last replications took. */
static void find_rate(struct looking *l)
{
    const struct journal_index *index = &l->index;
    if (index->n > 0) {
        qsort(index->entries, index->n, sizeof *index->entries, last_first);
    }
    for (size_t i = 0; i < index->n;) {
        const struct journal_entry *e = &index->entries[i];
        double n = 0.0, wall_ns = 0.0;
        uint32_t file = e->file, session = e->session;
        bool counts = session != JOURNAL_NO_SESSION && l->at_work[session];
        for (; i < index->n && index->entries[i].file == file; i++) {
            e = &index->entries[i];
            if (counts && e->session == session && wall_ns < RECENT_NS) {
                n += 1.0;
                wall_ns += (double)e->wall_ns;
            }
        }
        l->journal->writers += counts;
        l->journal->rate += wall_ns > 0.0 ? 1e9 * n / wall_ns : 0.0;
    }
}

static void count_entries(struct looking *l)
{
    struct survey *s = l->taking->survey;
    for (size_t i = 0; i < l->index.n; i++) {
        const struct journal_entry *e = &l->index.entries[i];
        if (e->replication == RECORD_PILOT) {
            continue;
        }
        if (e->point >= s->meta.n_points || e->replication >= s->meta.n_replications) {
            l->journal->damaged++;
            continue;
        }
        if (e->session != JOURNAL_NO_SESSION) {
            s->sessions[l->run_of[e->session]].done++;
            s->sessions[l->run_of[e->session]].wall_ns += e->wall_ns;
        }
        l->journal->done++;
        keep(l->taking, e, (uint32_t)(l->journal - s->journals));
    }
}

static struct agenda_plan plan_of(const struct survey *s, const struct survey_journal *j)
{
    return (struct agenda_plan){.n_points = s->meta.n_points,
                                .n_replications = s->meta.n_replications,
                                .goals = &s->goals,
                                .levels = s->levels,
                                .shard = j->shard,
                                .shards = j->shards};
}

static bool look(struct taking *t, struct survey_journal *j)
{
    struct looking l = {.taking = t, .journal = j};
    struct agenda_plan plan = plan_of(t->survey, j);
    bool ok = journal_glance(&j->path, 1, t->metas[0].plan_hash, &l.index, t->error);
    size_t n = l.index.n_sessions + 1;
    l.run_of = calloc(n, sizeof *l.run_of);
    l.at_work = calloc(n, sizeof *l.at_work);
    CHECK(l.run_of && l.at_work, "out of memory for %zu sessions", n);
    j->damaged = l.index.damaged;
    for (uint64_t p = 0; p < plan.n_points; p++) {
        j->tasks += agenda_tasks_at(&plan, p);
    }
    if (ok) {
        look_at_files(&l);
        gather_sessions(&l);
        count_entries(&l);
        find_rate(&l);
    }
    free(l.run_of);
    free(l.at_work);
    journal_index_close(&l.index);
    return ok;
}

/* --- how long it will take ---------------------------------------------------------------- */

/* All that the journal is to hold, without what it holds. */
static double work_left(const struct taking *t, const struct survey_journal *j)
{
    const struct survey *s = t->survey;
    struct agenda_plan plan = plan_of(s, j);
    double ns = 0.0;
    for (uint64_t p = 0; p < plan.n_points; p++) {
        ns += (double)agenda_tasks_at(&plan, p) * remainder_next(&t->remainder, p / s->levels);
    }
    for (size_t i = 0; i < t->n_done; i++) {
        if (t->done[i].journal == (uint32_t)(j - s->journals)) {
            ns -= remainder_next(&t->remainder, t->done[i].point / s->levels);
        }
    }
    return ns > 0.0 ? ns : 0.0;
}

static void look_ahead(struct taking *t)
{
    struct survey *s = t->survey;
    s->left_s = NAN;
    for (size_t i = 0; i < s->n_journals; i++) {
        struct survey_journal *j = &s->journals[i];
        j->left_s = j->writers == 0       ? NAN
                    : j->done == j->tasks ? 0.0
                                          : 1e-9 * work_left(t, j) / (double)j->writers;
        s->rate += j->rate;
        s->left_s = isnan(s->left_s) || j->left_s > s->left_s ? j->left_s : s->left_s;
    }
}

/* --- all ---------------------------------------------------------------------------------- */

bool survey_take(struct survey *s, const char *const *journals, size_t n, struct results_error *e)
{
    *s = (struct survey){.n_journals = 0};
    struct taking t = {.survey = s, .error = e};
    bool ok = read_metas(&t, journals, n);
    if (ok) {
        note_study(&t);
    }
    for (size_t i = 0; ok && i < n; i++) {
        ok = look(&t, &s->journals[i]);
    }
    if (ok) {
        add_up(&t);
        look_ahead(&t);
    }
    remainder_close(&t.remainder);
    free(t.done);
    return ok;
}

void survey_close(struct survey *s)
{
    free(s->points);
    arena_close(&s->memory);
    *s = (struct survey){.n_journals = 0};
}

const char *survey_point_name(const struct survey *s, uint64_t point, struct arena *arena)
{
    if (s->meta.n_points == 1) {
        return "";
    }
    const char *values = s->axes ? points_name(s->axes, point, NULL, arena) : "";
    return values[0] ? arena_format(arena, "point %" PRIu64 " (%s)", point, values)
                     : arena_format(arena, "point %" PRIu64, point);
}
