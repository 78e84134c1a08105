/* SPDX-License-Identifier: Apache-2.0
 *
 * Hit ratios of caches against theory: requests are independent of each other, each for one of many
 * keys by Zipf's law, and what is fetched is there at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "stats/summary.h"
#include "support/claim.h"

enum { MOST = 1000 };

static const double GOAL = 0.0015;

/* Chances of `n` keys by Zipf's law. */
static void zipf(double *p, int n, double exponent)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        sum += p[i] = pow(i + 1.0, -exponent);
    }
    for (int i = 0; i < n; i++) {
        p[i] /= sum;
    }
}

/* One source of `rate` [1/s] and one cache for `seconds` after a warm-up. */
static void check(const char *what, double rate, double warmup, double seconds, const char *cache,
                  double value, double slack)
{
    struct trial t;
    trial_open(&t,
               "squall: 1\nduration: %.3fs\nwarmup: %.3fs\nentities:\n"
               "  users: {type: client, target: near, arrivals: {poisson: %.3f/s}}\n"
               "  near: {type: cache, target: far, hit_time: 0s, %s}\n"
               "  far: {type: delay, latency: 0s}\n",
               warmup + seconds, warmup, rate, cache);
    struct claim hits = CLAIM_RATIO("near.hits", "near.requests_received", value, GOAL);
    hits.slack = slack;
    claims_hold(what, &t, (struct claim[]){hits, CLAIMS_END});
    trial_close(&t);
}

static void check_zipf(const char *eviction, int n, int places, double exponent, double value,
                       double slack)
{
    char what[64], cache[160];
    snprintf(what, sizeof what, "%s, %d of %d keys", eviction, places, n);
    snprintf(cache, sizeof cache, "capacity: %d, eviction: %s, keys: {count: %d, law: {zipf: %g}}",
             places, eviction, n, exponent);
    check(what, 1000.0, 5.0, 60.0, cache, value, slack);
}

/* --- caches that are full ---------------------------------------------------------------- */

/* Of those that begin with the keys taken so far, whose chances have this product and sum: the
 * chance of a hit, by the chances of all orders in which `places` keys may have been used last
 * (King, "Analysis of demand paging algorithms", IFIP 1971). */
static double hits_of_lru(const double *p, int n, int places, uint32_t taken, double product,
                          double sum)
{
    if (places == 0) {
        return product * sum;
    }
    double hits = 0.0;
    for (int i = 0; i < n; i++) {
        if (!(taken >> i & 1)) {
            hits += hits_of_lru(p, n, places - 1, taken | UINT32_C(1) << i,
                                product * p[i] / (1.0 - sum), sum + p[i]);
        }
    }
    return hits;
}

static void check_lru(int n, int places, double exponent, double published)
{
    double p[MOST];
    zipf(p, n, exponent);
    double exact = hits_of_lru(p, n, places, 0, 1.0, 0.0);
    assert_true(fabs(exact - published) < 1e-11);
    check_zipf("lru", n, places, exponent, exact, 0.0);
}

static void least_recently_used(void **state)
{
    (void)state;
    check_lru(20, 5, 0.8, 0.392975190894);
    check_lru(30, 5, 1.0, 0.399120495255);
}

/* By FIFO and by chance a set of keys is there with a chance proportional to the product of theirs
 * (Gelenbe, "A unified approach to the evaluation of a class of replacement algorithms", IEEE
 * Trans. Computers 22, 1973). With e_k, the sum of the products of all sets of k keys, the chance
 * of a miss is (C + 1) e_{C+1} / e_C. */
static double hits_of_fifo(const double *p, int n, int places)
{
    double e[MOST] = {1.0};
    for (int i = 0; i < n; i++) {
        for (int k = places + 1; k > 0; k--) {
            e[k] += p[i] * e[k - 1];
        }
    }
    return 1.0 - (places + 1) * e[places + 1] / e[places];
}

static void first_in_or_any(void **state)
{
    (void)state;
    double p[MOST];
    zipf(p, 20, 0.8);
    double exact = hits_of_fifo(p, 20, 5);
    check_zipf("fifo", 20, 5, 0.8, exact, 0.0);
    check_zipf("random", 20, 5, 0.8, exact, 0.0);
}

/* A key is there if it was asked for within a time that is nearly the same for all: that in which
 * as many different keys are as there are places (Che, Tung and Wang, IEEE JSAC 20, 2002). */
static double hits_by_che(const double *p, int n, int places)
{
    double low = 0.0, high = 1e9, hits = 0.0;
    for (int step = 0; step < 200; step++) {
        double middle = 0.5 * (low + high), there = 0.0;
        for (int i = 0; i < n; i++) {
            there += -expm1(-p[i] * middle);
        }
        *(there < places ? &low : &high) = middle;
    }
    for (int i = 0; i < n; i++) {
        hits += p[i] * -expm1(-p[i] * low);
    }
    return hits;
}

static void a_larger_one_by_approximation(void **state)
{
    (void)state;
    double p[MOST];
    zipf(p, MOST, 0.8);
    check_zipf("lru", MOST, 100, 0.8, hits_by_che(p, MOST, 100), 0.002);
}

/* --- times to live ----------------------------------------------------------------------- */

/* Popular keys, which were all asked for first at the start, are gone at nearly the same times for
 * many times to live after it. */
static void check_ttl(double ttl, double published, double published_reset)
{
    double p[MOST], plain = 0.0, reset = 0.0, rate = 100.0;
    char what[64], cache[160];
    zipf(p, MOST, 1.0);
    for (int i = 0; i < MOST; i++) {
        double load = rate * p[i] * ttl;
        plain += p[i] * load / (1.0 + load);
        reset += p[i] * -expm1(-load);
    }
    assert_true(fabs(plain - published) < 1e-9);
    assert_true(fabs(reset - published_reset) < 1e-9);
    for (int kind = 0; kind < 2; kind++) {
        snprintf(what, sizeof what, "ttl of %g s%s", ttl, kind ? ", reset on access" : "");
        snprintf(cache, sizeof cache,
                 "capacity: unlimited, keys: {count: %d}, ttl: %gs, ttl_reset_on_access: %s", MOST,
                 ttl, kind ? "true" : "false");
        check(what, rate, 10.0 * ttl, 400.0 + 5.0 * ttl, cache, kind ? reset : plain, 0.0);
    }
}

static void times_to_live(void **state)
{
    (void)state;
    check_ttl(1.0, 0.426575494, 0.498743178);
    check_ttl(10.0, 0.714773008, 0.790868828);
    check_ttl(60.0, 0.891856201, 0.958593083);
}

/* --- a cold start ------------------------------------------------------------------------ */

/* configs/scenarios/cold_cache.yaml with requests of `rate` for one of `keys`, before a store that
 * serves `most` of them [1/s], or all (0): what share of the keys is there after `seconds`. */
static void fill(struct summary *there, int keys, int rate, int most, double seconds, uint64_t runs)
{
    char arrivals[64], count[64], room[64], service[64];
    snprintf(arrivals, sizeof arrivals, "users.arrivals.poisson=%d/s", rate);
    snprintf(count, sizeof count, "cache.keys.count=%d", keys);
    snprintf(room, sizeof room, "cache.capacity=%d", keys);
    snprintf(service, sizeof service, "store.service_time=%.9fs", most ? 1.0 / most : 0.0);
    struct trial t;
    trial_load(&t, "configs/scenarios/cold_cache.yaml",
               (const char *const[]){arrivals, count, room, service, "duration=400s",
                                     "interval=none", NULL});
    for (uint64_t r = 0; r < runs; r++) {
        trial_begin(&t, r, S(seconds));
        summary_add(there, (double)trial_level(&t, "cache.size") / keys);
    }
    trial_close(&t);
}

/* Where all misses are served, 1 - e^(-t rate / keys) of the keys are there. */
static void check_free(int keys, int rate, double seconds)
{
    struct summary s = {0};
    fill(&s, keys, rate, 0, seconds, 10);
    double error = sqrt(summary_variance(&s) / (double)s.n);
    print_message("%d keys after %.6f s: %.5f +- %.5f\n", keys, seconds, s.mean, error);
    assert_true(fabs(s.mean - 0.9) < 3.5 * error);
    assert_true(error < 0.002);
}

/* Else the target's rate is all that comes, as long as there are more misses, which is until
 * (keys / most) (1 - most / rate). At the end the queue is not always full. */
static void check_limited(int keys, int rate, int most)
{
    double end = (double)keys / most * (1.0 - (double)most / rate);
    const double part[] = {0.1, 0.5, 0.9, 1.0}, off[] = {0.002, 0.002, 0.002, 0.005};
    for (int i = 0; i < 4; i++) {
        struct summary s = {0};
        fill(&s, keys, rate, most, part[i] * end, 1);
        print_message("%d keys after %.6f s: %.5f\n", keys, part[i] * end, s.mean);
        assert_true(fabs(s.mean / (part[i] * 0.9) - 1.0) < off[i]);
    }
}

static void a_cold_cache_fills_as_fast_as_it_is_served(void **state)
{
    (void)state;
    check_free(10000, 1000, 23.025851);
    check_free(100000, 3000, 76.752836);
    check_limited(10000, 1000, 100);  /* 90 % at 90 s */
    check_limited(100000, 3000, 300); /* 90 % at 300 s */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_recently_used), cmocka_unit_test(first_in_or_any),
        cmocka_unit_test(a_larger_one_by_approximation), cmocka_unit_test(times_to_live),
        cmocka_unit_test(a_cold_cache_fills_as_fast_as_it_is_served)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
