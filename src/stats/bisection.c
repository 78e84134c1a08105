/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/bisection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* The place of a level among those known, or where it belongs. */
static uint32_t place(const struct bisection *b, uint32_t level)
{
    uint32_t low = 0, high = b->n_known;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (b->levels[middle].level < level) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct bisection_level *known(const struct bisection *b, uint32_t level)
{
    uint32_t at = place(b, level);
    return at < b->n_known && b->levels[at].level == level ? &b->levels[at] : NULL;
}

/* That of a level, made if need be; holds until the next one is made. */
static struct bisection_level *level_at(struct bisection *b, uint32_t level)
{
    uint32_t at = place(b, level);
    if (at < b->n_known && b->levels[at].level == level) {
        return &b->levels[at];
    }
    if (b->n_known == b->room) {
        b->room = b->room ? 2 * b->room : 16;
        b->levels = realloc(b->levels, b->room * sizeof *b->levels);
        CHECK_LIMIT(b->levels != NULL, "no memory for the levels of a search");
    }
    memmove(b->levels + at + 1, b->levels + at, (b->n_known - at) * sizeof *b->levels);
    b->n_known++;
    b->levels[at] = (struct bisection_level){.level = level, .look = b->plan.min};
    observations_open(&b->levels[at].values, 1, b->plan.pairs);
    return &b->levels[at];
}

/* The side of the target on which a level is by what has been taken in. */
static enum bisection_side judge(const struct bisection *b, const struct bisection_level *l)
{
    const struct observed_column *c = &l->values.column[0];
    if (b->plan.proportion) {
        if (c->trials == 0) {
            return BISECTION_NO_SIDE;
        }
        if (summary_at_most(c->hits, c->trials, b->plan.target) <= b->error) {
            return BISECTION_UNDER;
        }
        /* At least as many hits are at most as many misses. */
        return summary_at_most(c->trials - c->hits, c->trials, 1.0 - b->plan.target) <= b->error
                   ? BISECTION_OVER
                   : BISECTION_NO_SIDE;
    }
    double half = summary_half_width(&c->of, 1.0 - 2.0 * b->error);
    return c->of.mean + half < b->plan.target   ? BISECTION_UNDER
           : c->of.mean - half > b->plan.target ? BISECTION_OVER
                                                : BISECTION_NO_SIDE;
}

/* Looks at a level as often as what is there allows. */
static void look_at(const struct bisection *b, struct bisection_level *l)
{
    while (l->side == BISECTION_NO_SIDE) {
        while (l->values.n < l->look && observations_step(&l->values)) {}
        if (l->values.n < l->look) {
            return;
        }
        l->side = judge(b, l);
        if (l->side == BISECTION_NO_SIDE && l->look == b->plan.max) {
            l->side = BISECTION_UNDECIDED;
        }
        l->look = l->look < b->plan.max / 2 ? 2 * l->look : b->plan.max;
    }
}

static void want(struct bisection *b, int64_t level)
{
    struct bisection_level *l = level_at(b, (uint32_t)level);
    l->visited = true;
    b->wanted[b->n_wanted++] = l->level;
    look_at(b, l);
}

static enum bisection_side side_of(const struct bisection *b, uint32_t level)
{
    return known(b, level)->side;
}

/* What two ends say: whether the response rises or falls, or that there is nothing to search. */
static void heed_ends(struct bisection *b)
{
    uint32_t last = b->plan.n_levels - 1;
    enum bisection_side first_side = side_of(b, 0), last_side = side_of(b, last);
    b->started = true;
    if (first_side == last_side) {
        b->answer.outcome = first_side == BISECTION_UNDER  ? BISECTION_BELOW
                            : first_side == BISECTION_OVER ? BISECTION_ABOVE
                                                           : BISECTION_UNKNOWN;
        return;
    }
    /* An end that is undecided is near the target, so that the other one says it. */
    b->answer.falling = first_side == BISECTION_OVER || last_side == BISECTION_UNDER;
    if (first_side == BISECTION_UNDECIDED) {
        b->low = -1;
        b->first_undecided = b->last_undecided = 0;
    } else if (last_side == BISECTION_UNDECIDED) {
        b->high = last + 1;
        b->first_undecided = b->last_undecided = last;
    }
}

/* Whether a level is decided to be before the threshold, or after it. */
static bool is_before(const struct bisection *b, uint32_t level)
{
    return side_of(b, level) == (b->answer.falling ? BISECTION_OVER : BISECTION_UNDER);
}

static bool is_after(const struct bisection *b, uint32_t level)
{
    return side_of(b, level) == (b->answer.falling ? BISECTION_UNDER : BISECTION_OVER);
}

static bool some_undecided(const struct bisection *b)
{
    return b->first_undecided <= b->last_undecided;
}

static void forget_undecided(struct bisection *b)
{
    b->first_undecided = b->plan.n_levels;
    b->last_undecided = -1;
}

/* What the levels of a round say, in ascending order, when all are judged. */
static void heed(struct bisection *b)
{
    if (b->n_wanted == 2 && is_after(b, b->wanted[0]) && is_before(b, b->wanted[1])) {
        b->answer.outcome = BISECTION_CONTRARY;
        return;
    }
    for (int i = 0; i < b->n_wanted; i++) {
        int64_t level = b->wanted[i];
        /* The second may lie outside of what the first has left. */
        if (level <= b->low || level >= b->high) {
            continue;
        }
        if (is_before(b, b->wanted[i])) {
            b->low = level;
        } else if (is_after(b, b->wanted[i])) {
            b->high = level;
        } else {
            b->first_undecided = level < b->first_undecided ? level : b->first_undecided;
            b->last_undecided = level > b->last_undecided ? level : b->last_undecided;
        }
        if (b->low >= b->first_undecided || b->high <= b->last_undecided) {
            forget_undecided(b);
        }
    }
}

/* What is to be known next: nothing if all is. */
static void want_next(struct bisection *b)
{
    b->n_wanted = 0;
    if (b->answer.outcome != BISECTION_OPEN) {
        return;
    }
    if (!some_undecided(b)) {
        if (b->high - b->low > 1) {
            want(b, (b->low + b->high) / 2);
        }
    } else {
        /* Beyond an end that is undecided there is no room. */
        if (b->first_undecided - b->low > 1) {
            want(b, (b->low + b->first_undecided) / 2);
        }
        if (b->high - b->last_undecided > 1) {
            want(b, (b->last_undecided + b->high) / 2);
        }
    }
    if (b->n_wanted == 0) {
        b->answer.outcome = BISECTION_FOUND;
    }
}

/* A stretch of visited levels that have one mean in the isotonic regression. */
struct stretch {
    uint32_t first, last; /* levels */
    double mean, weight;
};

/* The isotonic regression of the visited levels (only these have taken values in): stretches of
 * rising means (falling responses are turned over), their number. */
static uint32_t regress(const struct bisection *b, struct stretch *stretch)
{
    double sign = b->answer.falling ? -1.0 : 1.0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_known; i++) {
        const struct bisection_level *l = &b->levels[i];
        const struct summary *of = &l->values.column[0].of;
        if (of->n == 0) {
            continue;
        }
        stretch[n++] = (struct stretch){l->level, l->level, sign * of->mean, (double)of->n};
        while (n > 1 && !(stretch[n - 2].mean < stretch[n - 1].mean)) {
            struct stretch *to = &stretch[n - 2], *from = &stretch[n - 1];
            double weight = to->weight + from->weight;
            to->mean += (from->mean - to->mean) * from->weight / weight;
            to->weight = weight;
            to->last = from->last;
            n--;
        }
    }
    return n;
}

/* Where the regression passes the target. */
static double passes(const struct bisection *b)
{
    struct stretch *s = calloc(b->n_known + 1, sizeof *s);
    CHECK_LIMIT(s != NULL, "no memory for the answer of a search");
    double target = b->answer.falling ? -b->plan.target : b->plan.target, at;
    uint32_t n = regress(b, s), i = 0;
    while (i < n && s[i].mean < target) {
        i++;
    }
    if (i == n) {
        at = b->plan.n_levels - 1;
    } else if (i == 0 || s[i].mean == target) {
        at = s[i].mean > target ? s[i].first : 0.5 * ((double)s[i].first + s[i].last);
    } else {
        double share = (target - s[i - 1].mean) / (s[i].mean - s[i - 1].mean);
        at = s[i - 1].last + share * (double)(s[i].first - s[i - 1].last);
    }
    free(s);
    return at;
}

/* Goes on as far as what is known allows. */
static void advance(struct bisection *b)
{
    while (b->answer.outcome == BISECTION_OPEN) {
        for (int i = 0; i < b->n_wanted; i++) {
            if (side_of(b, b->wanted[i]) == BISECTION_NO_SIDE) {
                return;
            }
        }
        if (!b->started) {
            heed_ends(b);
        } else {
            heed(b);
        }
        want_next(b);
    }
    if (b->answer.outcome == BISECTION_FOUND || b->answer.outcome == BISECTION_CONTRARY) {
        b->answer.low = b->low;
        b->answer.high = b->high;
        b->answer.estimate = fmin(fmax(passes(b), (double)b->low), (double)b->high);
    }
}

const char *const bisection_outcome_words[BISECTION_OUTCOMES] = {
    [BISECTION_OPEN] = "open",         [BISECTION_FOUND] = "found",
    [BISECTION_BELOW] = "below",       [BISECTION_ABOVE] = "above",
    [BISECTION_CONTRARY] = "contrary", [BISECTION_UNKNOWN] = "unknown"};

void bisection_open(struct bisection *b, const struct bisection_plan *plan)
{
    uint32_t steps = plan->n_levels - 1;
    CHECK(steps >= 1 && (steps & (steps - 1)) == 0, "a search on %u levels", plan->n_levels);
    CHECK(plan->min >= 2 && plan->min <= plan->max, "a search between %llu and %llu replications",
          (unsigned long long)plan->min, (unsigned long long)plan->max);
    CHECK(plan->confidence > 0.0 && plan->confidence < 1.0, "a confidence of %g", plan->confidence);
    CHECK(!plan->proportion || (plan->target > 0.0 && plan->target < 1.0), "a share of %g",
          plan->target);
    *b = (struct bisection){.plan = *plan, .low = 0, .high = steps};
    forget_undecided(b);
    uint32_t halvings = (uint32_t)__builtin_ctz(steps), looks = 1;
    for (uint64_t n = plan->min; n < plan->max; looks++) {
        n = n < plan->max / 2 ? 2 * n : plan->max;
    }
    uint32_t most = halvings ? 2 * halvings + 1 : 2;
    b->error = (1.0 - plan->confidence) / ((double)most * looks);
    want(b, 0);
    want(b, steps);
}

void bisection_close(struct bisection *b)
{
    for (uint32_t i = 0; i < b->n_known; i++) {
        observations_close(&b->levels[i].values);
    }
    free(b->levels);
    *b = (struct bisection){0};
}

void bisection_put(struct bisection *b, uint32_t level, uint64_t replication, double value)
{
    CHECK(level < b->plan.n_levels, "level %u of %u", level, b->plan.n_levels);
    CHECK(!b->plan.proportion || isnan(value) || value == 0.0 || value == 1.0,
          "a value of %g where only 0 and 1 are possible", value);
    if (replication >= b->plan.max) {
        return;
    }
    struct bisection_level *l = level_at(b, level);
    observations_put(&l->values, replication, &value);
    if (l->visited && l->side == BISECTION_NO_SIDE) {
        look_at(b, l);
        advance(b);
    }
}

enum bisection_next bisection_next(struct bisection *b, uint32_t *level, uint64_t *replication)
{
    for (int i = 0; i < b->n_wanted; i++) {
        struct bisection_level *l = level_at(b, b->wanted[i]);
        if (l->side != BISECTION_NO_SIDE) {
            continue;
        }
        while (l->handed < l->look && observations_known(&l->values, l->handed)) {
            l->handed++;
        }
        if (l->handed < l->look) {
            *level = l->level;
            *replication = l->handed++;
            return BISECTION_RUN;
        }
    }
    return b->answer.outcome == BISECTION_OPEN ? BISECTION_WAIT : BISECTION_DONE;
}

uint64_t bisection_used(const struct bisection *b, uint32_t level)
{
    const struct bisection_level *l = known(b, level);
    return l != NULL ? l->values.n : 0;
}
