/* SPDX-License-Identifier: Apache-2.0
 *
 * Small studies drawn at random, made to be hard on whoever divides them among ranks: exact ties
 * (constant arrivals, services and timeouts), chains without delay, latencies that differ a
 * hundredfold, laws that reach down to their floor, losses, crashes and slowdowns of whoever is
 * next to a cut, silent stretches, and entities that nobody calls; their calls use every mechanism
 * that there is.
 */
#ifndef TESTS_SUPPORT_RANDOM_MESH_H
#define TESTS_SUPPORT_RANDOM_MESH_H

#include <stddef.h>
#include <stdint.h>

/* Writes study number `number` into `text`; the same number gives the same study. */
void random_mesh(uint64_t number, char *text, size_t size);

#endif
