/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5 with our conventions: netCDF-4's (a dimension scale on every dimension, creation order
 * kept), no modification times, and failures told in one sentence instead of a stack on stderr.
 * Only for the files of results/.
 */
#ifndef SQUALL_RESULTS_H5_H
#define SQUALL_RESULTS_H5_H

#include <hdf5.h>
#include <hdf5_hl.h>
#include <stdbool.h>
#include <stdint.h>

#include "results/error.h"

struct h5 {
    hid_t file;
    const char *path;            /* for messages; not owned */
    const char *verb;            /* "write", "read" */
    struct results_error *error; /* not owned */
    struct h5_kept *kept;        /* owned; what reading leaves open (h5_read.h); may be NULL */
};

enum { H5_RANK = 4, H5_CHUNK = 1 << 14 }; /* most dimensions; elements of a chunk, a power of 2 */

/* Returns false from the calling function when an HDF5 call failed. `what` is what it was about,
 * the path of an object for instance. */
#define H5_TRY(h, what, call) \
    do { \
        if ((call) < 0) { \
            return h5_failed(h, what); \
        } \
    } while (0)

/* The next call of HDF5, be it one that closes something, forgets the reason: this comes first. */
bool h5_failed(struct h5 *h, const char *what);

/* The library's version: major, minor, release. */
void h5_version(unsigned version[3]);

/* The file is made anew. */
bool h5_create(struct h5 *h, const char *path, struct results_error *e);
bool h5_is_file(const char *path);
bool h5_open(struct h5 *h, const char *path, struct results_error *e);
/* Closes the file and whatever is still open in it. */
bool h5_close(struct h5 *h);

/* Makes a group and those above it; one that is there stays. */
bool h5_group(struct h5 *h, const char *path);

bool h5_attr_text(struct h5 *h, hid_t object, const char *name, const char *value);
/* One number is a scalar. */
bool h5_attr_numbers(struct h5 *h, hid_t object, const char *name, const uint64_t *value,
                     hsize_t n);
/* Units and long name. */
bool h5_describe(struct h5 *h, hid_t dataset, const char *units, const char *long_name);

/* A scalar text. */
bool h5_text(struct h5 *h, const char *path, const char *value);

/* The shape of a dataset. */
struct h5_shape {
    int rank;
    hsize_t dims[H5_RANK], chunk[H5_RANK]; /* chunk 0: contiguous */
    const char *scales[H5_RANK];           /* paths of the dimension scales; NULL: itself is one */
    bool grows;                            /* along its only dimension */
};

/* A dataset with its scales attached; `*id` is to be closed by H5Dclose. */
bool h5_dataset(struct h5 *h, const char *path, hid_t type, const struct h5_shape *shape,
                hid_t *id);

/* A dimension with labels: one of texts, one of numbers. */
bool h5_scale_texts(struct h5 *h, const char *path, const char *const *value, hsize_t n,
                    const char *long_name);
bool h5_scale_numbers(struct h5 *h, const char *path, const uint64_t *value, hsize_t n,
                      const char *units, const char *long_name);
/* One of neither, that only has a length, `n` if it does not grow. */
bool h5_scale_bare(struct h5 *h, const char *path, hsize_t n, bool grows);
/* One that grows must in the end be as long as what stands along it. */
bool h5_scale_stretch(struct h5 *h, const char *path, hsize_t n);

/* What the numbers of a dataset mean: `n` of them with a word each. */
bool h5_attr_flags(struct h5 *h, hid_t dataset, const uint64_t *value, const char *const *word,
                   hsize_t n);

/* A whole dataset along one dimension. */
bool h5_texts(struct h5 *h, const char *path, const char *const *value, hsize_t n,
              const char *scale, const char *long_name);
bool h5_numbers(struct h5 *h, const char *path, hid_t stored, const uint64_t *value, hsize_t n,
                const char *scale, const char *units, const char *long_name);
bool h5_reals(struct h5 *h, const char *path, const double *value, hsize_t n, const char *scale,
              const char *units, const char *long_name);

/* A further name, in another group, of an object. */
bool h5_link(struct h5 *h, const char *object, const char *path);

/* Numbers appended one by one along the only dimension of a dataset, written by chunks. */
struct h5_append {
    hid_t dataset;
    const char *path; /* for messages; not owned */
    bool grows;
    hsize_t written;
    uint32_t n;      /* in buffer */
    uint64_t *value; /* owned; H5_CHUNK of them */
};
bool h5_append_open(struct h5 *h, const char *path, hid_t stored, hsize_t n, bool grows,
                    const char *scale, const char *units, const char *long_name,
                    struct h5_append *a);
bool h5_append(struct h5 *h, struct h5_append *a, uint64_t value);
/* Writes what is left, after a failure nothing more. Frees also when false is returned. */
bool h5_append_close(struct h5 *h, struct h5_append *a);

#endif
