/* SPDX-License-Identifier: Apache-2.0
 *
 * What differs between two results files, for the terminal, and as CSV or JSON.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/table.h"
#include "model/resolved.h"

enum {
    MOST_CHANGES = 20, /* of the configuration, unless all are asked for */
    WIDTH = 120        /* columns of a terminal: a row that goes on below is hard to read */
};

static const struct results *results(const struct comparison *c, int file)
{
    return &c->view[file].results;
}

/* Of a point, in the plan. */
static uint64_t number_of(const struct comparison *c, const struct match *m, int file)
{
    return results(c, file)->points[m->point[file]];
}

static void print_files(const struct comparison *c)
{
    const struct results_meta *a = &results(c, FILE_A)->meta, *b = &results(c, FILE_B)->meta;
    for (int f = 0; f < FILES; f++) {
        printf("%c  %s (%s), digest %s\n", 'A' + f, c->view[f].path, results(c, f)->meta.name,
               results(c, f)->digest);
    }
    if (strcmp(a->software, b->software) != 0 || strcmp(a->git, b->git) != 0) {
        printf("  %-14s%s (%s) -> %s (%s)\n", "software", a->software, a->git, b->software, b->git);
    }
}

static void print_changes(const struct comparison *c)
{
    struct arena memory = {0};
    const char *label = "configuration";
    const char *const *changes = resolved_changes(results(c, FILE_A)->meta.resolved,
                                                  results(c, FILE_B)->meta.resolved, &memory);
    size_t most = c->options->inspect.all ? SIZE_MAX : MOST_CHANGES, n = 0, shown = 0;
    for (; changes[n]; n++) {
        if (n < most) {
            printf("  %-14s%s\n", label, changes[n]);
            label = "";
            shown++;
        }
    }
    if (n == 0) {
        printf("  %-14sthe same\n", label);
    } else if (n > shown) {
        printf("  %-14sand %zu more (--all shows them)\n", "", n - shown);
    }
    arena_close(&memory);
}

/* "8 of A, 8 of B", as far as they count. */
static void print_replications(const struct match *m)
{
    printf("  %-14s", "replications");
    if (m->n == 0) {
        printf("%" PRIu64 " of A and %" PRIu64 " of B ended well%s; there is nothing to compare\n",
               m->n_ok[FILE_A], m->n_ok[FILE_B], m->paired ? ", none of them in both" : "");
    } else if (!m->paired) {
        printf("%" PRIu64 " of A, %" PRIu64 " of B\n", m->n_ok[FILE_A], m->n_ok[FILE_B]);
    } else if (m->n == m->n_ok[FILE_A] && m->n == m->n_ok[FILE_B]) {
        printf("%" PRIu64 " of each\n", m->n);
    } else {
        printf("the %" PRIu64 " that both have, of %" PRIu64 " of A and %" PRIu64 " of B\n", m->n,
               m->n_ok[FILE_A], m->n_ok[FILE_B]);
    }
}

static void print_method(const struct comparison *c, const struct match *m)
{
    bool pairs = c->design[FILE_A].pairs || c->design[FILE_B].pairs;
    if (m->paired) {
        printf("  %-14s%s by %s, since both draw the same random numbers\n", "compared",
               pairs ? "antithetic pair" : "replication", pairs ? "pair" : "replication");
    } else {
        printf("  %-14sas independent samples%s, since %s\n", "compared",
               pairs ? " (of antithetic pairs)" : "", m->why);
    }
}

static void print_lines(const char *label, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        printf("  %-14s%.*s\n", label, length, text);
        text += length + (text[length] == '\n');
        label = "";
    }
}

static void print_head(const struct comparison *c)
{
    print_files(c);
    print_changes(c);
    print_lines("entities", c->entities);
    if (results(c, FILE_A)->meta.n_points > 1 || results(c, FILE_B)->meta.n_points > 1) {
        bool axes = c->matches[0].where[FILE_A][0];
        printf("  %-14s%" PRIu64 " of A, %" PRIu64 " of B, of which %zu %s compared%s\n", "points",
               results(c, FILE_A)->meta.n_points, results(c, FILE_B)->meta.n_points, c->n_matches,
               c->n_matches == 1 ? "is" : "are",
               c->options->point ? ""
               : axes            ? ", by their values on the axes"
                                 : ", by number");
    } else {
        print_replications(&c->matches[0]);
    }
    print_method(c, &c->matches[0]);
}

/* How many there are of each verdict, without those that are zero throughout. */
static size_t count(const struct comparison *c, size_t *of)
{
    size_t n = 0;
    memset(of, 0, VERDICTS * sizeof *of);
    for (size_t i = 0; i < c->n; i++) {
        of[c->contrasts[i].verdict] += !c->contrasts[i].zero;
        n += !c->contrasts[i].zero;
    }
    return n;
}

static void print_summary(const struct comparison *c)
{
    size_t of[VERDICTS], n = count(c, of);
    printf("\n%zu of %zu statistics %s equal to the bit, %zu %s within chance, %zu beyond",
           of[VERDICT_EQUAL], n, of[VERDICT_EQUAL] == 1 ? "is" : "are", of[VERDICT_WITHIN],
           of[VERDICT_WITHIN] == 1 ? "differs" : "differ", of[VERDICT_BEYOND]);
    if (of[VERDICT_UNKNOWN] > 0) {
        printf(", %zu where chance is not known", of[VERDICT_UNKNOWN]);
    }
    if (of[VERDICT_ONLY_A] + of[VERDICT_ONLY_B] > 0) {
        printf(", %zu only one has", of[VERDICT_ONLY_A] + of[VERDICT_ONLY_B]);
    }
    puts(".");
    if (of[VERDICT_EQUAL] == n && compare_alike(c)) {
        puts("Series, traces and minima are not compared, nor is what was not selected.");
    } else if (of[VERDICT_EQUAL] == n) {
        puts(
            "The files differ in something else: in what is not compared (series, traces, minima), "
            "in what\nwas not selected, or in replications that only one has.");
    }
}

static const char *chance_text(struct table *t, double chance)
{
    return chance >= 0.0001 ? arena_format(&t->memory, "%.*f", chance < 0.01 ? 4 : 2, chance)
                            : "<0.0001";
}

static const char *relative_text(struct table *t, double relative)
{
    double times = 1.0 + relative;
    if (isnan(relative)) {
        return "-";
    }
    if (times >= 10.0) {
        return arena_format(&t->memory, "×%.*f", times < 100.0, times);
    }
    return arena_format(&t->memory, relative == 0.0 ? "%.0f %%" : "%+.3g %%", 100.0 * relative);
}

static void put_contrast(struct table *t, const struct contrast *c)
{
    /* A NAN stays one: neither comparison holds. */
    double uncertainty = c->bound > c->half_width ? c->bound : c->half_width;
    table_row(t, c->label);
    table_figure(t, c->value[FILE_A], NAN, c->unit, "");
    table_figure(t, c->value[FILE_B], NAN, c->unit, "");
    if (c->verdict == VERDICT_ONLY_A || c->verdict == VERDICT_ONLY_B) {
        return;
    }
    table_change(t, c->difference, c->verdict == VERDICT_EQUAL ? NAN : uncertainty, c->unit, "");
    table_text(t, relative_text(t, c->relative));
    if (!isnan(c->chance)) {
        table_text(t, chance_text(t, c->chance));
    }
}

static void print_match(const struct comparison *c, size_t match)
{
    static const char *const heads[VERDICTS] = {
        "beyond chance", "chance not known", "within chance", "only in A", "only in B", "equal"};
    struct table t = {.width = WIDTH};
    enum verdict section = VERDICTS;
    for (size_t i = 0; i < c->n; i++) {
        const struct contrast *at = &c->contrasts[i];
        bool wanted = c->options->inspect.all || (at->verdict != VERDICT_EQUAL && !at->zero);
        if (at->match != match || !wanted) {
            continue;
        }
        if (at->verdict != section) {
            section = at->verdict;
            table_head(&t, heads[section]);
            table_text(&t, "A");
            table_text(&t, "B");
            table_text(&t, "B - A");
            table_text(&t, "relative");
            if (section == VERDICT_BEYOND || section == VERDICT_WITHIN) {
                table_text(&t, "chance");
            }
        }
        put_contrast(&t, at);
    }
    if (t.n_rows > 0) {
        puts("");
        table_print(&t, stdout);
    }
    table_close(&t);
}

static void print_point(const struct comparison *c, const struct match *m)
{
    uint64_t a = number_of(c, m, FILE_A), b = number_of(c, m, FILE_B);
    const char *where_a = m->where[FILE_A], *where_b = m->where[FILE_B];
    printf("\npoint %" PRIu64, a);
    if (strcmp(where_a, where_b) != 0) {
        printf(" of A%s%s\npoint %" PRIu64 " of B%s%s\n", where_a[0] ? ": " : "", where_a, b,
               where_b[0] ? ": " : "", where_b);
    } else {
        if (a != b) {
            printf(" of A, %" PRIu64 " of B", b);
        }
        printf("%s%s\n", where_a[0] ? ": " : "", where_a);
    }
    print_replications(m);
    if (m->paired != c->matches[0].paired) {
        print_method(c, m);
    }
}

/* Intervals and chances shown are those of single statistics; what is made of them all is the
 * verdict. */
static void print_foot(const struct comparison *c)
{
    size_t of[VERDICTS];
    bool paired = false, unpaired = false;
    double level = 1.0 - c->options->inspect.confidence;
    size_t out = 0, tested = 0;
    count(c, of);
    for (size_t m = 0; m < c->n_matches; m++) {
        paired = paired || c->matches[m].paired;
        unpaired = unpaired || !c->matches[m].paired;
    }
    for (size_t i = 0; i < c->n; i++) {
        tested += !isnan(c->contrasts[i].chance);
        out += c->contrasts[i].chance < level;
    }
    if (tested > 0) {
        printf(
            "\n± is half the %g %% confidence interval of B - A (%s%s%s), and at least the error "
            "of buckets.\nChance is that of a difference as large where there is none: %zu of "
            "%zu are below %g, where %.1f\nwould be expected if nothing differed in truth. "
            "Beyond chance is what stays below it when all are\ncorrected for their number "
            "(Holm).\n",
            100.0 * c->options->inspect.confidence, paired ? "paired" : "",
            paired && unpaired ? " or " : "", unpaired ? "Welch's" : "", out, tested, level,
            level * (double)tested);
    }
    if (of[VERDICT_UNKNOWN] > 0) {
        printf("%s±? is unknown: it takes two observations %s to tell.\n", tested > 0 ? "" : "\n",
               paired ? "in both" : "of each");
    }
}

static void print_identical(const struct comparison *c)
{
    struct arena memory = {0};
    size_t n = 0;
    const char *const *changes = resolved_changes(results(c, FILE_A)->meta.resolved,
                                                  results(c, FILE_B)->meta.resolved, &memory);
    while (changes[n]) {
        n++;
    }
    printf("%s and %s are identical: all results have the digest %s", c->view[FILE_A].path,
           c->view[FILE_B].path, results(c, FILE_A)->digest);
    if (n > 0) {
        printf(", though %zu key%s of the configuration differ%s (--all shows %s)", n,
               n == 1 ? "" : "s", n == 1 ? "s" : "", n == 1 ? "it" : "them");
    }
    puts("");
    arena_close(&memory);
}

void compare_print(const struct comparison *c, bool identical)
{
    if (identical) {
        print_identical(c);
    }
    if (identical && !c->options->inspect.all) {
        return;
    }
    print_head(c);
    if (!identical) {
        print_summary(c);
    }
    bool points = results(c, FILE_A)->meta.n_points > 1 || results(c, FILE_B)->meta.n_points > 1;
    for (size_t m = 0; m < c->n_matches; m++) {
        if (points) {
            print_point(c, &c->matches[m]);
        }
        print_match(c, m);
    }
    print_foot(c);
}

static const struct {
    const char *name;
    size_t at;
} numbers[] = {{"a", offsetof(struct contrast, value[FILE_A])},
               {"b", offsetof(struct contrast, value[FILE_B])},
               {"difference", offsetof(struct contrast, difference)},
               {"half_width", offsetof(struct contrast, half_width)},
               {"bound", offsetof(struct contrast, bound)},
               {"relative", offsetof(struct contrast, relative)},
               {"chance", offsetof(struct contrast, chance)},
               {"corrected", offsetof(struct contrast, corrected)}};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static double number(const struct contrast *c, int i)
{
    double value;
    memcpy(&value, (const char *)c + numbers[i].at, sizeof value);
    return value;
}

static void export_csv(const struct comparison *c, const struct contrast *at)
{
    const struct match *m = &c->matches[at->match];
    printf("%" PRIu64 ",%" PRIu64 ",", number_of(c, m, FILE_A), number_of(c, m, FILE_B));
    inspect_csv_text(at->group);
    printf(",%s,%s,%s", at->statistic, at->measure, at->unit);
    for (int i = 0; i < NUMBERS; i++) {
        inspect_csv_number(number(at, i));
    }
    inspect_csv_number(c->options->inspect.confidence);
    printf(",%" PRIu64 ",%s,%s,", at->observations, m->paired ? "paired" : "welch",
           verdict_names[at->verdict]);
    if (at->peer) {
        inspect_csv_text(at->peer);
        printf(",%u\n", at->status);
    } else {
        puts(",");
    }
}

static void export_json(const struct comparison *c, const struct contrast *at)
{
    const struct match *m = &c->matches[at->match];
    printf("%s {\"point_a\": %" PRIu64 ", \"point_b\": %" PRIu64 ", ",
           at == c->contrasts ? "" : ",\n", number_of(c, m, FILE_A), number_of(c, m, FILE_B));
    inspect_json_text("group", at->group);
    inspect_json_text("statistic", at->statistic);
    if (at->peer) {
        inspect_json_text("peer", at->peer);
        printf("\"status\": %u, ", at->status);
    }
    inspect_json_text("measure", at->measure);
    inspect_json_text("unit", at->unit);
    for (int i = 0; i < NUMBERS; i++) {
        inspect_json_number(numbers[i].name, number(at, i));
        fputs(", ", stdout);
    }
    inspect_json_number("confidence", c->options->inspect.confidence);
    printf(", \"observations\": %" PRIu64 ", \"method\": \"%s\", \"verdict\": \"%s\"}",
           at->observations, m->paired ? "paired" : "welch", verdict_names[at->verdict]);
}

void compare_export(const struct comparison *c)
{
    bool csv = c->options->inspect.form == FORM_CSV;
    if (csv) {
        fputs("point_a,point_b,group,statistic,measure,unit", stdout);
        for (int i = 0; i < NUMBERS; i++) {
            printf(",%s", numbers[i].name);
        }
        puts(",confidence,observations,method,verdict,peer,status");
    } else {
        puts("[");
    }
    for (size_t i = 0; i < c->n; i++) {
        (csv ? export_csv : export_json)(c, &c->contrasts[i]);
    }
    if (!csv) {
        puts("\n]");
    }
}
