/* SPDX-License-Identifier: Apache-2.0
 *
 * What a study is run for: until when replications are repeated, and what is searched.
 *
 *   replications: 32                                    so many
 *   replications:
 *     min: 16
 *     max: 1000
 *     until: {stat: users.request_latency.p99, half_width: 5%}
 *
 *   search:
 *     axis: {users.arrivals.rate: {from: 500/s, to: 1500/s, steps: 65}}
 *     measure: {stat: users.successes, per: users.logical_requests, from: 250s, below: 50%}
 *     target: 50%
 *
 * A goal is a measure (model/measure.h) of each replication, or, with `above` or `below`, whether
 * it lies there: 1 or 0. stats/stopping.h and stats/bisection.h say what becomes of its values.
 */
#ifndef SQUALL_MODEL_GOALS_H
#define SQUALL_MODEL_GOALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "model/measure.h"
#include "stats/stopping.h"

enum { GOALS_MOST = 4 /* of a study */ };

/* As written. */
struct goal_words {
    struct measure_words measure;
    const char *above, *below; /* "" where not written */
    const char *half_width;    /* of a stopping rule */
    double confidence;
    const struct node *at;
};

struct study_replications {
    int64_t max, min;
    LIST_OF(struct goal_words) until;
    bool antithetic;
};

struct search_words {
    const struct node *axis;
    struct goal_words measure; /* without half_width */
    const char *target;        /* in the unit of the measure, or a share */
    double confidence;
    const struct node *at;
};

extern const struct schema replications_schema; /* struct study_replications */
extern const struct schema search_schema;       /* struct search_words */

struct goal {
    struct measure measure;
    int side;     /* 1: above the bound counts, -1: below; 0: the measure itself is the value */
    double bound; /* in the unit of the measure */
    struct stopping_rule rule;
};

struct study;

struct goals {
    struct goal items[GOALS_MOST];
    uint32_t n;
    bool search; /* the only goal is what is searched with ... */
    double target, confidence;
    struct measure under_way; /* where the warm-up is found out: requests under way, by interval */
};

/* Finds what the study's words mean, once its blueprint is drawn. Mistakes go to `d`. */
void goals_resolve(const struct study *s, struct arena *arena, struct diag *d, struct goals *g);

/* What the goal makes of its measure's value. NAN stays NAN. */
double goal_value(const struct goal *g, double value);

#endif
