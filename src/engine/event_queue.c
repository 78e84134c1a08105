/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/event_queue.h"

#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

enum {
    WHOLE = 48,         /* a bucket up to this size goes to the front as it is */
    FILL = 24,          /* so many, or half, should be in one when it comes due */
    FEW = 8,            /* fewer are not worth a sort without the next bucket */
    SPILL = 40,         /* a front larger than this sends its later part to the buckets ... */
    KEEP = 16,          /* ... and keeps this much */
    HORIZON = 16,       /* level 0 reaches so many times the median distance */
    CHUNK = 16,         /* entries a chunk */
    RUN = 16,           /* places that are counted at a time */
    PLACE_BITS = 25,    /* by which they are counted; with a number below WHOLE 31 */
    PART = 8,           /* entries wanted in a part of a large sort */
    AHEAD = 8,          /* the events of a long front are fetched so many pops before */
    SWEEP_LEAST = 4096, /* cancelled entries are left alone up to this many */
    SLOT_BITS = 27,
    SLOTS_MOST = 1 << SLOT_BITS,
    CHUNKS_MOST = SLOTS_MOST / CHUNK * 2,
};

/* Sorted by (key, tag); the events themselves are looked at only when the upper parts of the
 * orders are the same, too. */
struct entry {
    uint64_t key; /* time + 1, so that something is below the start */
    uint64_t tag; /* the order, its lowest SLOT_BITS replaced by the slot */
};

struct chunk {
    struct entry entries[CHUNK];
};

static const uint64_t LAST_KEY = (uint64_t)SIM_TIME_NEVER + 1;

/* Before the first entry lies one that is later than any. */
static inline struct entry *front_of(const struct event_queue *q)
{
    return (struct entry *)(void *)q->front.base + 1;
}

static inline struct entry *chunk_at(const struct event_queue *q, uint32_t i)
{
    return ((struct chunk *)(void *)q->chunks.base + i)->entries;
}

/* The chunk that was filled before this one; of a free one, the next. */
static inline uint32_t *chain_at(const struct event_queue *q, uint32_t i)
{
    return (uint32_t *)(void *)q->chains.base + i;
}

static inline uint32_t slot_of(const struct entry *e)
{
    return (uint32_t)e->tag & (SLOTS_MOST - 1);
}

static inline struct entry entry_of(const struct event_queue *q, uint32_t slot)
{
    const struct event *e = evq_event(q, slot);
    return (struct entry){(uint64_t)e->time + 1, e->order >> SLOT_BITS << SLOT_BITS | slot};
}

static inline uint32_t bits_of(uint64_t x)
{
    return x ? 64 - (uint32_t)__builtin_clzll(x) : 0;
}

struct range {
    uint64_t least, most;
};

static const struct range NOTHING = {UINT64_MAX, 0};

static inline void range_add(struct range *r, uint64_t x)
{
    r->least = x < r->least ? x : r->least;
    r->most = x > r->most ? x : r->most;
}

/* Which of two events of one instant comes first. */
static OUT_OF_LINE bool tie_before(const struct event_queue *q, const struct entry *a,
                                   const struct entry *b)
{
    if (__builtin_expect((a->tag ^ b->tag) >> SLOT_BITS == 0, 0)) {
        return evq_event(q, slot_of(a))->order < evq_event(q, slot_of(b))->order;
    }
    return a->tag < b->tag;
}

static inline bool before(const struct event_queue *q, const struct entry *a, const struct entry *b)
{
    if (__builtin_expect(a->key == b->key, 0)) {
        return tie_before(q, a, b);
    }
    return a->key < b->key;
}

/* --- the front: an array in falling order, so that the first event is its last entry ------- */

static inline void front_reach(struct event_queue *q, uint32_t n)
{
    if (__builtin_expect(n > q->most_front, 0)) {
        q->most_front = n;
        region_reach(&q->front, (n + 1) * sizeof(struct entry));
    }
}

static inline void front_insert(struct event_queue *q, struct entry e)
{
    front_reach(q, q->n_front + 1);
    struct entry *hole = front_of(q) + q->n_front++;
    for (; hole[-1].key < e.key; hole--) {
        *hole = hole[-1];
    }
    for (; __builtin_expect(hole[-1].key == e.key, 0) && tie_before(q, hole - 1, &e); hole--) {
        *hole = hole[-1];
    }
    *hole = e;
}

/* Sorts up to WHOLE entries into falling order. The place of one is the number of later ones: these
 * are counted without branches, which a processor could not predict, by PLACE_BITS of how far apart
 * they are in time (at one instant, of their orders). What that leaves open is settled at the end.
 */
static void sort_few(const struct event_queue *q, const struct entry *from, struct entry *to,
                     uint32_t n)
{
    struct range r = NOTHING;
    for (uint32_t k = 0; k < n; k++) {
        range_add(&r, from[k].key);
    }
    uint32_t shift = bits_of(r.most - r.least);
    shift = shift > PLACE_BITS ? shift - PLACE_BITS : 0;
    int32_t rough[WHOLE + RUN];
    for (uint32_t k = 0; k < n; k++) {
        uint64_t x =
            r.least < r.most ? (from[k].key - r.least) >> shift : from[k].tag >> (64 - PLACE_BITS);
        rough[k] = (int32_t)(x << (31 - PLACE_BITS) | k);
    }
    for (uint32_t k = n; k < n + RUN; k++) {
        rough[k] = 0;
    }
    for (uint32_t i = 0; i < n; i += RUN) {
        int32_t mine[RUN], places[RUN] = {0};
        memcpy(mine, rough + i, sizeof mine);
        for (uint32_t k = 0; k < n; k++) {
            for (uint32_t j = 0; j < RUN; j++) {
                places[j] += rough[k] > mine[j];
            }
        }
        for (uint32_t j = 0; j < RUN && i + j < n; j++) {
            to[places[j]] = from[i + j];
        }
    }
    for (uint32_t k = 1; k < n; k++) {
        if (__builtin_expect(to[k].key >= to[k - 1].key, 0)) {
            struct entry e = to[k];
            uint32_t i = k;
            for (; i > 0 && before(q, &to[i - 1], &e); i--) {
                to[i] = to[i - 1];
            }
            to[i] = e;
        }
    }
}

/* What entries are sorted by, one after the other. */
enum field { BY_KEY, BY_TAG, BY_ORDER };

static inline uint64_t field_of(const struct event_queue *q, const struct entry *e,
                                enum field field)
{
    return field == BY_KEY   ? e->key
           : field == BY_TAG ? e->tag >> SLOT_BITS
                             : evq_event(q, slot_of(e))->order;
}

static struct range field_range(const struct event_queue *q, const struct entry *e, uint32_t n,
                                enum field field)
{
    struct range r = NOTHING;
    for (uint32_t k = 0; k < n; k++) {
        range_add(&r, field_of(q, &e[k], field));
    }
    return r;
}

/* Sorts any number of entries into falling order; all are the same in the fields before this one.
 * They are distributed to parts of equal width of their range, each of which is sorted likewise;
 * `from` is room for that. */
static void sort_many(struct event_queue *q, struct entry *from, struct entry *to, uint32_t n,
                      enum field field)
{
    if (n <= WHOLE) {
        sort_few(q, from, to, n);
        return;
    }
    struct range r = field_range(q, from, n, field);
    for (; r.least == r.most && field < BY_ORDER; r = field_range(q, from, n, field)) {
        field++;
    }
    uint32_t ends[EVQ_BUCKETS], parts = n / PART < EVQ_BUCKETS ? n / PART : EVQ_BUCKETS;
    memset(ends, 0, parts * sizeof *ends);
    uint32_t shift = bits_of((r.most - r.least) / parts);
    for (uint32_t k = 0; k < n; k++) {
        ends[(r.most - field_of(q, &from[k], field)) >> shift]++;
    }
    for (uint32_t i = 0, sum = 0; i < parts; i++) {
        uint32_t size = ends[i];
        ends[i] = sum;
        sum += size;
    }
    for (uint32_t k = 0; k < n; k++) {
        to[ends[(r.most - field_of(q, &from[k], field)) >> shift]++] = from[k];
    }
    for (uint32_t i = 0, begin = 0; i < parts && r.least < r.most; begin = ends[i++]) {
        uint32_t size = ends[i] - begin;
        memcpy(from + begin, to + begin, size * sizeof *from);
        sort_many(q, from + begin, to + begin, size, field);
    }
}

/* --- the far part: levels of buckets -------------------------------------------------------- */

static uint32_t chunk_new(struct event_queue *q, uint32_t next)
{
    uint32_t i = q->free_chunk;
    if (__builtin_expect(i != EVQ_NONE, 1)) {
        q->free_chunk = *chain_at(q, i);
    } else {
        i = q->n_chunks++;
        region_reach(&q->chunks, q->n_chunks * sizeof(struct chunk));
        region_reach(&q->chains, q->n_chunks * sizeof(uint32_t));
    }
    *chain_at(q, i) = next;
    return i;
}

static inline void bucket_add(struct event_queue *q, struct evq_bucket *b, struct entry e)
{
    uint32_t place = b->count++ % CHUNK;
    if (place == 0) {
        b->chunk = chunk_new(q, b->chunk);
    }
    chunk_at(q, b->chunk)[place] = e;
}

/* Goes through the chunks of a bucket while there are entries left. */
struct walk {
    uint32_t chunk; /* in hand */
    uint32_t n;     /* entries in it */
    uint32_t left;  /* entries in it and after it */
};

static inline struct walk walk_of(struct evq_bucket b)
{
    return (struct walk){b.chunk, (b.count - 1) % CHUNK + 1, b.count};
}

/* On to the next chunk; all but the newest, which comes first, are full. */
static inline void walk_on(const struct event_queue *q, struct walk *w)
{
    w->chunk = *chain_at(q, w->chunk);
    w->left -= w->n;
    w->n = CHUNK;
}

/* Likewise, and gives the chunk in hand back. */
static inline void walk_off(struct event_queue *q, struct walk *w)
{
    uint32_t chunk = w->chunk;
    walk_on(q, w);
    *chain_at(q, chunk) = q->free_chunk;
    q->free_chunk = chunk;
}

static inline void level_add(struct event_queue *q, struct evq_level *l, struct entry e)
{
    int64_t i = (int64_t)(e.key >> l->shift) - (int64_t)l->first;
    i = i > 0 ? i : 0;
    i = i < EVQ_BUCKETS ? i : EVQ_BUCKETS - 1;
    struct evq_bucket *b = &l->buckets[i];
    if (b->count == 0) {
        l->full[i / 64] |= UINT64_C(1) << i % 64;
        l->words |= UINT32_C(1) << i / 64;
    }
    bucket_add(q, b, e);
}

static inline uint32_t first_bucket(const struct evq_level *l)
{
    uint32_t word = (uint32_t)__builtin_ctz(l->words);
    return word * 64 + (uint32_t)__builtin_ctzll(l->full[word]);
}

/* The last key that belongs to bucket i, which is not empty. */
static inline uint64_t bucket_end(const struct evq_level *l, uint32_t i)
{
    uint64_t end = ((l->first + i) << l->shift) + (UINT64_C(1) << l->shift) - 1;
    return i == EVQ_BUCKETS - 1 || end > l->end ? l->end : end;
}

/* Empties a bucket; its chunks are the caller's. */
static inline struct evq_bucket bucket_take(struct event_queue *q, struct evq_level *l, uint32_t i)
{
    struct evq_bucket b = l->buckets[i];
    q->crowd = &l->buckets[i] == q->crowd ? NULL : q->crowd;
    l->buckets[i].count = 0;
    l->full[i / 64] &= ~(UINT64_C(1) << i % 64);
    l->words &= ~((uint32_t)(l->full[i / 64] == 0) << i / 64);
    q->n_far -= b.count;
    return b;
}

static inline struct evq_level *innermost(struct event_queue *q)
{
    return &q->levels[q->n_levels - 1];
}

static OUT_OF_LINE void far_insert(struct event_queue *q, struct entry e)
{
    struct evq_level *l = innermost(q);
    while (e.key > l->end) {
        l--;
    }
    level_add(q, l, e);
    q->n_far++;
    q->crowd_count += e.key == q->crowd_key;
}

static inline void insert(struct event_queue *q, struct entry e)
{
    if (e.key <= q->base) {
        front_insert(q, e);
    } else {
        far_insert(q, e);
    }
}

static struct range range_of(const struct event_queue *q, struct evq_bucket b)
{
    struct range r = NOTHING;
    for (struct walk w = walk_of(b); w.left > 0; walk_on(q, &w)) {
        const struct entry *e = chunk_at(q, w.chunk);
        for (uint32_t k = 0; k < w.n; k++) {
            range_add(&r, e[k].key);
        }
    }
    return r;
}

/* The median distance from the least key, from how many distances have how many bits, as if they
 * were uniform among those. */
static uint64_t median_of(const struct event_queue *q, struct evq_bucket b, uint64_t least)
{
    uint32_t counts[65] = {0};
    for (struct walk w = walk_of(b); w.left > 0; walk_on(q, &w)) {
        const struct entry *e = chunk_at(q, w.chunk);
        for (uint32_t k = 0; k < w.n; k++) {
            counts[bits_of(e[k].key - least)]++;
        }
    }
    uint32_t bits = 0, below = 0;
    while (2 * (uint64_t)(below + counts[bits]) < b.count) {
        below += counts[bits++];
    }
    double part = (0.5 * b.count - below) / counts[bits];
    return bits == 0 ? 0 : (uint64_t)((1.0 + part) * (double)(UINT64_C(1) << (bits - 1)));
}

/* Opens a level inside the others for the entries of a bucket that was taken, of range `r`, and for
 * whatever comes up to `end`. Buckets are as wide as holds FILL of these entries, but wide enough
 * for the level to reach to the last of them. Level 0 disregards the few that may lie very far off:
 * half of the entries decide, and the rest will have to wait in the last bucket. */
static void level_open(struct event_queue *q, struct evq_bucket b, struct range r, uint64_t end)
{
    uint64_t reach = r.most - r.least, dense = reach;
    if (q->n_levels == 0) {
        uint64_t median = median_of(q, b, r.least);
        dense = 2 * median < reach ? 2 * median : reach;
        reach = median < reach / HORIZON ? median * HORIZON : reach;
        q->n_fitted = b.count;
    }
    uint32_t for_fill = bits_of(dense / (b.count / FILL + 1) / 2);
    uint32_t for_reach = bits_of(reach / EVQ_BUCKETS);
    struct evq_level *l = &q->levels[q->n_levels++];
    l->shift = for_fill > for_reach ? for_fill : for_reach;
    l->first = r.least >> l->shift;
    l->end = end;
    q->n_far += b.count;
    for (struct walk w = walk_of(b); w.left > 0; walk_off(q, &w)) {
        const struct entry *e = chunk_at(q, w.chunk);
        for (uint32_t k = 0; k < w.n; k++) {
            level_add(q, l, e[k]);
        }
    }
}

/* Moves the entries of a bucket that was taken to `to`. */
static inline void unload(struct event_queue *q, struct evq_bucket b, struct entry *to)
{
    for (struct walk w = walk_of(b); w.left > 0; walk_off(q, &w)) {
        const struct entry *e = chunk_at(q, w.chunk);
        for (uint32_t k = 0; k < w.n; k++) {
            *to++ = e[k];
        }
    }
}

/* Fetches what the pops of these entries will want. */
static inline void wake(const struct event_queue *q, const struct entry *e, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        __builtin_prefetch(evq_event(q, slot_of(&e[k])));
        __builtin_prefetch(evq_link(q, slot_of(&e[k])));
    }
}

/* Fits level 0, the only one that is open, anew to what it holds. */
static void refit(struct event_queue *q)
{
    struct evq_level *l = innermost(q);
    struct evq_bucket all = {EVQ_NONE, 0};
    while (l->words) {
        struct evq_bucket b = bucket_take(q, l, first_bucket(l));
        for (struct walk w = walk_of(b); w.left > 0; walk_off(q, &w)) {
            const struct entry *e = chunk_at(q, w.chunk);
            for (uint32_t k = 0; k < w.n; k++) {
                bucket_add(q, &all, e[k]);
            }
        }
    }
    q->n_levels = 0;
    level_open(q, all, range_of(q, all), LAST_KEY);
}

/* Fills the empty front with a small bucket that was taken, which has all that is due up to `end`,
 * and with the next ones when it has very little. */
static void refill_few(struct event_queue *q, struct evq_bucket b, uint64_t end)
{
    struct evq_level *l = innermost(q);
    struct entry few[WHOLE];
    uint32_t n = 0;
    for (;;) {
        unload(q, b, few + n);
        wake(q, few + n, b.count);
        n += b.count;
        uint32_t i = l->words ? first_bucket(l) : 0;
        b = l->buckets[i];
        if (b.count == 0 || b.count > WHOLE) {
            break;
        }
        if (n >= FEW || n + b.count > WHOLE) { /* not its turn, but soon */
            wake(q, chunk_at(q, b.chunk), (b.count - 1) % CHUNK + 1);
            break;
        }
        end = bucket_end(l, i);
        bucket_take(q, l, i);
    }
    front_reach(q, n);
    sort_few(q, few, front_of(q), n);
    q->n_front = n;
    q->base = end;
}

/* Fills the empty front with a bucket that is of one instant, or cannot be split any more. The rest
 * of its time stays with the bucket. */
static void refill_many(struct event_queue *q, struct evq_bucket b, enum field field)
{
    uint32_t n = b.count;
    front_reach(q, 2 * n);
    struct entry *front = front_of(q);
    unload(q, b, front + n);
    sort_many(q, front + n, front, n, field);
    wake(q, front + n - AHEAD, AHEAD);
    q->n_front = n;
    q->base = front[0].key;
}

/* The key of the bucket that would come next to the empty front, if it is large and of one instant;
 * else 0. What waits for one instant (the end of a pause, an interval of many) is looked for again
 * and again by who may run only up to some time, and is not to be sorted, or gone through, each
 * time. */
static OUT_OF_LINE uint64_t next_crowd(struct event_queue *q)
{
    struct evq_level *l = innermost(q);
    while (l->words == 0) {
        l--;
    }
    struct evq_bucket *b = &l->buckets[first_bucket(l)];
    if (b->count <= WHOLE) {
        return 0;
    }
    if (b != q->crowd || b->count != q->crowd_count) {
        struct range r = range_of(q, *b);
        q->crowd = r.least == r.most ? b : NULL;
        q->crowd_key = r.least;
        q->crowd_count = b->count;
    }
    return b == q->crowd ? q->crowd_key : 0;
}

/* Fills the empty front with the next bucket, having split it as long as it is large. A level that
 * was emptied makes room; the time that it had left belongs to what takes its place. */
static OUT_OF_LINE void refill(struct event_queue *q)
{
    while (innermost(q)->words == 0) {
        q->n_levels--;
    }
    if (q->n_levels == 1 && q->n_far > 2 * q->n_fitted) {
        refit(q);
    }
    for (;;) {
        struct evq_level *l = innermost(q);
        uint32_t i = first_bucket(l);
        uint64_t end = bucket_end(l, i);
        struct evq_bucket b = bucket_take(q, l, i);
        if (b.count <= WHOLE) {
            refill_few(q, b, end);
            break;
        }
        struct range r = range_of(q, b);
        if (r.least == r.most || (q->n_levels == EVQ_LEVELS && l->words)) {
            refill_many(q, b, r.least < r.most ? BY_KEY : BY_TAG);
            break;
        }
        for (; q->n_levels > 0 && innermost(q)->words == 0; q->n_levels--) {
            end = innermost(q)->end;
        }
        level_open(q, b, r, end);
    }
    q->spill_at = q->n_front < SPILL ? SPILL : 2 * q->n_front;
    if (q->n_far == 0 && q->n_front < SPILL) {
        q->n_levels = 0;
        q->base = LAST_KEY; /* all that there is */
    }
}

/* Sends the later part of an overgrown front to the buckets; all of it, when the earliest instant
 * has so many, to be sorted at once when it comes. */
static OUT_OF_LINE void spill(struct event_queue *q)
{
    struct entry *h = front_of(q);
    uint32_t n = q->n_front, moved = 0;
    q->base = h[n - KEEP].key - 1;
    struct evq_bucket b = {EVQ_NONE, 0};
    for (; moved < n && h[moved].key > q->base; moved++) {
        if (q->n_levels > 0) {
            far_insert(q, h[moved]);
        } else {
            bucket_add(q, &b, h[moved]);
        }
    }
    if (q->n_levels == 0) {
        level_open(q, b, range_of(q, b), LAST_KEY);
    }
    q->n_front = n - moved;
    memmove(h, h + moved, q->n_front * sizeof *h);
    q->spill_at = SPILL;
}

/* Gives a cancelled entry's slot back; true when it was one. The cancelled head of a lane stays: it
 * is what moves the lane on. */
static inline bool bury(struct event_queue *q, uint32_t slot)
{
    struct evq_link *l = evq_link(q, slot);
    if (!l->dead || l->lane) {
        return false;
    }
    l->dead = 0;
    q->n_dead--;
    evq_give(q, slot);
    return true;
}

static void sweep_bucket(struct event_queue *q, struct evq_level *l, uint32_t i)
{
    struct evq_bucket b = bucket_take(q, l, i);
    for (struct walk w = walk_of(b); w.left > 0; walk_off(q, &w)) {
        const struct entry *e = chunk_at(q, w.chunk);
        for (uint32_t k = 0; k < w.n; k++) {
            if (!bury(q, slot_of(&e[k]))) {
                level_add(q, l, e[k]);
                q->n_far++;
            }
        }
    }
}

/* Throws all cancelled entries out, so that memory follows what is pending. */
static void sweep(struct event_queue *q)
{
    for (uint32_t k = 0; k < q->n_levels; k++) {
        for (uint32_t i = 0; i < EVQ_BUCKETS; i++) {
            if (q->levels[k].buckets[i].count > 0) {
                sweep_bucket(q, &q->levels[k], i);
            }
        }
    }
    uint32_t n = q->n_front, kept = 0;
    struct entry *h = front_of(q);
    for (uint32_t i = 0; i < n; i++) {
        if (!bury(q, slot_of(&h[i]))) {
            h[kept++] = h[i];
        }
    }
    q->n_front = kept;
}

/* --- lanes and the whole -------------------------------------------------------------------- */

void evq_open(struct event_queue *q)
{
    memset(q, 0, sizeof *q);
    region_open(&q->events, "pending events", (size_t)SLOTS_MOST * sizeof(struct event));
    region_open(&q->links, "links of events", (size_t)SLOTS_MOST * sizeof(struct evq_link));
    region_open(&q->front, "the front of the event queue",
                2 * (size_t)SLOTS_MOST * sizeof(struct entry));
    region_open(&q->chunks, "the buckets of the event queue", CHUNKS_MOST * sizeof(struct chunk));
    region_open(&q->chains, "the chains of the event queue", CHUNKS_MOST * sizeof(uint32_t));
    region_reach(&q->front, sizeof(struct entry));
    front_of(q)[-1].key = UINT64_MAX;
    evq_reset(q);
}

void evq_close(struct event_queue *q)
{
    region_close(&q->events);
    region_close(&q->links);
    region_close(&q->front);
    region_close(&q->chunks);
    region_close(&q->chains);
}

void evq_reset(struct event_queue *q)
{
    memset(q->links.base, 0, q->n_slots * sizeof(struct evq_link));
    q->n_slots = 0;
    q->free_slot = EVQ_NONE;
    q->n_front = q->most_front = 0;
    q->spill_at = SPILL;
    for (; q->n_levels > 0; q->n_levels--) {
        while (innermost(q)->words) {
            bucket_take(q, innermost(q), first_bucket(innermost(q)));
        }
    }
    q->n_chunks = 0;
    q->free_chunk = EVQ_NONE;
    q->n_dead = 0;
    q->n_far = 0;
    q->n_pending = 0;
    q->base = LAST_KEY; /* all in front, until it grows too large */
    q->crowd = NULL;
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
           q->most_front * sizeof(struct entry) +
           q->n_chunks * (sizeof(struct chunk) + sizeof(uint32_t));
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

static inline bool comes_last(const struct evq_lane *l, const struct event *e)
{
    return e->time > l->last_time || (e->time == l->last_time && e->order > l->last_order);
}

static OUT_OF_LINE void push_proper(struct event_queue *q, uint32_t slot)
{
    if (__builtin_expect(q->n_front >= q->spill_at, 0)) {
        spill(q);
    }
    insert(q, entry_of(q, slot));
}

void evq_push(struct event_queue *q, uint32_t slot, uint16_t lane)
{
    struct evq_link *link = evq_link(q, slot);
    link->generation++;
    q->n_pending++;
    link->lane = lane && comes_last(&q->lanes[lane - 1], evq_event(q, slot)) ? lane : 0;
    if (!link->lane || !lane_append(q, &q->lanes[lane - 1], slot)) {
        push_proper(q, slot);
    }
}

void evq_defer(struct event_queue *q, uint32_t slot)
{
    evq_link(q, slot)->generation -= 2; /* what pushing and popping it have added */
    evq_push(q, slot, 0);
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

/* The event behind a lane's head has become it. */
static inline void promote(struct event_queue *q, uint32_t slot)
{
    insert(q, entry_of(q, slot));
    uint32_t after = evq_link(q, slot)->next; /* will be wanted when this one is popped */
    if (after != EVQ_NONE) {
        __builtin_prefetch(evq_event(q, after));
        __builtin_prefetch(evq_link(q, after));
    }
}

/* Takes the first event, in `slot`, out; the next of its lane goes into the front. */
static inline void take_first(struct event_queue *q, uint32_t slot)
{
    uint32_t lane = evq_link(q, slot)->lane;
    if (lane == EVQ_LANES + 1) {
        lane_advance(q, &q->lanes[EVQ_LANES]);
        return;
    }
    q->n_front--;
    uint32_t next = lane ? lane_advance(q, &q->lanes[lane - 1]) : EVQ_NONE;
    if (next != EVQ_NONE) {
        promote(q, next);
    }
}

/* Clears a cancelled event away that is the first. */
static OUT_OF_LINE void clear_first(struct event_queue *q, uint32_t slot)
{
    struct evq_link *link = evq_link(q, slot);
    q->n_dead -= link->lane == 0;
    take_first(q, slot);
    link->dead = 0;
    evq_give(q, slot);
}

/* The first event's slot, EVQ_NONE when there is none, or none before `limit` in front of a crowd;
 * cancelled ones are cleared away. */
static inline uint32_t peek(struct event_queue *q, sim_time limit)
{
    for (;;) {
        uint32_t slot = q->lanes[EVQ_LANES].head;
        if (slot == EVQ_NONE) {
            while (__builtin_expect(q->n_front == 0, 0)) {
                if (q->n_far == 0 || next_crowd(q) > (uint64_t)limit) {
                    return EVQ_NONE;
                }
                refill(q);
            }
            slot = slot_of(&front_of(q)[q->n_front - 1]);
        }
        if (__builtin_expect(!evq_link(q, slot)->dead, 1)) {
            return slot;
        }
        clear_first(q, slot);
    }
}

sim_time evq_next_time(struct event_queue *q)
{
    uint32_t slot = peek(q, 0);
    if (slot != EVQ_NONE) {
        return evq_event(q, slot)->time;
    }
    return q->n_far > 0 ? (sim_time)(q->crowd_key - 1) : SIM_TIME_NEVER;
}

uint32_t evq_pop_before(struct event_queue *q, sim_time limit)
{
    uint32_t slot = peek(q, limit);
    if (slot == EVQ_NONE || evq_event(q, slot)->time >= limit) {
        return EVQ_NONE;
    }
    take_first(q, slot);
    if (__builtin_expect(q->n_front > WHOLE, 0)) {
        __builtin_prefetch(evq_event(q, slot_of(&front_of(q)[q->n_front - AHEAD])));
        __builtin_prefetch(evq_link(q, slot_of(&front_of(q)[q->n_front - AHEAD])));
    }
    evq_link(q, slot)->generation++;
    q->n_pending--;
    return slot;
}

uint32_t evq_ahead(const struct event_queue *q, uint32_t ahead)
{
    return q->n_front > ahead ? slot_of(&front_of(q)[q->n_front - 1 - ahead]) : EVQ_NONE;
}

void evq_expect(struct event_queue *q)
{
    /* The next push sends the later part of a long front back to the buckets. In the front it would
     * have to be moved for every event that comes before it. */
    q->spill_at = SPILL;
}
