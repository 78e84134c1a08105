/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/dagor.h"

#include "base/hash.h"

uint32_t dagor_level(const struct dagor *d, sim_time now, enum priority class_, uint64_t id)
{
    uint64_t user = hash_pair(id, (uint64_t)(now / d->reshuffle)) % DAGOR_USERS;
    return (uint32_t)class_ * DAGOR_USERS + (uint32_t)user;
}

static void move_cursor(const struct dagor *d, struct dagor_state *s)
{
    double mean = s->begun ? (double)s->waited / s->begun : 0.0, moved = 0.0;
    if (mean > (double)d->threshold) {
        while (s->closed < DAGOR_LEVELS && moved < d->alpha * s->admitted) {
            moved += s->counts[DAGOR_LEVELS - ++s->closed];
        }
    } else if (s->begun || !s->admitted) {
        while (s->closed > 0 && moved < d->beta * s->came) {
            moved += s->counts[DAGOR_LEVELS - s->closed--];
        }
    }
}

bool dagor_admits(const struct dagor *d, struct dagor_state *s, sim_time now, enum priority class_,
                  uint64_t id)
{
    if (now - s->since >= d->window || s->came >= d->window_requests) {
        move_cursor(d, s);
        *s = (struct dagor_state){.closed = s->closed, .since = now};
    }
    uint32_t level = dagor_level(d, now, class_, id);
    bool admitted = level < DAGOR_LEVELS - s->closed;
    s->counts[level]++;
    s->came++;
    s->admitted += admitted;
    return admitted;
}

void dagor_begins(struct dagor_state *s, sim_time waited)
{
    s->begun++;
    s->waited += (uint64_t)waited;
}
