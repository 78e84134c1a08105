/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct arena_block {
    struct arena_block *before;
    size_t used, size;
    max_align_t data[];
};

enum { BLOCK = 1 << 16, ALIGN = sizeof(max_align_t) };

void arena_close(struct arena *a)
{
    while (a->last) {
        struct arena_block *before = a->last->before;
        free(a->last);
        a->last = before;
    }
}

void *arena_take(struct arena *a, size_t size)
{
    CHECK(size < SIZE_MAX / 4, "a request for %zu bytes", size);
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (!a->last || a->last->size - a->last->used < size) {
        size_t room = size > BLOCK ? size : BLOCK;
        struct arena_block *b = calloc(1, sizeof *b + room);
        CHECK(b, "out of memory (%zu bytes)", room);
        b->size = room;
        b->before = a->last;
        a->last = b;
    }
    void *p = (char *)a->last->data + a->last->used;
    a->last->used += size;
    return p;
}

char *arena_text(struct arena *a, const char *text, size_t length)
{
    char *copy = arena_take(a, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_copy(struct arena *a, const char *text)
{
    return arena_text(a, text, strlen(text));
}

char *arena_format(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(n >= 0, "cannot format '%s'", fmt);
    char *text = arena_take(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
