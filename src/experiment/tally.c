/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/tally.h"

#include <math.h>

void tally_open(struct tally *t, const struct agenda *agenda, const struct points *points)
{
    uint64_t n = agenda_units(agenda);
    *t = (struct tally){.agenda = agenda, .teams = 1};
    remainder_open(&t->remainder, points, n, points->n / n);
}

void tally_close(struct tally *t)
{
    remainder_close(&t->remainder);
}

/* A record that cannot be understood has failed in some way. */
static void add(struct tally *t, uint64_t point, enum run_status status, uint64_t events)
{
    t->status[status < RUN_STATUSES ? status : RUN_FAILED]++;
    t->events += events;
    remainder_done(&t->remainder, point, (double)events);
}

void tally_earlier(struct tally *t, uint64_t point, enum run_status status, uint64_t events)
{
    add(t, point, status, events);
    t->before = t->events;
}

void tally_begin(struct tally *t, uint64_t teams)
{
    t->teams = teams;
    t->done_before = agenda_done(t->agenda);
}

void tally_within(struct tally *t, uint64_t point, double share, uint64_t events)
{
    t->within = share;
    t->within_events = events;
    if (t->agenda) {
        remainder_begun(&t->remainder, point, share, (double)events);
    }
}

void tally_done(struct tally *t, uint64_t point, enum run_status status, uint64_t events)
{
    add(t, point, status, events);
    tally_within(t, point, 0.0, 0);
}

void tally_pilot(struct tally *t, uint64_t events)
{
    t->events += events;
    t->within = 0.0;
    t->within_events = 0;
}

/* Replications and events that are still to be had. */
struct rest {
    double replications, events;
};

static struct rest look_at_units(const struct tally *t, struct tally_look *look)
{
    struct rest rest = {0.0, 0.0};
    for (uint64_t u = 0; u < look->units; u++) {
        uint64_t left = agenda_left(t->agenda, u);
        look->units_done += left == 0;
        rest.replications += (double)left;
        rest.events += left > 0 ? (double)left * remainder_next(&t->remainder, u) : 0.0;
    }
    return rest;
}

void tally_look(const struct tally *t, double elapsed, struct tally_look *look)
{
    uint64_t done = agenda_done(t->agenda), tasks = agenda_tasks(t->agenda);
    *look = (struct tally_look){.over = agenda_over(t->agenda),
                                .done = done < tasks ? done : tasks,
                                .tasks = tasks,
                                .units = t->remainder.n_units,
                                .searches = t->remainder.size > 1};
    struct rest rest = look_at_units(t, look);
    /* Teams that have work are about as far as the one here. */
    double busy = fmin(rest.replications, (double)t->teams);
    double under_way = busy * (double)t->within_events;
    look->run = done;
    look->done_now = (double)(done - t->done_before) + busy * t->within;
    look->events_now = (double)(t->events - t->before) + under_way;
    for (int k = RUN_OK + 1; k < RUN_STATUSES; k++) {
        look->early += t->status[k];
    }
    double rate = look->events_now / elapsed;
    look->left_s = look->over ? 0.0 : rate > 0.0 ? fmax(0.0, rest.events - under_way) / rate : NAN;
}
