/* SPDX-License-Identifier: Apache-2.0
 *
 * Rate limiters, to the nanosecond. The sequences of grants are those of happysimulator's policies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/limiter.h"
#include "rng/stream.h"
#include "support/choice.h"
#include "support/trial.h"

static struct limiter limiter;
static struct limiter_state *memory;

/* Reads a limiter, which then stands at the start of a run. */
static void begin(const char *text)
{
    assert_true(choice_read(&limiter_choice, text, &limiter));
    free(memory);
    size_t size = limiter_state_size(&limiter);
    memory = size > 0 ? calloc(1, size) : NULL;
}

static int end(void **state)
{
    free(memory);
    return choice_close(state);
}

static bool take(sim_time now)
{
    return limiter_take(&limiter, memory, now);
}

static sim_time wait_at(sim_time now)
{
    return limiter_wait(&limiter, memory, now);
}

/* Asks at each of the times, and before that how long to wait. `passes`: "1" or "0" for each. */
static void assert_passes(const char *text, const sim_time *at, const char *passes)
{
    begin(text);
    for (size_t i = 0; passes[i]; i++) {
        assert_int_equal(wait_at(at[i]) == 0, passes[i] == '1');
        assert_int_equal(take(at[i]), passes[i] == '1');
    }
}

static void defaults_are_as_published(void **state)
{
    (void)state;
    begin("l: token_bucket");
    assert_true(limiter.capacity == 10.0 && limiter.refill_rate == 1.0);
    assert_int_equal(limiter.exact.initial, 10000);
    begin("l: leaky_bucket");
    assert_int_equal(limiter.exact.gap, S(1));
    begin("l: sliding_window");
    assert_int_equal(limiter.window, S(1));
    assert_int_equal(limiter.max_requests, 10);
    assert_int_equal(limiter_state_size(&limiter),
                     sizeof(struct limiter_state) + 10 * sizeof(sim_time));
    begin("l: {fixed_window: 3}");
    assert_int_equal(limiter.window, S(1));
    assert_int_equal(limiter.requests_per_window, 3);
    begin("l: aimd");
    assert_int_equal(limiter.exact.start, 100000000);
    assert_int_equal(limiter.exact.least, 1000000);
    assert_int_equal(limiter.exact.most, INT64_C(10000000000));
    assert_int_equal(limiter.exact.step, 10000000);
    assert_true(limiter.decrease_factor == 0.5);
    assert_int_equal(limiter.window, S(1));
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "l: {token_bucket: {capacity: 0.9}}",
        "l: {token_bucket: {capacity: 1.0001}}",
        "l: {token_bucket: {refill_rate: 0/s}}",
        "l: {token_bucket: {initial_share: 101%}}",
        "l: {leaky_bucket: 0/s}",
        "l: {sliding_window: {max_requests: 0}}",
        "l: {sliding_window: {window: 0s}}",
        "l: fixed_window",
        "l: {fixed_window: {requests_per_window: 0}}",
        "l: {fixed_window: {window: 0s}}",
        "l: {aimd: {initial_rate: 0.5/s}}",
        "l: {aimd: {initial_rate: 5/s, max_rate: 4/s}}",
        "l: {aimd: {min_rate: 0/s}}",
        "l: {aimd: {window: 0.5s}}",
        "l: {aimd: {decrease_factor: 1}}",
        "l: {aimd: {decrease_factor: 0}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct limiter l;
        assert_false(choice_read(&limiter_choice, wrong[i], &l));
    }
}

static void without_one_everything_passes(void **state)
{
    (void)state;
    begin("l: none");
    assert_null(memory);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(wait_at(0), 0);
        assert_true(take(0));
        limiter_ended(&limiter, memory, 0, false);
    }
    struct limiter zero = {0};
    assert_true(limiter_take(&zero, NULL, 0));
    assert_int_equal(limiter_rate(&zero, NULL), 0);
}

/* --- what passes when -------------------------------------------------------------------- */

static void tokens_come_back_at_a_rate(void **state)
{
    (void)state;
    const sim_time at[] = {0, 0, 0, 0, S(.4), S(.5), S(.9), S(1), S(1)};
    assert_passes("l: {token_bucket: {capacity: 3, refill_rate: 2/s}}", at, "111001010");
    assert_int_equal(wait_at(S(1)), S(.5));
    assert_int_equal(wait_at(S(1.499999999)), 1);
    assert_int_equal(wait_at(S(1.5)), 0);
    /* Not more than there is room for. */
    const sim_time later[] = {0, S(100), S(100), S(100), S(100)};
    assert_passes("l: {token_bucket: {capacity: 3, refill_rate: 2/s}}", later, "11110");
    /* Two and a half: the half is there already when the third asks. */
    const sim_time half[] = {0, 0, 0, S(.249999999), S(.25), S(.25)};
    assert_passes("l: {token_bucket: {capacity: 2.5, refill_rate: 2/s}}", half, "110010");
}

static void a_bucket_may_be_empty_at_first(void **state)
{
    (void)state;
    const sim_time at[] = {0, S(.499999999), S(.5), S(.5), S(9), S(9), S(9)};
    assert_passes("l: {token_bucket: {capacity: 2, refill_rate: 2/s, initial_share: 0}}", at,
                  "0010110");
    const sim_time half[] = {0, 0, 0};
    assert_passes("l: {token_bucket: {capacity: 4, initial_share: 50%}}", half, "110");
}

static void a_leaky_bucket_paces(void **state)
{
    (void)state;
    const sim_time at[] = {0, S(.4), S(.5), S(.9), S(1), S(3), S(3.1), S(3.5)};
    assert_passes("l: {leaky_bucket: {leak_rate: 2/s}}", at, "10101101");
    assert_int_equal(wait_at(S(3.5)), S(.5));
    assert_int_equal(wait_at(S(3.999999999)), 1);
    /* The first passes whenever it comes, and a third of a second ends at the nanosecond after. */
    const sim_time thirds[] = {S(7), S(7.333333333), S(7.333333334)};
    assert_passes("l: {leaky_bucket: 3/s}", thirds, "101");
}

static void a_sliding_window_counts_both_ends(void **state)
{
    (void)state;
    const sim_time at[] = {0, S(.5), S(.9), S(1), S(1.0001), S(1.5), S(1.51), S(2.6)};
    assert_passes("l: {sliding_window: {window: 1s, max_requests: 2}}", at, "11001011");
    const sim_time ends[] = {0, 0, S(1), S(1.000000001), S(1.000000001), S(1.000000001)};
    assert_passes("l: {sliding_window: {window: 1s, max_requests: 2}}", ends, "110110");
    assert_int_equal(wait_at(S(1.000000001)), S(1.000000001));
    assert_int_equal(wait_at(S(2.000000001)), 1);
    assert_int_equal(wait_at(S(2.000000002)), 0);
}

static void fixed_windows_follow_one_another_from_zero(void **state)
{
    (void)state;
    const sim_time at[] = {0, S(.5), S(.9), S(.95), S(1), S(1), S(1), S(2)};
    assert_passes("l: {fixed_window: {requests_per_window: 2, window: 1s}}", at, "11001101");
    /* They begin at 0, not with the first request. */
    const sim_time odd[] = {S(2.9), S(2.999999999), S(3), S(3), S(5.9)};
    assert_passes("l: {fixed_window: {requests_per_window: 1, window: 1s}}", odd, "10101");
    assert_int_equal(wait_at(S(5.9)), S(.1));
    assert_int_equal(wait_at(S(5.999999999)), 1);
    assert_int_equal(wait_at(S(6)), 0);
}

/* --- feedback ---------------------------------------------------------------------------- */

static const char small_aimd[] = "l: {aimd: {initial_rate: 4/s, min_rate: 1/s, max_rate: 6/s}}";

static void assert_rate(bool success, int64_t rate)
{
    limiter_ended(&limiter, memory, 0, success);
    assert_int_equal(limiter_rate(&limiter, memory), rate);
}

static void the_rate_follows_how_requests_end(void **state)
{
    (void)state;
    begin(small_aimd);
    assert_rate(true, 4400000);
    assert_rate(true, 4800000);
    assert_rate(false, 2400000);
    assert_rate(false, 1200000);
    assert_rate(false, 1000000);
    assert_rate(true, 1400000);
    begin(small_aimd);
    for (int64_t i = 1; i <= 5; i++) {
        assert_rate(true, 4000000 + i * 400000);
    }
    assert_rate(true, 6000000);
    begin("l: {aimd: {initial_rate: 4/s, max_rate: 6/s, increase_step: 1.5/s}}");
    assert_rate(true, 5500000);
    assert_rate(true, 6000000);
}

/* It holds as many as the rate gives in the window, and they come back at that rate. */
static void an_adaptive_bucket_has_the_size_of_its_rate(void **state)
{
    (void)state;
    const sim_time at[] = {0, 0, 0, 0, 0, S(.249999999), S(.25)};
    assert_passes(small_aimd, at, "1111001");
    /* Half the rate from .5 s on, when the one token of the time before is there: the next one
     * comes at 2/s. */
    limiter_ended(&limiter, memory, S(.5), false);
    assert_true(take(S(.5)));
    assert_int_equal(wait_at(S(.5)), S(.5));
    /* Full, it holds two. */
    assert_true(take(S(9)));
    assert_true(take(S(9)));
    assert_int_equal(wait_at(S(9)), S(.5));
    /* A higher rate makes room, which is empty at first. */
    limiter_ended(&limiter, memory, S(9), true);
    assert_int_equal(wait_at(S(9)), 416666667); /* 1 / 2.4 s */
    assert_int_equal(wait_at(S(9.416666667)), 0);
}

/* Of four tokens, two have no room any more when the rate is halved. */
static void tokens_without_room_are_lost(void **state)
{
    (void)state;
    begin(small_aimd);
    limiter_ended(&limiter, memory, 0, false);
    assert_true(take(0));
    assert_true(take(0));
    assert_false(take(0));
    begin(small_aimd);
    limiter_ended(&limiter, memory, 0, false);
    limiter_ended(&limiter, memory, 0, true);
    assert_true(take(0));
    assert_true(take(0));
    assert_int_equal(wait_at(0), 416666667);
}

static void others_do_not_heed_it(void **state)
{
    (void)state;
    static const char *const kinds[] = {"l: token_bucket", "l: leaky_bucket", "l: sliding_window",
                                        "l: {fixed_window: 10}"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        begin(kinds[i]);
        size_t size = limiter_state_size(&limiter);
        for (int k = 0; k < 7; k++) {
            take(0);
        }
        struct limiter_state *before = malloc(size);
        assert_non_null(before);
        memcpy(before, memory, size);
        limiter_ended(&limiter, memory, 5, false);
        limiter_ended(&limiter, memory, 6, true);
        assert_memory_equal(before, memory, size);
        free(before);
    }
}

/* --- exactness --------------------------------------------------------------------------- */

/* The k-th request that waits for its token passes k / rate after the start, rounded up: nothing
 * adds up, whatever the rate is divided by. (With room for one token, what comes back between its
 * time and the nanosecond would be lost.) */
static void rates_are_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *rate;
        int64_t over, under; /* [ns] the time of a token */
    } rows[] = {
        {"3/s", INT64_C(1000000000), 3},
        {"1/m", INT64_C(60000000000), 1},
        {"7/m", INT64_C(60000000000), 7},
        {"7/h", INT64_C(3600000000000), 7},
        {"0.1/s", INT64_C(10000000000), 1},
        {"4.4/s", INT64_C(5000000000), 22},
        {"33.3/s", INT64_C(10000000000), 333},
        {"12345.678/s", INT64_C(1000000000000), 12345678},
        {"999999937/s", INT64_C(1000000000), 999999937},
        {"1e-9/s", INT64_C(1000000000000000000), 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "l: {token_bucket: {capacity: 2, refill_rate: %s, initial_share: 0}}",
                 rows[i].rate);
        begin(text);
        int64_t most = rows[i].over > INT64_C(1000000000000000) ? 2 : 8000;
        sim_time now = 0;
        for (int64_t k = 1; k < most; k++) {
            now += wait_at(now);
            assert_true(now == (k * rows[i].over + rows[i].under - 1) / rows[i].under);
            assert_true(take(now));
        }
    }
}

/* A tenth of a second does not add up to 0.99999... of one: the tenth request of each second passes
 * whenever it is asked, for an hour and at the end of a long run. */
static void equal_times_give_equal_answers(void **state)
{
    (void)state;
    begin("l: {token_bucket: {capacity: 1, refill_rate: 10/s}}");
    for (int64_t i = 0; i < 36000; i++) {
        assert_true(take(i * S(.1)));
        assert_false(take(i * S(.1) + S(.1) - 1));
    }
    const sim_time late = INT64_C(900000000000000000);
    for (int64_t i = 0; i < 1000; i++) {
        assert_true(take(late + i * S(.1)));
        assert_false(take(late + i * S(.1) + S(.1) - 1));
    }
}

static uint32_t below(struct rng_stream *r, uint32_t most)
{
    return (uint32_t)(rng_bits(r) % most);
}

static void draw_limiter(struct rng_stream *r)
{
    char text[256];
    uint32_t window = 1 + below(r, 1000000), n = 1 + below(r, 8), rate = 1 + below(r, 100000000);
    switch (below(r, 5)) {
    case 0:
        snprintf(text, sizeof text,
                 "l: {token_bucket: {capacity: %u.%03u, refill_rate: %u/s, initial_share: %u%%}}",
                 n, below(r, 1000), rate, below(r, 101));
        break;
    case 1:
        snprintf(text, sizeof text, "l: {leaky_bucket: %u/s}", rate);
        break;
    case 2:
        snprintf(text, sizeof text, "l: {sliding_window: {max_requests: %u, window: %uns}}", n,
                 window);
        break;
    case 3:
        snprintf(text, sizeof text, "l: {fixed_window: {requests_per_window: %u, window: %uns}}", n,
                 window);
        break;
    default:
        snprintf(text, sizeof text,
                 "l: {aimd: {initial_rate: %u/s, min_rate: 10000/s, max_rate: 100000000/s,\n"
                 "           decrease_factor: 0.%u, window: %uns}}",
                 10000 + rate / 2, 1 + below(r, 99), 100000 + window);
        break;
    }
    begin(text);
}

/* Nothing passes before the time that was said, and something at that time; asking changes nothing,
 * and neither does being refused. */
static void waits_are_exact(void **state)
{
    (void)state;
    uint64_t waited = 0;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct rng_stream r;
        rng_init(&r, &(struct rng_key){.seed = seed});
        draw_limiter(&r);
        sim_time now = 0;
        for (int i = 0; i < 200; i++) {
            sim_time wait = wait_at(now);
            assert_true(wait >= 0 && wait_at(now) == wait);
            if (below(&r, 3) == 0) {
                limiter_ended(&limiter, memory, now, below(&r, 4) > 0);
                wait = wait_at(now);
            }
            if (wait > 1 && below(&r, 2)) {
                now += wait - 1;
                assert_int_equal(wait_at(now), 1);
                assert_false(take(now));
                wait = 1;
            }
            waited += wait > 0;
            now += wait;
            assert_true(take(now));
            now += below(&r, 3) ? 0 : below(&r, 100000);
        }
    }
    assert_true(waited > 10000); /* it was seen at work */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_published),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(without_one_everything_passes),
        cmocka_unit_test(tokens_come_back_at_a_rate),
        cmocka_unit_test(a_bucket_may_be_empty_at_first),
        cmocka_unit_test(a_leaky_bucket_paces),
        cmocka_unit_test(a_sliding_window_counts_both_ends),
        cmocka_unit_test(fixed_windows_follow_one_another_from_zero),
        cmocka_unit_test(the_rate_follows_how_requests_end),
        cmocka_unit_test(an_adaptive_bucket_has_the_size_of_its_rate),
        cmocka_unit_test(tokens_without_room_are_lost),
        cmocka_unit_test(others_do_not_heed_it),
        cmocka_unit_test(rates_are_fractions),
        cmocka_unit_test(equal_times_give_equal_answers),
        cmocka_unit_test(waits_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
