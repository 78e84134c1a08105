/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of edges: a line for each pair, its cells divided by commas, the columns named by the
 * first line. Empty lines and those that begin with # are passed over.
 *
 *   from,to,latency
 *   users[17],web[3],250us
 *   18,3,
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "model/graph_draft.h"
#include "rng/dist_table.h"

enum column { COLUMN_FROM, COLUMN_TO, COLUMN_LATENCY, COLUMNS };

enum { FAULTS_TOLD = 20 }; /* of a table */

static const char *const column_words[COLUMNS] = {"from", "to", "latency"};

struct reading {
    struct diag *diag;
    struct arena scratch; /* owned */
    const char *file;     /* NULL: the lines stand at `at` */
    const struct node *at;
    const struct group_plan *from, *to;
    int column[COLUMNS]; /* where each stands; -1: nowhere */
    int columns;         /* cells of a line */
    bool headed;
    size_t most;
    struct edge_table *table;
};

/* Tells what is wrong with a line. */
static void refuse_line(struct reading *r, int line, const char *text)
{
    if (r->file) {
        diag_error_place(r->diag, r->file, line, 1, "%s", text);
    } else {
        diag_error(r->diag, r->at, "line %d: %s", line, text);
    }
}

/* The next cell of a line without the spaces around it, cut off in place; NULL after the last. */
static char *next_cell(char **rest)
{
    static const char spaces[] = " \t\r\n";
    char *cell = *rest;
    if (!cell) {
        return NULL;
    }
    char *comma = strchr(cell, ',');
    *rest = comma ? comma + 1 : NULL;
    char *end = comma ? comma : cell + strlen(cell);
    cell += strspn(cell, spaces);
    while (end > cell && strchr(spaces, end[-1])) {
        end--;
    }
    *end = '\0';
    return cell;
}

/* What is wrong with the first line, or NULL. */
static const char *read_head(struct reading *r, char *line)
{
    char *cell;
    while ((cell = next_cell(&line))) {
        int c = 0;
        while (c < COLUMNS && strcmp(cell, column_words[c]) != 0) {
            c++;
        }
        if (c == COLUMNS) {
            return arena_format(&r->scratch, "%s is no column (expected from, to and latency)",
                                units_quote(cell, &r->scratch));
        }
        if (r->column[c] >= 0) {
            return arena_format(&r->scratch, "two columns called '%s'", cell);
        }
        r->column[c] = r->columns++;
    }
    if (r->column[COLUMN_FROM] < 0 || r->column[COLUMN_TO] < 0) {
        return "expected the columns 'from' and 'to'";
    }
    return NULL;
}

/* Reads "17", "web[17]", or "web" when there is one without an index; returns what is wrong. */
static const char *read_instance(struct reading *r, const char *cell, const struct group_plan *g,
                                 uint32_t *place)
{
    size_t length = strlen(g->name);
    const char *digits = cell, *end = "";
    if (!g->indexed && strcmp(cell, g->name) == 0) {
        *place = 0;
        return NULL;
    }
    if (g->indexed && strncmp(cell, g->name, length) == 0 && cell[length] == '[') {
        digits = cell + length + 1;
        end = "]";
    }
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 18 || strcmp(digits + n, end) != 0) {
        return arena_format(&r->scratch, "%s is neither a number nor one of '%s'",
                            units_quote(cell, &r->scratch), g->name);
    }
    uint64_t index = strtoull(digits, NULL, 10);
    if (index >= g->count) {
        return arena_format(&r->scratch, "there is no %s[%" PRIu64 "], the last is %s[%" PRIu32 "]",
                            g->name, index, g->name, g->count - 1);
    }
    *place = (uint32_t)index;
    return NULL;
}

static const char *read_latency(struct reading *r, const char *cell, sim_time *latency)
{
    *latency = SIM_TIME_NEVER;
    if (!cell || !*cell) {
        return NULL;
    }
    const char *fault = units_read_duration(cell, &r->scratch, latency);
    if (fault) {
        return fault;
    }
    return *latency < 0                      ? "the latency is below 0"
           : (double)*latency > DIST_LONGEST ? "the latency is above 104 days"
                                             : NULL;
}

static const char *read_edge(struct reading *r, char *line, struct edge *e)
{
    char *cells[COLUMNS] = {NULL}, *cell;
    int n = 0;
    for (; (cell = next_cell(&line)); n++) {
        for (int c = 0; c < COLUMNS; c++) {
            cells[c] = r->column[c] == n ? cell : cells[c];
        }
    }
    if (n != r->columns) {
        return arena_format(&r->scratch, "expected %d cells, found %d", r->columns, n);
    }
    const char *fault = read_instance(r, cells[COLUMN_FROM], r->from, &e->from);
    fault = fault ? fault : read_instance(r, cells[COLUMN_TO], r->to, &e->to);
    return fault ? fault : read_latency(r, cells[COLUMN_LATENCY], &e->latency);
}

static void add_edge(struct reading *r, struct edge e)
{
    struct edge_table *t = r->table;
    if (t->n == r->most) {
        r->most = r->most ? 2 * r->most : 1024;
        t->items = realloc(t->items, r->most * sizeof *t->items);
        CHECK(t->items, "out of memory for %zu edges", r->most);
    }
    t->items[t->n++] = e;
}

/* Spreadsheets write a mark (U+FEFF) before the first line of a text. */
static char *skip_mark(char *text)
{
    static const char mark[] = "\xEF\xBB\xBF";
    return strncmp(text, mark, sizeof mark - 1) == 0 ? text + sizeof mark - 1 : text;
}

static void read_lines(struct reading *r, FILE *in)
{
    char *text = NULL;
    size_t size = 0;
    int faults = 0;
    for (int line = 1; getline(&text, &size, in) >= 0; line++) {
        char *start = line == 1 ? skip_mark(text) : text;
        start += strspn(start, " \t\r\n");
        if (*start == '\0' || *start == '#') {
            continue;
        }
        struct edge e = {.line = line};
        const char *fault = r->headed ? read_edge(r, start, &e) : read_head(r, start);
        if (fault) {
            refuse_line(r, line, fault);
        } else if (r->headed) {
            add_edge(r, e);
        }
        if (fault && !r->headed) {
            break; /* Without its columns nothing can be read. */
        }
        if (fault && ++faults == FAULTS_TOLD) {
            refuse_line(r, line, "more lines may be wrong; these are the first");
            break;
        }
        r->headed = true;
    }
    if (ferror(in)) {
        diag_error_place(r->diag, r->file, 0, 0, "cannot be read: %s", strerror(errno));
    }
    free(text);
}

static int by_pair(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    return x->to != y->to ? (x->to < y->to ? -1 : 1) : (x->line > y->line) - (x->line < y->line);
}

/* Finds each caller's edges; refuses pairs that stand there twice, and callers that have none. */
static void sort_edges(struct reading *r, struct arena *arena)
{
    struct edge_table *t = r->table;
    if (t->n > 0) {
        qsort(t->items, t->n, sizeof *t->items, by_pair);
    }
    t->start = arena_take(arena, (r->from->count + (size_t)1) * sizeof *t->start);
    for (size_t i = 0; i < t->n; i++) {
        const struct edge *e = &t->items[i];
        t->start[e->from + 1] = i + 1;
        if (i > 0 && e->from == e[-1].from && e->to == e[-1].to) {
            refuse_line(r, e->line,
                        arena_format(&r->scratch, "the same pair as in line %d", e[-1].line));
        }
    }
    uint32_t first = UINT32_MAX, idle = 0;
    for (uint32_t i = 0; i < r->from->count; i++) {
        if (t->start[i + 1] == 0) {
            t->start[i + 1] = t->start[i];
            first = idle++ == 0 ? i : first;
        }
    }
    const char *name = r->from->indexed
                           ? arena_format(&r->scratch, "%s[%" PRIu32 "]", r->from->name, first)
                           : r->from->name;
    if (idle == 1) {
        diag_error(r->diag, r->at, "%s has no edge", name);
    } else if (idle > 1) {
        diag_error(r->diag, r->at, "%" PRIu32 " callers have no edge, the first is %s", idle, name);
    }
}

/* The table in the words of the program, so that whoever reads the resolved text needs no file. */
static const char *write_edges(const struct edge_table *t, struct arena *arena)
{
    bool latencies = false;
    for (size_t i = 0; i < t->n; i++) {
        latencies = latencies || t->items[i].latency != SIM_TIME_NEVER;
    }
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK(out, "out of memory");
    fputs(latencies ? "from,to,latency\n" : "from,to\n", out);
    for (size_t i = 0; i < t->n; i++) {
        const struct edge *e = &t->items[i];
        fprintf(out, "%" PRIu32 ",%" PRIu32, e->from, e->to);
        if (latencies) {
            fprintf(out, ",%s",
                    e->latency == SIM_TIME_NEVER ? "" : units_write_duration(e->latency).text);
        }
        putc('\n', out);
    }
    CHECK(fclose(out) == 0, "out of memory");
    const char *copy = arena_text(arena, text, size);
    free(text);
    return copy;
}

/* A table leaves nothing to choose, and its numbers are those of one group. */
static bool check_alone(struct draft *d, const struct target *t, const struct node *at)
{
    size_t errors = d->diag->errors;
    if (t->to.count != 1 || strchr(t->to.items[0].name.name, '[')) {
        diag_error(d->diag, node_child(at, "to"), "a graph needs exactly one group here");
    }
    if (t->pick != TARGET_ALL) {
        diag_error_key(d->diag, node_child(at, "pick"), "excluded by 'graph' beside it");
    }
    if (t->cells != 1) {
        diag_error_key(d->diag, node_child(at, "cells"), "excluded by 'graph' beside it");
    }
    return d->diag->errors == errors;
}

static FILE *open_table(struct reading *r, const struct target_graph *g, struct arena *arena)
{
    if (g->file[0] && g->edges[0]) {
        diag_error(r->diag, r->at, "needs either a file or edges");
        return NULL;
    }
    if (g->edges[0]) {
        FILE *in = fmemopen((void *)(uintptr_t)g->edges, strlen(g->edges), "r");
        CHECK(in, "out of memory");
        return in;
    }
    r->file = node_path(r->at, g->file, arena);
    FILE *in = fopen(r->file, "r");
    if (!in) {
        diag_error(r->diag, r->at, "cannot open '%s': %s", r->file, strerror(errno));
    }
    return in;
}

void draft_read_edges(struct draft *d, struct port_draft *p, struct target *target, uint32_t group,
                      const struct node *at)
{
    struct target_graph *g = &target->graph;
    if ((!g->file[0] && !g->edges[0]) || !check_alone(d, target, at)) {
        return;
    }
    struct reading r = {.diag = d->diag,
                        .at = node_child(at, "graph"),
                        .from = &d->groups[group],
                        .to = &d->groups[p->ranges->group],
                        .column = {-1, -1, -1},
                        .table = arena_take(&d->scratch, sizeof *r.table)};
    size_t errors = d->diag->errors;
    FILE *in = open_table(&r, g, &d->scratch);
    if (in) {
        p->edges = r.table;
        read_lines(&r, in);
        fclose(in);
    }
    if (in && d->diag->errors == errors) {
        sort_edges(&r, &d->scratch);
        g->file = "";
        g->edges = write_edges(r.table, &d->study->memory);
    }
    arena_close(&r.scratch);
}

void draft_drop_edges(struct draft *d)
{
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        for (struct port_draft *p = d->ports[g]; p; p = p->next) {
            free(p->edges ? p->edges->items : NULL);
        }
    }
}
