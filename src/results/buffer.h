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
void buffer_reserve(struct buffer *b, size_t more);
void buffer_bytes(struct buffer *b, const void *data, size_t size);
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

/* CRC-32C (Castagnoli), as iSCSI and ext4 use it. */
uint32_t crc32c(const void *data, size_t size);

#endif
