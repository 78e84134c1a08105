/* SPDX-License-Identifier: Apache-2.0 */
#include "results/skeleton.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "results/layout.h"

static bool attr_hash(struct h5 *h, const char *name, uint64_t value)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    return h5_attr_text(h, h->file, name, text);
}

/* What the user said: the text, and what was changed of it on the command line. */
static uint64_t config_hash(const struct results_meta *m)
{
    uint64_t hash = hash_text(m->config);
    return m->overrides && m->overrides[0] ? hash_pair(hash, hash_text(m->overrides)) : hash;
}

static bool root_attributes(struct h5 *h, const struct results_meta *m)
{
    const uint64_t schema[] = {LAYOUT_MAJOR, LAYOUT_MINOR};
    return h5_attr_text(h, h->file, "filetype", LAYOUT_FILETYPE) &&
           h5_attr_numbers(h, h->file, "schema", schema, 2) &&
           h5_attr_text(h, h->file, "Conventions", "CF-1.11") &&
           h5_attr_text(h, h->file, "title", m->name) &&
           h5_attr_text(h, h->file, "software", m->software) &&
           h5_attr_text(h, h->file, "git", m->git) &&
           h5_attr_numbers(h, h->file, "seed", &m->seed, 1) &&
           attr_hash(h, "plan_hash", m->plan_hash) && attr_hash(h, "config_hash", config_hash(m));
}

bool skeleton_finish(struct h5 *h, uint64_t digest)
{
    return attr_hash(h, "results_digest", digest);
}

/* A dimension that counts from 0 in steps of `step`. */
static bool counting_scale(struct h5 *h, const char *path, uint64_t n, uint64_t step,
                           const char *units, const char *long_name)
{
    uint64_t *value = malloc((n + 1) * sizeof *value);
    CHECK(value != NULL, "out of memory for results");
    for (uint64_t i = 0; i < n; i++) {
        value[i] = i * step;
    }
    bool ok = h5_scale_numbers(h, path, value, n, units, long_name);
    free(value);
    return ok;
}

static bool runs_dimensions(struct h5 *h, const struct arrangement *s, const char *group)
{
    char path[LAYOUT_PATH];
    snprintf(path, sizeof path, "%spoint", group);
    bool ok = h5_scale_numbers(h, path, s->points, s->n_points, "1", "Sweep point");
    snprintf(path, sizeof path, "%sreplication", group);
    return ok && counting_scale(h, path, s->n_replications, 1, "1", "Replication");
}

/* What the points of the file have on one axis. */
static bool axis_values(struct h5 *h, const struct arrangement *s, uint32_t a)
{
    const struct sweep *sweep = &s->meta->points->axes;
    const struct axis *axis = &sweep->axes[a];
    struct arena memory = {0};
    double *number = arena_take(&memory, s->n_points * sizeof *number);
    const char **text = arena_take(&memory, s->n_points * sizeof *text);
    char *path = arena_format(&memory, LAYOUT_AXES "/%s", axis->path);
    for (char *slash = strchr(path, '/') + 1; (slash = strchr(slash, '/'));) {
        *slash = '|'; /* a key may have it, a name in HDF5 not */
    }
    for (uint64_t p = 0; p < s->n_points; p++) {
        uint64_t value = sweep_value(sweep, s->points[p], a);
        number[p] = axis->numbers ? axis->numbers[value] : 0.0;
        text[p] = axis->texts[value];
    }
    const char *scale;
    bool ok = skeleton_dimensions(h, &memory, path, NULL, false, 1, &scale) &&
              (axis->numbers ? h5_reals(h, path, number, s->n_points, scale, axis->unit, axis->path)
                             : h5_texts(h, path, text, s->n_points, scale, axis->path));
    arena_close(&memory);
    return ok;
}

static bool axes(struct h5 *h, const struct arrangement *s)
{
    uint32_t n = s->meta->points ? s->meta->points->axes.n_axes : 0;
    bool ok = true;
    for (uint32_t a = 0; ok && a < n; a++) {
        ok = axis_values(h, s, a);
    }
    return ok;
}

static bool design_attributes(struct h5 *h, const char *path, const struct sweep_design *d)
{
    hid_t group = H5Gopen2(h->file, path, H5P_DEFAULT);
    H5_TRY(h, path, group);
    bool ok = h5_attr_text(h, group, "kind", d->kind) &&
              h5_attr_numbers(h, group, "size", &d->size, 1) &&
              (d->grid == 0 || h5_attr_numbers(h, group, "levels", &d->grid, 1)) &&
              h5_attr_numbers(h, group, "seed", &d->seed, 1);
    H5_TRY(h, path, H5Gclose(group));
    return ok;
}

/* Where the points of the file are in the unit cube. */
static bool design_places(struct h5 *h, const struct arrangement *s, uint32_t factor,
                          const struct h5_shape *shape, const char *path)
{
    const struct sweep *sweep = &s->meta->points->axes;
    const struct sweep_design *d = sweep->factors[factor].design;
    double *unit = malloc((s->n_points * d->n_axes + 1) * sizeof *unit);
    CHECK(unit != NULL, "out of memory for results");
    for (uint64_t p = 0; p < s->n_points; p++) {
        uint64_t row = sweep_level(sweep, s->points[p], factor);
        memcpy(unit + p * d->n_axes, d->unit + row * d->n_axes, d->n_axes * sizeof *unit);
    }
    hid_t id = -1;
    bool ok = h5_dataset(h, path, H5T_IEEE_F64LE, shape, &id) &&
              h5_describe(h, id, "1", "Place in the unit cube");
    if (id >= 0) {
        bool wrote =
            !ok || H5Dwrite(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, unit) >= 0;
        ok = (wrote || h5_failed(h, path)) && (H5Dclose(id) >= 0 || h5_failed(h, path)) && ok;
    }
    free(unit);
    return ok;
}

static bool design(struct h5 *h, const struct arrangement *s, uint32_t factor, uint32_t number)
{
    const struct sweep *sweep = &s->meta->points->axes;
    const struct sweep_design *d = sweep->factors[factor].design;
    struct arena memory = {0};
    struct h5_shape shape = {.rank = 2, .dims = {s->n_points, d->n_axes}};
    const char *group = arena_format(&memory, LAYOUT_DESIGNS "/%u", (unsigned)number);
    const char *row = arena_format(&memory, "%s/row", group), *scale;
    const char **paths = arena_take(&memory, d->n_axes * sizeof *paths);
    uint64_t *rows = arena_take(&memory, s->n_points * sizeof *rows);
    for (uint32_t a = 0; a < d->n_axes; a++) {
        paths[a] = sweep->axes[d->first_axis + a].path;
    }
    for (uint64_t p = 0; p < s->n_points; p++) {
        rows[p] = sweep_level(sweep, s->points[p], factor);
    }
    bool ok = skeleton_dimensions(h, &memory, row, NULL, false, 1, &scale);
    shape.scales[0] = ok ? scale : NULL;
    shape.scales[1] = arena_format(&memory, "%s/axis", group);
    ok = ok && design_attributes(h, group, d) &&
         h5_scale_texts(h, shape.scales[1], paths, d->n_axes, "Path that varies") &&
         h5_numbers(h, row, H5T_STD_U64LE, rows, s->n_points, scale, "1", "Place in the design") &&
         design_places(h, s, factor, &shape, arena_format(&memory, "%s/unit", group));
    arena_close(&memory);
    return ok;
}

static bool designs(struct h5 *h, const struct arrangement *s)
{
    const struct sweep *sweep = s->meta->points ? &s->meta->points->axes : NULL;
    uint32_t number = 0;
    bool ok = true;
    for (uint32_t f = 0; ok && sweep && f < sweep->n_factors; f++) {
        if (sweep->factors[f].design) {
            ok = design(h, s, f, number++);
        }
    }
    return ok;
}

static bool plan(struct h5 *h, const struct arrangement *s)
{
    const struct results_meta *m = s->meta;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"n_points", s->n_points},
                   {"n_replications", s->n_replications},
                   {"end_ns", (uint64_t)m->end},
                   {"warmup_ns", (uint64_t)m->warmup},
                   {"interval_ns", (uint64_t)m->interval}};
    if (!h5_group(h, "plan")) {
        return false;
    }
    hid_t group = H5Gopen2(h->file, "plan", H5P_DEFAULT);
    H5_TRY(h, "plan", group);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof numbers / sizeof numbers[0]; i++) {
        /* A limit that was left off has no attribute. */
        ok = numbers[i].value == (uint64_t)SIM_TIME_NEVER ||
             h5_attr_numbers(h, group, numbers[i].name, &numbers[i].value, 1);
    }
    H5_TRY(h, "plan", H5Gclose(group));
    return ok;
}

/* The columns of /entities/TYPE, or of the sampled entities only. */
struct entities {
    struct arena memory;
    const char **name, **group;
    uint64_t *id, *instance;
    hsize_t n;
};

static void gather_entities(const struct arrangement *s, const struct arranged_type *t,
                            bool sampled, struct entities *e)
{
    const struct blueprint *b = s->meta->blueprint;
    size_t most = t->n_entities;
    *e = (struct entities){0};
    e->name = arena_take(&e->memory, most * sizeof *e->name);
    e->group = arena_take(&e->memory, most * sizeof *e->group);
    e->id = arena_take(&e->memory, most * sizeof *e->id);
    e->instance = arena_take(&e->memory, most * sizeof *e->instance);
    for (const struct group_plan *g = b->groups; g < b->groups + b->n_groups; g++) {
        for (uint32_t i = 0; g->type == t->type && (g->sampled || !sampled) && i < g->count; i++) {
            char name[256];
            blueprint_name(b, g->first + i, name, sizeof name);
            e->name[e->n] = arena_copy(&e->memory, name);
            e->group[e->n] = g->name;
            e->id[e->n] = g->first + i;
            e->instance[e->n++] = i;
        }
    }
}

/* Which entities of the type a point has: 1, or 0 where its groups are smaller. */
static bool mark_present(const struct arrangement *s, const struct arranged_type *t, uint64_t point,
                         uint64_t *present, struct results_error *e)
{
    const struct blueprint *whole = s->meta->blueprint, *own = meta_model(s->meta, point, e);
    uint64_t n = 0;
    for (uint32_t g = 0; own && g < whole->n_groups; g++) {
        for (uint32_t i = 0; whole->groups[g].type == t->type && i < whole->groups[g].count; i++) {
            present[n++] = i < own->groups[g].count;
        }
    }
    return own;
}

static bool presence(struct h5 *h, const struct arrangement *s, const struct arranged_type *t)
{
    struct arena memory = {0};
    uint64_t n = t->n_entities, *present = calloc(s->n_points * n + 1, sizeof *present);
    CHECK(present != NULL, "out of memory for results");
    bool ok = true;
    for (uint64_t p = 0; ok && p < s->n_points; p++) {
        ok = mark_present(s, t, s->points[p], present + p * n, h->error);
    }
    struct h5_shape shape = {.rank = 2, .dims = {s->n_points, n}};
    const char *path = arena_format(&memory, "entities/%s/present", t->type->name), *scales[3];
    hid_t id = -1;
    ok = ok && skeleton_dimensions(h, &memory, path, NULL, false, 1, scales);
    shape.scales[0] = ok ? scales[0] : NULL;
    shape.scales[1] = arena_format(&memory, "entities/%s/entity", t->type->name);
    ok = ok && h5_dataset(h, path, H5T_STD_U8LE, &shape, &id) &&
         h5_describe(h, id, "1", "1: the point has this entity");
    if (id >= 0) {
        bool wrote =
            !ok || H5Dwrite(id, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, present) >= 0;
        ok = (wrote || h5_failed(h, path)) && (H5Dclose(id) >= 0 || h5_failed(h, path)) && ok;
    }
    free(present);
    arena_close(&memory);
    return ok;
}

static const char *entity_scale(bool series, const char *type, char *text)
{
    snprintf(text, LAYOUT_PATH, "%s/%s/entity", series ? "series" : "entities", type);
    return text;
}

static bool entities_of_type(struct h5 *h, const struct arrangement *s,
                             const struct arranged_type *t)
{
    char scale[LAYOUT_PATH], path[3][LAYOUT_PATH];
    static const char *const leaf[] = {"id", "group", "instance"};
    const char *type = t->type->name;
    entity_scale(false, type, scale);
    for (int i = 0; i < 3; i++) {
        snprintf(path[i], LAYOUT_PATH, "entities/%s/%s", type, leaf[i]);
    }
    struct entities e;
    gather_entities(s, t, false, &e);
    *strrchr(scale, '/') = '\0';
    bool ok = h5_group(h, scale);
    entity_scale(false, type, scale);
    ok = ok && h5_scale_texts(h, scale, e.name, e.n, "Name of the entity") &&
         h5_numbers(h, path[0], H5T_STD_U64LE, e.id, e.n, scale, "1",
                    "Number of the entity in the model") &&
         h5_texts(h, path[1], e.group, e.n, scale, "Name of the entity's group") &&
         h5_numbers(h, path[2], H5T_STD_U64LE, e.instance, e.n, scale, "1",
                    "Number of the entity in its group");
    arena_close(&e.memory);
    bool uneven = s->meta->points && s->meta->points->uneven;
    return ok && (!uneven || presence(h, s, t));
}

static bool sampled_entities(struct h5 *h, const struct arrangement *s,
                             const struct arranged_type *t)
{
    char scale[LAYOUT_PATH], group[LAYOUT_PATH];
    snprintf(group, sizeof group, "series/%s", t->type->name);
    struct entities e;
    gather_entities(s, t, true, &e);
    bool ok = h5_group(h, group) && h5_scale_texts(h, entity_scale(true, t->type->name, scale),
                                                   e.name, e.n, "Name of the entity");
    arena_close(&e.memory);
    return ok;
}

static bool intervals(struct h5 *h, const struct arrangement *s)
{
    const struct results_meta *m = s->meta;
    uint64_t n = s->n_intervals, *length = malloc((n + 1) * sizeof *length);
    CHECK(length != NULL, "out of memory for results");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t begin = i * (uint64_t)m->interval, left = (uint64_t)m->end - begin;
        length[i] = left < (uint64_t)m->interval ? left : (uint64_t)m->interval;
    }
    bool ok = h5_group(h, "series") &&
              counting_scale(h, "series/interval", n, (uint64_t)m->interval, "ns",
                             "Start of the interval") &&
              h5_numbers(h, "series/interval_length", H5T_STD_U64LE, length, n, "series/interval",
                         "ns", "Length of the interval");
    free(length);
    return ok;
}

static bool edges(struct h5 *h)
{
    static uint64_t edge[HIST_BINS + 1];
    const uint64_t sub_bits = HIST_SUB_BITS;
    for (uint32_t i = 0; i <= HIST_BINS; i++) {
        edge[i] = hist_edge(i);
    }
    if (!h5_group(h, "histograms") ||
        !h5_scale_numbers(h, "histograms/edges", edge, HIST_BINS + 1, "ns",
                          "Least value of the bucket; the last is one past the largest value")) {
        return false;
    }
    hid_t id = H5Dopen2(h->file, "histograms/edges", H5P_DEFAULT);
    H5_TRY(h, "histograms/edges", id);
    bool ok = h5_attr_numbers(h, id, "sub_bits", &sub_bits, 1);
    H5_TRY(h, "histograms/edges", H5Dclose(id));
    return ok;
}

bool skeleton_write(struct h5 *h, const struct arrangement *s)
{
    const struct results_meta *m = s->meta;
    bool ok = root_attributes(h, m) && h5_text(h, "config", m->config) &&
              h5_text(h, "overrides", m->overrides) && h5_text(h, "config_resolved", m->resolved) &&
              plan(h, s) && runs_dimensions(h, s, "") && axes(h, s) && designs(h, s);
    for (uint32_t i = 0; ok && i < s->n_types; i++) {
        ok = entities_of_type(h, s, &s->types[i]);
    }
    ok = ok && edges(h);
    if (ok && s->n_intervals > 0) {
        ok = intervals(h, s);
        for (uint32_t i = 0; ok && i < s->n_types; i++) {
            ok = s->types[i].n_sampled == 0 || sampled_entities(h, s, &s->types[i]);
        }
    }
    return ok;
}

/* Dimensions list the datasets along them, and h5diff follows such lists. So that /provenance can
 * be left out of a comparison, it has dimensions of its own. */
bool skeleton_provenance(struct h5 *h, const struct arrangement *s)
{
    const struct results_meta *m = s->meta;
    char host[256] = "", created[32];
    time_t now = time(NULL);
    struct tm utc;
    gethostname(host, sizeof host - 1);
    gmtime_r(&now, &utc);
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (!h5_group(h, "provenance")) {
        return false;
    }
    hid_t group = H5Gopen2(h->file, "provenance", H5P_DEFAULT);
    H5_TRY(h, "provenance", group);
    bool ok = h5_attr_text(h, group, "created", created) && h5_attr_text(h, group, "host", host) &&
              h5_attr_text(h, group, "command", m->command) &&
              (!m->parallel || !m->parallel[0] || h5_attr_text(h, group, "parallel", m->parallel));
    H5_TRY(h, "provenance", H5Gclose(group));
    return ok && runs_dimensions(h, s, "provenance/");
}

bool skeleton_dimensions(struct h5 *h, struct arena *arena, const char *path, const char *type,
                         bool series, int rank, const char **scales)
{
    char entity[LAYOUT_PATH];
    const char *const all[H5_RANK] = {
        "point", "replication", arena_copy(arena, type ? entity_scale(series, type, entity) : ""),
        "series/interval"};
    char *group = arena_copy(arena, path);
    *strrchr(group, '/') = '\0';
    bool ok = h5_group(h, group);
    for (int i = 0; ok && i < rank; i++) {
        const char *slash = strrchr(all[i], '/');
        scales[i] = arena_format(arena, "%s/%s", group, slash ? slash + 1 : all[i]);
        ok = h5_link(h, all[i], scales[i]);
    }
    return ok;
}
