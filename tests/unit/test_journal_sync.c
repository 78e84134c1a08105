/* SPDX-License-Identifier: Apache-2.0
 *
 * How often a journal is put on the disk. The clock and the disk are this program's own: functions
 * of the C library that it defines itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "results_study.h"

static int64_t now, sync_takes; /* [ns] */
static int syncs, sync_fails_with;

int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (clock != CLOCK_MONOTONIC) {
        return (int)syscall(SYS_clock_gettime, clock, t);
    }
    *t = (struct timespec){.tv_sec = now / SIM_TIME_S, .tv_nsec = now % SIM_TIME_S};
    return 0;
}

int fdatasync(int fd)
{
    assert_true(fd >= 0);
    syncs++;
    now += sync_takes;
    errno = sync_fails_with;
    return sync_fails_with ? -1 : 0;
}

static char *root, *dir; /* of the test */
static struct journal *journal;

static int set_up(void **state)
{
    (void)state;
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    now = 1000 * SIM_TIME_S;
    sync_takes = sync_fails_with = 0;
    root = study_directory();
    assert_true(asprintf(&dir, "%s/storm.journal", root) > 0 && journal_create(dir, &e));
    journal = study_journal(dir, 0, &meta, &e);
    assert_non_null(journal);
    syncs = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(dir);
    study_remove(root);
    return 0;
}

/* One replication a tenth of a second for `seconds`; returns how many syncs came of it. */
static int append_for(int seconds)
{
    struct results_error e = {""};
    int before = syncs;
    int64_t end = now + seconds * SIM_TIME_S;
    for (uint64_t r = 0; now < end; r++) {
        now += SIM_TIME_S / 10;
        assert_true(study_append(journal, 0, r, 0, "abc", 3, &e));
    }
    return syncs - before;
}

static void a_fast_disk_is_asked_each_second(void **state)
{
    (void)state;
    struct results_error e = {""};
    int n = append_for(60);
    assert_true(n >= 58 && n <= 60);
    n = syncs;
    assert_true(study_append(journal, 0, 1, 0, "abc", 3, &e) && journal_close(journal, &e));
    assert_int_equal(syncs, n + 1);
}

static void a_slow_disk_takes_a_twentieth_of_the_time(void **state)
{
    (void)state;
    struct results_error e = {""};
    sync_takes = 3 * SIM_TIME_S;
    int n = append_for(600);
    assert_true(n >= 9 && n <= 11);
    sync_takes = 0; /* it has become fast again */
    append_for(60);
    n = append_for(60);
    assert_true(n >= 58 && n <= 60);
    assert_true(journal_close(journal, &e));
}

static void closing_syncs_however_slow_the_disk_is(void **state)
{
    (void)state;
    struct results_error e = {""};
    sync_takes = 100 * SIM_TIME_S;
    append_for(101);
    int n = syncs;
    assert_true(study_append(journal, 0, 0, 0, "abc", 3, &e));
    assert_int_equal(syncs, n);
    assert_true(journal_close(journal, &e));
    assert_int_equal(syncs, n + 1);
}

static void a_disk_that_fails_is_an_error(void **state)
{
    (void)state;
    struct results_error e = {""};
    char expected[1024];
    now += 2 * SIM_TIME_S;
    sync_fails_with = EIO;
    assert_false(study_append(journal, 0, 0, 0, "abc", 3, &e));
    snprintf(expected, sizeof expected,
             "cannot write %s/rank-000000.sqj: Input/output error; finished replications are safe: "
             "see to the disk and run 'squall resume %s'",
             dir, dir);
    assert_string_equal(e.text, expected);
    assert_false(journal_close(journal, &e));
}

static void expect_gone(void)
{
    struct results_error e = {""};
    char expected[1024];
    assert_true(study_append(journal, 0, 0, 0, "abc", 3, &e)); /* within the second */
    now += 2 * SIM_TIME_S;
    assert_false(study_append(journal, 0, 1, 0, "abc", 3, &e));
    snprintf(expected, sizeof expected,
             "%s/rank-000000.sqj was deleted or moved while it was being written; if %s was moved, "
             "go on with 'squall resume' where it is now, else run the study anew",
             dir, dir);
    assert_string_equal(e.text, expected);
    assert_false(journal_close(journal, &e));
}

static void a_file_that_was_deleted_is_missed(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/rank-000000.sqj", dir);
    assert_int_equal(unlink(path), 0);
    expect_gone();
}

static void a_directory_that_was_moved_is_missed(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/elsewhere", root);
    assert_int_equal(rename(dir, path), 0);
    expect_gone();
}

static void a_directory_that_came_instead_is_not_taken_for_it(void **state)
{
    (void)state;
    struct results_error e = {""};
    struct results_meta meta = study_meta();
    char path[600];
    snprintf(path, sizeof path, "%s/elsewhere", root);
    assert_int_equal(rename(dir, path), 0);
    assert_true(journal_create(dir, &e));
    assert_true(journal_close(study_journal(dir, 0, &meta, &e), &e));
    expect_gone();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_fast_disk_is_asked_each_second),
        TEST(a_slow_disk_takes_a_twentieth_of_the_time),
        TEST(closing_syncs_however_slow_the_disk_is),
        TEST(a_disk_that_fails_is_an_error),
        TEST(a_file_that_was_deleted_is_missed),
        TEST(a_directory_that_was_moved_is_missed),
        TEST(a_directory_that_came_instead_is_not_taken_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
