/* SPDX-License-Identifier: Apache-2.0
 *
 * Breakdowns and the trace in the engine: what is kept of whom, and that nothing else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "engine/sim.h"
#include "engine/trace.h"

/* --- breakdowns by themselves ------------------------------------------------------------- */

enum { GROUPS = 9, STATUSES = 7 };

static void values_are_told_apart(void **state)
{
    (void)state;
    struct hist_pool histograms;
    struct breakdown_pool pool;
    uint64_t random = 1;
    hist_pool_open(&histograms);
    breakdown_pool_open(&pool, false);
    for (int round = 0; round < 3; round++) {
        struct breakdown b[2] = {{.kept = 1}, {.kept = 1}};
        uint64_t total[2][GROUPS][STATUSES] = {0}, sum[2][GROUPS][STATUSES] = {0};
        for (int i = 0; i < 5000; i++) {
            uint64_t value = random = hash_mix64(random + 1);
            uint32_t which = value & 1, group = (value >> 1) % GROUPS;
            uint16_t status = (uint16_t)((value >> 20) % STATUSES);
            value >>= 30;
            breakdown_record(&pool, &histograms, &b[which],
                             (struct breakdown_key){group, (uint16_t)(status * 9000)}, value);
            total[which][group][status]++;
            sum[which][group][status] += value;
        }
        for (int which = 0; which < 2; which++) {
            uint64_t next = 0;
            assert_int_equal(breakdown_count(&pool, &b[which]), GROUPS * STATUSES);
            for (uint32_t k = 0; k < GROUPS * STATUSES; k++) {
                const struct breakdown_entry *e = breakdown_next(&pool, &b[which], next);
                assert_true(e->key.group == k / STATUSES && e->key.status == k % STATUSES * 9000);
                assert_true(e->values.total == total[which][k / STATUSES][k % STATUSES]);
                assert_true(e->values.sum == sum[which][k / STATUSES][k % STATUSES]);
                next = breakdown_order(e->key) + 1;
            }
            assert_null(breakdown_next(&pool, &b[which], next));
        }
        hist_pool_reset(&histograms);
        breakdown_pool_reset(&pool);
    }
    breakdown_pool_close(&pool);
    hist_pool_close(&histograms);
}

static void the_ends_of_the_keys(void **state)
{
    (void)state;
    struct hist_pool histograms;
    struct breakdown_pool pool;
    struct breakdown b = {.kept = 1};
    hist_pool_open(&histograms);
    breakdown_pool_open(&pool, true);
    assert_null(breakdown_next(&pool, &b, 0));
    breakdown_record(&pool, &histograms, &b, (struct breakdown_key){UINT32_MAX, UINT16_MAX}, 4);
    breakdown_record(&pool, &histograms, &b, (struct breakdown_key){0, 0}, 6);
    const struct breakdown_entry *e = breakdown_next(&pool, &b, 0);
    assert_true(e->key.group == 0 && e->values.sum == 6 && e->values.summary_only);
    e = breakdown_next(&pool, &b, 1);
    assert_true(e->key.group == UINT32_MAX && e->key.status == UINT16_MAX && e->values.sum == 4);
    assert_int_equal(histograms.n_pages, 0);
    breakdown_pool_close(&pool);
    hist_pool_close(&histograms);
}

/* --- in a simulation ---------------------------------------------------------------------- */

enum { TICK = 10, TICKS = 100, END = TICK * TICKS, SAMPLE = 100, WARMUP = 405 };

/* The breakdown stands before others, whose series must not be shifted by it. */
struct puppet_stats {
    struct breakdown by;
    uint64_t ticks;
    struct histogram values;
    bool wanted; /* no row: what sim_traces said */
};
static const struct stat_spec puppet_rows[] = {S_BREAKDOWN(puppet_stats, by, "ns", "Values."),
                                               S_COUNTER(puppet_stats, ticks, "Ticks."),
                                               S_HISTOGRAM(puppet_stats, values, "Values."), S_END};

static void puppet_init(struct ctx *c)
{
    sim_timer(c, EVENT_TIMER, TICK, 1, 0);
}

/* The n-th tick of everyone is about request n, and changes a state. */
static void puppet_handle(struct ctx *c, const struct event *e)
{
    struct puppet_stats *st = c->stats;
    st->ticks++;
    st->wanted = sim_traces(c);
    sim_record(c, &st->values, c->now);
    sim_record_by(c, &st->by, (uint32_t)e->msg.token % 3, (uint16_t)(e->msg.token % 2), c->now);
    sim_trace(c, &(struct trace_row){
                     .time = 77, .request = e->msg.token, .kind = TRACE_RETRY, .wait = 5});
    sim_trace(c, &(struct trace_row){.kind = TRACE_STATE, .status = (uint16_t)c->self});
    sim_timer(c, EVENT_TIMER, TICK, e->msg.token + 1, 0);
}

static const struct entity_type puppet = {.name = "puppet",
                                          .stats = puppet_rows,
                                          .stats_size = sizeof(struct puppet_stats),
                                          .init = puppet_init,
                                          .handle = puppet_handle};

/* Groups of a number each: plain, with breakdowns, traced, traced. */
enum { PLAIN, BROKEN, TRACED, ALSO = 4, ENTITIES };
static const struct group_plan groups[] = {
    {.name = "plain", .type = &puppet, .first = PLAIN, .count = 1, .sampled = true},
    {.name = "broken", .type = &puppet, .first = BROKEN, .count = 1, .breakdowns = true},
    {.name = "traced",
     .type = &puppet,
     .first = TRACED,
     .count = 2,
     .indexed = true,
     .traced = true},
    {.name = "also",
     .type = &puppet,
     .first = ALSO,
     .count = 1,
     .breakdowns = true,
     .traced = true},
};
static const struct blueprint plan = {.groups = groups, .n_groups = 4, .n_entities = ENTITIES};

static struct sim *play(double sample, uint64_t limit, uint64_t seed)
{
    struct sim *s = sim_open(
        &plan, &(struct sim_options){
                   .end = END, .warmup = WARMUP, .interval = SAMPLE, .trace = {sample, limit}});
    /* Nothing stays of the replication before. */
    for (uint64_t replication = 0; replication < 2; replication++) {
        sim_reset(s, seed, 1 - replication);
        assert_true(sim_run_until(s, SIM_TIME_NEVER, 0));
        sim_finish(s);
    }
    return s;
}

static void only_named_groups_keep_breakdowns(void **state)
{
    (void)state;
    struct sim *s = play(1.0, 1, 1);
    for (entity_id id = 0; id < ENTITIES; id++) {
        const struct puppet_stats *st = sim_stats(s, id);
        bool kept = id == BROKEN || id == ALSO;
        assert_int_equal(st->by.kept, kept);
        assert_int_equal(breakdown_count(sim_breakdowns(s), &st->by), kept ? 6 : 0);
        assert_int_equal(st->ticks, TICKS - WARMUP / TICK);
    }
    sim_close(s);
}

/* Ticks 41 .. 100 come after the warm-up: ten of each of six keys. */
static void warmup_clears_breakdowns(void **state)
{
    (void)state;
    struct sim *s = play(1.0, 1, 1);
    const struct puppet_stats *st = sim_stats(s, BROKEN);
    const struct breakdown_entry *e = breakdown_next(sim_breakdowns(s), &st->by, 0);
    assert_true(e->key.group == 0 && e->key.status == 0 && e->values.total == 10);
    assert_int_equal(e->values.min, 42 * TICK);
    assert_int_equal(e->values.max, 96 * TICK);
    assert_int_equal(e->values.sum, 10 * (42 + 96) / 2 * TICK);
    sim_close(s);
}

static void series_pass_breakdowns_over(void **state)
{
    (void)state;
    struct sim *s = play(1.0, 1, 1);
    uint32_t column;
    const struct series *series = sim_series(s, PLAIN, &column);
    assert_int_equal(series->intervals, END / SAMPLE);
    for (uint32_t k = 0; k < series->intervals; k++) {
        const uint32_t *bin;
        const uint64_t *count;
        /* What falls on a boundary belongs to the interval after it, and the last takes the end. */
        uint64_t expected = k == 0 ? 9 : k == END / SAMPLE - 1 ? 11 : 10, found = 0;
        assert_int_equal(series_counter(series, column + 1, k), expected);
        size_t n = series_histogram(series, column + 2, k, &bin, &count);
        for (size_t i = 0; i < n; i++) {
            found += count[i];
        }
        assert_int_equal(found, expected);
    }
    sim_close(s);
}

static uint64_t rows_of(const struct sim *s, entity_id id, bool *request)
{
    uint64_t dropped, n = 0, all = sim_trace_rows(s, id, &dropped);
    sim_time before = 0;
    for (const struct trace_row *row = NULL; (row = sim_trace_next(s, id, row)); n++) {
        assert_true(row->time >= before && row->time % TICK == 0 && row->time > 0);
        before = row->time;
        if (row->kind == TRACE_STATE) {
            assert_int_equal(row->status, id);
        } else {
            assert_int_equal(row->request * TICK, row->time);
            assert_true(row->kind == TRACE_RETRY && row->wait == 5);
            request[row->request] = true;
        }
    }
    assert_true(n == all && dropped == 0);
    return n;
}

static void everything_is_traced_from_the_start(void **state)
{
    (void)state;
    struct sim *s = play(1.0, 1000, 1);
    bool request[TICKS + 1] = {false};
    uint64_t dropped;
    for (entity_id id = 0; id < ENTITIES; id++) {
        const struct puppet_stats *st = sim_stats(s, id);
        assert_int_equal(st->wanted, id >= TRACED);
    }
    assert_int_equal(sim_trace_rows(s, BROKEN, &dropped), 0);
    assert_true(dropped == 0 && !sim_trace_next(s, BROKEN, NULL));
    assert_int_equal(rows_of(s, TRACED + 1, request), 2 * TICKS);
    sim_close(s);
}

/* All entities keep the same requests, which are others in other replications and under other
 * seeds; changes of state are always kept. */
static void requests_are_kept_or_left_out(void **state)
{
    (void)state;
    uint64_t kept = 0, same = 0;
    bool before[TICKS + 1] = {false};
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim *s = play(0.3, 1000, seed);
        bool request[3][TICKS + 1] = {{false}};
        for (uint32_t k = 0; k < 3; k++) {
            uint64_t n = rows_of(s, TRACED + k, request[k]);
            uint64_t requests = 0;
            for (uint64_t r = 1; r <= TICKS; r++) {
                requests += request[k][r];
            }
            assert_int_equal(n, TICKS + requests);
            assert_memory_equal(request[k], request[0], sizeof request[0]);
            kept += k == 0 ? requests : 0;
        }
        for (uint64_t r = 1; r <= TICKS; r++) {
            same += request[0][r] && before[r];
        }
        memcpy(before, request[0], sizeof before);
        sim_close(s);
    }
    /* 10,000 requests, with a standard deviation of 46; and of those of two seeds 900 of 9900, with
     * one of about 30. */
    assert_in_range(kept, 3000 - 230, 3000 + 230);
    assert_in_range(same, 891 - 150, 891 + 150);
}

static void no_requests_but_states(void **state)
{
    (void)state;
    struct sim *s = play(0.0, 1000, 1);
    bool request[TICKS + 1] = {false};
    assert_int_equal(rows_of(s, ALSO, request), TICKS);
    sim_close(s);
}

static void what_is_beyond_the_limit_is_counted(void **state)
{
    (void)state;
    struct sim *s = play(1.0, 13, 1);
    for (entity_id id = TRACED; id < ENTITIES; id++) {
        uint64_t dropped;
        assert_int_equal(sim_trace_rows(s, id, &dropped), 13);
        assert_int_equal(dropped, 2 * TICKS - 13);
        const struct trace_row *row = NULL;
        for (int i = 0; i < 13; i++) {
            row = sim_trace_next(s, id, row);
        }
        assert_int_equal(row->time, 7 * TICK);
        assert_null(sim_trace_next(s, id, row));
    }
    sim_close(s);
}

/* --- who is at the ends of a wire --------------------------------------------------------- */

static uint32_t asked[2]; /* what the callee and the caller were told */

static void ask_init(struct ctx *c)
{
    if (c->self == 0) {
        struct message m = {.request = 1};
        asked[1] = sim_target_group(c, 0);
        assert_true(sim_send(c, (struct way){0, 0}, &m));
    }
}

static void ask_handle(struct ctx *c, const struct event *e)
{
    asked[0] = sim_caller_group(c, e->msg.wire);
}

static const struct stat_spec no_rows[] = {S_END};
static const struct entity_type asker = {
    .name = "asker", .stats = no_rows, .init = ask_init, .handle = ask_handle};

/* Also where the other end is on another rank. */
static void ends_of_wires(void **state)
{
    (void)state;
    static const struct group_plan ends[] = {
        {.name = "a", .type = &asker, .first = 0, .count = 1, .ports = 1},
        {.name = "b", .type = &asker, .first = 1, .count = 4, .indexed = true, .first_port = 1},
        {.name = "c", .type = &asker, .first = 5, .count = 2, .indexed = true, .first_port = 1}};
    const struct wire_spec spec = {
        .latency = dist_constant(3), .jitter = dist_constant(0), .bandwidth = INFINITY};
    const struct port_plan port = {.wires = 1};
    const struct wire_plan wire = {.from = 0, .to = 6};
    const struct blueprint b = {.groups = ends,
                                .n_groups = 3,
                                .n_entities = 7,
                                .ports = &port,
                                .n_ports = 1,
                                .wires = &wire,
                                .n_wires = 1,
                                .specs = &spec,
                                .n_specs = 1};
    const uint32_t part_of[] = {0, 1, 1, 1, 1, 1, 1};
    const sim_time lookahead[] = {3, 3};
    const struct sim_share share[] = {{part_of, 0, 2, lookahead}, {part_of, 1, 2, lookahead}};
    struct sim *s[2];
    for (uint32_t p = 0; p < 2; p++) {
        s[p] = sim_open(
            &b, &(struct sim_options){.end = 10, .interval = SIM_TIME_NEVER, .share = &share[p]});
        sim_reset(s[p], 1, 0);
    }
    uint32_t n;
    sim_time first;
    const struct event *out = sim_outbox(s[0], 1, &n, &first);
    assert_int_equal(n, 1);
    sim_inject(s[1], out, n);
    assert_true(sim_run_until(s[1], SIM_TIME_NEVER, 0));
    assert_int_equal(asked[0], 0);
    assert_int_equal(asked[1], 2);
    sim_close(s[0]);
    sim_close(s[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_told_apart),
        cmocka_unit_test(the_ends_of_the_keys),
        cmocka_unit_test(only_named_groups_keep_breakdowns),
        cmocka_unit_test(warmup_clears_breakdowns),
        cmocka_unit_test(series_pass_breakdowns_over),
        cmocka_unit_test(everything_is_traced_from_the_start),
        cmocka_unit_test(requests_are_kept_or_left_out),
        cmocka_unit_test(no_requests_but_states),
        cmocka_unit_test(what_is_beyond_the_limit_is_counted),
        cmocka_unit_test(ends_of_wires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
