/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether journals belong together: each named once, of one plan, and, where they are of shards,
 * of as many. For whoever takes several at a time.
 */
#ifndef SQUALL_EXPERIMENT_TOGETHER_H
#define SQUALL_EXPERIMENT_TOGETHER_H

#include <stdbool.h>
#include <stddef.h>

#include "results/error.h"
#include "results/meta.h"

struct together {
    const char *const *paths;         /* of the journals */
    const struct results_meta *metas; /* of each */
    size_t n;
    bool shards_once; /* a shard may be there only once */
};

/* False: `e` has the first thing that is wrong; of another plan also what differs from the first
 * journal's. */
bool together_check(const struct together *t, struct results_error *e);

#endif
