/* SPDX-License-Identifier: Apache-2.0 */
#include "results/journal_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "results/h5.h"
#include "version.h"

#define TEXT(member, doc) \
    { \
        .name = #member, .long_name = doc, .offset = offsetof(struct journal_session, member) \
    }
#define NUMBER(member, unit_, doc) \
    { \
        .name = #member, .unit = unit_, .long_name = doc, \
        .offset = offsetof(struct journal_session, member) \
    }
const struct journal_session_member journal_session_members[] = {
    TEXT(host, "Name of the machine"),
    TEXT(software, "Version of the program"),
    TEXT(git, "Commit of the program"),
    TEXT(mpi, "Version of the MPI library"),
    TEXT(hdf5, "Version of the HDF5 library"),
    TEXT(slurm_job, "Slurm job"),
    TEXT(slurm_array_job, "Slurm array that the job is a part of"),
    TEXT(slurm_array_task, "Which part of the Slurm array the job is"),
    TEXT(slurm_nodes, "Nodes of the Slurm job"),
    NUMBER(begun, "s", "Time at which the session began, since 1970 (UTC)"),
    NUMBER(pid, "1", "Process on its machine"),
    NUMBER(pid_started, "1", "Clock ticks from the machine's start to the process's"),
    NUMBER(rank, "1", "Rank of the process"),
    NUMBER(ranks, "1", "Number of ranks"),
    NUMBER(shard, "1", "Shard of the study, from 1 (0: none)"),
    NUMBER(shards, "1", "Number of shards (0: none)"),
    {.name = NULL}};

const char *journal_session_text(const struct journal_session *s,
                                 const struct journal_session_member *m)
{
    const char *text;
    memcpy(&text, (const char *)s + m->offset, sizeof text);
    return text ? text : "";
}

uint64_t journal_session_number(const struct journal_session *s,
                                const struct journal_session_member *m)
{
    uint64_t number;
    memcpy(&number, (const char *)s + m->offset, sizeof number);
    return number;
}

const char *journal_session_job(const struct journal_session *s, struct arena *arena)
{
    return s->slurm_array_task[0]
               ? arena_format(arena, "%s[%s]", s->slurm_array_job, s->slurm_array_task)
               : arena_copy(arena, s->slurm_job);
}

void journal_session_put(const struct journal_session *s, struct buffer *to)
{
    for (const struct journal_session_member *m = journal_session_members; m->name; m++) {
        if (m->unit) {
            buffer_varint(to, journal_session_number(s, m));
        } else {
            buffer_text(to, journal_session_text(s, m));
        }
    }
}

bool journal_session_get(struct bytes *from, struct arena *arena, struct journal_session *s)
{
    *s = (struct journal_session){0};
    for (const struct journal_session_member *m = journal_session_members; m->name; m++) {
        if (m->unit) {
            uint64_t number = bytes_varint(from);
            memcpy((char *)s + m->offset, &number, sizeof number);
        } else {
            size_t length = 0;
            const char *text = bytes_text(from, &length);
            text = arena_text(arena, text ? text : "", text ? length : 0);
            memcpy((char *)s + m->offset, &text, sizeof text);
        }
    }
    return !from->bad && from->at == from->end;
}

struct journal_session journal_session_copy(const struct journal_session *s, struct arena *arena)
{
    struct journal_session copy = *s;
    for (const struct journal_session_member *m = journal_session_members; m->name; m++) {
        if (!m->unit) {
            const char *text = arena_copy(arena, journal_session_text(s, m));
            memcpy((char *)&copy + m->offset, &text, sizeof text);
        }
    }
    return copy;
}

/* The 22nd field of /proc/self/stat; the second, the program's name, may hold anything but ends
 * with the last parenthesis. */
static uint64_t own_start(void)
{
    enum { BEHIND_NAME = 20 }; /* fields from there to the one that is sought */
    char text[1024];
    FILE *in = fopen("/proc/self/stat", "re");
    size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;
    if (in) {
        fclose(in);
    }
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    for (int i = 0; at && i < BEHIND_NAME; i++) {
        at = strchr(at + 1, ' ');
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

static const char *environment(struct arena *arena, const char *name)
{
    const char *value = getenv(name);
    return arena_copy(arena, value ? value : "");
}

struct journal_session journal_session_here(struct arena *arena)
{
    char host[256] = "";
    unsigned version[3] = {0};
    gethostname(host, sizeof host - 1);
    h5_version(version);
    return (struct journal_session){
        .host = arena_copy(arena, host),
        .software = "squall " SQUALL_VERSION,
        .git = SQUALL_GIT,
        .mpi = "",
        .hdf5 = arena_format(arena, "%u.%u.%u", version[0], version[1], version[2]),
        .slurm_job = environment(arena, "SLURM_JOB_ID"),
        .slurm_array_job = environment(arena, "SLURM_ARRAY_JOB_ID"),
        .slurm_array_task = environment(arena, "SLURM_ARRAY_TASK_ID"),
        .slurm_nodes = environment(arena, "SLURM_JOB_NODELIST"),
        .begun = (uint64_t)time(NULL),
        .pid = (uint64_t)getpid(),
        .pid_started = own_start(),
        .ranks = 1,
    };
}

char *journal_time_text(uint64_t seconds, char *text)
{
    time_t t = (time_t)seconds;
    struct tm utc;
    gmtime_r(&t, &utc);
    strftime(text, JOURNAL_TIME, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}
