/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for a threshold: where on an axis of 2^k + 1 levels the mean response passes a target.
 * What is worth running next is asked, values of replications are put in any order, and the answer
 * is the same whoever was done first, and if a part was known before.
 *
 * A level is looked at after min, 2 min, 4 min, ... and max replications, each time of all before
 * that. It is decided, below or above the target, at the first look at which a test refuses the
 * other side, and undecided if none does. The test of means is Student's; that of shares (values 0
 * and 1) is the exact one of the binomial law, which is that of Clopper and Pearson's interval:
 * at the small chances that remain for each look, Wilson's is wrong for targets near 0 or 1.
 *
 * The two ends come first, and say whether the response rises or falls. If they are on one side,
 * that is the answer. Otherwise halves are taken: of what lies between the last level decidedly
 * before the threshold (`low`) and the first decidedly after it (`high`), the middle; once some
 * level is undecided, the middle of what lies between `low` and the first undecided, and of what
 * lies between the last undecided and `high`. Two such levels are run side by side and heeded when
 * both are decided. At most 2 k + 1 levels are visited. Where one end is undecided, it is taken to
 * be at the target, so that the response leads away from it to the side of the other end; that is
 * assumed and not tested.
 *
 * What the confidence means: with at least this chance the response passes the target between `low`
 * and `high`, both included, if it is monotone. Chances of error are shared evenly among the looks
 * and the most levels that there may be (Bonferroni), so that each look refuses with a chance of
 * (1 - confidence) / (levels * looks), one-sided. For shares of levels that are independent this is
 * proven. With common random numbers it is while every level is decided (the path without error is
 * then one path), and errors tend to be made together, which makes them fewer. For means it is as
 * good as Student's test is: skewed values need a larger `min`, and values that are all equal are
 * believed. By pairs, the law of shares is that of the single values as if they were independent.
 *
 * Measured in 2000 searches each on 65 levels with 95 %, min 16 and max 1024 (thresholds between
 * levels and on them; tests/theory/test_threshold_coverage.c prints and checks it): how often the
 * interval holds the threshold, its mean length and how far the estimate is off, in levels, and
 * replications in all. The logit of shares, the mean (in deviations) and the logarithm of the mean
 * of exponential values change by 1 in three levels. That little goes wrong is the price of a
 * bound that holds for any response: only levels next to the threshold are ever in doubt.
 *
 *     response                          coverage   length    off   replications
 *     share, target 0.5                  0.9995    2.17   0.12     2536
 *     the same, common random numbers    0.9990    2.16   0.14     2559
 *     share, ten times as steep          1.0000    1.34   0.06      610
 *     share, a quarter as steep          0.9985    5.84   0.47     5942
 *     share, target 0.05                 1.0000    3.92   0.29     5193
 *     normal, deviation 1                0.9990    1.71   0.08     1427
 *     exponential                        0.9935    1.70   0.08     1441
 *     the same, common random numbers    0.9960    1.69   0.10     1429
 *
 * The estimate is where the isotonic regression of the means of all visited levels, weighted by
 * observations, passes the target, linear between levels (pool adjacent violators: Ayer et al.
 * 1955; as an estimate of thresholds: Stylianou and Flournoy 2002). It assumes no more than the
 * search itself does, that the response is monotone; a logistic fit would assume its shape, whose
 * tails would pull at the estimate.
 */
#ifndef SQUALL_STATS_BISECTION_H
#define SQUALL_STATS_BISECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "stats/observations.h"

struct bisection_plan {
    uint32_t n_levels; /* 2^k + 1, at least 2 */
    double target;     /* in the unit of the response; of a proportion between 0 and 1 */
    bool proportion;   /* the response is 0 or 1 */
    bool pairs;        /* replications 2k and 2k+1 are antithetic */
    double confidence; /* [1] of the whole search, between 0 and 1 */
    uint64_t min, max; /* replications of a level; 2 <= min <= max */
};

enum bisection_outcome {
    BISECTION_OPEN,     /* the search goes on */
    BISECTION_FOUND,    /* between low and high */
    BISECTION_BELOW,    /* the response is below the target at both ends */
    BISECTION_ABOVE,    /* above it at both ends */
    BISECTION_CONTRARY, /* between low and high, but not monotone: it passed the target and back */
    BISECTION_UNKNOWN,  /* both ends are undecided: no side to start from */
};
enum { BISECTION_OUTCOMES = BISECTION_UNKNOWN + 1 };
extern const char *const bisection_outcome_words[BISECTION_OUTCOMES];

struct bisection_answer {
    enum bisection_outcome outcome;
    /* The rest is of FOUND and CONTRARY. */
    bool falling;    /* above the target at first, below it later */
    double estimate; /* level, with a fraction; between low and high */
    /* Levels. Beside an end of the axis that is undecided there is none: low -1, high n_levels. */
    int64_t low, high;
};

enum bisection_side { BISECTION_NO_SIDE, BISECTION_UNDER, BISECTION_OVER, BISECTION_UNDECIDED };

/* What is known of a level. */
struct bisection_level {
    uint32_t level;
    bool visited;               /* it is or was wanted, and not only put */
    enum bisection_side side;   /* of the target; NO_SIDE until it is decided or undecided */
    uint64_t look;              /* replications after which it is looked at next */
    uint64_t handed;            /* replications before this are handed out or known */
    struct observations values; /* owned */
};

struct bisection {
    struct bisection_plan plan;
    double error;                   /* [1] chance that each look may err with, one-sided */
    struct bisection_level *levels; /* by level, those visited or put; owned */
    uint32_t n_known, room;
    uint32_t wanted[2]; /* levels being run */
    int n_wanted;
    bool started; /* both ends are judged */
    /* Levels before, within and after the noise around the threshold. Where no level is undecided,
     * first_undecided > last_undecided. */
    int64_t low, first_undecided, last_undecided, high;
    struct bisection_answer answer;
};

void bisection_open(struct bisection *b, const struct bisection_plan *plan);
void bisection_close(struct bisection *b);

/* A value, in any order; NAN if the replication gave none. Known ones, and those from max on, are
 * passed over. What is known before a search is resumed is put before anything is asked for. An
 * infinite value leaves its level undecided. */
void bisection_put(struct bisection *b, uint32_t level, uint64_t replication, double value);

enum bisection_next { BISECTION_RUN, BISECTION_WAIT, BISECTION_DONE };

/* What to run now: RUN and a replication that nobody was handed nor put; WAIT when all that is
 * wanted is under way; DONE when the answer is there. */
enum bisection_next bisection_next(struct bisection *b, uint32_t *level, uint64_t *replication);

/* Replications of a level that the answer is made from; 0 if it was not visited. */
uint64_t bisection_used(const struct bisection *b, uint32_t level);

#endif
