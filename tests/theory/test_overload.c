/* SPDX-License-Identifier: Apache-2.0
 *
 * An overload and what the queue makes of it (configs/scenarios/queue_policies.yaml). The values
 * are not theory but means of 1000 runs of an independent simulation of the same model, whose
 * standard deviations are known: ours are to be as near as two such samples are.
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

enum { RUNS = 400, THEIR_RUNS = 1000 };

/* Requests of 6200 that are answered in time. */
static const struct {
    const char *queue;
    double mean, deviation;
} cases[] = {{"long", 1096.9, 43.0},
             {"full", 4240.8, 75.5},
             {"short", 5247.1, 58.3},
             {"late", 5296.1, 58.3},
             {"new", 5214.7, 57.8}};

enum { CASES = sizeof cases / sizeof cases[0] };

static uint64_t count(const struct trial *t, const char *queue, const char *stat)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", queue, stat);
    return trial_counter(t, name);
}

/* Every request is answered in time, or too late, or rejected, or dropped. */
static void check_sum(const struct trial *t, const char *queue)
{
    uint64_t served = count(t, queue, ".requests_completed");
    uint64_t rejected = count(t, queue, ".requests_rejected");
    uint64_t dropped = count(t, queue, ".requests_reneged");
    assert_int_equal(count(t, queue, "_users.logical_requests"), served + rejected + dropped);
    assert_true(count(t, queue, "_users.successes") <= served);
}

static void judge(int i, const struct summary *s)
{
    double theirs = cases[i].deviation * cases[i].deviation / THEIR_RUNS;
    double error = sqrt(summary_variance(s) / (double)s->n + theirs), off = s->mean - cases[i].mean;
    print_message("%-6s %.1f (%.1f), theirs %.1f (%.1f), off by %+.2f standard errors\n",
                  cases[i].queue, s->mean, sqrt(summary_variance(s)), cases[i].mean,
                  cases[i].deviation, off / error);
    assert_true(fabs(off) < 3.5 * error);
}

static void queues_in_overload(void **state)
{
    (void)state;
    struct summary good[CASES] = {{0}};
    struct trial t;
    trial_load(&t, "configs/scenarios/queue_policies.yaml", NULL);
    for (uint64_t r = 0; r < RUNS; r++) {
        trial_run(&t, r);
        for (int i = 0; i < CASES; i++) {
            check_sum(&t, cases[i].queue);
            summary_add(&good[i], (double)count(&t, cases[i].queue, "_users.successes"));
        }
    }
    trial_close(&t);
    for (int i = 0; i < CASES; i++) {
        judge(i, &good[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queues_in_overload)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
