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

bool failures_status(struct journal_index *index, size_t i, enum run_status *status,
                     struct results_error *e)
{
    struct buffer payload = {0};
    struct record_head head;
    bool ok = journal_read(index, i, &payload, e) &&
              record_head_decode(payload.data, payload.size, &head, e);
    *status = ok ? head.status : RUN_MISSING;
    buffer_close(&payload);
    return ok;
}

bool failures_find(struct journal_index *index, struct failures *f, struct results_error *e)
{
    *f = (struct failures){.all = index->n};
    for (size_t i = 0; i < index->n; i++) {
        enum run_status status;
        if (!failures_status(index, i, &status, e)) {
            return false;
        }
        if (status == RUN_OK) {
            continue;
        }
        if (f->n < FAILURES_TOLD) {
            f->first[f->n].point = index->entries[i].point;
            f->first[f->n].replication = index->entries[i].replication;
            f->first[f->n].status = status;
        }
        f->n++;
        f->by_status[status]++;
    }
    return true;
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
