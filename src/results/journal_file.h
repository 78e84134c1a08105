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
#define JOURNAL_FRAME_MAGIC UINT32_C(0x52465153) /* "SQFR" */

enum {
    JOURNAL_FORMAT = 1,
    JOURNAL_HEAD = 8 + 4 + 8 + 8 + 4 + 4, /* [B] of the file's header, without the meta */
    JOURNAL_FRAME = 4 + 4 + 4 * 8 + 4,    /* [B] of a frame's header */
};

struct journal_head {
    uint64_t plan_hash;
    uint64_t meta_size; /* [B] behind the header */
    uint32_t meta_crc;
};

struct journal_frame {
    uint64_t point, replication, wall_ns, size;
    uint32_t crc;
};

enum journal_state {
    JOURNAL_WHOLE,   /* read */
    JOURNAL_TORN,    /* the file ends inside, or no frame is here: nothing more can be read */
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

/* Reads the frame at `offset` and its payload. After DAMAGED the next frame may follow. */
enum journal_state journal_frame_read(int fd, const char *path, uint64_t offset, uint64_t file_size,
                                      struct journal_frame *frame, struct buffer *payload,
                                      struct results_error *e);

/* Reads exactly `size` bytes at `offset`. False with errno, 0 at the end of the file. */
bool journal_pread(int fd, void *to, uint64_t size, uint64_t offset);

/* The sentence for a file of another study. */
bool journal_other_plan(struct results_error *e, const char *path, uint64_t found, uint64_t wanted);

#endif
