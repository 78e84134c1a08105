/* SPDX-License-Identifier: Apache-2.0 */
#include "results/journal_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void journal_head_put(const struct journal_head *head, struct buffer *to)
{
    size_t start = to->size;
    buffer_bytes(to, JOURNAL_MAGIC, 8);
    buffer_u32(to, JOURNAL_FORMAT);
    buffer_u64(to, head->plan_hash);
    buffer_u64(to, head->meta_size);
    buffer_u32(to, head->meta_crc);
    buffer_u32(to, crc32c(to->data + start, to->size - start));
}

void journal_frame_put(const struct journal_frame *frame, struct buffer *to)
{
    /* The checksum stands before what it covers, so it is made from a copy. */
    struct buffer body = {0};
    buffer_u64(&body, frame->size);
    buffer_u64(&body, frame->point);
    buffer_u64(&body, frame->replication);
    buffer_u64(&body, frame->wall_ns);
    buffer_u32(&body, frame->crc);
    buffer_u32(to, JOURNAL_FRAME_MAGIC);
    buffer_u32(to, crc32c(body.data, body.size));
    buffer_bytes(to, body.data, body.size);
    buffer_close(&body);
}

bool journal_pread(int fd, void *to, uint64_t size, uint64_t offset)
{
    for (unsigned char *p = to; size > 0;) {
        ssize_t n = pread(fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return false;
        }
        p += n;
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return true;
}

bool journal_other_plan(struct results_error *e, const char *path, uint64_t found, uint64_t wanted)
{
    return results_fail(
        e, "%s belongs to another study: its plan is %016" PRIx64 ", this one's is %016" PRIx64,
        path, found, wanted);
}

static enum journal_state wrong(struct results_error *e, const char *path, const char *why)
{
    results_fail(e, "%s %s", path, why);
    return JOURNAL_FAILED;
}

/* A file may be cut while it is read (its writer drops a torn end); a disk that fails is an error,
 * for what cannot be read now must not be taken for absent. */
static enum journal_state unread(struct results_error *e, const char *path)
{
    if (errno == 0) {
        return JOURNAL_TORN;
    }
    results_fail(e, "cannot read %s: %s", path, strerror(errno));
    return JOURNAL_FAILED;
}

enum journal_state journal_head_read(int fd, const char *path, uint64_t file_size,
                                     struct journal_head *head, struct buffer *meta,
                                     struct results_error *e)
{
    unsigned char raw[JOURNAL_HEAD];
    size_t have = file_size < JOURNAL_HEAD ? (size_t)file_size : JOURNAL_HEAD;
    if (!journal_pread(fd, raw, have, 0)) {
        return unread(e, path);
    }
    if (memcmp(raw, JOURNAL_MAGIC, have < 8 ? have : 8) != 0) {
        return wrong(e, path, "is not a journal of squall");
    }
    struct bytes b = {.at = raw + (have < 8 ? have : 8), .end = raw + have};
    uint32_t format = bytes_u32(&b);
    if (!b.bad && format > JOURNAL_FORMAT) {
        results_fail(e,
                     "%s was written by a newer squall: journal format %" PRIu32
                     ", this program reads up to %d",
                     path, format, JOURNAL_FORMAT);
        return JOURNAL_FAILED;
    }
    if (have < JOURNAL_HEAD) {
        return JOURNAL_TORN;
    }
    head->plan_hash = bytes_u64(&b);
    head->meta_size = bytes_u64(&b);
    head->meta_crc = bytes_u32(&b);
    if (bytes_u32(&b) != crc32c(raw, JOURNAL_HEAD - 4)) {
        return wrong(e, path, "has a damaged header");
    }
    if (head->meta_size > file_size - JOURNAL_HEAD) {
        return JOURNAL_TORN;
    }
    meta->size = 0;
    buffer_reserve(meta, (size_t)head->meta_size);
    if (!journal_pread(fd, meta->data, head->meta_size, JOURNAL_HEAD)) {
        return unread(e, path);
    }
    meta->size = (size_t)head->meta_size;
    if (crc32c(meta->data, meta->size) != head->meta_crc) {
        return wrong(e, path, "has a damaged header");
    }
    return JOURNAL_WHOLE;
}

enum journal_state journal_frame_read(int fd, const char *path, uint64_t offset, uint64_t file_size,
                                      struct journal_frame *frame, struct buffer *payload,
                                      struct results_error *e)
{
    unsigned char raw[JOURNAL_FRAME];
    if (file_size - offset < JOURNAL_FRAME) {
        return JOURNAL_TORN;
    }
    if (!journal_pread(fd, raw, sizeof raw, offset)) {
        return unread(e, path);
    }
    struct bytes b = {.at = raw, .end = raw + sizeof raw};
    uint32_t magic = bytes_u32(&b), crc = bytes_u32(&b);
    if (magic != JOURNAL_FRAME_MAGIC || crc != crc32c(b.at, (size_t)(b.end - b.at))) {
        return JOURNAL_TORN;
    }
    frame->size = bytes_u64(&b);
    frame->point = bytes_u64(&b);
    frame->replication = bytes_u64(&b);
    frame->wall_ns = bytes_u64(&b);
    frame->crc = bytes_u32(&b);
    if (frame->size > file_size - offset - JOURNAL_FRAME) {
        return JOURNAL_TORN;
    }
    payload->size = 0;
    buffer_reserve(payload, (size_t)frame->size);
    if (!journal_pread(fd, payload->data, frame->size, offset + JOURNAL_FRAME)) {
        return unread(e, path);
    }
    payload->size = (size_t)frame->size;
    return crc32c(payload->data, payload->size) == frame->crc ? JOURNAL_WHOLE : JOURNAL_DAMAGED;
}
