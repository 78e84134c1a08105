/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws k distinct ones of 0 .. n - 1, each subset being as likely (R. W. Floyd's algorithm, in
 * J. Bentley, Communications of the ACM 30, 1987). Takes k draws and memory for k, whatever n is.
 */
#ifndef SQUALL_MODEL_SUBSET_H
#define SQUALL_MODEL_SUBSET_H

#include <stdint.h>

#include "rng/stream.h"

/* Zero is open and empty. */
struct subset {
    uint32_t *members; /* owned */
    uint32_t *table;   /* owned: hash table of the members; 0: free, else a member + 1 */
    uint32_t most;     /* members that there is room for */
};

/* The subset in ascending order; k <= n < UINT32_MAX. Valid until the next one is drawn. */
const uint32_t *subset_draw(struct subset *s, struct rng_stream *stream, uint32_t n, uint32_t k);

void subset_close(struct subset *s);

#endif
