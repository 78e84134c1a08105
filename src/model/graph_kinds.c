/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "model/graph_draft.h"

void draft_add_kind(struct draft *d, struct kind *kind, const struct node *at, bool given)
{
    if (d->n_kinds == d->most_kinds) {
        d->most_kinds = d->most_kinds ? 2 * d->most_kinds : 64;
        d->kinds = realloc(d->kinds, d->most_kinds * sizeof *d->kinds);
        CHECK(d->kinds, "out of memory");
    }
    d->kinds[d->n_kinds++] = (struct kind_draft){kind, at, given};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that are given, each once, ending with NULL, into the blueprint. */
static void list_names(struct draft *d)
{
    const char **names = arena_take(&d->study->memory, (d->n_kinds + 1) * sizeof *names);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < d->n_kinds; i++) {
        if (d->kinds[i].given) {
            names[n++] = d->kinds[i].kind->name;
        }
    }
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(names[i], names[kept - 1]) != 0) {
            names[kept++] = names[i];
        }
    }
    names[kept] = NULL;
    d->study->blueprint.kinds = names;
    d->study->blueprint.n_kinds = (uint32_t)kept;
}

static void refuse_kind(struct draft *d, const struct kind_draft *k)
{
    const char *near = diag_nearest(k->kind->name, d->study->blueprint.kinds);
    diag_error_key(d->diag, k->at,
                   near ? "no client makes requests of this kind (did you mean "
                          "'%s'?)"
                        : "no client makes requests of this kind",
                   near);
}

void draft_number_kinds(struct draft *d)
{
    list_names(d);
    const struct blueprint *b = &d->study->blueprint;
    if (b->n_kinds > UINT16_MAX) {
        diag_error_key(d->diag, d->kinds[0].at, "more than %d kinds of requests", UINT16_MAX);
        return;
    }
    for (size_t i = 0; i < d->n_kinds; i++) {
        const char *const *found =
            bsearch(&d->kinds[i].kind->name, b->kinds, b->n_kinds, sizeof *b->kinds, by_name);
        if (found) {
            d->kinds[i].kind->number = (uint16_t)(found - b->kinds);
        } else {
            refuse_kind(d, &d->kinds[i]);
        }
    }
}
