/* SPDX-License-Identifier: Apache-2.0
 *
 * A region is one contiguous block of memory that grows without ever moving: its whole address
 * range is reserved at open and pages are committed as it grows. This is why event handlers need
 * neither malloc nor pointers that change under them.
 */
#ifndef SQUALL_BASE_REGION_H
#define SQUALL_BASE_REGION_H

#include <stddef.h>

struct region {
    unsigned char *base; /* owned; page aligned */
    size_t used;         /* [B] handed out */
    size_t committed;    /* [B] readable and writable */
    size_t reserved;     /* [B] address space */
    const char *what;    /* for messages; not owned */
};

/* Reserves `most` bytes of address space for `what`. CHECKs that the system grants it. */
void region_open(struct region *r, const char *what, size_t most);
void region_close(struct region *r);

/* Makes the first `size` bytes usable. New bytes are zero. CHECKs against `most`. */
void region_reach(struct region *r, size_t size);

/* Appends `size` bytes at an alignment of `align` (a power of two); they are zero unless
 * region_rewind gave them back before. */
void *region_take(struct region *r, size_t size, size_t align);

/* Gives back everything above `used` bytes; the memory stays committed and is not cleared. */
void region_rewind(struct region *r, size_t used);

#endif
