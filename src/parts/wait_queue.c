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

static uint32_t lane_of(const struct queue_params *p, uint8_t priority)
{
    return p->discipline == DISCIPLINE_PRIORITY ? priority : 0;
}

bool wait_push(struct wait_queue *q, const struct queue_params *p, struct slab *slab,
               uint32_t index, uint8_t priority)
{
    if ((int64_t)q->count >= p->capacity) {
        return false;
    }
    uint32_t lane = lane_of(p, priority), link = index + 1;
    bool to_front = p->discipline == DISCIPLINE_LIFO;
    uint32_t behind = to_front ? q->head[lane] : 0, before = to_front ? 0 : q->tail[lane];
    *at(slab, link) = (struct waiting){.next = behind, .prev = before};
    *(before ? &at(slab, before)->next : &q->head[lane]) = link;
    *(behind ? &at(slab, behind)->prev : &q->tail[lane]) = link;
    q->count++;
    return true;
}

static void take_out(struct wait_queue *q, struct slab *slab, uint32_t lane, uint32_t link)
{
    const struct waiting *w = at(slab, link);
    *(w->prev ? &at(slab, w->prev)->next : &q->head[lane]) = w->next;
    *(w->next ? &at(slab, w->next)->prev : &q->tail[lane]) = w->prev;
    q->count--;
}

uint32_t wait_pop(struct wait_queue *q, struct slab *slab)
{
    uint32_t lane = 0;
    while (!q->head[lane]) {
        lane++;
    }
    uint32_t link = q->head[lane];
    take_out(q, slab, lane, link);
    if (q->head[lane]) { /* long lines lie in no cache */
        slab_expect(slab, q->head[lane] - 1, 0);
        slab_expect(slab, q->head[lane] - 1, 64);
    }
    return link - 1;
}

void wait_remove(struct wait_queue *q, const struct queue_params *p, struct slab *slab,
                 uint32_t index, uint8_t priority)
{
    take_out(q, slab, lane_of(p, priority), index + 1);
}
