/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines and priorities as they are handed from caller to callee (aio-request). A deadline is an
 * instant [ns], SIM_TIME_NEVER without one.
 */
#ifndef SQUALL_POLICIES_DEADLINE_H
#define SQUALL_POLICIES_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/simtime.h"

enum priority { PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW, PRIORITIES };

/* How a deadline travels: as the time that is left, so that the receiver's clock starts anew and
 * the time on the way and in its queue does not count; or as the instant itself. */
enum deadline_accounting { DEADLINE_RESTART, DEADLINE_ABSOLUTE };

/* How the attempts of a request share its deadline. */
enum deadline_split { DEADLINE_PASS_THROUGH, DEADLINE_BETWEEN_ATTEMPTS };

/* The time left [ns], not below 0. */
static inline sim_time deadline_left(sim_time deadline, sim_time now)
{
    return deadline == SIM_TIME_NEVER ? SIM_TIME_NEVER : deadline > now ? deadline - now : 0;
}

/* The deadline of attempt `attempt` (from 1) of at most `attempts` when they share what is left:
 * each gets an equal part of what is left when it begins, the last one all of it. */
static inline sim_time deadline_part(sim_time deadline, sim_time now, int64_t attempts,
                                     int64_t attempt)
{
    int64_t to_come = attempts - attempt + 1;
    return deadline == SIM_TIME_NEVER || to_come <= 1
               ? deadline
               : now + deadline_left(deadline, now) / to_come;
}

/* The priority of a call whose own is `own`, made for a request of priority `ambient`: low for high
 * and high for low become normal. */
static inline enum priority priority_combine(enum priority own, enum priority ambient)
{
    bool apart = (own == PRIORITY_LOW && ambient == PRIORITY_HIGH) ||
                 (own == PRIORITY_HIGH && ambient == PRIORITY_LOW);
    return apart ? PRIORITY_NORMAL : own;
}

#endif
