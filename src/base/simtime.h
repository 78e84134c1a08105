/* SPDX-License-Identifier: Apache-2.0
 *
 * Simulated time: integer nanoseconds since the start of a replication. Everything that is
 * scheduled, measured or merged is one of these; doubles appear only where chance is drawn and
 * are rounded to the nearest nanosecond at once.
 */
#ifndef SQUALL_BASE_SIMTIME_H
#define SQUALL_BASE_SIMTIME_H

#include <stdint.h>

typedef int64_t sim_time; /* [ns] */

/* "Never", and "no limit" where a parameter may be left off. */
#define SIM_TIME_NEVER INT64_MAX

#define SIM_TIME_S  INT64_C(1000000000)
#define SIM_TIME_MS INT64_C(1000000)
#define SIM_TIME_US INT64_C(1000)

/* Rounds [ns] given as a real to the nearest nanosecond; not below zero, never above NEVER - 1. */
static inline sim_time sim_time_round(double ns)
{
    if (!(ns > 0.0)) {
        return 0;
    }
    return ns < 9.2e18 ? (sim_time)(ns + 0.5) : SIM_TIME_NEVER - 1;
}

/* a + b, where NEVER absorbs whatever is added to it. Both must not be negative. */
static inline sim_time sim_time_add(sim_time a, sim_time b)
{
    return a > SIM_TIME_NEVER - b ? SIM_TIME_NEVER : a + b;
}

#endif
