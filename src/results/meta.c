/* SPDX-License-Identifier: Apache-2.0 */
#include "results/meta.h"

/* The members in the order written; one list for both directions. */
#define TEXTS(X) X(name) X(config) X(overrides) X(resolved) X(command) X(software) X(git)
#define NUMBERS(X) \
    X(plan_hash, uint64_t) \
    X(seed, uint64_t) \
    X(n_points, uint64_t) \
    X(n_replications, uint64_t) \
    X(end, sim_time) \
    X(warmup, sim_time) \
    X(interval, sim_time)

void meta_encode(const struct results_meta *meta, struct buffer *to)
{
#define PUT_TEXT(member)         buffer_text(to, meta->member);
#define PUT_NUMBER(member, type) buffer_varint(to, (uint64_t)meta->member);
    TEXTS(PUT_TEXT)
    NUMBERS(PUT_NUMBER)
}

static const char *take_text(struct bytes *from, struct arena *arena)
{
    size_t length;
    const char *text = bytes_text(from, &length);
    return arena_text(arena, text ? text : "", length);
}

bool meta_decode(struct bytes *from, struct arena *arena, struct results_meta *meta)
{
    *meta = (struct results_meta){0};
#define GET_TEXT(member)         meta->member = take_text(from, arena);
#define GET_NUMBER(member, type) meta->member = (type)bytes_varint(from);
    TEXTS(GET_TEXT)
    NUMBERS(GET_NUMBER)
    return !from->bad && from->at == from->end;
}
