/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/failures.h"

#include <inttypes.h>

bool failures_count(enum run_status status)
{
    return status == RUN_EVENT_LIMIT || status == RUN_WATCHDOG || status == RUN_FAILED;
}

bool failures_too_many(const struct failures_limit *limit, uint64_t failures, uint64_t all)
{
    if (!limit->text) {
        return false;
    }
    return limit->is_share ? (double)failures > limit->share * (double)all
                           : failures > (uint64_t)limit->count;
}

void failures_find(const struct journal_index *index, struct failures *f)
{
    *f = (struct failures){.all = 0};
    for (size_t i = 0; i < index->n; i++) {
        const struct journal_entry *entry = &index->entries[i];
        if (entry->replication == RECORD_PILOT) {
            continue;
        }
        f->all++;
        if (entry->status == RUN_OK) {
            continue;
        }
        if (f->n < FAILURES_TOLD) {
            f->first[f->n].point = entry->point;
            f->first[f->n].replication = entry->replication;
            f->first[f->n].status = entry->status;
        }
        f->n++;
        f->by_status[entry->status]++;
    }
}

const char *failures_text(const struct failures *f, struct arena *arena)
{
    const char *how = "", *which = "";
    for (int s = 0; s < RUN_STATUSES; s++) {
        if (f->by_status[s] > 0) {
            how = arena_format(arena, "%s%s%" PRIu64 " %s", how, how[0] ? ", " : "",
                               f->by_status[s], run_status_names[s]);
        }
    }
    for (uint64_t i = 0; i < f->n && i < FAILURES_TOLD; i++) {
        which = arena_format(arena, "%s%s%" PRIu64 "/%" PRIu64 " (%s)", which, i > 0 ? ", " : "",
                             f->first[i].point, f->first[i].replication,
                             run_status_names[f->first[i].status]);
    }
    return arena_format(arena,
                        "%" PRIu64 " of %" PRIu64
                        " replications did not end well: %s; point/replication: %s%s",
                        f->n, f->all, how, which, f->n > FAILURES_TOLD ? ", ..." : "");
}
