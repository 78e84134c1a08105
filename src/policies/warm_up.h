/* SPDX-License-Identifier: Apache-2.0
 *
 * Warming up: service takes longer at first, as caches are cold, code is not compiled yet and
 * connections are not made.
 *
 * - time: `slowdown` times as long at the start, and less from then on in a straight line, to its
 *   usual time when `duration` has passed (slow start).
 * - requests: likewise with each request served, to the usual time after `requests` of them (a
 *   cold cache).
 */
#ifndef SQUALL_POLICIES_WARM_UP_H
#define SQUALL_POLICIES_WARM_UP_H

#include "base/schema.h"

enum warm_up_kind { WARM_UP_NONE, WARM_UP_TIME, WARM_UP_REQUESTS };

struct warm_up {
    int kind;          /* enum warm_up_kind */
    double slowdown;   /* [1] at least 1 */
    sim_time duration; /* [ns] */
    int64_t requests;
    bool at_start; /* also at the start of the run */
};

extern const struct choice warm_up_choice;

/* How many times as long service takes at an age [ns], when `begun` requests were before this one.
 */
double warm_up_factor(const struct warm_up *w, sim_time age, uint64_t begun);

#endif
