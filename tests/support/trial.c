/* SPDX-License-Identifier: Apache-2.0 */
#include "support/trial.h"

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/probe.h"

/* What follows the reading of the study. */
static void begin(struct trial *t, struct diag *diag)
{
    if (!t->study) {
        diag_print(diag, stderr, 0);
    }
    diag_close(diag);
    assert_non_null(t->study);
    struct sim_options options = study_options(t->study);
    t->sim = sim_open(&t->study->blueprint, &options);
}

void trial_open_list(struct trial *t, const char *format, va_list args)
{
    char text[65536];
    int length = vsnprintf(text, sizeof text, format, args);
    assert_in_range(length, 1, sizeof text - 1);
    struct diag diag = {0};
    t->study = study_parse("trial", text, (size_t)length, NULL, probe_registry(), &diag);
    if (!t->study) {
        fprintf(stderr, "%s\n", text);
    }
    begin(t, &diag);
}

void trial_open(struct trial *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    trial_open_list(t, format, args);
    va_end(args);
}

void trial_load(struct trial *t, const char *path, const char *const *overrides)
{
    char whole[512];
    int length = snprintf(whole, sizeof whole, "%s/%s", SQUALL_SOURCE, path);
    assert_in_range(length, 1, sizeof whole - 1);
    struct diag diag = {0};
    t->study = study_load(whole, overrides, probe_registry(), &diag);
    begin(t, &diag);
}

void trial_close(struct trial *t)
{
    sim_close(t->sim);
    study_close(t->study);
}

void trial_begin(struct trial *t, uint64_t replication, sim_time limit)
{
    sim_reset(t->sim, (uint64_t)t->study->settings.seed, replication);
    assert_true(sim_run_until(t->sim, limit, 0));
}

void trial_end(struct trial *t)
{
    assert_true(sim_run_until(t->sim, SIM_TIME_NEVER, 0));
    sim_finish(t->sim);
}

void trial_run(struct trial *t, uint64_t replication)
{
    trial_begin(t, replication, SIM_TIME_NEVER);
    if (sim_went_beyond(t->sim)) { /* the end that a failure budget made; see sim_shorten */
        sim_time end = sim_end(t->sim);
        trial_begin(t, replication, 0);
        sim_shorten(t->sim, end);
    }
    trial_end(t);
}

/* The entities that a name of `length` letters means: an instance, or all of a group. */
static uint32_t find(const struct trial *t, const char *name, size_t length, entity_id *first)
{
    const struct blueprint *b = &t->study->blueprint;
    for (uint32_t g = 0; g < b->n_groups; g++) {
        const struct group_plan *p = &b->groups[g];
        if (strlen(p->name) == length && memcmp(p->name, name, length) == 0) {
            *first = p->first;
            return p->count;
        }
        for (uint32_t i = 0; p->indexed && i < p->count; i++) {
            char text[STUDY_LONGEST_NAME + 16];
            if (blueprint_name(b, p->first + i, text, sizeof text) == (int)length &&
                memcmp(text, name, length) == 0) {
                *first = p->first + i;
                return 1;
            }
        }
    }
    fail_msg("no entity is called %.*s", (int)length, name);
    return 0;
}

entity_id trial_entity(const struct trial *t, const char *name)
{
    entity_id first = 0;
    find(t, name, strlen(name), &first);
    return first;
}

struct range {
    entity_id first;
    uint32_t count;
    size_t offset; /* of the member in the stats */
    uint32_t row;  /* of its description, from 0 */
};

static struct range locate(const struct trial *t, const char *stat, enum stat_kind kind)
{
    const char *dot = strrchr(stat, '.');
    assert_non_null(dot);
    struct range r = {0};
    r.count = find(t, stat, (size_t)(dot - stat), &r.first);
    const struct stat_spec *rows = blueprint_group(&t->study->blueprint, r.first)->type->stats;
    const struct stat_spec *row = rows;
    while (row->name && strcmp(row->name, dot + 1) != 0) {
        row++;
    }
    if (!row->name || row->kind != kind) {
        fail_msg("no such statistic of this kind: %s", stat);
    }
    r.offset = row->offset;
    r.row = (uint32_t)(row - rows);
    return r;
}

static const void *member(const struct trial *t, const struct range *r, uint32_t i)
{
    return (const char *)sim_stats(t->sim, r->first + i) + r->offset;
}

uint64_t trial_counter(const struct trial *t, const char *stat)
{
    struct range r = locate(t, stat, STAT_COUNTER);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < r.count; i++) {
        sum += *(const uint64_t *)member(t, &r, i);
    }
    return sum;
}

int64_t trial_level(const struct trial *t, const char *stat)
{
    struct range r = locate(t, stat, STAT_GAUGE);
    int64_t sum = 0;
    for (uint32_t i = 0; i < r.count; i++) {
        sum += ((const struct gauge *)member(t, &r, i))->level;
    }
    return sum;
}

int64_t trial_most(const struct trial *t, const char *stat)
{
    struct range r = locate(t, stat, STAT_GAUGE);
    assert_int_equal(r.count, 1);
    return ((const struct gauge *)member(t, &r, 0))->max;
}

uint64_t trial_integral(const struct trial *t, const char *stat)
{
    struct range r = locate(t, stat, STAT_GAUGE);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < r.count; i++) {
        sum += gauge_integral(member(t, &r, i), sim_now(t->sim));
    }
    return sum;
}

void trial_histogram(const struct trial *t, const char *stat, struct hist_counts *h)
{
    struct range r = locate(t, stat, STAT_HISTOGRAM);
    for (uint32_t i = 0; i < r.count; i++) {
        hist_counts_add(h, sim_histograms(t->sim), member(t, &r, i));
    }
}

/* The entry of a breakdown under the group of this name and this status, or NULL. */
static const struct breakdown_entry *entry_of(const struct trial *t, const struct breakdown *b,
                                              const char *peer, uint16_t status)
{
    entity_id id = 0;
    const struct blueprint *plan = &t->study->blueprint;
    find(t, peer, strlen(peer), &id);
    const struct breakdown_key key = {(uint32_t)(blueprint_group(plan, id) - plan->groups), status};
    const struct breakdown_entry *e =
        breakdown_next(sim_breakdowns(t->sim), b, breakdown_order(key));
    return e && breakdown_order(e->key) == breakdown_order(key) ? e : NULL;
}

void trial_breakdown(const struct trial *t, const char *stat, const char *peer, uint16_t status,
                     struct hist_counts *h)
{
    struct range r = locate(t, stat, STAT_BREAKDOWN);
    for (uint32_t i = 0; i < r.count; i++) {
        const struct breakdown_entry *e = entry_of(t, member(t, &r, i), peer, status);
        if (e) {
            hist_counts_add(h, sim_histograms(t->sim), &e->values);
        }
    }
}

uint64_t trial_in_interval(const struct trial *t, const char *stat, uint32_t i)
{
    struct range r = locate(t, stat, STAT_COUNTER);
    uint64_t sum = 0;
    for (uint32_t k = 0; k < r.count; k++) {
        uint32_t column = 0;
        const struct series *series = sim_series(t->sim, r.first + k, &column);
        assert_non_null(series);
        sum += series_counter(series, column + r.row, i);
    }
    return sum;
}

uint32_t trial_intervals(const struct trial *t)
{
    const struct sim_options *o = sim_options(t->sim);
    return (uint32_t)((o->end - 1) / o->interval + 1);
}

double trial_seconds(const struct trial *t)
{
    const struct sim_options *o = sim_options(t->sim);
    return (double)(o->end - o->warmup) * 1e-9;
}

static bool same_histogram(const struct trial *ta, const struct histogram *a,
                           const struct trial *tb, const struct histogram *b, bool buckets)
{
    bool same = a->total == b->total && a->sum == b->sum && a->max == b->max &&
                (a->total == 0 || a->min == b->min);
    if (!same || !buckets) {
        return same;
    }
    struct hist_counts *both = calloc(2, sizeof *both);
    assert_non_null(both);
    hist_counts_add(&both[0], sim_histograms(ta->sim), a);
    hist_counts_add(&both[1], sim_histograms(tb->sim), b);
    same = memcmp(both[0].count, both[1].count, sizeof both[0].count) == 0;
    free(both);
    return same;
}

/* Groups are compared by their names. */
static bool same_breakdown(const struct trial *ta, const struct breakdown *a,
                           const struct trial *tb, const struct breakdown *b, bool buckets)
{
    const struct breakdown_pool *pool = sim_breakdowns(ta->sim);
    bool same = breakdown_count(pool, a) == breakdown_count(sim_breakdowns(tb->sim), b);
    const struct breakdown_entry *e = NULL;
    while (same && (e = breakdown_next(pool, a, e ? breakdown_order(e->key) + 1 : 0))) {
        const char *peer = ta->study->blueprint.groups[e->key.group].name;
        const struct breakdown_entry *other = entry_of(tb, b, peer, e->key.status);
        same = other && same_histogram(ta, &e->values, tb, &other->values, buckets);
    }
    return same;
}

static bool same_row(const struct trial *ta, const void *a, const struct trial *tb, const void *b,
                     enum stat_kind kind, bool buckets)
{
    if (kind == STAT_COUNTER) {
        return *(const uint64_t *)a == *(const uint64_t *)b;
    }
    if (kind == STAT_HISTOGRAM) {
        return same_histogram(ta, a, tb, b, buckets);
    }
    if (kind == STAT_BREAKDOWN) {
        return same_breakdown(ta, a, tb, b, buckets);
    }
    const struct gauge *x = a, *y = b;
    return x->level == y->level && x->max == y->max && x->integral == y->integral &&
           x->since == y->since;
}

bool trial_same(const struct trial *a, const struct trial *b, const char *group, bool buckets)
{
    entity_id x = 0, y = 0;
    uint32_t n = find(a, group, strlen(group), &x), m = find(b, group, strlen(group), &y);
    const struct stat_spec *rows = blueprint_group(&a->study->blueprint, x)->type->stats;
    if (n != m || rows != blueprint_group(&b->study->blueprint, y)->type->stats) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *p = sim_stats(a->sim, x + i), *q = sim_stats(b->sim, y + i);
        for (const struct stat_spec *row = rows; row->name; row++) {
            if (!same_row(a, p + row->offset, b, q + row->offset, row->kind, buckets)) {
                print_message("%s.%s differs\n", group, row->name);
                return false;
            }
        }
    }
    return true;
}
