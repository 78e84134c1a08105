/* SPDX-License-Identifier: Apache-2.0
 *
 * How many replicas a service is to have: the law of Kubernetes' horizontal pod autoscaler
 * (autoscaling/v2, with the defaults of its documentation).
 *
 * Every sync_period, with `current` replicas wanted, of which `ready` serve, and a metric that is
 * an average over these, and a target for it:
 * - ratio = metric / target. Where it is above 1 while some are not ready yet, these count as if
 *   their metric were 0: ratio = metric * ready / (target * current), and if that is not above 1
 *   any more, nothing is changed.
 * - Within 1 +- tolerance nothing is changed; else ceil(ratio * those counted) is recommended.
 * - Down: not below the largest recommendation of less than scale_down_window ago. What there was
 *   at the start counts as one.
 * - Up: not above the larger of the replicas of scale_up_period ago plus scale_up_replicas and
 *   these times 1 + scale_up_share, unless there are more already.
 * - The result is bounded by min_replicas and max_replicas.
 * Kubernetes rounds utilisation to whole percents; here a product that is an integer but for the
 * noise of doubles is one.
 */
#ifndef SQUALL_POLICIES_AUTOSCALER_H
#define SQUALL_POLICIES_AUTOSCALER_H

#include <stddef.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"

enum autoscaler_kind { AUTOSCALER_NONE, AUTOSCALER_HPA };

enum autoscaler_metric {
    METRIC_UTILIZATION, /* workers in use, of all those of the ready replicas */
    METRIC_QUEUE        /* requests waiting, per worker of these */
};

struct autoscaler {
    int kind;                           /* enum autoscaler_kind */
    int metric;                         /* enum autoscaler_metric */
    double target, tolerance;           /* [1] */
    int64_t min_replicas, max_replicas; /* and initial ones in between */
    int64_t initial_replicas;           /* ... there are at the start */
    sim_time sync_period, boot_delay;   /* [ns] */
    int64_t scale_up_replicas;
    double scale_up_share;                       /* [1] */
    sim_time scale_up_period, scale_down_window; /* [ns] */
    uint32_t remembered;                         /* derived: decisions */
};

extern const struct choice autoscaler_choice;

/* One decision. */
struct autoscaler_entry {
    sim_time time;                 /* [ns] */
    int64_t recommended, replicas; /* before what holds it back, and after */
};

/* Zero at the start. */
struct autoscaler_state {
    uint64_t n;                        /* decisions so far */
    struct autoscaler_entry entries[]; /* the last ones, in a ring */
};

/* Bytes of such a state; 0 for `none`. */
size_t autoscaler_state_size(const struct autoscaler *a);

/* How many replicas there are to be from now on; not for `none`. `metric` >= 0 is the average over
 * the `ready` of the `current` ones. At times that lie a sync_period apart, or more. */
int64_t autoscaler_decide(const struct autoscaler *a, struct autoscaler_state *s, sim_time now,
                          int64_t current, int64_t ready, double metric);

#endif
