/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/stopping.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "base/check.h"

void stopping_open(struct stopping *s, const struct stopping_plan *plan)
{
    CHECK(plan->min >= 1 && plan->min <= plan->max, "a stopping rule between %llu and %llu",
          (unsigned long long)plan->min, (unsigned long long)plan->max);
    *s = (struct stopping){.plan = *plan};
    s->rules = calloc(plan->n_rules + 1, sizeof *s->rules);
    s->normal = calloc(plan->n_rules + 1, sizeof *s->normal);
    CHECK_LIMIT(s->rules != NULL && s->normal != NULL, "no memory for stopping rules");
    for (uint32_t i = 0; i < plan->n_rules; i++) {
        const struct stopping_rule *r = &plan->rules[i];
        CHECK(r->half_width >= 0.0 && r->relative >= 0.0 && r->half_width + r->relative > 0.0,
              "a stopping rule without a goal");
        CHECK(r->confidence > 0.0 && r->confidence < 1.0, "a confidence of %g", r->confidence);
        s->rules[i] = *r;
        s->normal[i] = gsl_cdf_ugaussian_Pinv(0.5 + 0.5 * r->confidence);
    }
    s->plan.rules = s->rules;
    observations_open(&s->seen, plan->n_rules, plan->pairs);
}

void stopping_close(struct stopping *s)
{
    observations_close(&s->seen);
    free(s->rules);
    free(s->normal);
    *s = (struct stopping){0};
}

double stopping_mean(const struct stopping *s, uint32_t i)
{
    const struct observed_column *c = &s->seen.column[i];
    if (s->rules[i].proportion) {
        return c->trials ? (double)c->hits / (double)c->trials : NAN;
    }
    return c->of.n ? c->of.mean : NAN;
}

double stopping_half_width(const struct stopping *s, uint32_t i)
{
    const struct observed_column *c = &s->seen.column[i];
    if (s->rules[i].proportion) {
        struct interval w = summary_proportion(c->hits, c->trials, s->rules[i].confidence);
        return 0.5 * (w.high - w.low);
    }
    return summary_half_width(&c->of, s->rules[i].confidence);
}

/* What the half-width of a rule may be. */
static double goal(const struct stopping *s, uint32_t i)
{
    /* fmax passes over the NAN of a mean that nobody knows. */
    return fmax(s->rules[i].half_width, s->rules[i].relative * fabs(stopping_mean(s, i)));
}

/* Replications by which a rule may be asked at the earliest, if all that come give values. */
static uint64_t least(const struct stopping *s, uint32_t i)
{
    const struct observed_column *c = &s->seen.column[i];
    uint64_t n = s->seen.n, each = s->plan.pairs && !s->rules[i].proportion ? 2 : 1;
    uint64_t wanted = s->plan.min / each > 2 ? s->plan.min / each : 2;
    uint64_t got = s->rules[i].proportion ? c->trials : c->of.n;
    return got < wanted ? n + each * (wanted - got) : n;
}

static bool holds(const struct stopping *s, uint32_t i)
{
    double most = goal(s, i);
    if (least(s, i) > s->seen.n || !(most > 0.0)) {
        return false;
    }
    /* Student's quantile takes long to find. The normal one is less, and mostly says enough. */
    if (!s->rules[i].proportion &&
        !(s->normal[i] * summary_standard_error(&s->seen.column[i].of) <= most)) {
        return false;
    }
    return stopping_half_width(s, i) <= most;
}

static enum stopping_answer decide(const struct stopping *s)
{
    uint64_t n = s->seen.n;
    bool last = n == s->plan.max;
    if (n < s->plan.min || (s->plan.pairs && n % 2 == 1 && !last)) {
        return STOPPING_MORE;
    }
    for (uint32_t i = 0; i < s->plan.n_rules; i++) {
        if (!holds(s, i)) {
            return last ? STOPPING_MAX : STOPPING_MORE;
        }
    }
    return STOPPING_MET;
}

enum stopping_answer stopping_put(struct stopping *s, uint64_t replication, const double *values)
{
    if (s->answer != STOPPING_MORE || replication >= s->plan.max) {
        return s->answer;
    }
    for (uint32_t i = 0; i < s->plan.n_rules; i++) {
        CHECK(!s->rules[i].proportion || isnan(values[i]) || values[i] == 0.0 || values[i] == 1.0,
              "a value of %g where only 0 and 1 are possible", values[i]);
    }
    observations_put(&s->seen, replication, values);
    while (s->answer == STOPPING_MORE && observations_step(&s->seen)) {
        s->answer = decide(s);
    }
    return s->answer;
}

uint64_t stopping_wanted(const struct stopping *s)
{
    uint64_t n = s->seen.n, wanted = n + 1;
    if (s->answer != STOPPING_MORE) {
        return n;
    }
    /* Half-widths of fewer say little. */
    if (n < s->plan.min) {
        return s->plan.min;
    }
    for (uint32_t i = 0; i < s->plan.n_rules; i++) {
        double off = stopping_half_width(s, i) / goal(s, i);
        double needed = fmax(ceil((double)n * off * off), (double)least(s, i));
        /* Nothing is known of a mean of 0 or below two observations: these want the most. */
        if (!(off < INFINITY) || needed > (double)s->plan.max) {
            return s->plan.max;
        }
        wanted = (uint64_t)needed > wanted ? (uint64_t)needed : wanted;
    }
    wanted += s->plan.pairs && wanted % 2 == 1;
    return wanted < s->plan.max ? wanted : s->plan.max;
}
