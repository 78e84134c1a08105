/* SPDX-License-Identifier: Apache-2.0
 *
 * squall inspect: what a results file says, as tables for the terminal, or as CSV or JSON.
 */
#include "cli/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "cli/asked.h"
#include "cli/verb.h"
#include "results/layout.h"

enum {
    KEY_ALL = 'a',
    KEY_STAT = 's',
    KEY_WHERE = 'w',
    KEY_POINT = 'p',
    KEY_PROVENANCE = 0x100,
    KEY_SEARCH,
    KEY_ALL_POINTS,
    KEY_SPARKLINES
};

static void parse_point(struct inspect_options *o, const char *text, struct argp_state *state)
{
    int64_t number = 0;
    const char *wrong = units_read_count(text, &o->memory, &number);
    if (wrong) {
        argp_error(state, "%s", wrong);
    } else if (number < 0) {
        argp_error(state, "points have numbers from 0 on, not '%s'", text);
    }
    o->point = (uint64_t)number;
    o->has_point = true;
}

static void parse_where(struct inspect_options *o, const char *text, struct argp_state *state)
{
    if (!strchr(text, '=')) {
        argp_error(state, "'%s' is no PATH=VALUE, such as users.arrivals.rate=500/s", text);
    }
    o->wheres[o->n_wheres++] = text;
}

static void parse_sparklines(struct inspect_options *o, const char *text, struct argp_state *state)
{
    int choice = 0;
    while (sparkline_words[choice] && strcmp(sparkline_words[choice], text) != 0) {
        choice++;
    }
    if (choice == SPARKLINE_CHOICES) {
        argp_error(state, "'%s' is none of auto, always and never", text);
    }
    o->sparklines = (enum sparkline_choice)choice;
}

/* Room for as many as there are arguments. */
static void begin_lists(struct inspect_options *o, const struct argp_state *state)
{
    size_t n = (size_t)state->argc;
    o->stats = arena_take(&o->memory, n * sizeof *o->stats);
    o->wheres = arena_take(&o->memory, n * sizeof *o->wheres);
}

static void check_options(const struct inspect_options *o, struct argp_state *state)
{
    if (o->provenance && o->form != FORM_TABLES) {
        argp_error(state, "--provenance is a table only; leave out --csv and --json");
    }
    if (o->provenance && o->search) {
        argp_error(state, "--provenance and --search each stand alone; leave one out");
    }
    if (o->all_points && o->n_stats > 0) {
        argp_error(state, "--stat makes one row for each point; leave it out, or --all-points");
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct inspect_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = o;
        begin_lists(o, state);
        return 0;
    case KEY_STAT:
        o->stats[o->n_stats++] = arg;
        return 0;
    case KEY_WHERE:
        parse_where(o, arg, state);
        return 0;
    case KEY_POINT:
        parse_point(o, arg, state);
        return 0;
    case KEY_ALL_POINTS:
        o->all_points = true;
        return 0;
    case KEY_SPARKLINES:
        parse_sparklines(o, arg, state);
        return 0;
    case KEY_SEARCH:
        o->search = true;
        return 0;
    case KEY_ALL:
        o->all = true;
        return 0;
    case KEY_PROVENANCE:
        o->provenance = true;
        return 0;
    case ARGP_KEY_END:
        check_options(o, state);
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->n_files = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the results file is missing");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option rows[] = {
    {.name = "all",
     .key = KEY_ALL,
     .doc = "Also statistics that are zero throughout; CSV and JSON always have them"},
    {.name = "stat",
     .key = KEY_STAT,
     .arg = "MEASURE",
     .doc = "One row for each point with this, for instance users.request_latency.p99, "
            "users.successes/users.logical_requests, or with <90% behind it the share of "
            "replications in which it is less; may be repeated"},
    {.name = "point", .key = KEY_POINT, .arg = "N", .doc = "Only this point of a sweep"},
    {.name = "where",
     .key = KEY_WHERE,
     .arg = "PATH=VALUE",
     .doc = "Only points that have this value on the axis, for instance "
            "users.arrivals.rate=500/s; may be repeated"},
    {.name = "all-points",
     .key = KEY_ALL_POINTS,
     .doc = "Whole tables of all points, not one row for each"},
    {.name = "sparklines",
     .key = KEY_SPARKLINES,
     .arg = "WHEN",
     .doc = "Show time series as lines of blocks: auto (default; on a terminal that shows "
            "UTF-8), always or never"},
    {.name = "search",
     .key = KEY_SEARCH,
     .doc = "Instead of statistics: what a search has found; also as CSV and JSON"},
    {.name = "provenance",
     .key = KEY_PROVENANCE,
     .doc = "Instead of statistics: where and when replications were run, and their notes"},
    {.name = NULL}};
static const struct argp_child children[] = {{.argp = &inspect_selection}, {.argp = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "FILE.h5...",
    .doc = "Shows what results files say: for every group of entities its statistics, each with "
           "its confidence interval over replications. The instances of a group are taken "
           "together. Of a sweep there is one row for each point, and whole tables of one that is "
           "asked for.",
    .children = children};

static void export_entry(const struct view *v, const struct lot *lot, const struct entry *e)
{
    for (size_t i = 0; i < e->n; i++) {
        inspect_export(v, lot, e->row->name, NULL, &e->figures[i]);
    }
    for (size_t p = 0; p < e->n_parts; p++) {
        const struct part *part = &e->parts[p];
        for (size_t i = 0; i < part->values.n; i++) {
            inspect_export(v, lot, e->row->name, &part->key, &part->values.figures[i]);
        }
    }
}

static void export_trace(const struct view *v, const struct lot *lot)
{
    for (int kind = 0; v->traced && kind < TRACE_KINDS; kind++) {
        struct figure f = inspect_traced(v, lot, kind);
        inspect_export(v, lot, LAYOUT_TRACE, NULL, &f);
    }
}

static bool show_lot(struct view *v, const struct lot *lot)
{
    size_t n = lot->type->n_rows, shown = 0;
    enum form form = v->options->form;
    struct entry *entries = arena_take(&v->lot, n * sizeof *entries);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        struct entry *e = &entries[i];
        e->row = &lot->type->rows[i];
        ok = inspect_read(v, lot, e);
        if (ok && form != FORM_TABLES) {
            export_entry(v, lot, e);
        }
        if (ok && e->zero && !v->options->all) {
            v->notes->left_out += e->row->kind != STAT_BREAKDOWN;
            e->row = NULL;
        }
        shown += e->row != NULL;
    }
    if (ok && form == FORM_TABLES && shown > 0) {
        inspect_print_tables(v, lot, entries, n);
        ok = inspect_print_series(v, lot, entries, n);
    }
    if (ok && form != FORM_TABLES) {
        export_trace(v, lot);
    }
    arena_close(&v->lot);
    return ok;
}

static void print_point(const struct view *v)
{
    struct arena memory = {0};
    const char *name = inspect_point_name(&v->results, v->point, &memory);
    printf("\npoint %" PRIu64 "%s%s\n", v->results.points[v->point], name[0] ? ": " : "", name);
    arena_close(&memory);
}

static bool show_point(struct view *v)
{
    const struct inspect_options *o = v->options;
    if (!inspect_read_runs(v)) {
        return false;
    }
    if (o->form == FORM_TABLES) {
        if (v->results.meta.n_points > 1) {
            print_point(v);
        }
        inspect_print_runs(v);
        if (v->n_ok == 0) {
            return true;
        }
    }
    struct arena memory = {0};
    bool ok = inspect_read_trace(v, &memory);
    for (uint32_t i = 0; ok && i < v->results.n_types; i++) {
        struct lot lot = {.type = &v->results.types[i]};
        if (o->type && strcmp(o->type, lot.type->name) != 0) {
            continue;
        }
        while (ok && inspect_next_lot(o, &lot)) {
            ok = show_lot(v, &lot);
        }
    }
    arena_close(&memory);
    v->traced = NULL;
    return ok;
}

/* Above the points that are chosen; what was searched is told where all are. */
static bool show_head(struct view *v, uint64_t n_chosen)
{
    const struct inspect_options *o = v->options;
    if (o->form != FORM_TABLES) {
        return true;
    }
    inspect_print_head(v);
    if (o->provenance || o->search || n_chosen < v->results.meta.n_points) {
        return true;
    }
    inspect_print_axes(&v->results);
    return inspect_search(v);
}

/* One row for each, where there are several or something else is asked; else whole tables. */
static bool show_points(struct view *v, const bool *chosen, uint64_t n)
{
    const struct inspect_options *o = v->options;
    bool ok = true;
    if (o->n_stats > 0 || (o->form == FORM_TABLES && n > 1 && !o->all_points)) {
        return inspect_sweep(v, chosen);
    }
    for (v->point = 0; ok && v->point < v->results.meta.n_points; v->point++) {
        ok = !chosen[v->point] || show_point(v);
    }
    return ok;
}

static bool show_file(struct view *v)
{
    struct arena memory = {0};
    uint64_t n = 0;
    inspect_prepare(v, &memory);
    bool *chosen = arena_take(&memory, v->results.meta.n_points * sizeof *chosen);
    bool ok = inspect_choose(v->options, v->path, &v->results, chosen, &n) && show_head(v, n);
    if (v->options->provenance) {
        ok = ok && inspect_provenance(v);
    } else if (v->options->search) {
        ok = ok && inspect_search(v);
    } else {
        ok = ok && show_points(v, chosen, n);
    }
    arena_close(&memory);
    return ok;
}

/* Whether all that is asked for of points is in the file; if not, says so. */
static bool check_points(const struct inspect_options *o, const char *path, struct results *r)
{
    struct arena memory = {0};
    struct results_error error = {""};
    struct results_thresholds found;
    uint64_t n;
    bool *chosen = arena_take(&memory, r->meta.n_points * sizeof *chosen);
    bool ok = inspect_choose(o, path, r, chosen, &n);
    for (size_t i = 0; i < o->n_stats; i++) {
        struct asked asked;
        const char *wrong = asked_find(r, o->stats[i], &memory, &asked);
        if (wrong) {
            fprintf(stderr, "squall: %s is asked for %s: %s\n", path, o->stats[i], wrong);
            ok = false;
        }
    }
    if (o->search && results_thresholds(r, &found, &error) && found.n == 0) {
        fprintf(stderr, "squall: %s tells of no search: its study has none\n", path);
        ok = false;
    }
    arena_close(&memory);
    return ok;
}

/* CSV has a column for each axis of all files. */
static void add_axes(struct inspect_options *o, const struct results *r)
{
    const char **axes = arena_take(&o->memory, (o->n_axes + r->n_axes + 1) * sizeof *axes);
    for (size_t i = 0; i < o->n_axes; i++) {
        axes[i] = o->axes[i];
    }
    for (uint32_t a = 0; a < r->n_axes; a++) {
        size_t i = 0;
        while (i < o->n_axes && strcmp(axes[i], r->axes[a].path) != 0) {
            i++;
        }
        if (i == o->n_axes) {
            axes[o->n_axes++] = arena_copy(&o->memory, r->axes[a].path);
        }
    }
    o->axes = axes;
}

/* Everything that is wrong with what was asked is said before anything is shown. */
static bool check_files(struct inspect_options *o)
{
    bool ok = true;
    for (int i = 0; i < o->n_files; i++) {
        struct results results;
        struct results_error error = {""};
        if (!results_open(o->files[i], &results, &error)) {
            fprintf(stderr, "squall: %s\n", error.text);
            ok = false;
            continue;
        }
        ok = inspect_check_selection(o, o->files[i], &results) && ok;
        ok = check_points(o, o->files[i], &results) && ok;
        add_axes(o, &results);
        results_close(&results);
    }
    return ok;
}

static bool show_files(const struct inspect_options *o)
{
    struct notes notes = {.left_out = 0};
    bool ok = true;
    if (o->form != FORM_TABLES) {
        inspect_export_begin(o);
    }
    for (int i = 0; ok && i < o->n_files; i++) {
        struct view v = {.options = o, .path = o->files[i], .notes = &notes};
        if (i > 0 && o->form == FORM_TABLES) {
            puts("");
        }
        ok = results_open(v.path, &v.results, &v.error) && show_file(&v);
        if (!ok) {
            fprintf(stderr, "squall: %s\n", v.error.text);
        }
        results_close(&v.results);
    }
    if (o->form == FORM_TABLES) {
        inspect_print_foot(o, &notes);
    } else {
        inspect_export_end(o->form);
    }
    if (fflush(stdout) != 0) {
        perror("squall: standard output");
        return false;
    }
    return ok;
}

static enum exit_status run_inspect(int argc, char **argv,
                                    const struct entity_type *const *registry)
{
    (void)registry; /* files say themselves what is in them */
    struct inspect_options o = {.entity = NULL};
    verb_parse(&argp, argc, argv, &o);
    enum exit_status status = EXIT_WRONG_INPUT;
    if (check_files(&o)) {
        status = show_files(&o) ? EXIT_DONE : EXIT_TROUBLE;
    }
    arena_close(&o.memory);
    return status;
}

const struct verb verb_inspect = {"inspect", "FILE.h5...", "show results as tables, CSV or JSON",
                                  run_inspect};
