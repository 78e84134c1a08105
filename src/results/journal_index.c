/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "results/journal.h"
#include "results/journal_file.h"
#include "results/record.h"

enum { HEAD_MOST = 128 }; /* [B] of a record that hold its head, and more */
enum { MOST_OPEN = 128 }; /* files held open for reading: well below the usual limit of 1024 */

struct journal_file {
    char *path;                    /* owned */
    int fd;                        /* -1: not open */
    struct journal_file_look look; /* without the path */
};

static void *grow(void *old, size_t n, size_t size)
{
    /* Powers of two, so that appending one by one stays cheap. */
    if (n & (n - 1)) {
        return old;
    }
    void *p = realloc(old, (n ? 2 * n : 1) * size);
    CHECK(p != NULL, "out of memory for %zu replications", n);
    return p;
}

static bool file_open(struct journal_index *index, uint32_t file, struct results_error *e)
{
    struct journal_file *f = &index->files[file];
    if (f->fd >= 0) {
        return true;
    }
    if (index->n_open == MOST_OPEN) {
        for (size_t i = 0; i < index->n_files; i++) {
            if (index->files[i].fd >= 0) {
                close(index->files[i].fd);
                index->files[i].fd = -1;
            }
        }
        index->n_open = 0;
    }
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0) {
        return results_fail(e, "cannot open %s: %s", f->path, strerror(errno));
    }
    index->n_open++;
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct journal_file *)a)->path, ((const struct journal_file *)b)->path);
}

/* Adds the journal files of a directory, in the order of their names. */
static bool list_files(struct journal_index *index, const char *dir, size_t place,
                       struct results_error *e)
{
    DIR *d = opendir(dir);
    if (!d) {
        return results_fail(e, "cannot open the journal %s: %s%s", dir, strerror(errno),
                            errno == ENOTDIR
                                ? " (a journal is a directory; if this file is in its way, move it)"
                            : errno == ENOENT ? " (when all is done, it makes way for the results)"
                                              : "");
    }
    size_t first = index->n_files;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (journal_is_file_name(entry->d_name)) {
            struct journal_file *f;
            index->files = grow(index->files, index->n_files, sizeof *index->files);
            f = &index->files[index->n_files++];
            f->fd = -1;
            f->look = (struct journal_file_look){.dir = place, .session = JOURNAL_NO_SESSION};
            CHECK(asprintf(&f->path, "%s/%s", dir, entry->d_name) > 0, "out of memory for a path");
        }
    }
    closedir(d);
    if (index->n_files > first) {
        qsort(index->files + first, index->n_files - first, sizeof *index->files, by_path);
    }
    return true;
}

/* `payload` may be the beginning of it. */
static void add_entry(struct journal_index *index, const struct journal_frame *frame, uint32_t file,
                      uint64_t at, uint32_t session, const struct buffer *payload)
{
    struct results_error unwanted = {""};
    struct record_head head;
    bool known = record_head_decode(payload->data, payload->size, &head, &unwanted);
    index->entries = grow(index->entries, index->n, sizeof *index->entries);
    index->entries[index->n++] =
        (struct journal_entry){.point = frame->point,
                               .replication = frame->replication,
                               .wall_ns = frame->wall_ns,
                               .offset = at + JOURNAL_FRAME,
                               .size = frame->size,
                               .note_size = frame->note_size,
                               .file = file,
                               .crc = frame->crc,
                               .session = session,
                               .status = known ? head.status : RUN_STATUSES,
                               .events = known ? head.events : 0};
}

/* Returns the session's place. */
static uint32_t add_session(struct journal_index *index, const struct buffer *payload)
{
    struct bytes bytes = {.at = payload->data, .end = payload->data + payload->size};
    struct journal_session session;
    if (!journal_session_get(&bytes, &index->memory, &session)) {
        index->damaged++;
        return JOURNAL_NO_SESSION;
    }
    index->sessions = grow(index->sessions, index->n_sessions, sizeof *index->sessions);
    index->sessions[index->n_sessions] = session;
    return (uint32_t)index->n_sessions++;
}

/* Takes up a frame at `at` that is there; `session` is that of the file so far. */
static void take_frame(struct journal_index *index, const struct journal_frame *frame,
                       enum journal_state state, uint32_t file, uint64_t at,
                       const struct buffer *payload, uint32_t *session)
{
    bool whole = state == JOURNAL_WHOLE;
    index->damaged += !whole;
    if (frame->kind == JOURNAL_SESSION) {
        *session = whole ? add_session(index, payload) : JOURNAL_NO_SESSION;
    } else if (frame->kind == JOURNAL_RECORD && whole) {
        add_entry(index, frame, file, at, *session, payload);
    }
}

static enum journal_state next_frame(const struct journal_index *index,
                                     const struct journal_file *f, uint64_t at, uint64_t file_size,
                                     struct journal_frame *frame, struct buffer *payload,
                                     struct results_error *e)
{
    if (index->glance) {
        enum journal_state state =
            journal_frame_peek(f->fd, f->path, at, file_size, HEAD_MOST, frame, payload, e);
        if (state != JOURNAL_WHOLE || frame->kind == JOURNAL_RECORD) {
            return state;
        }
    }
    return journal_frame_read(f->fd, f->path, at, file_size, frame, payload, e);
}

static bool scan_frames(struct journal_index *index, uint32_t file, uint64_t start,
                        uint64_t file_size, struct buffer *payload, struct results_error *e)
{
    struct journal_file *f = &index->files[file];
    uint32_t session = JOURNAL_NO_SESSION;
    uint64_t at = start;
    while (at < file_size) {
        struct journal_frame frame;
        enum journal_state state = next_frame(index, f, at, file_size, &frame, payload, e);
        if (state == JOURNAL_WHOLE || state == JOURNAL_DAMAGED) {
            take_frame(index, &frame, state, file, at, payload, &session);
            at += journal_frame_length(&frame);
            continue;
        }
        uint64_t lost = at;
        if (state == JOURNAL_TORN) {
            state = journal_frame_seek(f->fd, f->path, &at, file_size, e);
        }
        if (state == JOURNAL_FAILED) {
            return false;
        }
        if (state == JOURNAL_TORN) {
            index->torn += file_size - lost;
            break;
        }
        index->damaged++;
        session = JOURNAL_NO_SESSION; /* what was lost may have been the next one */
    }
    f->look.session = session;
    return true;
}

static bool scan_file(struct journal_index *index, uint32_t file, uint64_t plan_hash,
                      struct buffer *scratch, struct results_error *e)
{
    if (!file_open(index, file, e)) {
        return false;
    }
    struct journal_file *f = &index->files[file];
    struct stat status;
    /* Looked at first: of a file that is at rest, all is then read. */
    f->look.at_work = index->glance && journal_is_locked(f->fd);
    if (fstat(f->fd, &status) != 0) {
        return results_fail(e, "cannot read %s: %s", f->path, strerror(errno));
    }
    f->look.changed = (int64_t)status.st_mtime;
    uint64_t size = (uint64_t)status.st_size;
    struct journal_head head;
    enum journal_state state = journal_head_read(f->fd, f->path, size, &head, scratch, e);
    if (state == JOURNAL_TORN) {
        index->torn += size;
        return true;
    }
    if (state != JOURNAL_WHOLE) {
        return false;
    }
    if (head.plan_hash != plan_hash) {
        return journal_other_plan(e, f->path, head.plan_hash, plan_hash);
    }
    return scan_frames(index, file, JOURNAL_HEAD + head.meta_size, size, scratch, e);
}

static int by_place(const void *a, const void *b)
{
    const struct journal_entry *x = a, *y = b;
    if (x->point != y->point) {
        return x->point < y->point ? -1 : 1;
    }
    if (x->replication != y->replication) {
        return x->replication < y->replication ? -1 : 1;
    }
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool same_place(const struct journal_entry *x, const struct journal_entry *y)
{
    return x->point == y->point && x->replication == y->replication;
}

static bool ended_by_watchdog(const struct buffer *payload)
{
    struct results_error unwanted = {""};
    struct record_head head;
    return record_head_decode(payload->data, payload->size, &head, &unwanted) &&
           head.status == RUN_WATCHDOG;
}

/* Two records of one replication must agree to the byte, else the program is not reproducible
 * where it ran, and no result can be trusted. Only what a watchdog does is not reproducible.
 * `*later` tells whether the second is the one to keep. */
static bool compare(struct journal_index *index, size_t i, size_t k, bool *later,
                    struct results_error *e)
{
    const struct journal_entry *x = &index->entries[i], *y = &index->entries[k];
    struct buffer a = {0}, b = {0};
    *later = false;
    bool ok = journal_read(index, i, &a, e) && journal_read(index, k, &b, e);
    if (ok && (a.size != b.size || (a.size > 0 && memcmp(a.data, b.data, a.size) != 0))) {
        bool first_ended = ended_by_watchdog(&a), second_ended = ended_by_watchdog(&b);
        *later = first_ended && !second_ended;
        ok = first_ended || second_ended ||
             results_fail(e,
                          "point %" PRIu64 ", replication %" PRIu64
                          " was recorded twice with different results, in %s and %s: was the "
                          "program or a library changed in between? remove one of the files and "
                          "run what it held again",
                          x->point, x->replication, index->files[x->file].path,
                          index->files[y->file].path);
    }
    buffer_close(&a);
    buffer_close(&b);
    return ok;
}

static bool drop_duplicates(struct journal_index *index, struct results_error *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < index->n; i++) {
        if (kept > 0 && same_place(&index->entries[kept - 1], &index->entries[i])) {
            bool later = index->entries[kept - 1].status == RUN_WATCHDOG &&
                         index->entries[i].status != RUN_WATCHDOG;
            if (!index->glance && !compare(index, kept - 1, i, &later, e)) {
                return false;
            }
            if (later) {
                index->entries[kept - 1] = index->entries[i];
            }
            index->duplicates++;
        } else {
            index->entries[kept++] = index->entries[i];
        }
    }
    index->n = kept;
    return true;
}

static bool scan(const char *const *dirs, size_t n_dirs, uint64_t plan_hash,
                 struct journal_index *index, struct results_error *e)
{
    for (size_t i = 0; i < n_dirs; i++) {
        if (!list_files(index, dirs[i], i, e)) {
            return false;
        }
    }
    struct buffer scratch = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < index->n_files; i++) {
        ok = scan_file(index, (uint32_t)i, plan_hash, &scratch, e);
    }
    buffer_close(&scratch);
    if (ok && index->n > 0) {
        qsort(index->entries, index->n, sizeof *index->entries, by_place);
    }
    return ok && drop_duplicates(index, e);
}

bool journal_scan(const char *const *dirs, size_t n_dirs, uint64_t plan_hash,
                  struct journal_index *index, struct results_error *e)
{
    *index = (struct journal_index){.glance = false};
    return scan(dirs, n_dirs, plan_hash, index, e);
}

bool journal_glance(const char *const *dirs, size_t n_dirs, uint64_t plan_hash,
                    struct journal_index *index, struct results_error *e)
{
    *index = (struct journal_index){.glance = true};
    return scan(dirs, n_dirs, plan_hash, index, e);
}

struct journal_file_look journal_file_look(const struct journal_index *index, size_t file)
{
    struct journal_file_look look = index->files[file].look;
    look.path = index->files[file].path;
    return look;
}

void journal_index_close(struct journal_index *index)
{
    for (size_t i = 0; i < index->n_files; i++) {
        if (index->files[i].fd >= 0) {
            close(index->files[i].fd);
        }
        free(index->files[i].path);
    }
    free(index->files);
    free(index->entries);
    free(index->sessions);
    arena_close(&index->memory);
    *index = (struct journal_index){0};
}

bool journal_read(struct journal_index *index, size_t i, struct buffer *payload,
                  struct results_error *e)
{
    const struct journal_entry *entry = &index->entries[i];
    if (!file_open(index, entry->file, e)) {
        return false;
    }
    const struct journal_file *f = &index->files[entry->file];
    payload->size = 0;
    buffer_reserve(payload, (size_t)entry->size);
    if (!journal_pread(f->fd, payload->data, entry->size, entry->offset)) {
        return results_fail(e, "cannot read %s: %s", f->path,
                            errno ? strerror(errno) : "it has become shorter");
    }
    payload->size = (size_t)entry->size;
    return crc32c(payload->data, payload->size) == entry->crc ||
           results_fail(e, "%s has changed while it was being read", f->path);
}

bool journal_note(struct journal_index *index, size_t i, struct arena *arena, const char **note,
                  struct results_error *e)
{
    const struct journal_entry *entry = &index->entries[i];
    char *text = arena_take(arena, (size_t)entry->note_size + 1);
    *note = text;
    if (entry->note_size == 0) {
        return true;
    }
    return file_open(index, entry->file, e) &&
           (journal_pread(index->files[entry->file].fd, text, entry->note_size,
                          entry->offset + entry->size) ||
            results_fail(e, "cannot read %s: %s", index->files[entry->file].path,
                         errno ? strerror(errno) : "it has become shorter"));
}

/* The meta of the first file that has one. */
static bool first_meta(struct journal_index *index, const char *dir, struct arena *arena,
                       struct results_meta *meta, struct buffer *scratch, struct results_error *e)
{
    for (size_t i = 0; i < index->n_files; i++) {
        const struct journal_file *f = &index->files[i];
        struct journal_head head;
        struct stat status;
        if (!file_open(index, (uint32_t)i, e)) {
            return false;
        }
        if (fstat(f->fd, &status) != 0) {
            return results_fail(e, "cannot read %s: %s", f->path, strerror(errno));
        }
        enum journal_state state =
            journal_head_read(f->fd, f->path, (uint64_t)status.st_size, &head, scratch, e);
        if (state == JOURNAL_TORN) {
            continue;
        }
        if (state != JOURNAL_WHOLE) {
            return false;
        }
        struct bytes bytes = {.at = scratch->data, .end = scratch->data + scratch->size};
        return meta_decode(&bytes, arena, meta) ||
               results_fail(e, "%s has a header that cannot be understood", f->path);
    }
    return results_fail(e, "%s holds nothing: no replication was ever begun", dir);
}

bool journal_meta(const char *dir, struct arena *arena, struct results_meta *meta,
                  struct results_error *e)
{
    struct journal_index index = {0};
    struct buffer scratch = {0};
    bool ok = list_files(&index, dir, 0, e) && first_meta(&index, dir, arena, meta, &scratch, e);
    buffer_close(&scratch);
    journal_index_close(&index);
    return ok;
}
