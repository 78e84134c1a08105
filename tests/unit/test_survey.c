/* SPDX-License-Identifier: Apache-2.0
 *
 * What journals tell while they are written, and afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "experiment/survey.h"
#include "results_study.h"

#define SECOND UINT64_C(1000000000)

static char *root, *dir; /* of the test */

static int set_up(void **state)
{
    struct results_error e = {""};
    (void)state;
    root = study_directory();
    return asprintf(&dir, "%s/storm.journal", root) < 0 || !journal_create(dir, &e);
}

static int tear_down(void **state)
{
    (void)state;
    free(dir);
    study_remove(root);
    return 0;
}

static struct journal *open_as(const char *path, uint32_t rank, uint64_t begun)
{
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    struct journal_session session = study_session();
    session.rank = rank;
    session.begun = begun;
    struct journal *j = journal_open_append(path, rank, &meta, &session, &e);
    assert_string_equal(e.text, "");
    return j;
}

/* A record with a head and, behind it, so many bytes of whatever. */
static void append(struct journal *j, uint64_t replication, enum run_status status,
                   uint64_t wall_ns, size_t more)
{
    struct results_error e = {""};
    struct buffer payload = {0};
    struct record_head head = study_head(0, replication);
    head.status = status;
    record_pilot(&head, &payload);
    for (size_t i = 0; i < more; i++) {
        buffer_bytes(&payload, "x", 1);
    }
    assert_true(study_append(j, 0, replication, wall_ns, payload.data, payload.size, &e));
    buffer_close(&payload);
}

static void close_journal(struct journal *j)
{
    struct results_error e = {""};
    assert_true(journal_close(j, &e));
}

static void expect_survey(struct survey *s)
{
    struct results_error e = {""};
    const char *const dirs[] = {dir};
    bool ok = survey_take(s, dirs, 1, &e);
    assert_string_equal(e.text, "");
    assert_true(ok);
}

static void a_glance_finds_what_a_scan_does(void **state)
{
    struct results_error e = {""};
    struct journal_index whole, glance;
    const char *const dirs[] = {dir};
    (void)state;
    struct journal *a = open_as(dir, 0, 100), *b = open_as(dir, 1, 100);
    for (uint64_t r = 0; r < 40; r++) {
        append(r % 3 ? a : b, r, (enum run_status)(r % RUN_MISSING), r, r * r * 10);
    }
    close_journal(a);
    close_journal(b);
    assert_true(journal_scan(dirs, 1, study_meta().plan_hash, &whole, &e));
    assert_true(journal_glance(dirs, 1, study_meta().plan_hash, &glance, &e));
    assert_int_equal(whole.n, 40);
    assert_int_equal(glance.n, 40);
    assert_int_equal(glance.n_sessions, 2);
    assert_memory_equal(whole.entries, glance.entries, 40 * sizeof *whole.entries);
    for (uint64_t r = 0; r < 40; r++) {
        assert_int_equal(glance.entries[r].status, r % RUN_MISSING);
        assert_int_equal(glance.entries[r].events, 1000 + r);
    }
    assert_false(journal_file_look(&glance, 0).at_work);
    assert_int_equal(journal_file_look(&glance, 1).session, 1);
    journal_index_close(&whole);
    journal_index_close(&glance);
}

static void a_frame_being_written_is_passed_over(void **state)
{
    struct survey s;
    char path[600];
    (void)state;
    struct journal *j = open_as(dir, 0, 100);
    append(j, 0, RUN_OK, SECOND, 0);
    append(j, 1, RUN_OK, SECOND, 500);
    snprintf(path, sizeof path, "%s/rank-000000.sqj", dir);
    struct stat whole;
    assert_int_equal(stat(path, &whole), 0);
    assert_int_equal(truncate(path, whole.st_size - 400), 0);
    expect_survey(&s);
    assert_int_equal(s.done, 1);
    assert_int_equal(s.journals[0].damaged, 0);
    survey_close(&s);
    close_journal(j);
}

static void what_was_run_again_counts_for_what_a_watchdog_ended(void **state)
{
    struct survey s;
    (void)state;
    struct journal *j = open_as(dir, 0, 100);
    append(j, 0, RUN_WATCHDOG, 9 * SECOND, 9);
    append(j, 0, RUN_OK, SECOND, 9);
    append(j, 0, RUN_WATCHDOG, 9 * SECOND, 9);
    close_journal(j);
    expect_survey(&s);
    assert_int_equal(s.done, 1);
    assert_int_equal(s.status[RUN_OK], 1);
    assert_int_equal(s.wall_ns, SECOND);
    survey_close(&s);
}

static void failures_are_counted_and_the_first_are_named(void **state)
{
    struct survey s;
    (void)state;
    struct journal *j = open_as(dir, 0, 100);
    append(j, 4, RUN_BUDGET_TRIPPED, SECOND, 9);
    append(j, 1, RUN_WATCHDOG, SECOND, 9);
    append(j, 3, RUN_BUDGET_TRIPPED, SECOND, 9);
    append(j, 0, RUN_OK, SECOND, 9);
    close_journal(j);
    expect_survey(&s);
    assert_int_equal(s.done, 4);
    assert_int_equal(s.tasks, 5);
    assert_int_equal(s.events, 4008);
    assert_int_equal(s.status[RUN_BUDGET_TRIPPED], 2);
    assert_int_equal(s.status[RUN_WATCHDOG], 1);
    assert_int_equal(s.n_failures, 3);
    assert_int_equal(s.failures[0].replication, 1);
    assert_int_equal(s.failures[1].replication, 3);
    assert_int_equal(s.points[0].failed, 3);
    assert_true(isnan(s.left_s) && !s.journals[0].at_work);
    survey_close(&s);
}

static void those_who_write_tell_how_long_it_takes(void **state)
{
    struct survey s;
    (void)state;
    struct journal *a = open_as(dir, 0, 100), *b = open_as(dir, 1, 103), *c = open_as(dir, 2, 104);
    append(a, 0, RUN_OK, 2 * SECOND, 9);
    append(b, 1, RUN_OK, 4 * SECOND, 9);
    close_journal(c);
    expect_survey(&s);
    assert_true(s.journals[0].at_work);
    assert_int_equal(s.journals[0].writers, 2);
    assert_float_equal(s.rate, 0.75, 1e-9);
    assert_float_equal(s.left_s, 4.5, 1e-9); /* three of three seconds on two ranks */
    assert_int_equal(s.n_sessions, 1);
    assert_true(s.sessions[0].at_work);
    assert_int_equal(s.sessions[0].writers, 3);
    survey_close(&s);
    close_journal(a);
    close_journal(b);
    /* Whoever goes on later has done nothing yet. */
    a = open_as(dir, 0, 200);
    expect_survey(&s);
    assert_int_equal(s.n_sessions, 2);
    assert_false(s.sessions[0].at_work);
    assert_true(s.sessions[1].at_work);
    assert_int_equal(s.sessions[0].done, 2);
    assert_int_equal(s.journals[0].writers, 0);
    assert_true(isnan(s.left_s));
    survey_close(&s);
    close_journal(a);
}

static void only_the_last_minutes_tell_of_the_rate(void **state)
{
    struct survey s;
    (void)state;
    struct journal *j = open_as(dir, 0, 100);
    append(j, 0, RUN_OK, SECOND, 9);
    append(j, 1, RUN_OK, 200 * SECOND, 9);
    append(j, 2, RUN_OK, 200 * SECOND, 9);
    expect_survey(&s);
    assert_float_equal(s.rate, 0.005, 1e-9);
    survey_close(&s);
    close_journal(j);
}

/* Somebody looks just when a run begins. */
static void a_look_does_not_keep_a_writer_out(void **state)
{
    char path[600];
    (void)state;
    close_journal(open_as(dir, 0, 100));
    snprintf(path, sizeof path, "%s/rank-000000.sqj", dir);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        _exit(0); /* and with it the lock */
    }
    close(fd);
    close_journal(open_as(dir, 0, 101));
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_glance_finds_what_a_scan_does),
        TEST(a_frame_being_written_is_passed_over),
        TEST(what_was_run_again_counts_for_what_a_watchdog_ended),
        TEST(failures_are_counted_and_the_first_are_named),
        TEST(those_who_write_tell_how_long_it_takes),
        TEST(only_the_last_minutes_tell_of_the_rate),
        TEST(a_look_does_not_keep_a_writer_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
