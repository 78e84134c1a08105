/* SPDX-License-Identifier: Apache-2.0
 *
 * The first half of squall plan for other programs: one object. Times are in seconds, sizes in
 * bytes; what is not known is null.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/simtime.h"
#include "cli/plan.h"

static void number(const char *name, double value)
{
    printf("\"%s\": ", name);
    json_real(stdout, value);
}

/* 0 stands for what is not known. */
static double known(double value)
{
    return value > 0.0 ? value : NAN;
}

static void print_axes(const struct sweep *s)
{
    fputs(" \"axes\": [", stdout);
    for (uint32_t i = 0; i < s->n_axes; i++) {
        const struct axis *axis = &s->axes[i];
        fputs(i > 0 ? ",\n  {\"path\": " : "\n  {\"path\": ", stdout);
        json_text(stdout, axis->path);
        printf(", \"values\": %" PRIu64 ", \"first\": ", axis->n);
        json_text(stdout, axis->texts[0]);
        fputs(", \"last\": ", stdout);
        json_text(stdout, axis->texts[axis->n - 1]);
        putchar('}');
    }
    puts("],");
}

static void print_runs(const struct forecast *f)
{
    fputs(" \"calibration\": [", stdout);
    for (uint32_t i = 0; i < f->n_runs; i++) {
        const struct forecast_run *run = &f->runs[i];
        printf("%s\n  {\"point\": %" PRIu64 ", \"replications\": %" PRIu64 ", ", i > 0 ? "," : "",
               run->point, run->replications);
        number("share", run->share);
        fputs(", ", stdout);
        number("events_per_expected", run->ratio);
        fputs(", ", stdout);
        number("ns_per_event", run->ns);
        printf(", \"stuck\": %s, \"tripped\": %s}", run->stuck ? "true" : "false",
               run->tripped ? "true" : "false");
    }
    puts("],");
}

static void print_whole(const struct plan *p)
{
    const struct forecast *f = &p->forecast;
    fputs(" ", stdout);
    number("events", f->events);
    fputs(",\n ", stdout);
    number("core_seconds", f->ns / SIM_TIME_S);
    fputs(", ", stdout);
    number("core_seconds_low", f->ns_low / SIM_TIME_S);
    fputs(", ", stdout);
    number("core_seconds_high", f->ns_high / SIM_TIME_S);
    printf(",\n \"ranks\": %" PRId64 ", ", p->ranks > 0 ? p->ranks : 1);
    number("seconds", p->ranks > 0 ? p->on_ranks : f->ns / SIM_TIME_S);
    printf(",\n \"shards\": %" PRId64 ", ", p->shards);
    number("shard_seconds", known(p->shard));
    fputs(",\n ", stdout);
    number("model_bytes", f->memory);
    fputs(", ", stdout);
    number("rank_bytes", known(p->ranks_memory));
    fputs(", ", stdout);
    number("rank_address_bytes", known(p->ranks_address));
    fputs(",\n ", stdout);
    number("journal_bytes", known(f->records));
    fputs(", ", stdout);
    number("results_bytes_most", known(f->records) + FORECAST_FILE_BYTES);
    puts(",");
}

static void print_point(const struct plan *p, uint64_t point)
{
    const struct forecast_point *f = &p->forecast.points[point];
    const struct sweep *s = &p->points.axes;
    printf("{\"point\": %" PRIu64 ", \"values\": {", point);
    for (uint32_t i = 0; i < s->n_axes; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        json_text(stdout, s->axes[i].path);
        fputs(": ", stdout);
        json_text(stdout, s->axes[i].texts[sweep_value(s, point, i)]);
    }
    fputs("}, ", stdout);
    number("expected_events", f->expected);
    fputs(", ", stdout);
    number("events", f->events);
    fputs(", ", stdout);
    number("seconds", f->ns / SIM_TIME_S);
    fputs(", ", stdout);
    number("model_bytes", f->memory);
    printf(", \"ran\": %s}", f->ran ? "true" : "false");
}

void plan_study_json(const struct plan *p)
{
    const struct forecast *f = &p->forecast;
    fputs("{\"study\": ", stdout);
    json_text(stdout, p->points.held->settings.name);
    fputs(", \"config\": ", stdout);
    json_text(stdout, p->path);
    printf(",\n \"points\": %" PRIu64 ", \"replications\": %" PRIu64 ", \"tasks\": %" PRIu64
           ", \"at_most\": %s,\n",
           f->n, f->replications, forecast_tasks(f), f->at_most ? "true" : "false");
    print_axes(&p->points.axes);
    print_runs(f);
    print_whole(p);
    fputs(" \"costliest\": ", stdout);
    print_point(p, p->ranked[0]);
    fputs(",\n \"shown\": [", stdout);
    for (uint32_t i = 0; i < p->n_rows; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", stdout);
        print_point(p, p->rows[i]);
    }
    fputs("]", stdout);
}
