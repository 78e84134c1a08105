/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/profile.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/csv.h"
#include "base/units.h"

static const double NS_PER_S = (double)SIM_TIME_S;

/* A need this far above what a piece of the profile yields counts as met at the end of the piece
 * [1]. Otherwise rounding would carry an arrival that is due at the very moment when the rate drops
 * to 0 over to a time long after, or never. */
static const double SLACK = 1e-12;

/* Points of a file, each of which is some nodes of the resolved text. */
enum { MOST_POINTS = 100000 };

/* Highest rate [1/s]: one per nanosecond. */
#define HIGHEST                       1e9
#define P_RATE(member, fallback, doc) P_REAL(profile, member, fallback, 0, HIGHEST, "1/s", doc)

static const struct param_spec point_rows[] = {
    P_DURATION(profile_point, time, NULL, 0, 1e18, "When."),
    P_REAL(profile_point, rate, NULL, 0, HIGHEST, "1/s", "The rate at that time."), P_END};

static const struct schema point_schema = {
    .name = "point",
    .summary = "A rate at a time, as [time, rate].",
    .size = sizeof(struct profile_point),
    .rows = point_rows,
    .positional = true,
};

static const struct param_spec constant_rows[] = {P_RATE(rate, NULL, "The rate."), P_END};

static const struct param_spec steps_rows[] = {
    P_LIST(profile, points, point_schema, NULL, "Times, rising, and the rate from each on."),
    P_END};

static const struct param_spec linear_rows[] = {
    P_LIST(profile, points, point_schema, NULL,
           "Times and the rates there, joined by straight lines; two at one time make a jump."),
    P_END};

static const struct param_spec ramp_rows[] = {
    P_RATE(from, NULL, "The rate until the start."), P_RATE(to, NULL, "The rate after the end."),
    P_DURATION(profile, start, "0s", 0, 1e18, "When the rate begins to change."),
    P_DURATION(profile, duration, NULL, 0, 1e18, "How long it changes."), P_END};

static const struct param_spec spike_rows[] = {
    P_RATE(baseline, "10/s", "The rate before and after."),
    P_RATE(peak, "150/s", "The rate during the spike."),
    P_DURATION(profile, at, "10s", 0, 1e18, "When the spike begins."),
    P_DURATION_AS(profile, for_, "for", "15s", 0, 1e18, "How long it lasts."), P_END};

static const struct param_spec sine_rows[] = {
    P_RATE(mean, NULL, "The mean rate."),
    P_RATE(amplitude, NULL, "How far the rate swings to either side; at most the mean."),
    P_DURATION(profile, period, NULL, 1, 1e18, "Time from one maximum to the next."),
    P_REAL(profile, phase, "0", 0, 1, "1", "Share of the period that time 0 is already into it."),
    P_END};

static const char *const between_words[] = {"steps", "linear", NULL};

static const struct param_spec file_rows[] = {
    P_TEXT(profile, path, "",
           "File with a time, a comma and a rate in each line, as `0s, 500/s`; relative to the "
           "directory of the file that names it. Its content counts as if it were written here."),
    P_WORD(profile, between, between_words, "steps",
           "Whether each rate holds until the next (steps), or straight lines join them (linear)."),
    P_LIST(profile, points, point_schema, "[]", "The points themselves, in place of a file."),
    P_END};

static const struct alternative alternatives[] = {
    {.name = "constant", .summary = "One rate.", .tag = PROFILE_CONSTANT, .rows = constant_rows},
    {.name = "steps",
     .summary = "Rates held for a while.",
     .tag = PROFILE_STEPS,
     .rows = steps_rows},
    {.name = "linear",
     .summary = "Straight lines between points, level outside.",
     .tag = PROFILE_LINEAR,
     .rows = linear_rows},
    {.name = "ramp",
     .summary = "A straight line from one rate to another.",
     .tag = PROFILE_RAMP,
     .rows = ramp_rows},
    {.name = "spike",
     .summary = "Another rate for a while.",
     .tag = PROFILE_SPIKE,
     .rows = spike_rows},
    {.name = "sine",
     .summary = "A rate that swings about a mean.",
     .tag = PROFILE_SINE,
     .rows = sine_rows},
    {.name = "file",
     .summary = "Steps or straight lines between the points of a file.",
     .tag = PROFILE_FILE,
     .rows = file_rows},
    {.name = NULL}};

struct builder {
    struct profile_segment *segments;
    uint32_t count;
};

static void add(struct builder *b, sim_time from, sim_time to, double first, double last)
{
    if (from < to) {
        b->segments[b->count++] = (struct profile_segment){from, to, first, last};
    }
}

/* Whether each point's rate holds until the next. */
static bool has_steps(const struct profile *p)
{
    return p->kind == PROFILE_STEPS || (p->kind == PROFILE_FILE && p->between == BETWEEN_STEPS);
}

static void add_points(struct builder *b, const struct profile *p)
{
    const struct profile_point *points = p->points.items;
    uint32_t end = p->points.count - 1;
    add(b, 0, points[0].time, points[0].rate, points[0].rate);
    for (uint32_t i = 0; i < end; i++) {
        const struct profile_point *point = &points[i], *next = &points[i + 1];
        double last = has_steps(p) ? point->rate : next->rate;
        add(b, point->time, next->time, point->rate, last);
    }
    add(b, points[end].time, SIM_TIME_NEVER, points[end].rate, points[end].rate);
}

const struct node *profile_item(const struct node *at, const char *alternative, const char *row,
                                uint32_t i)
{
    const struct node *own = node_child(at, alternative);
    const struct node *within = own && own->kind == NODE_MAPPING ? own : at;
    const struct node *list = node_child(within, row);
    list = list ? list : own ? own : at;
    const struct node *item = list && list->kind == NODE_SEQUENCE ? node_item(list, i) : NULL;
    return item ? item : list;
}

static bool points_in_order(const struct profile *p, const struct node *at, struct diag *diag)
{
    if (p->points.count == 0) {
        diag_error(diag, at, "no points");
        return false;
    }
    for (uint32_t i = 1; i < p->points.count; i++) {
        sim_time before = p->points.items[i - 1].time, time = p->points.items[i].time;
        if (time < before || (time == before && has_steps(p))) {
            const char *name = p->kind == PROFILE_FILE ? "file" : has_steps(p) ? "steps" : "linear";
            diag_error(diag, profile_item(at, name, "points", i), "this is %s the point before it",
                       has_steps(p) ? "not after" : "before");
            return false;
        }
    }
    return true;
}

/* Reads what stands in a row of the file; what is wrong with it, or NULL. */
static const char *read_point(struct csv *c, struct profile_point *point)
{
    const char *fault = units_read_duration(c->cells[0], &c->scratch, &point->time);
    fault = fault ? fault : units_read_real(c->cells[1], "1/s", &c->scratch, &point->rate);
    return fault                        ? fault
           : point->time < 0            ? "the time is below 0"
           : (double)point->time > 1e18 ? "the time is above 31 years"
           : point->rate < 0            ? "the rate is below 0"
           : point->rate > HIGHEST      ? "the rate is above 1e9/s"
                                        : NULL;
}

/* Whether a point may follow another one: as points_in_order, for files. */
static const char *follows(const struct profile *p, struct profile_point before,
                           struct profile_point point)
{
    return point.time < before.time ? "the time is before that of the line before"
           : has_steps(p) && point.time == before.time ? "the time is that of the line before"
                                                       : NULL;
}

/* Makes points of the file's lines. From here on the file is not needed: whoever reads the resolved
 * text has the same points. */
static bool read_file(struct profile *p, const struct node *at, struct diag *diag,
                      struct arena *arena)
{
    static const char *const columns[] = {"time", "rate", NULL};
    const struct node *own = profile_item(at, "file", "path", 0);
    struct csv c;
    if (!csv_open(&c, p->path, own, columns, diag)) {
        return false;
    }
    struct profile_point *points = NULL;
    uint32_t n = 0, most = 0;
    while (csv_next(&c)) {
        struct profile_point point = {0};
        const char *fault = read_point(&c, &point);
        fault = !fault && n > 0 ? follows(p, points[n - 1], point) : fault;
        fault = !fault && n == MOST_POINTS ? "a profile has no more points than this" : fault;
        if (fault) {
            csv_refuse(&c, fault);
            continue;
        }
        if (n == most) {
            most = most ? 2 * most : 256;
            points = realloc(points, most * sizeof *points);
            CHECK(points, "out of memory for %u points", most);
        }
        points[n++] = point;
    }
    bool good = csv_close(&c);
    if (good && n == 0) {
        diag_error(diag, own, "the file holds no points");
    } else if (good) {
        p->path = "";
        p->points.items = arena_take(arena, n * sizeof *points);
        memcpy(p->points.items, points, n * sizeof *points);
        p->points.count = n;
    }
    free(points);
    return good && n > 0;
}

static void derive(void *value, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct profile *p = value;
    bool by_file = p->kind == PROFILE_FILE && p->path[0] != '\0';
    if (p->kind == PROFILE_FILE && by_file == (p->points.count > 0)) {
        diag_error(diag, at, "needs either a path or points");
        return;
    }
    if (by_file && !read_file(p, at, diag, arena)) {
        return;
    }
    bool by_points = has_steps(p) || p->kind == PROFILE_LINEAR || p->kind == PROFILE_FILE;
    if (by_points && !points_in_order(p, at, diag)) {
        return;
    }
    size_t most = by_points ? p->points.count + 1 : 3;
    struct builder b = {arena_take(arena, most * sizeof *b.segments), 0};
    switch ((enum profile_kind)p->kind) {
    case PROFILE_CONSTANT:
        add(&b, 0, SIM_TIME_NEVER, p->rate, p->rate);
        break;
    case PROFILE_STEPS:
    case PROFILE_LINEAR:
    case PROFILE_FILE:
        add_points(&b, p);
        break;
    case PROFILE_RAMP: {
        sim_time end = sim_time_add(p->start, p->duration);
        add(&b, 0, p->start, p->from, p->from);
        add(&b, p->start, end, p->from, p->to);
        add(&b, end, SIM_TIME_NEVER, p->to, p->to);
        break;
    }
    case PROFILE_SPIKE: {
        sim_time end = sim_time_add(p->at, p->for_);
        add(&b, 0, p->at, p->baseline, p->baseline);
        add(&b, p->at, end, p->peak, p->peak);
        add(&b, end, SIM_TIME_NEVER, p->baseline, p->baseline);
        break;
    }
    case PROFILE_SINE:
        if (p->amplitude > p->mean) {
            diag_error(diag, at, "amplitude is above mean: the rate would fall below 0");
        }
        break;
    }
    p->segments = b.segments;
    p->n_segments = b.count;
}

const struct choice profile_choice = {
    .name = "profile",
    .summary = "A rate that may change with simulated time.",
    .size = sizeof(struct profile),
    .tag_offset = SCHEMA_OFFSET(int, profile, kind),
    .scalar = "constant",
    .alternatives = alternatives,
    .derive = derive,
};

/* sin(2 pi u) with the same bits on every machine, which the C library does not promise: the power
 * series over a quarter turn, up to where it is exact. */
static double sine_of_turns(double u)
{
    static const double term[] = {-1.0 / 6,
                                  1.0 / 120,
                                  -1.0 / 5040,
                                  1.0 / 362880,
                                  -1.0 / 39916800,
                                  1.0 / 6227020800,
                                  -1.0 / 1307674368000,
                                  1.0 / 355687428096000,
                                  -1.0 / 121645100408832000,
                                  1.0 / 51090942171709440000.0,
                                  -1.0 / 25852016738884976640000.0};
    const double two_pi = 0x1.921fb54442d18p+2;
    u -= floor(u + 0.5);
    u = u > 0.25 ? 0.5 - u : u < -0.25 ? -0.5 - u : u;
    double x = two_pi * u, z = x * x, series = 0.0;
    for (int i = (int)(sizeof term / sizeof term[0]) - 1; i >= 0; i--) {
        series = (series + term[i]) * z;
    }
    return x + x * series;
}

/* Where in its period a sine is, [1]. */
static double sine_place(const struct profile *p, struct fine_time t)
{
    return p->phase + ((double)(t.ns % p->period) + t.rest) / (double)p->period;
}

static double sine_rate(const struct profile *p, double place)
{
    return fmax(p->mean + p->amplitude * sine_of_turns(place), 0.0);
}

/* The integral over `turns` periods from `place` on [1]. The difference of cosines is written as a
 * product, which stays accurate over short times. */
static double sine_area(const struct profile *p, double place, double turns)
{
    const double pi = 0x1.921fb54442d18p+1;
    double swing = sine_of_turns(place + 0.5 * turns) * sine_of_turns(0.5 * turns);
    return (double)p->period / NS_PER_S * (p->mean * turns + p->amplitude / pi * swing);
}

/* The time from `place` on in which `need` falls due: whole periods at once, then Newton's method,
 * bisecting where it would leave the bracket. */
static struct fine_time sine_solve(const struct profile *p, double place, double need)
{
    double period_s = (double)p->period / NS_PER_S, per_period = p->mean * period_s;
    double periods = floor(need / per_period);
    if (!(periods * (double)p->period < 9e18)) {
        return FINE_TIME_NEVER;
    }
    need = fmax(fma(-periods, per_period, need), 0.0);
    /* fmin also gives 1 for 0 / 0, at the bottom of a sine that touches 0. */
    double low = 0.0, high = 1.0, turns = fmin(need / (period_s * sine_rate(p, place)), 1.0);
    for (int i = 0; i < 100; i++) {
        double excess = sine_area(p, place, turns) - need;
        *(excess > 0.0 ? &high : &low) = turns;
        double next = turns - excess / (period_s * sine_rate(p, place + turns));
        if (!(next >= low && next <= high)) {
            next = 0.5 * (low + high);
        }
        double step = fabs(next - turns);
        turns = next;
        if (step <= 1e-13 * next) { /* one step on, that is its error squared */
            break;
        }
    }
    struct fine_time whole = {(sim_time)periods * p->period, 0.0};
    return fine_time_sum(whole, fine_time_from(turns * (double)p->period));
}

/* The segment that holds t, by bisection. */
static const struct profile_segment *segment_at(const struct profile *p, sim_time t)
{
    uint32_t low = 0, high = p->n_segments;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        *(p->segments[middle].from <= t ? &low : &high) = middle;
    }
    return &p->segments[low];
}

/* The rate at t. A mean of the ends weighted by positive numbers: nothing cancels near 0. */
static double segment_rate(const struct profile_segment *s, struct fine_time t)
{
    if (s->first == s->last) {
        return s->first;
    }
    double before = (double)(t.ns - s->from) + t.rest, after = (double)(s->to - t.ns) - t.rest;
    return (after * s->first + before * s->last) / (double)(s->to - s->from);
}

/* need / rate: the quotient's whole part exactly, and the fraction that is left. */
static struct fine_time level_solve(double rate, double need)
{
    double product = need * NS_PER_S, low = fma(need, NS_PER_S, -product);
    double whole = floor(product / rate);
    if (!(whole < 9e18)) {
        return FINE_TIME_NEVER;
    }
    double rest = (fma(-whole, rate, product) + low) / rate, carry = floor(rest);
    struct fine_time t = {(sim_time)whole + (sim_time)carry, rest - carry};
    return t.rest < 1.0 ? t : (struct fine_time){t.ns + 1, 0.0};
}

/* What holds from an instant until `end`: windows do not change, and the rate with them lies on one
 * line from `first` to `last`, unless it is a sine. */
struct piece {
    sim_time end;       /* [ns] */
    double factor;      /* of the windows in force */
    double first, last; /* [1/s] */
    double place;       /* [1] sine_place at the instant */
};

static struct piece piece_at(const struct profile *p, const struct rate_window *windows,
                             uint32_t n_windows, struct fine_time t)
{
    struct piece piece = {.end = SIM_TIME_NEVER, .factor = 1.0};
    for (uint32_t i = 0; i < n_windows; i++) {
        const struct rate_window *w = &windows[i];
        bool in_force = w->from <= t.ns && t.ns < w->to;
        sim_time edge = in_force ? w->to : t.ns < w->from ? w->from : SIM_TIME_NEVER;
        piece.factor *= in_force ? w->factor : 1.0;
        piece.end = edge < piece.end ? edge : piece.end;
    }
    if (p->kind == PROFILE_SINE) {
        piece.place = sine_place(p, t);
        piece.first = piece.factor * sine_rate(p, piece.place);
        return piece;
    }
    const struct profile_segment *s = segment_at(p, t.ns);
    piece.end = s->to < piece.end ? s->to : piece.end;
    piece.first = piece.factor * segment_rate(s, t);
    piece.last = piece.factor * segment_rate(s, (struct fine_time){piece.end, 0.0});
    return piece;
}

/* The integral over `span` [ns] of a piece, from its beginning to its end [1]. */
static double piece_area(const struct profile *p, const struct piece *piece, double span)
{
    if (p->kind == PROFILE_SINE) {
        return piece->factor * sine_area(p, piece->place, span / (double)p->period);
    }
    return 0.5 * (piece->first + piece->last) * span / NS_PER_S;
}

/* The time from the beginning of a piece in which `need` falls due; at most about its span. */
static struct fine_time piece_solve(const struct profile *p, const struct piece *piece, double span,
                                    double need)
{
    if (p->kind == PROFILE_SINE) {
        return sine_solve(p, piece->place, need / piece->factor);
    }
    if (piece->first == piece->last) {
        return level_solve(piece->first, need);
    }
    /* first x + slope x^2 / 2 = need, solved without cancellation. */
    double area = need * NS_PER_S, slope = (piece->last - piece->first) / span;
    double root = piece->first * piece->first + 2.0 * slope * area;
    return fine_time_from(2.0 * area / (piece->first + sqrt(fmax(root, 0.0))));
}

struct fine_time profile_next(const struct profile *p, const struct rate_window *windows,
                              uint32_t n_windows, struct fine_time from, double need)
{
    while (need > 0.0 && from.ns < SIM_TIME_NEVER) {
        struct piece piece = piece_at(p, windows, n_windows, from);
        struct fine_time end = {piece.end, 0.0};
        double span = (double)(end.ns - from.ns) - from.rest;
        double area = piece_area(p, &piece, span);
        if (area > 0.0 && need <= area + SLACK) {
            struct fine_time t = fine_time_sum(from, piece_solve(p, &piece, span, need));
            return t.ns < end.ns ? t : end;
        }
        need -= area;
        from = end;
    }
    return from;
}

double profile_rate(const struct profile *p, sim_time t)
{
    return piece_at(p, NULL, 0, (struct fine_time){t, 0.0}).first;
}

struct profile_pace profile_pace(const struct profile *p, const struct rate_window *windows,
                                 uint32_t n_windows, sim_time t)
{
    if (t == SIM_TIME_NEVER || p->kind == PROFILE_SINE) {
        return (struct profile_pace){.until = 0};
    }
    struct piece piece = piece_at(p, windows, n_windows, (struct fine_time){t, 0.0});
    if (piece.first != piece.last || piece.first == 0.0) {
        return (struct profile_pace){.until = 0};
    }
    struct fine_time gap = level_solve(piece.first, 1.0);
    return (struct profile_pace){gap, (double)gap.ns + gap.rest, piece.end};
}
