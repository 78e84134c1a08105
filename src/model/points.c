/* SPDX-License-Identifier: Apache-2.0 */
#include "model/points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "config/dump.h"
#include "config/yaml.h"
#include "model/patch.h"
#include "model/resolved.h"

/* A configuration being read point by point. */
struct loading {
    struct points *points;
    struct study_source source;
    struct arena scratch;
    struct diag *diag;     /* of all points */
    struct diag shared;    /* warnings that are true of all so far */
    const struct node *at; /* the sweep; NULL without one */
    const char **series;   /* who keeps series at any point; ends with NULL */
    const char **names;    /* of the groups */
    const struct entity_type **types;
    uint32_t n_groups;
    const struct points_visitor *visitor; /* NULL: none */
};

const struct sweep points_alone = {.n_points = 1};

/* --- reading all -------------------------------------------------------------------------- */

static const char *sweep_text(const struct node *block, struct arena *arena)
{
    if (!block || block->count == 0) {
        return "";
    }
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK(out, "out of memory");
    fputs("sweep: ", out);
    dump_node(out, block);
    fputc('\n', out);
    CHECK(fclose(out) == 0, "out of memory");
    const char *copy = arena_text(arena, text, size);
    free(text);
    return copy;
}

/* The axis of a search is the last factor, and halves are taken of it. */
static void check_search(struct loading *l, const struct node *root)
{
    const struct node *axis = study_search_axis(root);
    if (!axis) {
        return;
    }
    const struct sweep *s = &l->points->axes;
    uint64_t levels = s->factors[s->n_factors - 1].n;
    if (axis->count != 1 || s->axes[s->n_axes - 1].order) {
        diag_error(l->diag, axis, "a search has one path with a range or a list of values");
    } else if (levels < 2 || ((levels - 1) & (levels - 2)) != 0) {
        diag_error(
            l->diag, axis->first,
            "halves cannot be taken of %llu values; of 2, 3, 5, 9, 17, 33, 65, 129, ... they "
            "can",
            (unsigned long long)levels);
    }
}

/* Reads the sweep alone, with what the overrides make of it. */
static bool read_sweep(struct loading *l)
{
    struct points *p = l->points;
    size_t errors = l->diag->errors;
    struct node *root =
        yaml_parse(l->source.file, l->source.text, l->source.length, &p->memory, l->diag);
    l->at = root ? study_sweep(root, l->source.overrides, &p->memory, l->diag) : NULL;
    if (!root || !sweep_read(l->at, &p->memory, l->diag, &p->axes)) {
        return false;
    }
    check_search(l, root);
    p->sweep = sweep_text(l->at, &p->memory);
    p->n = p->axes.n_points;
    p->items = calloc(p->n, sizeof *p->items);
    CHECK(p->items, "out of memory for %llu points", (unsigned long long)p->n);
    return l->diag->errors == errors;
}

/* Groups are those of the first point, in the same order. */
static void note_groups(struct loading *l, const struct study *s)
{
    struct points *p = l->points;
    l->n_groups = s->n_groups;
    l->names = arena_take(&l->scratch, s->n_groups * sizeof *l->names);
    l->types = arena_take(&l->scratch, s->n_groups * sizeof *l->types);
    l->series = arena_take(&l->scratch, (s->n_groups + 1) * sizeof *l->series);
    p->counts = calloc(s->n_groups + (size_t)1, sizeof *p->counts);
    CHECK(p->counts, "out of memory for %u groups", s->n_groups);
    for (uint32_t g = 0; g < s->n_groups; g++) {
        l->names[g] = arena_copy(&l->scratch, s->groups[g].name);
        l->types[g] = s->groups[g].type;
    }
}

static bool has_groups(const struct loading *l, const struct study *s)
{
    bool same = s->n_groups == l->n_groups;
    for (uint32_t g = 0; same && g < l->n_groups; g++) {
        same = s->groups[g].type == l->types[g] && strcmp(s->groups[g].name, l->names[g]) == 0;
    }
    return same;
}

/* True when somebody keeps series who did not before. */
static bool note_series(struct loading *l, const struct study *s)
{
    bool more = false;
    for (uint32_t g = 0; g < l->n_groups; g++) {
        size_t k = 0;
        while (l->series[k] && strcmp(l->series[k], l->names[g]) != 0) {
            k++;
        }
        if (s->blueprint.groups[g].sampled && !l->series[k]) {
            l->series[k] = l->names[g];
            more = true;
        }
    }
    return more;
}

static void note_counts(struct loading *l, const struct study *s)
{
    uint32_t *most = l->points->counts;
    for (uint32_t g = 0; g < l->n_groups; g++) {
        uint32_t count = s->blueprint.groups[g].count;
        l->points->uneven |= most[g] != 0 && most[g] != count;
        most[g] = count > most[g] ? count : most[g];
    }
}

static void keep_text(struct loading *l, const struct study *s, uint64_t point)
{
    struct points *p = l->points;
    struct arena own = {0};
    const char *text = resolved_text(s, point == 0 ? &p->memory : &own);
    p->resolved = point == 0 ? text : p->resolved;
    p->items[point] =
        (struct point){.hash = plan_hash(s), .patch = patch_make(p->resolved, text, &p->memory)};
    arena_close(&own);
}

/* At which point a mistake was met; with many axes its number has to do. */
static const char *where(struct loading *l, uint64_t point)
{
    enum { AXES_TOLD = 4 };
    const struct points *p = l->points;
    if (p->n == 1) {
        return "";
    }
    const char *name = p->axes.n_axes <= AXES_TOLD ? points_name(p, point, NULL, &l->scratch) : "";
    return arena_format(&l->scratch, " (at point %llu%s%s)", (unsigned long long)point,
                        name[0] ? ": " : "", name);
}

/* Reads one point; false after mistakes. */
static bool load_point(struct loading *l, uint64_t point, bool *more_series)
{
    struct diag diag = {0};
    l->source.point = point;
    struct study *s = study_read(&l->source, &diag);
    diag_join(l->diag, &diag, where(l, point));
    diag_share_warnings(&l->shared, &diag, point == 0);
    diag_close(&diag);
    if (!s) {
        return false;
    }
    if (!l->names) {
        note_groups(l, s);
    }
    bool fits = has_groups(l, s);
    if (fits) {
        *more_series |= note_series(l, s) && point > 0;
        note_counts(l, s);
        if (l->diag->errors == 0) { /* else there is nothing to be kept */
            keep_text(l, s, point);
        }
        if (l->visitor) {
            l->visitor->visit(l->visitor->context, s, &l->points->items[point], point,
                              l->points->n);
        }
    } else {
        diag_error(l->diag, l->at,
                   "the points do not have the same entities: a sweep can change "
                   "how many there are, not which");
    }
    study_close(s);
    return fits;
}

/* What else is wrong in a configuration whose sweep cannot be read. */
static void look_around(struct loading *l)
{
    struct diag diag = {0};
    l->source.sweep = &points_alone;
    study_close(study_read(&l->source, &diag));
    diag_join(l->diag, &diag, "");
    diag_close(&diag);
}

static bool load_all(struct loading *l, bool *more_series)
{
    struct points *p = l->points;
    bool good = true;
    for (uint64_t k = 0; k < p->n; k++) {
        good = load_point(l, k, more_series) && good;
    }
    return good;
}

bool points_load(struct points *p, const char *path, const char *const *overrides,
                 const struct entity_type *const *registry, struct diag *diag,
                 const struct points_visitor *visitor)
{
    *p = (struct points){.registry = registry};
    struct loading l = {.points = p, .diag = diag, .visitor = visitor};
    l.source = (struct study_source){
        .file = path, .overrides = overrides, .sweep = &p->axes, .registry = registry};
    l.source.text = yaml_read_file(path, &l.source.length, &p->memory, diag);
    bool more_series = false;
    p->config = l.source.text;
    bool readable = l.source.text && read_sweep(&l);
    bool good = readable && load_all(&l, &more_series);
    if (l.source.text && !readable) {
        look_around(&l);
    }
    diag_drop_notes(diag, p->n); /* where all points have it, it is none of them */
    if (good && more_series) {
        /* Whoever is named in the timeline of some points keeps series at all of them. */
        l.source.series = l.series;
        good = load_all(&l, &more_series);
    }
    diag_share_warnings(diag, &l.shared, true);
    diag_close(&l.shared);
    arena_close(&l.scratch);
    if (!good) {
        points_close(p);
    } else {
        CHECK(points_study(p, 0), "a resolved configuration does not load");
    }
    return good;
}

/* --- making them anew --------------------------------------------------------------------- */

bool points_axes(struct points *p, struct arena *arena, struct diag *diag)
{
    const struct node *root = NULL;
    if (p->sweep[0]) {
        root = yaml_parse("sweep", p->sweep, strlen(p->sweep), arena, diag);
    }
    return (root || !p->sweep[0]) && sweep_read(node_child(root, "sweep"), arena, diag, &p->axes) &&
           p->axes.n_points == p->n;
}

bool points_restore(struct points *p, const struct points *from,
                    const struct entity_type *const *registry, struct diag *diag)
{
    *p = (struct points){.registry = registry, .n = from->n, .uneven = from->uneven};
    p->resolved = arena_copy(&p->memory, from->resolved);
    p->sweep = arena_copy(&p->memory, from->sweep);
    p->items = calloc(p->n, sizeof *p->items);
    CHECK(p->items, "out of memory for %llu points", (unsigned long long)p->n);
    for (uint64_t k = 0; k < p->n; k++) {
        p->items[k] = from->items[k];
        p->items[k].patch = arena_copy(&p->memory, from->items[k].patch);
    }
    const struct study *first = points_study(p, 0);
    bool good = first && points_axes(p, &p->memory, diag);
    if (good) {
        uint32_t n = first->n_groups;
        p->counts = calloc(n + (size_t)1, sizeof *p->counts);
        CHECK(p->counts, "out of memory for %u groups", n);
        memcpy(p->counts, from->counts, n * sizeof *p->counts);
    } else {
        points_close(p);
    }
    return good;
}

void points_close(struct points *p)
{
    study_close(p->held);
    free(p->items);
    free(p->counts);
    arena_close(&p->memory);
    *p = (struct points){.n = 0};
}

const struct study *points_study(struct points *p, uint64_t point)
{
    if (p->held && p->at == point) {
        return p->held;
    }
    study_close(p->held);
    p->held = NULL;
    struct arena scratch = {0};
    struct diag diag = {0};
    const char *text = patch_apply(p->resolved, p->items[point].patch, &scratch);
    if (text) {
        p->held = study_read(&(struct study_source){.file = "resolved",
                                                    .text = text,
                                                    .length = strlen(text),
                                                    .sweep = &points_alone,
                                                    .registry = p->registry},
                             &diag);
        p->at = point;
    }
    diag_close(&diag);
    arena_close(&scratch);
    if (p->held && plan_hash(p->held) != p->items[point].hash) {
        study_close(p->held);
        p->held = NULL;
    }
    return p->held;
}

uint64_t points_hash(const struct points *p)
{
    uint64_t hash = p->items[0].hash;
    for (uint64_t k = 1; k < p->n; k++) {
        hash = hash_pair(hash, p->items[k].hash);
    }
    return hash;
}

void points_whole(const struct points *p, struct arena *arena, struct blueprint *b)
{
    const struct blueprint *held = &p->held->blueprint;
    struct group_plan *groups = arena_take(arena, held->n_groups * sizeof *groups);
    *b = (struct blueprint){.groups = groups, .n_groups = held->n_groups};
    for (uint32_t g = 0; g < held->n_groups; g++) {
        groups[g] = held->groups[g];
        groups[g].name = arena_copy(arena, held->groups[g].name);
        groups[g].first = b->n_entities;
        groups[g].count = p->counts[g];
        b->n_entities += p->counts[g];
    }
}

const char *points_name(const struct points *p, uint64_t point, const struct axis *except,
                        struct arena *arena)
{
    const char *text = "";
    for (uint32_t a = 0; a < p->axes.n_axes; a++) {
        const struct axis *axis = &p->axes.axes[a];
        if (axis != except) {
            text = arena_format(arena, "%s%s%s=%s", text, text[0] ? ", " : "", axis->path,
                                axis->texts[sweep_value(&p->axes, point, a)]);
        }
    }
    return text;
}
