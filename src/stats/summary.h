/* SPDX-License-Identifier: Apache-2.0
 *
 * What replications say together: means, quantiles and proportions with their confidence
 * intervals, and where a warm-up ends. Values are added in the order of replications, never in
 * that of their completion, so that the sums do not depend on the machine.
 *
 * A confidence is that of the two-sided interval: 0.95 leaves 2.5 % on each side.
 */
#ifndef SQUALL_STATS_SUMMARY_H
#define SQUALL_STATS_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero is an empty summary. */
struct summary {
    uint64_t n;
    double mean;
    double squares; /* sum of squared deviations from the mean (Welford 1962) */
    double min, max;
};

void summary_add(struct summary *s, double value);

/* Of the sample, with n - 1; NAN below two values. */
double summary_variance(const struct summary *s);

/* Of the mean: s / sqrt(n); NAN below two values. */
double summary_standard_error(const struct summary *s);

/* Half the width of the interval mean +- t s / sqrt(n) with Student's t of n - 1 degrees of
 * freedom; INFINITY below two values. */
double summary_half_width(const struct summary *s, double confidence);

/* Takes the deviations from `value` instead of from the mean: sectioning, of an estimate that is no
 * mean. They are larger, by what the observations' own mean is off. */
void summary_about(struct summary *s, double value);

/* Two replications that depend on each other are one observation, and the summary is that of
 * observations: its half-width is that of the paired interval. Nothing is added, and false
 * returned, if either value is NAN (a replication that gave none).
 *
 * A pair of antithetic replications counts as its mean: with negative correlation the variance of
 * pairs is less than half that of single values (Hammersley and Morton 1956). Two systems under
 * common random numbers are compared by the differences of equal replications: with positive
 * correlation their variance is less than the sum of the two (Law and Kelton, chapter 10.2). */
bool summary_add_pair(struct summary *s, double first, double second);
bool summary_add_difference(struct summary *s, double value, double other);

/* What is known of a mean, or of the difference of two: that (truth - value) / error has Student's
 * law with so many degrees of freedom. */
struct estimate {
    double value;
    double error;   /* its standard error; NAN: there are too few observations to tell */
    double degrees; /* of freedom; need not be whole */
};

/* Of the mean of a summary. */
struct estimate summary_estimate(const struct summary *s);

/* Of value - other, two means that do not depend on each other, whose observations may differ in
 * number and variance (Welch, "The generalization of `Student's' problem when several different
 * population variances are involved", Biometrika 34, 1947; the degrees of freedom are those of
 * Satterthwaite, Biometrics Bulletin 2, 1946). It takes two observations of each. */
struct estimate summary_welch(const struct summary *value, const struct summary *other);

/* Half the width of the interval about the value; INFINITY where the error is not known. */
double estimate_half_width(const struct estimate *e, double confidence);

/* The chance that the value is as far from 0 as it is, to either side, if the truth is 0: less than
 * 1 - confidence iff the interval leaves 0 out. NAN where the error is not known. */
double estimate_chance(const struct estimate *e);

/* Many such chances, of which some are small by chance alone: those that are at most `level`
 * afterwards are, all together, wrong with no more than that chance, whatever they depend on (Holm,
 * "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
 * 1979). They come in rising order, without NAN, and stay in it. */
void summary_holm(double *chance, size_t n);

struct interval {
    double low, high;
};

/* Wilson's score interval (1927) for a proportion of `hits` in `n` trials; [0, 1] without trials.
 */
struct interval summary_proportion(uint64_t hits, uint64_t n, double confidence);

/* The chance that at most `k` of `n` trials are hits if each is with chance p: the binomial law,
 * from which exact tests of a proportion are made (Clopper and Pearson 1934). */
double summary_at_most(uint64_t k, uint64_t n, double p);

/* The ranks (1-based) of the two order statistics of `n` independent values that enclose the
 * p-quantile: `low` is the largest rank below which it lies with a chance of at most
 * (1 - confidence) / 2, `high` the least rank above which it does (binomial coverage, no
 * assumption on the law). False when there are too few values for such ranks. */
bool summary_quantile_ranks(uint64_t n, double p, double confidence, uint64_t *low, uint64_t *high);

/* The least number of values whose largest is not below the p-quantile with this (one-sided)
 * confidence. */
uint64_t summary_quantile_least(double p, double confidence);

/* The end of a warm-up by MSER-5 (White, Cobb and Spratt 2000): of the means of batches of five
 * values, leave out the first d <= number / 2 that minimise S^2 / (number - d)^2, where S^2 is the
 * sum of squared deviations of those kept. Values after the last whole batch are not used. */
enum { MSER_BATCH = 5, MSER_LEAST = 2 * MSER_BATCH /* values without which there is no telling */ };
struct mser {
    size_t cut;    /* values to leave out: 5 d */
    bool unsteady; /* d is as large as it may be, or there are too few values: wherever the warm-up
                      ends, it is not known to be here */
    double statistic; /* at the minimum; NAN with fewer than two batches */
    double mean;      /* of the values kept */
};
struct mser summary_mser5(const double *values, size_t n);

#endif
