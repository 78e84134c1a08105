/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SQUALL_CLI_CLOCK_H
#define SQUALL_CLI_CLOCK_H

#include <time.h>

/* Wall time [s] of a clock that only goes forward. */
static inline double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
