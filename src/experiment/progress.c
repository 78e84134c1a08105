/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const double REDRAW_S = 0.2, LOG_FIRST_S = 10.0, LOG_S = 60.0;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_open(struct progress *p, bool quiet, uint64_t before)
{
    double now = now_s();
    *p = (struct progress){.quiet = quiet,
                           .terminal = isatty(STDERR_FILENO),
                           .before = before,
                           .done = before,
                           .began = now,
                           .last = now};
}

static void print_eta(double seconds)
{
    uint64_t s = (uint64_t)(seconds + 0.5);
    if (s < 60) {
        fprintf(stderr, ", %" PRIu64 " s left", s);
    } else if (s < 3600) {
        fprintf(stderr, ", %" PRIu64 " min %02" PRIu64 " s left", s / 60, s % 60);
    } else {
        fprintf(stderr, ", %" PRIu64 " h %02" PRIu64 " min left", s / 3600, s / 60 % 60);
    }
}

/* Replications done, with the one under way in proportion: other teams are about as far. */
static void draw(struct progress *p, double t)
{
    double passed = t - p->began, done = (double)(p->done - p->before) + p->within;
    uint64_t events = p->events + p->within_events;
    fprintf(stderr, "%s%" PRIu64 "/%" PRIu64 " replications", p->terminal ? "\r\033[K" : "",
            p->done, p->tasks);
    if (p->within > 0.0 && p->done < p->tasks) {
        fprintf(stderr, " and %.0f %%", 100.0 * p->within);
    }
    if (done > 0.0 && passed > 0.0) {
        fprintf(stderr, ", %.3g/s, %.3g events/s", done / passed, (double)events / passed);
        if (p->done < p->tasks) {
            print_eta(((double)(p->tasks - p->before) - done) * passed / done);
        }
    }
    fputs(p->terminal ? "" : "\n", stderr);
    fflush(stderr);
}

void progress_within(struct progress *p, double share, uint64_t events)
{
    p->within = share;
    p->within_events = events;
}

void progress_done(struct progress *p, uint64_t events)
{
    p->events += events;
    progress_within(p, 0.0, 0);
}

void progress_show(struct progress *p, uint64_t done, uint64_t tasks)
{
    p->done = done;
    p->tasks = tasks;
    double t = now_s();
    double pause = p->terminal ? REDRAW_S : p->last > p->began ? LOG_S : LOG_FIRST_S;
    if (!p->quiet && t - p->last >= pause) {
        p->last = t;
        draw(p, t);
    }
}

void progress_close(struct progress *p)
{
    if (!p->quiet) {
        progress_within(p, 0.0, 0);
        draw(p, now_s());
        fputs(p->terminal ? "\n" : "", stderr);
    }
}
