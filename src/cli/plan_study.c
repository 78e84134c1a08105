/* SPDX-License-Identifier: Apache-2.0
 *
 * The first half of squall plan in words and tables.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/units.h"
#include "cli/plan.h"
#include "cli/plan_words.h"
#include "cli/table.h"
#include "parallel/efficiency.h"

/* Least and most of something. */
struct range_of {
    double least, most;
};

static void widen(struct range_of *r, double value)
{
    if (!isnan(value)) {
        r->least = fmin(r->least, value);
        r->most = fmax(r->most, value);
    }
}

static const struct range_of nothing = {INFINITY, -INFINITY};

/* "2.5", or "2.5 to 4". */
static const char *spread(struct range_of r, struct arena *a)
{
    const char *least = plan_number(r.least, a), *most = plan_number(r.most, a);
    return strcmp(least, most) == 0 ? most : arena_format(a, "%s to %s", least, most);
}

/* --- what it consists of ------------------------------------------------------------------ */

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *cut_short(const char *text, struct arena *a)
{
    enum { LONGEST = 24 };
    size_t length = strlen(text);
    if (length <= LONGEST) {
        return text;
    }
    length = LONGEST - 3;
    while (length > 0 && (text[length] & 0xC0) == 0x80) {
        length--; /* not within a letter */
    }
    return arena_format(a, "%.*s...", (int)length, text);
}

static void print_axes(const struct sweep *s)
{
    struct table t = {.rows = NULL};
    table_head(&t, "axis");
    table_text(&t, "values");
    table_text(&t, "first");
    table_text(&t, "last");
    for (uint32_t i = 0; i < s->n_axes; i++) {
        const struct axis *axis = &s->axes[i];
        table_row(&t, axis->path);
        table_figure(&t, (double)axis->n, NAN, "1", "");
        table_text(&t, cut_short(axis_text(axis, 0, &t.memory), &t.memory));
        table_text(&t, cut_short(axis_text(axis, axis->n - 1, &t.memory), &t.memory));
    }
    puts("");
    table_print(&t, stdout);
    puts("");
    table_close(&t);
}

static const char *at_most(const struct forecast *f)
{
    return f->at_most ? " at most" : "";
}

static const char *durations(const struct forecast *f, struct arena *a)
{
    sim_time least = SIM_TIME_NEVER, most = 0;
    for (uint64_t k = 0; k < f->n; k++) {
        sim_time d = f->points[k].duration;
        least = d < least ? d : least;
        most = d > most ? d : most;
    }
    const char *longest = arena_copy(a, units_write_duration(most).text);
    return least == most ? longest
                         : arena_format(a, "%s to %s", units_write_duration(least).text, longest);
}

static void print_tasks(const struct plan *p, struct arena *a)
{
    const struct forecast *f = &p->forecast;
    const char *points = "", *least = "", *tasks = "";
    if (f->levels > 0) {
        points =
            arena_format(a,
                         "%" PRIu64 " search%s on %" PRIu64 " levels, of which %" PRIu64
                         " are visited at most, by ",
                         f->n / f->levels, f->n == f->levels ? "" : "es", f->levels, f->visited);
    } else if (f->n > 1) {
        points = arena_format(a, "%" PRIu64 " points of ", f->n);
    }
    if (f->min < f->replications) {
        least = arena_format(a, "%" PRIu64 " to ", f->min);
    }
    if (f->n > 1 || f->at_most || f->pilots) {
        tasks = arena_format(a, ": %" PRIu64 " tasks%s", forecast_tasks(f), at_most(f));
    }
    plan_line("study", arena_format(a, "%s%s%" PRIu64 " replication%s of %s%s%s", points, least,
                                    f->replications, plural(f->replications), durations(f, a),
                                    f->pilots ? ", and one to find the warm-up" : "", tasks));
}

/* --- what it takes ------------------------------------------------------------------------ */

static void print_events(const struct plan *p, struct arena *a)
{
    const struct forecast *f = &p->forecast;
    struct range_of each = nothing;
    for (uint64_t k = 0; k < f->n; k++) {
        widen(&each, f->points[k].events);
    }
    const char *text = arena_format(a, "about %s a replication", spread(each, a));
    if (forecast_tasks(f) > 1) {
        text = arena_format(a, "%s, %s in all%s", text, plan_number(f->events, a), at_most(f));
    }
    plan_line("events", text);
}

/* Replications that were not run to their ends. */
static const char *tell_cut(const struct forecast *f, struct arena *a)
{
    uint32_t cut = 0;
    double least = 1.0;
    for (uint32_t i = 0; i < f->n_runs; i++) {
        cut += f->runs[i].share < 1.0;
        least = fmin(least, f->runs[i].share);
    }
    if (cut == 0) {
        return "";
    }
    return arena_format(a,
                        "; cut short at %.2g %% of the time%s, so that nothing is known of what "
                        "comes later",
                        100.0 * least, f->n_runs > 1 ? " or later" : "");
}

/* What is known of the machine, and of what the traffic equations leave out. */
static void print_calibration(const struct plan *p, struct arena *a)
{
    const struct forecast *f = &p->forecast;
    if (f->n_runs == 0) {
        plan_line("calibrated", arena_format(a,
                                             "no: as if nothing were tried again, on a "
                                             "machine that takes %s ns an event",
                                             plan_number(machine_default.event, a)));
        return;
    }
    struct range_of ns = nothing, ratio = nothing;
    for (uint32_t i = 0; i < f->n_runs; i++) {
        widen(&ns, f->runs[i].ns);
        widen(&ratio, f->runs[i].ratio);
    }
    const char *text =
        arena_format(a, "by running %" PRIu32 " point%s here for %s", f->n_runs, plural(f->n_runs),
                     plan_seconds((double)f->run_ns / SIM_TIME_S, a));
    if (ns.most > 0.0) {
        text = arena_format(a, "%s: %s ns an event", text, spread(ns, a));
    }
    if (ratio.most > 0.0) {
        text =
            arena_format(a, "%s, %s events for each that is expected when nothing is tried again",
                         text, spread(ratio, a));
    }
    plan_line("calibrated", arena_format(a, "%s%s", text, tell_cut(f, a)));
}

static void print_time(const struct plan *p, struct arena *a)
{
    const struct forecast *f = &p->forecast;
    const char *range = "";
    const char *low = plan_seconds(f->ns_low / SIM_TIME_S, a);
    const char *high = plan_seconds(f->ns_high / SIM_TIME_S, a);
    if (strcmp(low, high) != 0) {
        range =
            arena_format(a, " (%s to %s, were all other points like one that was run)", low, high);
    }
    plan_line("time", arena_format(a, "about %s%s on one core%s",
                                   plan_seconds(f->ns / SIM_TIME_S, a), at_most(f), range));
    if (p->ranks > 0) {
        const char *busy = f->levels > 0 ? ", if the searches keep them busy" : "";
        plan_line("", arena_format(a, "about %s%s on %" PRId64 " rank%s%s",
                                   plan_seconds(p->on_ranks, a), at_most(f), p->ranks,
                                   plural((uint64_t)p->ranks), busy));
    }
    if (p->shards > 0) {
        const char *on = "one core";
        if (p->ranks > 0) {
            on = arena_format(a, "%" PRId64 " rank%s", p->ranks, plural((uint64_t)p->ranks));
        }
        plan_line("",
                  arena_format(a, "each of %" PRId64 " shard%s: about %s at most on %s", p->shards,
                               plural((uint64_t)p->shards), plan_seconds(p->shard, a), on));
    }
}

/* Memory is reserved generously, and taken when it is needed: that matters to a limit only. */
static const char *address_space(const struct plan *p, struct arena *a)
{
    struct rlimit limit;
    bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return limited ? arena_format(a, "; %s of address space, of which `ulimit -v` allows %s",
                                  plan_bytes(p->ranks_address, a),
                                  plan_bytes((double)limit.rlim_cur, a))
                   : "";
}

static void print_room(const struct plan *p, struct arena *a)
{
    const struct forecast *f = &p->forecast;
    if (f->n_runs == 0) {
        plan_line("memory", arena_format(a, "about %s for a model, and what a program of MPI takes",
                                         plan_bytes(f->memory, a)));
        return;
    }
    plan_line("memory", arena_format(a, "about %s a rank, %s of it for a model%s",
                                     plan_bytes(p->ranks_memory, a), plan_bytes(f->memory, a),
                                     address_space(p, a)));
    plan_line("disk", arena_format(a,
                                   "about %s%s for the journal; the results file takes no more "
                                   "than that and %s",
                                   plan_bytes(f->records, a), at_most(f),
                                   plan_bytes(FORECAST_FILE_BYTES, a)));
}

/* --- points ------------------------------------------------------------------------------- */

static void print_point(const struct plan *p, uint32_t row, struct table *t)
{
    const struct sweep *s = &p->points.axes;
    uint64_t point = p->rows[row];
    const struct forecast_point *f = &p->forecast.points[point];
    table_row(t, arena_format(&t->memory, "%" PRIu64 "%s", point, f->ran ? " *" : ""));
    for (uint32_t i = 0; i < s->n_axes && i < PLAN_AXES_SHOWN; i++) {
        const char *text = axis_text(&s->axes[i], sweep_value(s, point, i), &t->memory);
        table_text(t, cut_short(text, &t->memory));
    }
    table_text(t, plan_number(f->events, &t->memory));
    table_text(t, plan_seconds(f->ns / SIM_TIME_S, &t->memory));
    table_text(t, plan_bytes(f->memory, &t->memory));
    if (p->forecast.n > PLAN_POINTS_ALL) {
        table_text(t, row == 0 ? "the costliest"
                               : arena_format(&t->memory, "%.0f %%",
                                              100.0 - 100.0 * row / (p->n_rows - 1)));
    }
}

static void print_points(const struct plan *p)
{
    const struct sweep *s = &p->points.axes;
    struct table t = {.rows = NULL};
    table_head(&t, "point");
    for (uint32_t i = 0; i < s->n_axes && i < PLAN_AXES_SHOWN; i++) {
        table_text(&t, s->axes[i].path);
    }
    table_text(&t, "events");
    table_text(&t, "time");
    table_text(&t, "memory");
    if (p->forecast.n > PLAN_POINTS_ALL) {
        table_text(&t, "costs more than");
    }
    for (uint32_t i = 0; i < p->n_rows; i++) {
        print_point(p, i, &t);
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
    plan_say("Events and time are those of one replication.%s",
             p->forecast.n_runs > 0 ? " A star: the point was run." : "");
}

/* "Points 3, 5 and 8", of those that were run: stuck ones, or tripped ones. "" where none are. */
static const char *list_points(const struct forecast *f, bool stuck, struct arena *a)
{
    const char *text = "";
    uint64_t last = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_runs; i++) {
        if (stuck ? f->runs[i].stuck : f->runs[i].tripped) {
            text = n == 0 ? "" : arena_format(a, "%s%s%" PRIu64, text, n > 1 ? ", " : "", last);
            last = f->runs[i].point;
            n++;
        }
    }
    if (n == 0 || f->n == 1) {
        return n == 0 ? "" : "The study";
    }
    return n == 1 ? arena_format(a, "Point %" PRIu64, last)
                  : arena_format(a, "Points %s and %" PRIu64, text, last);
}

static void print_warnings(const struct plan *p, struct arena *a)
{
    const char *stuck = list_points(&p->forecast, true, a);
    const char *tripped = list_points(&p->forecast, false, a);
    if (*stuck) {
        plan_say("%s: stuck, events go on without time passing; do users think for no time?",
                 stuck);
    }
    if (*tripped) {
        plan_say("%s: the failure budget is spent, which ends replications before their time.",
                 tripped);
    }
}

void plan_study_print(const struct plan *p)
{
    struct arena memory = {0};
    printf("%s (%s)\n", p->points.held->settings.name, p->path);
    if (p->points.axes.n_axes > 0) {
        print_axes(&p->points.axes);
    }
    print_tasks(p, &memory);
    print_events(p, &memory);
    print_calibration(p, &memory);
    print_time(p, &memory);
    print_room(p, &memory);
    if (p->points.axes.n_axes > 0) {
        print_points(p);
    }
    print_warnings(p, &memory);
    arena_close(&memory);
}
