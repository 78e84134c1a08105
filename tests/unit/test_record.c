/* SPDX-License-Identifier: Apache-2.0
 *
 * Records put together from the pieces of several simulations, each of which ran a share of the
 * model, against the record of one that ran all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "results_study.h"
#include "support/trial.h"

enum { PARTS_MOST = 5, GROUPS_MOST = 6, COUNT_MOST = 12, ENTITIES_MOST = GROUPS_MOST * COUNT_MOST };

static const struct stat_spec no_rows[] = {S_END};
static const struct entity_type mute_type = {
    .name = "mute", .stats = no_rows, .streams = study_streams, .handle = station_handle};

/* A model whose entities know nothing of each other. */
struct crowd {
    struct group_plan groups[GROUPS_MOST];
    struct blueprint blueprint;
    char names[GROUPS_MOST][16];
};

static void draw_crowd(struct crowd *c, uint64_t *random)
{
    static const struct entity_type *const types[] = {&caller_type, &station_type, &mute_type};
    *c = (struct crowd){.blueprint = {.groups = c->groups}};
    c->blueprint.n_groups = 1 + (uint32_t)(study_random(random) % GROUPS_MOST);
    for (uint32_t g = 0; g < c->blueprint.n_groups; g++) {
        snprintf(c->names[g], sizeof c->names[g], "g%u", g);
        c->groups[g] = (struct group_plan){
            .name = c->names[g],
            .type = types[study_random(random) % 3],
            .first = c->blueprint.n_entities,
            .count = 1 + (uint32_t)(study_random(random) % COUNT_MOST),
            .indexed = true,
            .sampled = study_random(random) % 2,
            .breakdowns = study_random(random) % 2,
            .traced = study_random(random) % 2,
        };
        c->blueprint.n_entities += c->groups[g].count;
    }
}

static struct sim_options draw_options(uint64_t *random)
{
    sim_time end = 1 + (sim_time)(study_random(random) % 2000);
    return (struct sim_options){
        .end = end,
        .warmup = study_random(random) % 2 ? (sim_time)(study_random(random) % (uint64_t)end) : 0,
        .interval =
            study_random(random) % 4 ? 1 + (sim_time)(study_random(random) % 700) : SIM_TIME_NEVER,
        .summary_only = study_random(random) % 4 == 0,
        .trace = {.sample = (double)(study_random(random) % 5) / 4.0,
                  .limit = study_random(random) % 20}};
}

/* One model, run whole and in parts. */
struct split {
    const struct blueprint *blueprint;
    const uint32_t *part_of;
    uint32_t parts;
    sim_time lookahead[PARTS_MOST];
    struct sim_share share[PARTS_MOST];
    struct sim *sim[PARTS_MOST]; /* NULL for a part without entities: its piece is empty */
    struct sim *whole;
    struct buffer piece[PARTS_MOST], record, joined;
    struct record_head head; /* of the replication last run */
};

static void split_open(struct split *s, const struct blueprint *b, struct sim_options options,
                       const uint32_t *part_of, uint32_t parts)
{
    *s = (struct split){.blueprint = b, .part_of = part_of, .parts = parts};
    s->whole = sim_open(b, &options);
    for (uint32_t p = 0; p < parts; p++) {
        s->lookahead[p] = SIM_TIME_NEVER;
    }
    for (entity_id id = 0; id < b->n_entities; id++) {
        uint32_t p = part_of[id];
        if (s->sim[p]) {
            continue;
        }
        s->share[p] = (struct sim_share){part_of, p, parts, s->lookahead};
        options.share = &s->share[p];
        s->sim[p] = sim_open(b, &options);
    }
}

static void split_close(struct split *s)
{
    for (uint32_t p = 0; p < s->parts; p++) {
        if (s->sim[p]) {
            sim_close(s->sim[p]);
        }
        buffer_close(&s->piece[p]);
    }
    sim_close(s->whole);
    buffer_close(&s->record);
    buffer_close(&s->joined);
}

static bool split_join(struct split *s, const struct buffer *pieces, struct results_error *e)
{
    return record_join(&s->head, s->blueprint, s->part_of, pieces, s->parts, &s->joined, e);
}

/* Makes the record of a replication and the pieces of it. */
static void split_run(struct split *s, uint64_t replication)
{
    study_fill(s->whole, 7, replication);
    s->head = (struct record_head){.point = 3,
                                   .replication = replication,
                                   .events = sim_events(s->whole),
                                   .sim_end = sim_options(s->whole)->end,
                                   .digest = sim_digest(s->whole)};
    s->record.size = 0;
    record_encode(&s->head, s->whole, &s->record);
    uint64_t events = 0, digest = 0;
    for (uint32_t p = 0; p < s->parts; p++) {
        if (!s->sim[p]) {
            continue;
        }
        study_fill(s->sim[p], 7, replication);
        events += sim_events(s->sim[p]);
        digest += sim_digest(s->sim[p]);
        s->piece[p].size = 0;
        record_piece(s->sim[p], &s->piece[p]);
    }
    assert_true(events == s->head.events && digest == s->head.digest);
}

static void expect_same(struct split *s)
{
    struct results_error e = {""};
    s->joined.size = 0;
    buffer_text(&s->joined, "before");
    size_t before = s->joined.size;
    if (!split_join(s, s->piece, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(s->joined.size - before, s->record.size);
    assert_memory_equal(s->joined.data + before, s->record.data, s->record.size);
}

static void draw_parts(uint32_t *part_of, uint32_t n, uint32_t parts, uint64_t *random)
{
    for (uint32_t i = 0; i < n; i++) {
        part_of[i] = (uint32_t)(study_random(random) % parts);
    }
}

static void test_any_share(void **state)
{
    (void)state;
    uint64_t random = 1, events = 0;
    uint32_t part_of[ENTITIES_MOST];
    for (uint32_t round = 0; round < 200; round++) {
        struct crowd crowd;
        struct split split;
        uint32_t parts = 1 + round % PARTS_MOST;
        draw_crowd(&crowd, &random);
        draw_parts(part_of, crowd.blueprint.n_entities, parts, &random);
        split_open(&split, &crowd.blueprint, draw_options(&random), part_of, parts);
        for (uint64_t replication = 0; replication < 3; replication++) {
            split_run(&split, replication);
            expect_same(&split);
            events += split.head.events;
        }
        split_close(&split);
    }
    assert_true(events > 100000);
}

/* Clients that each have a server of their own, with all that real entities record. */
static const char pairs[] =
    "squall: 1\n"
    "duration: 4s\n"
    "warmup: 700ms\n"
    "interval: 300ms\n"
    "entities:\n"
    "  a: {type: client, count: 3, target: web, arrivals: {kind: poisson, rate: 200/s},\n"
    "      call: {timeout: 20ms, retry: {kind: fixed, max_attempts: 3,\n"
    "                                    delay: 1ms}}}\n"
    "  b: {type: client, target: db, arrivals: {kind: poisson, rate: 100/s}}\n"
    "  c: {type: client, count: 2, target: far,\n"
    "      arrivals: {closed: {users: 9, think_time: 10ms}}}\n"
    "  web: {type: server, concurrency: 4, queue: {capacity: 30},\n"
    "        service_time: {exponential: 7ms}}\n"
    "  db: {type: server, service_time: 5ms}\n"
    "  far: {type: delay}\n"
    "network: [{latency: 1ms}]\n";

static void test_real_entities(void **state)
{
    (void)state;
    static const char *const together[][2] = {{"a", "web"}, {"b", "db"}, {"c", "far"}};
    struct trial t;
    uint64_t random = 5;
    uint32_t part_of[ENTITIES_MOST];
    trial_open(&t, "%s", pairs);
    const struct blueprint *b = &t.study->blueprint;
    for (uint32_t round = 0; round < 10; round++) {
        struct split split;
        uint32_t parts = 1 + round % PARTS_MOST;
        for (int pair = 0; pair < 3; pair++) {
            uint32_t part = (uint32_t)(study_random(&random) % parts);
            for (int end = 0; end < 2; end++) {
                const struct group_plan *g =
                    blueprint_group(b, trial_entity(&t, together[pair][end]));
                for (uint32_t i = 0; i < g->count; i++) {
                    part_of[g->first + i] = part;
                }
            }
        }
        split_open(&split, b, *sim_options(t.sim), part_of, parts);
        split_run(&split, round);
        assert_true(split.head.events > 1000);
        expect_same(&split);
        split_close(&split);
    }
    trial_close(&t);
}

static void ignore_counter(void *context, const struct record_place *p, uint64_t value)
{
    (void)context;
    (void)p;
    (void)value;
}

static void ignore_gauge(void *context, const struct record_place *p, const struct record_gauge *g)
{
    (void)context;
    (void)p;
    (void)g;
}

static void ignore_histogram(void *context, const struct record_place *p,
                             const struct record_histogram *h)
{
    (void)context;
    (void)p;
    (void)h;
}

static void ignore_entry(void *context, const struct record_place *p, const struct record_entry *e)
{
    (void)context;
    (void)p;
    assert_true(e->values.total > 0);
}

static void ignore_trace(void *context, const struct record_place *p, const struct trace_row *row)
{
    (void)context;
    (void)p;
    assert_true(row->kind < TRACE_KINDS && row->time >= 0);
}

static void ignore_dropped(void *context, const struct record_place *p, uint64_t n)
{
    (void)context;
    (void)p;
    (void)n;
}

/* Joins the pieces with `damaged` in the place of one, each in a block of just its size, which the
 * address sanitizer watches. A record that comes of it is read; of a refused one nothing stays. */
static bool join_damaged(struct split *s, uint32_t part, const unsigned char *damaged, size_t size)
{
    const struct record_visitor v = {
        ignore_counter, ignore_gauge, ignore_histogram, ignore_entry, ignore_trace,
        ignore_dropped, NULL};
    struct buffer pieces[PARTS_MOST];
    struct results_error e = {""};
    for (uint32_t p = 0; p < s->parts; p++) {
        pieces[p] = s->piece[p];
    }
    pieces[part] = (struct buffer){.data = malloc(size + !size), .size = size};
    memcpy(pieces[part].data, damaged, size);
    s->joined.size = 0;
    buffer_text(&s->joined, "before");
    size_t before = s->joined.size;
    bool ok = split_join(s, pieces, &e);
    free(pieces[part].data);
    if (ok) {
        struct record_head head;
        record_decode(s->joined.data + before, s->joined.size - before, s->blueprint, &v, &head,
                      &e);
        return true;
    }
    assert_int_equal(s->joined.size, before);
    assert_memory_equal(s->joined.data, "\6before", before);
    char expected[200];
    snprintf(expected, sizeof expected,
             "part %u of point 3, replication 0 does not fit the model of this study", part);
    assert_string_equal(e.text, expected);
    return false;
}

static void test_damaged_pieces(void **state)
{
    (void)state;
    const uint32_t part_of[STUDY_ENTITIES] = {0, 1, 2, 0, 1, 2, 0};
    const struct sim_options options = {
        .end = STUDY_END, .interval = STUDY_INTERVAL, .trace = {.sample = 1.0, .limit = 9}};
    struct split split;
    struct buffer longer = {0};
    uint64_t random = 2;
    split_open(&split, &study_blueprint, options, part_of, 3);
    split_run(&split, 0);
    for (uint32_t p = 0; p < 3; p++) {
        const struct buffer *piece = &split.piece[p];
        for (size_t size = 0; size < piece->size; size++) {
            assert_false(join_damaged(&split, p, piece->data, size));
        }
        assert_true(join_damaged(&split, p, piece->data, piece->size));
        longer.size = 0;
        buffer_bytes(&longer, piece->data, piece->size);
        buffer_varint(&longer, 0);
        assert_false(join_damaged(&split, p, longer.data, longer.size));
        /* A length of almost 2^64. */
        longer.size = 0;
        buffer_varint(&longer, UINT64_MAX - 3);
        buffer_bytes(&longer, piece->data, piece->size);
        assert_false(join_damaged(&split, p, longer.data, longer.size));
    }
    uint32_t accepted = 0, rounds = 20000;
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t p = round % 3;
        longer.size = 0;
        buffer_bytes(&longer, split.piece[p].data, split.piece[p].size);
        for (uint64_t k = study_random(&random) % 4; k < 4; k++) {
            longer.data[study_random(&random) % longer.size] = (unsigned char)study_random(&random);
        }
        accepted += join_damaged(&split, p, longer.data, longer.size);
    }
    assert_in_range(accepted, 1, rounds - 1);
    buffer_close(&longer);
    split_close(&split);
}

/* An entity writes 5 zeros, one for each number, a station another because it has broken nothing
 * down; each of the four that are sampled that it has no intervals, and each of the three that are
 * traced that it has dropped no rows and kept none. */
static void test_blank(void **state)
{
    (void)state;
    const struct record_head head = {
        .point = 1, .replication = 2, .status = RUN_EVENT_LIMIT, .sim_end = 5};
    static const unsigned char expected[8 + 8 + 7 * 5 + 4 + 4 + 3 * 2] = {3, 1, 2, RUN_EVENT_LIMIT,
                                                                          0, 5};
    struct buffer record = {0};
    record_blank(&head, &study_blueprint, &record);
    assert_int_equal(record.size, sizeof expected);
    assert_memory_equal(record.data, expected, sizeof expected);
    buffer_close(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_share),
        cmocka_unit_test(test_real_entities),
        cmocka_unit_test(test_damaged_pieces),
        cmocka_unit_test(test_blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
