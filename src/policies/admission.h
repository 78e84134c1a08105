/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission to a queue that has room: whether a request that would have to wait is turned away
 * because of those that do already.
 *
 * - balking: from `threshold` waiting on, with `probability`.
 * - red: random early detection (Floyd and Jacobson, IEEE/ACM Transactions on Networking 1(4),
 *   1993). Every arrival moves an average of the number waiting, avg += weight * (waiting - avg).
 *   Below `min_threshold` nobody is turned away, from `max_threshold` on everybody. In between,
 *   with b = max_probability * (avg - min_threshold) / (max_threshold - min_threshold), the next
 *   one is turned away with probability b / (1 - n * b), where n have been let in there since the
 *   last one was, which spreads them evenly. The average does not decay while nobody comes.
 * - dagor: overload control by priority (policies/dagor.h), which is asked about everybody.
 */
#ifndef SQUALL_POLICIES_ADMISSION_H
#define SQUALL_POLICIES_ADMISSION_H

#include "base/schema.h"
#include "policies/dagor.h"
#include "rng/stream.h"

enum admission_kind { ADMISSION_NONE, ADMISSION_BALKING, ADMISSION_RED, ADMISSION_DAGOR };

struct admission {
    int kind;                                                     /* enum admission_kind */
    int64_t threshold;                                            /* balking */
    double probability;                                           /* [1] balking */
    double min_threshold, max_threshold, max_probability, weight; /* [1] red */
    struct dagor dagor;
};

extern const struct choice admission_choice;

/* Zero at the start. */
struct admission_state {
    double average;  /* [1] red: of the number waiting */
    uint64_t let_in; /* red: since one was turned away, or the average was below the band */
};

/* One arrives that need not wait. */
void admission_pass(const struct admission *a, struct admission_state *s);

/* One arrives while `waiting` others wait, in a queue that may be full already: RED then turns
 * nobody away itself. Whether this one is; draws at most once, and only where that is chance. */
bool admission_refuses(const struct admission *a, struct admission_state *s, uint32_t waiting,
                       bool full, struct rng_stream *stream);

#endif
