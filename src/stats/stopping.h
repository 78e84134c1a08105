/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequential stopping: how many replications a point needs until its figures are known well enough.
 * The answer is the least n >= min at which every rule holds for replications 0..n-1, or max; it is
 * found when these are there, and no later value changes it. Values may come in any order.
 *
 * A rule holds when half the width of the confidence interval is at most the goal: `half_width`, or
 * `relative` times the absolute mean, whichever is larger (Chow and Robbins 1965; relative: Nadas
 * 1969). A mean of 0 has no relative half-width: a rule that is only relative does not hold there.
 * Intervals are Student's for means and Wilson's for the share of values that are 1.
 *
 * A NAN (a replication that gave no value) counts as a replication and not as an observation; a
 * rule needs at least as many observations as `min` replications give, and two. An infinite value
 * keeps its rule from holding for good.
 *
 * By pairs, rules are asked after whole pairs. Wilson's interval is then that of the single values
 * as if they were independent: too wide for antithetic pairs, whose hits tend to fall apart.
 *
 * One who looks after every replication and stops when it looks good stops too early now and then,
 * so that the interval holds the mean less often than it says. Measured with 95 %, 4000 trials each
 * (standard error 0.4 %; tests/theory/test_sequential_coverage.c prints and checks it), the goal
 * relative to the mean, but for the share of 0.3, and the replications that it took with min 16:
 *
 *     values                   goal    min 4   min 8   min 16   min 32   replications
 *     normal, deviation 0.2    10 %    0.910   0.931   0.946    0.951     19
 *     exponential              50 %    0.894   0.905   0.918    0.938     19
 *     exponential              20 %    0.936   0.939   0.939    0.939     95
 *     lognormal, sigma 1       50 %    0.791   0.813   0.852    0.884     22
 *     lognormal, sigma 1       20 %    0.891   0.895   0.895    0.895    140
 *     lognormal, sigma 1       10 %    0.932   0.933   0.933    0.933    621
 *     share of 0.3            +- 0.1   0.945   0.945   0.945    0.948     76
 *
 * From 16 on, what is lost by looking often is within 1 % for values like normal ones. What is
 * missing for skewed values is mostly Student's: a narrower goal helps, and 32 where there is none.
 */
#ifndef SQUALL_STATS_STOPPING_H
#define SQUALL_STATS_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "stats/observations.h"

enum { STOPPING_MIN = 16 }; /* a sound `min`, where the user says none */

struct stopping_rule {
    double half_width; /* goal, in the unit of the value; 0: none */
    double relative;   /* [1] goal, of the absolute mean; 0: none */
    double confidence; /* [1] of the interval, between 0 and 1 */
    bool proportion;   /* values are 0 or 1 */
};

struct stopping_plan {
    uint64_t min, max; /* replications; 1 <= min <= max */
    bool pairs;        /* replications 2k and 2k+1 are antithetic */
    uint32_t n_rules;  /* all must hold at once; of none, min replications are enough */
    const struct stopping_rule *rules;
};

enum stopping_answer {
    STOPPING_MORE, /* not decided by what is there */
    STOPPING_MET,  /* all rules hold after n replications */
    STOPPING_MAX,  /* n is the most there may be, and some rule does not hold */
};

struct stopping {
    struct stopping_plan plan;
    struct stopping_rule *rules; /* owned: those of the plan */
    double *normal;              /* [n_rules] quantiles of the normal law; owned */
    struct observations seen;    /* a column for each rule; owned; seen.n is the n of the answer */
    enum stopping_answer answer;
};

void stopping_open(struct stopping *s, const struct stopping_plan *plan);
void stopping_close(struct stopping *s);

/* Takes the values of a replication, one for each rule, and answers. Values of replications that
 * are known, lie from max on or come after the decision are not looked at. */
enum stopping_answer stopping_put(struct stopping *s, uint64_t replication, const double *values);

/* How many replications will be needed in all, as it looks now: n (half-width / goal)^2 of the rule
 * that is farthest from holding, between n + 1 and max and at least min. Once decided, n. */
uint64_t stopping_wanted(const struct stopping *s);

/* The figure that rule i is about, and its interval, by what is decided on or has come so far. */
double stopping_mean(const struct stopping *s, uint32_t i);
double stopping_half_width(const struct stopping *s, uint32_t i);

#endif
