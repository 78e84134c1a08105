/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "policies/breaker.h"
#include "rng/stream.h"
#include "support/choice.h"

/* The breaker under test. Times are in [ms], unless they are of sim_time. */
static struct breaker breaker;
static union {
    struct breaker_state state;
    unsigned char bytes[32768];
} memory;
static struct breaker_state *const state = &memory.state;

static void begin(const char *text)
{
    assert_true(choice_read(&breaker_choice, text, &breaker));
    assert_true(breaker_state_size(&breaker) <= sizeof memory);
    memset(&memory, 0, sizeof memory);
}

static struct breaker_ticket sent(int64_t at)
{
    struct breaker_ticket ticket;
    assert_true(breaker_allow(&breaker, state, at * SIM_TIME_MS, &ticket));
    return ticket;
}

static void refused(int64_t at)
{
    struct breaker_ticket ticket;
    assert_false(breaker_allow(&breaker, state, at * SIM_TIME_MS, &ticket));
}

static void ends(int64_t at, struct breaker_ticket *ticket, enum outcome outcome)
{
    breaker_result(&breaker, state, at * SIM_TIME_MS, ticket, outcome, 0);
}

/* A request that ends as soon as it is sent. */
static void succeeds(int64_t at)
{
    struct breaker_ticket ticket = sent(at);
    ends(at, &ticket, OUTCOME_SUCCESS);
}

static void fails(int64_t at)
{
    struct breaker_ticket ticket = sent(at);
    ends(at, &ticket, OUTCOME_ERROR);
}

static enum breaker_phase phase(int64_t at)
{
    return breaker_phase(&breaker, state, at * SIM_TIME_MS);
}

static void counts_are(uint64_t changes, uint64_t opened, uint64_t closed, uint64_t rejected)
{
    assert_int_equal(state->state_changes, changes);
    assert_int_equal(state->times_opened, opened);
    assert_int_equal(state->times_closed, closed);
    assert_int_equal(state->rejected, rejected);
}

static void forms_are_read(void **unused)
{
    (void)unused;
    begin("breaker: none");
    assert_int_equal(breaker.kind, BREAKER_NONE);
    assert_int_equal(breaker_state_size(&breaker), 0);
    begin("breaker: consecutive");
    assert_int_equal(breaker.kind, BREAKER_CONSECUTIVE);
    assert_int_equal(breaker.failure_threshold, 5);
    assert_int_equal(breaker.success_threshold, 1);
    assert_int_equal(breaker.half_open_max_requests, 1);
    assert_int_equal(breaker.open_duration, 60 * SIM_TIME_S);
    assert_int_equal(breaker.while_open, BREAKER_OPEN_IGNORES);
    assert_int_equal(breaker.scope, BREAKER_PER_CALL);
    assert_int_equal(breaker.check, BREAKER_CHECK_REQUEST);
    assert_int_equal(breaker.failure_on, FAILURE_TIMEOUT | FAILURE_ERROR);
    assert_true(breaker.slow_call_duration == SIM_TIME_NEVER);
    begin("breaker: state_attributed");
    assert_int_equal(breaker.failure_threshold, 5);
    assert_int_equal(breaker.success_threshold, 2);
    assert_int_equal(breaker.half_open_max_requests, 1);
    assert_int_equal(breaker.open_duration, 30 * SIM_TIME_S);
    begin("breaker: {ratio: {failure_threshold: 50%, minimum_throughput: 20, sampling_duration: 10,"
          " break_duration: 5s}, scope: endpoint, check: attempt, failure_on: [final, timeout]}");
    assert_true(breaker.failure_ratio == 0.5);
    assert_int_equal(breaker.minimum_throughput, 20);
    assert_int_equal(breaker.sampling_duration, 10 * SIM_TIME_S);
    assert_int_equal(breaker.open_duration, 5 * SIM_TIME_S);
    assert_int_equal(breaker.windows_count, 10);
    assert_int_equal(breaker.scope, BREAKER_PER_ENDPOINT);
    assert_int_equal(breaker.check, BREAKER_CHECK_ATTEMPT);
    assert_int_equal(breaker.failure_on, FAILURE_TIMEOUT | FAILURE_FINAL);
}

static void mistakes_are_refused(void **unused)
{
    (void)unused;
#define RATIO(threshold, throughput, sample, pause, windows) \
    "breaker: {kind: ratio, failure_threshold: " threshold ", minimum_throughput: " throughput \
    ", sampling_duration: " sample ", break_duration: " pause ", windows_count: " windows "}"
    static const char *const wrong[] = {
        "breaker: ratio",
        RATIO("0", "2", "1s", "1s", "10"),
        RATIO("1", "2", "1s", "1s", "10"),
        RATIO("-0.5", "2", "1s", "1s", "10"),
        RATIO("0.5", "0", "1s", "1s", "10"),
        RATIO("0.5", "2", "0s", "1s", "10"),
        RATIO("0.5", "2", "1s", "0s", "10"),
        RATIO("0.5", "2", "1s", "1s", "0"),
        RATIO("0.5", "2", "1s", "1s", "1001"),
        "breaker: {consecutive: {failure_threshold: 0}}",
        "breaker: {consecutive: {success_threshold: 0}}",
        "breaker: {consecutive: {recovery_timeout: 0s}}",
        "breaker: {consecutive: {recovery_timeout: none}}",
        "breaker: {consecutive: {half_open_max_requests: 0}}",
        "breaker: {consecutive: {timeout: 30s}}",
        "breaker: {state_attributed: {failure_threshold: 0}}",
        "breaker: {state_attributed: {success_threshold: 0}}",
        "breaker: {state_attributed: {timeout: 0s}}",
        "breaker: {state_attributed: {half_open_max_requests: 0}}",
        "breaker: {state_attributed: {half_open_max_requests: unlimited}}",
        "breaker: {consecutive: {}, slow_call_duration: 0s}",
        "breaker: {consecutive: {}, failure_on: success}",
        "breaker: {consecutive: {}, scope: client}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (choice_read(&breaker_choice, wrong[i], &breaker)) {
            fail_msg("accepted: %s", wrong[i]);
        }
    }
    assert_true(choice_read(&breaker_choice, RATIO("0.5", "1", "1ns", "1ns", "1000"), &breaker));
}

static void none_needs_no_state(void **unused)
{
    (void)unused;
    begin("breaker: none");
    struct breaker_ticket ticket = {.serial = 7, .place = 7, .phase = 7};
    for (int i = 0; i < 100; i++) {
        assert_true(breaker_allow(&breaker, NULL, i, &ticket));
        assert_int_equal(ticket.place, 0);
        breaker_result(&breaker, NULL, i, &ticket, OUTCOME_TIMEOUT, 1);
        breaker_forget(&breaker, NULL, i, &ticket);
    }
    assert_int_equal(breaker_phase(&breaker, NULL, 100), BREAKER_CLOSED);
}

/* Failures in a row. */

static void five_failures_in_a_row_open(void **unused)
{
    (void)unused;
    begin("breaker: consecutive");
    for (int i = 0; i < 4; i++) {
        fails(i);
    }
    succeeds(10);
    assert_int_equal(state->failures, 0);
    for (int i = 0; i < 4; i++) {
        fails(20 + i);
    }
    assert_int_equal(phase(30), BREAKER_CLOSED);
    fails(1000);
    assert_int_equal(phase(1000), BREAKER_OPEN);
    assert_int_equal(state->failures, 5);
    refused(1000);
    refused(60999);
    assert_int_equal(phase(61000), BREAKER_OPEN); /* nobody has asked yet */
    struct breaker_ticket probe = sent(61000);
    assert_int_equal(probe.phase, BREAKER_HALF_OPEN);
    assert_int_equal(phase(61000), BREAKER_HALF_OPEN);
    refused(61000); /* one probe only */
    ends(61500, &probe, OUTCOME_SUCCESS);
    assert_int_equal(phase(61500), BREAKER_CLOSED);
    counts_are(3, 1, 1, 3);
    fails(61501);
    assert_int_equal(state->failures, 1);
}

#define CONSECUTIVE(more) \
    "breaker: {kind: consecutive, failure_threshold: 2, recovery_timeout: 1s" more "}"
#define UPSTREAM ", half_open_max_requests: unlimited, while_open: counted"

static void failed_probe_opens_for_another_recovery(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(""));
    fails(0);
    fails(100);
    struct breaker_ticket probe = sent(1100);
    ends(1300, &probe, OUTCOME_TIMEOUT);
    assert_int_equal(phase(1300), BREAKER_OPEN);
    refused(2299);
    succeeds(2300);
    assert_int_equal(phase(2300), BREAKER_CLOSED);
    counts_are(5, 2, 1, 1);
}

static void results_while_open_are_ignored(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(""));
    struct breaker_ticket a = sent(0), b = sent(0);
    fails(0);
    fails(0);
    ends(500, &a, OUTCOME_ERROR);
    ends(600, &b, OUTCOME_SUCCESS);
    assert_int_equal(state->failures, 2);
    assert_int_equal(phase(600), BREAKER_OPEN);
    fails(1000); /* its time did not move, and this one failure is enough */
    assert_int_equal(phase(1000), BREAKER_OPEN);
    counts_are(3, 2, 0, 0);
}

static void counted_results_delay_recovery_and_forget_failures(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(UPSTREAM));
    struct breaker_ticket a = sent(0), b = sent(0);
    fails(0);
    fails(0);
    ends(500, &a, OUTCOME_ERROR);
    assert_int_equal(state->failures, 3);
    refused(1499);
    ends(1499, &b, OUTCOME_SUCCESS);
    assert_int_equal(state->failures, 0);
    assert_int_equal(phase(1499), BREAKER_OPEN);
    fails(1500); /* a probe, but it takes the threshold to open again */
    assert_int_equal(phase(1500), BREAKER_HALF_OPEN);
    fails(1501);
    assert_int_equal(phase(1501), BREAKER_OPEN);
    counts_are(3, 2, 0, 1);
}

static void unlimited_probes_all_go_through(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(UPSTREAM));
    assert_int_equal(breaker_state_size(&breaker), sizeof(struct breaker_state));
    fails(0);
    fails(0);
    struct breaker_ticket probes[100];
    for (int i = 0; i < 100; i++) {
        probes[i] = sent(1000);
    }
    assert_int_equal(phase(1000 * 1000), BREAKER_HALF_OPEN); /* none of them is waited for */
    ends(5000, &probes[0], OUTCOME_ERROR);
    assert_int_equal(phase(5000), BREAKER_OPEN);
    for (int i = 1; i < 100; i++) {
        ends(5001, &probes[i], OUTCOME_ERROR);
    }
    assert_int_equal(state->failures, 102);
    refused(6000);
    succeeds(6001);
    assert_int_equal(phase(6001), BREAKER_CLOSED);
}

static void one_request_may_report_each_attempt(void **unused)
{
    (void)unused;
    begin("breaker: {kind: consecutive, failure_threshold: 3, recovery_timeout: 1s}");
    struct breaker_ticket request = sent(0);
    for (int i = 0; i < 3; i++) {
        ends(i * 100, &request, OUTCOME_ERROR);
    }
    assert_int_equal(phase(200), BREAKER_OPEN);
    ends(300, &request, OUTCOME_SUCCESS); /* its last retry, which was not asked for */
    assert_int_equal(phase(300), BREAKER_OPEN);
    request = sent(1200);
    refused(1200);
    ends(1300, &request, OUTCOME_TIMEOUT);
    ends(1400, &request, OUTCOME_TIMEOUT);
    counts_are(3, 2, 0, 1);
    struct breaker_ticket other = sent(2300);
    ends(2310, &request, OUTCOME_FINAL); /* does not give back the place of the other one */
    refused(2320);
    ends(2330, &other, OUTCOME_SUCCESS);
    assert_int_equal(phase(2330), BREAKER_CLOSED);
}

static void later_attempts_of_a_probe_count_like_others(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(", while_open: counted"));
    fails(0);
    fails(0);
    struct breaker_ticket probe = sent(1000);
    ends(1100, &probe, OUTCOME_ERROR);
    ends(1200, &probe, OUTCOME_ERROR);
    refused(2199);
    sent(2200);
}

static void several_successes_may_be_asked_for(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(", success_threshold: 2"));
    fails(0);
    fails(0);
    succeeds(1000);
    assert_int_equal(phase(1000), BREAKER_HALF_OPEN);
    fails(1001); /* one is still enough to open, whatever the successes */
    assert_int_equal(phase(1001), BREAKER_OPEN);
    succeeds(2001);
    assert_int_equal(phase(2001), BREAKER_HALF_OPEN); /* successes are counted anew */
    succeeds(2002);
    assert_int_equal(phase(2002), BREAKER_CLOSED);
    assert_int_equal(state->failures, 0);
}

static void other_outcomes_neither_count_nor_reset(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(", failure_on: timeout"));
    struct breaker_ticket t = sent(0);
    ends(0, &t, OUTCOME_TIMEOUT);
    ends(1, &t, OUTCOME_ERROR);
    ends(2, &t, OUTCOME_FINAL);
    assert_int_equal(state->failures, 1);
    ends(3, &t, OUTCOME_TIMEOUT);
    assert_int_equal(phase(3), BREAKER_OPEN);
    t = sent(1003);
    ends(1004, &t, OUTCOME_ERROR); /* decides nothing, but makes room for the next probe */
    assert_int_equal(phase(1004), BREAKER_HALF_OPEN);
    succeeds(1005);
    assert_int_equal(phase(1005), BREAKER_CLOSED);
}

static void each_outcome_has_its_word(void **unused)
{
    (void)unused;
    static const char *const words[] = {"error", "final", "timeout"};
    static const enum outcome outcomes[] = {OUTCOME_ERROR, OUTCOME_FINAL, OUTCOME_TIMEOUT};
    for (int i = 0; i < 3; i++) {
        char text[128];
        snprintf(text, sizeof text, "breaker: {kind: consecutive, failure_on: %s}", words[i]);
        begin(text);
        struct breaker_ticket t = sent(0);
        for (int k = 0; k < 3; k++) {
            ends(0, &t, outcomes[k]);
            assert_int_equal(state->failures, k >= i);
        }
    }
}

static void slow_answers_are_failures(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(", slow_call_duration: 2s"));
    struct breaker_ticket t = sent(0);
    breaker_result(&breaker, state, 0, &t, OUTCOME_SUCCESS, 2 * SIM_TIME_S);
    assert_int_equal(state->failures, 0);
    breaker_result(&breaker, state, 0, &t, OUTCOME_SUCCESS, 2 * SIM_TIME_S + 1);
    assert_int_equal(state->failures, 1);
    breaker_result(&breaker, state, 0, &t, OUTCOME_FINAL, 2 * SIM_TIME_S + 1);
    assert_int_equal(phase(0), BREAKER_OPEN);
    begin(CONSECUTIVE(""));
    t = sent(0);
    breaker_result(&breaker, state, 0, &t, OUTCOME_SUCCESS, SIM_TIME_NEVER);
    assert_int_equal(state->failures, 0);
}

/* Results that act on the phase they were sent in. */

#define ATTRIBUTED(more) \
    "breaker: {kind: state_attributed, failure_threshold: 2, timeout: 1s" more "}"

static void two_probes_in_turn_close(void **unused)
{
    (void)unused;
    begin(ATTRIBUTED(""));
    fails(0);
    succeeds(1);
    fails(2);
    assert_int_equal(phase(2), BREAKER_CLOSED);
    fails(3);
    assert_int_equal(phase(3), BREAKER_OPEN);
    refused(1002);
    struct breaker_ticket probe = sent(1003);
    refused(1003);
    ends(1100, &probe, OUTCOME_SUCCESS);
    assert_int_equal(phase(1100), BREAKER_HALF_OPEN);
    probe = sent(1100);
    refused(1101);
    ends(1102, &probe, OUTCOME_SUCCESS);
    assert_int_equal(phase(1102), BREAKER_CLOSED);
    counts_are(3, 1, 1, 3);
    fails(1103);
    assert_int_equal(phase(1103), BREAKER_CLOSED);
}

static void successes_of_probes_are_counted_anew(void **unused)
{
    (void)unused;
    begin(ATTRIBUTED(""));
    fails(0);
    fails(0);
    struct breaker_ticket probe = sent(1000);
    ends(1000, &probe, OUTCOME_SUCCESS);
    ends(1000, &probe, OUTCOME_SUCCESS); /* a probe counts once */
    assert_int_equal(phase(1000), BREAKER_HALF_OPEN);
    fails(1001);
    succeeds(2001);
    assert_int_equal(phase(2001), BREAKER_HALF_OPEN);
    succeeds(2002);
    assert_int_equal(phase(2002), BREAKER_CLOSED);
}

static void first_lost_probe_opens(void **unused)
{
    (void)unused;
    begin(ATTRIBUTED(", half_open_max_requests: 3"));
    fails(0);
    fails(0);
    struct breaker_ticket back = sent(1000);
    sent(1100);
    ends(1150, &back, OUTCOME_SUCCESS);
    sent(1200); /* in the first place, which is free again */
    sent(1300);
    refused(3099);
    counts_are(3, 2, 0, 1);
    sent(3100);
}

static void late_failure_opens_a_half_open_breaker(void **unused)
{
    (void)unused;
    begin(ATTRIBUTED(", success_threshold: 1"));
    struct breaker_ticket late = sent(0), later = sent(0), latest = sent(0);
    fails(0);
    fails(0);
    ends(500, &later, OUTCOME_ERROR); /* while open: moves nothing */
    struct breaker_ticket probe = sent(1000);
    ends(1200, &late, OUTCOME_TIMEOUT);
    assert_int_equal(phase(1200), BREAKER_OPEN);
    ends(1300, &probe, OUTCOME_SUCCESS); /* its half-open phase is over */
    assert_int_equal(phase(1300), BREAKER_OPEN);
    refused(2199);
    probe = sent(2200);
    ends(2250, &latest, OUTCOME_SUCCESS); /* no probe: does not close */
    assert_int_equal(phase(2250), BREAKER_HALF_OPEN);
    assert_int_equal(state->failures, 0); /* but forgets the failures */
    ends(2300, &probe, OUTCOME_SUCCESS);
    assert_int_equal(phase(2300), BREAKER_CLOSED);
    counts_are(5, 2, 1, 1);
}

static void failed_probe_opens_a_breaker_that_another_closed(void **unused)
{
    (void)unused;
    begin(ATTRIBUTED(", half_open_max_requests: 3"));
    fails(0);
    fails(0);
    struct breaker_ticket a = sent(1000), b = sent(1000), c = sent(1000);
    refused(1000);
    ends(1001, &a, OUTCOME_SUCCESS);
    ends(1001, &b, OUTCOME_SUCCESS);
    assert_int_equal(phase(1001), BREAKER_CLOSED);
    assert_int_equal(phase(9000), BREAKER_CLOSED); /* a closed one waits for no probe */
    ends(1500, &c, OUTCOME_TIMEOUT);
    assert_int_equal(phase(1500), BREAKER_OPEN);
    ends(1501, &c, OUTCOME_SUCCESS); /* said once is enough */
    assert_int_equal(state->successes, 0);
    counts_are(4, 2, 1, 1);
}

static void probe_that_never_returns_fails_in_time(void **unused)
{
    (void)unused;
    begin(ATTRIBUTED(""));
    fails(0);
    fails(0);
    struct breaker_ticket lost = sent(1000);
    refused(1999);
    assert_int_equal(phase(1999), BREAKER_HALF_OPEN);
    assert_int_equal(phase(2000), BREAKER_OPEN);
    assert_int_equal(state->times_opened, 1); /* looking changed nothing */
    refused(2500);                            /* open since 2000, not since 2500 */
    counts_are(3, 2, 0, 2);
    refused(2999);
    struct breaker_ticket probe = sent(3000);
    ends(3001, &lost, OUTCOME_SUCCESS); /* too late for anything */
    refused(3001);
    ends(3002, &probe, OUTCOME_SUCCESS);
    ends(3003, &lost, OUTCOME_ERROR);
    succeeds(3004);
    assert_int_equal(phase(3004), BREAKER_CLOSED);
    counts_are(5, 2, 1, 4);
}

static void being_asked_in_between_makes_no_difference(void **unused)
{
    (void)unused;
    for (uint64_t asked = 0; asked < 2; asked++) {
        begin(ATTRIBUTED(""));
        fails(0);
        fails(0);
        struct breaker_ticket lost = sent(1000);
        if (asked) {
            refused(2000);
        }
        ends(2000, &lost, OUTCOME_SUCCESS); /* at its very end: not in time */
        assert_int_equal(phase(2000), BREAKER_OPEN);
        counts_are(3, 2, 0, asked);
        lost = sent(3000);
        if (asked) {
            refused(4500);
        }
        breaker_forget(&breaker, state, 4500 * SIM_TIME_MS, &lost); /* had failed before */
        sent(5000);
        counts_are(6, 3, 0, 2 * asked);
    }
}

static void lost_probe_of_consecutive_counts_as_failure(void **unused)
{
    (void)unused;
    begin(CONSECUTIVE(", half_open_max_requests: 2, while_open: counted"));
    struct breaker_ticket late = sent(0);
    fails(0);
    fails(0);
    ends(10, &late, OUTCOME_SUCCESS); /* so that it takes two failures again */
    sent(1000);
    sent(1100);
    refused(1999);
    assert_int_equal(phase(2000), BREAKER_HALF_OPEN);
    assert_int_equal(phase(2100), BREAKER_OPEN);
    struct breaker_ticket third = sent(2050);
    assert_int_equal(state->failures, 1);
    refused(3099);
    assert_int_equal(state->failures, 2);
    ends(3099, &third, OUTCOME_SUCCESS); /* under way when it opened */
    assert_int_equal(state->failures, 2);
    succeeds(3100);
    assert_int_equal(phase(3100), BREAKER_CLOSED);
}

static void cancelled_probe_makes_room(void **unused)
{
    (void)unused;
    static const char *const texts[] = {CONSECUTIVE(""), ATTRIBUTED(", success_threshold: 1")};
    for (int i = 0; i < 2; i++) {
        begin(texts[i]);
        fails(0);
        fails(0);
        struct breaker_ticket probe = sent(1000);
        refused(1500);
        breaker_forget(&breaker, state, 1500 * SIM_TIME_MS, &probe);
        assert_int_equal(phase(3000), BREAKER_HALF_OPEN);
        struct breaker_ticket next = sent(1600);
        breaker_forget(&breaker, state, 1600 * SIM_TIME_MS, &probe); /* twice frees once */
        refused(1600);
        ends(1700, &next, OUTCOME_SUCCESS);
        assert_int_equal(phase(1700), BREAKER_CLOSED);
        counts_are(3, 1, 1, 2);
    }
}

/* Shares of failures. */

#define RATIO_OF_TWO RATIO("0.5", "2", "1s", "1s", "10")

static void one_failure_opens_again_after_the_probe(void **unused)
{
    (void)unused;
    begin(RATIO_OF_TWO);
    fails(0);
    assert_int_equal(phase(0), BREAKER_CLOSED);
    fails(100);
    assert_int_equal(phase(100), BREAKER_OPEN);
    refused(200);
    refused(1099);
    succeeds(1200);
    assert_int_equal(phase(1200), BREAKER_CLOSED);
    assert_int_equal(state->successes, 1);
    assert_int_equal(state->failures, 0);
    fails(1250);
    assert_int_equal(phase(1250), BREAKER_OPEN);
    counts_are(4, 2, 1, 2);
}

static void only_failures_are_judged(void **unused)
{
    (void)unused;
    begin(RATIO("0.5", "4", "1s", "1s", "10"));
    fails(0);
    fails(0);
    fails(0);
    succeeds(0); /* three of four, but nobody looks */
    assert_int_equal(phase(0), BREAKER_CLOSED);
    fails(0);
    assert_int_equal(phase(0), BREAKER_OPEN);
    begin(RATIO("0.5", "4", "1s", "1s", "10"));
    for (int i = 0; i < 100; i++) {
        succeeds(0);
    }
    for (int i = 0; i < 99; i++) {
        fails(0);
    }
    assert_int_equal(phase(0), BREAKER_CLOSED);
    fails(0); /* the threshold is inclusive */
    assert_int_equal(phase(0), BREAKER_OPEN);
}

static void probe_is_let_through_every_break_duration(void **unused)
{
    (void)unused;
    begin(RATIO_OF_TWO);
    fails(0);
    fails(0);
    struct breaker_ticket lost = sent(1000);
    refused(1999);
    struct breaker_ticket second = sent(2000);
    assert_int_equal(state->state_changes, 2);
    ends(2500, &lost, OUTCOME_ERROR);
    assert_int_equal(phase(2500), BREAKER_OPEN);
    assert_int_equal(state->failures, 2); /* a failed probe is not counted */
    refused(3499);
    ends(3499, &second, OUTCOME_SUCCESS); /* while open: counted, closes nothing */
    assert_int_equal(phase(3499), BREAKER_OPEN);
    assert_int_equal(state->successes, 1);
    sent(3500);
    counts_are(4, 2, 0, 2);
}

static void late_results_act_on_the_current_phase(void **unused)
{
    (void)unused;
    begin(RATIO_OF_TWO);
    struct breaker_ticket a = sent(0), b = sent(0), c = sent(0);
    fails(0);
    fails(0);
    ends(500, &a, OUTCOME_ERROR); /* open: counted only */
    assert_int_equal(state->failures, 3);
    sent(1000);
    ends(1100, &b, OUTCOME_ERROR);
    assert_int_equal(phase(1100), BREAKER_OPEN);
    refused(2099);
    sent(2100);
    ends(2200, &c, OUTCOME_SUCCESS);
    assert_int_equal(phase(2200), BREAKER_CLOSED);
    assert_int_equal(state->failures, 0);
    assert_int_equal(state->successes, 1);
    counts_are(5, 2, 1, 1);
}

static void accepted_answers_are_successes(void **unused)
{
    (void)unused;
    begin(RATIO_OF_TWO);
    struct breaker_ticket t = sent(0);
    ends(0, &t, OUTCOME_FINAL);
    assert_int_equal(state->successes, 1);
    fails(0);
    t = sent(1000);
    ends(1000, &t, OUTCOME_FINAL);
    assert_int_equal(phase(1000), BREAKER_CLOSED);
}

static void sample_is_kept_while_open(void **unused)
{
    (void)unused;
    begin(RATIO("0.5", "3", "10s", "1s", "10"));
    succeeds(0);
    fails(0);
    fails(0);
    struct breaker_ticket probe = sent(1000);
    assert_int_equal(state->failures, 2);
    assert_int_equal(state->successes, 1);
    ends(1000, &probe, OUTCOME_ERROR);
    assert_int_equal(state->failures, 2);
    succeeds(2000);
    assert_int_equal(state->failures, 0);
    assert_int_equal(state->successes, 1);
}

/* 100 ms of sample in ten windows; results come one by one, successes only. */
static void windows_begin_with_the_first_result_after_the_last(void **unused)
{
    (void)unused;
    begin(RATIO("0.99", "1000", "100ms", "1s", "10"));
    static const struct {
        int64_t at;
        uint64_t sample; /* results in it */
        uint32_t windows;
    } steps[] = {
        {5, 1, 1},    /* the first window begins here, not at 0 */
        {14, 2, 1},   /* 9 ms old */
        {15, 3, 2},   /* 10 ms old: the next begins */
        {37, 4, 3},   /* and here, not at 35 */
        {46, 5, 3},   /* 9 ms */
        {104, 6, 4},  /* the first is 99 ms old */
        {105, 5, 3},  /* 100 ms: both of its results are gone; the last is 1 ms old */
        {114, 6, 4},  /* 10 ms after that one */
        {137, 4, 3},  /* those of 15 and 37 are gone, and a new one */
        {1000, 1, 1}, /* all are gone */
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        succeeds(steps[i].at);
        assert_int_equal(state->successes, steps[i].sample);
        assert_int_equal(state->n, steps[i].windows);
    }
}

static void uneven_windows_are_rounded_up(void **unused)
{
    (void)unused;
    begin(RATIO("0.99", "1000", "10ns", "1s", "3"));
    struct breaker_ticket t = sent(0);
    for (sim_time at = 0; at < 100; at++) {
        breaker_result(&breaker, state, at, &t, OUTCOME_SUCCESS, 0);
        assert_true(state->n <= 3);
        /* Windows of 4 ns, dropped when 10 ns old: full after 4, gone 6 later. */
        sim_time oldest = at < 10 ? 0 : (at - 10) / 4 * 4 + 4;
        assert_int_equal(state->successes, at - oldest + 1);
    }
}

/* The sample, kept as a list of all windows ever begun. */
struct plain_sample {
    struct {
        sim_time began;
        uint64_t successes, failures;
    } windows[20000];
    size_t n;
};

static void plain_add(struct plain_sample *p, sim_time now, bool failed)
{
    if (p->n == 0 ||
        (now - p->windows[p->n - 1].began) * breaker.windows_count >= breaker.sampling_duration) {
        p->windows[p->n].began = now;
        p->windows[p->n].successes = p->windows[p->n].failures = 0;
        p->n++;
    }
    p->windows[p->n - 1].successes += !failed;
    p->windows[p->n - 1].failures += failed;
}

static uint64_t plain_sum(const struct plain_sample *p, sim_time now, bool failed)
{
    uint64_t sum = 0;
    for (size_t i = p->n; i-- > 0 && now - p->windows[i].began < breaker.sampling_duration;) {
        sum += failed ? p->windows[i].failures : p->windows[i].successes;
    }
    return sum;
}

static void windows_agree_with_a_list_of_them(void **unused)
{
    (void)unused;
    static struct plain_sample plain;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rng_stream random;
        rng_init(&random, &(struct rng_key){.seed = seed});
        char text[200];
        snprintf(text, sizeof text, RATIO("0.999", "1000000000", "%dns", "1s", "%d"),
                 (int)(1 + rng_below(&random, 3000)), (int)(1 + rng_below(&random, 40)));
        begin(text);
        plain.n = 0;
        uint64_t longest = 1 + rng_below(&random, 400);
        sim_time now = 0;
        struct breaker_ticket t = sent(0);
        for (int i = 0; i < 5000; i++) {
            now += rng_below(&random, 50) ? (sim_time)rng_below(&random, longest) : 2000;
            bool failed = rng_below(&random, 3) == 0;
            plain_add(&plain, now, failed);
            breaker_result(&breaker, state, now, &t, failed ? OUTCOME_ERROR : OUTCOME_SUCCESS, 0);
            assert_int_equal(state->failures, plain_sum(&plain, now, true));
            assert_int_equal(state->successes, plain_sum(&plain, now, false));
        }
    }
}

/* Random requests against what must always hold. */

enum { FLIGHT = 40, STEPS = 20000 };

struct flight {
    struct breaker_ticket tickets[FLIGHT];
    bool taken[FLIGHT];
    uint64_t allowed, rejected, asked;
};

static uint32_t places_held(const struct flight *f)
{
    uint32_t held = 0;
    for (int i = 0; i < FLIGHT; i++) {
        const struct breaker_ticket *t = &f->tickets[i];
        held += f->taken[i] && t->place && state->room[t->place - 1].probe.serial == t->serial;
    }
    return held;
}

static void ask(struct flight *f, int slot, sim_time now)
{
    enum breaker_phase before = breaker_phase(&breaker, state, now);
    f->asked++;
    f->taken[slot] = breaker_allow(&breaker, state, now, &f->tickets[slot]);
    f->allowed += f->taken[slot];
    enum breaker_phase after = breaker_phase(&breaker, state, now);
    if (f->taken[slot]) {
        assert_int_equal(f->tickets[slot].phase, after);
        assert_int_equal(after, before == BREAKER_CLOSED ? BREAKER_CLOSED : BREAKER_HALF_OPEN);
    } else {
        assert_int_not_equal(before, BREAKER_CLOSED);
        assert_int_equal(after, before);
    }
}

static void report(struct flight *f, int slot, sim_time now, enum outcome outcome)
{
    enum breaker_phase before = breaker_phase(&breaker, state, now);
    bool lost = before != (enum breaker_phase)state->phase; /* a probe was, in between */
    uint64_t changes = state->state_changes;
    breaker_result(&breaker, state, now, &f->tickets[slot], outcome, 0);
    enum breaker_phase after = breaker_phase(&breaker, state, now);
    assert_int_equal(after, state->phase);
    assert_int_equal(state->state_changes - changes, lost + (before != after));
    if (after != before && outcome == OUTCOME_SUCCESS) {
        assert_int_equal(before, BREAKER_HALF_OPEN);
        assert_int_equal(after, BREAKER_CLOSED);
    } else if (after != before) {
        assert_int_equal(outcome, OUTCOME_ERROR);
        assert_int_equal(after, BREAKER_OPEN);
    }
}

static void step(struct flight *f, struct rng_stream *random, sim_time now)
{
    int slot = (int)rng_below(random, FLIGHT);
    uint64_t what = rng_below(random, 10);
    if (!f->taken[slot]) {
        ask(f, slot, now);
    } else if (what == 0) {
        enum breaker_phase before = breaker_phase(&breaker, state, now);
        breaker_forget(&breaker, state, now, &f->tickets[slot]);
        assert_int_equal(breaker_phase(&breaker, state, now), before);
        f->taken[slot] = false;
    } else if (what < 9) { /* and 1 in 10 stays away for longer */
        report(f, slot, now, rng_below(random, 3) ? OUTCOME_SUCCESS : OUTCOME_ERROR);
        f->taken[slot] = rng_below(random, 4) == 0; /* may report once more */
    }
    uint64_t closed = state->times_closed, opened = state->times_opened;
    assert_true(opened >= closed && state->state_changes >= opened + closed);
    assert_int_equal(f->asked, f->allowed + state->rejected);
    assert_true(state->phase == BREAKER_CLOSED || opened > closed);
    if (breaker.kind != BREAKER_RATIO && breaker.half_open_max_requests != INT64_MAX) {
        assert_true(state->probes <= breaker.half_open_max_requests);
        assert_int_equal(state->probes, places_held(f));
        assert_true(state->phase != BREAKER_OPEN || state->probes == 0);
    }
}

static void random_requests_keep_the_rules(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        CONSECUTIVE(""),
        CONSECUTIVE(UPSTREAM),
        CONSECUTIVE(", half_open_max_requests: 3, success_threshold: 2"),
        CONSECUTIVE(", half_open_max_requests: 2, while_open: counted"),
        ATTRIBUTED(""),
        ATTRIBUTED(", half_open_max_requests: 5, success_threshold: 3"),
        RATIO_OF_TWO,
        RATIO("0.3", "10", "3s", "500ms", "7"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        begin(texts[i]);
        struct rng_stream random;
        rng_init(&random, &(struct rng_key){.seed = i});
        struct flight f = {0};
        sim_time now = 0;
        for (int k = 0; k < STEPS; k++) {
            now += (sim_time)rng_below(&random, 50) * SIM_TIME_MS;
            step(&f, &random, now);
        }
        assert_true(state->times_closed > 30); /* it was seen at work */
        assert_true(state->rejected > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(none_needs_no_state),
        cmocka_unit_test(five_failures_in_a_row_open),
        cmocka_unit_test(failed_probe_opens_for_another_recovery),
        cmocka_unit_test(results_while_open_are_ignored),
        cmocka_unit_test(counted_results_delay_recovery_and_forget_failures),
        cmocka_unit_test(unlimited_probes_all_go_through),
        cmocka_unit_test(one_request_may_report_each_attempt),
        cmocka_unit_test(later_attempts_of_a_probe_count_like_others),
        cmocka_unit_test(several_successes_may_be_asked_for),
        cmocka_unit_test(other_outcomes_neither_count_nor_reset),
        cmocka_unit_test(each_outcome_has_its_word),
        cmocka_unit_test(slow_answers_are_failures),
        cmocka_unit_test(two_probes_in_turn_close),
        cmocka_unit_test(successes_of_probes_are_counted_anew),
        cmocka_unit_test(first_lost_probe_opens),
        cmocka_unit_test(late_failure_opens_a_half_open_breaker),
        cmocka_unit_test(failed_probe_opens_a_breaker_that_another_closed),
        cmocka_unit_test(probe_that_never_returns_fails_in_time),
        cmocka_unit_test(being_asked_in_between_makes_no_difference),
        cmocka_unit_test(lost_probe_of_consecutive_counts_as_failure),
        cmocka_unit_test(cancelled_probe_makes_room),
        cmocka_unit_test(one_failure_opens_again_after_the_probe),
        cmocka_unit_test(only_failures_are_judged),
        cmocka_unit_test(probe_is_let_through_every_break_duration),
        cmocka_unit_test(late_results_act_on_the_current_phase),
        cmocka_unit_test(accepted_answers_are_successes),
        cmocka_unit_test(sample_is_kept_while_open),
        cmocka_unit_test(windows_begin_with_the_first_result_after_the_last),
        cmocka_unit_test(uneven_windows_are_rounded_up),
        cmocka_unit_test(windows_agree_with_a_list_of_them),
        cmocka_unit_test(random_requests_keep_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
