/* SPDX-License-Identifier: Apache-2.0
 *
 * The seams of a share: what leaves for other parts, and what comes from them.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/world.h"

enum {
    OUTBOX_FULL = 1 << 18, /* messages to one part after which a window is cut short */
    OUTBOX_MOST = 1 << 24, /* with what one event or init may still add */
};

void share_open(struct sim *s)
{
    const struct sim_share *share = s->options.share;
    if (!share) {
        return;
    }
    s->outboxes = calloc(share->parts, sizeof *s->outboxes);
    CHECK(s->outboxes, "out of memory");
    for (uint32_t p = 0; p < share->parts; p++) {
        struct outbox *o = &s->outboxes[p];
        o->lookahead = share->lookahead[p];
        if (p != share->part && o->lookahead != SIM_TIME_NEVER) {
            region_open(&o->events, "messages to another rank", OUTBOX_MOST * sizeof(struct event));
        }
    }
    share_reset(s);
}

void share_reset(struct sim *s)
{
    uint32_t parts = s->options.share ? s->options.share->parts : 0;
    for (uint32_t p = 0; p < parts; p++) {
        sim_outbox_clear(s, p);
    }
}

void share_close(struct sim *s)
{
    uint32_t parts = s->options.share ? s->options.share->parts : 0;
    for (uint32_t p = 0; p < parts; p++) {
        if (s->outboxes[p].events.reserved > 0) {
            region_close(&s->outboxes[p].events);
        }
    }
    free(s->outboxes);
}

struct event *share_new(struct sim *s, entity_id target)
{
    struct outbox *o = &s->outboxes[s->part_of[target]];
    if (o->n >= OUTBOX_FULL) {
        s->full = true;
        s->stop_at = s->events;
    }
    region_reach(&o->events, (o->n + (size_t)1) * sizeof(struct event));
    return (struct event *)(void *)o->events.base + o->n++;
}

void share_post(struct sim *s, const struct event *e)
{
    struct outbox *o = &s->outboxes[s->part_of[e->target]];
    CHECK(e->time - s->now >= o->lookahead,
          "a message to part %" PRIu32 " takes %" PRId64 " ns, less than the lookahead %" PRId64,
          s->part_of[e->target], e->time - s->now, o->lookahead);
    o->first = e->time < o->first ? e->time : o->first;
}

const struct event *sim_outbox(const struct sim *s, uint32_t part, uint32_t *n, sim_time *first)
{
    const struct outbox *o = &s->outboxes[part];
    *n = o->n;
    *first = o->first;
    return (const struct event *)(const void *)o->events.base;
}

bool sim_full(const struct sim *s)
{
    return s->full;
}

void sim_outbox_clear(struct sim *s, uint32_t part)
{
    s->full = false;
    s->outboxes[part].n = 0;
    s->outboxes[part].first = SIM_TIME_NEVER;
}

void sim_inject(struct sim *s, const struct event *events, uint32_t n)
{
    if (n > 0) {
        evq_expect(&s->queue);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct event *e = &events[i];
        CHECK(e->time >= s->reached,
              "a message for %" PRIu64 " ns comes when all before %" PRId64 " ns has run",
              (uint64_t)e->time, s->reached);
        uint32_t slot = evq_new(&s->queue);
        *evq_event(&s->queue, slot) = *e;
        evq_push(&s->queue, slot, 0);
    }
}
