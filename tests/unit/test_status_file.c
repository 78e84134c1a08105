/* SPDX-License-Identifier: Apache-2.0
 *
 * The status file is whole whenever somebody reads it. What it says is seen from outside, in
 * cli/test_status.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiment/status_file.h"

static char folder[] = "/tmp/squall-status-XXXXXX";
static char path[sizeof folder + 16];
static struct agenda *agenda;
static struct tally tally;
static struct point point;
static const struct points points = {.items = &point, .n = 1};
static const struct results_meta meta = {.name = "a \"name\" \\ of\ntwo lines",
                                         .software = "squall 0.0"};

static int set_up(void **state)
{
    (void)state;
    agenda = agenda_open(&(struct agenda_plan){.n_points = 1, .n_replications = 3});
    tally_open(&tally, agenda, &points);
    tally_begin(&tally, 1);
    bool ok = mkdtemp(folder) != NULL;
    snprintf(path, sizeof path, "%s/run.om", folder);
    return !ok;
}

static int tear_down(void **state)
{
    (void)state;
    tally_close(&tally);
    agenda_close(agenda);
    remove(path);
    return rmdir(folder);
}

/* The file's text, terminated; false when there is none. */
static bool read_file(char *text, size_t size)
{
    FILE *in = fopen(path, "re");
    if (in) {
        text[fread(text, 1, size - 1, in)] = '\0';
        fclose(in);
    }
    return in != NULL;
}

static bool is_whole(const char *text)
{
    const char *end = "# EOF\n";
    size_t n = strlen(text), m = strlen(end);
    return n > m && strncmp(text, "# TYPE ", 7) == 0 && strcmp(text + n - m, end) == 0;
}

/* Reads until the last file is there; what is not whole is counted. */
static int read_all_the_time(void)
{
    static char text[20000];
    int torn = 0;
    bool last = false;
    while (!last) {
        if (read_file(text, sizeof text)) {
            torn += !is_whole(text);
            last = strstr(text, "{squall_run_state=\"done\"} 1") != NULL;
        }
    }
    return torn > 0;
}

static void a_reader_never_sees_half_a_file(void **state)
{
    enum { WRITES = 1000, PATIENCE_S = 100 };
    struct status_file f;
    int status;
    (void)state;
    pid_t reader = fork();
    if (reader == 0) {
        alarm(PATIENCE_S);
        _exit(read_all_the_time());
    }
    status_file_open(&f, path, &meta, 1, &tally);
    for (int i = 0; i < WRITES; i++) {
        status_file_show(&f, &tally, f.due);
    }
    status_file_close(&f, &tally, f.due, RUN_STATE_DONE);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
}

static void texts_are_escaped(void **state)
{
    struct status_file f;
    char text[20000];
    (void)state;
    status_file_open(&f, path, &meta, 1, &tally);
    assert_true(read_file(text, sizeof text));
    assert_non_null(strstr(text, "name=\"a \\\"name\\\" \\\\ of\\ntwo lines\","));
    assert_non_null(strstr(text, "squall_run_state{squall_run_state=\"running\"} 1\n"));
}

static void it_is_written_now_and_then(void **state)
{
    struct status_file f;
    struct stat is;
    (void)state;
    status_file_open(&f, path, &meta, 1, &tally);
    assert_true(f.due >= 10.0);
    assert_int_equal(remove(path), 0);
    status_file_show(&f, &tally, 9.9);
    assert_int_equal(stat(path, &is), -1);
    status_file_show(&f, &tally, f.due);
    assert_int_equal(stat(path, &is), 0);
    struct status_file none;
    status_file_open(&none, NULL, &meta, 1, &tally);
    status_file_show(&none, &tally, 1e9);
    status_file_close(&none, &tally, 1e9, RUN_STATE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(it_is_written_now_and_then),
        cmocka_unit_test(a_reader_never_sees_half_a_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
