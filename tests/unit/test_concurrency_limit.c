/* SPDX-License-Identifier: Apache-2.0
 *
 * Concurrency limits, step by step by hand from the published formulas, and before a queue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "policies/concurrency_limit.h"
#include "support/choice.h"

#define MS(x) ((sim_time)((x)*1e6 + 0.5)) /* [ns] */

static struct concurrency_limit limit;
static struct concurrency_state *memory;
static struct rng_stream stream;
static sim_time now; /* [ns] */

/* Reads a limit, which then stands at the start of a run. */
static void begin(const char *text)
{
    assert_true(choice_read(&concurrency_limit_choice, text, &limit));
    free(memory);
    size_t size = concurrency_state_size(&limit);
    memory = size > 0 ? calloc(1, size) : NULL;
    rng_init(&stream, &(struct rng_key){.seed = 5});
    now = 0;
}

static int end(void **state)
{
    free(memory);
    return choice_close(state);
}

static int64_t at(sim_time time)
{
    return concurrency_limit_at(&limit, memory, time, &stream);
}

static void ended(sim_time time, sim_time rtt, int64_t in_flight, bool dropped)
{
    concurrency_limit_ended(&limit, memory,
                            &(struct concurrency_sample){time, rtt, in_flight, dropped}, &stream);
}

/* The limit after one more sample, a second later. */
static int64_t after(sim_time rtt, int64_t in_flight)
{
    now += SIM_TIME_S;
    ended(now, rtt, in_flight, false);
    return at(now);
}

static int64_t after_drop(sim_time rtt, int64_t in_flight)
{
    now += SIM_TIME_S;
    ended(now, rtt, in_flight, true);
    return at(now);
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-9 * expected);
}

static void defaults_are_as_published(void **state)
{
    (void)state;
    begin("l: aimd");
    assert_true(limit.initial_limit == 20 && limit.min_limit == 20 && limit.max_limit == 200);
    assert_true(limit.backoff_ratio == 0.9 && limit.timeout == MS(5000));
    begin("l: vegas");
    assert_true(limit.initial_limit == 20 && limit.min_limit == 1 && limit.max_limit == 1000);
    assert_true(limit.alpha == 3 && limit.beta == 6 && limit.probe_multiplier == 30);
    assert_true(limit.smoothing == 1.0);
    begin("l: gradient2");
    assert_true(limit.initial_limit == 20 && limit.min_limit == 20 && limit.max_limit == 200);
    assert_true(limit.queue_size == 4 && limit.long_window == 600);
    assert_true(limit.rtt_tolerance == 1.5 && limit.smoothing == 0.2);
    assert_true(limit.window == SIM_TIME_NEVER && limit.window_size == 10);
    assert_true(limit.min_rtt_threshold == MS(0.1));
    begin("l: gradient");
    assert_true(limit.initial_limit == 3 && limit.max_limit == 1000 && limit.request_count == 50);
    assert_true(limit.jitter == 0.15 && limit.buffer == 0.25 && limit.sample_percentile == 0.5);
    assert_true(limit.update_interval == MS(100) && limit.min_rtt_interval == MS(60000));
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "l: fixed",
        "l: {fixed: 0}",
        "l: {aimd: {initial_limit: 19}}",
        "l: {aimd: {max_limit: 19}}",
        "l: {aimd: {backoff_ratio: 1}}",
        "l: {aimd: {backoff_ratio: 0.4}}",
        "l: {aimd: {timeout: 0s}}",
        "l: {vegas: {initial_limit: 0}}",
        "l: {vegas: {max_limit: 19}}",
        "l: {vegas: {smoothing: 0}}",
        "l: {vegas: {alpha: 7}}",
        "l: {gradient2: {initial_limit: 201}}",
        "l: {gradient2: {rtt_tolerance: 0.9}}",
        "l: {gradient2: {window: 0s}}",
        "l: {gradient: {min_limit: 1001}}",
        "l: {gradient: {update_interval: 0s}}",
        "l: {gradient: {sample_percentile: 101%}}",
        "l: {gradient: {window: 1s}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct concurrency_limit l;
        assert_false(choice_read(&concurrency_limit_choice, wrong[i], &l));
    }
}

static void what_is_fixed_stays(void **state)
{
    (void)state;
    begin("l: none");
    assert_null(memory);
    ended(1, 1, 1, true);
    assert_true(at(1) == INT64_MAX);
    begin("l: {fixed: 7}");
    assert_int_equal(at(0), 7);
    assert_int_equal(after_drop(MS(10000), 7), 7);
    assert_int_equal(stream.drawn, 0);
}

static void aimd_adds_one_and_takes_a_tenth(void **state)
{
    (void)state;
    begin("l: aimd");
    assert_int_equal(at(0), 20);
    assert_int_equal(after(MS(1), 9), 20); /* not near the limit */
    assert_int_equal(after(MS(1), 10), 21);
    assert_int_equal(after(MS(5000), 11), 22);
    assert_int_equal(after_drop(MS(1), 1), 20); /* 19.8, and 20 at least */
    begin("l: {aimd: {initial_limit: 10, min_limit: 1, max_limit: 12}}");
    assert_int_equal(after(MS(1), 5), 11);
    assert_int_equal(after(MS(1), 5), 11);
    assert_int_equal(after(MS(1), 6), 12);
    assert_int_equal(after(MS(1), 6), 12);
    assert_int_equal(after(MS(5000) + 1, 1), 10); /* 10.8: too slow */
    static const int64_t falls[] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 1};
    for (size_t i = 0; i < sizeof falls / sizeof falls[0]; i++) {
        assert_int_equal(after_drop(MS(1), 1), falls[i]);
    }
    assert_int_equal(stream.drawn, 0);
}

static void vegas_looks_at_the_queue(void **state)
{
    (void)state;
    begin("l: vegas");
    assert_int_equal(after(MS(10), 20), 20);   /* is the base */
    assert_int_equal(after(MS(10), 9), 20);    /* 18 < 20 */
    assert_int_equal(after(MS(10), 10), 26);   /* q = 0 */
    assert_int_equal(after(MS(20), 26), 25);   /* q = 13 > 6 */
    assert_int_equal(after(MS(10.4), 25), 31); /* q = ceil 0.96 = 1 */
    assert_int_equal(after(MS(10.5), 25), 32); /* q = ceil 1.48 = 2 < 3 */
    assert_int_equal(after(MS(11), 32), 32);   /* q = ceil 2.91 = 3 */
    assert_int_equal(after(MS(12.2), 32), 32); /* q = ceil 5.77 = 6 */
    assert_int_equal(after(MS(12.4), 32), 31); /* q = ceil 6.19 = 7 > 6 */
    assert_int_equal(after_drop(MS(10), 1), 30);
    assert_int_equal(after(MS(9), 30), 30);  /* is the base */
    assert_int_equal(after(MS(10), 30), 30); /* q = 3; with the old base it would be 0 */
    assert_int_equal(stream.drawn, 1);
}

/* Steps grow with the number of digits. */
static void vegas_steps_by_digits(void **state)
{
    (void)state;
    begin("l: {vegas: {initial_limit: 99, max_limit: 1000}}");
    assert_int_equal(after(MS(10), 99), 99);
    assert_int_equal(after(MS(10), 99), 105);
    assert_int_equal(after(MS(10), 105), 117);   /* + 6 * 2 */
    assert_int_equal(after(MS(10.4), 117), 119); /* q = ceil 4.5 = 5 < 6: + 2 */
    assert_int_equal(after(MS(20), 119), 117);   /* - 2 */
    begin("l: {vegas: {initial_limit: 990, max_limit: 1000}}");
    after(MS(10), 990);
    assert_int_equal(after(MS(10), 990), 1000);     /* 1002 */
    assert_int_equal(after_drop(MS(10), 990), 997); /* - 3 */
    begin("l: {vegas: {initial_limit: 10, smoothing: 0.5}}");
    after(MS(10), 10);
    assert_int_equal(after(MS(10), 10), 13);
    begin("l: {vegas: {initial_limit: 1}}");
    assert_int_equal(after_drop(MS(10), 1), 1);
    assert_int_equal(after_drop(MS(10), 1), 1);
}

/* Of limit 10 and multiplier 4, the base is the rtt of a sample between the 21st and the 40th. */
static void vegas_forgets_the_shortest_time(void **state)
{
    (void)state;
    begin("l: {vegas: {initial_limit: 10, max_limit: 10, probe_multiplier: 4}}");
    double most = 0.0, least = 1.0;
    for (int turn = 0; turn < 1000; turn++) {
        ended(now, MS(1), 1, false);
        double jitter = memory->vegas.jitter;
        uint64_t drawn = stream.drawn, samples = memory->vegas.samples;
        assert_int_equal(memory->vegas.base, MS(1));
        while (stream.drawn == drawn) {
            assert_int_equal(memory->vegas.base, MS(1));
            ended(now, MS(2), 1, false);
            samples++;
        }
        assert_int_equal(memory->vegas.base, MS(2));
        assert_int_equal(samples, (int)ceil(jitter * 40.0));
        most = fmax(most, jitter);
        least = fmin(least, jitter);
    }
    assert_true(least > 0.5 && least < 0.502 && most > 0.998 && most < 1.0);
}

static void gradient2_compares_with_the_average(void **state)
{
    (void)state;
    begin("l: gradient2");
    assert_int_equal(after(MS(10), 9), 20);
    assert_int_equal(after(MS(10), 10), 20);
    assert_near(memory->limit, 20.8); /* 0.8 * 20 + 0.2 * (20 + 4) */
    assert_int_equal(after(MS(10), 11), 21);
    assert_near(memory->limit, 21.6);
    assert_int_equal(after_drop(MS(10), 11), 22); /* whatever was dropped */
    begin("l: {gradient2: {min_limit: 1, long_window: 3}}");
    for (int i = 0; i < 9; i++) {
        after(MS(10), 0);
    }
    after(MS(20), 0);
    assert_near(memory->gradient2.average, 11e6); /* a plain mean so far */
    after(MS(69), 20);                            /* 40 ms on average, 20 * 0.869... */
    assert_near(memory->limit, 16.0 + 0.2 * (20.0 * 60.0 / 69.0 + 4.0));
    begin("l: {gradient2: {min_limit: 1}}");
    for (int i = 0; i < 10; i++) {
        after(MS(10), 0);
    }
    assert_int_equal(after(MS(1000), 10), 18); /* by half at most: 16 + 0.2 * (10 + 4) */
    assert_near(memory->gradient2.average, (10e6 * 599.0 + 1000e6 * 2.0) / 601.0);
}

/* What was measured under load is forgotten sooner than the window says. */
static void gradient2_forgets_long_times(void **state)
{
    (void)state;
    begin("l: gradient2");
    for (int i = 0; i < 10; i++) {
        after(MS(100), 0);
    }
    after(MS(10), 0);
    assert_near(memory->gradient2.average, 0.95 * (100e6 * 599.0 + 10e6 * 2.0) / 601.0);
    for (int i = 0; i < 40; i++) {
        after(MS(10), 0);
    }
    assert_in_range(memory->gradient2.average, MS(18), MS(20));
}

static void windows_gather_samples(void **state)
{
    (void)state;
    begin("l: {aimd: {initial_limit: 20, window: 1s, timeout: 20ms}}");
    assert_int_equal(after(MS(10), 20), 20); /* opens a window, which ends at 2 s */
    for (int i = 0; i < 9; i++) {
        ended(MS(1100) + MS(100) * i, MS(10), i, false);
    }
    ended(MS(2000), MS(0.099), 100, true); /* too short to count */
    ended(MS(2000), MS(29), 12, false);    /* not yet over */
    assert_int_equal(at(MS(2000)), 20);
    ended(MS(2000) + 1, MS(10), 11, false);
    assert_int_equal(at(MS(2100)), 21); /* 11.7 ms on average, 12 in flight */
    for (int i = 0; i < 8; i++) {
        ended(MS(2100), MS(30), 12, true);
    }
    ended(MS(3001), MS(30), 12, true); /* nine samples are no window */
    assert_int_equal(at(MS(3001)), 21);
    for (int i = 0; i < 9; i++) {
        ended(MS(3500), MS(10), 12, i == 3);
    }
    ended(MS(4002), MS(10), 12, false); /* one was dropped: 18.9 */
    assert_int_equal(at(MS(4002)), 20);
}

/* A base of 10 ms is the end of its bucket, [9961472, 10223616) ns, and so is a sample of it. */
static void gradient_follows_the_shortest_time(void **state)
{
    (void)state;
    begin("l: {gradient: {request_count: 2, jitter: 0%, min_rtt_interval: 10s}}");
    assert_int_equal(at(0), 3);
    ended(MS(10), MS(10), 1, false);
    ended(MS(10), MS(10), 1, true); /* is no sample */
    assert_false(memory->gradient.measured);
    ended(MS(10), MS(10), 1, false);
    assert_int_equal(memory->gradient.base, 10223615);
    assert_int_equal(at(MS(10)), 3);
    ended(MS(50), MS(10), 1, false);
    assert_int_equal(at(MS(110) - 1), 3);
    assert_int_equal(at(MS(110)), 5); /* 3.75 + 1.94 */
    assert_int_equal(at(MS(210)), 5); /* without a sample */
    ended(MS(250), MS(1), 1, false);
    ended(MS(250), MS(2), 1, false);
    ended(MS(250), MS(1000), 1, false); /* 2 ms are in the middle: before 250 ms it begins late */
    assert_int_equal(at(MS(310)), 13);  /* 10 + 3.16 */
    static const int64_t falls[] = {9, 6, 4, 3, 3, 3, 3, 3, 3};
    for (int i = 0; i < 9; i++) {
        now = MS(2310) + MS(100) * i;
        ended(now + MS(50), MS(1000), 1, false);
        assert_int_equal(at(now + MS(99)), i ? falls[i - 1] : 13);
        assert_int_equal(at(now + MS(100)), falls[i]); /* halves, and their roots */
        assert_int_equal(memory->gradient.measured, i < 8);
    }
}

static void gradient_measures_anew(void **state)
{
    (void)state;
    begin("l: {gradient: {request_count: 2, jitter: 0%, min_rtt_interval: 10s}}");
    ended(MS(10), MS(10), 1, false);
    ended(MS(10), MS(10), 1, false);
    for (int i = 0; i < 99; i++) {
        ended(MS(20) + MS(100) * i, MS(1), 1, false);
    }
    assert_int_equal(at(MS(10009)), 1000);
    assert_int_equal(at(MS(10010)), 3);
    ended(MS(10020), MS(10) + 1, 1, false); /* began before */
    ended(MS(10040), MS(30), 1, false);
    assert_int_equal(memory->gradient.samples, 1);
    assert_int_equal(at(MS(10040)), 3);
    ended(MS(20000), MS(30), 1, false);
    assert_int_equal(at(MS(20000)), 1000); /* as before */
    assert_in_range(memory->gradient.base, MS(30), MS(31));
    assert_int_equal(at(MS(29999)), 1000);
    assert_int_equal(at(MS(30000)), 3);
    assert_int_equal(stream.drawn, 0);
    begin("l: {gradient: {request_count: 1}}");
    ended(MS(10), MS(10), 1, false);
    assert_in_range(memory->gradient.measure_at, MS(60010), MS(69010));
    assert_int_equal(stream.drawn, 1);
}

/* --- before a queue ---------------------------------------------------------------------- */

enum { WORKERS = 10, MOST = 4096 };

struct outcome {
    int64_t least, most; /* limits after the first quarter */
    double throughput;   /* [1/s] in the last quarter */
};

/* Twice what ten workers can do in 10 ms each comes for `seconds`, evenly. */
static struct outcome overload(const char *text, int seconds)
{
    static struct {
        sim_time came, goes; /* [ns] */
        int64_t in_flight;
    } jobs[MOST];
    begin(text);
    struct outcome o = {.least = INT64_MAX};
    int64_t in = 0, out = 0, n = (int64_t)seconds * 2000, late = 0;
    for (int64_t i = 0; i < n; i++) {
        now = i * MS(0.5);
        for (; out < in && jobs[out % MOST].goes <= now; out++) {
            sim_time goes = jobs[out % MOST].goes;
            ended(goes, goes - jobs[out % MOST].came, jobs[out % MOST].in_flight, false);
            late += i > n / 4 * 3;
        }
        int64_t most = at(now);
        assert_in_range(most, limit.min_limit, limit.max_limit);
        if (i > n / 4) {
            o.least = most < o.least ? most : o.least;
            o.most = most > o.most ? most : o.most;
        }
        if (in - out < most) {
            sim_time free = in >= WORKERS ? jobs[(in - WORKERS) % MOST].goes : 0;
            sim_time begins = free > now ? free : now;
            jobs[in % MOST].came = now;
            jobs[in % MOST].goes = begins + MS(10);
            jobs[in % MOST].in_flight = in - out + 1;
            in++;
        }
    }
    o.throughput = (double)late / ((double)seconds / 4.0);
    return o;
}

/* With L in flight, ten of them in service, rtt is L ms; what is seen of a limit is that late, by
 * which it swings to both sides. */
static void limits_settle_above_the_workers(void **state)
{
    (void)state;
    /* Three to six are to wait. */
    struct outcome o = overload("l: {vegas: {probe_multiplier: 1000000}}", 40);
    assert_in_range(o.least, WORKERS, WORKERS + 3);
    assert_in_range(o.most, WORKERS + 6, 25);
    assert_in_range(o.throughput, 990, 1010);
    /* 20 in flight take the timeout; those that were too many shrink the limit one by one. */
    o = overload("l: {aimd: {min_limit: 1, timeout: 20ms}}", 40);
    assert_in_range(o.least, 1, 5);
    assert_in_range(o.most, 20, 40);
    assert_in_range(o.throughput, 700, 800);
    /* g L = 12.5, and the root of that; min_limit while the base is measured. */
    o = overload("l: gradient", 40);
    assert_in_range(o.least, 14, 16);
    assert_in_range(o.most, 16, 18);
    assert_in_range(o.throughput, 990, 1010);
    o = overload("l: gradient", 300);
    assert_int_equal(o.least, 3);
    assert_in_range(o.most, 16, 19);
    /* One step a second. */
    o = overload("l: {gradient2: {min_limit: 1, window: 1s}}", 40);
    assert_in_range(o.least, 20, 30);
    assert_in_range(o.most, 30, 40);
    assert_in_range(o.throughput, 990, 1010);
}

/* What lasts is taken for normal: bases that are learned under load drift, and limits with them. */
static void long_overloads_are_taken_for_normal(void **state)
{
    (void)state;
    assert_true(overload("l: {vegas: {max_limit: 200}}", 400).most > 40);
    assert_true(overload("l: gradient2", 40).most > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_published),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(what_is_fixed_stays),
        cmocka_unit_test(aimd_adds_one_and_takes_a_tenth),
        cmocka_unit_test(vegas_looks_at_the_queue),
        cmocka_unit_test(vegas_steps_by_digits),
        cmocka_unit_test(vegas_forgets_the_shortest_time),
        cmocka_unit_test(gradient2_compares_with_the_average),
        cmocka_unit_test(gradient2_forgets_long_times),
        cmocka_unit_test(windows_gather_samples),
        cmocka_unit_test(gradient_follows_the_shortest_time),
        cmocka_unit_test(gradient_measures_anew),
        cmocka_unit_test(limits_settle_above_the_workers),
        cmocka_unit_test(long_overloads_are_taken_for_normal),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
