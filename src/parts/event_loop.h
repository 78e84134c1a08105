/* SPDX-License-Identifier: Apache-2.0
 *
 * Event loops: what a request needs of a server's processor before its service, which then takes
 * none (asynchronous servers: input and output overlap, computing does not). Each loop runs one
 * request at a time to its end; the others that are in service wait for one, first come, first
 * served.
 */
#ifndef SQUALL_PARTS_EVENT_LOOP_H
#define SQUALL_PARTS_EVENT_LOOP_H

#include "parts/wait_queue.h"
#include "rng/dist.h"

struct event_loop_params {
    struct dist time; /* DIST_NONE: there are no loops */
    int64_t loops;
};
extern const struct schema event_loop_schema;

/* Part of an entity's plain data; zero are idle loops. */
struct event_loop {
    struct wait_queue line;
    int64_t busy;
};

/* Loops and what they need of their owner; put together on the spot, never stored. */
struct event_loop_room {
    struct ctx *ctx;
    const struct event_loop_params *params;
    struct event_loop *state;
    struct slab *slab; /* its slots begin with struct waiting, the line's while they wait in it */
};

/* Whether a slot with request `m` runs at once; else it waits in the line. */
bool event_loop_enter(const struct event_loop_room *r, uint32_t slot, const struct message *m);

/* One that ran does not run any more: who does in its place; SLAB_NONE: nobody. */
uint32_t event_loop_leave(const struct event_loop_room *r);

/* Takes one out that waits in the line. */
void event_loop_drop(const struct event_loop_room *r, uint32_t slot, const struct message *m);

/* Forgets all: a crash has taken the slots. */
void event_loop_clear(const struct event_loop_room *r);

#endif
