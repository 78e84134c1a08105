/* SPDX-License-Identifier: Apache-2.0
 *
 * The reading half of results/h5.h. Only for the files of results/.
 */
#ifndef SQUALL_RESULTS_H5_READ_H
#define SQUALL_RESULTS_H5_READ_H

#include "base/arena.h"
#include "results/h5.h"

/* An attribute of the object at `path`; the text lives in `arena`. Not there, or of another type:
 * false without an error when `absent` is given (it receives true), else with one. */
bool h5_get_text_attr(struct h5 *h, struct arena *arena, const char *path, const char *name,
                      const char **value, bool *absent);
/* Exactly `n` numbers. */
bool h5_get_number_attr(struct h5 *h, const char *path, const char *name, uint64_t *value,
                        hsize_t n, bool *absent);

/* A scalar text, and all texts of a dataset with one dimension. */
bool h5_get_text(struct h5 *h, struct arena *arena, const char *path, const char **value);
bool h5_get_texts(struct h5 *h, struct arena *arena, const char *path, const char *const **value,
                  hsize_t *n);

/* All of a dataset with one dimension: whole numbers, or reals. They live in `arena`. */
bool h5_get_numbers(struct h5 *h, struct arena *arena, const char *path, const uint64_t **value,
                    hsize_t *n);
bool h5_get_reals(struct h5 *h, struct arena *arena, const char *path, const double **value,
                  hsize_t *n);

/* Whether texts are in a dataset. */
bool h5_holds_texts(struct h5 *h, const char *path);

/* Datasets of numbers that stay open for the next time, with a chunk each (128 KiB). */
enum { H5_KEPT = 256 };

/* A dataset of numbers. It stays open behind h5_numbers_close, the last H5_KEPT of them until the
 * file is closed, so that its chunks are not unpacked again for each part or point. */
struct h5_numbers {
    struct h5 *h; /* not owned */
    char path[512];
    hid_t id;
    int rank;
};
bool h5_numbers_open(struct h5 *h, const char *path, int rank, struct h5_numbers *d);
void h5_numbers_close(struct h5_numbers *d); /* also one that could not be opened, or zero */
/* The part that begins at `start`. `value` has room for all of it. */
bool h5_numbers_get(struct h5_numbers *d, const hsize_t *start, const hsize_t *count,
                    uint64_t *value);

/* The names in a group in the order made, without dimensions: those of its groups, or of its
 * datasets. No such group: none. */
bool h5_list(struct h5 *h, struct arena *arena, const char *path, bool groups,
             const char *const **names, uint32_t *n);

#endif
