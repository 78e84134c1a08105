/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "parallel/patience.h"

static const double REDRAW_S = 0.2, LOG_FIRST_S = 10.0, LOG_S = 60.0;
static const double UNITS_A_REDRAW = 1e5; /* more are looked at less often */

void progress_open(struct progress *p, bool quiet)
{
    *p = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO)};
    p->due = p->terminal ? REDRAW_S : LOG_FIRST_S;
}

static double clock_s(void)
{
    return 1e-9 * (double)patience_clock();
}

void progress_reading_open(struct progress_reading *r, bool quiet)
{
    const double patience_s = 1.0;
    *r = (struct progress_reading){.shows = !quiet && isatty(STDERR_FILENO),
                                   .due = clock_s() + patience_s};
}

void progress_read(struct progress_reading *r, uint64_t done, uint64_t of)
{
    if (r->shows && clock_s() >= r->due) {
        r->due = clock_s() + REDRAW_S;
        r->shown = true;
        fprintf(stderr, "\r\033[Kread %" PRIu64 " of %" PRIu64 " points", done, of);
        fflush(stderr);
    }
}

void progress_reading_close(struct progress_reading *r)
{
    if (r->shown) {
        fputs("\r\033[K", stderr);
    }
    r->shown = false;
}

char *progress_time(double seconds, char *text)
{
    /* More is not known to the second, and hardly to the century. */
    uint64_t s = seconds < 1e12 ? (uint64_t)(seconds + 0.5) : (uint64_t)1e12;
    if (s < 60) {
        snprintf(text, PROGRESS_TIME, "%" PRIu64 " s", s);
    } else if (s < 3600) {
        snprintf(text, PROGRESS_TIME, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
    } else {
        snprintf(text, PROGRESS_TIME, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
    }
    return text;
}

static const char *line(const struct tally *t, const struct tally_look *l, double elapsed,
                        struct arena *a)
{
    char left[PROGRESS_TIME];
    const char *text = arena_format(a, "%" PRIu64 "/%" PRIu64 " replications", l->done, l->tasks);
    if (l->units > 1) {
        text = arena_format(a, "%s, %" PRIu64 "/%" PRIu64 " %s", text, l->units_done, l->units,
                            l->searches ? "searches" : "points");
    } else if (t->within > 0.0 && !l->over) {
        text = arena_format(a, "%s and %.0f %%", text, 100.0 * t->within);
    }
    if (l->early > 0) {
        text = arena_format(a, "%s, %" PRIu64 " ended early", text, l->early);
    }
    if (!l->over && !isnan(l->left_s)) {
        text = arena_format(a, "%s, %s left", text, progress_time(l->left_s, left));
    }
    if (l->done_now > 0.0 && elapsed > 0.0) {
        text = arena_format(a, "%s, %.3g/s, %.3g events/s", text, l->done_now / elapsed,
                            l->events_now / elapsed);
    }
    return text;
}

/* A line that a terminal breaks in two would not be drawn over. */
static int room(const struct progress *p)
{
    enum { ANY = 1000 };
    struct winsize size;
    bool known = p->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col - 1 : ANY;
}

static void draw(const struct progress *p, const struct tally *t, double elapsed)
{
    struct arena memory = {0};
    struct tally_look look;
    tally_look(t, elapsed, &look);
    fprintf(stderr, "%s%.*s%s", p->terminal ? "\r\033[K" : "", room(p),
            line(t, &look, elapsed, &memory), p->terminal ? "" : "\n");
    fflush(stderr);
    arena_close(&memory);
}

void progress_show(struct progress *p, const struct tally *t, double elapsed)
{
    if (!p->quiet && elapsed >= p->due) {
        double slower = 1.0 + (double)t->remainder.n_units / UNITS_A_REDRAW;
        p->due = elapsed + (p->terminal ? REDRAW_S * slower : LOG_S);
        p->drawn = true;
        draw(p, t, elapsed);
    }
}

void progress_close(struct progress *p, const struct tally *t, double elapsed)
{
    if (!p->quiet) {
        draw(p, t, elapsed);
        fputs(p->terminal ? "\n" : "", stderr);
    }
}
