/* SPDX-License-Identifier: Apache-2.0
 *
 * The value of a measure (model/measure.h), taken from the record of one replication. All sums are
 * of integers and are divided in the end, so that a value is the same to the bit wherever the
 * replication ran, and percentiles are those of stats/histogram.h.
 *
 * A record is read from end to end, which takes some 3 ns a byte: 14 us for a client and a server
 * without series, 0.2 ms with 600 intervals of the client's; a percentile takes 13 us more, as does
 * any measure of a histogram. Not collective; nothing is printed.
 */
#ifndef SQUALL_RESULTS_MEASURED_H
#define SQUALL_RESULTS_MEASURED_H

#include "engine/blueprint.h"
#include "model/measure.h"
#include "results/error.h"

/* `*value` is NAN where there is none: the replication did not end well, a histogram has no values,
 * or what is divided by is 0. False: the bytes are no record of this blueprint, which the measure
 * was resolved for, or lack the buckets that it needs. */
bool measured_value(const struct measure *m, const void *record, size_t size,
                    const struct blueprint *b, double *value, struct results_error *e);

/* Likewise for each interval from the start of the run on: value[0 .. m->n_intervals - 1]. The
 * measure is of measure_resolve_series. */
bool measured_series(const struct measure *m, const void *record, size_t size,
                     const struct blueprint *b, double *value, struct results_error *e);

/* Where the series of a replication has left its beginning behind, by MSER-5 (stats/summary.h). */
struct measured_warmup {
    sim_time end;  /* [ns] a multiple of the interval */
    bool unsteady; /* that is as late as may be told, half of the run, or there were no values: it
                      may never become steady */
};

/* Intervals without a value take that of the one before, at first that of the first to have any.
 */
bool measured_warmup(const struct measure *m, const void *record, size_t size,
                     const struct blueprint *b, struct measured_warmup *warmup,
                     struct results_error *e);

#endif
