/* SPDX-License-Identifier: Apache-2.0
 *
 * squall status: how far a study is, by its journals.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/status.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "experiment/progress.h"

enum { KEY_BY_POINT = 'p', KEY_JSON = 0x100 };
enum { SESSIONS_MOST = 20, MISSING_MOST = 20 /* that are listed */ };

struct status_options {
    bool by_point, json;
    const char *const *journals;
    size_t n_journals;
};

/* --- tables ------------------------------------------------------------------------------- */

static void line(const char *label, const char *text)
{
    printf("  %-14s%s\n", label, text);
}

static const char *s_of(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* "3 min 20 s"; of replications, which may take much less than a second. */
static const char *time_text(double seconds, struct arena *a)
{
    char text[PROGRESS_TIME];
    return seconds < 1e-3   ? arena_format(a, "%.3g us", 1e6 * seconds)
           : seconds < 1.0  ? arena_format(a, "%.3g ms", 1e3 * seconds)
           : seconds < 10.0 ? arena_format(a, "%.3g s", seconds)
                            : arena_copy(a, progress_time(seconds, text));
}

static const char *percent(uint64_t part, uint64_t whole, struct arena *a)
{
    return arena_format(a, "%.*f %%", part == whole ? 0 : 1,
                        100.0 * (double)part / (double)(whole ? whole : 1));
}

static uint64_t points_done(const struct survey *s)
{
    uint64_t n = 0;
    for (uint64_t p = 0; p < s->meta.n_points; p++) {
        n += s->points[p].done == s->meta.n_replications;
    }
    return n;
}

static void print_done(const struct survey *s, struct arena *a)
{
    if (s->at_most) {
        line("done", arena_format(a, "%" PRIu64 " replication%s, of at most %" PRIu64, s->done,
                                  s_of(s->done), s->tasks));
        return;
    }
    const char *points = s->meta.n_points > 1
                             ? arena_format(a, ", %" PRIu64 " of %" PRIu64 " points",
                                            points_done(s), s->meta.n_points)
                             : "";
    line("done", arena_format(a, "%" PRIu64 " of %" PRIu64 " replication%s (%s)%s", s->done,
                              s->tasks, s_of(s->tasks), percent(s->done, s->tasks, a), points));
}

/* What an unfinished journal needs, when there is only one; the table tells of several. */
static const char *advice(const struct survey *s, struct arena *a)
{
    const struct survey_journal *j = &s->journals[0];
    return s->n_journals == 1 && j->done < j->tasks
               ? arena_format(a, "; 'squall resume %s' goes on", j->path)
               : "";
}

static void print_left(const struct survey *s, struct arena *a)
{
    uint64_t left = s->tasks - s->done, writers = 0;
    bool at_work = false;
    for (size_t i = 0; i < s->n_journals; i++) {
        at_work |= s->journals[i].at_work;
        writers += s->journals[i].writers;
    }
    if (left == 0 && !at_work) {
        return;
    }
    const char *text = arena_format(a, "%s%" PRIu64, s->at_most ? "at most " : "", left);
    if (left == 0) {
        line("left", "0; a run is about to end");
    } else if (!at_work) {
        line("left", arena_format(a, "%s; nobody is running %s%s", text, left == 1 ? "it" : "them",
                                  s->at_most ? "" : advice(s, a)));
    } else if (writers == 0) {
        line("left",
             arena_format(a, "%s; a run has begun, and nothing is known of its rate", text));
    } else {
        line("left", arena_format(a, "%s; %s %s, at %.3g/s, %" PRIu64 " at a time", text,
                                  s->at_most ? "at most" : "about", time_text(s->left_s, a),
                                  s->rate, writers));
    }
}

/* "3 watchdog: point 2 (web.count=3) replication 7, ...". */
static void print_failed(const struct survey *s, struct arena *a)
{
    for (int k = 0; k < RUN_STATUSES; k++) {
        const char *text = "";
        for (size_t i = 0; i < s->n_failures; i++) {
            const struct survey_failure *f = &s->failures[i];
            if ((int)f->status == k) {
                const char *point = survey_point_name(s, f->point, a);
                text = arena_format(a, "%s%s%s%sreplication %" PRIu64, text, text[0] ? ", " : ": ",
                                    point, point[0] ? " " : "", f->replication);
            }
        }
        if (k != RUN_OK && s->status[k] > 0) {
            line("failed", arena_format(a, "%" PRIu64 " %s%s%s", s->status[k], run_status_names[k],
                                        text, s->status[k] > SURVEY_FAILURES ? ", ..." : ""));
        }
    }
}

static void print_head(const struct survey *s, struct arena *a)
{
    const struct results_meta *m = &s->meta;
    line("study",
         arena_format(a, "%s, %" PRIu64 " point%s, %s%" PRIu64 " replication%s each", m->name,
                      m->n_points, s_of(m->n_points), s->at_most ? "at most " : "",
                      m->n_replications, s_of(m->n_replications)));
    print_done(s, a);
    print_left(s, a);
    print_failed(s, a);
    double wall = 1e-9 * (double)s->wall_ns;
    if (s->done > 0) {
        line("time spent", arena_format(a, "%s, %s a replication, %.3g events/s",
                                        time_text(wall, a), time_text(wall / (double)s->done, a),
                                        wall > 0.0 ? (double)s->events / wall : 0.0));
    }
}

static const char *state_of(const struct survey *s, const struct survey_journal *j, struct arena *a)
{
    if (j->at_work) {
        return isnan(j->left_s)
                   ? "running"
                   : arena_format(a, "running, %s%s left", s->at_most ? "at most " : "",
                                  time_text(j->left_s, a));
    }
    return j->done == j->tasks ? "complete" : s->at_most ? "not running" : "stopped";
}

static void print_journals(const struct survey *s)
{
    struct table t = {.rows = NULL};
    struct arena *a = &t.memory;
    uint64_t damaged = 0;
    table_head(&t, "journals");
    table_text(&t, "shard");
    table_text(&t, "done");
    table_text(&t, s->at_most ? "at most" : "of");
    table_text(&t, "state");
    for (size_t i = 0; i < s->n_journals; i++) {
        const struct survey_journal *j = &s->journals[i];
        table_row(&t, j->path);
        table_text(&t, j->shards ? arena_format(a, "%" PRIu32 " of %" PRIu32, j->shard, j->shards)
                                 : "-");
        table_figure(&t, (double)j->done, NAN, "1", "");
        table_figure(&t, (double)j->tasks, NAN, "1", "");
        table_text(&t, state_of(s, j, a));
        damaged += j->damaged;
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
    if (damaged > 0) {
        printf("\nThe journals are damaged in %" PRIu64 " place%s; what was there is run again.\n",
               damaged, s_of(damaged));
    }
}

static void print_missing(const struct survey *s)
{
    uint32_t shards = s->journals[0].shards;
    if (s->n_missing > 0) {
        puts("");
    }
    for (size_t i = 0; i < s->n_missing && i < MISSING_MOST; i++) {
        printf("Shard %" PRIu32 " of %" PRIu32
               " is not among these; 'squall run CONFIG --shard %" PRIu32 "/%" PRIu32
               "' makes it.\n",
               s->missing[i], shards, s->missing[i], shards);
    }
    if (s->n_missing > MISSING_MOST) {
        printf("And %zu more shards are not among these.\n", s->n_missing - MISSING_MOST);
    }
}

static void put_session(struct table *t, const struct survey_session *r)
{
    struct arena *a = &t->memory;
    char begun[JOURNAL_TIME];
    const char *job = journal_session_job(&r->process, a);
    table_row(t, journal_time_text(r->process.begun, begun));
    table_text(t, arena_format(a, "%s:%" PRIu64, r->process.host, r->process.pid));
    table_text(t, job[0] ? job : "-");
    table_figure(t, (double)r->process.ranks, NAN, "1", "");
    table_figure(t, (double)r->done, NAN, "1", "");
    table_figure(t, r->done ? (double)r->wall_ns / (double)r->done : NAN, NAN, "ns", "");
    table_text(t, r->at_work ? "running" : "ended");
}

/* Those that run, and the last of the others. */
static void print_sessions(const struct survey *s)
{
    static const char *const heads[] = {"process", "job", "ranks", "replications", "each", "state"};
    struct table t = {.rows = NULL};
    size_t left_out = 0;
    table_head(&t, "runs since");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        table_text(&t, heads[i]);
    }
    for (size_t i = 0; i < s->n_sessions; i++) {
        bool listed = s->sessions[i].at_work || i + SESSIONS_MOST >= s->n_sessions;
        left_out += !listed;
        if (listed) {
            put_session(&t, &s->sessions[i]);
        }
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
    if (left_out > 0) {
        printf("\nAnd %zu others that have ended; --json tells of all.\n", left_out);
    }
}

static void print_points(const struct survey *s)
{
    struct table t = {.rows = NULL};
    uint32_t n_axes = s->axes ? s->axes->axes.n_axes : 0;
    table_head(&t, "point");
    for (uint32_t i = 0; i < n_axes; i++) {
        table_text(&t, s->axes->axes.axes[i].path);
    }
    table_text(&t, "done");
    table_text(&t, s->at_most ? "at most" : "of");
    table_text(&t, "failed");
    table_text(&t, "time each");
    for (uint64_t p = 0; p < s->meta.n_points; p++) {
        const struct survey_point *point = &s->points[p];
        table_row(&t, arena_format(&t.memory, "%" PRIu64, p));
        for (uint32_t i = 0; i < n_axes; i++) {
            const struct sweep *axes = &s->axes->axes;
            table_text(&t, axis_text(&axes->axes[i], sweep_value(axes, p, i), &t.memory));
        }
        table_figure(&t, (double)point->done, NAN, "1", "");
        table_figure(&t, (double)s->meta.n_replications, NAN, "1", "");
        table_figure(&t, (double)point->failed, NAN, "1", "");
        table_figure(&t, point->done ? (double)point->wall_ns / (double)point->done : NAN, NAN,
                     "ns", "");
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
}

static void print_all(const struct survey *s, bool by_point)
{
    struct arena memory = {0};
    print_head(s, &memory);
    print_journals(s);
    print_missing(s);
    print_sessions(s);
    if (by_point) {
        print_points(s);
    }
    arena_close(&memory);
}

/* --- the verb ----------------------------------------------------------------------------- */

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct status_options *o = state->input;
    (void)arg;
    switch (key) {
    case KEY_BY_POINT:
        o->by_point = true;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->journals = (const char *const *)state->argv + state->next;
        o->n_journals = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the journal is missing");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {.name = "by-point",
     .key = KEY_BY_POINT,
     .doc = "Also each point of the sweep: its values, and what was done there"},
    {.name = "json", .key = KEY_JSON, .doc = "The same as one JSON object"},
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "NAME.journal...",
    .doc = "Says how far a study is: what is done, what has failed, how long the rest will take, "
           "and who is at work. Takes the journal of a run, or those of the shards of one study, "
           "also while they are being written; a run is not disturbed. Exit status: 0, or 2 for "
           "what is no journal, or not of the same study."};

static enum exit_status run_status(int argc, char **argv, const struct entity_type *const *registry)
{
    struct status_options o = {.json = false};
    struct survey s;
    struct results_error error = {.text = ""};
    (void)registry;
    verb_parse(&argp, argc, argv, &o);
    bool ok = survey_take(&s, o.journals, o.n_journals, &error);
    if (ok) {
        (o.json ? status_json : print_all)(&s, o.by_point);
    } else {
        fprintf(stderr, "squall: %s\n", error.text);
    }
    survey_close(&s);
    return ok ? EXIT_DONE : EXIT_WRONG_INPUT;
}

const struct verb verb_status = {"status", "NAME.journal...", "tell how far a study is",
                                 run_status};
