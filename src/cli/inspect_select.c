/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of results files: the options that say it, and the way through a file that they
 * select.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/units.h"
#include "cli/inspect.h"
#include "config/yaml.h"

enum {
    KEY_CSV = 0x180,
    KEY_JSON,
    KEY_ENTITY = 'e',
    KEY_TYPE = 't',
    KEY_CONFIDENCE = 'c',
    KEY_QUANTILES = 'q'
};

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
    {.name = "group", .flags = OPTION_ALIAS},
    {.name = "type", .key = KEY_TYPE, .arg = "TYPE", .doc = "Only entities of this type"},
    {.name = "confidence",
     .key = KEY_CONFIDENCE,
     .arg = "SHARE",
     .doc = "Of the intervals (" DEFAULT_CONFIDENCE ")"},
    {.name = "quantiles",
     .key = KEY_QUANTILES,
     .arg = "LIST",
     .doc = "Which of a histogram (" DEFAULT_QUANTILES ")"},
    {.name = NULL}};
const struct argp inspect_selection = {.options = rows, .parser = parse_option};

bool inspect_next_lot(const struct inspect_options *o, struct lot *lot)
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

static bool says(const struct node *n, const char *word)
{
    return n && n->text && strcmp(n->text, word) == 0;
}

static struct design read_design(const struct results *r)
{
    struct arena memory = {0};
    struct diag diag = {.errors = 0};
    const char *text = r->meta.resolved;
    const struct node *root = yaml_parse("", text, strlen(text), &memory, &diag);
    const struct node *replications = node_child(root, "replications");
    struct design d = {.pairs = says(node_child(replications, "antithetic"), "true"),
                       .independent = says(node_child(root, "seeds"), "independent")};
    diag_close(&diag);
    arena_close(&memory);
    return d;
}

struct design inspect_prepare(struct view *v, struct arena *memory)
{
    struct design d = read_design(&v->results);
    uint64_t n = v->results.meta.n_replications;
    v->pairs = d.pairs;
    v->runs = arena_take(memory, n * sizeof *v->runs);
    v->observed = arena_take(memory, n * sizeof *v->observed);
    v->part = arena_take(memory, sizeof *v->part);
    v->pooled = arena_take(memory, sizeof *v->pooled);
    return d;
}

void inspect_count_runs(struct view *v)
{
    uint64_t n = v->results.meta.n_replications;
    for (uint64_t r = 0; v->pairs && r < n; r += 2) {
        if (r + 1 == n || !(v->observed[r] > 0.0 && v->observed[r + 1] > 0.0)) {
            v->observed[r] = v->observed[r + 1 < n ? r + 1 : r] = 0.0;
        }
    }
    v->n_ok = 0;
    for (uint64_t r = 0; r < n; r++) {
        v->n_ok += v->observed[r] > 0.0;
    }
}

bool inspect_read_runs(struct view *v)
{
    const struct results_meta *m = &v->results.meta;
    uint64_t n = m->n_replications;
    if (!results_runs(&v->results, v->point, v->runs, &v->error)) {
        return false;
    }
    for (uint64_t r = 0; r < n; r++) {
        const struct results_run *run = &v->runs[r];
        bool counts = run->status == RUN_OK && run->sim_end > run->warmup;
        v->observed[r] = counts ? (double)(run->sim_end - run->warmup) / (double)SIM_TIME_S : 0.0;
    }
    inspect_count_runs(v);
    return true;
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

const char *const *inspect_names(const struct results *r, const char *type, struct arena *arena)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->n_types; i++) {
        n += 2 * r->types[i].n_entities;
    }
    const char **names = arena_take(arena, (n + 1) * sizeof *names);
    n = 0;
    for (uint32_t i = 0; i < r->n_types; i++) {
        const struct results_type *t = &r->types[i];
        for (uint64_t k = 0; (!type || strcmp(type, t->name) == 0) && k < t->n_entities; k++) {
            names[n++] = t->groups[k];
            names[n++] = t->entities[k];
        }
    }
    return names;
}

static const char *const *type_names(const struct results *r, struct arena *arena)
{
    const char **names = arena_take(arena, ((size_t)r->n_types + 1) * sizeof *names);
    for (uint32_t i = 0; i < r->n_types; i++) {
        names[i] = r->types[i].name;
    }
    return names;
}

bool inspect_check_selection(const struct inspect_options *o, const char *path,
                             const struct results *r)
{
    struct arena memory = {0};
    bool ok = !o->type || results_find_type(r, o->type) ||
              refuse(path, "type of entity", o->type, type_names(r, &memory));
    bool found = !o->entity;
    for (uint32_t i = 0; ok && !found && i < r->n_types; i++) {
        struct lot lot = {.type = &r->types[i]};
        found = (!o->type || strcmp(o->type, lot.type->name) == 0) && inspect_next_lot(o, &lot);
    }
    if (ok && !found) {
        ok = refuse(path, o->type ? "entity of this type called" : "entity", o->entity,
                    inspect_names(r, o->type, &memory));
    }
    arena_close(&memory);
    return ok;
}
