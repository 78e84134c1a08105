/* SPDX-License-Identifier: Apache-2.0 */
#include "parts/wait_queue.h"

#include "base/compiler.h"
#include "parts/reject.h"
#include "parts/wait_bag.h"
#include "parts/wait_heap.h"

static const struct param_spec queue_rows[] = {
    P_CHOICE(queue_params, discipline, discipline_choice, "fifo",
             "Who of those that wait is served next."),
    P_LIMIT(queue_params, capacity, "unlimited", 0, 1e9,
            "Requests that may wait, those in service not counted; more are rejected."),
    P_CHOICE(queue_params, admission, admission_choice, "none",
             "Whether a request waits where there is room; if not, it gets what one gets that "
             "finds the queue full."),
    P_MAYBE_DURATION(queue_params, max_wait, "none", 0, 1e18,
                     "A request that has waited longer when its turn comes is not served."),
    P_BOOL(queue_params, drop_expired, "false",
           "Whether a request that had to wait is not served when its deadline has passed before "
           "its turn comes. A deadline that is a time left counts from the arrival."),
    P_WORD(queue_params, on_expired, reject_words, "reply",
           "What these two get: a reply 503, or none at all."),
    P_END};

static void derive(void *params, const struct node *at, struct diag *diag, struct arena *arena)
{
    (void)at, (void)diag, (void)arena;
    struct queue_params *p = params;
    int kind = p->discipline.kind;
    p->expires = p->drop_expired || kind == DISCIPLINE_DEADLINE;
    p->appends =
        kind == DISCIPLINE_FIFO || kind == DISCIPLINE_ADAPTIVE_LIFO || kind == DISCIPLINE_CODEL;
    p->admits = p->admission.kind != ADMISSION_NONE;
    p->times = p->admission.kind == ADMISSION_DAGOR;
    p->picks = kind >= DISCIPLINE_DEADLINE || p->expires || p->max_wait != SIM_TIME_NEVER;
}

const struct schema queue_schema = {.name = "queue",
                                    .summary = "Where requests wait for service.",
                                    .size = sizeof(struct queue_params),
                                    .rows = queue_rows,
                                    .derive = derive};

/* --- what only some remember ------------------------------------------------------------- */

struct wait_memory {
    struct wait_heap heap; /* deadline */
    struct wait_bag bag;   /* siro */
    struct wait_flows flows;
    struct codel_state codel;
    struct admission_state admission;
    uint32_t dagor; /* place of its state, 0: none yet */
};

static struct wait_memory *memory_of(const struct wait_room *r)
{
    if (r->queue->memory == 0) {
        r->queue->memory = sim_keep(r->ctx, sizeof(struct wait_memory));
    }
    return sim_kept(r->ctx, r->queue->memory);
}

static struct dagor_state *dagor_of(const struct wait_room *r)
{
    struct wait_memory *memory = memory_of(r);
    if (memory->dagor == 0) {
        memory->dagor = sim_keep(r->ctx, sizeof(struct dagor_state));
    }
    return sim_kept(r->ctx, memory->dagor);
}

static struct flow_room flows_of(const struct wait_room *r)
{
    return (struct flow_room){.ctx = r->ctx,
                              .discipline = &r->params->discipline,
                              .flows = &memory_of(r)->flows,
                              .slab = r->slab,
                              .stats = r->flow_stats};
}

/* --- coming ------------------------------------------------------------------------------ */

enum wait_end wait_admits(const struct wait_room *r, const struct message *m, bool served,
                          struct rng_stream *stream)
{
    const struct admission *a = &r->params->admission;
    if (a->kind == ADMISSION_DAGOR) {
        bool in = dagor_admits(&a->dagor, dagor_of(r), r->ctx->now, m->priority, m->request);
        return in ? WAIT_GOES_ON : WAIT_SHED;
    }
    struct admission_state *s = &memory_of(r)->admission;
    if (served) {
        admission_pass(a, s);
        return WAIT_GOES_ON;
    }
    uint32_t count = r->queue->count;
    if (!admission_refuses(a, s, count, (int64_t)count >= r->params->capacity, stream)) {
        return WAIT_GOES_ON;
    }
    return a->kind == ADMISSION_RED ? WAIT_SHED : WAIT_BALKED;
}

void wait_begins(const struct wait_room *r, sim_time waited)
{
    dagor_begins(dagor_of(r), waited);
}

/* Where jobs are not just appended to one list. */
static OUT_OF_LINE bool insert(const struct wait_room *r, uint32_t index, const struct message *m)
{
    const struct discipline *d = &r->params->discipline;
    if (discipline_is_fair(d)) {
        struct flow_room flows = flows_of(r);
        return wait_flows_put(&flows, index, m);
    }
    if (d->kind == DISCIPLINE_DEADLINE) {
        wait_heap_put(&memory_of(r)->heap, r->ctx, r->slab, index,
                      message_deadline(m, r->ctx->now));
    } else if (d->kind == DISCIPLINE_SIRO) {
        wait_bag_put(&memory_of(r)->bag, r->ctx, r->slab, index);
    } else if (d->kind == DISCIPLINE_PRIORITY) {
        wait_list_append(&r->queue->lists[m->priority], r->slab, index);
    } else {
        wait_list_prepend(r->queue->lists, r->slab, index);
    }
    return true;
}

bool wait_push(const struct wait_room *r, uint32_t index, const struct message *m)
{
    if ((int64_t)r->queue->count >= r->params->capacity) {
        return false;
    }
    if (r->params->appends) {
        wait_list_append(r->queue->lists, r->slab, index);
    } else if (!insert(r, index, m)) {
        return false;
    }
    r->queue->count++;
    return true;
}

/* --- going ------------------------------------------------------------------------------- */

uint32_t wait_pop(struct wait_queue *q, struct slab *slab)
{
    struct wait_list *list = q->lists;
    while (!list->head) {
        list++;
    }
    uint32_t slot = list->head - 1;
    wait_list_take_out(list, slab, slot);
    q->count--;
    if (list->head) { /* long lines lie in no cache */
        slab_expect(slab, list->head - 1, 0);
        slab_expect(slab, list->head - 1, 64);
    }
    return slot;
}

static uint32_t pop_newest(const struct wait_room *r)
{
    struct wait_list *list = r->queue->lists;
    uint32_t slot = list->tail - 1;
    wait_list_take_out(list, r->slab, slot);
    r->queue->count--;
    return slot;
}

/* Takes out who is next by the discipline. */
static uint32_t choose(const struct wait_room *r)
{
    struct wait_queue *q = r->queue;
    const struct discipline *d = &r->params->discipline;
    if (d->kind == DISCIPLINE_DEADLINE) {
        q->count--;
        return wait_heap_pop(&memory_of(r)->heap, r->ctx, r->slab);
    }
    if (d->kind == DISCIPLINE_SIRO) {
        q->count--;
        return wait_bag_pick(&memory_of(r)->bag, r->ctx, r->slab, r->order);
    }
    if (discipline_is_fair(d)) {
        struct flow_room flows = flows_of(r);
        q->count--;
        return wait_flows_pop(&flows);
    }
    bool turned = d->kind == DISCIPLINE_ADAPTIVE_LIFO && discipline_turns(d, q->count);
    return turned ? pop_newest(r) : wait_pop(q, r->slab);
}

uint32_t wait_next(const struct wait_room *r)
{
    struct wait_queue *q = r->queue;
    if (discipline_is_fair(&r->params->discipline)) { /* it stays where its flow counts it */
        struct flow_room flows = flows_of(r);
        return wait_flows_first(&flows);
    }
    if (!q->held) {
        q->held = choose(r) + 1;
        q->count++;
    }
    return q->held - 1;
}

static uint32_t take_held(struct wait_queue *q)
{
    uint32_t index = q->held - 1;
    q->held = 0;
    q->count--;
    return index;
}

uint32_t wait_pick(const struct wait_room *r)
{
    return r->queue->held ? take_held(r->queue) : choose(r);
}

/* CoDel is to know when nobody waits any more. */
static void note_emptied(const struct wait_room *r)
{
    if (r->params->discipline.kind == DISCIPLINE_CODEL && r->queue->count == 0) {
        codel_emptied(&memory_of(r)->codel);
    }
}

enum wait_end wait_ends(const struct wait_room *r, const struct message *m, sim_time arrived)
{
    const struct queue_params *p = r->params;
    sim_time now = r->ctx->now, waited = now - arrived;
    if (waited > p->max_wait) {
        note_emptied(r);
        return WAIT_RENEGED;
    }
    if (p->expires && message_deadline(m, arrived) <= now) {
        note_emptied(r);
        return WAIT_EXPIRED;
    }
    bool drops =
        p->discipline.kind == DISCIPLINE_CODEL &&
        codel_drops(&p->discipline.codel, &memory_of(r)->codel, now, waited, r->queue->count);
    return drops ? WAIT_DROPPED : WAIT_GOES_ON;
}

void wait_remove(const struct wait_room *r, uint32_t index, const struct message *m)
{
    const struct discipline *d = &r->params->discipline;
    struct wait_queue *q = r->queue;
    if (q->held == index + 1) {
        take_held(q);
        note_emptied(r);
        return;
    }
    q->count--;
    if (discipline_is_fair(d)) {
        struct flow_room flows = flows_of(r);
        wait_flows_drop(&flows, index, m);
    } else if (d->kind == DISCIPLINE_DEADLINE) {
        wait_heap_drop(&memory_of(r)->heap, r->ctx, r->slab, index);
    } else if (d->kind == DISCIPLINE_SIRO) {
        wait_bag_drop(&memory_of(r)->bag, r->ctx, r->slab, index);
    } else {
        uint32_t list = d->kind == DISCIPLINE_PRIORITY ? m->priority : 0;
        wait_list_take_out(&q->lists[list], r->slab, index);
        note_emptied(r);
    }
}

void wait_clear(const struct wait_room *r)
{
    uint32_t place = r->queue->memory;
    *r->queue = (struct wait_queue){.memory = place};
    if (!place) {
        return;
    }
    struct flow_room flows = flows_of(r);
    wait_flows_clear(&flows);
    struct wait_memory *memory = sim_kept(r->ctx, place);
    memory->heap = (struct wait_heap){.nodes = memory->heap.nodes, .size = memory->heap.size};
    memory->bag = (struct wait_bag){.slots = memory->bag.slots, .size = memory->bag.size};
    memory->codel = (struct codel_state){0};
    memory->admission = (struct admission_state){0};
    if (memory->dagor) {
        *dagor_of(r) = (struct dagor_state){0};
    }
}
