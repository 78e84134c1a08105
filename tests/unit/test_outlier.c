/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is ejected for its answers, and who is unhealthy by checks: the rules, without a balancer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policies/health.h"
#include "policies/outlier.h"

static const sim_time S = SIM_TIME_S;

enum { MOST = 100 };
static struct outlier_host hosts[MOST];
static struct outlier_counts counts;
static struct outlier_hosts h;
static struct outlier_success_rate rate = {1.9, 5, 100};
static struct outlier_failure_percentage percentage = {0.85, 5, 50};

/* `n` hosts, Envoy's defaults, and the share of them that may be ejected. */
static struct outlier begin(uint32_t n, double most)
{
    memset(hosts, 0, sizeof hosts);
    counts = (struct outlier_counts){0};
    h = (struct outlier_hosts){hosts, n, &counts};
    return (struct outlier){.consecutive_errors = 5,
                            .interval = 10 * S,
                            .base_ejection_time = 30 * S,
                            .max_ejection_time = 300 * S,
                            .max_ejection_percent = most};
}

static bool answers(const struct outlier *o, uint32_t host, sim_time now, int good, int bad)
{
    bool ejected = false;
    for (int i = 0; i < good; i++) {
        ejected |= outlier_take(o, &h, host, now, false);
    }
    for (int i = 0; i < bad; i++) {
        ejected |= outlier_take(o, &h, host, now, true);
    }
    return ejected;
}

static void five_errors_in_a_row_eject(void **state)
{
    (void)state;
    struct outlier o = begin(10, 0.1);
    assert_false(answers(&o, 3, 0, 0, 4));
    assert_false(answers(&o, 3, 0, 1, 4)); /* a success begins anew */
    assert_false(answers(&o, 4, 0, 0, 1)); /* hosts are counted one by one */
    assert_true(outlier_take(&o, &h, 3, S, true));
    assert_true(hosts[3].ejected);
    assert_int_equal(hosts[3].ejected_at, S);
    assert_int_equal(counts.ejections, 1);
    assert_int_equal(counts.consecutive_errors, 1);
    assert_false(answers(&o, 3, 2 * S, 0, 50)); /* what comes late ejects nobody twice */
    assert_int_equal(counts.ejections + counts.spared, 1);
    o = begin(10, 0.1);
    o.consecutive_errors = INT64_MAX;
    assert_false(answers(&o, 3, 0, 0, 1000));
}

/* Ends of intervals at 10 s, 20 s, ... until the host is back. */
static sim_time back_at(const struct outlier *o, uint32_t host, sim_time from)
{
    sim_time now = from / (10 * S) * (10 * S);
    while (hosts[host].ejected) {
        now += 10 * S;
        outlier_end_interval(o, &h, now);
    }
    return now;
}

/* 30 s the first time, 60 s the second, ..., never more than 300 s; until an interval ends. */
static void ejections_take_longer_and_longer(void **state)
{
    (void)state;
    struct outlier o = begin(10, 0.1);
    sim_time now = 10 * S;
    for (int k = 1; k <= 15; k++) {
        assert_true(answers(&o, 0, now, 0, 5));
        sim_time lasts = k <= 10 ? k * 30 * S : 300 * S;
        assert_int_equal(back_at(&o, 0, now), now + lasts);
        now += lasts;
    }
    assert_int_equal(counts.returned, 15);
    o = begin(10, 0.1);
    answers(&o, 0, 10 * S + 1, 0, 5); /* 40 s + 1 ns: not yet over at 40 s */
    assert_int_equal(back_at(&o, 0, 10 * S + 1), 50 * S);
}

/* A host that has spent an interval without an ejection has one fewer that counts. */
static void good_behaviour_is_rewarded(void **state)
{
    (void)state;
    struct outlier o = begin(10, 0.1);
    answers(&o, 0, 0, 0, 5);
    assert_int_equal(back_at(&o, 0, 0), 30 * S);
    answers(&o, 0, 30 * S, 0, 5);
    assert_int_equal(back_at(&o, 0, 30 * S), 90 * S);
    assert_int_equal(hosts[0].times, 2);
    outlier_end_interval(&o, &h, 100 * S);
    assert_int_equal(hosts[0].times, 1);
    answers(&o, 0, 100 * S, 0, 5);
    assert_int_equal(back_at(&o, 0, 100 * S), 160 * S);
    for (int i = 1; i <= 5; i++) {
        outlier_end_interval(&o, &h, (160 + 10 * i) * S);
    }
    assert_int_equal(hosts[0].times, 0);
}

/* No more while a share of max_ejection_percent is out; unless that is 0, there may be one. */
static void not_everybody_is_ejected(void **state)
{
    (void)state;
    static const struct {
        uint32_t n;
        double most;
        uint64_t ejected;
    } cases[] = {{10, 0.1, 1}, {30, 0.1, 3}, {70, 0.7, 49}, {5, 0.1, 1},
                 {12, 0.1, 2}, {4, 0.0, 0},  {4, 1.0, 4},   {100, 0.29, 29}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outlier o = begin(cases[i].n, cases[i].most);
        for (uint32_t k = 0; k < cases[i].n; k++) {
            answers(&o, k, 0, 0, 5);
        }
        assert_int_equal(counts.ejections, cases[i].ejected);
        assert_int_equal(counts.spared, cases[i].n - cases[i].ejected);
    }
    /* One that was spared is tried again after as many errors. */
    struct outlier o = begin(10, 0.1);
    answers(&o, 0, 0, 0, 5);
    assert_false(answers(&o, 1, 0, 0, 5));
    outlier_end_interval(&o, &h, 30 * S);
    assert_false(answers(&o, 1, 31 * S, 0, 4));
    assert_true(answers(&o, 1, 31 * S, 0, 1));
}

/* Ten hosts with shares .9 but for one with `good` of 100: mean - 1.9 deviations. */
static bool one_is_off(int good, int factor_of_ten)
{
    struct outlier o = begin(10, 0.1);
    o.consecutive_errors = INT64_MAX;
    rate.stdev_factor = factor_of_ten / 10.0;
    o.success_rate.items = &rate;
    o.success_rate.count = 1;
    for (uint32_t i = 0; i < 10; i++) {
        answers(&o, i, 0, i == 6 ? good : 90, i == 6 ? 100 - good : 10);
    }
    return outlier_end_interval(&o, &h, 10 * S);
}

static void who_succeeds_less_than_the_others_is_ejected(void **state)
{
    (void)state;
    /* One of n off by x: it is (n - 1) x / n below the mean, and a deviation is sqrt(n - 1) x / n:
     * sqrt(9) = 3 of them, however small x is. */
    assert_true(one_is_off(50, 19));
    assert_true(hosts[6].ejected);
    assert_int_equal(counts.success_rate, 1);
    assert_true(one_is_off(89, 19));
    assert_true(one_is_off(50, 29));
    assert_false(one_is_off(50, 31));
    assert_false(one_is_off(90, 19));
    assert_false(one_is_off(100, 19)); /* better is no mistake */
    rate.stdev_factor = 1.9;
}

/* In binary the sum of three times 0.1 is more than 0.3, and a third of it more than 0.1. */
static void equals_are_never_below_their_mean(void **state)
{
    (void)state;
    for (int good = 0; good <= 100; good++) {
        for (uint32_t n = 1; n <= 10; n++) {
            struct outlier o = begin(n, 1.0);
            struct outlier_success_rate strict = {0.0, 1, 100};
            o.consecutive_errors = INT64_MAX;
            o.success_rate.items = &strict;
            o.success_rate.count = 1;
            for (uint32_t i = 0; i < n; i++) {
                answers(&o, i, 0, good, 100 - good);
            }
            assert_false(outlier_end_interval(&o, &h, 10 * S));
        }
    }
}

static void few_requests_say_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct outlier o = begin(6, 1.0);
        o.consecutive_errors = INT64_MAX;
        o.success_rate.items = &rate;
        o.success_rate.count = 1;
        uint32_t n = round == 0 ? 4 : 6; /* hosts with requests: five are enough */
        for (uint32_t i = 0; i < n; i++) {
            bool off = i == 1;
            int requests = round == 1 && off ? 99 : 100;
            answers(&o, i, 0, off ? 0 : requests, off ? requests : 0);
        }
        if (round == 2) { /* each interval by itself */
            outlier_end_interval(&o, &h, 10 * S);
            assert_true(hosts[1].ejected);
            outlier_end_interval(&o, &h, 20 * S);
            assert_int_equal(counts.ejections, 1);
            continue;
        }
        assert_int_equal(outlier_end_interval(&o, &h, 10 * S), round == 3);
    }
}

static void failing_too_often_ejects_whatever_others_do(void **state)
{
    (void)state;
    struct outlier o = begin(5, 1.0);
    o.consecutive_errors = INT64_MAX;
    o.failure_percentage.items = &percentage;
    o.failure_percentage.count = 1;
    for (uint32_t i = 0; i < 5; i++) { /* 83, 84, 85, 86, 87 % */
        answers(&o, i, 0, 17 - (int)i, 83 + (int)i);
    }
    assert_true(outlier_end_interval(&o, &h, 10 * S));
    assert_int_equal(counts.failure_percentage, 3);
    assert_true(!hosts[1].ejected && hosts[2].ejected);
    for (uint32_t i = 0; i < 2; i++) {
        answers(&o, i, 11 * S, 0, 100);
    }
    assert_false(outlier_end_interval(&o, &h, 20 * S)); /* only two are measured */
}

/* Those whose time is up make room for others in the same instant. */
static void who_is_back_makes_room(void **state)
{
    (void)state;
    struct outlier o = begin(10, 0.1);
    o.success_rate.items = &rate;
    o.success_rate.count = 1;
    answers(&o, 9, 0, 0, 5);
    for (uint32_t i = 0; i < 9; i++) {
        answers(&o, i, S, i == 0 ? 0 : 100, 0);
    }
    o.consecutive_errors = INT64_MAX;
    answers(&o, 0, S, 0, 100);
    assert_true(outlier_end_interval(&o, &h, 30 * S));
    assert_true(hosts[0].ejected && !hosts[9].ejected);
    assert_int_equal(counts.spared, 0);
}

static void checks_must_fail_or_pass_in_a_row(void **state)
{
    (void)state;
    struct health_state s = {0};
    /* f, p: failed, passed; upper case where that turns it. */
    const char *script = "ffpffFpfffpPpppffFpfp";
    for (const char *c = script; *c; c++) {
        bool passed = *c == 'p' || *c == 'P';
        assert_int_equal(health_take(&s, 2, 3, passed), *c < 'a');
    }
    assert_true(s.unhealthy);
    s = (struct health_state){0};
    assert_true(health_take(&s, 1, 1, false));
    assert_true(health_take(&s, 1, 1, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_errors_in_a_row_eject),
        cmocka_unit_test(ejections_take_longer_and_longer),
        cmocka_unit_test(good_behaviour_is_rewarded),
        cmocka_unit_test(not_everybody_is_ejected),
        cmocka_unit_test(who_succeeds_less_than_the_others_is_ejected),
        cmocka_unit_test(equals_are_never_below_their_mean),
        cmocka_unit_test(few_requests_say_nothing),
        cmocka_unit_test(failing_too_often_ejects_whatever_others_do),
        cmocka_unit_test(who_is_back_makes_room),
        cmocka_unit_test(checks_must_fail_or_pass_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
