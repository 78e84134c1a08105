/* SPDX-License-Identifier: Apache-2.0
 *
 * Optimistic writes to one row, against the model of M. Brooker, "Exponential backoff and jitter"
 * (AWS architecture blog, 2015): its own simulator's means over 4000 runs, with their standard
 * errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "stats/summary.h"
#include "support/trial.h"

struct figure {
    double value, error;
};

struct published {
    const char *law;
    struct figure last; /* [ms] when the last client was done */
    struct figure writes;
};

/* Whether a mean is the published one, up to the chance of both. Prints what came out. */
static bool agrees(const char *what, const char *law, const struct summary *s, struct figure f)
{
    double error = sqrt(summary_variance(s) / (double)s->n);
    double off = (s->mean - f.value) / sqrt(error * error + f.error * f.error);
    print_message("%-8s %-12s %9.2f +- %.2f, published %9.2f: %+.2f\n", what, law, s->mean, error,
                  f.value, off);
    return fabs(off) <= 3.5 && error < 0.02 * f.value;
}

static void all_agree(const char *clients, uint64_t replications, const struct published *p)
{
    bool good = true;
    for (uint32_t i = 0; i < 5; i++) {
        char count[64], latency[64], writes[64], saved[64];
        struct trial t;
        struct summary last = {0}, written = {0};
        snprintf(count, sizeof count, "%s_clients.count=%s", p[i].law, clients);
        snprintf(latency, sizeof latency, "%s_clients.request_latency", p[i].law);
        snprintf(writes, sizeof writes, "%s_row.writes", p[i].law);
        snprintf(saved, sizeof saved, "%s_clients.successes", p[i].law);
        trial_load(&t, "configs/scenarios/optimistic_writes.yaml",
                   (const char *const[]){count, NULL});
        for (uint64_t n = 0; n < replications; n++) {
            struct hist_counts h = {.total = 0};
            trial_run(&t, n);
            trial_histogram(&t, latency, &h);
            assert_int_equal(trial_counter(&t, saved), h.total);
            summary_add(&last, (double)h.max * 1e-6);
            summary_add(&written, (double)trial_counter(&t, writes));
        }
        good &= agrees("last", p[i].law, &last, p[i].last);
        good &= agrees("writes", p[i].law, &written, p[i].writes);
        trial_close(&t);
    }
    assert_true(good);
}

static void ten_clients_take_as_long_as_published(void **state)
{
    (void)state;
    all_agree("10", 2000,
              (struct published[]){{"none", {379.19, 0.55}, {50.778, 0.064}},
                                   {"exponential", {3460.9, 20.6}, {50.83, 0.07}},
                                   {"equal", {729.2, 3.0}, {42.46, 0.04}},
                                   {"full", {464.5, 1.7}, {39.066, 0.035}},
                                   {"decorrelated", {436.5, 1.3}, {37.66, 0.04}}});
}

static void a_hundred_clients_take_as_long_as_published(void **state)
{
    (void)state;
    all_agree("100", 100,
              (struct published[]){{"none", {2027.34, 0.71}, {2422.3, 0.5}},
                                   {"exponential", {63433, 60}, {1854.5, 0.9}},
                                   {"equal", {6611, 10}, {812.09, 0.12}},
                                   {"full", {4905, 8}, {795.88, 0.11}},
                                   {"decorrelated", {4592, 11}, {1002.4, 0.45}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_clients_take_as_long_as_published),
        cmocka_unit_test(a_hundred_clients_take_as_long_as_published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
