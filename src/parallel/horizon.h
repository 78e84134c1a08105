/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a part may run: the rules of conservative synchronisation as pure functions, so that they
 * can be tested without ranks.
 *
 * At a cut through the computation that nothing crosses unseen, every pending event is either at
 * its part or on its way there. Let T[j] be the earliest one at or on its way to part j, and D the
 * closed lookahead matrix. Whatever reaches part i from now on descends from one of these, and so
 * comes no earlier than
 *
 *     H[i] = min over j of T[j] + D[j][i]
 *
 * where j = i counts, too: what leaves may come back. Part i may run everything before H[i].
 */
#ifndef SQUALL_PARALLEL_HORIZON_H
#define SQUALL_PARALLEL_HORIZON_H

#include <stdint.h>

#include "base/simtime.h"

/* H of one part; `next` is T[0..parts-1], `closed` the matrix [from * parts + to]. */
sim_time horizon_exact(const sim_time *next, const sim_time *closed, uint32_t parts, uint32_t part);

/* The least H of the part and of those that can affect it: where each runs to its own horizon, the
 * one that is behind may go further than the one ahead, and so they take turns in working and
 * waiting (measured: 300 events against 80, then 80 against 300). To one horizon all have even
 * work, and take no more windows. */
sim_time horizon_even(const sim_time *next, const sim_time *closed, uint32_t parts, uint32_t part);

/* A bound that needs only the minimum of all T, and the least lookahead into the part: what reaches
 * it takes a wire at last. */
sim_time horizon_reduced(sim_time next, sim_time least);

#endif
