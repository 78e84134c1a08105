/* SPDX-License-Identifier: Apache-2.0
 *
 * What a search has found: a threshold for each point of the sweep, as results/thresholds.h has it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/inspect.h"
#include "model/axis.h"

static const char *value_text(const struct results_thresholds *t, double value,
                              struct arena *memory)
{
    return isnan(value) ? "-" : arena_copy(memory, axis_write(value, t->unit).text);
}

static void tabulate(const struct results_thresholds *t, bool anywhere, struct arena *memory)
{
    struct table table = {.rows = NULL, .width = table_room(stdout)};
    table_head(&table, anywhere ? "where" : "");
    table_text(&table, "threshold");
    table_text(&table, "between");
    table_text(&table, "outcome");
    table_text(&table, "replications");
    for (const struct results_threshold *i = t->items; i < t->items + t->n; i++) {
        bool found = !isnan(i->low) || !isnan(i->high);
        table_row(&table, i->where);
        table_text(&table, value_text(t, i->estimate, memory));
        table_text(&table, found ? arena_format(memory, "%s and %s", value_text(t, i->low, memory),
                                                value_text(t, i->high, memory))
                                 : "-");
        table_text(&table, bisection_outcome_words[i->outcome]);
        table_text(&table, arena_format(memory, "%" PRIu64, i->replications));
    }
    printf("\nsearch on %s\n", t->axis);
    table_print(&table, stdout);
    table_close(&table);
}

static void export_csv(const struct view *v, const struct results_thresholds *t)
{
    for (const struct results_threshold *i = t->items; i < t->items + t->n; i++) {
        inspect_csv_text(v->path);
        putchar(',');
        inspect_csv_text(t->axis);
        putchar(',');
        inspect_csv_text(i->where);
        printf(",%s", bisection_outcome_words[i->outcome]);
        inspect_csv_number(i->estimate);
        inspect_csv_number(i->low);
        inspect_csv_number(i->high);
        printf(",%s,%" PRIu64 "\n", t->unit, i->replications);
    }
}

static void export_json(const struct view *v, const struct results_thresholds *t)
{
    for (const struct results_threshold *i = t->items; i < t->items + t->n; i++) {
        fputs(v->notes->figures ? ",\n {" : " {", stdout);
        v->notes->figures = true;
        inspect_json_text("file", v->path);
        inspect_json_text("axis", t->axis);
        inspect_json_text("where", i->where);
        inspect_json_text("outcome", bisection_outcome_words[i->outcome]);
        inspect_json_number("estimate", i->estimate);
        fputs(", ", stdout);
        inspect_json_number("low", i->low);
        fputs(", ", stdout);
        inspect_json_number("high", i->high);
        fputs(", ", stdout);
        inspect_json_text("unit", t->unit);
        printf("\"replications\": %" PRIu64 "}", i->replications);
    }
}

bool inspect_search(struct view *v)
{
    struct results_thresholds t;
    struct arena memory = {0};
    if (!results_thresholds(&v->results, &t, &v->error)) {
        return false;
    }
    bool anywhere = false;
    for (uint64_t i = 0; i < t.n; i++) {
        anywhere = anywhere || t.items[i].where[0];
    }
    if (v->options->form == FORM_CSV) {
        export_csv(v, &t);
    } else if (v->options->form == FORM_JSON) {
        export_json(v, &t);
    } else if (t.n > 0) {
        tabulate(&t, anywhere, &memory);
    }
    arena_close(&memory);
    return true;
}
