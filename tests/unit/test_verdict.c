/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/verdict.h"

static void statuses_have_verdicts(void **state)
{
    (void)state;
    for (unsigned s = 100; s < 400; s++) {
        assert_int_equal(verdict_of(s), OUTCOME_SUCCESS);
    }
    unsigned errors = 0;
    for (unsigned s = 400; s < 500; s++) {
        enum outcome o = verdict_of(s);
        assert_true(o == OUTCOME_ERROR || o == OUTCOME_FINAL);
        errors += o == OUTCOME_ERROR;
    }
    assert_int_equal(errors, 3);
    assert_int_equal(verdict_of(408), OUTCOME_ERROR);
    assert_int_equal(verdict_of(429), OUTCOME_ERROR);
    assert_int_equal(verdict_of(489), OUTCOME_ERROR);
    for (unsigned s = 500; s < 600; s++) {
        assert_int_equal(verdict_of(s), OUTCOME_ERROR);
    }
}

static void statuses_have_names(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *name;
    } rows[] = {{200, "ok"},          {408, "timeout"},    {429, "limited"},
                {488, "redirects"},   {489, "network"},    {499, "cancelled"},
                {502, "bad_gateway"}, {503, "overloaded"}, {504, "gateway_timeout"}};
    size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(status_name(rows[i].status), rows[i].name);
    }
    size_t named = 0;
    for (unsigned s = 0; s < 1000; s++) {
        named += status_name(s) != NULL;
    }
    assert_int_equal(named, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_have_verdicts),
        cmocka_unit_test(statuses_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
