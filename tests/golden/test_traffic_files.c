/* SPDX-License-Identifier: Apache-2.0
 *
 * Traffic from files: rates over time and times of arrivals, to the nanosecond. What was read is
 * part of the study, which needs no file any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/resolved.h"
#include "support/probe.h"
#include "support/trial.h"

static char folder[] = "/tmp/squall-traffic-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[2][64];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(path_of(name), "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static struct study *parse(const char *text)
{
    struct diag diag = {.errors = 0};
    struct study *s =
        study_parse(path_of("study.yaml"), text, strlen(text), NULL, probe_registry(), &diag);
    diag_print(&diag, stderr, 0);
    diag_close(&diag);
    assert_non_null(s);
    return s;
}

/* Takes the study over. */
static void assert_arrivals(struct study *s, uint32_t n, const sim_time *at)
{
    struct trial t = {.study = s};
    struct sim_options options = study_options(s);
    t.sim = sim_open(&s->blueprint, &options);
    trial_run(&t, 0);
    probe_assert_times(&t, "service", n, at);
    trial_close(&t);
}

/* A study whose file says when requests are made: at the times `at`, also when only what was made
 * of it is left. */
static void expect(const char *arrivals, const char *file, uint32_t n, const sim_time *at)
{
    char text[512];
    snprintf(text, sizeof text,
             "squall: 1\n"
             "duration: 4.7s\n"
             "entities:\n"
             "  users: {type: client, target: service, arrivals: %s}\n"
             "  service: {type: probe}\n",
             arrivals);
    write_file("traffic.csv", file);
    struct study *s = parse(text);
    struct arena arena = {NULL};
    const char *resolved = resolved_text(s, &arena);
    assert_null(strstr(resolved, "traffic.csv"));
    assert_arrivals(s, n, at);
    assert_int_equal(unlink(path_of("traffic.csv")), 0);
    assert_arrivals(parse(resolved), n, at);
    arena_close(&arena);
}

static void rates_in_steps(void **state)
{
    (void)state;
    const sim_time at[] = {S(1), S(2), S(2.5), S(3), S(3.5), S(4), S(4.25), S(4.5)};
    expect("{kind: constant, rate: {file: traffic.csv}}", "time,rate\n0s,1/s\n2s,2/s\n4s,4/s\n", 8,
           at);
    /* Bare numbers, spaces, remarks, other ends of lines, a mark before all. */
    expect("{kind: constant, rate: {kind: file, path: traffic.csv, between: steps}}",
           "\xEF\xBB\xBF# measured\r\n0, 1 \r\n\r\n  2, 120/m\r\n4000ms,0.004/ms", 8, at);
    /* A rate holds before its first line, too. */
    expect("{kind: constant, rate: {file: traffic.csv}}", "2s,1/s", 4,
           (sim_time[]){S(1), S(2), S(3), S(4)});
}

static void rates_on_lines(void **state)
{
    (void)state;
    const sim_time at[] = {1414213562, S(2), 2449489743, 2828427125, 3162277660, 3464101615,
                           3741657387, S(4), 4242640687, 4472135955, 4690415760};
    expect("{kind: constant, rate: {file: {path: traffic.csv, between: linear}}}",
           "0s,0/s\n10s,10/s\n", 11, at);
}

static void arrivals_of_a_trace(void **state)
{
    (void)state;
    const sim_time at[] = {0, S(0.5), S(0.5), S(2.123456789), S(4.7)};
    expect("{trace: traffic.csv}", "0\n500ms\n0.5s\n2123456789ns\n4.7s\n4.700000001s\n9h\n", 5, at);
    expect("{kind: trace, file: traffic.csv}", "time\n0s\n0.5\n0.5\n# later\n2.123456789\n4.7", 5,
           at);
}

/* Whoever reads another file runs another study. */
static void content_counts(void **state)
{
    (void)state;
    static const char text[] = "squall: 1\n"
                               "duration: 4s\n"
                               "entities:\n"
                               "  users: {type: client, target: service,\n"
                               "          arrivals: {trace: traffic.csv}}\n"
                               "  service: {type: probe}\n";
    static const char *const files[] = {"1s\n2s\n", "time\n1000ms\n2\n", "1s\n2.000000001s\n"};
    struct arena arena = {NULL};
    const char *resolved[3];
    for (int i = 0; i < 3; i++) {
        write_file("traffic.csv", files[i]);
        struct study *s = parse(text);
        resolved[i] = resolved_text(s, &arena);
        study_close(s);
    }
    assert_string_equal(resolved[0], resolved[1]);
    assert_string_not_equal(resolved[0], resolved[2]);
    arena_close(&arena);
    unlink(path_of("traffic.csv"));
}

/* As a crash leaves a file, or in two bytes a letter: no line of it is passed over. */
static void zeros_are_refused(void **state)
{
    (void)state;
    static const char text[] = "squall: 1\n"
                               "duration: 4s\n"
                               "entities:\n"
                               "  users: {type: client, target: service,\n"
                               "          arrivals: {trace: traffic.csv}}\n"
                               "  service: {type: probe}\n";
    static const char file[] = "1s\n\0\0\0\n2s\0\0\n3s\n";
    FILE *out = fopen(path_of("traffic.csv"), "w");
    assert_non_null(out);
    assert_int_equal(fwrite(file, 1, sizeof file - 1, out), sizeof file - 1);
    assert_int_equal(fclose(out), 0);
    struct diag diag = {.errors = 0};
    assert_null(
        study_parse(path_of("study.yaml"), text, strlen(text), NULL, probe_registry(), &diag));
    assert_int_equal(diag.errors, 2);
    diag_close(&diag);
    unlink(path_of("traffic.csv"));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_in_steps), cmocka_unit_test(rates_on_lines),
        cmocka_unit_test(arrivals_of_a_trace), cmocka_unit_test(content_counts),
        cmocka_unit_test(zeros_are_refused)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
