/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/status_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "parallel/patience.h"

static const double EVERY_S = 10.0, SHARE = 50.0; /* writing takes at most a fiftieth of the time */

static const char *const state_names[RUN_STATES] = {"running", "done", "stopped", "failed"};

/* --- the text ----------------------------------------------------------------------------- */

static void family(FILE *out, const char *name, const char *type, const char *unit,
                   const char *help)
{
    fprintf(out, "# TYPE squall_%s %s\n", name, type);
    if (unit) {
        fprintf(out, "# UNIT squall_%s %s\n", name, unit);
    }
    fprintf(out, "# HELP squall_%s %s\n", name, help);
}

static void label(FILE *out, const char *before, const char *name, const char *text)
{
    fprintf(out, "%s%s=\"", before, name);
    for (; *text; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
        } else {
            fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
        }
    }
    putc('"', out);
}

static void whole(FILE *out, const char *name, uint64_t value, const char *help)
{
    family(out, name, "gauge", NULL, help);
    fprintf(out, "squall_%s %" PRIu64 "\n", name, value);
}

static void counter(FILE *out, const char *name, uint64_t value, const char *help)
{
    family(out, name, "counter", NULL, help);
    fprintf(out, "squall_%s_total %" PRIu64 "\n", name, value);
}

static void seconds(FILE *out, const char *name, double value, const char *help)
{
    family(out, name, "gauge", "seconds", help);
    fprintf(out, "squall_%s %.3f\n", name, value);
}

static void write_run(const struct status_file *f, enum run_state state, FILE *out)
{
    const struct results_meta *m = f->meta;
    const char *job = getenv("SLURM_JOB_ID");
    char plan[24];
    snprintf(plan, sizeof plan, "%016" PRIx64, m->plan_hash);
    family(out, "run", "info", NULL, "What is being run.");
    label(out, "squall_run_info{", "name", m->name);
    label(out, ",", "plan", plan);
    label(out, ",", "version", m->software);
    label(out, ",", "slurm_job_id", job ? job : "");
    if (m->shards > 0) {
        fprintf(out, ",shard=\"%" PRIu32 "\",shards=\"%" PRIu32 "\"", m->shard, m->shards);
    }
    fputs("} 1\n", out);
    family(out, "run_state", "stateset", NULL, "What the run is doing.");
    for (int k = 0; k < RUN_STATES; k++) {
        label(out, "squall_run_state{", "squall_run_state", state_names[k]);
        fprintf(out, "} %d\n", k == (int)state);
    }
}

static void write_failed(const struct tally *t, FILE *out)
{
    family(out, "replications_failed", "counter", NULL,
           "Replications that did not end as they should, with those of earlier runs.");
    for (int k = RUN_OK + 1; k < RUN_MISSING; k++) {
        label(out, "squall_replications_failed_total{", "status", run_status_names[k]);
        fprintf(out, "} %" PRIu64 "\n", t->status[k]);
    }
}

static void write_text(const struct status_file *f, const struct tally *t, double elapsed,
                       enum run_state state, FILE *out)
{
    struct tally_look look;
    tally_look(t, elapsed, &look);
    write_run(f, state, out);
    counter(out, "replications_done", look.run, "Replications done, with those of earlier runs.");
    whole(out, "replications_planned", look.tasks,
          "Replications that the results need, as far as is known.");
    write_failed(t, out);
    counter(out, "events", t->events,
            "Events handled by replications that are done, with those of earlier runs.");
    whole(out, look.searches ? "searches_done" : "points_done", look.units_done,
          look.searches ? "Searches that have come to an end."
                        : "Points of which nothing is left to be run.");
    whole(out, look.searches ? "searches_planned" : "points_planned", look.units,
          look.searches ? "Searches of the study." : "Points of the study.");
    whole(out, "ranks", (uint64_t)f->ranks, "MPI ranks of the run.");
    seconds(out, "elapsed_seconds", elapsed, "Time since the run began.");
    if (state == RUN_STATE_RUNNING && !isnan(look.left_s)) {
        seconds(out, "eta_seconds", look.left_s, "Time until all is done, about.");
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seconds(out, "status_timestamp_seconds", (double)now.tv_sec + 1e-9 * (double)now.tv_nsec,
            "When this was written, since 1970 (UTC).");
    fputs("# EOF\n", out);
}

/* --- the file ----------------------------------------------------------------------------- */

static bool put_file(const char *path, const char *text, size_t size)
{
    char *other = NULL;
    CHECK(asprintf(&other, "%s.tmp", path) > 0, "out of memory for a path");
    FILE *out = fopen(other, "we");
    bool ok = out && fwrite(text, 1, size, out) == size;
    int why = errno;
    if (out && fclose(out) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (ok && rename(other, path) != 0) {
        ok = false;
        why = errno;
    }
    if (out && !ok) {
        remove(other);
    }
    free(other);
    errno = why;
    return ok;
}

static void write_file(struct status_file *f, const struct tally *t, double elapsed,
                       enum run_state state)
{
    uint64_t began = patience_clock();
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    CHECK(memory, "out of memory");
    write_text(f, t, elapsed, state, memory);
    CHECK(fclose(memory) == 0, "out of memory");
    if (!put_file(f->path, text, size) && !f->warned) {
        f->warned = true;
        fprintf(stderr, "squall: cannot write the status file %s: %s; the run goes on without it\n",
                f->path, strerror(errno));
    }
    free(text);
    double took = 1e-9 * (double)(patience_clock() - began);
    f->due = elapsed + took + (SHARE * took > EVERY_S ? SHARE * took : EVERY_S);
}

void status_file_open(struct status_file *f, const char *path, const struct results_meta *meta,
                      int ranks, const struct tally *t)
{
    *f = (struct status_file){.path = path, .meta = meta, .ranks = ranks};
    if (path) {
        write_file(f, t, 0.0, RUN_STATE_RUNNING);
    }
}

void status_file_show(struct status_file *f, const struct tally *t, double elapsed)
{
    if (f->path && elapsed >= f->due) {
        write_file(f, t, elapsed, RUN_STATE_RUNNING);
    }
}

void status_file_close(struct status_file *f, const struct tally *t, double elapsed,
                       enum run_state state)
{
    if (f->path) {
        write_file(f, t, elapsed, state);
    }
}
