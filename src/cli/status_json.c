/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/status.h"

static void key_text(const char *key, const char *text)
{
    printf("\"%s\": ", key);
    json_text(stdout, text);
    fputs(", ", stdout);
}

static void key_whole(const char *key, uint64_t value)
{
    printf("\"%s\": %" PRIu64 ", ", key, value);
}

/* The last of an object. */
static void key_real(const char *key, double value, const char *behind)
{
    printf("\"%s\": ", key);
    json_real(stdout, value);
    fputs(behind, stdout);
}

static void key_truth(const char *key, bool value)
{
    printf("\"%s\": %s, ", key, value ? "true" : "false");
}

static const char *behind(size_t i)
{
    return i > 0 ? ",\n  " : "\n  ";
}

static void write_journal(const struct survey_journal *j)
{
    putchar('{');
    key_text("path", j->path);
    key_whole("shard", j->shard);
    key_whole("shards", j->shards);
    key_whole("tasks", j->tasks);
    key_whole("done", j->done);
    key_truth("running", j->at_work);
    key_whole("writers", j->writers);
    key_whole("damaged", j->damaged);
    printf("\"changed\": %" PRId64 ", ", j->changed);
    key_real("rate", j->rate, ", ");
    key_real("eta_seconds", j->left_s, "}");
}

static void write_session(const struct survey_session *r)
{
    struct arena memory = {0};
    putchar('{');
    key_text("journal", r->journal);
    key_whole("begun", r->process.begun);
    key_text("host", r->process.host);
    key_whole("pid", r->process.pid);
    key_text("slurm_job", journal_session_job(&r->process, &memory));
    key_text("slurm_nodes", r->process.slurm_nodes);
    key_whole("ranks", r->process.ranks);
    key_whole("writers", r->writers);
    key_whole("done", r->done);
    key_truth("running", r->at_work);
    key_real("wall_seconds", 1e-9 * (double)r->wall_ns, "}");
    arena_close(&memory);
}

static void write_values(const struct survey *s, uint64_t point)
{
    const struct sweep *axes = s->axes ? &s->axes->axes : NULL;
    fputs("\"values\": {", stdout);
    for (uint32_t i = 0; axes && i < axes->n_axes; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        json_text(stdout, axes->axes[i].path);
        fputs(": ", stdout);
        json_text(stdout, axes->axes[i].texts[sweep_value(axes, point, i)]);
    }
    putchar('}');
}

static void write_points(const struct survey *s)
{
    fputs(",\n \"by_point\": [", stdout);
    for (uint64_t p = 0; p < s->meta.n_points; p++) {
        const struct survey_point *point = &s->points[p];
        printf("%s{", behind(p));
        key_whole("point", p);
        key_whole("done", point->done);
        key_whole("failed", point->failed);
        key_real("wall_seconds", 1e-9 * (double)point->wall_ns, ", ");
        write_values(s, p);
        putchar('}');
    }
    putchar(']');
}

static void write_failures(const struct survey *s)
{
    fputs(" \"failures\": [", stdout);
    for (size_t i = 0; i < s->n_failures; i++) {
        const struct survey_failure *f = &s->failures[i];
        printf("%s{", behind(i));
        key_text("status", run_status_names[f->status]);
        key_whole("point", f->point);
        key_whole("replication", f->replication);
        write_values(s, f->point);
        putchar('}');
    }
    puts("],");
}

static void write_head(const struct survey *s)
{
    const struct results_meta *m = &s->meta;
    fputs("{", stdout);
    key_text("name", m->name);
    printf("\"plan\": \"%016" PRIx64 "\", ", m->plan_hash);
    key_text("software", m->software);
    key_whole("points", m->n_points);
    key_whole("replications", m->n_replications);
    key_whole("tasks", s->tasks);
    key_truth("at_most", s->at_most);
    key_whole("done", s->done);
    key_whole("events", s->events);
    key_real("wall_seconds", 1e-9 * (double)s->wall_ns, ", ");
    key_real("rate", s->rate, ", ");
    key_real("eta_seconds", s->left_s, ",\n \"status\": {");
    for (int k = 0; k < RUN_MISSING; k++) {
        printf("%s\"%s\": %" PRIu64, k > 0 ? ", " : "", run_status_names[k], s->status[k]);
    }
    puts("},");
}

void status_json(const struct survey *s, bool by_point)
{
    write_head(s);
    write_failures(s);
    fputs(" \"journals\": [", stdout);
    for (size_t i = 0; i < s->n_journals; i++) {
        fputs(behind(i), stdout);
        write_journal(&s->journals[i]);
    }
    fputs("],\n \"missing_shards\": [", stdout);
    for (size_t i = 0; i < s->n_missing; i++) {
        printf("%s%" PRIu32, i > 0 ? ", " : "", s->missing[i]);
    }
    fputs("],\n \"sessions\": [", stdout);
    for (size_t i = 0; i < s->n_sessions; i++) {
        fputs(behind(i), stdout);
        write_session(&s->sessions[i]);
    }
    putchar(']');
    if (by_point) {
        write_points(s);
    }
    puts("}");
}
