/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading what a study varied, and what it searched.
 */
#include <string.h>

#include "results/h5_read.h"
#include "results/layout.h"
#include "results/reader_parts.h"

static bool as_long(struct results *r, const char *path, hsize_t n, uint64_t wanted)
{
    return n == wanted ||
           results_fail(r->file->error, "cannot read %s: %s is not as long as its neighbours",
                        r->file->path, path);
}

static bool read_axis(struct results *r, const char *name, struct results_axis *axis)
{
    struct h5 *h = r->file;
    const char *path = arena_format(&r->memory, LAYOUT_AXES "/%s", name);
    bool absent = false;
    hsize_t n;
    axis->unit = "1";
    if (!h5_get_text_attr(h, &r->memory, path, "long_name", &axis->path, NULL) ||
        !(h5_get_text_attr(h, &r->memory, path, "units", &axis->unit, &absent) || absent)) {
        return false;
    }
    bool ok = h5_holds_texts(h, path) ? h5_get_texts(h, &r->memory, path, &axis->texts, &n)
                                      : h5_get_reals(h, &r->memory, path, &axis->numbers, &n);
    return ok && as_long(r, path, n, r->meta.n_points);
}

bool reader_axes(struct results *r)
{
    const char *const *names;
    hsize_t n;
    if (!h5_get_numbers(r->file, &r->memory, "point", &r->points, &n) ||
        !as_long(r, "point", n, r->meta.n_points) ||
        !h5_list(r->file, &r->memory, LAYOUT_AXES, false, &names, &r->n_axes)) {
        return false;
    }
    r->axes = arena_take(&r->memory, ((size_t)r->n_axes + 1) * sizeof *r->axes);
    bool ok = true;
    for (uint32_t a = 0; ok && a < r->n_axes; a++) {
        ok = read_axis(r, names[a], &r->axes[a]);
    }
    return ok;
}

/* Columns of /search, all as long as `n`. */
struct found {
    const char *const *where;
    const uint64_t *outcome, *replications;
    const double *estimate, *low, *high;
};

static bool get_texts(struct results *r, const char *leaf, const char *const **value, uint64_t *n)
{
    const char *path = arena_format(&r->memory, LAYOUT_SEARCH "/%s", leaf);
    hsize_t found;
    bool ok = h5_get_texts(r->file, &r->memory, path, value, &found);
    *n = found;
    return ok;
}

static bool get_numbers(struct results *r, const char *leaf, const uint64_t **value, uint64_t n)
{
    const char *path = arena_format(&r->memory, LAYOUT_SEARCH "/%s", leaf);
    hsize_t found;
    return h5_get_numbers(r->file, &r->memory, path, value, &found) && as_long(r, path, found, n);
}

static bool get_reals(struct results *r, const char *leaf, const double **value, uint64_t n)
{
    const char *path = arena_format(&r->memory, LAYOUT_SEARCH "/%s", leaf);
    hsize_t found;
    return h5_get_reals(r->file, &r->memory, path, value, &found) && as_long(r, path, found, n);
}

static bool get_found(struct results *r, struct found *f, uint64_t *n)
{
    return get_texts(r, "where", &f->where, n) && get_numbers(r, "outcome", &f->outcome, *n) &&
           get_numbers(r, "replications", &f->replications, *n) &&
           get_reals(r, "estimate", &f->estimate, *n) && get_reals(r, "low", &f->low, *n) &&
           get_reals(r, "high", &f->high, *n);
}

/* The path stands behind the words of a name. */
static const char *path_in(const char *name)
{
    size_t n = strlen(THRESHOLDS_NAME);
    return strncmp(name, THRESHOLDS_NAME, n) == 0 ? name + n : name;
}

bool results_thresholds(struct results *r, struct results_thresholds *t, struct results_error *e)
{
    *t = (struct results_thresholds){.n = 0};
    r->file->error = e;
    if (H5Lexists(r->file->file, LAYOUT_SEARCH, H5P_DEFAULT) <= 0) {
        return true;
    }
    struct found f;
    const char *name, *estimate = LAYOUT_SEARCH "/estimate";
    if (!get_found(r, &f, &t->n) ||
        !h5_get_text_attr(r->file, &r->memory, estimate, "units", &t->unit, NULL) ||
        !h5_get_text_attr(r->file, &r->memory, estimate, "long_name", &name, NULL)) {
        return false;
    }
    t->axis = path_in(name);
    t->items = arena_take(&r->memory, (t->n + 1) * sizeof *t->items);
    for (uint64_t i = 0; i < t->n; i++) {
        if (f.outcome[i] >= BISECTION_OUTCOMES) {
            return results_fail(e, "cannot read %s: a search has an unknown outcome",
                                r->file->path);
        }
        t->items[i] = (struct results_threshold){.where = f.where[i],
                                                 .outcome = (enum bisection_outcome)f.outcome[i],
                                                 .estimate = f.estimate[i],
                                                 .low = f.low[i],
                                                 .high = f.high[i],
                                                 .replications = f.replications[i]};
    }
    return true;
}
