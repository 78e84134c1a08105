/* SPDX-License-Identifier: Apache-2.0
 *
 * A sweep at a glance: one row for each point, with what it has on the axes, how its replications
 * ended and a few figures.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/asked.h"

struct sweep_table {
    struct view *view;
    const bool *chosen; /* by point */
    struct asked *asked;
    size_t n_asked;
    const char *group;        /* that all of them are of; NULL: of several */
    bool ended[RUN_STATUSES]; /* somewhere so */
    struct arena memory;      /* owned */
};

/* --- how replications ended --------------------------------------------------------------- */

struct endings {
    uint64_t n[RUN_STATUSES], run; /* run: all that are not missing */
};

static struct endings count_endings(const struct view *v)
{
    struct endings e = {.run = 0};
    for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
        enum run_status status = v->runs[r].status;
        e.n[status]++;
        e.run += status != RUN_MISSING;
    }
    return e;
}

/* Ended otherwise than well, of those that were run. */
static bool is_share(enum run_status status)
{
    return status != RUN_OK && status != RUN_MISSING;
}

const char *inspect_share_text(double share, struct interval interval, struct arena *arena)
{
    return arena_format(arena, "%.3g %% (%.3g to %.3g)", 100.0 * share, 100.0 * interval.low,
                        100.0 * interval.high);
}

static const char *ended_text(const struct view *v, const struct endings *e, enum run_status status,
                              struct arena *arena)
{
    struct interval i = summary_proportion(e->n[status], e->run, v->options->confidence);
    return e->run > 0 ? inspect_share_text((double)e->n[status] / (double)e->run, i, arena) : "-";
}

void inspect_print_shares(const struct view *v)
{
    struct arena memory = {0};
    struct endings e = count_endings(v);
    const char *list = "";
    for (enum run_status status = 0; status < RUN_STATUSES; status++) {
        if (e.n[status] > 0 && is_share(status)) {
            list = arena_format(&memory, "%s%s%s %s", list, list[0] ? ", " : "",
                                run_status_names[status], ended_text(v, &e, status, &memory));
        }
    }
    if (list[0]) {
        printf("  %-14s%s\n", "of those run", list);
        v->notes->shares = true;
    }
    arena_close(&memory);
}

/* --- the table ---------------------------------------------------------------------------- */

static bool look_at_endings(struct sweep_table *s)
{
    struct view *v = s->view;
    for (v->point = 0; v->point < v->results.meta.n_points; v->point++) {
        if (!s->chosen[v->point]) {
            continue;
        }
        if (!inspect_read_runs(v)) {
            return false;
        }
        struct endings e = count_endings(v);
        for (enum run_status status = 0; status < RUN_STATUSES; status++) {
            s->ended[status] = s->ended[status] || (is_share(status) && e.n[status] > 0);
        }
    }
    return true;
}

static void put_head(struct sweep_table *s, struct table *t, int line)
{
    struct view *v = s->view;
    table_head(t, line == 0 ? "" : "point");
    for (uint32_t a = 0; a < v->results.n_axes; a++) {
        table_text(t, line == 0 ? "" : inspect_axis_name(&v->results, a));
    }
    table_text(t, line == 0 ? "" : "ok");
    for (enum run_status status = 0; status < RUN_STATUSES; status++) {
        if (s->ended[status]) {
            table_text(t, line == 0 ? "" : run_status_names[status]);
        }
    }
    for (size_t i = 0; i < s->n_asked; i++) {
        table_text(t, asked_head(&s->asked[i], s->group, line, &s->memory));
    }
}

/* How many count, and of how many where that is not all that were run. */
static void put_endings(struct sweep_table *s, struct table *t)
{
    struct view *v = s->view;
    struct endings e = count_endings(v);
    table_text(t, v->n_ok == e.run
                      ? arena_format(&v->lot, "%" PRIu64, v->n_ok)
                      : arena_format(&v->lot, "%" PRIu64 " of %" PRIu64, v->n_ok, e.run));
    for (enum run_status status = 0; status < RUN_STATUSES; status++) {
        if (s->ended[status]) {
            table_text(t, ended_text(v, &e, status, &v->lot));
            v->notes->shares = true;
        }
    }
}

static bool put_asked(struct sweep_table *s, struct table *t, const struct asked *a)
{
    struct view *v = s->view;
    struct figure f;
    struct interval interval;
    if (!asked_read(v, a, &f, &interval)) {
        return false;
    }
    if (a->sign && f.replications > 0) {
        table_text(t, inspect_share_text(f.value, interval, &v->lot));
        v->notes->shares = true;
    } else {
        inspect_put_figure(v, t, &f);
    }
    return true;
}

static bool put_point(struct sweep_table *s, struct table *t)
{
    struct view *v = s->view;
    bool ok = inspect_read_runs(v);
    if (ok) {
        table_row(t, arena_format(&v->lot, "%" PRIu64, v->results.points[v->point]));
        for (uint32_t a = 0; a < v->results.n_axes; a++) {
            table_text(t, inspect_axis_value(&v->results, a, v->point, &v->lot));
        }
        put_endings(s, t);
        v->notes->pairs = v->notes->pairs || v->pairs;
    }
    for (size_t i = 0; ok && i < s->n_asked; i++) {
        ok = put_asked(s, t, &s->asked[i]);
    }
    arena_close(&v->lot);
    return ok;
}

static bool tabulate(struct sweep_table *s)
{
    struct view *v = s->view;
    struct table t = {.rows = NULL, .width = table_room(stdout)};
    bool ok = look_at_endings(s);
    if (s->group) {
        inspect_print_lot(&s->asked[0].part[0].lot);
    } else {
        puts("");
    }
    for (int line = 0; line < 2; line++) {
        put_head(s, &t, line);
    }
    for (v->point = 0; ok && v->point < v->results.meta.n_points; v->point++) {
        ok = !s->chosen[v->point] || put_point(s, &t);
    }
    if (ok) {
        table_print(&t, stdout);
    }
    table_close(&t);
    return ok;
}

static bool export(struct sweep_table *s)
{
    struct view *v = s->view;
    bool ok = true;
    for (v->point = 0; ok && v->point < v->results.meta.n_points; v->point++) {
        if (!s->chosen[v->point]) {
            continue;
        }
        ok = inspect_read_runs(v);
        for (size_t i = 0; ok && i < s->n_asked; i++) {
            const struct asked *a = &s->asked[i];
            struct figure f;
            ok = asked_read(v, a, &f, NULL);
            if (ok) {
                inspect_export(v, &a->part[0].lot, asked_name(a), NULL, &f);
            }
        }
        arena_close(&v->lot);
    }
    return ok;
}

/* What is asked for was found when the file was checked. */
static void find_asked(struct sweep_table *s)
{
    const struct inspect_options *o = s->view->options;
    const char *defaults[ASKED_DEFAULTS], *const *text = o->stats;
    s->n_asked = o->n_stats;
    if (s->n_asked == 0) {
        s->view->notes->rows = true;
        s->n_asked = asked_defaults(&s->view->results, o, &s->memory, defaults);
        text = defaults;
    }
    s->asked = arena_take(&s->memory, (s->n_asked + 1) * sizeof *s->asked);
    for (size_t i = 0; i < s->n_asked; i++) {
        struct asked *a = &s->asked[i];
        const char *wrong = asked_find(&s->view->results, text[i], &s->memory, a);
        CHECK(!wrong, "%s: %s", text[i], wrong);
        const char *group = a->part[0].lot.name;
        bool same = (i == 0 || (s->group && strcmp(s->group, group) == 0)) &&
                    (a->n_parts == 1 || strcmp(a->part[1].lot.name, group) == 0);
        s->group = same ? group : NULL;
    }
}

bool inspect_sweep(struct view *v, const bool *chosen)
{
    struct sweep_table s = {.view = v, .chosen = chosen};
    find_asked(&s);
    bool ok = v->options->form == FORM_TABLES ? tabulate(&s) : export(&s);
    arena_close(&s.memory);
    return ok;
}
