/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/horizon.h"

#include <stddef.h>

sim_time horizon_exact(const sim_time *next, const sim_time *closed, uint32_t parts, uint32_t part)
{
    sim_time horizon = SIM_TIME_NEVER;
    for (uint32_t j = 0; j < parts; j++) {
        sim_time t = sim_time_add(next[j], closed[(size_t)j * parts + part]);
        horizon = t < horizon ? t : horizon;
    }
    return horizon;
}

sim_time horizon_even(const sim_time *next, const sim_time *closed, uint32_t parts, uint32_t part)
{
    sim_time even = horizon_exact(next, closed, parts, part);
    for (uint32_t j = 0; j < parts; j++) {
        if (closed[(size_t)j * parts + part] != SIM_TIME_NEVER) {
            sim_time t = horizon_exact(next, closed, parts, j);
            even = t < even ? t : even;
        }
    }
    return even;
}

sim_time horizon_reduced(sim_time next, sim_time least)
{
    return sim_time_add(next, least);
}
