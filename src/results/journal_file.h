/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of one journal file: what its writer (journal.c) and its readers (journal_index.c)
 * must agree upon. Only for these two.
 */
#ifndef SQUALL_RESULTS_JOURNAL_FILE_H
#define SQUALL_RESULTS_JOURNAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "results/buffer.h"
#include "results/error.h"

#define JOURNAL_MAGIC       "squall\x1aj" /* 8 bytes; the odd one stops a listing of the file */
#define JOURNAL_SUFFIX      ".sqj"
#define JOURNAL_FRAME_MAGIC "SQFR"

enum {
    JOURNAL_FORMAT = 2,
    JOURNAL_HEAD = 8 + 4 + 8 + 8 + 4 + 4,      /* [B] of the file's header, without the meta */
    JOURNAL_FRAME = 4 + 4 + 4 + 5 * 8 + 2 * 4, /* [B] of a frame's header */
};

struct journal_head {
    uint64_t plan_hash;
    uint64_t meta_size; /* [B] behind the header */
    uint32_t meta_crc;
};

/* What a frame is about; its place is written to files. */
enum journal_kind {
    JOURNAL_RECORD,  /* a replication: the payload is its record */
    JOURNAL_SESSION, /* whoever wrote the frames behind it; the payload is a journal_session, and
                        all numbers but its size are 0 */
};

struct journal_frame {
    uint32_t kind; /* enum journal_kind, or what a later version has added: to be passed over */
    uint64_t point, replication, wall_ns;
    uint64_t size, note_size; /* [B] of the payload, and of the note behind it */
    uint32_t crc, note_crc;   /* of these */
};

enum journal_state {
    JOURNAL_WHOLE,   /* read */
    JOURNAL_TORN,    /* the file ends inside, or no frame is here */
    JOURNAL_DAMAGED, /* the frame is there, but its payload is not what was written */
    JOURNAL_FAILED,  /* see the error */
};

void journal_head_put(const struct journal_head *head, struct buffer *to);
void journal_frame_put(const struct journal_frame *frame, struct buffer *to);

/* Reads and checks the header and the meta of an open file of `file_size` bytes; the meta's bytes
 * go to `meta`. TORN: the writer was killed before its header was whole. */
enum journal_state journal_head_read(int fd, const char *path, uint64_t file_size,
                                     struct journal_head *head, struct buffer *meta,
                                     struct results_error *e);

/* [B] of a frame with its payload and note. */
uint64_t journal_frame_length(const struct journal_frame *frame);

/* Reads the frame at `offset` and its payload, with the note behind it in the same buffer. After
 * DAMAGED the next frame may follow. */
enum journal_state journal_frame_read(int fd, const char *path, uint64_t offset, uint64_t file_size,
                                      struct journal_frame *frame, struct buffer *payload,
                                      struct results_error *e);

/* Reads the frame at `offset` and at most `most` bytes of its payload, which are not checked. */
enum journal_state journal_frame_peek(int fd, const char *path, uint64_t offset, uint64_t file_size,
                                      size_t most, struct journal_frame *frame,
                                      struct buffer *payload, struct results_error *e);

/* Where no frame is at `*at`: moves on to the next one that has a sound header. TORN: there is
 * none, and `*at` stays. */
enum journal_state journal_frame_seek(int fd, const char *path, uint64_t *at, uint64_t file_size,
                                      struct results_error *e);

/* Whether this is what a file in a journal's directory is called. */
bool journal_is_file_name(const char *name);

/* Keeps an open file from others who want to write it. Whoever looks whether it is being written
 * (journal_is_locked) is in the way for a moment, and is waited for. False with errno. */
bool journal_lock(int fd);

/* Whether another process keeps the file; false also where that cannot be known. */
bool journal_is_locked(int fd);

/* Reads exactly `size` bytes at `offset`. False with errno, 0 at the end of the file. */
bool journal_pread(int fd, void *to, uint64_t size, uint64_t offset);

/* The sentence for a file of another study. */
bool journal_other_plan(struct results_error *e, const char *path, uint64_t found, uint64_t wanted);

#endif
