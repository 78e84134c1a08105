/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "cli/plan_division.h"
#include "cli/plan_words.h"
#include "cli/table.h"
#include "experiment/forecast.h"
#include "model/graph.h"
#include "parallel/fans.h"
#include "parallel/lookahead.h"

enum {
    PAIRS_MOST = 8, /* pairs of groups that are named */
    NAME_ROOM = STUDY_LONGEST_NAME + 16
};

/* --- wires -------------------------------------------------------------------------------- */

const char *plan_wire(const struct blueprint *b, wire_id wire, struct arena *arena)
{
    char name[2 * NAME_ROOM];
    blueprint_wire_name(b, wire, name, sizeof name);
    return arena_copy(arena, name);
}

static bool matches(const struct blueprint *b, const char *pattern, entity_id id)
{
    char name[NAME_ROOM];
    blueprint_name(b, id, name, sizeof name);
    return graph_match(pattern, blueprint_group(b, id)->name) || graph_match(pattern, name);
}

/* The rule of the network that decides for a wire, or NULL. */
static const struct network_rule *rule_of(const struct study *s, wire_id wire)
{
    const struct wire_plan *w = &s->blueprint.wires[wire];
    for (uint32_t i = 0; i < s->settings.network.count; i++) {
        const struct network_rule *r = &s->settings.network.items[i];
        if (matches(&s->blueprint, r->from.name, w->from) &&
            matches(&s->blueprint, r->to.name, w->to)) {
            return r;
        }
    }
    return NULL;
}

static sim_time floor_of_rule(const struct network_rule *r)
{
    return wire_floor(&(struct wire_spec){.latency = r->latency, .jitter = r->jitter});
}

const char *plan_place(const struct study *s, wire_id wire, struct arena *arena)
{
    const struct network_rule *r = rule_of(s, wire);
    const struct wire_spec *spec = &s->blueprint.specs[s->blueprint.wires[wire].spec];
    /* Another one comes from a table of edges. */
    if (!r || !r->at || floor_of_rule(r) != wire_floor(spec)) {
        return "";
    }
    return arena_format(arena, "%s:%d", r->at->file, r->at->line);
}

const char *plan_undelayed(const struct study *s, wire_id wire, struct arena *arena)
{
    const struct wire_spec *spec = &s->blueprint.specs[s->blueprint.wires[wire].spec];
    const char *place = plan_place(s, wire, arena);
    if (!rule_of(s, wire)) {
        return "no rule of the network is for it";
    }
    if (dist_is_constant(&spec->latency) && dist_is_constant(&spec->jitter)) {
        return arena_format(arena, "latency 0%s%s", place[0] ? ", " : "", place);
    }
    return arena_format(arena, "may be as short as 0%s%s", place[0] ? ", " : "", place);
}

/* --- what is one piece -------------------------------------------------------------------- */

/* Wires without delay from one group to another within the largest piece. */
struct glue {
    uint32_t from, to; /* places of the groups */
    uint64_t wires;
    wire_id first;
};

static int by_wires(const void *a, const void *b)
{
    const struct glue *x = a, *y = b;
    return x->wires != y->wires ? (x->wires < y->wires) - (x->wires > y->wires)
                                : (x->first > y->first) - (x->first < y->first);
}

/* Wires lie in the order of their senders, so that a group's are found together. */
static struct glue *find_glue(const struct plan_division *p, size_t *n)
{
    const struct blueprint *b = &p->study->blueprint;
    sim_time *floors = spec_floors(b);
    struct glue *all = NULL;
    size_t room = 0, begin = 0;
    *n = 0;
    for (wire_id id = 0; id < b->n_wires; id++) {
        const struct wire_plan *w = &b->wires[id];
        if (floors[w->spec] > 0 || p->pieces.of[w->from] != p->pieces.largest) {
            continue;
        }
        uint32_t from = (uint32_t)(blueprint_group(b, w->from) - b->groups);
        uint32_t to = (uint32_t)(blueprint_group(b, w->to) - b->groups);
        begin = *n > 0 && all[*n - 1].from == from ? begin : *n;
        size_t i = begin;
        while (i < *n && all[i].to != to) {
            i++;
        }
        if (i == room) {
            room = room ? 2 * room : 16;
            all = realloc(all, room * sizeof *all);
            CHECK(all, "out of memory");
        }
        if (i == *n) {
            all[(*n)++] = (struct glue){from, to, 0, id};
        }
        all[i].wires++;
    }
    free(floors);
    if (*n > 0) {
        qsort(all, *n, sizeof *all, by_wires);
    }
    return all;
}

static void print_glue(const struct plan_division *p)
{
    const struct blueprint *b = &p->study->blueprint;
    size_t n;
    struct glue *glue = find_glue(p, &n);
    if (n == 0) {
        free(glue);
        return;
    }
    struct table t = {.rows = NULL};
    table_head(&t, "what joins the largest");
    table_text(&t, "wires");
    table_text(&t, "why");
    for (size_t i = 0; i < n && i < PAIRS_MOST; i++) {
        table_row(&t, arena_format(&t.memory, "%s -> %s", b->groups[glue[i].from].name,
                                   b->groups[glue[i].to].name));
        table_figure(&t, (double)glue[i].wires, NAN, "1", "");
        table_text(&t, plan_undelayed(p->study, glue[i].first, &t.memory));
    }
    puts("");
    table_print(&t, stdout);
    if (n > PAIRS_MOST) {
        printf("  and %zu more pairs of groups\n", n - PAIRS_MOST);
    }
    table_close(&t);
    free(glue);
}

/* --- head --------------------------------------------------------------------------------- */

static const char *percent(double share, struct arena *arena)
{
    double value = 100.0 * share;
    bool small = value > 0.0 && value < 0.05;
    if (share == 0.0) {
        return "0 %";
    }
    return small ? "< 0.1 %" : arena_format(arena, "%.*f %%", value < 9.95 ? 1 : 0, value);
}

static uint64_t count_watched(const struct budget_plan *budget)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < budget->n_watched; i++) {
        n += budget->watched[i].count;
    }
    return n;
}

static void print_pieces(const struct plan_division *p, struct arena *a)
{
    const struct plan_pieces *c = &p->pieces;
    uint32_t n = p->study->blueprint.n_entities;
    const char *label = "pieces", *number = arena_format(a, "%" PRIu32 ": ", c->n);
    if (c->joints > 0) {
        plan_line(label, arena_format(a, "%s%" PRIu32 " wires without delay join entities", number,
                                      c->joints));
        label = number = "";
    }
    uint64_t watched = count_watched(&p->study->blueprint.budget);
    if (watched > 1) {
        plan_line(label, arena_format(a, "%sthe failure budget keeps %" PRIu64 " entities together",
                                      number, watched));
        label = "";
    }
    if (*label) {
        plan_line(label, "as many as entities: every wire takes time");
        return;
    }
    plan_line("", arena_format(
                      a, "the largest has %" PRIu32 " of %" PRIu32 " entities and %s of the events",
                      c->entities, n, percent(c->share, a)));
}

static void print_head(const struct plan_division *p, struct arena *a)
{
    static const char *const sources[] = {
        [PLAN_EXPECTED] = "as expected without retries",
        [PLAN_CALIBRATED] = "without retries, but these are in the time, which was measured",
        [PLAN_PROFILED] = "both measured"};
    const struct blueprint *b = &p->study->blueprint;
    double each = sizeof *b->wires * (double)b->n_wires + sizeof *b->ports * (double)b->n_ports;
    plan_say("%s", p->question->title);
    plan_line("model",
              arena_format(a, "%" PRIu32 " entities in %" PRIu32 " group%s, %" PRIu32 " wire%s",
                           b->n_entities, b->n_groups, b->n_groups == 1 ? "" : "s", b->n_wires,
                           b->n_wires == 1 ? "" : "s"));
    plan_line("events", arena_format(a, "%.3g a simulated second, %.3g ns each (%s)", p->flow.total,
                                     p->machine.event, sources[p->source]));
    plan_line("memory",
              arena_format(a, "%s for wires on every rank; %s for entities, among all ranks",
                           plan_bytes(each, a),
                           plan_bytes(FORECAST_ENTITY_BYTES * (double)b->n_entities, a)));
    print_pieces(p, a);
}

/* --- divisions ---------------------------------------------------------------------------- */

static void print_row(const struct plan_division *p, const struct plan_row *r, struct table *t)
{
    struct arena *a = &t->memory;
    bool cut = r->lookahead != SIM_TIME_NEVER;
    table_row(t, arena_format(a, "%" PRIu32 "%s", r->ranks, r->estimated ? " *" : ""));
    table_figure(t, r->entities, NAN, "1", "");
    table_text(t, percent(r->busiest, a));
    table_figure(t, r->estimated ? NAN : (double)r->cut_wires, NAN, "1", "");
    table_text(t, percent(r->work.remote, a));
    table_text(t, cut ? units_write_duration(r->lookahead).text : "all");
    table_text(
        t, cut ? arena_format(a, r->expected.events < 9.95 ? "%.2g" : "%.0f", r->expected.events)
               : "all");
    table_text(t, percent(r->expected.efficiency, a));
    table_text(t, arena_format(a, "%.3g", r->expected.speedup));
    if (p->ranks > 0) {
        table_text(t, plan_seconds(plan_study_s(p, r->ranks, r->expected.speedup), a));
    }
}

static void print_rows(const struct plan_division *p)
{
    static const char *const heads[] = {"entities",  "events", "cut",        "remote",
                                        "lookahead", "window", "efficiency", "speed-up"};
    enum { HEADS = sizeof heads / sizeof *heads };
    struct table t = {.rows = NULL};
    table_head(&t, "ranks");
    for (int i = 0; i < HEADS; i++) {
        table_text(&t, heads[i]);
    }
    if (p->ranks > 0) {
        table_text(&t, "study");
    }
    bool estimated = false;
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        print_row(p, r, &t);
        estimated |= r->estimated;
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
    plan_say(
        "Entities and events: of the rank that has most. Cut: wires between ranks. Remote: the "
        "share of messages that they carry. Lookahead: how far a rank may run ahead of the "
        "others at a time. Window: how many events it has in that. Efficiency: the speed-up "
        "over the ranks that it takes.%s%s",
        p->ranks > 0 ? " Study: until all replications are done on all ranks." : "",
        estimated ? " A star: estimated from the row before." : "");
}

/* What the lookahead comes from, once for rows in which that is the same. */
static void print_limits(const struct plan_division *p, struct arena *a)
{
    const char *last = "";
    for (const struct plan_row *r = p->rows; r < p->rows + p->n_rows; r++) {
        if (r->limit == WIRE_NONE) {
            continue;
        }
        const char *place = plan_place(p->study, r->limit, a);
        const char *lookahead = arena_copy(a, units_write_duration(r->lookahead).text);
        const char *key = arena_format(a, "%s %s", lookahead, place);
        if (strcmp(key, last) != 0) {
            bool joins = r->components < p->pieces.n;
            plan_say("Lookahead from %" PRIu32 " ranks on: %s, by %s%s%s%s%s%s", r->ranks,
                     lookahead, plan_wire(&p->study->blueprint, r->limit, a), place[0] ? " (" : "",
                     place, place[0] ? ")" : "",
                     joins ? "; no wire is cut that is faster than " : "",
                     joins ? units_write_duration(r->contract).text : "");
        }
        last = key;
    }
}

/* Whether some parts are further apart than others. */
static bool differs(const sim_time *d, uint32_t parts)
{
    bool differs = false;
    for (size_t i = 0; i < (size_t)parts * parts; i++) {
        differs |= i / parts != i % parts && d[i] != d[1];
    }
    return differs;
}

/* How soon parts can affect each other, over other parts as well; on the diagonal, a part itself
 * by way of others (there and back). Of the last division that is small enough; where all are
 * alike, the table of divisions has said it. */
static void print_matrix(const struct plan_division *p)
{
    int last = p->n_rows;
    while (last > 0 && (!p->rows[last - 1].part_of || p->rows[last - 1].limit == WIRE_NONE)) {
        last--;
    }
    if (last == 0) {
        return;
    }
    const struct plan_row *r = &p->rows[last - 1];
    sim_time *d = lookahead_matrix(&p->study->blueprint, r->part_of, r->parts, NULL);
    lookahead_matrix_close(d, r->parts);
    if (!differs(d, r->parts)) {
        free(d);
        return;
    }
    struct table t = {.rows = NULL};
    table_head(&t, "least time from");
    for (uint32_t i = 0; i < r->parts; i++) {
        table_text(&t, arena_format(&t.memory, "to %" PRIu32, i));
    }
    for (uint32_t i = 0; i < r->parts; i++) {
        table_row(&t, arena_format(&t.memory, "rank %" PRIu32 " of %" PRIu32, i, r->parts));
        for (uint32_t j = 0; j < r->parts; j++) {
            sim_time time = d[(size_t)i * r->parts + j];
            table_text(&t, time == SIM_TIME_NEVER ? "-" : units_write_duration(time).text);
        }
    }
    puts("");
    table_print(&t, stdout);
    table_close(&t);
    free(d);
}

void plan_division_print(const struct plan_division *p)
{
    struct arena memory = {0};
    print_head(p, &memory);
    if (p->pieces.joints > 0) {
        print_glue(p);
    }
    if (p->n_rows > 0) {
        print_rows(p);
        print_limits(p, &memory);
        print_matrix(p);
    }
    arena_close(&memory);
}
