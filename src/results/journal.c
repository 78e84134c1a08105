/* SPDX-License-Identifier: Apache-2.0 */
#include "results/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "results/durable.h"
#include "results/journal_file.h"

#define SYNC_NS     INT64_C(1000000000) /* what the end of the machine may cost */
#define GATHER_NS   INT64_C(5000000)    /* what the end of the program may cost */
#define GATHER_MOST (256 * 1024)        /* [B] */
#define SYNC_SHARE  20                  /* a sync takes at most one of so many parts of the time */

struct journal {
    int fd;
    char *path, *dir; /* owned */
    uint64_t end;     /* [B] of what was written */
    int64_t written;  /* [ns] monotonic clock at the last write */
    int64_t due;      /* [ns] monotonic clock at the next sync */
    bool dirty;       /* appended to since */
    bool failed;
    struct buffer frame; /* scratch, and frames that were not written yet */
};

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * SIM_TIME_S + t.tv_nsec;
}

bool journal_create(const char *dir, struct results_error *e)
{
    if (mkdir(dir, 0777) == 0) {
        return durable_name(dir, e);
    }
    if (errno == EEXIST) {
        return results_fail(e,
                            "%s exists and may hold finished replications: go on with "
                            "'squall resume %s', or remove it to start anew",
                            dir, dir);
    }
    return results_fail(e, "cannot make %s: %s; --output names another place", dir,
                        strerror(errno));
}

static bool cannot_write(const struct journal *j, int why, struct results_error *e)
{
    return results_fail(e,
                        "cannot write %s: %s; finished replications are safe: %s and run "
                        "'squall resume %s'",
                        j->path, strerror(why),
                        why == ENOSPC || why == EDQUOT ? "free space"
                        : why == EFBIG                 ? "raise the limit on file sizes (ulimit -f)"
                                                       : "see to the disk",
                        j->dir);
}

/* Writes the frames in one call, or cuts the file back to where it ended. */
static bool write_frames(struct journal *j, struct results_error *e)
{
    uint64_t done = 0;
    while (done < j->frame.size) {
        ssize_t wrote = write(j->fd, j->frame.data + done, j->frame.size - done);
        if (wrote > 0) {
            done += (uint64_t)wrote;
        } else if (wrote == 0 || errno != EINTR) {
            int why = wrote == 0 ? ENOSPC : errno;
            j->failed = true;
            /* Should cutting fail, too, whoever opens the file next drops the torn frame. */
            int cut = ftruncate(j->fd, (off_t)j->end);
            (void)cut;
            return cannot_write(j, why, e);
        }
    }
    j->end += j->frame.size;
    j->frame.size = 0;
    j->dirty = true;
    return true;
}

/* Whether the file is the one that has its name. An error other than that there is none says
 * nothing about it. */
static bool is_in_place(const struct journal *j)
{
    struct stat open_one, named;
    if (fstat(j->fd, &open_one) != 0) {
        return true;
    }
    if (stat(j->path, &named) != 0) {
        return open_one.st_nlink > 0 && errno != ENOENT && errno != ENOTDIR;
    }
    return open_one.st_nlink > 0 && named.st_ino == open_one.st_ino;
}

bool journal_sync(struct journal *j, struct results_error *e)
{
    if (j->failed) {
        return false;
    }
    if (j->frame.size > 0 && !write_frames(j, e)) {
        return false;
    }
    int64_t began = clock_ns();
    if (j->dirty && fdatasync(j->fd) != 0) {
        j->failed = true;
        return cannot_write(j, errno, e);
    }
    int64_t took = clock_ns() - began;
    j->due = began + (SYNC_SHARE * took > SYNC_NS ? SYNC_SHARE * took : SYNC_NS);
    j->dirty = false;
    if (!is_in_place(j)) {
        j->failed = true;
        return results_fail(e,
                            "%s was deleted or moved while it was being written; if %s was moved, "
                            "go on with 'squall resume' where it is now, else run the study anew",
                            j->path, j->dir);
    }
    return true;
}

/* Adds a frame to those that are not written yet. */
static void put_record(struct journal *j, const struct journal_record *record)
{
    const char *note = record->note ? record->note : "";
    struct journal_frame frame = {.kind = JOURNAL_RECORD,
                                  .point = record->point,
                                  .replication = record->replication,
                                  .wall_ns = record->wall_ns,
                                  .size = record->size,
                                  .note_size = strlen(note),
                                  .crc = crc32c(record->payload, record->size),
                                  .note_crc = crc32c(note, strlen(note))};
    journal_frame_put(&frame, &j->frame);
    buffer_bytes(&j->frame, record->payload, record->size);
    buffer_bytes(&j->frame, note, strlen(note));
}

/* Writes, and syncs when it is time to. */
static bool write_at(struct journal *j, int64_t now, struct results_error *e)
{
    j->written = now;
    return write_frames(j, e) && (now < j->due || journal_sync(j, e));
}

bool journal_gather(struct journal *j, const struct journal_record *record, struct results_error *e)
{
    if (j->failed) {
        return results_fail(e, "cannot write %s: an earlier write failed", j->path);
    }
    put_record(j, record);
    int64_t now = clock_ns();
    return (now - j->written < GATHER_NS && j->frame.size < GATHER_MOST) || write_at(j, now, e);
}

bool journal_flush(struct journal *j, struct results_error *e)
{
    return !j->failed && (j->frame.size == 0 || write_at(j, clock_ns(), e));
}

bool journal_append(struct journal *j, const struct journal_record *record, struct results_error *e)
{
    return journal_gather(j, record, e) && journal_flush(j, e);
}

static bool write_session(struct journal *j, const struct journal_session *session,
                          struct results_error *e)
{
    struct buffer body = {0};
    journal_session_put(session, &body);
    struct journal_frame frame = {
        .kind = JOURNAL_SESSION, .size = body.size, .crc = crc32c(body.data, body.size)};
    j->frame.size = 0;
    journal_frame_put(&frame, &j->frame);
    buffer_bytes(&j->frame, body.data, body.size);
    buffer_close(&body);
    return write_frames(j, e);
}

static bool write_head(struct journal *j, const struct results_meta *meta, struct results_error *e)
{
    struct buffer text = {0};
    meta_encode(meta, &text);
    struct journal_head head = {.plan_hash = meta->plan_hash,
                                .meta_size = text.size,
                                .meta_crc = crc32c(text.data, text.size)};
    j->frame.size = 0;
    journal_head_put(&head, &j->frame);
    buffer_bytes(&j->frame, text.data, text.size);
    buffer_close(&text);
    return write_frames(j, e) && journal_sync(j, e) && durable_name(j->path, e);
}

static bool cut(struct journal *j, uint64_t to, struct results_error *e)
{
    j->end = to;
    return ftruncate(j->fd, (off_t)to) == 0 ||
           results_fail(e, "cannot cut the torn end off %s: %s", j->path, strerror(errno));
}

/* Finds the end of the last whole frame and drops what follows it. What is damaged before it
 * stays. */
static bool find_end(struct journal *j, uint64_t file_size, uint64_t start, struct results_error *e)
{
    j->end = start;
    for (uint64_t at = start; at < file_size;) {
        struct journal_frame frame;
        enum journal_state state =
            journal_frame_read(j->fd, j->path, at, file_size, &frame, &j->frame, e);
        if (state == JOURNAL_FAILED) {
            return false;
        }
        if (state != JOURNAL_TORN) {
            at += journal_frame_length(&frame);
            j->end = state == JOURNAL_WHOLE ? at : j->end;
            continue;
        }
        state = journal_frame_seek(j->fd, j->path, &at, file_size, e);
        if (state == JOURNAL_FAILED) {
            return false;
        }
        if (state == JOURNAL_TORN) {
            break;
        }
    }
    return j->end == file_size || cut(j, j->end, e);
}

/* Brings the locked file into a state to append to. */
static bool prepare(struct journal *j, const struct results_meta *meta, struct results_error *e)
{
    struct stat status;
    if (fstat(j->fd, &status) != 0) {
        return results_fail(e, "cannot read %s: %s", j->path, strerror(errno));
    }
    uint64_t size = (uint64_t)status.st_size;
    struct journal_head head;
    switch (journal_head_read(j->fd, j->path, size, &head, &j->frame, e)) {
    case JOURNAL_FAILED:
    case JOURNAL_DAMAGED:
        return false;
    case JOURNAL_TORN:
        return cut(j, 0, e) && write_head(j, meta, e);
    case JOURNAL_WHOLE:
        break;
    }
    if (head.plan_hash != meta->plan_hash) {
        return journal_other_plan(e, j->path, head.plan_hash, meta->plan_hash);
    }
    return find_end(j, size, JOURNAL_HEAD + head.meta_size, e);
}

static bool open_locked(struct journal *j, struct results_error *e)
{
    j->fd = open(j->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (j->fd < 0) {
        return results_fail(e, "cannot open %s: %s%s", j->path, strerror(errno),
                            errno == ENOENT ? "; was the journal deleted or moved meanwhile?"
                                            : "; see that it is a file that you may write");
    }
    if (journal_lock(j->fd)) {
        return true;
    }
    if (errno == EWOULDBLOCK) {
        return results_fail(e, "%s is being written by another process: is this study running?",
                            j->path);
    }
    return results_fail(e, "cannot lock %s: %s", j->path, strerror(errno));
}

static void release(struct journal *j)
{
    if (j->fd >= 0) {
        close(j->fd);
    }
    buffer_close(&j->frame);
    free(j->path);
    free(j->dir);
    free(j);
}

struct journal *journal_open_append(const char *dir, uint32_t writer,
                                    const struct results_meta *meta,
                                    const struct journal_session *session, struct results_error *e)
{
    struct journal *j = calloc(1, sizeof *j);
    CHECK(j != NULL, "out of memory for a journal");
    j->dir = strdup(dir);
    int length = asprintf(&j->path, "%s/rank-%06" PRIu32 JOURNAL_SUFFIX, dir, writer);
    CHECK(j->dir != NULL && length > 0, "out of memory for a journal");
    j->due = clock_ns() + SYNC_NS;
    bool ready = open_locked(j, e) && prepare(j, meta, e);
    j->frame.size = 0;
    if (!ready || (session && !write_session(j, session, e))) {
        release(j);
        return NULL;
    }
    return j;
}

bool journal_close(struct journal *j, struct results_error *e)
{
    if (!j) {
        return true;
    }
    bool ok = journal_sync(j, e);
    release(j);
    return ok;
}

/* Deletes one file, unless somebody is writing it. */
static bool remove_file(int dir_fd, const char *dir, const char *name, struct results_error *e)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 || results_fail(e, "cannot open %s/%s: %s", dir, name, strerror(errno));
    if (ok && !journal_lock(fd)) {
        ok = results_fail(e, "%s is in use: a run of this study is under way", dir);
    }
    if (ok && unlinkat(dir_fd, name, 0) != 0) {
        ok = results_fail(e, "cannot remove %s/%s: %s", dir, name, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

bool journal_remove(const char *dir, struct results_error *e)
{
    DIR *d = opendir(dir);
    if (!d) {
        return results_fail(e, "cannot read %s: %s", dir, strerror(errno));
    }
    bool ok = true;
    const struct dirent *entry;
    while (ok && (entry = readdir(d))) {
        ok = !journal_is_file_name(entry->d_name) || remove_file(dirfd(d), dir, entry->d_name, e);
    }
    closedir(d);
    if (ok && rmdir(dir) != 0) {
        ok = errno == ENOTEMPTY || errno == EEXIST
                 ? results_fail(e, "%s holds files that squall did not write, and stays", dir)
                 : results_fail(e, "cannot remove %s: %s", dir, strerror(errno));
    }
    return ok;
}
