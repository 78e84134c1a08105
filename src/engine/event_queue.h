/* SPDX-License-Identifier: Apache-2.0
 *
 * The pending events of one rank, in the order of (time, order). Time only moves forward: nothing
 * is ever pushed before the event that was popped last.
 *
 * Three structures share the work (figures in src/README.md):
 * - lanes: FIFO lists for events that come due in the order they were made (a wire of constant
 *   latency, timeouts of one duration). Only the head of a lane is in the queue proper, and a
 *   cancelled event is unlinked at once.
 * - the front: a short sorted array of what is due next.
 * - the far part: a ladder of levels, each of buckets of one width. Level 0 is fitted to how
 *   densely events lie, and its last bucket takes all that is later. A small bucket that comes due
 *   is sorted into the front; a large one is split into a level of its own. A bucket's entries are
 *   not in order, and are moved in sequence.
 *
 * Events live in slots that never move. A slot is taken by evq_new, filled, pushed, popped, and
 * given back by evq_give after its handler has run. Growth commits reserved memory; nothing
 * calls malloc.
 */
#ifndef SQUALL_ENGINE_EVENT_QUEUE_H
#define SQUALL_ENGINE_EVENT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/region.h"
#include "engine/event.h"

#define EVQ_NONE UINT32_MAX

enum {
    EVQ_TABLE = 4096,   /* slots of the table that finds lanes */
    EVQ_LANES = 1024,   /* most lanes; whoever asks for more gets the queue proper */
    EVQ_BUCKETS = 1024, /* of a level */
    EVQ_LEVELS = 8,     /* most levels; what would need more is sorted as it is */
};

struct evq_link {
    uint32_t next, prev; /* in the lane, or the free list */
    uint32_t generation; /* of the slot; odd while an event waits in it */
    uint16_t lane;       /* 1-based; 0: in the queue proper */
    uint16_t dead;       /* cancelled, but still in front or a bucket */
};

struct evq_lane {
    sim_time delay;  /* [ns] identifies the lane */
    uint64_t class_; /* likewise */
    uint32_t head, tail;
    sim_time last_time; /* key of the newest event ever appended */
    uint64_t last_order;
};

/* A list of chunks of entries. */
struct evq_bucket {
    uint32_t chunk; /* the newest; all others are full */
    uint32_t count; /* entries; 0: no chunk */
};

/* Key k, which is a time plus 1, is in bucket (k >> shift) - first, or in the nearest there is. */
struct evq_level {
    uint64_t end; /* keys up to this that are above the front and all levels inside this one */
    uint64_t first;
    uint32_t shift;
    uint32_t words;                  /* bit w: there is one in full[w] */
    uint64_t full[EVQ_BUCKETS / 64]; /* bit i % 64 of word i / 64: bucket i is not empty */
    struct evq_bucket buckets[EVQ_BUCKETS];
};

struct event_queue {
    struct region events, links, front, chunks, chains;
    uint32_t n_slots, free_slot;
    uint32_t n_front, most_front, spill_at;
    uint32_t n_chunks, free_chunk;
    uint32_t n_dead;    /* cancelled entries still in front or buckets */
    uint32_t n_levels;  /* in use; each lies inside a bucket of the one before */
    uint64_t n_far;     /* entries in buckets */
    uint64_t n_fitted;  /* entries that level 0 was fitted to */
    uint64_t n_pending; /* live events */
    uint64_t base;      /* front: keys up to this; buckets: above */
    /* A large bucket that was found to be of one instant, or NULL; its key, and how many entries
     * are known to have it. It is sorted only when it is due. */
    struct evq_bucket *crowd;
    uint64_t crowd_key;
    uint32_t crowd_count;
    struct evq_level levels[EVQ_LEVELS];
    struct evq_lane lanes[EVQ_LANES + 1]; /* the last one: what runs in this instant */
    uint16_t lane_table[EVQ_TABLE];       /* by hash of (delay, class): lane, or 0 */
    uint32_t n_lanes;
};

void evq_open(struct event_queue *q);
void evq_close(struct event_queue *q);
void evq_reset(struct event_queue *q); /* drops all events; lanes stay defined */

/* The lane for events of this class that are due `delay` after they are made, 1-based; 0 when
 * there are too many lanes. The same arguments give the same lane. */
uint16_t evq_lane(struct event_queue *q, sim_time delay, enum event_class class_);

uint32_t evq_grow(struct event_queue *q);

static inline struct event *evq_event(const struct event_queue *q, uint32_t slot)
{
    return (struct event *)(void *)q->events.base + slot;
}
static inline struct evq_link *evq_link(const struct event_queue *q, uint32_t slot)
{
    return (struct evq_link *)(void *)q->links.base + slot;
}

/* An empty slot, to be filled (time and order included) and pushed. */
static inline uint32_t evq_new(struct event_queue *q)
{
    uint32_t slot = q->free_slot;
    if (__builtin_expect(slot != EVQ_NONE, 1)) {
        q->free_slot = evq_link(q, slot)->next;
    } else {
        slot = evq_grow(q);
    }
    return slot;
}

static inline void evq_give(struct event_queue *q, uint32_t slot)
{
    evq_link(q, slot)->next = q->free_slot;
    q->free_slot = slot;
}

/* Pushes the event in `slot`. `lane` 0: into the queue proper. An event that comes before its
 * lane's newest (a tie between sources) goes there, too. */
void evq_push(struct event_queue *q, uint32_t slot, uint16_t lane);

/* Pushes the event that was popped last again, with a later time or order, under the handle that it
 * had. */
void evq_defer(struct event_queue *q, uint32_t slot);

/* Pushes the event in `slot`, whose time is that of the event popped last, behind everything that
 * was pushed this way: it runs in this instant, before any other event. */
void evq_push_now(struct event_queue *q, uint32_t slot);

/* True when the event, which was popped last, was pushed by evq_push_now. */
static inline bool evq_was_now(const struct event_queue *q, uint32_t slot)
{
    return evq_link(q, slot)->lane == EVQ_LANES + 1;
}

/* To be called before many events are pushed at once: what is sorted already is not in their way.
 */
void evq_expect(struct event_queue *q);

/* Names a pushed event for evq_cancel; never 0. */
static inline uint64_t evq_handle(const struct event_queue *q, uint32_t slot)
{
    return (uint64_t)evq_link(q, slot)->generation << 32 | slot;
}

/* False when the event was popped or cancelled before. */
bool evq_cancel(struct event_queue *q, uint64_t handle);

/* Time of the first event; SIM_TIME_NEVER when there is none. Earlier than that if a crowd of one
 * instant was cancelled to the last one, as nobody has looked. */
sim_time evq_next_time(struct event_queue *q);

/* Takes the first event out if it is due before `limit`, else EVQ_NONE. Its slot stays valid until
 * evq_give. */
uint32_t evq_pop_before(struct event_queue *q, sim_time limit);

/* The event that will probably be popped after `ahead` others, or EVQ_NONE: for prefetching. */
uint32_t evq_ahead(const struct event_queue *q, uint32_t ahead);

/* Memory in use [B]: what was touched since reset. */
size_t evq_memory(const struct event_queue *q);

#endif
