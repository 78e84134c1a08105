/* SPDX-License-Identifier: Apache-2.0 */
#include "model/measure.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "model/axis.h"
#include "model/names.h"
#include "model/study.h"
#include "stats/series.h"
#include "stats/summary.h"

/* The gauge of a caller's requests under way; see parts/call_stats.h. */
static const char under_way[] = "in_flight";

/* Who resolves a measure. */
struct resolving {
    const struct study *study;
    const struct names *names;
    struct arena *arena;
    struct diag *diag;
};

static const char *hint(const struct resolving *r, const char *name, const char *const *known)
{
    const char *near = diag_nearest(name, known);
    return near ? arena_format(r->arena, " (did you mean '%s'?)", near) : "";
}

/* Where a key beside `stat` was written, or `stat` itself. */
static const struct node *node_of(const struct measure_words *w, const char *key)
{
    const struct node *written = w->stat.at ? node_child(w->stat.at->parent, key) : NULL;
    return written ? written : w->stat.at;
}

static uint32_t find_row(const struct stat_spec *rows, const char *name)
{
    for (const struct stat_spec *row = rows; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return (uint32_t)(row - rows);
        }
    }
    return MEASURE_NO_ROW;
}

static void refuse_row(const struct resolving *r, const struct name_ref *ref, const char *group,
                       const struct entity_type *type, const char *name)
{
    size_t n = 0;
    while (type->stats[n].name) {
        n++;
    }
    const char **known = arena_take(r->arena, (n + 1) * sizeof *known);
    for (size_t i = 0; i < n; i++) {
        known[i] = type->stats[i].name;
    }
    const char *near = hint(r, name, known);
    if (near[0]) {
        diag_error(r->diag, ref->at, "%s has no statistic '%s'%s", group, name, near);
    } else {
        diag_error(r->diag, ref->at, "%s has no statistic '%s'; `squall describe %s` lists them",
                   group, name, type->name);
    }
}

static const uint32_t *one_row(const struct resolving *r, uint32_t group, uint32_t row)
{
    uint32_t n = r->study->blueprint.n_groups;
    uint32_t *rows = arena_take(r->arena, n * sizeof *rows);
    for (uint32_t g = 0; g < n; g++) {
        rows[g] = g == group ? row : MEASURE_NO_ROW;
    }
    return rows;
}

/* Percentiles need buckets, and so does all that time series tell of a histogram. */
static bool check_buckets(const struct resolving *r, const struct name_ref *ref,
                          const struct measure_part *part, bool series)
{
    bool needed = part->kind == STAT_HISTOGRAM && (series || part->what == MEASURE_QUANTILE);
    if (needed && r->study->settings.output.histograms == STUDY_HISTOGRAMS_NONE) {
        diag_error(r->diag, ref->at,
                   "this needs the buckets of '%s', and output.histograms is none: keep them "
                   "per_entity",
                   ref->name);
        return false;
    }
    return true;
}

static bool check_series(const struct resolving *r, const struct name_ref *ref,
                         const struct group_plan *g)
{
    if (r->study->settings.interval == SIM_TIME_NEVER) {
        diag_error(r->diag, ref->at,
                   "this needs time series: give the study an interval, and name '%s' under "
                   "output.series",
                   g->name);
        return false;
    }
    if (!g->sampled) {
        diag_error(r->diag, ref->at, "'%s' keeps no time series: name it under output.series",
                   g->name);
    }
    return g->sampled;
}

static bool resolve_part(const struct resolving *r, const struct name_ref *ref, bool series,
                         struct measure_part *part)
{
    struct measure_name words;
    const char *wrong = measure_split(ref->name, r->arena, &words);
    if (wrong) {
        diag_error(r->diag, ref->at, "%s", wrong);
        return false;
    }
    const char *group = words.group, *name = words.statistic;
    struct named named;
    if (!names_find(r->names, &(struct name_ref){group, ref->at}, r->diag, &named)) {
        return false;
    }
    const struct group_plan *g = &r->study->blueprint.groups[named.group];
    uint32_t row = find_row(g->type->stats, name);
    if (row == MEASURE_NO_ROW) {
        refuse_row(r, ref, group, g->type, name);
        return false;
    }
    const struct stat_spec *spec = &g->type->stats[row];
    *part = (struct measure_part){.row = one_row(r, named.group, row),
                                  .first = named.first - g->first,
                                  .count = named.count,
                                  .kind = spec->kind,
                                  .unit = spec->unit};
    wrong = measure_read_what(ref->name, &words, r->arena, part);
    bool known = !wrong;
    if (wrong) {
        diag_error(r->diag, ref->at, "%s", wrong);
    }
    bool kept = !known || check_buckets(r, ref, part, series);
    return (!series || check_series(r, ref, g)) && known && kept;
}

/* Sets text and unit, when the parts are known. */
static void describe(const struct resolving *r, const char *stat, const char *per,
                     struct measure *m)
{
    m->text = m->n_parts > 1 ? arena_format(r->arena, "%s per %s", stat, per)
                             : arena_copy(r->arena, stat);
    m->unit = measure_unit(m->part, m->n_parts, r->arena);
}

static bool has_per(const struct measure_words *w)
{
    return w->per.name && w->per.name[0];
}

static bool resolve_parts(const struct resolving *r, const struct measure_words *w, bool series,
                          struct measure *m)
{
    if (!w->stat.name) {
        return false; /* It could not be read, which was reported. */
    }
    bool good = resolve_part(r, &w->stat, series, &m->part[0]);
    m->n_parts = 1;
    if (has_per(w)) {
        good = resolve_part(r, &w->per, series, &m->part[1]) && good;
        m->n_parts = 2;
    }
    if (good) {
        describe(r, w->stat.name, w->per.name, m);
    }
    return good;
}

static bool has_window(const struct measure_words *w)
{
    return w->from != SIM_TIME_NEVER || w->to != SIM_TIME_NEVER;
}

/* True when the window lies in the run; `*from` and `*to` are then where it begins and ends. */
static bool check_window(const struct resolving *r, const struct measure_words *w, sim_time *from,
                         sim_time *to)
{
    const struct study_settings *s = &r->study->settings;
    bool good = true;
    if (w->from == SIM_TIME_NEVER && s->warmup == WARMUP_AUTO) {
        diag_error(r->diag, node_of(w, "to"),
                   "needs a 'from': it is not known where the warm-up "
                   "ends");
        return false;
    }
    *from = w->from == SIM_TIME_NEVER ? s->warmup : w->from;
    *to = w->to == SIM_TIME_NEVER ? s->duration : w->to;
    if (*from >= s->duration) {
        diag_error(r->diag, node_of(w, "from"), "%s is not before the end of the run (%s)",
                   units_write_duration(*from).text, units_write_duration(s->duration).text);
        good = false;
    }
    if (*to > s->duration) {
        diag_error(r->diag, node_of(w, "to"), "%s is after the end of the run (%s)",
                   units_write_duration(*to).text, units_write_duration(s->duration).text);
        good = false;
    }
    if (good && *from >= *to) {
        diag_error(r->diag, node_of(w, "to"), "the window is empty: it begins at %s and ends at %s",
                   units_write_duration(*from).text, units_write_duration(*to).text);
        good = false;
    }
    return good;
}

/* The intervals wholly inside the window. The last of the run may be shorter than the others. */
static bool place_window(const struct resolving *r, const struct measure_words *w,
                         struct measure *m)
{
    sim_time from, to, interval = m->interval;
    if (!check_window(r, w, &from, &to)) {
        return false;
    }
    if (interval == SIM_TIME_NEVER) {
        return true; /* There are no series, which was reported. */
    }
    uint64_t first = (uint64_t)(from / interval + (from % interval > 0));
    uint64_t end = to == r->study->settings.duration ? m->n_intervals : (uint64_t)(to / interval);
    if (first >= end) {
        diag_error(r->diag, node_of(w, w->from == SIM_TIME_NEVER ? "to" : "from"),
                   "no whole interval (%s) lies between %s and %s",
                   units_write_duration(interval).text, units_write_duration(from).text,
                   units_write_duration(to).text);
        return false;
    }
    m->first = (uint32_t)first;
    m->end = (uint32_t)end;
    return true;
}

static struct measure blank(const struct study *s)
{
    const struct study_settings *set = &s->settings;
    struct measure m = {.interval = set->interval};
    if (set->interval != SIM_TIME_NEVER) {
        m.n_intervals = (uint32_t)series_intervals(set->duration, set->interval);
    }
    return m;
}

bool measure_resolve(const struct measure_words *w, const struct study *s, struct arena *arena,
                     struct diag *d, struct measure *m)
{
    struct names names;
    const struct resolving r = {s, &names, arena, d};
    names_open(&names, s, arena);
    names.groups = s->blueprint.groups;
    *m = blank(s);
    bool good = resolve_parts(&r, w, has_window(w), m);
    return (!has_window(w) || place_window(&r, w, m)) && good;
}

static bool refuse_quantile(const struct resolving *r, const struct name_ref *ref,
                            const struct measure_part *part)
{
    if (part->what == MEASURE_QUANTILE) {
        diag_error(r->diag, ref->at,
                   "a warm-up is not told from percentiles, which few values in an interval do not "
                   "have; take .mean");
        return false;
    }
    return true;
}

/* Requests under way at all clients that keep series. */
static bool take_requests(const struct resolving *r, const struct node *at, struct measure *m)
{
    const struct blueprint *b = &r->study->blueprint;
    uint32_t *rows = arena_take(r->arena, b->n_groups * sizeof *rows);
    struct measure_part *part = &m->part[0];
    bool any = false;
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct group_plan *plan = &b->groups[g];
        uint32_t row = plan->type->answers || !plan->sampled
                           ? MEASURE_NO_ROW
                           : find_row(plan->type->stats, under_way);
        bool taken = row != MEASURE_NO_ROW && plan->type->stats[row].kind == STAT_GAUGE;
        rows[g] = taken ? row : MEASURE_NO_ROW;
        part->unit = taken ? plan->type->stats[row].unit : part->unit;
        any = any || taken;
    }
    if (!any) {
        diag_error(r->diag, at,
                   "a warm-up is told from the time series of clients: give the study an interval, "
                   "name clients under output.series, or say the warm-up as a time");
        return false;
    }
    part->row = rows;
    part->count = UINT32_MAX;
    part->kind = STAT_GAUGE;
    part->what = MEASURE_MEAN;
    m->n_parts = 1;
    describe(r, under_way, NULL, m);
    return true;
}

bool measure_resolve_series(const struct measure_words *w, const struct node *at,
                            const struct study *s, struct arena *arena, struct diag *d,
                            struct measure *m)
{
    struct names names;
    const struct resolving r = {s, &names, arena, d};
    names_open(&names, s, arena);
    names.groups = s->blueprint.groups;
    *m = blank(s);
    bool good = w ? resolve_parts(&r, w, true, m) : take_requests(&r, at, m);
    if (good && w) {
        good = refuse_quantile(&r, &w->stat, &m->part[0]);
        good = (m->n_parts < 2 || refuse_quantile(&r, &w->per, &m->part[1])) && good;
    }
    if (w && has_window(w)) {
        diag_error(d, node_of(w, w->from == SIM_TIME_NEVER ? "to" : "from"),
                   "a warm-up is told from the whole run");
        good = false;
    }
    if (good && m->n_intervals < MSER_LEAST) {
        diag_error(d, w ? w->stat.at : at,
                   "the run has %" PRIu32 " intervals; it takes %d to tell a warm-up",
                   m->n_intervals, MSER_LEAST);
        good = false;
    }
    return good;
}

const char *measure_read(const struct measure *m, const char *text, struct arena *arena,
                         double *value)
{
    size_t i = 0;
    while (units_known(i) && strcmp(units_known(i), m->unit) != 0) {
        i++;
    }
    bool time = strcmp(m->unit, "s") == 0;
    return axis_read_number(text, time || units_known(i) ? m->unit : "1", arena, value);
}
