/* SPDX-License-Identifier: Apache-2.0
 *
 * A session is a process that appends to a journal: where, when and in whose name it ran. Nothing
 * of it is in results but their provenance.
 */
#ifndef SQUALL_RESULTS_JOURNAL_SESSION_H
#define SQUALL_RESULTS_JOURNAL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "results/buffer.h"

struct journal_session {
    const char *host;
    const char *software, *git;   /* version and commit of the program */
    const char *mpi, *hdf5;       /* versions of the libraries */
    const char *slurm_job;        /* "" outside of Slurm, like those that follow */
    const char *slurm_array_job;  /* the array of which the job is a part */
    const char *slurm_array_task; /* ... and which part it is */
    const char *slurm_nodes;      /* as Slurm lists them: "node[1-4]" */
    uint64_t begun;               /* [s] UTC, since 1970 */
    uint64_t pid;                 /* on its host */
    uint64_t pid_started; /* [clock ticks] since the host's start (proc(5)); 0: unknown. A process
                             of the same pid that has another one is another process. */
    uint64_t rank, ranks;
    uint64_t shard, shards; /* from 1; 0 of 0: no shard */
};

/* The members one by one, for whoever treats them alike: those with a `text`, then numbers. */
struct journal_session_member {
    const char *name;             /* ends the list when NULL */
    const char *unit, *long_name; /* `unit` is NULL of texts */
    size_t offset;
};
extern const struct journal_session_member journal_session_members[];

const char *journal_session_text(const struct journal_session *s,
                                 const struct journal_session_member *m);
uint64_t journal_session_number(const struct journal_session *s,
                                const struct journal_session_member *m);

/* The Slurm job: "81", "70[3]" of an array, "" outside of Slurm; in `arena`. */
const char *journal_session_job(const struct journal_session *s, struct arena *arena);

/* Texts where NULL stands for "". */
void journal_session_put(const struct journal_session *s, struct buffer *to);

/* Texts are copied into `arena`. False: these bytes are no session. */
bool journal_session_get(struct bytes *from, struct arena *arena, struct journal_session *s);

/* The same with texts in `arena`. */
struct journal_session journal_session_copy(const struct journal_session *s, struct arena *arena);

/* The session of this process, from the system and the environment; texts in `arena`. Ranks, shard
 * and `mpi` are the caller's to fill in. */
struct journal_session journal_session_here(struct arena *arena);

/* "2026-03-01T12:00:00Z"; `text` has JOURNAL_TIME bytes. Returns it. */
enum { JOURNAL_TIME = 32 };
char *journal_time_text(uint64_t seconds, char *text);

#endif
