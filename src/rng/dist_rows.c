/* SPDX-License-Identifier: Apache-2.0
 *
 * How laws are written, and what is derived from that: the members of struct dist that rng/dist.c
 * draws with. Parameters are derived without the C library's log and exp, whose last bits differ
 * between machines and would reach every draw.
 */
#include <math.h>

#include "rng/dist_table.h"
#include "rng/exactmath.h"

#define LONGEST DIST_LONGEST

/* A mean of 0 would be a constant in disguise, so laws of chance start at 1 ns. */
#define ROW_MEAN(fallback_, doc_) P_DURATION(dist, mean, fallback_, 1, LONGEST, doc_)
#define ROW_CV(fallback_, low_) \
    P_REAL(dist, cv, fallback_, low_, 100, "1", "Coefficient of variation: deviation / mean.")

static const struct param_spec common_rows[] = {
    P_DURATION(dist, floor, "0s", 0, LONGEST, "Least value; it is added to every draw."), P_END};

static const struct param_spec constant_rows[] = {
    P_DURATION(dist, value, NULL, 0, LONGEST, "The value."), P_END};

static const struct param_spec exponential_rows[] = {ROW_MEAN(NULL, "Mean."), P_END};

static const struct param_spec uniform_rows[] = {
    P_DURATION(dist, low, "0s", 0, LONGEST, "Least value."),
    P_DURATION(dist, high, NULL, 0, LONGEST, "Largest value, included."), P_END};

static const struct param_spec normal_rows[] = {
    P_DURATION(dist, mean, NULL, 0, LONGEST, "Mean before the truncation."),
    P_DURATION(dist, deviation, NULL, 0, LONGEST, "Standard deviation before the truncation."),
    P_END};

static const struct param_spec lognormal_rows[] = {ROW_MEAN(NULL, "Mean."), ROW_CV(NULL, 0), P_END};

static const struct param_spec gamma_rows[] = {ROW_MEAN(NULL, "Mean."), ROW_CV(NULL, 1e-3), P_END};

static const struct param_spec erlang_rows[] = {
    ROW_MEAN(NULL, "Mean of the sum of all phases."),
    P_COUNT(dist, phases, NULL, 1, 1e6, "Number of exponential phases, one after another."), P_END};

static const struct param_spec weibull_rows[] = {
    ROW_MEAN(NULL, "Mean."),
    P_REAL(dist, shape, NULL, 0.1, 100, "1", "Below 1 the tail is heavier than exponential."),
    P_END};

static const struct param_spec pareto_rows[] = {
    P_DURATION(dist, minimum, NULL, 1, LONGEST, "Least value."),
    P_REAL(dist, shape, NULL, 0.01, 1000, "1",
           "Exponent of the tail; without a maximum the mean exists above 1 only."),
    P_MAYBE_DURATION(dist, maximum, "none", 1, LONGEST,
                     "Largest value: the law is the bounded Pareto law."),
    P_END};

static const struct param_spec branch_rows[] = {
    P_REAL(dist_branch, weight, NULL, 0, DIST_HEAVIEST, "1", "Weight beside the other branches."),
    P_DURATION(dist_branch, mean, NULL, 1, LONGEST, "Mean of the branch."), P_END};

static const struct schema branch_schema = {
    .name = "branch",
    .summary = "A branch of a hyperexponential law.",
    .size = sizeof(struct dist_branch),
    .rows = branch_rows,
    .positional = true,
};

static const struct param_spec hyperexponential_rows[] = {
    P_MAYBE_DURATION(dist, mean, "none", 1, LONGEST, "Mean of two branches with balanced means."),
    ROW_CV("2", 1),
    P_LIST(dist, branches, branch_schema, "[]", "The branches, in place of mean and cv."), P_END};

static const struct param_spec zipf_rows[] = {
    P_DURATION(dist, unit, NULL, 1, LONGEST, "The duration of rank 1; rank k takes k of it."),
    P_COUNT(dist, ranks, NULL, 1, 1e6, "Number of ranks."),
    P_REAL(dist, exponent, "1", 0, 100, "1", "Rank k has a chance proportional to k^-exponent."),
    P_END};

static const struct param_spec value_rows[] = {
    P_DURATION(dist_value, value, NULL, 0, LONGEST, "A measured duration."),
    P_REAL(dist_value, weight, "1", 0, DIST_HEAVIEST, "1", "Weight beside the other durations."),
    P_END};

static const struct schema value_schema = {
    .name = "measured",
    .summary = "A measured duration, and how often it occurs, as [duration, weight].",
    .size = sizeof(struct dist_value),
    .rows = value_rows,
    .shorthand = true,
    .positional = true,
};

static const struct param_spec empirical_rows[] = {
    P_TEXT(dist, file, "",
           "File with one duration a line, or a duration, a comma and a weight; relative to the "
           "directory of the file that names it. Its content counts as if it were written here."),
    P_LIST(dist, values, value_schema, "[]", "The durations themselves, in place of a file."),
    P_END};

/* The chance of not exceeding each of the percentiles below, in the order of the rows. */
static const double percentile_chance[DIST_PERCENTILE_ROWS] = {
    0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 0.999, 0.9999, 1.0};

#define ROW_PERCENTILE(place_, key_, doc_) \
    P_MAYBE_DURATION_AS(dist, percentile[place_], key_, "none", 0, LONGEST, doc_)

static const struct param_spec percentile_rows[] = {
    ROW_PERCENTILE(0, "p1", "1 % of all draws are at most this."),
    ROW_PERCENTILE(1, "p5", "5 % of all draws are at most this."),
    ROW_PERCENTILE(2, "p10", "10 % of all draws are at most this."),
    ROW_PERCENTILE(3, "p25", "25 % of all draws are at most this."),
    ROW_PERCENTILE(4, "p50", "The median: 50 % of all draws are at most this."),
    ROW_PERCENTILE(5, "p75", "75 % of all draws are at most this."),
    ROW_PERCENTILE(6, "p90", "90 % of all draws are at most this."),
    ROW_PERCENTILE(7, "p95", "95 % of all draws are at most this."),
    ROW_PERCENTILE(8, "p99", "99 % of all draws are at most this."),
    ROW_PERCENTILE(9, "p999", "99.9 % of all draws are at most this."),
    ROW_PERCENTILE(10, "p9999", "99.99 % of all draws are at most this."),
    P_DURATION_AS(dist, percentile[11], "p100", NULL, 0, LONGEST,
                  "Largest value; required, as the tail is not guessed."),
    P_DURATION(dist, minimum, "0s", 0, LONGEST, "Least value."),
    P_END};

static const struct param_spec part_rows[] = {
    P_REAL(dist_part, weight, "1", 0, DIST_HEAVIEST, "1", "Weight beside the other laws."),
    P_CHOICE(dist_part, law, dist_duration, NULL, "The law."), P_END};

static const struct schema part_schema = {
    .name = "part",
    .summary = "A law of a mixture.",
    .size = sizeof(struct dist_part),
    .rows = part_rows,
};

static const struct param_spec mixture_rows[] = {
    P_LIST(dist, parts, part_schema, NULL, "The laws; each draw is of one of them, by weight."),
    P_END};

static const struct alternative alternatives[] = {
    {"none", "Never.", DIST_NONE, true, NULL},
    {"constant", "Always the same.", DIST_CONSTANT, false, constant_rows},
    {"exponential", "Exponential law.", DIST_EXPONENTIAL, false, exponential_rows},
    {"uniform", "Each whole nanosecond is as likely.", DIST_UNIFORM, false, uniform_rows},
    {"normal", "Normal law, draws below 0 drawn again.", DIST_NORMAL, false, normal_rows},
    {"lognormal", "The logarithm is normal.", DIST_LOGNORMAL, false, lognormal_rows},
    {"gamma", "Gamma law.", DIST_GAMMA, false, gamma_rows},
    {"erlang", "Sum of equal exponential phases.", DIST_ERLANG, false, erlang_rows},
    {"weibull", "Weibull law.", DIST_WEIBULL, false, weibull_rows},
    {"pareto", "Pareto law, bounded when it has a maximum.", DIST_PARETO, false, pareto_rows},
    {"hyperexponential", "One of several exponential laws.", DIST_HYPEREXPONENTIAL, false,
     hyperexponential_rows},
    {"zipf", "Multiples of a unit, by Zipf's law.", DIST_ZIPF, false, zipf_rows},
    {"empirical", "Draws from measured durations.", DIST_EMPIRICAL, false, empirical_rows},
    {"percentiles", "Straight lines between given percentiles.", DIST_PERCENTILES, false,
     percentile_rows},
    {"mixture", "One of several laws.", DIST_MIXTURE, false, mixture_rows},
    {.name = NULL}};

/* Where a row was written: inside the alternative's mapping, beside `kind`, bare, or not at all. */
static const struct node *written(const struct dist *d, const struct node *at, const char *row)
{
    const char *name = NULL;
    for (const struct alternative *a = alternatives; a->name; a++) {
        name = a->tag == d->kind ? a->name : name;
    }
    const struct node *own = node_child(at, name), *inside = node_child(own, row);
    const struct node *beside = node_child(at, row);
    return inside ? inside : beside ? beside : own ? own : at;
}

static void derive_uniform(struct dist *d, const struct node *at, struct diag *diag)
{
    if (d->high < d->low) {
        diag_error(diag, written(d, at, "high"), "must not be below low");
    }
}

static void derive_pareto(struct dist *d, const struct node *at, struct diag *diag)
{
    d->a = 1.0 / d->shape;
    d->b = (double)d->minimum;
    d->c = 1.0;
    if (d->maximum == SIM_TIME_NEVER) {
        return;
    }
    if (d->maximum <= d->minimum) {
        diag_error(diag, written(d, at, "maximum"), "must be above minimum");
        return;
    }
    d->c = 1.0 - exact_exp(d->shape * exact_log(d->b / (double)d->maximum));
}

/* Balanced means: both branches contribute half of the mean. */
static void balance(struct dist *d, double weight[2], double mean[2])
{
    double square = d->cv * d->cv, p = 0.5 * (1.0 + sqrt((square - 1.0) / (square + 1.0)));
    weight[0] = p;
    weight[1] = 1.0 - p;
    mean[0] = (double)d->mean / (2.0 * p);
    mean[1] = (double)d->mean / (2.0 * (1.0 - p));
}

static void derive_hyperexponential(struct dist *d, const struct node *at, struct diag *diag,
                                    struct arena *arena)
{
    bool by_mean = d->mean != SIM_TIME_NEVER;
    if (by_mean == (d->branches.count > 0)) {
        diag_error(diag, written(d, at, "branches"), "needs either mean and cv, or branches");
        return;
    }
    uint32_t n = by_mean ? 2 : d->branches.count;
    double *weight = arena_take(arena, n * sizeof *weight), sum = 0.0;
    double *mean = arena_take(arena, n * sizeof *mean);
    if (by_mean) {
        balance(d, weight, mean);
        sum = 1.0;
    }
    for (uint32_t i = 0; i < d->branches.count; i++) {
        weight[i] = d->branches.items[i].weight;
        mean[i] = (double)d->branches.items[i].mean;
        sum += weight[i];
    }
    if (!(sum > 0.0)) {
        diag_error(diag, written(d, at, "branches"), "one weight at least must be above 0");
        return;
    }
    d->table = dist_table_pick(arena, n, weight, mean, mean);
}

static void derive_zipf(struct dist *d, const struct node *at, struct diag *diag,
                        struct arena *arena)
{
    if ((double)d->ranks * (double)d->unit > LONGEST) {
        diag_error(diag, written(d, at, "ranks"), "the last rank takes more than 104 days");
        return;
    }
    uint32_t n = (uint32_t)d->ranks;
    double *weight = arena_take(arena, n * sizeof *weight);
    double *value = arena_take(arena, n * sizeof *value);
    for (uint32_t k = 1; k <= n; k++) {
        weight[k - 1] = exact_exp(-d->exponent * exact_log(k));
        value[k - 1] = (double)k * (double)d->unit;
    }
    d->table = dist_table_pick(arena, n, weight, value, value);
}

static void derive_percentiles(struct dist *d, const struct node *at, struct diag *diag,
                               struct arena *arena)
{
    double *chance = arena_take(arena, (DIST_PERCENTILE_ROWS + 1) * sizeof *chance);
    double *value = arena_take(arena, (DIST_PERCENTILE_ROWS + 1) * sizeof *value);
    uint32_t n = 1;
    const char *last = "minimum";
    value[0] = (double)d->minimum;
    for (int i = 0; i < DIST_PERCENTILE_ROWS; i++) {
        if (d->percentile[i] == SIM_TIME_NEVER) {
            continue;
        }
        const char *name = percentile_rows[i].name;
        chance[n] = percentile_chance[i];
        value[n] = (double)d->percentile[i];
        if (value[n] < value[n - 1]) {
            diag_error(diag, written(d, at, name), "must not be below %s", last);
        }
        last = name;
        n++;
    }
    struct dist_table *t = arena_take(arena, sizeof *t);
    *t = (struct dist_table){.n = n, .chance = chance, .value = value};
    d->table = t;
}

/* From here on the file is not needed: whoever reads the resolved text has the same law. */
static void derive_empirical(struct dist *d, const struct node *at, struct diag *diag,
                             struct arena *arena)
{
    bool by_file = d->file[0] != '\0';
    if (by_file == (d->values.count > 0)) {
        diag_error(diag, written(d, at, "values"), "needs either a file or values");
        return;
    }
    if (by_file && !dist_table_read(d, written(d, at, "file"), diag, arena)) {
        return;
    }
    double sum = 0.0, *weight = arena_take(arena, d->values.count * sizeof *weight);
    double *value = arena_take(arena, d->values.count * sizeof *value);
    for (uint32_t i = 0; i < d->values.count; i++) {
        value[i] = (double)d->values.items[i].value;
        weight[i] = d->values.items[i].weight;
        sum += weight[i];
    }
    if (!(sum > 0.0)) {
        diag_error(diag, written(d, at, by_file ? "file" : "values"), "%s",
                   by_file ? "the file holds no duration with a weight above 0"
                           : "one weight at least must be above 0");
        return;
    }
    d->file = "";
    d->table = dist_table_pick(arena, d->values.count, weight, value, value);
}

/* About the mean of a law that a mixture is made of, which paired streams order them by. It decides
 * what is drawn, so it is made of sums and products only, as the mean is that dist_mean has for the
 * laws not named here. */
static double size_of(const struct dist *d)
{
    double sum = 0.0;
    switch ((enum dist_kind)d->kind) {
    case DIST_NORMAL:
        return (double)(d->floor + d->mean);
    case DIST_PARETO:
        return (double)(d->floor + d->minimum);
    case DIST_MIXTURE:
        for (uint32_t i = 0; d->table && i < d->table->n; i++) {
            sum += d->table->chance[i] * size_of(&d->parts.items[i].law);
        }
        return (double)d->floor + sum;
    case DIST_HYPEREXPONENTIAL:
    case DIST_ZIPF:
    case DIST_EMPIRICAL:
    case DIST_PERCENTILES:
        return d->table ? dist_mean(d) : 0.0; /* without one it is in error */
    default:
        return dist_mean(d);
    }
}

static void derive_mixture(struct dist *d, const struct node *at, struct diag *diag,
                           struct arena *arena)
{
    double sum = 0.0, *weight = arena_take(arena, d->parts.count * sizeof *weight);
    double *size = arena_take(arena, d->parts.count * sizeof *size);
    for (uint32_t i = 0; i < d->parts.count; i++) {
        weight[i] = d->parts.items[i].weight;
        size[i] = size_of(&d->parts.items[i].law);
        sum += weight[i];
    }
    if (!(sum > 0.0)) {
        diag_error(diag, written(d, at, "parts"), "one weight at least must be above 0");
        return;
    }
    d->table = dist_table_pick(arena, d->parts.count, weight, NULL, size);
}

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    struct dist *d = params;
    double mean = (double)d->mean;
    d->a = mean;
    switch ((enum dist_kind)d->kind) {
    case DIST_NONE:
    case DIST_EXPONENTIAL:
        break;
    case DIST_CONSTANT:
        d->constant = d->value + d->floor;
        break;
    case DIST_UNIFORM:
        derive_uniform(d, at, diag);
        break;
    case DIST_NORMAL:
        d->b = (double)d->deviation;
        d->c = d->b > 0.0 ? exact_normal_chance(-d->a / d->b) : 0.0;
        break;
    case DIST_LOGNORMAL: {
        double square = exact_log(1.0 + d->cv * d->cv);
        d->a = exact_log(mean) - 0.5 * square;
        d->b = sqrt(square);
        break;
    }
    case DIST_GAMMA:
        d->a = 1.0 / (d->cv * d->cv);
        d->b = mean / d->a;
        break;
    case DIST_ERLANG:
        d->a = (double)d->phases;
        d->b = mean / d->a;
        break;
    case DIST_WEIBULL:
        d->a = 1.0 / d->shape;
        d->b = mean * exact_exp(-exact_log_gamma(1.0 + d->a));
        break;
    case DIST_PARETO:
        derive_pareto(d, at, diag);
        break;
    case DIST_HYPEREXPONENTIAL:
        derive_hyperexponential(d, at, diag, arena);
        break;
    case DIST_ZIPF:
        derive_zipf(d, at, diag, arena);
        break;
    case DIST_EMPIRICAL:
        derive_empirical(d, at, diag, arena);
        break;
    case DIST_PERCENTILES:
        derive_percentiles(d, at, diag, arena);
        break;
    case DIST_MIXTURE:
        derive_mixture(d, at, diag, arena);
        break;
    }
}

const struct choice dist_duration = {
    .name = "duration law",
    .summary = "A duration: constant, or drawn anew each time from a law of chance.",
    .size = sizeof(struct dist),
    .tag_offset = SCHEMA_OFFSET(int, dist, kind),
    .scalar = "constant",
    .common = common_rows,
    .alternatives = alternatives,
    .derive = derive,
};
