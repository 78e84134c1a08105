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

static bool runs_dimensions(struct h5 *h, const struct results_meta *m, const char *group)
{
    char path[LAYOUT_PATH];
    snprintf(path, sizeof path, "%spoint", group);
    bool ok = counting_scale(h, path, m->n_points, 1, "1", "Sweep point");
    snprintf(path, sizeof path, "%sreplication", group);
    return ok && counting_scale(h, path, m->n_replications, 1, "1", "Replication");
}

static bool plan(struct h5 *h, const struct results_meta *m)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"n_points", m->n_points},
                   {"n_replications", m->n_replications},
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
    return ok;
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
              plan(h, m) && runs_dimensions(h, m, "");
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
bool skeleton_provenance(struct h5 *h, const struct results_meta *m)
{
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
    return ok && runs_dimensions(h, m, "provenance/");
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
