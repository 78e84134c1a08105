/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/recall.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "results/measured.h"
#include "results/record.h"

struct agenda *recall_agenda(const struct results_meta *meta, struct goals *goals)
{
    const struct points *p = meta->points;
    const struct study_settings *s = &p->held->settings;
    const struct sweep *axes = &p->axes;
    double *cost = malloc(meta->n_points * sizeof *cost);
    CHECK(cost, "out of memory for %" PRIu64 " points", meta->n_points);
    for (uint64_t k = 0; k < meta->n_points; k++) {
        cost[k] = (double)p->items[k].events;
    }
    *goals = p->held->goals;
    int64_t min = s->replications.min, max = s->replications.max;
    struct agenda_plan plan = {.n_points = meta->n_points,
                               .n_replications = meta->n_replications,
                               .min = (uint64_t)(min < max ? min : max),
                               .cost = cost,
                               .shard = meta->shard,
                               .shards = meta->shards,
                               .goals = goals,
                               .levels = goals->search ? axes->factors[axes->n_factors - 1].n : 1,
                               .antithetic = s->replications.antithetic,
                               .pilots = s->warmup == WARMUP_AUTO};
    struct agenda *a = agenda_open(&plan);
    free(cost);
    return a;
}

/* The values that an earlier run found in a record; of a pilot the warm-up. */
static bool read_values(const struct results_meta *meta, struct journal_index *index, size_t i,
                        struct buffer *payload, double values[GOALS_MOST], struct results_error *e)
{
    struct record_head head;
    if (!journal_read(index, i, payload, e) ||
        !record_head_decode(payload->data, payload->size, &head, e)) {
        return false;
    }
    values[0] = (double)head.warmup;
    const struct blueprint *model = meta_model(meta, index->entries[i].point, e);
    const struct goals *g = model ? &meta->points->held->goals : NULL;
    bool ok = model;
    for (uint32_t k = 0; ok && head.replication != RECORD_PILOT && k < g->n; k++) {
        ok = measured_value(&g->items[k].measure, payload->data, payload->size, model, &values[k],
                            e);
        values[k] = goal_value(&g->items[k], values[k]);
    }
    return ok;
}

bool recall_stands(const struct journal_entry *entry, bool retry_failed)
{
    return !retry_failed || entry->status != RUN_WATCHDOG || entry->replication == RECORD_PILOT;
}

bool recall_journal(struct agenda *a, const struct results_meta *meta, struct journal_index *index,
                    bool retry_failed, struct results_error *e)
{
    struct buffer payload = {0};
    bool ok = true, goals = meta->points->held->goals.n > 0;
    for (size_t i = 0; ok && i < index->n; i++) {
        const struct journal_entry *entry = &index->entries[i];
        bool pilot = entry->replication == RECORD_PILOT;
        double values[GOALS_MOST] = {0.0};
        if (!recall_stands(entry, retry_failed)) {
            continue;
        }
        if (goals || pilot) {
            ok = read_values(meta, index, i, &payload, values, e);
        }
        agenda_put(a,
                   pilot ? AGENDA_PILOT | entry->point
                         : entry->point * meta->n_replications + entry->replication,
                   values);
    }
    buffer_close(&payload);
    return ok;
}

uint64_t *recall_used(const struct agenda *a, uint64_t n_points)
{
    uint64_t *used = malloc(n_points * sizeof *used);
    CHECK(used, "out of memory for %" PRIu64 " points", n_points);
    for (uint64_t p = 0; p < n_points; p++) {
        used[p] = agenda_used(a, p);
    }
    return used;
}
