/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/wait_queue.h"

static const char *const discipline_words[] = {"fifo", "lifo", "priority", NULL};

static const struct param_spec queue_rows[] = {
    P_WORD(queue_params, discipline, discipline_words, "fifo",
           "Who is served next: the oldest, the newest, or the oldest of the highest priority."),
    P_LIMIT(queue_params, capacity, "unlimited", 0, 1e9,
            "Requests that may wait, those in service not counted; more are rejected."),
    P_END};

const struct schema queue_schema = {.name = "queue",
                                    .summary = "Where requests wait for service.",
                                    .size = sizeof(struct queue_params),
                                    .rows = queue_rows};

static struct waiting *at(struct slab *slab, uint32_t link)
{
    return slab_at(slab, link - 1);
}

bool wait_push(struct wait_queue *q, const struct queue_params *p, struct slab *slab,
               uint32_t index, uint8_t priority)
{
    if ((int64_t)q->count >= p->capacity) {
        return false;
    }
    uint32_t lane = p->discipline == DISCIPLINE_PRIORITY ? priority : 0;
    uint32_t link = index + 1;
    q->count++;
    if (p->discipline == DISCIPLINE_LIFO) {
        at(slab, link)->next = q->head[lane];
        q->head[lane] = link;
        return true;
    }
    at(slab, link)->next = 0;
    if (q->head[lane]) {
        at(slab, q->tail[lane])->next = link;
    } else {
        q->head[lane] = link;
    }
    q->tail[lane] = link;
    return true;
}

uint32_t wait_pop(struct wait_queue *q, struct slab *slab)
{
    uint32_t lane = 0;
    while (!q->head[lane]) {
        lane++;
    }
    uint32_t link = q->head[lane];
    q->head[lane] = at(slab, link)->next;
    q->count--;
    return link - 1;
}
