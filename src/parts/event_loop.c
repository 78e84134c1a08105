/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/event_loop.h"

static const struct param_spec rows[] = {
    P_MAYBE_CHOICE(event_loop_params, time, dist_duration, "none", "none",
                   "Time that a loop spends on one request, before its service; none: no loops."),
    P_COUNT(event_loop_params, loops, "1", 1, 1e9, "Requests that are run at the same time."),
    P_END};

const struct schema event_loop_schema = {.name = "event loop",
                                         .summary = "What requests need of a processor in turn.",
                                         .size = sizeof(struct event_loop_params),
                                         .rows = rows};

static const struct queue_params fifo = {.capacity = INT64_MAX, .appends = true};

static struct wait_room line_of(const struct event_loop_room *r)
{
    return (struct wait_room){
        .ctx = r->ctx, .params = &fifo, .queue = &r->state->line, .slab = r->slab};
}

bool event_loop_enter(const struct event_loop_room *r, uint32_t slot, const struct message *m)
{
    struct event_loop *s = r->state;
    if (s->busy < r->params->loops) {
        s->busy++;
        return true;
    }
    struct wait_room line = line_of(r);
    wait_push(&line, slot, m);
    return false;
}

uint32_t event_loop_leave(const struct event_loop_room *r)
{
    struct event_loop *s = r->state;
    if (s->line.count > 0) {
        return wait_pop(&s->line, r->slab);
    }
    s->busy--;
    return SLAB_NONE;
}

void event_loop_drop(const struct event_loop_room *r, uint32_t slot, const struct message *m)
{
    struct wait_room line = line_of(r);
    wait_remove(&line, slot, m);
}

void event_loop_clear(const struct event_loop_room *r)
{
    struct wait_room line = line_of(r);
    wait_clear(&line);
    r->state->busy = 0;
}
