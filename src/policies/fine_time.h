/* SPDX-License-Identifier: Apache-2.0
 *
 * An instant, or a time between two, finer than the nanosecond: arrivals keep their clock in it, so
 * that rounding each of them does not add up. A double alone would not do: after 1e6 s its steps
 * are 0.125 ns wide, and adding 1/3 s again and again would drift by as much at every step.
 */
#ifndef SQUALL_POLICIES_FINE_TIME_H
#define SQUALL_POLICIES_FINE_TIME_H

#include "base/simtime.h"

/* ns + rest; zero is zero. Never is SIM_TIME_NEVER, with a rest of 0. */
struct fine_time {
    sim_time ns; /* [ns] whole ones, >= 0 */
    double rest; /* [ns] in [0, 1) */
};

#define FINE_TIME_NEVER ((struct fine_time){SIM_TIME_NEVER, 0.0})

/* The sum; never absorbs. */
static inline struct fine_time fine_time_sum(struct fine_time a, struct fine_time b)
{
    double rest = a.rest + b.rest;
    int carry = rest >= 1.0;
    if (a.ns >= SIM_TIME_NEVER - 1 - b.ns) {
        return FINE_TIME_NEVER;
    }
    return (struct fine_time){a.ns + b.ns + carry, rest - carry};
}

/* A real number of nanoseconds >= 0; never from 9.2e18 on. */
static inline struct fine_time fine_time_from(double ns)
{
    if (!(ns < 9.2e18)) {
        return FINE_TIME_NEVER;
    }
    sim_time whole = (sim_time)ns;
    return (struct fine_time){whole, ns - (double)whole};
}

/* Rounded to the nearest nanosecond. */
static inline sim_time fine_time_round(struct fine_time t)
{
    return t.ns + (t.rest >= 0.5);
}

#endif
