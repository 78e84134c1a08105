/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/rolling.h"

#include "base/check.h"

/* The counters of a bucket; the sums lie before the first one. */
static int64_t *bucket_of(const struct rolling *r, uint32_t number)
{
    return r->cells + (size_t)r->counters * (number + 1);
}

/* Brings the ring up to `now`. */
static void turn(const struct rolling *r, sim_time now)
{
    struct rolling_place *p = r->place;
    if (!p->begun) {
        *p = (struct rolling_place){.start = now, .begun = true};
        return;
    }
    sim_time passed = now - p->start;
    CHECK(passed >= 0, "a rolling window is asked about the past");
    if (passed < r->width) {
        return;
    }
    sim_time steps = passed / r->width;
    p->start = r->lazy ? now : p->start + steps * r->width;
    for (sim_time i = 0; i < steps && i < r->buckets; i++) {
        p->newest = p->newest + 1 < r->buckets ? p->newest + 1 : 0;
        int64_t *oldest = bucket_of(r, p->newest);
        for (uint32_t c = 0; c < r->counters; c++) {
            r->cells[c] -= oldest[c];
            oldest[c] = 0;
        }
    }
}

void rolling_add(const struct rolling *r, sim_time now, uint32_t counter, int64_t amount)
{
    turn(r, now);
    r->cells[counter] += amount;
    bucket_of(r, r->place->newest)[counter] += amount;
}

int64_t rolling_sum(const struct rolling *r, sim_time now, uint32_t counter)
{
    turn(r, now);
    return r->cells[counter];
}
