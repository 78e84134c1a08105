/* SPDX-License-Identifier: Apache-2.0 */
#include "model/goals.h"

#include <math.h>
#include <string.h>

#include "base/units.h"
#include "model/study.h"

#define CONFIDENCE "95%"

static void note_place(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    struct goal_words *w = params;
    (void)a;
    w->at = at;
    if (w->above[0] && w->below[0]) {
        diag_error(d, at, "needs 'above' or 'below', not both");
    }
}

#define GOAL_ROWS \
    MEASURE_ROWS(goal_words), \
        P_TEXT(goal_words, above, "", \
               "Only whether the measure is above this counts: the value is 1 or 0."), \
        P_TEXT(goal_words, below, "", \
               "Only whether the measure is below this counts: the value is 1 or 0.")

static const struct param_spec until_rows[] = {
    GOAL_ROWS,
    P_TEXT(goal_words, half_width, NULL,
           "How wide half of the confidence interval of the mean may be: a percentage is of the "
           "mean, anything else is in the unit of the value; of a share, which `above` or `below` "
           "make, it is a share itself: 5% is 0.05."),
    P_REAL(goal_words, confidence, CONFIDENCE, 0.5, 0.999999, "1", "Of the interval."), P_END};

static const struct schema until_schema = {
    .name = "until",
    .summary = "When there are replications enough: the figure is the mean of their values.",
    .size = sizeof(struct goal_words),
    .rows = until_rows,
    .derive = note_place};

static void check_replications(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    struct study_replications *r = params;
    const struct node *min = node_child(at, "min");
    (void)a;
    if (r->until.count > 0 && r->min > r->max && (min || r->max < 2)) {
        diag_error(d, min ? min : at, "with a rule, max is at least 2%s",
                   min ? ", and min no more than that" : "");
    }
    if (r->until.count > GOALS_MOST) {
        diag_error(d, node_item(node_child(at, "until"), GOALS_MOST), "more than %d rules",
                   GOALS_MOST);
    }
    if (r->antithetic && r->max % 2 != 0) {
        diag_error(d, node_child(at, "max") ? node_child(at, "max") : at,
                   "antithetic replications come in pairs, and %lld is odd", (long long)r->max);
    }
}

static const struct param_spec replications_rows[] = {
    P_COUNT(study_replications, max, "1", 1, 1e9,
            "Independent repetitions; with `until` or a search, at most so many."),
    P_COUNT(study_replications, min, "16", 2, 1e9,
            "With `until` or a search: at least so many at each point that is looked at."),
    P_LIST(study_replications, until, until_schema, "[]",
           "What is to be known, and how well; all rules must hold. The number of replications "
           "that it takes does not depend on how many run at a time."),
    P_BOOL(study_replications, antithetic, "false",
           "Replications come in pairs, the second with the opposite chance of the first: where "
           "that makes their values differ in opposite ways, the mean is known better."),
    P_END};

const struct schema replications_schema = {.name = "replications",
                                           .summary = "How often a point is repeated.",
                                           .size = sizeof(struct study_replications),
                                           .rows = replications_rows,
                                           .shorthand = true,
                                           .derive = check_replications};

static const struct param_spec searched_rows[] = {GOAL_ROWS, P_END};

static const struct schema searched_schema = {.name = "searched",
                                              .summary = "What a search looks at.",
                                              .size = sizeof(struct goal_words),
                                              .rows = searched_rows,
                                              .derive = note_place};

static void note_search(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    struct search_words *w = params;
    (void)d;
    (void)a;
    w->at = at;
}

static const struct param_spec search_rows[] = {
    P_RAW(search_words, axis, NULL,
          "The path that is varied, with its range: {from, to, steps}, where the number of steps "
          "is 2, 3, 5, 9, 17, 33, 65, ...: halves are taken."),
    P_BLOCK(search_words, measure, searched_schema, NULL,
            "What is looked at; it must rise or fall along the axis."),
    P_TEXT(search_words, target, NULL,
           "The value that its mean passes; with `above` or `below`, the share of replications."),
    P_REAL(search_words, confidence, CONFIDENCE, 0.5, 0.999999, "1",
           "With which the threshold lies in the interval that is told."),
    P_END};

const struct schema search_schema = {
    .name = "search",
    .summary = "Where on an axis a figure passes a target: found by halving, at every point of the "
               "sweep, if there is one.",
    .size = sizeof(struct search_words),
    .rows = search_rows,
    .derive = note_search};

/* --- what the words mean ------------------------------------------------------------------ */

struct resolving {
    const struct study *study;
    struct arena *arena;
    struct diag *diag;
};

/* Where the goal says something under `key`, or as a whole. */
static const struct node *node_of(const struct node *at, const char *key)
{
    const struct node *child = node_child(at, key);
    return child ? child : at;
}

static bool is_percentage(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && text[n - 1] == '%';
}

/* A number of the goal's value: of the measure, or a share of the replications. */
static bool read_value(const struct resolving *r, const struct goal *g, const char *text,
                       const struct node *at, double *value)
{
    const char *wrong = g->side == 0 ? measure_read(&g->measure, text, r->arena, value)
                                     : units_read_real(text, "1", r->arena, value);
    if (wrong) {
        diag_error(r->diag, at, "%s", wrong);
    }
    return !wrong;
}

static bool read_bound(const struct resolving *r, const struct goal_words *w, struct goal *g)
{
    const char *text = w->above[0] ? w->above : w->below;
    if (!text[0]) {
        return true;
    }
    bool good = read_value(r, g, text, node_of(w->at, w->above[0] ? "above" : "below"), &g->bound);
    g->side = w->above[0] ? 1 : -1;
    return good;
}

static void read_half_width(const struct resolving *r, const struct goal_words *w, struct goal *g)
{
    const struct node *at = node_of(w->at, "half_width");
    double value;
    bool relative = g->side == 0 && is_percentage(w->half_width);
    if (relative) {
        const char *wrong = units_read_real(w->half_width, "1", r->arena, &value);
        if (wrong) {
            diag_error(r->diag, at, "%s", wrong);
            return;
        }
    } else if (!read_value(r, g, w->half_width, at, &value)) {
        return;
    }
    if (!(value > 0.0)) {
        diag_error(r->diag, at, "a half-width is above 0");
    }
    *(relative ? &g->rule.relative : &g->rule.half_width) = value;
    g->rule.confidence = w->confidence;
    g->rule.proportion = g->side != 0;
}

static bool resolve(const struct resolving *r, const struct goal_words *w, struct goal *g)
{
    *g = (struct goal){.side = 0};
    return measure_resolve(&w->measure, r->study, r->arena, r->diag, &g->measure) &&
           read_bound(r, w, g);
}

static void resolve_search(const struct resolving *r, const struct search_words *w, struct goals *g)
{
    const struct study_replications *n = &r->study->settings.replications;
    if (n->until.count > 0) {
        diag_error_key(r->diag, w->at, "excluded by 'replications.until'");
    }
    if (n->max < 2) {
        diag_error_key(r->diag, w->at,
                       "needs replications, at most as many as these: 64, for "
                       "instance");
    }
    g->search = true;
    g->n = 1;
    g->confidence = w->confidence;
    if (!resolve(r, &w->measure, &g->items[0])) {
        return;
    }
    const struct node *at = node_of(w->at, "target");
    bool share = g->items[0].side != 0;
    if (read_value(r, &g->items[0], w->target, at, &g->target) && share &&
        !(g->target > 0.0 && g->target < 1.0)) {
        diag_error(r->diag, at, "a share of replications to be passed lies between 0 and 1");
    }
}

void goals_resolve(const struct study *s, struct arena *arena, struct diag *d, struct goals *g)
{
    const struct study_settings *set = &s->settings;
    const struct resolving r = {s, arena, d};
    for (uint32_t i = 0; i < set->replications.until.count && i < GOALS_MOST; i++) {
        const struct goal_words *w = &set->replications.until.items[i];
        if (resolve(&r, w, &g->items[i])) {
            read_half_width(&r, w, &g->items[i]);
        }
        g->n = i + 1;
    }
    if (set->search.count > 0) {
        resolve_search(&r, &set->search.items[0], g);
    }
    if (set->warmup == WARMUP_AUTO) {
        measure_resolve_series(NULL, node_child(s->root, "warmup"), s, arena, d, &g->under_way);
    }
}

double goal_value(const struct goal *g, double value)
{
    if (g->side == 0 || isnan(value)) {
        return value;
    }
    return g->side > 0 ? value > g->bound : value < g->bound;
}
