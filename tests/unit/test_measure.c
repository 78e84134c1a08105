/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures against what the statistics and series of the same simulation say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/bind.h"
#include "config/yaml.h"
#include "model/measure.h"
#include "results/measured.h"
#include "results/record.h"
#include "stats/summary.h"
#include "support/trial.h"

struct wish {
    struct measure_words measure;
};
static const struct param_spec wish_rows[] = {MEASURE_ROWS(wish), P_END};
static const struct schema wish_schema = {
    .name = "wish", .size = sizeof(struct wish), .rows = wish_rows, .shorthand = true};

/* 14 intervals, of which the last takes 100 ms. */
static const char storm[] =
    "squall: 1\n"
    "duration: 4s\n"
    "warmup: 700ms\n"
    "interval: 300ms\n"
    "output: {series: [users, web]%s}\n"
    "entities:\n"
    "  users: {type: client, count: 3, target: web, arrivals: {poisson: 70/s},\n"
    "          call: {timeout: 80ms, retry: {kind: fixed, max_attempts: 3, delay: 5ms}}}\n"
    "  idle: {type: client, target: db, arrivals: {poisson: {rate: 1/h}}}\n"
    "  web: {type: server, count: 2, concurrency: 3, queue: {capacity: 9},\n"
    "        service_time: {exponential: 20ms}, calls: [{target: db}]}\n"
    "  db: {type: server, concurrency: 9, service_time: 1ms}\n"
    "network: [{latency: 1ms}]\n";

enum { INTERVALS = 14, TRANSIENT_INTERVALS = 400 };

/* A study that ran once, and the record of it. */
struct run {
    struct trial trial;
    struct buffer record;
    struct arena arena;
};

static struct record_head head_of(const struct trial *t, enum run_status status)
{
    return (struct record_head){.status = status,
                                .events = sim_events(t->sim),
                                .sim_end = sim_end(t->sim),
                                .warmup = sim_options(t->sim)->warmup,
                                .digest = sim_digest(t->sim)};
}

static void record(struct run *r, enum run_status status)
{
    const struct record_head head = head_of(&r->trial, status);
    r->record.size = 0;
    record_encode(&head, r->trial.sim, &r->record);
}

static void run_open(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void run_open(struct run *r, const char *format, ...)
{
    va_list args;
    *r = (struct run){.record = {0}};
    va_start(args, format);
    trial_open_list(&r->trial, format, args);
    va_end(args);
    trial_run(&r->trial, 0);
    record(r, RUN_OK);
}

static void run_close(struct run *r)
{
    trial_close(&r->trial);
    buffer_close(&r->record);
    arena_close(&r->arena);
}

/* Reads a measure as a block of "m.yaml" would have it. */
static bool read_words(struct run *r, const char *text, struct wish *wish, struct diag *d)
{
    struct binder binder = {&r->arena, d};
    const struct node *at = yaml_parse("m.yaml", text, strlen(text), &r->arena, d);
    return at && bind_block(&wish_schema, at, wish, &binder);
}

/* What is said to a text. */
static void expect_says(struct run *r, bool series, const char *text, const char *expected)
{
    struct diag d = {.errors = 0};
    struct wish wish;
    struct measure m;
    char *said;
    size_t size;
    bool good = read_words(r, text, &wish, &d);
    assert_true(good || d.errors > 0);
    if (good && series) {
        good = measure_resolve_series(&wish.measure, NULL, r->trial.study, &r->arena, &d, &m);
    } else if (good) {
        good = measure_resolve(&wish.measure, r->trial.study, &r->arena, &d, &m);
    }
    FILE *out = open_memstream(&said, &size);
    diag_print(&d, out, 0);
    fclose(out);
    assert_string_equal(said, expected);
    assert_int_equal(good, expected[0] == '\0');
    diag_close(&d);
    free(said);
}

static struct measure resolved(struct run *r, bool series, const char *text)
{
    struct diag d = {.errors = 0};
    struct wish wish;
    struct measure m = {.n_parts = 0};
    bool good =
        read_words(r, text, &wish, &d) &&
        (series ? measure_resolve_series(&wish.measure, NULL, r->trial.study, &r->arena, &d, &m)
                : measure_resolve(&wish.measure, r->trial.study, &r->arena, &d, &m));
    if (!good) {
        diag_print(&d, stderr, 0);
        fail_msg("%s", text);
    }
    diag_close(&d);
    return m;
}

static double value_in(struct run *r, const struct measure *m, const struct buffer *record)
{
    struct results_error e = {""};
    double value = -1.0;
    if (!measured_value(m, record->data, record->size, &r->trial.study->blueprint, &value, &e)) {
        fail_msg("%s", e.text);
    }
    return value;
}

static double value_of(struct run *r, const char *text)
{
    struct measure m = resolved(r, false, text);
    return value_in(r, &m, &r->record);
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fabs(expected))) {
        fail_msg("%.17g is not %.17g", value, expected);
    }
}

/* A histogram of the whole run; to be freed. */
static struct hist_counts *whole(const struct run *r, const char *stat)
{
    struct hist_counts *h = calloc(1, sizeof *h);
    assert_non_null(h);
    trial_histogram(&r->trial, stat, h);
    return h;
}

static void counters_are_totals_or_rates(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, storm, "");
    double sent = (double)trial_counter(&r.trial, "users.requests_sent");
    assert_true(sent > 600.0);
    near(value_of(&r, "users.requests_sent"), sent);
    near(value_of(&r, "{stat: users.requests_sent.rate}"), sent / 3.3);
    near(value_of(&r, "stat: users[1].requests_sent"),
         (double)trial_counter(&r.trial, "users[1].requests_sent"));
    /* Time in nanoseconds becomes seconds, and seconds a second. */
    double busy = (double)trial_counter(&r.trial, "web.total_service_time");
    assert_true(busy > 1e9);
    near(value_of(&r, "web.total_service_time"), busy * 1e-9);
    near(value_of(&r, "web.total_service_time.rate"), busy * 1e-9 / 3.3);
    run_close(&r);
}

static void gauges_are_means_over_time_or_maxima(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, storm, "");
    near(value_of(&r, "web.queue_depth.mean"),
         (double)trial_integral(&r.trial, "web.queue_depth") / 3.3e9);
    near(value_of(&r, "web[1].queue_depth.mean"),
         (double)trial_integral(&r.trial, "web[1].queue_depth") / 3.3e9);
    double a = (double)trial_most(&r.trial, "web[0].queue_depth"),
           b = (double)trial_most(&r.trial, "web[1].queue_depth");
    near(value_of(&r, "web[0].queue_depth.max"), a);
    near(value_of(&r, "web.queue_depth.max"), a > b ? a : b);
    run_close(&r);
}

static void histograms_are_means_extremes_counts_and_percentiles(void **state)
{
    (void)state;
    static const char *const names[] = {"users.request_latency", "users[2].request_latency"};
    struct run r;
    char text[100];
    run_open(&r, storm, "");
    for (int i = 0; i < 2; i++) {
        struct hist_counts *h = whole(&r, names[i]);
        const struct {
            const char *what;
            double expected;
        } all[] = {{"mean", (double)h->sum / (double)h->total / 1e9},
                   {"min", (double)h->min / 1e9},
                   {"max", (double)h->max / 1e9},
                   {"count", (double)h->total},
                   {"p0", (double)h->min / 1e9},
                   {"p50", hist_quantile(h, 0.5, NULL) / 1e9},
                   {"p99", hist_quantile(h, 0.99, NULL) / 1e9},
                   {"p99.9", hist_quantile(h, 0.999, NULL) / 1e9},
                   {"p100", (double)h->max / 1e9}};
        assert_true(h->total > 100);
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            snprintf(text, sizeof text, "%s.%s", names[i], all[k].what);
            double value = value_of(&r, text);
            assert_true(value == all[k].expected);
        }
        free(h);
    }
    run_close(&r);
}

static void a_measure_may_be_divided_by_another(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, storm, "");
    double sent = (double)trial_counter(&r.trial, "users.requests_sent"),
           begun = (double)trial_counter(&r.trial, "users.logical_requests");
    near(value_of(&r, "{stat: users.requests_sent, per: users.logical_requests}"), sent / begun);
    near(value_of(&r, "{stat: users.requests_sent.rate, per: users.logical_requests}"),
         sent / 3.3 / begun);
    struct hist_counts *h = whole(&r, "users.request_latency"),
                       *other = whole(&r, "users[0].response_time");
    near(value_of(&r, "{stat: users.request_latency.p90, per: 'users[0].response_time.mean'}"),
         hist_quantile(h, 0.9, NULL) / ((double)other->sum / (double)other->total));
    free(h);
    free(other);
    run_close(&r);
}

static void what_has_no_values_is_no_number(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, storm, "");
    assert_int_equal(trial_counter(&r.trial, "idle.logical_requests"), 0);
    assert_true(trial_counter(&r.trial, "users.successes") > 100);
    assert_true(isnan(value_of(&r, "idle.request_latency.p99")));
    assert_true(isnan(value_of(&r, "idle.request_latency.mean")));
    assert_true(isnan(value_of(&r, "idle.request_latency.max")));
    assert_true(isnan(value_of(&r, "{stat: idle.successes, per: idle.logical_requests}")));
    assert_true(isnan(value_of(&r, "{stat: users.successes, per: idle.logical_requests}")));
    assert_true(value_of(&r, "{stat: idle.successes, per: users.logical_requests}") == 0.0);
    assert_true(value_of(&r, "idle.request_latency.count") == 0.0);
    assert_true(value_of(&r, "idle.successes.rate") == 0.0);
    run_close(&r);
}

static void replications_that_did_not_end_well_have_no_value(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, storm, "");
    struct measure m = resolved(&r, false, "users.requests_sent"),
                   series = resolved(&r, true, "users.requests_sent");
    for (int status = RUN_OK; status < RUN_MISSING; status++) {
        struct results_error e = {""};
        struct measured_warmup w;
        double value[INTERVALS];
        record(&r, (enum run_status)status);
        assert_int_equal(isnan(value_in(&r, &m, &r.record)), status != RUN_OK);
        assert_true(measured_series(&series, r.record.data, r.record.size,
                                    &r.trial.study->blueprint, value, &e));
        for (int k = 0; k < INTERVALS; k++) {
            assert_int_equal(isnan(value[k]), status != RUN_OK);
        }
        assert_true(measured_warmup(&series, r.record.data, r.record.size,
                                    &r.trial.study->blueprint, &w, &e));
        assert_true(status == RUN_OK || (w.end == 0 && w.unsteady));
    }
    run_close(&r);
}

/* Over these intervals and the instances of a group, from the series themselves. */
struct sums {
    uint64_t counter, integral;
    int64_t max;
    struct hist_counts values;
};

static struct sums *sums_of(const struct run *r, const char *group, uint32_t instances,
                            const char *row_name, uint32_t first, uint32_t end)
{
    struct sums *s = calloc(1, sizeof *s);
    entity_id id = trial_entity(&r->trial, group);
    const struct stat_spec *rows = blueprint_group(&r->trial.study->blueprint, id)->type->stats;
    uint32_t row = 0;
    assert_non_null(s);
    while (strcmp(rows[row].name, row_name) != 0) {
        row++;
    }
    for (uint32_t i = 0; i < instances; i++) {
        uint32_t column = 0;
        const struct series *series = sim_series(r->trial.sim, id + i, &column);
        assert_int_equal(series->intervals, INTERVALS);
        for (uint32_t k = first; k < end; k++) {
            const uint32_t *bin;
            const uint64_t *count;
            int64_t max;
            size_t n;
            switch (rows[row].kind) {
            case STAT_COUNTER:
                s->counter += series_counter(series, column + row, k);
                break;
            case STAT_GAUGE:
                s->integral += series_gauge(series, column + row, k, &max);
                s->max = max > s->max ? max : s->max;
                break;
            default:
                n = series_histogram(series, column + row, k, &bin, &count);
                hist_counts_add_bins(&s->values, NULL, n, bin, count);
            }
        }
    }
    return s;
}

/* Windows, the intervals wholly inside them, and the time that these take. */
static void windows_take_the_intervals_wholly_inside_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t first, end;
        double seconds;
    } windows[] = {
        {"from: 600ms, to: 1500ms", 2, 5, 0.9}, {"from: 600001us, to: 1500ms", 3, 5, 0.6},
        {"from: 600ms, to: 1499ms", 2, 4, 0.6}, {"from: 0s, to: 300ms", 0, 1, 0.3},
        {"from: 3300ms", 11, 14, 0.7},          {"to: 3900ms", 3, 13, 3.0},
        {"from: 3900ms, to: 4s", 13, 14, 0.1},  {"from: 0s, to: 3950ms", 0, 13, 3.9},
    };
    struct run r;
    char text[200];
    run_open(&r, storm, "");
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        uint32_t first = windows[i].first, end = windows[i].end;
        struct sums *sent = sums_of(&r, "users", 3, "requests_sent", first, end),
                    *depth = sums_of(&r, "web", 2, "queue_depth", first, end),
                    *latency = sums_of(&r, "users[1]", 1, "request_latency", first, end);
        const struct {
            const char *what;
            double expected;
        } all[] = {
            {"users.requests_sent", (double)sent->counter},
            {"users.requests_sent.rate", (double)sent->counter / windows[i].seconds},
            {"web.queue_depth.mean", (double)depth->integral * 1e-9 / windows[i].seconds},
            {"web.queue_depth.max", (double)depth->max},
            {"users[1].request_latency.count", (double)latency->values.total},
            {"users[1].request_latency.mean",
             (double)latency->values.sum / (double)latency->values.total * 1e-9},
            {"users[1].request_latency.p95", hist_quantile(&latency->values, 0.95, NULL) * 1e-9},
            {"users[1].request_latency.max", (double)latency->values.max * 1e-9},
        };
        assert_true(sent->counter > 0 && depth->integral > 0 && latency->values.total > 0);
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            snprintf(text, sizeof text, "{stat: '%s', %s}", all[k].what, windows[i].text);
            near(value_of(&r, text), all[k].expected);
        }
        free(sent);
        free(depth);
        free(latency);
    }
    run_close(&r);
}

static void a_window_of_all_that_is_measured_tells_the_same(void **state)
{
    (void)state;
    static const char *const same[] = {"users.requests_sent.rate", "web.queue_depth.mean",
                                       "users.request_latency.count"},
                             *const close[] = {"users.request_latency.mean",
                                               "users.request_latency.p99"};
    struct run r;
    char text[100];
    run_open(&r, "squall: 1\n"
                 "duration: 4s\n"
                 "warmup: 600ms\n"
                 "interval: 300ms\n"
                 "output: {series: [users, web]}\n"
                 "entities:\n"
                 "  users: {type: client, count: 3, target: web, arrivals: {poisson: 90/s}}\n"
                 "  web: {type: server, concurrency: 6, service_time: {exponential: 20ms}}\n");
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "{stat: %s, to: 4s}", same[i]);
        near(value_of(&r, text), value_of(&r, same[i]));
    }
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "{stat: %s, from: 600ms}", close[i]);
        double expected = value_of(&r, close[i]);
        assert_true(fabs(value_of(&r, text) - expected) < expected / HIST_PAGE);
    }
    run_close(&r);
}

static void values_do_not_depend_on_who_ran_what(void **state)
{
    (void)state;
    static const char *const texts[] = {"users.requests_sent.rate", "web.queue_depth.mean",
                                        "{stat: users.request_latency.p99, from: 1s, to: 3s}",
                                        "{stat: db.request_latency.p50, per: web.queue_depth.max}"};
    enum { PARTS = 2 };
    struct run r;
    struct buffer piece[PARTS] = {{0}}, joined = {0};
    struct results_error e = {""};
    run_open(&r,
             "squall: 1\n"
             "duration: 4s\n"
             "warmup: 700ms\n"
             "interval: 300ms\n"
             "entities:\n"
             "  db: {type: client, target: far, arrivals: {closed: {users: 9, think_time: 10ms}}}\n"
             "  users: {type: client, count: 3, target: web, arrivals: {poisson: 40/s}}\n"
             "  far: {type: delay, latency: {exponential: 3ms}}\n"
             "  web: {type: server, concurrency: 3, service_time: {exponential: 20ms}}\n");
    const struct blueprint *b = &r.trial.study->blueprint;
    const uint32_t part_of[] = {1, 0, 0, 0, 1, 0};
    const sim_time lookahead[PARTS] = {SIM_TIME_NEVER, SIM_TIME_NEVER};
    for (uint32_t p = 0; p < PARTS; p++) {
        const struct sim_share share = {part_of, p, PARTS, lookahead};
        struct sim_options options = *sim_options(r.trial.sim);
        options.share = &share;
        struct sim *sim = sim_open(b, &options);
        sim_reset(sim, (uint64_t)r.trial.study->settings.seed, 0);
        assert_true(sim_run_until(sim, SIM_TIME_NEVER, 0));
        sim_finish(sim);
        record_piece(sim, &piece[p]);
        sim_close(sim);
    }
    const struct record_head head = head_of(&r.trial, RUN_OK);
    assert_true(record_join(&head, b, part_of, piece, PARTS, &joined, &e));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct measure m = resolved(&r, false, texts[i]);
        double value = value_in(&r, &m, &r.record), other = value_in(&r, &m, &joined);
        assert_true(value > 0.0);
        assert_memory_equal(&value, &other, sizeof value);
    }
    for (uint32_t p = 0; p < PARTS; p++) {
        buffer_close(&piece[p]);
    }
    buffer_close(&joined);
    run_close(&r);
}

static void values_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text, *unit, *name, *written;
        double read;
    } all[] = {
        {"users.successes", "1", "users.successes", "2e3", 2000.0},
        {"users.successes.rate", "1/s", "users.successes.rate", "3/m", 0.05},
        {"users.request_latency.p99", "s", "users.request_latency.p99", "200ms", 0.2},
        {"users.request_latency.count", "1", "users.request_latency.count", "5%", 0.05},
        {"web.queue_depth.max", "1", "web.queue_depth.max", "7", 7.0},
        {"web.total_service_time", "s", "web.total_service_time", "1m", 60.0},
        {"web.total_service_time.rate", "1", "web.total_service_time.rate", "0.5", 0.5},
        {"{stat: users.successes, per: users.failures}", "1", "users.successes per users.failures",
         "12%", 0.12},
        {"{stat: web.total_service_time, per: users.failures}", "s",
         "web.total_service_time per users.failures", "1ms", 0.001},
        {"{stat: users.successes, per: web.total_service_time}", "1 per s",
         "users.successes per web.total_service_time", "90", 90.0},
    };
    struct run r;
    run_open(&r, storm, "");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct measure m = resolved(&r, false, all[i].text);
        double value = -1.0;
        assert_string_equal(m.unit, all[i].unit);
        assert_string_equal(m.text, all[i].name);
        assert_null(measure_read(&m, all[i].written, &r.arena, &value));
        near(value, all[i].read);
    }
    struct measure m = resolved(&r, false, "users.request_latency.p99");
    double value;
    assert_string_equal(measure_read(&m, "20/s", &r.arena, &value),
                        "'20/s' is not a duration (expected for instance 250us, 20ms, 1.5s, 2m)");
    run_close(&r);
}

static void mistakes_are_told_with_what_was_meant(void **state)
{
    (void)state;
    static const char *const said[][2] = {
        {"users", "m.yaml:1:1: 'users' is no measure (expected for instance GROUP.STATISTIC or "
                  "GROUP.STATISTIC.p99)\n"},
        {"{stat: usres.successes}",
         "m.yaml:1:8: stat: there is no entity 'usres' (did you mean 'users'?); there are users, "
         "idle, web, db\n"},
        {"stat: users[3].successes", "m.yaml:1:7: stat: the last of 'users' is users[2]\n"},
        {"stat: db[0].requests_received",
         "m.yaml:1:7: stat: 'db' is one entity without a count; call it 'db'\n"},
        {"stat: users.request_latencies.p99",
         "m.yaml:1:7: stat: users has no statistic 'request_latencies' (did you mean "
         "'request_latency'?)\n"},
        {"stat: users[1].xyzzy", "m.yaml:1:7: stat: users[1] has no statistic 'xyzzy'; `squall "
                                 "describe client` lists them\n"},
        {"stat: users.successes.p99", "m.yaml:1:7: stat: 'p99' is nothing that a counter tells "
                                      "(expected .rate, or nothing for the total)\n"},
        {"stat: web.queue_depth", "m.yaml:1:7: stat: 'web.queue_depth' is a gauge: say what of it "
                                  "(.mean or .max)\n"},
        {"stat: web.queue_depth.p99",
         "m.yaml:1:7: stat: 'p99' is nothing that a gauge tells (expected .mean or .max)\n"},
        {"stat: users.request_latency",
         "m.yaml:1:7: stat: 'users.request_latency' is a histogram: say what of it (.mean, .min, "
         ".max, .count or a percentile such as .p99 or .p99.9)\n"},
        {"stat: users.request_latency.p101",
         "m.yaml:1:7: stat: 'p101' is nothing that a histogram tells (expected .mean, .min, .max, "
         ".count or a percentile such as .p99 or .p99.9)\n"},
        {"stat: users.request_latency.p9%",
         "m.yaml:1:7: stat: 'p9%' is nothing that a histogram tells (expected .mean, .min, .max, "
         ".count or a percentile such as .p99 or .p99.9)\n"},
        {"stat: users.request_latency.p",
         "m.yaml:1:7: stat: 'p' is nothing that a histogram tells (expected .mean, .min, .max, "
         ".count or a percentile such as .p99 or .p99.9)\n"},
        {"stat: users.attempt_latency.p99",
         "m.yaml:1:7: stat: 'attempt_latency' is a breakdown; a measure takes a counter, a gauge "
         "or a histogram\n"},
        {"{stat: users.sucesses, per: users.x.rate, from: 5s}",
         "m.yaml:1:8: stat: users has no statistic 'sucesses' (did you mean 'successes'?)\n"
         "m.yaml:1:29: per: users has no statistic 'x'; `squall describe client` lists them\n"
         "m.yaml:1:49: from: 5s is not before the end of the run (4s)\n"},
        {"{stat: users.successes, to: 5s}",
         "m.yaml:1:29: to: 5s is after the end of the run (4s)\n"},
        {"{stat: users.successes, from: 2s, to: 1s}",
         "m.yaml:1:39: to: the window is empty: it begins at 2s and ends at 1s\n"},
        {"{stat: users.successes, to: 600ms}",
         "m.yaml:1:29: to: the window is empty: it begins at 700ms and ends at 600ms\n"},
        {"{stat: users.successes, from: 1s, to: 1400ms}",
         "m.yaml:1:31: from: no whole interval (300ms) lies between 1s and 1.4s\n"},
        {"{stat: db.requests_received, from: 1s}",
         "m.yaml:1:8: stat: 'db' keeps no time series: name it under output.series\n"},
        {"{per: users.successes}", "m.yaml:1:1: 'stat' is missing\n"},
        {"{stat: users.successes, from: 1s, to: 3s, per: users.failures}", ""},
    };
    struct run r;
    run_open(&r, storm, "");
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        expect_says(&r, false, said[i][0], said[i][1]);
    }
    run_close(&r);
}

static void what_a_study_does_not_keep_cannot_be_measured(void **state)
{
    (void)state;
    static const char bare[] = "squall: 1\n"
                               "duration: 1s\n"
                               "output: {histograms: none}\n"
                               "entities:\n"
                               "  users: {type: client, target: web, arrivals: {poisson: 90/s}}\n"
                               "  web: {type: server, service_time: 1ms}\n";
    struct run r;
    run_open(&r, "%s", bare);
    expect_says(&r, false, "users.request_latency.p99",
                "m.yaml:1:1: this needs the buckets of 'users.request_latency.p99', and "
                "output.histograms is none: keep them per_entity\n");
    expect_says(&r, false, "{stat: users.successes, from: 0s}",
                "m.yaml:1:8: stat: this needs time series: give the study an interval, and name "
                "'users' under output.series\n");
    struct hist_counts *h = whole(&r, "users.request_latency");
    near(value_of(&r, "users.request_latency.mean"), (double)h->sum / (double)h->total / 1e9);
    near(value_of(&r, "users.request_latency.max"), (double)h->max / 1e9);
    free(h);
    run_close(&r);
    run_open(&r, storm, ", histograms: none");
    expect_says(&r, false, "{stat: users.request_latency.mean, from: 1s}",
                "m.yaml:1:8: stat: this needs the buckets of 'users.request_latency.mean', and "
                "output.histograms is none: keep them per_entity\n");
    run_close(&r);
}

static void bytes_that_are_no_record_are_refused(void **state)
{
    (void)state;
    struct run r, other;
    struct results_error e = {""};
    double value;
    run_open(&r, storm, "");
    run_open(&other, storm, ", histograms: none");
    const struct blueprint *b = &r.trial.study->blueprint;
    struct measure m = resolved(&r, false, "users.request_latency.p99"),
                   series = resolved(&r, true, "users.request_latency.mean");
    assert_false(measured_value(&m, other.record.data, other.record.size, b, &value, &e));
    assert_true(isnan(value));
    assert_string_equal(e.text, "a replication was recorded without the buckets of histograms, so "
                                "it has no percentiles");
    for (size_t size = 0; size < r.record.size; size += 1 + size / 7) {
        double values[INTERVALS];
        e.text[0] = '\0';
        assert_false(measured_value(&m, r.record.data, size, b, &value, &e));
        assert_true(isnan(value) && e.text[0]);
        assert_false(measured_series(&series, r.record.data, size, b, values, &e));
        assert_true(isnan(values[0]));
    }
    run_close(&r);
    run_close(&other);
}

static void expect_series(struct run *r, const char *text, const double *expected)
{
    struct results_error e = {""};
    double value[INTERVALS];
    struct measure m = resolved(r, true, text);
    assert_int_equal(m.n_intervals, INTERVALS);
    assert_true(
        measured_series(&m, r->record.data, r->record.size, &r->trial.study->blueprint, value, &e));
    for (uint32_t k = 0; k < INTERVALS; k++) {
        if (isnan(expected[k])) {
            assert_true(isnan(value[k]));
        } else {
            near(value[k], expected[k]);
        }
    }
}

static void a_measure_has_a_value_in_every_interval(void **state)
{
    (void)state;
    double mean[INTERVALS], level[INTERVALS], rate[INTERVALS], ratio[INTERVALS], least[INTERVALS];
    struct run r;
    run_open(&r, storm, "");
    for (uint32_t k = 0; k < INTERVALS; k++) {
        double seconds = k + 1 < INTERVALS ? 0.3 : 0.1;
        struct sums *sent = sums_of(&r, "users", 3, "requests_sent", k, k + 1),
                    *begun = sums_of(&r, "users", 3, "logical_requests", k, k + 1),
                    *depth = sums_of(&r, "web", 2, "queue_depth", k, k + 1),
                    *latency = sums_of(&r, "users", 3, "request_latency", k, k + 1);
        rate[k] = (double)sent->counter / seconds;
        ratio[k] = (double)sent->counter / (double)begun->counter;
        level[k] = (double)depth->integral * 1e-9 / seconds;
        mean[k] = (double)latency->values.sum / (double)latency->values.total * 1e-9;
        least[k] = (double)latency->values.min * 1e-9;
        free(sent);
        free(begun);
        free(depth);
        free(latency);
    }
    expect_series(&r, "users.requests_sent.rate", rate);
    expect_series(&r, "{stat: users.requests_sent, per: users.logical_requests}", ratio);
    expect_series(&r, "web.queue_depth.mean", level);
    expect_series(&r, "users.request_latency.mean", mean);
    expect_series(&r, "users.request_latency.min", least);
    run_close(&r);
}

/* Two sorts of clients. For the first six of 40 seconds arrivals are five times as fast and the
 * server is slow; users make no requests in the first two, nor in one later on. */
static const char transient[] =
    "squall: 1\n"
    "duration: 40s\n"
    "interval: 100ms\n"
    "output: {series: [%s]}\n"
    "timeline: [{at: 0s, for: 6s, rate: users, factor: 5}, {at: 0s, for: 6s, slow: web, factor: "
    "3},\n"
    "           {at: 30s, for: 1s, rate: users, factor: 0}]\n"
    "entities:\n"
    "  users: {type: client, count: 2, target: web,\n"
    "          arrivals: {poisson: {rate: 60/s, first_arrival: 2s}}}\n"
    "  others: {type: client, target: gate, arrivals: {poisson: 60/s}}\n"
    "  gate: {type: bulkhead, target: web, max_concurrent: 400}\n"
    "  web: {type: server, concurrency: 300, service_time: {exponential: 50ms}}\n";

static struct measured_warmup warmup_of(struct run *r, const struct measure *m)
{
    struct results_error e = {""};
    struct measured_warmup w = {.end = -1};
    assert_true(
        measured_warmup(m, r->record.data, r->record.size, &r->trial.study->blueprint, &w, &e));
    return w;
}

static void a_warm_up_is_told_from_requests_under_way(void **state)
{
    (void)state;
    struct run r;
    struct diag d = {.errors = 0};
    struct measure m;
    double level[TRANSIENT_INTERVALS];
    run_open(&r, transient, "users, others, gate");
    assert_true(measure_resolve_series(NULL, NULL, r.trial.study, &r.arena, &d, &m));
    const struct blueprint *b = &r.trial.study->blueprint;
    struct results_error e = {""};
    assert_true(measured_series(&m, r.record.data, r.record.size, b, level, &e));
    uint32_t row = 0;
    const struct stat_spec *rows = b->groups[0].type->stats;
    while (strcmp(rows[row].name, "in_flight") != 0) {
        row++;
    }
    for (uint32_t k = 0; k < TRANSIENT_INTERVALS; k++) {
        uint64_t sum = 0;
        for (entity_id id = 0; id < 3; id++) {
            uint32_t column = 0;
            int64_t max;
            const struct series *s = sim_series(r.trial.sim, id, &column);
            sum += series_gauge(s, column + row, k, &max);
        }
        near(level[k], (double)sum / 1e8);
    }
    struct measured_warmup w = warmup_of(&r, &m);
    assert_true(w.end ==
                (sim_time)summary_mser5(level, TRANSIENT_INTERVALS).cut * 100 * SIM_TIME_MS);
    assert_in_range(w.end, S(6), S(8));
    assert_false(w.unsteady);
    run_close(&r);
    diag_close(&d);
}

/* Latencies have no mean while nobody asks. */
static void intervals_without_values_take_those_of_their_neighbours(void **state)
{
    (void)state;
    struct run r;
    struct results_error e = {""};
    double mean[TRANSIENT_INTERVALS];
    uint32_t gaps = 0, first = 0;
    run_open(&r, transient, "users");
    struct measure m = resolved(&r, true, "users.request_latency.mean");
    assert_true(
        measured_series(&m, r.record.data, r.record.size, &r.trial.study->blueprint, mean, &e));
    while (isnan(mean[first])) {
        first++;
    }
    for (uint32_t k = 0; k < TRANSIENT_INTERVALS; k++) {
        gaps += isnan(mean[k]) != 0;
        mean[k] = k < first ? mean[first] : isnan(mean[k]) ? mean[k - 1] : mean[k];
    }
    assert_true(first >= 20 && gaps > first + 3);
    struct measured_warmup w = warmup_of(&r, &m);
    assert_true(w.end ==
                (sim_time)summary_mser5(mean, TRANSIENT_INTERVALS).cut * 100 * SIM_TIME_MS);
    assert_in_range(w.end, S(6), S(8));
    assert_false(w.unsteady);
    run_close(&r);
}

static void a_run_that_never_becomes_steady_is_told(void **state)
{
    (void)state;
    struct run r;
    run_open(&r, "squall: 1\n"
                 "duration: 20s\n"
                 "interval: 100ms\n"
                 "entities:\n"
                 "  users: {type: client, target: web, arrivals: {poisson: 300/s}}\n"
                 "  web: {type: server, queue: {capacity: unlimited}, service_time: 10ms}\n");
    struct measure m = resolved(&r, true, "users.in_flight.mean");
    struct measured_warmup w = warmup_of(&r, &m);
    assert_true(w.unsteady);
    assert_true(w.end == S(10));
    run_close(&r);
}

static void a_warm_up_needs_series_of_enough_intervals(void **state)
{
    (void)state;
    static const char text[] = "squall: 1\n"
                               "duration: 900ms\n"
                               "%s\n"
                               "entities:\n"
                               "  users: {type: client, target: web, arrivals: {poisson: 9/s}}\n"
                               "  web: {type: server, service_time: 1ms}\n";
    struct run r;
    run_open(&r, text, "interval: 100ms");
    expect_says(&r, true, "users.successes",
                "m.yaml:1:1: the run has 9 intervals; it takes 10 to tell a warm-up\n");
    expect_says(&r, true, "{stat: users.request_latency.p99, from: 10ms}",
                "m.yaml:1:8: stat: a warm-up is not told from percentiles, which few values in an "
                "interval do not have; take .mean\n"
                "m.yaml:1:41: from: a warm-up is told from the whole run\n");
    run_close(&r);
    run_open(&r, text, "interval: 90ms");
    expect_says(&r, true, "users.successes", "");
    expect_says(&r, true, "web.requests_received",
                "m.yaml:1:1: 'web' keeps no time series: name it under output.series\n");
    run_close(&r);
    static const char *const nobody[] = {"interval: none", "interval: 9ms\noutput: {series: web}"};
    for (int i = 0; i < 2; i++) {
        struct diag d = {.errors = 0};
        struct measure m;
        char *said;
        size_t size;
        run_open(&r, text, nobody[i]);
        assert_false(measure_resolve_series(NULL, node_child(r.trial.study->root, "duration"),
                                            r.trial.study, &r.arena, &d, &m));
        FILE *out = open_memstream(&said, &size);
        diag_print(&d, out, 0);
        fclose(out);
        assert_string_equal(said, "trial:2:11: duration: a warm-up is told from the time series of "
                                  "clients: give the study an interval, name clients under "
                                  "output.series, or say the warm-up as a time\n");
        free(said);
        diag_close(&d);
        run_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_totals_or_rates),
        cmocka_unit_test(gauges_are_means_over_time_or_maxima),
        cmocka_unit_test(histograms_are_means_extremes_counts_and_percentiles),
        cmocka_unit_test(a_measure_may_be_divided_by_another),
        cmocka_unit_test(what_has_no_values_is_no_number),
        cmocka_unit_test(replications_that_did_not_end_well_have_no_value),
        cmocka_unit_test(windows_take_the_intervals_wholly_inside_them),
        cmocka_unit_test(a_window_of_all_that_is_measured_tells_the_same),
        cmocka_unit_test(values_do_not_depend_on_who_ran_what),
        cmocka_unit_test(values_have_units),
        cmocka_unit_test(mistakes_are_told_with_what_was_meant),
        cmocka_unit_test(what_a_study_does_not_keep_cannot_be_measured),
        cmocka_unit_test(bytes_that_are_no_record_are_refused),
        cmocka_unit_test(a_measure_has_a_value_in_every_interval),
        cmocka_unit_test(a_warm_up_is_told_from_requests_under_way),
        cmocka_unit_test(intervals_without_values_take_those_of_their_neighbours),
        cmocka_unit_test(a_run_that_never_becomes_steady_is_told),
        cmocka_unit_test(a_warm_up_needs_series_of_enough_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
