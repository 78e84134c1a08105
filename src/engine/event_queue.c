/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/event_queue.h"

#include <string.h>

#include "base/check.h"

enum {
    WHOLE = 32,         /* buckets up to this size go to the front as they are */
    SPILL = 64,         /* a front larger than this sends its later part to the buckets ... */
    KEEP = 16,          /* ... and keeps this much */
    CHUNK = 42,         /* entries a chunk: about 1 KiB */
    SWEEP_LEAST = 4096, /* cancelled entries are left alone up to this many */
    SLOTS_MOST = 1 << 27,
};

struct entry {
    sim_time time;
    uint64_t order;
    uint32_t slot;
};

struct chunk {
    uint32_t next;
    uint32_t n;
    struct entry entries[CHUNK];
};

static inline struct entry *front_of(const struct event_queue *q)
{
    return (struct entry *)(void *)q->front.base;
}

static inline struct chunk *chunk_at(const struct event_queue *q, uint32_t i)
{
    return (struct chunk *)(void *)q->chunks.base + i;
}

static const uint64_t LAST_KEY = SIM_TIME_NEVER;

static inline uint64_t key_of(const struct entry *e)
{
    return (uint64_t)e->time + 1;
}

/* Without branches: which of two comes first is what a processor cannot predict. */
static inline bool before(const struct entry *a, const struct entry *b)
{
    return (a->time < b->time) | ((a->time == b->time) & (a->order < b->order));
}

void evq_open(struct event_queue *q)
{
    memset(q, 0, sizeof *q);
    region_open(&q->events, "pending events", (size_t)SLOTS_MOST * sizeof(struct event));
    region_open(&q->links, "links of events", (size_t)SLOTS_MOST * sizeof(struct evq_link));
    region_open(&q->front, "the front of the event queue",
                (size_t)SLOTS_MOST * sizeof(struct entry));
    region_open(&q->chunks, "the buckets of the event queue",
                (size_t)SLOTS_MOST / CHUNK * 2 * sizeof(struct chunk));
    evq_reset(q);
}

void evq_close(struct event_queue *q)
{
    region_close(&q->events);
    region_close(&q->links);
    region_close(&q->front);
    region_close(&q->chunks);
}

void evq_reset(struct event_queue *q)
{
    memset(q->links.base, 0, q->n_slots * sizeof(struct evq_link));
    q->n_slots = 0;
    q->free_slot = EVQ_NONE;
    q->n_front = q->most_front = 0;
    q->spill_at = SPILL;
    q->n_chunks = 0;
    q->free_chunk = EVQ_NONE;
    q->n_dead = 0;
    q->n_far = 0;
    q->n_pending = 0;
    q->mask = 0;
    q->base = LAST_KEY; /* all in front, until it grows too large */
    for (int b = 0; b < EVQ_BUCKETS; b++) {
        q->buckets[b] = (struct evq_bucket){EVQ_NONE, 0};
    }
    for (uint32_t l = 0; l <= EVQ_LANES; l++) {
        q->lanes[l].head = q->lanes[l].tail = EVQ_NONE;
        q->lanes[l].last_time = 0;
        q->lanes[l].last_order = 0;
    }
}

uint16_t evq_lane(struct event_queue *q, sim_time delay, enum event_class class_)
{
    uint64_t h = ((uint64_t)delay * 4 + class_) * UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t i = (uint32_t)(h >> 52);; i = (i + 1) % EVQ_TABLE) {
        uint16_t lane = q->lane_table[i];
        if (lane && q->lanes[lane - 1].delay == delay && q->lanes[lane - 1].class_ == class_) {
            return lane;
        }
        if (!lane) {
            if (q->n_lanes == EVQ_LANES) {
                return 0;
            }
            q->lanes[q->n_lanes] = (struct evq_lane){
                .delay = delay, .class_ = class_, .head = EVQ_NONE, .tail = EVQ_NONE};
            return q->lane_table[i] = (uint16_t)++q->n_lanes;
        }
    }
}

uint32_t evq_grow(struct event_queue *q)
{
    region_reach(&q->events, (q->n_slots + (size_t)1) * sizeof(struct event));
    region_reach(&q->links, (q->n_slots + (size_t)1) * sizeof(struct evq_link));
    return q->n_slots++;
}

size_t evq_memory(const struct event_queue *q)
{
    return q->n_slots * (sizeof(struct event) + sizeof(struct evq_link)) +
           q->most_front * sizeof(struct entry) + q->n_chunks * sizeof(struct chunk);
}

/* --- the front: an array in falling order, so that the first event is its last entry -------- */

static inline void front_reach(struct event_queue *q, uint32_t n)
{
    if (__builtin_expect(n > q->most_front, 0)) {
        q->most_front = n;
        region_reach(&q->front, n * sizeof(struct entry));
    }
}

static inline void front_insert(struct event_queue *q, struct entry e)
{
    front_reach(q, q->n_front + 1);
    struct entry *end = front_of(q) + q->n_front++, *hole = end;
    const struct entry *begin = front_of(q);
    while (hole > begin && before(hole - 1, &e)) {
        hole--;
    }
    memmove(hole + 1, hole, (size_t)(end - hole) * sizeof e);
    *hole = e;
}

static inline void front_append(struct event_queue *q, struct entry e)
{
    front_reach(q, q->n_front + 1);
    front_of(q)[q->n_front++] = e;
}

static void heap_down(struct entry *h, uint32_t n, uint32_t hole, struct entry e)
{
    for (uint32_t child = 2 * hole + 1; child < n; child = 2 * hole + 1) {
        child += child + 1 < n && before(&h[child + 1], &h[child]);
        if (!before(&h[child], &e)) {
            break;
        }
        h[hole] = h[child];
        hole = child;
    }
    h[hole] = e;
}

/* Sorts what was appended to an empty front: a bucket, or all that happens at one instant. */
static void front_sort(struct event_queue *q)
{
    struct entry *h = front_of(q);
    uint32_t n = q->n_front;
    if (n <= WHOLE) {
        for (uint32_t k = 1; k < n; k++) {
            struct entry e = h[k];
            uint32_t i = k;
            for (; i > 0 && before(&h[i - 1], &e); i--) {
                h[i] = h[i - 1];
            }
            h[i] = e;
        }
        return;
    }
    for (uint32_t i = n / 2; i-- > 0;) {
        heap_down(h, n, i, h[i]);
    }
    while (n > 1) {
        struct entry first = h[0], last = h[--n];
        heap_down(h, n, 0, last);
        h[n] = first;
    }
}

/* --- the far part: a radix heap ---------------------------------------------------------- */

static inline int bucket_of(uint64_t key, uint64_t base)
{
    return 63 - __builtin_clzll(key ^ base);
}

static uint32_t chunk_new(struct event_queue *q, uint32_t next)
{
    uint32_t i = q->free_chunk;
    if (i != EVQ_NONE) {
        q->free_chunk = chunk_at(q, i)->next;
    } else {
        i = q->n_chunks++;
        region_reach(&q->chunks, q->n_chunks * sizeof(struct chunk));
    }
    chunk_at(q, i)->next = next;
    chunk_at(q, i)->n = 0;
    return i;
}

static void bucket_push(struct event_queue *q, struct entry e)
{
    int i = bucket_of(key_of(&e), q->base);
    struct evq_bucket *b = &q->buckets[i];
    if (b->chunk == EVQ_NONE || chunk_at(q, b->chunk)->n == CHUNK) {
        b->chunk = chunk_new(q, b->chunk);
    }
    struct chunk *c = chunk_at(q, b->chunk);
    c->entries[c->n++] = e;
    b->count++;
    q->n_far++;
    q->mask |= UINT64_C(1) << i;
}

/* Empties a bucket and returns its chunks. */
static uint32_t bucket_detach(struct event_queue *q, int i)
{
    uint32_t chunk = q->buckets[i].chunk;
    q->n_far -= q->buckets[i].count;
    q->buckets[i] = (struct evq_bucket){EVQ_NONE, 0};
    q->mask &= ~(UINT64_C(1) << i);
    return chunk;
}

static inline void insert(struct event_queue *q, struct entry e)
{
    if (key_of(&e) <= q->base) {
        front_insert(q, e);
    } else {
        bucket_push(q, e);
    }
}

/* Gives a cancelled entry's slot back; true when it was one. The cancelled head of a lane stays: it
 * is what moves the lane on. */
static inline bool bury(struct event_queue *q, uint32_t slot)
{
    if (q->n_dead == 0) {
        return false; /* spares the look at a link that is in no cache */
    }
    struct evq_link *l = evq_link(q, slot);
    if (!l->dead || l->lane) {
        return false;
    }
    l->dead = 0;
    q->n_dead--;
    evq_give(q, slot);
    return true;
}

/* Distributes all entries of detached chunks anew, those due up to `base` to an unsorted front. */
static void scatter(struct event_queue *q, uint32_t chunk)
{
    while (chunk != EVQ_NONE) {
        struct chunk *c = chunk_at(q, chunk);
        for (uint32_t k = 0; k < c->n; k++) {
            struct entry e = c->entries[k];
            if (bury(q, e.slot)) {
                continue;
            }
            if (key_of(&e) > q->base) {
                bucket_push(q, e);
                continue;
            }
            front_append(q, e);
            __builtin_prefetch(evq_event(q, e.slot));
            __builtin_prefetch(evq_link(q, e.slot));
        }
        uint32_t next = c->next;
        c->next = q->free_chunk;
        q->free_chunk = chunk;
        chunk = next;
    }
}

static uint64_t least_key(const struct event_queue *q, uint32_t chunk)
{
    uint64_t least = LAST_KEY;
    for (; chunk != EVQ_NONE; chunk = chunk_at(q, chunk)->next) {
        const struct chunk *c = chunk_at(q, chunk);
        for (uint32_t k = 0; k < c->n; k++) {
            uint64_t key = key_of(&c->entries[k]);
            least = key < least ? key : least;
        }
    }
    return least;
}

/* Fills the empty front with the next bucket. A small one goes whole, and `base` to the end of its
 * range; a large one is split by its earliest time first. Every other bucket keeps its meaning:
 * its entries differ from the new base in the same highest bit as from the old one. */
static void refill(struct event_queue *q)
{
    int i = __builtin_ctzll(q->mask);
    uint32_t count = q->buckets[i].count;
    uint32_t chunk = bucket_detach(q, i);
    if (count <= WHOLE) {
        q->base |= (UINT64_C(2) << i) - 1;
    } else {
        q->base = least_key(q, chunk);
    }
    scatter(q, chunk);
    front_sort(q);
    q->spill_at = q->n_front < SPILL ? SPILL : 2 * q->n_front;
    if (q->n_far == 0 && q->n_front < SPILL) {
        q->base = LAST_KEY; /* all that there is */
    }
}

/* Joins the chunks of every bucket below j to those of bucket j, which is empty. */
static void join_below(struct event_queue *q, int j)
{
    struct evq_bucket *to = &q->buckets[j];
    for (int i = 0; i < j; i++) {
        struct evq_bucket *b = &q->buckets[i];
        if (b->count == 0) {
            continue;
        }
        uint32_t last = b->chunk;
        while (chunk_at(q, last)->next != EVQ_NONE) {
            last = chunk_at(q, last)->next;
        }
        chunk_at(q, last)->next = to->chunk;
        to->chunk = b->chunk;
        to->count += b->count;
        *b = (struct evq_bucket){EVQ_NONE, 0};
        q->mask &= ~(UINT64_C(1) << i);
        q->mask |= UINT64_C(1) << j;
    }
}

/* Sends the later part of an overgrown front to the buckets; all of it, when the earliest instant
 * has so many, to be sorted at once when it comes. Lowering `base` puts everything that shared the
 * old base's bit j, where old and new differ first, into bucket j. */
static void spill(struct event_queue *q)
{
    struct entry *h = front_of(q);
    uint32_t n = q->n_front;
    uint64_t base = key_of(&h[n - KEEP]) - 1;
    join_below(q, bucket_of(base, q->base));
    q->base = base;
    uint32_t moved = 0;
    for (; moved < n && key_of(&h[moved]) > base; moved++) {
        if (!bury(q, h[moved].slot)) {
            bucket_push(q, h[moved]);
        }
    }
    q->n_front = n - moved;
    memmove(h, h + moved, q->n_front * sizeof *h);
    q->spill_at = SPILL;
}

/* Throws all cancelled entries out, so that memory follows what is pending. */
static void sweep(struct event_queue *q)
{
    uint32_t chunks = EVQ_NONE;
    for (int i = 0; i < EVQ_BUCKETS; i++) {
        if (q->buckets[i].count > 0) {
            uint32_t first = bucket_detach(q, i), last = first;
            while (chunk_at(q, last)->next != EVQ_NONE) {
                last = chunk_at(q, last)->next;
            }
            chunk_at(q, last)->next = chunks;
            chunks = first;
        }
    }
    scatter(q, chunks); /* all of it is later than base: the front stays as it is */
    uint32_t n = q->n_front, kept = 0;
    struct entry *h = front_of(q);
    for (uint32_t i = 0; i < n; i++) {
        if (!bury(q, h[i].slot)) {
            h[kept++] = h[i];
        }
    }
    q->n_front = kept;
}

/* --- lanes and the whole ----------------------------------------------------------------- */

static inline struct entry entry_of(const struct event_queue *q, uint32_t slot)
{
    const struct event *e = evq_event(q, slot);
    return (struct entry){e->time, e->order, slot};
}

/* True when the event became a later member of the lane: nothing more to do. */
static inline bool lane_append(struct event_queue *q, struct evq_lane *l, uint32_t slot)
{
    const struct event *e = evq_event(q, slot);
    struct evq_link *link = evq_link(q, slot);
    link->next = EVQ_NONE;
    link->prev = l->tail;
    l->last_time = e->time;
    l->last_order = e->order;
    uint32_t tail = l->tail;
    l->tail = slot;
    if (tail == EVQ_NONE) {
        l->head = slot;
        return false;
    }
    evq_link(q, tail)->next = slot;
    return true;
}

void evq_push(struct event_queue *q, uint32_t slot, uint16_t lane)
{
    struct evq_link *link = evq_link(q, slot);
    link->generation++;
    q->n_pending++;
    if (lane) {
        struct evq_lane *l = &q->lanes[lane - 1];
        const struct event *e = evq_event(q, slot);
        if (e->time > l->last_time || (e->time == l->last_time && e->order > l->last_order)) {
            link->lane = lane;
            if (lane_append(q, l, slot)) {
                return;
            }
        } else {
            lane = 0;
        }
    }
    link->lane = lane;
    if (__builtin_expect(q->n_front >= q->spill_at, 0)) {
        spill(q);
    }
    insert(q, entry_of(q, slot));
}

void evq_push_now(struct event_queue *q, uint32_t slot)
{
    struct evq_link *link = evq_link(q, slot);
    link->generation++;
    link->lane = EVQ_LANES + 1;
    q->n_pending++;
    lane_append(q, &q->lanes[EVQ_LANES], slot);
}

bool evq_cancel(struct event_queue *q, uint64_t handle)
{
    uint32_t slot = (uint32_t)handle;
    if (handle == 0 || slot >= q->n_slots) {
        return false;
    }
    struct evq_link *link = evq_link(q, slot);
    if (link->generation != (uint32_t)(handle >> 32)) {
        return false;
    }
    link->generation++;
    q->n_pending--;
    if (link->lane && link->prev != EVQ_NONE) {
        struct evq_lane *l = &q->lanes[link->lane - 1];
        evq_link(q, link->prev)->next = link->next;
        if (link->next == EVQ_NONE) {
            l->tail = link->prev;
        } else {
            evq_link(q, link->next)->prev = link->prev;
        }
        evq_give(q, slot);
        return true;
    }
    link->dead = 1;
    if (!link->lane && ++q->n_dead > SWEEP_LEAST && q->n_dead > q->n_pending) {
        sweep(q);
    }
    return true;
}

/* Moves a lane on past its head and returns the new head. */
static inline uint32_t lane_advance(struct event_queue *q, struct evq_lane *l)
{
    uint32_t next = evq_link(q, l->head)->next;
    l->head = next;
    if (next == EVQ_NONE) {
        l->tail = EVQ_NONE;
    } else {
        evq_link(q, next)->prev = EVQ_NONE;
    }
    return next;
}

/* Takes the first event out; the next of its lane goes into the front. */
static inline uint32_t take_first(struct event_queue *q)
{
    uint32_t slot = q->lanes[EVQ_LANES].head;
    if (slot != EVQ_NONE) {
        lane_advance(q, &q->lanes[EVQ_LANES]);
        return slot;
    }
    slot = front_of(q)[--q->n_front].slot;
    uint16_t lane = evq_link(q, slot)->lane;
    uint32_t next = lane ? lane_advance(q, &q->lanes[lane - 1]) : EVQ_NONE;
    if (next != EVQ_NONE) {
        insert(q, entry_of(q, next));
    }
    return slot;
}

/* The first event's slot, EVQ_NONE when there is none; cancelled ones are cleared away. */
static inline uint32_t peek(struct event_queue *q)
{
    for (;;) {
        uint32_t slot = q->lanes[EVQ_LANES].head;
        if (slot == EVQ_NONE) {
            while (__builtin_expect(q->n_front == 0, 0)) {
                if (q->n_far == 0) {
                    return EVQ_NONE;
                }
                refill(q);
            }
            slot = front_of(q)[q->n_front - 1].slot;
        }
        struct evq_link *link = evq_link(q, slot);
        if (__builtin_expect(!link->dead, 1)) {
            return slot;
        }
        q->n_dead -= link->lane == 0;
        take_first(q);
        link->dead = 0;
        evq_give(q, slot);
    }
}

sim_time evq_next_time(struct event_queue *q)
{
    uint32_t slot = peek(q);
    return slot == EVQ_NONE ? SIM_TIME_NEVER : evq_event(q, slot)->time;
}

uint32_t evq_pop_before(struct event_queue *q, sim_time limit)
{
    uint32_t slot = peek(q);
    if (slot == EVQ_NONE || evq_event(q, slot)->time >= limit) {
        return EVQ_NONE;
    }
    take_first(q);
    if (q->n_front > 0) { /* what comes next will be wanted soon */
        __builtin_prefetch(evq_event(q, front_of(q)[q->n_front - 1].slot));
    }
    evq_link(q, slot)->generation++;
    q->n_pending--;
    return slot;
}
