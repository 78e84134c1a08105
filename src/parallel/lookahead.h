/* SPDX-License-Identifier: Apache-2.0
 *
 * How soon the parts of a model can affect each other. A message over a wire takes at least the
 * wire's floor, either way: a request one way, its reply the other.
 *
 * Of P parts a rank needs its own row and column (lookahead_open: O(P)). Where P is small the
 * closed matrix D gives the exact horizon: D[j][i] is the least time in which anything at j can
 * have an effect at i, over any number of parts in between, and D[i][i] the shortest way from i out
 * and back (Floyd 1962, Warshall 1962; as a lower bound on time stamps: Fujimoto 2000).
 */
#ifndef SQUALL_PARALLEL_LOOKAHEAD_H
#define SQUALL_PARALLEL_LOOKAHEAD_H

#include "engine/blueprint.h"

/* One rank's neighbours. Entries are SIM_TIME_NEVER where there is no wire. */
struct lookahead {
    uint32_t part, parts;
    sim_time *to;   /* [parts] least delay of a message from here to there, and back; owned */
    sim_time least; /* of these: how far ahead of the others this part may run */
};

/* O(wires + parts), and once the far ends of each fan; not collective. */
void lookahead_open(const struct blueprint *b, const uint32_t *part_of, uint32_t part,
                    uint32_t parts, struct lookahead *l);
void lookahead_close(struct lookahead *l);

/* The direct matrix, [from * parts + to]; the diagonal is SIM_TIME_NEVER. `limit` (may be NULL;
 * [parts * parts]) gets the wire that each entry comes from, the first of several, or WIRE_NONE.
 * Owned by the caller (free). */
sim_time *lookahead_matrix(const struct blueprint *b, const uint32_t *part_of, uint32_t parts,
                           wire_id *limit);

/* Closes a direct matrix in place: O(parts^3). */
void lookahead_matrix_close(sim_time *d, uint32_t parts);

#endif
