/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal keeps every finished replication of a running study. It is a directory of files
 * that are only ever appended to, one for each writing rank:
 *
 *   NAME.journal/rank-000000.sqj, rank-000001.sqj, ...
 *
 * A file is a header (magic, format, plan hash, struct results_meta) and frames. A frame is a
 * magic, the checksum of what its header says, that is kind, length of the payload, point,
 * replication, wall time, length of the note, and checksums of payload and note; then these. Each
 * replication is one frame, its payload a record of results/record.h and its note whatever text is
 * not the same when it runs again. Each process that goes on with a file first writes a frame that
 * tells of itself (results/journal_session.h). Numbers are little-endian, checksums are CRC-32C.
 *
 * Which file a rank writes says nothing about which replications are in it. A resumed study may
 * have any number of ranks: rank k goes on with file k or makes it, and the files of ranks that
 * are no more are read as they are. A file being written is locked (flock), so that a second
 * program at work on the same study is refused instead of mixing its frames in. Shards of a study
 * that run at the same time have a directory each; reading takes any number of directories.
 *
 * A kill at any moment leaves at worst one torn frame at the end of a file, which reading passes
 * over and appending cuts off. A frame that was damaged later is passed over, too: its
 * replication counts as not run, and what follows it is found again.
 *
 * A journal survives its own disk: when that is full, or the quota is used up, nothing more can be
 * appended, what was appended stays, and the run ends and can be resumed.
 *
 * Nothing here is collective. One process appends to a file; any number may read.
 */
#ifndef SQUALL_RESULTS_JOURNAL_H
#define SQUALL_RESULTS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/buffer.h"
#include "results/error.h"
#include "results/journal_session.h"
#include "results/meta.h"
#include "results/record.h"

struct journal; /* one file, open for appending */

/* Makes the directory of a new study. Fails where one stands already, for it holds work. */
bool journal_create(const char *dir, struct results_error *e);

/* Opens the file of `writer` (a rank) for appending: made with `meta` when it is not there, else
 * checked against it and freed of a torn end. `session` is written down; NULL: nothing is going to
 * be appended, and the file is only kept from others. NULL: see `e`. */
struct journal *journal_open_append(const char *dir, uint32_t writer,
                                    const struct results_meta *meta,
                                    const struct journal_session *session, struct results_error *e);

/* A replication to be written down. */
struct journal_record {
    uint64_t point, replication;
    uint64_t wall_ns; /* [ns] time that running it took */
    const void *payload;
    size_t size;      /* [B] of the payload */
    const char *note; /* NULL: there is none */
};

/* Appends one replication in one write. When this returns, it survives the end of the program; it
 * survives the end of the machine from the next sync on, which comes a second later or, where syncs
 * are slow, so much later that they take a twentieth of the time. That is, what may be lost with
 * the machine is the work of a second, or of 20 times as long as a sync takes. After a failure the
 * file ends where it ended before, and every later append fails alike. */
bool journal_append(struct journal *j, const struct journal_record *record,
                    struct results_error *e);

/* Likewise, but of replications that follow each other within milliseconds several are gathered and
 * appended in one write: when the last write is five milliseconds ago, when there are many bytes,
 * with journal_flush, or at the next sync. Until then they are lost with the program. */
bool journal_gather(struct journal *j, const struct journal_record *record,
                    struct results_error *e);

/* Appends what was gathered. */
bool journal_flush(struct journal *j, struct results_error *e);

/* Has the system put everything appended on the disk, and makes sure that the file is still where
 * it was: what is appended to one that was deleted is lost. */
bool journal_sync(struct journal *j, struct results_error *e);

/* Syncs, unlocks and frees, also when false is returned. NULL is allowed. */
bool journal_close(struct journal *j, struct results_error *e);

/* Deletes a journal that is no longer needed, its files first. Only files of journals are touched:
 * a directory that holds anything else stays. */
bool journal_remove(const char *dir, struct results_error *e);

struct journal_entry {
    uint64_t point, replication;
    uint64_t wall_ns;   /* [ns] time that running it took */
    uint64_t offset;    /* [B] of the payload in its file, behind which the note stands */
    uint64_t size;      /* [B] of the payload */
    uint64_t note_size; /* [B] */
    uint32_t file;
    uint32_t crc;           /* of the payload */
    uint32_t session;       /* in which it was written, JOURNAL_NO_SESSION: that was damaged */
    enum run_status status; /* as its record says; RUN_STATUSES: the payload is no record */
    uint64_t events;        /* likewise */
};
#define JOURNAL_NO_SESSION UINT32_MAX

/* What is in a journal, sorted by (point, replication), each once. */
struct journal_index {
    struct journal_entry *entries; /* owned */
    size_t n;
    struct journal_session *sessions; /* owned; file by file, in order */
    size_t n_sessions;
    struct arena memory;        /* texts of the sessions */
    struct journal_file *files; /* owned */
    bool glance;
    size_t n_files, n_open;
    uint64_t torn;       /* [B] at ends of files, passed over */
    uint64_t damaged;    /* frames passed over */
    uint64_t duplicates; /* replications met again */
};

/* Reads all files of the directories. Refuses files of another plan, of another format, or that
 * are no journals, and a replication recorded twice with different results. But one that a watchdog
 * has ended may end elsewhere in another run: one that was not ended so is preferred to it, and the
 * first of two that were. The index is to be closed also when false is returned. */
bool journal_scan(const char *const *dirs, size_t n_dirs, uint64_t plan_hash,
                  struct journal_index *index, struct results_error *e);
void journal_index_close(struct journal_index *index);

/* Likewise for whoever only counts what is there, perhaps while it is being written: of payloads
 * only the beginning is read and nothing is checked, and two records of one replication are not
 * compared. Tells also which files are being written. */
bool journal_glance(const char *const *dirs, size_t n_dirs, uint64_t plan_hash,
                    struct journal_index *index, struct results_error *e);

/* A file of an index. */
struct journal_file_look {
    const char *path;
    size_t dir;       /* which of the directories it is in */
    uint32_t session; /* the last that went on with it, or JOURNAL_NO_SESSION */
    bool at_work;     /* by a glance: somebody is writing it */
    int64_t changed;  /* [s] UTC, since 1970: when it was last written */
};
struct journal_file_look journal_file_look(const struct journal_index *index, size_t file);

/* Reads the payload of entry `i` into `payload`, replacing what it held. */
bool journal_read(struct journal_index *index, size_t i, struct buffer *payload,
                  struct results_error *e);

/* Likewise its note, "" when there is none; as a text in `arena`. */
bool journal_note(struct journal_index *index, size_t i, struct arena *arena, const char **note,
                  struct results_error *e);

/* The study a journal belongs to, texts in `arena`: as the first of its files tells it, rank 0's,
 * which alone has the points of a sweep. */
bool journal_meta(const char *dir, struct arena *arena, struct results_meta *meta,
                  struct results_error *e);

#endif
