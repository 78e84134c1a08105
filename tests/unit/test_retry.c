/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

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

static void forms_are_read(void **state)
{
    (void)state;
    struct retry r = policy("retry: none");
    assert_int_equal(r.kind, RETRY_NONE);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 100ms}");
    assert_int_equal(r.kind, RETRY_FIXED);
    assert_int_equal(r.max_attempts, 3);
    assert_int_equal(r.retry_on, RETRY_ON_TIMEOUT | RETRY_ON_ERROR);
    r = policy("retry: {kind: exponential, max_attempts: 4, initial_delay: 50ms, multiplier: 3, "
               "max_delay: 1s, jitter: full}");
    assert_int_equal(r.kind, RETRY_EXPONENTIAL);
    assert_int_equal(r.initial_delay, 50 * SIM_TIME_MS);
    assert_int_equal(r.max_delay, SIM_TIME_S);
    assert_true(r.multiplier == 3.0);
    assert_int_equal(r.exponent_offset, -1);
    assert_int_equal(r.jitter.kind, JITTER_FULL);
    r = policy("retry: {decorrelated_jitter: {max_attempts: 4, base_delay: 50ms, max_delay: none}, "
               "retry_on: error}");
    assert_int_equal(r.kind, RETRY_DECORRELATED);
    assert_int_equal(r.base_delay, 50 * SIM_TIME_MS);
    assert_true(r.max_delay == SIM_TIME_NEVER);
    assert_int_equal(r.retry_on, RETRY_ON_ERROR);
}

static struct retry exponential(const char *more)
{
    char text[256];
    snprintf(text, sizeof text,
             "retry: {kind: exponential, max_attempts: 5, initial_delay: 0.5, max_delay: 100%s%s}",
             *more ? ", " : "", more);
    return policy(text);
}

static void jitters_are_read(void **state)
{
    (void)state;
    assert_int_equal(exponential("").jitter.kind, JITTER_NONE);
    assert_true(exponential("").multiplier == 2.0);
    assert_int_equal(exponential("jitter: none").jitter.kind, JITTER_NONE);
    assert_int_equal(exponential("jitter: equal").jitter.kind, JITTER_EQUAL);
    struct retry r = exponential("jitter: {additive: 100ms}");
    assert_int_equal(r.jitter.kind, JITTER_ADDITIVE);
    assert_int_equal(r.jitter.width, 100 * SIM_TIME_MS);
    r = exponential("jitter: 0.1");
    assert_int_equal(r.jitter.kind, JITTER_ADDITIVE);
    assert_int_equal(r.jitter.width, 100 * SIM_TIME_MS);
    r = exponential("jitter: {factor: 20%}");
    assert_int_equal(r.jitter.kind, JITTER_FACTOR);
    assert_true(r.jitter.share == 0.2);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "retry: fixed",
        "retry: {kind: fixed, max_attempts: 0, delay: 0}",
        "retry: {kind: fixed, max_attempts: 65536, delay: 0}",
        "retry: {kind: fixed, max_attempts: 3, delay: -1s}",
        "retry: {kind: fixed, max_attempts: 3, delay: 1s, max_delay: 2s}",
        "retry: {kind: exponential, max_attempts: 3, initial_delay: 0, max_delay: 1}",
        "retry: {kind: exponential, max_attempts: 3, initial_delay: 2, max_delay: 1}",
        "retry: {exponential: {max_attempts: 3, initial_delay: 1, max_delay: 1, multiplier: 0.5}}",
        "retry: {kind: decorrelated_jitter, max_attempts: 3, base_delay: 2, max_delay: 1}",
        "retry: {kind: fixed, max_attempts: 3, delay: 0, retry_on: [sunday]}",
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
        assert_int_equal(retry_allows(&r, k, OUTCOME_TIMEOUT), k < 3);
        assert_int_equal(retry_allows(&r, k, OUTCOME_ERROR), k < 3);
        assert_false(retry_allows(&r, k, OUTCOME_FINAL));
        assert_false(retry_allows(&r, k, OUTCOME_SUCCESS));
    }
    r.retry_on = RETRY_ON_TIMEOUT;
    assert_true(retry_allows(&r, 1, OUTCOME_TIMEOUT));
    assert_false(retry_allows(&r, 1, OUTCOME_ERROR));
    r.retry_on = RETRY_ON_ERROR;
    assert_false(retry_allows(&r, 1, OUTCOME_TIMEOUT));
    assert_true(retry_allows(&r, 1, OUTCOME_ERROR));
    r = policy("retry: none");
    assert_false(retry_allows(&r, 1, OUTCOME_TIMEOUT));
    r = policy("retry: {kind: fixed, max_attempts: 1, delay: 0}");
    assert_false(retry_allows(&r, 1, OUTCOME_TIMEOUT));
}

/* The delays after attempts 1, 2, ..., n, drawn for one logical request. */
static void delays(const struct retry *r, struct rng_stream *s, uint32_t n, sim_time *out)
{
    struct retry_memory memory = {0};
    for (uint32_t k = 1; k <= n; k++) {
        out[k - 1] = retry_delay(r, k, &memory, s);
    }
}

static void delays_without_jitter_are_exact(void **state)
{
    (void)state;
    const sim_time half = SIM_TIME_S / 2;
    struct rng_stream s = stream_of(1);
    sim_time d[8];
    struct retry r = exponential("");
    delays(&r, &s, 4, d);
    assert_memory_equal(d, ((sim_time[]){half, 2 * half, 4 * half, 8 * half}), 4 * sizeof *d);
    r = exponential("exponent_offset: -2");
    delays(&r, &s, 4, d);
    assert_memory_equal(d, ((sim_time[]){half, half, 2 * half, 4 * half}), 4 * sizeof *d);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: 70ms}");
    delays(&r, &s, 2, d);
    assert_memory_equal(d, ((sim_time[]){70 * SIM_TIME_MS, 70 * SIM_TIME_MS}), 2 * sizeof *d);
    r = policy("retry: {kind: exponential, max_attempts: 9, initial_delay: .1, max_delay: 10}");
    delays(&r, &s, 8, d);
    sim_time total = 0;
    for (int i = 0; i < 8; i++) {
        total += d[i];
    }
    assert_int_equal(total, 22700 * SIM_TIME_MS);
    r = policy("retry: {kind: exponential, max_attempts: 255, initial_delay: 1h, max_delay: none, "
               "multiplier: 1e6, exponent_offset: 255}");
    assert_true(retry_delay(&r, 254, &(struct retry_memory){0}, &s) > 9000000000 * SIM_TIME_S);
    assert_int_equal(s.drawn, 0);
}

static void each_jitter_draws_once(void **state)
{
    (void)state;
    static const char *const jitters[] = {"jitter: full", "jitter: equal", "jitter: 0.1",
                                          "jitter: {factor: 0.2}"};
    struct rng_stream s = stream_of(2);
    struct retry_memory memory = {0};
    for (uint64_t i = 0; i < 4; i++) {
        struct retry r = exponential(jitters[i]);
        retry_delay(&r, 1, &memory, &s);
        assert_int_equal(s.drawn, i + 1);
    }
    assert_int_equal(memory.previous, 0);
    struct retry r =
        policy("retry: {kind: decorrelated_jitter, max_attempts: 3, base_delay: 1, max_delay: 9}");
    retry_delay(&r, 1, &memory, &s);
    assert_int_equal(s.drawn, 5);
    r = policy("retry: {kind: fixed, max_attempts: 3, delay: {uniform: {low: 1s, high: 2s}}}");
    sim_time d = retry_delay(&r, 1, &memory, &s);
    assert_in_range(d, SIM_TIME_S, 2 * SIM_TIME_S);
    assert_int_equal(s.drawn, 6);
}

enum { REQUESTS = 200000 };

/* Mean and variance [s] of the sum of a request's delays. */
static void total_of(const struct retry *r, uint32_t n, uint64_t seed, double *mean,
                     double *variance)
{
    struct rng_stream s = stream_of(seed);
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < REQUESTS; i++) {
        sim_time d[8];
        double total = 0.0;
        delays(r, &s, n, d);
        for (uint32_t k = 0; k < n; k++) {
            total += (double)d[k] / (double)SIM_TIME_S;
        }
        sum += total;
        squares += total * total;
    }
    *mean = sum / REQUESTS;
    *variance = squares / REQUESTS - *mean * *mean;
}

/* Within 4 standard errors: wrong by chance once in 16000 seeds. A sum of uniforms has no heavier
 * tails than the normal law, so that its variance is known within variance * sqrt(2 / n). */
static void assert_total(const char *jitter, double mean, double variance, uint64_t seed)
{
    char text[160];
    snprintf(text, sizeof text,
             "retry: {kind: exponential, max_attempts: 9, initial_delay: .1, max_delay: 10, "
             "jitter: %s}",
             jitter);
    struct retry r = policy(text);
    double m, v;
    total_of(&r, 8, seed, &m, &v);
    assert_true(fabs(m - mean) < 4.0 * sqrt(variance / REQUESTS));
    assert_true(fabs(v - variance) < 4.0 * variance * sqrt(2.0 / REQUESTS));
}

static void totals_have_the_moments_of_their_jitter(void **state)
{
    (void)state;
    const double variance = 12.884166666666667; /* sum of e^2 / 12 over .1 .2 ... 6.4 10 */
    assert_total("full", 11.35, variance, 3);
    assert_total("equal", 17.025, variance / 4.0, 4);
    assert_total("{additive: 1s}", 22.7 + 8 * 0.5, 8.0 / 12.0, 5);
    assert_total("{factor: 50%}", 22.7 * 1.25, variance / 4.0, 6);
}

static void jitter_stays_in_its_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *jitter;
        double low, high; /* of a delay of 0.5 s, in [s] */
    } rows[] = {{"jitter: full", 0.0, 0.5},
                {"jitter: equal", 0.25, 0.5},
                {"jitter: 0.1", 0.5, 0.6},
                {"jitter: {factor: 0.2}", 0.5, 0.6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct retry r = exponential(rows[i].jitter);
        struct rng_stream s = stream_of(7 + i);
        double least = 1e9, most = 0.0;
        for (int n = 0; n < 20000; n++) {
            double d = (double)retry_delay(&r, 1, &(struct retry_memory){0}, &s) / SIM_TIME_S;
            least = fmin(least, d);
            most = fmax(most, d);
        }
        /* The extremes of 20000 draws are this near to the ends but for a chance of 2e-9. */
        double near = 1e-3 * (rows[i].high - rows[i].low);
        assert_true(least >= rows[i].low && least < rows[i].low + near);
        assert_true(most <= rows[i].high && most > rows[i].high - near);
    }
}

static void decorrelated_delays_have_their_moments(void **state)
{
    (void)state;
    struct retry r = policy(
        "retry: {kind: decorrelated_jitter, max_attempts: 9, base_delay: 1, max_delay: none}");
    struct rng_stream s = stream_of(11);
    double sum[6] = {0.0};
    for (int i = 0; i < REQUESTS; i++) {
        sim_time d[6];
        delays(&r, &s, 6, d);
        for (int k = 0; k < 6; k++) {
            sum[k] += (double)d[k] / (double)SIM_TIME_S;
        }
    }
    /* U(1, 3s) has mean (1 + 3s)/2 and mean square (1 + 3s + 9s^2)/3. */
    static const double golden[] = {2, 3.5, 5.75, 9.125, 14.1875, 21.78125};
    double mean = 1.0, square = 1.0;
    for (int k = 0; k < 6; k++) {
        square = (1.0 + 3.0 * mean + 9.0 * square) / 3.0;
        mean = (1.0 + 3.0 * mean) / 2.0;
        assert_true(mean == golden[k]);
        double error = sqrt((square - mean * mean) / REQUESTS);
        assert_true(fabs(sum[k] / REQUESTS - mean) < 4.0 * error);
    }
}

static void decorrelated_delays_keep_to_base_and_cap(void **state)
{
    (void)state;
    struct retry r = policy(
        "retry: {kind: decorrelated_jitter, max_attempts: 9, base_delay: .1, max_delay: 10}");
    struct rng_stream s = stream_of(12);
    for (int i = 0; i < 20000; i++) {
        sim_time d[8], before = r.base_delay;
        delays(&r, &s, 8, d);
        for (int k = 0; k < 8; k++) {
            assert_true(d[k] >= r.base_delay && d[k] <= r.max_delay && d[k] <= 3 * before);
            before = d[k];
        }
    }
    r.max_delay = r.base_delay;
    sim_time d;
    delays(&r, &s, 1, &d);
    assert_int_equal(d, r.base_delay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(jitters_are_read),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(outcomes_and_attempts_decide),
        cmocka_unit_test(delays_without_jitter_are_exact),
        cmocka_unit_test(each_jitter_draws_once),
        cmocka_unit_test(totals_have_the_moments_of_their_jitter),
        cmocka_unit_test(jitter_stays_in_its_bounds),
        cmocka_unit_test(decorrelated_delays_have_their_moments),
        cmocka_unit_test(decorrelated_delays_keep_to_base_and_cap),
    };
    return cmocka_run_group_tests(tests, NULL, choice_close);
}
