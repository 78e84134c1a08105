/* SPDX-License-Identifier: Apache-2.0
 *
 * The order in which things are dealt with that cost differently: the costliest first, so that
 * nobody begins a long one when the others are done.
 */
#ifndef SQUALL_EXPERIMENT_ORDER_H
#define SQUALL_EXPERIMENT_ORDER_H

#include <stdint.h>

/* Writes the places 0..n-1 to `order`, those of the largest costs first, equal ones as they come.
 */
void order_by_cost(const double *cost, uint64_t n, uint64_t *order);

#endif
