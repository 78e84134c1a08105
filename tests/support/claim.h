/* SPDX-License-Identifier: Apache-2.0
 *
 * Claims: what theory says about a statistic. A claim holds if the mean over independent
 * replications lies within 3.5 standard errors of the value, and if the standard error itself is
 * small enough (`goal`, relative to the value) for that to say something.
 *
 * The seeds are fixed, so a test that has passed goes on passing until a draw changes; then one
 * claim in about 600 is refused by chance (Student's t with 29 degrees of freedom).
 */
#ifndef TESTS_SUPPORT_CLAIM_H
#define TESTS_SUPPORT_CLAIM_H

#include "support/trial.h"

enum claim_about {
    CLAIM_LEVEL,    /* mean of a gauge over time */
    CLAIM_MEAN,     /* mean of a histogram [s] */
    CLAIM_SQUARE,   /* mean square of a histogram [s2], each value at the middle of its bucket */
    CLAIM_QUANTILE, /* of a histogram, at p [s] */
    CLAIM_RATIO,    /* of a counter to another, `per` */
    CLAIM_RATE,     /* a counter per second */
    CLAIM_SPREAD,   /* of a counter's increments by interval: variance / mean */
};

struct claim {
    enum claim_about measure;
    const char *stat;
    double value;
    double goal;     /* most that the standard error may be, relative to the value */
    const char *per; /* CLAIM_RATIO */
    double p;        /* CLAIM_QUANTILE */
    double slack;    /* what the value itself may be off by, relative: it is an approximation */
};

#define CLAIM(measure_, stat_, value_, goal_, ...) \
    { \
        .measure = (measure_), .stat = (stat_), .value = (value_), .goal = (goal_), __VA_ARGS__ \
    }
#define CLAIM_LEVEL(stat, value, goal)        CLAIM(CLAIM_LEVEL, stat, value, goal, )
#define CLAIM_MEAN(stat, value, goal)         CLAIM(CLAIM_MEAN, stat, value, goal, )
#define CLAIM_SQUARE(stat, value, goal)       CLAIM(CLAIM_SQUARE, stat, value, goal, )
#define CLAIM_QUANTILE(stat, at, value, goal) CLAIM(CLAIM_QUANTILE, stat, value, goal, .p = at)
#define CLAIM_RATIO(stat, to, value, goal)    CLAIM(CLAIM_RATIO, stat, value, goal, .per = to)
#define CLAIM_RATE(stat, value, goal)         CLAIM(CLAIM_RATE, stat, value, goal, )
#define CLAIM_SPREAD(stat, value, goal)       CLAIM(CLAIM_SPREAD, stat, value, goal, )
#define CLAIMS_END \
    { \
        .stat = NULL \
    }

enum { CLAIMS_MOST = 8, CLAIM_REPLICATIONS = 30 };

/* Runs the replications, prints what came out, and fails unless all claims hold. The last claim is
 * followed by one without `stat`. */
void claims_hold(const char *what, struct trial *t, const struct claim *claims);

#endif
