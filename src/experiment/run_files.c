/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "experiment/answers.h"
#include "experiment/recall.h"
#include "experiment/run_parts.h"
#include "results/journal.h"
#include "results/reader.h"
#include "results/writer.h"

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* "storm.journal", or "storm.shard-3-of-8.journal". */
static const char *journal_name(struct run *run, const char *stem)
{
    const struct results_meta *m = &run->meta;
    return m->shards == 0
               ? arena_format(&run->memory, "%s.journal", stem)
               : arena_format(&run->memory, "%s.shard-%" PRIu32 "-of-%" PRIu32 ".journal", stem,
                              m->shard, m->shards);
}

/* NAME.h5 goes with NAME.journal. */
static void name_files(struct run *run)
{
    const struct run_request *q = run->request;
    const char *from = q->output ? q->output : q->journal;
    if (!from) {
        run->output = arena_format(&run->memory, "%s.h5", run->meta.name);
        run->journal = journal_name(run, run->meta.name);
        return;
    }
    size_t n = strlen(from);
    while (!q->output && n > 1 && from[n - 1] == '/') {
        n--; /* of the journal: a directory may be named with a slash behind */
    }
    char *stem = arena_text(&run->memory, from, n);
    const char *end = q->output ? ".h5" : ".journal";
    if (ends_with(stem, end)) {
        stem[strlen(stem) - strlen(end)] = '\0';
    }
    run->output = q->output ? q->output : arena_format(&run->memory, "%s.h5", stem);
    run->journal = q->journal ? q->journal : journal_name(run, stem);
}

/* The user's journal is that of another plan: says what differs. */
static enum exit_status refuse_plan(struct run *run, const struct results_meta *old)
{
    fprintf(stderr,
            "squall: %s belongs to another plan; what has changed since:%s\n"
            "Give the new study another --output, or remove the journal.\n",
            run->journal, meta_changes(old, &run->meta, SIZE_MAX, &run->memory));
    return EXIT_WRONG_INPUT;
}

/* A run that was killed in its first moments leaves a journal that does not say of what. */
static bool is_blank(const char *journal)
{
    struct results_error error = {.text = ""};
    struct journal_index index = {0};
    bool blank = journal_scan(&journal, 1, 0, &index, &error) && index.n == 0;
    journal_index_close(&index);
    return blank;
}

static enum exit_status open_existing(struct run *run)
{
    const struct run_request *q = run->request;
    struct results_meta old;
    if (!journal_meta(run->journal, &run->memory, &old, &run->error)) {
        if (!is_blank(run->journal)) {
            return run_complain(run, EXIT_WRONG_INPUT);
        }
        run->error.text[0] = '\0';
        return EXIT_DONE;
    }
    if (old.plan_hash != run->meta.plan_hash) {
        return refuse_plan(run, &old);
    }
    if (!q->journal && !q->resume) {
        results_fail(&run->error,
                     "an unfinished run of this study is in %s: 'squall resume %s' goes "
                     "on with it, --force starts anew",
                     run->journal, run->journal);
        return run_complain(run, EXIT_WRONG_INPUT);
    }
    return EXIT_DONE;
}

static enum exit_status refuse_output(struct run *run)
{
    results_fail(&run->error, "%s exists; --force overwrites it, --output names another",
                 run->output);
    return run_complain(run, EXIT_WRONG_INPUT);
}

/* Whether the results that are there are those of this plan: of an earlier run that came to its
 * end, so that the same command may be given again. */
static bool is_of_plan(struct run *run)
{
    struct results results;
    struct results_error unwanted = {""};
    if (!results_open(run->output, &results, &unwanted)) {
        return false;
    }
    bool same = results.meta.plan_hash == run->meta.plan_hash;
    results_close(&results);
    if (same && !run->request->quiet) {
        fprintf(stderr, "squall: %s has the results of this study already\n", run->output);
    }
    return same;
}

/* Decides where results go, and that nothing is lost by it. */
static enum exit_status prepare_files(struct run *run)
{
    const struct run_request *q = run->request;
    name_files(run);
    struct stat there_is;
    if (stat(run->output, &there_is) == 0 && S_ISDIR(there_is.st_mode)) {
        results_fail(&run->error, "%s is a directory; --output names a file", run->output);
        return run_complain(run, EXIT_WRONG_INPUT);
    }
    bool there = access(run->journal, F_OK) == 0;
    if (run->meta.shards == 0 && access(run->output, F_OK) == 0 && !q->force && !q->retry_failed) {
        run->finished = q->resume && is_of_plan(run);
        return run->finished ? EXIT_DONE : refuse_output(run);
    }
    if (there && q->force && !q->journal && !q->resume) {
        if (!journal_remove(run->journal, &run->error)) {
            return run_complain(run, EXIT_TROUBLE);
        }
        there = false;
    }
    if (there || q->journal) {
        return open_existing(run);
    }
    if (!journal_create(run->journal, &run->error)) {
        return run_complain(run, EXIT_WRONG_INPUT);
    }
    return EXIT_DONE;
}

/* Earlier runs are a part of what is told of this one. */
static void count_known(struct run *run, const struct journal_index *index)
{
    tally_open(&run->tally, run->agenda, &run->points);
    for (size_t i = 0; i < index->n; i++) {
        const struct journal_entry *e = &index->entries[i];
        if (e->replication != RECORD_PILOT && e->point < run->meta.n_points &&
            recall_stands(e, run->request->retry_failed)) {
            tally_earlier(&run->tally, e->point, e->status, e->events);
        }
    }
}

/* Finds out what the journal lacks. */
static enum exit_status list_tasks(struct run *run)
{
    struct journal_index index = {0};
    run->agenda = recall_agenda(&run->meta, &run->goals);
    bool ok =
        journal_scan(&run->journal, 1, run->meta.plan_hash, &index, &run->error) &&
        recall_journal(run->agenda, &run->meta, &index, run->request->retry_failed, &run->error);
    if (index.damaged > 0) {
        fprintf(stderr,
                "squall: %s is damaged in %" PRIu64 " places; what was there is run again\n",
                run->journal, index.damaged);
    }
    count_known(run, &index);
    journal_index_close(&index);
    return ok ? EXIT_DONE : run_complain(run, EXIT_WRONG_INPUT);
}

enum exit_status run_open_files(struct run *run)
{
    enum exit_status status = prepare_files(run);
    return status == EXIT_DONE && !run->finished ? list_tasks(run) : status;
}

/* Prints the line, if there is something to say. Returns how many may be tried again. */
static uint64_t tell_of_failures(struct run *run, const struct journal_index *index)
{
    struct failures f;
    failures_find(index, &f);
    if (f.n > 0) {
        fprintf(stderr, "squall: %s\n", failures_text(&f, &run->memory));
    }
    return f.by_status[RUN_WATCHDOG];
}

void run_tell_of_failures(struct run *run)
{
    struct journal_index index = {0};
    if (run_failures(run) == 0) {
        return;
    }
    if (journal_glance(&run->journal, 1, run->meta.plan_hash, &index, &run->error)) {
        tell_of_failures(run, &index);
    } else {
        run_complain(run, EXIT_TROUBLE);
    }
    journal_index_close(&index);
}

/* What the results consist of must be there: somebody may have changed the journal. */
static bool has_all(struct run *run, const struct journal_index *index, const uint64_t *used)
{
    uint64_t wanted = 0, have = 0;
    for (uint64_t p = 0; p < run->meta.n_points; p++) {
        wanted += used[p];
    }
    for (size_t i = 0; i < index->n; i++) {
        const struct journal_entry *e = &index->entries[i];
        have += e->point < run->meta.n_points && e->replication < used[e->point];
    }
    return have == wanted || results_fail(&run->error,
                                          "%s has only %" PRIu64 " of %" PRIu64
                                          " replications: was it changed meanwhile?",
                                          run->journal, have, wanted);
}

enum exit_status run_write_results(struct run *run)
{
    struct journal_index index = {0};
    uint64_t early = 0, *used = recall_used(run->agenda, run->meta.n_points);
    const struct results_choice choice = {
        used, answers_thresholds(run->agenda, &run->meta, &run->memory)};
    bool ok = journal_scan(&run->journal, 1, run->meta.plan_hash, &index, &run->error) &&
              has_all(run, &index, used) &&
              results_write(run->output, &run->meta, &index, &choice, &early, &run->error);
    uint64_t again = ok && early > 0 ? tell_of_failures(run, &index) : 0;
    journal_index_close(&index);
    free(used);
    if (!ok) {
        fprintf(stderr,
                "squall: %s\nFinished replications are in %s: 'squall resume %s' writes the "
                "results again.\n",
                run->error.text, run->journal, run->journal);
        return EXIT_TROUBLE;
    }
    if (again > 0) {
        fprintf(stderr,
                "squall: %s is kept: 'squall resume --retry-failed %s' runs %" PRIu64
                " of them again, with other limits\n",
                run->journal, run->journal, again);
    } else if (!journal_remove(run->journal, &run->error)) {
        /* Nothing is lost by a journal that stays. */
        fprintf(stderr, "squall: %s is whole; %s: remove it by hand\n", run->output,
                run->error.text);
    }
    if (!run->request->quiet) {
        answers_print(run->agenda, &run->meta, stdout);
        printf("%s\n", run->output);
        fflush(stdout); /* before what goes on with it */
        if (run->progress.terminal) {
            fprintf(stderr, "squall: 'squall inspect %s' shows what came out\n", run->output);
        }
    }
    return early > 0 ? EXIT_ENDED_EARLY : EXIT_DONE;
}
