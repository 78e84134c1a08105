/* SPDX-License-Identifier: Apache-2.0 */
#include "support/claim.h"

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats/summary.h"

static const double DEVIATIONS = 3.5; /* that a mean may lie from the value, in standard errors */

static double mean_square(const struct hist_counts *h)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < HIST_BINS; i++) {
        if (h->count[i]) {
            double middle = (double)hist_edge(i) + 0.5 * (double)(hist_width(i) - 1);
            sum += (double)h->count[i] * middle * middle;
        }
    }
    return sum / (double)h->total * 1e-18;
}

/* `*bound`: by how much the histogram's buckets may falsify the figure. */
static double measure_histogram(const struct trial *t, const struct claim *c, double *bound)
{
    struct hist_counts *h = calloc(1, sizeof *h);
    assert_non_null(h);
    trial_histogram(t, c->stat, h);
    double value;
    if (c->measure == CLAIM_MEAN) {
        value = (double)h->sum / (double)h->total * 1e-9;
    } else if (c->measure == CLAIM_SQUARE) {
        value = mean_square(h);
    } else {
        value = hist_quantile(h, c->p, bound) * 1e-9;
        *bound *= 1e-9;
    }
    free(h);
    return value;
}

/* Variance over mean of what a counter did in the intervals after the warm-up. */
static double measure_spread(const struct trial *t, const struct claim *c)
{
    const struct sim_options *o = sim_options(t->sim);
    struct summary s = {0};
    for (uint32_t i = (uint32_t)(o->warmup / o->interval); i < trial_intervals(t); i++) {
        summary_add(&s, (double)trial_in_interval(t, c->stat, i));
    }
    return summary_variance(&s) / s.mean;
}

static double measure(const struct trial *t, const struct claim *c, double *bound)
{
    switch (c->measure) {
    case CLAIM_LEVEL:
        return (double)trial_integral(t, c->stat) * 1e-9 / trial_seconds(t);
    case CLAIM_RATIO:
        return (double)trial_counter(t, c->stat) / (double)trial_counter(t, c->per);
    case CLAIM_RATE:
        return (double)trial_counter(t, c->stat) / trial_seconds(t);
    case CLAIM_SPREAD:
        return measure_spread(t, c);
    case CLAIM_MEAN:
    case CLAIM_SQUARE:
    case CLAIM_QUANTILE:
        break;
    }
    return measure_histogram(t, c, bound);
}

static bool judge(const char *what, const struct claim *c, const struct summary *s, double bound)
{
    double error = sqrt(summary_variance(s) / (double)s->n), off = s->mean - c->value;
    bool sharp = error <= c->goal * fabs(c->value);
    bool near = fabs(off) <= DEVIATIONS * error + bound + c->slack * fabs(c->value);
    char place[16] = "";
    if (c->measure == CLAIM_QUANTILE) {
        snprintf(place, sizeof place, " p%g", c->p * 100.0);
    }
    print_message("%-28s %s%s: %.6g, theory %.6g, off by %+.2f standard errors of %.2f %%, "
                  "which may be %g %%%s%s\n",
                  what, c->stat, place, s->mean, c->value, off / error,
                  100.0 * error / fabs(c->value), 100.0 * c->goal, sharp ? "" : " NOT SHARP",
                  near ? "" : " WRONG");
    return sharp && near;
}

void claims_hold(const char *what, struct trial *t, const struct claim *claims)
{
    struct summary sums[CLAIMS_MOST] = {{0}}, bounds[CLAIMS_MOST] = {{0}};
    size_t n = 0;
    while (claims[n].stat) {
        n++;
    }
    assert_in_range(n, 1, CLAIMS_MOST);
    for (uint64_t r = 0; r < CLAIM_REPLICATIONS; r++) {
        trial_run(t, r);
        for (size_t i = 0; i < n; i++) {
            double bound = 0.0;
            summary_add(&sums[i], measure(t, &claims[i], &bound));
            summary_add(&bounds[i], bound);
        }
    }
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        good &= judge(what, &claims[i], &sums[i], bounds[i].mean);
    }
    assert_true(good);
}
