/* SPDX-License-Identifier: Apache-2.0
 *
 * How often the interval of a search holds the threshold, and what it takes: the figures in
 * stats/bisection.h. Thresholds lie anywhere on the axis, between levels and on them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "stats/bisection.h"

enum { SEARCHES = 2000, LEVELS = 65 };

/* Of a search; its threshold is a level with a fraction. */
struct truth {
    double threshold, slope; /* slope: levels in which the logit of the response changes by 1 */
    double target;
    bool common; /* all levels have the random numbers of one */
    uint64_t search;
};

static double uniform(const struct truth *t, uint32_t level, uint64_t number)
{
    uint64_t who = hash_pair(t->search, t->common ? 0 : level + 1);
    return ((double)(hash_pair(who, number) >> 11) + 0.5) * 0x1p-53;
}

/* How far beyond the threshold a level is. */
static double beyond(const struct truth *t, uint32_t level)
{
    return ((double)level - t->threshold) / t->slope;
}

static double share(const struct truth *t, uint32_t level, uint64_t r)
{
    double odds = t->target / (1.0 - t->target) * exp(beyond(t, level));
    return uniform(t, level, r) < odds / (1.0 + odds) ? 1.0 : 0.0;
}

static double normal(const struct truth *t, uint32_t level, uint64_t r)
{
    double length = sqrt(-2.0 * log(uniform(t, level, 2 * r)));
    return length * cos(6.283185307179586 * uniform(t, level, 2 * r + 1));
}

static double normal_mean(const struct truth *t, uint32_t level, uint64_t r)
{
    return t->target + beyond(t, level) + normal(t, level, r);
}

/* The mean is target * exp(beyond), and the deviation is like it. */
static double exponential_mean(const struct truth *t, uint32_t level, uint64_t r)
{
    return -log(uniform(t, level, r)) * t->target * exp(beyond(t, level));
}

struct row {
    const char *name;
    double (*value)(const struct truth *, uint32_t, uint64_t);
    bool proportion, common;
    double target, slope;
    /* Stated: share of searches whose interval holds the threshold, and means over searches of the
     * interval's length [levels], of how far the estimate is off [levels], and of replications. */
    double coverage, length, off, replications;
};

static void search_once(const struct row *row, struct bisection *b, const struct truth *t)
{
    uint32_t level;
    uint64_t replication;
    struct bisection_plan plan = {.n_levels = LEVELS,
                                  .target = row->target,
                                  .proportion = row->proportion,
                                  .confidence = 0.95,
                                  .min = 16,
                                  .max = 1024};
    bisection_open(b, &plan);
    while (bisection_next(b, &level, &replication) == BISECTION_RUN) {
        bisection_put(b, level, replication, row->value(t, level, replication));
    }
}

static void measure(const struct row *row, struct row *got)
{
    uint64_t held = 0, replications = 0, n = 0;
    double length = 0.0, off = 0.0;
    for (uint64_t search = 0; search < SEARCHES; search++) {
        struct truth t = {
            .slope = row->slope, .target = row->target, .common = row->common, .search = search};
        double place = 4.0 + (LEVELS - 9) * ((double)(hash_pair(search, 99) >> 11) * 0x1p-53);
        t.threshold = search % 4 == 0 ? floor(place) : place;
        struct bisection b;
        search_once(row, &b, &t);
        if (b.answer.outcome == BISECTION_FOUND) {
            held += (double)b.answer.low <= t.threshold && t.threshold <= (double)b.answer.high;
            length += (double)(b.answer.high - b.answer.low);
            off += fabs(b.answer.estimate - t.threshold);
            n++;
        }
        for (uint32_t l = 0; l < LEVELS; l++) {
            replications += bisection_used(&b, l);
        }
        bisection_close(&b);
    }
    *got = (struct row){.coverage = (double)held / SEARCHES,
                        .length = length / (double)n,
                        .off = off / (double)n,
                        .replications = (double)replications / SEARCHES};
}

static void near(double got, double stated, double most)
{
    if (!(fabs(got - stated) <= most)) {
        fail_msg("%g was stated, and %g is measured", stated, got);
    }
}

static void test_the_interval_of_a_search_holds_the_threshold(void **state)
{
    (void)state;
    static const struct row row[] = {
        {"share 0.5", share, true, false, 0.5, 3.0, .9995, 2.17, .12, 2536},
        {"share 0.5, common", share, true, true, 0.5, 3.0, .9990, 2.16, .14, 2559},
        {"share 0.5, steep", share, true, false, 0.5, 0.3, 1.0000, 1.34, .06, 610},
        {"share 0.5, flat", share, true, false, 0.5, 12.0, .9985, 5.84, .47, 5942},
        {"share 0.05", share, true, false, 0.05, 3.0, 1.0000, 3.92, .29, 5193},
        {"normal", normal_mean, false, false, 10.0, 3.0, .9990, 1.71, .08, 1427},
        {"exponential", exponential_mean, false, false, 10.0, 3.0, .9935, 1.70, .08, 1441},
        {"exponential, common", exponential_mean, false, true, 10.0, 3.0, .9960, 1.69, .10, 1429},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct row got;
        measure(&row[i], &got);
        print_message("%-20s coverage %.4f, length %.2f, off %.2f, replications %.0f\n",
                      row[i].name, got.coverage, got.length, got.off, got.replications);
        assert_true(got.coverage >= 0.95);
        near(got.coverage, row[i].coverage, 0.002);
        near(got.length, row[i].length, 0.02);
        near(got.off, row[i].off, 0.02);
        near(got.replications, row[i].replications, 0.005 * row[i].replications);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_interval_of_a_search_holds_the_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
