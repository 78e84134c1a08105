/* SPDX-License-Identifier: Apache-2.0
 *
 * An arena owns everything of one life time (a configuration, a model): things are taken from it
 * one by one and freed all at once. Not for use inside event handlers.
 */
#ifndef SQUALL_BASE_ARENA_H
#define SQUALL_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena {
    struct arena_block *last; /* owned; newest block first */
};

/* An arena set to zero is open and empty. */
void arena_close(struct arena *a);

/* `size` zeroed bytes aligned for any type; never NULL (CHECKs). `size` 0 gives a valid address. */
void *arena_take(struct arena *a, size_t size);
char *arena_text(struct arena *a, const char *text, size_t length); /* copy, terminated */
char *arena_copy(struct arena *a, const char *text);                /* copy of a C string */
char *arena_format(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
