/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/orphan.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "experiment/run.h"
#include "experiment/stop.h"

enum {
    LOOK_MS = 200,   /* between two looks */
    GRACE_MS = 3000, /* for a rank that is about to stop: mpirun may end before its ranks have */
};

static pid_t launcher;
static char rank[16];

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* What Open MPI and PMIx tell the ranks that they start. Slurm's own variables are also seen by a
 * program that a batch script has started by hand. */
static const char *number_of_rank(void)
{
    const char *number = getenv("OMPI_COMM_WORLD_RANK");
    return number ? number : getenv("PMIX_RANK");
}

/* A thread of its own, since a rank may wait within MPI. It calls nothing of MPI and shares no
 * data; what was appended to the journal is with the system already. */
static void *watch(void *nothing)
{
    (void)nothing;
    while (getppid() == launcher) {
        sleep_ms(LOOK_MS);
    }
    if (stop_reason()) {
        sleep_ms(GRACE_MS);
    }
    char text[160];
    int n = snprintf(text, sizeof text,
                     "squall: rank %s: whoever launched it is gone, so it ends; finished "
                     "replications are in the journal\n",
                     rank);
    ssize_t told = write(STDERR_FILENO, text, (size_t)n);
    (void)told; /* to nobody, as a rule */
    _exit(EXIT_RESUMABLE);
}

void orphan_watch(void)
{
    const char *number = number_of_rank();
    if (!number) {
        return;
    }
    snprintf(rank, sizeof rank, "%s", number);
    launcher = getppid();
    /* Signals are for the program, and a broken pipe is no reason to end without a word. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    CHECK(!failed, "no thread can be made to watch the launcher");
    pthread_detach(thread);
}
