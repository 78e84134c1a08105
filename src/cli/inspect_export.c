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

static void print_csv_text(const char *text)
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

static void print_json_text(const char *name, const char *text)
{
    printf("\"%s\": ", name);
    json_text(stdout, text);
    fputs(", ", stdout);
}

static void print_json_number(const char *name, double value)
{
    printf("\"%s\": ", name);
    json_real(stdout, value);
}

/* What is not a number is left empty. */
static void print_csv_number(double value)
{
    putchar(',');
    if (isfinite(value)) {
        printf("%.17g", value);
    }
}

static const char csv_head[] =
    "file,point,group,statistic,measure,value,unit,half_width,confidence,replications,bound,peer,"
    "status";

static void print_csv(const struct view *v, const struct lot *lot, const char *statistic,
                      const struct breakdown_key *key, const struct figure *f)
{
    print_csv_text(v->path);
    printf(",%" PRIu64 ",", v->point);
    print_csv_text(lot->name);
    printf(",%s,%s", statistic, f->measure);
    print_csv_number(f->value);
    printf(",%s", f->unit);
    print_csv_number(f->half_width);
    print_csv_number(v->options->confidence);
    printf(",%" PRIu64, f->replications);
    print_csv_number(f->bound);
    if (key) {
        putchar(',');
        print_csv_text(v->results.groups[key->group]);
        printf(",%u\n", key->status);
    } else {
        puts(",,");
    }
}

static void print_json(const struct view *v, const struct lot *lot, const char *statistic,
                       const struct breakdown_key *key, const struct figure *f)
{
    fputs(v->notes->figures ? ",\n {" : " {", stdout);
    v->notes->figures = true;
    print_json_text("file", v->path);
    printf("\"point\": %" PRIu64 ", ", v->point);
    print_json_text("group", lot->name);
    print_json_text("statistic", statistic);
    if (key) {
        print_json_text("peer", v->results.groups[key->group]);
        printf("\"status\": %u, ", key->status);
    }
    print_json_text("measure", f->measure);
    print_json_number("value", f->value);
    fputs(", ", stdout);
    print_json_text("unit", f->unit);
    print_json_number("half_width", f->half_width);
    fputs(", ", stdout);
    print_json_number("confidence", v->options->confidence);
    printf(", \"replications\": %" PRIu64 ", ", f->replications);
    print_json_number("bound", f->bound);
    putchar('}');
}

void inspect_export_begin(enum form form)
{
    puts(form == FORM_CSV ? csv_head : "[");
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
