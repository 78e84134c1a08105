/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call site remembers, worked out by hand where one mechanism meets another: attempts that
 * are given up, refused or kept back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/probe.h"
#include "support/trial.h"

/* Without other wishes a connection is tried once. */
static void a_refused_attempt_is_sent_once(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: client, target: web, arrivals: {times: [1s, 2s]}}\n"
                   "  web: {type: server, responses: [{outcome: refuse}]}\n"
                   "network: [{latency: 10ms}]\n");
    trial_run(&t, 0);
    assert_int_equal(trial_counter(&t, "users.requests_sent"), 2);
    assert_int_equal(trial_counter(&t, "users.refused"), 2);
    assert_int_equal(trial_counter(&t, "users.reconnects"), 0);
    assert_int_equal(trial_counter(&t, "users.failures"), 2);
    assert_int_equal(trial_counter(&t, "web.requests_received"), 2);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_refused_attempt_is_sent_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
