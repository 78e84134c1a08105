/* SPDX-License-Identifier: Apache-2.0
 *
 * What a results file has only where the study asks for it, being written: breakdowns and the
 * trace. Unlike statistics, of which every entity has as many, they are lines. Only for the writer.
 */
#ifndef SQUALL_RESULTS_OBSERVED_H
#define SQUALL_RESULTS_OBSERVED_H

#include "results/arrangement.h"
#include "results/h5.h"
#include "results/record.h"

struct observed;

/* Makes the groups that the study needs. To be closed also when false is returned. */
bool observed_open(struct h5 *h, const struct arrangement *study, struct observed **observed);
bool observed_close(struct observed *o); /* NULL is allowed */

/* The replication that what follows is of. */
void observed_replication(struct observed *o, uint64_t point, uint64_t replication);
bool observed_entry(struct observed *o, const struct record_place *place,
                    const struct record_entry *e);
bool observed_trace(struct observed *o, const struct record_place *place,
                    const struct trace_row *row);

#endif
