/* SPDX-License-Identifier: Apache-2.0
 *
 * Controlled delay (CoDel, RFC 8289): whoever is next in line is dropped instead of being served
 * when those before have waited for `target` or longer throughout an `interval`, and then again
 * ever more often, at distances of interval / sqrt(number of drops), until one has waited for less.
 * The last one in line is never dropped.
 *
 * It is the RFC's pseudocode, one head of the line at a time. Its queue that holds no more than one
 * packet is one here in which nobody is left behind the head.
 */
#ifndef SQUALL_POLICIES_CODEL_H
#define SQUALL_POLICIES_CODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/simtime.h"

struct codel {
    sim_time target, interval; /* [ns] > 0 */
};

/* Zero at the start. */
struct codel_state {
    sim_time first_above; /* [ns] when waits will have been too long for an interval; 0: are not */
    sim_time drop_next;   /* [ns] */
    uint32_t count;       /* drops since it began to drop */
    uint32_t last_count;  /* what it was then */
    bool dropping;
    bool dropped; /* the head before was, and the next distance is still to be counted */
};

/* Whether the one that has just left the head of the line is dropped. It waited for `waited`, and
 * `behind` others wait still. Where it is, the next one is to be asked about at once. */
bool codel_drops(const struct codel *c, struct codel_state *s, sim_time now, sim_time waited,
                 uint32_t behind);

/* The line is empty, though it was not emptied by serving its last. */
void codel_emptied(struct codel_state *s);

#endif
