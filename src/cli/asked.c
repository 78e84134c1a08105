/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/asked.h"

#include <math.h>
#include <string.h>

#include "base/diag.h"

/* Counted by everybody who makes requests; see parts/call_stats.h. */
static const char requests[] = "logical_requests", successes[] = "successes",
                  latency[] = "request_latency";

/* --- names -------------------------------------------------------------------------------- */

static const char *hint(const char *name, const char *const *known, struct arena *arena)
{
    const char *near = diag_nearest(name, known);
    return near ? arena_format(arena, " (did you mean '%s'?)", near) : "";
}

/* A group, or one of its instances. */
static bool find_lot(const struct results *r, const char *name, struct lot *lot)
{
    for (uint32_t i = 0; i < r->n_types; i++) {
        const struct results_type *t = &r->types[i];
        *lot = (struct lot){.type = t, .range = results_group(t, name)};
        if (lot->range.count > 0) {
            lot->name = t->groups[lot->range.first];
            return true;
        }
        for (uint64_t e = 0; e < t->n_entities; e++) {
            if (strcmp(t->entities[e], name) == 0) {
                *lot = (struct lot){t, t->entities[e], {e, 1}};
                return true;
            }
        }
    }
    return false;
}

static const char *no_lot(const struct results *r, const char *name, struct arena *arena)
{
    const char *const *known = inspect_names(r, NULL, arena);
    return arena_format(arena, "nobody is called '%s'%s", name, hint(name, known, arena));
}

static const char *no_row(const struct lot *lot, const char *name, struct arena *arena)
{
    const struct results_type *t = lot->type;
    const char **known = arena_take(arena, ((size_t)t->n_rows + 1) * sizeof *known);
    for (uint32_t i = 0; i < t->n_rows; i++) {
        known[i] = t->rows[i].name;
    }
    const char *help = hint(name, known, arena);
    if (!help[0] && t->n_rows > 0) {
        help = arena_format(arena, " (it has for instance '%s'; 'squall describe %s' tells of all)",
                            results_find_row(t, latency) ? latency : t->rows[0].name, t->name);
    }
    return arena_format(arena, "%s has no statistic '%s'%s", lot->name, name, help);
}

static const char *find_part(const struct results *r, const char *text, struct arena *arena,
                             struct asked_part *p)
{
    const char *wrong = measure_split(text, arena, &p->words);
    if (wrong) {
        return wrong;
    }
    if (!find_lot(r, p->words.group, &p->lot)) {
        return no_lot(r, p->words.group, arena);
    }
    p->row = results_find_row(p->lot.type, p->words.statistic);
    if (!p->row) {
        return no_row(&p->lot, p->words.statistic, arena);
    }
    p->measure = (struct measure_part){.kind = p->row->kind, .unit = p->row->unit};
    return measure_read_what(text, &p->words, arena, &p->measure);
}

/* What stands behind the sign is a value of what stands before it. */
static const char *read_bound(const char *sign, struct arena *arena, struct asked *a)
{
    const struct measure unit = {.unit = a->unit};
    a->sign = sign[0];
    a->bound_text = arena_copy(arena, sign + 1);
    return measure_read(&unit, a->bound_text, arena, &a->bound);
}

const char *asked_find(const struct results *r, const char *text, struct arena *arena,
                       struct asked *a)
{
    *a = (struct asked){.text = arena_copy(arena, text)};
    size_t length = strcspn(text, "<>");
    char *first = arena_text(arena, text, length), *second = strchr(first, '/');
    if (second) {
        *second++ = '\0';
    }
    const char *wrong = find_part(r, first, arena, &a->part[0]);
    a->n_parts = 1;
    if (!wrong && second) {
        wrong = find_part(r, second, arena, &a->part[1]);
        a->n_parts = 2;
    }
    if (wrong) {
        return wrong;
    }
    const struct measure_part parts[] = {a->part[0].measure, a->part[1].measure};
    a->unit = measure_unit(parts, a->n_parts, arena);
    return text[length] ? read_bound(text + length, arena, a) : NULL;
}

/* --- what is shown without being asked ---------------------------------------------------- */

/* The first selected lot that has the row, or any where `row` is NULL. */
static bool first_lot(const struct results *r, const struct inspect_options *o, const char *row,
                      struct lot *lot)
{
    for (uint32_t i = 0; i < r->n_types; i++) {
        *lot = (struct lot){.type = &r->types[i]};
        bool wanted = !o->type || strcmp(o->type, lot->type->name) == 0;
        if (wanted && lot->type->n_rows > 0 && (!row || results_find_row(lot->type, row)) &&
            inspect_next_lot(o, lot)) {
            return true;
        }
    }
    return false;
}

static const char *first_row(const struct lot *lot, enum stat_kind kind)
{
    for (uint32_t i = 0; i < lot->type->n_rows; i++) {
        if (lot->type->rows[i].kind == kind) {
            return lot->type->rows[i].name;
        }
    }
    return NULL;
}

size_t asked_defaults(const struct results *r, const struct inspect_options *o, struct arena *arena,
                      const char **text)
{
    struct lot lot;
    size_t n = 0;
    if (!first_lot(r, o, requests, &lot) && !first_lot(r, o, NULL, &lot)) {
        return 0;
    }
    const char *counter = first_row(&lot, STAT_COUNTER), *gauge = first_row(&lot, STAT_GAUGE);
    const char *histogram =
        results_find_row(lot.type, latency) ? latency : first_row(&lot, STAT_HISTOGRAM);
    if (results_find_row(lot.type, requests) && results_find_row(lot.type, successes)) {
        text[n++] = arena_format(arena, "%s.%s/%s.%s", lot.name, successes, lot.name, requests);
    } else if (counter) {
        text[n++] = arena_format(arena, "%s.%s.rate", lot.name, counter);
    }
    if (histogram) {
        text[n++] = arena_format(arena, "%s.%s.mean", lot.name, histogram);
        text[n++] = arena_format(arena, "%s.%s.p99", lot.name, histogram);
    } else if (gauge) {
        text[n++] = arena_format(arena, "%s.%s.mean", lot.name, gauge);
        text[n++] = arena_format(arena, "%s.%s.max", lot.name, gauge);
    }
    return n;
}

/* --- figures ------------------------------------------------------------------------------ */

static const struct figure *choose(const struct entry *e, enum measure_what what)
{
    bool histogram = e->row->kind == STAT_HISTOGRAM;
    switch (what) {
    case MEASURE_TOTAL:
        return &e->figures[FIGURE_NUMBER];
    case MEASURE_RATE:
        return &e->figures[FIGURE_RATE];
    case MEASURE_MEAN:
        return &e->figures[histogram ? FIGURE_MEAN : FIGURE_LEVEL];
    case MEASURE_MAX:
        return histogram ? &e->figures[e->n - 1] : &e->figures[FIGURE_MOST];
    case MEASURE_COUNT:
        return &e->figures[FIGURE_COUNT];
    case MEASURE_MIN:
        return &e->figures[FIGURE_MIN];
    case MEASURE_QUANTILE:
        break;
    }
    return &e->figures[FIGURE_QUANTILES];
}

/* As the tables have it; of a histogram the quantile that is asked for is the only one. */
static bool read_part(struct view *v, const struct asked_part *p, struct figure *f)
{
    struct inspect_options one = *v->options;
    struct quantile quantile = {p->measure.p, p->words.what};
    const struct inspect_options *before = v->options;
    struct entry e = {.row = p->row};
    one.quantiles = &quantile;
    one.n_quantiles = p->measure.what == MEASURE_QUANTILE;
    v->options = &one;
    bool ok = inspect_read(v, &p->lot, &e);
    v->options = before;
    if (ok) {
        *f = *choose(&e, p->measure.what);
    }
    return ok;
}

/* How many of its own units the part has in one of those of a measure. */
static double worth(const struct asked_part *p)
{
    bool time = strcmp(p->row->unit, "ns") == 0 && p->measure.what != MEASURE_COUNT;
    return time ? (double)SIM_TIME_S : 1.0;
}

/* By replication, in the unit of the measure; NAN where there is none, or nothing to divide by. */
static double *values_of(struct view *v, const struct asked *a, const struct figure *f)
{
    uint64_t n = v->results.meta.n_replications;
    double *value = arena_take(&v->lot, n * sizeof *value);
    for (uint64_t r = 0; r < n; r++) {
        value[r] = f[0].values ? f[0].values[r] / worth(&a->part[0]) : NAN;
        if (a->n_parts > 1) {
            double by = f[1].values ? f[1].values[r] / worth(&a->part[1]) : NAN;
            value[r] = by == 0.0 ? NAN : value[r] / by;
        }
    }
    return value;
}

/* Tables and exports show times in nanoseconds. */
static struct figure quotient(const struct view *v, const struct asked *a, double *values)
{
    bool time = strcmp(a->unit, "s") == 0;
    for (uint64_t r = 0; time && r < v->results.meta.n_replications; r++) {
        values[r] *= (double)SIM_TIME_S;
    }
    return inspect_mean(v, "quotient", time ? "ns" : a->unit, values);
}

static struct figure share(const struct view *v, const struct asked *a, double *values,
                           struct interval *interval)
{
    uint64_t hits = 0, n = 0;
    for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
        if (!isnan(values[r])) {
            values[r] = a->sign == '<' ? values[r] < a->bound : values[r] > a->bound;
            hits += values[r] > 0.0;
            n++;
        }
    }
    struct figure f = inspect_mean(v, "share", "1", values);
    /* Antithetic replications lean to opposite sides, so that it is wide enough for them, too. */
    *interval = summary_proportion(hits, n, v->options->confidence);
    f.half_width = fmax(f.value - interval->low, interval->high - f.value);
    return f;
}

bool asked_read(struct view *v, const struct asked *a, struct figure *f, struct interval *interval)
{
    struct figure parts[2] = {{.value = NAN}}; /* there is at least one */
    struct interval unwanted;
    for (uint32_t i = 0; i < a->n_parts; i++) {
        if (!read_part(v, &a->part[i], &parts[i])) {
            return false;
        }
    }
    *f = parts[0];
    if (a->sign) {
        *f = share(v, a, values_of(v, a, parts), interval ? interval : &unwanted);
    } else if (a->n_parts > 1) {
        *f = quotient(v, a, values_of(v, a, parts));
    }
    return true;
}

/* --- words -------------------------------------------------------------------------------- */

/* "users.requests_sent.rate" without the group where it is `group`. */
static const char *part_text(const struct asked_part *p, const char *group, bool what,
                             struct arena *arena)
{
    bool own = !group || strcmp(group, p->words.group) != 0;
    const char *word = what && p->words.what ? p->words.what : NULL;
    return arena_format(arena, "%s%s%s%s%s", own ? p->words.group : "", own ? "." : "",
                        p->words.statistic, word ? "." : "", word ? word : "");
}

const char *asked_head(const struct asked *a, const char *group, int line, struct arena *arena)
{
    bool one = a->n_parts == 1;
    if (line == 0) {
        return part_text(&a->part[0], group, !one, arena);
    }
    enum measure_what what = a->part[0].measure.what;
    const char *lower = !one                    ? part_text(&a->part[1], group, true, arena)
                        : what == MEASURE_TOTAL ? "per replication"
                        : what == MEASURE_RATE  ? "per second"
                                                : a->part[0].words.what;
    return arena_format(arena, "%s%s%s%s", one ? "" : "/ ", lower,
                        a->sign ? (char[]){' ', a->sign, ' ', '\0'} : "",
                        a->sign ? a->bound_text : "");
}

const char *asked_name(const struct asked *a)
{
    bool plain = a->n_parts == 1 && !a->sign;
    return plain ? a->part[0].row->name : a->text + strlen(a->part[0].words.group) + 1;
}
