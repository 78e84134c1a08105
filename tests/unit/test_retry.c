/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/retry.h"
#include "support/choice.h"

static struct retry policy(const char *text)
{
    struct retry r;
    assert_true(choice_read(&retry_choice, text, &r));
    return r;
}

static struct rng_stream stream_of(uint64_t seed)
{
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = seed});
    return s;
}

struct answer {
    sim_time wait;
    enum retry_reason reason;
    enum outcome outcome;
};

/* Judges and decides. */
static struct answer decide(const struct retry *r, const struct retry_question *q,
                            struct retry_memory *memory, struct rng_stream *s)
{
    struct retry_verdict v = retry_judge(r, q, s);
    struct retry_answer a = retry_decide(r, q, v, memory, s);
    return (struct answer){a.wait, (enum retry_reason)a.reason, (enum outcome)v.outcome};
}

/* What a policy says to attempt k of a request that has begun at 0 and remembers nothing, without
 * any draw. */
static struct answer answer_at(const struct retry *r, uint32_t k, struct attempt_end end,
                               sim_time now)
{
    struct rng_stream s = stream_of(1);
    struct retry_memory memory = {0};
    struct retry_question q = {.attempt = k, .end = &end, .now = now, .quantile = SIM_TIME_NEVER};
    struct answer a = decide(r, &q, &memory, &s);
    assert_int_equal(s.drawn, 0);
    assert_int_equal(a.reason == RETRY_AGAIN, a.wait != SIM_TIME_NEVER);
    return a;
}

static enum retry_reason reason_of(const struct retry *r, uint32_t k, struct attempt_end end)
{
    return answer_at(r, k, end, 0).reason;
}

static bool retries(const struct retry *r, struct attempt_end end)
{
    return reason_of(r, 1, end) == RETRY_AGAIN;
}

static const struct attempt_end timed_out = {.error = ERROR_TIMEOUT};

static struct attempt_end status(unsigned code)
{
    return (struct attempt_end){.status = (uint16_t)code};
}

static struct attempt_end flagged(unsigned code, unsigned flags)
{
    return (struct attempt_end){.status = (uint16_t)code, .flags = (uint8_t)flags};
}

static struct attempt_end retry_after(sim_time wait)
{
    return (struct attempt_end){.status = 503, .flags = REPLY_RETRY_AFTER, .retry_after = wait};
}

static struct attempt_end failed(enum attempt_error error)
{
    return (struct attempt_end){.error = (uint8_t)error};
}

static void forms_are_read(void **state)
{
    (void)state;
    struct retry r = policy("retry: none");
    assert_int_equal(r.kind, RETRY_NONE);
    assert_int_equal(r.limit, 1);
    assert_false(r.polls || r.special);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 100ms}");
    assert_int_equal(r.delays.kind, DELAYS_FIXED);
    assert_int_equal(r.limit, 3);
    assert_int_equal(r.retry_on, RETRY_ON_TIMEOUT | RETRY_ON_ERROR);
    r = policy("retry: {kind: exponential, max_attempts: 4, initial_delay: 50ms, multiplier: 3, "
               "max_delay: 1s, jitter: full}");
    assert_int_equal(r.delays.kind, DELAYS_EXPONENTIAL);
    assert_int_equal(r.delays.initial_delay, 50 * SIM_TIME_MS);
    assert_int_equal(r.delays.max_delay, SIM_TIME_S);
    assert_true(r.delays.multiplier == 3.0);
    assert_int_equal(r.delays.exponent_offset, -1);
    assert_int_equal(r.delays.jitter.kind, JITTER_FULL);
    assert_false(r.polls || r.special);
    r = policy("retry: {decorrelated_jitter: {max_attempts: 4, base_delay: 50ms, max_delay: none, "
               "shared_state: true}, retry_on: error}");
    assert_int_equal(r.delays.kind, DELAYS_DECORRELATED);
    assert_int_equal(r.delays.base_delay, 50 * SIM_TIME_MS);
    assert_true(r.delays.max_delay == SIM_TIME_NEVER);
    assert_true(r.delays.shared_state);
    assert_int_equal(r.retry_on, RETRY_ON_ERROR);
    r = policy("retry: {table: [1s, 5s], max_retries: 2}");
    assert_int_equal(r.delays.kind, DELAYS_TABLE);
    assert_int_equal(r.limit, 3);
    r = policy("retry: {fixed: {exponential: 20ms}, max_attempts: 2}");
    assert_int_equal(r.delays.delay.kind, DIST_EXPONENTIAL);
    r = policy("retry: {kind: linear, max_retries: 0}");
    assert_int_equal(r.limit, 1);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "retry: fixed",
        "retry: fibonacci",
        "retry: {kind: fixed, delay: 0}",
        "retry: {kind: fixed, max_attempts: none, delay: 0}",
        "retry: {kind: fixed, max_attempts: 3, max_retries: 2, delay: 0}",
        "retry: {kind: adaptive, max_attempts: 3, max_retries: 2}",
        "retry: {kind: adaptive, base_delay: 2, max_delay: 1}",
        "retry: {kind: adaptive, transient_budget: -1}",
        "retry: {kind: fixed, max_attempts: 0, delay: 0}",
        "retry: {kind: fixed, max_retries: -1, delay: 0}",
        "retry: {kind: fixed, max_attempts: 65536, delay: 0}",
        "retry: {kind: fixed, max_retries: 65535, delay: 0}",
        "retry: {kind: fixed, max_attempts: 3, delay: -1s}",
        "retry: {kind: fixed, max_attempts: 3, delay: 1s, max_delay: 2s}",
        "retry: {kind: exponential, max_attempts: 3, initial_delay: 0, max_delay: 1}",
        "retry: {kind: exponential, max_attempts: 3, initial_delay: 2, max_delay: 1}",
        "retry: {exponential: {max_attempts: 3, initial_delay: 1, max_delay: 1, multiplier: 0.5}}",
        "retry: {kind: decorrelated_jitter, max_attempts: 3, base_delay: 2, max_delay: 1}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, retry_on: [sunday]}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, status_forcelist: [600]}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, retry_if: {attempt: [3, 2]}}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, retry_if: {error: timeout, status: 500}}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, max_total_time: 0}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, max_wait_time: 0}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct retry r;
        assert_false(choice_read(&retry_choice, wrong[i], &r));
    }
    policy("retry: {kind: exponential, max_attempts: 1, initial_delay: 1, max_delay: 1}");
    policy("retry: {kind: decorrelated_jitter, max_attempts: 1, base_delay: 1, max_delay: 1}");
}

static void outcomes_and_attempts_decide(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: fixed, max_attempts: 3, delay: 0}");
    for (uint32_t k = 1; k <= 4; k++) {
        enum retry_reason again = k < 3 ? RETRY_AGAIN : RETRY_EXHAUSTED;
        assert_int_equal(reason_of(&r, k, timed_out), again);
        assert_int_equal(reason_of(&r, k, status(503)), again);
        assert_int_equal(reason_of(&r, k, failed(ERROR_REFUSED)), again);
        assert_int_equal(reason_of(&r, k, status(404)), RETRY_UNWANTED);
        assert_int_equal(reason_of(&r, k, status(200)), RETRY_UNWANTED);
        assert_int_equal(reason_of(&r, k, flagged(503, REPLY_NO_RETRY)), RETRY_UNWANTED);
        assert_int_equal(reason_of(&r, k, failed(ERROR_CIRCUIT_OPEN)), RETRY_UNWANTED);
    }
    assert_int_equal(answer_at(&r, 1, timed_out, 0).outcome, OUTCOME_TIMEOUT);
    assert_int_equal(answer_at(&r, 3, status(503), 0).outcome, OUTCOME_ERROR);
    assert_int_equal(answer_at(&r, 1, status(404), 0).outcome, OUTCOME_FINAL);
    assert_int_equal(answer_at(&r, 1, status(200), 0).outcome, OUTCOME_SUCCESS);
    r.retry_on = RETRY_ON_TIMEOUT;
    assert_true(retries(&r, timed_out));
    assert_false(retries(&r, status(503)));
    r.retry_on = RETRY_ON_ERROR;
    assert_false(retries(&r, timed_out));
    assert_true(retries(&r, status(503)));
    r = policy("retry: none");
    assert_false(retries(&r, timed_out));
    assert_false(retries(&(struct retry){.retry_on = RETRY_ON_TIMEOUT}, timed_out));
    r = policy("retry: {kind: fixed, max_attempts: 1, delay: 0}");
    assert_int_equal(reason_of(&r, 1, timed_out), RETRY_EXHAUSTED);
    r = policy("retry: {kind: fixed, max_retries: 0, delay: 0}");
    assert_int_equal(reason_of(&r, 1, timed_out), RETRY_EXHAUSTED);
}

static void the_kth_retry_waits_for_the_kth_delay(void **state)
{
    (void)state;
    const sim_time half = SIM_TIME_S / 2;
    struct retry r = policy("retry: {kind: exponential, max_attempts: 5, initial_delay: 0.5, "
                            "max_delay: 100}");
    for (uint32_t k = 1; k <= 4; k++) {
        assert_int_equal(answer_at(&r, k, timed_out, 0).wait, half << (k - 1));
    }
    r = policy("retry: {kind: percentile, max_attempts: 5}");
    struct rng_stream s = stream_of(1);
    struct retry_question q = {.attempt = 2, .end = &timed_out, .quantile = 70 * SIM_TIME_MS};
    struct answer a = decide(&r, &q, &(struct retry_memory){0}, &s);
    assert_int_equal(a.wait, 140 * SIM_TIME_MS);
}

static void decorrelated_jitter_remembers_the_delay_before(void **state)
{
    (void)state;
    struct retry r =
        policy("retry: {kind: decorrelated_jitter, max_attempts: 9, base_delay: 1, max_delay: 9}");
    struct rng_stream s = stream_of(2);
    struct retry_memory memory = {0};
    for (uint32_t k = 1; k <= 8; k++) {
        struct retry_question q = {.attempt = k, .end = &timed_out};
        struct answer a = decide(&r, &q, &memory, &s);
        assert_int_equal(memory.previous, a.wait);
        assert_int_equal(s.drawn, k);
    }
    /* What an answer asks for is no delay of the law. */
    sim_time before = memory.previous;
    struct attempt_end end = retry_after(SIM_TIME_S);
    struct retry_question q = {.attempt = 1, .end = &end};
    assert_int_equal(decide(&r, &q, &memory, &s).wait, SIM_TIME_S);
    assert_int_equal(memory.previous, before);
    assert_int_equal(s.drawn, 8);
}

static void a_forcelist_replaces_the_verdict_on_failures(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: fixed, max_attempts: 3, delay: 0, status_forcelist: "
                            "[429, 500, 502-504]}");
    for (unsigned code = 100; code < 600; code++) {
        bool listed = code == 429 || code == 500 || (code >= 502 && code <= 504);
        struct answer a = answer_at(&r, 1, status(code), 0);
        assert_int_equal(a.reason == RETRY_AGAIN, listed);
        assert_int_equal(a.outcome, code < 400 ? OUTCOME_SUCCESS
                                    : listed   ? OUTCOME_ERROR
                                               : OUTCOME_FINAL);
    }
    assert_true(retries(&r, timed_out));
    assert_true(retries(&r, failed(ERROR_RESET)));
    assert_true(retries(&r, flagged(503, REPLY_NO_RETRY)));
    assert_false(r.polls);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 0, status_forcelist: 404, "
               "retry_on: error}");
    assert_true(retries(&r, status(404)));
    assert_false(retries(&r, timed_out));
}

static void own_verdicts_go_first(void **state)
{
    (void)state;
    struct retry r = policy(
        "retry: {kind: fixed, max_attempts: 3, delay: 0, verdicts: [{status: 503, verdict: final}, "
        "{status: [404, 500-599], verdict: error}, {status: 410, verdict: success}]}");
    assert_false(retries(&r, status(503)));
    assert_true(retries(&r, status(404)));
    assert_true(retries(&r, flagged(500, REPLY_NO_RETRY)));
    assert_int_equal(answer_at(&r, 1, status(410), 0).outcome, OUTCOME_SUCCESS);
    assert_false(r.polls);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 0, verdicts: {status: 202, "
               "verdict: error}}");
    assert_true(r.polls);
    assert_true(retries(&r, status(202)));
    assert_false(retries(&r, status(200)));
}

static void rules_replace_everything_else(void **state)
{
    (void)state;
    struct retry r =
        policy("retry: {kind: fixed, max_attempts: 9, delay: 0, status_forcelist: 500, retry_if: ["
               "{status: 503, flags: do_not_retry, retry: false}, {status: 502-504}, "
               "{error: [dropped, circuit_open]}, {flags: [flaky, processing]}]}");
    assert_true(retries(&r, status(503)));
    assert_false(retries(&r, flagged(503, REPLY_NO_RETRY)));
    assert_false(retries(&r, status(500)));
    assert_false(retries(&r, timed_out));
    assert_true(retries(&r, failed(ERROR_DROPPED)));
    assert_true(retries(&r, failed(ERROR_CIRCUIT_OPEN)));
    assert_true(retries(&r, flagged(404, REPLY_FLAKY)));
    assert_int_equal(answer_at(&r, 1, status(500), 0).outcome, OUTCOME_FINAL);
    assert_int_equal(answer_at(&r, 1, timed_out, 0).outcome, OUTCOME_TIMEOUT);
    assert_true(r.polls);
    r = policy("retry: {kind: fixed, max_attempts: 9, delay: 0, retry_on: timeout, retry_if: "
               "[{error: timeout, retry: false}, {retry: true}]}");
    assert_false(r.polls);
    assert_false(retries(&r, timed_out));
    assert_true(retries(&r, status(404)));
    assert_false(retries(&r, status(200)));
}

static void rules_look_at_method_attempt_and_time(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: fixed, max_attempts: 9, delay: 0, retry_if: ["
                            "{method: [GET, HEAD], attempt: {to: 2}}, "
                            "{method: POST, attempt: [3, 4], elapsed: 2s}]}");
    struct rng_stream s = stream_of(1);
    for (uint32_t k = 1; k <= 5; k++) {
        for (int method = METHOD_GET; method <= METHOD_OTHER; method++) {
            for (sim_time t = SIM_TIME_S; t <= 3 * SIM_TIME_S; t += SIM_TIME_S) {
                struct retry_question q = {.attempt = k,
                                           .end = &timed_out,
                                           .method = method,
                                           .now = t + SIM_TIME_S,
                                           .started = SIM_TIME_S};
                bool again = decide(&r, &q, &(struct retry_memory){0}, &s).reason == RETRY_AGAIN;
                bool safe = method == METHOD_GET || method == METHOD_HEAD;
                bool late = k >= 3 && k <= 4 && t >= 2 * SIM_TIME_S;
                assert_int_equal(again, safe ? k <= 2 : method == METHOD_POST && late);
            }
        }
    }
}

static void a_rule_may_apply_by_chance(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: fixed, max_attempts: 9, delay: 0, retry_if: "
                            "[{error: reset}, {error: timeout, probability: 30%}]}");
    struct rng_stream s = stream_of(21);
    int again = 0;
    for (int i = 0; i < 20000; i++) {
        struct retry_question q = {.attempt = 1, .end = &timed_out};
        again += decide(&r, &q, &(struct retry_memory){0}, &s).reason == RETRY_AGAIN;
    }
    assert_int_equal(s.drawn, 20000);
    assert_in_range(again, 6000 - 227, 6000 + 227); /* 3.5 deviations of sqrt(20000 * .3 * .7) */
    assert_true(retries(&r, failed(ERROR_RESET)));
    assert_false(retries(&r, status(500)));
    r.retry_if.items[1].probability = 0.0;
    assert_false(retries(&r, timed_out));
}

static void rules_on_successes_poll(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: fixed, max_attempts: 3, delay: 1s, retry_if: "
                            "{status: 200-299, flags: processing}}");
    assert_true(r.polls);
    struct answer a = answer_at(&r, 1, flagged(200, REPLY_PROCESSING), 0);
    assert_int_equal(a.reason, RETRY_AGAIN);
    assert_int_equal(a.wait, SIM_TIME_S);
    a = answer_at(&r, 3, flagged(200, REPLY_PROCESSING), 0);
    assert_int_equal(a.reason, RETRY_EXHAUSTED);
    assert_int_equal(a.outcome, OUTCOME_ERROR);
    a = answer_at(&r, 2, status(200), 0);
    assert_int_equal(a.reason, RETRY_UNWANTED);
    assert_int_equal(a.outcome, OUTCOME_SUCCESS);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 1s, retry_if: "
               "[{status: 200, retry: false}, {status: [429, 500-599]}]}");
    assert_false(r.polls);
}

static void answers_say_when_to_try_again(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: fixed, max_attempts: 3, delay: 2s}");
    assert_int_equal(answer_at(&r, 1, retry_after(7 * SIM_TIME_S), 0).wait, 7 * SIM_TIME_S);
    assert_int_equal(answer_at(&r, 1, retry_after(-SIM_TIME_S), 0).wait, 0);
    assert_int_equal(answer_at(&r, 1, retry_after(SIM_TIME_NEVER), 0).wait,
                     2147483648 * SIM_TIME_S);
    struct attempt_end end = retry_after(9 * SIM_TIME_S);
    end.flags |= REPLY_RETRY_AT;
    assert_int_equal(answer_at(&r, 1, end, 5 * SIM_TIME_S).wait, 4 * SIM_TIME_S);
    assert_int_equal(answer_at(&r, 1, end, 11 * SIM_TIME_S).wait, 0);
    end.retry_after = INT64_MIN;
    assert_int_equal(answer_at(&r, 1, end, 11 * SIM_TIME_S).wait, 0);
    /* The attempt after that times out, and has heard nothing. */
    assert_int_equal(answer_at(&r, 2, timed_out, 0).wait, 2 * SIM_TIME_S);
    end = retry_after(7 * SIM_TIME_S);
    end.error = ERROR_TIMEOUT;
    assert_int_equal(answer_at(&r, 2, end, 0).wait, 2 * SIM_TIME_S);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 2s, retry_after: ignore}");
    assert_int_equal(answer_at(&r, 1, retry_after(7 * SIM_TIME_S), 0).wait, 2 * SIM_TIME_S);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 2s, retry_after_max: 3s}");
    assert_int_equal(answer_at(&r, 1, retry_after(7 * SIM_TIME_S), 0).wait, 3 * SIM_TIME_S);
    assert_int_equal(answer_at(&r, 1, retry_after(SIM_TIME_S), 0).wait, SIM_TIME_S);
}

/* Least and largest of 20000 waits after an end stand near these [ms], which 20000 draws do but for
 * a chance of 2e-9, and are within. */
static void assert_waits(const char *text, struct attempt_end end, double low, double high)
{
    struct retry r = policy(text);
    struct rng_stream s = stream_of(31);
    double least = 1e18, most = 0.0, near = 1e-3 * (high - low);
    for (uint64_t i = 1; i <= 20000; i++) {
        struct retry_question q = {.attempt = 1, .end = &end};
        sim_time wait = decide(&r, &q, &(struct retry_memory){0}, &s).wait;
        double ms = (double)wait / (double)SIM_TIME_MS;
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
        assert_int_equal(s.drawn, i);
    }
    assert_true(least >= low && least <= low + near);
    assert_true(most <= high && most >= high - near);
}

static void waits_are_capped_and_spread(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: linear, max_attempts: 9, max_wait_time: 2.5s}");
    assert_int_equal(answer_at(&r, 2, timed_out, 0).wait, 2 * SIM_TIME_S);
    assert_int_equal(answer_at(&r, 3, timed_out, 0).wait, SIM_TIME_S * 5 / 2);
    assert_int_equal(answer_at(&r, 1, retry_after(7 * SIM_TIME_S), 0).wait, SIM_TIME_S * 5 / 2);
    assert_waits("r: {kind: linear, max_attempts: 9, jitter_factor: 0.2}", timed_out, 1000, 1200);
    assert_waits("r: {kind: linear, max_attempts: 9, jitter_factor: 0.2}",
                 retry_after(5 * SIM_TIME_S), 5000, 6000);
    assert_waits("r: {kind: linear, max_attempts: 9, jitter_factor: 1, max_wait_time: 1.5}",
                 timed_out, 1000, 1500);
    assert_waits("r: {kind: linear, max_attempts: 9, jitter_factor: 1, max_wait_time: 1}",
                 timed_out, 1000, 1000);
    assert_waits("r: {kind: linear, max_attempts: 9, jitter_factor: 1, max_wait_time: 1.5, "
                 "jitter_after_cap: true}",
                 retry_after(7 * SIM_TIME_S), 1500, 3000);
    assert_waits("r: {kind: linear, max_attempts: 9, retry_after_jitter: 50%, retry_after_max: 4}",
                 retry_after(7 * SIM_TIME_S), 4000, 6000);
}

static void the_total_time_is_checked_before_the_wait(void **state)
{
    (void)state;
    struct retry r =
        policy("retry: {kind: fixed, max_attempts: 3, delay: 10s, max_total_time: 1s}");
    const sim_time half = SIM_TIME_S / 2;
    struct answer a = answer_at(&r, 1, timed_out, half);
    assert_int_equal(a.wait, 10 * SIM_TIME_S);
    assert_int_equal(answer_at(&r, 1, timed_out, SIM_TIME_S - 1).reason, RETRY_AGAIN);
    a = answer_at(&r, 1, timed_out, SIM_TIME_S);
    assert_int_equal(a.reason, RETRY_LATE);
    assert_int_equal(a.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(answer_at(&r, 2, status(404), 11 * SIM_TIME_S).reason, RETRY_UNWANTED);
    assert_int_equal(answer_at(&r, 3, timed_out, 11 * SIM_TIME_S).reason, RETRY_EXHAUSTED);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 500ms, max_total_time: 1s, "
               "strict: true}");
    assert_int_equal(answer_at(&r, 1, timed_out, half).wait, half);
    assert_int_equal(answer_at(&r, 1, timed_out, half + 1).reason, RETRY_LATE);
}

static struct answer ask(const struct retry *r, uint32_t k, struct attempt_end end,
                         struct retry_memory *memory, struct rng_stream *s)
{
    struct retry_question q = {.attempt = k, .end = &end};
    return decide(r, &q, memory, s);
}

static void failures_have_classes(void **state)
{
    (void)state;
    struct retry r = policy("retry: adaptive");
    static const enum attempt_error passing[] = {ERROR_TIMEOUT, ERROR_REFUSED, ERROR_RESET,
                                                 ERROR_DROPPED};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        struct attempt_end end = failed(passing[i]);
        assert_int_equal(class_rules_say(&r.classify, &end, OUTCOME_ERROR), FAILURE_TRANSIENT);
    }
    static const enum attempt_error own[] = {ERROR_CIRCUIT_OPEN, ERROR_NO_CONNECTION,
                                             ERROR_THROTTLED, ERROR_DEADLINE};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct attempt_end end = failed(own[i]);
        assert_int_equal(class_rules_say(&r.classify, &end, OUTCOME_FINAL), FAILURE_PERMANENT);
    }
    static const struct {
        struct attempt_end end;
        enum failure_class class_;
    } rows[] = {
        {{.status = 200}, FAILURE_CLASSES},
        {{.status = 200, .flags = REPLY_NO_RETRY}, FAILURE_CLASSES},
        {{.status = 200, .flags = REPLY_FLAKY}, FAILURE_FLAKY},
        {{.status = 500, .flags = REPLY_FLAKY}, FAILURE_FLAKY},
        {{.status = 500}, FAILURE_TRANSIENT},
        {{.status = 503}, FAILURE_TRANSIENT},
        {{.status = 489}, FAILURE_TRANSIENT},
        {{.status = 502, .flags = REPLY_NO_RETRY}, FAILURE_PERMANENT},
        {{.status = 404}, FAILURE_PERMANENT},
        {{.status = 429}, FAILURE_PERMANENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum outcome outcome = verdict_of_end(&rows[i].end, NULL);
        assert_int_equal(class_rules_say(&r.classify, &rows[i].end, outcome), rows[i].class_);
    }
    r = policy("retry: {kind: adaptive, permanent_budget: 1, classify: "
               "[{status: 503, class: permanent}, {status: 404, class: flaky}]}");
    assert_false(r.polls);
    struct attempt_end end = status(503);
    assert_int_equal(class_rules_say(&r.classify, &end, OUTCOME_ERROR), FAILURE_PERMANENT);
}

/* Five transient and two flaky failures in any order are tried again, one more of either is not. */
static void classes_have_budgets_of_their_own(void **state)
{
    (void)state;
    struct retry r = policy("retry: adaptive");
    struct rng_stream s = stream_of(41);
    const struct attempt_end flaky = flagged(200, REPLY_FLAKY);
    assert_true(r.polls);
    for (unsigned order = 0; order < 128; order++) {
        struct retry_memory memory = {0};
        uint32_t left[] = {5, 2}, k = 1;
        for (; left[0] + left[1] > 0; k++) {
            unsigned pick = left[order >> (k % 7) & 1] ? order >> (k % 7) & 1 : left[0] == 0;
            left[pick]--;
            struct answer a = ask(&r, k, pick ? flaky : timed_out, &memory, &s);
            assert_int_equal(a.reason, RETRY_AGAIN);
        }
        assert_int_equal(k, 8); /* tries at most: 1 + 5 + 2 */
        struct answer a = ask(&r, k, flaky, &memory, &s);
        assert_int_equal(a.reason, RETRY_EXHAUSTED);
        assert_int_equal(a.outcome, OUTCOME_ERROR);
        assert_int_equal(ask(&r, k, timed_out, &memory, &s).reason, RETRY_EXHAUSTED);
        assert_int_equal(ask(&r, k, status(404), &memory, &s).reason, RETRY_UNWANTED);
        assert_int_equal(ask(&r, k, status(200), &memory, &s).outcome, OUTCOME_SUCCESS);
    }
    r = policy("retry: {kind: adaptive, max_retries: 1, jitter: 0}");
    assert_int_equal(reason_of(&r, 1, timed_out), RETRY_AGAIN);
    assert_int_equal(reason_of(&r, 2, timed_out), RETRY_EXHAUSTED);
}

static void adaptive_delays_grow_with_all_attempts(void **state)
{
    (void)state;
    struct retry r = policy("retry: {kind: adaptive, transient_budget: 9, jitter: 0}");
    static const sim_time ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (uint32_t k = 1; k <= 8; k++) {
        assert_int_equal(answer_at(&r, k, timed_out, 0).wait, ms[k - 1] * SIM_TIME_MS);
    }
    r = policy("retry: {kind: adaptive, transient_budget: 9}");
    struct rng_stream s = stream_of(42);
    sim_time most = 0;
    for (int i = 0; i < 20000; i++) {
        struct retry_memory memory = {0};
        sim_time wait = ask(&r, 9, timed_out, &memory, &s).wait;
        assert_true(wait >= 5 * SIM_TIME_S);
        most = wait > most ? wait : most;
    }
    assert_true(most <= 6250 * SIM_TIME_MS && most > 6248 * SIM_TIME_MS);
}

static void rules_choose_and_budgets_limit(void **state)
{
    (void)state;
    struct retry r =
        policy("retry: {kind: adaptive, permanent_budget: 1, retry_if: [{status: 404}, "
               "{status: 200, flags: processing}]}");
    struct rng_stream s = stream_of(43);
    struct retry_memory memory = {0};
    assert_int_equal(ask(&r, 1, timed_out, &memory, &s).reason, RETRY_UNWANTED);
    assert_int_equal(ask(&r, 1, flagged(200, REPLY_PROCESSING), &memory, &s).reason, RETRY_AGAIN);
    assert_int_equal(ask(&r, 2, status(404), &memory, &s).reason, RETRY_EXHAUSTED);
    assert_int_equal(memory.used[FAILURE_PERMANENT], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(outcomes_and_attempts_decide),
        cmocka_unit_test(the_kth_retry_waits_for_the_kth_delay),
        cmocka_unit_test(decorrelated_jitter_remembers_the_delay_before),
        cmocka_unit_test(a_forcelist_replaces_the_verdict_on_failures),
        cmocka_unit_test(own_verdicts_go_first),
        cmocka_unit_test(rules_replace_everything_else),
        cmocka_unit_test(rules_look_at_method_attempt_and_time),
        cmocka_unit_test(a_rule_may_apply_by_chance),
        cmocka_unit_test(rules_on_successes_poll),
        cmocka_unit_test(answers_say_when_to_try_again),
        cmocka_unit_test(waits_are_capped_and_spread),
        cmocka_unit_test(the_total_time_is_checked_before_the_wait),
        cmocka_unit_test(failures_have_classes),
        cmocka_unit_test(classes_have_budgets_of_their_own),
        cmocka_unit_test(adaptive_delays_grow_with_all_attempts),
        cmocka_unit_test(rules_choose_and_budgets_limit),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
