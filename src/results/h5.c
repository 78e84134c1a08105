/* SPDX-License-Identifier: Apache-2.0 */
#include "results/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* The innermost reason on HDF5's stack; of a failed system call only the system's own words. */
static herr_t innermost(unsigned n, const H5E_error2_t *error, void *context)
{
    char *text = context;
    if (n == 0) {
        static const char key[] = "error message = '";
        const char *message = strstr(error->desc, key);
        message = message ? message + strlen(key) : error->desc;
        snprintf(text, 256, "%.*s", (int)strcspn(message, "'"), message);
    }
    return 0;
}

bool h5_failed(struct h5 *h, const char *what)
{
    char why[256] = "unknown reason";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, why);
    char deepest[256] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, deepest);
    return results_fail(h->error, "cannot %s %s (%s): %s", h->verb, h->path, what,
                        deepest[0] ? deepest : why);
}

/* To be called before anything else of HDF5. After a failed write (a full disk) HDF5 1.10 cannot
 * close the file, and crashes in its exit handler over what is left; so there must be none. We
 * close all files ourselves. */
static void be_silent(void)
{
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void h5_version(unsigned version[3])
{
    be_silent();
    H5get_libversion(&version[0], &version[1], &version[2]);
}

/* Creation order is netCDF-4's demand; times would make two equal files differ. */
static hid_t object_plist(hid_t class)
{
    hid_t p = H5Pcreate(class);
    H5Pset_attr_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(p, false);
    if (class != H5P_DATASET_CREATE) {
        H5Pset_link_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    }
    return p;
}

/* Nobody reads a file under its first name and nobody writes it under its last, so locks, which
 * some cluster file systems refuse, are not needed. */
static hid_t access_plist(void)
{
    hid_t p = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(p, H5F_CLOSE_STRONG);
    H5Pset_file_locking(p, false, true);
    return p;
}

bool h5_create(struct h5 *h, const char *path, struct results_error *e)
{
    be_silent();
    *h = (struct h5){.file = -1, .path = path, .verb = "write", .error = e};
    hid_t create = object_plist(H5P_FILE_CREATE), access = access_plist();
    /* Objects of 1.8: large attributes, and old readers can still open the file. */
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    /* Most datasets have few chunks: small nodes in the trees that index them. */
    H5Pset_istore_k(create, 8);
    h->file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    bool ok = h->file >= 0 || h5_failed(h, "creating");
    H5Pclose(create);
    H5Pclose(access);
    return ok;
}

bool h5_is_file(const char *path)
{
    be_silent();
    return H5Fis_hdf5(path) > 0;
}

bool h5_open(struct h5 *h, const char *path, struct results_error *e)
{
    be_silent();
    *h = (struct h5){.file = -1, .path = path, .verb = "read", .error = e};
    hid_t access = access_plist();
    h->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    bool ok = h->file >= 0 || h5_failed(h, "damaged or cut short");
    H5Pclose(access);
    return ok;
}

bool h5_close(struct h5 *h)
{
    hid_t file = h->file;
    h->file = -1;
    free(h->kept);
    h->kept = NULL;
    if (file >= 0) {
        H5_TRY(h, "closing", H5Fclose(file));
    }
    return true;
}

bool h5_group(struct h5 *h, const char *path)
{
    char part[512];
    hid_t create = object_plist(H5P_GROUP_CREATE);
    bool ok = true;
    for (const char *end = path; ok && end; end = *end ? end + 1 : NULL) {
        end += strcspn(end, "/");
        snprintf(part, sizeof part, "%.*s", (int)(end - path), path);
        htri_t there = H5Lexists(h->file, part, H5P_DEFAULT);
        if (there == 0) {
            hid_t group = H5Gcreate2(h->file, part, H5P_DEFAULT, create, H5P_DEFAULT);
            there = group < 0 ? -1 : H5Gclose(group);
        }
        ok = there >= 0 || h5_failed(h, part);
    }
    H5Pclose(create);
    return ok;
}

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static bool write_attr(struct h5 *h, hid_t object, const char *name, hid_t stored, hid_t given,
                       hid_t space, const void *value)
{
    hid_t attr = H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = (attr >= 0 && H5Awrite(attr, given, value) >= 0) || h5_failed(h, name);
    if (attr >= 0) {
        H5Aclose(attr);
    }
    return ok;
}

bool h5_attr_text(struct h5 *h, hid_t object, const char *name, const char *value)
{
    hid_t type = text_type(), space = H5Screate(H5S_SCALAR);
    bool ok = write_attr(h, object, name, type, type, space, &value);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

bool h5_attr_numbers(struct h5 *h, hid_t object, const char *name, const uint64_t *value, hsize_t n)
{
    hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    bool ok = write_attr(h, object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, space, value);
    H5Sclose(space);
    return ok;
}

bool h5_attr_flags(struct h5 *h, hid_t dataset, const uint64_t *value, const char *const *word,
                   hsize_t n)
{
    size_t size = 1;
    for (hsize_t i = 0; i < n; i++) {
        size += strlen(word[i]) + 1;
    }
    char *meanings = malloc(size), *end = meanings;
    CHECK(meanings != NULL, "out of memory for results");
    *end = '\0';
    for (hsize_t i = 0; i < n; i++) {
        end += sprintf(end, "%s%s", i > 0 ? " " : "", word[i]);
    }
    bool ok = h5_attr_numbers(h, dataset, "flag_values", value, n) &&
              h5_attr_text(h, dataset, "flag_meanings", meanings);
    free(meanings);
    return ok;
}

bool h5_describe(struct h5 *h, hid_t dataset, const char *units, const char *long_name)
{
    return (!units || h5_attr_text(h, dataset, "units", units)) &&
           h5_attr_text(h, dataset, "long_name", long_name);
}

bool h5_text(struct h5 *h, const char *path, const char *value)
{
    value = value ? value : "";
    hid_t type = text_type(), space = H5Screate(H5S_SCALAR);
    hid_t create = object_plist(H5P_DATASET_CREATE);
    hid_t id = H5Dcreate2(h->file, path, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    bool ok = (id >= 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) >= 0 &&
               H5Dclose(id) >= 0) ||
              h5_failed(h, path);
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

static bool attach_scales(struct h5 *h, const char *path, const struct h5_shape *shape, hid_t id)
{
    for (int i = 0; i < shape->rank; i++) {
        if (shape->scales[i]) {
            hid_t scale = H5Dopen2(h->file, shape->scales[i], H5P_DEFAULT);
            H5_TRY(h, shape->scales[i], scale);
            H5_TRY(h, path, H5DSattach_scale(id, scale, (unsigned)i));
            H5_TRY(h, path, H5Dclose(scale));
        }
    }
    return true;
}

/* HDF5 would hold on to 1 MiB of chunks of every dataset that is open. They are written one after
 * another here and not looked at again, so that one is enough. */
static void cache_one_chunk(hid_t access, hid_t type, const struct h5_shape *shape)
{
    size_t bytes = H5Tget_size(type);
    for (int i = 0; i < shape->rank; i++) {
        bytes *= (size_t)shape->chunk[i];
    }
    H5Pset_chunk_cache(access, 1, bytes, 1.0);
}

bool h5_dataset(struct h5 *h, const char *path, hid_t type, const struct h5_shape *shape, hid_t *id)
{
    hsize_t most = H5S_UNLIMITED;
    hid_t space = H5Screate_simple(shape->rank, shape->dims, shape->grows ? &most : NULL);
    hid_t create = object_plist(H5P_DATASET_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
    if (shape->chunk[0] > 0) {
        H5Pset_chunk(create, shape->rank, shape->chunk);
        H5Pset_shuffle(create);
        H5Pset_deflate(create, 4);
        cache_one_chunk(access, type, shape);
    }
    *id = H5Dcreate2(h->file, path, type, space, H5P_DEFAULT, create, access);
    bool ok = *id >= 0 || h5_failed(h, path);
    H5Pclose(access);
    H5Pclose(create);
    H5Sclose(space);
    return ok && attach_scales(h, path, shape, *id);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool write_all(struct h5 *h, const char *path, hid_t stored, hid_t given, const void *value,
                      hsize_t n, const char *scale, const char *units, const char *long_name)
{
    bool texts = H5Tget_class(stored) == H5T_STRING;
    struct h5_shape shape = {.rank = 1, .dims = {n}, .scales = {scale}};
    /* Texts of any length lie outside of chunks, where no filter reaches them. */
    shape.chunk[0] = texts || n < 64 ? 0 : n < H5_CHUNK ? n : H5_CHUNK;
    hid_t id;
    if (!h5_dataset(h, path, stored, &shape, &id)) {
        return false;
    }
    H5_TRY(h, path, n == 0 ? 0 : H5Dwrite(id, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, value));
    if (!scale) {
        H5_TRY(h, path, H5DSset_scale(id, last_part(path)));
    }
    if (!h5_describe(h, id, units, long_name)) {
        return false;
    }
    H5_TRY(h, path, H5Dclose(id));
    return true;
}

bool h5_texts(struct h5 *h, const char *path, const char *const *value, hsize_t n,
              const char *scale, const char *long_name)
{
    hid_t type = text_type();
    bool ok = write_all(h, path, type, type, value, n, scale, NULL, long_name);
    H5Tclose(type);
    return ok;
}

bool h5_numbers(struct h5 *h, const char *path, hid_t stored, const uint64_t *value, hsize_t n,
                const char *scale, const char *units, const char *long_name)
{
    return write_all(h, path, stored, H5T_NATIVE_UINT64, value, n, scale, units, long_name);
}

bool h5_reals(struct h5 *h, const char *path, const double *value, hsize_t n, const char *scale,
              const char *units, const char *long_name)
{
    return write_all(h, path, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, value, n, scale, units, long_name);
}

bool h5_scale_texts(struct h5 *h, const char *path, const char *const *value, hsize_t n,
                    const char *long_name)
{
    return h5_texts(h, path, value, n, NULL, long_name);
}

bool h5_scale_numbers(struct h5 *h, const char *path, const uint64_t *value, hsize_t n,
                      const char *units, const char *long_name)
{
    return h5_numbers(h, path, H5T_STD_U64LE, value, n, NULL, units, long_name);
}

bool h5_scale_bare(struct h5 *h, const char *path, hsize_t n, bool grows)
{
    /* The name by which netCDF-4 knows that a dimension has no values. It is never written, so it
     * takes no space at any length. */
    char name[80];
    snprintf(name, sizeof name, "This is a netCDF dimension but not a netCDF variable. %10llu",
             (unsigned long long)n);
    struct h5_shape shape = {.rank = 1, .dims = {n}, .chunk = {H5_CHUNK}, .grows = grows};
    shape.chunk[0] = grows || n >= H5_CHUNK ? H5_CHUNK : n > 0 ? n : 1;
    hid_t id;
    if (!h5_dataset(h, path, H5T_IEEE_F32BE, &shape, &id)) {
        return false;
    }
    H5_TRY(h, path, H5DSset_scale(id, name));
    H5_TRY(h, path, H5Dclose(id));
    return true;
}

bool h5_scale_stretch(struct h5 *h, const char *path, hsize_t n)
{
    hid_t scale = H5Dopen2(h->file, path, H5P_DEFAULT);
    H5_TRY(h, path, scale);
    H5_TRY(h, path, H5Dset_extent(scale, &n));
    H5_TRY(h, path, H5Dclose(scale));
    return true;
}

bool h5_link(struct h5 *h, const char *object, const char *path)
{
    htri_t there = H5Lexists(h->file, path, H5P_DEFAULT);
    H5_TRY(h, path, there);
    if (!there) {
        H5_TRY(h, path, H5Lcreate_hard(h->file, object, h->file, path, H5P_DEFAULT, H5P_DEFAULT));
    }
    return true;
}

bool h5_append_open(struct h5 *h, const char *path, hid_t stored, hsize_t n, bool grows,
                    const char *scale, const char *units, const char *long_name,
                    struct h5_append *a)
{
    struct h5_shape shape = {.rank = 1, .dims = {n}, .scales = {scale}, .grows = grows};
    shape.chunk[0] = grows || n >= H5_CHUNK ? H5_CHUNK : n;
    *a = (struct h5_append){.dataset = -1, .grows = grows, .path = path};
    a->value = malloc(H5_CHUNK * sizeof *a->value);
    CHECK(a->value != NULL, "out of memory for results");
    return h5_dataset(h, path, stored, &shape, &a->dataset) &&
           h5_describe(h, a->dataset, units, long_name);
}

static bool append_flush(struct h5 *h, struct h5_append *a)
{
    hsize_t n = a->n, size = a->written + n;
    if (n == 0) {
        return true;
    }
    if (a->grows) {
        H5_TRY(h, a->path, H5Dset_extent(a->dataset, &size));
    }
    hid_t space = H5Dget_space(a->dataset), memory = H5Screate_simple(1, &n, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &a->written, NULL, &n, NULL);
    herr_t status = H5Dwrite(a->dataset, H5T_NATIVE_UINT64, memory, space, H5P_DEFAULT, a->value);
    bool ok = status >= 0 || h5_failed(h, a->path);
    H5Sclose(memory);
    H5Sclose(space);
    a->written = size;
    a->n = 0;
    return ok;
}

bool h5_append(struct h5 *h, struct h5_append *a, uint64_t value)
{
    a->value[a->n++] = value;
    return a->n < H5_CHUNK || append_flush(h, a);
}

bool h5_append_close(struct h5 *h, struct h5_append *a)
{
    bool ok = h->error->text[0] == '\0' && (a->dataset < 0 || append_flush(h, a));
    if (a->dataset >= 0) {
        herr_t closed = H5Dclose(a->dataset);
        ok = ok && (closed >= 0 || h5_failed(h, a->path));
    }
    free(a->value);
    *a = (struct h5_append){.dataset = -1};
    return ok;
}
