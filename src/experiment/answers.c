/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/answers.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/axis.h"
#include "results/layout.h"

enum { TOLD = 20 };

/* --- thresholds --------------------------------------------------------------------------- */

/* The axis that is searched on: the last. */
static const struct axis *searched(const struct results_meta *meta)
{
    const struct sweep *s = &meta->points->axes;
    return &s->axes[s->n_axes - 1];
}

/* Where a level, with a fraction, lies on the axis; NAN beyond its ends. */
static double place(const struct axis *axis, double level)
{
    if (!(level >= 0.0 && level <= (double)(axis->n - 1))) {
        return NAN;
    }
    uint64_t below = (uint64_t)level;
    double part = level - (double)below;
    if (!axis->numbers) {
        return level;
    }
    return part > 0.0
               ? axis->numbers[below] + part * (axis->numbers[below + 1] - axis->numbers[below])
               : axis->numbers[below];
}

static uint64_t count_used(const struct bisection *b)
{
    uint64_t n = 0;
    for (uint32_t level = 0; level < b->plan.n_levels; level++) {
        n += bisection_used(b, level);
    }
    return n;
}

struct results_thresholds answers_thresholds(const struct agenda *a,
                                             const struct results_meta *meta, struct arena *arena)
{
    struct results_thresholds t = {.n = 0};
    const struct bisection *b = agenda_search(a, 0);
    if (!b) {
        return t;
    }
    const struct axis *axis = searched(meta);
    uint64_t n = meta->n_points / b->plan.n_levels;
    t.axis = axis->path;
    t.unit = axis->numbers ? axis->unit : "1";
    t.items = arena_take(arena, n * sizeof *t.items);
    for (; t.n < n && (b = agenda_search(a, t.n)); t.n++) {
        const struct bisection_answer *answer = &b->answer;
        bool found = answer->outcome == BISECTION_FOUND || answer->outcome == BISECTION_CONTRARY;
        t.items[t.n] = (struct results_threshold){
            .where = points_name(meta->points, t.n * b->plan.n_levels, axis, arena),
            .outcome = answer->outcome,
            .estimate = found ? place(axis, answer->estimate) : NAN,
            .low = found ? place(axis, (double)answer->low) : NAN,
            .high = found ? place(axis, (double)answer->high) : NAN,
            .replications = count_used(b)};
    }
    return t;
}

/* A value of the axis, as a configuration would have it. */
static const char *in_words(const struct results_thresholds *t, double value, struct arena *arena)
{
    if (isnan(value)) {
        return "the end of the axis";
    }
    return arena_copy(arena, axis_write(value, t->unit).text);
}

static void print_threshold(const struct results_thresholds *t, const struct results_threshold *r,
                            double confidence, FILE *out, struct arena *arena)
{
    fprintf(out, "  %s%s%s", t->axis, r->where[0] ? " where " : "", r->where);
    switch (r->outcome) {
    case BISECTION_FOUND:
    case BISECTION_CONTRARY:
        fprintf(out, ": %s, between %s and %s with %g %% confidence%s\n",
                in_words(t, r->estimate, arena), in_words(t, r->low, arena),
                in_words(t, r->high, arena), 100.0 * confidence,
                r->outcome == BISECTION_CONTRARY ? "; but it passes the target more than once"
                                                 : "");
        break;
    case BISECTION_BELOW:
    case BISECTION_ABOVE:
        fprintf(out, ": nowhere; it is %s the target from end to end\n",
                r->outcome == BISECTION_BELOW ? "below" : "above");
        break;
    case BISECTION_UNKNOWN:
        fputs(": not known; there are not replications enough to tell at the ends\n", out);
        break;
    case BISECTION_OPEN:
        fputs(": not known yet\n", out);
        break;
    }
}

static void print_question(const struct search_words *w, FILE *out)
{
    const struct goal_words *g = &w->measure;
    const char *per = g->measure.per.name;
    bool share = g->above[0] || g->below[0];
    if (share) {
        fprintf(out, "In %s of the replications, ", w->target);
    }
    fprintf(out, "%s%s%s", g->measure.stat.name, per[0] ? " per " : "", per);
    if (share) {
        fprintf(out, " is %s %s at\n", g->above[0] ? "above" : "below",
                g->above[0] ? g->above : g->below);
    } else {
        fprintf(out, " passes %s at\n", w->target);
    }
}

static void print_thresholds(const struct agenda *a, const struct results_meta *meta, FILE *out)
{
    struct arena memory = {0};
    const struct study_settings *s = &meta->points->held->settings;
    struct results_thresholds t = answers_thresholds(a, meta, &memory);
    if (t.n > 0) {
        print_question(&s->search.items[0], out);
    }
    for (uint64_t i = 0; i < t.n && i < TOLD; i++) {
        print_threshold(&t, &t.items[i], s->search.items[0].confidence, out, &memory);
    }
    if (t.n > TOLD) {
        fprintf(out, "  and %" PRIu64 " more in the results file, under /" LAYOUT_SEARCH "\n",
                t.n - TOLD);
    }
    arena_close(&memory);
}

/* --- rules -------------------------------------------------------------------------------- */

static void print_rules(const struct agenda *a, const struct results_meta *meta, FILE *out)
{
    struct arena memory = {0};
    uint64_t unmet = 0, first = 0;
    for (uint64_t p = 0; p < meta->n_points && agenda_stopping(a, 0); p++) {
        const struct stopping *s = agenda_stopping(a, p);
        if (s && s->answer == STOPPING_MAX) {
            first = unmet == 0 ? p : first;
            unmet++;
        }
    }
    if (unmet > 0) {
        const char *name = points_name(meta->points, first, NULL, &memory);
        fprintf(out,
                "%" PRIu64 " of %" PRIu64 " point%s: %" PRIu64
                " replications are not enough for what `until` asks; the first is point %" PRIu64
                "%s%s\n",
                unmet, meta->n_points, meta->n_points == 1 ? "" : "s", meta->n_replications, first,
                name[0] ? ", " : "", name);
    }
    arena_close(&memory);
}

void answers_print(const struct agenda *a, const struct results_meta *meta, FILE *out)
{
    print_thresholds(a, meta, out);
    print_rules(a, meta, out);
}
