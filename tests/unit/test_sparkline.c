/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of blocks: which block a value has, and when they are drawn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "cli/sparkline.h"

static void expect(const double *value, size_t n, const char *line, double least, double most)
{
    struct arena memory = {0};
    double low, high;
    assert_string_equal(sparkline_draw(value, n, &memory, &low, &high), line);
    assert_true(low == least || (isnan(low) && isnan(least)));
    assert_true(high == most || (isnan(high) && isnan(most)));
    arena_close(&memory);
}

static void blocks_go_from_least_to_most(void **state)
{
    (void)state;
    expect((const double[]){0, 1, 2, 3, 4, 5, 6, 7}, 8, "▁▂▃▄▅▆▇█", 0.0, 7.0);
    expect((const double[]){30, -5, 30, 12.4}, 4, "█▁█▄", -5.0, 30.0);
}

static void a_flat_line_is_low_where_it_is_zero(void **state)
{
    (void)state;
    expect((const double[]){0, 0, 0}, 3, "▁▁▁", 0.0, 0.0);
    expect((const double[]){2, 2}, 2, "▄▄", 2.0, 2.0);
}

static void what_has_no_value_is_left_open(void **state)
{
    (void)state;
    expect((const double[]){NAN, 1, NAN, 3, NAN}, 5, " ▁ █ ", 1.0, 3.0);
    expect((const double[]){NAN, NAN}, 2, "  ", NAN, NAN);
    expect(NULL, 0, "", NAN, NAN);
}

static void a_file_has_none_unless_told(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    setenv("LC_ALL", "en_US.UTF-8", 1);
    assert_false(sparkline_wanted(SPARKLINE_AUTO, file));
    assert_false(sparkline_wanted(SPARKLINE_NEVER, file));
    assert_true(sparkline_wanted(SPARKLINE_ALWAYS, file));
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_go_from_least_to_most),
        cmocka_unit_test(a_flat_line_is_low_where_it_is_zero),
        cmocka_unit_test(what_has_no_value_is_left_open),
        cmocka_unit_test(a_file_has_none_unless_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
