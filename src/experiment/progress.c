/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const double REDRAW_S = 0.2, LOG_S = 60.0;

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

static void draw(struct progress *p, double t)
{
    double passed = t - p->began;
    fprintf(stderr, "%s%" PRIu64 "/%" PRIu64 " replications", p->terminal ? "\r\033[K" : "",
            p->before + p->done, p->before + p->tasks);
    if (p->done > 0 && passed > 0.0) {
        fprintf(stderr, ", %.3g/s, %.3g events/s", (double)p->done / passed,
                (double)p->events / passed);
        if (p->done < p->tasks) {
            print_eta((double)(p->tasks - p->done) * passed / (double)p->done);
        }
    }
    fputs(p->terminal ? "" : "\n", stderr);
    fflush(stderr);
}

void progress_show(struct progress *p, uint64_t done, uint64_t tasks, uint64_t events)
{
    p->done = done;
    p->tasks = tasks;
    p->events = events;
    double t = now_s();
    if (!p->quiet && t - p->last >= (p->terminal ? REDRAW_S : LOG_S)) {
        p->last = t;
        draw(p, t);
    }
}

void progress_close(struct progress *p)
{
    if (!p->quiet) {
        draw(p, now_s());
        fputs(p->terminal ? "\n" : "", stderr);
    }
}
