/* SPDX-License-Identifier: Apache-2.0
 *
 * Health by active checks: who has failed several of them in a row is unhealthy, until it has
 * passed several in a row. Everybody is healthy at first.
 */
#ifndef SQUALL_POLICIES_HEALTH_H
#define SQUALL_POLICIES_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* What is known of one who is checked; zero at first. */
struct health_state {
    int64_t passed, failed; /* in a row: one of them is 0 */
    bool unhealthy;
};

/* Takes the end of a check. True when that has made it healthy, after `healthy` > 0 passed in a
 * row, or unhealthy, after `unhealthy` > 0 failed in a row. */
static inline bool health_take(struct health_state *s, int64_t healthy, int64_t unhealthy,
                               bool passed)
{
    s->passed = passed ? s->passed + 1 : 0;
    s->failed = passed ? 0 : s->failed + 1;
    bool turns = s->unhealthy ? s->passed >= healthy : s->failed >= unhealthy;
    s->unhealthy ^= turns;
    return turns;
}

#endif
