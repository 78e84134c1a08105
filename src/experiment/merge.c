/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "experiment/answers.h"
#include "experiment/recall.h"
#include "experiment/together.h"
#include "model/points.h"
#include "results/journal.h"
#include "results/writer.h"
#include "version.h"

/* Journals being merged. */
struct merge {
    const struct merge_request *request;
    struct arena memory;
    struct results_meta *metas; /* of each journal */
    struct results_meta meta;   /* of the results */
    struct points points;
    struct blueprint whole; /* of all points */
    struct journal_index index;
    struct goals goals;
    struct agenda *agenda; /* of the whole study */
    const char *output;
    uint32_t shards; /* of the study; 0: no journal is of a shard */
    struct results_error error;
};

static enum exit_status complain(const struct merge *m, enum exit_status status)
{
    fprintf(stderr, "squall: %s\n", m->error.text);
    return status;
}

/* --- do they belong together? ------------------------------------------------------------ */

static bool read_metas(struct merge *m)
{
    const struct merge_request *q = m->request;
    bool ok = true;
    m->metas = arena_take(&m->memory, q->n_journals * sizeof *m->metas);
    for (size_t i = 0; i < q->n_journals; i++) {
        m->error.text[0] = '\0';
        if (!journal_meta(q->journals[i], &m->memory, &m->metas[i], &m->error)) {
            ok = complain(m, EXIT_WRONG_INPUT) == EXIT_DONE;
        }
    }
    return ok;
}

/* Versions may differ: what they do is not known to. */
static void tell_of_versions(const struct merge *m)
{
    const struct results_meta *first = &m->metas[0];
    const char *const *names = m->request->journals;
    for (size_t i = 1; i < m->request->n_journals; i++) {
        const struct results_meta *other = &m->metas[i];
        if (strcmp(other->software, first->software) != 0 || strcmp(other->git, first->git) != 0) {
            fprintf(stderr,
                    "squall: %s was begun by %s (%s), %s by %s (%s): should the versions not do "
                    "the same, the results are of two kinds\n",
                    names[0], first->software, first->git, names[i], other->software, other->git);
            return;
        }
    }
}

static bool check_together(struct merge *m)
{
    const struct merge_request *q = m->request;
    const struct together all = {q->journals, m->metas, q->n_journals, .shards_once = true};
    if (!together_check(&all, &m->error)) {
        return complain(m, EXIT_WRONG_INPUT) == EXIT_DONE;
    }
    tell_of_versions(m);
    for (size_t i = 0; i < q->n_journals; i++) {
        m->shards = m->metas[i].shards ? m->metas[i].shards : m->shards;
    }
    return true;
}

/* --- is everything there? ---------------------------------------------------------------- */

/* The journal of a shard, or NULL. */
static const char *journal_of(const struct merge *m, uint32_t shard)
{
    for (size_t i = 0; i < m->request->n_journals; i++) {
        if (m->metas[i].shards > 0 && m->metas[i].shard == shard) {
            return m->request->journals[i];
        }
    }
    return NULL;
}

static void tell_of_shard(const struct merge *m, uint32_t shard, uint64_t own, uint64_t has)
{
    const char *journal = journal_of(m, shard);
    fprintf(stderr, "squall: shard %" PRIu32 " of %" PRIu32, shard, m->shards);
    if (journal) {
        fprintf(stderr,
                " lacks %" PRIu64 " of %" PRIu64 " replications: 'squall resume %s' runs them\n",
                own - has, own, journal);
    } else {
        fprintf(stderr,
                " is missing: 'squall run CONFIG --shard %" PRIu32 "/%" PRIu32 "' makes it\n",
                shard, m->shards);
    }
}

static void tell_of_shards(const struct merge *m)
{
    enum { TOLD = 20 };
    uint64_t *own = calloc(2 * (size_t)m->shards, sizeof *own), *has = own + m->shards, told = 0;
    CHECK(own, "out of memory for %" PRIu32 " shards", m->shards);
    agenda_shares(m->agenda, m->shards, own, has);
    for (uint32_t k = 0; k < m->shards; k++) {
        if (has[k] < own[k] && told++ < TOLD) {
            tell_of_shard(m, k + 1, own[k], has[k]);
        }
    }
    if (told > TOLD) {
        fprintf(stderr, "squall: %" PRIu64 " more shards lack something\n", told - TOLD);
    }
    free(own);
}

static void tell_of_missing(const struct merge *m)
{
    if (m->shards > 0) {
        tell_of_shards(m);
        return;
    }
    fprintf(stderr,
            "squall: %s%s %" PRIu64 " of %" PRIu64
            " replications: 'squall resume %s' runs what is missing\n",
            m->request->journals[0], m->request->n_journals == 1 ? " lacks" : " and others lack",
            agenda_tasks_left(m->agenda), agenda_tasks(m->agenda), m->request->journals[0]);
}

/* --- the results ------------------------------------------------------------------------- */

static bool load_study(struct merge *m, const struct entity_type *const *registry)
{
    const struct results_meta *first = &m->metas[0];
    struct diag diag = {0};
    bool good = first->points && points_restore(&m->points, first->points, registry, &diag) &&
                points_hash(&m->points) == first->plan_hash;
    diag_close(&diag);
    if (!good) {
        return results_fail(&m->error,
                            "%s was begun by %s, which understood its configuration differently; "
                            "merge it with that version",
                            m->request->journals[0], first->software);
    }
    points_whole(&m->points, &m->memory, &m->whole);
    m->meta = *first;
    m->meta.blueprint = &m->whole;
    m->meta.points = &m->points;
    m->meta.software = "squall " SQUALL_VERSION;
    m->meta.git = SQUALL_GIT;
    m->meta.shard = m->meta.shards = 0;
    /* NAME.h5 is what the study itself is going to write. */
    m->output = m->request->output ? m->request->output
                                   : arena_format(&m->memory, "%s%s.h5", m->meta.name,
                                                  m->request->partial ? ".partial" : "");
    return true;
}

static bool check_output(struct merge *m)
{
    struct stat there_is;
    if (stat(m->output, &there_is) != 0) {
        return true;
    }
    if (S_ISDIR(there_is.st_mode)) {
        return results_fail(&m->error, "%s is a directory; --output names a file", m->output);
    }
    return m->request->force ||
           results_fail(&m->error, "%s exists; --force overwrites it, --output names another",
                        m->output);
}

static bool scan(struct merge *m)
{
    const struct merge_request *q = m->request;
    if (!journal_scan(q->journals, q->n_journals, m->meta.plan_hash, &m->index, &m->error)) {
        return false;
    }
    if (m->index.damaged > 0) {
        fprintf(stderr, "squall: the journals are damaged in %" PRIu64 " places\n",
                m->index.damaged);
    }
    m->agenda = recall_agenda(&m->meta, &m->goals);
    return recall_journal(m->agenda, &m->meta, &m->index, false, &m->error);
}

static enum exit_status write_results(struct merge *m)
{
    const struct merge_request *q = m->request;
    uint64_t early = 0, *used = recall_used(m->agenda, m->meta.n_points);
    const struct results_choice choice = {used,
                                          answers_thresholds(m->agenda, &m->meta, &m->memory)};
    bool ok = results_write(m->output, &m->meta, &m->index, &choice, &early, &m->error);
    free(used);
    if (!ok) {
        fprintf(stderr, "squall: %s\nThe journals are as they were: merge them again.\n",
                m->error.text);
        return EXIT_TROUBLE;
    }
    for (size_t i = 0; q->remove && i < q->n_journals; i++) {
        m->error.text[0] = '\0';
        if (!journal_remove(q->journals[i], &m->error)) {
            fprintf(stderr, "squall: %s is whole; %s: remove it by hand\n", m->output,
                    m->error.text);
        }
    }
    answers_print(m->agenda, &m->meta, stdout);
    printf("%s\n", m->output);
    return early > 0 ? EXIT_ENDED_EARLY : EXIT_DONE;
}

static enum exit_status merge(struct merge *m, const struct entity_type *const *registry)
{
    if (!read_metas(m) || !check_together(m)) {
        return EXIT_WRONG_INPUT;
    }
    if (!load_study(m, registry) || !check_output(m) || !scan(m)) {
        return complain(m, EXIT_WRONG_INPUT);
    }
    if (!agenda_over(m->agenda)) {
        tell_of_missing(m);
        if (!m->request->partial) {
            fputs("Nothing was written; --partial writes what there is.\n", stderr);
            return EXIT_RESUMABLE;
        }
    }
    return write_results(m);
}

enum exit_status merge_journals(const struct merge_request *request,
                                const struct entity_type *const *registry)
{
    struct merge m = {.request = request};
    enum exit_status status = merge(&m, registry);
    journal_index_close(&m.index);
    agenda_close(m.agenda);
    points_close(&m.points);
    arena_close(&m.memory);
    return status;
}
