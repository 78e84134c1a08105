/* SPDX-License-Identifier: Apache-2.0
 *
 * Passive outlier ejection: hosts are judged by how they answer the requests they get, and one that
 * answers worse than it should is ejected for a while. It is that of Envoy (Envoy documentation,
 * "Outlier detection") and of gRPC (proposal A50), with their defaults:
 * - one that has failed `consecutive_errors` times in a row is ejected at once;
 * - at the end of each interval, one whose share of successes lies below
 *   mean - stdev_factor * deviation of those with enough requests (`success_rate`, if wanted);
 * - likewise one whose share of failures is `threshold` or more (`failure_percentage`, if wanted).
 *
 * The k-th ejection of a host lasts for k * base_ejection_time, but no longer than
 * max_ejection_time, and it is back at the first end of an interval after that. For each interval
 * at whose end it is not ejected, k goes down by one. Nobody is ejected while a share of
 * `max_ejection_percent` or more of the hosts is.
 */
#ifndef SQUALL_POLICIES_OUTLIER_H
#define SQUALL_POLICIES_OUTLIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/schema.h"
#include "base/simtime.h"
#include "policies/verdict.h"

struct outlier_success_rate {
    double stdev_factor; /* [1] deviations below the mean */
    int64_t minimum_hosts, request_volume;
};

struct outlier_failure_percentage {
    double threshold; /* [1] */
    int64_t minimum_hosts, request_volume;
};

struct outlier {
    int64_t consecutive_errors;                               /* INT64_MAX: any number */
    sim_time interval, base_ejection_time, max_ejection_time; /* [ns] */
    double max_ejection_percent;                              /* [1] */
    status_ranges errors;                                     /* which answers are failures */
    LIST_OF(struct outlier_success_rate) success_rate;        /* at most one, as the next */
    LIST_OF(struct outlier_failure_percentage) failure_percentage;
};

extern const struct schema outlier_schema;

/* What is known of a host; zero at first. */
struct outlier_host {
    uint64_t successes, failures; /* in this interval */
    int64_t consecutive;          /* failures in a row */
    int64_t times;                /* ejections that count for how long the next one lasts */
    sim_time ejected_at;          /* [ns] if it is */
    bool ejected;
};

/* Added to; zero at first. */
struct outlier_counts {
    uint64_t ejections;          /* of all kinds */
    uint64_t consecutive_errors; /* ejections by kind */
    uint64_t success_rate;
    uint64_t failure_percentage;
    uint64_t spared;   /* that were due, but for max_ejection_percent */
    uint64_t returned; /* ends of ejections */
};

/* What the functions work on; put together on the spot. */
struct outlier_hosts {
    struct outlier_host *all;
    uint32_t n;
    struct outlier_counts *counts;
};

/* Takes the end of a request at a host. True when that has got it ejected. */
bool outlier_take(const struct outlier *o, const struct outlier_hosts *h, uint32_t host,
                  sim_time now, bool failed);

/* An interval has ended. True when somebody has been ejected, or is back. */
bool outlier_end_interval(const struct outlier *o, const struct outlier_hosts *h, sim_time now);

#endif
