/* SPDX-License-Identifier: Apache-2.0 */
#include "results/journal_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
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
    buffer_u32(&body, frame->kind);
    buffer_u64(&body, frame->size);
    buffer_u64(&body, frame->point);
    buffer_u64(&body, frame->replication);
    buffer_u64(&body, frame->wall_ns);
    buffer_u64(&body, frame->note_size);
    buffer_u32(&body, frame->crc);
    buffer_u32(&body, frame->note_crc);
    buffer_bytes(to, JOURNAL_FRAME_MAGIC, 4);
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

bool journal_is_file_name(const char *name)
{
    size_t n = strlen(name), m = strlen(JOURNAL_SUFFIX);
    return n > m && strcmp(name + n - m, JOURNAL_SUFFIX) == 0;
}

bool journal_lock(int fd)
{
    enum { TRIES = 20, PAUSE_NS = 5000000 };
    for (int i = 1; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK || i == TRIES) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return true;
}

bool journal_is_locked(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK;
    }
    flock(fd, LOCK_UN);
    return false;
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

/* Format 1 began its meta with the same texts, of which the sixth is the version. */
static enum journal_state older(int fd, const char *path, uint64_t file_size, uint32_t format,
                                struct results_error *e)
{
    enum { MOST = 1 << 26, VERSION = 6 };
    uint64_t n = file_size < JOURNAL_HEAD ? 0 : file_size - JOURNAL_HEAD;
    struct buffer meta = {0};
    n = n < MOST ? n : MOST;
    buffer_reserve(&meta, (size_t)n);
    if (!journal_pread(fd, meta.data, n, JOURNAL_HEAD)) {
        n = 0;
    }
    struct bytes b = {.at = meta.data, .end = meta.data + n};
    const char *version = NULL;
    size_t length = 0;
    for (int i = 0; i < VERSION; i++) {
        version = bytes_text(&b, &length);
    }
    results_fail(e,
                 "%s was written by %.*s: journal format %" PRIu32
                 ", this program reads %d; finish it with that version, or remove it and run the "
                 "study anew",
                 path, version ? (int)(length < 64 ? length : 64) : 15,
                 version ? version : "an older squall", format, JOURNAL_FORMAT);
    buffer_close(&meta);
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
        return wrong(e, path, "is not a journal of squall; move it away");
    }
    struct bytes b = {.at = raw + (have < 8 ? have : 8), .end = raw + have};
    uint32_t format = bytes_u32(&b);
    if (!b.bad && format > JOURNAL_FORMAT) {
        results_fail(e,
                     "%s was written by a newer squall: journal format %" PRIu32
                     ", this program reads %d; finish it with that version",
                     path, format, JOURNAL_FORMAT);
        return JOURNAL_FAILED;
    }
    if (!b.bad && format < JOURNAL_FORMAT) {
        return older(fd, path, file_size, format, e);
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

/* Of bytes that may be anything. */
static bool get_frame(const unsigned char *raw, struct journal_frame *frame)
{
    struct bytes b = {.at = raw + 4, .end = raw + JOURNAL_FRAME};
    uint32_t crc = bytes_u32(&b);
    if (memcmp(raw, JOURNAL_FRAME_MAGIC, 4) != 0 || crc != crc32c(b.at, (size_t)(b.end - b.at))) {
        return false;
    }
    frame->kind = bytes_u32(&b);
    frame->size = bytes_u64(&b);
    frame->point = bytes_u64(&b);
    frame->replication = bytes_u64(&b);
    frame->wall_ns = bytes_u64(&b);
    frame->note_size = bytes_u64(&b);
    frame->crc = bytes_u32(&b);
    frame->note_crc = bytes_u32(&b);
    return true;
}

uint64_t journal_frame_length(const struct journal_frame *frame)
{
    return JOURNAL_FRAME + frame->size + frame->note_size;
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
    uint64_t left = file_size - offset - JOURNAL_FRAME;
    if (!get_frame(raw, frame) || frame->size > left || frame->note_size > left - frame->size) {
        return JOURNAL_TORN;
    }
    uint64_t size = frame->size + frame->note_size;
    payload->size = 0;
    buffer_reserve(payload, (size_t)size);
    if (!journal_pread(fd, payload->data, size, offset + JOURNAL_FRAME)) {
        return unread(e, path);
    }
    payload->size = (size_t)size;
    return crc32c(payload->data, frame->size) == frame->crc &&
                   crc32c(payload->data + frame->size, frame->note_size) == frame->note_crc
               ? JOURNAL_WHOLE
               : JOURNAL_DAMAGED;
}

enum journal_state journal_frame_peek(int fd, const char *path, uint64_t offset, uint64_t file_size,
                                      size_t most, struct journal_frame *frame,
                                      struct buffer *payload, struct results_error *e)
{
    uint64_t left = file_size - offset, n = JOURNAL_FRAME + (uint64_t)most;
    n = n < left ? n : left;
    payload->size = 0;
    buffer_reserve(payload, (size_t)n);
    if (n < JOURNAL_FRAME) {
        return JOURNAL_TORN;
    }
    if (!journal_pread(fd, payload->data, n, offset)) {
        return unread(e, path);
    }
    left -= JOURNAL_FRAME;
    if (!get_frame(payload->data, frame) || frame->size > left ||
        frame->note_size > left - frame->size) {
        return JOURNAL_TORN;
    }
    n -= JOURNAL_FRAME;
    payload->size = (size_t)(n < frame->size ? n : frame->size);
    memmove(payload->data, payload->data + JOURNAL_FRAME, payload->size);
    return JOURNAL_WHOLE;
}

enum journal_state journal_frame_seek(int fd, const char *path, uint64_t *at, uint64_t file_size,
                                      struct results_error *e)
{
    enum { PART = 1 << 16 }; /* [B] looked through at a time; parts overlap by a header */
    static unsigned char part[PART];
    for (uint64_t from = *at + 1; from < file_size && file_size - from >= JOURNAL_FRAME;) {
        uint64_t n = file_size - from < PART ? file_size - from : PART;
        if (!journal_pread(fd, part, n, from)) {
            return unread(e, path);
        }
        for (uint64_t i = 0; i + JOURNAL_FRAME <= n; i++) {
            struct journal_frame frame;
            if (part[i] == JOURNAL_FRAME_MAGIC[0] && get_frame(part + i, &frame)) {
                *at = from + i;
                return JOURNAL_WHOLE;
            }
        }
        from += n - JOURNAL_FRAME + 1;
    }
    return JOURNAL_TORN;
}
