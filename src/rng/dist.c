/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws, means and least values. What the derived members hold, by kind:
 *
 *                      a          b          c                          table
 *   exponential        mean
 *   normal             mean       deviation  chance of less than 0
 *   lognormal          mean and deviation of the logarithm
 *   gamma, erlang      shape      scale
 *   weibull            1 / shape  scale
 *   pareto             1 / shape  minimum    1 - (minimum/maximum)^shape
 *   hyperexponential                                                    chances and means
 *   zipf, empirical                                                     chances and values
 *   percentiles                                                         points of the law
 *   mixture                                                             chances
 */
#include "rng/dist.h"

#include <math.h>

#include "rng/dist_table.h"
#include "rng/exactmath.h"

struct dist dist_constant(sim_time value)
{
    return (struct dist){.kind = DIST_CONSTANT, .value = value, .constant = value};
}

struct dist dist_exponential(sim_time mean)
{
    return (struct dist){.kind = DIST_EXPONENTIAL, .mean = mean, .a = (double)mean};
}

/* By inversion: the upper tail is 1 - u of what is above 0. */
static double draw_normal_paired(const struct dist *d, struct rng_stream *s)
{
    double tail = rng_to_unit(~rng_bits(s)) * (1.0 - d->c);
    double x = d->a - d->b * exact_normal_quantile(tail);
    return x > 0.0 ? x : 0.0; /* rounding may take it below */
}

static double draw_normal(const struct dist *d, struct rng_stream *s)
{
    if (rng_is_paired(s)) {
        return draw_normal_paired(d, s);
    }
    /* The mean is not negative, so half of the draws at least are kept. */
    double x;
    do {
        x = d->a + d->b * rng_normal(s);
    } while (x < 0.0);
    return x;
}

/* By inversion: minimum * (1 - c u)^(-1/shape). Without a maximum, 1 - u is as uniform as the
 * exponential's own uniform, which saves the logarithm. */
static double draw_pareto(const struct dist *d, struct rng_stream *s)
{
    if (d->maximum == SIM_TIME_NEVER) {
        return d->b * exact_exp(rng_exponential(s) * d->a);
    }
    double x = d->b * exact_exp(-exact_log(1.0 - d->c * rng_unit(s)) * d->a);
    double most = (double)d->maximum;
    return x < most ? x : most; /* the inverse may be rounded up */
}

static double draw_percentiles(const struct dist_table *t, struct rng_stream *s)
{
    double u = rng_unit(s);
    uint32_t i = 1;
    while (u > t->chance[i]) {
        i++;
    }
    double share = (u - t->chance[i - 1]) / (t->chance[i] - t->chance[i - 1]);
    return t->value[i - 1] + share * (t->value[i] - t->value[i - 1]);
}

static sim_time shift(const struct dist *d, sim_time value)
{
    /* However long, a draw is not "never". */
    const sim_time most = SIM_TIME_NEVER - 1;
    return value > most - d->floor ? most : value + d->floor;
}

/* Which law is a draw of its own, and that law may take several. */
static sim_time draw_mixture(const struct dist *d, struct rng_stream *s)
{
    const struct dist *law = &d->parts.items[dist_table_draw(d->table, s)].law;
    if (!rng_is_paired(s)) {
        return dist_draw(law, s);
    }
    struct rng_stream aside = rng_aside(s);
    return dist_draw(law, &aside);
}

sim_time dist_draw_slow(const struct dist *d, struct rng_stream *s)
{
    const struct dist_table *t = d->table;
    double x = 0.0;
    switch ((enum dist_kind)d->kind) {
    case DIST_NONE:
        return SIM_TIME_NEVER;
    case DIST_CONSTANT:
        return d->constant;
    case DIST_EXPONENTIAL:
        x = d->a * rng_exponential(s);
        break;
    case DIST_UNIFORM:
        return d->floor + d->low + (sim_time)rng_below(s, (uint64_t)(d->high - d->low) + 1);
    case DIST_NORMAL:
        x = draw_normal(d, s);
        break;
    case DIST_LOGNORMAL:
        x = exact_exp(d->a + d->b * rng_normal(s));
        break;
    case DIST_GAMMA:
    case DIST_ERLANG:
        x = d->b * rng_gamma(s, d->a);
        break;
    case DIST_WEIBULL:
        x = d->b * exact_exp(exact_log(rng_exponential(s)) * d->a);
        break;
    case DIST_PARETO:
        x = draw_pareto(d, s);
        break;
    case DIST_HYPEREXPONENTIAL:
        x = t->value[dist_table_draw(t, s)]; /* before the other draw */
        x *= rng_exponential(s);
        break;
    case DIST_ZIPF:
    case DIST_EMPIRICAL:
        x = t->value[dist_table_draw(t, s)];
        break;
    case DIST_PERCENTILES:
        x = draw_percentiles(t, s);
        break;
    case DIST_MIXTURE:
        return shift(d, draw_mixture(d, s));
    }
    return shift(d, sim_time_round(x));
}

/* The least value that can be drawn of a law that picks. */
static sim_time least_entry(const struct dist *d)
{
    sim_time least = SIM_TIME_NEVER;
    for (uint32_t i = 0; i < d->table->n; i++) {
        sim_time value = d->kind == DIST_MIXTURE ? dist_floor(&d->parts.items[i].law)
                                                 : (sim_time)d->table->value[i];
        if (d->table->chance[i] > 0.0 && value < least) {
            least = value;
        }
    }
    return least;
}

sim_time dist_floor(const struct dist *d)
{
    switch ((enum dist_kind)d->kind) {
    case DIST_NONE:
        return SIM_TIME_NEVER;
    case DIST_CONSTANT:
        return d->constant;
    case DIST_UNIFORM:
        return d->floor + d->low;
    case DIST_PARETO:
    case DIST_PERCENTILES:
        return d->floor + d->minimum;
    case DIST_ZIPF:
    case DIST_EMPIRICAL:
    case DIST_MIXTURE:
        return shift(d, least_entry(d));
    default:
        return d->floor;
    }
}

/* With t = shape - 1 and w = ln(maximum / minimum), (1 - exp(-t w)) / t is w at t = 0. */
static double mean_pareto(const struct dist *d)
{
    double t = d->shape - 1.0;
    if (d->maximum == SIM_TIME_NEVER) {
        return t > 0.0 ? d->b * d->shape / t : INFINITY;
    }
    double w = log((double)d->maximum / d->b);
    return d->b * d->shape * (t == 0.0 ? w : -expm1(-t * w) / t) / d->c;
}

/* Mean of a normal law given that it is not negative. */
static double mean_normal(const struct dist *d)
{
    if (d->b == 0.0) {
        return d->a;
    }
    double z = d->a / d->b;
    double density = exp(-0.5 * z * z) / sqrt(8.0 * atan(1.0));
    return d->a + d->b * density / (0.5 * erfc(-z * sqrt(0.5)));
}

static double mean_table(const struct dist *d)
{
    const struct dist_table *t = d->table;
    double mean = 0.0;
    for (uint32_t i = 0; i < t->n; i++) {
        if (d->kind == DIST_MIXTURE) {
            mean += t->chance[i] * dist_mean(&d->parts.items[i].law);
        } else if (d->kind != DIST_PERCENTILES) {
            mean += t->chance[i] * t->value[i];
        } else if (i > 0) {
            mean += (t->chance[i] - t->chance[i - 1]) * 0.5 * (t->value[i] + t->value[i - 1]);
        }
    }
    return mean;
}

double dist_mean(const struct dist *d)
{
    double floor = (double)d->floor;
    switch ((enum dist_kind)d->kind) {
    case DIST_NONE:
        return NAN;
    case DIST_CONSTANT:
        return (double)d->constant;
    case DIST_UNIFORM:
        return floor + 0.5 * ((double)d->low + (double)d->high);
    case DIST_NORMAL:
        return floor + mean_normal(d);
    case DIST_PARETO:
        return floor + mean_pareto(d);
    case DIST_HYPEREXPONENTIAL:
    case DIST_ZIPF:
    case DIST_EMPIRICAL:
    case DIST_PERCENTILES:
    case DIST_MIXTURE:
        return floor + mean_table(d);
    default:
        return floor + (double)d->mean;
    }
}
