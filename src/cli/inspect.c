/* SPDX-License-Identifier: Apache-2.0
 *
 * squall inspect: what a results file says, as tables for the terminal, or as CSV or JSON.
 */
#include "cli/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "results/layout.h"

enum { KEY_ALL = 'a', KEY_PROVENANCE = 0x100 };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct inspect_options *o = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = o;
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
    {.name = "all",
     .key = KEY_ALL,
     .doc = "Also statistics that are zero throughout; CSV and JSON always have them"},
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
           "together.",
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
    }
    if (ok && form != FORM_TABLES) {
        export_trace(v, lot);
    }
    arena_close(&v->lot);
    return ok;
}

static bool show_point(struct view *v)
{
    const struct inspect_options *o = v->options;
    if (!inspect_read_runs(v)) {
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
        while (ok && inspect_next_lot(o, &lot)) {
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
    v->pairs = inspect_design(&v->results).pairs;
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
        ok = inspect_check_selection(o, o->files[i], &results) && ok;
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
