/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/units.h"

static struct arena arena;

static int end(void **state)
{
    (void)state;
    arena_close(&arena);
    return 0;
}

static void durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } table[] = {
        {"0", 0},
        {"250us", 250000},
        {"20ms", 20000000},
        {"1.5s", 1500000000},
        {"2m", INT64_C(120000000000)},
        {"1h", INT64_C(3600000000000)},
        {"1d", INT64_C(86400000000000)},
        {"0.5d", INT64_C(43200000000000)},
        {"2 ms", 2000000},
        {"5e-6", 5000},
        {"1E3", INT64_C(1000000000000)},
        {"1e+3us", 1000000},
        {".5", 500000000},
        {"5.", INT64_C(5000000000)},
        {"-3ms", -3000000},
        {"+3ms", 3000000},
        {"1_000ns", 1000},
        {"0.4ns", 0},
        {"0.5ns", 1},
        {"1.49999999999999999999999999999999999999ns", 1},
        {"1.5ns", 2},
        {"1.0000000000000000000000000000000000d", INT64_C(86400000000000)},
        {"99999.99999999999999999999999999999999d", INT64_C(8640000000000000000)},
        {"-0.5ns", -1},
        {"1e-400", 0},
        {"0e999999999999999999", 0},
        {"9223372036.854775806", INT64_MAX - 1},
        {"9223372036854775806ns", INT64_MAX - 1},
        {"-9223372036854775806ns", -INT64_MAX + 1},
        {"0000000000000000000000000000000000000000000000000000001ns", 1},
        {"106751d", INT64_C(9223286400000000000)},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sim_time value = -77;
        const char *reason = units_read_duration(table[i].text, &arena, &value);
        if (reason || value != table[i].ns) {
            fail_msg("%s: %s, %lld", table[i].text, reason ? reason : "read", (long long)value);
        }
    }
}

static void reals_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *unit;
        double value;
    } table[] = {
        {"800/s", "1/s", 800},
        {"50/ms", "1/s", 50000},
        {"2/us", "1/s", 2e6},
        {"3/m", "1/s", 0.05},
        {"1/h", "1/s", 1. / 3600},
        {"800", "1/s", 800},
        {"4KiB", "B", 4096},
        {"1MB", "B", 1e6},
        {"1kB", "B", 1000},
        {"1KB", "B", 1000},
        {"2GB", "B", 2e9},
        {"1MiB", "B", 1048576},
        {"1GiB", "B", 1073741824},
        {"7", "B", 7},
        {"7B", "B", 7},
        {"10MB/s", "B/s", 1e7},
        {"5%", "1", 0.05},
        {"0.05", "1", 0.05},
        {"99.9%", "1", 0.999},
        {"1e6", "1", 1e6},
        {"-2.5e-3", "1", -0.0025},
        {"1_000.5", "1", 1000.5},
        {"1e-999", "1", 0},
        {"0.1", "1", 0.1},
        {"1e22", "1", 1e22},
        {"5e-324", "1", 5e-324},
        {"1.7976931348623157e308", "1", 1.7976931348623157e308},
        {"0.30000000000000004", "1", 0.1 + 0.2},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        double value = -77;
        const char *reason = units_read_real(table[i].text, table[i].unit, &arena, &value);
        if (reason || value != table[i].value) {
            fail_msg("%s: %s, %.17g", table[i].text, reason ? reason : "read", value);
        }
    }
}

static void counts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } table[] = {{"0", 0},        {"16", 16},      {"1e6", 1000000},
                 {"1_000", 1000}, {"2.5e3", 2500}, {"-4", -4},
                 {"1000e-3", 1},  {"3.000", 3},    {"9223372036854775806", INT64_MAX - 1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t value = -77;
        assert_null(units_read_count(table[i].text, &arena, &value));
        assert_int_equal(value, table[i].value);
    }
}

static void refusals_give_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *unit, *reason;
    } table[] = {
        {"20 parsecs", "ns",
         "'20 parsecs' is not a duration (expected for instance 250us, 20ms, 1.5s, 2m)"},
        {"", "ns", "'' is not a duration (expected for instance 250us, 20ms, 1.5s, 2m)"},
        {"20/s", "ns", "'20/s' is not a duration (expected for instance 250us, 20ms, 1.5s, 2m)"},
        {"20ms", "1/s", "'20ms' is not a rate (expected for instance 800/s, 50/ms, 3/m)"},
        {"4KB/s", "B", "'4KB/s' is not a size (expected for instance 512B, 4KiB, 1MB)"},
        {"abc", "1", "'abc' is not a number (expected for instance 0.05, 5%, 2.5e3)"},
        {"1.5", "", "'1.5' is not a whole number (expected for instance 16, 1e6, 1_000)"},
        {"1e-1", "", "'1e-1' is not a whole number (expected for instance 16, 1e6, 1_000)"},
        {"1e30", "", "'1e30' is too large"},
        {"9223372036854775807", "", "'9223372036854775807' is too large"},
        {"300000d", "ns", "'300000d' is too large"},
        {"9223372036854775807ns", "ns", "'9223372036854775807ns' is too large"},
        {"1e309", "1", "'1e309' is too large"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9z", "1",
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is not a number "
         "(expected for instance 0.05, 5%, 2.5e3)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t whole;
        double real;
        const char *unit = table[i].unit;
        const char *reason =
            strcmp(unit, "ns") == 0 ? units_read_duration(table[i].text, &arena, &whole)
            : unit[0] == '\0'       ? units_read_count(table[i].text, &arena, &whole)
                                    : units_read_real(table[i].text, unit, &arena, &real);
        assert_non_null(reason);
        assert_string_equal(reason, table[i].reason);
    }
}

static void odd_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"nan",   "inf",  "-inf", "infinity", "0x10", "0x1p3",
                                        "1e",    "e5",   "--1",  "+-1",      "1 ",   " 1",
                                        ".",     "-",    "1__0", "_1",       "1_",   "1,5",
                                        "1e5.5", "1  s", "1S",   "1_.5",     "١"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t whole;
        double real;
        assert_non_null(units_read_duration(texts[i], &arena, &whole));
        assert_non_null(units_read_count(texts[i], &arena, &whole));
        assert_non_null(units_read_real(texts[i], "1", &arena, &real));
    }
}

static void values_are_written_shortly(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } durations[] = {
        {0, "0s"},
        {1, "1ns"},
        {250000, "250us"},
        {1500000000, "1.5s"},
        {100000000, "100ms"},
        {1000000001, "1.000000001s"},
        {1001, "1001ns"},
        {INT64_C(90000000000), "90s"},
        {INT64_C(120000000000), "2m"},
        {INT64_C(86400000000000), "1d"},
        {-20000000, "-20ms"},
        {INT64_MAX - 1, "9223372036.854775806s"},
    };
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        assert_string_equal(units_write_duration(durations[i].ns).text, durations[i].text);
    }
    static const struct {
        double value;
        const char *unit, *text;
    } reals[] = {
        {800, "1/s", "800/s"},
        {0.05, "1", "0.05"},
        {4096, "B", "4KiB"},
        {1e6, "B", "1MB"},
        {1500, "B", "1500B"},
        {0, "B", "0B"},
        {0.5, "B", "0.5B"},
        {0.1 + 0.2, "1", "0.30000000000000004"},
        {1e300, "1", "1e300"},
        {-1.5e-9, "1", "-1.5e-9"},
        {1e15, "1", "1000000000000000"},
        {1e16, "1", "1e16"},
        {123456, "1", "123456"},
        {1e-5, "1", "0.00001"},
        {1e7, "B/s", "10MB/s"},
        {-0.0, "1", "-0"},
    };
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        assert_string_equal(units_write_real(reals[i].value, reals[i].unit).text, reals[i].text);
    }
}

static void written_values_read_back(void **state)
{
    (void)state;
    static const char *const units[] = {"1", "1/s", "B", "B/s"};
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bits = hash_mix64(i + 1);
        int64_t whole = (int64_t)(bits >> (1 + hash_mix64(bits) % 63)), again = -1;
        whole = i % 3 ? whole : whole / 1000000 * 1000000;
        assert_null(units_read_duration(units_write_duration(whole).text, &arena, &again));
        assert_int_equal(again, whole);
        assert_null(units_read_count(units_write_count(-whole).text, &arena, &again));
        assert_int_equal(again, -whole);
        double real, same;
        memcpy(&real, &bits, sizeof real);
        real = i % 2 ? real : (double)whole;
        if (real - real != 0) {
            continue; /* nan or infinite */
        }
        struct units_text text = units_write_real(real, units[i % 4]);
        assert_null(units_read_real(text.text, units[i % 4], &arena, &same));
        assert_memory_equal(&same, &real, sizeof real);
    }
}

/* The reader against strtod, and no locale may matter to it. */
static void reals_agree_with_strtod(void **state)
{
    (void)state;
    static const char *const locales[] = {"C", "de_DE.UTF-8", "C"};
    for (size_t k = 0; k < 3; k++) {
        for (uint64_t i = 0; i < 3000; i++) {
            char text[64];
            uint64_t bits = hash_mix64(i);
            setlocale(LC_ALL, "C");
            snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)(bits >> 20),
                     (unsigned long long)hash_mix64(bits) >> (i % 50), (int)(bits % 590) - 300);
            double expected = strtod(text, NULL), value;
            setlocale(LC_ALL, locales[k]);
            assert_null(units_read_real(text, "1", &arena, &value));
            assert_memory_equal(&value, &expected, sizeof value);
        }
    }
}

static void quantities_are_described(void **state)
{
    (void)state;
    size_t n = 0;
    for (; units_known(n); n++) {
        /* A bare number is one with the suffix that is said to be meant. */
        const char *unit = units_known(n), *bare = units_bare(unit);
        double plain, meant;
        assert_null(units_read_real("8", unit, &arena, &plain));
        assert_null(units_read_real(arena_format(&arena, "8%s", bare), unit, &arena, &meant));
        assert_true(plain == meant);
        assert_non_null(strstr(units_suffixes(unit, " ", &arena), bare));
    }
    assert_int_equal(n, 6);
    assert_string_equal(units_bare("ns"), "s");
    assert_string_equal(units_bare("1"), "");
    assert_string_equal(units_suffixes("1/s", ", ", &arena), "/s, /ms, /us, /m, /h");
    assert_string_equal(units_suffixes("", ", ", &arena), "");
    assert_string_equal(units_examples("1/s"), "800/s, 50/ms, 3/m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read),       cmocka_unit_test(reals_are_read),
        cmocka_unit_test(counts_are_read),          cmocka_unit_test(refusals_give_the_reason),
        cmocka_unit_test(odd_numbers_are_refused),  cmocka_unit_test(values_are_written_shortly),
        cmocka_unit_test(written_values_read_back), cmocka_unit_test(reals_agree_with_strtod),
        cmocka_unit_test(quantities_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
