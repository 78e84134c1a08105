/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that grow, and how integers are written into them: LEB128 varints (7 bits a byte, least
 * significant first, shortest form) where small numbers abound, little-endian words where a place
 * must be known beforehand. Reading never leaves the bytes it was given.
 */
#ifndef SQUALL_RESULTS_BUFFER_H
#define SQUALL_RESULTS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    unsigned char *data; /* owned */
    size_t size, capacity;
};

/* A buffer set to zero is open and empty. */
void buffer_close(struct buffer *b);

/* Makes room for `more` bytes behind `size`; CHECKs that there is memory. */
void buffer_grow(struct buffer *b, size_t more);
static inline void buffer_reserve(struct buffer *b, size_t more)
{
    if (__builtin_expect(more > b->capacity - b->size, 0)) {
        buffer_grow(b, more);
    }
}

void buffer_bytes(struct buffer *b, const void *data, size_t size);

enum { VARINT_MOST = 10 /* [B] */ };

/* Writes a varint where there is room for VARINT_MOST bytes; returns the place behind it. */
static inline unsigned char *varint_put(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (unsigned char)(value | 0x80);
    }
    *at++ = (unsigned char)value;
    return at;
}

void buffer_varint(struct buffer *b, uint64_t value);
void buffer_u32(struct buffer *b, uint32_t value);
void buffer_u64(struct buffer *b, uint64_t value);
void buffer_text(struct buffer *b, const char *text); /* its length, then its bytes; NULL is "" */

/* Where reading has got to. `bad` stays set from the first thing that did not fit; then every
 * read yields 0. */
struct bytes {
    const unsigned char *at, *end; /* not owned */
    bool bad;
};

uint64_t bytes_varint(struct bytes *b); /* also bad: beyond 64 bits, or not the shortest form */
uint32_t bytes_u32(struct bytes *b);
uint64_t bytes_u64(struct bytes *b);
const char *bytes_text(struct bytes *b, size_t *length); /* not terminated; NULL when bad */

/* CRC-32C (Castagnoli), as iSCSI and ext4 use it: by the processor's own instruction where it has
 * one (x86 with SSE 4.2), else by crc32c_table, which comes to the same. */
uint32_t crc32c(const void *data, size_t size);
uint32_t crc32c_table(const void *data, size_t size);

#endif
