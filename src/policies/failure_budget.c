/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/failure_budget.h"

#include <string.h>

#include "base/check.h"

__extension__ typedef unsigned __int128 wide;

enum { BILLION = 1000000000 };
#define LONGEST 1e18 /* [ns] */

static const char *const action_words[] = {"end_run", "stop_sources", "abort", NULL};
static const char *const of_words[] = {"attempts", "requests", NULL};

static const struct param_spec entity_rows[] = {
    P_REF(budget_entity, name, NULL, "A group or an instance that makes requests."), P_END};

static const struct schema entity_schema = {.name = "budget_entity",
                                            .summary = "Whose outcomes count.",
                                            .size = sizeof(struct budget_entity),
                                            .rows = entity_rows,
                                            .shorthand = true};

static const struct param_spec rows[] = {
    P_REAL(failure_budget, threshold, "5%", 0, 1, "1",
           "Share of failures within the window; more than this spends the budget."),
    P_DURATION(failure_budget, window, "30s", 1, LONGEST,
               "How long an outcome counts; one precisely as old still does."),
    P_COUNT(failure_budget, min_samples, "50", 1, 1e18,
            "With fewer outcomes within the window it is not judged."),
    P_WORD(failure_budget, action, action_words, "end_run",
           "end_run: the replication ends with that instant, and its figures up to then are kept; "
           "stop_sources: the entities make no new requests, and what is under way runs on; abort: "
           "the replication ends, and nothing but that is kept."),
    P_WORD(failure_budget, of, of_words, "attempts",
           "What fails or succeeds: every attempt, or requests with all of their attempts."),
    P_LIST(failure_budget, entities, entity_schema, "[]",
           "Whose outcomes count; by default those of everyone who makes requests and is called by "
           "nobody. Several ranks that share a model keep them on one."),
    P_DURATION(failure_budget, from, "0s", 0, LONGEST, "Outcomes count from this time on ..."),
    P_MAYBE_DURATION(failure_budget, until, "none", 1, LONGEST,
                     "... and before this one; none: to the end of the run."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)a;
    struct failure_budget *b = params;
    b->billionths = (uint64_t)(b->threshold * BILLION + 0.5);
    if (b->until <= b->from) {
        diag_error(d, node_child(at, "until"), "this is not after 'from'");
    }
}

const struct schema failure_budget_schema = {
    .name = "failure_budget",
    .summary = "How large a share of outcomes may be failures before a replication is given up.",
    .size = sizeof(struct failure_budget),
    .rows = rows,
    .derive = derive};

static struct failure_entry *entry(const struct failure_window *w, uint64_t i)
{
    return &w->ring[(w->first + i) & (w->capacity - 1)];
}

void failure_window_grow(struct failure_window *w, struct failure_entry *ring, uint64_t capacity)
{
    CHECK(capacity >= 2 * w->capacity && (capacity & (capacity - 1)) == 0,
          "a ring of %llu entries in place of %llu", (unsigned long long)capacity,
          (unsigned long long)w->capacity);
    /* What had begun anew at the front goes on behind the end. */
    uint64_t wrapped = w->first + w->n > w->capacity ? w->first + w->n - w->capacity : 0;
    if (wrapped > 0) {
        memcpy(ring + w->capacity, ring, wrapped * sizeof *ring);
    }
    w->ring = ring;
    w->capacity = capacity;
}

static void drop_older(struct failure_window *w, sim_time than)
{
    while (w->n > 0 && entry(w, 0)->time < than) {
        const struct failure_entry *oldest = entry(w, 0);
        w->outcomes -= oldest->outcomes;
        w->failures -= oldest->failures;
        w->first = (w->first + 1) & (w->capacity - 1);
        w->n--;
    }
}

static struct failure_entry *entry_for(struct failure_window *w, sim_time now)
{
    struct failure_entry *last = w->n > 0 ? entry(w, w->n - 1) : NULL;
    if (last && last->time == now && last->outcomes < UINT32_MAX) {
        return last;
    }
    CHECK(w->n < w->capacity, "the window of the failure budget is full");
    last = entry(w, w->n++);
    *last = (struct failure_entry){.time = now};
    return last;
}

bool failure_budget_feed(const struct failure_budget *b, struct failure_window *w, sim_time now,
                         bool failed)
{
    if (w->tripped) {
        return false;
    }
    drop_older(w, now - b->window);
    struct failure_entry *e = entry_for(w, now);
    e->outcomes++;
    e->failures += failed;
    w->outcomes++;
    w->failures += failed;
    /* In whole numbers, so that 30 % of 10 is 3, and 3 not more than that. */
    w->tripped = w->outcomes >= (uint64_t)b->min_samples &&
                 (wide)w->failures * BILLION > (wide)b->billionths * w->outcomes;
    return w->tripped;
}
