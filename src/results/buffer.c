/* SPDX-License-Identifier: Apache-2.0 */
#include "results/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

void buffer_close(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

void buffer_grow(struct buffer *b, size_t more)
{
    size_t want = b->capacity < 256 ? 256 : b->capacity * 2;
    want = want < b->size + more ? b->size + more : want;
    unsigned char *data = realloc(b->data, want);
    CHECK(data != NULL, "out of memory for %zu bytes of results", want);
    b->data = data;
    b->capacity = want;
}

void buffer_bytes(struct buffer *b, const void *data, size_t size)
{
    if (size > 0) {
        buffer_reserve(b, size);
        memcpy(b->data + b->size, data, size);
        b->size += size;
    }
}

void buffer_varint(struct buffer *b, uint64_t value)
{
    buffer_reserve(b, VARINT_MOST);
    b->size = (size_t)(varint_put(b->data + b->size, value) - b->data);
}

static void put_word(struct buffer *b, uint64_t value, int n)
{
    buffer_reserve(b, (size_t)n);
    for (int i = 0; i < n; i++) {
        b->data[b->size++] = (unsigned char)(value >> 8 * i);
    }
}

void buffer_u32(struct buffer *b, uint32_t value)
{
    put_word(b, value, 4);
}

void buffer_u64(struct buffer *b, uint64_t value)
{
    put_word(b, value, 8);
}

void buffer_text(struct buffer *b, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    buffer_varint(b, n);
    buffer_bytes(b, text, n);
}

static uint64_t give_up(struct bytes *b)
{
    b->bad = true;
    b->at = b->end;
    return 0;
}

uint64_t bytes_varint(struct bytes *b)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && b->at < b->end; shift += 7) {
        uint64_t byte = *b->at++;
        if (shift == 63 && byte > 1) {
            return give_up(b);
        }
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return byte == 0 && shift > 0 ? give_up(b) : value;
        }
    }
    return give_up(b);
}

static uint64_t get_word(struct bytes *b, int n)
{
    if (b->end - b->at < n) {
        return give_up(b);
    }
    uint64_t value = 0;
    for (int i = 0; i < n; i++) {
        value |= (uint64_t)*b->at++ << 8 * i;
    }
    return value;
}

uint32_t bytes_u32(struct bytes *b)
{
    return (uint32_t)get_word(b, 4);
}

uint64_t bytes_u64(struct bytes *b)
{
    return get_word(b, 8);
}

const char *bytes_text(struct bytes *b, size_t *length)
{
    uint64_t n = bytes_varint(b);
    if (b->bad || n > (uint64_t)(b->end - b->at)) {
        give_up(b);
        *length = 0;
        return NULL;
    }
    const char *text = (const char *)b->at;
    b->at += n;
    *length = (size_t)n;
    return text;
}

uint32_t crc32c_table(const void *data, size_t size)
{
    /* Four bits at a time: the table is short enough to be seen whole, and the remainders of
     * x^4 * i modulo the reflected polynomial 0x82f63b78 are easily checked by hand. */
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    const unsigned char *p = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t crc = UINT32_MAX;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; size > 0; size--, p++) {
        crc = _mm_crc32_u8((uint32_t)crc, *p);
    }
    return ~(uint32_t)crc;
}

uint32_t crc32c(const void *data, size_t size)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse(data, size) : crc32c_table(data, size);
}
#else
uint32_t crc32c(const void *data, size_t size)
{
    return crc32c_table(data, size);
}
#endif
