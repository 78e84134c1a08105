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
        assert_int_equal(verdict_of(s), s == 597 ? OUTCOME_FINAL : OUTCOME_ERROR);
    }
}

static void statuses_have_names(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *name;
    } rows[] = {{100, "continue"},     {200, "ok"},         {202, "accepted"},
                {408, "timeout"},      {409, "conflict"},   {429, "limited"},
                {488, "redirects"},    {489, "network"},    {499, "cancelled"},
                {502, "bad_gateway"},  {503, "overloaded"}, {504, "gateway_timeout"},
                {597, "no_connection"}};
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

static enum outcome outcome_of(unsigned status, unsigned flags, enum attempt_error error)
{
    struct attempt_end end = {
        .status = (uint16_t)status, .flags = (uint8_t)flags, .error = (uint8_t)error};
    return verdict_of_end(&end, NULL);
}

static void replies_make_ends(void **state)
{
    (void)state;
    struct attempt_end e = attempt_end_of_reply(503, REPLY_NO_RETRY | REPLY_RETRY_AFTER, 7);
    assert_int_equal(e.status, 503);
    assert_int_equal(e.error, ERROR_NONE);
    assert_int_equal(e.flags, REPLY_NO_RETRY | REPLY_RETRY_AFTER);
    assert_int_equal(e.retry_after, 7);
    assert_int_equal(attempt_end_of_reply(489, 0, 0).error, ERROR_RESET);
    assert_int_equal(attempt_end_of_reply(489, 0, 0).status, 489);
    e = attempt_end_of_reply(489, REPLY_REFUSED, 0);
    assert_int_equal(e.error, ERROR_REFUSED);
    assert_int_equal(e.status, 0);
    assert_int_equal(e.flags, 0);
}

static void ends_have_verdicts(void **state)
{
    (void)state;
    for (unsigned s = 100; s < 600; s++) {
        enum outcome plain = verdict_of(s);
        assert_int_equal(outcome_of(s, REPLY_FLAKY | REPLY_PROCESSING, ERROR_NONE), plain);
        assert_int_equal(outcome_of(s, REPLY_NO_RETRY, ERROR_NONE),
                         plain == OUTCOME_SUCCESS ? OUTCOME_SUCCESS : OUTCOME_FINAL);
    }
    assert_int_equal(outcome_of(0, 0, ERROR_TIMEOUT), OUTCOME_TIMEOUT);
    assert_int_equal(outcome_of(0, 0, ERROR_REFUSED), OUTCOME_ERROR);
    assert_int_equal(outcome_of(0, 0, ERROR_RESET), OUTCOME_ERROR);
    assert_int_equal(outcome_of(0, 0, ERROR_DROPPED), OUTCOME_ERROR);
    assert_int_equal(outcome_of(0, 0, ERROR_CIRCUIT_OPEN), OUTCOME_FINAL);
    assert_int_equal(outcome_of(0, 0, ERROR_NO_CONNECTION), OUTCOME_FINAL);
    assert_int_equal(outcome_of(0, 0, ERROR_THROTTLED), OUTCOME_FINAL);
    assert_int_equal(outcome_of(0, 0, ERROR_DEADLINE), OUTCOME_FINAL);
}

static void own_verdicts_come_before_the_answers_wish(void **state)
{
    (void)state;
    struct status_range server = {.low = 500, .high = 599}, gone = {.low = 410, .high = 410};
    struct status_verdict rows[] = {{{&gone, 1}, OUTCOME_SUCCESS}, {{&server, 1}, OUTCOME_ERROR}};
    status_verdicts own = {rows, 2};
    struct attempt_end end = {.status = 500, .flags = REPLY_NO_RETRY};
    assert_int_equal(verdict_of_end(&end, &own), OUTCOME_ERROR);
    end.status = 410;
    assert_int_equal(verdict_of_end(&end, &own), OUTCOME_SUCCESS);
    end.status = 429;
    assert_int_equal(verdict_of_end(&end, &own), OUTCOME_FINAL);
    end.error = ERROR_TIMEOUT;
    assert_int_equal(verdict_of_end(&end, &own), OUTCOME_TIMEOUT);
}

static void words_stand_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    assert_string_equal(attempt_error_words[ERROR_DEADLINE], "deadline");
    assert_null(attempt_error_words[ERROR_DEADLINE + 1]);
    assert_string_equal(method_words[METHOD_OTHER], "OTHER");
    assert_null(method_words[METHOD_OTHER + 1]);
    static const struct {
        unsigned bit;
        const char *word;
    } flags[] = {{REPLY_NO_RETRY, "do_not_retry"},
                 {REPLY_RETRY_AFTER, "retry_after"},
                 {REPLY_RETRY_AT, "retry_at"},
                 {REPLY_FLAKY, "flaky"},
                 {REPLY_PROCESSING, "processing"}};
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        assert_int_equal(flags[i].bit, 1u << i);
        assert_string_equal(reply_flag_words[i], flags[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_have_verdicts),
        cmocka_unit_test(statuses_have_names),
        cmocka_unit_test(replies_make_ends),
        cmocka_unit_test(ends_have_verdicts),
        cmocka_unit_test(own_verdicts_come_before_the_answers_wish),
        cmocka_unit_test(words_stand_in_the_order_of_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
