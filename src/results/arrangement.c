/* SPDX-License-Identifier: Apache-2.0 */
#include "results/arrangement.h"

#include <stdlib.h>

#include "base/check.h"
#include "stats/series.h"

static struct arranged_type *find_type(struct arrangement *s, const struct entity_type *type)
{
    for (uint32_t i = 0; i < s->n_types; i++) {
        if (s->types[i].type == type) {
            return &s->types[i];
        }
    }
    struct arranged_type *t = &s->types[s->n_types++];
    t->type = type;
    t->first_row = s->n_rows;
    while (type->stats[t->n_rows].name) {
        t->n_rows++;
    }
    s->n_rows += t->n_rows;
    return t;
}

static void choose_points(struct arrangement *s, const uint64_t *used)
{
    const struct results_meta *m = s->meta;
    s->points = calloc(m->n_points + 1, sizeof *s->points);
    s->used = calloc(m->n_points + 1, sizeof *s->used);
    CHECK(s->points && s->used, "out of memory for results");
    for (uint64_t p = 0; p < m->n_points; p++) {
        uint64_t n = used ? used[p] : m->n_replications;
        if (n > 0) {
            s->points[s->n_points] = p;
            s->used[s->n_points++] = n;
            s->n_replications = n > s->n_replications ? n : s->n_replications;
        }
    }
}

void arrangement_open(struct arrangement *s, const struct results_meta *meta, const uint64_t *used)
{
    const struct blueprint *b = meta->blueprint;
    *s = (struct arrangement){.meta = meta};
    choose_points(s, used);
    s->types = calloc(b->n_groups + 1, sizeof *s->types);
    s->groups = calloc(b->n_groups + 1, sizeof *s->groups);
    CHECK(s->types && s->groups, "out of memory for results");
    uint32_t n_sampled = 0;
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct group_plan *plan = &b->groups[g];
        struct arranged_type *t = find_type(s, plan->type);
        s->groups[g] = (struct arranged_group){.type = (uint32_t)(t - s->types),
                                               .first = t->n_entities,
                                               .first_sampled = t->n_sampled};
        t->n_entities += plan->count;
        t->n_sampled += plan->sampled ? plan->count : 0;
        n_sampled += plan->sampled ? plan->count : 0;
        t->breakdowns |= plan->breakdowns;
        s->traced |= plan->traced;
    }
    if (n_sampled > 0 && meta->interval != SIM_TIME_NEVER && meta->interval > 0) {
        s->n_intervals = meta->end > 0 ? series_intervals(meta->end, meta->interval) : 0;
    }
}

void arrangement_close(struct arrangement *s)
{
    free(s->points);
    free(s->used);
    free(s->types);
    free(s->groups);
    *s = (struct arrangement){0};
}
