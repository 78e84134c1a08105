/* SPDX-License-Identifier: Apache-2.0
 *
 * Where and when the replications of a results file were run, and what they noted.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/inspect.h"
#include "cli/table.h"
#include "results/layout.h"

/* What was done in a session. */
struct share {
    uint64_t replications;
    uint64_t wall_ns; /* [ns] */
};

/* "2 of 8", "-" where there is none. */
static const char *part_text(struct arena *memory, uint64_t number, uint64_t of)
{
    return of ? arena_format(memory, "%" PRIu64 " of %" PRIu64, number, of) : "-";
}

static void put_session(struct table *t, struct arena *memory, const struct journal_session *s,
                        const struct share *share)
{
    char begun[JOURNAL_TIME];
    table_row(t,
              arena_format(memory, "%s, rank %s", s->host, part_text(memory, s->rank, s->ranks)));
    table_text(t, journal_time_text(s->begun, begun));
    table_text(t, arena_format(memory, "%" PRIu64, share->replications));
    table_figure(t, (double)share->wall_ns, NAN, "ns", "");
    table_text(t, part_text(memory, s->shard, s->shards));
    const char *job = journal_session_job(s, memory);
    table_text(t, job[0] ? job : "-");
    table_text(t, arena_format(memory, "%s (%s)", s->software, s->git));
}

/* Adds up what the replications of all points say; `other` is of those whose session is not known.
 */
static bool add_up(struct view *v, const struct results_provenance *p, struct share *shares,
                   struct share *other)
{
    const struct results_meta *m = &v->results.meta;
    for (uint64_t point = 0; point < m->n_points; point++) {
        if (!results_runs(&v->results, point, v->runs, &v->error)) {
            return false;
        }
        for (uint64_t r = 0; r < m->n_replications; r++) {
            const struct results_run *run = &v->runs[r];
            struct share *share = run->session < p->n_sessions ? &shares[run->session] : other;
            share->replications += run->status != RUN_MISSING;
            share->wall_ns += run->wall_ns;
        }
    }
    return true;
}

static void print_sessions(const struct results_provenance *p, const struct share *shares,
                           struct arena *memory)
{
    static const char *const head[] = {"begun", "replications", "time", "shard", "job", "software"};
    struct table t = {.rows = NULL};
    table_head(&t, "sessions");
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        table_text(&t, head[i]);
    }
    for (uint64_t i = 0; i < p->n_sessions; i++) {
        put_session(&t, memory, &p->sessions[i], &shares[i]);
    }
    table_print(&t, stdout);
    table_close(&t);
}

static void print_notes(const struct results_provenance *p)
{
    for (uint64_t i = 0; i < p->n_notes; i++) {
        const struct results_note *n = &p->notes[i];
        printf("\npoint %" PRIu64 ", replication %" PRIu64 "\n%s\n", n->point, n->replication,
               n->text);
    }
}

bool inspect_provenance(struct view *v)
{
    struct results_provenance p;
    struct arena memory = {0};
    struct share other = {0};
    bool ok = results_provenance(&v->results, &p, &v->error);
    struct share *shares = arena_take(&memory, p.n_sessions * sizeof *shares);
    ok = ok && add_up(v, &p, shares, &other);
    if (ok) {
        printf("  %-14s%s\n\n", "command", v->results.meta.command);
        print_sessions(&p, shares, &memory);
        if (other.replications > 0) {
            printf("\n%" PRIu64 " replications do not say where they were run.\n",
                   other.replications);
        }
        print_notes(&p);
    }
    arena_close(&memory);
    return ok;
}
