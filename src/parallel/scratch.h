/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of the partition's and the lookahead's making: zeroed arrays, given back by free.
 */
#ifndef SQUALL_PARALLEL_SCRATCH_H
#define SQUALL_PARALLEL_SCRATCH_H

#include <stdlib.h>

#include "base/check.h"

/* `n` may be 0. */
static inline void *scratch_take(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    CHECK_LIMIT(p, "out of memory (%zu times %zu bytes)", n, size);
    return p;
}

#endif
