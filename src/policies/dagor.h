/* SPDX-License-Identifier: Apache-2.0
 *
 * Overload control by priority, as WeChat's DAGOR does it (Zhou et al., "Overload Control for
 * Scaling WeChat Microservices", SoCC'18, section 4, with the errata of arXiv:1806.04075).
 *
 * A request has one of DAGOR_LEVELS priorities: that of its class, and within the class one of 128
 * by the hash of its number, drawn anew every `reshuffle`, so that nobody is unlucky for good. All
 * attempts of a request, and what is called on its behalf, have the same: the deeper tiers of a
 * system agree on whom to turn away. Those at or below a cursor are refused, be anybody idle or
 * not. Each window ends with the first request that comes after `window`, or after window_requests;
 * then
 * - the server was overloaded if those whose service began in it had waited for more than
 *   `threshold` on average: the cursor moves until at least the share alpha of those admitted would
 *   have been refused;
 * - else it moves back until at least the share beta of all that came would have been admitted that
 *   were refused;
 * - where some were admitted and no service began, it stays.
 */
#ifndef SQUALL_POLICIES_DAGOR_H
#define SQUALL_POLICIES_DAGOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/simtime.h"
#include "policies/deadline.h"

enum { DAGOR_USERS = 128, DAGOR_LEVELS = PRIORITIES * DAGOR_USERS };

struct dagor {
    sim_time threshold, window; /* [ns] */
    int64_t window_requests;
    double alpha, beta; /* [1] */
    sim_time reshuffle; /* [ns] */
};

/* Zero at the start: all are admitted. */
struct dagor_state {
    uint32_t closed;               /* priorities refused, the lowest ones */
    uint32_t came, admitted;       /* in this window */
    uint32_t begun;                /* services */
    uint64_t waited;               /* [ns] by these, in all */
    sim_time since;                /* [ns] */
    uint32_t counts[DAGOR_LEVELS]; /* those that came, by priority */
};

/* The priority of request number `id` now, 0 for the highest. */
uint32_t dagor_level(const struct dagor *d, sim_time now, enum priority class_, uint64_t id);

/* Whether a request that comes now is admitted. Time must not run backwards. */
bool dagor_admits(const struct dagor *d, struct dagor_state *s, sim_time now, enum priority class_,
                  uint64_t id);

/* The service of one begins, after it `waited`. */
void dagor_begins(struct dagor_state *s, sim_time waited);

#endif
