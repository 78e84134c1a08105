/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as JSON and CSV have them: short, and the same when read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static char *written(double value, char text[64])
{
    FILE *out = fmemopen(text, 64, "w");
    assert_non_null(out);
    json_real(out, value);
    fclose(out);
    return text;
}

static void numbers_have_no_more_digits_than_they_take(void **state)
{
    (void)state;
    char text[64];
    assert_string_equal(written(0.95, text), "0.95");
    assert_string_equal(written(-0.1, text), "-0.1");
    assert_string_equal(written(300.0, text), "300");
    assert_string_equal(written(0.1 + 0.2, text), "0.30000000000000004");
    assert_string_equal(written(5e-324, text), "4.94065645841247e-324");
    assert_string_equal(written(NAN, text), "null");
    assert_string_equal(written(-INFINITY, text), "null");
}

static void numbers_read_back_to_the_bit(void **state)
{
    (void)state;
    uint64_t bits = 1;
    char text[64];
    for (int i = 0; i < 20000; i++) {
        double value, read;
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            read = strtod(written(value, text), NULL);
            assert_memory_equal(&read, &value, sizeof value);
        }
    }
    assert_true(strtod(written(DBL_MAX, text), NULL) == DBL_MAX);
    assert_true(signbit(strtod(written(-0.0, text), NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_no_more_digits_than_they_take),
        cmocka_unit_test(numbers_read_back_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
