/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "config/bind.h"
#include "config/form.h"
#include "model/study.h"
#include "rng/cube.h"

/* Rows. */

/* A mapping whose keys are paths. */
struct path_block {
    const struct node *at;
};

/* Of any kind; the numbers that it has no rows for are 0. */
struct design {
    int64_t points, trajectories, levels, seed;
    struct path_block axes;
    const struct node *at;
};

struct sweep_block {
    LIST_OF(struct path_block) zip;
    LIST_OF(struct path_block) list;
    LIST_OF(struct design) random;
    LIST_OF(struct design) lhs;
    LIST_OF(struct design) sobol;
    LIST_OF(struct design) niederreiter;
    LIST_OF(struct design) morris;
    LIST_OF(struct design) saltelli;
};

static void keep_paths(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)d;
    (void)a;
    ((struct path_block *)params)->at = at;
}

static void keep_design(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)d;
    (void)a;
    ((struct design *)params)->at = at;
}

static void check_morris(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    const struct design *design = params;
    keep_design(params, at, d, a);
    if (design->levels % 2 != 0) {
        diag_error(d, node_child(at, "levels"),
                   "%lld levels; expected an even number, so that a step of half of them leads "
                   "from each level to one other",
                   (long long)design->levels);
    }
}

static const struct param_spec no_rows[] = {P_END};

static const struct schema zip_schema = {
    .name = "zip",
    .summary = "Paths, each with a list or a range of as many values as the others have. They are "
               "taken side by side: all first ones, all second ones, and so on.",
    .size = sizeof(struct path_block),
    .rows = no_rows,
    .open = true,
    .derive = keep_paths};

static const struct schema written_point_schema = {
    .name = "written point",
    .summary = "Paths, each with its value. All points of a list set the same paths.",
    .size = sizeof(struct path_block),
    .rows = no_rows,
    .open = true,
    .derive = keep_paths};

static const struct schema design_axes_schema = {
    .name = "design axes",
    .summary = "Paths, each with a span, or with a list, the items of which are equally likely.",
    .size = sizeof(struct path_block),
    .rows = no_rows,
    .open = true,
    .derive = keep_paths};

#define SEED_AND_AXES(seed_doc) \
    P_COUNT(design, seed, "1", 0, 9e18, \
            "Where the chance comes from; the seed of the study has no part in it." seed_doc), \
        P_BLOCK(design, axes, design_axes_schema, NULL, "What varies.")

static const struct param_spec design_rows[] = {
    P_COUNT(design, points, NULL, 1, AXIS_MOST_VALUES, "How many."),
    SEED_AND_AXES(" With 0, sobol and niederreiter are the sequences as published."), P_END};

static const struct schema design_schema = {
    .name = "design",
    .summary = "Points drawn by a rule from all that there could be.",
    .size = sizeof(struct design),
    .rows = design_rows,
    .derive = keep_design};

static const struct param_spec morris_rows[] = {
    P_COUNT(design, trajectories, NULL, 1, AXIS_MOST_VALUES,
            "How many; each has one point more than there are axes."),
    P_COUNT(design, levels, "4", 2, 1000,
            "Into how many evenly spread values an axis is divided, the ends among them: an even "
            "number, as a step is half of them. Items of a list are spread likewise."),
    SEED_AND_AXES(""), P_END};

static const struct schema morris_schema = {
    .name = "trajectories",
    .summary = "Points one after the other, of which each changes one axis of the one before.",
    .size = sizeof(struct design),
    .rows = morris_rows,
    .derive = check_morris};

static const struct param_spec saltelli_rows[] = {
    P_COUNT(design, points, NULL, 1, AXIS_MOST_VALUES,
            "How many pairs of points, best a power of two. Each takes as many points more as "
            "there are axes."),
    SEED_AND_AXES(" With 0, the sequence is the published one, which begins with two pairs of "
                  "equal points."),
    P_END};

static const struct schema saltelli_schema = {
    .name = "pairs",
    .summary =
        "Pairs of points of Sobol's sequence, and the first of each pair with one axis after "
        "the other taken from the second.",
    .size = sizeof(struct design),
    .rows = saltelli_rows,
    .derive = keep_design};

enum {
    ROW_ZIP,
    ROW_LIST,
    ROW_DESIGNS,
    ROW_MORRIS = ROW_DESIGNS + CUBE_NIEDERREITER + 1,
    ROW_SALTELLI
};

static const struct param_spec sweep_rows[] = {
    [ROW_ZIP] = P_LIST(sweep_block, zip, zip_schema, "[]", "Paths whose values go together."),
    [ROW_LIST] = P_LIST(sweep_block, list, written_point_schema, "[]", "Points written out."),
    [ROW_DESIGNS + CUBE_RANDOM] =
        P_LIST(sweep_block, random, design_schema, "[]", "Points independent of each other."),
    [ROW_DESIGNS + CUBE_LATIN] =
        P_LIST(sweep_block, lhs, design_schema, "[]",
               "A Latin hypercube: each of as many equal parts of an axis has one point."),
    [ROW_DESIGNS + CUBE_SOBOL] = P_LIST(
        sweep_block, sobol, design_schema, "[]",
        "Sobol's sequence, which leaves no large gaps, best with a power of two of points; for up "
        "to 40 axes."),
    [ROW_DESIGNS + CUBE_NIEDERREITER] =
        P_LIST(sweep_block, niederreiter, design_schema, "[]",
               "Niederreiter's sequence, likewise; for up to 12 axes."),
    [ROW_MORRIS] =
        P_LIST(sweep_block, morris, morris_schema, "[]",
               "Elementary effects (Morris 1991): which axes matter at all, which act together "
               "with others or not in proportion."),
    [ROW_SALTELLI] =
        P_LIST(sweep_block, saltelli, saltelli_schema, "[]",
               "What the variance of an outcome comes from (Sobol's indices by the design of "
               "Saltelli et al. 2010); for up to 20 axes."),
    P_END};

const struct schema sweep_schema = {
    .name = "sweep",
    .summary =
        "Points: the same study with other values. All other keys are paths, such as "
        "`users.arrivals.rate`, each with a list of values, a range, or one value. Each varies by "
        "itself: all combinations are run, the last one written changing fastest.",
    .size = sizeof(struct sweep_block),
    .rows = sweep_rows,
    .open = true};

/* Reading. */

struct reading {
    struct axis_reader reader;
    struct sweep *sweep;
    uint32_t most_axes, most_factors; /* that there is room for */
    const struct node **paths;        /* all that were met; their keys are the paths */
    const char **whole;               /* the same with `entities.` in front */
    uint32_t n_paths;
    bool full; /* there are more of them, which was told */
};

/* Paths. */

/* Keys that no sweep may lead into, and why. */
static const struct {
    const char *key, *why;
} fixed[] = {
    {"squall", "it is the version of the language"},
    {"name", "all points are in the results of this name"},
    {"seed", "all points have the same; chance differs between replications"},
    {"replications", "it is said once for all points"},
    {"interval", "the time series of all points have the same"},
    {"output", "the same is kept of all points"},
    {"sweep", "it says itself what varies"},
    {"search", "it says itself what varies"},
};
enum { FIXED = sizeof fixed / sizeof fixed[0] };

static const char *why_fixed(const char *key)
{
    for (int i = 0; i < FIXED; i++) {
        if (strcmp(fixed[i].key, key) == 0) {
            return fixed[i].why;
        }
    }
    return NULL;
}

static bool is_top(const char *key)
{
    return form_row(study_schema.rows, key) || form_row(study_blocks_schema.rows, key);
}

/* What a key of one step may be, ended by NULL: the words of a sweep and keys at the root. */
static const char *const *short_keys(struct arena *arena)
{
    const struct param_spec *const sets[] = {sweep_rows, study_schema.rows,
                                             study_blocks_schema.rows};
    size_t n = 1;
    for (int i = 0; i < 3; i++) {
        for (const struct param_spec *r = sets[i]; r->name; r++) {
            n++;
        }
    }
    const char **names = arena_take(arena, n * sizeof *names);
    n = 0;
    for (int i = 0; i < 3; i++) {
        for (const struct param_spec *r = sets[i]; r->name; r++) {
            if (!why_fixed(r->name) && strcmp(r->name, "entities") != 0) {
                names[n++] = r->name;
            }
        }
    }
    return names;
}

static void refuse_short(struct reading *b, const struct node *at)
{
    const char *near = diag_nearest(at->key, short_keys(b->reader.arena));
    if (form_row(sweep_rows, at->key)) {
        diag_error_key(b->reader.diag, at, "stands only directly in the sweep; expected a path");
    } else if (near) {
        diag_error_key(b->reader.diag, at, "unknown key (did you mean '%s'?)", near);
    } else {
        diag_error_key(b->reader.diag, at,
                       "expected a path such as users.arrivals.rate; an entity as a whole cannot "
                       "be swept, only what its keys are");
    }
}

/* Whether one path leads to the other's value or into it. */
static bool overlap(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), least = n < m ? n : m;
    char next = n < m ? b[n] : a[m];
    return strncmp(a, b, least) == 0 && (next == '\0' || next == '.' || next == '[');
}

static bool is_new(struct reading *b, const struct node *at, const char *whole)
{
    for (uint32_t i = 0; i < b->n_paths; i++) {
        const struct node *other = b->paths[i];
        if (strcmp(b->whole[i], whole) == 0) {
            diag_error_key(b->reader.diag, at, "stands in the sweep already, at %d:%d",
                           other->key_line, other->key_column);
            return false;
        }
        if (overlap(b->whole[i], whole)) {
            diag_error_key(b->reader.diag, at, "'%s', at %d:%d, sets the same; leave one of them",
                           other->key, other->key_line, other->key_column);
            return false;
        }
    }
    return true;
}

/* Whether the key of `at` is a path that may be swept. */
static bool take_path(struct reading *b, const struct node *at)
{
    struct diag *d = b->reader.diag;
    struct arena *arena = b->reader.arena;
    size_t length = strcspn(at->key, ".[");
    const char *first = arena_text(arena, at->key, length);
    const char *why = why_fixed(first);
    if (why) {
        diag_error_key(d, at, "'%s' cannot be swept: %s", first, why);
        return false;
    }
    const char *whole = is_top(first) ? at->key : arena_format(arena, "entities.%s", at->key);
    bool entity = strncmp(whole, "entities", strlen("entities")) == 0;
    const char *of = entity ? strchr(whole, '.') : NULL;
    const char *key = of ? strchr(of + 1, '.') : NULL;
    if (entity && !key && !strchr(whole, '[')) {
        refuse_short(b, at);
        return false;
    }
    if (key && overlap(key, ".type")) {
        diag_error_key(d, at, "the type of an entity cannot be swept: its statistics depend on it");
        return false;
    }
    if (b->n_paths == SWEEP_MOST_AXES) {
        if (!b->full) {
            diag_error_key(d, at, "more than %d paths are swept", SWEEP_MOST_AXES);
        }
        b->full = true;
        return false;
    }
    if (!is_new(b, at, whole)) {
        return false;
    }
    b->paths[b->n_paths] = at;
    b->whole[b->n_paths++] = whole;
    return true;
}

/* Axes and factors. */

/* A copy with room for twice as many items of `size` bytes. */
static void *grow(struct arena *arena, const void *items, uint32_t n, uint32_t *most, size_t size)
{
    *most = *most ? 2 * *most : 8;
    void *larger = arena_take(arena, *most * size);
    if (n > 0) {
        memcpy(larger, items, n * size);
    }
    return larger;
}

/* Of the factor that is being read. */
static void add_axis(struct reading *b, struct axis axis)
{
    struct sweep *s = b->sweep;
    if (s->n_axes == b->most_axes) {
        s->axes = grow(b->reader.arena, s->axes, s->n_axes, &b->most_axes, sizeof *s->axes);
    }
    axis.factor = s->n_factors;
    s->axes[s->n_axes++] = axis;
}

/* After its axes, which have so many levels. */
static void add_factor(struct reading *b, const struct node *at, uint64_t n)
{
    struct sweep *s = b->sweep;
    if (s->n_factors == b->most_factors) {
        s->factors =
            grow(b->reader.arena, s->factors, s->n_factors, &b->most_factors, sizeof *s->factors);
    }
    s->factors[s->n_factors++] = (struct sweep_factor){.n = n, .at = at};
}

static void read_alone(struct reading *b, const struct node *at)
{
    struct axis axis;
    bool good = take_path(b, at);
    if (axis_read(&b->reader, at, &axis) && good) {
        add_axis(b, axis);
        add_factor(b, at, axis.n);
    }
}

/* Whether any path stands in it. */
static bool has_paths(struct reading *b, const struct node *at)
{
    if (at->count == 0) {
        diag_error(b->reader.diag, at, "expected paths, each with what it is set to");
    }
    return at->count > 0;
}

static void read_zip(struct reading *b, const struct node *at)
{
    struct axis axis;
    const char *first = NULL;
    uint64_t n = 0;
    bool good = has_paths(b, at);
    for (const struct node *c = at->first; c; c = c->next) {
        good = take_path(b, c) && good;
        if (!axis_read(&b->reader, c, &axis)) {
            good = false;
        } else if (!first) {
            first = axis.path;
            n = axis.n;
            add_axis(b, axis);
        } else if (axis.n != n) {
            diag_error(b->reader.diag, c, "%llu value%s, but '%s' has %llu; expected as many",
                       (unsigned long long)axis.n, axis.n == 1 ? "" : "s", first,
                       (unsigned long long)n);
            good = false;
        } else {
            add_axis(b, axis);
        }
    }
    if (good) {
        add_factor(b, at, n);
    }
}

/* Reports paths that only one of two points sets. */
static void compare_paths(struct reading *b, const struct node *first, const struct node *point)
{
    for (const struct node *c = point->first; c; c = c->next) {
        if (!node_child(first, c->key)) {
            diag_error_key(b->reader.diag, c, "the first point of the list does not set this");
        }
    }
    for (const struct node *c = first->first; c && point->count <= first->count; c = c->next) {
        if (!node_child(point, c->key)) {
            diag_error(b->reader.diag, point,
                       "'%s' is missing, which the first point of the list "
                       "sets",
                       c->key);
        }
    }
}

static void read_points(struct reading *b, const struct node *at, const struct path_block *points,
                        uint32_t n)
{
    if (n == 0) {
        diag_error(b->reader.diag, at, "the list is empty; expected at least one point");
        return;
    }
    const struct node *first = points[0].at;
    bool good = has_paths(b, first);
    for (const struct node *c = first->first; c; c = c->next) {
        good = take_path(b, c) && good;
    }
    size_t errors = b->reader.diag->errors;
    for (uint32_t i = 1; i < n && good; i++) {
        compare_paths(b, first, points[i].at);
    }
    good = good && b->reader.diag->errors == errors;
    for (const struct node *c = first->first; c && good; c = c->next) {
        struct axis axis;
        const struct node **values = arena_take(b->reader.arena, n * sizeof *values);
        for (uint32_t i = 0; i < n; i++) {
            values[i] = node_child(points[i].at, c->key);
        }
        axis_give(&b->reader, c, values, n, &axis);
        add_axis(b, axis);
    }
    if (good) {
        add_factor(b, at, n);
    }
}

/* How many axes a design may have. */
static uint32_t axes_most(long place)
{
    switch (place) {
    case ROW_MORRIS:
        return UINT32_MAX;
    case ROW_SALTELLI:
        return cube_dims_most(CUBE_SOBOL) / 2;
    default:
        return cube_dims_most((enum cube_method)(place - ROW_DESIGNS));
    }
}

static uint64_t points_of(const struct design *design, long place, uint32_t dims)
{
    switch (place) {
    case ROW_MORRIS:
        return (uint64_t)design->trajectories * (dims + 1);
    case ROW_SALTELLI:
        return (uint64_t)design->points * (dims + 2);
    default:
        return (uint64_t)design->points;
    }
}

/* In the unit cube, of any design. */
static void fill_points(const struct design *design, long place, uint32_t dims, double *u)
{
    uint64_t seed = (uint64_t)design->seed, points = (uint64_t)design->points;
    switch (place) {
    case ROW_MORRIS:
        cube_trajectories((uint64_t)design->trajectories, (uint32_t)design->levels, dims, seed, u);
        break;
    case ROW_SALTELLI:
        cube_radial(points, dims, seed, u);
        break;
    default:
        cube_fill((enum cube_method)(place - ROW_DESIGNS), points, dims, seed, u);
    }
}

/* Of the factor read last, if there is anything to be known; its axes are the last ones. */
static void keep_order(struct reading *b, const struct design *design, long place, const double *u)
{
    if (place != ROW_MORRIS && place != ROW_SALTELLI) {
        return;
    }
    struct sweep *s = b->sweep;
    struct sweep_factor *f = &s->factors[s->n_factors - 1];
    uint32_t dims = design->axes.at->count;
    double *unit = arena_take(b->reader.arena, f->n * dims * sizeof *unit);
    struct sweep_design *kept = arena_take(b->reader.arena, sizeof *kept);
    memcpy(unit, u, f->n * dims * sizeof *unit);
    *kept = (struct sweep_design){
        .kind = sweep_rows[place].name,
        .size = (uint64_t)(place == ROW_MORRIS ? design->trajectories : design->points),
        .grid = (uint64_t)design->levels,
        .seed = (uint64_t)design->seed,
        .first_axis = s->n_axes - dims,
        .n_axes = dims,
        .unit = unit};
    f->design = kept;
}

static void read_design(struct reading *b, const struct design *design, long place)
{
    const struct node *axes = design->axes.at;
    uint32_t dims = axes->count;
    uint64_t n = points_of(design, place, dims);
    bool good = has_paths(b, axes);
    if (dims > axes_most(place)) {
        diag_error(b->reader.diag, axes, "%u axes; this design has at most %u", (unsigned)dims,
                   (unsigned)axes_most(place));
        return;
    }
    if (n * dims > AXIS_MOST_VALUES) {
        diag_error(b->reader.diag, axes, "%llu points of %u axes are more than %d values",
                   (unsigned long long)n, (unsigned)dims, AXIS_MOST_VALUES);
        return;
    }
    double *u = calloc(n * dims + 1, sizeof *u);
    CHECK(u, "out of memory (%llu points)", (unsigned long long)n);
    if (good) {
        fill_points(design, place, dims, u);
    }
    for (const struct node *c = axes->first; c; c = c->next) {
        struct axis axis;
        good = take_path(b, c) && good;
        if ((place == ROW_MORRIS ? axis_place : axis_draw)(&b->reader, c, u + c->index, n, dims,
                                                           &axis)) {
            add_axis(b, axis);
        } else {
            good = false;
        }
    }
    if (good) {
        add_factor(b, design->at, n);
        keep_order(b, design, place, u);
    }
    free(u);
}

/* What stands under one of the words. */
static void read_word(struct reading *b, const struct node *at, const struct param_spec *row)
{
    struct sweep_block block;
    struct binder binder = {b->reader.arena, b->reader.diag};
    if (!bind_value(row, at, NULL, &block, &binder)) {
        return;
    }
    long place = row - sweep_rows;
    const struct list *list = (const void *)((const char *)&block + row->offset);
    if (place == ROW_LIST) {
        read_points(b, at, list->items, list->count);
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (place == ROW_ZIP) {
            read_zip(b, ((const struct path_block *)list->items)[i].at);
        } else {
            read_design(b, &((const struct design *)list->items)[i], place);
        }
    }
}

/* The number of points, and how the factors take turns. */
static void multiply(struct reading *b, const struct node *block)
{
    struct sweep *s = b->sweep;
    s->n_points = 1;
    for (uint32_t i = s->n_factors; i-- > 0;) {
        struct sweep_factor *f = &s->factors[i];
        if (f->n > SWEEP_MOST_POINTS / s->n_points) {
            diag_error(b->reader.diag, block, "there are more than %d points", SWEEP_MOST_POINTS);
            return;
        }
        f->stride = s->n_points;
        s->n_points *= f->n;
    }
}

struct node *sweep_with(const struct node *block, const struct node *more, struct arena *arena)
{
    struct node *both = arena_take(arena, sizeof *both);
    uint32_t nodes = TREE_MAX_NODES;
    *both = *more;
    both->kind = NODE_MAPPING;
    both->count = 0;
    both->first = both->last = NULL;
    both->key = "sweep";
    for (int i = 0; i < 2; i++) {
        const struct node *from = i == 0 ? block : more;
        for (const struct node *n = from ? from->first : NULL; n; n = n->next) {
            struct node *copy = node_copy(n, arena, TREE_MAX_DEPTH, &nodes);
            CHECK(copy, "a tree that was read is too large to be copied");
            node_append(both, copy);
        }
    }
    return both;
}

bool sweep_read(const struct node *block, struct arena *arena, struct diag *diag, struct sweep *out)
{
    size_t errors = diag->errors;
    *out = (struct sweep){.n_points = 1};
    if (!block) {
        return true;
    }
    if (block->kind != NODE_MAPPING) {
        diag_error(diag, block, "expected a mapping from paths to values");
        return false;
    }
    struct sweep read = {.n_points = 1};
    struct reading b = {
        .reader = {.arena = arena, .diag = diag, .left = AXIS_MOST_VALUES},
        .sweep = &read,
        .paths = arena_take(arena, SWEEP_MOST_AXES * sizeof *b.paths),
        .whole = arena_take(arena, SWEEP_MOST_AXES * sizeof *b.whole),
    };
    for (const struct node *c = block->first; c; c = c->next) {
        const struct param_spec *row = form_row(sweep_rows, c->key);
        if (row) {
            read_word(&b, c, row);
        } else {
            read_alone(&b, c);
        }
    }
    multiply(&b, block);
    if (diag->errors == errors) {
        *out = read;
    }
    return diag->errors == errors;
}

uint64_t sweep_level(const struct sweep *s, uint64_t point, uint32_t factor)
{
    const struct sweep_factor *f = &s->factors[factor];
    return point / f->stride % f->n;
}

uint64_t sweep_value(const struct sweep *s, uint64_t point, uint32_t axis)
{
    const struct axis *a = &s->axes[axis];
    uint64_t level = sweep_level(s, point, a->factor);
    return a->order ? a->order[level] : level;
}
