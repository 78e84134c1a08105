/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures as tables for the terminal.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "cli/inspect.h"
#include "cli/table.h"
#include "results/layout.h"

void inspect_put_figure(struct view *v, struct table *t, const struct figure *f)
{
    /* A NAN stays one: neither comparison holds. */
    double uncertainty = f->bound > f->half_width ? f->bound : f->half_width;
    struct notes *notes = v->notes;
    notes->figures = true;
    notes->none = notes->none || isnan(f->value);
    notes->thin = notes->thin || f->thin;
    notes->unknown = notes->unknown || (isinf(uncertainty) && !isnan(f->value));
    table_figure(t, f->value, uncertainty, f->unit, f->thin ? "*" : "");
}

static size_t rows_of_kind(enum stat_kind kind, const struct entry *entries, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        found += entries[i].row && entries[i].row->kind == kind;
    }
    return found;
}

/* Histograms side by side, so that one can be read downwards and two be compared. */
static void tabulate_histograms(struct view *v, struct table *t, const struct entry *entries,
                                size_t n)
{
    const struct entry *any = NULL;
    if (rows_of_kind(STAT_HISTOGRAM, entries, n) == 0) {
        return;
    }
    table_head(t, "histograms");
    for (const struct entry *e = entries; e < entries + n; e++) {
        if (e->row && e->row->kind == STAT_HISTOGRAM) {
            table_text(t, e->row->name);
            any = e;
        }
    }
    for (size_t m = 0; m < any->n; m++) {
        table_row(t, any->figures[m].measure);
        for (const struct entry *e = entries; e < entries + n; e++) {
            if (e->row && e->row->kind == STAT_HISTOGRAM) {
                inspect_put_figure(v, t, &e->figures[m]);
            }
        }
    }
}

/* Counters or gauges: a row of two figures for each. */
static void tabulate(struct view *v, struct table *t, enum stat_kind kind, const char *const *head,
                     const struct entry *entries, size_t n)
{
    if (rows_of_kind(kind, entries, n) == 0) {
        return;
    }
    table_head(t, head[0]);
    table_text(t, head[1]);
    table_text(t, head[2]);
    for (const struct entry *e = entries; e < entries + n; e++) {
        if (e->row && e->row->kind == kind) {
            table_row(t, e->row->name);
            inspect_put_figure(v, t, &e->figures[0]);
            inspect_put_figure(v, t, &e->figures[1]);
        }
    }
}

/* "web ok", "web 418", "web error_timeout". */
static const char *key_text(struct view *v, struct breakdown_key key)
{
    const char *peer = v->results.groups[key.group];
    char word[64];
    layout_status(key.status, word, sizeof word);
    return word[0] ? arena_format(&v->lot, "%s %s", peer, word)
                   : arena_format(&v->lot, "%s %u", peer, key.status);
}

/* A breakdown: a row for each key. */
static void tabulate_parts(struct view *v, struct table *t, const struct entry *e)
{
    if (e->n_parts == 0) {
        return;
    }
    table_head(t, e->row->name);
    table_text(t, "count");
    table_text(t, "share");
    table_text(t, "mean");
    for (size_t q = 0; q < v->options->n_quantiles; q++) {
        table_text(t, v->options->quantiles[q].name);
    }
    for (const struct part *p = e->parts; p < e->parts + e->n_parts; p++) {
        table_row(t, key_text(v, p->key));
        inspect_put_figure(v, t, &p->values.figures[FIGURE_COUNT]);
        table_text(t, arena_format(&v->lot, "%.3g %%", 100.0 * p->share));
        inspect_put_figure(v, t, &p->values.figures[FIGURE_MEAN]);
        for (size_t q = 0; q < v->options->n_quantiles; q++) {
            inspect_put_figure(v, t, &p->values.figures[FIGURE_QUANTILES + q]);
        }
    }
}

static void tabulate_trace(struct view *v, struct table *t, const struct lot *lot)
{
    double rows = 0.0;
    for (int kind = 0; v->traced && kind < TRACE_KINDS; kind++) {
        rows += inspect_traced(v, lot, kind).value;
    }
    if (!(rows > 0.0)) {
        return;
    }
    table_head(t, "trace");
    table_text(t, "per replication");
    for (int kind = 0; kind < TRACE_KINDS; kind++) {
        struct figure f = inspect_traced(v, lot, kind);
        table_row(t, trace_kind_names[kind]);
        inspect_put_figure(v, t, &f);
    }
}

void inspect_print_lot(const struct lot *lot)
{
    printf("\n%s (%s", lot->name, lot->type->name);
    if (lot->range.count > 1) {
        printf(", %" PRIu64 " instances: counters and gauge means are sums, maxima of one",
               lot->range.count);
    }
    puts(")");
}

void inspect_print_tables(struct view *v, const struct lot *lot, const struct entry *entries,
                          size_t n)
{
    static const char *const counters[] = {"counters", "per replication", "per second"};
    static const char *const gauges[] = {"gauges", "mean over time", "max"};
    inspect_print_lot(lot);
    struct table t = {.rows = NULL};
    tabulate_histograms(v, &t, entries, n);
    tabulate(v, &t, STAT_COUNTER, counters, entries, n);
    tabulate(v, &t, STAT_GAUGE, gauges, entries, n);
    tabulate_trace(v, &t, lot);
    table_print(&t, stdout);
    table_close(&t);
    /* Breakdowns have more columns: tables of their own. */
    for (const struct entry *e = entries; e < entries + n; e++) {
        struct table parts = {.rows = NULL};
        if (e->row && e->n_parts > 0) {
            puts("");
            tabulate_parts(v, &parts, e);
            table_print(&parts, stdout);
        }
        table_close(&parts);
    }
}

/* How the replications ended: "8 ok", "6 ok, 2 missing". */
void inspect_print_runs(const struct view *v)
{
    const char *separator = "";
    printf("  %-14s", "replications");
    for (int status = 0; status < RUN_STATUSES; status++) {
        uint64_t n = 0;
        for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
            n += v->runs[r].status == (enum run_status)status;
        }
        if (n > 0) {
            printf("%s%" PRIu64 " %s", separator, n, run_status_names[status]);
            separator = ", ";
        }
    }
    const char *only = v->pairs ? "; only pairs of which both are ok count below"
                                : "; only those that are ok count below";
    puts(v->n_ok == 0                               ? "; there is nothing to show"
         : v->n_ok < v->results.meta.n_replications ? only
                                                    : "");
    if (v->pairs) {
        printf("  %-14s%" PRIu64 " pairs of replications count, each as one\n", "antithetic",
               v->n_ok / 2);
        v->notes->pairs = true;
    }
    inspect_print_shares(v);
    uint64_t dropped = 0;
    for (uint64_t r = 0; r < v->results.meta.n_replications; r++) {
        dropped += v->runs[r].dropped;
    }
    if (dropped > 0) {
        printf("  %-14s%" PRIu64 " rows beyond the limit of their entities were dropped\n", "trace",
               dropped);
    }
}

/* A text of any number of lines. */
static void print_lines(const char *label, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        printf("  %-14s%.*s\n", label, length, text);
        text += length + (text[length] == '\n');
        label = "";
    }
}

void inspect_print_head(const struct view *v)
{
    const struct results *r = &v->results;
    const struct results_meta *m = &r->meta;
    printf("%s (%s)\n", m->name, v->path);
    if (m->end != SIM_TIME_NEVER && m->warmup == SIM_TIME_NEVER) {
        printf(
            "  %-14s%s of simulated time in each replication, of which a warm-up was found out\n",
            "observed", units_write_duration(m->end).text);
    } else if (m->end != SIM_TIME_NEVER) {
        printf("  %-14s%s", "observed", units_write_duration(m->end - m->warmup).text);
        printf(" of simulated time in each replication%s%s\n",
               m->warmup > 0 ? ", after a warm-up of " : "",
               m->warmup > 0 ? units_write_duration(m->warmup).text : "");
    }
    print_lines("changed", m->overrides);
    printf("  %-14s%" PRIu64 "\n", "seed", m->seed);
    printf("  %-14s%s (%s), %s\n", "software", m->software, m->git, r->created);
    print_lines("parallel", m->parallel);
    printf("  %-14s%s\n", "digest", r->digest);
    if (m->n_points > 1) {
        printf("  %-14s%" PRIu64 "\n", "points", m->n_points);
    }
}

void inspect_print_foot(const struct inspect_options *o, const struct notes *notes)
{
    if (notes->figures || notes->shares || notes->left_out > 0 || notes->rows) {
        puts("");
    }
    if (notes->rows) {
        puts("--point N shows all there is of a point, --stat other figures of each.");
    }
    if (notes->shares) {
        printf("Shares are of replications, with their %g %% confidence intervals (Wilson).\n",
               100.0 * o->confidence);
    }
    if (notes->left_out > 0) {
        printf("Statistics left out because they are zero throughout: %" PRIu64
               " (--all shows them).\n",
               notes->left_out);
    }
    if (!notes->figures) {
        return;
    }
    printf("Counts and means are averages over replications, ± half their %g %% confidence "
           "intervals\n(Student's t). Quantiles are of all values; their ± comes from how far the "
           "replications' own\nlie from them, and is at least the error of the histogram's "
           "buckets.\n",
           100.0 * o->confidence);
    if (notes->none) {
        puts("- stands where there were no values, or where their histogram was not kept.");
    }
    if (notes->unknown) {
        puts(notes->pairs
                 ? "±? is unknown: it takes two pairs of replications with such values to tell."
                 : "±? is unknown: it takes two replications with such values to tell.");
    }
    if (notes->thin) {
        puts("* marks quantiles of too few values: the true one may well be further out.");
    }
}
