/* SPDX-License-Identifier: Apache-2.0
 *
 * squall inspect: what a results file says, as tables for the terminal, or as CSV or JSON.
 */
#include "cli/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "cli/verb.h"
#include "results/layout.h"

enum {
    KEY_CSV = 0x100,
    KEY_JSON,
    KEY_PROVENANCE,
    KEY_ENTITY = 'e',
    KEY_TYPE = 't',
    KEY_CONFIDENCE = 'c'
};
enum { KEY_QUANTILES = 'q', KEY_ALL = 'a' };

#define DEFAULT_CONFIDENCE "95%"
#define DEFAULT_QUANTILES  "0.5,0.9,0.99,0.999"

/* A number or percentage between 0 and 1, both excluded. */
static double parse_share(struct inspect_options *o, const char *text, struct argp_state *state)
{
    double value = 0.5;
    const char *wrong = units_read_real(text, "1", &o->memory, &value);
    if (wrong) {
        argp_error(state, "%s", wrong);
    } else if (!(value > 0.0 && value < 1.0)) {
        argp_error(state, "'%s' is not between 0 and 1, nor between 0%% and 100%%", text);
    }
    return value;
}

static void parse_quantiles(struct inspect_options *o, const char *list, struct argp_state *state)
{
    char *rest = arena_copy(&o->memory, list), *text;
    o->quantiles = arena_take(&o->memory, (strlen(list) + 1) * sizeof *o->quantiles);
    o->n_quantiles = 0;
    while ((text = strsep(&rest, ","))) {
        double p = parse_share(o, text, state);
        o->quantiles[o->n_quantiles++] =
            (struct quantile){p, arena_format(&o->memory, "p%.10g", 100.0 * p)};
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct inspect_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        o->confidence = parse_share(o, DEFAULT_CONFIDENCE, state);
        parse_quantiles(o, DEFAULT_QUANTILES, state);
        return 0;
    case KEY_CSV:
    case KEY_JSON:
        o->form = key == KEY_CSV ? FORM_CSV : FORM_JSON;
        return 0;
    case KEY_ENTITY:
        o->entity = arg;
        return 0;
    case KEY_TYPE:
        o->type = arg;
        return 0;
    case KEY_CONFIDENCE:
        o->confidence = parse_share(o, arg, state);
        return 0;
    case KEY_QUANTILES:
        parse_quantiles(o, arg, state);
        return 0;
    case KEY_ALL:
        o->all = true;
        return 0;
    case KEY_PROVENANCE:
        o->provenance = true;
        return 0;
    case ARGP_KEY_END:
        if (o->provenance && o->form != FORM_TABLES) {
            argp_error(state, "--provenance is a table only; leave out --csv and --json");
        }
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
    {.name = "csv", .key = KEY_CSV, .doc = "One line for each number, in full precision"},
    {.name = "json", .key = KEY_JSON, .doc = "The same as an array of objects"},
    {.name = "entity",
     .key = KEY_ENTITY,
     .arg = "NAME",
     .doc = "Only this group (web), or one of its instances (web[2])"},
    {.name = "type", .key = KEY_TYPE, .arg = "TYPE", .doc = "Only entities of this type"},
    {.name = "confidence",
     .key = KEY_CONFIDENCE,
     .arg = "SHARE",
     .doc = "Of the intervals (" DEFAULT_CONFIDENCE ")"},
    {.name = "quantiles",
     .key = KEY_QUANTILES,
     .arg = "LIST",
     .doc = "Which of a histogram (" DEFAULT_QUANTILES ")"},
    {.name = "all",
     .key = KEY_ALL,
     .doc = "Also statistics that are zero throughout; CSV and JSON always have them"},
    {.name = "provenance",
     .key = KEY_PROVENANCE,
     .doc = "Instead of statistics: where and when replications were run, and their notes"},
    {.name = NULL}};
static const struct argp argp = {
    .options = rows,
    .parser = parse_option,
    .args_doc = "FILE.h5...",
    .doc = "Shows what results files say: for every group of entities its statistics, each with "
           "its confidence interval over replications. The instances of a group are taken "
           "together."};

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
    }
    if (ok && form != FORM_TABLES) {
        export_trace(v, lot);
    }
    arena_close(&v->lot);
    return ok;
}

/* The next group of a type, or the entity asked for: false after the last. `lot` is zero at first,
 * but for its type. */
static bool next_lot(const struct inspect_options *o, struct lot *lot)
{
    const struct results_type *t = lot->type;
    uint64_t i = lot->range.first + lot->range.count;
    for (; i < t->n_entities; i++) {
        lot->name = t->groups[i];
        lot->range = (struct results_range){i, 1};
        if (o->entity && strcmp(o->entity, t->groups[i]) != 0) {
            lot->name = t->entities[i];
            if (strcmp(o->entity, t->entities[i]) == 0) {
                return true;
            }
            continue;
        }
        while (i + lot->range.count < t->n_entities &&
               strcmp(t->groups[i + lot->range.count], lot->name) == 0) {
            lot->range.count++;
        }
        return true;
    }
    return false;
}

static bool read_runs(struct view *v)
{
    const struct results_meta *m = &v->results.meta;
    v->n_ok = 0;
    if (!results_runs(&v->results, v->point, v->runs, &v->error)) {
        return false;
    }
    for (uint64_t r = 0; r < m->n_replications; r++) {
        const struct results_run *run = &v->runs[r];
        bool counts = run->status == RUN_OK && run->sim_end > run->warmup;
        v->observed[r] = counts ? (double)(run->sim_end - run->warmup) / (double)SIM_TIME_S : 0.0;
        v->n_ok += counts;
    }
    return true;
}

static bool show_point(struct view *v)
{
    const struct inspect_options *o = v->options;
    if (!read_runs(v)) {
        return false;
    }
    if (o->form == FORM_TABLES) {
        if (v->results.meta.n_points > 1) {
            printf("\npoint %" PRIu64 "\n", v->point);
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
        while (ok && next_lot(o, &lot)) {
            ok = show_lot(v, &lot);
        }
    }
    arena_close(&memory);
    v->traced = NULL;
    return ok;
}

static bool show_file(struct view *v)
{
    struct arena memory = {0};
    uint64_t n = v->results.meta.n_replications;
    v->runs = arena_take(&memory, n * sizeof *v->runs);
    v->observed = arena_take(&memory, n * sizeof *v->observed);
    v->part = arena_take(&memory, sizeof *v->part);
    v->pooled = arena_take(&memory, sizeof *v->pooled);
    bool ok = true;
    if (v->options->form == FORM_TABLES) {
        inspect_print_head(v);
    }
    if (v->options->provenance) {
        ok = inspect_provenance(v);
        arena_close(&memory);
        return ok;
    }
    for (v->point = 0; ok && v->point < v->results.meta.n_points; v->point++) {
        ok = show_point(v);
    }
    arena_close(&memory);
    return ok;
}

/* Says that the file has nothing of this name. */
static bool refuse(const char *path, const char *what, const char *name, const char *const *names)
{
    const char *near = diag_nearest(name, names);
    fprintf(stderr, "squall: %s has no %s '%s'", path, what, name);
    if (near) {
        fprintf(stderr, " (did you mean '%s'?)", near);
    }
    fputc('\n', stderr);
    return false;
}

/* Whether what is asked for is in the file. */
static bool check_selection(const struct inspect_options *o, const char *path,
                            const struct results *r)
{
    struct arena memory = {0};
    size_t n = 0, room = r->n_types + 1;
    for (uint32_t i = 0; i < r->n_types; i++) {
        room += 2 * r->types[i].n_entities;
    }
    const char **names = arena_take(&memory, room * sizeof *names);
    bool ok = true, found = false;
    if (o->type && !results_find_type(r, o->type)) {
        for (uint32_t i = 0; i < r->n_types; i++) {
            names[n++] = r->types[i].name;
        }
        ok = refuse(path, "type of entity", o->type, names);
    }
    for (uint32_t i = 0; ok && o->entity && i < r->n_types; i++) {
        const struct results_type *t = &r->types[i];
        struct lot lot = {.type = t};
        if (o->type && strcmp(o->type, t->name) != 0) {
            continue;
        }
        found = found || next_lot(o, &lot);
        for (uint64_t k = 0; k < t->n_entities; k++) {
            names[n++] = t->groups[k];
            names[n++] = t->entities[k];
        }
    }
    if (ok && o->entity && !found) {
        ok = refuse(path, o->type ? "entity of this type called" : "entity", o->entity, names);
    }
    arena_close(&memory);
    return ok;
}

/* Everything that is wrong with what was asked is said before anything is shown. */
static bool check_files(const struct inspect_options *o)
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
        ok = check_selection(o, o->files[i], &results) && ok;
        results_close(&results);
    }
    return ok;
}

static bool show_files(const struct inspect_options *o)
{
    struct notes notes = {.left_out = 0};
    bool ok = true;
    if (o->form != FORM_TABLES) {
        inspect_export_begin(o->form);
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
