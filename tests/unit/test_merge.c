/* SPDX-License-Identifier: Apache-2.0
 *
 * Journals of a study that were written apart, and the results file that is made of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "experiment/merge.h"
#include "model/points.h"
#include "results/reader.h"
#include "results_study.h"

enum { REPLICATIONS = 8, WHOLE = 0, NONE = REPLICATIONS };

static const char config[] = "squall: 1\n"
                             "name: storm\n"
                             "duration: 1s\n"
                             "replications: 8\n"
                             "entities:\n"
                             "  users:\n"
                             "    type: client\n"
                             "    target: web\n"
                             "    arrivals: {kind: poisson, rate: 50/s}\n"
                             "  web: {type: server, concurrency: 2, service_time: 10ms}\n"
                             "network:\n"
                             "  - {latency: 1ms}\n";

static char *root; /* of the test, where it runs */
static struct points points;
static struct results_meta meta; /* of the whole study */

static void load(const char *const *overrides)
{
    struct diag diag = {0};
    const char *path = "storm.yaml";
    FILE *out = fopen(path, "w");
    assert_true(out && fputs(config, out) >= 0 && fclose(out) == 0);
    assert_true(points_load(&points, path, overrides, entity_registry, &diag, NULL));
    diag_close(&diag);
    unlink(path);
    const struct study_settings *s = &points.held->settings;
    meta = study_meta();
    meta.config = config;
    meta.overrides = "";
    meta.resolved = points.resolved;
    meta.plan_hash = points_hash(&points);
    meta.seed = (uint64_t)s->seed;
    meta.n_replications = (uint64_t)s->replications.max;
    meta.end = s->duration;
    meta.warmup = s->warmup;
    meta.interval = s->interval;
    meta.blueprint = &points.held->blueprint;
    meta.points = &points;
}

static int set_up(void **state)
{
    (void)state;
    root = study_directory();
    if (chdir(root) != 0) {
        return 1;
    }
    load(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    points_close(&points);
    assert_int_equal(chdir("/"), 0);
    study_remove(root);
    return 0;
}

/* Writes the journal of a shard, or of the whole study (0 of 0), but for one replication. */
static void write_journal(const char *dir, uint32_t shard, uint32_t shards, uint64_t left_out)
{
    struct results_error e = {""};
    struct sim_options options = study_options(points.held);
    struct sim *s = sim_open(&points.held->blueprint, &options);
    struct buffer record = {0};
    meta.shard = shard;
    meta.shards = shards;
    assert_true(journal_create(dir, &e));
    struct journal *j = study_journal(dir, 0, &meta, &e);
    for (uint64_t r = 0; r < REPLICATIONS; r++) {
        if (r == left_out || (shards > 0 && r % shards != shard - 1)) {
            continue;
        }
        sim_reset(s, meta.seed, r);
        assert_true(sim_run_until(s, SIM_TIME_NEVER, 0));
        sim_finish(s);
        const struct record_head head = {.replication = r,
                                         .events = sim_events(s),
                                         .sim_end = options.end,
                                         .digest = sim_digest(s)};
        record.size = 0;
        record_encode(&head, s, &record);
        assert_true(study_append(j, 0, r, 1, record.data, record.size, &e));
    }
    assert_true(journal_close(j, &e));
    buffer_close(&record);
    sim_close(s);
}

/* What a merge says on stderr, and on stdout. */
static char said[8192], printed[1024];

static void redirect(FILE *stream, int to)
{
    fflush(stream);
    assert_true(dup2(to, fileno(stream)) >= 0);
    close(to);
}

static void slurp(const char *path, char *text, size_t size)
{
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, size - 1, in)] = '\0';
    fclose(in);
    unlink(path);
}

static enum exit_status merge(const struct merge_request *more, const char *const *journals)
{
    struct merge_request request = *more;
    request.journals = journals;
    while (journals[request.n_journals]) {
        request.n_journals++;
    }
    int err = dup(STDERR_FILENO), out = dup(STDOUT_FILENO);
    fflush(NULL);
    redirect(stderr, open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600));
    redirect(stdout, open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600));
    enum exit_status status = merge_journals(&request, entity_registry);
    redirect(stderr, err);
    redirect(stdout, out);
    slurp("err", said, sizeof said);
    slurp("out", printed, sizeof printed);
    return status;
}

#define JOURNALS(...) \
    (const char *const[]) \
    { \
        __VA_ARGS__, NULL \
    }
static const struct merge_request plain;

static void expect_refused(enum exit_status status, const char *const *journals,
                           const char *expected)
{
    assert_int_equal(merge(&plain, journals), status);
    assert_string_equal(said, expected);
    assert_int_equal(access("storm.h5", F_OK), -1);
}

static void expect_same(const char *a, const char *b)
{
    struct results x, y;
    struct results_error e = {""};
    assert_true(results_open(a, &x, &e) && results_open(b, &y, &e));
    assert_string_equal(x.digest, y.digest);
    assert_int_equal(x.meta.n_replications, REPLICATIONS);
    results_close(&x);
    results_close(&y);
}

static void shards_make_the_results_of_the_whole(void **state)
{
    (void)state;
    write_journal("whole", WHOLE, WHOLE, NONE);
    write_journal("one", 1, 3, NONE);
    write_journal("two", 2, 3, NONE);
    write_journal("three", 3, 3, NONE);
    assert_int_equal(merge(&plain, JOURNALS("two", "three", "one")), EXIT_DONE);
    assert_string_equal(said, "");
    assert_string_equal(printed, "storm.h5\n");
    struct merge_request other = {.output = "other.h5"};
    assert_int_equal(merge(&other, JOURNALS("whole")), EXIT_DONE);
    assert_string_equal(printed, "other.h5\n");
    expect_same("storm.h5", "other.h5");
    /* What is there twice counts once. */
    other.force = true;
    assert_int_equal(merge(&other, JOURNALS("whole", "two")), EXIT_DONE);
    expect_same("storm.h5", "other.h5");
    assert_int_equal(access("two/rank-000000.sqj", F_OK), 0);
}

static void journals_are_removed_on_demand(void **state)
{
    (void)state;
    write_journal("one", 1, 2, NONE);
    write_journal("two", 2, 2, NONE);
    struct merge_request request = {.remove = true};
    assert_int_equal(merge(&request, JOURNALS("one")), EXIT_RESUMABLE);
    assert_int_equal(access("one", F_OK), 0);
    assert_int_equal(merge(&request, JOURNALS("one", "two")), EXIT_DONE);
    assert_int_equal(access("one", F_OK), -1);
    assert_int_equal(access("two", F_OK), -1);
}

static void what_is_missing_is_named_with_the_way_to_it(void **state)
{
    (void)state;
    write_journal("one", 1, 4, NONE);
    write_journal("three", 3, 4, 6);
    expect_refused(EXIT_RESUMABLE, JOURNALS("one", "three"),
                   "squall: shard 2 of 4 is missing: 'squall run CONFIG --shard 2/4' makes it\n"
                   "squall: shard 3 of 4 lacks 1 of 2 replications: 'squall resume three' runs "
                   "them\n"
                   "squall: shard 4 of 4 is missing: 'squall run CONFIG --shard 4/4' makes it\n"
                   "Nothing was written; --partial writes what there is.\n");
    write_journal("whole", WHOLE, WHOLE, 5);
    expect_refused(EXIT_RESUMABLE, JOURNALS("whole"),
                   "squall: whole lacks 1 of 8 replications: 'squall resume whole' runs what is "
                   "missing\nNothing was written; --partial writes what there is.\n");
}

static void partial_results_tell_what_is_missing(void **state)
{
    (void)state;
    write_journal("one", 1, 4, NONE);
    write_journal("three", 3, 4, 6);
    struct merge_request request = {.partial = true};
    assert_int_equal(merge(&request, JOURNALS("one", "three")), EXIT_DONE);
    assert_non_null(strstr(said, "shard 2 of 4 is missing"));
    struct results r;
    struct results_error e = {""};
    struct results_run run[REPLICATIONS];
    assert_true(results_open("storm.partial.h5", &r, &e) && results_runs(&r, 0, run, &e));
    for (uint64_t i = 0; i < REPLICATIONS; i++) {
        bool there = i % 4 == 0 || i == 2;
        assert_int_equal(run[i].status, there ? RUN_OK : RUN_MISSING);
    }
    results_close(&r);
}

static void a_shard_given_twice_is_refused(void **state)
{
    (void)state;
    write_journal("one", 1, 2, NONE);
    write_journal("two", 2, 2, NONE);
    write_journal("copy", 1, 2, NONE);
    expect_refused(EXIT_WRONG_INPUT, JOURNALS("one", "two", "copy"),
                   "squall: shard 1 of 2 is there twice, in one and copy; leave one of them out\n");
    expect_refused(EXIT_WRONG_INPUT, JOURNALS("one", "two", "./one/"),
                   "squall: one and ./one/ are the same journal; name it once\n");
}

static void shards_of_another_number_are_refused(void **state)
{
    (void)state;
    write_journal("one", 1, 2, NONE);
    write_journal("other", 2, 3, NONE);
    expect_refused(EXIT_WRONG_INPUT, JOURNALS("one", "other"),
                   "squall: one is shard 1 of 2, but other is shard 2 of 3; take shards of one "
                   "number\n");
}

static void another_plan_is_refused_and_compared(void **state)
{
    (void)state;
    write_journal("one", 1, 2, NONE);
    points_close(&points);
    load((const char *const[]){"web.concurrency=3", NULL});
    write_journal("other", 2, 2, NONE);
    expect_refused(EXIT_WRONG_INPUT, JOURNALS("one", "other"),
                   "squall: other belongs to another plan than one; what differs:\n"
                   "  entities.web.concurrency: 2 -> 3\n"
                   "Take only journals of one study.\n");
}

static void versions_that_differ_are_told(void **state)
{
    (void)state;
    write_journal("one", 1, 2, NONE);
    meta.git = "def";
    write_journal("two", 2, 2, NONE);
    assert_int_equal(merge(&plain, JOURNALS("one", "two")), EXIT_DONE);
    assert_string_equal(said,
                        "squall: one was begun by squall 0.0 (abc), two by squall 0.0 (def): "
                        "should the versions not do the same, the results are of two kinds\n");
}

static void what_is_no_journal_is_named(void **state)
{
    (void)state;
    write_journal("one", 1, 2, NONE);
    assert_int_equal(mkdir("empty", 0700), 0);
    expect_refused(EXIT_WRONG_INPUT, JOURNALS("nowhere", "one", "empty"),
                   "squall: cannot open the journal nowhere: No such file or directory (when all "
                   "is done, it makes way for the results)\n"
                   "squall: empty holds nothing: no replication was ever begun\n");
}

static void results_that_are_there_stay(void **state)
{
    (void)state;
    write_journal("one", 1, 1, NONE);
    struct merge_request request = {.output = "mine.h5"};
    FILE *out = fopen("mine.h5", "w");
    assert_true(out && fclose(out) == 0);
    assert_int_equal(merge(&request, JOURNALS("one")), EXIT_WRONG_INPUT);
    assert_string_equal(said,
                        "squall: mine.h5 exists; --force overwrites it, --output names another\n");
    request.force = true;
    assert_int_equal(merge(&request, JOURNALS("one")), EXIT_DONE);
    request.output = "one";
    assert_int_equal(merge(&request, JOURNALS("one")), EXIT_WRONG_INPUT);
    assert_string_equal(said, "squall: one is a directory; --output names a file\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(shards_make_the_results_of_the_whole),
        TEST(journals_are_removed_on_demand),
        TEST(what_is_missing_is_named_with_the_way_to_it),
        TEST(partial_results_tell_what_is_missing),
        TEST(a_shard_given_twice_is_refused),
        TEST(shards_of_another_number_are_refused),
        TEST(another_plan_is_refused_and_compared),
        TEST(versions_that_differ_are_told),
        TEST(what_is_no_journal_is_named),
        TEST(results_that_are_there_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
