/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policies/retry_budget.h"
#include "rng/stream.h"
#include "support/choice.h"

static struct retry_budget budget;
static struct retry_budget_state *site;

/* Reads a budget, and forgets what the call site remembers. */
static void begin(const char *text)
{
    assert_true(choice_read(&retry_budget_choice, text, &budget));
    free(site);
    size_t size = retry_budget_state_size(&budget);
    site = size > 0 ? calloc(1, size) : NULL;
}

static int end(void **state)
{
    free(site);
    return choice_close(state);
}

static bool withdraw_at(sim_time now, bool timeout, int64_t active)
{
    int64_t held;
    return retry_budget_withdraw(&budget, site, now, timeout, active, &held);
}

/* Retries that are paid for at `now`, one after another, up to a limit. */
static int withdrawals(sim_time now, bool timeout)
{
    int n = 0;
    while (n < 100000 && withdraw_at(now, timeout, 0)) {
        n++;
    }
    return n;
}

static void requests(sim_time now, int n)
{
    for (int i = 0; i < n; i++) {
        retry_budget_request(&budget, site, now);
    }
}

static void attempts_end(enum outcome outcome, int n)
{
    for (int i = 0; i < n; i++) {
        retry_budget_attempt_end(&budget, site, outcome, 0);
    }
}

static int64_t balance_at(sim_time now)
{
    return retry_budget_balance(&budget, site, now, 0);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "b: {token_bucket: {capacity: 0}}",
        "b: {token_bucket: {capacity: 4}}",
        "b: {token_bucket: {capacity: 5, strict: true}}",
        "b: {token_bucket: {deposit_per_success: 0.0005}}",
        "b: {token_bucket: {initial_share: 101%}}",
        "b: {throttle: {max_tokens: 0}}",
        "b: {throttle: {token_ratio: 0.0001}}",
        "b: {throttle: {token_ratio: 0.1001}}",
        "b: {ratio: {ttl: 0.9s}}",
        "b: {ratio: {ttl: 61s}}",
        "b: {ratio: {percent_can_retry: 0.00000001}}",
        "b: {concurrency: {budget_percent: -1}}",
        "b: {rate: {max_share: 100%}}",
        "b: {rate: {max_share: 101%, max_retries: 1}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct retry_budget b;
        assert_false(choice_read(&retry_budget_choice, wrong[i], &b));
    }
    begin("b: {token_bucket: {capacity: 5}}");
    begin("b: {rate: {max_share: 100%, max_retries: 1}}");
}

static void without_a_budget_every_retry_is_paid_for(void **state)
{
    (void)state;
    begin("b: none");
    assert_null(site);
    requests(0, 3);
    attempts_end(OUTCOME_TIMEOUT, 3);
    assert_int_equal(withdrawals(0, true), 100000);
    retry_budget_drop(&budget, site, 0);
    assert_int_equal(balance_at(0), 0);
}

/* aws-sdk-go-v2, standard mode. */
static void a_full_aws_bucket_holds_100_retries_or_50_after_timeouts(void **state)
{
    (void)state;
    begin("b: token_bucket");
    assert_int_equal(balance_at(0), 500000);
    assert_int_equal(withdrawals(0, false), 100);
    assert_int_equal(balance_at(0), 0);
    begin("b: token_bucket");
    assert_int_equal(withdrawals(0, true), 50);
    begin("b: {token_bucket: {initial_share: 50%}}");
    assert_int_equal(withdrawals(0, false), 50);
}

static void success_gives_back_what_a_retry_took_or_one_token(void **state)
{
    (void)state;
    int64_t held, timeout_held;
    begin("b: token_bucket");
    attempts_end(OUTCOME_SUCCESS, 3); /* it is full */
    assert_int_equal(balance_at(0), 500000);
    assert_true(retry_budget_withdraw(&budget, site, 0, false, 0, &held));
    assert_true(retry_budget_withdraw(&budget, site, 0, true, 0, &timeout_held));
    assert_true(held == 5000 && timeout_held == 10000 && balance_at(0) == 485000);
    retry_budget_attempt_end(&budget, site, OUTCOME_SUCCESS, timeout_held);
    assert_int_equal(balance_at(0), 495000);
    retry_budget_attempt_end(&budget, site, OUTCOME_ERROR, held);
    attempts_end(OUTCOME_TIMEOUT, 4);
    attempts_end(OUTCOME_FINAL, 4);
    assert_int_equal(balance_at(0), 495000);
    attempts_end(OUTCOME_SUCCESS, 3);
    assert_int_equal(balance_at(0), 498000);
    attempts_end(OUTCOME_SUCCESS, 3);
    assert_int_equal(balance_at(0), 500000);
    assert_true(retry_budget_withdraw(&budget, site, 0, false, 0, &held));
    retry_budget_drop(&budget, site, held);
    assert_int_equal(balance_at(0), 495000);
}

#define BROOKER \
    "b: {token_bucket: {capacity: 5, retry_cost: 1, timeout_cost: 1, deposit_per_request: 0.1, " \
    "deposit_per_success: 0, refund: false, strict: true}}"

/* Five tokens give four retries, since there must be more than one; ten requests a fifth. In
 * binary floating point, ten times 0.1 are less than 1. */
static void a_strict_bucket_keeps_what_one_retry_costs(void **state)
{
    (void)state;
    begin(BROOKER);
    assert_int_equal(withdrawals(0, false), 4);
    requests(0, 1);
    assert_int_equal(withdrawals(0, false), 1); /* 1.1 */
    requests(0, 9);
    assert_int_equal(balance_at(0), 1000);
    assert_int_equal(withdrawals(0, false), 0); /* 1 */
    requests(0, 1);
    assert_int_equal(withdrawals(0, false), 1); /* 1.1 */
    requests(0, 1000);
    assert_int_equal(balance_at(0), 5000);
}

/* M. Brooker's retry_sim, with each client's requests one after another: 1 + Poisson(100) of them,
 * since a client's first call comes at once and the next ones at 10/s for 10 s. */
static void brooker_loads(double p, double success, double load, double tolerance)
{
    enum { CLIENTS = 20000 };
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = (uint64_t)(p * 1000.0)});
    double calls = 0.0, attempts = 0.0, successes = 0.0;
    begin(BROOKER);
    for (int client = 0; client < CLIENTS; client++) {
        memset(site, 0, retry_budget_state_size(&budget));
        for (double t = 0.0; t < 10.0; t += rng_exponential(&s) / 10.0) {
            retry_budget_request(&budget, site, 0);
            bool failed = rng_unit(&s) < p;
            calls++;
            attempts++;
            while (failed && withdraw_at(0, false, 0)) {
                attempts++;
                failed = rng_unit(&s) < p;
            }
            successes += !failed;
        }
    }
    assert_true(fabs(successes / calls - success) < tolerance);
    assert_true(fabs(attempts / calls - load) < tolerance);
}

/* The tolerances are three to five times the 0.0003 to which the figures are stated. Having a
 * client's calls one after another, and 101 of them, moves the load by up to 0.001; taking five
 * initial tokens for four, or deposits of successes for those of calls, by ten times that. */
static void adaptive_retries_load_the_server_as_published(void **state)
{
    (void)state;
    brooker_loads(0.05, 0.99986, 1.0525, 0.001);
    brooker_loads(0.1, 0.99176, 1.10206, 0.001);
    brooker_loads(0.2, 0.90747, 1.13458, 0.0015);
    brooker_loads(0.5, 0.57096, 1.14163, 0.0015);
}

static void grpc_retries_while_more_than_half_of_the_tokens_are_left(void **state)
{
    (void)state;
    begin("b: throttle");
    for (int left = 9; left >= 5; left--) {
        attempts_end(OUTCOME_ERROR, 1);
        assert_int_equal(balance_at(0), left * 1000);
        assert_int_equal(withdraw_at(0, false, 0), left > 5);
    }
    attempts_end(OUTCOME_SUCCESS, 1);
    assert_int_equal(balance_at(0), 5100);
    assert_true(withdraw_at(0, false, 0)); /* a hedge would go, but a failure comes first */
    attempts_end(OUTCOME_TIMEOUT, 1);
    assert_int_equal(balance_at(0), 4100);
    assert_false(withdraw_at(0, false, 0));
    attempts_end(OUTCOME_FINAL, 3);
    assert_int_equal(balance_at(0), 4100);
    attempts_end(OUTCOME_SUCCESS, 9);
    assert_false(withdraw_at(0, false, 0)); /* 5.0 */
    attempts_end(OUTCOME_SUCCESS, 1);
    assert_true(withdraw_at(0, false, 0)); /* 5.1 */
    attempts_end(OUTCOME_TIMEOUT, 9);
    assert_int_equal(balance_at(0), 0);
    attempts_end(OUTCOME_SUCCESS, 1000);
    assert_int_equal(balance_at(0), 10000);
}

enum { TOKEN_STATES = 101 }; /* 0, 0.1, ... 10 tokens */

/* The place after an attempt, by the policy itself. */
static int after(int place, enum outcome outcome, bool *retry)
{
    site->change = place * 100 - 10000;
    attempts_end(outcome, 1);
    *retry = withdraw_at(0, false, 0);
    return (int)balance_at(0) / 100;
}

/* Attempts that fail independently are a Markov chain on the tokens: its stationary law by
 * iteration, and from it the share of failures after which a retry may follow. */
static double allowed_by_chain(double p)
{
    static double now[TOKEN_STATES], next[TOKEN_STATES];
    int worse[TOKEN_STATES], better[TOKEN_STATES];
    bool retry[TOKEN_STATES], unused;
    for (int i = 0; i < TOKEN_STATES; i++) {
        worse[i] = after(i, OUTCOME_ERROR, &retry[i]);
        better[i] = after(i, OUTCOME_SUCCESS, &unused);
        now[i] = 1.0 / TOKEN_STATES;
    }
    for (int round = 0; round < 200000; round++) {
        memset(next, 0, sizeof next);
        for (int i = 0; i < TOKEN_STATES; i++) {
            next[worse[i]] += now[i] * p;
            next[better[i]] += now[i] * (1.0 - p);
        }
        memcpy(now, next, sizeof now);
    }
    double allowed = 0.0;
    for (int i = 0; i < TOKEN_STATES; i++) {
        allowed += retry[i] ? now[i] : 0.0;
    }
    return allowed;
}

static void grpc_throttles_as_its_markov_chain(void **state)
{
    (void)state;
    /* Failures; share; half of the last digit that it is known to. */
    static const double golden[][3] = {{0.01, 0.9999994821, 5e-11}, {0.05, 0.9903763002, 5e-11},
                                       {0.08, 0.7109948086, 5e-11}, {0.09, 0.4388913235, 5e-11},
                                       {0.1, 0.1994837268, 5e-11},  {0.12, 0.025249064, 5e-10},
                                       {0.2, 7.263466e-6, 5e-13}};
    begin("b: throttle");
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        assert_true(fabs(allowed_by_chain(golden[i][0]) - golden[i][1]) < golden[i][2]);
    }
}

/* Attempts that fail independently, retries among them, in 200 batches; the mean within 4 standard
 * errors of the batches and these small enough to tell. */
static void grpc_throttles_in_the_long_run(void **state)
{
    (void)state;
    enum { BATCHES = 200, ATTEMPTS = 50000 };
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = 17});
    double sum = 0.0, squares = 0.0;
    begin("b: throttle");
    for (int batch = -1; batch < BATCHES; batch++) { /* the first is left out */
        int failed = 0, allowed = 0;
        for (int i = 0; i < ATTEMPTS; i++) {
            bool good = rng_unit(&s) >= 0.09;
            attempts_end(good ? OUTCOME_SUCCESS : OUTCOME_ERROR, 1);
            failed += !good;
            allowed += !good && withdraw_at(0, false, 0);
        }
        double share = batch < 0 ? 0.0 : (double)allowed / failed;
        sum += share;
        squares += share * share;
    }
    double mean = sum / BATCHES;
    double error = sqrt((squares / BATCHES - mean * mean) / BATCHES);
    assert_true(error < 0.005);
    assert_true(fabs(mean - 0.4388913235) < 4.0 * error);
}

/* Finagle's defaults: 10 s * 10/s in reserve, and one for five requests. */
static void finagle_gives_100_retries_and_one_for_five_requests(void **state)
{
    (void)state;
    begin("b: ratio");
    assert_int_equal(balance_at(0), 100);
    assert_int_equal(withdrawals(0, false), 100);
    requests(0, 100);
    assert_int_equal(balance_at(0), 20);
    assert_int_equal(withdrawals(0, false), 20);
    requests(0, 4);
    assert_int_equal(withdrawals(0, true), 0);
    requests(0, 1);
    assert_int_equal(withdrawals(0, true), 1);
}

/* What was deposited and what was taken is forgotten after 10 slices of a second. */
static void finagle_forgets_after_its_ttl(void **state)
{
    (void)state;
    begin("b: ratio");
    requests(0, 50);
    assert_int_equal(withdrawals(500 * SIM_TIME_MS, false), 110);
    requests(9999 * SIM_TIME_MS, 5); /* slice [9.999, ...) */
    assert_int_equal(balance_at(9999 * SIM_TIME_MS), 1);
    assert_int_equal(balance_at(10998 * SIM_TIME_MS), 1);
    assert_int_equal(balance_at(10999 * SIM_TIME_MS), 101);
    assert_int_equal(balance_at(30 * SIM_TIME_S), 100);
}

static void finagle_with_one_of_its_halves(void **state)
{
    (void)state;
    begin("b: {ratio: {percent_can_retry: 0, min_retries_per_second: 2, ttl: 5s}}");
    requests(0, 1000);
    assert_int_equal(withdrawals(0, false), 10);
    begin("b: {ratio: {percent_can_retry: 200%, min_retries_per_second: 0}}");
    assert_int_equal(withdrawals(0, false), 0);
    requests(0, 7);
    assert_int_equal(withdrawals(0, false), 14);
    begin("b: {ratio: {percent_can_retry: 30%, min_retries_per_second: 0}}");
    requests(0, 10); /* 3333 each: 10000 is three and a bit */
    assert_int_equal(withdrawals(0, false), 3);
    begin("b: {ratio: {percent_can_retry: 0, min_retries_per_second: 0}}");
    requests(0, 10);
    assert_int_equal(withdrawals(0, false), 0);
}

static void envoy_rounds_its_share_down_and_keeps_a_minimum(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t active, most;
    } rows[] = {
        {"b: concurrency", 25, 5},
        {"b: concurrency", 2, 3},
        {"b: concurrency", 19, 3},
        {"b: concurrency", 24, 4},
        {"b: concurrency", 10000, 2000},
        {"b: {concurrency: {budget_percent: 25%}}", 100, 25},
        {"b: {concurrency: {budget_percent: 25%}}", 103, 25},
        {"b: {concurrency: {budget_percent: 0, min_retry_concurrency: 0}}", 100, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(rows[i].text);
        for (int64_t n = 0; n <= rows[i].most; n++) {
            assert_int_equal(retry_budget_balance(&budget, site, 0, rows[i].active),
                             rows[i].most - n);
            assert_int_equal(withdraw_at(0, false, rows[i].active), n < rows[i].most);
        }
    }
}

static void envoy_counts_a_retry_until_it_ends(void **state)
{
    (void)state;
    int64_t held[3], none;
    begin("b: concurrency");
    for (int i = 0; i < 3; i++) {
        assert_true(retry_budget_withdraw(&budget, site, 0, false, 1, &held[i]));
    }
    assert_false(retry_budget_withdraw(&budget, site, 0, false, 1, &none));
    attempts_end(OUTCOME_SUCCESS, 5); /* first attempts */
    retry_budget_attempt_end(&budget, site, OUTCOME_ERROR, none);
    assert_int_equal(balance_at(0), 0);
    retry_budget_attempt_end(&budget, site, OUTCOME_TIMEOUT, held[0]);
    assert_int_equal(balance_at(0), 1);
    retry_budget_attempt_end(&budget, site, OUTCOME_SUCCESS, held[1]);
    retry_budget_drop(&budget, site, held[2]);
    assert_int_equal(balance_at(0), 3);
    /* More under way than allowed, when the requests have become fewer. */
    for (int i = 0; i < 20; i++) {
        assert_true(withdraw_at(0, false, 100));
    }
    assert_int_equal(balance_at(0), 0);
    assert_false(withdraw_at(0, false, 50));
}

/* Retries are refused once they are a tenth of the attempts: the first is allowed at once, the
 * second when 1 < 0.1 * (requests + 1), so after 10 requests, the third after 19. */
static void sre_keeps_retries_below_their_share(void **state)
{
    (void)state;
    static const int after[] = {1, 10, 19, 28, 37};
    begin("b: rate");
    int allowed = 0;
    for (int n = 1; n <= 40; n++) {
        requests(0, 1);
        int now = withdrawals(0, false);
        assert_int_equal(now, allowed < 5 && after[allowed] == n);
        allowed += now;
    }
    assert_int_equal(allowed, 5);
    requests(0, 1000000);
    assert_int_equal(balance_at(0), 111116 - 5); /* the least above 1000040 / 9, so 1.11 times */
    assert_int_equal(withdrawals(0, false), 100000);
}

static void sre_looks_back_on_a_window(void **state)
{
    (void)state;
    begin("b: {rate: {max_share: 100%, max_retries: 60}}");
    requests(0, 1);
    assert_int_equal(withdrawals(SIM_TIME_S, false), 60);
    assert_int_equal(withdrawals(59 * SIM_TIME_S, false), 0);
    assert_int_equal(balance_at(60 * SIM_TIME_S), 60);
    assert_int_equal(withdrawals(60 * SIM_TIME_S, false), 60);
    begin("b: {rate: {max_share: 10%, max_retries: 2, window: 10s}}");
    requests(0, 1000);
    assert_int_equal(withdrawals(0, false), 2);
    requests(5 * SIM_TIME_S, 1);
    assert_int_equal(withdrawals(5 * SIM_TIME_S, false), 0);
    assert_int_equal(withdrawals(10 * SIM_TIME_S, false), 1);
    /* Nothing in the window: the request at hand began before. */
    assert_int_equal(withdrawals(100 * SIM_TIME_S, false), 1);
    begin("b: {rate: {max_share: 0}}");
    requests(0, 10);
    assert_int_equal(withdrawals(0, false), 0);
}

/* The share, against the ratio itself. */
static void sre_divides_as_it_says(void **state)
{
    (void)state;
    struct rng_stream s;
    rng_init(&s, &(struct rng_key){.seed = 23});
    begin("b: {rate: {max_share: 25%, window: 1h}}");
    int64_t began = 0, retries = 0;
    for (int i = 0; i < 20000; i++) {
        if (rng_below(&s, 3) > 0) {
            requests(i, 1);
            began++;
        } else if (began > 0) {
            bool below = 4 * retries < began + retries;
            assert_int_equal(withdraw_at(i, false, 0), below);
            retries += below;
        }
    }
    assert_true(retries > 3000);
}

/* One request in ten may have a failed attempt, that at hand included; successes count for
 * nothing, and neither does what cannot be tried again. */
static void failures_are_held_against_all_requests(void **state)
{
    (void)state;
    begin("b: failure_rate");
    requests(0, 9);
    assert_true(withdraw_at(0, false, 0));
    attempts_end(OUTCOME_ERROR, 1);
    assert_false(withdraw_at(0, false, 0));
    assert_int_equal(retry_budget_balance(&budget, site, 0, 0), 0);
    requests(5 * SIM_TIME_S, 1);
    assert_true(withdraw_at(5 * SIM_TIME_S, true, 0));
    assert_true(withdraw_at(5 * SIM_TIME_S, true, 0));
    attempts_end(OUTCOME_SUCCESS, 100);
    attempts_end(OUTCOME_FINAL, 100);
    assert_true(withdraw_at(5 * SIM_TIME_S, true, 0));
    attempts_end(OUTCOME_TIMEOUT, 1);
    requests(500 * SIM_TIME_S, 9);
    assert_false(withdraw_at(500 * SIM_TIME_S, true, 0));
    requests(500 * SIM_TIME_S, 1);
    assert_true(withdraw_at(500 * SIM_TIME_S, false, 0));
    begin("b: {failure_rate: {max_rate: 0%}}");
    assert_true(withdraw_at(0, false, 0));
    requests(0, 1000);
    attempts_end(OUTCOME_ERROR, 1);
    assert_false(withdraw_at(0, false, 0));
}

static void a_zero_state_is_a_fresh_one_of_the_size_told(void **state)
{
    (void)state;
    begin("b: token_bucket");
    size_t fixed = retry_budget_state_size(&budget);
    assert_int_equal(fixed, sizeof(struct retry_budget_state));
    begin("b: ratio");
    assert_int_equal(retry_budget_state_size(&budget), fixed + 11 * sizeof(int64_t));
    begin("b: rate");
    assert_int_equal(retry_budget_state_size(&budget), fixed + 22 * sizeof(int64_t));
    begin("b: failure_rate");
    assert_int_equal(retry_budget_state_size(&budget), fixed + 2 * sizeof(int64_t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(without_a_budget_every_retry_is_paid_for),
        cmocka_unit_test(a_full_aws_bucket_holds_100_retries_or_50_after_timeouts),
        cmocka_unit_test(success_gives_back_what_a_retry_took_or_one_token),
        cmocka_unit_test(a_strict_bucket_keeps_what_one_retry_costs),
        cmocka_unit_test(adaptive_retries_load_the_server_as_published),
        cmocka_unit_test(grpc_retries_while_more_than_half_of_the_tokens_are_left),
        cmocka_unit_test(grpc_throttles_as_its_markov_chain),
        cmocka_unit_test(grpc_throttles_in_the_long_run),
        cmocka_unit_test(finagle_gives_100_retries_and_one_for_five_requests),
        cmocka_unit_test(finagle_forgets_after_its_ttl),
        cmocka_unit_test(finagle_with_one_of_its_halves),
        cmocka_unit_test(envoy_rounds_its_share_down_and_keeps_a_minimum),
        cmocka_unit_test(envoy_counts_a_retry_until_it_ends),
        cmocka_unit_test(sre_keeps_retries_below_their_share),
        cmocka_unit_test(sre_looks_back_on_a_window),
        cmocka_unit_test(sre_divides_as_it_says),
        cmocka_unit_test(failures_are_held_against_all_requests),
        cmocka_unit_test(a_zero_state_is_a_fresh_one_of_the_size_told),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
