/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures as CSV or JSON, in full precision.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/inspect.h"

void inspect_csv_text(const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, stdout);
    }
    putchar('"');
}

void inspect_json_text(const char *name, const char *text)
{
    printf("\"%s\": ", name);
    json_text(stdout, text);
    fputs(", ", stdout);
}

void inspect_json_number(const char *name, double value)
{
    printf("\"%s\": ", name);
    json_real(stdout, value);
}

/* What is not a number is left empty. */
void inspect_csv_number(double value)
{
    putchar(',');
    if (isfinite(value)) {
        json_real(stdout, value);
    }
}

static const char csv_head[] =
    "file,point,group,statistic,measure,value,unit,half_width,confidence,replications,bound,peer,"
    "status";
static const char csv_search_head[] = "file,axis,where,outcome,estimate,low,high,unit,replications";

/* A column for each axis of all files. */
static void print_csv_axes(const struct view *v)
{
    const struct results *r = &v->results;
    for (size_t i = 0; i < v->options->n_axes; i++) {
        const struct results_axis *axis = NULL;
        for (uint32_t a = 0; a < r->n_axes; a++) {
            axis = strcmp(r->axes[a].path, v->options->axes[i]) == 0 ? &r->axes[a] : axis;
        }
        if (axis && axis->numbers) {
            inspect_csv_number(axis->numbers[v->point]);
        } else {
            putchar(',');
            inspect_csv_text(axis ? axis->texts[v->point] : "");
        }
    }
}

static void print_json_axes(const struct view *v)
{
    const struct results *r = &v->results;
    if (r->n_axes == 0) {
        return;
    }
    fputs("\"axes\": {", stdout);
    for (uint32_t a = 0; a < r->n_axes; a++) {
        fputs(a > 0 ? ", " : "", stdout);
        json_text(stdout, r->axes[a].path);
        fputs(": ", stdout);
        if (r->axes[a].numbers) {
            json_real(stdout, r->axes[a].numbers[v->point]);
        } else {
            json_text(stdout, r->axes[a].texts[v->point]);
        }
    }
    fputs("}, ", stdout);
}

static void print_csv(const struct view *v, const struct lot *lot, const char *statistic,
                      const struct breakdown_key *key, const struct figure *f)
{
    inspect_csv_text(v->path);
    printf(",%" PRIu64 ",", v->results.points[v->point]);
    inspect_csv_text(lot->name);
    printf(",%s,%s", statistic, f->measure);
    inspect_csv_number(f->value);
    printf(",%s", f->unit);
    inspect_csv_number(f->half_width);
    inspect_csv_number(v->options->confidence);
    printf(",%" PRIu64, f->replications);
    inspect_csv_number(f->bound);
    if (key) {
        putchar(',');
        inspect_csv_text(v->results.groups[key->group]);
        printf(",%u", key->status);
    } else {
        fputs(",,", stdout);
    }
    print_csv_axes(v);
    putchar('\n');
}

static void print_json(const struct view *v, const struct lot *lot, const char *statistic,
                       const struct breakdown_key *key, const struct figure *f)
{
    fputs(v->notes->figures ? ",\n {" : " {", stdout);
    v->notes->figures = true;
    inspect_json_text("file", v->path);
    printf("\"point\": %" PRIu64 ", ", v->results.points[v->point]);
    print_json_axes(v);
    inspect_json_text("group", lot->name);
    inspect_json_text("statistic", statistic);
    if (key) {
        inspect_json_text("peer", v->results.groups[key->group]);
        printf("\"status\": %u, ", key->status);
    }
    inspect_json_text("measure", f->measure);
    inspect_json_number("value", f->value);
    fputs(", ", stdout);
    inspect_json_text("unit", f->unit);
    inspect_json_number("half_width", f->half_width);
    fputs(", ", stdout);
    inspect_json_number("confidence", v->options->confidence);
    printf(", \"replications\": %" PRIu64 ", ", f->replications);
    inspect_json_number("bound", f->bound);
    putchar('}');
}

void inspect_export_begin(const struct inspect_options *o)
{
    if (o->form == FORM_JSON) {
        puts("[");
        return;
    }
    fputs(o->search ? csv_search_head : csv_head, stdout);
    for (size_t i = 0; !o->search && i < o->n_axes; i++) {
        putchar(',');
        inspect_csv_text(o->axes[i]);
    }
    putchar('\n');
}

void inspect_export(const struct view *v, const struct lot *lot, const char *statistic,
                    const struct breakdown_key *key, const struct figure *f)
{
    (v->options->form == FORM_CSV ? print_csv : print_json)(v, lot, statistic, key, f);
}

void inspect_export_end(enum form form)
{
    if (form == FORM_JSON) {
        puts("\n]");
    }
}
