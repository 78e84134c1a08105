/* SPDX-License-Identifier: Apache-2.0 */
#include "results/meta.h"

#include <string.h>

#include "model/resolved.h"

/* The members in the order written; one list for both directions. */
#define TEXTS(X) X(name) X(config) X(overrides) X(resolved) X(command) X(software) X(git)
#define NUMBERS(X) \
    X(plan_hash, uint64_t) \
    X(seed, uint64_t) \
    X(n_points, uint64_t) \
    X(n_replications, uint64_t) \
    X(shard, uint32_t) \
    X(shards, uint32_t) \
    X(end, sim_time) \
    X(warmup, sim_time) \
    X(interval, sim_time)

static void put_points(const struct points *p, uint32_t n_groups, struct buffer *to)
{
    buffer_text(to, p->sweep);
    buffer_varint(to, p->uneven);
    buffer_varint(to, n_groups);
    for (uint32_t g = 0; g < n_groups; g++) {
        buffer_varint(to, p->counts[g]);
    }
    for (uint64_t k = 0; k < p->n; k++) {
        buffer_u64(to, p->items[k].hash);
        buffer_varint(to, p->items[k].events);
        buffer_text(to, p->items[k].patch);
    }
}

void meta_encode(const struct results_meta *meta, struct buffer *to)
{
#define PUT_TEXT(member)         buffer_text(to, meta->member);
#define PUT_NUMBER(member, type) buffer_varint(to, (uint64_t)meta->member);
    TEXTS(PUT_TEXT)
    NUMBERS(PUT_NUMBER)
    buffer_varint(to, meta->points ? meta->points->n : 0);
    if (meta->points) {
        put_points(meta->points, meta->blueprint->n_groups, to);
    }
}

static const char *take_text(struct bytes *from, struct arena *arena)
{
    size_t length;
    const char *text = bytes_text(from, &length);
    return arena_text(arena, text ? text : "", length);
}

static uint64_t left(const struct bytes *from)
{
    return (uint64_t)(from->end - from->at);
}

/* Bytes from anywhere: numbers of things are held against how many could be there. */
static struct points *take_points(struct bytes *from, uint64_t n, const char *resolved,
                                  struct arena *arena)
{
    struct points *p = arena_take(arena, sizeof *p);
    p->resolved = resolved;
    p->sweep = take_text(from, arena);
    p->uneven = bytes_varint(from) != 0;
    uint64_t n_groups = bytes_varint(from);
    if (from->bad || n_groups > left(from) || n > left(from)) {
        from->bad = true;
        return NULL;
    }
    p->counts = arena_take(arena, n_groups * sizeof *p->counts);
    for (uint64_t g = 0; g < n_groups; g++) {
        p->counts[g] = (uint32_t)bytes_varint(from);
    }
    p->n = n;
    p->items = arena_take(arena, n * sizeof *p->items);
    for (uint64_t k = 0; k < n; k++) {
        p->items[k].hash = bytes_u64(from);
        p->items[k].events = bytes_varint(from);
        p->items[k].patch = take_text(from, arena);
    }
    return p;
}

bool meta_decode(struct bytes *from, struct arena *arena, struct results_meta *meta)
{
    *meta = (struct results_meta){0};
#define GET_TEXT(member)         meta->member = take_text(from, arena);
#define GET_NUMBER(member, type) meta->member = (type)bytes_varint(from);
    TEXTS(GET_TEXT)
    NUMBERS(GET_NUMBER)
    uint64_t n = bytes_varint(from);
    if (n > 0 && !from->bad) {
        meta->points = take_points(from, n, meta->resolved, arena);
    }
    return !from->bad && from->at == from->end && (n == 0 || n == meta->n_points);
}

const char *meta_changes(const struct results_meta *before, const struct results_meta *after,
                         size_t most, struct arena *arena)
{
    const char *text = "";
    const char *const *changes = resolved_changes(before->resolved, after->resolved, arena);
    const char *was = before->points ? before->points->sweep : "";
    const char *is = after->points ? after->points->sweep : "";
    size_t n = 0;
    for (; changes[n] && n < most; n++) {
        text = arena_format(arena, "%s\n  %s", text, changes[n]);
    }
    if (strcmp(was, is) != 0 && n < most) { /* each is a line of its own, or nothing */
        text = arena_format(arena, "%s\n  %s%.*s -> %.*s", text, was[0] ? "" : "no sweep",
                            (int)strcspn(was, "\n"), was, is[0] ? (int)strcspn(is, "\n") : 8,
                            is[0] ? is : "no sweep");
    }
    return text;
}

const struct blueprint *meta_model(const struct results_meta *meta, uint64_t point,
                                   struct results_error *e)
{
    if (!meta->points) {
        return meta->blueprint;
    }
    const struct study *s = points_study(meta->points, point);
    if (!s) {
        results_fail(e,
                     "point %llu was planned by %s, which understood its configuration "
                     "differently; go on with that version",
                     (unsigned long long)point, meta->software);
        return NULL;
    }
    return &s->blueprint;
}
