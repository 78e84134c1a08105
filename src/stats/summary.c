/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/summary.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

void summary_add(struct summary *s, double value)
{
    s->min = s->n == 0 || value < s->min ? value : s->min;
    s->max = s->n == 0 || value > s->max ? value : s->max;
    s->n++;
    double off = value - s->mean;
    s->mean += off / (double)s->n;
    s->squares += off * (value - s->mean);
}

double summary_variance(const struct summary *s)
{
    return s->n < 2 ? NAN : s->squares / (double)(s->n - 1);
}

double summary_standard_error(const struct summary *s)
{
    return sqrt(summary_variance(s) / (double)s->n);
}

double summary_half_width(const struct summary *s, double confidence)
{
    struct estimate e = summary_estimate(s);
    return estimate_half_width(&e, confidence);
}

struct estimate summary_estimate(const struct summary *s)
{
    return (struct estimate){s->n > 0 ? s->mean : NAN, summary_standard_error(s),
                             s->n > 1 ? (double)(s->n - 1) : 0.0};
}

struct estimate summary_welch(const struct summary *value, const struct summary *other)
{
    struct estimate a = summary_estimate(value), b = summary_estimate(other);
    double most = fmax(a.error, b.error);
    struct estimate e = {a.value - b.value, hypot(a.error, b.error), a.degrees + b.degrees};
    /* Shares of the larger, lest their fourth powers vanish. */
    if (most > 0.0 && a.degrees > 0.0 && b.degrees > 0.0) {
        double u = pow(a.error / most, 2), w = pow(b.error / most, 2);
        e.degrees = (u + w) * (u + w) / (u * u / a.degrees + w * w / b.degrees);
    }
    return e;
}

double estimate_half_width(const struct estimate *e, double confidence)
{
    return isnan(e->error) ? INFINITY
                           : gsl_cdf_tdist_Pinv(0.5 + 0.5 * confidence, e->degrees) * e->error;
}

double estimate_chance(const struct estimate *e)
{
    if (isnan(e->error) || isnan(e->value)) {
        return NAN;
    }
    /* Without any spread, what is not 0 is not so by chance. */
    return e->value == 0.0  ? 1.0
           : e->error > 0.0 ? 2.0 * gsl_cdf_tdist_Q(fabs(e->value) / e->error, e->degrees)
                            : 0.0;
}

void summary_holm(double *chance, size_t n)
{
    double least = 0.0;
    for (size_t i = 0; i < n; i++) {
        least = fmax(least, fmin(1.0, (double)(n - i) * chance[i]));
        chance[i] = least;
    }
}

void summary_about(struct summary *s, double value)
{
    double off = s->mean - value;
    s->squares += (double)s->n * off * off;
    s->mean = value;
}

bool summary_add_pair(struct summary *s, double first, double second)
{
    if (isnan(first) || isnan(second)) {
        return false;
    }
    summary_add(s, 0.5 * first + 0.5 * second);
    return true;
}

bool summary_add_difference(struct summary *s, double value, double other)
{
    if (isnan(value) || isnan(other)) {
        return false;
    }
    summary_add(s, value - other);
    return true;
}

struct interval summary_proportion(uint64_t hits, uint64_t n, double confidence)
{
    if (n == 0) {
        return (struct interval){0.0, 1.0};
    }
    double z = gsl_cdf_ugaussian_Pinv(0.5 + 0.5 * confidence), trials = (double)n;
    double share = (double)hits / trials, scale = 1.0 + z * z / trials;
    double middle = (share + z * z / (2.0 * trials)) / scale;
    double half =
        z / scale * sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials));
    /* Rounding must not leave a hair outside of what a proportion can be. */
    return (struct interval){hits == 0 ? 0.0 : middle - half, hits == n ? 1.0 : middle + half};
}

/* GSL counts in 32 bits, so the incomplete beta function stands in for the binomial law. */
double summary_at_most(uint64_t k, uint64_t n, double p)
{
    return k >= n ? 1.0 : gsl_cdf_beta_Q(p, (double)k + 1.0, (double)(n - k));
}

/* The least number k of values such that at most k lie below the p-quantile with this chance or
 * more. */
static uint64_t least_count(uint64_t n, double p, double chance)
{
    uint64_t low = 0, high = n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (summary_at_most(middle, n, p) >= chance) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

bool summary_quantile_ranks(uint64_t n, double p, double confidence, uint64_t *low, uint64_t *high)
{
    double side = 0.5 * (1.0 - confidence);
    /* Rank r is above the quantile with the chance that at most r - 1 values are below it. */
    uint64_t first = least_count(n, p, side);
    *low = summary_at_most(first, n, p) <= side ? first + 1 : first;
    *high = least_count(n, p, 1.0 - side) + 1;
    return *low >= 1 && *high <= n;
}

uint64_t summary_quantile_least(double p, double confidence)
{
    return (uint64_t)ceil(log1p(-confidence) / log(p));
}

struct mser summary_mser5(const double *values, size_t n)
{
    size_t batches = n / MSER_BATCH;
    struct mser best = {.unsteady = batches < 2, .statistic = NAN, .mean = NAN};
    struct summary kept = {0};
    /* From the end, so that each step adds one batch to those kept. */
    for (size_t d = batches; d-- > 0;) {
        double sum = 0.0;
        for (size_t i = 0; i < MSER_BATCH; i++) {
            sum += values[d * MSER_BATCH + i];
        }
        summary_add(&kept, sum / MSER_BATCH);
        if (batches < 2 || d > batches / 2) {
            continue;
        }
        double statistic = kept.squares / ((double)kept.n * (double)kept.n);
        /* Of equals, the least cut. */
        if (!(statistic > best.statistic)) {
            best = (struct mser){d * MSER_BATCH, d == batches / 2, statistic, kept.mean};
        }
    }
    return best;
}
