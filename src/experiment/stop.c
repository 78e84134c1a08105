/* SPDX-License-Identifier: Apache-2.0 */
#include "experiment/stop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "parallel/patience.h"

static volatile sig_atomic_t received;
static const char *_Atomic because; /* a reason that is no signal; orphan.c asks from a thread */
static uint64_t began;              /* [ns] of patience_clock */
static uint64_t deadline;           /* likewise; 0: none */
static char at_deadline[80];

static void on_signal(int number)
{
    if (!received) {
        received = number;
    }
}

void stop_listen(void)
{
    struct sigaction once = {.sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    struct sigaction always = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &always, NULL);
    sigaction(SIGUSR1, &always, NULL);
    signal(SIGXFSZ, SIG_IGN);
    began = patience_clock();
}

/* [s] until the Slurm job ends. False: nobody says so, or it has ended, and only its environment
 * lives on. */
static bool slurm_leaves(int64_t *seconds)
{
    const char *text = getenv("SLURM_JOB_END_TIME"); /* [s] of the Unix clock */
    char *end = NULL;
    long long at = text ? strtoll(text, &end, 10) : 0;
    *seconds = at - (int64_t)time(NULL);
    return text && end != text && !*end && *seconds > 0;
}

void stop_in_time(const struct stop_limit *limit)
{
    int64_t left;
    if (limit->wall > 0) {
        deadline = began + (uint64_t)limit->wall;
        snprintf(at_deadline, sizeof at_deadline, "--time-limit %s", limit->text);
    }
    if (slurm_leaves(&left)) {
        int64_t seconds = left > STOP_MARGIN_S ? left - STOP_MARGIN_S : 0;
        uint64_t before = patience_clock() + (uint64_t)seconds * (uint64_t)SIM_TIME_S;
        if (deadline == 0 || before < deadline) {
            deadline = before;
            snprintf(at_deadline, sizeof at_deadline, "the end of the Slurm job, %d s before it",
                     STOP_MARGIN_S);
        }
    }
}

void stop_because(const char *reason)
{
    if (!stop_wanted()) {
        because = reason;
    }
}

bool stop_wanted(void)
{
    if (!received && !because && deadline > 0 && patience_clock() >= deadline) {
        because = at_deadline;
    }
    return received || because;
}

const char *stop_reason(void)
{
    if (because) {
        return because;
    }
    switch (received) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    case SIGUSR1:
        return "SIGUSR1";
    default:
        return NULL;
    }
}
