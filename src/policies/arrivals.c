/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/arrivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/csv.h"
#include "base/units.h"

/* Lines of a trace: some gigabyte while it is read. */
enum { MOST_TIMES = 50000000 };

#define RATE(doc) P_CHOICE(arrivals, rate, profile_choice, NULL, doc)
#define FIRST_ARRIVAL \
    P_MAYBE_DURATION(arrivals, first_arrival, "none", 0, 1e18, \
                     "When the first arrival comes; `none`: one time between arrivals after 0.")

static const struct param_spec constant_rows[] = {
    RATE("Arrivals per time, evenly spaced where it is constant."), FIRST_ARRIVAL, P_END};

static const struct param_spec poisson_rows[] = {RATE("Mean number of arrivals per time."),
                                                 FIRST_ARRIVAL, P_END};

static const struct param_spec renewal_rows[] = {
    P_CHOICE(arrivals, interarrival, dist_duration, NULL, "Time from one arrival to the next."),
    FIRST_ARRIVAL, P_END};

static const struct param_spec time_rows[] = {
    P_DURATION(arrival_time, time, NULL, 0, 1e18, "When."), P_END};

static const struct schema time_schema = {
    .name = "arrival_time",
    .summary = "The time of one arrival.",
    .size = sizeof(struct arrival_time),
    .rows = time_rows,
    .shorthand = true,
};

static const struct param_spec times_rows[] = {
    P_LIST(arrivals, at, time_schema, NULL, "The times, not falling."), P_END};

static const struct param_spec closed_rows[] = {
    P_COUNT(arrivals, users, NULL, 1, 1e8, "Users, each with one request under way at most."),
    P_CHOICE(arrivals, think_time, dist_duration, NULL,
             "Time before a user's first request, and from the end of one to the next."),
    P_END};

static const struct param_spec trace_rows[] = {
    P_TEXT(arrivals, file, "",
           "File with the time of one arrival a line, not falling; relative to the directory of "
           "the file that names it. Its content counts as if it were written here."),
    P_TEXT(arrivals, lines, "", "These lines themselves, in place of a file."), P_END};

static const struct alternative alternatives[] = {
    {.name = "constant",
     .summary = "Evenly spaced arrivals.",
     .tag = ARRIVALS_CONSTANT,
     .rows = constant_rows},
    {.name = "poisson",
     .summary = "Arrivals independent of each other.",
     .tag = ARRIVALS_POISSON,
     .rows = poisson_rows},
    {.name = "renewal",
     .summary = "Independent times between arrivals, of any law.",
     .tag = ARRIVALS_RENEWAL,
     .rows = renewal_rows},
    {.name = "times",
     .summary = "Arrivals at given times.",
     .tag = ARRIVALS_TIMES,
     .rows = times_rows},
    {.name = "closed",
     .summary = "Users who think, send a request and wait for its end.",
     .tag = ARRIVALS_CLOSED,
     .rows = closed_rows},
    {.name = "trace",
     .summary = "Arrivals at the times of a file, as they were measured.",
     .tag = ARRIVALS_TRACE,
     .rows = trace_rows},
    {.name = NULL}};

/* The times of a trace while they are read. */
struct trace {
    sim_time *items; /* malloced */
    uint32_t n, most;
};

/* Adds the time of the row read last; what is wrong with it, or NULL. */
static const char *add_time(struct csv *c, struct trace *t)
{
    sim_time time = 0;
    const char *fault = units_read_duration(c->cells[0], &c->scratch, &time);
    fault = fault                                   ? fault
            : time < 0                              ? "the time is below 0"
            : (double)time > 1e18                   ? "the time is above 31 years"
            : t->n > 0 && time < t->items[t->n - 1] ? "this is before the time before it"
            : t->n == MOST_TIMES                    ? "a trace has no more lines than this"
                                                    : NULL;
    if (fault) {
        return fault;
    }
    if (t->n == t->most) {
        t->most = t->most ? 2 * t->most : 1024;
        t->items = realloc(t->items, t->most * sizeof *t->items);
        CHECK(t->items, "out of memory for %u arrivals", t->most);
    }
    t->items[t->n++] = time;
    return NULL;
}

/* The times in the words of the program, so that whoever reads the resolved text needs no file. */
static const char *write_times(const struct trace *t, struct arena *arena)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK(out, "out of memory for %u arrivals", t->n);
    for (uint32_t i = 0; i < t->n; i++) {
        fprintf(out, "%s\n", units_write_duration(t->items[i]).text);
    }
    CHECK(fclose(out) == 0, "out of memory for %u arrivals", t->n);
    const char *copy = arena_text(arena, text, size);
    free(text);
    return copy;
}

static void keep_trace(struct arrivals *a, const struct trace *t, struct arena *arena)
{
    a->at.items = arena_take(arena, t->n * sizeof *a->at.items);
    a->at.count = t->n;
    for (uint32_t i = 0; i < t->n; i++) {
        a->at.items[i].time = t->items[i];
    }
    a->file = "";
    a->lines = write_times(t, arena);
}

static void read_trace(struct arrivals *a, const struct node *at, struct diag *diag,
                       struct arena *arena)
{
    static const char *const columns[] = {"time", NULL};
    bool by_file = a->file[0] != '\0';
    const struct node *own = profile_item(at, "trace", by_file ? "file" : "lines", 0);
    struct trace t = {NULL, 0, 0};
    struct csv c;
    if (by_file == (a->lines[0] != '\0')) {
        diag_error(diag, at, "needs either a file or lines");
        return;
    }
    if (!by_file) {
        csv_open_text(&c, a->lines, own, columns, diag);
    } else if (!csv_open(&c, a->file, own, columns, diag)) {
        return;
    }
    while (csv_next(&c)) {
        const char *fault = add_time(&c, &t);
        if (fault) {
            csv_refuse(&c, fault);
        }
    }
    bool good = csv_close(&c);
    if (good && t.n == 0) {
        diag_error(diag, own, "there are no arrivals in it");
    } else if (good) {
        keep_trace(a, &t, arena);
    }
    free(t.items);
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct arrivals *a = value;
    if (a->kind == ARRIVALS_TRACE) {
        read_trace(a, at, diag, arena);
    }
    for (uint32_t i = 1; a->kind == ARRIVALS_TIMES && i < a->at.count; i++) {
        if (a->at.items[i].time < a->at.items[i - 1].time) {
            diag_error(diag, profile_item(at, "times", "at", i),
                       "this is before the time before it");
            return;
        }
    }
}

const struct choice arrivals_choice = {
    .name = "arrivals",
    .summary = "When requests arrive.",
    .size = sizeof(struct arrivals),
    .tag_offset = SCHEMA_OFFSET(int, arrivals, kind),
    .alternatives = alternatives,
    .derive = derive,
};

/* The instant that lies `wait` after `from` on a clock which the windows speed up and slow down:
 * one unit of need falls due per nanosecond. */
static struct fine_time wait_until(struct fine_time from, sim_time wait,
                                   const struct rate_window *windows, uint32_t n_windows)
{
    static const struct profile_segment tick = {0, SIM_TIME_NEVER, SIM_TIME_S, SIM_TIME_S};
    static const struct profile clock = {
        .kind = PROFILE_CONSTANT, .segments = &tick, .n_segments = 1};
    if (wait == SIM_TIME_NEVER) {
        return FINE_TIME_NEVER;
    }
    return profile_next(&clock, windows, n_windows, from, (double)wait);
}

/* The general way to the next arrival by rate, which finds the pace for those that follow. */
static struct fine_time by_rate(const struct arrivals *a, struct arrivals_state *s,
                                const struct rate_window *windows, uint32_t n_windows, double need)
{
    struct fine_time next = profile_next(&a->rate, windows, n_windows, s->clock, need);
    s->pace = profile_pace(&a->rate, windows, n_windows, next.ns);
    return next;
}

sim_time arrivals_next(const struct arrivals *a, struct arrivals_state *s,
                       const struct rate_window *windows, uint32_t n_windows,
                       struct rng_stream *stream)
{
    struct fine_time next = FINE_TIME_NEVER;
    switch ((enum arrivals_kind)a->kind) {
    case ARRIVALS_CLOSED:
        return SIM_TIME_NEVER;
    case ARRIVALS_TIMES:
    case ARRIVALS_TRACE:
        return s->place < a->at.count ? a->at.items[s->place++].time : SIM_TIME_NEVER;
    case ARRIVALS_CONSTANT:
    case ARRIVALS_POISSON:
    case ARRIVALS_RENEWAL:
        break;
    }
    if (!s->begun) {
        s->begun = true;
        if (a->first_arrival != SIM_TIME_NEVER) {
            s->clock.ns = a->first_arrival;
            return a->first_arrival;
        }
    }
    if (a->kind == ARRIVALS_RENEWAL) {
        next = wait_until(s->clock, dist_draw(&a->interarrival, stream), windows, n_windows);
    } else {
        bool even = a->kind == ARRIVALS_CONSTANT;
        double need = even ? 1.0 : rng_exponential(stream);
        if (s->pace.until > 0) {
            struct fine_time step = even ? s->pace.gap : fine_time_from(need * s->pace.gap_ns);
            next = fine_time_sum(s->clock, step);
        }
        if (next.ns >= s->pace.until) {
            next = by_rate(a, s, windows, n_windows, need);
        }
    }
    s->clock = next;
    return fine_time_round(next);
}

sim_time arrivals_think(const struct arrivals *a, sim_time now, const struct rate_window *windows,
                        uint32_t n_windows, struct rng_stream *stream)
{
    CHECK(a->kind == ARRIVALS_CLOSED, "arrivals of kind %d have no users", a->kind);
    struct fine_time from = {now, 0.0};
    return fine_time_round(wait_until(from, dist_draw(&a->think_time, stream), windows, n_windows));
}

/* Rates lie on lines, so that the mean over a stretch is the rate in its middle. */
static double first_hour(const struct profile *p)
{
    const sim_time hour = 3600 * SIM_TIME_S;
    if (p->kind == PROFILE_SINE) {
        return p->mean;
    }
    double area = 0.0;
    for (uint32_t i = 0; i < p->n_segments && p->segments[i].from < hour; i++) {
        sim_time from = p->segments[i].from, to = p->segments[i].to;
        to = to < hour ? to : hour;
        area += profile_rate(p, from + (to - from) / 2) * (double)(to - from);
    }
    return area / (double)hour;
}

double arrivals_rate(const struct arrivals *a)
{
    double n = 1.0, time = 0.0; /* [ns] in which so many come */
    switch ((enum arrivals_kind)a->kind) {
    case ARRIVALS_CONSTANT:
    case ARRIVALS_POISSON:
        return first_hour(&a->rate);
    case ARRIVALS_RENEWAL:
        time = dist_mean(&a->interarrival);
        break;
    case ARRIVALS_TIMES:
    case ARRIVALS_TRACE:
        n = a->at.count;
        time = n > 0.0 ? (double)a->at.items[a->at.count - 1].time : 0.0;
        break;
    case ARRIVALS_CLOSED:
        n = (double)a->users;
        time = dist_mean(&a->think_time);
        break;
    }
    return isnan(time) ? 0.0 : n / fmax(time, ARRIVALS_LEAST_GAP) * SIM_TIME_S;
}
