/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/crew.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "experiment/signals.h"

/* MPI's own errors end the program (MPI_ERRORS_ARE_FATAL), so return codes need no checks. */

enum { TAG_REPORT = 1, TAG_TASKS, TAG_STOP };
enum { CHUNK_MOST = 64 };

/* From a worker to rank 0. */
struct report {
    uint64_t done, events; /* since the last report */
    uint64_t wants;        /* 1: more tasks, please */
    uint64_t leaves;       /* 1: the worker's last message */
    uint64_t failed;
};

/* From rank 0 to a worker; no tasks: there are none left. */
struct chunk {
    uint64_t n;
    uint64_t tasks[CHUNK_MOST];
};

struct crew {
    MPI_Comm comm;
    int rank, size;
    bool stopping, failed;
    struct chunk hand, next; /* being worked off; asked for */
    uint64_t place;          /* in hand */
    bool dry;                /* an empty chunk has come */
    struct report unsent;
    MPI_Request request; /* of `next` */
    double told_at;      /* [s] worker: when its counts were last reported */
    bool told;           /* worker: rank 0's order to stop has come */
    /* rank 0 */
    const uint64_t *tasks;
    uint64_t n_tasks, n_given;
    int working; /* workers that have not left */
    struct crew_progress progress;
    void (*report)(void *, const struct crew_progress *);
    void *context;
};

static void report_progress(struct crew *c)
{
    if (c->report) {
        c->report(c->context, &c->progress);
    }
}

/* Large chunks first and single tasks towards the end, so that all ranks finish together. */
static void take_chunk(struct crew *c, struct chunk *chunk)
{
    uint64_t left = c->stopping ? 0 : c->n_tasks - c->n_given;
    uint64_t share = left / (4 * (uint64_t)c->size);
    chunk->n = share < 1 ? 1 : share > CHUNK_MOST ? CHUNK_MOST : share;
    chunk->n = chunk->n < left ? chunk->n : left;
    memcpy(chunk->tasks, c->tasks + c->n_given, chunk->n * sizeof *chunk->tasks);
    c->n_given += chunk->n;
}

static void tell_to_stop(struct crew *c)
{
    for (int r = 1; r < c->size; r++) {
        MPI_Send(NULL, 0, MPI_BYTE, r, TAG_STOP, c->comm);
    }
}

static void take_report(struct crew *c, int worker)
{
    struct report r;
    MPI_Recv(&r, sizeof r, MPI_BYTE, worker, TAG_REPORT, c->comm, MPI_STATUS_IGNORE);
    c->progress.done += r.done;
    c->progress.events += r.events;
    if (r.done) {
        report_progress(c);
    }
    if (r.failed || r.leaves == 2) {
        crew_stop(c, r.failed);
    }
    if (r.wants) {
        struct chunk chunk;
        take_chunk(c, &chunk);
        MPI_Send(&chunk, (int)((1 + chunk.n) * sizeof(uint64_t)), MPI_BYTE, worker, TAG_TASKS,
                 c->comm);
    }
    c->working -= r.leaves != 0;
}

/* Rank 0: answers whoever has asked. True when somebody had. */
static bool serve(struct crew *c)
{
    bool served = false;
    for (;;) {
        int there;
        MPI_Status status;
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_REPORT, c->comm, &there, &status);
        if (!there) {
            return served;
        }
        take_report(c, status.MPI_SOURCE);
        served = true;
    }
}

static void send_report(struct crew *c)
{
    MPI_Send(&c->unsent, sizeof c->unsent, MPI_BYTE, 0, TAG_REPORT, c->comm);
    c->unsent = (struct report){0};
}

/* Worker: asks for the next chunk. */
static void ask(struct crew *c)
{
    MPI_Irecv(&c->next, sizeof c->next, MPI_BYTE, 0, TAG_TASKS, c->comm, &c->request);
    c->unsent.wants = 1;
    send_report(c);
}

static void take_stop(struct crew *c)
{
    int there;
    MPI_Iprobe(0, TAG_STOP, c->comm, &there, MPI_STATUS_IGNORE);
    if (there) {
        MPI_Recv(NULL, 0, MPI_BYTE, 0, TAG_STOP, c->comm, MPI_STATUS_IGNORE);
        c->stopping = c->told = true;
    }
}

/* Worker: lets rank 0 know about once a second what was done, for the progress line. */
static void tell_counts(struct crew *c)
{
    double now = MPI_Wtime();
    if (c->unsent.done > 0 && now - c->told_at > 1.0) {
        c->told_at = now;
        send_report(c);
    }
}

struct crew *crew_open(MPI_Comm comm, const uint64_t *tasks, uint64_t n,
                       void (*report)(void *context, const struct crew_progress *), void *context)
{
    struct crew *c = calloc(1, sizeof *c);
    CHECK(c, "out of memory");
    c->comm = comm;
    MPI_Comm_rank(comm, &c->rank);
    MPI_Comm_size(comm, &c->size);
    c->request = MPI_REQUEST_NULL;
    if (c->rank == 0) {
        c->tasks = tasks;
        c->n_tasks = n;
        c->working = c->size - 1;
        c->progress.tasks = n;
        c->report = report;
        c->context = context;
        report_progress(c);
    }
    return c;
}

void crew_stop(struct crew *c, bool failed)
{
    bool first = !c->stopping;
    c->stopping = true;
    c->failed |= failed;
    if (first && c->rank == 0) {
        tell_to_stop(c);
    }
}

bool crew_poll(struct crew *c)
{
    if (signals_stop()) {
        crew_stop(c, false);
    }
    if (c->rank == 0) {
        serve(c);
        report_progress(c);
    } else {
        take_stop(c);
        tell_counts(c);
    }
    return !c->stopping;
}

/* Worker: makes the chunk asked for the one in hand. */
static void turn_over(struct crew *c)
{
    if (c->request == MPI_REQUEST_NULL) {
        ask(c);
    }
    MPI_Wait(&c->request, MPI_STATUS_IGNORE);
    c->hand = c->next;
    c->place = 0;
    c->dry = c->hand.n == 0;
}

bool crew_next(struct crew *c, uint64_t *task)
{
    if (!crew_poll(c)) {
        return false;
    }
    if (c->rank == 0) {
        if (c->n_given == c->n_tasks) {
            return false;
        }
        *task = c->tasks[c->n_given++];
        return true;
    }
    if (c->place == c->hand.n && !c->dry) {
        turn_over(c);
    }
    if (c->place == c->hand.n) {
        return false;
    }
    *task = c->hand.tasks[c->place++];
    /* Asking ahead spares the wait for an answer; but where tasks come one by one, they are to go
     * to whoever is free first. */
    if (c->place == c->hand.n && c->hand.n > 1) {
        ask(c);
    }
    return true;
}

void crew_done(struct crew *c, uint64_t events)
{
    if (c->rank == 0) {
        c->progress.done++;
        c->progress.events += events;
        report_progress(c);
    } else {
        c->unsent.done++;
        c->unsent.events += events;
    }
}

/* Rank 0 has nothing to do but to answer. */
static void serve_the_rest(struct crew *c)
{
    while (c->working > 0) {
        if (signals_stop()) {
            crew_stop(c, false);
        }
        if (!serve(c)) {
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
            report_progress(c);
        }
    }
}

/* A worker's last words; what it has asked for must be taken in. */
static void leave(struct crew *c)
{
    if (c->request != MPI_REQUEST_NULL) {
        MPI_Wait(&c->request, MPI_STATUS_IGNORE);
    }
    c->unsent.leaves = c->stopping ? 2 : 1;
    c->unsent.failed = c->failed;
    send_report(c);
}

enum crew_outcome crew_close(struct crew *c)
{
    if (c->rank == 0) {
        serve_the_rest(c);
    } else {
        leave(c);
    }
    /* A stop that came when all was done stopped nothing. */
    bool done = c->progress.done == c->n_tasks;
    int end[2] = {c->failed ? CREW_FAILED : done ? CREW_FINISHED : CREW_STOPPED, c->stopping};
    MPI_Bcast(end, 2, MPI_INT, 0, c->comm);
    if (c->rank != 0 && end[1] && !c->told) {
        MPI_Recv(NULL, 0, MPI_BYTE, 0, TAG_STOP, c->comm, MPI_STATUS_IGNORE);
    }
    free(c);
    return (enum crew_outcome)end[0];
}
