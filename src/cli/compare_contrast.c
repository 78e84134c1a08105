/* SPDX-License-Identifier: Apache-2.0
 *
 * How a statistic of one file differs from that of another, and how surprising that is.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/compare.h"

const char *const verdict_names[] = {"beyond", "unknown", "within", "only_a",
                                     "only_b", "equal",   NULL};

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* The same in each replication of both, or the same in all of both, whatever their number. */
static bool are_equal(const struct figure *a, const struct figure *b, const struct pairing *p)
{
    const struct figure *figures[FILES] = {a, b};
    bool equal = true, constant = true;
    uint64_t n = p->n[FILE_A] > p->n[FILE_B] ? p->n[FILE_A] : p->n[FILE_B];
    for (uint64_t r = 0; a->values && b->values && r < n; r++) {
        double value[FILES] = {NAN, NAN};
        for (int f = 0; f < FILES; f++) {
            value[f] = r < p->n[f] ? figures[f]->values[r] : NAN;
            constant = constant && (isnan(value[f]) || value[f] == a->value);
        }
        equal = equal && same(value[FILE_A], value[FILE_B]);
    }
    return same(a->value, b->value) && !a->values == !b->values && (equal || constant);
}

/* What replication r says, or the pair that begins with it. */
static double observation(const double *values, uint64_t r, bool antithetic)
{
    return antithetic ? 0.5 * values[r] + 0.5 * values[r + 1] : values[r];
}

static struct estimate paired(const struct figure *a, const struct figure *b,
                              const struct pairing *p, struct contrast *c)
{
    struct summary s = {0};
    bool antithetic = p->antithetic[FILE_A];
    for (uint64_t r = 0; r + antithetic < p->n[FILE_A]; r += 1 + antithetic) {
        summary_add_difference(&s, observation(b->values, r, antithetic),
                               observation(a->values, r, antithetic));
    }
    if (a->pooled) {
        summary_about(&s, b->value - a->value);
    }
    c->observations = s.n;
    return summary_estimate(&s);
}

static struct estimate unpaired(const struct figure *a, const struct figure *b,
                                const struct pairing *p, struct contrast *c)
{
    struct summary of_a = inspect_observe(a->values, p->n[FILE_A], p->antithetic[FILE_A]);
    struct summary of_b = inspect_observe(b->values, p->n[FILE_B], p->antithetic[FILE_B]);
    if (a->pooled) {
        summary_about(&of_a, a->value);
        summary_about(&of_b, b->value);
    }
    c->observations = of_a.n + of_b.n;
    return summary_welch(&of_b, &of_a);
}

/* The largest value of all has no interval; the mean of what is the largest of each replication
 * does. */
static double shown(const struct figure *f, uint64_t n, bool antithetic)
{
    struct summary s = {0};
    if (!f || f->pooled || !f->values) {
        return f ? f->value : NAN;
    }
    s = inspect_observe(f->values, n, antithetic);
    return s.n > 0 ? s.mean : NAN;
}

void compare_figures(const struct figure *a, const struct figure *b, const struct pairing *p,
                     double confidence, struct contrast *c)
{
    c->value[FILE_A] = shown(a, p->n[FILE_A], p->antithetic[FILE_A]);
    c->value[FILE_B] = shown(b, p->n[FILE_B], p->antithetic[FILE_B]);
    c->difference = c->half_width = c->relative = c->chance = c->corrected = NAN;
    bool in_a = !isnan(c->value[FILE_A]), in_b = !isnan(c->value[FILE_B]);
    if (a && b && are_equal(a, b, p)) {
        c->verdict = VERDICT_EQUAL;
        c->difference = in_a ? 0.0 : NAN;
        c->half_width = c->difference;
        c->relative = in_a && c->value[FILE_A] != 0.0 ? 0.0 : NAN;
        return;
    }
    if (!a || !b || in_a != in_b || !in_a) {
        c->verdict = !b || !in_b ? VERDICT_ONLY_A : VERDICT_ONLY_B;
        return;
    }
    struct estimate e = p->paired ? paired(a, b, p, c) : unpaired(a, b, p, c);
    c->verdict = VERDICT_WITHIN;
    c->difference = e.value;
    c->half_width = estimate_half_width(&e, confidence);
    c->bound = a->bound + b->bound;
    c->chance = estimate_chance(&e);
    if (fabs(e.value) <= c->bound && !isnan(c->chance)) {
        c->chance = 1.0; /* both may be the same, and only their buckets differ */
    }
    if (c->value[FILE_A] != 0.0) {
        c->relative = e.value / fabs(c->value[FILE_A]);
    }
}

static int rising(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_chance(const void *left, const void *right)
{
    const struct contrast *const *a = left, *const *b = right;
    return rising((*a)->chance, (*b)->chance);
}

/* Those without any chance at all go by their size. */
static int by_weight(const void *left, const void *right)
{
    const struct contrast *a = left, *b = right;
    if (a->match != b->match) {
        return a->match < b->match ? -1 : 1;
    }
    if (a->verdict != b->verdict) {
        return a->verdict < b->verdict ? -1 : 1;
    }
    int order = 0;
    if (a->verdict <= VERDICT_WITHIN) {
        order = rising(a->chance, b->chance);
        order = order ? order : rising(fabs(b->relative), fabs(a->relative));
    }
    return order ? order : strcmp(a->label, b->label);
}

void compare_judge(struct contrast *contrasts, size_t n, double confidence)
{
    size_t tested = 0;
    struct contrast **test = malloc((n + 1) * sizeof(struct contrast *));
    double *chance = malloc((n + 1) * sizeof *chance);
    CHECK(test && chance, "out of memory for a comparison");
    for (size_t i = 0; i < n; i++) {
        if (contrasts[i].verdict == VERDICT_WITHIN && isnan(contrasts[i].chance)) {
            contrasts[i].verdict = VERDICT_UNKNOWN;
        } else if (contrasts[i].verdict == VERDICT_WITHIN) {
            test[tested++] = &contrasts[i];
        }
    }
    qsort(test, tested, sizeof(struct contrast *), by_chance);
    for (size_t i = 0; i < tested; i++) {
        chance[i] = test[i]->chance;
    }
    summary_holm(chance, tested);
    for (size_t i = 0; i < tested; i++) {
        test[i]->corrected = chance[i];
        test[i]->verdict = chance[i] < 1.0 - confidence ? VERDICT_BEYOND : VERDICT_WITHIN;
    }
    free(test);
    free(chance);
    qsort(contrasts, n, sizeof *contrasts, by_weight);
}
