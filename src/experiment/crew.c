/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/crew.h"

#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "experiment/stop.h"
#include "parallel/patience.h"

/* MPI's own errors end the program (MPI_ERRORS_ARE_FATAL), so return codes need no checks. */

enum { TAG_REPORT = 1, TAG_TASKS, TAG_STOP };

/* [s] from one poll to the next, at least, where tasks are short: workers wait for rank 0. */
static const double FIRST_POLL = 0.0002, WORKER_POLL = 0.001;

/* [s] after which what was gathered is written down. */
static const double KEEP = 0.005;

/* Rank 0 looks so often for somebody who asks before it begins to rest. */
enum { TURNS = 100 };

enum stop { GO_ON, STOP, STOP_FAILED };

/* From a worker to rank 0. */
struct report {
    uint32_t wants;  /* 1: more tasks, please */
    uint32_t leaves; /* 1: the worker's last message */
    uint32_t stop;   /* enum stop: what it has come to */
    uint32_t n;      /* results: since the last report */
    struct crew_result results[CREW_CHUNK];
};

/* From rank 0 to a worker; no tasks: there will be none. */
struct chunk {
    uint64_t n;
    sim_time warmup;
    uint64_t tasks[CREW_CHUNK];
};

struct crew {
    MPI_Comm comm;
    int rank, size;
    bool stopping, failed;
    uint64_t messages;         /* sent and taken in */
    double polled_at, kept_at; /* [s] when */
    bool (*keep)(void *context);
    void *keep_context;
    struct chunk hand; /* being worked off */
    uint64_t place;    /* in hand */
    /* worker */
    struct chunk next; /* asked for */
    bool dry;          /* an empty chunk has come */
    struct report unsent;
    MPI_Request request; /* of `next` */
    double told_at;      /* [s] when results were last reported */
    bool told;           /* rank 0's order to stop has come */
    /* rank 0 */
    struct crew_source source;
    bool serves;             /* and does nothing else */
    int *waiting, n_waiting; /* owned; workers that were given nothing yet */
    int working;             /* workers that have not left */
    int idle_turns;          /* in which nobody has asked */
};

/* A worker reports this often, and less often where there are many: rank 0 takes in some 10^5
 * reports a second at most. */
static double report_every(const struct crew *c)
{
    const double usual = 0.01, each = 2e-5; /* [s] */
    return usual > each * c->size ? usual : each * c->size;
}

static double clock_s(void)
{
    return 1e-9 * (double)patience_clock();
}

/* Before anything is told of: false when what was done may be lost. */
static bool keep_done(struct crew *c)
{
    c->kept_at = clock_s();
    if (c->keep && !c->failed && !c->keep(c->keep_context)) {
        crew_stop(c, true);
    }
    return !c->failed;
}

/* --- rank 0 ------------------------------------------------------------------------------- */

static void idle(struct crew *c)
{
    if (c->source.idle) {
        c->source.idle(c->source.context);
    }
}

/* Large chunks first and single tasks towards the end, so that all ranks finish together. */
static void take_chunk(struct crew *c, struct chunk *chunk)
{
    chunk->n = 0;
    if (!c->stopping) {
        uint64_t share = c->source.left(c->source.context) / (4 * (uint64_t)c->size);
        uint64_t most = share < 1 ? 1 : share > CREW_CHUNK ? CREW_CHUNK : share;
        chunk->n = c->source.take(c->source.context, chunk->tasks, most, &chunk->warmup);
    }
}

static bool is_over(const struct crew *c)
{
    return c->stopping || c->source.over(c->source.context);
}

/* Gives a worker tasks, or the word that there are none. False: it has to wait. */
static bool give(struct crew *c, int worker)
{
    struct chunk chunk = {.n = 0};
    take_chunk(c, &chunk);
    if (chunk.n == 0 && !is_over(c)) {
        return false;
    }
    size_t size = offsetof(struct chunk, tasks) + chunk.n * sizeof *chunk.tasks;
    MPI_Send(&chunk, (int)size, MPI_BYTE, worker, TAG_TASKS, c->comm);
    c->messages++;
    return true;
}

/* What has come to be known may be work for those who wait, or the end. */
static void give_waiting(struct crew *c)
{
    int left = 0;
    for (int i = 0; i < c->n_waiting; i++) {
        if (left > 0 || !give(c, c->waiting[i])) {
            c->waiting[left++] = c->waiting[i];
        }
    }
    c->n_waiting = left;
}

static void tell_to_stop(struct crew *c)
{
    for (int r = 1; r < c->size; r++) {
        MPI_Send(NULL, 0, MPI_BYTE, r, TAG_STOP, c->comm);
        c->messages++;
    }
}

static void take_report(struct crew *c, int worker)
{
    struct report r;
    MPI_Recv(&r, sizeof r, MPI_BYTE, worker, TAG_REPORT, c->comm, MPI_STATUS_IGNORE);
    c->messages++;
    for (uint32_t i = 0; i < r.n; i++) {
        c->source.done(c->source.context, &r.results[i]);
    }
    if (r.stop != GO_ON) {
        crew_stop(c, r.stop == STOP_FAILED);
    }
    if (r.wants && !give(c, worker)) {
        c->waiting[c->n_waiting++] = worker;
    }
    c->working -= r.leaves != 0;
    if (r.n > 0) {
        give_waiting(c);
    }
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
            break;
        }
        take_report(c, status.MPI_SOURCE);
        served = true;
    }
    idle(c);
    return served;
}

/* Rank 0 has nothing to do but to answer. There may be tasks again that nobody's result has brought
 * about. */
static void serve_and_rest(struct crew *c)
{
    keep_done(c);
    if (stop_wanted()) {
        crew_stop(c, false);
    }
    bool served = serve(c);
    give_waiting(c);
    c->idle_turns = served ? 0 : c->idle_turns + 1;
    if (c->idle_turns > TURNS) {
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    } else if (!served) {
        sched_yield();
    }
}

/* Rank 0's own next task; in a crew of many it has none. */
static bool next_of_first(struct crew *c, struct crew_task *task)
{
    while (c->place == c->hand.n) {
        c->place = 0;
        c->hand.n = 0;
        if (!c->serves) {
            /* One at a time: there is nobody to be waited for, and others may be waiting. */
            c->hand.n = c->stopping
                            ? 0
                            : c->source.take(c->source.context, c->hand.tasks, 1, &c->hand.warmup);
        }
        if (c->hand.n == 0) {
            if (is_over(c)) {
                return false;
            }
            serve_and_rest(c);
        }
    }
    *task = (struct crew_task){c->hand.tasks[c->place++], c->hand.warmup};
    return true;
}

/* --- workers ------------------------------------------------------------------------------ */

static void send_report(struct crew *c)
{
    if (c->unsent.n > 0 && !keep_done(c)) {
        c->unsent.n = 0;
        c->unsent.stop = STOP_FAILED;
    }
    size_t size = offsetof(struct report, results) + c->unsent.n * sizeof *c->unsent.results;
    MPI_Send(&c->unsent, (int)size, MPI_BYTE, 0, TAG_REPORT, c->comm);
    c->messages++;
    c->unsent.n = c->unsent.wants = 0;
    c->told_at = clock_s();
}

/* Asks for the next chunk. */
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
        c->messages++;
        c->stopping = c->told = true;
    }
}

static void tell_results(struct crew *c)
{
    if (c->unsent.n > 0 && clock_s() - c->told_at > report_every(c)) {
        send_report(c);
    }
}

/* Waits for the answer without keeping a core busy, for it may take as long as a replication. A
 * signal that only this rank has got is passed on, and is answered. */
static void await_answer(struct crew *c)
{
    int there = 0;
    for (long rest = 0;; rest = rest < 1000000 ? 2 * rest + 1000 : rest) {
        MPI_Test(&c->request, &there, MPI_STATUS_IGNORE);
        if (there) {
            c->messages++;
            return;
        }
        if (stop_wanted() && !c->stopping) {
            c->stopping = true;
            c->unsent.stop = STOP;
            send_report(c);
        }
        nanosleep(&(struct timespec){.tv_nsec = rest}, NULL);
    }
}

/* Makes the chunk asked for the one in hand. Rank 0 may be waiting for what is known here before it
 * answers. */
static void turn_over(struct crew *c)
{
    if (c->request == MPI_REQUEST_NULL) {
        ask(c);
    } else if (c->unsent.n > 0) {
        send_report(c);
    }
    await_answer(c);
    c->hand = c->next;
    c->place = 0;
    c->dry = c->hand.n == 0;
}

static bool next_of_worker(struct crew *c, struct crew_task *task)
{
    if (c->place == c->hand.n && !c->dry) {
        turn_over(c);
    }
    if (c->place == c->hand.n) {
        return false;
    }
    *task = (struct crew_task){c->hand.tasks[c->place++], c->hand.warmup};
    /* Asking ahead spares the wait for an answer; but where tasks come one by one, they are to go
     * to whoever is free first. */
    if (c->hand.n > 1 && 2 * c->place >= c->hand.n && c->request == MPI_REQUEST_NULL) {
        ask(c);
    }
    return true;
}

/* A worker's last words; what it has asked for must be taken in. */
static void leave(struct crew *c)
{
    c->unsent.leaves = 1;
    c->unsent.stop = c->failed ? STOP_FAILED : c->stopping ? STOP : GO_ON;
    send_report(c);
    if (c->request != MPI_REQUEST_NULL) {
        await_answer(c);
    }
}

/* --- all ---------------------------------------------------------------------------------- */

struct crew *crew_open(MPI_Comm comm, const struct crew_source *source)
{
    struct crew *c = calloc(1, sizeof *c);
    CHECK(c, "out of memory");
    c->comm = comm;
    MPI_Comm_rank(comm, &c->rank);
    MPI_Comm_size(comm, &c->size);
    c->request = MPI_REQUEST_NULL;
    if (c->rank == 0) {
        c->source = *source;
        c->serves = c->size > CREW_SERVED;
        c->working = c->size - 1;
        c->waiting = calloc((size_t)c->size, sizeof *c->waiting);
        CHECK(c->waiting, "out of memory");
        idle(c);
    }
    return c;
}

void crew_only_serve(struct crew *c)
{
    c->serves = c->size > 1;
}

uint64_t crew_messages(const struct crew *c)
{
    return c->messages;
}

void crew_stop(struct crew *c, bool failed)
{
    bool first = !c->stopping;
    c->stopping = true;
    c->failed |= failed;
    if (first && c->rank == 0) {
        tell_to_stop(c);
        give_waiting(c);
    }
}

void crew_keep(struct crew *c, bool (*keep)(void *context), void *context)
{
    c->keep = keep;
    c->keep_context = context;
}

bool crew_poll(struct crew *c)
{
    c->polled_at = clock_s();
    if (stop_wanted()) {
        crew_stop(c, false);
    }
    if (c->polled_at - c->kept_at > KEEP) {
        keep_done(c); /* the task in hand may be a long one */
    }
    if (c->rank == 0) {
        serve(c);
    } else {
        take_stop(c);
        tell_results(c);
    }
    return !c->stopping;
}

bool crew_next(struct crew *c, struct crew_task *task)
{
    /* Tasks may be shorter than a poll. */
    bool due = clock_s() - c->polled_at > (c->rank == 0 ? FIRST_POLL : WORKER_POLL);
    return (due ? crew_poll(c) : !c->stopping) &&
           (c->rank == 0 ? next_of_first(c, task) : next_of_worker(c, task));
}

void crew_done(struct crew *c, const struct crew_result *result)
{
    if (c->rank == 0) {
        c->source.done(c->source.context, result);
        give_waiting(c);
    } else {
        c->unsent.results[c->unsent.n++] = *result;
        if (c->unsent.n == CREW_CHUNK) {
            send_report(c);
        }
    }
}

enum crew_outcome crew_close(struct crew *c)
{
    if (c->rank == 0) {
        while (c->working > 0) {
            serve_and_rest(c);
        }
    } else {
        leave(c);
    }
    /* A stop that came when all was done stopped nothing. */
    bool done = c->rank == 0 && c->source.over(c->source.context);
    int end[2] = {c->failed ? CREW_FAILED : done ? CREW_FINISHED : CREW_STOPPED, c->stopping};
    MPI_Bcast(end, 2, MPI_INT, 0, c->comm);
    if (c->rank != 0 && end[1] && !c->told) {
        MPI_Recv(NULL, 0, MPI_BYTE, 0, TAG_STOP, c->comm, MPI_STATUS_IGNORE);
    }
    free(c->waiting);
    free(c);
    return (enum crew_outcome)end[0];
}
