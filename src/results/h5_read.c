/* SPDX-License-Identifier: Apache-2.0 */
#include "results/h5_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

static bool text_of_our_kind(hid_t type)
{
    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0;
}

/* The attribute when it is there with so many values of the class, else -1. */
static hid_t open_attr(struct h5 *h, const char *path, const char *name, H5T_class_t class,
                       hsize_t n)
{
    if (H5Aexists_by_name(h->file, path, name, H5P_DEFAULT) <= 0) {
        return -1;
    }
    hid_t attr = H5Aopen_by_name(h->file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0) {
        return -1;
    }
    hid_t type = H5Aget_type(attr), space = H5Aget_space(attr);
    bool right = H5Tget_class(type) == class &&
                 H5Sget_simple_extent_npoints(space) == (hssize_t)n &&
                 (class != H5T_STRING || text_of_our_kind(type));
    H5Sclose(space);
    H5Tclose(type);
    if (!right) {
        H5Aclose(attr);
    }
    return right ? attr : -1;
}

static bool no_attr(struct h5 *h, const char *path, const char *name, bool *absent)
{
    if (absent) {
        *absent = true;
        return false;
    }
    return results_fail(h->error, "cannot read %s: %s has no usable attribute '%s'", h->path, path,
                        name);
}

bool h5_get_text_attr(struct h5 *h, struct arena *arena, const char *path, const char *name,
                      const char **value, bool *absent)
{
    hid_t attr = open_attr(h, path, name, H5T_STRING, 1);
    if (attr < 0) {
        return no_attr(h, path, name, absent);
    }
    char *text = NULL;
    hid_t type = H5Aget_type(attr);
    bool ok = H5Aread(attr, type, &text) >= 0 || h5_failed(h, name);
    H5Tclose(type);
    H5Aclose(attr);
    *value = arena_copy(arena, text ? text : "");
    H5free_memory(text);
    return ok;
}

bool h5_get_number_attr(struct h5 *h, const char *path, const char *name, uint64_t *value,
                        hsize_t n, bool *absent)
{
    hid_t attr = open_attr(h, path, name, H5T_INTEGER, n);
    if (attr < 0) {
        return no_attr(h, path, name, absent);
    }
    bool ok = H5Aread(attr, H5T_NATIVE_UINT64, value) >= 0 || h5_failed(h, name);
    H5Aclose(attr);
    return ok;
}

bool h5_get_texts(struct h5 *h, struct arena *arena, const char *path, const char *const **value,
                  hsize_t *n)
{
    hid_t id = H5Dopen2(h->file, path, H5P_DEFAULT);
    H5_TRY(h, path, id);
    hid_t type = H5Dget_type(id), space = H5Dget_space(id);
    hssize_t size = H5Sget_simple_extent_npoints(space);
    bool ours = text_of_our_kind(type) && size >= 0;
    *n = ours ? (hsize_t)size : 0;
    char **raw = calloc(*n + 1, sizeof *raw);
    CHECK(raw != NULL, "out of memory for names");
    bool ok = ours || results_fail(h->error, "cannot read %s: %s holds no texts", h->path, path);
    if (ok && *n > 0) {
        ok = H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw) >= 0 || h5_failed(h, path);
    }
    const char **copy = arena_take(arena, (*n + 1) * sizeof *copy);
    for (hsize_t i = 0; i < *n; i++) {
        copy[i] = arena_copy(arena, raw[i] ? raw[i] : "");
        H5free_memory(raw[i]);
    }
    free(raw);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(id);
    *value = copy;
    return ok;
}

bool h5_get_text(struct h5 *h, struct arena *arena, const char *path, const char **value)
{
    const char *const *all;
    hsize_t n;
    if (!h5_get_texts(h, arena, path, &all, &n)) {
        return false;
    }
    *value = n > 0 ? all[0] : "";
    return true;
}

/* Of 8 bytes each, in whatever way they are stored. */
static bool get_all(struct h5 *h, struct arena *arena, const char *path, hid_t type, void **value,
                    hsize_t *n)
{
    hid_t id = H5Dopen2(h->file, path, H5P_DEFAULT);
    H5_TRY(h, path, id);
    hid_t stored = H5Dget_type(id), space = H5Dget_space(id);
    H5T_class_t class = H5Tget_class(stored);
    hssize_t size = H5Sget_simple_extent_npoints(space);
    bool ok =
        ((class == H5T_INTEGER || class == H5T_FLOAT) && size >= 0 &&
         H5Sget_simple_extent_ndims(space) == 1) ||
        results_fail(h->error, "cannot read %s: %s is not shaped as it should be", h->path, path);
    *n = ok ? (hsize_t)size : 0;
    *value = arena_take(arena, (*n + 1) * sizeof(uint64_t));
    if (ok && *n > 0) {
        ok = H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *value) >= 0 || h5_failed(h, path);
    }
    H5Sclose(space);
    H5Tclose(stored);
    H5Dclose(id);
    return ok;
}

bool h5_get_numbers(struct h5 *h, struct arena *arena, const char *path, const uint64_t **value,
                    hsize_t *n)
{
    void *all = NULL;
    bool ok = get_all(h, arena, path, H5T_NATIVE_UINT64, &all, n);
    *value = all;
    return ok;
}

bool h5_get_reals(struct h5 *h, struct arena *arena, const char *path, const double **value,
                  hsize_t *n)
{
    void *all = NULL;
    bool ok = get_all(h, arena, path, H5T_NATIVE_DOUBLE, &all, n);
    *value = all;
    return ok;
}

bool h5_holds_texts(struct h5 *h, const char *path)
{
    hid_t id = H5Dopen2(h->file, path, H5P_DEFAULT);
    if (id < 0) {
        return false;
    }
    hid_t type = H5Dget_type(id);
    bool texts = H5Tget_class(type) == H5T_STRING;
    H5Tclose(type);
    H5Dclose(id);
    return texts;
}

struct h5_kept {
    uint32_t next; /* which makes room for another one */
    struct {
        uint64_t hash; /* of the path, which is looked at only where this is the same */
        char path[sizeof((struct h5_numbers *)NULL)->path];
        hid_t id; /* 0: there is none */
    } dataset[H5_KEPT];
};

static hid_t open_with_one_chunk(struct h5 *h, const char *path)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 1, H5_CHUNK * sizeof(uint64_t), 1.0);
    hid_t id = H5Dopen2(h->file, path, access);
    if (id < 0) {
        h5_failed(h, path);
    }
    H5Pclose(access);
    return id;
}

/* The dataset, which somebody else may be reading, too: whoever is done closes it. Negative: it
 * cannot be opened, which was told. */
static hid_t open_kept(struct h5 *h, const char *path)
{
    uint64_t hash = hash_text(path);
    h->kept = h->kept ? h->kept : calloc(1, sizeof *h->kept);
    struct h5_kept *k = h->kept;
    CHECK(k != NULL, "out of memory for results");
    for (int i = 0; i < H5_KEPT && k->dataset[i].id > 0; i++) {
        if (k->dataset[i].hash == hash && strcmp(k->dataset[i].path, path) == 0) {
            H5Iinc_ref(k->dataset[i].id);
            return k->dataset[i].id;
        }
    }
    hid_t id = open_with_one_chunk(h, path);
    if (id >= 0) {
        uint32_t place = k->next++ % H5_KEPT;
        if (k->dataset[place].id > 0) {
            H5Dclose(k->dataset[place].id);
        }
        k->dataset[place].hash = hash;
        k->dataset[place].id = id;
        snprintf(k->dataset[place].path, sizeof k->dataset[place].path, "%s", path);
        H5Iinc_ref(id);
    }
    return id;
}

bool h5_numbers_open(struct h5 *h, const char *path, int rank, struct h5_numbers *d)
{
    *d = (struct h5_numbers){.h = h, .rank = rank};
    snprintf(d->path, sizeof d->path, "%s", path);
    d->id = open_kept(h, d->path);
    if (d->id < 0) {
        return false;
    }
    hid_t space = H5Dget_space(d->id);
    bool right = H5Sget_simple_extent_ndims(space) == rank;
    H5Sclose(space);
    return right || results_fail(h->error, "cannot read %s: %s is not shaped as it should be",
                                 h->path, path);
}

void h5_numbers_close(struct h5_numbers *d)
{
    if (d->h && d->id >= 0) {
        H5Dclose(d->id);
    }
    *d = (struct h5_numbers){0};
}

bool h5_numbers_get(struct h5_numbers *d, const hsize_t *start, const hsize_t *count,
                    uint64_t *value)
{
    hid_t space = H5Dget_space(d->id), memory = H5Screate_simple(d->rank, count, NULL);
    herr_t status = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (status >= 0) {
        status = H5Dread(d->id, H5T_NATIVE_UINT64, memory, space, H5P_DEFAULT, value);
    }
    bool ok = status >= 0 || h5_failed(d->h, d->path);
    H5Sclose(memory);
    H5Sclose(space);
    return ok;
}

struct listing {
    struct arena *arena;
    const char **names; /* NULL while counting */
    uint32_t n;
    bool groups;
};

static herr_t list_link(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    (void)info;
    struct listing *l = context;
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) {
        return -1;
    }
    bool is_group = H5Iget_type(object) == H5I_GROUP;
    bool wanted = l->groups ? is_group : !is_group && H5DSis_scale(object) <= 0;
    H5Oclose(object);
    if (wanted) {
        if (l->names) {
            l->names[l->n] = arena_copy(l->arena, name);
        }
        l->n++;
    }
    return 0;
}

bool h5_list(struct h5 *h, struct arena *arena, const char *path, bool groups,
             const char *const **names, uint32_t *n)
{
    struct listing l = {.arena = arena, .groups = groups};
    *n = 0;
    *names = NULL;
    htri_t there = H5Lexists(h->file, path, H5P_DEFAULT);
    if (there <= 0) {
        return there == 0 || h5_failed(h, path);
    }
    for (int counted = 0; counted < 2; counted++) {
        hsize_t at = 0;
        hid_t group = H5Gopen2(h->file, path, H5P_DEFAULT);
        H5_TRY(h, path, group);
        herr_t status = H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, &at, list_link, &l);
        bool ok = status >= 0 || h5_failed(h, path);
        H5Gclose(group);
        if (!ok) {
            return false;
        }
        if (!counted) {
            l.names = arena_take(arena, ((size_t)l.n + 1) * sizeof *l.names);
            l.n = 0;
        }
    }
    *names = l.names;
    *n = l.n;
    return true;
}
