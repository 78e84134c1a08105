/* SPDX-License-Identifier: Apache-2.0
 *
 * How many replications may be given up, and what is said of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "experiment/failures.h"

static void a_limit_counts_or_is_a_share(void **state)
{
    (void)state;
    struct failures_limit none = {.text = NULL}, two = {.text = "2", .count = 2},
                          tenth = {.text = "10%", .is_share = true, .share = 0.1},
                          no_share = {.text = "0%", .is_share = true, .share = 0.0};
    assert_false(failures_too_many(&none, 1000000, 1));
    assert_false(failures_too_many(&two, 2, 2));
    assert_true(failures_too_many(&two, 3, 1000000));
    assert_false(failures_too_many(&tenth, 10, 100));
    assert_true(failures_too_many(&tenth, 11, 100));
    assert_false(failures_too_many(&no_share, 0, 100));
    assert_true(failures_too_many(&no_share, 1, 1000000));
}

static void results_are_no_failures(void **state)
{
    (void)state;
    assert_false(failures_count(RUN_OK));
    assert_false(failures_count(RUN_BUDGET_TRIPPED));
    assert_true(failures_count(RUN_EVENT_LIMIT));
    assert_true(failures_count(RUN_WATCHDOG));
}

static void the_first_ones_are_named(void **state)
{
    (void)state;
    struct arena memory = {0};
    struct failures f = {.all = 90, .n = 2};
    f.by_status[RUN_WATCHDOG] = f.by_status[RUN_EVENT_LIMIT] = 1;
    f.first[0].point = 3;
    f.first[0].replication = 7;
    f.first[0].status = RUN_WATCHDOG;
    f.first[1].point = 8;
    f.first[1].status = RUN_EVENT_LIMIT;
    assert_string_equal(failures_text(&f, &memory),
                        "2 of 90 replications did not end well: 1 event_limit, 1 watchdog; "
                        "point/replication: 3/7 (watchdog), 8/0 (event_limit)");
    f.n = FAILURES_TOLD + 1;
    f.by_status[RUN_WATCHDOG] = FAILURES_TOLD;
    for (int i = 0; i < FAILURES_TOLD; i++) {
        f.first[i].status = RUN_WATCHDOG;
    }
    const char *text = failures_text(&f, &memory);
    assert_non_null(strstr(text, "6 of 90 replications"));
    assert_string_equal(text + strlen(text) - strlen(", 0/0 (watchdog), ..."),
                        ", 0/0 (watchdog), ...");
    arena_close(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_counts_or_is_a_share),
        cmocka_unit_test(results_are_no_failures),
        cmocka_unit_test(the_first_ones_are_named),
    };
    return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
