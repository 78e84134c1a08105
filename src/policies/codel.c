/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/codel.h"

#include <math.h>

enum { RECENT = 16 }; /* intervals in which dropping goes on where it stopped */

static sim_time after(const struct codel *c, sim_time t, uint32_t count)
{
    return sim_time_add(t, sim_time_round((double)c->interval / sqrt((double)count)));
}

/* Whether waits have been too long for an interval. */
static bool may_drop(const struct codel *c, struct codel_state *s, sim_time now, sim_time waited,
                     uint32_t behind)
{
    if (waited < c->target || behind == 0) {
        s->first_above = 0;
        return false;
    }
    if (s->first_above == 0) {
        s->first_above = sim_time_add(now, c->interval);
        return false;
    }
    return now >= s->first_above;
}

/* Begins with a drop, and goes on as often as when it stopped, if that is not long ago. */
static void begin(const struct codel *c, struct codel_state *s, sim_time now)
{
    uint32_t more = s->count - s->last_count;
    bool recent = (double)(now - s->drop_next) < RECENT * (double)c->interval;
    s->dropping = true;
    s->count = more > 1 && recent ? more : 1;
    s->drop_next = after(c, now, s->count);
    s->last_count = s->count;
}

bool codel_drops(const struct codel *c, struct codel_state *s, sim_time now, sim_time waited,
                 uint32_t behind)
{
    bool may = may_drop(c, s, now, waited, behind), dropped = s->dropped;
    s->dropped = false;
    if (!may) {
        s->dropping = false;
        return false;
    }
    if (!s->dropping) {
        begin(c, s, now);
        return true;
    }
    if (dropped) {
        s->drop_next = after(c, s->drop_next, s->count);
    }
    if (now < s->drop_next) {
        return false;
    }
    s->count++;
    s->dropped = true;
    return true;
}

void codel_emptied(struct codel_state *s)
{
    s->first_above = 0;
}
