/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws the blueprint of a bound study: entities in the order written, a port for every target
 * that the rows of a type lead to (in blocks, lists and alternatives too), a wire to everyone that
 * a target leads to (all that it names, those of the caller's cell, some picked by chance, or those
 * that a table says), and for each wire the first rule of the network that matches both ends. One
 * wire fans out to a whole range where nothing tells its instances apart.
 *
 * Refused, each at its place: names that nobody has, an entity that would call itself and is no
 * peer, one named twice by a target, one that answers no requests, more cells or picks than there
 * are instances, and cycles of calls without any delay, in which time would stand still.
 */
#ifndef SQUALL_MODEL_GRAPH_H
#define SQUALL_MODEL_GRAPH_H

#include <stdbool.h>

#include "model/study.h"

/* Sets s->blueprint, the port of every target in the groups' params, and the defaults of
 * s->settings.output.series and of the failure budget's entities. Groups whose params are NULL are
 * known by name only. Where something failed before (`bound` is false) or fails here, the blueprint
 * is not to be used. */
void graph_draw(struct study *s, bool bound, struct diag *d);

/* True when the name is matched: `*` stands for any letters, `?` for any one, all others for
 * themselves. */
bool graph_match(const char *pattern, const char *name);

#endif
