/* SPDX-License-Identifier: Apache-2.0
 *
 * What `squall inspect` says of breakdowns and of a trace: values made by hand, and what comes of
 * them in tables, CSV and JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/verb.h"
#include "results/writer.h"
#include "results_study.h"

/* Two users who make 100 requests to `web` each: every tenth has no answer within 300 ms, the
 * others are answered after 2 ms. In one replication one request more is refused with a status that
 * has no name, after 5 ms. */
struct user_stats {
    struct breakdown latency;
};
static const struct stat_spec user_rows[] = {
    S_BREAKDOWN(user_stats, latency, "ns", "Time to an answer."), S_END};

static bool refuse;

static void user_init(struct ctx *c)
{
    struct user_stats *st = c->stats;
    for (uint64_t n = 0; n < 100; n++) {
        bool lost = n % 10 == 9;
        sim_record_by(c, &st->latency, 1, lost ? ERROR_TIMEOUT : 200,
                      (lost ? 300 : 2) * SIM_TIME_MS);
        sim_trace(c, &(struct trace_row){.request = n, .kind = TRACE_REQUEST, .attempt = 1});
        sim_trace(c, &(struct trace_row){
                         .request = n, .kind = lost ? TRACE_FAILURE : TRACE_SUCCESS, .attempt = 1});
    }
    if (refuse && c->self == 1) {
        sim_record_by(c, &st->latency, 0, 418, 5 * SIM_TIME_MS);
    }
}

static void ignore(struct ctx *c, const struct event *e)
{
    (void)c;
    (void)e;
}

static const struct entity_type user = {.name = "user",
                                        .stats = user_rows,
                                        .stats_size = sizeof(struct user_stats),
                                        .init = user_init,
                                        .handle = ignore};
static const struct stat_spec no_rows[] = {S_END};
static const struct entity_type mute = {.name = "mute", .stats = no_rows, .handle = ignore};
static const struct group_plan groups[] = {{.name = "users",
                                            .type = &user,
                                            .count = 2,
                                            .indexed = true,
                                            .breakdowns = true,
                                            .traced = true},
                                           {.name = "web", .type = &mute, .first = 2, .count = 1}};
static const struct blueprint plan = {.groups = groups, .n_groups = 2, .n_entities = 3};

static char *root, *file;

/* Three replications, of which the last did not end well and so does not count. */
static void write_results(uint64_t limit)
{
    const struct sim_options options = {
        .end = SIM_TIME_S, .interval = SIM_TIME_NEVER, .trace = {.sample = 1.0, .limit = limit}};
    struct results_meta meta = study_meta();
    struct results_error e = {""};
    struct journal_index index;
    struct buffer record = {0};
    char journal[700];
    snprintf(journal, sizeof journal, "%s/journal", root);
    const char *const dirs[] = {journal};
    meta.n_replications = 3;
    meta.end = options.end;
    meta.interval = SIM_TIME_NEVER;
    meta.blueprint = &plan;
    struct sim *s = sim_open(&plan, &options);
    assert_true(journal_create(journal, &e));
    struct journal *j = study_journal(journal, 0, &meta, &e);
    for (uint64_t r = 0; r < 3; r++) {
        const struct record_head head = {
            .replication = r, .status = r < 2 ? RUN_OK : RUN_WATCHDOG, .sim_end = options.end};
        refuse = r > 0;
        sim_reset(s, 1, r);
        assert_true(sim_run_until(s, SIM_TIME_NEVER, 0));
        sim_finish(s);
        record.size = 0;
        record_encode(&head, s, &record);
        assert_true(study_append(j, 0, r, 0, record.data, record.size, &e));
    }
    assert_true(journal_close(j, &e) && journal_scan(dirs, 1, meta.plan_hash, &index, &e));
    assert_true(results_write(file, &meta, &index, NULL, NULL, &e));
    journal_index_close(&index);
    buffer_close(&record);
    sim_close(s);
}

static int set_up(void **state)
{
    (void)state;
    root = study_directory();
    return asprintf(&file, "%s/storm.h5", root) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(file);
    study_remove(root);
    return 0;
}

/* What the verb prints, told `option`; to be freed. */
static char *inspect(const char *option)
{
    char name[] = "inspect", *argument = strdup(option), *argv[] = {name, argument, file, NULL};
    FILE *out = tmpfile();
    assert_non_null(out);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    dup2(fileno(out), STDOUT_FILENO);
    int status = verb_inspect.run(3, argv, NULL);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    assert_int_equal(status, EXIT_DONE);
    long size = lseek(fileno(out), 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    rewind(out);
    assert_int_equal(fread(text, 1, (size_t)size, out), size);
    fclose(out);
    free(argument);
    return text;
}

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("%s\nis not in\n%s", part, text);
    }
}

static void a_row_for_each_peer_and_status(void **state)
{
    (void)state;
    write_results(1000);
    char *text = inspect("--quantiles=0.5,0.99");
    expect(
        text,
        "\nusers (user, 2 instances: counters and gauge means are sums, maxima of one)\n"
        "  trace     per replication\n"
        "  request               200\n"
        "  retry                   0\n"
        "  success               180\n"
        "  failure                20\n"
        "  state                   0\n"
        "\n"
        "  latency                count     share          mean               p50               "
        "p99\n"
        "  users 418               0 ±6   0.249 %   5.000 ms ±?   5.000 ms ±?*      5.000 ms ±?*\n"
        "  web error_timeout   20.00 ±0    9.98 %   300.0 ms ±0   300.0 ms ±2.1     300.0 ms "
        "±0.8*\n"
        "  web ok              180.0 ±0    89.8 %   2.000 ms ±0   2.000 ms ±0.008   2.000 ms "
        "±0.008\n"
        "\n");
    free(text);
}

static void dropped_rows_are_told(void **state)
{
    (void)state;
    write_results(150);
    char *text = inspect("--all");
    expect(text, "  trace         300 rows beyond the limit of their entities were dropped\n");
    free(text);
}

static void csv_names_the_key(void **state)
{
    (void)state;
    write_results(1000);
    char *text = inspect("--csv");
    assert_memory_equal(text, "file,", 5);
    expect(text, ",replications,bound,peer,status\n");
    expect(text, ",0,users,latency,count,180,1,0,0.95,2,0,web,200\n");
    expect(text, ",0,users,latency,max,300000000,ns,,0.95,2,0,web,1\n");
    expect(text, ",0,users,latency,mean,5000000,ns,,0.95,1,0,users,418\n");
    expect(text, ",0,users,trace,failure,20,1,,0.95,2,0,,\n");
    free(text);
}

static void json_names_the_key(void **state)
{
    (void)state;
    write_results(1000);
    char *text = inspect("--json");
    expect(text,
           "\"statistic\": \"latency\", \"peer\": \"web\", \"status\": 1, \"measure\": \"count\", "
           "\"value\": 20, ");
    expect(text, "\"statistic\": \"trace\", \"measure\": \"success\", \"value\": 180, ");
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_row_for_each_peer_and_status),
        TEST(dropped_rows_are_told),
        TEST(csv_names_the_key),
        TEST(json_names_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
