/* SPDX-License-Identifier: Apache-2.0
 *
 * squall plan: what a study consists of and what running it will take, and what dividing its model
 * among ranks would bring.
 */
#include "cli/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/simtime.h"
#include "base/units.h"
#include "cli/plan_division.h"
#include "cli/verb.h"
#include "experiment/makespan.h"
#include "experiment/progress.h"

enum {
    KEY_RANKS = 'n',
    KEY_DIVIDE = 'd',
    KEY_SHARDS = 0x300,
    KEY_NO_CALIBRATION,
    KEY_JSON,
    SHARDS_MOST = 1000000
};

static const uint64_t CALIBRATION_NS = 1500000000; /* wall time, about */

struct plan_options {
    struct overrides overrides;
    struct team_request team;
    const char *path;
    int64_t ranks, shards;
    bool divide; /* something was said of a division */
    bool uncalibrated, json;
};

static int64_t read_count(const char *arg, const char *option, int64_t most,
                          struct argp_state *state)
{
    struct arena memory = {0};
    int64_t n = 0;
    const char *wrong = units_read_count(arg, &memory, &n);
    if (wrong || n < 1 || n > most) {
        argp_error(state, "%s takes a whole number from 1 to %lld, not '%s'", option,
                   (long long)most, arg);
    }
    arena_close(&memory);
    return n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct plan_options *o = state->input;
    switch (key) {
    case VERB_SET_KEY:
        overrides_add(&o->overrides, arg);
        return 0;
    case KEY_RANKS:
        o->ranks = read_count(arg, "--ranks", PLAN_RANKS_MOST, state);
        return 0;
    case KEY_SHARDS:
        o->shards = read_count(arg, "--shards", SHARDS_MOST, state);
        return 0;
    case KEY_DIVIDE:
        o->divide = true;
        return 0;
    case KEY_NO_CALIBRATION:
        o->uncalibrated = true;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    default:
        if (verb_team_option(key, arg, state, &o->team) == 0) {
            o->divide = true;
            return 0;
        }
        return verb_argument(key, arg, state, "the configuration", &o->path);
    }
}

static const struct argp_option rows[] = {
    VERB_SET_OPTION,
    {.name = "ranks",
     .key = KEY_RANKS,
     .arg = "N",
     .doc = "How many there are: tells how long the study takes on them (default: one; for "
            "divisions a few numbers of them, up to where more do not help)"},
    {.name = "shards",
     .key = KEY_SHARDS,
     .arg = "N",
     .doc = "Tell how long each of N shards takes at most"},
    {.name = "no-calibration",
     .key = KEY_NO_CALIBRATION,
     .doc = "Run nothing: tell what is expected when nothing is tried again, on some machine"},
    {.name = "json",
     .key = KEY_JSON,
     .doc = "The study as an object, with one division of its model where any is asked for: which "
            "part of each group is on which rank, and what goes between ranks"},
    {.name = "divide",
     .key = KEY_DIVIDE,
     .doc = "Look at divisions of the model also where a study has many points and not more ranks "
            "than replications"},
    {.name = "ranks-per-replication",
     .key = VERB_RANKS_KEY,
     .arg = "N",
     .doc = "Look at a division among N ranks only"},
    VERB_PARTITION_OPTIONS,
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "CONFIG",
    .doc = "Tells how many points and replications a study has, and about how many events, how "
           "much time, memory and disk it will take. For this a few points, the costliest among "
           "them, are run for a second or two. Then, of the costliest point, whether one "
           "replication would run faster if its model were divided among ranks, how much, what "
           "limits it, and what would help."};

/* --- reading ------------------------------------------------------------------------------ */

struct reading {
    struct forecast *forecast;
    struct progress_reading progress;
};

static void note_point(void *context, const struct study *s, struct point *point, uint64_t k,
                       uint64_t n)
{
    struct reading *r = context;
    (void)point;
    forecast_note(r->forecast, s, k, n);
    progress_read(&r->progress, k + 1, n);
}

static bool read_points(struct plan *p, const struct plan_options *o,
                        const struct entity_type *const *registry)
{
    struct diag diag = {0};
    struct reading r = {.forecast = &p->forecast};
    progress_reading_open(&r.progress, false);
    const struct points_visitor visitor = {note_point, &r};
    bool good = points_load(&p->points, o->path, o->overrides.items, registry, &diag, &visitor);
    progress_reading_close(&r.progress);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    return good;
}

/* --- the study ---------------------------------------------------------------------------- */

/* Hands out the tasks on paper. A search is taken to visit all levels for a part of the time. */
static void find_times(struct plan *p)
{
    const struct forecast *f = &p->forecast;
    double *cost = malloc(f->n * sizeof *cost);
    CHECK(cost, "out of memory for %llu points", (unsigned long long)f->n);
    double share = f->levels > 0 ? (double)f->visited / (double)f->levels : 1.0;
    for (uint64_t k = 0; k < f->n; k++) {
        cost[k] = share * f->points[k].ns / SIM_TIME_S;
    }
    struct agenda_plan tasks = {.n_points = f->n,
                                .n_replications = f->replications + f->pilots,
                                .cost = cost,
                                .goals = &p->points.held->goals,
                                .levels = f->levels};
    uint64_t workers = makespan_workers(p->ranks > 0 ? (uint64_t)p->ranks : 1);
    if (p->ranks > 0) {
        p->on_ranks = makespan(&tasks, f->order, workers);
    }
    if (p->shards > 0) {
        uint32_t shards = (uint32_t)p->shards;
        p->longest = makespan_shard(&tasks, shards);
        tasks.shards = shards;
        tasks.shard = p->longest;
        p->shard = makespan(&tasks, f->order, workers);
    }
    free(cost);
}

static void find_room(struct plan *p)
{
    const struct forecast *f = &p->forecast;
    if (f->n_runs > 0) {
        p->ranks_memory = f->resident + f->memory + FORECAST_RANK_BYTES;
        p->ranks_address = f->address + f->reserved;
    }
}

/* All points, or some from the costliest to the cheapest. */
static void find_rows(struct plan *p)
{
    const struct forecast *f = &p->forecast;
    p->ranked = malloc(f->n * sizeof *p->ranked);
    CHECK(p->ranked, "out of memory for %llu points", (unsigned long long)f->n);
    forecast_rank(f, p->ranked);
    bool all = f->n <= PLAN_POINTS_ALL;
    p->n_rows = all ? (uint32_t)f->n : PLAN_POINTS_MORE + 2;
    for (uint32_t i = 0; i < p->n_rows; i++) {
        p->rows[i] = all ? i : p->ranked[forecast_place(f, i / (PLAN_POINTS_MORE + 1.0))];
    }
}

/* --- the division ------------------------------------------------------------------------- */

/* A division is for one replication; where there are more of these than ranks, they keep the ranks
 * busy by themselves. A study of one point is small enough to tell in any case. */
static bool may_matter(const struct plan *p, const struct plan_options *o)
{
    return o->divide || p->forecast.n == 1 || (uint64_t)o->ranks > forecast_tasks(&p->forecast);
}

/* As its configuration stands, so that places in it are told. */
static struct study *read_costliest(const struct plan *p, const struct plan_options *o,
                                    const struct entity_type *const *registry)
{
    struct diag diag = {0};
    const struct study_source source = {.file = o->path,
                                        .text = p->points.config,
                                        .length = strlen(p->points.config),
                                        .overrides = o->overrides.items,
                                        .sweep = &p->points.axes,
                                        .point = p->ranked[0],
                                        .registry = registry};
    struct study *s = study_read(&source, &diag);
    diag_close(&diag);
    CHECK(s, "a configuration does not load again");
    return s;
}

static void divide_costliest(const struct plan *p, const struct plan_options *o,
                             const struct entity_type *const *registry)
{
    const struct forecast *f = &p->forecast;
    const struct forecast_point *point = &f->points[p->ranked[0]];
    struct study *study = read_costliest(p, o, registry);
    struct arena memory = {0};
    const char *title = "One replication, its model divided among ranks";
    if (f->n > 1) {
        title = arena_format(&memory, "%s, at point %llu, the costliest (%s)", title,
                             (unsigned long long)p->ranked[0],
                             points_name(&p->points, p->ranked[0], NULL, &memory));
    }
    uint64_t tasks = forecast_tasks(f);
    const struct plan_question q = {.title = title,
                                    .point = p->ranked[0],
                                    .json = o->json,
                                    .study = study,
                                    .ranks = o->ranks,
                                    .team = &o->team,
                                    .ns = f->n_runs > 0 ? point->ns : 0.0,
                                    .tasks = tasks,
                                    .mean =
                                        point->ns > 0.0 ? f->ns / (double)tasks / point->ns : 1.0};
    plan_divide(&q);
    arena_close(&memory);
    study_close(study);
}

/* --- all of it ---------------------------------------------------------------------------- */

static void tell(struct plan *p, const struct plan_options *o,
                 const struct entity_type *const *registry)
{
    if (!o->uncalibrated) {
        CHECK(forecast_calibrate(&p->forecast, &p->points, CALIBRATION_NS),
              "a resolved configuration does not load");
    }
    forecast_conclude(&p->forecast);
    find_times(p);
    find_room(p);
    find_rows(p);
    if (o->json) {
        plan_study_json(p);
        if (o->divide) {
            fputs(",\n \"division\": ", stdout);
            divide_costliest(p, o, registry);
        }
        puts("}");
        return;
    }
    plan_study_print(p);
    if (may_matter(p, o)) {
        divide_costliest(p, o, registry);
    }
}

static enum exit_status run_plan(int argc, char **argv, const struct entity_type *const *registry)
{
    struct plan_options o = {.path = NULL};
    enum exit_status status = EXIT_WRONG_INPUT;
    verb_parse(&argp, argc, argv, &o);
    struct plan p = {.path = o.path, .ranks = o.ranks, .shards = o.shards};
    if (o.ranks > 0 && o.team.ranks > o.ranks) {
        fprintf(stderr,
                "squall: --ranks-per-replication %lld of --ranks %lld: there are not so many\n",
                (long long)o.team.ranks, (long long)o.ranks);
    } else if (read_points(&p, &o, registry)) {
        forecast_goals(&p.forecast, &p.points);
        tell(&p, &o, registry);
        points_close(&p.points);
        status = EXIT_DONE;
    }
    forecast_close(&p.forecast);
    free(p.ranked);
    overrides_close(&o.overrides);
    return status;
}

const struct verb verb_plan = {"plan", "CONFIG", "what a study will take; nothing is recorded",
                               run_plan};
