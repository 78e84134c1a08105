/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables: how numbers are rounded and scaled, and where columns stand.
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

#include "cli/table.h"

/* What is printed; to be freed. */
static char *print(struct table *t)
{
    FILE *out = tmpfile();
    assert_non_null(out);
    table_print(t, out);
    table_close(t);
    size_t size = (size_t)ftell(out);
    char *text = calloc(1, size + 1);
    assert_non_null(text);
    rewind(out);
    assert_int_equal(fread(text, 1, size, out), size);
    fclose(out);
    return text;
}

/* A figure as it stands in a table. */
static char *shown(double value, double uncertainty, const char *unit)
{
    struct table t = {.rows = NULL};
    table_row(&t, "");
    table_figure(&t, value, uncertainty, unit, "");
    char *text = print(&t), *from = text + strspn(text, " ");
    memmove(text, from, strlen(from) + 1);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void test_figures_have_sensible_digits(void **state)
{
    (void)state;
    const struct {
        double value, uncertainty;
        const char *unit, *text;
    } cases[] = {
        {14.2871e6, 0.0512e6, "ns", "14.29 ms ±0.05"},
        {14.2871e6, 0.0123e6, "ns", "14.287 ms ±0.012"},
        {14.2871e6, 0.0999e6, "ns", "14.29 ms ±0.10"},
        {14.2871e6, 3.4e6, "ns", "14 ms ±3"},
        {14.2871e6, 340e6, "ns", "14 ms ±340"},
        {14.2871e6, INFINITY, "ns", "14.29 ms ±?"},
        {14.2871e6, NAN, "ns", "14.29 ms"},
        {14.2871e6, 0.0, "ns", "14.29 ms ±0"},
        {14.2871e6, 1.0, "ns", "14.2871 ms ±0.0001"}, /* not more digits than six, and not zero */
        {0.0, NAN, "ns", "0 ns"},
        {0.0, 0.0, "ns", "0 ns ±0"},
        {0.0, 2.5e6, "ns", "0.0 ms ±2.5"},
        {213.0, NAN, "ns", "213 ns"},
        {999.94e3, NAN, "ns", "999.9 us"},
        {999.96e3, NAN, "ns", "1.000 ms"},
        {3661e9, 2e9, "ns", "3,661.0 s ±2.0"},
        {9.02e9, 0.09e9, "ns/s", "9.02 s/s ±0.09"},
        {1.5e6, NAN, "B", "1.500 MB"},
        {17996.125, 68.3, "1", "17,996 ±68"},
        {899.8, 3.4, "1/s", "900 ±3"},
        {899.8, 2.5, "1/s", "899.8 ±2.5"},
        {594.0, INFINITY, "1", "594 ±?"},
        {1234567.0, NAN, "1", "1,234,567"},
        {123456.0, NAN, "1", "123,456"},
        {-1234.5, 1.2, "1", "-1,234.5 ±1.2"},
        {-123.0, NAN, "1", "-123"},
        {0.0007, 0.0008, "1", "0.0007 ±0.0008"},
        {4.25, 0.5, "K", "4.2 K ±0.5"}, /* a unit it does not know */
        {NAN, NAN, "ns", "-"},
        {NAN, INFINITY, "ns", "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = shown(cases[i].value, cases[i].uncertainty, cases[i].unit);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

/* Reads a number with commas. */
static double read_number(const char *text, char **end)
{
    char plain[64];
    size_t n = 0, i = 0;
    for (; text[i] && strchr("0123456789.,-", text[i]); i++) {
        if (text[i] != ',') {
            plain[n++] = text[i];
        }
    }
    plain[n] = '\0';
    *end = (char *)(uintptr_t)(text + i);
    return strtod(plain, NULL);
}

/* Whatever the size of value and uncertainty: the value is shown to within its uncertainty or to
 * six digits, and the uncertainty to within a fifth of itself. */
static void test_figures_are_not_distorted(void **state)
{
    (void)state;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        double value = pow(10.0, -3.0 + 15.0 * rand() / RAND_MAX);
        double uncertainty = value * pow(10.0, -7.0 + 8.0 * rand() / RAND_MAX);
        char *text = shown(value, uncertainty, "1"), *rest;
        double value_shown = read_number(text, &rest);
        assert_memory_equal(rest, " ±", strlen(" ±"));
        double uncertainty_shown = read_number(rest + strlen(" ±"), &rest);
        assert_string_equal(rest, "");
        assert_true(fabs(value_shown - value) <= fmax(0.5 * uncertainty, 1e-5 * value) ||
                    fabs(value_shown - value) <= 0.5);
        assert_true(uncertainty_shown > 0.0);
        assert_true(fabs(uncertainty_shown - uncertainty) <= 0.2 * uncertainty ||
                    fabs(uncertainty_shown - uncertainty) <= fmax(1e-5 * value, 1e-12) ||
                    fabs(uncertainty_shown - uncertainty) <= 0.5);
        free(text);
    }
}

static void test_columns_line_up(void **state)
{
    (void)state;
    struct table t = {.rows = NULL};
    table_head(&t, "counters");
    table_text(&t, "per replication");
    table_text(&t, "max");
    table_row(&t, "sent");
    table_figure(&t, 18029.0, 78.0, "1", "");
    table_figure(&t, 94.0, NAN, "1", "");
    table_row(&t, "lost");
    table_figure(&t, 7.25, 0.12, "1", "*");
    table_figure(&t, 1.0, NAN, "1", "");
    table_head(&t, "gauges");
    table_text(&t, "mean");
    table_row(&t, "in_flight");
    table_figure(&t, 14.29e6, 0.05e6, "ns", "");
    char *text = print(&t);
    assert_string_equal(text, "  counters    per replication   max\n"
                              "  sent          18,029 ±78       94\n"
                              "  lost            7.25 ±0.12*     1\n"
                              "\n"
                              "  gauges                 mean\n"
                              "  in_flight   14.29 ms ±0.05\n");
    free(text);
}

/* Characters of the longest line. */
static size_t longest_line(const char *text)
{
    size_t n = 0, longest = 0;
    for (; *text; text++) {
        n = *text == '\n' ? 0 : n + (((unsigned char)*text & 0xC0) != 0x80);
        longest = n > longest ? n : longest;
    }
    return longest;
}

static void test_wide_tables_go_on_below(void **state)
{
    (void)state;
    for (int columns = 1; columns < 40; columns++) {
        struct table t = {.rows = NULL};
        table_head(&t, "histograms");
        for (int c = 0; c < columns; c++) {
            char name[32];
            snprintf(name, sizeof name, "<name_%d>", c);
            table_text(&t, name);
        }
        char label[64]; /* of every length, so that lines of every length are tried */
        snprintf(label, sizeof label, "%0*d", columns, 0);
        table_row(&t, label);
        for (int c = 0; c < columns; c++) {
            table_figure(&t, 14.29e6 + 1e6 * c, 0.05e6, "ns", "");
        }
        table_head(&t, "counters");
        table_text(&t, "only");
        char *text = print(&t);
        assert_true(longest_line(text) <= TABLE_WIDTH);
        for (int c = 0; c < columns; c++) {
            char name[32];
            snprintf(name, sizeof name, "<name_%d>", c);
            char *at = strstr(text, name);
            assert_non_null(at);
            assert_null(strstr(at + 1, name));
        }
        assert_non_null(strstr(text, "only"));
        assert_null(strstr(strstr(text, "counters") + 1, "counters"));
        assert_null(strstr(text, " \n"));
        free(text);
    }
}

static void test_a_head_may_have_several_lines(void **state)
{
    (void)state;
    struct table t = {.rows = NULL, .width = 20};
    for (int section = 0; section < 2; section++) {
        table_head(&t, "");
        table_text(&t, "over");
        table_head(&t, "a");
        table_text(&t, "under");
        table_row(&t, "b");
        table_text(&t, "1");
    }
    char *text = print(&t);
    assert_string_equal(text, "       over\n  a   under\n  b       1\n\n"
                              "       over\n  a   under\n  b       1\n");
    free(text);
}

static void test_an_empty_table_prints_nothing(void **state)
{
    (void)state;
    struct table t = {.rows = NULL};
    char *text = print(&t);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_have_sensible_digits),
        cmocka_unit_test(test_figures_are_not_distorted),
        cmocka_unit_test(test_columns_line_up),
        cmocka_unit_test(test_wide_tables_go_on_below),
        cmocka_unit_test(test_a_head_may_have_several_lines),
        cmocka_unit_test(test_an_empty_table_prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
