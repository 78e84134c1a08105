/* SPDX-License-Identifier: Apache-2.0 */
#include "parallel/patience.h"

#include <time.h>

enum { POLL_NS = 5000000, TRIES = 256 /* between two looks at the clock */ };

uint64_t patience_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void patience_poll(struct patience *p, uint64_t now)
{
    if (p->poll && now - p->polled >= POLL_NS) {
        p->polled = now;
        p->stop |= !p->poll(p->context);
    }
}

void patience_wait(struct patience *p, MPI_Request *requests, int n)
{
    uint64_t began = patience_clock(), now = began;
    int done = 0;
    for (;;) {
        for (int i = 0; i < TRIES && !done; i++) {
            MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE);
        }
        now = patience_clock();
        if (done) {
            break;
        }
        patience_poll(p, now);
    }
    p->blocked_ns += now - began;
}
