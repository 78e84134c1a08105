/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/together.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"

/* What tells a journal from others. */
struct mark {
    uint64_t a, b; /* of a directory: device and number; of a shard: its number and 0 */
    size_t place;
};

static int by_mark(const void *x, const void *y)
{
    const struct mark *p = x, *q = y;
    return p->a != q->a   ? (p->a > q->a) - (p->a < q->a)
           : p->b != q->b ? (p->b > q->b) - (p->b < q->b)
                          : (p->place > q->place) - (p->place < q->place);
}

/* Finds two equal marks; false when there are none. */
static bool find_twins(struct mark *marks, size_t n, size_t *first, size_t *second)
{
    if (n > 0) {
        qsort(marks, n, sizeof *marks, by_mark);
    }
    for (size_t i = 1; i < n; i++) {
        if (marks[i].a == marks[i - 1].a && marks[i].b == marks[i - 1].b) {
            *first = marks[i - 1].place;
            *second = marks[i].place;
            return true;
        }
    }
    return false;
}

static bool check_directories(const struct together *t, struct mark *marks, struct results_error *e)
{
    size_t n = 0, i, k;
    struct stat is;
    for (size_t j = 0; j < t->n; j++) {
        if (stat(t->paths[j], &is) == 0) {
            marks[n++] = (struct mark){(uint64_t)is.st_dev, (uint64_t)is.st_ino, j};
        }
    }
    return !find_twins(marks, n, &i, &k) ||
           results_fail(e, "%s and %s are the same journal; name it once", t->paths[i],
                        t->paths[k]);
}

static bool check_shards(const struct together *t, struct mark *marks, struct results_error *e)
{
    size_t n = 0, i, k;
    for (size_t j = 0; j < t->n; j++) {
        if (t->metas[j].shards > 0) {
            marks[n++] = (struct mark){t->metas[j].shard, 0, j};
        }
    }
    for (size_t j = 1; j < n; j++) {
        const struct results_meta *a = &t->metas[marks[0].place], *b = &t->metas[marks[j].place];
        if (a->shards != b->shards) {
            return results_fail(e,
                                "%s is shard %" PRIu32 " of %" PRIu32 ", but %s is shard %" PRIu32
                                " of %" PRIu32 "; take shards of one number",
                                t->paths[marks[0].place], a->shard, a->shards,
                                t->paths[marks[j].place], b->shard, b->shards);
        }
    }
    return !t->shards_once || !find_twins(marks, n, &i, &k) ||
           results_fail(e,
                        "shard %" PRIu32 " of %" PRIu32
                        " is there twice, in %s and %s; leave one of them out",
                        t->metas[i].shard, t->metas[i].shards, t->paths[i], t->paths[k]);
}

static bool check_plans(const struct together *t, struct results_error *e)
{
    enum { TOLD = 5 };
    for (size_t i = 1; i < t->n; i++) {
        if (t->metas[i].plan_hash != t->metas[0].plan_hash) {
            struct arena memory = {0};
            results_fail(e,
                         "%s belongs to another plan than %s; what differs:%s\n"
                         "Take only journals of one study.",
                         t->paths[i], t->paths[0],
                         meta_changes(&t->metas[0], &t->metas[i], TOLD, &memory));
            arena_close(&memory);
            return false;
        }
    }
    return true;
}

bool together_check(const struct together *t, struct results_error *e)
{
    struct mark *marks = calloc(t->n + 1, sizeof *marks);
    CHECK(marks, "out of memory for %zu journals", t->n);
    bool ok = check_directories(t, marks, e) && check_plans(t, e) && check_shards(t, marks, e);
    free(marks);
    return ok;
}
