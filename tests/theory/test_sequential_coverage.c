/* SPDX-License-Identifier: Apache-2.0
 *
 * How often the intervals of replications that were stopped by a rule hold the mean: the figures in
 * stats/stopping.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "stats/stopping.h"

enum { TRIALS = 4000 };

static double uniform(uint64_t trial, uint64_t number)
{
    return ((double)(hash_pair(trial, number) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t trial, uint64_t r)
{
    double length = sqrt(-2.0 * log(uniform(trial, 2 * r)));
    return length * cos(6.283185307179586 * uniform(trial, 2 * r + 1));
}

/* All have mean 1. */
static double normal_value(uint64_t trial, uint64_t r)
{
    return 1.0 + 0.2 * normal(trial, r);
}

static double exponential_value(uint64_t trial, uint64_t r)
{
    return -log(uniform(trial, r));
}

static double lognormal_value(uint64_t trial, uint64_t r)
{
    return exp(normal(trial, r) - 0.5);
}

static double rare_value(uint64_t trial, uint64_t r)
{
    return uniform(trial, r) < 0.3 ? 1.0 : 0.0;
}

struct figures {
    double coverage, replications;
};

static struct figures measured(double (*value)(uint64_t, uint64_t), double mean, uint64_t min,
                               struct stopping_rule rule)
{
    uint64_t held = 0, replications = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        struct stopping s;
        stopping_open(
            &s, &(struct stopping_plan){.min = min, .max = 100000, .n_rules = 1, .rules = &rule});
        double v = value(trial, 0);
        while (stopping_put(&s, s.seen.n, &v) == STOPPING_MORE) {
            v = value(trial, s.seen.n);
        }
        replications += s.seen.n;
        if (rule.proportion) {
            const struct observed_column *c = &s.seen.column[0];
            struct interval w = summary_proportion(c->hits, c->trials, rule.confidence);
            held += w.low <= mean && mean <= w.high;
        } else {
            held += fabs(stopping_mean(&s, 0) - mean) <= stopping_half_width(&s, 0);
        }
        stopping_close(&s);
    }
    return (struct figures){(double)held / TRIALS, (double)replications / TRIALS};
}

/* Seeds are fixed: what is stated may differ by what the last digits of a logarithm turn over. */
static void test_intervals_of_stopped_replications_hold_the_mean(void **state)
{
    (void)state;
    static const uint64_t min[] = {4, 8, 16, 32};
    static const struct {
        const char *name;
        double (*value)(uint64_t, uint64_t);
        double mean;
        struct stopping_rule rule;
        double stated[4];
    } row[] = {
        {"normal", normal_value, 1.0, {0, 0.1, 0.95, false}, {.910, .931, .946, .951}},
        {"exponential", exponential_value, 1.0, {0, 0.5, 0.95, false}, {.894, .905, .918, .938}},
        {"exponential", exponential_value, 1.0, {0, 0.2, 0.95, false}, {.936, .939, .939, .939}},
        {"lognormal", lognormal_value, 1.0, {0, 0.5, 0.95, false}, {.791, .813, .852, .884}},
        {"lognormal", lognormal_value, 1.0, {0, 0.2, 0.95, false}, {.891, .895, .895, .895}},
        {"lognormal", lognormal_value, 1.0, {0, 0.1, 0.95, false}, {.932, .933, .933, .933}},
        {"share", rare_value, 0.3, {0.1, 0, 0.95, true}, {.945, .945, .945, .948}},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        for (int m = 0; m < 4; m++) {
            struct figures f = measured(row[i].value, row[i].mean, min[m], row[i].rule);
            print_message("%-11s goal %.1f, min %2llu: coverage %.3f, replications %.0f\n",
                          row[i].name, row[i].rule.relative + row[i].rule.half_width,
                          (unsigned long long)min[m], f.coverage, f.replications);
            assert_true(fabs(f.coverage - row[i].stated[m]) < 0.002);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals_of_stopped_replications_hold_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
