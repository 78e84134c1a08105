/* SPDX-License-Identifier: Apache-2.0
 *
 * The saga: which steps it takes, what it undoes when one fails, and what it counts, to the
 * nanosecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "rng/stream.h"
#include "support/asker.h"
#include "support/claim.h"
#include "support/probe.h"
#include "support/trial.h"

/* An asker's `asks` to a saga, whose steps call `others`. */
static void open_saga(struct trial *t, const char *asks, const char *saga, const char *others)
{
    trial_open(t,
               "squall: 1\n"
               "duration: 100s\n"
               "entities:\n"
               "  users: {type: asker, target: orders, steps: [%s]}\n"
               "  orders: {type: saga, %s}\n"
               "%s",
               asks, saga, others);
}

static void run(struct trial *t, const char *asks, const char *saga, const char *others)
{
    open_saga(t, asks, saga, others);
    trial_run(t, 0);
}

static uint64_t count(const struct trial *t, const char *what)
{
    char stat[64];
    snprintf(stat, sizeof stat, "orders.%s", what);
    return trial_counter(t, stat);
}

static uint64_t level(const struct trial *t, const char *what)
{
    char stat[64];
    snprintf(stat, sizeof stat, "orders.%s", what);
    return (uint64_t)trial_level(t, stat);
}

static void assert_sagas(const struct trial *t, uint64_t completed, uint64_t compensated,
                         uint64_t failed)
{
    assert_int_equal(count(t, "sagas_completed"), completed);
    assert_int_equal(count(t, "sagas_compensated"), compensated);
    assert_int_equal(count(t, "sagas_failed"), failed);
}

static void assert_steps(const struct trial *t, uint64_t executed, uint64_t failed,
                         uint64_t compensations, uint64_t compensations_failed)
{
    assert_int_equal(count(t, "steps_executed"), executed);
    assert_int_equal(count(t, "steps_failed"), failed);
    assert_int_equal(count(t, "compensations_executed"), compensations);
    assert_int_equal(count(t, "compensations_failed"), compensations_failed);
}

static void assert_latency(const struct trial *t, const char *what, uint64_t n, sim_time min,
                           sim_time max)
{
    char stat[64];
    struct hist_counts h = {.total = 0};
    snprintf(stat, sizeof stat, "orders.%s", what);
    trial_histogram(t, stat, &h);
    assert_int_equal(h.total, n);
    assert_int_equal(h.min, min);
    assert_int_equal(h.max, max);
}

/* What holds at any time: nothing is begun that has not one end, or is under way. */
static void assert_balance(const struct trial *t)
{
    uint64_t active = level(t, "active_instances"), back = level(t, "compensating_instances");
    uint64_t lost = count(t, "requests_lost"), lost_back = count(t, "compensations_lost");
    struct hist_counts sagas = {.total = 0}, steps = {.total = 0}, undone = {.total = 0};
    trial_histogram(t, "orders.saga_latency", &sagas);
    trial_histogram(t, "orders.step_latency", &steps);
    trial_histogram(t, "orders.compensation_latency", &undone);
    uint64_t ended =
        count(t, "sagas_completed") + count(t, "sagas_compensated") + count(t, "sagas_failed");
    assert_int_equal(ended, sagas.total);
    assert_int_equal(count(t, "sagas_started"), ended + lost + active);
    assert_int_equal(steps.total, count(t, "steps_completed") + count(t, "steps_failed"));
    assert_int_equal(count(t, "steps_executed"), steps.total + count(t, "steps_cancelled") +
                                                     (lost - lost_back) + (active - back));
    assert_int_equal(undone.total,
                     count(t, "compensations_completed") + count(t, "compensations_failed"));
    assert_int_equal(count(t, "compensations_executed"), undone.total + lost_back + back);
    assert_int_equal(count(t, "downstream_logical_requests"),
                     count(t, "steps_executed") + count(t, "compensations_executed"));
    assert_int_equal(level(t, "downstream_in_flight"), active);
    assert_int_equal(count(t, "downstream_abandoned"), lost + count(t, "steps_cancelled"));
    assert_true(count(t, "late_step_completions") <= count(t, "downstream_late_responses"));
}

/* --- the way there ----------------------------------------------------------------------- */

static void steps_follow_one_another(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[1s, 7]",
        "steps: [{name: reserve, action: {target: a}, compensation: {target: undo}},\n"
        "           {name: charge, action: {target: b, method: PUT}},\n"
        "           {name: ship, action: {target: a}}]",
        "  a: {type: probe, answers: [{after: 1s}, {after: 0.25s}]}\n"
        "  b: {type: probe, answers: [{after: 0.5s, status: 302}]}\n"
        "  undo: {type: probe}\n");
    probe_assert_times(&t, "a", 2, (sim_time[]){S(1), S(2.5)});
    probe_assert_times(&t, "b", 1, (sim_time[]){S(2)});
    assert_int_equal(probe_visits(&t, "undo"), 0);
    assert_int_equal(probe_visit(&t, "b", 0)->number, 7); /* it is the same request everywhere */
    assert_int_equal(probe_visit(&t, "b", 0)->client, trial_entity(&t, "users"));
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(2.75), 7, 200}});
    assert_sagas(&t, 1, 0, 0);
    assert_steps(&t, 3, 0, 0, 0);
    assert_latency(&t, "saga_latency", 1, S(1.75), S(1.75));
    assert_latency(&t, "step_latency", 3, S(0.25), S(1));
    assert_int_equal(trial_integral(&t, "orders.active_instances"), S(1.75));
    assert_balance(&t);
    trial_close(&t);
}

/* Each has its own step, and its own end. */
static void instances_do_not_know_of_each_other(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [0.5s, 2], [0.5s, 3], [0.7s, 4]",
        "steps: [{action: {target: a}, compensation: {target: undo}},\n"
        "           {action: {target: b, timeout: 3s}}]",
        "  a: {type: probe, answers: [{after: 2s}, {after: 1s}, {after: 1s, status: 503},\n"
        "                             {after: 2s}]}\n"
        "  b: {type: probe, answers: [{after: none}, {after: 1s}]}\n"
        "  undo: {type: probe, answers: [{after: 1s}]}\n");
    probe_assert_times(&t, "b", 3, (sim_time[]){S(1.5), S(2), S(2.7)});
    probe_assert_times(&t, "undo", 1, (sim_time[]){S(4.5)});
    asker_assert_replies(&t, "users", 4,
                         (struct asker_reply[]){
                             {S(1.5), 3, 502}, {S(3), 1, 200}, {S(3.7), 4, 200}, {S(5.5), 2, 504}});
    assert_sagas(&t, 2, 2, 0);
    assert_steps(&t, 7, 2, 1, 0);
    assert_balance(&t);
    trial_close(&t);
}

/* --- the way back ------------------------------------------------------------------------ */

/* The second step has two seconds and takes five. */
static void a_step_that_times_out_is_followed_by_compensations(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1]",
        "steps: [{action: {target: one}, compensation: {target: undo_one}},\n"
        "           {action: {target: two, timeout: 2s}, compensation: {target: undo_two}}]",
        "  one: {type: probe, answers: [{after: 1s}]}\n"
        "  two: {type: probe, answers: [{after: 5s}]}\n"
        "  undo_one: {type: probe, answers: [{after: 0.5s}]}\n"
        "  undo_two: {type: probe}\n");
    probe_assert_times(&t, "one", 1, (sim_time[]){0});
    probe_assert_times(&t, "two", 1, (sim_time[]){S(1)});
    probe_assert_times(&t, "undo_one", 1, (sim_time[]){S(3)});
    probe_assert_times(&t, "undo_two", 0, NULL);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(3.5), 1, 504}});
    assert_sagas(&t, 0, 1, 0);
    assert_steps(&t, 2, 1, 1, 0);
    assert_latency(&t, "saga_latency", 1, S(3.5), S(3.5));
    assert_latency(&t, "step_latency", 2, S(1), S(2));
    assert_latency(&t, "compensation_latency", 1, S(0.5), S(0.5));
    assert_int_equal(trial_integral(&t, "orders.compensating_instances"), S(0.5));
    assert_int_equal(count(&t, "late_step_completions"), 1); /* at 6 s, and nobody undoes it */
    assert_balance(&t);
    trial_close(&t);
}

/* An answer at the very instant of the timeout is late. */
static void a_timeout_comes_before_the_answer_of_its_instant(void **state)
{
    (void)state;
    static const char *const after[] = {"2s", "1.999999999s"};
    for (uint64_t i = 0; i < 2; i++) {
        struct trial t;
        char others[128];
        snprintf(others, sizeof others, "  a: {type: probe, answers: [{after: %s}]}\n", after[i]);
        run(&t, "[0s, 1]", "steps: [{action: {target: a, timeout: 2s}}]", others);
        assert_sagas(&t, i, 1 - i, 0);
        assert_int_equal(count(&t, "late_step_completions"), 1 - i);
        trial_close(&t);
    }
}

static const char *const four_steps =
    "steps: [{action: {target: a}, compensation: {target: undo_a}},\n"
    "           {action: {target: b}, compensation: {target: undo_b}},\n"
    "           {action: {target: c}},\n"
    "           {action: {target: d, timeout: 1s}, compensation: {target: undo_d}}]";

/* The four of them, of which the last answers as said, and their compensations. */
static void run_four(struct trial *t, const char *more, const char *d, const char *undo_b)
{
    char saga[640], others[640];
    snprintf(saga, sizeof saga, "%s, %s", four_steps, more);
    snprintf(others, sizeof others,
             "  a: {type: probe, answers: [{after: 1s}]}\n"
             "  b: {type: probe, answers: [{after: 1s}]}\n"
             "  c: {type: probe, answers: [{after: 1s}]}\n"
             "  d: {type: probe, answers: [{%s}]}\n"
             "  undo_a: {type: probe, answers: [{after: 1s}]}\n"
             "  undo_b: {type: probe, answers: [{%s}]}\n"
             "  undo_d: {type: probe, answers: [{after: 1s}]}\n",
             d, undo_b);
    run(t, "[0s, 1]", saga, others);
}

/* Only what was done is undone, the last first; a step without a compensation is passed over. */
static void compensations_go_in_reverse(void **state)
{
    (void)state;
    struct trial t;
    run_four(&t, "on_cancel: ignore", "after: 0.5s, status: 500", "after: 2s");
    probe_assert_times(&t, "undo_b", 1, (sim_time[]){S(3.5)});
    probe_assert_times(&t, "undo_a", 1, (sim_time[]){S(5.5)});
    probe_assert_times(&t, "undo_d", 0, NULL);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(6.5), 1, 502}});
    assert_sagas(&t, 0, 1, 0);
    assert_steps(&t, 4, 1, 2, 0);
    assert_balance(&t);
    trial_close(&t);
}

static void a_failed_compensation_fails_the_saga(void **state)
{
    (void)state;
    struct trial t;
    run_four(&t, "on_compensation_failure: continue", "after: none", "after: 2s, status: 500");
    probe_assert_times(&t, "undo_b", 1, (sim_time[]){S(4)});
    probe_assert_times(&t, "undo_a", 1, (sim_time[]){S(6)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(7), 1, 504}});
    assert_sagas(&t, 0, 0, 1);
    assert_steps(&t, 4, 1, 2, 1);
    assert_int_equal(count(&t, "compensations_completed"), 1);
    assert_balance(&t);
    trial_close(&t);
    run_four(&t, "on_compensation_failure: stop", "after: none", "after: 2s, status: 500");
    probe_assert_times(&t, "undo_a", 0, NULL);
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(6), 1, 504}});
    assert_sagas(&t, 0, 0, 1);
    assert_steps(&t, 4, 1, 1, 1);
    assert_balance(&t);
    trial_close(&t);
}

/* There is nothing to undo: it has ended in the same instant. */
static void a_first_step_that_fails_ends_the_saga(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [1s, 2], [2s, 3]",
        "steps: [{action: {target: a, timeout: 1s}, compensation: {target: undo}},\n"
        "           {action: {target: a}}]",
        "  a: {type: probe, answers: [{after: 0.5s, status: 404}, {after: none}, {refuse: true}]}\n"
        "  undo: {type: probe}\n");
    asker_assert_replies(&t, "users", 3,
                         (struct asker_reply[]){{S(0.5), 1, 502}, {S(2), 2, 504}, {S(2), 3, 502}});
    assert_int_equal(probe_visits(&t, "undo"), 0);
    assert_sagas(&t, 0, 3, 0);
    assert_steps(&t, 3, 3, 0, 0);
    assert_balance(&t);
    trial_close(&t);
}

/* Whether the last step took effect is not known after a timeout, and is after an error. */
static void a_timed_out_step_may_be_compensated_too(void **state)
{
    (void)state;
    struct trial t;
    run_four(&t, "compensate_timed_out_step: true", "after: 1.5s", "after: 2s");
    probe_assert_times(&t, "undo_d", 1, (sim_time[]){S(4)});
    probe_assert_times(&t, "undo_b", 1, (sim_time[]){S(5)});
    probe_assert_times(&t, "undo_a", 1, (sim_time[]){S(7)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(8), 1, 504}});
    assert_sagas(&t, 0, 1, 0);
    assert_steps(&t, 4, 1, 3, 0);
    assert_int_equal(count(&t, "late_step_completions"), 1);
    assert_balance(&t);
    trial_close(&t);
    run_four(&t, "compensate_timed_out_step: true", "after: 0.5s, status: 500", "after: 2s");
    probe_assert_times(&t, "undo_d", 0, NULL);
    assert_steps(&t, 4, 1, 2, 0);
    trial_close(&t);
}

/* The retries of a call are those of its step, or of its compensation. */
static void each_call_has_a_policy_of_its_own(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [20s, 2]",
        "steps: [{action: {target: a, retry: {kind: fixed, max_attempts: 2, delay: 1s}},\n"
        "            compensation: {target: undo, timeout: 1s,\n"
        "                           retry: {kind: fixed, max_attempts: 3, delay: 2s}}},\n"
        "           {action: {target: b}}]",
        "  a: {type: probe, answers: [{status: 503}, {status: 200}]}\n"
        "  b: {type: probe, answers: [{after: 1s, status: 500}]}\n"
        "  undo: {type: probe, answers: [{after: none}, {status: 503}, {after: 0.5s},\n"
        "                                {after: none}]}\n");
    probe_assert_times(&t, "a", 3, (sim_time[]){0, S(1), S(20)});
    probe_assert_times(&t, "b", 2, (sim_time[]){S(1), S(20)});
    probe_assert_times(&t, "undo", 6, (sim_time[]){S(2), S(5), S(7), S(21), S(24), S(27)});
    asker_assert_replies(&t, "users", 2, (struct asker_reply[]){{S(7.5), 1, 502}, {S(28), 2, 502}});
    assert_sagas(&t, 0, 1, 1);
    assert_steps(&t, 4, 2, 2, 1);
    assert_latency(&t, "compensation_latency", 2, S(5.5), S(7));
    assert_balance(&t);
    trial_close(&t);
}

/* It has no time of its own: without one of its call it is awaited to the end. */
static void a_compensation_without_an_answer_is_stuck(void **state)
{
    (void)state;
    struct trial t;
    run_four(&t, "on_cancel: ignore", "status: 500", "after: none");
    asker_assert_replies(&t, "users", 0, NULL);
    assert_sagas(&t, 0, 0, 0);
    assert_int_equal(level(&t, "active_instances"), 1);
    assert_int_equal(level(&t, "compensating_instances"), 1);
    assert_int_equal(trial_integral(&t, "orders.compensating_instances"), S(97));
    assert_balance(&t);
    trial_close(&t);
}

/* Good answers to actions whose step is over are effects; errors, and what compensations say, are
 * not. An attempt that failed in a step that went on is late, but its step knew of it. */
static void late_effects_are_told_from_other_late_answers(void **state)
{
    (void)state;
    struct trial t;
    run(&t, "[0s, 1], [10s, 2], [20s, 3]",
        "steps: [{action: {target: a, timeout: 1s}, compensation: {target: undo, timeout: 1s}},\n"
        "           {action: {target: b, timeout: 1s,\n"
        "                     retry: {kind: fixed, max_attempts: 2, delay: 1s}}}]",
        "  a: {type: probe, answers: [{status: 200}, {after: 2s, status: 500}, {after: 2s}]}\n"
        "  b: {type: probe, answers: [{after: 1.5s}, {after: 2s}]}\n"
        "  undo: {type: probe, answers: [{after: 2s}]}\n");
    assert_sagas(&t, 0, 2, 1);
    assert_int_equal(count(&t, "downstream_late_responses"), 5);
    assert_int_equal(count(&t, "late_step_completions"), 2); /* at 4 s by b, at 22 s by a */
    assert_balance(&t);
    trial_close(&t);
}

/* --- what is given up -------------------------------------------------------------------- */

/* One saga, given up at the time said, whose steps take a second each; the third fails. */
static void run_cancelled(struct trial *t, const char *at, const char *more)
{
    char asks[64], saga[512];
    snprintf(asks, sizeof asks, "[0s, 1], [%s, 1, cancel], [%s, 1, cancel]", at, at);
    snprintf(saga, sizeof saga,
             "steps: [{action: {target: a}, compensation: {target: undo_a}},\n"
             "           {action: {target: b}, compensation: {target: undo_b}},\n"
             "           {action: {target: c}}], %s",
             more);
    run(t, asks, saga,
        "  a: {type: probe, answers: [{after: 1s}]}\n"
        "  b: {type: probe, answers: [{after: 1s}]}\n"
        "  c: {type: probe, answers: [{after: 1s, status: 500}]}\n"
        "  undo_a: {type: probe, answers: [{after: 1s}]}\n"
        "  undo_b: {type: probe, answers: [{after: 1s}]}\n");
}

static void cancels_are_ignored(void **state)
{
    (void)state;
    struct trial t;
    run_cancelled(&t, "1.5s", "on_cancel: ignore");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(5), 1, 502}});
    probe_assert_cancels(&t, "b", 0, NULL);
    assert_int_equal(count(&t, "requests_cancelled"), 0);
    assert_balance(&t);
    trial_close(&t);
}

static void cancels_turn_a_saga_back(void **state)
{
    (void)state;
    struct trial t;
    run_cancelled(&t, "1.5s", "on_cancel: compensate");
    probe_assert_cancels(&t, "b", 1, (sim_time[]){S(1.5)});
    probe_assert_times(&t, "undo_a", 1, (sim_time[]){S(1.5)});
    probe_assert_times(&t, "undo_b", 0, NULL);
    asker_assert_replies(&t, "users", 0, NULL);
    assert_sagas(&t, 0, 1, 0);
    assert_steps(&t, 2, 0, 1, 0);
    assert_int_equal(count(&t, "requests_cancelled"), 1);
    assert_int_equal(count(&t, "steps_cancelled"), 1);
    assert_int_equal(count(&t, "late_step_completions"), 1);
    assert_latency(&t, "saga_latency", 1, S(2.5), S(2.5));
    assert_balance(&t);
    trial_close(&t);
    /* What the step under way does is as unknown as after a timeout. */
    run_cancelled(&t, "1.5s", "on_cancel: compensate, compensate_timed_out_step: true");
    probe_assert_times(&t, "undo_b", 1, (sim_time[]){S(1.5)});
    probe_assert_times(&t, "undo_a", 1, (sim_time[]){S(2.5)});
    trial_close(&t);
    /* In the first step there is nothing to undo. */
    run_cancelled(&t, "0.5s", "on_cancel: compensate");
    assert_sagas(&t, 0, 1, 0);
    assert_steps(&t, 1, 0, 0, 0);
    assert_int_equal(level(&t, "active_instances"), 0);
    assert_balance(&t);
    trial_close(&t);
    /* On its way back it goes on, and does not answer. */
    run_cancelled(&t, "3.5s", "on_cancel: compensate");
    probe_assert_times(&t, "undo_b", 1, (sim_time[]){S(3)});
    probe_assert_times(&t, "undo_a", 1, (sim_time[]){S(4)});
    probe_assert_cancels(&t, "undo_b", 0, NULL);
    asker_assert_replies(&t, "users", 0, NULL);
    assert_sagas(&t, 0, 1, 0);
    assert_int_equal(count(&t, "requests_cancelled"), 1);
    assert_int_equal(count(&t, "steps_cancelled"), 0);
    assert_balance(&t);
    trial_close(&t);
    /* When it is over there is nothing to give up. */
    run_cancelled(&t, "5.5s", "on_cancel: compensate");
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(5), 1, 502}});
    assert_int_equal(count(&t, "requests_cancelled"), 0);
    trial_close(&t);
}

/* Nothing is done for an instance that was under way, on either way; what it began is served. */
static void a_crash_forgets_all_instances(void **state)
{
    (void)state;
    struct trial t;
    open_saga(&t, "[0s, 1], [1.5s, 2], [2.2s, 3], [2.7s, 4], [2.8s, 2, cancel]",
              "on_cancel: compensate,\n"
              "           steps: [{action: {target: a}, compensation: {target: undo}},\n"
              "                   {action: {target: b, timeout: 0.5s}}]",
              "  a: {type: probe, answers: [{after: 1s}]}\n"
              "  b: {type: probe, answers: [{after: none}, {status: 200}]}\n"
              "  undo: {type: probe, answers: [{after: 1s}]}\n"
              "timeline: [{at: 2s, for: 0.4s, crash: orders}]\n");
    trial_run(&t, 0);
    probe_assert_times(&t, "undo", 1, (sim_time[]){S(1.5)});
    asker_assert_replies(&t, "users", 1, (struct asker_reply[]){{S(3.7), 4, 200}});
    assert_int_equal(count(&t, "sagas_started"), 3);
    assert_sagas(&t, 1, 0, 0);
    assert_int_equal(count(&t, "requests_lost"), 2);
    assert_int_equal(count(&t, "compensations_lost"), 1);
    assert_int_equal(count(&t, "requests_missed"), 1);
    assert_int_equal(count(&t, "requests_cancelled"), 0);
    assert_int_equal(count(&t, "late_step_completions"), 1); /* of the second, at 2.5 s */
    assert_int_equal(trial_integral(&t, "orders.active_instances"), S(2) + S(0.5) + S(1));
    assert_balance(&t);
    trial_close(&t);
}

/* --- whatever happens -------------------------------------------------------------------- */

enum { MOST_STEPS = 5, SAGAS = 30 };

/* A saga of steps that take the same each time, so that the end of every instance is known; and
 * what should become of all. */
struct script {
    uint32_t steps;
    bool stops, undoes_unknown, heeds_cancels;
    struct {
        sim_time takes, timeout; /* [ns] */
        uint16_t status;
        bool is_there;
    } calls[2 * MOST_STEPS]; /* as the saga numbers them */
    struct {
        sim_time ask, cancel; /* [ns] cancel: SIM_TIME_NEVER: not */
    } sagas[SAGAS];
    uint64_t completed, compensated, failed, executed, steps_failed, cancelled, undone, undo_failed,
        late, replies;
    sim_time took; /* [ns] all sagas together */
};

static bool ends_well(const struct script *s, uint32_t site)
{
    return s->calls[site].takes < s->calls[site].timeout && s->calls[site].status == 200;
}

static sim_time time_of(const struct script *s, uint32_t site)
{
    return s->calls[site].takes < s->calls[site].timeout ? s->calls[site].takes
                                                         : s->calls[site].timeout;
}

/* The way back over the first `n` steps, begun at `now`. When it ends. */
static sim_time expect_back(struct script *s, uint32_t n, sim_time now)
{
    bool failed = false;
    while (n-- > 0 && !(failed && s->stops)) {
        uint32_t site = 2 * n + 1;
        if (!s->calls[site].is_there) {
            continue;
        }
        s->undone++;
        s->undo_failed += !ends_well(s, site);
        failed |= !ends_well(s, site);
        now += time_of(s, site);
    }
    s->failed += failed;
    s->compensated += !failed;
    return now;
}

/* One instance. When it ends. */
static sim_time expect(struct script *s, sim_time now, sim_time cancel)
{
    for (uint32_t i = 0; i < s->steps; i++) {
        uint32_t site = 2 * i;
        bool timed_out = s->calls[site].takes >= s->calls[site].timeout;
        bool given_up = s->heeds_cancels && cancel < now + time_of(s, site);
        s->executed++;
        if (given_up || !ends_well(s, site)) {
            s->cancelled += given_up;
            s->steps_failed += !given_up;
            s->late += (given_up || timed_out) && s->calls[site].status == 200;
            now = given_up ? cancel : now + time_of(s, site);
            now = expect_back(s, i + ((given_up || timed_out) && s->undoes_unknown), now);
            s->replies += !(s->heeds_cancels && cancel < now) && !given_up;
            return now;
        }
        now += time_of(s, site);
    }
    s->completed++;
    s->replies++;
    return now;
}

static sim_time below(struct rng_stream *r, sim_time most)
{
    return (sim_time)(rng_bits(r) % (uint64_t)most);
}

/* Times are to the nanosecond, so that ties do not happen. */
static void draw_script(struct script *s, struct rng_stream *r)
{
    *s = (struct script){.steps = (uint32_t)(1 + below(r, MOST_STEPS)),
                         .stops = below(r, 2),
                         .undoes_unknown = below(r, 2),
                         .heeds_cancels = below(r, 2)};
    for (uint32_t i = 0; i < 2 * s->steps; i++) {
        s->calls[i].takes = 1 + below(r, S(0.1));
        s->calls[i].timeout = 1 + below(r, S(0.6));
        s->calls[i].status = below(r, 6) == 0 ? 500 : 200;
        s->calls[i].is_there = i % 2 == 0 || below(r, 4) != 0;
    }
    for (uint32_t i = 0; i < SAGAS; i++) {
        s->sagas[i].ask = 1 + below(r, S(1));
        s->sagas[i].cancel =
            below(r, 3) == 0 ? s->sagas[i].ask + 1 + below(r, S(0.4)) : SIM_TIME_NEVER;
    }
    for (uint32_t i = 0; i < SAGAS; i++) {
        sim_time ask = s->sagas[i].ask;
        s->took += expect(s, ask, s->sagas[i].cancel) - ask;
    }
}

static size_t write_call(const struct script *s, uint32_t site, char *text, size_t room)
{
    return (size_t)snprintf(text, room, "{target: s%u, timeout: %" PRId64 "ns}", site,
                            s->calls[site].timeout);
}

static void open_script(struct trial *t, const struct script *s, const char *timeline)
{
    char asks[4096], saga[2048], others[2048];
    size_t n = 0, k = 0, o = 0;
    for (uint32_t i = 0; i < SAGAS; i++) {
        n += (size_t)snprintf(asks + n, sizeof asks - n, "[%" PRId64 "ns, %u], ", s->sagas[i].ask,
                              i + 1);
        if (s->sagas[i].cancel != SIM_TIME_NEVER) {
            n += (size_t)snprintf(asks + n, sizeof asks - n, "[%" PRId64 "ns, %u, cancel], ",
                                  s->sagas[i].cancel, i + 1);
        }
    }
    k += (size_t)snprintf(saga, sizeof saga,
                          "on_compensation_failure: %s, compensate_timed_out_step: %s,\n"
                          "           on_cancel: %s, steps: [",
                          s->stops ? "stop" : "continue", s->undoes_unknown ? "true" : "false",
                          s->heeds_cancels ? "compensate" : "ignore");
    for (uint32_t i = 0; i < 2 * s->steps; i++) {
        o += (size_t)snprintf(others + o, sizeof others - o,
                              "  s%u: {type: probe, answers: [{after: %" PRId64
                              "ns, status: %u}]}\n",
                              i, s->calls[i].takes, s->calls[i].status);
        if (i % 2 == 0) {
            k += (size_t)snprintf(saga + k, sizeof saga - k, "{action: ");
            k += write_call(s, i, saga + k, sizeof saga - k);
        } else {
            k += (size_t)snprintf(saga + k, sizeof saga - k, ", compensation: %s",
                                  s->calls[i].is_there ? "" : "[]");
            k += s->calls[i].is_there ? write_call(s, i, saga + k, sizeof saga - k) : 0;
            k += (size_t)snprintf(saga + k, sizeof saga - k, "}, ");
        }
    }
    k += (size_t)snprintf(saga + k, sizeof saga - k, "]");
    snprintf(others + o, sizeof others - o, "timeline: [%s]\n", timeline);
    assert_true(n < sizeof asks && k < sizeof saga && o + 64 < sizeof others);
    open_saga(t, asks, saga, others);
}

/* Runs a trial that is open, looking at it again and again. */
static void run_watched(struct trial *t)
{
    trial_begin(t, 0, 0);
    for (sim_time at = 0; at < S(2); at += S(0.0133)) {
        assert_true(sim_run_until(t->sim, at, 0));
        assert_balance(t);
    }
    trial_end(t);
    assert_balance(t);
    assert_int_equal(level(t, "active_instances"), 0);
}

static void every_saga_ends_as_its_steps_do(void **state)
{
    (void)state;
    uint64_t completed = 0, failed = 0, cancelled = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        struct script s;
        struct trial t;
        draw_script(&s, &r);
        open_script(&t, &s, "");
        run_watched(&t);
        assert_sagas(&t, s.completed, s.compensated, s.failed);
        assert_steps(&t, s.executed, s.steps_failed, s.undone, s.undo_failed);
        assert_int_equal(count(&t, "steps_cancelled"), s.cancelled);
        assert_int_equal(count(&t, "late_step_completions"), s.late);
        assert_int_equal(trial_counter(&t, "users.replies_received"), s.replies);
        struct hist_counts h = {.total = 0};
        trial_histogram(&t, "orders.saga_latency", &h);
        assert_true(h.sum == (hist_sum)s.took);
        trial_close(&t);
        completed += s.completed;
        failed += s.failed;
        cancelled += s.cancelled;
    }
    assert_true(completed > 1000 && failed > 500 && cancelled > 200); /* it was seen at work */
}

static void crashes_lose_what_they_count(void **state)
{
    (void)state;
    uint64_t lost = 0, undone = 0, missed = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed, .replication = 1});
        struct script s;
        struct trial t;
        draw_script(&s, &r);
        open_script(&t, &s,
                    "{at: 0.3s, for: 0.05s, crash: orders}, {at: 0.7s, for: 0.1s, crash: orders}");
        run_watched(&t);
        lost += count(&t, "requests_lost");
        undone += count(&t, "compensations_lost");
        missed += count(&t, "requests_missed");
        assert_int_equal(count(&t, "sagas_started") + count(&t, "requests_missed"), SAGAS);
        trial_close(&t);
    }
    assert_true(lost > 300 && undone > 50 && missed > 300);
}

/* --- the scenario ------------------------------------------------------------------------- */

#define SCENARIO "configs/scenarios/saga.yaml"
enum { SCENARIO_SECONDS = 150 };

/* Orders that come to shipping in the 20 s between its trigger and that of the payment service, and
 * those that time out there: a message takes 5 ms each way, and shipping a second on average. */
static const double SLOW_ORDERS = 20.0 * 20.0, TIMED_OUT = 0.371577; /* exp(-0.99) */

/* Charges that find the payment service down, and those under way in it when it went down. */
static const double UNPAID = 20.0 * 10.0 + 20.0 * 0.05;

/* Each order has one end; what was shipped was paid, or is known to have been late; and what was
 * done and not completed was undone. */
static void orders_are_completed_or_compensated(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, SCENARIO, NULL);
    for (uint64_t replication = 0; replication < 5; replication++) {
        trial_run(&t, replication);
        uint64_t completed = count(&t, "sagas_completed"),
                 late = count(&t, "late_step_completions");
        uint64_t compensated = count(&t, "sagas_compensated");
        assert_balance(&t);
        assert_int_equal(level(&t, "active_instances"), 0);
        assert_int_equal(trial_counter(&t, "users.successes"), completed);
        assert_int_equal(trial_counter(&t, "users.failures"), compensated);
        assert_int_equal(trial_counter(&t, "shipping.requests_completed"), completed + late);
        assert_int_equal(count(&t, "compensations_completed"), compensated + late);
        assert_true(late > 100 && compensated > 300);
        for (uint32_t second = 82; second < 90; second++) {
            assert_int_equal(trial_in_interval(&t, "orders.sagas_completed", second), 0);
        }
    }
    trial_close(&t);
}

static void orders_are_shipped_and_refunded(void **state)
{
    (void)state;
    const double orphans = SLOW_ORDERS * TIMED_OUT;
    struct trial t;
    trial_load(&t, SCENARIO, NULL);
    claims_hold(
        "order saga", &t,
        (struct claim[]){CLAIM_RATE("users.logical_requests", 20.0 * 120 / SCENARIO_SECONDS, 0.01),
                         CLAIM(CLAIM_RATE, "orders.late_step_completions",
                               orphans / SCENARIO_SECONDS, 0.02, .slack = 0.002),
                         CLAIM(CLAIM_RATE, "orders.sagas_compensated",
                               (orphans + UNPAID) / SCENARIO_SECONDS, 0.02, .slack = 0.002),
                         CLAIMS_END});
    trial_close(&t);
    /* A longer time leaves fewer behind. */
    trial_load(&t, SCENARIO, (const char *const[]){"orders.steps[2].action.timeout=4s", NULL});
    claims_hold(
        "order saga, patient", &t,
        (struct claim[]){CLAIM(CLAIM_RATE, "orders.late_step_completions",
                               SLOW_ORDERS * exp(-3.99) / SCENARIO_SECONDS, 0.1, .slack = 0.01),
                         CLAIMS_END});
    trial_close(&t);
}

/* Those that are due in the second after the payment service went down, and those under way in it
 * then, unless they are tried again. */
static void refunds_are_lost_without_retries(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, SCENARIO,
               (const char *const[]){"orders.steps[1].compensation.retry=none", NULL});
    claims_hold(
        "order saga, refunds once", &t,
        (struct claim[]){CLAIM(CLAIM_RATE, "orders.sagas_failed",
                               20.0 * TIMED_OUT * 1.05 / SCENARIO_SECONDS, 0.1, .slack = 0.02),
                         CLAIMS_END});
    trial_close(&t);
}

static void without_a_timeout_sagas_hang(void **state)
{
    (void)state;
    struct trial t;
    trial_load(&t, SCENARIO, (const char *const[]){"orders.steps[1].action.timeout=none", NULL});
    trial_run(&t, 0);
    assert_balance(&t);
    assert_in_range(level(&t, "active_instances"), (uint64_t)UNPAID - 50, (uint64_t)UNPAID + 50);
    assert_int_equal(level(&t, "compensating_instances"), 0);
    trial_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_one_another),
        cmocka_unit_test(instances_do_not_know_of_each_other),
        cmocka_unit_test(a_step_that_times_out_is_followed_by_compensations),
        cmocka_unit_test(a_timeout_comes_before_the_answer_of_its_instant),
        cmocka_unit_test(compensations_go_in_reverse),
        cmocka_unit_test(a_failed_compensation_fails_the_saga),
        cmocka_unit_test(a_first_step_that_fails_ends_the_saga),
        cmocka_unit_test(a_timed_out_step_may_be_compensated_too),
        cmocka_unit_test(each_call_has_a_policy_of_its_own),
        cmocka_unit_test(a_compensation_without_an_answer_is_stuck),
        cmocka_unit_test(late_effects_are_told_from_other_late_answers),
        cmocka_unit_test(cancels_are_ignored),
        cmocka_unit_test(cancels_turn_a_saga_back),
        cmocka_unit_test(a_crash_forgets_all_instances),
        cmocka_unit_test(every_saga_ends_as_its_steps_do),
        cmocka_unit_test(crashes_lose_what_they_count),
        cmocka_unit_test(orders_are_completed_or_compensated),
        cmocka_unit_test(orders_are_shipped_and_refunded),
        cmocka_unit_test(refunds_are_lost_without_retries),
        cmocka_unit_test(without_a_timeout_sagas_hang)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
