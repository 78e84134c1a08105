/* SPDX-License-Identifier: Apache-2.0 */
#include "results/thresholds.h"

#include <stddef.h>

#include "base/arena.h"
#include "results/layout.h"

static const char scale[] = LAYOUT_SEARCH "/search";

static bool write_reals(struct h5 *h, const struct results_thresholds *t, struct arena *memory,
                        const char *path, size_t member, const char *long_name)
{
    double *value = arena_take(memory, t->n * sizeof *value);
    for (uint64_t i = 0; i < t->n; i++) {
        value[i] = *(const double *)((const char *)&t->items[i] + member);
    }
    return h5_reals(h, path, value, t->n, scale, t->unit, long_name);
}

static bool flag_outcome(struct h5 *h, const char *path)
{
    uint64_t value[BISECTION_OUTCOMES];
    for (uint64_t i = 0; i < BISECTION_OUTCOMES; i++) {
        value[i] = i;
    }
    hid_t id = H5Dopen2(h->file, path, H5P_DEFAULT);
    H5_TRY(h, path, id);
    bool ok = h5_attr_flags(h, id, value, bisection_outcome_words, BISECTION_OUTCOMES);
    H5_TRY(h, path, H5Dclose(id));
    return ok;
}

static bool write_numbers(struct h5 *h, const struct results_thresholds *t, struct arena *memory)
{
    const char **where = arena_take(memory, t->n * sizeof *where);
    uint64_t *outcome = arena_take(memory, t->n * sizeof *outcome);
    uint64_t *used = arena_take(memory, t->n * sizeof *used);
    for (uint64_t i = 0; i < t->n; i++) {
        where[i] = t->items[i].where;
        outcome[i] = t->items[i].outcome;
        used[i] = t->items[i].replications;
    }
    return h5_texts(h, LAYOUT_SEARCH "/where", where, t->n, scale, "Point of the sweep") &&
           h5_numbers(h, LAYOUT_SEARCH "/outcome", H5T_STD_U64LE, outcome, t->n, scale, "1",
                      "What the search came to") &&
           flag_outcome(h, LAYOUT_SEARCH "/outcome") &&
           h5_numbers(h, LAYOUT_SEARCH "/replications", H5T_STD_U64LE, used, t->n, scale, "1",
                      "Replications used");
}

bool thresholds_write(struct h5 *h, const struct results_thresholds *t)
{
    if (!t || t->n == 0) {
        return true;
    }
    struct arena memory = {0};
    const char *name = arena_format(&memory, THRESHOLDS_NAME "%s", t->axis);
    bool ok = h5_group(h, LAYOUT_SEARCH) && h5_scale_bare(h, scale, t->n, false) &&
              write_numbers(h, t, &memory) &&
              write_reals(h, t, &memory, LAYOUT_SEARCH "/estimate",
                          offsetof(struct results_threshold, estimate), name) &&
              write_reals(h, t, &memory, LAYOUT_SEARCH "/low",
                          offsetof(struct results_threshold, low), "Lower end of its interval") &&
              write_reals(h, t, &memory, LAYOUT_SEARCH "/high",
                          offsetof(struct results_threshold, high), "Upper end of its interval");
    arena_close(&memory);
    return ok;
}
