/* SPDX-License-Identifier: Apache-2.0 */
#include "model/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/form.h"
#include "engine/target.h"
#include "model/graph_draft.h"

bool draft_find(struct draft *d, const struct name_ref *ref, struct name_range *range)
{
    struct named named;
    if (!names_find(&d->names, ref, d->diag, &named)) {
        return false;
    }
    range->group = named.group;
    range->first = named.first;
    range->count = named.count;
    range->at = ref->at;
    return true;
}

static void place_groups(struct draft *d)
{
    uint64_t n = 0;
    const struct study *s = d->study;
    d->groups = arena_take(&d->study->memory, s->n_groups * sizeof *d->groups);
    d->names.groups = d->groups;
    for (uint32_t g = 0; g < s->n_groups; g++) {
        const struct study_group *from = &s->groups[g];
        bool indexed = from->settings.count != STUDY_SINGLE;
        uint64_t count = indexed && from->params ? (uint64_t)from->settings.count : 1;
        d->groups[g] = (struct group_plan){.name = from->name,
                                           .type = from->type,
                                           .params = from->params,
                                           .first = (entity_id)n,
                                           .count = (uint32_t)count,
                                           .indexed = indexed};
        n += count;
        if (n >= UINT32_MAX) {
            diag_error_key(d->diag, from->at, "more than %u entities", UINT32_MAX - 1);
            n = 0;
        }
    }
    d->n_entities = n;
}

/* Walking the rows of a type for targets, and along with them the nodes they were read from, which
 * are NULL where a default was. */
struct walk {
    struct draft *draft;
    uint32_t group;
    struct port_draft *first, *last;
    uint32_t ports;
};

static void walk_rows(struct walk *w, const struct param_spec *rows, unsigned char *base,
                      const struct form *form, bool common);

static int by_first(const void *a, const void *b)
{
    const struct name_range *x = *(const struct name_range *const *)a;
    const struct name_range *y = *(const struct name_range *const *)b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const struct name_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* Sorted by place, two names overlap exactly when neighbours do. */
static void refuse_twice(struct draft *d, const struct port_draft *p)
{
    const struct name_range **sorted = malloc((p->n_ranges + 1) * sizeof *sorted);
    CHECK(sorted, "out of memory (%u names)", p->n_ranges);
    for (uint32_t i = 0; i < p->n_ranges; i++) {
        sorted[i] = &p->ranges[i];
    }
    qsort(sorted, p->n_ranges, sizeof *sorted, by_first);
    for (uint32_t i = 1, widest = 0; i < p->n_ranges; i++) {
        const struct name_range *a = sorted[widest], *b = sorted[i];
        if (b->first - a->first < a->count) {
            diag_error(d->diag, a > b ? a->at : b->at, "this entity is named twice");
        }
        widest = b->first + b->count > a->first + a->count ? i : widest;
    }
    free(sorted);
}

/* Between them, cells leave the fewest to choose from where the groups do not divide evenly. */
static uint64_t least_in_a_cell(const struct port_draft *p, uint64_t cells)
{
    uint64_t least = UINT64_MAX;
    for (uint64_t cell = 0; cell < cells; cell++) {
        uint64_t n = 0;
        for (uint32_t r = 0; r < p->n_ranges; r++) {
            n += draft_in_cell(&p->ranges[r], cells, cell).count;
        }
        least = n < least ? n : least;
    }
    return least;
}

/* False when one of the groups, which is told, has not that many instances. */
static bool divides(struct draft *d, const struct port_draft *p, uint32_t group,
                    const struct node *at)
{
    const char *whom = d->groups[group].name;
    uint32_t count = d->groups[group].count;
    for (uint32_t r = 0; r < p->n_ranges; r++) {
        if (p->ranges[r].count < count) {
            whom = p->target->to.items[r].name.name;
            count = p->ranges[r].count;
        }
    }
    if ((uint64_t)p->target->cells > count) {
        diag_error(d->diag, at, "more cells than there are of '%s' (%" PRIu32 ")", whom, count);
    }
    return (uint64_t)p->target->cells <= count;
}

/* Refuses more cells than instances, and to pick more than there are. Not called where a name or a
 * count is not known, which was reported. */
static void check_choice(struct draft *d, const struct port_draft *p, uint32_t group,
                         const struct node *at)
{
    const struct target *t = p->target;
    if (!divides(d, p, group, node_child(at, "cells")) || t->pick == TARGET_ALL) {
        return;
    }
    uint64_t least = least_in_a_cell(p, (uint64_t)t->cells);
    if ((uint64_t)t->pick > least) {
        diag_error(d->diag, node_child(at, "pick"), "more than %s to pick from (%" PRIu64 ")",
                   t->cells > 1 ? "the smallest cell has" : "there are", least);
    }
}

static void visit_target(struct walk *w, struct target *target, const struct node *at,
                         bool required)
{
    struct draft *d = w->draft;
    struct port_draft *p = arena_take(&d->scratch, sizeof *p);
    p->target = target;
    p->ranges = arena_take(&d->scratch, target->to.count * sizeof *p->ranges);
    bool known = true; /* how many there are of everyone named */
    for (uint32_t i = 0; i < target->to.count; i++) {
        const struct name_ref *ref = &target->to.items[i].name;
        struct name_range *r = &p->ranges[p->n_ranges];
        if (!draft_find(d, ref, r)) {
            known = false;
            continue;
        }
        const struct study_group *to = &d->study->groups[r->group];
        if (r->group == w->group && !to->type->peers) {
            diag_error(d->diag, ref->at, "'%s' would call itself", to->name);
            continue;
        }
        if (to->type && !to->type->answers) {
            diag_error(d->diag, ref->at, "'%s' is a %s, which answers no requests", to->name,
                       to->type->name);
            continue;
        }
        if (to->type && target->connects && !to->type->connects) {
            diag_error(d->diag, ref->at, "'%s' is a %s, which has no connections to give", to->name,
                       to->type->name);
        }
        known = known && to->params;
        p->n_ranges++;
    }
    if (target->to.count == 0 && required) {
        diag_error(d->diag, at ? at : d->study->groups[w->group].at, "nobody is named");
    }
    refuse_twice(d, p);
    if (known && p->n_ranges == target->to.count) {
        check_choice(d, p, w->group, at);
        draft_read_edges(d, p, target, w->group, at);
    }
    if (target->pick != TARGET_ALL) {
        qsort(p->ranges, p->n_ranges, sizeof *p->ranges, by_place);
    }
    target->port = (uint16_t)w->ports++;
    *(w->last ? &w->last->next : &w->first) = p;
    w->last = p;
}

static void walk_schema(struct walk *w, const struct schema *schema, void *base,
                        const struct node *at, bool required)
{
    struct form form = {.rows = schema->rows};
    if (schema->kinds != KINDS_NONE) {
        draft_add_kind(w->draft, base, at, schema->kinds == KINDS_GIVEN);
    }
    if (schema == &target_schema) {
        visit_target(w, base, at, required);
    } else {
        form = at ? form_of_block(schema, at) : form;
        walk_rows(w, schema->rows, base, &form, false);
    }
}

static void walk_items(struct walk *w, const struct param_spec *row, const struct list *list,
                       const struct node *at)
{
    bool bare = at && row->kind == PARAM_LIST && !form_is_items(row->schema, at);
    unsigned char *items = list->items;
    const struct node *item = at && !bare ? at->first : at;
    for (uint32_t i = 0; i < list->count; i++) {
        walk_schema(w, row->schema, items + i * row->schema->size, item, true);
        item = item ? item->next : NULL;
    }
}

static void walk_choice(struct walk *w, const struct choice *choice, unsigned char *base,
                        const struct node *at)
{
    int tag;
    memcpy(&tag, base + choice->tag_offset, sizeof tag);
    const struct alternative *a = choice->alternatives;
    while (a->tag != tag) {
        a++;
        CHECK(a->name, "no alternative of '%s' has the tag %d", choice->name, tag);
    }
    struct form form = {.rows = NULL};
    form = at ? form_of_choice(choice, at) : form;
    form.rows = a->rows;
    if (a->rows) {
        walk_rows(w, a->rows, base, &form, false);
    }
    if (choice->common) {
        walk_rows(w, choice->common, base, &form, true);
    }
}

static void walk_rows(struct walk *w, const struct param_spec *rows, unsigned char *base,
                      const struct form *form, bool common)
{
    for (const struct param_spec *row = rows; row->name; row++) {
        unsigned char *member = base + row->offset;
        const struct node *at = form_value(form, row, common);
        if (row->kind == PARAM_BLOCK) {
            walk_schema(w, row->schema, member, at, !row->fallback);
        } else if (row->kind == PARAM_LIST || row->kind == PARAM_MAP) {
            walk_items(w, row, (const struct list *)(const void *)member, at);
        } else if (row->kind == PARAM_CHOICE) {
            walk_choice(w, row->choice, member, at);
        }
    }
}

static void find_ports(struct draft *d)
{
    d->ports = arena_take(&d->scratch, d->study->n_groups * sizeof *d->ports);
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        const struct study_group *from = &d->study->groups[g];
        if (!from->params) {
            continue;
        }
        struct walk w = {.draft = d, .group = g};
        const struct form form = {.keys = from->at, .rows = from->type->params->rows};
        walk_rows(&w, form.rows, from->params, &form, false);
        d->ports[g] = w.first;
        d->groups[g].ports = (uint16_t)w.ports;
        if (w.ports > UINT16_MAX) {
            diag_error_key(d->diag, from->at, "more than %u targets", UINT16_MAX);
        }
    }
}

static void find_called(struct draft *d)
{
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        for (const struct port_draft *p = d->ports[g]; p; p = p->next) {
            for (uint32_t r = 0; r < p->n_ranges; r++) {
                d->called[p->ranges[r].group] = true;
            }
        }
    }
}

/* Types that answer no requests make some by themselves, and so do peers. */
static bool asks(const struct entity_type *type)
{
    return !type->answers || type->peers;
}

/* Warns of those who wait for requests in vain. Were there no types that ask, the others could be
 * anything. */
static void check_called(struct draft *d)
{
    bool known = false, asked = false;
    for (const struct entity_type *const *t = d->study->registry; *t; t++) {
        known = known || asks(*t);
    }
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        asked = asked || asks(d->study->groups[g].type);
    }
    if (!known) {
        return;
    }
    if (!asked) {
        diag_warning(d->diag, d->study->blocks.entities, "nobody here makes requests by itself");
        return;
    }
    for (uint32_t g = 0; g < d->study->n_groups; g++) {
        const struct study_group *group = &d->study->groups[g];
        if (group->type->answers && !d->called[g]) {
            diag_warning(d->diag, group->at, "nobody calls this");
        }
    }
}

static bool listed(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0) {
        names++;
    }
    return *names;
}

/* By default: whoever is called by nobody (they make the load), and whoever the timeline names;
 * of the points of a sweep, at any of these. */
static void default_series(struct draft *d)
{
    struct study *s = d->study;
    struct study_output *o = &s->settings.output;
    o->series.items = arena_take(&s->memory, s->n_groups * sizeof *o->series.items);
    o->series.count = 0;
    for (uint32_t g = 0; g < s->n_groups; g++) {
        bool keeps =
            s->series ? listed(s->groups[g].name, s->series) : d->named[g] || !d->called[g];
        if (keeps) {
            o->series.items[o->series.count++].name =
                (struct name_ref){.name = s->groups[g].name, .at = s->groups[g].at};
        }
    }
}

static void choose_series(struct draft *d)
{
    const struct study_settings *s = &d->study->settings;
    const struct node *written = node_child(node_child(d->study->root, "output"), "series");
    if (s->interval == SIM_TIME_NEVER && s->output.series.count > 0) {
        diag_warning(d->diag, written, "without an interval nobody keeps series");
    }
    if (s->interval != SIM_TIME_NEVER && !written) {
        default_series(d);
    }
    for (uint32_t i = 0; i < s->output.series.count; i++) {
        struct name_range range;
        if (draft_find(d, &s->output.series.items[i].name, &range)) {
            d->groups[range.group].sampled = s->interval != SIM_TIME_NEVER;
        }
    }
}

/* Requests fail or succeed at those who await answers. Peers only pass things on. */
static bool judges(const struct draft *d, uint32_t group)
{
    const struct study_group *g = &d->study->groups[group];
    return g->params && d->groups[group].ports > 0 && !g->type->peers;
}

/* Refuses to watch who has no outcomes, or no sources that could be stopped. */
static void check_watched(struct draft *d, const struct failure_budget *b,
                          const struct name_ref *ref, uint32_t group)
{
    const struct study_group *g = &d->study->groups[group];
    if (!g->params) {
        return; /* That was reported. */
    }
    if (!judges(d, group)) {
        diag_error(d->diag, ref->at, "'%s' makes no requests that could fail", g->name);
    } else if (b->action == BUDGET_STOP_SOURCES && g->type->answers) {
        diag_error(d->diag, ref->at, "'%s' is a %s, which has no sources to stop", g->name,
                   g->type->name);
    }
}

/* By default: whoever makes requests and is called by nobody. */
static void default_watched(struct draft *d, struct failure_budget *b)
{
    struct study *s = d->study;
    b->entities.items = arena_take(&s->memory, s->n_groups * sizeof *b->entities.items);
    for (uint32_t g = 0; g < s->n_groups; g++) {
        if (judges(d, g) && !d->called[g] && !s->groups[g].type->answers) {
            b->entities.items[b->entities.count++].name =
                (struct name_ref){.name = s->groups[g].name};
        }
    }
}

static void place_budget(struct draft *d)
{
    struct study *s = d->study;
    if (s->settings.failure_budget.count == 0) {
        return;
    }
    struct failure_budget *b = s->settings.failure_budget.items;
    const struct node *at = node_child(d->study->root, "failure_budget");
    if (b->entities.count == 0) {
        default_watched(d, b);
    }
    if (b->entities.count == 0) {
        diag_error(d->diag, at, "nobody here makes requests that could fail");
    }
    struct entity_range *watched = arena_take(&s->memory, b->entities.count * sizeof *watched);
    for (uint32_t i = 0; i < b->entities.count; i++) {
        struct name_range range;
        if (draft_find(d, &b->entities.items[i].name, &range)) {
            check_watched(d, b, &b->entities.items[i].name, range.group);
            watched[i] = (struct entity_range){range.first, range.count};
        }
    }
    /* A duration that could not be read is 0, and was reported. */
    if (s->settings.duration > 0 && b->from > s->settings.duration) {
        diag_warning(d->diag, at, "this is in force only after the end of the run");
    }
    s->blueprint.budget =
        (struct budget_plan){.policy = b, .watched = watched, .n_watched = b->entities.count};
}

static bool has_breakdowns(const struct entity_type *type)
{
    const struct stat_spec *row = type->stats;
    while (row && row->name && row->kind != STAT_BREAKDOWN) {
        row++;
    }
    return row && row->name;
}

static void choose_observed(struct draft *d)
{
    const struct study_output *o = &d->study->settings.output;
    struct name_range range;
    for (uint32_t i = 0; i < o->breakdowns.count; i++) {
        const struct name_ref *name = &o->breakdowns.items[i].name;
        if (!draft_find(d, name, &range)) {
            continue;
        }
        struct group_plan *g = &d->groups[range.group];
        g->breakdowns = true;
        if (g->type && !has_breakdowns(g->type)) {
            diag_warning(d->diag, name->at, "the type %s has no breakdowns to keep", g->type->name);
        }
    }
    for (uint32_t i = 0; i < o->trace.entities.count; i++) {
        if (draft_find(d, &o->trace.entities.items[i].name, &range)) {
            d->groups[range.group].traced = true;
        }
    }
}

void graph_draw(struct study *s, bool bound, struct diag *diag)
{
    struct draft d = {.study = s, .diag = diag};
    size_t errors = diag->errors;
    names_open(&d.names, s, &d.scratch);
    d.named = arena_take(&d.scratch, s->n_groups * sizeof *d.named);
    d.called = arena_take(&d.scratch, s->n_groups * sizeof *d.called);
    place_groups(&d);
    find_ports(&d);
    find_called(&d);
    draft_place_actions(&d);
    place_budget(&d);
    choose_series(&d);
    choose_observed(&d);
    draft_check_patterns(&d);
    if (bound && diag->errors == errors) {
        draft_number_kinds(&d);
    }
    if (bound && diag->errors == errors) {
        draft_open_rules(&d);
        draft_count_wires(&d);
    }
    if (bound && diag->errors == errors) {
        draft_lay_wires(&d);
        draft_find_cycles(&d);
        draft_check_rules(&d);
        draft_check_links(&d);
        check_called(&d);
    }
    draft_close_rules(&d);
    draft_drop_edges(&d);
    free(d.kinds);
    free(d.links_at);
    arena_close(&d.scratch);
}
