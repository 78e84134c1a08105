/* SPDX-License-Identifier: Apache-2.0
 *
 * What the circuit breaker that stands by itself lets through, to the nanosecond, and what it
 * counts. The state machine has tests of its own (unit/test_breaker.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/breaker.h"
#include "rng/stream.h"
#include "support/asker.h"
#include "support/probe.h"
#include "support/trial.h"

static void open_guard(struct trial *t, const char *steps, const char *guard, const char *answers,
                       const char *rest)
{
    asker_open(t, steps, "guard", "circuit_breaker", guard, answers, rest);
}

/* An asker's `steps` through a breaker to a probe. */
static void run(struct trial *t, const char *steps, const char *guard, const char *answers)
{
    open_guard(t, steps, guard, answers, "");
    trial_run(t, 0);
}

static void assert_requests(const struct trial *t, uint64_t successful, uint64_t failed,
                            uint64_t rejected)
{
    assert_int_equal(trial_counter(t, "guard.successful_requests"), successful);
    assert_int_equal(trial_counter(t, "guard.failed_requests"), failed);
    assert_int_equal(trial_counter(t, "guard.rejected_requests"), rejected);
}

static void assert_changes(const struct trial *t, uint64_t changes, uint64_t opened,
                           uint64_t closed)
{
    assert_int_equal(trial_counter(t, "guard.state_changes"), changes);
    assert_int_equal(trial_counter(t, "guard.times_opened"), opened);
    assert_int_equal(trial_counter(t, "guard.times_closed"), closed);
}

/* --- opening and closing ----------------------------------------------------------------- */

/* Five failures in a row open it, whoever made the requests. */
static void whoever_names_it_shares_it(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 30s\n"
                   "entities:\n"
                   "  one: {type: asker, target: guard,\n"
                   "        steps: [[0s, 1], [0.2s, 2], [0.4s, 3], [0.6s, 4]]}\n"
                   "  two: {type: asker, target: guard,\n"
                   "        steps: [[0.1s, 1], [0.3s, 2], [0.409999999s, 3], [0.5s, 4]]}\n"
                   "  guard: {type: circuit_breaker, target: far}\n"
                   "  far: {type: probe, answers: [{after: 10ms, status: 500}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 6,
                       (sim_time[]){0, S(0.1), S(0.2), S(0.3), S(0.4), S(0.409999999)});
    asker_assert_replies(
        &t, "one", 4,
        (struct asker_reply[]){
            {S(0.01), 1, 500}, {S(0.21), 2, 500}, {S(0.41), 3, 500}, {S(0.6), 4, 502}});
    asker_assert_replies(
        &t, "two", 4,
        (struct asker_reply[]){
            {S(0.11), 1, 500}, {S(0.31), 2, 500}, {S(0.419999999), 3, 500}, {S(0.5), 4, 502}});
    assert_requests(&t, 0, 6, 2);
    assert_changes(&t, 1, 1, 0);
    assert_int_equal(trial_counter(&t, "guard.total_requests"), 8);
    assert_int_equal(trial_counter(&t, "guard.requests_received"), 8);
    assert_int_equal(trial_counter(&t, "guard.requests_sent"), 6);
    assert_int_equal(trial_integral(&t, "guard.open"), S(30 - 0.41));
    assert_int_equal(trial_integral(&t, "guard.half_open"), 0);
    assert_int_equal(trial_level(&t, "guard.in_progress"), 0);
    trial_close(&t);
}

/* It stands also before calls of different entities, each of which has attempts and a policy of its
 * own: what users cannot reach is closed to the server, too. */
static void calls_of_several_entities_share_it(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 30s\n"
                   "entities:\n"
                   "  users: {type: client, target: guard, arrivals: {times: [0s, 1s, 2s]}}\n"
                   "  others: {type: client, target: web, arrivals: {times: [2.5s, 3s]}}\n"
                   "  web: {type: server, service_time: 0s, calls: [{target: guard}]}\n"
                   "  guard: {type: circuit_breaker, target: far,\n"
                   "          breaker: {state_attributed: {failure_threshold: 4}}}\n"
                   "  far: {type: probe, answers: [{status: 500}]}\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(1), S(2), S(2.5)});
    assert_int_equal(trial_counter(&t, "web.downstream_failures"), 2);
    assert_int_equal(trial_counter(&t, "others.failures"), 2);
    assert_requests(&t, 0, 4, 1);
    trial_close(&t);
}

static void a_success_forgets_failures(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 2], [2s, 3], [3s, 4], [4s, 5]",
        "breaker: {state_attributed: {failure_threshold: 2}}",
        "{status: 500}, {status: 200}, {status: 500}, {status: 500}");
    asker_assert_replies(
        &t, "users", 5,
        (struct asker_reply[]){
            {0, 1, 500}, {S(1), 2, 200}, {S(2), 3, 500}, {S(3), 4, 500}, {S(4), 5, 502}});
    assert_requests(&t, 1, 3, 1);
    trial_close(&t);
}

/* It is half-open when the first request after its time comes, and lets one at a time through. */
static void it_probes_when_it_is_asked(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [30.999999999s, 2], [31s, 3], [32s, 4], [34s, 5], [35s, 6], "
                        "[36.000000001s, 7], [36.000000001s, 8]";
    const char *answers = "{after: 1s, status: 500}, {after: 2s}";
    run(&t, steps, "breaker: {state_attributed: {failure_threshold: 1}}", answers);
    asker_assert_replies(&t, "users", 8,
                         (struct asker_reply[]){{S(1), 1, 500},
                                                {S(30.999999999), 2, 502},
                                                {S(32), 4, 502},
                                                {S(33), 3, 200},
                                                {S(35), 6, 502},
                                                {S(36), 5, 200},
                                                {S(38.000000001), 7, 200},
                                                {S(38.000000001), 8, 200}});
    trial_close(&t);
    /* Two successes, at 33 and 36 s, close it. */
    run(&t, "[0s, 1], [50s, 3], [53s, 5], [54s, 6], [56s, 7]",
        "breaker: {state_attributed: {failure_threshold: 1}}", answers);
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(50), S(53), S(56)});
    assert_changes(&t, 3, 1, 1);
    assert_requests(&t, 3, 1, 1);
    assert_int_equal(trial_integral(&t, "guard.open"), S(49));
    assert_int_equal(trial_integral(&t, "guard.half_open"), S(5));
    trial_close(&t);
}

static void several_probes_at_a_time(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [31s, 2], [31.5s, 3], [31.9s, 4], [33.000000001s, 5]",
        "breaker: {state_attributed: {failure_threshold: 1, half_open_max_requests: 2,\n"
        "          success_threshold: 3}}",
        "{after: 1s, status: 500}, {after: 2s}");
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(31), S(31.5), S(33.000000001)});
    assert_requests(&t, 3, 1, 1);
    assert_changes(&t, 3, 1, 1);
    trial_close(&t);
}

/* A failure of a request sent before it opened, which comes late, opens it when it is half-open;
 * a success like that does not close it. */
static void results_belong_to_the_state_they_were_sent_in(void **state)
{
    (void)state;
    struct trial t;
    const char *guard = "breaker: {state_attributed: {failure_threshold: 1, timeout: 5s, "
                        "success_threshold: 1}}";
    run(&t, "[0s, 1], [0.5s, 2], [6s, 3], [12.999999999s, 4], [13s, 5]", guard,
        "{after: 8s, status: 500}, {after: 0.5s, status: 500}, {after: 4s}");
    asker_assert_replies(&t, "users", 5,
                         (struct asker_reply[]){{S(1), 2, 500},
                                                {S(8), 1, 500},
                                                {S(10), 3, 200},
                                                {S(12.999999999), 4, 502},
                                                {S(17), 5, 200}});
    assert_changes(&t, 5, 2, 1);
    assert_int_equal(trial_integral(&t, "guard.open"), S(5) + S(5));
    assert_int_equal(trial_integral(&t, "guard.half_open"), S(2) + S(4));
    trial_close(&t);
    run(&t, "[0s, 1], [0.5s, 2], [6s, 3], [9.999999999s, 4], [10.000000001s, 5]", guard,
        "{after: 8s}, {after: 0.5s, status: 500}, {after: 4s}");
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(0.5), S(6), S(10.000000001)});
    assert_changes(&t, 3, 1, 1);
    trial_close(&t);
}

/* A probe that gets lost has failed when it has taken as long as the breaker stays open. That is
 * noticed when the next request comes, and counts from when it was. */
static void lost_probes_do_not_block_it(void **state)
{
    (void)state;
    struct trial t;
    const char *guard = "breaker: {state_attributed: {failure_threshold: 1, timeout: 5s}}";
    const char *answers = "{after: 1s, status: 500}, {after: none}, {after: 1s}";
    run(&t, "[0s, 1], [6s, 2], [10.999999999s, 3], [12s, 4], [15.999999999s, 5], [16s, 6]", guard,
        answers);
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(6), S(16)});
    assert_requests(&t, 1, 1, 3);
    assert_changes(&t, 4, 2, 0);
    assert_int_equal(trial_integral(&t, "guard.open"), S(5) + S(4));
    assert_int_equal(trial_integral(&t, "guard.half_open"), S(6) + S(84));
    assert_int_equal(trial_level(&t, "guard.in_progress"), 1);
    trial_close(&t);
    /* Both at once: it had opened at 11 s and is half-open again. */
    run(&t, "[0s, 1], [6s, 2], [16s, 6]", guard, answers);
    probe_assert_times(&t, "far", 3, (sim_time[]){0, S(6), S(16)});
    assert_changes(&t, 4, 2, 0);
    assert_int_equal(trial_integral(&t, "guard.half_open"), S(94));
    trial_close(&t);
}

/* --- what counts ------------------------------------------------------------------------- */

/* What is not answered in time has failed for the breaker, not for its caller. */
static void requests_without_a_timely_answer_fail(void **state)
{
    (void)state;
    struct trial t;
    const char *guard = "failure_timeout: 2s, breaker: {state_attributed: {failure_threshold: 1}}";
    run(&t, "[0s, 1], [2s, 2]", guard, "{after: 5s}");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(2), 2, 502}, {S(5), 1, 200}});
    assert_requests(&t, 0, 1, 1);
    assert_int_equal(trial_counter(&t, "guard.responses_received"), 1);
    assert_int_equal(trial_integral(&t, "guard.open"), S(98));
    trial_close(&t);
    run(&t, "[0s, 1]", guard, "{after: 2s}");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2), 1, 200}});
    assert_requests(&t, 0, 1, 0);
    trial_close(&t);
    run(&t, "[0s, 1]", guard, "{after: 1.999999999s}");
    assert_requests(&t, 1, 0, 0);
    assert_changes(&t, 0, 0, 0);
    trial_close(&t);
    /* Lost for ever. */
    run(&t, "[0s, 1]", guard, "{after: none}");
    assert_requests(&t, 0, 1, 0);
    assert_int_equal(trial_level(&t, "guard.open"), 1);
    trial_close(&t);
    run(&t, "[0s, 1], [2s, 2]",
        "failure_timeout: 2s,\n"
        "          breaker: {kind: state_attributed, failure_threshold: 1, failure_on: error}",
        "{after: 5s}");
    assert_requests(&t, 2, 0, 0);
    trial_close(&t);
}

static void what_takes_too_long_fails(void **state)
{
    (void)state;
    struct trial t;
    const char *guard = "breaker: {kind: state_attributed, failure_threshold: 1, "
                        "slow_call_duration: 2s}";
    run(&t, "[0s, 1], [3s, 2]", guard, "{after: 2s}");
    assert_requests(&t, 2, 0, 0);
    trial_close(&t);
    run(&t, "[0s, 1], [3s, 2]", guard, "{after: 2.000000001s}");
    assert_requests(&t, 0, 1, 1);
    trial_close(&t);
}

/* A client's requests through a breaker, which a failure opens, to a server of one response. */
static void run_client(struct trial *t, const char *call, const char *guard, const char *response)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 10s\n"
               "entities:\n"
               "  users: {type: client, target: guard, arrivals: {times: [1s, 2s, 3s]}, call: %s}\n"
               "  guard: {type: circuit_breaker, target: web, %s,\n"
               "          breaker: {kind: state_attributed, failure_threshold: 1}}\n"
               "  web: {type: server, service_time: 0s, responses: [%s]}\n",
               call, guard, response);
    trial_run(t, 0);
}

/* Fail fast: what is rejected has failed, and is not tried again; or is not heard of at all. */
static void rejected_requests_are_failures(void **state)
{
    (void)state;
    struct trial t;
    const char *call = "{timeout: 100ms, retry: {kind: fixed, max_attempts: 3, delay: 10ms}}";
    run_client(&t, call, "on_reject: reply", "{status: 500}");
    assert_int_equal(trial_counter(&t, "users.successes"), 0);
    assert_int_equal(trial_counter(&t, "users.failures"), 3);
    assert_int_equal(trial_counter(&t, "users.retries"), 1);
    assert_int_equal(trial_counter(&t, "users.errors"), 4);
    assert_requests(&t, 0, 1, 3);
    trial_close(&t);
    run_client(&t, call, "on_reject: drop", "{status: 500}");
    assert_int_equal(trial_counter(&t, "users.failures"), 3);
    assert_int_equal(trial_counter(&t, "users.timeouts"), 8);
    assert_requests(&t, 0, 1, 8);
    assert_int_equal(trial_level(&t, "guard.in_progress"), 0);
    trial_close(&t);
    run(&t, "[0s, 1], [1s, 2]",
        "reject_status: 503, breaker: {state_attributed: {failure_threshold: 1}}", "{status: 500}");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{0, 1, 500}, {S(1), 2, 503}});
    trial_close(&t);
}

/* All that replies say reaches the caller, and counts for the breaker as it would for that. */
static void replies_are_passed_on_as_they_are(void **state)
{
    (void)state;
    struct trial t;
    const char *call = "{connection_attempts: 2, retry: {kind: fixed, max_attempts: 2, delay: 0s}}";
    run_client(&t, call, "on_reject: drop", "{outcome: refuse}");
    assert_int_equal(trial_counter(&t, "users.reconnects"), 1);
    assert_requests(&t, 0, 1, 3);
    trial_close(&t);
    run_client(&t, call, "on_reject: drop", "{status: 503, do_not_retry: true}");
    assert_int_equal(trial_counter(&t, "users.retries"), 0);
    assert_int_equal(trial_counter(&t, "users.errors"), 3);
    assert_requests(&t, 3, 0, 0); /* final, and so no failure */
    trial_close(&t);
    run_client(&t, call, "on_reject: drop", "{outcome: reset}");
    assert_requests(&t, 0, 1, 3);
    trial_close(&t);
}

/* Word of a connection of a pool is no result. */
static void a_pool_may_stand_behind_it(void **state)
{
    (void)state;
    struct trial t;
    trial_open(&t, "squall: 1\n"
                   "duration: 10s\n"
                   "entities:\n"
                   "  users: {type: asker, target: guard, steps: [[0s, 1, ask_pooled]]}\n"
                   "  guard: {type: circuit_breaker, target: pool}\n"
                   "  pool: {type: connection_pool, target: far}\n"
                   "  far: {type: probe, answers: [{after: 1s}]}\n");
    trial_run(&t, 0);
    asker_assert_replies(&t, "users", 2,
                         (struct asker_reply[]){{S(0.01), 1, 100}, {S(1.01), 1, 200}});
    assert_requests(&t, 1, 0, 0);
    trial_close(&t);
}

/* A probe that its caller gives up judges nothing, and another one may come. */
static void cancels_give_the_place_back(void **state)
{
    (void)state;
    struct trial t;
    const char *steps = "[0s, 1], [6s, 2], [6.5s, 3], [7s, 2, cancel], [7s, 4], [10.5s, 5]";
    const char *guard = "failure_timeout: 3s,\n"
                        "          breaker: {state_attributed: {failure_threshold: 1, timeout: 5s,"
                        " success_threshold: 1}}";
    const char *answers = "{after: 1s, status: 500}, {after: 3.5s}, {after: 1s}";
    run(&t, steps, guard, answers);
    probe_assert_times(&t, "far", 4, (sim_time[]){0, S(6), S(7), S(10.5)});
    asker_assert_replies(&t, "users", 4,
                         (struct asker_reply[]){
                             {S(1), 1, 500}, {S(6.5), 3, 502}, {S(8), 4, 200}, {S(11.5), 5, 200}});
    assert_requests(&t, 2, 1, 1);
    assert_int_equal(trial_counter(&t, "guard.cancels_received"), 1);
    assert_int_equal(trial_counter(&t, "guard.late_responses"), 1);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 0);
    trial_close(&t);
    char telling[256];
    snprintf(telling, sizeof telling, "pass_cancel: true, %s", guard);
    run(&t, steps, telling, answers);
    assert_int_equal(trial_counter(&t, "far.cancels_received"), 1);
    trial_close(&t);
    /* One that has failed already is given up without further ado. */
    run(&t, "[0s, 1], [4s, 1, cancel]", guard, "{after: 5s}");
    assert_requests(&t, 0, 1, 0);
    assert_int_equal(trial_counter(&t, "guard.late_responses"), 1);
    trial_close(&t);
}

/* --- whose state ------------------------------------------------------------------------- */

static void run_pair(struct trial *t, const char *scope)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 10s\n"
               "entities:\n"
               "  users: {type: asker, target: guard,\n"
               "          steps: [[0s, 1], [1s, 2], [2s, 3], [3s, 4], [3.5s, 5], [4s, 6]]}\n"
               "  guard: {type: circuit_breaker, target: [bad, good],\n"
               "          breaker: {kind: state_attributed, failure_threshold: 1, timeout: 3s,\n"
               "                    scope: %s}}\n"
               "  bad: {type: probe, answers: [{status: 500}]}\n"
               "  good: {type: probe, answers: [{status: 200}]}\n",
               scope);
    trial_run(t, 0);
}

/* One state for each instance, or one for all; with that, who is rejected takes no turn. */
static void endpoints_may_have_breakers_of_their_own(void **state)
{
    (void)state;
    struct trial t;
    run_pair(&t, "endpoint");
    probe_assert_times(&t, "bad", 2, (sim_time[]){0, S(3.5)});
    probe_assert_times(&t, "good", 3, (sim_time[]){S(1), S(3), S(4)});
    asker_assert_replies(&t, "users", 6,
                         (struct asker_reply[]){{0, 1, 500},
                                                {S(1), 2, 200},
                                                {S(2), 3, 502},
                                                {S(3), 4, 200},
                                                {S(3.5), 5, 500},
                                                {S(4), 6, 200}});
    assert_changes(&t, 3, 2, 0);
    assert_int_equal(trial_level(&t, "guard.open"), 1);
    trial_close(&t);
    run_pair(&t, "call");
    probe_assert_times(&t, "bad", 2, (sim_time[]){0, S(3.5)});
    probe_assert_times(&t, "good", 1, (sim_time[]){S(3)});
    assert_requests(&t, 1, 2, 3);
    trial_close(&t);
}

static void without_a_breaker_all_is_let_through(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 2], [1s, 3], [1.1s, 3, cancel]", "breaker: none, failure_timeout: 5s",
        "{after: 1s, status: 500}");
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(1), 1, 500}, {S(2), 2, 500}});
    assert_requests(&t, 0, 2, 0);
    assert_changes(&t, 0, 0, 0);
    trial_close(&t);
}

/* A crash forgets the requests in hand and what came before; nothing of them comes due. */
static void a_crash_closes_it(void **state)
{
    (void)state;
    struct trial t;
    static const char *const scopes[] = {"call", "endpoint"};
    for (size_t i = 0; i < 2; i++) {
        char guard[256];
        snprintf(guard, sizeof guard,
                 "failure_timeout: 4s,\n"
                 "          breaker: {kind: state_attributed, failure_threshold: 1, scope: %s}",
                 scopes[i]);
        open_guard(&t, "[0s, 1], [0.5s, 2], [1.6s, 3], [2.5s, 4], [3s, 5], [9s, 6]", guard,
                   "{after: 5s}, {after: 1s, status: 500}, {after: 5s}",
                   "timeline: [{at: 2s, for: 0.7s, crash: guard}]");
        trial_run(&t, 0);
        asker_assert_replies(
            &t, "users", 4,
            (struct asker_reply[]){
                {S(1.5), 2, 500}, {S(1.6), 3, 502}, {S(8), 5, 200}, {S(9), 6, 502}});
        assert_int_equal(trial_counter(&t, "guard.requests_lost"), 1);
        assert_int_equal(trial_counter(&t, "guard.requests_missed"), 1);
        assert_int_equal(trial_counter(&t, "guard.late_responses"), 1);
        assert_int_equal(trial_counter(&t, "guard.times_opened"), 2); /* at 1.5 s and 7 s */
        assert_int_equal(trial_integral(&t, "guard.open"), S(0.5) + S(93));
        trial_close(&t);
    }
}

/* --- whatever happens -------------------------------------------------------------------- */

enum { REQUESTS = 60 };

/* A script and, beside it, what should become of it: the requests one after the other, held before
 * the policy. */
struct script {
    struct breaker breaker;
    sim_time failure_timeout;
    struct request {
        sim_time ask, cancel, reply, fails; /* [ns] SIM_TIME_NEVER: not */
        struct breaker_ticket ticket;
        uint16_t status;
        bool judged;
    } requests[REQUESTS];
    struct {
        sim_time after; /* [ns] */
        uint16_t status;
    } answers[REQUESTS];
    uint64_t successful, failed, rejected, sent;
};

/* What comes next, of all requests; done with it afterwards. */
static sim_time *next_step(struct script *s, struct request **whose)
{
    sim_time *next = NULL;
    for (int i = 0; i < REQUESTS; i++) {
        struct request *q = &s->requests[i];
        sim_time *steps[] = {&q->ask, &q->cancel, &q->reply, &q->fails};
        for (int k = 0; k < 4; k++) {
            if (*steps[k] != SIM_TIME_NEVER && (!next || *steps[k] < *next)) {
                next = steps[k];
                *whose = q;
            }
        }
    }
    return next;
}

static void expect_result(struct script *s, struct breaker_state *b, struct request *q,
                          sim_time now, sim_time took, enum outcome outcome)
{
    if (!q->judged) {
        breaker_result(&s->breaker, b, now, &q->ticket, outcome, took);
        *(outcome == OUTCOME_SUCCESS ? &s->successful : &s->failed) += 1;
    }
    q->judged = true;
    q->fails = SIM_TIME_NEVER;
}

static void expect_step(struct script *s, struct breaker_state *b, struct request *q,
                        const sim_time *step, sim_time now)
{
    if (step == &q->ask) {
        if (!breaker_allow(&s->breaker, b, now, &q->ticket)) {
            s->rejected++;
            q->cancel = SIM_TIME_NEVER;
            return;
        }
        q->reply = sim_time_add(now, s->answers[s->sent].after);
        q->fails = sim_time_add(now, s->failure_timeout);
        q->status = s->answers[s->sent++].status;
        return;
    }
    if (step == &q->reply) {
        bool failed = q->status >= 500;
        expect_result(s, b, q, now, 0, failed ? OUTCOME_ERROR : OUTCOME_SUCCESS);
        q->cancel = SIM_TIME_NEVER;
    } else if (step == &q->fails) {
        expect_result(s, b, q, now, 0, OUTCOME_TIMEOUT);
    } else {
        if (!q->judged) {
            breaker_forget(&s->breaker, b, now, &q->ticket);
        }
        q->reply = q->fails = SIM_TIME_NEVER;
    }
}

static void expect(struct script *s, struct breaker_state *b)
{
    struct request *q = NULL;
    for (sim_time *step; (step = next_step(s, &q));) {
        sim_time now = *step;
        *step = SIM_TIME_NEVER;
        expect_step(s, b, q, step, now);
    }
}

static sim_time below(struct rng_stream *r, sim_time most)
{
    return (sim_time)(rng_bits(r) % (uint64_t)most);
}

/* Times are to the nanosecond, so that ties do not happen. */
static void draw_script(struct script *s, struct rng_stream *r)
{
    sim_time at = 0;
    *s = (struct script){.breaker = {.kind = BREAKER_STATE_ATTRIBUTED,
                                     .failure_on = FAILURE_TIMEOUT | FAILURE_ERROR,
                                     .slow_call_duration = SIM_TIME_NEVER,
                                     .open_duration = 1 + below(r, S(0.05)),
                                     .failure_threshold = 1 + below(r, 2),
                                     .success_threshold = 1 + below(r, 3),
                                     .half_open_max_requests = 1 + below(r, 3)},
                         .failure_timeout = below(r, 2) ? SIM_TIME_NEVER : 1 + below(r, S(0.1))};
    bool ill = false;
    for (int i = 0; i < REQUESTS; i++) {
        at += 1 + below(r, S(0.02));
        s->requests[i] = (struct request){
            .ask = at, .cancel = SIM_TIME_NEVER, .reply = SIM_TIME_NEVER, .fails = SIM_TIME_NEVER};
        if (below(r, 5) == 0) {
            s->requests[i].cancel = at + 1 + below(r, S(0.05));
        }
        ill = below(r, ill ? 2 : 8) == 0 ? !ill : ill;
        s->answers[i].after = below(r, 10) == 0 ? SIM_TIME_NEVER : 1 + below(r, S(0.06));
        s->answers[i].status = ill ? 500 : 200;
    }
}

static void open_script(struct trial *t, const struct script *s)
{
    char steps[8192], answers[4096], guard[512];
    size_t n = 0, k = 0;
    for (int i = 0; i < REQUESTS; i++) {
        const struct request *q = &s->requests[i];
        n += (size_t)snprintf(steps + n, sizeof steps - n, "[%" PRId64 "ns, %d], ", q->ask, i + 1);
        if (q->cancel != SIM_TIME_NEVER) {
            n += (size_t)snprintf(steps + n, sizeof steps - n, "[%" PRId64 "ns, %d, cancel], ",
                                  q->cancel, i + 1);
        }
        char after[32] = "none";
        if (s->answers[i].after != SIM_TIME_NEVER) {
            snprintf(after, sizeof after, "%" PRId64 "ns", s->answers[i].after);
        }
        k += (size_t)snprintf(answers + k, sizeof answers - k, "{after: %s, status: %u}, ", after,
                              s->answers[i].status);
        assert_true(n < sizeof steps && k < sizeof answers);
    }
    char timeout[32] = "none";
    if (s->failure_timeout != SIM_TIME_NEVER) {
        snprintf(timeout, sizeof timeout, "%" PRId64 "ns", s->failure_timeout);
    }
    snprintf(guard, sizeof guard,
             "failure_timeout: %s, breaker: {kind: state_attributed, timeout: %" PRId64 "ns,\n"
             "          failure_threshold: %" PRId64 ", success_threshold: %" PRId64
             ", half_open_max_requests: %" PRId64 "}",
             timeout, s->breaker.open_duration, s->breaker.failure_threshold,
             s->breaker.success_threshold, s->breaker.half_open_max_requests);
    open_guard(t, steps, guard, answers, "");
}

/* What holds at any time. */
static void assert_balance(const struct trial *t)
{
    uint64_t total = trial_counter(t, "guard.total_requests");
    uint64_t rejected = trial_counter(t, "guard.rejected_requests");
    uint64_t judged =
        trial_counter(t, "guard.successful_requests") + trial_counter(t, "guard.failed_requests");
    uint64_t cancels = trial_counter(t, "guard.cancels_received");
    uint64_t answered = trial_counter(t, "guard.responses_received");
    uint64_t hand = (uint64_t)trial_level(t, "guard.in_progress");
    assert_int_equal(total, trial_counter(t, "guard.requests_received"));
    assert_int_equal(total - rejected, trial_counter(t, "guard.requests_sent"));
    assert_int_equal(total, rejected + answered + cancels + hand);
    assert_true(judged >= answered && judged <= total - rejected);
    assert_true(trial_level(t, "guard.open") + trial_level(t, "guard.half_open") <= 1);
    assert_true(rejected == 0 || trial_counter(t, "guard.times_opened") > 0);
}

static void the_policy_decides(void **state)
{
    (void)state;
    uint64_t rejected = 0, closed = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        struct script s;
        struct trial t;
        draw_script(&s, &r);
        open_script(&t, &s);
        struct breaker_state *b = calloc(1, breaker_state_size(&s.breaker));
        assert_non_null(b);
        expect(&s, b);
        trial_begin(&t, 0, 0);
        for (sim_time at = 0; at < S(1); at += S(0.0133)) {
            assert_true(sim_run_until(t.sim, at, 0));
            assert_balance(&t);
        }
        trial_end(&t);
        assert_balance(&t);
        assert_requests(&t, s.successful, s.failed, s.rejected);
        assert_changes(&t, b->state_changes, b->times_opened, b->times_closed);
        assert_int_equal(trial_level(&t, "guard.open"), b->phase == BREAKER_OPEN);
        assert_int_equal(trial_level(&t, "guard.half_open"), b->phase == BREAKER_HALF_OPEN);
        assert_int_equal(probe_visits(&t, "far"), s.sent);
        rejected += s.rejected;
        closed += b->times_closed;
        free(b);
        trial_close(&t);
    }
    assert_true(rejected > 1000 && closed > 100); /* it was seen at work */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_names_it_shares_it),
        cmocka_unit_test(calls_of_several_entities_share_it),
        cmocka_unit_test(a_success_forgets_failures),
        cmocka_unit_test(it_probes_when_it_is_asked),
        cmocka_unit_test(several_probes_at_a_time),
        cmocka_unit_test(results_belong_to_the_state_they_were_sent_in),
        cmocka_unit_test(lost_probes_do_not_block_it),
        cmocka_unit_test(requests_without_a_timely_answer_fail),
        cmocka_unit_test(what_takes_too_long_fails),
        cmocka_unit_test(rejected_requests_are_failures),
        cmocka_unit_test(replies_are_passed_on_as_they_are),
        cmocka_unit_test(a_pool_may_stand_behind_it),
        cmocka_unit_test(cancels_give_the_place_back),
        cmocka_unit_test(endpoints_may_have_breakers_of_their_own),
        cmocka_unit_test(without_a_breaker_all_is_let_through),
        cmocka_unit_test(a_crash_closes_it),
        cmocka_unit_test(the_policy_decides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
