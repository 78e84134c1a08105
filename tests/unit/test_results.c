/* SPDX-License-Identifier: Apache-2.0
 *
 * From statistics to a results file and back: records, the writer, the reader, and what other
 * software sees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "results/h5_read.h"
#include "results/layout.h"
#include "results/reader.h"
#include "results/writer.h"
#include "results_study.h"

static char *root, *dir, *file; /* of the test */

static int set_up(void **state)
{
    (void)state;
    root = study_directory();
    return asprintf(&dir, "%s/storm.journal", root) < 0 || asprintf(&file, "%s/storm.h5", root) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(dir);
    free(file);
    study_remove(root);
    return 0;
}

/* Compares what a record says with the statistics it was made of. */
struct comparing {
    const struct sim *run;
    uint64_t numbers;
    uint64_t all_entries, entries, next; /* of breakdowns; of one, and what its next is at least */
    uint32_t instance;
    uint64_t rows, rows_left, dropped; /* of the trace; of one entity */
    entity_id id;
    const struct trace_row *row; /* before */
};

static const void *member_of(const struct comparing *c, const struct record_place *p)
{
    const struct group_plan *g = &study_groups[p->group];
    const char *stats = sim_stats(c->run, g->first + p->instance);
    return stats + g->type->stats[p->row].offset;
}

static const struct series *series_of(const struct comparing *c, const struct record_place *p,
                                      uint32_t *column)
{
    const struct series *s = sim_series(c->run, study_groups[p->group].first + p->instance, column);
    *column += p->row;
    return s;
}

static void compare_counter(void *context, const struct record_place *p, uint64_t value)
{
    struct comparing *c = context;
    c->numbers++;
    if (p->interval == RECORD_WHOLE) {
        assert_true(value == *(const uint64_t *)member_of(c, p));
    } else {
        uint32_t column;
        const struct series *series = series_of(c, p, &column);
        assert_true(value == series_counter(series, column, p->interval));
    }
}

static void compare_gauge(void *context, const struct record_place *p,
                          const struct record_gauge *value)
{
    struct comparing *c = context;
    c->numbers++;
    if (p->interval == RECORD_WHOLE) {
        const struct gauge *g = member_of(c, p);
        assert_true(value->integral == g->integral && value->max == g->max);
    } else {
        int64_t max;
        uint32_t column;
        const struct series *series = series_of(c, p, &column);
        assert_true(value->integral == series_gauge(series, column, p->interval, &max));
        assert_true(value->max == max);
    }
}

static void compare_histogram(void *context, const struct record_place *p,
                              const struct record_histogram *value)
{
    struct comparing *c = context;
    c->numbers++;
    if (p->interval != RECORD_WHOLE) {
        const uint32_t *bin;
        const uint64_t *count;
        uint32_t column;
        const struct series *series = series_of(c, p, &column);
        size_t n = series_histogram(series, column, p->interval, &bin, &count);
        assert_int_equal(value->n, n);
        assert_true(n == 0 || memcmp(bin, value->bin, n * sizeof *bin) == 0);
        assert_true(n == 0 || memcmp(count, value->count, n * sizeof *count) == 0);
        return;
    }
    static struct hist_counts expected;
    memset(&expected, 0, sizeof expected);
    hist_counts_add(&expected, sim_histograms(c->run), member_of(c, p));
    assert_true(value->total == expected.total && value->sum == expected.sum &&
                value->min == expected.min && value->max == expected.max);
    for (uint32_t i = 0; i < value->n; i++) {
        assert_true(value->count[i] == expected.count[value->bin[i]]);
        expected.count[value->bin[i]] = 0;
    }
    for (uint32_t i = 0; i < HIST_BINS; i++) {
        assert_true(expected.count[i] == 0);
    }
}

static void compare_entry(void *context, const struct record_place *p,
                          const struct record_entry *value)
{
    struct comparing *c = context;
    const struct breakdown_pool *pool = sim_breakdowns(c->run);
    uint64_t order = breakdown_order(value->key);
    const struct breakdown_entry *e = breakdown_next(pool, member_of(c, p), order);
    assert_true(p->group == 1 && e && breakdown_order(e->key) == order);
    assert_true(value->values.total == e->values.total && value->values.sum == e->values.sum &&
                value->values.min == e->values.min && value->values.max == e->values.max);
    static struct hist_counts counts;
    memset(&counts, 0, sizeof counts);
    hist_counts_add(&counts, sim_histograms(c->run), &e->values);
    uint64_t total = 0;
    for (uint32_t i = 0; i < value->values.n; i++) {
        assert_true(value->values.count[i] == counts.count[value->values.bin[i]]);
        total += value->values.count[i];
    }
    assert_true(total == counts.total);
    /* In their order, and none left out. */
    c->entries = p->instance == c->instance ? c->entries + 1 : 1;
    c->next = p->instance == c->instance ? c->next : 0;
    c->instance = p->instance;
    assert_true(breakdown_next(pool, member_of(c, p), c->next) == e);
    c->next = order + 1;
    c->all_entries++;
}

static void compare_dropped(void *context, const struct record_place *p, uint64_t n)
{
    struct comparing *c = context;
    c->id = study_groups[p->group].first + p->instance;
    uint64_t dropped;
    c->rows_left = sim_trace_rows(c->run, c->id, &dropped);
    assert_true(n == dropped && c->rows_left <= STUDY_TRACED);
    assert_true(n == 0 || c->rows_left == STUDY_TRACED);
    c->row = NULL;
    c->dropped += n;
}

static void compare_trace(void *context, const struct record_place *p, const struct trace_row *row)
{
    struct comparing *c = context;
    assert_true(c->id == study_groups[p->group].first + p->instance && c->rows_left > 0);
    c->row = sim_trace_next(c->run, c->id, c->row);
    assert_non_null(c->row);
    assert_memory_equal(row, c->row, sizeof *row);
    c->rows_left--;
    c->rows++;
}

static void expect_head(const struct record_head *head, const struct record_head *expected)
{
    assert_true(head->point == expected->point && head->replication == expected->replication);
    assert_true(head->status == expected->status && head->events == expected->events);
    assert_true(head->sim_end == expected->sim_end && head->digest == expected->digest);
    assert_true(head->tripped == expected->tripped);
}

static void test_record(void **state)
{
    (void)state;
    struct sim *run = study_open(false);
    struct buffer record = {0};
    uint64_t entries = 0, rows = 0, dropped = 0;
    for (uint64_t r = 0; r < 50; r++) {
        struct comparing c = {.run = run, .instance = UINT32_MAX};
        struct results_error e = {""};
        struct record_head head, expected = study_head(3, r);
        const struct record_visitor v = {compare_counter,
                                         compare_gauge,
                                         compare_histogram,
                                         compare_entry,
                                         compare_trace,
                                         compare_dropped,
                                         &c};
        study_record(run, 3, r, &record);
        assert_true(record_decode(record.data, record.size, &study_blueprint, &v, &head, &e));
        expect_head(&head, &expected);
        entries += c.all_entries;
        rows += c.rows;
        dropped += c.dropped;
        assert_true(c.rows_left == 0);
        /* Seven entities of four rows, and four intervals of four entities. */
        assert_int_equal(c.numbers, 7 * 4 + 4 * 4 * STUDY_INTERVALS);
        assert_true(record_head_decode(record.data, record.size, &head, &e));
        expect_head(&head, &expected);
    }
    assert_true(entries > 1000 && rows > 500 && dropped > 100);
    buffer_close(&record);
    sim_close(run);
}

static void drop_counter(void *context, const struct record_place *p, uint64_t value)
{
    (void)context;
    (void)p;
    (void)value;
}

static void drop_gauge(void *context, const struct record_place *p, const struct record_gauge *g)
{
    (void)context;
    assert_true(p->row < 5 && g->max >= 0);
}

static void drop_histogram(void *context, const struct record_place *p,
                           const struct record_histogram *h)
{
    uint64_t counted = 0;
    (void)context;
    assert_true(p->group < STUDY_GROUPS && h->n <= HIST_BINS);
    for (uint32_t i = 0; i < h->n; i++) {
        assert_true(h->bin[i] < HIST_BINS && (i == 0 || h->bin[i] > h->bin[i - 1]));
        counted += h->count[i];
    }
    assert_true(h->n == 0 || counted == h->total);
}

static void drop_entry(void *context, const struct record_place *p, const struct record_entry *e)
{
    assert_true(e->key.group < STUDY_GROUPS && e->values.total > 0);
    drop_histogram(context, p, &e->values);
}

static void drop_trace(void *context, const struct record_place *p, const struct trace_row *row)
{
    (void)context;
    assert_true(study_groups[p->group].traced && row->kind < TRACE_KINDS);
    assert_true(row->time >= 0 && row->wait >= 0 && row->total >= 0);
}

static void drop_dropped(void *context, const struct record_place *p, uint64_t n)
{
    (void)context;
    (void)p;
    (void)n;
}

/* Shortened and altered records are refused or hold together, and are never read beyond their
 * end, which the address sanitizer watches: each lies in a block of just its size. */
static void test_hostile_records(void **state)
{
    (void)state;
    struct sim *run = study_open(false);
    struct buffer record = {0};
    struct record_head head;
    const struct record_visitor v = {
        drop_counter, drop_gauge, drop_histogram, drop_entry, drop_trace, drop_dropped, NULL};
    study_record(run, 0, 1, &record);
    for (size_t size = 0; size < record.size; size++) {
        struct results_error e = {""};
        unsigned char *copy = malloc(size + !size);
        memcpy(copy, record.data, size);
        assert_false(record_decode(copy, size, &study_blueprint, &v, &head, &e));
        assert_true(e.text[0]);
        free(copy);
    }
    uint64_t random = 9, accepted = 0;
    for (int round = 0; round < 20000; round++) {
        struct results_error e = {""};
        size_t size = round % 2 ? record.size : study_random(&random) % 300;
        unsigned char *copy = malloc(size + !size);
        for (size_t i = 0; i < size; i++) {
            copy[i] = round % 2 ? record.data[i] : (unsigned char)study_random(&random);
        }
        for (uint64_t k = study_random(&random) % 6; size > 0 && k < 6; k++) {
            copy[study_random(&random) % size] = (unsigned char)study_random(&random);
        }
        if (size > 0 && round % 2 == 0) {
            copy[0] = 3;
        }
        accepted += record_decode(copy, size, &study_blueprint, &v, &head, &e);
        free(copy);
    }
    assert_true(accepted < 20000);
    buffer_close(&record);
    sim_close(run);
}

static void test_other_formats(void **state)
{
    (void)state;
    struct record_head head;
    struct results_error e = {""};
    assert_false(record_head_decode("\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15, &head, &e));
    assert_string_equal(e.text, "a replication was recorded by a newer squall: record format 4, "
                                "this program reads 3");
    e.text[0] = '\0';
    assert_false(record_head_decode("\x01\0\0\0\0\0\0\0\0\0\0\0\0\0", 14, &head, &e));
    assert_string_equal(e.text, "a replication was recorded by an older squall: record format 1, "
                                "this program reads 3");
    e.text[0] = '\0';
    assert_false(record_head_decode("", 0, &head, &e));
    assert_string_equal(e.text, "a replication's record cannot be understood");
}

static void test_varints(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint64_t random = 3;
    for (int i = 0; i < 10000; i++) {
        uint64_t value = study_random(&random) >> study_random(&random) % 64;
        b.size = 0;
        buffer_varint(&b, value);
        struct bytes from = {.at = b.data, .end = b.data + b.size};
        assert_true(bytes_varint(&from) == value && !from.bad && from.at == from.end);
        from = (struct bytes){.at = b.data, .end = b.data + b.size - 1};
        assert_true(bytes_varint(&from) == 0 && from.bad);
    }
    buffer_close(&b);
    /* Not the shortest form, and beyond 64 bits. */
    const unsigned char longer[] = {0x80, 0},
                        large[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    struct bytes from = {.at = longer, .end = longer + sizeof longer};
    assert_true(bytes_varint(&from) == 0 && from.bad);
    from = (struct bytes){.at = large, .end = large + sizeof large};
    assert_true(bytes_varint(&from) == 0 && from.bad);
}

/* Appends replications to a journal in an order that depends on `seed`, over two files. */
static void write_journal(const char *path, const struct results_meta *meta, uint64_t seed,
                          uint64_t left_out)
{
    struct results_error e = {""};
    struct sim *run = study_open(false);
    struct buffer record = {0};
    uint64_t n = meta->n_points * meta->n_replications, random = seed;
    uint64_t *order = calloc(n, sizeof *order);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = study_random(&random) % (i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    assert_true(journal_create(path, &e));
    struct journal *j[2] = {study_journal(path, 0, meta, &e), study_journal(path, 1, meta, &e)};
    for (uint64_t i = 0; i < n; i++) {
        uint64_t p = order[i] / meta->n_replications, r = order[i] % meta->n_replications;
        if (order[i] != left_out) {
            study_record(run, p, r, &record);
            assert_true(study_append(j[study_random(&random) % 2], p, r, random >> 32, record.data,
                                     record.size, &e));
        }
    }
    assert_true(journal_close(j[0], &e) && journal_close(j[1], &e));
    sim_close(run);
    buffer_close(&record);
    free(order);
}

static void convert(const char *journal, const char *to, const struct results_meta *meta)
{
    const char *const dirs[] = {journal};
    struct results_error e = {""};
    struct journal_index index;
    assert_true(journal_scan(dirs, 1, meta->plan_hash, &index, &e));
    if (!results_write(to, meta, &index, NULL, NULL, &e)) {
        fail_msg("%s", e.text);
    }
    journal_index_close(&index);
}

static const void *row_member(const struct sim *run, entity_id id, const char *row)
{
    const struct stat_spec *spec = blueprint_group(&study_blueprint, id)->type->stats;
    while (strcmp(spec->name, row) != 0) {
        spec++;
    }
    return (const char *)sim_stats(run, id) + spec->offset;
}

/* Entities of a type in the order of their dimension. */
static uint32_t ids_of(const char *type, entity_id *ids)
{
    uint32_t n = 0;
    for (entity_id id = 0; id < STUDY_ENTITIES; id++) {
        if (strcmp(blueprint_group(&study_blueprint, id)->type->name, type) == 0) {
            ids[n++] = id;
        }
    }
    return n;
}

static void expect_row(struct results *r, const struct results_type *t, const struct stat_spec *row,
                       uint64_t point, struct results_range range, uint64_t left_out)
{
    entity_id ids[STUDY_ENTITIES];
    ids_of(t->name, ids);
    uint64_t n = r->meta.n_replications, *value = calloc(n, sizeof *value);
    struct record_gauge *gauge = calloc(n, sizeof *gauge);
    static struct hist_counts one, pooled, expected, expected_pooled;
    struct results_error e = {""};
    struct sim *run = study_open(false);
    memset(&expected_pooled, 0, sizeof expected_pooled);
    memset(&pooled, 0, sizeof pooled);
    assert_true(row->kind != STAT_COUNTER || results_counter(r, t, row, point, range, value, &e));
    assert_true(row->kind != STAT_GAUGE || results_gauge(r, t, row, point, range, gauge, &e));
    for (uint64_t k = 0; k < n; k++) {
        uint64_t sum = 0;
        struct record_gauge total = {0};
        bool there = point * n + k != left_out;
        memset(&expected, 0, sizeof expected);
        study_fill(run, point, k);
        for (uint64_t i = range.first; there && i < range.first + range.count; i++) {
            const void *member = row_member(run, ids[i], row->name);
            if (row->kind == STAT_COUNTER) {
                sum += *(const uint64_t *)member;
            } else if (row->kind == STAT_GAUGE) {
                const struct gauge *g = member;
                total.integral += g->integral;
                total.max = g->max > total.max ? g->max : total.max;
            } else if (row->kind == STAT_HISTOGRAM) {
                hist_counts_add(&expected, sim_histograms(run), member);
            }
        }
        assert_true(value[k] == sum);
        assert_memory_equal(&gauge[k], &total, sizeof total);
        if (row->kind == STAT_HISTOGRAM) {
            memset(&one, 0, sizeof one);
            assert_true(results_histogram(r, t, row, point, k, range, &one, &e));
            assert_memory_equal(&one, &expected, sizeof one);
            hist_counts_merge(&expected_pooled, &expected);
        }
    }
    if (row->kind == STAT_HISTOGRAM) {
        assert_true(results_histogram(r, t, row, point, RESULTS_POOLED, range, &pooled, &e));
        assert_memory_equal(&pooled, &expected_pooled, sizeof pooled);
    }
    sim_close(run);
    free(value);
    free(gauge);
}

static void expect_everything(struct results *r, uint64_t left_out)
{
    for (uint32_t i = 0; i < r->n_types; i++) {
        const struct results_type *t = &r->types[i];
        for (uint64_t p = 0; p < r->meta.n_points; p++) {
            for (const struct stat_spec *row = t->rows; row->name; row++) {
                expect_row(r, t, row, p, results_all(t), left_out);
                expect_row(r, t, row, p, (struct results_range){1, 1}, left_out);
                expect_row(r, t, row, p, (struct results_range){1, t->n_entities - 1}, left_out);
            }
        }
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct results r;
    meta.n_points = 2;
    meta.n_replications = 11;
    meta.parallel = "ranks 4\nwindows 17\n";
    write_journal(dir, &meta, 1, 17);
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e));
    assert_string_equal(r.meta.name, "storm");
    assert_string_equal(r.meta.config, meta.config);
    assert_string_equal(r.meta.resolved, meta.resolved);
    assert_string_equal(r.meta.command, meta.command);
    assert_string_equal(r.meta.parallel, meta.parallel);
    assert_true(r.meta.seed == meta.seed && r.meta.plan_hash == meta.plan_hash);
    assert_true(r.meta.end == STUDY_END && r.meta.interval == STUDY_INTERVAL);
    assert_int_equal(r.n_types, 2);
    const struct results_type *t = results_find_type(&r, "station");
    assert_true(t && t->n_entities == 4 && t->n_rows == 5);
    assert_string_equal(t->entities[2], "web[2]");
    assert_string_equal(t->entities[3], "db");
    assert_true(results_group(t, "web").first == 0 && results_group(t, "web").count == 3);
    assert_true(results_group(t, "db").first == 3 && results_group(t, "none").count == 0);
    const struct stat_spec *row = results_find_row(t, "depth");
    assert_true(row && row->kind == STAT_GAUGE);
    assert_string_equal(row->doc, "Requests in the queue.");
    assert_string_equal(row->unit, "1");
    assert_string_equal(results_find_row(t, "wait")->unit, "ns");
    assert_null(results_find_row(t, "waits"));
    struct results_run run[11];
    assert_true(results_runs(&r, 1, run, &e));
    for (uint64_t k = 0; k < 11; k++) {
        struct record_head head = study_head(1, k);
        assert_int_equal(run[k].status, k == 6 ? RUN_MISSING : head.status);
        assert_true(run[k].digest == (k == 6 ? 0 : head.digest));
        assert_true(run[k].events == (k == 6 ? 0 : head.events));
        assert_true(run[k].tripped == (k == 6 ? 0 : head.tripped));
    }
    expect_everything(&r, 17);
    results_close(&r);
}

/* Holds what is read against the simulation, which is run again for each replication met. */
struct rereading {
    struct sim *run;
    uint64_t point, replication;
    struct results_range range; /* of stations, or all entities */
    uint64_t entity;            /* the one that goes on */
    uint64_t next;              /* order of its next key at the least */
    const struct trace_row *row;
    uint64_t lines, replications;
};

static void reread(struct rereading *c, uint64_t replication)
{
    if (replication != c->replication) {
        assert_true(c->replication == UINT64_MAX || replication > c->replication);
        study_fill(c->run, c->point, replication);
        c->replication = replication;
        c->entity = c->range.first;
        c->next = 0;
        c->row = NULL;
        c->replications++;
    }
    c->lines++;
}

static bool expect_entry(void *context, uint64_t replication, uint64_t entity,
                         const struct record_entry *e)
{
    struct rereading *c = context;
    entity_id ids[STUDY_ENTITIES];
    const struct breakdown_entry *expected;
    reread(c, replication);
    ids_of("station", ids);
    while (!(expected = breakdown_next(sim_breakdowns(c->run),
                                       row_member(c->run, ids[c->entity], "answers"), c->next))) {
        c->entity++;
        c->next = 0;
        assert_true(c->entity < c->range.first + c->range.count);
    }
    assert_true(entity == c->entity);
    assert_true(breakdown_order(e->key) == breakdown_order(expected->key));
    c->next = breakdown_order(e->key) + 1;
    assert_true(e->values.total == expected->values.total &&
                e->values.sum == expected->values.sum && e->values.min == expected->values.min &&
                e->values.max == expected->values.max);
    static struct hist_counts one, other;
    memset(&one, 0, sizeof one);
    memset(&other, 0, sizeof other);
    hist_counts_add(&one, sim_histograms(c->run), &expected->values);
    hist_counts_add_bins(&other, &expected->values, e->values.n, e->values.bin, e->values.count);
    assert_memory_equal(&one, &other, sizeof one);
    return true;
}

static bool expect_trace(void *context, uint64_t replication, uint64_t entity,
                         const struct trace_row *row)
{
    struct rereading *c = context;
    const struct trace_row *expected;
    reread(c, replication);
    while (!(expected = sim_trace_next(c->run, (entity_id)c->entity, c->row))) {
        c->entity++;
        c->row = NULL;
        assert_true(c->entity < STUDY_ENTITIES);
    }
    assert_true(entity == c->entity);
    assert_memory_equal(row, expected, sizeof *row);
    c->row = expected;
    return true;
}

static bool stop_at_once(void *context, uint64_t replication, uint64_t entity,
                         const struct record_entry *e)
{
    (void)replication;
    (void)entity;
    (void)e;
    ++*(int *)context;
    return false;
}

static void test_lines(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct results r;
    meta.n_points = 3;
    meta.n_replications = 400; /* more lines than are read in one go */
    write_journal(dir, &meta, 1, 500);
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e));
    const struct results_type *t = results_find_type(&r, "station");
    const struct stat_spec *row = results_find_row(t, "answers");
    assert_true(row->kind == STAT_BREAKDOWN && r.traced && r.n_groups == STUDY_GROUPS);
    assert_string_equal(row->unit, "ns");
    assert_string_equal(row->doc, "Time to an answer, by caller and status.");
    assert_string_equal(r.groups[3], "db");
    assert_true(t->ids[0] == 2 && t->ids[3] == 6);
    for (uint64_t p = 0; p < 3; p++) {
        struct rereading c = {.run = study_open(false), .point = p, .replication = UINT64_MAX};
        c.range = results_all(t);
        assert_true(results_breakdown(&r, t, row, p, c.range, expect_entry, &c, &e));
        uint64_t entries = c.lines;
        assert_true(entries > 8000 && c.replications == (p == 1 ? 399 : 400));
        c = (struct rereading){.run = c.run, .point = p, .replication = UINT64_MAX};
        c.range = (struct results_range){1, 1};
        assert_true(results_breakdown(&r, t, row, p, c.range, expect_entry, &c, &e));
        assert_true(c.lines > 2000 && c.lines < entries);
        c = (struct rereading){.run = c.run, .point = p, .replication = UINT64_MAX};
        c.range = (struct results_range){3, 1}; /* db, of which none are kept */
        assert_true(results_breakdown(&r, t, row, p, c.range, expect_entry, &c, &e));
        assert_true(c.lines == 0);
        c.range = (struct results_range){0, STUDY_ENTITIES};
        assert_true(results_trace(&r, p, expect_trace, &c, &e));
        assert_true(c.lines > 5000);
        sim_close(c.run);
    }
    int calls = 0;
    assert_false(results_breakdown(&r, t, row, 0, results_all(t), stop_at_once, &calls, &e));
    assert_int_equal(calls, 1);
    results_close(&r);
}

/* Many replications: several blocks and chunks, the last of each not full. */
static void test_blocks(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct results r;
    meta.n_replications = 5000;
    write_journal(dir, &meta, 1, UINT64_MAX);
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e));
    const struct results_type *t = results_find_type(&r, "caller");
    expect_row(&r, t, results_find_row(t, "work"), 0, results_all(t), UINT64_MAX);
    expect_row(&r, t, results_find_row(t, "in_flight"), 0, results_all(t), UINT64_MAX);
    results_close(&r);
}

/* Each replication tells in which session it was run; what was noted can be read. */
static void test_provenance(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct sim *run = study_open(false);
    struct buffer record = {0};
    struct journal_session session[2] = {study_session(), study_session()};
    session[1].host = "node8";
    session[1].rank = UINT64_MAX;
    assert_true(journal_create(dir, &e));
    for (uint64_t r = 0; r < 4; r++) {
        struct journal *j = journal_open_append(dir, 0, &meta, r % 2 ? NULL : &session[r / 2], &e);
        study_record(run, 0, 3 - r, &record);
        const struct journal_record item = {.replication = 3 - r,
                                            .wall_ns = 7 + r,
                                            .payload = record.data,
                                            .size = record.size,
                                            .note = r == 1   ? "a line\nand another"
                                                    : r == 3 ? "ü"
                                                             : NULL};
        assert_true(journal_append(j, &item, &e) && journal_close(j, &e));
    }
    convert(dir, file, &meta);
    struct results r;
    struct results_run runs[5];
    struct results_provenance p;
    assert_true(results_open(file, &r, &e) && results_runs(&r, 0, runs, &e));
    assert_true(results_provenance(&r, &p, &e));
    assert_int_equal(p.n_sessions, 2);
    assert_true(study_same_session(&p.sessions[0], &session[0]));
    assert_true(study_same_session(&p.sessions[1], &session[1]));
    static const uint64_t expected[] = {1, 1, 0, 0, LAYOUT_NO_SESSION};
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(runs[i].session == expected[i]);
        assert_true(runs[i].wall_ns == (i < 4 ? 10 - i : 0));
    }
    assert_int_equal(p.n_notes, 2);
    assert_true(p.notes[0].point == 0 && p.notes[0].replication == 0);
    assert_string_equal(p.notes[0].text, "ü");
    assert_true(p.notes[1].replication == 2);
    assert_string_equal(p.notes[1].text, "a line\nand another");
    results_close(&r);
    buffer_close(&record);
    sim_close(run);
}

static ssize_t count_open(const struct results *r)
{
    return H5Fget_obj_count(r->file->file, H5F_OBJ_DATASET);
}

/* A dataset that is opened for each point anew is unpacked for each point anew. */
static void test_datasets_stay_open(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct results r;
    struct results_run runs[5];
    write_journal(dir, &meta, 1, UINT64_MAX);
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e) && results_runs(&r, 0, runs, &e));
    ssize_t open = count_open(&r);
    assert_true(open >= LAYOUT_RUNS && open <= H5_KEPT);
    assert_true(results_runs(&r, 0, runs, &e));
    assert_int_equal(count_open(&r), open);
    results_close(&r);
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* Earlier files have none, and can be read all the same. */
static void test_without_provenance(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    write_journal(dir, &meta, 1, UINT64_MAX);
    convert(dir, file, &meta);
    hid_t id = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attr = H5Aopen(id, "schema", H5P_DEFAULT);
    const uint64_t older[] = {LAYOUT_MAJOR, 1};
    assert_true(H5Awrite(attr, H5T_NATIVE_UINT64, older) >= 0);
    assert_true(H5Ldelete(id, layout_runs[LAYOUT_SESSION].path, H5P_DEFAULT) >= 0);
    assert_true(H5Ldelete(id, LAYOUT_SESSIONS, H5P_DEFAULT) >= 0);
    H5Aclose(attr);
    H5Fclose(id);
    struct results r;
    struct results_run runs[5];
    struct results_provenance p;
    assert_true(results_open(file, &r, &e) && results_runs(&r, 0, runs, &e));
    assert_true(runs[0].session == LAYOUT_NO_SESSION && runs[0].wall_ns > 0);
    assert_true(results_provenance(&r, &p, &e));
    assert_true(p.n_sessions == 0 && p.n_notes == 0);
    results_close(&r);
}

/* True when a program of HDF5 or an interpreter succeeds; its output is not shown. */
static bool succeeds(const char *fmt, ...)
{
    char command[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof command);
    return system(command) == 0;
}

/* Writes down where in a results file its objects lie, but for those of its provenance. */
static void list_places(const char *path, const char *to)
{
    assert_true(succeeds("h5ls -rv %s | awk '/^[/]/ {name = $1} "
                         "/Location/ && name !~ \"^/provenance\" {print name, $2}' >%s/%s && "
                         "grep -q '^/stats/station/served ' %s/%s",
                         path, root, to, root, to));
}

static void test_order_does_not_matter(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    char journal[700], other[700], third[700];
    snprintf(journal, sizeof journal, "%s/other.journal", root);
    snprintf(other, sizeof other, "%s/other.h5", root);
    snprintf(third, sizeof third, "%s/third.h5", root);
    write_journal(dir, &meta, 1, UINT64_MAX);
    write_journal(journal, &meta, 2, UINT64_MAX);
    convert(dir, file, &meta);
    /* Of another length, so that what is written behind it would move. */
    char command[3000];
    memset(command, 'x', sizeof command - 1);
    command[sizeof command - 1] = '\0';
    meta.command = command;
    meta.parallel = "ranks 4\n";
    convert(journal, other, &meta);
    if (!succeeds("h5diff --version >/dev/null 2>&1")) {
        skip();
    }
    assert_true(
        succeeds("h5diff --exclude-path /provenance %s %s >%s/out 2>&1", file, other, root));
    assert_false(succeeds("grep -q differ %s/out", root));
    /* Some versions of h5diff also compare places, which dimensions refer to. */
    list_places(file, "places");
    list_places(other, "other_places");
    assert_true(succeeds("cmp -s %s/places %s/other_places", root, root));
    assert_false(succeeds("h5diff %s %s >/dev/null 2>&1", file, other));
    meta.seed = 1;
    convert(dir, third, &meta);
    assert_false(succeeds("h5diff --exclude-path /provenance %s %s >/dev/null 2>&1", file, third));
}

static const char script[] =
    "import sys, h5py, numpy as np, xarray as xr\n"
    "f = h5py.File(sys.argv[1])\n"
    "groups = ['/']\n"
    "def look(name, o):\n"
    "    if isinstance(o, h5py.Group): groups.append(name); return\n"
    "    scale = h5py.h5ds.is_scale(o.id)\n"
    "    assert all(len(d) == 1 for d in o.dims) or scale or o.shape == (), name\n"
    "    plain = scale and o.attrs['NAME'].startswith(b'This is a netCDF dimension')\n"
    "    assert plain or o.shape == () or 'long_name' in o.attrs, name\n"
    "    text = h5py.check_string_dtype(o.dtype)\n"
    "    assert plain or text or 'units' in o.attrs, name\n"
    "f.visititems(look)\n"
    "for g in groups:\n"
    "    d = xr.open_dataset(sys.argv[1], group=g, engine='h5netcdf').load()\n"
    "    assert not [n for n in d.dims if n.startswith('phony')], g\n"
    "    for v in d.variables.values():\n"
    "        assert v.dtype.kind in 'uUO', (g, v)\n"
    "d = xr.open_dataset(sys.argv[1], group='stats/caller', engine='h5netcdf')\n"
    "assert d.sent.dims == ('point', 'replication', 'entity'), d\n"
    "assert list(d.entity.values) == ['users[0]', 'users[1]', 'probe']\n"
    "assert d.sent.dtype == 'uint64' and d.work.attrs['units'] == 'ns'\n"
    "assert int(d.sent.sel(entity='probe').sum()) == int(f['stats/caller/sent'][:, :, 2].sum())\n"
    "s = xr.open_dataset(sys.argv[1], group='series/caller', engine='h5netcdf')\n"
    "assert s.sent.dims == ('point', 'replication', 'entity', 'interval')\n"
    "assert list(s.interval.values) == [0, 300, 600, 900]\n"
    "assert list(f['series/interval_length']) == [300, 300, 300, 100]\n"
    "assert (s.sent.sum('interval') == d.sent).all()\n"
    "g = xr.open_dataset(sys.argv[1], group='series/caller/in_flight', engine='h5netcdf')\n"
    "w = xr.open_dataset(sys.argv[1], group='gauges/caller/in_flight', engine='h5netcdf')\n"
    "assert (g.time_integral.sum('interval') == w.time_integral).all()\n"
    "assert (g['max'].max('interval') == w['max']).all()\n"
    "h, m = f['histograms/caller/latency'], f['series/caller/latency']\n"
    "a = np.bincount(h['bin'][:], weights=h['count'][:])\n"
    "assert (a == np.bincount(m['bin'][:], weights=m['count'][:])).all()\n"
    "assert h['offsets'].shape == (h['total'].size + 1,) and h['offsets'][-1] == len(h['bin'])\n"
    "assert a.sum() == h['total'][:].sum() == m['total'][:].sum() > 0\n"
    "assert f['histograms/edges'].shape == (7297,)\n"
    "b = xr.open_dataset(sys.argv[1], group='breakdowns/station/answers', engine='h5netcdf')\n"
    "assert b.total.dims == ('line',) and b.offsets.dims == ('row_edge',)\n"
    "assert b.bin.dims == ('nonzero',) and b.sizes['row_edge'] == b.sizes['line'] + 1 > 50\n"
    "assert list(f['breakdowns/group'].asstr()) == ['users', 'web', 'probe', 'db']\n"
    "assert b['sum'].attrs['long_name'] == 'Sum of values: Time to an answer, by caller and "
    "status.'\n"
    "assert b['sum'].attrs['units'] == 'ns' and set(b.entity.values) <= {0, 1, 2}\n"
    "words = dict(zip(b.status.attrs['flag_values'], b.status.attrs['flag_meanings'].split()))\n"
    "assert set(b.status.values) == {1, 200} and (words[1], words[200]) == ('error_timeout', "
    "'ok')\n"
    "keys = np.array([b[k].values for k in ('replication', 'entity', 'peer', 'status')])\n"
    "assert list(np.lexsort(keys[::-1])) == list(range(b.sizes['line']))\n"
    "assert (np.add.reduceat(b['count'].values, b.offsets.values[:-1].astype(int)) == "
    "b.total).all()\n"
    "t = xr.open_dataset(sys.argv[1], group='trace', engine='h5netcdf')\n"
    "assert {v.dims for v in t.data_vars.values()} == {('line',)} and len(t.data_vars) == 11\n"
    "assert t.sizes['line'] > 40 and set(t.entity.values) == {0, 1, 6}\n"
    "assert t.kind.attrs['flag_meanings'] == 'request retry success failure state'\n"
    "assert t.error.attrs['flag_meanings'].split()[0] == 'none'\n"
    "assert t.time.dtype == 'uint64' and t.time.attrs['units'] == 'ns'\n"
    "assert f['runs/trace_dropped'][:].sum() > 0 and list(f['runs/trip_time'][0]) == [0,1,2,0,1]\n"
    "assert f['runs/status'].attrs['flag_meanings'].split()[5] == 'missing'\n"
    "assert h['sum'].chunks and h['sum'].shuffle and h['sum'].compression == 'gzip'\n"
    "assert [k for k in f['stats/caller']][-2:] == ['sent', 'work']\n"
    "assert list(f.attrs['schema']) == [1, 3] and f.attrs['seed'] == 2**64 - 1\n";

static const char provenance_script[] =
    "import sys, xarray as xr\n"
    "p = xr.open_dataset(sys.argv[1], group='provenance', engine='h5netcdf')\n"
    "q = xr.open_dataset(sys.argv[1], group='provenance/sessions', engine='h5netcdf')\n"
    "assert p.session.dims == p.wall_ns.dims == ('point', 'replication')\n"
    "assert {v.dims for v in q.data_vars.values()} == {('session',)} and q.sizes['session'] == 2\n"
    "assert set(p.session.values[0]) <= {0, 1} and list(q.host.values) == ['node7'] * 2\n"
    "assert q.begun.dtype == 'uint64' and q.begun.attrs['units'] == 's'\n";

/* Runs a script on the file. */
static bool looks_well(const char *text)
{
    char path[700];
    snprintf(path, sizeof path, "%s/look.py", root);
    FILE *out = fopen(path, "w");
    assert_true(out && fputs(text, out) >= 0 && fclose(out) == 0);
    return succeeds("/usr/bin/python3 %s %s", path, file);
}

static void test_other_software(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    write_journal(dir, &meta, 1, UINT64_MAX);
    convert(dir, file, &meta);
    bool h5ls = succeeds("h5ls --version >/dev/null 2>&1");
    if (h5ls) {
        assert_true(
            succeeds("h5ls -r %s | grep -q '^/stats/station/served *Dataset {1, 5, 4}$'", file));
        assert_true(
            succeeds("h5ls -r %s | grep -q '^/stats/caller/entity *Dataset, same as'", file));
    }
    if (!succeeds("/usr/bin/python3 -c 'import xarray, h5netcdf, h5py' >/dev/null 2>&1")) {
        skip();
    }
    assert_true(looks_well(script));
    assert_true(looks_well(provenance_script));
}

static void expect_refused(const char *path, const char *fmt, ...)
{
    char expected[1024];
    va_list args;
    struct results r;
    struct results_error e = {""};
    va_start(args, fmt);
    vsnprintf(expected, sizeof expected, fmt, args);
    va_end(args);
    assert_false(results_open(path, &r, &e));
    assert_string_equal(e.text, expected);
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused(file, "cannot read %s: No such file or directory", file);
    FILE *out = fopen(file, "w");
    assert_true(out && fputs("hello", out) >= 0 && fclose(out) == 0);
    expect_refused(file, "%s is not a results file of squall", file);
    hid_t id = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(id >= 0 && H5Fclose(id) >= 0);
    expect_refused(file, "%s is not a results file of squall", file);

    struct results_meta meta = study_meta();
    write_journal(dir, &meta, 1, UINT64_MAX);
    convert(dir, file, &meta);
    struct stat whole;
    struct results r;
    struct results_error e = {""};
    char expected[700];
    assert_int_equal(stat(file, &whole), 0);
    snprintf(expected, sizeof expected,
             "cannot read %s (damaged or cut short): truncated file: ", file);
    assert_int_equal(truncate(file, whole.st_size / 2), 0);
    assert_false(results_open(file, &r, &e));
    assert_memory_equal(e.text, expected, strlen(expected));

    convert(dir, file, &meta);
    id = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attr = H5Aopen(id, "schema", H5P_DEFAULT);
    const uint64_t newer[] = {LAYOUT_MAJOR + 1, 3};
    assert_true(H5Awrite(attr, H5T_NATIVE_UINT64, newer) >= 0);
    H5Aclose(attr);
    H5Fclose(id);
    expect_refused(
        file, "%s was written by a newer squall: its schema is 2.3, this program reads 1.x", file);
}

/* A journal that is not of this study, and a disk that fills up, leave what was there. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    char temporary[700], expected[1024];
    snprintf(temporary, sizeof temporary, "%s.tmp", file);
    write_journal(dir, &meta, 1, UINT64_MAX);
    FILE *out = fopen(temporary, "w");
    assert_true(out && fputs("left behind", out) >= 0 && fclose(out) == 0);
    convert(dir, file, &meta);
    assert_int_equal(access(temporary, F_OK), -1);
    struct stat before, after;
    assert_int_equal(stat(file, &before), 0);

    const char *const dirs[] = {dir};
    struct results_error e = {""};
    struct journal_index index;
    assert_true(journal_scan(dirs, 1, meta.plan_hash, &index, &e));
    meta.n_replications = 4;
    assert_false(results_write(file, &meta, &index, NULL, NULL, &e));
    assert_string_equal(e.text,
                        "the journal holds point 0, replication 4, which this study does not have");
    meta.n_replications = 5;
    e.text[0] = '\0';
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        /* HDF5 keeps a file that it could not write, so this is tried in a process of its own; it
         * ends by exit, because the way out must not lead through HDF5's ruins. */
        struct rlimit tight = {.rlim_cur = 20000, .rlim_max = RLIM_INFINITY};
        signal(SIGXFSZ, SIG_IGN);
        snprintf(expected, sizeof expected, "cannot write %s (", temporary);
        exit(setrlimit(RLIMIT_FSIZE, &tight) != 0 ||
             results_write(file, &meta, &index, NULL, NULL, &e) ||
             strncmp(e.text, expected, strlen(expected)) != 0 ||
             !strstr(e.text, "): File too large"));
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    journal_index_close(&index);
    assert_int_equal(stat(file, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
    assert_int_equal(access(temporary, F_OK), -1);
}

/* Neither series nor buckets nor replications. */
static void test_nothing_to_write(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct results r;
    meta.interval = SIM_TIME_NEVER;
    assert_true(journal_create(dir, &e));
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e));
    assert_true(r.meta.interval == SIM_TIME_NEVER);
    assert_string_equal(r.meta.parallel, "");
    struct results_run run[5];
    assert_true(results_runs(&r, 0, run, &e));
    assert_true(run[0].status == RUN_MISSING && run[4].status == RUN_MISSING);
    static struct hist_counts counts;
    const struct results_type *t = results_find_type(&r, "caller");
    assert_true(results_histogram(&r, t, results_find_row(t, "latency"), 0, RESULTS_POOLED,
                                  results_all(t), &counts, &e));
    assert_true(counts.total == 0);
    results_close(&r);
}

/* Without buckets the exact figures are kept, and it can be told that there are no quantiles. */
static void test_summary_only(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct sim *run = study_open(true);
    struct buffer record = {0};
    struct results r;
    meta.n_replications = 1;
    study_record(run, 0, 0, &record);
    assert_true(journal_create(dir, &e));
    struct journal *j = study_journal(dir, 0, &meta, &e);
    assert_true(study_append(j, 0, 0, 0, record.data, record.size, &e));
    assert_true(journal_close(j, &e));
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e));
    const struct results_type *t = results_find_type(&r, "caller");
    static struct hist_counts counts;
    assert_true(results_has_buckets(&counts));
    assert_true(results_histogram(&r, t, results_find_row(t, "latency"), 0, 0,
                                  (struct results_range){0, 1}, &counts, &e));
    const struct caller_stats *first = sim_stats(run, 0);
    const struct histogram *h = &first->latency;
    assert_true(h->total > 1 && counts.total == h->total && counts.sum == h->sum);
    assert_true(counts.min == h->min && counts.max == h->max);
    assert_false(results_has_buckets(&counts));
    results_close(&r);
    sim_close(run);
    buffer_close(&record);
}

/* A replication without statistics changes those of no other. */
static void test_blank_replication(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct buffer record = {0};
    struct results r;
    struct results_run runs[5];
    const struct record_head head = {.point = 0, .replication = 2, .status = RUN_EVENT_LIMIT};
    write_journal(dir, &meta, 1, 2);
    struct journal *j = study_journal(dir, 0, &meta, &e);
    record_blank(&head, &study_blueprint, &record);
    assert_true(study_append(j, 0, 2, 0, record.data, record.size, &e) && journal_close(j, &e));
    convert(dir, file, &meta);
    assert_true(results_open(file, &r, &e));
    expect_everything(&r, 2);
    assert_true(results_runs(&r, 0, runs, &e));
    assert_int_equal(runs[2].status, RUN_EVENT_LIMIT);
    assert_true(runs[2].events == 0 && runs[2].digest == 0 && runs[2].sim_end == 0);
    assert_true(runs[1].events > 0 && runs[3].events > 0);
    results_close(&r);
    buffer_close(&record);
}

/* Sets all numbers of a dataset. */
static void overwrite(const char *path, uint64_t value)
{
    hid_t id = H5Fopen(file, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(id, path, H5P_DEFAULT);
    hid_t space = H5Dget_space(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    assert_true(n > 0);
    uint64_t *all = malloc((size_t)n * sizeof *all);
    for (hssize_t i = 0; i < n; i++) {
        all[i] = value;
    }
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    free(all);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(id);
}

static bool read_pooled(struct hist_counts *counts, struct results_error *e)
{
    struct results r;
    assert_true(results_open(file, &r, e));
    const struct results_type *t = results_find_type(&r, "caller");
    memset(counts, 0, sizeof *counts);
    bool ok = results_histogram(&r, t, results_find_row(t, "latency"), 0, RESULTS_POOLED,
                                results_all(t), counts, e);
    results_close(&r);
    return ok;
}

/* Sums do not end at 2^64, and numbers that cannot be are somebody's damage, not our mistake. */
static void test_large_numbers(void **state)
{
    (void)state;
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    static struct hist_counts counts;
    char expected[700];
    write_journal(dir, &meta, 1, UINT64_MAX);
    convert(dir, file, &meta);
    overwrite("histograms/caller/latency/sum", UINT64_MAX);
    assert_true(read_pooled(&counts, &e));
    /* Fifteen histograms, none of them empty. */
    assert_true(counts.sum == (hist_sum)UINT64_MAX * 15);
    assert_true(results_has_buckets(&counts));

    snprintf(expected, sizeof expected,
             "cannot read %s: the buckets of histograms/caller/latency do not add up to its total",
             file);
    overwrite("histograms/caller/latency/total", UINT64_MAX / 2);
    assert_false(read_pooled(&counts, &e));
    assert_string_equal(e.text, expected);
    convert(dir, file, &meta);
    overwrite("histograms/caller/latency/count", UINT64_MAX);
    e.text[0] = '\0';
    assert_false(read_pooled(&counts, &e));
    assert_string_equal(e.text, expected);
}

/* Lines that no writer writes are refused, and what is told of them never leaves what is known. */
static void test_damaged_lines(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        uint64_t value;
        bool trace;
    } damage[] = {{"breakdowns/station/answers/peer", 4, false},
                  {"breakdowns/station/answers/status", UINT64_C(1) << 16, false},
                  {"breakdowns/station/answers/replication", 5, false},
                  {"breakdowns/station/answers/total", 0, false},
                  {"breakdowns/station/answers/bin", HIST_BINS, false},
                  {"breakdowns/station/answers/count", UINT64_MAX, false},
                  {"breakdowns/station/answers/offsets", UINT64_MAX, false},
                  {"trace/kind", TRACE_KINDS, true},
                  {"trace/status", UINT64_C(1) << 16, true},
                  {"trace/attempt", UINT64_C(1) << 32, true},
                  {"trace/replication", 5, true}};
    struct results_meta meta = study_meta();
    write_journal(dir, &meta, 1, UINT64_MAX);
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        struct results r;
        struct results_error e = {""};
        struct rereading c = {.run = study_open(false), .replication = UINT64_MAX};
        convert(dir, file, &meta);
        overwrite(damage[i].path, damage[i].value);
        assert_true(results_open(file, &r, &e));
        const struct results_type *t = results_find_type(&r, "station");
        c.range = results_all(t);
        bool trace = results_trace(&r, 0, expect_trace, &c, &e);
        assert_true(trace != damage[i].trace);
        c = (struct rereading){.run = c.run, .replication = UINT64_MAX, .range = c.range};
        if (!damage[i].trace) {
            int calls = 0;
            bool ok = results_breakdown(&r, t, results_find_row(t, "answers"), 0, c.range,
                                        stop_at_once, &calls, &e);
            /* Offsets that are all the same leave no buckets, as where none were kept. */
            assert_false(ok);
            assert_int_equal(calls, strstr(damage[i].path, "offsets") != NULL);
        }
        results_close(&r);
        sim_close(c.run);
    }
}

static void test_layout(void **state)
{
    (void)state;
    char text[LAYOUT_PATH];
    const struct stat_spec bytes = {.name = "held", .doc = "Bytes held.", .unit = "B"};
    const struct layout_column *c = layout_columns(STAT_GAUGE, false);
    assert_string_equal(layout_path(&c[0], "cache", "held", text, sizeof text),
                        "gauges/cache/held/time_integral");
    assert_string_equal(layout_unit(&c[0], &bytes, text, sizeof text), "B ns");
    assert_string_equal(layout_unit(&c[1], &bytes, text, sizeof text), "B");
    assert_string_equal(layout_long_name(&c[1], &bytes, text, sizeof text),
                        "Largest value: Bytes held.");
    c = layout_columns(STAT_COUNTER, true);
    assert_string_equal(layout_path(c, "cache", "held", text, sizeof text), "series/cache/held");
    c = layout_columns(STAT_GAUGE, true);
    assert_string_equal(layout_unit(c, &caller_rows[2], text, sizeof text), "ns");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_record),
        TEST(test_hostile_records),
        TEST(test_other_formats),
        TEST(test_varints),
        TEST(test_round_trip),
        TEST(test_lines),
        TEST(test_blocks),
        TEST(test_provenance),
        TEST(test_datasets_stay_open),
        TEST(test_without_provenance),
        TEST(test_order_does_not_matter),
        TEST(test_other_software),
        TEST(test_refused),
        TEST(test_all_or_nothing),
        TEST(test_nothing_to_write),
        TEST(test_large_numbers),
        TEST(test_damaged_lines),
        TEST(test_layout),
        TEST(test_summary_only),
        TEST(test_blank_replication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
