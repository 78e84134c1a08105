/* SPDX-License-Identifier: Apache-2.0
 *
 * The waiting room of a server: jobs linked through their slots, in the order of the discipline.
 * Held by value in an entity's state; zero is an empty queue.
 */
#ifndef SQUALL_PARTS_WAIT_QUEUE_H
#define SQUALL_PARTS_WAIT_QUEUE_H

#include <stdint.h>

#include "base/schema.h"
#include "base/slab.h"
#include "engine/event.h"

enum discipline { DISCIPLINE_FIFO, DISCIPLINE_LIFO, DISCIPLINE_PRIORITY };

struct queue_params {
    int discipline; /* enum discipline */
    int64_t capacity;
};
extern const struct schema queue_schema;

/* What a job's slot begins with. */
struct waiting {
    uint32_t next, prev; /* 1-based index of the one behind and before, 0: last, first */
};

struct wait_queue {
    uint32_t head[PRIORITIES], tail[PRIORITIES]; /* 1-based; only the first without priorities */
    uint32_t count;
};

/* Puts a job in, if there is room. Slots of `slab` begin with struct waiting. */
bool wait_push(struct wait_queue *q, const struct queue_params *p, struct slab *slab,
               uint32_t index, uint8_t priority);

/* The next job's index; only when count > 0. */
uint32_t wait_pop(struct wait_queue *q, struct slab *slab);

/* Takes a job out that waits in it. `priority` as it was put in. */
void wait_remove(struct wait_queue *q, const struct queue_params *p, struct slab *slab,
                 uint32_t index, uint8_t priority);

#endif
